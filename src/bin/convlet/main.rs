//! The native command: trains a network on folders of pictures, and uses what it made.

#![forbid(unsafe_code)]

mod calibrate;
mod convert;
mod data;
mod evaluate;
mod fewshot;
mod options;
mod plot;
mod predict;
mod progress;
mod summary;
mod train;

use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use convlet::classifier::Classifier;
use convlet::error::{Error, ErrorKind, Result};

/// A convolutional network: trained on folders of pictures here, used here and in the browser.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(Box<options::Args>),
    Evaluate(evaluate::Args),
    Fewshot(fewshot::Args),
    Calibrate(calibrate::Args),
    Convert(convert::Args),
    Plot(plot::Args),
    Predict(predict::Args),
    Summary(summary::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Train(args) => train::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Fewshot(args) => fewshot::run(&args),
        Command::Calibrate(args) => calibrate::run(&args),
        Command::Convert(args) => convert::run(&args),
        Command::Plot(args) => plot::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Summary(args) => summary::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes a line of results to standard output; ends quietly where nobody reads on.
fn print(line: impl Display) {
    if writeln!(std::io::stdout(), "{line}").is_err() {
        std::process::exit(1);
    }
}

/// What reading or writing `path` failed with.
fn io_error(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    move |error| Error::new(ErrorKind::Io, format!("{}: {error}", path.display()))
}

/// Reads a model file.
fn open(path: &Path) -> Result<Classifier> {
    let bytes = std::fs::read(path).map_err(io_error(path))?;
    Classifier::from_bytes(&bytes).map_err(|error| error.within(path.display()))
}
