//! Tests naive Bayes against exact rational arithmetic, and against a second implementation of the
//! specification's floating point.

use std::cmp::Ordering;

use alloy_primitives::U256;
use cotrain_protocol::{
    classifier::{Classifier, Parameters},
    sample::{Item, encode_sparse},
};
use num_bigint::{BigInt, BigUint};
use num_rational::BigRational;
use proptest::{collection::vec, prelude::*};

use crate::support::{bits, cases, present, word};

// ---------------------------------------------------------------- Reference

/// Numbers of one class.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Class {
    samples: u32,
    /// All 128 bits of the total. Only 48 of them count.
    total: u128,
    counts: Vec<u16>,
}

impl Class {
    /// Creates a class whose total is the sum of its counts, as learning makes it.
    fn new(samples: u32, counts: Vec<u16>) -> Self {
        Self {
            samples,
            total: counts.iter().map(|count| u128::from(*count)).sum(),
            counts,
        }
    }
}

fn model(classes: &[Class], smoothing: u32) -> Classifier {
    let features = classes[0].counts.len();
    let header = |class: &Class| U256::from(class.samples) | U256::from(class.total) << 32;
    let mut words: Vec<_> = classes.iter().map(header).collect();
    for class in classes {
        for counts in class.counts.chunks(16) {
            let lanes = counts.iter().enumerate();
            words.push(
                lanes
                    .map(|(lane, count)| U256::from(*count) << (16 * lane))
                    .sum(),
            );
        }
    }
    let parameters = Parameters::NaiveBayes {
        classes: u16::try_from(classes.len()).expect("few"),
        features: u32::try_from(features).expect("few"),
        smoothing,
    };
    Classifier::from_words(parameters, &words).expect("valid")
}

/// Returns the classes that a model's words hold.
fn classes(model: &Classifier) -> Vec<Class> {
    let (words, count, features) = (
        model.words(),
        usize::from(model.classes()),
        model.features() as usize,
    );
    let class = |class: usize| Class {
        samples: bits(&words, 256 * class, 32).to(),
        total: bits(&words, 256 * class + 32, 128).to(),
        counts: (0..features)
            .map(|feature| {
                let first = count + class * features.div_ceil(16);
                bits(&words, 256 * first + 16 * feature, 16).to()
            })
            .collect(),
    };
    (0..count).map(class).collect()
}

/// Returns the numerator's factors of a class's score, and the factor of its denominator.
fn factors(class: &Class, smoothing: u32, present: &[u16]) -> (Vec<u64>, u64) {
    let above = present
        .iter()
        .map(|feature| 256 * u64::from(class.counts[usize::from(*feature)]) + u64::from(smoothing));
    let total: u64 = (class.total % (1 << 48)).try_into().expect("48 bits");
    (
        above.collect(),
        256 * total + u64::from(smoothing) * class.counts.len() as u64,
    )
}

/// Returns the lowest class with the highest exact score.
fn exact(classes: &[Class], smoothing: u32, present: &[u16]) -> u16 {
    let mut best: Option<(u16, BigRational)> = None;
    for (index, class) in (0..).zip(classes).filter(|(_, class)| class.samples > 0) {
        let (above, below) = factors(class, smoothing, present);
        let above = above
            .into_iter()
            .fold(BigInt::from(class.samples), |product, factor| {
                product * factor
            });
        let below = BigInt::from(below).pow(u32::try_from(present.len()).expect("few"));
        // A comparison needs no lowest terms, which are slow to compute.
        let score = BigRational::new_raw(above, below);
        let higher = best
            .as_ref()
            .is_none_or(|(_, best)| score.numer() * best.denom() > best.numer() * score.denom());
        if higher {
            best = Some((index, score));
        }
    }
    best.map_or(0, |(class, _)| class)
}

/// Floating point of the specification, over big integers.
mod floating {
    use super::{BigUint, Class, Ordering, factors};

    type Float = (BigUint, i64);

    pub(super) fn predict(classes: &[Class], smoothing: u32, present: &[u16]) -> u16 {
        let mut best: Option<(u16, Float, Float)> = None;
        for (index, class) in (0..).zip(classes).filter(|(_, class)| class.samples > 0) {
            let (above, below) = factors(class, smoothing, present);
            let below = vec![below; present.len()];
            let numerator = to_128_bits(product(class.samples, &above));
            let denominator = to_128_bits(product(1, &below));
            let replaces = best
                .as_ref()
                .is_none_or(|(_, best_numerator, best_denominator)| {
                    exceeds(
                        times(&numerator, best_denominator),
                        times(best_numerator, &denominator),
                    )
                });
            if replaces {
                best = Some((index, numerator, denominator));
            }
        }
        best.map_or(0, |(class, ..)| class)
    }

