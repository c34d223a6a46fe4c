//! A chain that was set back to an earlier state, and the database that has seen more of it: a development chain goes on
//! from what was saved last. For the follower alone that would look like a node that lags.

use alloy_primitives::{Address, B256};
use cotrain_chain::node::{Node, NodeError};

use crate::{
    index::IndexError,
    store::{Followed, Store},
};

/// What was taken back of one model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewound {
    /// The address of the model's trainer.
    pub trainer: Address,
    /// The last block that was read of it.
    pub from: u64,
    /// The last of these that the chain still has; none if the model is not on the chain any more, and forgotten.
    pub to: Option<u64>,
    /// Signed batches that were sent, and wait again.
    pub waiting_again: u64,
}

impl Store {
    /// Makes the database know no more of the node's chain than the node does. Transactions that are lost are given up,
    /// and the signed batches in them wait again: they are sent with nonces that fit the chain. Nothing else may use
    /// the database meanwhile.
    ///
    /// # Errors
    /// [`IndexError::OtherChain`] if a model is not on the chain although the chain is long enough to have it.
    pub async fn rewind(&self, node: &Node) -> Result<Vec<Rewound>, IndexError> {
        let head = node.head().await?.number;
        let mut all = Vec::new();
        for model in self.followed(node.chain_id()).await? {
            let from = model.cursor.block;
            if has(node, head, from, model.cursor.hash).await? {
                continue;
            }
            let to = self.go_back(node, head, &model).await?;
            let waiting_again = match to {
                Some(_) => self.give_up_lost(node, &model).await?,
                None => 0,
            };
            all.push(Rewound {
                trainer: model.trainer,
                from,
                to,
                waiting_again,
            });
        }
        Ok(all)
    }

    /// Takes back what came after the last block that the chain still has; with that block.
    async fn go_back(
        &self,
        node: &Node,
        head: u64,
        model: &Followed,
    ) -> Result<Option<u64>, IndexError> {
        for known in self.known_blocks(model.id).await? {
            if has(node, head, known.block, known.hash).await? {
                self.roll_back(model.id, known).await?;
                return Ok(Some(known.block));
            }
        }
        if model.from_block <= head {
            return Err(IndexError::OtherChain {
                trainer: model.trainer,
                block: model.from_block,
            });
        }
        self.forget_model(model.id).await?;
        Ok(None)
    }

    /// Gives up transactions that are in no block of the chain; with the batches that wait again.
    async fn give_up_lost(&self, node: &Node, model: &Followed) -> Result<u64, IndexError> {
        let mut lost = Vec::new();
        for (id, attempts) in self.unsent(model.id).await? {
            let mut included = false;
            for attempt in attempts {
                included |= node.receipt(attempt).await?.is_some();
            }
            if !included {
                lost.push(id);
            }
        }
        Ok(self.give_up(&lost).await?)
    }

    /// Returns number and hash of the blocks in which the models of a chain were closed, whose states the models begin
    /// with.
    ///
    /// # Errors
    /// Where the database or the node fails.
    pub async fn beginnings(&self, node: &Node) -> Result<Vec<(u64, B256)>, IndexError> {
        let mut all = Vec::new();
        for model in self.followed(node.chain_id()).await? {
            if let Some(block) = node.block(model.from_block).await? {
                all.push((block.number, block.hash));
            }
        }
        Ok(all)
    }
}

/// Returns whether a block is on the chain.
async fn has(node: &Node, head: u64, number: u64, hash: B256) -> Result<bool, NodeError> {
    // Some nodes fail where they are asked for what is to come.
    if number > head {
        return Ok(false);
    }
    Ok(node.block(number).await?.is_some_and(|it| it.hash == hash))
}
