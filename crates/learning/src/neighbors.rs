//! Nearest neighbors among encoded samples, exact and the same on every machine.

use std::collections::HashMap;

use cotrain_protocol::sample::Encoding;

/// Maximum number of samples among which neighbors are searched.
///
/// The search compares all pairs of them in the worst case. More samples are split into parts of
/// this size at most, in their order, and each part is searched alone.
pub const WINDOW: usize = 20_000;

/// Returns the indices of the `count` nearest neighbors of each sample, the nearest first.
///
/// Sparse samples are compared by their cosine, and need a common feature to be neighbors. Dense
/// ones are compared by their Euclidean distance. Of equally near ones, those with lower indices
/// come first. A pair for which `apart` holds are no neighbors.
#[must_use]
pub fn nearest(
    encoding: Encoding,
    samples: &[&[u8]],
    count: usize,
    apart: impl Fn(usize, usize) -> bool,
) -> Vec<Vec<usize>> {
    let mut all = Vec::with_capacity(samples.len());
    for (first, part) in windows(samples) {
        let apart = |one: usize, other: usize| apart(first + one, first + other);
        let found = match encoding {
            Encoding::Sparse => sparse(part, count, apart),
            Encoding::Dense16 | Encoding::Dense32 => dense(encoding, part, count, apart),
        };
        all.extend(found.into_iter().map(|neighbors| {
            let indices = neighbors.into_iter().map(|index| first + index);
            indices.collect::<Vec<_>>()
        }));
    }
    all
}

/// Returns parts of about equal length, none longer than [`WINDOW`], with the index of their first
/// sample.
fn windows<'a, 'b>(samples: &'b [&'a [u8]]) -> impl Iterator<Item = (usize, &'b [&'a [u8]])> {
    let parts = samples.len().div_ceil(WINDOW).max(1);
    let length = samples.len().div_ceil(parts).max(1);
    (0..).step_by(length).zip(samples.chunks(length))
}

/// The best candidates so far, the best first. Smaller keys are better.
struct Best<K> {
    count: usize,
    found: Vec<(K, usize)>,
}

impl<K: PartialOrd + Copy> Best<K> {
    fn new(count: usize) -> Self {
        Self {
            count,
            found: Vec::with_capacity(count + 1),
        }
    }

    /// Returns the key that a candidate with a higher index must be below; `None` if any will do.
    fn limit(&self) -> Option<K> {
        if self.found.len() < self.count {
            return None;
        }
        self.found.last().map(|&(key, _)| key)
    }

    /// Adds a candidate. Candidates come by increasing index.
    fn offer(&mut self, key: K, index: usize) {
        if self.count == 0 || self.limit().is_some_and(|limit| key >= limit) {
            return;
        }
        let at = self.found.partition_point(|&(other, _)| other <= key);
        self.found.insert(at, (key, index));
        self.found.truncate(self.count);
    }

    fn indices(self) -> Vec<usize> {
        self.found.into_iter().map(|(_, index)| index).collect()
    }
}

/// Searches by an index of the samples that have each feature.
fn sparse(
    samples: &[&[u8]],
    count: usize,
    apart: impl Fn(usize, usize) -> bool,
) -> Vec<Vec<usize>> {
    let mut having: HashMap<[u8; 2], Vec<usize>> = HashMap::new();
    for (index, sample) in samples.iter().enumerate() {
        for feature in sample.as_chunks().0 {
            having.entry(*feature).or_default().push(index);
        }
    }
    let mut common = vec![0_u32; samples.len()];
    let mut search = |index: usize| {
        let sample = samples[index];
        let mut touched = Vec::new();
        for feature in sample.as_chunks().0 {
            for &other in &having[feature] {
                if common[other] == 0 {
                    touched.push(other);
                }
                common[other] += 1;
            }
        }
        touched.sort_unstable();
        let mut best = Best::new(count);
        for other in touched {
            let shared = f64::from(std::mem::take(&mut common[other]));
            if other != index && !apart(index, other) {
                // The squared cosine, but for the length of the sample itself.
                best.offer(-(shared * shared / length(samples[other])), other);
            }
        }
        best.indices()
    };
    (0..samples.len()).map(&mut search).collect()
}

// A sample has at most 65,536 features.
#[allow(clippy::cast_precision_loss)]
fn length(sample: &[u8]) -> f64 {
    (sample.len() / 2) as f64
}

