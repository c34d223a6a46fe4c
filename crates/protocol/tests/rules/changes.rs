//! Tests the maximum change by one accepted contribution, for each learner: the table of
//! `docs/security.md`.

use alloy_primitives::U256;
use cotrain_protocol::{
    classifier::{Bounds, Classifier, Kind, Parameters},
    sample::{Encoding, Item, encode_dense16, encode_dense32, encode_sparse},
};
use num_bigint::BigInt;
use proptest::{collection::vec, prelude::*};

use crate::support::{bits, cases, present, word};

const FEATURES: u32 = 20;
const CLASSES: u16 = 3;

/// Returns a lane of a model's words as a signed number.
fn lane(model: &Classifier, at: usize, width: usize) -> i64 {
    let value: u64 = bits(&model.words(), at, width).to();
    let shift = 64 - width;
    // Two's complement, extended from the highest bit of the lane.
    (value << shift).cast_signed() >> shift
}

fn weights(model: &Classifier) -> Vec<i64> {
    (0..FEATURES as usize)
        .map(|feature| lane(model, 16 * feature, 16))
        .collect()
}

/// Returns the number of samples of a class, and the lanes of its features.
fn class(model: &Classifier, class: u16, width: usize) -> (u64, Vec<i64>) {
    let (class, count, features) = (usize::from(class), usize::from(CLASSES), FEATURES as usize);
    let first = 256 * (count + class * features.div_ceil(256 / width));
    let lanes = (0..features).map(|feature| {
        let value = lane(model, first + width * feature, width);
        // Counts have no sign.
        if width == 16 { value & 0xffff } else { value }
    });
    (bits(&model.words(), 256 * class, 32).to(), lanes.collect())
}

/// Draws bounds and samples within them. Numbers are clipped to both bounds.
fn bounded(widest: Bounds) -> impl Strategy<Value = (Bounds, Vec<Vec<i64>>)> {
    let largest = widest.max_number;
    let number = prop_oneof![1_u32..50, 1..=largest, Just(largest)];
    let share = prop_oneof![Just(1_u128), 1_u128..1_000, Just(1_000)];
    let values = prop_oneof![
        Just(i64::MIN / 2),
        Just(i64::MAX / 2),
        -60_i64..60,
        any::<i64>()
    ];
    let samples = vec(vec(values, FEATURES as usize), 1..8);
    (number, share, samples).prop_map(move |(max_number, share, samples)| {
        let longest = u128::from(FEATURES) * u128::from(max_number).pow(2);
        let bounds = Bounds {
            max_number,
            max_squared_length: (longest * share / 1_000).max(1),
        };
        let max = i64::from(max_number);
        let room = i64::from(widest.max_number) - 1;
        let within = samples.into_iter().map(|numbers| {
            let mut rest = bounds.max_squared_length;
            let numbers = numbers.into_iter().map(|number| {
                let left = i64::try_from(rest.isqrt()).expect("few bits");
                let number = number.clamp(-max, max).clamp(-left, left).min(room);
                rest -= u128::from(number.unsigned_abs()).pow(2);
                number
            });
            numbers.collect()
        });
        (bounds, within.collect())
    })
}

fn widest(encoding: Encoding) -> Bounds {
    Bounds::widest(encoding, FEATURES).expect("numbers")
}

fn narrow(numbers: &[i64]) -> Vec<u8> {
    let numbers: Vec<i16> = numbers
        .iter()
        .map(|number| i16::try_from(*number).expect("fits"))
        .collect();
    encode_dense16(&numbers)
}

fn wide(numbers: &[i64]) -> Vec<u8> {
    let numbers: Vec<i32> = numbers
        .iter()
        .map(|number| i32::try_from(*number).expect("fits"))
        .collect();
    encode_dense32(&numbers)
}

