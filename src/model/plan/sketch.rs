//! A plan before anything is allocated: what it will take is known, and may be refused.

use super::super::{MAX_MEMORY, Mode, Node, product};
use super::buffers::{Pool, assign_buffers, route_gradients};
use super::draft::{Draft, Lowered, fuse, lowered};
use super::{Front, Operation, Purpose};
use crate::error::{Result, bail};
use crate::kernel::parallel;
use crate::layer::{BackwardMemory, Parameter, Place, Shapes, State};

/// Floats that a layer may read and write at a time, on each thread, to find them in the cache: half of a second-level
/// one (bench page).
const CACHED: usize = 1 << 16;

/// Operations in order and how much memory they take, none of it allocated.
pub(super) struct Sketch {
    pub front: Front,
    pub operations: Vec<Operation>,
    pub places: Vec<Place>,
    pub buffers: Pool,
    pub gradients: Pool,
    pub scratch: usize,
    /// The gradient buffer of the input, where one is kept.
    pub input_gradient: Option<usize>,
    /// The buffers, and their lengths for one sample, of the outputs that stay.
    pub kept: Vec<(usize, usize)>,
}

impl Sketch {
    pub fn new(
        nodes: &[Node],
        input_shape: [usize; 3],
        parameters: &[Parameter],
        n: usize,
        purpose: Purpose,
    ) -> Result<Self> {
        let Purpose { mode, fused, input_gradient, kept } = purpose;
        let Lowered { mut drafts, shapes, node_values } = lowered(nodes, input_shape, mode)?;
        let kept: Vec<usize> = kept.iter().map(|&node| node_values[node]).collect();
        // Lengths below are of one value's floats: none of them overflows, though an address has 32 bits in a browser.
        let largest = shapes.iter().map(|shape| product(shape)).max().unwrap_or(0);
        if (largest as u64).saturating_mul(4).saturating_mul(n as u64) > MAX_MEMORY {
            bail!(
                Argument,
                "a batch of {n}: expected layers of at most {MAX_MEMORY} bytes, got {largest} numbers a sample"
            );
        }
        if fused {
            fuse(&mut drafts, &shapes, &kept, mode);
        }
        let front = front(&drafts, &shapes, n, mode);
        let (places, buffers) = assign_buffers(&drafts, &shapes, &kept, mode, n, front);
        let mut operations = Vec::with_capacity(drafts.len());
        let mut scratch = 0;
        let training = mode.trains();
        for (i, draft) in drafts.into_iter().enumerate() {
            let shared = places[draft.inputs[0]] == places[draft.output];
            let own = Shapes {
                n: if i < front.operations { front.samples } else { n },
                inputs: draft.inputs.iter().map(|&value| shapes[value].clone()).collect(),
                output: shapes[draft.output].clone(),
            };
            let faster = draft.layer.faster(&own.inputs, training).filter(|_| fused);
            let layer = faster.unwrap_or(draft.layer);
            let memory = layer.memory(&own);
            let backward_memory = match training {
                #[cfg(feature = "train")]
                true => layer.backward_memory(&own),
                _ => BackwardMemory::default(),
            };
            scratch = scratch.max(memory.scratch).max(backward_memory.scratch);
            operations.push(Operation {
                node: draft.node,
                shapes: own,
                parameters: draft.parameters,
                fold: draft.fold,
                inputs: draft.inputs,
                output: draft.output,
                copies: layer.traits().in_place && !shared,
                layer,
                memory,
                backward_memory,
                state: State::default(),
                backward: None,
            });
        }
        let (mut gradients, mut last_gradient) = (Pool::default(), None);
        if training {
            (gradients, last_gradient) =
                route_gradients(&mut operations, &shapes, parameters, input_gradient, n);
        }
        let place = |&value: &usize| (places[value].buffer, product(&shapes[value]));
        let kept = kept.iter().map(place).collect();
        let input_gradient = last_gradient;
        Ok(Self { front, operations, places, buffers, gradients, scratch, input_gradient, kept })
    }

    /// All that the plan takes, and the weights and gradients of the network.
    pub fn bytes(&self, parameters: &[Parameter]) -> u64 {
        let own = |operation: &Operation| {
            let Operation { memory, backward_memory, .. } = operation;
            let BackwardMemory { packed, saved, indices, .. } = *backward_memory;
            let gradients =
                operation.backward.iter().flat_map(|_| &parameters[operation.parameters.clone()]);
            let folded =
                operation.fold.iter().flat_map(|_| &parameters[operation.parameters.clone()]);
            let floats = gradients.chain(folded).map(len).sum::<u64>();
            4 * ([memory.packed, packed, saved].iter().map(|&len| len as u64).sum::<u64>() + floats)
                + indices as u64
        };
        let pools = self.buffers.floats().saturating_add(self.gradients.floats());
        let weights: u64 = parameters.iter().map(len).sum();
        let operations: u64 = self.operations.iter().map(own).sum();
        4u64.saturating_mul(weights + self.scratch as u64 + pools) + operations
    }
}

/// How far inference takes a few samples at a time, and how many.
fn front(drafts: &[Draft], shapes: &[Vec<usize>], n: usize, mode: Mode) -> Front {
    if mode != Mode::Inference {
        return Front { operations: 0, samples: n.max(1) };
    }
    let operations = drafts.iter().position(|draft| draft.layer.traits().whole_batch);
    let operations = operations.unwrap_or(drafts.len());
    let floats = |draft: &Draft| {
        let values = draft.inputs.iter().chain([&draft.output]);
        values.map(|&value| product(&shapes[value])).fold(0, usize::saturating_add)
    };
    let most = drafts[..operations].iter().map(floats).max().unwrap_or(0);
    let samples = (CACHED / most.max(1)).max(1) * parallel::parts();
    Front { operations, samples: samples.min(n.max(1)) }
}

fn len(parameter: &Parameter) -> u64 {
    product(&parameter.shape) as u64
}

/// What a network takes to classify one picture: multiplications with additions (or what a layer does in their place),
/// and bytes.
pub fn cost(
    nodes: &[Node],
    input_shape: [usize; 3],
    parameters: &[Parameter],
) -> Result<(u64, u64)> {
    let mode = Mode::Inference;
    let Lowered { drafts, shapes, .. } = lowered(nodes, input_shape, mode)?;
    let operations = drafts.iter().map(|draft| {
        let inputs: Vec<_> = draft.inputs.iter().map(|&value| shapes[value].clone()).collect();
        let terms = draft.layer.terms(&inputs) as u64;
        terms.saturating_mul(product(&shapes[draft.output]) as u64)
    });
    let operations = operations.fold(0, u64::saturating_add);
    let purpose = Purpose { mode, fused: true, input_gradient: false, kept: &[] };
    let sketch = Sketch::new(nodes, input_shape, parameters, 1, purpose)?;
    Ok((operations, sketch.bytes(parameters)))
}
