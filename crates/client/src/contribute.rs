//! Contributing: how many samples go into one transaction, and what they deposit.

use alloy_primitives::Address;
use cotrain_bindings::{self as bindings, Revert, events};
use cotrain_chain::node::{NodeError, NodeReceipt};
use cotrain_protocol::{
    Amount, Rejection,
    sample::{Item, encode_batch},
};

use crate::{
    estimate::{Misfit, judge, judge_smallest},
    model::{ModelFacts, ReadError},
    send::{Call, SendError, Sender},
    split::{Attempt, Split, split_to_fit},
};

/// Calldata of so many bytes costs more than a transaction may use: 10 gas a byte at least.
const MAX_BYTES: usize = 1_000_000;

/// Author of contributions to a model, by transactions of its own.
#[derive(Debug, Clone, Copy)]
pub struct Contributor<'a> {
    /// Account that contributes and pays.
    pub sender: &'a Sender<'a>,
    /// The model.
    pub facts: &'a ModelFacts,
}

/// Samples that fit into one transaction, at the price of now.
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

/// Contributions that are part of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contributed {
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
    /// The samples are not those of a batch.
    #[error(transparent)]
    Samples(#[from] Rejection),
    /// The model cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The transaction cannot be sent, or failed.
    #[error(transparent)]
    Send(#[from] SendError),
    /// Each sample deposits more than is allowed.
    #[error(transparent)]
    Price(#[from] PriceTooHigh),
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
    Amount(*most)
)]
pub struct PriceTooHigh {
    /// Deposit of each sample, in wei.
    pub price: u128,
    /// Maximum deposit of each, in wei.
    pub most: u128,
}

/// Checks that a price is allowed.
///
/// # Errors
/// [`PriceTooHigh`].
pub fn check_price(price: u128, most: u128) -> Result<(), PriceTooHigh> {
    if price <= most {
        return Ok(());
    }
    Err(PriceTooHigh { price, most })
}

impl Contributor<'_> {
    /// Finds how many of the samples fit into one transaction, `at_most` so many; `None` if there are none.
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
            // The price has risen since it was asked for.
            Err(Misfit::Refused(error)) if is_of_price(&error) => Ok(Attempt::Fits(batch)),
            Err(Misfit::NotYet(error) | Misfit::Refused(error) | Misfit::Failed(error)) => {
                Err((*error).into())
            }
        }
    }

    /// Contributes a batch. Each sample deposits at most `most` wei.
    ///
    /// # Errors
    /// [`ContributeError`].
    pub async fn send(&self, batch: &Batch, most: u128) -> Result<Contributed, ContributeError> {
        check_price(batch.price, most)?;
        // The contract gives back what is sent above the price.
        let each = batch.price.saturating_add(batch.price / 4).min(most);
        let receipt = self.sender.send(self.call(batch, each)).await?;
        let model = self.facts.trainer;
        let of_model = receipt.logs.iter().filter(|log| log.log.address == model);
        let logs: Vec<_> = of_model.map(|log| log.log.clone()).collect();
        let event = events::contributed(&logs).ok_or(ContributeError::Silent { model })?;
        let paid = event.deposit.saturating_mul(batch.size as u128);
        self.sender.budget.spend(paid);
        Ok(Contributed {
            position: event.batch,
            deposit: event.deposit,
            receipt,
        })
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
            Rejection::DepositTooLow { .. }
        )))
    )
}
