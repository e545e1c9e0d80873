//! The history of a training as a table and as a picture.

use convlet::error::{Error, ErrorKind, Result};
use convlet::train::Logs;
use plotters::prelude::*;

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
    draw(history, &mut text)
        .map_err(|error| Error::new(ErrorKind::Io, format!("plot: cannot be drawn: {error}")))?;
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
