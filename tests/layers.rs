//! Every layer at any size: 1, primes, a vector's width and one more or less. Whatever fits is the same fused and not,
//! alone and in a batch, and can be trained; a batch of none is none.
#![cfg(all(feature = "train", not(target_family = "wasm")))]

use convlet::architecture::{Architecture, LayerInput, LayerSpec};
use convlet::error::ErrorKind;
use convlet::model::{Mode, Model};
use convlet::optimizer::Optimizer;
use convlet::rng::Rng;
use convlet::train::train_on_batch;
use ndarray::{Array2, Array4, ArrayView4, Axis};
use proptest::prelude::*;
use serde_json::json;

const CHANNELS: [usize; 12] = [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33];
const SIDES: [usize; 10] = [1, 2, 3, 4, 5, 7, 8, 9, 13, 16];

fn activation() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["linear", "relu", "relu6", "sigmoid", "tanh", "silu", "softmax"])
}

/// A layer that takes an image of `channels`.
fn layer() -> impl Strategy<Value = LayerSpec> {
    let channels = prop::sample::select(CHANNELS.to_vec());
    let size = (1_usize..5, 1_usize..5);
    let padding = prop::sample::select(vec!["valid", "same"]);
    let strides = (1_usize..4, 1_usize..4);
    (0..14, channels, size, strides, padding, activation()).prop_map(
        |(class, filters, size, strides, padding, activation)| {
            let (size, strides) = ([size.0, size.1], [strides.0, strides.1]);
            let window = json!({"kernel_size": size, "strides": strides, "padding": padding,
                "pool_size": size, "filters": filters, "activation": activation});
            let square = json!({"kernel_size": size, "filters": filters, "padding": padding});
            let (class, config) = match class {
                0 | 1 => ("Conv2D", window),
                2 => ("DepthwiseConv2D", json!({"kernel_size": size, "padding": padding})),
                3 => ("SeparableConv2D", square),
                4 => ("MaxPooling2D", window),
                5 => ("AveragePooling2D", window),
                6 => ("ZeroPadding2D", json!({"padding": [[size[0] - 1, 0], [1, strides[1] - 1]]})),
                7 => ("BatchNormalization", json!({})),
                8 => ("Activation", json!({"activation": activation})),
                9 => ("Rescaling", json!({"scale": 0.5, "offset": -0.25})),
                10 => ("LeakyReLU", json!({"negative_slope": 0.1})),
                11 => ("Dropout", json!({"rate": 0.25})),
                12 => ("Add", json!({})),
                _ => ("Concatenate", json!({})),
            };
            LayerSpec::new(class, config)
        },
    )
}

/// The layers one after the other, an Add or a Concatenate taking its input twice; then a Dense of `units`.
fn network(input: [usize; 3], layers: Vec<LayerSpec>, pools: bool, units: usize) -> Architecture {
    let mut specs = layers;
    specs.push(LayerSpec::new(if pools { "GlobalAveragePooling2D" } else { "Flatten" }, json!({})));
    specs.push(LayerSpec::new("Dense", json!({"units": units, "activation": "softmax"})));
    for (i, spec) in specs.iter_mut().enumerate() {
        let before = if i == 0 { LayerInput::Model } else { LayerInput::Layer(i - 1) };
        let is_joint = ["Add", "Concatenate"].contains(&&spec.class_name[..]);
        spec.inputs = vec![before; 1 + usize::from(is_joint)];
    }
    Architecture::new("any", input, specs).unwrap()
}

fn inspected(model: &mut Model, x: ArrayView4<f32>) -> Vec<f32> {
    let n = x.dim().0;
    let input = model.input_mut(n, Mode::Inspection).unwrap();
    input.iter_mut().zip(x).for_each(|(to, from)| *to = *from);
    model.forward(n, Mode::Inspection).to_vec()
}

fn assert_near(a: &[f32], b: &[f32], layers: &[LayerSpec]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() < 1e-4, "{a} and {b}: {layers:?}");
    }
}

/// x + x is 2 x, and so is its gradient.
#[test]
fn a_layer_may_take_an_input_twice() {
    let trained = |twice: LayerSpec| {
        let layers = vec![LayerSpec::new("BatchNormalization", json!({})), twice];
        let mut model = Model::new(network([3, 2, 4], layers, false, 3), 5).unwrap();
        let x = Array4::from_shape_fn((2, 3, 2, 4), |(n, y, x, c)| (n + y * x + c) as f32 * 0.1);
        let targets = Array2::from_shape_fn((2, 3), |(i, j)| f32::from(u8::from(i == j)));
        let mut optimizer = Optimizer::adam(0.01);
        for _ in 0..3 {
            train_on_batch(&mut model, &mut optimizer, x.view(), targets.view()).unwrap();
        }
        model.parameters().iter().map(|p| p.value.clone()).collect::<Vec<_>>()
    };
    let doubled = trained(LayerSpec::new("Rescaling", json!({"scale": 2, "offset": 0})));
    assert_eq!(trained(LayerSpec::new("Add", json!({}))), doubled);
}

