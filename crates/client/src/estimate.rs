//! Estimates: the only module that decides if a call fits a transaction, and why not.

use cotrain_bindings::Revert;
use cotrain_chain::{TRANSACTION_GAS_LIMIT, node::NodeError};
use cotrain_protocol::ContractError;

use crate::{gas, send::SendError};

/// Reason why a call cannot be sent unchanged in a transaction.
///
/// The cases are chosen so that nobody loses money or data. A smaller attempt costs only a request,
/// so the caller tries one whenever size may be the reason. A reason that a smaller call cannot
/// change is reported immediately. A fault of the node never discards what an author has signed.
#[derive(Debug, thiserror::Error)]
pub enum Misfit {
    /// The call is too large: a smaller one may succeed.
    #[error(transparent)]
    TooLarge(Box<SendError>),
    /// The node's message is unknown. A smaller call may succeed; a call that cannot be smaller may
    /// be tried again later.
    #[error(transparent)]
    Unclear(Box<SendError>),
    /// The call is due in the next block. The node refused it by the time of its latest block,
    /// which may be long ago.
    #[error(transparent)]
    NotYet(Box<SendError>),
    /// The contract refuses the call for a reason other than its size.
    #[error(transparent)]
    Refused(Box<SendError>),
    /// The node failed to judge the call, or the sender cannot pay for it.
    #[error(transparent)]
    Failed(Box<SendError>),
}

impl Misfit {
    /// Judges the failure of an estimate. `now` is the time of the chain's next block, in Unix
    /// seconds; `None` if the call depends on no time.
    #[must_use]
    pub fn new(error: SendError, now: Option<u64>) -> Self {
        let kind = match &error {
            SendError::TooMuchGas { .. } => Self::TooLarge,
            SendError::Node(NodeError::Reverted(revert)) if is_of_size(revert) => Self::TooLarge,
            SendError::Node(NodeError::Reverted(Revert::Contract(ContractError::TooEarly {
                earliest,
                ..
            }))) if now.is_some_and(|now| *earliest <= now) => Self::NotYet,
            SendError::Node(NodeError::Reverted(_)) => Self::Refused,
            SendError::Node(NodeError::Other { message, .. }) if names_gas(message) => {
                Self::TooLarge
            }
            // `TooMuch` is the node's answer to a request with too many bytes.
            SendError::Node(NodeError::Other { .. } | NodeError::TooMuch { .. }) => Self::Unclear,
            _ => Self::Failed,
        };
        kind(Box::new(error))
    }
}

/// Returns the gas of a call if it leaves room for the whole margin. `now` is that of
/// [`Misfit::new`].
///
/// # Errors
/// [`Misfit`].
pub fn judge(estimate: Result<u64, SendError>, now: Option<u64>) -> Result<u64, Misfit> {
    match estimate {
        Ok(gas) if gas::fits(gas) => Ok(gas),
        Ok(gas) => Err(Misfit::new(SendError::TooMuchGas { gas }, now)),
        Err(error) => Err(Misfit::new(error, now)),
    }
}

/// Judges a call that cannot be smaller. It accepts what [`judge`] does, and also gas that leaves
/// no room for the whole margin.
///
/// # Errors
/// [`Misfit`].
pub fn judge_smallest(estimate: Result<u64, SendError>, now: Option<u64>) -> Result<u64, Misfit> {
    match estimate {
        Ok(gas) if gas <= TRANSACTION_GAS_LIMIT => Ok(gas),
        estimate => judge(estimate, now),
    }
}

/// Returns `true` if a contract may refuse only because the call is too large.
fn is_of_size(revert: &Revert) -> bool {
    match revert {
        // A contract that runs out of gas gives no reason. Its caller passes that on, or reports
        // that its classifier failed.
        Revert::GasTooLow { .. } | Revert::Unknown(_) | Revert::Panic(_) => true,
        Revert::Contract(rejection) => matches!(
            rejection,
            ContractError::ClassifierFailed | ContractError::TooLong { .. }
        ),
        _ => false,
    }
}

