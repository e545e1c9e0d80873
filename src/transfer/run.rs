//! The training itself: begun, a piece at a time, kept as a checkpoint, ended.

use super::samples::{FNV, Part, Sample, hash};
use super::{Depth, Event, Recipe, Transfer, surgery};
use crate::error::{Error, ErrorKind, Result, bail};
use crate::json;
use crate::layer::Parameter;
use crate::model::{Mode, Model};
use crate::train::{Logs, Trainer};

/// Bytes that all cached features may take; for more pictures, fewer variants are kept.
const MAX_FEATURES: usize = 256 << 20;

/// A training under way, or done.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) recipe: Recipe,
    /// The frozen layers.
    pub(super) trunk: Option<Model>,
    /// The layers that learn.
    pub(super) model: Model,
    pub(super) trainer: Trainer,
    pub(super) training: Vec<usize>,
    pub(super) validation: Vec<usize>,
    pub(super) done: bool,
}

impl Run {
    /// The whole network's, in its own order.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        let frozen = self.trunk.iter().flat_map(|trunk| trunk.parameters());
        frozen.chain(self.model.parameters())
    }
}

impl Transfer {
    /// Begins a training, on the examples there are: the base's weights and a fresh last layer, or fresh weights.
    ///
    /// # Errors
    /// Data: fewer than two classes have examples to train on. Argument: a depth that needs a base, without one.
    pub fn begin(&mut self, recipe: Recipe) -> Result<()> {
        let of_part = |validation: bool| -> Vec<usize> {
            let part = self.samples.iter().enumerate();
            part.filter(|(_, s)| s.validation == validation).map(|(index, _)| index).collect()
        };
        let (training, validation) = (of_part(false), of_part(true));
        let first = training.first().map(|&index| self.samples[index].label);
        if training.iter().all(|&index| Some(self.samples[index].label) == first) {
            bail!(
                Data,
                "train: expected examples of two classes or more, got {}",
                training.len().min(1)
            );
        }
        let mut model = self.fresh(&recipe)?;
        let at = match recipe.depth {
            Depth::Head => surgery::cut(&self.with_places),
            Depth::Whole | Depth::Scratch => 0,
        };
        let head = self.architecture.layers.last().map_or("", |layer| &layer.name);
        if recipe.depth == Depth::Whole {
            for layer in &self.architecture.layers {
                if layer.class_name == "BatchNormalization" {
                    model.set_trainable(&layer.name, false)?;
                }
            }
        }
        let (trunk, model) = match at {
            0 => (None, model),
            at => {
                let (trunk, head) = surgery::split(&model, at, recipe.seed.into())?;
                (Some(trunk), head)
            }
        };
        let is_new = |name: &str| name.split_once('/').is_some_and(|(layer, _)| layer == head);
        let optimizer = recipe.optimizer(model.parameters().iter().map(|p| is_new(&p.name)));
        let trainer = Trainer::new(recipe.fit_options(), optimizer);
        if let Some(trunk) = &trunk {
            self.keep_features(at, trunk, &recipe);
        }
        self.run = Some(Run { recipe, trunk, model, trainer, training, validation, done: false });
        Ok(())
    }

    /// Goes on from a [`Self::checkpoint`] of a training that was begun with the same recipe, base and examples.
    ///
    /// # Errors
    /// As [`Self::begin`] and [`Trainer::resume`].
    pub fn resume(&mut self, recipe: Recipe, checkpoint: &[u8]) -> Result<()> {
        self.begin(recipe)?;
        let Some(mut run) = self.run.take() else { return Ok(()) };
        let text = self.recipe_text(&run);
        let (options, optimizer) = (run.recipe.fit_options(), run.trainer.optimizer().clone());
        run.trainer = Trainer::resume(checkpoint, options, optimizer, &mut run.model, &text)?;
        self.run = Some(run);
        Ok(())
    }

    /// The training between two pieces of work. What is not in it: the base, the examples and the recipe.
    pub fn checkpoint(&self) -> Result<Vec<u8>> {
        let run = self.running()?;
        run.trainer.checkpoint(&run.model, &self.recipe_text(run))
    }

    /// All that two trainings must have in common for one to go on from the other.
    fn recipe_text(&self, run: &Run) -> String {
        let weights = self.base.iter().flat_map(|base| base.parameters());
        let base = hash(FNV, weights.flat_map(|p| &p.value).flat_map(|x| x.to_le_bytes()));
        let examples = run.training.iter().chain(&run.validation).fold(FNV, |all, &index| {
            let Sample { fingerprint, label, validation, .. } = &self.samples[index];
            let words = [*fingerprint, *label as u64, u64::from(*validation)];
            hash(all, words.iter().flat_map(|word| word.to_le_bytes()))
        });
        let labels = json::write(&self.labels.to_vec().into());
        let recipe = json::write(&run.recipe.to_json().into());
        format!("base {base:016x}, examples {examples:016x}, {labels}, {recipe}")
    }

