//! Tokenizer `unicode`, as `docs/spec.md` states it for other languages.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{
    DefaultIgnorableCodePoint, ExtendedPictographic, GeneralCategory, GeneralCategoryGroup,
    RegionalIndicator, Script,
};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_segmentation::UnicodeSegmentation as _;

/// Scripts that are written without spaces between words.
const UNSPACED: [Script; 12] = [
    Script::Han,
    Script::Hiragana,
    Script::Katakana,
    Script::Thai,
    Script::Lao,
    Script::Khmer,
    Script::Myanmar,
    Script::TaiLe,
    Script::NewTaiLue,
    Script::TaiTham,
    Script::TaiViet,
    Script::Ahom,
];

/// Calls `visit` with each word of a text, in order.
pub(super) fn each(text: &str, visit: &mut impl FnMut(&str)) {
    for piece in normalized(text).split_whitespace() {
        let mut rest = piece;
        while let Some(start) = rest.find(is_unspaced) {
            let (words, run) = rest.split_at(start);
            each_word(words, visit);
            rest = &run[each_pair(run, visit)..];
        }
        each_word(rest, visit);
    }
}

/// Returns `true` if a text contains a letter of a script without spaces.
pub(super) fn has_unspaced(text: &str) -> bool {
    text.contains(is_unspaced)
}

/// Returns a text without ignorable characters, with straight apostrophes, in lower case and in
/// Unicode's normalization form C.
fn normalized(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    let kept = text.chars().filter(|&letter| !is_ignored(letter));
    let straight = |letter| if letter == '\u{2019}' { '\'' } else { letter };
    let lower_case = kept.map(straight).collect::<String>().to_lowercase();
    let composed = ComposingNormalizerBorrowed::new_nfc().normalize(&lower_case);
    Cow::Owned(composed.into_owned())
}

/// Returns `true` for default-ignorable characters that neither separate words (U+200B) nor join
/// letters or emoji (U+200C, U+200D, and the tags in flags).
fn is_ignored(letter: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(letter)
        && !matches!(letter, '\u{200b}'..='\u{200d}' | '\u{e0020}'..='\u{e007f}')
}

