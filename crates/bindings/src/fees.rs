//! Calls of what sells predictions of a trainer's model, and the answers and events read back.
//!
//! `predict` is called and answered as a classifier's: [`predict`](crate::predict) and
//! [`read_labels`](crate::read_labels), with the payment sent along.

use alloy_primitives::{Address, Bytes, Log, U256};
use alloy_sol_types::{SolCall, SolConstructor, SolEventInterface};
use cotrain_protocol::fees::Shared;

use crate::contracts::PredictionFees::{
    self, PredictionFeesEvents as Events, collectCall, constructorCall, registerCall,
};

/// Creates what sells predictions of the model of this trainer at this price each, in wei.
#[must_use]
pub fn code(trainer: Address, price: u128) -> Bytes {
    let arguments = constructorCall {
        trainer_: trainer,
        price_: U256::from(price),
    };
    let code = [&PredictionFees::BYTECODE[..], &arguments.abi_encode()];
    code.concat().into()
}

/// `register`: the good contributions that the account has in the trainer now. The answer is one number, all of its
/// shares.
#[must_use]
pub fn register(account: Address) -> Vec<u8> {
    registerCall { account }.abi_encode()
}

/// `collect`. The answer is one number, in wei.
#[must_use]
pub fn collect() -> Vec<u8> {
    collectCall {}.abi_encode()
}

/// All that is emitted. Money is in wei where nothing else is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeesEvent {
    /// Predictions were sold.
    Predicted {
        /// To whom.
        caller: Address,
        /// How many.
        samples: u64,
        /// For all of them.
        paid: u128,
    },
    /// What was paid was shared.
    Shared(Shared),
    /// An account's good contributions were registered.
    Registered {
        /// Whose.
        account: Address,
        /// All of the account's.
        shares: u64,
        /// All of everybody's.
        total_shares: u64,
    },
    /// An account was paid what it has earned.
    Collected {
        /// Who.
        account: Address,
        /// How much.
        amount: u128,
    },
}

impl FeesEvent {
    /// What a log says; none where it is none of these, or of values that are never emitted.
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

/// Reads of the state and of what it was created with; each answer is one number
/// ([`read_number`](crate::read_number)) where nothing else is said.
pub mod state {
    use alloy_primitives::Address;
    use alloy_sol_types::SolCall;

    use crate::contracts::PredictionFees::{
        earnedCall, priceCall, sharesCall, totalSharesCall, trainerCall,
    };

    /// Wei that an account has earned and not collected.
    #[must_use]
    pub fn earned(account: Address) -> Vec<u8> {
        earnedCall { account }.abi_encode()
    }

    /// The good contributions of an account that are registered.
    #[must_use]
    pub fn shares(account: Address) -> Vec<u8> {
        sharesCall { account }.abi_encode()
    }

    /// Those of all accounts.
    #[must_use]
    pub fn total_shares() -> Vec<u8> {
        totalSharesCall {}.abi_encode()
    }

    /// Wei that a prediction of one sample costs.
    #[must_use]
    pub fn price() -> Vec<u8> {
        priceCall {}.abi_encode()
    }

    /// Whose contributors are paid: read by [`read_address`](crate::read_address).
    #[must_use]
    pub fn trainer() -> Vec<u8> {
        trainerCall {}.abi_encode()
    }
}
