//! `report.html` of a run: one self-contained file for a browser.

use cotrain_simulator::{
    run::{AgentOutcome, Run, SeriesRow, percent},
    tables::days,
};
use serde::Serialize;

use super::{
    sentences::{aside, clamped, early_end, relaying, side},
    summary::{claims, evaluation, gas_per_contribution},
};
use crate::{
    error::ResultsError,
    format::{count, counted, share},
    page::{LineStyle, PLOT_SCRIPT, PLOT_STYLE, STYLE, render},
    predicted::Predicted,
};

const TEMPLATE: &str = include_str!("../../assets/report.html");
const SCRIPT: &str = include_str!("../../assets/report.js");
/// Maximum number of points of a line in a chart, and of rows of the table below it. The series has
/// them all.
const POINTS: usize = 2_000;
const ROWS: usize = 60;

/// Percentage of the start balance below which an agent counts as ruined.
const RUINED: u128 = 1;

/// Renders the page. `command` is the command that repeats the run.
pub(super) fn html(run: &Run, command: &str) -> Result<String, ResultsError> {
    render(TEMPLATE, &Page::of(run, command))
}

/// Values for the template.
#[derive(Serialize)]
struct Page<'a> {
    style: &'a str,
    script: &'a str,
    plot_style: &'a str,
    plot_script: &'a str,
    command: &'a str,
    scenario: &'a str,
    description: &'a str,
    early_end: Option<String>,
    seed: u64,
    model: &'a str,
    incentive: &'a str,
    backend: &'a str,
    digest: &'a str,
    figures: Vec<Figure>,
    data: Data,
    accuracy: Accuracies,
    measured_accuracy: String,
    majority: Option<String>,
    predicted: Predicted,
    agents: Vec<Agent<'a>>,
    ruins: Vec<Ruin<'a>>,
    table: Vec<Row>,
    /// Whether the table leaves rows out.
    thinned: bool,
    relaying: Option<Vec<String>>,
    /// Other actions of agents, and figures of the mechanism.
    besides: Vec<String>,
    /// Fate of a contribution and its money.
    rules: &'a str,
    /// Word for money at stake, such as `deposits`.
    stakes: &'a str,
    /// Whether there are refunds, reports and late claims.
    has_claims: bool,
    /// Reason for which the mechanism ended, in sentences; may be empty.
    outcome: &'a str,
    chart: Chart<'a>,
}

impl<'a> Page<'a> {
    fn of(run: &'a Run, command: &'a str) -> Self {
        let measured = evaluation(run);
        Self {
            style: STYLE,
            script: SCRIPT,
            plot_style: PLOT_STYLE,
            plot_script: PLOT_SCRIPT,
            command,
            scenario: &run.scenario,
            description: &run.description,
            early_end: early_end(run),
            seed: run.seed,
            model: &run.model,
            incentive: run.incentive,
            backend: run.backend,
            digest: &run.digest,
            figures: figures(run),
            data: Data::of(run),
            accuracy: Accuracies::of(run),
            measured_accuracy: measured.describe_accuracy(),
            majority: measured.describe_majority(),
            predicted: Predicted::new(&run.confusion, &run.classes),
            agents: run.agents.iter().map(Agent::of).collect(),
            ruins: ruins(run),
            table: thinned(&run.series, ROWS)
                .map(|row| Row::of(run, row))
                .collect(),
            thinned: run.series.len() > ROWS,
            relaying: run.relay.map(|relay| relaying(run, relay)),
            besides: besides(run),
            rules: run.words.rules,
            stakes: run.words.stakes,
            has_claims: run.words.has_claims,
            outcome: &run.outcome,
            chart: Chart::of(run),
        }
    }
}

/// Figure to see at a glance.
#[derive(Serialize)]
struct Figure {
    name: &'static str,
    value: String,
    note: String,
}

