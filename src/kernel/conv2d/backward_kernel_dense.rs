//! The gradients of kernel and bias where the output's gradient has few zeros: behind a BatchNormalization, say.
//!
//! ```text
//! for every tile of 4 taps x 2 vectors of output channels: for all outputs: dkernel += x there (4) x dout (2 vectors)
//! ```
//!
//! 1. The tile is the matrix product's. Its taps are neighbours in a row of the patch, kw pixels of c channels, so that
//!    they are neighbours in the kernel too: sums stand in dkernel itself.
//! 2. A band of the image passes by all tiles before the next. Small images come several to a band: a tile that is
//!    loaded and stored for few outputs costs as much as their arithmetic.
//! 3. Each sum runs over images and places in order, whatever the band or the number of threads, which share out the
//!    taps: the bits are those of [`conv2d_backward_kernel`](super::conv2d_backward_kernel).

use std::ops::Range;

use crate::kernel::band::{self, band};
use crate::kernel::gemm::{R, Tile, V};
use crate::kernel::lanes::{self, Kernel, Lanes};
use crate::kernel::{Window, parallel};

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

fn part_len(s: &Window) -> usize {
    let (rows, images) = at_once(s);
    images * band::scratch_len(s, rows, 0)
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
    if let Some(dbias) = dbias {
        dbias.fill(0.0);
        for dout in dout.chunks_exact(s.oc) {
            dbias.iter_mut().zip(dout).for_each(|(sum, dout)| *sum += dout);
        }
    }
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

/// A band, of one image or of several: `lines` output rows, `rows` of each image.
#[derive(Clone, Copy)]
struct Lines<'a> {
    x: &'a [f32],
    /// Floats from an image to the next, and from a row to the next.
    image: usize,
    row: usize,
    rows: usize,
    lines: usize,
    dout: &'a [f32],
}

impl Kernel for BackwardKernel<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let s = self.s;
        let (rows, images) = at_once(s);
        let taps = self.first..self.first + self.dkernel.len() / s.oc;
        let bordered = part_len(s) / images;
        for image in (0..s.n).step_by(images) {
            let count = images.min(s.n - image);
            let x = &self.x[image * s.input_len()..][..count * s.input_len()];
            for top in (0..s.oh).step_by(rows) {
                let bottom = (top + rows).min(s.oh);
                let dout = &self.dout[(image * s.oh + top) * s.ow * s.oc..];
                let rows = bottom - top;
                let lines = count * rows;
                let lines = if bordered == 0 {
                    let band = band(s, x, top..bottom, 0, &mut []);
                    let (image, row) = (s.input_len(), band.row);
                    Lines { x: band.values, image, row, rows, lines, dout }
                } else {
                    let scratch = &mut self.scratch[..count * bordered];
                    let mut row = 0;
                    for (i, out) in scratch.chunks_exact_mut(bordered).enumerate() {
                        let x = &x[i * s.input_len()..][..s.input_len()];
                        row = band(s, x, top..bottom, 0, out).row;
                    }
                    Lines { x: scratch, image: bordered, row, rows, lines, dout }
                };
                lines_of::<L>(s, lines, taps.clone(), self.dkernel);
            }
        }
    }
}

/// Adds the band's share to all tiles of the taps `taps`.
#[inline(always)]
fn lines_of<L: Lanes>(s: &Window, lines: Lines, taps: Range<usize>, dkernel: &mut [f32]) {
    let run = s.kw * s.c;
    for column in (0..s.oc).step_by(V * L::N) {
        let columns = column..(column + V * L::N).min(s.oc);
        let mut tap = taps.start;
        while tap < taps.end {
            let out = &mut dkernel[(tap - taps.start) * s.oc..];
            // Taps left in this row of the patch.
            let left = (run - tap % run).min(taps.end - tap);
            let at = tap / run * lines.row + tap % run;
            if left >= R {
                update::<L, R>(s, lines, at, columns.clone(), out);
                tap += R;
            } else {
                update::<L, 1>(s, lines, at, columns.clone(), out);
                tap += 1;
            }
        }
    }
}

/// `ROWS` taps, the first of them `at` past each output's place, in `columns`.
#[inline(always)]
fn update<L: Lanes, const ROWS: usize>(
    s: &Window,
    lines: Lines,
    at: usize,
    columns: Range<usize>,
    dkernel: &mut [f32],
) {
    let mut sums: Tile<L, ROWS> = [[L::splat(0.0); V]; ROWS];
    for (r, sums) in sums.iter_mut().enumerate() {
        let from = dkernel[r * s.oc..][columns.clone()].chunks(L::N);
        sums.iter_mut().zip(from).for_each(|(sums, from)| *sums = L::load_part(from));
    }
    let whole = columns.len() == V * L::N;
    for line in 0..lines.lines {
        let place = line / lines.rows * lines.image + line % lines.rows * s.sh * lines.row + at;
        let dout = lines.dout[line * s.ow * s.oc..][..s.ow * s.oc].chunks_exact(s.oc);
        for (x, dout) in dout.enumerate() {
            let x = &lines.x[place + x * s.sw * s.c..][..ROWS];
            let dout = &dout[columns.clone()];
            let dout: [L; V] = std::array::from_fn(|v| {
                if whole { L::load(&dout[v * L::N..]) } else { part(dout, v * L::N) }
            });
            for (x, sums) in x.iter().zip(&mut sums) {
                let x = L::splat(*x);
                sums.iter_mut().zip(dout).for_each(|(sum, dout)| *sum = x.mul_add(dout, *sum));
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        let to = dkernel[r * s.oc..][columns.clone()].chunks_mut(L::N);
        sums.iter().zip(to).for_each(|(sums, to)| sums.store_part(to));
    }
}

/// What is there of the vector at `from`.
#[inline(always)]
fn part<L: Lanes>(values: &[f32], from: usize) -> L {
    L::load_part(&values[from.min(values.len())..])
}
