//! Roots over the chunks of an update, so that one chunk is proven without the others.
//!
//! A leaf is the hash of a chunk's bytes. Leaves are padded with zeros to a power of two.
//! A node is the hash of its children in order, so a proof is for one index alone.

use alloy_primitives::{B256, keccak256};

/// All nodes of the tree over an encoded update's chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunks {
    /// Levels from the leaves to the root, each with twice as many nodes as the next.
    levels: Vec<Vec<B256>>,
}

impl Chunks {
    /// Builds the tree over chunks of `size` bytes. The last chunk may be shorter.
    ///
    /// A size of 0 counts as 1. Without bytes there is one empty chunk.
    #[must_use]
    pub fn new(bytes: &[u8], size: usize) -> Self {
        let mut leaves: Vec<B256> = bytes.chunks(size.max(1)).map(keccak256).collect();
        if leaves.is_empty() {
            leaves.push(keccak256([]));
        }
        leaves.resize(leaves.len().next_power_of_two(), B256::ZERO);
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let parents = below.chunks_exact(2).map(|pair| parent(pair[0], pair[1]));
            levels.push(parents.collect());
        }
        Self { levels }
    }

    /// Returns the root.
    #[must_use]
    pub fn root(&self) -> B256 {
        let last = self.levels.last().and_then(|level| level.first());
        last.copied().unwrap_or_default()
    }

    /// Returns the proof of a chunk: the siblings on its way to the root.
    ///
    /// `None` if the index is beyond the tree.
    #[must_use]
    pub fn proof(&self, index: usize) -> Option<Vec<B256>> {
        let (_, below) = self.levels.split_last()?;
        let siblings = below.iter().enumerate();
        siblings
            .map(|(level, nodes)| nodes.get((index >> level) ^ 1).copied())
            .collect::<Option<Vec<B256>>>()
            .filter(|_| index < self.levels[0].len())
    }
}

/// Returns the root that a chunk and its proof lead to.
///
/// `None` if the index is not one of so many chunks, or the proof has another length than theirs.
#[must_use]
pub fn root_of_chunk(chunk: &[u8], index: usize, chunks: usize, proof: &[B256]) -> Option<B256> {
    let depth = chunks.checked_next_power_of_two()?.ilog2();
    if index >= chunks || proof.len() != depth as usize {
        return None;
    }
    let siblings = proof.iter().enumerate();
    Some(siblings.fold(keccak256(chunk), |node, (level, &sibling)| {
        if (index >> level) & 1 == 0 {
            parent(node, sibling)
        } else {
            parent(sibling, node)
        }
    }))
}

fn parent(left: B256, right: B256) -> B256 {
    keccak256([left.0, right.0].as_flattened())
}
