//! Experiments: the number of labels that a strategy needs, on rows whose labels are all known.
//!
//! A trial begins with one labeled row and hides the other labels until the strategy asks for them.
//! It measures no time, since this crate knows no clock: callers time [`Trial::query`].

use ndarray::{Array2, ArrayView2, Axis};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::learner::{LearnError, Learner};
use crate::measure::most_likely;
use crate::numbers::float;
use crate::strategy::{BaggingError, Members, Query, QueryError, Start, Strategy};

/// Number of members of a committee of a learner that is no ensemble.
const MEMBERS: usize = 5;

/// Rows whose labels are all known.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Rows (`n x features`).
    pub rows: ArrayView2<'a, f64>,
    /// Label of each row.
    pub labels: &'a [usize],
}

/// Rows to label, and rows to measure on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Indices of the rows that can be labeled, in random order; the first one has its label from
    /// the start.
    pub pool: Vec<usize>,
    /// Indices of the rows to measure on, ascending.
    pub test: Vec<usize>,
}

impl Split {
    /// Sets rows aside to measure on, of each class the same share.
    ///
    /// The counts are rounded down, and the rest goes to the classes with the largest remainders,
    /// the lower class first. The seed draws the rows.
    ///
    /// # Errors
    ///
    /// No row would be left to label, or none to measure on.
    pub fn stratified(labels: &[usize], test: usize, seed: u64) -> Result<Self, ExperimentError> {
        let rows = labels.len();
        if test == 0 || test >= rows {
            return Err(ExperimentError::Test { test, rows });
        }
        let classes = labels.iter().max().map_or(0, |highest| highest + 1);
        let mut by_class = vec![Vec::new(); classes];
        for (row, &label) in labels.iter().enumerate() {
            by_class[label].push(row);
        }
        let mut counts: Vec<usize> = by_class.iter().map(|it| it.len() * test / rows).collect();
        let mut order: Vec<usize> = (0..classes).collect();
        order.sort_by_key(|&class| std::cmp::Reverse(by_class[class].len() * test % rows));
        let rest = test - counts.iter().sum::<usize>();
        for class in order.into_iter().take(rest) {
            counts[class] += 1;
        }
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut split = Self {
            pool: Vec::with_capacity(rows - test),
            test: Vec::with_capacity(test),
        };
        for (mut of_class, count) in by_class.into_iter().zip(counts) {
            of_class.shuffle(&mut random);
            split.test.extend(&of_class[..count]);
            split.pool.extend(&of_class[count..]);
        }
        split.test.sort_unstable();
        split.pool.shuffle(&mut random);
        Ok(split)
    }
}

/// Accuracy after a number of labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Number of labeled rows.
    pub labels: usize,
    /// Number of test rows that are predicted right.
    pub correct: usize,
    /// Number of test rows.
    pub tested: usize,
}

impl Point {
    /// Returns the share of the test rows that are predicted right, from 0 to 1.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        float(self.correct) / float(self.tested)
    }
}

/// Strategy of a trial, and the start before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Strategy that chooses the rows.
    pub strategy: Strategy,
    /// Strategy for the first labels, of strategies that take a start.
    pub start: Option<Start>,
}

impl Plan {
    /// Returns the strategy for the next query.
    fn strategy(self, labels: usize, classes: usize) -> Strategy {
        match self.start {
            Some(start) if self.strategy.takes_start() && start.goes_on(labels, classes) => {
                start.strategy()
            }
            _ => self.strategy,
        }
    }
}

/// One plan with one learner on one split.
pub struct Trial<'a> {
    known: Known<'a>,
    plan: Plan,
    seed: u64,
    learner: Box<dyn Learner>,
    test_rows: Array2<f64>,
    test_labels: Vec<usize>,
    /// Indices of the labeled rows, in the order in which they were labeled.
    labeled: Vec<usize>,
    /// Indices of the rows without a label.
    pool: Vec<usize>,
    curve: Vec<Point>,
}

impl<'a> Trial<'a> {
    /// Begins a trial: the learner learns from the first row of the pool.
    ///
    /// # Errors
    ///
    /// The split is not one of these rows, or the learner does not take them.
    pub fn new(
        known: Known<'a>,
        split: &Split,
        learner: Box<dyn Learner>,
        plan: Plan,
        seed: u64,
    ) -> Result<Self, ExperimentError> {
        let (labels, rows) = (known.labels.len(), known.rows.nrows());
        if labels != rows {
            return Err(LearnError::Labels { labels, rows }.into());
        }
        let all = split.pool.iter().chain(&split.test);
        if let Some(&row) = all.clone().find(|&&row| row >= rows) {
            return Err(ExperimentError::Row { row, rows });
        }
        let (Some(&first), false) = (split.pool.first(), split.test.is_empty()) else {
            let test = split.test.len();
            return Err(ExperimentError::Test { test, rows });
        };
        let mut trial = Self {
            known,
            plan,
            seed,
            learner,
            test_rows: known.rows.select(Axis(0), &split.test),
            test_labels: split.test.iter().map(|&row| known.labels[row]).collect(),
            labeled: Vec::new(),
            pool: split.pool.clone(),
            curve: Vec::new(),
        };
        trial.learn(&[first])?;
        Ok(trial)
    }

