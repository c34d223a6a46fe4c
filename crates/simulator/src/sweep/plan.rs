//! Plan of a sweep.

use std::num::NonZeroUsize;

use alloy_primitives::hex;
use sha3::{Digest, Sha3_256};
use toml::Value;

use super::Seeds;
use crate::scenario::{
    Scenario, ScenarioError,
    settings::{Axis, Setting, shown},
};

/// Maximum number of runs of a sweep.
pub const LARGEST: u64 = 1_000_000;

/// Scenario with the values that some settings take in turn, and seeds.
///
/// The points of the grid are numbered like the digits of an odometer: the last setting changes
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

/// Reason why a plan is invalid.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A point of the grid is no valid scenario.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A setting occurs twice.
    #[error("`{0}` is set twice; name all its values at once: --set {0}=VALUE,VALUE")]
    Twice(String),
    /// The plan has more runs than [`LARGEST`].
    #[error(
        "that would be {} of the grid with {} each; at most {LARGEST} runs are possible",
        counted(*points, "point"), counted(*seeds, "seed")
    )]
    TooMany {
        /// Number of points of the grid.
        points: u64,
        /// Number of seeds.
        seeds: u64,
    },
}

fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

impl Plan {
    /// Creates a plan, and checks each of its points.
    ///
    /// # Errors
    /// Returns an error if a setting occurs twice, a point is no valid scenario, or there are more
    /// than [`LARGEST`] runs.
    pub fn new(
        scenario: Scenario,
        axes: Vec<Axis>,
        seeds: Seeds,
        relay: Option<NonZeroUsize>,
    ) -> Result<Self, PlanError> {
        for (index, axis) in axes.iter().enumerate() {
            if axes[..index].iter().any(|before| before.path == axis.path) {
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

    /// Returns the scenario before any setting is applied.
    #[must_use]
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Returns the varied settings with their values.
    #[must_use]
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// Returns the seeds of each point.
    #[must_use]
    pub fn seeds(&self) -> &Seeds {
        &self.seeds
    }

    /// Returns the number of signed contributions per relay; `None` if each agent sends its own
    /// transactions.
    #[must_use]
    pub fn relay(&self) -> Option<NonZeroUsize> {
        self.relay
    }

    /// Returns the number of points of the grid, at least 1.
    #[must_use]
    pub fn points(&self) -> u64 {
        self.points
    }

    /// Returns the number of runs.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.points * self.seeds.count()
    }

    /// Returns the number of a run's point.
    #[must_use]
    pub fn point_of(&self, run: u64) -> u64 {
        run / self.seeds.count()
    }

    /// Returns the seed of a run.
    #[must_use]
    pub fn seed_of(&self, run: u64) -> u64 {
        self.seeds.get(run)
    }

    /// Returns for each setting the index of the value that a point has.
    #[must_use]
    pub fn indices(&self, point: u64) -> Vec<usize> {
        let mut left = point;
        let mut indices: Vec<_> = self
            .axes
            .iter()
            .rev()
            .map(|axis| {
                let length = axis.values.len() as u64;
                let index = left % length;
                left /= length;
                // The index is below the length of a vector.
                usize::try_from(index).unwrap_or(usize::MAX)
            })
            .collect();
        indices.reverse();
        indices
    }

    /// Returns the values of a point, one for each setting.
    #[must_use]
    pub fn values(&self, point: u64) -> Vec<&Value> {
        let pairs = self.axes.iter().zip(self.indices(point));
        pairs.map(|(axis, index)| &axis.values[index]).collect()
    }

    /// Returns the settings of a point.
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

    /// Returns the settings of a point in a line; empty if nothing is varied.
    #[must_use]
    pub fn label(&self, point: u64) -> String {
        let pairs = self.axes.iter().zip(self.values(point));
        let settings = pairs.map(|(axis, value)| format!("{} = {}", axis.path, shown(value)));
        settings.collect::<Vec<_>>().join(", ")
    }

    /// Returns the scenario at a point.
    ///
    /// # Errors
    /// Returns no error for a plan from [`Plan::new`], which has checked every point.
    pub fn scenario_at(&self, point: u64) -> Result<Scenario, ScenarioError> {
        self.scenario.with(&self.settings(point))
    }

    /// Returns the SHA3-256, in lower-case hexadecimal, of everything that decides the sweep's
    /// results. This is the scenario and the names of its data files, the grid, the seeds,
    /// relaying, and this version of cotrain. The content of data files is not included.
    #[must_use]
    pub fn identity(&self) -> String {
        let mut hasher = Sha3_256::new();
        let mut add = |text: &str| {
            // The length makes different lists of texts hash differently.
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
    fn plan_makes_a_run_a_function_of_its_number() {
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
    fn identity_distinguishes_plans() {
        let identity = |sets: &[&str], seeds| plan(sets, seeds).expect("a plan").identity();
        let one = identity(&["data.features=100,200"], "1..3");
        assert_eq!(one, identity(&["data.features=100,200"], "1..3"));
        assert_ne!(one, identity(&["data.features=200,100"], "1..3"));
        assert_ne!(one, identity(&["data.features=100,200"], "1..4"));
        assert_ne!(one, identity(&[], "1..3"));
    }

    #[test]
    fn new_refuses_an_impossible_plan_before_anything_runs() {
        let refusal = |sets: &[&str], seeds| plan(sets, seeds).expect_err("a refusal").to_string();
        assert_eq!(
            refusal(&["data.features=100", "data.features=200"], "1"),
            "`data.features` is set twice; name all its values at once: --set data.features=VALUE,VALUE"
        );
        assert_eq!(
            refusal(&["data.features=100,200"], "1..600000"),
            "that would be 2 points of the grid with 600000 seeds each; at most 1000000 runs are possible"
        );
        // The refusal names the second of two points.
        assert_eq!(
            refusal(&["data.features=100,0"], "1"),
            "with data.features = 0"
        );
    }
}
