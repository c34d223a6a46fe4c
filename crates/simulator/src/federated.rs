//! Federated rounds on a chain: clients train, some are hostile, and a contract pays.
//!
//! A [`Scenario`] says who takes part under which terms, and [`simulate`] plays it.
//! Each step is a transaction, and its result is compared with [`cotrain_protocol::federated`].
//! Training and attacks are those of [`cotrain_learning::federated`].

mod contract;
mod rounds;
mod run;
mod scenario;
mod settings;
mod tables;

use std::time::{Duration, Instant};

use cotrain_chain::{Chain, Config};
use cotrain_learning::{
    data::{self, Source},
    federated::{
        Examples, Shape,
        laboratory::{Joined, Round, Setup, play_with},
    },
};
use cotrain_protocol::federated::{FederatedError, Rule, Softmax, add_update, aggregate};

use self::rounds::Rounds;
pub use self::{
    run::{ClientOutcome, Cost, FederatedRun, RoundOutcome, Spent, Step},
    scenario::Scenario,
    settings::{Attack, HONEST, Settings},
};
pub use crate::scenario::FEDERATED as NAME;
use crate::{SimulateError, engine::START};

/// Share of the digits to measure on.
const TEST_SHARE: f64 = 0.25;

/// Returns the initial configuration of the chain that federated rounds run on.
#[must_use]
pub fn beginning() -> Config {
    Config {
        start: START,
        gas_price: 0,
    }
}

/// Digits of a seed: to learn from, to score on and to measure on.
struct Digits {
    train: Examples,
    hidden: Examples,
    test: Examples,
    shape: Shape,
}

impl Digits {
    fn read(settings: &Settings, seed: u64) -> Result<Self, SimulateError> {
        let set = data::load(&Source::Digits, TEST_SHARE, seed);
        let set = set.map_err(|source| SimulateError::Data {
            file: "scenarios/federated.toml".to_owned(),
            source: Box::new(source),
        })?;
        let (all, most) = Examples::read(&set.train)?;
        let (test, other) = Examples::read(&set.test)?;
        let hidden = settings.samples * settings.rounds as usize;
        let left = all.len().saturating_sub(hidden);
        let indices: Vec<usize> = (0..all.len()).collect();
        Ok(Self {
            shape: Shape {
                features: all.width,
                hidden: 0,
                classes: set.classes.len(),
                max_feature: most.max(other),
            },
            train: all.chosen(&indices[..left]),
            hidden: all.chosen(&indices[left..]),
            test,
        })
    }
}

/// Plays federated rounds on an empty chain that begins as [`beginning`] says.
///
/// `progress` gets the number of each round before it is played.
///
/// # Errors
/// If the chain fails, or disagrees with the rules ([`SimulateError::Diverged`]).
pub fn simulate(
    chain: &mut dyn Chain,
    scenario: &Scenario,
    seed: u64,
    progress: &mut dyn FnMut(u32),
) -> Result<FederatedRun, SimulateError> {
    let settings = scenario.settings();
    let digits = Digits::read(settings, seed)?;
    let clients = settings.kinds();
    let setup = Setup {
        shape: digits.shape,
        train: &digits.train,
        test: &digits.test,
        scored: None,
        clients: &clients,
        hostile: settings.hostile.into(),
        split: settings.split,
        rule: settings.rule,
        width: settings.width,
        scale: settings.scale,
        rounds: settings.rounds,
        training: settings.training,
        seed,
    };
    let by_mean = play_with(&setup, |round| join_by_mean(settings, round))?.accuracy;

    let begun = Instant::now();
    let Shape {
        features,
        classes,
        max_feature,
        ..
    } = digits.shape;
    let model = Softmax::new(features, classes, max_feature, settings.scale)?;
    let backend = chain.name();
    let mut rounds = Rounds::found(chain, settings, model, &digits.hidden)?;
    let played = play_with(&setup, |round| {
        progress(round.number);
        rounds.play(round)
    })?;
    let outcome = rounds.finish(&settings.kind_names())?;
    let mut run = FederatedRun {
        scenario: scenario.name().to_owned(),
        description: scenario.description().to_owned(),
        settings: *settings,
        seed,
        backend,
        learned: digits.train.len(),
        test: digits.test.len(),
        parameters: model.parameters(),
        accuracy: played.accuracy,
        by_mean,
        backdoor: played.backdoor,
        rounds: outcome.rounds,
        clients: outcome.clients,
        spent: outcome.spent,
        digest: String::new(),
        wall: Duration::ZERO,
    };
    run.digest = run.digest(outcome.state);
    run.wall = begun.elapsed();
    Ok(run)
}

/// Joins all revealed updates by the mean, as a round without any defense does.
fn join_by_mean(settings: &Settings, round: Round<'_>) -> Result<Joined, FederatedError> {
    let mut weights = round.weights.to_vec();
    let shown = round.shown();
    if !shown.is_empty() {
        add_update(
            &mut weights,
            &aggregate(Rule::Mean, 0, settings.width, &shown)?,
        );
    }
    Ok(Joined {
        values: None,
        weights,
    })
}
