//! The textbook loops: the specification that the fast kernels are held to. Never optimised.
//!
//! Generic over the float, so that gradients can be checked against finite differences in f64. Every output element is
//! one sum, begun and added up in the order in which the loops stand here; the strict build of the fast kernels gives
//! the same bits. A tap that falls on the padding reads a zero.

use ndarray::NdFloat;

use super::{Clamp, Window, dense::DenseShape};

impl Clamp {
    /// `x` clamped; for any float.
    pub fn apply<T: NdFloat>(self, x: T) -> T {
        let (low, high) = (float::<T>(self.low), float::<T>(self.high));
        let x = if x < low { low } else { x };
        if high < x { high } else { x }
    }
}

fn float<T: NdFloat>(x: f32) -> T {
    T::from(x).expect("every float type here holds an f32")
}

/// Index of the first channel of the input pixel under tap (ky, kx) of output (b, oy, ox); `None` on the padding.
fn pixel(
    s: &Window,
    (b, oy, ox): (usize, usize, usize),
    (ky, kx): (usize, usize),
) -> Option<usize> {
    let y = (oy * s.sh + ky).checked_sub(s.top).filter(|&y| y < s.h)?;
    let x = (ox * s.sw + kx).checked_sub(s.left).filter(|&x| x < s.w)?;
    Some(((b * s.h + y) * s.w + x) * s.c)
}

/// Every (b, oy, ox) of the output, in order.
fn outputs(s: &Window) -> impl Iterator<Item = (usize, usize, usize)> {
    let (n, oh, ow) = (s.n, s.oh, s.ow);
    (0..n).flat_map(move |b| (0..oh).flat_map(move |oy| (0..ow).map(move |ox| (b, oy, ox))))
}

/// Every (ky, kx) of the window, in order.
fn taps(s: &Window) -> impl DoubleEndedIterator<Item = (usize, usize)> {
    let (kh, kw) = (s.kh, s.kw);
    (0..kh).flat_map(move |ky| (0..kw).map(move |kx| (ky, kx)))
}

/// x (n, h, w, c), kernel (kh, kw, c, oc), bias (oc) -> out (n, oh, ow, oc).
pub fn conv2d_forward<T: NdFloat>(
    s: &Window,
    x: &[T],
    kernel: &[T],
    bias: Option<&[T]>,
    clamp: Clamp,
    out: &mut [T],
) {
    for (at, out) in outputs(s).zip(out.chunks_exact_mut(s.oc)) {
        for (o, out) in out.iter_mut().enumerate() {
            let mut sum = bias.map_or(T::zero(), |bias| bias[o]);
            for (ky, kx) in taps(s) {
                let pixel = pixel(s, at, (ky, kx));
                for c in 0..s.c {
                    let x = pixel.map_or(T::zero(), |i| x[i + c]);
                    sum += x * kernel[((ky * s.kw + kx) * s.c + c) * s.oc + o];
                }
            }
            *out = clamp.apply(sum);
        }
    }
}

/// dout (n, oh, ow, oc), kernel (kh, kw, c, oc) -> dx (n, h, w, c). Each sum runs over (oy, ox, o) ascending.
pub fn conv2d_backward_input<T: NdFloat>(s: &Window, dout: &[T], kernel: &[T], dx: &mut [T]) {
    dx.fill(T::zero());
    for (at, dout) in outputs(s).zip(dout.chunks_exact(s.oc)) {
        for (ky, kx) in taps(s) {
            let Some(i) = pixel(s, at, (ky, kx)) else { continue };
            for c in 0..s.c {
                for o in 0..s.oc {
                    dx[i + c] += dout[o] * kernel[((ky * s.kw + kx) * s.c + c) * s.oc + o];
                }
            }
        }
    }
}

/// x (n, h, w, c), dout (n, oh, ow, oc) -> dkernel (kh, kw, c, oc), dbias (oc). Each sum runs over (b, oy, ox).
pub fn conv2d_backward_kernel<T: NdFloat>(
    s: &Window,
    x: &[T],
    dout: &[T],
    dkernel: &mut [T],
    mut dbias: Option<&mut [T]>,
) {
    dkernel.fill(T::zero());
    if let Some(dbias) = &mut dbias {
        dbias.fill(T::zero());
    }
    for (at, dout) in outputs(s).zip(dout.chunks_exact(s.oc)) {
        for (ky, kx) in taps(s) {
            let Some(i) = pixel(s, at, (ky, kx)) else { continue };
            for c in 0..s.c {
                for o in 0..s.oc {
                    dkernel[((ky * s.kw + kx) * s.c + c) * s.oc + o] += x[i + c] * dout[o];
                }
            }
        }
        if let Some(dbias) = &mut dbias {
            dbias.iter_mut().zip(dout).for_each(|(dbias, &dout)| *dbias += dout);
        }
    }
}

