//! Vectors for other implementations of the learners, samples, batches and deposits.
//!
//! The tests compare the files in `vectors` with what the rules make of their inputs. With the
//! variable `COTRAIN_WRITE_VECTORS` they write them.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use alloy_primitives::{U256, hex};
use cotrain_learning::score;
use cotrain_protocol::ContractError;
use cotrain_protocol::classifier::{Bounds, Classifier, Evidence, Fraction, Parameters};
use cotrain_protocol::sample::{
    Encoding, Item, encode_batch, encode_dense16, encode_dense32, encode_sparse,
};
use cotrain_protocol::trainer::Incentive;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// Number of models of each learner with words and samples by chance.
const RANDOM_MODELS: usize = 6;
/// Number of steps of each of them.
const RANDOM_STEPS: usize = 14;

/// What is done with a model.
enum Step {
    /// Predicts the class of a sample.
    Predict(Vec<u8>),
    /// Learns from a batch.
    Learn(Vec<u8>),
}

fn parameters_json(parameters: &Parameters) -> Value {
    let mut all = json!({
        "learner": parameters.kind().name(),
        "features": parameters.features(),
    });
    match *parameters {
        Parameters::SparsePerceptron {
            learning_rate,
            intercept,
            ..
        } => {
            all["learningRate"] = json!(learning_rate);
            all["intercept"] = json!(intercept.to_string());
        }
        Parameters::DensePerceptron {
            learning_rate,
            intercept,
            ..
        } => {
            all["learningRate"] = json!(learning_rate);
            all["intercept"] = json!(intercept.to_string());
        }
        Parameters::NaiveBayes {
            classes, smoothing, ..
        } => {
            all["classes"] = json!(classes);
            all["smoothing"] = json!(smoothing);
        }
        Parameters::SparseNearestCentroid { classes, .. }
        | Parameters::DenseNearestCentroid { classes, .. } => all["classes"] = json!(classes),
    }
    if let Some(bounds) = parameters.bounds() {
        all["bounds"] = json!({
            "maxNumber": bounds.max_number,
            "maxSquaredLength": bounds.max_squared_length.to_string(),
        });
    }
    all
}

fn words_hex(words: &[U256]) -> String {
    words.iter().fold(String::new(), |mut hex, word| {
        let _ = write!(hex, "{word:064x}");
        hex
    })
}

fn fraction(fraction: &Fraction) -> Value {
    json!([
        fraction.numerator.to_string(),
        fraction.denominator.to_string(),
        fraction.exponent,
    ])
}

fn evidence(evidence: &Evidence) -> Value {
    let each = |classes: &[Option<Fraction>]| -> Vec<Option<Value>> {
        classes.iter().map(|it| it.as_ref().map(fraction)).collect()
    };
    match evidence {
        Evidence::Votes { one, zero } => json!({
            "kind": "votes", "one": one.to_string(), "zero": zero.to_string(),
        }),
        Evidence::Scores(classes) => json!({"kind": "scores", "classes": each(classes)}),
        Evidence::SquaredDistances(classes) => {
            json!({"kind": "squared-distances", "classes": each(classes)})
        }
    }
}

/// Does the steps with a model of these words.
fn model(about: &str, parameters: Parameters, words: &[U256], steps: Vec<Step>) -> Value {
    let mut classifier = Classifier::from_words(parameters, words).expect("a model");
    let steps = steps.into_iter().map(|step| match step {
        Step::Predict(sample) => {
            let mut done = match score::predict(&classifier, &sample) {
                Ok((label, score)) => {
                    let quantities = classifier.evidence(&sample).expect("evidence");
                    json!({
                        "label": label,
                        "score": score,
                        "evidence": evidence(&quantities),
                    })
                }
                Err(error) => json!({"error": format!("{error:?}")}),
            };
            done["predict"] = json!(hex::encode(sample));
            done
        }
        Step::Learn(batch) => {
            let learned = classifier
                .check_batch(&batch)
                .and_then(|items| classifier.clone().learn(&items).map(|_| items));
            let mut done = match learned {
                Ok(items) => {
                    json!({"changed": classifier.learn(&items).expect("checked")})
                }
                Err(error) => json!({"error": format!("{error:?}")}),
            };
            done["learn"] = json!(hex::encode(batch));
            done
        }
    });
    let steps: Vec<Value> = steps.collect();
    json!({
        "about": about,
        "parameters": parameters_json(&parameters),
        "words": words_hex(words),
        "steps": steps,
        "wordsAfter": words_hex(&classifier.words()),
    })
}

fn batch(items: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<Item<'_>> = items
        .iter()
        .map(|(label, sample)| Item {
            label: *label,
            sample,
        })
        .collect();
    encode_batch(&items).expect("a batch")
}

fn learn(items: &[(u16, Vec<u8>)]) -> Step {
    Step::Learn(batch(items))
}

fn widest(encoding: Encoding, features: u32) -> Bounds {
    Bounds::widest(encoding, features).expect("numbers")
}

fn word(limbs: [u64; 4]) -> U256 {
    U256::from_limbs(limbs)
}

/// Returns a header with so many samples and this total.
fn header(samples: u32, total: u128) -> U256 {
    U256::from(samples) | U256::from(total) << 32_usize
}

