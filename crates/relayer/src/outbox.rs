//! Sends transactions so that the chain includes each exactly once.
//!
//! The outbox stores a transaction before it sends it, and sends it again at rising fees.
//! It watches an included transaction until its block is too deep to be rolled back.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use alloy_primitives::{Address, B256, Bytes};
use cotrain_chain::{
    keys::{Key, Signed},
    node::{Node, NodeError, NodeReceipt},
};
use cotrain_client::{
    budget::Budget,
    gas_fees,
    send::{self, LAG, Raised, SendError, Sender, included},
};
use cotrain_indexer::{Cursor, DEEP, ModelId, StoreError, with_sources};
use cotrain_protocol::Amount;

use crate::{
    clock,
    store::{InFlight, Purpose, RelayStore},
};

/// Maximum time between two broadcasts of the same transaction.
/// A node may drop a transaction that has been pending for long, or restart.
const REBROADCAST: Duration = Duration::from_secs(5);

/// Purpose of the transactions that drive markets.
pub(crate) const SCORE: &str = "score";

/// Failure to send a transaction.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutboxError {
    #[error("the node failed")]
    Node(#[from] NodeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Send(#[from] SendError),
}

/// Limits of the transactions for each purpose; `None` if no limit is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Limits {
    /// Maximum gas price of relay transactions, in wei.
    pub(crate) relay: Option<u128>,
    /// Maximum gas price of claims, in wei.
    pub(crate) keep: Option<u128>,
    /// Maximum gas price of a market's steps, in wei.
    pub(crate) score: Option<u128>,
    /// Maximum cost of all steps of one market, in wei.
    pub(crate) score_cost: Option<u128>,
}

impl Limits {
    /// Returns the maximum gas price for a purpose, in wei, and its key in the configuration.
    fn price_of(&self, purpose: &str) -> (Option<u128>, &'static str) {
        match purpose {
            "relay" => (self.relay, "relay.max_gas_price"),
            SCORE => (self.score, "score.max_gas_price` and `score.max_cost"),
            _ => (self.keep, "keep.max_gas_price"),
        }
    }

    /// Returns the maximum cost of all transactions of a purpose for one model, in wei.
    fn cost_of(&self, purpose: &str) -> Option<u128> {
        self.score_cost.filter(|_| purpose == SCORE)
    }
}

/// Progress of a pending transaction, within this process.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    broadcast: Instant,
    /// `true` if the log already says that its offer has reached the maximum.
    at_maximum: bool,
}

/// Contract call, with its purpose.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) model: ModelId,
    /// Purpose: `relay`, `refund`, `announce`, `report` or `score`.
    pub(crate) purpose: &'static str,
    pub(crate) to: Address,
    pub(crate) data: Bytes,
    pub(crate) gas_limit: u64,
}

/// Transactions of one key. One task owns the outbox, so no nonce is assigned twice.
#[derive(Debug)]
pub(crate) struct Outbox {
    node: Node,
    store: RelayStore,
    key: Key,
    next_nonce: u64,
    bump_after: Duration,
    confirmations: u64,
    limits: Limits,
    /// Pending transactions, by their id.
    waiting: BTreeMap<i64, Waiting>,
    /// Time since which a transaction with a used nonce has no receipt, by its id.
    missing: BTreeMap<i64, Instant>,
}

impl Outbox {
    /// Opens the outbox of a key, and continues with the transactions that the last process left.
    pub(crate) async fn open(
        node: Node,
        store: RelayStore,
        key: Key,
        bump_after: Duration,
        confirmations: u64,
        limits: Limits,
    ) -> Result<Self, OutboxError> {
        let stored = store.next_nonce(node.chain_id(), key.address()).await?;
        let next_nonce = stored.max(node.nonce(key.address()).await?);
        Ok(Self {
            node,
            store,
            key,
            next_nonce,
            bump_after,
            confirmations,
            limits,
            waiting: BTreeMap::new(),
            missing: BTreeMap::new(),
        })
    }

    /// Returns the address of the sending account.
    pub(crate) fn address(&self) -> Address {
        self.key.address()
    }

