//! Measures of how unsure a model is about a row, from its probabilities.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// Measure of how unsure a model is about a row.
///
/// [`uncertainty`](Self::uncertainty) is 0 if one class has probability 1, for each measure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// 1 minus the highest probability.
    LeastConfidence,
    /// 1 minus the difference of the two highest probabilities.
    #[default]
    Margin,
    /// Entropy as a share of its maximum, `ln classes`.
    Entropy,
}

impl Measure {
    /// Returns the uncertainty about a row with these probabilities, from 0 to 1.
    #[must_use]
    pub fn uncertainty(self, probabilities: &[f64]) -> f64 {
        let (first, second) = highest(probabilities);
        match self {
            Self::LeastConfidence => 1.0 - first,
            Self::Margin => 1.0 - (first - second),
            Self::Entropy => normalized_entropy(probabilities),
        }
    }
}

/// Returns the two highest probabilities of a row; 0 for one that it does not have.
#[must_use]
pub fn highest(probabilities: &[f64]) -> (f64, f64) {
    let (mut first, mut second) = (0.0, 0.0);
    for &probability in probabilities {
        if probability > first {
            second = first;
            first = probability;
        } else if probability > second {
            second = probability;
        }
    }
    (first, second)
}

/// Returns the class with the highest probability; of equal ones, the lowest.
#[must_use]
pub fn most_likely(probabilities: &[f64]) -> usize {
    let better =
        |best: usize, next: usize| match probabilities[next].total_cmp(&probabilities[best]) {
            Ordering::Greater => next,
            Ordering::Less | Ordering::Equal => best,
        };
    (0..probabilities.len()).reduce(better).unwrap_or(0)
}

/// Returns the entropy `-Σ p ln p` of a row, in nats.
#[must_use]
pub fn entropy(probabilities: &[f64]) -> f64 {
    let positive = probabilities.iter().filter(|it| **it > 0.0);
    -positive.map(|it| it * libm::log(*it)).sum::<f64>()
}

/// Returns the entropy of a row as a share of its maximum; 0 if there are fewer than two classes.
#[must_use]
pub fn normalized_entropy(probabilities: &[f64]) -> f64 {
    if probabilities.len() < 2 {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "a row has few classes")]
    let classes = probabilities.len() as f64;
    (entropy(probabilities) / libm::log(classes)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uncertainty_is_least_for_one_class_and_most_for_equal_ones() {
        for measure in [Measure::LeastConfidence, Measure::Margin, Measure::Entropy] {
            let sure = measure.uncertainty(&[0.0, 1.0, 0.0]);
            assert!(sure.abs() < 1e-12, "{measure:?} {sure}");
            let equal = measure.uncertainty(&[0.25; 4]);
            let between = measure.uncertainty(&[0.7, 0.1, 0.1, 0.1]);
            assert!(sure < between && between < equal, "{measure:?} {between}");
        }
        assert!((Measure::LeastConfidence.uncertainty(&[0.2, 0.5, 0.3]) - 0.5).abs() < 1e-12);
        assert!((Measure::Margin.uncertainty(&[0.2, 0.5, 0.3]) - 0.8).abs() < 1e-12);
        assert!((Measure::Entropy.uncertainty(&[0.5, 0.5]) - 1.0).abs() < 1e-12);
        // -(0.9 ln 0.9 + 0.1 ln 0.1) / ln 2
        let entropy = Measure::Entropy.uncertainty(&[0.9, 0.1]);
        assert!((entropy - 0.468_995_593_589_281_2).abs() < 1e-12);
    }

    #[test]
    fn highest_takes_equal_probabilities_as_two() {
        assert_eq!(highest(&[0.4, 0.4, 0.2]), (0.4, 0.4));
        assert_eq!(highest(&[1.0]), (1.0, 0.0));
        assert_eq!(highest(&[]), (0.0, 0.0));
    }

    #[test]
    fn most_likely_takes_the_lowest_of_equal_classes() {
        assert_eq!(most_likely(&[0.2, 0.4, 0.4]), 1);
        assert_eq!(most_likely(&[]), 0);
    }
}
