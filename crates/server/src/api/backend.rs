//! What the API asks of a coordinator. Tests answer in its place.

use std::{fmt::Display, sync::Arc};

use alloy_primitives::{Address, B256, Bytes, U256};
use cotrain_protocol::{Rejection, trainer::SignedBatch};
use futures_util::future::BoxFuture;
use thiserror::Error;
use tokio::sync::watch;

// Everything of the coordinator's that the API names is named here and nowhere else in it.
pub(super) use cotrain_protocol::trainer::Delegation;

pub(super) use crate::coordinator::{Coordinator, Health};
pub(super) use cotrain_indexer::{
    Claimable, HostedModel, ModelInfo, Summary,
    rows::{
        AccuracyRow, ClaimKind, ClaimRow, ContributionFilter, ContributionRow, EventRow, Page,
        Settled,
    },
};
pub(super) use cotrain_relayer::{
    AccountView, SubmitError,
    rows::{DelegationRow, Handed, Progress, Submission, TransactionRow},
};

/// The store did not answer, for a reason that is logged and not told to clients.
#[derive(Debug, Error)]
#[error("the store does not answer: {0}")]
pub struct Unavailable(pub String);

/// An answer that has to be waited for.
pub type Answer<'a, T, E = Unavailable> = BoxFuture<'a, Result<T, E>>;

/// What the API asks of a coordinator. Money is in wei, time in Unix seconds.
pub trait Backend: Send + Sync + 'static {
    /// The chain that it follows.
    fn chain_id(&self) -> u64;
    /// Time of the chain's next block, as far as is known.
    fn now(&self) -> u64;
    /// Who relays, if it does.
    fn relayer(&self) -> Option<Address>;
    /// What relaying costs for each contribution, if it does.
    fn min_fee(&self) -> Option<u128>;
    /// Who claims for others, if it does.
    fn keeper(&self) -> Option<Address>;
    /// The models that it follows.
    fn models(&self) -> Vec<Arc<dyn Model>>;
    /// The model of that trainer.
    fn model(&self, trainer: Address) -> Option<Arc<dyn Model>>;
    /// Returns an account of that trainer, with what waits for it in the store.
    fn account(&self, trainer: Address, address: Address) -> Answer<'_, Option<AccountView>>;
    /// Takes a signed batch; it is durable when this returns.
    fn submit(
        &self,
        trainer: Address,
        batch: SignedBatch,
    ) -> Answer<'_, (Submission, Handed), SubmitError>;
    /// What became of a signed batch.
    fn submission(&self, id: B256) -> Answer<'_, Option<Submission>>;
    /// Signed batches, each with the id that pages go by.
    fn submissions(
        &self,
        trainer: Address,
        author: Option<Address>,
        page: Page,
    ) -> Answer<'_, Vec<(i64, Submission)>>;
    /// Contributions, by position.
    fn contributions(
        &self,
        trainer: Address,
        filter: ContributionFilter,
        page: Page,
    ) -> Answer<'_, Vec<ContributionRow>>;
    /// The contribution at a position.
    fn contribution(&self, trainer: Address, position: u64) -> Answer<'_, Option<ContributionRow>>;
    /// What was claimed of it.
    fn claims_of(&self, trainer: Address, position: u64) -> Answer<'_, Vec<ClaimRow>>;
    /// The group of claims on it alone.
    fn proof(&self, trainer: Address, position: u64) -> Answer<'_, Option<Bytes>>;
    /// What an address can claim now or later.
    fn claimable(
        &self,
        trainer: Address,
        account: Address,
        limit: u32,
    ) -> Answer<'_, Vec<Claimable>>;
    /// How good the model was, by block.
    fn accuracy(&self, trainer: Address, page: Page) -> Answer<'_, Vec<AccuracyRow>>;
    /// What happened, by id.
    fn events(&self, trainer: Option<Address>, page: Page) -> Answer<'_, Vec<EventRow>>;
    /// The newest event's id; wakes whenever there may be new ones.
    fn watch_events(&self) -> watch::Receiver<i64>;
    /// What it sent, by id.
    fn transactions(&self, page: Page) -> Answer<'_, Vec<TransactionRow>>;
    /// Takes a delegation.
    fn delegate(
        &self,
        trainer: Address,
        delegation: Delegation,
    ) -> Answer<'_, DelegationRow, SubmitError>;
    /// What an account delegates.
    fn delegation(&self, trainer: Address, account: Address) -> Answer<'_, Option<DelegationRow>>;
    /// How it is.
    fn health(&self) -> BoxFuture<'_, Health>;
}

/// A model as it is at the newest block that was read.
pub trait Model: Send + Sync + 'static {
    /// What is fixed of it.
    fn info(&self) -> &ModelInfo;
    /// Where it stands.
    fn summary(&self, now: u64) -> Summary;
    /// The class of a sample.
    ///
    /// # Errors
    /// Where the sample is none of the model's.
    fn predict(&self, sample: &[u8]) -> Result<u16, Rejection>;
    /// Number and hash of the block that it is of, and its words.
    fn words(&self) -> (u64, B256, Vec<U256>);
}

