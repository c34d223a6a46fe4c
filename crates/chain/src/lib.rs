//! Chains to run contracts on, behind the trait [`Chain`].
//!
//! [`Embedded`] is an EVM inside the process, and [`Remote`] is a chain on a development node.
//! Only this crate names revm and alloy's provider. Contracts and transactions behave here as on a
//! node: the embedded chain checks nonces, balances and gas as a node does.
//! It has its own time, which moves only on request.
//!
//! [`Recorded`] records all changes of a chain, so that they can be repeated on another chain.
//!
//! [`node`] is the client of a node that others share, [`keys`] signs its transactions, and
//! [`anvil`] starts a node for development.

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

/// Maximum gas limit of a transaction on Ethereum since Osaka (EIP-7825).
pub const TRANSACTION_GAS_LIMIT: u64 = 16_777_216;

/// Receiver of fees: a separate address, to tell fees from other payments.
const FEES: Address = Address::repeat_byte(0xfe);

/// Number of latest blocks whose hashes contracts can read.
const HASHES: u64 = 256;

/// Operations of a chain that cotrain needs.
///
/// One transaction is one block: it is final when [`Chain::send`] returns.
/// A failure leaves the chain as it was, with two exceptions.
/// A transaction that was included and failed ([`ChainError::Reverted`], [`ChainError::Halted`])
/// uses up its gas and its nonce.
/// A change that could not be recorded ([`ChainError::Unrecorded`]) has still happened.
pub trait Chain {
    /// Returns the kind of chain, as shown to users: `embedded` or `anvil`.
    fn name(&self) -> &'static str;

    /// Returns the chain's id, which signatures include (EIP-155).
    fn chain_id(&self) -> u64;

    /// Returns the time that the next transaction will see, in Unix seconds.
    fn now(&self) -> u64;

    /// Moves the time forward to `seconds` (Unix).
    ///
    /// # Errors
    /// [`ChainError::TimeRunsBack`] if that is before [`Chain::now`].
    fn set_time(&mut self, seconds: u64) -> Result<(), ChainError>;

    /// Returns the number of the block that the next transaction will be in.
    ///
    /// # Errors
    /// If the backend fails.
    fn block_number(&mut self) -> Result<u64, ChainError>;

    /// Returns the hash of a block as contracts will see it in the next transaction.
    ///
    /// It is zero unless the block is one of the 256 before.
    ///
    /// # Errors
    /// If the backend fails.
    fn block_hash(&mut self, number: u64) -> Result<B256, ChainError>;

    /// Creates `wei` for `account` out of nothing. Only development chains can do this.
    ///
    /// # Errors
    /// If the backend fails.
    fn fund(&mut self, account: Address, wei: U256) -> Result<(), ChainError>;

    /// Returns the balance of `account`, in wei.
    ///
    /// # Errors
    /// If the backend fails.
    fn balance(&mut self, account: Address) -> Result<U256, ChainError>;

    /// Returns the price of a unit of gas, in wei.
    fn gas_price(&self) -> u128;

    /// Sends a transaction and waits until it is part of the chain.
    ///
    /// # Errors
    /// [`ChainError::Rejected`] if it never became part of the chain (nonce, funds, gas limit),
    /// [`ChainError::Reverted`] with the contract's reason, [`ChainError::Halted`] if the EVM
    /// stopped it.
    fn send(&mut self, transaction: Transaction) -> Result<Receipt, ChainError>;

    /// Sends a transaction only if it succeeds. Otherwise it changes nothing and costs nothing.
    ///
    /// # Errors
    /// As [`Chain::send`].
    fn attempt(&mut self, transaction: Transaction) -> Result<Receipt, ChainError> {
        self.call(transaction.clone())?;
        self.send(transaction)
    }

    /// Runs a transaction as if it were sent now, and discards its changes. It costs nothing.
    ///
    /// # Errors
    /// As [`Chain::send`].
    fn call(&mut self, transaction: Transaction) -> Result<Receipt, ChainError>;

    /// Returns the Keccak-256 digest of the whole state.
    ///
    /// It covers every account's balance, nonce, code and storage, in order of address and slot.
    ///
    /// # Errors
    /// If the backend fails.
    fn state_digest(&mut self) -> Result<B256, ChainError>;
}

/// Forwards each operation to the borrowed chain.
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

/// A transaction, signed or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Account that sends it and pays for it.
    pub from: Address,
    /// Contract to call; `None` if `data` creates a contract.
    pub to: Option<Address>,
    /// Value sent with it, in wei.
    pub value: U256,
    /// Calldata, or the code that creates a contract.
    pub data: Bytes,
    /// Gas limit. The sender must be able to pay for all of it.
    pub gas_limit: u64,
}

impl Transaction {
    /// Creates a call of `to` without value, with the gas limit [`TRANSACTION_GAS_LIMIT`].
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

    /// Creates the creation of a contract, with the gas limit [`TRANSACTION_GAS_LIMIT`].
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

    /// Sets the value to `value` wei.
    #[must_use]
    pub fn with_value(mut self, value: U256) -> Self {
        self.value = value;
        self
    }

    /// Sets the gas limit.
    #[must_use]
    pub fn with_gas_limit(mut self, gas_limit: u64) -> Self {
        self.gas_limit = gas_limit;
        self
    }
}

/// Result of a successful transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Gas used, after refunds.
    pub gas_used: u64,
    /// Output of the call; for a creation, the deployed code.
    pub output: Bytes,
    /// Address of the created contract; `None` for a call.
    pub created: Option<Address>,
    /// Events, in order.
    pub logs: Vec<Log>,
}
