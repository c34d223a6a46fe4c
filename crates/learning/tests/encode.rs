//! Tests of encoding examples as samples.

use std::fs;

use cotrain_learning::data::{Columns, Dataset, Example, Reading, Source, TableFormat, load};
use cotrain_learning::encode::{
    EncodeError, Encoded, Extracted, Extractor, Options, ReserveFault, Samples, Sort, TextOptions,
    Tokenizer, encode, encode_by, encode_with, hash,
};
use cotrain_protocol::classifier::Kind;
use proptest::prelude::*;

/// Returns a data set with the same lines for training and test.
fn csv(lines: &str, text: Option<&str>) -> Dataset {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train");
    fs::write(&path, lines).unwrap();
    let source = Source::Table {
        format: TableFormat::Csv,
        train: path.clone(),
        test: Some(path),
        label: "class".to_owned(),
        text: text.map(ToOwned::to_owned),
        reading: Reading::default(),
        columns: Columns::default(),
    };
    load(&source, 0.5, 0).unwrap()
}

fn libsvm(lines: &str) -> Dataset {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train");
    fs::write(&path, lines).unwrap();
    let source = Source::Libsvm {
        train: path.clone(),
        test: Some(path),
    };
    load(&source, 0.5, 0).unwrap()
}

fn numbers16(sample: &[u8]) -> Vec<i16> {
    let (numbers, rest) = sample.as_chunks();
    assert!(rest.is_empty());
    numbers.iter().copied().map(i16::from_be_bytes).collect()
}

fn numbers32(sample: &[u8]) -> Vec<i32> {
    let (numbers, rest) = sample.as_chunks();
    assert!(rest.is_empty());
    numbers.iter().copied().map(i32::from_be_bytes).collect()
}

fn all<T>(samples: &Samples, numbers: fn(&[u8]) -> Vec<T>) -> Vec<Vec<T>> {
    samples.iter().map(|(sample, _)| numbers(sample)).collect()
}

fn names(encoded: &Encoded) -> Vec<String> {
    (0..)
        .map_while(|feature| encoded.encoder.name(feature))
        .collect()
}

/// Returns the error of encoding a data set, with file names in place of paths.
fn told(dataset: &Dataset, kind: Kind, features: Option<usize>) -> String {
    let told = encode(dataset, kind, features).unwrap_err().to_string();
    let (before, rest) = told.split_once("`/").unwrap();
    let (path, after) = rest.split_once('`').unwrap();
    let (_, name) = path.rsplit_once('/').unwrap();
    format!("{before}`{name}`{after}")
}

const DENSE: [Kind; 2] = [Kind::DensePerceptron, Kind::DenseNearestCentroid];

const SPARSE: [Kind; 3] = [
    Kind::SparsePerceptron,
    Kind::NaiveBayes,
    Kind::SparseNearestCentroid,
];

const TEXTS: &str = "class,text\n0,The film is bad\n1,\"the FILM, the good film\"\n1,Is it good?\n";

// ---------------------------------------------------------------- Features and samples

#[test]
fn encode_numbers_words_by_falling_frequency() {
    let dataset = csv(TEXTS, Some("text"));
    let encoded = encode(&dataset, Kind::SparsePerceptron, None).unwrap();
    assert_eq!(names(&encoded), ["film", "good", "is", "the", "bad", "it"]);
    let samples = all(&encoded.train, numbers16);
    assert_eq!(samples, [vec![0, 2, 3, 4], vec![0, 1, 3], vec![1, 2, 5]]);
    let labels: Vec<u16> = encoded.train.iter().map(|(_, label)| label).collect();
    assert_eq!(labels, [0, 1, 1]);
    assert_eq!(encoded.train, encoded.test);
    assert_eq!(encoded.classes, ["0", "1"]);

    let few = encode(&dataset, Kind::NaiveBayes, Some(3)).unwrap();
    assert_eq!(names(&few), ["film", "good", "is"]);
    let sample = few
        .encoder
        .encode(Example::Text("A GOOD actor is a good actor"))
        .unwrap();
    assert_eq!(numbers16(&sample), [1, 2]);
    let sample = few.encoder.encode(Example::Text("")).unwrap();
    assert_eq!(numbers16(&sample), [0_i16; 0]);
}

#[test]
fn encode_makes_words_dense_for_a_dense_learner() {
    let encoded = encode(&csv(TEXTS, Some("text")), Kind::DensePerceptron, Some(1)).unwrap();
    // Two of three texts contain the word, so the mean is 2/3 and the deviation sqrt(2)/3.
    let (with, without) = (2_896, -5_793);
    let constant = 4_096;
    assert_eq!(
        all(&encoded.train, numbers16),
        [[with, constant], [with, constant], [without, constant]]
    );
}

