//! How weights are kept in a file: as they are, at half precision, or as eight-bit whole numbers.

use safetensors::tensor::Dtype;

use super::Weight;
use crate::error::{Result, bail};
use crate::json::shown;

/// What a file's weights are rounded to. Biases, statistics and scales, small as they are, stay F32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// F32: exactly.
    #[default]
    F32,
    /// F16: 2 bytes a weight, to 11 bits.
    F16,
    /// I8: 1 byte a kernel's weight, in steps of the 127th part of its output channel's largest; a tensor `NAME.scale`
    /// holds the steps. Whatever else has two or more dimensions is kept as F16.
    Int8,
}

/// The tensor beside an I8 one that holds its channels' steps.
pub(super) const SCALE: &str = ".scale";

/// One tensor as it is written.
pub(super) struct Stored {
    pub name: String,
    pub shape: Vec<usize>,
    pub dtype: Dtype,
    pub bytes: Vec<u8>,
}

impl Stored {
    fn new(name: &str, shape: &[usize], dtype: Dtype, bytes: Vec<u8>) -> Self {
        Self { name: name.into(), shape: shape.into(), dtype, bytes }
    }
}

/// A weight as its file keeps it.
pub(super) fn store(weight: &Weight, storage: Storage) -> Result<Vec<Stored>> {
    let Weight { name, shape, values } = weight;
    let wide = |name: &str, shape: &[usize], values: &[f32]| {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Stored::new(name, shape, Dtype::F32, bytes)
    };
    if storage == Storage::F32 || shape.len() < 2 {
        return Ok(vec![wide(name, shape, values)]);
    }
    if storage == Storage::Int8 && name.ends_with("kernel") {
        let (steps, levels) = quantize(shape, values);
        let bytes = levels.into_iter().map(|level| level as u8).collect();
        let scale = wide(&format!("{name}{SCALE}"), &[steps.len()], &steps);
        return Ok(vec![Stored::new(name, shape, Dtype::I8, bytes), scale]);
    }
    let mut bytes = Vec::with_capacity(values.len() * 2);
    for &value in values {
        let half = f32_to_f16(value);
        if f16_to_f32(half).is_infinite() {
            bail!(
                File,
                "tensor {name}: expected numbers that F16 holds, up to 65504, got {}",
                shown(value),
                name = shown(name)
            );
        }
        bytes.extend(half.to_le_bytes());
    }
    Ok(vec![Stored::new(name, shape, Dtype::F16, bytes)])
}

/// How many channels a kernel has: its last axis, or the one before for a depthwise (KH, KW, C, 1).
fn channels(shape: &[usize]) -> usize {
    match shape {
        [_, _, c, 1] => *c,
        [.., c] => *c,
        [] => 1,
    }
}

/// Each channel's step, and each weight in steps. Channels are the fastest axis.
fn quantize(shape: &[usize], values: &[f32]) -> (Vec<f32>, Vec<i8>) {
    let channels = channels(shape).max(1);
    let mut steps = vec![0.0_f32; channels];
    for row in values.chunks(channels) {
        steps.iter_mut().zip(row).for_each(|(step, value)| *step = step.max(value.abs() / 127.0));
    }
    let level = |(i, value): (usize, &f32)| match steps[i % channels] {
        0.0 => 0,
        step => (value / step).round() as i8,
    };
    let levels = values.iter().enumerate().map(level).collect();
    (steps, levels)
}

/// Turns levels, read as numbers, back into weights: the inverse of [`quantize`].
pub(super) fn dequantize(weight: &mut Weight, steps: &Weight) -> Result<()> {
    let channels = channels(&weight.shape);
    if steps.shape != [channels] {
        bail!(
            File,
            "tensor {}: expected shape [{channels}], got {:?}",
            shown(&steps.name),
            steps.shape
        );
    }
    let steps = steps.values.iter().cycle();
    weight.values.iter_mut().zip(steps).for_each(|(value, step)| *value *= step);
    Ok(())
}

