//! Tests of sessions.

mod pools;
mod restore;

use std::f64::consts::TAU;

use cotrain_protocol::{classifier::Kind, sample::Encoding};
use ndarray::{Array2, array};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::{
    calibration::Temperature,
    measure::Measure,
    numbers::float,
    stopping::Rule,
    strategy::QueryError,
    stream::{Gate, Manager},
};

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

fn opening(classes: usize, features: usize) -> Opening {
    Opening {
        learner: LearnerKind::Logistic,
        classes: Some(classes),
        features,
        strategy: Strategy::Margin,
        gate: Some(Gate::Budget {
            manager: Manager::Quantile,
            share: 0.2,
        }),
        stopping: Vec::new(),
        fixed: None,
        method: Method::DawidSkene,
        calibrated: false,
        seed: 5,
    }
}

/// Returns rows around a center for each class, with their labels.
fn blobs(count: usize, classes: usize, features: usize, seed: u64) -> (Array2<f64>, Vec<usize>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let labels: Vec<usize> = (0..count)
        .map(|_| random.random_range(0..classes))
        .collect();
    let rows = Array2::from_shape_fn((count, features), |(row, column)| {
        let angle = float(labels[row]) / float(classes) + float(column) / float(features);
        2.0 * libm::sin(TAU * angle) + random.random::<f64>() - 0.5
    });
    (rows, labels)
}

fn batch(session: &Session, rows: &Array2<f64>, labels: &[usize]) -> Batch {
    let opinion = |(index, label): (usize, &usize)| Opinion {
        row: session.rows() + index,
        annotator: 0,
        label: *label,
    };
    Batch {
        rows: rows.clone(),
        opinions: labels.iter().enumerate().map(opinion).collect(),
        fixed: None,
    }
}

fn trained(opening: Opening, rows: &Array2<f64>, labels: &[usize]) -> Session {
    let session = Session::open(opening, LIMITS).unwrap();
    let batch = batch(&session, rows, labels);
    session.train(&batch, 0).unwrap().0
}

fn accuracy(session: &Session, rows: &Array2<f64>, labels: &[usize]) -> f64 {
    let predicted = session.predict(rows).unwrap();
    let pairs = predicted.rows().into_iter().zip(labels);
    let right = pairs.filter(|(row, label)| most_likely(&row.to_vec()) == **label);
    float(right.count()) / float(labels.len())
}

#[test]
fn session_learns_from_what_it_asks_for() {
    let (pool, labels) = blobs(300, 4, 8, 1);
    let (test, truth) = blobs(200, 4, 8, 2);
    let mut session = trained(opening(4, 8), &pool.select_rows(&[0]), &labels[..1]);
    assert!(accuracy(&session, &test, &truth) < 0.5);
    let mut left: Vec<usize> = (1..300).collect();
    for _ in 0..6 {
        let asked = Pool {
            rows: Some(pool.select_rows(&left)),
            probabilities: None,
        };
        let (next, chosen) = session.query(&asked, 3).unwrap();
        assert_eq!(chosen.len(), 3);
        let chosen: Vec<usize> = chosen.iter().map(|index| left[*index]).collect();
        left.retain(|index| !chosen.contains(index));
        let given: Vec<usize> = chosen.iter().map(|index| labels[*index]).collect();
        let batch = batch(&next, &pool.select_rows(&chosen), &given);
        session = next.train(&batch, 0).unwrap().0;
    }
    let state = session.state();
    assert_eq!((state.rows, state.iterations, state.queries), (19, 7, 6));
    assert!(accuracy(&session, &test, &truth) > 0.95);
}

/// Selection of rows by index.
trait SelectRows {
    fn select_rows(&self, indices: &[usize]) -> Array2<f64>;
}

impl SelectRows for Array2<f64> {
    fn select_rows(&self, indices: &[usize]) -> Array2<f64> {
        self.select(ndarray::Axis(0), indices)
    }
}

