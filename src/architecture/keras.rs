//! Keras's JSON of a model, read and written.

use super::{Architecture, LayerInput, LayerSpec, MAX_INPUTS, MAX_LAYERS, check_name};
use crate::error::{Result, bail};
use crate::json::{Places, keras_object, object, shown};
use serde_json::{Map, Value};

/// Reads a Sequential or Functional model.
pub(super) fn read(model: &Value) -> Result<Architecture> {
    let class = model.get("class_name").and_then(Value::as_str).unwrap_or_default();
    let Some(config) = model.get("config").and_then(Value::as_object) else {
        bail!(Architecture, "expected Keras's JSON of a model, got JSON without \"config\"");
    };
    let name = config.get("name").and_then(Value::as_str).unwrap_or("model");
    check_name("the model", name)?;
    let Some(layers) = config.get("layers").and_then(Value::as_array) else {
        bail!(Architecture, "model {name}: expected a list of layers in \"config\", got none");
    };
    // One more than the cap: the InputLayer counts as none of ours.
    if layers.len() > MAX_LAYERS + 1 {
        bail!(
            Architecture,
            "model {name}: expected at most {MAX_LAYERS} layers, got {}",
            layers.len()
        );
    }
    let layers: Vec<Node> =
        layers.iter().enumerate().map(|(i, layer)| Node::read(i, layer)).collect::<Result<_>>()?;
    match class {
        "Sequential" => read_sequential(name, config, layers),
        "Functional" | "Model" => read_functional(name, config, layers),
        _ => bail!(
            Architecture,
            "model {name}: expected a Sequential or Functional model, got {}",
            shown(class)
        ),
    }
}

/// One entry of Keras's `layers`.
struct Node<'a> {
    class_name: &'a str,
    name: &'a str,
    config: &'a Map<String, Value>,
    inbound: Option<&'a Value>,
}

impl<'a> Node<'a> {
    fn read(i: usize, layer: &'a Value) -> Result<Self> {
        let text = |value: Option<&'a Value>| value.and_then(Value::as_str).unwrap_or_default();
        let Some(config) = layer.get("config").and_then(Value::as_object) else {
            bail!(Architecture, "layer {i}: expected an object with \"config\", got none");
        };
        let name = text(config.get("name").or_else(|| layer.get("name")));
        check_name(&format!("layer {i}"), name)?;
        let class_name = text(layer.get("class_name"));
        check_name(&format!("the class of layer {name}"), class_name)?;
        // Keras 2 names no module; a custom class may carry the name of one of Keras's.
        let module = layer.get("module").and_then(Value::as_str).unwrap_or("keras");
        if module.split('.').next() != Some("keras") {
            bail!(
                Architecture,
                "layer {name}: expected one of Keras's own layers, got a custom {class_name}"
            );
        }
        Ok(Self { class_name, name, config, inbound: layer.get("inbound_nodes") })
    }

    fn is_input(&self) -> bool {
        self.class_name == "InputLayer"
    }

    fn spec(&self, inputs: Vec<LayerInput>) -> LayerSpec {
        LayerSpec {
            class_name: self.class_name.to_string(),
            name: self.name.to_string(),
            config: self.config.clone(),
            inputs,
        }
    }

    /// The input shape that this layer's config states: `batch_shape` in Keras 3, `batch_input_shape` in Keras 2.
    fn batch_shape(&self) -> Option<&'a Value> {
        self.config.get("batch_shape").or_else(|| self.config.get("batch_input_shape"))
    }

    /// The names of the layers whose outputs this one takes.
    fn inbound(&self) -> Result<Vec<&'a str>> {
        let name = self.name;
        let nodes = self.inbound.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let [node] = nodes else {
            bail!(
                Architecture,
                "layer {name}: expected to be called once, got {} calls",
                nodes.len()
            );
        };
        let mut tensors = Vec::new();
        match node {
            Value::Object(call) => {
                call.get("args").into_iter().for_each(|args| keras_tensors(args, &mut tensors));
                let kwargs = call.get("kwargs");
                kwargs.into_iter().for_each(|kwargs| keras_tensors(kwargs, &mut tensors));
            }
            // Keras 2: [[name, node, tensor, kwargs], ...]
            Value::Array(list) => tensors.extend(list),
            _ => bail!(
                Architecture,
                "layer {name}: expected Keras's inbound node, got {}",
                kind(node)
            ),
        }
        if tensors.len() > MAX_INPUTS {
            bail!(
                Architecture,
                "layer {name}: expected at most {MAX_INPUTS} inputs, got {}",
                tensors.len()
            );
        }
        tensors.into_iter().map(|history| history_name(name, history)).collect()
    }
}

