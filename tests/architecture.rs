//! Keras's JSON of a model: what Keras wrote is read, what we write is read again, and what is wrong is named.
#![cfg(not(target_family = "wasm"))]

use convlet::architecture::{Architecture, LayerInput, LayerSpec, MAX_LAYERS};
use convlet::error::ErrorKind;
use proptest::prelude::*;
use serde_json::{Value, json};

/// As Keras 3.15 writes them: `fixtures/make.py`.
const SEQUENTIAL: &str = include_str!("fixtures/sequential.json");
const FUNCTIONAL: &str = include_str!("fixtures/functional.json");

fn functional() -> Value {
    serde_json::from_str(FUNCTIONAL).unwrap()
}

fn read(model: &Value) -> convlet::error::Result<Architecture> {
    Architecture::from_json(&model.to_string())
}

/// The message of the error that `model` must give.
fn refused(model: &Value) -> String {
    let error = read(model).expect_err("expected an error");
    assert_eq!(error.kind(), ErrorKind::Architecture, "{error}");
    error.to_string()
}

fn classes(architecture: &Architecture) -> Vec<&str> {
    architecture.layers.iter().map(|layer| layer.class_name.as_str()).collect()
}

#[test]
fn a_sequential_model_is_the_article_s() {
    let keras = Architecture::from_json(SEQUENTIAL).unwrap();
    let article = Architecture::article();
    assert!(keras.is_sequential());
    assert_eq!(keras.name, "sequential");
    assert_eq!(keras.input_shape, article.input_shape);
    for (keras, ours) in keras.layers.iter().zip(&article.layers) {
        assert_eq!((&keras.class_name, &keras.name), (&ours.class_name, &ours.name));
        assert_eq!(keras.inputs, ours.inputs);
        for (key, value) in &ours.config {
            assert_eq!(&keras.config[key], value, "{}: {key}", ours.name);
        }
    }
    assert_eq!(keras.layers.len(), article.layers.len());
    assert_eq!(Architecture::article_listing().layers[6].config["units"], 128);
}

#[test]
fn a_functional_model_keeps_its_skip_connection() {
    let architecture = Architecture::from_json(FUNCTIONAL).unwrap();
    assert!(!architecture.is_sequential());
    assert_eq!(architecture.input_shape, [8, 8, 3]);
    let expected = [
        "Conv2D",
        "BatchNormalization",
        "ReLU",
        "DepthwiseConv2D",
        "Add",
        "GlobalAveragePooling2D",
        "Dense",
        "Activation",
    ];
    assert_eq!(classes(&architecture), expected);
    assert_eq!(architecture.layers[0].inputs, [LayerInput::Model]);
    assert_eq!(architecture.layers[4].inputs, [LayerInput::Layer(2), LayerInput::Layer(3)]);
    assert_eq!(architecture.layers[2].config["max_value"], 6.0);
}

#[test]
fn what_is_written_is_read_again() {
    for text in [SEQUENTIAL, FUNCTIONAL] {
        let architecture = Architecture::from_json(text).unwrap();
        assert_eq!(read(&architecture.to_json()).unwrap(), architecture);
    }
    let article = Architecture::article();
    assert_eq!(read(&article.to_json()).unwrap(), article);
}

#[test]
fn layers_in_any_order_become_topological() {
    let mut model = functional();
    model["config"]["layers"].as_array_mut().unwrap().reverse();
    let architecture = read(&model).unwrap();
    let straight = Architecture::from_json(FUNCTIONAL).unwrap();
    assert_eq!(architecture, straight);
}