fn unavailable(error: impl Display) -> Unavailable {
    Unavailable(error.to_string())
}

/// The method of the same name of a coordinator's index or relayer, for one model.
macro_rules! ask {
    ($coordinator:ident . $part:ident . $method:ident ( $trainer:ident, $($argument:ident),* )) => {
        Box::pin(async move {
            match $coordinator.index().model($trainer) {
                Some(model) => $coordinator.$part().$method(&model, $($argument),*).await.map(Into::into).map_err(unavailable),
                None => Ok(Default::default()),
            }
        })
    };
}

impl Backend for Coordinator {
    fn chain_id(&self) -> u64 {
        self.index().chain_id()
    }
    fn now(&self) -> u64 {
        self.index().now()
    }
    fn relayer(&self) -> Option<Address> {
        self.relayer().terms().map(|terms| terms.relayer)
    }
    fn min_fee(&self) -> Option<u128> {
        self.relayer().terms().map(|terms| terms.min_fee)
    }
    fn keeper(&self) -> Option<Address> {
        self.relayer().keeper()
    }
    fn models(&self) -> Vec<Arc<dyn Model>> {
        let models = self.index().models().into_iter();
        models.map(|model| model as Arc<dyn Model>).collect()
    }
    fn model(&self, trainer: Address) -> Option<Arc<dyn Model>> {
        self.index()
            .model(trainer)
            .map(|model| model as Arc<dyn Model>)
    }
    fn account(&self, trainer: Address, address: Address) -> Answer<'_, Option<AccountView>> {
        ask!(self.relayer.account(trainer, address))
    }
    fn submit(
        &self,
        trainer: Address,
        batch: SignedBatch,
    ) -> Answer<'_, (Submission, Handed), SubmitError> {
        Box::pin(self.relayer().submit(trainer, batch))
    }
    fn submission(&self, id: B256) -> Answer<'_, Option<Submission>> {
        Box::pin(async move { self.relayer().submission(id).await.map_err(unavailable) })
    }
    fn submissions(
        &self,
        trainer: Address,
        author: Option<Address>,
        page: Page,
    ) -> Answer<'_, Vec<(i64, Submission)>> {
        ask!(self.relayer.submissions(trainer, author, page))
    }
    fn contributions(
        &self,
        trainer: Address,
        filter: ContributionFilter,
        page: Page,
    ) -> Answer<'_, Vec<ContributionRow>> {
        ask!(self.index.contributions(trainer, filter, page))
    }
    fn contribution(&self, trainer: Address, position: u64) -> Answer<'_, Option<ContributionRow>> {
        ask!(self.index.contribution(trainer, position))
    }
    fn claims_of(&self, trainer: Address, position: u64) -> Answer<'_, Vec<ClaimRow>> {
        ask!(self.index.claims_of(trainer, position))
    }
    fn proof(&self, trainer: Address, position: u64) -> Answer<'_, Option<Bytes>> {
        ask!(self.index.proof(trainer, position))
    }
    fn claimable(
        &self,
        trainer: Address,
        account: Address,
        limit: u32,
    ) -> Answer<'_, Vec<Claimable>> {
        ask!(self.index.claimable(trainer, account, limit))
    }
    fn accuracy(&self, trainer: Address, page: Page) -> Answer<'_, Vec<AccuracyRow>> {
        ask!(self.index.accuracy(trainer, page))
    }
    fn events(&self, trainer: Option<Address>, page: Page) -> Answer<'_, Vec<EventRow>> {
        Box::pin(async move {
            let model = trainer.map(|trainer| self.index().model(trainer));
            match model {
                Some(None) => Ok(Vec::new()),
                Some(Some(model)) => self.index().events(Some(&model), page).await,
                None => self.index().events(None, page).await,
            }
            .map_err(unavailable)
        })
    }
    fn watch_events(&self) -> watch::Receiver<i64> {
        self.index().watch_events()
    }
    fn transactions(&self, page: Page) -> Answer<'_, Vec<TransactionRow>> {
        Box::pin(async move { self.relayer().transactions(page).await.map_err(unavailable) })
    }
    fn delegate(
        &self,
        trainer: Address,
        delegation: Delegation,
    ) -> Answer<'_, DelegationRow, SubmitError> {
        Box::pin(self.relayer().delegate(trainer, delegation))
    }
    fn delegation(&self, trainer: Address, account: Address) -> Answer<'_, Option<DelegationRow>> {
        ask!(self.relayer.delegation(trainer, account))
    }
    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(self.health())
    }
}

impl Model for HostedModel {
    fn info(&self) -> &ModelInfo {
        self.info()
    }
    fn summary(&self, now: u64) -> Summary {
        self.summary(now)
    }
    fn predict(&self, sample: &[u8]) -> Result<u16, Rejection> {
        self.predict(sample)
    }
    fn words(&self) -> (u64, B256, Vec<U256>) {
        self.words()
    }
}
