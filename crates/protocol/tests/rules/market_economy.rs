//! Tests properties of every prediction market.
//!
//! It can pay what it owes, and ends the same whatever the sizes of its steps.
//! Its passes agree with a plain loop over the contributions.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256};
use cotrain_protocol::{
    classifier::Classifier,
    market::{Contributions, Limits, Market, Phase, Step, Terms, commitment},
    sample::parse_batch,
};
use num_bigint::BigInt;
use proptest::{collection::vec, prelude::*};

use crate::{
    support::{address, cases},
    world::{items, model, owner},
};

const PEOPLE: u8 = 4;
const START: u64 = 10_000;
const CLOSED: u64 = START + 100;

/// Labels, each with the one feature that is present.
type Items = Vec<(u16, u16)>;

#[derive(Debug, Clone)]
struct Case {
    stake: u128,
    bounty: u128,
    most_passes: u64,
    parts: Vec<Items>,
    /// Authors and items, one entry a transaction.
    contributions: Vec<(u8, Items)>,
    hash: B256,
}

fn case() -> impl Strategy<Value = Case> {
    let items = |max| vec((0_u16..2, 0_u16..6), 1..max);
    let money = || prop_oneof![1_u128..10, 1_u128..1_000, Just((1_u128 << 96) - 1)];
    (
        money(),
        money(),
        1_u64..6,
        vec(items(6), 2..5),
        vec((0..PEOPLE, items(4)), 1..12),
        any::<[u8; 32]>(),
    )
        .prop_map(
            |(stake, bounty, most_passes, parts, contributions, hash)| Case {
                stake,
                bounty,
                most_passes,
                parts,
                contributions,
                hash: hash.into(),
            },
        )
}

fn limits() -> impl Strategy<Value = Limits> {
    let max = || prop_oneof![1_u64..4, Just(1_000)];
    (max(), 1_usize..4, max(), max()).prop_map(|(words, records, samples, looks)| Limits {
        words,
        records,
        samples,
        looks,
    })
}

impl Case {
    /// Creates the market before all parts except the drawn one are revealed. Returns it with all
    /// contributions.
    fn market(&self) -> (Market, Vec<Contributions>) {
        let terms = Terms {
            stake: self.stake,
            participation: 100,
            reveal_wait: 100,
            scoring_wait: 100,
            most_contributions: 1_000,
            most_passes: self.most_passes,
        };
        let mut market =
            Market::new(owner(), address(2), address(3), terms, model()).expect("valid");
        let commitments: Vec<_> = (0..)
            .zip(&self.parts)
            .map(|(part, all)| commitment(part, B256::ZERO, &items(all)))
            .collect();
        market
            .commit(owner(), START, 1, self.bounty, &commitments)
            .expect("committed");
        let drawn = market.draw(START, 3, self.hash).expect("drawn");
        market
            .reveal(START, drawn as u64, B256::ZERO, &items(&self.parts[drawn]))
            .expect("revealed");
        let mut records = Vec::new();
        for (author, all) in &self.contributions {
            let (author, batch) = (person(*author), items(all));
            let value = self.stake * all.len() as u128;
            market
                .contribute(author, START, value, &batch)
                .expect("accepted");
            records.push(Contributions {
                author,
                time: START,
                items: batch,
            });
        }
        (market, records)
    }

    fn reveal(&self, market: &mut Market) {
        for (part, all) in self.parts.iter().enumerate() {
            if market.part(part).is_none() {
                market
                    .reveal(CLOSED, part as u64, B256::ZERO, &items(all))
                    .expect("revealed");
            }
        }
    }

