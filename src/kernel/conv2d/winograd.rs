//! Winograd's convolution of 3 x 3 weights: F(4 x 4, 3 x 3), which has 36 multiplications where the direct sum has 144,
//! and F(2 x 2, 3 x 3), 16 for 36, on the smallest images and for very many channels. The way back to the input is a
//! convolution of the same kind.
//!
//! ```text
//! for every tile of 4 x 4 outputs, d its 6 x 6 inputs:
//!     out = A' ((G g G') * (B' d B)) A        * element by element, summed over channels
//! ```
//!
//! 1. At each of the 36 positions the sum over channels is a matrix product, tiles x channels x output channels: the
//!    micro-kernel of all others runs here too, over a few tiles at a time so that they stay in the cache.
//! 2. A tile holds whole windows of a 2 x 2 max pooling: bias, clamp and maximum follow in registers.
//! 3. Rounding errors grow with the tile: over 96 channels they are six times the direct sum's in the mean, ten times at
//!    most, 6e-6 of the largest output. Every output is computed alone and in one order: the strict build's bits depend
//!    neither on batch nor threads, but they are not the direct sum's.
//! 4. Below 32 channels the transforms cost what the product saves.

use std::array::from_fn;
use std::marker::PhantomData;
use std::ops::Range;

use crate::band::{self, Band, band};
use crate::gemm::{R, V, accumulate};
use crate::lanes::{self, Kernel, Lanes};
use crate::{Clamp, Window, parallel};

mod backward_kernel;
mod pack;
mod transform;

pub use backward_kernel::conv2d_winograd_backward_kernel;
pub use pack::{winograd_pack, winograd_pack_backward};
use transform::{Four, Transform, Two};

/// Tiles that are worked on at a time (bench `winograd`).
const TILES: usize = 8;
/// Channels from which on it pays (bench `winograd`); they come in whole vectors.
const FROM: usize = 32;
/// Pairs of channels up to which 36 weights for each are found in the cache: about 4 MB (bench `winograd`).
const LARGEST: usize = 1 << 15;

/// Whether [`conv2d_winograd_forward`] computes the convolution `s`, and faster than the direct sum.
pub fn winograd_applies(s: &Window) -> bool {
    let whole = |channels: usize| channels >= FROM && channels.is_multiple_of(lanes::MAX);
    (s.kh, s.kw, s.sh, s.sw) == (3, 3, 1, 1) && whole(s.c) && whole(s.oc)
}

/// Outputs in a tile's row: whichever multiplies less, as the micro-kernel takes `R` tiles at once, but 2 where the many
/// weights of the larger one would be waited for.
fn tile(s: &Window) -> usize {
    let products = |side: usize| {
        let tiles = s.oh.div_ceil(side) * s.ow.div_ceil(side);
        tiles.next_multiple_of(R) * positions(side)
    };
    let cached = s.c * s.oc <= LARGEST;
    if cached && products(4) < products(2) { 4 } else { 2 }
}

/// Of a transformed tile.
fn positions(side: usize) -> usize {
    (side + 2) * (side + 2)
}

fn padded_outputs(s: &Window) -> usize {
    s.oc.next_multiple_of(V * lanes::width())
}

/// The convolution that turns the gradient of `s`'s output into its input's: kernels turned around, channels swapped.
fn backward(s: &Window) -> Window {
    let (top, left) = (2 - s.top, 2 - s.left);
    Window { h: s.oh, w: s.ow, c: s.oc, oh: s.h, ow: s.w, oc: s.c, top, left, ..*s }
}

/// Floats in the packed weights.
pub fn winograd_packed_len(s: &Window) -> usize {
    (1 + positions(tile(s)) * s.c) * padded_outputs(s)
}

/// Floats in the packed weights of the way back.
pub fn winograd_packed_backward_len(s: &Window) -> usize {
    winograd_packed_len(&backward(s))
}

