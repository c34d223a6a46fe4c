//! Reasons of reverts, decoded.

use std::fmt;

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{Panic, SolError, SolInterface};
use cotrain_protocol::ContractError;

use crate::contracts::Errors::ErrorsErrors as Error;
use crate::market::{phase, stage};

/// Names of the parameters that the contracts check, as their errors spell them.
const PARAMETERS: &[&str] = &[
    "features",
    "learningRate",
    "intercept",
    "classes",
    "smoothing",
    "refundWait",
    "ownerClaimWait",
    "anyAddressClaimWait",
    "reportNotice",
    "costWeight",
    "arguments",
    "maxNumber",
    "maxSquaredLength",
    "stake",
    "participation",
    "revealWait",
    "scoringWait",
    "mostContributions",
    "mostPasses",
    "parts",
    "bounty",
    "price",
];

/// Decoded data of a revert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revert {
    /// Error of the rules.
    Contract(ContractError),
    /// The caller of `evaluate` gave a different number of samples and of labels.
    LengthsDiffer {
        /// Number of samples.
        samples: u64,
        /// Number of labels.
        labels: u64,
    },
    /// A signed batch extends past the end of the relay's bytes.
    MalformedRelay {
        /// Offset of its first byte.
        offset: u64,
    },
    /// Too little gas was left for the next signed batch or for the next call of a market's
    /// classifier.
    ///
    /// Each must get the whole allowance.
    GasTooLow {
        /// Gas that was left.
        left: U256,
        /// Gas that it may use.
        allowance: U256,
    },
    /// A record of contributions to score extends past the end.
    MalformedRecords {
        /// Offset of its first byte.
        offset: u64,
    },
    /// A group of claims is empty or extends past the end.
    MalformedClaims {
        /// Offset of its first byte.
        offset: u64,
    },
    /// A trainer was initialized a second time, or is an implementation, which nobody can
    /// initialize.
    AlreadyInitialized,
    /// A trainer was created without the factory and never initialized.
    NotInitialized,
    /// A registry found no contract at the trainer's address, or a classifier not closed for it.
    ModelNotReady {
        /// Address of the trainer.
        trainer: Address,
    },
    /// The factory refused an implementation without code.
    NoCode {
        /// Address of the implementation.
        implementation: Address,
    },
    /// The factory refused an account that delegates its code (EIP-7702) as an implementation.
    DelegatedCode {
        /// Address of the implementation.
        implementation: Address,
    },
    /// The factory refused an implementation of a trainer whose clone does not answer as one.
    NotATrainer {
        /// Address of the implementation.
        implementation: Address,
    },
    /// The factory refused an implementation of a classifier whose clone does not answer as one.
    NotAClassifier {
        /// Address of the implementation.
        implementation: Address,
    },
    /// A call reentered a trainer that had not finished.
    Reentrancy,
    /// A check by Solidity itself failed; the number is its panic code.
    Panic(U256),
    /// Any other data as it came; empty if the contract gave no reason or there is no contract.
    Unknown(Bytes),
}

impl Revert {
    /// Decodes the data of a revert.
    #[must_use]
    pub fn decode(data: &[u8]) -> Self {
        let understood = Error::abi_decode(data)
            .ok()
            .and_then(understand)
            .or_else(|| {
                Panic::abi_decode(data)
                    .ok()
                    .map(|panic| Self::Panic(panic.code))
            });
        understood.unwrap_or_else(|| Self::Unknown(Bytes::copy_from_slice(data)))
    }
}

