//! A pass of scoring. A new model learns all contributions in order.
//! An author scores the change in the number of test samples that the model predicts right. It is
//! negative if the author's contributions make the model worse.

use alloy_primitives::Address;

use super::{Contributions, Market, Stage, part::Part};
use crate::{Rejection, classifier::Classifier, sample::parse_batch};

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
pub(super) struct Place {
    /// Number of batches already taught or skipped.
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
    /// [`Rejection::WrongPhase`], [`Rejection::WrongStage`]; [`Rejection::NoProgress`] for no
    /// words.
    pub fn restart(&mut self, now: u64, words: u64) -> Result<(), Rejection> {
        self.require_stage(now, Stage::Copying)?;
        if words == 0 {
            return Err(Rejection::NoProgress);
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
            let place = |word| usize::try_from(word).unwrap_or(usize::MAX);
            if let Some(model) = &mut self.model {
                model.write(from, &all[place(from)..place(progress.copied)])?;
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
    /// [`Rejection::WrongPhase`], [`Rejection::WrongStage`]; [`Rejection::UnknownContribution`] for
    /// the first checked record that is not what was contributed; [`Rejection::NoProgress`].
    pub fn score(
        &mut self,
        now: u64,
        records: &[Contributions],
        samples: u64,
    ) -> Result<Scored, Rejection> {
        self.require_stage(now, Stage::Teaching)?;
        // The plan comes first, so an error changes nothing. It does not depend on what the model
        // learns.
        let stake = self.terms.stake;
        let plan = self.plan(records, samples, |taken, record| {
            let batch = self.batches[taken];
            if record.root(batch.first, stake) == Some(batch.root) {
                Ok(())
            } else {
                Err(Rejection::UnknownContribution { batch: batch.first })
            }
        })?;
        if plan.is_empty() {
            return Err(Rejection::NoProgress);
        }
        let mut scored = Scored::default();
        for piece in plan {
            let mut place = self.place();
            self.advance(&mut place, piece);
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
                    if !place.taught {
                        scored.runs.extend(self.end_run());
                    }
                    scored.samples += samples;
                }
            }
            self.go_to(place);
        }
        if self.taken == self.batches.len() && !self.progress.taught {
            self.progress.stage = Stage::Finding;
            self.progress.pot = self.remaining;
        }
        Ok(scored)
    }

    /// Plans the work for `samples` samples and these records, which begin at the cursor.
    ///
    /// `check` is called for each record that the plan reads, with the index of its batch.
    pub(super) fn plan(
        &self,
        records: &[Contributions],
        samples: u64,
        check: impl Fn(usize, &Contributions) -> Result<(), Rejection>,
    ) -> Result<Vec<Piece>, Rejection> {
        let mut place = self.place();
        let mut left = samples;
        let mut plan = Vec::new();
        let mut checked = place.taken;
        loop {
            let evaluate = Piece::Evaluate(left.min(self.samples - place.evaluated));
            let piece = if self.evaluation_due(place) {
                evaluate
            } else if place.taken == self.batches.len() {
                return Ok(plan);
            } else if let Some(record) = records.get(place.taken - self.taken) {
                if checked == place.taken {
                    check(place.taken, record)?;
                    checked += 1;
                }
                let author = record.author;
                if self.account(author).removed {
                    Piece::Skip
                } else if place.taught && place.run_author != Some(author) {
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
            self.advance(&mut place, piece);
            plan.push(piece);
        }
    }

    /// Returns `true` if the next samples are due for evaluation, whatever the next record is.
    pub(super) fn evaluation_due(&self, place: Place) -> bool {
        place.evaluated > 0 || place.taught && place.taken == self.batches.len()
    }

    /// Advances `place` by one piece of work.
    pub(super) fn advance(&self, place: &mut Place, piece: Piece) {
        match piece {
            Piece::Skip => place.taken += 1,
            Piece::Teach(author) => {
                place.taken += 1;
                place.run_author = Some(author);
                place.taught = true;
            }
            Piece::Evaluate(samples) => {
                place.evaluated += samples;
                if place.evaluated == self.samples {
                    place.evaluated = 0;
                    place.taught = false;
                }
            }
        }
    }

    pub(super) fn place(&self) -> Place {
        Place {
            taken: self.taken,
            run_author: self.progress.run_author,
            taught: self.progress.taught,
            evaluated: self.progress.evaluated,
        }
    }

    fn go_to(&mut self, place: Place) {
        self.taken = place.taken;
        let batch = self.batches.get(place.taken);
        self.progress.cursor = batch.map_or(self.contribution_count, |batch| batch.first);
        self.progress.run_author = place.run_author;
        self.progress.taught = place.taught;
        self.progress.evaluated = place.evaluated;
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
            let places = from.saturating_sub(first).min(all)..to.saturating_sub(first).min(all);
            first += all;
            self.progress.counted += if places.is_empty() {
                0
            } else if places != (0..all) {
                part.evaluate_some(model, places)
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
