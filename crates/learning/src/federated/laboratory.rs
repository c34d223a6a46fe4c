//! Rounds of honest and hostile clients without a chain.
//!
//! They use the rules in integers of [`cotrain_protocol::federated`].

use cotrain_protocol::federated::{
    FederatedError, Judgment, Rule, Sample, Softmax, Width, add_update, aggregate, judge,
};

use super::attack::{self, BACKDOOR_CLASS, Client, View};
use super::chance::Chance;
use super::{Examples, Network, Shape, Split, Training, clip, quantize};

/// Bound of each weight's change, before rounding.
const CLIP: f64 = 1.0;

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
    pub values: Vec<Vec<i64>>,
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

/// Plays rounds. The same setup gives the same result on every machine.
///
/// # Errors
/// The rule's condition, if it does not hold for the updates that count.
/// An error of the shape, if updates are scored and the model is no softmax regression.
pub fn play(setup: &Setup<'_>) -> Result<Outcome, FederatedError> {
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
    for round in 0..setup.rounds {
        let changes = trained(setup, &parts, &weights, &mut chance);
        let honest: Vec<Vec<f64>> = changes
            .iter()
            .zip(setup.clients)
            .filter(|it| *it.1 == Client::Honest)
            .map(|it| it.0.clone())
            .collect();
        let updates: Vec<Vec<i16>> = changes
            .iter()
            .zip(setup.clients)
            .map(|(own, client)| {
                let view = View {
                    own,
                    honest: &honest,
                    last: last.as_deref(),
                    clients: setup.clients.len(),
                    hostile: setup.hostile,
                };
                let mut update = client.update(&view, attack::noise(&mut chance));
                clip(&mut update, CLIP);
                quantize(setup.width, setup.scale, &update)
            })
            .collect();
        let mut admitted: Vec<&[i16]> = updates.iter().map(Vec::as_slice).collect();
        if let Some(scored) = setup.scored {
            let values = score(setup, &scored, round, &weights, &admitted)?;
            if let Some(margin) = scored.margin {
                let kept = |at: &usize| judge(values[*at], margin) != Judgment::Excluded;
                admitted = (0..updates.len())
                    .filter(kept)
                    .map(|at| &updates[at][..])
                    .collect();
            }
            outcome.values.push(values);
        }
        let joined = aggregate(setup.rule, setup.hostile, setup.width, &admitted)?;
        add_update(&mut weights, &joined);
        outcome.accuracy.push(accuracy(setup, &weights));
        last = honest.into_iter().next();
    }
    outcome.backdoor = backdoor(setup, &weights);
    outcome.weights = weights;
    Ok(outcome)
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
    round: u32,
    weights: &[i16],
    updates: &[&[i16]],
) -> Result<Vec<i64>, FederatedError> {
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
    let model = Softmax::new(features, classes, max_feature, setup.scale)?;
    let count = scored.examples.len().max(1);
    let first = round as usize * scored.part;
    let samples: Vec<Sample<'_>> = (first..first + scored.part)
        .map(|index| Sample {
            label: scored.examples.labels[index % count],
            features: scored.examples.row(index % count),
        })
        .collect();
    Ok(model.values(weights, updates, &samples)?.leave_one_out())
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
