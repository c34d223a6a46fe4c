//! What is kept of a run.

use serde::{Deserialize, Serialize};

use crate::run::{Accuracy, AgentOutcome, Counts, End, Run, Stance, percent};

/// All that tables and reports need of one run. It is a function of the plan and the run's number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The run's number in its plan.
    pub run: u64,
    /// Its seed.
    pub seed: u64,
    /// Why it ended.
    pub end: End,
    /// Simulated seconds.
    pub seconds: u64,
    /// Accuracies on the test data, in [0, 1].
    pub accuracy: Accuracy,
    /// How often each thing was done.
    pub counts: Counts,
    /// Gas of all transactions.
    pub gas: u64,
    /// Money.
    pub percent: Percentages,
    /// The agents, in the scenario's order.
    pub agents: Vec<AgentRecord>,
    /// The economy over time.
    pub series: Series,
    /// The digest of the run.
    pub digest: String,
}

/// Money of all honest and all hostile agents together, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Percentages {
    /// What hostile agents start with, in percent of what they and the honest do.
    pub hostile_share: f64,
    /// What honest agents hold at the end, in percent of their start; none where there are none, or
    /// where something was still in deposits then: it may be theirs.
    pub honest: Option<f64>,
    /// The same of hostile agents.
    pub hostile: Option<f64>,
}

/// One agent at the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentRecord {
    /// Its name.
    pub name: String,
    /// Whether it is not hostile.
    pub good: bool,
    /// What it holds, in percent of its start.
    pub balance_percent: f64,
    /// Its contributions.
    pub contributions: u64,
}

/// The evaluations of a run, in order of time: a value each in every list.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Series {
    /// Simulated seconds since the start.
    pub seconds: Vec<u64>,
    /// Share of the test samples that the model predicts right.
    pub accuracy: Vec<f64>,
    /// Contributions so far.
    pub contributions: Vec<u64>,
    /// Contributions of which something is still to be claimed.
    pub unclaimed: Vec<u64>,
    /// For each agent what it holds, in percent of its start.
    pub balances_percent: Vec<Vec<f64>>,
}

impl Record {
    /// What is kept of run number `number`.
    pub(super) fn of(number: u64, run: &Run) -> Self {
        let agents = run.agents.iter().map(|agent| AgentRecord {
            name: agent.name.clone(),
            good: agent.is_harmless(),
            balance_percent: agent.balance_percent(),
            contributions: agent.contributions,
        });
        Self {
            run: number,
            seed: run.seed,
            end: run.end,
            seconds: run.seconds,
            accuracy: run.accuracy,
            counts: run.counts,
            gas: run.gas.total,
            percent: Percentages::of(run),
            agents: agents.collect(),
            series: Series::of(run),
            digest: run.digest.clone(),
        }
    }
}

impl Percentages {
    fn of(run: &Run) -> Self {
        let settled = run.series.last().is_none_or(|row| row.unclaimed == 0);
        let of = |stance: Stance, wei: fn(&AgentOutcome) -> u128| -> u128 {
            let side = run.agents.iter().filter(|agent| agent.stance == stance);
            side.map(wei).sum()
        };
        let start = |stance| of(stance, |agent| agent.start_balance);
        let end = |stance| of(stance, |agent| agent.end_balance);
        let held =
            |stance| (settled && start(stance) > 0).then(|| percent(end(stance), start(stance)));
        let all = start(Stance::Hostile) + start(Stance::Honest);
        Self {
            hostile_share: percent(start(Stance::Hostile), all),
            honest: held(Stance::Honest),
            hostile: held(Stance::Hostile),
        }
    }
}

impl Series {
    fn of(run: &Run) -> Self {
        let rows = &run.series;
        let balances = run.agents.iter().enumerate().map(|(place, agent)| {
            let held = rows.iter().map(|row| row.balances[place]);
            held.map(|wei| percent(wei, agent.start_balance)).collect()
        });
        Self {
            seconds: rows.iter().map(|row| row.seconds).collect(),
            accuracy: rows.iter().map(|row| row.accuracy).collect(),
            contributions: rows.iter().map(|row| row.contributions).collect(),
            unclaimed: rows.iter().map(|row| row.unclaimed).collect(),
            balances_percent: balances.collect(),
        }
    }
}
