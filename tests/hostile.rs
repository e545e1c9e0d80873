//! Model files of Keras's making and of an attacker's, down to the answer: a picture is classified or an error says
//! why not, without a panic and without a network that would take gigabytes.
#![cfg(feature = "cli")]

use convlet::architecture::{Architecture, LayerInput, LayerSpec};
use convlet::classifier::Classifier;
use convlet::error::{ErrorKind, Result};
use convlet::model::{Mode, Model};
use proptest::prelude::*;
use serde_json::{Value, json};

const KERAS: &[u8] = include_bytes!("fixtures/keras.safetensors");

/// Keras's file with its metadata changed: weights stay.
fn with_metadata(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let end = 8 + u64::from_le_bytes(KERAS[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&KERAS[8..end]).unwrap();
    change(&mut header["__metadata__"]);
    let header = header.to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &KERAS[end..]].concat()
}

/// Keras's file with its architecture changed: weights and labels stay.
fn changed(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    with_metadata(|metadata| {
        let text = metadata["architecture"].as_str().unwrap();
        let mut architecture = serde_json::from_str(text).unwrap();
        change(&mut architecture);
        metadata["architecture"] = architecture.to_string().into();
    })
}

fn classify(file: &[u8]) -> Result<Vec<f32>> {
    let mut classifier = Classifier::from_bytes(file)?;
    let picture = image::load_from_memory(include_bytes!("fixtures/keras.png")).unwrap().to_rgba8();
    classifier
        .classify(&picture, picture.width() as usize, picture.height() as usize)
        .map(<[f32]>::to_vec)
}

#[test]
fn a_picture_is_what_keras_says_it_is() {
    let expected: Value = serde_json::from_str(include_str!("fixtures/keras.json")).unwrap();
    let got = classify(KERAS).unwrap();
    for (i, label) in ["cat", "dog"].iter().enumerate() {
        let expected = expected[label].as_f64().unwrap() as f32;
        // 24 + 8 sums at most 36 terms long lie behind the output, whose slope is at most 1/4.
        assert!(
            (got[i] - expected).abs() < 36.0 * f32::EPSILON,
            "{label}: {expected}, got {}",
            got[i]
        );
    }
}

#[test]
fn a_network_that_cannot_be_built_is_named() {
    for (layer, key, value, kind, expected) in [
        (1, "filters", json!(1_u64 << 40), ErrorKind::Architecture, "conv2d"),
        (1, "filters", json!(0), ErrorKind::Architecture, "conv2d"),
        (1, "filters", json!(-1), ErrorKind::Architecture, "conv2d"),
        (1, "filters", json!("4"), ErrorKind::Architecture, "conv2d"),
        (1, "filters", json!(5), ErrorKind::File, "conv2d/kernel"),
        (1, "use_bias", json!(false), ErrorKind::File, "conv2d/bias"),
        (1, "kernel_size", json!([0, 3]), ErrorKind::Architecture, "conv2d"),
        (1, "kernel_size", json!([3]), ErrorKind::Architecture, "conv2d"),
        (1, "kernel_size", json!([15, 3]), ErrorKind::Shape, "conv2d"),
        (1, "strides", json!([0, 0]), ErrorKind::Architecture, "conv2d"),
        (1, "strides", json!([u64::MAX, 1]), ErrorKind::Architecture, "conv2d"),
        (1, "padding", json!("causal"), ErrorKind::Architecture, "conv2d"),
        (1, "data_format", json!("channels_first"), ErrorKind::Architecture, "conv2d"),
        (1, "dilation_rate", json!([2, 2]), ErrorKind::Architecture, "conv2d"),
        (1, "groups", json!(2), ErrorKind::Architecture, "conv2d"),
        (1, "activation", json!("mish"), ErrorKind::Architecture, "conv2d"),
        (2, "pool_size", json!([0, 0]), ErrorKind::Architecture, "max_pooling2d"),
        (2, "pool_size", json!([1000, 1000]), ErrorKind::Architecture, "max_pooling2d"),
        (6, "units", json!(1_u64 << 62), ErrorKind::Architecture, "dense"),
        (7, "units", json!(3), ErrorKind::File, "dense_1/kernel"),
    ] {
        let bytes =
            changed(|model| model["config"]["layers"][layer]["config"][key] = value.clone());
        let error = classify(&bytes).expect_err(&format!("{key}: {value}"));
        assert_eq!(error.kind(), kind, "{key}: {value}: {error}");
        assert!(error.to_string().contains(expected), "{key}: {value}: {error}");
    }
    let unknown = changed(|model| model["config"]["layers"][1]["class_name"] = json!("Conv3D"));
    assert!(classify(&unknown).unwrap_err().to_string().contains("Conv3D"));
}

