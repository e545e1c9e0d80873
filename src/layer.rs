//! What a layer is: it checks shapes once, then calls a kernel forward and the mirrored kernel backward.
//!
//! Names, arguments and defaults are Keras's. A layer holds its configuration only; weights live in [`Parameter`]s and
//! everything a step computes lives in buffers that the model planned, so that a step allocates nothing.

use std::any::Any;
use std::fmt::{self, Debug};
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::error::{Result, bail};
use crate::json::shown;
use crate::rng::Rng;

mod activation;
mod add;
mod average_pooling2d;
mod batch_normalization;
mod concatenate;
pub(crate) mod config;
mod conv2d;
mod dense;
mod depthwise_conv2d;
mod dropout;
mod flatten;
mod global_average_pooling2d;
mod max_pooling2d;
mod rescaling;
mod separable_conv2d;
mod zero_padding2d;

pub use crate::kernel::activation::Activation;
pub use activation::ActivationLayer;
pub use add::Add;
pub use average_pooling2d::AveragePooling2D;
pub use batch_normalization::BatchNormalization;
pub use concatenate::Concatenate;
pub use config::{Initializer, Padding};
pub use conv2d::Conv2D;
pub use dense::Dense;
pub use depthwise_conv2d::DepthwiseConv2D;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use global_average_pooling2d::GlobalAveragePooling2D;
pub use max_pooling2d::MaxPooling2D;
pub use rescaling::Rescaling;
pub use separable_conv2d::SeparableConv2D;
pub use zero_padding2d::ZeroPadding2D;

/// A layer: configuration, shapes, and the two ways through it.
pub trait Layer: Any + Send + Sync {
    /// Keras's name of the class: `Conv2D`.
    fn class_name(&self) -> &'static str;

    /// The configuration under Keras's keys, without the layer's name.
    fn config(&self) -> Map<String, Value>;

    /// The shape of one sample's output for these inputs, or why they do not fit.
    fn output_shape(&self, inputs: &[Vec<usize>]) -> Result<Vec<usize>>;

    /// How many numbers of these (checked) inputs one number of the output is made of: what the layer costs.
    fn terms(&self, inputs: &[Vec<usize>]) -> usize {
        inputs.len()
    }

    /// The weights this layer has for these (checked) inputs, in Keras's order.
    fn weights(&self, _inputs: &[Vec<usize>]) -> Vec<WeightSpec> {
        Vec::new()
    }

    /// Simpler layers that do the same in a row, each with as many of this layer's weights as stand beside it.
    fn lower(&self) -> Option<Vec<(Arc<dyn Layer>, usize)>> {
        None
    }

    /// One layer that does this one's work and then `next`'s, where a kernel can.
    fn fuse(&self, _next: &dyn Layer, _output: &[usize]) -> Option<Arc<dyn Layer>> {
        None
    }

    /// Whether this is the sigmoid or softmax that a loss takes over when it ends a model.
    fn makes_probabilities(&self) -> bool {
        false
    }

    /// This layer with a bias, and room in its weights for a factor and a summand a channel: where normalization goes.
    fn with_affine(&self) -> Option<Arc<dyn Layer>> {
        None
    }

    /// The layer that does this one's work, where a kernel is faster whose last digits differ.
    fn faster(&self, _inputs: &[Vec<usize>], _training: bool) -> Option<Arc<dyn Layer>> {
        None
    }

    /// What this layer keeps between calls, for a batch of `shapes.n`.
    fn memory(&self, _shapes: &Shapes) -> Memory {
        Memory::default()
    }

    /// What it keeps beside that where `backward` follows.
    #[cfg(feature = "train")]
    fn backward_memory(&self, _shapes: &Shapes) -> BackwardMemory {
        BackwardMemory::default()
    }

    /// Which buffers `forward` and `backward` share or need.
    fn traits(&self) -> Traits {
        Traits::default()
    }

    /// Puts changed weights into the form that the kernels read (`state.packed`). Called once per change.
    fn prepare(&self, _shapes: &Shapes, _parameters: &[Parameter], _state: &mut State) {}

    /// Computes the output from the inputs.
    fn forward(&self, pass: Forward);

    /// Computes the gradients of inputs and weights from that of the output.
    #[cfg(feature = "train")]
    fn backward(&self, pass: Backward);
}

/// Its class and configuration. Not each layer's own, which would all come into the wasm.
impl Debug for dyn Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.class_name(), Value::Object(self.config()))
    }
}

/// How a layer's buffers relate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traits {
    /// The output is the input: neither way has anything to do.
    pub identity: bool,
    /// `forward` turns its first input into the output in place.
    pub in_place: bool,
    /// `backward` turns the output's gradient into the first input's in place.
    pub gradient_in_place: bool,
    /// `backward` reads the inputs.
    pub needs_input: bool,
    /// `backward` reads the output.
    pub needs_output: bool,
    /// Does nothing when not training.
    pub training_only: bool,
    /// Reads more weights than samples, so that it pays to have all samples of a batch at once.
    pub whole_batch: bool,
}