#[test]
fn encode_keeps_indices_or_chooses_the_most_frequent() {
    let dataset = libsvm("0 2:1 5:1\n1 5:1 9:1\n0 1:1 5:1 9:0\n");
    let whole = encode(&dataset, Kind::SparsePerceptron, None).unwrap();
    assert_eq!(names(&whole), ["1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    assert_eq!(
        all(&whole.train, numbers16),
        [vec![1, 4], vec![4, 8], vec![0, 4]]
    );

    let chosen = encode(&dataset, Kind::SparsePerceptron, Some(3)).unwrap();
    assert_eq!(names(&chosen), ["5", "1", "2"]);
    assert_eq!(
        all(&chosen.train, numbers16),
        [vec![0, 2], vec![0], vec![0, 1]]
    );

    let example = Example::Indexed {
        indices: &[0, 3, 4, 1_000],
        values: None,
    };
    let sample = chosen.encoder.encode(example).unwrap();
    assert_eq!(numbers16(&sample), [0, 1]);
}

#[test]
fn encode_standardizes_tables() {
    let dataset = csv("class,x,same\n0,1,5\n1,3,5\n", None);
    let encoded = encode(&dataset, Kind::DensePerceptron, None).unwrap();
    let samples = [[-4_096, 0, 4_096], [4_096, 0, 4_096]];
    assert_eq!(all(&encoded.train, numbers16), samples);
    assert_eq!(names(&encoded), ["x", "same"]);
    for (row, expected) in [
        ([2.5, 5.0], [2_048, 0, 4_096]),
        ([2.0, 6.0], [0, 4_096, 4_096]),
    ] {
        let sample = encoded.encoder.encode(Example::Numbers(&row)).unwrap();
        assert_eq!(numbers16(&sample), expected);
    }

    let encoded = encode(&dataset, Kind::DenseNearestCentroid, Some(2)).unwrap();
    assert_eq!(all(&encoded.train, numbers32), [[-65_536, 0], [65_536, 0]]);
}

#[test]
fn encode_clamps_and_counts_numbers_far_off() {
    // One of 100 rows is 9.9 standard deviations above the mean.
    let rows = "0,0\n1,0\n0,0\n".repeat(33);
    let dataset = csv(&format!("class,x\n{rows}1,1\n"), None);
    let encoded = encode(&dataset, Kind::DensePerceptron, None).unwrap();
    assert_eq!(
        encoded.clamped, 2,
        "one in the training and one in the test part"
    );
    assert_eq!(numbers16(encoded.train.get(99).0), [i16::MAX, 4_096]);
    let sample = encoded.encoder.encode(Example::Numbers(&[-1e100])).unwrap();
    // The largest number of the training part bounds both sides.
    assert_eq!(numbers16(&sample), [-i16::MAX, 4_096]);
    assert_eq!(
        encode(&dataset, Kind::DenseNearestCentroid, None)
            .unwrap()
            .clamped,
        0
    );
}

#[test]
fn encode_takes_zeros_and_ones_as_presence_for_a_sparse_kind() {
    let dataset = csv("class,x,y\n0,1,0\n1,0.0,1e0\n1,-0,0\n", None);
    for kind in SPARSE {
        let encoded = encode(&dataset, kind, None).unwrap();
        assert_eq!(all(&encoded.train, numbers16), [vec![0], vec![1], vec![]]);
    }
}

#[test]
fn take_gives_samples_by_range() {
    let encoded = encode(&csv(TEXTS, Some("text")), Kind::SparsePerceptron, None).unwrap();
    let others = encoded.train.take(1..3);
    assert_eq!(others.len(), 2);
    assert_eq!(others.get(0), encoded.train.get(1));
    assert_eq!(others.get(1), encoded.train.get(2));
    assert!(encoded.train.take(3..3).is_empty());
}

// ---------------------------------------------------------------- Refusals

#[test]
fn encode_refuses_what_it_cannot_encode() {
    assert_eq!(
        told(
            &libsvm("0 1:1\n1 1:1\n2 1:1\n"),
            Kind::SparsePerceptron,
            None
        ),
        "`train` has 3 classes, but a sparse perceptron is binary; use the learner \
         naive-bayes"
    );
    assert_eq!(
        told(&libsvm("0 1:1\n1 65537:1\n"), Kind::NaiveBayes, None),
        "`train` gives 65537 features, but a naive Bayes has at most 65536; remove columns of a table, take smaller pictures, \
         or set the number of features to keep only the most frequent words or indices"
    );
    assert_eq!(
        told(&libsvm("0 1:1\n1 4097:1\n"), Kind::DensePerceptron, None),
        "`train` gives 4097 features, but a dense perceptron has at most 4095 beside the constant \
         through which it learns its intercept, which can be fixed instead; remove columns of a table, take smaller pictures, or set the number of features to keep only the most frequent words or indices"
    );
    for (dataset, features) in [
        (libsvm("0\n1\n"), None),
        (csv("class,text\n0,!\n1,?\n", Some("text")), None),
        (csv(TEXTS, Some("text")), Some(0)),
    ] {
        assert_eq!(
            told(&dataset, Kind::NaiveBayes, features),
            "`train` gives no features; it needs a word, column or index, and the number of features \
             must be above 0"
        );
    }
    assert_eq!(
        told(
            &csv("class,x\n0,1\n1,2\n", None),
            Kind::DensePerceptron,
            Some(5)
        ),
        "the number of features is 5, but in `train` every column of numbers is one, which makes 1; \
         leave the number out"
    );
}

/// Each message names one learner. Using it works for every kind and sort of data.
#[test]
fn encode_names_a_learner_that_takes_the_data_if_it_refuses() {
    let datasets = [
        csv("class,x,y\n0,1,0.5\n1,0,2.5\n2,3,1\n", None),
        csv("class,x,y\n0,1,0\n1,0,1\n2,1,1\n", None),
        csv("class,x,y\n0,1,0.5\n1,0,2.5\n", None),
        csv(
            "class,text\n0,good film\n1,bad film\n2,so so\n",
            Some("text"),
        ),
        libsvm("0 1:1\n1 2:1\n2 1:1 2:1\n"),
        libsvm("0 1:1\n1 2:0.5\n2 1:1 2:1\n"),
    ];
    let kinds = SPARSE.into_iter().chain(DENSE);
    let mut followed = 0;
    for (kind, dataset) in kinds.flat_map(|kind| datasets.iter().map(move |data| (kind, data))) {
        let Err(error) = encode(dataset, kind, None) else {
            continue;
        };
        let message = error.to_string();
        let (_, advice) = message.split_once("use the learner ").expect(&message);
        let name = advice.split([',', ' ']).next().expect("a name");
        let advised: Kind = name.parse().expect(name);
        encode(dataset, advised, None).unwrap_or_else(|error| panic!("{message}: {error}"));
        assert_eq!(advised, cotrain_learning::encode::suited(dataset));
        followed += 1;
    }
    assert_eq!(
        followed, 17,
        "a refusal for each kind and data that do not fit"
    );
}

#[test]
fn encode_refuses_other_numbers_for_a_sparse_kind() {
    for (kind, called) in SPARSE.into_iter().zip([
        "a sparse perceptron",
        "a naive Bayes",
        "a sparse nearest centroid",
    ]) {
        for (dataset, wanted) in [
            (
                csv("class,x,y\n0,1,0\n1,0,2.5\n", None),
                "line 3 of `train`: column `y` is 2.5",
            ),
            (
                csv("class,x,y\n0,0.999,0\n1,0,1\n", None),
                "line 2 of `train`: column `x` is 0.999",
            ),
            (
                libsvm("# noted\n\n0 2:1\n1 1:1 5:-1\n"),
                "line 4 of `train`: index `5` is -1",
            ),
        ] {
            assert_eq!(
                told(&dataset, kind, None),
                format!(
                    "{wanted}, but {called} takes only 0 and 1; use the learner \
                     dense-nearest-centroid, or write the values as 0 and 1"
                )
            );
        }
    }
}

/// Errors name the original line of examples that were shuffled.
#[test]
fn encode_names_the_line_of_the_file_of_shuffled_examples() {
    let lines = "0 1:1\n1 2:1\n".repeat(50) + "1 1:7\n";
    let folder = tempfile::tempdir().unwrap();
    let train = folder.path().join("train");
    fs::write(&train, lines).unwrap();
    for seed in 0..9 {
        let source = Source::Libsvm {
            train: train.clone(),
            test: None,
        };
        let dataset = load(&source, 0.5, seed).unwrap();
        let told = told(&dataset, Kind::NaiveBayes, None);
        assert!(
            told.starts_with("line 101 of `train`: index `1` is 7,"),
            "{told}"
        );
    }
}

#[test]
fn encode_refuses_an_example_that_does_not_fit() {
    let dataset = csv("class,x,y\n0,1,2\n1,3,4\n", None);
    let encoder = encode(&dataset, Kind::DensePerceptron, None)
        .unwrap()
        .encoder;
    let told = |example| encoder.encode(example).unwrap_err().to_string();
    assert_eq!(
        told(Example::Text("good")),
        "the example is text, expected a row of numbers, as the model learned from it"
    );
    assert_eq!(
        told(Example::Numbers(&[1.0])),
        "the length of the example is 1, expected 2, a number for each of x, y"
    );
    assert_eq!(
        told(Example::Numbers(&[1.0, f64::NAN])),
        "column `y` is NaN, expected a number between -1e100 and 1e100"
    );
}

// ---------------------------------------------------------------- Single examples

proptest! {
    #[test]
    fn encode_makes_increasing_features_of_any_text(text: String, wanted in 1_usize..9) {
        let encoded = encode(&csv(TEXTS, Some("text")), Kind::NaiveBayes, Some(wanted)).unwrap();
        let text = format!("{text} film it");
        let sample = numbers16(&encoded.encoder.encode(Example::Text(&text)).unwrap());
        prop_assert!(sample.is_sorted_by(|a, b| a < b));
        prop_assert!(sample.iter().all(|&feature| usize::try_from(feature).unwrap() < wanted));
    }

    #[test]
    fn encode_takes_any_numbers_or_refuses_them(numbers: Vec<f64>, indices: Vec<u32>) {
        let table = csv("class,x,y\n0,1,-1e100\n1,3,1e100\n", None);
        let encoder = encode(&table, Kind::DensePerceptron, None).unwrap().encoder;
        match encoder.encode(Example::Numbers(&numbers)) {
            // Two columns and the constant take 6 bytes.
            Ok(sample) => prop_assert_eq!(sample.len(), 6),
            Err(EncodeError::WrongWidth { found, .. }) => prop_assert_eq!(found, numbers.len()),
            Err(EncodeError::OutOfRange { value, .. }) => prop_assert!(value.is_nan() || value.abs() > 1e100),
            Err(error) => prop_assert!(false, "{error}"),
        }
        for kind in [Kind::NaiveBayes, Kind::DenseNearestCentroid] {
            let encoder = encode(&libsvm("0 1:1\n1 4:1\n"), kind, None).unwrap().encoder;
            for values in [None, Some(numbers.as_slice())] {
                let _ = encoder.encode(Example::Indexed { indices: &indices, values });
            }
        }
    }
}

#[test]
fn encode_noting_counts_what_a_sample_does_not_hold() {
    let noted = |encoded: &Encoded, example: Example<'_>| {
        let noted = encoded.encoder.encode_noting(example).unwrap();
        assert_eq!(noted.sample, encoded.encoder.encode(example).unwrap());
        (noted.known, noted.clamped)
    };
    let texts = csv("class,text\n0,good film\n1,bad film\n", Some("text"));
    // A dense sample without the words of every text exceeds the length of all training samples, so
    // its three numbers are scaled down.
    for (kind, scaled) in [(Kind::NaiveBayes, 0), (Kind::DenseNearestCentroid, 3)] {
        let encoded = encode(&texts, kind, None).unwrap();
        assert_eq!(noted(&encoded, Example::Text("a good, good film")), (2, 0));
        assert_eq!(noted(&encoded, Example::Text("xyzzy plugh")), (0, scaled));
        assert_eq!(noted(&encoded, Example::Text("")), (0, scaled));
    }

    let presence = csv("class,x,y\n0,1,0\n1,0,1\n", None);
    let sparse = encode(&presence, Kind::NaiveBayes, None).unwrap();
    assert_eq!(noted(&sparse, Example::Numbers(&[0.0, 1.0])), (1, 0));
    assert_eq!(noted(&sparse, Example::Numbers(&[0.0, 0.0])), (0, 0));
    // In a dense row, 0 is a value like any other.
    let dense = encode(&presence, Kind::DensePerceptron, None).unwrap();
    assert_eq!(noted(&dense, Example::Numbers(&[0.0, 0.0])), (2, 0));
    assert_eq!(noted(&dense, Example::Numbers(&[1e50, 0.5])), (2, 1));
    assert_eq!(noted(&dense, Example::Numbers(&[-1e50, 1e50])), (2, 2));

    let entries = libsvm("0 1:1 3:1\n1 3:1\n");
    for kind in [Kind::SparsePerceptron, Kind::DensePerceptron] {
        let encoded = encode(&entries, kind, None).unwrap();
        let counts = |indices: &[u32], values: Option<&[f64]>| {
            let example = Example::Indexed { indices, values };
            let noted = encoded.encoder.encode_noting(example).unwrap();
            (noted.known, noted.unseen)
        };
        assert_eq!(counts(&[0, 2], None), (2, 0));
        assert_eq!(counts(&[2, 7_000], None), (1, 1));
        assert_eq!(counts(&[7_000], None), (0, 1));
        assert_eq!(counts(&[], None), (0, 0));
        // A 0 says what leaving the index out says.
        assert_eq!(counts(&[2, 7_000], Some(&[1.0, 0.0])), (1, 0));
    }
}

