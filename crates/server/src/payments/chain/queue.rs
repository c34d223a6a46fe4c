//! Transactions of the account: each gets a nonce, and is sent until it is included.

use std::{any::Any, collections::BTreeSet};

use alloy_primitives::B256;
use cotrain_chain::node::NodeReceipt;
use cotrain_client::{
    budget::{Budget, OverBudget},
    send::{NotStored, Outgoing, SendError, gas_cost},
};
use cotrain_indexer::with_sources;
use cotrain_relayer::clock;
use tokio::{sync::OwnedMutexGuard, time::timeout};

use super::{Chain, ChainError};
use crate::payments::today::Today;

/// Payer of a transaction's gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purse {
    /// The host, for its own sales.
    Host,
    /// The host, for others who use its facilitator: up to a limit each day.
    Strangers,
    /// The host, for payers that take the rest of their channels: up to as much each day.
    Refunds,
}

/// Nonces that are in use.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Nonces of transactions that are signed and not included.
    in_flight: BTreeSet<u64>,
    /// Lowest nonce that no included transaction of ours has.
    floor: u64,
}

impl Queue {
    /// Returns the lowest free nonce. A transaction that the node refused leaves a gap to fill.
    ///
    /// `on_chain` is the number of included transactions, of which a lagging node knows too few.
    pub(super) fn next(&self, on_chain: u64) -> u64 {
        let mut nonce = on_chain.max(self.floor);
        while self.in_flight.contains(&nonce) {
            nonce += 1;
        }
        nonce
    }
}

/// Gas that is spent in a day for what earns nothing.
#[derive(Debug)]
pub(super) struct Daily {
    limit: u128,
    budget: Today<Budget>,
}

impl Daily {
    pub(super) fn new(limit: u128) -> Self {
        Self {
            limit,
            budget: Today::new(Budget::new(Some(limit))),
        }
    }

    /// Returns the budget of the day of a Unix time.
    fn on(&mut self, now: u64) -> &Budget {
        let limit = self.limit;
        self.budget.at(now, || Budget::new(Some(limit)))
    }

    fn take(&mut self, now: u64, cost: u128) -> Result<(), OverBudget> {
        let budget = self.on(now);
        budget.check(cost)?;
        budget.spend(cost);
        Ok(())
    }
}

/// Cost that is taken off a purse. What is not spent of it goes back when this is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    chain: Chain,
    purse: Purse,
    unspent: u128,
}

impl Taken {
    /// Takes the maximum cost of a transaction off a purse.
    pub(super) fn take(chain: &Chain, purse: Purse, cost: u128) -> Result<Self, OverBudget> {
        if let Some(mut daily) = chain.daily(purse) {
            daily.take(clock::now(), cost)?;
        }
        Ok(Self {
            chain: chain.clone(),
            purse,
            unspent: cost,
        })
    }

    fn spend(&mut self, cost: u128) {
        self.unspent = self.unspent.saturating_sub(cost);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(mut daily) = self.chain.daily(self.purse) {
            daily.on(clock::now()).give_back(self.unspent);
        }
    }
}

/// Signed transaction that was not sent. It holds the account's queue until it is sent or dropped.
#[derive(Debug)]
#[must_use]
pub struct Prepared {
    chain: Chain,
    queue: OwnedMutexGuard<Queue>,
    outgoing: Outgoing,
    taken: Taken,
    /// Mark that the caller leaves, which is dropped once nothing sends the transaction any more.
    mark: Option<Box<dyn Any + Send>>,
}

/// Outcome of a transaction within the time that a request waits.
#[derive(Debug)]
pub enum Sent {
    /// It is included. It may have reverted.
    Included(NodeReceipt),
    /// The node refused it, so that it is on no chain.
    Refused(ChainError),
    /// Nobody knows. It may still be included.
    Unknown,
}

impl Prepared {
    pub(super) fn new(
        chain: Chain,
        queue: OwnedMutexGuard<Queue>,
        outgoing: Outgoing,
        taken: Taken,
    ) -> Self {
        Self {
            chain,
            queue,
            outgoing,
            taken,
            mark: None,
        }
    }

    /// Leaves a mark, which is dropped once nothing sends the transaction any more.
    pub fn marked(mut self, mark: impl Any + Send) -> Self {
        self.mark = Some(Box::new(mark));
        self
    }

    /// Returns the hash. Offering more gas later gives the transaction another one.
    #[must_use]
    pub fn hash(&self) -> B256 {
        self.outgoing.last.hash
    }

    /// Sends the transaction, and waits as long as a request may.
    ///
    /// It is sent at rising fees until it is included, even if the caller goes away.
    pub async fn send(self) -> Sent {
        let Self {
            chain,
            mut queue,
            mut outgoing,
            mut taken,
            mark,
        } = self;
        let patience = chain.options().patience;
        let nonce = outgoing.unsigned.nonce;
        queue.in_flight.insert(nonce);
        drop(queue);
        let sending = tokio::spawn(async move {
            let _mark = mark;
            let budget = Budget::default();
            let sender = chain.sender(&budget);
            let sent = sender.deliver(&mut NotStored, &(), &mut outgoing).await;
            let receipt = match &sent {
                Ok(receipt) => Some(receipt.clone()),
                // The failure names no logs, and a reverted transaction has none.
                Err(SendError::Failed { transaction, .. }) => {
                    chain.0.node.receipt(*transaction).await.ok().flatten()
                }
                Err(_) => None,
            };
            // A slow node must not keep others from sending, so it is asked before.
            let mut queue = chain.0.queue.lock().await;
            queue.in_flight.remove(&nonce);
            if let Some(receipt) = receipt {
                queue.floor = queue.floor.max(nonce + 1);
                taken.spend(gas_cost(&receipt));
                return Sent::Included(receipt);
            }
            match sent {
                Ok(_) | Err(SendError::Failed { .. } | SendError::MaybeIncluded { .. }) => {
                    taken.spend(u128::MAX);
                    Sent::Unknown
                }
                Err(error) => {
                    tracing::warn!(nonce, error = %with_sources(&error), "a payment's transaction was not sent");
                    Sent::Refused(error.into())
                }
            }
        });
        match timeout(patience, sending).await {
            Ok(Ok(sent)) => sent,
            Ok(Err(_)) | Err(_) => Sent::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_fills_gaps_and_passes_over_nonces_in_use() {
        let mut queue = Queue::default();
        assert_eq!(queue.next(5), 5);
        queue.in_flight.extend([5, 6, 8]);
        assert_eq!(queue.next(5), 7);
        queue.floor = 9;
        assert_eq!(queue.next(5), 9, "a node that lags");
    }

    #[test]
    fn daily_bounds_what_strangers_spend_in_a_day() {
        let mut daily = Daily::new(100);
        let hour = 3_600;
        assert!(daily.take(30 * hour, 60).is_ok());
        assert!(daily.take(30 * hour, 41).is_err());
        daily.on(30 * hour).give_back(1);
        assert!(daily.take(47 * hour, 41).is_ok());
        assert!(daily.take(47 * hour, 1).is_err());
        assert!(daily.take(48 * hour, 100).is_ok(), "a new day");
    }
}
