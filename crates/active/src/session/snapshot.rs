//! Snapshot of a session, from which it goes on with the same answers.

use std::{mem, sync::Arc};

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use super::{
    Labeled, Session,
    limits::{Limits, SessionError, at_most},
    model::{LearnerKind, Model},
    opening::Opening,
};
use crate::{
    annotators::{Method, Opinion},
    calibration::Temperature,
    export::AnyLearner,
    numbers::MAX_COUNT,
    stopping::{Rule, Stopping},
    strategy::Strategy,
    stream::{Gate, Stream},
};

/// Version of the snapshot; another one is refused.
const VERSION: u32 = 1;

/// State of a session as plain data, for a caller who stores it.
///
/// It has the labeled rows, which the models learn from again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    version: u32,
    learner: LearnerKind,
    known_classes: Option<usize>,
    classes: usize,
    features: usize,
    strategy: String,
    /// Exponent of the density strategy.
    beta: Option<f64>,
    gate: Option<Gate>,
    rules: Vec<Rule>,
    fixed: Option<Table>,
    method: Method,
    calibrated: bool,
    seed: u64,
    rows: Table,
    opinions: Vec<Opinion>,
    /// Model; `None` if the caller has its own, and of a contract's classifier, which learns anew.
    model: Option<AnyLearner>,
    temperature: f64,
    stream: Option<Stream>,
    stopping: Stopping,
    queries: u64,
}

/// Rows as plain data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Number of rows.
    pub rows: usize,
    /// Numbers of a row.
    pub columns: usize,
    /// All numbers, one row after the other.
    pub numbers: Vec<f64>,
}

impl Table {
    fn of(rows: &Array2<f64>) -> Self {
        Self {
            rows: rows.nrows(),
            columns: rows.ncols(),
            numbers: rows.iter().copied().collect(),
        }
    }

    fn array(mut self) -> Result<Array2<f64>, SessionError> {
        let numbers = mem::take(&mut self.numbers);
        Array2::from_shape_vec((self.rows, self.columns), numbers).map_err(|_| SessionError::Torn)
    }
}

impl Drop for Table {
    /// Overwrites the numbers.
    fn drop(&mut self) {
        self.numbers.zeroize();
    }
}

impl Session {
    /// Returns a snapshot, from which [`Session::restore`] makes the same session.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let opening = &self.opening;
        Snapshot {
            version: VERSION,
            learner: opening.learner,
            known_classes: opening.classes,
            classes: self.classes,
            features: opening.features,
            strategy: opening.strategy.name().to_owned(),
            beta: match opening.strategy {
                Strategy::Density { beta } => Some(beta),
                _ => None,
            },
            gate: opening.gate,
            rules: opening.stopping.clone(),
            fixed: opening.fixed.as_ref().map(Table::of),
            method: opening.method,
            calibrated: opening.calibrated,
            seed: opening.seed,
            rows: Table {
                rows: self.labeled.count,
                columns: opening.features,
                numbers: self.labeled.numbers.clone(),
            },
            opinions: self.labeled.opinions.clone(),
            model: self.model().and_then(Model::exported).cloned(),
            temperature: self.model().map_or(1.0, |it| it.temperature().get()),
            stream: self.stream.clone(),
            stopping: self.stopping.clone(),
            queries: self.queries,
        }
    }

    /// Makes the session of a snapshot.
    ///
    /// # Errors
    ///
    /// The snapshot is of another version, is above the limits, or its parts do not fit each other.
    pub fn restore(mut snapshot: Snapshot, limits: Limits) -> Result<Self, SessionError> {
        if snapshot.version != VERSION {
            return Err(SessionError::Torn);
        }
        let strategy: Strategy = snapshot.strategy.parse().map_err(|_| SessionError::Torn)?;
        let strategy = match (strategy, snapshot.beta) {
            (Strategy::Density { .. }, Some(beta)) => Strategy::Density { beta },
            (strategy, None) => strategy,
            _ => return Err(SessionError::Torn),
        };
        let opening = Opening {
            learner: snapshot.learner,
            classes: snapshot.known_classes,
            features: snapshot.features,
            strategy,
            gate: snapshot.gate,
            stopping: snapshot.rules,
            fixed: snapshot.fixed.map(Table::array).transpose()?,
            method: snapshot.method,
            calibrated: snapshot.calibrated,
            seed: snapshot.seed,
        };
        let mut session = Self::open(opening, limits)?;
        let (count, features) = (snapshot.rows.rows, snapshot.features);
        at_most("labeled rows", count, limits.rows)?;
        session.check_numbers(snapshot.rows.numbers.len())?;
        let max = limits.rows.saturating_mul(limits.opinions);
        at_most("labels", snapshot.opinions.len(), max)?;
        at_most("classes", snapshot.classes, limits.classes)?;
        let temperature = Temperature::from_number(snapshot.temperature);
        let fits = session.has_parts(
            snapshot.stream.as_ref(),
            &snapshot.stopping,
            snapshot.classes,
        ) && snapshot.rows.columns == features
            && count.checked_mul(features) == Some(snapshot.rows.numbers.len())
            && snapshot.opinions.len() >= count
            && covers(&snapshot.opinions, count, snapshot.classes)
            && session.takes(snapshot.model.as_ref(), snapshot.classes, count)
            && snapshot.queries <= MAX_COUNT;
        let Some(temperature) = temperature.filter(|_| fits) else {
            return Err(SessionError::Torn);
        };
        let mut labeled = Labeled::default();
        labeled.count = count;
        labeled.numbers = mem::take(&mut snapshot.rows.numbers);
        labeled.opinions = snapshot.opinions;
        labeled.agree(session.opening.method, snapshot.classes)?;
        session.classes = snapshot.classes;
        session.labeled = Arc::new(labeled);
        match snapshot.model {
            Some(model) => session.model = Some(Arc::new(Model::of(model, temperature))),
            None => session.learn(true)?,
        }
        session.stream = snapshot.stream;
        session.stopping = snapshot.stopping;
        session.queries = snapshot.queries;
        Ok(session)
    }

    /// Returns `true` if the parts are those of a session that was opened like this one.
    fn has_parts(&self, stream: Option<&Stream>, stopping: &Stopping, classes: usize) -> bool {
        let gate = stream.map(Stream::gate);
        let known = self.opening.classes;
        gate == self.opening.gate
            && stopping.rules() == self.opening.stopping
            && known.is_none_or(|known| known == classes)
            && classes >= 2
            && stopping.is_sound(classes, self.limits.call)
            && stream.is_none_or(|stream| stream.is_sound(self.opening.seed))
    }

    /// Returns `true` if a model is one of this session for a number of classes and of labeled rows.
    fn takes(&self, model: Option<&AnyLearner>, classes: usize, rows: usize) -> bool {
        let (kind, seed) = (self.opening.learner, self.opening.seed);
        let made = kind.model(classes, self.opening.features, seed);
        let Ok(made) = made else {
            return false;
        };
        match (model, made.as_ref().and_then(Model::exported)) {
            (Some(model), Some(made)) => kind.has_made(model, made, rows),
            (None, None) => true,
            _ => false,
        }
    }
}

/// Returns `true` if each row has an opinion, and all opinions have a row and a class.
fn covers(opinions: &[Opinion], rows: usize, classes: usize) -> bool {
    let mut has_opinion = vec![false; rows];
    let known = opinions.iter().all(|opinion| {
        let has = has_opinion.get_mut(opinion.row);
        opinion.label < classes && has.map(|has| *has = true).is_some()
    });
    known && has_opinion.into_iter().all(|has| has)
}
