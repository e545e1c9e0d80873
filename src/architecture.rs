//! What a network is made of, as plain data: Keras's own layer configurations in topological order, each layer naming
//! its inputs. [`Architecture::from_json`] reads what `model.to_json()` of Keras 3 (or 2) writes, for Sequential and
//! for Functional models; [`Architecture::to_json`] writes what `keras.models.model_from_json` takes.
//!
//! Nothing here knows what a layer does: whether its class exists and its arguments make sense is checked where layers
//! are built. What is checked here is the graph, and the caps below, so that a hostile file costs little to refuse.

mod keras;
mod pets;

use crate::error::{Error, ErrorKind, Result, bail};
use crate::json::{self, Places, shown};
use serde_json::{Map, Value, json};

/// The most layers an architecture may have.
pub const MAX_LAYERS: usize = 1000;
/// The most bytes in a name of a layer, a model or a class of layers.
pub const MAX_NAME: usize = 256;
/// The most pixels along one side of the input.
pub const MAX_SIDE: usize = 4096;
/// The most channels of the input.
pub const MAX_CHANNELS: usize = 4096;
/// The most inputs that one layer may have.
pub const MAX_INPUTS: usize = 64;
/// The most bytes of an architecture's JSON.
pub const MAX_JSON: usize = json::MAX_JSON;

/// Where a layer takes an input from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerInput {
    /// The model's own input.
    Model,
    /// The output of the layer at this index, which is smaller than the index of the layer that takes it.
    Layer(usize),
}

impl LayerInput {
    /// The same as a number: 0 for the model's input, `i + 1` for the output of layer `i`.
    pub fn value(&self) -> usize {
        match *self {
            LayerInput::Model => 0,
            LayerInput::Layer(i) => i + 1,
        }
    }
}

/// One layer: its class, its name, its arguments as Keras writes them, and where its inputs come from.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerSpec {
    /// Keras's class name, such as `Conv2D`.
    pub class_name: String,
    /// The layer's name, unique in its model, such as `conv2d_1`; weights are named after it.
    pub name: String,
    /// Keras's configuration; what it does not hold has Keras's default.
    pub config: Map<String, Value>,
    /// Where the inputs come from, at least one, in the order in which the layer takes them.
    pub inputs: Vec<LayerInput>,
}

impl LayerSpec {
    /// A layer that is not in a model yet: `LayerSpec::new("Dense", json!({"units": 10}))`. Its name is
    /// `config["name"]`; without one, [`Architecture::sequential`] and [`Architecture::new`] give it Keras's.
    pub fn new(class_name: &str, config: impl Into<Value>) -> Self {
        let config = match config.into() {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        let name = config.get("name").and_then(Value::as_str).unwrap_or_default().to_string();
        Self { class_name: class_name.to_string(), name, config, inputs: Vec::new() }
    }

    /// The same layer, taking `inputs`.
    pub fn with_inputs(mut self, inputs: &[LayerInput]) -> Self {
        self.inputs = inputs.to_vec();
        self
    }
}

/// A network: one input of fixed size, layers in topological order, the last of which is the output.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// The model's name.
    pub name: String,
    /// Height, width and channels of one input image.
    pub input_shape: [usize; 3],
    /// The layers in topological order, Keras's InputLayer left out; the last is the model's output.
    pub layers: Vec<LayerSpec>,
}

impl Architecture {
    /// A network of `layers` that name their inputs, which must come before them; those without a name are given
    /// Keras's (`conv2d`, `conv2d_1`, ...).
    ///
    /// # Errors
    /// Architecture: no layer, a name that is taken, empty, too long or holds a slash, an input that is not there, a
    /// layer that does not lead to the last, an input shape or a number of layers beyond the caps of this module.
    pub fn new(name: &str, input_shape: [usize; 3], mut layers: Vec<LayerSpec>) -> Result<Self> {
        name_layers(&mut layers);
        let architecture = Self { name: name.to_string(), input_shape, layers };
        architecture.check()?;
        Ok(architecture)
    }