/// The same convolution over whole tiles: outputs past the last row and column are computed and not stored.
fn whole_tiles(s: &Window, side: usize) -> Window {
    Window { oh: s.oh.next_multiple_of(side), ow: s.ow.next_multiple_of(side), ..*s }
}

/// Floats of scratch for the way there.
pub fn winograd_scratch_len(s: &Window) -> usize {
    parallel::parts() * part_len(s, tile(s))
}

/// Floats of scratch for the ways back, and to pack their weights.
pub fn winograd_backward_scratch_len(s: &Window) -> usize {
    let input = winograd_scratch_len(&backward(s));
    input.max(backward_kernel::scratch_len(s)).max(s.taps() * s.oc)
}

fn part_len(s: &Window, side: usize) -> usize {
    let whole = whole_tiles(s, side);
    positions(side) * (TILES * (s.c + s.oc) + s.c.max(s.oc))
        + band::scratch_len(&whole, whole.oh, 0)
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
    let forward = if tile(s) == 4 { forward::<Four, 6, 4> } else { forward::<Two, 4, 2> };
    forward(s, false, x, packed, clamp, out, scratch);
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
    let forward = if tile(s) == 4 { forward::<Four, 6, 4> } else { forward::<Two, 4, 2> };
    forward(&even, true, x, packed, clamp, out, scratch);
}

/// As [`conv2d_backward_input`](super::conv2d_backward_input) of a gradient (n, oh, ow, oc), with weights of
/// [`winograd_pack_backward`].
pub fn conv2d_winograd_backward_input(
    s: &Window,
    dout: &[f32],
    packed: &[f32],
    dx: &mut [f32],
    scratch: &mut [f32],
) {
    conv2d_winograd_forward(&backward(s), dout, packed, Clamp::LINEAR, dx, scratch);
}

/// Splits the images over threads or, where there are fewer images, their rows of tiles.
fn forward<T: Transform<IN, OUT> + Sync + Send, const IN: usize, const OUT: usize>(
    s: &Window,
    pooled: bool,
    x: &[f32],
    packed: &[f32],
    clamp: Clamp,
    out: &mut [f32],
    scratch: &mut [f32],
) {
    assert!(winograd_applies(s), "a 3 x 3 convolution of stride 1 over whole vectors of channels");
    if out.is_empty() {
        return;
    }
    let (tops, parts) = (s.oh.div_ceil(OUT), parallel::parts());
    let pool = if pooled { 2 } else { 1 };
    let image_len = s.output_len() / (pool * pool);
    let row_len = OUT / pool * (s.ow / pool) * s.oc;
    let (part_len, many) = (part_len(s, OUT), s.n >= parts);
    let (images, rows) = if many { (s.n.div_ceil(parts), tops) } else { (1, tops.div_ceil(parts)) };
    // All images at once, or one after the other; a part's are in its share of `out`.
    let (together, share) = if many { (s.n, images * image_len) } else { (1, rows * row_len) };
    let groups = x.chunks(together * s.input_len()).zip(out.chunks_mut(together * image_len));
    for (x, out) in groups {
        let parts = out.chunks_mut(share).enumerate().zip(scratch.chunks_mut(part_len));
        parallel::for_each(parts, |((part, out), scratch)| {
            let (image, top) = if many { (part * images, 0) } else { (0, part * rows) };
            let x = x[image * s.input_len()..].chunks(s.input_len());
            for (x, out) in x.zip(out.chunks_mut(image_len)) {
                let (tops, scratch) = (top..(top + rows).min(tops), &mut *scratch);
                let transform = PhantomData::<T>;
                let own = Forward { s, pooled, x, packed, clamp, tops, out, scratch, transform };
                lanes::dispatch(own);
            }
        });
    }
}

/// The rows of tiles `tops` of an image; `out` begins at the first of them.
struct Forward<'a, T, const IN: usize, const OUT: usize> {
    s: &'a Window,
    pooled: bool,
    x: &'a [f32],
    packed: &'a [f32],
    clamp: Clamp,
    tops: Range<usize>,
    out: &'a mut [f32],
    scratch: &'a mut [f32],
    transform: PhantomData<T>,
}

