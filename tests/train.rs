//! Whole trainings: that they learn, that they repeat, and that a seed is all there is to them.
#![cfg(all(feature = "train", not(target_family = "wasm")))]

use convlet::architecture::{Architecture, LayerInput, LayerSpec};
use convlet::error::ErrorKind;
use convlet::layer::{Activation, Conv2D, Dense, Dropout, Flatten, Layer, MaxPooling2D, Parameter};
use convlet::loss::Loss;
use convlet::model::Model;
use convlet::optimizer::Optimizer;
use convlet::rng::Rng;
use convlet::train::{
    Dataset, Event, FitOptions, Flow, Schedule, Trainer, evaluate, fit, train_on_batch,
};
use ndarray::{Array4, array};
use serde_json::json;

/// Pictures of 8 x 8 with a bright row (class 0) or column (class 1) on noise.
struct Stripes(usize);

impl Dataset for Stripes {
    fn len(&self) -> usize {
        self.0
    }

    fn label(&self, index: usize) -> usize {
        index % 2
    }

    fn load(&self, index: usize, rng: Option<&mut Rng>, x: &mut [f32]) {
        let mut own = Rng::new(9).fork(index as u64);
        let place = own.below(8);
        x.iter_mut().for_each(|x| *x = own.uniform_in(0.0, 0.3));
        for i in 0..8 {
            let (row, column) = if index.is_multiple_of(2) { (place, i) } else { (i, place) };
            x[row * 8 + column] += 0.7;
        }
        if let Some(rng) = rng {
            x.iter_mut().for_each(|x| *x += rng.uniform_in(-0.05, 0.05));
        }
    }
}

fn model(seed: u64) -> Model {
    let layers: Vec<Box<dyn Layer>> = vec![
        Box::new(Conv2D::new(6, 3).activation(Activation::Relu)),
        Box::new(MaxPooling2D::new(2)),
        Box::new(Flatten),
        Box::new(Dropout::new(0.1)),
        Box::new(Dense::new(1).activation(Activation::Sigmoid)),
    ];
    Model::sequential([8, 8, 1], layers, seed).unwrap()
}

fn options() -> FitOptions {
    FitOptions { epochs: 12, batch_size: 16, seed: 5, ..FitOptions::default() }
}

fn weights(model: &Model) -> Vec<u32> {
    model.parameters().iter().flat_map(|p| &p.value).map(|x| x.to_bits()).collect()
}

#[test]
fn learns_and_validates() {
    let mut model = model(1);
    let validation = Stripes(60);
    let data = Stripes(200);
    let optimizer = Optimizer::adam(0.01);
    let history =
        fit(&mut model, optimizer, &data, Some(&validation), options(), |_, _| Flow::Continue)
            .unwrap();
    assert_eq!(history.len(), 12);
    let last = history.last().unwrap();
    assert!(last.loss < history[0].loss / 3.0, "{history:?}");
    assert!(last.val_accuracy.unwrap() > 0.95, "{history:?}");
    let (loss, accuracy) = evaluate(&mut model, &validation, 7, |_, _, _| ()).unwrap();
    assert_eq!(Some(accuracy), last.val_accuracy);
    assert!((loss - last.val_loss.unwrap()).abs() < 1e-6);
}

#[test]
fn one_seed_gives_one_training() {
    let train = |seed: u64| {
        let mut model = model(seed);
        let options = FitOptions { epochs: 2, seed, mix_up: 0.2, ..options() };
        let mut optimizer = Optimizer::adam(0.01);
        optimizer.weight_decay = 0.01;
        optimizer.global_clipnorm = Some(1.0);
        optimizer.ema_momentum = Some(0.9);
        fit(&mut model, optimizer, &Stripes(40), None, options, |_, _| Flow::Continue).unwrap();
        weights(&model)
    };
    assert_eq!(train(3), train(3));
    assert_ne!(train(3), train(4));
}

/// Each option does something: none of these trainings is another.
#[test]
fn every_option_changes_the_training() {
    let train = |change: fn(&mut FitOptions, &mut Optimizer)| {
        let (mut model, mut options) = (model(3), FitOptions { epochs: 2, ..options() });
        let mut optimizer = Optimizer::adam(0.01);
        change(&mut options, &mut optimizer);
        fit(&mut model, optimizer, &Stripes(40), None, options, |_, _| Flow::Continue).unwrap();
        weights(&model)
    };
    let trainings = [
        train(|_, _| ()),
        train(|options, _| options.seed = 6),
        train(|options, _| options.batch_size = 17),
        train(|options, _| options.mix_up = 0.2),
        train(|options, _| options.label_smoothing = 0.1),
        train(|options, _| options.schedule = Schedule::Cosine { warmup: 1.0 }),
        train(|_, optimizer| optimizer.weight_decay = 0.1),
        train(|_, optimizer| optimizer.global_clipnorm = Some(0.1)),
        train(|_, optimizer| optimizer.ema_momentum = Some(0.9)),
    ];
    for (i, one) in trainings.iter().enumerate() {
        assert!(trainings[..i].iter().all(|other| other != one), "number {i}");
    }
}

