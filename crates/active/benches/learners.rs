//! Times learners, as name, value and unit.
//!
//! The rows have 64 features and 10 classes, as the digits have.

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Instant;

use common::{blobs, first};
use cotrain_active::{Boosted, Forest, Learner, Logistic};

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
    print("forest_refit_200", &mut forest);
    print("forest_decision", &mut forest_decision);
    print("boosted_refit_200", &mut boosted);
}

/// Returns the time that a call takes.
fn milliseconds<T>(call: impl FnOnce() -> T) -> f64 {
    let started = Instant::now();
    std::hint::black_box(call());
    started.elapsed().as_secs_f64() * 1e3
}

/// Writes the median of times.
// A benchmark's result goes to stdout.
#[allow(clippy::print_stdout)]
fn print(name: &str, times: &mut [f64]) {
    times.sort_by(f64::total_cmp);
    println!("{name}\t{:.4}\tmilliseconds", times[times.len() / 2]);
}
