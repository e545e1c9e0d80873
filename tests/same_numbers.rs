//! The same numbers everywhere: one seed gives the same weights, to the last bit, natively and in every browser.

#[cfg(target_family = "wasm")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

use convlet::layer::{Activation, Conv2D, Dense, Dropout, Flatten, Layer, MaxPooling2D};
use convlet::model::Model;
use convlet::optimizer::Optimizer;
use convlet::rng::Rng;
use convlet::train::train_on_batch;
use ndarray::{Array2, Array4};
use wasm_bindgen_test::wasm_bindgen_test;

const STEPS: usize = 50;
const BATCH: usize = 8;

/// The article's network, small: pictures of 14 x 14.
fn small_network() -> Model {
    let relu = Activation::Relu;
    let layers: Vec<Box<dyn Layer>> = vec![
        Box::new(Conv2D::new(8, 3).activation(relu)),
        Box::new(MaxPooling2D::new(2)),
        Box::new(Conv2D::new(8, 3).activation(relu)),
        Box::new(MaxPooling2D::new(2)),
        Box::new(Flatten),
        Box::new(Dense::new(16).activation(relu)),
        Box::new(Dropout::new(0.25)),
        Box::new(Dense::new(1).activation(Activation::Sigmoid)),
    ];
    Model::sequential([14, 14, 3], layers, 7).unwrap()
}

/// Noise, brighter where the class is 1.
fn batch(rng: &mut Rng) -> (Array4<f32>, Array2<f32>) {
    let classes: Vec<f32> = (0..BATCH).map(|_| rng.below(2) as f32).collect();
    let x =
        Array4::from_shape_fn((BATCH, 14, 14, 3), |(i, ..)| 0.7 * rng.uniform() + 0.3 * classes[i]);
    (x, Array2::from_shape_fn((BATCH, 1), |(i, _)| classes[i]))
}

/// FNV-1a over the bits of all weights.
fn hash(model: &Model) -> u64 {
    let values = model.parameters().iter().flat_map(|parameter| &parameter.value);
    values
        .flat_map(|value| value.to_bits().to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        })
}

/// The weights after [`STEPS`] steps and the last loss.
fn train(seed: u64) -> (Model, f32) {
    let (mut model, mut optimizer) = (small_network(), Optimizer::adam(0.01));
    let mut rng = Rng::new(seed);
    let mut last = f32::NAN;
    for _ in 0..STEPS {
        let (x, y) = batch(&mut rng);
        (last, _) = train_on_batch(&mut model, &mut optimizer, x.view(), y.view()).unwrap();
    }
    (model, last)
}

#[wasm_bindgen_test(unsupported = test)]
fn fifty_steps_end_in_the_same_bits_on_every_machine() {
    let (model, loss) = train(1);
    assert!(loss < 0.5, "expected to have learned (ln 2 is a guess), got a loss of {loss}");
    // Natively and in Chromium alike: a change that moves one bit on one of them shows here.
    assert_eq!(hash(&model), 7_995_973_362_954_689_262);
}

#[wasm_bindgen_test(unsupported = test)]
fn another_seed_ends_elsewhere() {
    assert_ne!(hash(&train(1).0), hash(&train(2).0));
}
