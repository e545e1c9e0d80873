//! Channels side by side.

use serde_json::{Map, Value};

use super::{Backward, Forward, Layer};
use crate::error::{Result, bail};
use crate::json::{object, shown};

/// Joins inputs along the last axis: (H, W, C1), (H, W, C2), .. to (H, W, C1 + C2 + ..). Keras's `Concatenate`.
#[derive(Clone, Debug, Default)]
pub struct Concatenate;

impl Concatenate {
    /// Reads Keras's configuration: the axis must be the last.
    pub fn from_config(map: &Map<String, Value>) -> Result<Self> {
        match map.get("axis") {
            None => Ok(Self),
            Some(axis) if [Value::from(-1), Value::from(3)].contains(axis) => Ok(Self),
            Some(axis) => {
                bail!(Architecture, "axis: expected the last one, -1, got {}", shown(axis))
            }
        }
    }
}

impl Layer for Concatenate {
    fn class_name(&self) -> &'static str {
        "Concatenate"
    }

    fn config(&self) -> Map<String, Value> {
        object! {"axis": -1}
    }

    fn output_shape(&self, inputs: &[Vec<usize>]) -> Result<Vec<usize>> {
        let fits = |a: &[usize], b: &[usize]| {
            a.len() == b.len() && !a.is_empty() && a[..a.len() - 1] == b[..b.len() - 1]
        };
        match inputs {
            [first, others @ ..] if !others.is_empty() && others.iter().all(|s| fits(s, first)) => {
                let mut shape = first.clone();
                let last = shape.len() - 1;
                shape[last] = inputs.iter().fold(0, |sum, shape| sum.saturating_add(shape[last]));
                Ok(shape)
            }
            _ => bail!(
                Shape,
                "expected two or more inputs that differ in the last axis alone, got {inputs:?}"
            ),
        }
    }

    fn forward(&self, pass: Forward) {
        let all = pass.shapes.output.last().copied().unwrap_or(1);
        let mut first = 0;
        for (i, shape) in pass.shapes.inputs.iter().enumerate() {
            let own = shape.last().copied().unwrap_or(1);
            let pixels = pass.inputs.get(i).chunks_exact(own);
            for (out, x) in pass.output.chunks_exact_mut(all).zip(pixels) {
                out[first..first + own].copy_from_slice(x);
            }
            first += own;
        }
    }

    #[cfg(feature = "train")]
    fn backward(&self, pass: Backward) {
        let all = pass.shapes.output.last().copied().unwrap_or(1);
        let mut first = 0;
        for (dx, shape) in pass.dinputs.iter_mut().zip(&pass.shapes.inputs) {
            let own = shape.last().copied().unwrap_or(1);
            for (dout, dx) in pass.doutput.chunks_exact(all).zip(dx.chunks_exact_mut(own)) {
                dx.copy_from_slice(&dout[first..first + own]);
            }
            first += own;
        }
    }
}
