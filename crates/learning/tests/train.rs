//! Training and quantizing.

use std::fmt::Write as _;
use std::fs;

use alloy_primitives::U256;
use cotrain_learning::accuracy;
use cotrain_learning::data::{Columns, Dataset, Reading, Source, TableFormat, load};
use cotrain_learning::encode::{Encoded, encode};
use cotrain_learning::train::{Options, Trained, train};
use cotrain_protocol::classifier::Kind;

fn reviews(kind: Kind, features: usize) -> (Encoded, Trained) {
    let dataset = load(&Source::MovieReviews, 0.2, 0).unwrap();
    let encoded = encode(&dataset, kind, Some(features)).unwrap();
    let trained = train(kind, &encoded.train, &Options::default(), &encoded.test).unwrap();
    (encoded, trained)
}

/// Checks the accuracy that scikit-learn's learners reach on such a split. The noise is two
/// standard errors of 2,075 samples, plus the effect of a perceptron's last steps.
#[test]
fn train_reaches_what_is_known_of_the_reviews() {
    for (kind, features, known, noise) in [
        (Kind::SparsePerceptron, 1_000, 0.679, 0.03),
        (Kind::SparsePerceptron, 2_000, 0.728, 0.03),
        (Kind::SparsePerceptron, 4_000, 0.738, 0.03),
        (Kind::NaiveBayes, 1_000, 0.738, 0.02),
        (Kind::NaiveBayes, 2_000, 0.754, 0.02),
        (Kind::NaiveBayes, 4_000, 0.783, 0.02),
        (Kind::SparseNearestCentroid, 1_000, 0.619, 0.02),
        (Kind::SparseNearestCentroid, 2_000, 0.622, 0.02),
        (Kind::SparseNearestCentroid, 4_000, 0.623, 0.02),
    ] {
        let (encoded, trained) = reviews(kind, features);
        let reached = accuracy(&trained.classifier, &encoded.test);
        assert!(
            (reached - known).abs() <= noise,
            "{kind:?} with {features} features reaches {reached:.3}, {known} is known"
        );
        let report = trained.quantization;
        assert!((report.accuracy_quantized - reached).abs() < f64::EPSILON);
        assert!(
            (report.accuracy_float - reached).abs() < 0.003,
            "rounding costs {kind:?} {:.4} to {reached:.4}",
            report.accuracy_float
        );
    }
}

/// The number was counted independently, by the same rule for words, over several splits.
#[test]
fn encode_finds_13_of_2000_words_in_a_review_on_average() {
    let (encoded, _) = reviews(Kind::NaiveBayes, 2_000);
    let bytes: usize = encoded.train.iter().map(|(sample, _)| sample.len()).sum();
    let present = bytes / 2;
    let samples = encoded.train.len();
    assert!(
        (130..=132).contains(&(10 * present / samples)),
        "{present} in {samples}"
    );
}

#[test]
fn train_is_decided_by_the_seed_to_the_bit() {
    let dataset = load(&Source::MovieReviews, 0.2, 0).unwrap();
    let encoded = encode(&dataset, Kind::SparsePerceptron, Some(500)).unwrap();
    let samples = encoded.train.take(0..1_000);
    let words = |seed| {
        let options = Options {
            seed,
            ..Options::default()
        };
        let trained = train(Kind::SparsePerceptron, &samples, &options, &encoded.test).unwrap();
        trained.classifier.words()
    };
    assert_eq!(words(1), words(1));
    assert_ne!(words(1), words(2));
    // The sum is the same on every machine.
    let sum = words(1).into_iter().fold(U256::ZERO, U256::wrapping_add);
    let known = "189ff53e21d13e9208961315a96d16ec42c31be7ea4223c917372a86ba291efe";
    assert_eq!(format!("{sum:x}"), known);
}

/// Returns two blobs along each of `classes` axes, in a fixed order.
fn table(classes: usize) -> Dataset {
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1 << 24) - 0.5
    };
    let mut lines = "class,a,b,c\n".to_owned();
    for row in 0..600 {
        let class = row % classes;
        let center = |axis| if axis == class { 1.0 } else { 0.0 };
        let [a, b, c] = [0, 1, 2].map(|axis| 1_000.0 * (center(axis) + noise()));
        writeln!(lines, "{class},{a},{b},{c}").unwrap();
    }
    csv(&lines)
}

