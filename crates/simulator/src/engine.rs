//! Execution of a run: an event queue over simulated time.

mod alone;
mod relaying;
mod state;
mod world;

use std::{cmp::Reverse, collections::BinaryHeap, num::NonZeroUsize, path::PathBuf, time::Instant};

use cotrain_chain::Config;
use cotrain_learning::{accuracy, evaluation::Confusion};
use cotrain_protocol::signature::Key;

use self::{
    relaying::Relayer,
    state::{Actor, AgentState},
};
use crate::{
    agent::Agent,
    beside::Threads,
    bounds::Bounds,
    chance::Chance,
    context::AgentContext,
    error::SimulateError,
    mechanism::{Claimed, Mechanism, Pending, RELAYER, Sent},
    prepared::Prepared,
    run::{Accuracy, Action, Counts, DataSizes, End, Event, Gas, Run, SeriesRow},
    scenario::{Scenario, UNIT},
};

/// Start of every simulation: 2026-01-01, in Unix seconds.
pub(crate) const START: u64 = 1_767_225_600;

/// Parameters of a run besides its scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Seed of everything random.
    pub seed: u64,
    /// Folder of the scenario's data files; `None` if the scenario's own paths apply.
    pub data_dir: Option<PathBuf>,
    /// Number of signed contributions that the relayer collects and sends in one transaction.
    /// Claims are grouped, too. `None` if each contribution and each claim is a transaction of its
    /// own.
    pub relay: Option<NonZeroUsize>,
    /// Number of threads that the run may use.
    pub threads: Threads,
}

/// Progress of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Contributions so far.
    pub contributions: u64,
    /// Number of contributions that the data allows.
    pub of: u64,
    /// Simulated seconds so far.
    pub seconds: u64,
    /// Contributions that still have something to claim.
    pub unclaimed: u64,
    /// Accuracy at the latest evaluation, in [0, 1].
    pub accuracy: f64,
    /// Number of test samples, of which the accuracy is a share.
    pub samples: u64,
}

/// Returns the initial configuration of the chain that `scenario` runs on.
#[must_use]
pub fn beginning(scenario: &Scenario) -> Config {
    Config {
        start: START,
        gas_price: scenario.gas_price,
    }
}

pub(crate) struct Engine<'a> {
    scenario: &'a Scenario,
    data: &'a Prepared,
    mechanism: Box<dyn Mechanism + 'a>,
    agents: Vec<AgentState>,
    /// Turns to come, the earliest first. In the same second they follow the scenario's order of
    /// agents.
    turns: BinaryHeap<Reverse<(u64, usize)>>,
    /// Relayer of the agents' signed contributions; `None` if agents send their own transactions.
    relayer: Option<Relayer>,
    /// Whether this turn's signed contributions have been passed to the relayer.
    dispatched: bool,
    /// Whether watching agents are looking at a contribution now. Nobody sees the contributions
    /// that they send before it.
    looked_at: bool,
    /// Contributions that have something left to claim, oldest first.
    pending: Vec<Pending>,
    /// Index of the first sample that may still be contributed; `taken` flags contributed samples.
    next_sample: usize,
    taken: Vec<bool>,
    /// Wei that reports took of others' deposits.
    taken_from_others: u128,
    /// Simulated seconds.
    seconds: u64,
    /// Second of the mechanism's latest own action.
    last_advance: u64,
    accuracy: f64,
    /// Version of the model that `accuracy` belongs to.
    evaluated: Option<u64>,
    next_evaluation: u64,
    series: Vec<SeriesRow>,
    events: Vec<Event>,
    counts: Counts,
    gas: Gas,
    /// Bounds of the run; `None` if it may take as long as it needs.
    pub(crate) bounds: Option<&'a Bounds>,
}

