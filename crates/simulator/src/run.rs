//! Results of a run.

use std::time::Duration;

use cotrain_learning::evaluation::Confusion;
use serde::{Deserialize, Serialize};

pub use crate::vocabulary::{Action, Fact, Stance, Vocabulary};

/// Outcome of one run of a scenario. Everything but [`Run::wall`] and [`Run::backend`] is a
/// function of the scenario, its data and the seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Name of the scenario.
    pub scenario: String,
    /// Text of the scenario's file.
    pub scenario_text: String,
    /// One sentence on the purpose of the scenario, from its file; may be empty.
    pub description: String,
    /// Seed of everything random.
    pub seed: u64,
    /// Chain that it ran on: `embedded` or `anvil`.
    pub backend: &'static str,
    /// Learner, such as `sparse perceptron`.
    pub model: String,
    /// Incentive mechanism, such as `deposit, refund, take`.
    pub incentive: &'static str,
    /// Agents, in the scenario's order.
    pub agents: Vec<AgentOutcome>,
    /// One row per evaluation of the model, in order of time: the first at second 0, the last at
    /// the end.
    pub series: Vec<SeriesRow>,
    /// All contributions and claims, in order.
    pub events: Vec<Event>,
    /// Accuracy on the test data.
    pub accuracy: Accuracy,
    /// Predictions of the model on the chain for the test data, at the end.
    pub confusion: Confusion,
    /// Name of each class, by its label.
    pub classes: Vec<String>,
    /// Columns of a table with their types, in words; none if all are plain numbers.
    pub columns: Vec<(String, String)>,
    /// Columns of a table that seem to number or name the rows.
    pub row_numbers: Vec<String>,
    /// Doubts about a table that its owner can settle, in words.
    pub doubts: Vec<String>,
    /// Number of examples of libsvm data with a query, which was left out.
    pub queries: usize,
    /// Number of training texts of which the encoder knows nothing.
    pub unknown: usize,
    /// Features that are made of texts, in words, with the tokenizer that was given or chosen for
    /// the data; `None` if their number says enough.
    pub features: Option<String>,
    /// Numbers of contributions, claims and transactions.
    pub counts: Counts,
    /// Gas used, by purpose.
    pub gas: Gas,
    /// Additional figures of the mechanism.
    pub facts: Vec<Fact>,
    /// Words for describing the run.
    pub words: Vocabulary,
    /// Sentences on the end of the mechanism and its cause; empty if there is nothing to say.
    pub outcome: String,
    /// Figures of relaying; `None` if each contribution and each claim was a transaction of its
    /// own.
    pub relay: Option<Relay>,
    /// Sizes of the data.
    pub data: DataSizes,
    /// Wei in one unit of the scenario's money.
    pub unit: u128,
    /// Simulated seconds from the start to the last event, or to the scenario's limit if that came
    /// first.
    pub seconds: u64,
    /// Reason why the run ended.
    pub end: End,
    /// SHA3-256 of series, events and the chain's final state, in lower-case hexadecimal.
    pub digest: String,
    /// Wall time from reading the data to the last event.
    pub wall: Duration,
}

/// Reason why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// All data was contributed, or no agent could pay for more, and everything was claimed.
    Settled,
    /// No agent could contribute any more, nor pay the gas to claim what was left.
    Stuck,
    /// The scenario's limit of simulated time was reached.
    Limit,
}

impl End {
    /// Returns the name used in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Stuck => "stuck",
            Self::Limit => "limit",
        }
    }
}

/// One agent at the end of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentOutcome {
    /// Name in the scenario.
    pub name: String,
    /// Kind of the agent, such as `copycat`.
    pub kind: &'static str,
    /// Side of the agent.
    pub stance: Stance,
    /// Balance at the start, in wei.
    pub start_balance: u128,
    /// Balance at the end, in wei, with prepaid money.
    pub end_balance: u128,
    /// Number of its contributions.
    pub contributions: u64,
    /// Number of its refunds.
    pub refunds: u64,
    /// Number of shares that it took by reports.
    pub reports: u64,
    /// Number of deposits that it took by late claims.
    pub late_claims: u64,
    /// Number of contributions that it did not send, because an earlier one had raised the price
    /// too much.
    pub outbid: u64,
    /// Number of predictions that it paid for.
    pub predictions: u64,
    /// Price of these predictions, in wei.
    pub paid: u128,
    /// Wei that it collected apart from claims on contributions.
    pub collected: u128,
    /// Gas of all its transactions, plus its part of the relayer's.
    pub gas: u64,
}

impl AgentOutcome {
    /// Returns `true` if the agent is not hostile.
    #[must_use]
    pub fn is_harmless(&self) -> bool {
        self.stance != Stance::Hostile
    }

    /// Returns the final balance in percent of the start, to a millionth of a percent.
    #[must_use]
    pub fn balance_percent(&self) -> f64 {
        percent(self.end_balance, self.start_balance)
    }
}

