//! Follows models on a chain, and keeps what their events say in a database.
//!
//! A [`Follower`] reads the logs of one model block by block, holds them against the counters of the contract, and
//! stores what they bring in one transaction ([`Taken`]). The [`Index`] answers questions about all models: from the
//! state in memory, which the logs make, and from the rows of the [`ChainStore`]. Another service whose tables follow
//! the chain is a [`Projection`](store::Projection) of that store.

mod error;
mod evaluation;
mod evidence;
mod follower;
mod index;
mod info;
mod model;
mod rewind;
pub mod rows;
mod state;
pub mod store;
mod taken;

pub use error::with_sources;
pub use evaluation::{Evaluation, EvaluationError, TestSamples};
pub use follower::{DEEP, Follower, IndexError, Step};
pub use index::{Claimable, FollowError, Health, Index};
pub use info::{ModelError, ModelInfo};
pub use model::{ChainAccount, HostedModel, Summary};
pub use rewind::SetBack;
pub use state::State;
pub use store::{ChainStore, StoreError, without_password};
pub use taken::{Claim, Cursor, Inclusion, Log, ModelId, Skip, TakeError, Taken};
