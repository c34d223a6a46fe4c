//! Description of a classifier by itself, and its parameters.

use alloy_primitives::{Address, I256};
use alloy_sol_types::{SolCall, SolValue};
use cotrain_protocol::{
    classifier::{Bounds, Kind, Parameters},
    payload::PayloadVersion,
    sample::Encoding,
};

use crate::{
    contracts::{
        DensePerceptron::{maxNumberCall, maxSquaredLengthCall},
        NaiveBayes::smoothingCall,
        SparsePerceptron::{describeCall, interceptCall, learningRateCall},
    },
    read_number,
};

/// Description of a classifier by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    /// Kind of the learner.
    pub kind: Kind,
    /// Number of classes: labels are below it.
    pub classes: u16,
    /// Number of features.
    pub features: u32,
    /// Address that may write the model until its initialization is closed.
    pub owner: Address,
    /// Address that may teach the model; `None` while its initialization is open.
    pub trainer: Option<Address>,
    /// Size of the model in 256-bit words.
    pub words: usize,
}

/// Answer of any classifier to [`describe`].
type Answer = <describeCall as SolCall>::Return;

/// Returns the calldata of a classifier's `describe`.
#[must_use]
pub fn describe() -> Vec<u8> {
    describeCall {}.abi_encode()
}

/// Reason to refuse an answer to [`describe`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DescriptionError {
    /// The answer does not describe a learner of this release.
    NoLearner,
    /// No learner of this release reads payloads of the version with this number.
    Payload(u8),
}

/// Decodes the answer to [`describe`].
///
/// # Errors
/// [`DescriptionError`].
pub fn read_description(output: &[u8]) -> Result<Description, DescriptionError> {
    let description =
        describeCall::abi_decode_returns(output).map_err(|_| DescriptionError::NoLearner)?;
    let number = description.encoding;
    // Checked before the name, because the name of a later release's learner is unknown here.
    let Ok(PayloadVersion::Inline(encoding)) = PayloadVersion::try_from(number) else {
        return Err(DescriptionError::Payload(number));
    };
    known_learner(&description, encoding).ok_or(DescriptionError::NoLearner)
}

/// Returns the description of a learner of this release.
///
/// Returns `None` if the name or its encoding is another one.
fn known_learner(description: &Answer, encoding: Encoding) -> Option<Description> {
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| kind.to_string() == description.kind && kind.encoding() == encoding)?;
    let trainer = description.trainer;
    Some(Description {
        kind,
        classes: description.classes.try_into().ok()?,
        features: description.features.try_into().ok()?,
        owner: description.owner,
        trainer: (!trainer.is_zero()).then_some(trainer),
        words: description.words.try_into().ok()?,
    })
}

impl Description {
    /// Returns the calldata of the getters of the remaining parameters, for
    /// [`parameters`](Self::parameters).
    #[must_use]
    pub fn getters(&self) -> Vec<Vec<u8>> {
        let mut getters = match self.kind {
            Kind::SparsePerceptron | Kind::DensePerceptron => vec![
                learningRateCall {}.abi_encode(),
                interceptCall {}.abi_encode(),
            ],
            Kind::NaiveBayes => vec![smoothingCall {}.abi_encode()],
            Kind::SparseNearestCentroid | Kind::DenseNearestCentroid => Vec::new(),
        };
        if self.kind.encoding() != Encoding::Sparse {
            getters.push(maxNumberCall {}.abi_encode());
            getters.push(maxSquaredLengthCall {}.abi_encode());
        }
        getters
    }

    /// Decodes the model's parameters from the answers to all [`getters`](Self::getters), in their
    /// order.
    ///
    /// It does not check their bounds: the classifier did so before it described itself.
    #[must_use]
    pub fn parameters<A: AsRef<[u8]>>(&self, answers: &[A]) -> Option<Parameters> {
        let &Self {
            kind,
            classes,
            features,
            ..
        } = self;
        Some(match (kind, answers) {
            (Kind::SparsePerceptron, [rate, intercept]) => Parameters::SparsePerceptron {
                features,
                learning_rate: read_number(rate.as_ref())?.try_into().ok()?,
                intercept: read_signed(intercept.as_ref())?,
            },
            (Kind::DensePerceptron, [rate, intercept, number, length]) => {
                Parameters::DensePerceptron {
                    features,
                    learning_rate: read_number(rate.as_ref())?.try_into().ok()?,
                    intercept: read_signed(intercept.as_ref())?,
                    bounds: read_bounds(number.as_ref(), length.as_ref())?,
                }
            }
            (Kind::NaiveBayes, [smoothing]) => Parameters::NaiveBayes {
                classes,
                features,
                smoothing: read_number(smoothing.as_ref())?.try_into().ok()?,
            },
            (Kind::SparseNearestCentroid, []) => {
                Parameters::SparseNearestCentroid { classes, features }
            }
            (Kind::DenseNearestCentroid, [number, length]) => Parameters::DenseNearestCentroid {
                classes,
                features,
                bounds: read_bounds(number.as_ref(), length.as_ref())?,
            },
            _ => return None,
        })
    }
}

fn read_bounds(number: &[u8], length: &[u8]) -> Option<Bounds> {
    Some(Bounds {
        max_number: read_number(number)?.try_into().ok()?,
        max_squared_length: read_number(length)?.try_into().ok()?,
    })
}

fn read_signed(output: &[u8]) -> Option<i64> {
    I256::abi_decode(output).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use alloy_primitives::U256;

    use super::*;

    /// Returns the answer of a classifier with this name and this number of its encoding.
    fn answer(kind: &str, encoding: u8) -> Vec<u8> {
        let description = Answer {
            kind: kind.to_owned(),
            encoding,
            classes: U256::from(2),
            features: U256::from(7),
            owner: Address::with_last_byte(1),
            trainer: Address::ZERO,
            words: U256::from(3),
        };
        describeCall::abi_encode_returns(&description)
    }

    #[test]
    fn read_description_takes_each_learner_with_its_own_encoding_only() {
        for kind in Kind::ALL {
            for version in PayloadVersion::ALL {
                let read = read_description(&answer(&kind.to_string(), version.number()));
                let expected = match version {
                    PayloadVersion::Inline(encoding) if encoding == kind.encoding() => {
                        Ok(Description {
                            kind,
                            classes: 2,
                            features: 7,
                            owner: Address::with_last_byte(1),
                            trainer: None,
                            words: 3,
                        })
                    }
                    PayloadVersion::Inline(_) => Err(DescriptionError::NoLearner),
                    PayloadVersion::Commitment => Err(DescriptionError::Payload(3)),
                };
                assert_eq!(read, expected, "{kind}, {version}");
            }
        }
    }

    #[test]
    fn read_description_tells_unread_payloads_from_unknown_learners() {
        for number in 0..=u8::MAX {
            let expected = if number < 3 {
                DescriptionError::NoLearner
            } else {
                DescriptionError::Payload(number)
            };
            let read = read_description(&answer("of a later release", number));
            assert_eq!(read, Err(expected));
        }
        let answer = answer("of a later release", 3);
        for length in [0, 1, 32, answer.len() - 33] {
            let read = read_description(&answer[..length]);
            assert_eq!(read, Err(DescriptionError::NoLearner), "{length} bytes");
        }
    }
}
