//! From pixels to a tensor: crop, resize, rescale. The only file that knows `u8`.
//!
//! A picture comes as RGBA at its own size and leaves as one H x W x C image of `f32`, as its model's [`Input`] says. The
//! code is the same natively and in the browser, additions in one fixed order, so the same pixels give the same bits.
//!
//! Resizing is separable with a triangle filter. Enlarging, that is bilinear interpolation; shrinking, the triangle
//! widens with the scale so that every source pixel counts (as in Pillow's `BILINEAR`, without its rounding between
//! the passes). Rows are mixed first: that pass sees every source pixel, and runs along contiguous memory.

use std::ops::Range;

use ndarray::Array4;
use serde::{Deserialize, Serialize};

use crate::error::{Result, bail};

/// How a picture of another aspect ratio is brought to the input's.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Resize {
    /// The whole picture, stretched: Keras's default.
    #[default]
    Squash,
    /// The largest centred part with the input's aspect ratio: Keras's `crop_to_aspect_ratio`.
    Crop,
}

/// What a model takes, and how a picture is made into it. Travels in the model file.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Input {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// 3: red, green, blue; 1: grey (luma as in ITU-R 601).
    #[serde(default = "rgb")]
    pub channels: usize,
    /// What happens to another aspect ratio.
    #[serde(default)]
    pub resize: Resize,
    /// The factor from 0..=255 to the tensor's values: 1/255 unless the model says otherwise.
    #[serde(default = "to_unit")]
    pub rescale: f32,
}

fn rgb() -> usize {
    3
}

fn to_unit() -> f32 {
    1.0 / 255.0
}

