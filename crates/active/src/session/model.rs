//! Models of sessions.

use std::fmt;

use cotrain_protocol::classifier::Kind;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::{
    calibration::Temperature,
    export::{AnyLearner, Export},
    learner::{Boosted, Deployable, Forest, LearnError, Learner, Logistic},
};

/// Number of trees of a forest.
const TREES: usize = 50;

/// Number of rounds of boosted trees.
const ROUNDS: usize = 50;

/// Maximum number of nodes of a boosted tree, whose depth is 3.
const BOOSTED_NODES: usize = 15;

/// Memory of a node of a tree with its share of the classes, in bytes.
const NODE: usize = 64;

/// Memory of a number of a contract's model, in bytes: as it learns, and as the contract stores it.
const DEPLOYABLE_NUMBER: usize = 32;

/// Memory of a feature in an encoder, in bytes: its name, and how its numbers are scaled.
const ENCODED_FEATURE: usize = 256;

/// Number of members of a committee that a session makes of copies of its model.
const COMMITTEE: usize = 5;

/// Kind of model that a session has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum LearnerKind {
    /// Multinomial logistic regression.
    #[default]
    Logistic,
    /// Random forest of 50 trees.
    Forest,
    /// Gradient-boosted trees, in 50 rounds.
    Boosted,
    /// Classifier that a contract can run.
    Deployable(Kind),
    /// Model of the caller, which sends its probabilities.
    Own,
}

impl LearnerKind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::Logistic,
        Self::Forest,
        Self::Boosted,
        Self::Deployable(Kind::SparsePerceptron),
        Self::Deployable(Kind::DensePerceptron),
        Self::Deployable(Kind::NaiveBayes),
        Self::Deployable(Kind::SparseNearestCentroid),
        Self::Deployable(Kind::DenseNearestCentroid),
        Self::Own,
    ];

    /// Returns the name in JSON and in price lists.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Logistic => "logistic",
            Self::Forest => "forest",
            Self::Boosted => "boosted",
            Self::Deployable(kind) => kind.name(),
            Self::Own => "own",
        }
    }

    /// Returns the number of models that learn anew for each query by a committee.
    ///
    /// A forest has members already: its trees.
    #[must_use]
    pub fn members_that_learn(self) -> usize {
        match self {
            Self::Forest | Self::Own => 0,
            Self::Logistic | Self::Boosted | Self::Deployable(_) => COMMITTEE,
        }
    }

    /// Creates a model that has learned nothing; `None` if the caller has its own.
    pub(super) fn model(
        self,
        classes: usize,
        features: usize,
        seed: u64,
    ) -> Result<Option<Model>, LearnError> {
        let learner = match self {
            Self::Logistic => {
                Trained::Exported(AnyLearner::Logistic(Logistic::new(classes, features)?))
            }
            Self::Forest => {
                let forest = Forest::new(classes, features, TREES, seed)?;
                Trained::Exported(AnyLearner::Forest(forest))
            }
            Self::Boosted => {
                let boosted = Boosted::new(classes, features, ROUNDS, seed)?;
                Trained::Exported(AnyLearner::Boosted(boosted))
            }
            Self::Deployable(kind) => {
                let model = Deployable::new(kind, classes, features, seed)?;
                Trained::Deployable(Box::new(model))
            }
            Self::Own => return Ok(None),
        };
        Ok(Some(Model {
            learner,
            temperature: Temperature::ONE,
        }))
    }

    /// Returns `true` if a model is one that [`Self::model`] makes, after learning from at most so many rows.
    pub(super) fn has_made(self, model: &AnyLearner, made: &AnyLearner, rows: usize) -> bool {
        let nodes = match self {
            // A tree has at most one leaf for each row.
            Self::Forest => 2 * rows,
            _ => BOOSTED_NODES,
        };
        model.is_made_like(made) && model.nodes() <= nodes
    }
}

