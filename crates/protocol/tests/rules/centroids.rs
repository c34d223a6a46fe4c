//! Tests the nearest centroids against exact rational arithmetic.

use alloy_primitives::U256;
use cotrain_protocol::{
    classifier::{Bounds, Classifier, Parameters},
    sample::{Encoding, Item, encode_dense32, encode_sparse},
};
use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::{collection::vec, prelude::*};

use crate::support::{bits, cases, present, word};

/// Numbers of one class.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Class {
    samples: u32,
    /// Sum of squares of a sparse class.
    total: u128,
    sums: Vec<i64>,
}

/// Returns the classes that a model's words hold. `width` is the width of a lane in bits.
fn classes(model: &Classifier, width: usize) -> Vec<Class> {
    let (words, count, features) = (
        model.words(),
        usize::from(model.classes()),
        model.features() as usize,
    );
    let class = |class: usize| Class {
        samples: bits(&words, 256 * class, 32).to(),
        total: bits(&words, 256 * class + 32, 128).to(),
        sums: (0..features)
            .map(|feature| {
                let first = count + class * features.div_ceil(256 / width);
                // A lane of 64 bits is in two's complement.
                bits(&words, 256 * first + width * feature, width)
                    .to::<u64>()
                    .cast_signed()
            })
            .collect(),
    };
    (0..count).map(class).collect()
}

/// Returns the lowest class with the smallest exact distance.
fn nearest(classes: &[Class], distance: impl Fn(&Class) -> BigRational) -> u16 {
    let mut best: Option<(u16, BigRational)> = None;
    for (index, class) in (0..).zip(classes).filter(|(_, class)| class.samples > 0) {
        let new = distance(class);
        if best.as_ref().is_none_or(|(_, best)| new < *best) {
            best = Some((index, new));
        }
    }
    best.map_or(0, |(class, _)| class)
}

/// Returns `|x - s/n|^2`, feature by feature.
fn squared_distance(class: &Class, values: &[i64]) -> BigRational {
    let square = |(value, sum): (&i64, &i64)| {
        let mean = BigRational::new(BigInt::from(*sum), BigInt::from(class.samples));
        let difference = BigRational::from(BigInt::from(*value)) - mean;
        &difference * &difference
    };
    values.iter().zip(&class.sums).map(square).sum()
}

fn sparse_values(features: u16, present: &[u16]) -> Vec<i64> {
    (0..features)
        .map(|feature| i64::from(present.contains(&feature)))
        .collect()
}

fn sparse(classes: u16, features: u32) -> Classifier {
    Classifier::new(Parameters::SparseNearestCentroid { classes, features }).expect("valid")
}

fn dense(classes: u16, features: u32) -> Classifier {
    Classifier::new(Parameters::DenseNearestCentroid {
        classes,
        features,
        bounds: Bounds::widest(Encoding::Dense32, features).expect("numbers"),
    })
    .expect("valid")
}

fn learn(model: &mut Classifier, label: u16, sample: &[u8]) -> usize {
    model.learn(&[Item { label, sample }]).expect("valid")
}

#[test]
fn predict_skips_classes_without_samples() {
    let mut model = sparse(3, 5);
    let sample = encode_sparse(&[1, 2]);
    assert_eq!(model.predict(&sample), Ok(0));
    learn(&mut model, 2, &encode_sparse(&[0, 3, 4]));
    assert_eq!(model.predict(&sample), Ok(2));
    let mut model = dense(3, 1);
    let sample = encode_dense32(&[7]);
    assert_eq!(model.predict(&sample), Ok(0));
    learn(&mut model, 1, &encode_dense32(&[-9]));
    assert_eq!(model.predict(&sample), Ok(1));
}

#[test]
fn predict_gives_equal_distances_to_the_lowest_class() {
    let mut model = dense(3, 2);
    learn(&mut model, 2, &encode_dense32(&[0, 10]));
    learn(&mut model, 1, &encode_dense32(&[10, 0]));
    // The mean of class 1 again, by other sums.
    learn(&mut model, 0, &encode_dense32(&[20, 5]));
    learn(&mut model, 0, &encode_dense32(&[0, -5]));
    assert_eq!(model.predict(&encode_dense32(&[5, 5])), Ok(0));
    assert_eq!(model.predict(&encode_dense32(&[5, 6])), Ok(2));
    let mut model = sparse(2, 4);
    learn(&mut model, 1, &encode_sparse(&[0]));
    learn(&mut model, 0, &encode_sparse(&[1]));
    assert_eq!(model.predict(&encode_sparse(&[2])), Ok(0));
    assert_eq!(model.predict(&encode_sparse(&[0, 2])), Ok(1));
}

/// Checks for differences that 0xDeCA10B missed: it dropped squares of small differences, and so
/// saw false ties.
#[test]
fn predict_follows_the_smallest_difference() {
    let mut model = dense(2, 2);
    learn(&mut model, 0, &encode_dense32(&[i32::MAX, 1]));
    learn(&mut model, 1, &encode_dense32(&[i32::MAX, 0]));
    assert_eq!(model.predict(&encode_dense32(&[i32::MIN, 0])), Ok(1));
    assert_eq!(model.predict(&encode_dense32(&[i32::MIN, 1])), Ok(0));
}

