//! Parts that mechanisms share: the owner's account, sending, and comparison with the rules.

use std::fmt::Debug;

use alloy_primitives::{Address, U256};
use cotrain_bindings::Revert;
use cotrain_chain::{Chain, ChainError, Receipt, TRANSACTION_GAS_LIMIT, Transaction};
use cotrain_protocol::ContractError;

use crate::SimulateError;

/// Account that deploys and owns the model. It takes no part in the economy.
pub const OWNER: Address = Address::repeat_byte(0x0a);

/// Sends a transaction that the rules allow; returns `None` if its sender cannot pay for the gas.
pub(crate) fn send(
    chain: &mut dyn Chain,
    transaction: Transaction,
) -> Result<Option<Receipt>, ChainError> {
    let gas_price = chain.gas_price();
    if gas_price == 0 {
        return chain.send(transaction).map(Some);
    }
    // Do what a wallet does: simulate the call, add a margin, and check that the account can pay.
    // The chain subtracts a refund of gas only after it has checked the limit.
    // A refund is at most a fifth of the gas, so a margin of one half is enough.
    let estimate = chain.call(transaction.clone())?.gas_used;
    let gas_limit = (estimate + estimate / 2).min(TRANSACTION_GAS_LIMIT);
    let max = transaction.value + U256::from(gas_limit) * U256::from(gas_price);
    if chain.balance(transaction.from)? < max {
        return Ok(None);
    }
    let transaction = transaction.with_gas_limit(gas_limit);
    chain.send(transaction).map(Some)
}

/// Returns the error of a chain that rejects a contribution of this many bytes.
pub(crate) fn refused(error: ChainError, bytes: usize) -> SimulateError {
    match error {
        ChainError::Halted { .. }
        | ChainError::Reverted {
            // The classifier ran out of gas and gave no reason.
            revert:
                Revert::Contract(
                    ContractError::TooManyFeatures { .. } | ContractError::ClassifierFailed,
                ),
            ..
        } => SimulateError::SampleTooLarge { bytes },
        error => error.into(),
    }
}

/// Checks that the chain returns the same value as the rules.
pub(crate) fn same<T: PartialEq + Debug>(
    call: &'static str,
    chain: &T,
    rules: &T,
) -> Result<(), SimulateError> {
    if chain == rules {
        return Ok(());
    }
    Err(SimulateError::Diverged {
        call,
        chain: format!("{chain:?}"),
        rules: format!("{rules:?}"),
    })
}

/// Returns a function for the error that the chain accepted what the rules reject.
pub(crate) fn accepted(call: &'static str) -> impl Fn(ContractError) -> SimulateError {
    move |rejection| SimulateError::Diverged {
        call,
        chain: "accepted".to_owned(),
        rules: rejection.to_string(),
    }
}
