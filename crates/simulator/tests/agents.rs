//! Tests that each kind of agent achieves its purpose.

use std::collections::HashSet;

use cotrain_simulator::{
    Options, Threads,
    agent::Habits,
    chance::Normal,
    run::{Action, AgentOutcome, Event, Run},
    scenario::{Scenario, Strategy, UNIT},
    simulate,
};

const DAY: u64 = 86_400;

/// Returns a run of an embedded scenario, limited to some days, with some lines replaced.
fn run(name: &str, days: u64, replaced: &[(&str, &str)]) -> Run {
    let scenario = Scenario::find(name).expect("a scenario");
    let mut text = scenario
        .text()
        .replace("[run]", &format!("[run]\nlimit = \"{days} days\""));
    for (line, other) in replaced {
        assert!(text.contains(line), "{name} says {line}");
        text = text.replace(line, other);
    }
    let scenario = Scenario::parse(name, name, &text, None).expect("a scenario");
    let options = Options {
        seed: 1,
        data_dir: None,
        relay: None,
        threads: Threads::Two,
    };
    simulate(&scenario, &options, &mut |_| {}).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn outcome<'a>(run: &'a Run, name: &str) -> &'a AgentOutcome {
    let mut agents = run.agents.iter();
    agents
        .find(|agent| agent.name == name)
        .expect("an agent of that name")
}

/// Returns the events of an agent.
fn events<'a>(run: &'a Run, name: &'a str) -> impl Iterator<Item = &'a Event> {
    let of = move |event: &&Event| run.agents[usize::from(event.agent)].name == name;
    run.events.iter().filter(of)
}

fn contributions<'a>(run: &'a Run, name: &'a str) -> Vec<&'a Event> {
    events(run, name)
        .filter(|event| event.action == Action::Contribution)
        .collect()
}

/// Converts wei to units, to a thousandth.
fn units(wei: u128) -> f64 {
    let thousandths = u32::try_from(wei * 1_000 / UNIT).expect("less than 4 million units");
    f64::from(thousandths) / 1_000.0
}

/// Returns the second of the contribution at a position.
fn made(run: &Run, position: u64) -> u64 {
    let mut all = run.events.iter();
    let made = all.find(|event| event.action == Action::Contribution && event.position == position);
    made.expect("a contribution").seconds
}

#[test]
fn copycat_comes_first() {
    let run = run("copycat", 4, &[]);
    let copies = contributions(&run, "Copycat");
    assert!(copies.len() > 10, "{}", copies.len());
    for copy in copies {
        // The copied contribution follows in the same second with the same label, unless the price
        // has risen too much.
        let next = contributions(&run, "Good")
            .into_iter()
            .find(|event| event.seconds == copy.seconds);
        if let Some(next) = next {
            assert_eq!((next.position, next.label), (copy.position + 1, copy.label));
        }
    }
    assert!(outcome(&run, "Good").outbid > 0);
}

#[test]
fn sybil_shares_money_and_reports_its_own_lies() {
    let run = run(
        "sybil",
        5,
        &[(
            "start_balance = 10_000\ndeposit = { mean = 100",
            "start_balance = 2_000\ndeposit = { mean = 50",
        )],
    );
    let sybil = outcome(&run, "Sybil");
    assert!(sybil.contributions > 50, "{}", sybil.contributions);
    // Other addresses of Sybil report its lies: only Good and Sybil take part, and some of Sybil's
    // reports are on its own lies.
    let own: Vec<_> = contributions(&run, "Sybil")
        .iter()
        .map(|event| event.position)
        .collect();
    let mut reports = events(&run, "Sybil").filter(|event| event.action == Action::Report);
    assert!(reports.any(|event| own.contains(&event.position)));
}

#[test]
fn takeover_sends_many_at_once() {
    let run = run("takeover", 2, &[]);
    let contributions = contributions(&run, "Takeover");
    let first = contributions.first().expect("some");
    let together = contributions
        .iter()
        .filter(|event| event.seconds == first.seconds)
        .count();
    assert_eq!(together, 20);
    // The price of 20 at once is far above that of one after the same pause.
    assert!(first.amount > 10 * UNIT, "{}", first.amount);
}

#[test]
fn targeted_poisoner_waits_until_the_model_agrees() {
    let with = |agreement: &str| {
        let keys = [
            ("agreement = 0.5", agreement),
            ("target_class = 1", "target_feature = 5"),
        ];
        let run = run("targeted-poisoner", 8, &keys);
        assert!(outcome(&run, "Poisoner").contributions > 50);
        run
    };
    let (patient, reckless) = (with("agreement = 1.0"), with("agreement = 0.0"));
    // An agent that lies only while the model agrees with all its lies does less harm.
    let (patient, reckless) = (patient.accuracy.last, reckless.accuracy.last);
    assert!(patient > reckless + 0.005, "{patient} {reckless}");
}

