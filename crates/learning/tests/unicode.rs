//! Table of the properties of characters for implementations in other languages.
//!
//! Browsers have properties of their own Unicode version, and none for word boundaries.
//! The test compares the page's table with what this crate goes by. With the variable
//! `COTRAIN_WRITE_VECTORS` it writes it.

use std::path::Path;
use std::{env, fs};

use cotrain_learning::encode::{TextRules, Tokenizer};
use icu_properties::props::{
    CaseIgnorable, Cased, DefaultIgnorableCodePoint, ExtendedPictographic, GeneralCategory,
    GeneralCategoryGroup, Ideographic, RegionalIndicator, WhiteSpace, WordBreak,
};
use icu_properties::{CodePointMapData, CodePointSetData};
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use unicode_segmentation::UnicodeSegmentation as _;

/// Path of the table from the crate.
const PATH: &str = "../../web/src/twin/unicode-data.json";

/// Returns all characters. Halves of pairs are no characters, and count as U+0000.
fn characters() -> impl Iterator<Item = char> {
    (0..=u32::from(char::MAX)).map(|point| char::from_u32(point).unwrap_or_default())
}

/// Returns digits of base 36.
fn base_36(mut number: i64) -> String {
    let mut digits = Vec::new();
    let negative = number < 0;
    number = number.abs();
    while number > 0 || digits.is_empty() {
        let digit = u32::try_from(number % 36).expect("a digit");
        digits.extend(char::from_digit(digit, 36));
        number /= 36;
    }
    digits.extend(negative.then_some('-'));
    digits.iter().rev().collect()
}

fn joined(numbers: impl IntoIterator<Item = i64>) -> String {
    let numbers: Vec<String> = numbers.into_iter().map(base_36).collect();
    numbers.join(" ")
}

/// Returns the values of all characters as lengths of ranges before each change, with the values
/// from there on. The value before the first change is the default.
fn ranges<T: Copy + Default + PartialEq>(value: impl Fn(char) -> T) -> (Vec<i64>, Vec<T>) {
    let (mut lengths, mut values) = (Vec::new(), Vec::new());
    let (mut last, mut length) = (T::default(), 0);
    for character in characters() {
        let value = value(character);
        if value != last {
            lengths.push(length);
            values.push(value);
            (last, length) = (value, 0);
        }
        length += 1;
    }
    (lengths, values)
}

fn set(has: impl Fn(char) -> bool) -> String {
    joined(ranges(has).0)
}

/// Classes for word boundaries that the rules name, each with a character of it.
const CLASSES: [(&str, WordBreak, char); 19] = [
    ("Other", WordBreak::Other, '!'),
    ("CR", WordBreak::CR, '\r'),
    ("LF", WordBreak::LF, '\n'),
    ("Newline", WordBreak::Newline, '\u{85}'),
    ("Extend", WordBreak::Extend, '\u{301}'),
    ("ZWJ", WordBreak::ZWJ, '\u{200d}'),
    ("Format", WordBreak::Format, '\u{ad}'),
    (
        "Regional_Indicator",
        WordBreak::RegionalIndicator,
        '\u{1f1e6}',
    ),
    ("Katakana", WordBreak::Katakana, 'カ'),
    ("Hebrew_Letter", WordBreak::HebrewLetter, 'א'),
    ("ALetter", WordBreak::ALetter, 'a'),
    ("Single_Quote", WordBreak::SingleQuote, '\''),
    ("Double_Quote", WordBreak::DoubleQuote, '"'),
    ("MidNumLet", WordBreak::MidNumLet, '.'),
    ("MidLetter", WordBreak::MidLetter, ':'),
    ("MidNum", WordBreak::MidNum, ','),
    ("Numeric", WordBreak::Numeric, '1'),
    ("ExtendNumLet", WordBreak::ExtendNumLet, '_'),
    ("WSegSpace", WordBreak::WSegSpace, ' '),
];

/// Returns the numbers of segments of texts with a character. Characters of a class have the same.
fn segments(character: char) -> Vec<usize> {
    let others = CLASSES.iter().map(|(_, _, other)| *other);
    let texts = others.flat_map(|other| {
        [
            vec![character, other],
            vec![other, character],
            vec![other, character, other],
            vec![character, other, character],
        ]
    });
    texts
        .map(|text| String::from_iter(text).split_word_bounds().count())
        .collect()
}

/// Returns the classes for word boundaries.
///
/// They are those of `icu_properties`, unless `unicode_segmentation`, by which words are found, does
/// not know a character yet: then it is of no class.
fn word_break() -> Value {
    let map = CodePointMapData::<WordBreak>::new();
    let of_classes = CLASSES.map(|(_, _, character)| segments(character));
    let class = |character: char| {
        let class = map.get(character);
        let index = CLASSES.iter().position(|(_, known, _)| *known == class);
        let index = index.unwrap_or_default();
        if index == 0 {
            return 0;
        }
        let found = segments(character);
        if found == of_classes[0] {
            return 0;
        }
        // A pictographic letter joins after U+200D, too.
        let pictographic = CodePointSetData::new::<ExtendedPictographic>().contains(character);
        assert!(
            found == of_classes[index] || pictographic,
            "{character:?} is not {class:?}"
        );
        index
    };
    let (lengths, classes) = ranges(class);
    json!({
        "classes": CLASSES.map(|(name, _, _)| name),
        "lengths": joined(lengths),
        "ranges": joined(classes.into_iter().map(|it| i64::try_from(it).expect("an index"))),
    })
}

