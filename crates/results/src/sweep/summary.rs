//! Figures of a sweep, as JSON and as text for a terminal.

use cotrain_simulator::{
    scenario::settings::shown,
    sweep::{
        Plan, Tested,
        analysis::{Analysis, AxisStudy, Point},
        statistics::{Band, Breaking, Breaks, Study},
    },
};
use serde::{Serialize, Serializer};

use super::format::{HONEST, MODEL, band, breaking, range, tested};
use crate::{
    format::{aligned, count, counted},
    measured::PerClass,
};

/// Figures of a sweep. `--json` prints them, and `summary.json` holds them.
#[derive(Debug, Serialize)]
pub struct Summary {
    scenario: String,
    /// Number of finished runs; `of` is the number of all runs.
    runs: usize,
    of: u64,
    /// Test data of all points, in words; `None` if the records have none.
    #[serde(skip)]
    tested: Option<String>,
    points: Vec<PointFigures>,
    breaking_points: Vec<BreakingFigures>,
}

#[derive(Debug, Serialize)]
struct PointFigures {
    /// Varied settings and their values, in order.
    #[serde(serialize_with = "as_object")]
    settings: Vec<(String, toml::Value)>,
    runs: usize,
    hostile_share_percent: f64,
    /// This and the following figures: the median, and the interval that holds 90 % of the runs.
    accuracy_final_percent: Band,
    accuracy_gain_points: Band,
    /// This and the following three are `None` for records of earlier releases.
    test_samples: Option<Band>,
    /// Medians of the ends of the runs' 95 % intervals.
    accuracy_final_interval_percent: Option<[f64; 2]>,
    /// Share of the most common class.
    majority_percent: Option<Band>,
    /// Predictions of all runs together, at the end.
    predictions: Option<Predictions>,
    honest_percent: Option<Band>,
    hostile_percent: Option<Band>,
}

/// Predictions for test data. Each run counts its own, also if runs share test samples.
#[derive(Debug, Serialize)]
struct Predictions {
    classes: Vec<String>,
    /// A row for each true class, with the count of each predicted class.
    confusion: Vec<Vec<u64>>,
    per_class: Vec<PerClass>,
    /// Number of samples that the model refuses to predict. They count as wrong, and the matrix has
    /// none of them.
    refused: u64,
}

impl From<&Tested> for Predictions {
    fn from(Tested { classes, confusion }: &Tested) -> Self {
        Self {
            classes: classes.clone(),
            confusion: confusion.rows().to_vec(),
            per_class: PerClass::all(confusion, classes),
            refused: confusion.refused(),
        }
    }
}

#[derive(Debug, Serialize)]
struct BreakingFigures {
    setting: String,
    /// Whether the values are durations, in days.
    days: bool,
    others: String,
    what: &'static str,
    /// `above` or `below` the value; `everywhere` or `nowhere` between `from` and `to`.
    breaks: &'static str,
    value: Option<f64>,
    /// The ends of the 90 % interval; `None` if an end lies beyond the values that were tried.
    low: Option<f64>,
    high: Option<f64>,
    from: f64,
    to: f64,
    /// Number of times that the medians cross the limit. If there are several, `value` is only one.
    crossings: usize,
    /// The whole result as text.
    #[serde(rename = "told")]
    text: String,
}

impl Summary {
    /// Returns the figures. `runs` is the number of runs that are done.
    pub(super) fn of(plan: &Plan, analysis: &Analysis, runs: usize) -> Self {
        let breaking = analysis.studies.iter().flat_map(BreakingFigures::of);
        Self {
            scenario: plan.scenario().name().to_owned(),
            runs,
            of: plan.runs(),
            tested: tested(&analysis.points),
            points: analysis
                .points
                .iter()
                .map(|it| PointFigures::of(plan, it))
                .collect(),
            breaking_points: breaking.collect(),
        }
    }

    /// Returns the figures as text for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines = vec![if self.runs as u64 == self.of {
            format!("{}: {}", self.scenario, counted(self.of, "run"))
        } else {
            format!(
                "{}: {} of {}, the rest is not done yet",
                self.scenario,
                count(self.runs as u64),
                counted(self.of, "run")
            )
        }];
        lines.push("medians, and what 90 % of the runs lie between".to_owned());
        lines.extend(self.tested.as_ref().map(|it| format!("accuracy on {it}")));
        lines.push(String::new());
        let head = [
            "",
            "runs",
            "accuracy",
            "gain, points",
            "honest hold",
            "hostile hold",
        ];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(self.points.iter().map(|point| {
            let settings = point.settings.iter();
            let settings = settings.map(|(path, value)| format!("{path} = {}", shown(value)));
            [
                settings.collect::<Vec<_>>().join(", "),
                count(point.runs as u64),
                band(Some(point.accuracy_final_percent), " %"),
                band(Some(point.accuracy_gain_points), ""),
                band(point.honest_percent, " %"),
                band(point.hostile_percent, " %"),
            ]
        }));
        lines.extend(aligned(&rows));
        if !self.breaking_points.is_empty() {
            lines.push(String::new());
            lines.push("breaking points, and their 90 % intervals".to_owned());
            lines.push(String::new());
            lines.extend(self.breaking_points.iter().map(BreakingFigures::sentence));
        }
        lines.join("\n") + "\n"
    }
}

impl PointFigures {
    fn of(plan: &Plan, point: &Point) -> Self {
        let settings = plan.settings(point.number);
        let tested = point.tested.as_ref();
        let together = tested.and_then(|it| it.together.as_ref());
        Self {
            settings: settings.into_iter().map(|it| (it.path, it.value)).collect(),
            runs: point.runs,
            hostile_share_percent: point.hostile_share,
            accuracy_final_percent: point.accuracy,
            accuracy_gain_points: point.gain,
            test_samples: tested.map(|it| it.samples),
            accuracy_final_interval_percent: tested.map(|it| it.interval),
            majority_percent: tested.map(|it| it.majority),
            predictions: together.map(Predictions::from),
            honest_percent: point.honest,
            hostile_percent: point.hostile,
        }
    }
}

fn as_object<S: Serializer>(
    settings: &[(String, toml::Value)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(settings.iter().map(|(path, value)| (path, value)))
}

impl BreakingFigures {
    fn of(study: &AxisStudy) -> Vec<Self> {
        let figures = |(what, found): (&'static str, &Study)| {
            let (breaks, value, crossings) = match found.point.breaking {
                Breaking::Nowhere => ("nowhere", None, 0),
                Breaking::Everywhere => ("everywhere", None, 0),
                Breaking::At {
                    side: Breaks::Above,
                    value,
                    crossings,
                } => ("above", Some(value), crossings),
                Breaking::At {
                    side: Breaks::Below,
                    value,
                    crossings,
                } => ("below", Some(value), crossings),
            };
            let finite = |end: f64| end.is_finite().then_some(end);
            let (from, to) = range(found);
            Self {
                setting: study.axis.clone(),
                days: study.is_duration,
                others: study.others.clone(),
                what,
                breaks,
                value,
                low: finite(found.point.low),
                high: finite(found.point.high),
                from,
                to,
                crossings,
                text: breaking(found, study.is_duration),
            }
        };
        let honest = study.honest.as_ref().map(|honest| (HONEST, honest));
        honest
            .into_iter()
            .chain([(MODEL, &study.gain)])
            .map(figures)
            .collect()
    }

    fn sentence(&self) -> String {
        let others = if self.others.is_empty() {
            String::new()
        } else {
            format!(" (with {})", self.others)
        };
        format!("{}{others}: {} {}", self.setting, self.what, self.text)
    }
}
