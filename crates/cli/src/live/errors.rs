//! The client's errors in the words of the command line: why, and whose mistake it is.

use anyhow::anyhow;
use cotrain_client::{
    api::ApiError,
    claims::ClaimError,
    contribute::{ContributeError, PriceTooHigh},
    send::SendError,
};
use cotrain_protocol::GasPrice;

use super::{model::unreadable, wei::Wei};
use crate::failure::Failure;

/// Says why a transaction is not part of the chain, and whose mistake that is.
pub(crate) fn unsent(error: SendError) -> Failure {
    match error {
        SendError::Node(error) => error.into(),
        SendError::TooDear(dear) => Failure::Mistake(anyhow!(
            "--max-fee is {}, and a unit of gas costs {} now; allow more, or wait",
            GasPrice(dear.maximum),
            GasPrice(dear.base)
        )),
        SendError::OverBudget(over) => Failure::Mistake(anyhow!(
            "the next transaction could cost {}, and {} of --max-total {} is left; allow more, or do less",
            Wei(over.cost),
            Wei(over.left),
            Wei(over.limit)
        )),
        SendError::TooPoor(poor) => Failure::mistake(*poor),
        SendError::MaybeIncluded { .. } => {
            let words = error.to_string();
            match error {
                SendError::MaybeIncluded { source, .. } => unsent(*source).context(words),
                error => error.into(),
            }
        }
        error => error.into(),
    }
}

/// Says why samples were not contributed, and whose mistake that is.
pub(crate) fn not_contributed(error: ContributeError) -> Failure {
    match error {
        ContributeError::Send(error) => unsent(error),
        ContributeError::Read(error) => unreadable(error),
        ContributeError::Samples(_) => Failure::mistake(error),
        ContributeError::Price(PriceTooHigh { price, most }) => Failure::Mistake(anyhow!(
            "each sample would deposit {} now, at most {} is allowed; wait a while, contribute fewer at once, or \
             allow more with --max-deposit or --max-total",
            Wei(price),
            Wei(most)
        )),
        error => error.into(),
    }
}

/// Says why claims were not made, and whose mistake that is.
pub(crate) fn not_claimed(error: ClaimError) -> Failure {
    match error {
        ClaimError::Send(error) => unsent(error),
        error => error.into(),
    }
}

/// Says for a command with `--relay` why a request failed, and whose mistake that is.
pub(crate) fn unanswered(error: ApiError) -> Failure {
    match error {
        ApiError::Setup(error) | ApiError::Interrupted(error) => error.into(),
        ApiError::Unreachable(error) => {
            Failure::from(error).context("cannot reach the coordinator; is --relay its address?")
        }
        ApiError::Malformed { message } => Failure::Fault(anyhow!(message))
            .context("the answer is not a coordinator's; is --relay its address?"),
        error if error.is_mistake() => Failure::mistake(error),
        error => error.into(),
    }
}
