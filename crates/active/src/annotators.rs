//! Several annotators: the consensus about each row, the quality of each annotator, and the row that needs another opinion.

use std::collections::BTreeMap;

use ndarray::{Array2, Array3, ArrayView1};
use serde::{Deserialize, Serialize};

use crate::measure::{highest, most_likely};

/// Maximum number of rounds of [`Method::DawidSkene`].
const ROUNDS: usize = 100;

/// Change of a probability below which the rounds end.
const CONVERGED: f64 = 1e-9;

/// Maximum number of confusions that [`Method::DawidSkene`] holds: annotators times classes squared, 8 MiB.
const MAX_CONFUSIONS: usize = 1 << 20;

/// Prior weight of a right answer and of a wrong one, in answers, for each annotator and class.
/// Annotators who have answered little are held for rather right, and no probability becomes 0.
const PRIOR: (f64, f64) = (1.0, 0.5);

/// Label that an annotator gives to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opinion {
    /// Index of the row.
    pub row: usize,
    /// Number that stands for the annotator.
    pub annotator: u32,
    /// Index of the class.
    pub label: usize,
}

/// Method that makes a consensus of opinions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Counts opinions: each has the same weight.
    Majority,
    /// Weighs opinions by the confusions of each annotator, which expectation-maximization finds
    /// (Dawid and Skene 1979, "Maximum likelihood estimation of observer error-rates using the EM algorithm").
    #[default]
    DawidSkene,
}

/// Consensus of opinions about rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Consensus {
    /// Label of each row: the most probable one, and of equal ones the lowest. 0 without an opinion.
    pub labels: Vec<usize>,
    /// Probability of the label of each row; that of equal classes without an opinion.
    pub confidence: Vec<f64>,
    /// Quality of each annotator, from 0 to 1: the expected share of right opinions.
    pub quality: BTreeMap<u32, f64>,
    /// Number of opinions about each row.
    pub opinions: Vec<usize>,
}

/// Reason why there is no consensus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpinionError {
    /// An opinion is about an unknown row.
    #[error("an opinion is about row {found}; expected one below {rows}")]
    Row {
        /// Index of the row.
        found: usize,
        /// Number of rows.
        rows: usize,
    },
    /// A label is no class.
    #[error("an opinion has label {found}; expected a class below {classes}")]
    Class {
        /// The label.
        found: usize,
        /// Number of classes.
        classes: usize,
    },
    /// There are too many annotators for the number of classes.
    #[error("there are {found} annotators; expected at most {max} for so many classes")]
    Annotators {
        /// Number of annotators.
        found: usize,
        /// Maximum.
        max: usize,
    },
    /// An annotator has two opinions about a row.
    #[error("annotator {annotator} has two opinions about row {row}; expected one")]
    Twice {
        /// Index of the row.
        row: usize,
        /// Number of the annotator.
        annotator: u32,
    },
}

