//! What a model runs: its layers, lowered and fused for one [`Mode`], with every buffer allocated for one batch size.
//!
//! A *value* is what flows between layers: value 0 is the input, and every operation makes one. Values live in buffers;
//! layers that work in place share one, and inference hands a buffer on as soon as its value has been read.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use super::{Mode, Node, product};
use crate::error::Result;
use crate::kernel::elementwise::add_assign;
use crate::layer::{
    Backward, BatchNormalization, Forward, Layer, Parameter, Shapes, State, Tensors,
};
use crate::rng::Rng;

#[derive(Debug)]
pub(super) struct Plan {
    n: usize,
    mode: Mode,
    operations: Vec<Operation>,
    /// Behind the values; 0 is the input.
    buffers: Vec<Vec<f32>>,
    /// Behind the values' gradients.
    gradients: Vec<Vec<f32>>,
    scratch: Vec<f32>,
    /// The gradient buffer of the input, where one is kept.
    input_gradient: Option<usize>,
    prepared: bool,
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
    inputs: Vec<usize>,
    output: usize,
    /// An in-place layer whose input others still need: it works on a copy.
    copies: bool,
    state: State,
    /// The way back; none where nothing before needs a gradient.
    backward: Option<Route>,
}

/// A batch normalization whose moving statistics are folded into the weights of the layer before it.
#[derive(Debug)]
struct Fold {
    normalization: Arc<dyn Layer>,
    parameters: Range<usize>,
    /// The layer's own weights, kernel and bias, with the normalization in them.
    folded: Vec<Parameter>,
}

impl Fold {
    /// `kernel[.., c] * factor[c]`, and `bias[c] * factor[c] + summand[c]`.
    fn update(&mut self, parameters: &[Parameter], own: Range<usize>) {
        let normalization: &dyn Any = self.normalization.as_ref();
        let Some(normalization) = normalization.downcast_ref::<BatchNormalization>() else {
            return;
        };
        let affine = normalization.affine(&parameters[self.parameters.clone()]);
        let own = &parameters[own];
        let kernel = own[0].value.iter().enumerate();
        let kernel = kernel.map(|(i, weight)| weight * affine[i % affine.len()].0).collect();
        let bias = |c: usize| own.get(1).map_or(0.0, |bias| bias.value[c]);
        let bias = affine.iter().enumerate().map(|(c, (a, b))| bias(c) * a + b).collect();
        self.folded = [kernel, bias]
            .map(|value| Parameter {
                name: String::new(),
                shape: Vec::new(),
                value,
                gradient: Vec::new(),
                trainable: false,
            })
            .into();
    }
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

/// An operation before it has buffers.
struct Draft {
    layer: Arc<dyn Layer>,
    node: usize,
    parameters: Range<usize>,
    fold: Option<Fold>,
    inputs: Vec<usize>,
    output: usize,
}

/// Buffers that are handed out and come back, by size.
#[derive(Default)]
struct Pool {
    sizes: Vec<usize>,
    free: Vec<usize>,
}

impl Pool {
    /// The free buffer that has to grow least, or a new one.
    fn take(&mut self, size: usize) -> usize {
        let best = (0..self.free.len()).min_by_key(|&i| self.sizes[self.free[i]].abs_diff(size));
        let id = match best {
            Some(i) => self.free.swap_remove(i),
            None => {
                self.sizes.push(0);
                self.sizes.len() - 1
            }
        };
        self.sizes[id] = self.sizes[id].max(size);
        id
    }

    fn give_back(&mut self, id: usize) {
        self.free.push(id);
    }

    fn buffers(&self, n: usize) -> Vec<Vec<f32>> {
        self.sizes.iter().map(|size| vec![0.0; n * size]).collect()
    }
}

impl Plan {
    pub fn new(
        nodes: &[Node],
        input_shape: [usize; 3],
        parameters: &mut [Parameter],
        n: usize,
        mode: Mode,
    ) -> Result<Self> {
        Self::build(nodes, input_shape, parameters, n, mode, false)
    }

    pub fn with_input_gradient(
        nodes: &[Node],
        input_shape: [usize; 3],
        parameters: &mut [Parameter],
        n: usize,
    ) -> Result<Self> {
        Self::build(nodes, input_shape, parameters, n, Mode::Training, true)
    }

