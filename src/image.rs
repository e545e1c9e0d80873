//! From pixels to a tensor: crop, [resize](crate::kernel::resize), rescale.
//!
//! A picture comes as RGBA at its own size and leaves as one H x W x C image of `f32`, as its model's [`Input`] says. The
//! code is the same natively and in the browser, additions in one fixed order, so the same pixels give the same bits.

use ndarray::Array4;
use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result, bail};
use crate::json::{self, object};
use crate::kernel::resize::{Axis, ResizeShape, resize, scratch_len};

/// How a picture of another aspect ratio is brought to the input's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resize {
    /// The whole picture, stretched: Keras's default.
    #[default]
    Squash,
    /// The largest centred part with the input's aspect ratio: Keras's `crop_to_aspect_ratio`.
    Crop,
}

impl Resize {
    /// As the model file has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Squash => "squash",
            Self::Crop => "crop",
        }
    }
}

/// What a model takes, and how a picture is made into it. Travels in the model file.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// 3: red, green, blue; 1: grey (luma as in ITU-R 601).
    pub channels: usize,
    /// What happens to another aspect ratio.
    pub resize: Resize,
    /// The factor from 0..=255 to the tensor's values: 1/255 unless the model says otherwise.
    pub rescale: f32,
}

impl Input {
    /// RGB of `height` x `width`, squashed, in [0, 1].
    pub fn rgb(height: usize, width: usize) -> Self {
        Self { height, width, channels: 3, resize: Resize::default(), rescale: 1.0 / 255.0 }
    }

    /// As the model file has it.
    pub fn to_json(&self) -> Map<String, Value> {
        object! {
            "height": self.height,
            "width": self.width,
            "channels": self.channels,
            "resize": self.resize.name(),
            "rescale": json::short(self.rescale),
        }
    }

    /// Floats in one image: height x width x channels.
    pub fn image_len(&self) -> usize {
        self.height * self.width * self.channels
    }
}

/// Writes `rgba` (`height` x `width` x 4) into `out` as one image (H, W, C) of `input`, alpha laid over white.
///
/// `scratch` grows to what it needs (a few source rows) and is reused: no allocation when sizes repeat. A picture that
/// has the input's size already gives exactly its bytes times `rescale`.
///
/// # Errors
/// `Argument` where a size is zero or `input.channels` is neither 1 nor 3; `Shape` where `rgba` or `out` has another
/// length than the sizes say.
pub fn to_tensor(
    rgba: &[u8],
    width: usize,
    height: usize,
    input: &Input,
    out: &mut [f32],
    scratch: &mut Vec<f32>,
) -> Result<()> {
    validate(rgba, width, height, input, out)?;
    let shape = shape(width, height, input);
    scratch.resize(scratch_len(&shape), 0.0);
    resize(&shape, rgba, input.rescale, out, scratch);
    Ok(())
}

/// [`to_tensor`] into a new array of shape (1, H, W, C).
///
/// # Errors
/// As [`to_tensor`].
pub fn to_array(rgba: &[u8], width: usize, height: usize, input: &Input) -> Result<Array4<f32>> {
    let mut values = vec![0.0; input.image_len()];
    to_tensor(rgba, width, height, input, &mut values, &mut Vec::new())?;
    let shape = (1, input.height, input.width, input.channels);
    Array4::from_shape_vec(shape, values)
        .map_err(|error| Error::new(ErrorKind::Shape, format!("picture: {error}")))
}

fn validate(rgba: &[u8], width: usize, height: usize, input: &Input, out: &[f32]) -> Result<()> {
    if width == 0 || height == 0 {
        bail!(Argument, "picture: expected at least 1 x 1 pixels, got {width} x {height}");
    }
    if input.height == 0 || input.width == 0 || !matches!(input.channels, 1 | 3) {
        let Input { height, width, channels, .. } = input;
        bail!(
            Argument,
            "input: expected at least 1 x 1 and 1 or 3 channels, got {height} x {width} x {channels}"
        );
    }
    let expected = width.checked_mul(height).and_then(|pixels| pixels.checked_mul(4));
    if expected != Some(rgba.len()) {
        bail!(
            Shape,
            "picture: expected {width} x {height} x 4 bytes of RGBA, got {} bytes",
            rgba.len()
        );
    }
    if out.len() != input.image_len() {
        bail!(Shape, "picture: expected room for {} floats, got {}", input.image_len(), out.len());
    }
    Ok(())
}

/// The part of the picture that is used, and what it becomes.
fn shape(width: usize, height: usize, input: &Input) -> ResizeShape {
    // The longest part of an axis that has the input's aspect ratio, given the other axis.
    let part = |other: usize, this_target: usize, other_target: usize, len: usize| {
        let part = other as u64 * this_target as u64 / other_target as u64;
        part.clamp(1, len as u64) as usize
    };
    let (used_width, used_height) = match input.resize {
        Resize::Squash => (width, height),
        Resize::Crop => (
            part(height, input.width, input.height, width),
            part(width, input.height, input.width, height),
        ),
    };
    ResizeShape {
        width,
        columns: Axis::new(width, used_width, input.width),
        rows: Axis::new(height, used_height, input.height),
        channels: input.channels,
    }
}
