//! Serialized form of an encoder, which can be published and read again.

mod error;
mod features;

use std::sync::Arc;

use cotrain_protocol::classifier::{Bounds, Kind};
use cotrain_protocol::sample::Encoding;
use serde::{Deserialize, Serialize};

use super::extractor::{self, Extractor};
use super::max_features;
use super::scaling::Scaling;
use super::text::{TextRules, Tokenizer};

pub(super) use error::SpecError;
pub use features::{FeatureSpec, SentenceSpec, VectorsSpec};

/// Serialized form of an encoder.
///
/// The format must keep numbers to the bit. For JSON, this takes `serde_json`'s feature
/// `float_roundtrip`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spec {
    /// Name of the classifier, such as `sparse-perceptron`.
    classifier: String,
    features: FeatureSpec,
    /// Rule by which texts are split into words; `simple` if not given.
    #[serde(default, skip_serializing_if = "is_default")]
    tokenizer: Tokenizer,
    /// `true` if pairs of neighboring words are tokens, too.
    #[serde(default, rename = "word-pairs", skip_serializing_if = "is_default")]
    word_pairs: bool,
    /// Number of features, the last ones, that had no examples when the model was created. Rows of
    /// a table may leave all of them out.
    #[serde(default, skip_serializing_if = "is_default")]
    reserved: usize,
    /// `true` if the libsvm data that the model learned from counted its indices from 0. All further
    /// data does so, too.
    #[serde(default, rename = "zero-based", skip_serializing_if = "is_default")]
    zero_based: bool,
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

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Bounds of the samples that the model learns from.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    largest_number: u32,
    /// Decimal digits, since the number exceeds the exact range of JSON readers.
    largest_squared_length: String,
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
    pub(super) extractor: Arc<dyn Extractor>,
    pub(super) reserved: usize,
    pub(super) scaling: Option<Scaling>,
    /// Bounds of dense encodings; `Some` if there is a scaling.
    pub(super) bounds: Option<Bounds>,
    /// Constant of dense perceptrons.
    pub(super) constant: Option<u16>,
}

impl Spec {
    /// Returns the specification that [`check`](Self::check) turns back into `parts`; `None` if the
    /// extractor has no serialized form.
    pub(super) fn new(parts: Parts) -> Option<Self> {
        let rules = parts.extractor.text_rules().unwrap_or_default();
        Some(Self {
            classifier: parts.kind.name().to_owned(),
            features: parts.extractor.spec()?,
            tokenizer: rules.tokenizer,
            word_pairs: rules.word_pairs,
            reserved: parts.reserved,
            zero_based: parts.extractor.is_zero_based(),
            scaling: parts.scaling.map(|scaling| Standardization {
                mean: scaling.mean,
                deviation: scaling.deviation,
            }),
            bounds: parts.bounds.map(|bounds| Written {
                largest_number: bounds.max_number,
                largest_squared_length: bounds.max_squared_length.to_string(),
            }),
            constant: parts.constant.map(u32::from),
        })
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
        let numbers = match self.features {
            FeatureSpec::Vectors(_) => Some("a table of word vectors"),
            FeatureSpec::Sentence(_) => Some("a sentence encoder"),
            _ => None,
        };
        if let Some(of) = numbers.filter(|_| !given) {
            return Err(SpecError::AreNumbers { of, kind });
        }
        if let FeatureSpec::Pictures(form) = &self.features
            && !given
            && form.levels() > 2
        {
            let levels = form.levels();
            return Err(SpecError::PicturesAreNumbers { kind, levels });
        }
        let reserved = self.reserved;
        if reserved > 0 && (given || reserved >= features) {
            return Err(SpecError::Reserved { reserved, features });
        }
        let rules = TextRules {
            tokenizer: self.tokenizer,
            word_pairs: self.word_pairs,
        };
        let extractor = extractor::read(self.features, reserved, rules, self.zero_based)?;
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
            extractor,
            reserved,
            scaling,
            bounds,
            constant: constant.transpose()?,
        })
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
            mean: self.mean,
            deviation: self.deviation,
        })
    }
}
