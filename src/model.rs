//! Layers in topological order, each naming its inputs; a Sequential model is the chain.
//!
//! A [`Model`] holds the layers as the architecture names them, and their weights. What runs is a `plan`: the same
//! layers with activations split off or fused, and every buffer allocated, for one batch size and one [`Mode`].

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use ndarray::{Array2, ArrayView4};
use serde_json::{Map, Value};

use crate::architecture::{Architecture, LayerInput, LayerSpec};
use crate::error::{Result, bail};
use crate::file::{Metadata, ModelFile, Weight};
use crate::image::Input;
use crate::json::shown;
use crate::kernel::activation::Activation;
use crate::layer::{self, ActivationLayer, Layer, Parameter};
use crate::rng::Rng;

#[cfg(feature = "train")]
mod arithmetic;
#[cfg(feature = "train")]
mod heat_map;
#[cfg_attr(not(feature = "train"), allow(unused_imports, dead_code))]
mod plan;
mod summary;

#[cfg(feature = "train")]
pub use arithmetic::{Arithmetic, Rule, Term};
use plan::Plan;
pub use summary::LayerSummary;

/// The most weights of a network. A larger one is refused before anything is allocated, as is one beyond the caps below.
pub const MAX_PARAMETERS: usize = 1 << 28;
/// The most numbers that one sample may take, its input and all layers' outputs together.
pub const MAX_ACTIVATIONS: usize = 1 << 28;
/// The most multiplications with additions that a sample may take, or comparisons or additions where a layer has those
/// instead: twice what the largest networks take that people show photographs to, a minute in a browser.
pub const MAX_OPERATIONS: u64 = 1 << 36;
/// The most bytes that a network may take for good: weights, gradients and the buffers for one batch. As many as
/// WebAssembly can address.
pub const MAX_MEMORY: u64 = 1 << 32;

/// What a forward pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Probabilities, as fast as they come: layers fused, buffers shared.
    Inference,
    /// Logits, with all that backward needs; dropout and batch statistics are on. Without the feature `train` these are
    /// off, as nothing can follow.
    Training,
    /// Every layer's own output, as [`Model::layer_output`] shows it.
    Inspection,
}

impl Mode {
    /// Whether the way back may follow; never in a build without it.
    fn trains(self) -> bool {
        cfg!(feature = "train") && self == Self::Training
    }
}

/// A network: layers and weights.
///
/// ```
/// use convlet::{layer::Activation, layer::Conv2D, layer::Dense, layer::Flatten, model::Model};
/// let mut model = Model::sequential(
///     [8, 8, 3],
///     vec![
///         Box::new(Conv2D::new(4, 3).activation(Activation::Relu)),
///         Box::new(Flatten),
///         Box::new(Dense::new(1).activation(Activation::Sigmoid)),
///     ],
///     42,
/// )?;
/// assert_eq!(model.count_params(), (27 + 1) * 4 + 144 + 1);
/// let picture = ndarray::Array4::zeros((1, 8, 8, 3));
/// assert_eq!(model.predict(picture.view())?, ndarray::array![[0.5]]);
/// # Ok::<(), convlet::error::Error>(())
/// ```
#[derive(Debug)]
pub struct Model {
    architecture: Architecture,
    nodes: Vec<Node>,
    parameters: Vec<Parameter>,
    plans: [Option<Plan>; 3],
    /// The nodes whose outputs inference keeps.
    watched: Vec<usize>,
    activation: Activation,
    rng: Rng,
    step: u64,
}

/// A layer in its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub name: String,
    pub layer: Arc<dyn Layer>,
    /// Values: 0 is the model's input, `i + 1` the output of node `i`.
    pub inputs: Vec<usize>,
    pub input_shapes: Vec<Vec<usize>>,
    pub output_shape: Vec<usize>,
    pub parameters: Range<usize>,
}

impl Model {
    /// Builds the network with fresh weights drawn from `seed`.
    pub fn new(architecture: Architecture, seed: u64) -> Result<Self> {
        let mut model = Self::without_weights(architecture, seed)?;
        let rng = Rng::new(seed);
        for (index, node) in model.nodes.iter().enumerate() {
            let specs = node.layer.weights(&node.input_shapes);
            let parameters = &mut model.parameters[node.parameters.clone()];
            for (i, (spec, parameter)) in specs.iter().zip(parameters).enumerate() {
                parameter.value = zeros(product(&spec.shape))?;
                let mut rng = rng.fork((index * 16 + i) as u64);
                spec.initializer.fill(&spec.shape, &mut rng, &mut parameter.value);
            }
        }
        Ok(model)
    }

