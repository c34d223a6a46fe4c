use cotrain_chain::ChainError;
use cotrain_learning::{data::DataError, encode::EncodeError, train::TrainError};

use crate::scenario::ScenarioError;

/// Why a simulation did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The scenario cannot be.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The data cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The data does not fit the model.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The initial model cannot be trained.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// No sample for the initial model, or none left to contribute.
    #[error(
        "{initial} of {samples} training samples go to the initial model; at least one must, and one must be left to contribute: change `data.initial_share`"
    )]
    NothingToDo {
        /// Training samples.
        samples: usize,
        /// Those for the initial model.
        initial: usize,
    },
    /// The chain refused what the rules allow.
    #[error("the chain refused what the rules allow")]
    Chain(#[from] ChainError),
    /// The chain computed something else than the rules. This is a fault of cotrain.
    #[error(
        "`{call}`: the chain says {chain}, the rules say {rules}; please report this with the scenario and the seed"
    )]
    Diverged {
        /// What was done.
        call: &'static str,
        /// What the chain says.
        chain: String,
        /// What the rules say.
        rules: String,
    },
}

impl SimulateError {
    /// Whether the user can mend it: the scenario or its data.
    #[must_use]
    pub fn is_users_mistake(&self) -> bool {
        !matches!(self, Self::Chain(_) | Self::Diverged { .. })
    }
}
