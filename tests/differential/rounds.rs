//! Tests federated rounds: the same random updates in the bytecode and in the reference rules.

mod trainer;

use std::collections::BTreeMap;

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::SolCall;
use cotrain_bindings::{
    Revert,
    federated::{RoundMath, math_code, rule_number},
};
use cotrain_chain::{Chain, ChainError, Config, Embedded, Transaction};
use cotrain_protocol::{
    ContractError,
    federated::{
        FederatedError, Rule, Sample, Softmax, Values, Width, aggregate, decode_update,
        encode_update, squared_norm,
    },
};
use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use crate::START;

const ANYONE: Address = Address::repeat_byte(9);
const WIDTHS: [Width; 2] = [Width::Eight, Width::Sixteen];

#[test]
fn round_math_aggregates_and_scores_as_the_rules() {
    let mut math = Math::found();
    for seed in 0..120 {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        math.compare_aggregates(&mut chance);
        math.compare_losses(&mut chance);
    }
}

#[test]
fn round_math_takes_the_updates_that_decode() {
    let mut math = Math::found();
    let mut refused = BTreeMap::new();
    for seed in 0..400 {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        if let Some(name) = math.compare_checks(&mut chance) {
            *refused.entry(name).or_insert(0) += 1;
        }
    }
    for name in ["length", "guard", "padding", "norm"] {
        let count = refused.get(name).copied().unwrap_or_default();
        assert!(count >= 10, "{name}: {count} of {refused:?}");
    }
}

/// Draws numbers: some at the bounds, many equal.
fn numbers(chance: &mut ChaCha8Rng, width: Width, count: usize) -> Vec<i16> {
    let (min, max) = (width.min(), width.max());
    (0..count)
        .map(|_| match chance.random_range(0..8) {
            0 => min,
            1 => max,
            2..5 => chance.random_range(-2..=2),
            _ => chance.random_range(min..=max),
        })
        .collect()
}

fn slices(updates: &[Vec<i16>]) -> Vec<&[i16]> {
    updates.iter().map(Vec::as_slice).collect()
}

/// Returns the bytes of updates, one after the other.
fn joined<'a>(width: Width, updates: impl IntoIterator<Item = &'a Vec<i16>>) -> Bytes {
    let encoded = updates
        .into_iter()
        .flat_map(|update| encode_update(width, update).expect("within the lanes"));
    encoded.collect()
}

/// Packs weights as the words of a model.
fn words_of(weights: &[i16]) -> Vec<U256> {
    let word = |weights: &[i16]| {
        weights.iter().rev().fold(U256::ZERO, |word, weight| {
            (word << 16) | U256::from(weight.cast_unsigned())
        })
    };
    weights.chunks(16).map(word).collect()
}

fn items_of(samples: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let item = |(label, features): &(u8, Vec<u8>)| [&[*label], &features[..]].concat();
    samples.iter().flat_map(item).collect()
}

/// Returns the sums of losses, in the order of the contracts.
fn losses_of(
    model: &Softmax,
    base: &[i16],
    updates: &[Vec<i16>],
    samples: &[(u8, Vec<u8>)],
) -> (Values, Vec<U256>) {
    let given: Vec<Sample<'_>> = samples
        .iter()
        .map(|(label, features)| Sample {
            label: (*label).into(),
            features,
        })
        .collect();
    let values = model
        .values(base, &slices(updates), &given)
        .expect("valid samples");
    let sums = [values.base, values.all]
        .into_iter()
        .chain(values.without.iter().copied())
        .map(|value| U256::from(value.unsigned_abs()))
        .collect();
    (values, sums)
}

/// Contract of the arithmetic, on a chain of its own.
struct Math {
    chain: Embedded,
    math: Address,
}

impl Math {
    fn found() -> Self {
        let mut chain = Embedded::new(Config {
            start: START,
            gas_price: 0,
        });
        let receipt = chain.send(Transaction::create(ANYONE, math_code()));
        let math = receipt.expect("code").created.expect("an address");
        Self { chain, math }
    }

    fn ask<C: SolCall>(&mut self, call: &C) -> Result<C::Return, ChainError> {
        let call = Transaction::call(ANYONE, self.math, call.abi_encode());
        let receipt = self.chain.call(call)?;
        Ok(C::abi_decode_returns(&receipt.output).expect("an answer of its type"))
    }