#[test]
fn keras_2_is_read() {
    let sequential = json!({"class_name": "Sequential", "keras_version": "2.15.0", "config": {"name": "s", "layers": [
        {"class_name": "Conv2D", "config": {"name": "c", "batch_input_shape": [null, 8, 9, 1], "filters": 2}},
        {"class_name": "Flatten", "config": {"name": "f"}},
    ]}});
    let architecture = read(&sequential).unwrap();
    assert_eq!(architecture.input_shape, [8, 9, 1]);
    assert_eq!(classes(&architecture), ["Conv2D", "Flatten"]);

    let layer = |class: &str, name: &str, inbound: Value| json!({"class_name": class, "name": name, "config": {"name": name}, "inbound_nodes": inbound});
    let mut input = layer("InputLayer", "i", json!([]));
    input["config"]["batch_input_shape"] = json!([null, 8, 8, 3]);
    let functional = json!({"class_name": "Functional", "config": {"name": "m", "layers": [
        input,
        layer("Conv2D", "a", json!([[["i", 0, 0, {}]]])),
        layer("Add", "b", json!([[["a", 0, 0, {}], ["i", 0, 0, {}]]])),
    ], "input_layers": [["i", 0, 0]], "output_layers": [["b", 0, 0]]}});
    let architecture = read(&functional).unwrap();
    assert_eq!(architecture.layers[1].inputs, [LayerInput::Layer(0), LayerInput::Model]);
}

#[test]
fn a_model_without_an_input_layer_states_its_shape() {
    let mut model: Value = serde_json::from_str(SEQUENTIAL).unwrap();
    model["config"]["layers"].as_array_mut().unwrap().remove(0);
    assert_eq!(read(&model).unwrap().input_shape, [64, 64, 3]);
    model["config"].as_object_mut().unwrap().remove("build_input_shape");
    assert!(refused(&model).contains("expected an InputLayer"));
}