/// The `keras_history` of every tensor inside the arguments of a call.
fn keras_tensors<'a>(argument: &'a Value, tensors: &mut Vec<&'a Value>) {
    match argument {
        Value::Object(object) => {
            match object.get("config").and_then(|config| config.get("keras_history")) {
                Some(history) => tensors.push(history),
                None => object.values().for_each(|value| keras_tensors(value, tensors)),
            };
        }
        Value::Array(list) => list.iter().for_each(|value| keras_tensors(value, tensors)),
        _ => {}
    }
}

/// The layer's name in `[name, call, output]`, call and output being the first.
fn history_name<'a>(layer: &str, history: &'a Value) -> Result<&'a str> {
    let name = history.get(0).and_then(Value::as_str);
    let first = |i| history.get(i).and_then(Value::as_u64) == Some(0);
    match name {
        Some(name) if first(1) && first(2) => Ok(name),
        _ => bail!(
            Architecture,
            "layer {layer}: expected an input [name, 0, 0]: the first output of another layer's only call, got {}",
            shown(history)
        ),
    }
}

fn read_sequential(
    name: &str,
    config: &Map<String, Value>,
    layers: Vec<Node>,
) -> Result<Architecture> {
    let stated = layers.first().and_then(Node::batch_shape);
    let input_shape = image_shape(name, stated.or_else(|| config.get("build_input_shape")))?;
    let skip = usize::from(layers.first().is_some_and(Node::is_input));
    let mut specs = Vec::new();
    for layer in &layers[skip..] {
        if layer.is_input() {
            bail!(
                Architecture,
                "model {name}: expected one InputLayer, the first, got {} as another",
                layer.name
            );
        }
        let before = specs.len().checked_sub(1).map_or(LayerInput::Model, LayerInput::Layer);
        specs.push(layer.spec(vec![before]));
    }
    Architecture::new(name, input_shape, specs)
}

fn read_functional(
    name: &str,
    config: &Map<String, Value>,
    layers: Vec<Node>,
) -> Result<Architecture> {
    let input = only_endpoint(name, "input", config.get("input_layers"))?;
    let output = only_endpoint(name, "output", config.get("output_layers"))?;
    let mut index = Places::default();
    for (i, layer) in layers.iter().enumerate() {
        if !index.insert(layer.name, i) {
            bail!(
                Architecture,
                "expected layer names to differ, got two layers named {}",
                layer.name
            );
        }
        if layer.is_input() && layer.name != input {
            bail!(
                Architecture,
                "model {name}: expected one InputLayer, {input}, got {} as another",
                layer.name
            );
        }
    }
    let input_shape = match index.get(input).map(|i| &layers[i]) {
        Some(layer) if layer.is_input() => image_shape(name, layer.batch_shape())?,
        _ => bail!(
            Architecture,
            "model {name}: expected an InputLayer named {}, got none",
            shown(input)
        ),
    };

    // Which layers each one takes and feeds, by position in the file.
    let mut takes = vec![Vec::new(); layers.len()];
    let mut feeds = vec![Vec::new(); layers.len()];
    for (i, layer) in layers.iter().enumerate().filter(|(_, layer)| !layer.is_input()) {
        for other in layer.inbound()? {
            let Some(j) = index.get(other) else {
                bail!(
                    Architecture,
                    "layer {}: expected a layer of this model as input, got {other}",
                    layer.name,
                    other = shown(other)
                );
            };
            takes[i].push(j);
            feeds[j].push(i);
        }
        if takes[i].is_empty() {
            bail!(Architecture, "layer {}: expected 1 to {MAX_INPUTS} inputs, got 0", layer.name);
        }
    }

    // Topological order, the file's own order where it is one.
    let mut waits: Vec<usize> = takes.iter().map(Vec::len).collect();
    let mut ready: Vec<bool> = waits.iter().map(|&waits| waits == 0).collect();
    let mut place = vec![LayerInput::Model; layers.len()];
    let mut specs = Vec::new();
    while let Some(i) = ready.iter().position(|&ready| ready) {
        ready[i] = false;
        if !layers[i].is_input() {
            place[i] = LayerInput::Layer(specs.len());
            specs.push(layers[i].spec(takes[i].iter().map(|&j| place[j]).collect()));
        }
        for &j in &feeds[i] {
            waits[j] -= 1;
            if waits[j] == 0 {
                ready[j] = true;
            }
        }
    }
    if let Some(i) = waits.iter().position(|&waits| waits > 0) {
        bail!(
            Architecture,
            "layer {}: expected layers without a circle, got one through it",
            layers[i].name
        );
    }
    if specs.last().is_none_or(|last| last.name != output) {
        bail!(
            Architecture,
            "model {name}: expected every layer to lead to the output {}, got others behind it",
            shown(output)
        );
    }
    Architecture::new(name, input_shape, specs)
}