#[test]
fn a_network_that_costs_hours_or_gigabytes_is_refused() {
    let sized = |h: u64, c: u64, layer: usize, key: &str, value: Value| {
        changed(|model| {
            let layers = &mut model["config"]["layers"];
            layers[0]["config"]["batch_shape"] = json!([null, h, h, c]);
            layers[layer]["config"]["padding"] = json!("same");
            layers[layer]["config"][key] = value;
        })
    };
    for (file, kind, expected) in [
        (
            sized(4096, 3, 1, "kernel_size", json!([255, 255])),
            ErrorKind::Architecture,
            "at most 68719476736 multiplications and 4294967296 bytes",
        ),
        (
            sized(14, 3, 1, "kernel_size", json!([5000, 1])),
            ErrorKind::Shape,
            "a window of at most 4096 a side",
        ),
        (
            sized(4096, 64, 1, "kernel_size", json!([3, 3])),
            ErrorKind::Shape,
            "at most 536870912 numbers in the bordered image",
        ),
        (
            sized(64, 3, 1, "filters", json!(1 << 20)),
            ErrorKind::Shape,
            "at most 536870912 numbers in the bordered image",
        ),
        (
            sized(4096, 4096, 0, "name", json!("input")),
            ErrorKind::Shape,
            "at most 536870912 numbers in the bordered image",
        ),
        (
            sized(2048, 3, 1, "kernel_size", json!([2048, 2048])),
            ErrorKind::Shape,
            "expected kernels of at most 536870912 numbers",
        ),
        (
            sized(14, 3, 2, "pool_size", json!([65536, 65536])),
            ErrorKind::Architecture,
            "at most 255 places",
        ),
    ] {
        let error = classify(&file).expect_err(expected);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(expected), "expected {expected:?} in \"{error}\"");
    }
}

fn model(side: usize, channels: usize, layers: Vec<LayerSpec>) -> Result<Model> {
    Model::new(Architecture::sequential([side, side, channels], layers)?, 1)
}

#[test]
fn costs_are_counted_over_all_layers_and_buffers() {
    let pool = |size| {
        let config = json!({"pool_size": size, "strides": 1, "padding": "same"});
        LayerSpec::new("AveragePooling2D", config)
    };
    let separable = json!({"filters": 4096, "kernel_size": 1});
    // Alike in what each layer takes, and too many.
    let branch = |i| {
        LayerSpec::new(
            "Conv2D",
            json!({"filters": 1, "kernel_size": 1024, "name": format!("c{i}")}),
        )
        .with_inputs(&[LayerInput::Model])
    };
    let sum = |count| {
        let all: Vec<_> = (0..count).map(LayerInput::Layer).collect();
        LayerSpec::new("Add", json!({})).with_inputs(&all)
    };
    let branches = |count| {
        let layers = (0..count).map(branch).chain([sum(count)]).collect();
        Model::new(Architecture::new("branches", [1024, 1024, 3], layers)?, 1)
    };
    let whole = LayerSpec::new("GlobalAveragePooling2D", json!({}));
    for (refused, expected) in [
        (model(2048, 3, vec![pool(100)]), "got 125829120000 and"),
        (
            model(64, 4096, vec![LayerSpec::new("SeparableConv2D", separable)]),
            "got 68736253952 and",
        ),
        (
            model(4096, 4096, vec![whole]),
            "268435456 activations in the network, got 0 and 68719480832",
        ),
        (branches(30), "and 4294967296 bytes of memory a picture, got 94371870 and "),
    ] {
        let error = refused.expect_err(expected);
        assert_eq!(error.kind(), ErrorKind::Architecture, "{error}");
        assert!(error.to_string().contains(expected), "expected {expected:?} in \"{error}\"");
    }
    assert!(branches(2).is_ok() && model(2048, 3, vec![pool(10)]).is_ok());
    for side in [64, 128, 512] {
        let article = Architecture { input_shape: [side, side, 3], ..Architecture::article() };
        Model::new(article, 1).unwrap();
    }
}

