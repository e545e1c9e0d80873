//! `convlet plot`: the history of a training and the kernels it learnt, as pictures; the history also as a table.

use std::path::PathBuf;

use convlet::error::{Error, ErrorKind, Result};
use convlet::layer::Parameter;
use convlet::train::Logs;
use plotters::prelude::*;
use serde_json::Value;

use crate::data::write;
use crate::open;

/// Draws a model's training, and what its first layer looks for.
#[derive(clap::Args)]
pub struct Args {
    /// A model file.
    model: PathBuf,
    /// Loss and accuracy over the epochs go here, as SVG.
    #[arg(long, value_name = "FILE", required_unless_present = "kernels")]
    curves: Option<PathBuf>,
    /// The kernels of the first convolution go here, as SVG.
    #[arg(long, value_name = "FILE")]
    kernels: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<()> {
    let classifier = open(&args.model)?;
    let within = |error: Error| error.within(args.model.display());
    if let Some(path) = &args.curves {
        let history = recorded(classifier.training().get("history")).map_err(within)?;
        write(path, svg(&history)?.as_bytes())?;
    }
    if let Some(path) = &args.kernels {
        let first = classifier.model.parameters().iter().find(|p| p.shape.len() == 4);
        write(path, kernels_svg(first).map_err(within)?.as_bytes())?;
    }
    Ok(())
}

/// The history that `train` left in a model file: a list for each figure.
fn recorded(history: Option<&Value>) -> Result<Vec<Logs>> {
    let figures = |name: &str| history?.get(name)?.as_array();
    let Some(losses) = figures("loss").filter(|losses| !losses.is_empty()) else {
        return unfit("the history of a training in the file's metadata, got none");
    };
    let figure = |name: &str, epoch: usize| {
        figures(name).and_then(|list| list.get(epoch)?.as_f64()).map(|value| value as f32)
    };
    let logs = |epoch| Logs {
        loss: figure("loss", epoch).unwrap_or(f32::NAN),
        accuracy: figure("accuracy", epoch).unwrap_or(f32::NAN),
        val_loss: figure("val_loss", epoch),
        val_accuracy: figure("val_accuracy", epoch),
    };
    Ok((0..losses.len()).map(logs).collect())
}

/// Pixels a side of a weight, and kernels in a row.
const CELL: usize = 12;
const COLUMNS: usize = 8;

/// The kernels (KH, KW, 3, filters) as small pictures: grey is zero, each kernel's largest weight is full colour.
fn kernels_svg(kernel: Option<&Parameter>) -> Result<String> {
    let (kernel, [kh, kw, filters]) = match kernel {
        Some(kernel) => match kernel.shape[..] {
            [kh, kw, 3, filters] => (kernel, [kh, kw, filters]),
            ref other => return unfit(&format!("kernels over 3 colours, got shape {other:?}")),
        },
        None => return unfit("a convolution, got a network without one"),
    };
    let (height, width) = ((kh + 1) * CELL, (kw + 1) * CELL);
    let size = (COLUMNS.min(filters) * width + CELL, filters.div_ceil(COLUMNS) * height + CELL);
    let mut text = String::new();
    let mut draw = || -> std::result::Result<(), Box<dyn std::error::Error>> {
        let area = SVGBackend::with_string(&mut text, (size.0 as u32, size.1 as u32));
        let area = area.into_drawing_area();
        area.fill(&WHITE)?;
        for filter in 0..filters {
            let weights = kernel.value.iter().skip(filter).step_by(filters);
            let largest = weights.clone().fold(f32::MIN_POSITIVE, |max, w| w.abs().max(max));
            let levels: Vec<u8> =
                weights.map(|w| (127.5_f32 + 127.5 * w / largest).round() as u8).collect();
            for (cell, colour) in levels.as_chunks::<3>().0.iter().enumerate() {
                let x = filter % COLUMNS * width + CELL + cell % kw * CELL;
                let y = filter / COLUMNS * height + CELL + cell / kw * CELL;
                let corners = [(x, y), (x + CELL, y + CELL)].map(|(x, y)| (x as i32, y as i32));
                let colour = RGBColor(colour[0], colour[1], colour[2]);
                area.draw(&Rectangle::new(corners, colour.filled()))?;
            }
        }
        area.present()?;
        Ok(())
    };
    draw().map_err(undrawn)?;
    Ok(text)
}

fn unfit<T>(expected: &str) -> Result<T> {
    Err(Error::new(ErrorKind::File, format!("plot: expected {expected}")))
}

fn undrawn(error: Box<dyn std::error::Error>) -> Error {
    Error::new(ErrorKind::Io, format!("plot: cannot be drawn: {error}"))
}

/// Keras's `CSVLogger`: a line an epoch, epochs from 1; a figure that was not taken is left empty.
pub fn csv(history: &[Logs]) -> String {
    let mut text = String::from("epoch,loss,accuracy,val_loss,val_accuracy\n");
    let figure = |value: Option<f32>| value.map(|value| value.to_string()).unwrap_or_default();
    for (epoch, logs) in history.iter().enumerate() {
        let Logs { loss, accuracy, val_loss, val_accuracy } = logs;
        let (val_loss, val_accuracy) = (figure(*val_loss), figure(*val_accuracy));
        text += &format!("{},{loss},{accuracy},{val_loss},{val_accuracy}\n", epoch + 1);
    }
    text
}

const TRAINING: RGBColor = RGBColor(0, 114, 178);
const VALIDATION: RGBColor = RGBColor(213, 94, 0);

/// What is plotted of an epoch.
type Figure = fn(&Logs) -> Option<f32>;

/// Loss and accuracy over the epochs, side by side, as SVG.
pub fn svg(history: &[Logs]) -> Result<String> {
    let mut text = String::new();
    draw(history, &mut text).map_err(undrawn)?;
    Ok(text)
}

fn draw(
    history: &[Logs],
    text: &mut String,
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(text, (960, 400)).into_drawing_area();
    area.fill(&WHITE)?;
    let (left, right) = area.split_horizontally(480);
    let losses: [Figure; 2] = [|logs| Some(logs.loss), |logs| logs.val_loss];
    let accuracies: [Figure; 2] = [|logs| Some(logs.accuracy), |logs| logs.val_accuracy];
    let figures = history.iter().flat_map(|logs| losses.map(|figure| figure(logs)));
    let highest = figures.flatten().fold(0.0, f32::max);
    for (area, caption, top, figures) in
        [(left, "loss", highest * 1.05, losses), (right, "accuracy", 1.0, accuracies)]
    {
        let mut chart = ChartBuilder::on(&area)
            .caption(caption, ("sans-serif", 18))
            .margin(16)
            .x_label_area_size(36)
            .y_label_area_size(44)
            .build_cartesian_2d(1.0..(history.len() as f32).max(2.0), 0.0..top.max(f32::EPSILON))?;
        chart
            .configure_mesh()
            .x_desc("epoch")
            .x_label_formatter(&|epoch| format!("{epoch:.0}"))
            .axis_style(BLACK.mix(0.4))
            .max_light_lines(0)
            .draw()?;
        let curves = [("training", TRAINING), ("validation", VALIDATION)];
        for ((name, colour), figure) in curves.into_iter().zip(figures) {
            let epochs = history.iter().enumerate();
            let points: Vec<(f32, f32)> = epochs
                .filter_map(|(epoch, logs)| Some((epoch as f32 + 1.0, figure(logs)?)))
                .collect();
            if points.is_empty() {
                continue;
            }
            chart
                .draw_series(LineSeries::new(points, colour.stroke_width(2)).point_size(2))?
                .label(name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2))
                });
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerLeft)
            .background_style(WHITE.mix(0.8))
            .draw()?;
    }
    area.present()?;
    Ok(())
}
