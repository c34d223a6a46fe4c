//! Marks of likely lies among contributions.

use std::collections::{BTreeMap, HashMap};

use alloy_primitives::Address;
use clap::Args;
use cotrain_indexer::{contributed::Contributed, rows::Settled};
use cotrain_learning::agreement::{self, Judgment, NEIGHBORS, Statement, THRESHOLD};

use super::source::Source;

/// Rule by which contributions are marked.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Marks")]
pub(crate) struct Rule {
    /// Number of nearest neighbors to compare each contribution with
    #[arg(long, value_name = "N", default_value_t = NEIGHBORS, value_parser = neighbors)]
    neighbors: usize,
    /// Score above which a contribution is marked, from 0 to 1
    #[arg(long, value_name = "SCORE", default_value_t = THRESHOLD, value_parser = threshold)]
    threshold: f64,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            neighbors: NEIGHBORS,
            threshold: THRESHOLD,
        }
    }
}

/// Parses a number of neighbors.
fn neighbors(text: &str) -> Result<usize, String> {
    let number = text.parse().ok();
    let number = number.filter(|number| (1..=1_000).contains(number));
    number.ok_or_else(|| "expected a number of neighbors from 1 to 1000".to_owned())
}

/// Parses a score.
fn threshold(text: &str) -> Result<f64, String> {
    let score = text.parse().ok();
    let score = score.filter(|score| (0.0..=1.0).contains(score));
    score.ok_or_else(|| "expected a score from 0 to 1, such as 0.5".to_owned())
}

/// Judgment of a contribution.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Judged {
    pub(crate) judgment: Judgment,
    pub(crate) marked: bool,
    /// `true` if the label is not that of the run's data; `None` if nobody knows.
    pub(crate) lie: Option<bool>,
}

impl Judged {
    /// Returns the evidence against the contribution as text; empty if it is not marked.
    pub(crate) fn reason(&self) -> String {
        if !self.marked {
            return String::new();
        }
        let Judgment {
            neighbors,
            contradicting,
            verdict,
            predicted,
            author,
            ..
        } = self.judgment;
        let mut reasons = vec![format!("evidence against its author: {author:.2}")];
        if predicted == Some(false) {
            reasons.push("the model before all contributions predicts another class".to_owned());
        }
        if contradicting > 0 {
            reasons.push(format!(
                "{contradicting} of {neighbors} neighbors have another class"
            ));
        }
        if verdict == Some(false) {
            reasons.push("reporters took of its deposit".to_owned());
        }
        reasons.join("; ")
    }
}

/// Judges contributions by all of them. Warns if the model before all of them is no witness.
pub(crate) fn judge(source: &Source, all: &[Contributed], rule: Rule) -> Vec<Judged> {
    if source.founded.is_none() {
        source.narrator.say(
            "warning: the node has no state of the model before all contributions, so many lies may not be marked",
        );
    }
    let mut authors: HashMap<Address, usize> = HashMap::new();
    let statements: Vec<_> = all
        .iter()
        .map(|one| {
            let next = authors.len();
            Statement {
                author: *authors.entry(one.contribution.author).or_insert(next),
                label: one.contribution.label,
                sample: &one.contribution.sample,
                verdict: match one.settled() {
                    Settled::Refunded => Some(true),
                    Settled::Reported | Settled::TakenByReports => Some(false),
                    Settled::Open | Settled::ClaimedLate => None,
                },
                predicted: source.founded.as_ref().and_then(|founded| {
                    let label = founded.predict(&one.contribution.sample).ok()?;
                    Some(label == one.contribution.label)
                }),
            }
        })
        .collect();
    agreement::judge(source.encoding, &statements, rule.neighbors)
        .into_iter()
        .map(|judgment| Judged {
            marked: judgment.score > rule.threshold,
            judgment,
            lie: None,
        })
        .collect()
}

/// Numbers of an author's contributions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) of: u64,
    /// Number of these that a choice leaves out.
    pub(crate) out: u64,
}

/// Counts each author's contributions, and those that a choice leaves out. The authors with most of
/// the latter come first.
pub(crate) fn by_author(all: impl Iterator<Item = (Address, bool)>) -> Vec<(Address, Share)> {
    let mut authors: BTreeMap<Address, Share> = BTreeMap::new();
    for (author, out) in all {
        let share = authors.entry(author).or_default();
        share.of += 1;
        share.out += u64::from(out);
    }
    let mut authors: Vec<_> = authors.into_iter().collect();
    authors.sort_by_key(|&(author, share)| (std::cmp::Reverse(share.out), author));
    authors
}
