//! The epochs around the step: order, schedule, validation, the best weights.

use super::{Batch, Dataset, Event, Flow, Logs, Schedule, Tally, evaluate, step};
use crate::error::{Error, ErrorKind, Result, bail};
use crate::json::shown;
use crate::kernel::parallel;
use crate::loss::Loss;
use crate::model::Model;
use crate::optimizer::Optimizer;
use crate::rng::Rng;

/// What a training does beside its steps.
#[derive(Clone, Debug)]
pub struct FitOptions {
    /// How often each example is seen.
    pub epochs: usize,
    /// Examples a step.
    pub batch_size: usize,
    /// Where all randomness comes from.
    pub seed: u64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// The share of each target that is spread over all classes.
    pub label_smoothing: f32,
    /// Blends pairs of examples by weights from Beta(mix_up, mix_up); 0 for none.
    pub mix_up: f32,
    /// Ends after this many epochs without a lower validation loss.
    pub early_stopping: Option<usize>,
    /// Ends with the weights of the epoch with the highest validation accuracy instead of the last.
    pub restore_best_weights: bool,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self {
            epochs: 25,
            batch_size: 32,
            seed: 0,
            schedule: Schedule::Constant,
            label_smoothing: 0.0,
            mix_up: 0.0,
            early_stopping: None,
            restore_best_weights: false,
        }
    }
}

/// How far an epoch is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// From 0.
    pub epoch: usize,
    /// Examples trained on in this epoch.
    pub done: usize,
    /// Examples in an epoch.
    pub total: usize,
    /// The figures so far.
    pub logs: Logs,
}

/// A training between two steps. [`Self::fit`] runs it to its end; a page calls [`Self::step`] and [`Self::end_epoch`]
/// itself, and answers its user in between.
#[derive(Debug)]
pub struct Trainer {
    options: FitOptions,
    optimizer: Optimizer,
    /// The base of the schedule.
    learning_rate: f32,
    history: Vec<Logs>,
    best: Option<Best>,
    /// All weights as the epoch found them: where a step that diverges goes back to.
    start: Vec<Vec<f32>>,
    under_way: Option<UnderWay>,
    /// How far an epoch was that a checkpoint interrupted.
    interrupted: Tally,
}

/// The weights of the best epoch so far.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Best {
    pub accuracy: f32,
    pub weights: Vec<Vec<f32>>,
}

/// An epoch that is not done yet.
#[derive(Debug)]
struct UnderWay {
    order: Vec<usize>,
    /// Examples handed to batches.
    loaded: usize,
    current: Batch,
    next: Batch,
    rng: Rng,
    tally: Tally,
}

impl UnderWay {
    fn load_next(&mut self, data: &dyn Dataset, options: &FitOptions) {
        let end = self.loaded.saturating_add(options.batch_size).min(self.order.len());
        let indices = &self.order[self.loaded..end];
        self.next.load(data, indices, Some(&self.rng.fork(1)));
        if options.mix_up > 0.0 {
            self.next.mix_up(options.mix_up, &mut self.rng.fork(2 + self.loaded as u64));
        }
        if options.label_smoothing > 0.0 {
            self.next.smooth_labels(options.label_smoothing);
        }
        self.loaded = end;
    }
}

impl Trainer {
    /// A training that has not begun.
    pub fn new(options: FitOptions, optimizer: Optimizer) -> Self {
        let learning_rate = optimizer.learning_rate;
        Self {
            options,
            optimizer,
            learning_rate,
            history: Vec::new(),
            best: None,
            start: Vec::new(),
            under_way: None,
            interrupted: Tally::default(),
        }
    }

    pub(super) fn going_on(
        options: FitOptions,
        optimizer: Optimizer,
        history: Vec<Logs>,
        best: Option<Best>,
        interrupted: Tally,
    ) -> Self {
        Self { history, best, interrupted, ..Self::new(options, optimizer) }
    }

    /// What has been trained on in the epoch under way.
    pub(super) fn tally(&self) -> Tally {
        self.under_way.as_ref().map_or(self.interrupted, |epoch| epoch.tally)
    }

