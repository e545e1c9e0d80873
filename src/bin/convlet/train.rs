//! `convlet train`: from folders of pictures to a model file, its history beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use convlet::architecture::Architecture;
use convlet::error::{Error, ErrorKind, Result};
use convlet::image::{Input, Resize};
use convlet::model::Model;
use convlet::train::{self, Dataset, Event, Flow, Logs, Trainer};
use serde_json::{Map, Value, json};

use crate::data::{Folder, Pictures, write};
use crate::options::{Args, Shape, recipe};
use crate::progress::Watch;
use crate::{io_error, open, plot, print, summary};

pub fn run(args: &Args) -> Result<()> {
    check_place(&args.out)?;
    if let Some(threads) = args.threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global()
            .map_err(|error| Error::new(ErrorKind::Argument, format!("threads: {error}")))?;
    }
    let folder = Folder::open(&args.directory)?;
    let labels = folder.labels.clone();
    let validation = args.validation.as_deref();
    let validation = validation.map(|place| Folder::open_for(place, &labels)).transpose()?;
    let mut recipe = recipe(args);
    let mut model = match &args.weights {
        Some(path) => {
            let before = open(path)?;
            if before.labels() != labels {
                let (expected, got) = (before.labels().join(", "), labels.join(", "));
                let message = format!("expected folders named {expected}, got {got}");
                return Err(Error::new(ErrorKind::Data, message).within(path.display()));
            }
            recipe.insert("before".into(), before.training().clone().into());
            before.model
        }
        None => Model::new(architecture(args, labels.len())?, args.seed)?,
    };
    let input = input(args, &model);
    let side = args.augmentation.source_size;
    let source = Input {
        height: side.unwrap_or(input.height),
        width: side.unwrap_or(input.width),
        ..input.clone()
    };
    let mut pictures = Pictures::read(&folder, &source, args.strict)?;
    pictures.cut_to([input.height, input.width]);
    pictures.augment = args.augmentation.chosen();
    let validation = validation.map(|folder| Pictures::read(&folder, &input, args.strict));
    let validation = validation.transpose()?;
    let [part, held_back] = train::split(&pictures, args.validation_split, args.seed)?;
    let held_back: &dyn Dataset = match &validation {
        Some(validation) => validation,
        None => &held_back,
    };
    for layer in &args.freeze {
        model.set_trainable(layer, false)?;
    }
    recipe.insert("examples".into(), part.len().into());
    recipe.insert("validation_examples".into(), held_back.len().into());
    let run = Run { args, labels, input, recipe };
    let mut trainer = run.trainer(&mut model)?;
    eprintln!(
        "training {} parameters on {} pictures, measuring on {}",
        model.count_params(),
        part.len(),
        held_back.len()
    );
    let stop = stop_flag()?;
    let mut watch = Watch::new(part.len(), trainer.history().len(), args.epochs);
    let data: &dyn Dataset = &part;
    let validate = (!held_back.is_empty()).then_some(held_back);
    let mut failure = None;
    trainer.fit(&mut model, data, validate, |model, event| {
        watch.show(&event);
        if let Event::Epoch { trainer, .. } = event {
            failure = run.save_checkpoint(trainer, model).err();
        }
        match stop.load(Ordering::Relaxed) || failure.is_some() {
            true => Flow::Stop,
            false => Flow::Continue,
        }
    })?;
    watch.finish();
    if let Some(failure) = failure {
        return Err(failure);
    }
    run.save(&model, trainer.history())?;
    let out = args.out.display();
    if stop.load(Ordering::Relaxed) {
        let epoch = trainer.history().len();
        print(format_args!(
            "stopped in epoch {epoch} of {}: wrote what there is to {out}; \
             --resume goes on after the last whole epoch",
            args.epochs
        ));
    } else {
        fs::remove_file(run.checkpoint()).map_err(io_error(&run.checkpoint()))?;
        print(format_args!("wrote {out}, its history beside it as .csv and .svg"));
    }
    Ok(())
}

/// Finds out before hours of training that there is nowhere to write to.
fn check_place(out: &Path) -> Result<()> {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    let taken = ["csv", "svg", "checkpoint"];
    if out.extension().is_some_and(|extension| taken.iter().any(|taken| extension == *taken)) {
        let message = format!("{}: expected another ending: other files go there", out.display());
        return Err(Error::new(ErrorKind::Argument, message));
    }
    if out.is_dir() || folder.is_some_and(|folder| !folder.is_dir()) {
        let message = format!("{}: expected a file in a directory that exists", out.display());
        return Err(Error::new(ErrorKind::Io, message));
    }
    Ok(())
}

