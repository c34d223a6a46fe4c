//! The run itself: an event queue over simulated time.

use std::{cmp::Reverse, collections::BinaryHeap, path::PathBuf, thread, time::Instant};

use cotrain_chain::{Config, Embedded};
use cotrain_learning::{
    accuracy,
    encode::{self, Samples},
    train,
};

use crate::{
    agent::Worker,
    economy::{Economy, Pending},
    error::SimulateError,
    run::{Accuracy, Action, AgentOutcome, Counts, DataSizes, Event, Gas, Run, SeriesRow},
    scenario::{Scenario, UNIT},
};

/// The time at which every simulation begins: 2026-01-01, in Unix seconds.
const START: u64 = 1_767_225_600;

/// What a run needs besides its scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The seed of everything random.
    pub seed: u64,
    /// Where the scenario's data files are; none: where the scenario says.
    pub data_dir: Option<PathBuf>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Contributions so far.
    pub contributions: u64,
    /// Contributions there is data for.
    pub of: u64,
    /// Simulated seconds so far.
    pub seconds: u64,
    /// Contributions of which something is still to be claimed.
    pub unclaimed: u64,
    /// The accuracy last measured.
    pub accuracy: f64,
}

/// Runs `scenario` on the embedded chain. The same scenario, data and seed give the same run on
/// every machine but for its wall time. `progress` is called now and then.
///
/// # Errors
/// Where the data cannot be read or does not fit the model, where the chain refuses what the rules
/// allow, or where it computes something else than the rules do ([`SimulateError::Diverged`]).
pub fn simulate(
    scenario: &Scenario,
    options: &Options,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Run, SimulateError> {
    let started = Instant::now();
    let data = Prepared::load(scenario, options)?;
    // The baseline needs nothing of the run and the run nothing of it: they go side by side.
    thread::scope(|scope| {
        let baseline = scope.spawn(|| data.train(scenario, data.train.len(), options.seed));
        let initial = data.train(scenario, data.initial, options.seed)?;
        let initial_float = initial.report.accuracy_float;
        let chain = Embedded::new(Config {
            start: START,
            gas_price: scenario.gas_price,
        });
        let economy = Economy::found(chain, scenario, initial.classifier)?;
        let workers = scenario
            .agents
            .iter()
            .enumerate()
            .map(|(place, agent)| Worker::new(agent.clone(), place, options.seed))
            .collect();
        let mut engine = Engine::new(scenario, &data, economy, workers)?;
        engine.run(progress)?;
        let baseline = baseline
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        engine.finish(
            options.seed,
            initial_float,
            baseline.report.accuracy_quantised,
            started,
        )
    })
}

/// The data, encoded, and divided into what the initial model sees, what is contributed and what
/// the accuracy is measured on.
struct Prepared {
    train: Samples,
    test: Samples,
    /// The first so many of `train` train the initial model.
    initial: usize,
    classes: u16,
}

impl Prepared {
    fn load(scenario: &Scenario, options: &Options) -> Result<Self, SimulateError> {
        let source = scenario.data_source(options.data_dir.as_deref())?;
        let dataset =
            cotrain_learning::data::load(&source, scenario.data.test_share, options.seed)?;
        let encoded = encode::encode(&dataset, scenario.model.kind, scenario.data.features)?;
        let initial = share(encoded.train.len(), scenario.data.initial_share);
        if initial == 0 || initial == encoded.train.len() {
            return Err(SimulateError::NothingToDo {
                samples: encoded.train.len(),
                initial,
            });
        }
        let classes = u16::try_from(encoded.classes.len()).unwrap_or(u16::MAX);
        Ok(Self {
            train: encoded.train,
            test: encoded.test,
            initial,
            classes,
        })
    }

    fn train(
        &self,
        scenario: &Scenario,
        samples: usize,
        seed: u64,
    ) -> Result<train::Trained, SimulateError> {
        let options = train::Options {
            smoothing: scenario.model.smoothing,
            seed,
            ..train::Options::default()
        };
        Ok(train::train(
            scenario.model.kind,
            &self.train.take(0..samples),
            &options,
            &self.test,
        )?)
    }
}

/// That share of `of`, rounded down.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss
)]
fn share(of: usize, share: f64) -> usize {
    // Sets of data are far below 2^52 and the share is in [0, 1].
    (of as f64 * share) as usize
}

