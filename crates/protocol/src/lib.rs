//! Rules of cotrain as pure functions of their arguments.
//!
//! They cover sample codecs, learners in fixed point, deposits, signed batches, settlement,
//! records, prediction markets, fees for predictions and federated rounds.
//!
//! This crate follows `docs/spec.md` to the bit, as the contracts do. Time, senders and money are
//! arguments; there is no clock, no randomness, no I/O and no floating point.
//!
//! ```
//! use alloy_primitives::Address;
//! use cotrain_protocol::{
//!     classifier::{Classifier, Parameters},
//!     record::Record,
//!     sample::{Item, encode_batch, encode_sparse},
//!     trainer::{Incentive, Trainer, Waits},
//! };
//!
//! let [owner, contract, author] = [1, 2, 3].map(Address::with_last_byte);
//! let model = Classifier::new(Parameters::SparsePerceptron {
//!     features: 1_000,
//!     learning_rate: 1,
//!     intercept: 0,
//! })?;
//! let waits = Waits { refund: 86_400, owner_claim: 604_800, any_address_claim: 777_600, report_notice: 0 };
//! let incentive = Incentive::DepositRefundTake { cost_weight: 1_000_000 };
//! let mut trainer = Trainer::new(owner, 1, contract, incentive, waits, model, 0)?;
//!
//! let [three, four] = [3, 4].map(|feature| encode_sparse(&[feature, 159]));
//! let items = [&three, &four].map(|sample| Item { label: 1, sample });
//! let deposit = trainer.price(2, 600);
//! let contributed = trainer.contribute(author, 600, 2 * deposit, &encode_batch(&items)?)?;
//! assert_eq!(trainer.classifier().predict(&three)?, 1);
//!
//! let record = Record::new(contributed.first_position, deposit, 600, &[(author, items.to_vec())]);
//! let refunded = trainer.refund(author, 600 + 86_400, &[record.claims(&[0, 1])])?;
//! assert_eq!(refunded.paid, 2 * deposit);
//! assert_eq!(trainer.held(), 0);
//! # Ok::<(), cotrain_protocol::ContractError>(())
//! ```

// A contract has no floats. The rules must agree with it, so they have none either.
#![deny(clippy::float_arithmetic, clippy::disallowed_types)]

mod address;
pub mod classifier;
mod contract_error;
pub mod federated;
pub mod market;
pub mod mechanism;
mod money;
pub mod payload;
pub mod prediction_fees;
pub mod record;
pub mod sample;
pub mod signature;
pub mod trainer;

pub use address::{AddressError, parse_address};
pub use contract_error::ContractError;
pub use money::{Amount, GasPrice};
