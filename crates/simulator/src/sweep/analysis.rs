//! Analysis of a sweep: outcomes of each point of the grid, and breaking points of the mechanism.

use std::collections::BTreeMap;

use super::{
    Plan, Record, TestedPoint,
    statistics::{Band, Study, study},
    tested::Tally,
};
use crate::{
    scenario::settings::{number, shown},
    tables::days,
};

/// Name of the share of hostile money as an axis, the same as in the tables.
pub const HOSTILE_SHARE: &str = "hostile_share_percent";

/// Percentage of their start below which honest people count as losing.
pub const HONEST_LIMIT: f64 = 100.0;

/// Gain of accuracy, in percentage points, below which the model counts as falling.
pub const GAIN_LIMIT: f64 = 0.0;

/// Minimum number of values of a setting for a search for a breaking point.
const FEWEST_VALUES: usize = 3;

/// Maximum and minimum number of moments of a point, and approximate maximum of numbers in all
/// points.
const MOMENTS: usize = 120;
const FEWEST_MOMENTS: usize = 20;
const NUMBERS: usize = 400_000;

/// Analysis of all runs of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// Names and sides of all agents.
    pub agents: Vec<Agent>,
    /// Points that have runs, in order.
    pub points: Vec<Point>,
    /// Breaking points of each setting and of the share of hostile money, for each combination of
    /// the other settings.
    pub studies: Vec<AxisStudy>,
    /// Share of hostile money and final accuracy of every run, both in percent, in order.
    pub runs: Vec<(f64, f64)>,
}

/// Agent that takes part in some of the runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Name of the agent.
    pub name: String,
    /// Whether it is not hostile, by the first run that has it.
    pub harmless: bool,
}

/// Point of the grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Number of the point in the plan.
    pub number: u64,
    /// Settings in a line; empty if nothing is varied.
    pub label: String,
    /// Number of runs at this point.
    pub runs: usize,
    /// Number of runs that ended with money in deposits, so that the final balances are unknown.
    pub unsettled: usize,
    /// Money of hostile agents at the start, in percent of all honest and hostile money.
    pub hostile_share: f64,
    /// Final accuracy, in percent.
    pub accuracy: Band,
    /// Figures on the test data; `None` if the records have none.
    pub tested: Option<TestedPoint>,
    /// Final minus initial accuracy, in percentage points.
    pub gain: Band,
    /// Final balance of honest agents, in percent of their start; `None` if unknown in all runs.
    pub honest: Option<Band>,
    /// Final balance of hostile agents, in percent of their start; `None` if unknown in all runs.
    pub hostile: Option<Band>,
    /// Final balances of [`Analysis::agents`], in percent of their start; `None` if no run has the
    /// agent.
    pub agents: Vec<Option<Band>>,
    /// Medians and bands over time.
    pub timeline: Timeline,
}

/// Point of the grid over time. A finished run keeps its last values until the longest run of the
/// sweep ends. So all points share their moments.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Timeline {
    /// Moments in days, evenly spaced from the start to the end of the longest run of the sweep.
    pub days: Vec<f64>,
    /// Accuracy at each moment, in percent.
    pub accuracy: Vec<Band>,
    /// Balances of [`Analysis::agents`] at each moment, in percent of their start; empty if no run
    /// has the agent.
    pub balances: Vec<Vec<Band>>,
}

/// Breaking points along one setting, with all others fixed.
#[derive(Debug, Clone, PartialEq)]
pub struct AxisStudy {
    /// Path of the setting, or [`HOSTILE_SHARE`].
    pub axis: String,
    /// Whether the values are durations, in days.
    pub is_duration: bool,
    /// Other settings in a line; empty if nothing else is varied.
    pub others: String,
    /// Final balance of honest agents, in percent of their start; `None` if there are no honest
    /// agents.
    pub honest: Option<Study>,
    /// Gain of accuracy, in percentage points.
    pub gain: Study,
}

/// Figures of one run.
struct Figures {
    point: u64,
    hostile_share: f64,
    accuracy: f64,
    gain: f64,
    honest: Option<f64>,
}