/// The average of a weight that goes 0.9, 0.8, 0.7: of step t by (1 + t) / (10 + t), as long as that is below the momentum.
#[test]
fn young_averages_are_short() {
    let mut optimizer = Optimizer::sgd(0.1, 0.0, false);
    optimizer.ema_momentum = Some(0.29);
    let (name, shape, gradient) = ("w".to_owned(), vec![1], vec![1.0]);
    let mut weight = [Parameter { name, shape, value: vec![1.0], gradient, trainable: true }];
    let mut expected = 0.9;
    for (step, value) in [(1.0, 0.9), (2.0, 0.8), (3.0, 0.7_f32)] {
        optimizer.step(&mut weight).unwrap();
        assert!((weight[0].value[0] - value).abs() < 1e-6);
        expected += (value - expected) * (1.0 - f32::min(0.29, (1.0 + step) / (10.0 + step)));
    }
    optimizer.swap_average(&mut weight);
    assert!((weight[0].value[0] - expected).abs() < 1e-6, "{} {expected}", weight[0].value[0]);
}

/// Training has logits, validation probabilities: the loss of both is one.
#[test]
fn validation_computes_the_loss_of_training() {
    for (activation, logits, targets) in [
        (Activation::Sigmoid, &[-1.5_f32, 0.4][..], &[0.0, 1.0][..]),
        (Activation::Sigmoid, &[-1.5, 2.0], &[0.3, 0.9]),
        (Activation::Softmax, &[-1.5, 2.0, 0.5], &[0.0, 1.0, 0.0]),
        (Activation::Softmax, &[-1.5, 2.0, 0.5], &[0.2, 0.7, 0.1]),
    ] {
        let loss = Loss::for_activation(activation).unwrap();
        let in_training = loss.forward(logits.len(), logits, targets);
        let exp = |z: &f32| z.exp();
        let sum: f32 = logits.iter().map(exp).sum();
        let probability = |z: &f32| match activation {
            Activation::Sigmoid => exp(z) / (1.0 + exp(z)),
            _ => exp(z) / sum,
        };
        let p: Vec<f32> = logits.iter().map(probability).collect();
        let in_validation = loss.of_probabilities(&p, targets);
        assert!((in_training - in_validation).abs() < 1e-6, "{in_training} {in_validation}");
        // What is certain costs next to nothing, or a lot, and not all that there is.
        let sure = |p: f32| loss.of_probabilities(&[p, 1.0 - p], &[1.0, 0.0]);
        assert!(sure(1.0) > 0.0 && sure(1.0) < 1e-6 && (7.0..17.0).contains(&sure(0.0)));
    }
}

#[test]
fn a_restarted_optimizer_takes_a_first_step() {
    let x = Array4::from_shape_fn((4, 8, 8, 1), |(n, y, x, _)| ((n * 7 + y * 3 + x) % 5) as f32);
    let targets = array![[0.0], [1.0], [0.0], [1.0]];
    let step = |model: &mut Model, optimizer: &mut Optimizer| {
        train_on_batch(model, optimizer, x.view(), targets.view()).unwrap();
        weights(model)
    };
    let mut used = Optimizer::adam(0.01);
    step(&mut model(3), &mut used);
    assert_ne!(
        step(&mut model(4), &mut used.clone()),
        step(&mut model(4), &mut Optimizer::adam(0.01))
    );
    used.restart();
    assert_eq!(step(&mut model(4), &mut used), step(&mut model(4), &mut Optimizer::adam(0.01)));
}

#[test]
fn a_callback_stops() {
    let mut model = model(1);
    let mut steps = 0;
    let history = fit(&mut model, Optimizer::adam(0.01), &Stripes(64), None, options(), |_, e| {
        steps += usize::from(matches!(e, Event::Step(_)));
        if steps == 6 { Flow::Stop } else { Flow::Continue }
    })
    .unwrap();
    assert_eq!((steps, history.len()), (6, 2));
}

