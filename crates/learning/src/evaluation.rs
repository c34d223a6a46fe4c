//! Figures on a model's predictions for labeled samples.
//!
//! Everything is derived from a [`Confusion`] matrix, which counts. Only shares are floats.

use cotrain_protocol::classifier::Classifier;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::encode::Samples;

/// Quantile of the standard normal distribution that leaves 2.5 % above it, for 95 % intervals.
const Z: f64 = 1.959_963_984_540_054;

/// Fault of a label that should be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("cannot count the label {label}: there are {classes} classes; expected a label below that")]
pub struct NoSuchLabel {
    /// Label without a class.
    pub label: u16,
    /// Number of classes.
    pub classes: usize,
}

/// Counts of samples by their true and their predicted class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Counts")]
pub struct Confusion {
    rows: Vec<Vec<u64>>,
    /// Number of samples of each true class that the model refuses to predict.
    refused: Vec<u64>,
}

/// Counts as a file has them, which need not be those of a matrix.
#[derive(Deserialize)]
struct Counts {
    rows: Vec<Vec<u64>>,
    refused: Vec<u64>,
}

/// Fault of counts that are no confusion matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a confusion matrix of {classes} classes has {found} counts in a row; expected {classes}")]
pub struct NoMatrix {
    /// Number of rows.
    classes: usize,
    /// Number of counts in the first row, or of refused samples, that has another number.
    found: usize,
}

impl TryFrom<Counts> for Confusion {
    type Error = NoMatrix;

    fn try_from(Counts { rows, refused }: Counts) -> Result<Self, NoMatrix> {
        let classes = rows.len();
        let other = rows.iter().chain([&refused]).map(Vec::len);
        let other = { other }.find(|&found| found != classes);
        match other {
            Some(found) => Err(NoMatrix { classes, found }),
            None => Ok(Self { rows, refused }),
        }
    }
}

/// Figures on one class. A share is `None` if nothing would be divided by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassFigures {
    /// Number of samples whose true class it is.
    pub support: u64,
    /// Number of samples whose predicted class it is.
    pub predicted: u64,
    /// Number of samples whose true and predicted class it is.
    pub correct: u64,
    /// Share of the predictions of this class that are right; `None` if it is never predicted.
    pub precision: Option<f64>,
    /// Share of this class's samples that are predicted right; `None` if there are none.
    pub recall: Option<f64>,
    /// Harmonic mean of precision and recall, which is `2 correct / (support + predicted)`.
    ///
    /// It is `None` if there is neither a sample nor a prediction of the class. If only one of both
    /// is missing, it is 0.
    pub f1: Option<f64>,
}

impl Confusion {
    /// Counts pairs of a true and a predicted label.
    ///
    /// # Errors
    /// [`NoSuchLabel`] for the first label that is not below `classes`.
    pub fn new(
        classes: usize,
        pairs: impl IntoIterator<Item = (u16, u16)>,
    ) -> Result<Self, NoSuchLabel> {
        let mut rows = vec![vec![0; classes]; classes];
        for (truth, predicted) in pairs {
            for label in [truth, predicted] {
                if usize::from(label) >= classes {
                    return Err(NoSuchLabel { label, classes });
                }
            }
            rows[usize::from(truth)][usize::from(predicted)] += 1;
        }
        Ok(Self {
            rows,
            refused: vec![0; classes],
        })
    }

    /// Counts the predictions of a model for labeled samples.
    ///
    /// A sample that the model refuses, such as one with too many features, counts as wrong and as
    /// a prediction of no class.
    #[must_use]
    pub fn of_model(classifier: &Classifier, samples: &Samples) -> Self {
        let classes = usize::from(classifier.classes());
        let mut confusion = Self {
            rows: vec![vec![0; classes]; classes],
            refused: vec![0; classes],
        };
        for (sample, label) in samples.iter() {
            let truth = usize::from(label);
            match classifier.predict(sample) {
                Ok(predicted) => confusion.rows[truth][usize::from(predicted)] += 1,
                Err(_) => confusion.refused[truth] += 1,
            }
        }
        confusion
    }

