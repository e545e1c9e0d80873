//! Reading and writing layer configurations under Keras's keys.

use serde_json::{Map, Value};

use crate::error::{Result, bail};
use crate::json::{keras_object, object, shown};
use crate::kernel::Window;
use crate::kernel::activation::Activation;
use crate::rng::Rng;

/// The largest number that a configuration may hold: larger ones are damage, not architecture.
const MAX_SIZE: u64 = 1 << 20;

/// What happens at the border of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Padding {
    /// The window stays inside the image.
    #[default]
    Valid,
    /// Zeros around the image make the output `ceil(size / stride)` large, the odd one behind and below.
    Same,
}

/// What a weight starts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initializer {
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
    /// Uniform within sqrt(6 / (fan in + fan out)).
    GlorotUniform,
    /// Truncated normal of variance 2 / (fan in + fan out).
    GlorotNormal,
    /// Uniform within sqrt(6 / fan in).
    HeUniform,
    /// Truncated normal of variance 2 / fan in.
    HeNormal,
}

impl Initializer {
    const NAMES: [(Initializer, &'static str, &'static str); 6] = [
        (Initializer::Zeros, "zeros", "Zeros"),
        (Initializer::Ones, "ones", "Ones"),
        (Initializer::GlorotUniform, "glorot_uniform", "GlorotUniform"),
        (Initializer::GlorotNormal, "glorot_normal", "GlorotNormal"),
        (Initializer::HeUniform, "he_uniform", "HeUniform"),
        (Initializer::HeNormal, "he_normal", "HeNormal"),
    ];

    /// Keras's class name of it.
    pub fn class_name(self) -> &'static str {
        Self::NAMES.iter().find(|entry| entry.0 == self).map_or("", |entry| entry.2)
    }

    /// Fills a weight of `shape`. A fan is a side of the kernel times its receptive field.
    pub fn fill(self, shape: &[usize], rng: &mut Rng, value: &mut [f32]) {
        let field: usize = shape[..shape.len().saturating_sub(2)].iter().product();
        let (inputs, outputs) = match shape {
            [.., i, o] => (i * field, o * field),
            [only] => (*only, *only),
            [] => (1, 1),
        };
        let variance = match self {
            Initializer::Zeros => return value.fill(0.0),
            Initializer::Ones => return value.fill(1.0),
            Initializer::GlorotUniform | Initializer::GlorotNormal => {
                2.0 / (inputs + outputs) as f32
            }
            Initializer::HeUniform | Initializer::HeNormal => 2.0 / inputs as f32,
        };
        match self {
            Initializer::GlorotUniform | Initializer::HeUniform => {
                let limit = (3.0 * variance).sqrt();
                value.iter_mut().for_each(|x| *x = rng.uniform_in(-limit, limit));
            }
            _ => {
                // Divided by the standard deviation that a normal cut at two deviations keeps.
                let deviation = variance.sqrt() / 0.879_625_7;
                value.iter_mut().for_each(|x| *x = deviation * truncated_normal(rng));
            }
        }
    }
}

fn truncated_normal(rng: &mut Rng) -> f32 {
    loop {
        let x = rng.normal();
        if x.abs() <= 2.0 {
            return x;
        }
    }
}

/// A layer's configuration being read. Unknown keys are ignored (Keras writes many that do not change the arithmetic);
/// known keys with values that mean something else than what is built here are errors.
pub struct Config<'a> {
    map: &'a Map<String, Value>,
}

