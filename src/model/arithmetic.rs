//! How one number of a layer's output came about, term by term.
//!
//! Whatever a layer does, one of its numbers is a weighted sum of inputs and a bias, then an activation: pooling weighs
//! its largest value by 1 and the others by 0, or all alike.

use std::any::Any;

use super::{Mode, Model, Node};
use crate::kernel::Window;
use crate::layer::config::checked_window;
use crate::layer::{
    AveragePooling2D, BatchNormalization, Conv2D, Dense, DepthwiseConv2D, GlobalAveragePooling2D,
    MaxPooling2D, Padding, Parameter, Rescaling, ZeroPadding2D,
};

/// How the terms come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The products are added, and the bias.
    Sum,
    /// The first largest value.
    Max,
    /// The values are added and divided by their number.
    Mean,
}

/// One number that a layer read, and what it counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Term {
    /// Which of the layer's inputs.
    pub input: usize,
    /// Where in that input, (H, W, C) in a row; none on the padding.
    pub index: Option<usize>,
    /// The number.
    pub value: f32,
    /// Its factor.
    pub weight: f32,
}

/// One number of a layer's output, as the layer computed it.
#[derive(Clone, Debug, PartialEq)]
pub struct Arithmetic {
    /// How the terms come together.
    pub rule: Rule,
    /// In the order in which the kernel adds them.
    pub terms: Vec<Term>,
    /// Added to the sum.
    pub bias: f32,
    /// What it all comes to, before the activation.
    pub total: f32,
    /// The number in the output: after the activation.
    pub output: f32,
}

impl Model {
    /// What the last forward pass in [`Mode::Inspection`] did for number `index` of the output of layer `layer`, its
    /// first picture's. None where there was no such pass, layer or number.
    pub fn arithmetic(&self, layer: usize, index: usize) -> Option<Arithmetic> {
        let node = self.nodes.get(layer)?;
        let plan = self.plans[Mode::Inspection as usize].as_ref()?;
        let output = *plan.node_output(layer, 1)?.get(index)?;
        let value = |&value: &usize| match value.checked_sub(1) {
            None => Some(plan.input()),
            Some(node) => plan.node_output(node, 1),
        };
        let inputs: Option<Vec<&[f32]>> = node.inputs.iter().map(value).collect();
        let parameters = &self.parameters[node.parameters.clone()];
        let place = Place { node, inputs: inputs?, parameters, index };
        let (rule, terms, bias) = place.terms();
        let values = terms.iter().map(|term| term.value);
        let total = match rule {
            Rule::Sum => terms.iter().fold(bias, |sum, term| sum + term.value * term.weight),
            Rule::Max => terms.iter().find(|term| term.weight == 1.0)?.value,
            Rule::Mean => values.sum::<f32>() / terms.len() as f32,
        };
        Some(Arithmetic { rule, terms, bias, total, output })
    }
}

/// Number `index` of a layer's output, and what the layer read.
struct Place<'a> {
    node: &'a Node,
    inputs: Vec<&'a [f32]>,
    parameters: &'a [Parameter],
    index: usize,
}

