//! Weights as Winograd's kernels read them: (panel, position, c, V vectors of output channels) of `G kernel G'`.

use std::marker::PhantomData;

use super::{Four, Transform, Two, backward, padded_outputs, tile};
use crate::gemm::V;
use crate::lanes::{self, Kernel, Lanes};
use crate::{Window, parallel};

/// Transforms and packs kernel (3, 3, c, oc) and bias (oc; zero when absent).
pub fn winograd_pack(s: &Window, kernel: &[f32], bias: Option<&[f32]>, packed: &mut [f32]) {
    let (start, panels) = packed.split_at_mut(padded_outputs(s));
    start.fill(0.0);
    if let Some(bias) = bias {
        start[..s.oc].copy_from_slice(bias);
    }
    match tile(s) {
        4 => pack_panels::<Four, 6, 4>(s, kernel, panels),
        _ => pack_panels::<Two, 4, 2>(s, kernel, panels),
    }
}

/// Transforms and packs kernel (3, 3, c, oc) for [`conv2d_winograd_backward_input`](super::conv2d_winograd_backward_input).
pub fn winograd_pack_backward(s: &Window, kernel: &[f32], packed: &mut [f32], scratch: &mut [f32]) {
    let turned = &mut scratch[..kernel.len()];
    let size = s.c * s.oc;
    for (from, to) in kernel.chunks_exact(size).rev().zip(turned.chunks_exact_mut(size)) {
        for (o, row) in to.chunks_exact_mut(s.c).enumerate() {
            let column = from.iter().skip(o).step_by(s.oc);
            row.iter_mut().zip(column).for_each(|(to, &from)| *to = from);
        }
    }
    winograd_pack(&backward(s), turned, None, packed);
}
/// A panel for each V vectors of output channels, shared out over threads.
fn pack_panels<T: Transform<IN, OUT> + Sync + Send, const IN: usize, const OUT: usize>(
    s: &Window,
    kernel: &[f32],
    panels: &mut [f32],
) {
    let transform = PhantomData::<T>;
    let parts = panels.chunks_mut(IN * IN * s.c * V * lanes::width()).enumerate();
    let parts = parts.map(|(panel, out)| Pack { s, kernel, panel, out, transform });
    parallel::for_each(parts, lanes::dispatch);
}

struct Pack<'a, T, const IN: usize, const OUT: usize> {
    s: &'a Window,
    kernel: &'a [f32],
    panel: usize,
    out: &'a mut [f32],
    transform: PhantomData<T>,
}

impl<T: Transform<IN, OUT>, const IN: usize, const OUT: usize> Kernel for Pack<'_, T, IN, OUT> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Pack { s, kernel, panel, out, .. } = self;
        let width = V * L::N;
        let mut taps: [&[f32]; 9] = [&[]; 9];
        taps.iter_mut().zip(kernel.chunks_exact(s.c * s.oc)).for_each(|(tap, own)| *tap = own);
        for lane in (0..width).step_by(L::N) {
            let o = panel * width + lane;
            for c in 0..s.c {
                let mut columns = [[L::splat(0.0); IN]; 3];
                for (x, column) in columns.iter_mut().enumerate().filter(|_| o < s.oc) {
                    let at = c * s.oc + o;
                    let load = |y: usize| L::load(&taps[3 * y + x][at..]);
                    *column = T::kernel([load(0), load(1), load(2)]);
                }
                for y in 0..IN {
                    let line = T::kernel([columns[0][y], columns[1][y], columns[2][y]]);
                    for (x, value) in line.iter().enumerate() {
                        value.store(&mut out[((y * IN + x) * s.c + c) * width + lane..]);
                    }
                }
            }
        }
    }
}
