//! Pooling. `s.c == s.oc`; a window has at most 255 taps and at least one of them on the image.
//!
//! Vectors run across channels. The part of a window that lies on the image is a rectangle: its bounds are found once
//! for all channels.

use std::ops::Range;

use super::lanes::{self, Kernel, Lanes};
use super::{Window, parallel};

/// x (n, h, w, c) -> out (n, oh, ow, c) and, if wanted, in `indices` the window position (row-major) of each first
/// maximum. The padding never wins.
pub fn max_pool_forward(s: &Window, x: &[f32], out: &mut [f32], indices: Option<&mut [u8]>) {
    debug_assert_eq!(x.len(), s.n * s.input_len());
    debug_assert_eq!(out.len(), s.n * s.output_len());
    let len = s.output_len().max(1);
    let mut indices = indices.map(|indices| indices.chunks_mut(len));
    let images = x.chunks_exact(s.input_len()).zip(out.chunks_mut(len)).map(|(x, out)| MaxPool {
        s,
        x,
        out,
        indices: indices.as_mut().and_then(|indices| indices.next()),
    });
    parallel::for_each(images, |part| lanes::dispatch(part));
}

/// dout (n, oh, ow, c), indices of the forward pass -> dx (n, h, w, c), overwritten.
pub fn max_pool_backward(s: &Window, dout: &[f32], indices: &[u8], dx: &mut [f32]) {
    debug_assert_eq!(dx.len(), s.n * s.input_len());
    debug_assert_eq!(indices.len(), dout.len());
    let len = s.output_len().max(1);
    // How far each position of the window lies behind its first, in floats.
    let behind: [usize; 256] = std::array::from_fn(|p| (p / s.kw * s.w + p % s.kw) * s.c);
    let images = dx.chunks_mut(s.input_len().max(1)).zip(dout.chunks(len).zip(indices.chunks(len)));
    parallel::for_each(images, |(dx, (dout, indices))| {
        dx.fill(0.0);
        for (i, at) in outputs(s).enumerate() {
            // Of a first tap on the padding the place is below zero, the sum with `behind` is not.
            let first = ((at.0 * s.sh * s.w + at.1 * s.sw) * s.c)
                .wrapping_sub((s.top * s.w + s.left) * s.c);
            let pixel = i * s.c..(i + 1) * s.c;
            for (c, (&dout, &index)) in dout[pixel.clone()].iter().zip(&indices[pixel]).enumerate()
            {
                dx[first.wrapping_add(behind[usize::from(index)]) + c] += dout;
            }
        }
    });
}

/// x (n, h, w, c) -> out (n, oh, ow, c): the mean over the part of the window that lies on the image.
pub fn average_pool_forward(s: &Window, x: &[f32], out: &mut [f32]) {
    debug_assert_eq!(x.len(), s.n * s.input_len());
    debug_assert_eq!(out.len(), s.n * s.output_len());
    let images = x.chunks_exact(s.input_len()).zip(out.chunks_mut(s.output_len().max(1)));
    let images = images.map(|(x, out)| AveragePool { s, x, out });
    parallel::for_each(images, |part| lanes::dispatch(part));
}

/// dout (n, oh, ow, c) -> dx (n, h, w, c), overwritten.
pub fn average_pool_backward(s: &Window, dout: &[f32], dx: &mut [f32]) {
    debug_assert_eq!(dout.len(), s.n * s.output_len());
    debug_assert_eq!(dx.len(), s.n * s.input_len());
    let images = dx.chunks_mut(s.input_len().max(1)).zip(dout.chunks(s.output_len().max(1)));
    parallel::for_each(images, |(dx, dout)| {
        dx.fill(0.0);
        for (at, dout) in outputs(s).zip(dout.chunks_exact(s.c)) {
            let (rows, columns) = inside(s, at);
            let count = (rows.len() * columns.len()) as f32;
            for y in rows {
                for dx in dx[(y * s.w + columns.start) * s.c..][..columns.len() * s.c]
                    .chunks_exact_mut(s.c)
                {
                    dx.iter_mut().zip(dout).for_each(|(dx, dout)| *dx += dout / count);
                }
            }
        }
    });
}

