//! Pooling that keeps the largest value.

use serde_json::{Map, Value};

use super::config::*;
use super::{Backward, BackwardMemory, Forward, Layer, Shapes, Traits};
use crate::error::{Result, bail};
use crate::json::object;
use crate::kernel::Window;
use crate::kernel::pool::{max_pool_backward, max_pool_forward};

/// `out[y, x, c] = max over the window of in[.., .., c]`: each channel apart. (H, W, C) to (OH, OW, C).
/// Keras's `MaxPooling2D`. The gradient goes to the first maximum in row-major order.
#[derive(Clone, Debug)]
pub struct MaxPooling2D {
    /// Height and width of a window.
    pub pool_size: [usize; 2],
    /// Steps between two windows, down and across.
    pub strides: [usize; 2],
    /// What happens at the border; padding never wins.
    pub padding: Padding,
}

impl MaxPooling2D {
    /// Windows of `size` x `size` side by side.
    pub fn new(size: usize) -> Self {
        Self { pool_size: [size; 2], strides: [size; 2], padding: Padding::Valid }
    }

    /// Reads Keras's configuration.
    pub fn from_config(map: &Map<String, Value>) -> Result<Self> {
        let (pool_size, strides, padding) = pooling_config(map)?;
        if pool_size[0].saturating_mul(pool_size[1]) > 255 {
            bail!(Architecture, "pool_size: expected at most 255 places, got {pool_size:?}");
        }
        Ok(Self { pool_size, strides, padding })
    }

    fn window(&self, shapes: &Shapes, n: usize) -> Window {
        pooling_window(shapes, n, self.pool_size, self.strides, self.padding)
    }
}

/// What the pooling layers have in common: `pool_size`, `strides`, `padding`.
pub(super) fn pooling_config(
    map: &Map<String, Value>,
) -> Result<([usize; 2], [usize; 2], Padding)> {
    let config = Config::new(map);
    config.only("data_format", "channels_last".into())?;
    let pool_size = config.pair("pool_size", Some([2; 2]))?;
    Ok((pool_size, config.pair("strides", Some(pool_size))?, config.padding()?))
}

pub(super) fn pooling_shape(
    inputs: &[Vec<usize>],
    pool_size: [usize; 2],
    strides: [usize; 2],
    padding: Padding,
) -> Result<Vec<usize>> {
    let shape = image_shape(inputs)?;
    let s = window(shape, shape[2], pool_size, strides, padding)?;
    Ok(vec![s.oh, s.ow, s.oc])
}

pub(super) fn pooling_window(
    shapes: &Shapes,
    n: usize,
    pool_size: [usize; 2],
    strides: [usize; 2],
    padding: Padding,
) -> Window {
    checked_window(&shapes.inputs, shapes.inputs[0][2], n, pool_size, strides, padding)
}

impl Layer for MaxPooling2D {
    fn class_name(&self) -> &'static str {
        "MaxPooling2D"
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

    #[cfg(feature = "train")]
    fn backward_memory(&self, shapes: &Shapes) -> BackwardMemory {
        BackwardMemory { indices: shapes.n * shapes.output_len(), ..BackwardMemory::default() }
    }

    fn traits(&self) -> Traits {
        Traits::default()
    }

    fn forward(&self, pass: Forward) {
        let s = self.window(pass.shapes, pass.n);
        let len = pass.output.len();
        let indices = pass.trains().then(|| &mut pass.state.indices[..len]);
        max_pool_forward(&s, pass.inputs.get(0), pass.output, indices);
    }

    #[cfg(feature = "train")]
    fn backward(&self, pass: Backward) {
        let s = self.window(pass.shapes, pass.n);
        if let Some(dx) = pass.dinputs.first_mut().filter(|dx| !dx.is_empty()) {
            let indices = &pass.state.indices[..pass.doutput.len()];
            max_pool_backward(&s, pass.doutput, indices, &mut dx[..s.n * s.input_len()]);
        }
    }
}
