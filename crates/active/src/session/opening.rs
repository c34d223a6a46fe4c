//! Options that a session is opened with.

use ndarray::Array2;

use super::{
    limits::{Limits, SessionError, at_most},
    model::LearnerKind,
};
use crate::{
    annotators::Method,
    stopping::Rule,
    strategy::{Start, Strategy},
    stream::Gate,
};

/// Maximum number of stopping rules of a session.
const MAX_RULES: usize = 16;

/// Options that a session is opened with.
#[derive(Debug, Clone, PartialEq)]
pub struct Opening {
    /// Kind of model.
    pub learner: LearnerKind,
    /// Number of classes, at least 2; `None` if it grows with the labels.
    pub classes: Option<usize>,
    /// Numbers of a row; 0 is possible with the caller's own model, whose rows stay with the caller.
    pub features: usize,
    /// Strategy for pools.
    pub strategy: Strategy,
    /// Rule for streams; `None` if the session makes no decisions.
    pub gate: Option<Gate>,
    /// Rules that say to stop.
    pub stopping: Vec<Rule>,
    /// Rows that stopping rules look at; `None` if no rule does, or if the caller has its own model.
    pub fixed: Option<Array2<f64>>,
    /// Method for the consensus of several annotators.
    pub method: Method,
    /// `true` if the model's probabilities are calibrated by a temperature.
    pub calibrated: bool,
    /// Seed of all random choices.
    pub seed: u64,
}

impl Opening {
    /// Checks that the parts fit each other and the limits.
    pub(super) fn check(&self, limits: &Limits) -> Result<(), SessionError> {
        let own = self.learner == LearnerKind::Own;
        if let Some(classes) = self.classes {
            at_least("classes", classes, 2)?;
            at_most("classes", classes, limits.classes)?;
        } else if own {
            return Err(SessionError::Missing("classes"));
        }
        at_most("features", self.features, limits.features)?;
        if self.features == 0 && !own {
            return Err(SessionError::Missing("features"));
        }
        if self.features == 0 && looks_at_rows(self.strategy) {
            return Err(SessionError::NoRows(self.strategy.name()));
        }
        if own && (self.strategy == Strategy::Committee || self.calibrated) {
            return Err(SessionError::NoModel);
        }
        at_most("stopping rules", self.stopping.len(), MAX_RULES)?;
        let looks = self.stopping.iter().any(|rule| rule.looks_at_predictions());
        match &self.fixed {
            Some(_) if own => return Err(SessionError::NoModel),
            Some(_) if !looks => return Err(SessionError::Missing("stopping")),
            Some(fixed) => {
                at_least("rows of the fixed set", fixed.nrows(), 1)?;
                at_most("rows of the fixed set", fixed.nrows(), limits.call)?;
                at_most("numbers of the fixed set", fixed.len(), limits.numbers)?;
                if fixed.ncols() != self.features {
                    return Err(SessionError::Features {
                        found: fixed.ncols(),
                        expected: self.features,
                    });
                }
            }
            None if looks && !own => return Err(SessionError::Missing("fixed")),
            None => {}
        }
        Ok(())
    }
}

/// Returns `true` if a strategy compares the numbers of rows.
pub(super) fn looks_at_rows(strategy: Strategy) -> bool {
    match strategy {
        Strategy::Random
        | Strategy::LeastConfidence
        | Strategy::Margin
        | Strategy::Entropy
        | Strategy::Committee => false,
        Strategy::Density { .. }
        | Strategy::KCenter
        | Strategy::MarginKCenter
        | Strategy::TypiClust
        | Strategy::StartThenMargin(Start::TypiClust | Start::KCenter) => true,
    }
}

fn at_least(what: &'static str, found: usize, least: usize) -> Result<(), SessionError> {
    if found < least {
        return Err(SessionError::TooFew { what, found, least });
    }
    Ok(())
}
