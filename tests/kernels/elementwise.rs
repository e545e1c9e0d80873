use convlet::kernel::elementwise::*;

use crate::common::*;

/// Longer than what a thread takes at a time.
const LEN: usize = 70_001;

#[test]
fn sums_and_scaling() {
    let (a, b) = (values(1, LEN), values(2, LEN));
    let changed = |f: &dyn Fn(&mut [f32])| {
        let mut a = a.clone();
        f(&mut a);
        a
    };
    let zip = |f: fn(f32, f32) -> f32| a.iter().zip(&b).map(|(a, b)| f(*a, *b)).collect::<Vec<_>>();
    assert_same(&changed(&|a| add_assign(a, &b)), &zip(|a, b| a + b), 1);
    assert_same(&changed(&|a| scale(a, 0.3)), &zip(|a, _| a * 0.3), 1);
    assert_same(&changed(&|a| axpy(a, 0.3, &b)), &zip(|a, b| a + 0.3 * b), 1);
    let exact: f64 = a.iter().map(|&a| f64::from(a) * f64::from(a)).sum();
    assert!((sum_of_squares(&a) - exact).abs() < 1e-9 * exact);
    assert_eq!(sum_of_squares(&[3.0, 4.0]), 25.0);
}

/// Three steps against the formulas in f64.
#[test]
fn adam() {
    let (gradients, start) = ([1, 2, 3].map(|seed| values(seed, LEN)), values(4, LEN));
    let (mut value, mut m, mut v) = (start.clone(), vec![0.0; LEN], vec![0.0; LEN]);
    let (beta_1, beta_2) = (0.9f64, 0.999f64);
    let alpha = |t: i32| 0.01 * (1.0 - beta_2.powi(t)).sqrt() / (1.0 - beta_1.powi(t));
    for (t, gradient) in (1..).zip(&gradients) {
        let alpha = alpha(t) as f32;
        let step = AdamStep { alpha, beta_1: beta_1 as f32, beta_2: beta_2 as f32, epsilon: 1e-7 };
        adam_step(step, &mut value, gradient, &mut m, &mut v);
    }
    for i in 0..LEN {
        let (mut exact, mut m, mut v) = (f64::from(start[i]), 0.0, 0.0);
        for (t, gradient) in (1..).zip(&gradients) {
            let g = f64::from(gradient[i]);
            m += (g - m) * (1.0 - beta_1);
            v += (g * g - v) * (1.0 - beta_2);
            exact -= m * alpha(t) / (v.sqrt() + 1e-7);
        }
        assert!((f64::from(value[i]) - exact).abs() < 1e-6, "{} not {exact}", value[i]);
    }
}

/// Two steps by hand: with g = 1 and a momentum of 0.5 the velocity is -0.1, then -0.15.
#[test]
fn sgd() {
    let after = |momentum: Option<f32>, nesterov: bool| {
        let (mut value, mut velocity) = (vec![1.0; LEN], vec![0.0; LEN]);
        for _ in 0..2 {
            let velocity = momentum.map(|_| &mut velocity[..]);
            sgd_step(0.1, momentum.unwrap_or(0.0), nesterov, &mut value, &[1.0; LEN], velocity);
        }
        assert!(value.iter().all(|x| x == &value[0]));
        value[0]
    };
    assert!((after(None, false) - 0.8).abs() < 1e-6);
    assert!((after(Some(0.5), false) - 0.75).abs() < 1e-6);
    assert!((after(Some(0.5), true) - 0.675).abs() < 1e-6);
}