#[test]
fn stops_early_and_keeps_the_best() {
    let mut model = model(1);
    let options = FitOptions {
        epochs: 60,
        early_stopping: Some(3),
        restore_best_weights: true,
        // So steep a fall that nothing improves after it.
        schedule: Schedule::ReduceOnPlateau { factor: 0.0, patience: 1 },
        ..options()
    };
    let mut trainer = Trainer::new(options, Optimizer::adam(0.05));
    let validation = Stripes(30);
    trainer.fit(&mut model, &Stripes(100), Some(&validation), |_, _| Flow::Continue).unwrap();
    let history = trainer.history();
    assert!(history.len() < 60, "{history:?}");
    let best = history.iter().filter_map(|logs| logs.val_accuracy).fold(0.0, f32::max);
    let (_, accuracy) = evaluate(&mut model, &validation, 16, |_, _, _| ()).unwrap();
    assert_eq!(accuracy, best);
}

#[test]
fn patience_counts_the_epochs_without_a_lower_loss() {
    let options = FitOptions { epochs: 5, early_stopping: Some(1), ..options() };
    let mut trainer = Trainer::new(options, Optimizer::adam(0.02));
    trainer.fit(&mut model(1), &Stripes(100), None, |_, _| Flow::Continue).unwrap();
    let losses: Vec<f32> = trainer.history().iter().map(|logs| logs.loss).collect();
    assert!(losses.is_sorted_by(|a, b| a > b), "a training that gets better: {losses:?}");
    assert_eq!(losses.len(), 5);
}

#[test]
fn a_diverged_step_is_an_error_and_leaves_the_weights() {
    let mut model = model(1);
    let mut optimizer = Optimizer::sgd(1e30, 0.0, false);
    optimizer.global_clipnorm = None;
    let error = fit(&mut model, optimizer, &Stripes(64), None, options(), |_, _| Flow::Continue)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Divergence);
    assert!(error.to_string().contains("learning rate"), "{error}");
}

#[test]
fn bad_arguments_are_errors() {
    struct Labels(usize);
    impl Dataset for Labels {
        fn len(&self) -> usize {
            4
        }
        fn label(&self, _: usize) -> usize {
            self.0
        }
        fn load(&self, _: usize, _: Option<&mut Rng>, _: &mut [f32]) {}
    }
    let run = |data: &dyn Dataset, options| {
        let optimizer = Optimizer::adam(0.01);
        fit(&mut model(1), optimizer, data, None, options, |_, _| Flow::Continue).unwrap_err()
    };
    let zero = FitOptions { batch_size: 0, ..options() };
    assert_eq!(run(&Stripes(0), options()).kind(), ErrorKind::Data);
    assert_eq!(run(&Stripes(4), zero).kind(), ErrorKind::Argument);
    assert!(run(&Labels(2), options()).to_string().contains("from 0 to 1, got 2"));
}

#[test]
fn the_last_step_of_an_epoch_tells_the_epochs_figures() {
    let mut last = None;
    let mut epochs = 0;
    let callback = |_: &Model, event: Event| {
        match event {
            Event::Step(progress) => last = Some(progress.clone()),
            Event::Epoch { epoch, logs, .. } => {
                let progress = last.take().unwrap();
                assert_eq!((progress.epoch, progress.done, progress.total), (epoch, 40, 40));
                assert_eq!(&progress.logs, logs);
                epochs += 1;
            }
        }
        Flow::Continue
    };
    fit(&mut model(1), Optimizer::adam(0.01), &Stripes(40), None, options(), callback).unwrap();
    assert_eq!(epochs, 12);
}

#[test]
fn a_last_step_that_ruins_the_weights_is_a_divergence() {
    let mut model = model(1);
    let before = weights(&model);
    let options = FitOptions { batch_size: 40, epochs: 1, ..options() };
    let optimizer = Optimizer::sgd(f32::MAX, 0.0, false);
    let data = Stripes(40);
    let error =
        fit(&mut model, optimizer, &data, Some(&data), options, |_, _| Flow::Continue).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Divergence);
    assert!(error.to_string().starts_with("validation: expected a finite loss, got "), "{error}");
    assert_eq!(weights(&model), before);
}

#[test]
fn a_batch_may_be_larger_than_the_data() {
    let train = |batch_size| {
        let mut model = model(1);
        let options = FitOptions { batch_size, epochs: 2, ..options() };
        let optimizer = Optimizer::adam(0.01);
        fit(&mut model, optimizer, &Stripes(6), None, options, |_, _| Flow::Continue).unwrap();
        weights(&model)
    };
    assert_eq!(train(usize::MAX), train(6));
}

