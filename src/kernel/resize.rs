//! Resizing of pictures: bytes in, floats out, the only kernel that knows `u8`.
//!
//! Separable, with a triangle filter. Enlarging, that is bilinear interpolation; shrinking, the triangle widens with the
//! scale so that every source pixel counts (as in Pillow's `BILINEAR`, without its rounding between the passes). Rows are
//! mixed first: that pass sees every source pixel, and runs along contiguous memory.

use std::ops::Range;

/// The part of a picture that is used, and what it becomes.
#[derive(Debug)]
pub struct ResizeShape {
    /// Pixels in a row of the picture.
    pub width: usize,
    /// Across.
    pub columns: Axis,
    /// Down.
    pub rows: Axis,
    /// 3: red, green, blue; 1: grey (luma as in ITU-R 601).
    pub channels: usize,
}

/// Floats that [`resize`] needs.
pub fn scratch_len(s: &ResizeShape) -> usize {
    4 * s.columns.len + s.columns.target * s.columns.max_taps() + s.rows.max_taps()
}

/// out(y, x, c) = `rescale` * the part of `rgba` (rows, `width`, 4) under output pixel (y, x), alpha laid over white.
pub fn resize(s: &ResizeShape, rgba: &[u8], rescale: f32, out: &mut [f32], scratch: &mut [f32]) {
    let ResizeShape { columns, rows, .. } = s;
    let (mixed, weights) = scratch.split_at_mut(4 * columns.len);
    let (column_weights, row_weights) = weights.split_at_mut(columns.target * columns.max_taps());
    for (ox, weights) in column_weights.chunks_exact_mut(columns.max_taps()).enumerate() {
        columns.weights(ox, weights);
    }
    let first_byte = 4 * (rows.offset * s.width + columns.offset);
    let source = Rows { rgba: &rgba[first_byte..], stride: 4 * s.width };
    for (oy, out) in out.chunks_exact_mut(columns.target * s.channels).enumerate() {
        let slope = rows.weights(oy, row_weights);
        mixed.fill(0.0);
        for (taps, slope) in [(rows.rising(oy), slope), (rows.falling(oy), -slope)] {
            let weights = &row_weights[taps.start - rows.taps(oy).start..];
            mix_rows(&source, taps, weights, slope, mixed);
        }
        mix_columns(s, mixed, column_weights, rescale, out);
    }
}

/// How one axis of the source maps to one of the target.
#[derive(Debug)]
pub struct Axis {
    target: usize,
    /// The first source pixel of the crop, and how many there are.
    offset: usize,
    len: usize,
    /// Source pixels per target pixel.
    scale: f64,
    /// Half the width of the triangle, in source pixels.
    support: f64,
}

impl Axis {
    /// The middle `len` of `source` pixels, made into `target`.
    pub fn new(source: usize, len: usize, target: usize) -> Self {
        let scale = len as f64 / target as f64;
        Self { target, offset: (source - len) / 2, len, scale, support: scale.max(1.0) }
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

    /// The taps before the triangle's peak, whose weights rise.
    fn rising(&self, o: usize) -> Range<usize> {
        let Range { start, end } = self.taps(o);
        let peak = (self.centre(o) - 0.5).ceil().max(0.0) as usize;
        start..peak.clamp(start, end)
    }

    /// The taps from the triangle's peak on, whose weights fall.
    fn falling(&self, o: usize) -> Range<usize> {
        self.rising(o).end..self.taps(o).end
    }

    /// The weights of `taps(o)`, whose sum is 1. Gives by how much they rise from tap to tap, and fall after the peak.
    fn weights(&self, o: usize, weights: &mut [f32]) -> f32 {
        let centre = self.centre(o);
        let triangle = |tap: usize| self.support - (tap as f64 + 0.5 - centre).abs();
        let sum: f64 = self.taps(o).map(triangle).sum();
        for (weight, tap) in weights.iter_mut().zip(self.taps(o)) {
            *weight = (triangle(tap) / sum) as f32;
        }
        (1.0 / sum) as f32
    }
}

/// Value `i` of `rgba`, its pixel laid over white and rounded to a whole level.
fn over_white(rgba: &[u8; BLOCK], i: usize) -> u16 {
    let alpha = u32::from(rgba[i | 3]);
    ((u32::from(rgba[i]) * alpha + 255 * (255 - alpha) + 127) / 255) as u16
}

/// Bytes of a row that are mixed at a time: eight pixels.
const BLOCK: usize = 32;

/// Rows that are mixed at a time: 255 * (0 + 1 + .. + 15) still fits 16 bits.
const GROUP: usize = 16;

/// Where the rows of the part of the picture that is used begin.
struct Rows<'a> {
    rgba: &'a [u8],
    stride: usize,
}

