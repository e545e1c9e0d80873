//! Winograd's convolution F(2 x 2, 3 x 3), for inference: 16 multiplications where the direct sum has 36.
//!
//! ```text
//! for every tile of 2 x 2 outputs, d its 4 x 4 inputs:
//!     out = A' ((G g G') * (B' d B)) A        * element by element, summed over channels
//! ```
//!
//! 1. At each of the 16 positions the sum over channels is a matrix product, tiles x channels x output channels: the
//!    micro-kernel of all others runs here too, over a few tiles at a time so that they stay in the cache.
//! 2. A tile is one window of a 2 x 2 max pooling: bias, clamp and maximum follow in registers.
//! 3. B and A hold 0, 1 and -1 only, G also halves: larger tiles would save more and lose accuracy fast. Errors stay
//!    within reduction length x epsilon x 9 times the largest product, 9 being what G and B can make of 1; in practice
//!    they are those of the direct sum. Every output is computed alone and in one order: the strict build's bits
//!    depend neither on batch nor threads, but they are not the direct sum's, so training does not use it.
//! 4. Below 32 channels the transforms cost what the product saves.

use std::ops::Range;

use crate::kernel::band::{self, Band, band};
use crate::kernel::gemm::{R, V, accumulate};
use crate::kernel::lanes::{self, Kernel, Lanes};
use crate::kernel::{Clamp, Window, parallel};

/// Tiles that are worked on at a time (bench `winograd`).
const TILES: usize = 8;
/// Channels from which on it pays (bench `winograd`); they come in whole vectors.
const FROM: usize = 32;
/// Positions of a transformed tile.
const POSITIONS: usize = 16;

/// Whether [`conv2d_winograd_forward`] computes the convolution `s`, and faster than the direct sum.
pub fn winograd_applies(s: &Window) -> bool {
    let whole = |channels: usize| channels >= FROM && channels.is_multiple_of(lanes::MAX);
    (s.kh, s.kw, s.sh, s.sw) == (3, 3, 1, 1) && whole(s.c) && whole(s.oc)
}

fn padded_outputs(s: &Window) -> usize {
    s.oc.next_multiple_of(V * lanes::width())
}

/// Floats in the packed weights.
pub fn winograd_packed_len(s: &Window) -> usize {
    (1 + POSITIONS * s.c) * padded_outputs(s)
}

/// Transforms and packs kernel (3, 3, c, oc) and bias (oc; zero when absent).
pub fn winograd_pack(s: &Window, kernel: &[f32], bias: Option<&[f32]>, packed: &mut [f32]) {
    let (start, panels) = packed.split_at_mut(padded_outputs(s));
    start.fill(0.0);
    if let Some(bias) = bias {
        start[..s.oc].copy_from_slice(bias);
    }
    let width = V * lanes::width();
    // G x for a column of three.
    let half = |[a, b, c]: [f64; 3]| [a, (a + b + c) / 2.0, (a - b + c) / 2.0, c];
    for (row, out) in panels.chunks_exact_mut(width).enumerate() {
        let (c, panel) = (row % s.c, row / s.c % (padded_outputs(s) / width));
        let position = row / s.c / (padded_outputs(s) / width);
        for (j, out) in out.iter_mut().enumerate() {
            let o = panel * width + j;
            let g = |y: usize, x: usize| f64::from(kernel[((y * 3 + x) * s.c + c) * s.oc + o]);
            *out = if o < s.oc {
                let rows = [0, 1, 2].map(|y| half([g(y, 0), g(y, 1), g(y, 2)])[position % 4]);
                half(rows)[position / 4] as f32
            } else {
                0.0
            };
        }
    }
}

/// The same convolution over whole tiles: outputs past the last row and column are computed and not stored.
fn whole_tiles(s: &Window) -> Window {
    Window { oh: s.oh.next_multiple_of(2), ow: s.ow.next_multiple_of(2), ..*s }
}

/// Floats of scratch.
pub fn winograd_scratch_len(s: &Window) -> usize {
    parallel::parts() * part_len(s)
}

fn part_len(s: &Window) -> usize {
    POSITIONS * TILES * (s.c + s.oc) + band::scratch_len(&whole_tiles(s), whole_tiles(s).oh, 0)
}

