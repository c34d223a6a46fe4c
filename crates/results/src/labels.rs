//! Text of an experiment of active learning: the labels that each strategy needs.

use console::{Color, measure_text_width};
use cotrain_learning::text::escaped;

use crate::{
    format::{count, counted},
    run::Style,
};

/// Name of the control.
const RANDOM: &str = "random";

/// Maximum length of a bar, in characters.
const LONGEST: usize = 50;

/// Experiment of several strategies on the same splits of data.
#[derive(Debug)]
pub struct Experiment<'a> {
    /// Name of the data, as the user gave it.
    pub data: &'a str,
    /// Name of the learner.
    pub learner: &'a str,
    /// Name of the strategy for the first labels; `None` if there is none.
    pub start: Option<&'a str>,
    /// Number of rows that can be labeled.
    pub pool: usize,
    /// Number of rows to measure on.
    pub test: usize,
    /// Number of labels a query asks for.
    pub batch: usize,
    /// Maximum number of labels.
    pub max_labels: usize,
    /// Strategies, and the control.
    pub strategies: Vec<Needed<'a>>,
}

/// Labels that a strategy needs, one number a seed.
#[derive(Debug, Clone, Copy)]
pub struct Needed<'a> {
    /// Name of the strategy.
    pub name: &'a str,
    /// Labels to an accuracy of 90 %; `None` if never.
    pub to_90: &'a [Option<usize>],
    /// Labels to an accuracy of 95 %; `None` if never.
    pub to_95: &'a [Option<usize>],
    /// Mean time of a query, in milliseconds.
    pub milliseconds: f64,
}

/// Returns the median of numbers, where `None` is above all numbers; `None` if it is such.
///
/// For an even count, it is the mean of the two in the middle.
#[must_use]
pub fn median(numbers: &[Option<usize>]) -> Option<f64> {
    let mut sorted: Vec<usize> = numbers.iter().map(|it| it.unwrap_or(usize::MAX)).collect();
    sorted.sort_unstable();
    let last = sorted.len().checked_sub(1)?;
    let middle = |index: usize| Some(sorted[index]).filter(|&it| it < usize::MAX);
    // Numbers of labels are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    let sum = middle(last / 2)? as f64 + middle(last.div_ceil(2))? as f64;
    Some(sum / 2.0)
}

/// Returns the bars of both accuracies and the times.
#[must_use]
pub fn text(experiment: &Experiment<'_>, style: Style) -> String {
    let seeds = experiment.strategies.first().map_or(0, |it| it.to_90.len());
    let start = match experiment.start {
        Some(start) => format!("; {start} chooses the first labels, three for each class"),
        None => String::new(),
    };
    let mut lines = vec![format!(
        "{}, {}: {} rows to label from one label on, {} to measure on; {}, batches of {}{start}",
        style.bold(&escaped(experiment.data).to_string()),
        experiment.learner,
        count(experiment.pool as u64),
        count(experiment.test as u64),
        counted(seeds as u64, "seed"),
        experiment.batch
    )];
    for share in [90, 95] {
        lines.push(String::new());
        lines.push(format!("median labels to {share} % accuracy"));
        let all: Vec<_> = experiment
            .strategies
            .iter()
            .map(|it| (it.name, if share == 90 { it.to_90 } else { it.to_95 }))
            .collect();
        lines.extend(bars(&all, experiment.max_labels, style));
    }
    lines.push(String::new());
    let times = experiment.strategies.iter();
    let times = times.map(|it| format!("{} {:.2} ms", it.name, it.milliseconds));
    lines.push(format!(
        "a query takes: {}",
        times.collect::<Vec<_>>().join(", ")
    ));
    lines.join("\n") + "\n"
}

