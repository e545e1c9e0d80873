//! A border of zeros.

use serde_json::{Map, Value};

use super::config::image_shape;
use super::{Backward, Forward, Layer, Shapes};
use crate::error::{Result, bail};
use crate::json::{object, shown};

/// Puts rows and columns of zeros around the image. (H, W, C) to (top + H + bottom, left + W + right, C).
/// Keras's `ZeroPadding2D`.
#[derive(Clone, Debug)]
pub struct ZeroPadding2D {
    /// Above, below, left, right.
    pub padding: [usize; 4],
}

/// The widest border that is taken for meant.
const MAX_PADDING: u64 = 4096;

impl ZeroPadding2D {
    /// Reads Keras's configuration: one number, (vertical, horizontal), or ((top, bottom), (left, right)).
    pub fn from_config(map: &Map<String, Value>) -> Result<Self> {
        let value = map.get("padding").cloned().unwrap_or(Value::from(1));
        let size = |value: &Value| value.as_u64().filter(|&size| size <= MAX_PADDING);
        let pair = |value: &Value| match value {
            Value::Array(items) if items.len() == 2 => Some([size(&items[0])?, size(&items[1])?]),
            single => size(single).map(|size| [size; 2]),
        };
        let padding = match &value {
            Value::Array(items) if items.len() == 2 => pair(&items[0]).zip(pair(&items[1])),
            single => pair(single).map(|both| (both, both)),
        };
        match padding {
            Some((rows, columns)) => {
                let padding = [rows[0], rows[1], columns[0], columns[1]].map(|size| size as usize);
                Ok(Self { padding })
            }
            None => bail!(
                Architecture,
                "padding: expected ((top, bottom), (left, right)) up to {MAX_PADDING}, got {}",
                shown(value)
            ),
        }
    }

    /// Calls `f(padded, image)` with where each row of each image starts, padded and not.
    fn rows(&self, shapes: &Shapes, n: usize, mut f: impl FnMut(usize, usize)) {
        let (h, row) = (shapes.inputs[0][0], shapes.inputs[0][1] * shapes.inputs[0][2]);
        let (padded_h, padded_row) = (shapes.output[0], shapes.output[1] * shapes.output[2]);
        let left = self.padding[2] * shapes.output[2];
        for y in 0..n * h {
            let (image, y_in_image) = (y / h, y % h);
            let padded_y = image * padded_h + self.padding[0] + y_in_image;
            f(padded_y * padded_row + left, y * row);
        }
    }
}

impl Layer for ZeroPadding2D {
    fn class_name(&self) -> &'static str {
        "ZeroPadding2D"
    }

    fn config(&self) -> Map<String, Value> {
        let [top, bottom, left, right] = self.padding;
        object! {"padding": [[top, bottom], [left, right]]}
    }

    fn output_shape(&self, inputs: &[Vec<usize>]) -> Result<Vec<usize>> {
        let [h, w, c] = image_shape(inputs)?;
        let [top, bottom, left, right] = self.padding;
        Ok(vec![top + h + bottom, left + w + right, c])
    }

    fn forward(&self, pass: Forward) {
        let (x, out) = (pass.inputs.get(0), pass.output);
        let row = pass.shapes.inputs[0][1] * pass.shapes.inputs[0][2];
        out.fill(0.0);
        self.rows(pass.shapes, pass.n, |padded, image| {
            out[padded..padded + row].copy_from_slice(&x[image..image + row]);
        });
    }

    #[cfg(feature = "train")]
    fn backward(&self, pass: Backward) {
        let row = pass.shapes.inputs[0][1] * pass.shapes.inputs[0][2];
        if let Some(dx) = pass.dinputs.first_mut().filter(|dx| !dx.is_empty()) {
            self.rows(pass.shapes, pass.n, |padded, image| {
                dx[image..image + row].copy_from_slice(&pass.doutput[padded..padded + row]);
            });
        }
    }
}
