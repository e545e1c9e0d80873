//! How wrong the network is, and in which direction to change its logits.
//!
//! Each loss is fused with the activation that ends the network, so that neither ever takes the logarithm of a rounded
//! probability: both are exact at both ends. Targets lie in [0, 1] and may be soft (smoothed or mixed labels).

use libm::{expf, log1pf, logf};

use crate::error::{Result, bail};
use crate::json::shown;
use crate::kernel::activation::Activation;
use crate::layer::config::activation_value;

/// A loss, named as Keras names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// For sigmoid outputs: `-(t log p + (1 - t) log(1 - p))`, mean over batch and outputs.
    BinaryCrossentropy,
    /// For a softmax output: `-sum of t log p`, mean over the batch.
    CategoricalCrossentropy,
}

impl Loss {
    /// The loss that belongs to a network's last activation.
    pub fn for_activation(activation: Activation) -> Result<Self> {
        match activation {
            Activation::Sigmoid => Ok(Loss::BinaryCrossentropy),
            Activation::Softmax => Ok(Loss::CategoricalCrossentropy),
            _ => bail!(
                Architecture,
                "training: expected a network that ends in sigmoid or softmax, got {}",
                shown(activation_value(activation))
            ),
        }
    }

    /// The mean loss of logits (n, classes) against targets (n, classes).
    pub fn forward(self, classes: usize, logits: &[f32], targets: &[f32]) -> f32 {
        let rows = logits.chunks_exact(classes).zip(targets.chunks_exact(classes));
        let n = rows.len().max(1);
        let sum: f32 = match self {
            // log(1 + e^z) - t z, with the exponential never above 1
            Loss::BinaryCrossentropy => rows
                .flat_map(|(z, t)| z.iter().zip(t))
                .map(|(&z, &t)| propagating_max(z) - z * t + log1pf(expf(-z.abs())))
                .sum(),
            Loss::CategoricalCrossentropy => rows
                .map(|(z, t)| {
                    let (max, sum) = softmax_sum(z);
                    let log_sum = max + logf(sum);
                    z.iter().zip(t).map(|(z, t)| t * (log_sum - z)).sum::<f32>()
                })
                .sum(),
        };
        sum / self.terms(n, classes)
    }

    /// The gradient of the mean loss for the logits: `(p - t)` over the number of terms in the mean.
    pub fn backward(self, classes: usize, logits: &[f32], targets: &[f32], dlogits: &mut [f32]) {
        let n = (logits.len() / classes).max(1);
        let scale = 1.0 / self.terms(n, classes);
        let rows = logits.chunks_exact(classes).zip(targets.chunks_exact(classes));
        for ((z, t), dz) in rows.zip(dlogits.chunks_exact_mut(classes)) {
            match self {
                Loss::BinaryCrossentropy => {
                    for ((&z, &t), dz) in z.iter().zip(t).zip(dz) {
                        *dz = (sigmoid(z) - t) * scale;
                    }
                }
                Loss::CategoricalCrossentropy => {
                    let (max, sum) = softmax_sum(z);
                    let total: f32 = t.iter().sum();
                    for ((&z, &t), dz) in z.iter().zip(t).zip(dz) {
                        *dz = (expf(z - max) / sum * total - t) * scale;
                    }
                }
            }
        }
    }

    /// The loss of one row of probabilities, kept off 0 and 1 by Keras's 1e-7: for validation, where they are at hand.
    pub fn of_probabilities(self, p: &[f32], targets: &[f32]) -> f32 {
        const EPSILON: f32 = 1e-7;
        let log = |p: f32| logf(p.clamp(EPSILON, 1.0 - EPSILON));
        let terms = p.iter().zip(targets);
        let sum: f32 = match self {
            Loss::BinaryCrossentropy => {
                terms.map(|(&p, &t)| -(t * log(p) + (1.0 - t) * log(1.0 - p))).sum()
            }
            Loss::CategoricalCrossentropy => terms.map(|(&p, &t)| -t * log(p)).sum(),
        };
        sum / self.terms(1, p.len())
    }

