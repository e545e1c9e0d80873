//! Teaching a network new classes: each depth learns, and what is cached, interrupted or diverges changes nothing else.
#![cfg(all(feature = "train", not(target_family = "wasm")))]

use convlet::architecture::{Architecture, LayerInput, LayerSpec};
use convlet::augment::Augment;
use convlet::classifier::Classifier;
use convlet::error::ErrorKind;
use convlet::image::Input;
use convlet::model::{Mode, Model};
use convlet::rng::Rng;
use convlet::transfer::{Depth, Event, Rate, Recipe, Transfer};
use serde_json::{Map, json};

/// A small network with a way around, normalization and dropout, whose statistics are not those of a fresh one.
fn base() -> Vec<u8> {
    let mut layers: Vec<LayerSpec> = Vec::new();
    let mut push = |class: &str, config, inputs: &[usize]| {
        let inputs: Vec<LayerInput> = inputs
            .iter()
            .map(|&value| match value {
                0 => LayerInput::Model,
                value => LayerInput::Layer(value - 1),
            })
            .collect();
        layers.push(LayerSpec::new(class, config).with_inputs(&inputs));
    };
    push("Conv2D", json!({"filters": 8, "kernel_size": 3, "padding": "same"}), &[0]);
    push("BatchNormalization", json!({}), &[1]);
    push("ReLU", json!({}), &[2]);
    push("Conv2D", json!({"filters": 8, "kernel_size": 3, "padding": "same"}), &[3]);
    push("Add", json!({}), &[4, 3]);
    push("MaxPooling2D", json!({"pool_size": 2}), &[5]);
    push("Flatten", json!({}), &[6]);
    push("Dense", json!({"units": 1, "activation": "sigmoid"}), &[7]);
    let architecture = Architecture::new("base", [12, 12, 3], layers).unwrap();
    let mut model = Model::new(architecture, 3).unwrap();
    for parameter in model.parameters_mut() {
        match parameter.name.as_str() {
            "batch_normalization/moving_mean" => parameter.value.fill(0.1),
            "batch_normalization/moving_variance" => parameter.value.fill(0.5),
            _ => {}
        }
    }
    let labels = ["cat", "dog"].map(String::from);
    model.to_file(&labels, &Input::rgb(12, 12), Map::new()).to_bytes().unwrap()
}

fn labels() -> Vec<String> {
    ["row", "column", "spot"].map(String::from).to_vec()
}

/// A bright row, column or spot on noise.
fn picture(class: usize, number: u64) -> Vec<u8> {
    let mut rng = Rng::new(number).fork(class as u64);
    let mut pixels: Vec<u8> = (0..12 * 12 * 3).map(|_| rng.below(80) as u8).collect();
    let (place, other) = (2 + rng.below(7), 2 + rng.below(7));
    for i in 0..12 {
        let at = match class {
            0 => place * 12 + i,
            1 => i * 12 + place,
            _ => (place + i / 4) * 12 + other + i % 4,
        };
        pixels[at * 3..][..3].fill(230);
    }
    pixels
}

fn filled(count: u64) -> Transfer {
    let mut transfer = Transfer::from_bytes(&base(), &labels(), 0.25).unwrap();
    for number in 0..count {
        for class in 0..3 {
            transfer.add_pixels(picture(class, number), class, None).unwrap();
        }
    }
    transfer
}

fn recipe(depth: Depth) -> Recipe {
    Recipe { epochs: 3, batch_size: 5, ..Recipe::defaults(depth, 30) }
}

/// Runs to the end; how many pictures were prepared on the way.
fn run(transfer: &mut Transfer) -> usize {
    let mut prepared = 0;
    loop {
        match transfer.advance().unwrap() {
            Event::Prepared { .. } => prepared += 1,
            Event::End => break,
            Event::Step(_) | Event::Epoch(_) => {}
        }
    }
    transfer.finish();
    prepared
}

fn bits(transfer: &Transfer) -> Vec<u32> {
    let classifier = transfer.to_classifier().unwrap();
    classifier.model.parameters().iter().flat_map(|p| &p.value).map(|x| x.to_bits()).collect()
}