    /// Builds a chain of layers with fresh weights drawn from `seed`.
    pub fn sequential(
        input_shape: [usize; 3],
        layers: Vec<Box<dyn Layer>>,
        seed: u64,
    ) -> Result<Self> {
        let specs = layers
            .iter()
            .map(|layer| LayerSpec::new(layer.class_name(), Value::Object(layer.config())))
            .collect();
        Self::new(Architecture::sequential(input_shape, specs)?, seed)
    }

    /// Builds the network of a model file with the file's weights.
    ///
    /// # Errors
    /// Architecture: a layer that is not built here, or whose inputs do not fit. File: weights that do not fit.
    pub fn from_file(file: &ModelFile) -> Result<Self> {
        let mut model = Self::without_weights(file.architecture.clone(), 0)?;
        let expected: Vec<_> =
            model.parameters.iter().map(|p| (p.name.as_str(), p.shape.as_slice())).collect();
        let weights = file.take_weights(&expected)?;
        for (parameter, value) in model.parameters.iter_mut().zip(weights) {
            parameter.value = value;
        }
        Ok(model)
    }

    /// The model as a file: its architecture and weights, and what only the caller knows.
    pub fn to_file(
        &self,
        labels: &[String],
        input: &Input,
        training: Map<String, Value>,
    ) -> ModelFile {
        let weights = self.parameters.iter().map(|parameter| Weight {
            name: parameter.name.clone(),
            shape: parameter.shape.clone(),
            values: parameter.value.clone(),
        });
        ModelFile {
            architecture: self.architecture.clone(),
            labels: labels.to_vec(),
            input: input.clone(),
            training,
            weights: weights.collect(),
            metadata: Metadata::default(),
        }
    }

    fn without_weights(architecture: Architecture, seed: u64) -> Result<Self> {
        let mut nodes: Vec<Node> = Vec::new();
        let mut parameters = Vec::new();
        let (mut weights, mut activations) = (0_usize, product(&architecture.input_shape));
        for spec in &architecture.layers {
            let place = format!("layer {} ({})", shown(&spec.name), spec.class_name);
            let layer = layer::from_config(&spec.class_name, &spec.config)
                .map_err(|error| error.within(&place))?;
            let value = |input: &LayerInput| match input {
                LayerInput::Model => 0,
                LayerInput::Layer(index) => index + 1,
            };
            let inputs: Vec<usize> = spec.inputs.iter().map(value).collect();
            let input_shapes: Vec<_> = inputs
                .iter()
                .map(|&value| match value.checked_sub(1) {
                    Some(node) => nodes[node].output_shape.clone(),
                    None => architecture.input_shape.to_vec(),
                })
                .collect();
            let output_shape =
                layer.output_shape(&input_shapes).map_err(|error| error.within(&place))?;
            let trainable = spec.config.get("trainable").and_then(|v| v.as_bool()).unwrap_or(true);
            let first = parameters.len();
            activations = activations.saturating_add(product(&output_shape));
            for weight in layer.weights(&input_shapes) {
                weights = weights.saturating_add(product(&weight.shape));
                parameters.push(Parameter {
                    name: format!("{}/{}", spec.name, weight.name),
                    shape: weight.shape,
                    value: Vec::new(),
                    gradient: Vec::new(),
                    trainable: weight.trainable && trainable,
                });
            }
            if weights > MAX_PARAMETERS || activations > MAX_ACTIVATIONS {
                bail!(
                    Architecture,
                    "{place}: expected at most {MAX_PARAMETERS} weights and {MAX_ACTIVATIONS} \
                     activations in the network, got {weights} and {activations}"
                );
            }
            nodes.push(Node {
                name: spec.name.clone(),
                layer,
                inputs,
                input_shapes,
                output_shape,
                parameters: first..parameters.len(),
            });
        }
        if nodes.is_empty() {
            bail!(Architecture, "expected at least one layer, got none");
        }
        let (operations, bytes) = plan::cost(&nodes, architecture.input_shape, &parameters)?;
        if operations > MAX_OPERATIONS || bytes > MAX_MEMORY {
            bail!(
                Architecture,
                "expected a network of at most {MAX_OPERATIONS} multiplications and {MAX_MEMORY} bytes of memory a \
                 picture, got {operations} and {bytes}"
            );
        }
        let activation = nodes.last().map_or(Activation::Linear, |last| activation(&last.layer));
        let (plans, rng) = ([None, None, None], Rng::new(seed).fork(u64::MAX));
        let watched = Vec::new();
        Ok(Self { architecture, nodes, parameters, plans, watched, activation, rng, step: 0 })
    }

    /// The layers as they were asked for.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Height, width and channels of the input.
    pub fn input_shape(&self) -> [usize; 3] {
        self.architecture.input_shape
    }

    /// Floats in one sample's input.
    pub fn input_len(&self) -> usize {
        self.architecture.input_shape.iter().product()
    }

    /// Numbers in one sample's output: 1 for a sigmoid that tells two classes apart.
    pub fn output_len(&self) -> usize {
        self.nodes.last().map_or(0, |node| product(&node.output_shape))
    }

