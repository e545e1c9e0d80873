//! Every forward value, gradient and loss of ten Adam steps against what Keras computed.
//!
//! A tolerance is reduction length x epsilon x largest value: the length of the sums on the way to a number, times what
//! rounding each term of the largest size may cost.
#![cfg(all(feature = "train", not(target_family = "wasm")))]

use std::collections::BTreeMap;
use std::path::Path;

use convlet::architecture::{Architecture, LayerSpec};
use convlet::layer::Parameter;
use convlet::loss::{Loss, sigmoid};
use convlet::model::{Mode, Model};
use convlet::optimizer::Optimizer;
use convlet::train::train_on_batch;
use ndarray::{ArrayView2, ArrayView4};
use serde_json::Value;

struct Reference {
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    architecture: Architecture,
    learning_rate: f32,
}

impl Reference {
    fn read(path: &Path) -> Self {
        let bytes =
            std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().clone().unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)> = file
            .iter()
            .map(|(name, view)| {
                let floats = view.data().chunks_exact(4);
                let floats = floats.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
                (name.to_string(), (view.shape().to_vec(), floats))
            })
            .collect();
        let layers: Vec<Value> = serde_json::from_str(&metadata["layers"]).unwrap();
        let specs = layers.iter().map(|layer| {
            let mut config = layer["config"].clone();
            config["name"] = layer["name"].clone();
            // The file's layers have a bias where they have a weight of that name.
            let bias = format!("initial/{}/bias", layer["name"].as_str().unwrap());
            config["use_bias"] = tensors.contains_key(&bias).into();
            LayerSpec::new(layer["class"].as_str().unwrap(), config)
        });
        let shape = &tensors["input"].0;
        let input_shape = [shape[1], shape[2], shape[3]];
        let optimizer: Value = serde_json::from_str(&metadata["optimizer"]).unwrap();
        Self {
            architecture: Architecture::sequential(input_shape, specs.collect()).unwrap(),
            learning_rate: optimizer["learning_rate"].as_f64().unwrap() as f32,
            tensors,
        }
    }

    fn tensor(&self, name: &str) -> &[f32] {
        &self.tensors.get(name).unwrap_or_else(|| panic!("no {name}")).1
    }

    fn model(&self, weights: &str) -> Model {
        let mut model = Model::new(self.architecture.clone(), 0).unwrap();
        for parameter in model.parameters_mut() {
            let value = self.tensor(&format!("{weights}/{}", parameter.name));
            parameter.value.copy_from_slice(value);
        }
        model
    }

    fn batch(&self) -> (ArrayView4<'_, f32>, ArrayView2<'_, f32>) {
        let (input, target) = (&self.tensors["input"], &self.tensors["target"]);
        let [n, h, w, c] = input.0[..] else { panic!("{:?}", input.0) };
        (
            ArrayView4::from_shape((n, h, w, c), &input.1).unwrap(),
            ArrayView2::from_shape((n, target.0[1]), &target.1).unwrap(),
        )
    }
}

/// How many terms are summed for one output of the layer that these weights belong to.
fn terms(parameters: &[Parameter], layer: &str) -> usize {
    let kernel = parameters.iter().find(|p| p.name == format!("{layer}/kernel"));
    kernel.map_or(1, |kernel| kernel.shape[..kernel.shape.len() - 1].iter().product())
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(f32::MIN_POSITIVE, |max, x| max.max(x.abs()))
}

fn assert_close(what: &str, got: &[f32], expected: &[f32], reduction: usize) {
    assert_within(what, got, expected, reduction as f32 * f32::EPSILON * largest(expected));
}

fn assert_within(what: &str, got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len(), "{what}: length");
    let (i, error) = got
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs())
        .enumerate()
        .fold((0, 0.0), |worst, (i, e)| if e > worst.1 || e.is_nan() { (i, e) } else { worst });
    println!("{what}: off by {error:.1e} at most, {tolerance:.1e} allowed");
    assert!(error <= tolerance, "{what}[{i}]: {} instead of {}", got[i], expected[i]);
}

