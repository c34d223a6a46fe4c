//! Tests the perceptrons against plain sums of big integers.

use alloy_primitives::U256;
use cotrain_protocol::{
    classifier::{Bounds, Classifier, Parameters},
    sample::{Encoding, Item, encode_dense16, encode_sparse},
};
use num_bigint::BigInt;
use proptest::{collection::vec, prelude::*};

use crate::support::{bits, cases, present, word};

/// Returns the weights that a model's words hold, in the order of the features.
fn weights(model: &Classifier) -> Vec<i16> {
    let words = model.words();
    // Each weight has 16 bits, in two's complement.
    let weight = |feature: u32| {
        bits(&words, feature as usize * 16, 16)
            .to::<u16>()
            .cast_signed()
    };
    (0..model.features()).map(weight).collect()
}

fn words(weights: &[i16]) -> Vec<U256> {
    let mut words = vec![U256::ZERO; weights.len().div_ceil(16)];
    for (feature, weight) in weights.iter().enumerate() {
        words[feature / 16] |= U256::from(weight.cast_unsigned()) << (feature % 16 * 16);
    }
    words
}

fn sparse(weights: &[i16], learning_rate: u16, intercept: i64) -> Classifier {
    let features = u32::try_from(weights.len()).expect("few");
    let parameters = Parameters::SparsePerceptron {
        features,
        learning_rate,
        intercept,
    };
    Classifier::from_words(parameters, &words(weights)).expect("valid")
}

fn dense(weights: &[i16], learning_rate: u32, intercept: i64) -> Classifier {
    let features = u32::try_from(weights.len()).expect("few");
    let parameters = Parameters::DensePerceptron {
        features,
        learning_rate,
        intercept,
        bounds: Bounds::widest(Encoding::Dense16, features).expect("numbers"),
    };
    Classifier::from_words(parameters, &words(weights)).expect("valid")
}

#[test]
fn predict_takes_a_score_of_exactly_zero_as_class_0() {
    for (intercept, label) in [(-1, 0), (0, 0), (1, 1)] {
        let model = sparse(&[5, -2, -3], 1, intercept);
        assert_eq!(model.predict(&encode_sparse(&[0, 1, 2])), Ok(label));
        assert_eq!(model.predict(&[]), Ok(label));
        let model = dense(&[5, -2], 1, intercept);
        assert_eq!(model.predict(&encode_dense16(&[2, 5])), Ok(label));
    }
}

/// Checks the intercept, which counted a billion times too little in 0xDeCA10B.
#[test]
fn predict_counts_the_intercept_as_much_as_the_products() {
    let model = |intercept| dense(&[100, 100], 1, intercept);
    assert_eq!(model(-200).predict(&encode_dense16(&[1, 1])), Ok(0));
    assert_eq!(model(-199).predict(&encode_dense16(&[1, 1])), Ok(1));
}

#[test]
fn predict_adds_up_sums_beyond_64_bits() {
    let lowest = vec![i16::MIN; 40];
    let all: Vec<u16> = (0..40).collect();
    assert_eq!(
        sparse(&lowest, 1, i64::MIN).predict(&encode_sparse(&all)),
        Ok(0)
    );
    assert_eq!(
        dense(&lowest, 1, i64::MIN).predict(&encode_dense16(&[i16::MAX; 40])),
        Ok(0)
    );
    assert_eq!(
        dense(&lowest, 1, i64::MAX).predict(&encode_dense16(&[i16::MIN; 40])),
        Ok(1)
    );
}

#[test]
fn learn_stops_weights_at_their_bounds() {
    let mut model = sparse(&[32_000, -32_000, 7], 1_000, i64::MIN);
    let sample = encode_sparse(&[0, 1]);
    assert_eq!(
        model.learn(&[Item {
            label: 1,
            sample: &sample
        }]),
        Ok(1)
    );
    assert_eq!(weights(&model), [32_767, -31_000, 7]);
    let only_full = encode_sparse(&[0]);
    assert_eq!(
        model.learn(&[Item {
            label: 1,
            sample: &only_full
        }]),
        Ok(0)
    );

    let mut model = dense(&[32_000, -32_000, 7], u32::MAX, i64::MAX);
    let sample = encode_dense16(&[-30_000, 30_000, 0]);
    assert_eq!(
        model.learn(&[Item {
            label: 0,
            sample: &sample
        }]),
        Ok(1)
    );
    assert_eq!(weights(&model), [32_767, -32_768, 7]);
}

