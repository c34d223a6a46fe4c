//! Parameters that a model is created with, and their bounds.

use std::{fmt, str::FromStr};

use alloy_primitives::{I256, U256};
use thiserror::Error;

use super::{
    bounds::{Bounds, within},
    lanes::Lane,
};
use crate::{ContractError, sample::Encoding};

/// Maximum number of sparse features: a sparse index has 2 bytes.
const MAX_SPARSE_FEATURES: u32 = 65_536;
/// Maximum number of dense features: each number of a sample costs gas.
const MAX_DENSE_FEATURES: u32 = 4_096;

/// Maximum number of sums that a prediction of the dense centroid may read over all classes.
///
/// More might not fit in a transaction, and then nobody could claim a deposit.
const MAX_DENSE_READS: u32 = 16_384;

/// Maximum number of counts that a prediction of naive Bayes or the sparse centroid may read over
/// all classes.
///
/// The reason is the same.
const MAX_SPARSE_READS: u32 = 5_120;
const MAX_CLASSES: u32 = 256;
/// Maximum learning rate: a weight has 15 bits and a sign.
const MAX_SPARSE_LEARNING_RATE: u32 = 32_767;

/// Kind of learner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Binary perceptron over the presence of features.
    SparsePerceptron,
    /// Binary perceptron over numbers.
    DensePerceptron,
    /// Multinomial naive Bayes over the presence of features.
    NaiveBayes,
    /// Nearest mean of presence vectors.
    SparseNearestCentroid,
    /// Nearest mean of number vectors.
    DenseNearestCentroid,
}

impl Kind {
    /// All kinds, in the order of their declaration.
    pub const ALL: [Self; 5] = [
        Self::SparsePerceptron,
        Self::DensePerceptron,
        Self::NaiveBayes,
        Self::SparseNearestCentroid,
        Self::DenseNearestCentroid,
    ];

    /// Returns the name in files and arguments, such as `sparse-perceptron`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SparsePerceptron => "sparse-perceptron",
            Self::DensePerceptron => "dense-perceptron",
            Self::NaiveBayes => "naive-bayes",
            Self::SparseNearestCentroid => "sparse-nearest-centroid",
            Self::DenseNearestCentroid => "dense-nearest-centroid",
        }
    }

    /// Returns the encoding of samples.
    #[must_use]
    pub fn encoding(self) -> Encoding {
        match self {
            Self::SparsePerceptron | Self::NaiveBayes | Self::SparseNearestCentroid => {
                Encoding::Sparse
            }
            Self::DensePerceptron => Encoding::Dense16,
            Self::DenseNearestCentroid => Encoding::Dense32,
        }
    }
}

impl fmt::Display for Kind {
    /// Writes the kind as text, as the contract describes itself.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::SparsePerceptron => "sparse perceptron",
            Self::DensePerceptron => "dense perceptron",
            Self::NaiveBayes => "naive Bayes",
            Self::SparseNearestCentroid => "sparse nearest centroid",
            Self::DenseNearestCentroid => "dense nearest centroid",
        })
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

/// Name that belongs to no learner.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no classifier; use one of {names}", names = Kind::ALL.map(Kind::name).join(", "))]
pub struct UnknownKind(String);

/// Parameters of a model, fixed at its creation. [`Parameters::validate`] checks their bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Parameters {
    /// Predicts class 1 if `intercept + sum of the present features' weights > 0`.
    SparsePerceptron {
        /// Number of features, 1 to 65,536.
        features: u32,
        /// Step of a present feature's weight, 1 to 32,767.
        learning_rate: u16,
        /// Number added to the sum of the weights.
        intercept: i64,
    },
    /// Predicts class 1 if `intercept + sum of weights times numbers > 0`.
    DensePerceptron {
        /// Number of features, 1 to 4,096.
        features: u32,
        /// Step of a weight whose number is 1, in 1/65,536. At least 1.
        learning_rate: u32,
        /// Number added to the sum of the products.
        intercept: i64,
        /// Bounds of the samples to learn from.
        bounds: Bounds,
    },
    /// Multinomial naive Bayes with additive smoothing.
    NaiveBayes {
        /// Number of classes, 2 to 256.
        classes: u16,
        /// Number of features, 1 to 65,536.
        features: u32,
        /// Amount added to each count, in 1/256. At least 1.
        smoothing: u32,
    },
    /// Nearest mean of presence vectors.
    SparseNearestCentroid {
        /// Number of classes, 2 to 256.
        classes: u16,
        /// Number of features, 1 to 65,536.
        features: u32,
    },
    /// Nearest mean of number vectors.
    DenseNearestCentroid {
        /// Number of classes, 2 to 256.
        classes: u16,
        /// Number of features, 1 to 4,096, and at most 16,384 divided by `classes`.
        features: u32,
        /// Bounds of the samples to learn from.
        bounds: Bounds,
    },
}

impl Parameters {
    /// Returns the maximum number of features that may be present in a sparse sample.
    ///
    /// A sample's length has 16 bits. A prediction that reads several classes also has to fit in a
    /// transaction.
    #[must_use]
    pub fn max_present(&self) -> u32 {
        let max = match self {
            Self::NaiveBayes { classes, .. } | Self::SparseNearestCentroid { classes, .. } => {
                max_read(*classes)
            }
            _ => u32::from(u16::MAX) / 2,
        };
        max.min(self.features())
    }

