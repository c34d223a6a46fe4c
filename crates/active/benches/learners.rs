//! Times learners, as name, value and unit.
//!
//! The rows have 64 features and 10 classes, as the digits have.

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Instant;

use common::{blobs, first};
use cotrain_active::{
    Boosted, Forest, Learner, Logistic, Measure, Strategy,
    annotators::{Method, Opinion},
    session::{Batch, Input, LearnerKind, Limits, Opening, Session},
    stream::Gate,
};

const LABELS: usize = 200;

fn main() {
    let (rows, labels) = blobs(LABELS + 5, 64, 10, 1);
    let before = first(&rows, LABELS);
    let mut cold = Vec::new();
    let mut warm = Vec::new();
    let mut decision = Vec::new();
    for _ in 0..50 {
        let mut model = Logistic::new(10, 64).expect("sizes");
        cold.push(milliseconds(|| {
            model
                .learn(&before, &labels[..LABELS])
                .expect("rows that fit")
        }));
        warm.push(milliseconds(|| {
            model.learn(&rows.view(), &labels).expect("rows that fit")
        }));
        let row = first(&rows, 1);
        decision.push(milliseconds(|| {
            model.probabilities(row).expect("rows that fit")
        }));
    }
    let [mut forest, mut forest_decision, mut boosted] = [(); 3].map(|()| Vec::new());
    let row = first(&rows, 1);
    for seed in 0..20 {
        let mut model = Forest::new(10, 64, 50, seed).expect("sizes");
        forest.push(milliseconds(|| {
            model.fit(before, &labels[..LABELS]).expect("rows that fit");
        }));
        forest_decision.push(milliseconds(|| {
            model.probabilities(row).expect("rows that fit")
        }));
        let mut model = Boosted::new(10, 64, 50, seed).expect("sizes");
        boosted.push(milliseconds(|| {
            model.fit(before, &labels[..LABELS]).expect("rows that fit");
        }));
    }
    print("logistic_refit_cold_200", &mut cold);
    print("logistic_refit_warm_200", &mut warm);
    print("logistic_decision", &mut decision);
    print_p99("session_decision_p99", &mut session_decisions());
    print("forest_refit_200", &mut forest);
    print("forest_decision", &mut forest_decision);
    print("boosted_refit_200", &mut boosted);
}

/// Returns the times of decisions by a session, of one row each.
fn session_decisions() -> Vec<f64> {
    let (rows, labels) = blobs(LABELS, 64, 10, 2);
    let opening = Opening {
        learner: LearnerKind::Logistic,
        classes: Some(10),
        features: 64,
        strategy: Strategy::Margin,
        gate: Some(Gate::Threshold {
            measure: Measure::Margin,
            uncertainty: 0.5,
        }),
        stopping: Vec::new(),
        fixed: None,
        method: Method::Majority,
        calibrated: false,
        seed: 1,
    };
    let limits = Limits {
        classes: 10,
        features: 64,
        rows: LABELS,
        opinions: 1,
        numbers: rows.len(),
        call: LABELS,
        pools: 0,
        pool_rows: 0,
        pool_numbers: 0,
    };
    let opinion = |(row, label): (usize, &usize)| Opinion {
        row,
        annotator: 0,
        label: *label,
    };
    let batch = Batch {
        rows: rows.clone(),
        opinions: labels.iter().enumerate().map(opinion).collect(),
        fixed: None,
    };
    let session = Session::open(opening, limits).expect("an opening");
    let mut session = session.train(&batch, 0).expect("rows").0;
    let mut times = Vec::new();
    for index in 0..2_000 {
        let row = rows.select(ndarray::Axis(0), &[index % LABELS]);
        let row = Input::Rows(row);
        times.push(milliseconds(|| {
            session = session.decide(&row).expect("a row").0;
        }));
    }
    times
}

/// Returns the time that a call takes.
fn milliseconds<T>(call: impl FnOnce() -> T) -> f64 {
    let started = Instant::now();
    std::hint::black_box(call());
    started.elapsed().as_secs_f64() * 1e3
}

/// Writes the time that 99 of 100 calls keep.
// A benchmark's result goes to stdout.
#[allow(clippy::print_stdout)]
fn print_p99(name: &str, times: &mut [f64]) {
    times.sort_by(f64::total_cmp);
    println!("{name}\t{:.4}\tmilliseconds", times[times.len() * 99 / 100]);
}

/// Writes the median of times.
// A benchmark's result goes to stdout.
#[allow(clippy::print_stdout)]
fn print(name: &str, times: &mut [f64]) {
    times.sort_by(f64::total_cmp);
    println!("{name}\t{:.4}\tmilliseconds", times[times.len() / 2]);
}