/// x (n, h, w, c), kernel (kh, kw, c, 1), bias (c) -> out (n, oh, ow, c).
pub fn depthwise_conv2d_forward<T: NdFloat>(
    s: &Window,
    x: &[T],
    kernel: &[T],
    bias: Option<&[T]>,
    clamp: Clamp,
    out: &mut [T],
) {
    for (at, out) in outputs(s).zip(out.chunks_exact_mut(s.c)) {
        for (c, out) in out.iter_mut().enumerate() {
            let mut sum = bias.map_or(T::zero(), |bias| bias[c]);
            for (ky, kx) in taps(s) {
                let x = pixel(s, at, (ky, kx)).map_or(T::zero(), |i| x[i + c]);
                sum += x * kernel[(ky * s.kw + kx) * s.c + c];
            }
            *out = clamp.apply(sum);
        }
    }
}

/// dout (n, oh, ow, c), kernel (kh, kw, c, 1) -> dx (n, h, w, c). Each sum runs over (oy, ox) ascending.
pub fn depthwise_conv2d_backward_input<T: NdFloat>(
    s: &Window,
    dout: &[T],
    kernel: &[T],
    dx: &mut [T],
) {
    dx.fill(T::zero());
    for (at, dout) in outputs(s).zip(dout.chunks_exact(s.c)) {
        for (ky, kx) in taps(s) {
            let Some(i) = pixel(s, at, (ky, kx)) else { continue };
            for c in 0..s.c {
                dx[i + c] += dout[c] * kernel[(ky * s.kw + kx) * s.c + c];
            }
        }
    }
}

/// x (n, h, w, c), dout (n, oh, ow, c) -> dkernel (kh, kw, c, 1), dbias (c). Each sum runs over (b, oy, ox).
pub fn depthwise_conv2d_backward_kernel<T: NdFloat>(
    s: &Window,
    x: &[T],
    dout: &[T],
    dkernel: &mut [T],
    mut dbias: Option<&mut [T]>,
) {
    dkernel.fill(T::zero());
    if let Some(dbias) = &mut dbias {
        dbias.fill(T::zero());
    }
    for (at, dout) in outputs(s).zip(dout.chunks_exact(s.c)) {
        for (ky, kx) in taps(s) {
            let Some(i) = pixel(s, at, (ky, kx)) else { continue };
            for c in 0..s.c {
                dkernel[(ky * s.kw + kx) * s.c + c] += x[i + c] * dout[c];
            }
        }
        if let Some(dbias) = &mut dbias {
            dbias.iter_mut().zip(dout).for_each(|(dbias, &dout)| *dbias += dout);
        }
    }
}

/// x (n, inputs), kernel (inputs, outputs), bias (outputs) -> out (n, outputs).
pub fn dense_forward<T: NdFloat>(
    s: &DenseShape,
    x: &[T],
    kernel: &[T],
    bias: Option<&[T]>,
    clamp: Clamp,
    out: &mut [T],
) {
    for b in 0..s.n {
        for j in 0..s.outputs {
            let mut sum = bias.map_or(T::zero(), |bias| bias[j]);
            for i in 0..s.inputs {
                sum += x[b * s.inputs + i] * kernel[i * s.outputs + j];
            }
            out[b * s.outputs + j] = clamp.apply(sum);
        }
    }
}

/// dout (n, outputs), kernel (inputs, outputs) -> dx (n, inputs).
pub fn dense_backward_input<T: NdFloat>(s: &DenseShape, dout: &[T], kernel: &[T], dx: &mut [T]) {
    for b in 0..s.n {
        for i in 0..s.inputs {
            let mut sum = T::zero();
            for j in 0..s.outputs {
                sum += dout[b * s.outputs + j] * kernel[i * s.outputs + j];
            }
            dx[b * s.inputs + i] = sum;
        }
    }
}

