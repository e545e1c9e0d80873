//! Augmentation against Keras 3.15's own `apply_affine_transform`, and what is drawn.
#![cfg(all(feature = "train", not(target_family = "wasm")))]

use convlet::augment::{Augment, Transform};
use convlet::rng::Rng;

const SIDE: usize = 5;

/// The picture of the script below.
fn picture() -> Vec<f32> {
    let pixel = |i: usize| {
        let (y, x) = (i / SIDE, i % SIDE);
        ((7 * y * y + 3 * x * y + 5 * x) % 11) as f32 / 10.0
    };
    (0..SIDE * SIDE).map(pixel).collect()
}

fn changed(transform: &Transform) -> Vec<f32> {
    let mut out = vec![f32::NAN; SIDE * SIDE];
    transform.apply(&picture(), [SIDE, SIDE, 1], 1.0, [SIDE, SIDE], &mut out);
    out
}

/// Expected values by
/// ```python
/// y, x = np.mgrid[0:5, 0:5]
/// image = ((7*y*y + 3*x*y + 5*x) % 11).astype(np.float32)[..., None] / 10
/// show = lambda **kw: apply_affine_transform(image, row_axis=0, col_axis=1, channel_axis=2, **kw)[..., 0]
/// print(show(theta=20, tx=0.5, ty=-0.75, shear=12, zx=0.9, zy=1.2)[:, ::-1])
/// print(show(shear=0.2, zx=0.8, zy=1.1)[::-1])
/// ```
#[test]
fn geometry_is_that_of_keras() {
    let everything = Transform {
        rotation: 20.0,
        column_shift: 0.1,
        row_shift: -0.15,
        shear: 12.0,
        column_zoom: 0.9,
        row_zoom: 1.2,
        horizontal_flip: true,
        ..Transform::IDENTITY
    };
    #[rustfmt::skip]
    let expected = [
        0.88603157, 0.9, 0.8990838, 0.47622216, 0.81596744,
        0.6, 0.6730797, 0.67541915, 0.6651821, 0.8354089,
        0.6245631, 0.62900513, 0.6432821, 0.20934694, 0.40863803,
        0.8021706, 0.5848422, 0.4679623, 0.5072798, 0.5974043,
        0.826999, 0.46299487, 0.35522348, 0.36182714, 0.77718395,
    ];
    assert_close(&changed(&everything), &expected);
    let article = Transform {
        shear: 0.2,
        column_zoom: 0.8,
        row_zoom: 1.1,
        vertical_flip: true,
        ..Transform::IDENTITY
    };
    #[rustfmt::skip]
    let expected = [
        0.43539235, 0.7038397, 0.30383974, 0.7753923, 0.6038397,
        0.47853452, 0.12315096, 0.29915527, 0.5627313, 0.76115644,
        0.6, 0.6, 0.6, 0.6, 0.6,
        0.5411578, 0.3651535, 0.19252822, 0.7205357, 0.7171554,
        0.20383972, 0.6038397, 0.9953923, 0.51539236, 0.7038397,
    ];
    assert_close(&changed(&article), &expected);
}

/// Keras works out the place in f64, we in f32: a place is off by at most a few epsilons of the picture's side, and
/// neighbouring pixels differ by at most 1.
fn assert_close(got: &[f32], expected: &[f32]) {
    let tolerance = 8.0 * SIDE as f32 * f32::EPSILON;
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!((got - expected).abs() <= tolerance, "pixel {i}: expected {expected}, got {got}");
    }
}

#[test]
fn identity_is_exact() {
    assert_eq!(changed(&Transform::IDENTITY), picture());
}

/// A picture that is not square keeps its centre, and each shift moves along its own axis.
#[test]
fn axes_are_kept_apart() {
    let (h, w) = (2, 4);
    let image: Vec<f32> = (0..h * w).map(|i| i as f32).collect();
    let mut out = vec![0.0; h * w];
    Transform { rotation: 180.0, ..Transform::IDENTITY }.apply(
        &image,
        [h, w, 1],
        8.0,
        [h, w],
        &mut out,
    );
    let turned: Vec<f32> = image.iter().rev().copied().collect();
    assert_close(&out, &turned);
    Transform { column_shift: 0.25, ..Transform::IDENTITY }.apply(
        &image,
        [h, w, 1],
        8.0,
        [h, w],
        &mut out,
    );
    assert_eq!(out, [1.0, 2.0, 3.0, 3.0, 5.0, 6.0, 7.0, 7.0]);
    Transform { row_shift: 0.5, ..Transform::IDENTITY }.apply(
        &image,
        [h, w, 1],
        8.0,
        [h, w],
        &mut out,
    );
    assert_eq!(out, [4.0, 5.0, 6.0, 7.0, 4.0, 5.0, 6.0, 7.0]);
}

