//! Text of a run for a terminal.

use console::{Color, Term, style};
use cotrain_learning::text::{escaped, escaped_lines};
use cotrain_simulator::{
    run::{AgentOutcome, Run, percent},
    tables::days,
};

use super::{
    sentences::{aside, clamped, early_end, relaying},
    summary::{evaluation, gas_per_contribution},
};
use crate::{
    chart::{Chart, Dash, Line},
    format::{aligned, count, counted, left_out_queries, numbers_rows, share, unknown_texts},
};

const WIDTH: usize = 80;
const HONEST: [Color; 3] = [Color::Blue, Color::Green, Color::Cyan];
const HOSTILE: [Color; 3] = [Color::Red, Color::Magenta, Color::Yellow];

/// Width of a text in characters, and whether it has colors.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    width: usize,
    colors: bool,
}

impl Style {
    /// Returns the style that suits stdout; 80 characters if stdout is no terminal.
    #[must_use]
    pub fn of_stdout() -> Self {
        let width = Term::stdout()
            .size_checked()
            .map_or(WIDTH, |(_, columns)| usize::from(columns));
        Self {
            width,
            colors: console::colors_enabled(),
        }
    }

    /// Returns a style without colors.
    #[cfg(test)]
    pub(crate) fn plain(width: usize) -> Self {
        Self {
            width,
            colors: false,
        }
    }

    /// Returns the width in characters.
    pub(crate) fn width(self) -> usize {
        self.width
    }

    /// Returns `true` if there are colors.
    pub(crate) fn colors(self) -> bool {
        self.colors
    }

    pub(crate) fn bold(self, text: &str) -> String {
        style(text).bold().force_styling(self.colors).to_string()
    }

    pub(crate) fn paint(self, text: &str, color: Color) -> String {
        style(text).fg(color).force_styling(self.colors).to_string()
    }
}

/// Returns the summary of a run and its charts.
#[must_use]
pub fn text(run: &Run, style: Style) -> String {
    let mut lines = heading(run, style);
    lines.push(String::new());
    lines.extend(accuracy(run));
    lines.push(String::new());
    lines.extend(agents(run));
    lines.push(String::new());
    lines.extend(totals(run));
    lines.extend((!run.outcome.is_empty()).then(|| format!("\n{}", run.outcome)));
    for chart in charts(
        run,
        &run.series
            .iter()
            .map(|row| days(row.seconds))
            .collect::<Vec<_>>(),
    ) {
        lines.push(String::new());
        lines.extend(chart.draw(style.width, style.colors));
    }
    lines.join("\n") + "\n"
}

fn heading(run: &Run, style: Style) -> Vec<String> {
    let mut lines = vec![format!(
        "{}, seed {}: {}; {}; {} chain",
        style.bold(&escaped(&run.scenario).to_string()),
        run.seed,
        run.model,
        run.incentive,
        run.backend
    )];
    lines.extend(
        (!run.description.is_empty()).then(|| escaped_lines(&run.description).into_owned()),
    );
    lines.extend(early_end(run));
    lines
}

fn accuracy(run: &Run) -> Vec<String> {
    let it = run.accuracy;
    let loss = 100.0 * (it.initial_float - it.initial);
    let quantized = match format!("{:.2}", loss.abs()).as_str() {
        "0.00" => String::new(),
        points => format!(
            "   quantizing {} {points} points",
            if loss > 0.0 { "lost" } else { "won" }
        ),
    };
    let mut lines = vec![
        format!("accuracy on {}", counted(run.data.test, "test example")),
        format!(
            "  at the start               {:>7}{quantized}",
            share(it.initial)
        ),
        format!(
            "  at the end                 {:>7}   never below {}",
            share(it.last),
            share(it.lowest)
        ),
        format!("  when trained on everything {:>7}", share(it.baseline)),
        String::new(),
        "test data at the end".to_owned(),
    ];
    lines.extend(evaluation(run).text().lines().map(str::to_owned));
    lines
}

