//! JSON read, written and shown, into and out of serde_json's [`Value`]. It comes from strangers: an object that says the
//! same key twice is refused, since two readers of such a file may see two different models, and so is a text of more than
//! [`MAX_JSON`] bytes, since a [`Value`] takes some 40 times the memory of the shortest text for it.

#[cfg(feature = "train")]
pub(crate) mod fields;
mod reader;
mod shown;
mod writer;

#[cfg(feature = "train")]
pub(crate) use fields::{Field, Record, names, record};
pub(crate) use reader::{Read, Reader};
use serde_json::Value;
pub(crate) use shown::shown;
pub(crate) use writer::{float, write};

/// A JSON object.
pub(crate) type Map = serde_json::Map<String, Value>;

/// The most bytes of JSON that is read as a [`Value`].
pub(crate) const MAX_JSON: usize = 2 << 20;

/// Parses `text`; the error says line and column.
pub(crate) fn parse(text: &str) -> Read<Value> {
    if text.len() > MAX_JSON {
        return Err(format!("{} bytes, more than {MAX_JSON}", text.len()));
    }
    let mut reader = Reader::new(text);
    let value = reader.value()?;
    reader.end()?;
    Ok(value)
}

/// The number of an f32's shortest digits, which give the same f32 again; null where it is none.
pub(crate) fn short(number: f32) -> Value {
    match number.is_finite() {
        true => parse(&float(number)).unwrap_or_default(),
        false => Value::Null,
    }
}

/// Says that `key` stands twice in one object.
pub(crate) fn twice(key: &str) -> String {
    format!("key {} twice in one object", shown(key))
}

/// An object of `entries`, in their order.
pub(crate) fn from_entries(entries: Vec<(&str, Value)>) -> Map {
    let mut map = Map::new();
    for (key, value) in entries {
        map.insert(key.into(), value);
    }
    map
}

/// A [`Map`] of keys and values: what `json!` makes, by far less code.
macro_rules! object {
    ($($key:literal: $value:expr),* $(,)?) => {
        $crate::json::from_entries(vec![$(($key, serde_json::Value::from($value))),*])
    };
}
pub(crate) use object;

/// An object of one of Keras's classes, as Keras writes it.
pub(crate) fn keras_object(module: &str, class_name: &str, config: Map) -> Value {
    let object = object! {
        "module": module,
        "class_name": class_name,
        "config": config,
        "registered_name": Value::Null,
    };
    object.into()
}

/// Names of which none is there twice, each with its place in a list. A JSON object does the work: std's maps would come
/// into the wasm beside it.
#[derive(Default)]
pub(crate) struct Places(Map);

impl Places {
    /// Whether `name` is new, and then takes `place`.
    pub fn insert(&mut self, name: &str, place: usize) -> bool {
        let is_new = !self.0.contains_key(name);
        if is_new {
            self.0.insert(name.into(), place.into());
        }
        is_new
    }

