//! What a sweep is to do.

use std::num::NonZeroUsize;

use alloy_primitives::hex;
use sha3::{Digest, Sha3_256};
use toml::Value;

use super::Seeds;
use crate::scenario::{
    Scenario, ScenarioError,
    settings::{Axis, Setting, shown},
};

/// The most runs of a sweep.
pub const LARGEST: u64 = 1_000_000;

/// A scenario, the values that some of its settings take in turn, and seeds.
///
/// The points of the grid are numbered like the figures of an odometer: the last setting changes
/// first. The runs go through all seeds at the first point, then through all at the second, and so
/// on.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    scenario: Scenario,
    axes: Vec<Axis>,
    seeds: Seeds,
    relay: Option<NonZeroUsize>,
    points: u64,
}

/// Why a sweep cannot be.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A point of the grid is no good scenario.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A setting twice.
    #[error("`{0}` is set twice; name all its values at once: --set {0}=VALUE,VALUE")]
    Twice(String),
    /// More runs than can be.
    #[error(
        "that would be {} of the grid with {} each; at most {LARGEST} runs are possible",
        counted(*points, "point"), counted(*seeds, "seed")
    )]
    TooMany {
        /// Points of the grid.
        points: u64,
        /// Seeds.
        seeds: u64,
    },
}

fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

impl Plan {
    /// A plan, each of whose points has been checked.
    ///
    /// # Errors
    /// Where a setting is named twice, a point makes no good scenario, or there are more than
    /// [`LARGEST`] runs.
    pub fn new(
        scenario: Scenario,
        axes: Vec<Axis>,
        seeds: Seeds,
        relay: Option<NonZeroUsize>,
    ) -> Result<Self, PlanError> {
        for (place, axis) in axes.iter().enumerate() {
            if axes[..place].iter().any(|before| before.path == axis.path) {
                return Err(PlanError::Twice(axis.path.clone()));
            }
        }
        let lengths = axes.iter().map(|axis| axis.values.len() as u64);
        let points = lengths.fold(1, u64::saturating_mul);
        if points.saturating_mul(seeds.count()) > LARGEST {
            let seeds = seeds.count();
            return Err(PlanError::TooMany { points, seeds });
        }
        let plan = Self {
            scenario,
            axes,
            seeds,
            relay,
            points,
        };
        for point in 0..points {
            plan.scenario_at(point)?;
        }
        Ok(plan)
    }

    /// The scenario before anything is set.
    #[must_use]
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The settings that are varied, and their values.
    #[must_use]
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// The seeds of each point.
    #[must_use]
    pub fn seeds(&self) -> &Seeds {
        &self.seeds
    }

    /// How many signed contributions are relayed in one transaction; none: each is sent by itself.
    #[must_use]
    pub fn relay(&self) -> Option<NonZeroUsize> {
        self.relay
    }

    /// How many points the grid has: at least 1.
    #[must_use]
    pub fn points(&self) -> u64 {
        self.points
    }