#[test]
fn session_learns_with_each_learner() {
    for learner in LearnerKind::ALL {
        let kind = match learner {
            LearnerKind::Own => continue,
            LearnerKind::Deployable(kind) => Some(kind),
            _ => None,
        };
        // Perceptrons have two classes, and sparse samples numbers of 0 and 1.
        let classes = match kind {
            Some(Kind::SparsePerceptron | Kind::DensePerceptron) => 2,
            _ => 4,
        };
        let is_sparse = kind.is_some_and(|kind| kind.encoding() == Encoding::Sparse);
        let round = |rows: Array2<f64>| {
            if is_sparse {
                rows.mapv(|it| if it > 0.0 { 1.0 } else { 0.0 })
            } else {
                rows
            }
        };
        let (rows, labels) = blobs(120, classes, 8, 21);
        let (test, truth) = blobs(200, classes, 8, 22);
        let (rows, test) = (round(rows), round(test));
        let opening = Opening {
            learner,
            strategy: Strategy::Committee,
            calibrated: true,
            ..opening(classes, 8)
        };
        let session = trained(opening, &rows, &labels);
        let model = session.model().unwrap();
        assert_ne!(model.temperature(), Temperature::ONE, "{learner:?}");
        assert!(accuracy(&session, &test, &truth) > 0.9, "{learner:?}");
        let pool = Pool {
            rows: Some(test.clone()),
            probabilities: None,
        };
        let (session, chosen) = session.query(&pool, 4).unwrap();
        // Few rows of 0 and 1 are new.
        assert!(is_sparse || chosen.len() == 4, "{learner}");
        let written = serde_json::to_string(&session.snapshot()).unwrap();
        let snapshot: Snapshot = serde_json::from_str(&written).unwrap();
        let restored = Session::restore(snapshot, LIMITS).unwrap();
        assert_eq!(restored.predict(&test), session.predict(&test));
        assert!(session.bytes() < 2_000_000, "{}", session.bytes());
    }
}

#[test]
fn train_leaves_the_session_as_it_was_if_it_fails() {
    let (rows, labels) = blobs(10, 2, 4, 3);
    let session = trained(opening(2, 4), &rows, &labels);
    let before = session.snapshot();
    let row = array![[0.0, 0.0, 0.0, 0.0]];
    let failed = [
        batch(&session, &row, &[2]),
        batch(&session, &row, &[]),
        batch(&session, &array![[0.0, 0.0, 0.0]], &[0]),
        batch(&session, &array![[0.0, 0.0, f64::NAN, 0.0]], &[0]),
        batch(&session, &array![[0.0, 0.0, f64::INFINITY, 0.0]], &[0]),
        Batch {
            fixed: Some(array![[0.5, 0.5]]),
            ..batch(&session, &row, &[0])
        },
        Batch {
            opinions: vec![
                Opinion {
                    row: 10,
                    annotator: 0,
                    label: 0,
                };
                2
            ],
            ..batch(&session, &row, &[])
        },
    ];
    for batch in failed {
        assert!(session.train(&batch, 0).is_err(), "{batch:?}");
    }
    assert_eq!(session.snapshot(), before);
    let (next, _) = session.train(&batch(&session, &row, &[1]), 0).unwrap();
    assert_eq!(session.snapshot(), before);
    assert_eq!(next.rows(), 11);
}

#[test]
fn train_adds_classes_if_their_number_is_unknown() {
    let open = |classes| Opening {
        classes,
        ..opening(2, 2)
    };
    let (rows, labels) = blobs(40, 5, 2, 4);
    let known = Session::open(open(Some(2)), LIMITS).unwrap();
    assert_eq!(
        known.train(&batch(&known, &rows, &labels), 0).unwrap_err(),
        SessionError::Label { found: 4, max: 1 }
    );
    let session = Session::open(open(None), LIMITS).unwrap();
    assert_eq!(session.state().classes, 2);
    let first = rows.select_rows(&[0]);
    let (session, trained) = session.train(&batch(&session, &first, &[0]), 0).unwrap();
    assert_eq!(trained.classes, 2);
    let (session, trained) = session.train(&batch(&session, &rows, &labels), 0).unwrap();
    assert_eq!(trained.classes, 5);
    assert_eq!(session.predict(&first).unwrap().ncols(), 5);
    let far = batch(&session, &first, &[20]);
    assert_eq!(
        session.train(&far, 0).unwrap_err(),
        SessionError::Label { found: 20, max: 19 }
    );
}