impl<T: Transform<IN, OUT>, const IN: usize, const OUT: usize> Kernel for Forward<'_, T, IN, OUT> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (s, columns) = (self.s, self.s.ow.div_ceil(OUT));
        let (bias, panels) = self.packed.split_at(padded_outputs(s));
        let (inputs, scratch) = self.scratch.split_at_mut(IN * IN * TILES * s.c);
        let (sums, scratch) = scratch.split_at_mut(IN * IN * TILES * s.oc);
        let (between, scratch) = scratch.split_at_mut(IN * IN * s.c.max(s.oc));
        let rows = OUT * self.tops.start..OUT * self.tops.end;
        let band = band(&whole_tiles(s, OUT), self.x, rows, 0, scratch);
        let count = self.tops.len() * columns;
        for first in (0..count).step_by(TILES) {
            let tiles = TILES.min(count - first);
            for t in 0..tiles {
                let (y, x) = ((first + t) / columns, (first + t) % columns);
                let from = OUT * (y * band.row + x * s.c);
                input::<L, T, IN, OUT>(s, band, from, between, TILES * s.c, &mut inputs[t * s.c..]);
            }
            multiply::<L>(s, inputs, panels, tiles, sums);
            for t in 0..tiles {
                let at = (OUT * ((first + t) / columns), OUT * ((first + t) % columns));
                columns_of_sums::<L, T, IN, OUT>(s, &sums[t * s.oc..], between);
                outputs::<L, T, IN, OUT>(s, self.pooled, between, bias, self.clamp, at, self.out);
            }
        }
    }
}

/// The vectors at `c` of `N` slices. A loop, since closures that hold vectors are not inlined where AVX2 is on.
#[inline(always)]
fn load<L: Lanes, const N: usize>(from: &[&[f32]; N], c: usize) -> [L; N] {
    let mut line = [L::splat(0.0); N];
    for (line, from) in line.iter_mut().zip(from) {
        *line = L::load(&from[c..]);
    }
    line
}

/// Writes a line's vectors to `c` of `N` slices.
#[inline(always)]
fn store<L: Lanes, const N: usize>(line: [L; N], to: &mut [&mut [f32]; N], c: usize) {
    for (value, to) in line.iter().zip(to) {
        value.store(&mut to[c..]);
    }
}

/// The next `N` of the slices that `chunks` gives, `len` of each.
#[inline(always)]
fn next<'a, const N: usize>(
    chunks: &mut impl Iterator<Item = &'a mut [f32]>,
    len: usize,
) -> [&'a mut [f32]; N] {
    from_fn(|_| &mut chunks.next().unwrap_or_default()[..len])
}

/// B' d B of the tile at `from` in the band, all channels: position p goes to `out[p stride ..]`.
///
/// Here and below the slices of a loop are of one length, so that one comparison guards all loads and stores of a round.
#[inline(always)]
fn input<L: Lanes, T: Transform<IN, OUT>, const IN: usize, const OUT: usize>(
    s: &Window,
    band: Band,
    from: usize,
    between: &mut [f32],
    stride: usize,
    out: &mut [f32],
) {
    let mut columns = between.chunks_exact_mut(s.c);
    for x in 0..IN {
        let pixels = from_fn(|y| &band.values[from + y * band.row + x * s.c..][..s.c]);
        let mut column = next(&mut columns, s.c);
        for c in (0..s.c).step_by(L::N) {
            store(T::input(load::<L, IN>(&pixels, c)), &mut column, c);
        }
    }
    let mut out = out.chunks_mut(stride);
    for y in 0..IN {
        let row = from_fn(|x| &between[(x * IN + y) * s.c..][..s.c]);
        let mut out = next(&mut out, s.c);
        for c in (0..s.c).step_by(L::N) {
            store(T::input(load::<L, IN>(&row, c)), &mut out, c);
        }
    }
}