#[test]
fn every_depth_learns() {
    for (depth, epochs) in [(Depth::Head, 60), (Depth::Whole, 30), (Depth::Scratch, 40)] {
        let mut transfer = filled(16);
        assert_eq!(transfer.counts(), (36, 12));
        transfer.begin(Recipe { epochs, augment: Augment::default(), ..recipe(depth) }).unwrap();
        run(&mut transfer);
        let history = transfer.history().to_vec();
        assert_eq!(history.len(), epochs);
        let accuracy = history[epochs - 1].accuracy;
        assert!(accuracy >= 0.9, "{depth:?}: {accuracy} {:?}", history[epochs - 1]);
        let evaluation = transfer.evaluate().unwrap();
        assert_eq!(evaluation.indices.len(), 12);
        assert_eq!(
            evaluation.confusion.accuracy().map(|a| a as f32),
            history[epochs - 1].val_accuracy
        );
    }
}

#[test]
fn the_head_alone_is_the_whole_with_a_base_that_stands_still() {
    let plain = |depth| Recipe {
        augment: Augment::default(),
        base_rate: 0.0,
        variants: 1,
        // The norm of all gradients is another than that of the head's.
        global_clipnorm: None,
        ..recipe(depth)
    };
    let mut ends = [Depth::Head, Depth::Whole].map(|depth| {
        let mut transfer = filled(8);
        let options = Recipe { schedule: recipe(Depth::Whole).schedule, ..plain(depth) };
        let options = Recipe { learning_rate: 0.01, label_smoothing: 0.1, ..options };
        transfer.begin(options).unwrap();
        run(&mut transfer);
        transfer.to_classifier().unwrap().model
    });
    let [head, whole] = &mut ends;
    let base = Classifier::from_bytes(&base()).unwrap().model;
    for ((h, w), b) in head.parameters().iter().zip(whole.parameters()).zip(base.parameters()) {
        if h.name.starts_with("dense/") {
            let distance =
                h.value.iter().zip(&w.value).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(distance < 1e-3, "{}: {distance}", h.name);
            assert_ne!(h.value, b.value);
        } else {
            // Statistics included: a frozen normalization follows no batch.
            assert_eq!((&h.value, &w.value), (&b.value, &b.value), "{}", h.name);
        }
    }
}

#[test]
fn interrupted_anywhere_it_ends_in_the_same_bits() {
    for depth in [Depth::Head, Depth::Whole, Depth::Scratch] {
        let recipe =
            Recipe { ema_momentum: Some(0.9), restore_best_weights: true, ..recipe(depth) };
        let mut whole = filled(8);
        whole.begin(recipe.clone()).unwrap();
        run(&mut whole);
        let expected = bits(&whole);
        for pieces in [1, 26, 28, 31] {
            let mut first = filled(8);
            first.begin(recipe.clone()).unwrap();
            (0..pieces).for_each(|_| {
                first.advance().unwrap();
            });
            let checkpoint = first.checkpoint().unwrap();
            let mut second = filled(8);
            second.resume(recipe.clone(), &checkpoint).unwrap();
            run(&mut second);
            assert_eq!(bits(&second), expected, "{depth:?} after {pieces} pieces");
            assert_eq!(second.history(), whole.history());
        }
        // Once more from the beginning, what was cached included.
        whole.begin(recipe.clone()).unwrap();
        run(&mut whole);
        assert_eq!(bits(&whole), expected);
        let checkpoint = whole.checkpoint().unwrap();
        let error = filled(9).resume(recipe, &checkpoint).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument, "of other examples: {error}");
    }
}

