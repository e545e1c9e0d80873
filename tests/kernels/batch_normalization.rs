use convlet::kernel::batch_normalization::*;
use convlet::kernel::naive;
use proptest::prelude::*;

use crate::common::*;

/// Rows, the batch's moments and everything behind them.
struct Case {
    x: Vec<f32>,
    gamma: Vec<f32>,
    beta: Vec<f32>,
    dout: Vec<f32>,
}

const EPSILON: f32 = 1e-3;

impl Case {
    fn new(rows: usize, c: usize, seed: u64) -> Self {
        let [x, dout] = [0, 1].map(|i| values(seed + i, rows * c));
        let [gamma, beta] = [2, 3].map(|i| values(seed + i, c));
        Self { x, gamma, beta, dout }
    }

    fn moments(&self) -> (Vec<f32>, Vec<f32>) {
        let mut variance = vec![f32::NAN; self.gamma.len()];
        let mean = written(variance.len(), |mean| batch_moments(&self.x, mean, &mut variance));
        (mean, variance)
    }

    fn normalization<'a>(&'a self, mean: &'a [f32], variance: &'a [f32]) -> Normalization<'a> {
        let (gamma, beta) = (Some(&self.gamma[..]), Some(&self.beta[..]));
        Normalization { epsilon: EPSILON, gamma, beta, mean, variance }
    }
}

#[track_caller]
fn assert_close(fast: &[f32], exact: impl IntoIterator<Item = f64>, tolerance: f64) {
    for (i, (&fast, exact)) in fast.iter().zip(exact).enumerate() {
        let off = (f64::from(fast) - exact).abs();
        assert!(off <= tolerance, "at {i}: {fast} instead of {exact}");
    }
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

proptest! {
    #[test]
    fn matches_naive_and_finite_differences(rows in 2usize..20, c in 1usize..150, seed in 0u64..1000) {
        let case = Case::new(rows, c, seed);
        let (x, gamma, beta) = (wide(&case.x), wide(&case.gamma), wide(&case.beta));
        let epsilon = f64::from(EPSILON);
        let (mean, variance) = case.moments();
        let p = case.normalization(&mean, &variance);
        let out = written(x.len(), |out| batch_normalization_forward(p, &case.x, out));
        let expected = naive::batch_normalization_forward(epsilon, &x, &gamma, &beta);
        // A deviation may be as small as sqrt(epsilon): errors of the mean grow by its inverse.
        let tolerance = rows as f64 * f64::from(f32::EPSILON) / epsilon.sqrt();
        assert_close(&mean, expected.0, tolerance);
        assert_close(&variance, expected.1, tolerance);
        assert_close(&out, expected.2, tolerance * 4.0);

        let (mut dgamma, mut dbeta) = (vec![f32::NAN; c], vec![f32::NAN; c]);
        let dx = written(x.len(), |dx| {
            batch_normalization_backward(p, &case.x, &case.dout, dx, &mut dgamma, &mut dbeta);
        });
        let loss = |x: &[f64], gamma: &[f64], beta: &[f64]| -> f64 {
            let (.., out) = naive::batch_normalization_forward(epsilon, x, gamma, beta);
            out.iter().zip(wide(&case.dout)).map(|(out, dout)| out * dout).sum()
        };
        let slope = |at: &[f64], i: usize, loss: &dyn Fn(&[f64]) -> f64| {
            let moved = |by: f64| { let mut at = at.to_vec(); at[i] += by; loss(&at) };
            (moved(1e-6) - moved(-1e-6)) / 2e-6
        };
        let few = |len: usize| (0..len).step_by(1 + len / 10);
        let tolerance = tolerance * 4.0 / epsilon.sqrt() + 1e-6;
        for i in few(x.len()) {
            assert_close(&dx[i..=i], [slope(&x, i, &|x| loss(x, &gamma, &beta))], tolerance);
        }
        for i in few(c) {
            assert_close(&dgamma[i..=i], [slope(&gamma, i, &|gamma| loss(&x, gamma, &beta))], tolerance);
            assert_close(&dbeta[i..=i], [slope(&beta, i, &|beta| loss(&x, &gamma, beta))], tolerance);
        }
    }
}

/// Far from 0, the square of the mean would swallow a variance that is not taken around it.
#[test]
fn a_variance_far_from_zero_keeps_its_digits() {
    let x: Vec<f32> = values(7, 1000).iter().map(|x| 1000.0 + x).collect();
    let (mut mean, mut variance) = ([0.0], [0.0]);
    batch_moments(&x, &mut mean, &mut variance);
    let exact = wide(&x);
    let middle = exact.iter().sum::<f64>() / 1000.0;
    let spread = exact.iter().map(|x| (x - middle).powi(2)).sum::<f64>() / 1000.0;
    assert_close(&variance, [spread], 1e-4 * spread);
}

/// With constant moments the gradient is the scale; gamma and beta may be absent.
#[test]
fn inference() {
    let case = Case::new(3, 5, 7);
    let (mean, variance) = (values(8, 5), vec![1.0 - EPSILON; 5]);
    let p = Normalization { gamma: None, beta: None, ..case.normalization(&mean, &variance) };
    let out = written(15, |out| batch_normalization_forward(p, &case.x, out));
    let expected: Vec<f32> = case.x.iter().enumerate().map(|(i, x)| x - mean[i % 5]).collect();
    assert_same(&out, &expected, 1);
    let p = case.normalization(&mean, &variance);
    let dx = written(15, |dx| batch_normalization_inference_backward(p, &case.dout, dx));
    let expected: Vec<f32> =
        case.dout.iter().enumerate().map(|(i, dout)| dout * case.gamma[i % 5]).collect();
    assert_same(&dx, &expected, 1);
}
