//! Tests of the laboratory on the embedded digits: attacks hurt the mean, and rules bear them.

use cotrain_learning::data::{self, Source};
use cotrain_learning::federated::attack::Client;
use cotrain_learning::federated::laboratory::{Mean, Scored, Setup, play};
use cotrain_learning::federated::{Examples, Shape, Split, Training};
use cotrain_protocol::federated::{FederatedError, Rule, Width};

struct Digits {
    train: Examples,
    test: Examples,
}

fn digits() -> Digits {
    let set = data::load(&Source::Digits, 0.25, 1).expect("embedded");
    Digits {
        train: Examples::read(&set.train).expect("numbers").0,
        test: Examples::read(&set.test).expect("numbers").0,
    }
}

fn setup<'a>(digits: &'a Digits, clients: &'a [Client], rule: Rule) -> Setup<'a> {
    Setup {
        shape: Shape {
            features: 64,
            hidden: 0,
            classes: 10,
            max_feature: 16,
        },
        train: &digits.train,
        test: &digits.test,
        scored: None,
        clients,
        hostile: 3,
        split: Split::Iid,
        rule,
        width: Width::Eight,
        scale: 6,
        rounds: 6,
        training: Training {
            epochs: 3,
            rate: 0.5,
            batch: 16,
            seed: 0,
        },
        seed: 1,
    }
}

fn clients(attack: Client) -> Vec<Client> {
    let mut clients = vec![Client::Honest; 13];
    clients.extend([attack; 3]);
    clients
}

#[test]
fn play_shows_that_rules_bear_what_breaks_the_mean() {
    let digits = digits();
    let clients = clients(Client::InnerProduct(10.0));
    let last = |rule| {
        play(&setup(&digits, &clients, rule))
            .expect("enough")
            .last()
    };
    assert!(last(Rule::Mean) < 0.6);
    for rule in [Rule::Median, Rule::TrimmedMean, Rule::MultiKrum] {
        assert!(last(rule) > 0.88, "{rule}: {}", last(rule));
    }
}

#[test]
fn play_is_the_same_again_and_refuses_too_many_hostile_clients() {
    let digits = digits();
    let clients = clients(Client::Noise);
    let setup = Setup {
        rounds: 2,
        split: Split::Dirichlet(0.5),
        ..setup(&digits, &clients, Rule::TrimmedMean)
    };
    let outcome = play(&setup).expect("enough");
    assert_eq!(outcome, play(&setup).expect("enough"));
    assert_ne!(outcome, play(&Setup { seed: 2, ..setup }).expect("enough"));
    assert_eq!(outcome.accuracy.len(), 3);
    let refused = play(&Setup {
        hostile: 8,
        ..setup
    });
    assert!(matches!(
        refused,
        Err(FederatedError::TooFewUpdates { needed: 17, .. })
    ));
}

#[test]
fn play_scores_honest_updates_above_zero_and_sieves_others() {
    let digits = digits();
    let mut clients = clients(Client::Sign(-2.0));
    clients[15] = Client::FreeRider;
    let scored = |margin| {
        play(&Setup {
            hostile: 0,
            rounds: 4,
            scored: Some(Scored {
                examples: &digits.test,
                part: 100,
                margin,
            }),
            ..setup(&digits, &clients, Rule::Mean)
        })
        .expect("enough")
    };
    let plain = scored(None);
    let values = plain.values.concat();
    let (honest, hostile): (Vec<usize>, Vec<usize>) =
        (0..values.len()).partition(|at| at % 16 < 13);
    let positive = |indices: &[usize]| indices.iter().filter(|at| values[**at] > Some(0)).count();
    assert!(positive(&honest) * 100 >= honest.len() * 95);
    assert!(positive(&hostile) * 20 <= hostile.len());
    assert!(scored(Some(0)).last() > plain.last());
}

#[test]
fn mean_of_seeds_has_the_interval_of_student() {
    let found = Mean::of(&[1.0, 2.0, 3.0]).expect("values");
    assert!((found.value - 2.0).abs() < 1e-12);
    assert!((found.half - 4.303 / 3.0_f64.sqrt()).abs() < 1e-12);
    assert_eq!(
        Mean::of(&[5.0]),
        Some(Mean {
            value: 5.0,
            half: 0.0
        })
    );
    assert_eq!(Mean::of(&[]), None);
}

#[test]
fn play_scores_no_update_that_a_selective_client_keeps_to_itself() {
    let digits = digits();
    let clients = clients(Client::Selective);
    let outcome = play(&Setup {
        scored: Some(Scored {
            examples: &digits.test,
            part: 50,
            margin: Some(100),
        }),
        ..setup(&digits, &clients, Rule::Median)
    })
    .expect("enough");
    let (honest, selective): (Vec<_>, Vec<_>) = (0..)
        .zip(outcome.values.concat())
        .partition(|it| it.0 % 16 < 13);
    assert!(honest.iter().all(|it| it.1.is_some()));
    let kept = selective.iter().filter(|it| it.1.is_none()).count();
    assert!(
        kept >= 5 && kept < selective.len(),
        "{kept} of {}",
        selective.len()
    );
}
