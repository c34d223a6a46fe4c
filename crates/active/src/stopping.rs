//! Rules that say when further labels are no longer worth their price.
//!
//! Most of them look at the predictions of a fixed set of rows after each training.
//! A model that predicts one class for all of them has mostly seen one class only.
//! Such predictions agree whatever was learned, so rules that compare predictions begin anew after them.

use std::fmt;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use crate::{
    measure::{most_likely, normalized_entropy},
    numbers::{MAX_COUNT, float},
};

/// Maximum number of trainings that a rule looks back at.
pub const MAX_WINDOW: usize = 100;

/// Rule that ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Rule {
    /// Stops once a training changes at most a share of the predictions
    /// (Zhu et al. 2008, "Multi-criteria-based strategy to stop active learning for data annotation"; there 0).
    ClassificationChange {
        /// Share of the rows, from 0 to 1.
        share: f64,
    },
    /// Stops once the mean kappa of predictions before and after each of the last trainings is high enough
    /// (Bloodgood and Vijay-Shanker 2009, "A method for stopping active learning based on stabilizing predictions").
    /// This is the paper's rule, with 3 and 0.99; small-text compares changes of kappa instead.
    KappaAverage {
        /// Number of trainings, from 1 to [`MAX_WINDOW`].
        window: usize,
        /// Least mean of Cohen's kappa, at most 1.
        kappa: f64,
    },
    /// Stops once the mean entropy, as a share of its maximum, is low enough (Zhu et al. 2008).
    OverallUncertainty {
        /// Highest mean, from 0 to 1.
        uncertainty: f64,
    },
    /// Stops once none of the last trainings has changed the F measure by more than a bound, for two classes
    /// (Altschuler and Bloodgood 2019, "Stopping active learning based on predicted change of F measure").
    /// The change is estimated by `1 - 2a / (2a + b + c)`: `a` rows stay in class 1, `b` leave it, and `c` come to it.
    DeltaF {
        /// Number of trainings, from 1 to [`MAX_WINDOW`].
        window: usize,
        /// Highest estimated change, from 0 to 1.
        change: f64,
    },
    /// Stops after a number of trainings.
    Iterations {
        /// Number of trainings.
        max: u64,
    },
    /// Stops once a number of units is spent.
    Units {
        /// Number of units.
        max: u64,
    },
}

impl Rule {
    /// Returns `true` if the rule looks at predictions of a fixed set of rows.
    #[must_use]
    pub fn looks_at_predictions(self) -> bool {
        !matches!(self, Self::Iterations { .. } | Self::Units { .. })
    }

    fn check(self, classes: Option<usize>) -> Result<(), RuleError> {
        let windows = match self {
            Self::KappaAverage { window, .. } | Self::DeltaF { window, .. } => Some(window),
            _ => None,
        };
        if let Some(found) = windows.filter(|it| !(1..=MAX_WINDOW).contains(it)) {
            return Err(RuleError::Window { found });
        }
        let (found, least) = match self {
            Self::ClassificationChange { share } => (share, 0.0),
            // Kappa is negative if predictions agree less than by chance.
            Self::KappaAverage { kappa, .. } => (kappa, -1.0),
            Self::OverallUncertainty { uncertainty } => (uncertainty, 0.0),
            Self::DeltaF { change, .. } => (change, 0.0),
            Self::Iterations { .. } | Self::Units { .. } => return Ok(()),
        };
        if !(least..=1.0).contains(&found) {
            return Err(RuleError::Bound { found, least });
        }
        if matches!(self, Self::DeltaF { .. }) && classes != Some(2) {
            return Err(RuleError::Classes);
        }
        Ok(())
    }
}