#[test]
fn a_batch_that_takes_gigabytes_is_refused() {
    let mut model = Model::new(Architecture::article(), 1).unwrap();
    for mode in [Mode::Inference, Mode::Training, Mode::Inspection] {
        for n in [100_000, usize::MAX] {
            let error = model.input_mut(n, mode).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Argument);
            assert!(error.to_string().starts_with(&format!("a batch of {n}: expected")), "{error}");
        }
        assert_eq!(model.input_mut(2, mode).unwrap().len(), 2 * 64 * 64 * 3);
    }
}

/// Found by fuzzing: a network whose only layer does nothing in inference answered for as many pictures as there was room for.
#[test]
fn a_network_that_does_nothing_answers_for_each_picture_alone() {
    let mut model = model(1, 3, vec![LayerSpec::new("Dropout", json!({"rate": 0.5}))]).unwrap();
    model.input_mut(5, Mode::Inference).unwrap().fill(0.5);
    assert_eq!(model.forward(5, Mode::Inference), [0.5; 15]);
    assert_eq!(model.forward(2, Mode::Inference), [0.5; 6]);
}

/// Found by fuzzing: 100,000 samples were asked for after room for one.
#[test]
fn nothing_comes_of_more_samples_than_there_is_room_for() {
    let mut model = Model::new(Architecture::article(), 1).unwrap();
    for mode in [Mode::Inference, Mode::Training, Mode::Inspection] {
        model.input_mut(1, mode).unwrap().fill(0.5);
        assert_eq!(model.forward(1, mode).len(), 1);
        assert!(model.forward(2, mode).is_empty());
    }
    model.backward(2);
    assert!(model.output_mut(2).0.is_empty() && model.output_mut(1).0.len() == 1);
    assert_eq!(model.input_gradient(2), None);
    assert_eq!(model.layer_output("dense", 2), None);
    assert_eq!(model.layer_output("dense", 1).map(<[f32]>::len), Some(128));
}

#[test]
fn no_temperature_makes_probabilities_vanish() {
    let at = |temperature: Value| {
        let confidence = json!({"temperature": temperature}).to_string();
        classify(&with_metadata(|metadata| metadata["confidence"] = confidence.into()))
    };
    for (temperature, cat) in [(1e-44, 1.0), (1e-3, 1.0), (1.0, 0.743_541), (1e38, 0.5)] {
        let got = at(json!(temperature)).unwrap();
        assert!((got[0] - cat).abs() < 1e-5 && (got[0] + got[1] - 1.0).abs() < 1e-6, "{got:?}");
    }
    for temperature in [json!(0), json!(-1), json!(1e300), json!("hot")] {
        assert_eq!(at(temperature).unwrap_err().kind(), ErrorKind::File);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..Default::default() })]

    /// Any argument of any layer replaced: an answer that is a probability, or an error.
    #[test]
    fn a_changed_argument_never_panics(layer in 0_usize..8, key: prop::sample::Index, value in value()) {
        let bytes = changed(|model| {
            if let Some(config) = model["config"]["layers"][layer]["config"].as_object_mut() {
                let key = config.keys().nth(key.index(config.len())).unwrap().clone();
                config[&key] = value;
            }
        });
        if let Ok(probabilities) = classify(&bytes) {
            prop_assert!(probabilities.iter().all(|p| p.is_finite()), "{:?}", probabilities);
        }
    }
}

fn value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![0_u64..5, 1_u64 << 31..1 << 33, Just(u64::MAX)];
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|v| json!(v)),
        number.clone().prop_map(|v| json!(v)),
        prop::collection::vec(number, 0..4).prop_map(|v| json!(v)),
        prop::sample::select(vec![
            "same",
            "valid",
            "relu",
            "softmax",
            "linear",
            "",
            "channels_last"
        ])
        .prop_map(|v| json!(v)),
        prop::sample::select(vec![-1.0, 0.5, 1e300]).prop_map(|v| json!(v)),
        Just(json!({"class_name": "Zeros", "config": {}})),
    ]
}
