//! What a run leaves behind.

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::vocabulary::{Action, Fact, Stance, Words};

/// The outcome of one run of a scenario. Everything but [`Run::wall`] and [`Run::backend`] is a function
/// of the scenario, its data and the seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's file, as it was read.
    pub scenario_text: String,
    /// One sentence on what the scenario shows, from its file; may be empty.
    pub description: String,
    /// The seed of everything random.
    pub seed: u64,
    /// The chain it ran on: `embedded` or `anvil`.
    pub backend: &'static str,
    /// The learner, such as `sparse perceptron`.
    pub model: String,
    /// The incentive mechanism, such as `deposit, refund, take`.
    pub incentive: &'static str,
    /// The agents, in the scenario's order.
    pub agents: Vec<AgentOutcome>,
    /// One row an evaluation of the model, in order of time; the first at second 0, the last at
    /// the end.
    pub series: Vec<SeriesRow>,
    /// Every contribution and every claim, in order.
    pub events: Vec<Event>,
    /// Accuracy on the test data.
    pub accuracy: Accuracy,
    /// How often each thing was done.
    pub counts: Counts,
    /// Gas used.
    pub gas: Gas,
    /// What the mechanism says beyond that.
    pub facts: Vec<Fact>,
    /// The words in which the run is told.
    pub words: Words,
    /// How the mechanism ended and why, in sentences; empty if there is nothing to say.
    pub outcome: String,
    /// What relaying did; none where every contribution and claim was a transaction of its own.
    pub relay: Option<Relay>,
    /// Sizes of the data.
    pub data: DataSizes,
    /// Wei in one unit of the scenario's money.
    pub unit: u128,
    /// Simulated seconds from the start to the end of the run: the last event, or the scenario's
    /// limit where that came first.
    pub seconds: u64,
    /// Why the run ended.
    pub end: End,
    /// SHA3-256 of series, events and the chain's final state, in lower-case hexadecimal.
    pub digest: String,
    /// Wall time from reading the data to the last event.
    pub wall: Duration,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// All data was contributed, or nobody could pay for more, and everything was claimed.
    Settled,
    /// Nobody could contribute any more, and nobody could pay the gas to claim what was left.
    Stuck,
    /// The scenario's limit of simulated time was reached.
    Limit,
}

impl End {
    /// The name used in results.
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
    /// The name the scenario gives it.
    pub name: String,
    /// What kind of agent it is, such as `copycat`.
    pub kind: &'static str,
    /// On which side it is.
    pub stance: Stance,
    /// Wei it started with.
    pub start_balance: u128,
    /// Wei it holds at the end, and has prepaid.
    pub end_balance: u128,
    /// Contributions of its own.
    pub contributions: u64,
    /// Refunds it got.
    pub refunds: u64,
    /// Shares it took by reporting.
    pub reports: u64,
    /// Deposits it took by late claims.
    pub late_claims: u64,
    /// Contributions that it did not send since another one, which came before, made them too dear.
    pub outbid: u64,
    /// Predictions that it paid for.
    pub predictions: u64,
    /// Wei that it paid for them.
    pub paid: u128,
    /// Wei that it collected apart from claims on contributions.
    pub collected: u128,
    /// Gas of all its transactions; with relaying, of its part of the relayer's too.
    pub gas: u64,
}

impl AgentOutcome {
    /// Whether it is on nobody's side but the honest's, or on none.
    #[must_use]
    pub fn is_harmless(&self) -> bool {
        self.stance != Stance::Hostile
    }

    /// The balance at the end in percent of the start, to a millionth of a percent.
    #[must_use]
    pub fn balance_percent(&self) -> f64 {
        percent(self.end_balance, self.start_balance)
    }
}

/// `part` in percent of `whole`, cut to 6 decimals; 0 where `whole` is 0. The division is in
/// integers, so it is the same on every machine.
#[must_use]
pub fn percent(part: u128, whole: u128) -> f64 {
    let Some(scaled) = part.saturating_mul(100_000_000).checked_div(whole) else {
        return 0.0;
    };
    // Exact up to 2^53 millionths of a percent; a balance beyond 9 * 10^9 percent only loses digits.
    #[allow(clippy::cast_precision_loss)]
    let scaled = scaled as f64;
    scaled / 1e6
}

