//! Where a network looked: gradients of one class's logit, with weights, statistics and dropout as in inference.

use std::any::Any;
use std::sync::Arc;

use super::plan::Plan;
use super::{Mode, Model, product};
use crate::error::{Result, bail};
use crate::json::shown;
use crate::layer::{Activation, ActivationLayer, BatchNormalization, Layer};

/// One class's logit, differentiated.
struct Gradients {
    /// For the input (H, W, C).
    input: Vec<f32>,
    /// For the output of the layer asked about.
    output: Vec<f32>,
}

impl Model {
    /// The layer to ask [`Self::class_activation`] about: the last image of the size that the last convolution makes.
    /// None where there is no convolution.
    pub fn last_image(&self) -> Option<usize> {
        let convolves = |class: &str| class.ends_with("Conv2D");
        let last = self.nodes.iter().rposition(|node| convolves(node.layer.class_name()))?;
        let shape = &self.nodes[last].output_shape;
        self.nodes.iter().rposition(|node| node.output_shape == *shape)
    }

    /// Where in the output (H, W, C) of layer `layer` the last picture of [`Mode::Inspection`] speaks for `class`: (H, W),
    /// 0 and more. Grad-CAM (Selvaraju et al. 2017): channels weighed by the mean of their gradients.
    pub fn class_activation(&mut self, layer: usize, class: usize) -> Result<Vec<f32>> {
        let Some([h, w, c]) = self.nodes.get(layer).map(|node| &node.output_shape[..]) else {
            bail!(Argument, "heat-map: expected a layer that puts out images, got layer {layer}");
        };
        let (places, c) = (h * w, *c);
        let gradient = self.gradients(layer, class)?.output;
        let mut weights = vec![0.0; c];
        for (i, gradient) in gradient.iter().enumerate() {
            weights[i % c] += gradient / places as f32;
        }
        let plan = self.plans[Mode::Inspection as usize].as_ref();
        let maps = plan.and_then(|plan| plan.node_output(layer, 1)).unwrap_or_default();
        let speaks = |pixel: &[f32]| pixel.iter().zip(&weights).map(|(x, w)| x * w).sum::<f32>();
        Ok(maps.chunks_exact(c).map(|pixel| speaks(pixel).max(0.0)).collect())
    }

    /// How much `class` depends on each pixel of the last picture of [`Mode::Inspection`]: (H, W), the largest gradient
    /// among the channels, without its sign (Simonyan et al. 2013).
    pub fn saliency(&mut self, class: usize) -> Result<Vec<f32>> {
        let channels = self.input_shape()[2];
        let gradient = self.gradients(self.nodes.len() - 1, class)?.input;
        let largest = |pixel: &[f32]| pixel.iter().fold(0.0_f32, |most, dx| most.max(dx.abs()));
        Ok(gradient.chunks_exact(channels).map(largest).collect())
    }

    fn gradients(&mut self, layer: usize, class: usize) -> Result<Gradients> {
        let classes = self.output_len().max(2);
        let Some(inspected) = &self.plans[Mode::Inspection as usize] else {
            bail!(Argument, "heat-map: expected a picture to have been shown, got none");
        };
        if class >= classes {
            bail!(Argument, "heat-map: expected a class below {classes}, got {class}");
        }
        let picture = inspected.input()[..product(&self.input_shape())].to_vec();
        let mut nodes = self.nodes.clone();
        for node in &nodes {
            let layer: &dyn Any = node.layer.as_ref();
            let normalization = layer.downcast_ref::<BatchNormalization>();
            if normalization.is_some_and(|l| !l.scale && !l.center) {
                bail!(
                    Argument,
                    "heat-map: expected normalizations with gamma or beta, which can be held still, got {}",
                    shown(&node.name)
                );
            }
        }
        for node in nodes.iter_mut().filter(|node| node.layer.traits().training_only) {
            node.layer = Arc::new(ActivationLayer::new(Activation::Linear)) as Arc<dyn Layer>;
        }
        // Held still, weights cost no gradients, and a normalization keeps its statistics.
        let parameters = &mut self.parameters;
        let before: Vec<_> = parameters
            .iter_mut()
            .map(|p| (std::mem::take(&mut p.trainable), p.gradient.is_empty()))
            .collect();
        let shape = self.architecture.input_shape;
        let gradients = Plan::watching(&nodes, shape, parameters, layer).map(|mut plan| {
            plan.input_mut().copy_from_slice(&picture);
            plan.forward(1, parameters, &self.rng);
            let (_, doutput) = plan.output_mut(1);
            match doutput {
                [only] => *only = if class == 1 { 1.0 } else { -1.0 },
                all => (0..).zip(all).for_each(|(i, d)| *d = f32::from(i == class)),
            }
            plan.backward(1, parameters);
            let input = plan.input_gradient(1).unwrap_or_default().to_vec();
            Gradients { input, output: plan.watched_gradient().to_vec() }
        });
        for (parameter, (trainable, had_none)) in parameters.iter_mut().zip(before) {
            parameter.trainable = trainable;
            if had_none {
                parameter.gradient = Vec::new();
            }
        }
        gradients
    }
}
