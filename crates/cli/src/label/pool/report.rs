//! Report of a labeled pool, as text and as JSON.

use std::fmt::Write as _;

use cotrain_client::label::{Refund, Units};
use cotrain_learning::{evaluation::wilson, text::escaped};
use cotrain_results::format::{count, counted, share};
use serde::Serialize;

use super::{
    record::{Answer, CONTROL},
    table::Pool,
};

/// Guesses of the model that were right, of those before a label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Guesses {
    pub(super) guessed: u64,
    pub(super) right: u64,
}

/// Counts of all answers so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) labels: u64,
    pub(super) skipped: u64,
    /// Guesses of rows that the strategy chose.
    pub(super) chosen: Guesses,
    /// Guesses of random rows.
    pub(super) control: Guesses,
    pub(super) by_class: Vec<u64>,
}

/// Money of all runs with the same file of labels, as text.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Money {
    /// Smallest unit.
    pub(super) unit: &'static str,
    /// Amount that was spent, or could still be taken.
    pub(super) spent: String,
    /// Amount that the budget leaves.
    pub(super) left: String,
}

/// Report at the end of a run.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    pub(super) pool: String,
    pub(super) rows: usize,
    pub(super) labels: u64,
    pub(super) skipped: u64,
    /// Number of labels of each class.
    pub(super) classes: Vec<(&'a str, u64)>,
    pub(super) learner: &'static str,
    pub(super) strategy: &'static str,
    /// Guesses of rows that the strategy chose.
    pub(super) chosen: Guesses,
    /// Guesses of random rows: their share of right ones is the model's accuracy.
    pub(super) control: Guesses,
    pub(super) accuracy: Option<f64>,
    /// 95 % interval of the accuracy.
    pub(super) interval: Option<[f64; 2]>,
    /// Reason for the end, such as `quit`, in words.
    pub(super) end: String,
    pub(super) units: Units,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) money: Option<Money>,
    /// Money that goes back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) refunds: Vec<Refund>,
    pub(super) labels_file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
}

impl Counts {
    /// Counts the answers, and the labels that the pool has.
    pub(super) fn of(pool: &Pool, answers: &[Answer]) -> Self {
        let mut counts = Self {
            by_class: vec![0; pool.classes.len()],
            ..Self::default()
        };
        let known = pool.known.iter().flatten();
        let given = answers.iter().filter_map(|it| it.class.as_ref());
        for &class in known.chain(given) {
            counts.labels += 1;
            counts.by_class[class] += 1;
        }
        for answer in answers {
            let Some(class) = answer.class else {
                counts.skipped += 1;
                continue;
            };
            let Some(guess) = answer.guess else {
                continue;
            };
            let guesses = if answer.asked_by == CONTROL {
                &mut counts.control
            } else {
                &mut counts.chosen
            };
            guesses.guessed += 1;
            guesses.right += u64::from(guess == class);
        }
        counts
    }

    /// Returns one line for the person who labels.
    pub(super) fn line(&self) -> String {
        let mut line = counted(self.labels, "label");
        let Guesses { guessed, right } = self.control;
        if let Some([low, high]) = wilson(right, guessed) {
            let _ = write!(
                line,
                "; {right} of {guessed} random rows guessed right: the model's accuracy is {} to {}",
                share(low),
                share(high)
            );
        }
        let Guesses { guessed, right } = self.chosen;
        if guessed > 0 {
            let _ = write!(line, "; {right} of {guessed} chosen ones, which are hard");
        }
        line
    }
}

impl Guesses {
    /// Returns the share of right guesses.
    pub(super) fn accuracy(self) -> Option<f64> {
        // Numbers of labels are far below 2^52.
        #[allow(clippy::cast_precision_loss)]
        (self.guessed > 0).then(|| self.right as f64 / self.guessed as f64)
    }
}

impl Report<'_> {
    /// Returns the report as text.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let rows = count(self.rows as u64);
        let labels = counted(self.labels, "label");
        let _ = writeln!(text, "{labels} of {rows} rows, {} skipped", self.skipped);
        for (name, labels) in &self.classes {
            let _ = writeln!(text, "  {:16} {labels}", escaped(name));
        }
        let _ = writeln!(text, "ended: {}", self.end);
        match (self.accuracy, self.interval) {
            (Some(accuracy), Some([low, high])) => {
                let _ = writeln!(
                    text,
                    "accuracy: {} of {} random rows were guessed right before their label: {}, 95 % \
                     interval {} to {}",
                    self.control.right,
                    self.control.guessed,
                    share(accuracy),
                    share(low),
                    share(high)
                );
            }
            _ => text.push_str("accuracy: unknown, since no random row was guessed\n"),
        }
        if let Some(accuracy) = self.chosen.accuracy() {
            let _ = writeln!(
                text,
                "the rows that {} chose are harder: {} of {} guessed right ({})",
                self.strategy,
                self.chosen.right,
                self.chosen.guessed,
                share(accuracy)
            );
        }
        let _ = writeln!(text, "units: {} spent", count(self.units.spent));
        if let Some(money) = &self.money {
            let _ = writeln!(
                text,
                "money: {} {} spent, {} left of the budget",
                money.spent, money.unit, money.left
            );
        }
        for refund in &self.refunds {
            let _ = writeln!(
                text,
                "refund: {} of {} to {}, transaction {}",
                escaped(&refund.amount),
                escaped(&refund.asset),
                escaped(&refund.payer),
                escaped(refund.transaction.as_deref().unwrap_or("(not sent yet)"))
            );
        }
        let _ = writeln!(text, "labels: {}", escaped(&self.labels_file));
        if let Some(model) = &self.model {
            let _ = writeln!(text, "model: {}", escaped(model));
        }
        text
    }
}
