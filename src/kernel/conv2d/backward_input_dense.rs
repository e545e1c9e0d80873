//! The gradient of the input where the output's gradient has few zeros: behind a BatchNormalization, say.
//!
//! ```text
//! for every phase of the stride: dx there = a convolution of stride 1 of dout with the phase's taps, turned around
//! ```
//!
//! 1. Input pixels a stride apart are reached by the same taps: they are the outputs of a small convolution over dout,
//!    whose tiles and bands are the forward pass's. A stride of 1 has one phase, a stride of 2 has four.
//! 2. Sums run over oy, ox, o in order, as in [`conv2d_backward_input`](super::conv2d_backward_input): the same bits.

use std::ops::Range;

use super::forward::tile;
use crate::band::{self, band, band_rows};
use crate::gemm::{R, Tile, V};
use crate::lanes::{self, Kernel, Lanes};
use crate::{Window, parallel};

/// A phase along one axis: the taps `k` = `first`, `first + stride`, ... reach the inputs `start`, `start + stride`, ...
#[derive(Clone, Copy)]
struct Phase {
    first: usize,
    taps: usize,
    start: usize,
    inputs: usize,
    /// Outputs missing before the first one that the first input sees.
    border: usize,
}

impl Phase {
    /// None where the first outputs are never seen, which a border cannot say.
    fn new(first: usize, k: usize, stride: usize, size: usize, before: usize) -> Option<Self> {
        let taps = k.saturating_sub(first).div_ceil(stride);
        // Input `i` is at `i + before` of the bordered image; turn `t` of the phase is at `first + t stride`.
        let turn = before.saturating_sub(first).div_ceil(stride);
        let start = first + turn * stride - before;
        let inputs = size.saturating_sub(start).div_ceil(stride);
        let border = if taps == 0 { 0 } else { (taps - 1).checked_sub(turn)? };
        Some(Self { first, taps, start, inputs, border })
    }
}

/// The phases down and across, each pair a convolution of its own. A stride may be far longer than the image is.
fn phases(s: &Window) -> impl Iterator<Item = Option<(Phase, Phase)>> + use<> {
    let s = *s;
    (0..s.sh.min(s.top + s.h)).flat_map(move |py| {
        (0..s.sw.min(s.left + s.w)).map(move |px| {
            let down = Phase::new(py, s.kh, s.sh, s.h, s.top)?;
            Some((down, Phase::new(px, s.kw, s.sw, s.w, s.left)?))
        })
    })
}

/// The convolution over dout that gives a phase's inputs.
fn turned(s: &Window, (down, across): (Phase, Phase)) -> Window {
    Window {
        n: s.n,
        h: s.oh,
        w: s.ow,
        c: s.oc,
        oh: down.inputs,
        ow: across.inputs,
        oc: s.c,
        kh: down.taps,
        kw: across.taps,
        sh: 1,
        sw: 1,
        top: down.border,
        left: across.border,
    }
}

/// Whether [`conv2d_backward_input_dense`] computes the gradient of `s`: not where padding hides whole outputs.
pub fn backward_input_dense_applies(s: &Window) -> bool {
    phases(s).all(|phase| phase.is_some())
}

fn panel_len(s: &Window) -> usize {
    (s.taps() + 1) * V * lanes::width()
}

/// Floats in the packed weights.
pub fn packed_backward_dense_len(s: &Window) -> usize {
    let panels = s.c.div_ceil(V * lanes::width());
    phases(s).flatten().map(|phase| panels * panel_len(&turned(s, phase))).sum()
}

/// Packs kernel (kh, kw, c, oc) for [`conv2d_backward_input_dense`]: phase by phase as the forward pass packs.
pub fn pack_backward_dense(s: &Window, kernel: &[f32], packed: &mut [f32]) {
    let width = V * lanes::width();
    let mut rows = packed.chunks_exact_mut(width);
    for (down, across) in phases(s).flatten() {
        for first in (0..s.c).step_by(width) {
            let columns = (s.c - first).min(width);
            rows.by_ref().take(1).for_each(|start| start.fill(0.0));
            for ky in (down.first..s.kh).step_by(s.sh).rev() {
                for kx in (across.first..s.kw).step_by(s.sw).rev() {
                    let from = &kernel[((ky * s.kw + kx) * s.c + first) * s.oc..];
                    for (o, row) in rows.by_ref().take(s.oc).enumerate() {
                        if columns < width {
                            row[columns..].fill(0.0);
                        }
                        let column = from[o..].iter().step_by(s.oc);
                        row[..columns].iter_mut().zip(column).for_each(|(row, w)| *row = *w);
                    }
                }
            }
        }
    }
}

