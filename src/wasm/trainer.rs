//! A training on pictures: [`Transfer`] for JavaScript, which asks for one piece of work after the other.

use js_sys::{Float32Array, Reflect};
use serde_json::Value;
use wasm_bindgen::prelude::*;

use super::{Network, Pixels, Thrown, parsed};
use crate::augment::Augment;
use crate::error::Result;
use crate::json::{Map, object};
use crate::train::Progress;
use crate::transfer::{Depth, Event, Recipe, Transfer};

/// A network being taught.
#[wasm_bindgen]
pub struct Trainer {
    transfer: Transfer,
    rgba: Pixels,
}

#[wasm_bindgen]
impl Trainer {
    /// Builds upon a model file; `name` is what messages call it.
    #[wasm_bindgen(js_name = fromBytes)]
    pub fn from_bytes(
        bytes: &[u8],
        name: &str,
        labels: Vec<String>,
        validation_split: f32,
    ) -> Thrown<Trainer> {
        let transfer = Transfer::from_bytes(bytes, &labels, validation_split);
        Ok(Self::new(transfer.map_err(|error| error.within(name))?))
    }

    /// Builds a network of Keras's JSON, to be trained from fresh weights.
    #[wasm_bindgen(js_name = fromArchitecture)]
    pub fn from_architecture(
        json: &str,
        labels: Vec<String>,
        validation_split: f32,
    ) -> Thrown<Trainer> {
        Ok(Self::new(Transfer::from_json(json, &labels, validation_split)?))
    }

    fn new(transfer: Transfer) -> Self {
        Self { transfer, rgba: Pixels::default() }
    }

    /// What is chosen for `examples` pictures where nobody says. Keys as in Rust: `learning_rate`.
    #[wasm_bindgen(unchecked_return_type = "Record<string, any>")]
    pub fn defaults(depth: &str, examples: usize) -> Thrown<JsValue> {
        parsed(Recipe::defaults(named(depth)?, examples).to_json())
    }