    /// Computes all balances and the final model by a plain loop.
    fn settled(&self, drawn: usize) -> (BTreeMap<Address, BigInt>, Classifier) {
        let test: Items = (0..)
            .zip(&self.parts)
            .filter(|(part, _)| *part != drawn)
            .flat_map(|(_, all)| all.clone())
            .collect();
        let test = items(&test);
        let test = parse_batch(&test).expect("items");
        let size = BigInt::from(test.len());
        let mut balances = BTreeMap::new();
        for (author, all) in &self.contributions {
            *balances.entry(person(*author)).or_default() += BigInt::from(self.stake) * all.len();
        }
        let mut left = BigInt::from(self.bounty);
        let mut removed = Vec::new();
        for pass in 1.. {
            let mut model = model();
            let mut scores: BTreeMap<Address, i64> = BTreeMap::new();
            let playing: Vec<_> = self
                .contributions
                .iter()
                .filter(|(author, _)| !removed.contains(author))
                .collect();
            for run in playing.chunk_by(|(one, _), (next, _)| one == next) {
                let before = model.evaluate(&test).expect("samples");
                for (_, all) in run {
                    let batch = items(all);
                    model
                        .learn(&parse_batch(&batch).expect("items"))
                        .expect("items of the model's");
                }
                let after = model.evaluate(&test).expect("samples");
                let change =
                    i64::try_from(after).expect("few") - i64::try_from(before).expect("few");
                *scores.entry(person(run[0].0)).or_default() += change;
            }
            let losers = scores.iter().filter(|(_, score)| **score < 0);
            let affordable =
                losers.map(|(author, score)| &balances[author] * &size / score.unsigned_abs());
            let pot = affordable.chain([left.clone()]).min().expect("the bounty");
            left -= &pot;
            for (author, score) in &scores {
                let (product, balance) = (&pot * score, balances.get_mut(author).expect("one"));
                // Rounds toward minus infinity.
                *balance += if *score < 0 {
                    (product - &size + 1_i32) / &size
                } else {
                    product / &size
                };
                assert!(*balance >= BigInt::ZERO);
                if *score < 0 && &*balance * &size < BigInt::from(score.unsigned_abs()) {
                    removed.extend((0..PEOPLE).filter(|number| person(*number) == *author));
                }
            }
            if scores.values().all(|score| *score >= 0)
                || left == BigInt::ZERO
                || removed.len() == balances.len()
                || pass == self.most_passes
            {
                return (balances, model);
            }
        }
        unreachable!("passes are counted")
    }
}

fn person(number: u8) -> Address {
    address(10 + number)
}

/// Returns the total that all accounts can collect at `now`, in wei.
fn owed(market: &Market, now: u64) -> u128 {
    let all = market.participants().iter();
    all.map(|account| market.collectable(*account, now))
        .sum::<u128>()
        + market.remainder(now)
}

fn collect_all(market: &mut Market, now: u64) -> u128 {
    let owed = owed(market, now);
    let mut paid = market.collect_remainder(owner(), now).unwrap_or_default();
    for account in market.participants().to_vec() {
        paid += market.collect(account, now).unwrap_or_default();
    }
    assert_eq!(paid, owed);
    paid
}

/// Takes one step. Returns `false` if none is left.
fn step(market: &mut Market, records: &[Contributions], limits: Limits) -> bool {
    match market.next_step(CLOSED, records, limits) {
        None => return false,
        Some(Step::Restart { words }) => market.restart(CLOSED, words).expect("copied"),
        Some(Step::Score {
            records: at,
            samples,
        }) => {
            let scored = market.score(CLOSED, &records[at.clone()], samples);
            let taken = scored.expect("scored").taken;
            assert!(
                at.len() - taken <= 1,
                "one more record may say that a run is over"
            );
        }
        Some(Step::Settle { max }) => {
            market.settle(CLOSED, max).expect("settled");
        }
    }
    true
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn market_ends_as_a_plain_loop_does(case in case(), limits in limits()) {
        let (mut market, records) = case.market();
        case.reveal(&mut market);
        let drawn = market.drawn_part().expect("drawn");
        let late = CLOSED + 101;
        loop {
            prop_assert!(owed(&market, late) <= market.held(), "where it fails here");
            if !step(&mut market, &records, limits) {
                break;
            }
        }
        prop_assert_eq!(market.phase(CLOSED), Phase::Settled);
        let (balances, model) = case.settled(drawn);
        for (account, balance) in balances {
            prop_assert_eq!(BigInt::from(market.account(account).balance), balance);
        }
        prop_assert_eq!(market.model().expect("a model").words(), model.words());
        // Exact to the last wei.
        prop_assert_eq!(owed(&market, CLOSED), market.held());
        collect_all(&mut market, CLOSED);
        prop_assert_eq!(market.held(), 0);
    }

    #[test]
    fn market_that_fails_anywhere_pays_back(
        case in case(),
        limits in limits(),
        steps in 0..40,
        burns_first: bool,
    ) {
        let (mut market, records) = case.market();
        case.reveal(&mut market);
        for _ in 0..steps {
            step(&mut market, &records, limits);
        }
        let settled = market.phase(CLOSED) == Phase::Settled;
        let late = CLOSED + 101;
        prop_assert_eq!(market.phase(late), if settled { Phase::Settled } else { Phase::Failed });
        let burned = if settled { 0 } else { case.bounty };
        if !settled && burns_first {
            prop_assert_eq!(market.forfeit(late), Ok(burned));
        }
        let held = market.held();
        let paid = collect_all(&mut market, late);
        if !settled && !burns_first {
            prop_assert_eq!(market.forfeit(late), Ok(burned));
            prop_assert_eq!(held - paid, burned);
        }
        prop_assert_eq!(market.held(), 0);
        if !settled {
            let contributions = u128::from(market.contribution_count());
            prop_assert_eq!(paid, contributions * case.stake);
        }
    }
}