impl Consensus {
    /// Makes the consensus of opinions about `rows` rows.
    ///
    /// It does not depend on the order of the opinions.
    ///
    /// # Errors
    ///
    /// An opinion is about an unknown row or class, or an annotator has two about a row.
    /// Or there are too many annotators for [`Method::DawidSkene`].
    pub fn new(
        method: Method,
        rows: usize,
        classes: usize,
        opinions: &[Opinion],
    ) -> Result<Self, OpinionError> {
        let mut opinions = opinions.to_vec();
        opinions.sort_unstable();
        check(rows, classes, &opinions)?;
        let mut annotators = BTreeMap::new();
        for opinion in &opinions {
            let next = annotators.len();
            annotators.entry(opinion.annotator).or_insert(next);
        }
        let max = MAX_CONFUSIONS / classes.saturating_mul(classes).max(1);
        if method == Method::DawidSkene && annotators.len() > max {
            let found = annotators.len();
            return Err(OpinionError::Annotators { found, max });
        }
        let answers: Vec<Answer> = opinions
            .iter()
            .map(|opinion| Answer {
                row: opinion.row,
                annotator: annotators[&opinion.annotator],
                label: opinion.label,
            })
            .collect();
        let shares = shares(rows, classes, &answers);
        let probabilities = match method {
            Method::Majority => shares,
            Method::DawidSkene => dawid_skene(shares, annotators.len(), &answers),
        };
        let (mut right, mut given) = (vec![0.0; annotators.len()], vec![0.0; annotators.len()]);
        let mut counts = vec![0; rows];
        for answer in &answers {
            right[answer.annotator] += probabilities[[answer.row, answer.label]];
            given[answer.annotator] += 1.0;
            counts[answer.row] += 1;
        }
        let of = |row: usize| probabilities.row(row).to_vec();
        Ok(Self {
            labels: (0..rows).map(|row| most_likely(&of(row))).collect(),
            confidence: (0..rows).map(|row| highest(&of(row)).0).collect(),
            quality: annotators
                .into_iter()
                .map(|(annotator, index)| (annotator, right[index] / given[index]))
                .collect(),
            opinions: counts,
        })
    }

    /// Returns the row that needs another opinion most; `None` if there are no rows.
    ///
    /// It is the row of the least confidence; of equal ones that with the fewest opinions, then the first.
    #[must_use]
    pub fn doubtful(&self) -> Option<usize> {
        (0..self.labels.len()).min_by(|a, b| {
            let confidence = self.confidence[*a].total_cmp(&self.confidence[*b]);
            confidence.then(self.opinions[*a].cmp(&self.opinions[*b]))
        })
    }
}

/// Opinion with the index of its annotator.
struct Answer {
    row: usize,
    annotator: usize,
    label: usize,
}

/// Checks sorted opinions.
fn check(rows: usize, classes: usize, opinions: &[Opinion]) -> Result<(), OpinionError> {
    for opinion in opinions {
        if opinion.row >= rows {
            let found = opinion.row;
            return Err(OpinionError::Row { found, rows });
        }
        if opinion.label >= classes {
            let found = opinion.label;
            return Err(OpinionError::Class { found, classes });
        }
    }
    let twice = opinions
        .windows(2)
        .find(|pair| (pair[0].row, pair[0].annotator) == (pair[1].row, pair[1].annotator));
    twice.map_or(Ok(()), |pair| {
        let Opinion { row, annotator, .. } = pair[0];
        Err(OpinionError::Twice { row, annotator })
    })
}

/// Returns the smoothed share of opinions for each class: one opinion more is spread over all classes.
/// So one opinion alone is less sure than two that agree.
fn shares(rows: usize, classes: usize, answers: &[Answer]) -> Array2<f64> {
    #[expect(clippy::cast_precision_loss, reason = "there are few classes")]
    let mut shares = Array2::from_elem((rows, classes), 1.0 / classes.max(1) as f64);
    for answer in answers {
        shares[[answer.row, answer.label]] += 1.0;
    }
    normalize(&mut shares);
    shares
}

fn normalize(probabilities: &mut Array2<f64>) {
    for mut row in probabilities.rows_mut() {
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|it| *it /= sum);
    }
}

