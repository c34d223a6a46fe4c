//! `report.html` of a sweep: one self-contained file for a browser.

use cotrain_simulator::{
    scenario::Scenario,
    scenario::settings::Axis,
    sweep::{
        Plan, TestedPoint,
        analysis::{Analysis, AxisStudy, Point},
        statistics::{Band, Breaking, Estimate, RESAMPLES, Study},
    },
};
use serde::Serialize;

use super::format::{band, breaking, estimate, interval, setting, tested};
use crate::{
    error::ResultsError,
    format::{count, counted, quoted},
    page::{LineStyle, PLOT_SCRIPT, PLOT_STYLE, STYLE, render},
    predicted::Predicted,
};

const TEMPLATE: &str = include_str!("../../assets/sweep.html");
const SCRIPT: &str = include_str!("../../assets/sweep.js");
const OWN_STYLE: &str = include_str!("../../assets/sweep.css");

/// Maximum number of rows for each point in a table over time.
const ROWS: usize = 24;
/// Maximum number of dots in a chart. The table of runs lists all runs.
const DOTS: usize = 4_000;
/// Maximum number of points with a table of their predictions. The summary has all.
const TABLES: usize = 24;
/// Maximum number of charts of breaking points. The page describes and lists the others.
const CHARTED: usize = 12;

/// Renders the page of a sweep. `runs` is the number of runs that are done.
///
/// # Errors
/// Returns an error if the template fails.
pub(super) fn html(plan: &Plan, analysis: &Analysis, runs: usize) -> Result<String, ResultsError> {
    let style = [STYLE, OWN_STYLE].concat();
    let agents = analysis.agents.iter().map(|agent| agent.name.as_str());
    let axes: Vec<_> = plan.axes().iter().map(Axis::to_string).collect();
    let studies = || analysis.studies.iter();
    let points = || analysis.points.iter();
    render(
        TEMPLATE,
        &Page {
            style: &style,
            script: SCRIPT,
            plot_style: PLOT_STYLE,
            plot_script: PLOT_SCRIPT,
            scenario: plan.scenario().name(),
            description: plan.scenario().description(),
            runs: counted(runs as u64, "run"),
            missing: (runs as u64 != plan.runs()).then(|| {
                format!(
                    "Only {} of {} are done: the figures are of those.",
                    count(runs as u64),
                    counted(plan.runs(), "run")
                )
            }),
            unsettled: unsettled(analysis),
            seeds: plan.seeds().to_string(),
            settings: &axes,
            agents: agents.collect(),
            breaking: studies().map(BreakingRow::of).collect(),
            others: studies().any(|study| !study.others.is_empty()),
            points: points().map(PointRow::of).collect(),
            accuracy: points().flat_map(accuracy_rows).collect(),
            balances: points().flat_map(balance_rows).collect(),
            studies: studies().map(StudyRows::of).collect(),
            tested: tested(&analysis.points),
            predictions: points().filter_map(PredictedRow::of).collect(),
            tables: TABLES,
            charted: CHARTED,
            thinned: analysis.runs.len() > DOTS,
            resamples: count(RESAMPLES as u64),
            command: command(plan),
            identity: plan.identity(),
            chart: Chart::of(analysis),
        },
    )
}

/// Values for the template.
#[derive(Serialize)]
struct Page<'a> {
    style: &'a str,
    script: &'a str,
    plot_style: &'a str,
    plot_script: &'a str,
    scenario: &'a str,
    description: &'a str,
    runs: String,
    missing: Option<String>,
    unsettled: Option<String>,
    seeds: String,
    settings: &'a [String],
    agents: Vec<&'a str>,
    breaking: Vec<BreakingRow<'a>>,
    /// Whether any breaking point depends on other settings.
    others: bool,
    points: Vec<PointRow<'a>>,
    accuracy: Vec<Row<'a>>,
    balances: Vec<Row<'a>>,
    studies: Vec<StudyRows<'a>>,
    /// Test data of all points, in words.
    tested: Option<String>,
    predictions: Vec<PredictedRow<'a>>,
    tables: usize,
    charted: usize,
    /// Whether the chart leaves dots out.
    thinned: bool,
    resamples: String,
    command: String,
    identity: String,
    chart: Chart<'a>,
}

/// Returns a note on the runs that ended with money in contributions; `None` if there are none.
fn unsettled(analysis: &Analysis) -> Option<String> {
    let runs: usize = analysis.points.iter().map(|point| point.unsettled).sum();
    (runs > 0).then(|| {
        format!(
            "{} of the runs ended with money still in contributions (at the limit, or stuck): they are left out of what \
             the honest and the hostile hold, and of whether honest people lose.",
            count(runs as u64)
        )
    })
}

