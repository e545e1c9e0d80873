//! A bar on a terminal; nowhere else, where a line a stage has to do.

use std::time::{Duration, Instant};

use convlet::train::{Event, Progress};
use indicatif::{ProgressBar, ProgressStyle};

/// How far a stage is, counted in pictures.
pub struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// A stage of `total` pictures. Draws on standard error, where that is a terminal.
    pub fn new(total: usize, stage: &str) -> Self {
        let style = ProgressStyle::with_template(
            "{prefix} {bar:24} {human_pos}/{human_len}  {per_sec}  {msg}  {eta} left",
        );
        let bar = ProgressBar::new(total as u64);
        bar.set_style(style.expect("the template is a constant").with_key(
            "per_sec",
            |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
                // Nothing is lost where a terminal takes no more.
                let _ = write!(out, "{:.0} images/s", state.per_sec());
            },
        ));
        bar.set_prefix(stage.to_string());
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar }
    }

    pub fn advance(&self, count: usize) {
        self.bar.inc(count as u64);
    }

    pub fn set(&self, position: usize, message: String) {
        self.bar.set_message(message);
        self.bar.set_position(position as u64);
    }

    /// Takes the bar away; what is to stay is printed after.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Shows how the training goes.
pub struct Watch {
    progress: Bar,
    started: Instant,
    total: usize,
    epochs: usize,
}

impl Watch {
    /// Epochs of `total` pictures, `done` of them done before.
    pub fn new(total: usize, done: usize, epochs: usize) -> Self {
        let progress = Bar::new(total, &format!("epoch {}/{epochs}", done + 1));
        Self { progress, started: Instant::now(), total, epochs }
    }

    pub fn finish(&self) {
        self.progress.finish();
    }

    pub fn show(&mut self, event: &Event) {
        match event {
            Event::Step(Progress { done, logs, .. }) => {
                let message = format!("loss {:.4}  accuracy {:.4}", logs.loss, logs.accuracy);
                self.progress.set(*done, message);
            }
            Event::Epoch { epoch, logs, .. } => {
                self.progress.finish();
                let seconds = self.started.elapsed().as_secs_f32();
                let validation = match (logs.val_loss, logs.val_accuracy) {
                    (Some(loss), Some(accuracy)) => {
                        format!(", val_loss {loss:.4}, val_accuracy {accuracy:.4}")
                    }
                    _ => String::new(),
                };
                eprintln!(
                    "epoch {}/{}: loss {:.4}, accuracy {:.4}{validation}  ({seconds:.1} s, {:.0} images/s)",
                    epoch + 1,
                    self.epochs,
                    logs.loss,
                    logs.accuracy,
                    self.total as f32 / seconds
                );
                if epoch + 1 < self.epochs {
                    *self = Self::new(self.total, epoch + 1, self.epochs);
                }
            }
        }
    }
}
