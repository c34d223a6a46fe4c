//! Labels that margin needs on the embedded digits, which are the same on every machine.

use cotrain_active::{
    Forest, Learner, Logistic, Strategy,
    experiment::{Known, Plan, Split, Trial},
    strategy::Start,
};
use cotrain_learning::data::{Example, Source, TEST_SHARE, load};
use ndarray::Array2;

/// Number of digits to measure on.
const TEST: usize = 500;

/// Returns the pixels of all digits, from 0 to 1, and their labels, in the order of the file.
fn digits() -> (Array2<f64>, Vec<usize>) {
    let found = load(&Source::Digits, TEST_SHARE, 0).expect("the digits");
    let mut digits: Vec<(u64, usize, Vec<f64>)> = Vec::new();
    for part in [&found.train, &found.test] {
        let labels = part.labels().iter().map(|&label| usize::from(label));
        for ((&line, label), example) in part.lines().iter().zip(labels).zip(part.examples()) {
            let Example::Numbers(pixels) = example else {
                panic!("a digit has pixels")
            };
            digits.push((line, label, pixels.iter().map(|it| it / 16.0).collect()));
        }
    }
    digits.sort_by_key(|&(line, ..)| line);
    let numbers: Vec<f64> = digits.iter().flat_map(|(.., row)| row.clone()).collect();
    let rows = Array2::from_shape_vec((digits.len(), 64), numbers).expect("64 pixels each");
    (rows, digits.iter().map(|&(_, label, _)| label).collect())
}

/// Returns the labels to 90 % and to 95 % of the seeds 0 to 2, as `cotrain label` counts them.
fn needed(make: impl Fn(u64) -> Box<dyn Learner>, batch: usize) -> [[Option<usize>; 3]; 2] {
    let (rows, labels) = digits();
    let known = Known {
        rows: rows.view(),
        labels: &labels,
    };
    let plan = Plan {
        strategy: Strategy::Margin,
        start: Some(Start::TypiClust),
    };
    let counts = [0, 1, 2].map(|seed| {
        let split = Split::stratified(&labels, TEST, seed).expect("a split");
        let mut trial = Trial::new(known, &split, make(seed), plan, seed).expect("a trial");
        while trial.labels_to(0.95).is_none() && trial.labels() < 600 {
            let asked = trial.query(batch).expect("rows");
            trial.learn(&asked).expect("a point");
        }
        [trial.labels_to(0.9), trial.labels_to(0.95)]
    });
    [0, 1].map(|share| counts.map(|it| it[share]))
}

#[test]
fn trial_by_margin_needs_these_labels_with_logistic_regression() {
    let found = needed(|_| Box::new(Logistic::new(10, 64).expect("sizes")), 5);
    assert_eq!(
        found,
        [[66, 81, 51], [131, 116, 141]].map(|it| it.map(Some))
    );
}

#[test]
fn trial_by_margin_needs_these_labels_with_a_forest() {
    let forest =
        |seed| Box::new(Forest::new(10, 64, 100, seed).expect("sizes")) as Box<dyn Learner>;
    let found = needed(forest, 10);
    assert_eq!(
        found,
        [[81, 71, 61], [131, 161, 101]].map(|it| it.map(Some))
    );
}
