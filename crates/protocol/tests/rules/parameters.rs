use alloy_primitives::U256;
use cotrain_protocol::{
    ContractError,
    classifier::{Bounds, Classifier, Kind, Parameters},
    sample::{Encoding, encode_sparse},
};
use proptest::prelude::*;

use crate::support::cases;

use Parameters::{
    DenseNearestCentroid, DensePerceptron, NaiveBayes, SparseNearestCentroid, SparsePerceptron,
};

#[test]
fn validate_holds_to_the_bounds_of_the_specification() {
    let sparse = |features, learning_rate| SparsePerceptron {
        features,
        learning_rate,
        intercept: i64::MIN,
    };
    let dense = |features, learning_rate| DensePerceptron {
        features,
        learning_rate,
        intercept: i64::MAX,
        bounds: Bounds::widest(Encoding::Dense16, features).expect("numbers"),
    };
    let bayes = |classes, features, smoothing| NaiveBayes {
        classes,
        features,
        smoothing,
    };
    let near = |classes, features| SparseNearestCentroid { classes, features };
    let dense_near = |classes, features| DenseNearestCentroid {
        classes,
        features,
        bounds: Bounds::widest(Encoding::Dense32, features).expect("numbers"),
    };
    for allowed in [
        sparse(1, 1),
        sparse(65_536, 32_767),
        dense(1, 1),
        dense(4_096, u32::MAX),
        bayes(2, 1, 1),
        bayes(256, 65_536, u32::MAX),
        near(2, 1),
        near(256, 65_536),
        dense_near(2, 1),
        dense_near(4, 4_096),
        dense_near(256, 64),
    ] {
        assert_eq!(allowed.validate(), Ok(()), "{allowed:?}");
    }
    for (parameters, name, value) in [
        (sparse(0, 0), "features", 0),
        (sparse(65_537, 1), "features", 65_537),
        (sparse(1, 0), "learningRate", 0),
        (sparse(1, 32_768), "learningRate", 32_768),
        (dense(0, 1), "features", 0),
        (dense(4_097, 1), "features", 4_097),
        (dense(1, 0), "learningRate", 0),
        (bayes(1, 0, 0), "classes", 1),
        (bayes(257, 1, 1), "classes", 257),
        (bayes(2, 0, 0), "features", 0),
        (bayes(2, 65_537, 1), "features", 65_537),
        (bayes(2, 1, 0), "smoothing", 0),
        (near(0, 1), "classes", 0),
        (near(257, 1), "classes", 257),
        (near(2, 65_537), "features", 65_537),
        (dense_near(1, 1), "classes", 1),
        (dense_near(2, 4_097), "features", 4_097),
        (dense_near(5, 4_096), "features", 4_096),
        (dense_near(256, 65), "features", 65),
    ] {
        let error = ContractError::InvalidParameter { name, value };
        assert_eq!(parameters.validate(), Err(error.clone()), "{parameters:?}");
        assert_eq!(Classifier::new(parameters).err(), Some(error.clone()));
        assert_eq!(Classifier::from_words(parameters, &[]).err(), Some(error));
    }
}

#[test]
fn predict_refuses_a_sample_that_no_claim_could_predict() {
    let features = 65_536;
    let bayes = |classes| NaiveBayes {
        classes,
        features,
        smoothing: 256,
    };
    let near = |classes| SparseNearestCentroid { classes, features };
    for (parameters, max) in [
        (bayes(2), 2_560),
        (bayes(5), 1_024),
        (bayes(256), 20),
        (near(3), 1_706),
    ] {
        let model = Classifier::new(parameters).expect("good parameters");
        let sample = |present: u16| encode_sparse(&(0..present).collect::<Vec<_>>());
        assert_eq!(model.predict(&sample(max)), Ok(0));
        let error = ContractError::TooManyFeatures {
            item: 0,
            present: u32::from(max) + 1,
            max: max.into(),
        };
        assert_eq!(model.predict(&sample(max + 1)), Err(error));
    }
    // A perceptron reads each weight once, whatever the sample.
    let perceptron = Classifier::new(SparsePerceptron {
        features,
        learning_rate: 1,
        intercept: 0,
    });
    let all: Vec<u16> = (0..32_767).collect();
    assert_eq!(
        perceptron
            .expect("good parameters")
            .predict(&encode_sparse(&all)),
        Ok(0)
    );
}

