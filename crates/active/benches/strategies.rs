//! Times queries, as name, value and unit.
//!
//! The rows have 64 features and 10 classes, as the digits have. On Linux it is the time on a core,
//! which other processes do not change much.

#[path = "support/clock.rs"]
mod clock;
#[path = "../tests/common/mod.rs"]
mod common;

use clock::now;
use common::{blobs, first};
use cotrain_active::{Learner, Logistic, Query, Strategy};
use ndarray::{Array2, ArrayView2};

/// Number of labeled rows.
const LABELS: usize = 100;

fn main() {
    let (rows, labels) = blobs(100_000, 64, 10, 1);
    let labeled = first(&rows, LABELS);
    let mut model = Logistic::new(10, 64).expect("sizes");
    model
        .fit(labeled, &labels[..LABELS])
        .expect("rows that fit");
    let probabilities = model.probabilities(rows.view()).expect("rows that fit");
    let time = |strategy: Strategy, pool: usize, count: usize, turns: u32| {
        milliseconds(turns, || {
            choose(
                strategy,
                &first(&rows, pool),
                &labeled,
                &probabilities,
                count,
            )
        })
    };
    for (pool, turns) in [(1_300, 2_000), (100_000, 10)] {
        let found = time(Strategy::Margin, pool, 5, turns);
        print(&format!("margin_5_of_{pool}"), found);
    }
    print(
        "k_center_10_of_10000",
        time(Strategy::KCenter, 10_000, 10, 10),
    );
    print(
        "typiclust_10_of_1300",
        time(Strategy::TypiClust, 1_300, 10, 10),
    );
    print(
        "density_10_of_1300",
        time(Strategy::Density { beta: 1.0 }, 1_300, 10, 10),
    );
}

fn choose(
    strategy: Strategy,
    pool: &ArrayView2<'_, f64>,
    labeled: &ArrayView2<'_, f64>,
    probabilities: &Array2<f64>,
    count: usize,
) -> Vec<usize> {
    let query = Query {
        labeled: *labeled,
        probabilities: Some(first(probabilities, pool.nrows())),
        ..Query::new(*pool, count, 1)
    };
    strategy.choose(&query).expect("rows")
}

/// Returns the mean time of a call. The system counts in steps of milliseconds.
fn milliseconds<T>(turns: u32, mut call: impl FnMut() -> T) -> f64 {
    let started = now();
    for _ in 0..turns {
        std::hint::black_box(call());
    }
    (now() - started) * 1e3 / f64::from(turns)
}

// A benchmark's result goes to stdout.
#[allow(clippy::print_stdout)]
fn print(name: &str, milliseconds: f64) {
    println!("query_{name}\t{milliseconds:.3}\tmilliseconds");
}
