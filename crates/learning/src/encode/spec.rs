//! The encoder in a form that can be written down, published and read again.

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

/// What an encoder is written as.
///
/// Numbers have to survive the format to the bit: of JSON, that takes `serde_json`'s feature
/// `float_roundtrip`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spec {
    /// The classifier's name, such as `sparse-perceptron`.
    classifier: String,
    features: Features,
    /// The last so many features had no examples when the model was created; rows of a table may leave all of them out.
    #[serde(default, skip_serializing_if = "is_zero")]
    reserved: usize,
    /// Dense encodings only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scaling: Option<Standardisation>,
    /// Dense encodings only; the widest where they are not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bounds: Option<Written>,
    /// Dense perceptrons only: the number that every sample ends with, after those of the features. They learn their
    /// intercept through it; it stays fixed if this is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    constant: Option<u32>,
}

// Serde hands over a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// The bounds of the samples that the model learns from.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    largest_number: u32,
    /// In decimal digits: more than what JSON's readers keep of a number.
    largest_squared_length: String,
}

/// What the features are, in the order of their numbers.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Features {
    Words(Vec<String>),
    Columns(Vec<String>),
    /// From 1, as libsvm counts.
    Indices(Vec<u32>),
    /// All from 1 to this one, in order.
    IndicesUpTo(u32),
}

/// A number for each feature.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Standardisation {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

/// What a checked specification is made of.
pub(super) struct Parts {
    pub(super) kind: Kind,
    pub(super) names: Names,
    pub(super) reserved: usize,
    pub(super) scaling: Option<Scaling>,
    /// Where there is a scaling.
    pub(super) bounds: Option<Bounds>,
    /// Dense perceptrons only.
    pub(super) constant: Option<u16>,
}

/// Why a specification is no encoder's.
#[derive(Debug, PartialEq, Error)]
pub(super) enum SpecError {
    #[error("{0}")]
    Kind(#[from] UnknownKind),
    #[error("there are {features} features, but a {kind} has 1 to {most}")]
    Count {
        features: usize,
        kind: Kind,
        most: usize,
    },
    #[error(
        "feature {feature} is `{}`, one word of at least two letters, digits or underscores in lower case is wanted",
        escaped(word)
    )]
    NotAWord { feature: usize, word: String },
    #[error(
        "feature {feature} is the index {index}, a whole number from 1 to {MAX_INDEX} is wanted"
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
        "the largest number is {number} and the largest squared length `{length}`, expected 1 to {most} and 1 to {longest}"
    )]
    Bounds {
        number: u32,
        length: String,
        most: u32,
        longest: u128,
    },
    #[error(
        "there is a constant, but only a {} learns its intercept through one; leave it out",
        Kind::DensePerceptron
    )]
    NoConstant,
    #[error(
        "the constant is {constant}, expected 1 to {most}, the square below the largest squared length {length}"
    )]
    Constant {
        constant: u32,
        most: u32,
        length: u128,
    },
    #[error(
        "{reserved} of the {features} features are reserved, expected fewer than all, and none of a model of numbers"
    )]
    Reserved { reserved: usize, features: usize },
    #[error("the length of `{list}` is {length}, {features} is wanted, a number for each feature")]
    Length {
        list: &'static str,
        length: usize,
        features: usize,
    },
    #[error("the mean of feature {feature} is {value}, a finite number is wanted")]
    Mean { feature: usize, value: f64 },
    #[error("the deviation of feature {feature} is {value}, a finite number above 0 is wanted")]
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
    /// Writes what [`check`](Self::check) reads.
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
            scaling: parts.scaling.map(|scaling| Standardisation {
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

    /// Everything is checked that learning guarantees.
    pub(super) fn check(self) -> Result<Parts, SpecError> {
        let kind: Kind = self.classifier.parse()?;
        let constants = usize::from(self.constant.is_some());
        if constants > 0 && kind != Kind::DensePerceptron {
            return Err(SpecError::NoConstant);
        }
        let (features, most) = (self.features.count(), max_features(kind) - constants);
        if features == 0 || features > most {
            return Err(SpecError::Count {
                features,
                kind,
                most,
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
            // Widened: there are no machines of 16 bits here.
            Self::IndicesUpTo(last) => *last as usize,
        }
    }

    fn check(self) -> Result<Names, SpecError> {
        match self {
            Self::Words(words) => {
                for (feature, word) in words.iter().enumerate() {
                    if !text::words(&word.to_lowercase()).eq([word.as_str()]) {
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

/// Checks that a constant is within the bounds and leaves the other numbers some length.
fn check_constant(constant: u32, bounds: Bounds) -> Result<u16, SpecError> {
    let most = bounds.max_number.min(i16::MAX.unsigned_abs().into());
    let length = bounds.max_squared_length;
    let fits = (1..=most).contains(&constant) && u128::from(constant).pow(2) < length;
    let number = u16::try_from(constant).ok().filter(|_| fits);
    number.ok_or(SpecError::Constant {
        constant,
        most,
        length,
    })
}

fn widest(kind: Kind, features: usize) -> Option<Bounds> {
    Bounds::widest(kind.encoding(), count(features))
}

/// At most 65,536, as has been checked.
fn count(features: usize) -> u32 {
    u32::try_from(features).unwrap_or(u32::MAX)
}

impl Written {
    fn check(self, widest: Bounds, features: usize) -> Result<Bounds, SpecError> {
        let (number, most) = (self.largest_number, widest.max_number);
        let longest = Bounds::longest(number.min(most), count(features));
        let squared = self.largest_squared_length.parse().unwrap_or(0);
        if (1..=most).contains(&number) && (1..=longest).contains(&squared) {
            return Ok(Bounds {
                max_number: number,
                max_squared_length: squared,
            });
        }
        Err(SpecError::Bounds {
            number,
            length: self.largest_squared_length,
            most,
            longest,
        })
    }
}

impl Standardisation {
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

/// That no name is given twice.
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
