//! The arithmetic: plain slices and a shape struct in, numbers out.
//!
//! A kernel is named `<op>_forward`, `<op>_backward_<what>`; its textbook twin in [`naive`] has the same name and is
//! the specification: same arguments, same order of additions, so that the strict build gives the very same bits.
//! Vectors run across outputs and never across a sum; threads (the `threads` feature) split outputs and never a sum
//! ([`parallel`]). Which instruction set runs is chosen in [`lanes`].
//!
//! Layouts are Keras's: tensors NHWC, kernels (KH, KW, C, OC). Dimensions carry the same letters everywhere:
//! `n` images of `h` x `w` pixels and `c` channels in, `oh` x `ow` x `oc` out, `kh` x `kw` the window, `sh`, `sw` the
//! strides, `top`, `left` the zero padding before the first row and column (the padding behind follows from `oh`, `ow`).

// `|part| dispatch(part)`: with the bare function, what LLVM makes of it runs a third slower in Node 20.
#![allow(clippy::redundant_closure)]
#![deny(missing_docs, unsafe_code)]

pub mod activation;
mod band;
pub mod batch_normalization;
pub mod colour;
pub mod conv2d;
pub mod dense;
pub mod depthwise_conv2d;
pub mod elementwise;
pub mod gemm;
pub mod lanes;
pub mod naive;
pub mod parallel;
pub mod pool;
pub mod resize;
pub mod warp;

use std::ops::Range;

/// A window that slides over images: the geometry of convolution and pooling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Images in the batch.
    pub n: usize,
    /// Input height.
    pub h: usize,
    /// Input width.
    pub w: usize,
    /// Input channels.
    pub c: usize,
    /// Output height.
    pub oh: usize,
    /// Output width.
    pub ow: usize,
    /// Output channels. Equals `c` for pooling and depthwise convolution.
    pub oc: usize,
    /// Height of the window.
    pub kh: usize,
    /// Width of the window.
    pub kw: usize,
    /// Vertical stride.
    pub sh: usize,
    /// Horizontal stride.
    pub sw: usize,
    /// Rows of zeros before the first.
    pub top: usize,
    /// Columns of zeros before the first.
    pub left: usize,
}

impl Window {
    /// Floats in the input of one image.
    pub fn input_len(&self) -> usize {
        self.h * self.w * self.c
    }

    /// Floats in the output of one image.
    pub fn output_len(&self) -> usize {
        self.oh * self.ow * self.oc
    }

    /// Weights behind one output element of a convolution: its reduction length.
    pub fn taps(&self) -> usize {
        self.kh * self.kw * self.c
    }

    /// Output rows whose window lies over row `by` of the bordered image.
    pub(crate) fn reached_rows(&self, by: usize) -> Range<usize> {
        reached(by, self.sh, self.kh, self.oh)
    }

    /// Output columns whose window lies over column `bx` of the bordered image.
    pub(crate) fn reached_columns(&self, bx: usize) -> Range<usize> {
        reached(bx, self.sw, self.kw, self.ow)
    }
}

#[inline(always)]
fn reached(at: usize, stride: usize, k: usize, outputs: usize) -> Range<usize> {
    let end = (at / stride + 1).min(outputs);
    let start = (at + 1).saturating_sub(k).div_ceil(stride);
    start.min(end)..end
}

/// The range an output is clamped to as it is stored: how linear, relu and relu6 are fused into a kernel.
///
/// `if x < low { low } else { x }`, then `if high < x { high } else { x }`: a NaN stays a NaN (a training that diverges
/// must be seen), and -0 stays -0. One instruction each on every platform (`pmax`, `pmin` in WebAssembly).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clamp {
    /// Lower bound.
    pub low: f32,
    /// Upper bound.
    pub high: f32,
}

impl Clamp {
    /// No bound.
    pub const LINEAR: Clamp = Clamp { low: f32::NEG_INFINITY, high: f32::INFINITY };
    /// 0 and up.
    pub const RELU: Clamp = Clamp { low: 0.0, high: f32::INFINITY };
    /// 0 to 6.
    pub const RELU6: Clamp = Clamp { low: 0.0, high: 6.0 };
}

/// The gradient that reaches a convolution's output.
#[derive(Clone, Copy, Debug)]
pub enum OutputGradient<'a> {
    /// One value per output element: (n, oh, ow, oc).
    Full(&'a [f32]),
    /// Through a fused 2 x 2 max pooling: (n, oh/2, ow/2, oc) values, and for each the position 0..4 (row-major) of
    /// the window's maximum; all other elements are zero.
    MaxPooled {
        /// Gradient of the pooled output.
        dout: &'a [f32],
        /// Positions of the maxima.
        indices: &'a [u8],
    },
}
