use convlet::kernel::Window;
use proptest::prelude::*;

/// Numbers in [-1, 1], one in four of them zero; the same for the same seed.
pub fn values(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let value = |bits: u64| {
        if bits.is_multiple_of(4) { 0.0 } else { bits as f32 / (1u64 << 30) as f32 - 1.0 }
    };
    (0..len).map(|_| value(next())).collect()
}

/// Written past the end of every output, to be found untouched.
const SENTINEL: f32 = 12345.0;

/// What `f` writes into a buffer of `len`, which holds rubbish before; nothing else may be written.
pub fn written(len: usize, f: impl FnOnce(&mut [f32])) -> Vec<f32> {
    let mut buffer = vec![SENTINEL; len + 16];
    f(&mut buffer[..len]);
    assert!(buffer[len..].iter().all(|&x| x == SENTINEL), "written past the end");
    buffer.truncate(len);
    buffer
}

/// Scratch of just the length asked for, full of NaN: what is read was written before.
pub fn scratch(len: usize) -> Vec<f32> {
    vec![f32::NAN; len]
}

/// Equal bit for bit; in the relaxed build within `reduction` roundings of a sum of products of at most 1.
#[track_caller]
pub fn assert_same(fast: &[f32], naive: &[f32], reduction: usize) {
    assert_eq!(fast.len(), naive.len());
    let tolerance = (reduction * reduction.max(1)) as f32 * f32::EPSILON;
    for (i, (fast, naive)) in fast.iter().zip(naive).enumerate() {
        let same = if cfg!(target_feature = "relaxed-simd") {
            (fast - naive).abs() <= tolerance
        } else {
            fast.to_bits() == naive.to_bits()
        };
        assert!(same, "at {i}: {fast:?} instead of {naive:?}");
    }
}

/// A window over images of c channels to oc: every stride, padding before and behind from none to all but one tap.
pub fn window(
    c: std::ops::Range<usize>,
    oc: std::ops::Range<usize>,
) -> impl Strategy<Value = Window> {
    let output = (0usize..4, 1usize..9, 1usize..9);
    let taps = (1usize..6, 1usize..6, 1usize..4, 1usize..4);
    let padding = (0usize..5, 0usize..5, 0usize..5, 0usize..5);
    (output, taps, padding, c, oc).prop_map(
        |((n, oh, ow), (kh, kw, sh, sw), (top, left, bottom, right), c, oc)| {
            let (top, bottom) = (top.min(kh - 1), bottom.min(kh - 1));
            let (left, right) = (left.min(kw - 1), right.min(kw - 1));
            // Rows that the windows span, less the padding; one at least is there.
            let h = ((oh - 1) * sh + kh).saturating_sub(top + bottom).max(1);
            let w = ((ow - 1) * sw + kw).saturating_sub(left + right).max(1);
            Window { n, h, w, c, oh, ow, oc, kh, kw, sh, sw, top, left }
        },
    )
}
