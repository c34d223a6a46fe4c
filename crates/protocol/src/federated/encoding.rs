//! Updates as lanes of storage words, with a clear guard bit in each lane.

use super::FederatedError;

/// Number of bytes of a storage word.
const WORD: usize = 32;

/// Width of the lanes that hold an update's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Width {
    /// Numbers of 7 bits in lanes of 8.
    Eight,
    /// Numbers of 15 bits in lanes of 16.
    Sixteen,
}

impl Width {
    /// Returns the number of bits of a lane.
    #[must_use]
    pub fn bits(self) -> u32 {
        match self {
            Self::Eight => 8,
            Self::Sixteen => 16,
        }
    }

    /// Returns the largest number: 63 or 16,383. Clients clip to it on both sides.
    #[must_use]
    pub fn max(self) -> i16 {
        (1 << (self.bits() - 2)) - 1
    }

    /// Returns the smallest number that a lane holds: -64 or -16,384. Clients clip above it.
    #[must_use]
    pub fn min(self) -> i16 {
        -self.bias()
    }

    /// Returns the number that is added before lanes are compared: 64 or 16,384.
    pub(super) fn bias(self) -> i16 {
        self.max() + 1
    }

    /// Returns the number of lanes of a storage word.
    #[must_use]
    pub fn lanes(self) -> usize {
        WORD / self.lane_bytes()
    }

    /// Returns the number of bytes of an encoded update.
    #[must_use]
    pub fn bytes(self, parameters: usize) -> usize {
        parameters.div_ceil(self.lanes()) * WORD
    }

    /// Checks that a parameter's number has no more bits than a lane holds.
    pub(super) fn check(self, parameter: usize, value: i16) -> Result<(), FederatedError> {
        let (min, max) = (self.min(), self.max());
        if (min..=max).contains(&value) {
            return Ok(());
        }
        Err(FederatedError::OutOfRange {
            parameter,
            value,
            min,
            max,
        })
    }

    fn lane_bytes(self) -> usize {
        match self {
            Self::Eight => 1,
            Self::Sixteen => 2,
        }
    }

    /// Returns the bits of a number in its lane: two's complement without the guard bit.
    fn lane(self, value: i16) -> u16 {
        value.cast_unsigned() & (u16::MAX >> (17 - self.bits()))
    }

    /// Returns the number of a lane whose guard bit is clear.
    fn number(self, lane: u16) -> i16 {
        // A lane has at most 15 bits, so the cast keeps it.
        (lane ^ self.bias().unsigned_abs()).cast_signed() - self.bias()
    }
}

/// Encodes an update: storage words in the byte order of a call, the first lane of a word lowest.
///
/// # Errors
/// [`FederatedError::OutOfRange`] if a number does not fit its lane.
pub fn encode_update(width: Width, update: &[i16]) -> Result<Vec<u8>, FederatedError> {
    let mut bytes = vec![0; width.bytes(update.len())];
    for (parameter, &value) in update.iter().enumerate() {
        width.check(parameter, value)?;
        let [low, high] = width.lane(value).to_le_bytes();
        let at = first_byte(width, parameter);
        bytes[at] = low;
        if width == Width::Sixteen {
            bytes[at - 1] = high;
        }
    }
    Ok(bytes)
}

/// Decodes an update of so many parameters.
///
/// # Errors
/// [`FederatedError::WrongBytes`], [`FederatedError::GuardBit`] or [`FederatedError::Padding`].
pub fn decode_update(
    width: Width,
    parameters: usize,
    bytes: &[u8],
) -> Result<Vec<i16>, FederatedError> {
    let expected = width.bytes(parameters);
    if bytes.len() != expected {
        return Err(FederatedError::WrongBytes {
            found: bytes.len(),
            expected,
        });
    }
    let lanes = expected / width.lane_bytes();
    let mut update = Vec::with_capacity(parameters);
    for lane in 0..lanes {
        let at = first_byte(width, lane);
        let value = match width {
            Width::Eight => u16::from(bytes[at]),
            Width::Sixteen => u16::from_le_bytes([bytes[at], bytes[at - 1]]),
        };
        if value >> (width.bits() - 1) != 0 {
            return Err(FederatedError::GuardBit {
                lane,
                min: width.min(),
                max: width.max(),
            });
        }
        if lane < parameters {
            update.push(width.number(value));
        } else if value != 0 {
            return Err(FederatedError::Padding {
                lane,
                value,
                parameters,
            });
        }
    }
    Ok(update)
}

/// Returns the offset of a lane's lowest byte. Words are big-endian, so it is the lane's last one.
fn first_byte(width: Width, lane: usize) -> usize {
    let (word, lane) = (lane / width.lanes(), lane % width.lanes());
    (word + 1) * WORD - 1 - lane * width.lane_bytes()
}

/// Adds an update to weights. Sums saturate at the bounds of 16 bits.
pub fn add_update(weights: &mut [i16], update: &[i16]) {
    for (weight, change) in weights.iter_mut().zip(update) {
        *weight = weight.saturating_add(*change);
    }
}

/// Returns the sum of an update's squares.
#[must_use]
pub fn squared_norm(update: &[i16]) -> u64 {
    let square = |&value: &i16| u64::from(value.unsigned_abs()).pow(2);
    update.iter().map(square).sum()
}

/// Checks that the updates have equal lengths.
pub(super) fn check_lengths(updates: &[&[i16]]) -> Result<(), FederatedError> {
    let expected = updates.first().map_or(0, |update| update.len());
    match updates.iter().position(|update| update.len() != expected) {
        Some(update) => Err(FederatedError::WrongLength {
            update,
            found: updates[update].len(),
            expected,
        }),
        None => Ok(()),
    }
}