impl<'a> Config<'a> {
    pub fn new(map: &'a Map<String, Value>) -> Self {
        Self { map }
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn shown(&self, key: &str) -> String {
        self.map.get(key).map_or("none".into(), shown)
    }

    /// A whole number from 1 up.
    pub fn count(&self, key: &str) -> Result<usize> {
        match self.get(key).and_then(Value::as_u64) {
            Some(count) if (1..=MAX_SIZE).contains(&count) => Ok(count as usize),
            _ => bail!(
                Architecture,
                "{key}: expected a whole number from 1 to {MAX_SIZE}, got {}",
                self.shown(key)
            ),
        }
    }

    /// One whole number or two, from 1 up.
    pub fn pair(&self, key: &str, default: Option<[usize; 2]>) -> Result<[usize; 2]> {
        let size = |value: &Value| value.as_u64().filter(|size| (1..=MAX_SIZE).contains(size));
        let pair = match self.get(key) {
            None => default.map(|[a, b]| (a as u64, b as u64)),
            Some(Value::Array(items)) if items.len() == 2 => size(&items[0]).zip(size(&items[1])),
            Some(single) => size(single).map(|size| (size, size)),
        };
        match pair {
            Some((a, b)) => Ok([a as usize, b as usize]),
            None => bail!(
                Architecture,
                "{key}: expected one or two whole numbers from 1 to {MAX_SIZE}, got {}",
                self.shown(key)
            ),
        }
    }

    pub fn number(&self, key: &str, default: f32) -> Result<f32> {
        match self.get(key) {
            None => Ok(default),
            Some(value) => match value.as_f64().map(|x| x as f32).filter(|x| x.is_finite()) {
                Some(x) => Ok(x),
                None => {
                    bail!(Architecture, "{key}: expected a finite number, got {}", shown(value))
                }
            },
        }
    }

    pub fn flag(&self, key: &str, default: bool) -> Result<bool> {
        match self.get(key) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(value) => {
                bail!(Architecture, "{key}: expected true or false, got {}", shown(value))
            }
        }
    }

    pub fn padding(&self) -> Result<Padding> {
        match self.get("padding").map(|value| value.as_str()) {
            None | Some(Some("valid")) => Ok(Padding::Valid),
            Some(Some("same")) => Ok(Padding::Same),
            _ => bail!(
                Architecture,
                "padding: expected \"valid\" or \"same\", got {}",
                self.shown("padding")
            ),
        }
    }

    pub fn activation(&self) -> Result<Activation> {
        match self.get("activation") {
            None => Ok(Activation::Linear),
            Some(Value::String(name)) => activation_named(name),
            Some(value) => match value.get("class_name").and_then(Value::as_str) {
                Some("LeakyReLU") => {
                    let empty = Map::new();
                    let inner = value.get("config").and_then(Value::as_object).unwrap_or(&empty);
                    Ok(Activation::LeakyRelu(Config::new(inner).number("negative_slope", 0.3)?))
                }
                _ => bail!(Architecture, "activation: expected a name, got {}", shown(value)),
            },
        }
    }

    /// An initializer that is not known here becomes `default`: it matters only to a training from scratch.
    pub fn initializer(&self, key: &str, default: Initializer) -> Initializer {
        let name = self
            .get(key)
            .and_then(|value| value.as_str().or_else(|| value.get("class_name")?.as_str()));
        Initializer::NAMES
            .iter()
            .find(|entry| name == Some(entry.1) || name == Some(entry.2))
            .map_or(default, |entry| entry.0)
    }

    /// Refuses a value other than `only`, the one that is built here.
    pub fn only(&self, key: &str, only: Value) -> Result<()> {
        match self.get(key) {
            Some(value) if *value != only => {
                bail!(
                    Architecture,
                    "{key}: only {only} is supported, got {}",
                    shown(value),
                    only = shown(only)
                )
            }
            _ => Ok(()),
        }
    }
}

fn activation_named(name: &str) -> Result<Activation> {
    Ok(match name {
        "linear" => Activation::Linear,
        "relu" => Activation::Relu,
        "relu6" => Activation::Relu6,
        "sigmoid" => Activation::Sigmoid,
        "softmax" => Activation::Softmax,
        "leaky_relu" => Activation::LeakyRelu(0.2),
        "hard_silu" | "hard_swish" => Activation::HardSwish,
        "hard_sigmoid" => Activation::HardSigmoid,
        "silu" | "swish" => Activation::Silu,
        "tanh" => Activation::Tanh,
        _ => bail!(
            Architecture,
            "activation: expected linear, relu, relu6, leaky_relu, sigmoid, hard_sigmoid, silu, \
             hard_silu, tanh or softmax, got {}",
            shown(name)
        ),
    })
}

