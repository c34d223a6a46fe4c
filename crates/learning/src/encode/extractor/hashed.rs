use super::{Extracted, Extractor, Sort};
use crate::data::Example;
use crate::encode::spec::{FeatureSpec, SpecError};
use crate::encode::text::{TextRules, hash};
use crate::encode::{EncodeError, ReserveFault};

/// Extractor of hashed tokens: a token's feature is its hash modulo their number, and has the value
/// 1. So every word has a feature, also one that no training text has, and tokens may share one.
#[derive(Clone, Debug)]
pub(super) struct Hashed {
    /// Number of features, 2 to 65,536.
    features: u32,
    rules: TextRules,
}

/// Returns the number of features if it is 2 to 65,536.
fn checked(features: usize) -> Option<u32> {
    let features = u32::try_from(features).ok();
    features.filter(|features| (2..=65_536).contains(features))
}

impl Hashed {
    /// Hashes tokens to this number of features.
    pub(super) fn new(features: usize, rules: TextRules) -> Result<Self, EncodeError> {
        match checked(features) {
            Some(features) => Ok(Self { features, rules }),
            None => Err(EncodeError::Hashed { features }),
        }
    }

    /// Checks the number of features in a card.
    pub(super) fn read(features: u32, rules: TextRules) -> Result<Self, SpecError> {
        match checked(features as usize) {
            Some(features) => Ok(Self { features, rules }),
            None => Err(SpecError::Hashed { features }),
        }
    }
}

impl Extractor for Hashed {
    fn takes(&self) -> Sort {
        Sort::Text
    }

    fn features(&self) -> usize {
        self.features as usize
    }

    /// Returns the number after `#`: several words may share it.
    fn name(&self, feature: usize) -> Option<String> {
        (feature < self.features()).then(|| format!("#{feature}"))
    }

    fn noun(&self) -> &'static str {
        "hashed word"
    }

    fn extract(&self, example: Example<'_>) -> Result<Extracted, EncodeError> {
        let Example::Text(text) = example else {
            return Err(self.takes().mismatch(example));
        };
        let mut values = Vec::new();
        self.rules.each(text, |token| {
            // The remainder is below 65,536.
            values.extend(u16::try_from(hash(token) % self.features).map(|it| (it, 1.0)));
        });
        Ok(Extracted::new(values))
    }

    fn reserve(&mut self, _name: &str) -> Result<(), ReserveFault> {
        Err(ReserveFault::Hashed)
    }

    fn text_rules(&self) -> Option<TextRules> {
        Some(self.rules)
    }

    fn is_hashed(&self) -> bool {
        true
    }

    fn summary(&self) -> Option<String> {
        Some(format!("hashed {}", self.rules))
    }

    fn spec(&self) -> Option<FeatureSpec> {
        Some(FeatureSpec::Hashed(self.features))
    }
}
