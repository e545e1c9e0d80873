//! What a model runs: its layers, lowered and fused for one [`Mode`], with every buffer allocated for one batch size.
//!
//! A *value* is what flows between layers: value 0 is the input, and every operation makes one. Values live in buffers;
//! layers that work in place share one, and inference hands a buffer on as soon as its value has been read. It takes a
//! few samples at a time through the first operations, so that what these hand on is found in the cache.

use std::ops::Range;
use std::sync::Arc;

use super::{MAX_MEMORY, Mode, Node, zeros};
use crate::error::{Result, bail};
use crate::kernel::elementwise::add_assign;
use crate::layer::{
    Backward, BackwardMemory, Forward, Layer, Memory, Parameter, Place, Shapes, State, Tensors,
};
use crate::rng::Rng;

mod buffers;
mod draft;
mod sketch;

use draft::Fold;
use sketch::Sketch;
pub(super) use sketch::cost;

#[derive(Debug)]
pub(super) struct Plan {
    n: usize,
    mode: Mode,
    operations: Vec<Operation>,
    front: Front,
    /// Of the values.
    places: Vec<Place>,
    /// Behind the values; 0 is the input.
    buffers: Vec<Vec<f32>>,
    /// Behind the values' gradients.
    gradients: Vec<Vec<f32>>,
    scratch: Vec<f32>,
    /// The gradient buffer of the input, where one is kept.
    input_gradient: Option<usize>,
    /// The node whose output's gradient is kept, and that gradient.
    watched: Option<(usize, Vec<f32>)>,
    /// The buffers, and their lengths for one sample, of the outputs that stay.
    kept: Vec<(usize, usize)>,
    prepared: bool,
}

/// The first operations take few samples at a time all the way; in training none do.
#[derive(Clone, Copy, Debug)]
struct Front {
    operations: usize,
    samples: usize,
}

/// A layer in the plan.
#[derive(Debug)]
struct Operation {
    layer: Arc<dyn Layer>,
    /// The node whose output this computes.
    node: usize,
    shapes: Shapes,
    parameters: Range<usize>,
    fold: Option<Fold>,
    /// Values.
    inputs: Vec<usize>,
    output: usize,
    memory: Memory,
    backward_memory: BackwardMemory,
    /// An in-place layer whose input others still need: it works on a copy.
    copies: bool,
    state: State,
    /// The way back; none where nothing before needs a gradient.
    backward: Option<Route>,
}

/// Which gradient buffers a backward call reads and writes.
#[derive(Debug)]
struct Route {
    doutput: usize,
    dinputs: Vec<Target>,
    /// The buffers themselves while the layer runs.
    taken: Vec<Vec<f32>>,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    /// Nobody needs this input's gradient.
    Unused,
    /// `doutput` becomes it.
    InPlace,
    /// `doutput` is added to it once it is changed in place.
    AddInPlace(usize),
    /// The first to write it.
    Write(usize),
    /// Written to `from`, then added.
    Add { from: usize, to: usize },
}

/// What a plan is made for.
struct Purpose<'a> {
    mode: Mode,
    /// Several layers in one kernel where there is one.
    fused: bool,
    /// The way back goes down to the input.
    input_gradient: bool,
    /// The nodes whose outputs are to be there after the pass.
    kept: &'a [usize],
}

impl Plan {
    pub fn new(
        nodes: &[Node],
        input_shape: [usize; 3],
        parameters: &mut [Parameter],
        n: usize,
        mode: Mode,
        kept: &[usize],
    ) -> Result<Self> {
        let fused = mode != Mode::Inspection;
        let purpose = Purpose { mode, fused, input_gradient: false, kept };
        Self::build(nodes, input_shape, parameters, n, purpose)
    }

    pub fn with_input_gradient(
        nodes: &[Node],
        input_shape: [usize; 3],
        parameters: &mut [Parameter],
        n: usize,
    ) -> Result<Self> {
        let purpose =
            Purpose { mode: Mode::Training, fused: true, input_gradient: true, kept: &[] };
        Self::build(nodes, input_shape, parameters, n, purpose)
    }

