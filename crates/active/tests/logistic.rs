//! Tests of logistic regression: its optimum, warm starts, equal bits and odd input.

mod common;

use common::{blobs, digest, first, largest_difference};
use cotrain_active::{LearnError, Learner, Logistic};
use ndarray::{Array2, array};

/// Returns the function's value for all classes, computed plainly.
fn loss(model: &Logistic, rows: &Array2<f64>, labels: &[usize]) -> f64 {
    let found = model.probabilities(rows.view()).expect("rows that fit");
    let losses = labels.iter().enumerate();
    let losses: f64 = losses
        .map(|(row, &label)| -libm::log(found[(row, label)]))
        .sum();
    let squares: f64 = model.weights().iter().map(|it| it * it).sum();
    losses + 0.5 * squares
}

#[test]
fn learn_ends_at_the_least_loss() {
    for classes in [2, 3, 7] {
        let (rows, labels) = blobs(120, 9, classes, 3);
        let mut model = Logistic::new(classes, 9).expect("sizes");
        let fit = model.learn(&rows.view(), &labels).expect("rows that fit");
        let plain = loss(&model, &rows, &labels);
        assert!(
            (fit.loss - plain).abs() <= 1e-9 * plain,
            "{} {plain}",
            fit.loss
        );
        // No weight or intercept can move and lessen the loss: the gradient is nearly 0.
        let found = model.probabilities(rows.view()).expect("rows that fit");
        let scored = if classes == 2 { 1..2 } else { 0..classes };
        for class in scored {
            let mut gradient: Vec<f64> = model.weights()[class * 9..(class + 1) * 9].to_vec();
            let mut intercept = 0.0;
            for (row, &label) in labels.iter().enumerate() {
                let own = if label == class { 1.0 } else { 0.0 };
                let derivative = found[(row, class)] - own;
                intercept += derivative;
                for (sum, value) in gradient.iter_mut().zip(rows.row(row)) {
                    *sum += derivative * value;
                }
            }
            gradient.push(intercept);
            let largest = gradient
                .iter()
                .fold(0.0, |most: f64, it| most.max(it.abs()));
            assert!(largest < 1e-2, "{classes} {largest}");
        }
    }
}

#[test]
fn learn_ends_at_the_loss_of_scikit_learn() {
    #[derive(serde::Deserialize)]
    struct Set {
        name: String,
        rows: Vec<Vec<f64>>,
        labels: Vec<usize>,
        /// Loss of its optimum, which `scripts/label-check` wrote.
        loss: f64,
    }
    let sets: Vec<Set> =
        serde_json::from_str(include_str!("scikit-learn.json")).expect("sets with losses");
    assert_eq!(sets.len(), 3);
    for Set {
        name,
        rows,
        labels,
        loss,
    } in sets
    {
        let classes = labels.iter().max().expect("labels") + 1;
        let features = rows[0].len();
        let rows = Array2::from_shape_vec((labels.len(), features), rows.concat());
        let rows = rows.expect("equally long rows");
        let mut model = Logistic::new(classes, features).expect("sizes");
        // Cold, then warm after a label that is wrong.
        let mut wrong = labels.clone();
        wrong[0] = (wrong[0] + 1) % classes;
        let cold = model.learn(&rows.view(), &labels).expect("rows that fit");
        model.learn(&rows.view(), &wrong).expect("rows that fit");
        let warm = model.learn(&rows.view(), &labels).expect("rows that fit");
        for fit in [cold, warm] {
            let apart = (fit.loss - loss).abs() / loss;
            assert!(apart <= 1e-6, "{name}: {fit:?}, expected {loss}");
        }
    }
}

#[test]
fn learn_ends_equally_warm_and_cold() {
    let (rows, labels) = blobs(200, 12, 5, 7);
    let mut warm = Logistic::new(5, 12).expect("sizes");
    for end in (5..=200).step_by(5) {
        let rows = first(&rows, end);
        let warm_fit = warm.learn(&rows, &labels[..end]).expect("rows that fit");
        let mut cold = Logistic::new(5, 12).expect("sizes");
        let cold_fit = cold.learn(&rows, &labels[..end]).expect("rows that fit");
        let apart = (warm_fit.loss - cold_fit.loss).abs();
        assert!(
            apart <= 1e-7 * cold_fit.loss,
            "{end}: {warm_fit:?} {cold_fit:?}"
        );
        let [warm, cold] = [&warm, &cold].map(|it| it.probabilities(rows).expect("rows that fit"));
        let apart = largest_difference(&warm, &cold);
        assert!(apart < 1e-3, "{end}: {apart}");
    }
}

#[test]
fn learn_takes_few_steps_when_warm() {
    let (rows, labels) = blobs(205, 64, 10, 1);
    let mut model = Logistic::new(10, 64).expect("sizes");
    let begin = first(&rows, 200);
    let cold = model.learn(&begin, &labels[..200]).expect("rows that fit");
    let warm = model.learn(&rows.view(), &labels).expect("rows that fit");
    let again = model.learn(&rows.view(), &labels).expect("rows that fit");
    assert!(
        cold.steps <= 28 && warm.steps <= 14 && again.steps <= 2,
        "{cold:?} {warm:?} {again:?}"
    );
}

