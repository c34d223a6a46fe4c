//! The current round of a trainer, as the contract tells it.

use alloy_primitives::{Address, B256, U256};
use cotrain_bindings::federated::{FederatedTrainer, read_phase};
use cotrain_chain::node::{Node, NodeError};
use cotrain_protocol::federated::RoundPhase;

use super::{
    ask::{ask, ask_next},
    facts::{RoundFacts, RoundsError},
};

/// State of the current round in the next block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// Number of the round, from 0.
    pub number: u64,
    /// Version of the model that updates must be based on.
    pub version: u64,
    /// Phase of the round.
    pub phase: RoundPhase,
    /// Last second of the phase; 0 if it has no end.
    pub deadline: u64,
    /// Revealed updates, as bits by their index.
    pub revealed: u32,
    /// Updates that passed the sieve, as bits.
    pub admitted: u32,
    /// The drawn part of the test set.
    pub part: usize,
    /// Number of samples scored so far.
    pub scored: u64,
    /// Commitments in order.
    pub entries: Vec<Entry>,
    /// Number of parts of the test set that are left.
    pub parts_left: u64,
    /// Time of the next block, in Unix seconds.
    pub now: u64,
    /// Height of the latest block.
    pub head: u64,
}

/// A commitment of the current round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its author.
    pub author: Address,
    /// The commitment; of a revealed update its root.
    pub hash: B256,
}

impl Round {
    /// Reads the current round.
    ///
    /// # Errors
    /// [`RoundsError`].
    pub async fn read(node: &Node, facts: &RoundFacts) -> Result<Self, RoundsError> {
        let trainer = facts.trainer;
        let read = Self::read_at(node, trainer).await;
        read.map_err(|source| RoundsError::Node { trainer, source })
    }

    async fn read_at(node: &Node, trainer: Address) -> Result<Self, NodeError> {
        let head = node.head().await?;
        let now = node.now_after(&head).await;
        let status = ask_next(node, trainer, &FederatedTrainer::statusCall {}).await?;
        let left = ask_next(node, trainer, &FederatedTrainer::partsLeftCall {}).await?;
        let phase = read_phase(status.phase).ok_or_else(|| NodeError::Contradictory {
            method: "eth_call",
            message: format!("{trainer} names the phase {}", status.phase),
        })?;
        let committed: u64 = status.committed.saturating_to();
        if committed > u64::from(u32::BITS) {
            return Err(NodeError::Contradictory {
                method: "eth_call",
                message: format!("{trainer} has {committed} commitments, more than bits of a mask"),
            });
        }
        let mut entries = Vec::new();
        for index in 0..committed {
            let index = U256::from(index);
            let entry = ask_next(node, trainer, &FederatedTrainer::entryCall { index }).await?;
            entries.push(Entry {
                author: entry.author,
                hash: entry.hash,
            });
        }
        Ok(Self {
            number: status.number.saturating_to(),
            version: status.version.saturating_to(),
            phase,
            deadline: status.deadline.saturating_to(),
            revealed: status.revealed.saturating_to(),
            admitted: status.admitted.saturating_to(),
            part: status.part.saturating_to(),
            scored: status.scored.saturating_to(),
            entries,
            parts_left: left.saturating_to(),
            now,
            head: head.number,
        })
    }

    /// Returns the index of an author's commitment, if it has one.
    #[must_use]
    pub fn index_of(&self, author: Address) -> Option<usize> {
        self.entries.iter().position(|entry| entry.author == author)
    }

    /// Returns `true` if the update of an index is revealed.
    #[must_use]
    pub fn is_revealed(&self, index: usize) -> bool {
        index < 32 && self.revealed >> index & 1 != 0
    }
}

impl RoundFacts {
    /// Returns an account's free balance of the stake token, and its rewards to collect.
    ///
    /// # Errors
    /// [`RoundsError::Node`].
    pub async fn account(
        &self,
        node: &Node,
        account: Address,
    ) -> Result<(u128, u128), RoundsError> {
        let trainer = self.trainer;
        let call = FederatedTrainer::accountOfCall { account };
        let found = ask(node, trainer, &call, None).await;
        let found = found.map_err(|source| RoundsError::Node { trainer, source })?;
        Ok((found.balance.saturating_to(), found.reward.saturating_to()))
    }

    /// Returns the sums of losses of the current round: of the base, with all updates, and without
    /// each revealed one, in 1/256 bit.
    ///
    /// # Errors
    /// [`RoundsError::Node`].
    pub async fn losses(&self, node: &Node) -> Result<Vec<u64>, RoundsError> {
        let trainer = self.trainer;
        let found = ask(node, trainer, &FederatedTrainer::lossesCall {}, None).await;
        let found = found.map_err(|source| RoundsError::Node { trainer, source })?;
        Ok(found.iter().map(U256::saturating_to).collect())
    }
}
