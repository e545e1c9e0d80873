//! The examples: pictures as bytes at the network's input size, and what the frozen layers make of them.

use crate::augment::{Augment, Transform};
use crate::image::Input;
use crate::rng::Rng;
use crate::train::Dataset;

/// One labelled picture.
#[derive(Clone, Debug)]
pub struct Sample {
    /// (H, W, C), 0 to 255.
    pub pixels: Vec<u8>,
    /// The class.
    pub label: usize,
    /// Held back from training, to measure on.
    pub validation: bool,
    /// What the frozen layers make of the picture and of its variants, one after the other; empty until computed.
    pub features: Vec<f32>,
    /// What its pixels hash to: variants are drawn by it, so that they stay the same wherever the picture stands.
    pub fingerprint: u64,
}

impl Sample {
    pub fn new(pixels: Vec<u8>, label: usize, validation: bool) -> Self {
        let fingerprint = hash(FNV, pixels.iter().copied());
        Self { pixels, label, validation, features: Vec::new(), fingerprint }
    }

    /// Writes the picture as the network's input, changed by `transform`.
    pub fn write(&self, input: &Input, transform: &Transform, x: &mut [f32]) {
        let levels = self.pixels.iter().map(|&level| f32::from(level) * input.rescale);
        if *transform == Transform::IDENTITY {
            return x.iter_mut().zip(levels).for_each(|(x, level)| *x = level);
        }
        let levels: Vec<f32> = levels.collect();
        let Input { height, width, channels, rescale, .. } = *input;
        transform.apply(&levels, [height, width, channels], 255.0 * rescale, [height, width], x);
    }

    /// What happens to variant `number` of the picture: nothing to the first; every other one is mirrored, if any is.
    pub fn variant(&self, number: usize, augment: &Augment, seed: u64) -> Transform {
        if number == 0 {
            return Transform::IDENTITY;
        }
        let mut rng = Rng::new(seed).fork(self.fingerprint).fork(number as u64);
        let drawn = augment.draw(&mut rng);
        Transform { horizontal_flip: augment.horizontal_flip && number % 2 == 1, ..drawn }
    }
}

/// Some of the samples, as a training reads them.
pub struct Part<'a> {
    pub samples: &'a [Sample],
    pub indices: &'a [usize],
    pub input: &'a Input,
    pub augment: &'a Augment,
    /// Whether the features are read instead of the pictures.
    pub cached: bool,
}

impl Part<'_> {
    fn sample(&self, index: usize) -> &Sample {
        &self.samples[self.indices[index]]
    }
}

impl Dataset for Part<'_> {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn label(&self, index: usize) -> usize {
        self.sample(index).label
    }

    fn load(&self, index: usize, rng: Option<&mut Rng>, x: &mut [f32]) {
        let sample = self.sample(index);
        if self.cached {
            let variants = sample.features.len() / x.len();
            let variant = rng.map_or(0, |rng| rng.below(variants));
            return x.copy_from_slice(&sample.features[variant * x.len()..][..x.len()]);
        }
        let transform = rng.map_or(Transform::IDENTITY, |rng| self.augment.draw(rng));
        sample.write(self.input, &transform, x);
    }
}

/// Where [`hash`] begins.
pub const FNV: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a (Fowler, Noll and Vo).
pub fn hash(start: u64, bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes
        .into_iter()
        .fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
