//! Sends transactions so that each becomes part of the chain once: stored before they are sent, sent again at rising
//! fees until they are included, watched until they are too deep to be taken back.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use alloy_primitives::{Address, B256, Bytes, U256};
use cotrain_chain::{
    keys::{Key, Unsigned},
    node::{Node, NodeError, NodeReceipt},
};
use cotrain_client::fees::{self, Next, Offer, TooDear};
use cotrain_indexer::{Cursor, DEEP, ModelId, StoreError, with_sources};
use cotrain_protocol::Amount;

use crate::{
    clock,
    store::{Attempt, NewTransaction, Outgoing, RelayStore},
};

/// Longest time between two broadcasts of the same transaction: nodes forget what waits for long, or restart.
const REBROADCAST: Duration = Duration::from_secs(5);

/// Why a transaction was not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutboxError {
    #[error("the node failed")]
    Node(#[from] NodeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    TooDear(#[from] TooDear),
}

/// Maximum price of a unit of gas for each purpose, in wei; `None`: none is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Maxima {
    pub(crate) relay: Option<u128>,
    pub(crate) keep: Option<u128>,
}

impl Maxima {
    /// Returns the maximum, and the key of the configuration that sets it.
    fn of(&self, purpose: &str) -> (Option<u128>, &'static str) {
        if purpose == "relay" {
            (self.relay, "relay.max_gas_price")
        } else {
            (self.keep, "keep.max_gas_price")
        }
    }
}

/// Progress of a transaction that is not included yet, within this process.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    broadcast: Instant,
    /// `true` if it was said that its offer is as high as it may be.
    at_maximum: bool,
}

/// What is to be called.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) model: ModelId,
    /// `relay`, `refund`, `announce` or `report`.
    pub(crate) purpose: &'static str,
    pub(crate) to: Address,
    pub(crate) data: Bytes,
    pub(crate) gas_limit: u64,
}

/// The transactions of one key. One task owns it, so that no nonce is given away twice.
#[derive(Debug)]
pub(crate) struct Outbox {
    node: Node,
    store: RelayStore,
    key: Key,
    next_nonce: u64,
    bump_after: Duration,
    confirmations: u64,
    maxima: Maxima,
    /// By the id of the transaction.
    waiting: BTreeMap<i64, Waiting>,
}

