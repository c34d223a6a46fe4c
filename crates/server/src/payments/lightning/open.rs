//! Bounds of the invoices that nobody has paid yet.
//!
//! Each offer makes an invoice that neither node nor ledger forgets, so a stranger makes only some.

use std::{collections::BTreeMap, net::IpAddr};

use alloy_primitives::B256;

use crate::payments::PayError;

/// Invoices that can still be paid.
#[derive(Debug)]
pub(super) struct Open {
    max_client: usize,
    max: usize,
    waiting: BTreeMap<Slot, Waiting>,
    next: u64,
}

/// Number of an invoice that is being made, or can be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(u64);

#[derive(Debug)]
struct Waiting {
    /// Client; `None` if the invoice is from before the start.
    client: Option<IpAddr>,
    expires: u64,
    /// Payment hash, once the node has made the invoice.
    payment_hash: Option<B256>,
}

impl Open {
    /// Creates bounds for a client and for all, with the invoices from before the start.
    pub(super) fn new((max_client, max): (usize, usize), before: Vec<(B256, u64)>) -> Self {
        let mut open = Self {
            max_client,
            max,
            waiting: BTreeMap::new(),
            next: 0,
        };
        for (payment_hash, expires) in before {
            let slot = open.add(None, expires);
            open.name(slot, payment_hash);
        }
        open
    }

    /// Takes a place for an invoice of a client, or returns the bound that it would exceed.
    pub(super) fn take(
        &mut self,
        client: IpAddr,
        now: u64,
        expires: u64,
    ) -> Result<Slot, PayError> {
        self.waiting.retain(|_, it| it.expires > now);
        let own = self.waiting.values().filter(|it| it.client == Some(client));
        if own.count() >= self.max_client {
            let max = self.max_client;
            return Err(PayError::TooManyOpen { max });
        }
        if self.waiting.len() >= self.max {
            return Err(PayError::Full { max: self.max });
        }
        Ok(self.add(Some(client), expires))
    }

    /// Names the invoice of a place.
    pub(super) fn name(&mut self, slot: Slot, payment_hash: B256) {
        if let Some(it) = self.waiting.get_mut(&slot) {
            it.payment_hash = Some(payment_hash);
        }
    }

    /// Gives a place back whose invoice was not made.
    pub(super) fn give_back(&mut self, slot: Slot) {
        self.waiting.remove(&slot);
    }

    /// Gives the place of an invoice back that was paid or canceled.
    pub(super) fn end(&mut self, payment_hash: B256) {
        self.waiting
            .retain(|_, it| it.payment_hash != Some(payment_hash));
    }

    fn add(&mut self, client: Option<IpAddr>, expires: u64) -> Slot {
        let slot = Slot(self.next);
        self.next += 1;
        let waiting = Waiting {
            client,
            expires,
            payment_hash: None,
        };
        self.waiting.insert(slot, waiting);
        slot
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn take_bounds_each_client_and_all() {
        let client = |number| IpAddr::V4(Ipv4Addr::new(10, 0, 0, number));
        let hash = B256::repeat_byte;
        let mut open = Open::new((2, 4), vec![(hash(9), 50)]);
        let first = open.take(client(1), 0, 10).unwrap();
        open.name(first, hash(1));
        let second = open.take(client(1), 0, 20).unwrap();
        let refused = open.take(client(1), 0, 20);
        assert!(matches!(refused, Err(PayError::TooManyOpen { max: 2 })));
        open.take(client(2), 0, 20).unwrap();
        let full = open.take(client(3), 0, 20);
        assert!(matches!(full, Err(PayError::Full { max: 4 })));
        // A paid one, one that the node did not make, and one whose time is over leave room.
        open.end(hash(1));
        open.take(client(1), 0, 30).unwrap();
        open.give_back(second);
        open.take(client(1), 0, 30).unwrap();
        open.take(client(3), 20, 60).unwrap();
        open.end(hash(9));
        open.take(client(3), 20, 60).unwrap();
        assert_eq!(open.waiting.len(), 4);
    }
}
