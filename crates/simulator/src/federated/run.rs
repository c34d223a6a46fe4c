//! Result of federated rounds.

use std::{collections::BTreeMap, time::Duration};

use alloy_primitives::{B256, hex};
use sha3::{Digest, Sha3_256};

use super::Settings;

/// Result of federated rounds.
///
/// Everything but [`FederatedRun::wall`] and [`FederatedRun::backend`] is a function of scenario and
/// seed.
#[derive(Debug, Clone, PartialEq)]
pub struct FederatedRun {
    /// Name of the scenario.
    pub scenario: String,
    /// One sentence on the purpose of the scenario; may be empty.
    pub description: String,
    /// Settings of the rounds.
    pub settings: Settings,
    /// Seed of everything random.
    pub seed: u64,
    /// Chain that it ran on: `embedded` or `anvil`.
    pub backend: &'static str,
    /// Number of digits that the clients learned from.
    pub learned: usize,
    /// Number of digits that the accuracy is a share of.
    pub test: usize,
    /// Number of parameters of the model.
    pub parameters: usize,
    /// Accuracy on the test digits: at the start, and after each round.
    pub accuracy: Vec<f64>,
    /// Accuracy if the mean joins all revealed updates, without a sieve and without a chain.
    pub by_mean: Vec<f64>,
    /// Share of marked test digits of other classes that the model takes for the backdoor's class.
    pub backdoor: f64,
    /// Rounds, in order.
    pub rounds: Vec<RoundOutcome>,
    /// Clients, in the order of their commitments.
    pub clients: Vec<ClientOutcome>,
    /// Transactions and their gas.
    pub spent: Spent,
    /// SHA3-256 of accuracies, clients and the chain's final state, in lower-case hexadecimal.
    pub digest: String,
    /// Wall time of training, attacks and transactions, without those of the mean.
    pub wall: Duration,
}

/// Result of the rounds on a chain.
pub(super) struct Outcome {
    pub(super) clients: Vec<ClientOutcome>,
    pub(super) rounds: Vec<RoundOutcome>,
    pub(super) spent: Spent,
    /// Digest of the chain's state.
    pub(super) state: B256,
}

/// Result of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundOutcome {
    /// Number of revealed updates.
    pub revealed: usize,
    /// Number of updates that the sieve left.
    pub admitted: usize,
    /// Loss that all revealed updates together save, in 1/256 bit; `None` without a score.
    pub improvement: Option<i64>,
    /// Tokens that the clients earned.
    pub emitted: u128,
    /// Whether the round made a new model. If not, too few updates were left for the rule.
    pub is_settled: bool,
}

impl RoundOutcome {
    /// Returns a round that fails without a score.
    pub(super) fn failed(revealed: usize) -> Self {
        Self {
            revealed,
            admitted: 0,
            improvement: None,
            emitted: 0,
            is_settled: false,
        }
    }
}

/// Client at the end of a run. Its money is the balance of tokens on the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOutcome {
    /// Kind: `honest`, or the name of the attack.
    pub kind: &'static str,
    /// Stake tokens that it deposited.
    pub deposited: u128,
    /// Stake tokens that it got back at the end.
    pub withdrawn: u128,
    /// Stake tokens that it lost for harmful updates.
    pub slashed: u128,
    /// Stake tokens that it lost for updates that it did not reveal.
    pub forfeited: u128,
    /// Reward tokens that it collected.
    pub reward: u128,
    /// Value of its update in each round, in 1/256 bit; `None` if it was not scored.
    pub values: Vec<Option<i64>>,
}

impl ClientOutcome {
    /// Returns the stake tokens that it lost.
    #[must_use]
    pub fn lost(&self) -> u128 {
        self.slashed + self.forfeited
    }

    /// Returns `true` if its kind is not an attack.
    #[must_use]
    pub fn is_honest(&self) -> bool {
        self.kind == super::HONEST
    }
}

/// Step of a round, or of what comes before and after all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Deployment of trainer, model and tokens, with the commitment to the test set.
    Deploy,
    /// Deposit of stakes, with the token's approval.
    Deposit,
    /// Commitment to an update.
    Commit,
    /// Revelation of an update.
    Reveal,
    /// Draw of a part of the test set, with the block in between.
    Draw,
    /// Revelation of the drawn part.
    RevealTest,
    /// Scoring of samples.
    Score,
    /// Aggregation of the admitted updates.
    Aggregate,
    /// Settlement of stakes and rewards.
    Settle,
    /// Collection of rewards.
    Collect,
    /// Withdrawal of stakes.
    Withdraw,
}

