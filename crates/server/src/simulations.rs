//! Simulations that clients ask for: one run at a time, a short queue, and the last results.

use std::{
    any::Any,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use axum::body::Bytes;
use cotrain_chain::Embedded;
use cotrain_results::{
    format::quoted,
    run::{self, Summary},
};
use cotrain_simulator::{
    Bounds, Options, Progress, Simulation, Threads, beginning,
    scenario::{Scenario, ScenarioError, settings::Setting},
};
use serde_json::Value;

use crate::config::SimulationsSection;

/// Maximum size of a scenario's text, in bytes. The embedded ones have about 2,000.
pub(crate) const MAX_TEXT: usize = 65_536;
/// Maximum number of features of a scenario: an embedded text has fewer words.
const MAX_FEATURES: usize = 16_384;
/// Maximum size of all pages that are kept, in bytes. A page has some 100,000.
const MAX_PAGES: usize = 64 << 20;

/// Runs of one coordinator, and the folder of its sweeps; cheap to clone. The default takes no runs
/// and has no folder.
#[derive(Debug, Clone, Default)]
pub struct Simulations {
    running: Option<Arc<Inner>>,
    sweeps: Option<PathBuf>,
}

#[derive(Debug)]
struct Inner {
    section: SimulationsSection,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// All runs that are known, in the order in which they were asked for.
    runs: VecDeque<Entry>,
    /// `true` while a thread works on the queue.
    working: bool,
    /// `true` once the coordinator stops: nothing is taken any more.
    stopped: bool,
}

#[derive(Debug)]
struct Entry {
    id: String,
    job: Arc<Job>,
    stage: Stage,
    canceled: Arc<AtomicBool>,
}

/// Run as it was asked for.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) scenario: Scenario,
    pub(crate) seed: u64,
    /// Whether the scenario is an embedded one, unchanged.
    pub(crate) unchanged: bool,
}

/// State of a run.
#[derive(Debug, Clone)]
pub(crate) enum Stage {
    /// It is in the queue; the number of runs before it.
    Waiting(usize),
    /// It runs; `None` until the first figures are there.
    Running(Option<Progress>),
    /// It has ended.
    Done {
        /// Figures, with all details.
        summary: Arc<Value>,
        /// The page.
        page: Bytes,
    },
    /// It was stopped, or its scenario turned out to be impossible.
    Failed(String),
}

/// Run with its state.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) job: Arc<Job>,
    pub(crate) stage: Stage,
}

/// Reason why a run is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("no simulations are run here; simulations.enabled switches them on")]
    Disabled,
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error("the scenario is {found} bytes long; expected at most {MAX_TEXT}")]
    TooLong { found: usize },
    #[error(
        "the scenario reads files, and this coordinator reads none for its clients; use the data `movie-reviews` or `digits`, or run it with `cotrain simulate`"
    )]
    ReadsFiles,
    #[error("the scenario's agents act with {found} accounts; expected at most {max}")]
    Accounts { found: usize, max: usize },
    #[error("the scenario keeps up to {found} features; expected at most {MAX_FEATURES}")]
    Features { found: usize },
    #[error("{max} simulations are pending here already; try again later")]
    Full { max: usize },
}

impl Simulations {
    /// Creates a service that runs simulations within the bounds of its configuration.
    #[must_use]
    pub fn new(section: SimulationsSection) -> Self {
        let sweeps = section.sweeps.clone();
        let running = section.enabled.then(|| {
            Arc::new(Inner {
                section,
                state: Mutex::default(),
            })
        });
        Self { running, sweeps }
    }

    /// Returns the folder of the sweeps; `None` if there is none.
    pub(crate) fn sweeps(&self) -> Option<&Path> {
        self.sweeps.as_deref()
    }

    /// Returns `true` if runs are taken.
    pub(crate) fn is_enabled(&self) -> bool {
        self.running.is_some()
    }

