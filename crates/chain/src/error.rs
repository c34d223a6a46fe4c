use cotrain_bindings::Revert;

use crate::node::NodeError;

/// Reason why a chain did not do what the caller asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// The transaction never became part of the chain.
    #[error("the chain rejected the transaction: {reason}")]
    Rejected {
        /// Message of the chain.
        reason: String,
    },
    /// The contract reverted. The transaction's gas is spent, and nothing else has happened.
    #[error("the contract refused: {revert}")]
    Reverted {
        /// Reason of the contract, decoded.
        revert: Revert,
        /// Reason of the contract, as bytes.
        data: Box<[u8]>,
        /// Gas spent.
        gas_used: u64,
    },
    /// The EVM stopped the transaction: out of gas or an invalid operation.
    #[error("the EVM stopped the transaction after {gas_used} gas: {reason}")]
    Halted {
        /// Message of the EVM.
        reason: String,
        /// Gas spent.
        gas_used: u64,
    },
    /// The caller tried to move time back.
    #[error("the chain's time is {now} s and cannot go back to {wanted} s")]
    TimeRunsBack {
        /// Time now, in Unix seconds.
        now: u64,
        /// Time that the caller asked for, in Unix seconds.
        wanted: u64,
    },
    /// A [`Recorded`](crate::Recorded) chain did what the caller asked, but could not record it.
    #[error("step {step} has happened and cannot be recorded: {reason}")]
    Unrecorded {
        /// Number of the step, from 1.
        step: u64,
        /// Reason why it could not be recorded.
        reason: String,
    },
    /// The chain is on a node that failed to answer.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The answer of a contract does not fit its interface.
    #[error(
        "the answer of `{call}` is not what its interface says; is there a cotrain contract at that address?"
    )]
    UnexpectedAnswer {
        /// Name of the called function.
        call: &'static str,
    },
}

impl ChainError {
    /// Builds the error of a reverted transaction from its output, its gas used and its gas limit.
    pub(crate) fn of_revert(output: &[u8], gas_used: u64, gas_limit: u64) -> Self {
        // If an inner call runs out of gas, its callers keep only the little that EIP-150 reserves
        // for them.
        // They pass on its empty reason.
        if output.is_empty() && gas_used > gas_limit / 10 * 9 {
            return Self::Halted {
                reason: "out of gas".to_owned(),
                gas_used,
            };
        }
        Self::Reverted {
            revert: Revert::decode(output),
            data: output.into(),
            gas_used,
        }
    }

    /// Returns the contract's own reason if it reverted.
    #[must_use]
    pub fn revert(&self) -> Option<&Revert> {
        match self {
            Self::Reverted { revert, .. } => Some(revert),
            _ => None,
        }
    }
}
