//! Bounds of samples that dense models learn from: their origin, clipping, and the power of an
//! outlier.

use std::fmt::Write as _;
use std::fs;

use cotrain_learning::data::{Columns, Dataset, Example, Reading, Source, TableFormat, load};
use cotrain_learning::encode::{
    self as encoding, EncodeError, Encoded, Limits, encode, encode_with,
};
use cotrain_learning::train::{Options, accuracy, train};
use cotrain_protocol::ContractError;
use cotrain_protocol::classifier::{Bounds, Classifier, Kind};
use cotrain_protocol::sample::{Encoding, Item, encode_dense16, encode_dense32};
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

const DENSE: [Kind; 2] = [Kind::DensePerceptron, Kind::DenseNearestCentroid];

/// Returns a table with the given training and test rows.
fn table(train: &str, test: &str) -> Dataset {
    let folder = tempfile::tempdir().unwrap();
    let path = |name, rows: &str| {
        let path = folder.path().join(name);
        fs::write(&path, rows).unwrap();
        path
    };
    let source = Source::Table {
        format: TableFormat::Csv,
        train: path("train", train),
        test: Some(path("test", test)),
        label: "class".to_owned(),
        text: None,
        reading: Reading::default(),
        columns: Columns::default(),
    };
    load(&source, 0.5, 0).unwrap()
}

fn encode_within(dataset: &Dataset, kind: Kind, limits: &Limits) -> Result<Encoded, EncodeError> {
    let options = encoding::Options {
        limits: *limits,
        ..encoding::Options::default()
    };
    encode_with(dataset, kind, &options)
}

fn numbers_of(encoded: &Encoded, kind: Kind, row: &[f64]) -> (Vec<i32>, usize) {
    let (sample, clamped) = encoded
        .encoder
        .encode_counting(Example::Numbers(row))
        .unwrap();
    (kind.encoding().numbers(&sample).collect(), clamped)
}

#[test]
fn encode_takes_bounds_from_the_training_part() {
    // Both columns have mean 0 and deviation 1.
    let train = "class,x,y\n0,-1,-1\n1,1,1\n0,-1,1\n1,1,-1\n";
    let dataset = table(train, "class,x,y\n0,3,0\n1,0,0.5\n");
    // The perceptron's samples end with a constant.
    for (kind, one, constant) in [
        (Kind::DensePerceptron, 4_096_i32, Some(4_096)),
        (Kind::DenseNearestCentroid, 65_536, None),
    ] {
        let encoded = encode(&dataset, kind, None).unwrap();
        let count = 2 + u128::from(constant.is_some());
        let bounds = Bounds {
            max_number: u32::try_from(one).unwrap(),
            max_squared_length: count * u128::try_from(one).unwrap().pow(2),
        };
        let ends_with_constant = |mut row: Vec<i32>, clamped: usize| {
            row.extend(constant);
            (row, clamped)
        };
        assert_eq!(encoded.encoder.bounds(), Some(bounds));
        let model = train_all(kind, &encoded);
        assert_eq!(model.parameters().bounds(), Some(bounds));
        // Only the 3 of the test part was clamped.
        assert_eq!(encoded.clamped, 1);
        assert_eq!(
            numbers_of(&encoded, kind, &[1.0, -1.0]),
            ends_with_constant(vec![one, -one], 0)
        );
        assert_eq!(
            numbers_of(&encoded, kind, &[-1.5, 0.5]),
            ends_with_constant(vec![-one, one / 2], 1)
        );
        // An encoder that was written and read has the same bounds.
        let text = serde_json::to_string(&encoded.encoder).unwrap();
        let again: cotrain_learning::Encoder = serde_json::from_str(&text).unwrap();
        assert_eq!(again.bounds(), Some(bounds));
    }
}

