//! Tests of the classifiers of the contracts as learners.

mod common;

use common::{accuracy, blobs, first};
use cotrain_active::{Calibrated, Deployable, Learner, expected_calibration_error};
use cotrain_learning::data::Example;
use cotrain_protocol::classifier::Kind;
use ndarray::{Array2, Axis, array};

/// Returns rows and labels that a kind takes.
fn data(kind: Kind, rows: usize, classes: usize) -> (Array2<f64>, Vec<usize>) {
    let (found, labels) = blobs(rows, 12, classes, 5);
    let is_sparse = matches!(
        kind,
        Kind::SparsePerceptron | Kind::SparseNearestCentroid | Kind::NaiveBayes
    );
    let round = |it: f64| if it > 0.0 { 1.0 } else { 0.0 };
    (if is_sparse { found.mapv(round) } else { found }, labels)
}

#[test]
fn probabilities_follow_the_contracts_predictions() {
    for kind in Kind::ALL {
        for classes in [2, 5] {
            let Ok(mut model) = Deployable::new(kind, classes, 12, 1) else {
                assert!(classes > 2 && kind.name().contains("perceptron"));
                continue;
            };
            let (rows, labels) = data(kind, 400, classes);
            model
                .fit(first(&rows, 200), &labels[..200])
                .expect("rows that fit");
            let found = model.probabilities(rows.view()).expect("rows that fit");
            let (classifier, encoder) = model.model().expect("a trained model");
            for (row, found) in rows.outer_iter().zip(found.outer_iter()) {
                assert!((found.sum() - 1.0).abs() < 1e-12);
                let row = row.to_vec();
                let sample = encoder.encode(Example::Numbers(&row)).expect("a sample");
                let class = usize::from(classifier.predict(&sample).expect("a class"));
                let highest = found.iter().copied().fold(0.0, f64::max);
                assert!(highest - found[class] < 1e-12, "{kind} {found} {class}");
            }
            let right = accuracy(&found, &labels);
            assert!(right > 0.7, "{kind} {classes} {right}");
        }
    }
}

#[test]
fn probabilities_are_the_posteriors_of_naive_bayes() {
    let rows = array![[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
    let labels = [0, 1, 1];
    let mut model = Deployable::new(Kind::NaiveBayes, 2, 2, 0).expect("sizes");
    model.fit(rows.view(), &labels).expect("rows that fit");
    let found = model.probabilities(rows.view()).expect("rows that fit");
    // Class 0 has the counts (1, 0), class 1 (1, 2), and 1 is added to each.
    let of = |row: &[f64], class: usize| {
        let (counts, share) = [([2.0, 1.0], 1.0), ([2.0, 3.0], 2.0)][class];
        let total: f64 = counts.iter().sum();
        let present = row.iter().zip(counts).filter(|(it, _)| **it > 0.0);
        present.fold(share, |product, (_, count)| product * count / total)
    };
    for (row, found) in rows.outer_iter().zip(found.outer_iter()) {
        let row = row.to_vec();
        let expected = of(&row, 1) / (of(&row, 0) + of(&row, 1));
        assert!((found[1] - expected).abs() < 1e-12, "{found} {expected}");
    }
}

#[test]
fn probabilities_are_roughly_calibrated() {
    for kind in [
        Kind::DenseNearestCentroid,
        Kind::DensePerceptron,
        Kind::SparseNearestCentroid,
    ] {
        let (rows, labels) = data(kind, 1_200, 2);
        let model = Deployable::new(kind, 2, 12, 1).expect("sizes");
        let others = rows.view().split_at(Axis(0), 200).1;
        let error = |mut model: Box<dyn Learner>| {
            model
                .fit(first(&rows, 200), &labels[..200])
                .expect("rows that fit");
            let found = model.probabilities(others).expect("rows that fit");
            expected_calibration_error(&found.view(), &labels[200..]).expect("labels")
        };
        let plain = error(model.copy());
        let calibrated = error(Box::new(Calibrated::new(model.copy(), 3)));
        assert!(
            plain < 0.1 && calibrated < 0.1,
            "{kind} {plain} {calibrated}"
        );
    }
}

#[test]
fn fit_takes_few_labels() {
    for kind in Kind::ALL {
        let (rows, _) = data(kind, 4, 2);
        let mut model = Deployable::new(kind, 2, 12, 1).expect("sizes");
        let found = model.probabilities(rows.view()).expect("rows that fit");
        assert_eq!(found, Array2::from_elem((4, 2), 0.5));
        model.fit(first(&rows, 1), &[1]).expect("rows that fit");
        assert!(model.model().is_none());
        let found = model.probabilities(rows.view()).expect("rows that fit");
        assert!((found[(0, 1)] - 2.0 / 3.0).abs() < 1e-15, "{found}");
        model.fit(first(&rows, 2), &[1, 0]).expect("rows that fit");
        let found = model.probabilities(rows.view()).expect("rows that fit");
        assert!(
            found.iter().all(|it| (0.0..=1.0).contains(it)),
            "{kind} {found}"
        );
        let equal = Array2::from_elem((4, 12), 1.0);
        model
            .fit(equal.view(), &[1, 0, 1, 0])
            .expect("rows that fit");
        let found = model.probabilities(equal.view()).expect("rows that fit");
        assert!(
            found
                .outer_iter()
                .all(|row| (row.sum() - 1.0).abs() < 1e-12),
            "{kind} {found}"
        );
    }
}

#[test]
fn fit_takes_or_refuses_odd_numbers() {
    let large = Array2::from_shape_fn((6, 3), |(row, at)| [1e100, -1e100, 0.0][(row + at) % 3]);
    let labels = [0, 1, 0, 1, 0, 1];
    for kind in Kind::ALL {
        let mut model = Deployable::new(kind, 2, 3, 1).expect("sizes");
        match model.fit(large.view(), &labels) {
            Ok(()) => {
                let found = model.probabilities(large.view()).expect("rows that fit");
                assert!(
                    found
                        .outer_iter()
                        .all(|row| (row.sum() - 1.0).abs() < 1e-12)
                );
            }
            Err(error) => {
                let words = error.to_string();
                assert!(
                    words.starts_with("the classifier does not take the rows: "),
                    "{words}"
                );
                assert!(model.model().is_none());
            }
        }
    }
    let error = Deployable::new(Kind::DensePerceptron, 3, 3, 1).expect_err("three classes");
    assert_eq!(error.to_string(), "classes is 3; expected 2 to 2");
}
