//! What the inspector shows: the arithmetic of a number gives the number, and heat-maps are the gradients they claim.
#![cfg(all(feature = "train", not(target_family = "wasm")))]

use convlet::architecture::{Architecture, LayerInput, LayerSpec};
use convlet::error::ErrorKind;
use convlet::kernel::activation::{Activation, activation_forward};
use convlet::layer::{ActivationLayer, Conv2D, Dense, DepthwiseConv2D};
use convlet::model::{Mode, Model, Rule};
use convlet::rng::Rng;
use serde_json::{Value, json};

/// Layers after one another; where inputs are named, the layer takes those instead.
fn graph(input: [usize; 3], layers: &[(&str, Value, &[usize])], seed: u64) -> Model {
    let specs = layers.iter().enumerate().map(|(i, (class, config, inputs))| {
        let before = i.checked_sub(1).map_or(LayerInput::Model, LayerInput::Layer);
        let named: Vec<_> = inputs.iter().map(|&i| LayerInput::Layer(i)).collect();
        let inputs = if named.is_empty() { vec![before] } else { named };
        LayerSpec::new(class, config.clone()).with_inputs(&inputs)
    });
    let architecture = Architecture::new("graph", input, specs.collect()).unwrap();
    let mut model = Model::new(architecture, seed).unwrap();
    // Neither biases nor statistics stay at 0 and 1.
    let mut rng = Rng::new(seed);
    for parameter in model.parameters_mut() {
        let low = if parameter.name.ends_with("variance") { 0.5 } else { -0.5 };
        if !parameter.name.ends_with("kernel") {
            parameter.value.iter_mut().for_each(|x| *x = low + rng.uniform());
        }
    }
    model
}

fn show(model: &mut Model, seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    let picture: Vec<f32> = (0..model.input_len()).map(|_| rng.uniform()).collect();
    model.input_mut(1, Mode::Inspection).unwrap().copy_from_slice(&picture);
    model.forward(1, Mode::Inspection);
    picture
}

/// The activation that a layer's configuration names.
fn activation(spec: &LayerSpec) -> Activation {
    let (class, config) = (spec.class_name.as_str(), &spec.config);
    match class {
        "Conv2D" => Conv2D::from_config(config).unwrap().activation,
        "DepthwiseConv2D" => DepthwiseConv2D::from_config(config).unwrap().activation,
        "SeparableConv2D" if config.contains_key("activation") => Activation::Tanh,
        "Dense" => Dense::from_config(config).unwrap().activation,
        "Activation" | "ReLU" | "LeakyReLU" | "Softmax" => {
            ActivationLayer::from_config(class, config).unwrap().activation
        }
        _ => Activation::Linear,
    }
}

/// Every number of every layer: the terms are what the layer read, and come to what it put out.
fn adds_up(mut model: Model) {
    let picture = show(&mut model, 7);
    let architecture = model.architecture().clone();
    for (i, spec) in architecture.layers.iter().enumerate() {
        let output = model.layer_output(&spec.name, 1).unwrap().to_vec();
        let inputs: Vec<&[f32]> = spec
            .inputs
            .iter()
            .map(|input| match input {
                LayerInput::Model => &picture[..],
                LayerInput::Layer(i) => {
                    model.layer_output(&architecture.layers[*i].name, 1).unwrap()
                }
            })
            .collect();
        let all: Vec<_> = (0..output.len()).map(|at| model.arithmetic(i, at).unwrap()).collect();
        let mut activated: Vec<f32> = all.iter().map(|a| a.total).collect();
        let kernel = model.layers()[i].output_shape.last().copied().unwrap();
        activation_forward(activation(spec), kernel, &mut activated);
        for (at, a) in all.iter().enumerate() {
            let place = format!("{} ({}) [{at}]", spec.name, spec.class_name);
            assert_eq!(a.output, output[at], "{place}");
            let mut size = a.bias.abs();
            let mut sum = a.bias;
            for term in &a.terms {
                let read = term.index.map_or(0.0, |i| inputs[term.input][i]);
                assert_eq!(term.value, read, "{place}: a term");
                sum += term.value * term.weight;
                size += (term.value * term.weight).abs();
            }
            // As many roundings as there are terms, of sums no larger than `size`; twice, for two orders of adding up,
            // and some for the activation's own, whose slope is at most 1.
            let allowed = (2 * a.terms.len() + 16) as f32 * f32::EPSILON * size.max(1.0);
            let error = (activated[at] - output[at]).abs();
            assert!(error <= allowed, "{place}: {} instead of {}", activated[at], output[at]);
            assert!((sum - a.total).abs() <= allowed, "{place}: terms make {sum}, not {}", a.total);
        }
        assert_eq!(model.arithmetic(i, output.len()), None);
    }
    assert_eq!(model.arithmetic(architecture.layers.len(), 0), None);
}