    /// Stores a transaction with the signed batches that it contains, and sends it.
    ///
    /// After this returns, the outbox tries the transaction until its nonce is used.
    /// This also holds if the node does not answer.
    pub(crate) async fn send(
        &mut self,
        call: Call,
        submissions: &[B256],
    ) -> Result<B256, OutboxError> {
        let nonce = self
            .next_nonce
            .max(self.node.nonce(self.key.address()).await?);
        let transaction = send::Call {
            to: Some(call.to),
            value: 0,
            data: call.data,
        };
        let budget = self.budget(call.model, call.purpose, None).await?;
        if self.limits.cost_of(call.purpose).is_some() {
            // The budget must cover all later bumps.
            // A transaction that cannot be bumped blocks those with later nonces.
            let (maximum, _) = self.limits.price_of(call.purpose);
            let max = gas_fees::max(&self.node.gas_fees().await?, maximum);
            let checked = budget.check(max.saturating_mul(call.gas_limit.into()));
            checked.map_err(SendError::from)?;
        }
        let sender = self.sender(call.purpose, &budget);
        let outgoing = sender.sign(transaction, call.gas_limit, nonce).await?;
        let purpose = Purpose {
            model: call.model,
            name: call.purpose,
            sender: self.key.address(),
            submissions: submissions.to_vec(),
        };
        send::start(&mut self.store, &purpose, &outgoing).await?;
        self.next_nonce = nonce + 1;
        let hash = outgoing.last.hash;
        tracing::info!(%hash, nonce, purpose = call.purpose, batches = submissions.len(), "sending");
        self.broadcast(&outgoing.last).await;
        Ok(hash)
    }

    /// Returns the budget of a purpose for one model, less the cost of its transactions.
    ///
    /// The transaction with the id `transaction` does not count.
    async fn budget(
        &self,
        model: ModelId,
        purpose: &str,
        transaction: Option<i64>,
    ) -> Result<Budget, StoreError> {
        let Some(limit) = self.limits.cost_of(purpose) else {
            return Ok(Budget::default());
        };
        let budget = Budget::new(Some(limit));
        budget.spend(self.store.cost(model, purpose, transaction).await?);
        Ok(budget)
    }

    /// Returns the sender of transactions for a purpose.
    fn sender<'a>(&'a self, purpose: &str, budget: &'a Budget) -> Sender<'a> {
        let (max_fee, settings) = self.limits.price_of(purpose);
        Sender {
            node: &self.node,
            key: &self.key,
            max_fee,
            budget,
            settings,
        }
    }

    /// Attends to all transactions that are not final: resends, bumps fees, and records outcomes.
    ///
    /// `read_until` returns the last block of a model whose logs were read.
    pub(crate) async fn poll(
        &mut self,
        read_until: impl Fn(ModelId) -> u64,
    ) -> Result<(), OutboxError> {
        let outgoing = self
            .store
            .outgoing(self.node.chain_id(), self.key.address())
            .await?;
        self.waiting.retain(|id, _| {
            outgoing
                .iter()
                .any(|one| one.id == *id && one.block.is_none())
        });
        if outgoing.is_empty() {
            return Ok(());
        }
        let head = self.node.head().await?.number;
        // Read the nonce before the receipts, so that each used nonce already has its receipt.
        let used = self.node.nonce(self.key.address()).await?;
        for one in outgoing {
            let receipt = included(&self.node, &one.transaction).await?;
            match (receipt, one.block) {
                (Some(receipt), known) => {
                    self.missing.remove(&one.id);
                    if known != Some(receipt.block) {
                        self.note_included(&one, &receipt).await?;
                    }
                    let block = Cursor {
                        block: receipt.block,
                        hash: receipt.block_hash,
                    };
                    // Compare by hash: the follower may have read another branch.
                    if read_until(one.model) > receipt.block.saturating_add(DEEP)
                        || self.store.chain().knows_block(one.model, block).await?
                    {
                        self.store.release_unsettled(one.id).await?;
                        if head >= receipt.block + self.confirmations {
                            self.store.set_final(one.id).await?;
                        }
                    }
                }
                (None, Some(_)) => self.store.set_sent(one.id).await?,
                (None, None) if used > one.transaction.unsigned.nonce => {
                    // Several nodes may share an address.
                    // One may know the nonce before another one has the receipt.
                    let missing = self.missing.entry(one.id).or_insert_with(Instant::now);
                    if missing.elapsed() < LAG {
                        continue;
                    }
                    self.missing.remove(&one.id);
                    tracing::warn!(
                        nonce = one.transaction.unsigned.nonce,
                        "another transaction used the nonce; what was in ours is pending again"
                    );
                    self.store.set_replaced(one.id).await?;
                }
                (None, None) => {
                    self.missing.remove(&one.id);
                    self.send_again(one).await?;
                }
            }
        }
        Ok(())
    }

