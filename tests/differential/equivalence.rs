//! Tests that the same contributions and claims end in the same state.
//!
//! Contributions are relayed or sent by their authors, and claims are made together or alone.

use std::collections::BTreeSet;

use alloy_primitives::{Address, U256};
use cotrain_bindings as bindings;
use cotrain_chain::Chain;
use cotrain_protocol::{
    classifier::Kind,
    record::Claims,
    sample::{Item, encode_batch, parse_batch},
    trainer::{Incentive, SignedBatch},
};
use rand::{RngExt, seq::IndexedRandom};

use crate::{
    DAY, INCENTIVES,
    claiming::Operation,
    pair::{Pair, WAITS},
    people::{AUTHORS, Author, STRANGER, everyone},
    tally::Tally,
};

const ROUNDS: usize = 6;
const CLAIMS: usize = 60;
/// Money that each author prepays, in wei: enough for all of their contributions.
const PREPAID: u128 = 1_000_000_000_000;
/// Seconds between two rounds.
///
/// The price of a contribution falls from the fourth second on. So all deposits are equal, however
/// many come together.
const PAUSE: u64 = 3;

#[test]
fn trainer_ends_the_same_relayed_or_single_batched_or_alone() {
    let mut tally = Tally::default();
    for kind in Kind::ALL {
        for incentive in INCENTIVES {
            for seed in 1..=4 {
                tally += go_both_ways(kind, incentive, seed);
            }
        }
    }
    for operation in [Operation::Refund, Operation::Report, Operation::Late] {
        let succeeded = tally.succeeded(operation.name());
        assert!(succeeded > 50, "{operation:?}: {succeeded}");
    }
}

fn go_both_ways(kind: Kind, incentive: Incentive, seed: u64) -> Tally {
    let [mut single, mut together] = [(); 2].map(|()| Pair::found(kind, incentive, WAITS, seed));
    for author in &*AUTHORS {
        together.prepay(author.address);
    }
    for _ in 0..ROUNDS {
        pass(&mut single, &mut together, PAUSE);
        let batches: Vec<_> = (0..single.chance.random_range(1..=4))
            .map(|_| {
                let author = AUTHORS.choose(&mut single.chance).expect("authors");
                let count = single.chance.random_range(1..=3);
                (author, single.items(count))
            })
            .collect();
        for (author, items) in &batches {
            for item in parse_batch(items).expect("good items") {
                single.contribute_alone(author.address, item);
            }
        }
        let batches: Vec<_> = batches
            .into_iter()
            .map(|(author, items)| together.next_batch(author, items))
            .collect();
        together.send_batches(STRANGER, &batches);
        assert_same(&mut single, &mut together);
    }
    for _ in 0..CLAIMS {
        let seconds = single.chance.random_range(0..DAY / 2);
        pass(&mut single, &mut together, seconds);
        let operations = [Operation::Refund, Operation::Report, Operation::Late];
        let operation = *operations.choose(&mut single.chance).expect("operations");
        let caller = *everyone().choose(&mut single.chance).expect("people");
        let count = single.reference.contribution_count();
        let positions: BTreeSet<_> = (0..single.chance.random_range(1..=10))
            .map(|_| single.chance.random_range(0..count))
            .collect();
        for position in &positions {
            let claims = single.claims_on(&BTreeSet::from([*position]));
            single.send_claims(operation, caller, &claims);
        }
        let claims = together.claims_on(&positions);
        together.send_claims(operation, caller, &claims);
        assert_same(&mut single, &mut together);
    }
    together.tally
}

fn pass(single: &mut Pair, together: &mut Pair, seconds: u64) {
    single.pass(seconds);
    together.pass(seconds);
}

/// Compares both contracts with their reference models, and these with each other.
///
/// Only the grouping of contributions and the place of money differ.
fn assert_same(single: &mut Pair, together: &mut Pair) {
    single.compare();
    together.compare();
    let at = single.at();
    let (one, other) = (&single.reference, &together.reference);
    let words = [one, other].map(|reference| reference.classifier().words());
    assert_eq!(words[0], words[1], "{at}");
    assert_eq!(one.contribution_count(), other.contribution_count(), "{at}");
    assert_eq!(
        one.last_contribution_time(),
        other.last_contribution_time(),
        "{at}"
    );
    assert_eq!(one.total_good(), other.total_good(), "{at}");
    for account in everyone() {
        assert_eq!(one.good(account), other.good(account), "{at}");
        assert_eq!(single.wealth(account), together.wealth(account), "{at}");
    }
    for position in 0..one.contribution_count() {
        assert_eq!(one.settlement(position), other.settlement(position), "{at}");
        for reporter in everyone() {
            let reported = [one, other].map(|reference| reference.reported(position, reporter));
            assert_eq!(reported[0], reported[1], "{at}");
        }
    }
    let contributions = |pair: &Pair| -> Vec<_> {
        pair.records
            .iter()
            .flat_map(|r| r.contributions().to_vec())
            .collect()
    };
    assert_eq!(contributions(single), contributions(together), "{at}");
}

impl Pair {
    fn prepay(&mut self, author: Address) {
        let call = bindings::deposit_to(author);
        self.send(author, PREPAID, call).expect("a deposit");
        self.reference.deposit_to(author, PREPAID).expect("room");
        self.spend(author, PREPAID);
    }

    fn contribute_alone(&mut self, author: Address, item: Item<'_>) {
        let price = self.reference.price(1, self.now());
        let item = encode_batch(&[item]).expect("a short sample");
        self.send_contribution(author, price, &item);
    }

    fn next_batch(&mut self, author: &Author, items: Vec<u8>) -> SignedBatch {
        let nonce = self.nonces.entry(author.address).or_default();
        let batch = SignedBatch {
            author: author.address,
            relayer: Address::ZERO,
            max_deposit: (1 << 96) - 1,
            fee: 0,
            nonce: *nonce,
            deadline: self.chain.now(),
            items,
            signature: vec![],
        };
        *nonce += 1;
        self.sign(author, batch)
    }

    /// Returns claims on everything at these positions, in order.
    fn claims_on(&self, positions: &BTreeSet<u64>) -> Vec<Claims> {
        let positions: Vec<_> = positions.iter().copied().collect();
        let claims = self.records.iter().map(|record| record.claims(&positions));
        claims
            .filter(|group| !group.contributions.is_empty())
            .collect()
    }

    /// Returns the money of an account, in its wallet and prepaid.
    fn wealth(&self, account: Address) -> U256 {
        self.wallets[&account] + U256::from(self.reference.balance(account))
    }
}