impl fmt::Display for Revert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contract(rejection) => rejection.fmt(f),
            Self::LengthsDiffer { samples, labels } => {
                write!(f, "{samples} samples and {labels} labels were given; give one label a sample")
            }
            Self::MalformedRelay { offset } => {
                write!(f, "the signed batch that begins at byte {offset} runs past the end; send all of it")
            }
            Self::GasTooLow { left, allowance } => {
                write!(f, "{left} gas was left for something that may use {allowance}; send more gas, or less to do")
            }
            Self::MalformedRecords { offset } => {
                write!(f, "the record that begins at byte {offset} runs past the end; send all of it")
            }
            Self::MalformedClaims { offset } => {
                write!(f, "the group of claims that begins at byte {offset} is empty or runs past the end; send all of it")
            }
            Self::AlreadyInitialized => {
                f.write_str("the trainer is initialized already, or is an implementation; create a model with the factory")
            }
            Self::NotInitialized => {
                f.write_str("the trainer was never initialized; create a model with the factory")
            }
            Self::ModelNotReady { trainer } => {
                write!(f, "the model of the trainer {trainer} is not finished; write all of it and close it for that trainer")
            }
            Self::NoCode { implementation } => {
                write!(f, "there is no code at {implementation}, so it cannot be an implementation; name the address of a deployed one")
            }
            Self::DelegatedCode { implementation } => {
                write!(f, "the account {implementation} delegates its code and could change it, so it cannot be an implementation; name the address of the code itself")
            }
            Self::NotATrainer { implementation } => {
                write!(f, "the code at {implementation} does not answer as a trainer; name an incentive mechanism's implementation")
            }
            Self::NotAClassifier { implementation } => {
                write!(f, "the code at {implementation} does not answer as a classifier; name a learner's implementation")
            }
            Self::Reentrancy => f.write_str("the trainer was called again before it had finished"),
            Self::Panic(code) => write!(f, "the contract stopped at a check of its own, code {code:#x}"),
            Self::Unknown(data) if data.is_empty() => {
                f.write_str("no reason was given; is there a cotrain contract at that address?")
            }
            Self::Unknown(data) => write!(f, "a reason that cotrain does not know: {data}"),
        }
    }
}

