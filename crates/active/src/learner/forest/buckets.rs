//! Members of a node by their bins, in one pass and without sorting.

use crate::numbers::index;

/// Number of bits of a word of the map.
const BITS: usize = 64;

/// Mark of the end of a chain.
const END: u32 = u32::MAX;

/// Members of a node, each in the chain of its bin.
///
/// A map has a bit for each bin with members, so neither members nor bins are sorted, and a bin
/// without members costs nothing.
pub(super) struct Buckets {
    /// Bins with members, a bit each.
    filled: [u64; 256 / BITS],
    /// Last member of each bin in the map; of no meaning for others.
    last: [u32; 256],
    /// Member of the same bin before each member; `END` for the first one.
    before: Vec<u32>,
}

impl Buckets {
    /// Returns buckets without members, and memory for a number of them.
    pub(super) fn new(members: usize) -> Self {
        Self {
            filled: [0; 256 / BITS],
            last: [END; 256],
            before: Vec::with_capacity(members),
        }
    }

    /// Replaces the members by others, given the bin of each.
    pub(super) fn fill(&mut self, bins: impl Iterator<Item = u8>) {
        self.filled = [0; 256 / BITS];
        self.before.clear();
        for (member, bin) in (0_u32..).zip(bins) {
            let bin = usize::from(bin);
            let (word, bit) = (&mut self.filled[bin / BITS], 1 << (bin % BITS));
            let last = &mut self.last[bin];
            self.before.push(if *word & bit == 0 { END } else { *last });
            *word |= bit;
            *last = member;
        }
    }

    /// Returns the bins with members, rising.
    pub(super) fn bins(&self) -> impl Iterator<Item = u8> + use<> {
        let mut filled = self.filled;
        let mut word = 0;
        std::iter::from_fn(move || {
            while *filled.get(word)? == 0 {
                word += 1;
            }
            let bit = filled[word].trailing_zeros();
            filled[word] &= filled[word] - 1;
            u8::try_from(index(word * BITS) + bit).ok()
        })
    }

    /// Returns the members of a bin that has some, the last one first.
    pub(super) fn members(&self, bin: u8) -> impl Iterator<Item = usize> {
        let mut next = self.last[usize::from(bin)];
        std::iter::from_fn(move || {
            let member = (next != END).then_some(next as usize)?;
            next = self.before[member];
            Some(member)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn buckets_have_each_member_in_its_bin(
            fills in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 1..4),
        ) {
            let mut buckets = Buckets::new(4);
            for bins in fills {
                buckets.fill(bins.iter().copied());
                let mut expected: BTreeMap<u8, Vec<usize>> = BTreeMap::new();
                for (member, &bin) in bins.iter().enumerate().rev() {
                    expected.entry(bin).or_default().push(member);
                }
                let found = buckets.bins().map(|bin| (bin, buckets.members(bin).collect()));
                let found: Vec<(u8, Vec<usize>)> = found.collect();
                prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
            }
        }
    }
}
