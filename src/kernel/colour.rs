//! Changes of a picture's colours, in place; what leaves 0 to `white` is cut off there.

/// Every value times `factor`.
pub fn brightness(factor: f32, white: f32, x: &mut [f32]) {
    x.iter_mut().for_each(|value| *value = cut(*value * factor, white));
}

/// Every value's distance from the mean times `factor`.
pub fn contrast(factor: f32, white: f32, x: &mut [f32]) {
    let mean = x.iter().sum::<f32>() / x.len() as f32;
    x.iter_mut().for_each(|value| *value = cut(mean + (*value - mean) * factor, white));
}

/// Every value's distance from its pixel's grey, the mean of its `c` channels, times `factor`.
pub fn saturation(factor: f32, c: usize, white: f32, x: &mut [f32]) {
    for pixel in x.chunks_exact_mut(c) {
        let grey = pixel.iter().sum::<f32>() / c as f32;
        pixel.iter_mut().for_each(|value| {
            *value = cut(grey + (*value - grey) * factor, white);
        });
    }
}

/// `clamp(0.0, white)`; that can panic, and to say over what, core's way of writing floats comes to 5 KB of wasm.
fn cut(value: f32, white: f32) -> f32 {
    if value < 0.0 {
        0.0
    } else if value > white {
        white
    } else {
        value
    }
}
