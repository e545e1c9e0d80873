//! Whole trainings: that they learn, that they repeat, and that a seed is all there is to them.
#![cfg(all(feature = "train", not(target_family = "wasm")))]

mod graph;
mod refusals;
mod resumed;

use convlet::layer::{Activation, Conv2D, Dense, Dropout, Flatten, Layer, MaxPooling2D, Parameter};
use convlet::loss::Loss;
use convlet::model::Model;
use convlet::optimizer::Optimizer;
use convlet::rng::Rng;
use convlet::train::{
    Dataset, Event, FitOptions, Flow, Schedule, Trainer, evaluate, fit, train_on_batch,
};
use ndarray::{Array4, array};

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