/// As [`conv2d_forward`](super::conv2d_forward), with weights of [`winograd_pack`].
pub fn conv2d_winograd_forward(
    s: &Window,
    x: &[f32],
    packed: &[f32],
    clamp: Clamp,
    out: &mut [f32],
    scratch: &mut [f32],
) {
    forward::<false>(s, x, packed, clamp, out, scratch);
}

/// As [`conv2d_max_pool_forward`](super::conv2d_max_pool_forward) without indices, with weights of [`winograd_pack`].
pub fn conv2d_winograd_max_pool_forward(
    s: &Window,
    x: &[f32],
    packed: &[f32],
    clamp: Clamp,
    out: &mut [f32],
    scratch: &mut [f32],
) {
    let even = Window { oh: s.oh / 2 * 2, ow: s.ow / 2 * 2, ..*s };
    forward::<true>(&even, x, packed, clamp, out, scratch);
}

/// Splits the images' rows of tiles over threads.
fn forward<const POOL: bool>(
    s: &Window,
    x: &[f32],
    packed: &[f32],
    clamp: Clamp,
    out: &mut [f32],
    scratch: &mut [f32],
) {
    assert!(winograd_applies(s), "a 3 x 3 convolution of stride 1 over whole vectors of channels");
    debug_assert_eq!(packed.len(), winograd_packed_len(s));
    if out.is_empty() {
        return;
    }
    // An image's rows are cut alike, the last piece may be shorter.
    let pieces = parallel::parts().min(s.oh.div_ceil(2));
    let rows = s.oh.div_ceil(2).div_ceil(pieces);
    let image_len = if POOL { s.output_len() / 4 } else { s.output_len() };
    let row_len = if POOL { s.ow / 2 * s.oc } else { 2 * s.ow * s.oc };
    for (image, out) in out.chunks_mut(image_len).enumerate() {
        let x = &x[image * s.input_len()..][..s.input_len()];
        let parts = out.chunks_mut(rows * row_len).enumerate().zip(scratch.chunks_mut(part_len(s)));
        let parts = parts.map(|((piece, out), scratch)| {
            let tops = piece * rows..(piece * rows + rows).min(s.oh.div_ceil(2));
            Forward::<POOL> { s, x, packed, clamp, tops, out, scratch }
        });
        parallel::for_each(parts, lanes::dispatch);
    }
}

/// The rows of tiles `tops` of an image; `out` begins at the first of them.
struct Forward<'a, const POOL: bool> {
    s: &'a Window,
    x: &'a [f32],
    packed: &'a [f32],
    clamp: Clamp,
    tops: Range<usize>,
    out: &'a mut [f32],
    scratch: &'a mut [f32],
}

impl<const POOL: bool> Kernel for Forward<'_, POOL> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (s, columns) = (self.s, self.s.ow.div_ceil(2));
        let (bias, panels) = self.packed.split_at(padded_outputs(s));
        let (inputs, scratch) = self.scratch.split_at_mut(POSITIONS * TILES * s.c);
        let (sums, scratch) = scratch.split_at_mut(POSITIONS * TILES * s.oc);
        let rows = 2 * self.tops.start..2 * self.tops.end;
        let band = band(&whole_tiles(s), self.x, rows, 0, scratch);
        let count = self.tops.len() * columns;
        for first in (0..count).step_by(TILES) {
            let tiles = TILES.min(count - first);
            for t in 0..tiles {
                let (y, x) = ((first + t) / columns, (first + t) % columns);
                input::<L>(s, band, 2 * (y * band.row + x * s.c), &mut inputs[t * s.c..]);
            }
            multiply::<L>(s, inputs, panels, tiles, sums);
            for t in 0..tiles {
                let (y, x) = ((first + t) / columns * 2, (first + t) % columns * 2);
                let own: [&[f32]; POSITIONS] =
                    std::array::from_fn(|p| &sums[(p * TILES + t) * s.oc..][..s.oc]);
                let bias = &bias[..s.oc];
                for o in (0..s.oc).step_by(L::N) {
                    let values = output::<L>(&own, bias, o);
                    if POOL {
                        let [a, b, c, d] = values;
                        let best = a.at_least(b).at_least(c).at_least(d).clamp(self.clamp);
                        best.store(&mut self.out[(first + t) * s.oc + o..]);
                        continue;
                    }
                    for (i, value) in values.into_iter().enumerate() {
                        let pixel = (y + i / 2) * s.ow + x + i % 2;
                        if x + i % 2 < s.ow && (pixel + 1) * s.oc <= self.out.len() {
                            value.clamp(self.clamp).store(&mut self.out[pixel * s.oc + o..]);
                        }
                    }
                }
            }
        }
    }
}

