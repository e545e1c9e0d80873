//! The gradients of kernel and bias where the output's gradient has few zeros: behind a BatchNormalization, say.
//!
//! ```text
//! for every tile of 4 taps x 2 vectors of output channels: for all outputs: dkernel += x there (4) x dout (2 vectors)
//! ```
//!
//! 1. The tile is the matrix product's. Its taps are neighbours in a row of the patch, kw pixels of c channels, so that
//!    they are neighbours in the kernel too: sums stand in dkernel itself.
//! 2. A band of the image passes by all tiles before the next. Small images come several to a band: a tile that is
//!    loaded and stored for few outputs costs as much as their arithmetic. Where each output's first tap is stands in a
//!    list, so that one loop runs over all: the ends of short rows are hard to foresee.
//! 3. Each sum runs over images and places in order, whatever the band or the number of threads, which share out the
//!    taps: the bits are those of [`conv2d_backward_kernel`](super::conv2d_backward_kernel).

use std::ops::Range;

use super::backward_bias;
use crate::band::{self, band};
use crate::gemm::{R, Tile, V};
use crate::lanes::{self, Kernel, Lanes};
use crate::{Window, parallel};

/// Floats of a band, about (bench `conv2d_backward_kernel_dense`).
const BAND: usize = 8192;

/// Output rows, and images where these are all, that are worked on at a time.
fn at_once(s: &Window) -> (usize, usize) {
    let row = s.sh * s.w * s.c;
    let first = s.kh.saturating_sub(s.sh) * s.w * s.c;
    let rows = (BAND.saturating_sub(first) / row.max(1)).clamp(1, s.oh.max(1));
    let image = (rows * row + first).max(1);
    (rows, if rows == s.oh { (BAND / image).clamp(1, s.n.max(1)) } else { 1 })
}

/// Outputs of a band at most.
fn pixels(s: &Window) -> usize {
    let (rows, images) = at_once(s);
    images * rows * s.ow
}

fn part_len(s: &Window) -> usize {
    let (rows, images) = at_once(s);
    pixels(s) + images * band::scratch_len(s, rows, 0)
}

/// Floats of scratch.
pub fn scratch_len(s: &Window) -> usize {
    parallel::parts() * part_len(s)
}

/// x (n, h, w, c), dout (n, oh, ow, oc) -> dkernel (kh, kw, c, oc) and dbias (oc), overwritten.
pub fn conv2d_backward_kernel_dense(
    s: &Window,
    x: &[f32],
    dout: &[f32],
    dkernel: &mut [f32],
    dbias: Option<&mut [f32]>,
    scratch: &mut [f32],
) {
    debug_assert_eq!(x.len(), s.n * s.input_len());
    debug_assert_eq!(dout.len(), s.n * s.output_len());
    debug_assert_eq!(dkernel.len(), s.taps() * s.oc);
    backward_bias(dout, dbias);
    dkernel.fill(0.0);
    let each = s.taps().div_ceil(parallel::parts()).next_multiple_of(R);
    let mut scratch = scratch.chunks_mut(part_len(s).max(1));
    let parts = dkernel.chunks_mut(each * s.oc).enumerate().map(|(part, dkernel)| {
        let scratch = scratch.next().unwrap_or_default();
        BackwardKernel { s, x, dout, first: part * each, dkernel, scratch }
    });
    parallel::for_each(parts, |part| lanes::dispatch(part));
}

/// The taps from `first` on: as many as `dkernel` has rows.
struct BackwardKernel<'a> {
    s: &'a Window,
    x: &'a [f32],
    dout: &'a [f32],
    first: usize,
    dkernel: &'a mut [f32],
    scratch: &'a mut [f32],
}

/// A band of one image or of several.
#[derive(Clone, Copy)]
struct Outputs<'a> {
    x: &'a [f32],
    /// Floats from a row of `x` to the next.
    row: usize,
    /// Where in `x` each output's first tap is, as the bits of a float.
    places: &'a [f32],
    dout: &'a [f32],
}

