//! Changes of a picture's colours, in place; what leaves 0 to `white` is cut off there.

/// Every value times `factor`.
pub fn brightness(factor: f32, white: f32, x: &mut [f32]) {
    x.iter_mut().for_each(|value| *value = (*value * factor).clamp(0.0, white));
}

/// Every value's distance from the mean times `factor`.
pub fn contrast(factor: f32, white: f32, x: &mut [f32]) {
    let mean = x.iter().sum::<f32>() / x.len() as f32;
    x.iter_mut().for_each(|value| *value = (mean + (*value - mean) * factor).clamp(0.0, white));
}

/// Every value's distance from its pixel's grey, the mean of its `c` channels, times `factor`.
pub fn saturation(factor: f32, c: usize, white: f32, x: &mut [f32]) {
    for pixel in x.chunks_exact_mut(c) {
        let grey = pixel.iter().sum::<f32>() / c as f32;
        pixel.iter_mut().for_each(|value| {
            *value = (grey + (*value - grey) * factor).clamp(0.0, white);
        });
    }
}
