//! Strategies against brute force on small pools, and what they refuse.

use cotrain_active::measure::{entropy, highest, most_likely};
use cotrain_active::strategy::{Members, Source, Start};
use cotrain_active::{Query, QueryError, Strategy};
use ndarray::{Array2, Axis, arr2, concatenate};
use proptest::prelude::*;
use proptest::strategy::Strategy as Generator;

/// Number of classes of the random pools.
const CLASSES: usize = 3;

/// Numbers of a row of the random pools.
const FEATURES: usize = 3;

/// Random pool with what is known about it.
#[derive(Debug, Clone)]
struct Case {
    pool: Array2<f64>,
    labeled: Array2<f64>,
    probabilities: Array2<f64>,
    answers: Vec<Array2<f64>>,
    count: usize,
    seed: u64,
}

impl Case {
    fn query<'a>(&'a self, members: Option<&'a Members>) -> Query<'a> {
        Query {
            labeled: self.labeled.view(),
            probabilities: Some(self.probabilities.view()),
            members,
            ..Query::new(self.pool.view(), self.count, self.seed)
        }
    }

    fn members(&self) -> Members {
        Members::sampled(self.answers.clone()).expect("members")
    }

    fn choose(&self, strategy: Strategy) -> Vec<usize> {
        let members = self.members();
        strategy.choose(&self.query(Some(&members))).expect("rows")
    }

    fn row(&self, index: usize) -> Vec<f64> {
        self.pool.row(index).to_vec()
    }

    /// Returns the number of different rows.
    fn different(&self) -> usize {
        let mut rows: Vec<Vec<u64>> = (0..self.pool.nrows())
            .map(|it| self.row(it).iter().map(|number| number.to_bits()).collect())
            .collect();
        rows.sort_unstable();
        rows.dedup();
        rows.len()
    }
}

fn rows(
    count: usize,
    number: impl Generator<Value = f64> + Clone,
) -> impl Generator<Value = Array2<f64>> {
    prop::collection::vec(number, count * FEATURES).prop_map(move |numbers| {
        Array2::from_shape_vec((count, FEATURES), numbers).expect("a shape")
    })
}

fn probabilities(count: usize) -> impl Generator<Value = Array2<f64>> {
    prop::collection::vec(0.001..1.0_f64, count * CLASSES).prop_map(move |numbers| {
        let mut rows = Array2::from_shape_vec((count, CLASSES), numbers).expect("a shape");
        for mut row in rows.rows_mut() {
            let sum = row.sum();
            row /= sum;
        }
        rows
    })
}

fn case(number: impl Generator<Value = f64> + Clone) -> impl Generator<Value = Case> {
    let sizes = (0..24_usize, 0..6_usize);
    sizes.prop_flat_map(move |(size, labeled)| {
        let parts = (
            rows(size, number.clone()),
            rows(labeled, number.clone()),
            probabilities(size),
            prop::collection::vec(probabilities(size), 4),
            0..9_usize,
            any::<u64>(),
        );
        parts.prop_map(
            |(pool, labeled, probabilities, answers, count, seed)| Case {
                pool,
                labeled,
                probabilities,
                answers,
                count,
                seed,
            },
        )
    })
}

/// Pools whose rows differ, so that nothing ties.
fn plain() -> impl Generator<Value = Case> {
    case(-5.0..5.0_f64)
}

/// Pools with many equal rows and equal distances.
fn tied() -> impl Generator<Value = Case> {
    case((0..2_i8).prop_map(f64::from))
}

/// Returns the indices of the lowest scores, the lowest first.
fn sorted(case: &Case, score: impl Fn(usize) -> f64) -> Vec<usize> {
    let mut all: Vec<usize> = (0..case.pool.nrows()).collect();
    all.sort_by(|&a, &b| score(a).total_cmp(&score(b)));
    all.truncate(case.count);
    all
}

fn squared(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum()
}

