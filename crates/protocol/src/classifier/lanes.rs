//! Numbers packed into 256-bit words, the first one least significant.

use std::fmt::Debug;

use alloy_primitives::U256;

/// Type of number that is packed into words.
pub(super) trait Lane: Copy + Debug + Default + PartialEq {
    /// Number of lanes in a word.
    const PER_WORD: usize;

    /// Returns how many words `count` numbers take.
    fn words(count: usize) -> usize {
        count.div_ceil(Self::PER_WORD)
    }

    /// Packs at most `PER_WORD` numbers into a word.
    fn pack(lanes: &[Self]) -> U256;

    /// Unpacks the first `lanes.len()` numbers of a word.
    fn unpack(word: U256, lanes: &mut [Self]);
}

macro_rules! lane {
    ($number:ty) => {
        impl Lane for $number {
            const PER_WORD: usize = 32 / size_of::<Self>();

            fn pack(lanes: &[Self]) -> U256 {
                let mut bytes = [0; 32];
                for (chunk, lane) in bytes.as_chunks_mut().0.iter_mut().zip(lanes) {
                    *chunk = lane.to_le_bytes();
                }
                U256::from_le_bytes(bytes)
            }

            fn unpack(word: U256, lanes: &mut [Self]) {
                let bytes = word.to_le_bytes::<32>();
                for (lane, chunk) in lanes.iter_mut().zip(bytes.as_chunks().0) {
                    *lane = Self::from_le_bytes(*chunk);
                }
            }
        }
    };
}

lane!(i16);
lane!(u16);
lane!(i64);

/// Numbers that fill whole words.
///
/// Numbers after the last feature have no meaning, but are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lanes<T>(Vec<T>);

impl<T: Lane> Lanes<T> {
    /// Creates lanes of zeros that fill `words` words.
    pub(super) fn new(words: usize) -> Self {
        Self(vec![T::default(); words * T::PER_WORD])
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[T] {
        &self.0
    }

    #[inline]
    pub(super) fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.0
    }

    pub(super) fn word(&self, index: usize) -> U256 {
        T::pack(&self.0[index * T::PER_WORD..][..T::PER_WORD])
    }

    pub(super) fn set_word(&mut self, index: usize, word: U256) {
        T::unpack(word, &mut self.0[index * T::PER_WORD..][..T::PER_WORD]);
    }
}