/// Returns the command that repeats the sweep.
fn command(plan: &Plan) -> String {
    let scenario = plan.scenario();
    // A file may lie in a folder of the same name. The embedded scenario has the same text.
    let embedded = Scenario::embedded()
        .iter()
        .any(|(name, text)| *name == scenario.name() && *text == scenario.text());
    let name = if embedded {
        scenario.name()
    } else {
        scenario.file()
    };
    let name = format!("cotrain sweep {} --seeds {}", quoted(name), plan.seeds());
    let sets = plan.axes().iter();
    let sets = sets.map(|axis| format!("--set {}", quoted(&axis.to_string())));
    let relay = plan.relay().map(|relay| format!("--relay {relay}"));
    let parts: Vec<_> = [name].into_iter().chain(sets).chain(relay).collect();
    parts.join(" ")
}

#[derive(Serialize)]
struct BreakingRow<'a> {
    axis: &'a str,
    others: &'a str,
    honest: String,
    model: String,
}

impl<'a> BreakingRow<'a> {
    fn of(study: &'a AxisStudy) -> Self {
        let honest = study.honest.as_ref();
        Self {
            axis: &study.axis,
            others: &study.others,
            honest: honest.map_or("–".to_owned(), |it| breaking(it, study.is_duration)),
            model: breaking(&study.gain, study.is_duration),
        }
    }
}

/// Row for a point at the end of its runs.
#[derive(Serialize)]
struct PointRow<'a> {
    label: &'a str,
    runs: String,
    share: String,
    accuracy: String,
    gain: String,
    honest: String,
    hostile: String,
    agents: Vec<String>,
}

impl<'a> PointRow<'a> {
    fn of(point: &'a Point) -> Self {
        Self {
            label: name(point),
            runs: count(point.runs as u64),
            share: format!("{:.2} %", point.hostile_share),
            accuracy: band(Some(point.accuracy), " %"),
            gain: band(Some(point.gain), ""),
            honest: band(point.honest, " %"),
            hostile: band(point.hostile, " %"),
            agents: point.agents.iter().map(|it| band(*it, " %")).collect(),
        }
    }
}

/// Row for the predictions of a point at the end of its runs.
#[derive(Serialize)]
struct PredictedRow<'a> {
    label: &'a str,
    samples: String,
    accuracy: String,
    interval: String,
    majority: String,
    table: Option<Predicted>,
}

impl<'a> PredictedRow<'a> {
    /// Returns the row; `None` if the records have no test data.
    fn of(point: &'a Point) -> Option<Self> {
        let tested: &TestedPoint = point.tested.as_ref()?;
        let together = tested.together.as_ref();
        Some(Self {
            label: name(point),
            samples: band(Some(tested.samples), ""),
            accuracy: band(Some(point.accuracy), " %"),
            interval: interval(tested.interval),
            majority: band(Some(tested.majority), " %"),
            table: together.map(|it| Predicted::new(&it.confusion, &it.classes)),
        })
    }
}

fn name(point: &Point) -> &str {
    if point.label.is_empty() {
        "all runs"
    } else {
        &point.label
    }
}

/// Row for a point at one moment.
#[derive(Serialize)]
struct Row<'a> {
    label: &'a str,
    day: String,
    cells: Vec<String>,
}

/// Returns the indices of the moments that a table shows: evenly spaced, with the first and the
/// last.
fn moments(point: &Point) -> impl Iterator<Item = usize> {
    let all = point.timeline.days.len();
    let step = all.div_ceil(ROWS).max(1);
    (0..all).filter(move |moment| moment.is_multiple_of(step) || moment + 1 == all)
}

fn day(point: &Point, moment: usize) -> String {
    format!("{:.1}", point.timeline.days[moment])
}

fn accuracy_rows(point: &Point) -> impl Iterator<Item = Row<'_>> {
    moments(point).map(|moment| {
        let Band { low, median, high } = point.timeline.accuracy[moment];
        Row {
            label: name(point),
            day: day(point, moment),
            cells: [low, median, high].map(|it| format!("{it:.1} %")).to_vec(),
        }
    })
}

fn balance_rows(point: &Point) -> impl Iterator<Item = Row<'_>> {
    moments(point).map(|moment| {
        let agents = point.timeline.balances.iter();
        Row {
            label: name(point),
            day: day(point, moment),
            cells: agents
                .map(|line| band(line.get(moment).copied(), " %"))
                .collect(),
        }
    })
}

/// Table of a breaking point.
#[derive(Serialize)]
struct StudyRows<'a> {
    axis: &'a str,
    others: &'a str,
    told_honest: Option<String>,
    told_model: String,
    rows: Vec<StudyRow>,
}

#[derive(Serialize)]
struct StudyRow {
    value: String,
    cells: Vec<String>,
}

impl<'a> StudyRows<'a> {
    fn of(study: &'a AxisStudy) -> Self {
        let honest = study.honest.as_ref();
        let row = |index: usize| {
            let gain = &study.gain.tried[index];
            let mut cells = vec![count(gain.runs as u64)];
            if let Some(honest) = honest {
                let honest = &honest.tried[index];
                cells.push(estimate(honest.median, " %"));
                cells.push(estimate(percent(honest.below), " %"));
            }
            cells.push(estimate(gain.median, ""));
            cells.push(estimate(percent(gain.below), " %"));
            StudyRow {
                value: setting(gain.value, study.is_duration),
                cells,
            }
        };
        Self {
            axis: &study.axis,
            others: &study.others,
            told_honest: honest.map(|it| breaking(it, study.is_duration)),
            told_model: breaking(&study.gain, study.is_duration),
            rows: (0..study.gain.tried.len()).map(row).collect(),
        }
    }
}

