//! How the learning rate changes while training.

use std::f32::consts::PI;
use std::iter;

use super::Logs;

/// A factor on the learning rate, from where the training is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Schedule {
    /// Always 1.
    #[default]
    Constant,
    /// Up from 0 in a straight line over the first `warmup` epochs, then down to 0 along half a cosine.
    Cosine {
        /// Epochs, or a part of one.
        warmup: f32,
    },
    /// From 1/25 up to 1 over the first 3 tenths, then down to 1/10,000, both along half a cosine (Smith 2018).
    OneCycle,
    /// Times `factor` whenever the loss (of validation, where there is one) has not fallen for `patience` epochs.
    ReduceOnPlateau {
        /// Below 1.
        factor: f32,
        /// Epochs.
        patience: usize,
    },
}

impl Schedule {
    /// The factor when `epoch` epochs (with a fraction) of `epochs` are done and gave `history`.
    pub fn factor(self, epoch: f32, epochs: usize, history: &[Logs]) -> f32 {
        let total = epochs as f32;
        match self {
            Schedule::Constant => 1.0,
            Schedule::Cosine { warmup } if epoch < warmup => epoch / warmup,
            Schedule::Cosine { warmup } => between(1.0, 0.0, (epoch - warmup) / (total - warmup)),
            Schedule::OneCycle => match epoch / total / 0.3 {
                up if up < 1.0 => between(0.04, 1.0, up),
                _ => between(1.0, 1e-4, (epoch / total - 0.3) / 0.7),
            },
            Schedule::ReduceOnPlateau { factor, patience } => {
                iter::repeat_n(factor, plateaus(history, patience)).product()
            }
        }
    }
}

/// From `a` to `b` along half a cosine.
fn between(a: f32, b: f32, progress: f32) -> f32 {
    b + (a - b) * 0.5 * (1.0 + libm::cosf(PI * progress.clamp(0.0, 1.0)))
}

/// How often the loss has stayed above its lowest for `patience` epochs, counted anew after each time.
fn plateaus(history: &[Logs], patience: usize) -> usize {
    let (mut best, mut waited, mut count) = (f32::INFINITY, 0, 0);
    for logs in history {
        let loss = logs.val_loss.unwrap_or(logs.loss);
        waited = if loss < best { 0 } else { waited + 1 };
        best = best.min(loss);
        if waited >= patience.max(1) {
            (waited, count) = (0, count + 1);
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factors(schedule: Schedule) -> [f32; 5] {
        [0.0, 1.0, 3.0, 6.5, 10.0].map(|epoch| schedule.factor(epoch, 10, &[]))
    }

    #[test]
    fn shapes() {
        let hold = |schedule: Schedule, expected: [f32; 5]| {
            let factors = factors(schedule);
            let close = factors.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6);
            assert!(close, "{schedule:?}: {factors:?} instead of {expected:?}");
        };
        hold(Schedule::Constant, [1.0; 5]);
        hold(Schedule::Cosine { warmup: 3.0 }, [0.0, 1.0 / 3.0, 1.0, 0.5, 0.0]);
        // A third of the way up is a quarter of the height, halfway down is half of it.
        hold(Schedule::OneCycle, [0.04, 0.04 + 0.96 * 0.25, 1.0, (1.0 + 1e-4) / 2.0, 1e-4]);
    }

    #[test]
    fn plateau() {
        let logs = |loss| Logs { val_loss: Some(loss), ..Logs::default() };
        let schedule = Schedule::ReduceOnPlateau { factor: 0.5, patience: 2 };
        let history = [1.0, 0.9, 0.95, 0.9, 0.8, 0.85, 0.85, 0.85, 0.85].map(logs);
        let factors: Vec<f32> =
            (0..=9).map(|i| schedule.factor(i as f32, 20, &history[..i])).collect();
        assert_eq!(factors, [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125]);
    }
}
