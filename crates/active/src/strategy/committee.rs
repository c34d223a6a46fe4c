//! Committees of models that vote, and the measure of their disagreement.

use ndarray::{Array2, ArrayView2};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::rank::Order;
use super::rows::{QueryError, Rows, check_probabilities};
use crate::learner::{LearnError, Learner};
use crate::measure::{Measure, entropy, most_likely};
use crate::numbers::float;
use crate::wiped::Wiped;

/// Maximum difference of two answers that count as the same.
const SAME: f64 = 1e-9;

/// Answers of several models for the rows of a pool.
///
/// Members must really differ. Those of [`Members::sampled`] have learned from different rows, and
/// those of [`Members::different`] are compared by their answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Members {
    answers: Vec<Array2<f64>>,
}

impl Members {
    /// Takes the answers of models that have each learned from an own sample of the labeled rows.
    ///
    /// Trees of a random forest are such models. They may agree, which says that the rows so far
    /// are not in doubt.
    ///
    /// # Errors
    ///
    /// There are fewer than two members, or they have answers of different shapes.
    pub fn sampled(answers: Vec<Array2<f64>>) -> Result<Self, QueryError> {
        if answers.len() < 2 {
            return Err(QueryError::Members(answers.len()));
        }
        for (member, answer) in answers.iter().enumerate() {
            if answer.nrows() != answers[0].nrows() {
                return Err(QueryError::ProbabilityRows {
                    found: answer.nrows(),
                    expected: answers[0].nrows(),
                });
            }
            if answer.ncols() != answers[0].ncols() {
                return Err(QueryError::MemberClasses {
                    member,
                    found: answer.ncols(),
                    expected: answers[0].ncols(),
                });
            }
        }
        Ok(Self { answers })
    }

    /// Takes the answers of different models, such as a forest and a logistic regression.
    ///
    /// Two members are clones if no probability of one differs by more than 1e-9 from the other's.
    /// Members that answer all rows alike have not learned yet, and are no clones.
    ///
    /// # Errors
    ///
    /// Those of [`Members::sampled`], or two members are clones.
    pub fn different(answers: Vec<Array2<f64>>) -> Result<Self, QueryError> {
        let members = Self::sampled(answers)?;
        let answers = &members.answers;
        let near = |one: &f64, other: &f64| (one - other).abs() <= SAME;
        let varies = |answer: &Array2<f64>| {
            let first = answer.rows().into_iter().next();
            let is_first = |row: ndarray::ArrayView1<'_, f64>| {
                first.is_some_and(|first| row.iter().zip(first).all(|(a, b)| near(a, b)))
            };
            !answer.rows().into_iter().all(is_first)
        };
        for second in 1..answers.len() {
            let is_clone = |&first: &usize| {
                answers[first]
                    .iter()
                    .zip(&answers[second])
                    .all(|(a, b)| near(a, b))
            };
            if varies(&answers[second])
                && let Some(first) = (0..second).find(is_clone)
            {
                return Err(QueryError::Clones { first, second });
            }
        }
        Ok(members)
    }

    /// Makes a committee of copies of a learner, and returns their answers for the pool.
    ///
    /// Each copy learns from as many rows as there are, which the seed draws with replacement
    /// (bagging).
    ///
    /// # Errors
    ///
    /// The learner does not take the rows; `count` is below 2.
    pub fn bagged(
        learner: &dyn Learner,
        count: usize,
        (rows, labels): (ArrayView2<'_, f64>, &[usize]),
        pool: ArrayView2<'_, f64>,
        seed: u64,
    ) -> Result<Self, BaggingError> {
        if labels.is_empty() {
            return Err(LearnError::Empty.into());
        }
        if labels.len() != rows.nrows() {
            let (labels, rows) = (labels.len(), rows.nrows());
            return Err(LearnError::Labels { labels, rows }.into());
        }
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut member = || {
            let drawn: Vec<usize> = (0..labels.len())
                .map(|_| random.random_range(0..labels.len()))
                .collect();
            let mut learner = learner.copy();
            let of_drawn: Vec<usize> = drawn.iter().map(|&index| labels[index]).collect();
            learner.fit(Wiped::selected(&rows, &drawn).view(), &of_drawn)?;
            learner.probabilities(pool)
        };
        let answers: Result<Vec<_>, LearnError> = (0..count).map(|_| member()).collect();
        Ok(Self::sampled(answers?)?)
    }

    /// Returns for each row a number that is the lower, the more the members disagree.
    ///
    /// It is the negative entropy of their votes, each for the class that it holds for likeliest.
    /// Few members often tie: then the margin of their mean probabilities decides.
    pub(super) fn agreement(&self, rows: usize) -> Result<Vec<(Order, Order)>, QueryError> {
        let answers: Vec<Rows<'_>> = self.answers.iter().map(|it| Rows::new(it.view())).collect();
        for answer in &answers {
            check_probabilities(answer, rows)?;
        }
        let classes = answers.first().map_or(0, Rows::columns);
        let share = 1.0 / float(answers.len());
        let agreement = |row: usize| {
            let mut votes = vec![0_usize; classes];
            let mut means = vec![0.0; classes];
            for answer in &answers {
                let answer = answer.row(row);
                votes[most_likely(answer)] += 1;
                for (mean, probability) in means.iter_mut().zip(answer) {
                    *mean += probability * share;
                }
            }
            // In this order, equal numbers of votes give equal bits, whichever classes have them.
            votes.sort_unstable();
            let shares: Vec<f64> = votes.iter().map(|&it| float(it) * share).collect();
            (
                Order(-entropy(&shares)),
                Order(-Measure::Margin.uncertainty(&means)),
            )
        };
        Ok((0..rows).map(agreement).collect())
    }
}

/// Reason why no committee can be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BaggingError {
    /// The learner does not take the rows.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// The members are no committee.
    #[error(transparent)]
    Query(#[from] QueryError),
}
