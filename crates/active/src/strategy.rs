//! Strategies: rules that choose the rows of a pool that are worth a label.
//!
//! They never ask two equal rows at once, so a batch can be smaller than asked for.
//! Ties are broken by a number that the seed draws for a row from its own numbers, then by the
//! index.
//! So no answer depends on the order of the pool.

mod centers;
mod clusters;
mod committee;
mod density;
mod distance;
mod query;
mod rank;
mod rows;

use std::str::FromStr;

use ndarray::{Axis, Slice};

pub use committee::{BaggingError, Members};
pub use query::Query;
pub(crate) use rows::check_pool;
pub use rows::{MAX_NUMBER, QueryError, Source};

use self::rank::{Order, lowest};
use crate::{measure::Measure, numbers::drawn};

/// Number of the least sure rows from which margin with centers chooses, for each row of the batch.
const CANDIDATES: usize = 5;

/// Number of labels for each class before a start hands over to margin.
const START_LABELS: usize = 3;

/// Maximum exponent of the density.
const MAX_BETA: f64 = 100.0;

/// Rule that chooses rows to label.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Strategy {
    /// Rows that the seed draws: the control of every experiment.
    Random,
    /// Rows whose likeliest class has the lowest probability.
    LeastConfidence,
    /// Rows whose two likeliest classes have the nearest probabilities.
    #[default]
    Margin,
    /// Rows whose probabilities have the highest entropy.
    Entropy,
    /// Rows about which the members of a committee disagree most, by the entropy of their votes.
    Committee,
    /// Unsure rows among many similar ones: `(1 - margin) * density^beta`.
    Density {
        /// Exponent of the density, from 0 to 100; 1 is usual.
        beta: f64,
    },
    /// Rows that are farthest from all labeled and chosen ones.
    KCenter,
    /// The row with the lowest margin, then those farthest from it and from each other, of the rows
    /// with the lowest margins, five times the batch.
    MarginKCenter,
    /// Typical rows of clusters without labels.
    TypiClust,
    /// A start that needs no model, until there are three labels for each class; then margin.
    StartThenMargin(Start),
}

/// Strategy for the first labels, which needs no model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// [`Strategy::TypiClust`].
    TypiClust,
    /// [`Strategy::KCenter`].
    KCenter,
}

impl Start {
    /// Returns `true` until there are three labels for each class.
    #[must_use]
    pub fn goes_on(self, labels: usize, classes: usize) -> bool {
        labels < classes.saturating_mul(START_LABELS)
    }

    /// Returns the strategy of the first labels.
    #[must_use]
    pub fn strategy(self) -> Strategy {
        match self {
            Self::TypiClust => Strategy::TypiClust,
            Self::KCenter => Strategy::KCenter,
        }
    }
}

impl Strategy {
    /// All strategies, those with parameters with the usual ones.
    pub const ALL: [Self; 11] = [
        Self::Random,
        Self::LeastConfidence,
        Self::Margin,
        Self::Entropy,
        Self::Committee,
        Self::Density { beta: 1.0 },
        Self::KCenter,
        Self::MarginKCenter,
        Self::TypiClust,
        Self::StartThenMargin(Start::TypiClust),
        Self::StartThenMargin(Start::KCenter),
    ];

