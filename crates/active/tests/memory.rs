//! Memory that sessions take, in a process of its own: that of other tests would count, too.
#![cfg(target_os = "linux")]

use cotrain_active::{
    Strategy,
    annotators::{Method, Opinion},
    session::{Batch, LearnerKind, Limits, Opening, Session},
    stopping::Rule,
};
use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const LIMITS: Limits = Limits {
    classes: 20,
    features: 64,
    rows: 1_000,
    opinions: 5,
    numbers: 100_000,
    call: 2_000,
    pools: 2,
    pool_rows: 3_000,
    pool_numbers: 200_000,
};
const FEATURES: usize = 64;
const CLASSES: usize = 10;
const LABELS: usize = 200;
const SESSIONS: usize = 50;

/// Returns the resident memory of this process in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|it| it.starts_with("VmRSS:")).unwrap();
    let kilobytes = line.split_whitespace().nth(1).unwrap();
    kilobytes.parse::<usize>().unwrap() * 1_024
}

/// Returns a session that has learned 200 labeled rows and looks at 100 fixed ones.
fn session(seed: u64) -> Session {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut rows = |count| Array2::from_shape_simple_fn((count, FEATURES), || random.random());
    let opening = Opening {
        learner: LearnerKind::Logistic,
        classes: Some(CLASSES),
        features: FEATURES,
        strategy: Strategy::Margin,
        gate: None,
        stopping: vec![Rule::ClassificationChange { share: 0.0 }],
        fixed: Some(rows(100)),
        method: Method::Majority,
        calibrated: false,
        seed,
    };
    let batch = Batch {
        rows: rows(LABELS),
        opinions: (0..LABELS)
            .map(|row| Opinion {
                row,
                annotator: 0,
                label: row % CLASSES,
            })
            .collect(),
        fixed: None,
    };
    let opened = Session::open(opening, LIMITS).unwrap();
    opened.train(&batch, 0).unwrap().0
}

#[test]
fn session_takes_at_most_300_000_bytes_for_200_labels() {
    let first = session(0);
    let before = resident();
    let sessions: Vec<Session> = (1..=SESSIONS as u64).map(session).collect();
    let each = resident().saturating_sub(before) / sessions.len();
    assert!(each <= 300_000, "{each} bytes");
    assert_eq!(first.rows(), LABELS);
}
