//! JSON of a run.

use cotrain_simulator::{
    run::{AgentOutcome, Run},
    tables::days,
};
use serde::{Serialize, Serializer};

use crate::measured::Measured;

/// Figures of a run. `--json` prints them; `summary.json` holds them with details.
#[derive(Debug, Serialize)]
pub struct Summary<'a> {
    scenario: &'a str,
    seed: u64,
    backend: &'a str,
    contributions: u64,
    refunds: u64,
    /// Shares taken by reports, plus late claims.
    reports: u64,
    transactions: u64,
    gas: Gas,
    #[serde(skip_serializing_if = "Option::is_none")]
    relay: Option<Relay>,
    accuracy: Accuracy,
    #[serde(serialize_with = "by_name")]
    balances: &'a [AgentOutcome],
    days: f64,
    digest: &'a str,
    wall_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details<'a>>,
}

#[derive(Debug, Serialize)]
struct Gas {
    total: u64,
    per_contribution: u64,
}

/// Figures of relaying and its savings.
#[derive(Debug, Serialize)]
struct Relay {
    /// Contributions per transaction, as set with `--relay`.
    size: u64,
    /// Contributions that were signed and never sent.
    unsent: u64,
    contribution_transactions: u64,
    claim_transactions: u64,
    prepayments: u64,
    contributions: Compared,
    claims: Compared,
    /// Gas of prepaying.
    prepaying: u64,
    /// Gas saved by relaying, after subtracting prepaying.
    saved: i64,
    saved_percent: f64,
    /// Fees of the relayer, in wei; a decimal number in a string.
    fees_wei: String,
}

/// Gas in shared transactions, and in a transaction for each.
#[derive(Debug, Serialize)]
struct Compared {
    together: u64,
    alone: u64,
    together_each: u64,
    alone_each: u64,
}

impl Compared {
    fn of(together: u64, alone: u64, count: u64) -> Self {
        Self {
            together,
            alone,
            together_each: each(together, count),
            alone_each: each(alone, count),
        }
    }
}

impl Relay {
    fn of(run: &Run) -> Option<Self> {
        let relay = run.relay?;
        let claims = claims(run);
        Some(Self {
            size: relay.size,
            unsent: relay.unsent,
            contribution_transactions: relay.relays,
            claim_transactions: relay.claims,
            prepayments: relay.prepayments,
            contributions: Compared::of(
                run.gas.contributions,
                relay.contributions_alone,
                run.counts.contributions,
            ),
            claims: Compared::of(run.gas.claims, relay.claims_alone, claims),
            prepaying: relay.prepaying,
            saved: relay.saved(run.gas),
            saved_percent: relay.saved_percent(run.gas),
            fees_wei: relay.fees.to_string(),
        })
    }
}

#[derive(Debug, Serialize)]
struct Accuracy {
    initial: f64,
    r#final: f64,
    baseline: f64,
}

impl<'a> Summary<'a> {
    /// Returns the figures without details.
    #[must_use]
    pub fn of(run: &'a Run) -> Self {
        Self {
            scenario: &run.scenario,
            seed: run.seed,
            backend: run.backend,
            contributions: run.counts.contributions,
            refunds: run.counts.refunds,
            reports: run.counts.reports + run.counts.late_claims,
            transactions: run.counts.transactions,
            gas: Gas {
                total: run.gas.total,
                per_contribution: gas_per_contribution(run),
            },
            relay: Relay::of(run),
            accuracy: Accuracy {
                initial: run.accuracy.initial,
                r#final: run.accuracy.last,
                baseline: run.accuracy.baseline,
            },
            balances: &run.agents,
            days: days(run.seconds),
            digest: &run.digest,
            wall_seconds: run.wall.as_secs_f64(),
            details: None,
        }
    }

    /// Returns the figures with all details.
    #[must_use]
    pub fn with_details(run: &'a Run) -> Self {
        Self {
            details: Some(Details::of(run)),
            ..Self::of(run)
        }
    }
}

/// Rounds a difference of accuracies, to remove the error of subtracting floats.
fn rounded(difference: f64) -> f64 {
    (difference * 1e9).round() / 1e9
}

/// Returns the number of contributions that had something left to claim at the end.
pub(crate) fn unclaimed(run: &Run) -> u64 {
    run.series.last().map_or(0, |row| row.unclaimed)
}

/// Returns the average gas of a contribution, rounded to the nearest; 0 if there is none.
pub(crate) fn gas_per_contribution(run: &Run) -> u64 {
    each(run.gas.contributions, run.counts.contributions)
}

/// Returns the mean, rounded to the nearest; 0 if `count` is 0.
pub(crate) fn each(gas: u64, count: u64) -> u64 {
    (gas + count / 2).checked_div(count).unwrap_or(0)
}

/// Returns the number of refunds, reports and late claims together.
pub(crate) fn claims(run: &Run) -> u64 {
    run.counts.refunds + run.counts.reports + run.counts.late_claims
}

