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

/// Words that a restart copies: each is read, sent and stored for about 25,000 gas.
const WORDS_PER_STEP: u64 = 256;
/// Records that a step is given: more than it evaluates.
const RECORDS_PER_STEP: usize = 64;
/// Samples that the first step may evaluate.
const FIRST_SAMPLES_PER_STEP: u64 = 64;
/// Participants that a step looks at, for about 10,000 gas each.
const LOOKS_PER_STEP: u64 = 500;
/// Largest number of samples that a step may evaluate.
const MAX_SAMPLES_PER_STEP: u64 = 1 << 20;

/// Sizes of the steps of a scoring, found by the gas that they use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    gas_per_step: u64,
    records: usize,
    samples: u64,
}

impl Pace {
    /// Gas that a step is to use: about half of what a transaction may (EIP-7825), since before a lesson a step has to
    /// have left what any lesson may use.
    pub const GAS_PER_STEP: u64 = 7_000_000;
    /// Gas that the estimate of a step is to be, for those who go by estimates: it includes what a lesson may use, and leaves
    /// room for a quarter more within a transaction.
    pub const ESTIMATE_PER_STEP: u64 = 12_000_000;

    /// Begins with steps that are small enough for every model.
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

    /// Notes the gas of a step that evaluates `samples` samples.
    pub fn used(&mut self, gas: u64, samples: u64) {
        if let Some(each) = gas.checked_div(samples) {
            self.samples = (self.gas_per_step / each.max(1)).clamp(1, MAX_SAMPLES_PER_STEP);
        }
        self.records = RECORDS_PER_STEP;
    }

    /// Makes the next step smaller than one that did not fit a transaction. Returns `false` if there is no smaller one.
    #[must_use]
    pub fn shrink(&mut self, market: &Market, records: usize, samples: u64) -> bool {
        // An evaluation that has begun needs no record.
        let fewest = usize::from(market.progress.evaluated == 0);
        if samples > 1 {
            // Half of more than there are may be all of them again.
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

    /// Returns the number of samples that a step evaluates, given all contributions in order, one record a transaction.
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
