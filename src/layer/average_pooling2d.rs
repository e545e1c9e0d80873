//! Pooling that keeps the mean.

use serde_json::{Map, Value};

use super::config::*;
use super::max_pooling2d::{pooling_config, pooling_shape, pooling_window};
use super::{Backward, Forward, Layer, Shapes};
use crate::error::Result;
use crate::json::object;
use crate::kernel::Window;
use crate::kernel::pool::{average_pool_backward, average_pool_forward};

/// `out[y, x, c] = mean over the window of in[.., .., c]`; padding is not counted. (H, W, C) to (OH, OW, C).
/// Keras's `AveragePooling2D`.
#[derive(Clone, Debug)]
pub struct AveragePooling2D {
    /// Height and width of a window.
    pub pool_size: [usize; 2],
    /// Steps between two windows, down and across.
    pub strides: [usize; 2],
    /// What happens at the border.
    pub padding: Padding,
}

impl AveragePooling2D {
    /// Windows of `size` x `size` side by side.
    pub fn new(size: usize) -> Self {
        Self { pool_size: [size; 2], strides: [size; 2], padding: Padding::Valid }
    }

    /// Reads Keras's configuration.
    pub fn from_config(map: &Map<String, Value>) -> Result<Self> {
        let (pool_size, strides, padding) = pooling_config(map)?;
        Ok(Self { pool_size, strides, padding })
    }

    fn window(&self, shapes: &Shapes, n: usize) -> Window {
        pooling_window(shapes, n, self.pool_size, self.strides, self.padding)
    }
}

impl Layer for AveragePooling2D {
    fn class_name(&self) -> &'static str {
        "AveragePooling2D"
    }

    fn config(&self) -> Map<String, Value> {
        object! {
            "pool_size": self.pool_size,
            "strides": self.strides,
            "padding": padding_value(self.padding),
        }
    }

    fn output_shape(&self, inputs: &[Vec<usize>]) -> Result<Vec<usize>> {
        pooling_shape(inputs, self.pool_size, self.strides, self.padding)
    }

    fn terms(&self, _inputs: &[Vec<usize>]) -> usize {
        self.pool_size.iter().product()
    }

    fn forward(&self, pass: Forward) {
        let s = self.window(pass.shapes, pass.n);
        average_pool_forward(&s, pass.inputs.get(0), pass.output);
    }

    #[cfg(feature = "train")]
    fn backward(&self, pass: Backward) {
        let s = self.window(pass.shapes, pass.n);
        if let Some(dx) = pass.dinputs.first_mut().filter(|dx| !dx.is_empty()) {
            average_pool_backward(&s, pass.doutput, &mut dx[..s.n * s.input_len()]);
        }
    }
}