/// Returns the lower case of all characters but U+0130, which has two: runs of `first,count,step,
/// difference`.
fn lower_case() -> String {
    let mut runs: Vec<[i64; 4]> = Vec::new();
    for character in characters() {
        let mut lower = character.to_lowercase();
        let (Some(one), None) = (lower.next(), lower.next()) else {
            assert_eq!(
                character, '\u{130}',
                "the only one with a longer lower case"
            );
            continue;
        };
        if one == character {
            continue;
        }
        let at = i64::from(u32::from(character));
        let difference = i64::from(u32::from(one)) - at;
        if let Some([first, count, step, of_run]) = runs.last_mut()
            && *of_run == difference
        {
            let from_last = at - (*first + (*count - 1) * *step);
            if *count == 1 && from_last <= 2 || *count > 1 && from_last == *step {
                *step = from_last;
                *count += 1;
                continue;
            }
        }
        runs.push([at, 1, 1, difference]);
    }
    let runs: Vec<String> = runs.iter().map(|run| run.map(base_36).join(",")).collect();
    runs.join(" ")
}

/// Returns `true` for letters of scripts without spaces, of which two neighbors are a word.
fn is_unspaced(character: char) -> bool {
    let rules = TextRules {
        tokenizer: Tokenizer::Unicode,
        word_pairs: false,
    };
    // No other characters are letters.
    character.is_alphanumeric() && {
        let words = rules.tokens(&String::from_iter([character; 3]));
        words.len() == 2 && words.iter().all(|word| word.chars().count() == 2)
    }
}

fn table() -> Value {
    let category = CodePointMapData::<GeneralCategory>::new();
    let (major, minor, update) = char::UNICODE_VERSION;
    json!({
        "about": "written by crates/learning/tests/unicode.rs; do not edit",
        "version": format!("{major}.{minor}.{update}"),
        "alphanumeric": set(char::is_alphanumeric),
        "cased": set(|it| CodePointSetData::new::<Cased>().contains(it)),
        "caseIgnorable": set(|it| CodePointSetData::new::<CaseIgnorable>().contains(it)),
        "defaultIgnorable": set(|it| CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(it)),
        "ideographic": set(|it| CodePointSetData::new::<Ideographic>().contains(it)),
        "lowerCase": lower_case(),
        "mark": set(|it| GeneralCategoryGroup::Mark.contains(category.get(it))),
        "nonspacingMark": set(|it| category.get(it) == GeneralCategory::NonspacingMark),
        "pictographic": set(|it| CodePointSetData::new::<ExtendedPictographic>().contains(it)),
        "regionalIndicator": set(|it| CodePointSetData::new::<RegionalIndicator>().contains(it)),
        "unspaced": set(is_unspaced),
        "whiteSpace": set(|it| CodePointSetData::new::<WhiteSpace>().contains(it)),
        "wordBreak": word_break(),
    })
}

/// Characters on which the rules for words depend.
const LETTERS: &str = "aZ_1. ,'’:\u{ad}\u{85}\u{200b}\u{200c}\u{200d}\u{301}\u{307}\u{345}\u{328}\u{fe0f}éÉİßΣσςǅ\u{1100}\u{1161}한我影カー\u{3099}がﾞทีไ๑🇩😀🏽👩❤ا\u{5d0}\"٣Å\u{212b}\u{1f88}ʰⅧ½\u{10ffff}";

/// Number of texts by chance.
const TEXTS: usize = 500;

#[test]
fn tokenizer_keeps_its_words_of_texts_by_chance() {
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    let letters: Vec<char> = LETTERS.chars().collect();
    // Normalization is the browser's, so no text has characters that are newer than it.
    let is_known = |it: &char| !it.is_control() && (u32::from(*it) < 0x1_0000);
    let texts: Vec<String> = (0..TEXTS)
        .map(|_| {
            let count = rng.random_range(1..24);
            let letter = |_| {
                if rng.random_range(0..8) > 0 {
                    return *letters.choose(&mut rng).expect("a letter");
                }
                let any = char::from_u32(rng.random_range(0x80..0x1_0000));
                any.filter(is_known).unwrap_or('Σ')
            };
            (0..count).map(letter).collect()
        })
        .collect();
    let of = |text: &String, tokenizer| {
        let rules = TextRules {
            tokenizer,
            word_pairs: false,
        };
        json!(rules.tokens(text))
    };
    let texts: Vec<Value> = texts
        .iter()
        .map(|text| {
            json!([
                text,
                of(text, Tokenizer::Simple),
                of(text, Tokenizer::Unicode)
            ])
        })
        .collect();
    // One text a line.
    let texts: Vec<String> = texts.iter().map(Value::to_string).collect();
    let file = format!("{{\"texts\": [\n{}\n]}}\n", texts.join(",\n"));
    check("vectors/random-texts.json", &file);
}

/// Compares a file with what it should be, or writes it.
fn check(path: &str, now: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if env::var_os("COTRAIN_WRITE_VECTORS").is_some() {
        fs::write(&path, now).expect("written");
    }
    let committed = fs::read_to_string(&path).expect("the file");
    for (line, (now, committed)) in (1..).zip(now.lines().zip(committed.lines())) {
        assert_eq!(now, committed, "line {line}: now and as committed");
    }
    assert_eq!(now.len(), committed.len());
}

#[test]
fn tokenizer_goes_by_the_characters_of_the_table() {
    let pretty = serde_json::to_string_pretty(&table()).expect("JSON");
    check(PATH, &(pretty + "\n"));
}
