//! Scheme `batch-settlement`: a payer deposits once, and pays each request by a signed voucher.
//!
//! A voucher is cumulative: it promises the receiver a total of the channel. The receiver claims many
//! channels in one transaction, and returns the rest.
//!
//! - [`Deployment`]: the contract, and the hashes that payer and receiver sign
//! - [`payload`]: what travels
//! - [`verify`]: the rules that need no state of ours
//! - [`Channel`]: the receiver's state of a channel, and the rules on it
//! - [`PayerChannel`]: the payer's state of a channel, and its limits
//! - [`abi`], [`calls`]: the contract's interface, and the calls to it

pub mod abi;
pub mod calls;
mod channel;
mod deployment;
mod payer;
pub mod payload;
mod refund;
mod terms;
pub mod verify;

pub use self::{
    channel::{
        Channel, ClaimRule, Corrective, Due, Facts, LockError, Purpose, Refusal, Reservation,
        Voucher,
    },
    deployment::{ChannelConfig, ClaimEntry, Deployment, MAX_DELAY, MIN_DELAY, deposit_nonce},
    payer::{AnswerError, Limits, PayError, PayerChannel},
    refund::RefundPlan,
    terms::Terms,
    verify::{ChainState, ContractAnswer, ContractCheck, Verdict},
};

/// Name of the scheme.
pub const SCHEME: &str = "batch-settlement";
