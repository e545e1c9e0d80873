//! Any bytes as pixels, of any size, on their way to a tensor, and through a random change.
#![no_main]

use arbitrary::Arbitrary;
use convlet::augment::Transform;
use convlet::image::{Input, Resize, to_array};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Case<'a> {
    input: [u8; 2],
    is_grey: bool,
    crops: bool,
    size: [u8; 2],
    transform: [f32; 6],
    bytes: &'a [u8],
}

fuzz_target!(|case: Case| {
    // Up to 63 pixels a side, for speed: several groups of rows, and blocks of pixels with a rest.
    let [width, height, rows, columns] = [case.size[0], case.size[1], case.input[0], case.input[1]]
        .map(|side| usize::from(side % 64));
    // The bytes over and over: a size without any is a picture that is too short.
    let pixels: Vec<u8> = case.bytes.iter().copied().cycle().take(4 * width * height).collect();
    let input = Input {
        channels: if case.is_grey { 1 } else { 3 },
        resize: if case.crops { Resize::Crop } else { Resize::Squash },
        rescale: 1.0,
        ..Input::rgb(rows, columns)
    };
    let Ok(tensor) = to_array(&pixels, width, height, &input) else {
        assert!(width * height * rows * columns == 0 || pixels.len() != 4 * width * height);
        return;
    };
    // Rounding of at most as many terms as the picture has rows and columns.
    let slack = 255.0 * f32::EPSILON * (width + height + 8) as f32;
    assert!(tensor.iter().all(|value| (-slack..=255.0 + slack).contains(value)), "{case:?}");
    let [rotation, shift, shear, zoom, saturation, cut_out] = case.transform;
    let transform = Transform {
        rotation,
        row_shift: shift,
        column_shift: -shift,
        shear,
        row_zoom: zoom,
        column_zoom: zoom,
        saturation,
        cut_out,
        cut_out_at: [0.5; 2],
        ..Transform::IDENTITY
    };
    let (mut out, shape) = (tensor.clone(), [rows, columns, input.channels]);
    let (image, out) = (tensor.as_slice().unwrap(), out.as_slice_mut().unwrap());
    transform.apply(image, shape, 255.0, [rows, columns], out);
});
