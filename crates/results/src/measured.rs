//! Figures on a model's predictions for labeled samples, as JSON and as text.

use std::fmt::Write as _;

use console::{Alignment, measure_text_width, pad_str, truncate_str};
use cotrain_learning::{evaluation::Confusion, text::escaped};
use serde::Serialize;

use crate::format::share;

/// Maximum number of classes whose confusion matrix is part of the text.
const MAX_MATRIX: usize = 10;

/// Width of the text, in columns of a terminal.
const WIDTH: usize = 80;

/// Minimum width of the first column of a table.
const MIN_NAME: usize = 8;

/// Figures on all samples and on each class. A share without samples is `None`.
#[derive(Debug, Serialize)]
pub struct Measured {
    n: u64,
    correct: u64,
    accuracy: Option<f64>,
    /// Ends of the accuracy's 95 % interval.
    interval: Option<[f64; 2]>,
    majority: Option<f64>,
    classes: Vec<String>,
    /// A row for each true class, with the count of each predicted class.
    confusion: Vec<Vec<u64>>,
    per_class: Vec<PerClass>,
    /// Number of samples that the model refuses to predict. They count as wrong, and the matrix has
    /// none of them.
    refused: u64,
    /// Label of the most common true class, and its number of samples.
    #[serde(skip)]
    most_common: Option<(usize, u64)>,
}

/// Figures on one class.
#[derive(Debug, Serialize)]
pub(crate) struct PerClass {
    class: String,
    support: u64,
    precision: Option<f64>,
    recall: Option<f64>,
    f1: Option<f64>,
    #[serde(skip)]
    predicted: u64,
    #[serde(skip)]
    correct: u64,
}

impl PerClass {
    /// Returns the figures of each class, by its label.
    pub(crate) fn all(confusion: &Confusion, classes: &[String]) -> Vec<Self> {
        let figures = confusion.classes().into_iter().zip(classes);
        let figures = figures.map(|(figures, class)| Self {
            class: class.clone(),
            support: figures.support,
            precision: figures.precision,
            recall: figures.recall,
            f1: figures.f1,
            predicted: figures.predicted,
            correct: figures.correct,
        });
        figures.collect()
    }
}

impl Measured {
    /// Creates the figures of a matrix, with the name of each class.
    #[must_use]
    pub fn new(confusion: &Confusion, classes: Vec<String>) -> Self {
        Self {
            n: confusion.n(),
            correct: confusion.correct(),
            accuracy: confusion.accuracy(),
            interval: confusion.interval(),
            majority: confusion.majority(),
            most_common: confusion.most_common(),
            refused: confusion.refused(),
            confusion: confusion.rows().to_vec(),
            per_class: PerClass::all(confusion, &classes),
            classes,
        }
    }

    /// Returns the share of samples that are predicted right; `None` without samples.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        self.accuracy
    }

    /// Returns the figures for people, in lines of at most 80 columns.
    ///
    /// Each share comes with the counts that it is made of.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("accuracy  {}\n", self.describe_accuracy());
        if let Some(majority) = self.describe_majority() {
            let _ = writeln!(text, "majority  {majority}");
        }
        text.push('\n');
        text + &self.details()
    }

    /// Returns the accuracy with its counts and its interval, in one line.
    #[must_use]
    pub fn describe_accuracy(&self) -> String {
        let (correct, n) = (self.correct, self.n);
        let (Some(accuracy), Some([lower, upper])) = (self.accuracy, self.interval) else {
            return "-, 0 of 0 examples".to_owned();
        };
        format!(
            "{}, {correct} of {n} examples (95 % interval: {:.1} to {})",
            share(accuracy),
            100.0 * lower,
            share(upper)
        )
    }

    /// Returns another accuracy on the same samples with its counts, in one line.
    // Numbers of samples are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    #[must_use]
    pub fn describe_share(&self, accuracy: f64) -> String {
        let correct = (accuracy * self.n as f64).round();
        format!("{}, {correct} of {}", share(accuracy), self.n)
    }

    /// Returns the majority baseline with its counts, in one line; `None` without samples.
    #[must_use]
    pub fn describe_majority(&self) -> Option<String> {
        let (majority, (label, support)) = self.majority.zip(self.most_common)?;
        Some(format!(
            "{}, {support} of {} examples are {}",
            share(majority),
            self.n,
            short(&self.classes[label], 24)
        ))
    }

    /// Returns the confusion matrix and the figures of each class, in lines of at most 80 columns.
    #[must_use]
    pub fn details(&self) -> String {
        let matrix = self.matrix().map_or_else(
            || "the confusion matrix is too wide for this text; the JSON has it\n".to_owned(),
            |matrix| format!("rows: true classes, columns: predicted classes\n{matrix}"),
        );
        let refused = match self.refused {
            0 => String::new(),
            refused => format!(
                "the model refuses to predict {refused} of {} examples; they count as wrong\n",
                self.n
            ),
        };
        format!("{matrix}{refused}\n{}", self.table())
    }

    /// Returns the matrix; `None` if it has too many classes or is too wide.
    fn matrix(&self) -> Option<String> {
        if self.classes.len() > MAX_MATRIX {
            return None;
        }
        let names: Vec<String> = self
            .classes
            .iter()
            .map(|it| escaped(it).to_string())
            .collect();
        let counts = |row: &[u64]| row.iter().map(u64::to_string).collect::<Vec<_>>();
        let rows = |heads: &[String], names: &[String]| {
            let head = [&[String::new()], heads].concat();
            let rows = names.iter().zip(&self.confusion);
            let rows = rows.map(|(name, row)| [&[name.clone()][..], &counts(row)].concat());
            std::iter::once(head).chain(rows).collect::<Vec<_>>()
        };
        // If the names do not fit as heads of columns, the labels stand for them.
        let headed = rows(&names, &names);
        if room(&headed).is_some_and(|room| names.iter().all(|it| measure_text_width(it) <= room)) {
            return Some(lines(&headed, Alignment::Right));
        }
        let heads: Vec<String> = (0..names.len()).map(|label| label.to_string()).collect();
        let labeled = heads
            .iter()
            .zip(&names)
            .map(|(label, name)| format!("{label} {name}"));
        let labeled = rows(&heads, &labeled.collect::<Vec<_>>());
        room(&labeled).map(|_| lines(&labeled, Alignment::Right))
    }

    /// Returns a line for each class.
    fn table(&self) -> String {
        let head = ["class", "recall", "precision", "F1"].map(str::to_owned);
        let rows = self.per_class.iter().map(|one| {
            vec![
                escaped(&one.class).to_string(),
                of(one.recall, one.correct, one.support),
                of(one.precision, one.correct, one.predicted),
                one.f1.map_or_else(|| "-".to_owned(), share),
            ]
        });
        let rows: Vec<Vec<String>> = std::iter::once(head.to_vec()).chain(rows).collect();
        lines(&rows, Alignment::Left)
    }
}

