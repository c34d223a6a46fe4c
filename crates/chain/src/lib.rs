//! A chain to run contracts on: the trait [`Chain`], [`Embedded`], the EVM inside the process, and [`Remote`], a node
//! for development.
//!
//! Only this crate names revm and alloy's provider. What runs here runs on a node in the same way: the embedded chain
//! checks nonces, balances and gas as a node does, and has its own time, which moves only when told.
//!
//! [`Recorded`] tells all that happens to a chain, so that it can be done again on another.
//!
//! [`node`] is the client of a node that others share, [`keys`] signs what it is sent, and [`anvil`] starts a node for
//! development.

pub mod anvil;
mod digest;
mod embedded;
mod error;
pub mod keys;
pub mod node;
mod recorded;
mod remote;

pub use embedded::{Config, Embedded, Rules};
pub use error::ChainError;
pub use recorded::{Outcome, Recorded, Step};
pub use remote::{Remote, RemoteError};

use alloy_primitives::{Address, B256, Bytes, Log, U256};
use serde::{Deserialize, Serialize};

/// The most gas one transaction may use on Ethereum since Osaka (EIP-7825).
pub const TRANSACTION_GAS_LIMIT: u64 = 16_777_216;

/// Where fees go: an address of their own, so that they can be told from everything else.
const FEES: Address = Address::repeat_byte(0xfe);

/// How many blocks back contracts see the hashes of.
const HASHES: u64 = 256;

/// What a chain does for cotrain. One transaction is one block: it is final when [`Chain::send`]
/// returns.
///
/// Every failure leaves the chain as it was, but for the gas and the nonce of a transaction that
/// was included and failed ([`ChainError::Reverted`], [`ChainError::Halted`]), and where what was done
/// could not be recorded ([`ChainError::Unrecorded`]).
pub trait Chain {
    /// The kind of chain, as shown to users: `embedded` or `anvil`.
    fn name(&self) -> &'static str;

    /// What signatures name the chain by (EIP-155).
    fn chain_id(&self) -> u64;

    /// The time that the next transaction will see, in Unix seconds.
    fn now(&self) -> u64;

    /// Moves the time forward to `seconds` (Unix).
    ///
    /// # Errors
    /// [`ChainError::TimeRunsBack`] where that is before [`Chain::now`].
    fn set_time(&mut self, seconds: u64) -> Result<(), ChainError>;

    /// The number of the block that the next transaction will be.
    ///
    /// # Errors
    /// Where the backend fails.
    fn block_number(&mut self) -> Result<u64, ChainError>;

    /// The hash of a block as contracts see it in the next transaction: zero where that is not one of the 256 blocks
    /// before.
    ///
    /// # Errors
    /// Where the backend fails.
    fn block_hash(&mut self, number: u64) -> Result<B256, ChainError>;

    /// Gives `wei` to `account` out of nothing. For development chains.
    ///
    /// # Errors
    /// Where the backend fails.
    fn fund(&mut self, account: Address, wei: U256) -> Result<(), ChainError>;

    /// Wei that `account` holds.
    ///
    /// # Errors
    /// Where the backend fails.
    fn balance(&mut self, account: Address) -> Result<U256, ChainError>;

    /// Wei a unit of gas costs.
    fn gas_price(&self) -> u128;

    /// Sends a transaction and waits until it is part of the chain.
    ///
    /// # Errors
    /// [`ChainError::Rejected`] where it never became part of the chain (nonce, funds, gas limit),
    /// [`ChainError::Reverted`] with the contract's reason, [`ChainError::Halted`] where the EVM
    /// stopped it.
    fn send(&mut self, transaction: Transaction) -> Result<Receipt, ChainError>;

    /// Sends a transaction only if it succeeds; else it changes nothing and is free.
    ///
    /// # Errors
    /// As [`Chain::send`].
    fn attempt(&mut self, transaction: Transaction) -> Result<Receipt, ChainError> {
        self.call(transaction.clone())?;
        self.send(transaction)
    }

    /// Runs a transaction as if it were sent now and forgets what it did: free.
    ///
    /// # Errors
    /// As [`Chain::send`].
    fn call(&mut self, transaction: Transaction) -> Result<Receipt, ChainError>;

    /// Keccak-256 of the whole state: every account's balance, nonce, code and storage, in order
    /// of address and slot.
    ///
    /// # Errors
    /// Where the backend fails.
    fn state_digest(&mut self) -> Result<B256, ChainError>;
}

/// A chain that is lent, of whatever kind.
impl<C: Chain + ?Sized> Chain for &mut C {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn chain_id(&self) -> u64 {
        (**self).chain_id()
    }

    fn now(&self) -> u64 {
        (**self).now()
    }

    fn set_time(&mut self, seconds: u64) -> Result<(), ChainError> {
        (**self).set_time(seconds)
    }

    fn block_number(&mut self) -> Result<u64, ChainError> {
        (**self).block_number()
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, ChainError> {
        (**self).block_hash(number)
    }

    fn fund(&mut self, account: Address, wei: U256) -> Result<(), ChainError> {
        (**self).fund(account, wei)
    }

    fn balance(&mut self, account: Address) -> Result<U256, ChainError> {
        (**self).balance(account)
    }

    fn gas_price(&self) -> u128 {
        (**self).gas_price()
    }

    fn send(&mut self, transaction: Transaction) -> Result<Receipt, ChainError> {
        (**self).send(transaction)
    }

    fn attempt(&mut self, transaction: Transaction) -> Result<Receipt, ChainError> {
        (**self).attempt(transaction)
    }

    fn call(&mut self, transaction: Transaction) -> Result<Receipt, ChainError> {
        (**self).call(transaction)
    }

    fn state_digest(&mut self) -> Result<B256, ChainError> {
        (**self).state_digest()
    }
}

/// A transaction, signed or about to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Who sends it and pays for it.
    pub from: Address,
    /// The contract called; none: `data` creates a contract.
    pub to: Option<Address>,
    /// Wei sent along.
    pub value: U256,
    /// Calldata, or the code that creates a contract.
    pub data: Bytes,
    /// The most gas it may use. The sender must be able to pay for all of it.
    pub gas_limit: u64,
}

impl Transaction {
    /// A call of `to` without money, up to [`TRANSACTION_GAS_LIMIT`].
    #[must_use]
    pub fn call(from: Address, to: Address, data: Vec<u8>) -> Self {
        Self {
            from,
            to: Some(to),
            value: U256::ZERO,
            data: data.into(),
            gas_limit: TRANSACTION_GAS_LIMIT,
        }
    }

    /// The creation of a contract, up to [`TRANSACTION_GAS_LIMIT`].
    #[must_use]
    pub fn create(from: Address, code: Bytes) -> Self {
        Self {
            from,
            to: None,
            value: U256::ZERO,
            data: code,
            gas_limit: TRANSACTION_GAS_LIMIT,
        }
    }

    /// The same with `value` wei sent along.
    #[must_use]
    pub fn with_value(mut self, value: U256) -> Self {
        self.value = value;
        self
    }

    /// The same with at most `gas_limit` gas.
    #[must_use]
    pub fn with_gas_limit(mut self, gas_limit: u64) -> Self {
        self.gas_limit = gas_limit;
        self
    }
}

/// What a successful transaction left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Gas used, refunds taken off.
    pub gas_used: u64,
    /// What the call returned; for a creation, the deployed code.
    pub output: Bytes,
    /// The contract created, if one was.
    pub created: Option<Address>,
    /// Events, in order.
    pub logs: Vec<Log>,
}
