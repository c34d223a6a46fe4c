//! Rounding of updates to the numbers of lanes.

use cotrain_protocol::federated::Width;

/// Bound of the change of each weight, before rounding.
pub const CLIP: f64 = 1.0;

/// Clips each number of an update to `±bound`. A number that is none becomes 0.
pub fn clip(update: &mut [f64], bound: f64) {
    for value in update {
        *value = if value.is_nan() {
            0.0
        } else {
            value.max(-bound).min(bound)
        };
    }
}

/// Rounds an update to units of `2^-scale`, half to even, and clips it to its lanes.
///
/// A number that is none becomes 0.
#[must_use]
pub fn quantize(width: Width, scale: u32, update: &[f64]) -> Vec<i16> {
    let (unit, most) = (f64::from(1_u32 << scale.min(30)), f64::from(width.max()));
    let round = |&value: &f64| {
        if value.is_nan() {
            return 0;
        }
        let rounded = (value * unit).round_ties_even().max(-most).min(most);
        // It fits after clipping.
        #[allow(clippy::cast_possible_truncation)]
        {
            rounded as i16
        }
    };
    update.iter().map(round).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantize_rounds_half_to_even_and_clips() {
        let update = [0.5, 1.5, 2.5, -0.5, -1.5, 1e9, -1e9, f64::INFINITY];
        let expected = [0, 2, 2, 0, -2, 63, -63, 63];
        assert_eq!(quantize(Width::Eight, 0, &update), expected);
        assert_eq!(quantize(Width::Eight, 6, &[1.0 / 64.0, 1.0]), [1, 63]);
        assert_eq!(quantize(Width::Sixteen, 6, &[1.0, 1e9]), [64, 16_383]);
    }

    #[test]
    fn clip_bounds_every_number() {
        let mut update = [0.5, -2.0, f64::NAN, f64::NEG_INFINITY];
        clip(&mut update, 1.0);
        assert_eq!(
            update.map(f64::to_bits),
            [0.5, -1.0, 0.0, -1.0].map(f64::to_bits)
        );
        assert_eq!(quantize(Width::Eight, 6, &[f64::NAN]), [0]);
    }
}
