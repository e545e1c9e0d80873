//! The seeded generator behind initial weights, shuffling, dropout and augmentation: the same numbers on every platform.
//!
//! Xoshiro128++ (Blackman and Vigna), seeded by SplitMix64. Four 32-bit words of state suit WebAssembly and fit in a
//! checkpoint; it is fast and well distributed, and it is no source of secrets.
//!
//! ```
//! use convlet::rng::Rng;
//! let mut rng = Rng::new(7);
//! let mut again = Rng::new(7);
//! assert_eq!(rng.uniform(), again.uniform());
//! // Work that may run in any order or on any thread takes a generator of its own.
//! let picture_five = rng.fork(5);
//! assert_eq!(picture_five, again.fork(5));
//! ```

use crate::error::{Result, bail};

/// A small seeded generator. Two with equal state give equal numbers for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rng {
    state: [u32; 4],
}

/// SplitMix64: advances `state` and returns 64 well-mixed bits.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// The generator of `seed`. Neighbouring seeds give unrelated numbers.
    pub fn new(seed: u64) -> Self {
        let mut mixer = seed;
        let (a, b) = (split_mix(&mut mixer), split_mix(&mut mixer));
        // Two successive outputs are never both zero, so neither is the state.
        Self { state: [a as u32, (a >> 32) as u32, b as u32, (b >> 32) as u32] }
    }

    /// An independent generator for `stream`: a pure function of this one's state and of `stream`, leaving this one as
    /// it is. One per picture, say, so that results do not depend on who works on which picture when.
    pub fn fork(&self, stream: u64) -> Self {
        let [a, b, c, d] = self.state.map(u64::from);
        let mut mixer = stream;
        let mixed = split_mix(&mut mixer) ^ (a | b << 32);
        mixer = mixed;
        Self::new(split_mix(&mut mixer) ^ (c | d << 32))
    }

    /// The state, for a checkpoint. See [`Rng::from_state`].
    pub fn state(&self) -> [u32; 4] {
        self.state
    }

    /// The generator that continues from a stored `state`.
    ///
    /// # Errors
    /// `Argument` for the state of all zeros, which no generator reaches.
    pub fn from_state(state: [u32; 4]) -> Result<Self> {
        if state == [0; 4] {
            bail!(Argument, "Rng: expected a state that is not all zeros");
        }
        Ok(Self { state })
    }

    /// 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(7).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 9), d.rotate_left(11)];
        result
    }

    /// Uniform in [0, 1): one of 2^24 equally likely, equally spaced values.
    pub fn uniform(&mut self) -> f32 {
        (self.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    /// Uniform between `low` and `high`; `low` itself where they are equal.
    pub fn uniform_in(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.uniform()
    }

    /// From the normal distribution of mean 0 and standard deviation 1 (Box and Muller).
    pub fn normal(&mut self) -> f32 {
        // 1 - uniform lies in (0, 1], whose logarithm is finite.
        let radius = (-2.0 * libm::logf(1.0 - self.uniform())).sqrt();
        radius * libm::cosf(std::f32::consts::TAU * self.uniform())
    }

    /// Uniform in 0..n, every value equally likely (Lemire's rejection). `n` is from 1 to 2^32 - 1.
    pub fn below(&mut self, n: usize) -> usize {
        debug_assert!(n > 0 && n <= u32::MAX as usize);
        let n = n as u32;
        loop {
            let wide = u64::from(self.next_u32()) * u64::from(n);
            // Of the 2^32 draws, the first 2^32 mod n of each slice are surplus.
            if wide as u32 >= n.wrapping_neg() % n {
                return (wide >> 32) as usize;
            }
        }
    }

    /// Puts `items` into one of their orders, every order equally likely (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs of the authors' C program from the state 1, 2, 3, 4.
    #[test]
    fn is_xoshiro128_plus_plus() {
        let mut rng = Rng::from_state([1, 2, 3, 4]).unwrap();
        let expected = [641, 1_573_767, 3_222_811_527, 3_517_856_514, 836_907_274, 4_247_214_768];
        assert_eq!(expected.map(|_| rng.next_u32()), expected);
        assert!(Rng::from_state([0; 4]).is_err());
    }

    #[test]
    fn continues_from_its_state() {
        let mut rng = Rng::new(3);
        rng.next_u32();
        let mut resumed = Rng::from_state(rng.state()).unwrap();
        assert_eq!(rng.next_u32(), resumed.next_u32());
    }

    #[test]
    fn forks_are_distinct_and_leave_the_parent_alone() {
        let rng = Rng::new(1);
        let mut firsts: Vec<u32> = (0..1000).map(|i| rng.fork(i).next_u32()).collect();
        firsts.sort_unstable();
        firsts.dedup();
        assert!(firsts.len() > 998, "{} of 1000 streams start apart", firsts.len());
        assert_eq!(rng, Rng::new(1));
        assert_ne!(rng.fork(0), Rng::new(2).fork(0));
    }

    #[test]
    fn moments() {
        let mut rng = Rng::new(42);
        let n = 100_000;
        let uniform: Vec<f64> = (0..n).map(|_| f64::from(rng.uniform())).collect();
        let normal: Vec<f64> = (0..n).map(|_| f64::from(rng.normal())).collect();
        let mean = |v: &[f64]| v.iter().sum::<f64>() / n as f64;
        // Five standard errors of each estimate.
        let close = |got: f64, expected: f64, deviation: f64| {
            (got - expected).abs() < 5.0 * deviation / (n as f64).sqrt()
        };
        assert!(uniform.iter().all(|x| (0.0..1.0).contains(x)));
        assert!(close(mean(&uniform), 0.5, (1.0f64 / 12.0).sqrt()));
        assert!(close(mean(&normal), 0.0, 1.0));
        let squares: Vec<f64> = normal.iter().map(|x| x * x).collect();
        assert!(close(mean(&squares), 1.0, 2.0f64.sqrt()));
    }

    #[test]
    fn below_is_even() {
        let mut rng = Rng::new(5);
        let mut counts = [0usize; 7];
        for _ in 0..70_000 {
            counts[rng.below(7)] += 1;
        }
        // Five standard deviations of a count.
        assert!(counts.iter().all(|&c| c.abs_diff(10_000) < 470), "{counts:?}");
        assert_eq!(rng.below(1), 0);
    }

    #[test]
    fn shuffle_gives_every_order() {
        let mut rng = Rng::new(9);
        let mut seen = std::collections::BTreeMap::new();
        for _ in 0..6000 {
            let mut items = [0, 1, 2];
            rng.shuffle(&mut items);
            *seen.entry(items).or_insert(0usize) += 1;
        }
        assert_eq!(seen.len(), 6);
        assert!(seen.values().all(|&c| c.abs_diff(1000) < 150), "{seen:?}");
    }
}