/// Pictures so large that inference takes them one by one up to the first Dense layer; what it read there, and the
/// pictures themselves, are needed by layers behind it as well.
#[test]
fn pictures_that_fill_the_cache_are_the_same_alone_and_in_a_batch() {
    let (model, layer) = (LayerInput::Model, LayerInput::Layer);
    let same = json!({"filters": 8, "kernel_size": 3, "padding": "same", "activation": "relu"});
    let layers = [
        ("Conv2D", same, vec![model]),
        ("BatchNormalization", json!({}), vec![layer(0)]),
        ("Add", json!({}), vec![layer(1), model]),
        ("Flatten", json!({}), vec![layer(2)]),
        ("Dense", json!({"units": 4, "activation": "tanh"}), vec![layer(3)]),
        ("MaxPooling2D", json!({"pool_size": 3}), vec![layer(2)]),
        ("GlobalAveragePooling2D", json!({}), vec![layer(5)]),
        ("GlobalAveragePooling2D", json!({}), vec![model]),
        ("Concatenate", json!({}), vec![layer(4), layer(6), layer(7)]),
        ("Dense", json!({"units": 3, "activation": "softmax"}), vec![layer(8)]),
    ];
    let specs = layers.map(|(class, config, inputs)| {
        let serde_json::Value::Object(config) = config else { unreachable!() };
        LayerSpec { inputs, ..LayerSpec::new(class, config) }
    });
    let mut model =
        Model::new(Architecture::new("large", [96, 96, 8], specs.into()).unwrap(), 3).unwrap();
    let mut rng = Rng::new(7);
    let x = Array4::from_shape_simple_fn((5, 96, 96, 8), || rng.uniform_in(-1.0, 1.0));
    let together = model.predict(x.view()).unwrap();
    for (x, together) in x.axis_iter(Axis(0)).zip(together.rows()) {
        let x = x.insert_axis(Axis(0));
        assert_eq!(model.predict(x).unwrap().row(0), together);
        assert_near(&inspected(&mut model, x), together.as_slice().unwrap(), &[]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_size_is_the_same_fused_and_not_alone_and_in_a_batch(
        h in prop::sample::select(SIDES.to_vec()),
        w in prop::sample::select(SIDES.to_vec()),
        c in prop::sample::select(vec![1_usize, 3, 8, 17]),
        layers in prop::collection::vec(layer(), 1..4),
        pools in any::<bool>(),
        units in prop::sample::select(CHANNELS.to_vec()),
        n in 1_usize..5,
    ) {
        let architecture = network([h, w, c], layers.clone(), pools, units);
        let mut model = match Model::new(architecture, 3) {
            Ok(model) => model,
            // Windows of no place are all that does not fit.
            Err(error) => {
                prop_assert_eq!(error.kind(), ErrorKind::Shape);
                prop_assert!(error.to_string().contains("does not fit into"), "{}", error);
                return Ok(());
            }
        };
        let mut rng = Rng::new(7);
        let x = Array4::from_shape_simple_fn((n, h, w, c), || rng.uniform_in(-1.0, 1.0));
        let together = model.predict(x.view()).unwrap();
        prop_assert_eq!(together.dim(), (n, units));
        assert_near(together.as_slice().unwrap(), &inspected(&mut model, x.view()), &layers);
        let alone: Vec<_> = x.axis_iter(Axis(0))
            .map(|x| model.predict(x.insert_axis(Axis(0))).unwrap())
            .collect();
        let views: Vec<_> = alone.iter().map(|y| y.view()).collect();
        assert_near(
            ndarray::concatenate(Axis(0), &views).unwrap().as_slice().unwrap(),
            together.as_slice().unwrap(),
            &layers,
        );
        prop_assert_eq!(model.predict(Array4::zeros((0, h, w, c)).view()).unwrap().dim(), (0, units));

        let targets = Array2::from_shape_fn((n, units), |(i, j)| f32::from(u8::from(j == i % units)));
        let mut optimizer = Optimizer::adam(0.001);
        let (loss, _) = train_on_batch(&mut model, &mut optimizer, x.view(), targets.view()).unwrap();
        prop_assert!(loss.is_finite());
        for parameter in model.parameters().iter().filter(|parameter| parameter.trainable) {
            prop_assert_eq!(parameter.gradient.len(), parameter.value.len());
            prop_assert!(parameter.gradient.iter().all(|d| d.is_finite()), "{:?}", layers);
        }
    }
}
