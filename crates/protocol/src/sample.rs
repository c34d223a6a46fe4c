//! Samples and batches as bytes. All numbers are big-endian.

use crate::Rejection;

/// How a sample's bytes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// The indices of the present features, `u16` each, strictly increasing.
    Sparse,
    /// One `i16` a feature: the real value times a scale that the host chooses.
    Dense16,
    /// One `i32` a feature: the real value times a scale that the host chooses.
    Dense32,
}

impl Encoding {
    /// Checks a sample of a model with `features` features; `item` is its place, for the errors.
    ///
    /// # Errors
    /// Sparse: [`Rejection::OddSampleLength`], [`Rejection::FeatureNotIncreasing`],
    /// [`Rejection::FeatureOutOfRange`]. Dense: [`Rejection::WrongSampleLength`].
    pub fn check(self, item: u64, sample: &[u8], features: u32) -> Result<(), Rejection> {
        let width = match self {
            Self::Sparse => return check_sparse(item, sample, features),
            Self::Dense16 => 2,
            Self::Dense32 => 4,
        };
        let (length, expected) = (sample.len() as u64, width * u64::from(features));
        if length == expected {
            Ok(())
        } else {
            Err(Rejection::WrongSampleLength {
                item,
                length,
                expected,
            })
        }
    }

    /// Returns the numbers of a dense sample, in the order of the features; none of a sparse one. Bytes at the end that
    /// make no whole number are passed over.
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

/// One labelled sample of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    /// Which class the sample belongs to, from 0.
    pub label: u16,
    /// The sample's bytes.
    pub sample: &'a [u8],
}

/// Encodes the indices of present features. They have to increase strictly, which the model checks.
#[must_use]
pub fn encode_sparse(features: &[u16]) -> Vec<u8> {
    features
        .iter()
        .flat_map(|feature| feature.to_be_bytes())
        .collect()
}

/// Encodes one 16-bit number a feature.
#[must_use]
pub fn encode_dense16(values: &[i16]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_be_bytes())
        .collect()
}

/// Encodes one 32-bit number a feature.
#[must_use]
pub fn encode_dense32(values: &[i32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_be_bytes())
        .collect()
}

/// Encodes a batch: `label (u16) | length (u16) | sample (length bytes)` an item.
///
/// # Errors
/// [`Rejection::SampleTooLong`] for the first sample above 65,535 bytes.
pub fn encode_batch(items: &[Item<'_>]) -> Result<Vec<u8>, Rejection> {
    let mut batch = Vec::with_capacity(items.iter().map(|item| 4 + item.sample.len()).sum());
    for (index, item) in (0..).zip(items) {
        let length = u16::try_from(item.sample.len()).map_err(|_| Rejection::SampleTooLong {
            item: index,
            length: item.sample.len() as u64,
        })?;
        batch.extend(item.label.to_be_bytes());
        batch.extend(length.to_be_bytes());
        batch.extend(item.sample);
    }
    Ok(batch)
}

/// The items of a batch, whose samples are not looked into.
///
/// # Errors
/// [`Rejection::EmptyBatch`], [`Rejection::MalformedBatch`].
pub fn parse_batch(batch: &[u8]) -> Result<Vec<Item<'_>>, Rejection> {
    parse_batch_with(batch, |_, _| Ok(()))
}

/// The items of a batch, each checked as soon as it is found: an error of an item comes before the
/// malformed end of the batch behind it.
pub(crate) fn parse_batch_with<'a>(
    batch: &'a [u8],
    check: impl Fn(u64, Item<'a>) -> Result<(), Rejection>,
) -> Result<Vec<Item<'a>>, Rejection> {
    if batch.is_empty() {
        return Err(Rejection::EmptyBatch);
    }
    let mut items = Vec::new();
    let mut rest = batch;
    while !rest.is_empty() {
        let offset = (batch.len() - rest.len()) as u64;
        let (item, after) = split_item(rest).ok_or(Rejection::MalformedBatch { offset })?;
        check(items.len() as u64, item)?;
        items.push(item);
        rest = after;
    }
    Ok(items)
}

/// The features of a sparse sample; a last odd byte is passed over.
pub(crate) fn sparse_features(sample: &[u8]) -> impl Iterator<Item = u16> + Clone {
    sample
        .as_chunks()
        .0
        .iter()
        .map(|bytes| u16::from_be_bytes(*bytes))
}

/// The numbers of a sample in 16-bit encoding.
pub(crate) fn dense16_values(sample: &[u8]) -> impl Iterator<Item = i16> {
    sample
        .as_chunks()
        .0
        .iter()
        .map(|bytes| i16::from_be_bytes(*bytes))
}

/// The numbers of a sample in 32-bit encoding.
pub(crate) fn dense32_values(sample: &[u8]) -> impl Iterator<Item = i32> {
    sample
        .as_chunks()
        .0
        .iter()
        .map(|bytes| i32::from_be_bytes(*bytes))
}

/// The first item of `bytes` and what comes after it.
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

fn check_sparse(item: u64, sample: &[u8], features: u32) -> Result<(), Rejection> {
    let length = sample.len() as u64;
    if !length.is_multiple_of(2) {
        return Err(Rejection::OddSampleLength { item, length });
    }
    let all = sparse_features(sample);
    let pairs = all.clone().zip(all.skip(1));
    // Counted first, since that compares many at once; the search comes only where there is one.
    let wrong = pairs.clone().filter(|(a, b)| a >= b).count();
    if wrong > 0
        && let Some((at, (previous, feature))) = (1..).zip(pairs).find(|(_, (a, b))| a >= b)
    {
        return Err(Rejection::FeatureNotIncreasing {
            item,
            at,
            feature,
            previous,
        });
    }
    match sample.last_chunk().map(|bytes| u16::from_be_bytes(*bytes)) {
        Some(feature) if u32::from(feature) >= features => Err(Rejection::FeatureOutOfRange {
            item,
            at: length / 2 - 1,
            feature,
            features,
        }),
        _ => Ok(()),
    }
}
