//! Structs as JSON objects under their fields' names: what serde's derive does, by a tenth of its wasm.

use serde_json::Value;

use super::{Map, Read, short, shown};

/// What stands in a field.
pub(crate) trait Field: Sized {
    /// Reads it; the error says what was expected and what came.
    fn read(value: &Value) -> Read<Self>;

    /// Null where there is nothing to write.
    fn write(&self) -> Value;
}

/// A struct of such fields.
pub(crate) trait Record {
    /// The fields that an object of its own has to have.
    const REQUIRED: &[&str];

    /// Puts what an object has in place of what is here; a key that is no field's is refused.
    fn update(&mut self, value: &Value) -> Read<()>;

    /// All fields, null where there is nothing.
    fn to_map(&self) -> Map;
}

/// Makes a [`Record`] of the struct by naming its fields, and those without which none is read.
macro_rules! record {
    ($record:ty { $($field:ident),* $(,)? } $(requires $($required:ident),*)?) => {
        impl $crate::json::Record for $record {
            const REQUIRED: &[&str] = &[$($(stringify!($required)),*)?];

            fn update(&mut self, value: &serde_json::Value) -> $crate::json::Read<()> {
                $crate::json::fields::entries(value, &mut |key, value| match key {
                    $(stringify!($field) => $crate::json::Field::read(value).map(|value| self.$field = value),)*
                    _ => Err(format!("expected one of {}", [$(stringify!($field)),*].join(", "))),
                })
            }

            fn to_map(&self) -> $crate::json::Map {
                let Self { $($field),* } = self;
                $crate::json::from_entries(vec![$((stringify!($field), $crate::json::Field::write($field))),*])
            }
        }
    };
}
pub(crate) use record;

/// Hands each entry of an object to `take`, whose errors it completes.
pub(crate) fn entries(value: &Value, take: &mut dyn FnMut(&str, &Value) -> Read<()>) -> Read<()> {
    let Value::Object(map) = value else { return Err(expected("an object", value)) };
    map.iter().try_for_each(|(key, value)| {
        take(key, value).map_err(|error| format!("{}: {error}", shown(key).trim_matches('"')))
    })
}

/// Makes a [`Field`] of an enum by the names of its variants.
macro_rules! names {
    ($enum:ty { $($variant:ident: $name:literal),* $(,)? }) => {
        impl $crate::json::Field for $enum {
            fn read(value: &serde_json::Value) -> $crate::json::Read<Self> {
                match value.as_str() {
                    $(Some($name) => Ok(Self::$variant),)*
                    _ => Err($crate::json::fields::expected_one(&[$($name),*], value)),
                }
            }

            fn write(&self) -> serde_json::Value {
                match self {
                    $(Self::$variant => $name,)*
                }
                .into()
            }
        }
    };
}
pub(crate) use names;

#[cold]
pub(crate) fn expected_one(names: &[&str], value: &Value) -> String {
    let (last, others) = names.split_last().unwrap_or((&"", &[]));
    expected(&format!("{} or {last}", others.join(", ")), value)
}

#[cold]
fn expected(what: &str, value: &Value) -> String {
    format!("expected {what}, got {}", shown(value))
}

impl<T: Record + Default> Field for T {
    fn read(value: &Value) -> Read<Self> {
        let mut record = T::default();
        record.update(value)?;
        match T::REQUIRED.iter().find(|&&key| value.get(key).is_none()) {
            Some(missing) => Err(format!("{missing}: expected one, got none")),
            None => Ok(record),
        }
    }

    fn write(&self) -> Value {
        self.to_map().into()
    }
}

impl Field for f32 {
    fn read(value: &Value) -> Read<Self> {
        let number = value.as_f64().map(|number| number as f32).filter(|number| number.is_finite());
        number.ok_or_else(|| expected("a number that 32 bits hold", value))
    }

    fn write(&self) -> Value {
        short(*self)
    }
}

impl Field for u64 {
    fn read(value: &Value) -> Read<Self> {
        value.as_u64().ok_or_else(|| expected("a whole number", value))
    }

    fn write(&self) -> Value {
        (*self).into()
    }
}

/// Whole numbers of fewer bits.
macro_rules! whole {
    ($($whole:ty),*) => {$(
        impl Field for $whole {
            fn read(value: &Value) -> Read<Self> {
                u64::read(value)?.try_into().map_err(|_| expected("a whole number of fewer bits", value))
            }

            fn write(&self) -> Value {
                (*self).into()
            }
        }
    )*};
}
whole!(u32, usize);

