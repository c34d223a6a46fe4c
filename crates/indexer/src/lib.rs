//! Follows models and markets on a chain, and stores the facts of their events in a database.
//!
//! A [`Follower`] reads the logs of one contract block by block.
//! It compares them with the contract's counters.
//! It stores their facts in one transaction ([`Taken`]).
//! The [`Ledger`] of the contract's mechanism interprets the logs.
//! The [`Index`] answers questions about all models.
//! It reads the state in memory, which the logs determine, and the rows of the [`ChainStore`].
//! Another service can have tables that follow the chain: a [`Projection`](store::Projection).

mod contract;
pub mod contributed;
mod error;
mod evaluation;
mod evidence;
mod follower;
mod index;
mod info;
mod ledger;
pub mod local;
mod model;
mod rewind;
pub mod rows;
mod source;
mod state;
pub mod store;
mod taken;

pub use contract::{Following, HostedContract};
pub use error::with_sources;
pub use evaluation::{Evaluation, EvaluationError, TestSamples};
pub use evidence::{Evidence, Verdict};
pub use follower::{DEEP, Follower, IndexError, Step};
pub use index::{Claimable, ContractHealth, FollowError, Health, Index};
pub use info::{ModelError, ModelInfo};
pub use ledger::{Ledger, TrainerLedger};
pub use model::{ChainAccount, Hosted, HostedMarket, HostedModel, Summary};
pub use rewind::SetBack;
pub use source::{ContractSource, InfoError};
pub use state::State;
pub use store::{ChainStore, StoreError, without_password};
pub use taken::{Beginning, Claim, Cursor, Inclusion, Log, ModelId, Skip, TakeError, Taken};
