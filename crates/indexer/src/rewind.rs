//! Recovery if a chain was set back to an earlier state than the database knows.
//!
//! A development chain resumes from its last saved state.
//! The follower alone would take it for a lagging node.

use alloy_primitives::B256;
use cotrain_chain::node::NodeError;
use cotrain_client::source::EventSource;

use crate::{
    follower::IndexError,
    source::ContractSource,
    store::{ChainStore, Followed},
};

/// Result of setting the database back to the state of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetBack {
    /// The chain has all blocks that the database knows.
    Unchanged,
    /// The database was rolled back to the block with this number.
    To(u64),
    /// The model is no longer on the chain, and the database has deleted it.
    Forgotten,
}

impl ChainStore {
    /// Rolls the database back until it knows no more of a contract than the source's chain.
    ///
    /// `head` is the number of the chain's latest block.
    /// No other process may use the database meanwhile.
    ///
    /// # Errors
    /// [`IndexError::OtherChain`] if the chain reaches the model's first block but lacks the model,
    /// or if the database or the source fails.
    pub async fn set_back<S: EventSource>(
        &self,
        source: &S,
        head: u64,
        model: &Followed,
    ) -> Result<SetBack, IndexError> {
        if has(source, head, model.cursor.block, model.cursor.hash).await? {
            return Ok(SetBack::Unchanged);
        }
        for known in self.known_blocks(model.id).await? {
            if has(source, head, known.block, known.hash).await? {
                self.roll_back(model.id, known).await?;
                return Ok(SetBack::To(known.block));
            }
        }
        if model.from_block <= head {
            return Err(IndexError::OtherChain {
                word: "contract",
                trainer: model.trainer,
                block: model.from_block,
            });
        }
        self.forget_model(model.id).await?;
        Ok(SetBack::Forgotten)
    }

    /// Returns number and hash of the closing block of each followed model of the chain.
    ///
    /// # Errors
    /// If the database or the source fails.
    pub async fn beginnings<S: ContractSource>(
        &self,
        source: &S,
    ) -> Result<Vec<(u64, B256)>, IndexError> {
        let mut all = Vec::new();
        for model in self.followed(source.chain_id()).await? {
            if let Some(block) = source.block(model.from_block).await? {
                all.push((block.number, block.hash));
            }
        }
        Ok(all)
    }
}

/// Returns `true` if the chain has a block with this number and hash.
async fn has<S: EventSource>(
    source: &S,
    head: u64,
    number: u64,
    hash: B256,
) -> Result<bool, NodeError> {
    // Some nodes fail if they are asked for a future block.
    if number > head {
        return Ok(false);
    }
    Ok(source
        .block(number)
        .await?
        .is_some_and(|it| it.hash == hash))
}
