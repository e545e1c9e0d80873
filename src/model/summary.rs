//! The table that Keras's `summary()` prints.

use super::{Node, product};
use crate::layer::Parameter;

/// One row of a model's summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerSummary {
    /// The layer's own name, which leads its weights' names.
    pub name: String,
    /// What Keras calls such a layer.
    pub class_name: &'static str,
    /// What it puts out for one picture.
    pub output_shape: Vec<usize>,
    /// Weights, trained and fixed.
    pub parameters: usize,
}

pub(super) fn layers(nodes: &[Node], parameters: &[Parameter]) -> Vec<LayerSummary> {
    let summary = |node: &Node| LayerSummary {
        name: node.name.clone(),
        class_name: node.layer.class_name(),
        output_shape: node.output_shape.clone(),
        parameters: parameters[node.parameters.clone()].iter().map(|p| product(&p.shape)).sum(),
    };
    nodes.iter().map(summary).collect()
}

pub(super) fn summary(name: &str, nodes: &[Node], parameters: &[Parameter]) -> String {
    let mut rows = vec![["Layer (type)".into(), "Output Shape".into(), "Param #".into()]];
    for layer in layers(nodes, parameters) {
        let shape: Vec<String> = layer.output_shape.iter().map(usize::to_string).collect();
        rows.push([
            format!("{} ({})", layer.name, layer.class_name),
            format!("(None, {})", shape.join(", ")),
            grouped(layer.parameters),
        ]);
    }
    let width = |i: usize| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0);
    let (first, second, third) = (width(0), width(1), width(2));
    let rule = |left: char, middle: char, right: char| {
        let [a, b, c] = [first, second, third].map(|width| "─".repeat(width + 2));
        format!("{left}{a}{middle}{b}{middle}{c}{right}\n")
    };
    let mut text = format!("Model: \"{name}\"\n{}", rule('┌', '┬', '┐'));
    for (i, [layer, shape, count]) in rows.iter().enumerate() {
        text += &format!("│ {layer:<first$} │ {shape:<second$} │ {count:>third$} │\n");
        if i == 0 {
            text += &rule('├', '┼', '┤');
        }
    }
    text += &rule('└', '┴', '┘');
    let count = |trainable: bool| {
        parameters.iter().filter(|p| p.trainable == trainable).map(|p| product(&p.shape)).sum()
    };
    let (trainable, frozen): (usize, usize) = (count(true), count(false));
    for (label, count) in [
        ("Total params", trainable + frozen),
        ("Trainable params", trainable),
        ("Non-trainable params", frozen),
    ] {
        text += &format!("{label}: {} ({})\n", grouped(count), bytes(count * 4));
    }
    text
}

/// 813217 as `813,217`.
fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(count: usize) -> String {
    let (unit, name) = match count {
        0..1024 => return format!("{count} B"),
        1024..1048576 => (1 << 10, "KB"),
        _ => (1 << 20, "MB"),
    };
    // In whole numbers, halves to the even hundredth, as Python rounds them.
    let (hundredths, rest) = (count as u64 * 100 / unit, count as u64 * 100 % unit);
    let up = rest * 2 > unit || rest * 2 == unit && hundredths % 2 == 1;
    let hundredths = hundredths + u64::from(up);
    format!("{}.{:02} {name}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_rounded_as_python_does() {
        for count in (0..5000).chain([1 << 20, 3_252_868, 13_631_488, u32::MAX as usize]) {
            let expected = match count as f64 / 1024.0 {
                kib if kib < 1.0 => format!("{count} B"),
                kib if kib < 1024.0 => format!("{kib:.2} KB"),
                kib => format!("{:.2} MB", kib / 1024.0),
            };
            assert_eq!(bytes(count), expected);
        }
    }
}
