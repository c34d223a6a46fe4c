//! Tests of snapshots, and of sessions that are made of them.

use super::*;
use crate::{
    export::AnyLearner,
    learner::{Boosted, Forest, Learner as _},
};

#[test]
fn restore_goes_on_with_the_same_answers() {
    let (rows, labels) = blobs(80, 3, 6, 11);
    let (fixed, _) = blobs(20, 3, 6, 12);
    let opening = Opening {
        stopping: vec![Rule::ClassificationChange { share: 0.0 }],
        fixed: Some(fixed),
        strategy: Strategy::Density { beta: 2.0 },
        gate: Some(Gate::Budget {
            manager: Manager::Split,
            share: 0.3,
        }),
        ..opening(3, 6)
    };
    let steps = |mut session: Session, through_text: bool| {
        let mut answers = Vec::new();
        for step in 0..4_usize {
            let indices: Vec<usize> = (step * 20..step * 20 + 20).collect();
            let part = rows.select_rows(&indices);
            let batch = batch(&session, &part, &labels[step * 20..step * 20 + 20]);
            session = session.train(&batch, 0).unwrap().0;
            if through_text {
                let text = serde_json::to_string(&session.snapshot()).unwrap();
                let snapshot: Snapshot = serde_json::from_str(&text).unwrap();
                session = Session::restore(snapshot, LIMITS).unwrap();
            }
            let (next, decisions) = session.decide(&Input::Rows(rows.clone())).unwrap();
            let pool = Pool {
                rows: Some(rows.clone()),
                probabilities: None,
            };
            let (next, chosen) = next.query(&pool, 5).unwrap();
            answers.push((decisions, chosen, next.state()));
            session = next;
        }
        answers
    };
    let open = || Session::open(opening.clone(), LIMITS).unwrap();
    assert_eq!(steps(open(), false), steps(open(), true));
}

#[test]
fn restore_refuses_what_does_not_fit() {
    let (rows, labels) = blobs(20, 3, 4, 13);
    let session = trained(opening(3, 4), &rows, &labels);
    let whole = serde_json::to_value(session.snapshot()).unwrap();
    let restore = |value: serde_json::Value, limits| {
        let snapshot: Result<Snapshot, _> = serde_json::from_value(value);
        snapshot.map(|snapshot| Session::restore(snapshot, limits))
    };
    assert!(restore(whole.clone(), LIMITS).unwrap().is_ok());
    let few = Limits { rows: 19, ..LIMITS };
    assert!(restore(whole.clone(), few).unwrap().is_err());
    for (key, value) in [
        ("version", serde_json::json!(2)),
        ("classes", serde_json::json!(4)),
        ("features", serde_json::json!(5)),
        ("strategy", serde_json::json!("guess")),
        ("beta", serde_json::json!(1.0)),
        ("opinions", serde_json::json!([])),
        ("model", serde_json::json!(null)),
        ("gate", serde_json::json!(null)),
        ("temperature", serde_json::json!(21.0)),
        ("calibrated", serde_json::json!("yes")),
        (
            "rows",
            serde_json::json!({"rows": 20, "columns": 4, "numbers": [1.0]}),
        ),
    ] {
        let mut torn = whole.clone();
        torn[key] = value;
        let restored = restore(torn, LIMITS);
        assert!(restored.is_err() || restored.unwrap().is_err(), "{key}");
    }
}

#[test]
fn restore_refuses_what_no_session_has_written() {
    let (rows, labels) = blobs(20, 2, 4, 13);
    // All learners take two classes, and rows of 0 and 1.
    let rows = rows.mapv(|it| if it > 0.0 { 1.0 } else { 0.0 });
    for learner in LearnerKind::ALL {
        let opening = Opening {
            learner,
            stopping: vec![Rule::Iterations { max: 9 }],
            ..opening(2, 4)
        };
        let session = trained(opening, &rows, &labels);
        let whole = serde_json::to_value(session.snapshot()).unwrap();
        let restore = |snapshot: &serde_json::Value| {
            let snapshot: Snapshot = serde_json::from_value(snapshot.clone()).unwrap();
            Session::restore(snapshot, LIMITS).map(|_| ())
        };
        assert_eq!(restore(&whole), Ok(()));
        let model = format!("/model/learner/{}", learner.name());
        let changes = [
            ("/stream/seen".to_owned(), u64::MAX.into()),
            ("/stream/labeled".to_owned(), 1.into()),
            ("/stream/seed".to_owned(), 6.into()),
            ("/stream/recent".to_owned(), 101.0.into()),
            ("/stream/utilities".to_owned(), vec![0.5; 101].into()),
            ("/stopping/iterations".to_owned(), u64::MAX.into()),
            ("/stopping/kappas".to_owned(), vec![0.5; 101].into()),
            ("/stopping/last".to_owned(), vec![0; 2_001].into()),
            ("/queries".to_owned(), u64::MAX.into()),
            (format!("{model}/seed"), 6.into()),
            (format!("{model}/cost"), 2.0.into()),
        ];
        for (pointer, value) in changes {
            let mut torn = whole.clone();
            let Some(place) = torn.pointer_mut(&pointer) else {
                continue;
            };
            *place = value;
            assert_eq!(restore(&torn), Err(SessionError::Torn), "{pointer}");
        }
    }
}

#[test]
fn restore_refuses_models_that_are_larger_than_learned_ones() {
    let (rows, labels) = blobs(20, 3, 4, 13);
    let limits = Limits { rows: 20, ..LIMITS };
    let known = (rows.view(), labels.as_slice());
    let forest = |trees, (rows, labels): (ArrayView2<'_, f64>, &[usize])| {
        let mut forest = Forest::new(3, 4, trees, 5).unwrap();
        forest.fit(rows, labels).unwrap();
        AnyLearner::Forest(forest)
    };
    let boosted = |rounds| {
        let mut boosted = Boosted::new(3, 4, rounds, 5).unwrap();
        boosted.fit(rows.view(), &labels).unwrap();
        AnyLearner::Boosted(boosted)
    };
    let (more, other) = blobs(400, 3, 4, 13);
    let mixed: Vec<usize> = (0..400).map(|row| other[row] * row % 3).collect();
    for (learner, model, fits) in [
        (LearnerKind::Forest, forest(50, known), true),
        (LearnerKind::Forest, forest(51, known), false),
        (
            LearnerKind::Forest,
            forest(50, (more.view(), &mixed)),
            false,
        ),
        (LearnerKind::Boosted, boosted(50), true),
        (LearnerKind::Boosted, boosted(51), false),
    ] {
        let opening = Opening {
            learner,
            ..opening(3, 4)
        };
        let mut snapshot =
            serde_json::to_value(trained(opening, &rows, &labels).snapshot()).unwrap();
        snapshot["model"] = serde_json::to_value(model).unwrap();
        let snapshot: Snapshot = serde_json::from_value(snapshot).unwrap();
        let restored = Session::restore(snapshot, limits).map(|_| ());
        assert_eq!(restored.is_ok(), fits, "{learner:?}");
    }
}
