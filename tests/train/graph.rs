//! A network that is no chain: its gradients, and what its layers make of a picture.

use convlet::architecture::{Architecture, LayerInput, LayerSpec};
use convlet::model::Model;
use convlet::rng::Rng;
use serde_json::json;

/// A network with two skip connections, a concatenation and a frozen normalization in it.
pub fn graph() -> Architecture {
    let layer = |class: &str, name: &str, config: serde_json::Value, inputs: &[usize]| {
        let inputs: Vec<LayerInput> = inputs
            .iter()
            .map(|&i| if i == 0 { LayerInput::Model } else { LayerInput::Layer(i - 1) })
            .collect();
        let mut config = config;
        config["name"] = name.into();
        LayerSpec::new(class, config).with_inputs(&inputs)
    };
    let conv = |filters: usize| json!({"filters": filters, "kernel_size": 3, "padding": "same"});
    let layers = vec![
        layer("Conv2D", "a", conv(4), &[0]),
        layer("BatchNormalization", "norm", json!({}), &[1]),
        layer("ReLU", "relu", json!({}), &[2]),
        layer("SeparableConv2D", "b", conv(4), &[3]),
        layer("Add", "add", json!({}), &[4, 3]),
        layer("Activation", "swish", json!({"activation": "hard_silu"}), &[5]),
        layer("Concatenate", "join", json!({}), &[6, 3, 5]),
        layer("ZeroPadding2D", "pad", json!({"padding": [[0, 1], [1, 0]]}), &[7]),
        layer(
            "Conv2D",
            "c",
            json!({"filters": 3, "kernel_size": 2, "strides": 2,
                                     "activation": "leaky_relu"}),
            &[8],
        ),
        layer("GlobalAveragePooling2D", "mean", json!({}), &[9]),
        layer("Rescaling", "scale", json!({"scale": -0.5, "offset": 0.25}), &[10]),
        layer("Dense", "out", json!({"units": 3, "activation": "softmax"}), &[11]),
    ];
    Architecture::new("graph", [6, 6, 2], layers).unwrap()
}

/// Each weight's gradient against the change of the loss: a wrong turn anywhere in a graph shows here.
#[test]
fn gradients_of_a_graph_equal_finite_differences() {
    use convlet::{loss::Loss, metric::one_hot, model::Mode};
    // A seed that keeps every value away from the kinks of ReLU and its like.
    let mut model = Model::new(graph(), 12).unwrap();
    let n = 3;
    let mut rng = Rng::new(2);
    let x: Vec<f32> = (0..n * model.input_len()).map(|_| rng.uniform_in(-1.0, 1.0)).collect();
    let mut targets = vec![0.0; n * 3];
    targets.chunks_mut(3).enumerate().for_each(|(i, row)| one_hot(i, row));
    let loss = |model: &mut Model, backward: bool| {
        model.input_mut(n, Mode::Training).unwrap().copy_from_slice(&x);
        model.forward(n, Mode::Training);
        let (logits, dlogits) = model.output_mut(n);
        let value = Loss::CategoricalCrossentropy.forward(3, logits, &targets);
        if backward {
            Loss::CategoricalCrossentropy.backward(3, logits, &targets, dlogits);
            model.backward(n);
        }
        f64::from(value)
    };
    loss(&mut model, true);
    let gradients: Vec<Vec<f32>> = model.parameters().iter().map(|p| p.gradient.clone()).collect();
    // Large enough that f32's rounding of the loss stays small beside the change.
    let h = 5e-3;
    for (p, gradient) in gradients.iter().enumerate() {
        if !model.parameters()[p].trainable {
            continue;
        }
        let name = model.parameters()[p].name.clone();
        let scale = gradient.iter().fold(1e-3_f32, |max, g| max.max(g.abs()));
        for i in (0..gradient.len()).step_by(3) {
            let mut at = |shift: f32| {
                let before = model.parameters()[p].value[i];
                model.parameters_mut()[p].value[i] = before + shift;
                let value = loss(&mut model, false);
                model.parameters_mut()[p].value[i] = before;
                value
            };
            let expected = (at(h) - at(-h)) / (2.0 * f64::from(h));
            let error = (f64::from(gradient[i]) - expected).abs();
            assert!(error < 0.03 * f64::from(scale), "{name}[{i}]: {} {expected}", gradient[i]);
        }
    }
}

#[test]
fn inference_of_a_graph_equals_its_layers_one_by_one() {
    use convlet::model::Mode;
    let mut model = Model::new(graph(), 11).unwrap();
    // Statistics other than 0 and 1, so that folding them shows.
    for parameter in model.parameters_mut() {
        if parameter.name.starts_with("norm/") {
            let mut rng = Rng::new(4);
            parameter.value.iter_mut().for_each(|x| *x = rng.uniform_in(0.5, 1.5));
        }
    }
    let mut rng = Rng::new(2);
    let x: Vec<f32> = (0..2 * model.input_len()).map(|_| rng.uniform_in(-1.0, 1.0)).collect();
    model.input_mut(2, Mode::Inspection).unwrap().copy_from_slice(&x);
    let plain = model.forward(2, Mode::Inspection).to_vec();
    model.input_mut(2, Mode::Inference).unwrap().copy_from_slice(&x);
    let fused = model.forward(2, Mode::Inference).to_vec();
    for (a, b) in plain.iter().zip(&fused) {
        assert!((a - b).abs() < 50.0 * f32::EPSILON, "{plain:?} {fused:?}");
    }
    assert_eq!(model.layer_output("join", 2).unwrap().len(), 2 * 6 * 6 * 12);
}
