//! Bounds of the samples that dense models learn from.

use crate::{ContractError, sample::Encoding};

/// Largest numbers that a dense model learns from, in the fixed-point integers of its samples.
///
/// They bound what one contribution can change (`docs/security.md`).
/// Predictions take any number, because they change nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// Largest absolute number: 1 to 2^15 (16 bits) or 2^31 (32 bits).
    pub max_number: u32,
    /// Largest sum of the squares of a sample's numbers, at least 1.
    ///
    /// It is at most `max_number` squared for each feature, which is below 2^75.
    pub max_squared_length: u128,
}

impl Bounds {
    /// Returns the bounds that admit every sample of `features` numbers.
    ///
    /// Returns `None` for sparse samples, which have no numbers.
    #[must_use]
    pub fn widest(encoding: Encoding, features: u32) -> Option<Self> {
        let max_number = largest(encoding)?;
        Some(Self {
            max_number,
            max_squared_length: Self::longest(max_number, features),
        })
    }

    /// Returns the largest squared length of `features` numbers: at most 2^74 for a model's.
    #[must_use]
    pub fn longest(max_number: u32, features: u32) -> u128 {
        u128::from(features) * u128::from(max_number).pow(2)
    }

    /// Returns the narrowest bounds that admit these samples, or `None` for sparse samples.
    #[must_use]
    pub fn around<'a>(
        encoding: Encoding,
        samples: impl IntoIterator<Item = &'a [u8]>,
    ) -> Option<Self> {
        largest(encoding)?;
        let (mut max_number, mut max_squared_length) = (1, 1);
        for sample in samples {
            let (number, squared_length) = extent(encoding, sample);
            max_number = max_number.max(number);
            max_squared_length = max_squared_length.max(squared_length);
        }
        Some(Self {
            max_number,
            max_squared_length,
        })
    }

    /// Checks a well-formed sample. Errors name `item`, its index in the batch.
    ///
    /// # Errors
    /// [`ContractError::NumberTooLarge`] for the first such number, then
    /// [`ContractError::SquaredLengthTooLarge`].
    pub fn check(&self, encoding: Encoding, item: u64, sample: &[u8]) -> Result<(), ContractError> {
        for (feature, number) in (0..).zip(encoding.numbers(sample)) {
            if number.unsigned_abs() > self.max_number {
                return Err(ContractError::NumberTooLarge {
                    item,
                    feature,
                    number,
                    max: self.max_number,
                });
            }
        }
        let (_, squared_length) = extent(encoding, sample);
        if squared_length > self.max_squared_length {
            return Err(ContractError::SquaredLengthTooLarge {
                item,
                squared_length,
                max: self.max_squared_length,
            });
        }
        Ok(())
    }

    pub(super) fn validate(&self, encoding: Encoding, features: u32) -> Result<(), ContractError> {
        let largest = largest(encoding).unwrap_or(u32::MAX);
        within("maxNumber", self.max_number, 1, largest)?;
        let value = self.max_squared_length;
        if (1..=Self::longest(self.max_number, features)).contains(&value) {
            Ok(())
        } else {
            let name = "maxSquaredLength";
            Err(ContractError::InvalidParameter { name, value })
        }
    }
}

/// Returns the absolute value of an encoding's smallest number, which exceeds the largest number by
/// 1.
///
/// Returns `None` if samples of the encoding have no numbers.
fn largest(encoding: Encoding) -> Option<u32> {
    match encoding {
        Encoding::Sparse => None,
        Encoding::Dense16 => Some(1 << 15),
        Encoding::Dense32 => Some(1 << 31),
    }
}

/// Returns the largest size of a dense sample's numbers, and their squared length.
fn extent(encoding: Encoding, sample: &[u8]) -> (u32, u128) {
    let sizes = encoding.numbers(sample).map(i32::unsigned_abs);
    sizes.fold((0, 0), |(largest, sum), size| {
        // A square of 32 bits fits 64.
        let square = u64::from(size).pow(2);
        (largest.max(size), sum + u128::from(square))
    })
}

/// Checks that a parameter is from `least` to `max`.
pub(super) fn within(
    name: &'static str,
    value: u32,
    least: u32,
    max: u32,
) -> Result<(), ContractError> {
    if (least..=max).contains(&value) {
        Ok(())
    } else {
        Err(ContractError::InvalidParameter {
            name,
            value: value.into(),
        })
    }
}
