//! Transactions of the account: each gets a nonce, and is sent until it is included.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use alloy_primitives::B256;
use cotrain_chain::node::NodeReceipt;
use cotrain_client::{
    budget::{Budget, OverBudget},
    send::{NotStored, Outgoing, SendError, gas_cost},
};
use cotrain_indexer::with_sources;
use tokio::{sync::OwnedMutexGuard, time::timeout};

use super::{Chain, ChainError};

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Payer of a transaction's gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purse {
    /// The host, for its own sales.
    Host,
    /// The host, for others who use its facilitator: up to a limit each day.
    Strangers,
}

/// Nonces that are in use, and the gas spent for strangers.
#[derive(Debug)]
pub(super) struct Queue {
    /// Nonces of transactions that are signed and not included.
    in_flight: BTreeSet<u64>,
    /// Lowest nonce that no included transaction of ours has.
    floor: u64,
    limit: u128,
    day: u64,
    strangers: Budget,
}

impl Queue {
    pub(super) fn new(limit: u128) -> Self {
        Self {
            in_flight: BTreeSet::new(),
            floor: 0,
            limit,
            day: 0,
            strangers: Budget::new(Some(limit)),
        }
    }

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

    /// Takes the maximum cost of a transaction off the purse.
    pub(super) fn take_gas(&mut self, purse: Purse, cost: u128) -> Result<(), OverBudget> {
        if purse == Purse::Host {
            return Ok(());
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let day = now.unwrap_or(Duration::ZERO).as_secs() / DAY;
        if day != self.day {
            self.day = day;
            self.strangers = Budget::new(Some(self.limit));
        }
        self.strangers.check(cost)?;
        self.strangers.spend(cost);
        Ok(())
    }

    fn give_back(&mut self, purse: Purse, amount: u128) {
        if purse == Purse::Strangers {
            self.strangers.give_back(amount);
        }
    }
}

/// Signed transaction that was not sent. It holds the account's queue until it is sent or dropped.
#[derive(Debug)]
#[must_use]
pub struct Prepared {
    chain: Chain,
    queue: Option<OwnedMutexGuard<Queue>>,
    outgoing: Option<Outgoing>,
    purse: Purse,
    cost: u128,
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
        purse: Purse,
        cost: u128,
    ) -> Self {
        Self {
            chain,
            queue: Some(queue),
            outgoing: Some(outgoing),
            purse,
            cost,
        }
    }

    /// Returns the hash. Offering more gas later gives the transaction another one.
    #[must_use]
    pub fn hash(&self) -> B256 {
        let hash = self.outgoing.as_ref().map(|it| it.last.hash);
        hash.unwrap_or_default()
    }

    /// Sends the transaction, and waits as long as a request may.
    ///
    /// It is sent at rising fees until it is included, even if the caller goes away.
    pub async fn send(mut self) -> Sent {
        let (Some(mut queue), Some(mut outgoing)) = (self.queue.take(), self.outgoing.take())
        else {
            return Sent::Unknown;
        };
        let nonce = outgoing.unsigned.nonce;
        queue.in_flight.insert(nonce);
        drop(queue);
        let (chain, purse, cost) = (self.chain.clone(), self.purse, self.cost);
        let sending = tokio::spawn(async move {
            let budget = Budget::default();
            let sender = chain.sender(&budget);
            let sent = sender.deliver(&mut NotStored, &(), &mut outgoing).await;
            let mut queue = chain.0.queue.lock().await;
            queue.in_flight.remove(&nonce);
            let receipt = match &sent {
                Ok(receipt) => Some(receipt.clone()),
                // The failure names no logs, and a reverted transaction has none.
                Err(SendError::Failed { transaction, .. }) => {
                    chain.0.node.receipt(*transaction).await.ok().flatten()
                }
                Err(_) => None,
            };
            if let Some(receipt) = receipt {
                queue.floor = queue.floor.max(nonce + 1);
                queue.give_back(purse, cost.saturating_sub(gas_cost(&receipt)));
                return Sent::Included(receipt);
            }
            match sent {
                Ok(_) | Err(SendError::Failed { .. } | SendError::MaybeIncluded { .. }) => {
                    Sent::Unknown
                }
                Err(error) => {
                    tracing::warn!(nonce, error = %with_sources(&error), "a payment's transaction was not sent");
                    queue.give_back(purse, cost);
                    Sent::Refused(error.into())
                }
            }
        });
        let patience = self.chain.0.options.patience;
        match timeout(patience, sending).await {
            Ok(Ok(sent)) => sent,
            Ok(Err(_)) | Err(_) => Sent::Unknown,
        }
    }
}

impl Drop for Prepared {
    /// Gives the gas back of a transaction that is not sent.
    fn drop(&mut self) {
        if let Some(queue) = &mut self.queue {
            queue.give_back(self.purse, self.cost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_fills_gaps_and_passes_over_nonces_in_use() {
        let mut queue = Queue::new(0);
        assert_eq!(queue.next(5), 5);
        queue.in_flight.extend([5, 6, 8]);
        assert_eq!(queue.next(5), 7);
        queue.floor = 9;
        assert_eq!(queue.next(5), 9, "a node that lags");
    }

    #[test]
    fn take_gas_bounds_what_strangers_spend_in_a_day() {
        let mut queue = Queue::new(100);
        assert!(queue.take_gas(Purse::Strangers, 60).is_ok());
        assert!(queue.take_gas(Purse::Strangers, 41).is_err());
        assert!(queue.take_gas(Purse::Host, 1_000).is_ok());
        queue.give_back(Purse::Host, 1_000);
        queue.give_back(Purse::Strangers, 1);
        assert!(queue.take_gas(Purse::Strangers, 41).is_ok());
        queue.day -= 1;
        assert!(queue.take_gas(Purse::Strangers, 100).is_ok(), "a new day");
    }
}
