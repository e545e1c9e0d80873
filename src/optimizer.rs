//! How gradients change weights: Keras's formulas and defaults.

use crate::error::{Result, bail};
use crate::json::shown;
use crate::kernel::elementwise::{
    AdamStep, adam_step, move_towards, scale, sgd_step, sum_of_squares,
};
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

/// What an optimizer knows beside the weights: the steps taken, each parameter's vectors and its average (all empty where
/// unused).
pub type State<'a> = (u64, &'a [[Vec<f32>; 2]], &'a [Vec<f32>]);

/// Changes weights by their gradients, and remembers what its formula needs.
#[derive(Clone, Debug)]
pub struct Optimizer {
    method: Method,
    /// How far a step goes.
    pub learning_rate: f32,
    /// The share of each kernel, times the learning rate, that a step takes away (AdamW; Loshchilov and Hutter 2017).
    /// Biases and normalizations are left alone.
    pub weight_decay: f32,
    /// The largest norm of all gradients together; larger ones are scaled down to it.
    pub global_clipnorm: Option<f32>,
    /// Keeps a moving average of the weights that forgets a share of `1 - ema_momentum` a step.
    pub ema_momentum: Option<f32>,
    /// A factor on the learning rate for each parameter; 1 where there is none.
    pub rate_factors: Vec<f32>,
    iterations: u64,
    /// For each parameter the vectors its formula keeps: Adam's two moments, SGD's velocity.
    slots: Vec<[Vec<f32>; 2]>,
    /// The averages of all parameters.
    averages: Vec<Vec<f32>>,
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
        Self {
            method,
            learning_rate,
            weight_decay: 0.0,
            global_clipnorm: None,
            ema_momentum: None,
            rate_factors: Vec::new(),
            iterations: 0,
            slots: Vec::new(),
            averages: Vec::new(),
        }
    }

    /// Steps taken.
    pub fn iterations(&self) -> u64 {
        self.iterations
    }

    /// Changes each trainable weight by its gradient.
    ///
    /// # Errors
    /// Divergence: a gradient that is not finite; nothing is changed then.
    pub fn step(&mut self, parameters: &mut [Parameter]) -> Result<()> {
        self.clip(parameters)?;
        self.slots.resize_with(parameters.len(), Default::default);
        self.iterations += 1;
        for (i, (parameter, slots)) in parameters.iter_mut().zip(&mut self.slots).enumerate() {
            if !changes(parameter) {
                continue;
            }
            let len = parameter.value.len();
            let learning_rate =
                self.learning_rate * self.rate_factors.get(i).copied().unwrap_or(1.0);
            if self.weight_decay != 0.0 && parameter.shape.len() > 1 {
                scale(&mut parameter.value, 1.0 - self.weight_decay * learning_rate);
            }
            let Parameter { value, gradient, .. } = parameter;
            let [first, second] = slots;
            match self.method {
                Method::Adam { beta_1, beta_2, epsilon } => {
                    first.resize(len, 0.0);
                    second.resize(len, 0.0);
                    let alpha = learning_rate * bias_correction(beta_1, beta_2, self.iterations);
                    let step = AdamStep { alpha, beta_1, beta_2, epsilon };
                    adam_step(step, value, gradient, first, second);
                }
                Method::Sgd { momentum, nesterov } => {
                    let velocity = (momentum != 0.0).then(|| {
                        first.resize(len, 0.0);
                        &mut first[..]
                    });
                    sgd_step(learning_rate, momentum, nesterov, value, gradient, velocity);
                }
            }
        }
        self.average(parameters);
        Ok(())
    }

    /// Forgets all but its settings: the next step is a first one.
    pub fn restart(&mut self) {
        (self.iterations, self.slots, self.averages) = (0, Vec::new(), Vec::new());
    }

    /// Scales all gradients down to the largest norm allowed.
    fn clip(&self, parameters: &mut [Parameter]) -> Result<()> {
        let squares = parameters.iter().filter(|p| changes(p)).map(|p| sum_of_squares(&p.gradient));
        let norm = squares.sum::<f64>().sqrt();
        if !norm.is_finite() {
            bail!(
                Divergence,
                "training: expected finite gradients, got a norm of {}",
                shown(norm as f32)
            );
        }
        let Some(limit) = self.global_clipnorm else { return Ok(()) };
        if norm > f64::from(limit) {
            let factor = (f64::from(limit) / norm) as f32;
            parameters.iter_mut().for_each(|p| scale(&mut p.gradient, factor));
        }
        Ok(())
    }

    /// Moves the averages towards the weights; the first step copies them. Those of moving statistics too: averaged
    /// weights need the statistics of the same steps.
    fn average(&mut self, parameters: &[Parameter]) {
        let Some(momentum) = self.ema_momentum else { return };
        self.averages.resize_with(parameters.len(), Vec::new);
        // Young averages are short, so that the first weights are forgotten soon.
        let momentum =
            momentum.min((1.0 + self.iterations as f32) / (10.0 + self.iterations as f32));
        for (parameter, average) in parameters.iter().zip(&mut self.averages) {
            if average.is_empty() {
                average.extend_from_slice(&parameter.value);
            }
            move_towards(average, &parameter.value, 1.0 - momentum);
        }
    }

    /// Exchanges weights and averages, where averages are kept; a second call puts both back.
    pub fn swap_average(&mut self, parameters: &mut [Parameter]) {
        for (parameter, average) in parameters.iter_mut().zip(&mut self.averages) {
            if !average.is_empty() {
                std::mem::swap(&mut parameter.value, average);
            }
        }
    }

    /// What a later run needs to go on exactly.
    pub fn state(&self) -> State<'_> {
        (self.iterations, &self.slots, &self.averages)
    }

    /// Goes on from a [`Self::state`].
    ///
    /// # Errors
    /// File: vectors that are not as long as the weights.
    pub fn set_state(
        &mut self,
        iterations: u64,
        slots: Vec<[Vec<f32>; 2]>,
        averages: Vec<Vec<f32>>,
        parameters: &[Parameter],
    ) -> Result<()> {
        let fits = |vectors: &[&Vec<f32>]| {
            let lengths = vectors.iter().zip(parameters);
            [0, parameters.len()].contains(&vectors.len())
                && lengths.into_iter().all(|(v, p)| v.is_empty() || v.len() == p.value.len())
        };
        let slot = |i: usize| slots.iter().map(|slot| &slot[i]).collect::<Vec<_>>();
        let fits = fits(&slot(0)) && fits(&slot(1)) && fits(&averages.iter().collect::<Vec<_>>());
        if !fits {
            bail!(File, "optimizer state: expected vectors as long as the weights, got others");
        }
        (self.iterations, self.slots, self.averages) = (iterations, slots, averages);
        Ok(())
    }
}

/// Whether a step changes this parameter.
fn changes(parameter: &Parameter) -> bool {
    parameter.trainable && !parameter.gradient.is_empty()
}

/// sqrt(1 - beta_2^t) / (1 - beta_1^t), in f64.
fn bias_correction(beta_1: f32, beta_2: f32, t: u64) -> f32 {
    ((1.0 - power(beta_2.into(), t)).sqrt() / (1.0 - power(beta_1.into(), t))) as f32
}

/// By products alone, so that every platform agrees, which std's `powi` does not promise.
fn power(mut base: f64, mut exponent: u64) -> f64 {
    let mut product = 1.0;
    while exponent > 0 {
        if exponent % 2 == 1 {
            product *= base;
        }
        base *= base;
        exponent /= 2;
    }
    product
}
