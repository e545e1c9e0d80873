//! `convlet predict`: what pictures show.

use std::fmt::{Display, Formatter};
use std::path::{Path, PathBuf};

use convlet::classifier::{Classifier, Prediction};
use convlet::error::{Error, ErrorKind, Result};
use serde_json::{Value, json};

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
            Ok(mut answer) => {
                answer.predictions.truncate(args.top_k.map_or(usize::MAX, |k| k as usize));
                if args.json {
                    results.push(answer.to_json());
                } else {
                    print(answer);
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

/// What a picture shows.
struct Answer {
    file: String,
    /// Most likely first.
    predictions: Vec<Prediction>,
    /// Whether the picture is unlike all that the model knows, where it can tell.
    none_of_these: Option<bool>,
}

fn predict(classifier: &mut Classifier, image: &Path) -> Result<Answer> {
    let picture = decode(image)?;
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let probabilities = classifier.classify(&picture, width, height)?.to_vec();
    Ok(Answer {
        file: image.display().to_string(),
        predictions: classifier.ranked(&probabilities),
        none_of_these: classifier.none_of_these(),
    })
}

impl Answer {
    fn to_json(&self) -> Value {
        let prediction = |p: &Prediction| json!({"label": p.label, "confidence": p.confidence});
        let predictions: Value = self.predictions.iter().map(prediction).collect();
        let mut answer = json!({"file": self.file, "predictions": predictions});
        if let Some(none_of_these) = self.none_of_these {
            answer["none_of_these"] = none_of_these.into();
        }
        answer
    }
}

impl Display for Answer {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let share = |p: &Prediction| format!("{} {:.1}%", p.label, p.confidence * 100.0);
        let shares = self.predictions.iter().map(share).collect::<Vec<_>>().join(", ");
        match self.none_of_these {
            Some(true) => write!(f, "{}: none of these ({shares})", self.file),
            _ => write!(f, "{}: {shares}", self.file),
        }
    }
}
