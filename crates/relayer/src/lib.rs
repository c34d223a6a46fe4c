//! Takes and relays signed batches, claims for accounts that delegate it, and drives markets.
//!
//! A stored signed batch is *waiting*. It is *sent* while a transaction with it is pending.
//! It ends as *included* or *refused*.
//! The chain decides: the [`Queue`] follows its database's index in the same transactions.
//! The relayer stores every transaction before it sends it.
//! It sends it again at rising fees until the nonce is used.

pub mod clock;
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