/// IEEE 754 half precision: 1 bit sign, 5 bits exponent (bias 15), 10 bits fraction.
pub(super) fn f16_to_f32(bits: u16) -> f32 {
    let (exponent, fraction) = (bits >> 10 & 31, bits & 1023);
    let magnitude = match exponent {
        0 => f32::from(fraction) / (1 << 24) as f32,
        31 if fraction == 0 => f32::INFINITY,
        31 => f32::NAN,
        _ => f32::from_bits((u32::from(exponent) + 112) << 23 | u32::from(fraction) << 13),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

/// The nearest half, of two equally near the even one; infinity beyond the largest.
fn f32_to_f16(value: f32) -> u16 {
    let sign = (value.to_bits() >> 16 & 0x8000) as u16;
    let magnitude = value.abs();
    if magnitude.is_nan() {
        return sign | 0x7e00;
    }
    // Below the smallest normal half the steps are all 2^-24; adding and taking away 2^-1 (whose own step that is)
    // rounds to them. Above, the step is the 13th bit of the fraction.
    let bits = if magnitude < 2.0_f32.powi(-14) {
        ((magnitude + 0.5) - 0.5) * (1 << 24) as f32
    } else {
        let bits = magnitude.to_bits();
        let rounded = bits + 0xfff + (bits >> 13 & 1);
        ((rounded >> 13) as f32 - (112 << 10) as f32).min(0x7c00 as f32)
    };
    sign | bits as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_ieee_754() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x0001, 2.0_f32.powi(-24)),
            (0x03ff, 1023.0 * 2.0_f32.powi(-24)),
            (0x0400, 2.0_f32.powi(-14)),
            (0x3555, 0.333_251_95),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0xfc00, f32::NEG_INFINITY),
        ] {
            assert_eq!(f16_to_f32(bits), value, "{bits:#06x}");
        }
        assert!(f16_to_f32(0x7e00).is_nan());
        assert!(f16_to_f32(0x8000).is_sign_negative());
        // Between zero and infinity the bits count upwards, and so must the values.
        for bits in 0..0x7c00 {
            assert!(f16_to_f32(bits) < f16_to_f32(bits + 1), "{bits:#06x}");
        }
    }

    #[test]
    fn rounding_to_half_takes_the_nearest_and_the_even() {
        for bits in (0..=0x7c00_u16).chain(0x8000..=0xfc00) {
            assert_eq!(f32_to_f16(f16_to_f32(bits)), bits, "{bits:#06x}");
        }
        assert!(f16_to_f32(f32_to_f16(f32::NAN)).is_nan());
        for bits in 0..0x7bff_u16 {
            let (low, high) = (f64::from(f16_to_f32(bits)), f64::from(f16_to_f32(bits + 1)));
            let middle = ((low + high) / 2.0) as f32;
            let even = bits + (bits & 1);
            assert_eq!(f32_to_f16(middle), even, "{bits:#06x}");
            assert_eq!(f32_to_f16(middle.next_down()), bits);
            assert_eq!(f32_to_f16(middle.next_up()), bits + 1);
        }
        assert_eq!(f32_to_f16(65520.0), 0x7c00);
        assert_eq!(f32_to_f16(1e30), 0x7c00);
    }

    #[test]
    fn levels_are_within_half_a_step_of_their_channel() {
        for shape in [vec![3, 4], vec![2, 2, 3, 1]] {
            let values: Vec<f32> = (0..12).map(|i| (i as f32 - 5.0) * 0.37).collect();
            let (steps, levels) = quantize(&shape, &values);
            let channels = steps.len();
            assert_eq!(channels, if shape.len() == 2 { 4 } else { 3 });
            for (i, (value, level)) in values.iter().zip(&levels).enumerate() {
                let step = steps[i % channels];
                assert!((value - f32::from(*level) * step).abs() <= step * 0.5001);
            }
        }
        assert_eq!(quantize(&[2, 1], &[0.0, 0.0]), (vec![0.0], vec![0; 2]));
    }
}
