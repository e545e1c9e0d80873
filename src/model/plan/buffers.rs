//! Which buffer holds which value, and which holds its gradient on the way back.

use super::super::{Mode, product, zeros};
use super::draft::{Draft, readers};
use super::{Front, Operation, Route, Target};
use crate::error::Result;
use crate::layer::{Parameter, Place};

/// Buffers that are handed out and come back, by how many samples they hold and by size.
#[derive(Default)]
pub(super) struct Pool {
    /// Samples and floats of each.
    sizes: Vec<(usize, usize)>,
    free: Vec<usize>,
}

impl Pool {
    /// The free buffer of so many samples that has to grow least, or a new one.
    fn take(&mut self, samples: usize, size: usize) -> usize {
        let fits = |&i: &usize| self.sizes[self.free[i]].0 == samples;
        let growth = |&i: &usize| self.sizes[self.free[i]].1.abs_diff(size);
        let id = match (0..self.free.len()).filter(fits).min_by_key(growth) {
            Some(i) => self.free.swap_remove(i),
            None => {
                self.sizes.push((samples, 0));
                self.sizes.len() - 1
            }
        };
        self.sizes[id].1 = self.sizes[id].1.max(size);
        id
    }

    fn give_back(&mut self, id: usize) {
        self.free.push(id);
    }

    /// Floats in all buffers.
    pub fn floats(&self) -> u64 {
        self.sizes.iter().map(|&(n, size)| (n as u64).saturating_mul(size as u64)).sum()
    }

    /// The buffers themselves.
    pub fn buffers(&self) -> Result<Vec<Vec<f32>>> {
        self.sizes.iter().map(|&(n, size)| zeros(n * size)).collect()
    }
}

/// Whether a value is there for all samples at once, by value: the first `front` operations take a few at a time.
fn whole_values(drafts: &[Draft], shapes: &[Vec<usize>], front: usize) -> Vec<bool> {
    let mut whole = vec![true; shapes.len()];
    drafts[..front].iter().for_each(|draft| whole[draft.output] = false);
    drafts[front..].iter().flat_map(|draft| &draft.inputs).for_each(|&value| whole[value] = true);
    if let Some(last) = drafts.last() {
        whole[last.output] = true;
    }
    // Where a layer works in place, so that it can.
    for draft in drafts[..front].iter().rev().filter(|draft| draft.layer.traits().in_place) {
        whole[draft.inputs[0]] |= whole[draft.output];
    }
    whole
}

/// A place for each value, by value, and the buffers for `n` samples.
pub(super) fn assign_buffers(
    drafts: &[Draft],
    shapes: &[Vec<usize>],
    lasting: &[usize],
    mode: Mode,
    n: usize,
    front: Front,
) -> (Vec<Place>, Pool) {
    let whole = whole_values(drafts, shapes, front.operations);
    let mut left = readers(drafts, shapes.len(), lasting);
    let single: Vec<bool> = left.iter().map(|&readers| readers == 1).collect();
    // Whether a value is read on the way back by the layer that made it.
    let mut kept = vec![true; shapes.len()];
    let mut pool = Pool::default();
    let take = |pool: &mut Pool, value: usize| {
        let samples = if whole[value] { n } else { front.samples };
        Place { buffer: pool.take(samples, product(&shapes[value])), whole: whole[value] }
    };
    let mut assigned = vec![Place { buffer: usize::MAX, whole: true }; shapes.len()];
    assigned[0] = take(&mut pool, 0);
    for draft in drafts {
        let traits = draft.layer.traits();
        let (input, output) = (draft.inputs[0], draft.output);
        let free = match mode {
            Mode::Inference => input != 0,
            Mode::Training => !kept[input] && !traits.needs_input,
            Mode::Inspection => false,
        };
        let shared = traits.in_place
            && single[input]
            && (free || traits.identity)
            && whole[input] == whole[output];
        assigned[output] = if shared { assigned[input] } else { take(&mut pool, output) };
        kept[output] = traits.needs_output || (shared && traits.identity && kept[input]);
        if mode == Mode::Inference {
            for &value in &draft.inputs {
                left[value] -= 1;
                if left[value] == 0 && assigned[value] != assigned[output] && value != 0 {
                    pool.give_back(assigned[value].buffer);
                }
            }
        }
    }
    (assigned, pool)
}

/// Plans the way back: which operations need it, and a gradient buffer for each value while it is needed.
pub(super) fn route_gradients(
    operations: &mut [Operation],
    shapes: &[Vec<usize>],
    parameters: &[Parameter],
    input_gradient: bool,
    n: usize,
) -> (Pool, Option<usize>) {
    let mut needed = vec![false; shapes.len()];
    needed[0] = input_gradient;
    for operation in operations.iter() {
        let own = parameters[operation.parameters.clone()].iter().any(|p| p.trainable);
        needed[operation.output] = own || operation.inputs.iter().any(|&value| needed[value]);
    }
    let mut pool = Pool::default();
    let mut buffer: Vec<Option<usize>> = vec![None; shapes.len()];
    if let Some(last) = operations.last() {
        buffer[last.output] = Some(pool.take(n, product(&shapes[last.output])));
    }
    for operation in operations.iter_mut().rev() {
        // The transposed weights are for the input's gradient only.
        let packed_backward = std::mem::take(&mut operation.backward_memory.packed);
        let Some(doutput) = buffer[operation.output].filter(|_| needed[operation.output]) else {
            continue;
        };
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
                    let id = pool.take(n, product(&shapes[value]));
                    buffer[value] = Some(id);
                    Target::Write(id)
                }
                (true, Some(to)) => {
                    let from = pool.take(n, product(&shapes[value]));
                    lent.push(from);
                    Target::Add { from, to }
                }
            });
        }
        if dinputs.iter().any(|target| !matches!(target, Target::Unused)) {
            operation.backward_memory.packed = packed_backward;
        }
        lent.into_iter().for_each(|id| pool.give_back(id));
        if !handed_on {
            pool.give_back(doutput);
        }
        let taken = dinputs.iter().map(|_| Vec::new()).collect();
        operation.backward = Some(Route { doutput, dinputs, taken });
    }
    (pool, buffer[0].filter(|_| input_gradient))
}
