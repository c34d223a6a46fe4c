//! Examples with features of a few bits.

use cotrain_protocol::federated::Sample;
use thiserror::Error;

use crate::data::{Example, Part};

/// Largest feature that a sample of softmax regression on a chain holds.
const MAX_FEATURE: f64 = 128.0;

/// Examples with features from 0 to a power of two, row after row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Examples {
    /// Features of all rows.
    pub features: Vec<u8>,
    /// Label of each row.
    pub labels: Vec<u16>,
    /// Number of features of a row.
    pub width: usize,
}

/// Reason why data cannot be used in federated rounds.
#[derive(Debug, Error)]
pub enum ExamplesError {
    /// The examples are texts or indices.
    #[error("the data has texts or indices, expected a number a column; use pictures or a table")]
    NotNumbers,
    /// A number is no whole one from 0 to 255.
    #[error(
        "number {value} of example {example} is no feature, expected whole numbers from 0 to 255; scale the data"
    )]
    NotAFeature {
        /// Index of the example.
        example: usize,
        /// Number that was found.
        value: f64,
    },
}

impl Examples {
    /// Reads the examples of a part: whole numbers from 0 to 255.
    ///
    /// Returns the largest feature too, rounded up to a power of two.
    /// If a number is above 128, all are halved and rounded down.
    ///
    /// # Errors
    /// [`ExamplesError`].
    pub fn read(part: &Part) -> Result<(Self, u8), ExamplesError> {
        let mut found = Self {
            labels: part.labels().to_vec(),
            ..Self::default()
        };
        for (index, example) in part.examples().enumerate() {
            let Example::Numbers(numbers) = example else {
                return Err(ExamplesError::NotNumbers);
            };
            found.width = numbers.len();
            for &value in numbers {
                if !(0.0..=255.0).contains(&value) || value.fract() > 0.0 {
                    return Err(ExamplesError::NotAFeature {
                        example: index,
                        value,
                    });
                }
                // It is a whole number that fits.
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                found.features.push(value as u8);
            }
        }
        let largest = found.features.iter().copied().max().unwrap_or_default();
        if f64::from(largest) > MAX_FEATURE {
            for feature in &mut found.features {
                *feature /= 2;
            }
            return Ok((found, 128));
        }
        Ok((found, largest.max(1).next_power_of_two()))
    }

    /// Returns the number of examples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Returns `true` if there are no examples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Returns the features of an example.
    #[must_use]
    pub fn row(&self, index: usize) -> &[u8] {
        &self.features[index * self.width..][..self.width]
    }

    /// Returns an example in the form that the rules take.
    #[must_use]
    pub fn sample(&self, index: usize) -> Sample<'_> {
        Sample {
            label: self.labels[index],
            features: self.row(index),
        }
    }

    /// Returns the examples of these indices.
    #[must_use]
    pub fn chosen(&self, indices: &[usize]) -> Self {
        let rows = indices.iter().flat_map(|&index| self.row(index));
        Self {
            features: rows.copied().collect(),
            labels: indices.iter().map(|&index| self.labels[index]).collect(),
            width: self.width,
        }
    }
}