fn csv(lines: &str) -> Dataset {
    let folder = tempfile::tempdir().unwrap();
    let train = folder.path().join("train");
    fs::write(&train, lines).unwrap();
    let source = Source::Table {
        format: TableFormat::Csv,
        train,
        test: None,
        label: "class".to_owned(),
        text: None,
        reading: Reading::default(),
        columns: Columns::default(),
    };
    load(&source, 0.25, 3).unwrap()
}

#[test]
fn train_teaches_dense_learners_a_table() {
    for (kind, classes) in [
        (Kind::DensePerceptron, 2),
        (Kind::DenseNearestCentroid, 2),
        (Kind::DenseNearestCentroid, 3),
    ] {
        let encoded = encode(&table(classes), kind, None).unwrap();
        let trained = train(kind, &encoded.train, &Options::default(), &encoded.test).unwrap();
        let reached = accuracy(&trained.classifier, &encoded.test);
        assert!(
            reached > 0.9,
            "{kind:?} of {classes} classes reaches {reached}"
        );
        assert!((trained.quantization.accuracy_float - reached).abs() < 0.01);
    }
}

#[test]
fn train_refuses_what_cannot_be_trained() {
    let dataset = load(&Source::MovieReviews, 0.2, 0).unwrap();
    let encoded = encode(&dataset, Kind::NaiveBayes, Some(100)).unwrap();
    let (none, some) = (encoded.train.take(0..0), encoded.train);
    let told = |kind, samples, options, test| {
        train(kind, samples, &options, test)
            .unwrap_err()
            .to_string()
    };
    let options = Options::default();
    assert_eq!(
        told(Kind::NaiveBayes, &none, options, &encoded.test),
        "there are no samples to learn from, expected at least one of each of two classes"
    );
    let one = some.take(0..1);
    let (_, class) = one.get(0);
    assert_eq!(
        told(Kind::NaiveBayes, &one, options, &encoded.test),
        format!(
            "all samples to learn from (1) have the class {class}, expected at least two classes; shuffle \
             the data or learn from more of it"
        )
    );
    assert_eq!(
        told(Kind::DensePerceptron, &some, options, &encoded.test),
        "the samples are sparse, but a dense perceptron takes dense in 16 bits; encode them for it"
    );
    for smoothing in [0.0, -1.0, 1e9, f64::NAN] {
        let options = Options {
            smoothing,
            ..options
        };
        assert_eq!(
            told(Kind::NaiveBayes, &some, options, &encoded.test),
            format!("the smoothing is {smoothing}, expected a number from 1/256 to 16777215")
        );
    }
    let other = encode(&dataset, Kind::NaiveBayes, Some(101)).unwrap();
    assert_eq!(
        told(Kind::NaiveBayes, &some, options, &other.test),
        "the test samples are encoded otherwise than the training samples; encode both together"
    );
    let three = csv("class,a\n0,1\n1,0\n2,1\n");
    let three = encode(&three, Kind::SparseNearestCentroid, None).unwrap();
    assert_eq!(
        told(Kind::SparsePerceptron, &three.train, options, &three.test),
        "the samples have 3 classes, but a sparse perceptron is binary; use the learner \
         naive-bayes"
    );
}

#[test]
fn train_refuses_samples_that_are_all_equal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train.csv");
    fs::write(&path, "class,x\na,1\nb,1\na,1\n").unwrap();
    let source = Source::Table {
        format: TableFormat::Csv,
        train: path.clone(),
        test: Some(path),
        label: "class".to_owned(),
        text: None,
        reading: Reading::default(),
        columns: Columns::default(),
    };
    let dataset = load(&source, 0.5, 0).unwrap();
    for kind in [Kind::NaiveBayes, Kind::DenseNearestCentroid] {
        let encoded = encode(&dataset, kind, None).unwrap();
        let refused = train(kind, &encoded.train, &Options::default(), &encoded.test);
        let told = refused.unwrap_err().to_string();
        assert!(
            told.starts_with("all samples to learn from (3) are equal"),
            "{told}"
        );
    }
}
