//! `convlet evaluate`: how often a model is right, and what it takes for what.

use std::path::PathBuf;

use convlet::classifier::{Classifier, spread};
use convlet::confidence::expected_calibration_error;
use convlet::error::Result;
use convlet::metric::{Confusion, predicted_class};
use convlet::train::{Dataset, evaluate};

use crate::data::{Folder, Pictures};
use crate::{io_error, open, print};

/// Bins of the calibration error.
const BINS: usize = 15;

/// Measures a model on labelled pictures.
#[derive(clap::Args)]
pub struct Args {
    /// A model file.
    model: PathBuf,
    /// A directory with one folder a class, named as the model's labels.
    directory: PathBuf,
    /// Stop at the first picture that cannot be read.
    #[arg(long)]
    strict: bool,
    /// Write the pictures taken for something else to a CSV file.
    #[arg(long, value_name = "FILE")]
    mistakes: Option<PathBuf>,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let mut classifier = open(&args.model)?;
    let labels = classifier.labels().to_vec();
    let folder = Folder::open_for(&args.directory, &labels)?;
    let pictures = Pictures::read(&folder, classifier.input(), args.strict)?;
    let mut confusion = Confusion::new(labels.len());
    let mut mistakes = String::from("file,label,predicted\n");
    let mut answers = Vec::new();
    let mut probabilities = vec![0.0; labels.len()];
    let confidence = classifier.confidence().clone();
    let (loss, accuracy) = evaluate(&mut classifier.model, &pictures, 32, |index, row, _| {
        spread(row, &mut probabilities);
        confidence.temper(&mut probabilities);
        let sure = probabilities.iter().copied().fold(0.0, f32::max);
        let (label, predicted) = (pictures.label(index), predicted_class(row, 0.5));
        answers.push((sure, label == predicted));
        confusion.count(label, predicted);
        if label != predicted {
            let file = pictures.files[index].display().to_string().replace('"', "\"\"");
            mistakes += &format!("\"{file}\",{},{}\n", labels[label], labels[predicted]);
        }
    })?;
    let calibration_error = expected_calibration_error(&answers, BINS);
    let refused = refused(&mut classifier, &pictures)?;
    if let Some(path) = &args.mistakes {
        std::fs::write(path, mistakes).map_err(io_error(path))?;
    }
    if args.json {
        print(serde_json::json!({
            "loss": loss,
            "accuracy": accuracy,
            "expected_calibration_error": calibration_error,
            "refused": refused,
            "count": pictures.len(),
            "unreadable": pictures.unreadable,
            "labels": labels,
            "confusion": confusion.0,
        }));
    } else {
        let refused = match refused {
            Some(share) => format!(", {:.1} % called none of these", share * 100.0),
            None => String::new(),
        };
        print(format_args!(
            "{} pictures: loss {loss:.4}, accuracy {accuracy:.4}, expected calibration error \
             {calibration_error:.4}{refused}\n",
            pictures.len()
        ));
        print(table(&labels, &confusion));
    }
    Ok(())
}

/// The share of pictures that the model would call none of its classes, where it can.
fn refused(classifier: &mut Classifier, pictures: &Pictures) -> Result<Option<f32>> {
    if classifier.confidence().familiarity.is_none() {
        return Ok(None);
    }
    let mut refused = 0;
    for index in 0..pictures.len() {
        classifier.classify_tensor(|x| pictures.load(index, None, x))?;
        refused += usize::from(classifier.none_of_these() == Some(true));
    }
    Ok(Some(refused as f32 / pictures.len().max(1) as f32))
}

/// The confusion matrix, a row for what a picture shows, a column for what it was taken for; then each class's recall
/// (of those it is, how many were found) and precision (of those found, how many are it).
fn table(labels: &[String], confusion: &Confusion) -> String {
    let first = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0).max(9);
    let width = first.max(7);
    let mut text = format!("{:first$}", "");
    for title in labels.iter().map(String::as_str).chain(["recall"]) {
        text += &format!("  {title:>width$}");
    }
    let share = |share: Option<f64>| match share {
        None => format!("  {:>width$}", "-"),
        Some(share) => format!("  {share:>width$.4}"),
    };
    for (class, label) in labels.iter().enumerate() {
        text += &format!("\n{label:first$}");
        confusion.0[class].iter().for_each(|count| text += &format!("  {count:>width$}"));
        text += &share(confusion.recall(class));
    }
    text += &format!("\n{:first$}", "precision");
    (0..labels.len()).for_each(|class| text += &share(confusion.precision(class)));
    text
}
