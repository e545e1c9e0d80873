//! The textbook backward passes against finite differences of the forward passes, in f64.

use convlet::kernel::dense::DenseShape;
use convlet::kernel::{Clamp, Window, naive};

use crate::common::values;

/// No sum of the windows below is at a clamp's kink, none of their maxima is tied.
const WINDOWS: [Window; 3] = [
    Window {
        n: 2,
        h: 5,
        w: 4,
        c: 3,
        oh: 3,
        ow: 2,
        oc: 3,
        kh: 3,
        kw: 3,
        sh: 1,
        sw: 1,
        top: 0,
        left: 0,
    },
    Window {
        n: 1,
        h: 6,
        w: 5,
        c: 3,
        oh: 3,
        ow: 3,
        oc: 3,
        kh: 3,
        kw: 3,
        sh: 2,
        sw: 2,
        top: 1,
        left: 1,
    },
    Window {
        n: 1,
        h: 4,
        w: 7,
        c: 3,
        oh: 4,
        ow: 3,
        oc: 3,
        kh: 2,
        kw: 3,
        sh: 1,
        sw: 3,
        top: 1,
        left: 2,
    },
];

/// No two alike and none zero.
fn numbers(seed: u64, len: usize) -> Vec<f64> {
    let spread = (0..len).map(|i| ((i * 7919 + 13) % (2 * len + 1)) as f64 / len as f64 - 1.0);
    spread.zip(values(seed, len)).map(|(a, b)| a + 0.1 * f64::from(b) + 0.01).collect()
}

/// `gradient` is the gradient of sum(dout x f(at)) by `at`.
#[track_caller]
fn check(at: &[f64], dout: &[f64], gradient: &[f64], f: impl Fn(&[f64]) -> Vec<f64>) {
    let h = 1e-6;
    let loss = |at: &[f64]| f(at).iter().zip(dout).fold(0.0, |sum, (a, b)| sum + a * b);
    for i in 0..at.len() {
        let moved = |by: f64| {
            let mut at = at.to_vec();
            at[i] += by;
            loss(&at)
        };
        let slope = (moved(h) - moved(-h)) / (2.0 * h);
        assert!((slope - gradient[i]).abs() < 1e-7, "at {i}: {} instead of {slope}", gradient[i]);
    }
}

/// What `f` writes into `len` zeros.
fn filled(len: usize, f: impl FnOnce(&mut [f64])) -> Vec<f64> {
    let mut out = vec![0.0; len];
    f(&mut out);
    out
}

#[test]
fn conv2d() {
    for s in &WINDOWS {
        let (x, kernel) = (numbers(1, s.n * s.input_len()), numbers(2, s.taps() * s.oc));
        let (bias, dout) = (numbers(3, s.oc), numbers(4, s.n * s.output_len()));
        let forward = |x: &[f64], kernel: &[f64], bias: &[f64]| {
            filled(dout.len(), |out| {
                naive::conv2d_forward(s, x, kernel, Some(bias), Clamp::LINEAR, out);
            })
        };
        let dx = filled(x.len(), |dx| naive::conv2d_backward_input(s, &dout, &kernel, dx));
        let mut dbias = vec![0.0; s.oc];
        let dkernel = filled(kernel.len(), |dkernel| {
            naive::conv2d_backward_kernel(s, &x, &dout, dkernel, Some(&mut dbias));
        });
        check(&x, &dout, &dx, |x| forward(x, &kernel, &bias));
        check(&kernel, &dout, &dkernel, |kernel| forward(&x, kernel, &bias));
        check(&bias, &dout, &dbias, |bias| forward(&x, &kernel, bias));
    }
}

#[test]
fn depthwise_conv2d() {
    for s in &WINDOWS {
        let (x, kernel) = (numbers(1, s.n * s.input_len()), numbers(2, s.taps()));
        let (bias, dout) = (numbers(3, s.c), numbers(4, s.n * s.output_len()));
        let forward = |x: &[f64], kernel: &[f64], bias: &[f64]| {
            filled(dout.len(), |out| {
                naive::depthwise_conv2d_forward(s, x, kernel, Some(bias), Clamp::LINEAR, out);
            })
        };
        let dx =
            filled(x.len(), |dx| naive::depthwise_conv2d_backward_input(s, &dout, &kernel, dx));
        let mut dbias = vec![0.0; s.c];
        let dkernel = filled(kernel.len(), |dkernel| {
            naive::depthwise_conv2d_backward_kernel(s, &x, &dout, dkernel, Some(&mut dbias));
        });
        check(&x, &dout, &dx, |x| forward(x, &kernel, &bias));
        check(&kernel, &dout, &dkernel, |kernel| forward(&x, kernel, &bias));
        check(&bias, &dout, &dbias, |bias| forward(&x, &kernel, bias));
    }
}

#[test]
fn dense() {
    let s = &DenseShape { n: 3, inputs: 5, outputs: 4 };
    let (x, kernel) = (numbers(1, s.n * s.inputs), numbers(2, s.inputs * s.outputs));
    let (bias, dout) = (numbers(3, s.outputs), numbers(4, s.n * s.outputs));
    let forward = |x: &[f64], kernel: &[f64], bias: &[f64]| {
        filled(dout.len(), |out| {
            naive::dense_forward(s, x, kernel, Some(bias), Clamp::LINEAR, out);
        })
    };
    let dx = filled(x.len(), |dx| naive::dense_backward_input(s, &dout, &kernel, dx));
    let mut dbias = vec![0.0; s.outputs];
    let dkernel = filled(kernel.len(), |dkernel| {
        naive::dense_backward_kernel(s, &x, &dout, dkernel, Some(&mut dbias));
    });
    check(&x, &dout, &dx, |x| forward(x, &kernel, &bias));
    check(&kernel, &dout, &dkernel, |kernel| forward(&x, kernel, &bias));
    check(&bias, &dout, &dbias, |bias| forward(&x, &kernel, bias));
}

#[test]
fn pooling() {
    for s in &WINDOWS {
        let (x, dout) = (numbers(1, s.n * s.input_len()), numbers(4, s.n * s.output_len()));
        let mut indices = vec![0; dout.len()];
        naive::max_pool_forward(s, &x, &mut dout.clone(), Some(&mut indices));
        let dx = filled(x.len(), |dx| naive::max_pool_backward(s, &dout, &indices, dx));
        check(&x, &dout, &dx, |x| {
            filled(dout.len(), |out| naive::max_pool_forward(s, x, out, None))
        });
        let dx = filled(x.len(), |dx| naive::average_pool_backward(s, &dout, dx));
        check(&x, &dout, &dx, |x| filled(dout.len(), |out| naive::average_pool_forward(s, x, out)));
    }
}