fn hold(path: &Path) {
    let reference = Reference::read(path);
    let (x, targets) = reference.batch();
    let n = x.dim().0;
    let mut model = reference.model("initial");

    // Forward: every layer's output, and the fused pass's.
    let input: Vec<f32> = x.iter().copied().collect();
    model.input_mut(n, Mode::Inspection).unwrap().copy_from_slice(&input);
    model.forward(n, Mode::Inspection);
    let mut reduction = 1;
    for layer in &reference.architecture.layers {
        reduction += terms(model.parameters(), &layer.name);
        let expected = reference.tensor(&format!("inference/{}", layer.name));
        let got = model.layer_output(&layer.name, n).unwrap();
        assert_close(&format!("inference/{}", layer.name), got, expected, reduction);
    }
    let last = reference.architecture.layers.last().unwrap();
    let expected = reference.tensor(&format!("inference/{}", last.name));
    let got = model.predict(x).unwrap();
    assert_close("predict", got.as_slice().unwrap(), expected, reduction);

    // Backward: every gradient, down to the input.
    let loss = Loss::for_activation(model.output_activation()).unwrap();
    let classes = model.output_len();
    let target: Vec<f32> = targets.iter().copied().collect();
    model.keep_input_gradient(n).unwrap();
    model.input_mut(n, Mode::Training).unwrap().copy_from_slice(&input);
    model.forward(n, Mode::Training);
    let (logits, dlogits) = model.output_mut(n);
    let probabilities: Vec<f32> = match loss {
        Loss::BinaryCrossentropy => logits.iter().map(|&z| sigmoid(z)).collect(),
        Loss::CategoricalCrossentropy => logits
            .chunks(classes)
            .flat_map(|row| {
                let sum: f32 = row.iter().map(|z| z.exp()).sum();
                row.iter().map(move |z| z.exp() / sum)
            })
            .collect(),
    };
    loss.backward(classes, logits, &target, dlogits);
    assert_close("training/output", &probabilities, reference.tensor("training/output"), reduction);
    model.backward(n);
    // There and back, and over the batch's places.
    let back = 2 * reduction + input.len() / x.dim().3;
    let gradient = model.input_gradient(n).unwrap();
    assert_close("gradient/input", gradient, reference.tensor("gradient/input"), back);
    for parameter in model.parameters().iter().filter(|p| p.trainable) {
        let name = format!("gradient/{}", parameter.name);
        // A bias's gradient may cancel to nothing (before a normalization it does), its terms are the layer's.
        let layer = name.rsplit_once('/').unwrap().0;
        let scale = reference
            .tensors
            .iter()
            .filter(|(name, _)| name.rsplit_once('/').is_some_and(|(of, _)| of == layer))
            .fold(0.0, |max: f32, (_, (_, gradient))| max.max(largest(gradient)));
        let tolerance = back as f32 * f32::EPSILON * scale;
        assert_within(&name, &parameter.gradient, reference.tensor(&name), tolerance);
    }

    // Ten steps of Adam.
    let mut model = reference.model("initial");
    let mut optimizer = Optimizer::adam(reference.learning_rate);
    for (step, &expected) in reference.tensor("losses").iter().enumerate() {
        let (loss, _) = train_on_batch(&mut model, &mut optimizer, x, targets).unwrap();
        println!("loss {step}: {loss} ({expected})");
        assert!((loss - expected).abs() < 1e-4, "loss {step}: {loss} instead of {expected}");
    }
    let got = model.predict(x).unwrap();
    let expected = reference.tensor("final/output");
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() < 1e-3, "final/output: {got} instead of {expected}");
    }
}

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

#[test]
fn article_small() {
    hold(&fixture("article_small.safetensors"));
}

#[test]
fn modern_small() {
    hold(&fixture("modern_small.safetensors"));
}

#[test]
fn article_full() {
    let shared =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reference/article_full.safetensors");
    if shared.exists() {
        hold(&shared);
    } else {
        println!("skipped: {} is not here", shared.display());
    }
}
