//! Keeping each channel's values in one range.

use serde_json::{Map, Value};

use super::config::{Config, Initializer};
use super::{Backward, BackwardMemory, Forward, Layer, Parameter, Shapes, Traits, WeightSpec};
use crate::error::{Result, bail};
use crate::json::{object, shown};
use crate::kernel::batch_normalization::{
    Normalization, batch_moments, batch_normalization_backward, batch_normalization_forward,
    batch_normalization_inference_backward,
};

/// `out[.., c] = gamma[c] * (in[.., c] - mean[c]) / sqrt(variance[c] + epsilon) + beta[c]`.
///
/// While training, mean and variance are the batch's, and the moving ones follow them by a share of `1 - momentum`;
/// otherwise, and while frozen, they are the moving ones. Weights of shape (C): `gamma`, `beta`, `moving_mean`,
/// `moving_variance`. Keras's `BatchNormalization` over the last axis.
#[derive(Clone, Debug)]
pub struct BatchNormalization {
    /// How slowly the moving statistics follow.
    pub momentum: f32,
    /// Added to the variance.
    pub epsilon: f32,
    /// Whether there is a `gamma`.
    pub scale: bool,
    /// Whether there is a `beta`.
    pub center: bool,
}

impl Default for BatchNormalization {
    fn default() -> Self {
        Self { momentum: 0.99, epsilon: 1e-3, scale: true, center: true }
    }
}

impl BatchNormalization {
    /// Reads Keras's configuration.
    pub fn from_config(map: &Map<String, Value>) -> Result<Self> {
        let config = Config::new(map);
        match map.get("axis") {
            None => {}
            // Keras writes the last axis of an image as -1, 3 or [3].
            Some(axis) if [Value::from(-1), Value::from(3), Value::from([3])].contains(axis) => {}
            Some(axis) => {
                bail!(Architecture, "axis: expected the last one, -1, got {}", shown(axis))
            }
        }
        let own = Self {
            momentum: config.number("momentum", 0.99)?,
            epsilon: config.number("epsilon", 1e-3)?,
            scale: config.flag("scale", true)?,
            center: config.flag("center", true)?,
        };
        if own.epsilon <= 0.0 || !(0.0..=1.0).contains(&own.momentum) {
            bail!(
                Architecture,
                "expected an epsilon above 0 and a momentum from 0 to 1, got {} and {}",
                shown(own.epsilon),
                shown(own.momentum)
            );
        }
        Ok(own)
    }

    /// The factor and the summand that it comes to, channel by channel, with the moving statistics.
    pub(crate) fn affine(&self, parameters: &[Parameter]) -> Vec<(f32, f32)> {
        let p = self.normalization(parameters, None);
        (0..p.mean.len())
            .map(|c| {
                let scale = p.gamma.map_or(1.0, |g| g[c]) / (p.variance[c] + p.epsilon).sqrt();
                (scale, p.beta.map_or(0.0, |b| b[c]) - p.mean[c] * scale)
            })
            .collect()
    }

    /// The normalization with the batch's statistics, mean and variance in a row, or the moving ones.
    fn normalization<'a>(
        &self,
        parameters: &'a [Parameter],
        batch: Option<&'a [f32]>,
    ) -> Normalization<'a> {
        let (learnt, moving) = parameters.split_at(parameters.len() - 2);
        let (mean, variance) = match batch {
            Some(saved) => saved.split_at(saved.len() / 2),
            None => (&moving[0].value[..], &moving[1].value[..]),
        };
        Normalization {
            epsilon: self.epsilon,
            gamma: self.scale.then(|| &learnt[0].value[..]),
            beta: self.center.then(|| &learnt[learnt.len() - 1].value[..]),
            mean,
            variance,
        }
    }

    fn is_frozen(&self, parameters: &[Parameter]) -> bool {
        (self.scale || self.center) && !parameters[0].trainable
    }
}

