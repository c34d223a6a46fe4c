//! A chain that was set back to an earlier state, and the database that has seen more of it: a development chain goes on
//! from what was saved last. For the follower alone that would look like a node that lags.

use alloy_primitives::B256;
use cotrain_chain::node::NodeError;
use cotrain_client::source::EventSource;

use crate::{
    follower::IndexError,
    source::ContractSource,
    store::{ChainStore, Followed},
};

/// Result of making the database know no more of a model than the chain does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetBack {
    /// The chain has everything that the database has.
    Unchanged,
    /// Everything after this block was taken back.
    To(u64),
    /// The model is not on the chain any more, and forgotten.
    Forgotten,
}

impl ChainStore {
    /// Makes the database know no more of a contract than the source's chain, whose latest block is `head`. Nothing else may
    /// use the database meanwhile.
    ///
    /// # Errors
    /// [`IndexError::OtherChain`] if a model is not on the chain although the chain is long enough to have it.
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

    /// Returns number and hash of the blocks in which the models of a chain were closed, whose states the models begin
    /// with.
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

/// Returns whether a block is on the chain.
async fn has<S: EventSource>(
    source: &S,
    head: u64,
    number: u64,
    hash: B256,
) -> Result<bool, NodeError> {
    // Some nodes fail where they are asked for what is to come.
    if number > head {
        return Ok(false);
    }
    Ok(source
        .block(number)
        .await?
        .is_some_and(|it| it.hash == hash))
}