#[test]
fn word_count_is_as_many_as_the_numbers_fill() {
    for (parameters, words) in [
        (
            SparsePerceptron {
                features: 16,
                learning_rate: 1,
                intercept: 0,
            },
            1,
        ),
        (
            SparsePerceptron {
                features: 17,
                learning_rate: 1,
                intercept: 0,
            },
            2,
        ),
        (
            SparsePerceptron {
                features: 65_536,
                learning_rate: 1,
                intercept: 0,
            },
            4_096,
        ),
        (
            DensePerceptron {
                features: 33,
                learning_rate: 1,
                intercept: 0,
                bounds: Bounds::widest(Encoding::Dense16, 33).expect("numbers"),
            },
            3,
        ),
        (
            NaiveBayes {
                classes: 3,
                features: 16,
                smoothing: 1,
            },
            6,
        ),
        (
            NaiveBayes {
                classes: 3,
                features: 17,
                smoothing: 1,
            },
            9,
        ),
        (
            SparseNearestCentroid {
                classes: 2,
                features: 1_000,
            },
            128,
        ),
        (
            DenseNearestCentroid {
                classes: 2,
                features: 4,
                bounds: Bounds::widest(Encoding::Dense32, 4).expect("numbers"),
            },
            4,
        ),
        (
            DenseNearestCentroid {
                classes: 2,
                features: 5,
                bounds: Bounds::widest(Encoding::Dense32, 5).expect("numbers"),
            },
            6,
        ),
    ] {
        assert_eq!(parameters.word_count(), words, "{parameters:?}");
        let classifier = Classifier::new(parameters).expect("valid");
        assert_eq!(classifier.words().len(), words);
        assert!(classifier.words().iter().all(U256::is_zero));
    }
}

#[test]
fn abi_encode_writes_words_in_order_and_extends_negative_ones() {
    let parameters = SparsePerceptron {
        features: 1_000,
        learning_rate: 7,
        intercept: -2,
    };
    let mut expected = [0; 96];
    expected[30..32].copy_from_slice(&1_000_u16.to_be_bytes());
    expected[63] = 7;
    expected[64..].fill(0xff);
    expected[95] = 0xfe;
    assert_eq!(parameters.abi_encode(), expected);

    let parameters = NaiveBayes {
        classes: 256,
        features: 65_536,
        smoothing: u32::MAX,
    };
    let mut expected = [0; 96];
    expected[30] = 1;
    expected[61] = 1;
    expected[92..].fill(0xff);
    assert_eq!(parameters.abi_encode(), expected);

    let parameters = DenseNearestCentroid {
        classes: 2,
        features: 3,
        bounds: Bounds {
            max_number: 1 << 31,
            max_squared_length: 1 << 64,
        },
    };
    let mut expected = [0; 128];
    expected[31] = 2;
    expected[63] = 3;
    expected[92] = 0x80;
    expected[119] = 1;
    assert_eq!(parameters.abi_encode(), expected);

    let parameters = DensePerceptron {
        features: 3,
        learning_rate: 5,
        intercept: 7,
        bounds: Bounds {
            max_number: 9,
            max_squared_length: 11,
        },
    };
    let mut expected = [0; 160];
    for (index, value) in [3, 5, 7, 9, 11].into_iter().enumerate() {
        expected[32 * index + 31] = value;
    }
    assert_eq!(parameters.abi_encode(), expected);
}

#[test]
fn kind_is_named_as_people_and_files_name_it() {
    let names = Kind::ALL.map(|kind| (kind.to_string(), kind.name(), kind.encoding()));
    let expected = [
        ("sparse perceptron", "sparse-perceptron", Encoding::Sparse),
        ("dense perceptron", "dense-perceptron", Encoding::Dense16),
        ("naive Bayes", "naive-bayes", Encoding::Sparse),
        (
            "sparse nearest centroid",
            "sparse-nearest-centroid",
            Encoding::Sparse,
        ),
        (
            "dense nearest centroid",
            "dense-nearest-centroid",
            Encoding::Dense32,
        ),
    ];
    assert_eq!(
        names,
        expected.map(|(words, name, encoding)| (words.to_owned(), name, encoding))
    );
    for kind in Kind::ALL {
        assert_eq!(kind.name().parse(), Ok(kind));
    }
    let error = "perceptron"
        .parse::<Kind>()
        .expect_err("no such learner")
        .to_string();
    assert_eq!(
        error,
        "\"perceptron\" is no classifier; use one of sparse-perceptron, dense-perceptron, \
         naive-bayes, sparse-nearest-centroid, dense-nearest-centroid"
    );
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn parameters_with_any_numbers_can_be_asked_about(
        kind in 0..5,
        classes: u16,
        features: u32,
        small_rate: u16,
        rate: u32,
        intercept: i64,
    ) {
        let parameters = match kind {
            0 => SparsePerceptron { features, learning_rate: small_rate, intercept },
            1 => DensePerceptron { features, learning_rate: rate, intercept, bounds: Bounds::widest(Encoding::Dense16, features).expect("numbers") },
            2 => NaiveBayes { classes, features, smoothing: rate },
            3 => SparseNearestCentroid { classes, features },
            _ => DenseNearestCentroid { classes, features, bounds: Bounds::widest(Encoding::Dense32, features).expect("numbers") },
        };
        let _ = (parameters.validate(), parameters.word_count(), parameters.abi_encode());
        // Most are out of bounds. The others would need much memory.
        if parameters.validate().is_err() {
            prop_assert!(Classifier::new(parameters).is_err());
        }
    }
}
