//! Convolution of an image with learnt kernels.

use std::any::Any;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::config::*;
use super::{
    Backward, BackwardMemory, Forward, Layer, MaxPooling2D, Memory, Parameter, Shapes, State,
    Traits, WeightSpec, fuse_activation, kernel_and_bias, split_activation,
};
use crate::error::{Result, bail};
use crate::json::object;
use crate::kernel::activation::{Activation, activation_backward};
use crate::kernel::gemm::V;
use crate::kernel::{Clamp, OutputGradient, Window, conv2d, lanes};

/// Slides `filters` kernels over the image:
/// `out[y, x, o] = activation(bias[o] + sum over (i, j, c) of in[y*sh + i, x*sw + j, c] * kernel[i, j, c, o])`.
///
/// (H, W, C) to (OH, OW, filters); weights `kernel` (KH, KW, C, filters) and `bias` (filters). Keras's `Conv2D`.
#[derive(Clone, Debug)]
pub struct Conv2D {
    /// How many kernels: the output's channels.
    pub filters: usize,
    /// Height and width of a kernel.
    pub kernel_size: [usize; 2],
    /// Steps between two places of the kernel, down and across.
    pub strides: [usize; 2],
    /// What happens at the border.
    pub padding: Padding,
    /// Whether a bias is added.
    pub use_bias: bool,
    /// Applied to the sum.
    pub activation: Activation,
    /// What the kernel starts as.
    pub kernel_initializer: Initializer,
    /// A 2 x 2 max pooling done in the same pass. The model sets it; no configuration names it.
    pub(super) pooled: bool,
    /// Winograd's kernels instead of the direct sums. The model sets it; no configuration names it.
    pub(super) winograd: bool,
}

impl Conv2D {
    /// `filters` kernels of `size` x `size`, stride 1, `valid`, with a bias, linear.
    pub fn new(filters: usize, size: usize) -> Self {
        Self {
            filters,
            kernel_size: [size; 2],
            strides: [1; 2],
            padding: Padding::Valid,
            use_bias: true,
            activation: Activation::Linear,
            kernel_initializer: Initializer::GlorotUniform,
            pooled: false,
            winograd: false,
        }
    }

    /// The same layer with an activation.
    pub fn activation(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }

    /// Reads Keras's configuration.
    pub fn from_config(map: &Map<String, Value>) -> Result<Self> {
        let config = Config::new(map);
        config.only("dilation_rate", [1, 1].into()).or(config.only("dilation_rate", 1.into()))?;
        config.only("groups", 1.into())?;
        config.only("data_format", "channels_last".into())?;
        Ok(Self {
            filters: config.count("filters")?,
            kernel_size: config.pair("kernel_size", None)?,
            strides: config.pair("strides", Some([1; 2]))?,
            padding: config.padding()?,
            use_bias: config.flag("use_bias", true)?,
            activation: config.activation()?,
            kernel_initializer: config
                .initializer("kernel_initializer", Initializer::GlorotUniform),
            pooled: false,
            winograd: false,
        })
    }

    fn window(&self, shapes: &Shapes, n: usize) -> Window {
        let (kernel, strides) = (self.kernel_size, self.strides);
        checked_window(&shapes.inputs, self.filters, n, kernel, strides, self.padding)
    }

    /// Whether the gradient comes with few zeros. A ReLU or a max pooling leaves many, a BatchNormalization in training
    /// none; the bits are the same either way.
    fn is_dense(&self, s: &Window, dout: &[f32]) -> bool {
        // A sample, which meets all channels: reading everything would take as long as a small kernel.
        let sample = || dout.iter().step_by(61);
        let zeros = || sample().filter(|&&gradient| gradient == 0.0).count();
        !self.pooled && conv2d::backward_input_dense_applies(s) && zeros() < sample().len() / 4
    }

    fn clamp(&self) -> Clamp {
        self.activation.clamp().unwrap_or(Clamp::LINEAR)
    }
}

