//! The one vector type that kernels are written over, and the choice of the instruction set that runs.
//!
//! A kernel is a struct that holds its arguments and implements [`Kernel`]; [`dispatch`] runs it with the widest lanes
//! of this machine. An operation gives the same bits in every implementation, the array of floats included, so the
//! width of the lanes never shows in a result.
//!
//! This is the only file of the crate with `unsafe` in it: loads and stores check the length of their slice, and
//! instructions of AVX2 are reached by way of `dispatch` alone, after it has seen that the machine has them.

#![allow(unsafe_code)]

use super::Clamp;

/// `N` floats that are computed with at once.
pub trait Lanes: Copy {
    /// How many.
    const N: usize;
    /// A yes or no for each lane.
    type Mask: Copy;

    /// `x` in every lane.
    fn splat(x: f32) -> Self;
    /// The first `N` of `x`.
    fn load(x: &[f32]) -> Self;
    /// Writes the first `N` of `out`.
    fn store(self, out: &mut [f32]);
    /// self + b
    fn add(self, b: Self) -> Self;
    /// self - b
    fn sub(self, b: Self) -> Self;
    /// self b
    fn mul(self, b: Self) -> Self;
    /// self / b
    fn div(self, b: Self) -> Self;
    /// The square root, correctly rounded.
    fn sqrt(self) -> Self;
    /// self b + c: two roundings in the strict build, one or two in the relaxed one.
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        self.mul(b).add(c)
    }
    /// self < b; false where one is NaN.
    fn less(self, b: Self) -> Self::Mask;
    /// `yes` where the mask is set, `no` elsewhere.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// `if b < self { b } else { self }`
    fn at_most(self, b: Self) -> Self;
    /// `if self < b { b } else { self }`
    fn at_least(self, b: Self) -> Self;
    /// Writes the first `N` of `out`; each lane is a whole number from 0 to 255.
    fn store_u8(self, out: &mut [u8]);

    /// Clamped as [`Clamp`] says.
    #[inline(always)]
    fn clamp(self, clamp: Clamp) -> Self {
        self.at_least(Self::splat(clamp.low)).at_most(Self::splat(clamp.high))
    }
    /// `x`, which has at most `N` elements, and zeros.
    #[inline(always)]
    fn load_part(x: &[f32]) -> Self {
        if x.len() >= Self::N {
            return Self::load(x);
        }
        let mut lanes = [0.0; MAX];
        lanes[..x.len()].copy_from_slice(x);
        Self::load(&lanes)
    }
    /// Writes the first of the lanes to all of `out`, which has at most `N` elements.
    #[inline(always)]
    fn store_part(self, out: &mut [f32]) {
        if out.len() >= Self::N {
            return self.store(out);
        }
        let mut lanes = [0.0; MAX];
        self.store(&mut lanes);
        out.copy_from_slice(&lanes[..out.len()]);
    }
    /// As [`Self::store_u8`] to all of `out`, which has at most `N` elements.
    #[inline(always)]
    fn store_u8_part(self, out: &mut [u8]) {
        if out.len() >= Self::N {
            return self.store_u8(out);
        }
        let mut bytes = [0; MAX];
        self.store_u8(&mut bytes);
        out.copy_from_slice(&bytes[..out.len()]);
    }
}

/// The widest lanes there are.
pub const MAX: usize = 8;

/// Something to compute with lanes of any width. `run` is `#[inline(always)]`, like all that it calls.
pub trait Kernel {
    /// Runs with lanes `L`.
    fn run<L: Lanes>(self);
}

/// Runs `kernel` with the widest lanes that this machine has.
pub fn dispatch(kernel: impl Kernel) {
    #[cfg(target_arch = "x86_64")]
    if x86_64::avx2() {
        // SAFETY: the machine has AVX2.
        return unsafe { x86_64::run_avx2(kernel) };
    }
    kernel.run::<Narrow>();
}

/// Lanes of the vectors that [`dispatch`] chooses: what packed weights are laid out for.
pub fn width() -> usize {
    #[cfg(target_arch = "x86_64")]
    if x86_64::avx2() {
        return x86_64::F32x8::N;
    }
    Narrow::N
}

#[cfg(not(any(
    target_arch = "x86_64",
    all(target_arch = "wasm32", target_feature = "simd128")
)))]
use array::F32x4 as Narrow;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use wasm32::F32x4 as Narrow;
#[cfg(target_arch = "x86_64")]
use x86_64::F32x4 as Narrow;

#[cfg_attr(
    any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")),
    cfg(test)
)]
mod array;
#[cfg(test)]
mod tests;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm32;
#[cfg(target_arch = "x86_64")]
mod x86_64;