/// x (n, inputs), dout (n, outputs) -> dkernel (inputs, outputs), dbias (outputs).
pub fn dense_backward_kernel<T: NdFloat>(
    s: &DenseShape,
    x: &[T],
    dout: &[T],
    dkernel: &mut [T],
    dbias: Option<&mut [T]>,
) {
    let sum = |j: usize, x: &dyn Fn(usize) -> T| {
        (0..s.n).fold(T::zero(), |sum, b| sum + x(b) * dout[b * s.outputs + j])
    };
    for i in 0..s.inputs {
        for j in 0..s.outputs {
            dkernel[i * s.outputs + j] = sum(j, &|b| x[b * s.inputs + i]);
        }
    }
    if let Some(dbias) = dbias {
        dbias.iter_mut().enumerate().for_each(|(j, dbias)| *dbias = sum(j, &|_| T::one()));
    }
}

/// x (n, h, w, c) -> out (n, oh, ow, c), and in `indices` the window position (row-major) of each first maximum. The
/// padding never wins; a NaN wins when it comes first.
pub fn max_pool_forward<T: NdFloat>(
    s: &Window,
    x: &[T],
    out: &mut [T],
    mut indices: Option<&mut [u8]>,
) {
    for (i, at) in outputs(s).enumerate() {
        for c in 0..s.c {
            let mut best: Option<(u8, T)> = None;
            for (position, tap) in (0..=u8::MAX).zip(taps(s)) {
                let Some(i) = pixel(s, at, tap) else { continue };
                if best.is_none_or(|(_, best)| best < x[i + c]) {
                    best = Some((position, x[i + c]));
                }
            }
            let (position, value) = best.expect("a window that lies on the image");
            out[i * s.c + c] = value;
            if let Some(indices) = &mut indices {
                indices[i * s.c + c] = position;
            }
        }
    }
}

/// dout (n, oh, ow, c), indices as `max_pool_forward` left them -> dx (n, h, w, c).
pub fn max_pool_backward<T: NdFloat>(s: &Window, dout: &[T], indices: &[u8], dx: &mut [T]) {
    dx.fill(T::zero());
    for (i, at) in outputs(s).enumerate() {
        for c in 0..s.c {
            let position = usize::from(indices[i * s.c + c]);
            if let Some(p) = pixel(s, at, (position / s.kw, position % s.kw)) {
                dx[p + c] += dout[i * s.c + c];
            }
        }
    }
}

/// Taps of the window at `at` that lie on the image.
fn count<T: NdFloat>(s: &Window, at: (usize, usize, usize)) -> T {
    float(taps(s).filter(|&tap| pixel(s, at, tap).is_some()).count() as f32)
}

/// x (n, h, w, c) -> out (n, oh, ow, c): the mean over the part of the window that lies on the image.
pub fn average_pool_forward<T: NdFloat>(s: &Window, x: &[T], out: &mut [T]) {
    for (at, out) in outputs(s).zip(out.chunks_exact_mut(s.c)) {
        for (c, out) in out.iter_mut().enumerate() {
            let inside = taps(s).filter_map(|tap| pixel(s, at, tap));
            *out = inside.fold(T::zero(), |sum, i| sum + x[i + c]) / count(s, at);
        }
    }
}

/// dout (n, oh, ow, c) -> dx (n, h, w, c).
pub fn average_pool_backward<T: NdFloat>(s: &Window, dout: &[T], dx: &mut [T]) {
    dx.fill(T::zero());
    for (at, dout) in outputs(s).zip(dout.chunks_exact(s.c)) {
        for i in taps(s).filter_map(|tap| pixel(s, at, tap)) {
            for c in 0..s.c {
                dx[i + c] += dout[c] / count(s, at);
            }
        }
    }
}

/// x (.., c), gamma (c), beta (c) -> mean (c), biased variance (c) and (x - mean) / sqrt(variance + epsilon) gamma + beta.
pub fn batch_normalization_forward<T: NdFloat>(
    epsilon: T,
    x: &[T],
    gamma: &[T],
    beta: &[T],
) -> (Vec<T>, Vec<T>, Vec<T>) {
    let c = gamma.len();
    let count = float::<T>((x.len() / c) as f32);
    let sum = |i: usize, f: &dyn Fn(T) -> T| {
        x[i..].iter().step_by(c).fold(T::zero(), |sum, &x| sum + f(x))
    };
    let mean: Vec<T> = (0..c).map(|i| sum(i, &|x| x) / count).collect();
    let variance: Vec<T> =
        (0..c).map(|i| sum(i, &|x| (x - mean[i]) * (x - mean[i])) / count).collect();
    let normalized = |i: usize| (x[i] - mean[i % c]) / (variance[i % c] + epsilon).sqrt();
    let out = (0..x.len()).map(|i| normalized(i) * gamma[i % c] + beta[i % c]).collect();
    (mean, variance, out)
}