/// The network to train: as many outputs as there are classes, or a single sigmoid for two.
fn architecture(args: &Args, classes: usize) -> Result<Architecture> {
    let place = args.architecture.display();
    let error = |message: String| Err(Error::new(ErrorKind::Architecture, message).within(&place));
    let Some(mut architecture) = summary::named(&args.architecture)? else {
        return error("expected article, pets or a file of Keras's JSON (FILE.json)".into());
    };
    if args.architecture.extension().is_none() {
        let side = args.input_size.unwrap_or(64);
        architecture.input_shape = [side, side, 3];
        let output = architecture.layers.last_mut().filter(|_| classes > 2);
        if let Some(output) = output {
            output.config.insert("units".into(), classes.into());
            output.config.insert("activation".into(), "softmax".into());
        }
    } else if args.input_size.is_some() {
        return error("expected no --input-size: the file says how large its input is".into());
    }
    let outputs = Model::new(architecture.clone(), 0)?.output_len();
    if outputs != classes && (outputs, classes) != (1, 2) {
        return error(format!("expected {classes} outputs for the classes found, got {outputs}"));
    }
    Ok(architecture)
}

fn input(args: &Args, model: &Model) -> Input {
    let [height, width, channels] = model.input_shape();
    let resize = match args.resize {
        Shape::Squash => Resize::Squash,
        Shape::Crop => Resize::Crop,
    };
    Input { channels, resize, ..Input::rgb(height, width) }
}

/// Set by Ctrl-C. The second time, the command ends at once.
fn stop_flag() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("stopping after this batch; once more to end without writing");
    };
    ctrlc::set_handler(handler)
        .map_err(|error| Error::new(ErrorKind::Io, format!("Ctrl-C cannot be watched: {error}")))?;
    Ok(stop)
}

/// What goes into the model file, and where it goes.
struct Run<'a> {
    args: &'a Args,
    labels: Vec<String>,
    input: Input,
    recipe: Map<String, Value>,
}

impl Run<'_> {
    fn checkpoint(&self) -> PathBuf {
        self.args.out.with_extension("checkpoint")
    }

    /// All that two runs must have in common for one to go on from the other.
    fn recipe_text(&self) -> String {
        Value::from(self.recipe.clone()).to_string()
    }

    /// A new training, or the one that was interrupted.
    fn trainer(&self, model: &mut Model) -> Result<Trainer> {
        let (options, optimizer) = (self.args.fit_options(), self.args.descent.optimizer());
        let path = self.checkpoint();
        if !self.args.resume || !path.exists() {
            return Ok(Trainer::new(options, optimizer));
        }
        let bytes = fs::read(&path).map_err(io_error(&path))?;
        let trainer = Trainer::resume(&bytes, options, optimizer, model, &self.recipe_text())
            .map_err(|error| error.within(path.display()))?;
        eprintln!("going on after epoch {}", trainer.history().len());
        Ok(trainer)
    }

    fn save_checkpoint(&self, trainer: &Trainer, model: &Model) -> Result<()> {
        let bytes = trainer.checkpoint(model, &self.recipe_text())?;
        write(&self.checkpoint(), &bytes)?;
        self.save_history(trainer.history())
    }

    /// Writes the model, and its history beside it.
    fn save(&self, model: &Model, history: &[Logs]) -> Result<()> {
        let mut training = self.recipe.clone();
        let figures = |figure: fn(&Logs) -> Option<f32>| {
            history.iter().map(figure).collect::<Vec<Option<f32>>>()
        };
        training.insert(
            "history".into(),
            json!({
                "loss": figures(|logs| Some(logs.loss)),
                "accuracy": figures(|logs| Some(logs.accuracy)),
                "val_loss": figures(|logs| logs.val_loss),
                "val_accuracy": figures(|logs| logs.val_accuracy),
            }),
        );
        let file = model.to_file(&self.labels, &self.input, training);
        write(&self.args.out, &file.to_bytes()?)?;
        self.save_history(history)
    }

    fn save_history(&self, history: &[Logs]) -> Result<()> {
        let out = &self.args.out;
        write(&out.with_extension("csv"), plot::csv(history).as_bytes())?;
        write(&out.with_extension("svg"), plot::svg(history)?.as_bytes())
    }
}
