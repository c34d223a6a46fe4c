//! Record of a run for tables and analysis.

use serde::{Deserialize, Serialize};

use super::Tested;
use crate::run::{Accuracy, AgentOutcome, Counts, End, Run, Stance, percent};

/// Everything that tables and reports need of one run. It is a function of the plan and the run's
/// number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Number of the run in its plan.
    pub run: u64,
    /// Seed of the run.
    pub seed: u64,
    /// Reason why the run ended.
    pub end: End,
    /// Simulated seconds until the end.
    pub seconds: u64,
    /// Accuracies on the test data, in [0, 1].
    pub accuracy: Accuracy,
    /// Predictions for the test data at the end; `None` in records of earlier releases.
    #[serde(default)]
    pub tested: Option<Tested>,
    /// Numbers of contributions, claims and transactions.
    pub counts: Counts,
    /// Gas of all transactions.
    pub gas: u64,
    /// Shares of money of the honest and the hostile.
    pub percent: Percentages,
    /// Agents, in the scenario's order.
    pub agents: Vec<AgentRecord>,
    /// Evaluations over time.
    pub series: Series,
    /// Digest of the run.
    pub digest: String,
}

/// Money of all honest and all hostile agents together, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Percentages {
    /// Money of hostile agents at the start, in percent of all honest and hostile money.
    pub hostile_share: f64,
    /// Final balance of honest agents, in percent of their start. `None` if there are none, or if
    /// deposits still held money at the end, which may be theirs.
    pub honest: Option<f64>,
    /// The same of hostile agents.
    pub hostile: Option<f64>,
}

/// One agent at the end of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentRecord {
    /// Name of the agent.
    pub name: String,
    /// Whether it is not hostile.
    #[serde(rename = "good")]
    pub harmless: bool,
    /// Final balance, in percent of its start.
    pub balance_percent: f64,
    /// Number of its contributions.
    pub contributions: u64,
}

/// Evaluations of a run, in order of time. Each list has one value per evaluation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Series {
    /// Simulated seconds since the start.
    pub seconds: Vec<u64>,
    /// Share of the test samples that the model predicts correctly, in [0, 1].
    pub accuracy: Vec<f64>,
    /// Contributions so far.
    pub contributions: Vec<u64>,
    /// Contributions that still have something to claim.
    pub unclaimed: Vec<u64>,
    /// Balances of each agent, in percent of its start.
    pub balances_percent: Vec<Vec<f64>>,
}

impl Record {
    /// Returns the record of run `number`.
    pub(super) fn of(number: u64, run: &Run) -> Self {
        let agents = run.agents.iter().map(|agent| AgentRecord {
            name: agent.name.clone(),
            harmless: agent.is_harmless(),
            balance_percent: agent.balance_percent(),
            contributions: agent.contributions,
        });
        Self {
            run: number,
            seed: run.seed,
            end: run.end,
            seconds: run.seconds,
            accuracy: run.accuracy,
            tested: Some(Tested::of(run)),
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
        let balances = run.agents.iter().enumerate().map(|(index, agent)| {
            let held = rows.iter().map(|row| row.balances[index]);
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
