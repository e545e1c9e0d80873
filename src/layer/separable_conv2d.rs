//! A convolution in two: each channel in space, then across the channels.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::config::*;
use super::{Backward, Conv2D, DepthwiseConv2D, Forward, Layer, WeightSpec};
use crate::error::Result;
use crate::json::object;

/// A [`DepthwiseConv2D`] without bias or activation, then a 1 x 1 [`Conv2D`] with both.
///
/// (H, W, C) to (OH, OW, filters); weights `depthwise_kernel` (KH, KW, C, 1), `pointwise_kernel` (1, 1, C, filters) and
/// `bias` (filters). Keras's `SeparableConv2D` with a `depth_multiplier` of 1.
#[derive(Clone, Debug)]
pub struct SeparableConv2D {
    depthwise: DepthwiseConv2D,
    pointwise: Conv2D,
}

impl SeparableConv2D {
    /// `filters` outputs of kernels of `size` x `size`, stride 1, `valid`, with a bias, linear.
    pub fn new(filters: usize, size: usize) -> Self {
        let depthwise = DepthwiseConv2D { use_bias: false, ..DepthwiseConv2D::new(size) };
        Self { depthwise, pointwise: Conv2D::new(filters, 1) }
    }

    /// Reads Keras's configuration.
    pub fn from_config(map: &Map<String, Value>) -> Result<Self> {
        let config = Config::new(map);
        let depthwise = DepthwiseConv2D::from_config(map)?;
        let linear = crate::kernel::activation::Activation::Linear;
        Ok(Self {
            depthwise: DepthwiseConv2D { use_bias: false, activation: linear, ..depthwise },
            pointwise: Conv2D {
                use_bias: config.flag("use_bias", true)?,
                activation: config.activation()?,
                kernel_initializer: config
                    .initializer("pointwise_initializer", Initializer::GlorotUniform),
                ..Conv2D::new(config.count("filters")?, 1)
            },
        })
    }
}

impl Layer for SeparableConv2D {
    fn class_name(&self) -> &'static str {
        "SeparableConv2D"
    }

    fn config(&self) -> Map<String, Value> {
        object! {
            "filters": self.pointwise.filters,
            "kernel_size": self.depthwise.kernel_size,
            "strides": self.depthwise.strides,
            "padding": padding_value(self.depthwise.padding),
            "depth_multiplier": 1,
            "use_bias": self.pointwise.use_bias,
            "activation": activation_value(self.pointwise.activation),
            "depthwise_initializer": initializer_value(self.depthwise.depthwise_initializer),
            "pointwise_initializer": initializer_value(self.pointwise.kernel_initializer),
        }
    }

    fn output_shape(&self, inputs: &[Vec<usize>]) -> Result<Vec<usize>> {
        self.pointwise.output_shape(&[self.depthwise.output_shape(inputs)?])
    }

    fn weights(&self, inputs: &[Vec<usize>]) -> Vec<WeightSpec> {
        let named = |name: &'static str| {
            move |spec: WeightSpec| {
                if spec.name == "kernel" { WeightSpec { name, ..spec } } else { spec }
            }
        };
        // The depthwise output has the input's channels, all that the pointwise weights depend on.
        let depthwise = self.depthwise.weights(inputs).into_iter().map(named("depthwise_kernel"));
        depthwise
            .chain(self.pointwise.weights(inputs).into_iter().map(named("pointwise_kernel")))
            .collect()
    }

    fn lower(&self) -> Option<Vec<(Arc<dyn Layer>, usize)>> {
        let pointwise: Arc<dyn Layer> = Arc::new(self.pointwise.clone());
        let weights = 1 + usize::from(self.pointwise.use_bias);
        let mut layers: Vec<(Arc<dyn Layer>, usize)> = vec![(Arc::new(self.depthwise.clone()), 1)];
        layers.extend(pointwise.lower().unwrap_or_else(|| vec![(pointwise, weights)]));
        Some(layers)
    }

    fn forward(&self, _pass: Forward) {
        unreachable!("lowered into its two convolutions");
    }

    #[cfg(feature = "train")]
    fn backward(&self, _pass: Backward) {
        unreachable!("lowered into its two convolutions");
    }
}