// ---------------------------------------------------------------- Constants and reserved features

fn fixed() -> Options {
    Options {
        fixed_intercept: true,
        ..Options::default()
    }
}

#[test]
fn constant_is_only_a_dense_perceptrons_unless_the_intercept_is_fixed() {
    let dataset = csv("class,x\n0,1\n1,0\n0,1\n1,0\n", None);
    for kind in SPARSE.into_iter().chain(DENSE) {
        let encoder = encode(&dataset, kind, None).unwrap().encoder;
        let wanted = (kind == Kind::DensePerceptron).then_some(4_096);
        assert_eq!(encoder.constant(), wanted, "{kind}");
        // Callers never see the constant.
        assert_eq!(encoder.features(), 1);
        assert_eq!(encoder.name(1), None);
        let columns = encoder.columns().unwrap();
        assert_eq!(
            (columns.names(), columns.reserved),
            (vec!["x".to_owned()], 0)
        );
        let noted = encoder.encode_noting(Example::Numbers(&[1.0])).unwrap();
        assert_eq!((noted.known, noted.clamped), (1, 0));
        assert_eq!(encoder.model_features(), 1 + usize::from(wanted.is_some()));

        let without = encode_with(&dataset, kind, &fixed());
        if kind == Kind::DensePerceptron {
            let without = without.unwrap();
            assert_eq!(without.encoder.constant(), None);
            assert_eq!(numbers16(without.train.get(0).0), [4_096]);
        } else {
            assert_eq!(
                without.unwrap_err().to_string(),
                format!(
                    "cannot fix the intercept of a {kind}: only a dense perceptron learns its intercept; \
                     leave that choice out"
                )
            );
        }
    }
    // 4,096 columns fit if there is no constant.
    let wide = libsvm("0 1:1\n1 4096:1\n");
    assert!(encode(&wide, Kind::DensePerceptron, None).is_err());
    let encoded = encode_with(&wide, Kind::DensePerceptron, &fixed()).unwrap();
    assert_eq!(encoded.encoder.model_features(), 4_096);
    assert!(encode(&wide, Kind::DenseNearestCentroid, None).is_ok());
}

