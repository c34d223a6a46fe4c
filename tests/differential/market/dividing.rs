//! Tests models that skip classes without samples.
//!
//! Their evaluation costs many times more after the first contribution of each class, so a driver
//! must divide it.

use alloy_primitives::B256;
use cotrain_bindings::{Revert, market as calls};
use cotrain_chain::{Chain, ChainError, Transaction};
use cotrain_protocol::{
    ContractError,
    classifier::{Bounds, Classifier, Parameters},
    market::{Limits, Phase, Stage, Step, Terms, commitment},
    sample::Encoding,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::MarketPair;
use crate::{
    people::{OWNER, STRANGER},
    random,
};

const CLASSES: u16 = 40;
const FEATURES: u32 = 128;
const TERMS: Terms = Terms {
    stake: 100,
    participation: 1_000,
    reveal_wait: 1_000,
    scoring_wait: 1_000,
    most_contributions: 100,
    most_passes: 1,
};
const BOUNTY: u128 = 1_000_000;
/// Number of samples in each part.
const SAMPLES: u64 = 45;
/// Contributions of a transaction: as many as fit in a lesson's gas.
const LESSON: u16 = 8;

#[test]
fn market_of_empty_naive_bayes() {
    divide(Parameters::NaiveBayes {
        classes: CLASSES,
        features: FEATURES,
        smoothing: 256,
    });
}

#[test]
fn market_of_empty_sparse_nearest_centroid() {
    divide(Parameters::SparseNearestCentroid {
        classes: CLASSES,
        features: FEATURES,
    });
}

#[test]
fn market_of_empty_dense_nearest_centroid() {
    divide(Parameters::DenseNearestCentroid {
        classes: CLASSES,
        features: FEATURES,
        bounds: Bounds::widest(Encoding::Dense32, FEATURES).expect("numbers"),
    });
}

/// Scores a market to its end. Its contributions have one sample of each class, and its model has
/// seen none.
fn divide(parameters: Parameters) {
    let classifier = Classifier::new(parameters).expect("good parameters");
    let context = format!("an empty {}", classifier.kind());
    let chance = ChaCha8Rng::seed_from_u64(7);
    let mut pair = MarketPair::over(classifier, TERMS, chance, context);
    pair.open_with_parts();
    for first in (0..CLASSES).step_by(LESSON.into()) {
        let items: Vec<_> = (first..first + LESSON)
            .flat_map(|class| pair.item_of(class))
            .collect();
        pair.send_contribution(TERMS.stake * u128::from(LESSON), &items);
    }
    let closing = pair.reference.closing_time().expect("open");
    pair.chain.set_time(closing).expect("later");
    while pair.reference.phase(closing) == Phase::Revealing {
        pair.reveal_due();
    }
    let mut samples = pair.reference.samples();
    while pair.reference.phase(closing) == Phase::Scoring {
        match pair.reference.progress().stage {
            Stage::Copying => pair.restart(),
            Stage::Teaching => pair.score_at_most(&mut samples),
            Stage::Finding | Stage::Paying => pair.settle(),
        }
        pair.compare();
    }
    assert!(
        samples < SAMPLES,
        "a part was not too much for a step, {}",
        pair.context
    );
    assert_eq!(pair.reference.phase(closing), Phase::Settled);
    pair.compare_created();
}

impl MarketPair {
    /// Opens a market with three parts, one of which is drawn.
    fn open_with_parts(&mut self) {
        for part in 0..3 {
            let model = self.reference.initial().classifier();
            let items = random::items(model, &mut self.chance, SAMPLES);
            self.parts.push((B256::repeat_byte(part), items));
        }
        let commitments: Vec<_> = (0..)
            .zip(&self.parts)
            .map(|(part, (salt, items))| commitment(part, *salt, items))
            .collect();
        let (now, number) = (self.now(), self.chain.block_number().expect("a number"));
        self.send(OWNER, BOUNTY, calls::commit(&commitments))
            .expect("committed");
        self.reference
            .commit(OWNER, now, number, BOUNTY, &commitments)
            .expect("committed");
        let nothing = Transaction::call(STRANGER, STRANGER, vec![]);
        self.chain.send(nothing).expect("a block");
        let drawn_in = self.chain.block_number().expect("a number");
        let hash = self.chain.block_hash(number + 1).expect("a hash");
        self.send(STRANGER, 0, calls::draw()).expect("drawn");
        self.reference.draw(now, drawn_in, hash).expect("drawn");
        self.reveal_due();
    }

    /// Draws a sample and labels it with this class.
    fn item_of(&mut self, class: u16) -> Vec<u8> {
        let model = self.reference.initial().classifier();
        let mut item = random::items(model, &mut self.chance, 1);
        item[..2].copy_from_slice(&class.to_be_bytes());
        item
    }

    /// Sends the next step with at most this many samples. Halves the number if they do not fit in
    /// a transaction.
    fn score_at_most(&mut self, samples: &mut u64) {
        let limits = Limits {
            words: 1,
            records: 1,
            samples: *samples,
            looks: 1,
        };
        let step = self.reference.next_step(self.now(), &self.records, limits);
        let Some(Step::Score {
            records,
            samples: max,
        }) = step
        else {
            panic!("{step:?}; {}", self.at());
        };
        let records = self.records[records].to_vec();
        let sent = self.send(STRANGER, 0, calls::score(&records, max));
        let too_large = matches!(
            sent,
            Err(ChainError::Halted { .. }
                | ChainError::Reverted {
                    revert: Revert::GasTooLow { .. }
                        | Revert::Contract(ContractError::ClassifierFailed),
                    ..
                })
        );
        if too_large {
            assert!(*samples > 1, "one sample is too much, {}", self.at());
            *samples /= 2;
            return;
        }
        let expected = self.reference_score(&records, max);
        self.same("score", sent, expected);
    }
}
