//! Tests of calibrated probabilities, on data whose probabilities are known.

mod common;

use common::{blobs, first, largest_difference};
use cotrain_active::calibration::MIN_LABELS;
use cotrain_active::{
    Calibrated, Forest, Learner, Logistic, Temperature, expected_calibration_error,
};
use ndarray::{Array2, Axis, array};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Returns probabilities of three classes, and labels drawn by them.
fn known(rows: usize) -> (Array2<f64>, Vec<usize>) {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut found =
        Array2::from_shape_fn((rows, 3), |_| random.random_range(0.01..1.0_f64).powi(3));
    for mut row in found.axis_iter_mut(Axis(0)) {
        let sum = row.sum();
        row.mapv_inplace(|it| it / sum);
    }
    let draw = |row: ndarray::ArrayView1<'_, f64>| {
        let at: f64 = random.random_range(0.0..1.0);
        if at < row[0] {
            0
        } else {
            2 - usize::from(at < row[0] + row[1])
        }
    };
    let labels = found.outer_iter().map(draw).collect();
    (found, labels)
}

/// Returns probabilities to a power, made to sum to 1.
fn sharpened(probabilities: &Array2<f64>, power: f64) -> Array2<f64> {
    let mut found = probabilities.mapv(|it| it.powf(power));
    for mut row in found.axis_iter_mut(Axis(0)) {
        let sum = row.sum();
        row.mapv_inplace(|it| it / sum);
    }
    found
}

#[test]
fn temperature_finds_what_made_probabilities_too_certain() {
    let (found, labels) = known(20_000);
    for power in [0.5, 1.0, 2.0] {
        let mut changed = sharpened(&found, power);
        let temperature = Temperature::of(&changed.view(), &labels).expect("labels that fit");
        assert!(
            (temperature.get() / power - 1.0).abs() < 0.05,
            "{power} {temperature:?}"
        );
        let before = expected_calibration_error(&changed.view(), &labels).expect("labels");
        temperature.apply(&mut changed);
        let after = expected_calibration_error(&changed.view(), &labels).expect("labels");
        assert!(after < 0.015, "{after}");
        assert!(
            (power - 1.0).abs() < 1e-9 || before > 0.05,
            "{power} {before}"
        );
        assert!(
            changed
                .outer_iter()
                .all(|row| (row.sum() - 1.0).abs() < 1e-12)
        );
    }
}

#[test]
fn expected_calibration_error_is_that_of_the_formula() {
    let found = array![[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.5, 0.5]];
    // Ranges of .9, .8 and .5: one of two right, one of one, one of one.
    let expected = (2.0 * 0.4 + 0.2 + 0.5) / 4.0;
    let error = expected_calibration_error(&found.view(), &[0, 1, 1, 0]).expect("labels");
    assert!((error - expected).abs() < 1e-12, "{error}");
    let certain = array![[1.0, 0.0], [0.0, 1.0]];
    for (labels, expected) in [([0, 1], 0.0), ([1, 0], 1.0)] {
        let error = expected_calibration_error(&certain.view(), &labels).expect("labels");
        assert!((error - expected).abs() < 1e-12, "{error}");
    }
    assert!(expected_calibration_error(&certain.view(), &[0]).is_err());
    assert!(expected_calibration_error(&certain.view(), &[0, 2]).is_err());
    assert!(expected_calibration_error(&array![[f64::NAN, 0.0]].view(), &[0]).is_err());
}

#[test]
fn calibrated_forest_is_less_wrong_on_other_rows() {
    let (rows, labels) = blobs(1_300, 10, 4, 3);
    let forest = Forest::new(4, 10, 50, 1).expect("sizes");
    let mut plain = forest.clone();
    let mut calibrated = Calibrated::new(Box::new(forest), 7);
    let learned = first(&rows, 300);
    plain.fit(learned, &labels[..300]).expect("rows that fit");
    calibrated
        .fit(learned, &labels[..300])
        .expect("rows that fit");
    // A forest's shares are too cautious.
    assert!(
        calibrated.temperature().get() < 0.9,
        "{:?}",
        calibrated.temperature()
    );
    let others = rows.view().split_at(Axis(0), 300).1;
    let [before, after] = [&plain as &dyn Learner, &calibrated].map(|it| {
        let found = it.probabilities(others).expect("rows that fit");
        expected_calibration_error(&found.view(), &labels[300..]).expect("labels")
    });
    assert!(after < 0.6 * before, "{before} {after}");
    let copy = calibrated.copy();
    let [own, copied] = [&calibrated as &dyn Learner, &*copy]
        .map(|it| it.probabilities(others).expect("rows that fit"));
    assert_eq!(own, copied);
}

#[test]
fn temperature_is_one_for_few_labels() {
    let (rows, labels) = blobs(MIN_LABELS, 3, 2, 4);
    let model = Logistic::new(2, 3).expect("sizes");
    let of = |count: usize, labels: &[usize]| {
        Temperature::fit(&model, &first(&rows, count), &labels[..count], 0).expect("rows that fit")
    };
    assert_eq!(of(MIN_LABELS - 1, &labels), Temperature::ONE);
    assert_eq!(of(MIN_LABELS, &[1; MIN_LABELS]), Temperature::ONE);
    assert_ne!(of(MIN_LABELS, &labels), Temperature::ONE);
    let mut learned = Calibrated::new(model.copy(), 0);
    learned
        .fit(first(&rows, 10), &labels[..10])
        .expect("rows that fit");
    let mut plain = model.clone();
    plain
        .fit(first(&rows, 10), &labels[..10])
        .expect("rows that fit");
    let [own, other] = [&learned as &dyn Learner, &plain]
        .map(|it| it.probabilities(rows.view()).expect("rows that fit"));
    assert!(largest_difference(&own, &other) == 0.0);
}
