//! The image as convolutions read it: a band of rows, with its border of zeros where there is one.

use std::ops::Range;

use super::Window;

/// Floats of an input band that are worked on at a time: half of a first-level cache, the weights take the other
/// (benches `conv2d_forward`, `conv2d_backward_kernel`).
const BAND: usize = 4096;

/// Output rows that are worked on at a time, of those that there are.
pub fn band_rows(s: &Window) -> usize {
    let per_row = s.sh * s.w * s.c;
    let first = s.kh.saturating_sub(s.sh) * s.w * s.c;
    (BAND.saturating_sub(first) / per_row.max(1)).clamp(1, s.oh.max(1))
}

/// Where the rows of a band stand: in the image itself, or copied and bordered in scratch.
#[derive(Clone, Copy)]
pub struct Band<'a> {
    /// From the first tap of the band's first output.
    pub values: &'a [f32],
    /// Floats from one row to the next.
    pub row: usize,
}

/// Floats from the first to the last tap of an output row, bordered.
fn bordered_row(s: &Window) -> usize {
    ((s.ow.max(1) - 1) * s.sw + s.kw) * s.c
}

/// Whether the window reaches over the image's edge.
fn has_border(s: &Window) -> bool {
    let (last_y, last_x) = ((s.oh.max(1) - 1) * s.sh + s.kh, (s.ow.max(1) - 1) * s.sw + s.kw);
    s.top > 0 || s.left > 0 || last_y > s.h || last_x > s.w
}

/// Floats of scratch for [`band`] with at most `rows` output rows and `slack`.
pub fn scratch_len(s: &Window, rows: usize, slack: usize) -> usize {
    if slack == 0 && !has_border(s) {
        return 0;
    }
    ((rows.max(1) - 1) * s.sh + s.kh) * bordered_row(s) + slack
}

/// The rows of `image` (h, w, c) under the output rows `rows`, followed by at least `slack` readable floats.
pub fn band<'a>(
    s: &Window,
    image: &'a [f32],
    rows: Range<usize>,
    slack: usize,
    scratch: &'a mut [f32],
) -> Band<'a> {
    let first = rows.start * s.sh;
    if slack == 0 && !has_border(s) {
        return Band { values: &image[first * s.w * s.c..], row: s.w * s.c };
    }
    let row = bordered_row(s);
    let count = (rows.len().max(1) - 1) * s.sh + s.kh;
    let scratch = &mut scratch[..count * row + slack];
    let left = (s.left * s.c).min(row);
    let right = left + (s.w * s.c).min(row - left);
    let (rows, rest) = scratch.split_at_mut(count * row);
    rest.fill(0.0);
    for (i, out) in rows.chunks_exact_mut(row).enumerate() {
        match (first + i).checked_sub(s.top).filter(|&y| y < s.h) {
            Some(y) => {
                out[..left].fill(0.0);
                out[left..right].copy_from_slice(&image[y * s.w * s.c..][..right - left]);
                out[right..].fill(0.0);
            }
            None => out.fill(0.0),
        }
    }
    Band { values: scratch, row }
}