impl Layer for Conv2D {
    fn class_name(&self) -> &'static str {
        "Conv2D"
    }

    fn config(&self) -> Map<String, Value> {
        object! {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": padding_value(self.padding),
            "use_bias": self.use_bias,
            "activation": activation_value(self.activation),
            "kernel_initializer": initializer_value(self.kernel_initializer),
        }
    }

    fn output_shape(&self, inputs: &[Vec<usize>]) -> Result<Vec<usize>> {
        let s = window(
            image_shape(inputs)?,
            self.filters,
            self.kernel_size,
            self.strides,
            self.padding,
        )?;
        // Both ways round, channels are padded to whole panels of vectors.
        let padded = |channels: usize| (channels + V * lanes::MAX) as u64;
        let packed = (s.kh * s.kw) as u64 * padded(s.c).saturating_mul(padded(s.oc));
        if packed > MAX_FLOATS {
            bail!(
                Shape,
                "expected kernels of at most {MAX_FLOATS} numbers, got {} x {} x {} x {}",
                s.kh,
                s.kw,
                s.c,
                s.oc
            );
        }
        Ok(vec![s.oh, s.ow, s.oc])
    }

    fn terms(&self, inputs: &[Vec<usize>]) -> usize {
        let [kh, kw] = self.kernel_size;
        kh * kw * inputs[0][2]
    }

    fn weights(&self, inputs: &[Vec<usize>]) -> Vec<WeightSpec> {
        let [kh, kw] = self.kernel_size;
        let shape = vec![kh, kw, inputs[0][2], self.filters];
        kernel_and_bias(shape, self.kernel_initializer, self.filters, self.use_bias)
    }

    fn lower(&self) -> Option<Vec<(Arc<dyn Layer>, usize)>> {
        let linear = Self { activation: Activation::Linear, ..self.clone() };
        split_activation(linear, self.use_bias, self.activation)
    }

    fn fuse(&self, next: &dyn Layer, output: &[usize]) -> Option<Arc<dyn Layer>> {
        if let Some(activation) = fuse_activation(self.activation, next).filter(|_| !self.pooled) {
            return Some(Arc::new(Self { activation, ..self.clone() }));
        }
        let pool = (next as &dyn Any).downcast_ref::<MaxPooling2D>()?;
        let halves = pool.pool_size == [2; 2] && pool.strides == [2; 2];
        let whole = output[..2].iter().all(|size| size.is_multiple_of(2));
        let fits = halves && (pool.padding == Padding::Valid || whole) && !self.pooled;
        fits.then(|| Arc::new(Self { pooled: true, ..self.clone() }) as Arc<dyn Layer>)
    }

    fn with_affine(&self) -> Option<Arc<dyn Layer>> {
        let linear = self.activation == Activation::Linear && !self.pooled;
        linear.then(|| Arc::new(Self { use_bias: true, ..self.clone() }) as Arc<dyn Layer>)
    }

    fn faster(&self, inputs: &[Vec<usize>], training: bool) -> Option<Arc<dyn Layer>> {
        let s =
            checked_window(inputs, self.filters, 1, self.kernel_size, self.strides, self.padding);
        // A pooled gradient is mostly zeros, which the direct sums pass over.
        let faster = conv2d::winograd_applies(&s) && !(training && self.pooled);
        faster.then(|| Arc::new(Self { winograd: true, ..self.clone() }) as Arc<dyn Layer>)
    }

    fn memory(&self, shapes: &Shapes) -> Memory {
        let s = self.window(shapes, shapes.n);
        match self.winograd {
            true => Memory {
                packed: conv2d::winograd_packed_len(&s),
                scratch: conv2d::winograd_scratch_len(&s),
            },
            false => Memory { packed: conv2d::packed_len(&s), scratch: conv2d::scratch_len(&s) },
        }
    }

    #[cfg(feature = "train")]
    fn backward_memory(&self, shapes: &Shapes) -> BackwardMemory {
        let s = self.window(shapes, shapes.n);
        if self.winograd {
            return BackwardMemory {
                packed: conv2d::winograd_packed_backward_len(&s),
                scratch: conv2d::winograd_backward_scratch_len(&s),
                ..BackwardMemory::default()
            };
        }
        let dense = match conv2d::backward_input_dense_applies(&s) && !self.pooled {
            true => conv2d::packed_backward_dense_len(&s),
            false => 0,
        };
        BackwardMemory {
            packed: dense.max(conv2d::packed_backward_len(&s)),
            indices: if self.pooled { shapes.n * shapes.output_len() } else { 0 },
            scratch: conv2d::backward_scratch_len(&s),
            ..BackwardMemory::default()
        }
    }

    fn traits(&self) -> Traits {
        let clamped = self.activation != Activation::Linear;
        Traits { needs_input: true, needs_output: clamped, ..Traits::default() }
    }

    fn prepare(&self, shapes: &Shapes, parameters: &[Parameter], state: &mut State) {
        let s = self.window(shapes, shapes.n);
        let bias = parameters.get(1).map(|bias| &bias.value[..]);
        if self.winograd {
            return conv2d::winograd_pack(&s, &parameters[0].value, bias, &mut state.packed);
        }
        conv2d::pack(&s, &parameters[0].value, bias, &mut state.packed);
    }

    fn forward(&self, pass: Forward) {
        let s = self.window(pass.shapes, pass.n);
        let (x, packed, clamp) = (pass.inputs.get(0), &pass.state.packed[..], self.clamp());
        let trains = pass.trains();
        let (out, scratch) = (pass.output, pass.scratch);
        match (self.winograd, self.pooled) {
            (true, true) => {
                conv2d::conv2d_winograd_max_pool_forward(&s, x, packed, clamp, out, scratch)
            }
            (true, false) => conv2d::conv2d_winograd_forward(&s, x, packed, clamp, out, scratch),
            (false, true) => {
                let len = out.len();
                let indices = trains.then(|| &mut pass.state.indices[..len]);
                conv2d::conv2d_max_pool_forward(&s, x, packed, clamp, out, indices, scratch);
            }
            (false, false) => conv2d::conv2d_forward(&s, x, packed, clamp, out, scratch),
        }
    }

    #[cfg(feature = "train")]
    fn backward(&self, pass: Backward) {
        let s = self.window(pass.shapes, pass.n);
        // The maximum of a window is where the activation's derivative is taken, so the pooled output serves as well.
        if self.activation != Activation::Linear {
            activation_backward(self.activation, s.oc, None, pass.output, pass.doutput);
        }
        let dense = !self.winograd && self.is_dense(&s, pass.doutput);
        let (kernel, bias) = pass.parameters.split_at_mut(1);
        let dbias = bias.first_mut().map(|bias| &mut bias.gradient[..]);
        let Parameter { value, gradient, trainable, .. } = &mut kernel[0];
        let State { packed_backward, indices, .. } = pass.state;
        let (x, scratch) = (pass.inputs.get(0), pass.scratch);
        let dout = match self.pooled {
            true => OutputGradient::MaxPooled {
                dout: pass.doutput,
                indices: &indices[..pass.output.len()],
            },
            false => OutputGradient::Full(pass.doutput),
        };
        match (self.winograd, dense) {
            _ if !*trainable => {}
            (true, _) => conv2d::conv2d_winograd_backward_kernel(
                &s,
                x,
                pass.doutput,
                gradient,
                dbias,
                scratch,
            ),
            (false, true) => {
                conv2d::conv2d_backward_kernel_dense(&s, x, pass.doutput, gradient, dbias, scratch)
            }
            (false, false) => conv2d::conv2d_backward_kernel(&s, x, dout, gradient, dbias, scratch),
        }
        let Some(dx) = pass.dinputs.first_mut().filter(|dx| !dx.is_empty()) else { return };
        let dx = &mut dx[..s.n * s.input_len()];
        // The weights are others after each step, and which way they go is known only now.
        if self.winograd {
            let packed = &mut packed_backward[..];
            conv2d::winograd_pack_backward(&s, value, packed, scratch);
            conv2d::conv2d_winograd_backward_input(&s, pass.doutput, packed, dx, scratch);
        } else if dense {
            let packed = &mut packed_backward[..conv2d::packed_backward_dense_len(&s)];
            conv2d::pack_backward_dense(&s, value, packed);
            conv2d::conv2d_backward_input_dense(&s, pass.doutput, packed, dx, scratch);
        } else {
            let packed = &mut packed_backward[..conv2d::packed_backward_len(&s)];
            conv2d::pack_backward(&s, value, packed);
            conv2d::conv2d_backward_input(&s, dout, packed, dx, scratch);
        }
    }
}
