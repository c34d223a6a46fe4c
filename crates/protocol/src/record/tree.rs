//! The Merkle tree over the leaves of a batch, and proofs of some of them at once.
//!
//! The tree is a flat complete binary tree: of `n` leaves, node `i` of `2n - 1` has the children
//! `2i + 1` and `2i + 2`, and leaf `j` is node `2n - 2 - j`. A node is the hash of its children in
//! ascending order, so proofs need no directions.

use std::collections::{BTreeSet, VecDeque};

use alloy_primitives::{B256, keccak256};

/// What leads from some leaves of a tree to its root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MultiProof {
    /// The nodes that do not follow from the leaves, in the order of their use.
    pub proof: Vec<B256>,
    /// For each parent on the way to the root, whether its second child follows from the leaves (true)
    /// or is the next one of the proof (false).
    pub flags: Vec<bool>,
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

    /// The root: of a single leaf, the leaf; zero for no leaves.
    #[must_use]
    pub fn root(&self) -> B256 {
        self.0.first().copied().unwrap_or_default()
    }

    /// What leads from these leaves, by their indices, to the root. Indices of no leaf are passed over.
    ///
    /// It proves the leaves in ascending order of their indices, each once. It proves nothing where there
    /// are none.
    #[must_use]
    pub fn multi_proof(&self, leaves: &[usize]) -> MultiProof {
        // A tree of n leaves has 2n - 1 nodes, so the last leaf is node n - 1.
        let (last, first) = (self.0.len() / 2, self.0.len());
        let mut nodes: BTreeSet<_> = leaves
            .iter()
            .filter_map(|leaf| first.checked_sub(1)?.checked_sub(*leaf))
            .filter(|node| *node >= last)
            .collect();
        let mut multi = MultiProof::default();
        // The queue of the verification is in descending order throughout: the next one is the last.
        while let Some(node) = nodes.pop_last().filter(|node| *node > 0) {
            // Left children are odd.
            let sibling = if node % 2 == 1 { node + 1 } else { node - 1 };
            let known = nodes.remove(&sibling);
            if !known {
                multi.proof.push(self.0[sibling]);
            }
            multi.flags.push(known);
            nodes.insert((node - 1) / 2);
        }
        multi
    }
}

/// Whether the proof and flags lead from the leaves to the root, as `MerkleProofLib.verifyMultiProof` of
/// solady has it; not where there are too many or too few of anything.
///
/// No leaves are proved by the root itself as the only node of the proof.
#[must_use]
pub fn verify_multi(leaves: &[B256], proof: &[B256], flags: &[bool], root: B256) -> bool {
    let mut queue: VecDeque<_> = leaves.iter().copied().collect();
    let mut proof = proof.iter().copied();
    for known in flags {
        let first = queue.pop_front();
        let second = if *known {
            queue.pop_front()
        } else {
            proof.next()
        };
        let (Some(first), Some(second)) = (first, second) else {
            return false;
        };
        queue.push_back(parent(first, second));
    }
    queue.into_iter().chain(proof).eq([root])
}

fn parent(a: B256, b: B256) -> B256 {
    keccak256([a.min(b).0, a.max(b).0].as_flattened())
}