    /// What the network takes, and how a picture is made into it.
    #[wasm_bindgen(
        getter,
        unchecked_return_type = "{ height: number, width: number, channels: number, resize: 'squash' | 'crop', rescale: number }"
    )]
    pub fn input(&self) -> Thrown<JsValue> {
        parsed(self.transfer.input().to_json())
    }

    /// Weights in all, of the whole network.
    #[wasm_bindgen(js_name = countParams)]
    pub fn count_params(&self) -> usize {
        self.transfer.count_params()
    }

    /// Where in wasm memory the RGBA bytes of a picture go, row by row. Holds until the next call into wasm.
    pub fn pixels(&mut self, width: usize, height: usize) -> Thrown<*const u8> {
        self.rgba.room(width, height)
    }

    /// Adds the picture that [`Trainer::pixels`] made room for. Gives whether it is held back for validation.
    #[wasm_bindgen(js_name = addPixels)]
    pub fn add_pixels(
        &mut self,
        width: usize,
        height: usize,
        label: usize,
        validation: Option<bool>,
    ) -> Thrown<bool> {
        Ok(self.transfer.add(&self.rgba.0, width, height, label, validation)?)
    }

    /// Adds a picture that another trainer kept: [`Trainer::example`].
    #[wasm_bindgen(js_name = addExample)]
    pub fn add_example(&mut self, pixels: Vec<u8>, label: usize, validation: bool) -> Thrown<()> {
        self.transfer.add_pixels(pixels, label, Some(validation))?;
        Ok(())
    }

    /// The picture of an example, as it is kept: (H, W, C) bytes.
    pub fn example(&self, index: usize) -> Option<Vec<u8>> {
        self.transfer.pixels(index).map(<[u8]>::to_vec)
    }

    /// Takes an example away; those after it move up.
    #[wasm_bindgen(js_name = removeExample)]
    pub fn remove_example(&mut self, index: usize) -> Thrown<()> {
        Ok(self.transfer.remove(index)?)
    }

    /// Gives an example another label.
    pub fn relabel(&mut self, index: usize, label: usize) -> Thrown<()> {
        Ok(self.transfer.relabel(index, label)?)
    }

    /// Begins a training, or goes on from a checkpoint of one. `options` is JSON of what differs from the depth's defaults;
    /// gives the whole recipe.
    #[wasm_bindgen(unchecked_return_type = "Record<string, any>")]
    pub fn begin(
        &mut self,
        depth: &str,
        options: &str,
        checkpoint: Option<Vec<u8>>,
    ) -> Thrown<JsValue> {
        let (examples, _) = self.transfer.counts();
        let recipe = Recipe::defaults(named(depth)?, examples).with(options)?;
        let chosen = recipe.to_json();
        match checkpoint {
            Some(bytes) => self.transfer.resume(recipe, &bytes)?,
            None => self.transfer.begin(recipe)?,
        }
        parsed(chosen)
    }

    /// The next piece of work.
    #[wasm_bindgen(
        unchecked_return_type = "{ phase: 'prepare' | 'step' | 'epoch' | 'end', epoch: number, done: number, total: number, logs?: { loss: number, accuracy: number, val_loss?: number, val_accuracy?: number } }"
    )]
    pub fn advance(&mut self) -> Thrown<JsValue> {
        let piece = |phase: &str, epoch: usize, done: usize, total: usize| {
            object! {"phase": phase, "epoch": epoch, "done": done, "total": total}
        };
        let (mut piece, logs) = match self.transfer.advance()? {
            Event::Prepared { done, total } => (piece("prepare", 0, done, total), None),
            Event::Step(Progress { epoch, done, total, logs }) => {
                (piece("step", epoch, done, total), Some(logs))
            }
            Event::Epoch(logs) => {
                let epoch = self.transfer.history().len() - 1;
                (piece("epoch", epoch, 0, 0), Some(logs))
            }
            Event::End => (piece("end", 0, 0, 0), None),
        };
        if let Some(logs) = logs {
            piece.insert("logs".into(), logs.to_json().into());
        }
        parsed(piece)
    }

    /// Ends the training with the weights there are.
    pub fn finish(&mut self) {
        self.transfer.finish();
    }

    /// The training between two pieces of work, for [`Trainer::begin`].
    pub fn checkpoint(&self) -> Thrown<Vec<u8>> {
        Ok(self.transfer.checkpoint()?)
    }

    /// The probability of each label for the picture that [`Trainer::pixels`] made room for.
    #[wasm_bindgen(js_name = classifyPixels)]
    pub fn classify_pixels(&mut self, width: usize, height: usize) -> Thrown<Vec<f32>> {
        Ok(self.transfer.classify(&self.rgba.0, width, height)?)
    }

    /// What the network was given of the last picture: the tensor (H, W, C).
    pub fn seen(&self) -> Vec<f32> {
        self.transfer.seen().to_vec()
    }

    /// What the network makes of the examples that were held back, or of all where none was; `predictions` are a row of
    /// probabilities each, one after the other.
    #[wasm_bindgen(
        unchecked_return_type = "{ indices: number[], predictions: Float32Array, confusion: number[][], accuracy?: number, perClass: { precision?: number, recall?: number }[] }"
    )]
    pub fn evaluate(&mut self) -> Thrown<JsValue> {
        let evaluation = self.transfer.evaluate()?;
        let confusion = evaluation.confusion;
        let shares = |class| -> Value {
            let mut shares = Map::new();
            put(&mut shares, "precision", confusion.precision(class));
            put(&mut shares, "recall", confusion.recall(class));
            shares.into()
        };
        let mut judgement = object! {
            "indices": evaluation.indices,
            "perClass": (0..confusion.0.len()).map(shares).collect::<Value>(),
        };
        put(&mut judgement, "accuracy", confusion.accuracy());
        judgement.insert("confusion".into(), confusion.0.into_iter().map(Value::from).collect());
        let judgement = parsed(judgement)?;
        let predictions = Float32Array::from(&evaluation.predictions.concat()[..]);
        Reflect::set(&judgement, &"predictions".into(), &predictions)?;
        Ok(judgement)
    }

    /// The picture that [`Trainer::pixels`] made room for as `count` of its augmented selves: (count, H, W, C).
    /// `augment` is JSON.
    #[wasm_bindgen(js_name = previewPixels)]
    pub fn preview_pixels(
        &mut self,
        width: usize,
        height: usize,
        augment: &str,
        seed: u32,
        count: usize,
    ) -> Thrown<Vec<f32>> {
        let augment = Augment::from_json(augment)?;
        Ok(self.transfer.preview(&self.rgba.0, [width, height], &augment, seed, count)?)
    }

    /// The network as it is now, to be looked into, with the gradients that the last step left.
    pub fn snapshot(&self) -> Thrown<Network> {
        Ok(Network::new(self.transfer.snapshot()?))
    }

    /// The network as the training began with it.
    pub fn beginning(&self) -> Thrown<Network> {
        Ok(Network::new(self.transfer.beginning()?))
    }

    /// The model file, with the weights as they are now.
    pub fn save(&self) -> Thrown<Vec<u8>> {
        Ok(self.transfer.to_classifier()?.to_file().to_bytes()?)
    }
}

/// Adds what there is.
fn put(map: &mut Map, key: &str, value: Option<f64>) {
    if let Some(value) = value {
        map.insert(key.into(), value.into());
    }
}

fn named(depth: &str) -> Result<Depth> {
    Depth::named(depth).map_err(|error| error.within("depth"))
}
