//! From the layers of an architecture to those that run: simple ones, fused where a kernel does several at once.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use super::super::{Mode, Node};
use crate::error::Result;
use crate::layer::{BatchNormalization, Layer, Parameter};

/// An operation before it has buffers.
pub(super) struct Draft {
    pub layer: Arc<dyn Layer>,
    pub node: usize,
    pub parameters: Range<usize>,
    pub fold: Option<Fold>,
    pub inputs: Vec<usize>,
    pub output: usize,
}

/// A batch normalization whose moving statistics are folded into the weights of the layer before it.
#[derive(Debug)]
pub(super) struct Fold {
    normalization: Arc<dyn Layer>,
    pub parameters: Range<usize>,
    /// The layer's own weights, kernel and bias, with the normalization in them.
    pub folded: Vec<Parameter>,
}

impl Fold {
    /// `kernel[.., c] * factor[c]`, and `bias[c] * factor[c] + summand[c]`.
    pub fn update(&mut self, parameters: &[Parameter], own: Range<usize>) {
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

/// A network's nodes as simple layers.
pub(super) struct Lowered {
    pub drafts: Vec<Draft>,
    /// Of each value.
    pub shapes: Vec<Vec<usize>>,
    /// The value that each node puts out.
    pub node_values: Vec<usize>,
}

/// The nodes as simple layers. Training ends at the logits: the loss takes the last activation's part.
pub(super) fn lowered(nodes: &[Node], input_shape: [usize; 3], mode: Mode) -> Result<Lowered> {
    let mut shapes = vec![input_shape.to_vec()];
    let mut drafts: Vec<Draft> = Vec::new();
    // By value number of the architecture: its input, then its nodes.
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
    if mode.trains() {
        let ends_in_activation = drafts.last().is_some_and(|last| last.layer.makes_probabilities());
        if ends_in_activation {
            drafts.pop();
            shapes.pop();
        }
    }
    Ok(Lowered { drafts, shapes, node_values: value_of_node.split_off(1) })
}

/// How many operations read each value; what is kept has one more reader, after the last.
pub(super) fn readers(drafts: &[Draft], values: usize, kept: &[usize]) -> Vec<usize> {
    let mut readers = vec![0; values];
    drafts.iter().flat_map(|draft| &draft.inputs).for_each(|&value| readers[value] += 1);
    kept.iter().for_each(|&value| readers[value] += 1);
    readers
}

/// Joins a layer with its only reader where one kernel does both, or where inference can fold it into the weights.
pub(super) fn fuse(drafts: &mut Vec<Draft>, shapes: &[Vec<usize>], kept: &[usize], mode: Mode) {
    let mut i = 0;
    while i < drafts.len() {
        let value = drafts[i].output;
        let only = readers(drafts, shapes.len(), kept)[value] == 1;
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
