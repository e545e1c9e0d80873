//! Training: the step, which is the table in the crate's documentation, a call a row; and the epochs around it.
//!
//! Everything random is drawn from the seed and from what is being done (which epoch, which example), never from what
//! was drawn before: a training that stopped after an epoch goes on as if it had not.

use ndarray::{ArrayView2, ArrayView4};

use crate::error::{Result, bail};
use crate::kernel::parallel;
use crate::loss::Loss;
use crate::metric::{correct, one_hot, predicted_class};
use crate::model::{Mode, Model};
use crate::optimizer::Optimizer;
use crate::rng::Rng;

/// Labelled pictures.
pub trait Dataset: Sync {
    /// How many examples there are.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The class of an example.
    fn label(&self, index: usize) -> usize;

    /// Writes an example as an (H, W, C) tensor; with `rng` a randomly augmented one.
    fn load(&self, index: usize, rng: Option<&mut Rng>, x: &mut [f32]);
}

/// What `fit` does.
#[derive(Clone, Debug)]
pub struct FitOptions {
    /// How often each example is seen.
    pub epochs: usize,
    /// Examples a step.
    pub batch_size: usize,
    /// Where all randomness comes from.
    pub seed: u64,
    /// Epochs already done, of a training that goes on.
    pub initial_epoch: usize,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self { epochs: 25, batch_size: 32, seed: 0, initial_epoch: 0 }
    }
}

/// One epoch's figures, under Keras's names.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Logs {
    /// Mean loss over the examples trained on, each as the network was when it was met.
    pub loss: f32,
    /// The share of them that was classified rightly.
    pub accuracy: f32,
    /// Mean loss over the validation set after the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_loss: Option<f32>,
    /// The share of the validation set that was classified rightly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_accuracy: Option<f32>,
}

/// What a callback is told.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A step is done: `done` of `total` examples of epoch `epoch` (from 0), with the figures so far.
    Step {
        /// From 0.
        epoch: usize,
        /// Examples trained on in this epoch.
        done: usize,
        /// Examples in an epoch.
        total: usize,
        /// The figures so far.
        logs: &'a Logs,
    },
    /// An epoch is done and validated.
    Epoch {
        /// From 0.
        epoch: usize,
        /// Its figures.
        logs: &'a Logs,
    },
}

/// What a callback answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Train on.
    Continue,
    /// End now; the weights stay as they are.
    Stop,
}

/// Sums over the examples seen so far.
#[derive(Clone, Copy, Debug, Default)]
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

/// A batch on its way: pictures (n, H, W, C) and targets (n, outputs).
#[derive(Debug, Default)]
struct Batch {
    n: usize,
    x: Vec<f32>,
    targets: Vec<f32>,
}

impl Batch {
    fn resize(&mut self, n: usize, input_len: usize, outputs: usize) {
        self.n = n;
        self.x.resize(n * input_len, 0.0);
        self.targets.resize(n * outputs, 0.0);
    }

    /// Loads the examples, augmented where `rng` is given, each from a stream of its own.
    fn load(
        &mut self,
        data: &dyn Dataset,
        indices: &[usize],
        input_len: usize,
        outputs: usize,
        rng: Option<&Rng>,
    ) {
        self.resize(indices.len(), input_len, outputs);
        parallel::for_each_chunk(&mut self.x, input_len, |i, x| {
            let mut rng = rng.map(|rng| rng.fork(indices[i] as u64));
            data.load(indices[i], rng.as_mut(), x);
        });
        for (&index, row) in indices.iter().zip(self.targets.chunks_exact_mut(outputs)) {
            one_hot(data.label(index), row);
        }
    }
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
    let batch =
        Batch { n, x: x.iter().copied().collect(), targets: targets.iter().copied().collect() };
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
    model.backward(batch.n);
    if !value.is_finite() {
        bail!(
            Divergence,
            "training: expected a finite loss, got {value}; a lower learning rate may help"
        );
    }
    optimizer.step(model.parameters_mut());
    Ok((value, correct))
}

/// Trains, shuffling before each epoch, and validates after it. Gives the figures of the epochs done.
///
/// # Errors
/// Data: no examples, or labels beyond the network's outputs. Divergence: a loss that is not finite; the weights are
/// those before the step that brought it.
pub fn fit(
    model: &mut Model,
    optimizer: &mut Optimizer,
    data: &dyn Dataset,
    validation: Option<&dyn Dataset>,
    options: &FitOptions,
    mut callback: impl FnMut(&Model, Event) -> Flow,
) -> Result<Vec<Logs>> {
    check(model, data, options)?;
    let (input_len, outputs) = (model.input_len(), model.output_len());
    let mut history = Vec::new();
    let [mut current, mut next] = [Batch::default(), Batch::default()];
    for epoch in options.initial_epoch..options.epochs {
        let rng = Rng::new(options.seed).fork(epoch as u64);
        let mut order: Vec<usize> = (0..data.len()).collect();
        rng.fork(0).shuffle(&mut order);
        let augment = rng.fork(1);
        let mut tally = Tally::default();
        let mut batches = order.chunks(options.batch_size);
        let load = |batch: &mut Batch, indices: Option<&[usize]>| {
            batch.load(data, indices.unwrap_or(&[]), input_len, outputs, Some(&augment));
        };
        load(&mut current, batches.next());
        while current.n > 0 {
            let indices = batches.next();
            // The next batch is made while this one is trained on.
            let (_, result) =
                parallel::join(|| load(&mut next, indices), || step(model, optimizer, &current));
            let (loss, correct) = result?;
            tally.add(loss, correct, current.n);
            std::mem::swap(&mut current, &mut next);
            let (loss, accuracy) = tally.means();
            let logs = Logs { loss, accuracy, ..Logs::default() };
            let done = Event::Step { epoch, done: tally.count, total: order.len(), logs: &logs };
            if callback(model, done) == Flow::Stop {
                history.push(logs);
                return Ok(history);
            }
        }
        let (loss, accuracy) = tally.means();
        let mut logs = Logs { loss, accuracy, ..Logs::default() };
        if let Some(validation) = validation.filter(|data| !data.is_empty()) {
            let (loss, accuracy) = evaluate(model, validation, options.batch_size, |_, _, _| ())?;
            (logs.val_loss, logs.val_accuracy) = (Some(loss), Some(accuracy));
        }
        history.push(logs);
        let flow = callback(model, Event::Epoch { epoch, logs: &history[history.len() - 1] });
        if flow == Flow::Stop {
            break;
        }
    }
    Ok(history)
}