struct Engine<'a> {
    scenario: &'a Scenario,
    data: &'a Prepared,
    economy: Economy<Embedded>,
    workers: Vec<Worker>,
    outcomes: Vec<AgentOutcome>,
    /// Turns to come: the earliest first, at the same second the agent first in the scenario.
    turns: BinaryHeap<Reverse<(u64, usize)>>,
    /// Contributions of which something is left, oldest first.
    pending: Vec<Pending>,
    /// The next sample to contribute.
    next_sample: usize,
    accuracy: f64,
    next_evaluation: u64,
    series: Vec<SeriesRow>,
    events: Vec<Event>,
    counts: Counts,
    gas: Gas,
}

impl<'a> Engine<'a> {
    fn new(
        scenario: &'a Scenario,
        data: &'a Prepared,
        mut economy: Economy<Embedded>,
        mut workers: Vec<Worker>,
    ) -> Result<Self, SimulateError> {
        let mut turns = BinaryHeap::new();
        for (place, worker) in workers.iter_mut().enumerate() {
            economy.fund(worker.address, worker.profile.start_balance)?;
            turns.push(Reverse((worker.next_wait(), place)));
        }
        let outcomes = workers.iter().map(|worker| AgentOutcome {
            name: worker.profile.name.clone(),
            good: worker.profile.good,
            start_balance: worker.profile.start_balance,
            end_balance: worker.profile.start_balance,
            contributions: 0,
            refunds: 0,
            reports: 0,
            late_claims: 0,
            gas: 0,
        });
        let outcomes = outcomes.collect();
        let mut engine = Self {
            scenario,
            data,
            economy,
            workers,
            outcomes,
            turns,
            pending: Vec::new(),
            next_sample: data.initial,
            accuracy: 0.0,
            next_evaluation: 0,
            series: Vec::new(),
            events: Vec::new(),
            counts: Counts::default(),
            gas: Gas::default(),
        };
        engine.evaluate(0)?;
        engine.next_evaluation = scenario.evaluate_every;
        Ok(engine)
    }

    /// Turn after turn until there is nothing left to contribute and nothing left to claim.
    fn run(&mut self, progress: &mut dyn FnMut(&Progress)) -> Result<(), SimulateError> {
        while let Some(Reverse((seconds, agent))) = self.turns.pop() {
            if seconds > self.scenario.limit || self.pending.is_empty() && !self.work_is_left()? {
                break;
            }
            while self.next_evaluation < seconds {
                self.evaluate(self.next_evaluation)?;
                self.next_evaluation += self.scenario.evaluate_every;
                progress(&self.progress(seconds));
            }
            self.economy.set_time(START + seconds)?;
            if self.next_sample < self.data.train.len() {
                self.contribute(agent, seconds)?;
            }
            self.claim(agent, seconds)?;
            let wait = self.workers[agent].next_wait();
            self.turns.push(Reverse((seconds + wait, agent)));
        }
        let end = self.events.last().map_or(0, |event| event.seconds);
        while self.next_evaluation < end {
            self.evaluate(self.next_evaluation)?;
            self.next_evaluation += self.scenario.evaluate_every;
        }
        if self.series.last().is_none_or(|row| row.seconds < end) {
            self.evaluate(end)?;
        }
        progress(&self.progress(end));
        Ok(())
    }