    fn product(first: u32, factors: &[u64]) -> Float {
        let mut float = (BigUint::from(first), 0);
        for factor in factors {
            float.0 *= *factor;
            if float.0.bits() > 192 {
                float.0 >>= 64;
                float.1 += 64;
            }
        }
        float
    }

    fn to_128_bits((mantissa, exponent): Float) -> Float {
        let bits = mantissa.bits();
        let shift = i64::try_from(bits).expect("few") - 128;
        let mantissa = if bits < 128 {
            mantissa << (128 - bits)
        } else {
            mantissa >> (bits - 128)
        };
        (mantissa, exponent + shift)
    }

    fn times(a: &Float, b: &Float) -> Float {
        (&a.0 * &b.0, a.1 + b.1)
    }

    fn exceeds((mut new, new_exponent): Float, (mut best, best_exponent): Float) -> bool {
        let difference = new_exponent.abs_diff(best_exponent);
        match new_exponent.cmp(&best_exponent) {
            Ordering::Less => new >>= difference,
            _ => best >>= difference,
        }
        let max = (BigUint::from(1_u8) << 256) - 1_u8;
        let tolerance = &best >> 110_u32;
        new > (best + tolerance).min(max)
    }
}

fn check(classes: &[Class], smoothing: u32, present: &[u16]) -> u16 {
    let predicted = model(classes, smoothing)
        .predict(&encode_sparse(present))
        .expect("valid");
    assert_eq!(predicted, exact(classes, smoothing, present));
    assert_eq!(predicted, floating::predict(classes, smoothing, present));
    predicted
}

// ---------------------------------------------------------------- Predictions

/// Checks long samples. 0xDeCA10B multiplied probabilities in integers, so with 8 or more present
/// features all were 0.
#[test]
fn predict_distinguishes_long_samples() {
    for present in [1_u16, 7, 8, 20, 100, 999, 1_000] {
        let all: Vec<u16> = (0..present).collect();
        let mut counts = vec![50; 1_000];
        let (low, high) = (Class::new(100, counts.clone()), {
            // One more of a feature that is present, and one fewer of another if there is one.
            counts[0] += 1;
            counts[999] -= 1;
            Class::new(100, counts)
        });
        // If both are present, 51 * 51 exceeds 52 * 50.
        let high_wins = present < 1_000;
        assert_eq!(
            check(&[low.clone(), high.clone()], 256, &all),
            u16::from(high_wins)
        );
        assert_eq!(check(&[high, low], 256, &all), u16::from(!high_wins));
    }
}

/// Checks ties with 1,000 features. Their products are equal, but have different factors and are
/// truncated differently.
#[test]
fn predict_gives_true_ties_of_different_factors_to_the_lowest_class() {
    // With a smoothing of 1, factors are 256 times count + 1.
    let pairs = |a: u16, b: u16| -> Vec<u16> { (0..500).flat_map(|_| [a - 1, b - 1]).collect() };
    // The last features are absent and make the totals equal.
    let class = |samples, a, b| {
        let mut counts = pairs(a, b);
        counts.extend([211 - a - b; 500]);
        Class::new(samples, counts)
    };
    let all: Vec<u16> = (0..1_000).collect();
    let products = [
        class(3, 6, 35),
        class(3, 14, 15),
        class(3, 10, 21),
        class(3, 1, 210),
        class(3, 2, 105),
    ];
    for first in 0..5 {
        let mut classes = products.to_vec();
        classes.rotate_left(first);
        assert_eq!(check(&classes, 256, &all), 0);
        assert_eq!(check(&classes, 256, &all[..500]), 0);
        // One more sample decides, whichever class has it.
        classes[first].samples += 1;
        assert_eq!(
            check(&classes, 256, &all),
            u16::try_from(first).expect("few")
        );
    }
}

