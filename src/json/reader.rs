//! JSON read piece by piece, by a fraction of the wasm that serde_json's generic machinery and core's exact reading of
//! numbers come to (19 kB with gzip).

use super::{Map, shown};
use serde_json::Value;
use std::str::Chars;

/// How deep lists and objects may nest: serde_json's own cap.
const MAX_DEPTH: usize = 127;

/// What came, or where the text is not as expected and why.
pub(crate) type Read<T> = Result<T, String>;

/// A JSON text, and how far it has been read.
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// `trouble`, and where.
    #[cold]
    pub fn trouble(&self, trouble: &str) -> String {
        let before = &self.text.as_bytes()[..self.at];
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
        format!("{trouble} at line {line} column {column}")
    }

    /// The error for JSON of another type than `expected`.
    #[cold]
    fn other(&mut self, expected: &str) -> String {
        let got = match self.peek() {
            None => return self.trouble("EOF"),
            Some(b'{') => "an object".to_string(),
            Some(b'[') => "a list".to_string(),
            Some(b'"') => "a string".to_string(),
            Some(_) => match self.value() {
                Ok(value) => shown(&value),
                Err(error) => return error,
            },
        };
        self.trouble(&format!("invalid type: {got}, expected {expected}"))
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        self.at +=
            rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.text.as_bytes().get(self.at).copied()
    }

    /// Steps over `byte`, if it is next.
    fn skip(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Whether `close` ends a list or object; else the comma before its next part, unless that is the first, was there.
    fn ends(&mut self, close: u8, is_first: bool) -> Read<bool> {
        if self.skip(close) {
            self.depth -= 1;
            return Ok(true);
        }
        match is_first || self.skip(b',') {
            true => Ok(false),
            false => Err(self.unexpected(&format!("expected , or {}", char::from(close)))),
        }
    }

    fn open(&mut self, byte: u8, expected: &str) -> Read<()> {
        if !self.skip(byte) {
            return Err(self.other(expected));
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.trouble("recursion limit exceeded"));
        }
        Ok(())
    }

    #[cold]
    fn unexpected(&mut self, expected: &str) -> String {
        match self.peek() {
            None => self.trouble("EOF"),
            Some(_) => self.trouble(expected),
        }
    }

    /// Nothing may follow.
    pub fn end(&mut self) -> Read<()> {
        self.peek().map_or(Ok(()), |_| Err(self.trouble("trailing characters")))
    }

    /// An object; `entry` is given each key and reads its value.
    pub fn object(
        &mut self,
        expected: &str,
        entry: &mut dyn FnMut(&mut Self, String) -> Read<()>,
    ) -> Read<()> {
        self.open(b'{', expected)?;
        let mut is_first = true;
        while !self.ends(b'}', is_first)? {
            is_first = false;
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("expected a key"));
            }
            let key = self.string("a key")?;
            if !self.skip(b':') {
                return Err(self.unexpected("expected :"));
            }
            entry(self, key)?;
        }
        Ok(())
    }

    /// A list; `item` reads each of its values.
    pub fn list(
        &mut self,
        expected: &str,
        item: &mut dyn FnMut(&mut Self) -> Read<()>,
    ) -> Read<()> {
        self.open(b'[', expected)?;
        let mut is_first = true;
        while !self.ends(b']', is_first)? {
            is_first = false;
            item(self)?;
        }
        Ok(())
    }

    /// A string.
    pub fn string(&mut self, expected: &str) -> Read<String> {
        if self.peek() != Some(b'"') {
            return Err(self.other(expected));
        }
        let start = self.at;
        let bytes = self.text.as_bytes();
        let (mut end, mut is_plain) = (start + 1, true);
        loop {
            match bytes.get(end) {
                None => {
                    self.at = end.min(bytes.len());
                    return Err(self.trouble("EOF in a string"));
                }
                Some(b'"') => break,
                Some(b'\\') => {
                    is_plain = false;
                    end += 2;
                }
                Some(0..32) => {
                    self.at = end;
                    return Err(self.trouble("control character in a string"));
                }
                Some(_) => end += 1,
            }
        }
        self.at = end + 1;
        // Quotes are no part of any other character, so the text between is whole.
        let within = self.text.get(start + 1..end).unwrap_or_default();
        if is_plain {
            return Ok(within.into());
        }
        let string = unescaped(within);
        string.ok_or_else(|| self.trouble("invalid escape in a string"))
    }

    /// A whole number from 0 up.
    pub fn size(&mut self) -> Read<usize> {
        let start = self.at;
        let value = match self.peek() {
            Some(b'0'..=b'9' | b'-') => self.value()?,
            _ => return Err(self.other("a whole number")),
        };
        let size = value.as_u64().and_then(|size| usize::try_from(size).ok());
        let kind = if value.is_f64() { "type" } else { "value" };
        size.ok_or_else(|| {
            self.at = start;
            self.trouble(&format!("invalid {kind}: {}, expected a whole number", shown(value)))
        })
    }

    /// Anything. An object that says a key twice is refused.
    pub fn value(&mut self) -> Read<Value> {
        match self.peek() {
            Some(b'{') => {
                let mut map = Map::new();
                self.object("an object", &mut |reader, key| {
                    if map.contains_key(&key) {
                        return Err(reader.trouble(&super::twice(&key)));
                    }
                    map.insert(key, reader.value()?);
                    Ok(())
                })?;
                Ok(Value::Object(map))
            }
            Some(b'[') => {
                let mut values = Vec::new();
                self.list("a list", &mut |reader| {
                    values.push(reader.value()?);
                    Ok(())
                })?;
                Ok(Value::Array(values))
            }
            Some(b'"') => self.string("a string").map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            None => Err(self.trouble("EOF")),
            Some(_) => self.word(),
        }
    }

    fn number(&mut self) -> Read<Value> {
        match number(&self.text.as_bytes()[self.at..]) {
            Some((value, len)) => {
                self.at += len;
                Ok(value)
            }
            None => Err(self.trouble("invalid number")),
        }
    }

    fn word(&mut self) -> Read<Value> {
        let words = [("null", Value::Null), ("true", true.into()), ("false", false.into())];
        for (word, value) in words {
            if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.trouble("expected value"))
    }
}