/// Returns `true` if a node's message is about gas, such as running out of it. Nodes use many
/// different words.
fn names_gas(message: &str) -> bool {
    // The name of the method contains "gas" but is no reason.
    let message = message.to_lowercase().replace("estimategas", "");
    message.contains("gas")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use alloy_primitives::{Address, Bytes, U256};

    use super::*;
    use crate::{gas_fees::TooDear, send::TooPoor};

    const METHOD: &str = "eth_estimateGas";
    const NOW: u64 = 1_000;

    fn name(judged: &Result<u64, Misfit>) -> &'static str {
        match judged {
            Ok(_) => "fits",
            Err(Misfit::TooLarge(_)) => "too large",
            Err(Misfit::Unclear(_)) => "unclear",
            Err(Misfit::NotYet(_)) => "not yet",
            Err(Misfit::Refused(_)) => "refused",
            Err(Misfit::Failed(_)) => "failed",
        }
    }

    fn contract(rejection: ContractError) -> SendError {
        NodeError::Reverted(Revert::Contract(rejection)).into()
    }

    fn revert(revert: Revert) -> SendError {
        NodeError::Reverted(revert).into()
    }

    fn says(message: &str) -> SendError {
        let error = NodeError::Other {
            method: METHOD,
            code: -32_000,
            message: message.to_owned(),
        };
        error.into()
    }

    fn early(earliest: u64) -> SendError {
        contract(ContractError::TooEarly { now: 5, earliest })
    }

    /// Checks the verdict of [`judge`] on each failure.
    fn check(cases: impl IntoIterator<Item = (SendError, &'static str)>) {
        for (error, expected) in cases {
            let message = format!("{error:?}");
            let judged = judge(Err(error), Some(NOW));
            assert_eq!(name(&judged), expected, "{message}");
        }
    }

    #[test]
    fn judge_needs_room_for_the_margin() {
        let largest = TRANSACTION_GAS_LIMIT / 5 * 4 + 1;
        for (gas, expected) in [
            (21_000, "fits"),
            (largest, "fits"),
            (largest + 1, "too large"),
            (u64::MAX, "too large"),
        ] {
            assert_eq!(name(&judge(Ok(gas), Some(NOW))), expected, "{gas}");
        }
        check([(SendError::TooMuchGas { gas: 1 }, "too large")]);
    }

    #[test]
    fn judge_tells_reasons_of_contracts_apart() {
        let (left, allowance) = (U256::ONE, U256::MAX);
        check([
            (contract(ContractError::ClassifierFailed), "too large"),
            (
                contract(ContractError::TooLong { length: 9, max: 8 }),
                "too large",
            ),
            (revert(Revert::GasTooLow { left, allowance }), "too large"),
            (revert(Revert::Unknown(Bytes::new())), "too large"),
            (revert(Revert::Panic(U256::from(0x41))), "too large"),
            (contract(ContractError::EmptyBatch), "refused"),
            (
                contract(ContractError::DepositTooLow {
                    required: 2,
                    sent: 1,
                }),
                "refused",
            ),
            (
                contract(ContractError::NothingLeft { position: 3 }),
                "refused",
            ),
            (revert(Revert::Reentrancy), "refused"),
            (revert(Revert::MalformedRelay { offset: 0 }), "refused"),
            (early(NOW - 1), "not yet"),
            (early(NOW), "not yet"),
            (early(NOW + 1), "refused"),
        ]);
        // No call is "not yet" if the caller knows no time.
        assert_eq!(name(&judge(Err(early(0)), None)), "refused");
    }

    #[test]
    fn judge_takes_words_of_nodes_for_size_only_if_they_are_of_gas() {
        check([
            (says("out of gas"), "too large"),
            (says("Gas required exceeds allowance (0)"), "too large"),
            (says("eth_estimateGas: intrinsic gas too low"), "too large"),
            (says("cannot process eth_estimateGas"), "unclear"),
            (says("execution aborted (timeout = 5s)"), "unclear"),
        ]);
    }

    #[test]
    fn judge_finds_no_size_in_faults_of_nodes_and_lack_of_money() {
        let (method, message) = (METHOD, || "words".to_owned());
        let (url, reason, after) = (message(), message(), Duration::from_secs(1));
        let nodes = [
            NodeError::Unreachable {
                method,
                url: url.clone(),
                reason,
            },
            NodeError::TimedOut { method, url, after },
            NodeError::RateLimited {
                method,
                message: message(),
            },
            NodeError::Unavailable {
                method,
                message: message(),
            },
            NodeError::Malformed {
                method,
                message: message(),
            },
            NodeError::StateGone {
                method,
                message: message(),
            },
            NodeError::Unsupported {
                method,
                message: message(),
            },
            NodeError::Denied {
                method,
                status: 401,
            },
            NodeError::InsufficientFunds { message: message() },
        ];
        check(nodes.map(|error| (error.into(), "failed")));
        let poor = TooPoor {
            account: Address::ZERO,
            chain_id: 1,
            has: U256::ZERO,
            value: U256::ONE,
            gas: None,
        };
        let dear = TooDear {
            base: 2,
            maximum: 1,
        };
        let large = NodeError::TooMuch {
            method,
            message: message(),
        };
        check([
            (Box::new(poor).into(), "failed"),
            (dear.into(), "failed"),
            // The node refuses the request because it has too many bytes.
            (large.into(), "unclear"),
        ]);
    }

    #[test]
    fn judge_smallest_needs_no_whole_margin() {
        for (gas, expected) in [
            (1, "fits"),
            (TRANSACTION_GAS_LIMIT, "fits"),
            (TRANSACTION_GAS_LIMIT + 1, "too large"),
        ] {
            let judged = judge_smallest(Ok(gas), None);
            assert_eq!(name(&judged), expected, "{gas}");
            assert!(judged.is_err() || judged.is_ok_and(|found| found == gas));
        }
        let silent = judge_smallest(Err(revert(Revert::Unknown(Bytes::new()))), None);
        assert_eq!(name(&silent), "too large");
    }
}
