//! Rules by which a text is read as tokens: words, and perhaps pairs of words.

mod unicode;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::data::{Example, Part};
use crate::text::escaped;

/// Least share of the training texts with letters of scripts without spaces, as one text in so
/// many, from which on a new model reads texts by [`Tokenizer::Unicode`].
const ONE_TEXT_IN: usize = 100;

/// Rule by which a text is split into words (`docs/spec.md`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tokenizer {
    /// Longest runs of at least two letters, digits or underscores, in lower case.
    #[default]
    Simple,
    /// Words of Unicode's Standard Annex #29 in lower case. Letters of scripts without spaces
    /// become overlapping pairs, and an emoji is a word.
    Unicode,
}

/// Reason why a tokenizer is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{}` is no tokenizer; known are {}", escaped(.0), Tokenizer::ALL.map(Tokenizer::name).join(", "))]
pub struct UnknownTokenizer(String);

impl Tokenizer {
    /// All tokenizers.
    pub const ALL: [Self; 2] = [Self::Simple, Self::Unicode];

    /// Returns the name, such as `unicode`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Unicode => "unicode",
        }
    }

    /// Chooses the tokenizer for the training texts. It is [`Tokenizer::Unicode`] if at least one
    /// text in a hundred contains a letter of a script without spaces.
    pub(super) fn suited(part: &Part) -> Self {
        let examples = part.examples();
        let all = examples.len();
        let unspaced = examples
            .filter(|example| matches!(example, Example::Text(text) if unicode::has_unspaced(text)))
            .count();
        if unspaced > 0 && unspaced * ONE_TEXT_IN >= all {
            Self::Unicode
        } else {
            Self::Simple
        }
    }

    /// Calls `visit` with each word, in order.
    fn each(self, text: &str, mut visit: impl FnMut(&str)) {
        match self {
            Self::Simple => simple(&text.to_lowercase()).for_each(visit),
            Self::Unicode => unicode::each(text, &mut visit),
        }
    }
}

impl fmt::Display for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Tokenizer {
    type Err = UnknownTokenizer;

    fn from_str(name: &str) -> Result<Self, UnknownTokenizer> {
        let known = Self::ALL.into_iter().find(|known| known.name() == name);
        known.ok_or_else(|| UnknownTokenizer(name.to_owned()))
    }
}

/// Rules by which an encoder reads texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextRules {
    /// Rule by which a text is split into words.
    pub tokenizer: Tokenizer,
    /// `true` if two neighboring words, joined by a space, are a token, too.
    pub word_pairs: bool,
}

/// Words of these rules, such as "words and word pairs by the tokenizer `unicode`".
impl fmt::Display for TextRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("words")?;
        if self.word_pairs {
            f.write_str(" and word pairs")?;
        }
        write!(f, " by the tokenizer `{}`", self.tokenizer)
    }
}

impl TextRules {
    /// Returns the tokens of a text in order. A pair follows its second word.
    #[must_use]
    pub fn tokens(self, text: &str) -> Vec<String> {
        let mut tokens = Vec::new();
        self.each(text, |token| tokens.push(token.to_owned()));
        tokens
    }

    /// Calls `visit` with each token, in order. A pair follows its second word.
    pub(super) fn each(self, text: &str, mut visit: impl FnMut(&str)) {
        if !self.word_pairs {
            self.tokenizer.each(text, visit);
            return;
        }
        // The word before, then the pair. No word is empty.
        let mut pair = String::new();
        self.tokenizer.each(text, |word| {
            visit(word);
            if !pair.is_empty() {
                pair.push(' ');
                pair.push_str(word);
                visit(&pair);
            }
            pair.clear();
            pair.push_str(word);
        });
    }

    /// Returns `true` if texts can have this token: the rules read it as itself.
    pub(super) fn can_have(self, token: &str) -> bool {
        let is_word = |word: &str| {
            let mut words = 0;
            let mut same = true;
            self.tokenizer.each(word, |found| {
                words += 1;
                same &= found == word;
            });
            words == 1 && same
        };
        let is_pair = || {
            let (first, second) = token.split_once(' ')?;
            Some(is_word(first) && is_word(second))
        };
        is_word(token) || (self.word_pairs && is_pair().unwrap_or(false))
    }
}

/// Returns the words of a text: every longest run of at least two letters, digits or underscores.
/// The rule is `\b\w\w+\b` of scikit-learn's `CountVectorizer`, for a text in lower case.
fn simple(lower_case: &str) -> impl Iterator<Item = &str> {
    lower_case
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| word.chars().nth(1).is_some())
}

/// Choices of how the texts of a data set are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextOptions {
    /// Rule by which texts are split into words. `None` chooses [`Tokenizer::Unicode`] if at least
    /// one training text in a hundred contains a letter of a script without spaces.
    pub tokenizer: Option<Tokenizer>,
    /// `true` if pairs of neighboring words are tokens, too.
    pub word_pairs: bool,
    /// Number of features to which tokens are hashed, 2 to 65,536; `None` if the model has a
    /// vocabulary.
    pub hashed: Option<usize>,
}

impl TextOptions {
    /// Returns the name of an option that is set; `None` if none is.
    pub(super) fn set(&self) -> Option<&'static str> {
        let set = [
            (self.tokenizer.is_some(), "a tokenizer"),
            (self.hashed.is_some(), "hashing"),
            (self.word_pairs, "word pairs"),
        ];
        set.into_iter().find_map(|(set, name)| set.then_some(name))
    }
}

/// Returns the hash of a token: FNV-1a of 32 bits over its UTF-8.
///
/// Every language can compute it in four lines without a library. It does not withstand attacks,
/// but no hash could: with at most 65,536 features, anyone finds words that share one by trying.
#[must_use]
pub fn hash(token: &str) -> u32 {
    let bytes = token.bytes().map(u32::from);
    bytes.fold(0x811c_9dc5, |hash, byte| {
        (hash ^ byte).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_words_have_two_characters_at_least() {
        let found: Vec<&str> = simple("it's a 10 of 10, déjà-vu! x_1 … é").collect();
        assert_eq!(found, ["it", "10", "of", "10", "déjà", "vu", "x_1"]);
    }

    /// Vectors from the authors' page on FNV (draft-eastlake-fnv).
    #[test]
    fn hash_is_fnv_1a() {
        assert_eq!(hash(""), 0x811c_9dc5);
        assert_eq!(hash("a"), 0xe40c_292c);
        assert_eq!(hash("foobar"), 0xbf9c_f968);
    }

    #[test]
    fn tokenizer_is_read_by_its_name() {
        for tokenizer in Tokenizer::ALL {
            assert_eq!(tokenizer.name().parse(), Ok(tokenizer));
        }
        let unknown = "Unicode".parse::<Tokenizer>().expect_err("unknown");
        assert_eq!(
            unknown.to_string(),
            "`Unicode` is no tokenizer; known are simple, unicode"
        );
    }

    #[test]
    fn text_rules_join_neighbors() {
        let rules = TextRules {
            word_pairs: true,
            ..TextRules::default()
        };
        // A word of one letter is no token, so its neighbors are neighbors of each other.
        assert_eq!(
            rules.tokens("not a Good film"),
            ["not", "good", "not good", "film", "good film"]
        );
        assert_eq!(rules.tokens("film"), ["film"]);
        assert!(rules.can_have("film") && rules.can_have("good film"));
        for none in ["", " ", "film ", "good old film", "good  film", "Good film"] {
            assert!(!rules.can_have(none), "{none:?}");
        }
        assert!(!TextRules::default().can_have("good film"));
    }
}
