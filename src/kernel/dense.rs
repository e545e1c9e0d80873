//! Fully connected layers.

use super::{Clamp, naive};

/// The shape of a fully connected layer at a batch of `n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DenseShape {
    /// Images in the batch.
    pub n: usize,
    /// Values in.
    pub inputs: usize,
    /// Values out.
    pub outputs: usize,
}

/// Floats of scratch that any function here needs for `s`.
pub fn scratch_len(_s: &DenseShape) -> usize {
    0
}

/// x (n, inputs), kernel (inputs, outputs), bias (outputs) -> out (n, outputs).
pub fn dense_forward(
    s: &DenseShape,
    x: &[f32],
    kernel: &[f32],
    bias: Option<&[f32]>,
    clamp: Clamp,
    out: &mut [f32],
    _scratch: &mut [f32],
) {
    naive::dense_forward(s, x, kernel, bias, clamp, out);
}

/// dout (n, outputs), kernel (inputs, outputs) -> dx (n, inputs), overwritten.
pub fn dense_backward_input(
    s: &DenseShape,
    dout: &[f32],
    kernel: &[f32],
    dx: &mut [f32],
    _scratch: &mut [f32],
) {
    naive::dense_backward_input(s, dout, kernel, dx);
}

/// x (n, inputs), dout (n, outputs) -> dkernel (inputs, outputs) and dbias (outputs), overwritten.
pub fn dense_backward_kernel(
    s: &DenseShape,
    x: &[f32],
    dout: &[f32],
    dkernel: &mut [f32],
    dbias: Option<&mut [f32]>,
    _scratch: &mut [f32],
) {
    naive::dense_backward_kernel(s, x, dout, dkernel, dbias);
}
