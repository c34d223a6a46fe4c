//! A pass of scoring: all contributions are taught to a new model, and whoever taught it something scores by how many
//! samples of the test set more it predicts right.

use alloy_primitives::Address;

use super::{Contributions, Market, Stage, part::Part};
use crate::{Rejection, classifier::Classifier, sample::parse_batch};

/// What one [`Market::score`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scored {
    /// How many of the records were taught or skipped. The others are to be given again.
    pub taken: usize,
    /// How many samples were evaluated.
    pub samples: u64,
    /// The runs that ended, in order.
    pub runs: Vec<Run>,
}

/// Consecutive contributions of an author that were scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Whose.
    pub author: Address,
    /// By how many samples they improved the model.
    pub change: i64,
    /// How many samples it now predicts right.
    pub correct: u64,
}

/// What comes next in a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// Passing over the contributions of a transaction, whose author has been removed.
    Skip,
    /// Teaching the contributions of a transaction, which are of this author.
    Teach(Address),
    /// Evaluating so many samples, the next ones.
    Evaluate(u64),
}

/// A place in a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// How many batches are behind it.
    pub(super) taken: usize,
    pub(super) run_author: Option<Address>,
    pub(super) taught: bool,
    /// How many samples have been evaluated since something was taught.
    pub(super) evaluated: u64,
}

impl Market {
    /// Begins a pass with a new model, and copies at most so many of the words that the market began with to it; once
    /// all are copied it can be taught.
    ///
    /// # Errors
    /// [`Rejection::WrongPhase`], [`Rejection::WrongStage`]; [`Rejection::NoProgress`] for no words.
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
        // The same words, with the version that the parts were evaluated with when they were revealed.
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

    /// Teaches contributions to the model of the pass and scores them, as far as the records and samples go.
    ///
    /// The records are the contributions from the cursor on, in order. Those that are not reached are not looked at. Each
    /// time that the author changes, and in the end, the model is evaluated on all parts but the drawn one; an evaluation
    /// that has begun goes on whatever the records are.
    ///
    /// # Errors
    /// [`Rejection::WrongPhase`], [`Rejection::WrongStage`]; [`Rejection::UnknownContribution`] for the first record that
    /// is looked at and not what was contributed; [`Rejection::NoProgress`].
    pub fn score(
        &mut self,
        now: u64,
        records: &[Contributions],
        samples: u64,
    ) -> Result<Scored, Rejection> {
        self.require_stage(now, Stage::Teaching)?;
        // First what is to be done, which does not depend on what the model learns: an error changes nothing.
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
                        // Checked when they were contributed, by a model with the same parameters.
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

    /// What is done with so many samples and these records, which are those from the cursor on. `check` is asked about each
    /// record that is looked at, given the place of its batch.
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

    /// Whether the next samples are to be evaluated, whatever the next record is.
    pub(super) fn evaluation_due(&self, place: Place) -> bool {
        place.evaluated > 0 || place.taught && place.taken == self.batches.len()
    }

    /// Where a piece leads.
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

    /// Counts how many of the next samples, over all parts but the drawn one, the model predicts right.
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

    /// Scores what was taught since the last time.
    fn end_run(&mut self) -> Option<Run> {
        let progress = &mut self.progress;
        let author = progress.run_author?;
        // Below 2^31 each: 255 parts of fewer than 2^13 samples.
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