#[test]
fn frozen_layers_stay_and_the_others_learn() {
    let mut model = model(1);
    model.set_trainable("conv2d", false).unwrap();
    let before = model.parameters().to_vec();
    let options = FitOptions { epochs: 1, ..options() };
    let optimizer = Optimizer::adam(0.01);
    fit(&mut model, optimizer, &Stripes(40), None, options, |_, _| Flow::Continue).unwrap();
    for (before, after) in before.iter().zip(model.parameters()) {
        assert_eq!(
            before.value == after.value,
            before.name.starts_with("conv2d/"),
            "{}",
            after.name
        );
    }
    assert!(model.set_trainable("conv9", false).is_err());
}

/// A network with two skip connections, a concatenation and a frozen normalization in it.
fn graph() -> Architecture {
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

#[test]
fn a_resumed_training_ends_in_the_same_weights() {
    let options = FitOptions {
        epochs: 5,
        mix_up: 0.2,
        restore_best_weights: true,
        schedule: Schedule::Cosine { warmup: 1.0 },
        ..options()
    };
    let optimizer = || {
        let mut optimizer = Optimizer::adam(0.01);
        optimizer.ema_momentum = Some(0.95);
        optimizer
    };
    let (data, validation) = (Stripes(50), Stripes(20));
    let mut whole = model(1);
    let mut trainer = Trainer::new(options.clone(), optimizer());
    let mut saved = Vec::new();
    trainer
        .fit(&mut whole, &data, Some(&validation), |model, event| {
            if let Event::Epoch { epoch: 1, trainer, .. } = event {
                saved = trainer.checkpoint(model, "recipe").unwrap();
            }
            Flow::Continue
        })
        .unwrap();
    // Other weights and another dropout stream: all of it must come from the checkpoint.
    let mut resumed = model(1);
    resumed.parameters_mut()[0].value.fill(0.5);
    let resume = |bytes: &[u8], model: &mut Model, recipe: &str| {
        Trainer::resume(bytes, options.clone(), optimizer(), model, recipe)
    };
    let mut again = resume(&saved, &mut resumed, "recipe").unwrap();
    assert_eq!(again.history(), &trainer.history()[..2]);
    again.fit(&mut resumed, &data, Some(&validation), |_, _| Flow::Continue).unwrap();
    assert_eq!(again.history(), trainer.history());
    assert_eq!(weights(&resumed), weights(&whole));

    let refused = |bytes: &[u8], recipe| resume(bytes, &mut model(1), recipe).unwrap_err().kind();
    assert_eq!(refused(&saved, "another"), ErrorKind::Argument);
    assert_eq!(refused(&saved[..saved.len() - 1], "recipe"), ErrorKind::File);
    assert_eq!(
        resume(&saved, &mut Model::new(graph(), 1).unwrap(), "recipe").unwrap_err().kind(),
        ErrorKind::File
    );
    for (text, damaged, message) in [
        ("[0,0,0]", "[0,0.0]", "checkpoint: epoch: expected a whole number, got 0.0"),
        ("[0,0,0]", "[0,000]", "checkpoint: epoch: invalid number at line 1 column 4"),
        (
            "[0,0,0]",
            "[0,  0]",
            "checkpoint: epoch: expected loss, correct and count, got \"[0,  0]\"",
        ),
        ("val_loss", "val_lost", "checkpoint: history: val_lost: expected one of loss, accuracy, "),
    ] {
        let at = saved.windows(text.len()).position(|part| part == text.as_bytes()).unwrap();
        let mut bytes = saved.clone();
        bytes[at..][..text.len()].copy_from_slice(damaged.as_bytes());
        let error = resume(&bytes, &mut model(1), "recipe").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::File);
        assert!(error.to_string().starts_with(message), "{error}");
    }
    let version = br#""version":"2""#;
    let at = saved.windows(version.len()).position(|part| part == version).unwrap();
    let mut old = saved.clone();
    old[at + version.len() - 2] = b'1';
    assert_eq!(refused(&old, "recipe"), ErrorKind::Version);
    // An epoch that is further than there are examples.
    let text = b"[0,0,0]";
    let at = saved.windows(text.len()).position(|part| part == text).unwrap();
    saved[at + 5] = b'9';
    let mut model = model(1);
    let mut trainer = resume(&saved, &mut model, "recipe").unwrap();
    let error = trainer.step(&mut model, &Stripes(8)).unwrap_err();
    assert_eq!(error.to_string(), "fit: expected to go on among 8 examples, got 9 done");
}
