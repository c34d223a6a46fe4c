//! Contributing: the number of samples that fit into one transaction, and their deposits.

use std::collections::HashMap;

use alloy_primitives::Address;
use cotrain_bindings::{self as bindings, Revert, events};
use cotrain_chain::node::{NodeError, NodeReceipt};
use cotrain_protocol::{
    Amount, ContractError,
    mechanism::Mechanism,
    sample::{Item, encode_batch},
};

use crate::{
    estimate::{Misfit, judge, judge_smallest},
    gas,
    model::{ModelFacts, ReadError},
    send::{Call, SendError, Sender},
    split::{Attempt, Split, split_to_fit},
};

/// Maximum size of items, in bytes. At 10 gas a byte or more, larger calldata costs more than a
/// transaction may use.
const MAX_BYTES: usize = 1_000_000;

/// Author of contributions to a model, by transactions of its own.
#[derive(Debug, Clone, Copy)]
pub struct Contributor<'a> {
    /// Account that contributes and pays.
    pub sender: &'a Sender<'a>,
    /// The model.
    pub facts: &'a ModelFacts,
}

/// Samples that fit into one transaction, at the current price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Number of samples, from the first one on.
    pub size: usize,
    /// Deposit of each sample, in wei.
    pub price: u128,
    /// Gas of the transaction, if the node could estimate it.
    pub gas: Option<u64>,
    items: Vec<u8>,
}

impl Batch {
    /// Returns the gas of `count` samples in transactions such as this one; `None` if the node
    /// could not estimate this one.
    #[must_use]
    pub fn gas_of_all(&self, count: u64) -> Option<u64> {
        self.gas.map(|gas| gas::of_all(gas, self.size, count))
    }
}

/// Contributions that are part of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contributed {
    /// Number of contributions.
    pub size: usize,
    /// Position of the first contribution; the others follow it.
    pub position: u64,
    /// Deposit of each contribution, in wei.
    pub deposit: u128,
    /// Receipt of the transaction.
    pub receipt: NodeReceipt,
}

/// Failure to contribute samples.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContributeError {
    /// The samples do not make a batch.
    #[error(transparent)]
    Samples(#[from] ContractError),
    /// The model cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The transaction cannot be sent, or failed.
    #[error(transparent)]
    Send(#[from] SendError),
    /// Each sample deposits more than is allowed.
    #[error(transparent)]
    Price(#[from] PriceTooHigh),
    /// All samples together cost more than is allowed.
    #[error(transparent)]
    OverLimit(#[from] OverLimit),
    /// The transaction has no event of its contributions.
    #[error("the model {model} did not say what it took")]
    Silent {
        /// Trainer of the model.
        model: Address,
    },
}

/// Each sample deposits more than is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "each sample would deposit {} now, at most {} is allowed; wait a while, contribute fewer at once, or allow more",
    Amount(*price),
    Amount(*max)
)]
pub struct PriceTooHigh {
    /// Deposit of each sample, in wei.
    pub price: u128,
    /// Maximum deposit of each sample, in wei.
    pub max: u128,
}

/// Checks that a price is allowed.
///
/// # Errors
/// [`PriceTooHigh`].
pub fn check_price(price: u128, max: u128) -> Result<(), PriceTooHigh> {
    if price <= max {
        return Ok(());
    }
    Err(PriceTooHigh { price, max })
}

/// Samples that cost more together than the author allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{count} samples deposit {} now, and gas costs up to {}, which is more than {}; contribute fewer, wait until the price falls, or allow more",
    Amount(*deposits),
    Amount(*gas_cost),
    Amount(*limit)
)]
pub struct OverLimit {
    /// Number of samples.
    pub count: u64,
    /// Sum of all deposits at the current price, in wei.
    pub deposits: u128,
    /// Maximum cost of all gas, in wei.
    pub gas_cost: u128,
    /// Maximum cost of deposits and gas, in wei.
    pub limit: u128,
}

/// Returns the maximum deposit of each sample if the author names none, in wei. A price that every
/// contribution raises may double until the transaction is included; a fixed price stays.
#[must_use]
pub fn default_max_deposit(mechanism: Mechanism, price: u128) -> u128 {
    if mechanism.description().learns_at_once {
        price.saturating_mul(2)
    } else {
        price
    }
}

/// Lowers the maximum deposit of each of `count` samples, until all deposits and gas together are
/// at most `limit` wei.
///
/// # Errors
/// [`OverLimit`] if the limit is too low for the current price, but `max` is not.
pub fn count_within(
    limit: u128,
    max: u128,
    price: u128,
    count: u64,
    gas_cost: u128,
) -> Result<u128, OverLimit> {
    let room = limit.saturating_sub(gas_cost) / u128::from(count.max(1));
    if price <= max && room < price {
        return Err(OverLimit {
            count,
            deposits: price.saturating_mul(count.into()),
            gas_cost,
            limit,
        });
    }
    Ok(max.min(room))
}

/// Samples that an author has contributed, each with the number of its contributions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Samples(HashMap<(u16, Vec<u8>), usize>);

impl Samples {
    /// Adds a contribution of a sample.
    pub fn add(&mut self, label: u16, sample: Vec<u8>) {
        *self.0.entry((label, sample)).or_insert(0) += 1;
    }

    /// Takes out a contribution of a sample; returns `false` if there is none left. Each
    /// contribution counts for one example, so a sample that the data contains twice is contributed
    /// twice.
    pub fn take(&mut self, label: u16, sample: &[u8]) -> bool {
        match self.0.get_mut(&(label, sample.to_vec())) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        }
    }
}