/// The shapes a layer runs at: of one sample each, and the batch size.
#[derive(Clone, Debug)]
pub struct Shapes {
    /// Samples in a batch.
    pub n: usize,
    /// Of each input.
    pub inputs: Vec<Vec<usize>>,
    /// Of the output.
    pub output: Vec<usize>,
}

impl Shapes {
    /// Floats in input `i` of one sample.
    pub fn input_len(&self, i: usize) -> usize {
        product(&self.inputs[i])
    }

    /// Floats in the output of one sample.
    pub fn output_len(&self) -> usize {
        product(&self.output)
    }
}

/// Numbers in a tensor. Out of line, since it would be vectorized at each of its many places.
#[inline(never)]
fn product(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// How much a layer keeps, in elements.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Weights as the forward kernel reads them.
    pub packed: usize,
    /// Floats needed during a call only; shared by all layers.
    pub scratch: usize,
}

/// How much a layer keeps for the way back, in elements: the mirror of [`Memory`].
#[derive(Clone, Copy, Debug, Default)]
pub struct BackwardMemory {
    /// Weights as the backward kernel reads them.
    pub packed: usize,
    /// Floats that a training forward leaves for backward.
    pub saved: usize,
    /// Bytes that a training forward leaves for backward.
    pub indices: usize,
    /// Floats needed during a call, where that is more than [`Memory::scratch`].
    pub scratch: usize,
}

/// The buffers behind [`Memory`] and [`BackwardMemory`].
#[derive(Clone, Debug, Default)]
pub struct State {
    /// See [`Memory::packed`].
    pub packed: Vec<f32>,
    /// See [`BackwardMemory::packed`].
    pub packed_backward: Vec<f32>,
    /// See [`BackwardMemory::saved`].
    pub saved: Vec<f32>,
    /// See [`BackwardMemory::indices`].
    pub indices: Vec<u8>,
}

/// One weight of a layer: what it is called, its shape, how it starts.
#[derive(Clone, Debug)]
pub struct WeightSpec {
    /// Keras's name within the layer: `kernel`.
    pub name: &'static str,
    /// Keras's shape.
    pub shape: Vec<usize>,
    /// What it starts as.
    pub initializer: Initializer,
    /// Whether an optimizer may change it (running statistics may not be).
    pub trainable: bool,
}

impl WeightSpec {
    /// A weight that an optimizer may change.
    pub fn trainable(name: &'static str, shape: Vec<usize>, initializer: Initializer) -> Self {
        Self { name, shape, initializer, trainable: true }
    }
}

/// A weight and its gradient.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Keras's path: `conv2d/kernel`.
    pub name: String,
    /// Keras's shape.
    pub shape: Vec<usize>,
    /// The weight.
    pub value: Vec<f32>,
    /// The gradient of the mean loss, as the last backward left it. Empty until there was one.
    pub gradient: Vec<f32>,
    /// Whether an optimizer changes it.
    pub trainable: bool,
}

/// What [`Layer::forward`] works on.
pub struct Forward<'a> {
    /// The shapes; `n` is this call's batch.
    pub shapes: &'a Shapes,
    /// Samples in this call; at most `shapes.n`.
    pub n: usize,
    /// Whether backward will follow, and dropout and batch statistics are on.
    pub training: bool,
    /// The inputs. An in-place layer finds its first input in `output`.
    pub inputs: Tensors<'a>,
    /// The output, to be overwritten.
    pub output: &'a mut [f32],
    /// This layer's weights.
    pub parameters: &'a mut [Parameter],
    /// This layer's own buffers.
    pub state: &'a mut State,
    /// For this call only.
    pub scratch: &'a mut [f32],
    /// For this layer and this step only.
    pub rng: Rng,
}

impl Forward<'_> {
    /// Whether backward will follow; never in a build without it.
    fn trains(&self) -> bool {
        cfg!(feature = "train") && self.training
    }
}

/// What [`Layer::backward`] works on: the mirror of [`Forward`].
pub struct Backward<'a> {
    /// The shapes; `n` is this call's batch.
    pub shapes: &'a Shapes,
    /// Samples in this call; at most `shapes.n`.
    pub n: usize,
    /// The inputs of the forward call, where [`Traits::needs_input`].
    pub inputs: Tensors<'a>,
    /// The output of the forward call, where [`Traits::needs_output`].
    pub output: &'a [f32],
    /// The gradient of the output; may be changed, and becomes the first input's where [`Traits::gradient_in_place`].
    pub doutput: &'a mut [f32],
    /// The gradients of the inputs, to be overwritten; empty where nobody needs one.
    pub dinputs: &'a mut [Vec<f32>],
    /// This layer's weights, whose gradients are overwritten where `trainable`.
    pub parameters: &'a mut [Parameter],
    /// This layer's own buffers.
    pub state: &'a mut State,
    /// For this call only.
    pub scratch: &'a mut [f32],
}

