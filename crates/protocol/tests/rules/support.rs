//! Helpers that several tests share.

use alloy_primitives::{Address, U256};
use cotrain_protocol::{
    classifier::{Bounds, Classifier, Parameters},
    sample::{Encoding, encode_dense16, encode_dense32, encode_sparse},
};
use proptest::{collection, prelude::*, sample, test_runner::Config};

/// Returns a configuration that prints the input of a failure and writes nothing to disk.
pub(crate) fn cases(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    }
}

pub(crate) fn address(number: u8) -> Address {
    Address::with_last_byte(number)
}

/// Draws small parameters of every learner, so that every part of the model matters to a sample.
pub(crate) fn parameters() -> impl Strategy<Value = Parameters> {
    let intercept = || prop_oneof![-100_i64..100, Just(i64::MIN), Just(i64::MAX), any::<i64>()];
    let rate = || prop_oneof![1_u32..100, 60_000_u32..70_000, Just(u32::MAX), 1_u32..];
    prop_oneof![
        (1_u32..40, 1_u16..=32_767, intercept()).prop_map(
            |(features, learning_rate, intercept)| {
                Parameters::SparsePerceptron {
                    features,
                    learning_rate,
                    intercept,
                }
            }
        ),
        (1_u32..40, rate(), intercept()).prop_map(|(features, learning_rate, intercept)| {
            Parameters::DensePerceptron {
                features,
                learning_rate,
                intercept,
                bounds: Bounds::widest(Encoding::Dense16, features).expect("numbers"),
            }
        }),
        (2_u16..6, 1_u32..40, rate()).prop_map(|(classes, features, smoothing)| {
            Parameters::NaiveBayes {
                classes,
                features,
                smoothing,
            }
        }),
        (2_u16..6, 1_u32..40).prop_map(|(classes, features)| Parameters::SparseNearestCentroid {
            classes,
            features
        }),
        (2_u16..6, 1_u32..40).prop_map(|(classes, features)| Parameters::DenseNearestCentroid {
            classes,
            features,
            bounds: Bounds::widest(Encoding::Dense32, features).expect("numbers")
        }),
    ]
}

/// Draws a word of any bits, often with lanes at their bounds.
pub(crate) fn word() -> impl Strategy<Value = U256> {
    let limb = prop_oneof![
        any::<u64>(),
        Just(0),
        Just(u64::MAX),
        Just(0x7fff_ffff_ffff_ffff),
        Just(0x8000_8000_8000_8000),
        0_u64..20,
        (0_u64..20).prop_map(|low| low << 32 | low),
    ];
    [limb.clone(), limb.clone(), limb.clone(), limb].prop_map(U256::from_limbs)
}

/// Draws a model with any parameters and any words, as an owner may write it.
pub(crate) fn classifier() -> impl Strategy<Value = Classifier> {
    parameters().prop_flat_map(|parameters| {
        let words = prop_oneof![
            collection::vec(Just(U256::ZERO), parameters.word_count()),
            collection::vec(word(), parameters.word_count()),
        ];
        words.prop_map(move |words| Classifier::from_words(parameters, &words).expect("valid"))
    })
}

/// Draws a sample that a model with these parameters accepts.
pub(crate) fn sample_for(parameters: Parameters) -> BoxedStrategy<Vec<u8>> {
    let features = parameters.features() as usize;
    match parameters.encoding() {
        Encoding::Sparse => present(features, 0..=features)
            .prop_map(|all| encode_sparse(&all))
            .boxed(),
        Encoding::Dense16 => collection::vec(any::<i16>(), features)
            .prop_map(|all| encode_dense16(&all))
            .boxed(),
        Encoding::Dense32 => collection::vec(any::<i32>(), features)
            .prop_map(|all| encode_dense32(&all))
            .boxed(),
    }
}

/// Draws strictly increasing features below `features`.
pub(crate) fn present(
    features: usize,
    count: impl Into<sample::SizeRange>,
) -> impl Strategy<Value = Vec<u16>> {
    let all: Vec<u16> = (0..=u16::MAX).take(features).collect();
    sample::subsequence(all, count)
}

/// Returns `bits` bits of a model as a number, from bit `at` of all its words.
pub(crate) fn bits(words: &[U256], at: usize, bits: usize) -> U256 {
    words[at / 256] >> (at % 256) & ((U256::from(1) << bits) - U256::from(1))
}
