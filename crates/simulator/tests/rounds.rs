//! Tests of federated rounds on the embedded chain: money, attacks, digests and wrong settings.

use std::error::Error;

use cotrain_chain::Embedded;
use cotrain_simulator::{
    federated::{Attack, ClientOutcome, FederatedRun, Scenario, Step, beginning, simulate},
    scenario::{Scenario as Economy, settings::Setting},
};

/// Settings of three short rounds of seven clients.
const SHORT: [&str; 6] = [
    "clients=7",
    "hostile=2",
    "rounds=3",
    "samples=20",
    "epochs=2",
    "margin=40",
];

fn scenario(sets: &[&str]) -> Scenario {
    let settings = settings(sets);
    let embedded = Scenario::embedded().expect("a scenario");
    embedded.with(&settings).expect("valid settings")
}

fn settings(sets: &[&str]) -> Vec<Setting> {
    sets.iter()
        .map(|set| set.parse().expect("a setting"))
        .collect()
}

fn play(scenario: &Scenario, seed: u64) -> FederatedRun {
    let mut chain = Embedded::new(beginning());
    simulate(&mut chain, scenario, seed, &mut |_| {}).expect("a chain that follows the rules")
}

fn short(sets: &[&str]) -> FederatedRun {
    play(&scenario(&[&SHORT, sets].concat()), 1)
}

fn sum(run: &FederatedRun, is_honest: bool, of: fn(&ClientOutcome) -> u128) -> u128 {
    let side = run.clients.iter();
    side.filter(|it| it.is_honest() == is_honest).map(of).sum()
}

#[test]
fn simulate_neither_makes_nor_loses_tokens_under_any_attack() {
    for attack in Attack::ALL {
        let run = short(&[&format!("attack={}", attack.name())]);
        for client in &run.clients {
            let accounted = client.withdrawn + client.lost();
            assert_eq!(client.deposited, accounted, "{}: {client:?}", attack.name());
        }
        let emitted: u128 = run.rounds.iter().map(|round| round.emitted).sum();
        let earned: u128 = run.clients.iter().map(|client| client.reward).sum();
        assert_eq!(emitted, earned);
        assert!(
            run.rounds
                .iter()
                .all(|round| round.emitted <= run.settings.emission)
        );
        assert_eq!(run.rounds.len(), 3);
        assert_eq!((run.accuracy.len(), run.by_mean.len()), (4, 4));
    }
}

#[test]
fn simulate_gives_hostile_clients_nothing_or_takes_their_stakes() {
    for attack in ["gauss", "sign", "label", "ipm", "free-rider"] {
        let run = short(&[&format!("attack={attack}")]);
        let positive = run.positive_share();
        assert!(positive["honest"] > Some(0.8), "{attack}: {positive:?}");
        assert!(positive[attack] <= Some(0.2), "{attack}: {positive:?}");
        assert!(
            sum(&run, false, ClientOutcome::lost) > 0
                && sum(&run, true, |it| it.reward) >= 10 * sum(&run, false, |it| it.reward),
            "{attack}: {:?}",
            run.clients
        );
    }
}

#[test]
fn simulate_pays_equal_updates_of_a_sybil_once() {
    let equal = short(&["attack=sybil", "strength=0"]);
    let rewards: Vec<u128> = equal.clients.iter().map(|client| client.reward).collect();
    assert_eq!(rewards[5], rewards[6]);
    let honest = sum(&equal, true, |it| it.reward) / 5;
    assert!(
        rewards[5] > 0 && rewards[5] + rewards[6] < 2 * honest,
        "{rewards:?}"
    );
    let different = short(&["attack=sybil"]);
    assert!(different.clients[6].reward > rewards[6]);
}