    fn compare_aggregates(&mut self, chance: &mut ChaCha8Rng) {
        let width = *WIDTHS.choose(chance).expect("some");
        let count = chance.random_range(1..=32_usize);
        let parameters = chance.random_range(1..=80);
        let mut updates: Vec<Vec<i16>> = (0..count)
            .map(|_| numbers(chance, width, parameters))
            .collect();
        if chance.random_bool(0.3) {
            let first = updates[0].clone();
            updates[count - 1].clone_from(&first);
        }
        for rule in Rule::ALL {
            let hostile = chance.random_range(0..=count / 2);
            let Ok(expected) = aggregate(rule, hostile, width, &slices(&updates)) else {
                continue;
            };
            let expected = words_of(&expected);
            let call = RoundMath::aggregateCall {
                rule: rule_number(rule),
                f: U256::from(hostile),
                width: U256::from(width.bits()),
                count: U256::from(count),
                words: U256::from(expected.len()),
                updates: joined(width, &updates),
            };
            let found = self.ask(&call).expect("an aggregate");
            assert_eq!(found, expected, "{rule} of {count}, {hostile} hostile");
        }
    }

    fn compare_losses(&mut self, chance: &mut ChaCha8Rng) {
        let width = *WIDTHS.choose(chance).expect("some");
        let max_feature = 1 << chance.random_range(0..8_u8);
        let scale = chance.random_range(4..=15);
        let (features, classes) = (chance.random_range(1..=70), chance.random_range(2..=6_u8));
        let model = Softmax::new(features, classes.into(), max_feature, scale).expect("a model");
        let base = if chance.random_bool(0.3) {
            (0..model.parameters()).map(|_| chance.random()).collect()
        } else {
            numbers(chance, Width::Eight, model.parameters())
        };
        let updates: Vec<Vec<i16>> = (0..chance.random_range(1..=6))
            .map(|_| numbers(chance, width, model.parameters()))
            .collect();
        let samples: Vec<(u8, Vec<u8>)> = (0..3)
            .map(|_| {
                let numbers = (0..features).map(|_| chance.random_range(0..=max_feature));
                let numbers = numbers.collect();
                (chance.random_range(0..classes), numbers)
            })
            .collect();
        let call = RoundMath::lossesCall {
            shape: RoundMath::Shape {
                classes: U256::from(classes),
                features: U256::from(features),
                maxFeature: U256::from(max_feature),
                shift: U256::from(scale + max_feature.ilog2() - 4),
            },
            width: U256::from(width.bits()),
            count: U256::from(updates.len()),
            base: words_of(&base),
            updates: joined(width, &updates),
            samples: items_of(&samples).into(),
        };
        let found = self.ask(&call).expect("losses");
        let (_, expected) = losses_of(&model, &base, &updates, &samples);
        assert_eq!(found, expected, "{model:?}");
    }

    /// Changes at most one thing of an update. Returns the name of a refusal.
    fn compare_checks(&mut self, chance: &mut ChaCha8Rng) -> Option<&'static str> {
        let width = *WIDTHS.choose(chance).expect("some");
        let parameters = chance.random_range(1..=100);
        let update = numbers(chance, width, parameters);
        let mut bytes = encode_update(width, &update).expect("within the lanes");
        let mut maximum = squared_norm(&update);
        match chance.random_range(0..6) {
            0 => bytes.resize(chance.random_range(0..200), 0),
            1 | 2 => {
                let bit = chance.random_range(0..8);
                let at = chance.random_range(0..bytes.len());
                bytes[at] ^= 1 << bit;
                maximum = u64::MAX;
            }
            3 => maximum = maximum.saturating_sub(1),
            _ => {}
        }
        let call = RoundMath::requireUpdateCall {
            parameters: U256::from(parameters),
            width: U256::from(width.bits()),
            maxSquaredNorm: U256::from(maximum),
            update: bytes.clone().into(),
        };
        let seen = self.ask(&call).map(|_| ());
        let seen = seen.map_err(|error| error.revert().cloned().expect("a revert"));
        let rejected = |error| Err(Revert::Contract(error));
        let words = |lane: usize| (lane / width.lanes()) as u64;
        let (expected, name) = match decode_update(width, parameters, &bytes) {
            Ok(update) if squared_norm(&update) > maximum => (
                rejected(ContractError::NormTooLarge {
                    squared_norm: squared_norm(&update).into(),
                    maximum: maximum.into(),
                }),
                Some("norm"),
            ),
            Ok(_) => (Ok(()), None),
            Err(FederatedError::WrongBytes { found, expected }) => (
                rejected(ContractError::WrongUpdateLength {
                    length: found as u64,
                    expected: expected as u64,
                }),
                Some("length"),
            ),
            Err(FederatedError::GuardBit { lane, .. }) => (
                rejected(ContractError::GuardBitSet { word: words(lane) }),
                Some("guard"),
            ),
            Err(FederatedError::Padding { parameters, .. }) => (
                rejected(ContractError::PaddingNotZero {
                    parameters: parameters as u64,
                }),
                Some("padding"),
            ),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(seen, expected, "{parameters} parameters in {bytes:?}");
        name
    }
}
