//! Labels that others contradict: which of many contributed samples are likely lies.
//!
//! Nobody knows the true labels, so witnesses stand for them: a model that no contribution has
//! taught, the nearest neighbors, and the verdict on each contribution. The first one is the only
//! one that liars cannot move. An author with many contributions is judged by all of them.

use std::collections::HashMap;

use cotrain_protocol::sample::Encoding;

use crate::neighbors::nearest;

/// Default number of neighbors.
pub const NEIGHBORS: usize = 10;

/// Default score above which a sample is marked.
pub const THRESHOLD: f64 = 0.5;

/// Number of average samples that an author's share is averaged with, so that few samples alone
/// condemn nobody.
const PRIOR: f64 = 2.0;

/// Number of an author's other samples at which they count as much as the sample itself.
const HALF: f64 = 5.0;

/// Weight of an author's neighbors beside the untaught model. Neighbors of texts agree only somewhat
/// more often than chance.
const NEIGHBOR_WEIGHT: f64 = 0.6;

/// A sample with the label that its author gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement<'a> {
    /// Number of the author, the same for all statements of one author.
    pub author: usize,
    /// Label.
    pub label: u16,
    /// Encoded sample.
    pub sample: &'a [u8],
    /// `true` if the label was confirmed, `false` if it was contradicted; `None` if it is open.
    pub verdict: Option<bool>,
    /// `true` if a model that the statements have not taught predicts the label; `None` without
    /// such a model.
    pub predicted: Option<bool>,
}

/// Evidence against a statement, and the score that follows from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgment {
    /// Number of neighbors found.
    pub neighbors: usize,
    /// Number of these that have another label.
    pub contradicting: usize,
    /// Verdict of the statement.
    pub verdict: Option<bool>,
    /// Prediction of the untaught model.
    pub predicted: Option<bool>,
    /// Evidence against the other statements of the author, from 0 to 1.
    pub author: f64,
    /// Score from 0, nothing is against the statement, to 1.
    pub score: f64,
}

impl Judgment {
    /// Returns the share of the neighbors that have another label; `None` without neighbors.
    #[must_use]
    pub fn neighbor_share(&self) -> Option<f64> {
        (self.neighbors > 0).then(|| real(self.contradicting) / real(self.neighbors))
    }

    /// Returns the evidence against the statement alone, without its author; `None` if there is
    /// none.
    fn own(&self) -> Option<f64> {
        let all = [
            self.predicted.map(against),
            self.neighbor_share(),
            self.verdict.map(against),
        ];
        let there = all.into_iter().flatten();
        let count = there.clone().count();
        (count > 0).then(|| there.sum::<f64>() / real(count))
    }
}

/// Returns the evidence of a witness that agrees or contradicts.
fn against(agrees: bool) -> f64 {
    if agrees { 0.0 } else { 1.0 }
}

