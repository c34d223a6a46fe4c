//! A stand-in with the coordinator's signatures, which knows of nothing; to be replaced by the real one.
#![allow(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::needless_pass_by_value,
    clippy::unused_async,
    clippy::unused_self,
    missing_docs,
    reason = "a stand-in"
)]

use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, U256};
use cotrain_protocol::{
    Rejection,
    classifier::Parameters,
    trainer::{Incentive, SignedBatch, Waits},
};
use thiserror::Error;

use crate::rows::{
    AccuracyRow, ClaimKind, ClaimRow, ContributionRow, DelegationRow, EventRow, Page, Submission,
    TransactionRow,
};

#[derive(Debug, Clone)]
pub struct Card {
    pub name: String,
    pub description: String,
    pub classes: Vec<String>,
    pub encoder: Option<cotrain_learning::encode::Encoder>,
    pub from_block: u64,
}

#[derive(Debug, Clone)]
pub struct ModelInfo {
    pub chain_id: u64,
    pub trainer: Address,
    pub classifier: Address,
    pub owner: Address,
    pub incentive: Incentive,
    pub waits: Waits,
    pub parameters: Parameters,
    pub verified: bool,
    pub card: Option<Card>,
    pub from_block: u64,
}

#[derive(Debug, Clone, Copy)]
pub struct Delegation {
    pub reporter: Address,
    pub keeper: Address,
    pub until: u64,
}

#[derive(Debug, Error)]
#[error("the store is away")]
pub struct StoreError;

#[derive(Debug, Error)]
#[error("the node is away")]
pub struct NodeError;

#[derive(Debug, Error)]
pub enum SubmitError {
    #[error("no model {0}")]
    UnknownModel(Address),
    #[error(transparent)]
    Rejected(Rejection),
    #[error("another batch of {author} waits with nonce {nonce}")]
    Conflict {
        author: Address,
        nonce: u64,
        other: B256,
    },
    #[error("the fee is {fee} wei; {wanted} is wanted")]
    FeeTooLow { fee: u128, wanted: u128 },
    #[error("{waiting} contributions wait; there may be {most}")]
    TooManyWaiting { waiting: u64, most: u64 },
    #[error("{0}")]
    NotServed(String),
    #[error(transparent)]
    Store(StoreError),
    #[error(transparent)]
    Node(NodeError),
}

#[derive(Debug, Clone, Copy, Default)]
pub struct ContributionFilter {
    pub author: Option<Address>,
    pub label: Option<u16>,
    pub open: Option<bool>,
}

#[derive(Debug, Clone, Copy)]
pub struct Summary {
    pub block: u64,
    pub block_hash: B256,
    pub contributions: u64,
    pub total_good: u64,
    pub last_contribution_time: u64,
    pub price: u128,
    pub accuracy: Option<f64>,
    pub held: u128,
}

#[derive(Debug, Clone, Copy)]
pub struct AccountView {
    pub balance: u128,
    pub good: u64,
    pub next_nonce: u64,
    pub committed: u128,
}

#[derive(Debug, Clone)]
pub struct Claimable {
    pub row: ContributionRow,
    pub kind: ClaimKind,
    pub from: u64,
    pub possible: bool,
    pub amount: u128,
    pub reason: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Health {
    pub leader: bool,
    pub store: bool,
    pub node: bool,
    pub head: Option<u64>,
    pub models: Vec<(Address, u64, u64)>,
}

#[derive(Debug)]
pub struct HostedModel {
    info: ModelInfo,
}

impl HostedModel {
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }
    pub fn summary(&self, _: u64) -> Summary {
        unreachable!("there are none")
    }
    pub fn account(&self, _: Address) -> AccountView {
        unreachable!("there are none")
    }
    pub fn predict(&self, _: &[u8]) -> Result<u16, Rejection> {
        unreachable!("there are none")
    }
    pub fn words(&self) -> (u64, B256, Vec<U256>) {
        unreachable!("there are none")
    }
}

#[derive(Debug, Clone, Default)]
pub struct Coordinator(tokio::sync::watch::Sender<i64>);

impl Coordinator {
    pub fn chain_id(&self) -> u64 {
        0
    }
    pub fn relayer(&self) -> Option<Address> {
        None
    }
    pub fn keeper(&self) -> Option<Address> {
        None
    }
    pub fn models(&self) -> Vec<Arc<HostedModel>> {
        vec![]
    }
    pub fn model(&self, _: Address) -> Option<Arc<HostedModel>> {
        None
    }
    pub async fn submit(
        &self,
        trainer: Address,
        _: SignedBatch,
    ) -> Result<Submission, SubmitError> {
        Err(SubmitError::UnknownModel(trainer))
    }
    pub async fn submission(&self, _: B256) -> Result<Option<Submission>, StoreError> {
        Ok(None)
    }
    pub async fn submissions(
        &self,
        _: Address,
        _: Option<Address>,
        _: Page,
    ) -> Result<Vec<(i64, Submission)>, StoreError> {
        Ok(vec![])
    }
    pub async fn contributions(
        &self,
        _: Address,
        _: ContributionFilter,
        _: Page,
    ) -> Result<Vec<ContributionRow>, StoreError> {
        Ok(vec![])
    }
    pub async fn contribution(
        &self,
        _: Address,
        _: u64,
    ) -> Result<Option<ContributionRow>, StoreError> {
        Ok(None)
    }
    pub async fn claims_of(&self, _: Address, _: u64) -> Result<Vec<ClaimRow>, StoreError> {
        Ok(vec![])
    }
    pub async fn proof(&self, _: Address, _: u64) -> Result<Option<Bytes>, StoreError> {
        Ok(None)
    }
    pub async fn claimable(
        &self,
        _: Address,
        _: Address,
        _: u32,
    ) -> Result<Vec<Claimable>, StoreError> {
        Ok(vec![])
    }
    pub async fn accuracy(&self, _: Address, _: Page) -> Result<Vec<AccuracyRow>, StoreError> {
        Ok(vec![])
    }
    pub async fn events(&self, _: Option<Address>, _: Page) -> Result<Vec<EventRow>, StoreError> {
        Ok(vec![])
    }
    pub fn watch_events(&self) -> tokio::sync::watch::Receiver<i64> {
        self.0.subscribe()
    }
    pub async fn transactions(&self, _: Page) -> Result<Vec<TransactionRow>, StoreError> {
        Ok(vec![])
    }
    pub async fn delegate(
        &self,
        trainer: Address,
        _: Delegation,
        _: Bytes,
    ) -> Result<DelegationRow, SubmitError> {
        Err(SubmitError::UnknownModel(trainer))
    }
    pub async fn delegation(
        &self,
        _: Address,
        _: Address,
    ) -> Result<Option<DelegationRow>, StoreError> {
        Ok(None)
    }
    pub fn health(&self) -> Health {
        Health {
            leader: false,
            store: false,
            node: false,
            head: None,
            models: vec![],
        }
    }
}
