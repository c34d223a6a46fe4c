//! Rounds of honest and hostile clients without a chain.
//!
//! They use the rules in integers of [`cotrain_protocol::federated`].

use cotrain_protocol::federated::{
    FederatedError, Judgment, Rule, Sample, Softmax, Width, add_update, aggregate, judge,
};

use super::attack::{self, BACKDOOR_CLASS, Client, View};
use super::chance::Chance;
use super::{CLIP, Examples, Network, Shape, Split, Training, clip, quantize};

/// Economy of rounds to play.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    /// Shape of the model.
    pub shape: Shape,
    /// Examples that are split among the clients.
    pub train: &'a Examples,
    /// Examples to measure on.
    pub test: &'a Examples,
    /// Examples to score on, a part of them a round.
    pub scored: Option<Scored<'a>>,
    /// Kind of each client.
    pub clients: &'a [Client],
    /// Number of hostile clients that the rule is to bear.
    pub hostile: usize,
    /// Split of the examples.
    pub split: Split,
    /// Rule that joins the updates.
    pub rule: Rule,
    /// Width of the updates' lanes.
    pub width: Width,
    /// Units of weights are `2^-scale`.
    pub scale: u32,
    /// Number of rounds.
    pub rounds: u32,
    /// Terms of training. The seed is drawn anew for each client and round.
    pub training: Training,
    /// Seed of everything random.
    pub seed: u64,
}

/// Scoring of updates by leaving one out.
#[derive(Debug, Clone, Copy)]
pub struct Scored<'a> {
    /// Examples to score on. Each round uses the next `part` of them.
    pub examples: &'a Examples,
    /// Number of examples of a round.
    pub part: usize,
    /// Loss below which an update is left out, in 1/256 bit over all examples of the part.
    ///
    /// `None` if the updates are only scored, and all are aggregated.
    pub margin: Option<u64>,
}

/// Result of rounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Accuracy on the test examples: at the start, and after each round.
    pub accuracy: Vec<f64>,
    /// Share of marked test examples of other classes that the model gives the backdoor's class.
    pub backdoor: f64,
    /// Values of the updates, a row a round, in the order of the clients; no rows without scoring.
    ///
    /// A client that kept its update to itself has `None`.
    pub values: Vec<Vec<Option<i64>>>,
    /// Weights at the end.
    pub weights: Vec<i16>,
}

impl Outcome {
    /// Returns the accuracy after the last round.
    #[must_use]
    pub fn last(&self) -> f64 {
        self.accuracy.last().copied().unwrap_or_default()
    }
}

/// Updates of a round, in the order of the clients.
#[derive(Debug, Clone, Copy)]
pub struct Round<'a> {
    /// Number of the round, from 0.
    pub number: u32,
    /// Weights before the round.
    pub weights: &'a [i16],
    /// Update that each client is committed to.
    pub updates: &'a [Vec<i16>],
    /// Whether each client reveals its update.
    pub revealed: &'a [bool],
}

impl<'a> Round<'a> {
    /// Returns the revealed updates.
    #[must_use]
    pub fn shown(&self) -> Vec<&'a [i16]> {
        let each = self.updates.iter().zip(self.revealed);
        each.filter_map(|(update, revealed)| revealed.then_some(&update[..]))
            .collect()
    }

    /// Returns the values of the revealed updates in the order of the clients.
    #[must_use]
    pub fn by_client<T>(&self, values: impl IntoIterator<Item = T>) -> Vec<Option<T>> {
        let mut values = values.into_iter();
        let each = self.revealed.iter();
        each.map(|revealed| revealed.then(|| values.next()).flatten())
            .collect()
    }
}

/// Result of joining the updates of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Values as in [`Outcome::values`]; `None` if the updates are not scored.
    pub values: Option<Vec<Option<i64>>>,
    /// Weights after the round.
    pub weights: Vec<i16>,
}

/// Plays rounds. The same setup gives the same result on every machine.
///
/// # Errors
/// The rule's condition, if it does not hold for the updates that count.
/// An error of the shape, if updates are scored and the model is no softmax regression.
pub fn play(setup: &Setup<'_>) -> Result<Outcome, FederatedError> {
    play_with(setup, |round| join(setup, round))
}

