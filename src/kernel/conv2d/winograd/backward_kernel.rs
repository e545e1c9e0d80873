//! The weights' gradient by Winograd's way: F(3 x 3, 4 x 4), or F(3 x 3, 2 x 2) on the smallest images.
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
use std::marker::PhantomData;

use super::{Four, Transform, Two, input, load, next, positions, tile, whole_tiles};
use crate::kernel::band::{self, Band, band};
use crate::kernel::conv2d::backward_bias;
use crate::kernel::gemm::{R, V};
use crate::kernel::lanes::{self, Kernel, Lanes};
use crate::kernel::{Window, parallel};

/// Tiles that are transformed at a time, about (bench `winograd backward_kernel`).
const TILES: usize = 32;

fn tiles(s: &Window, side: usize) -> usize {
    s.oh.div_ceil(side) * s.ow.div_ceil(side)
}

/// Images at a time.
fn images(s: &Window, side: usize) -> usize {
    (TILES / tiles(s, side).max(1)).max(parallel::parts()).clamp(1, s.n.max(1))
}

/// The output's gradient, over whole tiles.
fn gradients(s: &Window, side: usize) -> Window {
    let whole = whole_tiles(s, side);
    Window { h: s.oh, w: s.ow, c: s.oc, kh: 1, kw: 1, top: 0, left: 0, ..whole }
}

/// Floats of scratch for an image.
fn image_len(s: &Window, side: usize) -> usize {
    let (whole, gradients) = (whole_tiles(s, side), gradients(s, side));
    positions(side) * (tiles(s, side) * (s.c + s.oc) + s.c.max(s.oc))
        + band::scratch_len(&whole, whole.oh, 0)
        + band::scratch_len(&gradients, whole.oh, 0)
}

/// Floats of scratch.
pub fn scratch_len(s: &Window) -> usize {
    let side = tile(s);
    positions(side) * s.c * s.oc + images(s, side) * image_len(s, side)
}

/// As [`conv2d_backward_kernel`](crate::kernel::conv2d::conv2d_backward_kernel) of a gradient (n, oh, ow, oc).
pub fn conv2d_winograd_backward_kernel(
    s: &Window,
    x: &[f32],
    dout: &[f32],
    dkernel: &mut [f32],
    dbias: Option<&mut [f32]>,
    scratch: &mut [f32],
) {
    backward_bias(dout, dbias);
    match tile(s) {
        4 => backward::<Four, 6, 4>(s, x, dout, dkernel, scratch),
        _ => backward::<Two, 4, 2>(s, x, dout, dkernel, scratch),
    }
}

fn backward<T: Transform<IN, OUT> + Send, const IN: usize, const OUT: usize>(
    s: &Window,
    x: &[f32],
    dout: &[f32],
    dkernel: &mut [f32],
    scratch: &mut [f32],
) {
    let (sums, scratch) = scratch.split_at_mut(IN * IN * s.c * s.oc);
    let (images, image_len) = (images(s, OUT), image_len(s, OUT));
    sums.fill(0.0);
    let batches = x.chunks(images * s.input_len()).zip(dout.chunks(images * s.output_len()));
    for (x, dout) in batches {
        let pairs = x.chunks(s.input_len()).zip(dout.chunks(s.output_len()));
        let count = x.len() / s.input_len();
        let scratch = &mut scratch[..count * image_len];
        let parts = pairs.zip(scratch.chunks_mut(image_len)).map(|((x, dout), scratch)| {
            let transform = PhantomData;
            Transformed::<T, IN, OUT> { s, x, dout, scratch, transform }
        });
        parallel::for_each(parts, lanes::dispatch);
        let (scratch, tiles) = (&*scratch, tiles(s, OUT));
        let parts = sums.chunks_mut(s.c * s.oc).enumerate().map(|(position, sums)| {
            let first = IN * IN * tiles * s.c;
            let inputs = position * tiles * s.c;
            let gradients = first + position * tiles * s.oc;
            Products { s, tiles, images: scratch, image_len, inputs, gradients, sums }
        });
        parallel::for_each(parts, lanes::dispatch);
    }
    let transform = PhantomData;
    lanes::dispatch(Taps::<T, IN, OUT> { s, sums, dkernel, transform });
}

/// An image's inputs (position, tile, c), and behind them its gradients (position, tile, oc), transformed.
struct Transformed<'a, T, const IN: usize, const OUT: usize> {
    s: &'a Window,
    x: &'a [f32],
    dout: &'a [f32],
    scratch: &'a mut [f32],
    transform: PhantomData<T>,
}

impl<T: Transform<IN, OUT>, const IN: usize, const OUT: usize> Kernel
    for Transformed<'_, T, IN, OUT>
{
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (s, tiles, columns) = (self.s, tiles(self.s, OUT), self.s.ow.div_ceil(OUT));
        let (whole, outputs) = (whole_tiles(s, OUT), gradients(s, OUT));
        let (inputs, scratch) = self.scratch.split_at_mut(IN * IN * tiles * s.c);
        let (gradients, scratch) = scratch.split_at_mut(IN * IN * tiles * s.oc);
        let (between, scratch) = scratch.split_at_mut(IN * IN * s.c.max(s.oc));
        let (first, second) = scratch.split_at_mut(band::scratch_len(&whole, whole.oh, 0));
        let x = band(&whole, self.x, 0..whole.oh, 0, first);
        let dout = band(&outputs, self.dout, 0..whole.oh, 0, second);
        for t in 0..tiles {
            let (row, column) = (OUT * (t / columns), OUT * (t % columns));
            let from = row * x.row + column * s.c;
            let to = &mut inputs[t * s.c..];
            input::<L, T, IN, OUT>(s, x, from, between, tiles * s.c, to);
            let from = row * dout.row + column * s.oc;
            let to = &mut gradients[t * s.oc..];
            gradient::<L, T, IN, OUT>(s, dout, from, between, tiles * s.oc, to);
        }
    }
}

