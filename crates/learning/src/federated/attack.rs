//! Attacks on federated rounds, by the formulas of the papers.
//!
//! An attacker knows all honest updates of the round before they are clipped and rounded.

use std::f64::consts::SQRT_2;

use super::{Examples, chance::Chance};

/// Kind of client.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Client {
    /// It trains on its own examples and submits the change.
    Honest,
    /// It submits noise with 9 times the length of the mean honest update.
    Noise,
    /// It submits its own honest change times a factor, which is negative.
    Sign(f64),
    /// It trains with each label `y` replaced by the last one minus `y`.
    LabelFlip,
    /// "A little is enough" (Baruch et al., 2019): mean minus `z` standard deviations.
    ///
    /// The number is the smallest `z`.
    LittleIsEnough(f64),
    /// Inner product manipulation (Xie et al., 2019): the mean times minus a factor.
    InnerProduct(f64),
    /// Min-Max (Shejwalkar and Houmansadr, 2021): as far from each honest update as two
    /// of them are from each other.
    MinMax,
    /// It submits zeros.
    FreeRider,
    /// It submits the update of the first honest client.
    Copycat,
    /// It submits the update of the first honest client of the last round.
    OldCopy,
    /// It trains on examples whose first feature is the largest, all labeled 7 or the last class.
    Backdoor,
    /// It is one of several accounts of an honest client: the change of the first one, with noise.
    ///
    /// The number is the standard deviation of the noise, in weights. With 0, all are equal.
    Sybil(f64),
    /// It gambles: it commits to its own change times a normal random number, after honest training.
    ///
    /// It reveals last, and only if the update then helps the others on its own examples.
    Selective,
}

/// Class that a backdoor is to give.
pub const BACKDOOR_CLASS: u16 = 7;

/// Updates that an attacker sees, and numbers of clients.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Update that the attacker would submit if it were honest, or trained on its own data.
    pub own: &'a [f64],
    /// Honest updates of this round.
    pub honest: &'a [Vec<f64>],
    /// Update of the first honest client in the last round; `None` in the first round.
    pub last: Option<&'a [f64]>,
    /// Change of the first account of a sybil; `None` without sybils.
    pub sybil: Option<&'a [f64]>,
    /// Number of clients.
    pub clients: usize,
    /// Number of hostile clients.
    pub hostile: usize,
}

impl Client {
    /// Returns the examples that the client trains on.
    #[must_use]
    pub fn poison(self, mut examples: Examples, classes: u16, max_feature: u8) -> Examples {
        let last = classes.saturating_sub(1);
        match self {
            Self::LabelFlip => {
                for label in &mut examples.labels {
                    *label = last.saturating_sub(*label);
                }
            }
            Self::Backdoor => {
                examples.labels.fill(BACKDOOR_CLASS.min(last));
                mark(&mut examples, max_feature);
            }
            _ => {}
        }
        examples
    }

    /// Returns `true` if the client's update depends on its own training.
    #[must_use]
    pub fn trains(self) -> bool {
        matches!(
            self,
            Self::Honest
                | Self::Sign(_)
                | Self::LabelFlip
                | Self::Backdoor
                | Self::Sybil(_)
                | Self::Selective
        )
    }

    /// Returns `true` if the client may keep its update to itself after it has seen the others'.
    #[must_use]
    pub fn selects(self) -> bool {
        self == Self::Selective
    }

    /// Returns the update that the client submits, before clipping and rounding.
    ///
    /// `noise` draws from the standard normal distribution.
    #[must_use]
    pub fn update(self, view: &View<'_>, mut noise: impl FnMut() -> f64) -> Vec<f64> {
        let scaled = |update: &[f64], factor: f64| update.iter().map(|it| factor * it).collect();
        let zeros = || vec![0.0; view.own.len()];
        let first = view.honest.first();
        match self {
            Self::Honest | Self::LabelFlip | Self::Backdoor => view.own.to_vec(),
            Self::Sign(factor) => scaled(view.own, factor),
            Self::FreeRider => zeros(),
            Self::Copycat => first.cloned().unwrap_or_else(zeros),
            Self::OldCopy => view.last.map_or_else(zeros, <[f64]>::to_vec),
            Self::Noise => {
                let mean = mean(view.honest);
                let sd = 9.0 * (squared(&mean) / count(mean.len())).sqrt();
                mean.iter().map(|_| sd * noise()).collect()
            }
            Self::Selective => scaled(view.own, noise()),
            Self::Sybil(sd) => {
                let first = view.sybil.unwrap_or(view.own);
                first.iter().map(|value| value + sd * noise()).collect()
            }
            Self::InnerProduct(factor) => scaled(&mean(view.honest), -factor),
            Self::LittleIsEnough(least) => {
                let z = little_z(view.clients, view.hostile).max(least);
                below_mean(view.honest, z)
            }
            Self::MinMax => below_mean(view.honest, min_max_gamma(view.honest)),
        }
    }
}

