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
//! 3. Four steps of k are unrolled: in WebAssembly an address is a register and a constant, so each unrolled step
//!    saves the advance of five pointers.

use super::lanes::Lanes;

/// Vectors in a panel's row.
pub const V: usize = 2;
/// Rows in a tile.
pub const R: usize = 4;

/// `R` rows of `V` vectors of sums.
pub type Tile<L, const R: usize> = [[L; V]; R];

/// acc[r] += x[r][k] panel[k] for all k of the run, in order. `panel` is (run, V x N), every x[r] (run).
#[inline(always)]
pub fn accumulate<L: Lanes, const R: usize>(
    mut acc: Tile<L, R>,
    x: [&[f32]; R],
    panel: &[f32],
) -> Tile<L, R> {
    const UNROLL: usize = 4;
    let run = x[0].len();
    let (whole, rest) = (run / UNROLL, run % UNROLL);
    let x = x.map(|x| x[..run].as_chunks::<UNROLL>());
    let chunks = x.map(|x| &x.0[..whole]);
    let rests = x.map(|x| &x.1[..rest]);
    let (head, tail) = panel.split_at(whole * UNROLL * V * L::N);
    for (i, panel) in head.chunks_exact(UNROLL * V * L::N).enumerate() {
        for (k, weights) in panel.chunks_exact(V * L::N).enumerate() {
            acc = step(acc, |r| chunks[r][i][k], weights);
        }
    }
    for (k, weights) in tail[..rest * V * L::N].chunks_exact(V * L::N).enumerate() {
        acc = step(acc, |r| rests[r][k], weights);
    }
    acc
}

#[inline(always)]
fn step<L: Lanes, const R: usize>(
    mut acc: Tile<L, R>,
    x: impl Fn(usize) -> f32,
    weights: &[f32],
) -> Tile<L, R> {
    let weights: [L; V] = std::array::from_fn(|v| L::load(&weights[v * L::N..]));
    for (r, acc) in acc.iter_mut().enumerate() {
        let x = L::splat(x(r));
        for (acc, weights) in acc.iter_mut().zip(weights) {
            *acc = x.mul_add(weights, *acc);
        }
    }
    acc
}

/// The same for runs of one length known in advance, wholly unrolled: short runs are all overhead otherwise.
#[inline(always)]
pub fn accumulate_run<L: Lanes, const R: usize, const RUN: usize>(
    mut acc: Tile<L, R>,
    x: [&[f32; RUN]; R],
    panel: &[f32],
) -> Tile<L, R> {
    let panel = &panel[..RUN * V * L::N];
    for k in 0..RUN {
        acc = step(acc, |r| x[r][k], &panel[k * V * L::N..][..V * L::N]);
    }
    acc
}

/// Every sum starts from its column's value in `start` (V x N).
#[inline(always)]
pub fn start<L: Lanes, const R: usize>(start: &[f32]) -> Tile<L, R> {
    [std::array::from_fn(|v| L::load(&start[v * L::N..])); R]
}
