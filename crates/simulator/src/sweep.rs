//! Parameter sweeps: one scenario, a grid of settings and many seeds.
//!
//! A [`Plan`] numbers its runs. A run is a function of the plan and its number. So its [`Record`]
//! does not depend on the thread, process or machine, nor on the order of runs. [`run`] executes
//! the requested runs; [`tables`] and [`analysis`] sum them up.

pub mod analysis;
mod plan;
mod record;
mod seeds;
pub mod statistics;
pub mod tables;
mod tested;

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
pub use tested::{Tested, TestedPoint};

use crate::{Options, Threads, error::SimulateError, simulate};

/// Workload of one process besides the plan. Nothing here changes the results.
#[derive(Debug, Clone)]
pub struct Work {
    /// Numbers of the runs to execute.
    pub runs: Vec<u64>,
    /// Maximum number of concurrent runs, each on a thread of its own.
    pub jobs: NonZeroUsize,
    /// Folder of the scenario's data files; `None` if the scenario's own paths apply.
    pub data_dir: Option<PathBuf>,
}

/// Run that failed.
#[derive(Debug, thiserror::Error)]
#[error("run {run} of the sweep ({what})")]
pub struct RunFailed {
    /// Number of the run.
    pub run: u64,
    /// Settings and seed of the run.
    pub what: String,
    /// Cause of the failure.
    pub source: Box<SimulateError>,
}

/// Executes the runs of `work`. Passes each finished or failed run to `finished` on the caller's
/// thread, in the order in which they end. Starts no more runs once `finished` returns an error.
///
/// # Errors
/// Returns the error of `finished`.
pub fn run<E>(
    plan: &Plan,
    work: &Work,
    finished: &mut dyn FnMut(Result<Record, RunFailed>) -> Result<(), E>,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    // The channel has no buffer: a worker waits until its record is taken, so records cannot pile
    // up.
    let (sender, receiver) = mpsc::sync_channel(0);
    thread::scope(|scope| {
        for _ in 0..work.jobs.get().min(work.runs.len()) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let Some(run) = work.runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if sender.send(one(plan, work, *run)).is_err() {
                        // The receiver is gone.
                        break;
                    }
                }
            });
        }
        drop(sender);
        // An early return here drops the receiver, and each worker ends after its current run.
        receiver.into_iter().try_for_each(finished)
    })
}

/// Executes run number `run` of the plan on this thread.
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