/// Returns a share with its counts, or only these if it is undefined.
pub(crate) fn of(part: Option<f64>, correct: u64, all: u64) -> String {
    let part = part.map_or_else(|| "-".to_owned(), share);
    format!("{part}, {correct} of {all}")
}

fn short(name: &str, width: usize) -> String {
    truncate_str(&escaped(name).to_string(), width, "…").into_owned()
}

/// Returns the width of each column.
fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(move |row| measure_text_width(&row[column]));
    (0..columns)
        .map(|column| width(column).max().unwrap_or(0))
        .collect()
}

/// Returns the width that the other columns leave for the first one; `None` if it is too narrow.
fn room(rows: &[Vec<String>]) -> Option<usize> {
    let others: usize = widths(rows).iter().skip(1).map(|width| width + 2).sum();
    WIDTH.checked_sub(others).filter(|room| *room >= MIN_NAME)
}

/// Returns the lines of a table, whose first column is cut to the width that is left for it.
fn lines(rows: &[Vec<String>], side: Alignment) -> String {
    let mut widths = widths(rows);
    if let Some(first) = widths.first_mut() {
        *first = (*first).min(room(rows).unwrap_or(MIN_NAME));
    }
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, &width))| {
            let side = if column == 0 { Alignment::Left } else { side };
            pad_str(cell, width, side, Some("…"))
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(classes: &[&str], pairs: impl IntoIterator<Item = (u16, u16)>) -> Measured {
        let confusion = Confusion::new(classes.len(), pairs).expect("labels of classes");
        Measured::new(
            &confusion,
            classes.iter().map(|&it| it.to_owned()).collect(),
        )
    }

    #[test]
    fn text_gives_each_share_with_its_counts() {
        let measured = measured(&["ham", "spam", "other"], [(0, 0), (0, 0), (1, 1), (1, 0)]);
        assert_eq!(
            measured.text(),
            "accuracy  75.0 %, 3 of 4 examples (95 % interval: 30.1 to 95.4 %)\n\
             majority  50.0 %, 2 of 4 examples are ham\n\
             \n\
             rows: true classes, columns: predicted classes\n\
             \u{20}      ham  spam  other\n\
             ham      2     0      0\n\
             spam     1     1      0\n\
             other    0     0      0\n\
             \n\
             class  recall           precision        F1\n\
             ham    100.0 %, 2 of 2  66.7 %, 2 of 3   80.0 %\n\
             spam   50.0 %, 1 of 2   100.0 %, 1 of 1  66.7 %\n\
             other  -, 0 of 0        -, 0 of 0        -\n"
        );
    }

    #[test]
    fn describe_share_has_its_counts() {
        let measured = measured(&["ham", "spam"], [(0, 0), (0, 0), (1, 1), (1, 0)]);
        assert_eq!(measured.describe_share(0.5), "50.0 %, 2 of 4");
    }

    #[test]
    fn text_fits_a_terminal_and_obeys_no_name() {
        let long = "a\u{1b}[31m class whose name is much longer than others, longer than a line";
        for count in [2, 10, 11] {
            let classes = vec![long; count];
            let all =
                (0..50_000_u32).map(|at| u16::try_from(at as usize % count).expect("few classes"));
            let text = measured(&classes, all.map(|label| (label, label))).text();
            for line in text.lines() {
                assert!(measure_text_width(line) <= WIDTH, "{line}");
                assert!(!line.contains("100.0 %") || line.contains(" of "), "{line}");
            }
            assert!(!text.contains('\u{1b}'), "{text}");
            let matrix = text.contains("rows: true classes");
            assert_eq!(matrix, count <= MAX_MATRIX, "{text}");
            assert_eq!(text.contains("the JSON has it"), !matrix, "{text}");
            // The names are too wide for the heads of columns.
            assert_eq!(text.contains("\n1 a"), matrix, "{text}");
        }
    }

    #[test]
    fn text_without_examples_has_no_share() {
        let text = measured(&["a", "b"], []).text();
        assert!(
            text.starts_with("accuracy  -, 0 of 0 examples\n\n"),
            "{text}"
        );
        assert!(!text.contains('%'), "{text}");
    }
}
