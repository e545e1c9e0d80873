//! Teaching a trained network new classes from a few dozen pictures, a piece of work at a time.
//!
//! The network's last Dense layer is replaced by a fresh one with a softmax output a label (two labels have two). How
//! much of the rest learns is the [`Depth`]:
//!
//! - `head`: nothing. What the frozen layers make of each picture, and of some variants of it, is computed once. Where the
//!   last layer reads the mean over all places, it reads all places instead.
//! - `whole`: all of it, from the base's weights. Normalizations keep the base's statistics and factors: those of a
//!   batch of a few dozen pictures of three classes are not the world's.
//! - `scratch`: all of it, from fresh weights. Normalizations follow their batches ten times faster than Keras's default,
//!   for there are few of them.
//!
//! [`Transfer::begin`], [`Transfer::advance`] until [`Event::End`], [`Transfer::finish`]; between two pieces of work the
//! network classifies, with the weights it has by then.

use serde_json::{Map, Value};

use crate::architecture::Architecture;
use crate::augment::{Augment, Transform};
use crate::classifier::Classifier;
use crate::error::{Result, bail};
use crate::image::{Input, to_tensor};
use crate::json::{object, shown};
use crate::metric::predicted_class;
use crate::model::{Mode, Model};
use crate::train::{Logs, Progress};

mod recipe;
mod run;
mod samples;
mod surgery;

pub use crate::metric::Confusion;
pub use recipe::{Depth, Rate, Recipe};
use run::Run;
use samples::Sample;

/// A network being taught.
#[derive(Debug)]
pub struct Transfer {
    architecture: Architecture,
    /// The same for depth `head`.
    with_places: Architecture,
    /// Weights in all.
    parameters: usize,
    /// What is built upon; nothing where all weights are to be fresh.
    base: Option<Model>,
    labels: Vec<String>,
    input: Input,
    validation_split: f32,
    samples: Vec<Sample>,
    /// What the cached features depend on.
    cached: Option<(usize, Recipe)>,
    run: Option<Run>,
    seen: Vec<f32>,
    scratch: Vec<f32>,
}

/// What a piece of work was.
#[derive(Clone, Debug)]
pub enum Event {
    /// The frozen layers have seen `done` of `total` pictures.
    Prepared {
        /// Pictures seen.
        done: usize,
        /// Pictures in all.
        total: usize,
    },
    /// A step.
    Step(Progress),
    /// An epoch is done and measured.
    Epoch(Logs),
    /// There is no more to do but [`Transfer::finish`].
    End,
}

/// What the network makes of labelled pictures.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Which examples: those held back, or all where none is.
    pub indices: Vec<usize>,
    /// One probability a label for each.
    pub predictions: Vec<Vec<f32>>,
    /// A row for what a picture shows, a column for what it was taken for.
    pub confusion: Confusion,
}

impl Transfer {
    /// Builds upon a model file.
    ///
    /// # Errors
    /// As [`Classifier::from_bytes`]; Architecture: a network that does not end in a Dense layer. Argument: labels that
    /// are fewer than two, empty or not distinct; a share beyond [0, 1).
    pub fn from_bytes(bytes: &[u8], labels: &[String], validation_split: f32) -> Result<Self> {
        let classifier = Classifier::from_bytes(bytes)?;
        let input = classifier.input().clone();
        let architecture = classifier.model.architecture().clone();
        let own = Self::new(architecture, input, labels, validation_split)?;
        Ok(Self { base: Some(classifier.model), ..own })
    }

    /// Builds a network of Keras's JSON, from fresh weights.
    ///
    /// # Errors
    /// As [`Self::from_bytes`].
    pub fn from_json(json: &str, labels: &[String], validation_split: f32) -> Result<Self> {
        let architecture = Architecture::from_json(json)?;
        let [height, width, channels] = architecture.input_shape;
        let input = Input { channels, ..Input::rgb(height, width) };
        Self::new(architecture, input, labels, validation_split)
    }