#[allow(clippy::cast_precision_loss, reason = "pools of tests are small")]
fn real(count: usize) -> f64 {
    count as f64
}

/// Returns `1 - margin`, weighted with the mean similarity by comparing all pairs.
fn by_density(case: &Case, index: usize) -> f64 {
    let all: Vec<Vec<f64>> = (0..case.pool.nrows()).map(|it| case.row(it)).collect();
    let pairs = all
        .iter()
        .flat_map(|one| all.iter().map(|other| squared(one, other)));
    let scale = pairs.sum::<f64>() / real(all.len() * all.len());
    let similar = |other: &Vec<f64>| 1.0 / (1.0 + squared(&all[index], other) / scale);
    let density = all.iter().map(similar).sum::<f64>() / real(all.len());
    let unsure = 1.0 - margin(&case.probabilities.row(index).to_vec());
    -unsure * density.powi(2)
}

/// Returns the vote entropy by counting, and the margin of the mean.
fn by_votes(case: &Case, index: usize) -> (f64, f64) {
    let mut shares = vec![0.0; CLASSES];
    let mut means = vec![0.0; CLASSES];
    for answer in &case.answers {
        let answer = answer.row(index).to_vec();
        shares[most_likely(&answer)] += 0.25;
        for (mean, probability) in means.iter_mut().zip(&answer) {
            *mean += probability / 4.0;
        }
    }
    shares.sort_by(f64::total_cmp);
    (-entropy(&shares), margin(&means))
}

/// Returns the farthest rows by comparing with all centers anew, without a start from the mean.
fn farthest(
    case: &Case,
    candidates: &[usize],
    mut centers: Vec<Vec<f64>>,
    count: usize,
) -> Vec<usize> {
    let mut chosen: Vec<usize> = Vec::new();
    while chosen.len() < count.min(candidates.len()) {
        let nearest = |&it: &usize| {
            let all = centers.iter().map(|center| squared(&case.row(it), center));
            all.fold(f64::INFINITY, f64::min)
        };
        let left = candidates.iter().copied().filter(|it| !chosen.contains(it));
        let next = left.max_by(|a, b| nearest(a).total_cmp(&nearest(b)));
        let next = next.expect("one is left");
        centers.push(case.row(next));
        chosen.push(next);
    }
    chosen
}

fn margin(probabilities: &[f64]) -> f64 {
    let (first, second) = highest(probabilities);
    first - second
}

fn all_labeled(case: &Case) -> Vec<Vec<f64>> {
    case.labeled
        .rows()
        .into_iter()
        .map(|row| row.to_vec())
        .collect()
}