    /// How many runs there are.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.points * self.seeds.count()
    }

    /// The point of a run.
    #[must_use]
    pub fn point_of(&self, run: u64) -> u64 {
        run / self.seeds.count()
    }

    /// The seed of a run.
    #[must_use]
    pub fn seed_of(&self, run: u64) -> u64 {
        self.seeds.get(run)
    }

    /// For each setting, which of its values a point has.
    #[must_use]
    pub fn places(&self, point: u64) -> Vec<usize> {
        let mut left = point;
        let mut places: Vec<_> = self
            .axes
            .iter()
            .rev()
            .map(|axis| {
                let length = axis.values.len() as u64;
                let place = left % length;
                left /= length;
                // Below the length of a vector.
                usize::try_from(place).unwrap_or(usize::MAX)
            })
            .collect();
        places.reverse();
        places
    }

    /// The values of a point, one a setting.
    #[must_use]
    pub fn values(&self, point: u64) -> Vec<&Value> {
        let pairs = self.axes.iter().zip(self.places(point));
        pairs.map(|(axis, place)| &axis.values[place]).collect()
    }

    /// The settings of a point.
    #[must_use]
    pub fn settings(&self, point: u64) -> Vec<Setting> {
        let pairs = self.axes.iter().zip(self.values(point));
        pairs
            .map(|(axis, value)| Setting {
                path: axis.path.clone(),
                value: value.clone(),
            })
            .collect()
    }

    /// The settings of a point in a line; empty where nothing is varied.
    #[must_use]
    pub fn label(&self, point: u64) -> String {
        let pairs = self.axes.iter().zip(self.values(point));
        let settings = pairs.map(|(axis, value)| format!("{} = {}", axis.path, shown(value)));
        settings.collect::<Vec<_>>().join(", ")
    }

    /// The scenario at a point.
    ///
    /// # Errors
    /// Not once the plan has been made.
    pub fn scenario_at(&self, point: u64) -> Result<Scenario, ScenarioError> {
        self.scenario.with(&self.settings(point))
    }

    /// SHA3-256, in lower-case hexadecimal, of all that decides what comes out of the sweep: the
    /// scenario and the names of its data files, the grid, the seeds, relaying, and this version
    /// of cotrain. The content of data files is not looked at.
    #[must_use]
    pub fn identity(&self) -> String {
        let mut hasher = Sha3_256::new();
        let mut add = |text: &str| {
            // With its length, so that no two lists of texts are one text.
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text);
        };
        add(env!("CARGO_PKG_VERSION"));
        add(self.scenario.name());
        add(self.scenario.text());
        add(&self.scenario.data_summary());
        add(&self.seeds.to_string());
        add(&self.relay.map_or(0, NonZeroUsize::get).to_string());
        for axis in &self.axes {
            add(&axis.to_string());
        }
        hex::encode(hasher.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(sets: &[&str], seeds: &str) -> Result<Plan, PlanError> {
        let axes = sets.iter().map(|set| set.parse().expect("an axis"));
        Plan::new(
            Scenario::find("movie-reviews").expect("a scenario"),
            axes.collect(),
            seeds.parse().expect("seeds"),
            None,
        )
    }

    #[test]
    fn a_run_is_a_function_of_its_number() {
        let plan = plan(
            &[
                "data.features=100,200",
                "incentive.refund_wait=1h,1day,2 days",
            ],
            "7..8,1",
        )
        .expect("a plan");
        assert_eq!((plan.points(), plan.runs()), (6, 18));
        let runs: Vec<_> = [0, 2, 3, 8, 9, 17]
            .map(|run| format!("{} {}", plan.label(plan.point_of(run)), plan.seed_of(run)))
            .to_vec();
        assert_eq!(
            runs,
            [
                "data.features = 100, incentive.refund_wait = 1h 7",
                "data.features = 100, incentive.refund_wait = 1h 1",
                "data.features = 100, incentive.refund_wait = 1day 7",
                "data.features = 100, incentive.refund_wait = 2 days 1",
                "data.features = 200, incentive.refund_wait = 1h 7",
                "data.features = 200, incentive.refund_wait = 2 days 1",
            ]
        );
    }

    #[test]
    fn a_plan_is_told_from_another() {
        let identity = |sets: &[&str], seeds| plan(sets, seeds).expect("a plan").identity();
        let one = identity(&["data.features=100,200"], "1..3");
        assert_eq!(one, identity(&["data.features=100,200"], "1..3"));
        assert_ne!(one, identity(&["data.features=200,100"], "1..3"));
        assert_ne!(one, identity(&["data.features=100,200"], "1..4"));
        assert_ne!(one, identity(&[], "1..3"));
    }

    #[test]
    fn a_plan_that_cannot_be_is_refused_before_anything_runs() {
        let refusal = |sets: &[&str], seeds| plan(sets, seeds).expect_err("a refusal").to_string();
        assert_eq!(
            refusal(&["data.features=100", "data.features=200"], "1"),
            "`data.features` is set twice; name all its values at once: --set data.features=VALUE,VALUE"
        );
        assert_eq!(
            refusal(&["data.features=100,200"], "1..600000"),
            "that would be 2 points of the grid with 600000 seeds each; at most 1000000 runs are possible"
        );
        // The second point of two.
        assert_eq!(
            refusal(&["data.features=100,0"], "1"),
            "with data.features = 0"
        );
    }
}
