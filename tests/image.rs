//! From pixels to a tensor: against Pillow, against the textbook, and at the extremes.
#![cfg(not(target_family = "wasm"))]

use convlet::error::ErrorKind;
use convlet::image::{Input, Resize, to_array, to_tensor};
use proptest::prelude::*;

/// The picture of the Pillow script below, as RGBA.
fn picture(width: usize, height: usize) -> Vec<u8> {
    let value = |x: usize, y: usize, c: usize| (x * 7 + y * 13 + c * 50 + (x * y) % 31) as u8;
    let pixel = |i: usize| (i % width, i / width);
    (0..width * height)
        .flat_map(|i| {
            let (x, y) = pixel(i);
            [value(x, y, 0), value(x, y, 1), value(x, y, 2), 255]
        })
        .collect()
}

fn resized(rgba: &[u8], width: usize, height: usize, input: &Input) -> Vec<f32> {
    to_array(rgba, width, height, input).unwrap().into_raw_vec_and_offset().0
}

fn bytes(height: usize, width: usize) -> Input {
    Input { rescale: 1.0, ..Input::rgb(height, width) }
}

/// Expected values by Pillow 12:
/// ```python
/// pixel = lambda x, y, c: (x*7 + y*13 + c*50 + (x*y) % 31) % 256
/// picture = np.array([[[pixel(x, y, c) for c in range(3)] for x in range(w)] for y in range(h)], np.uint8)
/// np.asarray(Image.fromarray(picture).resize((width, height), Image.BILINEAR)).reshape(-1)
/// ```
#[test]
fn agrees_with_pillow() {
    #[rustfmt::skip]
    let cases: [(usize, usize, usize, usize, &[u8]); 3] = [
        (37, 23, 4, 3, &[
            99, 147, 171, 156, 163, 121, 157, 105, 86, 96, 83, 126, 168, 138, 95, 132, 88, 102, 88, 112, 155, 119,
            160, 162, 98, 85, 127, 94, 136, 175, 151, 176, 132, 175, 119, 82,
        ]),
        (3, 2, 5, 4, &[
            0, 50, 100, 3, 53, 103, 7, 57, 107, 11, 61, 111, 14, 64, 114, 3, 53, 103, 6, 56, 106, 11, 61, 111, 15,
            65, 115, 18, 68, 118, 10, 60, 110, 13, 63, 113, 18, 68, 118, 22, 72, 122, 25, 75, 125, 13, 63, 113, 16,
            66, 116, 21, 71, 121, 26, 76, 126, 29, 79, 129,
        ]),
        (6, 40, 3, 5, &[
            63, 113, 161, 83, 133, 170, 99, 149, 183, 159, 163, 114, 174, 151, 95, 176, 138, 99, 112, 84, 113, 103,
            86, 130, 95, 95, 143, 118, 166, 156, 136, 177, 140, 146, 179, 135, 189, 121, 72, 163, 101, 73, 136, 95,
            86,
        ]),
    ];
    for (w, h, width, height, expected) in cases {
        let got = resized(&picture(w, h), w, h, &bytes(height, width));
        assert_eq!(got.len(), expected.len());
        for (got, &expected) in got.iter().zip(expected) {
            // Pillow rounds to whole levels after each of its two passes.
            assert!((got - f32::from(expected)).abs() <= 1.0, "expected {expected}, got {got}");
        }
    }
}

/// The textbook: for each output element, the normalised triangle over all source pixels, in f64.
fn naive(rgba: &[u8], width: usize, height: usize, input: &Input) -> Vec<f64> {
    let triangle = |out: usize, of: usize, pixel: usize, len: usize| {
        let scale = len as f64 / of as f64;
        let distance = (pixel as f64 + 0.5 - (out as f64 + 0.5) * scale) / scale.max(1.0);
        (1.0 - distance.abs()).max(0.0)
    };
    let mut out = Vec::new();
    for oy in 0..input.height {
        for ox in 0..input.width {
            let (mut sums, mut total) = ([0.0; 3], 0.0);
            for y in 0..height {
                for x in 0..width {
                    let weight =
                        triangle(oy, input.height, y, height) * triangle(ox, input.width, x, width);
                    let pixel = &rgba[4 * (y * width + x)..][..4];
                    let alpha = f64::from(pixel[3]) / 255.0;
                    for (sum, &value) in sums.iter_mut().zip(pixel) {
                        *sum += weight * (alpha * f64::from(value) + (1.0 - alpha) * 255.0);
                    }
                    total += weight;
                }
            }
            out.extend(sums.map(|sum| sum / total * f64::from(input.rescale)));
        }
    }
    out
}