/// The inputs of one call, looked up in the model's buffers.
#[derive(Clone, Copy)]
pub struct Tensors<'a> {
    pub(crate) buffers: &'a [Vec<f32>],
    pub(crate) places: &'a [Place],
    pub(crate) values: &'a [usize],
    pub(crate) shapes: &'a Shapes,
    pub(crate) first: usize,
    pub(crate) n: usize,
}

impl<'a> Tensors<'a> {
    /// The values of input `i`.
    pub fn get(&self, i: usize) -> &'a [f32] {
        let place = self.places[self.values[i]];
        &self.buffers[place.buffer][place.range(self.first, self.n, self.shapes.input_len(i))]
    }
}

/// Where a value of the network lies: all the samples of a batch, or those that are worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub buffer: usize,
    pub whole: bool,
}

impl Place {
    /// `n` samples of `len` floats each, from the batch's sample `first` on.
    pub fn range(self, first: usize, n: usize, len: usize) -> Range<usize> {
        let first = if self.whole { first } else { 0 };
        first * len..(first + n) * len
    }
}

/// The two weights of a layer that multiplies: `kernel` and, where it has one, `bias` of (outputs).
fn kernel_and_bias(
    shape: Vec<usize>,
    initializer: Initializer,
    outputs: usize,
    use_bias: bool,
) -> Vec<WeightSpec> {
    let mut specs = vec![WeightSpec::trainable("kernel", shape, initializer)];
    if use_bias {
        specs.push(WeightSpec::trainable("bias", vec![outputs], Initializer::Zeros));
    }
    specs
}

/// `linear`, with all the weights, and after it the activation, unless the layer's kernel can apply that itself.
fn split_activation<L: Layer>(
    linear: L,
    use_bias: bool,
    activation: Activation,
) -> Option<Vec<(Arc<dyn Layer>, usize)>> {
    if activation.clamp().is_some() {
        return None;
    }
    let after = ActivationLayer::new(activation);
    Some(vec![(Arc::new(linear), 1 + usize::from(use_bias)), (Arc::new(after), 0)])
}

/// The activation of a layer that is linear so far and followed by a layer that only clamps.
fn fuse_activation(own: Activation, next: &dyn Layer) -> Option<Activation> {
    let next = (next as &dyn Any).downcast_ref::<ActivationLayer>()?;
    let fits = own == Activation::Linear && next.activation.clamp().is_some();
    fits.then_some(next.activation)
}

/// Builds a layer from Keras's class name and configuration.
///
/// An unknown class, or a configuration that means what is not built here, is an
/// [`Architecture`](crate::error::ErrorKind::Architecture) error.
pub fn from_config(class_name: &str, config: &Map<String, Value>) -> Result<Arc<dyn Layer>> {
    Ok(match class_name {
        "Conv2D" => Arc::new(Conv2D::from_config(config)?),
        "MaxPooling2D" => Arc::new(MaxPooling2D::from_config(config)?),
        "AveragePooling2D" => Arc::new(AveragePooling2D::from_config(config)?),
        "GlobalAveragePooling2D" => Arc::new(GlobalAveragePooling2D::from_config(config)?),
        "DepthwiseConv2D" => Arc::new(DepthwiseConv2D::from_config(config)?),
        "SeparableConv2D" => Arc::new(SeparableConv2D::from_config(config)?),
        "BatchNormalization" => Arc::new(BatchNormalization::from_config(config)?),
        "ZeroPadding2D" => Arc::new(ZeroPadding2D::from_config(config)?),
        "Rescaling" => Arc::new(Rescaling::from_config(config)?),
        "Add" => Arc::new(Add),
        "Concatenate" => Arc::new(Concatenate::from_config(config)?),
        "Flatten" => Arc::new(Flatten),
        "Dense" => Arc::new(Dense::from_config(config)?),
        "Dropout" => Arc::new(Dropout::from_config(config)?),
        "Activation" | "ReLU" | "LeakyReLU" | "Softmax" => {
            Arc::new(ActivationLayer::from_config(class_name, config)?)
        }
        _ => bail!(
            Architecture,
            "expected one of the layers that are built here (Conv2D, DepthwiseConv2D, SeparableConv2D, \
             MaxPooling2D, AveragePooling2D, GlobalAveragePooling2D, ZeroPadding2D, Rescaling, \
             BatchNormalization, Flatten, Dense, Dropout, Add, Concatenate, Activation, ReLU, \
             LeakyReLU, Softmax), got {}",
            shown(class_name)
        ),
    })
}