/// Returns a line for each agent, with the columns of the mechanism.
fn agents(run: &Run) -> Vec<String> {
    let agents = &run.agents;
    if !run.words.has_claims {
        let head = ["agent", "", "balance", "contributions"];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(agents.iter().map(|agent| {
            [
                agent.name.clone(),
                agent.kind.to_owned(),
                format!("{:.1} %", agent.balance_percent()),
                count(agent.contributions),
            ]
        }));
        return aligned(&rows);
    }
    let head = [
        "agent",
        "",
        "balance",
        "contributions",
        "refunds",
        "reports",
        "late claims",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(agents.iter().map(|agent| {
        [
            agent.name.clone(),
            agent.kind.to_owned(),
            format!("{:.1} %", agent.balance_percent()),
            count(agent.contributions),
            count(agent.refunds),
            count(agent.reports),
            count(agent.late_claims),
        ]
    }));
    aligned(&rows)
}

fn totals(run: &Run) -> Vec<String> {
    let it = run.counts;
    let contributions = if run.words.learns_at_once {
        format!(
            "{}, of which {} changed the model",
            count(it.contributions),
            count(it.changed)
        )
    } else {
        count(it.contributions)
    };
    let mut rows = vec![("contributions", contributions)];
    rows.extend(run.words.has_claims.then(|| {
        let claims = format!(
            "{} refunds, {} reports, {} late claims",
            count(it.refunds),
            count(it.reports),
            count(it.late_claims)
        );
        ("claims", claims)
    }));
    rows.extend([
        ("transactions", count(it.transactions)),
        (
            "gas",
            format!(
                "{} in all, {} a contribution",
                count(run.gas.total),
                count(gas_per_contribution(run))
            ),
        ),
        (
            "time",
            format!(
                "{:.1} days simulated in {:.1} s",
                days(run.seconds),
                run.wall.as_secs_f64()
            ),
        ),
        ("digest", run.digest.clone()),
    ]);
    rows.extend(aside(run).into_iter().map(|line| ("besides", line)));
    rows.extend(
        run.facts
            .iter()
            .map(|fact| ("mechanism", format!("{}: {}", fact.name, fact.value))),
    );
    if let Some(relay) = run.relay {
        let lines = relaying(run, relay).into_iter().enumerate();
        rows.extend(lines.map(|(index, line)| (if index == 0 { "relaying" } else { "" }, line)));
    }
    rows.extend(left_out_queries(run.queries).map(|told| ("data", told)));
    rows.extend(run.features.iter().map(|it| ("features", it.clone())));
    rows.extend(
        run.columns
            .iter()
            .map(|(name, kind)| ("column", format!("{}: {kind}", escaped(name)))),
    );
    rows.extend(run.row_numbers.iter().map(|column| {
        let told = numbers_rows(column);
        (
            "warning",
            format!("{told}; if so, leave it out with `data.drop`"),
        )
    }));
    rows.extend(run.doubts.iter().map(|told| ("data", told.clone())));
    let texts = usize::try_from(run.data.initial + run.data.remaining).unwrap_or(usize::MAX);
    rows.extend(unknown_texts(run.unknown, texts).map(|told| ("warning", told)));
    rows.extend(clamped(run).map(|clamped| ("encoding", clamped)));
    rows.into_iter()
        .map(|(name, value)| format!("{name:<14}{value}"))
        .collect()
}

fn charts<'a>(run: &Run, days: &'a [f64]) -> [Chart<'a>; 2] {
    let accuracies: Vec<_> = run.series.iter().map(|row| 100.0 * row.accuracy).collect();
    let baseline = 100.0 * run.accuracy.baseline;
    let lines = vec![
        Line {
            label: "the model".to_owned(),
            values: accuracies,
            dash: Dash::Solid,
            color: Color::Cyan,
        },
        Line {
            label: "trained on everything".to_owned(),
            values: vec![baseline; run.series.len()],
            dash: Dash::Dotted,
            color: Color::White,
        },
    ];
    [
        Chart {
            title: "accuracy on the test data, in percent",
            days,
            unit: "days",
            lines,
            height: 9,
        },
        Chart {
            title: "balances in percent of the start: solid harmless agents, dashed hostile ones",
            days,
            unit: "days",
            lines: balances(run),
            height: 11,
        },
    ]
}