impl Outbox {
    /// Takes up where the last process stopped.
    pub(crate) async fn open(
        node: Node,
        store: RelayStore,
        key: Key,
        bump_after: Duration,
        confirmations: u64,
        maxima: Maxima,
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
            maxima,
            waiting: BTreeMap::new(),
        })
    }

    /// Who sends.
    pub(crate) fn address(&self) -> Address {
        self.key.address()
    }

    /// Stores a transaction and sends it, with these signed batches in it. It is certain to be tried until its nonce
    /// is used once this returns, also where the node does not answer.
    pub(crate) async fn send(
        &mut self,
        call: Call,
        submissions: &[B256],
    ) -> Result<B256, OutboxError> {
        let (maximum, _) = self.maxima.of(call.purpose);
        let offer = fees::first(&self.node.fees().await?, maximum)?;
        let nonce = self
            .next_nonce
            .max(self.node.nonce(self.key.address()).await?);
        let new = NewTransaction {
            model: call.model,
            purpose: call.purpose,
            sender: self.key.address(),
            nonce,
            to: call.to,
            data: call.data,
            gas_limit: call.gas_limit,
            created: clock::now(),
        };
        let attempt = self.sign(&new.data, new.to, nonce, new.gas_limit, offer);
        self.store.enqueue(&new, &attempt, submissions).await?;
        self.next_nonce = nonce + 1;
        tracing::info!(hash = %attempt.hash, nonce, purpose = new.purpose, batches = submissions.len(), "sending");
        self.broadcast(&attempt).await;
        Ok(attempt.hash)
    }

    /// Looks after all that is not final: sends again, bumps fees, notes what became of it. `read_until` says up to
    /// which block a model's logs were read.
    pub(crate) async fn tend(
        &mut self,
        read_until: impl Fn(ModelId) -> u64,
    ) -> Result<(), OutboxError> {
        let outgoing = self.store.outgoing(self.key.address()).await?;
        self.waiting.retain(|id, _| {
            outgoing
                .iter()
                .any(|one| one.id == *id && one.block.is_none())
        });
        if outgoing.is_empty() {
            return Ok(());
        }
        let head = self.node.head().await?.number;
        // Asked for before the receipts: a nonce that is used has one.
        let used = self.node.nonce(self.key.address()).await?;
        for one in outgoing {
            let receipt = self.receipt(&one).await?;
            match (receipt, one.block) {
                (Some(receipt), known) => {
                    if known != Some(receipt.block) {
                        self.included(&one, &receipt).await?;
                    }
                    let block = Cursor {
                        block: receipt.block,
                        hash: receipt.block_hash,
                    };
                    // By its hash: what was read may be another branch.
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
                (None, None) if used > one.nonce => {
                    tracing::warn!(
                        nonce = one.nonce,
                        "another transaction used the nonce; what was in ours waits again"
                    );
                    self.store.set_replaced(one.id).await?;
                }
                (None, None) => self.send_again(&one).await?,
            }
        }
        Ok(())
    }

    async fn receipt(&self, one: &Outgoing) -> Result<Option<NodeReceipt>, OutboxError> {
        // The last attempt is the likeliest.
        for attempt in one.attempts.iter().rev() {
            if let Some(receipt) = self.node.receipt(attempt.hash).await? {
                return Ok(Some(receipt));
            }
        }
        Ok(None)
    }

    async fn included(&self, one: &Outgoing, receipt: &NodeReceipt) -> Result<(), OutboxError> {
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

    /// Sends the last attempt again, or a dearer one if that has waited for long.
    async fn send_again(&mut self, one: &Outgoing) -> Result<(), OutboxError> {
        let Some(last) = one.attempts.last() else {
            return Ok(());
        };
        let known = self.waiting.get(&one.id).copied();
        if clock::now() < last.sent + self.bump_after.as_secs() {
            self.rebroadcast(one.id, last, known).await;
            return Ok(());
        }
        let before = Offer {
            max_fee: last.max_fee,
            priority_fee: last.priority_fee,
        };
        let (maximum, key) = self.maxima.of(&one.purpose);
        let offer = match fees::next(before, &self.node.fees().await?, maximum) {
            Next::Raise(offer) => offer,
            Next::AtMaximum(maximum) => {
                if !known.is_some_and(|known| known.at_maximum) {
                    tracing::warn!(
                        hash = %last.hash, nonce = one.nonce, max_fee = last.max_fee, priority_fee = last.priority_fee,
                        maximum, "the transaction still waits, and its offer is as high as it may be; set `{key}` higher to offer more"
                    );
                }
                self.rebroadcast(one.id, last, known).await;
                if let Some(waiting) = self.waiting.get_mut(&one.id) {
                    waiting.at_maximum = true;
                }
                return Ok(());
            }
        };
        let attempt = self.sign(&one.data, one.to, one.nonce, one.gas_limit, offer);
        tracing::info!(hash = %attempt.hash, nonce = one.nonce, max_fee = offer.max_fee, priority_fee = offer.priority_fee, "sending again at a higher fee");
        self.store.add_attempt(one.id, &attempt).await?;
        self.broadcast(&attempt).await;
        self.note_broadcast(one.id, false);
        Ok(())
    }

    /// Sends an attempt again as it is, unless that was done a moment ago.
    async fn rebroadcast(&mut self, id: i64, attempt: &Attempt, known: Option<Waiting>) {
        let pause = REBROADCAST.min(self.bump_after);
        if known.is_some_and(|known| known.broadcast.elapsed() < pause) {
            return;
        }
        tracing::debug!(hash = %attempt.hash, "sending again");
        self.broadcast(attempt).await;
        self.note_broadcast(id, known.is_some_and(|known| known.at_maximum));
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

    /// What the node says matters little: the next look finds out what became of it.
    async fn broadcast(&self, attempt: &Attempt) {
        match self.node.broadcast(&attempt.raw).await {
            Ok(()) | Err(NodeError::NonceTooLow) => {}
            Err(error @ NodeError::InsufficientFunds { .. }) => {
                let account = self.key.address();
                let has = self.node.balance(account).await.ok();
                let has = has.map(|has| Amount(has.saturating_to()).to_string());
                tracing::warn!(hash = %attempt.hash, %account, ?has, %error, "the relayer's account cannot pay; send it money");
            }
            Err(error) => {
                tracing::warn!(hash = %attempt.hash, error = %with_sources(&error), "the node did not take the transaction; it will be sent again");
            }
        }
    }

    fn sign(&self, data: &Bytes, to: Address, nonce: u64, gas_limit: u64, offer: Offer) -> Attempt {
        let Offer {
            max_fee,
            priority_fee,
        } = offer;
        let signed = self.key.sign_transaction(&Unsigned {
            chain_id: self.node.chain_id(),
            nonce,
            to: Some(to),
            value: U256::ZERO,
            data: data.clone(),
            gas_limit,
            max_fee,
            priority_fee,
        });
        Attempt {
            hash: signed.hash,
            raw: signed.raw,
            max_fee,
            priority_fee,
            sent: clock::now(),
        }
    }
}
