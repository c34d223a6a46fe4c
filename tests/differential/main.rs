//! The heart of the project: differential tests of the contracts against `protocol`.
//!
//! The same random operations run in the deployed bytecode, in an EVM in the process, and in
//! `protocol`.
//! After every step all results, events, errors and state are equal, to the last bit.
//!
//! A failure prints the seed. `COTRAIN_SEED=<seed> cargo test -p cotrain-tests --test differential`
//! replays it; `COTRAIN_STEPS=<n>` makes runs longer or shorter.

mod accounts;
mod channels;
mod claiming;
mod contract_authors;
mod contributing;
mod equivalence;
mod finding;
mod initialization;
mod market;
mod pair;
mod payloads;
mod people;
mod prediction_fees;
mod random;
mod reading;
mod relaying;
mod rounds;
mod signatures;
mod tally;

use cotrain_protocol::{classifier::Kind, trainer::Incentive};

use pair::{Pair, WAITS, WITH_NOTICE};
use tally::Tally;

const START: u64 = 1_767_225_600;
const DAY: u64 = 86_400;
const STEPS: usize = 2_000;
const INCENTIVES: [Incentive; 2] = [
    Incentive::DepositRefundTake {
        cost_weight: 1_000_003,
    },
    Incentive::Points,
];

#[test]
fn sparse_perceptron() {
    compare_all(Kind::SparsePerceptron);
}

#[test]
fn dense_perceptron() {
    compare_all(Kind::DensePerceptron);
}

#[test]
fn naive_bayes() {
    compare_all(Kind::NaiveBayes);
}

#[test]
fn sparse_nearest_centroid() {
    compare_all(Kind::SparseNearestCentroid);
}

#[test]
fn dense_nearest_centroid() {
    compare_all(Kind::DenseNearestCentroid);
}

/// Runs both incentives with a few seeds each, or with the single seed that the environment names.
fn compare_all(kind: Kind) {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|value| value.parse().expect("a number"))
    };
    let steps = number("COTRAIN_STEPS").map_or(STEPS, |steps: u64| {
        usize::try_from(steps).expect("a number of steps")
    });
    let one = number("COTRAIN_SEED");
    let mut tally = Tally::default();
    for seed in one.map_or(1..=8, |seed| seed..=seed) {
        for incentive in INCENTIVES {
            // Every other model needs a notice before a report.
            let waits = if seed % 2 == 0 { WITH_NOTICE } else { WAITS };
            tally += Pair::found(kind, incentive, waits, seed).run(steps);
        }
    }
    if one.is_none() && steps >= STEPS {
        tally.check(kind);
    }
}