#[test]
fn decide_asks_for_a_share_of_a_stream() {
    let (rows, labels) = blobs(30, 3, 6, 5);
    let session = trained(opening(3, 6), &rows, &labels);
    let (stream, _) = blobs(1_000, 3, 6, 6);
    let (next, decisions) = session.decide(&Input::Rows(stream)).unwrap();
    let asked = decisions.iter().filter(|it| it.ask).count();
    assert!((150..=250).contains(&asked), "{asked}");
    let state = next.state();
    assert_eq!((state.seen, state.asked), (1_000, asked as u64));
    assert_eq!(session.state().seen, 0);
    for decision in decisions {
        let sum: f64 = decision.probabilities.iter().sum();
        assert!((sum - 1.0).abs() < 1e-9);
        let margin = 1.0 - Measure::Margin.uncertainty(&decision.probabilities);
        assert!((decision.margin - margin).abs() < 1e-12);
    }
    let without = Session::open(
        Opening {
            gate: None,
            ..opening(3, 6)
        },
        LIMITS,
    )
    .unwrap();
    let refused = without.decide(&Input::Rows(Array2::zeros((1, 6))));
    assert_eq!(refused.unwrap_err(), SessionError::NoGate);
}

#[test]
fn session_takes_the_probabilities_of_another_model() {
    let opening = Opening {
        learner: LearnerKind::Own,
        stopping: vec![Rule::OverallUncertainty { uncertainty: 0.5 }],
        ..opening(2, 0)
    };
    let session = Session::open(opening.clone(), LIMITS).unwrap();
    let sure = array![[0.9, 0.1], [0.1, 0.9], [0.5, 0.5], [0.1, 0.9]];
    let pool = Pool {
        rows: None,
        probabilities: Some(sure.clone()),
    };
    let (session, chosen) = session.query(&pool, 1).unwrap();
    assert_eq!(chosen, [2]);
    let (session, decisions) = session.decide(&Input::Probabilities(sure.clone())).unwrap();
    assert_eq!(decisions[1].label, 1);
    let labels = |fixed| Batch {
        fixed,
        ..batch(&session, &Array2::zeros((1, 0)), &[1])
    };
    let unseen = session.train(&labels(None), 0);
    assert!(matches!(unseen, Err(SessionError::Rule(_))), "{unseen:?}");
    let fixed = array![[0.95, 0.05], [0.95, 0.05]];
    let (_, trained) = session.train(&labels(Some(fixed)), 0).unwrap();
    assert!(trained.stopped.is_some());
    for wrong in [
        array![[0.9, 0.2]],
        array![[1.5, -0.5]],
        array![[f64::NAN, 1.0]],
        array![[0.3, 0.3, 0.4]],
    ] {
        let refused = session.decide(&Input::Probabilities(wrong.clone()));
        assert!(refused.is_err(), "{wrong}");
    }
    let rows = session.decide(&Input::Rows(Array2::zeros((1, 0))));
    assert_eq!(rows.unwrap_err(), SessionError::NoModel);
    for strategy in [Strategy::KCenter, Strategy::Committee] {
        let opening = Opening {
            strategy,
            ..opening.clone()
        };
        assert!(Session::open(opening, LIMITS).is_err(), "{strategy:?}");
    }
}

#[test]
fn query_needs_no_label_for_any_strategy() {
    let (rows, labels) = blobs(60, 3, 4, 7);
    for strategy in Strategy::ALL {
        let opening = Opening {
            strategy,
            ..opening(3, 4)
        };
        let pool = Pool {
            rows: Some(rows.clone()),
            probabilities: None,
        };
        let mut session = Session::open(opening, LIMITS).unwrap();
        for labeled in [0, 1, 20] {
            if labeled > 0 {
                let first: Vec<usize> = (0..labeled).collect();
                let batch = batch(&session, &rows.select_rows(&first), &labels[..labeled]);
                session = session.train(&batch, 0).unwrap().0;
            }
            let (_, mut chosen) = session.query(&pool, 5).unwrap();
            chosen.sort_unstable();
            chosen.dedup();
            assert_eq!(chosen.len(), 5, "{strategy:?} after {labeled}");
        }
        let given = Pool {
            probabilities: Some(Array2::from_elem((60, 3), 1.0 / 3.0)),
            ..pool
        };
        assert_eq!(
            session.query(&given, 5).unwrap_err(),
            SessionError::HasModel
        );
    }
    let session = Session::open(opening(3, 4), LIMITS).unwrap();
    let pool = Pool {
        rows: Some(array![[0.0, f64::NAN, 0.0, 0.0]]),
        probabilities: None,
    };
    let refused = session.query(&pool, 1).unwrap_err();
    let by_learner = matches!(refused, SessionError::Learn(_));
    let by_strategy = matches!(refused, SessionError::Query(QueryError::Number { .. }));
    assert!(by_learner || by_strategy, "{refused:?}");
}