#[test]
fn outlier_is_held_by_the_bounds() {
    let with = |margin: &str| {
        let run = run("outlier", 6, &[("bounds_margin = 1.0", margin)]);
        assert!(outcome(&run, "Outlier").contributions > 8);
        run
    };
    let (bounded, unbounded) = (
        with("bounds_margin = 1.0"),
        with("bounds_margin = 1_000_000"),
    );
    let lost = |run: &Run| run.accuracy.initial - run.accuracy.last;
    assert!(
        lost(&unbounded) > lost(&bounded) + 0.05,
        "{} {}",
        lost(&unbounded),
        lost(&bounded)
    );
    // The model comes to agree with the outlier, and its deposits come back.
    let it = outcome(&unbounded, "Outlier");
    assert!(it.refunds > 5, "{}", it.refunds);
    // Repeating the same sample teaches a centroid again.
    let labels: Vec<_> = contributions(&unbounded, "Outlier")
        .iter()
        .map(|event| event.label)
        .collect();
    assert!(labels.iter().all(|label| *label == labels[0]));
}

#[test]
fn simulate_teaches_a_model_of_ten_digits() {
    let run = run("digits", 20, &[]);
    assert_eq!((run.data.features, run.data.classes), (64, 10));
    let (first, last) = (run.accuracy.initial, run.accuracy.last);
    assert!(last > first + 0.05 && last > 0.85, "{first} {last}");
    // Everyone's deposits come back or go to others: the liar's go to the honest.
    let left = |name| units(outcome(&run, name).end_balance);
    assert!(left("Good") > 10_500.0, "{}", left("Good"));
    assert!(left("Bad") < 9_500.0, "{}", left("Bad"));
    let classes: HashSet<_> = contributions(&run, "Bad")
        .iter()
        .map(|event| event.label)
        .collect();
    assert!(classes.len() > 5, "{classes:?}");
}

#[test]
fn lazy_hardly_ever_loses() {
    let run = run("lazy", 6, &[]);
    // The share is in thousandths.
    let kept = |name| {
        let it = outcome(&run, name);
        assert!(it.contributions > 50, "{name}");
        1_000 * it.refunds / it.contributions
    };
    assert!(
        kept("Lazy") > kept("Good"),
        "{} {}",
        kept("Lazy"),
        kept("Good")
    );
    assert!(outcome(&run, "Lazy").reports > 0);
}

#[test]
fn self_reporter_takes_its_own_lies_in_the_first_second() {
    let run = run("self-reporter", 5, &[]);
    let own: Vec<_> = contributions(&run, "Liar")
        .iter()
        .map(|event| event.position)
        .collect();
    let reports: Vec<_> = events(&run, "Liar")
        .filter(|event| event.action == Action::Report && own.contains(&event.position))
        .collect();
    assert!(reports.len() > 20, "{}", reports.len());
    let at_once = reports
        .iter()
        .filter(|event| event.seconds == made(&run, event.position) + DAY)
        .count();
    // The first reports wait for the first good contribution, others until the model changes its mind.
    assert!(
        at_once * 2 > reports.len(),
        "{at_once} of {}",
        reports.len()
    );
}

#[test]
fn last_minute_claims_in_the_first_second() {
    let run = run("last-minute", 12, &[]);
    let claims: Vec<_> = events(&run, "Sniper")
        .filter(|event| event.action != Action::Contribution)
        .collect();
    let edges = |event: &&&Event| {
        let age = event.seconds - made(&run, event.position);
        age == DAY || age == 9 * DAY
    };
    let at_edges = claims.iter().filter(edges).count();
    assert!(
        at_edges * 2 > claims.len(),
        "{at_edges} of {}",
        claims.len()
    );
    let late = claims
        .iter()
        .filter(|event| event.action == Action::LateClaim);
    assert!(late.clone().count() > 0);
    assert!(
        late.clone()
            .all(|event| event.seconds == made(&run, event.position) + 9 * DAY)
    );
}