    /// Returns `true` if this coordinator would run a scenario.
    pub(crate) fn takes(&self, scenario: &Scenario) -> bool {
        let inner = self.running.as_ref();
        inner.is_some_and(|inner| check(scenario, &inner.section).is_ok())
    }

    /// Takes a run, and returns its id, which nobody can guess.
    pub(crate) fn submit(&self, job: Job) -> Result<String, Refusal> {
        let inner = self.running.as_ref().ok_or(Refusal::Disabled)?;
        check(&job.scenario, &inner.section)?;
        let id = new_id();
        let mut state = inner.state();
        let waiting = state.runs.iter().filter(|run| run.stage.is_waiting());
        let max = inner.section.max_waiting;
        if state.stopped || waiting.count() >= max {
            return Err(Refusal::Full { max });
        }
        state.runs.push_back(Entry {
            id: id.clone(),
            job: Arc::new(job),
            stage: Stage::Waiting(0),
            canceled: Arc::default(),
        });
        if !state.working {
            let of = Arc::clone(inner);
            let thread = thread::Builder::new().name("simulations".to_owned());
            // The thread cannot begin while this one holds the state.
            state.working = thread.spawn(move || of.work()).is_ok();
        }
        Ok(id)
    }

    /// Returns a run; `None` if it is unknown, or was forgotten.
    pub(crate) fn find(&self, id: &str) -> Option<Found> {
        let state = self.running.as_ref()?.state();
        let index = state.runs.iter().position(|run| run.id == id)?;
        let before = state.runs.iter().take(index);
        let before = before.filter(|run| !run.stage.is_over()).count();
        let run = &state.runs[index];
        Some(Found {
            job: Arc::clone(&run.job),
            stage: match &run.stage {
                Stage::Waiting(_) => Stage::Waiting(before),
                other => other.clone(),
            },
        })
    }

    /// Forgets a run, which ends if it is not finished. Returns `false` if it is unknown.
    pub(crate) fn forget(&self, id: &str) -> bool {
        let Some(inner) = &self.running else {
            return false;
        };
        let mut state = inner.state();
        let Some(index) = state.runs.iter().position(|run| run.id == id) else {
            return false;
        };
        let run = state.runs.remove(index);
        run.inspect(|run| run.canceled.store(true, Ordering::Relaxed));
        true
    }

    /// Ends all runs, and takes none any more.
    pub fn stop(&self) {
        let Some(inner) = &self.running else {
            return;
        };
        let mut state = inner.state();
        state.stopped = true;
        for run in state.runs.drain(..) {
            run.canceled.store(true, Ordering::Relaxed);
        }
    }
}

/// Returns an error for a scenario that is beyond the bounds, before anything runs.
fn check(scenario: &Scenario, section: &SimulationsSection) -> Result<(), Refusal> {
    if scenario.text().len() > MAX_TEXT {
        let found = scenario.text().len();
        return Err(Refusal::TooLong { found });
    }
    if !scenario.reads_no_file() {
        return Err(Refusal::ReadsFiles);
    }
    let (found, max) = (scenario.accounts(), section.max_accounts);
    if found > max {
        return Err(Refusal::Accounts { found, max });
    }
    match scenario.features() {
        Some(found) if found > MAX_FEATURES => Err(Refusal::Features { found }),
        _ => Ok(()),
    }
}

/// Returns a scenario by its name, or by its text. No text makes this read a file.
pub(crate) fn scenario(
    name: Option<&str>,
    text: Option<&str>,
    settings: &[Setting],
) -> Result<Scenario, Refusal> {
    let embedded = |name: &str| Scenario::embedded().iter().find(|(it, _)| *it == name);
    let scenario = match (name, text) {
        (Some(name), _) => {
            let Some((name, text)) = embedded(name) else {
                let names = Scenario::embedded().iter().map(|(name, _)| *name);
                return Err(Refusal::Scenario(ScenarioError::Unknown {
                    name: name.to_owned(),
                    nearest: None,
                    known: names.collect::<Vec<_>>().join(", "),
                }));
            };
            Scenario::parse(name, &format!("scenarios/{name}.toml"), text, None)?
        }
        (None, Some(text)) if text.len() > MAX_TEXT => {
            return Err(Refusal::TooLong { found: text.len() });
        }
        (None, text) => Scenario::parse("own", "own.toml", text.unwrap_or_default(), None)?,
    };
    Ok(scenario.with(settings)?)
}