/// Floats of scratch.
pub fn scratch_len(s: &Window) -> usize {
    parallel::parts() * part_len(s)
}

fn part_len(s: &Window) -> usize {
    let band = |phase| {
        let s = turned(s, phase);
        band::scratch_len(&s, band_rows(&s), 0)
    };
    phases(s).flatten().map(band).max().unwrap_or(0)
}

/// dout (n, oh, ow, oc), packed weights -> dx (n, h, w, c), overwritten.
pub fn conv2d_backward_input_dense(
    s: &Window,
    dout: &[f32],
    packed: &[f32],
    dx: &mut [f32],
    scratch: &mut [f32],
) {
    debug_assert_eq!(dout.len(), s.n * s.output_len());
    debug_assert_eq!(packed.len(), packed_backward_dense_len(s));
    debug_assert_eq!(dx.len(), s.n * s.input_len());
    let rows = s.n * s.h;
    if rows * s.w * s.c == 0 {
        return;
    }
    let each = rows.div_ceil(parallel::parts());
    let mut scratch = scratch.chunks_mut(part_len(s).max(1));
    let parts = dx.chunks_mut(each * s.w * s.c).enumerate().map(|(part, dx)| BackwardInput {
        s,
        dout,
        packed,
        rows: part * each..(part * each + each).min(rows),
        dx,
        scratch: scratch.next().unwrap_or_default(),
    });
    parallel::for_each(parts, |part| lanes::dispatch(part));
}

/// The rows `rows` of the n x h input rows; `dx` begins at the first of them.
struct BackwardInput<'a> {
    s: &'a Window,
    dout: &'a [f32],
    packed: &'a [f32],
    rows: Range<usize>,
    dx: &'a mut [f32],
    scratch: &'a mut [f32],
}

impl Kernel for BackwardInput<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let s = self.s;
        let mut at = self.rows.start;
        let mut dx = self.dx;
        while at < self.rows.end {
            let (image, top) = (at / s.h, at % s.h);
            let bottom = (top + self.rows.end - at).min(s.h);
            let (here, rest) = dx.split_at_mut((bottom - top) * s.w * s.c);
            let dout = &self.dout[image * s.output_len()..][..s.output_len()];
            let mut packed = self.packed;
            for phase in phases(s).flatten() {
                let turned = turned(s, phase);
                let len = s.c.div_ceil(V * L::N) * panel_len(&turned);
                let (weights, others) = packed.split_at(len);
                image_part::<L>(s, &turned, phase, dout, weights, top..bottom, here, self.scratch);
                packed = others;
            }
            (dx, at) = (rest, at + bottom - top);
        }
    }
}

/// A phase's pixels in the image's rows `rows`; `dx` begins at the first of these.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn image_part<L: Lanes>(
    s: &Window,
    turned: &Window,
    (down, across): (Phase, Phase),
    dout: &[f32],
    packed: &[f32],
    rows: Range<usize>,
    dx: &mut [f32],
    scratch: &mut [f32],
) {
    // The phase's rows above `y`.
    let before = |y: usize| y.saturating_sub(down.start).div_ceil(s.sh).min(down.inputs);
    let place = |y: usize, x: usize| {
        let (y, x) = (down.start + y * s.sh - rows.start, across.start + x * s.sw);
        (y * s.w + x) * s.c
    };
    let (last, w) = (before(rows.end), across.inputs);
    if turned.taps() == 0 {
        for y in before(rows.start)..last {
            (0..w).for_each(|x| dx[place(y, x)..][..s.c].fill(0.0));
        }
        return;
    }
    let at_once = band_rows(turned);
    for top in (before(rows.start)..last).step_by(at_once) {
        let bottom = (top + at_once).min(last);
        let band = band(turned, dout, top..bottom, 0, scratch);
        let pixels = (bottom - top) * w;
        for (p, panel) in packed.chunks_exact(panel_len(turned)).enumerate() {
            let first = p * V * L::N;
            let width = (s.c - first).min(V * L::N);
            for pixel in (0..pixels).step_by(R) {
                // A tile that would go past the end goes back over pixels that are done.
                let from = pixel.min(pixels.saturating_sub(R));
                let at: [_; R] = std::array::from_fn(|r| {
                    let pixel = (from + r).min(pixels - 1);
                    (pixel / w, pixel % w)
                });
                let places = at.map(|(y, x)| y * band.row + x * turned.c);
                let tile: Tile<L, R> = tile(turned, band, panel, places);
                for ((y, x), row) in at.into_iter().zip(tile) {
                    let out = &mut dx[place(top + y, x) + first..][..width];
                    for (out, sums) in out.chunks_mut(L::N).zip(row) {
                        sums.store_part(out);
                    }
                }
            }
        }
    }
}
