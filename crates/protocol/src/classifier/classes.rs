//! Storage of the learners with many classes: one header a class, then the numbers of each class.

use alloy_primitives::U256;

use super::lanes::{Lane, Lanes};
use crate::sample::sparse_features;

/// Header of a class: `samples (bits 0..31) | total (bits 32..159) | unused`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Header {
    /// Number of samples that the class has learned from.
    pub(super) samples: u32,
    /// Sum over the class. Each learner defines its own.
    pub(super) total: u128,
    /// Bits without meaning, which are kept.
    unused: U256,
}

impl Header {
    /// Returns `true` if the class can learn from no further sample.
    pub(super) fn is_full(&self) -> bool {
        self.samples == u32::MAX
    }

    /// Returns the lowest `bits` bits of the total; `bits` is below 64.
    pub(super) fn total_below(&self, bits: u32) -> u64 {
        #[expect(clippy::cast_possible_truncation, reason = "the mask keeps fewer bits")]
        let low = self.total as u64;
        low & ((1 << bits) - 1)
    }

    fn unpack(word: U256) -> Self {
        Self {
            samples: word.wrapping_to(),
            total: (word >> 32_usize).wrapping_to(),
            unused: (word >> 160_usize) << 160_usize,
        }
    }

    fn pack(&self) -> U256 {
        U256::from(self.samples) | U256::from(self.total) << 32_usize | self.unused
    }
}

/// Headers and numbers of all classes of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Classes<T> {
    headers: Vec<Header>,
    lanes: Lanes<T>,
    /// Number of lanes of a class, rounded up to whole words.
    stride: usize,
}

impl<T: Lane> Classes<T> {
    pub(super) fn new(classes: u16, features: usize) -> Self {
        let words = T::words(features);
        Self {
            headers: vec![Header::default(); classes.into()],
            lanes: Lanes::new(usize::from(classes) * words),
            stride: words * T::PER_WORD,
        }
    }

    /// Returns the result of `score` for each class; `None` for a class without samples.
    pub(super) fn each<S>(&self, score: impl Fn(&Header, &[T]) -> S) -> Vec<Option<S>> {
        let lanes = self.lanes.as_slice().chunks_exact(self.stride);
        let classes = self.headers.iter().zip(lanes);
        classes
            .map(|(header, lanes)| (header.samples > 0).then(|| score(header, lanes)))
            .collect()
    }

    /// Returns the best class: each class in turn replaces the best one so far if its score beats
    /// it.
    ///
    /// Classes without samples do not compete. Returns 0 if no class has learned from a sample.
    pub(super) fn best<S>(
        &self,
        score: impl Fn(&Header, &[T]) -> S,
        beats: impl Fn(&S, &S) -> bool,
    ) -> u16 {
        let mut best: Option<(u16, S)> = None;
        let lanes = self.lanes.as_slice().chunks_exact(self.stride);
        for (class, (header, lanes)) in (0..).zip(self.headers.iter().zip(lanes)) {
            if header.samples == 0 {
                continue;
            }
            let new = score(header, lanes);
            if best.as_ref().is_none_or(|(_, best)| beats(&new, best)) {
                best = Some((class, new));
            }
        }
        best.map_or(0, |(class, _)| class)
    }

    /// Returns the header and the numbers of a class.
    pub(super) fn class_mut(&mut self, class: u16) -> (&mut Header, &mut [T]) {
        let class = usize::from(class);
        let start = class * self.stride;
        (
            &mut self.headers[class],
            &mut self.lanes.as_mut_slice()[start..start + self.stride],
        )
    }

    pub(super) fn word(&self, index: usize) -> U256 {
        match self.headers.get(index) {
            Some(header) => header.pack(),
            None => self.lanes.word(index - self.headers.len()),
        }
    }

    pub(super) fn set_word(&mut self, index: usize, word: U256) {
        let headers = self.headers.len();
        match self.headers.get_mut(index) {
            Some(header) => *header = Header::unpack(word),
            None => self.lanes.set_word(index - headers, word),
        }
    }
}

impl Classes<u16> {
    /// Counts a sample's features for its class. Returns `false`, and does nothing, if the class is
    /// full.
    ///
    /// `grow` takes the total and a feature's old count. It returns the total after that count has
    /// risen by 1.
    pub(super) fn count(
        &mut self,
        class: u16,
        sample: &[u8],
        grow: impl Fn(u128, u16) -> u128,
    ) -> bool {
        let (header, counts) = self.class_mut(class);
        if header.is_full() {
            return false;
        }
        for feature in sparse_features(sample) {
            let count = &mut counts[usize::from(feature)];
            if let Some(risen) = count.checked_add(1) {
                header.total = grow(header.total, *count);
                *count = risen;
            }
        }
        header.samples += 1;
        true
    }
}
