//! `convlet calibrate`: makes a model's confidence mean what it says, and lets it say 'none of these'.

use std::path::PathBuf;

use convlet::classifier::Classifier;
use convlet::confidence::{Confidence, Familiarity, fit_temperature};
use convlet::error::{Error, ErrorKind, Result};
use convlet::model::Model;
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
    /// The layers whose features are to be familiar; three of several depths without it.
    #[arg(long, value_name = "LAYERS", value_delimiter = ',')]
    layers: Vec<String>,
    /// The file to write; the model itself without it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<()> {
    let mut classifier = open(&args.model)?;
    let labels = classifier.labels().to_vec();
    let input = classifier.input().clone();
    let watched = watched(&classifier.model, &args.layers)?;
    classifier.set_confidence(Confidence::default())?;
    classifier.model.watch(watched.iter().map(|(name, channels)| (name.as_str(), *channels)))?;
    let mut measured = |directory: &PathBuf, known: bool| {
        let folder = match known {
            true => Folder::open_for(directory, &labels)?,
            false => Folder::open(directory)?,
        };
        measure(&mut classifier, &Pictures::read(&folder, &input, false)?)
    };
    let known = measured(&args.directory, true)?;
    let other = measured(&args.validation, true)?;
    let temperature = fit_temperature(labels.len(), &other.probabilities, &other.labels);
    let mut familiarity = Familiarity::fit(&watched, &known.features)?;
    let mut distances = other.unfamiliarities(&familiarity);
    distances.sort_unstable_by(f32::total_cmp);
    let kept = (distances.len() as f32 * args.keep).ceil() as usize;
    familiarity.threshold = distances[kept.clamp(1, distances.len()) - 1];
    print(format_args!(
        "temperature {temperature:.4}; 'none of these' above an unfamiliarity of {:.4}, by {}",
        familiarity.threshold,
        watched.iter().map(|(layer, _)| layer.as_str()).collect::<Vec<_>>().join(" and ")
    ));
    for directory in &args.unlike {
        let distances = measured(directory, false)?.unfamiliarities(&familiarity);
        let refused = distances.iter().filter(|&&far| far > familiarity.threshold).count();
        let share = refused as f32 / distances.len().max(1) as f32;
        print(format_args!("{}: {:.1} % none of these", directory.display(), share * 100.0));
    }
    classifier.set_confidence(Confidence {
        temperature: Some(temperature),
        familiarity: Some(familiarity),
    })?;
    let mut file = classifier.to_file();
    let command = crate::options::command_line(&["--out", "--unlike"]);
    file.training.insert("calibration".into(), json!({ "command": command }));
    write(args.out.as_ref().unwrap_or(&args.model), &file.to_bytes()?)
}

/// The layers asked for, or three of those that put out maps of features: near the beginning, in the second half, the last.
fn watched(model: &Model, layers: &[String]) -> Result<Vec<(String, usize)>> {
    let maps = model.feature_maps();
    if layers.is_empty() {
        let n = maps.len();
        let mut wanted = vec![n / 8, 2 * n / 3, n.saturating_sub(1)];
        wanted.dedup();
        return Ok(wanted.into_iter().filter_map(|at| maps.get(at).cloned()).collect());
    }
    let find = |layer: &String| match maps.iter().find(|(name, _)| name == layer) {
        Some(found) => Ok(found.clone()),
        None => {
            let names: Vec<_> = maps.iter().map(|(name, _)| name.as_str()).collect();
            let names = names.join(", ");
            let message = format!("--layers: expected some of {names}, got {layer:?}");
            Err(Error::new(ErrorKind::Argument, message))
        }
    };
    layers.iter().map(find).collect()
}

/// What a network makes of labelled pictures.
#[derive(Default)]
struct Measured {
    labels: Vec<usize>,
    /// One a label.
    probabilities: Vec<f32>,
    /// What `describe` says of each.
    features: Vec<f32>,
}

impl Measured {
    fn unfamiliarities(&self, familiarity: &Familiarity) -> Vec<f32> {
        let width = self.features.len() / self.labels.len().max(1);
        self.features.chunks_exact(width).map(|row| familiarity.unfamiliarity(row)).collect()
    }
}

fn measure(classifier: &mut Classifier, pictures: &Pictures) -> Result<Measured> {
    let mut measured = Measured::default();
    for index in 0..pictures.len() {
        let probabilities = classifier.classify_tensor(|x| pictures.load(index, None, x))?;
        measured.probabilities.extend_from_slice(probabilities);
        measured.labels.push(pictures.label(index));
        measured.features.extend_from_slice(classifier.features());
    }
    Ok(measured)
}