#[test]
fn learn_stops_sums_and_counts_at_their_bounds() {
    let mut model = dense(2, 2);
    let header = U256::from(u32::MAX - 1) | U256::from(77) << 32;
    let bounds = U256::from((i64::MAX - 1).cast_unsigned())
        | U256::from((i64::MIN + 1).cast_unsigned()) << 64;
    model.write(0, &[header]).expect("in range");
    model.write(2, &[bounds]).expect("in range");
    let sample = encode_dense32(&[5, -5]);
    assert_eq!(learn(&mut model, 0, &sample), 1);
    let class = classes(&model, 64).swap_remove(0);
    assert_eq!(
        class,
        Class {
            samples: u32::MAX,
            total: 77,
            sums: vec![i64::MAX, i64::MIN]
        }
    );
    assert_eq!(learn(&mut model, 0, &sample), 0);

    let mut model = sparse(2, 3);
    let header = U256::from(u32::MAX - 1) | U256::from(u128::MAX - 5) << 32;
    let counts = U256::from(u16::MAX) | U256::from(2) << 16;
    model.write(0, &[header]).expect("in range");
    model.write(2, &[counts]).expect("in range");
    let sample = encode_sparse(&[0, 1, 2]);
    assert_eq!(learn(&mut model, 0, &sample), 1);
    let class = classes(&model, 16).swap_remove(0);
    let sums = vec![u16::MAX.into(), 3, 1];
    // 2 * 2 + 1 plus 2 * 0 + 1 exceeds the bound.
    assert_eq!(
        class,
        Class {
            samples: u32::MAX,
            total: u128::MAX,
            sums
        }
    );
    assert_eq!(learn(&mut model, 0, &sample), 0);
}

proptest! {
    #![proptest_config(cases(500))]

    /// Compares a model that has learned with one that is recomputed from all its samples.
    #[test]
    fn sparse_nearest_centroid_predicts_the_nearest_mean(
        lessons in vec((0_u16..4, present(30, 0..=30_usize)), 0..20),
        samples in vec(present(30, 0..=30_usize), 5),
    ) {
        let mut model = sparse(4, 30);
        let mut expected = vec![Class { samples: 0, total: 0, sums: vec![0; 30] }; 4];
        for (label, present) in &lessons {
            prop_assert_eq!(learn(&mut model, *label, &encode_sparse(present)), 1);
            let class = &mut expected[usize::from(*label)];
            class.samples += 1;
            for feature in present {
                class.sums[usize::from(*feature)] += 1;
            }
        }
        for class in &mut expected {
            class.total = class.sums.iter().map(|sum| u128::from(sum.unsigned_abs()).pow(2)).sum();
        }
        prop_assert_eq!(classes(&model, 16), expected.clone());
        for present in samples {
            let values = sparse_values(30, &present);
            let label = nearest(&expected, |class| squared_distance(class, &values));
            prop_assert_eq!(model.predict(&encode_sparse(&present)), Ok(label));
        }
    }

    /// Checks predictions also if the owner wrote a total that is not the sum of squares.
    #[test]
    fn sparse_nearest_centroid_computes_any_words_as_specified(
        words in vec(word(), 4 * 3),
        present in present(20, 0..=20_usize),
    ) {
        let parameters = Parameters::SparseNearestCentroid { classes: 4, features: 20 };
        let model = Classifier::from_words(parameters, &words).expect("valid");
        let label = nearest(&classes(&model, 16), |class| {
            let sum: i64 = present.iter().map(|feature| class.sums[usize::from(*feature)]).sum();
            let samples = BigInt::from(class.samples);
            let numerator = BigInt::from(class.total) - BigInt::from(2) * sum * &samples;
            BigRational::new(numerator, &samples * &samples)
        });
        prop_assert_eq!(model.predict(&encode_sparse(&present)), Ok(label));
    }

    #[test]
    fn dense_nearest_centroid_predicts_the_nearest_mean(
        words in vec(word(), 3 * 3),
        lessons in vec((0_u16..3, vec(prop_oneof![-3..4, any::<i32>()], 7)), 0..6),
        samples in vec(vec(prop_oneof![-3..4, any::<i32>()], 7), 5),
    ) {
        let parameters = Parameters::DenseNearestCentroid { classes: 3, features: 7, bounds: Bounds::widest(Encoding::Dense32, 7).expect("numbers") };
        let mut model = Classifier::from_words(parameters, &words).expect("valid");
        let mut expected = classes(&model, 64);
        for (label, numbers) in lessons {
            let class = &mut expected[usize::from(label)];
            let changes = class.samples < u32::MAX;
            if changes {
                class.samples += 1;
                for (sum, number) in class.sums.iter_mut().zip(&numbers) {
                    *sum = sum.saturating_add(i64::from(*number));
                }
            }
            prop_assert_eq!(learn(&mut model, label, &encode_dense32(&numbers)), usize::from(changes));
        }
        prop_assert_eq!(classes(&model, 64), expected.clone());
        for numbers in samples {
            let values: Vec<i64> = numbers.iter().map(|number| i64::from(*number)).collect();
            let label = nearest(&expected, |class| squared_distance(class, &values));
            prop_assert_eq!(model.predict(&encode_dense32(&numbers)), Ok(label));
        }
    }
}