/// Returns the probability of each class for each row by expectation-maximization from the shares of opinions.
fn dawid_skene(shares: Array2<f64>, annotators: usize, answers: &[Answer]) -> Array2<f64> {
    let (rows, classes) = shares.dim();
    let mut probabilities = shares;
    for _ in 0..ROUNDS {
        // Confusions of each annotator: true class, then given class.
        let mut confusions = Array3::from_elem((annotators, classes, classes), PRIOR.1);
        for class in 0..classes {
            for annotator in 0..annotators {
                confusions[[annotator, class, class]] = PRIOR.0;
            }
        }
        for answer in answers {
            for class in 0..classes {
                confusions[[answer.annotator, class, answer.label]] +=
                    probabilities[[answer.row, class]];
            }
        }
        for mut confusion in confusions.outer_iter_mut() {
            for mut given in confusion.rows_mut() {
                let sum: f64 = given.iter().sum();
                given.iter_mut().for_each(|it| *it = libm::log(*it / sum));
            }
        }
        // Frequencies of the classes, one row more being spread over all.
        #[expect(clippy::cast_precision_loss, reason = "there are few classes")]
        let frequency = |column: ArrayView1<'_, f64>| {
            libm::log((column.iter().sum::<f64>() + 1.0 / classes as f64) / (rows as f64 + 1.0))
        };
        let frequencies: Vec<f64> = probabilities.columns().into_iter().map(frequency).collect();
        let mut next = Array2::from_shape_fn((rows, classes), |(_, class)| frequencies[class]);
        for answer in answers {
            for class in 0..classes {
                next[[answer.row, class]] += confusions[[answer.annotator, class, answer.label]];
            }
        }
        for mut row in next.rows_mut() {
            let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            row.iter_mut().for_each(|it| *it = libm::exp(*it - most));
        }
        normalize(&mut next);
        let pairs = next.iter().zip(&probabilities);
        let change = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        probabilities = next;
        if change < CONVERGED {
            break;
        }
    }
    probabilities
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn opinion(row: usize, annotator: u32, label: usize) -> Opinion {
        Opinion {
            row,
            annotator,
            label,
        }
    }

    /// Returns the true labels of rows, and opinions of annotators that are right with these chances.
    fn made(rows: usize, classes: usize, chances: &[f64]) -> (Vec<usize>, Vec<Opinion>) {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let truth: Vec<usize> = (0..rows).map(|_| random.random_range(0..classes)).collect();
        let mut opinions = Vec::new();
        for (row, label) in truth.iter().enumerate() {
            for (annotator, chance) in (0_u32..).zip(chances) {
                let wrong = (label + 1 + random.random_range(0..classes - 1)) % classes;
                let given = if random.random::<f64>() < *chance {
                    *label
                } else {
                    wrong
                };
                opinions.push(opinion(row, annotator, given));
            }
        }
        (truth, opinions)
    }

    fn wrong(consensus: &Consensus, truth: &[usize]) -> usize {
        let pairs = consensus.labels.iter().zip(truth);
        pairs.filter(|(found, label)| found != label).count()
    }

    #[test]
    fn new_counts_opinions_of_a_majority() {
        let opinions = [
            opinion(0, 1, 2),
            opinion(0, 2, 2),
            opinion(0, 3, 0),
            opinion(1, 1, 1),
        ];
        let consensus = Consensus::new(Method::Majority, 3, 4, &opinions).unwrap();
        assert_eq!(consensus.labels, [2, 1, 0]);
        // (2 + 1/4) / 4, (1 + 1/4) / 2, 1/4.
        for (found, expected) in consensus.confidence.iter().zip([0.5625, 0.625, 0.25]) {
            assert!((found - expected).abs() < 1e-12);
        }
        assert_eq!(consensus.opinions, [3, 1, 0]);
        assert_eq!(consensus.doubtful(), Some(2));
        // (0.5625 + 0.625) / 2 for the first; 0.5625; (1 + 1/4) / 4 for the third.
        for (annotator, expected) in [(1, 0.59375), (2, 0.5625), (3, 0.3125)] {
            assert!((consensus.quality[&annotator] - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn new_takes_time_by_opinions_and_not_by_the_square_of_rows() {
        let (_, opinions) = made(6_000, 40, &[0.6, 0.6]);
        let start = std::time::Instant::now();
        Consensus::new(Method::DawidSkene, 6_000, 40, &opinions).unwrap();
        // About a second at most; the square of the rows would take a minute.
        let taken = start.elapsed().as_secs();
        assert!(taken < 15, "{taken}");
    }

    #[test]
    fn new_weighs_opinions_by_quality() {
        let chances = [0.95, 0.9, 0.45, 0.4, 0.35];
        let (truth, opinions) = made(400, 3, &chances);
        let majority = Consensus::new(Method::Majority, 400, 3, &opinions).unwrap();
        let weighed = Consensus::new(Method::DawidSkene, 400, 3, &opinions).unwrap();
        let (before, after) = (wrong(&majority, &truth), wrong(&weighed, &truth));
        assert!(after * 2 < before && after < 30, "{before} {after}");
        for (annotator, chance) in (0_u32..).zip(chances) {
            let found = weighed.quality[&annotator];
            assert!((found - chance).abs() < 0.06, "{chance} {found}");
        }
        let mean: f64 = weighed.confidence.iter().sum::<f64>() / 400.0;
        let right = 1.0 - f64::from(u32::try_from(after).unwrap()) / 400.0;
        assert!((mean - right).abs() < 0.04, "{mean} {right}");
    }

    #[test]
    fn new_turns_round_an_annotator_who_always_swaps() {
        let (truth, mut opinions) = made(200, 2, &[0.9, 0.9, 0.9]);
        for (row, label) in truth.iter().enumerate() {
            opinions.push(opinion(row, 9, 1 - label));
        }
        let weighed = Consensus::new(Method::DawidSkene, 200, 2, &opinions).unwrap();
        assert!(wrong(&weighed, &truth) <= 2, "{}", wrong(&weighed, &truth));
        assert!(weighed.quality[&9] < 0.05);
    }

    #[test]
    fn new_agrees_with_one_annotator() {
        let (truth, opinions) = made(50, 3, &[1.0]);
        for method in [Method::Majority, Method::DawidSkene] {
            let consensus = Consensus::new(method, 50, 3, &opinions).unwrap();
            assert_eq!(consensus.labels, truth, "{method:?}");
        }
    }

    #[test]
    fn new_does_not_depend_on_the_order() {
        let (_, mut opinions) = made(60, 3, &[0.9, 0.6, 0.5]);
        let one = Consensus::new(Method::DawidSkene, 60, 3, &opinions).unwrap();
        opinions.reverse();
        let other = Consensus::new(Method::DawidSkene, 60, 3, &opinions).unwrap();
        assert_eq!(one, other);
    }

    #[test]
    fn new_refuses_wrong_opinions() {
        let new = |opinions: &[Opinion]| Consensus::new(Method::default(), 2, 2, opinions);
        assert_eq!(
            new(&[opinion(2, 0, 0)]),
            Err(OpinionError::Row { found: 2, rows: 2 })
        );
        assert_eq!(
            new(&[opinion(0, 0, 2)]),
            Err(OpinionError::Class {
                found: 2,
                classes: 2
            })
        );
        assert_eq!(
            new(&[opinion(0, 4, 0), opinion(1, 4, 0), opinion(0, 4, 1)]),
            Err(OpinionError::Twice {
                row: 0,
                annotator: 4
            })
        );
        let many: Vec<Opinion> = (0..105).map(|it| opinion(0, it, 0)).collect();
        assert_eq!(
            Consensus::new(Method::DawidSkene, 1, 100, &many),
            Err(OpinionError::Annotators {
                found: 105,
                max: 104
            })
        );
        assert!(Consensus::new(Method::Majority, 1, 100, &many).is_ok());
        let none = Consensus::new(Method::default(), 0, 2, &[]).unwrap();
        assert_eq!(none.doubtful(), None);
    }

    #[test]
    fn doubtful_takes_the_row_of_a_disagreement() {
        let opinions = [
            opinion(0, 0, 0),
            opinion(0, 1, 0),
            opinion(1, 0, 0),
            opinion(1, 1, 1),
            opinion(2, 0, 1),
        ];
        for method in [Method::Majority, Method::DawidSkene] {
            let consensus = Consensus::new(method, 3, 2, &opinions).unwrap();
            assert_eq!(consensus.doubtful(), Some(1), "{method:?}");
        }
    }
}
