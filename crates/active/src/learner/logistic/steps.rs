//! L-BFGS with a preconditioner, for a function whose scores are linear in its parameters.

use std::collections::VecDeque;

use super::curvature::Curvature;
use super::objective::Objective;
use crate::numbers::{add_scaled, dot};

/// Share of the loss below which a step's predicted decrease ends the search.
const TOLERANCE: f64 = 1e-8;

/// Number of last steps that shape the next one.
const MEMORY: usize = 12;

/// Maximum number of steps.
const MAX_STEPS: usize = 1_000;

/// Share of the loss below which the curvature is taken anew.
const FALL: f64 = 0.25;

/// Maximum number of lengths tried for a step.
const MAX_LENGTHS: usize = 30;

/// Share of the slope's decrease that a step must reach (Armijo).
const DECREASE: f64 = 1e-4;

/// Share of the first slope that may be left at the end of a step (Wolfe).
const SLOPE: f64 = 0.5;

/// Minimum found.
pub(super) struct Minimum {
    pub(super) parameters: Vec<f64>,
    pub(super) loss: f64,
    pub(super) steps: usize,
}

/// Point of the search, with all that depends on it.
struct Point {
    parameters: Vec<f64>,
    scores: Vec<f64>,
    derivatives: Vec<f64>,
    loss: f64,
    gradient: Vec<f64>,
}

impl Point {
    fn new(objective: &Objective<'_>, parameters: Vec<f64>) -> Self {
        let scores = objective.scores(&parameters);
        let mut derivatives = scores.clone();
        let loss =
            objective.losses(&mut derivatives) + 0.5 * objective.penalty(&parameters, &parameters);
        let gradient = objective.gradient(&parameters, &derivatives);
        Self {
            parameters,
            scores,
            derivatives,
            loss,
            gradient,
        }
    }
}

/// Change of the parameters in a step, and that of the gradient.
struct Change {
    step: Vec<f64>,
    gradient: Vec<f64>,
    /// Inverse of the product of both.
    inverse: f64,
}

/// Returns the minimum that the search finds from a start.
pub(super) fn minimize(objective: &Objective<'_>, start: Vec<f64>) -> Minimum {
    let mut point = Point::new(objective, start);
    // A start far off, such as weights of quite different labels, is worse than none.
    let nothing = vec![0.0; objective.len()];
    if point.parameters != nothing {
        let without = Point::new(objective, nothing);
        if without.loss <= point.loss || !point.loss.is_finite() {
            point = without;
        }
    }
    let mut curvature = objective.curvature(&point.derivatives);
    let mut loss_then = point.loss;
    let mut changes: VecDeque<Change> = VecDeque::with_capacity(MEMORY + 1);
    let mut steps = 0;
    while steps < MAX_STEPS {
        let direction = direction(objective, &curvature, &changes, &point.gradient);
        let slope = dot(&direction, &point.gradient);
        // A slope that is not a number ends the search too.
        let goes_on = -0.5 * slope > TOLERANCE * point.loss;
        if !goes_on {
            break;
        }
        let Some(next) = advance(objective, &point, &direction, slope) else {
            break;
        };
        steps += 1;
        let difference = |new: &[f64], old: &[f64]| -> Vec<f64> {
            new.iter().zip(old).map(|(new, old)| new - old).collect()
        };
        let step = difference(&next.parameters, &point.parameters);
        let gradient = difference(&next.gradient, &point.gradient);
        let product = dot(&step, &gradient);
        if product > 0.0 && product.is_finite() {
            if changes.len() == MEMORY {
                changes.pop_front();
            }
            changes.push_back(Change {
                step,
                gradient,
                inverse: 1.0 / product,
            });
        }
        point = next;
        // Rows that have become certain curve less; the steps before say little of it.
        if point.loss < FALL * loss_then {
            curvature = objective.curvature(&point.derivatives);
            loss_then = point.loss;
        }
    }
    Minimum {
        parameters: point.parameters,
        loss: point.loss,
        steps,
    }
}

/// Returns the direction of the next step: L-BFGS's inverse Hessian times the negative gradient.
fn direction(
    objective: &Objective<'_>,
    curvature: &Curvature,
    changes: &VecDeque<Change>,
    gradient: &[f64],
) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|value| -value).collect();
    let mut factors = Vec::with_capacity(changes.len());
    for change in changes.iter().rev() {
        let factor = change.inverse * dot(&change.step, &direction);
        add_scaled(&mut direction, -factor, &change.gradient);
        factors.push(factor);
    }
    objective.solve(curvature, &mut direction);
    for (change, factor) in changes.iter().zip(factors.iter().rev()) {
        let other = change.inverse * dot(&change.gradient, &direction);
        add_scaled(&mut direction, factor - other, &change.step);
    }
    direction
}

/// Returns the point a good step away in a direction; `None` if no length decreases the loss.
fn advance(
    objective: &Objective<'_>,
    point: &Point,
    direction: &[f64],
    slope: f64,
) -> Option<Point> {
    let scores = objective.scores(direction);
    // The penalty along the direction is a square function.
    let linear = objective.penalty(&point.parameters, direction);
    let square = objective.penalty(direction, direction);
    let constant = objective.penalty(&point.parameters, &point.parameters);
    let (mut low, mut high) = (0.0, f64::INFINITY);
    let (mut low_slope, mut high_slope) = (slope, f64::NAN);
    let mut length = 1.0;
    let mut best: Option<(f64, f64, Vec<f64>, Vec<f64>)> = None;
    for _ in 0..MAX_LENGTHS {
        let moved: Vec<f64> = point
            .scores
            .iter()
            .zip(&scores)
            .map(|(score, change)| score + length * change)
            .collect();
        let mut derivatives = moved.clone();
        let losses = objective.losses(&mut derivatives);
        let loss = losses + 0.5 * constant + length * (linear + 0.5 * length * square);
        let left = dot(&derivatives, &scores) + linear + length * square;
        let decreases = loss <= point.loss + DECREASE * length * slope;
        if decreases && best.as_ref().is_none_or(|best| loss < best.1) {
            best = Some((length, loss, moved, derivatives));
        }
        if decreases && left.abs() <= SLOPE * slope.abs() {
            break;
        }
        if decreases && left < 0.0 {
            (low, low_slope) = (length, left);
        } else {
            (high, high_slope) = (length, left);
        }
        length = if high.is_finite() {
            // The function is convex, so its slope rises between both ends.
            let share = low_slope / (low_slope - high_slope);
            let share = if share.is_finite() { share } else { 0.5 };
            low + (high - low) * share.clamp(0.05, 0.95)
        } else {
            2.0 * length
        };
    }
    let (length, loss, scores, derivatives) = best?;
    let mut parameters = point.parameters.clone();
    add_scaled(&mut parameters, length, direction);
    let gradient = objective.gradient(&parameters, &derivatives);
    Some(Point {
        parameters,
        scores,
        derivatives,
        loss,
        gradient,
    })
}