/// Reason why a rule is not possible, or cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum RuleError {
    /// A window is outside of its range.
    #[error("the window is {found} trainings; expected 1 to {MAX_WINDOW}")]
    Window {
        /// The window.
        found: usize,
    },
    /// A bound is outside of its range.
    #[error("the bound is {found}; expected a number from {least} to 1")]
    Bound {
        /// The bound.
        found: f64,
        /// Least possible bound.
        least: f64,
    },
    /// The F measure is that of one class of two.
    #[error("delta F is for exactly two classes; name two, or choose another rule")]
    Classes,
    /// The set of rows is not the one before.
    #[error("the fixed set has {found} rows; expected {expected} as before")]
    Rows {
        /// Number of rows.
        found: usize,
        /// Number of rows before.
        expected: usize,
    },
    /// There are no rows to look at.
    #[error("a rule looks at predictions of a fixed set; give rows for it")]
    Unseen,
}

/// Rule that has stopped a session, with the value that it has seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stopped {
    /// The rule.
    pub rule: Rule,
    /// Value that reached its bound: a share, a mean, a change or a number.
    pub seen: f64,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = self.seen;
        match self.rule {
            Rule::ClassificationChange { share } => write!(
                f,
                "the last training changed a share of {seen:.4} of the predictions; the rule stops at {share} or less"
            ),
            Rule::KappaAverage { window, kappa } => write!(
                f,
                "the mean kappa of the last {window} trainings is {seen:.4}; the rule stops at {kappa} or more"
            ),
            Rule::OverallUncertainty { uncertainty } => write!(
                f,
                "the mean uncertainty is {seen:.4}; the rule stops at {uncertainty} or less"
            ),
            Rule::DeltaF { window, change } => write!(
                f,
                "the last {window} trainings changed the F measure by at most {seen:.4}; the rule stops at {change} or less"
            ),
            Rule::Iterations { max } => write!(f, "{seen} trainings are done, of {max} at most"),
            Rule::Units { max } => write!(f, "{seen} units are spent, of {max} at most"),
        }
    }
}

/// Rules of a session, with what they have seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stopping {
    rules: Vec<Rule>,
    iterations: u64,
    /// Predictions of the fixed set after the last training; none before the first.
    last: Option<Vec<usize>>,
    /// Kappas of the last trainings, the oldest first.
    kappas: Vec<f64>,
    /// Estimated changes of the F measure by the last trainings, the oldest first.
    changes: Vec<f64>,
    stopped: Option<Stopped>,
}

impl Stopping {
    /// Creates rules that have seen nothing. `classes` is `None` if their number is unknown.
    ///
    /// # Errors
    ///
    /// A number of a rule is out of range, or a rule is not for so many classes.
    pub fn new(rules: &[Rule], classes: Option<usize>) -> Result<Self, RuleError> {
        rules.iter().try_for_each(|rule| rule.check(classes))?;
        Ok(Self {
            rules: rules.to_vec(),
            iterations: 0,
            last: None,
            kappas: Vec::new(),
            changes: Vec::new(),
            stopped: None,
        })
    }

    /// Returns the rules.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Returns `true` if rules can have come to this state.
    ///
    /// All predictions are of these classes, and there are at most `rows` of them.
    pub(crate) fn is_sound(&self, classes: usize, rows: usize) -> bool {
        let mut last = self.last.iter().flatten();
        last.all(|prediction| *prediction < classes)
            && self.last.as_ref().is_none_or(|last| last.len() <= rows)
            && self.iterations <= MAX_COUNT
            && self.kappas.len() <= MAX_WINDOW
            && self.changes.len() <= MAX_WINDOW
    }

    /// Returns the number of predictions that are held for the next comparison.
    pub(crate) fn predictions(&self) -> usize {
        self.last.as_ref().map_or(0, Vec::len)
    }

    /// Returns the first rule that has stopped the session; `None` while none has.
    #[must_use]
    pub fn stopped(&self) -> Option<Stopped> {
        self.stopped
    }

    /// Returns the number of trainings.
    #[must_use]
    pub fn iterations(&self) -> u64 {
        self.iterations
    }

    /// Returns `true` if a rule looks at predictions of a fixed set of rows.
    #[must_use]
    pub fn looks_at_predictions(&self) -> bool {
        self.rules.iter().any(|rule| rule.looks_at_predictions())
    }

