//! Batch normalization over the last axis: out = (x - mean) / sqrt(variance + epsilon) gamma + beta.
//!
//! All passes go row by row, each sum over the rows in order, and run across channels: plain loops that the compiler
//! makes vectors of.

use std::ops::Range;

use super::parallel;

/// What normalizes `c` channels; all slices are (c).
#[derive(Clone, Copy, Debug)]
pub struct Normalization<'a> {
    /// Added to the variance.
    pub epsilon: f32,
    /// Scale; 1 when absent.
    pub gamma: Option<&'a [f32]>,
    /// Shift; 0 when absent.
    pub beta: Option<&'a [f32]>,
    /// Mean: of the batch in training, the moving one in inference.
    pub mean: &'a [f32],
    /// Biased variance: of the batch in training, the moving one in inference.
    pub variance: &'a [f32],
}

/// Channels whose factors are kept at hand while all rows pass by.
const BLOCK: usize = 64;

impl Normalization<'_> {
    /// 1 / sqrt(variance + epsilon) of the channels `block`.
    fn inverse_deviation(&self, block: Range<usize>) -> [f32; BLOCK] {
        let mut out = [0.0; BLOCK];
        for (out, variance) in out.iter_mut().zip(&self.variance[block]) {
            *out = 1.0 / (variance + self.epsilon).sqrt();
        }
        out
    }

    /// gamma / sqrt(variance + epsilon) of the channels `block`.
    fn scale(&self, block: Range<usize>) -> [f32; BLOCK] {
        let mut out = self.inverse_deviation(block.clone());
        if let Some(gamma) = self.gamma {
            out.iter_mut().zip(&gamma[block]).for_each(|(out, gamma)| *out *= gamma);
        }
        out
    }
}

/// The channels 0..c in blocks.
fn blocks(c: usize) -> impl Iterator<Item = Range<usize>> {
    (0..c).step_by(BLOCK).map(move |first| first..(first + BLOCK).min(c))
}

/// Floats in the rows that one thread takes: a row is `c` of the `len`.
fn piece(len: usize, c: usize) -> usize {
    (len / c).div_ceil(parallel::parts()).max(1) * c
}

/// x (.., c) -> mean (c) and biased variance (c), in two passes.
pub fn batch_moments(x: &[f32], mean: &mut [f32], variance: &mut [f32]) {
    let c = mean.len();
    let count = (x.len() / c) as f32;
    mean.fill(0.0);
    for x in x.chunks_exact(c) {
        mean.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
    }
    mean.iter_mut().for_each(|sum| *sum /= count);
    variance.fill(0.0);
    for x in x.chunks_exact(c) {
        for ((sum, x), mean) in variance.iter_mut().zip(x).zip(&*mean) {
            *sum += (x - mean) * (x - mean);
        }
    }
    variance.iter_mut().for_each(|sum| *sum /= count);
}

/// x (.., c) -> out (.., c).
pub fn batch_normalization_forward(p: Normalization, x: &[f32], out: &mut [f32]) {
    let c = p.mean.len();
    let len = piece(x.len(), c);
    parallel::for_each_chunk(out, len, |i, out| {
        for block in blocks(c) {
            let (scale, mut beta) = (p.scale(block.clone()), [0.0; BLOCK]);
            if let Some(from) = p.beta {
                beta[..block.len()].copy_from_slice(&from[block.clone()]);
            }
            for (out, x) in out.chunks_exact_mut(c).zip(x[i * len..].chunks_exact(c)) {
                let factors = p.mean[block.clone()].iter().zip(&scale).zip(&beta);
                let values = out[block.clone()].iter_mut().zip(&x[block.clone()]);
                for ((out, x), ((mean, scale), beta)) in values.zip(factors) {
                    *out = (x - mean) * scale + beta;
                }
            }
        }
    });
}

/// In training, where mean and variance are the batch's: x, dout (.., c) -> dx (.., c), dgamma (c), dbeta (c).
///
/// dx = scale (dout - mean of dout - normalized x times mean of dout normalized x).
pub fn batch_normalization_backward(
    p: Normalization,
    x: &[f32],
    dout: &[f32],
    dx: &mut [f32],
    dgamma: &mut [f32],
    dbeta: &mut [f32],
) {
    let c = p.mean.len();
    let count = (x.len() / c) as f32;
    dgamma.fill(0.0);
    dbeta.fill(0.0);
    for (x, dout) in x.chunks_exact(c).zip(dout.chunks_exact(c)) {
        let sums = dgamma.iter_mut().zip(&mut *dbeta);
        for (((dgamma, dbeta), mean), (x, dout)) in sums.zip(p.mean).zip(x.iter().zip(dout)) {
            *dgamma += dout * (x - mean);
            *dbeta += dout;
        }
    }
    for (sums, block) in dgamma.chunks_mut(BLOCK).zip(blocks(c)) {
        let inverse = p.inverse_deviation(block);
        sums.iter_mut().zip(inverse).for_each(|(sum, inverse)| *sum *= inverse);
    }
    let (dgamma, dbeta, len) = (&*dgamma, &*dbeta, piece(x.len(), c));
    parallel::for_each_chunk(dx, len, |i, dx| {
        for block in blocks(c) {
            let (inverse, scale) = (p.inverse_deviation(block.clone()), p.scale(block.clone()));
            let (mut shift, mut slope) = ([0.0; BLOCK], [0.0; BLOCK]);
            for (i, channel) in block.clone().enumerate() {
                shift[i] = dbeta[channel] / count;
                slope[i] = dgamma[channel] / count * inverse[i];
            }
            let rows = x[i * len..].chunks_exact(c).zip(dout[i * len..].chunks_exact(c));
            for (dx, (x, dout)) in dx.chunks_exact_mut(c).zip(rows) {
                let factors = p.mean[block.clone()].iter().zip(&scale);
                let factors = factors.zip(shift.iter().zip(&slope));
                let values = x[block.clone()].iter().zip(&dout[block.clone()]);
                let values = dx[block.clone()].iter_mut().zip(values);
                for ((dx, (x, dout)), ((mean, scale), (shift, slope))) in values.zip(factors) {
                    *dx = (dout - shift - (x - mean) * slope) * scale;
                }
            }
        }
    });
}

/// In inference, where mean and variance are constants: dout (.., c) -> dx (.., c).
pub fn batch_normalization_inference_backward(p: Normalization, dout: &[f32], dx: &mut [f32]) {
    let c = p.mean.len();
    for block in blocks(c) {
        let scale = p.scale(block.clone());
        for (dx, dout) in dx.chunks_exact_mut(c).zip(dout.chunks_exact(c)) {
            let values = dx[block.clone()].iter_mut().zip(&dout[block.clone()]);
            values.zip(&scale).for_each(|((dx, dout), scale)| *dx = dout * scale);
        }
    }
}