impl Place<'_> {
    /// The rule, the terms and the bias.
    fn terms(&self) -> (Rule, Vec<Term>, f32) {
        let layer: &dyn Any = self.node.layer.as_ref();
        let channel = self.index % self.node.output_shape.last().copied().unwrap_or(1);
        let weight = |i: usize, at: usize| self.parameters[i].value[at];
        let bias = |i: usize| self.parameters.get(i).map_or(0.0, |bias| bias.value[channel]);
        if let Some(l) = layer.downcast_ref::<Conv2D>() {
            let s = self.window(l.kernel_size, l.strides, l.padding);
            let terms = self.windowed(&s, |tap, c| weight(0, (tap * s.c + c) * s.oc + channel));
            (Rule::Sum, terms, bias(1))
        } else if let Some(l) = layer.downcast_ref::<DepthwiseConv2D>() {
            let s = self.window(l.kernel_size, l.strides, l.padding);
            let terms = self.channelwise(&s, channel, |tap| weight(0, tap * s.c + channel));
            (Rule::Sum, terms, bias(1))
        } else if let Some(l) = layer.downcast_ref::<Dense>() {
            let terms = (0..self.inputs[0].len())
                .map(|i| self.term(0, Some(i), weight(0, i * l.units + channel)));
            (Rule::Sum, terms.collect(), bias(1))
        } else if let Some(l) = layer.downcast_ref::<MaxPooling2D>() {
            let s = self.window(l.pool_size, l.strides, l.padding);
            let mut terms = self.channelwise(&s, channel, |_| 0.0);
            terms.retain(|term| term.index.is_some());
            let best = (1..terms.len())
                .fold(0, |best, i| if terms[best].value < terms[i].value { i } else { best });
            terms[best].weight = 1.0;
            (Rule::Max, terms, 0.0)
        } else if let Some(l) = layer.downcast_ref::<AveragePooling2D>() {
            let s = self.window(l.pool_size, l.strides, l.padding);
            let mut terms = self.channelwise(&s, channel, |_| 0.0);
            terms.retain(|term| term.index.is_some());
            (Rule::Mean, shared_out(terms), 0.0)
        } else if layer.is::<GlobalAveragePooling2D>() {
            let c = self.node.input_shapes[0][2];
            let all = (channel..self.inputs[0].len()).step_by(c);
            (Rule::Mean, shared_out(all.map(|i| self.term(0, Some(i), 0.0)).collect()), 0.0)
        } else if let Some(l) = layer.downcast_ref::<BatchNormalization>() {
            let (factor, summand) = l.affine(self.parameters)[channel];
            (Rule::Sum, vec![self.term(0, Some(self.index), factor)], summand)
        } else if let Some(l) = layer.downcast_ref::<Rescaling>() {
            (Rule::Sum, vec![self.term(0, Some(self.index), l.scale)], l.offset)
        } else if let Some(l) = layer.downcast_ref::<ZeroPadding2D>() {
            (Rule::Sum, vec![self.term(0, self.unpadded(l.padding), 1.0)], 0.0)
        } else {
            match self.node.layer.class_name() {
                "SeparableConv2D" => self.separable(channel),
                "Add" => {
                    let terms = (0..self.inputs.len()).map(|i| self.term(i, Some(self.index), 1.0));
                    (Rule::Sum, terms.collect(), 0.0)
                }
                "Concatenate" => (Rule::Sum, vec![self.concatenated(channel)], 0.0),
                // Flatten, Dropout and the activations: each number goes through by itself.
                _ => (Rule::Sum, vec![self.term(0, Some(self.index), 1.0)], 0.0),
            }
        }
    }

    fn term(&self, input: usize, index: Option<usize>, weight: f32) -> Term {
        Term { input, index, value: index.map_or(0.0, |i| self.inputs[input][i]), weight }
    }

    fn window(&self, kernel: [usize; 2], strides: [usize; 2], padding: Padding) -> Window {
        let oc = self.node.output_shape[2];
        checked_window(&self.node.input_shapes, oc, 1, kernel, strides, padding)
    }

    /// Every tap of the window, and where its pixel's first channel is; none on the padding.
    fn taps(&self, s: &Window) -> impl Iterator<Item = (usize, Option<usize>)> + use<> {
        let (s, at) = (*s, self.index / s.oc);
        (0..s.kh * s.kw).map(move |tap| {
            let y = (at / s.ow * s.sh + tap / s.kw).checked_sub(s.top).filter(|&y| y < s.h);
            let x = (at % s.ow * s.sw + tap % s.kw).checked_sub(s.left).filter(|&x| x < s.w);
            (tap, y.zip(x).map(|(y, x)| (y * s.w + x) * s.c))
        })
    }

    /// All channels under the window; `weight` is told the tap and the channel.
    fn windowed(&self, s: &Window, weight: impl Fn(usize, usize) -> f32) -> Vec<Term> {
        self.taps(s)
            .flat_map(|(tap, pixel)| (0..s.c).map(move |c| (tap, pixel, c)))
            .map(|(tap, pixel, c)| self.term(0, pixel.map(|i| i + c), weight(tap, c)))
            .collect()
    }

    /// One channel under the window.
    fn channelwise(&self, s: &Window, c: usize, weight: impl Fn(usize) -> f32) -> Vec<Term> {
        self.taps(s).map(|(tap, pixel)| self.term(0, pixel.map(|i| i + c), weight(tap))).collect()
    }

    /// Two convolutions in one: a weight is the product of theirs.
    fn separable(&self, channel: usize) -> (Rule, Vec<Term>, f32) {
        let lowered = self.node.layer.lower().unwrap_or_default();
        let depthwise = lowered.first().and_then(|(layer, _)| {
            let layer: &dyn Any = layer.as_ref();
            layer.downcast_ref::<DepthwiseConv2D>()
        });
        let Some(l) = depthwise else { return (Rule::Sum, Vec::new(), 0.0) };
        let s = self.window(l.kernel_size, l.strides, l.padding);
        let [depthwise, pointwise] = [0, 1].map(|i| &self.parameters[i].value);
        let weight = |tap, c| depthwise[tap * s.c + c] * pointwise[c * s.oc + channel];
        let bias = self.parameters.get(2).map_or(0.0, |bias| bias.value[channel]);
        (Rule::Sum, self.windowed(&s, weight), bias)
    }

    /// Along the last axis: of images or of flat inputs.
    fn concatenated(&self, mut channel: usize) -> Term {
        let channels = |shape: &[usize]| shape.last().copied().unwrap_or(1);
        let pixel = self.index / channels(&self.node.output_shape);
        let mut input = 0;
        while channel >= channels(&self.node.input_shapes[input]) {
            channel -= channels(&self.node.input_shapes[input]);
            input += 1;
        }
        let index = pixel * channels(&self.node.input_shapes[input]) + channel;
        self.term(input, Some(index), 1.0)
    }

    fn unpadded(&self, [top, _, left, _]: [usize; 4]) -> Option<usize> {
        let [_, ow, c] = self.node.output_shape[..] else { return None };
        let [h, w, _] = self.node.input_shapes[0][..] else { return None };
        let y = (self.index / c / ow).checked_sub(top).filter(|&y| y < h)?;
        let x = (self.index / c % ow).checked_sub(left).filter(|&x| x < w)?;
        Some((y * w + x) * c + self.index % c)
    }
}

/// The terms with a weight that makes them a mean.
fn shared_out(mut terms: Vec<Term>) -> Vec<Term> {
    let weight = 1.0 / terms.len() as f32;
    terms.iter_mut().for_each(|term| term.weight = weight);
    terms
}