    fn terms(self, n: usize, classes: usize) -> f32 {
        match self {
            Loss::BinaryCrossentropy => (n * classes) as f32,
            Loss::CategoricalCrossentropy => n as f32,
        }
    }
}

/// `1 / (1 + e^-z)` without overflow.
pub fn sigmoid(z: f32) -> f32 {
    let e = expf(-z.abs());
    if z < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) }
}

/// max(z, 0) that keeps a NaN: a diverged loss must show.
fn propagating_max(z: f32) -> f32 {
    if z < 0.0 { 0.0 } else { z }
}

/// The largest logit, and the sum of the exponentials relative to it.
fn softmax_sum(z: &[f32]) -> (f32, f32) {
    let max = z.iter().fold(f32::NEG_INFINITY, |max, &z| if z < max { max } else { z });
    (max, z.iter().map(|z| expf(z - max)).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOSSES: [Loss; 2] = [Loss::BinaryCrossentropy, Loss::CategoricalCrossentropy];

    /// The textbook formula in f64.
    fn naive(loss: Loss, classes: usize, logits: &[f64], targets: &[f32]) -> f64 {
        let rows = logits.chunks(classes).zip(targets.chunks(classes));
        let n = rows.len() as f64;
        match loss {
            Loss::BinaryCrossentropy => {
                rows.flat_map(|(z, t)| z.iter().zip(t))
                    .map(|(z, t)| {
                        let (p, t) = (1.0 / (1.0 + (-z).exp()), f64::from(*t));
                        -(t * p.ln() + (1.0 - t) * (1.0 - p).ln())
                    })
                    .sum::<f64>()
                    / (n * classes as f64)
            }
            Loss::CategoricalCrossentropy => {
                rows.map(|(z, t)| {
                    let sum: f64 = z.iter().map(|z| z.exp()).sum();
                    -z.iter().zip(t).map(|(z, t)| f64::from(*t) * (z.exp() / sum).ln()).sum::<f64>()
                })
                .sum::<f64>()
                    / n
            }
        }
    }

    const LOGITS: [f32; 6] = [0.3, -1.2, 2.0, -0.7, 0.1, 1.4];
    const TARGETS: [f32; 6] = [0.9, 0.05, 0.05, 0.0, 1.0, 0.0];

    #[test]
    fn equals_the_textbook() {
        for loss in LOSSES {
            let wide: Vec<f64> = LOGITS.iter().map(|&z| f64::from(z)).collect();
            let expected = naive(loss, 3, &wide, &TARGETS);
            let got = f64::from(loss.forward(3, &LOGITS, &TARGETS));
            assert!(
                (got - expected).abs() < 6.0 * f64::from(f32::EPSILON) * 3.0,
                "{loss:?}: {got} {expected}"
            );
        }
    }

    #[test]
    fn gradient_equals_finite_differences() {
        let h = 1e-5;
        for loss in LOSSES {
            let mut dlogits = [0.0; 6];
            loss.backward(3, &LOGITS, &TARGETS, &mut dlogits);
            for i in 0..6 {
                let at = |shift: f64| {
                    let mut z: Vec<f64> = LOGITS.iter().map(|&z| f64::from(z)).collect();
                    z[i] += shift;
                    naive(loss, 3, &z, &TARGETS)
                };
                let expected = (at(h) - at(-h)) / (2.0 * h);
                let error = (f64::from(dlogits[i]) - expected).abs();
                assert!(error < 4.0 * f64::from(f32::EPSILON), "{loss:?} {i}: off by {error}");
            }
        }
    }

    #[test]
    fn stays_finite_at_both_ends() {
        for (z, t, expected) in [(200.0, 0.0, 200.0), (-200.0, 1.0, 200.0), (200.0, 1.0, 0.0)] {
            assert_eq!(Loss::BinaryCrossentropy.forward(1, &[z], &[t]), expected);
            let logits = [z, 0.0];
            let targets = [t, 1.0 - t];
            assert_eq!(Loss::CategoricalCrossentropy.forward(2, &logits, &targets), expected);
        }
        assert!(Loss::BinaryCrossentropy.forward(1, &[f32::NAN], &[1.0]).is_nan());
    }
}