    /// A chain of layers, as Keras's Sequential.
    ///
    /// # Errors
    /// As [`Architecture::new`].
    pub fn sequential(input_shape: [usize; 3], mut layers: Vec<LayerSpec>) -> Result<Self> {
        for (i, layer) in layers.iter_mut().enumerate() {
            layer.inputs = vec![if i == 0 { LayerInput::Model } else { LayerInput::Layer(i - 1) }];
        }
        Self::new("sequential", input_shape, layers)
    }

    /// The cat-or-dog network: 64 x 64 RGB, two pairs of Conv2D(32, 3 x 3, relu) and MaxPooling2D(2), Flatten,
    /// Dense(128, relu), Dense(1, sigmoid): 813,217 parameters.
    pub fn article() -> Self {
        Self::article_with(LayerSpec::new("Dense", json!({"units": 1, "activation": "sigmoid"})))
    }

    /// The same network as the article's listing has it: a second Dense(128, relu) where the output layer is missing.
    pub fn article_listing() -> Self {
        Self::article_with(LayerSpec::new("Dense", json!({"units": 128, "activation": "relu"})))
    }

    fn article_with(last: LayerSpec) -> Self {
        let conv2d = LayerSpec::new(
            "Conv2D",
            json!({"filters": 32, "kernel_size": [3, 3], "activation": "relu"}),
        );
        let pool = LayerSpec::new("MaxPooling2D", json!({"pool_size": [2, 2], "strides": [2, 2]}));
        let dense = LayerSpec::new("Dense", json!({"units": 128, "activation": "relu"}));
        let flatten = LayerSpec::new("Flatten", json!({}));
        let layers = vec![conv2d.clone(), pool.clone(), conv2d, pool, flatten, dense, last];
        Self::sequential([64, 64, 3], layers).expect("a chain of few layers is valid")
    }

    /// Whether each layer takes the output of the one before it alone.
    pub fn is_sequential(&self) -> bool {
        self.layers.iter().enumerate().all(|(i, layer)| match layer.inputs[..] {
            [LayerInput::Model] => i == 0,
            [LayerInput::Layer(j)] => j + 1 == i,
            _ => false,
        })
    }

    /// Reads what Keras's `model.to_json()` writes.
    ///
    /// # Errors
    /// Architecture: not JSON, not Keras's, several inputs or outputs, an input whose height, width or channels are
    /// open, layers in a circle, used twice or custom, and whatever [`Architecture::new`] refuses.
    pub fn from_json(text: &str) -> Result<Self> {
        let value = json::parse(text).map_err(|error| {
            Error::new(ErrorKind::Architecture, format!("expected Keras's JSON, got {error}"))
        })?;
        keras::read(&value)
    }

    /// Writes what `keras.models.model_from_json` takes (as a string): Sequential for a chain, else Functional.
    pub fn to_json(&self) -> Value {
        keras::write(self)
    }

    /// Checks all that [`Architecture::new`] promises.
    fn check(&self) -> Result<()> {
        let [h, w, c] = self.input_shape;
        if ![h, w].iter().all(|side| (1..=MAX_SIDE).contains(side))
            || !(1..=MAX_CHANNELS).contains(&c)
        {
            bail!(
                Architecture,
                "expected an input of 1 to {MAX_SIDE} pixels a side and 1 to {MAX_CHANNELS} channels, got {h} x {w} x {c}"
            );
        }
        check_name("the model", &self.name)?;
        if self.layers.is_empty() || self.layers.len() > MAX_LAYERS {
            bail!(Architecture, "expected 1 to {MAX_LAYERS} layers, got {}", self.layers.len());
        }
        let mut names = Places::default();
        let mut used = vec![false; self.layers.len()];
        for (i, layer) in self.layers.iter().enumerate() {
            check_name(&format!("layer {i}"), &layer.name)?;
            let name = &layer.name;
            check_name(&format!("the class of layer {name}"), &layer.class_name)?;
            if !names.insert(name, i) {
                bail!(Architecture, "expected layer names to differ, got two layers named {name}");
            }
            if layer.inputs.is_empty() || layer.inputs.len() > MAX_INPUTS {
                let count = layer.inputs.len();
                bail!(Architecture, "layer {name}: expected 1 to {MAX_INPUTS} inputs, got {count}");
            }
            for input in &layer.inputs {
                match *input {
                    LayerInput::Layer(j) if j >= i => {
                        bail!(
                            Architecture,
                            "layer {name}: expected an earlier layer, got layer {j} as input"
                        )
                    }
                    LayerInput::Layer(j) => used[j] = true,
                    LayerInput::Model => {}
                }
            }
        }
        used.pop();
        if let Some(i) = used.iter().position(|used| !used) {
            let name = &self.layers[i].name;
            bail!(
                Architecture,
                "layer {name}: expected it to lead to the output, got an output of its own"
            );
        }
        Ok(())
    }
}

