use convlet::kernel::conv2d::*;
use convlet::kernel::{Clamp, OutputGradient, Window, naive};
use proptest::prelude::*;

use crate::common::*;

/// All that a convolution computes.
#[derive(Debug, PartialEq)]
struct Results {
    out: Vec<f32>,
    pooled: Vec<f32>,
    indices: Vec<u8>,
    dx: [Vec<f32>; 2],
    dkernel: [Vec<f32>; 2],
    dbias: [Vec<f32>; 2],
}

struct Case {
    s: Window,
    clamp: Clamp,
    x: Vec<f32>,
    kernel: Vec<f32>,
    bias: Option<Vec<f32>>,
    dout: Vec<f32>,
    dpooled: Vec<f32>,
}

impl Case {
    fn new(s: Window, seed: u64) -> Self {
        Self {
            s,
            clamp: [Clamp::LINEAR, Clamp::RELU, Clamp { low: -0.3, high: 0.5 }][seed as usize % 3],
            x: values(seed, s.n * s.input_len()),
            kernel: values(seed + 1, s.taps() * s.oc),
            bias: seed.is_multiple_of(2).then(|| values(seed + 2, s.oc)),
            dout: values(seed + 3, s.n * s.output_len()),
            dpooled: values(seed + 4, s.n * (s.oh / 2) * (s.ow / 2) * s.oc),
        }
    }

    fn pooling(&self) -> Window {
        let s = self.s;
        let (h, w, c, oh, ow) = (s.oh, s.ow, s.oc, s.oh / 2, s.ow / 2);
        Window { h, w, c, oh, ow, kh: 2, kw: 2, sh: 2, sw: 2, top: 0, left: 0, ..s }
    }

    fn fast(&self) -> Results {
        let s = &self.s;
        let (mut scratch, mut back) = (scratch(scratch_len(s)), scratch(backward_scratch_len(s)));
        let packed = written(packed_len(s), |p| pack(s, &self.kernel, self.bias.as_deref(), p));
        let packed_backward =
            written(packed_backward_len(s), |p| pack_backward(s, &self.kernel, p));
        let out = written(self.dout.len(), |out| {
            conv2d_forward(s, &self.x, &packed, self.clamp, out, &mut scratch);
        });
        let mut indices = vec![0; self.dpooled.len()];
        let pooled = written(self.dpooled.len(), |out| {
            let indices = Some(&mut indices[..]);
            conv2d_max_pool_forward(s, &self.x, &packed, self.clamp, out, indices, &mut scratch);
        });
        let without_indices = written(self.dpooled.len(), |out| {
            conv2d_max_pool_forward(s, &self.x, &packed, self.clamp, out, None, &mut scratch);
        });
        assert_same(&pooled, &without_indices, 0);
        let douts = [
            OutputGradient::Full(&self.dout),
            OutputGradient::MaxPooled { dout: &self.dpooled, indices: &indices },
        ];
        let dx = douts.map(|dout| {
            written(self.x.len(), |dx| {
                conv2d_backward_input(s, dout, &packed_backward, dx, &mut back);
            })
        });
        let mut dbias = [vec![f32::NAN; s.oc], vec![f32::NAN; s.oc]];
        let dkernel = [0, 1].map(|i| {
            written(self.kernel.len(), |dkernel| {
                let dbias = Some(&mut dbias[i][..]);
                conv2d_backward_kernel(s, &self.x, douts[i], dkernel, dbias, &mut back);
            })
        });
        Results { out, pooled, indices, dx, dkernel, dbias }
    }

    /// The dense kernels give the bits of those that leave the zeros out.
    fn check_dense(&self, results: &Results) {
        let s = &self.s;
        let mut scratch = scratch(backward_scratch_len(s));
        let mut dbias = vec![f32::NAN; s.oc];
        let dkernel = written(self.kernel.len(), |dkernel| {
            let dbias = Some(&mut dbias[..]);
            conv2d_backward_kernel_dense(s, &self.x, &self.dout, dkernel, dbias, &mut scratch);
        });
        assert_same(&dkernel, &results.dkernel[0], s.n * s.oh * s.ow);
        assert_same(&dbias, &results.dbias[0], s.n * s.oh * s.ow);
        if backward_input_dense_applies(s) {
            let packed = written(packed_backward_dense_len(s), |packed| {
                pack_backward_dense(s, &self.kernel, packed);
            });
            let dx = written(self.x.len(), |dx| {
                conv2d_backward_input_dense(s, &self.dout, &packed, dx, &mut scratch);
            });
            assert_same(&dx, &results.dx[0], s.kh * s.kw * s.oc);
        }
    }