    /// Returns the name in commands and in JSON, which does not tell parameters.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::LeastConfidence => "least-confidence",
            Self::Margin => "margin",
            Self::Entropy => "entropy",
            Self::Committee => "committee",
            Self::Density { .. } => "density",
            Self::KCenter => "k-center",
            Self::MarginKCenter => "margin-k-center",
            Self::TypiClust => "typiclust",
            Self::StartThenMargin(Start::TypiClust) => "typiclust-margin",
            Self::StartThenMargin(Start::KCenter) => "k-center-margin",
        }
    }

    /// Returns the strategy that chooses after a number of labels: a start or what follows it.
    ///
    /// A committee that has learned nothing cannot disagree, so centers stand in for it.
    #[must_use]
    pub fn after(self, labels: usize, classes: usize) -> Self {
        match self {
            Self::StartThenMargin(start) if start.goes_on(labels, classes) => start.strategy(),
            Self::StartThenMargin(_) => Self::Margin,
            Self::Committee if labels == 0 => Self::KCenter,
            other => other,
        }
    }

    /// Returns `true` if each row of a pool is compared with labeled rows.
    #[must_use]
    pub fn compares_with_labeled(self) -> bool {
        matches!(
            self,
            Self::KCenter | Self::TypiClust | Self::StartThenMargin(_)
        )
    }

    /// Returns `true` if the strategy can follow a start: it looks at answers of a model, and has no
    /// start of its own.
    #[must_use]
    pub fn takes_start(self) -> bool {
        let has_start = matches!(self, Self::StartThenMargin(_));
        self == Self::Committee || (self.needs_probabilities() && !has_start)
    }

    /// Returns `true` if the strategy looks at the probabilities of a model.
    #[must_use]
    pub fn needs_probabilities(self) -> bool {
        match self {
            Self::Random | Self::Committee | Self::KCenter | Self::TypiClust => false,
            Self::LeastConfidence
            | Self::Margin
            | Self::Entropy
            | Self::Density { .. }
            | Self::MarginKCenter
            | Self::StartThenMargin(_) => true,
        }
    }

    /// Returns the indices of up to `query.count` rows of the pool, the one that is worth most first.
    ///
    /// There are fewer if the pool has fewer different rows.
    ///
    /// # Errors
    ///
    /// A number is not finite, shapes do not fit, or something is missing that the strategy needs.
    pub fn choose(self, query: &Query<'_>) -> Result<Vec<usize>, QueryError> {
        let rows = query.rows()?;
        let (count, seed) = (query.count, query.seed);
        let by_measure = |measure: Measure| -> Result<Vec<usize>, QueryError> {
            let scores = sureness(query, measure)?;
            Ok(lowest(&rows, &scores, count, seed))
        };
        match self {
            Self::Random => {
                let draws: Vec<u64> = rows.iter().map(|row| drawn(seed, row)).collect();
                Ok(lowest(&rows, &draws, count, seed))
            }
            Self::LeastConfidence => by_measure(Measure::LeastConfidence),
            Self::Margin => by_measure(Measure::Margin),
            Self::Entropy => by_measure(Measure::Entropy),
            Self::Committee => {
                let members = query.members.ok_or(QueryError::Members(0))?;
                let scores = members.agreement(rows.len())?;
                Ok(lowest(&rows, &scores, count, seed))
            }
            Self::Density { beta } => {
                if !(0.0..=MAX_BETA).contains(&beta) {
                    return Err(QueryError::Beta(beta));
                }
                let probabilities = query.checked_probabilities()?;
                let densities = density::densities(&rows, seed);
                let pairs = probabilities.iter().zip(densities);
                let scores: Vec<Order> = pairs
                    .map(|(row, density)| {
                        Order(-Measure::Margin.uncertainty(row) * libm::pow(density, beta))
                    })
                    .collect();
                Ok(lowest(&rows, &scores, count, seed))
            }
            Self::KCenter => {
                let all: Vec<usize> = (0..rows.len()).collect();
                let labeled = query.labeled;
                Ok(centers::farthest_first(&rows, &all, labeled, count, seed))
            }
            Self::MarginKCenter => {
                let scores = sureness(query, Measure::Margin)?;
                let candidates = lowest(&rows, &scores, count.saturating_mul(CANDIDATES), seed);
                let Some((&first, others)) = candidates.split_first() else {
                    return Ok(candidates);
                };
                let center = query.pool.slice_axis(Axis(0), Slice::from(first..=first));
                let others = centers::farthest_first(&rows, others, center, count - 1, seed);
                Ok(std::iter::once(first).chain(others).collect())
            }
            Self::TypiClust => Ok(clusters::typical(&rows, query.labeled, count, seed)),
            Self::StartThenMargin(_) => {
                let classes = query.checked_probabilities()?.columns();
                self.after(query.labeled.nrows(), classes).choose(query)
            }
        }
    }
}

/// Name that is no strategy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no strategy; expected one of {expected}")]
pub struct UnknownStrategy {
    /// The name.
    pub found: String,
    /// Names that there are.
    pub expected: String,
}

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(name: &str) -> Result<Self, UnknownStrategy> {
        let found = Self::ALL.into_iter().find(|it| it.name() == name);
        found.ok_or_else(|| UnknownStrategy {
            found: name.to_owned(),
            expected: Self::ALL.map(Self::name).join(", "),
        })
    }
}

impl FromStr for Start {
    type Err = UnknownStrategy;

    fn from_str(name: &str) -> Result<Self, UnknownStrategy> {
        let all = [Self::TypiClust, Self::KCenter];
        let names = all.map(|it| it.strategy().name());
        let found = all.into_iter().zip(names).find(|(_, it)| *it == name);
        let start = found.map(|(start, _)| start);
        start.ok_or_else(|| UnknownStrategy {
            found: name.to_owned(),
            expected: names.join(", "),
        })
    }
}

fn sureness(query: &Query<'_>, measure: Measure) -> Result<Vec<Order>, QueryError> {
    let probabilities = query.checked_probabilities()?;
    let rows = probabilities.iter();
    Ok(rows.map(|row| Order(-measure.uncertainty(row))).collect())
}
