//! Initial model of a deployment: trained, rounded and measured, with its card and its terms.
//!
//! Every program that deploys models plans them here, so that the same data gives the same model.

use alloy_primitives::Address;
use cotrain_learning::{
    data::Doubt,
    evaluation::Confusion,
    initial::Prepared,
    train::{Quantization, TrainError},
};
use cotrain_protocol::{
    mechanism::Terms,
    trainer::{Incentive, Waits},
};
use thiserror::Error;

use crate::{
    card::{Card, CardError},
    deploy::Plan,
};

/// Name and description of a model, for its card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title {
    /// Name for people.
    pub name: String,
    /// Purpose, in one or a few sentences.
    pub description: String,
}

/// Model that can be deployed, with its figures.
#[derive(Debug)]
pub struct InitialModel {
    /// Part that goes on the chain.
    pub deployment: Plan,
    /// Loss by rounding.
    pub quantization: Quantization,
    /// Predictions of the model for the test data.
    pub confusion: Confusion,
    /// Number of examples that the model was trained on.
    pub trained_on: usize,
    /// Columns that seem to number or name the rows of the table.
    pub row_numbers: Vec<String>,
    /// Number of examples with a query, which the model does not learn from.
    pub queries: usize,
    /// Columns of a table with their types, in words; none of a table of numbers alone.
    pub types: Vec<(String, String)>,
    /// Number of columns of a table to learn from; 0 for other data.
    pub columns: usize,
    /// Doubts about the table that its owner can settle.
    pub doubts: Vec<Doubt>,
    /// Number of the data's numbers that were clipped to the bounds.
    pub clamped: usize,
    /// Number of the texts it was trained on of which the encoder knows nothing.
    pub unknown: usize,
}

/// Reason why prepared data gives no model that can be deployed.
#[derive(Debug, Error)]
pub enum InitialError {
    /// The card cannot be registered.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The model cannot be trained.
    #[error(transparent)]
    Train(#[from] TrainError),
}

impl InitialModel {
    /// Trains and measures a model on prepared data.
    ///
    /// # Errors
    /// [`InitialError`].
    pub fn train(
        title: &Title,
        terms: Terms,
        owner: Address,
        prepared: &Prepared,
    ) -> Result<Self, InitialError> {
        let encoded = &prepared.encoded;
        let card = Card {
            name: title.name.clone(),
            description: title.description.clone(),
            classes: encoded.classes.clone(),
            encoder: Some(encoded.encoder.clone()),
            from_block: 0,
        };
        // The check comes before the training, which takes time, and long before anything is paid.
        card.check()?;
        let trained = prepared.train()?;
        Ok(Self {
            deployment: Plan {
                owner,
                terms,
                classifier: trained.classifier,
                card,
            },
            quantization: trained.quantization,
            confusion: trained.confusion,
            trained_on: prepared.trained_on,
            row_numbers: prepared.row_numbers(),
            queries: prepared.queries(),
            types: prepared
                .dataset
                .as_ref()
                .map(|it| it.schema.describe_unless_plain())
                .unwrap_or_default(),
            columns: prepared.columns(),
            doubts: prepared.doubts(),
            clamped: encoded.clamped,
            unknown: encoded.unknown_in(prepared.trained_on),
        })
    }
}

/// Fault of an incentive or its waits, which the contracts refuse or which would stake nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TermsFault {
    /// Contributions have no wait.
    #[error(
        "the refund wait is 0 s, expected at least 1 s: without a wait a contribution stakes nothing"
    )]
    NoWait,
    /// The owner may claim before the contributor may.
    #[error(
        "the owner's wait of {owner_claim} s is shorter than the refund wait of {refund} s; make it at least as long"
    )]
    OwnerFirst {
        /// Wait of refunds, in seconds.
        refund: u64,
        /// Wait of the owner, in seconds.
        owner_claim: u64,
    },
    /// Anyone may claim before the owner may.
    #[error(
        "anyone's wait of {any_address_claim} s is shorter than the owner's of {owner_claim} s; make it at least as long"
    )]
    AnyoneFirst {
        /// Wait of the owner, in seconds.
        owner_claim: u64,
        /// Wait of anyone else, in seconds.
        any_address_claim: u64,
    },
    /// A second announcement would come too late.
    #[error(
        "the notice of {notice} s is more than half of the {between} s from the refund wait to the owner's; make it at most that half"
    )]
    LongNotice {
        /// Notice of reports, in seconds.
        notice: u64,
        /// Time from the refund wait to the owner's, in seconds.
        between: u64,
    },
    /// The longest wait does not fit the contract.
    #[error("anyone's wait is {any_address_claim} s, expected less than 2^40 s, 34,000 years")]
    TooLong {
        /// Wait of anyone, in seconds.
        any_address_claim: u64,
    },
    /// Contributions deposit nothing.
    #[error("the cost weight is 0, so nothing would be staked; give one, or choose points")]
    NothingStaked,
    /// The cost weight does not fit the contract.
    #[error("the cost weight is {cost_weight} wei, expected less than 2^80 wei")]
    TooMuch {
        /// Cost weight, in wei.
        cost_weight: u128,
    },
}

/// Checks the bounds of the contracts, and that refunds have a wait.
///
/// # Errors
/// [`TermsFault`] with the first fault.
pub fn check_terms(incentive: &Incentive, waits: &Waits) -> Result<(), TermsFault> {
    let Waits {
        refund,
        owner_claim,
        any_address_claim,
        report_notice,
    } = *waits;
    // Scenarios have the same bound: without a wait, a contribution would stake nothing.
    if refund == 0 {
        return Err(TermsFault::NoWait);
    }
    if refund > owner_claim {
        return Err(TermsFault::OwnerFirst {
            refund,
            owner_claim,
        });
    }
    if owner_claim > any_address_claim {
        return Err(TermsFault::AnyoneFirst {
            owner_claim,
            any_address_claim,
        });
    }
    // If a report misses its time, there must be time for a second announcement before the owner
    // may take the deposit.
    let between = owner_claim - refund;
    if report_notice > between / 2 {
        return Err(TermsFault::LongNotice {
            notice: report_notice,
            between,
        });
    }
    if waits.validate().is_err() {
        return Err(TermsFault::TooLong { any_address_claim });
    }
    match *incentive {
        Incentive::DepositRefundTake { cost_weight: 0 } => Err(TermsFault::NothingStaked),
        Incentive::DepositRefundTake { cost_weight } if incentive.validate().is_err() => {
            Err(TermsFault::TooMuch { cost_weight })
        }
        _ => Ok(()),
    }
}