fn figures(run: &Run) -> Vec<Figure> {
    let it = run.counts;
    let figure = |name, value, note| Figure { name, value, note };
    let mut figures = vec![
        figure(
            "accuracy at the end",
            share(run.accuracy.last),
            format!(
                "of {}; {} at the start",
                counted(run.data.test, "test example"),
                share(run.accuracy.initial)
            ),
        ),
        figure(
            "baseline",
            share(run.accuracy.baseline),
            "trained on everything".to_owned(),
        ),
        figure(
            "contributions",
            count(it.contributions),
            if run.words.learns_at_once {
                format!("{} changed the model", count(it.changed))
            } else {
                "learned after the closing".to_owned()
            },
        ),
    ];
    figures.extend(run.words.has_claims.then(|| {
        figure(
            "claims",
            count(claims(run)),
            format!(
                "{} refunds, {} reports, {} late",
                count(it.refunds),
                count(it.reports),
                count(it.late_claims)
            ),
        )
    }));
    figures.extend([
        figure(
            "gas a contribution",
            count(gas_per_contribution(run)),
            format!(
                "{} in {} transactions",
                count(run.gas.total),
                count(it.transactions)
            ),
        ),
        figure(
            "simulated days",
            format!("{:.1}", days(run.seconds)),
            format!("in {:.1} s", run.wall.as_secs_f64()),
        ),
    ]);
    figures.extend(run.relay.map(|relay| {
        figure(
            "gas saved by relaying",
            share(relay.saved_percent(run.gas) / 100.0),
            format!(
                "{} alone in a transaction each",
                count(relay.contributions_alone + relay.claims_alone)
            ),
        )
    }));
    figures
}

/// Returns other actions of agents and figures of the mechanism, one per line.
fn besides(run: &Run) -> Vec<String> {
    let facts = run.facts.iter();
    let facts = facts.map(|fact| format!("{}: {}", fact.name, fact.value));
    aside(run).into_iter().chain(facts).collect()
}

#[derive(Serialize)]
struct Data {
    initial: String,
    remaining: String,
    test: String,
    features: String,
    classes: String,
    clamped: Option<String>,
}

impl Data {
    fn of(run: &Run) -> Self {
        Self {
            initial: count(run.data.initial),
            remaining: count(run.data.remaining),
            test: count(run.data.test),
            features: count(run.data.features),
            classes: count(run.data.classes),
            clamped: clamped(run),
        }
    }
}

#[derive(Serialize)]
struct Accuracies {
    initial_float: String,
    initial: String,
    lowest: String,
    last: String,
    baseline: String,
}

impl Accuracies {
    fn of(run: &Run) -> Self {
        Self {
            initial_float: share(run.accuracy.initial_float),
            initial: share(run.accuracy.initial),
            lowest: share(run.accuracy.lowest),
            last: share(run.accuracy.last),
            baseline: share(run.accuracy.baseline),
        }
    }
}

#[derive(Serialize)]
struct Agent<'a> {
    name: &'a str,
    kind: &'static str,
    side: &'static str,
    balance: String,
    contributions: String,
    refunds: String,
    reports: String,
    late_claims: String,
    gas: String,
}

impl<'a> Agent<'a> {
    fn of(agent: &'a AgentOutcome) -> Self {
        Self {
            name: &agent.name,
            kind: agent.kind,
            side: side(agent),
            balance: format!("{:.1} %", agent.balance_percent()),
            contributions: count(agent.contributions),
            refunds: count(agent.refunds),
            reports: count(agent.reports),
            late_claims: count(agent.late_claims),
            gas: count(agent.gas),
        }
    }
}

/// Agent that lost nearly everything, and the day of its ruin.
#[derive(Serialize)]
struct Ruin<'a> {
    name: &'a str,
    day: String,
}

/// Returns the agents that end below [`RUINED`] percent, with the day from which they stay there.
fn ruins<'a>(run: &'a Run) -> Vec<Ruin<'a>> {
    let to_ruin = |(index, agent): (usize, &'a AgentOutcome)| {
        let ruined = |row: &&SeriesRow| row.balances[index] * 100 < agent.start_balance * RUINED;
        let since = run.series.iter().rev().take_while(ruined).last()?;
        Some(Ruin {
            name: &agent.name,
            day: format!("{:.0}", days(since.seconds)),
        })
    };
    run.agents.iter().enumerate().filter_map(to_ruin).collect()
}

