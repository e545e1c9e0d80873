use convlet::kernel::pool::*;
use convlet::kernel::{Window, naive};
use proptest::prelude::*;

use crate::common::*;

fn check(s: Window, seed: u64) {
    let s = &Window { oc: s.c, ..s };
    let (x, dout) = (values(seed, s.n * s.input_len()), values(seed + 1, s.n * s.output_len()));

    let mut indices = vec![u8::MAX; dout.len()];
    let out = written(dout.len(), |out| max_pool_forward(s, &x, out, Some(&mut indices)));
    let (mut expected, mut expected_indices) = (vec![0.0; dout.len()], vec![0; dout.len()]);
    naive::max_pool_forward(s, &x, &mut expected, Some(&mut expected_indices));
    assert_same(&out, &expected, 0);
    assert_eq!(indices, expected_indices);
    assert_same(&written(dout.len(), |out| max_pool_forward(s, &x, out, None)), &expected, 0);

    let dx = written(x.len(), |dx| max_pool_backward(s, &dout, &indices, dx));
    let mut expected = vec![0.0; x.len()];
    naive::max_pool_backward(s, &dout, &indices, &mut expected);
    assert_same(&dx, &expected, 0);

    let out = written(dout.len(), |out| average_pool_forward(s, &x, out));
    let mut expected = vec![0.0; dout.len()];
    naive::average_pool_forward(s, &x, &mut expected);
    assert_same(&out, &expected, 0);

    let dx = written(x.len(), |dx| average_pool_backward(s, &dout, dx));
    let mut expected = vec![0.0; x.len()];
    naive::average_pool_backward(s, &dout, &mut expected);
    assert_same(&dx, &expected, 0);
}

proptest! {
    #[test]
    fn matches_naive(s in window(1..40, 1..2), seed in 0u64..1000) {
        check(s, seed);
    }
}

/// 15 x 17 taps are the most a byte counts.
#[test]
fn largest_window_matches_naive() {
    check(
        Window {
            n: 1,
            h: 15,
            w: 17,
            c: 3,
            oh: 1,
            ow: 1,
            oc: 3,
            kh: 15,
            kw: 17,
            sh: 1,
            sw: 1,
            top: 0,
            left: 0,
        },
        3,
    );
}

#[test]
fn global_average_pool_is_the_mean() {
    let x: Vec<f32> = (0..2 * 6 * 5).map(|i| i as f32).collect();
    let out = written(10, |out| global_average_pool_forward(2, 6, 5, &x, out));
    let expected: Vec<f32> = (0..10).map(|i| (i / 5 * 30 + i % 5) as f32 + 12.5).collect();
    assert_eq!(out, expected);
    let dx = written(x.len(), |dx| global_average_pool_backward(2, 6, 5, &out, dx));
    assert!(dx.iter().enumerate().all(|(i, dx)| *dx == out[i / 30 * 5 + i % 5] / 6.0));
}

/// Padding never wins, even over negative values; of equal values the first wins.
#[test]
fn padding_and_ties() {
    let s = Window {
        n: 1,
        h: 2,
        w: 2,
        c: 1,
        oh: 2,
        ow: 2,
        oc: 1,
        kh: 3,
        kw: 3,
        sh: 1,
        sw: 1,
        top: 1,
        left: 1,
    };
    let mut indices = [0; 4];
    let out = written(4, |out| max_pool_forward(&s, &[-1.0; 4], out, Some(&mut indices)));
    assert_eq!(out, [-1.0; 4]);
    // The window position of the image's first pixel, seen from each output.
    assert_eq!(indices, [4, 3, 1, 0]);
}
