//! The kernels at the shapes of real networks, each checked against its textbook twin before it is timed. The same list
//! runs natively (kernels.rs) and in WebAssembly (wasm.rs).

use std::hint::black_box;

use convlet::kernel::conv2d::*;
use convlet::kernel::dense::{
    self, DenseShape, dense_backward_input, dense_backward_kernel, dense_forward,
};
use convlet::kernel::gemm::{self, R, V};
use convlet::kernel::lanes::{self, Kernel, Lanes};
use convlet::kernel::{Clamp, OutputGradient, Window, naive};

/// Something to time.
pub struct Case {
    /// Kernel and shape.
    pub name: String,
    /// Floating-point operations of one run, multiplications and additions counted apart; for the backward passes those
    /// of the dense sum, of which the kernels leave out what is zero.
    pub flop: f64,
    /// One run.
    pub run: Box<dyn FnMut()>,
}

fn values(len: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// As a ReLU leaves them: half of them zero.
fn rectified(len: usize) -> Vec<f32> {
    values(len).into_iter().map(|x| x.max(0.0)).collect()
}

fn assert_close(fast: &[f32], naive: &[f32]) {
    let scale = naive.iter().fold(1.0f32, |max, x| max.max(x.abs()));
    let worst = fast.iter().zip(naive).fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs()));
    assert!(worst <= 1e-4 * scale, "off by {worst} at values up to {scale}");
}

/// Every case.
pub fn cases() -> Vec<Case> {
    let square = |n, side, c, oc, k: usize, stride: usize, padding: usize| {
        let out = (side + 2 * padding - k) / stride + 1;
        Window {
            n,
            h: side,
            w: side,
            c,
            oh: out,
            ow: out,
            oc,
            kh: k,
            kw: k,
            sh: stride,
            sw: stride,
            top: padding,
            left: padding,
        }
    };
    let (first, second) = (square(1, 64, 3, 32, 3, 1, 0), square(1, 31, 32, 32, 3, 1, 0));
    let mut cases = vec![ceiling()];
    for s in [first, second] {
        cases.extend(pooled(s));
    }
    for s in [
        second,
        square(1, 16, 64, 64, 3, 1, 1),
        square(1, 64, 3, 16, 3, 2, 1),
        square(1, 32, 32, 64, 3, 2, 1),
        square(1, 28, 64, 128, 1, 1, 0),
        square(1, 32, 16, 16, 3, 1, 1),
        square(8, 8, 96, 96, 3, 1, 1),
        square(16, 4, 128, 128, 3, 1, 1),
    ] {
        cases.extend(full(s));
    }
    let plain = [second, square(1, 16, 64, 64, 3, 1, 1), square(1, 14, 256, 256, 3, 1, 1)];
    for (s, pool) in plain.map(|s| (s, false)).into_iter().chain([(second, true)]) {
        cases.push(winograd(s, pool));
    }
    for s in [
        square(4, 16, 48, 48, 3, 1, 1),
        square(8, 8, 96, 96, 3, 1, 1),
        square(16, 4, 144, 144, 3, 1, 1),
    ] {
        cases.extend(winograd_backward(s));
    }
    for (n, inputs, outputs) in [(1, 6272, 128), (32, 6272, 128), (32, 128, 10)] {
        cases.extend(fully_connected(DenseShape { n, inputs, outputs }));
    }
    cases
}

/// What the micro-kernel of the matrix product reaches over panels in the first-level cache: the machine's ceiling.
fn ceiling() -> Case {
    const K: usize = 256;
    const TILES: usize = 64;
    struct Ceiling<'a>(&'a [f32], &'a [f32], &'a mut [f32]);
    impl Kernel for Ceiling<'_> {
        #[inline(always)]
        fn run<L: Lanes>(self) {
            let Ceiling(x, panel, out) = self;
            let width = V * L::N;
            for tile in 0..TILES {
                let rows = std::array::from_fn(|r| &x[(tile + r) % R * K..][..K]);
                let sums = gemm::start::<L, R>(&panel[..width]);
                let sums = gemm::accumulate(sums, rows, &panel[width..(K + 1) * width]);
                for (out, sums) in out.chunks_exact_mut(L::N).zip(sums.as_flattened()) {
                    sums.store(out);
                }
            }
        }
    }
    let (x, panel) = (values(R * K), values((K + 1) * V * lanes::MAX));
    let mut out = vec![0.0; R * V * lanes::MAX];
    Case {
        name: "ceiling".into(),
        flop: (2 * TILES * R * K * V * lanes::width()) as f64,
        run: Box::new(move || lanes::dispatch(Ceiling(black_box(&x), &panel, &mut out))),
    }
}

