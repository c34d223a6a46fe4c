use std::collections::HashMap;

use super::{Extracted, Extractor, Sort, most_frequent, once};
use crate::data::{Example, Part};
use crate::encode::spec::{FeatureSpec, SpecError};
use crate::encode::text::{TextRules, Tokenizer};
use crate::encode::{DEFAULT_WORDS, EncodeError, ReserveFault};

/// Extractor of the words and pairs of words of a vocabulary: one that occurs in a text has the
/// value 1.
#[derive(Clone, Debug)]
pub(super) struct Words {
    /// Words in the order of their features.
    list: Vec<String>,
    /// Feature of each of the first 65,536 words. No classifier has more.
    numbers: HashMap<String, u16>,
    rules: TextRules,
}

impl Words {
    fn new(words: Vec<String>, rules: TextRules) -> Self {
        Self {
            numbers: words.iter().cloned().zip(0..=u16::MAX).collect(),
            list: words,
            rules,
        }
    }

    /// Chooses the most frequent words, by default 2,000.
    pub(super) fn learn(part: &Part, rules: TextRules, features: Option<usize>) -> Self {
        let wanted = features.unwrap_or(DEFAULT_WORDS);
        Self::new(most_frequent(counts(part, rules), wanted), rules)
    }

    /// Checks the words of a card.
    pub(super) fn read(words: Vec<String>, rules: TextRules) -> Result<Self, SpecError> {
        for (feature, word) in words.iter().enumerate() {
            if !rules.can_have(word) {
                let word = word.clone();
                return Err(if rules == TextRules::default() {
                    SpecError::NotAWord { feature, word }
                } else {
                    SpecError::NotAToken {
                        feature,
                        word,
                        rules,
                    }
                });
            }
        }
        once(&words)?;
        Ok(Self::new(words, rules))
    }
}

impl Extractor for Words {
    fn takes(&self) -> Sort {
        Sort::Text
    }

    fn features(&self) -> usize {
        self.list.len()
    }

    fn name(&self, feature: usize) -> Option<String> {
        self.list.get(feature).cloned()
    }

    fn noun(&self) -> &'static str {
        "word"
    }

    fn extract(&self, example: Example<'_>) -> Result<Extracted, EncodeError> {
        let Example::Text(text) = example else {
            return Err(self.takes().mismatch(example));
        };
        let mut values = Vec::new();
        self.rules.each(text, |token| {
            values.extend(self.numbers.get(token).map(|&number| (number, 1.0)));
        });
        Ok(Extracted::new(values))
    }

    fn reserve(&mut self, name: &str) -> Result<(), ReserveFault> {
        if !self.rules.can_have(name) {
            let read = self.rules.tokens(name);
            return Err(match (read.is_empty(), self.rules.tokenizer) {
                (true, Tokenizer::Simple) => ReserveFault::NoWord,
                (true, Tokenizer::Unicode) => ReserveFault::NoToken,
                (false, _) => ReserveFault::OtherWords(read),
            });
        }
        if self.list.iter().any(|word| word == name) {
            return Err(ReserveFault::Known);
        }
        if let Ok(number) = u16::try_from(self.list.len()) {
            self.numbers.insert(name.to_owned(), number);
        }
        self.list.push(name.to_owned());
        Ok(())
    }

    fn text_rules(&self) -> Option<TextRules> {
        Some(self.rules)
    }

    fn summary(&self) -> Option<String> {
        (self.rules != TextRules::default()).then(|| self.rules.to_string())
    }

    fn spec(&self) -> Option<FeatureSpec> {
        Some(FeatureSpec::Words(self.list.clone()))
    }
}

/// Counts the examples that contain each token.
fn counts(part: &Part, rules: TextRules) -> impl Iterator<Item = (String, u32)> {
    // With the number of examples, the last of them.
    let mut counts: HashMap<String, (u32, usize)> = HashMap::new();
    for (index, example) in part.examples().enumerate() {
        if let Example::Text(text) = example {
            rules.each(text, |token| match counts.get_mut(token) {
                Some((_, last)) if *last == index => {}
                Some((count, last)) => (*count, *last) = (*count + 1, index),
                None => {
                    counts.insert(token.to_owned(), (1, index));
                }
            });
        }
    }
    counts.into_iter().map(|(token, (count, _))| (token, count))
}
