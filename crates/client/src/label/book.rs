//! Record of payments on the disk.
//!
//! A payment is in the record before its signature or its invoice leaves the program. There is one
//! open payment at a time, and it is sent again until an answer says how it ended. So a crash neither
//! forgets money nor pays twice.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use alloy_primitives::B256;
use cotrain_payments::{
    budget::{Budget, BudgetError, Currency},
    l402::Challenge,
    ledger::PaymentId,
    x402::{
        batch::{AnswerError, PayerChannel, payload::BatchPayload},
        payer::ChooseError,
        wire::PaymentRequired,
    },
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::files::write_whole;

/// Version of the record.
const VERSION: &str = "cotrain-wallet/1";

/// Failure to keep the record of payments.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WalletError {
    /// The record cannot be read or written.
    #[error("cannot keep the record of payments in {}", path.display())]
    Record {
        /// File of the record.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The record is not of this version, or of another payer.
    #[error(
        "cannot read the record of payments in {}: {message}; use what wrote it, or move it away",
        path.display()
    )]
    Malformed {
        /// File of the record.
        path: PathBuf,
        /// Cause.
        message: String,
    },
    /// The budget and a payment contradict each other.
    #[error("cannot count a payment")]
    Budget(#[from] BudgetError),
    /// The coordinator counts another charge of the channel.
    #[error(transparent)]
    Charge(#[from] AnswerError),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers; try again")]
    Random,
}

/// Reason why a call is not paid. No money has moved then.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PayError {
    /// There is no purse.
    #[error("it costs money; set a budget with the money that you allow")]
    NoMoney,
    /// The coordinator offers no way to pay that the purse has.
    #[error("the coordinator takes no {0}; pay by another way")]
    NoOffer(&'static str),
    /// No offer is allowed, or all are too expensive.
    #[error(transparent)]
    Choose(#[from] ChooseError),
    /// The budget does not permit the payment.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// The payer did not agree.
    #[error("you did not agree to pay")]
    NotAgreed,
    /// Another payment is open.
    #[error("another payment has no known outcome yet; run the command again to end it first")]
    Open,
    /// The offer has a fault.
    #[error("{0}")]
    Offer(String),
    /// The payer's node says that the payment failed.
    #[error("the Lightning node could not pay: {0}")]
    Failed(String),
    /// The record cannot be kept.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

/// Payment that a coordinator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Amount, with the maximum of fees.
    pub amount: u128,
    /// Money and its chain or network, in words.
    pub money: String,
    /// Number of the chain; `None` over Lightning.
    pub chain_id: Option<u64>,
    /// Account or node that is paid.
    pub pay_to: String,
    /// Purpose in words of the coordinator.
    pub description: String,
    /// Amount that the budget leaves before this payment.
    pub left: u128,
}

/// Consent to a payment: `true` if the payer agrees.
pub type Approve = Box<dyn FnMut(&Asked) -> bool + Send>;

/// Offers of a coordinator.
#[derive(Debug, Default)]
pub(super) struct Offers {
    pub(super) x402: Option<PaymentRequired>,
    pub(super) l402: Option<Challenge>,
}

/// Call that a payment is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PaidCall {
    pub(super) path: String,
    pub(super) body: String,
    pub(super) id: String,
}

/// Payment without a known outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OpenPayment {
    pub(super) call: PaidCall,
    pub(super) payment: PaymentId,
    pub(super) amount: u128,
    pub(super) means: Means,
}

/// Proof of a payment, by its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Means {
    /// Signed transfer of a token.
    Transfer {
        /// Header with the signature.
        header: String,
        /// Time at which it becomes void, in Unix seconds.
        valid_before: u64,
    },
    /// Voucher of a channel, perhaps with a deposit.
    Voucher {
        /// Header with the signature.
        header: String,
        payload: Box<BatchPayload>,
    },
    /// Invoice, and the credential once it is paid.
    Invoice {
        invoice: String,
        payment_hash: B256,
        macaroon: String,
        fee_limit: u64,
        credential: Option<String>,
    },
}

/// Record of a purse in its file.
#[derive(Debug)]
pub(super) struct Book {
    path: PathBuf,
    record: Record,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    version: String,
    /// Account that pays, or `lightning`.
    payer: String,
    pub(super) budget: Budget,
    pub(super) open: Option<OpenPayment>,
    /// Channel of the account; `None` if there is none.
    #[serde(default)]
    pub(super) channel: Option<PayerChannel>,
}

impl Book {
    /// Opens the record of a payer, or begins it.
    ///
    /// `limit` is the maximum of all payments in the record, earlier ones included.
    pub(super) fn open_for(
        path: &Path,
        payer: &str,
        currency: Currency,
        limit: u128,
    ) -> Result<Self, WalletError> {
        let malformed = |message: String| WalletError::Malformed {
            path: path.to_owned(),
            message,
        };
        let mut record = match fs::read(path) {
            Ok(bytes) => {
                let record: Record =
                    serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
                if record.version != VERSION {
                    let version = record.version;
                    return Err(malformed(format!("it is {version}, expected {VERSION}")));
                }
                if record.payer != payer {
                    let other = record.payer;
                    return Err(malformed(format!("it is of {other}, expected {payer}")));
                }
                record
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Record {
                version: VERSION.to_owned(),
                payer: payer.to_owned(),
                budget: Budget::new(),
                open: None,
                channel: None,
            },
            Err(source) => {
                let path = path.to_owned();
                return Err(WalletError::Record { path, source });
            }
        };
        record.budget.set_limit(currency, limit);
        Ok(Self {
            path: path.to_owned(),
            record,
        })
    }

    /// Returns the payment without a known outcome.
    pub(super) fn open(&self) -> Option<&OpenPayment> {
        self.record.open.as_ref()
    }

    /// Returns what was spent or could still be taken.
    pub(super) fn counted(&self, currency: Currency) -> u128 {
        self.record.budget.counted(currency)
    }

    /// Returns what the budget leaves.
    pub(super) fn left(&self, currency: Currency) -> u128 {
        self.record.budget.left(currency).unwrap_or(0)
    }

    /// Returns the channel.
    pub(super) fn channel(&self) -> Option<&PayerChannel> {
        self.record.channel.as_ref()
    }

    /// Checks that the budget permits a voucher.
    pub(super) fn permits(
        &self,
        channel: B256,
        currency: Currency,
        total: u128,
    ) -> Result<(), BudgetError> {
        self.record.budget.clone().sign(channel, currency, total)
    }

    /// Changes the record on the disk, and then here.
    pub(super) fn change(
        &mut self,
        change: impl FnOnce(&mut Record) -> Result<(), BudgetError>,
    ) -> Result<(), WalletError> {
        let mut record = self.record.clone();
        change(&mut record)?;
        let failed = |source| WalletError::Record {
            path: self.path.clone(),
            source,
        };
        let json = serde_json::to_vec(&record).map_err(|error| failed(error.into()))?;
        write_whole(&self.path, &json).map_err(failed)?;
        self.record = record;
        Ok(())
    }

    /// Begins a payment within the budget. It is on the disk when this returns.
    pub(super) fn begin(
        &mut self,
        open: OpenPayment,
        currency: Currency,
    ) -> Result<(), WalletError> {
        self.change(|record| {
            record.budget.begin(open.payment, currency, open.amount)?;
            record.open = Some(open);
            Ok(())
        })
    }
}

/// Returns the time in Unix seconds.
pub(super) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

/// Returns 32 bytes of the system's random numbers.
pub(super) fn random() -> Result<B256, WalletError> {
    let mut bytes = B256::ZERO;
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| WalletError::Random)?;
    Ok(bytes)
}
