//! The operations that are drawn at random.

use alloy_primitives::{Address, U256};
use cotrain_bindings::{self as bindings, Revert, state};
use cotrain_chain::{Chain, ChainError, Transaction};
use cotrain_protocol::{
    Rejection,
    sample::{Item, encode_batch},
    trainer::{Claim, claims},
};
use rand::{RngExt, seq::IndexedRandom};

use crate::{AUTHORS, DAY, OWNER, STRANGER, pair::Pair};

impl Pair {
    pub(super) fn pass_time(&mut self) {
        let seconds = match self.chance.random_range(0..4) {
            0 => self.chance.random_range(0..3),
            1 => self.chance.random_range(0..3_600),
            2 => self.chance.random_range(0..DAY),
            _ => self.chance.random_range(0..3 * DAY),
        };
        self.chain
            .set_time(self.chain.now() + seconds)
            .expect("later");
    }

    pub(super) fn contribute(&mut self, step: usize) {
        let author = *AUTHORS.choose(&mut self.chance).expect("authors");
        let count = if self.chance.random_bool(0.7) {
            1
        } else {
            self.chance.random_range(2..=7)
        };
        let items: Vec<(u16, Vec<u8>)> =
            (0..count).map(|_| (self.label(), self.sample())).collect();
        let items: Vec<_> = items
            .iter()
            .map(|(label, sample)| Item {
                label: *label,
                sample,
            })
            .collect();
        let batch = encode_batch(&items).expect("short samples");
        let required = self.twin.price(count, self.chain.now()) * u128::from(count);
        let value = match self.chance.random_range(0..10) {
            0 => required.saturating_sub(1),
            1..4 => required + self.chance.random_range(0..1_000_000_000),
            _ => required,
        };
        self.send_contribution(step, author, value, &batch);
    }

    /// Batches that are malformed, and samples that the model refuses.
    pub(super) fn contribute_badly(&mut self, step: usize) {
        let author = *AUTHORS.choose(&mut self.chance).expect("authors");
        let good = (self.label(), self.sample());
        let bad = (self.bad_label(), self.bad_sample());
        let items = [
            Item {
                label: good.0,
                sample: &good.1,
            },
            Item {
                label: bad.0,
                sample: &bad.1,
            },
        ];
        let mut batch = encode_batch(&items).expect("short samples");
        match self.chance.random_range(0..4) {
            0 => batch.truncate(self.chance.random_range(0..=batch.len())),
            1 => {
                let place = self.chance.random_range(0..batch.len());
                batch[place] = self.chance.random();
            }
            2 => {
                batch = (0..self.chance.random_range(0..40))
                    .map(|_| self.chance.random())
                    .collect();
            }
            _ => {}
        }
        self.send_contribution(step, author, u128::MAX >> 40, &batch);
    }

    pub(super) fn send_contribution(
        &mut self,
        step: usize,
        author: Address,
        value: u128,
        batch: &[u8],
    ) {
        let now = self.chain.now();
        let call = bindings::contribute(batch);
        let sent = self.chain.send(
            Transaction::call(author, self.model.trainer, call).with_value(U256::from(value)),
        );
        let expected = self.twin.contribute(author, now, value, batch);
        self.count("contribute", expected.is_ok());
        match (sent, expected) {
            (Ok(receipt), Ok(expected)) => {
                let event = bindings::events::contributed(&receipt.logs).expect("an event");
                let seen = (
                    event.batch,
                    event.author,
                    event.deposit,
                    event.time,
                    &event.data[..],
                );
                assert_eq!(
                    seen,
                    (expected.batch, author, expected.deposit, now, batch),
                    "step {step}, {}",
                    self.context
                );
                let deposited = U256::from(value - expected.surplus);
                *self.balances.get_mut(&author).expect("an account") -= deposited;
                let added = claims(
                    event.batch,
                    event.author,
                    event.deposit,
                    event.time,
                    &event.data,
                )
                .expect("a batch that was accepted");
                assert_eq!(
                    added.len() as u64,
                    expected.count,
                    "step {step}, {}",
                    self.context
                );
                self.claims.extend(added);
            }
            (sent, expected) => self.same_refusal(step, sent.map(|_| ()), expected.map(|_| ())),
        }
        let batch = self.twin.contribution_count();
        for batch in [0, batch.saturating_sub(1), batch] {
            let root = self.read(state::root(batch));
            assert_eq!(
                root,
                U256::from_be_bytes(self.twin.root(batch).0),
                "root {batch} after step {step}, {}",
                self.context
            );
        }
    }

