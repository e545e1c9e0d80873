//! One mean a channel.

use serde_json::{Map, Value};

use super::config::{Config, image_shape};
use super::{Backward, Forward, Layer, Shapes};
use crate::error::Result;
use crate::json::object;
use crate::kernel::pool::{global_average_pool_backward, global_average_pool_forward};

/// `out[c] = mean over all places of in[.., .., c]`. (H, W, C) to (C), or (1, 1, C) with `keepdims`.
/// Keras's `GlobalAveragePooling2D`.
#[derive(Clone, Debug, Default)]
pub struct GlobalAveragePooling2D {
    /// Whether the output keeps its two axes of size 1.
    pub keepdims: bool,
}

impl GlobalAveragePooling2D {
    /// Reads Keras's configuration.
    pub fn from_config(map: &Map<String, Value>) -> Result<Self> {
        let config = Config::new(map);
        config.only("data_format", "channels_last".into())?;
        Ok(Self { keepdims: config.flag("keepdims", false)? })
    }
}

/// Places and channels of the input.
fn sizes(shapes: &Shapes) -> (usize, usize) {
    let shape = &shapes.inputs[0];
    (shape[0] * shape[1], shape[2])
}

impl Layer for GlobalAveragePooling2D {
    fn class_name(&self) -> &'static str {
        "GlobalAveragePooling2D"
    }

    fn config(&self) -> Map<String, Value> {
        object! {"keepdims": self.keepdims}
    }

    fn output_shape(&self, inputs: &[Vec<usize>]) -> Result<Vec<usize>> {
        let [_, _, c] = image_shape(inputs)?;
        Ok(if self.keepdims { vec![1, 1, c] } else { vec![c] })
    }

    fn terms(&self, inputs: &[Vec<usize>]) -> usize {
        inputs[0][0] * inputs[0][1]
    }

    fn forward(&self, pass: Forward) {
        let (places, c) = sizes(pass.shapes);
        global_average_pool_forward(pass.n, places, c, pass.inputs.get(0), pass.output);
    }

    #[cfg(feature = "train")]
    fn backward(&self, pass: Backward) {
        let (places, c) = sizes(pass.shapes);
        if let Some(dx) = pass.dinputs.first_mut().filter(|dx| !dx.is_empty()) {
            let dx = &mut dx[..pass.n * places * c];
            global_average_pool_backward(pass.n, places, c, pass.doutput, dx);
        }
    }
}