/// Checks differences around the tolerance.
///
/// `x (x+4) (x+7) (x+11)` and `(x+1) (x+2) (x+9) (x+10)` differ by 180, and their factors have the
/// same sum.
/// `x (x+4) (x+9) (x+17) (x+22) (x+26)` and `(x+1) (x+2) (x+12) (x+14) (x+24) (x+25)` differ by
/// 201,600 and have the same sum too.
#[test]
fn predict_follows_differences_only_above_the_tolerance() {
    // With a smoothing of x, factors are 256 times x + count.
    let class = |counts: &[u16]| Class::new(1, counts.to_vec());
    let (low, high) = (class(&[0, 4, 7, 11]), class(&[1, 2, 9, 10]));
    for x in [1 << 16, 1 << 20, (1 << 24) - 1] {
        let present = [0, 1, 2, 3];
        assert_eq!(check(&[low.clone(), high.clone()], 256 * x, &present), 1);
        assert_eq!(check(&[high.clone(), low.clone()], 256 * x, &present), 0);
    }
    // 201,600 / 2^144 is below 2^-110, so it counts as a tie.
    let close = [
        class(&[0, 4, 9, 17, 22, 26]),
        class(&[1, 2, 12, 14, 24, 25]),
    ];
    let smoothing = 256 * ((1 << 24) - 1);
    let present = [0, 1, 2, 3, 4, 5];
    assert_eq!(exact(&close, smoothing, &present), 1);
    assert_eq!(floating::predict(&close, smoothing, &present), 0);
    let sample = encode_sparse(&present);
    assert_eq!(model(&close, smoothing).predict(&sample), Ok(0));
}

/// Checks products on both sides of 2^128, above which the mantissa needs a third limb.
#[test]
fn predict_compares_products_across_limbs() {
    let all: Vec<u16> = (0..8).collect();
    // 256 * 256 eight times. The last feature is absent and makes the totals equal.
    let class = |first: u16| {
        let mut counts = vec![255; 8];
        counts[0] = first;
        counts.push(1_000 - first);
        Class::new(1, counts)
    };
    for (smaller, larger) in [(254, 255), (255, 256), (128, 255)] {
        assert_eq!(check(&[class(smaller), class(larger)], 256, &all), 1);
        assert_eq!(check(&[class(larger), class(smaller)], 256, &all), 0);
    }
}

/// Checks that twice the samples tie with a factor of twice the size.
#[test]
fn predict_finds_ties_between_samples_and_counts() {
    let mut counts = vec![99; 1_000];
    let many = Class::new(2, counts.clone());
    // Twice 99 + 1, taken from features that are absent.
    counts[7] = 199;
    counts[998] = 98;
    counts[999] = 0;
    let few = Class::new(1, counts);
    assert_eq!(many.total, few.total);
    let all: Vec<u16> = (0..8).collect();
    assert_eq!(check(&[many.clone(), few.clone()], 256, &all), 0);
    assert_eq!(check(&[few.clone(), many.clone()], 256, &all), 0);
    // Without that factor, twice the samples win.
    assert_eq!(check(&[few, many], 256, &all[..7]), 1);
}

#[test]
fn predict_gives_classes_without_samples_no_score() {
    let counts = |count| vec![count; 3];
    let (none, some) = (Class::new(0, counts(1_000)), Class::new(1, counts(0)));
    assert_eq!(
        check(&[none.clone(), some.clone(), none.clone()], 1, &[0, 1, 2]),
        1
    );
    assert_eq!(check(&[none.clone(), none], 1, &[0, 1, 2]), 0);
    // Without present features, the class with the most samples wins.
    let more = Class::new(2, counts(0));
    assert_eq!(check(&[some.clone(), more.clone(), more], 1, &[]), 1);
}

#[test]
fn predict_reads_only_the_low_48_bits_of_a_total() {
    let class = Class::new(1, vec![1, 0]);
    let mut words = model(&[class.clone(), Class::new(1, vec![0, 1])], 256).words();
    words[0] |= U256::MAX << 80;
    let parameters = Parameters::NaiveBayes {
        classes: 2,
        features: 2,
        smoothing: 256,
    };
    let model = Classifier::from_words(parameters, &words).expect("valid");
    assert_eq!(model.predict(&encode_sparse(&[0])), Ok(0));
    assert_eq!(model.predict(&encode_sparse(&[1])), Ok(1));
}

/// Draws up to 5 classes of up to 1,000 features. Their counts differ a little, like those of real
/// classes.
fn similar_classes() -> impl Strategy<Value = (Vec<Class>, u32, Vec<u16>)> {
    (
        1_usize..=1_000,
        2_usize..=5,
        prop_oneof![Just(3_u16), Just(1_000), Just(u16::MAX)],
    )
        .prop_flat_map(|(features, classes, max)| {
            let class = (
                prop_oneof![0_u32..4, 1_000_u32..1_003],
                vec(0..=max, features),
            )
                .prop_map(|(samples, counts)| Class::new(samples, counts));
            let smoothing = prop_oneof![Just(1_u32), Just(256), Just(u32::MAX), 1_u32..100_000];
            (
                vec(class, classes),
                smoothing,
                present(features, 0..=features),
            )
        })
}