/// Serializes agents as an object, in the order of the scenario.
fn by_name<S: Serializer>(agents: &&[AgentOutcome], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(
        agents
            .iter()
            .map(|agent| (&agent.name, agent.balance_percent())),
    )
}

/// Returns the figures on the predictions for the test data at the end.
pub(super) fn evaluation(run: &Run) -> Measured {
    Measured::new(&run.confusion, run.classes.clone())
}

/// Details of a run. Amounts of money are decimal numbers in strings, since they exceed the exact
/// range of JSON readers.
#[derive(Debug, Serialize)]
struct Details<'a> {
    description: &'a str,
    model: &'a str,
    incentive: &'a str,
    /// Reason why the run ended.
    end: &'static str,
    unclaimed: u64,
    data: Data,
    accuracy: AccuracyDetails,
    /// Figures on the predictions for the test data at the end.
    evaluation: Measured,
    /// Fate of a contribution and its money, in sentences.
    rules: &'a str,
    /// Reason for which the mechanism ended, in sentences; `None` if there is nothing to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'a str>,
    /// Contributions that changed the model; left out if the model does not learn at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<u64>,
    refunds: u64,
    /// Shares taken by reports, without late claims.
    reports_alone: u64,
    late_claims: u64,
    gas: GasDetails,
    /// Figures that only this mechanism has.
    facts: Vec<FactDetails<'a>>,
    agents: Vec<AgentDetails<'a>>,
    unit_wei: String,
    seconds: u64,
}

#[derive(Debug, Serialize)]
struct Data {
    initial_samples: u64,
    remaining_samples: u64,
    test_samples: u64,
    features: u64,
    classes: u64,
    /// Numbers that the dense encoding moved to its bounds.
    clamped: u64,
}

#[derive(Debug, Serialize)]
struct AccuracyDetails {
    initial_float: f64,
    quantisation_loss: f64,
    lowest: f64,
}

#[derive(Debug, Serialize)]
struct GasDetails {
    deployment: u64,
    contributions: u64,
    claims: u64,
    others: u64,
    upkeep: u64,
}

#[derive(Debug, Serialize)]
struct FactDetails<'a> {
    name: &'a str,
    /// A number, as text like everything that may be large.
    value: &'a str,
}

#[derive(Debug, Serialize)]
struct AgentDetails<'a> {
    name: &'a str,
    kind: &'a str,
    harmless: bool,
    /// Deprecated: the same as `harmless`.
    good: bool,
    start_wei: String,
    end_wei: String,
    contributions: u64,
    refunds: u64,
    reports_alone: u64,
    late_claims: u64,
    outbid: u64,
    predictions: u64,
    paid_wei: String,
    collected_wei: String,
    gas: u64,
}

impl<'a> Details<'a> {
    fn of(run: &'a Run) -> Self {
        Self {
            description: &run.description,
            model: &run.model,
            incentive: run.incentive,
            end: run.end.name(),
            unclaimed: unclaimed(run),
            data: Data {
                initial_samples: run.data.initial,
                remaining_samples: run.data.remaining,
                test_samples: run.data.test,
                features: run.data.features,
                classes: run.data.classes,
                clamped: run.data.clamped,
            },
            accuracy: AccuracyDetails {
                initial_float: run.accuracy.initial_float,
                quantisation_loss: rounded(run.accuracy.initial_float - run.accuracy.initial),
                lowest: run.accuracy.lowest,
            },
            evaluation: evaluation(run),
            rules: run.words.rules,
            outcome: Some(run.outcome.as_str()).filter(|outcome| !outcome.is_empty()),
            changed: run.words.learns_at_once.then_some(run.counts.changed),
            refunds: run.counts.refunds,
            reports_alone: run.counts.reports,
            late_claims: run.counts.late_claims,
            gas: GasDetails {
                deployment: run.gas.deployment,
                contributions: run.gas.contributions,
                claims: run.gas.claims,
                others: run.gas.others,
                upkeep: run.gas.upkeep,
            },
            facts: run
                .facts
                .iter()
                .map(|fact| FactDetails {
                    name: fact.name,
                    value: &fact.value,
                })
                .collect(),
            agents: run.agents.iter().map(AgentDetails::of).collect(),
            unit_wei: run.unit.to_string(),
            seconds: run.seconds,
        }
    }
}

impl<'a> AgentDetails<'a> {
    fn of(agent: &'a AgentOutcome) -> Self {
        Self {
            name: &agent.name,
            kind: agent.kind,
            harmless: agent.is_harmless(),
            good: agent.is_harmless(),
            start_wei: agent.start_balance.to_string(),
            end_wei: agent.end_balance.to_string(),
            contributions: agent.contributions,
            refunds: agent.refunds,
            reports_alone: agent.reports,
            late_claims: agent.late_claims,
            outbid: agent.outbid,
            predictions: agent.predictions,
            paid_wei: agent.paid.to_string(),
            collected_wei: agent.collected.to_string(),
            gas: agent.gas,
        }
    }
}

#[cfg(test)]
mod tests {
    use cotrain_simulator::run::End;

