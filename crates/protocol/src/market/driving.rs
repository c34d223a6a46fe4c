//! Choice of the next call that continues the scoring.

use std::ops::Range;

use super::{Contributions, Market, Phase, Stage, scoring::Piece};

/// Maximum work of one step, so that it fits in a transaction.
///
/// The caller knows how much gas the work needs. Each limit is at least 1, or there would be no
/// step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Number of words that a restart copies.
    pub words: u64,
    /// Number of records to teach, skip, or read because their author may end a run.
    pub records: usize,
    /// Number of samples of the test set to evaluate.
    pub samples: u64,
    /// Number of visits to participants.
    pub looks: u64,
}

/// Next call that the scoring needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Call of [`Market::restart`].
    Restart {
        /// Maximum number of words.
        words: u64,
    },
    /// Call of [`Market::score`].
    Score {
        /// Records to send, by their indices among all records.
        records: Range<usize>,
        /// Maximum number of samples.
        samples: u64,
    },
    /// Call of [`Market::settle`].
    Settle {
        /// Maximum number of visits to participants.
        max: u64,
    },
}

/// Number of words that a restart copies. Reading, sending and storing one takes about 25,000 gas.
const WORDS_PER_STEP: u64 = 256;
/// Number of records that a step gets: more than it can evaluate.
const RECORDS_PER_STEP: usize = 64;
/// Maximum number of samples that the first step evaluates.
const FIRST_SAMPLES_PER_STEP: u64 = 64;
/// Number of participants that a step visits. Each takes about 10,000 gas.
const LOOKS_PER_STEP: u64 = 500;
/// Maximum number of samples that any step evaluates.
const MAX_SAMPLES_PER_STEP: u64 = 1 << 20;

/// Sizes of the scoring's steps, adjusted by the gas that the steps used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    gas_per_step: u64,
    records: usize,
    samples: u64,
}

impl Pace {
    /// Target gas of a step: about half of a transaction's limit (EIP-7825).
    ///
    /// The other half is a reserve: before a lesson a step must have the gas left that any lesson
    /// may use.
    pub const GAS_PER_STEP: u64 = 7_000_000;
    /// Target of a step's gas estimate, for callers that go by estimates.
    ///
    /// It includes the gas that a lesson may use. It leaves room for a quarter more within a
    /// transaction.
    pub const ESTIMATE_PER_STEP: u64 = 12_000_000;

    /// Creates a pace that begins with steps small enough for every model.
    #[must_use]
    pub const fn new(gas_per_step: u64) -> Self {
        Self {
            gas_per_step,
            records: RECORDS_PER_STEP,
            samples: FIRST_SAMPLES_PER_STEP,
        }
    }

    /// Returns the limits of the next step.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        Limits {
            words: WORDS_PER_STEP,
            records: self.records,
            samples: self.samples,
            looks: LOOKS_PER_STEP,
        }
    }

    /// Records the gas of a step that evaluated `samples` samples, and adjusts the next step.
    pub fn used(&mut self, gas: u64, samples: u64) {
        if let Some(each) = gas.checked_div(samples) {
            self.samples = (self.gas_per_step / each.max(1)).clamp(1, MAX_SAMPLES_PER_STEP);
        }
        self.records = RECORDS_PER_STEP;
    }

    /// Makes the next step smaller after one that did not fit in a transaction.
    ///
    /// Returns `false` if there is no smaller one.
    #[must_use]
    pub fn shrink(&mut self, market: &Market, records: usize, samples: u64) -> bool {
        // An evaluation that has begun needs no record.
        let fewest = usize::from(market.progress.evaluated == 0);
        if samples > 1 {
            // `samples` may exceed the market's samples. Half of it could still be all of them.
            self.samples = (samples.min(market.samples) / 2).max(1);
        } else if records > fewest {
            self.records = records / 2;
        } else {
            return false;
        }
        true
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::new(Self::GAS_PER_STEP)
    }
}

impl Market {
    /// Returns the next step, given all contributions in order, one record a transaction.
    ///
    /// Returns `None` if the market is not in the scoring phase, or if records are missing.
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
            Stage::Finding | Stage::Paying => Some(Step::Settle { max: limits.looks }),
        }
    }

    /// Returns the number of samples that a step evaluates, given all contributions in order, one
    /// record a transaction.
    #[must_use]
    pub fn evaluates(&self, step: &Step, all: &[Contributions]) -> u64 {
        let Step::Score { records, samples } = step else {
            return 0;
        };
        let records = all.get(records.clone()).unwrap_or_default();
        let plan = self.plan(records, *samples, |_, _| Ok(()));
        let evaluated = plan
            .unwrap_or_default()
            .into_iter()
            .map(|piece| match piece {
                Piece::Evaluate(samples) => samples,
                Piece::Skip | Piece::Teach(_) => 0,
            });
        evaluated.sum()
    }

    /// Returns the index after the last record that a plan needs.
    ///
    /// A plan needs the records that it teaches or skips, and the record that shows the end of a
    /// run.
    fn reached(&self, plan: &[Piece]) -> usize {
        let mut cursor = self.cursor();
        let mut reached = cursor.taken;
        for piece in plan {
            if !matches!(piece, Piece::Evaluate(_)) || !self.evaluation_due(cursor) {
                reached = cursor.taken + 1;
            }
            self.advance(&mut cursor, *piece);
        }
        reached
    }
}
