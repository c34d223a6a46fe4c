//! Models at the limits of their numbers: saturation, ties, bounds, full classes.

use alloy_primitives::U256;
use cotrain_protocol::classifier::{Bounds, Parameters};
use cotrain_protocol::sample::{Encoding, encode_dense16, encode_dense32, encode_sparse};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::steps::{Step, header, learn, model, widest, word};

pub(crate) fn perceptrons() -> Vec<Value> {
    let sparse = |intercept, learning_rate| Parameters::SparsePerceptron {
        features: 3,
        learning_rate,
        intercept,
    };
    let all = || encode_sparse(&[0, 1, 2]);
    let dense = Parameters::DensePerceptron {
        features: 2,
        learning_rate: 3,
        intercept: 0,
        bounds: Bounds {
            max_number: 20_000,
            max_squared_length: 500_000_000,
        },
    };
    let steep = Parameters::DensePerceptron {
        features: 2,
        learning_rate: u32::MAX,
        intercept: -5,
        bounds: widest(Encoding::Dense16, 2),
    };
    vec![
        model(
            "a sum of 0 is class 0, without a score if there are no votes",
            sparse(0, 1),
            &[U256::ZERO],
            vec![
                Step::Predict(all()),
                Step::Predict(Vec::new()),
                learn(&[(1, all()), (1, all()), (0, encode_sparse(&[1]))]),
                Step::Predict(all()),
            ],
        ),
        model(
            "weights saturate",
            sparse(0, 32_767),
            &[word([0x7ffe_8001_7fff, 0, 0, 0])],
            vec![
                learn(&[(0, encode_sparse(&[0])), (1, encode_sparse(&[1]))]),
                learn(&[(1, all()), (0, all()), (1, all())]),
                Step::Predict(all()),
            ],
        ),
        model(
            "the largest and the smallest intercept",
            sparse(i64::MAX, 1),
            &[word([0x7fff_7fff_7fff, 0, 0, 0])],
            vec![
                Step::Predict(all()),
                learn(&[(0, all())]),
                Step::Predict(all()),
            ],
        ),
        model(
            "the smallest intercept",
            sparse(i64::MIN, 1),
            &[word([0x8000_8000_8000, 0, 0, 0])],
            vec![
                Step::Predict(all()),
                learn(&[(1, all())]),
                Step::Predict(all()),
            ],
        ),
        model(
            "steps are rounded down after half is added; bounds hold for lessons alone",
            dense,
            &[U256::ZERO],
            vec![
                learn(&[(1, encode_dense16(&[10_923, -10_923]))]),
                learn(&[(1, encode_dense16(&[10_922, -10_922]))]),
                learn(&[(0, encode_dense16(&[20_000, 1]))]),
                learn(&[(0, encode_dense16(&[20_001, 1]))]),
                learn(&[(0, encode_dense16(&[-20_000, 12_000]))]),
                Step::Predict(encode_dense16(&[i16::MIN, i16::MAX])),
            ],
        ),
        model(
            "the largest learning rate",
            steep,
            &[word([0x8000_7fff, 0, 0, 0])],
            vec![
                Step::Predict(encode_dense16(&[i16::MIN, i16::MIN])),
                learn(&[(0, encode_dense16(&[i16::MIN, i16::MIN]))]),
                learn(&[(1, encode_dense16(&[i16::MIN, i16::MAX]))]),
                learn(&[(1, encode_dense16(&[1, -1]))]),
                Step::Predict(encode_dense16(&[1, -1])),
            ],
        ),
    ]
}