#[test]
fn encode_with_keeps_to_limits_and_margins() {
    let train = "class,x,y\n0,-1,-1\n1,1,1\n0,-1,1\n1,1,-1\n";
    let dataset = table(train, train);
    let kind = Kind::DensePerceptron;
    // The length excludes the square of the constant, which is one deviation or the largest number.
    let bounds = |limits: Limits| {
        let encoded = encode_within(&dataset, kind, &limits).unwrap();
        let bounds = encoded.encoder.bounds().unwrap();
        let model = train_all(kind, &encoded);
        assert_eq!(model.parameters().bounds(), Some(bounds));
        let constant = encoded.encoder.constant().unwrap();
        assert_eq!(u32::from(constant), bounds.max_number.min(4_096));
        (
            bounds.max_number,
            bounds.max_squared_length - u128::from(constant).pow(2),
            encoded.clamped,
        )
    };
    let limits = |number, length, margin| Limits {
        number,
        length,
        margin,
    };
    // Each part has four rows of two numbers.
    assert_eq!(bounds(limits(Some(0.5), None, 1.0)), (2_048, 2 << 22, 16));
    assert_eq!(bounds(limits(Some(2.0), None, 1.0)), (8_192, 2 << 24, 0));
    assert_eq!(
        bounds(limits(None, Some(1.0), 1.0)),
        (2_896, 2 * 2_896 * 2_896, 16)
    );
    assert_eq!(bounds(limits(None, None, 1.5)), (6_144, 75_497_472, 0));
    assert_eq!(bounds(limits(None, None, 0.5)), (2_048, 2 << 22, 16));
    // The encoding's own range is the limit.
    let widest = Bounds::widest(Encoding::Dense16, 2).unwrap();
    assert_eq!(
        bounds(limits(None, None, 1e9)),
        (widest.max_number, widest.max_squared_length, 0)
    );
    let told = |kind, limits| {
        encode_within(&dataset, kind, &limits)
            .unwrap_err()
            .to_string()
    };
    for (limits, name, value) in [
        (limits(Some(0.0), None, 1.0), "largest number", "0"),
        (limits(None, Some(f64::NAN), 1.0), "largest length", "NaN"),
        (limits(None, None, -1.0), "margin", "-1"),
    ] {
        assert_eq!(
            told(kind, limits),
            format!("the {name} is {value}, expected a number above 0")
        );
    }
    assert_eq!(
        told(Kind::NaiveBayes, limits(Some(1.0), None, 1.0)),
        "cannot limit the numbers of a naive Bayes: its samples only say which features are present; leave the limits \
         out"
    );
}

fn train_all(kind: Kind, encoded: &Encoded) -> Classifier {
    train(kind, &encoded.train, &Options::default(), &encoded.test)
        .unwrap()
        .classifier
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every row gives a sample that the model learns from, and values within the bounds stay the
    /// same.
    #[test]
    fn encode_gives_what_the_model_learns_from(
        rows in prop::collection::vec(prop::collection::vec(-1e6..1e6_f64, 3), 4..10),
        row in prop::collection::vec(prop_oneof![-1e6..1e6_f64, -1e100..1e100_f64, Just(0.0)], 3),
        margin in 0.01..3.0_f64,
        length in prop::option::of(0.001..3.0_f64),
    ) {
        let line = |(index, row): (usize, &Vec<f64>)| format!("{},{},{},{}\n", index % 2, row[0], row[1], row[2]);
        let lines: String = rows.iter().enumerate().map(line).collect();
        let lines = format!("class,x,y,z\n{lines}");
        let dataset = table(&lines, &lines);
        for kind in DENSE {
            let limits = Limits { number: None, length, margin };
            let encoded = encode_within(&dataset, kind, &limits).unwrap();
            let bounds = encoded.encoder.bounds().unwrap();
            let (sample, clamped) = encoded.encoder.encode_counting(Example::Numbers(&row)).unwrap();
            prop_assert_eq!(bounds.check(kind.encoding(), 0, &sample), Ok(()));
            // The same holds for the training rows, whatever the margin, and the constant never
            // changes.
            let constant = encoded.encoder.constant().map(i32::from);
            let train = encoded.train.iter().map(|(sample, _)| sample);
            for sample in train.chain([&sample[..]]) {
                prop_assert_eq!(bounds.check(kind.encoding(), 0, sample), Ok(()));
                if let Some(constant) = constant {
                    prop_assert_eq!(kind.encoding().numbers(sample).last(), Some(constant));
                }
            }
            prop_assert!(clamped <= 3);
            // With default bounds, the model learns from all training rows without clamping.
            let whole = encode(&dataset, kind, None).unwrap();
            let model = train_all(kind, &whole);
            for row in &rows {
                let (sample, clamped) = whole.encoder.encode_counting(Example::Numbers(row)).unwrap();
                prop_assert_eq!(clamped, 0);
                prop_assert_eq!(model.check(&[Item { label: 0, sample: &sample }]), Ok(()));
            }
        }
    }
}

