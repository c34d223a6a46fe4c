//! Records of contributions.
//!
//! The trainer keeps one root for all contributions of one transaction.
//! A claim names some of them and carries the proof.

mod tree;

use std::collections::BTreeMap;

use alloy_primitives::{
    Address, B256, U256,
    aliases::{U40, U96},
    keccak256,
};

use crate::sample::Item;

pub use self::tree::{MultiProof, Tree, verify_multi};

/// One contribution as its author made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contribution {
    /// Address that the contribution belongs to.
    pub author: Address,
    /// Label that the author gave.
    pub label: u16,
    /// Deposit for this contribution, in wei.
    pub deposit: u128,
    /// Time of the contribution, in Unix seconds.
    pub time: u64,
    /// Position among all contributions of the model, from 0.
    pub position: u64,
    /// Bytes of the sample.
    pub sample: Vec<u8>,
}

impl Contribution {
    /// Returns the hash that stands for the contribution in its record:
    /// `keccak256(abi.encode(author, label, keccak256(sample), deposit, time, position))`.
    #[must_use]
    pub fn leaf(&self) -> B256 {
        let words = [
            self.author.into_word(),
            U256::from(self.label).into(),
            keccak256(&self.sample),
            U256::from(self.deposit).into(),
            U256::from(self.time).into(),
            U256::from(self.position).into(),
        ];
        keccak256(words.map(|word| word.0).as_flattened())
    }
}

/// All contributions of one transaction, and the tree over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    first_position: u64,
    contributions: Vec<Contribution>,
    tree: Tree,
}

impl Record {
    /// Creates the record of one transaction from the values of its event.
    ///
    /// - `first_position`: position of the first contribution
    /// - `deposit`: deposit for each contribution, in wei
    /// - `time`: time of the transaction, in Unix seconds
    /// - `added`: the authors in order, each with their items
    #[must_use]
    pub fn new(
        first_position: u64,
        deposit: u128,
        time: u64,
        added: &[(Address, Vec<Item<'_>>)],
    ) -> Self {
        let items = added
            .iter()
            .flat_map(|(author, items)| items.iter().map(move |item| (*author, item)));
        let contributions: Vec<_> = (first_position..)
            .zip(items)
            .map(|(position, (author, item))| Contribution {
                author,
                label: item.label,
                deposit,
                time,
                position,
                sample: item.sample.to_vec(),
            })
            .collect();
        Self::of(first_position, contributions)
    }

    /// Creates the record of a transaction from all of its contributions, in order of position.
    #[must_use]
    pub fn of(first_position: u64, contributions: Vec<Contribution>) -> Self {
        let leaves: Vec<_> = contributions.iter().map(Contribution::leaf).collect();
        Self {
            first_position,
            tree: Tree::new(&leaves),
            contributions,
        }
    }

    /// Returns the position of the first contribution, which names the transaction.
    #[must_use]
    pub fn first_position(&self) -> u64 {
        self.first_position
    }

    /// Returns the contributions in order of position.
    #[must_use]
    pub fn contributions(&self) -> &[Contribution] {
        &self.contributions
    }

    /// Returns the root that the trainer keeps; zero if there are no contributions.
    #[must_use]
    pub fn root(&self) -> B256 {
        self.tree.root()
    }

    /// Returns claims on the contributions at these positions, in any order, with their proof.
    ///
    /// Positions outside this transaction are ignored.
    #[must_use]
    pub fn claims(&self, positions: &[u64]) -> Claims {
        let mut indices: Vec<_> = positions
            .iter()
            .filter_map(|position| usize::try_from(position.checked_sub(self.first_position)?).ok())
            .filter(|index| *index < self.contributions.len())
            .collect();
        indices.sort_unstable();
        indices.dedup();
        let MultiProof { proof, flags } = self.tree.multi_proof(&indices);
        Claims {
            first_position: self.first_position,
            contributions: indices
                .iter()
                .map(|index| self.contributions[*index].clone())
                .collect(),
            proof,
            flags,
        }
    }
}

/// Groups positions by their transaction, in order. One proof then serves all claims on it.
///
/// Each item is the first position of the transaction and the position of a contribution.
#[must_use]
pub fn group_by_record(claims: impl IntoIterator<Item = (u64, u64)>) -> BTreeMap<u64, Vec<u64>> {
    let mut groups: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for (first_position, position) in claims {
        groups.entry(first_position).or_default().push(position);
    }
    groups
}

/// Claimed contributions of one transaction, with their proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Position of the transaction's first contribution.
    pub first_position: u64,
    /// Claimed contributions, in ascending order of position.
    pub contributions: Vec<Contribution>,
    /// Nodes of the multiproof.
    pub proof: Vec<B256>,
    /// Flags of the multiproof.
    pub flags: Vec<bool>,
}

impl Claims {
    /// Creates a claim on a contribution that came alone in its transaction.
    #[must_use]
    pub fn alone(contribution: Contribution) -> Self {
        Self {
            first_position: contribution.position,
            contributions: vec![contribution],
            proof: vec![],
            flags: vec![],
        }
    }

    /// Encodes the claims as the contract reads them. Several groups are concatenated.
    ///
    /// The format is `first position (8 bytes) | number of contributions (2) | number of nodes (2) |
    /// contributions | flags | nodes (32 each)`.
    /// A contribution is `author (20) | deposit (12) | label (2) | time (5) | position (8) | length
    /// (2) | sample`.
    /// Flags are bits, from the highest bit of the first byte on.
    ///
    /// No contract reads claims with more than 65,535 contributions or nodes, or with a longer
    /// sample.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let length = |length: usize| u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        let mut bytes = self.first_position.to_be_bytes().to_vec();
        bytes.extend(length(self.contributions.len()));
        bytes.extend(length(self.proof.len()));
        for one in &self.contributions {
            bytes.extend(one.author);
            bytes.extend(U96::saturating_from(one.deposit).to_be_bytes::<12>());
            bytes.extend(one.label.to_be_bytes());
            bytes.extend(U40::saturating_from(one.time).to_be_bytes::<5>());
            bytes.extend(one.position.to_be_bytes());
            bytes.extend(length(one.sample.len()));
            bytes.extend(&one.sample);
        }
        for flags in self.flags.chunks(8) {
            let bits = flags.iter().enumerate();
            bytes.push(bits.fold(0, |byte, (index, flag)| {
                byte | u8::from(*flag) << (7 - index)
            }));
        }
        bytes.extend(self.proof.iter().flatten());
        bytes
    }

    /// Returns `true` if these contributions belong to the transaction with that root.
    #[must_use]
    pub fn verify(&self, root: B256) -> bool {
        let leaves: Vec<_> = self.contributions.iter().map(Contribution::leaf).collect();
        verify_multi(&leaves, &self.proof, &self.flags, root)
    }
}