/// Plays rounds whose updates `join` values and joins, for example by a contract.
///
/// # Errors
/// Those of `join`.
/// An error of the shape, if a client selects and the model is no softmax regression.
pub fn play_with<E: From<FederatedError>>(
    setup: &Setup<'_>,
    mut join: impl FnMut(Round<'_>) -> Result<Joined, E>,
) -> Result<Outcome, E> {
    let mut chance = Chance::new(setup.seed, 0);
    let split = setup
        .split
        .draw(&setup.train.labels, setup.clients.len(), &mut chance);
    let parts: Vec<Examples> = split
        .iter()
        .zip(setup.clients)
        .map(|(part, client)| {
            client.poison(
                setup.train.chosen(part),
                classes(setup),
                setup.shape.max_feature,
            )
        })
        .collect();
    let mut weights = Network::initial(setup.shape, setup.scale, chance.bits());
    let mut outcome = Outcome {
        accuracy: vec![accuracy(setup, &weights)],
        backdoor: 0.0,
        values: Vec::new(),
        weights: Vec::new(),
    };
    let mut last: Option<Vec<f64>> = None;
    for number in 0..setup.rounds {
        let changes = trained(setup, &parts, &weights, &mut chance);
        let of = |kind: fn(&Client) -> bool| {
            let each = changes.iter().zip(setup.clients);
            each.filter(move |it| kind(it.1)).map(|it| it.0)
        };
        let honest: Vec<Vec<f64>> = of(|it| *it == Client::Honest).cloned().collect();
        let sybil = of(|it| matches!(it, Client::Sybil(_))).next();
        let updates: Vec<Vec<i16>> = changes
            .iter()
            .zip(setup.clients)
            .map(|(own, client)| {
                let view = View {
                    own,
                    honest: &honest,
                    last: last.as_deref(),
                    sybil: sybil.map(Vec::as_slice),
                    clients: setup.clients.len(),
                    hostile: setup.hostile,
                };
                let mut update = client.update(&view, attack::noise(&mut chance));
                clip(&mut update, CLIP);
                quantize(setup.width, setup.scale, &update)
            })
            .collect();
        let revealed = revealed(setup, &parts, &weights, &updates)?;
        let joined = join(Round {
            number,
            weights: &weights,
            updates: &updates,
            revealed: &revealed,
        })?;
        weights = joined.weights;
        outcome.values.extend(joined.values);
        outcome.accuracy.push(accuracy(setup, &weights));
        last = honest.into_iter().next();
    }
    outcome.backdoor = backdoor(setup, &weights);
    outcome.weights = weights;
    Ok(outcome)
}

/// Values and joins the updates of a round by the rules in integers.
fn join(setup: &Setup<'_>, round: Round<'_>) -> Result<Joined, FederatedError> {
    let mut admitted = round.shown();
    let mut values = None;
    if let Some(scored) = setup.scored {
        let found = score(setup, &scored, round, &admitted)?;
        if let Some(margin) = scored.margin {
            let kept = found.iter().map(|it| judge(*it, margin));
            admitted = admitted
                .into_iter()
                .zip(kept)
                .filter_map(|it| (it.1 != Judgment::Excluded).then_some(it.0))
                .collect();
        }
        values = Some(round.by_client(found));
    }
    let joined = aggregate(setup.rule, setup.hostile, setup.width, &admitted)?;
    let mut weights = round.weights.to_vec();
    add_update(&mut weights, &joined);
    Ok(Joined { values, weights })
}

/// Decides for each client whether it reveals its update.
///
/// Those that select see all others first, and value their own update on their own examples.
fn revealed(
    setup: &Setup<'_>,
    parts: &[Examples],
    weights: &[i16],
    updates: &[Vec<i16>],
) -> Result<Vec<bool>, FederatedError> {
    let mut shown: Vec<&[i16]> = updates
        .iter()
        .zip(setup.clients)
        .filter_map(|(update, client)| (!client.selects()).then_some(&update[..]))
        .collect();
    let each = updates.iter().zip(setup.clients).zip(parts);
    each.map(|((update, client), part)| {
        if !client.selects() {
            return Ok(true);
        }
        let samples: Vec<Sample<'_>> = (0..part.len()).map(|at| part.sample(at)).collect();
        shown.push(update);
        let values = softmax(setup)?.values(weights, &shown, &samples);
        shown.pop();
        Ok(values?.leave_one_out().last().is_some_and(|own| *own > 0))
    })
    .collect()
}

/// Returns the number of classes. A model has at most 256 of them.
fn classes(setup: &Setup<'_>) -> u16 {
    u16::try_from(setup.shape.classes).unwrap_or(u16::MAX)
}

/// Returns what each client's training changes; zeros for those that do not train.
fn trained(
    setup: &Setup<'_>,
    parts: &[Examples],
    weights: &[i16],
    chance: &mut Chance,
) -> Vec<Vec<f64>> {
    let each = parts.iter().zip(setup.clients);
    each.map(|(part, client)| {
        let seed = chance.bits();
        if !client.trains() {
            return vec![0.0; weights.len()];
        }
        let terms = Training {
            seed,
            ..setup.training
        };
        let network = Network::new(setup.shape, setup.scale, weights);
        network.train(&part.features, &part.labels, &terms)
    })
    .collect()
}

fn score(
    setup: &Setup<'_>,
    scored: &Scored<'_>,
    round: Round<'_>,
    updates: &[&[i16]],
) -> Result<Vec<i64>, FederatedError> {
    let count = scored.examples.len().max(1);
    let first = round.number as usize * scored.part;
    let samples: Vec<Sample<'_>> = (first..first + scored.part)
        .map(|index| scored.examples.sample(index % count))
        .collect();
    let values = softmax(setup)?.values(round.weights, updates, &samples)?;
    Ok(values.leave_one_out())
}

/// Returns the shape of the model in the rules, if it is a softmax regression.
fn softmax(setup: &Setup<'_>) -> Result<Softmax, FederatedError> {
    let Shape {
        features,
        hidden,
        classes,
        max_feature,
    } = setup.shape;
    if hidden > 0 {
        return Err(FederatedError::InvalidModel {
            name: "the number of hidden units",
            value: hidden,
            expected: "0, since only softmax regression is scored",
        });
    }
    Softmax::new(features, classes, max_feature, setup.scale)
}

fn accuracy(setup: &Setup<'_>, weights: &[i16]) -> f64 {
    let network = Network::new(setup.shape, setup.scale, weights);
    let predicted = network.predict(&setup.test.features);
    let right = predicted
        .iter()
        .zip(&setup.test.labels)
        .filter(|(a, b)| a == b);
    share(right.count(), predicted.len())
}

fn backdoor(setup: &Setup<'_>, weights: &[i16]) -> f64 {
    let wanted = BACKDOOR_CLASS.min(classes(setup).saturating_sub(1));
    let others = |&index: &usize| setup.test.labels[index] != wanted;
    let indices: Vec<usize> = (0..setup.test.len()).filter(others).collect();
    let mut examples = setup.test.chosen(&indices);
    attack::mark(&mut examples, setup.shape.max_feature);
    let network = Network::new(setup.shape, setup.scale, weights);
    let predicted = network.predict(&examples.features);
    let fooled = predicted.iter().filter(|it| **it == wanted).count();
    share(fooled, predicted.len())
}

// Counts are far below 2^52.
#[allow(clippy::cast_precision_loss)]
fn share(part: usize, all: usize) -> f64 {
    part as f64 / all.max(1) as f64
}

/// Mean of values with the half width of its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// Mean.
    pub value: f64,
    /// Half of the 95 % interval by Student's t; 0 for a single value.
    pub half: f64,
}

/// Quantiles .975 of Student's t for 1 to 19 degrees of freedom; more count as 19.
const STUDENT: [f64; 19] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093,
];

impl Mean {
    /// Returns the mean of one value a seed; `None` if there are none.
    // Counts are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len();
        let freedom = count.checked_sub(1)?;
        let value = values.iter().sum::<f64>() / count as f64;
        let Some(index) = freedom.checked_sub(1) else {
            return Some(Self { value, half: 0.0 });
        };
        let squares: f64 = values.iter().map(|it| (it - value) * (it - value)).sum();
        let error = (squares / freedom as f64 / count as f64).sqrt();
        let quantile = STUDENT[index.min(STUDENT.len() - 1)];
        Some(Self {
            value,
            half: quantile * error,
        })
    }
}
