//! Depthwise convolution: each channel with a window of its own; `c == oc`.

use super::{Clamp, Window, naive};

/// Floats of scratch that any function here needs for `s`.
pub fn scratch_len(_s: &Window) -> usize {
    0
}

/// x (n, h, w, c), kernel (kh, kw, c, 1), bias (c) -> out (n, oh, ow, c).
pub fn depthwise_conv2d_forward(
    s: &Window,
    x: &[f32],
    kernel: &[f32],
    bias: Option<&[f32]>,
    clamp: Clamp,
    out: &mut [f32],
    _scratch: &mut [f32],
) {
    naive::depthwise_conv2d_forward(s, x, kernel, bias, clamp, out);
}

/// dout (n, oh, ow, c), kernel (kh, kw, c, 1) -> dx (n, h, w, c), overwritten.
pub fn depthwise_conv2d_backward_input(
    s: &Window,
    dout: &[f32],
    kernel: &[f32],
    dx: &mut [f32],
    _scratch: &mut [f32],
) {
    naive::depthwise_conv2d_backward_input(s, dout, kernel, dx);
}

/// x (n, h, w, c), dout (n, oh, ow, c) -> dkernel (kh, kw, c, 1) and dbias (c), overwritten.
pub fn depthwise_conv2d_backward_kernel(
    s: &Window,
    x: &[f32],
    dout: &[f32],
    dkernel: &mut [f32],
    dbias: Option<&mut [f32]>,
    _scratch: &mut [f32],
) {
    naive::depthwise_conv2d_backward_kernel(s, x, dout, dkernel, dbias);
}
