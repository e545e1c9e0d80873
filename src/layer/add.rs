//! Where a skip connection comes back.

use serde_json::{Map, Value};

use super::{Backward, Forward, Layer, Traits};
use crate::error::{Result, bail};
use crate::kernel::elementwise::add_assign;

/// The sum of inputs of one shape, element by element. Keras's `Add`.
#[derive(Clone, Debug, Default)]
pub struct Add;

impl Layer for Add {
    fn class_name(&self) -> &'static str {
        "Add"
    }

    fn config(&self) -> Map<String, Value> {
        Map::new()
    }

    fn output_shape(&self, inputs: &[Vec<usize>]) -> Result<Vec<usize>> {
        match inputs {
            [first, others @ ..] if !others.is_empty() && others.iter().all(|s| s == first) => {
                Ok(first.clone())
            }
            _ => bail!(Shape, "expected two or more inputs of one shape, got {inputs:?}"),
        }
    }

    fn traits(&self) -> Traits {
        Traits { in_place: true, gradient_in_place: true, ..Traits::default() }
    }

    fn forward(&self, pass: Forward) {
        for i in 1..pass.shapes.inputs.len() {
            add_assign(pass.output, pass.inputs.get(i));
        }
    }

    #[cfg(feature = "train")]
    fn backward(&self, pass: Backward) {
        for dinput in pass.dinputs.iter_mut().skip(1).filter(|dinput| !dinput.is_empty()) {
            dinput[..pass.doutput.len()].copy_from_slice(pass.doutput);
        }
    }
}