#[test]
fn the_arithmetic_of_a_chain_adds_up() {
    adds_up(graph(
        [11, 9, 3],
        &[
            ("Rescaling", json!({"scale": 2.0, "offset": -1.0}), &[]),
            (
                "Conv2D",
                json!({"filters": 5, "kernel_size": [3, 2], "strides": [2, 1], "padding": "same",
                              "activation": "relu"}),
                &[],
            ),
            (
                "MaxPooling2D",
                json!({"pool_size": [2, 3], "strides": [1, 2], "padding": "same"}),
                &[],
            ),
            ("Dropout", json!({"rate": 0.5}), &[]),
            ("Flatten", json!({}), &[]),
            ("Dense", json!({"units": 7, "activation": "tanh"}), &[]),
            ("Dense", json!({"units": 3, "activation": "softmax"}), &[]),
        ],
        1,
    ));
}

#[test]
fn the_arithmetic_of_a_graph_adds_up() {
    adds_up(graph(
        [8, 8, 2],
        &[
            ("ZeroPadding2D", json!({"padding": [[1, 0], [2, 1]]}), &[]),
            ("Conv2D", json!({"filters": 4, "kernel_size": 3, "use_bias": false}), &[]),
            ("BatchNormalization", json!({}), &[]),
            ("ReLU", json!({"max_value": 6.0}), &[]),
            (
                "DepthwiseConv2D",
                json!({"kernel_size": 3, "padding": "same", "activation": "sigmoid"}),
                &[],
            ),
            ("Add", json!({}), &[3, 4]),
            (
                "SeparableConv2D",
                json!({"filters": 3, "kernel_size": 3, "padding": "same",
                                       "activation": "tanh"}),
                &[],
            ),
            ("Concatenate", json!({}), &[5, 6]),
            ("AveragePooling2D", json!({"pool_size": 3, "strides": 2, "padding": "same"}), &[]),
            ("LeakyReLU", json!({"negative_slope": 0.1}), &[]),
            ("GlobalAveragePooling2D", json!({}), &[]),
            ("Dense", json!({"units": 4}), &[]),
            ("Softmax", json!({}), &[]),
        ],
        2,
    ));
}

/// Found by fuzzing: what was put side by side had to be images.
#[test]
fn flat_inputs_side_by_side_add_up() {
    adds_up(graph(
        [4, 4, 3],
        &[
            ("GlobalAveragePooling2D", json!({}), &[]),
            ("Dense", json!({"units": 5}), &[]),
            ("Concatenate", json!({}), &[0, 1, 0]),
        ],
        3,
    ));
}

#[test]
fn a_pooling_names_its_maximum() {
    let mut model =
        graph([4, 4, 1], &[("MaxPooling2D", json!({}), &[]), ("Flatten", json!({}), &[])], 3);
    model.input_mut(1, Mode::Inspection).unwrap().copy_from_slice(&[
        1.0, 2.0, 3.0, 3.0, //
        4.0, 0.0, 3.0, 3.0, //
        -1.0, -2.0, 0.0, 0.0, //
        -3.0, -4.0, 0.0, 9.0,
    ]);
    model.forward(1, Mode::Inspection);
    let winners = (0..4).map(|at| {
        let a = model.arithmetic(0, at).unwrap();
        assert_eq!(a.rule, Rule::Max);
        a.terms.iter().find(|term| term.weight == 1.0).unwrap().index.unwrap()
    });
    assert_eq!(winners.collect::<Vec<_>>(), [4, 2, 8, 15]);
}

/// Smooth, with all that behaves otherwise in training; ends in logits.
fn smooth(head: &[(&'static str, Value, &'static [usize])]) -> Model {
    let mut layers: Vec<(&str, Value, &[usize])> = vec![
        ("Conv2D", json!({"filters": 4, "kernel_size": 3, "activation": "tanh"}), &[]),
        ("BatchNormalization", json!({}), &[]),
        ("Dropout", json!({"rate": 0.5}), &[]),
        ("Conv2D", json!({"filters": 4, "kernel_size": 3, "padding": "same"}), &[]),
        ("BatchNormalization", json!({}), &[]),
        ("Add", json!({}), &[2, 4]),
        ("Activation", json!({"activation": "silu"}), &[]),
    ];
    layers.extend_from_slice(head);
    graph([6, 6, 2], &layers, 4)
}

