//! The weights' gradient by Winograd's way: F(3 x 3, 4 x 4).
//!
//! ```text
//! for every tile, d its 6 x 6 inputs and e the gradients of its 4 x 4 outputs:
//!     dkernel += A' ((G e G') * (B' d B)) A      * element by element, for each pair of channels
//! ```
//!
//! 1. The sum over tiles goes inside: at each position it is a matrix product, channels x tiles x output channels, and A
//!    is applied once, at the end.
//! 2. Some images are transformed at a time, each by itself; then each position is multiplied by itself. Both are shared
//!    out over threads, and a sum runs over the tiles in order.

use std::array::from_fn;

use super::transform::{gradient, taps};
use super::{Four, input, load, next, store, whole_tiles};
use crate::band::{self, Band, band};
use crate::conv2d::backward_bias;
use crate::gemm::{R, V};
use crate::lanes::{self, Kernel, Lanes};
use crate::{Window, parallel};

/// Tiles that are transformed at a time, about (bench `winograd backward_kernel`).
const TILES: usize = 32;

/// Outputs and inputs of a tile's row.
const OUT: usize = 4;
const IN: usize = 6;

fn tiles(s: &Window) -> usize {
    s.oh.div_ceil(OUT) * s.ow.div_ceil(OUT)
}

/// Images at a time.
fn images(s: &Window) -> usize {
    (TILES / tiles(s).max(1)).max(parallel::parts()).clamp(1, s.n.max(1))
}

/// The output's gradient, over whole tiles.
fn gradients(s: &Window) -> Window {
    let whole = whole_tiles(s, OUT);
    Window { h: s.oh, w: s.ow, c: s.oc, kh: 1, kw: 1, top: 0, left: 0, ..whole }
}

/// Floats of scratch for an image.
fn image_len(s: &Window) -> usize {
    let (whole, gradients) = (whole_tiles(s, OUT), gradients(s));
    IN * IN * (tiles(s) * (s.c + s.oc) + s.c.max(s.oc))
        + band::scratch_len(&whole, whole.oh, 0)
        + band::scratch_len(&gradients, whole.oh, 0)
}

/// Floats of scratch.
pub fn scratch_len(s: &Window) -> usize {
    IN * IN * s.c * s.oc + images(s) * image_len(s)
}

/// As [`conv2d_backward_kernel`](crate::conv2d::conv2d_backward_kernel) of a gradient (n, oh, ow, oc).
pub fn conv2d_winograd_backward_kernel(
    s: &Window,
    x: &[f32],
    dout: &[f32],
    dkernel: &mut [f32],
    dbias: Option<&mut [f32]>,
    scratch: &mut [f32],
) {
    backward_bias(dout, dbias);
    let (sums, scratch) = scratch.split_at_mut(IN * IN * s.c * s.oc);
    let (images, image_len) = (images(s), image_len(s));
    sums.fill(0.0);
    let batches = x.chunks(images * s.input_len()).zip(dout.chunks(images * s.output_len()));
    for (x, dout) in batches {
        let count = x.len() / s.input_len();
        let scratch = &mut scratch[..count * image_len];
        let each = count.div_ceil(parallel::parts());
        let pairs = x.chunks(each * s.input_len()).zip(dout.chunks(each * s.output_len()));
        let parts = pairs.zip(scratch.chunks_mut(each * image_len));
        let parts = parts.map(|((x, dout), scratch)| Transformed { s, x, dout, scratch });
        parallel::for_each(parts, lanes::dispatch);
        let images = &*scratch;
        let each = (IN * IN).div_ceil(parallel::parts());
        let parts = sums.chunks_mut(each * s.c * s.oc).enumerate();
        let parts = parts.map(|(part, sums)| Products { s, images, first: part * each, sums });
        parallel::for_each(parts, lanes::dispatch);
    }
    lanes::dispatch(Taps { s, sums, dkernel });
}

/// Each image's inputs (position, tile, c), and behind them its gradients (position, tile, oc), transformed.
struct Transformed<'a> {
    s: &'a Window,
    x: &'a [f32],
    dout: &'a [f32],
    scratch: &'a mut [f32],
}

impl Kernel for Transformed<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (s, tiles, columns) = (self.s, tiles(self.s), self.s.ow.div_ceil(OUT));
        let (whole, outputs) = (whole_tiles(s, OUT), gradients(s));
        let images = self.x.chunks(s.input_len()).zip(self.dout.chunks(s.output_len()));
        for ((x, dout), scratch) in images.zip(self.scratch.chunks_mut(image_len(s))) {
            let (inputs, scratch) = scratch.split_at_mut(IN * IN * tiles * s.c);
            let (gradients, scratch) = scratch.split_at_mut(IN * IN * tiles * s.oc);
            let (between, scratch) = scratch.split_at_mut(IN * IN * s.c.max(s.oc));
            let (first, second) = scratch.split_at_mut(band::scratch_len(&whole, whole.oh, 0));
            let x = band(&whole, x, 0..whole.oh, 0, first);
            let dout = band(&outputs, dout, 0..whole.oh, 0, second);
            for t in 0..tiles {
                let (row, column) = (OUT * (t / columns), OUT * (t % columns));
                let from = row * x.row + column * s.c;
                let to = &mut inputs[t * s.c..];
                input::<L, Four, IN, OUT>(s, x, from, between, tiles * s.c, to);
                let from = row * dout.row + column * s.oc;
                let to = &mut gradients[t * s.oc..];
                transform_gradient::<L>(s, dout, from, between, tiles * s.oc, to);
            }
        }
    }
}

