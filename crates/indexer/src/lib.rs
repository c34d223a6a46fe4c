//! Follows models and markets on a chain, and keeps what their events say in a database.
//!
//! A [`Follower`] reads the logs of one contract block by block, holds them against the contract's counters, and
//! stores what they bring in one transaction ([`Taken`]). What they mean is for the [`Ledger`] of the contract's
//! mechanism to say. The [`Index`] answers questions about all models: from the
//! state in memory, which the logs make, and from the rows of the [`ChainStore`]. Another service whose tables follow
//! the chain is a [`Projection`](store::Projection) of that store.

mod contract;
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