/// Row for a moment, formatted.
#[derive(Serialize)]
struct Row {
    day: String,
    accuracy: String,
    contributions: String,
    unclaimed: String,
    balances: Vec<String>,
}

impl Row {
    fn of(run: &Run, row: &SeriesRow) -> Self {
        Self {
            day: format!("{:.1}", days(row.seconds)),
            accuracy: share(row.accuracy),
            contributions: count(row.contributions),
            unclaimed: count(row.unclaimed),
            balances: balances(run, row)
                .map(|balance| format!("{balance:.1} %"))
                .collect(),
        }
    }
}

/// Data of the charts. Accuracies and balances are in percent.
#[derive(Serialize)]
struct Chart<'a> {
    days: Vec<f64>,
    accuracy: Vec<f64>,
    baseline: f64,
    agents: Vec<ChartAgent<'a>>,
}

#[derive(Serialize)]
struct ChartAgent<'a> {
    name: &'a str,
    harmless: bool,
    line: LineStyle,
    balance: Vec<f64>,
}

impl<'a> Chart<'a> {
    fn of(run: &'a Run) -> Self {
        let rows: Vec<_> = thinned(&run.series, POINTS).collect();
        let agent = |(index, agent): (usize, &'a AgentOutcome)| {
            let same_side = |before: &&AgentOutcome| before.is_harmless() == agent.is_harmless();
            let before = run.agents[..index].iter().filter(same_side).count();
            let balance = |row: &&SeriesRow| percent(row.balances[index], agent.start_balance);
            ChartAgent {
                name: &agent.name,
                harmless: agent.is_harmless(),
                line: LineStyle::of(agent.is_harmless(), before),
                balance: rows.iter().map(balance).collect(),
            }
        };
        Self {
            days: rows.iter().map(|row| days(row.seconds)).collect(),
            accuracy: rows.iter().map(|row| 100.0 * row.accuracy).collect(),
            baseline: 100.0 * run.accuracy.baseline,
            agents: run.agents.iter().enumerate().map(agent).collect(),
        }
    }
}

fn balances(run: &Run, row: &SeriesRow) -> impl Iterator<Item = f64> {
    let pairs = run.agents.iter().zip(&row.balances);
    pairs.map(|(agent, &held)| percent(held, agent.start_balance))
}

/// Returns about `max` rows at most, evenly spaced, with the first and the last.
fn thinned(rows: &[SeriesRow], max: usize) -> impl Iterator<Item = &SeriesRow> {
    let step = rows.len().div_ceil(max).max(1);
    let last = rows.len().saturating_sub(1);
    rows.iter()
        .enumerate()
        .filter(move |(index, _)| index % step == 0 || *index == last)
        .map(|(_, row)| row)
}

#[cfg(test)]
mod tests {
    use cotrain_simulator::run::End;

    use super::*;
    use crate::fixture;

    const COMMAND: &str = "cotrain simulate made-up --seed 3";

    fn page(run: &Run) -> String {
        html(run, COMMAND).expect("a page")
    }

