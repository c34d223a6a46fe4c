//! JSON of federated rounds.

use std::collections::BTreeMap;

use cotrain_simulator::federated::{ClientOutcome, Cost, FederatedRun, RoundOutcome, Step};
use serde::{Serialize, Serializer};

/// Figures of federated rounds. `--json` prints them; `summary.json` holds them with details.
#[derive(Debug, Serialize)]
pub struct Summary<'a> {
    scenario: &'a str,
    seed: u64,
    backend: &'a str,
    rule: &'static str,
    clients: u8,
    hostile: u8,
    attack: &'static str,
    split: String,
    rounds: usize,
    /// Rounds without a new model, because too few updates were left for the rule.
    failed_rounds: usize,
    accuracy: Accuracy,
    /// Share of marked digits that the model takes for the backdoor's class.
    backdoor: f64,
    gas: Gas,
    transactions: u64,
    positive_share: BTreeMap<&'static str, Option<f64>>,
    /// Reward tokens by client.
    #[serde(serialize_with = "rewards")]
    rewards: &'a FederatedRun,
    /// Stake tokens that clients lost, by client.
    #[serde(serialize_with = "losses")]
    losses: &'a FederatedRun,
    digest: &'a str,
    wall_seconds: f64,
    rounds_per_minute: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details<'a>>,
}

#[derive(Debug, Serialize)]
struct Accuracy {
    initial: f64,
    r#final: f64,
    final_by_mean: f64,
}

/// Gas: to submit an update, and of each step a round.
#[derive(Debug, Serialize)]
struct Gas {
    submit: u64,
    score: u64,
    aggregate: u64,
    settle: u64,
    total: u64,
}

/// Details of federated rounds.
#[derive(Debug, Serialize)]
struct Details<'a> {
    description: &'a str,
    assumed_hostile: u8,
    learned_digits: usize,
    test_digits: usize,
    parameters: usize,
    /// Accuracies at the start and after each round.
    accuracy: &'a [f64],
    accuracy_by_mean: &'a [f64],
    rounds: Vec<RoundDetails>,
    clients: Vec<ClientDetails<'a>>,
    steps: BTreeMap<&'static str, StepDetails>,
}

#[derive(Debug, Serialize)]
struct RoundDetails {
    revealed: usize,
    admitted: usize,
    improvement: Option<i64>,
    emitted: u128,
    settled: bool,
}

#[derive(Debug, Serialize)]
struct ClientDetails<'a> {
    name: String,
    kind: &'static str,
    deposited: u128,
    withdrawn: u128,
    slashed: u128,
    forfeited: u128,
    reward: u128,
    values: &'a [Option<i64>],
}

#[derive(Debug, Serialize)]
struct StepDetails {
    transactions: u64,
    gas: u64,
}

impl<'a> Summary<'a> {
    /// Returns the figures without details.
    #[must_use]
    pub fn of(run: &'a FederatedRun) -> Self {
        let last = |accuracies: &[f64]| accuracies.last().copied().unwrap_or_default();
        let all = run.spent.all();
        Self {
            scenario: &run.scenario,
            seed: run.seed,
            backend: run.backend,
            rule: run.settings.rule.name(),
            clients: run.settings.clients,
            hostile: run.settings.hostile,
            attack: run.settings.attack.name(),
            split: run.settings.split.to_string(),
            rounds: run.rounds.len(),
            failed_rounds: run.rounds.iter().filter(|it| !it.is_settled).count(),
            accuracy: Accuracy {
                initial: run.accuracy.first().copied().unwrap_or_default(),
                r#final: last(&run.accuracy),
                final_by_mean: last(&run.by_mean),
            },
            backdoor: run.backdoor,
            gas: Gas {
                submit: run.gas_to_submit(),
                score: run.gas_a_round(Step::Score),
                aggregate: run.gas_a_round(Step::Aggregate),
                settle: run.gas_a_round(Step::Settle),
                total: all.gas,
            },
            transactions: all.transactions,
            positive_share: run.positive_share(),
            rewards: run,
            losses: run,
            digest: &run.digest,
            wall_seconds: run.wall.as_secs_f64(),
            rounds_per_minute: run.rounds_a_minute(),
            details: None,
        }
    }

    /// Returns the figures with all details.
    #[must_use]
    pub fn with_details(run: &'a FederatedRun) -> Self {
        let client = |(index, it): (usize, &'a ClientOutcome)| ClientDetails {
            name: run.client_name(index),
            kind: it.kind,
            deposited: it.deposited,
            withdrawn: it.withdrawn,
            slashed: it.slashed,
            forfeited: it.forfeited,
            reward: it.reward,
            values: &it.values,
        };
        let round = |it: &RoundOutcome| RoundDetails {
            revealed: it.revealed,
            admitted: it.admitted,
            improvement: it.improvement,
            emitted: it.emitted,
            settled: it.is_settled,
        };
        let step = |(step, Cost { transactions, gas }): (Step, Cost)| {
            (step.name(), StepDetails { transactions, gas })
        };
        let details = Details {
            description: &run.description,
            assumed_hostile: run.settings.assumed_hostile,
            learned_digits: run.learned,
            test_digits: run.test,
            parameters: run.parameters,
            accuracy: &run.accuracy,
            accuracy_by_mean: &run.by_mean,
            rounds: run.rounds.iter().map(round).collect(),
            clients: run.clients.iter().enumerate().map(client).collect(),
            steps: run.spent.steps().map(step).collect(),
        };
        Self {
            details: Some(details),
            ..Self::of(run)
        }
    }
}

// serde passes a reference to the field.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn rewards<S: Serializer>(run: &&FederatedRun, serializer: S) -> Result<S::Ok, S::Error> {
    by_client(run, |it| it.reward, serializer)
}

// serde passes a reference to the field.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn losses<S: Serializer>(run: &&FederatedRun, serializer: S) -> Result<S::Ok, S::Error> {
    by_client(run, ClientOutcome::lost, serializer)
}

/// Serializes a number of each client as an object, in the order of the clients.
fn by_client<S: Serializer>(
    run: &FederatedRun,
    number: fn(&ClientOutcome) -> u128,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let each = run.clients.iter().enumerate();
    serializer.collect_map(each.map(|(index, client)| (run.client_name(index), number(client))))
}