/// Returns `true` for letters of scripts without spaces, with the marks of repetition and length
/// that these scripts share.
fn is_unspaced(letter: char) -> bool {
    // The first of these letters is Thai.
    if letter < '\u{e00}' {
        return false;
    }
    if matches!(
        letter,
        '\u{3006}' | '\u{3031}'
            ..='\u{3035}' | '\u{303c}' | '\u{30fc}' | '\u{ff70}' | '\u{ff9e}' | '\u{ff9f}'
    ) {
        return true;
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(letter);
    let is_letter = GeneralCategoryGroup::Letter.contains(category)
        || category == GeneralCategory::LetterNumber;
    is_letter && UNSPACED.contains(&CodePointMapData::<Script>::new().get(letter))
}

fn is_mark(letter: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(letter);
    GeneralCategoryGroup::Mark.contains(category)
}

/// Calls `visit` with each two neighboring letters, with their marks, of the run at the start of
/// `text`; with the letter if there is only one. Returns the length of the run, in bytes.
fn each_pair(text: &str, visit: &mut impl FnMut(&str)) -> usize {
    // Starts of the last two letters.
    let mut starts = None;
    let mut letters = 0;
    let mut end = text.len();
    for (at, letter) in text.char_indices() {
        if is_unspaced(letter) {
            if let Some((before, _)) = starts.filter(|_| letters > 1) {
                visit(&text[before..at]);
            }
            starts = Some((starts.map_or(at, |(_, last)| last), at));
            letters += 1;
        } else if !is_mark(letter) {
            end = at;
            break;
        }
    }
    // The last pair, or the only letter.
    let (before, _) = starts.unwrap_or_default();
    visit(&text[before..end]);
    end
}

/// Calls `visit` with each word between the boundaries of Unicode's Standard Annex #29.
fn each_word(text: &str, visit: &mut impl FnMut(&str)) {
    for segment in text.split_word_bounds() {
        if segment.chars().any(is_of_a_word) {
            visit(segment);
        }
    }
}

/// Returns `true` for letters, digits and emoji.
fn is_of_a_word(letter: char) -> bool {
    letter.is_alphanumeric()
        || (!letter.is_ascii()
            && (CodePointSetData::new::<ExtendedPictographic>().contains(letter)
                || CodePointSetData::new::<RegionalIndicator>().contains(letter)))
}

#[cfg(test)]
mod tests {
    use icu_normalizer::DecomposingNormalizerBorrowed;
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        each(text, &mut |word: &str| words.push(word.to_owned()));
        words
    }

    #[test]
    fn tokenizer_splits_at_word_boundaries() {
        for (text, expected) in [
            ("", &[][..]),
            ("… — !?", &[]),
            ("It's a 10 of 10", &["it's", "a", "10", "of", "10"]),
            // The typographic apostrophe is the straight one.
            ("Don’t 'quote'", &["don't", "quote"]),
            ("3.14 1,000 1, 2", &["3.14", "1,000", "1", "2"]),
            ("foo_bar _x_ __ a-b", &["foo_bar", "_x_", "a", "b"]),
            ("caf\u{e9} cafe\u{301} CAFÉ", &["café", "café", "café"]),
            ("İstanbul ISTANBUL", &["i\u{307}stanbul", "istanbul"]),
            ("Straße STRASSE", &["straße", "strasse"]),
            ("ΟΔΟΣ ΣΟΦΟΣ", &["οδος", "σοφος"]),
            ("co\u{ad}op\u{2060}erate\u{feff}", &["cooperate"]),
            ("مرحبا، العالم ٣٤", &["مرحبا", "العالم", "٣٤"]),
            ("می\u{200c}خواهم", &["می\u{200c}خواهم"]),
            ("나는 영화를", &["나는", "영화를"]),
        ] {
            assert_eq!(words(text), expected, "{text:?}");
        }
    }

    #[test]
    fn tokenizer_pairs_letters_of_scripts_without_spaces() {
        for (text, expected) in [
            ("电影", &["电影"][..]),
            ("我", &["我"]),
            ("我爱电影。很好", &["我爱", "爱电", "电影", "很好"]),
            ("我 爱", &["我", "爱"]),
            (
                "カラー映画です",
                &["カラ", "ラー", "ー映", "映画", "画で", "です"],
            ),
            ("ﾃﾞｰﾀ", &["ﾃﾞ", "ﾞｰ", "ｰﾀ"]),
            ("iPhone手机2台", &["iphone", "手机", "2", "台"]),
            // A Thai letter keeps its marks.
            ("ที่นี่ดี", &["ที่นี่", "นี่ดี"]),
            ("ไทย๑๒", &["ไท", "ทย", "๑๒"]),
            // か with a separate mark of voice is the letter が.
            ("か\u{3099}っこ", &["がっ", "っこ"]),
            ("葛\u{e0100}城", &["葛城"]),
            ("ไทย\u{200b}ดี", &["ไท", "ทย", "ดี"]),
        ] {
            assert_eq!(words(text), expected, "{text:?}");
        }
    }

    #[test]
    fn tokenizer_keeps_an_emoji_whole() {
        for (text, expected) in [
            ("good😀😀", &["good", "😀", "😀"][..]),
            ("👩\u{200d}🚀👍🏽", &["👩\u{200d}🚀", "👍🏽"]),
            // With and without the selector of the colored form.
            ("❤\u{fe0f} ❤", &["❤", "❤"]),
            ("🇩🇪🇫🇷", &["🇩🇪", "🇫🇷"]),
            (
                "🏴\u{e0067}\u{e0062}\u{e007f}",
                &["🏴\u{e0067}\u{e0062}\u{e007f}"],
            ),
            ("1\u{fe0f}\u{20e3}", &["1\u{20e3}"]),
            ("电影👍好", &["电影", "👍", "好"]),
        ] {
            assert_eq!(words(text), expected, "{text:?}");
        }
    }

    /// Returns texts of the characters on which the rules depend.
    fn texts() -> impl Strategy<Value = String> {
        let letters = proptest::sample::select(
            "aZ_1. ,'’:\u{ad}\u{200b}\u{200c}\u{200d}\u{301}\u{307}\u{345}\u{328}\u{fe0f}éÉİßΣσςǅ\u{1100}\u{1161}한我影カー\u{3099}がﾞทีไ๑🇩😀🏽👩❤ا\u{5d0}\"٣Å\u{212b}\u{1f88}\u{10ffff}"
                .chars()
                .collect::<Vec<_>>(),
        );
        let letter = prop_oneof![8 => letters, 1 => any::<char>()];
        proptest::collection::vec(letter, 0..24).prop_map(String::from_iter)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// A card holds tokens, and its reader checks that texts can have them.
        #[test]
        fn tokenizer_reads_a_word_as_itself(text in texts()) {
            for word in words(&text) {
                prop_assert!(!word.contains(char::is_whitespace));
                prop_assert_eq!(words(&word), [word.clone()], "{:?}", text);
            }
        }

        #[test]
        fn tokenizer_reads_equivalent_texts_alike(text in texts()) {
            let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize(&text);
            let composed = ComposingNormalizerBorrowed::new_nfc().normalize(&text);
            prop_assert_eq!(words(&text), words(&decomposed));
            prop_assert_eq!(words(&text), words(&composed));
        }
    }
}