    /// The textbook's results, with the pooled gradient sent to `indices`.
    fn naive(&self, indices: &[u8]) -> Results {
        let s = &self.s;
        let mut out = vec![0.0; self.dout.len()];
        naive::conv2d_forward(s, &self.x, &self.kernel, self.bias.as_deref(), self.clamp, &mut out);
        let mut own_indices = vec![0; self.dpooled.len()];
        let mut pooled = vec![0.0; self.dpooled.len()];
        naive::max_pool_forward(&self.pooling(), &out, &mut pooled, Some(&mut own_indices));
        let mut unpooled = vec![0.0; self.dout.len()];
        naive::max_pool_backward(&self.pooling(), &self.dpooled, indices, &mut unpooled);
        let douts = [&self.dout, &unpooled];
        let dx = douts.map(|dout| {
            let mut dx = vec![0.0; self.x.len()];
            naive::conv2d_backward_input(s, dout, &self.kernel, &mut dx);
            dx
        });
        let mut dbias = [vec![0.0; s.oc], vec![0.0; s.oc]];
        let dkernel = [0, 1].map(|i| {
            let mut dkernel = vec![0.0; self.kernel.len()];
            let dbias = Some(&mut dbias[i][..]);
            naive::conv2d_backward_kernel(s, &self.x, douts[i], &mut dkernel, dbias);
            dkernel
        });
        Results { out, pooled, indices: own_indices, dx, dkernel, dbias }
    }

    fn check(&self) {
        let fast = self.fast();
        self.check_dense(&fast);
        let naive = self.naive(&fast.indices);
        let s = &self.s;
        assert_same(&fast.out, &naive.out, s.taps() + 1);
        assert_same(&fast.pooled, &naive.pooled, s.taps() + 1);
        if !cfg!(target_feature = "relaxed-simd") {
            assert_eq!(fast.indices, naive.indices);
        }
        for i in 0..2 {
            assert_same(&fast.dx[i], &naive.dx[i], s.kh * s.kw * s.oc);
            assert_same(&fast.dkernel[i], &naive.dkernel[i], s.n * s.oh * s.ow);
            assert_same(&fast.dbias[i], &naive.dbias[i], s.n * s.oh * s.ow);
        }
    }
}

proptest! {
    #[test]
    fn matches_naive(s in window(1..18, 1..35), seed in 0u64..1000) {
        Case::new(s, seed).check();
    }
}

fn window_3x3(n: usize, side: usize, c: usize, oc: usize) -> Window {
    let (h, w, oh, ow) = (side, side, side - 2, side - 2);
    Window { n, h, w, c, oh, ow, oc, kh: 3, kw: 3, sh: 1, sw: 1, top: 0, left: 0 }
}

/// The article's two convolutions and a pointwise one, on images large enough for several bands.
#[test]
fn real_shapes_match_naive() {
    let same = Window { h: 20, w: 20, top: 1, left: 1, ..window_3x3(2, 22, 64, 72) };
    let strided = Window { oh: 16, ow: 16, sh: 2, sw: 2, ..window_3x3(2, 33, 3, 16) };
    let pointwise = Window { oh: 14, ow: 14, kh: 1, kw: 1, ..window_3x3(3, 14, 40, 24) };
    for s in [window_3x3(2, 64, 3, 32), window_3x3(2, 31, 32, 32), same, strided, pointwise] {
        Case::new(s, 2).check();
    }
}

/// Found by fuzzing: a step for each place between two windows took hours.
#[test]
fn a_stride_far_beyond_the_image_matches_naive() {
    let once = Window { oh: 1, ow: 1, sh: 1 << 30, sw: 1 << 30, ..window_3x3(2, 7, 24, 24) };
    Case::new(once, 8).check();
    Case::new(Window { top: 1, left: 1, ..once }, 8).check();
}

/// Equal values everywhere: the first of a window's four wins.
#[test]
fn ties_go_to_the_first() {
    let s = window_3x3(1, 9, 2, 5);
    let case = Case { x: vec![0.5; s.input_len()], ..Case::new(s, 3) };
    assert!(case.fast().indices.iter().all(|&index| index == 0));
}

/// A value that is not a number stays one in every output it reaches: a training that diverges must be seen.
#[test]
fn nan_is_kept() {
    let s = window_3x3(1, 6, 1, 3);
    let mut case = Case::new(s, 4);
    case.clamp = Clamp::RELU6;
    case.x[14] = f32::NAN;
    case.dout[4] = f32::NAN;
    let results = case.fast();
    assert_eq!(results.out.iter().filter(|x| x.is_nan()).count(), 9 * s.oc);
    assert!(results.dx[0].iter().any(|x| x.is_nan()));
    assert!(results.dbias[0][1].is_nan());
}

