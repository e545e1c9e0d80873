//! Which buffer holds which value, and which holds its gradient on the way back.

use super::super::{Mode, product, zeros};
use super::draft::{Draft, readers};
use super::{Operation, Route, Target};
use crate::error::Result;
use crate::layer::Parameter;

/// Buffers that are handed out and come back, by size.
#[derive(Default)]
pub(super) struct Pool {
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

    /// Floats in all buffers, for one sample.
    pub fn floats(&self) -> u64 {
        self.sizes.iter().map(|&size| size as u64).sum()
    }

    /// The buffers themselves, for `n` samples.
    pub fn buffers(&self, n: usize) -> Result<Vec<Vec<f32>>> {
        self.sizes.iter().map(|size| zeros(n * size)).collect()
    }
}

/// A buffer for each value, by value.
pub(super) fn assign_buffers(
    drafts: &[Draft],
    shapes: &[Vec<usize>],
    lasting: &[usize],
    mode: Mode,
) -> (Vec<usize>, Pool) {
    let mut left = readers(drafts, shapes.len(), lasting);
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
pub(super) fn route_gradients(
    operations: &mut [Operation],
    shapes: &[Vec<usize>],
    parameters: &[Parameter],
    input_gradient: bool,
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
        buffer[last.output] = Some(pool.take(product(&shapes[last.output])));
    }
    for operation in operations.iter_mut().rev() {
        // The transposed weights are for the input's gradient only.
        let packed_backward = std::mem::take(&mut operation.memory.packed_backward);
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
        if dinputs.iter().any(|target| !matches!(target, Target::Unused)) {
            operation.memory.packed_backward = packed_backward;
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