/// Sums up a sweep's records, run by run. It holds the series of one point's runs at a time.
pub struct Analyst<'a> {
    plan: &'a Plan,
    agents: Vec<String>,
    harmless: Vec<Option<bool>>,
    /// Moments at which it samples the series, in seconds.
    moments: Vec<f64>,
    figures: Vec<Figures>,
    points: Vec<Point>,
    current: Vec<Sampled>,
    tally: Tally,
}

/// Run sampled at the moments of its point.
struct Sampled {
    point: u64,
    accuracy: Vec<f64>,
    /// Balances of each agent; `None` if the run does not have it.
    balances: Vec<Option<Vec<f64>>>,
    honest: Option<f64>,
    hostile: Option<f64>,
    settled: bool,
}

impl<'a> Analyst<'a> {
    /// Creates an analyst. `agents` are the names of all agents of all records. `longest` is the
    /// duration of the longest run, in seconds.
    #[must_use]
    pub fn new(plan: &'a Plan, agents: &[String], longest: u64) -> Self {
        let lines = index(plan.points()).saturating_mul(1 + agents.len());
        let count = (NUMBERS / lines.saturating_mul(3).max(1)).clamp(FEWEST_MOMENTS, MOMENTS);
        Self {
            plan,
            agents: agents.to_vec(),
            harmless: vec![None; agents.len()],
            moments: moments(longest, count),
            figures: Vec::new(),
            points: Vec::new(),
            current: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Adds a run. Its number must be higher than those before.
    pub fn add(&mut self, record: &Record) {
        let point = self.plan.point_of(record.run);
        if self.current.first().is_some_and(|run| run.point != point) {
            self.close();
        }
        for agent in &record.agents {
            let index = self.agents.iter().position(|name| *name == agent.name);
            if let Some(harmless) = index.map(|index| &mut self.harmless[index]) {
                harmless.get_or_insert(agent.harmless);
            }
        }
        self.figures.push(Figures {
            point,
            hostile_share: record.percent.hostile_share,
            accuracy: 100.0 * record.accuracy.last,
            gain: 100.0 * (record.accuracy.last - record.accuracy.initial),
            honest: record.percent.honest,
        });
        if let Some(tested) = &record.tested {
            self.tally.add(tested);
        }
        let sampled = self.sample(point, record);
        self.current.push(sampled);
    }

    /// Returns the analysis of all runs.
    #[must_use]
    pub fn finish(mut self) -> Analysis {
        self.close();
        let studies = studies(self.plan, &self.figures);
        let runs = self.figures.iter();
        let agents = self.agents.into_iter().zip(self.harmless);
        Analysis {
            agents: agents
                .map(|(name, harmless)| Agent {
                    name,
                    harmless: harmless.unwrap_or(true),
                })
                .collect(),
            points: self.points,
            studies,
            runs: runs.map(|run| (run.hostile_share, run.accuracy)).collect(),
        }
    }

    fn sample(&self, point: u64, record: &Record) -> Sampled {
        let series = &record.series;
        // Each moment takes the last evaluation that is not after it.
        #[allow(clippy::cast_precision_loss)]
        let rows: Vec<_> = self
            .moments
            .iter()
            .map(|moment| {
                let after = series.seconds.partition_point(|&it| it as f64 <= *moment);
                after.saturating_sub(1)
            })
            .collect();
        let at = |values: &[f64], scale: f64| rows.iter().map(|&row| scale * values[row]).collect();
        let balances = self.agents.iter().map(|name| {
            let index = record.agents.iter().position(|agent| agent.name == *name)?;
            Some(at(&series.balances_percent[index], 1.0))
        });
        Sampled {
            point,
            accuracy: at(&series.accuracy, 100.0),
            balances: balances.collect(),
            honest: record.percent.honest,
            hostile: record.percent.hostile,
            settled: series.unclaimed.last().is_none_or(|left| *left == 0),
        }
    }

    /// Sums up the runs of the current point, and drops them.
    fn close(&mut self) {
        let runs = std::mem::take(&mut self.current);
        let Some(first) = runs.first() else {
            return;
        };
        let figures = &self.figures[self.figures.len() - runs.len()..];
        let of = |value: fn(&Figures) -> f64| {
            Band::of(figures.iter().map(value).collect()).expect("at least one run")
        };
        let money =
            |value: fn(&Sampled) -> Option<f64>| Band::of(runs.iter().filter_map(value).collect());
        let over_time = |line: &dyn Fn(&Sampled) -> Option<&[f64]>| -> Vec<Band> {
            let lines: Vec<_> = runs.iter().filter_map(line).collect();
            let band = |moment| Band::of(lines.iter().map(|line| line[moment]).collect());
            (0..self.moments.len()).filter_map(band).collect()
        };
        let balances: Vec<_> = (0..self.agents.len())
            .map(|agent| over_time(&|run| run.balances[agent].as_deref()))
            .collect();
        self.points.push(Point {
            number: first.point,
            label: self.plan.label(first.point),
            runs: runs.len(),
            unsettled: runs.iter().filter(|run| !run.settled).count(),
            hostile_share: figures[0].hostile_share,
            accuracy: of(|run| run.accuracy),
            tested: std::mem::take(&mut self.tally).finish(),
            gain: of(|run| run.gain),
            honest: money(|run| run.honest),
            hostile: money(|run| run.hostile),
            // At the last moment every run has ended.
            agents: balances.iter().map(|it| it.last().copied()).collect(),
            timeline: Timeline {
                days: self.moments.iter().map(|it| it * days(1)).collect(),
                accuracy: over_time(&|run| Some(&run.accuracy)),
                balances,
            },
        });
    }
}

/// Returns `count` moments in seconds, evenly spaced from 0 to `longest`.
#[allow(clippy::cast_precision_loss)]
fn moments(longest: u64, count: usize) -> Vec<f64> {
    // Seconds and indices are far below 2^53.
    let last = (count - 1) as f64;
    let moment = |index| longest as f64 * index as f64 / last;
    (0..count).map(moment).collect()
}

fn index(point: u64) -> usize {
    // There are at most as many points as runs.
    usize::try_from(point).unwrap_or(usize::MAX)
}

/// Values of one axis at each point, and the other axes.
struct Along<'a> {
    axis: &'a str,
    is_duration: bool,
    /// Value at each point; `None` if it is no number.
    values: Vec<Option<f64>>,
    /// Indices of the other settings.
    others: Vec<usize>,
}

fn studies(plan: &Plan, figures: &[Figures]) -> Vec<AxisStudy> {
    let mut shares = vec![None; index(plan.points())];
    for run in figures {
        shares[index(run.point)] = Some(run.hostile_share);
    }
    let mut found = Vec::new();
    for (number_of_axis, axis) in plan.axes().iter().enumerate() {
        let numbers: Option<Vec<_>> = axis.values.iter().map(number).collect();
        let texts = axis.values.iter().filter(|value| value.is_str()).count();
        let Some(numbers) = numbers.filter(|_| texts == 0 || texts == axis.values.len()) else {
            continue;
        };
        let values =
            (0..plan.points()).map(|point| Some(numbers[plan.indices(point)[number_of_axis]]));
        found.extend(along(
            plan,
            figures,
            &Along {
                axis: &axis.path,
                is_duration: texts > 0,
                values: values.collect(),
                others: (0..plan.axes().len())
                    .filter(|other| *other != number_of_axis)
                    .collect(),
            },
        ));
    }
    let others = (0..plan.axes().len()).filter(|axis| !moves(plan, &shares, *axis));
    found.extend(along(
        plan,
        figures,
        &Along {
            axis: HOSTILE_SHARE,
            is_duration: false,
            others: others.collect(),
            values: shares,
        },
    ));
    found
}

/// Returns `true` if the share of hostile money differs between points that differ in this setting
/// alone.
fn moves(plan: &Plan, shares: &[Option<f64>], axis: usize) -> bool {
    let mut seen: BTreeMap<Vec<usize>, f64> = BTreeMap::new();
    (0..plan.points()).any(|point| {
        let mut others = plan.indices(point);
        others.remove(axis);
        let Some(share) = shares[index(point)] else {
            return false;
        };
        let before = *seen.entry(others).or_insert(share);
        before.total_cmp(&share).is_ne()
    })
}

/// Returns a study for each combination of the other settings.
fn along(plan: &Plan, figures: &[Figures], along: &Along<'_>) -> Vec<AxisStudy> {
    let mut groups: BTreeMap<Vec<usize>, Vec<(f64, &Figures)>> = BTreeMap::new();
    for run in figures {
        let Some(value) = along.values[index(run.point)] else {
            continue;
        };
        let indices = plan.indices(run.point);
        let others = along.others.iter().map(|other| indices[*other]).collect();
        groups.entry(others).or_default().push((value, run));
    }
    let study = |(others, mut runs): (Vec<usize>, Vec<(f64, &Figures)>)| {
        // The sort is stable: runs of one value keep their order.
        runs.sort_by(|one, other| one.0.total_cmp(&other.0));
        let honest = samples(&runs, |run| run.honest);
        let gain = samples(&runs, |run| Some(run.gain));
        (gain.len() >= FEWEST_VALUES).then(|| AxisStudy {
            axis: along.axis.to_owned(),
            is_duration: along.is_duration,
            others: others_of(plan, &along.others, &others),
            honest: (honest.len() == gain.len()).then(|| study(&honest, HONEST_LIMIT)),
            gain: study(&gain, GAIN_LIMIT),
        })
    };
    groups.into_iter().filter_map(study).collect()
}

/// Groups the runs' figures by value. `runs` must be sorted by value.
fn samples(runs: &[(f64, &Figures)], figure: fn(&Figures) -> Option<f64>) -> Vec<(f64, Vec<f64>)> {
    let same = runs.chunk_by(|one, next| one.0.total_cmp(&next.0).is_eq());
    let sample = |same: &[(f64, &Figures)]| {
        let figures: Vec<_> = same.iter().filter_map(|(_, run)| figure(run)).collect();
        (!figures.is_empty()).then(|| (same[0].0, figures))
    };
    same.filter_map(sample).collect()
}

fn others_of(plan: &Plan, others: &[usize], indices: &[usize]) -> String {
    let settings = others.iter().zip(indices).map(|(axis, index)| {
        let axis = &plan.axes()[*axis];
        format!("{} = {}", axis.path, shown(&axis.values[*index]))
    });
    settings.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        run::{Accuracy, Counts, End},
        scenario::Scenario,
        sweep::{
            AgentRecord, Percentages, Series,
            statistics::{Breaking, Breaks},
        },
    };

