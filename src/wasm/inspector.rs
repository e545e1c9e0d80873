//! Looking inside a [`Network`]: every layer's numbers for one picture, how each came about, and where the network looked.

use serde_json::Value;
use wasm_bindgen::prelude::*;

use super::{Network, Thrown};
use crate::architecture::{LayerInput, LayerSpec};
use crate::error::{Error, ErrorKind};
use crate::json::{self, object};
use crate::model::{LayerSummary, Mode, Model, Rule};

#[wasm_bindgen]
impl Network {
    /// Runs a tensor (H, W, C), such as [`Network::seen`], through all layers and keeps what each puts out.
    pub fn inspect(&mut self, x: &[f32]) -> Thrown<()> {
        self.images("inspect", x, 1)?;
        let model = &mut self.classifier.model;
        model.input_mut(1, Mode::Inspection)?.copy_from_slice(x);
        model.forward(1, Mode::Inspection);
        Ok(())
    }

    /// The layers as JSON: `{ name, className, config, inputs, outputShape, weights: { name, shape }[] }[]`; an input is
    /// a layer's number, or -1 for the picture.
    #[wasm_bindgen(js_name = inspectorLayers)]
    pub fn inspector_layers(&self) -> String {
        json::write(&layers(&self.classifier.model))
    }

    /// What layer `layer` put out for the picture of [`Network::inspect`].
    #[wasm_bindgen(js_name = layerOutput)]
    pub fn layer_output(&self, layer: usize) -> Vec<f32> {
        let model = &self.classifier.model;
        let spec = model.architecture().layers.get(layer);
        let output = spec.and_then(|spec| model.layer_output(&spec.name, 1));
        output.unwrap_or_default().to_vec()
    }

    /// A layer's weights one after the other, or the gradients that the last training step left for them: 0 where it
    /// left none.
    #[wasm_bindgen(js_name = layerWeights)]
    pub fn layer_weights(&self, layer: usize, gradients: bool) -> Vec<f32> {
        let mut numbers = Vec::new();
        for parameter in self.classifier.model.layer_parameters(layer) {
            let end = numbers.len() + parameter.value.len();
            numbers.extend(if gradients { &parameter.gradient } else { &parameter.value });
            numbers.resize(end, 0.0);
        }
        numbers
    }

    /// How number `index` of layer `layer`'s output came about: the rule (0 sum, 1 largest, 2 mean), bias, total, output
    /// and then four numbers a term: which input, where in it (-1 on the padding), value, weight.
    pub fn arithmetic(&self, layer: usize, index: usize) -> Thrown<Vec<f64>> {
        let Some(a) = self.classifier.model.arithmetic(layer, index) else {
            let message = format!(
                "arithmetic: expected a number of a layer that was shown, got {index} of layer {layer}"
            );
            return Err(Error::new(ErrorKind::Argument, message).into());
        };
        let rule = match a.rule {
            Rule::Sum => 0.0,
            Rule::Max => 1.0,
            Rule::Mean => 2.0,
        };
        let mut numbers = vec![rule, a.bias.into(), a.total.into(), a.output.into()];
        for term in a.terms {
            let index = term.index.map_or(-1.0, |index| index as f64);
            numbers.extend([term.input as f64, index, term.value.into(), term.weight.into()]);
        }
        Ok(numbers)
    }

    /// The layer to ask [`Network::class_activation`] about; undefined where nothing convolves.
    #[wasm_bindgen(js_name = lastImage)]
    pub fn last_image(&self) -> Option<usize> {
        self.classifier.model.last_image()
    }

    /// Where in layer `layer`'s maps the picture speaks for class `class`: (H, W), 0 and more.
    #[wasm_bindgen(js_name = classActivation)]
    pub fn class_activation(&mut self, layer: usize, class: usize) -> Thrown<Vec<f32>> {
        Ok(self.classifier.model.class_activation(layer, class)?)
    }

    /// How much class `class` depends on each pixel of the picture: (H, W).
    pub fn saliency(&mut self, class: usize) -> Thrown<Vec<f32>> {
        Ok(self.classifier.model.saliency(class)?)
    }
}

fn layers(model: &Model) -> Value {
    let specs = model.architecture().layers.iter().zip(model.layers()).enumerate();
    let describe = |(i, (spec, summary)): (usize, (&LayerSpec, LayerSummary))| -> Value {
        let inputs: Vec<Value> = spec
            .inputs
            .iter()
            .map(|input| match input {
                LayerInput::Model => (-1).into(),
                LayerInput::Layer(layer) => (*layer).into(),
            })
            .collect();
        let weights: Vec<Value> = model
            .layer_parameters(i)
            .iter()
            .map(|p| {
                let name = p.name.rsplit('/').next().unwrap_or_default();
                object! {"name": name, "shape": p.shape.clone()}.into()
            })
            .collect();
        let layer = object! {
            "name": &*spec.name,
            "className": summary.class_name,
            "config": spec.config.clone(),
            "inputs": inputs,
            "outputShape": summary.output_shape,
            "weights": weights,
        };
        layer.into()
    };
    specs.map(describe).collect::<Vec<Value>>().into()
}