impl<'a> Engine<'a> {
    pub(crate) fn new(
        scenario: &'a Scenario,
        data: &'a Prepared,
        mechanism: Box<dyn Mechanism + 'a>,
        participants: Vec<(String, u128, Box<dyn Agent>)>,
        options: &Options,
    ) -> Result<Self, SimulateError> {
        let mut mechanism = mechanism;
        let mut agents: Vec<AgentState> = Vec::with_capacity(participants.len());
        for (index, (name, start_balance, agent)) in participants.into_iter().enumerate() {
            // Each agent has a stream of its own; there are at most 1000 agents.
            let chance = Chance::new(options.seed, index as u64 + 1);
            let state = AgentState::new(index, name, start_balance, Actor { agent, chance });
            for (identity, wei) in state.identities.iter().zip(state.shares()) {
                mechanism
                    .chain_mut()
                    .fund(identity.address(), wei.try_into().unwrap_or_default())?;
            }
            agents.push(state);
        }
        let relayer = match options.relay {
            None => None,
            Some(size) => {
                if mechanism.relaying().is_none() {
                    return Err(SimulateError::NoRelaying {
                        under: format!("the mechanism `{}`", mechanism.title()),
                    });
                }
                let mut all = agents.iter().filter_map(AgentState::agent);
                if let Some(agent) = all.find(|agent| agent.watches()) {
                    // Watching agents are not modeled with a relayer: the model does not say when
                    // they would see a contribution.
                    return Err(SimulateError::NoRelaying {
                        under: format!(
                            "agents of kind `{}`, which watch what is sent,",
                            agent.profile().kind
                        ),
                    });
                }
                // The balance covers any gas, and dry runs of contributions.
                mechanism
                    .chain_mut()
                    .fund(RELAYER, u128::MAX.try_into().unwrap_or_default())?;
                Some(Relayer::new(size, &agents))
            }
        };
        let deployed = mechanism.deployment_cost();
        let mut engine = Self {
            scenario,
            data,
            mechanism,
            agents,
            turns: BinaryHeap::new(),
            relayer,
            dispatched: false,
            looked_at: false,
            pending: Vec::new(),
            next_sample: data.initial,
            taken: vec![false; data.train.len()],
            taken_from_others: 0,
            seconds: 0,
            last_advance: 0,
            accuracy: 0.0,
            evaluated: None,
            next_evaluation: 0,
            series: Vec::new(),
            events: Vec::new(),
            counts: Counts {
                transactions: deployed.transactions,
                ..Counts::default()
            },
            gas: Gas {
                deployment: deployed.gas,
                total: deployed.gas,
                ..Gas::default()
            },
            bounds: None,
        };
        for agent in 0..engine.agents.len() {
            engine.schedule(agent);
        }
        engine.evaluate(0)?;
        engine.next_evaluation = scenario.evaluate_every;
        Ok(engine)
    }