/// Draws classes with the same counts of the present features in another order, and so with the
/// same scores.
fn tied_classes() -> impl Strategy<Value = (Vec<Class>, u32, Vec<u16>)> {
    (1_usize..=1_000, 2_usize..=5, 1_u32..1_000).prop_flat_map(|(features, classes, smoothing)| {
        let counts = vec(any::<u16>(), features);
        let orders = counts.prop_flat_map(move |counts| vec(Just(counts).prop_shuffle(), classes));
        let all: Vec<u16> = (0..=u16::MAX).take(features).collect();
        orders.prop_map(move |orders| {
            let classes = orders
                .into_iter()
                .map(|counts| Class::new(9, counts))
                .collect();
            (classes, smoothing, all.clone())
        })
    })
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn predict_follows_the_exact_score((classes, smoothing, present) in similar_classes()) {
        check(&classes, smoothing, &present);
    }

    #[test]
    fn predict_gives_exact_ties_to_the_lowest_class((classes, smoothing, present) in tied_classes()) {
        prop_assert_eq!(check(&classes, smoothing, &present), 0);
    }

    #[test]
    fn predict_computes_any_words_as_specified(
        words in vec(word(), 5 * 4),
        smoothing in prop_oneof![Just(1_u32), Just(u32::MAX), 1_u32..],
        present in present(40, 0..=40_usize),
    ) {
        let parameters = Parameters::NaiveBayes { classes: 5, features: 40, smoothing };
        let model = Classifier::from_words(parameters, &words).expect("valid");
        let expected = floating::predict(&classes(&model), smoothing, &present);
        prop_assert_eq!(model.predict(&encode_sparse(&present)), Ok(expected));
    }
}

// ---------------------------------------------------------------- Lessons

#[test]
fn learn_stops_counts_and_samples_at_their_bounds() {
    let (max, full) = (u16::MAX, u32::MAX);
    let mut model = model(
        &[
            Class::new(5, vec![max, max - 1, 7, 0]),
            Class::new(full, vec![3; 4]),
            Class::new(full - 1, vec![3; 4]),
        ],
        256,
    );
    let sample = encode_sparse(&[0, 1, 2]);
    let learn = |model: &mut Classifier, label| {
        model.learn(&[Item {
            label,
            sample: &sample,
        }])
    };
    assert_eq!(learn(&mut model, 0), Ok(1));
    let class = &classes(&model)[0];
    assert_eq!(
        (class.samples, &class.counts[..]),
        (6, &[max, max, 8, 0][..])
    );
    assert_eq!(class.total, 2 * u128::from(max) - 1 + 7 + 2);
    assert_eq!(learn(&mut model, 1), Ok(0));
    assert_eq!(learn(&mut model, 2), Ok(1));
    assert_eq!(learn(&mut model, 2), Ok(0));
    assert_eq!(
        classes(&model)[1..]
            .iter()
            .map(|class| class.samples)
            .collect::<Vec<_>>(),
        [full, full]
    );
    assert_eq!(classes(&model)[2].counts, [4, 4, 4, 3]);
    // An empty sample counts as a sample.
    assert_eq!(
        model.learn(&[Item {
            label: 0,
            sample: &[]
        }]),
        Ok(1)
    );
    assert_eq!(classes(&model)[0].samples, 7);
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn learn_counts_samples_and_features(
        words in vec(word(), 3 * 4),
        items in vec((0_u16..3, present(40, 0..=40_usize)), 1..8),
    ) {
        let parameters = Parameters::NaiveBayes { classes: 3, features: 40, smoothing: 1 };
        let mut model = Classifier::from_words(parameters, &words).expect("valid");
        for (label, present) in items {
            let mut expected = classes(&model);
            let class = &mut expected[usize::from(label)];
            if class.samples < u32::MAX {
                class.samples += 1;
                for feature in &present {
                    let count = &mut class.counts[usize::from(*feature)];
                    let risen = count.saturating_add(1);
                    class.total = class.total.saturating_add(u128::from(risen - *count));
                    *count = risen;
                }
            }
            model.learn(&[Item { label, sample: &encode_sparse(&present) }]).expect("valid");
            prop_assert_eq!(classes(&model), expected);
        }
        // Unused bits are kept.
        for (word, before) in model.words().iter().zip(&words).take(3) {
            prop_assert_eq!(*word >> 160, *before >> 160);
        }
    }
}
