//! Numbers that follow from a seed.

use alloy_primitives::{B256, keccak256};

/// Numbers by Keccak-256 of a seed and a counter. Who does not know the seed cannot tell the next.
#[derive(Debug, Clone)]
pub(crate) struct Chance {
    seed: B256,
    drawn: u64,
    /// Numbers of a word that are not used yet.
    rest: Vec<u32>,
}

impl Chance {
    pub(crate) fn new(seed: B256) -> Self {
        Self {
            seed,
            drawn: 0,
            rest: Vec::new(),
        }
    }

    /// Draws 32 bytes.
    pub(crate) fn word(&mut self) -> B256 {
        let mut text = [0; 40];
        text[..32].copy_from_slice(self.seed.as_slice());
        text[32..].copy_from_slice(&self.drawn.to_be_bytes());
        self.drawn += 1;
        keccak256(text)
    }

    /// Draws a number below `end`, and 0 if there is none.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        if self.rest.is_empty() {
            let word = self.word();
            let chunks = word.as_chunks::<4>().0;
            self.rest
                .extend(chunks.iter().map(|it| u32::from_be_bytes(*it)));
        }
        // Each is drawn from many more numbers than any `end` here, so none is preferred much.
        let number = u64::from(self.rest.pop().unwrap_or_default());
        number.checked_rem(end).unwrap_or_default()
    }

    /// Draws an index below `end`, and 0 if there is none.
    pub(crate) fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap_or_default()
    }

    /// Moves `count` of the values to the front, each set with the same probability, and drops the others.
    pub(crate) fn choose<T>(&mut self, mut values: Vec<T>, count: usize) -> Vec<T> {
        for at in 0..count.min(values.len()) {
            let other = at + self.index(values.len() - at);
            values.swap(at, other);
        }
        values.truncate(count);
        values
    }
}
