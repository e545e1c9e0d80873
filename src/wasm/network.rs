//! A network that classifies.

use serde_json::Value;
use wasm_bindgen::prelude::*;

use super::{Pixels, Thrown, parsed};
use crate::classifier::Classifier;
use crate::json::object;
use crate::model::LayerSummary;
#[cfg(feature = "train")]
use crate::optimizer::Optimizer;

/// A network with its labels and its preprocessing.
#[wasm_bindgen]
pub struct Network {
    pub(super) classifier: Classifier,
    #[cfg(feature = "train")]
    pub(super) optimizer: Optimizer,
    rgba: Pixels,
}

#[wasm_bindgen]
impl Network {
    /// Reads a model file; `name` is what messages call it.
    #[wasm_bindgen(js_name = fromBytes)]
    pub fn from_bytes(bytes: &[u8], name: &str) -> Thrown<Network> {
        let classifier = Classifier::from_bytes(bytes).map_err(|error| error.within(name))?;
        Ok(Self::new(classifier))
    }

    pub(super) fn new(classifier: Classifier) -> Self {
        Self {
            classifier,
            #[cfg(feature = "train")]
            optimizer: Optimizer::adam(super::tensors::LEARNING_RATE),
            rgba: Pixels::default(),
        }
    }

    /// The classes' names, in the order of the probabilities.
    #[wasm_bindgen(getter)]
    pub fn labels(&self) -> Vec<String> {
        self.classifier.labels().to_vec()
    }

    /// What the network takes, and how a picture is made into it.
    #[wasm_bindgen(
        getter,
        unchecked_return_type = "{ height: number, width: number, channels: number, resize: 'squash' | 'crop', rescale: number }"
    )]
    pub fn input(&self) -> Thrown<JsValue> {
        parsed(self.classifier.input().to_json())
    }

    /// Weights in all.
    #[wasm_bindgen(js_name = countParams)]
    pub fn count_params(&self) -> usize {
        self.classifier.model.count_params()
    }

    /// Keras's table of layers, output shapes and weights.
    pub fn summary(&self) -> String {
        self.classifier.model.summary()
    }

    /// The rows of that table.
    #[wasm_bindgen(
        getter,
        unchecked_return_type = "{ name: string, className: string, outputShape: number[], parameters: number }[]"
    )]
    pub fn layers(&self) -> Thrown<JsValue> {
        let row = |layer: LayerSummary| -> Value {
            let row = object! {
                "name": layer.name,
                "className": layer.class_name,
                "outputShape": layer.output_shape,
                "parameters": layer.parameters,
            };
            row.into()
        };
        parsed(self.classifier.model.layers().into_iter().map(row).collect::<Value>())
    }

    /// How the model was trained, as its file tells: an object, free in form.
    #[wasm_bindgen(getter, unchecked_return_type = "Record<string, any>")]
    pub fn training(&self) -> Thrown<JsValue> {
        parsed(self.classifier.training().clone())
    }

    /// Where in wasm memory the RGBA bytes of a picture go, row by row. Holds until the next call into wasm.
    pub fn pixels(&mut self, width: usize, height: usize) -> Thrown<*const u8> {
        self.rgba.room(width, height)
    }

    /// The probability of each label for the picture that [`Network::pixels`] made room for.
    #[wasm_bindgen(js_name = classifyPixels)]
    pub fn classify_pixels(&mut self, width: usize, height: usize) -> Thrown<Vec<f32>> {
        Ok(self.classifier.classify(&self.rgba.0, width, height)?.to_vec())
    }

    /// Whether the last picture is unlike all that the network knows; undefined where the model file does not tell.
    #[wasm_bindgen(js_name = noneOfThese)]
    pub fn none_of_these(&self) -> Option<bool> {
        self.classifier.none_of_these()
    }

    /// What the network was given of the last picture: the tensor (H, W, C).
    pub fn seen(&self) -> Vec<f32> {
        self.classifier.seen().to_vec()
    }
}
