//! The parts of the provider's test set: committed to by a hash, revealed later.

use std::ops::Range;

use alloy_primitives::{B256, U256, keccak256};

use crate::{Rejection, classifier::Classifier, sample::Item};

/// The most bytes of a part, and of the contributions of one transaction: what a contract can keep as code.
pub const MOST_BYTES: usize = 24_575;

/// By which the provider commits to a part: `keccak256(abi.encode(part, salt, keccak256(items)))`.
#[must_use]
pub fn commitment(part: u64, salt: B256, items: &[u8]) -> B256 {
    let words = [U256::from(part).into(), salt, keccak256(items)];
    keccak256(words.map(|word: B256| word.0).as_flattened())
}

/// A part that has been revealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    bytes: Vec<u8>,
    /// Labels, and where their samples are among the bytes: parsed and checked once, for what is evaluated
    /// again and again.
    items: Vec<(u16, Range<usize>)>,
    /// How many the model that the market begins with predicts right.
    pub(super) correct: u64,
}

impl Part {
    /// Reads the items of a part and evaluates the model on them.
    ///
    /// # Errors
    /// Those of [`Classifier::check_batch`].
    pub(super) fn new(initial: &Classifier, bytes: &[u8]) -> Result<Self, Rejection> {
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

    /// How many samples the model predicts right; it has the parameters of the one that they were checked by.
    pub(super) fn evaluate(&self, model: &Classifier) -> u64 {
        Self::count(model, &self.bytes, &self.items)
    }

    /// The same of some of the samples, by their places.
    pub(super) fn evaluate_some(&self, model: &Classifier, places: Range<u64>) -> u64 {
        let place = |at| usize::try_from(at).unwrap_or(usize::MAX);
        let some = self.items.get(place(places.start)..place(places.end));
        Self::count(model, &self.bytes, some.unwrap_or_default())
    }

    fn count(model: &Classifier, bytes: &[u8], items: &[(u16, Range<usize>)]) -> u64 {
        let items = items.iter().map(|(label, place)| Item {
            label: *label,
            sample: &bytes[place.clone()],
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
