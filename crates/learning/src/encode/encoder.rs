use cotrain_protocol::classifier::Kind;
use cotrain_protocol::sample::{Encoding, encode_dense16, encode_dense32, encode_sparse};
use serde::{Deserialize, Serialize};

use super::names::{Lookup, Names};
use super::scaling::Scaling;
use super::spec::{Parts, Spec, SpecError};
use super::{EncodeError, Layout};
use crate::data::{Dataset, Example, in_bounds};

/// Encodes examples as the training data was encoded.
///
/// What is written by serde and read again encodes everything to the same bytes, where the format
/// keeps numbers to the bit. On reading, everything is checked that learning guarantees.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Spec", into = "Spec")]
pub struct Encoder {
    names: Names,
    lookup: Lookup,
    kind: Kind,
    form: Form,
}

/// A sample of an example, and how much of the example is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The bytes that a contract takes.
    pub sample: Vec<u8>,
    /// Features of the example that the encoder knows: words, indices with a value, columns. With 0 of
    /// them the model's answer is its prior, and learning from the sample teaches it nothing of the
    /// example.
    pub known: usize,
    /// Numbers that lay outside the range of the encoding and were moved to its bounds.
    pub clamped: usize,
}

/// What sort of example an encoder takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// [`Example::Text`].
    Text,
    /// [`Example::Numbers`].
    Numbers,
    /// [`Example::Indexed`].
    Indexed,
}

/// The encoding, with what it takes beside the features.
#[derive(Clone, Debug)]
enum Form {
    Sparse,
    Dense16(Scaling),
    Dense32(Scaling),
}

impl From<Encoder> for Spec {
    fn from(encoder: Encoder) -> Self {
        let scaling = match &encoder.form {
            Form::Sparse => None,
            Form::Dense16(scaling) | Form::Dense32(scaling) => Some(scaling),
        };
        Self::new(encoder.kind, &encoder.names, scaling)
    }
}

impl TryFrom<Spec> for Encoder {
    type Error = SpecError;

    fn try_from(spec: Spec) -> Result<Self, SpecError> {
        let Parts {
            kind,
            names,
            scaling,
        } = spec.check()?;
        let form = match (kind.encoding(), scaling) {
            (Encoding::Dense16, Some(scaling)) => Form::Dense16(scaling),
            (Encoding::Dense32, Some(scaling)) => Form::Dense32(scaling),
            // The others have no scaling, as has been checked.
            _ => Form::Sparse,
        };
        Ok(Self {
            lookup: Lookup::new(&names),
            names,
            kind,
            form,
        })
    }
}

impl Encoder {
    pub(super) fn learn(
        dataset: &Dataset,
        kind: Kind,
        features: Option<usize>,
    ) -> Result<Self, EncodeError> {
        let names = Names::learn(dataset, features)?;
        let (features, most) = (names.len(), most_features(kind));
        if features == 0 {
            return Err(EncodeError::NoFeatures {
                path: dataset.train.path().to_owned(),
            });
        }
        if features > most {
            return Err(EncodeError::TooManyFeatures {
                path: dataset.train.path().to_owned(),
                kind,
                features,
                most,
            });
        }
        let lookup = Lookup::new(&names);
        let scaling = || Scaling::learn(&dataset.train, &lookup, features);
        let form = match kind.encoding() {
            Encoding::Sparse => Form::Sparse,
            Encoding::Dense16 => Form::Dense16(scaling()?),
            Encoding::Dense32 => Form::Dense32(scaling()?),
        };
        Ok(Self {
            names,
            lookup,
            kind,
            form,
        })
    }

    /// The classifiers that the samples are for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How many features there are.
    #[must_use]
    pub fn features(&self) -> usize {
        self.names.len()
    }

    /// What sort of example it takes.
    #[must_use]
    pub fn takes(&self) -> Sort {
        match self.names {
            Names::Words(_) => Sort::Text,
            Names::Columns(_) => Sort::Numbers,
            Names::Indices(_) => Sort::Indexed,
        }
    }

    /// What a feature is: a word, the name of a column, or an index from 1.
    #[must_use]
    pub fn name(&self, feature: usize) -> Option<String> {
        self.names.get(feature)
    }