/// Draws a word of any bits, often with lanes at their bounds.
fn random_word(rng: &mut ChaCha8Rng) -> U256 {
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

fn random_parameters(learner: usize, rng: &mut ChaCha8Rng) -> Parameters {
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
fn random_sample(parameters: &Parameters, rng: &mut ChaCha8Rng) -> Vec<u8> {
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

fn random_models() -> Vec<Value> {
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

fn perceptrons() -> Vec<Value> {
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

fn bayes() -> Vec<Value> {
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
fn near_ties() -> Vec<Value> {
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
fn long_ties() -> Vec<Value> {
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

fn centroids() -> Vec<Value> {
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

fn refusals() -> Value {
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

/// Compares a file with what the inputs give now, or writes it.
fn check(name: &str, now: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("vectors")
        .join(name);
    if env::var_os("COTRAIN_WRITE_VECTORS").is_some() {
        let text = serde_json::to_string(now).expect("JSON");
        // One model a line: a difference shows, and the file stays small.
        fs::write(&path, text.replace(r#"{"about""#, "\n{\"about\"") + "\n").expect("written");
    }
    let committed = fs::read_to_string(&path).expect("the vectors");
    let committed: Value = serde_json::from_str(&committed).expect("JSON");
    assert_eq!(now, &committed, "{name}: now and as committed");
}

#[test]
fn classifier_keeps_its_vectors() {
    let mut models = perceptrons();
    models.extend(bayes());
    models.extend(near_ties());
    models.extend(long_ties());
    models.extend(centroids());
    models.push(refusals());
    models.extend(random_models());
    let errors = models
        .iter()
        .flat_map(|model| model["steps"].as_array().expect("steps"))
        .filter_map(|step| step["error"].as_str());
    let kinds: std::collections::BTreeSet<&str> = errors
        .map(|error| error.split(' ').next().unwrap_or(error))
        .collect();
    let expected = [
        "EmptyBatch",
        "FeatureNotIncreasing",
        "FeatureOutOfRange",
        "LabelOutOfRange",
        "MalformedBatch",
        "NumberTooLarge",
        "OddSampleLength",
        "SquaredLengthTooLarge",
        "TooManyFeatures",
        "WrongSampleLength",
    ];
    assert!(kinds.iter().eq(&expected), "{kinds:?}");
    check("learners.json", &json!({"models": models}));
}

#[test]
fn incentive_keeps_its_vectors() {
    let mut rng = ChaCha8Rng::seed_from_u64(15);
    let mut prices = Vec::new();
    let mut shares = Vec::new();
    let deposits = |cost_weight| Incentive::DepositRefundTake { cost_weight };
    let weights = [0, 1, 1_000_000_000_000_000, (1 << 80) - 1];
    let times = [
        0,
        1,
        3,
        4,
        8,
        9,
        3_599,
        3_600,
        12_959_999,
        12_960_000,
        u64::MAX,
    ];
    for cost_weight in weights {
        for elapsed in times {
            for n in [1, 2, 7, 500] {
                prices.push(json!({
                    "costWeight": cost_weight.to_string(),
                    "n": n.to_string(),
                    "elapsed": elapsed.to_string(),
                    "each": deposits(cost_weight).price(n, elapsed).to_string(),
                }));
            }
        }
    }
    for _ in 0..200 {
        let deposit = rng.random::<u128>() >> rng.random_range(32..128);
        let left =
            deposit - (rng.random::<u128>() % (deposit + 1)) * u128::from(rng.random::<bool>());
        let total: u64 = rng.random::<u64>() >> rng.random_range(0..64);
        let good = rng.random::<u64>() % total.max(1);
        shares.push(json!({
            "deposit": deposit.to_string(),
            "left": left.to_string(),
            "good": good.to_string(),
            "totalGood": total.to_string(),
            "share": deposits(1).share(deposit, left, good, total).to_string(),
        }));
    }
    check(
        "deposits.json",
        &json!({"prices": prices, "shares": shares}),
    );
}

#[test]
fn sample_keeps_its_vectors() {
    let narrow = [0, 1, -1, 258, i16::MIN, i16::MAX];
    let wide = [0, 1, -1, 16_909_060, i32::MIN, i32::MAX];
    let present = [0, 1, 258, u16::MAX];
    let items = [(0, vec![]), (3, vec![1, 2]), (u16::MAX, vec![9; 258])];
    let long = [Item {
        label: 0,
        sample: &vec![0; 65_536],
    }];
    let too_long: ContractError = encode_batch(&long).expect_err("too long");
    check(
        "samples.json",
        &json!({
            "sparse": {"features": present, "sample": hex::encode(encode_sparse(&present))},
            "dense16": {"numbers": narrow, "sample": hex::encode(encode_dense16(&narrow))},
            "dense32": {"numbers": wide, "sample": hex::encode(encode_dense32(&wide))},
            "batch": {
                "items": items.iter().map(|(label, sample)| json!({
                    "label": label, "sample": hex::encode(sample)
                })).collect::<Vec<_>>(),
                "batch": hex::encode(batch(&items)),
            },
            "tooLong": {"length": 65_536, "error": format!("{too_long:?}")},
        }),
    );
}