impl Layer for BatchNormalization {
    fn class_name(&self) -> &'static str {
        "BatchNormalization"
    }

    fn config(&self) -> Map<String, Value> {
        object! {
            "axis": -1,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "scale": self.scale,
            "center": self.center,
        }
    }

    fn output_shape(&self, inputs: &[Vec<usize>]) -> Result<Vec<usize>> {
        match inputs {
            [shape] => Ok(shape.clone()),
            _ => bail!(Shape, "expected one input, got {}", inputs.len()),
        }
    }

    fn weights(&self, inputs: &[Vec<usize>]) -> Vec<WeightSpec> {
        let channels = inputs[0].last().copied().unwrap_or(1);
        let spec = |name, initializer, trainable| WeightSpec {
            name,
            shape: vec![channels],
            initializer,
            trainable,
        };
        let mut specs = Vec::new();
        if self.scale {
            specs.push(spec("gamma", Initializer::Ones, true));
        }
        if self.center {
            specs.push(spec("beta", Initializer::Zeros, true));
        }
        specs.push(spec("moving_mean", Initializer::Zeros, false));
        specs.push(spec("moving_variance", Initializer::Ones, false));
        specs
    }

    #[cfg(feature = "train")]
    fn backward_memory(&self, shapes: &Shapes) -> BackwardMemory {
        let channels = shapes.output.last().copied().unwrap_or(1);
        // The batch's mean and variance; while frozen or without gamma and beta, two gradients that nobody asked for.
        BackwardMemory { saved: 2 * channels, scratch: 2 * channels, ..BackwardMemory::default() }
    }

    fn traits(&self) -> Traits {
        Traits { needs_input: true, ..Traits::default() }
    }

    fn forward(&self, pass: Forward) {
        let x = pass.inputs.get(0);
        if !pass.trains() || self.is_frozen(pass.parameters) {
            let p = self.normalization(pass.parameters, None);
            return batch_normalization_forward(p, x, pass.output);
        }
        let saved = &mut pass.state.saved;
        let channels = saved.len() / 2;
        let (mean, variance) = saved.split_at_mut(channels);
        batch_moments(x, mean, variance);
        let moving = pass.parameters.len() - 2;
        for (moving, batch) in pass.parameters[moving..].iter_mut().zip([&*mean, &*variance]) {
            for (moving, batch) in moving.value.iter_mut().zip(batch) {
                *moving = *moving * self.momentum + batch * (1.0 - self.momentum);
            }
        }
        let p = self.normalization(pass.parameters, Some(&pass.state.saved));
        batch_normalization_forward(p, x, pass.output);
    }

    #[cfg(feature = "train")]
    fn backward(&self, pass: Backward) {
        let dx = pass.dinputs.first_mut().filter(|dx| !dx.is_empty());
        if self.is_frozen(pass.parameters) {
            if let Some(dx) = dx {
                let p = self.normalization(pass.parameters, None);
                let dx = &mut dx[..pass.doutput.len()];
                batch_normalization_inference_backward(p, pass.doutput, dx);
            }
            return;
        }
        let channels = pass.state.saved.len() / 2;
        let (dgamma, dbeta) = pass.scratch[..2 * channels].split_at_mut(channels);
        let p = self.normalization(pass.parameters, Some(&pass.state.saved));
        let dx = dx.map_or(&mut [][..], |dx| &mut dx[..pass.doutput.len()]);
        let x = pass.inputs.get(0);
        batch_normalization_backward(p, x, pass.doutput, dx, dgamma, dbeta);
        let learnt = pass.parameters.len() - 2;
        let gradients = [(self.scale, &*dgamma), (self.center, &*dbeta)];
        let gradients = gradients.into_iter().filter(|gradient| gradient.0);
        for (parameter, (_, gradient)) in pass.parameters[..learnt].iter_mut().zip(gradients) {
            parameter.gradient.copy_from_slice(gradient);
        }
    }
}
