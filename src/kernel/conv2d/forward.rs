//! The forward pass, alone or fused with max pooling.
//!
//! ```text
//! for every tile of 4 output pixels x 2 vectors of output channels:
//!     sums = bias;  for ky: sums += patch rows (4, kw c) x weights (kw c, 2 vectors);  store clamp(sums)
//! ```
//!
//! 1. In NHWC a row of a patch, kw pixels of c channels, is one run of floats: nothing is copied out (no im2col).
//! 2. Weights are packed once, the bias first, in the order in which tiles read them.
//! 3. Before 2 x 2 max pooling the tile's four pixels are one window: bias, clamp, maximum and index happen in
//!    registers and the full feature map is never stored; its odd last row and column are not computed.
//! 4. A few output rows are done for all channels before the next, so that their input stays in the first-level cache.

use std::ops::Range;

use crate::gemm::{R, Tile, V, accumulate, start, store};
use crate::lanes::{self, Kernel, Lanes};
use crate::{Clamp, Window, parallel};

use crate::band::{self, Band, band, band_rows};

/// Floats in the packed weights of the forward pass.
pub fn packed_len(s: &Window) -> usize {
    (s.taps() + 1) * s.oc.next_multiple_of(V * lanes::width())
}

/// Packs kernel (kh, kw, c, oc) and bias (oc; zero when absent) for the forward pass.
pub fn pack(s: &Window, kernel: &[f32], bias: Option<&[f32]>, packed: &mut [f32]) {
    let width = V * lanes::width();
    for (p, panel) in packed.chunks_exact_mut((s.taps() + 1) * width).enumerate() {
        let columns = p * width..(p * width + width).min(s.oc);
        let rows = std::iter::once(bias).chain(kernel.chunks_exact(s.oc).map(Some));
        for (out, row) in panel.chunks_exact_mut(width).zip(rows) {
            // Most rows are whole, and filling a few bytes is a call in WebAssembly.
            if row.is_none() || columns.len() < width {
                out.fill(0.0);
            }
            if let Some(row) = row {
                out[..columns.len()].copy_from_slice(&row[columns.clone()]);
            }
        }
    }
}

/// Floats of scratch that both functions need.
pub fn scratch_len(s: &Window) -> usize {
    parallel::parts() * part_len(s)
}

fn part_len(s: &Window) -> usize {
    band::scratch_len(s, band_rows(s).max(2).min(s.oh), 0)
}

/// x (n, h, w, c), packed weights -> out (n, oh, ow, oc).
pub fn conv2d_forward(
    s: &Window,
    x: &[f32],
    packed: &[f32],
    clamp: Clamp,
    out: &mut [f32],
    scratch: &mut [f32],
) {
    forward::<false>(s, x, packed, clamp, (s.oh, s.ow), out, None, scratch);
}

/// x (n, h, w, c), packed weights -> out (n, oh/2, ow/2, oc), fused with 2 x 2 max pooling of stride 2; `indices`, if
/// wanted, of the same shape: the position 0..4 of each first maximum, row-major.
pub fn conv2d_max_pool_forward(
    s: &Window,
    x: &[f32],
    packed: &[f32],
    clamp: Clamp,
    out: &mut [f32],
    indices: Option<&mut [u8]>,
    scratch: &mut [f32],
) {
    forward::<true>(s, x, packed, clamp, (s.oh / 2, s.ow / 2), out, indices, scratch);
}

/// Splits the rows that are stored over threads. (h, w): the stored shape.
#[allow(clippy::too_many_arguments)]
fn forward<const POOL: bool>(
    s: &Window,
    x: &[f32],
    packed: &[f32],
    clamp: Clamp,
    (h, w): (usize, usize),
    out: &mut [f32],
    indices: Option<&mut [u8]>,
    scratch: &mut [f32],
) {
    debug_assert_eq!(x.len(), s.n * s.input_len());
    debug_assert_eq!(packed.len(), packed_len(s));
    debug_assert_eq!(out.len(), s.n * h * w * s.oc);
    let rows = s.n * h;
    if rows * w * s.oc == 0 {
        return;
    }
    let each = rows.div_ceil(parallel::parts());
    let mut indices = indices.map(|indices| indices.chunks_mut(each * w * s.oc));
    let mut scratch = scratch.chunks_mut(part_len(s).max(1));
    let parts = out.chunks_mut(each * w * s.oc).enumerate().map(|(part, out)| {
        let indices = indices.as_mut().and_then(|indices| indices.next());
        let scratch = scratch.next().unwrap_or_default();
        let rows = part * each..(part * each + each).min(rows);
        Forward::<POOL> { s, x, packed, clamp, h, w, rows, out, indices, scratch }
    });
    parallel::for_each(parts, |part| lanes::dispatch(part));
}

