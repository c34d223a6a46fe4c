//! Sending of transactions, each of which becomes part of the chain at most once. A transaction is
//! stored before it is sent, and sent again at rising fees. It is known by the hash of every
//! signature.
//!
//! [`Sender::deliver`] waits until a transaction is included, for commands. A service that must not
//! wait calls [`Sender::sign`], [`start`], [`Sender::raise`] and [`included`] itself, with its own
//! [`TxStore`].

use std::{convert::Infallible, error::Error, future::Future, iter, mem, time::Duration};

use alloy_primitives::{Address, B256, Bytes, U256};
use cotrain_chain::{
    TRANSACTION_GAS_LIMIT,
    keys::{Key, Signed, Unsigned},
    node::{Node, NodeError, NodeReceipt},
};
use cotrain_protocol::{Amount, GasPrice};
use tokio::time::{Instant, sleep};

use crate::{
    budget::{Budget, OverBudget},
    gas,
    gas_fees::{self, Next, Offer, TooDear},
};

/// Time that a transaction is pending before it is sent again at a higher fee.
const BUMP_AFTER: Duration = Duration::from_mins(1);
/// First and longest pause between two requests for a receipt.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// Longest time that a node may lack the receipt of a transaction whose nonce is used.
pub const LAG: Duration = Duration::from_secs(5);

/// Transaction before it has a nonce, gas and fees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Contract that is called; `None`: `data` creates a contract.
    pub to: Option<Address>,
    /// Money that the transaction sends, in wei.
    pub value: u128,
    /// Calldata, or the code that creates a contract.
    pub data: Bytes,
}

/// Pending transaction, with all its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The transaction with the last offer.
    pub unsigned: Unsigned,
    /// Signatures of lower offers, in rising order.
    pub earlier: Vec<Signed>,
    /// Signature of the last offer.
    pub last: Signed,
}

impl Outgoing {
    /// Joins a transaction with its signatures, in the order of rising offers; `None` if there is
    /// no signature.
    #[must_use]
    pub fn new(unsigned: Unsigned, mut signed: Vec<Signed>) -> Option<Self> {
        let last = signed.pop()?;
        Some(Self {
            unsigned,
            earlier: signed,
            last,
        })
    }

    /// Returns all signatures in the order of rising offers.
    pub fn signed(&self) -> impl DoubleEndedIterator<Item = &Signed> {
        self.earlier.iter().chain(iter::once(&self.last))
    }

    /// Returns the hash that each signature gives the transaction.
    pub fn hashes(&self) -> impl DoubleEndedIterator<Item = B256> {
        self.signed().map(|signed| signed.hash)
    }

    /// Returns the offer of the last signature.
    #[must_use]
    pub fn offer(&self) -> Offer {
        Offer {
            max_fee: self.unsigned.max_fee,
            priority_fee: self.unsigned.priority_fee,
        }
    }
}

/// Store of signed transactions. A transaction is stored before it is sent, so that a later process
/// finds it.
pub trait TxStore: Send {
    /// Description of a transaction's purpose, which the store keeps beside it.
    type Purpose: ?Sized + Sync;
    /// Name of a stored transaction.
    type Id: Send + Sync;
    /// Failure of the store.
    type Error: Error + Send + Sync + 'static;

    /// Stores a transaction that was signed for the first time.
    ///
    /// # Errors
    /// If the transaction is not stored. The caller must not send it then.
    fn insert(
        &mut self,
        purpose: &Self::Purpose,
        outgoing: &Outgoing,
    ) -> impl Future<Output = Result<Self::Id, Self::Error>> + Send;

