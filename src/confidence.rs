//! How far to trust an answer: probabilities that mean what they say, and pictures that are none of the classes.
//!
//! A *temperature* (Guo et al. 2017) divides the logits; fitted on pictures that the network was not trained on, it makes
//! of a confidence of 0.9 an answer that is right nine times in ten.
//!
//! *Unfamiliarity* says how unlike the training pictures a picture is. The last layers see little but what tells the
//! classes apart; earlier ones see surfaces and parts, of whatever picture. So it adds two things, each in standard
//! deviations over the training pictures: how far the features at several depths are from theirs (the logarithm of the
//! Mahalanobis distance, as Lee et al. 2018, of the logarithms of the channels' means), and how much less certain the
//! answer is. About 0 for what the network knows; above a threshold, the answer is 'none of these'.
//!
//! In a model file: metadata `confidence`, JSON `{"temperature": .., "threshold": .., "certainty": RANGE, "layers":
//! [{"name": .., "distance": RANGE}, ..]}`, a RANGE being `[mean, deviation]`; for each layer the tensors
//! `confidence/NAME/mean` (channels) and `confidence/NAME/whitening` (channels, channels), lower triangular.

use libm::{expf, logf};
use serde_json::{Map, Value};

use crate::error::{Result, bail};
use crate::file::{ModelFile, Weight};
use crate::json::{self, object, shown};

mod familiarity;

use familiarity::{Cloud, Range};
pub use familiarity::{Familiarity, MAX_CHANNELS, describe};

const KEY: &str = "confidence";
/// More layers than anyone needs to watch.
const MAX_LAYERS: usize = 64;

/// What a model file may say about its confidence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Confidence {
    /// What logits are divided by; none is 1.
    pub temperature: Option<f32>,
    /// What the training pictures were like.
    pub familiarity: Option<Familiarity>,
}

impl Confidence {
    /// Takes what a file says out of it, so that only the network's weights remain.
    ///
    /// # Errors
    /// File: numbers out of range, tensors missing or of another shape.
    pub fn take_from(file: &mut ModelFile) -> Result<Self> {
        let Some(text) = file.metadata.remove(KEY) else { return Ok(Self::default()) };
        let stated = match json::parse(&text) {
            Ok(Value::Object(stated)) => stated,
            Ok(_) => bail!(File, "{KEY}: expected a JSON object, got other JSON"),
            Err(error) => bail!(File, "{KEY}: {error}"),
        };
        let temperature = number(&stated, "temperature")?;
        if let Some(value) = temperature.filter(|value| *value <= 0.0) {
            bail!(File, "{KEY}: temperature: expected a number above 0, got {}", shown(value));
        }
        let familiarity = match number(&stated, "threshold")? {
            None => None,
            Some(threshold) => Some(Familiarity {
                clouds: clouds(&stated, file)?,
                certainty: range(&stated, "certainty")?,
                threshold,
            }),
        };
        Ok(Self { temperature, familiarity })
    }

    /// Writes it into a file: the counterpart of [`Self::take_from`].
    pub fn put_into(&self, file: &mut ModelFile) {
        let mut stated = Map::new();
        if let Some(temperature) = self.temperature {
            stated.insert("temperature".into(), temperature.into());
        }
        if let Some(Familiarity { clouds, certainty, threshold }) = &self.familiarity {
            let pair = |range: &Range| Value::from([range.mean, range.deviation]);
            let layer =
                |cloud: &Cloud| object! {"name": &*cloud.layer, "distance": pair(&cloud.distance)};
            stated.insert("threshold".into(), (*threshold).into());
            stated.insert("certainty".into(), pair(certainty));
            stated.insert("layers".into(), clouds.iter().map(layer).map(Value::from).collect());
            for Cloud { layer, mean, whitening, .. } in clouds {
                let d = mean.len();
                let tensor = |name: &str, shape, values: &[f32]| Weight {
                    name: format!("{KEY}/{layer}/{name}"),
                    shape,
                    values: values.to_vec(),
                };
                file.weights.push(tensor("mean", vec![d], mean));
                file.weights.push(tensor("whitening", vec![d, d], whitening));
            }
        }
        if !stated.is_empty() {
            file.metadata.insert(KEY.into(), json::write(&stated.into()));
        }
    }

    /// Turns probabilities, one a label, into those at the temperature.
    pub fn temper(&self, probabilities: &mut [f32]) {
        let Some(temperature) = self.temperature else { return };
        // Led by the largest, which stays 1: no temperature makes all of them vanish.
        let largest = probabilities.iter().fold(f32::MIN_POSITIVE, |max, &p| max.max(p));
        probabilities.iter_mut().for_each(|p| *p = expf(logf(*p / largest) / temperature));
        let sum: f32 = probabilities.iter().sum();
        probabilities.iter_mut().for_each(|p| *p /= sum);
    }
}

/// A finite number, or none.
fn number(stated: &Map<String, Value>, key: &str) -> Result<Option<f32>> {
    match stated.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_f64().map(|number| number as f32) {
            Some(number) if number.is_finite() => Ok(Some(number)),
            _ => bail!(File, "{KEY}: {key}: expected a number, got {}", shown(value)),
        },
    }
}

fn range(stated: &Map<String, Value>, key: &str) -> Result<Range> {
    let pair = stated.get(key).and_then(Value::as_array).map_or(&[][..], |pair| pair);
    let number = |i: usize| pair.get(i).and_then(Value::as_f64).map(|number| number as f32);
    match (number(0), number(1)) {
        (Some(mean), Some(deviation)) if mean.is_finite() && deviation > 0.0 => {
            Ok(Range { mean, deviation })
        }
        _ => bail!(File, "{KEY}: {key}: expected a mean and a deviation above 0"),
    }
}

/// What the file says of each layer.
fn clouds(stated: &Map<String, Value>, file: &mut ModelFile) -> Result<Vec<Cloud>> {
    let layers = stated.get("layers").and_then(Value::as_array).map_or(&[][..], |layers| layers);
    if layers.len() > MAX_LAYERS {
        bail!(File, "{KEY}: expected at most {MAX_LAYERS} layers, got {}", layers.len());
    }
    let mut take = |name: String| {
        let found = file.weights.iter().position(|weight| weight.name == name);
        found.map(|i| file.weights.remove(i))
    };
    let mut cloud = |layer: &Value| {
        let (Some(object), Some(name)) =
            (layer.as_object(), layer.get("name").and_then(Value::as_str))
        else {
            bail!(File, "{KEY}: expected layers with a name, got {}", shown(layer));
        };
        let distance = range(object, "distance")?;
        let mean = take(format!("{KEY}/{name}/mean"));
        let whitening = take(format!("{KEY}/{name}/whitening"));
        let (Some(mean), Some(whitening)) = (mean, whitening) else {
            bail!(
                File,
                "{KEY}: expected tensors \"{KEY}/{name}/mean\" and \"{KEY}/{name}/whitening\""
            );
        };
        let d = mean.values.len();
        if mean.shape != [d] || whitening.shape != [d, d] || !(1..=MAX_CHANNELS).contains(&d) {
            bail!(
                File,
                "{KEY}: {name}: expected a mean (d) and a whitening (d, d) of at most {MAX_CHANNELS} \
                 channels, got {:?} and {:?}",
                mean.shape,
                whitening.shape
            );
        }
        let (mean, whitening) = (mean.values, whitening.values);
        Ok(Cloud { layer: name.into(), mean, whitening, distance })
    };
    layers.iter().map(&mut cloud).collect()
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