    /// The shape of one sample's output.
    pub fn output_shape(&self) -> &[usize] {
        self.nodes.last().map_or(&[], |node| &node.output_shape)
    }

    /// The last layer's activation: what turns logits into probabilities.
    pub fn output_activation(&self) -> Activation {
        self.activation
    }

    /// Weights in all.
    pub fn count_params(&self) -> usize {
        self.parameters.iter().map(|parameter| product(&parameter.shape)).sum()
    }

    /// All weights, layer by layer.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// All weights, to be changed: shapes and lengths must stay.
    pub fn parameters_mut(&mut self) -> &mut [Parameter] {
        self.plans.iter_mut().flatten().for_each(Plan::weights_changed);
        &mut self.parameters
    }

    /// Freezes or thaws the named layer's weights.
    pub fn set_trainable(&mut self, layer: &str, trainable: bool) -> Result<()> {
        let Some(node) = self.nodes.iter().find(|node| node.name == layer) else {
            bail!(Argument, "set_trainable: expected the name of a layer, got {}", shown(layer));
        };
        let specs = node.layer.weights(&node.input_shapes);
        let parameters = &mut self.parameters[node.parameters.clone()];
        for (parameter, spec) in parameters.iter_mut().zip(specs) {
            parameter.trainable = trainable && spec.trainable;
        }
        self.plans[Mode::Training as usize] = None;
        Ok(())
    }

    /// Training steps taken, which dropout draws from.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Goes on from a [`Self::step`].
    pub fn set_step(&mut self, step: u64) {
        self.step = step;
    }

    /// Where the next batch of `n` samples goes: (n, H, W, C), to be overwritten. Allocates when `n` grows.
    pub fn input_mut(&mut self, n: usize, mode: Mode) -> Result<&mut [f32]> {
        let input_len = self.input_len();
        let slot = &mut self.plans[mode as usize];
        if slot.as_ref().is_none_or(|plan| plan.capacity() < n) {
            *slot = None;
            let shape = self.architecture.input_shape;
            let kept = if mode == Mode::Inference { &self.watched[..] } else { &[] };
            *slot = Some(Plan::new(&self.nodes, shape, &mut self.parameters, n, mode, kept)?);
        }
        match slot {
            Some(plan) => Ok(&mut plan.input_mut()[..n * input_len]),
            None => unreachable!("planned above"),
        }
    }

    /// Runs the `n` samples in [`Self::input_mut`] through all layers: (n, outputs) probabilities, or logits where
    /// `mode` is training. Here and below, nothing for more samples than [`Self::input_mut`] made room for.
    pub fn forward(&mut self, n: usize, mode: Mode) -> &[f32] {
        let Some(plan) = plan_mut(&mut self.plans, n, mode) else { return &[] };
        self.step += u64::from(mode.trains());
        plan.forward(n, &mut self.parameters, &self.rng.fork(self.step))
    }

