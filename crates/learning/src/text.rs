//! Text from strangers: safe display, and rules for names that may be registered.
//!
//! Anyone may register a model. So a name, a class or a column may contain anything. Examples are
//! codes that clear a terminal, marks that reverse the order of letters, or a whole book.
//! [`escaped`] is for each such text in a message; [`escaped_lines`] and [`escaped_json`] are for
//! all output.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
use thiserror::Error;

/// Longest text that [`escaped`] shows, in characters.
pub const MAX_SHOWN: usize = 200;

/// Longest name of a model, a class or a column that may be registered, in characters.
pub const MAX_NAME: usize = 200;

/// Longest description of a model that may be registered, in characters.
pub const MAX_DESCRIPTION: usize = 4_000;

/// Reason why a text cannot be registered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TextError {
    /// The text is empty.
    #[error("{what} is empty; give it at least one letter")]
    Empty {
        /// Role of the text, such as "the name".
        what: String,
    },
    /// The text is too long.
    #[error("{what} has {length} characters, expected at most {max}; shorten it")]
    TooLong {
        /// Role of the text.
        what: String,
        /// Length of the text, in characters.
        length: usize,
        /// Maximum length, in characters.
        max: usize,
    },
    /// The text has a character that is invisible or changes the text around it.
    #[error(
        "{what} is `{shown}`: character {position} is U+{code:04X}, which is invisible or changes the \
         text around it; leave it out"
    )]
    Invisible {
        /// Role of the text.
        what: String,
        /// Escaped text.
        shown: String,
        /// Position of the character, from 1.
        position: usize,
        /// Code point of the character.
        code: u32,
    },
}

/// Display of a stranger's text in a message. It escapes invisible characters, and cuts the text at
/// a maximum length.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a> {
    text: &'a str,
    max: usize,
}

/// Shows a stranger's text in one line, with at most [`MAX_SHOWN`] of its characters.
#[must_use]
pub fn escaped(text: &str) -> Escaped<'_> {
    escaped_to(text, MAX_SHOWN)
}

/// Shows at most `max` characters of a stranger's text, in one line.
#[must_use]
pub fn escaped_to(text: &str, max: usize) -> Escaped<'_> {
    Escaped { text, max }
}

/// Shows the first twenty of a list of strangers' texts, separated by commas.
#[must_use]
pub fn escaped_list<T: AsRef<str>>(texts: &[T]) -> String {
    const SHOWN: usize = 20;
    let shown = texts.iter().take(SHOWN);
    let mut list = shown
        .map(|text| escaped(text.as_ref()).to_string())
        .collect::<Vec<_>>()
        .join(", ");
    if texts.len() > SHOWN {
        let _ = write!(list, " and {} more", texts.len() - SHOWN);
    }
    list
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut previous = ' ';
        for (position, letter) in self.text.chars().enumerate() {
            if position == self.max {
                return f.write_char('…');
            }
            if is_visible(letter, previous) {
                f.write_char(letter)?;
            } else {
                write!(f, "{}", letter.escape_default())?;
            }
            previous = letter;
        }
        Ok(())
    }
}

/// Escapes invisible characters in a text of several lines, and keeps its line breaks.
#[must_use]
pub fn escaped_lines(text: &str) -> Cow<'_, str> {
    replaced(text, |letter, previous| {
        letter == '\n' || is_visible(letter, previous)
    })
}

/// Escapes the control characters that JSON allows within a string. These are the deletion mark and
/// U+0080 to U+009F, which some terminals obey. The meaning of the JSON stays the same.
#[must_use]
pub fn escaped_json(json: &str) -> Cow<'_, str> {
    if !json.chars().any(is_json_control) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for letter in json.chars() {
        if is_json_control(letter) {
            let _ = write!(escaped, "\\u{:04x}", u32::from(letter));
        } else {
            escaped.push(letter);
        }
    }
    Cow::Owned(escaped)
}

// Outside its strings, JSON contains only line breaks and tabs of these.
fn is_json_control(letter: char) -> bool {
    letter.is_control() && !matches!(letter, '\n' | '\t' | '\r')
}

/// Checks that a text may be registered under its role `what`: all its characters are visible, and
/// there are at most `max`.
///
/// # Errors
/// Returns [`TextError::TooLong`] or [`TextError::Invisible`].
pub fn check(what: &str, text: &str, max: usize) -> Result<(), TextError> {
    let length = text.chars().count();
    if length > max {
        let what = what.to_owned();
        return Err(TextError::TooLong { what, length, max });
    }
    let mut previous = ' ';
    for (letter, position) in text.chars().zip(1..) {
        if !is_visible(letter, previous) {
            return Err(TextError::Invisible {
                what: what.to_owned(),
                shown: escaped(text).to_string(),
                position,
                code: letter.into(),
            });
        }
        previous = letter;
    }
    Ok(())
}

/// Checks that a name may be registered: it passes [`check`] with [`MAX_NAME`], and it is not
/// blank.
///
/// # Errors
/// Returns any [`TextError`].
pub fn check_name(what: &str, name: &str) -> Result<(), TextError> {
    if name.trim().is_empty() {
        return Err(TextError::Empty {
            what: what.to_owned(),
        });
    }
    check(what, name, MAX_NAME)
}

