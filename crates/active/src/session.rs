//! Labeling session: it learns from labels, says which rows are worth one, and when to stop.
//!
//! A call that changes a session returns the next one, and leaves the old one as it was.
//! So a caller can charge for the work between the two, and a call that fails changes nothing.
//! Large parts are shared between the two, and copied only when they change.

mod batch;
mod limits;
mod model;
mod opening;
mod snapshot;

use std::{collections::BTreeMap, sync::Arc};

use ndarray::{Array2, ArrayView2};

pub use self::{
    batch::{Batch, Input, Pool},
    limits::{Limits, SessionError},
    model::LearnerKind,
    opening::Opening,
    snapshot::{Snapshot, Table},
};

use self::model::bytes;
use crate::{
    annotators::{Consensus, Method, Opinion},
    export::AnyLearner,
    learner::Learner,
    measure::{entropy, highest, most_likely},
    stopping::{Stopped, Stopping},
    strategy::{Members, Query, Strategy},
    stream::Stream,
};

/// Number of members of a committee that a session makes of copies of its model.
const COMMITTEE: usize = 5;

/// Memory of an annotator's quality, with its share of the map, in bytes.
const ANNOTATOR: usize = 32;

/// Session of one payer.
#[derive(Debug, Clone)]
pub struct Session {
    opening: Arc<Opening>,
    limits: Limits,
    /// Number of classes so far; all of them if they are known.
    classes: usize,
    labeled: Arc<Labeled>,
    /// Model of the session; `None` if the caller has its own.
    model: Option<Arc<AnyLearner>>,
    stream: Option<Stream>,
    stopping: Stopping,
    /// Number of queries so far, each of which has random numbers of its own.
    queries: u64,
}

/// Labeled rows with what is known of their labels.
#[derive(Debug, Clone, Default)]
struct Labeled {
    /// Number of rows.
    count: usize,
    /// Numbers of all rows, one row after the other.
    numbers: Vec<f64>,
    opinions: Vec<Opinion>,
    /// Label of each row: the consensus.
    labels: Vec<usize>,
    /// Quality of each annotator; empty while no row has two opinions.
    quality: BTreeMap<u32, f64>,
    /// Row that needs another opinion; `None` while no row has two opinions.
    doubtful: Option<usize>,
}

/// Result of a training.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// Number of labeled rows.
    pub rows: usize,
    /// Number of classes.
    pub classes: usize,
    /// Rule that says to stop; `None` while none does.
    pub stopped: Option<Stopped>,
}

/// Decision about a row of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// `true` if the row is worth a label.
    pub ask: bool,
    /// Most probable class.
    pub label: usize,
    /// Difference of the two highest probabilities.
    pub margin: f64,
    /// Entropy of the probabilities, in nats.
    pub entropy: f64,
    /// Probability of each class.
    pub probabilities: Vec<f64>,
}

/// State of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Number of labeled rows.
    pub rows: usize,
    /// Number of opinions about them.
    pub opinions: usize,
    /// Number of classes so far.
    pub classes: usize,
    /// Number of trainings.
    pub iterations: u64,
    /// Number of rows of the stream so far.
    pub seen: u64,
    /// Number of rows of the stream that were worth a label.
    pub asked: u64,
    /// Number of queries of a pool.
    pub queries: u64,
    /// Quality of each annotator; empty while no row has two opinions.
    pub quality: BTreeMap<u32, f64>,
    /// Row that needs another opinion; `None` while no row has two opinions.
    pub doubtful: Option<usize>,
    /// Rule that says to stop; `None` while none does.
    pub stopped: Option<Stopped>,
}

impl Session {
    /// Opens a session that has learned nothing.
    ///
    /// # Errors
    ///
    /// A number is out of the limits, or parts do not fit each other.
    pub fn open(opening: Opening, limits: Limits) -> Result<Self, SessionError> {
        opening.check(&limits)?;
        let classes = opening.classes.unwrap_or(2);
        let (learner, features) = (opening.learner, opening.features);
        let model = learner.model(classes, features, opening.seed)?;
        if let (Some(model), Some(fixed)) = (&model, &opening.fixed) {
            // Else each training would learn, fail at the fixed set, and cost nothing.
            model.probabilities(fixed.view())?;
        }
        let gate = opening.gate;
        let stream = gate
            .map(|gate| Stream::new(gate, opening.seed))
            .transpose()?;
        Ok(Self {
            stopping: Stopping::new(&opening.stopping, opening.classes)?,
            opening: Arc::new(opening),
            limits,
            classes,
            labeled: Arc::default(),
            model: model.map(Arc::new),
            stream,
            queries: 0,
        })
    }