/// G e G' of the tile at `from` in the band, all channels: position p goes to `out[p stride ..]`.
#[inline(always)]
fn transform_gradient<L: Lanes>(
    s: &Window,
    band: Band,
    from: usize,
    between: &mut [f32],
    stride: usize,
    out: &mut [f32],
) {
    let mut columns = between.chunks_exact_mut(s.oc);
    for x in 0..OUT {
        let pixels = from_fn(|y| &band.values[from + y * band.row + x * s.oc..][..s.oc]);
        let mut column = next(&mut columns, s.oc);
        for o in (0..s.oc).step_by(L::N) {
            store(gradient(load::<L, OUT>(&pixels, o)), &mut column, o);
        }
    }
    let mut out = out.chunks_mut(stride);
    for y in 0..IN {
        let row = from_fn(|x| &between[(x * IN + y) * s.oc..][..s.oc]);
        let mut out = next(&mut out, s.oc);
        for o in (0..s.oc).step_by(L::N) {
            store(gradient(load::<L, OUT>(&row, o)), &mut out, o);
        }
    }
}

/// At the positions from `first` on: sums (c, oc) += inputs (tiles, c)' x gradients (tiles, oc), image by image.
struct Products<'a> {
    s: &'a Window,
    images: &'a [f32],
    first: usize,
    sums: &'a mut [f32],
}

impl Kernel for Products<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Products { s, images, first, sums } = self;
        for (position, sums) in (first..).zip(sums.chunks_exact_mut(s.c * s.oc)) {
            for o in (0..s.oc).step_by(V * L::N) {
                for c in (0..s.c).step_by(R) {
                    match o + V * L::N <= s.oc {
                        true => add::<L, V>(s, images, position, (c, o), sums),
                        false => add::<L, 1>(s, images, position, (c, o), sums),
                    }
                }
            }
        }
    }
}

/// The sums of `R` channels from `c` on and `VECTORS` vectors of output channels from `o` on.
#[inline(always)]
fn add<L: Lanes, const VECTORS: usize>(
    s: &Window,
    images: &[f32],
    position: usize,
    (c, o): (usize, usize),
    sums: &mut [f32],
) {
    let mut tile = [[L::splat(0.0); VECTORS]; R];
    for (r, row) in tile.iter_mut().enumerate() {
        let from = &sums[(c + r) * s.oc + o..][..VECTORS * L::N];
        for (v, sum) in row.iter_mut().enumerate() {
            *sum = L::load(&from[v * L::N..]);
        }
    }
    let (inputs, gradients) = (tiles(s) * s.c, tiles(s) * s.oc);
    for image in images.chunks_exact(image_len(s)) {
        let (all_inputs, all_gradients) = image.split_at(IN * IN * inputs);
        let inputs = all_inputs[position * inputs..][..inputs].chunks_exact(s.c);
        let gradients = all_gradients[position * gradients..][..gradients].chunks_exact(s.oc);
        for (x, gradients) in inputs.zip(gradients) {
            let (x, gradients) = (&x[c..][..R], &gradients[o..][..VECTORS * L::N]);
            let mut vectors = [L::splat(0.0); VECTORS];
            for (v, vector) in vectors.iter_mut().enumerate() {
                *vector = L::load(&gradients[v * L::N..]);
            }
            for (x, row) in x.iter().zip(&mut tile) {
                let x = L::splat(*x);
                for (sum, vector) in row.iter_mut().zip(vectors) {
                    *sum = x.mul_add(vector, *sum);
                }
            }
        }
    }
    for (r, row) in tile.iter().enumerate() {
        let to = &mut sums[(c + r) * s.oc + o..][..VECTORS * L::N];
        for (v, sum) in row.iter().enumerate() {
            sum.store(&mut to[v * L::N..]);
        }
    }
}

/// dkernel = A' sums A.
struct Taps<'a> {
    s: &'a Window,
    sums: &'a [f32],
    dkernel: &'a mut [f32],
}

impl Kernel for Taps<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let size = self.s.c * self.s.oc;
        for at in (0..size).step_by(L::N) {
            let mut columns = [[L::splat(0.0); 3]; IN];
            for (x, column) in columns.iter_mut().enumerate() {
                let sums: [&[f32]; IN] = from_fn(|y| &self.sums[(y * IN + x) * size..][..size]);
                *column = taps(load::<L, IN>(&sums, at));
            }
            for y in 0..3 {
                let mut row = [L::splat(0.0); IN];
                for (value, column) in row.iter_mut().zip(&columns) {
                    *value = column[y];
                }
                for (x, value) in taps(row).iter().enumerate() {
                    value.store(&mut self.dkernel[(y * 3 + x) * size + at..]);
                }
            }
        }
    }
}
