//! Contracts of payment channels: their code, and their types as `sol!` generates them.
//!
//! Their interface is that of x402's scheme `batch-settlement`, so callers use its calls, events and
//! errors directly.
//! The terms of a channel and vouchers are structs within each contract's module.

use alloy_primitives::{Address, Bytes};
use alloy_sol_types::SolConstructor;

pub use crate::contracts::{ChannelSettlement, Erc3009Collector, Erc3009Token};

/// Returns the code that creates the channel settlement.
#[must_use]
pub fn settlement_code() -> Bytes {
    ChannelSettlement::BYTECODE.clone()
}

/// Returns the code that runs in a channel settlement.
///
/// It is the same at every address: a development node may place it at that of x402's own contract.
#[must_use]
pub fn settlement_runtime_code() -> Bytes {
    ChannelSettlement::DEPLOYED_BYTECODE.clone()
}

/// Returns the code that creates the collector of ERC-3009 tokens for a channel settlement.
#[must_use]
pub fn collector_code(settlement: Address) -> Bytes {
    let arguments = Erc3009Collector::constructorCall { settlement };
    let code = [&Erc3009Collector::BYTECODE[..], &arguments.abi_encode()];
    code.concat().into()
}

/// Returns the code that creates a token for tests and development chains.
///
/// It is the ERC-3009 token of `OpenZeppelin`, named "Test Dollar", version 1, with 6 decimals.
/// Anyone may mint.
#[must_use]
pub fn token_code() -> Bytes {
    Erc3009Token::BYTECODE.clone()
}