/// G e G' of the tile at `from` in the band, all channels: position p goes to `out[p stride ..]`.
#[inline(always)]
fn gradient<L: Lanes, T: Transform<IN, OUT>, const IN: usize, const OUT: usize>(
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
        gradient_lines::<L, T, IN, OUT>(s.oc, pixels, next(&mut columns, s.oc));
    }
    let mut out = out.chunks_mut(stride);
    for y in 0..IN {
        let row = from_fn(|x| &between[(x * IN + y) * s.oc..][..s.oc]);
        gradient_lines::<L, T, IN, OUT>(s.oc, row, next(&mut out, s.oc));
    }
}

/// G of each line that runs across `from`, to `to`.
#[inline(always)]
fn gradient_lines<L: Lanes, T: Transform<IN, OUT>, const IN: usize, const OUT: usize>(
    len: usize,
    from: [&[f32]; OUT],
    mut to: [&mut [f32]; IN],
) {
    for o in (0..len).step_by(L::N) {
        let line = T::gradient(load::<L, OUT>(&from, o));
        for (value, to) in line.iter().zip(&mut to) {
            value.store(&mut to[o..]);
        }
    }
}

/// At one position: sums (c, oc) += inputs (tiles, c)' x gradients (tiles, oc), image by image.
struct Products<'a> {
    s: &'a Window,
    tiles: usize,
    images: &'a [f32],
    image_len: usize,
    /// Where in an image's floats they begin.
    inputs: usize,
    gradients: usize,
    sums: &'a mut [f32],
}

impl Kernel for Products<'_> {
    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        let (c, oc) = (self.s.c, self.s.oc);
        for o in (0..oc).step_by(V * L::N) {
            for c in (0..c).step_by(R) {
                match o + V * L::N <= oc {
                    true => add::<L, V>(&mut self, c, o),
                    false => add::<L, 1>(&mut self, c, o),
                }
            }
        }
    }
}

/// The sums of `R` channels from `c` on and `VECTORS` vectors of output channels from `o` on.
#[inline(always)]
fn add<L: Lanes, const VECTORS: usize>(all: &mut Products, c: usize, o: usize) {
    let s = all.s;
    let mut tile = [[L::splat(0.0); VECTORS]; R];
    for (r, sums) in tile.iter_mut().enumerate() {
        let from = &all.sums[(c + r) * s.oc + o..][..VECTORS * L::N];
        for (v, sum) in sums.iter_mut().enumerate() {
            *sum = L::load(&from[v * L::N..]);
        }
    }
    for image in all.images.chunks_exact(all.image_len) {
        let inputs = image[all.inputs..][..all.tiles * s.c].chunks_exact(s.c);
        let gradients = image[all.gradients..][..all.tiles * s.oc].chunks_exact(s.oc);
        for (x, gradients) in inputs.zip(gradients) {
            let (x, gradients) = (&x[c..][..R], &gradients[o..][..VECTORS * L::N]);
            let mut vectors = [L::splat(0.0); VECTORS];
            for (v, vector) in vectors.iter_mut().enumerate() {
                *vector = L::load(&gradients[v * L::N..]);
            }
            for (x, sums) in x.iter().zip(&mut tile) {
                let x = L::splat(*x);
                for (sum, vector) in sums.iter_mut().zip(vectors) {
                    *sum = x.mul_add(vector, *sum);
                }
            }
        }
    }
    for (r, sums) in tile.iter().enumerate() {
        let to = &mut all.sums[(c + r) * s.oc + o..][..VECTORS * L::N];
        for (v, sum) in sums.iter().enumerate() {
            sum.store(&mut to[v * L::N..]);
        }
    }
}

/// dkernel = A' sums A.
struct Taps<'a, T, const IN: usize, const OUT: usize> {
    s: &'a Window,
    sums: &'a [f32],
    dkernel: &'a mut [f32],
    transform: PhantomData<T>,
}

impl<T: Transform<IN, OUT>, const IN: usize, const OUT: usize> Kernel for Taps<'_, T, IN, OUT> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let size = self.s.c * self.s.oc;
        for at in (0..size).step_by(L::N) {
            let mut columns = [[L::splat(0.0); 3]; IN];
            for (x, column) in columns.iter_mut().enumerate() {
                let sums: [&[f32]; IN] = from_fn(|y| &self.sums[(y * IN + x) * size..][..size]);
                *column = T::taps(load::<L, IN>(&sums, at));
            }
            for y in 0..3 {
                let mut row = [L::splat(0.0); IN];
                for (value, column) in row.iter_mut().zip(&columns) {
                    *value = column[y];
                }
                for (x, value) in T::taps(row).iter().enumerate() {
                    value.store(&mut self.dkernel[(y * 3 + x) * size + at..]);
                }
            }
        }
    }
}
