//! `convlet predict`: what pictures show.

use std::path::{Path, PathBuf};

use convlet::classifier::{Classifier, Prediction};
use convlet::error::{Error, ErrorKind, Result};
use serde_json::json;

use crate::data::decode;
use crate::{open, print};

/// Names what pictures show.
#[derive(clap::Args)]
pub struct Args {
    /// A model file.
    model: PathBuf,
    /// Pictures: JPEG, PNG or WebP.
    #[arg(required = true)]
    images: Vec<PathBuf>,
    /// How many labels to name, most likely first; all without it.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    top_k: Option<u32>,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let mut classifier = open(&args.model)?;
    let mut results = Vec::new();
    let mut unreadable = 0;
    for image in &args.images {
        match predict(&mut classifier, image) {
            Ok(mut predictions) => {
                predictions.truncate(args.top_k.map_or(usize::MAX, |k| k as usize));
                if args.json {
                    results.push(
                        json!({ "file": image.display().to_string(), "predictions": predictions }),
                    );
                } else {
                    print(line(image, &predictions));
                }
            }
            Err(error) => {
                eprintln!("error: {error}");
                unreadable += 1;
            }
        }
    }
    if args.json {
        print(json!(results));
    }
    match unreadable {
        0 => Ok(()),
        count => {
            let message = format!("{count} of {} pictures could not be read", args.images.len());
            Err(Error::new(ErrorKind::Data, message))
        }
    }
}

fn predict(classifier: &mut Classifier, image: &Path) -> Result<Vec<Prediction>> {
    let picture = decode(image)?;
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let probabilities = classifier.classify(&picture, width, height)?.to_vec();
    Ok(classifier.ranked(&probabilities))
}

fn line(image: &Path, predictions: &[Prediction]) -> String {
    let shares = predictions.iter().map(|p| format!("{} {:.1}%", p.label, p.confidence * 100.0));
    format!("{}: {}", image.display(), shares.collect::<Vec<_>>().join(", "))
}