impl fmt::Display for LearnerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<LearnerKind> for &'static str {
    fn from(kind: LearnerKind) -> Self {
        kind.name()
    }
}

impl TryFrom<String> for LearnerKind {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|it| it.name() == name);
        found.ok_or_else(|| {
            let expected = Self::ALL.map(Self::name).join(", ");
            format!("`{name}` is no learner; expected one of {expected}")
        })
    }
}

/// Model of a session, with the temperature of its probabilities.
#[derive(Debug, Clone)]
pub struct Model {
    learner: Trained,
    temperature: Temperature,
}

#[derive(Debug, Clone)]
enum Trained {
    Exported(AnyLearner),
    Deployable(Box<Deployable>),
}

impl Model {
    /// Returns the model as its file has it, with its temperature; `None` of a contract's classifier.
    #[must_use]
    pub fn export(&self) -> Option<Export> {
        let learner = self.exported()?.clone();
        Some(Export::new(learner, self.temperature))
    }

    /// Returns the learner that a file can have; `None` of a contract's classifier.
    pub(super) fn exported(&self) -> Option<&AnyLearner> {
        match &self.learner {
            Trained::Exported(model) => Some(model),
            Trained::Deployable(_) => None,
        }
    }

    /// Returns the classifier that a contract can run; `None` of other models.
    #[must_use]
    pub fn deployable(&self) -> Option<&Deployable> {
        match &self.learner {
            Trained::Exported(_) => None,
            Trained::Deployable(model) => Some(model),
        }
    }

    /// Returns the temperature of the probabilities; 1 if they are not calibrated.
    #[must_use]
    pub fn temperature(&self) -> Temperature {
        self.temperature
    }

    /// Returns a model that was written, with its temperature.
    pub(super) fn of(model: AnyLearner, temperature: Temperature) -> Self {
        Self {
            learner: Trained::Exported(model),
            temperature,
        }
    }

    /// Returns the learner, whose probabilities have no temperature.
    pub(super) fn learner(&self) -> &dyn Learner {
        match &self.learner {
            Trained::Exported(model) => model,
            Trained::Deployable(model) => model.as_ref(),
        }
    }

    /// Learns from all labeled rows, and calibrates if a seed for the parts is given.
    pub(super) fn fit(
        &mut self,
        rows: ArrayView2<'_, f64>,
        labels: &[usize],
        calibration: Option<u64>,
    ) -> Result<(), LearnError> {
        match &mut self.learner {
            Trained::Exported(model) => model.fit(rows, labels)?,
            Trained::Deployable(model) => model.fit(rows, labels)?,
        }
        if let Some(seed) = calibration {
            self.temperature = Temperature::fit(self.learner(), &rows, labels, seed)?;
        }
        Ok(())
    }

    /// Returns the probabilities of rows.
    pub(super) fn probabilities(
        &self,
        rows: ArrayView2<'_, f64>,
    ) -> Result<Array2<f64>, LearnError> {
        let mut found = self.learner().probabilities(rows)?;
        self.temperature.apply(&mut found);
        Ok(found)
    }

    /// Returns the most bytes that the model can hold after learning from a number of rows.
    pub(super) fn bytes(&self, rows: usize) -> usize {
        let (classes, features) = (self.learner().classes(), self.learner().features());
        match &self.learner {
            Trained::Exported(AnyLearner::Logistic(_)) => {
                classes * (features + 2) * size_of::<f64>()
            }
            // A tree with a leaf for each row has about twice as many nodes.
            Trained::Exported(AnyLearner::Forest(_)) => TREES * 2 * rows * NODE,
            Trained::Exported(AnyLearner::Boosted(_)) => {
                ROUNDS * classes * BOOSTED_NODES.min(2 * rows) * NODE
            }
            Trained::Deployable(_) => {
                classes * features * DEPLOYABLE_NUMBER + features * ENCODED_FEATURE
            }
        }
    }
}
