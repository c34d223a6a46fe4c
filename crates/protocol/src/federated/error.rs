//! Errors of federated rounds.

use thiserror::Error;

use super::Rule;

/// Reason why updates cannot be read, aggregated or scored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "each message names every field")]
pub enum FederatedError {
    /// Too few updates for a rule that has to bear so many hostile ones.
    #[error(
        "cannot aggregate by {rule}: {updates} updates count and {hostile} may be hostile, expected at least {needed} updates; \
         admit more clients or allow fewer hostile ones"
    )]
    TooFewUpdates {
        rule: Rule,
        updates: usize,
        hostile: usize,
        needed: usize,
    },
    /// More updates than one aggregation takes.
    #[error("cannot aggregate {updates} updates, expected at most {max}; split the round")]
    TooManyUpdates { updates: usize, max: usize },
    /// Updates of different lengths.
    #[error(
        "update {update} has {found} parameters, expected {expected}; send one number a parameter"
    )]
    WrongLength {
        update: usize,
        found: usize,
        expected: usize,
    },
    /// A number that does not fit its lane.
    #[error("parameter {parameter} is {value}, expected {min} to {max}; clip the update")]
    OutOfRange {
        parameter: usize,
        value: i16,
        min: i16,
        max: i16,
    },
    /// An encoded update of the wrong number of bytes.
    #[error(
        "the update has {found} bytes, expected {expected}; fill the last storage word with zeros"
    )]
    WrongBytes { found: usize, expected: usize },
    /// A lane whose highest bit is set.
    #[error(
        "the highest bit of lane {lane} is set, expected 0; encode numbers from {min} to {max}"
    )]
    GuardBit { lane: usize, min: i16, max: i16 },
    /// A lane behind the last parameter that is not 0.
    #[error(
        "lane {lane} is {value}, expected 0 behind the last of {parameters} parameters; clear it"
    )]
    Padding {
        lane: usize,
        value: u16,
        parameters: usize,
    },
    /// A parameter of a model that is outside its bounds.
    #[error("{name} is {value}, expected {expected}; choose another one")]
    InvalidModel {
        name: &'static str,
        value: usize,
        expected: &'static str,
    },
    /// A sample that does not fit the model.
    #[error("sample {sample} has {found} features, expected {expected}; send one number a feature")]
    SampleLength {
        sample: usize,
        found: usize,
        expected: usize,
    },
    /// A feature above the model's maximum.
    #[error(
        "feature {feature} of sample {sample} is {value}, expected at most {max}; scale the features"
    )]
    FeatureTooLarge {
        sample: usize,
        feature: usize,
        value: u8,
        max: u8,
    },
    /// A label that is none of the model's.
    #[error(
        "the label of sample {sample} is {label}, expected one below {classes}; number the classes from 0"
    )]
    LabelOutOfRange {
        sample: usize,
        label: u16,
        classes: usize,
    },
}