pub(crate) fn bayes() -> Vec<Value> {
    let small = |smoothing| Parameters::NaiveBayes {
        classes: 3,
        features: 4,
        smoothing,
    };
    let empty = |parameters: Parameters| vec![U256::ZERO; parameters.word_count()];
    let lessons = || {
        vec![
            Step::Predict(encode_sparse(&[0])),
            learn(&[(2, encode_sparse(&[0, 1]))]),
            Step::Predict(encode_sparse(&[0])),
            learn(&[(1, encode_sparse(&[0, 1]))]),
            // Classes 1 and 2 are equal.
            Step::Predict(encode_sparse(&[0, 1])),
            Step::Predict(encode_sparse(&[])),
            learn(&[(2, encode_sparse(&[0])), (0, encode_sparse(&[2, 3]))]),
            Step::Predict(encode_sparse(&[0, 3])),
            Step::Predict(encode_sparse(&[0, 1, 2, 3])),
        ]
    };
    let wide = Parameters::NaiveBayes {
        classes: 2,
        features: 2_000,
        smoothing: 256,
    };
    let many: Vec<u16> = (0..1_500).collect();
    let others: Vec<u16> = (500..2_000).collect();
    let most: Vec<u16> = (0..2_600).collect();
    let large = Parameters::NaiveBayes {
        classes: 2,
        features: 2_600,
        smoothing: u32::MAX,
    };
    let full = [
        header(u32::MAX, u128::MAX),
        header(u32::MAX - 1, u128::MAX),
        header(5, 7 << 48 | 9),
        word([0xffff_ffff_fffe_0001, 0, 0, 0]),
        word([0xffff_ffff_fffe_0001, 0, 0, 0]),
        word([1, 0, 0, 0]),
    ];
    vec![
        model(
            "ties and smoothing of 1",
            small(256),
            &empty(small(256)),
            lessons(),
        ),
        model(
            "the smallest smoothing",
            small(1),
            &empty(small(1)),
            lessons(),
        ),
        model(
            "the largest smoothing",
            small(u32::MAX),
            &empty(small(u32::MAX)),
            lessons(),
        ),
        model(
            "full classes, counts and totals; the total's low 48 bits count",
            small(256),
            &full,
            vec![
                Step::Predict(encode_sparse(&[0, 1, 2, 3])),
                learn(&[
                    (0, encode_sparse(&[0, 1])),
                    (1, encode_sparse(&[0, 1, 2, 3])),
                    (1, encode_sparse(&[0])),
                    (2, encode_sparse(&[0])),
                ]),
                Step::Predict(encode_sparse(&[0])),
            ],
        ),
        model(
            "1,500 features",
            wide,
            &empty(wide),
            vec![
                learn(&[(0, encode_sparse(&many)), (1, encode_sparse(&others))]),
                Step::Predict(encode_sparse(&many)),
                Step::Predict(encode_sparse(&others)),
                Step::Predict(encode_sparse(&many[500..])),
                Step::Predict(encode_sparse(&[3, 1_999])),
            ],
        ),
        model(
            "too many features",
            large,
            &empty(large),
            vec![
                Step::Predict(encode_sparse(&most[..2_561])),
                learn(&[(1, encode_sparse(&most[..2_560]))]),
                Step::Predict(encode_sparse(&most[..2_560])),
            ],
        ),
    ]
}

/// Returns models whose second class has a score that is larger by a little more or less than
/// 2^-110 of it.
///
/// The counts are multiples of two sets whose sums of powers are equal up to the fifth (the problem
/// of Prouhet, Tarry and Escott). So the products of the six factors differ by a constant alone.
pub(crate) fn near_ties() -> Vec<Value> {
    let parameters = Parameters::NaiveBayes {
        classes: 2,
        features: 6,
        smoothing: u32::MAX,
    };
    let (first, second) = ([0, 5, 6, 16, 17, 22], [1, 2, 10, 12, 20, 21]);
    [(7, "less"), (8, "more")]
        .map(|(times, than)| {
            let counts = |set: [u64; 6]| {
                let lanes = (0_usize..).zip(set);
                lanes.fold(U256::ZERO, |word, (lane, count)| {
                    word | U256::from(count * times) << (lane * 16)
                })
            };
            let total = u128::from(times * first.iter().sum::<u64>());
            let headers = [header(9, total); 2];
            let words = [headers[0], headers[1], counts(first), counts(second)];
            let about = format!("scores that differ by {than} than the tolerance");
            let steps = vec![Step::Predict(encode_sparse(&[0, 1, 2, 3, 4, 5]))];
            model(&about, parameters, &words, steps)
        })
        .into()
}

/// Returns models whose classes have the same counts in opposite orders. Their scores are equal, and
/// the truncation of long products differs.
pub(crate) fn long_ties() -> Vec<Value> {
    let parameters = Parameters::NaiveBayes {
        classes: 2,
        features: 2_560,
        smoothing: 77,
    };
    let all: Vec<u16> = (0..2_560).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(16);
    (0..2)
        .map(|number| {
            let counts: Vec<u64> = (0..2_560).map(|_| rng.random_range(0..60_000)).collect();
            let total = u128::from(counts.iter().sum::<u64>());
            let packed = |counts: Vec<u64>| -> Vec<U256> {
                let word = |lanes: &[u64]| {
                    let lanes = (0_usize..).zip(lanes);
                    lanes.fold(U256::ZERO, |word, (lane, count)| {
                        word | U256::from(*count) << (lane * 16)
                    })
                };
                counts.chunks(16).map(word).collect()
            };
            let reversed = counts.iter().rev().copied().collect();
            let (first, second) = if number == 0 {
                (counts, reversed)
            } else {
                (reversed, counts)
            };
            let headers = [header(9, total); 2];
            let words = [&headers[..], &packed(first), &packed(second)].concat();
            let steps = vec![
                Step::Predict(encode_sparse(&all)),
                Step::Predict(encode_sparse(&all[1_000..1_560])),
            ];
            let about = format!("equal scores of 2,560 factors {number}");
            model(&about, parameters, &words, steps)
        })
        .collect()
}

