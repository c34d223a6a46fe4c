//! Experiments on three groups of rows.

use cotrain_active::experiment::{ExperimentError, Known, Plan, Point, Split, Trial};
use cotrain_active::strategy::{BaggingError, Members, Start};
use cotrain_active::{Forest, LearnError, Learner, Logistic, QueryError, Strategy};
use ndarray::{Array2, arr2};
use proptest::prelude::*;

/// Returns rows of three classes around three corners, with their labels.
fn groups(count: usize) -> (Array2<f64>, Vec<usize>) {
    let labels: Vec<usize> = (0..count)
        .map(|row| row * row % 3 + usize::from(row % 7 == 0))
        .collect();
    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    let rows = Array2::from_shape_fn((count, 2), |(row, column)| {
        let corner = if labels[row] == column { 4.0 } else { 0.0 };
        corner + ((row * 31 + column * 17) % 29) as f64 / 15.0
    });
    (rows, labels)
}

fn plan(strategy: Strategy) -> Plan {
    Plan {
        strategy,
        start: None,
    }
}

fn learners() -> [Box<dyn Learner>; 2] {
    let logistic = Logistic::new(3, 2).expect("a learner");
    let forest = Forest::new(3, 2, 10, 1).expect("a learner");
    [Box::new(logistic), Box::new(forest)]
}

#[test]
fn trial_learns_all_groups_by_each_strategy_and_learner() {
    let (rows, labels) = groups(90);
    let known = Known {
        rows: rows.view(),
        labels: &labels,
    };
    let split = Split::stratified(&labels, 30, 5).expect("a split");
    for strategy in Strategy::ALL {
        for learner in learners() {
            let mut trial = Trial::new(known, &split, learner, plan(strategy), 3).expect("a trial");
            while trial.left() > 0 {
                let before = trial.labels();
                let asked = trial.query(7).expect("rows");
                assert!(asked.iter().all(|row| split.pool.contains(row)));
                let point = trial.learn(&asked).expect("a point");
                assert_eq!(point.labels, before + asked.len());
            }
            assert_eq!(trial.labels(), 60);
            assert_eq!(trial.query(7), Ok(vec![]), "{}", strategy.name());
            let last = trial.curve().last().expect("a point");
            assert!(last.accuracy() > 0.9, "{}: {last:?}", strategy.name());
            let reached = trial.labels_to(0.9).expect("reached");
            let is_first = |it: &Point| it.labels == reached;
            let index = trial.curve().iter().position(is_first).expect("a point");
            assert!(trial.curve()[..index].iter().all(|it| it.accuracy() < 0.9));
            assert_eq!(trial.labels_to(1.1), None);
        }
    }
}

#[test]
fn trial_is_the_same_again_and_another_one_with_another_seed() {
    let (rows, labels) = groups(60);
    let known = Known {
        rows: rows.view(),
        labels: &labels,
    };
    let split = Split::stratified(&labels, 20, 1).expect("a split");
    let asked = |seed: u64| {
        let [learner, _] = learners();
        let trial = Trial::new(known, &split, learner, plan(Strategy::Random), seed);
        trial.expect("a trial").query(5).expect("rows")
    };
    assert_eq!(asked(1), asked(1));
    assert_ne!(asked(1), asked(2));
}

#[test]
fn plan_begins_with_its_start_and_gives_others_none() {
    let (rows, labels) = groups(60);
    let known = Known {
        rows: rows.view(),
        labels: &labels,
    };
    let split = Split::stratified(&labels, 20, 1).expect("a split");
    let asked = |strategy: Strategy, start: Option<Start>, labels: usize| {
        let [learner, _] = learners();
        let plan = Plan { strategy, start };
        let mut trial = Trial::new(known, &split, learner, plan, 4).expect("a trial");
        trial.learn(&split.pool[1..labels]).expect("a point");
        trial.query(5).expect("rows")
    };
    for start in [Start::TypiClust, Start::KCenter] {
        // Three classes need nine labels.
        for (labels, goes_on) in [(8, true), (9, false)] {
            for strategy in [Strategy::Margin, Strategy::Committee] {
                let alone = if goes_on { start.strategy() } else { strategy };
                let found = asked(strategy, Some(start), labels);
                assert_eq!(found, asked(alone, None, labels));
            }
            let others = [
                Strategy::Random,
                Strategy::StartThenMargin(Start::TypiClust),
                Strategy::StartThenMargin(Start::KCenter),
            ];
            for other in others {
                let found = asked(other, Some(start), labels);
                assert_eq!(found, asked(other, None, labels));
            }
        }
    }
}

