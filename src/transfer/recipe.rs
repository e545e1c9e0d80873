//! How a network is taught: every choice, and what is chosen where nobody says.

use serde_json::{Map, Value};

use crate::augment::Augment;
use crate::error::{Error, ErrorKind, Result};
use crate::json::{self, Field, Record, names, record};
use crate::optimizer::Optimizer;
use crate::train::{FitOptions, Schedule};

/// How much of the network learns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// The last layer, on what the others make of each picture, computed once.
    #[default]
    Head,
    /// Every layer, from the base's weights.
    Whole,
    /// Every layer, from fresh weights.
    Scratch,
}

names!(Depth { Head: "head", Whole: "whole", Scratch: "scratch" });

impl Depth {
    /// The depth of this name: `head`, `whole` or `scratch`.
    ///
    /// # Errors
    /// Argument: another name.
    pub fn named(name: &str) -> Result<Self> {
        Self::read(&name.into()).map_err(|error| Error::new(ErrorKind::Argument, error))
    }
}

/// How the learning rate changes; see [`Schedule`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// It does not.
    Constant,
    /// Up over the first epoch, then down along half a cosine.
    Cosine,
    /// Up for three tenths of the epochs, then down.
    OneCycle,
    /// Halved after three epochs without a lower loss.
    Plateau,
}

names!(Rate { Constant: "constant", Cosine: "cosine", OneCycle: "one_cycle", Plateau: "plateau" });

/// How a network is taught.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// How much of the network learns.
    pub depth: Depth,
    /// How often each example is seen.
    pub epochs: usize,
    /// Examples a step.
    pub batch_size: usize,
    /// Adam's, for the new layer.
    pub learning_rate: f32,
    /// The factor on it for the layers of the base.
    pub base_rate: f32,
    /// See [`Optimizer::weight_decay`].
    pub weight_decay: f32,
    /// See [`Optimizer::global_clipnorm`].
    pub global_clipnorm: Option<f32>,
    /// See [`Optimizer::ema_momentum`].
    pub ema_momentum: Option<f32>,
    /// How the rate changes.
    pub schedule: Rate,
    /// See [`FitOptions::label_smoothing`].
    pub label_smoothing: f32,
    /// See [`FitOptions::early_stopping`].
    pub early_stopping: Option<usize>,
    /// See [`FitOptions::restore_best_weights`].
    pub restore_best_weights: bool,
    /// Where all randomness comes from.
    pub seed: u32,
    /// What happens to a picture before it is learnt from.
    pub augment: Augment,
    /// In depth `head`: how many variants of each picture are kept, itself included.
    pub variants: usize,
}

record!(Recipe {
    depth,
    epochs,
    batch_size,
    learning_rate,
    base_rate,
    weight_decay,
    global_clipnorm,
    ema_momentum,
    schedule,
    label_smoothing,
    early_stopping,
    restore_best_weights,
    seed,
    augment,
    variants,
});

impl Recipe {
    /// What is chosen for `examples` training pictures where nobody says.
    pub fn defaults(depth: Depth, examples: usize) -> Self {
        // About as many steps however few pictures there are.
        let epochs = |few: usize, many: usize| if examples < 100 { few } else { many };
        // Not mirrored: a hand that points left is another than one that points right. `convlet fewshot` on digits signed
        // by hand, 40 each: 0.988 so, 0.964 with mirroring.
        let gentle = Augment {
            rotation_range: 12.0,
            width_shift_range: 0.08,
            height_shift_range: 0.08,
            zoom_range: [0.8, 1.15],
            brightness_range: Some([0.7, 1.3]),
            contrast_range: Some([0.7, 1.3]),
            saturation_range: Some([0.6, 1.4]),
            ..Augment::default()
        };
        let whole = Self {
            depth,
            epochs: epochs(30, 20),
            // A step short enough for a page that is asked other things meanwhile.
            batch_size: 8,
            learning_rate: 0.002,
            // As fast as the new layer: at half the rate the same digits came to 0.93.
            base_rate: 1.0,
            weight_decay: 0.01,
            global_clipnorm: Some(1.0),
            ema_momentum: None,
            schedule: Rate::OneCycle,
            label_smoothing: 0.1,
            early_stopping: None,
            restore_best_weights: false,
            seed: 0,
            augment: gentle,
            variants: 4,
        };
        match depth {
            Depth::Head => Self {
                epochs: epochs(60, 40),
                batch_size: 16,
                learning_rate: 0.01,
                weight_decay: 0.1,
                schedule: Rate::Cosine,
                ..whole
            },
            Depth::Whole => whole,
            Depth::Scratch => Self { epochs: epochs(60, 40), batch_size: 16, ..whole },
        }
    }

    /// The recipe with what a JSON object names in place of its own, null for `None`.
    ///
    /// # Errors
    /// Argument: no JSON object, another name than a field's, or a value of another kind than the field's.
    pub fn with(mut self, options: &str) -> Result<Self> {
        match json::parse(options).and_then(|options| self.update(&options)) {
            Ok(()) => Ok(self),
            Err(error) => Err(Error::new(ErrorKind::Argument, format!("options: {error}"))),
        }
    }

    /// The fields by their names, null for `None`: what [`Self::with`] takes.
    pub fn to_json(&self) -> Map<String, Value> {
        self.to_map()
    }

    pub(super) fn fit_options(&self) -> FitOptions {
        FitOptions {
            epochs: self.epochs,
            batch_size: self.batch_size,
            seed: self.seed.into(),
            schedule: match self.schedule {
                Rate::Constant => Schedule::Constant,
                Rate::Cosine => Schedule::Cosine { warmup: 1.0 },
                Rate::OneCycle => Schedule::OneCycle,
                Rate::Plateau => Schedule::ReduceOnPlateau { factor: 0.5, patience: 3 },
            },
            label_smoothing: self.label_smoothing,
            mix_up: 0.0,
            early_stopping: self.early_stopping,
            restore_best_weights: self.restore_best_weights,
        }
    }

    /// Adam, a factor a parameter: 1 where `is_new`.
    pub(super) fn optimizer(&self, is_new: impl Iterator<Item = bool>) -> Optimizer {
        let mut optimizer = Optimizer::adam(self.learning_rate);
        optimizer.weight_decay = self.weight_decay;
        optimizer.global_clipnorm = self.global_clipnorm;
        optimizer.ema_momentum = self.ema_momentum;
        optimizer.rate_factors =
            is_new.map(|is_new| if is_new { 1.0 } else { self.base_rate }).collect();
        optimizer
    }
}
