//! A [`Network`] on tensors: predictions, and training a step a call.

use ndarray::{ArrayView2, ArrayView4};
use serde_json::Map;
use wasm_bindgen::prelude::*;

use super::{Network, Thrown, parsed};
use crate::architecture::Architecture;
use crate::classifier::Classifier;
use crate::error::{Error, ErrorKind, Result};
use crate::image::Input;
use crate::json::object;
use crate::model::Model;
use crate::train::train_on_batch;

/// Keras's learning rate for Adam.
pub(super) const LEARNING_RATE: f32 = 0.001;

#[wasm_bindgen]
impl Network {
    /// Builds a network from Keras's JSON with weights drawn from `seed`. Its labels are the outputs' numbers.
    #[wasm_bindgen(js_name = fromArchitecture)]
    pub fn from_architecture(json: &str, seed: u32) -> Thrown<Network> {
        Ok(Self::new(built(json, seed)?))
    }

    /// The outputs (n, outputs) for `n` images (n, H, W, C), rescaled already.
    pub fn predict(&mut self, x: &[f32], n: usize) -> Thrown<Vec<f32>> {
        let outputs = self.classifier.model.predict(self.images("predict", x, n)?)?;
        Ok(outputs.into_raw_vec_and_offset().0)
    }

    /// One step of Adam on images (n, H, W, C) and targets (n, outputs); the loss and accuracy before it.
    #[wasm_bindgen(
        js_name = trainOnBatch,
        unchecked_return_type = "{ loss: number, accuracy: number }"
    )]
    pub fn train_on_batch(&mut self, x: &[f32], y: &[f32]) -> Thrown<JsValue> {
        let outputs = self.classifier.model.output_len();
        let n = y.len() / outputs;
        let x = self.images("trainOnBatch", x, n)?;
        let Ok(y) = ArrayView2::from_shape((n, outputs), y) else {
            return Err(ragged("trainOnBatch", "targets", outputs, y.len()).into());
        };
        let (loss, correct) =
            train_on_batch(&mut self.classifier.model, &mut self.optimizer, x, y)?;
        parsed(object! {"loss": loss, "accuracy": correct as f32 / n as f32})
    }

    /// How far a training step goes.
    #[wasm_bindgen(getter, js_name = learningRate)]
    pub fn learning_rate(&self) -> f32 {
        self.optimizer.learning_rate
    }

    /// Sets how far the next steps go.
    #[wasm_bindgen(setter, js_name = learningRate)]
    pub fn set_learning_rate(&mut self, rate: f32) {
        self.optimizer.learning_rate = rate;
    }

    /// The model file, with the weights as they are now.
    pub fn save(&self) -> Thrown<Vec<u8>> {
        Ok(self.classifier.to_file().to_bytes()?)
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

/// A network of its own, before any training: classes are named by their numbers.
fn built(json: &str, seed: u32) -> Result<Classifier> {
    let model = Model::new(Architecture::from_json(json)?, u64::from(seed))?;
    let [height, width, channels] = model.input_shape();
    let labels = (0..model.output_len().max(2)).map(|class| class.to_string()).collect();
    let input = Input { channels, ..Input::rgb(height, width) };
    Classifier::new(model, labels, input, Map::new())
}

/// The error for `got` values that are no whole number of `len`.
fn ragged(operation: &str, what: &str, len: usize, got: usize) -> Error {
    Error::new(
        ErrorKind::Shape,
        format!(
            "{operation}: expected as many {what} of {len} values as the batch has, got {got} values"
        ),
    )
}
