//! The micro-kernel of the matrix product, on which convolution and dense layers are built.
//!
//! A tile of `R` rows and `V` vectors of columns stays in registers while a run of the reduction passes by:
//!
//! ```text
//! for k in 0..run: for r in 0..R: acc[r] += x[r][k] * panel[k]
//! ```
//!
//! 1. The weights come packed in panels as wide as the tile, so that they are read in order, one load a vector.
//! 2. 4 rows x 2 vectors: 8 sums, 2 weights and a splat fit the 15 vector registers that V8 has to give on x86-64, and 8
//!    chains of additions hide their latency. Larger tiles spill and fell from 40 to 28 GFLOP/s (bench `ceiling`).
//! 3. One step of k a turn of the loop. Unrolled by hand, LLVM gathers the multiplications of several steps, so that V8
//!    runs out of registers (25 GFLOP/s instead of 39); V8 unrolls the loop by itself.

use std::ops::Range;

use super::lanes::{self, Kernel, Lanes};
use super::{Clamp, parallel};

/// Vectors in a panel's row.
pub const V: usize = 2;
/// Rows in a tile.
pub const R: usize = 4;

/// `R` rows of `V` vectors of sums.
pub type Tile<L, const R: usize> = [[L; V]; R];

/// `acc[r] += x[r][k] panel[k]` for all k of the run, in order. `panel` is (run, V x N), every `x[r]` (run).
#[inline(always)]
pub fn accumulate<L: Lanes, const R: usize>(
    mut acc: Tile<L, R>,
    x: [&[f32]; R],
    panel: &[f32],
) -> Tile<L, R> {
    let run = x[0].len();
    let x = x.map(|x| &x[..run]);
    for (k, weights) in panel[..run * V * L::N].chunks_exact(V * L::N).enumerate() {
        let weights: [L; V] = std::array::from_fn(|v| L::load(&weights[v * L::N..]));
        for (x, acc) in x.iter().zip(&mut acc) {
            let x = L::splat(x[k]);
            for (acc, weights) in acc.iter_mut().zip(weights) {
                *acc = x.mul_add(weights, *acc);
            }
        }
    }
    acc
}

/// Every sum starts from its column's value in `start` (V x N).
#[inline(always)]
pub fn start<L: Lanes, const R: usize>(start: &[f32]) -> Tile<L, R> {
    [std::array::from_fn(|v| L::load(&start[v * L::N..])); R]
}

/// A matrix in memory: element (k, j) is `values[k * row + j * column]`.
#[derive(Clone, Copy)]
pub struct Operand<'a> {
    /// All elements.
    pub values: &'a [f32],
    /// From one row to the next.
    pub row: usize,
    /// From one column to the next.
    pub column: usize,
}

/// Steps of the reduction that are packed at a time: a panel is 8 or 16 KB (bench `dense_forward`).
const BLOCK: usize = 256;

/// Floats of scratch that a thread needs in [`multiply_add`].
pub fn scratch_len() -> usize {
    BLOCK * V * lanes::MAX
}

/// out = clamp(out + a b) with a (m, k), b (k, n), out (m, n). Threads share out the rows.
pub fn multiply_add(
    (m, k, n): (usize, usize, usize),
    a: &[f32],
    b: Operand,
    clamp: Clamp,
    out: &mut [f32],
    scratch: &mut [f32],
) {
    if m * n == 0 {
        return;
    }
    let each = m.div_ceil(parallel::parts()).next_multiple_of(R);
    let parts = out.chunks_mut(each * n).zip(scratch.chunks_mut(scratch_len())).enumerate();
    let parts = parts.map(|(part, (out, scratch))| {
        let a = &a[part * each * k..(part * each + each).min(m) * k];
        Product { k, n, a, b, clamp, out, scratch }
    });
    parallel::for_each(parts, |part| lanes::dispatch(part));
}

struct Product<'a> {
    k: usize,
    n: usize,
    a: &'a [f32],
    b: Operand<'a>,
    clamp: Clamp,
    out: &'a mut [f32],
    scratch: &'a mut [f32],
}

impl Kernel for Product<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Product { k, n, a, b, clamp, out, scratch } = self;
        let (m, width) = (out.len() / n, V * L::N);
        // With no reduction at all there is still the clamp.
        for first in (0..k.max(1)).step_by(BLOCK) {
            let steps = first..(first + BLOCK).min(k);
            let clamp = if steps.end == k { clamp } else { Clamp::LINEAR };
            let panel = &mut scratch[..steps.len() * width];
            for column in (0..n).step_by(width) {
                let columns = column..(column + width).min(n);
                pack::<L>(b, steps.clone(), columns.clone(), panel);
                let row = |r: usize| &a[r * k..][steps.clone()];
                let mut r = 0;
                while r < m {
                    let out = &mut out[r * n..];
                    if r + R <= m {
                        let rows = std::array::from_fn(|i| row(r + i));
                        update::<L, R>(rows, panel, clamp, n, columns.clone(), out);
                        r += R;
                    } else {
                        update::<L, 1>([row(r)], panel, clamp, n, columns.clone(), out);
                        r += 1;
                    }
                }
            }
        }
    }
}

/// Rows `steps` of `b`'s columns, V vectors wide, zeros behind the last.
#[inline(always)]
fn pack<L: Lanes>(b: Operand, steps: Range<usize>, columns: Range<usize>, panel: &mut [f32]) {
    let width = V * L::N;
    if columns.len() < width {
        panel.fill(0.0);
    }
    if b.column == 1 {
        // By vectors: a copy of so few bytes would be a call in WebAssembly.
        for (k, to) in steps.zip(panel.chunks_exact_mut(width)) {
            let from = &b.values[k * b.row..][columns.clone()];
            if from.len() == width {
                for v in 0..V {
                    L::load(&from[v * L::N..]).store(&mut to[v * L::N..]);
                }
            } else {
                let vectors = to.chunks_exact_mut(L::N).zip(from.chunks(L::N));
                vectors.for_each(|(to, from)| L::load_part(from).store(to));
            }
        }
    } else {
        for (j, column) in columns.enumerate() {
            let from = b.values[column * b.column..].iter().step_by(b.row).skip(steps.start);
            let to = panel.iter_mut().skip(j).step_by(width);
            to.zip(from).for_each(|(to, &from)| *to = from);
        }
    }
}

/// out = clamp(out + rows panel) in `columns` of R rows that are `n` apart.
#[inline(always)]
fn update<L: Lanes, const R: usize>(
    rows: [&[f32]; R],
    panel: &[f32],
    clamp: Clamp,
    n: usize,
    columns: Range<usize>,
    out: &mut [f32],
) {
    let mut sums: Tile<L, R> = [[L::splat(0.0); V]; R];
    for (r, sums) in sums.iter_mut().enumerate() {
        let out = &out[r * n..][columns.clone()];
        for (sums, out) in sums.iter_mut().zip(out.chunks(L::N)) {
            *sums = L::load_part(out);
        }
    }
    store(accumulate(sums, rows, panel), clamp, columns.len(), n, &mut out[columns.start..]);
}

/// Stores the first `width` columns of each row, `stride` apart, clamped.
#[inline(always)]
pub fn store<L: Lanes, const R: usize>(
    tile: Tile<L, R>,
    clamp: Clamp,
    width: usize,
    stride: usize,
    out: &mut [f32],
) {
    for (r, row) in tile.iter().enumerate() {
        let out = &mut out[r * stride..][..width];
        for (out, sums) in out.chunks_mut(L::N).zip(row) {
            sums.clamp(clamp).store_part(out);
        }
    }
}