fn reserving(names: &[&str]) -> Options {
    Options {
        reserved: names.iter().map(|&name| name.to_owned()).collect(),
        ..Options::default()
    }
}

#[test]
fn encode_with_puts_reserved_features_after_the_others() {
    let texts = csv(TEXTS, Some("text"));
    let options = Options {
        features: Some(2),
        ..reserving(&["scam", " bad ", "x_1"])
    };
    for kind in SPARSE {
        let encoded = encode_with(&texts, kind, &options).unwrap();
        assert_eq!(names(&encoded), ["film", "good", "scam", "bad", "x_1"]);
        assert_eq!(encoded.encoder.reserved(), 3);
        let text = Example::Text("A good Scam");
        assert_eq!(numbers16(&encoded.encoder.encode(text).unwrap()), [1, 2]);
        // `bad` is in the data, but not among the two most frequent words.
        assert_eq!(numbers16(encoded.train.get(0).0), [0, 3]);
    }

    let table = csv("class,x,y\n0,1,0\n1,0,1\n", None);
    let four = encode_with(&table, Kind::NaiveBayes, &reserving(&["z", "w"])).unwrap();
    assert_eq!(names(&four), ["x", "y", "z", "w"]);
    let encoder = &four.encoder;
    let sample = |row: &[f64]| {
        encoder
            .encode(Example::Numbers(row))
            .map(|it| numbers16(&it))
    };
    assert_eq!(sample(&[1.0, 0.0, 0.0, 1.0]).unwrap(), [0, 3]);
    // Rows may leave out all reserved columns.
    assert_eq!(sample(&[1.0, 1.0]).unwrap(), [0, 1]);
    let told = sample(&[1.0, 1.0, 1.0]).unwrap_err().to_string();
    assert!(
        told.starts_with(
            "the length of the example is 3, expected 4, or 2 without the reserved ones"
        ),
        "{told}"
    );
    let columns = encoder.columns().unwrap();
    assert_eq!(columns.names(), ["x", "y", "z", "w"]);
    table.test_for(Some(columns)).unwrap();
    csv("class,x,y,z,w\n0,1,0,0,0\n1,0,1,1,0\n", None)
        .test_for(Some(columns))
        .unwrap();
    let told = csv("class,x,y,z\n0,1,0,0\n1,0,1,1\n", None)
        .test_for(Some(columns))
        .unwrap_err()
        .to_string();
    assert!(
        told.contains(
            "has the columns x, y, z, but the model has x, y, z, w (all or none of z, w): missing w; give"
        ),
        "{told}"
    );

    let indexed = libsvm("0 1:1\n1 2:1\n");
    let three = encode_with(&indexed, Kind::SparsePerceptron, &reserving(&["9"])).unwrap();
    assert_eq!(names(&three), ["1", "2", "9"]);
    let example = Example::Indexed {
        indices: &[1, 8],
        values: None,
    };
    assert_eq!(numbers16(&three.encoder.encode(example).unwrap()), [1, 2]);
}