    fn plan(sets: &[&str]) -> Plan {
        let axes = sets.iter().map(|set| set.parse().expect("an axis"));
        let scenario = Scenario::find("movie-reviews").expect("a scenario");
        Plan::new(
            scenario,
            axes.collect(),
            "1..3".parse().expect("seeds"),
            None,
        )
        .expect("a plan")
    }

    /// Returns a run in which honest people end with `honest` percent.
    fn record(run: u64, hostile_share: f64, honest: f64, last: f64) -> Record {
        let agent = |name: &str, harmless, balance_percent| AgentRecord {
            name: name.to_owned(),
            harmless,
            balance_percent,
            contributions: 1,
        };
        Record {
            run,
            seed: 1 + run % 3,
            end: End::Settled,
            seconds: 86_400 * (1 + run % 3),
            accuracy: Accuracy {
                initial_float: 0.5,
                initial: 0.5,
                lowest: 0.5,
                last,
                baseline: 0.9,
            },
            tested: None,
            counts: Counts::default(),
            gas: 0,
            percent: Percentages {
                hostile_share,
                honest: Some(honest),
                hostile: Some(200.0 - honest),
            },
            agents: vec![
                agent("Good", true, honest),
                agent("Bad", false, 200.0 - honest),
            ],
            series: Series {
                seconds: vec![0, 86_400 * (1 + run % 3)],
                accuracy: vec![0.5, last],
                contributions: vec![0, 1],
                unclaimed: vec![0, 0],
                balances_percent: vec![vec![100.0, honest], vec![100.0, 200.0 - honest]],
            },
            digest: String::new(),
        }
    }

