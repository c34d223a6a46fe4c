//! Claims: the number that fits into one transaction, and their outcome.

use std::error::Error;

use cotrain_bindings::{
    self as bindings,
    events::{self, ClaimSkipped, Paid},
};
use cotrain_chain::{TRANSACTION_GAS_LIMIT, node::NodeReceipt};
use cotrain_protocol::{
    record::Claims,
    trainer::{Announcement, Delegation},
};

use crate::{
    estimate::{self, Misfit},
    gas,
    model::ModelFacts,
    send::{Call, SendError, Sender},
    split::{Attempt, Split, split_to_fit},
};

/// Maximum number of claims in one transaction.
const MAX_CLAIMS: usize = 100;
/// Maximum number of claims in a transaction whose gas cannot be estimated.
const MAX_UNTRIED: usize = 10;

/// Act of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act<'a> {
    /// Refund an author's own deposits.
    Refund,
    /// Announce reports that need a notice.
    Announce,
    /// Report others' contributions.
    Report,
    /// Report others' contributions for an account that has allowed it.
    ReportFor(&'a Delegation),
    /// Take what is left of open deposits, after the wait of the owner or of anyone.
    ClaimLate,
}

impl Act<'_> {
    /// Returns the name of the act.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refund => "refund",
            Self::Announce => "announce",
            Self::Report | Self::ReportFor(_) => "report",
            Self::ClaimLate => "late claim",
        }
    }

    /// Returns the calldata that does this to groups of claims.
    #[must_use]
    pub fn call(self, groups: &[Claims]) -> Vec<u8> {
        match self {
            Self::Refund => bindings::refund(groups),
            Self::Announce => bindings::announce(groups),
            Self::Report => bindings::report(groups),
            Self::ReportFor(delegation) => bindings::report_for(delegation, groups),
            Self::ClaimLate => bindings::claim_late(groups),
        }
    }
}

/// Claimant of a model, by transactions of its own.
#[derive(Debug, Clone, Copy)]
pub struct Claimant<'a> {
    /// Account that claims and pays the gas.
    pub sender: &'a Sender<'a>,
    /// The model.
    pub facts: &'a ModelFacts,
    /// Time of the chain's next block, in Unix seconds.
    pub now: u64,
}

/// Claims that fit into one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimsTransaction {
    /// Number of claims, from the first one on.
    pub size: usize,
    /// Gas of the transaction, if the node could estimate it.
    pub gas: Option<u64>,
    call: Vec<u8>,
}

impl ClaimsTransaction {
    /// Returns the gas of `count` claims in transactions such as this one. If the node could not
    /// estimate this transaction, the maximum gas of a transaction counts.
    #[must_use]
    pub fn gas_of_all(&self, count: u64) -> u64 {
        let gas = self.gas.unwrap_or(TRANSACTION_GAS_LIMIT);
        gas::of_all(gas, self.size, count)
    }
}

/// Outcome of claims that are part of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Payments.
    pub paid: Vec<Paid>,
    /// Position of each contribution that was announced, and the time of its report.
    pub announced: Vec<(u64, Announcement)>,
    /// Claims that the contract skipped.
    pub skipped: Vec<ClaimSkipped>,
    /// Receipt of the transaction.
    pub receipt: NodeReceipt,
}

/// Failure to make claims.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// The source of the proofs failed.
    #[error(transparent)]
    Proofs(Box<dyn Error + Send + Sync>),
    /// The transaction cannot be sent, or failed.
    #[error(transparent)]
    Send(#[from] SendError),
}

/// Judges an estimate of `size` claims and returns their gas. `now` is the time of the chain's next
/// block, in Unix seconds. The command line and the keeper both follow this judgment.
///
/// Some nodes estimate only in their latest block. They cannot estimate claims that are due in the
/// next one.
///
/// # Errors
/// [`Misfit::NotYet`] if the claims are due in the next block, and so few that they certainly fit
/// one transaction with the maximum gas. Otherwise another [`Misfit`].
pub fn judge(size: usize, estimate: Result<u64, SendError>, now: u64) -> Result<u64, Misfit> {
    let judged = if size == 1 {
        estimate::judge_smallest(estimate, Some(now))
    } else {
        estimate::judge(estimate, Some(now))
    };
    match judged {
        Err(Misfit::NotYet(error)) if size > MAX_UNTRIED => Err(Misfit::TooLarge(error)),
        judged => judged,
    }
}

