//! Serialized form of an encoder, which can be published and read again.

use std::collections::HashSet;
use std::hash::Hash;

use cotrain_protocol::classifier::{Bounds, Kind, UnknownKind};
use cotrain_protocol::sample::Encoding;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::names::Names;
use super::scaling::Scaling;
use super::{max_features, text};
use crate::data::MAX_INDEX;
use crate::text::escaped;

/// Serialized form of an encoder.
///
/// The format must keep numbers to the bit. For JSON, this takes `serde_json`'s feature
/// `float_roundtrip`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spec {
    /// Name of the classifier, such as `sparse-perceptron`.
    classifier: String,
    features: Features,
    /// Number of features, the last ones, that had no examples when the model was created. Rows of
    /// a table may leave all of them out.
    #[serde(default, skip_serializing_if = "is_zero")]
    reserved: usize,
    /// Standardization; only dense encodings have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scaling: Option<Standardization>,
    /// Bounds, only in dense encodings; the widest if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bounds: Option<Written>,
    /// Number that ends every sample, after those of the features; only for dense perceptrons. They
    /// learn their intercept through it. The intercept stays fixed if this is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    constant: Option<u32>,
}

// Serde passes a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Bounds of the samples that the model learns from.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    largest_number: u32,
    /// Decimal digits, since the number exceeds the exact range of JSON readers.
    largest_squared_length: String,
}

/// Names of the features, in the order of their numbers.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Features {
    Words(Vec<String>),
    Columns(Vec<String>),
    /// Indices from 1, as libsvm counts.
    Indices(Vec<u32>),
    /// All indices from 1 to this one, in order.
    IndicesUpTo(u32),
}

/// Mean and standard deviation of each feature.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Standardization {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

/// Contents of a checked specification.
pub(super) struct Parts {
    pub(super) kind: Kind,
    pub(super) names: Names,
    pub(super) reserved: usize,
    pub(super) scaling: Option<Scaling>,
    /// Bounds of dense encodings; `Some` if there is a scaling.
    pub(super) bounds: Option<Bounds>,
    /// Constant of dense perceptrons.
    pub(super) constant: Option<u16>,
}

/// Reason why a specification describes no valid encoder.
#[derive(Debug, PartialEq, Error)]
pub(super) enum SpecError {
    #[error("{0}")]
    Kind(#[from] UnknownKind),
    #[error("there are {features} features, but a {kind} has 1 to {max}")]
    Count {
        features: usize,
        kind: Kind,
        max: usize,
    },
    #[error(
        "feature {feature} is `{}`, expected one word of at least two letters, digits or underscores in lower case",
        escaped(word)
    )]
    NotAWord { feature: usize, word: String },
    #[error(
        "feature {feature} is the index {index}, expected a whole number from 1 to {MAX_INDEX}"
    )]
    Index { feature: usize, index: u32 },
    #[error(
        "feature {feature} is `{}`, as another one is; name each once",
        escaped(name)
    )]
    Twice { feature: usize, name: String },
    #[error("there is {}, but the samples of a {kind} {}", scaling(*given), wants(*given))]
    Scaling { kind: Kind, given: bool },
    #[error(
        "there are bounds, but the samples of a {0} only say which features are present; leave them out"
    )]
    NothingToBound(Kind),
    #[error(
        "the largest number is {number} and the largest squared length `{length}`, expected 1 to {max} and 1 to {longest}"
    )]
    Bounds {
        number: u32,
        length: String,
        max: u32,
        longest: u128,
    },
    #[error(
        "there is a constant, but only a {} learns its intercept through one; leave it out",
        Kind::DensePerceptron
    )]
    NoConstant,
    #[error(
        "the constant is {constant}, expected 1 to {max}, the square below the largest squared length {length}"
    )]
    Constant {
        constant: u32,
        max: u32,
        length: u128,
    },
    #[error(
        "{reserved} of the {features} features are reserved, expected fewer than all, and none of a model of numbers"
    )]
    Reserved { reserved: usize, features: usize },
    #[error("the length of `{list}` is {length}, expected {features}, a number for each feature")]
    Length {
        list: &'static str,
        length: usize,
        features: usize,
    },
    #[error("the mean of feature {feature} is {value}, expected a finite number")]
    Mean { feature: usize, value: f64 },
    #[error("the deviation of feature {feature} is {value}, expected a finite number above 0")]
    Deviation { feature: usize, value: f64 },
}

fn scaling(given: bool) -> &'static str {
    if given { "a scaling" } else { "no scaling" }
}

fn wants(given: bool) -> &'static str {
    if given {
        "only say which features are present; leave it out"
    } else {
        "are numbers; give means and deviations"
    }
}

impl Spec {
    /// Returns the specification that [`check`](Self::check) turns back into `parts`.
    pub(super) fn new(parts: Parts) -> Self {
        let features = match parts.names {
            Names::Words(words) => Features::Words(words),
            Names::Columns(columns) => Features::Columns(columns),
            Names::Indices(indices) => match u32::try_from(indices.len()) {
                Ok(count) if indices.iter().copied().eq(0..count) => Features::IndicesUpTo(count),
                _ => Features::Indices(indices.iter().map(|index| index + 1).collect()),
            },
        };
        Self {
            classifier: parts.kind.name().to_owned(),
            features,
            reserved: parts.reserved,
            scaling: parts.scaling.map(|scaling| Standardization {
                mean: scaling.mean.to_vec(),
                deviation: scaling.deviation.to_vec(),
            }),
            bounds: parts.bounds.map(|bounds| Written {
                largest_number: bounds.max_number,
                largest_squared_length: bounds.max_squared_length.to_string(),
            }),
            constant: parts.constant.map(u32::from),
        }
    }