/// Returns `part` in percent of `whole`, cut to 6 decimals; 0 if `whole` is 0. The division is in
/// integers, so the result is the same on every machine.
#[must_use]
pub fn percent(part: u128, whole: u128) -> f64 {
    let Some(scaled) = part.saturating_mul(100_000_000).checked_div(whole) else {
        return 0.0;
    };
    // This is exact up to 2^53 millionths of a percent. A balance beyond 9 * 10^9 percent only
    // loses digits.
    #[allow(clippy::cast_precision_loss)]
    let scaled = scaled as f64;
    scaled / 1e6
}

/// State of the economy at one evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesRow {
    /// Simulated seconds since the start.
    pub seconds: u64,
    /// Share of the test samples that the model predicts correctly, in [0, 1].
    pub accuracy: f64,
    /// Wei that each agent holds or has prepaid, in the order of [`Run::agents`].
    pub balances: Vec<u128>,
    /// Contributions so far.
    pub contributions: u64,
    /// Contributions that still have something to claim.
    pub unclaimed: u64,
}

/// Contribution, announcement or claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Simulated seconds since the start.
    pub seconds: u64,
    /// Kind of the event.
    pub action: Action,
    /// Index of the agent in [`Run::agents`].
    pub agent: u16,
    /// Position of the contribution, from 0.
    pub position: u64,
    /// Label of the contribution.
    pub label: u16,
    /// Wei paid in (contribution) or out (everything else; 0 for an announcement).
    pub amount: u128,
    /// Gas of its transaction. If that has several events, its part: all parts are equal, and the
    /// first event gets the remainder.
    pub gas: u64,
}

/// Accuracies on the test data, in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Accuracy of the initial model in floats, before quantizing.
    pub initial_float: f64,
    /// Accuracy of the initial model as deployed.
    pub initial: f64,
    /// Lowest accuracy of the series.
    pub lowest: f64,
    /// Accuracy of the model on the chain at the end.
    pub last: f64,
    /// Accuracy of the same learner, trained off chain on all training data with true labels.
    pub baseline: f64,
}

/// Numbers of contributions, claims and transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Contributions accepted.
    pub contributions: u64,
    /// Refunds paid.
    pub refunds: u64,
    /// Shares taken by reports.
    pub reports: u64,
    /// Deposits taken by late claims.
    pub late_claims: u64,
    /// All transactions, including those that deployed and filled the model.
    pub transactions: u64,
    /// Contributions that changed the model.
    pub changed: u64,
}

/// Gas used, by purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gas {
    /// Gas of all transactions.
    pub total: u64,
    /// Gas of deploying and filling the model.
    pub deployment: u64,
    /// Gas of all contributions.
    pub contributions: u64,
    /// Gas of all refunds, reports, their announcements, and late claims.
    pub claims: u64,
    /// Gas of all other transactions of agents: prepaying, asking, collecting, moving money.
    pub others: u64,
    /// Gas of the mechanism's transactions that belong to no agent's turn.
    pub upkeep: u64,
}

/// Figures of relaying and its savings. Gas "alone" is what the same contributions and claims would
/// have used as transactions of their own. Each is tried without sending, on the very state that
/// the shared transaction then runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Relay {
    /// Number of signed contributions that the relayer collects before it sends them.
    pub size: u64,
    /// Number of transactions that relayed contributions.
    pub relays: u64,
    /// Number of transactions with claims.
    pub claims: u64,
    /// Number of transactions by which agents prepaid.
    pub prepayments: u64,
    /// Gas of all contributions, alone.
    pub contributions_alone: u64,
    /// Gas of all claims, alone. A claim on a relayed contribution includes its proof.
    pub claims_alone: u64,
    /// Gas of prepaying. Agents that send their own contributions do not need it.
    pub prepaying: u64,
    /// Signed contributions that were never sent: their authors could not pay any more, or the run
    /// ended before.
    pub unsent: u64,
    /// Fees that the relayer got for its gas, in wei.
    pub fees: u128,
}

impl Relay {
    /// Returns the gas that relaying saved, after subtracting prepaying; negative if relaying cost
    /// more.
    #[must_use]
    pub fn saved(&self, used: Gas) -> i64 {
        // No run reaches 2^63 gas: that would take longer than computers have existed.
        (self.contributions_alone + self.claims_alone)
            .wrapping_sub(used.contributions + used.claims + self.prepaying)
            .cast_signed()
    }

    /// Returns the saved gas in percent of the gas alone.
    #[must_use]
    pub fn saved_percent(&self, used: Gas) -> f64 {
        let saved = self.saved(used);
        let alone = self.contributions_alone + self.claims_alone;
        percent(saved.unsigned_abs().into(), alone.into()) * if saved < 0 { -1.0 } else { 1.0 }
    }
}

/// Sizes of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DataSizes {
    /// Samples that trained the initial model.
    pub initial: u64,
    /// Samples to contribute.
    pub remaining: u64,
    /// Samples that measure the accuracy.
    pub test: u64,
    /// Features of the model.
    pub features: u64,
    /// Classes of the model.
    pub classes: u64,
    /// Numbers too far from the mean for the dense encoding, which moved them to its bounds.
    pub clamped: u64,
}