/// Names are shown, compared and joined to `layer/weight`: no slash (Keras has the same rule), no control characters.
fn check_name(what: &str, name: &str) -> Result<()> {
    if name.is_empty() || name.len() > MAX_NAME {
        bail!(Architecture, "{what}: expected a name of 1 to {MAX_NAME} bytes, got {}", name.len());
    }
    if name.chars().any(|c| c == '/' || c.is_control()) {
        bail!(
            Architecture,
            "{what}: expected a name without slashes and control characters, got {}",
            shown(name)
        );
    }
    Ok(())
}

/// Gives nameless layers the names Keras would: the class in snake case, then `_1`, `_2`, ... Every config has its name.
fn name_layers(layers: &mut [LayerSpec]) {
    let mut taken = Places::default();
    for layer in layers.iter() {
        taken.insert(&layer.name, 0);
    }
    for layer in layers {
        if layer.name.is_empty() {
            let base = snake_case(&layer.class_name);
            let mut number = 0;
            layer.name = base.clone();
            while !taken.insert(&layer.name, 0) {
                number += 1;
                layer.name = format!("{base}_{number}");
            }
        }
        layer.config.insert("name".into(), layer.name.as_str().into());
    }
}

/// `MaxPooling2D` -> `max_pooling2d`, `ReLU` -> `re_lu`: an underscore before a capital that follows a small letter or
/// that starts a word.
fn snake_case(class: &str) -> String {
    let letters: Vec<char> = class.chars().collect();
    let mut snake = String::new();
    for (i, &letter) in letters.iter().enumerate() {
        let after_small = i > 0 && letters[i - 1].is_ascii_lowercase();
        let starts_word = i > 0 && letters.get(i + 1).is_some_and(char::is_ascii_lowercase);
        if letter.is_ascii_uppercase() && (after_small || starts_word) {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snake_case_is_keras() {
        for (class, snake) in [
            ("Conv2D", "conv2d"),
            ("MaxPooling2D", "max_pooling2d"),
            ("GlobalAveragePooling2D", "global_average_pooling2d"),
            ("DepthwiseConv2D", "depthwise_conv2d"),
            ("BatchNormalization", "batch_normalization"),
            ("ReLU", "re_lu"),
            ("Add", "add"),
            ("LSTMCell", "lstm_cell"),
        ] {
            assert_eq!(snake_case(class), snake);
        }
    }

    #[test]
    fn nameless_layers_get_keras_names() {
        let names: Vec<_> = Architecture::article().layers.into_iter().map(|l| l.name).collect();
        let keras = [
            "conv2d",
            "max_pooling2d",
            "conv2d_1",
            "max_pooling2d_1",
            "flatten",
            "dense",
            "dense_1",
        ];
        assert_eq!(names, keras);
    }

    #[test]
    fn a_given_name_is_not_taken_again() {
        let dense = |config| LayerSpec::new("Dense", config);
        let layers = vec![dense(json!({})), dense(json!({"name": "dense"})), dense(json!({}))];
        let names: Vec<_> = Architecture::sequential([8, 8, 3], layers)
            .unwrap()
            .layers
            .into_iter()
            .map(|l| l.name)
            .collect();
        assert_eq!(names, ["dense_1", "dense", "dense_2"]);
    }
}