#[test]
fn simulate_takes_the_stake_of_who_keeps_an_update_back() {
    let sets = [
        "clients=7",
        "hostile=2",
        "rounds=6",
        "samples=20",
        "attack=selective",
    ];
    let run = play(&scenario(&sets), 1);
    let kept = |client: &ClientOutcome| client.values.iter().filter(|it| it.is_none()).count();
    for client in &run.clients {
        assert_eq!(client.forfeited, 1_000 * kept(client) as u128);
    }
    let revealed: usize = run.rounds.iter().map(|round| round.revealed).sum();
    assert!((31..42).contains(&revealed), "{revealed}");
    assert_eq!(run.spent.of(Step::Reveal).transactions, revealed as u64);
}

#[test]
fn simulate_changes_no_model_in_a_failed_round() {
    // Multi-Krum needs as many updates as there are clients, and a sieved one is missing.
    let run = short(&["rule=multi-krum", "assumed_hostile=2", "attack=sign"]);
    assert!(
        run.rounds
            .iter()
            .all(|round| !round.is_settled && round.revealed == 7)
    );
    assert!(
        run.accuracy
            .iter()
            .all(|accuracy| accuracy.to_bits() == run.accuracy[0].to_bits())
    );
    for client in &run.clients {
        assert_eq!((client.lost(), client.reward), (0, 0));
    }
    // With too few revealed, no part is drawn.
    let run = short(&["rule=multi-krum", "assumed_hostile=2", "attack=selective"]);
    let unscored = run.rounds.iter().filter(|round| round.revealed < 7);
    assert!(unscored.clone().count() > 0);
    assert!(
        unscored
            .clone()
            .all(|round| round.improvement.is_none() && !round.is_settled)
    );
    assert!(sum(&run, false, |it| it.forfeited) > 0);
}

#[test]
fn simulate_scores_in_pieces_if_a_transaction_is_too_small() {
    let run = play(&scenario(&["rounds=1", "samples=120"]), 1);
    assert!(run.spent.of(Step::Score).transactions > 1);
    assert!(run.rounds[0].is_settled);
}

#[test]
fn simulate_has_the_same_digest_for_the_same_seed() {
    let digest = |sets: &[&str], seed| play(&scenario(&[&SHORT, sets].concat()), seed).digest;
    let first = digest(&[], 1);
    assert_eq!(first, digest(&[], 1));
    assert_ne!(first, digest(&[], 2));
    assert_ne!(first, digest(&["emission=999999"], 1));
    insta::assert_snapshot!(first, @"20c895e226cb6bebe1327c20fb99c22a2e4689280623c2ace8d4ba3c66d5c4bc");
    insta::assert_snapshot!(digest(&["lanes=16", "scale=12", "split=dirichlet:0.5", "rule=median"], 1), @"1df5a6e8a5ae20bd7739f7d2dfbc1677a8d87ef67a75f6ba5718fe1ca2f5950f");
}

#[test]
fn simulate_trains_in_spite_of_three_hostile_clients() {
    let run = play(&scenario(&[]), 1);
    let (last, by_mean) = (run.accuracy.last(), run.by_mean.last());
    assert!(last >= Some(&0.91), "{last:?}");
    assert!(by_mean <= Some(&0.7), "{by_mean:?}");
    let positive = run.positive_share();
    assert!(positive["honest"] >= Some(0.9), "{positive:?}");
    assert_eq!(positive["sign"], Some(0.0));
}

fn refusal(sets: &[&str]) -> String {
    let embedded = Scenario::embedded().expect("a scenario");
    let error = embedded.with(&settings(sets)).expect_err("a refusal");
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(reason) = source {
        said = format!("{said}: {reason}");
        source = reason.source();
    }
    said
}