    /// Checks that a prediction for a well-formed sample fits in one transaction.
    ///
    /// # Errors
    /// [`ContractError::TooManyFeatures`].
    #[inline]
    pub(super) fn check_present(&self, item: u64, sample: &[u8]) -> Result<(), ContractError> {
        let (Self::NaiveBayes { classes, .. } | Self::SparseNearestCentroid { classes, .. }) = self
        else {
            return Ok(());
        };
        let max = max_read(*classes);
        // At most 65,536 features are present in a well-formed sample.
        let present = u32::try_from(sample.len() / 2).unwrap_or(u32::MAX);
        if present > max {
            return Err(ContractError::TooManyFeatures { item, present, max });
        }
        Ok(())
    }

    /// Checks that each parameter is within its bounds.
    ///
    /// # Errors
    /// [`ContractError::InvalidParameter`] for the first that is outside, in the order of declaration,
    /// with the contract's name for it.
    pub fn validate(&self) -> Result<(), ContractError> {
        within("classes", self.classes().into(), 2, MAX_CLASSES)?;
        let max_features = match self.encoding() {
            Encoding::Sparse => MAX_SPARSE_FEATURES,
            Encoding::Dense16 => MAX_DENSE_FEATURES,
            Encoding::Dense32 => {
                MAX_DENSE_FEATURES.min(MAX_DENSE_READS / u32::from(self.classes()))
            }
        };
        within("features", self.features(), 1, max_features)?;
        match *self {
            Self::SparsePerceptron { learning_rate, .. } => within(
                "learningRate",
                learning_rate.into(),
                1,
                MAX_SPARSE_LEARNING_RATE,
            ),
            Self::DensePerceptron { learning_rate, .. } => {
                within("learningRate", learning_rate, 1, u32::MAX)
            }
            Self::NaiveBayes { smoothing, .. } => within("smoothing", smoothing, 1, u32::MAX),
            Self::SparseNearestCentroid { .. } | Self::DenseNearestCentroid { .. } => Ok(()),
        }?;
        self.bounds().map_or(Ok(()), |bounds| {
            bounds.validate(self.encoding(), self.features())
        })
    }

    /// Returns the bounds of the samples to learn from, or `None` for sparse samples.
    #[must_use]
    pub fn bounds(&self) -> Option<Bounds> {
        match *self {
            Self::DensePerceptron { bounds, .. } | Self::DenseNearestCentroid { bounds, .. } => {
                Some(bounds)
            }
            Self::SparsePerceptron { .. }
            | Self::NaiveBayes { .. }
            | Self::SparseNearestCentroid { .. } => None,
        }
    }

    /// Encodes the contract's immutable arguments after `owner`: 32-byte words.
    #[must_use]
    pub fn abi_encode(&self) -> Vec<u8> {
        // Two's complement, extended to 256 bits.
        let signed = |value: i64| I256::unchecked_from(value).into_raw();
        let mut words = match *self {
            Self::SparsePerceptron {
                features,
                learning_rate,
                intercept,
            } => vec![
                U256::from(features),
                U256::from(learning_rate),
                signed(intercept),
            ],
            Self::DensePerceptron {
                features,
                learning_rate,
                intercept,
                ..
            } => vec![
                U256::from(features),
                U256::from(learning_rate),
                signed(intercept),
            ],
            Self::NaiveBayes {
                classes,
                features,
                smoothing,
            } => vec![
                U256::from(classes),
                U256::from(features),
                U256::from(smoothing),
            ],
            Self::SparseNearestCentroid { classes, features }
            | Self::DenseNearestCentroid {
                classes, features, ..
            } => {
                vec![U256::from(classes), U256::from(features)]
            }
        };
        if let Some(bounds) = self.bounds() {
            words.push(U256::from(bounds.max_number));
            words.push(U256::from(bounds.max_squared_length));
        }
        words.iter().flat_map(U256::to_be_bytes::<32>).collect()
    }

    /// Returns the kind of learner that takes these parameters.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::SparsePerceptron { .. } => Kind::SparsePerceptron,
            Self::DensePerceptron { .. } => Kind::DensePerceptron,
            Self::NaiveBayes { .. } => Kind::NaiveBayes,
            Self::SparseNearestCentroid { .. } => Kind::SparseNearestCentroid,
            Self::DenseNearestCentroid { .. } => Kind::DenseNearestCentroid,
        }
    }

    /// Returns the number of classes: labels are below it.
    #[must_use]
    pub fn classes(&self) -> u16 {
        match *self {
            Self::SparsePerceptron { .. } | Self::DensePerceptron { .. } => 2,
            Self::NaiveBayes { classes, .. }
            | Self::SparseNearestCentroid { classes, .. }
            | Self::DenseNearestCentroid { classes, .. } => classes,
        }
    }

    /// Returns the number of features.
    #[must_use]
    pub fn features(&self) -> u32 {
        match *self {
            Self::SparsePerceptron { features, .. }
            | Self::DensePerceptron { features, .. }
            | Self::NaiveBayes { features, .. }
            | Self::SparseNearestCentroid { features, .. }
            | Self::DenseNearestCentroid { features, .. } => features,
        }
    }

    /// Returns the encoding of samples.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.kind().encoding()
    }

    /// Returns the model's size in 256-bit words.
    #[must_use]
    pub fn word_count(&self) -> usize {
        // Lossless: no supported machine has 16-bit addresses.
        let features = self.features() as usize;
        let classes = usize::from(self.classes());
        match self {
            Self::SparsePerceptron { .. } | Self::DensePerceptron { .. } => i16::words(features),
            Self::NaiveBayes { .. } | Self::SparseNearestCentroid { .. } => {
                classes * (1 + u16::words(features))
            }
            Self::DenseNearestCentroid { .. } => classes * (1 + i64::words(features)),
        }
    }
}

/// Returns the maximum number of counts that a prediction may read in each class.
fn max_read(classes: u16) -> u32 {
    MAX_SPARSE_READS / u32::from(classes).max(1)
}