#[test]
fn encode_with_refuses_features_that_cannot_be_reserved() {
    let texts = csv(TEXTS, Some("text"));
    let table = csv("class,x,y\n0,1,0\n1,0,1\n", None);
    let indexed = libsvm("0 1:1\n1 2:1\n");
    let known = "the data or another reserved feature has that name already; leave it out";
    let no_word =
        "texts are read as words of at least two letters, digits or underscores; name such a word";
    let no_index = "the features are indices, expected a whole number from 1 (0 if the data counts so) to 16777216";
    let empty = "it is empty; give it a name";
    for (dataset, names, told) in [
        (&texts, &["good"][..], known),
        (&texts, &["new", "new"], known),
        (&table, &["y"], known),
        (&indexed, &["2"], known),
        (&texts, &["new", ""], empty),
        (&table, &[" "], empty),
        (&texts, &["a"], no_word),
        (&texts, &["!?"], no_word),
        (
            &texts,
            &["Scam"],
            "texts with it are read as `scam`; reserve that",
        ),
        (
            &texts,
            &["it's new-york"],
            "texts with it are read as `it`, `new`, `york`; reserve that",
        ),
        (&indexed, &["0"], no_index),
        (&indexed, &["x"], no_index),
    ] {
        let error = encode_with(dataset, Kind::NaiveBayes, &reserving(names)).unwrap_err();
        let name = names[names.len() - 1].trim();
        assert_eq!(
            error.to_string(),
            format!("cannot reserve the feature `{name}`: {told}")
        );
    }
    for kind in DENSE {
        let error = encode_with(&table, kind, &reserving(&["new"])).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "cannot reserve the feature `new`: the numbers of a {kind} are scaled by the examples of each \
                 feature, and this one has none; use a learner of what is present, such as naive-bayes, or \
                 deploy the model once there are examples"
            )
        );
    }
}