/// mixed(x, 4) += sum over rows of weight(row) * value(row, x, 4), for `rows` whose weights go up or down in a straight
/// line. Such a sum is weight(first) * sum of value + slope * sum of (row - first) * value, and these two are sums of
/// small whole numbers: exact, and many to a vector.
fn mix_rows(source: &Rows, rows: Range<usize>, weights: &[f32], slope: f32, mixed: &mut [f32]) {
    let (blocks, rest) = mixed.as_chunks_mut::<BLOCK>();
    for (first, weight) in rows.clone().zip(weights).step_by(GROUP) {
        let line = Line { weight: *weight, slope, count: GROUP.min(rows.end - first) };
        let row = |k: usize| &source.rgba[(first + k) * source.stride..];
        for (i, sums) in blocks.iter_mut().enumerate() {
            let block = |k: usize| {
                row(k)[BLOCK * i..].first_chunk().expect("a row holds as many blocks as its sums")
            };
            mix_block(&line, block, sums);
        }
        if rest.is_empty() {
            continue;
        }
        let mut ends = [[255; BLOCK]; GROUP];
        for (k, end) in ends[..line.count].iter_mut().enumerate() {
            end[..rest.len()].copy_from_slice(&row(k)[BLOCK * blocks.len()..][..rest.len()]);
        }
        let mut sums = [0.0; BLOCK];
        sums[..rest.len()].copy_from_slice(rest);
        mix_block(&line, |k| &ends[k], &mut sums);
        rest.copy_from_slice(&sums[..rest.len()]);
    }
}

/// Weights of rows that lie on a straight line.
struct Line {
    weight: f32,
    slope: f32,
    count: usize,
}

#[inline(always)]
fn mix_block<'a>(line: &Line, row: impl Fn(usize) -> &'a [u8; BLOCK], sums: &mut [f32; BLOCK]) {
    let opaque = 255 * line.count as u16;
    let (mut total, mut ranked) = add_rows(line.count, &row, |row, i| row[i].into());
    if total.as_chunks::<4>().0.iter().any(|pixel| pixel[3] != opaque) {
        (total, ranked) = add_rows(line.count, &row, over_white);
    }
    for (i, sum) in sums.iter_mut().enumerate() {
        *sum += to_f32(total[i]) * line.weight + to_f32(ranked[i]) * line.slope;
    }
}

/// The sum of the rows, and their sum with each row as often as its number says.
#[inline(always)]
fn add_rows<'a>(
    count: usize,
    row: impl Fn(usize) -> &'a [u8; BLOCK],
    value: impl Fn(&[u8; BLOCK], usize) -> u16,
) -> ([u16; BLOCK], [u16; BLOCK]) {
    let (mut total, mut ranked) = ([0; BLOCK], [0; BLOCK]);
    for k in (0..count).rev() {
        let row = row(k);
        for i in 0..BLOCK {
            // From the last row to the second, each comes into `ranked` as often as its number says.
            ranked[i] += total[i];
            total[i] += value(row, i);
        }
    }
    (total, ranked)
}

/// `value` as f32: a float whose lowest bits are counts, less its base. Vectorises better than a conversion, for which
/// many machines have no unsigned instruction.
fn to_f32(value: u16) -> f32 {
    const BASE: f32 = 8_388_608.0;
    f32::from_bits(BASE.to_bits() | u32::from(value)) - BASE
}

/// out(x, c) = rescale * sum over columns of weight(column) * mixed(column, c).
fn mix_columns(s: &ResizeShape, mixed: &[f32], weights: &[f32], rescale: f32, out: &mut [f32]) {
    let (pixels, _) = mixed.as_chunks::<4>();
    let weights = weights.chunks_exact(s.columns.max_taps());
    for (ox, (out, weights)) in out.chunks_exact_mut(s.channels).zip(weights).enumerate() {
        let pixels = &pixels[s.columns.taps(ox)];
        let (pairs, last) = pixels.as_chunks::<2>();
        let (pair_weights, last_weight) = weights[..pixels.len()].as_chunks::<2>();
        // Two sums, so that one addition need not wait for the other.
        let mut sums = [[0.0_f32; 4]; 2];
        for (pair, weights) in pairs.iter().zip(pair_weights) {
            for ((sums, pixel), weight) in sums.iter_mut().zip(pair).zip(weights) {
                add_weighted(sums, pixel, *weight);
            }
        }
        for (pixel, weight) in last.iter().zip(last_weight) {
            add_weighted(&mut sums[0], pixel, *weight);
        }
        let [r, g, b, _] = std::array::from_fn(|i| sums[0][i] + sums[1][i]);
        match out {
            // Luma written so that a grey pixel keeps its value exactly.
            [grey] => *grey = (g + 0.299 * (r - g) + 0.114 * (b - g)) * rescale,
            rgb => rgb.copy_from_slice(&[r, g, b].map(|value| value * rescale)),
        }
    }
}

#[inline(always)]
fn add_weighted(sums: &mut [f32; 4], pixel: &[f32; 4], weight: f32) {
    for (sum, value) in sums.iter_mut().zip(pixel) {
        *sum += weight * value;
    }
}
