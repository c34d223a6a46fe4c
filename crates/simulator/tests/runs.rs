//! Whole runs: reproducible to the bit, and no money made or lost.

use cotrain_simulator::{
    Options,
    run::{Action, Run},
    scenario::Scenario,
    simulate,
};

/// A short economy over the last tenth of the embedded data.
fn scenario(model: &str, incentive: &str, more: &str) -> Scenario {
    let text = format!(
        r#"
        [data]
        source = "movie-reviews"
        features = 300
        initial_share = 0.96

        [model]
        kind = "{model}"

        [incentive]
        {incentive}
        refund_wait = "1 day"
        owner_claim_wait = "9 days"
        any_address_claim_wait = "9 days"

        {more}

        [[agents]]
        name = "Good"
        good = true
        start_balance = 1000
        deposit = {{ mean = 50, sd = 10 }}
        wait = {{ mean = "10m", sd = "1s" }}
        mistakes = 0.01

        [[agents]]
        name = "Bad"
        good = false
        start_balance = 1000
        deposit = {{ mean = 100, sd = 3 }}
        wait = {{ mean = "1h", sd = "1s" }}
        "#
    );
    Scenario::parse("short", "short.toml", &text, None).expect("a scenario")
}

const DEPOSITS: &str = "kind = \"deposit-refund-take\"\ndeposit_after_one_hour = 1.0";
const POINTS: &str = "kind = \"points\"";

fn run(scenario: &Scenario, seed: u64) -> Run {
    simulate(
        scenario,
        &Options {
            seed,
            data_dir: None,
        },
        &mut |_| {},
    )
    .expect("a run")
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let scenario = scenario("sparse-perceptron", DEPOSITS, "");
    let (first, second, other) = (run(&scenario, 1), run(&scenario, 1), run(&scenario, 2));
    assert_eq!(first.series, second.series);
    assert_eq!(first.events, second.events);
    assert_eq!(first.digest, second.digest);
    assert_ne!(first.digest, other.digest);
    // The same on every machine: a change here is a change of the rules, the contracts' bytecode
    // or the simulator, and belongs in the commit that makes it.
    assert_eq!(
        first.digest,
        "c2fbc784a34d7a564fd32cfb82f9767d5dd3db5300a1158da589d7ddc2737788"
    );
}

#[test]
fn every_learner_goes_through_an_economy_and_no_money_is_made_or_lost() {
    for model in [
        "sparse-perceptron",
        "naive-bayes",
        "sparse-nearest-centroid",
    ] {
        let run = run(&scenario(model, DEPOSITS, ""), 3);
        let start: u128 = run.agents.iter().map(|agent| agent.start_balance).sum();
        let end: u128 = run.agents.iter().map(|agent| agent.end_balance).sum();
        assert_eq!(
            start, end,
            "{model}: gas is free, so what was there is still there"
        );
        assert_eq!(run.counts.contributions, run.data.remaining, "{model}");
        assert_eq!(
            run.series.last().map(|row| row.unclaimed),
            Some(0),
            "{model}"
        );
        assert!(
            run.counts.refunds > 0 && run.counts.reports > 0,
            "{model}: {:?}",
            run.counts
        );
        let paid_in: u128 = run
            .events
            .iter()
            .filter(|event| event.action == Action::Contribution)
            .map(|event| event.amount)
            .sum();
        let paid_out: u128 = run
            .events
            .iter()
            .filter(|event| event.action != Action::Contribution)
            .map(|event| event.amount)
            .sum();
        assert_eq!(paid_in, paid_out, "{model}");
        assert_eq!(
            run.gas.total,
            run.gas.deployment + run.gas.contributions + run.gas.claims
        );
    }
}

#[test]
fn under_points_nothing_is_paid() {
    let run = run(&scenario("sparse-perceptron", POINTS, ""), 1);
    assert!(run.events.iter().all(|event| event.amount == 0));
    assert!(
        run.agents
            .iter()
            .all(|agent| agent.end_balance == agent.start_balance)
    );
    assert!(run.counts.refunds > 0);
}

#[test]
fn agents_pay_for_gas() {
    let gas_price_gwei = 100;
    let scenario = scenario(
        "sparse-perceptron",
        DEPOSITS,
        &format!("[chain]\ngas_price_gwei = {gas_price_gwei}"),
    );
    let run = run(&scenario, 1);
    let start: u128 = run.agents.iter().map(|agent| agent.start_balance).sum();
    let end: u128 = run.agents.iter().map(|agent| agent.end_balance).sum();
    let gas: u64 = run.agents.iter().map(|agent| agent.gas).sum();
    assert!(gas > 0);
    assert_eq!(
        start - end,
        u128::from(gas) * gas_price_gwei * 1_000_000_000
    );
}
