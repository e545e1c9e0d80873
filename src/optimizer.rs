//! How gradients change weights: Keras's formulas and defaults.

use crate::error::{Result, bail};
use crate::kernel::elementwise::{AdamStep, adam_step, sgd_step};
use crate::layer::Parameter;

/// Which formula, and its constants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// Steps scaled by running moments of the gradient (Kingma and Ba 2014).
    Adam {
        /// Decay of the mean of the gradient.
        beta_1: f32,
        /// Decay of the mean of its square.
        beta_2: f32,
        /// Keeps the division finite.
        epsilon: f32,
    },
    /// Steps along the gradient, with a memory.
    Sgd {
        /// The share of the last step that is taken again.
        momentum: f32,
        /// Whether the gradient is corrected for the step that momentum will take.
        nesterov: bool,
    },
}

/// Changes weights by their gradients, and remembers what its formula needs.
#[derive(Clone, Debug)]
pub struct Optimizer {
    method: Method,
    /// How far a step goes.
    pub learning_rate: f32,
    iterations: u64,
    /// For each parameter the vectors its formula keeps: Adam's two moments, SGD's velocity.
    slots: Vec<[Vec<f32>; 2]>,
}

impl Optimizer {
    /// Adam with Keras's constants: 0.9, 0.999, 1e-7.
    pub fn adam(learning_rate: f32) -> Self {
        Self::new(Method::Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 }, learning_rate)
    }

    /// Stochastic gradient descent.
    pub fn sgd(learning_rate: f32, momentum: f32, nesterov: bool) -> Self {
        Self::new(Method::Sgd { momentum, nesterov }, learning_rate)
    }

    /// Any method.
    pub fn new(method: Method, learning_rate: f32) -> Self {
        Self { method, learning_rate, iterations: 0, slots: Vec::new() }
    }

    /// Steps taken.
    pub fn iterations(&self) -> u64 {
        self.iterations
    }

    /// Changes each trainable weight by its gradient.
    pub fn step(&mut self, parameters: &mut [Parameter]) {
        self.slots.resize_with(parameters.len(), Default::default);
        self.iterations += 1;
        for (parameter, slots) in parameters.iter_mut().zip(&mut self.slots) {
            if !parameter.trainable || parameter.gradient.is_empty() {
                continue;
            }
            let len = parameter.value.len();
            let Parameter { value, gradient, .. } = parameter;
            let [first, second] = slots;
            match self.method {
                Method::Adam { beta_1, beta_2, epsilon } => {
                    first.resize(len, 0.0);
                    second.resize(len, 0.0);
                    let alpha =
                        self.learning_rate * bias_correction(beta_1, beta_2, self.iterations);
                    let step = AdamStep { alpha, beta_1, beta_2, epsilon };
                    adam_step(step, value, gradient, first, second);
                }
                Method::Sgd { momentum, nesterov } => {
                    let velocity = (momentum != 0.0).then(|| {
                        first.resize(len, 0.0);
                        &mut first[..]
                    });
                    sgd_step(self.learning_rate, momentum, nesterov, value, gradient, velocity);
                }
            }
        }
    }

    /// What a later run needs to go on exactly: the number of steps and each parameter's vectors (empty where unused).
    pub fn state(&self) -> (u64, &[[Vec<f32>; 2]]) {
        (self.iterations, &self.slots)
    }

    /// Goes on from a [`Self::state`].
    pub fn set_state(
        &mut self,
        iterations: u64,
        slots: Vec<[Vec<f32>; 2]>,
        parameters: &[Parameter],
    ) -> Result<()> {
        let fits = slots.is_empty()
            || slots.len() == parameters.len()
                && slots.iter().zip(parameters).all(|(slots, parameter)| {
                    slots.iter().all(|slot| [0, parameter.value.len()].contains(&slot.len()))
                });
        if !fits {
            bail!(File, "optimizer state: expected vectors as long as the weights, got others");
        }
        (self.iterations, self.slots) = (iterations, slots);
        Ok(())
    }
}

/// sqrt(1 - beta_2^t) / (1 - beta_1^t), in f64 and by libm so that every platform agrees.
fn bias_correction(beta_1: f32, beta_2: f32, t: u64) -> f32 {
    let power = |beta: f32| libm::pow(f64::from(beta), t as f64);
    ((1.0 - power(beta_2)).sqrt() / (1.0 - power(beta_1))) as f32
}