/// The number that `text` starts with, and its length. With a point, an exponent or more than 64 bits it is an f64: the
/// nearest one to some 15 digits, one close by beyond.
fn number(text: &[u8]) -> Option<(Value, usize)> {
    let digits = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let start = usize::from(text.first() == Some(&b'-'));
    let whole = digits(start);
    if whole == 0 || (whole > 1 && text[start] == b'0') {
        return None;
    }
    let mut end = start + whole;
    let fraction = if text.get(end) == Some(&b'.') { digits(end + 1) } else { 0 };
    if text.get(end) == Some(&b'.') {
        end += 1 + fraction;
        if fraction == 0 {
            return None;
        }
    }
    let (mut significand, mut beyond) = (0_u64, 0);
    for digit in text[start..end].iter().filter(|&&byte| byte != b'.') {
        let more = significand.checked_mul(10).and_then(|s| s.checked_add(u64::from(digit - b'0')));
        match more {
            Some(more) if beyond == 0 => significand = more,
            _ => beyond += 1,
        }
    }
    let mut power = beyond - fraction as i32;
    let mut is_whole = fraction == 0 && beyond == 0;
    if let Some(b'e' | b'E') = text.get(end) {
        let sign = text.get(end + 1).filter(|byte| matches!(byte, b'+' | b'-'));
        let from = end + 1 + usize::from(sign.is_some());
        let len = text.get(from).map_or(0, |_| digits(from));
        if len == 0 {
            return None;
        }
        end = from + len;
        let add =
            |sum: i32, digit: &u8| sum.saturating_mul(10).saturating_add((digit - b'0').into());
        let exponent = text[from..end].iter().fold(0, add);
        power = power.saturating_add(if sign == Some(&b'-') { -exponent } else { exponent });
        is_whole = false;
    }
    let value = match (is_whole, start) {
        (true, 0) => significand.into(),
        (true, _) if (1..=1 << 63).contains(&significand) => {
            (significand as i64).wrapping_neg().into()
        }
        _ => {
            let size = scaled(significand as f64, power);
            Value::from(if start == 0 { size } else { -size })
        }
    };
    // What is larger than any f64 came out as null.
    (!value.is_null()).then_some((value, end))
}

/// Ten to the 1, 2, 4 and so on.
const POWERS: [f64; 9] = [1e1, 1e2, 1e4, 1e8, 1e16, 1e32, 1e64, 1e128, 1e256];

/// `x` times ten to the `power`.
fn scaled(mut x: f64, power: i32) -> f64 {
    // From 0 to infinity there are 700 powers, and a step each way must stay finite.
    let mut rest = power.unsigned_abs().min(1000);
    while rest > 0 {
        let step = rest.min(308);
        let bits = POWERS.iter().enumerate().filter(|(bit, _)| step >> bit & 1 == 1);
        let factor = bits.fold(1.0, |product, (_, power)| product * power);
        x = if power < 0 { x / factor } else { x * factor };
        rest -= step;
    }
    x
}

/// What a string's text stands for.
fn unescaped(text: &str) -> Option<String> {
    let mut string = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        string.push(match char {
            '\\' => match chars.next()? {
                same @ ('"' | '\\' | '/') => same,
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => code_point(&mut chars)?,
                _ => return None,
            },
            plain => plain,
        });
    }
    Some(string)
}

/// The character behind `\u`: four digits, or twice four for one beyond 16 bits (a surrogate pair).
fn code_point(chars: &mut Chars) -> Option<char> {
    let unit = four_digits(chars)?;
    if !(0xd800..0xdc00).contains(&unit) {
        return char::from_u32(unit);
    }
    let low = match (chars.next()?, chars.next()?) {
        ('\\', 'u') => four_digits(chars)?,
        _ => return None,
    };
    let low = low.checked_sub(0xdc00).filter(|&low| low < 0x400)?;
    char::from_u32(0x10000 + ((unit - 0xd800) << 10) + low)
}

fn four_digits(chars: &mut Chars) -> Option<u32> {
    (0..4).try_fold(0, |value, _| Some(value * 16 + chars.next()?.to_digit(16)?))
}
