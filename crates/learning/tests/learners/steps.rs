//! Models with steps, as the vectors have them.

use std::fmt::Write as _;

use alloy_primitives::{U256, hex};
use cotrain_learning::score;
use cotrain_protocol::classifier::{Bounds, Classifier, Evidence, Fraction, Parameters};
use cotrain_protocol::sample::{Encoding, Item, encode_batch};
use serde_json::{Value, json};

/// Step of a vector: something that is done with a model.
pub(crate) enum Step {
    /// Predicts the class of a sample.
    Predict(Vec<u8>),
    /// Learns from a batch.
    Learn(Vec<u8>),
}

pub(crate) fn parameters_json(parameters: &Parameters) -> Value {
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

pub(crate) fn words_hex(words: &[U256]) -> String {
    words.iter().fold(String::new(), |mut hex, word| {
        let _ = write!(hex, "{word:064x}");
        hex
    })
}

pub(crate) fn fraction(fraction: &Fraction) -> Value {
    json!([
        fraction.numerator.to_string(),
        fraction.denominator.to_string(),
        fraction.exponent,
    ])
}

pub(crate) fn evidence(evidence: &Evidence) -> Value {
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
pub(crate) fn model(
    about: &str,
    parameters: Parameters,
    words: &[U256],
    steps: Vec<Step>,
) -> Value {
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

pub(crate) fn batch(items: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<Item<'_>> = items
        .iter()
        .map(|(label, sample)| Item {
            label: *label,
            sample,
        })
        .collect();
    encode_batch(&items).expect("a batch")
}

pub(crate) fn learn(items: &[(u16, Vec<u8>)]) -> Step {
    Step::Learn(batch(items))
}

pub(crate) fn widest(encoding: Encoding, features: u32) -> Bounds {
    Bounds::widest(encoding, features).expect("numbers")
}

pub(crate) fn word(limbs: [u64; 4]) -> U256 {
    U256::from_limbs(limbs)
}

/// Returns a header with so many samples and this total.
pub(crate) fn header(samples: u32, total: u128) -> U256 {
    U256::from(samples) | U256::from(total) << 32_usize
}
