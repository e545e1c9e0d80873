//! WebAssembly's 128-bit vectors. With relaxed-simd, `mul_add` is fused where the machine is faster for it.

use std::arch::wasm32::*;

use super::Lanes;

/// Four floats.
#[derive(Clone, Copy)]
pub struct F32x4(v128);

impl Lanes for F32x4 {
    const N: usize = 4;
    type Mask = v128;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        Self(f32x4_splat(x))
    }
    #[inline(always)]
    fn load(x: &[f32]) -> Self {
        assert!(x.len() >= 4);
        // SAFETY: four floats are there; a v128 is loaded from any address.
        Self(unsafe { v128_load(x.as_ptr().cast()) })
    }
    #[inline(always)]
    fn store(self, out: &mut [f32]) {
        assert!(out.len() >= 4);
        // SAFETY: as in `load`.
        unsafe { v128_store(out.as_mut_ptr().cast(), self.0) }
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        Self(f32x4_add(self.0, b.0))
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        Self(f32x4_sub(self.0, b.0))
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        Self(f32x4_mul(self.0, b.0))
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        Self(f32x4_div(self.0, b.0))
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(f32x4_sqrt(self.0))
    }
    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        Self(f32x4_relaxed_madd(self.0, b.0, c.0))
    }
    #[inline(always)]
    fn less(self, b: Self) -> Self::Mask {
        f32x4_lt(self.0, b.0)
    }
    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        Self(v128_bitselect(yes.0, no.0, mask))
    }
    #[inline(always)]
    fn at_most(self, b: Self) -> Self {
        Self(f32x4_pmin(self.0, b.0))
    }
    #[inline(always)]
    fn at_least(self, b: Self) -> Self {
        Self(f32x4_pmax(self.0, b.0))
    }
    #[inline(always)]
    fn store_u8(self, out: &mut [u8]) {
        let words = i32x4_trunc_sat_f32x4(self.0);
        let halves = i16x8_narrow_i32x4(words, words);
        let bytes = u8x16_narrow_i16x8(halves, halves);
        out[..4].copy_from_slice(&i32x4_extract_lane::<0>(bytes).to_le_bytes());
    }
}
