//! What is remembered of contributions: leaves, the root over a batch of them, and proofs.
//!
//! The tree is a flat complete binary tree: of `n` leaves, node `i` of `2n - 1` has the children
//! `2i + 1` and `2i + 2`, and leaf `j` is node `2n - 2 - j`. A node is the hash of its children in
//! ascending order, so proofs need no directions.

use alloy_primitives::{Address, B256, U256, keccak256};

/// What the record of one contribution is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// Who contributed.
    pub author: Address,
    /// The label that was contributed.
    pub label: u16,
    /// The hash of the sample's bytes.
    pub sample_hash: B256,
    /// In wei.
    pub deposit: u128,
    /// In seconds.
    pub time: u64,
    /// Among all of the model's contributions, from 0.
    pub position: u64,
}

impl Leaf {
    /// `keccak256(abi.encode(author, label, keccak256(sample), deposit, time, position))`.
    #[must_use]
    pub fn hash(&self) -> B256 {
        let words = [
            self.author.into_word(),
            U256::from(self.label).into(),
            self.sample_hash,
            U256::from(self.deposit).into(),
            U256::from(self.time).into(),
            U256::from(self.position).into(),
        ];
        keccak256(words.map(|word| word.0).as_flattened())
    }
}

/// The root over the leaves of a batch; a single leaf is its own root. Zero for no leaves.
#[must_use]
pub fn root(leaves: &[B256]) -> B256 {
    Tree::new(leaves).root()
}

/// The siblings on the way from a leaf up to the root. None, of no use, where there is no such leaf.
///
/// [`Tree`] gives many proofs of one batch at the price of one.
#[must_use]
pub fn proof(leaves: &[B256], index: usize) -> Vec<B256> {
    Tree::new(leaves).proof(index)
}

/// Whether the proof leads from the leaf to the root.
#[must_use]
pub fn verify(proof: &[B256], root: B256, leaf: B256) -> bool {
    proof
        .iter()
        .fold(leaf, |node, sibling| parent(node, *sibling))
        == root
}

/// All nodes over the leaves of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree(Vec<B256>);

impl Tree {
    /// Hashes the leaves up to the root.
    #[must_use]
    pub fn new(leaves: &[B256]) -> Self {
        let inner = leaves.len().saturating_sub(1);
        let mut nodes = vec![B256::ZERO; inner];
        nodes.extend(leaves.iter().rev());
        for node in (0..inner).rev() {
            nodes[node] = parent(nodes[2 * node + 1], nodes[2 * node + 2]);
        }
        Self(nodes)
    }

    /// The root; zero for no leaves.
    #[must_use]
    pub fn root(&self) -> B256 {
        self.0.first().copied().unwrap_or_default()
    }

    /// The siblings on the way from a leaf up to the root, which is above no leaf that does not
    /// exist.
    #[must_use]
    pub fn proof(&self, index: usize) -> Vec<B256> {
        let mut siblings = Vec::new();
        // A tree of n leaves has 2n - 1 nodes, so the last leaf is node n - 1.
        if index > self.0.len() / 2 || self.0.is_empty() {
            return siblings;
        }
        let mut node = self.0.len() - 1 - index;
        while node > 0 {
            // Left children are odd.
            siblings.push(self.0[if node % 2 == 1 { node + 1 } else { node - 1 }]);
            node = (node - 1) / 2;
        }
        siblings
    }
}

fn parent(a: B256, b: B256) -> B256 {
    keccak256([a.min(b).0, a.max(b).0].as_flattened())
}