    /// Checks everything that an encoder learned from data guarantees.
    pub(super) fn check(self) -> Result<Parts, SpecError> {
        let kind: Kind = self.classifier.parse()?;
        let constants = usize::from(self.constant.is_some());
        if constants > 0 && kind != Kind::DensePerceptron {
            return Err(SpecError::NoConstant);
        }
        let (features, max) = (self.features.count(), max_features(kind) - constants);
        if features == 0 || features > max {
            return Err(SpecError::Count {
                features,
                kind,
                max,
            });
        }
        let given = self.scaling.is_some();
        if given != (kind.encoding() != Encoding::Sparse) {
            return Err(SpecError::Scaling { kind, given });
        }
        let reserved = self.reserved;
        if reserved > 0 && (given || reserved >= features) {
            return Err(SpecError::Reserved { reserved, features });
        }
        let names = self.features.check()?;
        let scaling = self.scaling.map(|it| it.check(features)).transpose()?;
        let width = features + constants;
        let bounds = match (widest(kind, width), self.bounds) {
            (None, Some(_)) => return Err(SpecError::NothingToBound(kind)),
            (Some(widest), Some(written)) => Some(written.check(widest, width)?),
            (widest, None) => widest,
        };
        let constant = self.constant.zip(bounds);
        let constant = constant.map(|(constant, bounds)| check_constant(constant, bounds));
        Ok(Parts {
            kind,
            names,
            reserved,
            scaling,
            bounds,
            constant: constant.transpose()?,
        })
    }
}

impl Features {
    fn count(&self) -> usize {
        match self {
            Self::Words(names) | Self::Columns(names) => names.len(),
            Self::Indices(indices) => indices.len(),
            // The index is widened: no supported machine has 16 bits.
            Self::IndicesUpTo(last) => *last as usize,
        }
    }

    fn check(self) -> Result<Names, SpecError> {
        match self {
            Self::Words(words) => {
                for (feature, word) in words.iter().enumerate() {
                    if !text::tokens(&word.to_lowercase()).eq([word.as_str()]) {
                        return Err(SpecError::NotAWord {
                            feature,
                            word: word.clone(),
                        });
                    }
                }
                once(&words)?;
                Ok(Names::Words(words))
            }
            Self::Columns(columns) => {
                once(&columns)?;
                Ok(Names::Columns(columns))
            }
            Self::Indices(indices) => {
                for (feature, &index) in indices.iter().enumerate() {
                    if !(1..=MAX_INDEX).contains(&index) {
                        return Err(SpecError::Index { feature, index });
                    }
                }
                once(&indices)?;
                Ok(Names::Indices(
                    indices.iter().map(|index| index - 1).collect(),
                ))
            }
            Self::IndicesUpTo(last) => Ok(Names::Indices((0..last).collect())),
        }
    }
}

/// Checks that a constant is within the bounds and leaves some length to the other numbers.
fn check_constant(constant: u32, bounds: Bounds) -> Result<u16, SpecError> {
    let max = bounds.max_number.min(i16::MAX.unsigned_abs().into());
    let length = bounds.max_squared_length;
    let fits = (1..=max).contains(&constant) && u128::from(constant).pow(2) < length;
    let number = u16::try_from(constant).ok().filter(|_| fits);
    number.ok_or(SpecError::Constant {
        constant,
        max,
        length,
    })
}

fn widest(kind: Kind, features: usize) -> Option<Bounds> {
    Bounds::widest(kind.encoding(), count(features))
}

/// Converts a number of features, which is at most 65,536 after the check.
fn count(features: usize) -> u32 {
    u32::try_from(features).unwrap_or(u32::MAX)
}

impl Written {
    fn check(self, widest: Bounds, features: usize) -> Result<Bounds, SpecError> {
        let (number, max) = (self.largest_number, widest.max_number);
        let longest = Bounds::longest(number.min(max), count(features));
        let squared = self.largest_squared_length.parse().unwrap_or(0);
        if (1..=max).contains(&number) && (1..=longest).contains(&squared) {
            return Ok(Bounds {
                max_number: number,
                max_squared_length: squared,
            });
        }
        Err(SpecError::Bounds {
            number,
            length: self.largest_squared_length,
            max,
            longest,
        })
    }
}

impl Standardization {
    fn check(self, features: usize) -> Result<Scaling, SpecError> {
        for (list, length) in [
            ("mean", self.mean.len()),
            ("deviation", self.deviation.len()),
        ] {
            if length != features {
                return Err(SpecError::Length {
                    list,
                    length,
                    features,
                });
            }
        }
        for (feature, &value) in self.mean.iter().enumerate() {
            if !value.is_finite() {
                return Err(SpecError::Mean { feature, value });
            }
        }
        for (feature, &value) in self.deviation.iter().enumerate() {
            if !(value.is_finite() && value > 0.0) {
                return Err(SpecError::Deviation { feature, value });
            }
        }
        Ok(Scaling {
            mean: self.mean.into(),
            deviation: self.deviation.into(),
        })
    }
}

/// Checks that no name occurs twice.
fn once<T: Hash + Eq + ToString>(names: &[T]) -> Result<(), SpecError> {
    let mut seen = HashSet::new();
    for (feature, name) in names.iter().enumerate() {
        if !seen.insert(name) {
            return Err(SpecError::Twice {
                feature,
                name: name.to_string(),
            });
        }
    }
    Ok(())
}
