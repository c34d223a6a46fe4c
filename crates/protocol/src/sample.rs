//! Encodings of samples and batches as bytes. All numbers are big-endian.

use crate::ContractError;

/// Encoding of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Indices of the present features, `u16` each, strictly increasing.
    Sparse,
    /// One `i16` a feature: the real value times a scale that the host chooses.
    Dense16,
    /// One `i32` a feature: the real value times a scale that the host chooses.
    Dense32,
}

impl Encoding {
    /// Checks a sample of a model with `features` features. Errors name `item`, its index in the
    /// batch.
    ///
    /// # Errors
    /// Sparse: [`ContractError::OddSampleLength`], [`ContractError::FeatureNotIncreasing`],
    /// [`ContractError::FeatureOutOfRange`]. Dense: [`ContractError::WrongSampleLength`].
    pub fn check(self, item: u64, sample: &[u8], features: u32) -> Result<(), ContractError> {
        let width = match self {
            Self::Sparse => return check_sparse(item, sample, features),
            Self::Dense16 => 2,
            Self::Dense32 => 4,
        };
        let (length, expected) = (sample.len() as u64, width * u64::from(features));
        if length == expected {
            Ok(())
        } else {
            Err(ContractError::WrongSampleLength {
                item,
                length,
                expected,
            })
        }
    }

    /// Returns the numbers of a dense sample in the order of the features, and no number of a
    /// sparse one.
    ///
    /// Bytes at the end that make no whole number are ignored.
    pub fn numbers(self, sample: &[u8]) -> impl Iterator<Item = i32> {
        let (narrow, wide) = match self {
            Self::Sparse => (&[][..], &[][..]),
            Self::Dense16 => (sample, &[][..]),
            Self::Dense32 => (&[][..], sample),
        };
        dense16_values(narrow)
            .map(i32::from)
            .chain(dense32_values(wide))
    }
}

/// One labeled sample of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    /// Class of the sample, from 0.
    pub label: u16,
    /// Bytes of the sample.
    pub sample: &'a [u8],
}

/// Encodes the indices of present features. They must increase strictly, which only the model
/// checks.
#[must_use]
pub fn encode_sparse(features: &[u16]) -> Vec<u8> {
    features
        .iter()
        .flat_map(|feature| feature.to_be_bytes())
        .collect()
}

/// Encodes 16-bit numbers, one a feature.
#[must_use]
pub fn encode_dense16(values: &[i16]) -> Vec<u8> {
    let mut bytes = vec![0; values.len() * 2];
    for (to, value) in bytes.as_chunks_mut().0.iter_mut().zip(values) {
        *to = value.to_be_bytes();
    }
    bytes
}

/// Encodes 32-bit numbers, one a feature.
#[must_use]
pub fn encode_dense32(values: &[i32]) -> Vec<u8> {
    let mut bytes = vec![0; values.len() * 4];
    for (to, value) in bytes.as_chunks_mut().0.iter_mut().zip(values) {
        *to = value.to_be_bytes();
    }
    bytes
}

/// Encodes a batch: `label (u16) | length (u16) | sample (length bytes)` an item.
///
/// # Errors
/// [`ContractError::SampleTooLong`] for the first sample above 65,535 bytes.
pub fn encode_batch(items: &[Item<'_>]) -> Result<Vec<u8>, ContractError> {
    let mut batch = Vec::with_capacity(items.iter().map(|item| 4 + item.sample.len()).sum());
    for (index, item) in (0..).zip(items) {
        let length =
            u16::try_from(item.sample.len()).map_err(|_| ContractError::SampleTooLong {
                item: index,
                length: item.sample.len() as u64,
            })?;
        batch.extend(item.label.to_be_bytes());
        batch.extend(length.to_be_bytes());
        batch.extend(item.sample);
    }
    Ok(batch)
}

/// Returns the items of a batch, without a check of their samples.
///
/// # Errors
/// [`ContractError::EmptyBatch`], [`ContractError::MalformedBatch`].
pub fn parse_batch(batch: &[u8]) -> Result<Vec<Item<'_>>, ContractError> {
    parse_batch_with(batch, |_, _| Ok(()))
}

/// Returns the items of a batch. Each item is checked as soon as it is parsed.
///
/// So the error of an item comes before the error of a malformed end behind it.
pub(crate) fn parse_batch_with<'a>(
    batch: &'a [u8],
    check: impl Fn(u64, Item<'a>) -> Result<(), ContractError>,
) -> Result<Vec<Item<'a>>, ContractError> {
    if batch.is_empty() {
        return Err(ContractError::EmptyBatch);
    }
    let mut items = Vec::new();
    let mut rest = batch;
    while !rest.is_empty() {
        let offset = (batch.len() - rest.len()) as u64;
        let (item, after) = split_item(rest).ok_or(ContractError::MalformedBatch { offset })?;
        check(items.len() as u64, item)?;
        items.push(item);
        rest = after;
    }
    Ok(items)
}

/// Returns the features of a sparse sample. A last odd byte is ignored.
pub(crate) fn sparse_features(sample: &[u8]) -> impl Iterator<Item = u16> + Clone {
    sample
        .as_chunks()
        .0
        .iter()
        .map(|bytes| u16::from_be_bytes(*bytes))
}

/// Returns the numbers of a sample in 16-bit encoding.
pub(crate) fn dense16_values(sample: &[u8]) -> impl Iterator<Item = i16> {
    sample
        .as_chunks()
        .0
        .iter()
        .map(|bytes| i16::from_be_bytes(*bytes))
}

/// Returns the numbers of a sample in 32-bit encoding.
pub(crate) fn dense32_values(sample: &[u8]) -> impl Iterator<Item = i32> {
    sample
        .as_chunks()
        .0
        .iter()
        .map(|bytes| i32::from_be_bytes(*bytes))
}

/// Splits `bytes` into the first item and the rest.
fn split_item(bytes: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let (label, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (sample, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    Some((
        Item {
            label: u16::from_be_bytes(*label),
            sample,
        },
        rest,
    ))
}

fn check_sparse(item: u64, sample: &[u8], features: u32) -> Result<(), ContractError> {
    let length = sample.len() as u64;
    if !length.is_multiple_of(2) {
        return Err(ContractError::OddSampleLength { item, length });
    }
    let all = sparse_features(sample);
    let pairs = all.clone().zip(all.skip(1));
    // Counting is fast because it compares many pairs at once. The search runs only if there is an
    // error.
    let wrong = pairs.clone().filter(|(a, b)| a >= b).count();
    if wrong > 0
        && let Some((at, (previous, feature))) = (1..).zip(pairs).find(|(_, (a, b))| a >= b)
    {
        return Err(ContractError::FeatureNotIncreasing {
            item,
            at,
            feature,
            previous,
        });
    }
    match sample.last_chunk().map(|bytes| u16::from_be_bytes(*bytes)) {
        Some(feature) if u32::from(feature) >= features => Err(ContractError::FeatureOutOfRange {
            item,
            at: length / 2 - 1,
            feature,
            features,
        }),
        _ => Ok(()),
    }
}
