//! Versions of payloads. A payload is the bytes that an item of a batch carries beside its label.
//!
//! The version is no part of the bytes.
//! The contract that reads the bytes fixes it for the life of a model.
//! Under trainers and markets that is the classifier, whose `describe().encoding` is
//! [`PayloadVersion::number`].
//! Batches, signatures, records and proofs hold the bytes of any version alike.

use std::fmt;

use alloy_primitives::{B256, keccak256};
use thiserror::Error;

use crate::sample::Encoding;

/// Number of bytes of a commitment before its location: a hash and a length.
const COMMITMENT_HEADER: usize = 32 + 8;

/// Format of the bytes of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PayloadVersion {
    /// The bytes are a sample.
    Inline(Encoding),
    /// The bytes are a [`Commitment`] to data kept elsewhere. No learner of this release reads it.
    Commitment,
}

impl PayloadVersion {
    /// All versions, in the order of their numbers.
    pub const ALL: [Self; 4] = [
        Self::Inline(Encoding::Sparse),
        Self::Inline(Encoding::Dense16),
        Self::Inline(Encoding::Dense32),
        Self::Commitment,
    ];

    /// Returns the number that contracts use for the version.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Inline(Encoding::Sparse) => 0,
            Self::Inline(Encoding::Dense16) => 1,
            Self::Inline(Encoding::Dense32) => 2,
            Self::Commitment => 3,
        }
    }
}

impl fmt::Display for PayloadVersion {
    /// Writes the version in one word, such as `dense16`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Inline(Encoding::Sparse) => "sparse",
            Self::Inline(Encoding::Dense16) => "dense16",
            Self::Inline(Encoding::Dense32) => "dense32",
            Self::Commitment => "commitment",
        })
    }
}

impl TryFrom<u8> for PayloadVersion {
    type Error = UnknownPayload;

    fn try_from(number: u8) -> Result<Self, UnknownPayload> {
        Self::ALL
            .into_iter()
            .find(|version| version.number() == number)
            .ok_or(UnknownPayload(number))
    }
}

/// Number that no version of payloads has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "cannot read payloads of version {0}: expected a version from 0 to 3; use a release that knows version {0}"
)]
pub struct UnknownPayload(pub u8);

/// Contents of an item beside its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload<'a> {
    /// A sample, which only a model can check: see [`Encoding::check`].
    Inline {
        /// Encoding of the sample.
        encoding: Encoding,
        /// Bytes of the sample.
        sample: &'a [u8],
    },
    /// A commitment to data kept elsewhere.
    Commitment(Commitment),
}

impl<'a> Payload<'a> {
    /// Reads the bytes of an item of a model whose payloads have this version.
    ///
    /// # Errors
    /// [`CommitmentError`] for bytes that should be a commitment and are none.
    pub fn decode(version: PayloadVersion, bytes: &'a [u8]) -> Result<Self, CommitmentError> {
        Ok(match version {
            PayloadVersion::Inline(encoding) => Self::Inline {
                encoding,
                sample: bytes,
            },
            PayloadVersion::Commitment => Self::Commitment(Commitment::decode(bytes)?),
        })
    }

    /// Returns the version that [`encode`](Self::encode) writes.
    #[must_use]
    pub fn version(&self) -> PayloadVersion {
        match self {
            Self::Inline { encoding, .. } => PayloadVersion::Inline(*encoding),
            Self::Commitment(_) => PayloadVersion::Commitment,
        }
    }

    /// Returns the bytes of an item with this payload.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Inline { sample, .. } => sample.to_vec(),
            Self::Commitment(commitment) => commitment.encode(),
        }
    }
}

/// Commitment to data that is kept elsewhere, by a web server or by peers.
///
/// The data may be larger than a transaction.
///
/// ```
/// use cotrain_protocol::payload::Commitment;
///
/// let update = vec![7; 100_000];
/// let commitment = Commitment::to(&update, "https://example.org/update")?;
/// assert_eq!(Commitment::decode(&commitment.encode()), Ok(commitment.clone()));
/// assert_eq!(commitment.check(&update), Ok(()));
/// assert!(commitment.check(&update[1..]).is_err());
/// # Ok::<(), cotrain_protocol::payload::CommitmentError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Commitment {
    hash: B256,
    length: u64,
    location: String,
}

impl Commitment {
    /// Maximum length of a location in bytes: an item holds no more after hash and length.
    pub const MAX_LOCATION: usize = u16::MAX as usize - COMMITMENT_HEADER;