fn named(kernel: &str, s: Window) -> String {
    let Window { n, h, w, c, oc, kh, kw, sh, .. } = s;
    format!("{kernel} {n}x{h}x{w}x{c}->{oc} {kh}x{kw}/{sh}")
}

fn flop(s: &Window) -> f64 {
    (2 * s.n * s.output_len() * s.taps()) as f64
}

/// Fused with max pooling, forward and backward.
fn pooled(s: Window) -> Vec<Case> {
    let kernel = values(s.taps() * s.oc);
    let (x, bias) = (rectified(s.n * s.input_len()), values(s.oc));
    let mut packed = vec![0.0; packed_len(&s)];
    pack(&s, &kernel, Some(&bias), &mut packed);
    let mut packed_backward = vec![0.0; packed_backward_len(&s)];
    pack_backward(&s, &kernel, &mut packed_backward);
    let mut scratch = vec![0.0; scratch_len(&s).max(backward_scratch_len(&s))];
    let len = s.n * (s.oh / 2) * (s.ow / 2) * s.oc;
    let (mut out, mut indices) = (vec![0.0; len], vec![0; len]);
    let clamp = Clamp::RELU;
    conv2d_max_pool_forward(&s, &x, &packed, clamp, &mut out, Some(&mut indices), &mut scratch);
    let dout: Vec<f32> =
        values(len).iter().zip(&out).map(|(d, &out)| if out > 0.0 { *d } else { 0.0 }).collect();

    let (oh, ow) = (s.oh / 2 * 2, s.ow / 2 * 2);
    let flop = flop(&Window { oh, ow, ..s });
    let forward = {
        let (x, mut scratch) = (x.clone(), scratch.clone());
        move || {
            conv2d_max_pool_forward(&s, black_box(&x), &packed, clamp, &mut out, None, &mut scratch)
        }
    };
    let backward_input = {
        let (dout, indices, mut scratch) = (dout.clone(), indices.clone(), scratch.clone());
        let mut dx = vec![0.0; x.len()];
        move || {
            let dout = OutputGradient::MaxPooled { dout: black_box(&dout), indices: &indices };
            conv2d_backward_input(&s, dout, &packed_backward, &mut dx, &mut scratch);
        }
    };
    let mut dkernel = vec![0.0; kernel.len()];
    let mut dbias = vec![0.0; s.oc];
    let backward_kernel = move || {
        let dout = OutputGradient::MaxPooled { dout: black_box(&dout), indices: &indices };
        conv2d_backward_kernel(&s, &x, dout, &mut dkernel, Some(&mut dbias), &mut scratch);
    };
    vec![
        Case { name: named("conv2d_max_pool_forward", s), flop, run: Box::new(forward) },
        Case {
            name: named("pooled conv2d_backward_input", s),
            flop,
            run: Box::new(backward_input),
        },
        Case {
            name: named("pooled conv2d_backward_kernel", s),
            flop,
            run: Box::new(backward_kernel),
        },
    ]
}

