//! The run itself: an event queue over simulated time.

mod relaying;

use std::{
    cmp::Reverse, collections::BinaryHeap, num::NonZeroUsize, path::PathBuf, thread, time::Instant,
};

use cotrain_chain::{Chain, Config, Embedded};
use cotrain_learning::accuracy;

use self::relaying::Relayer;
use crate::{
    agent::Worker,
    economy::{ClaimKind, Claimed, Economy, Pending, RELAYER, Sent},
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
    /// How many signed contributions are collected and then relayed in one transaction; claims are
    /// made together too. None: each contribution and each claim is a transaction of its own.
    pub relay: Option<NonZeroUsize>,
    /// How many threads it may take.
    pub threads: Threads,
}

/// The threads of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// The caller's alone: for many runs side by side.
    One,
    /// A second one trains the baseline beside the run.
    Two,
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

/// How the chain begins that `scenario` runs on.
#[must_use]
pub fn beginning(scenario: &Scenario) -> Config {
    Config {
        start: START,
        gas_price: scenario.gas_price,
    }
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
    let chain = Embedded::new(beginning(scenario));
    simulate_on(chain, scenario, options, progress)
}

/// The same on another chain, which is empty and begins as [`beginning`] says. The run is the same but for
/// its wall time and the name of the chain.
///
/// # Errors
/// As [`simulate`], and where the chain fails.
pub fn simulate_on<C: Chain>(
    chain: C,
    scenario: &Scenario,
    options: &Options,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Run, SimulateError> {
    let started = Instant::now();
    let data = Prepared::load(scenario, options.seed, options.data_dir.as_deref())?;
    // The baseline needs nothing of the run and the run nothing of it: they go side by side.
    thread::scope(|scope| {
        let train_on_all = || data.train(scenario, data.train.len(), options.seed);
        let beside = (options.threads == Threads::Two).then(|| scope.spawn(train_on_all));
        let initial = data.train(scenario, data.initial, options.seed)?;
        let initial_float = initial.report.accuracy_float;
        let economy = Economy::found(chain, scenario, initial.classifier)?;
        let workers = scenario
            .agents
            .iter()
            .enumerate()
            .map(|(place, agent)| Worker::new(agent.clone(), place, options.seed))
            .collect();
        let mut engine = Engine::new(scenario, &data, economy, workers, options.relay)?;
        let end = engine.run(progress)?;
        let baseline = match beside {
            Some(thread) => thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            None => train_on_all(),
        }?;
        let accuracy = Accuracy {
            initial_float,
            baseline: baseline.report.accuracy_quantised,
            ..engine.accuracies()
        };
        engine.finish(options.seed, end, accuracy, started)
    })
}

struct Engine<'a, C> {
    scenario: &'a Scenario,
    data: &'a Prepared,
    economy: Economy<C>,
    workers: Vec<Worker>,
    outcomes: Vec<AgentOutcome>,
    /// Turns to come: the earliest first, at the same second the agent first in the scenario.
    turns: BinaryHeap<Reverse<(u64, usize)>>,
    /// Who sends what agents sign; none: they send it themselves.
    relayer: Option<Relayer>,
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

impl<'a, C: Chain> Engine<'a, C> {
    fn new(
        scenario: &'a Scenario,
        data: &'a Prepared,
        mut economy: Economy<C>,
        mut workers: Vec<Worker>,
        relay: Option<NonZeroUsize>,
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
        if relay.is_some() {
            // Enough for any gas, and for trying contributions.
            economy.fund(RELAYER, u128::MAX)?;
        }
        let mut engine = Self {
            scenario,
            data,
            economy,
            relayer: relay.map(|size| Relayer::new(size, workers.len())),
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
            if self.pending.is_empty() && self.unsent() == 0 && !self.work_is_left()? {
                break (End::Settled, self.last_event());
            }
            if seconds - self.last_sign_of_life() > patience {
                break (End::Stuck, self.last_event());
            }
            if seconds > self.scenario.limit {
                break (End::Limit, self.scenario.limit);
            }
            self.evaluate_before(seconds, progress)?;
            self.economy.set_time(START + seconds)?;
            if self.relayer.is_some() {
                self.relayed_turn(agent, seconds)?;
            } else {
                self.contribute(agent, seconds)?;
                self.claim(agent, seconds)?;
            }
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

    /// The second in which something was last done or signed, or 0.
    fn last_sign_of_life(&self) -> u64 {
        let signed = self.relayer.as_ref().map_or(0, Relayer::last_signed);
        self.last_event().max(signed)
    }

    /// Contributions that are signed and wait to be relayed.
    fn unsent(&self) -> usize {
        self.relayer.as_ref().map_or(0, Relayer::unsent)
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
        for agent in 0..self.workers.len() {
            let free = self.free(agent)?;
            if !self.workers[agent].is_broke(free) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Wei that an agent can still deposit: its own, without what it will pay for what is signed and not
    /// yet sent.
    fn free(&mut self, agent: usize) -> Result<u128, SimulateError> {
        let balance = self.economy.balance(self.workers[agent].address)?;
        let committed = self.relayer.as_ref();
        let committed = committed.map_or(0, |relayer| relayer.committed(agent, &self.economy));
        Ok(balance.saturating_sub(committed))
    }

    fn progress(&self, seconds: u64) -> Progress {
        Progress {
            contributions: self.counts.contributions,
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
            contributions: self.counts.contributions,
            unclaimed: self.pending.len() as u64,
        });
        Ok(())
    }

    /// The label that the agent has for the next sample, and what it is willing to deposit, if it wants to
    /// contribute and can pay for that.
    fn offer(&mut self, agent: usize) -> Result<Option<(u16, u128)>, SimulateError> {
        if self.next_sample == self.data.train.len() {
            return Ok(None);
        }
        let free = self.free(agent)?;
        let worker = &mut self.workers[agent];
        if worker.is_broke(free) {
            return Ok(None);
        }
        let (_, label) = self.data.train.get(self.next_sample);
        let label = worker.label(label, self.data.classes);
        if !worker.wants_to_work(self.accuracy) {
            return Ok(None);
        }
        let willing = worker.next_deposit();
        Ok((willing <= free).then_some((label, willing)))
    }

    /// The agent sends the next sample, if it wants to and can pay what that costs now.
    fn contribute(&mut self, agent: usize, seconds: u64) -> Result<(), SimulateError> {
        let Some((label, willing)) = self.offer(agent)? else {
            return Ok(());
        };
        if self.economy.price(1) > willing {
            return Ok(());
        }
        let author = self.workers[agent].address;
        let (sample, _) = self.data.train.get(self.next_sample);
        let Some(sent) = self.economy.contribute(author, label, sample)? else {
            return Ok(());
        };
        self.next_sample += 1;
        self.contributed(seconds, &[agent], sent);
        Ok(())
    }

    /// Records what one transaction contributed: the agents, in order.
    fn contributed(&mut self, seconds: u64, agents: &[usize], sent: Sent) {
        self.counts.changed += sent.changed as u64;
        let parts = parts(sent.gas, agents.len());
        for ((agent, pending), gas) in agents.iter().zip(&sent.pending).zip(parts) {
            let deposit = pending.contribution().deposit;
            self.record(seconds, Action::Contribution, *agent, pending, deposit, gas);
        }
        self.pending.extend(sent.pending);
    }

    /// The agent claims all that it can now, and pay the gas for.
    fn claim(&mut self, agent: usize, seconds: u64) -> Result<(), SimulateError> {
        let address = self.workers[agent].address;
        let mut pending = std::mem::take(&mut self.pending);
        let mut claimed = Vec::new();
        for (place, contribution) in pending.iter_mut().enumerate() {
            if !self.economy.is_claimable(contribution) {
                // Later ones are younger.
                break;
            }
            let Some(kind) = self.economy.possible_claim(address, contribution) else {
                continue;
            };
            let contribution = &*contribution;
            let Some(paid) = self.economy.claim(address, kind, &[contribution])? else {
                // No money for gas: perhaps at its next turn.
                break;
            };
            claimed.push(place);
            self.claimed(seconds, kind, agent, &[contribution], paid);
        }
        self.keep(pending, &claimed);
        Ok(())
    }

    /// Keeps what is pending but for what was settled by claims on those at `claimed`, in ascending order.
    fn keep(&mut self, mut pending: Vec<Pending>, claimed: &[usize]) {
        for place in claimed.iter().rev() {
            if self.economy.is_settled(&pending[*place]) {
                pending.remove(*place);
            }
        }
        self.pending = pending;
    }

    /// Records what one transaction claimed.
    fn claimed(
        &mut self,
        seconds: u64,
        kind: ClaimKind,
        agent: usize,
        of: &[&Pending],
        paid: Claimed,
    ) {
        let parts = parts(paid.gas, of.len());
        for ((contribution, amount), gas) in of.iter().zip(paid.amounts).zip(parts) {
            self.record(seconds, kind.into(), agent, contribution, amount, gas);
        }
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
            position: of.contribution().position,
            label: of.contribution().label,
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
        let mut accounts: Vec<_> = self.workers.iter().map(|worker| worker.address).collect();
        accounts.push(RELAYER);
        self.economy.compare(&accounts)?;
        for (outcome, account) in self.outcomes.iter_mut().zip(accounts) {
            outcome.end_balance = self.economy.balance(account)?;
        }
        let deployed = self.economy.deployment_cost();
        let relay = self.relayer.map(Relayer::finish);
        let (sent, prepaying) = match relay {
            None => (self.events.len() as u64, 0),
            Some(relay) => (
                relay.relays + relay.claims + relay.prepayments,
                relay.prepaying,
            ),
        };
        self.counts.transactions = deployed.transactions + sent;
        self.gas.deployment = deployed.gas;
        self.gas.total = deployed.gas + self.gas.contributions + self.gas.claims + prepaying;
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
            relay,
            unit: UNIT,
            digest: String::new(),
            wall: started.elapsed(),
        };
        run.digest = crate::digest::digest(&run, self.economy.state_digest()?);
        run.wall = started.elapsed();
        Ok(run)
    }
}

/// Gas in equal parts; what does not divide is the first one's.
fn parts(gas: u64, of: usize) -> impl Iterator<Item = u64> {
    let of = of as u64;
    let (part, rest) = (gas / of.max(1), gas % of.max(1));
    (0..of).map(move |place| if place == 0 { part + rest } else { part })
}
