//! Models with words, samples and lessons by chance.

use alloy_primitives::U256;
use cotrain_protocol::classifier::{Bounds, Parameters};
use cotrain_protocol::sample::{Encoding, encode_dense16, encode_dense32, encode_sparse};
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::steps::{Step, batch, model, widest, word};

/// Number of models of each learner with words and samples by chance.
const RANDOM_MODELS: usize = 6;
/// Number of steps of each of them.
const RANDOM_STEPS: usize = 14;

/// Draws a word of any bits, often with lanes at their bounds.
pub(crate) fn random_word(rng: &mut ChaCha8Rng) -> U256 {
    let mut limb = || match rng.random_range(0..6) {
        0 => rng.random(),
        1 => 0,
        2 => u64::MAX,
        3 => 0x7fff_8000_7fff_8000,
        4 => rng.random_range(0..20),
        _ => rng.random_range(0..20) << 32 | rng.random_range(0..20),
    };
    word([limb(), limb(), limb(), limb()])
}

pub(crate) fn random_parameters(learner: usize, rng: &mut ChaCha8Rng) -> Parameters {
    let features = rng.random_range(1..20);
    let classes = rng.random_range(2..5);
    let edges = [0, -1, 1, -70, 70, i64::MIN, i64::MAX];
    let intercept = *edges.choose(rng).expect("an edge");
    let rate = |rng: &mut ChaCha8Rng| *[1, 256, 65_536, u32::MAX].choose(rng).expect("a rate");
    match learner {
        0 => Parameters::SparsePerceptron {
            features,
            learning_rate: rng.random_range(1..=32_767),
            intercept,
        },
        1 => Parameters::DensePerceptron {
            features,
            learning_rate: rate(rng),
            intercept,
            bounds: widest(Encoding::Dense16, features),
        },
        2 => Parameters::NaiveBayes {
            classes,
            features,
            smoothing: rate(rng),
        },
        3 => Parameters::SparseNearestCentroid { classes, features },
        _ => Parameters::DenseNearestCentroid {
            classes,
            features,
            bounds: Bounds {
                max_number: 1 << 31,
                max_squared_length: u128::from(features) << 60,
            },
        },
    }
}

/// Draws a sample, seldom one that is refused.
pub(crate) fn random_sample(parameters: &Parameters, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let features = parameters.features();
    let mut sample = match parameters.encoding() {
        Encoding::Sparse => {
            let present: Vec<u16> = (0..u16::try_from(features).expect("few features"))
                .filter(|_| rng.random())
                .collect();
            encode_sparse(&present)
        }
        Encoding::Dense16 => {
            let edges = [0, 1, -1, 4_096, i16::MIN, i16::MAX];
            let number = |_| *edges.choose(rng).expect("an edge");
            encode_dense16(&(0..features).map(number).collect::<Vec<_>>())
        }
        Encoding::Dense32 => {
            let edges = [0, 1, -1, 65_536, i32::MIN, i32::MAX];
            let number = |_| *edges.choose(rng).expect("an edge");
            encode_dense32(&(0..features).map(number).collect::<Vec<_>>())
        }
    };
    match rng.random_range(0..24) {
        0 => sample.push(7),
        1 => sample.extend(encode_sparse(&[u16::MAX])),
        2 => sample.extend_from_within(..),
        _ => {}
    }
    sample
}

pub(crate) fn random_models() -> Vec<Value> {
    let mut rng = ChaCha8Rng::seed_from_u64(14);
    let mut models = Vec::new();
    for learner in 0..5 {
        for number in 0..RANDOM_MODELS {
            let parameters = random_parameters(learner, &mut rng);
            let words: Vec<U256> = (0..parameters.word_count())
                .map(|_| random_word(&mut rng))
                .collect();
            let step = |_| {
                if rng.random() {
                    return Step::Predict(random_sample(&parameters, &mut rng));
                }
                let items: Vec<(u16, Vec<u8>)> = (0..rng.random_range(1..4))
                    .map(|_| {
                        // Seldom a label too much.
                        let label = rng.random_range(0..parameters.classes() * 16 + 1) / 16;
                        (label, random_sample(&parameters, &mut rng))
                    })
                    .collect();
                let mut batch = batch(&items);
                if rng.random_range(0..16) == 0 {
                    batch.truncate(batch.len() / 2);
                }
                Step::Learn(batch)
            };
            let steps = (0..RANDOM_STEPS).map(step).collect();
            models.push(model(
                &format!("random {number}"),
                parameters,
                &words,
                steps,
            ));
        }
    }
    models
}
