//! Trials of several strategies and seeds, by all cores.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use cotrain_active::{
    LearnError, Learner, Strategy,
    experiment::{ExperimentError, Known, Plan, Split, Trial},
    strategy::Start,
};
use serde::Serialize;

use super::rows::Examples;

/// Choices of an experiment.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) strategies: Vec<Strategy>,
    pub(super) start: Option<Start>,
    pub(super) seeds: u64,
    pub(super) batch: usize,
    pub(super) max_labels: usize,
    pub(super) test: usize,
}

/// Labels that a strategy needs, one number a seed.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Outcome {
    /// Labels to an accuracy of 90 %; `None` if never.
    pub(super) labels_to_90: Vec<Option<usize>>,
    /// Labels to an accuracy of 95 %; `None` if never.
    pub(super) labels_to_95: Vec<Option<usize>>,
    /// Mean time of a query, with the probabilities of the pool.
    pub(super) milliseconds_per_query: f64,
}

/// Result of one trial.
#[derive(Debug, Clone, Copy)]
struct Done {
    to_90: Option<usize>,
    to_95: Option<usize>,
    queries: u32,
    asking: Duration,
}

/// Maker of a learner that has learned nothing, by a seed.
pub(super) type Make<'a> = dyn Fn(u64) -> Result<Box<dyn Learner>, LearnError> + Sync + 'a;

/// Runs all trials, and returns an outcome for each strategy.
///
/// A trial's outcome does not depend on the thread that runs it. After each trial, `tell` is called.
pub(super) fn run(
    examples: &Examples,
    settings: &Settings,
    make: &Make<'_>,
    tell: &(dyn Fn() + Sync),
) -> Result<Vec<Outcome>, ExperimentError> {
    let seeds = usize::try_from(settings.seeds).unwrap_or(usize::MAX);
    let jobs = settings.strategies.len().saturating_mul(seeds);
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let done = Mutex::new(Vec::new());
    let work = || {
        while !failed.load(Ordering::Relaxed) {
            let job = next.fetch_add(1, Ordering::Relaxed);
            if job >= jobs {
                break;
            }
            let strategy = settings.strategies[job / seeds];
            let result = trial(examples, settings, make, strategy, (job % seeds) as u64);
            if result.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push((job, result));
            drop(done);
            tell();
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 1..threads.min(jobs) {
            scope.spawn(work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(job, _)| *job);
    let done: Result<Vec<Done>, _> = done.into_iter().map(|(_, result)| result).collect();
    Ok(done?.chunks(seeds).map(outcome).collect())
}

/// Runs a strategy with a seed until it reached 95 %, or may ask no more.
fn trial(
    examples: &Examples,
    settings: &Settings,
    make: &Make<'_>,
    strategy: Strategy,
    seed: u64,
) -> Result<Done, ExperimentError> {
    let known = Known {
        rows: examples.rows.view(),
        labels: &examples.labels,
    };
    let split = Split::stratified(&examples.labels, settings.test, seed)?;
    let plan = Plan {
        strategy,
        start: settings.start,
    };
    let mut trial = Trial::new(known, &split, make(seed)?, plan, seed)?;
    let (mut queries, mut asking) = (0, Duration::ZERO);
    while trial.labels_to(0.95).is_none() {
        let count = settings.max_labels.saturating_sub(trial.labels());
        let begun = Instant::now();
        let asked = trial.query(settings.batch.min(count))?;
        if asked.is_empty() {
            break;
        }
        asking += begun.elapsed();
        queries += 1;
        trial.learn(&asked)?;
    }
    Ok(Done {
        to_90: trial.labels_to(0.9),
        to_95: trial.labels_to(0.95),
        queries,
        asking,
    })
}

/// Collects the trials of a strategy.
fn outcome(of: &[Done]) -> Outcome {
    let asking: Duration = of.iter().map(|it| it.asking).sum();
    let queries: u32 = of.iter().map(|it| it.queries).sum();
    let mean = asking.as_secs_f64() * 1e3 / f64::from(queries.max(1));
    Outcome {
        labels_to_90: of.iter().map(|it| it.to_90).collect(),
        labels_to_95: of.iter().map(|it| it.to_95).collect(),
        // Microseconds are enough.
        milliseconds_per_query: (mean * 1e3).round() / 1e3,
    }
}