/// Extractor of one's own: the number of letters and of digits in a text.
#[derive(Debug)]
struct Characters {
    /// Feature that it makes beside the two, against its own count.
    beyond: Option<u16>,
}

impl Extractor for Characters {
    fn takes(&self) -> Sort {
        Sort::Text
    }

    fn features(&self) -> usize {
        2
    }

    fn name(&self, feature: usize) -> Option<String> {
        ["letters", "digits"].get(feature).map(ToString::to_string)
    }

    fn extract(&self, example: Example<'_>) -> Result<Extracted, EncodeError> {
        let Example::Text(text) = example else {
            return Err(self.takes().mismatch(example));
        };
        let count = |is: fn(&char) -> bool| {
            let count = text.chars().filter(is).count();
            f64::from(u32::try_from(count).unwrap())
        };
        let letters = count(|letter| letter.is_alphabetic());
        let digits = count(char::is_ascii_digit);
        let mut values = vec![(1, digits), (0, letters)];
        values.extend(self.beyond.map(|feature| (feature, 1.0)));
        Ok(Extracted::new(values).with_known(text.chars().count()))
    }
}

#[test]
fn encode_by_takes_an_extractor_of_ones_own() {
    let dataset = csv("text,class\nabc 12,0\nabcde,1\n", Some("text"));
    let by = |dataset: &Dataset, beyond, options: &Options| {
        let extractor = Box::new(Characters { beyond });
        encode_by(dataset, Kind::DenseNearestCentroid, extractor, options)
    };
    let options = Options::default();
    let encoder = by(&dataset, None, &options).unwrap().encoder;
    assert_eq!((encoder.features(), encoder.takes()), (2, Sort::Text));
    assert_eq!(encoder.name(1).as_deref(), Some("digits"));
    // Means are 4 and 1, deviations 1 and 1.
    let noted = encoder.encode_noting(Example::Text("abc 1!")).unwrap();
    assert_eq!(
        numbers32(&noted.sample),
        [-65_536, 0],
        "letters before digits"
    );
    assert_eq!(noted.known, 6, "as the extractor counts");
    let wrong = encoder.encode(Example::Numbers(&[1.0])).unwrap_err();
    assert!(matches!(wrong, EncodeError::WrongSort { .. }));
    // It has no form in a card, and says so.
    let unwritten = serde_json::to_string(&encoder).unwrap_err().to_string();
    assert!(unwritten.contains("has no form in a card"), "{unwritten}");
    // A feature beyond the count is an error, not a panic.
    let beyond = by(&dataset, Some(2), &options).unwrap_err();
    assert_eq!(
        beyond,
        EncodeError::NoSuchFeature {
            feature: 2,
            features: 2
        }
    );
    let features = Some(3);
    let count = Options {
        features,
        ..Options::default()
    };
    let other = by(&dataset, None, &count).unwrap_err();
    assert_eq!(
        other,
        EncodeError::NotTheExtractors {
            features: 3,
            made: 2
        }
    );
    let reserved = vec!["spaces".to_owned()];
    let reserving = Options {
        reserved,
        ..Options::default()
    };
    let extractor = Box::new(Characters { beyond: None });
    let fixed = encode_by(&dataset, Kind::NaiveBayes, extractor, &reserving).unwrap_err();
    assert_eq!(
        fixed,
        EncodeError::Reserve {
            name: "spaces".to_owned(),
            fault: ReserveFault::Fixed
        }
    );
}

