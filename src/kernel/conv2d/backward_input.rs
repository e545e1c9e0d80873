//! The gradient of the input.
//!
//! ```text
//! for every input pixel: dx = sum over the output gradients that it reached, where not zero, of gradient x its weights
//! ```
//!
//! 1. A gradient that comes through a max pooling is zero in three places of four, one that comes through a ReLU in
//!    about every second: each output row's gradients are first gathered into a list of those that are not, and only
//!    they are multiplied. A dense product has fewer loads an addition, but many times the additions.
//! 2. The channels of one input pixel stay in registers while the lists of the kh x kw outputs above it pass by.
//! 3. Weights are packed so that an entry's key, less a constant of the pixel, is the place of its weights: the outputs
//!    ox that see a pixel are neighbours in a list, their kx go down as ox goes up, in steps of the stride. So `[ky]
//!    [kx mod sw][kx descending][o][c]`, any stride without a multiplication by zero.

use std::ops::Range;

use crate::lanes::{self, Kernel, Lanes};
use crate::{OutputGradient, Window, parallel};

/// Floats in the packed weights of the backward pass.
pub fn packed_backward_len(s: &Window) -> usize {
    s.kh * s.kw * s.oc * padded_channels(s)
}

fn padded_channels(s: &Window) -> usize {
    s.c.next_multiple_of(lanes::width())
}

/// Packs kernel (kh, kw, c, oc) for [`conv2d_backward_input`].
pub fn pack_backward(s: &Window, kernel: &[f32], packed: &mut [f32]) {
    let padded = padded_channels(s);
    let mut rows = packed.chunks_exact_mut(padded);
    for ky in 0..s.kh {
        for phase in 0..s.sw.min(s.kw) {
            for kx in (phase..s.kw).step_by(s.sw).rev() {
                let from = &kernel[(ky * s.kw + kx) * s.c * s.oc..][..s.c * s.oc];
                for (o, row) in rows.by_ref().take(s.oc).enumerate() {
                    if s.c < padded {
                        row.fill(0.0);
                    }
                    let column = from.iter().skip(o).step_by(s.oc);
                    row.iter_mut().zip(column).for_each(|(row, &weight)| *row = weight);
                }
            }
        }
    }
}

/// Output rows that see one input row.
fn live_rows(s: &Window) -> usize {
    s.kh.div_ceil(s.sh)
}

/// Floats in the list of an output row: ends of its pixels, then pairs of key and gradient, one to spare.
fn list_len(s: &Window) -> usize {
    s.ow + 1 + 2 * (s.ow * s.oc + 1)
}

fn part_len(s: &Window) -> usize {
    live_rows(s) * list_len(s)
}

/// Floats of scratch.
pub fn scratch_len(s: &Window) -> usize {
    parallel::parts() * part_len(s)
}

/// dout (n, oh, ow, oc), packed weights -> dx (n, h, w, c), overwritten.
pub fn conv2d_backward_input(
    s: &Window,
    dout: OutputGradient,
    packed: &[f32],
    dx: &mut [f32],
    scratch: &mut [f32],
) {
    debug_assert_eq!(dx.len(), s.n * s.input_len());
    debug_assert_eq!(packed.len(), packed_backward_len(s));
    let rows = s.n * s.h;
    if rows * s.w * s.c == 0 {
        return;
    }
    let each = rows.div_ceil(parallel::parts());
    let parts = dx.chunks_mut(each * s.w * s.c).zip(scratch.chunks_mut(part_len(s))).enumerate();
    let parts = parts.map(|(part, (dx, scratch))| BackwardInput {
        s,
        dout,
        packed,
        rows: part * each..(part * each + each).min(rows),
        dx,
        scratch,
    });
    parallel::for_each(parts, |part| lanes::dispatch(part));
}

/// The rows `rows` of the n x h input rows; `dx` begins at the first of them.
struct BackwardInput<'a> {
    s: &'a Window,
    dout: OutputGradient<'a>,
    packed: &'a [f32],
    rows: Range<usize>,
    dx: &'a mut [f32],
    scratch: &'a mut [f32],
}

