//! Convolution of each channel with a kernel of its own.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::config::*;
use super::{
    Backward, Forward, Layer, Memory, Shapes, Traits, WeightSpec, fuse_activation, kernel_and_bias,
    split_activation,
};
use crate::error::Result;
use crate::json::object;
use crate::kernel::activation::{Activation, activation_backward};
use crate::kernel::depthwise_conv2d::{
    depthwise_conv2d_backward_input, depthwise_conv2d_backward_kernel, depthwise_conv2d_forward,
    scratch_len,
};
use crate::kernel::{Clamp, Window};

/// `out[y, x, c] = activation(bias[c] + sum over (i, j) of in[y*sh + i, x*sw + j, c] * kernel[i, j, c, 0])`.
///
/// (H, W, C) to (OH, OW, C); weights `kernel` (KH, KW, C, 1) and `bias` (C). Keras's `DepthwiseConv2D` with a
/// `depth_multiplier` of 1.
#[derive(Clone, Debug)]
pub struct DepthwiseConv2D {
    /// Height and width of a kernel.
    pub kernel_size: [usize; 2],
    /// Steps between two places of the kernel, down and across.
    pub strides: [usize; 2],
    /// What happens at the border.
    pub padding: Padding,
    /// Whether a bias is added.
    pub use_bias: bool,
    /// Applied to the sum.
    pub activation: Activation,
    /// What the kernel starts as.
    pub depthwise_initializer: Initializer,
}

impl DepthwiseConv2D {
    /// A kernel of `size` x `size`, stride 1, `valid`, with a bias, linear.
    pub fn new(size: usize) -> Self {
        Self {
            kernel_size: [size; 2],
            strides: [1; 2],
            padding: Padding::Valid,
            use_bias: true,
            activation: Activation::Linear,
            depthwise_initializer: Initializer::GlorotUniform,
        }
    }

    /// Reads Keras's configuration.
    pub fn from_config(map: &Map<String, Value>) -> Result<Self> {
        let config = Config::new(map);
        config.only("dilation_rate", [1, 1].into()).or(config.only("dilation_rate", 1.into()))?;
        config.only("depth_multiplier", 1.into())?;
        config.only("data_format", "channels_last".into())?;
        Ok(Self {
            kernel_size: config.pair("kernel_size", None)?,
            strides: config.pair("strides", Some([1; 2]))?,
            padding: config.padding()?,
            use_bias: config.flag("use_bias", true)?,
            activation: config.activation()?,
            depthwise_initializer: config
                .initializer("depthwise_initializer", Initializer::GlorotUniform),
        })
    }

    fn window(&self, shapes: &Shapes, n: usize) -> Window {
        let (kernel, strides) = (self.kernel_size, self.strides);
        let channels = shapes.inputs[0][2];
        checked_window(&shapes.inputs, channels, n, kernel, strides, self.padding)
    }
}

impl Layer for DepthwiseConv2D {
    fn class_name(&self) -> &'static str {
        "DepthwiseConv2D"
    }

    fn config(&self) -> Map<String, Value> {
        object! {
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": padding_value(self.padding),
            "depth_multiplier": 1,
            "use_bias": self.use_bias,
            "activation": activation_value(self.activation),
            "depthwise_initializer": initializer_value(self.depthwise_initializer),
        }
    }

    fn output_shape(&self, inputs: &[Vec<usize>]) -> Result<Vec<usize>> {
        let shape = image_shape(inputs)?;
        let s = window(shape, shape[2], self.kernel_size, self.strides, self.padding)?;
        Ok(vec![s.oh, s.ow, s.oc])
    }

    fn terms(&self, _inputs: &[Vec<usize>]) -> usize {
        self.kernel_size.iter().product()
    }

    fn weights(&self, inputs: &[Vec<usize>]) -> Vec<WeightSpec> {
        let [kh, kw] = self.kernel_size;
        let shape = vec![kh, kw, inputs[0][2], 1];
        kernel_and_bias(shape, self.depthwise_initializer, inputs[0][2], self.use_bias)
    }

    fn lower(&self) -> Option<Vec<(Arc<dyn Layer>, usize)>> {
        let linear = Self { activation: Activation::Linear, ..self.clone() };
        split_activation(linear, self.use_bias, self.activation)
    }

    fn fuse(&self, next: &dyn Layer, _output: &[usize]) -> Option<Arc<dyn Layer>> {
        let activation = fuse_activation(self.activation, next)?;
        Some(Arc::new(Self { activation, ..self.clone() }))
    }

    fn with_affine(&self) -> Option<Arc<dyn Layer>> {
        let linear = self.activation == Activation::Linear;
        linear.then(|| Arc::new(Self { use_bias: true, ..self.clone() }) as Arc<dyn Layer>)
    }

    fn memory(&self, shapes: &Shapes) -> Memory {
        Memory { scratch: scratch_len(&self.window(shapes, shapes.n)), ..Memory::default() }
    }

    fn traits(&self) -> Traits {
        let clamped = self.activation != Activation::Linear;
        Traits { needs_input: true, needs_output: clamped, ..Traits::default() }
    }

    fn forward(&self, pass: Forward) {
        let s = self.window(pass.shapes, pass.n);
        let kernel = &pass.parameters[0].value;
        let bias = pass.parameters.get(1).map(|bias| &bias.value[..]);
        let clamp = self.activation.clamp().unwrap_or(Clamp::LINEAR);
        let x = pass.inputs.get(0);
        depthwise_conv2d_forward(&s, x, kernel, bias, clamp, pass.output, pass.scratch);
    }

    #[cfg(feature = "train")]
    fn backward(&self, pass: Backward) {
        let s = self.window(pass.shapes, pass.n);
        if self.activation != Activation::Linear {
            activation_backward(self.activation, s.oc, None, pass.output, pass.doutput);
        }
        let (kernel, bias) = pass.parameters.split_at_mut(1);
        if kernel[0].trainable {
            let dbias = bias.first_mut().map(|bias| &mut bias.gradient[..]);
            let (x, dkernel) = (pass.inputs.get(0), &mut kernel[0].gradient);
            depthwise_conv2d_backward_kernel(&s, x, pass.doutput, dkernel, dbias, pass.scratch);
        }
        if let Some(dx) = pass.dinputs.first_mut().filter(|dx| !dx.is_empty()) {
            let dx = &mut dx[..s.n * s.input_len()];
            let kernel = &kernel[0].value;
            depthwise_conv2d_backward_input(&s, pass.doutput, kernel, dx, pass.scratch);
        }
    }
}
