use convlet::kernel::Clamp;
use convlet::kernel::activation::{Activation::*, *};

use crate::common::*;

const ALL: [Activation; 10] =
    [Linear, Relu, Relu6, Sigmoid, Softmax, LeakyRelu(0.2), HardSwish, HardSigmoid, Silu, Tanh];

/// The definition, in f64; of a softmax over `x`, the value at `i`.
fn exact(a: Activation, x: &[f64], i: usize) -> f64 {
    let sigmoid = |x: f64| 1.0 / (1.0 + libm::exp(-x));
    let hard_sigmoid = |x: f64| (x + 3.0).clamp(0.0, 6.0) / 6.0;
    let at = x[i];
    match a {
        Linear => at,
        Relu => at.max(0.0),
        Relu6 => at.clamp(0.0, 6.0),
        Sigmoid => sigmoid(at),
        Softmax => libm::exp(at) / x.iter().map(|&x| libm::exp(x)).sum::<f64>(),
        LeakyRelu(slope) => {
            if at > 0.0 {
                at
            } else {
                at * f64::from(slope)
            }
        }
        HardSwish => at * hard_sigmoid(at),
        HardSigmoid => hard_sigmoid(at),
        Silu => at * sigmoid(at),
        Tanh => libm::tanh(at),
    }
}

/// From -8 to 8, off every kink.
fn inputs() -> Vec<f32> {
    (0..41).map(|i| i as f32 * 0.4 - 7.97).collect()
}

fn forward(a: Activation, classes: usize, x: &[f32]) -> Vec<f32> {
    let mut y = x.to_vec();
    activation_forward(a, classes, &mut y);
    y
}

#[test]
fn forward_matches_the_definition() {
    for a in ALL {
        let x = inputs();
        let wide: Vec<f64> = x.iter().map(|&x| x.into()).collect();
        for (i, y) in forward(a, x.len(), &x).into_iter().enumerate() {
            let (y, exact) = (f64::from(y), exact(a, &wide, i));
            assert!((y - exact).abs() <= 1e-6 * exact.abs().max(1.0), "{a:?}({}) = {y}", x[i]);
        }
    }
}

#[test]
fn backward_matches_finite_differences() {
    for a in ALL {
        let x = inputs();
        let dout = values(1, x.len());
        let y = forward(a, x.len(), &x);
        let mut dx = dout.clone();
        activation_backward(a, x.len(), a.needs_input().then_some(&x[..]), &y, &mut dx);
        let loss =
            |x: &[f64]| -> f64 { (0..x.len()).map(|i| exact(a, x, i) * f64::from(dout[i])).sum() };
        for i in 0..x.len() {
            let moved = |by: f64| {
                let mut x: Vec<f64> = x.iter().map(|&x| x.into()).collect();
                x[i] += by;
                loss(&x)
            };
            let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!(
                (f64::from(dx[i]) - slope).abs() < 1e-5,
                "{a:?} at {}: {} not {slope}",
                x[i],
                dx[i]
            );
        }
    }
}

/// TensorFlow's choice: relu is flat at 0, relu6 at 0 and at 6.
#[test]
fn slopes_at_the_kinks() {
    for (a, x, slope) in
        [(Relu, 0.0, 0.0), (Relu6, 0.0, 0.0), (Relu6, 6.0, 0.0), (LeakyRelu(0.5), 0.0, 0.5)]
    {
        let mut dx = [1.0];
        activation_backward(a, 1, None, &forward(a, 1, &[x]), &mut dx);
        assert_eq!(dx, [slope], "{a:?} at {x}");
    }
}

/// Far out nothing overflows and no probability is lost; rows of a softmax do not touch each other.
#[test]
fn extremes_are_finite() {
    assert_eq!(forward(Sigmoid, 1, &[-1e4, -100.0, 100.0, 1e4]), [0.0, 3.783_5e-44, 1.0, 1.0]);
    assert_eq!(forward(Softmax, 2, &[1e4, -1e4, -1e4, -1e4]), [1.0, 0.0, 0.5, 0.5]);
    assert_eq!(forward(Silu, 1, &[-1e4, 1e4]), [-0.0, 1e4]);
    assert!(forward(Relu, 1, &[f32::NAN])[0].is_nan());
}

#[test]
fn fused_clamps_are_the_activations() {
    for a in ALL {
        if let Some(clamp) = a.clamp() {
            let expected: Vec<f32> = inputs().into_iter().map(|x| clamp.apply(x)).collect();
            assert_eq!(forward(a, 1, &inputs()), expected);
        }
    }
    assert_eq!(Relu.clamp(), Some(Clamp::RELU));
    assert_eq!(Sigmoid.clamp(), None);
}
