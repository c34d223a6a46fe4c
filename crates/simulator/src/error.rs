use cotrain_chain::ChainError;
use cotrain_learning::{
    data::DataError, encode::EncodeError, federated::ExamplesError, train::TrainError,
};
use cotrain_protocol::federated::FederatedError;

use crate::scenario::ScenarioError;

/// Reason why a run ended before it was finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Somebody canceled it.
    Canceled,
    /// It took too long.
    TooLong,
    /// It made too many events and evaluations.
    TooLarge,
}

impl Stopped {
    /// Returns the reason in words.
    fn reason(self) -> &'static str {
        match self {
            Self::Canceled => "it was canceled",
            Self::TooLong => "it took longer than it may",
            Self::TooLarge => "it made more events and evaluations than it may",
        }
    }
}

/// Reason why a simulation failed.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The scenario is invalid.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The data cannot be read.
    #[error("{file}: in [data]")]
    Data {
        /// The scenario's file.
        file: String,
        /// Cause of the failure.
        source: Box<DataError>,
    },
    /// The data does not fit the model.
    #[error("{file}: in [data] and [model]")]
    Encode {
        /// The scenario's file.
        file: String,
        /// Cause of the failure.
        source: EncodeError,
    },
    /// The model cannot be trained.
    #[error("{file}: in [model]")]
    Train {
        /// The scenario's file.
        file: String,
        /// Cause of the failure.
        source: TrainError,
    },
    /// The initial model gets no sample, or none is left to contribute.
    #[error(
        "{file}: `data.initial_share` gives {initial} of {samples} training samples to the initial model; expected at least one, with one left to contribute"
    )]
    NothingToDo {
        /// The scenario's file.
        file: String,
        /// Number of training samples.
        samples: usize,
        /// Number of samples for the initial model.
        initial: usize,
    },
    /// A sample needs more gas than one transaction may use, or is longer than a batch can encode.
    #[error(
        "a sample of {bytes} bytes is more than one transaction can teach; keep fewer features with `data.features`"
    )]
    SampleTooLarge {
        /// Length of the sample, in bytes.
        bytes: usize,
    },
    /// This mechanism or these agents do not work with a relayer.
    #[error("with {under} there is no relaying: leave out `--relay`")]
    NoRelaying {
        /// The mechanism, or the kind of agents.
        under: String,
    },
    /// Examples do not fit federated rounds.
    #[error(transparent)]
    Examples(#[from] ExamplesError),
    /// Updates or a model do not fit the rules of federated rounds.
    #[error(transparent)]
    Federated(#[from] FederatedError),
    /// The run went beyond its bounds, or somebody canceled it.
    #[error("the run was stopped: {}", .0.reason())]
    Stopped(Stopped),
    /// The chain refused what the rules allow.
    #[error("the chain refused what the rules allow")]
    Chain(#[from] ChainError),
    /// The chain diverged from the reference model. This is a fault of cotrain.
    #[error(
        "`{call}`: the chain says {chain}, the rules say {rules}; please report this with the scenario and the seed"
    )]
    Diverged {
        /// Call that diverged.
        call: &'static str,
        /// Result of the chain.
        chain: String,
        /// Result of the reference model.
        rules: String,
    },
}

impl SimulateError {
    /// Returns `true` if the user can fix the cause, in the scenario or its data.
    #[must_use]
    pub fn is_users_mistake(&self) -> bool {
        !matches!(
            self,
            Self::Chain(_) | Self::Diverged { .. } | Self::Stopped(_)
        )
    }
}
