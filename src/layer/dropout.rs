//! Forgetting at random, while training.

use serde_json::{Map, Value};

use super::config::Config;
use super::{Backward, BackwardMemory, Forward, Layer, Shapes, Traits};
use crate::error::{Result, bail};
use crate::json::{object, shown};

/// Sets a share `rate` of the values to 0 and scales the others by `1 / (1 - rate)`; does nothing outside of training.
/// Keras's `Dropout`.
#[derive(Clone, Debug)]
pub struct Dropout {
    /// The share that is dropped, from 0 up to but not including 1.
    pub rate: f32,
}

impl Dropout {
    /// Drops a share of `rate`.
    pub fn new(rate: f32) -> Self {
        Self { rate }
    }

    /// Reads Keras's configuration.
    pub fn from_config(map: &Map<String, Value>) -> Result<Self> {
        Ok(Self { rate: Config::new(map).number("rate", 0.5)? })
    }

    fn scale(&self) -> f32 {
        1.0 / (1.0 - self.rate)
    }
}

impl Layer for Dropout {
    fn class_name(&self) -> &'static str {
        "Dropout"
    }

    fn config(&self) -> Map<String, Value> {
        object! {"rate": self.rate}
    }

    fn output_shape(&self, inputs: &[Vec<usize>]) -> Result<Vec<usize>> {
        if !(0.0..1.0).contains(&self.rate) {
            bail!(
                Architecture,
                "rate: expected a number from 0 to below 1, got {}",
                shown(self.rate)
            );
        }
        match inputs {
            [shape] => Ok(shape.clone()),
            _ => bail!(Shape, "expected one input, got {}", inputs.len()),
        }
    }

    #[cfg(feature = "train")]
    fn backward_memory(&self, shapes: &Shapes) -> BackwardMemory {
        BackwardMemory { indices: shapes.n * shapes.output_len(), ..BackwardMemory::default() }
    }

    fn traits(&self) -> Traits {
        Traits { in_place: true, gradient_in_place: true, training_only: true, ..Traits::default() }
    }

    fn forward(&self, mut pass: Forward) {
        if !pass.trains() {
            return;
        }
        let scale = self.scale();
        for (x, kept) in pass.output.iter_mut().zip(&mut pass.state.indices) {
            *kept = u8::from(pass.rng.uniform() >= self.rate);
            *x *= f32::from(*kept) * scale;
        }
    }

    #[cfg(feature = "train")]
    fn backward(&self, pass: Backward) {
        let scale = self.scale();
        for (dx, kept) in pass.doutput.iter_mut().zip(&pass.state.indices) {
            *dx *= f32::from(*kept) * scale;
        }
    }
}
