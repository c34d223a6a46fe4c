//! Merkle tree over the leaves of a batch, with proofs of several leaves at once.
//!
//! The tree is a flat complete binary tree. With `n` leaves it has `2n - 1` nodes.
//! Node `i` has the children `2i + 1` and `2i + 2`, and leaf `j` is node `2n - 2 - j`.
//! A node is the hash of its children in ascending order, so proofs need no directions.

use std::collections::{BTreeSet, VecDeque};

use alloy_primitives::{B256, keccak256};

/// Proof that leads from some leaves of a tree to its root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MultiProof {
    /// Nodes that cannot be computed from the leaves, in the order of their use.
    pub proof: Vec<B256>,
    /// Flags, one for each parent on the way to the root.
    ///
    /// A flag is `true` if the second child is computed from the leaves.
    /// It is `false` if the second child is the next node of the proof.
    pub flags: Vec<bool>,
}

/// All nodes of the tree over a batch's leaves, the root first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree(Vec<B256>);

impl Tree {
    /// Builds the tree from its leaves up to the root.
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

    /// Returns the root. With a single leaf that is the leaf; without leaves it is zero.
    #[must_use]
    pub fn root(&self) -> B256 {
        self.0.first().copied().unwrap_or_default()
    }

    /// Returns the proof of the leaves with these indices. Indices of no leaf are ignored.
    ///
    /// It proves the leaves in ascending order of their indices, each once.
    /// Without leaves it proves nothing.
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
        // The verification's queue is in descending order throughout, so the next node is the last
        // one.
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

/// Returns `true` if the proof and flags lead from the leaves to the root.
///
/// It agrees with `MerkleProofLib.verifyMultiProof` of solady, but returns `false` if there are too
/// many or too few leaves, nodes or flags.
/// An empty set of leaves is proven by the root itself as the only node of the proof.
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