/// Checks that halves are rounded up before the label gives the step its sign.
#[test]
fn learn_rounds_dense_steps_to_the_nearest() {
    let sample = encode_dense16(&[1, -1, 2, -2, 3, -3]);
    let half = 32_768;
    let mut model = dense(&[0; 6], half, 0);
    assert_eq!(
        model.learn(&[Item {
            label: 1,
            sample: &sample
        }]),
        Ok(1)
    );
    assert_eq!(weights(&model), [1, 0, 1, -1, 2, -1]);
    let mut model = dense(&[0; 6], half, 1);
    assert_eq!(
        model.learn(&[Item {
            label: 0,
            sample: &sample
        }]),
        Ok(1)
    );
    assert_eq!(weights(&model), [-1, 0, -1, 1, -2, 1]);
}

/// Computes the specification's prediction and weights in unbounded integers.
///
/// `values` is 0 for an absent feature. `steps` is the amount by which each weight moves.
fn expect(
    model: &Classifier,
    intercept: i64,
    values: &[i64],
    steps: &[BigInt],
    label: u16,
) -> (u16, Vec<i16>) {
    let old = weights(model);
    let score = BigInt::from(intercept)
        + old
            .iter()
            .zip(values)
            .map(|(weight, value)| BigInt::from(*weight) * *value)
            .sum::<BigInt>();
    let predicted = u16::from(score > BigInt::from(0));
    if predicted == label {
        return (predicted, old);
    }
    let moved = old.iter().zip(steps).map(|(weight, step)| {
        let moved = if label == 1 {
            *weight + step
        } else {
            *weight - step
        };
        let moved = moved.clamp(BigInt::from(i16::MIN), BigInt::from(i16::MAX));
        i16::try_from(moved).expect("clamped")
    });
    (predicted, moved.collect())
}

fn intercepts() -> impl Strategy<Value = i64> {
    prop_oneof![-50_000_i64..50_000, Just(i64::MIN), Just(i64::MAX)]
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn sparse_perceptron_is_as_specified(
        words in vec(word(), 3),
        rate in 1_u16..=32_767,
        intercept in intercepts(),
        items in vec((0_u16..2, present(40, 0..=40_usize)), 1..8),
    ) {
        let parameters = Parameters::SparsePerceptron { features: 40, learning_rate: rate, intercept };
        let mut model = Classifier::from_words(parameters, &words).expect("valid");
        for (label, features) in items {
            let values: Vec<i64> = (0..40).map(|feature| i64::from(features.contains(&feature))).collect();
            let steps: Vec<_> = values.iter().map(|value| BigInt::from(*value) * rate).collect();
            let (predicted, after) = expect(&model, intercept, &values, &steps, label);
            let sample = encode_sparse(&features);
            prop_assert_eq!(model.predict(&sample), Ok(predicted));
            model.learn(&[Item { label, sample: &sample }]).expect("valid");
            prop_assert_eq!(weights(&model), after);
        }
        // Lanes after the last feature are kept.
        prop_assert_eq!(model.words()[2] >> 128, words[2] >> 128);
    }

    #[test]
    fn dense_perceptron_is_as_specified(
        words in vec(word(), 2),
        rate in prop_oneof![1_u32..10, 1_u32..200_000, Just(u32::MAX)],
        intercept in intercepts(),
        items in vec((0_u16..2, vec(prop_oneof![-3_i16..4, any::<i16>()], 20)), 1..8),
    ) {
        let parameters = Parameters::DensePerceptron { features: 20, learning_rate: rate, intercept, bounds: Bounds::widest(Encoding::Dense16, 20).expect("numbers") };
        let mut model = Classifier::from_words(parameters, &words).expect("valid");
        for (label, numbers) in items {
            let values: Vec<i64> = numbers.iter().map(|number| i64::from(*number)).collect();
            // The nearest integer to `rate * x / 65536`, halves rounded up: shifts of big integers
            // round down.
            let step = |value: &i64| (BigInt::from(rate) * *value + 32_768) >> 16;
            let steps: Vec<_> = values.iter().map(step).collect();
            let (predicted, after) = expect(&model, intercept, &values, &steps, label);
            let sample = encode_dense16(&numbers);
            prop_assert_eq!(model.predict(&sample), Ok(predicted));
            model.learn(&[Item { label, sample: &sample }]).expect("valid");
            prop_assert_eq!(weights(&model), after);
        }
        prop_assert_eq!(model.words()[1] >> 64, words[1] >> 64);
    }
}
