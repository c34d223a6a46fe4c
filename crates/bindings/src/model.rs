//! What a classifier says of itself, and what it was created with.

use alloy_primitives::{Address, I256};
use alloy_sol_types::{SolCall, SolValue};
use cotrain_protocol::{
    classifier::{Bounds, Kind, Parameters},
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

/// What a classifier says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    /// Which learner it is.
    pub kind: Kind,
    /// Labels are below it.
    pub classes: u16,
    /// The number of features.
    pub features: u32,
    /// Who may write the model until its initialisation is closed.
    pub owner: Address,
    /// Who may teach it; none while its initialisation is open.
    pub trainer: Option<Address>,
    /// The model's size in words.
    pub words: usize,
}

/// `describe` of a classifier.
#[must_use]
pub fn describe() -> Vec<u8> {
    describeCall {}.abi_encode()
}

/// The answer to [`describe`]; none also where it is no learner of ours.
#[must_use]
pub fn read_description(output: &[u8]) -> Option<Description> {
    let description = describeCall::abi_decode_returns(output).ok()?;
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| kind.to_string() == description.kind)?;
    let encoding = match kind.encoding() {
        Encoding::Sparse => 0,
        Encoding::Dense16 => 1,
        Encoding::Dense32 => 2,
    };
    let trainer = description.trainer;
    (description.encoding == encoding).then_some(Description {
        kind,
        classes: description.classes.try_into().ok()?,
        features: description.features.try_into().ok()?,
        owner: description.owner,
        trainer: (!trainer.is_zero()).then_some(trainer),
        words: description.words.try_into().ok()?,
    })
}

impl Description {
    /// The calls of the classifier that ask for the rest of its parameters, for
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

    /// What the model was created with, from the answers to all [`getters`](Self::getters), in their order.
    /// The bounds are not checked; the classifier did before it described itself.
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
