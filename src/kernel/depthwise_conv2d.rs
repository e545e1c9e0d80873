//! Depthwise convolution: each channel with a window of its own; `c == oc`.
//!
//! ```text
//! out[y][x][c] = clamp(bias[c] + sum over ky, kx of x[y sh + ky - top][x sw + kx - left][c] kernel[ky][kx][c])
//! ```
//!
//! Vectors run across channels, so the kernel is read as it is stored. Four pixels of a row share the loads of their
//! weights; borders are copied in as for the other convolution, so that no tap asks whether it is on the image.

use std::ops::Range;

use super::band::{self, Band, band, band_rows};
use super::lanes::{self, Kernel, Lanes};
use super::{Clamp, Window, parallel};

/// Floats of scratch that any function here needs for `s`.
pub fn scratch_len(s: &Window) -> usize {
    parallel::parts() * part_len(s)
}

fn part_len(s: &Window) -> usize {
    band::scratch_len(s, band_rows(s), 0).max(1)
}

/// x (n, h, w, c), kernel (kh, kw, c, 1), bias (c) -> out (n, oh, ow, c).
pub fn depthwise_conv2d_forward(
    s: &Window,
    x: &[f32],
    kernel: &[f32],
    bias: Option<&[f32]>,
    clamp: Clamp,
    out: &mut [f32],
    scratch: &mut [f32],
) {
    debug_assert_eq!(x.len(), s.n * s.input_len());
    debug_assert_eq!(kernel.len(), s.taps());
    debug_assert_eq!(out.len(), s.n * s.output_len());
    let rows = s.n * s.oh;
    let each = rows.div_ceil(parallel::parts()).max(1);
    let parts = out.chunks_mut(each * s.ow * s.c).zip(scratch.chunks_mut(part_len(s))).enumerate();
    let parts = parts.map(|(part, (out, scratch))| {
        let rows = part * each..(part * each + each).min(rows);
        Forward { s, x, kernel, bias, clamp, rows, out, scratch }
    });
    parallel::for_each(parts, |part| lanes::dispatch(part));
}

/// dout (n, oh, ow, c), kernel (kh, kw, c, 1) -> dx (n, h, w, c), overwritten.
pub fn depthwise_conv2d_backward_input(
    s: &Window,
    dout: &[f32],
    kernel: &[f32],
    dx: &mut [f32],
    _scratch: &mut [f32],
) {
    debug_assert_eq!(dout.len(), s.n * s.output_len());
    debug_assert_eq!(dx.len(), s.n * s.input_len());
    let rows = dx.chunks_mut((s.w * s.c).max(1)).enumerate();
    parallel::for_each(rows, |(row, dx)| {
        lanes::dispatch(BackwardInput { s, dout, kernel, row, dx })
    });
}

/// x (n, h, w, c), dout (n, oh, ow, c) -> dkernel (kh, kw, c, 1) and dbias (c), overwritten.
pub fn depthwise_conv2d_backward_kernel(
    s: &Window,
    x: &[f32],
    dout: &[f32],
    dkernel: &mut [f32],
    dbias: Option<&mut [f32]>,
    scratch: &mut [f32],
) {
    debug_assert_eq!(x.len(), s.n * s.input_len());
    debug_assert_eq!(dout.len(), s.n * s.output_len());
    dkernel.fill(0.0);
    lanes::dispatch(BackwardKernel { s, x, dout, dkernel, scratch });
    if let Some(dbias) = dbias {
        dbias.fill(0.0);
        for dout in dout.chunks_exact(s.c) {
            dbias.iter_mut().zip(dout).for_each(|(dbias, dout)| *dbias += dout);
        }
    }
}

/// The rows `rows` of the n x oh; `out` begins at the first of them.
struct Forward<'a> {
    s: &'a Window,
    x: &'a [f32],
    kernel: &'a [f32],
    bias: Option<&'a [f32]>,
    clamp: Clamp,
    rows: Range<usize>,
    out: &'a mut [f32],
    scratch: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        let s = self.s;
        let scratch = std::mem::take(&mut self.scratch);
        let (mut y, mut at) = (self.rows.start, 0);
        while y < self.rows.end {
            let image = y / s.oh;
            let end = (y + band_rows(s)).min(self.rows.end).min((image + 1) * s.oh);
            let x = &self.x[image * s.input_len()..][..s.input_len()];
            let band = band(s, x, y - image * s.oh..end - image * s.oh, 0, scratch);
            for row in 0..end - y {
                self.row::<L>(band, row * s.sh * band.row, at + row * s.ow * s.c);
            }
            (at, y) = (at + (end - y) * s.ow * s.c, end);
        }
    }
}

