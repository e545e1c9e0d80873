//! Batch normalization over the last axis: out = (x - mean) / sqrt(variance + epsilon) gamma + beta.

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

impl Normalization<'_> {
    fn inverse_deviation(&self, c: usize) -> f32 {
        1.0 / (self.variance[c] + self.epsilon).sqrt()
    }

    fn scale(&self, c: usize) -> f32 {
        self.inverse_deviation(c) * self.gamma.map_or(1.0, |gamma| gamma[c])
    }
}

/// x (.., c) -> mean (c) and biased variance (c), in two passes.
pub fn batch_moments(x: &[f32], mean: &mut [f32], variance: &mut [f32]) {
    let c = mean.len();
    let count = (x.len() / c) as f32;
    for i in 0..c {
        let column = || x[i..].iter().step_by(c);
        mean[i] = column().fold(0.0, |sum, x| sum + x) / count;
        variance[i] = column().fold(0.0, |sum, x| sum + (x - mean[i]) * (x - mean[i])) / count;
    }
}

/// x (.., c) -> out (.., c).
pub fn batch_normalization_forward(p: Normalization, x: &[f32], out: &mut [f32]) {
    let c = p.mean.len();
    for (out, x) in out.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
        for i in 0..c {
            out[i] = (x[i] - p.mean[i]) * p.scale(i) + p.beta.map_or(0.0, |beta| beta[i]);
        }
    }
}

/// In training, where mean and variance are the batch's: x, dout (.., c) -> dx (.., c), dgamma (c), dbeta (c).
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
        for i in 0..c {
            dbeta[i] += dout[i];
            dgamma[i] += dout[i] * ((x[i] - p.mean[i]) * p.inverse_deviation(i));
        }
    }
    for ((x, dout), dx) in x.chunks_exact(c).zip(dout.chunks_exact(c)).zip(dx.chunks_exact_mut(c)) {
        for i in 0..c {
            let normalized = (x[i] - p.mean[i]) * p.inverse_deviation(i);
            dx[i] = (dout[i] - dbeta[i] / count - normalized * (dgamma[i] / count)) * p.scale(i);
        }
    }
}

/// In inference, where mean and variance are constants: dout (.., c) -> dx (.., c).
pub fn batch_normalization_inference_backward(p: Normalization, dout: &[f32], dx: &mut [f32]) {
    let c = p.mean.len();
    for (dout, dx) in dout.chunks_exact(c).zip(dx.chunks_exact_mut(c)) {
        for i in 0..c {
            dx[i] = dout[i] * p.scale(i);
        }
    }
}
