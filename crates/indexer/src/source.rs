//! Sources that tell how contracts begin, beside their events.

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

/// Reason why a source does not tell what is fixed of a contract.
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

/// A source of events that also tells how contracts begin: everything that an index reads. A node reads it from the
/// contracts.
pub trait ContractSource: EventSource + Clone + fmt::Debug + 'static {
    /// Returns the id of the chain.
    fn chain_id(&self) -> u64;

    /// Returns the time of the block after `head`, in Unix seconds, as far as the source tells; by default that of `head`.
    fn now_after(&self, head: &Block) -> impl Future<Output = u64> + Send {
        let time = head.time;
        async move { time }
    }

    /// Reads what is fixed of a contract, and the words of its owner in the registry. `from_block` is the block in
    /// which it was closed; `None` if the source has to tell.
    ///
    /// # Errors
    /// If the source does not know the contract, or fails.
    fn info(
        &self,
        registry: Option<Address>,
        contract: Address,
        from_block: Option<u64>,
    ) -> impl Future<Output = Result<ModelInfo, InfoError>> + Send;

    /// Reads the block to begin with, and the beginning of the ledger after it.
    ///
    /// # Errors
    /// If the contract is not finished in that block, or the source fails.
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
        let described = DescribedModel::read(self, registry, contract).await?;
        Ok(ModelInfo::new(described, from_block)?)
    }

    async fn beginning<L: Ledger>(
        &self,
        info: &ModelInfo,
    ) -> Result<(Cursor, Beginning), ModelError> {
        L::begin(info, self).await
    }
}
