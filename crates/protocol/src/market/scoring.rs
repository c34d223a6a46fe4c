//! A pass of scoring. A new model learns all contributions in order.
//! An author scores the change in the number of test samples that the model predicts right. It is
//! negative if the author's contributions make the model worse.

use alloy_primitives::Address;

use super::{Contributions, Market, Stage, part::Part};
use crate::{ContractError, classifier::Classifier, sample::parse_batch};

/// Outcome of one [`Market::score`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scored {
    /// Number of records that were taught or skipped. The caller has to send the others again.
    pub taken: usize,
    /// Number of samples that were evaluated.
    pub samples: u64,
    /// Runs that ended, in order.
    pub runs: Vec<Run>,
}

/// A scored run: consecutive contributions of one author.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Author of the contributions.
    pub author: Address,
    /// Number of additional samples that the model predicts right; negative if it predicts fewer.
    pub change: i64,
    /// Number of samples that the model now predicts right.
    pub correct: u64,
}

/// Next piece of work in a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// Skips the contributions of a transaction, because their author has been removed.
    Skip,
    /// Teaches the contributions of a transaction by this author.
    Teach(Address),
    /// Evaluates the next samples, this many.
    Evaluate(u64),
}

/// State of a pass between two pieces of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Number of transactions already taught or skipped.
    pub(super) taken: usize,
    pub(super) run_author: Option<Address>,
    pub(super) taught: bool,
    /// Number of samples evaluated since the last lesson.
    pub(super) evaluated: u64,
}

impl Market {
    /// Begins a pass with a new model, and copies at most `words` words of the initial model to it.
    ///
    /// The model can be taught once all words are copied.
    ///
    /// # Errors
    /// [`ContractError::WrongPhase`], [`ContractError::WrongStage`]; [`ContractError::NoProgress`] for no
    /// words.
    pub fn restart(&mut self, now: u64, words: u64) -> Result<(), ContractError> {
        self.require_stage(now, Stage::Copying)?;
        if words == 0 {
            return Err(ContractError::NoProgress);
        }
        let initial = self.initial.classifier();
        let all = initial.words();
        let (size, progress) = (all.len() as u64, &mut self.progress);
        if progress.copied == 0 {
            progress.pass += 1;
            self.model = Some(Classifier::new(*initial.parameters())?);
        }
        let from = progress.copied;
        progress.copied = from.saturating_add(words).min(size);
        if progress.copied < size {
            let index = |word| usize::try_from(word).unwrap_or(usize::MAX);
            if let Some(model) = &mut self.model {
                model.write(from, &all[index(from)..index(progress.copied)])?;
            }
            return Ok(());
        }
        // The clone has the same words, and the version at which the reveals evaluated the parts.
        self.model = Some(initial.clone());
        let known = |part: &Option<Part>| part.as_ref().map_or(0, |part| part.correct);
        let evaluations = self.parts.iter();
        self.evaluations = evaluations
            .map(|part| (initial.version(), known(part)))
            .collect();
        progress.stage = Stage::Teaching;
        progress.correct = self.initial_correct;
        Ok(())
    }

    /// Teaches contributions to the model of the pass and scores them, as far as the records and
    /// samples go.
    ///
    /// The records are the contributions from the cursor on, in order. Records that the call does
    /// not reach are not checked.
    /// If the author changes, and at the end, the model is evaluated on all parts except the drawn
    /// one.
    /// An evaluation that has begun continues with any records.
    ///
    /// # Errors
    /// [`ContractError::WrongPhase`], [`ContractError::WrongStage`]; [`ContractError::UnknownContribution`] for
    /// the first checked record that is not what was contributed; [`ContractError::NoProgress`].
    pub fn score(
        &mut self,
        now: u64,
        records: &[Contributions],
        samples: u64,
    ) -> Result<Scored, ContractError> {
        self.require_stage(now, Stage::Teaching)?;
        // The plan comes first, so an error changes nothing. It does not depend on what the model
        // learns.
        let stake = self.terms.stake;
        let plan = self.plan(records, samples, |taken, record| {
            let entry = self.roots[taken];
            if record.root(entry.first_position, stake) == Some(entry.root) {
                Ok(())
            } else {
                Err(ContractError::UnknownContribution {
                    first_position: entry.first_position,
                })
            }
        })?;
        if plan.is_empty() {
            return Err(ContractError::NoProgress);
        }
        let mut scored = Scored::default();
        for piece in plan {
            let mut cursor = self.cursor();
            self.advance(&mut cursor, piece);
            match piece {
                Piece::Skip => scored.taken += 1,
                Piece::Teach(_) => {
                    let items = parse_batch(&records[scored.taken].items)?;
                    if let Some(model) = &mut self.model {
                        // A model with the same parameters checked the items when they were
                        // contributed.
                        model.learn_checked(&items);
                    }
                    scored.taken += 1;
                }
                Piece::Evaluate(samples) => {
                    self.evaluate(samples);
                    if !cursor.taught {
                        scored.runs.extend(self.end_run());
                    }
                    scored.samples += samples;
                }
            }
            self.go_to(cursor);
        }
        if self.taken == self.roots.len() && !self.progress.taught {
            self.progress.stage = Stage::Finding;
            self.progress.pot = self.remaining;
        }
        Ok(scored)
    }

