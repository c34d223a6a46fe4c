//! Frequency of each feature in each class, as the contracts count it.

use alloy_primitives::U256;
use ndarray::Array2;

use super::packed;
use crate::encode::Samples;

/// Counts of all samples.
///
/// On the chain a count has 16 bits and stops at 65,535. If it stopped during training, a frequent
/// feature would look rare. So if a count is larger, all counts of features and samples are divided
/// by one power of two, and rounded. It is the smallest power with which all counts fit. Shares and
/// means stay the same, and the model can still learn the frequent features.
pub(super) struct Counts {
    /// Counts of features: classes × features.
    features: Array2<u64>,
    /// Number of samples in each class.
    samples: Vec<u64>,
    /// Exponent of the power of two by which all counts are divided.
    pub(super) shift: u32,
}

impl Counts {
    pub(super) fn new(samples: &Samples) -> Self {
        let layout = samples.layout();
        let mut counts = Self {
            features: Array2::zeros((layout.classes, layout.features)),
            samples: vec![0; layout.classes],
            shift: 0,
        };
        for (index, &label) in samples.labels().iter().enumerate() {
            let class = usize::from(label);
            counts.samples[class] += 1;
            for feature in samples.row(index).present() {
                counts.features[(class, feature)] += 1;
            }
        }
        let largest = counts.features.iter().max().copied().unwrap_or_default();
        while counts.divided(largest) > u16::MAX.into() {
            counts.shift += 1;
        }
        counts
    }

    /// Returns the number that stands for 1.
    pub(super) fn scale(&self) -> f64 {
        0.5_f64.powi(self.shift.cast_signed())
    }

    /// Returns the words of the model. `total` maps a count to its addend in the total of its
    /// class.
    pub(super) fn words(&self, total: impl Fn(u128) -> u128) -> Vec<U256> {
        let (mut headers, mut lanes) = (Vec::new(), Vec::new());
        for (&samples, counts) in self.samples.iter().zip(self.features.rows()) {
            let counts: Vec<u16> = counts
                .iter()
                .map(|&count| u16::try_from(self.divided(count)).unwrap_or(u16::MAX))
                .collect();
            let total: u128 = counts.iter().map(|&count| total(count.into())).sum();
            // A class that has samples keeps at least one.
            let samples = self.divided(samples).max(samples.min(1));
            headers.push(U256::from(samples.min(u32::MAX.into())) | U256::from(total) << 32_usize);
            lanes.extend(packed(counts.iter().map(|count| count.to_le_bytes())));
        }
        headers.extend(lanes);
        headers
    }

    /// Divides a count by the power of two, rounding halves up.
    fn divided(&self, count: u64) -> u64 {
        (count + (1 << self.shift >> 1)) >> self.shift
    }
}

#[cfg(test)]
mod tests {
    use cotrain_protocol::classifier::Parameters;
    use cotrain_protocol::sample::{Encoding, encode_sparse};

    use super::super::learned_by_contract;
    use super::*;
    use crate::encode::Layout;

    const PARAMETERS: Parameters = Parameters::NaiveBayes {
        classes: 3,
        features: 20,
        smoothing: 256,
    };

    /// Returns each sample repeated by its number.
    fn samples(items: &[(usize, &[u16], u16)]) -> Samples {
        let mut samples = Samples::new(Layout {
            encoding: Encoding::Sparse,
            features: 20,
            classes: 3,
            scale: 1.0,
            bounds: None,
            constant: None,
        });
        for &(times, features, label) in items {
            for _ in 0..times {
                samples.push(&encode_sparse(features), label);
            }
        }
        samples
    }

    #[test]
    fn counts_that_fit_are_what_the_contract_learns() {
        let samples = samples(&[(65_535, &[0, 17], 0), (3, &[1, 19], 2), (2, &[1], 2)]);
        let counts = Counts::new(&samples);
        let learned = learned_by_contract(PARAMETERS, &samples).unwrap();
        assert_eq!(counts.words(|count| count), learned.words());
        assert_eq!(counts.shift, 0);
        let parameters = Parameters::SparseNearestCentroid {
            classes: 3,
            features: 20,
        };
        let learned = learned_by_contract(parameters, &samples).unwrap();
        assert_eq!(counts.words(|count| count * count), learned.words());
    }

    #[test]
    fn counts_are_halved_until_they_fit() {
        let samples = samples(&[(200_000, &[0, 17], 0), (3, &[1], 2), (4, &[], 2)]);
        let counts = Counts::new(&samples);
        assert_eq!((counts.shift, counts.scale()), (2, 0.25));
        let words = counts.words(|count| count);
        // 3 quarters round to 1, and 7 quarters to 2.
        let known = [
            (100_000 << 32) + 50_000,
            0,
            (1 << 32) + 2,
            50_000,
            50_000 << 16,
            0,
            0,
            1 << 16,
            0,
        ];
        assert_eq!(words, known.map(U256::from::<u64>));
    }
}
