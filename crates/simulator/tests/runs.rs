//! Tests that whole runs are reproducible to the bit, and that no money appears or vanishes.

use std::{error::Error, fmt::Write, num::NonZeroUsize};

use cotrain_simulator::{
    Options, Threads,
    run::{Action, End, Run},
    scenario::Scenario,
    simulate,
};

/// Returns a short economy over the last tenth of the embedded data.
fn scenario(model: &str, incentive: &str, more: &str) -> Scenario {
    let (good_deposit, bad_deposit) = if incentive == POINTS {
        ("", "")
    } else {
        (
            "deposit = { mean = 50, sd = 10 }",
            "deposit = { mean = 100, sd = 3 }",
        )
    };
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
        kind = "honest"
        start_balance = 1000
        {good_deposit}
        wait = {{ mean = "10m", sd = "1s" }}
        mistakes = 0.01

        [[agents]]
        name = "Bad"
        kind = "flipper"
        start_balance = 1000
        {bad_deposit}
        wait = {{ mean = "1h", sd = "1s" }}
        "#
    );
    Scenario::parse("short", "short.toml", &text, None).expect("a scenario")
}

const DEPOSITS: &str = "kind = \"deposit-refund-take\"\ndeposit_after_one_hour = 1.0";
const POINTS: &str = "kind = \"points\"";

fn run(scenario: &Scenario, seed: u64) -> Run {
    run_with(scenario, seed, None)
}

fn relayed(scenario: &Scenario, seed: u64, size: usize) -> Run {
    run_with(scenario, seed, NonZeroUsize::new(size))
}

fn run_with(scenario: &Scenario, seed: u64, relay: Option<NonZeroUsize>) -> Run {
    let options = Options {
        seed,
        data_dir: None,
        relay,
        threads: Threads::Two,
    };
    simulate(scenario, &options, &mut |_| {}).expect("a run")
}

/// Returns agent and label of each contribution of a run, in order, without times.
fn contributed(run: &Run) -> Vec<(u16, u16)> {
    run.events
        .iter()
        .filter(|event| event.action == Action::Contribution)
        .map(|event| (event.agent, event.label))
        .collect()
}

fn start(run: &Run) -> u128 {
    run.agents.iter().map(|agent| agent.start_balance).sum()
}

fn end(run: &Run) -> u128 {
    run.agents.iter().map(|agent| agent.end_balance).sum()
}

#[test]
fn simulate_gives_each_seed_its_own_run_every_time() {
    let scenario = scenario("sparse-perceptron", DEPOSITS, "");
    let (first, second, other) = (run(&scenario, 1), run(&scenario, 1), run(&scenario, 2));
    assert_eq!(first.series, second.series);
    assert_eq!(first.events, second.events);
    assert_eq!(first.digest, second.digest);
    assert_ne!(first.digest, other.digest);
    // The digest is the same on every machine. It changes with the rules, the contracts' bytecode
    // or the simulator; update it in the same commit.
    assert_eq!(
        first.digest,
        "af7fe8ffb62fe4961797dfb1e254e3e5ff0bad7d677269045e5ec60ae8546af1"
    );
}

