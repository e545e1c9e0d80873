//! What came, as messages show it: a text in quotes, JSON, a number; cut where it is long, what is unseen by its number.
//! Core's `{:?}` has its own way of that, by tables of Unicode that come to 4 kB of wasm.

use serde_json::Value;

use super::writer::{float, write};

/// The most characters that are shown.
const MOST: usize = 100;

/// `what` as messages show it.
pub(crate) fn shown(what: impl Shown) -> String {
    what.shown()
}

pub(crate) trait Shown {
    fn shown(&self) -> String;
}

impl Shown for Value {
    fn shown(&self) -> String {
        excerpt(&write(self))
    }
}

impl Shown for str {
    fn shown(&self) -> String {
        // What is cut off anyway need not be copied.
        let start: String = self.chars().take(MOST).collect();
        excerpt(&write(&start.into()))
    }
}

impl Shown for String {
    fn shown(&self) -> String {
        self.as_str().shown()
    }
}

impl Shown for f32 {
    fn shown(&self) -> String {
        if !self.is_finite() {
            let sign = if *self < 0.0 { "-" } else { "" };
            return if self.is_nan() { "NaN".into() } else { format!("{sign}inf") };
        }
        let text = float(*self);
        text.strip_suffix(".0").unwrap_or(&text).into()
    }
}

impl<T: Shown + ?Sized> Shown for &T {
    fn shown(&self) -> String {
        T::shown(self)
    }
}

fn excerpt(text: &str) -> String {
    let mut start = String::new();
    for (i, char) in text.chars().enumerate() {
        if i == MOST {
            start.push_str("...");
            break;
        }
        match is_unseen(char) {
            true => start.extend(char.escape_unicode()),
            false => start.push(char),
        }
    }
    start
}

/// Controls, and what has no width or turns the direction of writing; not all that looks like a space.
fn is_unseen(char: char) -> bool {
    let unseen = ['\u{ad}', '\u{61c}', '\u{180e}', '\u{3164}', '\u{feff}', '\u{ffa0}'];
    char.is_control()
        || unseen.contains(&char)
        || matches!(char, '\u{115f}'..='\u{1160}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(char, '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{fff9}'..='\u{fffb}')
        || matches!(char, '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::{MOST, shown};
    use serde_json::json;

    #[test]
    fn numbers() {
        let numbers = [0.1, -2.0, 1e-7, 1e30, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        assert_eq!(numbers.map(shown).join(" "), "0.1 -2 1e-7 1e+30 NaN inf -inf");
    }

    #[test]
    fn texts_and_json() {
        assert_eq!(shown("a \"b\"\n"), r#""a \"b\"\n""#);
        assert_eq!(
            shown("\u{7f}\u{202e}é👩\u{200d}🚀\u{e0041}"),
            r#""\u{7f}\u{202e}é👩\u{200d}🚀\u{e0041}""#
        );
        assert_eq!(shown(json!({"a": [1, "\u{85}"]})), r#"{"a":[1,"\u{85}"]}"#);
    }

    #[test]
    fn long_ones_are_cut() {
        let long = "é".repeat(MOST - 1);
        assert_eq!(shown(&long), format!("\"{long}..."));
        assert_eq!(shown(json!(long)), format!("\"{long}..."));
        let short = "é".repeat(MOST - 2);
        assert_eq!(shown(&short), format!("\"{short}\""));
    }
}