    /// Returns the text between the first `from` and the next `to`.
    fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
        text.split_once(from)
            .and_then(|(_, rest)| rest.split_once(to))
            .expect("both are there")
            .0
    }

    fn chart_of(page: &str) -> serde_json::Value {
        let json = between(
            page,
            r#"<script type="application/json" id="chart">"#,
            "</script>",
        );
        serde_json::from_str(json).expect("JSON")
    }

    #[test]
    fn html_gives_the_series_to_the_charts() {
        let chart = chart_of(&page(&fixture::run()));
        assert_eq!(chart["days"].as_array().map(Vec::len), Some(17));
        assert_eq!(chart["agents"][1]["name"], "Bad");
        assert_eq!(chart["agents"][1]["harmless"], false);
        assert_eq!(chart["agents"][1]["balance"][0], 100.0);
        assert_eq!(chart["baseline"], 76.4);
    }

    #[test]
    fn html_gives_lines_the_colors_of_their_sides() {
        let mut run = fixture::run();
        run.agents.swap(0, 1);
        run.agents.push(run.agents[1].clone());
        run.series.iter_mut().for_each(|row| row.balances.push(0));
        let chart = chart_of(&page(&run));
        let colors: Vec<_> = (0..3)
            .map(|index| &chart["agents"][index]["line"]["color"])
            .collect();
        assert_eq!(colors, ["hostile-0", "harmless-0", "harmless-1"]);
    }

    #[test]
    fn html_says_at_the_head_that_a_run_ended_early() {
        let mut run = fixture::run();
        assert!(!page(&run).contains("unclaimed."));
        run.end = End::Stuck;
        run.series.last_mut().expect("a row").unclaimed = 2;
        let page = page(&run);
        let head = between(&page, "<header>", "</header>");
        assert!(
            head.contains("nobody could pay the gas of a claim"),
            "{head}"
        );
    }

    #[test]
    fn html_describes_a_market_in_its_own_words() {
        let own = page(&fixture::run());
        for word in [
            ">refunds<",
            ">reports<",
            ">late claims<",
            ">unclaimed<",
            "deposits that are out",
            "changed the model",
        ] {
            assert!(own.contains(word), "{word}");
        }
        let page = page(&fixture::market());
        let page = between(&page, "<body>", "<script");
        for word in [
            "refund",
            "report them",
            ">reports<",
            "claim",
            "deposit",
            "changed the model",
        ] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(
            page.contains("A contribution carries a stake.")
                && page.contains("stakes that are out")
        );
        assert!(page.contains("Together, the contributions improved it."));
    }

    #[test]
    fn html_loads_nothing_from_elsewhere() {
        let page = page(&fixture::run());
        for tag in [
            "<link",
            " src=",
            "@import",
            "url(",
            "fetch(",
            "XMLHttpRequest",
        ] {
            assert!(!page.contains(tag), "{tag}");
        }
    }

    #[test]
    fn html_shows_figures_agents_and_command_without_scripts() {
        let page = page(&fixture::run());
        for text in [
            "73.0 %",
            "76.4 %",
            "<td>150.6 %</td>",
            "1,200",
            COMMAND,
            "0011223344",
        ] {
            assert!(page.contains(text), "{text}");
        }
    }

    #[test]
    fn html_keeps_names_as_text_everywhere() {
        let evil = "</script><script>alert('x')</script><!--&\"";
        let mut run = fixture::run();
        run.scenario = evil.to_owned();
        run.description = evil.to_owned();
        run.agents[1].name = evil.to_owned();
        let clean = page(&fixture::run());
        let page = html(&run, evil).expect("a page");
        for tag in ["<script", "</script", "<!--", "alert('x')"] {
            assert_eq!(
                page.matches(tag).count(),
                clean.matches(tag).count(),
                "{tag}"
            );
        }
        assert_eq!(chart_of(&page)["agents"][1]["name"], evil);
        assert!(
            page.contains("<title>&lt;&#x2f;script&gt;"),
            "{}",
            between(&page, "<title>", "\n")
        );
    }

    #[test]
    fn thinned_shortens_a_long_series_and_keeps_its_ends() {
        let row = fixture::run().series.swap_remove(0);
        let rows: Vec<_> = (0..5_001)
            .map(|seconds| SeriesRow {
                seconds,
                ..row.clone()
            })
            .collect();
        let thin: Vec<_> = thinned(&rows, 2_000).map(|row| row.seconds).collect();
        assert!(thin.len() <= 2_001, "{}", thin.len());
        assert_eq!((thin[0], thin[1], thin[thin.len() - 1]), (0, 3, 5_000));
        assert_eq!(thinned(&rows[..60], 60).count(), 60);
        assert_eq!(thinned(&[], 60).count(), 0);
    }

    #[test]
    fn ruins_are_on_the_day_after_which_nothing_comes_back() {
        let mut run = fixture::run();
        let last = run.series.len() - 1;
        assert!(page(&run).contains("Bad fell below 1 % of its start on day 8 and stayed there"));
        for index in [3, 10, 11] {
            run.series[index].balances[1] = 1;
        }
        run.series[last].balances[1] = 10 * run.unit;
        run.series[last - 1].balances[1] = 10 * run.unit;
        assert_eq!(ruins(&run)[0].day, "8");
        run.series[last].balances[1] = run.agents[1].start_balance;
        assert!(ruins(&run).is_empty());
    }
}
