//! Rounding of numbers to whole ones within the bounds of a model.

use cotrain_protocol::classifier::Bounds;

/// Rounds numbers and moves them within the bounds and to at most `largest`. Returns the number of
/// moved ones.
///
/// A sample that is too long keeps its direction, except for rounding towards 0.
pub(super) fn clamp(
    values: impl Iterator<Item = f64> + Clone,
    bounds: &Bounds,
    largest: i64,
    numbers: &mut Vec<i64>,
) -> usize {
    let range = (i64::from(bounds.max_number), largest);
    numbers.clear();
    let mut moved = 0;
    let mut square: u128 = 0;
    numbers.extend(values.clone().map(|value| {
        let (number, is_moved) = within(value, range);
        moved += usize::from(is_moved);
        // A number of 32 bits has a square of 64.
        square += u128::from(number.unsigned_abs().pow(2));
        number
    }));
    if square <= bounds.max_squared_length {
        return moved;
    }
    // Multiplies by the maximum length and divides by this one rounded up. The squared ratio is
    // no larger than that of the squared lengths. Each factor is below 2^38, so that no product
    // wraps.
    let longest = bounds.max_squared_length.isqrt().cast_signed();
    let length = (square - 1).isqrt().cast_signed() + 1;
    let mut moved = 0;
    for (number, value) in numbers.iter_mut().zip(values) {
        let shorter = i128::from(*number) * longest / length;
        let (_, is_moved) = within(value, range);
        moved += usize::from(is_moved || shorter != i128::from(*number));
        *number = i64::try_from(shorter).unwrap_or(*number);
    }
    moved
}

/// Rounds a number, half away from 0, and moves it to at most `max` either way and to at most
/// `largest`, both at most 2^31. Returns `true` with a moved number.
fn within(value: f64, (max, largest): (i64, i64)) -> (i64, bool) {
    // In this range a cast cuts off exactly the fraction. That is faster than `f64::round`, which
    // is a call where the processor has no such instruction.
    const EXACT: f64 = 4_503_599_627_370_496.0;
    let whole = if value.abs() < EXACT {
        let cut = cast(value);
        let fraction = value - float(cut);
        cut + i64::from(fraction >= 0.5) - i64::from(fraction <= -0.5)
    } else {
        cast(value)
    };
    let number = whole.clamp(-max, max).min(largest);
    (number, number != whole || value.is_nan())
}

/// Cuts off the fraction. A cast of a float saturates.
#[allow(clippy::cast_possible_truncation)]
fn cast(value: f64) -> i64 {
    value as i64
}

// The numbers are below 2^52.
#[allow(clippy::cast_precision_loss)]
fn float(whole: i64) -> f64 {
    whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_rounds_like_the_standard_library() {
        let halves = (-9..=9).map(|half| f64::from(half) / 2.0);
        let close = halves.flat_map(|it| [it.next_down(), it, it.next_up()]);
        let ends = [
            0.0,
            -0.0,
            1e9 + 0.5,
            2_147_483_646.5,
            -2_147_483_647.5,
            4_503_599_627_370_495.5,
            1e300,
            -1e300,
            f64::INFINITY,
        ];
        for value in close.chain(ends) {
            let rounded = value.round();
            let expected = rounded.clamp(-2_147_483_648.0, 2_147_483_647.0);
            let (number, moved) = within(value, (1 << 31, i32::MAX.into()));
            assert!(
                float(number).total_cmp(&(expected + 0.0)).is_eq(),
                "{value}"
            );
            let is_moved = expected.total_cmp(&rounded).is_ne();
            assert_eq!(moved, is_moved, "{value}");
        }
        assert_eq!(within(-9.5, (8, 7)), (-8, true));
        assert_eq!(within(9.5, (8, 7)), (7, true));
        assert_eq!(within(f64::NAN, (8, 7)), (0, true));
    }
}
