//! Followed contracts of any mechanism, and the only list of their ledgers.

use std::{any::Any, fmt, sync::Arc};

use cotrain_chain::node::{Block, Node, NodeError};
use cotrain_client::market::MarketLedger;
use cotrain_protocol::mechanism::Mechanism;
use futures_util::future::BoxFuture;

use crate::{
    evaluation::Evaluation,
    follower::{Follower, IndexError, Step},
    info::{ModelError, ModelInfo},
    ledger::{Ledger, TrainerLedger},
    model::Hosted,
    source::ContractSource,
    store::ChainStore,
    taken::{Cursor, ModelId},
};

/// Loads a contract from the database or the source, with the ledger of its mechanism.
///
/// This is the only list of ledgers in this crate.
/// A new mechanism needs a line here, and an implementation of [`Ledger`].
pub(crate) async fn load<S: ContractSource>(
    info: ModelInfo,
    source: &S,
    store: &ChainStore,
) -> Result<Arc<dyn HostedContract<S>>, ModelError> {
    Ok(match info.facts.terms.mechanism() {
        Mechanism::DepositRefundTake | Mechanism::Points => {
            host::<TrainerLedger, S>(info, source, store).await?
        }
        Mechanism::PredictionMarket => host::<MarketLedger, S>(info, source, store).await?,
    })
}

async fn host<L: Ledger, S: ContractSource>(
    info: ModelInfo,
    source: &S,
    store: &ChainStore,
) -> Result<Arc<dyn HostedContract<S>>, ModelError> {
    Ok(Arc::new(Hosted::<L>::load(info, source, store).await?))
}

/// A followed contract of any mechanism: the part that following, reading along and health need.
///
/// All other callers need the type of its ledger.
/// They get a [`Hosted`] from [`Index::hosted`](crate::Index::hosted).
pub trait HostedContract<S = Node>: fmt::Debug + Send + Sync {
    /// Returns the facts of the contract that never change.
    fn info(&self) -> &ModelInfo;

    /// Returns the number of the contract in its database.
    fn id(&self) -> ModelId;

    /// Returns the last block whose logs the ledger contains.
    fn cursor(&self) -> Cursor;

    /// Returns the reason why the known state may differ from the contract; `None` if they agree.
    fn trouble(&self) -> Option<String>;

    /// Marks the contract as not yet compared with the source.
    fn set_unchecked(&self);

    /// Reloads the state from the database, after a rollback or after a failed write.
    ///
    /// # Errors
    /// If the database fails, or its rows contradict each other.
    fn reload<'a>(&'a self, store: &'a ChainStore) -> BoxFuture<'a, Result<(), ModelError>>;

    /// Reads the changes that another process has stored since the last call.
    ///
    /// # Errors
    /// If the database fails, or its rows contradict each other.
    fn refresh<'a>(&'a self, store: &'a ChainStore) -> BoxFuture<'a, Result<(), ModelError>>;

    /// Compares the known state with the contract.
    /// Processes that only read what another process has stored call this.
    ///
    /// # Errors
    /// If the source does not answer, or does not have the block.
    fn compare<'a>(&'a self, source: &'a S) -> BoxFuture<'a, Result<(), NodeError>>;

    /// Returns a follower of the contract.
    /// It measures the accuracy by `evaluation` if the contract's events determine the weights.
    fn follower(
        self: Arc<Self>,
        source: S,
        store: ChainStore,
        evaluation: Option<Evaluation>,
    ) -> Box<dyn Following>;

    /// Returns the contract as a value that can be downcast to its own type.
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl<S: ContractSource, L: Ledger> HostedContract<S> for Hosted<L> {
    fn info(&self) -> &ModelInfo {
        self.info()
    }

    fn id(&self) -> ModelId {
        self.id()
    }

    fn cursor(&self) -> Cursor {
        self.state().cursor()
    }

    fn trouble(&self) -> Option<String> {
        self.trouble()
    }

    fn set_unchecked(&self) {
        self.set_unchecked();
    }

    fn reload<'a>(&'a self, store: &'a ChainStore) -> BoxFuture<'a, Result<(), ModelError>> {
        Box::pin(self.reload(store))
    }

    fn refresh<'a>(&'a self, store: &'a ChainStore) -> BoxFuture<'a, Result<(), ModelError>> {
        Box::pin(self.refresh(store))
    }

    fn compare<'a>(&'a self, source: &'a S) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(self.compare(source))
    }

    fn follower(
        self: Arc<Self>,
        source: S,
        store: ChainStore,
        evaluation: Option<Evaluation>,
    ) -> Box<dyn Following> {
        Box::new(Follower::new(source, store, self, evaluation))
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

/// A follower of a contract of any mechanism.
pub trait Following: Send {
    /// Takes the next blocks, as [`Follower::step`] does.
    ///
    /// # Errors
    /// [`IndexError`].
    fn step(&mut self) -> BoxFuture<'_, Result<(Step, Block), IndexError>>;

    /// Follows until the head, as [`Follower::catch_up`] does.
    ///
    /// # Errors
    /// [`IndexError`].
    fn catch_up(&mut self) -> BoxFuture<'_, Result<Block, IndexError>>;
}

impl<S: ContractSource, L: Ledger> Following for Follower<S, L> {
    fn step(&mut self) -> BoxFuture<'_, Result<(Step, Block), IndexError>> {
        Box::pin(self.step())
    }

    fn catch_up(&mut self) -> BoxFuture<'_, Result<Block, IndexError>> {
        Box::pin(self.catch_up())
    }
}