impl Forward<'_> {
    /// One row: from `from` in the band to `to` in the output.
    #[inline(always)]
    fn row<L: Lanes>(&mut self, band: Band, from: usize, to: usize) {
        let s = self.s;
        for c in (0..s.c).step_by(L::N) {
            let mut x = 0;
            while x < s.ow {
                let (from, to) = (from + x * s.sw * s.c + c, to + x * s.c + c);
                x += if x + 4 <= s.ow {
                    self.pixels::<L, 4>(band, from, to, c)
                } else {
                    self.pixels::<L, 1>(band, from, to, c)
                };
            }
        }
    }

    /// A vector of channels of `P` pixels. Returns `P`.
    #[inline(always)]
    fn pixels<L: Lanes, const P: usize>(
        &mut self,
        band: Band,
        from: usize,
        to: usize,
        c: usize,
    ) -> usize {
        let s = self.s;
        let width = (s.c - c).min(L::N);
        let bias = self.bias.map_or(L::splat(0.0), |bias| L::load_part(&bias[c..][..width]));
        let mut sums = [bias; P];
        let mut weights = self.kernel[c..].chunks(s.c);
        for ky in 0..s.kh {
            for (kx, weights) in weights.by_ref().take(s.kw).enumerate() {
                let weights = L::load_part(&weights[..width]);
                let x = &band.values[from + ky * band.row + kx * s.c..];
                for (p, sums) in sums.iter_mut().enumerate() {
                    let x = L::load_part(&x[p * s.sw * s.c..][..width]);
                    *sums = x.mul_add(weights, *sums);
                }
            }
        }
        for (p, sums) in sums.iter().enumerate() {
            sums.clamp(self.clamp).store_part(&mut self.out[to + p * s.c..][..width]);
        }
        P
    }
}

/// One row of the n x h input rows.
struct BackwardInput<'a> {
    s: &'a Window,
    dout: &'a [f32],
    kernel: &'a [f32],
    row: usize,
    dx: &'a mut [f32],
}

impl Kernel for BackwardInput<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let s = self.s;
        let (image, by) = (self.row / s.h, self.row % s.h + s.top);
        let rows = s.reached_rows(by);
        for (ix, dx) in self.dx.chunks_exact_mut(s.c).enumerate() {
            let bx = ix + s.left;
            let columns = s.reached_columns(bx);
            for (i, dx) in dx.chunks_mut(L::N).enumerate() {
                let mut sum = L::splat(0.0);
                for oy in rows.clone() {
                    for ox in columns.clone() {
                        let tap = (by - oy * s.sh) * s.kw + bx - ox * s.sw;
                        let weights = &self.kernel[tap * s.c + i * L::N..][..dx.len()];
                        let pixel = (image * s.oh + oy) * s.ow + ox;
                        let dout = &self.dout[pixel * s.c + i * L::N..][..dx.len()];
                        sum = L::load_part(dout).mul_add(L::load_part(weights), sum);
                    }
                }
                sum.store_part(dx);
            }
        }
    }
}

struct BackwardKernel<'a> {
    s: &'a Window,
    x: &'a [f32],
    dout: &'a [f32],
    dkernel: &'a mut [f32],
    scratch: &'a mut [f32],
}

impl Kernel for BackwardKernel<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let s = self.s;
        for image in 0..s.n {
            let x = &self.x[image * s.input_len()..][..s.input_len()];
            for y in (0..s.oh).step_by(band_rows(s)) {
                let end = (y + band_rows(s)).min(s.oh);
                let band = band(s, x, y..end, 0, self.scratch);
                let first = (image * s.oh + y) * s.ow * s.c;
                let dout = &self.dout[first..][..(end - y) * s.ow * s.c];
                for (tap, dkernel) in self.dkernel.chunks_exact_mut(s.c).enumerate() {
                    let from = tap / s.kw * band.row + tap % s.kw * s.c;
                    let mut c = 0;
                    while c < s.c {
                        c += L::N
                            * match (s.c - c) / L::N {
                                0 | 1 => add_tap::<L, 1>(s, band, from, dout, c, dkernel),
                                2 | 3 => add_tap::<L, 2>(s, band, from, dout, c, dkernel),
                                _ => add_tap::<L, 4>(s, band, from, dout, c, dkernel),
                            };
                    }
                }
            }
        }
    }
}

/// `B` vectors of channels of one tap, over all pixels of `dout`. Returns `B`.
#[inline(always)]
fn add_tap<L: Lanes, const B: usize>(
    s: &Window,
    band: Band,
    from: usize,
    dout: &[f32],
    c: usize,
    dkernel: &mut [f32],
) -> usize {
    let width = (s.c - c).min(B * L::N);
    let part = |x: &[f32], v: usize| L::load_part(&x[v * L::N..width.min(v * L::N + L::N)]);
    let mut sums: [L; B] = std::array::from_fn(|v| part(&dkernel[c..], v));
    for (y, dout) in dout.chunks_exact(s.ow * s.c).enumerate() {
        let x = &band.values[from + y * s.sh * band.row..];
        for (ox, dout) in dout.chunks_exact(s.c).enumerate() {
            let x = &x[ox * s.sw * s.c + c..];
            for (v, sums) in sums.iter_mut().enumerate() {
                *sums = part(x, v).mul_add(part(&dout[c..], v), *sums);
            }
        }
    }
    for (out, sums) in dkernel[c..c + width].chunks_mut(L::N).zip(sums) {
        sums.store_part(out);
    }
    B
}