#[test]
fn claim_all_announces_reports_if_they_need_a_notice() {
    let notice = 6 * 3_600;
    let wait = "refund_wait = \"1 day\"";
    let with = format!("{wait}\nreport_notice = \"6h\"");
    let run = run("movie-reviews", 5, &[(wait, &with)]);
    let reports = run
        .events
        .iter()
        .filter(|event| event.action == Action::Report);
    assert!(reports.clone().count() > 5);
    for report in reports {
        let announced = run.events.iter().any(|event| {
            event.action == Action::Announcement
                && event.position == report.position
                && (event.seconds + notice..=event.seconds + 2 * notice).contains(&report.seconds)
        });
        assert!(announced, "{report:?}");
    }
}

#[test]
fn flip_and_report_takes_less_if_reports_need_a_notice() {
    let wait = "refund_wait = \"1 day\"";
    let with = format!("{wait}\nreport_notice = \"1 day\"");
    let strikes = |replaced: &[(&str, &str)]| {
        let run = run("flip-and-report", 12, replaced);
        let lies: Vec<_> = contributions(&run, "Striker")
            .into_iter()
            .map(|event| event.seconds)
            .collect();
        let in_that_second = |event: &&Event| {
            event.action == Action::Report && lies.binary_search(&event.seconds).is_ok()
        };
        events(&run, "Striker").filter(in_that_second).count()
    };
    let (without, with) = (strikes(&[]), strikes(&[(wait, &with)]));
    assert!(without > 20, "{without}");
    assert!(with < without, "{with} with a notice, {without} without");
}

#[test]
fn rational_does_nothing_that_costs_more_than_it_brings() {
    let cheap = run(
        "rational",
        6,
        &[("gas_price_gwei = 1", "gas_price_gwei = 0")],
    );
    let dear = run(
        "rational",
        6,
        &[("gas_price_gwei = 1", "gas_price_gwei = 1000000")],
    );
    assert!(outcome(&cheap, "Rational").contributions > 0);
    assert_eq!(outcome(&dear, "Rational").contributions, 0);
    assert_eq!(outcome(&dear, "Rational").gas, 0);
}

#[test]
fn caller_pays_what_good_contributions_share() {
    let run = run("callers", 4, &[]);
    let (good, bad, caller) = (
        outcome(&run, "Good"),
        outcome(&run, "Bad"),
        outcome(&run, "Caller"),
    );
    assert!(caller.predictions > 100);
    assert_eq!(caller.paid, u128::from(caller.predictions) * UNIT / 2);
    assert_eq!(caller.end_balance, caller.start_balance - caller.paid);
    // Shares follow the marks, and do not exceed what was paid.
    assert!(good.collected > 5 * bad.collected);
    assert!(good.collected + bad.collected <= caller.paid);
    assert!(good.collected + bad.collected > caller.paid / 2);
}

#[test]
fn market_mechanism_pays_the_honest_out_of_the_bounty() {
    let run = run(
        "market",
        20,
        &[
            ("train_samples = 1000", "train_samples = 400"),
            ("test_samples = 200", "test_samples = 60"),
        ],
    );
    assert_eq!(run.incentive, "prediction market");
    assert!(run.counts.contributions > 200);
    let start: u128 = run.agents.iter().map(|agent| agent.start_balance).sum();
    let end: u128 = run.agents.iter().map(|agent| agent.end_balance).sum();
    let bounty = 100_000 * UNIT;
    assert!(end <= start + bounty);
    // The unpaid part goes back to the provider, and nothing stays in the contract.
    let fact = |name: &str| {
        let mut facts = run.facts.iter();
        let fact = facts.find(|fact| fact.name == name).expect("a fact");
        fact.value.parse::<f64>().expect("a number")
    };
    let back = fact("back to the provider, units");
    let paid = units(end) - units(start);
    assert!((back + paid - 100_000.0).abs() < 0.01, "{back} {paid}");
    assert!(fact("passes of the scoring") >= 1.0);
    // Agents collect everything that is paid.
    let collected: u128 = run.agents.iter().map(|agent| agent.collected).sum();
    let staked = u128::from(run.counts.contributions) * UNIT;
    assert_eq!(start - staked + collected, end);
}

#[test]
fn profile_says_what_each_kind_is() {
    let habits = Habits {
        deposit: Some(Normal {
            mean: 50.0,
            sd: 1.0,
        }),
        wait: Normal {
            mean: 600.0,
            sd: 1.0,
        },
    };
    let mut kinds = HashSet::new();
    for strategy in Strategy::ALL {
        let profile = strategy.profile();
        assert_eq!(strategy.agent(habits).profile(), profile);
        assert_eq!(strategy.name(), profile.kind);
        assert!(kinds.insert(profile.kind), "{} twice", profile.kind);
        for text in [profile.goal, profile.knowledge, profile.budget] {
            assert!(text.len() > 4, "{}: {text:?}", profile.kind);
        }
    }
}