#[test]
fn simulate_makes_and_loses_no_money_with_any_learner() {
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
        assert_eq!(run.end, End::Settled, "{model}");
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
fn simulate_pays_nothing_under_points() {
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
fn simulate_charges_agents_for_gas() {
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

#[test]
fn simulate_ends_if_no_agent_can_pay_for_gas() {
    // At this price a contribution or a claim costs some 10 units, so in the end nobody can pay.
    let scenario = scenario(
        "sparse-perceptron",
        DEPOSITS,
        "[chain]\ngas_price_gwei = 100_000",
    );
    let run = run(&scenario, 1);
    assert_eq!(run.end, End::Stuck);
    assert!(run.counts.contributions > 0);
    assert!(run.series.last().is_some_and(|row| row.unclaimed > 0));
}

#[test]
fn simulate_ends_at_the_limit() {
    let scenario = scenario("sparse-perceptron", DEPOSITS, "[run]\nlimit = \"36h\"");
    let run = run(&scenario, 1);
    assert_eq!((run.end, run.seconds), (End::Limit, 36 * 3_600));
}

/// The good agent's pace follows the accuracy at the last evaluation. With one evaluation it works
/// at the same turns, however the model develops.
const ONE_EVALUATION: &str = "[run]\nevaluate_every = \"1000 days\"";

#[test]
fn simulate_gives_the_same_relayed_run_every_time() {
    let scenario = scenario("sparse-perceptron", DEPOSITS, "");
    let (first, second) = (relayed(&scenario, 1, 20), relayed(&scenario, 1, 20));
    assert_eq!(first.series, second.series);
    assert_eq!(first.events, second.events);
    assert_eq!(first.relay, second.relay);
    assert_eq!(first.digest, second.digest);
    // See the digest above.
    assert_eq!(
        first.digest,
        "6fe80238ce21f81dac9c86d4e1aa70a1c5c7b48aef344eace0a6979acaedf6b1"
    );
}

#[test]
fn simulate_relays_the_same_samples_and_labels_in_the_same_order() {
    let scenario = scenario("sparse-perceptron", DEPOSITS, ONE_EVALUATION);
    let direct = run(&scenario, 1);
    for size in [1, 20, 100, 1_000] {
        let relayed = relayed(&scenario, 1, size);
        let of = relayed.data.remaining;
        let relay = relayed.relay.expect("figures");
        assert_eq!((relayed.end, relay.unsent), (End::Settled, 0), "{size}");
        assert_eq!(relayed.counts.contributions, of, "{size}");
        assert!(contributed(&relayed) == contributed(&direct), "{size}");
        assert!(relay.relays >= of.div_ceil(size as u64), "{size}");
        let sent = relay.relays + relay.claims + relay.prepayments;
        assert!(relayed.counts.transactions > sent, "{size}");
    }
}

#[test]
fn simulate_makes_and_loses_no_money_and_saves_gas_by_relaying() {
    for (model, size) in [
        ("sparse-perceptron", 20),
        ("naive-bayes", 20),
        ("sparse-nearest-centroid", 7),
    ] {
        let run = relayed(&scenario(model, DEPOSITS, ""), 3, size);
        assert_eq!(start(&run), end(&run), "{model}");
        let relay = run.relay.expect("figures");
        assert_eq!((run.end, relay.unsent), (End::Settled, 0), "{model}");
        assert_eq!(run.counts.contributions, run.data.remaining, "{model}");
        assert!(run.counts.refunds > 0 && run.counts.reports > 0, "{model}");
        assert!(relay.saved(run.gas) > 0, "{model}: {relay:?} {:?}", run.gas);
        assert!(relay.contributions_alone > run.gas.contributions, "{model}");
        assert!(relay.claims_alone > run.gas.claims, "{model}");
        let gas: u64 = run.events.iter().map(|event| event.gas).sum();
        assert_eq!(gas, run.gas.contributions + run.gas.claims, "{model}");
        assert_eq!(
            run.gas.total,
            run.gas.deployment + gas + relay.prepaying,
            "{model}"
        );
    }
}

/// With `--relay 1` contributions save nothing: signatures and prepaying cost gas.
#[test]
fn simulate_relays_one_contribution_at_a_time_too() {
    let run = relayed(&scenario("sparse-perceptron", DEPOSITS, ""), 1, 1);
    let relay = run.relay.expect("figures");
    assert_eq!(relay.relays, run.data.remaining);
    assert!(relay.contributions_alone < run.gas.contributions);
}

#[test]
fn simulate_pays_the_relayer_for_its_gas() {
    let gas_price = 100 * 10_u128.pow(9);
    let scenario = scenario(
        "sparse-perceptron",
        DEPOSITS,
        "[chain]\ngas_price_gwei = 100",
    );
    let run = relayed(&scenario, 1, 20);
    let relay = run.relay.expect("figures");
    assert_eq!((run.end, relay.unsent), (End::Settled, 0));
    let own_gas = u128::from(run.gas.claims + relay.prepaying) * gas_price;
    assert_eq!(start(&run) - end(&run), own_gas + relay.fees);
    let cost = u128::from(run.gas.contributions) * gas_price;
    let share = cotrain_simulator::run::percent(relay.fees, cost);
    // The estimate for the first relay is about three times its cost; the others are close.
    assert!((95.0..120.0).contains(&share), "{share} % of the cost");
}

#[test]
fn simulate_ends_a_relayed_run_if_no_agent_can_pay() {
    let scenario = scenario(
        "sparse-perceptron",
        DEPOSITS,
        "[chain]\ngas_price_gwei = 100_000",
    );
    let run = relayed(&scenario, 1, 20);
    let relay = run.relay.expect("figures");
    assert!(run.counts.contributions > 0);
    assert!(run.counts.contributions + relay.unsent <= run.data.remaining);
    assert!(start(&run) > end(&run));
}

#[test]
fn simulate_ends_a_relayed_run_at_the_limit_and_counts_the_unsent() {
    let scenario = scenario("sparse-perceptron", DEPOSITS, "[run]\nlimit = \"36h\"");
    let run = relayed(&scenario, 1, 1_000);
    assert_eq!((run.end, run.seconds), (End::Limit, 36 * 3_600));
    assert_eq!(run.counts.contributions, 0);
    assert!(run.relay.expect("figures").unsent > 100);
    assert_eq!(start(&run), end(&run));
}

#[test]
fn simulate_pays_nothing_for_relaying_under_points() {
    let run = relayed(&scenario("sparse-perceptron", POINTS, ""), 1, 20);
    let relay = run.relay.expect("figures");
    assert_eq!((relay.unsent, relay.prepayments, relay.fees), (0, 0, 0));
    assert_eq!(run.counts.contributions, run.data.remaining);
    assert!(run.events.iter().all(|event| event.amount == 0));
    assert_eq!(start(&run), end(&run));
}

/// Three agents contribute data from a user's own table, with three classes that two numbers tell
/// apart.
#[test]
fn simulate_takes_a_users_own_table_through_an_economy() {
    let folder = tempfile::tempdir().expect("a folder");
    for (source, separator) in [("csv", ','), ("tsv", '\t')] {
        let mut table = format!("height{separator}kind{separator}weight\n");
        for row in 0..300 {
            let (class, noise) = (row % 3, f64::from(row * 7 % 10) / 10.0);
            let height = f64::from(class) * 3.0 + noise;
            let weight = f64::from((class + 1) % 3) * 3.0 - noise;
            writeln!(table, "{height}{separator}kind {class}{separator}{weight}").expect("memory");
        }
        std::fs::write(folder.path().join("table"), table).expect("a file");
        let agents: String = ["A", "B", "C"]
            .map(|name| {
                format!(
                    "[[agents]]\nname = \"{name}\"\nkind = \"{}\"\nstart_balance = 100\n\
                     deposit = {{ mean = 20, sd = 2 }}\nwait = {{ mean = \"10m\", sd = \"1m\" }}\n",
                    if name == "C" { "flipper" } else { "honest" }
                )
            })
            .concat();
        let text = format!(
            "[data]\nsource = \"{source}\"\ntrain = \"table\"\nlabel = \"kind\"\ninitial_share = 0.2\n\
             [model]\nkind = \"dense-nearest-centroid\"\n\
             [incentive]\n{DEPOSITS}\nrefund_wait = \"1h\"\nany_address_claim_wait = \"1 day\"\n{agents}"
        );
        let folder = Some(folder.path().to_owned());
        let scenario = Scenario::parse("own", "own.toml", &text, folder).expect("a scenario");
        let run = run(&scenario, 1);
        assert_eq!(run.end, End::Settled);
        assert_eq!(run.data.classes, 3);
        assert!(run.accuracy.last > 0.9, "{source}: {:?}", run.accuracy);
        assert_eq!(run.agents.len(), 3);
    }
}

/// Returns the error of an economy over 40 samples, 20 with all features and 20 with one less.
fn refusal(model: &str, indices: impl Iterator<Item = u32>) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let present: Vec<_> = indices.map(|index| format!(" {index}:1")).collect();
    let lines: Vec<_> = (0..40)
        .map(|row| format!("{}{}\n", row % 2, present[row % 2..].concat()))
        .collect();
    std::fs::write(folder.path().join("wide"), lines.concat()).expect("a file");
    let text = format!(
        "[data]\nsource = \"libsvm\"\ntrain = \"wide\"\ninitial_share = 0.2\n[model]\nkind = \"{model}\"\n\
         [incentive]\n{POINTS}\nrefund_wait = \"1h\"\nany_address_claim_wait = \"1 day\"\n\
         [[agents]]\nname = \"A\"\nkind = \"flipper\"\nstart_balance = 1\nwait = {{ mean = \"10m\", sd = \"1m\" }}\n"
    );
    let folder = Some(folder.path().to_owned());
    let scenario = Scenario::parse("wide", "wide.toml", &text, folder).expect("a scenario");
    let options = Options {
        seed: 1,
        data_dir: None,
        relay: None,
        threads: Threads::Two,
    };
    let error = simulate(&scenario, &options, &mut |_| {}).expect_err("too wide");
    assert!(error.is_users_mistake(), "{error}");
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(reason) = source {
        write!(said, ": {reason}").expect("memory");
        source = reason.source();
    }
    said
}

#[test]
fn simulate_refuses_samples_too_large_for_a_transaction() {
    insta::assert_snapshot!(refusal("naive-bayes", 1..=3_000), @"a sample of 5998 bytes is more than one transaction can teach; keep fewer features with `data.features`");
    // Each of 4,000 words holds a weight. Reading them all fits a transaction, writing them does
    // not.
    insta::assert_snapshot!(refusal("sparse-perceptron", (1..=4_000).map(|word| word * 16)), @"a sample of 8000 bytes is more than one transaction can teach; keep fewer features with `data.features`");
}

/// Runs the example scenario that docs/scenarios.md gives newcomers.
#[test]
fn simulate_runs_the_example_of_the_documentation() {
    let page = include_str!("../../../docs/scenarios.md");
    let (_, rest) = page.split_once("```toml\n").expect("a scenario");
    let (text, _) = rest.split_once("```").expect("its end");
    let mut table = "petal_length,petal_width,kind\n".to_owned();
    for row in 0..120 {
        let wobble = f64::from(row % 7) / 20.0;
        let (length, width, kind) = match row % 3 {
            0 => (1.4, 0.2, "setosa"),
            1 => (4.7, 1.4, "versicolor"),
            _ => (6.0, 2.5, "virginica"),
        };
        writeln!(table, "{},{},{kind}", length + wobble, width + wobble).expect("memory");
    }
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("flowers.csv"), table).expect("a file");
    let folder = Some(folder.path().to_owned());
    let scenario = Scenario::parse("flowers", "flowers.toml", text, folder).expect("a scenario");
    let run = run(&scenario, 1);
    assert_eq!(run.end, End::Settled);
    assert!(run.accuracy.last > 0.9, "{:?}", run.accuracy);
}