#[cfg(feature = "cli")]
#[test]
fn threads_change_no_bit() {
    let case = Case::new(window_3x3(3, 21, 5, 19), 6);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("a pool of threads").install(|| {
            let results = case.fast();
            case.check_dense(&results);
            results
        })
    };
    let one = on(1);
    assert_eq!(one, on(2));
    assert_eq!(one, on(7));
}

/// Epsilons a term: more than rounding comes to with numbers up to 1, by far less than any mistake.
const WINOGRAD: f32 = 9.0;

proptest! {
    #[test]
    fn winograd_is_near_naive(s in window(4..7, 4..7), pad in 0usize..2, seed in 0u64..1000) {
        let (h, w, oh, ow) = (s.oh + 2, s.ow + 2, s.oh + 2 * pad, s.ow + 2 * pad);
        let (c, oc) = (8 * s.c, 8 * s.oc);
        let s = Window { h, w, c, oh, ow, oc, kh: 3, kw: 3, sh: 1, sw: 1, top: pad, left: pad, ..s };
        let case = Case::new(s, seed);
        let naive = case.naive(&vec![0; case.dpooled.len()]);
        let fast = winograd(&case);
        let near = |fast: &[f32], naive: &[f32], terms: usize| {
            let tolerance = terms as f32 * f32::EPSILON * WINOGRAD;
            for (fast, naive) in fast.iter().zip(naive) {
                assert!((fast - naive).abs() <= tolerance, "{fast} instead of {naive}");
            }
        };
        near(&fast.out, &naive.out, s.taps() + 1);
        near(&fast.pooled, &naive.pooled, s.taps() + 1);
        near(&fast.dx, &naive.dx[0], 9 * s.oc);
        // Few terms cannot make up for each other's rounding.
        near(&fast.dkernel, &naive.dkernel[0], s.n * s.oh * s.ow + 64);
        assert_same(&fast.dbias, &naive.dbias[0], s.n * s.oh * s.ow);
    }
}

/// What Winograd's kernels compute.
struct Winograd {
    out: Vec<f32>,
    pooled: Vec<f32>,
    dx: Vec<f32>,
    dkernel: Vec<f32>,
    dbias: Vec<f32>,
}

fn winograd(case: &Case) -> Winograd {
    let s = &case.s;
    let mut there = scratch(winograd_scratch_len(s));
    let mut back = scratch(winograd_backward_scratch_len(s));
    let packed = written(winograd_packed_len(s), |p| {
        winograd_pack(s, &case.kernel, case.bias.as_deref(), p);
    });
    let out = written(case.dout.len(), |out| {
        conv2d_winograd_forward(s, &case.x, &packed, case.clamp, out, &mut there);
    });
    let pooled = written(case.dpooled.len(), |out| {
        conv2d_winograd_max_pool_forward(s, &case.x, &packed, case.clamp, out, &mut there);
    });
    let packed = written(winograd_packed_backward_len(s), |packed| {
        winograd_pack_backward(s, &case.kernel, packed, &mut back);
    });
    let dx = written(case.x.len(), |dx| {
        conv2d_winograd_backward_input(s, &case.dout, &packed, dx, &mut back);
    });
    let mut dbias = vec![f32::NAN; s.oc];
    let dkernel = written(case.kernel.len(), |dkernel| {
        let dbias = Some(&mut dbias[..]);
        conv2d_winograd_backward_kernel(s, &case.x, &case.dout, dkernel, dbias, &mut back);
    });
    Winograd { out, pooled, dx, dkernel, dbias }
}

/// An image alone gives the bits it has among others.
#[test]
fn winograd_does_not_depend_on_the_batch() {
    let s = Window { oh: 12, ow: 12, top: 1, left: 1, ..window_3x3(3, 12, 32, 40) };
    let case = Case::new(s, 6);
    let together = winograd(&case).out;
    for (x, expected) in case.x.chunks(s.input_len()).zip(together.chunks(s.output_len())) {
        let s = Window { n: 1, ..s };
        let dout = vec![0.0; s.output_len()];
        let alone = Case { x: x.to_vec(), dout, ..Case::new(s, 6) };
        let alone = Case { kernel: case.kernel.clone(), bias: case.bias.clone(), ..alone };
        assert_same(&winograd(&alone).out, expected, 0);
    }
}