    async fn note_included(
        &self,
        one: &InFlight,
        receipt: &NodeReceipt,
    ) -> Result<(), OutboxError> {
        let NodeReceipt {
            block,
            gas_used,
            success,
            transaction,
            ..
        } = *receipt;
        if success {
            tracing::info!(hash = %transaction, block, gas_used, "included");
        } else {
            tracing::warn!(hash = %transaction, block, gas_used, "the transaction failed on the chain");
        }
        metrics::counter!("cotrain_transactions_total", "success" => success.to_string())
            .increment(1);
        metrics::counter!("cotrain_gas_used_total").increment(gas_used);
        Ok(self
            .store
            .set_included(one.id, block, gas_used, success)
            .await?)
    }

    /// Sends the last signature again, or a new one at a higher fee after `bump_after`.
    async fn send_again(&mut self, mut one: InFlight) -> Result<(), OutboxError> {
        let known = self.waiting.get(&one.id).copied();
        if clock::now() < one.sent + self.bump_after.as_secs() {
            self.rebroadcast(&one, known).await;
            return Ok(());
        }
        if one.purpose == SCORE && self.limits.score_cost.is_none() {
            // The configuration no longer sets a maximum cost, so the fee must not rise.
            self.rebroadcast(&one, known).await;
            return Ok(());
        }
        let mut store = self.store.clone();
        let budget = self.budget(one.model, &one.purpose, Some(one.id)).await?;
        let raised = self
            .sender(&one.purpose, &budget)
            .raise(&mut store, &one.id, &mut one.transaction)
            .await?;
        let last = &one.transaction.last;
        let nonce = one.transaction.unsigned.nonce;
        match raised {
            Raised::To(offer) => {
                tracing::info!(hash = %last.hash, nonce, max_fee = offer.max_fee, priority_fee = offer.priority_fee, "sending again at a higher gas price");
                self.broadcast(last).await;
                self.note_broadcast(one.id, false);
            }
            Raised::AtMaximum(maximum) => {
                if !known.is_some_and(|known| known.at_maximum) {
                    let (offer, (_, key)) =
                        (one.transaction.offer(), self.limits.price_of(&one.purpose));
                    tracing::warn!(
                        hash = %last.hash, nonce, max_fee = offer.max_fee, priority_fee = offer.priority_fee,
                        maximum, "the transaction is still pending, and its gas price is as high as it may be; set `{key}` higher to offer more"
                    );
                }
                self.rebroadcast(&one, known).await;
                if let Some(waiting) = self.waiting.get_mut(&one.id) {
                    waiting.at_maximum = true;
                }
            }
        }
        Ok(())
    }

    /// Sends the last signature again, unless that was done a moment ago.
    async fn rebroadcast(&mut self, one: &InFlight, known: Option<Waiting>) {
        let pause = REBROADCAST.min(self.bump_after);
        if known.is_some_and(|known| known.broadcast.elapsed() < pause) {
            return;
        }
        let last = &one.transaction.last;
        tracing::debug!(hash = %last.hash, "sending again");
        self.broadcast(last).await;
        self.note_broadcast(one.id, known.is_some_and(|known| known.at_maximum));
    }

    fn note_broadcast(&mut self, id: i64, at_maximum: bool) {
        let broadcast = Instant::now();
        self.waiting.insert(
            id,
            Waiting {
                broadcast,
                at_maximum,
            },
        );
    }

    /// Sends a transaction to the node.
    /// An error is only logged: the next call of `poll` finds out the outcome.
    async fn broadcast(&self, signed: &Signed) {
        match self.node.broadcast(&signed.raw).await {
            Ok(()) | Err(NodeError::NonceTooLow) => {}
            Err(error @ NodeError::InsufficientFunds { .. }) => {
                let account = self.key.address();
                let has = self.node.balance(account).await.ok();
                let has = has.map(|has| Amount(has.saturating_to()).to_string());
                tracing::warn!(hash = %signed.hash, %account, ?has, %error, "the relayer's account cannot pay; send it money");
            }
            Err(error) => {
                tracing::warn!(hash = %signed.hash, error = %with_sources(&error), "the node did not take the transaction; it will be sent again");
            }
        }
    }
}
