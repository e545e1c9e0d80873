use convlet::kernel::depthwise_conv2d::*;
use convlet::kernel::{Clamp, Window, naive};
use proptest::prelude::*;

use crate::common::*;

fn check(s: Window, seed: u64) {
    let s = &Window { oc: s.c, ..s };
    let (x, kernel) = (values(seed, s.n * s.input_len()), values(seed + 1, s.taps()));
    let (bias, dout) = (values(seed + 2, s.c), values(seed + 3, s.n * s.output_len()));
    let bias = seed.is_multiple_of(2).then_some(&bias[..]);
    let clamp = [Clamp::LINEAR, Clamp::RELU, Clamp { low: -0.3, high: 0.5 }][seed as usize % 3];
    let mut scratch = scratch(scratch_len(s));

    let out = written(dout.len(), |out| {
        depthwise_conv2d_forward(s, &x, &kernel, bias, clamp, out, &mut scratch);
    });
    let mut expected = vec![0.0; dout.len()];
    naive::depthwise_conv2d_forward(s, &x, &kernel, bias, clamp, &mut expected);
    assert_same(&out, &expected, s.kh * s.kw + 1);

    let dx = written(x.len(), |dx| {
        depthwise_conv2d_backward_input(s, &dout, &kernel, dx, &mut scratch);
    });
    let mut expected = vec![0.0; x.len()];
    naive::depthwise_conv2d_backward_input(s, &dout, &kernel, &mut expected);
    assert_same(&dx, &expected, s.kh * s.kw);

    let mut dbias = vec![f32::NAN; s.c];
    let dkernel = written(kernel.len(), |dkernel| {
        depthwise_conv2d_backward_kernel(s, &x, &dout, dkernel, Some(&mut dbias), &mut scratch);
    });
    let (mut expected, mut expected_bias) = (vec![0.0; kernel.len()], vec![0.0; s.c]);
    naive::depthwise_conv2d_backward_kernel(s, &x, &dout, &mut expected, Some(&mut expected_bias));
    assert_same(&dkernel, &expected, s.n * s.oh * s.ow);
    assert_same(&dbias, &expected_bias, s.n * s.oh * s.ow);
}

proptest! {
    #[test]
    fn matches_naive(s in window(1..70, 1..2), seed in 0u64..1000) {
        check(s, seed);
    }
}

/// Large enough for several bands.
#[test]
fn real_shapes_match_naive() {
    let s = Window {
        n: 2,
        h: 32,
        w: 32,
        c: 40,
        oh: 32,
        ow: 32,
        oc: 40,
        kh: 3,
        kw: 3,
        sh: 1,
        sw: 1,
        top: 1,
        left: 1,
    };
    check(s, 2);
    check(Window { oh: 16, ow: 16, sh: 2, sw: 2, top: 0, left: 0, ..s }, 4);
}
