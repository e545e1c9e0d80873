//! The gradients of kernel and bias.
//!
//! ```text
//! for every output channel, for every place where its gradient is not zero: dkernel += gradient x patch
//! ```
//!
//! 1. As for the input, only gradients that are not zero are multiplied: after a max pooling at most one in four.
//! 2. A block of one output channel's taps stays in registers while the channel's gradients of a band of output rows
//!    pass by; the patch is read in place, kw c floats of each of its rows in a run.
//! 3. So the sums stand as (oc, kh, kw c) in scratch and are turned into (kh, kw, c, oc) at the end. Each is added up
//!    over images and places in order, whatever the band or the number of threads, which share out the channels.

use std::ops::Range;

use crate::lanes::{self, Kernel, Lanes};
use crate::{OutputGradient, Window, parallel};

use crate::band::{self, Band, band, band_rows};

/// Floats of one row of taps of one output channel, whole vectors.
fn padded_run(s: &Window) -> usize {
    (s.kw * s.c).next_multiple_of(lanes::width())
}

/// Floats that a vector reads past a row of taps.
fn slack(s: &Window) -> usize {
    padded_run(s) - s.kw * s.c
}

/// Output rows that are worked on at a time: an even number.
fn rows_at_once(s: &Window) -> usize {
    band_rows(s).next_multiple_of(2)
}

/// Floats of scratch of one thread beside the sums: its channels' gradients, a list of them, and the band.
fn part_len(s: &Window) -> usize {
    let channels = s.oc.div_ceil(parallel::parts());
    2 * (channels + 1) * pixels(s) + band::scratch_len(s, rows_at_once(s).min(s.oh), slack(s))
}

/// Floats of scratch.
pub fn scratch_len(s: &Window) -> usize {
    s.oc * (1 + s.kh * padded_run(s)) + parallel::parts() * part_len(s)
}

/// x (n, h, w, c), dout (n, oh, ow, oc) -> dkernel (kh, kw, c, oc) and dbias (oc), overwritten.
pub fn conv2d_backward_kernel(
    s: &Window,
    x: &[f32],
    dout: OutputGradient,
    dkernel: &mut [f32],
    dbias: Option<&mut [f32]>,
    scratch: &mut [f32],
) {
    debug_assert_eq!(x.len(), s.n * s.input_len());
    debug_assert_eq!(dkernel.len(), s.taps() * s.oc);
    let (run, channel) = (s.kw * s.c, 1 + s.kh * padded_run(s));
    let (sums, scratch) = scratch.split_at_mut(s.oc * channel);
    sums.fill(0.0);
    let each = s.oc.div_ceil(parallel::parts());
    let parts = sums.chunks_mut(each * channel).zip(scratch.chunks_mut(part_len(s))).enumerate();
    let parts = parts.map(|(part, (sums, scratch))| BackwardKernel {
        s,
        x,
        dout,
        first: part * each,
        sums,
        scratch,
    });
    parallel::for_each(parts, |part| lanes::dispatch(part));

    for (tap, out) in dkernel.chunks_exact_mut(s.oc).enumerate() {
        let at = 1 + tap / run * padded_run(s) + tap % run;
        out.iter_mut().zip(sums.chunks_exact(channel)).for_each(|(out, sums)| *out = sums[at]);
    }
    if let Some(dbias) = dbias {
        dbias.iter_mut().zip(sums.chunks_exact(channel)).for_each(|(out, sums)| *out = sums[0]);
    }
}

/// Output channels from `first` on; `sums` (channels, 1 + kh run): the bias, then the taps.
struct BackwardKernel<'a> {
    s: &'a Window,
    x: &'a [f32],
    dout: OutputGradient<'a>,
    first: usize,
    sums: &'a mut [f32],
    scratch: &'a mut [f32],
}

impl Kernel for BackwardKernel<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let s = self.s;
        let at_once = rows_at_once(s);
        let channels = self.sums.len() / (1 + s.kh * padded_run(s));
        let (columns, scratch) = self.scratch.split_at_mut(2 * (channels + 1) * pixels(s));
        let (list, columns) = columns.as_chunks_mut::<2>().0.split_at_mut(pixels(s));
        for image in 0..s.n {
            let x = &self.x[image * s.input_len()..][..s.input_len()];
            for y in (0..s.oh).step_by(at_once) {
                let end = (y + at_once).min(s.oh);
                let band = band(s, x, y..end, slack(s), scratch);
                transpose(s, self.dout, image, (y, end), self.first, band.row, columns);
                let sums = self.sums.chunks_exact_mut(1 + s.kh * padded_run(s));
                for (sums, column) in sums.zip(columns.chunks_exact(pixels(s))) {
                    let count = compact(s, self.dout, (y, end), band.row, column, list);
                    let (bias, sums) = sums.split_at_mut(1);
                    let list = &list[..count];
                    bias[0] = list.iter().fold(bias[0], |sum, pair| sum + pair[1]);
                    channel::<L>(s, band, list, sums);
                }
            }
        }
    }
}

/// A gradient that is not zero: the place of its first tap in the band, as the bits of a float, and its value.
type Pair = [f32; 2];

/// Set in the place of a gradient that is zero: past every other place.
const NOWHERE: u32 = 1 << 30;

/// Pixels of a band, pooled or not, at most; one to spare.
fn pixels(s: &Window) -> usize {
    rows_at_once(s) * s.ow + 1
}