fn percent(Estimate { value, low, high }: Estimate) -> Estimate {
    Estimate {
        value: 100.0 * value,
        low: 100.0 * low,
        high: 100.0 * high,
    }
}

/// Data of the charts. Accuracies, balances and shares are in percent.
#[derive(Serialize)]
struct Chart<'a> {
    agents: Vec<ChartAgent<'a>>,
    points: Vec<ChartPoint<'a>>,
    /// Shares of hostile money and final accuracies, one entry for each run.
    runs: (Vec<f64>, Vec<f64>),
    studies: Vec<ChartStudy>,
}

#[derive(Serialize)]
struct ChartAgent<'a> {
    name: &'a str,
    harmless: bool,
    line: LineStyle,
}

#[derive(Serialize)]
struct ChartPoint<'a> {
    label: &'a str,
    share: f64,
    days: Vec<f64>,
    accuracy: Line,
    balances: Vec<Line>,
    /// Final balances of each agent: low, median, high.
    finals: Vec<Option<[f64; 3]>>,
}

/// Medians and the band around them.
#[derive(Serialize)]
struct Line {
    low: Vec<f64>,
    y: Vec<f64>,
    high: Vec<f64>,
}

impl Line {
    fn of(triples: impl Iterator<Item = [f64; 3]>) -> Self {
        let mut line = Self {
            low: Vec::new(),
            y: Vec::new(),
            high: Vec::new(),
        };
        for [low, y, high] in triples {
            line.low.push(rounded(low));
            line.y.push(rounded(y));
            line.high.push(rounded(high));
        }
        line
    }
}

fn of_band(Band { low, median, high }: &Band) -> [f64; 3] {
    [*low, *median, *high]
}

fn of_estimate(Estimate { value, low, high }: Estimate) -> [f64; 3] {
    [low, value, high]
}

/// Rounds to a thousandth. A chart shows less, and the page stays small.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[derive(Serialize)]
struct ChartStudy {
    axis: String,
    x: Vec<f64>,
    honest: Option<Line>,
    loses: Option<Line>,
    gain: Line,
    falls: Line,
    /// The value and the ends of its interval, which may be infinite; `None` if the medians do not
    /// cross the limit.
    honest_breaks: Option<[f64; 3]>,
    gain_breaks: Option<[f64; 3]>,
}

impl ChartStudy {
    fn of(study: &AxisStudy) -> Self {
        let medians = |it: &Study| Line::of(it.tried.iter().map(|it| of_estimate(it.median)));
        let shares =
            |it: &Study| Line::of(it.tried.iter().map(|it| of_estimate(percent(it.below))));
        let breaks = |it: &Study| match it.point.breaking {
            // JSON turns an infinite number into `null`.
            Breaking::At { value, .. } => Some([value, it.point.low, it.point.high]),
            _ => None,
        };
        let days = if study.is_duration { ", days" } else { "" };
        let honest = study.honest.as_ref();
        Self {
            axis: format!("{}{days}", study.axis),
            x: study.gain.tried.iter().map(|it| it.value).collect(),
            honest: honest.map(medians),
            loses: honest.map(shares),
            gain: medians(&study.gain),
            falls: shares(&study.gain),
            honest_breaks: honest.and_then(breaks),
            gain_breaks: breaks(&study.gain),
        }
    }
}

impl<'a> Chart<'a> {
    fn of(analysis: &'a Analysis) -> Self {
        let agents = analysis.agents.iter().enumerate().map(|(index, agent)| {
            let before = analysis.agents[..index].iter();
            let before = before
                .filter(|before| before.harmless == agent.harmless)
                .count();
            ChartAgent {
                name: &agent.name,
                harmless: agent.harmless,
                line: LineStyle::of(agent.harmless, before),
            }
        });
        let points = analysis.points.iter().map(|point| {
            let time = &point.timeline;
            let finals = point.agents.iter().map(|it| it.as_ref().map(of_band));
            let balances = time.balances.iter();
            ChartPoint {
                label: &point.label,
                share: point.hostile_share,
                days: time.days.iter().copied().map(rounded).collect(),
                accuracy: Line::of(time.accuracy.iter().map(of_band)),
                balances: balances
                    .map(|line| Line::of(line.iter().map(of_band)))
                    .collect(),
                finals: finals.collect(),
            }
        });
        let step = analysis.runs.len().div_ceil(DOTS).max(1);
        let studies = analysis.studies.iter().take(CHARTED);
        Self {
            agents: agents.collect(),
            points: points.collect(),
            runs: analysis.runs.iter().step_by(step).copied().unzip(),
            studies: studies.map(ChartStudy::of).collect(),
        }
    }
}
