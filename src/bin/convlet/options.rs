//! What `convlet train` can be told.

use std::path::PathBuf;

use clap::ValueEnum;
use convlet::augment::Augment;
use convlet::optimizer::Optimizer;
use convlet::train::{FitOptions, Schedule};
use serde_json::{Map, Value, json};

/// Trains a network on labelled pictures.
#[derive(clap::Args)]
pub struct Args {
    /// A directory with one folder of pictures a class.
    pub directory: PathBuf,
    /// Pictures to measure on after each epoch, in folders named alike.
    #[arg(long, value_name = "DIR", conflicts_with = "validation_split")]
    pub validation: Option<PathBuf>,
    /// The share of the pictures to keep for measuring instead.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub validation_split: f32,
    /// How often each picture is seen.
    #[arg(long, default_value_t = 25, value_parser = count)]
    pub epochs: usize,
    /// Pictures a step.
    #[arg(long, default_value_t = 32, value_parser = count)]
    pub batch_size: usize,
    /// Where all randomness comes from: the same seed gives the same file.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// `article`, `pets`, or an architecture as Keras writes it (FILE.json).
    #[arg(long, default_value = "article")]
    pub architecture: PathBuf,
    /// Begin with this model file's network and weights instead of fresh ones.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["architecture", "input_size"])]
    pub weights: Option<PathBuf>,
    /// Layers whose weights stay as they are.
    #[arg(long, value_name = "LAYER", value_delimiter = ',')]
    pub freeze: Vec<String>,
    /// Go on from the .checkpoint that every epoch leaves beside the model file, if it is there.
    #[arg(long)]
    pub resume: bool,
    /// Pixels a side of the network's input, where its architecture is not a file.
    #[arg(long, value_name = "PIXELS", value_parser = count)]
    pub input_size: Option<usize>,
    /// What happens to pictures that are not as wide as high.
    #[arg(long, value_enum, default_value_t = Shape::Squash)]
    pub resize: Shape,
    #[command(flatten)]
    pub descent: Descent,
    #[command(flatten)]
    pub augmentation: Augmentation,
    /// Stop at the first picture that cannot be read.
    #[arg(long)]
    pub strict: bool,
    /// Threads; all there are without it. Changes nothing in the result.
    #[arg(long, value_parser = count)]
    pub threads: Option<usize>,
    /// The model file to write; its history goes beside it.
    #[arg(long, value_name = "FILE", default_value = "model.safetensors")]
    pub out: PathBuf,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Optimization")]
pub struct Descent {
    #[arg(long, value_enum, default_value_t = Method::Adam)]
    optimizer: Method,
    #[arg(long, default_value_t = 0.001, value_parser = positive)]
    learning_rate: f32,
    /// The share of the last step that SGD takes again.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    momentum: f32,
    /// The share of each kernel, times the learning rate, that a step takes away (AdamW's).
    #[arg(long, default_value_t = 0.0, value_parser = from_zero)]
    weight_decay: f32,
    /// The largest norm of all gradients together.
    #[arg(long, value_name = "NORM", value_parser = positive)]
    global_clipnorm: Option<f32>,
    /// Ends with a moving average of the weights that keeps this share at each step.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    ema_momentum: Option<f32>,
    /// How the learning rate changes.
    #[arg(long, value_enum, default_value_t = Rate::Constant)]
    schedule: Rate,
    /// Epochs in which the cosine schedule rises from 0.
    #[arg(long, value_name = "EPOCHS", default_value_t = 0.0, value_parser = from_zero)]
    warmup: f32,
    /// The share of each target that is spread over all classes.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    label_smoothing: f32,
    /// Blends pairs of pictures by weights from Beta(mix-up, mix-up); 0 for none.
    #[arg(long, value_name = "ALPHA", default_value_t = 0.0, value_parser = from_zero)]
    mix_up: f32,
    /// Ends after this many epochs without a lower validation loss.
    #[arg(long, value_name = "EPOCHS", value_parser = count)]
    early_stopping: Option<usize>,
    /// Ends with the weights of the epoch that validated best.
    #[arg(long)]
    restore_best_weights: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Method {
    Adam,
    Sgd,
}

#[derive(Clone, Copy, ValueEnum)]
enum Rate {
    Constant,
    /// Down to 0 along half a cosine.
    Cosine,
    /// Up for three tenths of the epochs, then down.
    OneCycle,
    /// Halved after three epochs without a lower loss.
    Plateau,
}

impl Args {
    /// What the training does beside its steps.
    pub fn fit_options(&self) -> FitOptions {
        let descent = &self.descent;
        FitOptions {
            epochs: self.epochs,
            batch_size: self.batch_size,
            seed: self.seed,
            schedule: match descent.schedule {
                Rate::Constant => Schedule::Constant,
                Rate::Cosine => Schedule::Cosine { warmup: descent.warmup },
                Rate::OneCycle => Schedule::OneCycle,
                Rate::Plateau => Schedule::ReduceOnPlateau { factor: 0.5, patience: 3 },
            },
            label_smoothing: descent.label_smoothing,
            mix_up: descent.mix_up,
            early_stopping: descent.early_stopping,
            restore_best_weights: descent.restore_best_weights,
        }
    }
}

impl Descent {
    /// What takes the steps.
    pub fn optimizer(&self) -> Optimizer {
        let mut optimizer = match self.optimizer {
            Method::Adam => Optimizer::adam(self.learning_rate),
            Method::Sgd => Optimizer::sgd(self.learning_rate, self.momentum, false),
        };
        optimizer.weight_decay = self.weight_decay;
        optimizer.global_clipnorm = self.global_clipnorm;
        optimizer.ema_momentum = self.ema_momentum;
        optimizer
    }
}

#[derive(clap::Args)]
#[command(next_help_heading = "Augmentation, as Keras's ImageDataGenerator")]
pub struct Augmentation {
    /// Change pictures at random in every epoch (the default).
    #[arg(long, overrides_with = "no_augment")]
    augment: bool,
    /// Show pictures as they are.
    #[arg(long)]
    no_augment: bool,
    /// Degrees either way.
    #[arg(long, value_name = "DEGREES", default_value_t = 0.2, value_parser = from_zero)]
    shear_range: f32,
    /// Share either way, or lowest and highest factor: 0.2 is 0.8,1.2.
    #[arg(long, value_name = "RANGE", default_value = "0.2", value_parser = range)]
    zoom_range: [f32; 2],
    /// Degrees either way.
    #[arg(long, value_name = "DEGREES", default_value_t = 0.0, value_parser = from_zero)]
    rotation_range: f32,
    /// Share of the width either way.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = from_zero)]
    width_shift_range: f32,
    /// Share of the height either way.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = from_zero)]
    height_shift_range: f32,
    /// Share either way, or lowest and highest factor.
    #[arg(long, value_name = "RANGE", value_parser = range)]
    brightness_range: Option<[f32; 2]>,
    /// Share either way, or lowest and highest factor.
    #[arg(long, value_name = "RANGE", value_parser = range)]
    contrast_range: Option<[f32; 2]>,
    /// Share either way, or lowest and highest factor.
    #[arg(long, value_name = "RANGE", value_parser = range)]
    saturation_range: Option<[f32; 2]>,
    /// Blank a square, this share of the picture wide.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    cut_out: f32,
    /// Pixels a side of the pictures that the network's input is cut from: more than it holds is detail for zooms.
    #[arg(long, value_name = "PIXELS", value_parser = count, conflicts_with = "validation_split")]
    pub source_size: Option<usize>,
    /// Do not mirror left and right.
    #[arg(long)]
    no_flip: bool,
    /// Mirror top and bottom too.
    #[arg(long)]
    vertical_flip: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Shape {
    /// The whole picture is stretched.
    Squash,
    /// The largest centred part is taken.
    Crop,
}

fn number(
    text: &str,
    fits: impl Fn(f32) -> bool,
    expected: &str,
) -> std::result::Result<f32, String> {
    match text.parse() {
        Ok(value) if fits(value) => Ok(value),
        _ => Err(format!("expected {expected}")),
    }
}

pub fn share(text: &str) -> std::result::Result<f32, String> {
    number(text, |x| (0.0..1.0).contains(&x), "a number from 0 to below 1")
}

fn positive(text: &str) -> std::result::Result<f32, String> {
    number(text, |x| x > 0.0 && x.is_finite(), "a number above 0")
}

fn from_zero(text: &str) -> std::result::Result<f32, String> {
    number(text, |x| x >= 0.0 && x.is_finite(), "a number from 0 up")
}

pub fn count(text: &str) -> std::result::Result<usize, String> {
    text.parse().ok().filter(|&n| n > 0).ok_or_else(|| "expected a whole number from 1 up".into())
}

fn range(text: &str) -> std::result::Result<[f32; 2], String> {
    let (low, high) = match text.split_once(',') {
        Some((low, high)) => (positive(low)?, positive(high)?),
        None => share(text).map(|share| (1.0 - share, 1.0 + share))?,
    };
    if low > high {
        return Err("expected the lower factor first".into());
    }
    Ok([low, high])
}

impl Augmentation {
    /// What may happen to a picture.
    pub fn chosen(&self) -> Augment {
        if self.no_augment {
            return Augment::default();
        }
        Augment {
            rotation_range: self.rotation_range,
            width_shift_range: self.width_shift_range,
            height_shift_range: self.height_shift_range,
            shear_range: self.shear_range,
            zoom_range: self.zoom_range,
            horizontal_flip: !self.no_flip,
            vertical_flip: self.vertical_flip,
            brightness_range: self.brightness_range,
            contrast_range: self.contrast_range,
            saturation_range: self.saturation_range,
            cut_out: self.cut_out,
        }
    }
}

/// The command as it was typed, without the options `but` (which change nothing in the result) and what follows them.
pub fn command_line(but: &[&str]) -> String {
    let mut command = vec!["convlet".to_string()];
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let option = word.split('=').next().unwrap_or_default();
        if but.contains(&option) {
            if !word.contains('=') {
                words.next();
            }
        } else if option != "--resume" {
            command.push(word);
        }
    }
    command.join(" ")
}

/// How the model is trained, for its file. Leaves out what changes nothing in it: the same recipe gives the same file.
pub fn recipe(args: &Args) -> Map<String, Value> {
    let recipe = json!({
        "command": command_line(&["--out", "--threads"]),
        "seed": args.seed,
        "epochs": args.epochs,
        "batch_size": args.batch_size,
        "learning_rate": args.descent.learning_rate,
        "augment": args.augmentation.chosen().to_json(),
    });
    match recipe {
        Value::Object(recipe) => recipe,
        _ => unreachable!("built as an object"),
    }
}
