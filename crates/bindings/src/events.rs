//! What the logs of a transaction say.

use alloy_primitives::{Address, Bytes, Log, U256};
use alloy_sol_types::SolEvent;

use crate::{Revert, contracts::DepositRefundTake as trainer};

/// `Contributed`: everything that the leaves of a batch sent by its author are made of.
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
    pub items: Bytes,
}

/// `Relayed`: everything that the leaves of batches are made of that their authors had signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relayed {
    /// The position of the first contribution.
    pub batch: u64,
    /// Who sent them and got the fees.
    pub relayer: Address,
    /// Wei deposited for each contribution.
    pub deposit: u128,
    /// When, in Unix seconds.
    pub time: u64,
    /// The accepted ones, in order.
    pub batches: Vec<RelayedBatch>,
}

/// One accepted signed batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayedBatch {
    /// Who contributed.
    pub author: Address,
    /// The most that the author would have deposited for each contribution, in wei.
    pub max_deposit: u128,
    /// What the relayer got, in wei.
    pub fee: u128,
    /// The nonce that is used now.
    pub nonce: u64,
    /// The last second in which it could be relayed.
    pub deadline: u64,
    /// Labels and samples, as they were sent.
    pub items: Bytes,
}

/// `Skipped`: a signed batch that nothing was done with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Who is said to have signed it.
    pub author: Address,
    /// Its nonce.
    pub nonce: u64,
    /// Why.
    pub reason: Revert,
}

/// `ClaimSkipped`: a claim that nothing was done about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimSkipped {
    /// The contribution.
    pub position: u64,
    /// Why.
    pub reason: Revert,
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
        items: event.items,
    })
}

/// The first `Relayed` among `logs`.
#[must_use]
pub fn relayed(logs: &[Log]) -> Option<Relayed> {
    let event = logs
        .iter()
        .find_map(|log| trainer::Relayed::decode_log(log).ok())?
        .data;
    let mut rest = event.batches.as_ref();
    let mut batches = Vec::new();
    while !rest.is_empty() {
        batches.push(relayed_batch(&mut rest)?);
    }
    Some(Relayed {
        batch: event.batch.try_into().ok()?,
        relayer: event.relayer,
        deposit: event.deposit.try_into().ok()?,
        time: event.time.try_into().ok()?,
        batches,
    })
}

/// `author (20 bytes) | maxDeposit (12) | fee (12) | nonce (6) | deadline (5) | length of items (4) | items`,
/// taken off the front.
fn relayed_batch(rest: &mut &[u8]) -> Option<RelayedBatch> {
    Some(RelayedBatch {
        author: Address::from_slice(rest.split_off(..20)?),
        max_deposit: U256::from_be_slice(rest.split_off(..12)?).try_into().ok()?,
        fee: U256::from_be_slice(rest.split_off(..12)?).try_into().ok()?,
        nonce: U256::from_be_slice(rest.split_off(..6)?).try_into().ok()?,
        deadline: U256::from_be_slice(rest.split_off(..5)?).try_into().ok()?,
        items: {
            let length: usize = U256::from_be_slice(rest.split_off(..4)?).try_into().ok()?;
            Bytes::copy_from_slice(rest.split_off(..length)?)
        },
    })
}

/// All `Skipped` among `logs`, in order.
#[must_use]
pub fn skipped(logs: &[Log]) -> Vec<Skipped> {
    let skipped = |log| {
        let event = trainer::Skipped::decode_log(log).ok()?.data;
        Some(Skipped {
            author: event.author,
            nonce: event.nonce.try_into().ok()?,
            reason: Revert::decode(&event.reason),
        })
    };
    logs.iter().filter_map(skipped).collect()
}

/// All `ClaimSkipped` among `logs`, in order.
#[must_use]
pub fn claims_skipped(logs: &[Log]) -> Vec<ClaimSkipped> {
    let skipped = |log| {
        let event = trainer::ClaimSkipped::decode_log(log).ok()?.data;
        Some(ClaimSkipped {
            position: event.position.try_into().ok()?,
            reason: Revert::decode(&event.reason),
        })
    };
    logs.iter().filter_map(skipped).collect()
}

/// All payments among `logs`, in order.
#[must_use]
pub fn paid(logs: &[Log]) -> Vec<Paid> {
    let paid = |log: &Log| {
        let (position, to, amount) = match *log.topics().first()? {
            trainer::Refunded::SIGNATURE_HASH => {
                let event = trainer::Refunded::decode_log(log).ok()?.data;
                (event.position, event.author, event.amount)
            }
            trainer::Reported::SIGNATURE_HASH => {
                let event = trainer::Reported::decode_log(log).ok()?.data;
                (event.position, event.reporter, event.amount)
            }
            trainer::ClaimedLate::SIGNATURE_HASH => {
                let event = trainer::ClaimedLate::decode_log(log).ok()?.data;
                (event.position, event.claimer, event.amount)
            }
            _ => return None,
        };
        Some(Paid {
            position: position.try_into().ok()?,
            to,
            amount: amount.try_into().ok()?,
        })
    };
    logs.iter().filter_map(paid).collect()
}