    pub(super) fn best(&self) -> Option<&Best> {
        self.best.as_ref()
    }

    /// The figures of the epochs done.
    pub fn history(&self) -> &[Logs] {
        &self.history
    }

    /// The optimizer, with its state.
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// What was asked for.
    pub fn options(&self) -> &FitOptions {
        &self.options
    }

    /// Trains to the end. A callback that stops leaves the averaged or last weights, as the end would.
    ///
    /// # Errors
    /// As [`super::fit`].
    pub fn fit(
        &mut self,
        model: &mut Model,
        data: &dyn Dataset,
        validation: Option<&dyn Dataset>,
        mut callback: impl FnMut(&Model, Event) -> Flow,
    ) -> Result<()> {
        while !self.is_done() {
            while let Some(progress) = self.step(model, data)? {
                if callback(model, Event::Step(&progress)) == Flow::Stop {
                    self.history.push(progress.logs);
                    self.finish(model);
                    return Ok(());
                }
            }
            let logs = self.end_epoch(model, validation)?;
            let epoch = self.history.len() - 1;
            let event = Event::Epoch { epoch, logs: &logs, trainer: self };
            if callback(model, event) == Flow::Stop {
                break;
            }
        }
        self.finish(model);
        Ok(())
    }

    /// Whether all epochs are done, or the early stop has come.
    pub fn is_done(&self) -> bool {
        let waited = self.options.early_stopping.is_some_and(|patience| {
            let loss = |logs: &Logs| logs.val_loss.unwrap_or(logs.loss);
            let lowest = self.history.iter().map(loss).fold(f32::INFINITY, f32::min);
            let since = self.history.iter().rev().take_while(|logs| loss(logs) > lowest).count();
            since >= patience.max(1)
        });
        self.history.len() >= self.options.epochs || waited
    }

    /// Trains on the next batch; `None` when the epoch has no more.
    ///
    /// # Errors
    /// As [`super::fit`].
    pub fn step(&mut self, model: &mut Model, data: &dyn Dataset) -> Result<Option<Progress>> {
        if self.under_way.is_none() {
            self.begin_epoch(model, data)?;
        }
        let Some(epoch) = &mut self.under_way else { return Ok(None) };
        let n = epoch.current.n;
        if n == 0 {
            return Ok(None);
        }
        let fraction = epoch.tally.count as f32 / epoch.order.len() as f32;
        let at = self.history.len() as f32 + fraction;
        let factor = self.options.schedule.factor(at, self.options.epochs, &self.history);
        self.optimizer.learning_rate = self.learning_rate * factor;
        // The next batch is made while this one is trained on.
        let current = std::mem::take(&mut epoch.current);
        let (optimizer, options) = (&mut self.optimizer, &self.options);
        let (_, result) =
            parallel::join(|| epoch.load_next(data, options), || step(model, optimizer, &current));
        let (loss, correct) = match result {
            Ok(figures) => figures,
            Err(error) => return Err(self.roll_back(model, error)),
        };
        epoch.tally.add(loss, correct, n);
        epoch.current = std::mem::replace(&mut epoch.next, current);
        let (loss, accuracy) = epoch.tally.means();
        Ok(Some(Progress {
            epoch: self.history.len(),
            done: epoch.tally.count,
            total: epoch.order.len(),
            logs: Logs { loss, accuracy, ..Logs::default() },
        }))
    }

    /// Goes back to the best weights so far, or those that the epoch began with, with a fresh optimizer; the epoch begins
    /// anew. The error then says so.
    fn roll_back(&mut self, model: &mut Model, error: Error) -> Error {
        if error.kind() != ErrorKind::Divergence {
            return error;
        }
        let (weights, which) = match &self.best {
            Some(best) => (&best.weights, "the best so far"),
            None => (&self.start, "those before this epoch"),
        };
        for (parameter, value) in model.parameters_mut().iter_mut().zip(weights) {
            parameter.value.copy_from_slice(value);
        }
        self.optimizer.restart();
        (self.under_way, self.interrupted) = (None, Tally::default());
        let (rate, lower) = (shown(self.learning_rate), shown(self.learning_rate / 10.0));
        let advice = format!(
            "{error}, at a learning rate of {rate}; the weights are {which}; a lower learning rate may help: {lower}"
        );
        Error::new(ErrorKind::Divergence, advice)
    }

