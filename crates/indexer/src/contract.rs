//! Followed contracts of any mechanism, and the one list of the ledgers that they have.

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

/// Loads what is known of a contract, with the ledger of its mechanism.
///
/// This is the list of ledgers: a new mechanism needs a line here, and nothing else in this crate but its `Ledger`.
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

/// A contract of any mechanism that is followed over a source: what following, reading along and health need.
///
/// Everything else needs the type of its ledger, [`Hosted`], which [`Index::hosted`](crate::Index::hosted) returns.
pub trait HostedContract<S = Node>: fmt::Debug + Send + Sync {
    /// Returns the facts that never change.
    fn info(&self) -> &ModelInfo;

    /// Returns the number of the contract in its database.
    fn id(&self) -> ModelId;

    /// Returns the last block whose logs were taken over.
    fn cursor(&self) -> Cursor;

    /// Returns why what is known of the contract may not be what it says, if it may not.
    fn trouble(&self) -> Option<String>;

    /// Forgets that it was compared with what the source tells of it.
    fn set_unchecked(&self);

    /// Makes the state what the database has: after a rollback, or if storing failed half way.
    ///
    /// # Errors
    /// If the database fails, or its rows contradict each other.
    fn reload<'a>(&'a self, store: &'a ChainStore) -> BoxFuture<'a, Result<(), ModelError>>;

    /// Takes over what somebody else has stored since.
    ///
    /// # Errors
    /// If the database fails, or its rows contradict each other.
    fn refresh<'a>(&'a self, store: &'a ChainStore) -> BoxFuture<'a, Result<(), ModelError>>;

    /// Compares what is known with the contract, for those that read what somebody else has stored.
    ///
    /// # Errors
    /// If the source does not answer, or does not have the block.
    fn compare<'a>(&'a self, source: &'a S) -> BoxFuture<'a, Result<(), NodeError>>;

    /// Returns a follower, which measures the model by `evaluation` if its events make the weights.
    fn follower(
        self: Arc<Self>,
        source: S,
        store: ChainStore,
        evaluation: Option<Evaluation>,
    ) -> Box<dyn Following>;

    /// Returns it as a value of its own type.
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