impl Contributor<'_> {
    /// Finds how many of the samples fit into one transaction, at most `at_most`; `None` if there
    /// are no samples.
    ///
    /// # Errors
    /// [`ContributeError`], also if not even the first sample fits.
    pub async fn fit(
        &self,
        items: &[Item<'_>],
        at_most: usize,
    ) -> Result<Option<Batch>, ContributeError> {
        let split = split_to_fit(items.len(), at_most, |size| self.attempt(&items[..size]));
        match split.await? {
            Split::Fits { transaction, .. } => Ok(Some(transaction)),
            Split::Alone(reason) => Err(reason.into()),
            Split::Nothing => Ok(None),
        }
    }

    /// Tries samples together.
    async fn attempt(
        &self,
        items: &[Item<'_>],
    ) -> Result<Attempt<Batch, SendError>, ContributeError> {
        let size = items.len();
        let price = self.facts.price(self.sender.node, size as u64).await?;
        let mut batch = Batch {
            size,
            price,
            gas: None,
            items: encode_batch(items)?,
        };
        if batch.items.len() > MAX_BYTES && size > 1 {
            tracing::info!(size, "too many bytes for one transaction");
            return Ok(Attempt::TooMany(SendError::TooMuchGas { gas: u64::MAX }));
        }
        let call = self.call(&batch, price);
        let estimate = self.sender.estimate(&call).await;
        let judge = if size == 1 { judge_smallest } else { judge };
        match judge(estimate, None) {
            Ok(gas) => {
                batch.gas = Some(gas);
                Ok(Attempt::Fits(batch))
            }
            Err(Misfit::TooLarge(error) | Misfit::Unclear(error)) => {
                tracing::info!(size, %error, "too many for one transaction");
                Ok(Attempt::TooMany(*error))
            }
            // The price has risen since the model returned it.
            Err(Misfit::Refused(error)) if is_of_price(&error) => Ok(Attempt::Fits(batch)),
            Err(Misfit::NotYet(error) | Misfit::Refused(error) | Misfit::Failed(error)) => {
                Err((*error).into())
            }
        }
    }

    /// Contributes a batch. Each sample deposits at most `max` wei.
    ///
    /// # Errors
    /// [`ContributeError`].
    pub async fn send(&self, batch: &Batch, max: u128) -> Result<Contributed, ContributeError> {
        check_price(batch.price, max)?;
        // The contract returns what is sent above the price.
        let each = batch.price.saturating_add(batch.price / 4).min(max);
        let receipt = self.sender.send(self.call(batch, each)).await?;
        let model = self.facts.trainer;
        let of_model = receipt.logs.iter().filter(|log| log.log.address == model);
        let logs: Vec<_> = of_model.map(|log| log.log.clone()).collect();
        let event = events::contributed(&logs).ok_or(ContributeError::Silent { model })?;
        let paid = event.deposit.saturating_mul(batch.size as u128);
        self.sender.budget.spend(paid);
        Ok(Contributed {
            size: batch.size,
            position: event.first_position,
            deposit: event.deposit,
            receipt,
        })
    }

    /// Contributes samples in as many transactions as they need, beginning with `first`. Each sample
    /// deposits at most `max` wei. `included` receives each transaction that is part of the chain,
    /// also before an error.
    ///
    /// # Errors
    /// [`ContributeError`].
    pub async fn send_all(
        &self,
        items: &[Item<'_>],
        first: Batch,
        max: u128,
        mut included: impl FnMut(Contributed),
    ) -> Result<(), ContributeError> {
        let (mut rest, mut next) = (items, Some(first));
        while let Some(batch) = next {
            included(self.send(&batch, max).await?);
            rest = rest.get(batch.size..).unwrap_or_default();
            next = self.fit(rest, batch.size).await?;
        }
        Ok(())
    }

    fn call(&self, batch: &Batch, each: u128) -> Call {
        Call {
            to: Some(self.facts.trainer),
            value: each.saturating_mul(batch.size as u128),
            data: bindings::contribute(&batch.items).into(),
        }
    }
}

/// Returns `true` if the deposits are below the price.
fn is_of_price(error: &SendError) -> bool {
    matches!(
        error,
        SendError::Node(NodeError::Reverted(Revert::Contract(
            ContractError::DepositTooLow { .. }
        )))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_take_each_contribution_once() {
        let mut samples = Samples::default();
        for (label, sample) in [(0, [1]), (0, [1]), (1, [1])] {
            samples.add(label, sample.to_vec());
        }
        assert!(samples.take(0, &[1]) && samples.take(0, &[1]));
        assert!(!samples.take(0, &[1]));
        assert!(samples.take(1, &[1]) && !samples.take(1, &[1]));
        assert!(!samples.take(0, &[]) && !samples.take(2, &[1]));
    }

    #[test]
    fn default_max_deposit_is_more_only_if_prices_rise() {
        for mechanism in Mechanism::ALL {
            let expected = match mechanism {
                Mechanism::PredictionMarket => 5,
                Mechanism::DepositRefundTake | Mechanism::Points => 10,
            };
            assert_eq!(default_max_deposit(mechanism, 5), expected, "{mechanism}");
        }
    }

    #[test]
    fn count_within_keeps_all_deposits_and_gas_below_the_limit() {
        // 3 samples of 10 to 20 wei each, and gas of 5.
        let within = |limit| count_within(limit, 20, 10, 3, 5);
        assert_eq!(within(65), Ok(20));
        assert_eq!(within(64), Ok(19));
        assert_eq!(within(35), Ok(10));
        let over = within(34).expect_err("too little");
        assert_eq!((over.deposits, over.gas_cost, over.limit), (30, 5, 34));
        within(0).expect_err("less than the gas");
        // A price above the maximum is not judged here: `check_price` reports it.
        assert_eq!(count_within(34, 9, 10, 3, 5), Ok(9));
        assert_eq!(count_within(34, 20, 10, 0, 5), Ok(20));
    }
}
