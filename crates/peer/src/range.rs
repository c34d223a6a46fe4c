//! Ranges of ids, which two peers compare by fingerprints.

use std::{hash::Hasher, ops::RangeInclusive};

use alloy_primitives::B256;
use cotrain_log::Set;
use siphasher::sip128::{Hasher128, SipHasher24};

/// Maximum number of ids that are listed instead of split.
pub const LEAF: usize = 32;

/// Number of hexadecimal digits of an id.
const DIGITS: u8 = 64;

/// First hexadecimal digits of ids, which are a range of the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    depth: u8,
    /// Lowest id of the range.
    first: B256,
}

impl Prefix {
    /// Range of all ids.
    pub const ALL: Self = Self {
        depth: 0,
        first: B256::ZERO,
    };

    /// Returns the number of digits.
    #[must_use]
    pub fn depth(self) -> u8 {
        self.depth
    }

    /// Returns the digits, two a byte. After an odd number of digits follows a 0.
    #[must_use]
    pub fn packed(&self) -> &[u8] {
        &self.first[..usize::from(self.depth).div_ceil(2)]
    }

    /// Returns the prefix of this depth with these digits; `None` if they do not fit.
    #[must_use]
    pub fn unpacked(depth: u8, packed: &[u8]) -> Option<Self> {
        let odd = depth % 2 == 1 && packed.last().is_some_and(|last| last & 0x0f != 0);
        let fits = depth <= DIGITS && packed.len() == usize::from(depth).div_ceil(2) && !odd;
        fits.then(|| {
            let mut first = B256::ZERO;
            first[..packed.len()].copy_from_slice(packed);
            Self { depth, first }
        })
    }

    /// Returns the range whose next digit is this one, below 16; `None` for a whole id.
    #[must_use]
    pub fn child(self, digit: u8) -> Option<Self> {
        if self.depth >= DIGITS || digit > 15 {
            return None;
        }
        let mut first = self.first;
        first[usize::from(self.depth / 2)] |= if self.depth.is_multiple_of(2) {
            digit << 4
        } else {
            digit
        };
        Some(Self {
            depth: self.depth + 1,
            first,
        })
    }

    /// Returns the lowest id.
    #[must_use]
    pub fn first(&self) -> B256 {
        self.first
    }

    /// Returns the highest id.
    #[must_use]
    pub fn last(&self) -> B256 {
        let mut last = self.first;
        let at = usize::from(self.depth / 2);
        if !self.depth.is_multiple_of(2) {
            last[at] |= 0x0f;
        }
        last[usize::from(self.depth).div_ceil(2)..].fill(0xff);
        last
    }

    /// Returns `true` if the range has this id.
    #[must_use]
    pub fn covers(&self, id: &B256) -> bool {
        (self.first..=self.last()).contains(id)
    }

    fn range(&self) -> RangeInclusive<B256> {
        self.first..=self.last()
    }
}

/// Statement of one peer about its ids within a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Fingerprint of each part by the next digit; `None` for an empty part.
    Split(Box<[Option<u128>; 16]>),
    /// All ids, at most [`LEAF`].
    List(Vec<B256>),
    /// Ids that the other peer lacks. They need no answer but a wish.
    Held(Vec<B256>),
}

/// Part of a reconciliation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// Ids that it is about.
    pub prefix: Prefix,
    /// Statement about them.
    pub content: Content,
}

impl Range {
    /// Returns its size as bytes of a frame.
    pub(crate) fn size(&self) -> usize {
        let content = match &self.content {
            Content::Split(prints) => 2 + 16 * prints.iter().flatten().count(),
            Content::List(ids) => 1 + 32 * ids.len(),
            Content::Held(ids) => 2 + 32 * ids.len(),
        };
        2 + self.prefix.packed().len() + content
    }
}

/// Key of fingerprints, which two peers share and nobody knows before they meet.
#[derive(Debug, Clone, Copy)]
pub struct Key(pub [u8; 16]);