/// Gradients of the channels from `first` on, one column a channel, so that each can be read in a row.
#[inline(always)]
fn transpose(
    s: &Window,
    dout: OutputGradient,
    image: usize,
    (y, end): (usize, usize),
    first: usize,
    row: usize,
    columns: &mut [Pair],
) {
    let len = pixels(s);
    let channels = columns.len() / len;
    let (down, right) = (s.sh * row, s.sw * s.c);
    // By its bits: on a comparison of floats the compiler would branch, and as often as not go wrong.
    let pair = |value: f32, place: usize| {
        let zero = u32::from(value.to_bits() << 1 == 0);
        [f32::from_bits(place as u32 | (NOWHERE * zero)), value]
    };
    match dout {
        OutputGradient::Full(dout) => {
            for p in 0..(end - y) * s.ow {
                let from = ((image * s.oh + y) * s.ow + p) * s.oc + first;
                let place = p / s.ow * down + p % s.ow * right;
                let dout = &dout[from..from + channels];
                for (column, &value) in columns.chunks_exact_mut(len).zip(dout) {
                    column[p] = pair(value, place);
                }
            }
        }
        OutputGradient::MaxPooled { dout, indices } => {
            let (h, w) = (s.oh / 2, s.ow / 2);
            for p in 0..((end / 2).min(h) - y / 2) * w {
                let from = ((image * h + y / 2) * w + p) * s.oc + first;
                let place = p / w * 2 * down + p % w * 2 * right;
                let places = [place, place + right, place + down, place + down + right];
                let values =
                    dout[from..from + channels].iter().zip(&indices[from..from + channels]);
                for (column, (&value, &index)) in columns.chunks_exact_mut(len).zip(values) {
                    column[p] = pair(value, places[usize::from(index % 4)]);
                }
            }
        }
    }
}

/// Appends the pairs of `from` whose place is in `places` to the `count` in `list`. Returns the new number.
#[inline(always)]
fn keep(from: &[Pair], places: Range<usize>, list: &mut [Pair], mut count: usize) -> usize {
    let (start, len) = (places.start as u32, places.len() as u32);
    for &pair in from {
        list[count] = pair;
        count += usize::from(pair[0].to_bits().wrapping_sub(start) < len);
    }
    count
}

/// A channel's gradients that are not zero, in the order of the output's pixels. Returns their number.
#[inline(always)]
fn compact(
    s: &Window,
    dout: OutputGradient,
    (y, end): (usize, usize),
    row: usize,
    column: &[Pair],
    list: &mut [Pair],
) -> usize {
    let (half, w) = (s.sh * row, s.ow / 2);
    match dout {
        OutputGradient::Full(_) => keep(&column[..(end - y) * s.ow], 0..NOWHERE as usize, list, 0),
        // Maxima of a row of windows lie in two rows of the output.
        OutputGradient::MaxPooled { .. } => {
            let windows = column[..((end / 2).min(s.oh / 2) - y / 2) * w].chunks(w.max(1));
            windows.enumerate().fold(0, |count, (py, windows)| {
                let upper = 2 * py * half;
                let count = keep(windows, upper..upper + half, list, count);
                keep(windows, upper + half..upper + 2 * half, list, count)
            })
        }
    }
}

/// sums (kh, padded run) += gradient x patch for every pair.
#[inline(always)]
fn channel<L: Lanes>(s: &Window, band: Band, pairs: &[Pair], sums: &mut [f32]) {
    let padded = (s.kw * s.c).next_multiple_of(L::N);
    let vectors = padded / L::N;
    match (s.kh, vectors) {
        (3, 1) => return rows::<L, 3, 1>(band, pairs, 0, padded, sums),
        (3, 2) => return rows::<L, 3, 2>(band, pairs, 0, padded, sums),
        (3, 3) => return rows::<L, 3, 3>(band, pairs, 0, padded, sums),
        _ => {}
    }
    for (ky, sums) in sums.chunks_exact_mut(padded).enumerate() {
        let mut v = 0;
        while v < vectors {
            let (at, sums) = (ky * band.row + v * L::N, &mut sums[v * L::N..]);
            v += match vectors - v {
                1 => block::<L, 1>(band, pairs, at, sums),
                2 | 3 => block::<L, 2>(band, pairs, at, sums),
                4..8 => block::<L, 4>(band, pairs, at, sums),
                _ => block::<L, 8>(band, pairs, at, sums),
            };
        }
    }
}

#[inline(always)]
fn block<L: Lanes, const B: usize>(
    band: Band,
    pairs: &[Pair],
    at: usize,
    sums: &mut [f32],
) -> usize {
    rows::<L, 1, B>(band, pairs, at, 0, sums);
    B
}

/// `KH` rows of `B` vectors: in the band from `at` past each pair's place, in `sums` `stride` apart.
#[inline(always)]
fn rows<L: Lanes, const KH: usize, const B: usize>(
    band: Band,
    pairs: &[Pair],
    at: usize,
    stride: usize,
    sums: &mut [f32],
) {
    let mut acc: [[L; B]; KH] =
        std::array::from_fn(|y| std::array::from_fn(|v| L::load(&sums[y * stride + v * L::N..])));
    for pair in pairs {
        let value = L::splat(pair[1]);
        let place = at + pair[0].to_bits() as usize;
        for (y, acc) in acc.iter_mut().enumerate() {
            let x = &band.values[place + y * band.row..][..B * L::N];
            for (v, acc) in acc.iter_mut().enumerate() {
                *acc = value.mul_add(L::load(&x[v * L::N..]), *acc);
            }
        }
    }
    for (y, acc) in acc.iter().enumerate() {
        for (v, acc) in acc.iter().enumerate() {
            acc.store(&mut sums[y * stride + v * L::N..]);
        }
    }
}