    /// Returns what the session was opened with.
    #[must_use]
    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    /// Returns the number of labeled rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.labeled.count
    }

    /// Returns the model; `None` if the caller has its own.
    #[must_use]
    pub fn learner(&self) -> Option<&AnyLearner> {
        self.model.as_deref()
    }

    /// Returns the number of bytes that the session holds, but for some hundred.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let labeled = &self.labeled;
        let fixed = self.opening.fixed.as_ref().map_or(0, Array2::len);
        // Before the first training, these predictions are still to come.
        let predicted = self.opening.fixed.as_ref().map_or(0, Array2::nrows);
        let predicted = predicted.max(self.stopping.predictions());
        let words = labeled.numbers.capacity() + labeled.labels.capacity() + fixed + predicted;
        words * size_of::<f64>()
            + labeled.quality.len() * ANNOTATOR
            + labeled.opinions.capacity() * size_of::<Opinion>()
            + self
                .learner()
                .map_or(0, |model| bytes(model, labeled.count))
    }

    /// Returns the state.
    #[must_use]
    pub fn state(&self) -> State {
        State {
            rows: self.labeled.count,
            opinions: self.labeled.opinions.len(),
            classes: self.classes,
            iterations: self.stopping.iterations(),
            seen: self.stream.as_ref().map_or(0, Stream::seen),
            asked: self.stream.as_ref().map_or(0, Stream::labeled),
            queries: self.queries,
            quality: self.labeled.quality.clone(),
            doubtful: self.labeled.doubtful,
            stopped: self.stopping.stopped(),
        }
    }

    /// Learns from further rows and opinions. `spent` is the number of all units spent, this call included.
    ///
    /// # Errors
    ///
    /// The batch does not fit the session or its limits.
    pub fn train(&self, batch: &Batch, spent: u64) -> Result<(Self, Trained), SessionError> {
        let mut next = self.clone();
        batch.check(self)?;
        next.classes = next.classes_with(&batch.opinions)?;
        let labeled = Arc::make_mut(&mut next.labeled);
        labeled.count += batch.rows.nrows();
        labeled.numbers.extend(batch.rows.iter());
        labeled.opinions.extend(&batch.opinions);
        labeled.agree(next.opening.method, next.classes)?;
        if let Some(model) = &mut next.model {
            let features = next.opening.features;
            let (kind, seed) = (next.opening.learner, next.opening.seed);
            let mut learned = if next.classes == self.classes {
                AnyLearner::clone(model)
            } else {
                let anew = kind.model(next.classes, features, seed)?;
                anew.ok_or(SessionError::Torn)?
            };
            let rows = view(&next.labeled.numbers, next.labeled.count, features)?;
            learned.fit(rows, &next.labeled.labels)?;
            *model = Arc::new(learned);
        }
        let fixed = next.fixed(batch)?;
        let fixed = fixed.as_ref().map(|rows| rows.view());
        let stopped = next.stopping.trained(fixed, spent)?;
        let trained = Trained {
            rows: next.labeled.count,
            classes: next.classes,
            stopped,
        };
        Ok((next, trained))
    }

    /// Decides about the next rows of the stream, one after the other.
    ///
    /// # Errors
    ///
    /// The session has no gate, or the rows do not fit the session or its limits.
    pub fn decide(&self, input: &Input) -> Result<(Self, Vec<Decision>), SessionError> {
        let mut next = self.clone();
        let stream = next.stream.as_mut().ok_or(SessionError::NoGate)?;
        let probabilities = self.probabilities(input)?;
        let rows = probabilities.rows().into_iter().map(|row| row.to_vec());
        let decisions = rows.map(|probabilities| {
            let (first, second) = highest(&probabilities);
            Decision {
                ask: stream.decide(&probabilities),
                label: most_likely(&probabilities),
                margin: first - second,
                entropy: entropy(&probabilities),
                probabilities,
            }
        });
        let decisions = decisions.collect();
        Ok((next, decisions))
    }

    /// Chooses rows of a pool that are worth a label, and returns their indices, the one that is worth most first.
    ///
    /// # Errors
    ///
    /// The pool does not fit the session or its limits, or the strategy needs what is not there.
    pub fn query(&self, pool: &Pool, count: usize) -> Result<(Self, Vec<usize>), SessionError> {
        let strategy = self.opening.strategy;
        let (rows, probabilities) = pool.check(self)?;
        let probabilities = match probabilities {
            Some(given) => Some(given.clone()),
            None if strategy.needs_probabilities() => self.learner_answers(rows.view())?,
            None => None,
        };
        let features = self.opening.features;
        let labeled = view(&self.labeled.numbers, self.labeled.count, features)?;
        let seed = self.opening.seed.wrapping_add(self.queries);
        let members = match self.learner() {
            Some(learner) if strategy == Strategy::Committee && self.labeled.count > 0 => {
                Some(self.committee(learner, labeled, rows.view(), seed)?)
            }
            _ => None,
        };
        let mut query = Query::new(rows.view(), count, seed);
        if features > 0 {
            query.labeled = labeled;
        }
        query.probabilities = probabilities.as_ref().map(|rows| rows.view());
        query.members = members.as_ref();
        let asks = if strategy == Strategy::Committee && self.labeled.count == 0 {
            // Nothing has been learned, so there is nobody to disagree.
            Strategy::KCenter
        } else {
            strategy
        };
        let chosen = asks.choose(&query)?;
        let mut next = self.clone();
        next.queries += 1;
        Ok((next, chosen))
    }

    /// Returns the probabilities of rows.
    ///
    /// # Errors
    ///
    /// The caller has its own model, or the rows do not fit the session or its limits.
    pub fn predict(&self, rows: &Array2<f64>) -> Result<Array2<f64>, SessionError> {
        self.limits.check_call(rows)?;
        self.learner_answers(rows.view())?
            .ok_or(SessionError::NoModel)
    }

    /// Returns the answers of a committee: the model's own members, or copies that learn from samples of the rows.
    fn committee(
        &self,
        learner: &AnyLearner,
        labeled: ArrayView2<'_, f64>,
        pool: ArrayView2<'_, f64>,
        seed: u64,
    ) -> Result<Members, SessionError> {
        let own = learner.members(pool)?;
        if own.len() > 1 {
            return Ok(Members::sampled(own)?);
        }
        let known = (labeled, self.labeled.labels.as_slice());
        Ok(Members::bagged(learner, COMMITTEE, known, pool, seed)?)
    }

    /// Returns the probabilities of an input, which are the caller's own or the model's.
    fn probabilities(&self, input: &Input) -> Result<Array2<f64>, SessionError> {
        match input {
            Input::Rows(rows) => self.predict(rows),
            Input::Probabilities(given) => {
                self.limits.check_call(given)?;
                self.check_given(given)?;
                Ok(given.clone())
            }
        }
    }

    /// Returns the model's probabilities; `None` if the caller has its own model.
    fn learner_answers(
        &self,
        rows: ArrayView2<'_, f64>,
    ) -> Result<Option<Array2<f64>>, SessionError> {
        let answer = self.learner().map(|learner| learner.probabilities(rows));
        Ok(answer.transpose()?)
    }

    /// Returns the probabilities of the fixed set, if a rule looks at them.
    fn fixed(&self, batch: &Batch) -> Result<Option<Array2<f64>>, SessionError> {
        if !self.stopping.looks_at_predictions() {
            return Ok(None);
        }
        match (&self.opening.fixed, &batch.fixed) {
            (Some(rows), _) => self.learner_answers(rows.view()),
            (None, Some(given)) => Ok(Some(given.clone())),
            (None, None) => Ok(None),
        }
    }

    /// Returns the number of classes after further opinions.
    fn classes_with(&self, opinions: &[Opinion]) -> Result<usize, SessionError> {
        let needed = opinions.iter().map(|it| it.label.saturating_add(1)).max();
        let needed = needed.unwrap_or(0).max(self.classes);
        let max = self.opening.classes.unwrap_or(self.limits.classes);
        if needed > max {
            return Err(SessionError::Label {
                found: needed - 1,
                max: max - 1,
            });
        }
        Ok(needed)
    }
}

impl Labeled {
    /// Makes the labels of the opinions.
    fn agree(&mut self, method: Method, classes: usize) -> Result<(), SessionError> {
        if self.opinions.len() > self.count {
            let consensus = Consensus::new(method, self.count, classes, &self.opinions)?;
            self.doubtful = consensus.doubtful();
            self.labels = consensus.labels;
            self.quality = consensus.quality;
        } else {
            // Each row has one opinion, and nobody disagrees with it.
            let from = self.labels.len();
            self.labels.resize(self.count, 0);
            for opinion in &self.opinions[from..] {
                self.labels[opinion.row] = opinion.label;
            }
        }
        Ok(())
    }
}

fn view(
    numbers: &[f64],
    rows: usize,
    features: usize,
) -> Result<ArrayView2<'_, f64>, SessionError> {
    ArrayView2::from_shape((rows, features), numbers).map_err(|_| SessionError::Torn)
}

#[cfg(test)]
mod tests;