proptest! {
    #[test]
    fn is_the_textbook_triangle(
        width in 1usize..40, height in 1usize..40, out_width in 1usize..20, out_height in 1usize..20,
        seed in any::<u64>(), opaque in any::<bool>(),
    ) {
        let mut rng = convlet::rng::Rng::new(seed);
        let mut rgba: Vec<u8> = (0..4 * width * height).map(|_| rng.next_u32() as u8).collect();
        if opaque {
            rgba.chunks_mut(4).for_each(|pixel| pixel[3] = 255);
        }
        let input = Input::rgb(out_height, out_width);
        let got = resized(&rgba, width, height, &input);
        // Terms added for one element, each at most 1, in two passes.
        let rounding = 2.0 * (width + height) as f64 * f64::from(f32::EPSILON);
        // A pixel laid over white is rounded to a whole level.
        let tolerance = rounding + if opaque { 0.0 } else { 0.5 / 255.0 };
        for (got, expected) in got.iter().zip(naive(&rgba, width, height, &input)) {
            prop_assert!((f64::from(*got) - expected).abs() <= tolerance, "{expected} {got}");
        }
    }
}

#[test]
fn own_size_is_exact() {
    let rgba = picture(9, 7);
    let expected: Vec<f32> = rgba
        .chunks(4)
        .flat_map(|p| [p[0], p[1], p[2]].map(|v| f32::from(v) * (1.0 / 255.0)))
        .collect();
    assert_eq!(resized(&rgba, 9, 7, &Input::rgb(7, 9)), expected);
}

#[test]
fn grey_is_luma_and_keeps_greys() {
    let input = Input { channels: 1, ..bytes(1, 3) };
    let rgba = [255, 0, 0, 255, 0, 255, 0, 255, 77, 77, 77, 255];
    let got = resized(&rgba, 3, 1, &input);
    assert!((got[0] - 0.299 * 255.0).abs() < 1e-4 && (got[1] - 0.587 * 255.0).abs() < 1e-4);
    assert_eq!(got[2], 77.0);
}

#[test]
fn transparent_is_white() {
    let rgba = [10, 20, 30, 0, 10, 20, 30, 255];
    assert_eq!(resized(&rgba, 2, 1, &bytes(1, 2)), [255.0, 255.0, 255.0, 10.0, 20.0, 30.0]);
}

/// A wide picture and a tall one: the centre is used, nothing beside it.
#[test]
fn crop_takes_the_centre() {
    let crop = Input { resize: Resize::Crop, ..bytes(2, 2) };
    let wide = picture(6, 2);
    let centre: Vec<f32> = wide
        .chunks(4)
        .enumerate()
        .filter(|(i, _)| (2..4).contains(&(i % 6)))
        .flat_map(|(_, p)| [p[0], p[1], p[2]].map(f32::from))
        .collect();
    assert_eq!(resized(&wide, 6, 2, &crop), centre);
    let tall = picture(2, 6);
    let centre: Vec<f32> =
        tall[4 * 4..8 * 4].chunks(4).flat_map(|p| [p[0], p[1], p[2]].map(f32::from)).collect();
    assert_eq!(resized(&tall, 2, 6, &crop), centre);
    // A sliver still has a pixel to show.
    assert_eq!(resized(&[9, 9, 9, 255].repeat(500), 500, 1, &crop), [9.0; 12]);
}

#[test]
fn one_pixel_and_very_large() {
    assert_eq!(resized(&[1, 2, 3, 255], 1, 1, &bytes(2, 2)), [1.0, 2.0, 3.0].repeat(4));
    let (width, height) = (12_000, 9_000);
    let rgba = [40, 50, 60, 255].repeat(width * height);
    let (mut out, mut scratch) = (vec![0.0; 64 * 64 * 3], Vec::new());
    to_tensor(&rgba, width, height, &bytes(64, 64), &mut out, &mut scratch).unwrap();
    assert!(out.chunks(3).all(|p| {
        p.iter().zip([40.0, 50.0, 60.0]).all(|(got, expected)| (got - expected).abs() < 1e-3)
    }));
    assert!(scratch.len() < 8 * width, "scratch of {} floats for rows of {width}", scratch.len());
}

#[test]
fn scratch_is_reused() {
    let (mut out, mut scratch) = (vec![0.0; 12], Vec::new());
    let mut run = |scratch: &mut Vec<f32>| {
        to_tensor(&picture(30, 20), 30, 20, &bytes(2, 2), &mut out, scratch).unwrap();
        out.clone()
    };
    let first = run(&mut scratch);
    let place = scratch.as_ptr();
    scratch.fill(f32::NAN);
    assert_eq!(run(&mut scratch), first);
    assert_eq!(scratch.as_ptr(), place);
}

#[test]
fn bad_sizes_say_what_was_expected() {
    let mut out = [0.0; 12];
    let mut refused = |rgba: &[u8], width, height, input: &Input, kind| {
        let error = to_tensor(rgba, width, height, input, &mut out, &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), kind);
        error.to_string()
    };
    let message = refused(&[0; 15], 2, 2, &bytes(2, 2), ErrorKind::Shape);
    assert!(message.contains("2 x 2 x 4 bytes") && message.contains("15"), "{message}");
    refused(&[], 0, 5, &bytes(2, 2), ErrorKind::Argument);
    refused(&[0; 4], 1, 1, &bytes(0, 2), ErrorKind::Argument);
    refused(&[0; 4], 1, 1, &Input { channels: 4, ..bytes(2, 2) }, ErrorKind::Argument);
    refused(&[0; 4], 1, 1, &bytes(3, 3), ErrorKind::Shape);
    refused(&[0; 4], usize::MAX, 2, &bytes(2, 2), ErrorKind::Shape);
}
