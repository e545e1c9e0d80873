//! How far to trust an answer: probabilities that mean what they say, and pictures that are none of the classes.
//!
//! A *temperature* (Guo et al. 2017) divides the logits; fitted on pictures that the network was not trained on, it makes
//! of a confidence of 0.9 an answer that is right nine times in ten. *Unfamiliarity* is the squared Mahalanobis distance
//! of a picture's features (what the last layer with weights reads) from those of the training pictures, a feature's
//! share of it (Lee et al. 2018): about 1 for what the network knows, more for what it does not. Above a threshold, the
//! answer is 'none of these'.
//!
//! In a model file: metadata `confidence`, JSON `{"temperature": .., "threshold": ..}`, and with a threshold the tensors
//! `confidence/mean` (d) and `confidence/whitening` (d, d), lower triangular.

use crate::error::{Result, bail, shown};
use crate::file::{ModelFile, Weight};
use crate::json;
use serde_json::Value;

/// The most features whose covariance is kept: it takes their square.
pub const MAX_FEATURES: usize = 512;

const KEY: &str = "confidence";
const MEAN: &str = "confidence/mean";
const WHITENING: &str = "confidence/whitening";

/// What a model file may say about its confidence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Confidence {
    /// What logits are divided by; none is 1.
    pub temperature: Option<f32>,
    /// What the training pictures were like.
    pub familiarity: Option<Familiarity>,
}

/// The distribution of a network's features over its training pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct Familiarity {
    mean: Vec<f32>,
    /// The inverse of the covariance's Cholesky factor, (d, d) row by row, zero above the diagonal.
    whitening: Vec<f32>,
    /// The largest unfamiliarity of a picture that is still one of the classes.
    pub threshold: f32,
}

impl Confidence {
    /// Takes what a file says out of it, so that only the network's weights remain.
    ///
    /// # Errors
    /// File: numbers out of range, tensors missing or of another shape.
    pub fn take_from(file: &mut ModelFile) -> Result<Self> {
        let mut take = |name: &str| {
            let found = file.weights.iter().position(|weight| weight.name == name);
            found.map(|i| file.weights.remove(i))
        };
        let (mean, whitening) = (take(MEAN), take(WHITENING));
        let Some(text) = file.metadata.remove(KEY) else { return Ok(Self::default()) };
        let stated = match json::parse(&text) {
            Ok(Value::Object(stated)) => stated,
            Ok(_) => bail!(File, "{KEY}: expected a JSON object, got other JSON"),
            Err(error) => bail!(File, "{KEY}: {error}"),
        };
        let number = |key: &str| match stated.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_f64() {
                Some(number) => Ok(Some(number as f32)),
                None => bail!(File, "{KEY}: {key}: expected a number, got {value}"),
            },
        };
        let (temperature, threshold) = (number("temperature")?, number("threshold")?);
        for (name, value) in [("temperature", temperature), ("threshold", threshold)] {
            if let Some(value) = value.filter(|value| !(*value > 0.0 && value.is_finite())) {
                bail!(File, "{KEY}: {name}: expected a number above 0, got {}", shown(value));
            }
        }
        let familiarity = match (threshold, mean, whitening) {
            (None, _, _) => None,
            (Some(threshold), Some(mean), Some(whitening)) => {
                let d = mean.values.len();
                if mean.shape != [d]
                    || whitening.shape != [d, d]
                    || !(1..=MAX_FEATURES).contains(&d)
                {
                    bail!(
                        File,
                        "{KEY}: expected a mean (d) and a whitening (d, d) of at most {MAX_FEATURES} \
                         features, got {:?} and {:?}",
                        mean.shape,
                        whitening.shape
                    );
                }
                Some(Familiarity { mean: mean.values, whitening: whitening.values, threshold })
            }
            _ => bail!(File, "{KEY}: expected tensors {MEAN:?} and {WHITENING:?} with a threshold"),
        };
        Ok(Self { temperature, familiarity })
    }

    /// Writes it into a file: the counterpart of [`Self::take_from`].
    pub fn put_into(&self, file: &mut ModelFile) {
        let threshold = self.familiarity.as_ref().map(|familiarity| familiarity.threshold);
        let stated = [("temperature", self.temperature), ("threshold", threshold)];
        // A number cannot fail to be written.
        let entry = |(key, number): &(&str, Option<f32>)| {
            number.map(|x| format!("\"{key}\":{}", serde_json::to_string(&x).unwrap_or_default()))
        };
        let entries: Vec<String> = stated.iter().filter_map(entry).collect();
        if entries.is_empty() {
            return;
        }
        file.metadata.insert(KEY.into(), format!("{{{}}}", entries.join(",")));
        if let Some(Familiarity { mean, whitening, .. }) = &self.familiarity {
            let d = mean.len();
            let tensor = |name: &str, shape, values: &[f32]| Weight {
                name: name.into(),
                shape,
                values: values.to_vec(),
            };
            file.weights.push(tensor(MEAN, vec![d], mean));
            file.weights.push(tensor(WHITENING, vec![d, d], whitening));
        }
    }

    /// Turns probabilities, one a label, into those at the temperature.
    pub fn temper(&self, probabilities: &mut [f32]) {
        let Some(temperature) = self.temperature else { return };
        let power = 1.0 / temperature;
        // Led by the largest, whose power is 1: no temperature makes all of them vanish.
        let largest = probabilities.iter().fold(f32::MIN_POSITIVE, |max, &p| max.max(p));
        probabilities.iter_mut().for_each(|p| *p = libm::powf(*p / largest, power));
        let sum: f32 = probabilities.iter().sum();
        probabilities.iter_mut().for_each(|p| *p /= sum);
    }
}