    /// Returns the indices of up to `count` rows that the strategy asks to label.
    ///
    /// # Errors
    ///
    /// The learner or the strategy does not take the rows.
    pub fn query(&self, count: usize) -> Result<Vec<usize>, ExperimentError> {
        let pool = self.known.rows.select(Axis(0), &self.pool);
        let labeled = self.known.rows.select(Axis(0), &self.labeled);
        // Each query has a seed of its own.
        let seed = self.seed.rotate_left(32) ^ self.labeled.len() as u64;
        let learner = self.learner.as_ref();
        let strategy = self.plan.strategy(self.labeled.len(), learner.classes());
        let probabilities = if strategy.needs_probabilities() {
            Some(learner.probabilities(pool.view())?)
        } else {
            None
        };
        let members = if strategy == Strategy::Committee {
            let own = learner.members(pool.view())?;
            Some(if own.is_empty() {
                let labels = self.labels_of(&self.labeled);
                let labeled = (labeled.view(), labels.as_slice());
                Members::bagged(learner, MEMBERS, labeled, pool.view(), seed)?
            } else {
                Members::sampled(own)?
            })
        } else {
            None
        };
        let query = Query {
            labeled: labeled.view(),
            probabilities: probabilities.as_ref().map(|it| it.view()),
            members: members.as_ref(),
            ..Query::new(pool.view(), count, seed)
        };
        let chosen = strategy.choose(&query)?;
        Ok(chosen.into_iter().map(|index| self.pool[index]).collect())
    }

    /// Labels rows, learns from all labeled ones, and measures.
    ///
    /// # Errors
    ///
    /// A row is not in the pool, or the learner does not take the rows; nothing changed then.
    pub fn learn(&mut self, asked: &[usize]) -> Result<Point, ExperimentError> {
        let mut pool = self.pool.clone();
        for &row in asked {
            let Some(index) = pool.iter().position(|&it| it == row) else {
                let rows = self.known.rows.nrows();
                return Err(ExperimentError::Row { row, rows });
            };
            pool.remove(index);
        }
        let labeled: Vec<usize> = self.labeled.iter().chain(asked).copied().collect();
        let rows = self.known.rows.select(Axis(0), &labeled);
        self.learner.fit(rows.view(), &self.labels_of(&labeled))?;
        let predicted = self.learner.probabilities(self.test_rows.view())?;
        let found = predicted
            .rows()
            .into_iter()
            .map(|it| most_likely(&it.to_vec()));
        let pairs = found.zip(&self.test_labels);
        let point = Point {
            labels: labeled.len(),
            correct: pairs.filter(|(found, label)| found == *label).count(),
            tested: self.test_labels.len(),
        };
        (self.labeled, self.pool) = (labeled, pool);
        self.curve.push(point);
        Ok(point)
    }

    /// Returns the number of rows with a label.
    #[must_use]
    pub fn labels(&self) -> usize {
        self.labeled.len()
    }

    /// Returns the number of rows without a label.
    #[must_use]
    pub fn left(&self) -> usize {
        self.pool.len()
    }

    /// Returns the accuracies so far, the first one after one label.
    #[must_use]
    pub fn curve(&self) -> &[Point] {
        &self.curve
    }

    /// Returns the lowest number of labels after which the accuracy was at least `share`.
    #[must_use]
    pub fn labels_to(&self, share: f64) -> Option<usize> {
        let reached = self.curve.iter().find(|it| it.accuracy() >= share);
        reached.map(|it| it.labels)
    }

    fn labels_of(&self, rows: &[usize]) -> Vec<usize> {
        rows.iter().map(|&row| self.known.labels[row]).collect()
    }
}

/// Reason why an experiment ends.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ExperimentError {
    /// There are not enough rows.
    #[error("{test} of {rows} rows are to measure on; expected at least one, and one to label")]
    Test {
        /// Number of rows to measure on.
        test: usize,
        /// Number of rows.
        rows: usize,
    },
    /// A row is none that can be labeled.
    #[error("row {row} is not in the pool of {rows} rows")]
    Row {
        /// Index of the row.
        row: usize,
        /// Number of rows.
        rows: usize,
    },
    /// The learner does not take the rows.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// The strategy does not take the query.
    #[error(transparent)]
    Query(#[from] QueryError),
}

impl From<BaggingError> for ExperimentError {
    fn from(error: BaggingError) -> Self {
        match error {
            BaggingError::Learn(error) => Self::Learn(error),
            BaggingError::Query(error) => Self::Query(error),
        }
    }
}