/// An activation as Keras writes it into a layer's configuration.
pub fn activation_value(activation: Activation) -> Value {
    Value::from(match activation {
        Activation::Linear => "linear",
        Activation::Relu => "relu",
        Activation::Relu6 => "relu6",
        Activation::Sigmoid => "sigmoid",
        Activation::Softmax => "softmax",
        Activation::HardSwish => "hard_silu",
        Activation::HardSigmoid => "hard_sigmoid",
        Activation::Silu => "silu",
        Activation::Tanh => "tanh",
        Activation::LeakyRelu(slope) => {
            let config = object! {"negative_slope": slope};
            return keras_object("keras.layers", "LeakyReLU", config);
        }
    })
}

/// An initializer as Keras writes it.
pub fn initializer_value(initializer: Initializer) -> Value {
    let random = !matches!(initializer, Initializer::Zeros | Initializer::Ones);
    let config = if random {
        object! {"seed": Value::Null}
    } else {
        Map::new()
    };
    keras_object("keras.initializers", initializer.class_name(), config)
}

/// The padding as Keras writes it.
pub fn padding_value(padding: Padding) -> Value {
    Value::from(match padding {
        Padding::Valid => "valid",
        Padding::Same => "same",
    })
}

/// The only input's shape as (H, W, C), or what came instead.
pub fn image_shape(inputs: &[Vec<usize>]) -> Result<[usize; 3]> {
    match inputs {
        [shape] => match shape[..] {
            [h, w, c] => Ok([h, w, c]),
            _ => bail!(Shape, "expected an input of shape (H, W, C), got {shape:?}"),
        },
        _ => bail!(Shape, "expected one input, got {}", inputs.len()),
    }
}

/// The longest side of a window.
const MAX_WINDOW: usize = 4096;
/// The most floats of an image with its border, or of a kernel as it is packed: no length derived from them then
/// overflows, though an address has 32 bits in a browser.
pub(super) const MAX_FLOATS: u64 = 1 << 29;

/// Places `kernel`-sized windows `strides` apart over images of `shape`; `n` is 0.
pub fn window(
    shape: [usize; 3],
    oc: usize,
    kernel: [usize; 2],
    strides: [usize; 2],
    padding: Padding,
) -> Result<Window> {
    let [h, w, c] = shape;
    let [kh, kw] = kernel;
    let [sh, sw] = strides;
    let along = |size: usize, kernel: usize, stride: usize| match padding {
        Padding::Valid => (size + stride).saturating_sub(kernel) / stride,
        Padding::Same => size.div_ceil(stride),
    };
    let before = |size: usize, out: usize, kernel: usize, stride: usize| match padding {
        Padding::Valid => 0,
        Padding::Same => (out.saturating_sub(1) * stride + kernel).saturating_sub(size) / 2,
    };
    let (oh, ow) = (along(h, kh, sh), along(w, kw, sw));
    if oh == 0 || ow == 0 {
        bail!(Shape, "a window of {kh} x {kw} does not fit into an input of {h} x {w}");
    }
    let bordered = ((h + kh) as u64 * (w + kw) as u64).saturating_mul(c.max(oc) as u64);
    if kh.max(kw) > MAX_WINDOW || bordered > MAX_FLOATS {
        bail!(
            Shape,
            "expected a window of at most {MAX_WINDOW} a side and at most {MAX_FLOATS} numbers in the bordered image, \
             got {kh} x {kw} over {h} x {w} of {c} channels to {oc}"
        );
    }
    let (top, left) = (before(h, oh, kh, sh), before(w, ow, kw, sw));
    Ok(Window { n: 0, h, w, c, oh, ow, oc, kh, kw, sh, sw, top, left })
}

/// The same for shapes that were checked when the model was built.
pub fn checked_window(
    inputs: &[Vec<usize>],
    oc: usize,
    n: usize,
    kernel: [usize; 2],
    strides: [usize; 2],
    padding: Padding,
) -> Window {
    let placed = image_shape(inputs).and_then(|shape| window(shape, oc, kernel, strides, padding));
    let placed = placed.unwrap_or_else(|error| unreachable!("checked at building: {error}"));
    Window { n, ..placed }
}
