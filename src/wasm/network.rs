//! A network that classifies.

use ndarray::ArrayView4;
use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::{Pixels, Thrown, ragged, to_js};
use crate::classifier::Classifier;
use crate::error::Result;
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
            optimizer: Optimizer::adam(super::training::LEARNING_RATE),
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
        to_js(self.classifier.input())
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
        to_js(&self.classifier.model.layers())
    }

    /// How the model was trained, as its file tells: an object, free in form.
    #[wasm_bindgen(getter, unchecked_return_type = "Record<string, any>")]
    pub fn training(&self) -> Thrown<JsValue> {
        let serializer = serde_wasm_bindgen::Serializer::json_compatible();
        Ok(self.classifier.training().serialize(&serializer)?)
    }

    /// The outputs (n, outputs) for `n` images (n, H, W, C), rescaled already.
    pub fn predict(&mut self, x: &[f32], n: usize) -> Thrown<Vec<f32>> {
        let outputs = self.classifier.model.predict(self.images("predict", x, n)?)?;
        Ok(outputs.into_raw_vec_and_offset().0)
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

impl Network {
    /// `values` as `n` images of the network's shape.
    pub(super) fn images<'a>(
        &self,
        operation: &str,
        values: &'a [f32],
        n: usize,
    ) -> Result<ArrayView4<'a, f32>> {
        let [h, w, c] = self.classifier.model.input_shape();
        ArrayView4::from_shape((n, h, w, c), values)
            .map_err(|_| ragged(operation, "images", h * w * c, values.len()))
    }
}