/// Returns the options with these choices for texts.
fn reading(text: TextOptions) -> Options {
    Options {
        text,
        ..Options::default()
    }
}

#[test]
fn encode_with_chooses_unicode_for_scripts_without_spaces() {
    let rules = |lines: &str| {
        let dataset = csv(&format!("text,class\n{lines}"), Some("text"));
        let encoder = encode(&dataset, Kind::NaiveBayes, None).unwrap().encoder;
        (encoder.text_rules().unwrap().tokenizer, encoder)
    };
    let (tokenizer, encoder) = rules("很好的电影,1\nbad film,0\n");
    assert_eq!(tokenizer, Tokenizer::Unicode);
    assert_eq!(encoder.features(), 6, "很好 好的 的电 电影 bad film");
    assert_eq!(
        encoder.summary().as_deref(),
        Some("words by the tokenizer `unicode`")
    );
    for latin in [
        "déjà vu,1\nbad film,0\n",
        "좋은 영화,1\nплохой фильм,0\n",
        "ممتاز,1\n,0\n",
    ] {
        let (tokenizer, encoder) = rules(&format!("{latin}an,1\n"));
        assert_eq!(tokenizer, Tokenizer::Simple, "{latin}");
        assert_eq!(encoder.summary(), None);
    }
    // A single quotation among many texts does not change the rule for all.
    for (others, tokenizer) in [(99, Tokenizer::Unicode), (100, Tokenizer::Simple)] {
        let lines = "good film,1\n".repeat(others - 1);
        assert_eq!(rules(&format!("{lines}影,1\nbad,0\n")).0, tokenizer);
    }
    // The choice can be made, either way.
    let dataset = csv("text,class\n很好的电影,1\nit's bad,0\n", Some("text"));
    for (tokenizer, words) in [
        (Tokenizer::Simple, &["bad", "it", "很好的电影"][..]),
        (
            Tokenizer::Unicode,
            &["bad", "it's", "好的", "很好", "电影", "的电"],
        ),
    ] {
        let options = reading(TextOptions {
            tokenizer: Some(tokenizer),
            ..TextOptions::default()
        });
        let result = encode_with(&dataset, Kind::NaiveBayes, &options).unwrap();
        assert_eq!(names(&result), words);
    }
}

#[test]
fn encode_with_takes_pairs_of_words() {
    let dataset = csv(
        "text,class\nnot good,0\na good film,1\ngood film,1\n",
        Some("text"),
    );
    let pairs = |features, reserved: &[&str]| {
        let options = Options {
            features,
            reserved: reserved.iter().map(ToString::to_string).collect(),
            ..reading(TextOptions {
                word_pairs: true,
                ..TextOptions::default()
            })
        };
        encode_with(&dataset, Kind::NaiveBayes, &options)
    };
    let encoded = pairs(None, &[]).unwrap();
    let all = ["good", "film", "good film", "not", "not good"];
    assert_eq!(names(&encoded), all);
    assert_eq!(
        all_of(&encoded),
        [vec![0, 3, 4], vec![0, 1, 2], vec![0, 1, 2]]
    );
    // The number of features limits words and pairs together.
    assert_eq!(names(&pairs(Some(3), &[]).unwrap()), all[..3]);
    // A pair can be reserved as it would be read.
    let reserved = pairs(Some(2), &["bad film"]).unwrap();
    assert_eq!(names(&reserved), ["good", "film", "bad film"]);
    let three = pairs(None, &["a bad film"]).unwrap_err().to_string();
    assert!(
        three.ends_with("texts with it are read as `bad`, `film`, `bad film`; reserve that"),
        "{three}"
    );
}

