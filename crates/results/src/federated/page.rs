//! `report.html` of federated rounds: one self-contained file for a browser.

use cotrain_simulator::federated::{ClientOutcome, FederatedRun, Step};
use serde::Serialize;

use super::terminal::{count_of, failures, positive, terms, time};
use crate::{
    error::ResultsError,
    format::{count, counted, share},
    page::{PLOT_SCRIPT, PLOT_STYLE, STYLE, render},
};

const TEMPLATE: &str = include_str!("../../assets/federated.html");
const SCRIPT: &str = include_str!("../../assets/federated.js");

/// Renders the page. `command` is the command that repeats the run.
pub(super) fn html(run: &FederatedRun, command: &str) -> Result<String, ResultsError> {
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
    seed: u64,
    terms: String,
    backend: &'a str,
    failures: Option<String>,
    digest: &'a str,
    figures: Vec<Figure>,
    rule: &'static str,
    attack: &'static str,
    hostile: u8,
    test: String,
    learned: String,
    samples: usize,
    first: String,
    last: String,
    by_mean: String,
    margin: String,
    clients: Vec<Client>,
    steps: Vec<StepRow>,
    rounds: Vec<Row>,
    chart: Chart,
}

/// Figure to see at a glance.
#[derive(Serialize)]
struct Figure {
    name: &'static str,
    value: String,
    note: String,
}

#[derive(Serialize)]
struct Client {
    number: usize,
    kind: &'static str,
    side: &'static str,
    positive: String,
    mean: String,
    reward: String,
    slashed: String,
    forfeited: String,
}

#[derive(Serialize)]
struct StepRow {
    name: &'static str,
    transactions: String,
    each: String,
    all: String,
}

#[derive(Serialize)]
struct Row {
    number: usize,
    accuracy: String,
    by_mean: String,
    revealed: usize,
    admitted: usize,
    improvement: String,
    emitted: String,
}

/// Data of the charts. Accuracies are in percent.
#[derive(Serialize)]
struct Chart {
    rule: &'static str,
    accuracy: Vec<f64>,
    by_mean: Vec<f64>,
    /// Reward tokens so far of each kind of client, a client, after each round.
    kinds: Vec<Kind>,
}

/// Values of a kind of client: their mean in each round.
#[derive(Serialize)]
struct Kind {
    name: &'static str,
    harmless: bool,
    values: Vec<Option<f64>>,
}

impl<'a> Page<'a> {
    fn of(run: &'a FederatedRun, command: &'a str) -> Self {
        let at = |accuracy: Option<&f64>| share(accuracy.copied().unwrap_or_default());
        Self {
            style: STYLE,
            script: SCRIPT,
            plot_style: PLOT_STYLE,
            plot_script: PLOT_SCRIPT,
            command,
            scenario: &run.scenario,
            description: &run.description,
            seed: run.seed,
            terms: terms(run),
            backend: run.backend,
            failures: failures(run),
            digest: &run.digest,
            figures: figures(run),
            rule: run.settings.rule.name(),
            attack: run.settings.attack.name(),
            hostile: run.settings.hostile,
            test: count(run.test as u64),
            learned: count(run.learned as u64),
            samples: run.settings.samples,
            first: at(run.accuracy.first()),
            last: at(run.accuracy.last()),
            by_mean: at(run.by_mean.last()),
            margin: count(run.settings.margin.into()),
            clients: run.clients.iter().enumerate().map(Client::of).collect(),
            steps: steps(run),
            rounds: rows(run),
            chart: Chart::of(run),
        }
    }
}