/// The mean loss and the accuracy over a data set; `each` is given every example's index, probabilities and target.
pub fn evaluate(
    model: &mut Model,
    data: &dyn Dataset,
    batch_size: usize,
    mut each: impl FnMut(usize, &[f32], &[f32]),
) -> Result<(f32, f32)> {
    let loss = Loss::for_activation(model.output_activation())?;
    let (input_len, outputs) = (model.input_len(), model.output_len());
    let indices: Vec<usize> = (0..data.len()).collect();
    let mut tally = Tally::default();
    let mut batch = Batch::default();
    for indices in indices.chunks(batch_size.max(1)) {
        batch.load(data, indices, input_len, outputs, None);
        model.input_mut(batch.n, Mode::Inference)?.copy_from_slice(&batch.x);
        let probabilities = model.forward(batch.n, Mode::Inference);
        for (i, (&index, p)) in indices.iter().zip(probabilities.chunks_exact(outputs)).enumerate()
        {
            let target = &batch.targets[i * outputs..][..outputs];
            tally.add(loss.of_probabilities(p, target), correct_row(p, target), 1);
            each(index, p, target);
        }
    }
    Ok(tally.means())
}

fn correct_row(probabilities: &[f32], target: &[f32]) -> usize {
    usize::from(predicted_class(probabilities, 0.5) == predicted_class(target, 0.5))
}

fn check(model: &Model, data: &dyn Dataset, options: &FitOptions) -> Result<()> {
    Loss::for_activation(model.output_activation())?;
    if data.is_empty() {
        bail!(Data, "fit: expected examples to train on, got none");
    }
    if options.batch_size == 0 {
        bail!(Argument, "fit: expected a batch size from 1 up, got 0");
    }
    let classes = model.output_len().max(2);
    match (0..data.len()).map(|index| data.label(index)).find(|&label| label >= classes) {
        Some(label) => {
            bail!(Data, "fit: expected labels from 0 to {}, got {label}", classes - 1)
        }
        None => Ok(()),
    }
}

/// Examples in memory: pictures (n, H, W, C) and the class of each.
#[derive(Clone, Debug)]
pub struct Examples {
    /// (n, H, W, C).
    pub x: ndarray::Array4<f32>,
    /// One a picture.
    pub labels: Vec<usize>,
}

impl Dataset for Examples {
    fn len(&self) -> usize {
        self.labels.len().min(self.x.dim().0)
    }

    fn label(&self, index: usize) -> usize {
        self.labels[index]
    }

    fn load(&self, index: usize, _rng: Option<&mut Rng>, x: &mut [f32]) {
        let picture = self.x.index_axis(ndarray::Axis(0), index);
        x.iter_mut().zip(picture.iter()).for_each(|(to, from)| *to = *from);
    }
}

/// Some of another data set's examples: a validation split.
pub struct Subset<'a> {
    /// Where they are.
    pub data: &'a dyn Dataset,
    /// Which.
    pub indices: Vec<usize>,
}

impl Dataset for Subset<'_> {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn label(&self, index: usize) -> usize {
        self.data.label(self.indices[index])
    }

    fn load(&self, index: usize, rng: Option<&mut Rng>, x: &mut [f32]) {
        self.data.load(self.indices[index], rng, x);
    }
}

/// Splits a data set in two, a share of `validation_split` (drawn by seed, the same share of every class) in the second.
pub fn split(data: &dyn Dataset, validation_split: f32, seed: u64) -> Result<[Subset<'_>; 2]> {
    if !(0.0..1.0).contains(&validation_split) {
        bail!(Argument, "validation_split: expected from 0 to below 1, got {validation_split}");
    }
    let mut order: Vec<usize> = (0..data.len()).collect();
    Rng::new(seed).fork(u64::MAX - 1).shuffle(&mut order);
    order.sort_by_key(|&index| data.label(index));
    let mut parts = [Vec::new(), Vec::new()];
    for class in order.chunk_by(|&a, &b| data.label(a) == data.label(b)) {
        let held_back = (class.len() as f32 * validation_split).round() as usize;
        parts[1].extend_from_slice(&class[..held_back]);
        parts[0].extend_from_slice(&class[held_back..]);
    }
    parts.iter_mut().for_each(|part| part.sort_unstable());
    Ok(parts.map(|indices| Subset { data, indices }))
}
