//! How unlike the pictures a network knows another one is.

use crate::error::{Result, bail};
use crate::model::Model;

/// The most channels of a layer whose covariance is kept: it takes their square.
pub const MAX_CHANNELS: usize = 512;
/// What certainty counts beside the distances' mean (`convlet calibrate --unlike`: 0.5 to 1 are about as good).
const CERTAINTY: f32 = 0.75;

/// What the training pictures were like, in layers of several depths and in the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Familiarity {
    pub(super) clouds: Vec<Cloud>,
    /// Of the answer's log-odds.
    pub(super) certainty: Range,
    /// The largest unfamiliarity of a picture that is still one of the classes.
    pub threshold: f32,
}

/// A Gaussian around a layer's features of the training pictures.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cloud {
    pub layer: String,
    /// A channel each.
    pub mean: Vec<f32>,
    /// The inverse of the covariance's Cholesky factor, (d, d) row by row, zero above the diagonal.
    pub whitening: Vec<f32>,
    /// Of the logarithm of the distance from the mean.
    pub distance: Range,
}

/// Where the training pictures are on a scale.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Range {
    pub mean: f32,
    pub deviation: f32,
}

impl Range {
    fn of(values: &[f32]) -> Self {
        let n = values.len().max(1) as f64;
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let square = |&x: &f32| (f64::from(x) - mean) * (f64::from(x) - mean);
        let variance = values.iter().map(square).sum::<f64>() / n;
        Self { mean: mean as f32, deviation: variance.sqrt().max(1e-6) as f32 }
    }

    /// How many deviations above the mean.
    fn standard(self, value: f32) -> f32 {
        (value - self.mean) / self.deviation
    }
}

/// What [`Familiarity`] goes by in the last picture that `model` made `probabilities` of: for each layer watched the
/// logarithm of each channel's mean over all places, and at the end the answer's log-odds.
pub fn describe(model: &Model, probabilities: &[f32], features: &mut Vec<f32>) {
    for (output, channels) in model.watched() {
        let from = features.len();
        features.resize(from + channels, 0.0);
        let means = &mut features[from..];
        for place in output.chunks_exact(channels) {
            means.iter_mut().zip(place).for_each(|(mean, x)| *mean += x);
        }
        let places = (output.len() / channels) as f32;
        means.iter_mut().for_each(|mean| *mean = libm::logf((*mean / places).max(0.0) + 1e-3));
    }
    let certain = probabilities.iter().fold(0.0_f32, |max, &p| max.max(p)).clamp(1e-6, 1.0 - 1e-6);
    features.push(libm::logf(certain / (1.0 - certain)));
}

impl Familiarity {
    /// Learns from what [`describe`] makes of the training pictures, one row each; `layers` are those watched, with their
    /// channels.
    ///
    /// # Errors
    /// Data: fewer than two pictures. Argument: a layer of no channels, or of more than [`MAX_CHANNELS`].
    pub fn fit(layers: &[(String, usize)], features: &[f32]) -> Result<Self> {
        let width = layers.iter().map(|(_, channels)| channels).sum::<usize>() + 1;
        let n = features.len() / width;
        if n < 2 {
            bail!(Data, "familiarity: expected the features of two pictures or more, got {n}");
        }
        let mut from = 0;
        let mut clouds = Vec::with_capacity(layers.len());
        for (layer, channels) in layers {
            if !(1..=MAX_CHANNELS).contains(channels) {
                bail!(
                    Argument,
                    "familiarity: {layer}: expected 1 to {MAX_CHANNELS} channels, got {channels}"
                );
            }
            let rows = || features.chunks_exact(width).map(|row| &row[from..from + channels]);
            let (mean, whitening) = whitening(rows, *channels);
            let distance = Range::default();
            let mut cloud = Cloud { layer: layer.clone(), mean, whitening, distance };
            cloud.distance = Range::of(&rows().map(|row| cloud.distance(row)).collect::<Vec<_>>());
            clouds.push(cloud);
            from += channels;
        }
        let certainty: Vec<f32> = features.chunks_exact(width).map(|row| row[width - 1]).collect();
        Ok(Self { clouds, certainty: Range::of(&certainty), threshold: f32::MAX })
    }

    /// The layers to be watched, and their channels.
    pub fn layers(&self) -> impl Iterator<Item = (&str, usize)> {
        self.clouds.iter().map(|cloud| (cloud.layer.as_str(), cloud.mean.len()))
    }

    /// How far a picture's [`describe`]d features lie from what was learnt; what is not a number, or not as long as it
    /// should be, is infinitely far.
    pub fn unfamiliarity(&self, features: &[f32]) -> f32 {
        let width = self.clouds.iter().map(|cloud| cloud.mean.len()).sum::<usize>() + 1;
        if features.len() != width {
            return f32::INFINITY;
        }
        let mut rest = features;
        let mut distances = 0.0;
        for cloud in &self.clouds {
            let (own, others) = rest.split_at(cloud.mean.len());
            distances += cloud.distance.standard(cloud.distance(own));
            rest = others;
        }
        let distance = distances / self.clouds.len().max(1) as f32;
        let far = distance - CERTAINTY * self.certainty.standard(rest[0]);
        if far.is_nan() { f32::INFINITY } else { far }
    }
}