impl Stage {
    fn is_waiting(&self) -> bool {
        matches!(self, Self::Waiting(_))
    }

    fn is_over(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Failed(_))
    }

    fn size(&self) -> usize {
        match self {
            Self::Done { page, .. } => page.len(),
            _ => 0,
        }
    }
}

impl Job {
    /// Returns the command that gives the same results.
    pub(crate) fn command(&self) -> String {
        let name = self.scenario.name();
        let ending = if self.unchanged { "" } else { ".toml" };
        format!(
            "cotrain simulate {} --seed {}",
            quoted(&format!("{name}{ending}")),
            self.seed
        )
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs what is pending, one after the other, until nothing is.
    fn work(&self) {
        loop {
            let mut state = self.state();
            let next = state.runs.iter_mut().find(|run| run.stage.is_waiting());
            let Some(run) = next else {
                state.working = false;
                return;
            };
            run.stage = Stage::Running(None);
            let (id, job) = (run.id.clone(), Arc::clone(&run.job));
            let canceled = Arc::clone(&run.canceled);
            drop(state);
            let ended = catch_unwind(AssertUnwindSafe(|| self.simulate(&id, &job, canceled)));
            let ended = ended.unwrap_or_else(|panic| {
                tracing::error!(reason = text(&*panic), "a simulation panicked");
                Stage::Failed(
                    "the simulation has a mistake of its own; its operator's log says which"
                        .to_owned(),
                )
            });
            self.set(&id, ended);
            self.tidy();
        }
    }

    fn simulate(&self, id: &str, job: &Job, canceled: Arc<AtomicBool>) -> Stage {
        let bounds = Bounds {
            max_values: self.section.max_values,
            deadline: Instant::now() + self.section.max_time,
            canceled,
        };
        let options = Options {
            seed: job.seed,
            data_dir: None,
            relay: None,
            threads: Threads::One,
        };
        let chain = Embedded::new(beginning(&job.scenario));
        let simulated = Simulation::new(&job.scenario, &options)
            .with_bounds(&bounds)
            .run(chain, &mut |progress| {
                self.set(id, Stage::Running(Some(*progress)));
            });
        let run = match simulated {
            Ok(run) => run,
            Err(error) => return Stage::Failed(reason(&error)),
        };
        let page = run::page(&run, &job.command());
        let summary = serde_json::to_value(Summary::with_details(&run));
        match (page, summary) {
            (Ok(page), Ok(summary)) => Stage::Done {
                summary: Arc::new(summary),
                page: page.into(),
            },
            (Err(error), _) => Stage::Failed(reason(&error)),
            (_, Err(error)) => Stage::Failed(reason(&error)),
        }
    }

    /// Sets the state of a run, unless it was forgotten.
    fn set(&self, id: &str, stage: Stage) {
        let mut inner = self.state();
        if let Some(run) = inner.runs.iter_mut().find(|run| run.id == id) {
            run.stage = stage;
        }
    }

    /// Forgets the oldest ended runs beyond those that are kept.
    fn tidy(&self) {
        let mut state = self.state();
        loop {
            let ended = state.runs.iter().filter(|run| run.stage.is_over());
            let size: usize = ended.clone().map(|run| run.stage.size()).sum();
            if ended.count() <= self.section.keep && size <= MAX_PAGES {
                return;
            }
            let oldest = state.runs.iter().position(|run| run.stage.is_over());
            oldest.and_then(|oldest| state.runs.remove(oldest));
        }
    }
}

/// Returns an error with its causes, in one line.
fn reason(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        said = format!("{said}: {cause}");
        source = cause.source();
    }
    said
}

impl Refusal {
    /// Returns the reason with its causes.
    pub(crate) fn reason(&self) -> String {
        reason(self)
    }
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("unknown")
}

