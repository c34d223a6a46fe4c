//! Operations on the test set: committing, drawing, revealing, forfeiting.

use alloy_primitives::{B256, U256};
use cotrain_bindings::{self as bindings, market as calls};
use cotrain_chain::{Chain, Config, Embedded, Transaction};
use cotrain_protocol::{
    classifier::{Classifier, Hosted, Kind},
    market::{Fact, MAX_BYTES, Market, Terms, commitment},
    mechanism::{self, Mechanism},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{BURNED, MarketPair};
use crate::{
    START,
    people::{OWNER, STRANGER},
    random,
};

impl MarketPair {
    pub(super) fn commit(&mut self) {
        let count = match self.chance.random_range(0..10) {
            0 => 1,
            1 => 257,
            _ => self.chance.random_range(2..7),
        };
        let mut parts = Vec::new();
        for _ in 0..count {
            let salt = B256::from(self.chance.random::<[u8; 32]>());
            let samples = self.chance.random_range(1..6);
            let model = self.reference.initial().classifier();
            // This is rare, because a market whose part the model refuses can only fail.
            let items = if self.chance.random_bool(0.01) {
                random::bad_items(model, &mut self.chance)
            } else {
                random::items(model, &mut self.chance, samples)
            };
            parts.push((salt, items));
        }
        let commitments: Vec<_> = (0..)
            .zip(&parts)
            .map(|(part, (salt, items))| commitment(part, *salt, items))
            .collect();
        let bounty = match self.chance.random_range(0..10) {
            0 => 0,
            1 => 1 << 96,
            2 => (1 << 96) - 1,
            3 => self.chance.random_range(1..10),
            4..7 => self.chance.random_range(1..1_000_000_000_000),
            _ => self.chance.random_range(1..1_000_000),
        };
        let owner = self.owner_or_not();
        let (now, number) = (self.now(), self.block());
        let sent = self.send(owner, bounty, calls::commit(&commitments));
        let expected = self
            .reference
            .commit(owner, now, number, bounty, &commitments);
        let expected = expected.map(|()| {
            self.parts = parts;
            vec![Fact::Committed {
                bounty,
                number,
                time: now,
                commitments,
            }]
        });
        self.same("commit", sent, expected);
    }

    pub(super) fn draw(&mut self) {
        // Sometimes it waits until the chain forgets the hash, or just before.
        if self.reference.drawn_part().is_none() && self.chance.random_bool(0.2) {
            let blocks = self.chance.random_range(254..260);
            let last = self.reference.committed_block() + blocks;
            // Without commitments there is no hash to wait for.
            while !self.parts.is_empty() && self.block() < last {
                let nothing = Transaction::call(STRANGER, STRANGER, vec![]);
                self.chain.send(nothing).expect("a block");
            }
        }
        let number = self.block();
        let by = self.reference.committed_block() + 1;
        let block_hash = self.chain.block_hash(by).expect("a hash");
        let from = self.anyone();
        let sent = self.send(from, 0, calls::draw());
        let expected = self
            .reference
            .draw(self.now(), number, block_hash)
            .map(|part| {
                vec![Fact::Drawn {
                    part: part as u64,
                    block_hash,
                }]
            });
        self.same("draw", sent, expected);
    }

    /// Reveals a part that is due.
    pub(super) fn reveal_due(&mut self) {
        let due = match self.reference.drawn_part() {
            Some(drawn) if self.reference.part(drawn).is_none() => Some(drawn),
            _ => (0..self.parts.len()).find(|part| self.reference.part(*part).is_none()),
        };
        match due {
            Some(part) => {
                let (salt, items) = self.parts[part].clone();
                self.send_reveal(part as u64, salt, &items);
            }
            None => self.reveal_any(),
        }
    }

    /// Reveals any part, with its salt and items or with others.
    pub(super) fn reveal_any(&mut self) {
        let parts = self.parts.len();
        let part = self.chance.random_range(0..=parts);
        let (mut salt, mut items) = self.parts.get(part).cloned().unwrap_or_default();
        match self.chance.random_range(0..6) {
            0 => salt = B256::ZERO,
            1 => items.push(0),
            2 => items = vec![0; MAX_BYTES + 1],
            _ => {}
        }
        self.send_reveal(part as u64, salt, &items);
    }

    fn send_reveal(&mut self, part: u64, salt: B256, items: &[u8]) {
        let (from, now) = (self.anyone(), self.now());
        let sent = self.send(from, 0, calls::reveal(part, salt, items));
        let expected = self
            .reference
            .reveal(now, part, salt, items)
            .map(|revealed| {
                vec![Fact::Revealed {
                    part,
                    time: now,
                    correct: revealed.correct,
                    salt,
                    items: items.to_vec().into(),
                }]
            });
        self.same("reveal", sent, expected);
    }

    pub(super) fn forfeit(&mut self) {
        let from = self.anyone();
        let sent = self.send(from, 0, calls::forfeit());
        let expected = self.reference.forfeit(self.now()).map(|bounty| {
            *self.wallet(BURNED) += U256::from(bounty);
            vec![Fact::Forfeited { bounty }]
        });
        self.same("forfeit", sent, expected);
    }

    fn block(&mut self) -> u64 {
        self.chain.block_number().expect("a number")
    }
}

/// Checks terms at and beyond their bounds, and a model that is open, closed for a stranger, or for
/// the market.
#[test]
fn create_model_checks_terms_and_commit_checks_the_model() {
    let max = Terms {
        stake: (1 << 96) - 1,
        participation: (1 << 32) - 1,
        reveal_wait: (1 << 32) - 1,
        scoring_wait: (1 << 32) - 1,
        most_contributions: (1 << 32) - 1,
        most_passes: (1 << 16) - 1,
    };
    let changes: [fn(&mut Terms, u64); 6] = [
        |terms, by| terms.stake = terms.stake.wrapping_add(by.into()),
        |terms, by| terms.participation += by,
        |terms, by| terms.reveal_wait += by,
        |terms, by| terms.scoring_wait += by,
        |terms, by| terms.most_contributions += by,
        |terms, by| terms.most_passes += by,
    ];
    let zero: [fn(&mut Terms); 6] = [
        |terms| terms.stake = 0,
        |terms| terms.participation = 0,
        |terms| terms.reveal_wait = 0,
        |terms| terms.scoring_wait = 0,
        |terms| terms.most_contributions = 0,
        |terms| terms.most_passes = 0,
    ];
    let mut all = vec![max];
    for (change, zero) in changes.into_iter().zip(zero) {
        let (mut above, mut none) = (max, max);
        change(&mut above, 1);
        zero(&mut none);
        all.extend([above, none]);
    }
    let mut chance = ChaCha8Rng::seed_from_u64(1);
    let model = random::classifier(Kind::SparsePerceptron, &mut chance);
    for terms in all {
        for closed in [ClosedFor::Nobody, ClosedFor::Stranger, ClosedFor::Market] {
            create(terms, &model, closed);
        }
    }
}

/// Trainer for which the owner closes the model before committing to a test set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClosedFor {
    Nobody,
    Stranger,
    Market,
}