#[test]
fn learn_of_a_trial_refuses_other_rows_and_keeps_what_was() {
    let (rows, labels) = groups(30);
    let known = Known {
        rows: rows.view(),
        labels: &labels,
    };
    let split = Split::stratified(&labels, 10, 1).expect("a split");
    let [learner, _] = learners();
    let margin = plan(Strategy::Margin);
    let mut trial = Trial::new(known, &split, learner, margin, 0).expect("a trial");
    let (first, second) = (split.pool[0], split.pool[1]);
    for wrong in [
        vec![first],
        vec![second, second],
        vec![split.test[0]],
        vec![30],
    ] {
        let told = trial.learn(&wrong).expect_err("refused");
        assert!(
            matches!(told, ExperimentError::Row { rows: 30, .. }),
            "{told}"
        );
        assert_eq!((trial.labels(), trial.left()), (1, 19));
        assert_eq!(trial.curve().len(), 1);
    }
    let short = Known {
        labels: &labels[1..],
        ..known
    };
    let [learner, _] = learners();
    let told = Trial::new(short, &split, learner, margin, 0).err();
    let (labels, rows) = (29, 30);
    assert_eq!(told, Some(LearnError::Labels { labels, rows }.into()));
    let far = Split {
        pool: vec![40],
        ..split
    };
    let [learner, _] = learners();
    let told = Trial::new(known, &far, learner, margin, 0).err();
    assert_eq!(told, Some(ExperimentError::Row { row: 40, rows: 30 }));
}

#[test]
fn bagged_members_differ_though_copies_of_one_learner_do_not() {
    let (rows, labels) = groups(30);
    let [mut learner, _] = learners();
    let labeled = (rows.view(), labels.as_slice());
    let bagged = Members::bagged(learner.as_ref(), 3, labeled, rows.view(), 1).expect("members");
    let again = Members::bagged(learner.as_ref(), 3, labeled, rows.view(), 1).expect("members");
    assert_eq!(bagged, again);
    learner.fit(rows.view(), &labels).expect("learned");
    let answers = learner.probabilities(rows.view()).expect("answers");
    let told = Members::different(vec![answers.clone(), answers.clone()]);
    let (first, second) = (0, 1);
    assert_eq!(told, Err(QueryError::Clones { first, second }));
    assert_ne!(Ok(bagged), Members::sampled(vec![answers; 3]));
    let refused = |labels: &[usize]| {
        let rows = arr2(&[[0.0, 1.0]]);
        Members::bagged(learner.as_ref(), 2, (rows.view(), labels), rows.view(), 0)
    };
    assert_eq!(refused(&[]), Err(BaggingError::Learn(LearnError::Empty)));
    let (labels, rows) = (2, 1);
    let expected = LearnError::Labels { labels, rows };
    assert_eq!(refused(&[1, 1]), Err(BaggingError::Learn(expected)));
}

#[test]
fn stratified_refuses_a_split_without_rows_on_one_side() {
    for (test, rows) in [(0, 3), (3, 3), (4, 3), (0, 0), (1, 1)] {
        let told = Split::stratified(&vec![0; rows], test, 0);
        assert_eq!(told, Err(ExperimentError::Test { test, rows }));
    }
}

proptest! {
    #[test]
    fn stratified_takes_the_same_share_of_each_class(
        labels in prop::collection::vec(0..4_usize, 2..80),
        share in 0.0..1.0_f64,
        seed in any::<u64>(),
    ) {
        let rows = labels.len();
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let test = ((rows as f64 * share) as usize).clamp(1, rows - 1);
        let split = Split::stratified(&labels, test, seed).expect("a split");
        prop_assert_eq!(&split, &Split::stratified(&labels, test, seed).expect("a split"));
        let mut all = [split.pool.as_slice(), &split.test].concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..rows).collect::<Vec<_>>());
        prop_assert_eq!(split.test.len(), test);
        prop_assert!(split.test.is_sorted());
        for class in 0..4 {
            let count = |of: &[usize]| of.iter().filter(|&&row| labels[row] == class).count();
            let exact = count(&(0..rows).collect::<Vec<_>>()) * test;
            let found = count(&split.test);
            prop_assert!(found == exact / rows || found == exact / rows + 1, "{found} of {exact}");
        }
    }
}