    /// Adds the counts of another matrix; `None` if it has another number of classes.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Option<Self> {
        if other.rows.len() != self.rows.len() {
            return None;
        }
        let cells = self.rows.iter_mut().chain([&mut self.refused]).flatten();
        let others = other.rows.iter().chain([&other.refused]).flatten();
        for (cell, other) in cells.zip(others) {
            *cell = cell.saturating_add(*other);
        }
        Some(self)
    }

    /// Returns the matrix: a row for each true class, with the count of each predicted class.
    #[must_use]
    pub fn rows(&self) -> &[Vec<u64>] {
        &self.rows
    }

    /// Returns the number of samples that the model refuses to predict.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.iter().sum()
    }

    /// Returns the number of samples.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.supports().sum()
    }

    /// Returns the number of samples of each true class.
    fn supports(&self) -> impl Iterator<Item = u64> {
        let classes = self.rows.iter().zip(&self.refused);
        classes.map(|(row, refused)| row.iter().sum::<u64>() + refused)
    }

    /// Returns the number of samples that are predicted right.
    #[must_use]
    pub fn correct(&self) -> u64 {
        let diagonal = self.rows.iter().enumerate();
        diagonal.map(|(class, row)| row[class]).sum()
    }

    /// Returns the share of samples that are predicted right; `None` if there are no samples.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        share(self.correct(), self.n())
    }

    /// Returns the 95 % interval of the accuracy ([`wilson`]); `None` if there are no samples.
    #[must_use]
    pub fn interval(&self) -> Option<[f64; 2]> {
        wilson(self.correct(), self.n())
    }

    /// Returns the most common true class and its number of samples; `None` if there are none.
    ///
    /// The lowest label wins if several classes are as common.
    #[must_use]
    pub fn most_common(&self) -> Option<(usize, u64)> {
        let most = self
            .supports()
            .enumerate()
            .min_by_key(|&(_, support)| std::cmp::Reverse(support));
        most.filter(|&(_, support)| support > 0)
    }

    /// Returns the majority baseline: the share of the most common true class.
    ///
    /// A model without any knowledge reaches it, if it always predicts that class. It is `None` if
    /// there are no samples.
    #[must_use]
    pub fn majority(&self) -> Option<f64> {
        let (_, support) = self.most_common()?;
        share(support, self.n())
    }

    /// Returns the figures of each class, by its label.
    #[must_use]
    pub fn classes(&self) -> Vec<ClassFigures> {
        let figures = |(class, (row, support)): (usize, (&Vec<u64>, u64))| {
            let predicted = self.rows.iter().map(|row| row[class]).sum();
            let correct = row[class];
            ClassFigures {
                support,
                predicted,
                correct,
                precision: share(correct, predicted),
                recall: share(correct, support),
                f1: share(2 * correct, support + predicted),
            }
        };
        let classes = self.rows.iter().zip(self.supports());
        classes.enumerate().map(figures).collect()
    }
}

/// Returns Wilson's score interval of a share with a confidence of 95 %; `None` if `n` is 0.
///
/// It stays within 0 and 1 and contains `correct / n`, also for few samples and shares of 0 and 1.
/// Source: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference",
/// Journal of the American Statistical Association 22 (1927), pages 209 to 212.
#[must_use]
pub fn wilson(correct: u64, n: u64) -> Option<[f64; 2]> {
    let share = share(correct, n)?;
    let n = float(n);
    let widened = 1.0 + Z * Z / n;
    let center = (share + Z * Z / (2.0 * n)) / widened;
    let variance = share * (1.0 - share) / n + Z * Z / (4.0 * n * n);
    let half = Z * variance.max(0.0).sqrt() / widened;
    // Rounding must not put an end on the wrong side of the share.
    let lower = (center - half).max(0.0).min(share);
    let upper = (center + half).min(1.0).max(share);
    Some([lower, upper])
}

/// Returns a part as a share of all; `None` if there is nothing to divide by.
#[must_use]
pub fn share(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| float(part) / float(all))
}