/// B' d B of the tile at `from` in the band, all channels: position p goes to `out[p TILES c ..]`.
///
/// Every slice here is of one length, so that one comparison guards all loads and stores of a round.
#[inline(always)]
fn input<L: Lanes>(s: &Window, band: Band, from: usize, out: &mut [f32]) {
    let mut out = out.chunks_mut(TILES * s.c);
    for (i, (a, b)) in [(0, 2), (1, 2), (2, 1), (1, 3)].into_iter().enumerate() {
        let pixel = |y: usize, x: usize| &band.values[from + y * band.row + x * s.c..][..s.c];
        let upper: [&[f32]; 4] = std::array::from_fn(|x| pixel(a, x));
        let lower: [&[f32]; 4] = std::array::from_fn(|x| pixel(b, x));
        let mut row: [&mut [f32]; 4] =
            std::array::from_fn(|_| &mut out.next().unwrap_or_default()[..s.c]);
        for c in (0..s.c).step_by(L::N) {
            let mut column = [L::splat(0.0); 4];
            for (x, column) in column.iter_mut().enumerate() {
                let (a, b) = (L::load(&upper[x][c..]), L::load(&lower[x][c..]));
                *column = if i == 1 { a.add(b) } else { a.sub(b) };
            }
            let [a, b, c2, d] = column;
            let values = [a.sub(c2), b.add(c2), c2.sub(b), b.sub(d)];
            values.into_iter().zip(&mut row).for_each(|(value, row)| value.store(&mut row[c..]));
        }
    }
}

/// At every position: sums (tiles, oc) = inputs (tiles, c) x weights (c, oc).
#[inline(always)]
fn multiply<L: Lanes>(s: &Window, inputs: &[f32], panels: &[f32], tiles: usize, sums: &mut [f32]) {
    let mut panels = panels.chunks_exact(s.c * V * L::N);
    let positions = inputs.chunks_exact(TILES * s.c).zip(sums.chunks_exact_mut(TILES * s.oc));
    for (inputs, sums) in positions {
        for (first, panel) in (0..s.oc).step_by(V * L::N).zip(panels.by_ref()) {
            let width = (s.oc - first).min(V * L::N);
            // Rows past the last tile hold an earlier one's: their sums are not read.
            for t in (0..tiles).step_by(R) {
                let rows = std::array::from_fn(|r| &inputs[(t + r) * s.c..][..s.c]);
                let tile = accumulate::<L, R>([[L::splat(0.0); V]; R], rows, panel);
                for (r, row) in tile.iter().enumerate() {
                    let out = &mut sums[(t + r) * s.oc + first..][..width];
                    out.chunks_exact_mut(L::N).zip(row).for_each(|(out, sums)| sums.store(out));
                }
            }
        }
    }
}

/// A' sums A + bias of a tile, from its sums at each position, for the output channels from `o`: four outputs, row by row.
#[inline(always)]
fn output<L: Lanes>(sums: &[&[f32]; POSITIONS], bias: &[f32], o: usize) -> [L; 4] {
    let (mut upper, mut lower) = ([L::splat(0.0); 4], [L::splat(0.0); 4]);
    for j in 0..4 {
        let [a, b, c, d] = std::array::from_fn(|i| L::load(&sums[i * 4 + j][o..]));
        upper[j] = a.add(b).add(c);
        lower[j] = b.sub(c).sub(d);
    }
    let bias = L::load(&bias[o..]);
    let [a, b] = across(upper, bias);
    let [c, d] = across(lower, bias);
    [a, b, c, d]
}

/// A' of a row of sums, and the bias.
#[inline(always)]
fn across<L: Lanes>([a, b, c, d]: [L; 4], bias: L) -> [L; 2] {
    [a.add(b).add(c).add(bias), b.sub(c).sub(d).add(bias)]
}
