//! A training on disk: everything that its next step depends on.
//!
//! A safetensors file like a model's, of format `convlet checkpoint`: tensors `weight/..`, the optimizer's `slot_0/..`
//! and `slot_1/..`, the moving `average/..` and the `best/..` weights so far, each followed by the parameter's name; in
//! the metadata the history, how far the epoch is, the optimizer's step count and the `recipe`, a text of the caller's
//! that must be the same when the training goes on.

use serde_json::Value;

use super::trainer::{Best, FitOptions, Trainer};
use super::{Logs, Tally};
use crate::error::{Error, ErrorKind, Result, bail};
use crate::file::{Storage, Weight, container};
use crate::json::{self, Field, object, shown};
use crate::model::Model;
use crate::optimizer::Optimizer;

const FORMAT: &str = "convlet checkpoint";
/// 2: recipes as [`crate::transfer::Recipe::to_json`] writes them, powers as products.
const VERSION: &str = "2";

impl Trainer {
    /// The training between two steps, to go on from by [`Self::resume`].
    pub fn checkpoint(&self, model: &Model, recipe: &str) -> Result<Vec<u8>> {
        let (iterations, slots, averages) = self.optimizer().state();
        let mut tensors = Vec::new();
        let mut keep = |kind: &str, i: usize, values: &[f32]| {
            let parameter = &model.parameters()[i];
            if !values.is_empty() {
                tensors.push(Weight {
                    name: format!("{kind}/{}", parameter.name),
                    shape: parameter.shape.clone(),
                    values: values.to_vec(),
                });
            }
        };
        for (i, parameter) in model.parameters().iter().enumerate() {
            keep("weight", i, &parameter.value);
            if let Some([first, second]) = slots.get(i) {
                keep("slot_0", i, first);
                keep("slot_1", i, second);
            }
            if let Some(average) = averages.get(i) {
                keep("average", i, average);
            }
            if let Some(best) = self.best() {
                keep("best", i, &best.weights[i]);
            }
        }
        let tally = self.tally();
        let epoch = vec![tally.loss.to_bits(), tally.correct as u64, tally.count as u64];
        let history: Value = self.history().iter().map(Logs::to_json).map(Value::from).collect();
        let metadata = object! {
            "format": FORMAT,
            "version": VERSION,
            "recipe": recipe,
            "history": json::write(&history),
            "iterations": iterations.to_string(),
            "step": model.step().to_string(),
            "epoch": json::write(&epoch.write()),
            "best_accuracy": json::write(&self.best().map(|best| best.accuracy).write()),
        };
        container::write(metadata, &tensors, Storage::F32)
    }

    /// Goes on from a [`Self::checkpoint`]: gives `model` its weights back, and a trainer that ends as the one that
    /// was interrupted would have.
    ///
    /// # Errors
    /// File: not a checkpoint, damaged, or of another network. Argument: of another recipe.
    pub fn resume(
        bytes: &[u8],
        options: FitOptions,
        mut optimizer: Optimizer,
        model: &mut Model,
        recipe: &str,
    ) -> Result<Self> {
        let container::Container { metadata, tensors } = container::read(bytes)?;
        let entry = |key: &str| match metadata.get(key) {
            Some(text) => Ok(text.as_str()),
            None => bail!(File, "checkpoint: expected {} in the metadata, got none", shown(key)),
        };
        if entry("format")? != FORMAT {
            bail!(
                File,
                "checkpoint: expected format \"{FORMAT}\", got {}",
                shown(entry("format")?)
            );
        }
        if entry("version")? != VERSION {
            let version = shown(entry("version")?);
            bail!(Version, "checkpoint: expected one of version {VERSION}, got {version}");
        }
        if entry("recipe")? != recipe {
            bail!(
                Argument,
                "checkpoint: expected one of the same training, {recipe}; got one of {}",
                shown(entry("recipe")?)
            );
        }
        let history: Vec<Logs> = parse("history", entry("history")?)?;
        let accuracy: Option<f32> = parse("best_accuracy", entry("best_accuracy")?)?;
        let tally = tally(entry("epoch")?)?;
        let step = parse("step", entry("step")?)?;
        let mut tensors = tensors;
        let mut take = |kind: &str, i: usize, model: &Model| -> Result<Vec<f32>> {
            let parameter = &model.parameters()[i];
            let name = format!("{kind}/{}", parameter.name);
            let Some(at) = tensors.iter().position(|tensor| tensor.name == name) else {
                return Ok(Vec::new());
            };
            let tensor = tensors.swap_remove(at);
            if tensor.shape != parameter.shape {
                bail!(
                    File,
                    "checkpoint: tensor {name}: expected shape {:?}, got {:?}",
                    parameter.shape,
                    tensor.shape,
                    name = shown(name)
                );
            }
            Ok(tensor.values)
        };
        let count = model.parameters().len();
        let (mut weights, mut slots, mut averages) = (Vec::new(), Vec::new(), Vec::new());
        let mut best = accuracy.map(|accuracy| Best { accuracy, weights: Vec::new() });
        for i in 0..count {
            weights.push(take("weight", i, model)?);
            slots.push([take("slot_0", i, model)?, take("slot_1", i, model)?]);
            averages.push(take("average", i, model)?);
            if let Some(best) = &mut best {
                best.weights.push(take("best", i, model)?);
            }
        }
        let best_weights = best.iter().flat_map(|best| &best.weights);
        let complete = weights.iter().chain(best_weights).all(|values| !values.is_empty());
        if !complete || !tensors.is_empty() {
            bail!(File, "checkpoint: expected one of this network, got other or missing tensors");
        }
        optimizer.set_state(
            parse("iterations", entry("iterations")?)?,
            slots,
            averages,
            model.parameters(),
        )?;
        model.set_step(step);
        for (parameter, value) in model.parameters_mut().iter_mut().zip(weights) {
            parameter.value = value;
        }
        Ok(Self::going_on(options, optimizer, history, best, tally))
    }
}

/// How far the epoch is.
fn tally(text: &str) -> Result<Tally> {
    let epoch: Vec<u64> = parse("epoch", text)?;
    match epoch[..] {
        [loss, correct, count]
            if let (Ok(correct), Ok(count)) = (correct.try_into(), count.try_into()) =>
        {
            Ok(Tally { loss: f64::from_bits(loss), correct, count })
        }
        _ => {
            bail!(File, "checkpoint: epoch: expected loss, correct and count, got {}", shown(text))
        }
    }
}

fn parse<T: Field>(key: &str, text: &str) -> Result<T> {
    json::parse(text)
        .and_then(|value| T::read(&value))
        .map_err(|error| Error::new(ErrorKind::File, format!("checkpoint: {key}: {error}")))
}