    /// Looks at the state after a training, and returns the rule that has stopped the session.
    /// `fixed` has the probabilities of the fixed set, `None` if there is none; `units` are all units spent.
    ///
    /// The first rule that stops stays the reason.
    ///
    /// # Errors
    ///
    /// The fixed set is missing, or it is not the one before. The rules stay as they were.
    pub fn trained(
        &mut self,
        fixed: Option<ArrayView2<'_, f64>>,
        units: u64,
    ) -> Result<Option<Stopped>, RuleError> {
        let looks = self.looks_at_predictions();
        let fixed = fixed.filter(|rows| looks && rows.nrows() > 0);
        if looks && fixed.is_none() {
            return Err(RuleError::Unseen);
        }
        let compared = fixed.map(|rows| self.compare(&rows)).transpose()?;
        self.iterations += 1;
        let stops = |rule: &Rule| {
            let seen = match (*rule, &compared) {
                (Rule::Iterations { max }, _) => at_least(self.iterations, max),
                (Rule::Units { max }, _) => at_least(units, max),
                (_, None) => None,
                (Rule::ClassificationChange { share }, Some(compared)) => {
                    compared.changed.filter(|it| *it <= share)
                }
                (Rule::OverallUncertainty { uncertainty }, Some(compared)) => {
                    Some(compared.uncertainty).filter(|it| *it <= uncertainty)
                }
                (Rule::KappaAverage { window, kappa }, _) => last(&self.kappas, window)
                    .map(|kappas| kappas.iter().sum::<f64>() / float(window))
                    .filter(|it| *it >= kappa),
                (Rule::DeltaF { window, change }, _) => last(&self.changes, window)
                    .map(|changes| changes.iter().copied().fold(0.0, f64::max))
                    .filter(|it| *it <= change),
            };
            seen.map(|seen| Stopped { rule: *rule, seen })
        };
        if self.stopped.is_none() {
            self.stopped = self.rules.iter().find_map(stops);
        }
        Ok(self.stopped)
    }

    /// Compares the predictions of the fixed set with the last ones, and keeps them.
    fn compare(&mut self, fixed: &ArrayView2<'_, f64>) -> Result<Compared, RuleError> {
        let rows = fixed.nrows();
        if let Some(expected) = self.last.as_ref().map(Vec::len).filter(|it| *it != rows) {
            return Err(RuleError::Rows {
                found: rows,
                expected,
            });
        }
        let (mut predictions, mut uncertainty) = (Vec::with_capacity(rows), 0.0);
        for row in fixed.rows() {
            let row = row.to_vec();
            predictions.push(most_likely(&row));
            uncertainty += normalized_entropy(&row);
        }
        let before = self.last.replace(predictions.clone());
        let before = before.filter(|before| has_classes(before) && has_classes(&predictions));
        if let Some(before) = &before {
            push(&mut self.kappas, kappa(before, &predictions));
            push(&mut self.changes, delta_f(before, &predictions));
        } else {
            self.kappas.clear();
            self.changes.clear();
        }
        Ok(Compared {
            changed: before.map(|before| 1.0 - agreement(&before, &predictions)),
            uncertainty: uncertainty / float(rows),
        })
    }
}

/// Values of the rules that look at one training.
struct Compared {
    /// Share of changed predictions; `None` if there is nothing to compare with.
    changed: Option<f64>,
    /// Mean entropy as a share of its maximum.
    uncertainty: f64,
}

fn at_least(found: u64, max: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "the value is for a message")]
    (found >= max).then_some(found as f64)
}

/// Returns the last numbers; `None` if there are fewer.
fn last(numbers: &[f64], count: usize) -> Option<&[f64]> {
    numbers.get(numbers.len().checked_sub(count)?..)
}

fn push(numbers: &mut Vec<f64>, next: f64) {
    if numbers.len() == MAX_WINDOW {
        numbers.remove(0);
    }
    numbers.push(next);
}

/// Returns `true` if predictions have more than one class.
fn has_classes(predictions: &[usize]) -> bool {
    predictions.iter().any(|it| *it != predictions[0])
}

