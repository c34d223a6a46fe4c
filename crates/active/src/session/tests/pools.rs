//! Tests of pools that a session holds.

use super::*;

const FIRST: PoolId = [1; 32];
const SECOND: PoolId = [2; 32];

#[test]
fn query_pool_chooses_as_query_does_and_no_labeled_row() {
    let (rows, labels) = blobs(60, 3, 4, 31);
    for strategy in Strategy::ALL {
        let opening = Opening {
            strategy,
            ..opening(3, 4)
        };
        let mut session = Session::open(opening, LIMITS).unwrap();
        session = session.with_pool(FIRST, rows.clone()).unwrap();
        let mut labeled = Vec::new();
        for _ in 0..4 {
            let pool = Pool {
                rows: Some(rows.clone()),
                probabilities: None,
            };
            let sent = session.query(&pool, 15).unwrap().1;
            let (next, chosen) = session.query_pool(&FIRST, None, 15).unwrap();
            assert_eq!(chosen, sent, "{strategy:?}");
            assert_eq!(chosen.len(), 15, "{strategy:?}");
            assert!(
                !chosen.iter().any(|it| labeled.contains(it)),
                "{strategy:?}"
            );
            let taken = chosen.iter().map(|it| next.pool_row(&FIRST, *it).unwrap());
            let taken: Vec<f64> = taken.flatten().collect();
            let taken = Array2::from_shape_vec((15, 4), taken).unwrap();
            let of: Vec<usize> = chosen.iter().map(|it| labels[*it]).collect();
            session = next.train(&batch(&next, &taken, &of), 0).unwrap().0;
            labeled.extend(chosen);
        }
        assert_eq!(session.query_pool(&FIRST, None, 5).unwrap().1, [0; 0]);
    }
}

#[test]
fn with_pool_keeps_the_limits_and_counts_bytes() {
    let session = Session::open(opening(3, 4), LIMITS).unwrap();
    let empty = session.bytes();
    let rows = |count| Array2::zeros((count, 4));
    let one = session.with_pool(FIRST, rows(3_000)).unwrap();
    assert_eq!(one.bytes() - empty, 3_000 * 5 * 8);
    assert_eq!(one.bytes() - empty, session.pool_bytes(3_000));
    assert_eq!(
        one.with_pool(FIRST, rows(3_000)).unwrap().bytes(),
        one.bytes()
    );
    let two = one.with_pool(SECOND, rows(1)).unwrap();
    let sizes: Vec<_> = two.pools().collect();
    assert_eq!(sizes, [(&FIRST, 3_000), (&SECOND, 1)]);
    let refused = |pool: Result<Session, SessionError>| pool.map(|_| ()).unwrap_err();
    let (what, found, max) = ("pools", 3, 2);
    let many = SessionError::TooMany { what, found, max };
    assert_eq!(refused(two.with_pool([3; 32], rows(1))), many);
    let (what, found, max) = ("rows of a pool", 3_001, 3_000);
    let long = SessionError::TooMany { what, found, max };
    assert_eq!(refused(session.with_pool(FIRST, rows(3_001))), long);
    let small = Limits {
        pool_numbers: 12_003,
        ..LIMITS
    };
    let session = Session::open(opening(3, 4), small).unwrap();
    let one = session.with_pool(FIRST, rows(3_000)).unwrap();
    let (what, found, max) = ("numbers of all pools", 12_004, 12_003);
    let large = SessionError::TooMany { what, found, max };
    assert_eq!(refused(one.with_pool(SECOND, rows(1))), large);
    let left = one.without_pool(&FIRST).unwrap();
    assert_eq!(left.bytes(), empty);
    assert!(left.with_pool(SECOND, rows(1)).is_ok());
    assert_eq!(
        refused(left.without_pool(&FIRST)),
        SessionError::UnknownPool
    );
    assert_eq!(left.pool_rows(&FIRST), Err(SessionError::UnknownPool));
    assert_eq!(one.pool_rows(&FIRST), Ok(3_000));
    assert!(one.pool_row(&FIRST, 3_000).is_err());
}

#[test]
fn with_pool_refuses_rows_that_no_query_takes() {
    let session = Session::open(opening(3, 4), LIMITS).unwrap();
    for (rows, expected) in [
        (Array2::zeros((0, 4)), "the rows of the pool are 0"),
        (Array2::zeros((2, 3)), "a row has 3 numbers"),
        (
            Array2::from_elem((2, 4), f64::NAN),
            "number 0 of row 0 is NaN",
        ),
        (Array2::from_elem((2, 4), 1e101), "number 0 of row 0 is 1"),
    ] {
        let refused = session.with_pool(FIRST, rows).unwrap_err().to_string();
        assert!(refused.starts_with(expected), "{refused}");
    }
    let own = Opening {
        learner: LearnerKind::Own,
        ..opening(3, 0)
    };
    let own = Session::open(own, LIMITS).unwrap();
    let refused = own.with_pool(FIRST, Array2::zeros((1, 0))).unwrap_err();
    assert_eq!(refused, SessionError::Featureless);
}

#[test]
fn query_tells_a_model_of_ones_own_to_send_the_rows() {
    let own = Opening {
        learner: LearnerKind::Own,
        ..opening(2, 3)
    };
    let session = Session::open(own, LIMITS).unwrap();
    let given = array![[0.5, 0.5], [0.9, 0.1]];
    let pool = Pool {
        rows: None,
        probabilities: Some(given.clone()),
    };
    let refused = session.query(&pool, 1).unwrap_err();
    assert_eq!(refused, SessionError::PoolRows);
    let rows = array![[0.0, 1.0, 2.0], [1.0, 0.0, 2.0]];
    let session = session.with_pool(FIRST, rows.clone()).unwrap();
    assert_eq!(session.query_pool(&FIRST, Some(&given), 1).unwrap().1, [0]);
    let refused = session.query_pool(&FIRST, None, 1).unwrap_err();
    assert_eq!(refused, SessionError::NoModel);
    let labeled = batch(&session, &rows.select_rows(&[0]), &[1]);
    let session = session.train(&labeled, 0).unwrap().0;
    assert_eq!(session.query_pool(&FIRST, Some(&given), 2).unwrap().1, [1]);
}

#[test]
fn bytes_with_is_what_a_training_takes() {
    let (rows, labels) = blobs(40, 3, 4, 32);
    for learner in [LearnerKind::Logistic, LearnerKind::Forest, LearnerKind::Own] {
        let opening = Opening {
            learner,
            ..opening(3, 4)
        };
        let session = Session::open(opening, LIMITS).unwrap();
        let after = session
            .train(&batch(&session, &rows, &labels), 0)
            .unwrap()
            .0;
        assert_eq!(session.bytes_with(40, 40), after.bytes(), "{learner}");
    }
}
