//! The rule by which a text becomes words (`docs/spec.md`).

use std::borrow::Cow;

use icu_normalizer::DecomposingNormalizerBorrowed;
use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{ExtendedPictographic, GeneralCategory, Ideographic},
};

/// Returns a text in lower case, decomposed (Unicode's form NFD), without nonspacing marks.
///
/// The text `Déjà İ` becomes `deja i`.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        let upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
        return if upper {
            Cow::Owned(text.to_ascii_lowercase())
        } else {
            Cow::Borrowed(text)
        };
    }
    let categories = CodePointMapData::<GeneralCategory>::new();
    let decomposed = DecomposingNormalizerBorrowed::new_nfd();
    let kept = decomposed
        .normalize_iter(text.to_lowercase().chars())
        .filter(|&c| categories.get(c) != GeneralCategory::NonspacingMark)
        .collect();
    Cow::Owned(kept)
}

/// Returns the words of a text that [`plain`] returned.
///
/// A word is a longest run of letters and digits. Every ideograph is a word, and so is every other
/// character, except white space.
pub(super) fn words(plain: &str) -> impl Iterator<Item = &str> {
    let mut rest = plain;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let end = if joins(first) {
            rest.find(|c| !joins(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

/// Returns `true` if a character forms one word with its neighbors.
pub(super) fn joins(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric();
    }
    c.is_alphanumeric() && !CodePointSetData::new::<Ideographic>().contains(c)
}

/// Returns `true` if a word that [`words`] returned counts as one: it consists of letters and digits,
/// or is an ideograph or an emoji. Punctuation and signs such as `+` do not count.
pub(super) fn says_something(word: &str) -> bool {
    let is_emoji = |c| CodePointSetData::new::<ExtendedPictographic>().contains(c);
    word.starts_with(|c: char| c.is_alphanumeric() || is_emoji(c))
}

#[cfg(test)]
mod tests {
    use super::{plain, says_something, words};

    fn read(text: &str) -> Vec<String> {
        words(&plain(text)).map(ToOwned::to_owned).collect()
    }

    #[test]
    fn words_are_runs_of_letters_and_digits_or_single_other_characters() {
        assert_eq!(
            read("It's a 10/10, déjà-vu! x_1"),
            [
                "it", "'", "s", "a", "10", "/", "10", ",", "deja", "-", "vu", "!", "x", "_", "1"
            ]
        );
        assert_eq!(read(" \t\u{a0}\u{3000}\n"), [""; 0]);
    }

    #[test]
    fn words_are_the_same_in_either_form_of_unicode() {
        assert_eq!(read("\u{e9}t\u{e9}"), read("e\u{301}te\u{301}"));
        assert_eq!(
            read("İSTANBUL Straße ΟΔΟΣ ΌΧΙ"),
            ["istanbul", "straße", "οδος", "οχι"]
        );
    }

    #[test]
    fn words_of_han_are_single_characters_and_kana_stay_together() {
        assert_eq!(read("好看的电影"), ["好", "看", "的", "电", "影"]);
        assert_eq!(read("映画はよかった"), ["映", "画", "はよかった"]);
        // An emoji, its joiner and a tone are a word each; the variation selector is a mark.
        assert_eq!(read("❤\u{fe0f}👍🏽"), ["❤", "👍", "🏽"]);
    }

    #[test]
    fn says_something_is_true_of_letters_digits_and_emoji_only() {
        for word in ["a", "é", "10", "好", "はよかった", "❤", "👍"] {
            assert!(says_something(word), "{word}");
        }
        for word in [".", "…", "!", "，", "+", "€", "`", "🏽", "\u{200d}"] {
            assert!(!says_something(word), "{word}");
        }
    }
}