/// The state of the economy at one evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesRow {
    /// Simulated seconds since the start.
    pub seconds: u64,
    /// Share of the test samples that the model predicts right, in [0, 1].
    pub accuracy: f64,
    /// Wei each agent holds or has prepaid, in the order of [`Run::agents`].
    pub balances: Vec<u128>,
    /// Contributions so far.
    pub contributions: u64,
    /// Contributions of which something is still to be claimed.
    pub unclaimed: u64,
}

/// One contribution, announcement or claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Simulated seconds since the start.
    pub seconds: u64,
    /// What was done.
    pub action: Action,
    /// Who did it: a place in [`Run::agents`].
    pub agent: u16,
    /// Which contribution, counted from 0.
    pub position: u64,
    /// The contribution's label.
    pub label: u16,
    /// Wei paid in (contribution) or out (everything else; 0 for an announcement).
    pub amount: u128,
    /// Gas it used: that of its transaction. Of one that did more than one thing, its part: all parts
    /// are equal, and what does not divide is the first one's.
    pub gas: u64,
}

/// Accuracies on the test data, in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Of the initial model in floats, before quantising.
    pub initial_float: f64,
    /// Of the initial model as deployed.
    pub initial: f64,
    /// The lowest of the series.
    pub lowest: f64,
    /// Of the model on the chain at the end.
    pub last: f64,
    /// Of the same learner trained off chain on all training data, every label true.
    pub baseline: f64,
}

/// How often each thing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Contributions accepted.
    pub contributions: u64,
    /// Refunds paid.
    pub refunds: u64,
    /// Shares taken by reporting.
    pub reports: u64,
    /// Late claims.
    pub late_claims: u64,
    /// All transactions, those that deployed and filled the model among them.
    pub transactions: u64,
    /// Contributions that taught the model something.
    pub changed: u64,
}

/// Gas used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gas {
    /// Of all transactions.
    pub total: u64,
    /// Of deploying and filling the model.
    pub deployment: u64,
    /// Of all contributions.
    pub contributions: u64,
    /// Of all refunds, reports, their announcements, and late claims.
    pub claims: u64,
    /// Of all other transactions of agents: prepaying, asking, collecting, moving money.
    pub others: u64,
    /// Of what the mechanism needs that is nobody's turn.
    pub upkeep: u64,
}

/// What relaying did, and what it saved. Gas "alone" is what the same contributions and claims would
/// have used as transactions of their own: each is tried, without sending it, on the very state that it
/// is then sent to together with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Relay {
    /// Signed contributions that are collected before they are sent.
    pub size: u64,
    /// Transactions that relayed them.
    pub relays: u64,
    /// Transactions with claims.
    pub claims: u64,
    /// Transactions by which agents prepaid.
    pub prepayments: u64,
    /// Gas of all contributions, alone.
    pub contributions_alone: u64,
    /// Gas of all claims, alone. One of a contribution that was relayed comes with its proof.
    pub claims_alone: u64,
    /// Gas of prepaying, which nobody does who sends their contributions themselves.
    pub prepaying: u64,
    /// Contributions that were signed and not sent: their authors could not pay any more, or the run
    /// ended before.
    pub unsent: u64,
    /// Wei that the relayer got for its gas.
    pub fees: u128,
}

impl Relay {
    /// Gas that was saved, prepaying taken off; below 0 where relaying cost more.
    #[must_use]
    pub fn saved(&self, used: Gas) -> i64 {
        // No run uses 2^63 gas: it would take longer than there are computers.
        (self.contributions_alone + self.claims_alone)
            .wrapping_sub(used.contributions + used.claims + self.prepaying)
            .cast_signed()
    }

    /// The same in percent of what all would have used alone.
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
    /// Samples the initial model was trained on.
    pub initial: u64,
    /// Samples to contribute.
    pub remaining: u64,
    /// Samples the accuracy is measured on.
    pub test: u64,
    /// Features of the model.
    pub features: u64,
    /// Classes of the model.
    pub classes: u64,
    /// Numbers too far from the mean for the dense encoding, which were moved to its bounds.
    pub clamped: u64,
}