/// Returns the features of all training samples.
fn all_of(encoded: &Encoded) -> Vec<Vec<i16>> {
    all(&encoded.train, numbers16)
}

#[test]
fn encode_with_hashes_words() {
    let dataset = csv("text,class\ngood film,1\nbad film,0\n", Some("text"));
    let hashed = |hashed, word_pairs, kind| {
        let options = reading(TextOptions {
            hashed: Some(hashed),
            word_pairs,
            ..TextOptions::default()
        });
        encode_with(&dataset, kind, &options)
    };
    let encoder = hashed(1_000, false, Kind::NaiveBayes).unwrap().encoder;
    assert_eq!(encoder.features(), 1_000);
    assert_eq!(encoder.name(999).as_deref(), Some("#999"));
    assert_eq!(encoder.name(1_000), None);
    let feature = |token: &str| hash(token) % 1_000;
    let sample = |encoder: &cotrain_learning::Encoder, text| {
        let noted = encoder.encode_noting(Example::Text(text)).unwrap();
        let features = numbers16(&noted.sample);
        let features: Vec<u32> = features
            .into_iter()
            .map(|it| u32::try_from(it).unwrap())
            .collect();
        (features, noted.known)
    };
    let mut two = vec![feature("a9"), feature("xyzzy")];
    two.sort_unstable();
    assert_eq!(sample(&encoder, "xyzzy a9 xyzzy"), (two, 2));
    // A text without words is the only unknown one.
    assert_eq!(sample(&encoder, "… !"), (vec![], 0));
    let pairs = hashed(65_536, true, Kind::NaiveBayes).unwrap().encoder;
    let (features, known) = sample(&pairs, "good film");
    assert_eq!(known, 3);
    assert!(features.is_sorted());
    assert_eq!(
        pairs.summary().as_deref(),
        Some("hashed words and word pairs by the tokenizer `simple`")
    );
    // Dense samples count what was found, not their numbers.
    let dense = hashed(2, false, Kind::DenseNearestCentroid)
        .unwrap()
        .encoder;
    let noted = |text| dense.encode_noting(Example::Text(text)).unwrap().known;
    assert_eq!((noted("film"), noted("!")), (1, 0));

    let refused = |options: &Options| {
        let refused = encode_with(&dataset, Kind::NaiveBayes, options);
        refused.unwrap_err().to_string()
    };
    for wrong in [0, 1, 65_537, usize::MAX] {
        let told = hashed(wrong, false, Kind::NaiveBayes).unwrap_err();
        let expected = format!("the number of hashed features is {wrong}, expected 2 to 65536");
        assert_eq!(told.to_string(), expected);
    }
    let both = |features, reserved| Options {
        features,
        reserved,
        ..reading(TextOptions {
            hashed: Some(16),
            ..TextOptions::default()
        })
    };
    assert_eq!(
        refused(&both(Some(8), vec![])),
        "cannot keep 8 words and hash all words to 16 features: these exclude each other; leave \
         one of the two numbers out"
    );
    assert_eq!(
        refused(&both(None, vec!["good".to_owned()])),
        "cannot reserve the feature `good`: words are hashed, so every word has a feature already; \
         leave it out"
    );
    let wide = hashed(4_097, false, Kind::DensePerceptron).unwrap_err();
    assert!(
        matches!(wide, EncodeError::TooManyFeatures { .. }),
        "{wide}"
    );
}

#[test]
fn encode_with_refuses_rules_for_texts_without_texts() {
    let table = csv("x,class\n0,0\n1,1\n", None);
    for (text, option) in [
        (
            TextOptions {
                tokenizer: Some(Tokenizer::Simple),
                ..TextOptions::default()
            },
            "a tokenizer",
        ),
        (
            TextOptions {
                hashed: Some(16),
                ..TextOptions::default()
            },
            "hashing",
        ),
        (
            TextOptions {
                word_pairs: true,
                ..TextOptions::default()
            },
            "word pairs",
        ),
    ] {
        for dataset in [&table, &libsvm("0 1:1\n1 2:1\n")] {
            let refused = encode_with(dataset, Kind::NaiveBayes, &reading(text.clone()));
            let told = refused.unwrap_err().to_string();
            let expected = format!(
                "has no texts for {option}; name the column of the texts, or leave that choice out"
            );
            assert!(told.ends_with(&expected), "{told}");
        }
        let texts = csv("text,class\na b,0\nc,1\n", Some("text"));
        let extractor = Box::new(Characters { beyond: None });
        let own = encode_by(&texts, Kind::DensePerceptron, extractor, &reading(text));
        assert_eq!(own.unwrap_err(), EncodeError::OwnRules { option });
    }
}
