use std::collections::{BTreeSet, HashMap};

use super::{Extracted, Extractor, Sort, most_frequent, once};
use crate::data::{Example, Part};
use crate::encode::spec::{FeatureSpec, SpecError};
use crate::encode::{DEFAULT_WORDS, EncodeError, ReserveFault, text};

/// Extractor of the words of a vocabulary: a word that occurs in a text has the value 1.
#[derive(Clone, Debug)]
pub(super) struct Words {
    /// Words in the order of their features.
    words: Vec<String>,
    /// Feature of each of the first 65,536 words. No classifier has more.
    numbers: HashMap<String, u16>,
}

impl Words {
    fn new(words: Vec<String>) -> Self {
        Self {
            numbers: words.iter().cloned().zip(0..=u16::MAX).collect(),
            words,
        }
    }

    /// Chooses the most frequent words, by default 2,000.
    pub(super) fn learn(part: &Part, features: Option<usize>) -> Self {
        Self::new(most_frequent(
            counts(part),
            features.unwrap_or(DEFAULT_WORDS),
        ))
    }

    /// Checks the words of a card.
    pub(super) fn read(words: Vec<String>) -> Result<Self, SpecError> {
        for (feature, word) in words.iter().enumerate() {
            if !text::tokens(&word.to_lowercase()).eq([word.as_str()]) {
                return Err(SpecError::NotAWord {
                    feature,
                    word: word.clone(),
                });
            }
        }
        once(&words)?;
        Ok(Self::new(words))
    }
}

impl Extractor for Words {
    fn takes(&self) -> Sort {
        Sort::Text
    }

    fn features(&self) -> usize {
        self.words.len()
    }

    fn name(&self, feature: usize) -> Option<String> {
        self.words.get(feature).cloned()
    }

    fn noun(&self) -> &'static str {
        "word"
    }

    fn extract(&self, example: Example<'_>) -> Result<Extracted, EncodeError> {
        let Example::Text(text) = example else {
            return Err(self.takes().mismatch(example));
        };
        let text = text.to_lowercase();
        let values = text::tokens(&text).filter_map(|word| Some((*self.numbers.get(word)?, 1.0)));
        Ok(Extracted::new(values.collect()))
    }

    fn reserve(&mut self, name: &str) -> Result<(), ReserveFault> {
        let lower_case = name.to_lowercase();
        let read: Vec<String> = text::tokens(&lower_case).map(ToOwned::to_owned).collect();
        if read.is_empty() {
            return Err(ReserveFault::NoWord);
        }
        if read != [name] {
            return Err(ReserveFault::OtherWords(read));
        }
        if self.words.iter().any(|word| word == name) {
            return Err(ReserveFault::Known);
        }
        if let Ok(number) = u16::try_from(self.words.len()) {
            self.numbers.insert(name.to_owned(), number);
        }
        self.words.push(name.to_owned());
        Ok(())
    }

    fn spec(&self) -> Option<FeatureSpec> {
        Some(FeatureSpec::Words(self.words.clone()))
    }
}

/// Counts the examples that contain each word.
fn counts(part: &Part) -> HashMap<String, u32> {
    let mut counts = HashMap::new();
    for example in part.examples() {
        if let Example::Text(text) = example {
            let text = text.to_lowercase();
            for word in text::tokens(&text).collect::<BTreeSet<_>>() {
                match counts.get_mut(word) {
                    Some(count) => *count += 1,
                    None => {
                        counts.insert(word.to_owned(), 1);
                    }
                }
            }
        }
    }
    counts
}