    /// Adds the last signature of a stored transaction to its earlier ones.
    ///
    /// # Errors
    /// If the signature is not stored. The caller must not send it then.
    fn add_signature(
        &mut self,
        id: &Self::Id,
        outgoing: &Outgoing,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Store of a command that sends one transaction and waits. If the command is killed, its user
/// checks the chain.
#[derive(Debug, Clone, Copy, Default)]
pub struct NotStored;

impl TxStore for NotStored {
    type Purpose = ();
    type Id = ();
    type Error = Infallible;

    async fn insert(&mut self, (): &(), _: &Outgoing) -> Result<(), Infallible> {
        Ok(())
    }

    async fn add_signature(&mut self, (): &(), _: &Outgoing) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Account that sends transactions.
#[derive(Debug)]
pub struct Sender<'a> {
    /// Node that takes them.
    pub node: &'a Node,
    /// Key of the account.
    pub key: &'a Key,
    /// Maximum price of a unit of gas, in wei; `None`: see [`gas_fees::max`].
    pub max_fee: Option<u128>,
    /// Limit of spending. The gas of each delivered transaction counts against it.
    pub budget: &'a Budget,
    /// Names of the settings that allow a higher cost, for the warning at the maximum.
    pub settings: &'static str,
}

/// Result of raising an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raised {
    /// The transaction is signed and stored with this offer.
    To(Offer),
    /// The next offer would exceed the budget or the maximum price of a unit of gas, in wei.
    AtMaximum(u128),
}

/// Failure to make a transaction part of the chain, as far as the sender can know.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The node failed, or refuses the transaction.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The maximum price does not pay the base fee.
    #[error(transparent)]
    TooDear(#[from] TooDear),
    /// The transaction could cost more than the budget leaves.
    #[error(transparent)]
    OverBudget(#[from] OverBudget),
    /// The account has less than the transaction needs.
    #[error(transparent)]
    TooPoor(#[from] Box<TooPoor>),
    /// The transaction needs more gas than one may use.
    #[error("the transaction would use {gas} gas, at most {TRANSACTION_GAS_LIMIT} are possible")]
    TooMuchGas {
        /// Gas that it would use.
        gas: u64,
    },
    /// Another transaction has the nonce, so that this one can never be included.
    #[error(
        "another transaction of {account} took the nonce {nonce}; let nothing else send from this account meanwhile, and \
         run the same again"
    )]
    NonceTaken {
        /// Account that sends.
        account: Address,
        /// The nonce.
        nonce: u64,
        /// Answer of the node.
        source: NodeError,
    },
    /// The transaction is included, but failed.
    #[error(
        "the chain changed meanwhile; look at it and try again: the transaction {transaction} failed in block {block}, after \
         {gas_used} gas"
    )]
    Failed {
        /// Hash of the transaction.
        transaction: B256,
        /// Height of its block.
        block: u64,
        /// Gas used.
        gas_used: u64,
    },
    /// The signed transaction could not be stored, and was not sent.
    #[error(transparent)]
    Store(Box<dyn Error + Send + Sync>),
    /// Something failed after the node took the transaction.
    #[error(
        "the transaction {} was sent and may still become part of the chain; look for it before you send the same again",
        hashes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
    )]
    MaybeIncluded {
        /// Hash that each signature gives the transaction.
        hashes: Vec<B256>,
        /// The failure.
        source: Box<SendError>,
    },
}

/// An account has less than a transaction needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the account {account} has {} on chain {chain_id}, and this needs {}; send it money, or use another account",
    wei(*has),
    self.needs()
)]
pub struct TooPoor {
    /// The account.
    pub account: Address,
    /// Id of the chain.
    pub chain_id: u64,
    /// Money of the account, in wei.
    pub has: U256,
    /// Money that the transaction sends, in wei.
    pub value: U256,
    /// Maximum cost of its gas, in wei; `None` if that is not known.
    pub gas: Option<U256>,
}

impl TooPoor {
    /// Describes the money that the transaction needs.
    fn needs(&self) -> String {
        match self.gas {
            None => format!("{}, and gas besides", wei(self.value)),
            Some(gas) if self.value.is_zero() => format!("up to {} for gas", wei(gas)),
            Some(gas) => format!(
                "up to {}: {}, and up to {} for gas",
                wei(self.value.saturating_add(gas)),
                wei(self.value),
                wei(gas)
            ),
        }
    }
}

fn wei(amount: U256) -> Amount {
    Amount(amount.saturating_to())
}

