//! Labeling session: it learns from labels, says which rows are worth one, and when to stop.
//!
//! A call that changes a session returns the next one, and leaves the old one as it was.
//! So a caller can charge for the work between the two, and a call that fails changes nothing.
//! Large parts are shared between the two, and copied only when they change.

mod batch;
mod limits;
mod model;
mod opening;
mod pools;
mod snapshot;

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use ndarray::{Array2, ArrayView2};
use zeroize::Zeroize as _;

pub use self::{
    batch::{Batch, Input, Pool},
    limits::{Limits, SessionError},
    model::{LearnerKind, Model},
    opening::Opening,
    pools::PoolId,
    snapshot::{Snapshot, Table},
};

use self::pools::{Pools, Unlabeled, selected, view};
use crate::{
    annotators::{Consensus, Method, Opinion},
    measure::{entropy, highest, most_likely},
    stopping::{Stopped, Stopping},
    strategy::{Members, Query, Strategy},
    stream::Stream,
    wiped::wipe,
};

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
    model: Option<Arc<Model>>,
    pools: Pools,
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
            pools: Pools::new(),
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
    pub fn model(&self) -> Option<&Model> {
        self.model.as_deref()
    }

    /// Returns the number of opinions about labeled rows.
    #[must_use]
    pub fn opinions(&self) -> usize {
        self.labeled.opinions.len()
    }

    /// Returns the labeled rows, one after the other, with the label of each.
    #[must_use]
    pub fn labeled(&self) -> (&[f64], &[usize]) {
        (&self.labeled.numbers, &self.labeled.labels)
    }

    /// Returns the strategy that the next query follows.
    #[must_use]
    pub fn asks(&self) -> Strategy {
        let strategy = self.opening.strategy;
        strategy.after(self.labeled.count, self.classes)
    }

    /// Returns the number of bytes that the session holds, but for some hundred.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes_with(0, 0)
    }

    /// Returns the number of bytes after a training on so many new rows and opinions.
    #[must_use]
    pub fn bytes_with(&self, rows: usize, opinions: usize) -> usize {
        let labeled = &self.labeled;
        let fixed = self.opening.fixed.as_ref().map_or(0, Array2::len);
        // Before the first training, these predictions are still to come.
        let predicted = self.opening.fixed.as_ref().map_or(0, Array2::nrows);
        let predicted = predicted.max(self.stopping.predictions());
        let new = rows * (self.opening.features + 1);
        let words =
            labeled.numbers.capacity() + labeled.labels.capacity() + fixed + predicted + new;
        let pools: usize = self.pools.values().map(|pool| pool.bytes()).sum();
        words * size_of::<f64>()
            + labeled.quality.len() * ANNOTATOR
            + (labeled.opinions.capacity() + opinions) * size_of::<Opinion>()
            + pools
            + self
                .model()
                .map_or(0, |model| model.bytes(labeled.count + rows))
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
        self.check_training(batch)?;
        let mut next = self.clone();
        next.classes = next.classes_with(&batch.opinions)?;
        let mut labeled = self.labeled.with(batch);
        labeled.agree(next.opening.method, next.classes)?;
        next.labeled = Arc::new(labeled);
        next.learn(next.classes != self.classes)?;
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
        self.check_stream(input)?;
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
        self.check_query(pool)?;
        let rows = pool.rows(self)?;
        let given = pool.probabilities.as_ref();
        self.ask(&self.unlabeled(&rows, None), given, count)
    }

    /// Chooses among the rows of a pool that are not labeled. `given` is of all its rows.
    fn ask(
        &self,
        pool: &Unlabeled<'_>,
        given: Option<&Array2<f64>>,
        count: usize,
    ) -> Result<(Self, Vec<usize>), SessionError> {
        let strategy = self.asks();
        let (rows, indices) = (pool.rows(), pool.indices());
        let mut next = self.clone();
        next.queries += 1;
        if rows.nrows() == 0 {
            return Ok((next, Vec::new()));
        }
        let probabilities = match given {
            Some(given) => Some(selected(given, indices)),
            None if strategy.needs_probabilities() => self.answers(rows)?.map(Cow::Owned),
            None => None,
        };
        let features = self.opening.features;
        let labeled = view(&self.labeled.numbers, self.labeled.count, features)?;
        let seed = self.opening.seed.wrapping_add(self.queries);
        let members = match self.model() {
            Some(model) if strategy == Strategy::Committee => {
                Some(self.committee(model, labeled, rows, seed)?)
            }
            _ => None,
        };
        let mut query = Query::new(rows, count, seed);
        if features > 0 {
            query.labeled = labeled;
        }
        query.probabilities = probabilities.as_ref().map(|rows| rows.view());
        query.members = members.as_ref();
        let mut chosen = strategy.choose(&query)?;
        if let Some(indices) = indices {
            for index in &mut chosen {
                *index = indices[*index];
            }
        }
        Ok((next, chosen))
    }

    /// Returns the probabilities of rows.
    ///
    /// # Errors
    ///
    /// The caller has its own model, or the rows do not fit the session or its limits.
    pub fn predict(&self, rows: &Array2<f64>) -> Result<Array2<f64>, SessionError> {
        self.check_rows(rows)?;
        self.answers(rows.view())?.ok_or(SessionError::NoModel)
    }

    /// Lets the model learn from all labeled rows, a new one if the classes are others.
    fn learn(&mut self, anew: bool) -> Result<(), SessionError> {
        let Some(model) = &mut self.model else {
            return Ok(());
        };
        let opening = &self.opening;
        let mut learned = if anew {
            let made = opening
                .learner
                .model(self.classes, opening.features, opening.seed)?;
            made.ok_or(SessionError::Torn)?
        } else {
            Model::clone(model)
        };
        if self.labeled.count > 0 {
            let rows = view(&self.labeled.numbers, self.labeled.count, opening.features)?;
            let calibration = opening.calibrated.then_some(opening.seed);
            learned.fit(rows, &self.labeled.labels, calibration)?;
        }
        *model = Arc::new(learned);
        Ok(())
    }

    /// Returns the answers of a committee: the model's own members, or copies that learn from samples of the rows.
    fn committee(
        &self,
        model: &Model,
        labeled: ArrayView2<'_, f64>,
        pool: ArrayView2<'_, f64>,
        seed: u64,
    ) -> Result<Members, SessionError> {
        let learner = model.learner();
        let own = learner.members(pool)?;
        if own.len() > 1 {
            return Ok(Members::sampled(own)?);
        }
        let known = (labeled, self.labeled.labels.as_slice());
        let members = self.opening.learner.members_that_learn();
        Ok(Members::bagged(learner, members, known, pool, seed)?)
    }

    /// Returns the probabilities of a checked input, which are the caller's own or the model's.
    fn probabilities(&self, input: &Input) -> Result<Array2<f64>, SessionError> {
        match input {
            Input::Rows(rows) => self.predict(rows),
            Input::Probabilities(given) => Ok(given.clone()),
        }
    }

    /// Returns the model's probabilities; `None` if the caller has its own model.
    fn answers(&self, rows: ArrayView2<'_, f64>) -> Result<Option<Array2<f64>>, SessionError> {
        let answer = self.model().map(|model| model.probabilities(rows));
        Ok(answer.transpose()?)
    }

    /// Returns the probabilities of the fixed set, if a rule looks at them.
    fn fixed(&self, batch: &Batch) -> Result<Option<Array2<f64>>, SessionError> {
        if !self.stopping.looks_at_predictions() {
            return Ok(None);
        }
        match (&self.opening.fixed, &batch.fixed) {
            (Some(rows), _) => self.answers(rows.view()),
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

impl Drop for Session {
    /// Overwrites the fixed set, once the last copy of the session goes.
    fn drop(&mut self) {
        let opening = Arc::get_mut(&mut self.opening);
        let fixed = opening.and_then(|opening| opening.fixed.as_mut());
        if let Some(fixed) = fixed {
            wipe(fixed);
        }
    }
}

impl Drop for Labeled {
    /// Overwrites rows and labels.
    fn drop(&mut self) {
        self.numbers.zeroize();
        self.labels.zeroize();
        for opinion in &mut self.opinions {
            opinion.label.zeroize();
        }
    }
}

impl Labeled {
    /// Returns the rows with those of a batch, whose labels are still to be made.
    ///
    /// Their memory is asked for once: a vector that grows would leave copies behind.
    fn with(&self, batch: &Batch) -> Self {
        let mut numbers = Vec::with_capacity(self.numbers.len() + batch.rows.len());
        numbers.extend(&self.numbers);
        numbers.extend(batch.rows.iter());
        let count = self.count + batch.rows.nrows();
        let mut labels = Vec::with_capacity(count);
        labels.extend(&self.labels);
        Self {
            count,
            numbers,
            opinions: [&self.opinions[..], &batch.opinions].concat(),
            labels,
            quality: self.quality.clone(),
            doubtful: self.doubtful,
        }
    }

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

#[cfg(test)]
mod tests;