pub(crate) fn sparse_centroids() -> Vec<Value> {
    let sparse = Parameters::SparseNearestCentroid {
        classes: 3,
        features: 4,
    };
    let odd = [
        // A total that no counts have: the squared distance would be below 0.
        header(3, 0),
        header(u32::MAX, u128::MAX),
        header(u32::MAX - 1, u128::MAX - 1),
        word([0x0003_0003_0003_ffff, 0, 0, 0]),
        word([0x0001, 0, 0, 0]),
        word([0xfffe_ffff, 0, 0, 0]),
    ];
    let zero = |parameters: Parameters| vec![U256::ZERO; parameters.word_count()];
    vec![
        model(
            "ties of presence, and one class alone",
            sparse,
            &zero(sparse),
            vec![
                Step::Predict(encode_sparse(&[1])),
                learn(&[(1, encode_sparse(&[0]))]),
                Step::Predict(encode_sparse(&[1])),
                learn(&[(2, encode_sparse(&[1])), (0, encode_sparse(&[2]))]),
                Step::Predict(encode_sparse(&[0, 1])),
                Step::Predict(encode_sparse(&[3])),
                Step::Predict(encode_sparse(&[1])),
                learn(&[(0, encode_sparse(&[0, 1, 2, 3])), (0, encode_sparse(&[]))]),
                Step::Predict(encode_sparse(&[0, 1, 2])),
            ],
        ),
        model(
            "totals that no counts have, and full classes",
            sparse,
            &odd,
            vec![
                Step::Predict(encode_sparse(&[0, 1])),
                learn(&[
                    (0, encode_sparse(&[0, 1])),
                    (1, encode_sparse(&[0])),
                    (2, encode_sparse(&[0, 1, 2])),
                    (2, encode_sparse(&[3])),
                ]),
                Step::Predict(encode_sparse(&[0, 1, 2, 3])),
            ],
        ),
    ]
}

pub(crate) fn dense_centroids() -> Vec<Value> {
    let dense = |max_number, max_squared_length| Parameters::DenseNearestCentroid {
        classes: 2,
        features: 2,
        bounds: Bounds {
            max_number,
            max_squared_length,
        },
    };
    let whole = dense(1 << 31, 1 << 63);
    let limits = [
        header(2, 0),
        header(u32::MAX, 0),
        word([
            i64::MAX.cast_unsigned() - 1,
            i64::MIN.cast_unsigned() + 1,
            0,
            0,
        ]),
        word([i64::MAX.cast_unsigned(), i64::MIN.cast_unsigned(), 3, 4]),
    ];
    let zero = |parameters: Parameters| vec![U256::ZERO; parameters.word_count()];
    vec![
        model(
            "ties of numbers, and a sample on both centroids",
            whole,
            &zero(whole),
            vec![
                learn(&[(1, encode_dense32(&[10, 0]))]),
                Step::Predict(encode_dense32(&[-10, 0])),
                learn(&[(0, encode_dense32(&[-10, 0]))]),
                Step::Predict(encode_dense32(&[0, 5])),
                Step::Predict(encode_dense32(&[1, 5])),
                learn(&[(0, encode_dense32(&[30, 0]))]),
                Step::Predict(encode_dense32(&[10, 0])),
                Step::Predict(encode_dense32(&[i32::MIN, i32::MAX])),
            ],
        ),
        model(
            "sums at the limits of 64 bits, and a full class",
            whole,
            &limits,
            vec![
                Step::Predict(encode_dense32(&[i32::MAX, i32::MIN])),
                learn(&[(0, encode_dense32(&[2, -2])), (1, encode_dense32(&[1, 1]))]),
                learn(&[(0, encode_dense32(&[i32::MIN, i32::MIN]))]),
                Step::Predict(encode_dense32(&[i32::MIN, i32::MIN])),
            ],
        ),
        model(
            "bounds hold for lessons alone",
            dense(1_000, 1_000_000),
            &zero(dense(1_000, 1_000_000)),
            vec![
                learn(&[(0, encode_dense32(&[1_000, 0]))]),
                learn(&[
                    (0, encode_dense32(&[0, 0])),
                    (1, encode_dense32(&[0, -1_001])),
                ]),
                learn(&[(1, encode_dense32(&[1_000, 1]))]),
                Step::Predict(encode_dense32(&[2_000, 0])),
                Step::Predict(encode_dense32(&[1])),
            ],
        ),
    ]
}

pub(crate) fn refusals() -> Value {
    let parameters = Parameters::SparsePerceptron {
        features: 9,
        learning_rate: 1,
        intercept: 0,
    };
    let batches = [
        &[][..],
        &[0, 1, 0],
        &[0, 1, 0, 2, 0],
        &[0, 1, 0, 2, 0, 3],
        &[0, 1, 0, 0, 0, 0, 0, 3, 0, 1, 2],
        &[0, 2, 0, 0],
        &[0, 1, 0, 1, 0, 0],
        &[0, 1, 0, 4, 0, 3, 0, 3],
        &[0, 1, 0, 4, 0, 4, 0, 9],
        // The item's own fault comes before the malformed end.
        &[0, 1, 0, 2, 0, 9, 0],
    ];
    let steps = batches.map(|batch| Step::Learn(batch.to_vec())).into();
    model("batches that are refused", parameters, &[U256::ZERO], steps)
}