/// Without pooling, behind a ReLU, forward and backward.
fn full(s: Window) -> Vec<Case> {
    let kernel = values(s.taps() * s.oc);
    let (x, bias) = (rectified(s.n * s.input_len()), values(s.oc));
    let mut packed = vec![0.0; packed_len(&s)];
    pack(&s, &kernel, Some(&bias), &mut packed);
    let mut packed_backward = vec![0.0; packed_backward_len(&s)];
    pack_backward(&s, &kernel, &mut packed_backward);
    let mut scratch = vec![0.0; scratch_len(&s).max(backward_scratch_len(&s))];
    let (mut out, mut expected) =
        (vec![0.0; s.n * s.output_len()], vec![0.0; s.n * s.output_len()]);
    conv2d_forward(&s, &x, &packed, Clamp::RELU, &mut out, &mut scratch);
    naive::conv2d_forward(&s, &x, &kernel, Some(&bias), Clamp::RELU, &mut expected);
    assert_close(&out, &expected);
    let dout: Vec<f32> = values(out.len())
        .iter()
        .zip(&out)
        .map(|(d, &out)| if out > 0.0 { *d } else { 0.0 })
        .collect();
    let (mut dx, mut expected) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    conv2d_backward_input(&s, OutputGradient::Full(&dout), &packed_backward, &mut dx, &mut scratch);
    naive::conv2d_backward_input(&s, &dout, &kernel, &mut expected);
    assert_close(&dx, &expected);
    let (mut dkernel, mut expected) = (vec![0.0; kernel.len()], vec![0.0; kernel.len()]);
    conv2d_backward_kernel(&s, &x, OutputGradient::Full(&dout), &mut dkernel, None, &mut scratch);
    naive::conv2d_backward_kernel(&s, &x, &dout, &mut expected, None);
    assert_close(&dkernel, &expected);

    let flop = flop(&s);
    let dense = dense_backward(&s, &x, &kernel);
    let forward = {
        let (x, mut scratch) = (x.clone(), scratch.clone());
        move || conv2d_forward(&s, black_box(&x), &packed, Clamp::RELU, &mut out, &mut scratch)
    };
    let backward_input = {
        let (dout, mut scratch) = (dout.clone(), scratch.clone());
        move || {
            let dout = OutputGradient::Full(black_box(&dout));
            conv2d_backward_input(&s, dout, &packed_backward, &mut dx, &mut scratch);
        }
    };
    let backward_kernel = move || {
        let dout = OutputGradient::Full(black_box(&dout));
        conv2d_backward_kernel(&s, &x, dout, &mut dkernel, None, &mut scratch);
    };
    let mut cases = vec![
        Case { name: named("conv2d_forward", s), flop, run: Box::new(forward) },
        Case { name: named("conv2d_backward_input", s), flop, run: Box::new(backward_input) },
        Case { name: named("conv2d_backward_kernel", s), flop, run: Box::new(backward_kernel) },
    ];
    cases.extend(dense);
    cases
}

/// The backward passes for a gradient without zeros.
fn dense_backward(s: &Window, x: &[f32], kernel: &[f32]) -> [Case; 2] {
    let (s, x) = (*s, x.to_vec());
    let dout = values(s.n * s.output_len());
    let mut packed = vec![0.0; packed_backward_dense_len(&s)];
    pack_backward_dense(&s, kernel, &mut packed);
    let mut scratch = vec![0.0; scratch_len(&s).max(backward_scratch_len(&s))];
    let (mut dx, mut expected) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    conv2d_backward_input_dense(&s, &dout, &packed, &mut dx, &mut scratch);
    naive::conv2d_backward_input(&s, &dout, kernel, &mut expected);
    assert_close(&dx, &expected);
    let (mut dkernel, mut expected) = (vec![0.0; kernel.len()], vec![0.0; kernel.len()]);
    conv2d_backward_kernel_dense(&s, &x, &dout, &mut dkernel, None, &mut scratch);
    naive::conv2d_backward_kernel(&s, &x, &dout, &mut expected, None);
    assert_close(&dkernel, &expected);

    let flop = flop(&s);
    let backward_input = {
        let (dout, mut scratch) = (dout.clone(), scratch.clone());
        move || {
            conv2d_backward_input_dense(&s, black_box(&dout), &packed, &mut dx, &mut scratch);
        }
    };
    let backward_kernel = move || {
        conv2d_backward_kernel_dense(&s, black_box(&x), &dout, &mut dkernel, None, &mut scratch);
    };
    let name = |what: &str| named(&format!("dense conv2d_backward_{what}"), s);
    [
        Case { name: name("input"), flop, run: Box::new(backward_input) },
        Case { name: name("kernel"), flop, run: Box::new(backward_kernel) },
    ]
}

/// Winograd's convolution; the operations are those of the direct sum.
fn winograd(s: Window, pool: bool) -> Case {
    let kernel = values(s.taps() * s.oc);
    let (x, bias) = (rectified(s.n * s.input_len()), values(s.oc));
    let mut direct = vec![0.0; packed_len(&s)];
    pack(&s, &kernel, Some(&bias), &mut direct);
    let mut packed = vec![0.0; winograd_packed_len(&s)];
    winograd_pack(&s, &kernel, Some(&bias), &mut packed);
    let mut scratch = vec![0.0; winograd_scratch_len(&s).max(scratch_len(&s))];
    let (h, w) = if pool { (s.oh / 2, s.ow / 2) } else { (s.oh, s.ow) };
    let clamp = Clamp::RELU;
    let (mut out, mut expected) = (vec![0.0; s.n * h * w * s.oc], vec![0.0; s.n * h * w * s.oc]);
    let forward = if pool { conv2d_winograd_max_pool_forward } else { conv2d_winograd_forward };
    forward(&s, &x, &packed, clamp, &mut out, &mut scratch);
    if pool {
        conv2d_max_pool_forward(&s, &x, &direct, clamp, &mut expected, None, &mut scratch);
    } else {
        conv2d_forward(&s, &x, &direct, clamp, &mut expected, &mut scratch);
    }
    assert_close(&out, &expected);
    let even = if pool { Window { oh: 2 * h, ow: 2 * w, ..s } } else { s };
    Case {
        name: named(if pool { "winograd max_pool_forward" } else { "winograd forward" }, s),
        flop: flop(&even),
        run: Box::new(move || {
            forward(&s, black_box(&x), &packed, clamp, &mut out, &mut scratch);
        }),
    }
}

