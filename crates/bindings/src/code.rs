//! The code that creates the implementations and the factory.

use alloy_primitives::Bytes;
use cotrain_protocol::{classifier::Kind, trainer::Incentive};

use crate::contracts::{
    DenseNearestCentroid, DensePerceptron, DepositRefundTake, ModelFactory, NaiveBayes, Points,
    SparseNearestCentroid, SparsePerceptron,
};

/// Creates the factory that clones the implementations.
#[must_use]
pub fn factory_code() -> Bytes {
    ModelFactory::BYTECODE.clone()
}

/// Creates the implementation of an incentive mechanism.
#[must_use]
pub fn trainer_code(incentive: &Incentive) -> Bytes {
    match incentive {
        Incentive::DepositRefundTake { .. } => DepositRefundTake::BYTECODE.clone(),
        Incentive::Points => Points::BYTECODE.clone(),
    }
}

/// Creates the implementation of a classifier.
#[must_use]
pub fn classifier_code(kind: Kind) -> Bytes {
    match kind {
        Kind::SparsePerceptron => SparsePerceptron::BYTECODE.clone(),
        Kind::DensePerceptron => DensePerceptron::BYTECODE.clone(),
        Kind::NaiveBayes => NaiveBayes::BYTECODE.clone(),
        Kind::SparseNearestCentroid => SparseNearestCentroid::BYTECODE.clone(),
        Kind::DenseNearestCentroid => DenseNearestCentroid::BYTECODE.clone(),
    }
}