fn create(terms: Terms, model: &Classifier, closed: ClosedFor) {
    let mut chain = Embedded::new(Config {
        start: START,
        gas_price: 0,
    });
    chain.fund(OWNER, U256::from(1)).expect("money");
    let mut deploy = |code| {
        let created = chain.send(Transaction::create(OWNER, code));
        created.expect("a contract").created.expect("its address")
    };
    let factory = deploy(bindings::factory_code());
    let market = deploy(bindings::contract_code(Mechanism::PredictionMarket));
    let implementation = deploy(bindings::classifier_code(model.kind()));
    let call = bindings::create_model(
        market,
        &mechanism::Terms::Market(terms),
        implementation,
        model.parameters(),
    );
    let sent = chain.send(Transaction::call(OWNER, factory, call));
    let hosted = Hosted::new(OWNER, model.clone());
    // Bad terms are refused before addresses matter.
    let unknown = Market::with_model(OWNER, market, implementation, terms, hosted.clone());
    let receipt = match (sent, unknown) {
        (Ok(receipt), Ok(_)) => receipt,
        (Err(chain), Err(reference)) => {
            assert_eq!(chain.revert(), Some(&bindings::Revert::Contract(reference)));
            return;
        }
        (chain, reference) => panic!("chain {chain:?}, reference {reference:?}, {terms:?}"),
    };
    let (market, classifier) = bindings::created_model(&receipt.output).expect("addresses");
    let reference = Market::with_model(OWNER, market, classifier, terms, hosted);
    let mut reference = reference.expect("good terms");
    let trainer = match closed {
        ClosedFor::Nobody => None,
        ClosedFor::Stranger => Some(STRANGER),
        ClosedFor::Market => Some(market),
    };
    if let Some(trainer) = trainer {
        let call = Transaction::call(OWNER, classifier, bindings::close(trainer));
        chain.send(call).expect("closed");
        reference
            .initial_mut()
            .close(OWNER, trainer)
            .expect("closed");
    }
    let number = chain.block_number().expect("a number");
    let commitments = [B256::repeat_byte(1); 2];
    let call = Transaction::call(OWNER, market, calls::commit(&commitments));
    let sent = chain.send(call.with_value(U256::from(1)));
    match (
        sent,
        reference.commit(OWNER, START, number, 1, &commitments),
    ) {
        (Ok(_), Ok(())) => assert_eq!(closed, ClosedFor::Market),
        (Err(chain), Err(reference)) => {
            assert_eq!(chain.revert(), Some(&bindings::Revert::Contract(reference)));
        }
        (chain, reference) => panic!("chain {chain:?}, reference {reference:?}, {closed:?}"),
    }
}