// Numbers of samples are far below 2^52.
#[allow(clippy::cast_precision_loss)]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(found: Option<f64>, expected: f64) -> bool {
        found.is_some_and(|found| (found - expected).abs() < 1e-4)
    }

    /// Returns ten samples of three classes: 5, 3 and 2.
    fn ten() -> Confusion {
        let pairs = [
            (0, 0),
            (0, 0),
            (0, 0),
            (0, 0),
            (0, 1),
            (1, 1),
            (1, 1),
            (1, 0),
            (2, 0),
            (2, 1),
        ];
        Confusion::new(3, pairs).expect("labels of classes")
    }

    #[test]
    fn confusion_gives_the_figures_that_a_hand_computes() {
        let ten = ten();
        assert_eq!(ten.rows(), [[4, 1, 0], [1, 2, 0], [1, 1, 0]]);
        assert_eq!((ten.n(), ten.correct()), (10, 6));
        assert_eq!(ten.accuracy(), Some(0.6));
        assert_eq!(
            (ten.most_common(), ten.majority()),
            (Some((0, 5)), Some(0.5))
        );
        let [first, second, third] = ten.classes().try_into().expect("three");
        assert_eq!((first.support, first.predicted, first.correct), (5, 6, 4));
        assert!(near(first.precision, 4.0 / 6.0) && near(first.recall, 0.8));
        // The harmonic mean of 2/3 and 4/5 is 8/11.
        assert!(near(first.f1, 8.0 / 11.0));
        assert_eq!((second.precision, second.f1), (Some(0.5), Some(4.0 / 7.0)));
        assert!(near(second.recall, 2.0 / 3.0));
        // The class is never predicted, so the precision is undefined.
        assert_eq!((third.precision, third.recall), (None, Some(0.0)));
        assert_eq!(third.f1, Some(0.0));
    }

    #[test]
    fn wilson_gives_published_intervals() {
        // Newcombe, Statistics in Medicine 17 (1998), table I, method 3 has these four.
        for (correct, n, lower, upper) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
            // By hand: with n = 2 and both right, the lower end is 2 / (2 + z²).
            (2, 2, 0.3424, 1.0),
            (6, 10, 0.3127, 0.8318),
        ] {
            let found = wilson(correct, n).expect("samples");
            assert!(
                near(Some(found[0]), lower) && near(Some(found[1]), upper),
                "{correct} of {n}: {found:?}"
            );
        }
    }

    // Shares of all and of none are exactly 1 and 0.
    #[allow(clippy::float_cmp)]
    #[test]
    fn confusion_of_edge_cases_is_undefined_or_exact() {
        let none = Confusion::new(2, []).expect("no labels");
        assert_eq!((none.n(), none.correct()), (0, 0));
        assert_eq!((none.accuracy(), none.majority()), (None, None));
        assert_eq!((none.interval(), none.most_common()), (None, None));
        assert!(
            none.classes()
                .iter()
                .all(|class| (class.precision, class.recall, class.f1) == (None, None, None))
        );

        let one = Confusion::new(1, [(0, 0); 3]).expect("labels of classes");
        assert_eq!((one.accuracy(), one.majority()), (Some(1.0), Some(1.0)));

        let right = Confusion::new(2, [(0, 0), (1, 1)]).expect("labels of classes");
        assert_eq!(right.accuracy(), Some(1.0));
        assert_eq!(right.most_common(), Some((0, 1)), "the lowest label of two");
        let [lower, upper] = right.interval().expect("samples");
        assert!(upper == 1.0 && lower < 0.35, "{lower} {upper}");
        assert!(right.classes().iter().all(|class| class.f1 == Some(1.0)));

        let wrong = Confusion::new(2, [(0, 1), (0, 1)]).expect("labels of classes");
        assert_eq!(wrong.accuracy(), Some(0.0));
        let [lower, upper] = wrong.interval().expect("samples");
        assert!(lower == 0.0 && upper > 0.65, "{lower} {upper}");
        let [truth, other] = wrong.classes().try_into().expect("two");
        assert_eq!((truth.precision, truth.recall), (None, Some(0.0)));
        assert_eq!((other.precision, other.recall), (Some(0.0), None));
        assert_eq!((truth.f1, other.f1), (Some(0.0), Some(0.0)));
    }

    #[test]
    fn confusion_refuses_labels_without_a_class() {
        for pair in [(2, 0), (0, 2)] {
            let refused = Confusion::new(2, [(1, 1), pair]).expect_err("no such label");
            assert_eq!(
                refused.to_string(),
                "cannot count the label 2: there are 2 classes; expected a label below that"
            );
        }
    }

    proptest! {
        #[test]
        fn confusion_counts_each_pair_once(
            pairs in prop::collection::vec((0_u16..5, 0_u16..5), 1..200)
        ) {
            let confusion = Confusion::new(5, pairs.clone()).expect("labels of classes");
            let classes = confusion.classes();
            for (label, class) in (0_u16..).zip(&classes) {
                let support = pairs.iter().filter(|pair| pair.0 == label).count();
                let predicted = pairs.iter().filter(|pair| pair.1 == label).count();
                prop_assert_eq!((class.support, class.predicted), (support as u64, predicted as u64));
                prop_assert_eq!(confusion.rows()[usize::from(label)].iter().sum::<u64>(), class.support);
                for share in [class.precision, class.recall, class.f1].into_iter().flatten() {
                    prop_assert!((0.0..=1.0).contains(&share));
                }
            }
            let correct = pairs.iter().filter(|pair| pair.0 == pair.1).count();
            prop_assert_eq!((confusion.n(), confusion.correct()), (pairs.len() as u64, correct as u64));
            let most = classes.iter().map(|class| class.support).max();
            prop_assert_eq!(confusion.most_common().map(|(_, support)| support), most);
        }

        #[test]
        fn wilson_contains_the_share_within_0_and_1(n in 1_u64..2_000_000, part in 0.0..=1.0_f64) {
            // The cast cuts a number between 0 and `n`.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let some = (float(n) * part) as u64;
            for correct in [some, 0, n] {
                let [lower, upper] = wilson(correct, n).expect("samples");
                let share = share(correct, n).expect("samples");
                prop_assert!(0.0 <= lower && lower <= share && share <= upper && upper <= 1.0);
                // Each end is a probability whose standard error the share is `Z` times away from.
                for end in [lower, upper] {
                    let (off, error) = ((end - share).powi(2), end * (1.0 - end) / float(n));
                    prop_assert!((off - Z * Z * error).abs() < 1e-12, "{end}, {correct} of {n}");
                }
                // More samples of the same share say more.
                let [lower_of_more, upper_of_more] = wilson(4 * correct, 4 * n).expect("samples");
                prop_assert!(upper_of_more - lower_of_more < upper - lower);
            }
        }
    }
}