impl Kernel for BackwardKernel<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let s = self.s;
        let (at_once, images) = at_once(s);
        let taps = self.first..self.first + self.dkernel.len() / s.oc;
        let (places, scratch) = self.scratch.split_at_mut(pixels(s));
        for image in (0..s.n).step_by(images) {
            let count = images.min(s.n - image);
            let x = &self.x[image * s.input_len()..][..count * s.input_len()];
            for top in (0..s.oh).step_by(at_once) {
                let rows = top..(top + at_once).min(s.oh);
                let (x, row, next) = bands(s, x, rows.clone(), scratch);
                let places = &mut places[..count * rows.len() * s.ow];
                for (pixel, to) in places.iter_mut().enumerate() {
                    let (line, at) = (pixel / s.ow, pixel % s.ow);
                    let (image, y) = (line / rows.len(), line % rows.len());
                    let place = image * next + y * s.sh * row + at * s.sw * s.c;
                    *to = f32::from_bits(place as u32);
                }
                let dout = &self.dout[(image * s.oh + top) * s.ow * s.oc..];
                let outputs = Outputs { x, row, places, dout };
                add_all::<L>(s, outputs, taps.clone(), self.dkernel);
            }
        }
    }
}

/// The output rows `rows` of all images in `x`: the bands, and the floats to the next row and to the next image.
fn bands<'a>(
    s: &Window,
    x: &'a [f32],
    rows: Range<usize>,
    scratch: &'a mut [f32],
) -> (&'a [f32], usize, usize) {
    let bordered = band::scratch_len(s, rows.len(), 0);
    if bordered == 0 {
        let band = band(s, x, rows, 0, scratch);
        return (band.values, band.row, s.input_len());
    }
    let mut row = 0;
    for (x, out) in x.chunks_exact(s.input_len()).zip(scratch.chunks_exact_mut(bordered)) {
        row = band(s, x, rows.clone(), 0, out).row;
    }
    (scratch, row, bordered)
}

/// Adds the band's share to all tiles of the taps `taps`.
#[inline(always)]
fn add_all<L: Lanes>(s: &Window, outputs: Outputs, taps: Range<usize>, dkernel: &mut [f32]) {
    let run = s.kw * s.c;
    for column in (0..s.oc).step_by(V * L::N) {
        let columns = column..(column + V * L::N).min(s.oc);
        let mut tap = taps.start;
        while tap < taps.end {
            let out = &mut dkernel[(tap - taps.start) * s.oc..];
            // Taps left in this row of the patch.
            let left = (run - tap % run).min(taps.end - tap);
            let at = tap / run * outputs.row + tap % run;
            let whole = columns.len() == V * L::N;
            match left >= R {
                true if whole => add::<L, R, true>(s, outputs, at, columns.clone(), out),
                true => add::<L, R, false>(s, outputs, at, columns.clone(), out),
                false => add::<L, 1, false>(s, outputs, at, columns.clone(), out),
            }
            tap += if left >= R { R } else { 1 };
        }
    }
}

/// `ROWS` taps, the first of them `at` past each output's place, in `columns`: `WHOLE` vectors of them, or fewer.
#[inline(always)]
fn add<L: Lanes, const ROWS: usize, const WHOLE: bool>(
    s: &Window,
    outputs: Outputs,
    at: usize,
    columns: Range<usize>,
    dkernel: &mut [f32],
) {
    let mut sums: Tile<L, ROWS> = [[L::splat(0.0); V]; ROWS];
    for (r, sums) in sums.iter_mut().enumerate() {
        let from = dkernel[r * s.oc..][columns.clone()].chunks(L::N);
        sums.iter_mut().zip(from).for_each(|(sums, from)| *sums = L::load_part(from));
    }
    let x = &outputs.x[at..];
    for (place, dout) in outputs.places.iter().zip(outputs.dout.chunks_exact(s.oc)) {
        let dout = &dout[columns.clone()];
        let dout: [L; V] = std::array::from_fn(|v| match WHOLE {
            true => L::load(&dout[v * L::N..]),
            false => L::load_part(&dout[(v * L::N).min(dout.len())..]),
        });
        let x = &x[place.to_bits() as usize..][..ROWS];
        for (x, sums) in x.iter().zip(&mut sums) {
            let x = L::splat(*x);
            sums.iter_mut().zip(dout).for_each(|(sum, dout)| *sum = x.mul_add(dout, *sum));
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        let to = dkernel[r * s.oc..][columns.clone()].chunks_mut(L::N);
        sums.iter().zip(to).for_each(|(sums, to)| sums.store_part(to));
    }
}