/// Returns 400 rows of two classes in four columns, and as many to test on. In the first two
/// columns, the classes' means are some deviations apart.
fn two_classes() -> Dataset {
    let mut chance = ChaCha8Rng::seed_from_u64(7);
    let mut rows = || {
        let mut text = "class,a,b,c,d\n".to_owned();
        for row in 0..400 {
            // A sum of twelve uniform numbers is close enough to normal.
            let mut normal = || (0..12).map(|_| chance.random::<f64>()).sum::<f64>() - 6.0;
            let class = row % 2;
            let mean = if class == 0 { -1.6 } else { 1.6 };
            let (a, b) = (mean + normal(), mean + normal());
            writeln!(text, "{class},{a},{b},{},{}", normal(), normal()).unwrap();
        }
        text
    };
    table(&rows(), &rows())
}

/// Returns the samples with the largest numbers that the bounds allow, with all combinations of
/// signs.
fn extremes(kind: Kind, bounds: Bounds) -> Vec<Vec<u8>> {
    let count = if kind == Kind::DensePerceptron { 5 } else { 4 };
    let each = (bounds.max_squared_length / count).isqrt();
    let number = i32::try_from(bounds.max_number).unwrap_or(i32::MAX);
    let each = i32::try_from(each).unwrap_or(i32::MAX).min(number);
    // The encoder ends samples with the constant, but an attacker may send any last number.
    (0..1 << count)
        .map(|signs| {
            let numbers = (0..count).map(|bit| if signs >> bit & 1 == 0 { each } else { -each });
            let numbers: Vec<i32> = numbers.collect();
            let narrow = |&number: &i32| i16::try_from(number).unwrap_or(i16::MAX);
            if kind == Kind::DensePerceptron {
                encode_dense16(&numbers.iter().map(narrow).collect::<Vec<_>>())
            } else {
                encode_dense32(&numbers)
            }
        })
        .collect()
}

/// Returns the lowest accuracy after one of these samples, each tried alone with the class that is
/// not predicted.
fn after_the_worst(model: &Classifier, samples: &[Vec<u8>], encoded: &Encoded) -> f64 {
    let after = samples.iter().map(|sample| {
        let label = 1 - model.predict(sample).unwrap();
        let mut taught = model.clone();
        taught.learn(&[Item { label, sample }]).unwrap();
        accuracy(&taught, &encoded.test)
    });
    after.fold(1.0, f64::min)
}

/// Repeats a trial in which one accepted contribution ruined a model, and its deposit came back.
#[test]
fn bounds_keep_one_outlier_from_ruining_a_dense_model() {
    let dataset = two_classes();
    let trial = [
        (
            Kind::DensePerceptron,
            vec![0x7f, 0xff, 0x80, 0, 0x7f, 0xff, 0x80, 0, 0x7f, 0xff],
            0.02,
            0.03,
        ),
        (
            Kind::DenseNearestCentroid,
            vec![
                0x7f, 0xff, 0xff, 0xff, 0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0x80, 0, 0, 0,
            ],
            0.01,
            0.4,
        ),
    ];
    for (kind, sample, max_lost, lost_without) in trial {
        let encoded = encode(&dataset, kind, None).unwrap();
        let model = train_all(kind, &encoded);
        let before = accuracy(&model, &encoded.test);
        assert!(before > 0.97, "{kind}: {before}");

        let label = 1 - model.predict(&sample).unwrap();
        let items = [Item {
            label,
            sample: &sample,
        }];
        let refused = model.check(&items).unwrap_err();
        let max = encoded.encoder.bounds().unwrap().max_number;
        assert!(
            matches!(refused, ContractError::NumberTooLarge { item: 0, feature: 0, max: of, .. } if of == max),
            "{refused:?}"
        );

        let bounds = encoded.encoder.bounds().unwrap();
        let bounded = after_the_worst(&model, &extremes(kind, bounds), &encoded);
        let wide = Limits {
            margin: 1e9,
            ..Limits::default()
        };
        let wide = encode_within(&dataset, kind, &wide).unwrap();
        let unbounded = train_all(kind, &wide);
        let widest = wide.encoder.bounds().unwrap();
        let without = after_the_worst(&unbounded, &extremes(kind, widest), &wide);
        assert!(
            before - bounded <= max_lost,
            "{kind}: {before} to {bounded}"
        );
        assert!(
            before - without > lost_without,
            "{kind}: {before} to {without} without bounds"
        );
    }
}
