//! `convlet summary`: a network's layers, shapes and weights.

use std::path::{Path, PathBuf};

use convlet::architecture::Architecture;
use convlet::error::Result;
use convlet::model::Model;
use serde_json::{Value, json};

use crate::{io_error, open, print};

/// Shows a network's layers.
#[derive(clap::Args)]
pub struct Args {
    /// A model file, an architecture as Keras writes it (FILE.json), `article` or `article-listing`.
    model: PathBuf,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let mut facts = Value::Null;
    let model = match named(&args.model)? {
        Some(architecture) => Model::new(architecture, 0)?,
        None => {
            let classifier = open(&args.model)?;
            facts = json!({
                "labels": classifier.labels(),
                "input": classifier.input().to_json(),
                "training": classifier.training(),
            });
            classifier.model
        }
    };
    if !args.json {
        print(model.summary().trim_end());
        return Ok(());
    }
    let weights = model.parameters().iter().map(|parameter| {
        json!({ "name": parameter.name, "shape": parameter.shape, "trainable": parameter.trainable })
    });
    let mut summary = json!({
        "name": model.architecture().name,
        "input_shape": model.input_shape(),
        "parameters": model.count_params(),
        "weights": weights.collect::<Vec<_>>(),
        "architecture": model.architecture().to_json(),
    });
    if let (Value::Object(summary), Value::Object(facts)) = (&mut summary, facts) {
        summary.extend(facts);
    }
    print(summary);
    Ok(())
}

/// The architecture that `name` stands for: one of our own, or a file of Keras's JSON. None for a model file.
pub fn named(name: &Path) -> Result<Option<Architecture>> {
    Ok(match name.to_str() {
        Some("article") => Some(Architecture::article()),
        Some("pets") => Some(Architecture::pets()),
        Some("article-listing") => Some(Architecture::article_listing()),
        _ if name.extension().is_some_and(|extension| extension == "json") => {
            let text = std::fs::read_to_string(name).map_err(io_error(name))?;
            Some(Architecture::from_json(&text).map_err(|error| error.within(name.display()))?)
        }
        _ => None,
    })
}