fn balances(run: &Run) -> Vec<Line> {
    let (mut honest, mut hostile) = (HONEST.iter().cycle(), HOSTILE.iter().cycle());
    let line = |(index, agent): (usize, &AgentOutcome)| {
        let (dash, color) = if agent.is_harmless() {
            (Dash::Solid, honest.next())
        } else {
            (Dash::Dashed, hostile.next())
        };
        let held = run.series.iter().map(|row| row.balances[index]);
        Line {
            label: agent.name.clone(),
            values: held
                .map(|held| percent(held, agent.start_balance))
                .collect(),
            dash,
            color: color.copied().unwrap_or(Color::White),
        }
    };
    run.agents.iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use console::measure_text_width;
    use cotrain_simulator::run::{End, Relay};

    use super::*;
    use crate::fixture;

    const PLAIN: Style = Style {
        width: WIDTH,
        colors: false,
    };

    #[test]
    fn text_of_a_run_has_its_figures_and_charts() {
        insta::assert_snapshot!(text(&fixture::run(), PLAIN), @r"
        made-up, seed 3: sparse perceptron; deposit, refund, take; embedded chain
        An honest and a hostile agent, made up.

        accuracy on 2,075 test examples
          at the start                61.0 %   quantizing lost 0.20 points
          at the end                  73.0 %   never below 59.4 %
          when trained on everything  76.4 %

        test data at the end
        accuracy  73.0 %, 1515 of 2075 examples (95 % interval: 71.1 to 74.9 %)
        majority  50.6 %, 1050 of 2075 examples are negative

        rows: true classes, columns: predicted classes
                  negative  positive
        negative       800       250
        positive       310       715

        class     recall               precision            F1
        negative  76.2 %, 800 of 1050  72.1 %, 800 of 1110  74.1 %
        positive  69.8 %, 715 of 1025  74.1 %, 715 of 965   71.9 %

        agent           balance  contributions  refunds  reports  late claims
        Good   honest   150.6 %          1,100      980      150           20
        Bad    flipper    0.5 %            100       20        0            0

        contributions 1,200, of which 321 changed the model
        claims        1,000 refunds, 150 reports, 20 late claims
        transactions  2,375
        gas           260,000,000 in all, 99,000 a contribution
        time          8.0 days simulated in 3.2 s
        digest        00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff

        accuracy on the test data, in percent
        80 ┤
           │
        75 ┤⠁ ⠁ ⠁ ⠁ ⠁ ⠁ ⠁ ⠁ ⠁ ⠁ ⠁ ⠁ ⠁ ⠁ ⠁ ⠁ ⠁ ⠁ ⠁ ⠁ ⠁ ⠁ ⠁ ⠁ ⠁ ⠁ ⠁ trained on everything
           │                                                ⣀⡠⠤⠤⠒ the model
        70 ┤                                  ⢀⡠⠤⢄⣀ ⣀⠔⠊⠉⠉⠑⠊⠉
           │                         ⢀⠤⠤⠤⢄⠤⠔⠒⠉⠁    ⠉
        65 ┤               ⣀⡠⠤⠒⠉⠉⠒⠒⠔⠊⠁
           │ ⢀⣀⠤⢄⣀⡀⣀⠤⠒⠉⠉⠉⠊⠉
        60 ┤⠉⠁    ⠈
           └┬────────────┬────────────┬────────────┬────────────┬
            0            2            4            6            8 days

        balances in percent of the start: solid harmless agents, dashed hostile ones
        200 ┤
            │
        150 ┤                                                             ⢀⣀⣀⣀⣀⠤⠤⠤ Good
            │                                      ⢀⣀⣀⣀⣀⣀⣀⡠⠤⠤⠤⠤⠤⠔⠒⠒⠒⠒⠒⠉⠉⠉⠉⠁
        100 ┤⠤⠤⠤⣤⣤⠤⡤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠔⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠉⠉⠉⠉⠉⠉⠉⠉⠁
            │      ⠈⠉ ⠉⠉ ⠒⠒ ⠢⠤ ⠤⢄ ⣀⣀
         50 ┤                        ⠉⠉ ⠉⠒ ⠒⠒ ⠤⠤ ⠤⣀ ⣀⣀
            │                                          ⠉⠉ ⠑⠒ ⠒⠢ ⠤⠤ ⣀⣀ ⣀⡀
          0 ┤                                                          ⠈ ⠉⠉ ⠒⠒ ⠒⠤  Bad
            └┬────────────────┬────────────────┬────────────────┬────────────────┬
             0                2                4                6                8 days
        ");
    }

    #[test]
    fn text_describes_a_market_in_its_own_words() {
        let message = text(&fixture::market(), PLAIN);
        for word in ["refund", "report", "claim", "deposit", "changed the model"] {
            assert!(!message.contains(word), "{word} in {message}");
        }
        assert!(message.contains("contributions 1,200\n"), "{message}");
        assert!(
            message.contains("\nTogether, the contributions improved it.\n"),
            "{message}"
        );
        let mut run = fixture::market();
        run.end = End::Limit;
        assert_eq!(
            early_end(&run).as_deref(),
            Some("Stopped at the limit of the scenario (run.limit).")
        );
    }

    #[test]
    fn totals_show_what_relaying_saved() {
        let mut run = fixture::relayed();
        let message = |run: &Run| {
            let rows = totals(run);
            let from = rows.iter().position(|row| row.starts_with("relaying"));
            rows[from.expect("told")..].join("\n")
        };
        insta::assert_snapshot!(message(&run), @r"
        relaying      contributions in 61 transactions: 99,000 gas each, alone 138,000
                      claims in 212 transactions: 116,410 gas each, alone 160,000
                      prepaid 5 times, 250,000 gas
                      saved 27.7 % of 352,800,000 gas
        ");
        run.relay = run.relay.map(|relay| Relay {
            unsent: 3,
            claims_alone: 0,
            ..relay
        });
        let message = message(&run);
        assert!(
            message.contains("saved -54.1 % of 165,600,000 gas"),
            "{message}"
        );
        assert!(
            message.ends_with("3 signed contributions were never sent"),
            "{message}"
        );
    }

    #[test]
    fn text_says_why_a_run_ended_early() {
        let mut run = fixture::run();
        assert_eq!(early_end(&run), None);
        let last = run.series.len() - 1;
        let mut message = |end, unclaimed| {
            run.end = end;
            run.series[last].unclaimed = unclaimed;
            let text = text(&run, PLAIN);
            text.lines().nth(2).map(str::to_owned).unwrap_or_default()
        };
        insta::assert_snapshot!(message(End::Stuck, 1_075), @"Stopped as nobody could pay the gas of a claim: 1,075 contributions are unclaimed.");
        insta::assert_snapshot!(message(End::Limit, 1), @"Stopped at the limit of the scenario (run.limit): 1 contribution is unclaimed.");
        assert_eq!(message(End::Settled, 0), "");
    }

    #[test]
    fn text_counts_numbers_that_the_encoding_moved() {
        let mut run = fixture::run();
        assert!(!text(&run, PLAIN).contains("encoding"));
        run.data.clamped = 1_200;
        assert!(text(&run, PLAIN).contains("encoding      1,200 numbers out of bounds"));
    }

    #[test]
    fn text_names_the_types_of_columns() {
        let mut run = fixture::run();
        assert!(!text(&run, PLAIN).contains("\ncolumn "));
        run.columns = vec![("sex\u{1b}".to_owned(), "boolean".to_owned())];
        assert!(text(&run, PLAIN).contains("column        sex\\u{1b}: boolean"));
    }

    #[test]
    fn text_warns_of_columns_that_number_the_rows() {
        let mut run = fixture::run();
        assert!(!text(&run, PLAIN).contains("\nwarning "));
        run.row_numbers = vec!["id\u{1b}".to_owned()];
        let told = "warning       the column `id\\u{1b}` seems to number the rows, and the model learns from it; \
                    if so, leave it out with `data.drop`";
        assert!(text(&run, PLAIN).contains(told));
    }

    #[test]
    fn text_warns_of_texts_that_the_encoder_does_not_know() {
        let mut run = fixture::run();
        let texts = run.data.initial + run.data.remaining;
        run.unknown = usize::try_from(texts / 101).expect("texts");
        assert!(!text(&run, PLAIN).contains("knows no word"));
        run.unknown = usize::try_from(texts).expect("texts");
        let told = format!(
            "warning       the encoder knows no word of {0} of the {0} texts",
            count(texts)
        );
        assert!(text(&run, PLAIN).contains(&told));
    }

    #[test]
    fn text_counts_queries() {
        let mut run = fixture::run();
        assert!(!text(&run, PLAIN).contains("qid"));
        run.queries = 1;
        assert!(text(&run, PLAIN).contains("data          1 example of libsvm data has `qid:`"));
        run.queries = 1_200;
        assert!(text(&run, PLAIN).contains("1,200 examples of libsvm data have `qid:`"));
    }

    #[test]
    fn text_names_the_tokenizer() {
        let mut run = fixture::run();
        assert!(!text(&run, PLAIN).contains("\nfeatures "));
        run.features = Some("words by the tokenizer `unicode`".to_owned());
        assert!(text(&run, PLAIN).contains("features      words by the tokenizer `unicode`"));
    }

    #[test]
    fn text_leaves_out_quantizing_if_it_changes_nothing() {
        let mut run = fixture::run();
        run.accuracy.initial_float = run.accuracy.initial;
        assert!(!text(&run, PLAIN).contains("quantizing"));
        run.accuracy.initial_float = run.accuracy.initial - 0.001;
        assert!(text(&run, PLAIN).contains("quantizing won 0.10 points"));
    }

    #[test]
    fn text_without_a_terminal_has_no_color_and_fits_80_characters() {
        let text = text(&fixture::run(), PLAIN);
        assert!(!text.contains('\u{1b}'));
        let widest = text.lines().map(measure_text_width).max();
        assert!(widest <= Some(WIDTH), "{widest:?}");
    }

    #[test]
    fn agents_of_wide_names_stay_in_their_columns() {
        let mut run = fixture::run();
        run.agents[0].name = "善良".to_owned();
        let rows = agents(&run);
        assert_eq!(measure_text_width(&rows[0]), measure_text_width(&rows[1]));
    }
}
