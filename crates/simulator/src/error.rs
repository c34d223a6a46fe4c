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
    #[error("{file}: in [data]")]
    Data {
        /// The scenario's file.
        file: String,
        /// Why.
        source: Box<DataError>,
    },
    /// The data does not fit the model.
    #[error("{file}: in [data] and [model]")]
    Encode {
        /// The scenario's file.
        file: String,
        /// Why.
        source: EncodeError,
    },
    /// The model cannot be trained.
    #[error("{file}: in [model]")]
    Train {
        /// The scenario's file.
        file: String,
        /// Why.
        source: TrainError,
    },
    /// No sample for the initial model, or none left to contribute.
    #[error(
        "{file}: `data.initial_share` gives {initial} of {samples} training samples to the initial model; at least one is wanted, and one must be left to contribute"
    )]
    NothingToDo {
        /// The scenario's file.
        file: String,
        /// Training samples.
        samples: usize,
        /// Those for the initial model.
        initial: usize,
    },
    /// A sample needs more gas than one transaction may use, or is longer than a batch can say.
    #[error(
        "a sample of {bytes} bytes is more than one transaction can teach; keep fewer features with `data.features`"
    )]
    SampleTooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Signed contributions cannot be relayed with this mechanism or these agents.
    #[error("with {under} there is no relaying: leave out `--relay`")]
    NoRelaying {
        /// The mechanism, or the kind of agents.
        under: String,
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
