//! Where examples come from.

use ndarray::{Array4, Axis};

use crate::error::{Result, bail};
use crate::json::shown;
use crate::rng::Rng;

/// Labelled pictures.
pub trait Dataset: Sync {
    /// How many examples there are.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The class of an example.
    fn label(&self, index: usize) -> usize;

    /// Writes an example as an (H, W, C) tensor; with `rng` a randomly augmented one.
    fn load(&self, index: usize, rng: Option<&mut Rng>, x: &mut [f32]);
}

/// Examples in memory.
#[derive(Clone, Debug)]
pub struct Examples {
    /// Pictures (n, H, W, C).
    pub x: Array4<f32>,
    /// The class of each.
    pub labels: Vec<usize>,
}

impl Dataset for Examples {
    fn len(&self) -> usize {
        self.labels.len().min(self.x.dim().0)
    }

    fn label(&self, index: usize) -> usize {
        self.labels[index]
    }

    fn load(&self, index: usize, _rng: Option<&mut Rng>, x: &mut [f32]) {
        let picture = self.x.index_axis(Axis(0), index);
        x.iter_mut().zip(picture.iter()).for_each(|(to, from)| *to = *from);
    }
}

/// Some of another data set's examples.
pub struct Subset<'a> {
    /// Where they are.
    pub data: &'a dyn Dataset,
    /// Which.
    pub indices: Vec<usize>,
}

impl Dataset for Subset<'_> {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn label(&self, index: usize) -> usize {
        self.data.label(self.indices[index])
    }

    fn load(&self, index: usize, rng: Option<&mut Rng>, x: &mut [f32]) {
        self.data.load(self.indices[index], rng, x);
    }
}

/// Splits a data set in two: a share of `validation_split` of every class, drawn by seed, goes into the second.
pub fn split(data: &dyn Dataset, validation_split: f32, seed: u64) -> Result<[Subset<'_>; 2]> {
    if !(0.0..1.0).contains(&validation_split) {
        let got = shown(validation_split);
        bail!(Argument, "validation_split: expected from 0 to below 1, got {got}");
    }
    let mut order: Vec<usize> = (0..data.len()).collect();
    Rng::new(seed).fork(u64::MAX - 1).shuffle(&mut order);
    order.sort_by_key(|&index| data.label(index));
    let mut parts = [Vec::new(), Vec::new()];
    for class in order.chunk_by(|&a, &b| data.label(a) == data.label(b)) {
        let held_back = (class.len() as f32 * validation_split).round() as usize;
        parts[1].extend_from_slice(&class[..held_back]);
        parts[0].extend_from_slice(&class[held_back..]);
    }
    parts.iter_mut().for_each(|part| part.sort_unstable());
    Ok(parts.map(|indices| Subset { data, indices }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_takes_the_same_share_of_every_class() {
        let labels: Vec<usize> = (0..50).map(|i| usize::from(i >= 30)).collect();
        let data = Examples { x: Array4::zeros((50, 1, 1, 1)), labels };
        let [training, validation] = split(&data, 0.2, 7).unwrap();
        let ones = |part: &Subset| (0..part.len()).filter(|&i| part.label(i) == 1).count();
        assert_eq!((training.len(), ones(&training)), (40, 16));
        assert_eq!((validation.len(), ones(&validation)), (10, 4));
        let mut all = [training.indices, validation.indices].concat();
        all.sort_unstable();
        assert_eq!(all, (0..50).collect::<Vec<_>>());
        assert!(split(&data, 1.0, 7).is_err());
    }
}
