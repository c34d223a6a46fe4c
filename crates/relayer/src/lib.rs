//! Takes signed batches, relays them, claims for accounts that have asked for it, and drives markets.
//!
//! A signed batch is *waiting* once it is stored, *sent* while a transaction with it is under way, and *included* or
//! *refused* in the end. What the chain says decides: the [`Queue`] follows the index of its database, in the same
//! transactions. Every transaction is stored before it is sent, and sent again at rising fees until its nonce is used.

mod clock;
#[cfg(test)]
mod fixtures;
mod keep;
mod outbox;
mod pending;
mod queue;
mod relay;
mod relayer;
pub mod rows;
mod score;
mod service;
mod store;
mod submit;
pub mod wait;
mod writer;

pub use keep::KeepOptions;
pub use queue::{Queue, Rewound};
pub use relay::RelayOptions;
pub use relayer::{AccountView, RelayTerms, Relayer};
pub use score::ScoreOptions;
pub use service::{SendOptions, Sending};
pub use submit::SubmitError;
