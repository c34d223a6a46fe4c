//! `PredictionFees`: its code, its calls, and the answers read back.

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::{SolCall, SolConstructor};

use crate::contracts::PredictionFees::{
    BYTECODE, collectCall, constructorCall, earnedCall, predictCall, registerCall, sharesCall,
    totalSharesCall,
};

/// Creates the contract that sells predictions of a trainer's model for `price` wei each.
#[must_use]
pub fn code(trainer: Address, price: u128) -> Bytes {
    let arguments = constructorCall {
        trainer_: trainer,
        price_: U256::from(price),
    };
    [BYTECODE.as_ref(), &arguments.abi_encode()].concat().into()
}

/// `predict`: pays for the predictions of some samples.
#[must_use]
pub fn predict(samples: &[&[u8]]) -> Vec<u8> {
    let samples = samples.iter().map(|sample| Bytes::copy_from_slice(sample));
    predictCall {
        samples: samples.collect(),
    }
    .abi_encode()
}

/// The answer to [`predict`].
#[must_use]
pub fn read_predicted(output: &[u8]) -> Option<Vec<u16>> {
    let labels = predictCall::abi_decode_returns(output).ok()?;
    let labels = labels.iter().map(|label| label.try_into().ok());
    labels.collect()
}

/// `register`: counts an account's good contributions anew.
#[must_use]
pub fn register(account: Address) -> Vec<u8> {
    registerCall { account }.abi_encode()
}

/// `collect`: registers the sender and pays what it has earned.
#[must_use]
pub fn collect() -> Vec<u8> {
    collectCall {}.abi_encode()
}

/// `earned`: wei, read by [`read_number`](crate::read_number) like the following.
#[must_use]
pub fn earned(account: Address) -> Vec<u8> {
    earnedCall { account }.abi_encode()
}

/// `shares`: of an account.
#[must_use]
pub fn shares(account: Address) -> Vec<u8> {
    sharesCall { account }.abi_encode()
}

/// `totalShares`: of all accounts.
#[must_use]
pub fn total_shares() -> Vec<u8> {
    totalSharesCall {}.abi_encode()
}