    /// Plans the work for `samples` samples and these records, which begin at the cursor.
    ///
    /// `check` is called for each record that the plan reads, with the index of its transaction.
    pub(super) fn plan(
        &self,
        records: &[Contributions],
        samples: u64,
        check: impl Fn(usize, &Contributions) -> Result<(), ContractError>,
    ) -> Result<Vec<Piece>, ContractError> {
        let mut cursor = self.cursor();
        let mut left = samples;
        let mut plan = Vec::new();
        let mut checked = cursor.taken;
        loop {
            let evaluate = Piece::Evaluate(left.min(self.samples - cursor.evaluated));
            let piece = if self.evaluation_due(cursor) {
                evaluate
            } else if cursor.taken == self.roots.len() {
                return Ok(plan);
            } else if let Some(record) = records.get(cursor.taken - self.taken) {
                if checked == cursor.taken {
                    check(cursor.taken, record)?;
                    checked += 1;
                }
                let author = record.author;
                if self.account(author).removed {
                    Piece::Skip
                } else if cursor.taught && cursor.run_author != Some(author) {
                    evaluate
                } else {
                    Piece::Teach(author)
                }
            } else {
                return Ok(plan);
            };
            if let Piece::Evaluate(samples) = piece {
                if samples == 0 {
                    return Ok(plan);
                }
                left -= samples;
            }
            self.advance(&mut cursor, piece);
            plan.push(piece);
        }
    }

    /// Returns `true` if the next samples are due for evaluation, whatever the next record is.
    pub(super) fn evaluation_due(&self, cursor: Cursor) -> bool {
        cursor.evaluated > 0 || cursor.taught && cursor.taken == self.roots.len()
    }

    /// Advances `cursor` by one piece of work.
    pub(super) fn advance(&self, cursor: &mut Cursor, piece: Piece) {
        match piece {
            Piece::Skip => cursor.taken += 1,
            Piece::Teach(author) => {
                cursor.taken += 1;
                cursor.run_author = Some(author);
                cursor.taught = true;
            }
            Piece::Evaluate(samples) => {
                cursor.evaluated += samples;
                if cursor.evaluated == self.samples {
                    cursor.evaluated = 0;
                    cursor.taught = false;
                }
            }
        }
    }

    pub(super) fn cursor(&self) -> Cursor {
        Cursor {
            taken: self.taken,
            run_author: self.progress.run_author,
            taught: self.progress.taught,
            evaluated: self.progress.evaluated,
        }
    }

    fn go_to(&mut self, cursor: Cursor) {
        self.taken = cursor.taken;
        let next = self.roots.get(cursor.taken);
        self.progress.cursor = next.map_or(self.contribution_count, |next| next.first_position);
        self.progress.run_author = cursor.run_author;
        self.progress.taught = cursor.taught;
        self.progress.evaluated = cursor.evaluated;
    }

    /// Evaluates the next `samples` samples of all parts except the drawn one. Counts those that
    /// the model predicts right.
    fn evaluate(&mut self, samples: u64) {
        let Some(model) = &self.model else {
            return;
        };
        let from = self.progress.evaluated;
        let to = from + samples;
        let mut first = 0;
        let parts = self.parts.iter().zip(&mut self.evaluations).enumerate();
        for (index, (part, known)) in parts {
            let Some(part) = part.as_ref().filter(|_| Some(index) != self.drawn) else {
                continue;
            };
            let all = part.samples();
            let range = from.saturating_sub(first).min(all)..to.saturating_sub(first).min(all);
            first += all;
            self.progress.counted += if range.is_empty() {
                0
            } else if range != (0..all) {
                part.evaluate_some(model, range)
            } else {
                if known.0 != model.version() {
                    *known = (model.version(), part.evaluate(model));
                }
                known.1
            };
        }
    }

    /// Scores the contributions that were taught since the last score.
    fn end_run(&mut self) -> Option<Run> {
        let progress = &mut self.progress;
        let author = progress.run_author?;
        // Each count is below 2^31: 255 parts of fewer than 2^13 samples.
        let change = progress.counted.cast_signed() - progress.correct.cast_signed();
        progress.correct = std::mem::take(&mut progress.counted);
        self.participants.entry(author).or_default().score += change;
        Some(Run {
            author,
            change,
            correct: progress.correct,
        })
    }
}
