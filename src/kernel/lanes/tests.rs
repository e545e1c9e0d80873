//! Every operation of every kind of lanes gives the bits that the array of floats gives.

use super::array::F32x4 as Array;
use super::{Kernel, Lanes, Narrow, dispatch};

const VALUES: [f32; 16] = [
    0.0,
    -0.0,
    1.0,
    -1.5,
    f32::NAN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::MIN_POSITIVE,
    1e-40,
    3.4e38,
    255.0,
    0.1,
    -7.25,
    16_777_217.0,
    2.0,
    6.0,
];

/// All operations on the values and the values shifted by `by`.
struct Operations<'a> {
    by: usize,
    results: &'a mut Vec<f32>,
    bytes: &'a mut Vec<u8>,
}

impl Kernel for Operations<'_> {
    fn run<L: Lanes>(self) {
        let shifted: Vec<f32> = (0..16).map(|i| VALUES[(i + self.by) % 16]).collect();
        for first in (0..16).step_by(L::N) {
            let (a, b) = (L::load(&VALUES[first..]), L::load(&shifted[first..]));
            let whole = L::splat(self.by as f32);
            let operations = [
                a.add(b),
                a.sub(b),
                a.mul(b),
                a.div(b),
                a.sqrt(),
                a.at_most(b),
                a.at_least(b),
                L::select(a.less(b), a, b),
            ];
            for (i, operation) in operations.into_iter().enumerate() {
                operation.store(&mut self.results[i * 16 + first..]);
            }
            whole.store_u8(&mut self.bytes[first..]);
        }
    }
}

#[test]
fn lanes_agree_with_the_array() {
    let run = |by: usize, kind: fn(Operations)| {
        let (mut results, mut bytes) = (vec![0.0; 8 * 16], vec![0; 16]);
        kind(Operations { by, results: &mut results, bytes: &mut bytes });
        // One NaN is as good as another.
        let bits = |x: f32| if x.is_nan() { u32::MAX } else { x.to_bits() };
        (results.into_iter().map(bits).collect::<Vec<_>>(), bytes)
    };
    for by in 0..16 {
        let expected = run(by, |kernel| kernel.run::<Array>());
        assert_eq!(run(by, |kernel| kernel.run::<Narrow>()), expected, "narrow lanes, {by}");
        assert_eq!(run(by, |kernel| dispatch(kernel)), expected, "widest lanes, {by}");
    }
}
