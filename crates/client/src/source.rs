//! Sources of events: blocks in order, and the events of contracts in them.

use std::future::Future;

use alloy_primitives::{Address, B256};
use cotrain_chain::node::{Block, Node, NodeError, NodeLog};

/// A source of blocks and events, such as a node. Followers of contracts read from it and from
/// nothing else.
///
/// A source that is no node reports its failures as the node's error that fits best.
pub trait EventSource: Send + Sync {
    /// Returns the latest block.
    ///
    /// # Errors
    /// If the source does not answer.
    fn head(&self) -> impl Future<Output = Result<Block, NodeError>> + Send;

    /// Returns the block at a height; `None` if there is none yet.
    ///
    /// # Errors
    /// If the source does not answer.
    fn block(&self, number: u64) -> impl Future<Output = Result<Option<Block>, NodeError>> + Send;

    /// Returns the events of contracts with one of these first topics, in order. They are of the
    /// blocks from `from` to the returned height. That is at most `to`, and less if the source
    /// prefers shorter ranges.
    ///
    /// # Errors
    /// If the source does not answer, or no longer has such old events.
    fn logs_from(
        &self,
        from: u64,
        to: u64,
        contracts: &[Address],
        topics: &[B256],
    ) -> impl Future<Output = Result<(Vec<NodeLog>, u64), NodeError>> + Send;

    /// Returns the events of the block with a hash.
    ///
    /// # Errors
    /// Those of [`logs_from`](Self::logs_from), or if the block is of a branch that the source has
    /// left.
    fn logs_of(
        &self,
        block: B256,
        contracts: &[Address],
        topics: &[B256],
    ) -> impl Future<Output = Result<Vec<NodeLog>, NodeError>> + Send;

    /// Asks for shorter ranges from now on, because the events of so many blocks were incomplete.
    fn narrow_logs(&self, blocks: u64);

    /// Returns the node whose contracts' state the events are checked against. `None` if the events
    /// need no such evidence.
    fn contracts(&self) -> Option<&Node>;
}

impl EventSource for Node {
    async fn head(&self) -> Result<Block, NodeError> {
        Self::head(self).await
    }

    async fn block(&self, number: u64) -> Result<Option<Block>, NodeError> {
        Self::block(self, number).await
    }

    async fn logs_from(
        &self,
        from: u64,
        to: u64,
        contracts: &[Address],
        topics: &[B256],
    ) -> Result<(Vec<NodeLog>, u64), NodeError> {
        Self::logs_from(self, from, to, contracts, topics).await
    }

    async fn logs_of(
        &self,
        block: B256,
        contracts: &[Address],
        topics: &[B256],
    ) -> Result<Vec<NodeLog>, NodeError> {
        Self::logs_of(self, block, contracts, topics).await
    }

    fn narrow_logs(&self, blocks: u64) {
        Self::narrow_logs(self, blocks);
    }

    fn contracts(&self) -> Option<&Node> {
        Some(self)
    }
}