/// Returns an id of 32 random hexadecimal digits: whoever knows it may see and cancel the run.
fn new_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn section() -> SimulationsSection {
        SimulationsSection {
            max_waiting: 2,
            keep: 2,
            ..SimulationsSection::default()
        }
    }

    /// Returns a scenario whose run takes a moment, or ends at once.
    fn job(short: bool) -> Job {
        let samples = if short { 100 } else { 1_400 };
        let setting = Setting {
            path: "data.train_samples".to_owned(),
            value: samples.into(),
        };
        Job {
            scenario: scenario(Some("digits"), None, &[setting]).expect("a scenario"),
            seed: 1,
            unchanged: false,
        }
    }

    fn wait(simulations: &Simulations, id: &str) -> Stage {
        loop {
            match simulations.find(id).expect("the run").stage {
                Stage::Waiting(_) | Stage::Running(_) => thread::sleep(Duration::from_millis(5)),
                ended => return ended,
            }
        }
    }

    #[test]
    fn submit_runs_one_at_a_time_and_refuses_beyond_the_queue() {
        let simulations = Simulations::new(section());
        let first = simulations.submit(job(false)).expect("taken");
        while !matches!(
            simulations.find(&first).expect("it").stage,
            Stage::Running(_)
        ) {
            thread::sleep(Duration::from_millis(1));
        }
        let rest: Vec<_> = (0..2)
            .map(|_| simulations.submit(job(true)).expect("taken"))
            .collect();
        let refused = simulations.submit(job(true));
        assert!(
            matches!(refused, Err(Refusal::Full { max: 2 })),
            "{refused:?}"
        );
        let stage = simulations.find(&rest[1]).expect("it").stage;
        assert!(matches!(stage, Stage::Waiting(2)), "{stage:?}");
        // A running simulation that is canceled makes room, and the others go on.
        assert!(simulations.forget(&first));
        assert!(simulations.find(&first).is_none());
        for id in &rest {
            let ended = wait(&simulations, id);
            assert!(matches!(ended, Stage::Done { .. }), "{ended:?}");
        }
        // Only two ended runs are kept.
        let last = simulations.submit(job(true)).expect("taken");
        wait(&simulations, &last);
        while simulations.find(&rest[0]).is_some() {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(simulations.find(&rest[1]).is_some());
    }

    #[test]
    fn simulate_stops_at_each_bound() {
        for (bounded, expected) in [
            (
                SimulationsSection {
                    max_time: Duration::ZERO,
                    ..section()
                },
                "it took longer than it may",
            ),
            (
                SimulationsSection {
                    max_values: 10,
                    ..section()
                },
                "it made more events and evaluations than it may",
            ),
        ] {
            let simulations = Simulations::new(bounded);
            let id = simulations.submit(job(true)).expect("taken");
            let Stage::Failed(reason) = wait(&simulations, &id) else {
                panic!("it was not stopped");
            };
            assert!(reason.contains(expected), "{reason}");
        }
    }

    #[test]
    fn stop_ends_everything_and_takes_nothing() {
        let simulations = Simulations::new(section());
        let id = simulations.submit(job(false)).expect("taken");
        simulations.stop();
        assert!(simulations.find(&id).is_none());
        assert!(simulations.submit(job(true)).is_err());
        let inner = simulations.running.as_ref().expect("enabled");
        while inner.state().working {
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn takes_every_embedded_scenario_that_reads_no_file() {
        let simulations = Simulations::new(SimulationsSection::default());
        let mut taken = 0;
        for (name, _) in Scenario::embedded() {
            let scenario = Scenario::find(name).expect("a scenario");
            assert_eq!(
                simulations.takes(&scenario),
                scenario.reads_no_file(),
                "{name}"
            );
            taken += usize::from(scenario.reads_no_file());
        }
        assert!(taken >= 12, "{taken}");
        assert!(!Simulations::default().takes(&Scenario::find("digits").expect("it")));
    }
}
