//! The client's errors in the words of the command line: the cause, and who can fix it.

use alloy_primitives::B256;
use anyhow::anyhow;
use cotrain_client::{
    api::ApiError,
    claims::ClaimError,
    contribute::{ContributeError, OverLimit, PriceTooHigh},
    market::MarketError,
    relay::{NotPrepaid, RelayError, SignedTooMuch, Waiting},
    send::SendError,
};
use cotrain_protocol::GasPrice;
use cotrain_results::format::counted;

use super::{model::unreadable, wei::Wei};
use crate::error::CommandError;

/// Returns the failure for a transaction that is not part of the chain, and decides whether the
/// user made a mistake.
pub(crate) fn unsent(error: SendError) -> CommandError {
    match error {
        SendError::Node(error) => error.into(),
        SendError::TooDear(dear) => CommandError::Mistake(anyhow!(
            "--max-fee is {}, and a unit of gas costs {} now; allow more, or wait",
            GasPrice(dear.maximum),
            GasPrice(dear.base)
        )),
        SendError::OverBudget(over) => CommandError::Mistake(anyhow!(
            "the next transaction could cost {}, and {} of --max-total {} is left; allow more, or do less",
            Wei(over.cost),
            Wei(over.left),
            Wei(over.limit)
        )),
        SendError::TooPoor(poor) => CommandError::mistake(*poor),
        SendError::MaybeIncluded { .. } => {
            let message = error.to_string();
            match error {
                SendError::MaybeIncluded { source, .. } => unsent(*source).context(message),
                error => error.into(),
            }
        }
        error => error.into(),
    }
}

/// Returns the failure for samples that were not contributed, and decides whether the user made a
/// mistake.
pub(crate) fn not_contributed(error: ContributeError) -> CommandError {
    match error {
        ContributeError::Send(error) => unsent(error),
        ContributeError::Read(error) => unreadable(error),
        ContributeError::Samples(_) => CommandError::mistake(error),
        ContributeError::Price(PriceTooHigh { price, max }) => CommandError::Mistake(anyhow!(
            "each sample would deposit {} now, at most {} is allowed; wait a while, contribute fewer at once, or \
             allow more with --max-deposit or --max-total",
            Wei(price),
            Wei(max)
        )),
        ContributeError::OverLimit(over) => CommandError::Mistake(over_limit(&over)),
        error => error.into(),
    }
}

/// Returns the message for samples that cost more than `--max-total`.
fn over_limit(over: &OverLimit) -> anyhow::Error {
    anyhow!(
        "nothing was sent: {} deposit {} now, and gas costs up to {}, which is more than --max-total {}; \
         contribute fewer, wait until the price falls, or allow more",
        counted(over.count, "sample"),
        Wei(over.deposits),
        Wei(over.gas_cost),
        Wei(over.limit)
    )
}

/// Returns the failure for claims that were not made, and decides whether the user made a mistake.
pub(crate) fn not_claimed(error: ClaimError) -> CommandError {
    match error {
        ClaimError::Send(error) => unsent(error),
        error => error.into(),
    }
}

/// Returns the failure for a failed request of `--relay`, and decides whether the user made a
/// mistake.
pub(crate) fn unanswered(error: ApiError) -> CommandError {
    match error {
        ApiError::Setup(error) | ApiError::Interrupted(error) => error.into(),
        ApiError::Unreachable(error) => CommandError::from(error)
            .context("cannot reach the coordinator; is --relay its address?"),
        ApiError::Malformed { message } => CommandError::Fault(anyhow!(message))
            .context("the answer is not a coordinator's; is --relay its address?"),
        error if error.is_mistake() => CommandError::mistake(error),
        error => error.into(),
    }
}

/// Returns the failure for batches that `--relay` did not sign or submit, and decides whether the
/// user made a mistake.
pub(crate) fn not_relayed(error: RelayError) -> CommandError {
    match error {
        RelayError::Api(error) => unanswered(error),
        RelayError::Node(error) => error.into(),
        RelayError::Read(error) => unreadable(error),
        RelayError::Samples(_) | RelayError::NoKeeper { .. } => CommandError::mistake(error),
        RelayError::NoRelayer { coordinator } => CommandError::Mistake(anyhow!(
            "cannot sign: the coordinator at {coordinator} names no relayer for the model; use one that relays, or sign \
             for anyone with --any-relayer"
        )),
        RelayError::Waiting(waiting) => CommandError::Mistake(waits(&waiting)),
        RelayError::NotPrepaid(short) => CommandError::Mistake(not_prepaid(&short)),
        RelayError::OverBudget(SignedTooMuch { cost, limit }) => CommandError::Fault(anyhow!(
            "nothing more was signed: the signatures that the coordinator would have then could cost {}, which is more \
             than --max-total {}; find out what became of the signed batches (`cotrain submission`), or allow more",
            Wei(cost),
            Wei(limit)
        )),
        RelayError::Unsure {
            id,
            coordinator,
            source,
        } => unanswered(*source).context(format!(
            "the signed batch {id} may have been taken all the same; before you sign its samples again, see with `{}`",
            question(id, &coordinator)
        )),
        error => error.into(),
    }
}

/// Returns the command that asks for the state of a batch.
pub(crate) fn question(id: B256, coordinator: &str) -> String {
    format!("cotrain submission {id} --relay {coordinator}")
}

/// Returns the message for pending batches that may contain the samples to sign.
fn waits(waiting: &Waiting) -> anyhow::Error {
    anyhow!(
        "nothing was signed: signed batches of {} that may cost {} are pending with {}, and may have these examples; wait \
         until they are part of the chain (`cotrain submission`), or say --again",
        waiting.author,
        Wei(waiting.committed),
        waiting.coordinator
    )
}

/// Returns the message that names the amount to prepay first.
fn not_prepaid(short: &NotPrepaid) -> anyhow::Error {
    let missing = Wei(short.missing());
    let waiting = match short.committed {
        0 => String::new(),
        committed => format!(" besides the {} of pending signed batches", Wei(committed)),
    };
    anyhow!(
        "nothing was signed: the account {} has {} prepaid with the model {}, and this may cost {}{waiting}: \
         {missing} is missing; prepay it with `cotrain deposit {}`, or contribute fewer with --limit",
        short.author,
        Wei(short.balance),
        short.model,
        Wei(short.needed),
        short.missing()
    )
}

/// Returns the failure for a market that cannot be followed, and decides whether the user made a
/// mistake.
pub(crate) fn unfollowed(error: MarketError) -> CommandError {
    if error.is_transient() {
        return CommandError::Fault(error.into());
    }
    CommandError::mistake(error)
}