/// Winograd's way back; the operations are those of the direct sums.
fn winograd_backward(s: Window) -> [Case; 2] {
    let (x, dout, kernel) =
        (values(s.n * s.input_len()), values(s.n * s.output_len()), values(s.taps() * s.oc));
    let mut direct = vec![0.0; packed_backward_len(&s)];
    pack_backward(&s, &kernel, &mut direct);
    let mut packed = vec![0.0; winograd_packed_backward_len(&s)];
    let len = winograd_backward_scratch_len(&s).max(backward_scratch_len(&s));
    let (mut scratch, mut own_scratch) = (vec![0.0; len], vec![0.0; len]);
    winograd_pack_backward(&s, &kernel, &mut packed, &mut scratch);
    let (mut dx, mut dkernel) = (vec![0.0; x.len()], vec![0.0; kernel.len()]);
    let (mut expected_dx, mut expected_dkernel) = (dx.clone(), dkernel.clone());
    conv2d_winograd_backward_input(&s, &dout, &packed, &mut dx, &mut scratch);
    let full = OutputGradient::Full(&dout);
    conv2d_backward_input(&s, full, &direct, &mut expected_dx, &mut scratch);
    assert_close(&dx, &expected_dx);
    conv2d_winograd_backward_kernel(&s, &x, &dout, &mut dkernel, None, &mut scratch);
    conv2d_backward_kernel(&s, &x, full, &mut expected_dkernel, None, &mut scratch);
    assert_close(&dkernel, &expected_dkernel);
    let flop = flop(&s);
    let (gradient, name) =
        (dout.clone(), |what: &str| named(&format!("winograd backward_{what}"), s));
    let backward_input = move || {
        conv2d_winograd_backward_input(&s, black_box(&dout), &packed, &mut dx, &mut scratch);
    };
    let backward_kernel = move || {
        let dout = black_box(&gradient);
        conv2d_winograd_backward_kernel(&s, &x, dout, &mut dkernel, None, &mut own_scratch);
    };
    [
        Case { name: name("input"), flop, run: Box::new(backward_input) },
        Case { name: name("kernel"), flop, run: Box::new(backward_kernel) },
    ]
}

fn fully_connected(s: DenseShape) -> Vec<Case> {
    let (x, kernel) = (rectified(s.n * s.inputs), values(s.inputs * s.outputs));
    let (bias, dout) = (values(s.outputs), rectified(s.n * s.outputs));
    let mut scratch = vec![0.0; dense::scratch_len(&s)];
    let (mut out, mut expected) = (dout.clone(), dout.clone());
    let clamp = Clamp::RELU;
    dense_forward(&s, &x, &kernel, Some(&bias), clamp, &mut out, &mut scratch);
    naive::dense_forward(&s, &x, &kernel, Some(&bias), clamp, &mut expected);
    assert_close(&out, &expected);
    let mut dkernel = vec![0.0; kernel.len()];

    let DenseShape { n, inputs, outputs } = s;
    let name = |what: &str| format!("{what} {n}x{inputs}->{outputs}");
    let flop = (2 * n * inputs * outputs) as f64;
    let forward = {
        let (x, kernel, mut scratch) = (x.clone(), kernel.clone(), scratch.clone());
        move || {
            dense_forward(&s, black_box(&x), &kernel, Some(&bias), clamp, &mut out, &mut scratch)
        }
    };
    let backward_input = {
        let (dout, mut scratch, mut dx) = (dout.clone(), scratch.clone(), x.clone());
        move || dense_backward_input(&s, black_box(&dout), &kernel, &mut dx, &mut scratch)
    };
    let backward_kernel =
        move || dense_backward_kernel(&s, black_box(&x), &dout, &mut dkernel, None, &mut scratch);
    vec![
        Case { name: name("dense_forward"), flop, run: Box::new(forward) },
        Case { name: name("dense_backward_input"), flop, run: Box::new(backward_input) },
        Case { name: name("dense_backward_kernel"), flop, run: Box::new(backward_kernel) },
    ]
}