    fn analysis(plan: &Plan, records: &[Record]) -> Analysis {
        let longest = records.iter().map(|record| record.seconds).max();
        let agents = ["Good", "Bad"].map(str::to_owned);
        let mut analyst = Analyst::new(plan, &agents, longest.unwrap_or(0));
        for record in records {
            analyst.add(record);
        }
        analyst.finish()
    }

    #[test]
    fn finish_sums_up_a_point_and_carries_on_runs_that_are_over() {
        let plan = plan(&[]);
        let records = [(0, 110.0, 0.6), (1, 130.0, 0.7), (2, 120.0, 0.8)]
            .map(|(run, honest, last)| record(run, 50.0, honest, last));
        let analysis = analysis(&plan, &records);
        let point = &analysis.points[0];
        assert_eq!((point.label.as_str(), point.runs), ("", 3));
        assert_eq!(point.honest.map(|it| it.median), Some(120.0));
        assert_eq!(point.agents[1].map(|it| it.median), Some(80.0));
        let time = &point.timeline;
        assert_eq!((time.days.len(), time.days[0]), (MOMENTS, 0.0));
        assert!((time.days[MOMENTS - 1] - 3.0).abs() < 1e-12);
        // After a day and a half only the first run has ended, with 60 %.
        let half = &time.accuracy[MOMENTS / 2 - 1];
        assert!(
            (half.median - 50.0).abs() < 1e-9 && half.high > 58.0,
            "{half:?}"
        );
        assert!((time.accuracy[MOMENTS - 1].median - 70.0).abs() < 1e-9);
        assert!(analysis.studies.is_empty(), "there is nothing to break it");
    }

