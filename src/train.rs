//! Training: the step, which is the table in the crate's documentation, a call a row; and the epochs around it.
//!
//! Everything random is drawn from the seed and from what is being done (which epoch, which example), never from what
//! was drawn before: a training that stopped after an epoch goes on as if it had not.

use ndarray::{ArrayView2, ArrayView4};
use serde_json::{Map, Value};

use crate::error::{Result, bail};
use crate::json::{Record, record, shown};
use crate::loss::Loss;
use crate::metric::{correct, predicted_class};
use crate::model::{Mode, Model};
use crate::optimizer::Optimizer;

mod batch;
mod checkpoint;
mod dataset;
mod schedule;
mod trainer;

use batch::Batch;
pub use dataset::{Dataset, Examples, Subset, split};
pub use schedule::Schedule;
pub use trainer::{FitOptions, Progress, Trainer};

/// One epoch's figures, under Keras's names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logs {
    /// Mean loss over the examples trained on, each as the network was when it was met.
    pub loss: f32,
    /// The share of them that was classified rightly.
    pub accuracy: f32,
    /// Mean loss over the validation set after the epoch.
    pub val_loss: Option<f32>,
    /// The share of the validation set that was classified rightly.
    pub val_accuracy: Option<f32>,
}

record!(Logs { loss, accuracy, val_loss, val_accuracy } requires loss, accuracy);

impl Logs {
    /// The figures that there are, by their names.
    pub fn to_json(&self) -> Map<String, Value> {
        let mut figures = self.to_map();
        figures.retain(|_, figure| !figure.is_null());
        figures
    }
}

/// What a callback is told.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A step is done.
    Step(&'a Progress),
    /// Epoch number `epoch` (from 0) is done and validated.
    Epoch {
        /// From 0.
        epoch: usize,
        /// Its figures.
        logs: &'a Logs,
        /// The training so far, for a checkpoint.
        trainer: &'a Trainer,
    },
}

/// What a callback answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Train on.
    Continue,
    /// End now, with the weights there are.
    Stop,
}

/// Trains to the end of `options.epochs`, shuffling before each epoch and validating after it. Gives each epoch's figures.
///
/// # Errors
/// Data: no examples, or labels beyond the network's outputs. Divergence: a loss or gradient that is not finite; the
/// weights are then the best so far, or those that the epoch began with.
pub fn fit(
    model: &mut Model,
    optimizer: Optimizer,
    data: &dyn Dataset,
    validation: Option<&dyn Dataset>,
    options: FitOptions,
    callback: impl FnMut(&Model, Event) -> Flow,
) -> Result<Vec<Logs>> {
    let mut trainer = Trainer::new(options, optimizer);
    trainer.fit(model, data, validation, callback)?;
    Ok(trainer.history().to_vec())
}

/// One training step on a batch of pictures (n, H, W, C) and targets (n, outputs): the mean loss before the step, and
/// how many were classified rightly.
pub fn train_on_batch(
    model: &mut Model,
    optimizer: &mut Optimizer,
    x: ArrayView4<f32>,
    targets: ArrayView2<f32>,
) -> Result<(f32, usize)> {
    let (n, h, w, c) = x.dim();
    if [h, w, c] != model.input_shape() || targets.dim() != (n, model.output_len()) || n == 0 {
        bail!(
            Shape,
            "train_on_batch: expected pictures (n, {:?}) and targets (n, {}), got {:?} and {:?}",
            model.input_shape(),
            model.output_len(),
            x.dim(),
            targets.dim()
        );
    }
    let mut batch = Batch::new(model.input_len(), model.output_len());
    batch.n = n;
    match x.as_slice() {
        Some(x) => batch.x.extend_from_slice(x),
        None => batch.x.extend(x),
    }
    batch.targets.extend(targets);
    step(model, optimizer, &batch)
}

/// The step: the way of a picture, a call a row.
fn step(model: &mut Model, optimizer: &mut Optimizer, batch: &Batch) -> Result<(f32, usize)> {
    let loss = Loss::for_activation(model.output_activation())?;
    let outputs = model.output_len();
    model.input_mut(batch.n, Mode::Training)?.copy_from_slice(&batch.x);
    model.forward(batch.n, Mode::Training);
    let (logits, dlogits) = model.output_mut(batch.n);
    let value = loss.forward(outputs, logits, &batch.targets);
    let correct = correct(outputs, logits, &batch.targets);
    loss.backward(outputs, logits, &batch.targets, dlogits);
    if !value.is_finite() {
        bail!(Divergence, "training: expected a finite loss, got {}", shown(value));
    }
    model.backward(batch.n);
    optimizer.step(model.parameters_mut())?;
    Ok((value, correct))
}

/// The mean loss and the accuracy over a data set; `each` is given every example's index, the network's outputs and the
/// target.
pub fn evaluate(
    model: &mut Model,
    data: &dyn Dataset,
    batch_size: usize,
    mut each: impl FnMut(usize, &[f32], &[f32]),
) -> Result<(f32, f32)> {
    let loss = Loss::for_activation(model.output_activation())?;
    let outputs = model.output_len();
    let order: Vec<usize> = (0..data.len()).collect();
    let mut tally = Tally::default();
    let mut batch = Batch::new(model.input_len(), outputs);
    for indices in order.chunks(batch_size.max(1)) {
        batch.load(data, indices, None);
        model.input_mut(batch.n, Mode::Inference)?.copy_from_slice(&batch.x);
        let probabilities = model.forward(batch.n, Mode::Inference).chunks_exact(outputs);
        let targets = batch.targets.chunks_exact(outputs);
        for ((&index, p), target) in indices.iter().zip(probabilities).zip(targets) {
            let correct = predicted_class(p, 0.5) == predicted_class(target, 0.5);
            tally.add(loss.of_probabilities(p, target), usize::from(correct), 1);
            each(index, p, target);
        }
    }
    Ok(tally.means())
}

/// Sums over the examples seen so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Tally {
    loss: f64,
    correct: usize,
    count: usize,
}

impl Tally {
    fn add(&mut self, loss: f32, correct: usize, count: usize) {
        self.loss += f64::from(loss) * count as f64;
        self.correct += correct;
        self.count += count;
    }

    fn means(self) -> (f32, f32) {
        let count = self.count.max(1) as f64;
        ((self.loss / count) as f32, (self.correct as f64 / count) as f32)
    }
}