#[test]
fn brightness_stops_at_white() {
    let image = [0.1, 0.5, 0.9];
    let mut out = [0.0; 3];
    Transform { brightness: 1.5, ..Transform::IDENTITY }.apply(
        &image,
        [1, 1, 3],
        1.0,
        [1, 1],
        &mut out,
    );
    assert_eq!(out, [0.1 * 1.5, 0.75, 1.0]);
}

#[test]
fn draws_stay_in_their_ranges_and_reach_them() {
    let augment = Augment {
        rotation_range: 30.0,
        brightness_range: Some([0.5, 1.5]),
        width_shift_range: 0.25,
        ..Augment::article()
    };
    let mut rng = Rng::new(1);
    let drawn: Vec<Transform> = (0..1000).map(|_| augment.draw(&mut rng)).collect();
    let range = |value: fn(&Transform) -> f32| {
        let values = drawn.iter().map(value);
        (values.clone().fold(f32::MAX, f32::min), values.fold(f32::MIN, f32::max))
    };
    for (value, low, high) in [
        ((|t| t.rotation) as fn(&Transform) -> f32, -30.0, 30.0),
        (|t| t.shear, -0.2, 0.2),
        (|t| t.column_zoom, 0.8, 1.2),
        (|t| t.row_zoom, 0.8, 1.2),
        (|t| t.column_shift, -0.25, 0.25),
        (|t| t.row_shift, 0.0, 0.0),
        (|t| t.brightness, 0.5, 1.5),
    ] {
        let (least, most) = range(value);
        let slack = (high - low) * 0.05;
        assert!((low..=low + slack).contains(&least), "{least} for {low}..{high}");
        assert!((high - slack..=high).contains(&most), "{most} for {low}..{high}");
    }
    let flips = drawn.iter().filter(|t| t.horizontal_flip).count();
    assert!((400..600).contains(&flips), "{flips} of 1000 flipped");
    assert!(drawn.iter().all(|t| !t.vertical_flip));
    assert!(drawn.iter().any(|t| t.row_zoom != t.column_zoom));
}

#[test]
fn one_option_leaves_the_others_draws() {
    let with = Augment { rotation_range: 90.0, vertical_flip: true, ..Augment::article() };
    let (a, b) = (with.draw(&mut Rng::new(3)), Augment::article().draw(&mut Rng::new(3)));
    assert_eq!((a.shear, a.row_zoom, a.horizontal_flip), (b.shear, b.row_zoom, b.horizontal_flip));
    assert_eq!(Augment::default().draw(&mut Rng::new(3)), Transform::IDENTITY);
}

#[test]
fn contrast_and_saturation_turn_about_the_mean_and_the_grey() {
    let image = [0.2, 0.4, 0.6, 0.4, 0.6, 0.8];
    let mut out = [0.0; 6];
    let change = |t: Transform, out: &mut [f32]| t.apply(&image, [1, 2, 3], 1.0, [1, 2], out);
    let close = |out: &[f32], expected: [f32; 6]| {
        assert!(out.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{out:?}");
    };
    change(Transform { contrast: 0.5, ..Transform::IDENTITY }, &mut out);
    close(&out, [0.35, 0.45, 0.55, 0.45, 0.55, 0.65]);
    change(Transform { contrast: 4.0, ..Transform::IDENTITY }, &mut out);
    close(&out, [0.0, 0.1, 0.9, 0.1, 0.9, 1.0]);
    change(Transform { saturation: 0.0, ..Transform::IDENTITY }, &mut out);
    close(&out, [0.4, 0.4, 0.4, 0.6, 0.6, 0.6]);
}

#[test]
fn cut_out_blanks_a_square_with_the_mean() {
    let image: Vec<f32> = (0..64).map(|i| i as f32 / 64.0).collect();
    let mut out = vec![0.0; 64];
    let cut = |at: [f32; 2], out: &mut [f32]| {
        let transform = Transform { cut_out: 0.5, cut_out_at: at, ..Transform::IDENTITY };
        transform.apply(&image, [8, 8, 1], 1.0, [8, 8], out);
        let mean = image.iter().sum::<f32>() / 64.0;
        (0..64).filter(|&i| out[i] == mean && image[i] != mean).collect::<Vec<_>>()
    };
    assert_eq!(cut([0.5, 0.5], &mut out).len(), 16);
    assert_eq!(cut([0.0, 1.0], &mut out), [6, 7, 14, 15]);
}

#[test]
fn a_larger_source_is_sampled_at_the_output_pixels_centres() {
    let image: Vec<f32> = (0..16).map(|i| i as f32 / 16.0).collect();
    let mut out = [0.0; 4];
    Transform::IDENTITY.apply(&image, [4, 4, 1], 1.0, [2, 2], &mut out);
    let mean = |i: usize| (image[i] + image[i + 1] + image[i + 4] + image[i + 5]) / 4.0;
    assert_eq!(out, [mean(0), mean(2), mean(8), mean(10)]);
}