impl Field for bool {
    fn read(value: &Value) -> Read<Self> {
        value.as_bool().ok_or_else(|| expected("true or false", value))
    }

    fn write(&self) -> Value {
        (*self).into()
    }
}

impl<T: Field> Field for Option<T> {
    fn read(value: &Value) -> Read<Self> {
        match value {
            Value::Null => Ok(None),
            some => T::read(some).map(Some),
        }
    }

    fn write(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::write)
    }
}

impl<T: Field> Field for Vec<T> {
    fn read(value: &Value) -> Read<Self> {
        let Value::Array(items) = value else { return Err(expected("a list", value)) };
        items.iter().map(T::read).collect()
    }

    fn write(&self) -> Value {
        self.iter().map(T::write).collect()
    }
}

/// The lowest and the highest.
impl Field for [f32; 2] {
    fn read(value: &Value) -> Read<Self> {
        Vec::read(value)
            .ok()
            .and_then(|range| range.try_into().ok())
            .ok_or_else(|| expected("two numbers", value))
    }

    fn write(&self) -> Value {
        self.map(short).into()
    }
}

#[cfg(test)]
mod tests {
    use super::{Field, Record, Value};
    use serde_json::json;

    #[derive(Clone, Copy, Debug, Default, PartialEq)]
    enum Colour {
        #[default]
        Red,
        DarkBlue,
    }
    names!(Colour { Red: "red", DarkBlue: "dark_blue" });

    #[derive(Debug, Default, PartialEq)]
    struct Inner {
        range: [f32; 2],
        colour: Colour,
    }
    record!(Inner { range, colour });

    #[derive(Debug, Default, PartialEq)]
    struct Outer {
        rate: f32,
        count: usize,
        seed: u32,
        flag: bool,
        maybe: Option<u64>,
        inner: Inner,
        list: Vec<u32>,
    }
    record!(Outer { rate, count, seed, flag, maybe, inner, list } requires rate, count);

    fn filled() -> Outer {
        Outer {
            rate: 0.1,
            count: 3,
            seed: u32::MAX,
            flag: true,
            maybe: Some(u64::MAX),
            inner: Inner { range: [-1.5, 2.0], colour: Colour::DarkBlue },
            list: vec![1, 2],
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for outer in [Outer::default(), filled()] {
            assert_eq!(Outer::read(&outer.write()), Ok(outer));
        }
        assert_eq!(Outer::default().to_map()["maybe"], Value::Null);
        assert_eq!(
            filled().to_map()["inner"],
            json!({"range": [-1.5, 2.0], "colour": "dark_blue"})
        );
    }

    #[test]
    fn an_update_leaves_what_is_not_named() {
        let mut outer = filled();
        outer.update(&json!({"count": 4, "maybe": null, "inner": {"colour": "red"}})).unwrap();
        // What stands within is read as a whole.
        assert_eq!(outer, Outer { count: 4, maybe: None, inner: Inner::default(), ..filled() });
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let cases: [(Value, &str); 13] = [
            (json!(1), "expected an object, got 1"),
            (
                json!({"speed": 1}),
                "speed: expected one of rate, count, seed, flag, maybe, inner, list",
            ),
            (json!({"a\u{202e}b": 1}), "a\\u{202e}b: expected one of rate, count"),
            (json!({"rate": 1}), "count: expected one, got none"),
            (json!({"rate": "fast"}), "rate: expected a number that 32 bits hold, got \"fast\""),
            (json!({"rate": 1e39}), "rate: expected a number that 32 bits hold, got 1e+39"),
            (json!({"count": 1.5}), "count: expected a whole number, got 1.5"),
            (json!({"count": -1}), "count: expected a whole number, got -1"),
            (
                json!({"seed": 1_u64 << 32}),
                "seed: expected a whole number of fewer bits, got 4294967296",
            ),
            (json!({"flag": 0}), "flag: expected true or false, got 0"),
            (json!({"inner": {"range": [1]}}), "inner: range: expected two numbers, got [1]"),
            (
                json!({"inner": {"colour": "pink"}}),
                "inner: colour: expected red or dark_blue, got \"pink\"",
            ),
            (json!({"list": [true]}), "list: expected a whole number, got true"),
        ];
        for (value, message) in cases {
            let error = Outer::read(&value).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
