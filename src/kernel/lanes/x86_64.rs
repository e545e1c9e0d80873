//! SSE2, which every x86-64 has, and AVX2. Multiply and add stay apart: fused, they would not give WebAssembly's bits.

use std::arch::x86_64::*;
use std::sync::LazyLock;

use super::{Kernel, Lanes};

/// Whether AVX2 runs. The environment variable `CONVLET_LANES=4` rules it out: so are both widths tested on one machine.
#[inline]
pub fn avx2() -> bool {
    static AVX2: LazyLock<bool> = LazyLock::new(|| {
        std::env::var_os("CONVLET_LANES").is_none_or(|lanes| lanes != "4")
            && is_x86_feature_detected!("avx2")
    });
    *AVX2
}

/// Runs `kernel` with eight lanes.
///
/// # Safety
/// The machine has AVX2.
#[target_feature(enable = "avx2")]
pub unsafe fn run_avx2(kernel: impl Kernel) {
    kernel.run::<F32x8>();
}

/// Four floats: SSE2.
#[derive(Clone, Copy)]
pub struct F32x4(__m128);

/// Eight floats: AVX2.
#[derive(Clone, Copy)]
pub struct F32x8(__m256);

// SAFETY, for every block of this macro: SSE2 is part of x86-64; an F32x8 exists only inside of `run_avx2`; loads and
// stores have checked the length and need no alignment.
macro_rules! lanes {
    ($name:ident, $n:literal, $splat:ident, $load:ident, $store:ident, $add:ident, $sub:ident, $mul:ident, $div:ident,
     $sqrt:ident, $min:ident, $max:ident, $less:expr, $select:expr, $bytes:expr) => {
        impl Lanes for $name {
            const N: usize = $n;
            type Mask = Self;

            #[inline(always)]
            fn splat(x: f32) -> Self {
                Self(unsafe { $splat(x) })
            }
            #[inline(always)]
            fn load(x: &[f32]) -> Self {
                assert!(x.len() >= $n);
                Self(unsafe { $load(x.as_ptr()) })
            }
            #[inline(always)]
            fn store(self, out: &mut [f32]) {
                assert!(out.len() >= $n);
                unsafe { $store(out.as_mut_ptr(), self.0) }
            }
            #[inline(always)]
            fn add(self, b: Self) -> Self {
                Self(unsafe { $add(self.0, b.0) })
            }
            #[inline(always)]
            fn sub(self, b: Self) -> Self {
                Self(unsafe { $sub(self.0, b.0) })
            }
            #[inline(always)]
            fn mul(self, b: Self) -> Self {
                Self(unsafe { $mul(self.0, b.0) })
            }
            #[inline(always)]
            fn div(self, b: Self) -> Self {
                Self(unsafe { $div(self.0, b.0) })
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                Self(unsafe { $sqrt(self.0) })
            }
            #[inline(always)]
            fn less(self, b: Self) -> Self::Mask {
                Self(unsafe { $less(self.0, b.0) })
            }
            #[inline(always)]
            fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
                Self(unsafe { $select(mask.0, yes.0, no.0) })
            }
            // The machine's min(a, b) is `if a < b { a } else { b }`, its max `if a > b { a } else { b }`.
            #[inline(always)]
            fn at_most(self, b: Self) -> Self {
                Self(unsafe { $min(b.0, self.0) })
            }
            #[inline(always)]
            fn at_least(self, b: Self) -> Self {
                Self(unsafe { $max(b.0, self.0) })
            }
            #[inline(always)]
            fn store_u8(self, out: &mut [u8]) {
                let bytes: [u8; $n] = unsafe { $bytes(self.0) };
                out[..$n].copy_from_slice(&bytes);
            }
        }
    };
}

lanes!(
    F32x4,
    4,
    _mm_set1_ps,
    _mm_loadu_ps,
    _mm_storeu_ps,
    _mm_add_ps,
    _mm_sub_ps,
    _mm_mul_ps,
    _mm_div_ps,
    _mm_sqrt_ps,
    _mm_min_ps,
    _mm_max_ps,
    _mm_cmplt_ps,
    |mask, yes, no| _mm_or_ps(_mm_and_ps(mask, yes), _mm_andnot_ps(mask, no)),
    |x| bytes(_mm_cvttps_epi32(x))
);
lanes!(
    F32x8,
    8,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_add_ps,
    _mm256_sub_ps,
    _mm256_mul_ps,
    _mm256_div_ps,
    _mm256_sqrt_ps,
    _mm256_min_ps,
    _mm256_max_ps,
    _mm256_cmp_ps::<_CMP_LT_OQ>,
    |mask, yes, no| _mm256_blendv_ps(no, yes, mask),
    |x| {
        let x = _mm256_cvttps_epi32(x);
        let [low, high] = [_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x)];
        let ([a, b, c, d], [e, f, g, h]) = (bytes(low), bytes(high));
        [a, b, c, d, e, f, g, h]
    }
);

/// Four whole numbers 0..=255 as bytes.
#[inline(always)]
fn bytes(x: __m128i) -> [u8; 4] {
    // SAFETY: SSE2 is part of x86-64.
    let narrow = unsafe {
        let halves = _mm_packs_epi32(x, x);
        _mm_cvtsi128_si32(_mm_packus_epi16(halves, halves))
    };
    narrow.to_le_bytes()
}