    /// For one sample, there and back to the input; keeps the gradient of the output of node `watched`.
    pub fn watching(
        nodes: &[Node],
        input_shape: [usize; 3],
        parameters: &mut [Parameter],
        watched: usize,
    ) -> Result<Self> {
        let purpose =
            Purpose { mode: Mode::Training, fused: false, input_gradient: true, kept: &[] };
        let plan = Self::build(nodes, input_shape, parameters, 1, purpose)?;
        Ok(Self { watched: Some((watched, Vec::new())), ..plan })
    }

    fn build(
        nodes: &[Node],
        input_shape: [usize; 3],
        parameters: &mut [Parameter],
        n: usize,
        purpose: Purpose,
    ) -> Result<Self> {
        let mode = purpose.mode;
        let sketch = Sketch::new(nodes, input_shape, parameters, n, purpose)?;
        let bytes = sketch.bytes(parameters);
        if bytes > MAX_MEMORY {
            bail!(
                Argument,
                "a batch of {n}: expected a network that takes at most {MAX_MEMORY} bytes of memory, got {bytes}"
            );
        }
        let Sketch { front, mut operations, places, buffers, gradients, scratch, .. } = sketch;
        for operation in &mut operations {
            let Operation { backward_memory, parameters: own, backward, .. } = operation;
            operation.state = State {
                packed: zeros(operation.memory.packed)?,
                packed_backward: zeros(backward_memory.packed)?,
                saved: zeros(backward_memory.saved)?,
                indices: zeros(backward_memory.indices)?,
            };
            if backward.is_some() {
                for parameter in &mut parameters[own.clone()] {
                    if parameter.gradient.len() != parameter.value.len() {
                        parameter.gradient = zeros(parameter.value.len())?;
                    }
                }
            }
        }
        Ok(Self {
            n,
            mode,
            operations,
            front,
            places,
            buffers: buffers.buffers()?,
            gradients: gradients.buffers()?,
            scratch: zeros(scratch)?,
            input_gradient: sketch.input_gradient,
            kept: sketch.kept,
            watched: None,
            prepared: false,
        })
    }

    pub fn capacity(&self) -> usize {
        self.n
    }

    pub fn weights_changed(&mut self) {
        self.prepared = false;
    }

    pub fn input(&self) -> &[f32] {
        &self.buffers[0]
    }

    pub fn input_mut(&mut self) -> &mut [f32] {
        &mut self.buffers[0]
    }

    pub fn forward(&mut self, n: usize, parameters: &mut [Parameter], rng: &Rng) -> &[f32] {
        if !self.prepared {
            for operation in &mut self.operations {
                let own = match &mut operation.fold {
                    Some(fold) => {
                        fold.update(parameters, operation.parameters.clone());
                        &fold.folded[..]
                    }
                    None => &parameters[operation.parameters.clone()],
                };
                operation.layer.prepare(&operation.shapes, own, &mut operation.state);
            }
            self.prepared = true;
        }
        let Front { operations: front, samples } = self.front;
        for first in (0..n).step_by(samples) {
            self.run(0..front, first, samples.min(n - first), parameters, rng);
        }
        self.run(front..self.operations.len(), 0, n, parameters, rng);
        self.output(n)
    }

    /// Runs `operations` on `n` samples from `first` on.
    fn run(
        &mut self,
        operations: Range<usize>,
        first: usize,
        n: usize,
        parameters: &mut [Parameter],
        rng: &Rng,
    ) {
        for i in operations {
            let operation = &mut self.operations[i];
            let Operation { layer, shapes, inputs: values, output, state, .. } = operation;
            let own = match &mut operation.fold {
                Some(fold) => &mut fold.folded[..],
                None => &mut parameters[operation.parameters.clone()],
            };
            let place = self.places[*output];
            let mut out = std::mem::take(&mut self.buffers[place.buffer]);
            let (buffers, places) = (&self.buffers[..], &self.places[..]);
            let inputs = Tensors { buffers, places, values, shapes, first, n };
            let output = &mut out[place.range(first, n, shapes.output_len())];
            if operation.copies {
                output.copy_from_slice(inputs.get(0));
            }
            layer.forward(Forward {
                shapes,
                n,
                training: self.mode.trains(),
                inputs,
                output,
                parameters: own,
                state,
                scratch: &mut self.scratch,
                rng: rng.fork(i as u64),
            });
            self.buffers[place.buffer] = out;
        }
    }

