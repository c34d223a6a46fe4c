//! Numbers of a text by a sentence encoder: a network that runs outside of this program.
//!
//! This crate starts no program. It is given a [`SentenceEncoder`], knows which one a model needs
//! ([`SentenceId`]), and reduces its vectors to the dimensions of a model.
//!
//! A network computes in floats, and engines round differently. So two programs may make samples
//! that differ by one in some numbers. The signed sample is the truth.

mod axes;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use alloy_primitives::hex;
use thiserror::Error;

use crate::digest;
use crate::text::{TextError, check_name, escaped};

pub(crate) use axes::{Axes, AxesError};

/// Largest number of numbers in a vector of a sentence encoder.
pub const MAX_WIDTH: usize = 1_024;

/// Largest number of numbers that are kept of texts, so that each is encoded once: 256 MiB.
const MAX_KEPT: usize = 1 << 26;

/// Sentence encoder, which runs elsewhere.
pub trait SentenceEncoder: fmt::Debug + Send + Sync {
    /// Encodes a text.
    ///
    /// # Errors
    /// Returns the cause if the encoder is not there, is another one or fails.
    fn encode(&self, text: &str) -> Result<SentenceVector, SentenceFault>;
}

/// Vector of a text, as a sentence encoder makes it.
#[derive(Clone, Debug, PartialEq)]
pub struct SentenceVector {
    /// Numbers, as many as the width of the encoder.
    pub numbers: Vec<f32>,
    /// Number of the text's pieces that the encoder knows. With 0, the text is unknown to it.
    pub pieces: usize,
}

/// Reason why a sentence encoder cannot encode, with the next step.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SentenceFault(pub String);

/// Identity of a sentence encoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentenceId {
    name: String,
    sha256: [u8; 32],
    width: usize,
}

/// Reason why something is no identity of a sentence encoder, or no use of one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SentenceIdError {
    /// The name is empty, too long or cannot be seen.
    #[error(transparent)]
    Name(#[from] TextError),
    /// The SHA-256 is no such number.
    #[error(
        "the SHA-256 of the sentence encoder's weights is `{}`, expected 64 hexadecimal digits in lower case",
        escaped(.0)
    )]
    Sha256(String),
    /// A vector has no numbers, or too many.
    #[error("a vector of the sentence encoder has {0} numbers, expected 1 to {MAX_WIDTH}")]
    Width(usize),
    /// A model is to have no dimensions, or more than a vector has.
    #[error(
        "the number of dimensions is {dimensions}, expected 1 to {width}, as many as a vector of the sentence encoder has"
    )]
    Dimensions {
        /// Number of dimensions.
        dimensions: usize,
        /// Number of numbers in a vector.
        width: usize,
    },
}

impl SentenceId {
    /// Checks an identity: a name for people, the SHA-256 of the file of the weights as 64
    /// hexadecimal digits in lower case, and the number of numbers in a vector.
    ///
    /// # Errors
    /// [`SentenceIdError`].
    pub fn new(name: &str, sha256: &str, width: usize) -> Result<Self, SentenceIdError> {
        check_name("the name of the sentence encoder", name)?;
        let sha256 = digest(sha256).ok_or_else(|| SentenceIdError::Sha256(sha256.to_owned()))?;
        if !(1..=MAX_WIDTH).contains(&width) {
            return Err(SentenceIdError::Width(width));
        }
        Ok(Self {
            name: name.to_owned(),
            sha256,
            width,
        })
    }

    /// Returns the name, which is for people alone.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the SHA-256 of the file of the weights, as 64 hexadecimal digits in lower case.
    #[must_use]
    pub fn hexadecimal(&self) -> String {
        hex::encode(self.sha256)
    }

    /// Returns the number of numbers in a vector.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns `true` if the other encoder has the same weights and width, whatever its name.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.sha256, self.width) == (other.sha256, other.width)
    }
}

impl fmt::Display for SentenceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "`{}` with SHA-256 {} and {} numbers",
            escaped(&self.name),
            self.hexadecimal(),
            self.width
        )
    }
}

/// Sentence encoder with the number of dimensions that a model takes of it.
///
/// It is cheap to clone: clones share the encoder, and the vectors of texts that it encoded before.
#[derive(Clone, Debug)]
pub struct Sentences(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: SentenceId,
    dimensions: usize,
    encoder: Arc<dyn SentenceEncoder>,
    /// Vectors of texts that were encoded before: a new model reads each of its texts several times.
    kept: Mutex<HashMap<Box<str>, Arc<SentenceVector>>>,
}

impl PartialEq for Sentences {
    fn eq(&self, other: &Self) -> bool {
        (self.id(), self.dimensions()) == (other.id(), other.dimensions())
    }
}

impl Sentences {
    /// Creates what a model of so many dimensions takes of an encoder with this identity.
    ///
    /// If there are fewer dimensions than an encoder's vector has numbers, a new model takes the
    /// axes on which the vectors of its training texts vary most, and its card has them.
    ///
    /// # Errors
    /// Returns an error if the number of dimensions is 0 or above the encoder's width.
    pub fn new(
        id: SentenceId,
        dimensions: usize,
        encoder: Arc<dyn SentenceEncoder>,
    ) -> Result<Self, SentenceIdError> {
        let width = id.width;
        if !(1..=width).contains(&dimensions) {
            return Err(SentenceIdError::Dimensions { dimensions, width });
        }
        Ok(Self(Arc::new(Inner {
            id,
            dimensions,
            encoder,
            kept: Mutex::default(),
        })))
    }

    /// Returns the identity of the encoder.
    #[must_use]
    pub fn id(&self) -> &SentenceId {
        &self.0.id
    }

    /// Returns the number of dimensions.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.0.dimensions
    }

    /// Encodes a text as a vector of the encoder's width.
    ///
    /// # Errors
    /// Returns the fault of the encoder. Returns one if the encoder gives another number of numbers
    /// than its width, or one that is infinite or not a number.
    pub fn encode(&self, text: &str) -> Result<Arc<SentenceVector>, SentenceFault> {
        let width = self.0.id.width;
        let kept = || self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept().get(text) {
            return Ok(Arc::clone(found));
        }
        let vector = self.0.encoder.encode(text)?;
        if vector.numbers.len() != width {
            return Err(SentenceFault(format!(
                "the sentence encoder gave {} numbers, expected {width}; use the one that the model names",
                vector.numbers.len(),
            )));
        }
        if let Some(number) = vector.numbers.iter().find(|number| !number.is_finite()) {
            return Err(SentenceFault(format!(
                "the sentence encoder gave the number {number}, expected a finite one; check its files"
            )));
        }
        let vector = Arc::new(vector);
        let mut kept = kept();
        if kept.len() < MAX_KEPT / width {
            kept.insert(text.into(), Arc::clone(&vector));
        }
        Ok(vector)
    }
}