#[test]
fn train_makes_a_consensus_of_several_annotators() {
    let (rows, labels) = blobs(60, 3, 4, 8);
    let session = Session::open(opening(3, 4), LIMITS).unwrap();
    // The third annotator always says 0.
    let opinions = labels.iter().enumerate().flat_map(|(row, label)| {
        let opinion = move |annotator, label| Opinion {
            row,
            annotator,
            label,
        };
        [opinion(1, *label), opinion(2, *label), opinion(3, 0)]
    });
    let batch = Batch {
        rows: rows.clone(),
        opinions: opinions.collect(),
        fixed: None,
    };
    let (session, _) = session.train(&batch, 0).unwrap();
    let state = session.state();
    assert_eq!((state.rows, state.opinions), (60, 180));
    assert!(state.quality[&1] > 0.95 && state.quality[&3] < 0.6);
    assert_eq!(*session.labeled.labels, labels);
    // Later opinions about a row change its label.
    let row = state.doubtful.unwrap();
    let other = (labels[row] + 1) % 3;
    let opinions = [4, 5].map(|annotator| Opinion {
        row,
        annotator,
        label: other,
    });
    let more = Batch {
        rows: Array2::zeros((0, 4)),
        opinions: opinions.to_vec(),
        fixed: None,
    };
    let (session, trained) = session.train(&more, 0).unwrap();
    assert_eq!(trained.rows, 60);
    assert_eq!(session.state().opinions, 182);
}

#[test]
fn train_says_when_to_stop() {
    let (rows, labels) = blobs(200, 3, 4, 9);
    let (fixed, _) = blobs(100, 3, 4, 10);
    let opening = Opening {
        stopping: vec![
            Rule::KappaAverage {
                window: 3,
                kappa: 0.99,
            },
            Rule::Units { max: 150 },
        ],
        fixed: Some(fixed),
        ..opening(3, 4)
    };
    let mut session = Session::open(opening.clone(), LIMITS).unwrap();
    let mut stopped = None;
    for step in 0..20_usize {
        let indices: Vec<usize> = (step * 10..step * 10 + 10).collect();
        let batch = batch(
            &session,
            &rows.select_rows(&indices),
            &labels[step * 10..step * 10 + 10],
        );
        let spent = 10 * (step as u64 + 1);
        let (next, trained) = session.train(&batch, spent).unwrap();
        session = next;
        stopped = trained.stopped;
        if stopped.is_some() {
            break;
        }
    }
    let stopped = stopped.unwrap();
    assert!(
        matches!(stopped.rule, Rule::KappaAverage { .. }),
        "{stopped}"
    );
    assert!(session.rows() < 150);
    assert_eq!(session.state().stopped, Some(stopped));
    let missing = Opening {
        fixed: None,
        ..opening
    };
    let refused = Session::open(missing, LIMITS).unwrap_err();
    assert_eq!(refused, SessionError::Missing("fixed"));
}