proptest! {
    #[test]
    fn choose_by_a_measure_agrees_with_sorting(case in plain()) {
        let of = |index: usize| case.probabilities.row(index).to_vec();
        prop_assert_eq!(case.choose(Strategy::Margin), sorted(&case, |it| margin(&of(it))));
        prop_assert_eq!(case.choose(Strategy::Entropy), sorted(&case, |it| -entropy(&of(it))));
        let found = case.choose(Strategy::LeastConfidence);
        prop_assert_eq!(found, sorted(&case, |it| highest(&of(it)).0));
    }

    #[test]
    fn choose_by_density_agrees_with_comparing_all_pairs(case in plain()) {
        let found = case.choose(Strategy::Density { beta: 2.0 });
        prop_assert_eq!(found, sorted(&case, |it| by_density(&case, it)));
    }

    #[test]
    fn choose_by_committee_agrees_with_counting_votes(case in plain()) {
        let mut expected: Vec<usize> = (0..case.pool.nrows()).collect();
        expected.sort_by(|&a, &b| by_votes(&case, a).partial_cmp(&by_votes(&case, b)).expect("no NaN"));
        expected.truncate(case.count);
        prop_assert_eq!(case.choose(Strategy::Committee), expected);
    }

    #[test]
    fn choose_by_k_center_agrees_with_comparing_all_centers(case in plain()) {
        let found = case.choose(Strategy::KCenter);
        let all: Vec<usize> = (0..case.pool.nrows()).collect();
        let mut centers = all_labeled(&case);
        let mut expected = Vec::new();
        if centers.is_empty() && case.count > 0 && !all.is_empty() {
            let middle = case.pool.mean_axis(Axis(0)).expect("rows").to_vec();
            let far = |it: &usize| squared(&case.row(*it), &middle);
            let nearest = all.iter().map(far).fold(f64::INFINITY, f64::min);
            // Two rows are equally far from their mean, but for rounding.
            let first = found[0];
            prop_assert!(far(&first) <= nearest * (1.0 + 1e-9));
            expected.push(first);
            centers.push(case.row(first));
        }
        let others: Vec<usize> = all.iter().copied().filter(|it| !expected.contains(it)).collect();
        let left = case.count.saturating_sub(expected.len());
        expected.extend(farthest(&case, &others, centers, left));
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn choose_by_margin_and_centers_agrees_with_both_in_turn(case in plain()) {
        let of = |index: usize| margin(&case.probabilities.row(index).to_vec());
        let wide = Case { count: 5 * case.count, ..case.clone() };
        let candidates = sorted(&wide, of);
        let expected = match candidates.split_first() {
            None => Vec::new(),
            Some((&first, others)) => {
                let others = farthest(&case, others, vec![case.row(first)], case.count - 1);
                [vec![first], others].concat()
            }
        };
        prop_assert_eq!(case.choose(Strategy::MarginKCenter), expected);
    }

    #[test]
    fn choose_does_not_depend_on_the_order_of_the_pool(case in plain(), by in 1..20_usize) {
        let size = case.pool.nrows();
        let order: Vec<usize> = (0..size).map(|it| (it + by) % size).rev().collect();
        let other = Case {
            pool: case.pool.select(Axis(0), &order),
            probabilities: case.probabilities.select(Axis(0), &order),
            answers: case.answers.iter().map(|it| it.select(Axis(0), &order)).collect(),
            ..case.clone()
        };
        for strategy in Strategy::ALL {
            let found = case.choose(strategy);
            let again: Vec<usize> = other.choose(strategy).iter().map(|&it| order[it]).collect();
            prop_assert_eq!(found, again, "{}", strategy.name());
        }
    }

    #[test]
    fn choose_asks_different_rows_only_and_as_many_as_there_are(case in tied()) {
        for strategy in Strategy::ALL {
            let found = case.choose(strategy);
            let chosen = Case { pool: case.pool.select(Axis(0), &found), ..case.clone() };
            prop_assert_eq!(chosen.different(), found.len(), "{}", strategy.name());
            let expected = case.count.min(case.different());
            prop_assert_eq!(found.len(), expected, "{}", strategy.name());
            prop_assert_eq!(case.choose(strategy), found);
        }
    }

    #[test]
    fn choose_by_typiclust_takes_the_densest_row_of_the_largest_cluster(
        near in prop::collection::vec(prop::array::uniform3(-1.0..1.0_f64), 30),
        seed in any::<u64>(),
    ) {
        // Groups of 6, 10 and 14 rows, far from each other; the largest one has a label.
        let place = |index: usize| match index { 0..6 => 0.0, 6..16 => 1e3, _ => -1e3 };
        let numbers = near.iter().enumerate().flat_map(|(index, row)| row.map(|it| it + place(index)));
        let pool = Array2::from_shape_vec((30, FEATURES), numbers.collect()).expect("a shape");
        let labeled = arr2(&[[-1e3, -1e3, -1e3]]);
        let query = Query { labeled: labeled.view(), ..Query::new(pool.view(), 2, seed) };
        let found = Strategy::TypiClust.choose(&query).expect("rows");
        let densest = |group: std::ops::Range<usize>| {
            let mean = |&it: &usize| {
                let others = group.clone().filter(|&other| other != it);
                others
                    .map(|other| squared(&pool.row(it).to_vec(), &pool.row(other).to_vec()).sqrt())
                    .sum::<f64>()
            };
            group.clone().min_by(|a, b| mean(a).total_cmp(&mean(b))).expect("rows")
        };
        prop_assert_eq!(found, [densest(6..16), densest(0..6)]);
    }
}

#[test]
fn choose_begins_with_a_start_until_each_class_has_three_labels() {
    let pool = Array2::from_shape_fn((40, 2), |(row, column)| {
        real((row * 7 + column * 3) % 11 + row)
    });
    let probabilities = Array2::from_shape_fn((40, 2), |(row, column)| {
        let first = 0.5 + real((row * 13) % 40) / 100.0;
        if column == 0 { first } else { 1.0 - first }
    });
    for (labels, start) in [(5, true), (6, false)] {
        let labeled = Array2::from_shape_fn((labels, 2), |(row, _)| real(row) - 50.0);
        let query = Query {
            labeled: labeled.view(),
            probabilities: Some(probabilities.view()),
            ..Query::new(pool.view(), 4, 9)
        };
        let choose = |strategy: Strategy| strategy.choose(&query).expect("rows");
        for (kind, alone) in [
            (Start::TypiClust, Strategy::TypiClust),
            (Start::KCenter, Strategy::KCenter),
        ] {
            let expected = if start { alone } else { Strategy::Margin };
            assert_eq!(choose(Strategy::StartThenMargin(kind)), choose(expected));
        }
        assert_ne!(choose(Strategy::TypiClust), choose(Strategy::Margin));
        assert_ne!(choose(Strategy::KCenter), choose(Strategy::Margin));
    }
}

#[test]
fn choose_draws_all_rows_equally_often_at_random() {
    let pool = Array2::from_shape_fn((10, 1), |(row, _)| real(row));
    let mut drawn = [0_u32; 10];
    for seed in 0..5_000 {
        for row in Strategy::Random
            .choose(&Query::new(pool.view(), 2, seed))
            .expect("rows")
        {
            drawn[row] += 1;
        }
    }
    // The standard deviation is 28.
    assert!(
        drawn.iter().all(|it| (870..1_130).contains(it)),
        "{drawn:?}"
    );
}

#[test]
fn choose_takes_any_count() {
    let pool = Array2::from_shape_fn((6, 2), |(row, column)| real(row * 2 + column * column));
    let probabilities = Array2::from_elem((6, 2), 0.5);
    let members = Members::sampled(vec![probabilities.clone(); 2]).expect("members");
    let query = Query {
        labeled: pool.slice_axis(Axis(0), (0..2).into()),
        probabilities: Some(probabilities.view()),
        members: Some(&members),
        ..Query::new(pool.view(), usize::MAX, 1)
    };
    for strategy in Strategy::ALL {
        let mut chosen = strategy.choose(&query).expect("rows");
        chosen.sort_unstable();
        assert_eq!(chosen, [0, 1, 2, 3, 4, 5], "{}", strategy.name());
    }
}

#[test]
fn choose_refuses_numbers_and_shapes_with_typed_errors() {
    let pool = arr2(&[[1.0, 2.0], [3.0, 4.0]]);
    let sure = arr2(&[[1.0, 0.0], [0.5, 0.5]]);
    let query = Query {
        probabilities: Some(sure.view()),
        ..Query::new(pool.view(), 1, 0)
    };
    let margin = |query: Query<'_>| Strategy::Margin.choose(&query).expect_err("refused");
    assert_eq!(Strategy::Margin.choose(&query), Ok(vec![1]));
    for bad in [f64::NAN, f64::INFINITY, 1e101] {
        let pool = arr2(&[[1.0, 2.0], [3.0, bad]]);
        let told = margin(Query {
            pool: pool.view(),
            ..query
        })
        .to_string();
        assert!(told.contains("number 1 of row 1"), "{told}");
        let told = margin(Query {
            labeled: pool.view(),
            ..query
        });
        let source_of = Source::Labeled;
        assert!(
            matches!(told, QueryError::Number { source_of: it, row: 1, column: 1, .. } if it == source_of),
            "{told}"
        );
    }
    let long = arr2(&[[1.0, 2.0, 3.0]]);
    let told = margin(Query {
        labeled: long.view(),
        ..query
    });
    assert_eq!(
        told,
        QueryError::Features {
            found: 3,
            expected: 2
        }
    );
    let told = margin(Query {
        probabilities: None,
        ..query
    });
    assert_eq!(told, QueryError::NoProbabilities);
    let rows = sure.select(Axis(0), &[0]);
    let told = margin(Query {
        probabilities: Some(rows.view()),
        ..query
    });
    assert_eq!(
        told,
        QueryError::ProbabilityRows {
            found: 1,
            expected: 2
        }
    );
    let column = arr2(&[[1.0], [1.0]]);
    let told = margin(Query {
        probabilities: Some(column.view()),
        ..query
    });
    assert_eq!(told, QueryError::Classes(1));
    for bad in [[0.9, 0.2], [1.5, -0.5], [f64::NAN, 1.0]] {
        let rows = arr2(&[[0.5, 0.5], bad]);
        let told = margin(Query {
            probabilities: Some(rows.view()),
            ..query
        });
        assert!(matches!(told, QueryError::Sum { row: 1, .. }), "{told}");
    }
    let density = |beta| Strategy::Density { beta }.choose(&query);
    assert_eq!(density(-1.0), Err(QueryError::Beta(-1.0)));
    assert!(density(f64::NAN).is_err());
    assert_eq!(
        Strategy::Committee.choose(&query),
        Err(QueryError::Members(0))
    );
}

#[test]
fn members_refuse_clones_and_shapes_that_differ() {
    let one = arr2(&[[0.9, 0.1], [0.4, 0.6]]);
    let other = arr2(&[[0.8, 0.2], [0.4, 0.6]]);
    let near = &one + &arr2(&[[1e-10, -1e-10], [0.0, 0.0]]);
    let told = Members::different(vec![one.clone(), other.clone(), near]);
    assert_eq!(
        told,
        Err(QueryError::Clones {
            first: 0,
            second: 2
        })
    );
    assert!(Members::different(vec![one.clone(), other]).is_ok());
    // Models that have not learned yet agree, and so do trees of a forest.
    assert!(Members::different(vec![arr2(&[[0.5, 0.5]; 2]); 2]).is_ok());
    assert!(Members::sampled(vec![one.clone(); 2]).is_ok());
    assert_eq!(
        Members::sampled(vec![one.clone()]),
        Err(QueryError::Members(1))
    );
    let wide = arr2(&[[0.5, 0.3, 0.2]; 2]);
    let told = Members::sampled(vec![one.clone(), wide]);
    let expected = QueryError::MemberClasses {
        member: 1,
        found: 3,
        expected: 2,
    };
    assert_eq!(told, Err(expected));
    let long = concatenate(Axis(0), &[one.view(), one.view()]).expect("rows");
    let told = Members::sampled(vec![one, long]);
    assert_eq!(
        told,
        Err(QueryError::ProbabilityRows {
            found: 4,
            expected: 2
        })
    );
}

#[test]
fn strategy_has_a_name_that_reads_back() {
    for strategy in Strategy::ALL {
        assert_eq!(strategy.name().parse(), Ok(strategy));
    }
    let told = "best".parse::<Strategy>().expect_err("unknown").to_string();
    assert!(
        told.starts_with("`best` is no strategy; expected one of random, "),
        "{told}"
    );
    assert_eq!(Strategy::default(), Strategy::Margin);
}