/// At every position: sums (tiles, oc) = inputs (tiles, c) x weights (c, oc), in the order of the weights.
#[inline(always)]
fn multiply<L: Lanes>(s: &Window, inputs: &[f32], panels: &[f32], tiles: usize, sums: &mut [f32]) {
    let mut panels = panels.chunks_exact(s.c * V * L::N);
    for first in (0..s.oc).step_by(V * L::N) {
        let width = (s.oc - first).min(V * L::N);
        let positions = inputs.chunks_exact(TILES * s.c).zip(sums.chunks_exact_mut(TILES * s.oc));
        for ((inputs, sums), panel) in positions.zip(panels.by_ref()) {
            // Rows past the last tile hold an earlier one's: their sums are not read.
            for t in (0..tiles).step_by(R) {
                let rows = from_fn(|r| &inputs[(t + r) * s.c..][..s.c]);
                let tile = accumulate::<L, R>([[L::splat(0.0); V]; R], rows, panel);
                for (r, row) in tile.iter().enumerate() {
                    let out = &mut sums[(t + r) * s.oc + first..][..width];
                    out.chunks_exact_mut(L::N).zip(row).for_each(|(out, sums)| sums.store(out));
                }
            }
        }
    }
}

/// A' sums of a tile, whose position p is at `sums[p TILES oc ..]`: column x goes to `between[x OUT oc ..]`.
#[inline(always)]
fn columns_of_sums<L: Lanes, T: Transform<IN, OUT>, const IN: usize, const OUT: usize>(
    s: &Window,
    sums: &[f32],
    between: &mut [f32],
) {
    let mut columns = between.chunks_exact_mut(s.oc);
    for x in 0..IN {
        let column = from_fn(|y| &sums[(y * IN + x) * TILES * s.oc..][..s.oc]);
        let mut out = next(&mut columns, s.oc);
        for o in (0..s.oc).step_by(L::N) {
            store(T::output(load::<L, IN>(&column, o)), &mut out, o);
        }
    }
}

/// (A' sums) A + bias of a tile whose first output is in row and column `place`, clamped, perhaps pooled.
#[inline(always)]
fn outputs<L: Lanes, T: Transform<IN, OUT>, const IN: usize, const OUT: usize>(
    s: &Window,
    pooled: bool,
    between: &[f32],
    bias: &[f32],
    clamp: Clamp,
    (top, left): (usize, usize),
    out: &mut [f32],
) {
    let bias = &bias[..s.oc];
    let pool = if pooled { 2 } else { 1 };
    let width = s.ow / pool;
    for y in (0..OUT).step_by(pool) {
        let first = ((top + y) / pool * width + left / pool) * s.oc;
        let Some(out) = out.get_mut(first..) else { return };
        let inside = ((OUT / pool).min(width - left / pool) * s.oc).min(out.len());
        let out = &mut out[..inside];
        let line = |y: usize| from_fn(|x| &between[(x * OUT + y) * s.oc..][..s.oc]);
        let (upper, lower): ([&[f32]; IN], [&[f32]; IN]) = (line(y), line(y + pool - 1));
        for o in (0..s.oc).step_by(L::N) {
            let bias = L::load(&bias[o..]);
            let mut row = T::output(load::<L, IN>(&upper, o));
            if pooled {
                let lower = T::output(load::<L, IN>(&lower, o));
                for x in 0..OUT / 2 {
                    let best = row[2 * x].at_least(row[2 * x + 1]);
                    row[x] = best.at_least(lower[2 * x]).at_least(lower[2 * x + 1]);
                }
            }
            for (x, value) in row.iter().enumerate() {
                if x * s.oc < inside {
                    value.add(bias).clamp(clamp).store(&mut out[x * s.oc + o..]);
                }
            }
        }
    }
}