/// Judges each of many statements by all of them.
///
/// The evidence against a statement alone is the mean of those witnesses that it has: the untaught
/// model (1 if it predicts another label), the share of the nearest neighbors with another label,
/// and the verdict (1 if contradicted). Copies of a sample by its own author are no neighbors.
///
/// The evidence against an author is the larger of two means over its other statements: that of the
/// untaught model, or of all witnesses without such a model; and 0.6 of that of the neighbors. Two
/// average statements are added to both. The more statements an author has, the more its evidence
/// counts in the score: half with five others.
#[must_use]
pub fn judge(encoding: Encoding, statements: &[Statement<'_>], neighbors: usize) -> Vec<Judgment> {
    let samples: Vec<&[u8]> = statements.iter().map(|it| it.sample).collect();
    let copies = |one: usize, other: usize| {
        let (one, other) = (&statements[one], &statements[other]);
        one.author == other.author && one.sample == other.sample
    };
    let found = nearest(encoding, &samples, neighbors, copies);
    let judgment = |(statement, neighbors): (&Statement<'_>, &Vec<usize>)| {
        let others = neighbors.iter().map(|&index| statements[index].label);
        Judgment {
            neighbors: neighbors.len(),
            contradicting: others.filter(|&label| label != statement.label).count(),
            verdict: statement.verdict,
            predicted: statement.predicted,
            author: 0.0,
            score: 0.0,
        }
    };
    let mut judgments: Vec<Judgment> = statements.iter().zip(&found).map(judgment).collect();
    let first = |judgment: &Judgment| judgment.predicted.map(against).or(judgment.own());
    let by_model = by_author(statements, &judgments, first);
    let by_neighbors = by_author(statements, &judgments, Judgment::neighbor_share);
    for (index, judgment) in judgments.iter_mut().enumerate() {
        let (model, _) = by_model[index];
        let (near, others) = by_neighbors[index];
        judgment.author = model.max(NEIGHBOR_WEIGHT * near);
        let own = judgment.own().unwrap_or(judgment.author);
        let weight = others / (others + HALF);
        judgment.score = weight * judgment.author + (1.0 - weight) * own;
    }
    judgments
}

/// Returns for each statement the mean evidence against the other ones of its author, with two
/// average ones, and the number of the other ones.
fn by_author(
    statements: &[Statement<'_>],
    judgments: &[Judgment],
    evidence: impl Fn(&Judgment) -> Option<f64>,
) -> Vec<(f64, f64)> {
    let mut all = Sum::default();
    let mut authors: HashMap<usize, (Sum, f64)> = HashMap::new();
    for (statement, judgment) in statements.iter().zip(judgments) {
        let (sum, count) = authors.entry(statement.author).or_default();
        *count += 1.0;
        if let Some(evidence) = evidence(judgment) {
            all.add(evidence);
            sum.add(evidence);
        }
    }
    let average = all.total / all.count.max(1.0);
    let others = |(statement, judgment): (&Statement<'_>, &Judgment)| {
        let (mut sum, count) = authors[&statement.author];
        if let Some(evidence) = evidence(judgment) {
            sum.remove(evidence);
        }
        let mean = (sum.total + PRIOR * average) / (sum.count + PRIOR);
        (mean, count - 1.0)
    };
    statements.iter().zip(judgments).map(others).collect()
}

/// Sum of evidence, and the number of statements in it.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    total: f64,
    count: f64,
}

impl Sum {
    fn add(&mut self, evidence: f64) {
        self.total += evidence;
        self.count += 1.0;
    }

    fn remove(&mut self, evidence: f64) {
        self.total = (self.total - evidence).max(0.0);
        self.count -= 1.0;
    }
}

// Counts of neighbors are far below 2^52.
#[allow(clippy::cast_precision_loss)]
fn real(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use cotrain_protocol::sample::encode_sparse;
    use proptest::prelude::*;

    use super::*;

    /// Two regions of samples, with the true label 0 or 1 each.
    fn sample(index: u16) -> (Vec<u8>, u16) {
        let label = index % 2;
        let first = 10 * label;
        (encode_sparse(&[first, first + 1, 100 + index]), label)
    }

    fn scores(
        authors: &[(usize, bool)],
        predicted: impl Fn(u16, u16) -> Option<bool>,
    ) -> Vec<Judgment> {
        let samples: Vec<_> = (0..).map(sample).take(authors.len()).collect();
        let statements = authors.iter().zip(&samples);
        let statements = statements.map(|(&(author, lies), (bytes, truth))| {
            let label = if lies { 1 - truth } else { *truth };
            Statement {
                author,
                label,
                sample: bytes,
                verdict: None,
                predicted: predicted(*truth, label),
            }
        });
        judge(Encoding::Sparse, &statements.collect::<Vec<_>>(), NEIGHBORS)
    }

    #[test]
    fn judge_finds_a_liar_among_honest_authors_by_neighbors_alone() {
        let authors: Vec<_> = (0..80).map(|index| (index % 4, index % 4 == 3)).collect();
        for (judgment, (_, lies)) in scores(&authors, |_, _| None).iter().zip(&authors) {
            assert_eq!(judgment.score > THRESHOLD, *lies, "{judgment:?}");
        }
    }

    #[test]
    fn judge_finds_a_majority_of_lies_by_an_untaught_model() {
        // Two of three contributions are lies, and the model is right about two of three.
        let authors: Vec<_> = (0..90).map(|index| (index % 3, index % 3 != 0)).collect();
        let mut seen = 0;
        let model = std::cell::RefCell::new(&mut seen);
        let predicted = |truth, label| {
            let mut seen = model.borrow_mut();
            **seen += 1;
            let right = (**seen / 3) % 3 != 0;
            Some(if right {
                truth == label
            } else {
                truth != label
            })
        };
        for (judgment, (_, lies)) in scores(&authors, predicted).iter().zip(&authors) {
            assert_eq!(judgment.score > THRESHOLD, *lies, "{judgment:?}");
        }
    }

    #[test]
    fn judge_takes_a_verdict_as_a_witness_if_an_author_has_one_statement() {
        let (bytes, label) = sample(0);
        let statement = |verdict| Statement {
            author: 0,
            label,
            sample: &bytes,
            verdict,
            predicted: None,
        };
        let score = |verdict| judge(Encoding::Sparse, &[statement(verdict)], NEIGHBORS)[0].score;
        let (confirmed, contradicted) = (score(Some(true)), score(Some(false)));
        assert!(confirmed < THRESHOLD && contradicted > THRESHOLD);
        assert!(judge(Encoding::Sparse, &[], NEIGHBORS).is_empty());
    }

    #[test]
    fn judge_counts_no_copies_of_an_author_as_neighbors() {
        let (bytes, label) = sample(0);
        let copy = Statement {
            author: 0,
            label: 1 - label,
            sample: &bytes,
            verdict: None,
            predicted: None,
        };
        let honest: Vec<_> = (1..20).map(|index| sample(2 * index)).collect();
        let honest = honest.iter().map(|(bytes, label)| Statement {
            author: 1,
            label: *label,
            sample: bytes,
            ..copy
        });
        let statements: Vec<_> = std::iter::repeat_n(copy, 30).chain(honest).collect();
        let judgments = judge(Encoding::Sparse, &statements, NEIGHBORS);
        for judgment in &judgments[..30] {
            assert_eq!((judgment.neighbors, judgment.contradicting), (10, 10));
        }
    }

    proptest! {
        #[test]
        fn judge_gives_scores_from_0_to_1(
            given in prop::collection::vec(
                (0..4_usize, 0..3_u16, any::<Option<bool>>(), any::<Option<bool>>(), 0..6_u16),
                0..40,
            ),
        ) {
            let samples: Vec<_> = given.iter().map(|it| encode_sparse(&[it.4, it.4 + 1])).collect();
            let statements: Vec<_> = given.iter().zip(&samples).map(|(it, sample)| Statement {
                author: it.0,
                label: it.1,
                sample,
                verdict: it.2,
                predicted: it.3,
            }).collect();
            let judgments = judge(Encoding::Sparse, &statements, 3);
            prop_assert_eq!(judgments.len(), statements.len());
            for judgment in judgments {
                prop_assert!((0.0..=1.0).contains(&judgment.score), "{:?}", judgment);
                prop_assert!(judgment.contradicting <= judgment.neighbors);
            }
        }
    }
}
