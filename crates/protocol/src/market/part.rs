//! Parts of the provider's test set. The provider commits to each by a hash and reveals it later.

use std::ops::Range;

use alloy_primitives::{B256, U256, keccak256};

use crate::{ContractError, classifier::Classifier, sample::Item};

/// Maximum number of bytes of a part, or of the contributions of one transaction: a contract can
/// store so many as code.
pub const MAX_BYTES: usize = 24_575;

/// Returns the provider's commitment to a part: `keccak256(abi.encode(part, salt,
/// keccak256(items)))`.
#[must_use]
pub fn commitment(part: u64, salt: B256, items: &[u8]) -> B256 {
    let words = [U256::from(part).into(), salt, keccak256(items)];
    keccak256(words.map(|word: B256| word.0).as_flattened())
}

/// A revealed part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    bytes: Vec<u8>,
    /// Labels, and the byte ranges of their samples.
    ///
    /// The items are parsed and checked once, because the market evaluates them many times.
    items: Vec<(u16, Range<usize>)>,
    /// Number of samples that the market's initial model predicts right.
    pub(super) correct: u64,
}

impl Part {
    /// Reads the items of a part and evaluates the model on them.
    ///
    /// # Errors
    /// Those of [`Classifier::check_batch`].
    pub(super) fn new(initial: &Classifier, bytes: &[u8]) -> Result<Self, ContractError> {
        let mut end = 0;
        let items = initial.check_batch(bytes)?;
        let items = items.iter().map(|item| {
            // Label and length have two bytes each.
            let start = end + 4;
            end = start + item.sample.len();
            (item.label, start..end)
        });
        let mut part = Self {
            items: items.collect(),
            bytes: bytes.to_vec(),
            correct: 0,
        };
        part.correct = part.evaluate(initial);
        Ok(part)
    }

    /// Counts the samples that the model predicts right.
    ///
    /// Its parameters are those of the model that checked the samples.
    pub(super) fn evaluate(&self, model: &Classifier) -> u64 {
        Self::count(model, &self.bytes, &self.items)
    }

    /// Counts like `evaluate`, for the samples with these indices.
    pub(super) fn evaluate_some(&self, model: &Classifier, range: Range<u64>) -> u64 {
        let index = |at| usize::try_from(at).unwrap_or(usize::MAX);
        let some = self.items.get(index(range.start)..index(range.end));
        Self::count(model, &self.bytes, some.unwrap_or_default())
    }

    fn count(model: &Classifier, bytes: &[u8], items: &[(u16, Range<usize>)]) -> u64 {
        let items = items.iter().map(|(label, index)| Item {
            label: *label,
            sample: &bytes[index.clone()],
        });
        model.evaluate_checked(items)
    }

    pub(super) fn samples(&self) -> u64 {
        self.items.len() as u64
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
