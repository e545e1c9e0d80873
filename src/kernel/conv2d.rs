//! Two-dimensional convolution.
//!
//! ```text
//! out[y][x][o] = clamp(bias[o] + sum over ky, kx, c of x[y sh + ky - top][x sw + kx - left][c] kernel[ky][kx][c][o])
//! ```
//!
//! [`forward`](conv2d_forward) is a matrix product over patches that are never copied out. Of the two backward passes
//! there are two kinds that give the same bits: those that follow the gradients that are not zero, and the dense ones,
//! matrix products too, for gradients that have few zeros. Winograd's kernels do the same with fewer multiplications where
//! there are many channels, and other last digits. Each tells in its own file how.

mod backward_input;
mod backward_input_dense;
mod backward_kernel;
mod backward_kernel_dense;
mod forward;
mod winograd;

pub use backward_input::{conv2d_backward_input, pack_backward, packed_backward_len};
pub use backward_input_dense::{
    backward_input_dense_applies, conv2d_backward_input_dense, pack_backward_dense,
    packed_backward_dense_len,
};
pub use backward_kernel::conv2d_backward_kernel;
pub use backward_kernel_dense::conv2d_backward_kernel_dense;
pub use forward::{conv2d_forward, conv2d_max_pool_forward, pack, packed_len};

pub use winograd::{
    conv2d_winograd_backward_input, conv2d_winograd_backward_kernel, conv2d_winograd_forward,
    conv2d_winograd_max_pool_forward, winograd_applies, winograd_backward_scratch_len,
    winograd_pack, winograd_pack_backward, winograd_packed_backward_len, winograd_packed_len,
    winograd_scratch_len,
};

use super::Window;

/// Floats of scratch that the direct sums need for `s`, there.
pub fn scratch_len(s: &Window) -> usize {
    forward::scratch_len(s)
}

/// Floats of scratch that they need back.
pub fn backward_scratch_len(s: &Window) -> usize {
    let needs = [
        backward_input::scratch_len(s),
        backward_input_dense::scratch_len(s),
        backward_kernel::scratch_len(s),
        backward_kernel_dense::scratch_len(s),
    ];
    needs.into_iter().max().unwrap_or(0)
}

/// The bias's gradient, where there is a bias: that of the output (n, oh, ow, oc), summed up.
fn backward_bias(dout: &[f32], dbias: Option<&mut [f32]>) {
    let Some(dbias) = dbias else { return };
    dbias.fill(0.0);
    for dout in dout.chunks_exact(dbias.len()) {
        dbias.iter_mut().zip(dout).for_each(|(sum, dout)| *sum += dout);
    }
}
