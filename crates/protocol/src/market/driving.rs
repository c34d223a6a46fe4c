//! What is to be called next so that the scoring goes on.

use std::ops::Range;

use super::{Contributions, Market, Phase, Stage, scoring::Piece};

/// How much one step may do, so that it fits a transaction: by the gas that things need, which its caller knows. Each is at
/// least 1, or there would be no step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many words a restart copies.
    pub words: u64,
    /// How many records are taught, skipped, or looked at because their author may end a run.
    pub records: usize,
    /// How many samples of the test set are evaluated.
    pub samples: u64,
    /// How many times participants are looked at.
    pub looks: u64,
}

/// The next call that the scoring needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// [`Market::restart`].
    Restart {
        /// The most words.
        words: u64,
    },
    /// [`Market::score`].
    Score {
        /// The records, by their places among all.
        records: Range<usize>,
        /// The most samples.
        samples: u64,
    },
    /// [`Market::settle`].
    Settle {
        /// The most looks.
        most: u64,
    },
}

impl Market {
    /// The next step, given all contributions in order, one record a transaction; none where the market is not being
    /// scored, or records are missing.
    #[must_use]
    pub fn next_step(&self, now: u64, all: &[Contributions], limits: Limits) -> Option<Step> {
        if self.phase(now) != Phase::Scoring {
            return None;
        }
        match self.progress.stage {
            Stage::Copying => Some(Step::Restart {
                words: limits.words,
            }),
            Stage::Teaching => {
                let rest = all.get(self.taken..)?;
                let rest = &rest[..rest.len().min(limits.records)];
                let plan = self.plan(rest, limits.samples, |_, _| Ok(())).ok()?;
                (!plan.is_empty()).then(|| Step::Score {
                    records: self.taken..self.reached(&plan),
                    samples: limits.samples,
                })
            }
            Stage::Finding | Stage::Paying => Some(Step::Settle { most: limits.looks }),
        }
    }

    /// The place after the last record that a plan needs: what is taught or skipped, and what shows that a run is over.
    fn reached(&self, plan: &[Piece]) -> usize {
        let mut place = self.place();
        let mut reached = place.taken;
        for piece in plan {
            if !matches!(piece, Piece::Evaluate(_)) || !self.evaluation_due(place) {
                reached = place.taken + 1;
            }
            self.advance(&mut place, *piece);
        }
        reached
    }
}
