//! The heart of the project: the same random operations go through the deployed bytecode, in an EVM
//! in the process, and through `protocol`; after every step every result, every error and all
//! state are equal, to the last bit.
//!
//! A failure prints the seed. `COTRAIN_SEED=<seed> cargo test -p cotrain-tests --test differential`
//! replays it; `COTRAIN_STEPS=<n>` makes runs longer or shorter.

mod initialization;
mod operations;
mod pair;
mod random;

use alloy_primitives::Address;
use cotrain_protocol::{classifier::Kind, trainer::Incentive};

use pair::Pair;

const START: u64 = 1_767_225_600;
const DAY: u64 = 86_400;
const OWNER: Address = Address::repeat_byte(0x0a);
/// Authors and reporters; the owner and a stranger who never contributes are among the callers.
const AUTHORS: [Address; 4] = [
    Address::repeat_byte(1),
    Address::repeat_byte(2),
    Address::repeat_byte(3),
    Address::repeat_byte(4),
];
const STRANGER: Address = Address::repeat_byte(9);
const STEPS: usize = 2_000;

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

/// Both incentives, a few seeds each, or the one seed that the environment names.
fn compare_all(kind: Kind) {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|value| value.parse().expect("a number"))
    };
    let steps = number("COTRAIN_STEPS")
        .and_then(|steps: u64| usize::try_from(steps).ok())
        .unwrap_or(STEPS);
    let seeds = number("COTRAIN_SEED").map_or(1..=8, |seed: u64| seed..=seed);
    for seed in seeds {
        for incentive in [
            Incentive::DepositRefundTake {
                cost_weight: 1_000_003,
            },
            Incentive::Points,
        ] {
            Pair::found(kind, incentive, seed).run(steps);
        }
    }
}
