//! 'None of these': what inference keeps for it, and how a model file says it.
#![cfg(not(target_family = "wasm"))]

use convlet::architecture::Architecture;
use convlet::classifier::Classifier;
use convlet::confidence::{Confidence, Familiarity, describe};
use convlet::error::ErrorKind;
use convlet::image::Input;
use convlet::model::{Mode, Model};
use convlet::rng::Rng;

/// A network of the given kind whose biases and statistics are not what they are at first.
fn model(architecture: Architecture) -> Model {
    let mut model = Model::new(architecture, 5).unwrap();
    let mut rng = Rng::new(6);
    for parameter in model.parameters_mut() {
        if !parameter.name.ends_with("kernel") {
            parameter.value.iter_mut().for_each(|x| *x += 0.3 * rng.uniform());
        }
    }
    model
}

fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..len).map(|_| rng.uniform()).collect()
}

fn run(model: &mut Model, picture: &[f32], mode: Mode) -> Vec<f32> {
    model.input_mut(1, mode).unwrap().copy_from_slice(picture);
    model.forward(1, mode).to_vec()
}

fn close(a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len());
    let size = b.iter().fold(1.0_f32, |max, x| max.max(x.abs()));
    a.iter().zip(b).for_each(|(a, b)| assert!((a - b).abs() < 1e-4 * size, "{a} {b}"));
}

#[test]
fn inference_keeps_what_is_watched_and_answers_as_before() {
    for architecture in [Architecture::article(), Architecture::pets()] {
        let mut model = model(architecture);
        let picture = noise(model.input_len(), 7);
        let before = run(&mut model, &picture, Mode::Inference);
        run(&mut model, &picture, Mode::Inspection);
        let maps = model.feature_maps();
        assert!(maps.len() >= 2);
        let whole: Vec<Vec<f32>> =
            maps.iter().map(|(name, _)| model.layer_output(name, 1).unwrap().to_vec()).collect();
        // All at once, then each alone: others' buffers must not run over it.
        let alone = maps.iter().map(std::slice::from_ref);
        let places: Vec<_> = std::iter::once(0).chain(0..maps.len()).collect();
        for (layers, first) in std::iter::once(&maps[..]).chain(alone).zip(places) {
            model.watch(layers.iter().map(|(name, channels)| (name.as_str(), *channels))).unwrap();
            close(&run(&mut model, &picture, Mode::Inference), &before);
            let kept: Vec<_> = model.watched().collect();
            assert_eq!(kept.len(), layers.len());
            for (i, (output, channels)) in kept.into_iter().enumerate() {
                assert_eq!(channels, layers[i].1);
                close(output, &whole[first + i]);
            }
        }
    }
}

#[test]
fn a_layer_that_is_not_there_is_an_error() {
    let mut model = model(Architecture::article());
    for layer in [("conv2d_9", 32), ("conv2d", 31)] {
        let error = model.watch([layer].into_iter()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument);
        assert!(error.to_string().contains(layer.0), "{error}");
    }
}

/// A classifier that is familiar with noise.
fn classifier() -> Classifier {
    let model = model(Architecture::article());
    let [height, width, _] = model.input_shape();
    let labels = ["cat", "dog"].map(String::from);
    let input = Input::rgb(height, width);
    let mut classifier = Classifier::new(model, labels.into(), input, Default::default()).unwrap();
    let maps = classifier.model.feature_maps();
    let watched = || maps.iter().map(|(name, channels)| (name.as_str(), *channels));
    classifier.model.watch(watched()).unwrap();
    let mut features = Vec::new();
    for seed in 0..300 {
        let picture = noise(classifier.model.input_len(), seed);
        classifier.classify_tensor(|x| x.copy_from_slice(&picture)).unwrap();
        features.extend_from_slice(classifier.features());
    }
    let mut familiarity = Familiarity::fit(&maps, &features).unwrap();
    familiarity.threshold = 3.0;
    let confidence = Confidence { temperature: Some(1.5), familiarity: Some(familiarity) };
    classifier.set_confidence(confidence).unwrap();
    classifier
}

#[test]
fn a_file_carries_it() {
    let mut classifier = classifier();
    let bytes = classifier.to_file().to_bytes().unwrap();
    let mut read = Classifier::from_bytes(&bytes).unwrap();
    assert_eq!(read.confidence(), classifier.confidence());
    let picture = noise(read.model.input_len(), 999);
    let flat = vec![0.5; picture.len()];
    for classifier in [&mut classifier, &mut read] {
        classifier.classify_tensor(|x| x.copy_from_slice(&picture)).unwrap();
        assert_eq!(classifier.none_of_these(), Some(false), "{:?}", classifier.unfamiliarity());
        classifier.classify_tensor(|x| x.copy_from_slice(&flat)).unwrap();
        assert_eq!(classifier.none_of_these(), Some(true), "{:?}", classifier.unfamiliarity());
    }
    assert_eq!(read.to_file().to_bytes().unwrap(), bytes);
}

#[test]
fn a_file_that_says_it_wrongly_is_an_error() {
    let right = classifier().to_file();
    let text = right.metadata.get("confidence").unwrap().to_string();
    let wrong = |from: &str, to: &str, expected: &str| {
        let mut file = right.clone();
        assert!(text.contains(from), "{text}");
        file.metadata.insert("confidence".into(), text.replacen(from, to, 1));
        let error = Classifier::from_bytes(&file.to_bytes().unwrap()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    };
    wrong("{\"temperature\"", "[{\"temperature\"", "confidence");
    wrong("1.5", "\"hot\"", "temperature: expected a number");
    wrong("1.5", "0", "temperature: expected a number above 0");
    wrong("1.5", "1e300", "temperature: expected a number");
    wrong("\"certainty\":[", "\"certainty\":[[],", "certainty: expected a mean and a deviation");
    wrong("\"distance\":[", "\"distance\":[1,0],\"x\":[", "distance: expected a mean");
    wrong("\"layers\":[{", &format!("\"layers\":[{}{{", "0,".repeat(64)), "at most 64 layers");
    wrong("\"name\":\"conv2d\"", "\"name\":\"conv9\"", "confidence/conv9/mean");
    wrong("\"name\":\"conv2d\"", "\"name\":7", "layers with a name");
    let mut file = right.clone();
    let narrow = file.weights.iter_mut().find(|w| w.name == "confidence/conv2d/mean").unwrap();
    (narrow.shape, _) = (vec![31], narrow.values.pop());
    let error = Classifier::from_bytes(&file.to_bytes().unwrap()).unwrap_err();
    assert!(error.to_string().contains("expected a mean (d) and a whitening (d, d)"), "{error}");
}

#[test]
fn certainty_is_the_log_odds_of_the_answer() {
    let model = model(Architecture::article());
    let certainty = |probabilities: &[f32]| {
        let mut features = Vec::new();
        describe(&model, probabilities, &mut features);
        features[0]
    };
    assert!((certainty(&[0.1, 0.9]) - 9.0_f32.ln()).abs() < 1e-5);
    assert_eq!(certainty(&[0.5, 0.5]), 0.0);
    assert!(certainty(&[0.0, 1.0]).is_finite());
}
