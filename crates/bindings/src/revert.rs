//! Reasons of reverts, decoded.

mod understand;

use std::fmt;

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::{Panic, SolError, SolInterface};
use cotrain_protocol::ContractError;

use crate::contracts::Errors::ErrorsErrors as Error;
use understand::understand;

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
