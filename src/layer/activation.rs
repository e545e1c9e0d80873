//! An activation as a layer of its own.

use serde_json::{Map, Value};

use super::config::{Config, activation_value};
use super::{Backward, Forward, Layer, Traits};
use crate::error::{Result, bail};
use crate::json::{object, shown};
use crate::kernel::activation::{Activation, activation_backward, activation_forward};

/// Applies an activation to every element (softmax: over the last axis). Keras's `Activation`, `ReLU`, `LeakyReLU`
/// and `Softmax`.
#[derive(Clone, Debug)]
pub struct ActivationLayer {
    /// The function.
    pub activation: Activation,
    class_name: &'static str,
}

impl ActivationLayer {
    /// A layer that applies `activation`.
    pub fn new(activation: Activation) -> Self {
        Self { activation, class_name: "Activation" }
    }

    /// Reads Keras's configuration of one of the four classes.
    pub fn from_config(class_name: &str, map: &Map<String, Value>) -> Result<Self> {
        let config = Config::new(map);
        let (class_name, activation) = match class_name {
            "ReLU" => {
                config.only("threshold", 0.0.into()).or(config.only("threshold", 0.into()))?;
                let slope = config.number("negative_slope", 0.0)?;
                let limit = match map.get("max_value") {
                    None | Some(Value::Null) => None,
                    Some(_) => Some(config.number("max_value", 0.0)?),
                };
                let activation = match (limit, slope) {
                    (None, 0.0) => Activation::Relu,
                    (Some(6.0), 0.0) => Activation::Relu6,
                    (None, slope) => Activation::LeakyRelu(slope),
                    (Some(limit), _) => {
                        bail!(Architecture, "max_value: expected null or 6, got {}", shown(limit))
                    }
                };
                ("ReLU", activation)
            }
            "LeakyReLU" => {
                let old = config.number("alpha", 0.3)?;
                ("LeakyReLU", Activation::LeakyRelu(config.number("negative_slope", old)?))
            }
            "Softmax" => {
                config.only("axis", Value::from(-1))?;
                ("Softmax", Activation::Softmax)
            }
            _ => ("Activation", config.activation()?),
        };
        Ok(Self { activation, class_name })
    }
}

impl Layer for ActivationLayer {
    fn class_name(&self) -> &'static str {
        self.class_name
    }

    fn config(&self) -> Map<String, Value> {
        match (self.class_name, self.activation) {
            ("ReLU", Activation::Relu6) => object! {"max_value": 6.0},
            ("ReLU" | "LeakyReLU", Activation::LeakyRelu(slope)) => {
                object! {"negative_slope": slope}
            }
            ("ReLU" | "Softmax", _) => Map::new(),
            (_, activation) => object! {"activation": activation_value(activation)},
        }
    }

    fn output_shape(&self, inputs: &[Vec<usize>]) -> Result<Vec<usize>> {
        match inputs {
            [shape] => Ok(shape.clone()),
            _ => bail!(Shape, "expected one input, got {}", inputs.len()),
        }
    }

    fn makes_probabilities(&self) -> bool {
        matches!(self.activation, Activation::Sigmoid | Activation::Softmax)
    }

    fn traits(&self) -> Traits {
        Traits {
            in_place: true,
            gradient_in_place: true,
            needs_input: self.activation.needs_input(),
            needs_output: true,
            ..Traits::default()
        }
    }

    fn forward(&self, pass: Forward) {
        let classes = pass.shapes.output.last().copied().unwrap_or(1);
        activation_forward(self.activation, classes, pass.output);
    }

    #[cfg(feature = "train")]
    fn backward(&self, pass: Backward) {
        let x = self.activation.needs_input().then(|| pass.inputs.get(0));
        let classes = pass.shapes.output.last().copied().unwrap_or(1);
        activation_backward(self.activation, classes, x, pass.output, pass.doutput);
    }
}
