//! A factor and an offset, the same for every element.

use serde_json::{Map, Value};

use super::config::Config;
use super::{Backward, Forward, Layer, Traits};
use crate::error::{Result, bail};
use crate::json::object;

/// out = scale x + offset. Keras's `Rescaling`, which many Keras models begin with: a model file for such a model says
/// `"input": {"rescale": 1}`.
#[derive(Clone, Debug)]
pub struct Rescaling {
    /// The factor.
    pub scale: f32,
    /// What is added.
    pub offset: f32,
}

impl Rescaling {
    /// Reads Keras's configuration.
    pub fn from_config(map: &Map<String, Value>) -> Result<Self> {
        let config = Config::new(map);
        Ok(Self { scale: config.number("scale", 1.0)?, offset: config.number("offset", 0.0)? })
    }
}

impl Layer for Rescaling {
    fn class_name(&self) -> &'static str {
        "Rescaling"
    }

    fn config(&self) -> Map<String, Value> {
        object! {"scale": self.scale, "offset": self.offset}
    }

    fn output_shape(&self, inputs: &[Vec<usize>]) -> Result<Vec<usize>> {
        match inputs {
            [shape] => Ok(shape.clone()),
            _ => bail!(Shape, "expected one input, got {}", inputs.len()),
        }
    }

    fn traits(&self) -> Traits {
        Traits { in_place: true, gradient_in_place: true, ..Traits::default() }
    }

    fn forward(&self, pass: Forward) {
        pass.output.iter_mut().for_each(|x| *x = *x * self.scale + self.offset);
    }

    #[cfg(feature = "train")]
    fn backward(&self, pass: Backward) {
        pass.doutput.iter_mut().for_each(|dx| *dx *= self.scale);
    }
}
