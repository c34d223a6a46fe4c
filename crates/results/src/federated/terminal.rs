//! Text of federated rounds for a terminal.

use console::Color;
use cotrain_learning::text::{escaped, escaped_lines};
use cotrain_simulator::federated::FederatedRun;

use crate::{
    chart::{Chart, Dash, Line},
    format::{aligned, count, counted, share},
    run::Style,
};

/// Returns the figures of federated rounds and a chart of their accuracy.
#[must_use]
pub fn text(run: &FederatedRun, style: Style) -> String {
    let mut lines = vec![format!(
        "{}, seed {}: {}; {} chain",
        style.bold(&escaped(&run.scenario).to_string()),
        run.seed,
        terms(run),
        run.backend
    )];
    let described = !run.description.is_empty();
    lines.extend(described.then(|| escaped_lines(&run.description).into_owned()));
    lines.extend(failures(run));
    lines.push(String::new());
    lines.extend(accuracy(run));
    lines.push(String::new());
    lines.extend(clients(run));
    lines.push(String::new());
    lines.extend(steps(run));
    lines.push(String::new());
    lines.extend(totals(run));
    lines.push(String::new());
    lines.extend(chart(run, style));
    lines.join("\n") + "\n"
}

/// Returns the terms of the rounds in words.
pub(super) fn terms(run: &FederatedRun) -> String {
    let it = &run.settings;
    let hostile = match it.hostile {
        0 => "none hostile".to_owned(),
        number => format!("{number} hostile ({})", it.attack.name()),
    };
    format!(
        "{} of {} clients, {hostile}; {} parameters, {}",
        it.rule, it.clients, run.parameters, it.split
    )
}

/// Returns a sentence on failed rounds; `None` if there are none.
pub(super) fn failures(run: &FederatedRun) -> Option<String> {
    let failed = run.rounds.iter().filter(|it| !it.is_settled).count();
    (failed > 0).then(|| {
        let needed = run.settings.rule.needed(run.settings.assumed_hostile.into());
        format!(
            "{} of {} failed: {} needs {needed} updates, and fewer were revealed or passed the sieve.",
            counted(failed as u64, "round"),
            run.rounds.len(),
            run.settings.rule
        )
    })
}

fn accuracy(run: &FederatedRun) -> Vec<String> {
    let (first, last) = (run.accuracy.first(), run.accuracy.last());
    let line = |name: &str, accuracy: Option<&f64>| {
        let accuracy = accuracy.map_or_else(String::new, |it| share(*it));
        format!("  {name:<22}{accuracy:>7}")
    };
    let mut lines = vec![
        format!("accuracy on {}", counted(run.test as u64, "test digit")),
        line("at the start", first),
        line(
            &format!("after {}", counted(run.rounds.len() as u64, "round")),
            last,
        ),
        line("by the plain mean", run.by_mean.last()),
    ];
    if run.clients.iter().any(|it| it.kind == "backdoor") {
        lines.push(line("marked digits obeyed", Some(&run.backdoor)));
    }
    lines
}

/// Returns a line for each client.
fn clients(run: &FederatedRun) -> Vec<String> {
    let head = [
        "client",
        "",
        "positive values",
        "reward",
        "slashed",
        "kept back",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(run.clients.iter().enumerate().map(|(index, client)| {
        [
            format!("{}", index + 1),
            client.kind.to_owned(),
            positive(&client.values),
            count_of(client.reward),
            count_of(client.slashed),
            count_of(client.forfeited),
        ]
    }));
    aligned(&rows)
}

/// Returns how many values are positive, of how many.
pub(super) fn positive(values: &[Option<i64>]) -> String {
    let scored = || values.iter().flatten();
    let positive = scored().filter(|it| **it > 0).count();
    format!("{positive} of {}", scored().count())
}

/// Returns an amount of tokens with commas between thousands.
pub(super) fn count_of(amount: u128) -> String {
    // The scenario bounds all amounts far below.
    count(u64::try_from(amount).unwrap_or(u64::MAX))
}

/// Returns a line for each step, with its gas.
fn steps(run: &FederatedRun) -> Vec<String> {
    let head = ["step", "", "transactions", "gas each", "gas in all"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(run.spent.steps().map(|(step, cost)| {
        [
            step.name().to_owned(),
            String::new(),
            count(cost.transactions),
            count(cost.each(cost.transactions)),
            count(cost.gas),
        ]
    }));
    aligned(&rows)
}

fn totals(run: &FederatedRun) -> Vec<String> {
    let all = run.spent.all();
    let rows = [
        (
            "gas",
            format!(
                "{} in {}, {} to submit an update",
                count(all.gas),
                counted(all.transactions, "transaction"),
                count(run.gas_to_submit())
            ),
        ),
        ("time", time(run)),
        ("digest", run.digest.clone()),
    ];
    rows.into_iter()
        .map(|(name, value)| format!("{name:<8}{value}"))
        .collect()
}

/// Returns the wall time, and the rounds that it makes a minute.
pub(super) fn time(run: &FederatedRun) -> String {
    format!(
        "{} in {:.1} s, {:.0} a minute",
        counted(run.rounds.len() as u64, "round"),
        run.wall.as_secs_f64(),
        run.rounds_a_minute()
    )
}

fn chart(run: &FederatedRun, style: Style) -> Vec<String> {
    let line = |label: &str, accuracies: &[f64], dash, color| Line {
        label: label.to_owned(),
        values: accuracies.iter().map(|it| 100.0 * it).collect(),
        dash,
        color,
    };
    // There are at most a few hundred rounds.
    #[allow(clippy::cast_precision_loss)]
    let rounds: Vec<f64> = (0..run.accuracy.len()).map(|it| it as f64).collect();
    let rule = run.settings.rule.name();
    let chart = Chart {
        title: "accuracy on the test digits, in percent",
        days: &rounds,
        unit: "rounds",
        lines: vec![
            line(rule, &run.accuracy, Dash::Solid, Color::Cyan),
            line("plain mean", &run.by_mean, Dash::Dotted, Color::White),
        ],
        height: 9,
    };
    chart.draw(style.width(), style.colors())
}