    /// Makes inference keep what the named layers, of so many channels, put out, for [`Self::watched`].
    ///
    /// # Errors
    /// Argument: a layer that the network does not have.
    pub fn watch<'a>(&mut self, layers: impl Iterator<Item = (&'a str, usize)>) -> Result<()> {
        let nodes = layers.map(|(name, channels)| {
            let is = |n: &Node| n.name == name && n.output_shape.last() == Some(&channels);
            match self.nodes.iter().position(is) {
                Some(node) => Ok(node),
                None => bail!(
                    Argument,
                    "expected a layer of the network of so many channels, got {}, {channels}",
                    shown(name)
                ),
            }
        });
        self.watched = nodes.collect::<Result<_>>()?;
        self.plans[Mode::Inference as usize] = None;
        Ok(())
    }

    /// The layers that put out maps of features, after their activation, and how many channels each has.
    pub fn feature_maps(&self) -> Vec<(String, usize)> {
        let activated = self.nodes.iter().filter(|node| {
            // A clamping activation is part of its layer, any other one of its own.
            let clamps = node.layer.config().get("activation").is_some_and(|own| *own != "linear");
            clamps || activation(&node.layer) != Activation::Linear
        });
        let channels = |node: &Node| match node.output_shape[..] {
            [_, _, channels] => Some((node.name.clone(), channels)),
            _ => None,
        };
        activated.filter_map(channels).collect()
    }

    /// What each layer of [`Self::watch`] put out in the last inference of one picture, and how many channels it has.
    pub fn watched(&self) -> impl Iterator<Item = (&[f32], usize)> {
        let outputs = self.plans[Mode::Inference as usize].iter().flat_map(Plan::kept);
        let channels = |&node: &usize| *self.nodes[node].output_shape.last().unwrap_or(&1);
        outputs.zip(self.watched.iter().map(channels))
    }

    /// The logits of the last training forward of `n` samples, and where their gradient goes.
    pub fn output_mut(&mut self, n: usize) -> (&[f32], &mut [f32]) {
        match plan_mut(&mut self.plans, n, Mode::Training) {
            Some(plan) => plan.output_mut(n),
            None => (&[], &mut []),
        }
    }

    /// From the logits' gradient back through all layers to the weights' gradients: the mirror of [`Self::forward`].
    #[cfg(feature = "train")]
    pub fn backward(&mut self, n: usize) {
        if let Some(plan) = plan_mut(&mut self.plans, n, Mode::Training) {
            plan.backward(n, &mut self.parameters);
        }
    }

    /// The gradient of the last backward pass for the input: (n, H, W, C). Only where it was asked for by
    /// [`Self::keep_input_gradient`].
    pub fn input_gradient(&self, n: usize) -> Option<&[f32]> {
        self.plan(n, Mode::Training)?.input_gradient(n)
    }

    /// Makes every backward pass from now on go down to the input.
    pub fn keep_input_gradient(&mut self, n: usize) -> Result<()> {
        let shape = self.architecture.input_shape;
        let plan = Plan::with_input_gradient(&self.nodes, shape, &mut self.parameters, n)?;
        self.plans[Mode::Training as usize] = Some(plan);
        Ok(())
    }

    /// The probabilities of a batch: (n, H, W, C) to (n, outputs).
    pub fn predict(&mut self, x: ArrayView4<f32>) -> Result<Array2<f32>> {
        let (n, h, w, c) = x.dim();
        if [h, w, c] != self.input_shape() {
            bail!(
                Shape,
                "predict: expected pictures of shape {:?}, got {:?}",
                self.input_shape(),
                [h, w, c]
            );
        }
        let outputs = self.output_len();
        let input = self.input_mut(n, Mode::Inference)?;
        match x.as_slice() {
            Some(x) => input.copy_from_slice(x),
            None => input.iter_mut().zip(x).for_each(|(to, from)| *to = *from),
        }
        let y = self.forward(n, Mode::Inference);
        Ok(Array2::from_shape_fn((n, outputs), |(i, j)| y[i * outputs + j]))
    }

    /// The weights of layer number `layer`; none where there is no such layer.
    pub fn layer_parameters(&self, layer: usize) -> &[Parameter] {
        self.nodes.get(layer).map_or(&[], |node| &self.parameters[node.parameters.clone()])
    }

    /// What the named layer put out in the last forward pass in [`Mode::Inspection`]: (n, its shape).
    pub fn layer_output(&self, layer: &str, n: usize) -> Option<&[f32]> {
        let index = self.nodes.iter().position(|node| node.name == layer)?;
        self.plan(n, Mode::Inspection)?.node_output(index, n)
    }

    /// Keras's table of layers, output shapes and weights.
    pub fn summary(&self) -> String {
        summary::summary(&self.architecture.name, &self.nodes, &self.parameters)
    }

    /// The rows of that table.
    pub fn layers(&self) -> Vec<LayerSummary> {
        summary::layers(&self.nodes, &self.parameters)
    }

    /// The plan of `mode`, if it has room for `n` samples.
    fn plan(&self, n: usize, mode: Mode) -> Option<&Plan> {
        self.plans[mode as usize].as_ref().filter(|plan| n <= plan.capacity())
    }

    /// Frees the buffers of all passes; they come back when they are needed.
    pub fn release_buffers(&mut self) {
        self.plans = [None, None, None];
    }
}

/// [`Model::plan`], while the weights are borrowed as well.
fn plan_mut(plans: &mut [Option<Plan>; 3], n: usize, mode: Mode) -> Option<&mut Plan> {
    plans[mode as usize].as_mut().filter(|plan| n <= plan.capacity())
}

/// What a layer applies last.
fn activation(layer: &Arc<dyn Layer>) -> Activation {
    let last = layer.lower().and_then(|mut layers| layers.pop());
    let last = last.map_or_else(|| layer.clone(), |(last, _)| last);
    let last: &dyn Any = last.as_ref();
    last.downcast_ref::<ActivationLayer>().map_or(Activation::Linear, |last| last.activation)
}

/// As many zeros, or an error where memory runs out: in a browser it would be a trap.
fn zeros<T: Clone + Default>(len: usize) -> Result<Vec<T>> {
    let mut zeros = Vec::new();
    if zeros.try_reserve_exact(len).is_err() {
        bail!(
            Argument,
            "expected memory for {len} numbers, got none: a smaller network or batch may fit"
        );
    }
    zeros.resize(len, T::default());
    Ok(zeros)
}

#[inline(never)]
fn product(shape: &[usize]) -> usize {
    shape.iter().fold(1, |product, &size| product.saturating_mul(size))
}