impl Familiarity {
    /// Learns the distribution from `features`, (n, d) in a row. The covariance is shrunk towards a sphere by one part
    /// in a hundred, so that features that never change do no harm.
    ///
    /// # Errors
    /// Data: fewer than two pictures. Argument: more than [`MAX_FEATURES`] features.
    pub fn fit(features: &[f32], d: usize) -> Result<Self> {
        if !(1..=MAX_FEATURES).contains(&d) {
            bail!(Argument, "familiarity: expected 1 to {MAX_FEATURES} features, got {d}");
        }
        let rows = || features.chunks_exact(d);
        let n = rows().len();
        if n < 2 {
            bail!(Data, "familiarity: expected the features of two pictures or more, got {n}");
        }
        let mut mean = vec![0.0; d];
        rows().for_each(|row| mean.iter_mut().zip(row).for_each(|(m, x)| *m += f64::from(*x)));
        mean.iter_mut().for_each(|m| *m /= n as f64);
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
        covariance.iter_mut().for_each(|v| *v /= n as f64);
        let sphere = (0..d).map(|i| covariance[i * d + i]).sum::<f64>() / d as f64;
        for (i, line) in covariance.chunks_exact_mut(d).enumerate() {
            line.iter_mut().for_each(|v| *v *= 0.99);
            line[i] += 0.01 * sphere + f64::MIN_POSITIVE.sqrt();
        }
        cholesky(&mut covariance, d);
        let whitening = invert_triangle(&covariance, d);
        let narrow = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
        Ok(Self { mean: narrow(mean), whitening: narrow(whitening), threshold: f32::MAX })
    }

    /// How many features there are.
    pub fn features(&self) -> usize {
        self.mean.len()
    }

    /// How far a picture's features lie from what was learnt; a NaN or other length is infinitely far.
    pub fn unfamiliarity(&self, features: &[f32]) -> f32 {
        let d = self.mean.len();
        let mut sum = 0.0;
        for (i, row) in self.whitening.chunks_exact(d).enumerate() {
            let terms = row[..=i].iter().zip(features).zip(&self.mean);
            let projected: f32 = terms.map(|((w, x), m)| w * (x - m)).sum();
            sum += projected * projected;
        }
        let distance = sum / d as f32;
        if features.len() == d && !distance.is_nan() { distance } else { f32::INFINITY }
    }

