//! From maps to one row of numbers.

use serde_json::{Map, Value};

use super::{Backward, Forward, Layer, Traits};
use crate::error::{Result, bail};

/// (H, W, C) to (H * W * C): the values stay where they are. Keras's `Flatten`.
#[derive(Clone, Debug, Default)]
pub struct Flatten;

impl Layer for Flatten {
    fn class_name(&self) -> &'static str {
        "Flatten"
    }

    fn config(&self) -> Map<String, Value> {
        Map::new()
    }

    fn output_shape(&self, inputs: &[Vec<usize>]) -> Result<Vec<usize>> {
        match inputs {
            [shape] => Ok(vec![shape.iter().product()]),
            _ => bail!(Shape, "expected one input, got {}", inputs.len()),
        }
    }

    fn traits(&self) -> Traits {
        Traits { identity: true, in_place: true, gradient_in_place: true, ..Traits::default() }
    }

    fn forward(&self, _pass: Forward) {}

    #[cfg(feature = "train")]
    fn backward(&self, _pass: Backward) {}
}
