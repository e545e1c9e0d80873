//! `convlet fewshot`: how well a network is taught new classes from few pictures, as the page teaches it.

use std::path::PathBuf;
use std::time::Instant;

use convlet::error::Result;
use convlet::rng::Rng;
use convlet::transfer::{Depth, Event, Recipe, Transfer};

use crate::data::{Folder, Pictures};
use crate::options::count;
use crate::{io_error, open, print};

/// Measures how well a model is taught new classes, with the page's defaults: a table by depth and number of examples.
#[derive(clap::Args)]
pub struct Args {
    /// The model file to build upon.
    model: PathBuf,
    /// A directory with one folder a class: what examples are drawn from.
    directory: PathBuf,
    /// Pictures to measure on, in folders named alike.
    #[arg(long, value_name = "DIR")]
    validation: PathBuf,
    /// Examples of each class.
    #[arg(long, value_delimiter = ',', default_values_t = [5, 10, 20, 40], value_parser = count)]
    examples: Vec<usize>,
    /// How often examples are drawn anew.
    #[arg(long, default_value_t = 5, value_parser = count)]
    seeds: usize,
    /// How much of the network learns.
    #[arg(long, value_delimiter = ',', default_value = "head,whole,scratch", value_parser = Depth::named)]
    depth: Vec<Depth>,
    /// What differs from the defaults, as JSON: {"epochs": 10}.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    options: String,
}

pub fn run(args: &Args) -> Result<()> {
    let bytes = std::fs::read(&args.model).map_err(io_error(&args.model))?;
    let input = open(&args.model)?.input().clone();
    let folder = Folder::open(&args.directory)?;
    let read = |folder: &Folder| Pictures::read(folder, &input, false);
    let pool = read(&folder)?.into_bytes();
    let held_back = read(&Folder::open_for(&args.validation, &folder.labels)?)?.into_bytes();
    print(format_args!(
        "{:8} {:>8} {:>9} {:>9} {:>9}",
        "depth", "examples", "accuracy", "deviation", "seconds"
    ));
    for &depth in &args.depth {
        for &examples in &args.examples {
            let started = Instant::now();
            let mut accuracies = Vec::new();
            for seed in 0..args.seeds {
                let mut transfer = Transfer::from_bytes(&bytes, &folder.labels, 0.0)?;
                for &index in &drawn(&pool, folder.labels.len(), examples, seed) {
                    let (pixels, label) = &pool[index];
                    transfer.add_pixels(pixels.clone(), *label, Some(false))?;
                }
                let mut recipe = Recipe::defaults(depth, transfer.counts().0);
                recipe.seed = seed as u32;
                transfer.begin(recipe.with(&args.options)?)?;
                while !matches!(transfer.advance()?, Event::End) {}
                transfer.finish();
                for (pixels, label) in &held_back {
                    transfer.add_pixels(pixels.clone(), *label, Some(true))?;
                }
                accuracies.push(transfer.evaluate()?.confusion.accuracy().unwrap_or(0.0));
            }
            let n = accuracies.len() as f64;
            let mean = accuracies.iter().sum::<f64>() / n;
            let squares = accuracies.iter().map(|a| (a - mean) * (a - mean));
            let deviation = (squares.sum::<f64>() / n).sqrt();
            let seconds = started.elapsed().as_secs_f64() / n;
            let depth = format!("{depth:?}").to_lowercase();
            print(format_args!("{depth:8} {examples:8} {mean:9.4} {deviation:9.4} {seconds:9.2}"));
        }
    }
    Ok(())
}

/// The indices of `count` examples of each class.
fn drawn(pool: &[(Vec<u8>, usize)], classes: usize, count: usize, seed: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..pool.len()).collect();
    Rng::new(seed as u64).shuffle(&mut order);
    let of_class = |class| order.iter().filter(move |&&index| pool[index].1 == class).take(count);
    (0..classes).flat_map(of_class).copied().collect()
}
