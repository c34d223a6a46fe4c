//! Models of sessions.

use serde::{Deserialize, Serialize};

use crate::{
    export::AnyLearner,
    learner::{Boosted, Forest, LearnError, Learner, Logistic},
};

/// Number of trees of a forest.
const TREES: usize = 50;

/// Number of rounds of boosted trees.
const ROUNDS: usize = 50;

/// Maximum number of nodes of a boosted tree, whose depth is 3.
const BOOSTED_NODES: usize = 15;

/// Memory of a node of a tree with its share of the classes, in bytes.
const NODE: usize = 64;

/// Kind of model that a session has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LearnerKind {
    /// Multinomial logistic regression.
    #[default]
    Logistic,
    /// Random forest of 50 trees.
    Forest,
    /// Gradient-boosted trees, in 50 rounds.
    Boosted,
    /// Model of the caller, which sends its probabilities.
    Own,
}

impl LearnerKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Logistic, Self::Forest, Self::Boosted, Self::Own];

    /// Returns the name in JSON and in price lists.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Logistic => "logistic",
            Self::Forest => "forest",
            Self::Boosted => "boosted",
            Self::Own => "own",
        }
    }

    /// Creates a model that has learned nothing; `None` if the caller has its own.
    pub(super) fn model(
        self,
        classes: usize,
        features: usize,
        seed: u64,
    ) -> Result<Option<AnyLearner>, LearnError> {
        Ok(match self {
            Self::Logistic => Some(AnyLearner::Logistic(Logistic::new(classes, features)?)),
            Self::Forest => {
                let forest = Forest::new(classes, features, TREES, seed)?;
                Some(AnyLearner::Forest(forest))
            }
            Self::Boosted => {
                let boosted = Boosted::new(classes, features, ROUNDS, seed)?;
                Some(AnyLearner::Boosted(boosted))
            }
            Self::Own => None,
        })
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

/// Returns the most bytes that a model can hold after learning from a number of rows.
pub(super) fn bytes(model: &AnyLearner, rows: usize) -> usize {
    match model {
        AnyLearner::Logistic(_) => model.classes() * (model.features() + 2) * size_of::<f64>(),
        // A tree with a leaf for each row has about twice as many nodes.
        AnyLearner::Forest(_) => TREES * 2 * rows * NODE,
        AnyLearner::Boosted(_) => ROUNDS * model.classes() * BOOSTED_NODES.min(2 * rows) * NODE,
    }
}
