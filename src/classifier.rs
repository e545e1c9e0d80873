//! From a picture to labelled confidences: a network with its labels and its preprocessing.

use serde_json::{Map, Value};

use crate::confidence::{Confidence, Familiarity, describe};
use crate::error::{Result, bail};
use crate::file::ModelFile;
use crate::image::{Input, to_tensor};
use crate::model::{Mode, Model};

/// A model that takes pictures of any size and names what they show.
#[derive(Debug)]
pub struct Classifier {
    /// The network.
    pub model: Model,
    labels: Vec<String>,
    input: Input,
    training: Map<String, Value>,
    confidence: Confidence,
    /// Of the last picture, where the confidence says what is familiar.
    unfamiliarity: Option<f32>,
    seen: Vec<f32>,
    probabilities: Vec<f32>,
    scratch: Vec<f32>,
    features: Vec<f32>,
}

/// One label and how sure the network is of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The class's name.
    pub label: String,
    /// From 0 to 1; all labels' together make 1 where the network ends in a softmax or a single sigmoid.
    pub confidence: f32,
}

impl Classifier {
    /// Reads a model file.
    ///
    /// # Errors
    /// As [`ModelFile::from_bytes`] and [`Model::from_file`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut file = ModelFile::from_bytes(bytes)?;
        let confidence = Confidence::take_from(&mut file)?;
        let model = Model::from_file(&file)?;
        let mut own = Self::new(model, file.labels, file.input, file.training)?;
        own.set_confidence(confidence)?;
        Ok(own)
    }

    /// Joins a network with its labels (two for a single sigmoid output, else one an output) and its preprocessing.
    pub fn new(
        model: Model,
        labels: Vec<String>,
        input: Input,
        training: Map<String, Value>,
    ) -> Result<Self> {
        let classes = model.output_len().max(2);
        if labels.len() != classes {
            bail!(
                File,
                "labels: expected {classes} for the network's outputs, got {}",
                labels.len()
            );
        }
        let shape = [input.height, input.width, input.channels];
        if shape != model.input_shape() {
            bail!(
                File,
                "input: expected the network's height, width and channels {:?}, got {shape:?}",
                model.input_shape()
            );
        }
        let seen = vec![0.0; model.input_len()];
        let probabilities = vec![0.0; classes];
        Ok(Self {
            model,
            labels,
            input,
            training,
            confidence: Confidence::default(),
            unfamiliarity: None,
            seen,
            probabilities,
            scratch: Vec::new(),
            features: Vec::new(),
        })
    }

    /// How far to trust the answers, where the model file tells.
    pub fn confidence(&self) -> &Confidence {
        &self.confidence
    }

    /// Says how far to trust the answers.
    ///
    /// # Errors
    /// Argument: a layer that the network does not have.
    pub fn set_confidence(&mut self, confidence: Confidence) -> Result<()> {
        self.model.watch(confidence.familiarity.iter().flat_map(Familiarity::layers))?;
        self.confidence = confidence;
        Ok(())
    }

    /// The classes' names, in the order of [`Self::classify`].
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// How a picture becomes the network's input.
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// How the model was trained, as its file tells.
    pub fn training(&self) -> &Map<String, Value> {
        &self.training
    }

    /// The probability of each label for a picture of RGBA bytes, `width` x `height`.
    pub fn classify(&mut self, rgba: &[u8], width: usize, height: usize) -> Result<&[f32]> {
        to_tensor(rgba, width, height, &self.input, &mut self.seen, &mut self.scratch)?;
        self.classify_seen()
    }

    /// The same for a picture that `load` writes as the network is to see it: (H, W, C).
    pub fn classify_tensor(&mut self, load: impl FnOnce(&mut [f32])) -> Result<&[f32]> {
        load(&mut self.seen);
        self.classify_seen()
    }

    fn classify_seen(&mut self) -> Result<&[f32]> {
        self.model.input_mut(1, Mode::Inference)?.copy_from_slice(&self.seen);
        spread(self.model.forward(1, Mode::Inference), &mut self.probabilities);
        self.features.clear();
        describe(&self.model, &self.probabilities, &mut self.features);
        let familiarity = self.confidence.familiarity.as_ref();
        self.unfamiliarity = familiarity.map(|own| own.unfamiliarity(&self.features));
        self.confidence.temper(&mut self.probabilities);
        Ok(&self.probabilities)
    }

    /// What [`describe`] says of the last picture.
    pub fn features(&self) -> &[f32] {
        &self.features
    }

    /// What the network was given of the last picture: its tensor (H, W, C).
    pub fn seen(&self) -> &[f32] {
        &self.seen
    }

    /// How unlike the training pictures the last picture was: about 0 for what the network knows, and above
    /// [`Self::threshold`] for 'none of these'. `None` where the model file does not tell.
    pub fn unfamiliarity(&self) -> Option<f32> {
        self.unfamiliarity
    }

    /// The largest unfamiliarity of a picture that is still one of the classes.
    pub fn threshold(&self) -> Option<f32> {
        self.confidence.familiarity.as_ref().map(|familiarity| familiarity.threshold)
    }

    /// Whether the last picture is unlike all that the network knows: 'none of these'. `None` where the model file does
    /// not tell.
    pub fn none_of_these(&self) -> Option<bool> {
        self.unfamiliarity().zip(self.threshold()).map(|(far, limit)| far > limit)
    }

    /// The model file, with the weights as they are now.
    pub fn to_file(&self) -> ModelFile {
        let mut file = self.model.to_file(&self.labels, &self.input, self.training.clone());
        self.confidence.put_into(&mut file);
        file
    }

    /// The labels with their confidences, highest first.
    pub fn ranked(&self, probabilities: &[f32]) -> Vec<Prediction> {
        let mut predictions: Vec<Prediction> = self
            .labels
            .iter()
            .zip(probabilities)
            .map(|(label, &confidence)| Prediction { label: label.clone(), confidence })
            .collect();
        predictions.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        predictions
    }
}

/// A network's outputs as one probability a label: a single sigmoid speaks for both of its classes.
pub fn spread(outputs: &[f32], probabilities: &mut [f32]) {
    match (outputs, probabilities) {
        (&[p], [first, second]) => (*first, *second) = (1.0 - p, p),
        (outputs, probabilities) => probabilities.copy_from_slice(outputs),
    }
}
