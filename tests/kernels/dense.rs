use convlet::kernel::dense::*;
use convlet::kernel::{Clamp, naive};
use proptest::prelude::*;

use crate::common::*;

fn check(s: DenseShape, seed: u64) {
    let s = &s;
    let (x, kernel) = (values(seed, s.n * s.inputs), values(seed + 1, s.inputs * s.outputs));
    let (bias, dout) = (values(seed + 2, s.outputs), values(seed + 3, s.n * s.outputs));
    let bias = seed.is_multiple_of(2).then_some(&bias[..]);
    let clamp = [Clamp::LINEAR, Clamp::RELU, Clamp::RELU6][seed as usize % 3];
    let mut scratch = scratch(scratch_len(s));

    let out = written(dout.len(), |out| {
        dense_forward(s, &x, &kernel, bias, clamp, out, &mut scratch);
    });
    let mut expected = vec![0.0; dout.len()];
    naive::dense_forward(s, &x, &kernel, bias, clamp, &mut expected);
    assert_same(&out, &expected, s.inputs + 1);

    let dx = written(x.len(), |dx| dense_backward_input(s, &dout, &kernel, dx, &mut scratch));
    let mut expected = vec![0.0; x.len()];
    naive::dense_backward_input(s, &dout, &kernel, &mut expected);
    assert_same(&dx, &expected, s.outputs);

    let mut dbias = vec![f32::NAN; s.outputs];
    let dkernel = written(kernel.len(), |dkernel| {
        dense_backward_kernel(s, &x, &dout, dkernel, Some(&mut dbias), &mut scratch);
    });
    let (mut expected, mut expected_bias) = (vec![0.0; kernel.len()], vec![0.0; s.outputs]);
    naive::dense_backward_kernel(s, &x, &dout, &mut expected, Some(&mut expected_bias));
    assert_same(&dkernel, &expected, s.n);
    assert_same(&dbias, &expected_bias, s.n);
}

proptest! {
    #[test]
    fn matches_naive(n in 0usize..14, inputs in 0usize..40, outputs in 1usize..40, seed in 0u64..1000) {
        check(DenseShape { n, inputs, outputs }, seed);
    }
}

/// Several blocks of the reduction, each way.
#[test]
fn long_sums_match_naive() {
    for (n, inputs, outputs) in [(1, 601, 33), (5, 601, 33), (6, 17, 523), (300, 5, 9)] {
        check(DenseShape { n, inputs, outputs }, 2);
    }
}

/// An image alone and the same image among others have the same result.
#[test]
fn results_do_not_depend_on_the_batch() {
    let s = DenseShape { n: 9, inputs: 300, outputs: 21 };
    let (x, kernel) = (values(1, s.n * s.inputs), values(2, s.inputs * s.outputs));
    let forward = |s: DenseShape, x: &[f32]| {
        let mut scratch = scratch(scratch_len(&s));
        written(s.n * s.outputs, |out| {
            dense_forward(&s, x, &kernel, None, Clamp::LINEAR, out, &mut scratch);
        })
    };
    let together = forward(s, &x);
    for (x, expected) in x.chunks_exact(s.inputs).zip(together.chunks_exact(s.outputs)) {
        assert_same(&forward(DenseShape { n: 1, ..s }, x), expected, s.inputs);
    }
}