/// The rows `rows` of the n x `h` that are stored; `out` and `indices` begin at the first of them.
struct Forward<'a, const POOL: bool> {
    s: &'a Window,
    x: &'a [f32],
    packed: &'a [f32],
    clamp: Clamp,
    h: usize,
    w: usize,
    rows: Range<usize>,
    out: &'a mut [f32],
    indices: Option<&'a mut [u8]>,
    scratch: &'a mut [f32],
}

impl<const POOL: bool> Kernel for Forward<'_, POOL> {
    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        let (s, step) = (self.s, if POOL { 2 } else { 1 });
        let (band_rows, row_len) = ((band_rows(s) / step).max(1), self.w * s.oc);
        let scratch = std::mem::take(&mut self.scratch);
        let (mut y, mut at) = (self.rows.start, 0);
        while y < self.rows.end {
            let image = y / self.h;
            let end = (y + band_rows).min(self.rows.end).min((image + 1) * self.h);
            let rows = (y - image * self.h) * step..(end - image * self.h) * step;
            let x = &self.x[image * s.input_len()..][..s.input_len()];
            let band = band(s, x, rows, 0, scratch);
            for p in 0..s.oc.div_ceil(V * L::N) {
                self.panel::<L>(band, p, end - y, at);
            }
            (at, y) = (at + (end - y) * row_len, end);
        }
    }
}

impl<const POOL: bool> Forward<'_, POOL> {
    /// The columns of panel `p` in the `rows` rows stored from `at`.
    #[inline(always)]
    fn panel<L: Lanes>(&mut self, band: Band, p: usize, rows: usize, at: usize) {
        let (s, w) = (self.s, self.w);
        let panel_len = (s.taps() + 1) * V * L::N;
        let panel = &self.packed[p * panel_len..][..panel_len];
        let first = p * V * L::N;
        let width = (s.oc - first).min(V * L::N);
        let place = |y: usize, x: usize| y * s.sh * band.row + x * s.sw * s.c;
        if POOL {
            for y in 0..rows {
                for x in 0..w {
                    let tile = tile::<L, R>(
                        s,
                        band,
                        panel,
                        [
                            place(2 * y, 2 * x),
                            place(2 * y, 2 * x + 1),
                            place(2 * y + 1, 2 * x),
                            place(2 * y + 1, 2 * x + 1),
                        ],
                    );
                    let to = at + (y * w + x) * s.oc + first;
                    let indices = self.indices.as_deref_mut().map(|i| &mut i[to..to + width]);
                    store_pooled::<L>(tile, self.clamp, &mut self.out[to..to + width], indices);
                }
            }
            return;
        }
        let pixels = rows * w;
        let mut pixel = 0;
        while pixel < pixels {
            // The last tile goes back over pixels that are done; rows too short for a tile go one by one.
            let i = if pixels < R { pixel } else { pixel.min(pixels - R) };
            let (mut y, mut x) = (i / w, i % w);
            let places: [usize; R] = std::array::from_fn(|_| {
                let here = place(y, x);
                (y, x) = if x + 1 == w { (y + 1, 0) } else { (y, x + 1) };
                here
            });
            let out = &mut self.out[at + i * s.oc + first..];
            if pixels < R {
                store::<L, 1>(tile(s, band, panel, [places[0]]), self.clamp, width, s.oc, out);
                pixel += 1;
            } else {
                store::<L, R>(tile(s, band, panel, places), self.clamp, width, s.oc, out);
                pixel += R;
            }
        }
    }
}

/// The sums of `ROWS` outputs whose first taps are at `places`.
#[inline(always)]
pub(super) fn tile<L: Lanes, const ROWS: usize>(
    s: &Window,
    band: Band,
    panel: &[f32],
    places: [usize; ROWS],
) -> Tile<L, ROWS> {
    let (mut sums, mut weights) = (start::<L, ROWS>(panel), &panel[V * L::N..]);
    let run = s.kw * s.c;
    for ky in 0..s.kh {
        let x = places.map(|place| &band.values[place + ky * band.row..][..run]);
        sums = accumulate(sums, x, weights);
        weights = &weights[run * V * L::N..];
    }
    sums
}

/// Stores the maximum over the tile's four rows, and its row.
#[inline(always)]
fn store_pooled<L: Lanes>(
    tile: Tile<L, R>,
    clamp: Clamp,
    out: &mut [f32],
    mut indices: Option<&mut [u8]>,
) {
    for (v, out) in out.chunks_mut(L::N).enumerate() {
        let (mut best, mut index) = (tile[0][v].clamp(clamp), L::splat(0.0));
        for (r, row) in tile.iter().enumerate().skip(1) {
            let value = row[v].clamp(clamp);
            let better = best.less(value);
            best = L::select(better, value, best);
            index = L::select(better, L::splat(r as f32), index);
        }
        best.store_part(out);
        if let Some(indices) = &mut indices {
            index.store_u8_part(&mut indices[v * L::N..][..out.len()]);
        }
    }
}
