use cotrain_bindings::Revert;

use crate::node::NodeError;

/// Why a chain did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// The transaction never became part of the chain.
    #[error("the chain rejected the transaction: {reason}")]
    Rejected {
        /// The chain's words.
        reason: String,
    },
    /// The contract refused; the transaction's gas is spent and nothing else has happened.
    #[error("the contract refused: {revert}")]
    Reverted {
        /// The contract's reason.
        revert: Revert,
        /// The same, as it came.
        data: Box<[u8]>,
        /// Gas spent.
        gas_used: u64,
    },
    /// The EVM stopped the transaction: out of gas or an invalid operation.
    #[error("the EVM stopped the transaction after {gas_used} gas: {reason}")]
    Halted {
        /// The EVM's words.
        reason: String,
        /// Gas spent.
        gas_used: u64,
    },
    /// Time can only move forward.
    #[error("the chain's time is {now} s and cannot go back to {wanted} s")]
    TimeRunsBack {
        /// Now, in Unix seconds.
        now: u64,
        /// What was asked for, in Unix seconds.
        wanted: u64,
    },
    /// A [`Recorded`](crate::Recorded) chain did what was asked, and could not tell it.
    #[error("step {step} has happened and cannot be recorded: {reason}")]
    Unrecorded {
        /// Which step, from 1.
        step: u64,
        /// Why.
        reason: String,
    },
    /// The chain is on a node, and the node did not do what was asked.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A contract answered with something that is not of its interface.
    #[error(
        "the answer of `{call}` is not what its interface says; is there a cotrain contract at that address?"
    )]
    UnexpectedAnswer {
        /// The function called.
        call: &'static str,
    },
}

impl ChainError {
    /// Why a transaction reverted, by what it returned, the gas it used and might have used.
    pub(crate) fn of_revert(output: &[u8], gas_used: u64, gas_limit: u64) -> Self {
        // A call within the transaction that runs out of gas leaves its callers the little that they
        // held back (EIP-150), and they pass its empty reason on.
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

    /// The contract's own reason, where it refused.
    #[must_use]
    pub fn revert(&self) -> Option<&Revert> {
        match self {
            Self::Reverted { revert, .. } => Some(revert),
            _ => None,
        }
    }
}
