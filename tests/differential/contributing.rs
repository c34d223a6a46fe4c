//! Operations of authors who contribute themselves.

use alloy_primitives::Address;
use cotrain_bindings::{self as bindings, events};
use cotrain_protocol::{record::Record, sample::parse_batch};
use rand::{RngExt, seq::IndexedRandom};

use crate::{pair::Pair, people::AUTHORS};

impl Pair {
    pub(crate) fn author(&mut self) -> Address {
        let author = AUTHORS.choose(&mut self.chance);
        author.expect("there are authors").address
    }

    pub(crate) fn contribute(&mut self) {
        let author = self.author();
        let count = if self.chance.random_bool(0.7) {
            1
        } else {
            self.chance.random_range(2..=7)
        };
        let batch = self.items(count);
        let required = self.reference.price(count, self.now()) * u128::from(count);
        let value = match self.chance.random_range(0..10) {
            0 => required.saturating_sub(1),
            1..4 => required + self.chance.random_range(0..1_000_000_000),
            _ => required,
        };
        self.send_contribution(author, value, &batch);
    }

    /// Contributes malformed batches, and samples that the model refuses.
    pub(crate) fn contribute_badly(&mut self) {
        let author = self.author();
        let batch = self.bad_items();
        self.send_contribution(author, u128::MAX >> 40, &batch);
    }

    pub(crate) fn send_contribution(&mut self, author: Address, value: u128, batch: &[u8]) {
        let now = self.now();
        let sent = self.send(author, value, bindings::contribute(batch));
        let expected = self.reference.contribute(author, now, value, batch);
        self.tally.count("contribute", expected.is_ok());
        match (sent, expected) {
            (Ok(receipt), Ok(expected)) => {
                assert_eq!(receipt.logs.len(), 1, "{}", self.at());
                let event = events::contributed(&receipt.logs).expect("an event");
                let wanted = events::Contributed {
                    first_position: expected.first_position,
                    author,
                    deposit: expected.deposit,
                    time: now,
                    items: batch.to_vec().into(),
                };
                assert_eq!(event, wanted, "{}", self.at());
                self.spend(author, value - expected.surplus);
                let items = parse_batch(&event.items).expect("parsed before");
                assert_eq!(items.len() as u64, expected.count, "{}", self.at());
                let added = [(event.author, items)];
                self.remember(Record::new(
                    event.first_position,
                    event.deposit,
                    event.time,
                    &added,
                ));
            }
            (sent, expected) => {
                self.same_refusal(sent, expected);
                self.compare_root(self.reference.contribution_count());
            }
        }
    }
}
