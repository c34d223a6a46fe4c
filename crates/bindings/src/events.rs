//! What the logs of a transaction say.

use alloy_primitives::{Address, Bytes, Log};
use alloy_sol_types::SolEvent;

use crate::contracts::DepositRefundTake as trainer;

/// `Contributed`: everything that the leaves of a batch are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contributed {
    /// The position of the first contribution.
    pub batch: u64,
    /// Who contributed.
    pub author: Address,
    /// Wei deposited for each.
    pub deposit: u128,
    /// When, in Unix seconds.
    pub time: u64,
    /// Labels and samples, as they were sent.
    pub data: Bytes,
}

/// A payment out of a deposit: `Refunded`, `Reported` or `ClaimedLate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paid {
    /// The contribution.
    pub position: u64,
    /// Who was paid.
    pub to: Address,
    /// Wei.
    pub amount: u128,
}

/// The first `Contributed` among `logs`.
#[must_use]
pub fn contributed(logs: &[Log]) -> Option<Contributed> {
    let event = logs
        .iter()
        .find_map(|log| trainer::Contributed::decode_log(log).ok())?
        .data;
    Some(Contributed {
        batch: event.batch.try_into().ok()?,
        author: event.author,
        deposit: event.deposit.try_into().ok()?,
        time: event.time.try_into().ok()?,
        data: event.data,
    })
}

/// The first payment among `logs`.
#[must_use]
pub fn paid(logs: &[Log]) -> Option<Paid> {
    let (position, to, amount) = logs.iter().find_map(|log| {
        let topic = log.topics().first()?;
        match *topic {
            trainer::Refunded::SIGNATURE_HASH => {
                let event = trainer::Refunded::decode_log(log).ok()?.data;
                Some((event.position, event.author, event.amount))
            }
            trainer::Reported::SIGNATURE_HASH => {
                let event = trainer::Reported::decode_log(log).ok()?.data;
                Some((event.position, event.reporter, event.amount))
            }
            trainer::ClaimedLate::SIGNATURE_HASH => {
                let event = trainer::ClaimedLate::decode_log(log).ok()?.data;
                Some((event.position, event.claimer, event.amount))
            }
            _ => None,
        }
    })?;
    Some(Paid {
        position: position.try_into().ok()?,
        to,
        amount: amount.try_into().ok()?,
    })
}