    fn begin_epoch(&mut self, model: &Model, data: &dyn Dataset) -> Result<()> {
        check(model, data, &self.options)?;
        self.start.resize_with(model.parameters().len(), Vec::new);
        for (start, parameter) in self.start.iter_mut().zip(model.parameters()) {
            start.clear();
            start.extend_from_slice(&parameter.value);
        }
        let rng = Rng::new(self.options.seed).fork(self.history.len() as u64);
        let mut order: Vec<usize> = (0..data.len()).collect();
        rng.fork(0).shuffle(&mut order);
        let empty = || Batch::new(model.input_len(), model.output_len());
        let tally = std::mem::take(&mut self.interrupted);
        let (loaded, current, next) = (tally.count, empty(), empty());
        if loaded > order.len() {
            bail!(Data, "fit: expected to go on among {} examples, got {loaded} done", order.len());
        }
        let mut epoch = UnderWay { order, loaded, current, next, rng, tally };
        epoch.load_next(data, &self.options);
        std::mem::swap(&mut epoch.current, &mut epoch.next);
        self.under_way = Some(epoch);
        Ok(())
    }

    /// Validates, with the averaged weights where there are, and notes the epoch's figures.
    pub fn end_epoch(
        &mut self,
        model: &mut Model,
        validation: Option<&dyn Dataset>,
    ) -> Result<Logs> {
        let (loss, accuracy) =
            self.under_way.take().map(|epoch| epoch.tally.means()).unwrap_or_default();
        let mut logs = Logs { loss, accuracy, ..Logs::default() };
        if let Some(validation) = validation.filter(|data| !data.is_empty()) {
            self.optimizer.swap_average(model.parameters_mut());
            let result = evaluate(model, validation, self.options.batch_size, |_, _, _| ());
            let better = self.best.as_ref().map_or(f32::NEG_INFINITY, |best| best.accuracy);
            if let Ok((_, accuracy)) = result
                && self.options.restore_best_weights
                && accuracy > better
            {
                let weights = model.parameters().iter().map(|p| p.value.clone()).collect();
                self.best = Some(Best { accuracy, weights });
            }
            self.optimizer.swap_average(model.parameters_mut());
            let (loss, accuracy) = result?;
            if !loss.is_finite() {
                let message = format!("validation: expected a finite loss, got {}", shown(loss));
                return Err(self.roll_back(model, Error::new(ErrorKind::Divergence, message)));
            }
            (logs.val_loss, logs.val_accuracy) = (Some(loss), Some(accuracy));
        }
        self.history.push(logs.clone());
        Ok(logs)
    }

    /// Gives the model the weights that the training ends with: the best, the averaged or the last.
    pub fn finish(&mut self, model: &mut Model) {
        match self.best.take() {
            Some(best) => {
                for (parameter, value) in model.parameters_mut().iter_mut().zip(best.weights) {
                    parameter.value = value;
                }
            }
            None => self.optimizer.swap_average(model.parameters_mut()),
        }
    }
}

fn check(model: &Model, data: &dyn Dataset, options: &FitOptions) -> Result<()> {
    Loss::for_activation(model.output_activation())?;
    if data.is_empty() {
        bail!(Data, "fit: expected examples to train on, got none");
    }
    if options.batch_size == 0 {
        bail!(Argument, "fit: expected a batch size from 1 up, got 0");
    }
    if !(0.0..1.0).contains(&options.label_smoothing) || !(0.0..=1.0).contains(&options.mix_up) {
        bail!(
            Argument,
            "fit: expected label smoothing from 0 to below 1 and mix-up from 0 to 1, got {} and {}",
            shown(options.label_smoothing),
            shown(options.mix_up)
        );
    }
    let classes = model.output_len().max(2);
    match (0..data.len()).map(|index| data.label(index)).find(|&label| label >= classes) {
        Some(label) => bail!(Data, "fit: expected labels from 0 to {}, got {label}", classes - 1),
        None => Ok(()),
    }
}