fn teach(model: &mut Classifier, label: u16, sample: &[u8]) {
    model
        .learn(&[Item { label, sample }])
        .expect("within the bounds");
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// Checks that each present weight moves by at most the rate, and no other weight moves.
    ///
    /// Nothing moves if the prediction was the label.
    #[test]
    fn sparse_perceptron_moves_present_weights_by_the_rate(
        words in vec(word(), 2),
        learning_rate in prop_oneof![1_u16..50, 1_u16..=32_767],
        intercept: i64,
        features in present(FEATURES as usize, 0..=FEATURES as usize),
        label in 0_u16..2,
    ) {
        let parameters = Parameters::SparsePerceptron { features: FEATURES, learning_rate, intercept };
        let mut model = Classifier::from_words(parameters, &words).expect("valid");
        let before = weights(&model);
        let sample = encode_sparse(&features);
        let wrong = model.predict(&sample) != Ok(label);
        teach(&mut model, label, &sample);
        for (feature, (before, after)) in (0..).zip(before.into_iter().zip(weights(&model))) {
            let max = if wrong && features.contains(&feature) { i64::from(learning_rate) } else { 0 };
            prop_assert!((after - before).abs() <= max, "feature {}", feature);
        }
    }

    /// Checks that each weight moves by at most `(rate * max number + 32768) >> 16`.
    ///
    /// All weights together move by at most the length of `rate * sample / 65536`, and a half for
    /// each rounding.
    #[test]
    fn dense_perceptron_moves_weights_within_its_bounds(
        words in vec(word(), 2),
        learning_rate in prop_oneof![1_u32..50, 30_000_u32..200_000, Just(u32::MAX), 1_u32..],
        intercept: i64,
        (bounds, samples) in bounded(widest(Encoding::Dense16)),
        label in 0_u16..2,
    ) {
        let parameters = Parameters::DensePerceptron { features: FEATURES, learning_rate, intercept, bounds };
        let mut model = Classifier::from_words(parameters, &words).expect("valid");
        let rate = u64::from(learning_rate);
        let max = (rate * u64::from(bounds.max_number) + 32_768) >> 16;
        let up = |square: u128| BigInt::from(square.isqrt() + u128::from(square.isqrt().pow(2) < square));
        let length: BigInt = rate * up(bounds.max_squared_length) + 32_768 * up(FEATURES.into());
        for numbers in samples {
            let before = weights(&model);
            teach(&mut model, label, &narrow(&numbers));
            let steps: Vec<u64> = before.iter().zip(weights(&model)).map(|(before, after)| before.abs_diff(after)).collect();
            prop_assert!(steps.iter().all(|step| *step <= max), "{:?} above {}", steps, max);
            let square: BigInt = steps.iter().map(|step| BigInt::from(*step).pow(2)).sum();
            prop_assert!(square << 32 <= length.pow(2));
        }
    }

    /// Checks that the class's number of samples and the count of each present feature grow by at
    /// most one.
    ///
    /// No other class changes.
    #[test]
    fn learn_grows_counts_by_one(
        words in vec(word(), 3 * 3),
        smoothing in 1_u32..,
        features in present(FEATURES as usize, 0..=FEATURES as usize),
        label in 0..CLASSES,
    ) {
        let (classes, all) = (CLASSES, FEATURES);
        for parameters in [
            Parameters::NaiveBayes { classes, features: all, smoothing },
            Parameters::SparseNearestCentroid { classes, features: all },
        ] {
            let mut model = Classifier::from_words(parameters, &words).expect("valid");
            let before: Vec<_> = (0..CLASSES).map(|of| class(&model, of, 16)).collect();
            teach(&mut model, label, &encode_sparse(&features));
            for (of, (samples, counts)) in (0..).zip(before) {
                let (samples_after, counts_after) = class(&model, of, 16);
                let learns = of == label && samples < u64::from(u32::MAX);
                prop_assert_eq!(samples_after, samples + u64::from(learns));
                for (feature, (count, after)) in (0..).zip(counts.into_iter().zip(counts_after)) {
                    let grows = learns && features.contains(&feature) && count < 65_535;
                    prop_assert_eq!(after, count + i64::from(grows));
                }
            }
            // Naive Bayes sums the lessons of present features, the centroid the squares of counts.
            if parameters.kind() == Kind::NaiveBayes {
                let total = |words: &[U256]| bits(words, 256 * usize::from(label) + 32, 128);
                let growth = total(&model.words()).saturating_sub(total(&words));
                prop_assert!(growth <= U256::from(features.len()));
            }
        }
    }

    /// Checks how far one mean moves if lessons alone have taught the model.
    ///
    /// In each feature, a mean of n samples moves by at most `2 * max number / (n + 1)`.
    /// In total it moves by at most twice the largest length over n + 1. No other class moves.
    #[test]
    fn dense_nearest_centroid_moves_one_mean_by_two_bounds_over_its_samples(
        (bounds, samples) in bounded(widest(Encoding::Dense32)),
        labels in vec(0..CLASSES, 8),
    ) {
        let parameters = Parameters::DenseNearestCentroid { classes: CLASSES, features: FEATURES, bounds };
        let mut model = Classifier::new(parameters).expect("valid");
        let max = BigInt::from(bounds.max_number);
        for (numbers, label) in samples.iter().zip(labels) {
            let before: Vec<_> = (0..CLASSES).map(|of| class(&model, of, 64)).collect();
            teach(&mut model, label, &wide(numbers));
            for (of, (n, sums)) in (0..).zip(before) {
                let (n_after, sums_after) = class(&model, of, 64);
                if of != label {
                    prop_assert_eq!((n, sums), (n_after, sums_after));
                    continue;
                }
                prop_assert_eq!(n_after, n + 1);
                // s'/(n + 1) - s/n = (s' n - s (n + 1)) / (n (n + 1)). Without the divisor the
                // comparison is exact.
                // The first sample of a class is its mean.
                let moves: Vec<BigInt> = sums.iter().zip(&sums_after).map(|(sum, after)| {
                    BigInt::from(*after) * n - BigInt::from(*sum) * (n + 1)
                }).collect();
                let max_moved: BigInt = 2 * &max * n;
                for moved in &moves {
                    prop_assert!(moved.magnitude() <= max_moved.magnitude());
                }
                let square: BigInt = moves.iter().map(|moved| moved * moved).sum();
                let longest: BigInt = 4 * BigInt::from(bounds.max_squared_length) * n * n;
                prop_assert!(square <= longest);
                if n == 0 {
                    prop_assert_eq!(&sums_after, numbers);
                }
            }
        }
    }
}