    /// A sample of an example.
    ///
    /// # Errors
    /// Where the example is not of the sort that the encoder learned from, has another number of
    /// numbers, or a number that is beyond 1e100 either way or none; or where the encoding is sparse
    /// and a number neither 0 nor 1.
    pub fn encode(&self, example: Example<'_>) -> Result<Vec<u8>, EncodeError> {
        self.encode_counting(example).map(|(sample, _)| sample)
    }

    /// Encodes an example, and counts what the sample does not hold.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_noting(&self, example: Example<'_>) -> Result<Noted, EncodeError> {
        let (sample, clamped) = self.encode_counting(example)?;
        let known = match (&self.form, self.columns()) {
            // In a dense row a 0 is a value as any other.
            (Form::Dense16(_) | Form::Dense32(_), Some(columns)) => columns.len(),
            _ => self.lookup.features(example)?.len(),
        };
        Ok(Noted {
            sample,
            known,
            clamped,
        })
    }

    /// Returns the names of the columns that the encoder learned from, in order; `None` if that was
    /// not a table of numbers.
    #[must_use]
    pub fn columns(&self) -> Option<&[String]> {
        match &self.names {
            Names::Columns(columns) => Some(columns),
            Names::Words(_) | Names::Indices(_) => None,
        }
    }

    pub(super) fn layout(&self, classes: usize) -> Layout {
        let (encoding, scale) = match self.form {
            Form::Sparse => (Encoding::Sparse, 1.0),
            Form::Dense16(_) => (Encoding::Dense16, SCALE_16),
            Form::Dense32(_) => (Encoding::Dense32, SCALE_32),
        };
        Layout {
            encoding,
            features: self.names.len(),
            classes,
            scale,
        }
    }

    /// A sample of an example, and how many of its numbers were clamped.
    pub(super) fn encode_counting(
        &self,
        example: Example<'_>,
    ) -> Result<(Vec<u8>, usize), EncodeError> {
        let features = self.lookup.features(example)?;
        for &(feature, value) in &features {
            if !in_bounds(value) {
                return Err(EncodeError::OutOfRange {
                    feature: self.names.describe(feature),
                    value,
                });
            }
        }
        Ok(match &self.form {
            Form::Sparse => {
                if let Some(&(feature, value)) = features.iter().find(|(_, value)| !is_one(*value))
                {
                    return Err(EncodeError::NotPresence {
                        kind: self.kind,
                        feature: self.names.describe(feature),
                        value,
                    });
                }
                let present: Vec<u16> = features.iter().map(|&(feature, _)| feature).collect();
                (encode_sparse(&present), 0)
            }
            Form::Dense16(scaling) => {
                let mut outside = 0;
                let values = scaling.apply(&features);
                let numbers: Vec<i16> = values
                    .iter()
                    .map(|value| to_i16(value * SCALE_16, &mut outside))
                    .collect();
                (encode_dense16(&numbers), outside)
            }
            Form::Dense32(scaling) => {
                let mut outside = 0;
                let values = scaling.apply(&features);
                let numbers: Vec<i32> = values
                    .iter()
                    .map(|value| to_i32(value * SCALE_32, &mut outside))
                    .collect();
                (encode_dense32(&numbers), outside)
            }
        })
    }
}

// Data that says 1 says it exactly.
#[allow(clippy::float_cmp)]
fn is_one(value: f64) -> bool {
    value == 1.0
}

/// How many features the contracts of a kind can have (`docs/spec.md`).
pub(super) fn most_features(kind: Kind) -> usize {
    match kind.encoding() {
        Encoding::Sparse => 65_536,
        Encoding::Dense16 | Encoding::Dense32 => 4_096,
    }
}

/// Eight standard deviations fit into 16 bits.
const SCALE_16: f64 = 4_096.0;
/// 32,768 standard deviations fit into 32 bits.
const SCALE_32: f64 = 65_536.0;

// The casts are of whole numbers within the bounds: they saturate beyond, and what they then do is
// what is wanted and counted.
#[allow(clippy::cast_possible_truncation)]
fn to_i16(value: f64, outside: &mut usize) -> i16 {
    let whole = value.round();
    *outside += usize::from(whole < f64::from(i16::MIN) || whole > f64::from(i16::MAX));
    whole as i16
}

#[allow(clippy::cast_possible_truncation)]
fn to_i32(value: f64, outside: &mut usize) -> i32 {
    let whole = value.round();
    *outside += usize::from(whole < f64::from(i32::MIN) || whole > f64::from(i32::MAX));
    whole as i32
}
