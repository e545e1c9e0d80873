//! Fully connected layers.
//!
//! ```text
//! out = clamp(x kernel + bias),   dx = dout kernel^T,   dkernel = x^T dout
//! ```
//!
//! 1. A few images are bound by the reading of the kernel: its rows stream by once, several at a time, while the sums
//!    of all outputs stay in the first-level cache. Rows whose input is zero, as after a ReLU, are not read at all.
//! 2. Many images are a matrix product. A block of the reduction is packed panel by panel, multiplied with the rows of
//!    all images while it is in the cache, and the sums wait in `out` for the next block.
//! 3. Either way a sum runs over its inputs in order: an image's result does not depend on the batch around it.

use super::gemm::{self, Operand};
use super::lanes::{self, Kernel, Lanes};
use super::{Clamp, parallel};

/// The shape of a fully connected layer at a batch of `n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DenseShape {
    /// Images in the batch.
    pub n: usize,
    /// Values in.
    pub inputs: usize,
    /// Values out.
    pub outputs: usize,
}

/// Up to so many images the kernel's rows are streamed (bench `dense_forward`).
const FEW: usize = 3;

/// Floats of scratch that any function here needs for `s`.
pub fn scratch_len(s: &DenseShape) -> usize {
    parallel::parts() * gemm::scratch_len() + s.n * s.inputs.max(s.outputs)
}

/// x (n, inputs), kernel (inputs, outputs), bias (outputs) -> out (n, outputs).
pub fn dense_forward(
    s: &DenseShape,
    x: &[f32],
    kernel: &[f32],
    bias: Option<&[f32]>,
    clamp: Clamp,
    out: &mut [f32],
    scratch: &mut [f32],
) {
    debug_assert_eq!(x.len(), s.n * s.inputs);
    debug_assert_eq!(kernel.len(), s.inputs * s.outputs);
    debug_assert_eq!(out.len(), s.n * s.outputs);
    for out in out.chunks_exact_mut(s.outputs) {
        match bias {
            Some(bias) => out.copy_from_slice(bias),
            None => out.fill(0.0),
        }
    }
    if s.n > FEW {
        let b = Operand { values: kernel, row: s.outputs, column: 1 };
        gemm::multiply_add((s.n, s.inputs, s.outputs), x, b, clamp, out, scratch);
    } else {
        for (b, out) in out.chunks_exact_mut(s.outputs).enumerate() {
            let x = &x[b * s.inputs..][..s.inputs];
            lanes::dispatch(Stream { x, kernel, clamp, out });
        }
    }
}

/// dout (n, outputs), kernel (inputs, outputs) -> dx (n, inputs), overwritten.
pub fn dense_backward_input(
    s: &DenseShape,
    dout: &[f32],
    kernel: &[f32],
    dx: &mut [f32],
    scratch: &mut [f32],
) {
    debug_assert_eq!(dout.len(), s.n * s.outputs);
    debug_assert_eq!(dx.len(), s.n * s.inputs);
    dx.fill(0.0);
    let b = Operand { values: kernel, row: 1, column: s.outputs };
    gemm::multiply_add((s.n, s.outputs, s.inputs), dout, b, Clamp::LINEAR, dx, scratch);
}

/// x (n, inputs), dout (n, outputs) -> dkernel (inputs, outputs) and dbias (outputs), overwritten.
pub fn dense_backward_kernel(
    s: &DenseShape,
    x: &[f32],
    dout: &[f32],
    dkernel: &mut [f32],
    dbias: Option<&mut [f32]>,
    scratch: &mut [f32],
) {
    debug_assert_eq!(x.len(), s.n * s.inputs);
    debug_assert_eq!(dkernel.len(), s.inputs * s.outputs);
    dkernel.fill(0.0);
    let (transposed, scratch) = scratch.split_at_mut(s.n * s.inputs);
    for (i, column) in transposed.chunks_exact_mut(s.n.max(1)).enumerate() {
        let from = x.iter().skip(i).step_by(s.inputs);
        column.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
    }
    let b = Operand { values: dout, row: s.outputs, column: 1 };
    let shape = (s.inputs, s.n, s.outputs);
    gemm::multiply_add(shape, transposed, b, Clamp::LINEAR, dkernel, scratch);
    if let Some(dbias) = dbias {
        dbias.fill(0.0);
        for dout in dout.chunks_exact(s.outputs) {
            dbias.iter_mut().zip(dout).for_each(|(dbias, dout)| *dbias += dout);
        }
    }
}

/// out += x kernel for one image, then the clamp.
struct Stream<'a> {
    x: &'a [f32],
    kernel: &'a [f32],
    clamp: Clamp,
    out: &'a mut [f32],
}

impl Kernel for Stream<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let outputs = self.out.len();
        let mut rows =
            self.x.iter().zip(self.kernel.chunks_exact(outputs)).filter(|(x, _)| **x != 0.0);
        while let Some(a) = rows.next() {
            match (rows.next(), rows.next(), rows.next()) {
                (Some(b), Some(c), Some(d)) => add_rows::<L, 4>([a, b, c, d], self.out),
                (b, c, d) => {
                    for row in [Some(a), b, c, d].into_iter().flatten() {
                        add_rows::<L, 1>([row], self.out);
                    }
                }
            }
        }
        for out in self.out.chunks_mut(L::N) {
            L::load_part(out).clamp(self.clamp).store_part(out);
        }
    }
}

/// out = (..(out + x0 row0) + ..) + x3 row3
#[inline(always)]
fn add_rows<L: Lanes, const ROWS: usize>(rows: [(&f32, &[f32]); ROWS], out: &mut [f32]) {
    let x = rows.map(|(&x, _)| L::splat(x));
    let rows = rows.map(|(_, row)| &row[..out.len()]);
    let whole = out.len() / L::N * L::N;
    for i in (0..whole).step_by(L::N) {
        let mut sum = L::load(&out[i..]);
        for (x, row) in x.iter().zip(rows) {
            sum = x.mul_add(L::load(&row[i..]), sum);
        }
        sum.store(&mut out[i..]);
    }
    if whole < out.len() {
        let mut sum = L::load_part(&out[whole..]);
        for (x, row) in x.iter().zip(rows) {
            sum = x.mul_add(L::load_part(&row[whole..]), sum);
        }
        sum.store_part(&mut out[whole..]);
    }
}
