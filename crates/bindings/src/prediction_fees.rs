//! Calls of the contract that sells predictions of a trainer's model, and decoders of its answers
//! and events.
//!
//! `predict` has the calldata and the answer of a classifier's: [`predict`](crate::predict) and
//! [`read_labels`](crate::read_labels). The caller sends the payment with it.

use alloy_primitives::{Address, Bytes, Log, U256};
use alloy_sol_types::{SolCall, SolConstructor, SolEventInterface};
use cotrain_protocol::prediction_fees::Shared;

use crate::contracts::PredictionFees::{
    self, PredictionFeesEvents as Events, collectCall, constructorCall, registerCall,
};

/// Returns the code that creates the contract, for the model of this trainer at this price each, in
/// wei.
#[must_use]
pub fn code(trainer: Address, price: u128) -> Bytes {
    let arguments = constructorCall {
        trainer_: trainer,
        price_: U256::from(price),
    };
    let code = [&PredictionFees::BYTECODE[..], &arguments.abi_encode()];
    code.concat().into()
}

/// Returns the calldata of `register`, for the good contributions that the account has in the
/// trainer now.
///
/// The answer is one number, the account's total of shares.
#[must_use]
pub fn register(account: Address) -> Vec<u8> {
    registerCall { account }.abi_encode()
}

/// Returns the calldata of `collect`. The answer is one number, in wei.
#[must_use]
pub fn collect() -> Vec<u8> {
    collectCall {}.abi_encode()
}

/// Event of the contract. Money is in wei, unless a field says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PredictionFeesEvent {
    /// Somebody bought predictions.
    Predicted {
        /// Account that bought them.
        caller: Address,
        /// Number of samples.
        samples: u64,
        /// Price of all of them.
        paid: u128,
    },
    /// A payment was shared.
    Shared(Shared),
    /// Good contributions of an account were registered.
    Registered {
        /// Account whose contributions were registered.
        account: Address,
        /// Total of the account's shares.
        shares: u64,
        /// Total of all accounts' shares.
        total_shares: u64,
    },
    /// An account was paid its earnings.
    Collected {
        /// Account that was paid.
        account: Address,
        /// Amount paid.
        amount: u128,
    },
}

impl PredictionFeesEvent {
    /// Decodes a log. Returns `None` if it is another event, or has values that the contract never
    /// emits.
    #[must_use]
    pub fn decode(log: &Log) -> Option<Self> {
        let event = Events::decode_raw_log(log.topics(), &log.data.data).ok()?;
        Some(match event {
            Events::Predicted(e) => Self::Predicted {
                caller: e.caller,
                samples: e.samples.try_into().ok()?,
                paid: e.paid.try_into().ok()?,
            },
            Events::Shared(e) => Self::Shared(Shared {
                amount: e.amount.try_into().ok()?,
                per_share: e.perShare,
                waiting: e.waiting,
            }),
            Events::Registered(e) => Self::Registered {
                account: e.account,
                shares: e.shares.try_into().ok()?,
                total_shares: e.totalShares.try_into().ok()?,
            },
            Events::Collected(e) => Self::Collected {
                account: e.account,
                amount: e.amount.try_into().ok()?,
            },
        })
    }
}

/// Calldata that reads the contract's state and parameters.
///
/// Each answer is one number ([`read_number`](crate::read_number)), unless its function names
/// another decoder.
pub mod state {
    use alloy_primitives::Address;
    use alloy_sol_types::SolCall;

    use crate::contracts::PredictionFees::{
        earnedCall, priceCall, sharesCall, totalSharesCall, trainerCall,
    };

    /// Returns the calldata that reads the account's earnings that it has not collected, in wei.
    #[must_use]
    pub fn earned(account: Address) -> Vec<u8> {
        earnedCall { account }.abi_encode()
    }

    /// Returns the calldata that reads the number of an account's registered good contributions.
    #[must_use]
    pub fn shares(account: Address) -> Vec<u8> {
        sharesCall { account }.abi_encode()
    }

    /// Returns the calldata that reads the number of registered good contributions of all accounts.
    #[must_use]
    pub fn total_shares() -> Vec<u8> {
        totalSharesCall {}.abi_encode()
    }

    /// Returns the calldata that reads the price of a prediction of one sample, in wei.
    #[must_use]
    pub fn price() -> Vec<u8> {
        priceCall {}.abi_encode()
    }

    /// Returns the calldata that reads the trainer whose contributors are paid.
    ///
    /// [`read_address`](crate::read_address) decodes the answer.
    #[must_use]
    pub fn trainer() -> Vec<u8> {
        trainerCall {}.abi_encode()
    }
}