fn figures(run: &FederatedRun) -> Vec<Figure> {
    let figure = |name, value, note| Figure { name, value, note };
    let at = |accuracy: Option<&f64>| share(accuracy.copied().unwrap_or_default());
    let lost = |is_honest: bool| -> u128 {
        let side = run.clients.iter().filter(|it| it.is_honest() == is_honest);
        side.map(ClientOutcome::lost).sum()
    };
    let earned = |is_honest: bool| -> u128 {
        let side = run.clients.iter().filter(|it| it.is_honest() == is_honest);
        side.map(|it| it.reward).sum()
    };
    vec![
        figure(
            "accuracy at the end",
            at(run.accuracy.last()),
            format!(
                "of {}; {} at the start",
                counted(run.test as u64, "test digit"),
                at(run.accuracy.first())
            ),
        ),
        figure(
            "by the plain mean",
            at(run.by_mean.last()),
            "without rule and sieve".to_owned(),
        ),
        figure(
            "earned by honest clients",
            count_of(earned(true)),
            format!("{} by hostile ones", count_of(earned(false))),
        ),
        figure(
            "lost by hostile clients",
            count_of(lost(false)),
            format!("{} by honest ones", count_of(lost(true))),
        ),
        figure(
            "gas to submit an update",
            count(run.gas_to_submit()),
            format!(
                "score {}, aggregate {} a round",
                count(run.gas_a_round(Step::Score)),
                count(run.gas_a_round(Step::Aggregate))
            ),
        ),
        figure(
            "transactions",
            count(run.spent.all().transactions),
            time(run),
        ),
    ]
}

impl Client {
    fn of((index, client): (usize, &ClientOutcome)) -> Self {
        Self {
            number: index + 1,
            kind: client.kind,
            side: if client.is_honest() {
                "harmless"
            } else {
                "hostile"
            },
            positive: positive(&client.values),
            mean: mean(client.values.iter().copied())
                .map_or_else(|| "–".to_owned(), |it| format!("{it:.0}")),
            reward: count_of(client.reward),
            slashed: count_of(client.slashed),
            forfeited: count_of(client.forfeited),
        }
    }
}

/// Returns the mean of values; `None` if there are none.
fn mean(values: impl Iterator<Item = Option<i64>>) -> Option<f64> {
    let values: Vec<i64> = values.flatten().collect();
    // Sums and counts are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    let mean = values.iter().sum::<i64>() as f64 / values.len() as f64;
    (!values.is_empty()).then_some(mean)
}

fn steps(run: &FederatedRun) -> Vec<StepRow> {
    let steps = run.spent.steps();
    steps
        .map(|(step, cost)| StepRow {
            name: step.name(),
            transactions: count(cost.transactions),
            each: count(cost.each(cost.transactions)),
            all: count(cost.gas),
        })
        .collect()
}

fn rows(run: &FederatedRun) -> Vec<Row> {
    let after = run.accuracy.iter().zip(&run.by_mean).skip(1);
    let rounds = run.rounds.iter().zip(after).enumerate();
    rounds
        .map(|(index, (round, (accuracy, by_mean)))| Row {
            number: index + 1,
            accuracy: share(*accuracy),
            by_mean: share(*by_mean),
            revealed: round.revealed,
            admitted: round.admitted,
            improvement: round
                .improvement
                .map_or_else(|| "–".to_owned(), |it| it.to_string()),
            emitted: if round.is_settled {
                count_of(round.emitted)
            } else {
                "failed".to_owned()
            },
        })
        .collect()
}

impl Chart {
    fn of(run: &FederatedRun) -> Self {
        let percent = |accuracies: &[f64]| accuracies.iter().map(|it| 100.0 * it).collect();
        let mut kinds: Vec<&'static str> = run.clients.iter().map(|it| it.kind).collect();
        kinds.dedup();
        let kind = |name: &'static str| {
            let of_kind = || run.clients.iter().filter(move |it| it.kind == name);
            let round = |round: usize| {
                let values = of_kind().map(|it| it.values.get(round).copied().flatten());
                mean(values)
            };
            Kind {
                name,
                harmless: of_kind().all(ClientOutcome::is_honest),
                values: (0..run.rounds.len()).map(round).collect(),
            }
        };
        Self {
            rule: run.settings.rule.name(),
            accuracy: percent(&run.accuracy),
            by_mean: percent(&run.by_mean),
            kinds: kinds.into_iter().map(kind).collect(),
        }
    }
}
