//! Sources of events that also describe how contracts begin.

use std::{fmt, future::Future};

use alloy_primitives::Address;
use cotrain_chain::node::{Block, Node};
use cotrain_client::{
    described::{DescribeError, DescribedModel},
    registry::RegistryError,
    source::EventSource,
};

use crate::{
    info::{ModelError, ModelInfo},
    ledger::Ledger,
    taken::{Beginning, Cursor},
};

/// Reason why a source cannot return the fixed facts of a contract.
#[derive(Debug, thiserror::Error)]
pub enum InfoError {
    /// The registry cannot be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The contract cannot be read.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl From<DescribeError> for InfoError {
    fn from(error: DescribeError) -> Self {
        match error {
            DescribeError::Registry(error) => Self::Registry(error),
            DescribeError::Read(error) => Self::Model(error.into()),
        }
    }
}

/// A source of events that also describes how contracts begin: everything that an index reads.
///
/// A node reads the beginning from the contracts.
pub trait ContractSource: EventSource + Clone + fmt::Debug + 'static {
    /// Returns the id of the chain.
    fn chain_id(&self) -> u64;

    /// Returns the time of the block after `head`, in Unix seconds.
    /// The default is the time of `head`.
    fn now_after(&self, head: &Block) -> impl Future<Output = u64> + Send {
        let time = head.time;
        async move { time }
    }

    /// Reads the fixed facts of a contract, and its card from the registry.
    ///
    /// `from_block` is the block of the closing; `None` if the source has to find it.
    ///
    /// # Errors
    /// If the source does not know the contract, or fails.
    fn info(
        &self,
        registry: Option<Address>,
        contract: Address,
        from_block: Option<u64>,
    ) -> impl Future<Output = Result<ModelInfo, InfoError>> + Send;

    /// Reads the first block, and the beginning of the ledger after that block.
    ///
    /// # Errors
    /// If the contract is not closed in that block, or if the source fails.
    fn beginning<L: Ledger>(
        &self,
        info: &ModelInfo,
    ) -> impl Future<Output = Result<(Cursor, Beginning), ModelError>> + Send;
}

impl ContractSource for Node {
    fn chain_id(&self) -> u64 {
        Self::chain_id(self)
    }

    async fn now_after(&self, head: &Block) -> u64 {
        Self::now_after(self, head).await
    }

    async fn info(
        &self,
        registry: Option<Address>,
        contract: Address,
        from_block: Option<u64>,
    ) -> Result<ModelInfo, InfoError> {
        let read = DescribedModel::read_published(self, registry, contract).await?;
        Ok(ModelInfo::new(read.0, read.1, from_block)?)
    }

    async fn beginning<L: Ledger>(
        &self,
        info: &ModelInfo,
    ) -> Result<(Cursor, Beginning), ModelError> {
        L::begin(info, self).await
    }
}
