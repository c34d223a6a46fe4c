//! All that the rails of x402 and the facilitator read from a chain, and send to it.
//!
//! Every effect happens once at most, by the rules of the contracts: a token takes each nonce of a
//! payer once, and claims are cumulative. So a call may be sent again under another nonce of our
//! account, and nothing of it must be stored but what the payer signed.
//!
//! A settlement of `exact` goes like this:
//!
//! 1. [`Chain::check`] holds the payment against the token, and simulates the transfer.
//! 2. [`Chain::prepare`] signs a transaction, and takes the next nonce.
//! 3. The caller stores the payment, with the hash if it wishes.
//! 4. [`Prepared::send`] sends it, and waits some time. Dropping it instead gives the nonce back.
//! 5. [`Chain::look`] tells what the chain shows of the transfer. The caller asks again until
//!    the ledger needs nothing more.

mod channels;
mod exact;
mod queue;
mod walk;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alloy_primitives::{Address, B256, Bytes};
use cotrain_chain::{
    TRANSACTION_GAS_LIMIT,
    keys::Key,
    node::{Node, NodeError},
};
use cotrain_client::{
    budget::{Budget, OverBudget},
    gas,
    send::{self, SendError, Sender},
};
use cotrain_payments::x402::{Reason, batch::Deployment};

pub use self::{
    channels::{ClaimBatch, MAX_CLAIMS, refunded, settled},
    exact::{Finding, Transfer, payment_call},
    queue::{Prepared, Purse, Sent},
};
use self::{
    queue::{Daily, Queue, Taken},
    walk::Searched,
};

/// Options of payments on a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainOptions {
    /// Settlement contract and collector of channels.
    pub deployment: Deployment,
    /// Number of blocks in which a transfer counts: 1 is the block that has it.
    pub confirmations: u64,
    /// Number of blocks after which a block is final.
    pub final_after: u64,
    /// Maximum time that a request waits for its transaction.
    pub patience: Duration,
    /// Maximum price of a unit of gas, in wei; `None`: four times the current fees.
    pub max_gas_price: Option<u128>,
    /// Maximum cost of the transactions of one day for strangers, and of as many for refunds of
    /// channels, in wei. The count begins anew with each start.
    pub max_daily_gas: u128,
}

impl ChainOptions {
    /// Returns the depth below the head from which a block is final. What counts there counts before.
    fn final_depth(&self) -> u64 {
        self.final_after.max(self.confirmations.saturating_sub(1))
    }
}

/// Failure to read from the chain or to send to it.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The chain would not take the payment.
    #[error("cannot take the payment: {0}; correct it, and sign another one")]
    Refused(Reason),
    /// A transaction with the same transfer is pending, whoever sent it.
    #[error("cannot send the transfer: a transaction with it is pending; look for it again")]
    Pending,
    /// The node failed.
    #[error("cannot read the chain now: the node failed; try again later")]
    Node(#[from] NodeError),
    /// The transaction cannot be sent.
    #[error("cannot send the transaction; look at the account that pays gas")]
    Send(#[source] Box<SendError>),
    /// The gas for strangers or for refunds is used up.
    #[error("cannot send more transactions for others today: {0}")]
    Daily(#[from] OverBudget),
}

impl From<SendError> for ChainError {
    fn from(error: SendError) -> Self {
        Self::Send(Box::new(error))
    }
}

impl ChainError {
    /// Returns the word for the payer. It is one of an unknown outcome unless the chain refuses.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Refused(reason) => reason.clone(),
            Self::Pending => Reason::SettlementPending,
            Self::Node(_) | Self::Send(_) | Self::Daily(_) => Reason::UnexpectedSettleError,
        }
    }
}

/// Call of a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractCall {
    /// Contract.
    pub to: Address,
    /// Data of the call.
    pub data: Bytes,
    /// Word for the payer if the call would revert.
    pub fault: Reason,
}

#[derive(Debug)]
struct Inner {
    node: Node,
    key: Key,
    options: ChainOptions,
    queue: Arc<tokio::sync::Mutex<Queue>>,
    strangers: Mutex<Daily>,
    refunds: Mutex<Daily>,
    /// Searches for the use of a token, payer and nonce that go on, with the blocks that are done.
    searches: Mutex<BTreeMap<(Address, Address, B256), Searched>>,
}

