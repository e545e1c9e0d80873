//! Architectures taken apart: a new last layer, and the cut between the layers that learn and those that do not.

use crate::architecture::{Architecture, LayerInput, LayerSpec};
use crate::error::{Result, bail};
use crate::model::Model;

/// The same network with its last Dense layer, and the activation after it, replaced by one of `classes` softmax
/// outputs (two classes have two). It is the last layer then, under its old name.
pub fn with_outputs(architecture: &Architecture, classes: usize) -> Result<Architecture> {
    let mut architecture = architecture.clone();
    let layers = &mut architecture.layers;
    let is_activation = |layer: &LayerSpec| {
        ["Activation", "ReLU", "LeakyReLU", "Softmax"].contains(&layer.class_name.as_str())
    };
    while layers.last().is_some_and(is_activation) {
        layers.pop();
    }
    let Some(last) = layers.last_mut().filter(|last| last.class_name == "Dense") else {
        bail!(Architecture, "transfer: expected a network that ends in a Dense layer");
    };
    last.config.insert("units".into(), classes.into());
    last.config.insert("activation".into(), "softmax".into());
    last.config.insert("trainable".into(), true.into());
    Ok(architecture)
}

/// Features that the new last layer reads at most where a mean over all places is undone.
const MAX_FEATURES: usize = 4096;

/// The same network with a Flatten in place of the mean over all places that its last layer reads, if it does and if
/// that is not too much: where something is tells classes apart that the base never knew. (`convlet fewshot`, last layer
/// only, 40 examples a class: 0.81 instead of 0.55 on digits signed by hand.)
pub fn with_places(model: &Model) -> Architecture {
    let mut architecture = model.architecture().clone();
    let at = cut(&architecture);
    let Some(mean) = at.checked_sub(1).map(|at| &mut architecture.layers[at]) else {
        return architecture;
    };
    let averaged = match mean.inputs[..] {
        [LayerInput::Layer(before)] => model.layers()[before].output_shape.iter().product(),
        _ => model.input_len(),
    };
    if mean.class_name == "GlobalAveragePooling2D" && averaged <= MAX_FEATURES {
        mean.class_name = "Flatten".into();
    }
    architecture
}

/// The first of the layers that learn in depth `head`: the last Dense, with what drops and flattens before it. All
/// layers before it reach it by one value only; 0 where there is no such place.
pub fn cut(architecture: &Architecture) -> usize {
    let layers = &architecture.layers;
    let mut at = layers.len().saturating_sub(1);
    while at > 0 && ["Dropout", "Flatten"].contains(&layers[at - 1].class_name.as_str()) {
        at -= 1;
    }
    let is_cut = |at: usize| {
        let inputs = layers[at..].iter().flat_map(|layer| &layer.inputs);
        inputs.into_iter().all(|input| input.value() >= at)
    };
    while at > 0 && !is_cut(at) {
        at -= 1;
    }
    at
}

/// The network in two: its first `at` layers, and the rest, which takes what they give. Weights go with their layers.
pub fn split(model: &Model, at: usize, seed: u64) -> Result<(Model, Model)> {
    let architecture = model.architecture();
    let (first, rest) = architecture.layers.split_at(at);
    let name = &architecture.name;
    let trunk = Architecture::new(name, architecture.input_shape, first.to_vec())?;
    let mut trunk = Model::new(trunk, 0)?;
    let shape = trunk.output_shape();
    // A flat value enters as a picture of one pixel.
    let (input_shape, mut layers) = match *shape {
        [h, w, c] => ([h, w, c], Vec::new()),
        _ => {
            let flatten = LayerSpec::new("Flatten", serde_json::Value::Null);
            let flatten = flatten.with_inputs(&[LayerInput::Model]);
            ([1, 1, shape.iter().product()], vec![flatten])
        }
    };
    let shift = layers.len();
    for layer in rest {
        let inputs = layer.inputs.iter().map(|input| match input.value() - at + shift {
            0 => LayerInput::Model,
            value => LayerInput::Layer(value - 1),
        });
        layers.push(LayerSpec { inputs: inputs.collect(), ..layer.clone() });
    }
    let mut head = Model::new(Architecture::new(name, input_shape, layers)?, seed)?;
    let (before, after) = model.parameters().split_at(trunk.parameters().len());
    for (own, from) in [(&mut trunk, before), (&mut head, after)] {
        for (own, from) in own.parameters_mut().iter_mut().zip(from) {
            own.value.clone_from(&from.value);
        }
    }
    Ok((trunk, head))
}