#[test]
fn with_answers_what_cannot_be_set_with_what_can() {
    insta::assert_snapshot!(refusal(&["hostile=8"]), @"with hostile = 8: scenarios/federated.toml: `hostile` is 8; trimmed-mean bears at most 7 of 16 clients: choose fewer, more `clients`, or another `rule`");
    insta::assert_snapshot!(refusal(&["rule=multi-krum", "assumed_hostile=9"]), @r#"with rule = "multi-krum", assumed_hostile = 9: scenarios/federated.toml: `assumed_hostile` is 9; multi-krum bears at most 6 of 16 clients: choose fewer, more `clients`, or another `rule`"#);
    insta::assert_snapshot!(refusal(&["clients=0"]), @"with clients = 0: scenarios/federated.toml: `clients` is 0; expected a whole number from 1 to 32");
    insta::assert_snapshot!(refusal(&["clients=33"]), @"with clients = 33: scenarios/federated.toml: `clients` is 33; expected a whole number from 1 to 32");
    insta::assert_snapshot!(refusal(&["rule=mean", "hostile=16"]), @r#"with rule = "mean", hostile = 16: scenarios/federated.toml: `hostile` is 16; expected fewer than the 16 clients"#);
    insta::assert_snapshot!(refusal(&["rule=krum"]), @r#"with rule = "krum": scenarios/federated.toml: `rule` is "krum"; unknown rule `krum`, expected one of mean, median, trimmed-mean, multi-krum"#);
    insta::assert_snapshot!(refusal(&["attack=bribe"]), @r#"with attack = "bribe": scenarios/federated.toml: `attack` is "bribe"; unknown attack `bribe`, expected one of none, gauss, sign, label, alie, ipm, min-max, free-rider, copycat, old-copy, sybil, selective, backdoor"#);
    insta::assert_snapshot!(refusal(&["split=dirichlet:0"]), @r#"with split = "dirichlet:0": scenarios/federated.toml: `split` is "dirichlet:0"; unknown split `dirichlet:0`, expected `iid` or `dirichlet:` with a number from 0.01 to 1000"#);
    insta::assert_snapshot!(refusal(&["rounds=50"]), @"with rounds = 50: scenarios/federated.toml: `samples` is 50; 50 rounds use up 2500 digits: expected at most 20, or fewer `rounds`");
    insta::assert_snapshot!(refusal(&["slash=1001"]), @"with slash = 1001: scenarios/federated.toml: `slash` is 1001; expected at most the stake, which is 1000");
    insta::assert_snapshot!(refusal(&["strength=2", "attack=label"]), @r#"with strength = 2, attack = "label": scenarios/federated.toml: `strength` is 2; the attack `label` has none: leave it out"#);
    insta::assert_snapshot!(refusal(&["lanes=12"]), @"with lanes = 12: scenarios/federated.toml: `lanes` is 12; expected 8 or 16");
    insta::assert_snapshot!(refusal(&["stake=many"]), @r#"with stake = "many": scenarios/federated.toml: invalid type: string "many", expected a whole number"#);
    insta::assert_snapshot!(refusal(&["stakes=5"]), @"with stakes = 5: scenarios/federated.toml: unknown field `stakes`, expected one of `kind`, `description`, `rule`, `attack`, `strength`, `clients`, `hostile`, `assumed_hostile`, `rounds`, `split`, `lanes`, `scale`, `epochs`, `rate`, `batch`, `samples`, `margin`, `stake`, `slash`, `emission`");
    insta::assert_snapshot!(refusal(&["rule=mean", "rule=median"]), @"scenarios/federated.toml: cannot set `rule`: it is set twice; give it one value");
    insta::assert_snapshot!(refusal(&["agents.Bad.deposit=1"]), @"scenarios/federated.toml: cannot set `agents.Bad.deposit`: the scenario has no agents");
}

#[test]
fn find_tells_federated_rounds_from_economies() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mine.toml");
    let text = scenario(&["rounds=2"]).text().to_owned();
    std::fs::write(&path, text).expect("written");
    let path = path.to_str().expect("a path");
    let found = Scenario::find(path).expect("valid").expect("rounds");
    assert_eq!((found.name(), found.settings().rounds), ("mine", 2));
    assert_eq!(Scenario::find("movie-reviews").expect("none"), None);
    for name in ["federated", path] {
        let refused = Economy::find(name).expect_err("no economy").to_string();
        assert!(
            refused.contains("expected an economy of contributors"),
            "{refused}"
        );
    }
    let unknown = Economy::find("federatd")
        .expect_err("a mistake")
        .to_string();
    assert!(unknown.contains("did you mean `federated`?"), "{unknown}");
}