fn replaced(text: &str, keep: impl Fn(char, char) -> bool) -> Cow<'_, str> {
    let mut previous = ' ';
    let kept = text.chars().all(|letter| {
        let kept = keep(letter, previous);
        previous = letter;
        kept
    });
    if kept {
        return Cow::Borrowed(text);
    }
    let mut replaced = String::with_capacity(text.len() + 16);
    let mut previous = ' ';
    for letter in text.chars() {
        if keep(letter, previous) {
            replaced.push(letter);
        } else {
            replaced.extend(letter.escape_default());
        }
        previous = letter;
    }
    Cow::Owned(replaced)
}

/// Returns `true` if a letter shows as itself. Control and format characters, line breaks and
/// invisible characters do not; the format characters include all that change the direction of
/// text. Joiners and variation selectors count as visible after a letter beyond ASCII: Persian,
/// Indic scripts and emoji need them.
fn is_visible(letter: char, previous: char) -> bool {
    if letter.is_ascii() {
        return !letter.is_ascii_control();
    }
    if matches!(letter, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}') {
        return !previous.is_ascii() && !is_ignorable(previous);
    }
    !is_ignorable(letter)
        && !matches!(
            CodePointMapData::<GeneralCategory>::new().get(letter),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
        )
}

fn is_ignorable(letter: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind of character that must not reach a screen: C0, DEL, C1, marks of direction, and
    /// invisible ones.
    const INVISIBLE: &[char] = &[
        '\0',
        '\u{7}',
        '\t',
        '\n',
        '\r',
        '\u{1b}',
        '\u{7f}',
        '\u{80}',
        '\u{85}',
        '\u{9b}',
        '\u{9f}',
        '\u{ad}',
        '\u{34f}',
        '\u{61c}',
        '\u{115f}',
        '\u{180e}',
        '\u{200b}',
        '\u{200c}',
        '\u{200d}',
        '\u{200e}',
        '\u{200f}',
        '\u{2028}',
        '\u{2029}',
        '\u{202a}',
        '\u{202b}',
        '\u{202c}',
        '\u{202d}',
        '\u{202e}',
        '\u{2060}',
        '\u{2064}',
        '\u{2066}',
        '\u{2067}',
        '\u{2068}',
        '\u{2069}',
        '\u{3164}',
        '\u{fe0f}',
        '\u{feff}',
        '\u{ffa0}',
        '\u{fff9}',
        '\u{e0001}',
        '\u{e0041}',
        '\u{e0100}',
    ];

    #[test]
    fn escaped_shows_nothing_invisible() {
        for &letter in INVISIBLE {
            let text = format!("a{letter}b");
            let shown = escaped(&text).to_string();
            assert!(shown.starts_with("a\\"), "{shown:?}");
            assert!(!shown.contains(letter), "{shown:?}");
            let name = check_name("the name", &text).expect_err("refused");
            assert!(matches!(name, TextError::Invisible { position: 2, .. }));
            assert!(!name.to_string().contains(letter));
            let lines = escaped_lines(&text);
            assert_eq!(lines.contains(letter), letter == '\n', "{lines:?}");
        }
    }

    #[test]
    fn escaped_leaves_the_scripts_of_the_world() {
        for text in [
            "spam",
            "déjà vu",
            "垃圾邮件",
            "مرحبا",
            "می\u{200c}خواهم",
            "❤\u{fe0f}",
            "👩\u{200d}🚀",
            "`x` \\ 'y' \"z\"",
            "e\u{301}",
            "",
        ] {
            assert_eq!(escaped(text).to_string(), text);
            assert_eq!(escaped_lines(text), text);
            check("the class", text, MAX_NAME).expect("can be registered");
        }
        // Two joiners in a row, or one after a mark of direction, are escaped, too.
        assert_eq!(
            escaped("م\u{202e}\u{200d}").to_string(),
            "م\\u{202e}\\u{200d}"
        );
    }

    #[test]
    fn escaped_is_bounded() {
        assert_eq!(escaped_to("abcd", 4).to_string(), "abcd");
        assert_eq!(escaped_to("abcde", 4).to_string(), "abcd…");
        let long = "é".repeat(1 << 20);
        assert_eq!(escaped(&long).to_string().chars().count(), MAX_SHOWN + 1);
        let names: Vec<String> = (0..1_000).map(|number| number.to_string()).collect();
        let list = escaped_list(&names);
        assert!(list.starts_with("0, 1, 2"), "{list}");
        assert!(list.ends_with("18, 19 and 980 more"), "{list}");
    }

    #[test]
    fn escaped_json_means_the_same() {
        let value = "a\u{7f}b\u{9b}c\u{1b}d\u{202e}e\nf";
        let json = serde_json::to_string_pretty(&[value]).expect("JSON");
        let escaped = escaped_json(&json);
        let read: Vec<String> = serde_json::from_str(&escaped).expect("JSON");
        assert_eq!(read, [value]);
        assert!(!escaped.contains(['\u{7f}', '\u{9b}', '\u{1b}']));
        assert!(matches!(escaped_json("{}\n"), Cow::Borrowed("{}\n")));
    }

    #[test]
    fn check_tells_the_length_and_the_next_step() {
        let message = |text: &str, max| {
            let error = check("the name", text, max).expect_err("refused");
            error.to_string()
        };
        assert_eq!(
            message("abcde", 4),
            "the name has 5 characters, expected at most 4; shorten it"
        );
        assert_eq!(
            message("a\u{1b}[2J", 9),
            "the name is `a\\u{1b}[2J`: character 2 is U+001B, which is invisible or changes the text \
             around it; leave it out"
        );
        assert_eq!(
            check_name("the name", " ")
                .expect_err("refused")
                .to_string(),
            "the name is empty; give it at least one letter"
        );
    }
}
