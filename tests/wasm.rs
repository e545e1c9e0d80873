//! The JavaScript interface, as a worker in a real browser calls it.
#![cfg(target_family = "wasm")]

use convlet::architecture::{Architecture, LayerSpec};
use convlet::wasm::Network;
use js_sys::Reflect;
use serde_json::{Value, json};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn article() -> Network {
    Network::from_architecture(&Architecture::article().to_json().to_string(), 42).unwrap()
}

fn member(value: &JsValue, name: &str) -> JsValue {
    Reflect::get(value, &name.into()).unwrap()
}

fn number(value: &JsValue, name: &str) -> f64 {
    member(value, name).as_f64().unwrap()
}

/// The code and message of what was thrown.
fn thrown<T>(result: Result<T, JsValue>) -> (String, String) {
    let error = result.err().expect("something to be thrown");
    assert!(error.is_instance_of::<js_sys::Error>());
    assert_eq!(member(&error, "name"), "ConvletError");
    let text = |name| member(&error, name).as_string().unwrap();
    (text("code"), text("message"))
}

#[wasm_bindgen_test]
fn a_network_tells_what_it_is() {
    let network = article();
    assert_eq!(network.count_params(), 813_217);
    assert!(network.summary().contains("813,217"));
    assert_eq!(network.labels(), ["0", "1"]);
    let input = network.input().unwrap();
    assert_eq!([number(&input, "height"), number(&input, "width")], [64.0, 64.0]);
    let layers = js_sys::Array::from(&network.layers().unwrap()).to_vec();
    let parameters: Vec<f64> = layers.iter().map(|layer| number(layer, "parameters")).collect();
    assert_eq!(parameters, [896.0, 0.0, 9248.0, 0.0, 0.0, 802_944.0, 129.0]);
    assert_eq!(member(&layers[5], "className"), "Dense");
    assert_eq!(js_sys::Array::from(&member(&layers[0], "outputShape")).to_vec(), [62, 62, 32]);
    assert!(network.training().unwrap().is_object());
    assert_eq!(network.none_of_these(), None);
}

#[wasm_bindgen_test]
fn one_seed_gives_one_network() {
    let x = vec![0.5; 2 * 64 * 64 * 3];
    let [a, b] = [(); 2].map(|()| article().predict(&x, 2).unwrap());
    assert_eq!(a, b);
    assert_eq!(a.len(), 2);
    assert!(a.iter().all(|p| (0.0..=1.0).contains(p)));
}

#[wasm_bindgen_test]
fn training_lowers_the_loss() {
    let mut network = article();
    let x: Vec<f32> =
        (0..4 * 64 * 64 * 3).map(|i| if i / (64 * 64 * 3) % 2 == 0 { 0.2 } else { 0.8 }).collect();
    let y = [0.0, 1.0, 0.0, 1.0];
    let losses: Vec<f64> =
        (0..5).map(|_| number(&network.train_on_batch(&x, &y).unwrap(), "loss")).collect();
    assert!(losses[4] < losses[0], "{losses:?}");
    network.set_learning_rate(0.0);
    let before = network.predict(&x, 4).unwrap();
    network.train_on_batch(&x, &y).unwrap();
    assert_eq!(network.predict(&x, 4).unwrap(), before);
}

#[wasm_bindgen_test]
fn pixels_become_probabilities() {
    let mut network = article();
    let at = network.pixels(3, 5).unwrap();
    assert!(!at.is_null());
    let probabilities = network.classify_pixels(3, 5).unwrap();
    assert_eq!(probabilities.len(), 2);
    assert_eq!(probabilities[0] + probabilities[1], 1.0);
    // Room is made clear: black, and wholly transparent, which counts as white.
    assert!(network.seen().iter().all(|value| *value == 1.0));
}

#[wasm_bindgen_test]
fn a_saved_network_comes_back_the_same() {
    let mut network = article();
    let bytes = network.save().unwrap();
    let mut again = Network::from_bytes(&bytes, "again").unwrap();
    let x = vec![0.25; 64 * 64 * 3];
    assert_eq!(network.predict(&x, 1).unwrap(), again.predict(&x, 1).unwrap());
    assert_eq!(again.save().unwrap(), bytes);
}

/// Keras's JSON of a chain of layers on a square input.
fn chain(side: usize, channels: usize, layers: &[(&str, Value)]) -> String {
    let layers = layers.iter().map(|(class, config)| LayerSpec::new(class, config.clone()));
    let chain = Architecture::sequential([side, side, channels], layers.collect()).unwrap();
    chain.to_json().to_string()
}

/// Sizes whose products a 32-bit address would wrap around among them.
#[wasm_bindgen_test]
fn a_network_that_costs_too_much_is_refused() {
    let wide = json!({"pool_size": [65536, 65536], "padding": "same"});
    let large = json!({"filters": 3, "kernel_size": 255, "padding": "same"});
    let border = json!({"filters": 1, "kernel_size": [1, 4096], "padding": "same"});
    let units = json!({"units": 1 << 20});
    let whole = ("GlobalAveragePooling2D", json!({}));
    for (json, expected) in [
        (chain(64, 3, &[("MaxPooling2D", wide)]), "at most 255 places"),
        (chain(4096, 3, &[("Conv2D", large)]), "at most 68719476736 multiplications"),
        (chain(4096, 16, &[("Conv2D", border)]), "in the bordered image"),
        (chain(4096, 4096, &[whole]), "activations in the network"),
        (chain(64, 3, &[("Flatten", json!({})), ("Dense", units)]), "268435456 weights"),
    ] {
        let (code, message) = thrown(Network::from_architecture(&json, 0));
        assert!(["architecture", "shape"].contains(&&code[..]), "{code}: {message}");
        assert!(message.contains(expected), "expected {expected:?} in {message:?}");
    }
}

#[wasm_bindgen_test]
fn what_goes_wrong_carries_a_code() {
    let (code, message) = thrown(Network::from_bytes(b"<!doctype html>", "model.bin"));
    assert_eq!(code, "file");
    assert!(message.starts_with("model.bin: "), "{message}");
    assert_eq!(thrown(Network::from_architecture("{}", 0)).0, "architecture");
    let mut network = article();
    assert_eq!(thrown(network.predict(&[0.0; 7], 1)).0, "shape");
    assert_eq!(thrown(network.train_on_batch(&[0.0; 7], &[1.0])).0, "shape");
    assert_eq!(thrown(network.pixels(1 << 20, 1 << 20)).0, "argument");
    assert_eq!(thrown(network.classify_pixels(9, 9)).0, "shape");
    assert_eq!(thrown(network.predict(&[], 1 << 31)).0, "shape");
    assert_eq!(
        thrown(network.pixels(0, 9).and_then(|_| network.classify_pixels(0, 9))).0,
        "argument"
    );
}