    fn new(
        architecture: Architecture,
        input: Input,
        labels: &[String],
        validation_split: f32,
    ) -> Result<Self> {
        let twice = labels.iter().enumerate().any(|(i, label)| labels[..i].contains(label));
        if labels.len() < 2 || twice || labels.iter().any(String::is_empty) {
            bail!(
                Argument,
                "labels: expected two or more, none empty or there twice: {}",
                shown(Value::from(labels.to_vec()))
            );
        }
        if !(0.0..1.0).contains(&validation_split) {
            bail!(
                Argument,
                "validationSplit: expected from 0 to below 1, got {}",
                shown(validation_split)
            );
        }
        let architecture = surgery::with_outputs(&architecture, labels.len())?;
        // What cannot be built is refused now.
        let model = Model::new(architecture.clone(), 0)?;
        Ok(Self {
            with_places: surgery::with_places(&model),
            architecture,
            parameters: model.count_params(),
            base: None,
            labels: labels.to_vec(),
            seen: vec![0.0; input.image_len()],
            input,
            validation_split,
            samples: Vec::new(),
            cached: None,
            run: None,
            scratch: Vec::new(),
        })
    }

    /// The classes' names.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Weights in all, of the whole network.
    pub fn count_params(&self) -> usize {
        self.parameters
    }

    /// How a picture becomes the network's input.
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// How many examples there are: to train on, and held back.
    pub fn counts(&self) -> (usize, usize) {
        let held_back = self.samples.iter().filter(|sample| sample.validation).count();
        (self.samples.len() - held_back, held_back)
    }

    /// Adds a picture of RGBA bytes. Unless `validation` says so, every so many of a class are held back. Gives whether
    /// it is. A training under way goes on without it.
    ///
    /// # Errors
    /// Argument: a label that is not there. As [`to_tensor`].
    pub fn add(
        &mut self,
        rgba: &[u8],
        width: usize,
        height: usize,
        label: usize,
        validation: Option<bool>,
    ) -> Result<bool> {
        let pixels = self.bytes_of(rgba, width, height)?;
        self.add_pixels(pixels, label, validation)
    }

    /// The picture at the input's size, in whole levels.
    fn bytes_of(&mut self, rgba: &[u8], width: usize, height: usize) -> Result<Vec<u8>> {
        let input = Input { rescale: 1.0, ..self.input.clone() };
        to_tensor(rgba, width, height, &input, &mut self.seen, &mut self.scratch)?;
        // Mixtures of bytes: none is below 0 or above 255.
        Ok(self.seen.iter().map(|level| (level + 0.5) as u8).collect())
    }

    /// As [`Self::add`], for a picture that has the input's size: (H, W, C).
    pub fn add_pixels(
        &mut self,
        pixels: Vec<u8>,
        label: usize,
        validation: Option<bool>,
    ) -> Result<bool> {
        if label >= self.labels.len() || pixels.len() != self.input.image_len() {
            bail!(
                Argument,
                "example: expected {} bytes and a label below {}, got {} and {label}",
                self.input.image_len(),
                self.labels.len(),
                pixels.len()
            );
        }
        let validation = validation.unwrap_or_else(|| {
            let before = self.samples.iter().filter(|sample| sample.label == label).count();
            let share = |count: usize| (count as f32 * self.validation_split) as usize;
            share(before + 1) > share(before)
        });
        self.samples.push(Sample::new(pixels, label, validation));
        Ok(validation)
    }

    /// The picture of an example as the network takes it: (H, W, C), 0 to 255.
    pub fn pixels(&self, index: usize) -> Option<&[u8]> {
        self.samples.get(index).map(|sample| &sample.pixels[..])
    }

    /// Takes an example away; those after it move up. A training that is not over is given up.
    pub fn remove(&mut self, index: usize) -> Result<()> {
        self.check_index(index)?;
        self.samples.remove(index);
        self.finish();
        Ok(())
    }

    /// Gives an example another label. A training that is not over is given up.
    pub fn relabel(&mut self, index: usize, label: usize) -> Result<()> {
        self.check_index(index)?;
        if label >= self.labels.len() {
            bail!(Argument, "label: expected one below {}, got {label}", self.labels.len());
        }
        self.samples[index].label = label;
        self.finish();
        Ok(())
    }

    fn check_index(&self, index: usize) -> Result<()> {
        let count = self.samples.len();
        if index >= count {
            bail!(Argument, "example: expected an index below {count}, got {index}");
        }
        Ok(())
    }