    fn build(
        nodes: &[Node],
        input_shape: [usize; 3],
        parameters: &mut [Parameter],
        n: usize,
        mode: Mode,
        input_gradient: bool,
    ) -> Result<Self> {
        let (mut drafts, shapes) = lowered(nodes, input_shape, mode)?;
        if mode != Mode::Inspection {
            fuse(&mut drafts, &shapes, mode);
        }
        let (assigned, buffers) = assign_buffers(&drafts, &shapes, mode);
        let mut operations = Vec::with_capacity(drafts.len());
        let mut scratch = 0;
        let training = mode == Mode::Training;
        for draft in drafts {
            let shared = assigned[draft.inputs[0]] == assigned[draft.output];
            let own = Shapes {
                n,
                inputs: draft.inputs.iter().map(|&value| shapes[value].clone()).collect(),
                output: shapes[draft.output].clone(),
            };
            let memory = draft.layer.memory(&own);
            scratch = scratch.max(memory.scratch);
            operations.push(Operation {
                node: draft.node,
                shapes: own,
                parameters: draft.parameters,
                fold: draft.fold,
                inputs: draft.inputs,
                output: draft.output,
                copies: draft.layer.traits().in_place && !shared,
                layer: draft.layer,
                state: State {
                    packed: vec![0.0; memory.packed],
                    saved: vec![0.0; if training { memory.saved } else { 0 }],
                    indices: vec![0; if training { memory.indices } else { 0 }],
                    packed_backward: Vec::new(),
                },
                backward: None,
            });
        }
        let mut gradients = Vec::new();
        let mut kept = None;
        if training {
            (gradients, kept) =
                route_gradients(&mut operations, &shapes, parameters, n, input_gradient);
        }
        for operation in &mut operations {
            operation.inputs.iter_mut().for_each(|value| *value = assigned[*value]);
            operation.output = assigned[operation.output];
        }
        Ok(Self {
            n,
            mode,
            operations,
            buffers: buffers.buffers(n),
            gradients,
            scratch: vec![0.0; scratch],
            input_gradient: kept,
            prepared: false,
        })
    }

    pub fn capacity(&self) -> usize {
        self.n
    }

    pub fn weights_changed(&mut self) {
        self.prepared = false;
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
        for (i, operation) in self.operations.iter_mut().enumerate() {
            let Operation { layer, shapes, inputs, output, state, .. } = operation;
            let own = match &mut operation.fold {
                Some(fold) => &mut fold.folded[..],
                None => &mut parameters[operation.parameters.clone()],
            };
            let mut out = std::mem::take(&mut self.buffers[*output]);
            if operation.copies {
                let len = n * shapes.input_len(0);
                out[..len].copy_from_slice(&self.buffers[inputs[0]][..len]);
            }
            layer.forward(Forward {
                shapes,
                n,
                training: self.mode == Mode::Training,
                inputs: Tensors { buffers: &self.buffers, ids: inputs, shapes, n },
                output: &mut out[..n * shapes.output_len()],
                parameters: own,
                state,
                scratch: &mut self.scratch,
                rng: rng.fork(i as u64),
            });
            self.buffers[*output] = out;
        }
        self.output(n)
    }

    pub fn backward(&mut self, n: usize, parameters: &mut [Parameter]) {
        for operation in self.operations.iter_mut().rev() {
            let Operation {
                layer, shapes, parameters: own, inputs, output, state, backward, ..
            } = operation;
            let Some(Route { doutput, dinputs, taken }) = backward else { continue };
            let mut dout = std::mem::take(&mut self.gradients[*doutput]);
            for (target, slot) in dinputs.iter().zip(taken.iter_mut()) {
                if let Target::Write(id) | Target::Add { from: id, .. } = target {
                    *slot = std::mem::take(&mut self.gradients[*id]);
                }
            }
            layer.backward(Backward {
                shapes,
                n,
                inputs: Tensors { buffers: &self.buffers, ids: inputs, shapes, n },
                output: &self.buffers[*output][..n * shapes.output_len()],
                doutput: &mut dout[..n * shapes.output_len()],
                dinputs: taken,
                parameters: &mut parameters[own.clone()],
                state,
                scratch: &mut self.scratch,
            });
            for (i, (target, slot)) in dinputs.iter().zip(taken.iter_mut()).enumerate() {
                let len = n * shapes.input_len(i);
                match *target {
                    Target::Unused | Target::InPlace => {}
                    Target::AddInPlace(to) => {
                        add_assign(&mut self.gradients[to][..len], &dout[..len])
                    }
                    Target::Write(id) => self.gradients[id] = std::mem::take(slot),
                    Target::Add { from, to } => {
                        add_assign(&mut self.gradients[to][..len], &slot[..len]);
                        self.gradients[from] = std::mem::take(slot);
                    }
                }
            }
            self.gradients[*doutput] = dout;
        }
    }

