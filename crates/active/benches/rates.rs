//! Times the work of sessions that is priced by the row, as name, value and unit.
//!
//! The rows have 64 features, and 10 classes or those that the learner takes. 200 rows are labeled.
//! On Linux it is the time on a core, which other processes do not change much.
//! The labeling service's prices follow these times (docs/labels.md).

#[path = "support/clock.rs"]
mod clock;
#[path = "../tests/common/mod.rs"]
mod common;

use clock::now;
use common::blobs;
use cotrain_active::{
    Measure, Strategy,
    annotators::{Method, Opinion},
    session::{Batch, Input, LearnerKind, Limits, Opening, Pool, Session},
    stream::Gate,
};
use cotrain_protocol::{classifier::Kind, sample::Encoding};
use ndarray::{Array2, Axis, Slice};

const FEATURES: usize = 64;
const LABELS: usize = 200;
const POOL: usize = 2_000;

const LIMITS: Limits = Limits {
    classes: 20,
    features: FEATURES,
    rows: 10_000,
    opinions: 5,
    numbers: 1_000_000,
    call: 10_000,
    pools: 1,
    pool_rows: 10_000,
    pool_numbers: 1_000_000,
};

/// Rows with labels that a learner takes.
struct Data {
    classes: usize,
    rows: Array2<f64>,
    labels: Vec<usize>,
}

impl Data {
    fn of(learner: LearnerKind) -> Self {
        let kind = match learner {
            LearnerKind::Deployable(kind) => Some(kind),
            _ => None,
        };
        let classes = match kind {
            Some(Kind::SparsePerceptron | Kind::DensePerceptron) => 2,
            _ => 10,
        };
        let (mut rows, labels) = blobs(LABELS + POOL, FEATURES, classes, 1);
        if kind.is_some_and(|kind| kind.encoding() == Encoding::Sparse) {
            rows.mapv_inplace(|it| if it > 0.0 { 1.0 } else { 0.0 });
        }
        Self {
            classes,
            rows,
            labels,
        }
    }

    fn part(&self, from: usize, count: usize) -> Array2<f64> {
        let rows = Slice::from(from..from + count);
        self.rows.slice_axis(Axis(0), rows).to_owned()
    }

    /// Returns a session that has learned from some rows.
    fn session(&self, learner: LearnerKind, strategy: Strategy, labels: usize) -> Session {
        let opening = Opening {
            learner,
            classes: Some(self.classes),
            features: FEATURES,
            strategy,
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
        let session = Session::open(opening, LIMITS).expect("an opening");
        session.train(&self.batch(0, labels), 0).expect("rows").0
    }

    fn batch(&self, from: usize, count: usize) -> Batch {
        let opinion = |row| Opinion {
            row,
            annotator: 0,
            label: self.labels[row],
        };
        Batch {
            rows: self.part(from, count),
            opinions: (from..from + count).map(opinion).collect(),
            fixed: None,
        }
    }

    fn pool(&self, learner: LearnerKind) -> Pool {
        let rows = self.part(LABELS, POOL);
        let own = learner == LearnerKind::Own;
        let given = || self.given(POOL);
        Pool {
            rows: Some(rows),
            probabilities: own.then(given),
        }
    }

    fn given(&self, rows: usize) -> Array2<f64> {
        let classes = u32::try_from(self.classes).expect("few");
        Array2::from_elem((rows, self.classes), 1.0 / f64::from(classes))
    }
}

fn main() {
    // The processor's predictions are not those of one row, so many different ones are timed.
    for learner in LearnerKind::ALL {
        let data = Data::of(learner);
        let session = data.session(learner, Strategy::Margin, LABELS);
        let more = data.batch(LABELS, 5);
        let name = learner.name();
        let train = nanoseconds(20, || session.train(&more, 0).expect("rows"));
        print(&format!("{name}_train"), train / 205.0);
        let rows = match learner {
            LearnerKind::Own => Input::Probabilities(data.given(POOL)),
            _ => Input::Rows(data.part(LABELS, POOL)),
        };
        let decide = nanoseconds(20, || session.decide(&rows).expect("rows"));
        print(&format!("{name}_decide"), decide / 2_000.0);
        let pool = data.pool(learner);
        let look = nanoseconds(20, || session.query(&pool, 5).expect("rows"));
        print(&format!("{name}_look"), look / 2_000.0);
    }
    let learner = LearnerKind::Logistic;
    let data = Data::of(learner);
    let pool = data.pool(learner);
    for strategy in Strategy::ALL {
        for (labels, count) in [(20, 5), (200, 5), (200, 200)] {
            let session = data.session(learner, strategy, labels);
            let query = nanoseconds(3, || session.query(&pool, count).expect("rows"));
            let name = format!("{}_{count}_after_{labels}", strategy.name());
            print(&name, query / 2_000.0);
        }
    }
}

/// Returns the mean time of a call, in nanoseconds. The system counts in steps of milliseconds.
fn nanoseconds<T>(turns: u32, mut call: impl FnMut() -> T) -> f64 {
    let started = now();
    for _ in 0..turns {
        std::hint::black_box(call());
    }
    (now() - started) * 1e9 / f64::from(turns)
}

// A benchmark's result goes to stdout.
#[allow(clippy::print_stdout)]
fn print(name: &str, nanoseconds: f64) {
    println!("rate_{name}\t{nanoseconds:.0}\tnanoseconds a row");
}
