//! The network behind `pets.safetensors`: a small residual network of the article's size that sees far more.

use serde_json::{Value, json};

use super::{Architecture, LayerInput, LayerSpec};

/// Channels, and pairs of convolutions with a way around, of the stages at 16 x 16, 8 x 8 and 4 x 4 pixels.
const STAGES: [(usize, usize); 3] = [(48, 2), (96, 1), (144, 1)];

/// Layers being put after one another, each taking the last one's output unless it says otherwise.
struct Chain(Vec<LayerSpec>);

impl Chain {
    fn last(&self) -> LayerInput {
        match self.0.len() {
            0 => LayerInput::Model,
            len => LayerInput::Layer(len - 1),
        }
    }

    fn push(&mut self, class_name: &str, config: Value) -> LayerInput {
        let input = self.last();
        self.0.push(LayerSpec::new(class_name, config).with_inputs(&[input]));
        self.last()
    }

    /// A 3 x 3 convolution without bias, and the normalization that has one.
    fn conv(&mut self, filters: usize, strides: usize) {
        self.push(
            "Conv2D",
            json!({"filters": filters, "kernel_size": 3, "strides": strides, "padding": "same",
                   "use_bias": false, "kernel_initializer": "he_normal"}),
        );
        self.push("BatchNormalization", json!({}));
    }

    fn relu(&mut self) -> LayerInput {
        self.push("ReLU", json!({}))
    }
}

impl Architecture {
    /// The network that tells pets apart: 64 x 64 RGB; a convolution of 16 filters; four times half the size and more
    /// channels, the last three times with pairs of convolutions and a way around each (He et al. 2015); the mean over
    /// all places; one sigmoid.
    pub fn pets() -> Self {
        let mut chain = Chain(Vec::new());
        chain.conv(16, 1);
        chain.relu();
        chain.conv(32, 2);
        chain.relu();
        for (filters, pairs) in STAGES {
            chain.conv(filters, 2);
            let mut skip = chain.relu();
            for _ in 0..pairs {
                chain.conv(filters, 1);
                chain.relu();
                chain.conv(filters, 1);
                let inputs = [chain.last(), skip];
                chain.0.push(LayerSpec::new("Add", json!({})).with_inputs(&inputs));
                skip = chain.relu();
            }
        }
        chain.push("GlobalAveragePooling2D", json!({}));
        chain.push("Dropout", json!({"rate": 0.2}));
        chain.push("Dense", json!({"units": 1, "activation": "sigmoid"}));
        Self::new("pets", [64, 64, 3], chain.0).expect("a graph of few layers is valid")
    }
}
