//! Sums in a fixed order, written so that the compiler adds several lanes at once.

/// Maximum of a count that a caller can set, so that it goes on without overflow.
pub(crate) const MAX_COUNT: u64 = 1 << 53;

/// Odd constant of the 64-bit golden ratio, which spreads bits by multiplication.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Returns a number that a seed draws for a row, by the row's own numbers.
///
/// So equal rows have equal numbers, and the order of the pool does not matter. It is no
/// cryptographic hash: who makes rows can choose their numbers.
pub(crate) fn drawn<'a>(seed: u64, row: impl IntoIterator<Item = &'a f64>) -> u64 {
    let mut state = mixed(seed);
    for &number in row {
        // The sum turns -0 into 0, since these are equal.
        let bits = (number + 0.0).to_bits();
        state = (state.rotate_left(5) ^ bits).wrapping_mul(SPREAD);
    }
    mixed(state)
}

/// Returns a number whose every bit depends on all bits of the given one (`SplitMix64`).
pub(crate) fn mixed(number: u64) -> u64 {
    let mut state = number.wrapping_add(SPREAD);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// Number of partial sums of a product.
const LANES: usize = 8;

/// Returns the product of two vectors of one length.
///
/// Its partial sums have an order of their own, so it is the same on every processor.
#[must_use]
pub(crate) fn dot(left: &[f64], right: &[f64]) -> f64 {
    let (left, left_rest) = left.as_chunks::<LANES>();
    let (right, right_rest) = right.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (left, right) in left.iter().zip(right) {
        for lane in 0..LANES {
            sums[lane] += left[lane] * right[lane];
        }
    }
    let mut sum = 0.0;
    for sums in sums.chunks_exact(2) {
        sum += sums[0] + sums[1];
    }
    for (left, right) in left_rest.iter().zip(right_rest) {
        sum += left * right;
    }
    sum
}

/// Adds `factor` times a vector to another one of the same length.
pub(crate) fn add_scaled(target: &mut [f64], factor: f64, vector: &[f64]) {
    for (target, value) in target.iter_mut().zip(vector) {
        *target += factor * value;
    }
}

/// Returns a count as a float.
// Counts of rows, classes and features are far below 2^52.
#[allow(clippy::cast_precision_loss)]
#[must_use]
pub(crate) fn float(count: usize) -> f64 {
    count as f64
}

/// Returns an index in 32 bits; the limits of sizes keep all of them far below.
#[must_use]
pub(crate) fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Replaces scores by probabilities that are proportional to their exponentials.
///
/// Returns the logarithm of the sum of the exponentials.
pub(crate) fn softmax(scores: &mut [f64]) -> f64 {
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for score in &mut *scores {
        *score = libm::exp(*score - highest);
        sum += *score;
    }
    for score in scores {
        *score /= sum;
    }
    highest + libm::log(sum)
}

// Exact numbers are meant.
#[cfg(test)]
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;

    #[test]
    fn dot_sums_all_lengths() {
        for length in 0..40 {
            let left: Vec<f64> = (0..length).map(|at| float(at) + 1.0).collect();
            let expected: f64 = left.iter().map(|value| value * value * 3.0).sum();
            let right: Vec<f64> = left.iter().map(|value| value * 3.0).collect();
            assert!((dot(&left, &right) - expected).abs() <= 1e-9, "{length}");
        }
    }

    #[test]
    fn softmax_takes_scores_of_any_size() {
        let mut scores = [1_000.0, 1_000.0, -1e200];
        let sum = softmax(&mut scores);
        assert!((sum - (1_000.0 + libm::log(2.0))).abs() < 1e-9, "{sum}");
        assert_eq!(scores, [0.5, 0.5, 0.0]);
    }
}
