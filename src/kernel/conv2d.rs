//! Two-dimensional convolution.

use super::{Clamp, OutputGradient, Window, naive};

/// Floats in the packed weights of the forward pass.
pub fn packed_len(s: &Window) -> usize {
    (s.taps() + 1) * s.oc
}

/// Packs kernel (kh, kw, c, oc) and bias (oc; zero when absent) for the forward pass.
pub fn pack(s: &Window, kernel: &[f32], bias: Option<&[f32]>, packed: &mut [f32]) {
    let (head, tail) = packed.split_at_mut(s.oc);
    match bias {
        Some(bias) => head.copy_from_slice(bias),
        None => head.fill(0.0),
    }
    tail.copy_from_slice(kernel);
}

/// Floats of scratch that any function here needs for `s`.
pub fn scratch_len(_s: &Window) -> usize {
    0
}

/// x (n, h, w, c), packed weights -> out (n, oh, ow, oc).
pub fn conv2d_forward(
    s: &Window,
    x: &[f32],
    packed: &[f32],
    clamp: Clamp,
    out: &mut [f32],
    _scratch: &mut [f32],
) {
    naive::conv2d_forward(s, x, &packed[s.oc..], Some(&packed[..s.oc]), clamp, out);
}

/// x (n, h, w, c), packed weights -> out (n, oh/2, ow/2, oc), fused with 2 x 2 max pooling of stride 2; `indices`, if
/// wanted, of the same shape: the position 0..4 of each first maximum, row-major.
pub fn conv2d_max_pool_forward(
    s: &Window,
    x: &[f32],
    packed: &[f32],
    clamp: Clamp,
    out: &mut [f32],
    indices: Option<&mut [u8]>,
    scratch: &mut [f32],
) {
    let mut full = vec![0.0; s.n * s.output_len()];
    conv2d_forward(s, x, packed, clamp, &mut full, scratch);
    naive::max_pool_forward(&pooling(s), &full, out, indices);
}

/// The 2 x 2 max pooling fused behind convolution `s`.
fn pooling(s: &Window) -> Window {
    let (h, w) = (s.oh, s.ow);
    Window {
        h,
        w,
        c: s.oc,
        oh: h / 2,
        ow: w / 2,
        kh: 2,
        kw: 2,
        sh: 2,
        sw: 2,
        top: 0,
        left: 0,
        ..*s
    }
}

/// Floats in the packed weights of the backward pass.
pub fn packed_backward_len(s: &Window) -> usize {
    s.taps() * s.oc
}

/// Packs kernel (kh, kw, c, oc) for [`conv2d_backward_input`].
pub fn pack_backward(_s: &Window, kernel: &[f32], packed: &mut [f32]) {
    packed.copy_from_slice(kernel);
}

fn full(s: &Window, dout: OutputGradient) -> Vec<f32> {
    match dout {
        OutputGradient::Full(dout) => dout.to_vec(),
        OutputGradient::MaxPooled { dout, indices } => {
            let mut full = vec![0.0; s.n * s.output_len()];
            naive::max_pool_backward(&pooling(s), dout, indices, &mut full);
            full
        }
    }
}

/// dout (n, oh, ow, oc), packed weights -> dx (n, h, w, c), overwritten.
pub fn conv2d_backward_input(
    s: &Window,
    dout: OutputGradient,
    packed: &[f32],
    dx: &mut [f32],
    _scratch: &mut [f32],
) {
    naive::conv2d_backward_input(s, &full(s, dout), packed, dx);
}

/// x (n, h, w, c), dout (n, oh, ow, oc) -> dkernel (kh, kw, c, oc) and dbias (oc), overwritten.
pub fn conv2d_backward_kernel(
    s: &Window,
    x: &[f32],
    dout: OutputGradient,
    dkernel: &mut [f32],
    dbias: Option<&mut [f32]>,
    _scratch: &mut [f32],
) {
    naive::conv2d_backward_kernel(s, x, &full(s, dout), dkernel, dbias);
}
