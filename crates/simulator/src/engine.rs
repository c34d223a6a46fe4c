//! The run itself: an event queue over simulated time.

use std::{cmp::Reverse, collections::BinaryHeap, path::PathBuf, thread, time::Instant};

use cotrain_chain::{Config, Embedded};
use cotrain_learning::accuracy;

use crate::{
    agent::Worker,
    economy::{Economy, Pending},
    error::SimulateError,
    prepared::Prepared,
    run::{Accuracy, Action, AgentOutcome, Counts, DataSizes, End, Event, Gas, Run, SeriesRow},
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
    let data = Prepared::load(scenario, options.seed, options.data_dir.as_deref())?;
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
        let end = engine.run(progress)?;
        let baseline = baseline
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        let accuracy = Accuracy {
            initial_float,
            baseline: baseline.report.accuracy_quantised,
            ..engine.accuracies()
        };
        engine.finish(options.seed, end, accuracy, started)
    })
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
    /// The version of the model that `accuracy` is of.
    evaluated: Option<u64>,
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
            evaluated: None,
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
    fn run(&mut self, progress: &mut dyn FnMut(&Progress)) -> Result<End, SimulateError> {
        let patience = self.patience();
        let (end, seconds) = loop {
            // Every agent always has a turn to come, and there is at least one agent.
            let Some(Reverse((seconds, agent))) = self.turns.pop() else {
                break (End::Settled, self.last_event());
            };
            if self.pending.is_empty() && !self.work_is_left()? {
                break (End::Settled, self.last_event());
            }
            if seconds - self.last_event() > patience {
                break (End::Stuck, self.last_event());
            }
            if seconds > self.scenario.limit {
                break (End::Limit, self.scenario.limit);
            }
            self.evaluate_before(seconds, progress)?;
            self.economy.set_time(START + seconds)?;
            if self.next_sample < self.data.train.len() {
                self.contribute(agent, seconds)?;
            }
            self.claim(agent, seconds)?;
            let wait = self.workers[agent].next_wait();
            self.turns.push(Reverse((seconds + wait, agent)));
        };
        self.evaluate_before(seconds, progress)?;
        self.series.retain(|row| row.seconds < seconds.max(1));
        if seconds > 0 {
            self.evaluate(seconds)?;
        }
        progress(&self.progress(seconds));
        Ok(end)
    }

    /// The evaluations due before `seconds`.
    fn evaluate_before(
        &mut self,
        seconds: u64,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<(), SimulateError> {
        while self.next_evaluation < seconds {
            self.evaluate(self.next_evaluation)?;
            self.next_evaluation += self.scenario.evaluate_every;
            progress(&self.progress(seconds));
        }
        Ok(())
    }

    /// The second of the last event, or 0.
    fn last_event(&self) -> u64 {
        self.events.last().map_or(0, |event| event.seconds)
    }

    /// How many seconds may pass without anything happening. By then everything could have been
    /// claimed by anyone, and every agent has had a hundred turns to do so or to contribute, so it
    /// is money for gas or deposits that is missing.
    fn patience(&self) -> u64 {
        let slowest = self
            .workers
            .iter()
            .map(Worker::longest_wait)
            .max()
            .unwrap_or_default();
        self.scenario.incentive.waits.any_address_claim + 100 * slowest
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
        let classifier = self.economy.classifier();
        // A model that has not changed is as good as it was.
        if self.evaluated != Some(classifier.version()) {
            self.accuracy = accuracy(classifier, &self.data.test);
            self.evaluated = Some(classifier.version());
        }
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
        let Some(sent) = self.economy.contribute(worker.address, label, sample)? else {
            return Ok(());
        };
        self.next_sample += 1;
        self.counts.changed += u64::from(sent.changed);
        self.record(
            seconds,
            Action::Contribution,
            agent,
            &sent.pending,
            sent.pending.contribution.deposit,
            sent.gas,
        );
        self.pending.push(sent.pending);
        Ok(())
    }

    /// The agent claims all that it can now, and pay the gas for.
    fn claim(&mut self, agent: usize, seconds: u64) -> Result<(), SimulateError> {
        let address = self.workers[agent].address;
        let mut pending = std::mem::take(&mut self.pending);
        let mut claimed = false;
        for contribution in &mut pending {
            if !self.economy.is_claimable(contribution) {
                // Later ones are younger.
                break;
            }
            let Some(kind) = self.economy.possible_claim(address, contribution) else {
                continue;
            };
            let Some((amount, gas)) =
                self.economy
                    .claim(address, kind, &contribution.contribution)?
            else {
                // No money for gas: perhaps at its next turn.
                break;
            };
            claimed = true;
            self.record(seconds, kind.into(), agent, contribution, amount, gas);
        }
        if claimed {
            pending.retain(|contribution| !self.economy.is_settled(contribution));
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
            position: of.contribution.position,
            label: of.contribution.label,
            amount,
            gas,
        });
    }

    /// What is known of the accuracy from the run alone.
    fn accuracies(&self) -> Accuracy {
        let accuracies = self.series.iter().map(|row| row.accuracy);
        Accuracy {
            initial_float: 0.0,
            initial: accuracies.clone().next().unwrap_or_default(),
            lowest: accuracies.fold(f64::INFINITY, f64::min),
            last: self.accuracy,
            baseline: 0.0,
        }
    }

    /// Holds the chain against the rules once more and sums the run up.
    fn finish(
        mut self,
        seed: u64,
        end: End,
        accuracy: Accuracy,
        started: Instant,
    ) -> Result<Run, SimulateError> {
        let accounts: Vec<_> = self.workers.iter().map(|worker| worker.address).collect();
        self.economy.compare(&accounts)?;
        for (outcome, account) in self.outcomes.iter_mut().zip(accounts) {
            outcome.end_balance = self.economy.balance(account)?;
        }
        let deployed = self.economy.deployment_cost();
        self.counts.transactions = deployed.transactions + self.events.len() as u64;
        self.gas.deployment = deployed.gas;
        self.gas.total = deployed.gas + self.gas.contributions + self.gas.claims;
        let classifier = self.economy.classifier();
        let mut run = Run {
            scenario: self.scenario.name().to_owned(),
            scenario_text: self.scenario.text().to_owned(),
            description: self.scenario.description().to_owned(),
            seed,
            backend: self.economy.backend(),
            model: classifier.kind().to_string(),
            incentive: self.economy.incentive(),
            accuracy,
            data: DataSizes {
                initial: self.data.initial as u64,
                remaining: (self.data.train.len() - self.data.initial) as u64,
                test: self.data.test.len() as u64,
                features: u64::from(classifier.features()),
                classes: u64::from(classifier.classes()),
                clamped: self.data.clamped as u64,
            },
            agents: self.outcomes,
            seconds: self.series.last().map_or(0, |row| row.seconds),
            end,
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