#[test]
fn saliency_is_the_gradient() {
    let mut model =
        smooth(&[("GlobalAveragePooling2D", json!({}), &[]), ("Dense", json!({"units": 3}), &[])]);
    let picture = show(&mut model, 5);
    let before = weights(&model);
    for class in 0..3 {
        let saliency = model.saliency(class).unwrap();
        assert_eq!(saliency.len(), 36);
        let mut logit = |i: usize, step: f32| {
            let mut x = picture.clone();
            x[i] += step;
            let x = ndarray::Array4::from_shape_vec((1, 6, 6, 2), x).unwrap();
            model.predict(x.view()).unwrap()[[0, class]]
        };
        // A central difference errs by its step squared times a sixth of the third derivative, below 1 here, and by the
        // rounding of logits below 1 over its step: some 2e-5 and 1e-5.
        let step = 1e-2;
        for (place, &got) in saliency.iter().enumerate() {
            let mut slope = |i| (logit(i, step) - logit(i, -step)) / (2.0 * step);
            let expected = slope(2 * place).abs().max(slope(2 * place + 1).abs());
            assert!((got - expected).abs() < 1e-4, "{place}: {got} instead of {expected}");
        }
        let most = saliency.iter().fold(0.0_f32, |most, &dx| most.max(dx));
        assert!(most > 2e-3, "a network that depends on nothing: {most}");
    }
    assert_eq!(weights(&model), before, "a heat-map changes neither weights nor statistics");
    assert!(model.parameters().iter().all(|p| p.gradient.is_empty()));
    let moving = |name: &str| name.contains("moving");
    assert!(model.parameters().iter().all(|p| p.trainable != moving(&p.name)));
}

#[test]
fn class_activation_under_a_mean_is_cam() {
    let mut model =
        smooth(&[("GlobalAveragePooling2D", json!({}), &[]), ("Dense", json!({"units": 3}), &[])]);
    show(&mut model, 5);
    assert_eq!(model.last_image(), Some(6));
    let maps = model.layer_output("activation", 1).unwrap().to_vec();
    let dense = model.parameters().iter().find(|p| p.name == "dense/kernel").unwrap().value.clone();
    for class in 0..3 {
        let got = model.class_activation(6, class).unwrap();
        let expected = maps.chunks(4).map(|pixel| {
            let products = pixel.iter().enumerate().map(|(c, x)| x * dense[c * 3 + class] / 16.0);
            products.sum::<f32>().max(0.0)
        });
        let largest = maps.iter().chain(&dense).fold(0.0_f32, |most, x| most.max(x.abs()));
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() <= 32.0 * f32::EPSILON * largest * largest);
        }
    }
}

#[test]
fn class_activation_before_dense_layers_is_grad_cam() {
    let mut model = graph(
        [5, 5, 1],
        &[
            ("Conv2D", json!({"filters": 2, "kernel_size": 3, "activation": "relu"}), &[]),
            ("Flatten", json!({}), &[]),
            ("Dense", json!({"units": 1, "activation": "sigmoid"}), &[]),
        ],
        6,
    );
    show(&mut model, 8);
    let maps = model.layer_output("conv2d", 1).unwrap().to_vec();
    let dense = model.parameters().iter().find(|p| p.name == "dense/kernel").unwrap().value.clone();
    let mean = |c: usize| dense.iter().skip(c).step_by(2).sum::<f32>() / 9.0;
    let [no, yes] = [0, 1].map(|class| model.class_activation(0, class).unwrap());
    for (place, pixel) in maps.chunks(2).enumerate() {
        let speaks = pixel[0] * mean(0) + pixel[1] * mean(1);
        assert!((yes[place] - speaks.max(0.0)).abs() < 1e-5, "{place}");
        assert!((no[place] - (-speaks).max(0.0)).abs() < 1e-5, "{place}");
    }
    assert!(yes.iter().chain(&no).any(|&x| x > 0.0));
}

#[test]
fn what_cannot_be_shown_is_said() {
    let mut model = smooth(&[("Flatten", json!({}), &[]), ("Dense", json!({"units": 3}), &[])]);
    assert_eq!(model.arithmetic(0, 0), None, "nothing was shown yet");
    assert_eq!(model.saliency(0).unwrap_err().kind(), ErrorKind::Argument);
    show(&mut model, 5);
    assert!(model.saliency(3).unwrap_err().to_string().contains("below 3"));
    assert!(model.class_activation(7, 0).unwrap_err().to_string().contains("images"));
    let mut bare = graph(
        [4, 4, 1],
        &[
            ("BatchNormalization", json!({"scale": false, "center": false}), &[]),
            ("Flatten", json!({}), &[]),
            ("Dense", json!({"units": 2}), &[]),
        ],
        9,
    );
    show(&mut bare, 5);
    assert!(bare.saliency(0).unwrap_err().to_string().contains("gamma or beta"));
}

/// All weights and statistics.
fn weights(model: &Model) -> Vec<Vec<f32>> {
    model.parameters().iter().map(|p| p.value.clone()).collect()
}
