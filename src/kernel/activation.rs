//! Activations, in place.

use super::Clamp;

/// An activation, with Keras's meaning of its name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// x
    Linear,
    /// max(x, 0)
    Relu,
    /// min(max(x, 0), 6)
    Relu6,
    /// 1 / (1 + exp(-x))
    Sigmoid,
    /// exp(x) / sum of exp(x) over the last axis
    Softmax,
    /// x where x > 0, `negative_slope` x elsewhere; the slope is 0 or more.
    LeakyRelu(f32),
    /// x relu6(x + 3) / 6; Keras's `hard_silu`.
    HardSwish,
    /// relu6(x + 3) / 6
    HardSigmoid,
    /// x sigmoid(x)
    Silu,
    /// tanh(x)
    Tanh,
}

impl Activation {
    /// The clamp that a kernel can fuse in place of the activation.
    pub fn clamp(self) -> Option<Clamp> {
        match self {
            Activation::Linear => Some(Clamp::LINEAR),
            Activation::Relu => Some(Clamp::RELU),
            Activation::Relu6 => Some(Clamp::RELU6),
            _ => None,
        }
    }

    /// Whether [`activation_backward`] needs the input of the activation, its output not being enough.
    pub fn needs_input(self) -> bool {
        matches!(self, Activation::HardSwish | Activation::Silu)
    }
}

fn sigmoid(x: f32) -> f32 {
    let e = libm::expf(-x.abs());
    if x < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) }
}

/// relu6(x + 3) / 6
fn hard_sigmoid(x: f32) -> f32 {
    Clamp::RELU6.apply(x + 3.0) * (1.0 / 6.0)
}

/// x (.., classes) in place; `classes` is the last axis and matters for softmax only.
pub fn activation_forward(a: Activation, classes: usize, x: &mut [f32]) {
    let each = |x: &mut [f32], f: &dyn Fn(f32) -> f32| x.iter_mut().for_each(|x| *x = f(*x));
    match a {
        Activation::Linear => {}
        Activation::Relu => each(x, &|x| Clamp::RELU.apply(x)),
        Activation::Relu6 => each(x, &|x| Clamp::RELU6.apply(x)),
        Activation::Sigmoid => each(x, &sigmoid),
        Activation::Softmax => x.chunks_exact_mut(classes.max(1)).for_each(softmax),
        Activation::LeakyRelu(slope) => each(x, &|x| if x > 0.0 { x } else { slope * x }),
        Activation::HardSwish => each(x, &|x| x * hard_sigmoid(x)),
        Activation::HardSigmoid => each(x, &hard_sigmoid),
        Activation::Silu => each(x, &|x| x * sigmoid(x)),
        Activation::Tanh => each(x, &libm::tanhf),
    }
}

fn softmax(x: &mut [f32]) {
    let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    x.iter_mut().for_each(|x| *x = libm::expf(*x - max));
    let sum = x.iter().fold(0.0, |sum, x| sum + x);
    x.iter_mut().for_each(|x| *x /= sum);
}

/// dy (.., classes) becomes dx in place, from the output y and, where [`Activation::needs_input`], the input x.
/// At the kinks the gradient is TensorFlow's: relu's is 0 at 0, relu6's 0 at 0 and at 6.
pub fn activation_backward(
    a: Activation,
    classes: usize,
    x: Option<&[f32]>,
    y: &[f32],
    dy: &mut [f32],
) {
    let each = |from: &[f32], dy: &mut [f32], f: &dyn Fn(f32) -> f32| {
        dy.iter_mut().zip(from).for_each(|(dy, &from)| *dy *= f(from));
    };
    let when = |yes: bool| if yes { 1.0 } else { 0.0 };
    let x = x.unwrap_or(&[]);
    match a {
        Activation::Linear => {}
        Activation::Relu => each(y, dy, &|y| when(y > 0.0)),
        Activation::Relu6 => each(y, dy, &|y| when(y > 0.0 && y < 6.0)),
        Activation::Sigmoid => each(y, dy, &|y| y * (1.0 - y)),
        Activation::Softmax => {
            let rows = dy.chunks_exact_mut(classes.max(1)).zip(y.chunks_exact(classes.max(1)));
            for (dy, y) in rows {
                let dot = dy.iter().zip(y).fold(0.0, |sum, (dy, y)| sum + dy * y);
                dy.iter_mut().zip(y).for_each(|(dy, y)| *dy = (*dy - dot) * y);
            }
        }
        Activation::LeakyRelu(slope) => each(y, dy, &|y| if y > 0.0 { 1.0 } else { slope }),
        Activation::HardSwish => {
            each(x, dy, &|x| hard_sigmoid(x) + x * when(x > -3.0 && x < 3.0) * (1.0 / 6.0))
        }
        Activation::HardSigmoid => each(y, dy, &|y| when(y > 0.0 && y < 1.0) * (1.0 / 6.0)),
        Activation::Silu => each(x, dy, &|x| {
            let s = sigmoid(x);
            s * (1.0 + x * (1.0 - s))
        }),
        Activation::Tanh => each(y, dy, &|y| 1.0 - y * y),
    }
}