impl Kernel for BackwardInput<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let s = self.s;
        let (live, len) = (live_rows(s), list_len(s));
        // The image and output row up to which lists are made.
        let (mut image, mut made) = (usize::MAX, 0);
        for (row, dx) in self.rows.zip(self.dx.chunks_exact_mut(s.w * s.c)) {
            let by = row % s.h + s.top;
            let outputs = s.reached_rows(by);
            if image != row / s.h {
                (image, made) = (row / s.h, outputs.start);
            }
            for oy in made.max(outputs.start)..outputs.end {
                let list = &mut self.scratch[oy % live * len..][..len];
                gather(s, self.dout, image, oy, padded_channels(s), list);
            }
            made = outputs.end.max(made);
            let mut block = 0;
            while block < s.c {
                let args = (s, self.packed, &*self.scratch, by, outputs.clone());
                block += L::N
                    * match (s.c - block).div_ceil(L::N) {
                        1 => row_of_blocks::<L, 1>(args, block, dx),
                        2 | 3 => row_of_blocks::<L, 2>(args, block, dx),
                        4..8 => row_of_blocks::<L, 4>(args, block, dx),
                        _ => row_of_blocks::<L, 8>(args, block, dx),
                    };
            }
        }
    }
}

/// The gradients of output row `oy` that are not zero, as pairs of `(ox oc + o) scale` and value, and where each
/// pixel's pairs end. Whole numbers travel as the bits of a float.
#[inline(always)]
fn gather(
    s: &Window,
    dout: OutputGradient,
    image: usize,
    oy: usize,
    scale: usize,
    list: &mut [f32],
) {
    let (ends, pairs) = list.split_at_mut(s.ow + 1);
    let pairs = pairs.as_chunks_mut::<2>().0;
    let mut count = 0;
    ends[0] = f32::from_bits(0);
    for ox in 0..s.ow {
        let mut key = ox * s.oc * scale;
        // By its bits: on a comparison of floats the compiler would branch, and as often as not go wrong.
        let mut push = |value: f32, here: bool| {
            pairs[count] = [f32::from_bits(key as u32), value];
            count += usize::from(here & (value.to_bits() << 1 != 0));
            key += scale;
        };
        match dout {
            OutputGradient::Full(dout) => {
                let from = ((image * s.oh + oy) * s.ow + ox) * s.oc;
                dout[from..from + s.oc].iter().for_each(|&value| push(value, true));
            }
            OutputGradient::MaxPooled { dout, indices } => {
                let (h, w) = (s.oh / 2, s.ow / 2);
                if oy / 2 < h && ox / 2 < w {
                    let from = ((image * h + oy / 2) * w + ox / 2) * s.oc;
                    let position = (oy % 2 * 2 + ox % 2) as u8;
                    let window = dout[from..from + s.oc].iter().zip(&indices[from..from + s.oc]);
                    window.for_each(|(&value, &index)| push(value, index == position));
                }
            }
        }
        ends[ox + 1] = f32::from_bits(count as u32);
    }
}

/// `B` vectors of channels from `block` on, for every pixel of the input row `dx`. Returns `B`.
#[inline(always)]
fn row_of_blocks<L: Lanes, const B: usize>(
    (s, packed, lists, by, rows): (&Window, &[f32], &[f32], usize, Range<usize>),
    block: usize,
    dx: &mut [f32],
) -> usize {
    let (live, len) = (live_rows(s), list_len(s));
    let padded = padded_channels(s);
    let tap = s.oc * padded;
    let width = (s.c - block).min(B * L::N);
    for (ix, dx) in dx.chunks_exact_mut(s.c).enumerate() {
        let bx = ix + s.left;
        let columns = s.reached_columns(bx);
        let (phase, turn) = (bx % s.sw, bx / s.sw);
        let mut sums = [L::splat(0.0); B];
        if !columns.is_empty() {
            // Taps of the phases before this one, and of this one.
            let before: usize = (0..phase).map(|phase| (s.kw - phase).div_ceil(s.sw)).sum();
            let taps = (s.kw - phase).div_ceil(s.sw);
            for oy in rows.clone() {
                let list = &lists[oy % live * len..][..len];
                let (ends, pairs) = list.split_at(s.ow + 1);
                let [start, end] = [columns.start, columns.end].map(|x| ends[x].to_bits() as usize);
                let first = ((by - oy * s.sh) * s.kw + before + taps - 1) * tap + block;
                let weights = first.wrapping_sub(turn * tap);
                for pair in &pairs.as_chunks::<2>().0[start..end] {
                    let value = L::splat(pair[1]);
                    let from = weights.wrapping_add(pair[0].to_bits() as usize);
                    let weights = &packed[from..][..B * L::N];
                    for (v, sums) in sums.iter_mut().enumerate() {
                        *sums = value.mul_add(L::load(&weights[v * L::N..]), *sums);
                    }
                }
            }
        }
        for (out, sums) in dx[block..block + width].chunks_mut(L::N).zip(sums) {
            sums.store_part(out);
        }
    }
    B
}
