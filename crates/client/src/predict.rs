//! Predictions by a model's contract, in calls of a size that nodes answer.

use alloy_primitives::B256;
use cotrain_bindings::{self as bindings, Revert};
use cotrain_chain::{
    ChainError,
    node::{At, Node, NodeError},
};
use cotrain_protocol::ContractError;

use crate::model::ModelFacts;

/// Maximum number of samples in one call.
const SAMPLES_PER_CALL: usize = 50;

/// Failure of predictions.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    /// The model refuses a sample.
    #[error(transparent)]
    Refused(ContractError),
    /// The node failed.
    #[error(transparent)]
    Node(NodeError),
    /// The answer has another form.
    #[error(transparent)]
    Answer(ChainError),
}

impl From<NodeError> for PredictError {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Reverted(Revert::Contract(rejection)) => Self::Refused(rejection),
            error => Self::Node(error),
        }
    }
}

/// Asks a model to predict the labels of samples after a block, and adds them to `labels`. After an
/// error, `labels` has those of the samples before it.
///
/// # Errors
/// [`PredictError`].
pub async fn predict(
    node: &Node,
    facts: &ModelFacts,
    block: B256,
    samples: &[&[u8]],
    labels: &mut Vec<u16>,
) -> Result<(), PredictError> {
    for samples in samples.chunks(SAMPLES_PER_CALL) {
        let call = bindings::predict(samples);
        let answer = node
            .call(facts.classifier, call, Some(At::Hash(block)))
            .await?;
        let some = bindings::read_labels(&answer).filter(|some| some.len() == samples.len());
        labels.extend(some.ok_or_else(|| unexpected("predict"))?);
    }
    Ok(())
}

/// Asks a model to count the samples that it predicts correctly, after a block.
///
/// # Errors
/// [`PredictError`].
pub async fn evaluate(
    node: &Node,
    facts: &ModelFacts,
    block: B256,
    samples: &[(u16, &[u8])],
) -> Result<usize, PredictError> {
    let mut correct = 0;
    for some in samples.chunks(SAMPLES_PER_CALL) {
        let (labels, samples): (Vec<u16>, Vec<&[u8]>) = some.iter().copied().unzip();
        let call = bindings::evaluate(&samples, &labels);
        let answer = node
            .call(facts.classifier, call, Some(At::Hash(block)))
            .await?;
        let number = bindings::read_number(&answer).and_then(|number| usize::try_from(number).ok());
        let number = number.filter(|number| *number <= samples.len());
        correct += number.ok_or_else(|| unexpected("evaluate"))?;
    }
    Ok(correct)
}

fn unexpected(call: &'static str) -> PredictError {
    PredictError::Answer(ChainError::UnexpectedAnswer { call })
}