#[test]
fn a_training_that_diverges_rolls_back() {
    let mut transfer = filled(8);
    let wild = Recipe { learning_rate: 1e30, global_clipnorm: None, ..recipe(Depth::Whole) };
    transfer.begin(wild).unwrap();
    let before = bits(&transfer);
    let error = loop {
        match transfer.advance() {
            Ok(Event::End) => panic!("a rate of 1e30 went through"),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Divergence);
    assert!(error.to_string().contains("a lower learning rate may help"), "{error}");
    assert_eq!(bits(&transfer), before);
    assert!(matches!(transfer.advance(), Ok(Event::End)));
    transfer.begin(recipe(Depth::Whole)).unwrap();
    run(&mut transfer);
    assert_ne!(bits(&transfer), before);
}

#[test]
fn augmentation_is_read_from_json() {
    let augment = Augment::from_json(r#"{"rotation_range": 10}"#).unwrap();
    assert_eq!(augment, Augment { rotation_range: 10.0, ..Augment::default() });
    let written = serde_json::Value::from(Augment::article().to_json()).to_string();
    assert_eq!(Augment::from_json(&written).unwrap(), Augment::article());
    let error = Augment::from_json(r#"{"rotation": 10}"#).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Argument);
    assert!(error.to_string().starts_with("augment: rotation: expected one of rotation_range, "));
}

#[test]
fn a_recipe_is_changed_by_json() {
    let recipe = Recipe {
        ema_momentum: Some(0.5),
        early_stopping: Some(3),
        global_clipnorm: None,
        seed: 9,
        ..Recipe::defaults(Depth::Whole, 30)
    };
    let written = serde_json::Value::from(recipe.to_json()).to_string();
    assert_eq!(Recipe::defaults(Depth::Head, 1).with(&written).unwrap(), recipe);
    let options = r#"{
        "depth": "head", "epochs": 7, "learning_rate": 0.5, "ema_momentum": 0.9, "schedule": "plateau",
        "global_clipnorm": 2, "augment": {"rotation_range": 10, "brightness_range": [0.5, 1]}
    }"#;
    let expected = Recipe {
        depth: Depth::Head,
        epochs: 7,
        learning_rate: 0.5,
        ema_momentum: Some(0.9),
        global_clipnorm: Some(2.0),
        schedule: Rate::Plateau,
        augment: Augment {
            rotation_range: 10.0,
            brightness_range: Some([0.5, 1.0]),
            ..Augment::default()
        },
        ..recipe.clone()
    };
    assert_eq!(recipe.clone().with(options).unwrap(), expected);
    for (options, message) in [
        ("", "options: EOF at line 1 column 1"),
        ("[]", "options: expected an object, got []"),
        (r#"{"epoch": 7}"#, "options: epoch: expected one of depth, epochs, batch_size, "),
        (r#"{"epochs": 1, "epochs": 2}"#, "options: key \"epochs\" twice in one object"),
        (r#"{"epochs": 2.5}"#, "options: epochs: expected a whole number, got 2.5"),
        (r#"{"epochs": null}"#, "options: epochs: expected a whole number, got null"),
        (
            r#"{"schedule": "x"}"#,
            "options: schedule: expected constant, cosine, one_cycle or plateau, got \"x\"",
        ),
        (
            r#"{"augment": {"zoom_range": 2}}"#,
            "options: augment: zoom_range: expected two numbers, got 2",
        ),
    ] {
        let error = recipe.clone().with(options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument);
        assert!(error.to_string().starts_with(message), "{error}");
    }
    assert_eq!(Depth::named("scratch").unwrap(), Depth::Scratch);
    let error = Depth::named("half").unwrap_err().to_string();
    assert_eq!(error, "expected head, whole or scratch, got \"half\"");
}

#[test]
fn features_are_computed_once_and_anew_when_they_must_be() {
    let head = Recipe { epochs: 1, ..recipe(Depth::Head) };
    let mut transfer = filled(4);
    let prepared = |transfer: &mut Transfer, recipe: &Recipe| {
        transfer.begin(recipe.clone()).unwrap();
        run(transfer)
    };
    assert_eq!(prepared(&mut transfer, &head), 12);
    assert_eq!(prepared(&mut transfer, &head), 0);
    transfer.relabel(0, 2).unwrap();
    transfer.remove(1).unwrap();
    transfer.add_pixels(picture(1, 77), 1, Some(false)).unwrap();
    assert_eq!(prepared(&mut transfer, &head), 1);
    assert_eq!(prepared(&mut transfer, &Recipe { learning_rate: 0.1, ..head.clone() }), 0);
    assert_eq!(prepared(&mut transfer, &Recipe { variants: 2, ..head.clone() }), 12);
    assert_eq!(prepared(&mut transfer, &Recipe { seed: 9, ..head.clone() }), 12);
    let other = Recipe { augment: Augment::article(), ..head };
    assert_eq!(prepared(&mut transfer, &other), 12);
    // Where a picture stands does not change what is made of it.
    let mut moved = Transfer::from_bytes(&base(), &labels(), 0.0).unwrap();
    let mut stayed = moved_without_first(&mut moved);
    assert_eq!((prepared(&mut moved, &other), prepared(&mut stayed, &other)), (0, 3));
    assert_eq!(bits(&moved), bits(&stayed));
}

/// Gives `moved` four pictures, prepared, and takes the first away; a trainer that never had it.
fn moved_without_first(moved: &mut Transfer) -> Transfer {
    let mut stayed = Transfer::from_bytes(&base(), &labels(), 0.0).unwrap();
    for (number, class) in [(0, 0), (1, 1), (2, 2), (3, 0)] {
        moved.add_pixels(picture(class, number), class, Some(false)).unwrap();
        if number > 0 {
            stayed.add_pixels(picture(class, number), class, Some(false)).unwrap();
        }
    }
    let other = Recipe { augment: Augment::article(), epochs: 1, ..recipe(Depth::Head) };
    moved.begin(other).unwrap();
    run(moved);
    moved.remove(0).unwrap();
    stayed
}

#[test]
fn the_last_layer_reads_all_places_where_it_read_their_mean() {
    let mean = |side: usize| {
        let layers = vec![
            LayerSpec::new("Conv2D", json!({"filters": 8, "kernel_size": 3, "padding": "same"})),
            LayerSpec::new("GlobalAveragePooling2D", json!({})),
            LayerSpec::new("Dropout", json!({"rate": 0.1})),
            LayerSpec::new("Dense", json!({"units": 1, "activation": "sigmoid"})),
        ];
        let model =
            Model::new(Architecture::sequential([side, side, 3], layers).unwrap(), 3).unwrap();
        let labels = ["cat", "dog"].map(String::from);
        model.to_file(&labels, &Input::rgb(side, side), Map::new()).to_bytes().unwrap()
    };
    let parameters = |side: usize, depth| {
        let mut transfer = Transfer::from_bytes(&mean(side), &labels(), 0.0).unwrap();
        for class in 0..3 {
            transfer.add_pixels(vec![class as u8; side * side * 3], class, None).unwrap();
        }
        transfer.begin(Recipe { epochs: 1, ..recipe(depth) }).unwrap();
        run(&mut transfer);
        transfer.to_classifier().unwrap().model.count_params()
    };
    let conv = 27 * 8 + 8;
    assert_eq!(parameters(12, Depth::Head), conv + 12 * 12 * 8 * 3 + 3);
    assert_eq!(parameters(12, Depth::Whole), conv + 8 * 3 + 3);
    // 24 x 24 x 8 would be too much.
    assert_eq!(parameters(24, Depth::Head), conv + 8 * 3 + 3);
}

#[test]
fn a_look_inside_shows_the_step_just_taken_and_changes_nothing() {
    for depth in [Depth::Head, Depth::Whole, Depth::Scratch] {
        let recipe = Recipe { weight_decay: 0.0, schedule: Rate::Constant, ..recipe(depth) };
        let mut undisturbed = filled(8);
        undisturbed.begin(recipe.clone()).unwrap();
        run(&mut undisturbed);

        let mut transfer = filled(8);
        transfer.begin(recipe).unwrap();
        let beginning = transfer.beginning().unwrap();
        let first = transfer.snapshot().unwrap();
        for (before, now) in beginning.model.parameters().iter().zip(first.model.parameters()) {
            assert_eq!(before.value, now.value, "{depth:?}: {} before any step", before.name);
        }
        while !matches!(transfer.advance().unwrap(), Event::Step(_)) {}
        let mut snapshot = transfer.snapshot().unwrap();
        let mut learning = 0;
        for (before, now) in beginning.model.parameters().iter().zip(snapshot.model.parameters()) {
            for ((before, after), gradient) in
                before.value.iter().zip(&now.value).zip(&now.gradient)
            {
                // Adam's first step goes against the gradient, however small that is.
                if gradient.abs() > 1e-4 {
                    assert!((after - before) * gradient < 0.0, "{depth:?}: {}", now.name);
                    learning += 1;
                }
            }
            let is_frozen = depth == Depth::Head && !now.name.starts_with("dense/");
            assert!(!is_frozen || now.gradient.iter().all(|&g| g == 0.0), "{}", now.name);
        }
        assert!(learning > 20, "{depth:?}: {learning} weights have a gradient");
        snapshot.model.input_mut(1, Mode::Inspection).unwrap().fill(0.5);
        snapshot.model.forward(1, Mode::Inspection);
        snapshot.model.saliency(1).unwrap();
        run(&mut transfer);
        assert_eq!(bits(&transfer), bits(&undisturbed), "{depth:?}");
    }
}

#[test]
fn two_labels_have_two_outputs_and_the_file_tells_how() {
    let two = ["yes", "no"].map(String::from);
    let mut transfer = Transfer::from_bytes(&base(), &two, 0.0).unwrap();
    for number in 0..6 {
        transfer
            .add_pixels(picture(number as usize % 2, number), number as usize % 2, None)
            .unwrap();
    }
    transfer.begin(recipe(Depth::Head)).unwrap();
    run(&mut transfer);
    let bytes = transfer.to_classifier().unwrap().to_file().to_bytes().unwrap();
    let mut classifier = Classifier::from_bytes(&bytes).unwrap();
    assert_eq!(classifier.labels(), two);
    assert_eq!(classifier.model.output_len(), 2);
    assert_eq!(classifier.training()["recipe"]["depth"], "head");
    assert_eq!(classifier.training()["examples"], 6);
    let rgba = vec![128; 20 * 30 * 4];
    let own = transfer.classify(&rgba, 20, 30).unwrap();
    let saved = classifier.classify(&rgba, 20, 30).unwrap();
    assert!(own.iter().zip(saved).all(|(a, b)| (a - b).abs() < 1e-5), "{own:?} {saved:?}");
}

#[test]
fn what_cannot_be_taught_is_an_error() {
    let kind = |result: convlet::error::Result<()>| result.unwrap_err().kind();
    let new = |labels: &[&str]| {
        let labels: Vec<String> = labels.iter().map(|label| label.to_string()).collect();
        Transfer::from_bytes(&base(), &labels, 0.0).map(|_| ())
    };
    for labels in [&["a"][..], &["a", "a"], &["a", ""]] {
        assert_eq!(kind(new(labels)), ErrorKind::Argument);
    }
    let mut transfer = filled(0);
    assert_eq!(kind(transfer.begin(recipe(Depth::Head))), ErrorKind::Data);
    assert_eq!(kind(transfer.advance().map(|_| ())), ErrorKind::Data);
    assert_eq!(kind(transfer.add_pixels(vec![0; 7], 0, None).map(|_| ())), ErrorKind::Argument);
    assert_eq!(kind(transfer.add_pixels(picture(0, 0), 3, None).map(|_| ())), ErrorKind::Argument);
    transfer.add_pixels(picture(0, 0), 0, Some(false)).unwrap();
    assert_eq!(kind(transfer.begin(recipe(Depth::Head))), ErrorKind::Data);
    assert_eq!(kind(transfer.remove(1)), ErrorKind::Argument);
    assert_eq!(kind(transfer.relabel(0, 3)), ErrorKind::Argument);
    let json = Architecture::article().to_json().to_string();
    let mut fresh = Transfer::from_json(&json, &labels(), 0.0).unwrap();
    for class in 0..3 {
        fresh.add_pixels(vec![class as u8; 64 * 64 * 3], class, None).unwrap();
    }
    assert_eq!(kind(fresh.begin(recipe(Depth::Whole))), ErrorKind::Argument);
    let headless = LayerSpec::new("GlobalAveragePooling2D", json!({}));
    let headless = Architecture::sequential([4, 4, 3], vec![headless]).unwrap();
    let error = Transfer::from_json(&headless.to_json().to_string(), &labels(), 0.0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Architecture);
}