/// Returns a bar for each strategy, with its median and that as a share of the control's.
fn bars(all: &[(&str, &[Option<usize>])], max_labels: usize, style: Style) -> Vec<String> {
    let of_control = all.iter().find(|(name, _)| *name == RANDOM);
    let of_control = of_control.and_then(|(_, numbers)| median(numbers));
    let notes: Vec<String> = all
        .iter()
        .map(|(name, numbers)| note(name, numbers, of_control, max_labels))
        .collect();
    let widest = |texts: &mut dyn Iterator<Item = &str>| texts.map(measure_text_width).max();
    let names = widest(&mut all.iter().map(|(name, _)| *name)).unwrap_or(0);
    let told = widest(&mut notes.iter().map(String::as_str)).unwrap_or(0);
    let room = style
        .width()
        .saturating_sub(names + told + 4)
        .clamp(8, LONGEST);
    let medians: Vec<Option<f64>> = all.iter().map(|(_, numbers)| median(numbers)).collect();
    let longest = medians.iter().flatten().copied().fold(1.0_f64, f64::max);
    let rows = all.iter().zip(medians).zip(notes);
    rows.map(|(((name, _), median), note)| {
        let length = match median {
            // A cast of a float saturates, and the room is small.
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss
            )]
            Some(median) => ((median / longest * room as f64).round() as usize).max(1),
            None => room,
        };
        let mark = if median.is_some() { "━" } else { "╌" };
        let color = if *name == RANDOM {
            Color::White
        } else {
            Color::Green
        };
        let bar = style.paint(&mark.repeat(length), color);
        format!("  {name:<names$} {bar} {note}")
    })
    .collect()
}

/// Returns the median with its share of the control's, and the seeds that never reached it.
fn note(name: &str, numbers: &[Option<usize>], of_control: Option<f64>, max: usize) -> String {
    let never = numbers.iter().filter(|it| it.is_none()).count();
    let seeds = match never {
        0 => String::new(),
        _ => format!(
            ", never in {never} of {}",
            counted(numbers.len() as u64, "seed")
        ),
    };
    let Some(median) = median(numbers) else {
        return format!("more than {}{seeds}", count(max as u64));
    };
    let share = match of_control {
        Some(control) if name != RANDOM => {
            format!(", {:.0} % of random", 100.0 * median / control)
        }
        _ => String::new(),
    };
    format!("{median}{share}{seeds}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_takes_never_as_more_than_any_number() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[Some(3)]), Some(3.0));
        assert_eq!(median(&[Some(9), None, Some(3)]), Some(9.0));
        assert_eq!(median(&[Some(9), Some(4)]), Some(6.5));
        assert_eq!(median(&[Some(9), None]), None);
    }

    #[test]
    fn text_of_an_experiment_has_bars_beside_the_control() {
        let never = [None, None, Some(500)];
        let experiment = Experiment {
            data: "my\u{1b}.csv",
            learner: "forest",
            start: Some("typiclust"),
            pool: 1_297,
            test: 500,
            batch: 10,
            max_labels: 600,
            strategies: vec![
                Needed {
                    name: "margin",
                    to_90: &[Some(61), Some(51), Some(71)],
                    to_95: &[Some(161), Some(171), None],
                    milliseconds: 1.234_5,
                },
                Needed {
                    name: RANDOM,
                    to_90: &[Some(121), Some(120), Some(131)],
                    to_95: &never,
                    milliseconds: 0.1,
                },
            ],
        };
        insta::assert_snapshot!(text(&experiment, Style::plain(80)), @r"
        my\u{1b}.csv, forest: 1,297 rows to label from one label on, 500 to measure on; 3 seeds, batches of 10; typiclust chooses the first labels, three for each class

        median labels to 90 % accuracy
          margin ━━━━━━━━━━━━━━━━━━━━━━━━━ 61, 50 % of random
          random ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 121

        median labels to 95 % accuracy
          margin ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 171, never in 1 of 3 seeds
          random ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ more than 600, never in 2 of 3 seeds

        a query takes: margin 1.23 ms, random 0.10 ms
        ");
    }
}
