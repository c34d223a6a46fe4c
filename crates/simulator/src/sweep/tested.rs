//! Predictions of a sweep's runs for their test data.

use cotrain_learning::evaluation::Confusion;
use serde::{Deserialize, Serialize};

use super::statistics::Band;
use crate::run::Run;

/// Predictions of the model on the chain for the test data, at the end of one run or of several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tested {
    /// Name of each class, by its label.
    pub classes: Vec<String>,
    /// Counts of the predictions.
    pub confusion: Confusion,
}

impl Tested {
    pub(super) fn of(run: &Run) -> Self {
        Self {
            classes: run.classes.clone(),
            confusion: run.confusion.clone(),
        }
    }
}

/// Figures on the test data of the runs at one point of the grid.
#[derive(Debug, Clone, PartialEq)]
pub struct TestedPoint {
    /// Number of test samples of a run.
    pub samples: Band,
    /// Ends of the 95 % interval of a run's final accuracy, in percent: the median of each.
    pub interval: [f64; 2],
    /// Share of the most common class, in percent.
    pub majority: Band,
    /// Predictions of all runs together; `None` if the runs differ in their classes.
    pub together: Option<Tested>,
}

/// Sum over the predictions of the runs at one point.
#[derive(Debug, Default)]
pub(super) struct Tally {
    samples: Vec<f64>,
    ends: [Vec<f64>; 2],
    majority: Vec<f64>,
    together: Option<Tested>,
    differs: bool,
}

impl Tally {
    /// Adds the predictions of a run. Those without test samples say nothing.
    pub(super) fn add(&mut self, tested: &Tested) {
        let confusion = &tested.confusion;
        let (Some(interval), Some(majority)) = (confusion.interval(), confusion.majority()) else {
            return;
        };
        // Numbers of samples are far below 2^52.
        #[allow(clippy::cast_precision_loss)]
        self.samples.push(confusion.n() as f64);
        for (ends, end) in self.ends.iter_mut().zip(interval) {
            ends.push(100.0 * end);
        }
        self.majority.push(100.0 * majority);
        if self.differs {
            return;
        }
        self.together = match self.together.take() {
            None => Some(tested.clone()),
            Some(sum) if sum.classes != tested.classes => None,
            Some(sum) => sum.confusion.plus(confusion).map(|confusion| Tested {
                classes: sum.classes,
                confusion,
            }),
        };
        self.differs = self.together.is_none();
    }

    /// Returns the figures; `None` if no run had test samples.
    pub(super) fn finish(self) -> Option<TestedPoint> {
        let [lower, upper] = self.ends.map(Band::of);
        Some(TestedPoint {
            samples: Band::of(self.samples)?,
            interval: [lower?.median, upper?.median],
            majority: Band::of(self.majority)?,
            together: self.together,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tested(classes: [&str; 2], pairs: &[(u16, u16)]) -> Tested {
        Tested {
            classes: classes.map(str::to_owned).to_vec(),
            confusion: Confusion::new(2, pairs.iter().copied()).expect("labels of classes"),
        }
    }

    #[test]
    fn tally_sums_up_runs_of_the_same_classes() {
        let mut tally = Tally::default();
        tally.add(&tested(["no", "yes"], &[(0, 0), (1, 1)]));
        tally.add(&tested(["no", "yes"], &[(0, 0), (0, 1), (1, 1), (1, 1)]));
        let point = tally.finish().expect("test samples");
        assert_eq!(point.samples.median.to_bits(), 3.0_f64.to_bits());
        assert_eq!(point.majority.median.to_bits(), 50.0_f64.to_bits());
        let [lower, upper] = point.interval;
        assert!(lower < 87.5 && 87.5 < upper, "{lower} to {upper}");
        let together = point.together.expect("the same classes");
        assert_eq!(together.confusion.rows(), [[2, 1], [0, 3]]);
    }

    #[test]
    fn tally_has_no_matrix_of_runs_with_other_classes() {
        let mut tally = Tally::default();
        let same = tested(["no", "yes"], &[(0, 0)]);
        for run in [&same, &tested(["yes", "no"], &[(0, 0)]), &same] {
            tally.add(run);
        }
        let point = tally.finish().expect("test samples");
        assert_eq!(point.together, None);
        assert_eq!(point.samples.high.to_bits(), 1.0_f64.to_bits());
        let mut none = Tally::default();
        none.add(&tested(["no", "yes"], &[]));
        assert_eq!(none.finish(), None);
    }
}