/// Translates an error. Returns `None` if a value does not fit its type; contracts of this release
/// send none.
// The function has one arm for each error.
#[allow(clippy::too_many_lines)]
fn understand(error: Error) -> Option<Revert> {
    let rejection = match error {
        Error::EmptyBatch(_) => ContractError::EmptyBatch,
        Error::MalformedBatch(e) => ContractError::MalformedBatch {
            offset: e.offset.try_into().ok()?,
        },
        Error::InvalidParameter(e) => invalid_parameter(e.name, e.value)?,
        Error::DepositTooLow(e) => ContractError::DepositTooLow {
            required: e.required.try_into().ok()?,
            sent: e.sent.try_into().ok()?,
        },
        Error::PaymentFailed(e) => ContractError::PaymentFailed {
            to: e.to,
            amount: e.amount.try_into().ok()?,
        },
        Error::BalanceOverflow(e) => ContractError::BalanceOverflow { account: e.account },
        Error::BalanceTooLow(e) => ContractError::BalanceTooLow {
            required: e.required.try_into().ok()?,
            balance: e.balance.try_into().ok()?,
        },
        Error::MalformedRelay(e) => {
            return Some(Revert::MalformedRelay {
                offset: e.offset.try_into().ok()?,
            });
        }
        Error::GasTooLow(e) => {
            return Some(Revert::GasTooLow {
                left: e.left,
                allowance: e.allowance,
            });
        }
        Error::Expired(e) => ContractError::Expired {
            deadline: e.deadline.try_into().ok()?,
            now: e.time.try_into().ok()?,
        },
        Error::NonceUsed(e) => ContractError::NonceUsed {
            author: e.author,
            nonce: e.nonce.try_into().ok()?,
        },
        Error::PriceTooHigh(e) => ContractError::PriceTooHigh {
            price: e.price.try_into().ok()?,
            max_deposit: e.maxDeposit.try_into().ok()?,
        },
        Error::InvalidSignature(e) => ContractError::InvalidSignature { author: e.author },
        Error::ClassifierFailed(_) => ContractError::ClassifierFailed,
        Error::NoClaims(_) => ContractError::NoClaims,
        Error::MalformedClaims(e) => {
            return Some(Revert::MalformedClaims {
                offset: e.offset.try_into().ok()?,
            });
        }
        Error::UnknownContribution(e) => ContractError::UnknownContribution {
            first_position: e.position.try_into().ok()?,
        },
        Error::NothingLeft(e) => ContractError::NothingLeft {
            position: e.position.try_into().ok()?,
        },
        Error::OwnContribution(e) => ContractError::OwnContribution { author: e.author },
        Error::TooEarly(e) => ContractError::TooEarly {
            now: e.time.try_into().ok()?,
            earliest: e.earliest.try_into().ok()?,
        },
        Error::NoGoodContribution(e) => ContractError::NoGoodContribution { caller: e.caller },
        Error::AlreadyReported(e) => ContractError::AlreadyReported {
            position: e.position.try_into().ok()?,
            caller: e.caller,
        },
        Error::NoNotice(_) => ContractError::NoNotice,
        Error::AlreadyAnnounced(e) => ContractError::AlreadyAnnounced {
            position: e.position.try_into().ok()?,
            until: e.until.try_into().ok()?,
        },
        Error::NotAnnounced(e) => ContractError::NotAnnounced {
            position: e.position.try_into().ok()?,
        },
        Error::PredictionDiffers(e) => ContractError::PredictionDiffers {
            label: e.label.try_into().ok()?,
            predicted: e.predicted.try_into().ok()?,
        },
        Error::AuthorIsContract(e) => ContractError::AuthorIsContract { author: e.author },
        Error::PredictionAgrees(e) => ContractError::PredictionAgrees {
            label: e.label.try_into().ok()?,
        },
        Error::AlreadyInitialized(_) => return Some(Revert::AlreadyInitialized),
        Error::NotInitialized(_) => return Some(Revert::NotInitialized),
        Error::Reentrancy(_) => return Some(Revert::Reentrancy),
        Error::LabelOutOfRange(e) => ContractError::LabelOutOfRange {
            item: e.item.try_into().ok()?,
            label: e.label.try_into().ok()?,
            classes: e.classes.try_into().ok()?,
        },
        Error::OddSampleLength(e) => ContractError::OddSampleLength {
            item: e.item.try_into().ok()?,
            length: e.length.try_into().ok()?,
        },
        Error::WrongSampleLength(e) => ContractError::WrongSampleLength {
            item: e.item.try_into().ok()?,
            length: e.length.try_into().ok()?,
            expected: e.expected.try_into().ok()?,
        },
        Error::FeatureNotIncreasing(e) => ContractError::FeatureNotIncreasing {
            item: e.item.try_into().ok()?,
            at: e.index.try_into().ok()?,
            feature: e.feature.try_into().ok()?,
            previous: e.previous.try_into().ok()?,
        },
        Error::FeatureOutOfRange(e) => ContractError::FeatureOutOfRange {
            item: e.item.try_into().ok()?,
            at: e.index.try_into().ok()?,
            feature: e.feature.try_into().ok()?,
            features: e.features.try_into().ok()?,
        },
        Error::TooManyFeatures(e) => ContractError::TooManyFeatures {
            item: e.item.try_into().ok()?,
            present: e.present.try_into().ok()?,
            max: e.max.try_into().ok()?,
        },
        Error::NumberTooLarge(e) => ContractError::NumberTooLarge {
            item: e.item.try_into().ok()?,
            feature: e.feature.try_into().ok()?,
            number: e.number.try_into().ok()?,
            max: e.maximum.try_into().ok()?,
        },
        Error::SquaredLengthTooLarge(e) => ContractError::SquaredLengthTooLarge {
            item: e.item.try_into().ok()?,
            squared_length: e.squaredLength.try_into().ok()?,
            max: e.maximum.try_into().ok()?,
        },
        Error::NotOwner(e) => ContractError::NotOwner {
            caller: e.caller,
            owner: e.owner,
        },
        Error::InitializationOpen(_) => ContractError::InitializationOpen,
        Error::InitializationClosed(_) => ContractError::InitializationClosed,
        Error::InvalidTrainer(_) => ContractError::InvalidTrainer,
        Error::NotTrainer(e) => ContractError::NotTrainer {
            caller: e.caller,
            trainer: e.trainer,
        },
        Error::WordsOutOfRange(e) => ContractError::WordsOutOfRange {
            offset: e.offset.try_into().ok()?,
            count: e.count.try_into().ok()?,
            size: e.size.try_into().ok()?,
        },
        Error::LengthsDiffer(e) => {
            return Some(Revert::LengthsDiffer {
                samples: e.samples.try_into().ok()?,
                labels: e.labels.try_into().ok()?,
            });
        }
        Error::WrongPhase(e) => ContractError::WrongPhase {
            phase: phase(e.phase)?,
            required: phase(e.required)?,
        },
        Error::WrongStage(e) => ContractError::WrongStage {
            stage: stage(e.stage)?,
            required: stage(e.required)?,
        },
        Error::AlreadyDrawn(e) => ContractError::AlreadyDrawn {
            part: e.part.try_into().ok()?,
        },
        Error::TooEarlyToDraw(e) => ContractError::TooEarlyToDraw {
            number: e.number.try_into().ok()?,
            earliest: e.earliest.try_into().ok()?,
        },
        Error::TooLateToDraw(e) => ContractError::TooLateToDraw {
            number: e.number.try_into().ok()?,
            latest: e.latest.try_into().ok()?,
        },
        Error::NotDrawn(_) => ContractError::NotDrawn,
        Error::UnknownPart(e) => ContractError::UnknownPart {
            part: e.part.try_into().ok()?,
            parts: e.parts.try_into().ok()?,
        },
        Error::NotTheDrawnPart(e) => ContractError::NotTheDrawnPart {
            part: e.part.try_into().ok()?,
            drawn: e.drawn.try_into().ok()?,
        },
        Error::AlreadyRevealed(e) => ContractError::AlreadyRevealed {
            part: e.part.try_into().ok()?,
        },
        Error::TooLate(e) => ContractError::TooLate {
            now: e.time.try_into().ok()?,
            latest: e.latest.try_into().ok()?,
        },
        Error::CommitmentDiffers(e) => ContractError::CommitmentDiffers {
            part: e.part.try_into().ok()?,
            commitment: Box::new(e.commitment),
            committed: Box::new(e.committed),
        },
        Error::TooLong(e) => ContractError::TooLong {
            length: e.length.try_into().ok()?,
            max: e.max.try_into().ok()?,
        },
        Error::TooManyContributions(e) => ContractError::TooManyContributions {
            count: e.count.try_into().ok()?,
            max: e.max.try_into().ok()?,
        },
        Error::MalformedRecords(e) => {
            return Some(Revert::MalformedRecords {
                offset: e.offset.try_into().ok()?,
            });
        }
        Error::NoProgress(_) => ContractError::NoProgress,
        Error::NothingToCollect(e) => ContractError::NothingToCollect { caller: e.account },
        Error::NoSamples(_) => ContractError::NoSamples,
        Error::PaymentTooLow(e) => ContractError::PaymentTooLow {
            required: e.required.try_into().ok()?,
            sent: e.sent.try_into().ok()?,
        },
        Error::NoCode(e) => {
            return Some(Revert::NoCode {
                implementation: e.implementation,
            });
        }
        Error::DelegatedCode(e) => {
            return Some(Revert::DelegatedCode {
                implementation: e.implementation,
            });
        }
        Error::NotATrainer(e) => {
            return Some(Revert::NotATrainer {
                implementation: e.implementation,
            });
        }
        Error::NotAClassifier(e) => {
            return Some(Revert::NotAClassifier {
                implementation: e.implementation,
            });
        }
        Error::ModelNotClosedForMarket(e) => ContractError::ModelNotClosedForMarket {
            classifier: e.classifier,
            trainer: e.trainer,
        },
        Error::ModelNotReady(e) => return Some(Revert::ModelNotReady { trainer: e.trainer }),
    };
    Some(Revert::Contract(rejection))
}