    /// Creates a commitment to data of this hash (keccak256) and length in bytes.
    ///
    /// The location is a URI, or empty if readers find the data by its hash.
    /// Only its length and characters are checked.
    ///
    /// # Errors
    /// [`CommitmentError::LocationTooLong`], [`CommitmentError::LocationByte`].
    pub fn new(hash: B256, length: u64, location: &str) -> Result<Self, CommitmentError> {
        Ok(Self {
            hash,
            length,
            location: read_location(location.as_bytes())?,
        })
    }

    /// Creates a commitment to this data.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn to(data: &[u8], location: &str) -> Result<Self, CommitmentError> {
        Self::new(keccak256(data), data.len() as u64, location)
    }

    /// Returns the keccak256 hash of the data.
    #[must_use]
    pub fn hash(&self) -> B256 {
        self.hash
    }

    /// Returns the length of the data in bytes. Readers need not read further.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Returns the location that the author names for the data.
    ///
    /// It is visible ASCII from a stranger, and may be empty.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Encodes the commitment: `hash (32) | length (8) | location`, with the location up to the
    /// end.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let length = self.length.to_be_bytes();
        [self.hash.as_slice(), &length, self.location.as_bytes()].concat()
    }

    /// Decodes a commitment, which must fill the bytes.
    ///
    /// # Errors
    /// [`CommitmentError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CommitmentError> {
        let too_short = CommitmentError::TooShort {
            length: bytes.len(),
        };
        let (hash, rest) = bytes.split_first_chunk().ok_or(too_short.clone())?;
        let (length, location) = rest.split_first_chunk().ok_or(too_short)?;
        Ok(Self {
            hash: B256::new(*hash),
            length: u64::from_be_bytes(*length),
            location: read_location(location)?,
        })
    }

    /// Checks that data found elsewhere is the data committed to.
    ///
    /// # Errors
    /// [`DataError::OtherLength`], without hashing; [`DataError::OtherHash`].
    pub fn check(&self, data: &[u8]) -> Result<(), DataError> {
        let length = data.len() as u64;
        if length != self.length {
            return Err(DataError::OtherLength {
                length,
                expected: self.length,
            });
        }
        let hash = keccak256(data);
        if hash != self.hash {
            return Err(DataError::OtherHash {
                hash,
                expected: self.hash,
            });
        }
        Ok(())
    }
}

/// Bytes that are no commitment.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CommitmentError {
    /// The bytes end before the location.
    #[error(
        "cannot read a commitment of {length} bytes: expected at least {COMMITMENT_HEADER}, 32 of a hash and 8 of a length; check that the model takes commitments"
    )]
    TooShort {
        /// Number of bytes.
        length: usize,
    },
    /// No item could hold the location.
    #[error(
        "cannot take a location of {length} bytes: expected at most {}; name a shorter one",
        Commitment::MAX_LOCATION
    )]
    LocationTooLong {
        /// Length of the location in bytes.
        length: usize,
    },
    /// A byte of the location cannot be part of a URI.
    #[error(
        "cannot take byte {index} of the location, {byte:#04x}: expected visible ASCII, 0x21 to 0x7e; percent-encode the location"
    )]
    LocationByte {
        /// Index of the first such byte, from 0.
        index: usize,
        /// The byte.
        byte: u8,
    },
}

/// Data that is not the data committed to.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DataError {
    /// The data has another length.
    #[error(
        "cannot use data of {length} bytes: expected {expected}, as committed to; get it from elsewhere"
    )]
    OtherLength {
        /// Length of the data in bytes.
        length: u64,
        /// Length that was committed to.
        expected: u64,
    },
    /// The data has another hash.
    #[error(
        "cannot use data with the hash {hash}: expected {expected}, as committed to; get it from elsewhere"
    )]
    OtherHash {
        /// Hash of the data.
        hash: B256,
        /// Hash that was committed to.
        expected: B256,
    },
}

/// Reads a location. Checks only its length and characters.
fn read_location(bytes: &[u8]) -> Result<String, CommitmentError> {
    let length = bytes.len();
    if length > Commitment::MAX_LOCATION {
        return Err(CommitmentError::LocationTooLong { length });
    }
    let characters = bytes.iter().enumerate().map(|(index, &byte)| {
        if byte.is_ascii_graphic() {
            Ok(char::from(byte))
        } else {
            Err(CommitmentError::LocationByte { index, byte })
        }
    });
    characters.collect()
}