    /// The place of `name`.
    pub fn get(&self, name: &str) -> Option<usize> {
        self.0.get(name).and_then(Value::as_u64).map(|place| place as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::{parse, short};
    use crate::rng::Rng;

    #[test]
    fn agrees_with_serde_json() {
        let text =
            r#"{"a": [1, -2, 2.5, "é\n", null, true], "b": {"a": {}}, "c": 18446744073709551615}"#;
        assert_eq!(parse(text).unwrap(), serde_json::from_str::<super::Value>(text).unwrap());
    }

    #[test]
    fn takes_and_refuses_what_serde_json_does() {
        for text in [
            "",
            " ",
            "nul",
            "nulll",
            "tru",
            "-",
            "01",
            "-0",
            "1.",
            ".5",
            "+1",
            "1e",
            "1e5",
            "1E-7",
            "-1.5e+300",
            "1e400",
            "1-2",
            "9007199254740993",
            "1.0000000116860974e-7",
            "\"a",
            "\"\\\"",
            "\"\\\"\"",
            "\"\\\\\"",
            "\"\\u00e9\\ud83d\\ude00\"",
            "\"\\udc00\"",
            "\"\\ud83dx\"",
            "\"\\ud83d\\n\"",
            "\"\\ud83d\\u0041\"",
            "\"\\ud83d\\ue000\"",
            "\"\\u00e\"",
            "\"\\/\\b\\f\\r\\t\"",
            "\"\\u+123\"",
            "\"\\ud83d\"",
            "\"\\x\"",
            "\"a\nb\"",
            "[",
            "]",
            "[1",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[1]]",
            "{",
            "}",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":1,}",
            "{a:1}",
            "{1:1}",
            "{\"a\" 1}",
            "{\"a\":1 \"b\":2}",
            " [ { } , [ ] , true , false , null ] ",
            "\u{a0}1",
            "\u{feff}1",
            "\"é\u{7f}\"",
            "NaN",
            "Infinity",
        ] {
            let theirs = serde_json::from_str::<super::Value>(text);
            assert_eq!(parse(text).ok(), theirs.ok(), "{text}");
        }
    }

    #[test]
    fn reads_numbers() {
        let mut rng = Rng::new(0);
        let mut exact = 0;
        for _ in 0..20_000 {
            let digits = 1 + rng.below(20);
            let mut text: String =
                (0..digits).map(|_| char::from(b'0' + rng.below(10) as u8)).collect();
            text.insert(rng.below(digits), '.');
            let text = format!(
                "{}{text}e{}",
                if text.starts_with('.') { "0" } else { "1" },
                rng.below(600) as i32 - 310
            );
            let expected: f64 = text.parse().unwrap();
            match parse(&text) {
                Ok(value) => {
                    let got = value.as_f64().unwrap();
                    exact += usize::from(got == expected);
                    assert!(
                        got.to_bits().abs_diff(expected.to_bits()) <= 4,
                        "{text}: {got:e}, not {expected:e}"
                    );
                }
                Err(_) => assert!(expected > 1e308, "{text}"),
            }
        }
        assert!(exact > 8_000, "{exact} of 20000 to the last bit");
    }

    #[test]
    fn short_numbers_are_exact() {
        for digits in (0..1_000_000_000_u64).step_by(999_983) {
            for power in -22..=22 {
                let text = format!("{digits}e{power}");
                assert_eq!(parse(&text).unwrap().as_f64(), text.parse().ok(), "{text}");
            }
        }
        for whole in [0, 1, u64::MAX, 1 << 53] {
            assert_eq!(parse(&whole.to_string()), Ok(whole.into()));
        }
        for whole in [-1, i64::MIN, i64::MIN + 1] {
            assert_eq!(parse(&whole.to_string()), Ok(whole.into()));
        }
        assert_eq!(parse("18446744073709551616"), Ok((u64::MAX as f64).into()));
        for bits in (0..=u32::MAX).step_by(99_991) {
            let number = f32::from_bits(bits);
            let short = short(number).as_f64().map(|x| (x as f32).to_bits());
            assert_eq!(short, number.is_finite().then_some(bits), "{number}");
        }
        assert_eq!(parse(&format!("1{}e-5000", "0".repeat(5000))), Ok(1.0.into()));
    }

    #[test]
    fn says_where() {
        assert_eq!(parse("{\"a\":\n [1, x]}").unwrap_err(), "expected value at line 2 column 6");
        assert_eq!(parse("[1 2]").unwrap_err(), "expected , or ] at line 1 column 4");
    }

    #[test]
    fn refuses_a_key_said_twice() {
        for text in [r#"{"a": 1, "a": 1}"#, r#"[{"b": {"a": 1, "c": 2, "a": 3}}]"#] {
            let message = parse(text).unwrap_err();
            assert!(message.contains(r#"key "a" twice"#), "{message}");
        }
    }

    #[test]
    fn refuses_a_long_text() {
        let long = format!("[{}1]", "1,".repeat(super::MAX_JSON / 2));
        assert!(parse(&long).unwrap_err().contains("more than 2097152"));
    }

    #[test]
    fn refuses_deep_nesting() {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
            assert!(parse(&deep).unwrap_err().contains("recursion limit"));
        }
    }
}