    /// The probability of each label for a picture of RGBA bytes, with the weights as they are now.
    pub fn classify(&mut self, rgba: &[u8], width: usize, height: usize) -> Result<Vec<f32>> {
        self.running()?;
        to_tensor(rgba, width, height, &self.input, &mut self.seen, &mut self.scratch)?;
        self.predict_seen()
    }

    /// What the network was given of the last picture classified: (H, W, C).
    pub fn seen(&self) -> &[f32] {
        &self.seen
    }

    fn predict_seen(&mut self) -> Result<Vec<f32>> {
        let Some(run) = &mut self.run else { return Ok(Vec::new()) };
        let mut x = &self.seen[..];
        if let Some(trunk) = &mut run.trunk {
            trunk.input_mut(1, Mode::Inference)?.copy_from_slice(x);
            x = trunk.forward(1, Mode::Inference);
        }
        run.model.input_mut(1, Mode::Inference)?.copy_from_slice(x);
        Ok(run.model.forward(1, Mode::Inference).to_vec())
    }

    /// Classifies the examples that were held back, or all where none was.
    pub fn evaluate(&mut self) -> Result<Evaluation> {
        self.running()?;
        let any = self.samples.iter().any(|sample| sample.validation);
        let chosen = self.samples.iter().enumerate().filter(|(_, s)| s.validation == any);
        let indices: Vec<usize> = chosen.map(|(index, _)| index).collect();
        let (mut predictions, mut confusion) = (Vec::new(), Confusion::new(self.labels.len()));
        for &index in &indices {
            let sample = &self.samples[index];
            sample.write(&self.input, &Transform::IDENTITY, &mut self.seen);
            let label = sample.label;
            let row = self.predict_seen()?;
            confusion.count(label, predicted_class(&row, 0.5));
            predictions.push(row);
        }
        Ok(Evaluation { indices, predictions, confusion })
    }

    /// A picture of RGBA bytes as `count` of its augmented selves: (count, H, W, C).
    pub fn preview(
        &mut self,
        rgba: &[u8],
        [width, height]: [usize; 2],
        augment: &Augment,
        seed: u32,
        count: usize,
    ) -> Result<Vec<f32>> {
        let sample = Sample::new(self.bytes_of(rgba, width, height)?, 0, false);
        let len = self.input.image_len();
        let mut x = vec![0.0; count * len];
        for (number, x) in x.chunks_exact_mut(len).enumerate() {
            let transform = sample.variant(number + 1, augment, seed.into());
            sample.write(&self.input, &transform, x);
        }
        Ok(x)
    }

    /// The network as a classifier of its own.
    pub fn to_classifier(&self) -> Result<Classifier> {
        let run = self.running()?;
        let mut model = self.fresh(&run.recipe)?;
        for (own, from) in model.parameters_mut().iter_mut().zip(run.parameters()) {
            own.value.clone_from(&from.value);
        }
        let figures = |figure: fn(&Logs) -> Option<f32>| -> Value {
            run.trainer.history().iter().map(figure).collect::<Vec<_>>().into()
        };
        let training: Map<String, Value> = object! {
            "recipe": run.recipe.to_json(),
            "examples": run.training.len(),
            "validation_examples": run.validation.len(),
            "history": object! {
                "loss": figures(|logs| Some(logs.loss)),
                "accuracy": figures(|logs| Some(logs.accuracy)),
                "val_loss": figures(|logs| logs.val_loss),
                "val_accuracy": figures(|logs| logs.val_accuracy),
            },
        };
        Classifier::new(model, self.labels.clone(), self.input.clone(), training)
    }

    /// As [`Self::to_classifier`], with the gradients that the last step left: to be looked into. What is frozen has none.
    pub fn snapshot(&self) -> Result<Classifier> {
        let mut snapshot = self.to_classifier()?;
        let parts = self.running()?.parameters();
        for (own, from) in snapshot.model.parameters_mut().iter_mut().zip(parts) {
            own.gradient.clone_from(&from.gradient);
        }
        Ok(snapshot)
    }

    /// The network as the training began with it.
    pub fn beginning(&self) -> Result<Classifier> {
        let model = self.fresh(&self.running()?.recipe)?;
        Classifier::new(model, self.labels.clone(), self.input.clone(), Map::new())
    }
}