    /// Whether a picture of these features is none of the classes.
    pub fn refuses(&self, features: &[f32]) -> bool {
        self.unfamiliarity(features) > self.threshold
    }
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

/// The temperature at which probabilities (n, classes), one a label, have the lowest mean log loss for `labels`.
pub fn fit_temperature(classes: usize, probabilities: &[f32], labels: &[usize]) -> f32 {
    let loss = |log: f64| {
        let confidence =
            Confidence { temperature: Some(libm::exp(log) as f32), ..Confidence::default() };
        let mut row = vec![0.0; classes];
        let rows = probabilities.chunks_exact(classes).zip(labels);
        rows.map(|(p, &label)| {
            row.copy_from_slice(p);
            confidence.temper(&mut row);
            -libm::log(f64::from(row[label].max(1e-30)))
        })
        .sum::<f64>()
    };
    // Golden section: the loss has one valley, and no temperature is far from 1.
    let ratio = (5f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (-3.0, 3.0);
    for _ in 0..40 {
        let (a, b) = (high - ratio * (high - low), low + ratio * (high - low));
        if loss(a) < loss(b) { high = b } else { low = a }
    }
    libm::exp((low + high) / 2.0) as f32
}

/// The expected calibration error (Naeini et al. 2015): answers sorted by confidence into `bins` of equal width, the
/// distance of each bin's mean confidence from its share of right answers, weighted by its size.
pub fn expected_calibration_error(answers: &[(f32, bool)], bins: usize) -> f32 {
    let mut sums = vec![(0.0_f64, 0_usize); bins.max(1)];
    for &(confidence, correct) in answers {
        let bin = (confidence * bins as f32) as usize;
        let sum = &mut sums[bin.min(bins - 1)];
        // Their difference is all that counts.
        sum.0 += f64::from(confidence) - f64::from(u8::from(correct));
        sum.1 += 1;
    }
    let distance: f64 = sums.iter().map(|(difference, _)| difference.abs()).sum();
    (distance / answers.len().max(1) as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// n points of two features with the given deviations and correlation.
    fn cloud(n: usize, rng: &mut Rng) -> Vec<f32> {
        (0..n)
            .flat_map(|_| {
                let (a, b) = (rng.normal(), rng.normal());
                [3.0 + 2.0 * a, -1.0 + 0.5 * (0.8 * a + 0.6 * b)]
            })
            .collect()
    }

    #[test]
    fn unfamiliarity_is_about_one_inside_and_large_outside() {
        let familiarity = Familiarity::fit(&cloud(5000, &mut Rng::new(1)), 2).unwrap();
        let other = cloud(1000, &mut Rng::new(2));
        let mean: f32 = other.chunks(2).map(|x| familiarity.unfamiliarity(x)).sum::<f32>() / 1000.0;
        assert!((mean - 1.0).abs() < 0.1, "{mean}");
        // Within either range, against their correlation.
        assert!(familiarity.unfamiliarity(&[6.0, -2.0]) > 5.0);
        assert_eq!(familiarity.unfamiliarity(&[f32::NAN, 0.0]), f32::INFINITY);
        assert_eq!(familiarity.unfamiliarity(&[0.0]), f32::INFINITY);
        assert!(Familiarity::fit(&[1.0, 2.0], 2).is_err());
    }

    #[test]
    fn a_feature_that_never_changes_does_no_harm() {
        let features: Vec<f32> = (0..100).flat_map(|i| [i as f32, 7.0]).collect();
        let familiarity = Familiarity::fit(&features, 2).unwrap();
        assert!(familiarity.unfamiliarity(&[50.0, 7.0]) < 1.0);
        assert!(familiarity.unfamiliarity(&[50.0, 90.0]).is_finite());
    }

    /// Answers that are right as often as their confidence says, but say it `t` times too loudly.
    fn loud(t: f32) -> (Vec<f32>, Vec<usize>) {
        let mut rng = Rng::new(3);
        let mut probabilities = Vec::new();
        let mut labels = Vec::new();
        for _ in 0..20_000 {
            let logit = 2.0 * rng.normal();
            let sigmoid = |z: f32| 1.0 / (1.0 + (-z).exp());
            labels.push(usize::from(rng.uniform() < sigmoid(logit)));
            let p = sigmoid(logit * t);
            probabilities.extend([1.0 - p, p]);
        }
        (probabilities, labels)
    }

    fn error(probabilities: &[f32], labels: &[usize]) -> f32 {
        let answers: Vec<(f32, bool)> = probabilities
            .chunks(2)
            .zip(labels)
            .map(|(p, &label)| (p[0].max(p[1]), p[label] >= 0.5))
            .collect();
        expected_calibration_error(&answers, 15)
    }

    #[test]
    fn temperature_undoes_loudness() {
        let (mut probabilities, labels) = loud(2.5);
        let temperature = fit_temperature(2, &probabilities, &labels);
        assert!((temperature - 2.5).abs() < 0.1, "{temperature}");
        assert!(error(&probabilities, &labels) > 0.05);
        let confidence = Confidence { temperature: Some(temperature), ..Confidence::default() };
        probabilities.chunks_mut(2).for_each(|p| confidence.temper(p));
        assert!(error(&probabilities, &labels) < 0.015);
    }

    #[test]
    fn calibration_error_of_known_answers() {
        let answers = [(0.95, true), (0.95, false), (0.55, true), (1.0, true)];
        // 0.95, 0.95 and 1.0 share the last of 10 bins: |2.9 - 2|; 0.55: |0.55 - 1|.
        assert!((expected_calibration_error(&answers, 10) - (0.9 + 0.45) / 4.0).abs() < 1e-6);
        assert_eq!(expected_calibration_error(&[], 15), 0.0);
    }
}