/// The window over all `pixels` of an image.
fn whole_image(n: usize, pixels: usize, c: usize) -> Window {
    let (h, w, oh, ow, oc, kh, kw) = (1, pixels, 1, 1, c, 1, pixels);
    Window { n, h, w, c, oh, ow, oc, kh, kw, sh: 1, sw: 1, top: 0, left: 0 }
}

/// x (n, pixels, c) -> out (n, c): the mean of each channel.
pub fn global_average_pool_forward(n: usize, pixels: usize, c: usize, x: &[f32], out: &mut [f32]) {
    average_pool_forward(&whole_image(n, pixels, c), x, out);
}

/// dout (n, c) -> dx (n, pixels, c), overwritten.
pub fn global_average_pool_backward(
    n: usize,
    pixels: usize,
    c: usize,
    dout: &[f32],
    dx: &mut [f32],
) {
    average_pool_backward(&whole_image(n, pixels, c), dout, dx);
}

/// Every (oy, ox) of an image's output, in order.
fn outputs(s: &Window) -> impl Iterator<Item = (usize, usize)> {
    let ow = s.ow;
    (0..s.oh).flat_map(move |oy| (0..ow).map(move |ox| (oy, ox)))
}

/// The rows and columns of the image under the window of (oy, ox).
#[inline(always)]
fn inside(s: &Window, (oy, ox): (usize, usize)) -> (Range<usize>, Range<usize>) {
    let clip = |at: usize, k: usize, before: usize, size: usize| {
        at.saturating_sub(before)..(at + k).saturating_sub(before).min(size)
    };
    (clip(oy * s.sh, s.kh, s.top, s.h), clip(ox * s.sw, s.kw, s.left, s.w))
}

/// One image.
struct MaxPool<'a> {
    s: &'a Window,
    x: &'a [f32],
    out: &'a mut [f32],
    indices: Option<&'a mut [u8]>,
}

impl Kernel for MaxPool<'_> {
    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        let s = self.s;
        for (i, (oy, ox)) in outputs(s).enumerate() {
            let (rows, columns) = inside(s, (oy, ox));
            // The position of the window's first tap on the image.
            let first =
                (rows.start + s.top - oy * s.sh) * s.kw + columns.start + s.left - ox * s.sw;
            for c in (0..s.c).step_by(L::N) {
                let width = (s.c - c).min(L::N);
                let tap =
                    |y: usize, x: usize| L::load_part(&self.x[(y * s.w + x) * s.c + c..][..width]);
                let mut best = tap(rows.start, columns.start);
                let mut index = L::splat(first as f32);
                for (ky, y) in rows.clone().enumerate() {
                    for (kx, x) in columns.clone().enumerate() {
                        let value = tap(y, x);
                        let better = best.less(value);
                        best = L::select(better, value, best);
                        let position = L::splat((first + ky * s.kw + kx) as f32);
                        index = L::select(better, position, index);
                    }
                }
                let to = i * s.c + c;
                best.store_part(&mut self.out[to..to + width]);
                if let Some(indices) = &mut self.indices {
                    index.store_u8_part(&mut indices[to..to + width]);
                }
            }
        }
    }
}

/// One image.
struct AveragePool<'a> {
    s: &'a Window,
    x: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for AveragePool<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let s = self.s;
        for (at, out) in outputs(s).zip(self.out.chunks_exact_mut(s.c)) {
            let (rows, columns) = inside(s, at);
            let count = L::splat((rows.len() * columns.len()) as f32);
            for (i, out) in out.chunks_mut(L::N).enumerate() {
                let mut sum = L::splat(0.0);
                for y in rows.clone() {
                    for x in columns.clone() {
                        let from = (y * s.w + x) * s.c + i * L::N;
                        sum = sum.add(L::load_part(&self.x[from..][..out.len()]));
                    }
                }
                sum.div(count).store_part(out);
            }
        }
    }
}