    fn output(&self, n: usize) -> &[f32] {
        match self.operations.last() {
            Some(last) => &self.buffers[last.output][..n * last.shapes.output_len()],
            None => &self.buffers[0],
        }
    }

    /// What the last layer with weights reads.
    pub fn features(&self, n: usize) -> &[f32] {
        match self.operations.iter().rev().find(|operation| !operation.parameters.is_empty()) {
            Some(last) => &self.buffers[last.inputs[0]][..n * last.shapes.input_len(0)],
            None => &[],
        }
    }

    pub fn output_mut(&mut self, n: usize) -> (&[f32], &mut [f32]) {
        match self.operations.last() {
            Some(Operation { output, shapes, backward: Some(route), .. }) => {
                let len = n * shapes.output_len();
                (&self.buffers[*output][..len], &mut self.gradients[route.doutput][..len])
            }
            _ => (&[], &mut []),
        }
    }

    pub fn input_gradient(&self, n: usize) -> Option<&[f32]> {
        let first = self.operations.first()?;
        Some(&self.gradients[self.input_gradient?][..n * first.shapes.input_len(0)])
    }

    /// The last operation of a node computes the node's output.
    pub fn node_output(&self, node: usize, n: usize) -> Option<&[f32]> {
        let last = self.operations.iter().rev().find(|operation| operation.node == node)?;
        Some(&self.buffers[last.output][..n * last.shapes.output_len()])
    }
}

/// The nodes as simple layers, and the shape of each value. Training ends at the logits: the loss takes the last
/// activation's part.
fn lowered(
    nodes: &[Node],
    input_shape: [usize; 3],
    mode: Mode,
) -> Result<(Vec<Draft>, Vec<Vec<usize>>)> {
    let mut shapes = vec![input_shape.to_vec()];
    let mut drafts: Vec<Draft> = Vec::new();
    let mut value_of_node = vec![0];
    for (index, node) in nodes.iter().enumerate() {
        let mut inputs: Vec<usize> = node.inputs.iter().map(|&i| value_of_node[i]).collect();
        let idle = mode == Mode::Inference && node.layer.traits().training_only;
        let layers = match node.layer.lower() {
            _ if idle => Vec::new(),
            Some(layers) => layers,
            None => vec![(node.layer.clone(), node.parameters.len())],
        };
        let mut first = node.parameters.start;
        for (layer, weights) in layers {
            let input_shapes: Vec<_> = inputs.iter().map(|&value| shapes[value].clone()).collect();
            shapes.push(layer.output_shape(&input_shapes)?);
            let output = shapes.len() - 1;
            drafts.push(Draft {
                layer,
                node: index,
                parameters: first..first + weights,
                fold: None,
                inputs: std::mem::replace(&mut inputs, vec![output]),
                output,
            });
            first += weights;
        }
        value_of_node.push(inputs[0]);
    }
    if mode == Mode::Training {
        let ends_in_activation = drafts.last().is_some_and(|last| last.layer.makes_probabilities());
        if ends_in_activation {
            drafts.pop();
            shapes.pop();
        }
    }
    Ok((drafts, shapes))
}

/// How many operations read each value.
fn readers(drafts: &[Draft], values: usize) -> Vec<usize> {
    let mut readers = vec![0; values];
    drafts.iter().flat_map(|draft| &draft.inputs).for_each(|&value| readers[value] += 1);
    readers
}

/// Joins a layer with its only reader where one kernel does both, or where inference can fold it into the weights.
fn fuse(drafts: &mut Vec<Draft>, shapes: &[Vec<usize>], mode: Mode) {
    let mut i = 0;
    while i < drafts.len() {
        let value = drafts[i].output;
        let only = readers(drafts, shapes.len())[value] == 1;
        let next = drafts.iter().position(|draft| draft.inputs == [value]).filter(|_| only);
        let joined = next.and_then(|next| {
            let reader = drafts[next].layer.as_ref();
            let foldable = mode == Mode::Inference
                && drafts[i].fold.is_none()
                && (reader as &dyn Any).is::<BatchNormalization>();
            let layer = match foldable {
                true => drafts[i].layer.with_affine(),
                false => drafts[i].layer.fuse(reader, &shapes[value]),
            };
            Some((next, layer?, foldable))
        });
        match joined {
            Some((next, layer, folded)) => {
                let gone = drafts.remove(next);
                let draft = &mut drafts[i];
                (draft.layer, draft.output, draft.node) = (layer, gone.output, gone.node);
                if folded {
                    draft.fold = Some(Fold {
                        normalization: gone.layer,
                        parameters: gone.parameters,
                        folded: Vec::new(),
                    });
                }
            }
            None => i += 1,
        }
    }
}

/// A buffer for each value, by value.
fn assign_buffers(drafts: &[Draft], shapes: &[Vec<usize>], mode: Mode) -> (Vec<usize>, Pool) {
    let mut left = readers(drafts, shapes.len());
    let single: Vec<bool> = left.iter().map(|&readers| readers == 1).collect();
    // Whether a value is read on the way back by the layer that made it.
    let mut kept = vec![true; shapes.len()];
    let mut pool = Pool::default();
    let mut assigned = vec![usize::MAX; shapes.len()];
    assigned[0] = pool.take(product(&shapes[0]));
    for draft in drafts {
        let traits = draft.layer.traits();
        let (input, output) = (draft.inputs[0], draft.output);
        let free = match mode {
            Mode::Inference => input != 0,
            Mode::Training => !kept[input] && !traits.needs_input,
            Mode::Inspection => false,
        };
        let shared = traits.in_place && single[input] && (free || traits.identity);
        assigned[output] =
            if shared { assigned[input] } else { pool.take(product(&shapes[output])) };
        kept[output] = traits.needs_output || (shared && traits.identity && kept[input]);
        if mode == Mode::Inference {
            for &value in &draft.inputs {
                left[value] -= 1;
                if left[value] == 0 && assigned[value] != assigned[output] && value != 0 {
                    pool.give_back(assigned[value]);
                }
            }
        }
    }
    (assigned, pool)
}

/// Plans the way back: which operations need it, and a gradient buffer for each value while it is needed.
fn route_gradients(
    operations: &mut [Operation],
    shapes: &[Vec<usize>],
    parameters: &mut [Parameter],
    n: usize,
    input_gradient: bool,
) -> (Vec<Vec<f32>>, Option<usize>) {
    let mut needed = vec![false; shapes.len()];
    needed[0] = input_gradient;
    for operation in operations.iter() {
        let own = parameters[operation.parameters.clone()].iter().any(|p| p.trainable);
        needed[operation.output] = own || operation.inputs.iter().any(|&value| needed[value]);
    }
    let mut pool = Pool::default();
    let mut buffer: Vec<Option<usize>> = vec![None; shapes.len()];
    if let Some(last) = operations.last() {
        buffer[last.output] = Some(pool.take(product(&shapes[last.output])));
    }
    for operation in operations.iter_mut().rev() {
        let Some(doutput) = buffer[operation.output].filter(|_| needed[operation.output]) else {
            continue;
        };
        let memory = operation.layer.memory(&operation.shapes);
        let state = &mut operation.state;
        for parameter in &mut parameters[operation.parameters.clone()] {
            parameter.gradient.resize(parameter.value.len(), 0.0);
        }
        let in_place = operation.layer.traits().gradient_in_place;
        let mut handed_on = false;
        let mut lent = Vec::new();
        let mut dinputs = Vec::with_capacity(operation.inputs.len());
        for (i, &value) in operation.inputs.iter().enumerate() {
            dinputs.push(match (needed[value], buffer[value]) {
                (false, _) => Target::Unused,
                (true, None) if in_place && i == 0 => {
                    handed_on = true;
                    buffer[value] = Some(doutput);
                    Target::InPlace
                }
                (true, Some(to)) if in_place && i == 0 => Target::AddInPlace(to),
                (true, None) => {
                    let id = pool.take(product(&shapes[value]));
                    buffer[value] = Some(id);
                    Target::Write(id)
                }
                (true, Some(to)) => {
                    let from = pool.take(product(&shapes[value]));
                    lent.push(from);
                    Target::Add { from, to }
                }
            });
        }
        // The transposed weights are for the input's gradient only.
        if dinputs.iter().any(|target| !matches!(target, Target::Unused)) {
            state.packed_backward = vec![0.0; memory.packed_backward];
        }
        lent.into_iter().for_each(|id| pool.give_back(id));
        if !handed_on {
            pool.give_back(doutput);
        }
        let taken = dinputs.iter().map(|_| Vec::new()).collect();
        operation.backward = Some(Route { doutput, dinputs, taken });
    }
    (pool.buffers(n), buffer[0].filter(|_| input_gradient))
}