fn invalid_parameter(name: B256, value: U256) -> Option<ContractError> {
    let text = name.as_slice().split(|byte| *byte == 0).next()?;
    let name = PARAMETERS.iter().find(|known| known.as_bytes() == text)?;
    Some(ContractError::InvalidParameter {
        name,
        value: value.try_into().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::ModelFactory;

    #[test]
    fn decode_understands_what_the_factory_refuses() {
        let implementation = Address::repeat_byte(7);
        let cases = [
            (
                ModelFactory::NoCode { implementation }.abi_encode(),
                Revert::NoCode { implementation },
                "no code",
            ),
            (
                ModelFactory::DelegatedCode { implementation }.abi_encode(),
                Revert::DelegatedCode { implementation },
                "delegates its code",
            ),
            (
                ModelFactory::NotATrainer { implementation }.abi_encode(),
                Revert::NotATrainer { implementation },
                "as a trainer",
            ),
            (
                ModelFactory::NotAClassifier { implementation }.abi_encode(),
                Revert::NotAClassifier { implementation },
                "as a classifier",
            ),
        ];
        for (data, expected, words) in cases {
            let revert = Revert::decode(&data);
            assert_eq!(revert, expected);
            let message = revert.to_string();
            assert!(
                message.contains(words) && message.contains(&implementation.to_string()),
                "{message}"
            );
        }
    }
}