impl Sender<'_> {
    /// Returns the account that sends.
    #[must_use]
    pub fn address(&self) -> Address {
        self.key.address()
    }

    /// Sends a transaction and waits until it is included. It does not send one that would fail.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send(&self, call: Call) -> Result<NodeReceipt, SendError> {
        let mut outgoing = self.prepare(call).await?;
        self.deliver(&mut NotStored, &(), &mut outgoing).await
    }

    /// Sends a transaction whose gas was estimated at `gas`, and waits until it is included.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send_estimated(&self, call: Call, gas: u64) -> Result<NodeReceipt, SendError> {
        let mut outgoing = self.sign_estimated(call, gas).await?;
        self.deliver(&mut NotStored, &(), &mut outgoing).await
    }

    /// Sends a transaction with this gas limit, without an estimate, and waits until it is
    /// included.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send_with_gas(
        &self,
        call: Call,
        gas_limit: u64,
    ) -> Result<NodeReceipt, SendError> {
        let mut outgoing = self.sign_next(call, gas_limit).await?;
        self.deliver(&mut NotStored, &(), &mut outgoing).await
    }

    /// Estimates the gas of a transaction.
    ///
    /// # Errors
    /// [`SendError::TooPoor`] if the account cannot pay, or [`SendError::Node`].
    pub async fn estimate(&self, call: &Call) -> Result<u64, SendError> {
        let (value, data) = (U256::from(call.value), call.data.to_vec());
        let node = self.node;
        let gas = node.estimate(self.address(), call.to, value, data).await;
        self.explain(value, gas).await
    }

    /// Estimates the gas of a transaction in the next block: see [`Node::estimate_next`].
    ///
    /// # Errors
    /// Those of [`estimate`](Self::estimate).
    pub async fn estimate_next(&self, call: &Call) -> Result<u64, SendError> {
        let (value, data) = (U256::from(call.value), call.data.to_vec());
        let node = self.node;
        let gas = node.estimate_next(self.address(), call.to, value, data);
        let gas = gas.await;
        self.explain(value, gas).await
    }

    /// Replaces the failure of an estimate by [`SendError::TooPoor`], if the account cannot pay.
    async fn explain(&self, value: U256, gas: Result<u64, NodeError>) -> Result<u64, SendError> {
        match gas {
            Ok(gas) => Ok(gas),
            Err(error) => Err(self.explain_unpaid(value, error).await),
        }
    }

    /// Estimates and signs the account's next transaction.
    ///
    /// # Errors
    /// [`SendError`] if the transaction would fail or needs more gas than a transaction may use.
    /// Also if it costs more than the budget or the account has.
    pub async fn prepare(&self, call: Call) -> Result<Outgoing, SendError> {
        let gas = self.estimate(&call).await?;
        self.sign_estimated(call, gas).await
    }

    /// Does the same as [`prepare`](Self::prepare), with an estimate of [`estimate_next`](Self::estimate_next).
    ///
    /// # Errors
    /// Those of [`prepare`](Self::prepare).
    pub async fn prepare_next(&self, call: Call) -> Result<Outgoing, SendError> {
        let gas = self.estimate_next(&call).await?;
        self.sign_estimated(call, gas).await
    }

    /// Signs the account's next transaction, whose gas was estimated at `gas`.
    async fn sign_estimated(&self, call: Call, gas: u64) -> Result<Outgoing, SendError> {
        if gas > TRANSACTION_GAS_LIMIT {
            return Err(SendError::TooMuchGas { gas });
        }
        self.sign_next(call, gas::limit(gas)).await
    }

    /// Signs the account's next transaction, after a check that the account can pay it.
    async fn sign_next(&self, call: Call, gas_limit: u64) -> Result<Outgoing, SendError> {
        let offer = self.first_offer(&call, gas_limit).await?;
        let has = self.node.balance(self.address()).await?;
        let value = U256::from(call.value);
        let gas = U256::from(gas_limit).saturating_mul(U256::from(offer.max_fee));
        if has < value.saturating_add(gas) {
            return Err(self.too_poor(has, value, Some(gas)).into());
        }
        let nonce = self.node.nonce(self.address()).await?;
        Ok(self.sign_at(call, gas_limit, nonce, offer))
    }

    /// Signs a transaction with a nonce, at the first offer.
    ///
    /// # Errors
    /// [`SendError::TooDear`], [`SendError::OverBudget`] or [`SendError::Node`].
    pub async fn sign(
        &self,
        call: Call,
        gas_limit: u64,
        nonce: u64,
    ) -> Result<Outgoing, SendError> {
        let offer = self.first_offer(&call, gas_limit).await?;
        Ok(self.sign_at(call, gas_limit, nonce, offer))
    }

    /// Returns the first offer for a transaction, within the budget.
    ///
    /// # Errors
    /// [`SendError::TooDear`], [`SendError::OverBudget`] or [`SendError::Node`].
    pub async fn first_offer(&self, call: &Call, gas_limit: u64) -> Result<Offer, SendError> {
        let offer = gas_fees::first(&self.node.gas_fees().await?, self.max_fee)?;
        self.budget
            .check(max_cost(call.value, gas_limit, offer.max_fee))?;
        Ok(offer)
    }

    /// Signs a transaction with a nonce, at an offer. It asks the node for nothing.
    #[must_use]
    pub fn sign_at(&self, call: Call, gas_limit: u64, nonce: u64, offer: Offer) -> Outgoing {
        let unsigned = Unsigned {
            chain_id: self.node.chain_id(),
            nonce,
            to: call.to,
            value: U256::from(call.value),
            data: call.data,
            gas_limit,
            max_fee: offer.max_fee,
            priority_fee: offer.priority_fee,
        };
        let last = self.key.sign_transaction(&unsigned);
        Outgoing {
            unsigned,
            earlier: Vec::new(),
            last,
        }
    }

    /// Signs a transaction that has been pending for long at a higher offer, and stores the
    /// signature. It does not send the transaction.
    ///
    /// # Errors
    /// [`SendError::Node`] or [`SendError::Store`].
    pub async fn raise<S: TxStore>(
        &self,
        store: &mut S,
        id: &S::Id,
        outgoing: &mut Outgoing,
    ) -> Result<Raised, SendError> {
        let gas_fees = self.node.gas_fees().await?;
        let offer = match gas_fees::next(outgoing.offer(), &gas_fees, self.max_fee) {
            Next::Raise(offer) => offer,
            Next::AtMaximum(maximum) => return Ok(Raised::AtMaximum(maximum)),
        };
        let before = &outgoing.unsigned;
        let cost = max_cost(
            before.value.saturating_to(),
            before.gas_limit,
            offer.max_fee,
        );
        if self.budget.check(cost).is_err() {
            return Ok(Raised::AtMaximum(before.max_fee));
        }
        outgoing.unsigned.max_fee = offer.max_fee;
        outgoing.unsigned.priority_fee = offer.priority_fee;
        let signed = self.key.sign_transaction(&outgoing.unsigned);
        let before = mem::replace(&mut outgoing.last, signed);
        outgoing.earlier.push(before);
        let stored = store.add_signature(id, outgoing).await;
        stored.map_err(|error| SendError::Store(error.into()))?;
        Ok(Raised::To(offer))
    }

    /// Sends a signed and stored transaction until it is included. It raises the offer if that
    /// takes long.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn deliver<S: TxStore>(
        &self,
        store: &mut S,
        id: &S::Id,
        outgoing: &mut Outgoing,
    ) -> Result<NodeReceipt, SendError> {
        let mut sent = false;
        match self.deliver_noting(store, id, outgoing, &mut sent).await {
            Ok(receipt) => {
                self.budget.spend(gas_cost(&receipt));
                succeeded(receipt)
            }
            Err(error) if sent => Err(SendError::MaybeIncluded {
                hashes: outgoing.hashes().collect(),
                source: Box::new(error),
            }),
            Err(error) => Err(error),
        }
    }

    /// Does the same as [`deliver`](Self::deliver), and sets `sent` once the node may have the
    /// transaction.
    async fn deliver_noting<S: TxStore>(
        &self,
        store: &mut S,
        id: &S::Id,
        outgoing: &mut Outgoing,
        sent: &mut bool,
    ) -> Result<NodeReceipt, SendError> {
        let mut at_maximum = false;
        loop {
            for signed in outgoing.signed() {
                match self.node.broadcast(&signed.raw).await {
                    Ok(()) | Err(NodeError::Underpriced) => *sent = true,
                    Err(source @ NodeError::NonceTooLow) => {
                        let receipt = wait_included(self.node, outgoing, LAG).await?;
                        return receipt.ok_or(SendError::NonceTaken {
                            account: self.address(),
                            nonce: outgoing.unsigned.nonce,
                            source,
                        });
                    }
                    // The node may have taken the transaction although its answer was lost.
                    Err(error) if error.is_transient() => {
                        *sent = true;
                        tracing::warn!(%error, "sending goes on");
                    }
                    Err(error) => {
                        return Err(self.explain_unpaid(outgoing.unsigned.value, error).await);
                    }
                }
                tracing::info!(hash = %signed.hash, nonce = outgoing.unsigned.nonce, "sent");
            }
            if let Some(receipt) = wait_included(self.node, outgoing, BUMP_AFTER).await? {
                return Ok(receipt);
            }
            match self.raise(store, id, outgoing).await? {
                Raised::To(offer) => {
                    tracing::info!(max_fee = offer.max_fee, "still pending; offers more");
                }
                Raised::AtMaximum(_) if at_maximum => {}
                Raised::AtMaximum(_) => {
                    at_maximum = true;
                    let hash = outgoing.last.hash;
                    tracing::warn!(
                        "the transaction {hash} is still pending, and its gas price is as high as it may be, {}; \
                         {} allow more",
                        GasPrice(outgoing.unsigned.max_fee),
                        self.settings
                    );
                }
            }
        }
    }

    /// Replaces a node's error by [`SendError::TooPoor`], if the account cannot pay.
    async fn explain_unpaid(&self, value: U256, error: NodeError) -> SendError {
        if !matches!(error, NodeError::InsufficientFunds { .. }) {
            return error.into();
        }
        match self.node.balance(self.address()).await {
            Ok(has) => self.too_poor(has, value, None).into(),
            Err(_) => error.into(),
        }
    }

    fn too_poor(&self, has: U256, value: U256, gas: Option<U256>) -> Box<TooPoor> {
        Box::new(TooPoor {
            account: self.address(),
            chain_id: self.node.chain_id(),
            has,
            value,
            gas,
        })
    }
}

