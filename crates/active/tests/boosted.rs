//! Tests of boosted trees: their probabilities, equal bits and odd input.

mod common;

use common::{accuracy, blobs, digest, first};
use cotrain_active::{Boosted, Learner};
use ndarray::{Array2, array};

#[test]
fn fit_learns_classes() {
    let (rows, labels) = blobs(600, 16, 4, 3);
    let mut model = Boosted::new(4, 16, 50, 7).expect("sizes");
    model
        .fit(first(&rows, 200), &labels[..200])
        .expect("rows that fit");
    let found = model.probabilities(rows.view()).expect("rows that fit");
    let learned = accuracy(&found, &labels[..200]);
    let all = accuracy(&found, &labels);
    assert!(learned > 0.99 && all > 0.85, "{learned} {all}");
    for row in found.outer_iter() {
        assert!((row.sum() - 1.0).abs() < 1e-12);
    }
}

#[test]
fn fit_gives_equal_bits() {
    let (rows, labels) = blobs(300, 10, 4, 11);
    let mut model = Boosted::new(4, 10, 20, 5).expect("sizes");
    model
        .fit(first(&rows, 100), &labels[..100])
        .expect("rows that fit");
    model.fit(rows.view(), &labels).expect("rows that fit");
    let mut other = Boosted::new(4, 10, 20, 5).expect("sizes");
    other.fit(rows.view(), &labels).expect("rows that fit");
    assert_eq!(model, other);
    let mut seeded = Boosted::new(4, 10, 20, 6).expect("sizes");
    seeded.fit(rows.view(), &labels).expect("rows that fit");
    let found = model.probabilities(rows.view()).expect("rows that fit");
    assert_ne!(
        found,
        seeded.probabilities(rows.view()).expect("rows that fit")
    );
    // It is the same on every machine.
    assert_eq!(digest(&found), "e27a000db8aed1e1");
}

#[test]
fn fit_reads_columns_in_any_order_of_memory() {
    let (rows, labels) = blobs(60, 5, 3, 2);
    let turned = rows.t().as_standard_layout().into_owned();
    let [mut model, mut other] = [1, 1].map(|seed| Boosted::new(3, 5, 10, seed).expect("sizes"));
    model.fit(rows.view(), &labels).expect("rows that fit");
    other.fit(turned.t(), &labels).expect("rows that fit");
    assert_eq!(model, other);
    let found = model.probabilities(turned.t()).expect("rows that fit");
    assert_eq!(
        found,
        model.probabilities(rows.view()).expect("rows that fit")
    );
}

#[test]
fn fit_takes_odd_numbers() {
    let large = Array2::from_shape_fn((6, 3), |(row, at)| [1e100, -1e100, 0.0][(row + at) % 3]);
    let equal = Array2::from_elem((6, 3), 7.0);
    let small = Array2::from_shape_fn((6, 3), |(row, at)| [5e-324, 0.0, -5e-324][(row * at) % 3]);
    for rows in [large, equal, small] {
        for labels in [[0, 1, 0, 1, 0, 1], [3; 6], [0, 0, 0, 0, 0, 1]] {
            let mut model = Boosted::new(4, 3, 5, 1).expect("sizes");
            model.fit(rows.view(), &labels).expect("rows that fit");
            let found = model.probabilities(rows.view()).expect("rows that fit");
            for row in found.outer_iter() {
                assert!((row.sum() - 1.0).abs() < 1e-12, "{rows} {labels:?} {row}");
            }
        }
    }
}

#[test]
fn probabilities_know_one_label_only() {
    let mut model = Boosted::new(3, 1, 4, 0).expect("sizes");
    let rows = array![[1.0], [-1.0]];
    let found = model.probabilities(rows.view()).expect("rows that fit");
    assert_eq!(found, Array2::from_elem((2, 3), 1.0 / 3.0));
    assert!(
        model
            .members(rows.view())
            .expect("rows that fit")
            .is_empty()
    );
    model.fit(first(&rows, 1), &[2]).expect("rows that fit");
    let found = model.probabilities(rows.view()).expect("rows that fit");
    assert_eq!(found, array![[0.25, 0.25, 0.5], [0.25, 0.25, 0.5]]);
}

#[test]
fn boosted_refuses_what_does_not_fit() {
    let mut model = Boosted::new(3, 2, 4, 0).expect("sizes");
    let error = model
        .fit(array![[1.0, 2.0]].view(), &[3])
        .expect_err("no class");
    assert_eq!(
        error.to_string(),
        "the label of row 0 is 3; expected a class below 3"
    );
    assert!(model.fit(array![[1.0, f64::NAN]].view(), &[0]).is_err());
    assert!(model.probabilities(array![[1.0]].view()).is_err());
    let error = Boosted::new(3, 2, 501, 0).expect_err("too many rounds");
    assert_eq!(error.to_string(), "rounds is 501; expected 1 to 500");
}

#[test]
fn boosted_is_the_same_after_json() {
    let (rows, labels) = blobs(40, 6, 3, 5);
    let mut model = Boosted::new(3, 6, 5, 9).expect("sizes");
    model.fit(rows.view(), &labels).expect("rows that fit");
    let text = serde_json::to_string(&model).expect("JSON");
    let read: Boosted = serde_json::from_str(&text).expect("a model");
    assert_eq!(read, model);
    for (from, to) in [
        ("\"features\":6", "\"features\":2"),
        ("\"rounds\":5", "\"rounds\":4"),
        ("\"classes\":[0,1,2]", "\"classes\":[0,1]"),
        ("\"classes\":[0,1,2]", "\"classes\":[0,2,1]"),
        ("\"classes\":[0,1,2]", "\"classes\":[0,1,3]"),
        ("\"seed\":9", "\"seed\":9,\"more\":1"),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        assert!(serde_json::from_str::<Boosted>(&changed).is_err(), "{to}");
    }
}
