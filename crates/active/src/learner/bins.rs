//! Values of features in at most 256 bins, so that trees sort them fast.

use zeroize::Zeroize as _;

/// Maximum number of bins of a feature.
const MAX_BINS: usize = 256;

/// Smallest and largest value of a bin.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bin {
    low: f64,
    high: f64,
}

/// Bins of all features of some rows.
///
/// A feature of at most 256 different values has a bin for each, so no split is lost.
/// Otherwise the bins have about equally many rows, and equal values are never parted.
#[derive(Debug)]
pub(super) struct Bins {
    rows: usize,
    /// Index of the bin of each row, feature by feature.
    codes: Vec<u8>,
    /// Bins of each feature, rising.
    features: Vec<Vec<Bin>>,
}

impl Bins {
    /// Returns the bins of finite rows, which stand one after the other.
    pub(super) fn new(rows: &[f64], features: usize) -> Self {
        let count = rows.len() / features;
        let mut codes = Vec::with_capacity(rows.len());
        let mut bins = Vec::with_capacity(features);
        let mut sorted = Vec::with_capacity(count);
        for feature in 0..features {
            let values = || rows[feature..].iter().step_by(features).copied();
            sorted.clear();
            sorted.extend(values());
            sorted.sort_unstable_by(f64::total_cmp);
            let found = cut(&sorted);
            codes.extend(values().map(|value| code(&found, value)));
            bins.push(found);
        }
        sorted.zeroize();
        Self {
            rows: count,
            codes,
            features: bins,
        }
    }

    /// Returns the number of rows.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the number of features.
    pub(super) fn features(&self) -> usize {
        self.features.len()
    }

    /// Returns the number of bins of a feature.
    pub(super) fn count(&self, feature: usize) -> usize {
        self.features[feature].len()
    }

    /// Returns the bin of each row in a feature.
    pub(super) fn codes(&self, feature: usize) -> &[u8] {
        &self.codes[feature * self.rows..(feature + 1) * self.rows]
    }

    /// Returns the middle between two bins of a feature; the lower one's values are not above it.
    pub(super) fn between(&self, feature: usize, lower: u8, upper: u8) -> f64 {
        let low = self.features[feature][usize::from(lower)].high;
        let high = self.features[feature][usize::from(upper)].low;
        let middle = low + 0.5 * (high - low);
        if middle < high { middle } else { low }
    }
}

impl Drop for Bins {
    /// Overwrites the bins, whose bounds are values of rows.
    fn drop(&mut self) {
        self.codes.zeroize();
        for bin in self.features.iter_mut().flatten() {
            bin.low.zeroize();
            bin.high.zeroize();
        }
    }
}

/// Returns the bins of sorted values.
fn cut(sorted: &[f64]) -> Vec<Bin> {
    let distinct = || sorted.chunk_by(|left, right| left >= right);
    let is_few = distinct().nth(MAX_BINS).is_none();
    // A vector that grows leaves values behind.
    let mut bins: Vec<Bin> = Vec::with_capacity(sorted.len().min(MAX_BINS));
    let (mut before, mut last) = (0, None);
    for (index, equal) in distinct().enumerate() {
        let own = if is_few {
            index
        } else {
            before * MAX_BINS / sorted.len()
        };
        match bins.last_mut() {
            Some(bin) if last == Some(own) => bin.high = equal[0],
            _ => bins.push(Bin {
                low: equal[0],
                high: equal[0],
            }),
        }
        last = Some(own);
        before += equal.len();
    }
    bins
}

/// Returns the index of the bin that has a value.
fn code(bins: &[Bin], value: f64) -> u8 {
    let index = bins.partition_point(|bin| bin.high < value);
    // There are at most 256 bins, and one of them has the value.
    u8::try_from(index).unwrap_or(u8::MAX)
}

/// Moves rows whose bin is at most `lower` before the others. Returns their number.
///
/// Both sides keep their order; `spare` is memory for the others.
pub(super) fn part(rows: &mut [u32], spare: &mut Vec<u32>, codes: &[u8], lower: u8) -> usize {
    spare.clear();
    let mut count = 0;
    for at in 0..rows.len() {
        let row = rows[at];
        if codes[row as usize] <= lower {
            rows[count] = row;
            count += 1;
        } else {
            spare.push(row);
        }
    }
    rows[count..].copy_from_slice(spare);
    count
}

// Exact numbers are meant.
#[cfg(test)]
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;
    use crate::numbers::float;

    #[test]
    fn bins_have_one_of_each_value_if_few() {
        let rows = [3.0, 0.0, -1.0, -0.0, 3.0, 5.0, 9.5, 5.0];
        let bins = Bins::new(&rows, 2);
        assert_eq!(bins.codes(0), [1, 0, 1, 2]);
        assert_eq!(bins.codes(1), [0, 0, 1, 1]);
        assert_eq!((bins.count(0), bins.count(1)), (3, 2));
        assert_eq!(bins.between(0, 0, 1), 1.0);
        assert_eq!(bins.between(0, 0, 2), 4.25);
        let next = 1.0_f64.next_up();
        assert_eq!(Bins::new(&[1.0, next], 1).between(0, 0, 1), 1.0);
        assert_eq!(Bins::new(&[-1e100, 1e100], 1).between(0, 0, 1), 0.0);
    }

    #[test]
    fn bins_share_rows_and_never_part_equal_values() {
        let rows: Vec<f64> = (0..5_000_usize)
            .map(|row| float(if row % 3 == 0 { 7 } else { row * 7919 % 4_000 }))
            .collect();
        let bins = Bins::new(&rows, 1);
        let codes = bins.codes(0);
        assert!(bins.count(0) > 128 && bins.count(0) <= MAX_BINS);
        let mut sizes = vec![0; bins.count(0)];
        for (row, &own) in codes.iter().enumerate() {
            sizes[usize::from(own)] += 1;
            let other = (row * 31) % rows.len();
            let order = rows[row].total_cmp(&rows[other]);
            // Codes never contradict the order of the values.
            assert!(codes[row].cmp(&codes[other]) == order || codes[row] == codes[other]);
        }
        let most = usize::from(codes[0]);
        let others = sizes.iter().enumerate().filter(|&(bin, _)| bin != most);
        assert!(others.clone().all(|(_, &size)| size > 0));
        assert!(others.map(|(_, &size)| size).max() <= Some(3 * 5_000 / MAX_BINS));
    }
}
