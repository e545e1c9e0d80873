//! JSON from strangers: like `serde_json::from_str`, but an object that says the same key twice is refused, since two
//! readers of such a file may see two different models, and so is a text of more than [`MAX_JSON`] bytes, since a
//! [`Value`] takes some 40 times the memory of the shortest text for it. serde_json itself caps nesting at 128 levels.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;
use std::fmt;

/// The most bytes of JSON that is read as a [`Value`].
pub(crate) const MAX_JSON: usize = 2 << 20;

/// Parses `text`; the error is serde_json's own, with line and column.
pub(crate) fn parse(text: &str) -> serde_json::Result<Value> {
    if text.len() > MAX_JSON {
        return Err(Error::custom(format!("{} bytes, more than {MAX_JSON}", text.len())));
    }
    serde_json::from_str::<Strict>(text).map(|strict| strict.0)
}

/// Says that `key` stands twice in one object.
pub(crate) fn twice<E: Error>(key: &str) -> E {
    let start: String = key.chars().take(64).collect();
    E::custom(format!("key {start:?} twice in one object"))
}

/// An object of strings that holds no key twice.
#[derive(Default)]
pub(crate) struct Strings(pub BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(StringsVisitor)
    }
}

struct StringsVisitor;

impl<'de> Visitor<'de> for StringsVisitor {
    type Value = Strings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Strings, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((key, value)) = entries.next_entry::<String, String>()? {
            if map.contains_key(&key) {
                return Err(twice(&key));
            }
            map.insert(key, value);
        }
        Ok(Strings(map))
    }
}

/// A [`Value`] none of whose objects holds a key twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = seq.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let Strict(value) = entries.next_value()?;
            if map.contains_key(&key) {
                return Err(twice(&key));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn agrees_with_serde_json() {
        let text =
            r#"{"a": [1, -2, 2.5, "é\n", null, true], "b": {"a": {}}, "c": 18446744073709551615}"#;
        assert_eq!(parse(text).unwrap(), serde_json::from_str::<super::Value>(text).unwrap());
    }

    #[test]
    fn refuses_a_key_said_twice() {
        for text in [r#"{"a": 1, "a": 1}"#, r#"[{"b": {"a": 1, "c": 2, "a": 3}}]"#] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(r#"key "a" twice"#), "{message}");
        }
    }

    #[test]
    fn refuses_a_long_text() {
        let long = format!("[{}1]", "1,".repeat(super::MAX_JSON / 2));
        assert!(parse(&long).unwrap_err().to_string().contains("more than 2097152"));
    }

    #[test]
    fn refuses_deep_nesting() {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
            assert!(parse(&deep).unwrap_err().to_string().contains("recursion limit"));
        }
    }
}