#[test]
fn open_refuses_what_is_above_the_limits() {
    let refused = [
        opening(21, 4),
        opening(1, 4),
        opening(3, 65),
        opening(3, 0),
        Opening {
            stopping: vec![Rule::Iterations { max: 1 }; 17],
            ..opening(3, 4)
        },
        Opening {
            fixed: Some(Array2::zeros((2_001, 4))),
            stopping: vec![Rule::ClassificationChange { share: 0.0 }],
            ..opening(3, 4)
        },
        Opening {
            fixed: Some(Array2::zeros((2, 3))),
            stopping: vec![Rule::ClassificationChange { share: 0.0 }],
            ..opening(3, 4)
        },
        Opening {
            classes: None,
            learner: LearnerKind::Own,
            ..opening(3, 4)
        },
    ];
    for opening in refused {
        assert!(
            Session::open(opening.clone(), LIMITS).is_err(),
            "{opening:?}"
        );
    }
    let small = Limits {
        rows: 10,
        call: 8,
        ..LIMITS
    };
    let session = Session::open(opening(2, 1), small).unwrap();
    let rows = |count| batch(&session, &Array2::zeros((count, 1)), &vec![0; count]);
    assert!(session.train(&rows(9), 0).is_err());
    let (session, _) = session.train(&rows(8), 0).unwrap();
    assert!(
        session
            .train(&batch(&session, &Array2::zeros((3, 1)), &[0; 3]), 0)
            .is_err()
    );
    assert!(session.predict(&Array2::zeros((9, 1))).is_err());
}

#[test]
fn open_refuses_a_fixed_set_that_no_training_can_look_at() {
    let rules = vec![Rule::OverallUncertainty { uncertainty: 0.1 }];
    let with = |fixed, stopping| {
        let opening = Opening {
            fixed: Some(fixed),
            stopping,
            ..opening(3, 4)
        };
        Session::open(opening, LIMITS).map(|_| ())
    };
    for number in [1e200, f64::NAN, f64::INFINITY] {
        let refused = with(Array2::from_elem((2, 4), number), rules.clone());
        assert!(matches!(refused, Err(SessionError::Learn(_))), "{number}");
    }
    let unused = with(Array2::zeros((2, 4)), vec![Rule::Iterations { max: 3 }]);
    assert_eq!(unused, Err(SessionError::Missing("stopping")));
    assert_eq!(with(Array2::zeros((2, 4)), rules), Ok(()));
}

#[test]
fn train_counts_the_numbers_of_rows_and_of_the_fixed_set_together() {
    let limits = Limits {
        numbers: 40,
        ..LIMITS
    };
    let opening = Opening {
        fixed: Some(Array2::zeros((5, 4))),
        stopping: vec![Rule::OverallUncertainty { uncertainty: 0.1 }],
        ..opening(3, 4)
    };
    let session = Session::open(opening, limits).unwrap();
    let rows = |count| batch(&session, &Array2::zeros((count, 4)), &vec![0; count]);
    assert!(session.train(&rows(5), 0).is_ok());
    let refused = session.train(&rows(6), 0).unwrap_err();
    let (found, max) = (44, 40);
    let what = "numbers of labeled rows and the fixed set";
    assert_eq!(refused, SessionError::TooMany { what, found, max });
}

#[test]
fn bytes_count_given_predictions_and_annotators() {
    let opening = Opening {
        learner: LearnerKind::Own,
        features: 0,
        method: Method::Majority,
        stopping: vec![Rule::ClassificationChange { share: 0.0 }],
        ..opening(2, 0)
    };
    let session = Session::open(opening, LIMITS).unwrap();
    let of = |annotators: u32, fixed: usize| {
        let opinion = |annotator| Opinion {
            row: 0,
            annotator,
            label: 0,
        };
        let batch = Batch {
            rows: Array2::zeros((1, 0)),
            opinions: (0..annotators).map(opinion).collect(),
            fixed: Some(Array2::from_elem((fixed, 2), 0.5)),
        };
        session.train(&batch, 0).unwrap().0.bytes()
    };
    assert_eq!(of(2, 2_000) - of(2, 1), 1_999 * size_of::<usize>());
    let opinions = 500 * size_of::<Opinion>();
    assert!(of(500, 1) >= opinions + 500 * (size_of::<u32>() + size_of::<f64>()));
}

#[test]
fn bytes_are_at_most_300_000_for_200_labels() {
    let (rows, labels) = blobs(200, 10, 64, 14);
    let (fixed, _) = blobs(100, 10, 64, 15);
    let opening = Opening {
        stopping: vec![Rule::ClassificationChange { share: 0.0 }],
        fixed: Some(fixed),
        ..opening(10, 64)
    };
    let bytes = trained(opening, &rows, &labels).bytes();
    assert!(bytes <= 300_000, "{bytes}");
}
