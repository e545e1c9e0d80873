//! Any text as Keras's JSON, and as a recipe's: refused, or read, written, read again the same; the network is built, and a
//! small one trained.
#![no_main]

use convlet::architecture::Architecture;
use convlet::file::ModelFile;
use convlet::image::Input;
use convlet::model::{Mode, Model};
use convlet::optimizer::Optimizer;
use convlet::train::train_on_batch;
use convlet::transfer::{Depth, Recipe};
use libfuzzer_sys::fuzz_target;
use ndarray::{Array2, Array4};
use serde_json::Value;

/// The largest network that is put to work, in numbers of a configuration: for speed alone.
const SMALL: f64 = 40.0;

fn is_small(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_f64().is_some_and(|number| number <= SMALL),
        Value::Array(values) => values.iter().all(is_small),
        Value::Object(entries) => entries.values().all(is_small),
        _ => true,
    }
}

/// Numbers as a layer takes them: JSON's are read as the nearest f64 or the one beside it.
fn round(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            *value = number.as_f64().map(|number| number as f32).into();
        }
        Value::Array(values) => values.iter_mut().for_each(round),
        Value::Object(entries) => entries.values_mut().for_each(round),
        _ => {}
    }
}

fuzz_target!(|text: &str| {
    // What a training is told is JSON too.
    if let Ok(recipe) = Recipe::defaults(Depth::Head, 1).with(text) {
        let written = Value::from(recipe.to_json()).to_string();
        assert_eq!(Recipe::defaults(Depth::Whole, 500).with(&written).as_ref(), Ok(&recipe));
    }
    let Ok(architecture) = Architecture::from_json(text) else { return };
    let mut written = architecture.to_json();
    let again = Architecture::from_json(&written.to_string());
    let mut again = again.expect("what was written can be read").to_json();
    round(&mut written);
    round(&mut again);
    assert_eq!(again, written);
    // Shapes and costs, without weights.
    let [height, width, channels] = architecture.input_shape;
    let file = ModelFile {
        architecture: architecture.clone(),
        labels: Vec::new(),
        input: Input { channels, ..Input::rgb(height, width) },
        training: Default::default(),
        weights: Vec::new(),
        metadata: Default::default(),
    };
    let _ = Model::from_file(&file);
    if architecture.layers.len() > 12 || !is_small(&written) {
        return;
    }
    let Ok(mut model) = Model::new(architecture, 1) else { return };
    let numbers = |model: &Model| {
        let layers = model.layers();
        layers.iter().map(|layer| layer.output_shape.iter().product::<usize>()).sum::<usize>()
    };
    if model.count_params() > 1 << 16 || numbers(&model) > 1 << 16 {
        return;
    }
    let x = Array4::from_elem((2, height, width, channels), 0.5);
    let y = model.predict(x.view()).expect("the model's own shape");
    assert_eq!(y.dim(), (2, model.output_len()));
    let targets = Array2::from_elem((2, model.output_len()), 0.5);
    let _ = train_on_batch(&mut model, &mut Optimizer::adam(0.001), x.view(), targets.view());
    model.input_mut(1, Mode::Inspection).expect("a small network").fill(0.25);
    model.forward(1, Mode::Inspection);
    for layer in 0..model.layers().len() {
        model.arithmetic(layer, 0);
        let _ = model.class_activation(layer, 0);
    }
});