    /// The whole network as a training begins with it.
    pub(super) fn fresh(&self, recipe: &Recipe) -> Result<Model> {
        let mut architecture = match recipe.depth {
            Depth::Head => self.with_places.clone(),
            Depth::Whole | Depth::Scratch => self.architecture.clone(),
        };
        if recipe.depth == Depth::Scratch {
            for layer in &mut architecture.layers {
                if layer.class_name == "BatchNormalization" {
                    layer.config.insert("momentum".into(), 0.9.into());
                }
            }
            return Model::new(architecture, recipe.seed.into());
        }
        let Some(base) = &self.base else {
            bail!(Argument, "train: expected depth \"scratch\" for a network without weights");
        };
        let mut model = Model::new(architecture, recipe.seed.into())?;
        let kept = self.parameters_before_head(&model);
        for (own, from) in model.parameters_mut()[..kept].iter_mut().zip(base.parameters()) {
            own.value.clone_from(&from.value);
        }
        Ok(model)
    }

    fn parameters_before_head(&self, model: &Model) -> usize {
        let head = self.architecture.layers.last().map_or("", |layer| &layer.name);
        let own = |name: &str| name.strip_prefix(head).is_some_and(|rest| rest.starts_with('/'));
        model.parameters().iter().filter(|parameter| !own(&parameter.name)).count()
    }

    /// Forgets the features unless they are what this training would compute.
    fn keep_features(&mut self, at: usize, trunk: &Model, recipe: &Recipe) {
        let bytes = self.samples.len() * trunk.output_len() * size_of::<f32>();
        let variants = recipe.variants.min(MAX_FEATURES / bytes.max(1)).max(1);
        let key = Recipe {
            variants,
            seed: recipe.seed,
            augment: recipe.augment.clone(),
            ..Recipe::defaults(Depth::Head, 0)
        };
        let key = Some((at, key));
        if self.cached != key {
            self.samples.iter_mut().for_each(|sample| sample.features = Vec::new());
            self.cached = key;
        }
    }

    /// The next piece of work: as little as a step, or a picture's features.
    ///
    /// # Errors
    /// As [`Trainer::step`]; after a divergence, the weights are rolled back and the training is over.
    pub fn advance(&mut self) -> Result<Event> {
        let Some(run) = &mut self.run else { bail!(Data, "train: expected a training, got none") };
        if run.done || run.trainer.is_done() {
            return Ok(Event::End);
        }
        let total = run.training.len() + run.validation.len();
        let mut all = run.training.iter().chain(&run.validation).enumerate();
        if let (Some(trunk), Some((_, key))) = (&mut run.trunk, &self.cached)
            && let Some((done, &index)) =
                all.find(|(_, index)| self.samples[**index].features.is_empty())
        {
            let sample = &mut self.samples[index];
            let variants = if sample.validation { 1 } else { key.variants };
            let len = trunk.input_len();
            let x = trunk.input_mut(variants, Mode::Inference)?;
            for (number, x) in x.chunks_exact_mut(len).enumerate() {
                let transform = sample.variant(number, &key.augment, key.seed.into());
                sample.write(&self.input, &transform, x);
            }
            sample.features = trunk.forward(variants, Mode::Inference).to_vec();
            return Ok(Event::Prepared { done: done + 1, total });
        }
        let part = |indices| Part {
            samples: &self.samples,
            indices,
            input: &self.input,
            augment: &run.recipe.augment,
            cached: run.trunk.is_some(),
        };
        let (data, held_back) = (part(&run.training), part(&run.validation));
        match run.trainer.step(&mut run.model, &data) {
            Ok(Some(progress)) => Ok(Event::Step(progress)),
            Ok(None) => Ok(Event::Epoch(run.trainer.end_epoch(&mut run.model, Some(&held_back))?)),
            Err(error) => {
                run.done = true;
                Err(error)
            }
        }
    }

    /// Ends the training with the weights there are: the best, the averaged or the last.
    pub fn finish(&mut self) {
        if let Some(run) = self.run.as_mut().filter(|run| !run.done) {
            run.trainer.finish(&mut run.model);
            run.done = true;
        }
    }

    /// The figures of the epochs done.
    pub fn history(&self) -> &[Logs] {
        self.run.as_ref().map_or(&[], |run| run.trainer.history())
    }

    pub(super) fn running(&self) -> Result<&Run> {
        self.run
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::Data, "expected a training, got none so far"))
    }
}
