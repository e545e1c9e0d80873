//! The same numbers everywhere: one seed gives the same weights, to the last bit, natively and in every browser.
//!
//! `tests/run` runs this natively and, compiled to the strict build, in Chromium, Firefox and WebKitGTK: the constants are
//! one for all. The relaxed build may fuse a multiplication with the addition that follows, and is held to a tolerance.
#![cfg(feature = "train")]

#[cfg(target_family = "wasm")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

use convlet::architecture::Architecture;
use convlet::augment::Augment;
use convlet::image::{Input, to_tensor};
use convlet::layer::{Activation, Conv2D, Dense, Dropout, Flatten, Layer, MaxPooling2D};
use convlet::model::Model;
use convlet::optimizer::Optimizer;
use convlet::rng::Rng;
use convlet::train::{Dataset, Event, FitOptions, Flow, fit, train_on_batch};
use ndarray::{Array2, Array4};
use wasm_bindgen_test::wasm_bindgen_test;

/// Whether multiplications may be fused with additions here.
const RELAXED: bool = cfg!(target_feature = "relaxed-simd");

/// FNV-1a over the bits of all weights.
fn hash(model: &Model) -> u64 {
    let values = model.parameters().iter().flat_map(|parameter| &parameter.value);
    values
        .flat_map(|value| value.to_bits().to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        })
}

/// A change that moves one bit on one machine shows here; the relaxed build must come to these losses, but for rounding.
fn assert_same(model: &Model, expected: u64, losses: &[f32], expected_losses: &[f32]) {
    if !RELAXED {
        assert_eq!(hash(model), expected, "losses: {losses:?}");
    }
    assert_eq!(losses.len(), expected_losses.len());
    for (step, (loss, expected)) in losses.iter().zip(expected_losses).enumerate() {
        let tolerance = if RELAXED { 1e-3 * expected } else { 0.0 };
        assert!((loss - expected).abs() <= tolerance, "{step}: expected {expected}, got {loss}");
    }
}

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
    let classes: Vec<f32> = (0..8).map(|_| rng.below(2) as f32).collect();
    let x = Array4::from_shape_fn((8, 14, 14, 3), |(i, ..)| 0.7 * rng.uniform() + 0.3 * classes[i]);
    (x, Array2::from_shape_fn((8, 1), |(i, _)| classes[i]))
}

/// The small network after 200 steps, and the mean loss of each 20 of them.
fn train_small(seed: u64) -> (Model, Vec<f32>) {
    let (mut model, mut optimizer) = (small_network(), Optimizer::adam(0.003));
    let mut rng = Rng::new(seed);
    let losses: Vec<f32> = (0..200)
        .map(|_| {
            let (x, y) = batch(&mut rng);
            train_on_batch(&mut model, &mut optimizer, x.view(), y.view()).unwrap().0
        })
        .collect();
    let means = losses.chunks(20).map(|some| some.iter().sum::<f32>() / 20.0).collect();
    (model, means)
}

#[wasm_bindgen_test(unsupported = test)]
fn two_hundred_steps_of_a_small_network_end_in_the_same_bits() {
    let (model, losses) = train_small(1);
    assert_same(
        &model,
        9_700_403_108_618_225_714,
        &losses,
        &[
            0.69176495, 0.6626419, 0.60502493, 0.46083874, 0.40533417, 0.2798646, 0.29579905,
            0.32889718, 0.23004559, 0.2161748,
        ],
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn another_seed_ends_elsewhere() {
    assert_ne!(hash(&train_small(1).0), hash(&train_small(2).0));
}

/// Photographs of a sort: a disc or a square on a ground, 90 x 70 pixels, resized and augmented in every way there is.
struct Drawings {
    input: Input,
    augment: Augment,
}

impl Dataset for Drawings {
    fn len(&self) -> usize {
        20 * 8
    }

    fn label(&self, index: usize) -> usize {
        index % 2
    }

    fn load(&self, index: usize, rng: Option<&mut Rng>, x: &mut [f32]) {
        let (width, height) = (90_usize, 70);
        let mut draw = Rng::new(index as u64);
        let mut below = |n: usize| draw.below(n);
        let colours = [(); 2].map(|_| [(); 3].map(|_| below(256) as u8));
        let (left, top, half) = (30 + below(30), 25 + below(20), 8 + below(16));
        let rgba: Vec<u8> = (0..width * height)
            .flat_map(|i| {
                let (dx, dy) = ((i % width).abs_diff(left), (i / width).abs_diff(top));
                let within = [dx * dx + dy * dy <= half * half, dx.max(dy) <= half];
                let [red, green, blue] = colours[usize::from(within[index % 2])];
                [red, green, blue, 255]
            })
            .collect();
        to_tensor(&rgba, width, height, &self.input, x, &mut Vec::new()).unwrap();
        if let Some(rng) = rng {
            let Input { height, width, .. } = self.input;
            let picture = x.to_vec();
            self.augment.draw(rng).apply(&picture, [height, width, 3], 1.0, [height, width], x);
        }
    }
}

fn every_way() -> Augment {
    Augment {
        rotation_range: 15.0,
        width_shift_range: 0.1,
        height_shift_range: 0.1,
        brightness_range: Some([0.8, 1.2]),
        contrast_range: Some([0.8, 1.2]),
        saturation_range: Some([0.5, 1.5]),
        cut_out: 0.2,
        ..Augment::article()
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn twenty_steps_of_the_article_s_network_with_augmentation_end_in_the_same_bits() {
    let mut model = Model::new(Architecture::article(), 3).unwrap();
    let data = Drawings { input: Input::rgb(64, 64), augment: every_way() };
    let options = FitOptions {
        epochs: 1,
        seed: 5,
        label_smoothing: 0.05,
        batch_size: 8,
        ..FitOptions::default()
    };
    // The mean loss of the epoch so far, at each step.
    let mut losses = Vec::new();
    fit(&mut model, Optimizer::adam(0.0003), &data, None, options, |_, event| {
        if let Event::Step(progress) = event {
            losses.push(progress.logs.loss);
        }
        Flow::Continue
    })
    .unwrap();
    assert_same(
        &model,
        15_519_011_277_330_089_628,
        &losses,
        &[
            0.6543325, 0.6828679, 0.76848906, 0.76466894, 0.74706805, 0.74610937, 0.7360283,
            0.7329287, 0.7363461, 0.7332531, 0.7291051, 0.7225139, 0.7247802, 0.72511184,
            0.7209287, 0.7195935, 0.7199556, 0.7177474, 0.71882546, 0.71755034,
        ],
    );
}