/// Where in the functional fixture something is put, what, and what the message must hold.
#[test]
fn what_is_wrong_is_named() {
    let history = |name: &str| json!([{"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}], "kwargs": {}}]);
    let second_input = json!({"class_name": "InputLayer", "name": "second", "inbound_nodes": [],
        "config": {"name": "second", "batch_shape": [null, 8, 8, 3]}});
    let shape = "/config/layers/0/config/batch_shape";
    for (place, value, expected) in [
        (
            "/class_name",
            json!("Model7"),
            "expected a Sequential or Functional model, got \"Model7\"",
        ),
        ("/config", json!(1), "without \"config\""),
        ("/config/layers", json!("x"), "expected a list of layers"),
        ("/config/layers/1", json!([]), "layer 1: expected an object with \"config\""),
        (
            "/config/layers/1/config/name",
            json!(""),
            "layer 1: expected a name of 1 to 256 bytes, got 0",
        ),
        ("/config/layers/1/config/name", json!("n".repeat(257)), "got 257"),
        ("/config/layers/1/config/name", json!("a/b"), "without slashes"),
        ("/config/layers/1/config/name", json!("a\nb"), "control characters, got \"a\\nb\""),
        ("/config/layers/1/class_name", json!(3), "the class of layer conv2d: expected a name"),
        ("/config/layers/1/module", json!("mine.layers"), "got a custom Conv2D"),
        ("/config/layers/2/config/name", json!("conv2d"), "two layers named conv2d"),
        (
            "/config/layers/1/inbound_nodes",
            json!([]),
            "conv2d: expected to be called once, got 0 calls",
        ),
        ("/config/layers/1/inbound_nodes", json!([{}, {}]), "got 2 calls"),
        (
            "/config/layers/1/inbound_nodes",
            json!([7]),
            "expected Keras's inbound node, got a number",
        ),
        ("/config/layers/1/inbound_nodes", json!([{"args": []}]), "expected 1 to 64 inputs, got 0"),
        (
            "/config/layers/1/inbound_nodes",
            history("nobody"),
            "expected a layer of this model as input, got \"nobody\"",
        ),
        ("/config/layers/1/inbound_nodes", history("add"), "circle"),
        ("/config/layers/1/inbound_nodes", history("conv2d"), "circle"),
        ("/config/layers/7/inbound_nodes", history("re_lu"), "expected it to lead to the output"),
        (
            "/config/layers/1/inbound_nodes/0/args/0/config/keras_history/1",
            json!(1),
            "the first output of another layer's only call",
        ),
        ("/config/layers/2", second_input, "expected one InputLayer, input_layer, got second"),
        (
            "/config/input_layers",
            json!([["input_layer", 0, 0], ["b", 0, 0]]),
            "expected one input, got [[",
        ),
        (
            "/config/input_layers",
            json!(["conv2d", 0, 0]),
            "expected one InputLayer, conv2d, got input_layer",
        ),
        ("/config/output_layers", json!({"a": ["add", 0, 0]}), "expected one output"),
        (
            "/config/output_layers",
            json!(["add", 0, 0]),
            "every layer to lead to the output \"add\"",
        ),
        (shape, json!([null, null, 8, 3]), "expected fixed height, width and channels"),
        (shape, json!([null, 64]), "expected images [null, height, width, channels]"),
        (shape, json!([null, 8, 8, -3]), "expected fixed height"),
        (shape, json!([null, 0, 8, 3]), "expected an input of 1 to 4096 pixels a side"),
        (shape, json!([null, 8, 100_000_000_000_u64, 3]), "got 8 x 100000000000 x 3"),
        (shape, json!([null, 8, 8, 5000]), "1 to 4096 channels"),
    ] {
        let mut model = functional();
        *model.pointer_mut(place).unwrap_or_else(|| panic!("no {place}")) = value;
        let message = refused(&model);
        assert!(message.contains(expected), "{place}: expected {expected:?} in {message:?}");
    }
}

#[test]
fn too_much_is_refused_cheaply() {
    let dense = |_| LayerSpec::new("Dense", json!({"units": 1}));
    let chain = |n| Architecture::sequential([8, 8, 3], (0..n).map(dense).collect());
    assert_eq!(chain(MAX_LAYERS).unwrap().layers[999].name, "dense_999");
    assert!(chain(MAX_LAYERS + 1).unwrap_err().to_string().contains("got 1001"));
    assert!(chain(0).unwrap_err().to_string().contains("got 0"));
    let wide = |inputs: &[LayerInput]| {
        let add = LayerSpec::new("Add", json!({})).with_inputs(inputs);
        Architecture::new("wide", [8, 8, 3], vec![add])
    };
    assert!(wide(&[LayerInput::Model; 64]).is_ok());
    let wide = wide(&[LayerInput::Model; 65]);
    assert!(wide.unwrap_err().to_string().contains("expected 1 to 64 inputs, got 65"));
    let add =
        LayerSpec::new("Add", json!({})).with_inputs(&[LayerInput::Model, LayerInput::Layer(0)]);
    let itself = Architecture::new("circle", [8, 8, 3], vec![add]).unwrap_err();
    assert_eq!(itself.kind(), ErrorKind::Architecture, "{itself}");
    for text in ["[".repeat(1 << 20), "{\"config\":".repeat(1 << 17), "x".repeat(3 << 20)] {
        let error = Architecture::from_json(&text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Architecture);
        assert!(error.to_string().len() < 200, "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    /// A value anywhere in Keras's JSON replaced by another: an architecture that can be written and read, or an error.
    #[test]
    fn a_changed_value_never_panics(index in 0_usize..400, value in prop_oneof![
        Just(json!(null)), Just(json!([])), Just(json!({})), Just(json!("add")), Just(json!(-1)), Just(json!(1e300)),
        Just(json!([["add", 0, 0]])), Just(json!([null, 1, 1, 1])),
    ]) {
        let mut model = functional();
        let mut at = index;
        replace(&mut model, &mut at, &value);
        if let Ok(architecture) = read(&model) {
            prop_assert_eq!(read(&architecture.to_json()).unwrap(), architecture);
        }
    }

    #[test]
    fn changed_text_never_panics(at in 0..FUNCTIONAL.len(), with in "[\\[\\]{}\",:0a]{0,3}") {
        if FUNCTIONAL.is_char_boundary(at) {
            let _ = Architecture::from_json(&format!("{}{with}{}", &FUNCTIONAL[..at], &FUNCTIONAL[at + 1..]));
            let _ = Architecture::from_json(&FUNCTIONAL[..at]);
        }
    }
}

/// Replaces the value met as number `at` on a walk through `tree`.
fn replace(tree: &mut Value, at: &mut usize, value: &Value) {
    if *at == 0 {
        *tree = value.clone();
    }
    *at = at.wrapping_sub(1);
    match tree {
        Value::Array(list) => list.iter_mut().for_each(|inner| replace(inner, at, value)),
        Value::Object(object) => object.values_mut().for_each(|inner| replace(inner, at, value)),
        _ => {}
    }
}
