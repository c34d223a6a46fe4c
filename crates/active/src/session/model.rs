//! Model of a session.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use crate::learner::{LearnError, Learner, Logistic};

/// Kind of model that a session has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LearnerKind {
    /// Multinomial logistic regression.
    #[default]
    Logistic,
    /// Model of the caller, which sends its probabilities.
    Own,
}

/// Model with its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Model {
    /// Logistic regression.
    Logistic(Logistic),
}

impl Model {
    /// Creates a model that has learned nothing; `None` if the caller has its own.
    pub(super) fn new(
        kind: LearnerKind,
        classes: usize,
        features: usize,
    ) -> Result<Option<Self>, LearnError> {
        Ok(match kind {
            LearnerKind::Logistic => Some(Self::Logistic(Logistic::new(classes, features)?)),
            LearnerKind::Own => None,
        })
    }

    /// Returns a model of the same kind for more classes, which has learned nothing.
    pub(super) fn with_classes(&self, classes: usize, features: usize) -> Result<Self, LearnError> {
        match self {
            Self::Logistic(_) => Ok(Self::Logistic(Logistic::new(classes, features)?)),
        }
    }

    /// Returns the kind of the model.
    pub(super) fn kind(&self) -> LearnerKind {
        match self {
            Self::Logistic(_) => LearnerKind::Logistic,
        }
    }

    /// Returns the model as a learner.
    pub(super) fn learner(&self) -> &dyn Learner {
        match self {
            Self::Logistic(model) => model,
        }
    }

    /// Learns from all labeled rows.
    pub(super) fn fit(
        &mut self,
        rows: ArrayView2<'_, f64>,
        labels: &[usize],
    ) -> Result<(), LearnError> {
        match self {
            Self::Logistic(model) => model.fit(rows, labels),
        }
    }

    /// Returns the number of bytes that the model holds.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Logistic(model) => model.classes() * (model.features() + 2) * size_of::<f64>(),
        }
    }
}