impl Step {
    /// Returns the name in results: that of the contract's function, if it is one.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Deposit => "deposit",
            Self::Commit => "commit",
            Self::Reveal => "reveal",
            Self::Draw => "draw",
            Self::RevealTest => "revealTest",
            Self::Score => "score",
            Self::Aggregate => "aggregate",
            Self::Settle => "settle",
            Self::Collect => "collect",
            Self::Withdraw => "withdraw",
        }
    }
}

/// Transactions and their gas, by step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spent(BTreeMap<Step, Cost>);

/// Transactions of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Number of transactions.
    pub transactions: u64,
    /// Gas of all of them.
    pub gas: u64,
}

impl Cost {
    /// Returns the mean gas for each of `count` things, rounded down; 0 for none.
    #[must_use]
    pub fn each(self, count: u64) -> u64 {
        self.gas.checked_div(count).unwrap_or_default()
    }
}

impl Spent {
    pub(super) fn add(&mut self, step: Step, gas: u64) {
        let cost = self.0.entry(step).or_default();
        cost.transactions += 1;
        cost.gas += gas;
    }

    /// Returns the cost of a step.
    #[must_use]
    pub fn of(&self, step: Step) -> Cost {
        self.0.get(&step).copied().unwrap_or_default()
    }

    /// Returns all steps that were made, in order.
    pub fn steps(&self) -> impl Iterator<Item = (Step, Cost)> {
        self.0.iter().map(|(step, cost)| (*step, *cost))
    }

    /// Returns the cost of all steps.
    #[must_use]
    pub fn all(&self) -> Cost {
        let zero = Cost::default();
        self.0.values().fold(zero, |sum, cost| Cost {
            transactions: sum.transactions + cost.transactions,
            gas: sum.gas + cost.gas,
        })
    }
}

impl FederatedRun {
    /// Returns the share of positive values of each kind of client, in [0, 1].
    ///
    /// `None` if no update of the kind was scored.
    #[must_use]
    pub fn positive_share(&self) -> BTreeMap<&'static str, Option<f64>> {
        let mut counts: BTreeMap<&'static str, (u32, u32)> = BTreeMap::new();
        for client in &self.clients {
            let (positive, all) = counts.entry(client.kind).or_default();
            for value in client.values.iter().flatten() {
                *positive += u32::from(*value > 0);
                *all += 1;
            }
        }
        let counts = counts.into_iter();
        let share = |(positive, all)| (all > 0).then(|| f64::from(positive) / f64::from(all));
        counts.map(|(kind, count)| (kind, share(count))).collect()
    }

    /// Returns the gas to submit an update, as a mean: a commitment and a revelation.
    #[must_use]
    pub fn gas_to_submit(&self) -> u64 {
        let of = |step| {
            let cost = self.spent.of(step);
            cost.each(cost.transactions)
        };
        of(Step::Commit) + of(Step::Reveal)
    }

    /// Returns the gas of a step in a round that has it, as a mean.
    #[must_use]
    pub fn gas_a_round(&self, step: Step) -> u64 {
        let settled = |round: &&RoundOutcome| round.is_settled;
        let scored = |round: &&RoundOutcome| round.improvement.is_some();
        let rounds = match step {
            Step::RevealTest | Step::Score => self.rounds.iter().filter(scored).count(),
            Step::Aggregate | Step::Settle => self.rounds.iter().filter(settled).count(),
            _ => self.rounds.len(),
        };
        self.spent.of(step).each(rounds as u64)
    }

    /// Returns the rounds of a minute of wall time.
    // Counts are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    #[must_use]
    pub fn rounds_a_minute(&self) -> f64 {
        60.0 * self.rounds.len() as f64 / self.wall.as_secs_f64().max(1e-9)
    }

    /// Returns the digest of the results and the chain's final state.
    pub(super) fn digest(&self, state: B256) -> String {
        let mut hasher = Sha3_256::new();
        for accuracy in self.accuracy.iter().chain(&self.by_mean) {
            hasher.update(accuracy.to_bits().to_be_bytes());
        }
        for client in &self.clients {
            for value in &client.values {
                hasher.update([u8::from(value.is_some())]);
                hasher.update(value.unwrap_or_default().to_be_bytes());
            }
            hasher.update(client.reward.to_be_bytes());
            hasher.update(client.lost().to_be_bytes());
        }
        hasher.update(state);
        hex::encode(hasher.finalize())
    }
}