/// Sets the first feature of all examples to the largest, which is a backdoor's mark.
pub fn mark(examples: &mut Examples, max_feature: u8) {
    for row in examples.features.chunks_exact_mut(examples.width.max(1)) {
        row[0] = max_feature;
    }
}

/// Returns the mean of updates, parameter by parameter.
#[must_use]
pub fn mean(updates: &[Vec<f64>]) -> Vec<f64> {
    let mut mean = vec![0.0; updates.first().map_or(0, Vec::len)];
    for update in updates {
        for (sum, value) in mean.iter_mut().zip(update) {
            *sum += value;
        }
    }
    for sum in &mut mean {
        *sum /= count(updates.len());
    }
    mean
}

/// Returns the standard deviation of each parameter, of the updates as a whole population.
#[must_use]
pub fn deviation(updates: &[Vec<f64>]) -> Vec<f64> {
    let mean = mean(updates);
    let mut squares = vec![0.0; mean.len()];
    for update in updates {
        for ((sum, value), mean) in squares.iter_mut().zip(update).zip(&mean) {
            *sum += (value - mean) * (value - mean);
        }
    }
    let variances = squares.into_iter().map(|sum| sum / count(updates.len()));
    variances.map(f64::sqrt).collect()
}

/// Returns Baruch's `z`: the inverse normal distribution at `(n - f - s) / (n - f)`.
///
/// There `s = floor(n / 2) + 1 - f` is how many honest clients the attackers need beside them.
/// FLANDERS' `lie` takes the distribution itself there, not its inverse, which is no such bound.
#[must_use]
pub fn little_z(clients: usize, hostile: usize) -> f64 {
    let honest = clients.saturating_sub(hostile);
    let needed = (clients / 2 + 1).saturating_sub(hostile).min(honest);
    inverse_normal(count(honest - needed) / count(honest))
}

/// Returns the largest factor `g` for which mean minus `g` deviations is not too far away.
///
/// Its distance to each honest update is at most the largest between two of them.
/// The paper searches for it; each honest update's bound is the root of a quadratic equation.
#[must_use]
pub fn min_max_gamma(honest: &[Vec<f64>]) -> f64 {
    let (mean, deviation) = (mean(honest), deviation(honest));
    let difference =
        |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a - b).collect() };
    let mut farthest: f64 = 0.0;
    for (index, one) in honest.iter().enumerate() {
        for other in &honest[..index] {
            farthest = farthest.max(squared(&difference(one, other)));
        }
    }
    let length = squared(&deviation);
    if length <= 0.0 {
        return 0.0;
    }
    let bounds = honest.iter().map(|update| {
        let away = difference(&mean, update);
        let product: f64 = away.iter().zip(&deviation).map(|(a, b)| a * b).sum();
        let root = product * product + length * (farthest - squared(&away));
        (product + root.max(0.0).sqrt()) / length
    });
    bounds.fold(f64::INFINITY, f64::min)
}

/// Returns `x` with a normal distribution of `share` below it, by halving an interval.
#[must_use]
pub fn inverse_normal(share: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if 0.5 * libm::erfc(-middle / SQRT_2) < share {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

fn below_mean(honest: &[Vec<f64>], factor: f64) -> Vec<f64> {
    let pairs = mean(honest).into_iter().zip(deviation(honest));
    pairs.map(|(mean, sd)| mean - factor * sd).collect()
}

fn squared(update: &[f64]) -> f64 {
    update.iter().map(|it| it * it).sum()
}

/// Returns a count as a float, and 1 for 0, since it divides.
// Counts are far below 2^52.
#[allow(clippy::cast_precision_loss)]
fn count(count: usize) -> f64 {
    count.max(1) as f64
}

/// Returns the noise that a stream of the laboratory's random numbers gives.
pub(super) fn noise(chance: &mut Chance) -> impl FnMut() -> f64 + '_ {
    || chance.normal()
}
