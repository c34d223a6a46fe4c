//! Labels that others contradict: which of many contributed samples are likely lies.
//!
//! Nobody knows the true labels, so three witnesses stand for them: the verdict of the model, the
//! nearest neighbors, and what became of the other samples of the same author.

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
}

/// Evidence against a statement, and its sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgment {
    /// Number of neighbors found.
    pub neighbors: usize,
    /// Number of these that have another label.
    pub contradicting: usize,
    /// Verdict of the statement.
    pub verdict: Option<bool>,
    /// Mean evidence against the other statements of the author, averaged with that of all authors,
    /// from 0 to 1.
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
        let verdict = self
            .verdict
            .map(|confirmed| if confirmed { 0.0 } else { 1.0 });
        match (verdict, self.neighbor_share()) {
            (Some(verdict), Some(share)) => Some((verdict + share) / 2.0),
            (verdict, share) => verdict.or(share),
        }
    }
}

/// Judges each of many statements by all of them.
///
/// The evidence against a statement is the mean of two: the verdict (0 if confirmed, 1 if
/// contradicted) and the share of its nearest neighbors that have another label. A missing one is
/// left out. Copies of a sample by its own author are no neighbors. The author's evidence is the
/// mean over its other statements and two average ones. The score is the mean of both.
#[must_use]
pub fn judge(encoding: Encoding, statements: &[Statement<'_>], neighbors: usize) -> Vec<Judgment> {
    let samples: Vec<&[u8]> = statements.iter().map(|it| it.sample).collect();
    let copies = |one: usize, other: usize| {
        let (one, other) = (&statements[one], &statements[other]);
        one.author == other.author && one.sample == other.sample
    };
    let found = nearest(encoding, &samples, neighbors, copies);
    let mut judgments: Vec<Judgment> = statements
        .iter()
        .zip(&found)
        .map(|(statement, neighbors)| {
            let others = neighbors.iter().map(|&index| statements[index].label);
            Judgment {
                neighbors: neighbors.len(),
                contradicting: others.filter(|&label| label != statement.label).count(),
                verdict: statement.verdict,
                author: 0.0,
                score: 0.0,
            }
        })
        .collect();
    let mut all = Sum::default();
    let mut authors: HashMap<usize, Sum> = HashMap::new();
    for (statement, judgment) in statements.iter().zip(&judgments) {
        if let Some(own) = judgment.own() {
            all.add(own);
            authors.entry(statement.author).or_default().add(own);
        }
    }
    let mean = all.total / all.count.max(1.0);
    for (statement, judgment) in statements.iter().zip(&mut judgments) {
        let mut of = authors.get(&statement.author).copied().unwrap_or_default();
        let own = judgment.own();
        if let Some(own) = own {
            of.remove(own);
        }
        judgment.author = (of.total + PRIOR * mean) / (of.count + PRIOR);
        judgment.score = f64::midpoint(own.unwrap_or(judgment.author), judgment.author);
    }
    judgments
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