    #[cfg(feature = "train")]
    pub fn backward(&mut self, n: usize, parameters: &mut [Parameter]) {
        for operation in self.operations.iter_mut().rev() {
            let Operation { layer, shapes, parameters: own, state, backward, .. } = operation;
            let Some(Route { doutput, dinputs, taken }) = backward else { continue };
            let mut dout = std::mem::take(&mut self.gradients[*doutput]);
            if let Some((node, gradient)) = &mut self.watched
                && *node == operation.node
                && gradient.is_empty()
            {
                gradient.extend_from_slice(&dout[..n * shapes.output_len()]);
            }
            for (target, slot) in dinputs.iter().zip(taken.iter_mut()) {
                if let Target::Write(id) | Target::Add { from: id, .. } = target {
                    *slot = std::mem::take(&mut self.gradients[*id]);
                }
            }
            let (buffers, places, values) =
                (&self.buffers[..], &self.places[..], &operation.inputs);
            layer.backward(Backward {
                shapes,
                n,
                inputs: Tensors { buffers, places, values, shapes, first: 0, n },
                output: &buffers[places[operation.output].buffer][..n * shapes.output_len()],
                doutput: &mut dout[..n * shapes.output_len()],
                dinputs: taken,
                parameters: &mut parameters[own.clone()],
                state,
                scratch: &mut self.scratch,
            });
            // Back in its place first: of an input that the layer takes twice, the second gradient is added there.
            self.gradients[*doutput] = dout;
            for (i, (target, slot)) in dinputs.iter().zip(taken.iter_mut()).enumerate() {
                let len = n * shapes.input_len(i);
                match *target {
                    Target::Unused | Target::InPlace => {}
                    Target::AddInPlace(to) => {
                        let dout = std::mem::take(&mut self.gradients[*doutput]);
                        add_assign(&mut self.gradients[to][..len], &dout[..len]);
                        self.gradients[*doutput] = dout;
                    }
                    Target::Write(id) => self.gradients[id] = std::mem::take(slot),
                    Target::Add { from, to } => {
                        add_assign(&mut self.gradients[to][..len], &slot[..len]);
                        self.gradients[from] = std::mem::take(slot);
                    }
                }
            }
        }
    }

    fn output(&self, n: usize) -> &[f32] {
        match self.operations.last() {
            Some(last) => self.value(last.output, n, last.shapes.output_len()),
            // The input as it is, of which a larger batch may have been there before.
            None => &self.buffers[0][..n * (self.buffers[0].len() / self.n.max(1))],
        }
    }

    pub fn output_mut(&mut self, n: usize) -> (&[f32], &mut [f32]) {
        match self.operations.last() {
            Some(Operation { output, shapes, backward: Some(route), .. }) => {
                let len = n * shapes.output_len();
                let output = self.places[*output].buffer;
                (&self.buffers[output][..len], &mut self.gradients[route.doutput][..len])
            }
            _ => (&[], &mut []),
        }
    }

    pub fn input_gradient(&self, n: usize) -> Option<&[f32]> {
        let first = self.operations.first()?;
        Some(&self.gradients[self.input_gradient?][..n * first.shapes.input_len(0)])
    }

    /// The gradient of the watched node's output, after a backward pass.
    pub fn watched_gradient(&self) -> &[f32] {
        self.watched.as_ref().map_or(&[], |(_, gradient)| gradient)
    }

    /// The kept outputs of the last pass of one sample.
    pub fn kept(&self) -> impl Iterator<Item = &[f32]> {
        self.kept.iter().map(|&(buffer, len)| &self.buffers[buffer][..len])
    }

    /// The last operation of a node computes the node's output.
    pub fn node_output(&self, node: usize, n: usize) -> Option<&[f32]> {
        let last = self.operations.iter().rev().find(|operation| operation.node == node)?;
        Some(self.value(last.output, n, last.shapes.output_len()))
    }

    fn value(&self, value: usize, n: usize, len: usize) -> &[f32] {
        &self.buffers[self.places[value].buffer][..n * len]
    }
}