/// The one name in `input_layers` or `output_layers`: `[name, 0, 0]` or a list of one such.
fn only_endpoint<'a>(model: &str, what: &str, endpoints: Option<&'a Value>) -> Result<&'a str> {
    let endpoint = match endpoints.and_then(Value::as_array).map(Vec::as_slice) {
        Some([only @ Value::Array(_)]) => Some(only),
        Some([Value::String(_), ..]) => endpoints,
        _ => None,
    };
    match endpoint {
        Some(endpoint) => history_name(&format!("{what} of {model}"), endpoint),
        None => bail!(
            Architecture,
            "model {model}: expected one {what}, got {}",
            endpoints.map_or("none".to_string(), shown)
        ),
    }
}

/// Height, width and channels of `[null, h, w, c]`.
fn image_shape(model: &str, batch_shape: Option<&Value>) -> Result<[usize; 3]> {
    let Some(shape) = batch_shape else {
        bail!(
            Architecture,
            "model {model}: expected an InputLayer with the image's shape, got none"
        );
    };
    let sides = shape.as_array().map(Vec::as_slice).unwrap_or_default();
    let side = |value: &Value| value.as_u64().and_then(|side| usize::try_from(side).ok());
    match sides {
        [_, h, w, c] => match (side(h), side(w), side(c)) {
            (Some(h), Some(w), Some(c)) => Ok([h, w, c]),
            _ => bail!(
                Architecture,
                "model {model}: expected fixed height, width and channels as input, got {}",
                shown(shape)
            ),
        },
        _ => bail!(
            Architecture,
            "model {model}: expected images [null, height, width, channels] as input, got {}",
            shown(shape)
        ),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Writes a Sequential model for a chain, else a Functional one.
pub(super) fn write(architecture: &Architecture) -> Value {
    let [h, w, c] = architecture.input_shape;
    let taken = |name: &str| architecture.layers.iter().any(|layer| layer.name == name);
    let mut input = "input_layer".to_string();
    while taken(&input) {
        input.push_str("_0");
    }
    let batch_shape = Value::from(vec![Value::Null, h.into(), w.into(), c.into()]);
    let input_config = object! {
        "batch_shape": batch_shape.clone(),
        "dtype": "float32",
        "sparse": false,
        "name": input.as_str(),
    };
    let mut layers = vec![keras_object("keras.layers", "InputLayer", input_config)];
    for layer in &architecture.layers {
        layers.push(keras_object("keras.layers", &layer.class_name, layer.config.clone()));
    }
    if architecture.is_sequential() {
        let config = object! {
            "name": architecture.name.as_str(),
            "trainable": true,
            "layers": layers,
            "build_input_shape": batch_shape,
        };
        return keras_object("keras", "Sequential", config);
    }
    let names: Vec<&str> = std::iter::once(input.as_str())
        .chain(architecture.layers.iter().map(|l| l.name.as_str()))
        .collect();
    let history = |name: &str| Value::from(vec![Value::from(name), 0.into(), 0.into()]);
    let tensor = |from: &LayerInput| {
        // Keras wants a shape here, but takes the tensor by its history and works the shape out.
        let config = object! {
            "shape": [Value::Null],
            "dtype": "float32",
            "keras_history": history(names[from.value()]),
        };
        Value::from(object! {"class_name": "__keras_tensor__", "config": config})
    };
    for (i, layer) in layers.iter_mut().enumerate() {
        let inputs: &[LayerInput] = if i == 0 { &[] } else { &architecture.layers[i - 1].inputs };
        let mut tensors: Vec<Value> = inputs.iter().map(tensor).collect();
        if tensors.len() > 1 {
            tensors = vec![tensors.into()];
        }
        let call = object! {"args": tensors, "kwargs": Map::new()};
        let calls = if i == 0 { Vec::new() } else { vec![Value::from(call)] };
        if let Some(layer) = layer.as_object_mut() {
            layer.insert("name".into(), names[i].into());
            layer.insert("inbound_nodes".into(), calls.into());
        }
    }
    let config = object! {
        "name": architecture.name.as_str(),
        "trainable": true,
        "layers": layers,
        "input_layers": [history(names[0])],
        "output_layers": [history(names[names.len() - 1])],
    };
    let model = object! {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": config,
        "registered_name": "Functional",
    };
    model.into()
}