    #[test]
    fn finish_carries_on_a_point_until_the_longest_run_of_all_ends() {
        let plan = plan(&["agents.Bad.start_balance=1000,2000"]);
        let mut records = [0, 1, 2, 3, 4, 5].map(|run| record(run, 50.0, 110.0, 0.6));
        for long in &mut records[3..] {
            long.seconds *= 10;
            long.series.seconds[1] *= 10;
        }
        let analysis = analysis(&plan, &records);
        let [short, long] = [0, 1].map(|point| &analysis.points[point].timeline);
        assert_eq!(short.days, long.days);
        assert!((short.days[MOMENTS - 1] - 30.0).abs() < 1e-12);
        // The last run of this point ends after three of thirty days.
        let over = short.days.partition_point(|day| *day < 3.0);
        assert!(over < MOMENTS / 9, "{over}");
        for moment in over..MOMENTS {
            for band in [short.accuracy[moment], short.balances[0][moment]] {
                let wanted = if band.median > 100.0 { 110.0 } else { 60.0 };
                assert!((band.low - wanted).abs() < 1e-9, "{moment}: {band:?}");
                assert!((band.high - wanted).abs() < 1e-9, "{moment}: {band:?}");
            }
        }
        assert!((long.accuracy[over].median - 50.0).abs() < 1e-9);
    }

    #[test]
    fn finish_finds_breaking_points_along_settings_and_hostile_money() {
        let plan = plan(&[
            "incentive.refund_wait=1h,1day",
            "agents.Bad.start_balance=1000,2000,4000",
        ]);
        // Each step of the setting costs honest people 20 %. With the longer wait they begin
        // higher.
        let records: Vec<_> = (0..plan.runs())
            .map(|run| {
                let indices = plan.indices(plan.point_of(run));
                let (wait, money) = ([0.0, 15.0][indices[0]], [0.0, 20.0, 40.0][indices[1]]);
                let share = [10.0, 20.0, 40.0][indices[1]];
                record(run, share, 110.0 + wait - money, 0.6)
            })
            .collect();
        let analysis = analysis(&plan, &records);
        let found: Vec<_> = analysis
            .studies
            .iter()
            .map(|study| {
                let honest = study.honest.as_ref().expect("honest people");
                let Breaking::At {
                    side: Breaks::Above,
                    value,
                    ..
                } = honest.point.breaking
                else {
                    panic!("{honest:?}");
                };
                assert_eq!(study.gain.point.breaking, Breaking::Nowhere);
                format!("{} {value:.1} ({})", study.axis, study.others)
            })
            .collect();
        // 110 to 90 between the first two values crosses half way; 105 to 85 between the last two,
        // after a quarter.
        assert_eq!(
            found,
            [
                "agents.Bad.start_balance 1500.0 (incentive.refund_wait = 1h)",
                "agents.Bad.start_balance 2500.0 (incentive.refund_wait = 1day)",
                "hostile_share_percent 15.0 (incentive.refund_wait = 1h)",
                "hostile_share_percent 25.0 (incentive.refund_wait = 1day)",
            ]
        );
    }
}
