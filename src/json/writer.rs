//! JSON written as serde_json does, without its generic machinery (and the input and output errors that come with it).

use std::fmt::Write;

use serde_json::Value;

/// A value as JSON, in as few bytes as it takes.
pub(crate) fn write(value: &Value) -> String {
    let mut text = String::new();
    put(value, &mut text);
    text
}

fn put(value: &Value, text: &mut String) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(flag) => text.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => {
            // Writing to a text cannot fail.
            let _ = match (number.as_u64(), number.as_i64()) {
                (Some(whole), _) => write!(text, "{whole}"),
                (_, Some(whole)) => write!(text, "{whole}"),
                _ => text.write_str(&float(number.as_f64().unwrap_or_default())),
            };
        }
        Value::String(string) => put_string(string, text),
        Value::Array(items) => {
            text.push('[');
            for (i, item) in items.iter().enumerate() {
                text.push_str(if i > 0 { "," } else { "" });
                put(item, text);
            }
            text.push(']');
        }
        Value::Object(map) => {
            text.push('{');
            for (i, (key, value)) in map.iter().enumerate() {
                text.push_str(if i > 0 { "," } else { "" });
                put_string(key, text);
                text.push(':');
                put(value, text);
            }
            text.push('}');
        }
    }
}

fn put_string(string: &str, text: &mut String) {
    text.push('"');
    for char in string.chars() {
        match char {
            '"' | '\\' => text.extend(['\\', char]),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\0'..' ' => {
                let _ = write!(text, "\\u{:04x}", u32::from(char));
            }
            _ => text.push(char),
        }
    }
    text.push('"');
}

/// A finite number in the fewest digits that give the same number again.
pub(crate) fn float(number: impl zmij::Float) -> String {
    zmij::Buffer::new().format_finite(number).into()
}

#[cfg(test)]
mod tests {
    use super::{float, write};
    use serde_json::{Value, json};

    #[test]
    fn writes_what_serde_json_does() {
        let all: String = (0..0x250).chain(0x1f600..0x1f610).filter_map(char::from_u32).collect();
        let numbers = [0.1, -0.0, 1.0, 1e-7, 1.5e300, 5e-324, 123456789012345680.0, 0.1_f32.into()];
        let value = json!({
            "numbers": numbers, "wholes": [0, 1, u64::MAX, i64::MIN, -1], "text": all, all: [],
            "nested": [[], {}, [null, true, false], {"a": {"b": [1, {"c": "d"}]}}],
        });
        assert_eq!(write(&value), value.to_string());
        assert_eq!(write(&Value::Null), "null");
        assert_eq!((float(0.1_f32), float(0.003921569_f32)), ("0.1".into(), "0.003921569".into()));
    }
}