    use super::*;
    use crate::fixture;

    #[test]
    fn summary_of_a_run_has_its_main_figures() {
        let run = fixture::run();
        insta::assert_snapshot!(serde_json::to_string_pretty(&Summary::of(&run)).expect("JSON"), @r#"
        {
          "scenario": "made-up",
          "seed": 3,
          "backend": "embedded",
          "contributions": 1200,
          "refunds": 1000,
          "reports": 170,
          "transactions": 2375,
          "gas": {
            "total": 260000000,
            "per_contribution": 99000
          },
          "accuracy": {
            "initial": 0.61,
            "final": 0.73,
            "baseline": 0.764
          },
          "balances": {
            "Good": 150.56,
            "Bad": 0.48
          },
          "days": 8.0,
          "digest": "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
          "wall_seconds": 3.21
        }
        "#);
    }

    #[allow(
        clippy::too_many_lines,
        reason = "the snapshot has a line for each figure"
    )]
    #[test]
    fn details_of_a_run_have_all_other_figures() {
        let run = fixture::run();
        insta::assert_snapshot!(serde_json::to_string_pretty(&Details::of(&run)).expect("JSON"), @r#"
        {
          "description": "An honest and a hostile agent, made up.",
          "model": "sparse perceptron",
          "incentive": "deposit, refund, take",
          "end": "settled",
          "unclaimed": 0,
          "data": {
            "initial_samples": 664,
            "remaining_samples": 7636,
            "test_samples": 2075,
            "features": 2000,
            "classes": 2,
            "clamped": 0
          },
          "accuracy": {
            "initial_float": 0.612,
            "quantisation_loss": 0.002,
            "lowest": 0.594
          },
          "evaluation": {
            "n": 2075,
            "correct": 1515,
            "accuracy": 0.7301204819277108,
            "interval": [
              0.7106086952995488,
              0.7487817964322073
            ],
            "majority": 0.5060240963855421,
            "classes": [
              "negative",
              "positive"
            ],
            "confusion": [
              [
                800,
                250
              ],
              [
                310,
                715
              ]
            ],
            "per_class": [
              {
                "class": "negative",
                "support": 1050,
                "precision": 0.7207207207207207,
                "recall": 0.7619047619047619,
                "f1": 0.7407407407407407
              },
              {
                "class": "positive",
                "support": 1025,
                "precision": 0.7409326424870466,
                "recall": 0.697560975609756,
                "f1": 0.7185929648241206
              }
            ],
            "refused": 0
          },
          "rules": "A contribution carries a deposit.",
          "changed": 321,
          "refunds": 1000,
          "reports_alone": 150,
          "late_claims": 20,
          "gas": {
            "deployment": 5000000,
            "contributions": 118800000,
            "claims": 136200000,
            "others": 0,
            "upkeep": 0
          },
          "facts": [],
          "agents": [
            {
              "name": "Good",
              "kind": "honest",
              "harmless": true,
              "good": true,
              "start_wei": "10000000000000000000000",
              "end_wei": "15056000000000000000000",
              "contributions": 1100,
              "refunds": 980,
              "reports_alone": 150,
              "late_claims": 20,
              "outbid": 0,
              "predictions": 0,
              "paid_wei": "0",
              "collected_wei": "0",
              "gas": 240000000
            },
            {
              "name": "Bad",
              "kind": "flipper",
              "harmless": false,
              "good": false,
              "start_wei": "10000000000000000000000",
              "end_wei": "48000000000000000000",
              "contributions": 100,
              "refunds": 20,
              "reports_alone": 0,
              "late_claims": 0,
              "outbid": 0,
              "predictions": 0,
              "paid_wei": "0",
              "collected_wei": "0",
              "gas": 15000000
            }
          ],
          "unit_wei": "1000000000000000000",
          "seconds": 691200
        }
        "#);
    }

    #[test]
    fn details_of_a_market_say_how_it_ended_and_count_no_lessons() {
        let run = fixture::market();
        let details = serde_json::to_value(Details::of(&run)).expect("JSON");
        assert_eq!(
            details["outcome"],
            "Together, the contributions improved it."
        );
        assert_eq!(details["rules"], "A contribution carries a stake.");
        assert_eq!(details.get("changed"), None);
    }

    #[test]
    fn details_name_the_end_and_the_number_of_unclaimed_contributions() {
        let mut run = fixture::run();
        let last = run.series.len() - 1;
        run.series[last].unclaimed = 75;
        for (end, name) in [(End::Stuck, "stuck"), (End::Limit, "limit")] {
            run.end = end;
            let details = Details::of(&run);
            assert_eq!((details.end, details.unclaimed), (name, 75));
        }
    }

    #[test]
    fn gas_per_contribution_is_zero_without_contributions() {
        let mut run = fixture::run();
        run.counts.contributions = 0;
        assert_eq!(gas_per_contribution(&run), 0);
        run.counts.contributions = 2;
        run.gas.contributions = 5;
        assert_eq!(gas_per_contribution(&run), 3);
    }
}