/// Stores a transaction that was signed for the first time. It does not send the transaction.
///
/// # Errors
/// [`SendError::Store`].
pub async fn start<S: TxStore>(
    store: &mut S,
    purpose: &S::Purpose,
    outgoing: &Outgoing,
) -> Result<S::Id, SendError> {
    let stored = store.insert(purpose, outgoing).await;
    stored.map_err(|error| SendError::Store(error.into()))
}

/// Returns the receipt of a transaction, under any of its hashes; `None` if it is not included.
///
/// # Errors
/// If the node does not answer.
pub async fn included(node: &Node, outgoing: &Outgoing) -> Result<Option<NodeReceipt>, NodeError> {
    // The last signature is the most likely one.
    for hash in outgoing.hashes().rev() {
        if let Some(receipt) = node.receipt(hash).await? {
            return Ok(Some(receipt));
        }
    }
    Ok(None)
}

/// Waits for the receipt of a transaction; `None` if it is not included in time.
///
/// # Errors
/// If the node fails for a reason that is not transient.
pub async fn wait_included(
    node: &Node,
    outgoing: &Outgoing,
    patience: Duration,
) -> Result<Option<NodeReceipt>, NodeError> {
    let start = Instant::now();
    let mut pause = PAUSES.0;
    loop {
        match included(node, outgoing).await {
            Ok(Some(receipt)) => return Ok(Some(receipt)),
            Ok(None) => {}
            Err(error) if error.is_transient() => tracing::warn!(%error, "waiting goes on"),
            Err(error) => return Err(error),
        }
        if start.elapsed() >= patience {
            return Ok(None);
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Returns the cost of a transaction's gas, in wei.
#[must_use]
pub fn gas_cost(receipt: &NodeReceipt) -> u128 {
    u128::from(receipt.gas_used).saturating_mul(receipt.gas_price)
}

/// Returns the maximum cost of a transaction with its value, in wei.
fn max_cost(value: u128, gas_limit: u64, max_fee: u128) -> u128 {
    value.saturating_add(u128::from(gas_limit).saturating_mul(max_fee))
}

fn succeeded(receipt: NodeReceipt) -> Result<NodeReceipt, SendError> {
    if receipt.success {
        return Ok(receipt);
    }
    Err(SendError::Failed {
        transaction: receipt.transaction,
        block: receipt.block,
        gas_used: receipt.gas_used,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_names_the_value_the_gas_and_their_sum() {
        let poor = |value: u64, gas: Option<u64>| {
            TooPoor {
                account: Address::with_last_byte(7),
                chain_id: 31_337,
                has: U256::from(3),
                value: U256::from(value),
                gas: gas.map(U256::from),
            }
            .needs()
        };
        assert_eq!(poor(10, None), "10 wei, and gas besides");
        assert_eq!(poor(0, Some(20)), "up to 20 wei for gas");
        assert_eq!(
            poor(10, Some(20)),
            "up to 30 wei: 10 wei, and up to 20 wei for gas"
        );
    }

    #[test]
    fn send_error_names_each_hash_of_a_transaction_that_was_sent() {
        let error = SendError::MaybeIncluded {
            hashes: vec![B256::with_last_byte(1), B256::with_last_byte(2)],
            source: Box::new(NodeError::NonceTooLow.into()),
        };
        let text = error.to_string();
        let (one, two) = (B256::with_last_byte(1), B256::with_last_byte(2));
        assert!(
            text.starts_with(&format!(
                "the transaction {one} or {two} was sent and may still"
            )),
            "{text}"
        );
    }
}
