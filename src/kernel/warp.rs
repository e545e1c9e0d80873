//! Pictures turned, moved, sheared, zoomed and mirrored: bilinear sampling, edges filled with the nearest pixel.

/// out (`to`, c) = `image` of shape `from` (h, w, c), sampled where `places` says, mirrored top to bottom and left to
/// right where `flip` says.
///
/// `places` are the source row and the source column of output pixel (x, y), as [factor of x, factor of y, constant], with
/// x and y counted in the source's pixels.
pub fn warp(
    image: &[f32],
    from: [usize; 3],
    places: [[f32; 3]; 2],
    flip: [bool; 2],
    to: [usize; 2],
    out: &mut [f32],
) {
    let ([h, w, c], [oh, ow], [row, column]) = (from, to, places);
    debug_assert_eq!(image.len(), h * w * c);
    debug_assert_eq!(out.len(), oh * ow * c);
    // The centre of an output pixel in the source's pixels; the pixel itself where the sizes are equal.
    let place =
        |at: usize, to: usize, from: usize| (at as f32 + 0.5) * (from as f32 / to as f32) - 0.5;
    for (y, out) in out.chunks_exact_mut(ow * c).enumerate() {
        let y = place(if flip[0] { oh - 1 - y } else { y }, oh, h);
        for (x, out) in out.chunks_exact_mut(c).enumerate() {
            let x = place(if flip[1] { ow - 1 - x } else { x }, ow, w);
            let at = |[dx, dy, start]: [f32; 3]| dx * x + dy * y + start;
            sample(image, from, at(row), at(column), out);
        }
    }
}

/// The value of `image` at a place between its pixels, edges extended.
fn sample(image: &[f32], [h, w, c]: [usize; 3], row: f32, column: f32, out: &mut [f32]) {
    let between = |at: f32, len: usize| {
        let at = at.clamp(0.0, (len - 1) as f32);
        let low = at as usize;
        (low, (low + 1).min(len - 1), at - low as f32)
    };
    let (top, bottom, down) = between(row, h);
    let (left, right, across) = between(column, w);
    let pixel = |y: usize, x: usize| &image[(y * w + x) * c..][..c];
    let (top_left, top_right) = (pixel(top, left), pixel(top, right));
    let (bottom_left, bottom_right) = (pixel(bottom, left), pixel(bottom, right));
    for (i, out) in out.iter_mut().enumerate() {
        let upper = top_left[i] + across * (top_right[i] - top_left[i]);
        let lower = bottom_left[i] + across * (bottom_right[i] - bottom_left[i]);
        *out = upper + down * (lower - upper);
    }
}
