//! `convlet calibrate`: makes a model's confidence mean what it says, and lets it say 'none of these'.

use std::path::PathBuf;

use convlet::classifier::spread;
use convlet::confidence::{Confidence, Familiarity, fit_temperature};
use convlet::error::Result;
use convlet::model::Mode;
use convlet::train::Dataset;
use serde_json::json;

use crate::data::{Folder, Pictures, write};
use crate::{open, print};

/// Fits a model's temperature and its threshold for 'none of these', and writes both into its file.
#[derive(clap::Args)]
pub struct Args {
    /// A model file.
    model: PathBuf,
    /// The pictures it was trained on: what it takes for familiar.
    directory: PathBuf,
    /// Pictures that it was not trained on: what its confidence is measured by.
    #[arg(long, value_name = "DIR")]
    validation: PathBuf,
    /// The share of the validation pictures that is to stay above 'none of these'.
    #[arg(long, value_name = "SHARE", default_value_t = 0.95, value_parser = crate::options::share)]
    keep: f32,
    /// Pictures of something else, in folders: how many of them would be called none of these.
    #[arg(long, value_name = "DIR")]
    unlike: Vec<PathBuf>,
    /// The file to write; the model itself without it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<()> {
    let mut classifier = open(&args.model)?;
    classifier.confidence = Confidence::default();
    let labels = classifier.labels().to_vec();
    let mut read = |directory: &PathBuf| {
        let folder = Folder::open_for(directory, &labels)?;
        let pictures = Pictures::read(&folder, classifier.input(), false)?;
        measure(&mut classifier.model, &pictures, labels.len())
    };
    let known = read(&args.directory)?;
    let other = read(&args.validation)?;
    let temperature = fit_temperature(labels.len(), &other.probabilities, &other.labels);
    let d = known.features.len() / known.labels.len().max(1);
    let mut familiarity = Familiarity::fit(&known.features, d)?;
    let mut distances: Vec<f32> =
        other.features.chunks_exact(d).map(|row| familiarity.unfamiliarity(row)).collect();
    distances.sort_unstable_by(f32::total_cmp);
    let kept = (distances.len() as f32 * args.keep).ceil() as usize;
    familiarity.threshold = distances[kept.clamp(1, distances.len()) - 1];
    print(format_args!(
        "temperature {temperature:.4}; 'none of these' above an unfamiliarity of {:.4}",
        familiarity.threshold
    ));
    for directory in &args.unlike {
        let pictures = Pictures::read(&Folder::open(directory)?, classifier.input(), false)?;
        let unlike = measure(&mut classifier.model, &pictures, labels.len())?;
        let refused = unlike.features.chunks_exact(d).filter(|row| familiarity.refuses(row));
        let share = refused.count() as f32 / pictures.len().max(1) as f32;
        print(format_args!("{}: {:.1} % none of these", directory.display(), share * 100.0));
    }
    classifier.confidence =
        Confidence { temperature: Some(temperature), familiarity: Some(familiarity) };
    let mut file = classifier.to_file();
    let command = crate::options::command_line(&["--out", "--unlike"]);
    file.training.insert("calibration".into(), json!({ "command": command }));
    write(args.out.as_ref().unwrap_or(&args.model), &file.to_bytes()?)
}

/// What a network makes of labelled pictures.
struct Measured {
    labels: Vec<usize>,
    /// One a label.
    probabilities: Vec<f32>,
    /// What the last layer reads.
    features: Vec<f32>,
}

fn measure(
    model: &mut convlet::model::Model,
    pictures: &Pictures,
    classes: usize,
) -> Result<Measured> {
    let mut measured =
        Measured { labels: Vec::new(), probabilities: Vec::new(), features: Vec::new() };
    let mut row = vec![0.0; classes];
    for index in 0..pictures.len() {
        pictures.load(index, None, model.input_mut(1, Mode::Inference)?);
        spread(model.forward(1, Mode::Inference), &mut row);
        measured.labels.push(pictures.label(index));
        measured.probabilities.extend_from_slice(&row);
        measured.features.extend_from_slice(model.features(1, Mode::Inference));
    }
    Ok(measured)
}
