//! Parameter sweeps: one scenario, a grid of settings and many seeds.
//!
//! A [`Plan`] numbers its runs, and a run is a function of the plan and its number: which thread,
//! process or machine does it, and in which order, makes no difference to its [`Record`]. [`run`]
//! does those that are wanted, [`tables`] and [`analysis`] sum up what was done.

pub mod analysis;
mod plan;
mod record;
mod seeds;
pub mod statistics;
pub mod tables;

use std::{
    num::NonZeroUsize,
    path::PathBuf,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

pub use plan::{LARGEST, Plan, PlanError};
pub use record::{AgentRecord, Percentages, Record, Series};
pub use seeds::{Seeds, SeedsError};

use crate::{Options, Threads, error::SimulateError, simulate};

/// What a sweep needs besides its plan. None of it changes what comes out.
#[derive(Debug, Clone)]
pub struct Work {
    /// The numbers of the runs to do.
    pub runs: Vec<u64>,
    /// How many runs go on at once, each on a thread of its own.
    pub jobs: NonZeroUsize,
    /// Where the scenario's data files are; none: where the scenario says.
    pub data_dir: Option<PathBuf>,
}

/// A run that did not come to its end.
#[derive(Debug, thiserror::Error)]
#[error("run {run} of the sweep ({what})")]
pub struct RunFailed {
    /// Its number.
    pub run: u64,
    /// Its settings and its seed.
    pub what: String,
    /// Why.
    pub source: Box<SimulateError>,
}

/// Does the runs of `work`. Each that comes to its end, or fails, is given to `finished` on the
/// caller's thread, in whatever order they end. Once `finished` returns an error no more are begun.
///
/// # Errors
/// The error of `finished`.
pub fn run<E>(
    plan: &Plan,
    work: &Work,
    finished: &mut dyn FnMut(Result<Record, RunFailed>) -> Result<(), E>,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    // Without room: a worker whose record nobody has taken waits, so that records cannot pile up.
    let (sender, receiver) = mpsc::sync_channel(0);
    thread::scope(|scope| {
        for _ in 0..work.jobs.get().min(work.runs.len()) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let Some(run) = work.runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if sender.send(one(plan, work, *run)).is_err() {
                        // Nobody listens any more.
                        break;
                    }
                }
            });
        }
        drop(sender);
        // Where this returns early, it drops the receiver, and each worker ends with its run.
        receiver.into_iter().try_for_each(finished)
    })
}

/// Run number `run` of the plan, alone on this thread.
fn one(plan: &Plan, work: &Work, run: u64) -> Result<Record, RunFailed> {
    let point = plan.point_of(run);
    let seed = plan.seed_of(run);
    let options = Options {
        seed,
        data_dir: work.data_dir.clone(),
        relay: plan.relay(),
        threads: Threads::One,
    };
    let done = plan
        .scenario_at(point)
        .map_err(SimulateError::from)
        .and_then(|scenario| simulate(&scenario, &options, &mut |_| {}));
    let what = || match plan.label(point) {
        label if label.is_empty() => format!("seed {seed}"),
        label => format!("{label}; seed {seed}"),
    };
    done.map(|done| Record::of(run, &done))
        .map_err(|source| RunFailed {
            run,
            what: what(),
            source: Box::new(source),
        })
}
