//! Tests of many peers at once.

use std::{env, ops::RangeInclusive, thread};

use cotrain_peer::simulation::{Outcome, Plan};

/// Runs a plan, and checks that all honest peers agree and wronged nobody.
fn run(plan: &Plan) -> Outcome {
    let outcome = plan.run();
    assert!(outcome.converged, "{plan:?}: {outcome:?}");
    assert_eq!(outcome.wronged, 0, "{plan:?}: {outcome:?}");
    let limits = plan.limits;
    let most = limits.links * (limits.offered + limits.asked);
    assert!(outcome.pending <= most, "{plan:?}: {outcome:?}");
    outcome
}

#[test]
fn run_of_one_plan_is_the_same_to_the_bit() {
    let plan = Plan::hostile(2, 10, 60);
    let first = run(&plan);
    assert_eq!(run(&plan), first);
    let other = run(&Plan { seed: 6, ..plan });
    assert_ne!(other.trace, first.trace);
    assert_ne!(other.digest, first.digest);
}

#[test]
fn run_of_a_calm_plan_keeps_every_item() {
    let outcome = run(&Plan::calm(1, 20, 200));
    assert_eq!(outcome.items, 200);
    assert_eq!(outcome.contributions, 200);
}

#[test]
fn run_without_a_way_does_not_converge() {
    // Nothing arrives, so each peer has its own items.
    let mut plan = Plan::calm(1, 4, 20);
    plan.faults.lost = 100;
    plan.longest = 300;
    assert!(!plan.run().converged);
}

/// Runs hostile plans of these seeds on two threads, and checks that liars were caught.
fn run_all(seeds: RangeInclusive<u64>) {
    let of_thread = &|number: u64| {
        let seeds = seeds.clone().filter(move |seed| seed % 2 == number);
        seeds.map(|seed| {
            let outcome = run(&Plan::hostile(seed, 20, 200));
            assert!(outcome.items > 150, "seed {seed}: {outcome:?}");
            outcome.caught
        })
    };
    let caught: u64 = thread::scope(|scope| {
        let threads = [0, 1].map(|number| scope.spawn(move || of_thread(number).sum::<u64>()));
        let caught = threads.map(|it| it.join().expect("all seeds agree"));
        caught.iter().sum()
    });
    assert!(caught > 0, "no liar was caught: nothing was tested");
}

#[test]
fn run_converges_for_12_seeds_with_all_faults() {
    run_all(1..=12);
}

#[test]
fn run_moves_little_more_than_it_must_after_a_cut() {
    let plan = Plan {
        cut: Some(50),
        ..Plan::calm(1, 100, 1_000)
    };
    let outcome = run(&plan);
    assert!(outcome.rounds <= 6, "{outcome:?}");
    let (moved, minimum) = (outcome.bytes.moved, outcome.bytes.minimum);
    assert!(minimum > 0 && moved * 100 <= minimum * 200, "{outcome:?}");
}

/// Runs many seeds: `COTRAIN_SEEDS=1..200`, which `scripts/peers` sets.
#[test]
#[ignore = "it runs as many seeds as one likes"]
fn run_converges_for_many_seeds() {
    let seeds = env::var("COTRAIN_SEEDS").unwrap_or_else(|_| "1..20".to_owned());
    let (first, last) = seeds.split_once("..").expect("seeds such as 1..20");
    let (first, last): (u64, u64) = (
        first.parse().expect("a seed"),
        last.parse().expect("a seed"),
    );
    run_all(first..=last);
}
