//! Failures of deployments through a node.

use alloy_primitives::{Address, B256, U256};
use cotrain_chain::{ChainError, node::NodeError};

use super::Silent;
use crate::{card::CardError, journal::JournalError, model::ReadError, send::SendError};

/// Failure to end a deployment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeployError {
    /// The node failed.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A transaction cannot be prepared; nothing of its step was sent.
    #[error("cannot do the step `{step}`")]
    Step {
        /// Name of the step.
        step: String,
        /// The failure.
        source: SendError,
    },
    /// A transaction failed after it was prepared.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The model cannot be read back.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The named address has no registry.
    #[error("there is no registry at {registry} ({reason})")]
    NoRegistry {
        /// The address.
        registry: Address,
        /// Answer of the node.
        reason: Box<ChainError>,
    },
    /// The factory emitted no event of a creation.
    #[error(transparent)]
    Silent(#[from] Silent),
    /// The receipt of a creation has no address.
    #[error("the node does not say where the {step} is")]
    NoAddress {
        /// Name of the step.
        step: String,
    },
    /// A transaction is included, but its contract does not exist.
    #[error(
        "the {step} is not at {address}, though the transaction {transaction} was to create it; try again"
    )]
    NotCreated {
        /// Name of the step.
        step: String,
        /// Address of the contract.
        address: Address,
        /// Hash of the transaction.
        transaction: B256,
    },
    /// A named contract has other code.
    #[error(
        "the model that was created runs other code than this release's; is the factory, trainer or classifier that you \
         named another one? Leave it out to have it created"
    )]
    OtherCode,
    /// The chain has another word than the deployment wrote.
    #[error(
        "word {index} of the model is {found:#x} on the chain, {written:#x} was meant; somebody else writes with your key: \
         begin anew with another journal"
    )]
    OtherWord {
        /// Index of the word.
        index: usize,
        /// Word on the chain.
        found: U256,
        /// Word that was written.
        written: U256,
    },
    /// A step was done before, and the node does not know its transaction.
    #[error(
        "the step `{step}` was done before, and the node does not have its transaction any more; nothing was sent: use a \
         node that keeps receipts"
    )]
    Forgotten {
        /// Name of the step.
        step: String,
    },
    /// The model's card cannot be registered.
    #[error(transparent)]
    Card(#[from] CardError),
}