#[test]
fn learn_gives_equal_bits() {
    let (rows, labels) = blobs(90, 10, 4, 11);
    let mut model = Logistic::new(4, 10).expect("sizes");
    model
        .learn(&first(&rows, 60), &labels[..60])
        .expect("rows that fit");
    model.learn(&rows.view(), &labels).expect("rows that fit");
    // It is the same on every machine.
    assert_eq!(
        digest(&model.probabilities(rows.view()).expect("rows that fit")),
        "c631d40204ae8c50"
    );
}

#[test]
fn probabilities_know_one_label_only() {
    let mut model = Logistic::new(3, 2).expect("sizes");
    let rows = array![[1.0, 2.0], [-1.0, 0.0]];
    let found = model.probabilities(rows.view()).expect("rows that fit");
    assert_eq!(found, Array2::from_elem((2, 3), 1.0 / 3.0));
    model.fit(first(&rows, 1), &[2]).expect("rows that fit");
    let found = model.probabilities(rows.view()).expect("rows that fit");
    assert_eq!(found, array![[0.25, 0.25, 0.5], [0.25, 0.25, 0.5]]);
    model.fit(rows.view(), &[2, 0]).expect("rows that fit");
    let found = model.probabilities(rows.view()).expect("rows that fit");
    assert!(found[(0, 2)] > 0.5 && found[(1, 0)] > 0.5, "{found}");
    assert!((found[(0, 1)] - 0.2).abs() < 1e-15, "{found}");
}

#[test]
fn learn_takes_odd_numbers() {
    let large = Array2::from_shape_fn((6, 3), |(row, at)| [1e100, -1e100, 0.0][(row + at) % 3]);
    let equal = Array2::from_elem((6, 3), 7.0);
    let small = Array2::from_shape_fn((6, 3), |(row, at)| [1e-300, 5e-324, 0.0][(row * at) % 3]);
    let mixed = Array2::from_shape_fn((6, 3), |(row, at)| {
        [1e100, 1.0, 1e-100][at] * [1.0, -0.5][row % 2]
    });
    for rows in [large, equal, small, mixed] {
        for labels in [
            [0, 1, 0, 1, 0, 1],
            [0, 1, 2, 3, 0, 1],
            [3; 6],
            [0, 0, 0, 0, 0, 1],
        ] {
            let mut model = Logistic::new(4, 3).expect("sizes");
            for _ in 0..2 {
                model.fit(rows.view(), &labels).expect("rows that fit");
                let found = model.probabilities(rows.view()).expect("rows that fit");
                for row in found.outer_iter() {
                    assert!((row.sum() - 1.0).abs() < 1e-9, "{rows} {labels:?} {row}");
                    assert!(row.iter().all(|it| (0.0..=1.0).contains(it)), "{row}");
                }
            }
        }
    }
}

#[test]
fn learn_refuses_what_does_not_fit() {
    let mut model = Logistic::new(3, 2).expect("sizes");
    let rows = array![[1.0, 2.0], [3.0, 1.0]];
    model.fit(rows.view(), &[0, 2]).expect("rows that fit");
    let before = model.clone();
    let mut refused = |rows: &Array2<f64>, labels: &[usize]| {
        let error = model
            .fit(rows.view(), labels)
            .expect_err("rows that do not fit");
        assert_eq!(model, before);
        error.to_string()
    };
    assert_eq!(
        refused(&rows, &[0]),
        "1 labels for 2 rows; expected one for each"
    );
    assert_eq!(
        refused(&rows, &[0, 3]),
        "the label of row 1 is 3; expected a class below 3"
    );
    assert_eq!(
        refused(&Array2::zeros((0, 2)), &[]),
        "there is no labeled row; expected at least one"
    );
    assert_eq!(
        refused(&Array2::zeros((1, 3)), &[0]),
        "a row has 3 numbers; expected 2"
    );
    assert_eq!(
        refused(&array![[1.0, f64::NAN]], &[0]),
        "number 1 of row 0 is NaN; expected a finite number"
    );
    assert_eq!(
        refused(&array![[1.0, 2.0], [-1e101, 0.0]], &[0, 1]),
        "number 0 of row 1 is -1e101; expected at most 1e100 in size"
    );
    let error = Logistic::new(1, 2).expect_err("one class");
    assert_eq!(error.to_string(), "classes is 1; expected 2 to 1000");
    let error = Logistic::with_cost(2, 2, f64::NAN).expect_err("no weight");
    assert!(matches!(error, LearnError::Cost { .. }));
    assert!(
        before
            .probabilities(array![[f64::INFINITY, 0.0]].view())
            .is_err()
    );
}

#[test]
fn logistic_is_the_same_after_json() {
    let (rows, labels) = blobs(40, 6, 3, 5);
    let mut model = Logistic::new(3, 6).expect("sizes");
    model.fit(rows.view(), &labels).expect("rows that fit");
    let text = serde_json::to_string(&model).expect("JSON");
    let read: Logistic = serde_json::from_str(&text).expect("a model");
    assert_eq!(read, model);
}