impl Key {
    /// Returns the fingerprint of ids: the sum of their SipHash-2-4-128, modulo 2^128.
    pub(crate) fn print<'a>(&self, ids: impl Iterator<Item = &'a B256>) -> u128 {
        let hash = |id: &B256| {
            let mut hasher = SipHasher24::new_with_key(&self.0);
            hasher.write(&id.0);
            u128::from_be_bytes(hasher.finish128().as_bytes())
        };
        ids.map(hash).fold(0, u128::wrapping_add)
    }
}

/// Maximum number of ids that one answer says the other peer lacks.
pub(crate) const HELD_MOST: usize = 8_192;

/// Answer to ranges of another peer.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Ranges to send back.
    pub(crate) ranges: Vec<Range>,
    /// Ids that the other peer has, and this one lacks.
    pub(crate) lacking: Vec<B256>,
    /// Number of ids that were hashed or compared.
    pub(crate) work: usize,
    /// Number of ids in `Held`.
    held: usize,
}

/// Returns the opening of a reconciliation.
pub(crate) fn opening(set: &Set, key: Key) -> Vec<Range> {
    let mut answer = Answer::default();
    answer.describe(set, key, Prefix::ALL);
    answer.ranges
}

impl Answer {
    /// Answers ranges until the work exceeds `most`. The rest waits for another reconciliation.
    pub(crate) fn to(set: &Set, key: Key, ranges: Vec<Range>, most: usize) -> Self {
        let mut answer = Self::default();
        for Range { prefix, content } in ranges {
            if answer.work > most {
                break;
            }
            match content {
                Content::Split(prints) => answer.compare(set, key, prefix, &prints),
                Content::List(ids) => {
                    answer.work += ids.len();
                    let extra = set
                        .ids(prefix.range())
                        .filter(|id| ids.binary_search(id).is_err());
                    let extra: Vec<_> = extra.take(HELD_MOST).copied().collect();
                    answer.hold(prefix, extra);
                    answer
                        .lacking
                        .extend(ids.iter().filter(|id| !set.contains(id)));
                }
                Content::Held(ids) => {
                    answer.work += ids.len();
                    answer
                        .lacking
                        .extend(ids.iter().filter(|id| !set.contains(id)));
                }
            }
        }
        answer
    }

    /// Answers a split range: nothing for equal parts.
    fn compare(&mut self, set: &Set, key: Key, prefix: Prefix, prints: &[Option<u128>; 16]) {
        for (digit, theirs) in (0..).zip(prints) {
            let Some(child) = prefix.child(digit) else {
                return;
            };
            self.work += set.ids(child.range()).count();
            let is_empty = set.ids(child.range()).next().is_none();
            let ours = (!is_empty).then(|| key.print(set.ids(child.range())));
            if ours == *theirs {
                continue;
            }
            if theirs.is_none() {
                let ids = set.ids(child.range()).take(HELD_MOST).copied().collect();
                self.hold(child, ids);
            } else {
                self.describe(set, key, child);
            }
        }
    }

    /// Says what is in a range: the ids if they are few, and fingerprints otherwise.
    fn describe(&mut self, set: &Set, key: Key, prefix: Prefix) {
        let few: Vec<_> = set.ids(prefix.range()).take(LEAF + 1).copied().collect();
        let content = if few.len() <= LEAF {
            Content::List(few)
        } else {
            let mut prints = [None; 16];
            for (digit, print) in (0..).zip(&mut prints) {
                let Some(child) = prefix.child(digit) else {
                    break;
                };
                let mut count = 0;
                let ids = set.ids(child.range()).inspect(|_| count += 1);
                let sum = key.print(ids);
                self.work += count;
                *print = (count > 0).then_some(sum);
            }
            Content::Split(Box::new(prints))
        };
        self.ranges.push(Range { prefix, content });
    }

    /// Says which ids the other peer lacks, up to a maximum in one answer.
    fn hold(&mut self, prefix: Prefix, mut ids: Vec<B256>) {
        ids.truncate(HELD_MOST.saturating_sub(self.held));
        self.held += ids.len();
        self.work += ids.len();
        if !ids.is_empty() {
            self.ranges.push(Range {
                prefix,
                content: Content::Held(ids),
            });
        }
    }
}
