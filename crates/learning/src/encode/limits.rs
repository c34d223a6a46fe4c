use cotrain_protocol::classifier::{Bounds, Kind};

use super::EncodeError;
use super::encoder::scale;

/// Limits of the numbers that a dense model learns from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Maximum size of a number, in standard deviations from a feature's mean.
    pub number: Option<f64>,
    /// Maximum length of a sample (root of the sum of its numbers' squares), in standard
    /// deviations.
    pub length: Option<f64>,
    /// Factor for limits that are not given: they are the training samples' maximum times this
    /// margin. With 1, one contribution changes no more than a row of the training data could.
    pub margin: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            number: None,
            length: None,
            margin: 1.0,
        }
    }
}

impl Limits {
    /// Returns the bounds that the limits leave before the training samples are known; `None` for
    /// sparse kinds.
    pub(super) fn widest(
        &self,
        kind: Kind,
        features: usize,
    ) -> Result<Option<Bounds>, EncodeError> {
        let features = u32::try_from(features).unwrap_or(u32::MAX);
        let Some(widest) = Bounds::widest(kind.encoding(), features) else {
            return if *self == Self::default() {
                Ok(None)
            } else {
                Err(EncodeError::NothingToLimit { kind })
            };
        };
        for (limit, value) in [
            ("largest number", self.number),
            ("largest length", self.length),
            ("margin", Some(self.margin)),
        ] {
            if let Some(value) = value.filter(|value| value.is_nan() || *value <= 0.0) {
                return Err(EncodeError::Limit { limit, value });
            }
        }
        let unit = scale(kind);
        let max_number = self
            .number
            .map_or(widest.max_number, |limit| whole(limit * unit))
            .min(widest.max_number);
        let max = Bounds::longest(max_number, features);
        let max_squared_length = self
            .length
            .map_or(max, |limit| whole_square(limit * unit))
            .min(max);
        Ok(Some(Bounds {
            max_number,
            max_squared_length,
        }))
    }

    /// Returns the final bounds. If a limit is not given, its bound is that of the training
    /// samples, `around`, times the margin.
    pub(super) fn narrowed(
        &self,
        kind: Kind,
        set: Bounds,
        around: Bounds,
        features: usize,
    ) -> Bounds {
        let features = u32::try_from(features).unwrap_or(u32::MAX);
        let widest = Bounds::widest(kind.encoding(), features).unwrap_or(set);
        let max_number = match self.number {
            Some(_) => set.max_number,
            None => whole(f64::from(around.max_number) * self.margin).min(widest.max_number),
        };
        let max_squared_length = match self.length {
            Some(_) => set.max_squared_length,
            // With a margin of 1 the bound is exactly that of the training samples; floats would
            // round it.
            None if self.margin.total_cmp(&1.0).is_eq() => around.max_squared_length,
            None => whole_square(root(around.max_squared_length) * self.margin),
        };
        Bounds {
            max_number,
            max_squared_length: max_squared_length.min(Bounds::longest(max_number, features)),
        }
    }
}

/// Returns the square root, to 53 bits.
#[allow(clippy::cast_precision_loss)]
fn root(square: u128) -> f64 {
    (square as f64).sqrt()
}

/// Rounds to the nearest whole number, at least 1. A cast of a float saturates.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(value: f64) -> u32 {
    (value.round() as u32).max(1)
}

/// Returns the square, rounded down, at least 1.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole_square(value: f64) -> u128 {
    ((value * value) as u128).max(1)
}