/// Searches by comparing all pairs.
fn dense(
    encoding: Encoding,
    samples: &[&[u8]],
    count: usize,
    apart: impl Fn(usize, usize) -> bool,
) -> Vec<Vec<usize>> {
    let rows: Vec<Vec<i32>> = samples
        .iter()
        .map(|sample| encoding.numbers(sample).collect())
        .collect();
    let search = |index: usize| {
        let mut best = Best::new(count);
        for (other, row) in rows.iter().enumerate() {
            if other == index || apart(index, other) {
                continue;
            }
            if let Some(distance) = distance(&rows[index], row, best.limit()) {
                best.offer(distance, other);
            }
        }
        best.indices()
    };
    (0..rows.len()).map(search).collect()
}

/// Returns the squared distance of two rows; `None` if it is not below the limit.
fn distance(one: &[i32], other: &[i32], limit: Option<u128>) -> Option<u128> {
    /// Numbers between two comparisons with the limit.
    const STEP: usize = 64;
    let mut sum = 0_u128;
    for (one, other) in one.chunks(STEP).zip(other.chunks(STEP)) {
        let differences = || {
            let pairs = one.iter().zip(other);
            pairs.map(|(&one, &other)| u64::from(one.abs_diff(other)))
        };
        // Numbers of 16 bits have differences below 2^16, so that 64 squares fit. This is faster.
        let all = differences().fold(0, |all, difference| all | difference);
        sum += if all < 1 << 16 {
            let squares = differences().map(|difference| difference * difference);
            u128::from(squares.sum::<u64>())
        } else {
            let squares = differences().map(|difference| u128::from(difference).pow(2));
            squares.sum()
        };
        if limit.is_some_and(|limit| sum >= limit) {
            return None;
        }
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use cotrain_protocol::sample::{encode_dense16, encode_dense32, encode_sparse};
    use proptest::prelude::*;

    use super::*;

    fn slices(samples: &[Vec<u8>]) -> Vec<&[u8]> {
        samples.iter().map(Vec::as_slice).collect()
    }

    #[test]
    fn nearest_finds_sparse_samples_by_their_cosine() {
        let samples = [
            encode_sparse(&[1, 2, 3]),
            encode_sparse(&[1, 2]),
            encode_sparse(&[3, 4, 5, 6, 7, 8]),
            encode_sparse(&[9]),
            encode_sparse(&[]),
            encode_sparse(&[1, 2, 3]),
        ];
        let found = nearest(Encoding::Sparse, &slices(&samples), 2, |_, _| false);
        assert_eq!(
            found,
            [
                vec![5, 1],
                vec![0, 5],
                vec![0, 5],
                vec![],
                vec![],
                vec![0, 1]
            ]
        );
        let found = nearest(Encoding::Sparse, &slices(&samples), 2, |one, other| {
            one + other == 5
        });
        assert_eq!(found[0], [1, 2]);
    }

    #[test]
    fn nearest_finds_dense_samples_by_their_distance() {
        let rows = [[0, 0], [3, 4], [-6, 0], [i16::MIN, i16::MAX], [3, 4]];
        for encoding in [Encoding::Dense16, Encoding::Dense32] {
            let samples = rows.map(|row| match encoding {
                Encoding::Dense16 => encode_dense16(&row),
                _ => encode_dense32(&row.map(i32::from)),
            });
            let found = nearest(encoding, &slices(&samples), 2, |_, _| false);
            assert_eq!(found[..3], [[1, 4], [4, 0], [0, 1]]);
        }
    }

    #[test]
    fn windows_are_equal_and_cover_all_samples_once() {
        for count in [0, 1, WINDOW, WINDOW + 1, 3 * WINDOW + 5] {
            let samples = vec![&[][..]; count];
            let parts: Vec<_> = windows(&samples)
                .map(|(first, part)| (first, part.len()))
                .collect();
            let mut next = 0;
            for (first, length) in parts {
                assert_eq!(first, next);
                assert!(
                    length <= WINDOW && 2 * length + 1 >= WINDOW.min(count),
                    "{length} of {count}"
                );
                next += length;
            }
            assert_eq!(next, count);
        }
    }

    proptest! {
        #[test]
        fn nearest_agrees_with_sorting_all_distances(
            rows in prop::collection::vec(prop::array::uniform3(any::<i32>()), 0..12),
            count in 0..5_usize,
        ) {
            let samples: Vec<_> = rows.iter().map(|row| encode_dense32(row)).collect();
            let found = nearest(Encoding::Dense32, &slices(&samples), count, |_, _| false);
            for (index, row) in rows.iter().enumerate() {
                let mut all: Vec<_> = (0..rows.len()).filter(|&other| other != index).collect();
                all.sort_by_key(|&other| {
                    let squares = row.iter().zip(&rows[other]).map(|(&one, &other)| {
                        (i128::from(one) - i128::from(other)).pow(2)
                    });
                    squares.sum::<i128>()
                });
                all.truncate(count);
                prop_assert_eq!(&found[index], &all);
            }
        }
    }
}
