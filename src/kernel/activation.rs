//! Activations, in place.

use super::{Clamp, parallel};

/// Floats that a thread takes at a time.
const CHUNK: usize = 1 << 15;

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
    match a {
        Activation::Linear => {}
        Activation::Relu => each(x, |x| Clamp::RELU.apply(x)),
        Activation::Relu6 => each(x, |x| Clamp::RELU6.apply(x)),
        Activation::Sigmoid => each(x, sigmoid),
        Activation::Softmax => x.chunks_exact_mut(classes.max(1)).for_each(softmax),
        Activation::LeakyRelu(slope) => each(x, |x| if x > 0.0 { x } else { slope * x }),
        Activation::HardSwish => each(x, |x| x * hard_sigmoid(x)),
        Activation::HardSigmoid => each(x, hard_sigmoid),
        Activation::Silu => each(x, |x| x * sigmoid(x)),
        Activation::Tanh => each(x, libm::tanhf),
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
    let x = x.unwrap_or_default();
    debug_assert!(!a.needs_input() || x.len() == dy.len());
    match a {
        Activation::Linear => {}
        Activation::Relu => each_slope(y, dy, |y| when(y > 0.0)),
        Activation::Relu6 => each_slope(y, dy, |y| when(y > 0.0) * when(y < 6.0)),
        Activation::Sigmoid => each_slope(y, dy, |y| y * (1.0 - y)),
        Activation::Softmax => {
            let rows = dy.chunks_exact_mut(classes.max(1)).zip(y.chunks_exact(classes.max(1)));
            for (dy, y) in rows {
                let dot = dy.iter().zip(y).fold(0.0, |sum, (dy, y)| sum + dy * y);
                dy.iter_mut().zip(y).for_each(|(dy, y)| *dy = (*dy - dot) * y);
            }
        }
        Activation::LeakyRelu(slope) => each_slope(y, dy, |y| if y > 0.0 { 1.0 } else { slope }),
        Activation::HardSwish => {
            each_slope(x, dy, |x| hard_sigmoid(x) + x * (when(x > -3.0) * when(x < 3.0) / 6.0))
        }
        Activation::HardSigmoid => each_slope(y, dy, |y| when(y > 0.0) * when(y < 1.0) / 6.0),
        Activation::Silu => each_slope(x, dy, |x| {
            let s = sigmoid(x);
            s * (1.0 + x * (1.0 - s))
        }),
        Activation::Tanh => each_slope(y, dy, |y| 1.0 - y * y),
    }
}

/// The closures of all but exp and tanh are branch-free: the compiler makes vectors of them.
#[inline(always)]
fn each(x: &mut [f32], f: impl Fn(f32) -> f32 + Sync) {
    parallel::for_each_chunk(x, CHUNK, |_, x| x.iter_mut().for_each(|x| *x = f(*x)));
}

/// dy *= slope(from)
#[inline(always)]
fn each_slope(from: &[f32], dy: &mut [f32], slope: impl Fn(f32) -> f32 + Sync) {
    parallel::for_each_chunk(dy, CHUNK, |i, dy| {
        dy.iter_mut().zip(&from[i * CHUNK..]).for_each(|(dy, &from)| *dy *= slope(from));
    });
}

#[inline(always)]
fn when(yes: bool) -> f32 {
    if yes { 1.0 } else { 0.0 }
}