impl Input {
    /// RGB of `height` x `width`, squashed, in [0, 1].
    pub fn rgb(height: usize, width: usize) -> Self {
        Self { height, width, channels: rgb(), resize: Resize::default(), rescale: to_unit() }
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
    let (columns, rows) = axes(width, height, input);
    scratch.resize(4 * columns.len + input.width * columns.max_taps() + rows.max_taps(), 0.0);
    let (mixed, weights) = scratch.split_at_mut(4 * columns.len);
    let (column_weights, row_weights) = weights.split_at_mut(input.width * columns.max_taps());
    for (ox, weights) in column_weights.chunks_exact_mut(columns.max_taps()).enumerate() {
        columns.weights(ox, weights);
    }
    let opaque = is_opaque(rgba);
    for (oy, out) in out.chunks_exact_mut(input.width * input.channels).enumerate() {
        rows.weights(oy, row_weights);
        let taps = rows.taps(oy);
        let source = Rows {
            rgba,
            width,
            left: columns.offset,
            rows: rows.offset + taps.start..rows.offset + taps.end,
        };
        if opaque {
            mix_rows(&source, row_weights, mixed, |rgba, i| to_f32(rgba[i]));
        } else {
            mix_rows(&source, row_weights, mixed, over_white);
        }
        mix_columns(mixed, &columns, column_weights, input, out);
    }
    Ok(())
}

/// [`to_tensor`] into a new array of shape (1, H, W, C).
///
/// # Errors
/// As [`to_tensor`].
pub fn to_array(rgba: &[u8], width: usize, height: usize, input: &Input) -> Result<Array4<f32>> {
    let mut array = Array4::zeros((1, input.height, input.width, input.channels));
    let out = array.as_slice_mut().expect("a new array is contiguous");
    to_tensor(rgba, width, height, input, out, &mut Vec::new())?;
    Ok(array)
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

/// How one axis of the source maps to one of the target.
struct Axis {
    /// The first source pixel of the crop, and how many there are.
    offset: usize,
    len: usize,
    /// Source pixels per target pixel.
    scale: f64,
    /// Half the width of the triangle, in source pixels.
    support: f64,
}

impl Axis {
    fn new(source: usize, len: usize, target: usize) -> Self {
        let scale = len as f64 / target as f64;
        Self { offset: (source - len) / 2, len, scale, support: scale.max(1.0) }
    }

    /// The centre of target pixel `o`, in source pixels from the crop's edge.
    fn centre(&self, o: usize) -> f64 {
        (o as f64 + 0.5) * self.scale
    }

    /// The source pixels, counted from the crop's edge, under the triangle of target pixel `o`. Never empty.
    fn taps(&self, o: usize) -> Range<usize> {
        let first = (self.centre(o) - self.support + 0.5).max(0.0) as usize;
        let end = (self.centre(o) + self.support + 0.5) as usize;
        first..end.min(self.len)
    }

    /// No target pixel has more taps than this.
    fn max_taps(&self) -> usize {
        (2.0 * self.support) as usize + 2
    }

    /// The weights of `taps(o)`: their sum is 1.
    fn weights(&self, o: usize, weights: &mut [f32]) {
        let centre = self.centre(o);
        let triangle =
            |tap: usize| (1.0 - ((tap as f64 + 0.5 - centre) / self.support).abs()).max(0.0);
        let sum: f64 = self.taps(o).map(triangle).sum();
        for (weight, tap) in weights.iter_mut().zip(self.taps(o)) {
            *weight = (triangle(tap) / sum) as f32;
        }
    }
}

/// The columns and the rows of the part of the picture that is used.
fn axes(width: usize, height: usize, input: &Input) -> (Axis, Axis) {
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
    (Axis::new(width, used_width, input.width), Axis::new(height, used_height, input.height))
}

fn is_opaque(rgba: &[u8]) -> bool {
    // Blocks without an early exit inside, so that they vectorise.
    rgba.chunks(4096).all(|block| block.chunks_exact(4).fold(255, |all, p| all & p[3]) == 255)
}

/// `value` as f32: a float whose lowest bits are counts, less its base. Vectorises better than a conversion, for which
/// many machines have no unsigned instruction.
fn to_f32(value: u8) -> f32 {
    const BASE: f32 = 8_388_608.0;
    f32::from_bits(BASE.to_bits() | u32::from(value)) - BASE
}

/// Value `i` of `rgba`, its pixel laid over white. Exactly the value where the pixel is opaque.
fn over_white(rgba: &[u8; BLOCK], i: usize) -> f32 {
    let alpha = to_f32(rgba[i | 3]);
    (to_f32(rgba[i]) * alpha + 255.0 * (255.0 - alpha)) / 255.0
}

/// Bytes of a row that are mixed at a time: four pixels.
const BLOCK: usize = 16;

/// Rows that are mixed at a time, in registers. Fewer are filled up with rows of weight zero.
const ROWS: usize = 4;

/// The part of a picture under one row of the target.
struct Rows<'a> {
    rgba: &'a [u8],
    width: usize,
    left: usize,
    rows: Range<usize>,
}

/// mixed(x, 4) = sum over rows of weight(row) * value(row, x, 4).
fn mix_rows(
    source: &Rows,
    weights: &[f32],
    mixed: &mut [f32],
    value: impl Fn(&[u8; BLOCK], usize) -> f32 + Copy,
) {
    mixed.fill(0.0);
    let (sums, rest) = mixed.as_chunks_mut::<BLOCK>();
    for first in source.rows.clone().step_by(ROWS) {
        let mut group = [0.0; ROWS];
        let taken = (source.rows.end - first).min(ROWS);
        group[..taken].copy_from_slice(&weights[first - source.rows.start..][..taken]);
        let rows: [&[u8]; ROWS] = std::array::from_fn(|i| {
            let y = first + i.min(taken - 1);
            &source.rgba[4 * (y * source.width + source.left)..]
        });
        let blocks = rows.map(|row| &row.as_chunks::<BLOCK>().0[..sums.len()]);
        for (i, sums) in sums.iter_mut().enumerate() {
            mix_block(blocks.map(|row| &row[i]), &group, sums, value);
        }
        let mut rest_blocks = [[0; BLOCK]; ROWS];
        let mut rest_sums = [0.0; BLOCK];
        for (block, row) in rest_blocks.iter_mut().zip(rows) {
            block[..rest.len()].copy_from_slice(&row[BLOCK * sums.len()..][..rest.len()]);
        }
        rest_sums[..rest.len()].copy_from_slice(rest);
        mix_block(rest_blocks.each_ref(), &group, &mut rest_sums, value);
        rest.copy_from_slice(&rest_sums[..rest.len()]);
    }
}

fn mix_block(
    rows: [&[u8; BLOCK]; ROWS],
    weights: &[f32; ROWS],
    sums: &mut [f32; BLOCK],
    value: impl Fn(&[u8; BLOCK], usize) -> f32,
) {
    let mut mixed = *sums;
    for (row, weight) in rows.iter().zip(weights) {
        for (i, sum) in mixed.iter_mut().enumerate() {
            *sum += weight * value(row, i);
        }
    }
    *sums = mixed;
}

/// out(x, c) = rescale * sum over columns of weight(column) * mixed(column, c).
fn mix_columns(mixed: &[f32], columns: &Axis, weights: &[f32], input: &Input, out: &mut [f32]) {
    let (pixels, _) = mixed.as_chunks::<4>();
    let weights = weights.chunks_exact(columns.max_taps());
    for (ox, (out, weights)) in out.chunks_exact_mut(input.channels).zip(weights).enumerate() {
        let mut sums = [0.0f32; 4];
        for (pixel, weight) in pixels[columns.taps(ox)].iter().zip(weights) {
            for (sum, value) in sums.iter_mut().zip(pixel) {
                *sum += weight * value;
            }
        }
        let [r, g, b, _] = sums;
        match out {
            // Luma written so that a grey pixel keeps its value exactly.
            [grey] => *grey = (g + 0.299 * (r - g) + 0.114 * (b - g)) * input.rescale,
            rgb => rgb.copy_from_slice(&[r, g, b].map(|value| value * input.rescale)),
        }
    }
}
