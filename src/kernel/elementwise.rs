//! Passes over long vectors: sums, scaling and the optimizers' steps. All are bound by memory, and plain enough for the
//! compiler to make vectors of.

use super::parallel;

/// Floats that a thread takes at a time.
const CHUNK: usize = 1 << 15;

/// out += x
pub fn add_assign(out: &mut [f32], x: &[f32]) {
    parallel::for_each_chunk(out, CHUNK, |i, out| {
        out.iter_mut().zip(&x[i * CHUNK..]).for_each(|(out, x)| *out += x);
    });
}

/// x *= a
pub fn scale(x: &mut [f32], a: f32) {
    x.iter_mut().for_each(|x| *x *= a);
}

/// out += a x
pub fn axpy(out: &mut [f32], a: f32, x: &[f32]) {
    out.iter_mut().zip(x).for_each(|(out, x)| *out += a * x);
}

/// out += (x - out) a
pub fn move_towards(out: &mut [f32], x: &[f32], a: f32) {
    out.iter_mut().zip(x).for_each(|(out, x)| *out += (x - *out) * a);
}

/// The sum of x^2, in f64, over eight interleaved partial sums: the same order everywhere.
pub fn sum_of_squares(x: &[f32]) -> f64 {
    let mut sums = [0.0f64; 8];
    for chunk in x.chunks(8) {
        sums.iter_mut().zip(chunk).for_each(|(sum, &x)| *sum += f64::from(x) * f64::from(x));
    }
    sums.iter().fold(0.0, |total, sum| total + sum)
}

/// What a step of Adam takes beside the vectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t), at step t = 1, 2, ..
    pub alpha: f32,
    /// Decay of the first moment.
    pub beta_1: f32,
    /// Decay of the second moment.
    pub beta_2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
}

/// Adam as Keras has it: m += (g - m)(1 - beta_1), v += (g^2 - v)(1 - beta_2), value -= m alpha / (sqrt(v) + epsilon).
pub fn adam_step(s: AdamStep, value: &mut [f32], gradient: &[f32], m: &mut [f32], v: &mut [f32]) {
    let chunks = value.chunks_mut(CHUNK).zip(gradient.chunks(CHUNK));
    let chunks = chunks.zip(m.chunks_mut(CHUNK)).zip(v.chunks_mut(CHUNK));
    parallel::for_each(chunks, |(((value, gradient), m), v)| {
        for (((value, &g), m), v) in value.iter_mut().zip(gradient).zip(m).zip(v) {
            *m += (g - *m) * (1.0 - s.beta_1);
            *v += (g * g - *v) * (1.0 - s.beta_2);
            *value -= *m * s.alpha / (v.sqrt() + s.epsilon);
        }
    });
}

/// Gradient descent as Keras has it: velocity = momentum velocity - learning_rate g, value += velocity; with `nesterov`
/// value += momentum velocity - learning_rate g; without momentum (`velocity` is `None`) value -= learning_rate g.
pub fn sgd_step(
    learning_rate: f32,
    momentum: f32,
    nesterov: bool,
    value: &mut [f32],
    gradient: &[f32],
    velocity: Option<&mut [f32]>,
) {
    let chunks = value.chunks_mut(CHUNK).zip(gradient.chunks(CHUNK));
    let Some(velocity) = velocity else {
        return parallel::for_each(chunks, |(value, gradient)| {
            value.iter_mut().zip(gradient).for_each(|(value, g)| *value -= g * learning_rate);
        });
    };
    parallel::for_each(chunks.zip(velocity.chunks_mut(CHUNK)), |((value, gradient), velocity)| {
        for ((value, &g), velocity) in value.iter_mut().zip(gradient).zip(velocity) {
            let step = g * learning_rate;
            *velocity = momentum * *velocity - step;
            *value += if nesterov { momentum * *velocity - step } else { *velocity };
        }
    });
}
