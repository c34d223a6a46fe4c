//! Reasons why a rail does not do what it was asked for.

use cotrain_indexer::with_sources;
use cotrain_payments::{
    rail::RefusalReason,
    x402::{Reason, batch::Corrective},
};

use super::{books::BooksError, chain::ChainError};

/// Reason why a rail does not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum PayError {
    /// The payment, the proof or the ledger forbids it.
    #[error(transparent)]
    Refused(#[from] RefusalReason),
    /// The ledger cannot be written or refuses.
    #[error(transparent)]
    Books(#[from] BooksError),
    /// The opening has no id, and its money would be lost with its answer.
    #[error(
        "cannot take the payment: an opening needs an id here, since no money would go back if its answer were lost; send the same payment with an Idempotency-Key"
    )]
    NoId,
    /// A node does not answer. Nothing was taken.
    #[error("cannot ask the {0}: it does not answer; try again later")]
    Unavailable(&'static str),
    /// The payer counts the charges of its channel otherwise than the host.
    #[error(
        "cannot take the voucher: the channel was charged another sum; sign for the sum of the answer"
    )]
    Mismatch(Box<Corrective>),
    /// The client has too many offers open that nobody paid.
    #[error("cannot make another invoice: this client has {max} unpaid ones; pay one, or wait")]
    TooManyOpen {
        /// Maximum number.
        max: usize,
    },
    /// All clients together have too many offers open that nobody paid.
    #[error("cannot make another invoice: {max} of all clients are unpaid; try again later")]
    Full {
        /// Maximum number.
        max: usize,
    },
}

impl From<ChainError> for PayError {
    /// Takes a failure before anything was sent. Payers learn no more than the chain's refusal.
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Refused(reason) => RefusalReason::X402(reason).into(),
            ChainError::Pending => RefusalReason::Pending.into(),
            error => {
                tracing::warn!(error = %with_sources(&error), "cannot use the chain for a payment now");
                Self::Unavailable("chain")
            }
        }
    }
}

impl PayError {
    /// Returns the status of the answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Refused(reason) => reason.status(),
            Self::Books(BooksError::Refused(fault)) => fault.status(),
            Self::Mismatch(_) => Reason::BatchCumulativeMismatch.status(),
            Self::Books(BooksError::Unwritten | BooksError::Closed)
            | Self::Unavailable(_)
            | Self::Full { .. } => 503,
            Self::NoId => 400,
            Self::TooManyOpen { .. } => 429,
        }
    }

    /// Returns the seconds after which the caller should ask again, if time helps.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Refused(reason) => reason.retry_after(),
            Self::Books(BooksError::Refused(fault)) => {
                RefusalReason::from(fault.clone()).retry_after()
            }
            Self::Books(BooksError::Unwritten | BooksError::Closed) | Self::Unavailable(_) => {
                RefusalReason::Pending.retry_after()
            }
            Self::NoId | Self::Mismatch(_) | Self::TooManyOpen { .. } | Self::Full { .. } => None,
        }
    }

    /// Returns the word of x402 for the answer.
    #[must_use]
    pub fn word(&self) -> Option<Reason> {
        match self {
            Self::Refused(reason) => reason.word(),
            Self::Books(BooksError::Refused(fault)) => RefusalReason::from(fault.clone()).word(),
            Self::Mismatch(_) => Some(Reason::BatchCumulativeMismatch),
            Self::Books(_)
            | Self::NoId
            | Self::Unavailable(_)
            | Self::TooManyOpen { .. }
            | Self::Full { .. } => None,
        }
    }
}