impl Claimant<'_> {
    /// Finds how many of the claims fit into one transaction, at most `at_most`; `None` if there
    /// are no claims. `prove` returns the groups of some positions with their proofs.
    ///
    /// # Errors
    /// [`ClaimError`], also if not even the first claim fits.
    pub async fn fit<E: Error + Send + Sync + 'static>(
        &self,
        act: Act<'_>,
        positions: &[u64],
        at_most: usize,
        prove: impl AsyncFn(&[u64]) -> Result<Vec<Claims>, E>,
    ) -> Result<Option<ClaimsTransaction>, ClaimError> {
        let at_most = at_most.min(MAX_CLAIMS);
        let prove = &prove;
        let split = split_to_fit(positions.len(), at_most, |size| async move {
            let groups = prove(&positions[..size]).await;
            let groups = groups.map_err(|error| ClaimError::Proofs(error.into()))?;
            self.attempt(act, size, &groups).await
        });
        match split.await? {
            Split::Fits { transaction, .. } => Ok(Some(transaction)),
            Split::Alone(error) => Err(error.into()),
            Split::Nothing => Ok(None),
        }
    }

    /// Tries `size` claims together.
    async fn attempt(
        &self,
        act: Act<'_>,
        size: usize,
        groups: &[Claims],
    ) -> Result<Attempt<ClaimsTransaction, SendError>, ClaimError> {
        let transaction = ClaimsTransaction {
            size,
            gas: None,
            call: act.call(groups),
        };
        let estimate = self.sender.estimate_next(&self.call(&transaction)).await;
        match judge(size, estimate, self.now) {
            Ok(gas) => Ok(Attempt::Fits(ClaimsTransaction {
                gas: Some(gas),
                ..transaction
            })),
            Err(Misfit::NotYet(_)) => Ok(Attempt::Fits(transaction)),
            Err(Misfit::TooLarge(error) | Misfit::Unclear(error)) => Ok(Attempt::TooMany(*error)),
            Err(Misfit::Refused(error) | Misfit::Failed(error)) => Err((*error).into()),
        }
    }

    /// Makes claims, and waits until they are part of the chain.
    ///
    /// # Errors
    /// [`ClaimError::Send`].
    pub async fn send(&self, transaction: &ClaimsTransaction) -> Result<Claimed, ClaimError> {
        let call = self.call(transaction);
        // No second estimate: in the node's latest block the claims may be too early.
        let gas_limit = transaction.gas.map_or(TRANSACTION_GAS_LIMIT, gas::limit);
        let receipt = self.sender.send_with_gas(call, gas_limit).await?;
        let logs: Vec<_> = receipt.logs.iter().map(|log| log.log.clone()).collect();
        let notice = self.facts.waits().map_or(0, |waits| waits.report_notice);
        let announced = events::announced(&logs).into_iter();
        Ok(Claimed {
            paid: events::paid(&logs),
            announced: announced
                .map(|event| (event.position, Announcement::new(event.time, notice)))
                .collect(),
            skipped: events::claims_skipped(&logs),
            receipt,
        })
    }

    /// Makes claims in as many transactions as they need. `prove` is that of [`fit`](Self::fit).
    /// `claimed` receives each transaction that is part of the chain and its number of claims, also
    /// before an error.
    ///
    /// # Errors
    /// [`ClaimError`].
    pub async fn send_all<E: Error + Send + Sync + 'static>(
        &self,
        act: Act<'_>,
        positions: &[u64],
        prove: impl AsyncFn(&[u64]) -> Result<Vec<Claims>, E>,
        mut claimed: impl FnMut(Claimed, usize),
    ) -> Result<(), ClaimError> {
        let (mut rest, mut size) = (positions, positions.len());
        while let Some(transaction) = self.fit(act, rest, size, &prove).await? {
            size = transaction.size;
            claimed(self.send(&transaction).await?, size);
            rest = rest.get(size..).unwrap_or_default();
        }
        Ok(())
    }

    fn call(&self, transaction: &ClaimsTransaction) -> Call {
        Call {
            to: Some(self.facts.trainer),
            value: 0,
            data: transaction.call.clone().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use cotrain_bindings::Revert;
    use cotrain_chain::node::NodeError;
    use cotrain_protocol::ContractError;

    use super::*;

    #[test]
    fn judge_lets_few_claims_go_that_are_due_in_the_next_block() {
        let judge_early = |size, earliest| {
            let early = ContractError::TooEarly { now: 5, earliest };
            let early = NodeError::Reverted(Revert::Contract(early));
            judge(size, Err(early.into()), 100)
        };
        for size in [1, MAX_UNTRIED] {
            let judged = judge_early(size, 100);
            assert!(matches!(judged, Err(Misfit::NotYet(_))), "{judged:?}");
        }
        let judged = judge_early(MAX_UNTRIED + 1, 100);
        assert!(matches!(judged, Err(Misfit::TooLarge(_))), "{judged:?}");
        for size in [1, MAX_UNTRIED + 1] {
            let judged = judge_early(size, 101);
            assert!(matches!(judged, Err(Misfit::Refused(_))), "{judged:?}");
        }
    }

    #[test]
    fn judge_lets_one_claim_go_without_the_whole_margin() {
        let gas = TRANSACTION_GAS_LIMIT;
        let judged = judge(1, Ok(gas), 100);
        assert!(matches!(judged, Ok(found) if found == gas), "{judged:?}");
        let judged = judge(2, Ok(gas), 100);
        assert!(matches!(judged, Err(Misfit::TooLarge(_))), "{judged:?}");
    }
}