/// Returns the share of equal predictions.
fn agreement(before: &[usize], after: &[usize]) -> f64 {
    let equal = before.iter().zip(after).filter(|(a, b)| a == b).count();
    float(equal) / float(before.len())
}

/// Returns Cohen's kappa of predictions that both have more than one class.
fn kappa(before: &[usize], after: &[usize]) -> f64 {
    let classes = before.iter().chain(after).max().map_or(0, |most| most + 1);
    let mut counts = vec![(0, 0); classes];
    for (a, b) in before.iter().zip(after) {
        counts[*a].0 += 1;
        counts[*b].1 += 1;
    }
    let rows = float(before.len());
    let share = |(a, b): &(usize, usize)| float(*a) / rows * (float(*b) / rows);
    let chance: f64 = counts.iter().map(share).sum();
    (agreement(before, after) - chance) / (1.0 - chance)
}

/// Returns the estimated change of the F measure of class 1.
fn delta_f(before: &[usize], after: &[usize]) -> f64 {
    let count = |a: bool, b: bool| {
        let pairs = before.iter().zip(after);
        float(
            pairs
                .filter(|(x, y)| (**x == 1) == a && (**y == 1) == b)
                .count(),
        )
    };
    let both = 2.0 * count(true, true);
    let all = both + count(true, false) + count(false, true);
    if all > 0.0 { 1.0 - both / all } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    /// Returns probabilities of two classes that predict these labels, all with the same certainty.
    fn fixed(labels: &[usize], certainty: f64) -> Array2<f64> {
        Array2::from_shape_fn((labels.len(), 2), |(row, class)| {
            if labels[row] == class {
                certainty
            } else {
                1.0 - certainty
            }
        })
    }

    /// Feeds predictions to one rule, and returns the training after which it stops, and its value.
    fn stops(rule: Rule, trainings: &[&[usize]]) -> Option<(usize, f64)> {
        let mut stopping = Stopping::new(&[rule], Some(2)).unwrap();
        trainings.iter().enumerate().find_map(|(index, labels)| {
            let fixed = fixed(labels, 0.9);
            let stopped = stopping.trained(Some(fixed.view()), 0).unwrap();
            stopped.map(|stopped| (index, stopped.seen))
        })
    }

    const A: &[usize] = &[0, 0, 1, 1, 1, 0, 0, 0, 0, 0];
    /// One prediction of ten differs from [`A`].
    const B: &[usize] = &[0, 0, 1, 1, 0, 0, 0, 0, 0, 0];
    const ONE_CLASS: &[usize] = &[0; 10];

    #[test]
    fn trained_stops_at_a_share_of_changes() {
        let rule = |share| Rule::ClassificationChange { share };
        assert_eq!(stops(rule(0.0), &[A, B, A, A]), Some((3, 0.0)));
        let (index, seen) = stops(rule(0.1), &[A, B, A]).unwrap();
        assert_eq!(index, 1);
        assert!((seen - 0.1).abs() < 1e-12);
        assert_eq!(stops(rule(0.09), &[A, B, A, B]), None);
    }

    #[test]
    fn trained_takes_one_class_for_no_evidence() {
        let same = [ONE_CLASS; 9];
        for rule in [
            Rule::ClassificationChange { share: 0.0 },
            Rule::KappaAverage {
                window: 3,
                kappa: 0.99,
            },
            Rule::DeltaF {
                window: 3,
                change: 0.05,
            },
        ] {
            assert_eq!(stops(rule, &same), None, "{rule:?}");
        }
        let rule = Rule::KappaAverage {
            window: 2,
            kappa: 0.99,
        };
        assert_eq!(stops(rule, &[A, A, ONE_CLASS, A, A, A]), Some((5, 1.0)));
    }

    #[test]
    fn trained_stops_at_a_mean_kappa() {
        // Agreement .9; chance .7 * .8 + .3 * .2 = .62; kappa .28 / .38.
        let expected: f64 = 0.28 / 0.38;
        assert!((kappa(A, B) - expected).abs() < 1e-12);
        let rule = |kappa| Rule::KappaAverage { window: 2, kappa };
        let (index, seen) = stops(rule(0.85), &[A, B, B, A, A, A]).unwrap();
        assert_eq!(index, 2);
        assert!((seen - f64::midpoint(expected, 1.0)).abs() < 1e-12);
        assert_eq!(stops(rule(0.99), &[A, B, B, A, A, A]), Some((5, 1.0)));
    }

    #[test]
    fn trained_stops_at_a_change_of_f() {
        // Two stay in class 1 and one leaves it: 1 - 4 / 5.
        assert!((delta_f(A, B) - 0.2).abs() < 1e-12);
        let rule = |change| Rule::DeltaF { window: 3, change };
        assert_eq!(stops(rule(0.05), &[A, B, B, B, B]), Some((4, 0.0)));
        let (index, seen) = stops(rule(0.2), &[A, B, B, B]).unwrap();
        assert_eq!(index, 3);
        assert!((seen - 0.2).abs() < 1e-12);
    }

    #[test]
    fn trained_stops_at_a_mean_uncertainty() {
        let rule = Rule::OverallUncertainty { uncertainty: 0.5 };
        let mut stopping = Stopping::new(&[rule], None).unwrap();
        let unsure = fixed(A, 0.8);
        assert_eq!(stopping.trained(Some(unsure.view()), 0), Ok(None));
        let sure = fixed(A, 0.9);
        let stopped = stopping.trained(Some(sure.view()), 0).unwrap().unwrap();
        assert!((stopped.seen - 0.468_995_593_589).abs() < 1e-9);
        assert_eq!(
            stopped.to_string(),
            "the mean uncertainty is 0.4690; the rule stops at 0.5 or less"
        );
    }

    #[test]
    fn trained_counts_trainings_and_units_and_keeps_the_first_reason() {
        let rules = [Rule::Iterations { max: 3 }, Rule::Units { max: 10 }];
        let mut stopping = Stopping::new(&rules, None).unwrap();
        assert_eq!(stopping.trained(None, 4), Ok(None));
        let stopped = stopping.trained(None, 12).unwrap().unwrap();
        assert_eq!(stopped.to_string(), "12 units are spent, of 10 at most");
        assert_eq!(stopping.trained(None, 13), Ok(Some(stopped)));
        assert_eq!(stopping.iterations(), 3);
    }

    #[test]
    fn trained_refuses_another_fixed_set_and_stays_as_it_was() {
        let rule = Rule::ClassificationChange { share: 0.0 };
        let mut stopping = Stopping::new(&[rule], None).unwrap();
        assert_eq!(stopping.trained(None, 0), Err(RuleError::Unseen));
        let (ten, two) = (fixed(A, 0.9), fixed(&[0, 1], 0.9));
        stopping.trained(Some(ten.view()), 0).unwrap();
        let before = stopping.clone();
        let refused = stopping.trained(Some(two.view()), 0);
        assert!(matches!(
            refused,
            Err(RuleError::Rows {
                found: 2,
                expected: 10
            })
        ));
        assert_eq!(stopping, before);
    }

    #[test]
    fn new_refuses_impossible_rules() {
        for (rule, classes) in [
            (Rule::ClassificationChange { share: 1.5 }, None),
            (Rule::ClassificationChange { share: f64::NAN }, None),
            (
                Rule::KappaAverage {
                    window: 0,
                    kappa: 0.9,
                },
                None,
            ),
            (
                Rule::KappaAverage {
                    window: 101,
                    kappa: 0.9,
                },
                None,
            ),
            (
                Rule::DeltaF {
                    window: 3,
                    change: 0.05,
                },
                Some(3),
            ),
            (
                Rule::DeltaF {
                    window: 3,
                    change: 0.05,
                },
                None,
            ),
            (Rule::OverallUncertainty { uncertainty: -0.1 }, None),
        ] {
            assert!(Stopping::new(&[rule], classes).is_err(), "{rule:?}");
        }
    }
}
