//! Memory of this process after sessions and models were deleted, in which none of their numbers is left.
//!
//! It is a program of its own without threads, so that all of its memory that was given back is in
//! the heap.
#![cfg_attr(
    target_os = "linux",
    allow(clippy::print_stdout, reason = "it tells what it did")
)]

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    for (name, test) in linux::TESTS {
        test();
        println!("test {name} ... ok");
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{fs, os::unix::fs::FileExt as _};

    use cotrain_active::{
        Forest, Learner as _, Strategy,
        annotators::{Method, Opinion},
        session::{Batch, LearnerKind, Limits, Opening, Session},
        stopping::Rule,
    };
    use ndarray::Array2;
    use zeroize::Zeroize as _;

    pub(crate) const TESTS: [(&str, fn()); 2] = [
        ("session_leaves_no_rows", session_leaves_no_rows),
        ("forest_leaves_no_thresholds", forest_leaves_no_thresholds),
    ];

    const LIMITS: Limits = Limits {
        classes: 4,
        features: 8,
        rows: 100,
        opinions: 1,
        numbers: 10_000,
        call: 100,
        pools: 2,
        pool_rows: 100,
        pool_numbers: 10_000,
    };
    /// Enough rows for a calibration.
    const ROWS: usize = 60;
    const FEATURES: usize = 8;

    /// Numbers that labeled rows, the fixed set and the pool have.
    const CANARIES: [f64; 3] = [918_273_645.5, 192_837_465.25, 564_738_291.125];

    /// Returns rows of which every second number is one that the heap is searched for.
    ///
    /// A further column has a different value in each row, of which the second lowest is that number.
    fn rows(canary: f64) -> Array2<f64> {
        Array2::from_shape_fn((ROWS, FEATURES), |(row, at)| {
            if at % 2 == 0 {
                canary
            } else if at == 1 {
                canary - 1.0 + f64::from(u8::try_from(row).unwrap())
            } else {
                f64::from(u8::try_from(row * (at + 3) % 31).unwrap())
            }
        })
    }

    /// Returns how often a number is in the heap, also in memory that was given back.
    fn copies(number: f64) -> usize {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let memory = fs::File::open("/proc/self/mem").unwrap();
        let heap = maps.lines().filter(|line| line.ends_with("[heap]"));
        let mut found = 0;
        for line in heap {
            let range = line.split_whitespace().next().unwrap();
            let (start, end) = range.split_once('-').unwrap();
            let [start, end] = [start, end].map(|it| u64::from_str_radix(it, 16).unwrap());
            // Pages are read to the stack, which is not searched.
            let mut page = [0; 4_096];
            for at in (start..end).step_by(page.len()) {
                memory.read_exact_at(&mut page, at).unwrap();
                let (words, _) = page.as_chunks::<8>();
                found += words
                    .iter()
                    .filter(|word| u64::from_ne_bytes(**word) == number.to_bits())
                    .count();
            }
        }
        found
    }

    fn session_leaves_no_rows() {
        let logistic = LearnerKind::Logistic;
        for (learner, strategy, calibrated) in [
            (logistic, Strategy::Margin, false),
            (LearnerKind::Forest, Strategy::Margin, false),
            (LearnerKind::Boosted, Strategy::Margin, false),
            (logistic, Strategy::Margin, true),
            (logistic, Strategy::Committee, false),
            (logistic, Strategy::TypiClust, false),
            (logistic, Strategy::KCenter, false),
        ] {
            let case = format!("{learner}, {strategy:?}, calibrated: {calibrated}");
            let opening = Opening {
                learner,
                classes: Some(3),
                features: FEATURES,
                strategy,
                gate: None,
                stopping: vec![Rule::ClassificationChange { share: 0.0 }],
                fixed: Some(rows(CANARIES[1])),
                method: Method::Majority,
                calibrated,
                seed: 1,
            };
            let opinion = |row| Opinion {
                row,
                annotator: 0,
                label: row % 3,
            };
            // The pool's first row is labeled, so that a query is about a part of the pool.
            let mut learned = rows(CANARIES[0]);
            let pool = rows(CANARIES[2]);
            learned.row_mut(0).assign(&pool.row(0));
            let mut batch = Batch {
                rows: learned,
                opinions: (0..ROWS).map(opinion).collect(),
                fixed: None,
            };
            // Each call returns the next session, and the one before goes.
            let mut session = Session::open(opening, LIMITS).unwrap();
            session = session.with_pool([7; 32], pool).unwrap();
            session = session.train(&batch, 0).unwrap().0;
            let (next, chosen) = session.query_pool(&[7; 32], None, 3).unwrap();
            session = next;
            assert_eq!(chosen.len(), 3);
            // The caller's own rows are not the session's.
            batch.rows.as_slice_mut().unwrap().zeroize();
            drop(batch);
            for canary in CANARIES {
                let found = copies(canary);
                assert!(
                    found > (ROWS - 1) * FEATURES / 2,
                    "{case}: {canary} is there {found} times"
                );
            }
            drop(session);
            for canary in CANARIES {
                assert_eq!(copies(canary), 0, "{case}: {canary} is left");
            }
        }
    }

    fn forest_leaves_no_thresholds() {
        // Neighbors have different labels, so trees are deep. Splits are halfway between neighbors.
        let value = |row: usize| CANARIES[0] + 2.0 * f64::from(u8::try_from(row).unwrap());
        let mut rows = Array2::from_shape_fn((ROWS, 1), |(row, _)| value(row));
        let labels: Vec<usize> = (0..ROWS).map(|row| row % 2).collect();
        let mut forest = Forest::new(2, 1, 20, 1).unwrap();
        forest.fit(rows.view(), &labels).unwrap();
        rows.as_slice_mut().unwrap().zeroize();
        let thresholds = || -> usize { (0..ROWS).map(|row| copies(value(row) + 1.0)).sum() };
        assert!(thresholds() >= 5 * ROWS);
        drop(forest);
        assert_eq!(thresholds(), 0, "thresholds are left");
    }
}
