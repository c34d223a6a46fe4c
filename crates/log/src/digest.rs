//! Digest that tells whether two peers have the same log.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Keccak256};
use cotrain_protocol::{classifier::Classifier, sample::parse_batch};

use crate::{set::Set, terms::Terms};

/// First bytes of the digested text.
const PREFIX: &[u8] = b"cotrain.log.digest.1";

/// An author's standing in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// The nonce after the highest one with an item.
    pub next_nonce: u64,
    /// Number of contributions.
    pub contributions: u64,
    /// Number of contributions with which the model of all items agrees.
    ///
    /// It can fall, since further items change the model.
    pub points: u64,
}

/// Returns the standing of each author, as a model judges it.
pub(crate) fn standings(set: &Set, model: &Classifier) -> BTreeMap<Address, Standing> {
    let mut standings = BTreeMap::<Address, Standing>::new();
    for item in set.items() {
        let turn = item.turn();
        let items = parse_batch(item.batch()).unwrap_or_default();
        let agreed = model.evaluate(&items).unwrap_or_default();
        let standing = standings.entry(turn.author).or_default();
        standing.next_nonce = turn.nonce + 1;
        standing.contributions += items.len() as u64;
        standing.points += agreed as u64;
    }
    standings
}

/// Keccak-256 of a log's name, set, model and standings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub B256);

/// Returns the digest of a log. `docs/log.md` has its bytes.
pub(crate) fn digest(
    terms: &Terms,
    set: &Set,
    model: &Classifier,
    standings: &BTreeMap<Address, Standing>,
) -> Digest {
    let mut hasher = Keccak256::new();
    hasher.update(PREFIX);
    hasher.update(terms.name());
    hasher.update((set.len() as u64).to_be_bytes());
    for item in set.items() {
        hasher.update(item.id());
    }
    for word in model.words() {
        hasher.update(word.to_be_bytes::<32>());
    }
    hasher.update((standings.len() as u64).to_be_bytes());
    for (author, standing) in standings {
        hasher.update(author);
        hasher.update(standing.next_nonce.to_be_bytes());
        hasher.update(standing.contributions.to_be_bytes());
        hasher.update(standing.points.to_be_bytes());
    }
    Digest(hasher.finalize())
}