impl Cloud {
    /// The logarithm of the squared Mahalanobis distance from the mean, a channel's share of it.
    fn distance(&self, features: &[f32]) -> f32 {
        let d = self.mean.len();
        let mut sum = 0.0;
        for (i, row) in self.whitening.chunks_exact(d).enumerate() {
            let terms = row[..=i].iter().zip(features).zip(&self.mean);
            let projected: f32 = terms.map(|((w, x), m)| w * (x - m)).sum();
            sum += projected * projected;
        }
        libm::logf(sum / d as f32 + f32::MIN_POSITIVE)
    }
}

/// The mean of `rows`, and the inverse of their covariance's Cholesky factor. The covariance is shrunk towards a sphere by
/// one part in a hundred, so that features that never change do no harm.
fn whitening<'a, I: Iterator<Item = &'a [f32]>>(
    rows: impl Fn() -> I,
    d: usize,
) -> (Vec<f32>, Vec<f32>) {
    let n = rows().count() as f64;
    let mut mean = vec![0.0; d];
    rows().for_each(|row| mean.iter_mut().zip(row).for_each(|(m, x)| *m += f64::from(*x)));
    mean.iter_mut().for_each(|m| *m /= n);
    let mut covariance = vec![0.0; d * d];
    let mut centred = vec![0.0; d];
    for row in rows() {
        for ((c, x), m) in centred.iter_mut().zip(row).zip(&mean) {
            *c = f64::from(*x) - m;
        }
        for (i, line) in covariance.chunks_exact_mut(d).enumerate() {
            line[..=i].iter_mut().zip(&centred).for_each(|(v, c)| *v += centred[i] * c);
        }
    }
    covariance.iter_mut().for_each(|v| *v /= n);
    let sphere = (0..d).map(|i| covariance[i * d + i]).sum::<f64>() / d as f64;
    for (i, line) in covariance.chunks_exact_mut(d).enumerate() {
        line.iter_mut().for_each(|v| *v *= 0.99);
        line[i] += 0.01 * sphere + f64::MIN_POSITIVE.sqrt();
    }
    cholesky(&mut covariance, d);
    let narrow = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
    (narrow(mean), narrow(invert_triangle(&covariance, d)))
}

/// Overwrites the lower triangle of a positive definite matrix with its Cholesky factor.
fn cholesky(a: &mut [f64], d: usize) {
    for i in 0..d {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| a[i * d + k] * a[j * d + k]).sum();
            let rest = a[i * d + j] - dot;
            a[i * d + j] =
                if i == j { rest.max(f64::MIN_POSITIVE).sqrt() } else { rest / a[j * d + j] };
        }
    }
}

/// The inverse of a lower triangular matrix.
fn invert_triangle(l: &[f64], d: usize) -> Vec<f64> {
    let mut inverse = vec![0.0; d * d];
    for j in 0..d {
        for i in j..d {
            let unit = if i == j { 1.0 } else { 0.0 };
            let dot: f64 = (j..i).map(|k| l[i * d + k] * inverse[k * d + j]).sum();
            inverse[i * d + j] = (unit - dot) / l[i * d + i];
        }
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// n pictures: two features of one layer with the given deviations and correlation, and a certainty about 4.
    fn pictures(n: usize, rng: &mut Rng) -> Vec<f32> {
        (0..n)
            .flat_map(|_| {
                let (a, b) = (rng.normal(), rng.normal());
                [3.0 + 2.0 * a, -1.0 + 0.5 * (0.8 * a + 0.6 * b), 4.0 + rng.normal()]
            })
            .collect()
    }

    fn fitted() -> Familiarity {
        Familiarity::fit(&[("conv".into(), 2)], &pictures(5000, &mut Rng::new(1))).unwrap()
    }

    #[test]
    fn unfamiliarity_is_about_zero_inside_and_large_outside() {
        let familiarity = fitted();
        let other = pictures(1000, &mut Rng::new(2));
        let mean: f32 = other.chunks(3).map(|x| familiarity.unfamiliarity(x)).sum::<f32>() / 1000.0;
        assert!(mean.abs() < 0.1, "{mean}");
        let usual = familiarity.unfamiliarity(&[4.0, -0.8, 4.0]);
        // Within either range, against their correlation.
        assert!(familiarity.unfamiliarity(&[6.0, -2.0, 4.0]) > usual + 1.5);
        // Usual, but with no certain answer.
        assert!(familiarity.unfamiliarity(&[4.0, -0.8, 1.0]) > usual + 2.1);
        assert_eq!(familiarity.unfamiliarity(&[f32::NAN, 0.0, 4.0]), f32::INFINITY);
        assert_eq!(familiarity.unfamiliarity(&[0.0, 4.0]), f32::INFINITY);
    }

    #[test]
    fn what_cannot_be_learnt_is_an_error() {
        let layers = [("conv".to_string(), 2)];
        assert!(Familiarity::fit(&layers, &[1.0, 2.0, 3.0]).is_err());
        let wide = [("conv".to_string(), MAX_CHANNELS + 1)];
        assert!(Familiarity::fit(&wide, &vec![0.0; 2 * (MAX_CHANNELS + 2)]).is_err());
    }

    #[test]
    fn a_feature_that_never_changes_does_no_harm() {
        let features: Vec<f32> = (0..100).flat_map(|i| [i as f32, 7.0, 4.0]).collect();
        let familiarity = Familiarity::fit(&[("conv".into(), 2)], &features).unwrap();
        assert!(familiarity.unfamiliarity(&[60.0, 7.0, 4.0]) < 1.0);
        assert!(familiarity.unfamiliarity(&[50.0, 90.0, 4.0]).is_finite());
    }
}
