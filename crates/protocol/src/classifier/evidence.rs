//! Exact quantities behind a prediction.

use alloy_primitives::U256;

/// Quantities that a model compares to predict the class of a sample.
///
/// The lists have an entry for each class, by its label. It is `None` for a class without samples,
/// which is never predicted unless no class has any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// Parts of a perceptron's weighted sum: its intercept and the products of weights and values.
    Votes {
        /// Sum of the positive parts, which speak for class 1.
        one: u128,
        /// Sum of the negative parts without their sign, which speak for class 0.
        zero: u128,
    },
    /// Score of each class of naive Bayes, which is proportional to its posterior probability.
    Scores(Vec<Option<Fraction>>),
    /// Squared distance of the sample from each class's centroid, in units of the sample's numbers.
    SquaredDistances(Vec<Option<Fraction>>),
}

/// A quotient `numerator / denominator * 2^exponent` that is not negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fraction {
    /// Numerator.
    pub numerator: U256,
    /// Denominator, above 0.
    pub denominator: U256,
    /// Power of two that the quotient is multiplied by.
    pub exponent: i64,
}

impl Evidence {
    /// Adds up the parts of a perceptron's weighted sum.
    pub(super) fn votes(parts: impl IntoIterator<Item = i64>) -> Self {
        let (mut one, mut zero) = (0, 0);
        for part in parts {
            let size = u128::from(part.unsigned_abs());
            if part > 0 {
                one += size;
            } else {
                zero += size;
            }
        }
        Self::Votes { one, zero }
    }
}
