//! Examples on their way into a step.

use libm::{expf, logf};

use super::Dataset;
use crate::kernel::parallel;
use crate::metric::one_hot;
use crate::rng::Rng;

/// Pictures (n, H, W, C) and targets (n, outputs).
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub n: usize,
    pub x: Vec<f32>,
    pub targets: Vec<f32>,
    input_len: usize,
    outputs: usize,
}

impl Batch {
    pub fn new(input_len: usize, outputs: usize) -> Self {
        Self { input_len, outputs, ..Self::default() }
    }

    /// Loads the examples, augmented where `rng` is given, each from a stream of its own.
    pub fn load(&mut self, data: &dyn Dataset, indices: &[usize], rng: Option<&Rng>) {
        self.n = indices.len();
        self.x.resize(self.n * self.input_len, 0.0);
        self.targets.resize(self.n * self.outputs, 0.0);
        parallel::for_each_chunk(&mut self.x, self.input_len, |i, x| {
            let mut rng = rng.map(|rng| rng.fork(indices[i] as u64));
            data.load(indices[i], rng.as_mut(), x);
        });
        for (&index, row) in indices.iter().zip(self.targets.chunks_exact_mut(self.outputs)) {
            one_hot(data.label(index), row);
        }
    }

    /// Takes a share of `smoothing` from each target and gives it to all classes alike, as Keras does.
    pub fn smooth_labels(&mut self, smoothing: f32) {
        let classes = self.outputs.max(2) as f32;
        for target in &mut self.targets {
            *target = *target * (1.0 - smoothing) + smoothing / classes;
        }
    }

    /// Blends each picture and target with another's, by a weight drawn once from Beta(alpha, alpha) (Zhang et al. 2017).
    pub fn mix_up(&mut self, alpha: f32, rng: &mut Rng) {
        if self.n < 2 {
            return;
        }
        let weight = beta(alpha, rng);
        let mix = |a: &mut [f32], b: &mut [f32]| {
            for (a, b) in a.iter_mut().zip(b) {
                (*a, *b) = (weight * *a + (1.0 - weight) * *b, weight * *b + (1.0 - weight) * *a);
            }
        };
        // The order is random already: each goes with the one half a batch on.
        let half = self.n / 2;
        for (values, len) in [(&mut self.x, self.input_len), (&mut self.targets, self.outputs)] {
            let (front, back) = values.split_at_mut(half * len);
            mix(front, &mut back[..half * len]);
        }
    }
}

/// A draw from Beta(alpha, alpha), for an alpha up to about 1 (Jöhnk 1964).
fn beta(alpha: f32, rng: &mut Rng) -> f32 {
    loop {
        let [x, y] = [rng.uniform(), rng.uniform()].map(|u| expf(logf(u) / alpha));
        if x + y > 0.0 && x + y <= 1.0 {
            return x / (x + y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixing_keeps_sums_and_pairs() {
        let mut batch = Batch::new(1, 1);
        (batch.n, batch.x, batch.targets) = (4, vec![1.0, 2.0, 3.0, 4.0], vec![1.0, 0.0, 0.0, 1.0]);
        batch.mix_up(0.4, &mut Rng::new(3));
        assert!((batch.x[0] + batch.x[2] - 4.0).abs() < 1e-6);
        // Pictures and targets are mixed by the same weight.
        let weight = (batch.x[0] - 3.0) / -2.0;
        assert!((batch.targets[0] - weight).abs() < 1e-6);
        assert!((batch.targets[3] - weight).abs() < 1e-6);
    }

    #[test]
    fn beta_has_its_moments() {
        let mut rng = Rng::new(1);
        let draws: Vec<f32> = (0..20_000).map(|_| beta(0.4, &mut rng)).collect();
        let mean = draws.iter().sum::<f32>() / 20_000.0;
        let variance = draws.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / 20_000.0;
        // 1 / (4 (2 alpha + 1))
        assert!(
            (mean - 0.5).abs() < 0.01 && (variance - 0.1389).abs() < 0.005,
            "{mean} {variance}"
        );
    }

    #[test]
    fn smoothing_is_kerass() {
        let mut batch = Batch::new(1, 1);
        batch.targets = vec![0.0, 1.0];
        batch.smooth_labels(0.1);
        assert_eq!(batch.targets, [0.05, 0.95]);
        let mut batch = Batch::new(1, 4);
        batch.targets = vec![0.0, 1.0, 0.0, 0.0];
        batch.smooth_labels(0.2);
        assert_eq!(batch.targets, [0.05, 0.85, 0.05, 0.05]);
    }
}