/// Node, account and contracts by which payments move; cheap to clone.
///
/// Nothing else may send from its account.
#[derive(Debug, Clone)]
pub struct Chain(Arc<Inner>);

impl Chain {
    /// Creates the access to a chain by an account that pays gas, and from which refunds go.
    #[must_use]
    pub fn new(node: Node, key: Key, options: ChainOptions) -> Self {
        let daily = || Mutex::new(Daily::new(options.max_daily_gas));
        let (strangers, refunds) = (daily(), daily());
        Self(Arc::new(Inner {
            node,
            key,
            options,
            queue: Arc::default(),
            strangers,
            refunds,
            searches: Mutex::default(),
        }))
    }

    /// Returns the chain's id.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.0.node.chain_id()
    }

    /// Returns the account that sends transactions, and from which refunds go.
    #[must_use]
    pub fn account(&self) -> Address {
        self.0.key.address()
    }

    /// Returns the options.
    #[must_use]
    pub fn options(&self) -> &ChainOptions {
        &self.0.options
    }

    /// Returns the time of the next block, in Unix seconds. Signed times are held against it.
    ///
    /// # Errors
    /// [`ChainError::Node`].
    pub async fn now(&self) -> Result<u64, ChainError> {
        Ok(self.0.node.now().await?)
    }

    /// Returns the number of the latest block.
    ///
    /// # Errors
    /// [`ChainError::Node`].
    pub async fn head(&self) -> Result<u64, ChainError> {
        Ok(self.0.node.head().await?.number)
    }

    /// Returns `true` if an account is a contract.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn has_code(&self, account: Address) -> Result<bool, NodeError> {
        Ok(!self.0.node.code(account).await?.is_empty())
    }

    /// Simulates a call in the next block, and returns its gas.
    ///
    /// # Errors
    /// [`ChainError::Refused`] with the call's word if it would revert, or [`ChainError::Node`].
    pub async fn simulate(&self, call: &ContractCall) -> Result<u64, ChainError> {
        let (from, value) = (self.account(), alloy_primitives::U256::ZERO);
        let data = call.data.to_vec();
        let gas = self.0.node.estimate_next(from, Some(call.to), value, data);
        match gas.await {
            Ok(gas) if gas <= TRANSACTION_GAS_LIMIT => Ok(gas),
            Ok(_) | Err(NodeError::Reverted(_)) => Err(ChainError::Refused(call.fault.clone())),
            Err(error) => Err(error.into()),
        }
    }

    /// Signs a transaction with a call that was simulated at `gas`.
    ///
    /// It waits for the transactions that others have prepared and neither sent nor dropped, and asks
    /// the node before that.
    ///
    /// # Errors
    /// [`ChainError`] if gas is too dear, the day's gas is used up, or the node fails.
    pub async fn prepare(
        &self,
        call: &ContractCall,
        gas: u64,
        purse: Purse,
    ) -> Result<Prepared, ChainError> {
        let limit = gas::limit(gas);
        let transaction = send::Call {
            to: Some(call.to),
            value: 0,
            data: call.data.clone(),
        };
        // Raising the offer is bounded by the maximum price of gas, so no budget is given here.
        let budget = Budget::default();
        let sender = self.sender(&budget);
        let offer = sender.first_offer(&transaction, limit).await?;
        let cost = offer.max_fee.saturating_mul(limit.into());
        let taken = Taken::take(self, purse, cost)?;
        let on_chain = self.0.node.nonce(self.account()).await?;
        let queue = Arc::clone(&self.0.queue).lock_owned().await;
        // Transactions that were included meanwhile are known to the queue.
        let nonce = queue.next(on_chain);
        let outgoing = sender.sign_at(transaction, limit, nonce, offer);
        Ok(Prepared::new(self.clone(), queue, outgoing, taken))
    }

    /// Returns the gas of today for a purse that has a limit.
    fn daily(&self, purse: Purse) -> Option<MutexGuard<'_, Daily>> {
        let daily = match purse {
            Purse::Host => return None,
            Purse::Strangers => &self.0.strangers,
            Purse::Refunds => &self.0.refunds,
        };
        Some(daily.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn sender<'a>(&'a self, budget: &'a Budget) -> Sender<'a> {
        Sender {
            node: &self.0.node,
            key: &self.0.key,
            max_fee: self.0.options.max_gas_price,
            budget,
            settings: "x402.max_gas_price",
        }
    }
}
