//! Four floats in an array: for machines without lanes of their own here. The compiler turns most of it into vectors.

use super::Lanes;

/// Four floats.
#[derive(Clone, Copy)]
pub struct F32x4([f32; 4]);

impl F32x4 {
    #[inline(always)]
    fn zip(self, b: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], b.0[i])))
    }
}

impl Lanes for F32x4 {
    const N: usize = 4;
    type Mask = [bool; 4];

    #[inline(always)]
    fn splat(x: f32) -> Self {
        Self([x; 4])
    }
    #[inline(always)]
    fn load(x: &[f32]) -> Self {
        Self([x[0], x[1], x[2], x[3]])
    }
    #[inline(always)]
    fn store(self, out: &mut [f32]) {
        out[..4].copy_from_slice(&self.0);
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        self.zip(b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        self.zip(b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        self.zip(b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        self.zip(b, |a, b| a / b)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        self.zip(self, |a, _| a.sqrt())
    }
    #[inline(always)]
    fn less(self, b: Self) -> Self::Mask {
        std::array::from_fn(|i| self.0[i] < b.0[i])
    }
    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        Self(std::array::from_fn(|i| if mask[i] { yes.0[i] } else { no.0[i] }))
    }
    #[inline(always)]
    fn at_most(self, b: Self) -> Self {
        self.zip(b, |a, b| if b < a { b } else { a })
    }
    #[inline(always)]
    fn at_least(self, b: Self) -> Self {
        self.zip(b, |a, b| if a < b { b } else { a })
    }
    #[inline(always)]
    fn store_u8(self, out: &mut [u8]) {
        out[..4].copy_from_slice(&self.0.map(|x| x as u8));
    }
}