    /// Whether there is data left and an agent that can pay for contributing it.
    fn work_is_left(&mut self) -> Result<bool, SimulateError> {
        if self.next_sample == self.data.train.len() {
            return Ok(false);
        }
        for worker in &self.workers {
            if !worker.is_broke(self.economy.balance(worker.address)?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn progress(&self, seconds: u64) -> Progress {
        Progress {
            contributions: (self.next_sample - self.data.initial) as u64,
            of: (self.data.train.len() - self.data.initial) as u64,
            seconds,
            unclaimed: self.pending.len() as u64,
            accuracy: self.accuracy,
        }
    }

    fn evaluate(&mut self, seconds: u64) -> Result<(), SimulateError> {
        self.accuracy = accuracy(self.economy.classifier(), &self.data.test);
        let mut balances = Vec::with_capacity(self.workers.len());
        for worker in &self.workers {
            balances.push(self.economy.balance(worker.address)?);
        }
        self.series.push(SeriesRow {
            seconds,
            accuracy: self.accuracy,
            balances,
            contributions: (self.next_sample - self.data.initial) as u64,
            unclaimed: self.pending.len() as u64,
        });
        Ok(())
    }

    /// The agent sends the next sample, if it wants to and can pay what that costs now.
    fn contribute(&mut self, agent: usize, seconds: u64) -> Result<(), SimulateError> {
        let worker = &mut self.workers[agent];
        let balance = self.economy.balance(worker.address)?;
        if worker.is_broke(balance) {
            return Ok(());
        }
        let (sample, label) = self.data.train.get(self.next_sample);
        let label = worker.label(label, self.data.classes);
        if !worker.wants_to_work(self.accuracy) {
            return Ok(());
        }
        let willing = worker.next_deposit();
        if willing > balance || self.economy.price() > willing {
            return Ok(());
        }
        let Some(sent) = self
            .economy
            .contribute(worker.address, agent, label, sample)?
        else {
            return Ok(());
        };
        self.next_sample += 1;
        self.counts.changed += u64::from(sent.changed);
        self.record(
            seconds,
            Action::Contribution,
            agent,
            &sent.pending,
            sent.pending.claim.deposit,
            sent.gas,
        );
        self.pending.push(sent.pending);
        Ok(())
    }

    /// The agent claims all that it can now.
    fn claim(&mut self, agent: usize, seconds: u64) -> Result<(), SimulateError> {
        let address = self.workers[agent].address;
        let mut pending = std::mem::take(&mut self.pending);
        let mut settled = false;
        for contribution in &mut pending {
            if !self.economy.is_claimable(contribution) {
                // Later ones are younger.
                break;
            }
            let Some(action) = self.economy.possible_claim(address, agent, contribution) else {
                continue;
            };
            let Some((amount, gas)) = self.economy.claim(address, agent, action, contribution)?
            else {
                continue;
            };
            settled |= contribution.settled;
            self.record(seconds, action, agent, contribution, amount, gas);
        }
        if settled {
            pending.retain(|contribution| !contribution.settled);
        }
        self.pending = pending;
        Ok(())
    }

    fn record(
        &mut self,
        seconds: u64,
        action: Action,
        agent: usize,
        of: &Pending,
        amount: u128,
        gas: u64,
    ) {
        let outcome = &mut self.outcomes[agent];
        let (own, all, kind) = match action {
            Action::Contribution => (
                &mut outcome.contributions,
                &mut self.counts.contributions,
                &mut self.gas.contributions,
            ),
            Action::Refund => (
                &mut outcome.refunds,
                &mut self.counts.refunds,
                &mut self.gas.claims,
            ),
            Action::Report => (
                &mut outcome.reports,
                &mut self.counts.reports,
                &mut self.gas.claims,
            ),
            Action::LateClaim => (
                &mut outcome.late_claims,
                &mut self.counts.late_claims,
                &mut self.gas.claims,
            ),
        };
        *own += 1;
        *all += 1;
        *kind += gas;
        outcome.gas += gas;
        self.events.push(Event {
            seconds,
            action,
            // At most 1000 agents, by the check of the scenario.
            agent: u16::try_from(agent).unwrap_or(u16::MAX),
            position: of.claim.position,
            label: of.claim.label,
            amount,
            gas,
        });
    }

    /// Holds the chain against the rules once more and sums the run up.
    fn finish(
        mut self,
        seed: u64,
        initial_float: f64,
        baseline: f64,
        started: Instant,
    ) -> Result<Run, SimulateError> {
        self.economy.compare()?;
        for (outcome, worker) in self.outcomes.iter_mut().zip(&self.workers) {
            outcome.end_balance = self.economy.balance(worker.address)?;
        }
        let lowest = self
            .series
            .iter()
            .map(|row| row.accuracy)
            .fold(f64::INFINITY, f64::min);
        let deployed = self.economy.deployment_cost();
        self.counts.transactions = deployed.transactions + self.events.len() as u64;
        self.gas.deployment = deployed.gas;
        self.gas.total = deployed.gas + self.gas.contributions + self.gas.claims;
        let classifier = self.economy.classifier();
        let mut run = Run {
            scenario: self.scenario.name().to_owned(),
            description: self.scenario.description().to_owned(),
            seed,
            backend: self.economy.backend(),
            model: classifier.kind().to_string(),
            incentive: self.economy.incentive(),
            accuracy: Accuracy {
                initial_float,
                initial: self.series.first().map_or(0.0, |row| row.accuracy),
                lowest,
                last: self.accuracy,
                baseline,
            },
            data: DataSizes {
                initial: self.data.initial as u64,
                remaining: (self.data.train.len() - self.data.initial) as u64,
                test: self.data.test.len() as u64,
                features: u64::from(classifier.features()),
                classes: u64::from(classifier.classes()),
            },
            agents: self.outcomes,
            seconds: self.series.last().map_or(0, |row| row.seconds),
            series: self.series,
            events: self.events,
            counts: self.counts,
            gas: self.gas,
            unit: UNIT,
            digest: String::new(),
            wall: started.elapsed(),
        };
        run.digest = crate::digest::digest(&run, self.economy.state_digest()?);
        run.wall = started.elapsed();
        Ok(run)
    }
}
