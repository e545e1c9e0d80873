//! The fully connected layer.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::config::*;
use super::{
    Backward, Forward, Layer, Memory, Shapes, Traits, WeightSpec, fuse_activation, kernel_and_bias,
    split_activation,
};
use crate::error::{Result, bail};
use crate::json::object;
use crate::kernel::Clamp;
use crate::kernel::activation::{Activation, activation_backward};
use crate::kernel::dense::{
    DenseShape, dense_backward_input, dense_backward_kernel, dense_forward, scratch_len,
};

/// Joins every input with every unit: `out[j] = activation(bias[j] + sum over i of in[i] * kernel[i, j])`.
///
/// (inputs) to (units); weights `kernel` (inputs, units) and `bias` (units). Keras's `Dense`.
#[derive(Clone, Debug)]
pub struct Dense {
    /// How many outputs.
    pub units: usize,
    /// Whether a bias is added.
    pub use_bias: bool,
    /// Applied to the sum.
    pub activation: Activation,
    /// What the kernel starts as.
    pub kernel_initializer: Initializer,
}

impl Dense {
    /// `units` outputs with a bias, linear.
    pub fn new(units: usize) -> Self {
        Self {
            units,
            use_bias: true,
            activation: Activation::Linear,
            kernel_initializer: Initializer::GlorotUniform,
        }
    }

    /// The same layer with an activation.
    pub fn activation(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }

    /// Reads Keras's configuration.
    pub fn from_config(map: &Map<String, Value>) -> Result<Self> {
        let config = Config::new(map);
        Ok(Self {
            units: config.count("units")?,
            use_bias: config.flag("use_bias", true)?,
            activation: config.activation()?,
            kernel_initializer: config
                .initializer("kernel_initializer", Initializer::GlorotUniform),
        })
    }

    fn shape(&self, shapes: &Shapes, n: usize) -> DenseShape {
        DenseShape { n, inputs: shapes.input_len(0), outputs: self.units }
    }
}

impl Layer for Dense {
    fn class_name(&self) -> &'static str {
        "Dense"
    }

    fn config(&self) -> Map<String, Value> {
        object! {
            "units": self.units,
            "use_bias": self.use_bias,
            "activation": activation_value(self.activation),
            "kernel_initializer": initializer_value(self.kernel_initializer),
        }
    }

    fn output_shape(&self, inputs: &[Vec<usize>]) -> Result<Vec<usize>> {
        match inputs {
            [shape] if shape.len() == 1 => Ok(vec![self.units]),
            _ => bail!(Shape, "expected one flat input (a Flatten before it), got {inputs:?}"),
        }
    }

    fn terms(&self, inputs: &[Vec<usize>]) -> usize {
        inputs[0][0]
    }

    fn weights(&self, inputs: &[Vec<usize>]) -> Vec<WeightSpec> {
        let shape = vec![inputs[0][0], self.units];
        kernel_and_bias(shape, self.kernel_initializer, self.units, self.use_bias)
    }

    fn lower(&self) -> Option<Vec<(Arc<dyn Layer>, usize)>> {
        let linear = Self { activation: Activation::Linear, ..self.clone() };
        split_activation(linear, self.use_bias, self.activation)
    }

    fn fuse(&self, next: &dyn Layer, _output: &[usize]) -> Option<Arc<dyn Layer>> {
        let activation = fuse_activation(self.activation, next)?;
        Some(Arc::new(Self { activation, ..self.clone() }))
    }

    fn memory(&self, shapes: &Shapes) -> Memory {
        Memory { scratch: scratch_len(&self.shape(shapes, shapes.n)), ..Memory::default() }
    }

    fn traits(&self) -> Traits {
        let clamped = self.activation != Activation::Linear;
        Traits { needs_input: true, needs_output: clamped, whole_batch: true, ..Traits::default() }
    }

    fn forward(&self, pass: Forward) {
        let s = self.shape(pass.shapes, pass.n);
        let kernel = &pass.parameters[0].value;
        let bias = pass.parameters.get(1).map(|bias| &bias.value[..]);
        let clamp = self.activation.clamp().unwrap_or(Clamp::LINEAR);
        dense_forward(&s, pass.inputs.get(0), kernel, bias, clamp, pass.output, pass.scratch);
    }

    #[cfg(feature = "train")]
    fn backward(&self, pass: Backward) {
        let s = self.shape(pass.shapes, pass.n);
        if self.activation != Activation::Linear {
            activation_backward(self.activation, self.units, None, pass.output, pass.doutput);
        }
        let (kernel, bias) = pass.parameters.split_at_mut(1);
        if kernel[0].trainable {
            let dbias = bias.first_mut().map(|bias| &mut bias.gradient[..]);
            let (x, dkernel) = (pass.inputs.get(0), &mut kernel[0].gradient);
            dense_backward_kernel(&s, x, pass.doutput, dkernel, dbias, pass.scratch);
        }
        if let Some(dx) = pass.dinputs.first_mut().filter(|dx| !dx.is_empty()) {
            let dx = &mut dx[..s.n * s.inputs];
            dense_backward_input(&s, pass.doutput, &kernel[0].value, dx, pass.scratch);
        }
    }
}