    /// Gives an agent a turn and returns the result of `act`. Returns `None` if the agent is
    /// already acting.
    fn with_actor<T>(
        &mut self,
        agent: usize,
        act: impl FnOnce(&mut dyn Agent, &mut AgentContext<'_>) -> T,
    ) -> Option<T> {
        let mut actor = self.agents[agent].actor.take()?;
        let mut context = AgentContext::new(self, &mut actor.chance, agent);
        let result = act(actor.agent.as_mut(), &mut context);
        self.agents[agent].actor = Some(actor);
        Some(result)
    }

    /// Plans an agent's next turn.
    fn schedule(&mut self, agent: usize) {
        let wait = self.with_actor(agent, |agent, context| agent.wait(context));
        let wait = wait.unwrap_or_default().max(1);
        self.turns
            .push(Reverse((self.seconds.saturating_add(wait), agent)));
    }

    /// Runs turn after turn until nothing is left to contribute or to claim.
    pub(crate) fn run(
        &mut self,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<End, SimulateError> {
        let patience = self.patience();
        let (end, seconds) = loop {
            self.check_bounds()?;
            // There is at least one agent, and every agent always has a turn to come.
            let Some(Reverse((seconds, agent))) = self.turns.pop() else {
                break (End::Settled, self.last_event());
            };
            if let Some(due) = self.mechanism.next_event()
                && due.saturating_sub(START) <= seconds
            {
                self.turns.push(Reverse((seconds, agent)));
                self.advance(due.saturating_sub(START), progress)?;
                continue;
            }
            if self.pending.is_empty() && self.unsent() == 0 && !self.work_is_left()? {
                if let Some(due) = self.mechanism.next_event() {
                    self.turns.push(Reverse((seconds, agent)));
                    self.advance(due.saturating_sub(START), progress)?;
                    continue;
                }
                break (End::Settled, self.last_event());
            }
            if seconds - self.last_sign_of_life() > patience {
                break (End::Stuck, self.last_event());
            }
            if seconds > self.scenario.limit {
                break (End::Limit, self.scenario.limit);
            }
            self.evaluate_before(seconds, progress)?;
            self.set_time(seconds)?;
            self.dispatched = false;
            if let Some(result) = self.with_actor(agent, |agent, context| agent.act(context)) {
                result?;
            }
            self.dispatch(agent)?;
            self.register(agent)?;
            self.collect_dues(agent, UNIT)?;
            self.schedule(agent);
        };
        self.evaluate_before(seconds, progress)?;
        self.series.retain(|row| row.seconds < seconds.max(1));
        // Agents that can pay the gas collect the rest of what is due to them.
        for agent in 0..self.agents.len() {
            self.collect_dues(agent, 1)?;
        }
        if seconds > 0 {
            self.evaluate(seconds)?;
        }
        progress(&self.progress(seconds));
        Ok(end)
    }

    fn set_time(&mut self, seconds: u64) -> Result<(), SimulateError> {
        self.seconds = seconds;
        Ok(self.mechanism.chain_mut().set_time(START + seconds)?)
    }

    /// Lets the mechanism perform its due actions that belong to no agent's turn.
    fn advance(
        &mut self,
        seconds: u64,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<(), SimulateError> {
        let seconds = seconds.max(self.seconds);
        self.evaluate_before(seconds, progress)?;
        self.set_time(seconds)?;
        let upkeep = self.mechanism.advance()?;
        self.counts.transactions += upkeep.transactions;
        self.gas.upkeep += upkeep.gas;
        self.gas.total += upkeep.gas;
        self.last_advance = seconds;
        Ok(())
    }

    /// Performs the evaluations due before `seconds`.
    fn evaluate_before(
        &mut self,
        seconds: u64,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<(), SimulateError> {
        while self.next_evaluation < seconds {
            self.check_bounds()?;
            self.evaluate(self.next_evaluation)?;
            self.next_evaluation += self.scenario.evaluate_every;
            progress(&self.progress(seconds));
        }
        Ok(())
    }

    /// Returns an error if the run has gone beyond its bounds.
    fn check_bounds(&self) -> Result<(), SimulateError> {
        let Some(bounds) = self.bounds else {
            return Ok(());
        };
        bounds.check(self.events.len() + self.series.len() * self.agents.len())
    }

    /// Returns the second of the last event; 0 if there was none.
    fn last_event(&self) -> u64 {
        let last = self.events.last().map_or(0, |event| event.seconds);
        last.max(self.last_advance)
    }

    /// Returns the second of the last action or signature; 0 if there was none.
    fn last_sign_of_life(&self) -> u64 {
        let signed = self.relayer.as_ref().map_or(0, Relayer::last_signed);
        self.last_event().max(signed)
    }

    /// Returns the number of signed contributions that the relayer has not sent yet.
    fn unsent(&self) -> usize {
        self.relayer.as_ref().map_or(0, Relayer::unsent)
    }

    /// Returns the number of seconds that may pass without any action. By then anyone could have
    /// claimed everything, and every agent has had a hundred turns. So agents lack the money for
    /// gas or deposits.
    fn patience(&self) -> u64 {
        let agents = self.agents.iter().filter_map(AgentState::agent);
        let slowest = agents.map(|agent| agent.habits().longest_wait()).max();
        let slowest = slowest.unwrap_or_default();
        let wait = self.scenario.incentive.longest_wait();
        wait.saturating_add(slowest.saturating_mul(100))
    }

    /// Returns `true` if data is left and an agent can pay for contributing it.
    fn work_is_left(&mut self) -> Result<bool, SimulateError> {
        if self.next_sample == self.data.train.len() || !self.mechanism.is_open() {
            return Ok(false);
        }
        for agent in 0..self.agents.len() {
            let free = self.free_of_all(agent)?;
            let agent = self.agents[agent].agent();
            if agent.is_some_and(|agent| agent.may_contribute(free)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn progress(&self, seconds: u64) -> Progress {
        Progress {
            contributions: self.counts.contributions,
            of: (self.data.train.len() - self.data.initial) as u64,
            seconds,
            unclaimed: self.pending.len() as u64,
            accuracy: self.accuracy,
            samples: self.data.test.len() as u64,
        }
    }

    fn evaluate(&mut self, seconds: u64) -> Result<(), SimulateError> {
        let classifier = self.mechanism.classifier();
        // The accuracy of an unchanged model is known.
        if self.evaluated != Some(classifier.version()) {
            self.accuracy = accuracy(classifier, &self.data.test);
            self.evaluated = Some(classifier.version());
        }
        let mut balances = Vec::with_capacity(self.agents.len());
        for agent in 0..self.agents.len() {
            balances.push(self.balance(agent)?);
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

    /// Returns the wei that all identities of an agent hold or have prepaid.
    fn balance(&mut self, agent: usize) -> Result<u128, SimulateError> {
        let mut all = 0;
        for identity in 0..self.agents[agent].identities.len() {
            let account = self.agents[agent].identities[identity].address();
            all += self.wallet(account)? + self.mechanism.balance(account);
        }
        Ok(all)
    }

    /// Records the contributions of one transaction. `agents` names their agents in order.
    fn contributed(&mut self, agents: &[usize], sent: Sent) {
        self.counts.changed += sent.changed as u64;
        self.counts.transactions += 1;
        let parts = parts(sent.gas, agents.len());
        for ((agent, pending), gas) in agents.iter().zip(&sent.pending).zip(parts) {
            let deposit = pending.contribution().deposit;
            self.record(Action::Contribution, *agent, pending, deposit, gas);
        }
        // Some mechanisms leave nothing to claim.
        let open = |pending: &Pending| !self.mechanism.is_settled(pending);
        self.pending.extend(sent.pending.into_iter().filter(open));
    }

    /// Records the claims of one transaction.
    fn claimed(&mut self, action: Action, agent: usize, of: &[&Pending], paid: Claimed) {
        self.counts.transactions += 1;
        let parts = parts(paid.gas, of.len());
        for ((contribution, amount), gas) in of.iter().zip(paid.amounts).zip(parts) {
            self.record(action, agent, contribution, amount, gas);
        }
    }

    fn record(&mut self, action: Action, agent: usize, of: &Pending, amount: u128, gas: u64) {
        let author = of.contribution().author;
        if action == Action::Report && !self.agents[agent].has(author) {
            self.taken_from_others += amount;
        }
        let outcome = &mut self.agents[agent].outcome;
        let counters = match action {
            Action::Contribution => {
                Some((&mut outcome.contributions, &mut self.counts.contributions))
            }
            Action::Refund => Some((&mut outcome.refunds, &mut self.counts.refunds)),
            Action::Report => Some((&mut outcome.reports, &mut self.counts.reports)),
            Action::LateClaim => Some((&mut outcome.late_claims, &mut self.counts.late_claims)),
            // A report is counted when it is made; only the events list its announcement.
            Action::Announcement => None,
        };
        if let Some((own, all)) = counters {
            *own += 1;
            *all += 1;
        }
        if action == Action::Contribution {
            self.gas.contributions += gas;
        } else {
            self.gas.claims += gas;
        }
        outcome.gas += gas;
        self.gas.total += gas;
        self.events.push(Event {
            seconds: self.seconds,
            action,
            // The scenario's check allows at most 1000 agents.
            agent: u16::try_from(agent).unwrap_or(u16::MAX),
            position: of.contribution().position,
            label: of.contribution().label,
            amount,
            gas,
        });
    }

    /// Counts an agent's transaction that is neither a contribution nor a claim.
    fn other_transaction(&mut self, agent: usize, gas: u64) {
        self.counts.transactions += 1;
        self.agents[agent].outcome.gas += gas;
        self.gas.others += gas;
        self.gas.total += gas;
    }

    /// Returns the accuracies that follow from the run alone.
    pub(crate) fn accuracies(&self) -> Accuracy {
        let accuracies = self.series.iter().map(|row| row.accuracy);
        Accuracy {
            initial_float: 0.0,
            initial: accuracies.clone().next().unwrap_or_default(),
            lowest: accuracies.fold(f64::INFINITY, f64::min),
            last: self.accuracy,
            baseline: 0.0,
        }
    }

    /// Compares the chain with the reference model once more, and sums the run up.
    pub(crate) fn finish(
        mut self,
        seed: u64,
        end: End,
        accuracy: Accuracy,
        started: Instant,
    ) -> Result<Run, SimulateError> {
        let all = self.agents.iter().flat_map(|agent| &agent.identities);
        let mut accounts: Vec<_> = all.map(Key::address).collect();
        accounts.push(RELAYER);
        self.mechanism.compare(&accounts)?;
        for agent in 0..self.agents.len() {
            self.agents[agent].outcome.end_balance = self.balance(agent)?;
        }
        let relay = self.relayer.map(Relayer::finish);
        let classifier = self.mechanism.classifier();
        let mut run = Run {
            scenario: self.scenario.name().to_owned(),
            scenario_text: self.scenario.text().to_owned(),
            description: self.scenario.description().to_owned(),
            seed,
            backend: self.mechanism.chain().name(),
            model: classifier.kind().to_string(),
            incentive: self.mechanism.title(),
            accuracy,
            confusion: Confusion::of_model(classifier, &self.data.test),
            classes: self.data.classes.clone(),
            columns: self.data.columns.clone(),
            row_numbers: self.data.row_numbers.clone(),
            doubts: self.data.doubts.clone(),
            queries: self.data.queries,
            unknown: self.data.unknown,
            features: self.data.encoder.summary(),
            data: DataSizes {
                initial: self.data.initial as u64,
                remaining: (self.data.train.len() - self.data.initial) as u64,
                test: self.data.test.len() as u64,
                features: u64::from(classifier.features()),
                classes: u64::from(classifier.classes()),
                clamped: self.data.clamped as u64,
            },
            agents: self.agents.into_iter().map(|agent| agent.outcome).collect(),
            seconds: self.series.last().map_or(0, |row| row.seconds),
            end,
            series: self.series,
            events: self.events,
            counts: self.counts,
            gas: self.gas,
            facts: self.mechanism.facts(),
            words: self.mechanism.words(),
            outcome: self.mechanism.outcome(),
            relay,
            unit: UNIT,
            digest: String::new(),
            wall: started.elapsed(),
        };
        run.digest = crate::digest::digest(&run, self.mechanism.chain_mut().state_digest()?);
        run.wall = started.elapsed();
        Ok(run)
    }
}

/// Splits gas into equal parts. The first part gets the remainder.
fn parts(gas: u64, of: usize) -> impl Iterator<Item = u64> {
    let of = of as u64;
    let (part, rest) = (gas / of.max(1), gas % of.max(1));
    (0..of).map(move |index| if index == 0 { part + rest } else { part })
}
