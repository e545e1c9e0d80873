//! Pooling. `s.c == s.oc`; a window has at most 255 taps and at least one of them on the image.

use super::{Window, naive};

/// x (n, h, w, c) -> out (n, oh, ow, c) and, if wanted, in `indices` the window position (row-major) of each first
/// maximum. The padding never wins.
pub fn max_pool_forward(s: &Window, x: &[f32], out: &mut [f32], indices: Option<&mut [u8]>) {
    naive::max_pool_forward(s, x, out, indices);
}

/// dout (n, oh, ow, c), indices of the forward pass -> dx (n, h, w, c), overwritten.
pub fn max_pool_backward(s: &Window, dout: &[f32], indices: &[u8], dx: &mut [f32]) {
    naive::max_pool_backward(s, dout, indices, dx);
}

/// x (n, h, w, c) -> out (n, oh, ow, c): the mean over the part of the window that lies on the image.
pub fn average_pool_forward(s: &Window, x: &[f32], out: &mut [f32]) {
    naive::average_pool_forward(s, x, out);
}

/// dout (n, oh, ow, c) -> dx (n, h, w, c), overwritten.
pub fn average_pool_backward(s: &Window, dout: &[f32], dx: &mut [f32]) {
    naive::average_pool_backward(s, dout, dx);
}

fn whole_image(n: usize, pixels: usize, c: usize) -> Window {
    Window {
        n,
        h: 1,
        w: pixels,
        c,
        oh: 1,
        ow: 1,
        oc: c,
        kh: 1,
        kw: pixels,
        sh: 1,
        sw: 1,
        top: 0,
        left: 0,
    }
}

/// x (n, pixels, c) -> out (n, c): the mean of each channel.
pub fn global_average_pool_forward(n: usize, pixels: usize, c: usize, x: &[f32], out: &mut [f32]) {
    average_pool_forward(&whole_image(n, pixels, c), x, out);
}

/// dout (n, c) -> dx (n, pixels, c), overwritten.
pub fn global_average_pool_backward(
    n: usize,
    pixels: usize,
    c: usize,
    dout: &[f32],
    dx: &mut [f32],
) {
    average_pool_backward(&whole_image(n, pixels, c), dout, dx);
}