    /// A claim of a random kind by a random caller, sometimes of something that never was.
    pub(super) fn claim(&mut self, step: usize, operation: &'static str) {
        let Some(mut claim) = self.claims.choose(&mut self.chance).cloned() else {
            return;
        };
        let callers = [
            claim.author,
            claim.author,
            AUTHORS[0],
            AUTHORS[1],
            AUTHORS[2],
            AUTHORS[3],
            OWNER,
            STRANGER,
        ];
        let caller = *callers.choose(&mut self.chance).expect("callers");
        if self.chance.random_bool(0.1) {
            self.forge(&mut claim);
        }
        let now = self.chain.now();
        let (call, expected) = match operation {
            "refund" => (
                bindings::refund(&claim),
                self.twin.refund(caller, now, &claim),
            ),
            "report" => (
                bindings::report(&claim),
                self.twin.report(caller, now, &claim),
            ),
            _ => (
                bindings::claim_late(&claim),
                self.twin.claim_late(caller, now, &claim),
            ),
        };
        let sent = self
            .chain
            .send(Transaction::call(caller, self.model.trainer, call));
        self.count(operation, expected.is_ok());
        match (sent, expected) {
            (Ok(receipt), Ok(amount)) => {
                let paid = bindings::events::paid(&receipt.logs).expect("an event");
                assert_eq!(
                    (paid.position, paid.to, paid.amount),
                    (claim.position, caller, amount),
                    "step {step}, {}",
                    self.context
                );
                *self.balances.get_mut(&caller).expect("an account") += U256::from(amount);
            }
            (sent, expected) => self.same_refusal(step, sent.map(|_| ()), expected.map(|_| ())),
        }
        let settlement = self.read(state::settlement(claim.position));
        assert_eq!(
            settlement,
            self.twin.settlement(claim.position),
            "settlement after step {step}, {}",
            self.context
        );
        let reported = self.read(state::reported(claim.position, caller));
        let expected = U256::from(u8::from(self.twin.reported(claim.position, caller)));
        assert_eq!(
            reported, expected,
            "reported after step {step}, {}",
            self.context
        );
    }

    /// Changes one thing of a claim.
    pub(super) fn forge(&mut self, claim: &mut Claim) {
        match self.chance.random_range(0..7) {
            0 => claim.author = STRANGER,
            1 => claim.label ^= 1,
            2 => claim.deposit += 1,
            3 => claim.time -= 1,
            4 => claim.batch = self.chance.random_range(0..=self.twin.contribution_count()),
            5 => claim.position += 1,
            _ => claim.proof.push(claim.author.into_word()),
        }
    }

    pub(super) fn predict(&mut self, step: usize) {
        let bad = self.chance.random_bool(0.3);
        let samples: Vec<_> = (0..3)
            .map(|_| {
                if bad {
                    self.bad_sample()
                } else {
                    self.sample()
                }
            })
            .collect();
        let samples: Vec<&[u8]> = samples.iter().map(Vec::as_slice).collect();
        let expected = self.twin.classifier().predict_all(&samples);
        let call = Transaction::call(STRANGER, self.model.classifier, bindings::predict(&samples));
        self.count("predict", expected.is_ok());
        match (self.chain.call(call), expected) {
            (Ok(answer), Ok(expected)) => {
                let labels = bindings::read_labels(&answer.output).expect("labels");
                assert_eq!(labels, expected, "step {step}, {}", self.context);
            }
            (answer, expected) => self.same_refusal(step, answer.map(|_| ()), expected.map(|_| ())),
        }
    }

    pub(super) fn evaluate(&mut self, step: usize) {
        let samples: Vec<_> = (0..5).map(|_| self.sample()).collect();
        let samples: Vec<&[u8]> = samples.iter().map(Vec::as_slice).collect();
        let labels: Vec<u16> = (0..5).map(|_| self.label()).collect();
        let predicted = self
            .twin
            .classifier()
            .predict_all(&samples)
            .expect("good samples");
        let right = predicted
            .iter()
            .zip(&labels)
            .filter(|(a, b)| a == b)
            .count();
        let call = bindings::evaluate(&samples, &labels);
        let answer = self
            .chain
            .call(Transaction::call(STRANGER, self.model.classifier, call))
            .expect("an answer");
        assert_eq!(
            bindings::read_number(&answer.output),
            Some(U256::from(right)),
            "step {step}, {}",
            self.context
        );
        self.count("evaluate", true);
        // And with a label missing.
        let call = bindings::evaluate(&samples, &labels[1..]);
        let answer = self
            .chain
            .call(Transaction::call(STRANGER, self.model.classifier, call));
        let expected = Revert::LengthsDiffer {
            samples: 5,
            labels: 4,
        };
        assert_eq!(
            answer.as_ref().err().and_then(ChainError::revert),
            Some(&expected),
            "step {step}, {}",
            self.context
        );
        self.count("evaluate", false);
    }

    /// Strangers teach, owners write after the closing, batches are only checked.
    pub(super) fn meddle(&mut self, step: usize) {
        let classifier = self.model.classifier;
        let good = (self.label(), self.sample());
        let bad = (self.bad_label(), self.bad_sample());
        let items = [
            Item {
                label: good.0,
                sample: &good.1,
            },
            Item {
                label: bad.0,
                sample: &bad.1,
            },
        ];
        let batch = encode_batch(&items).expect("short samples");
        let learned = self.chain.send(Transaction::call(
            STRANGER,
            classifier,
            bindings::learn(&batch),
        ));
        let expected = Rejection::NotTrainer {
            caller: STRANGER,
            trainer: self.model.trainer,
        };
        self.same_refusal(step, learned.map(|_| ()), Err(expected));

        let written = self.chain.send(Transaction::call(
            OWNER,
            classifier,
            bindings::write(0, &[U256::MAX]),
        ));
        self.same_refusal(
            step,
            written.map(|_| ()),
            Err(Rejection::InitializationClosed),
        );
        let closed = self.chain.send(Transaction::call(
            STRANGER,
            classifier,
            bindings::close(STRANGER),
        ));
        let expected = Rejection::NotOwner {
            caller: STRANGER,
            owner: OWNER,
        };
        self.same_refusal(step, closed.map(|_| ()), Err(expected));

        let checked = self.chain.call(Transaction::call(
            STRANGER,
            classifier,
            bindings::check(&batch),
        ));
        self.same_refusal(
            step,
            checked.map(|_| ()),
            self.twin.classifier().check(&items),
        );
    }
}
