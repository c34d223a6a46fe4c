//! Tables of a run, as CSV and Parquet.
//!
//! Two tables, the same in both formats. The same [`Run`] gives the same bytes on every machine:
//!
//! - **series**: one row per evaluation of the model. `seconds`, `day` (seconds in days),
//!   `accuracy` (in [0, 1]), `contributions` and `unclaimed` (so far), and for each agent a column
//!   `balance_percent_<agent>`: its balance in percent of its start. The table is wide because a
//!   row holds the whole economy at one moment. It can be plotted as it is, and repeats nothing.
//!   The prefix keeps an agent named `day` apart from the day, and lets one line melt the table
//!   (`starts_with("balance_percent_")`).
//! - **events**: one row per contribution or claim. `seconds`, `action`, `agent` (its name),
//!   `position` (of the contribution), `label`, `amount_wei` (paid in by a contribution, out by
//!   everything else) and `gas`. The gas of a transaction with several events is split equally. The
//!   first event gets the remainder, so that the sum is exact.
//!
//! In CSV `amount_wei` is a decimal number of any length: read it as text or as a big integer. In
//! Parquet it is a `decimal(38, 0)`. Whole numbers in Parquet are signed, so that the difference of
//! two rows cannot underflow.

use parquet::errors::ParquetError;

use crate::run::{Run, percent};
use column::{Column, Csv, Parquet, Values};

pub mod column;

/// Returns the series as CSV.
#[must_use]
pub fn series_csv(run: &Run) -> Vec<u8> {
    csv(&series(run))
}

/// Returns the events as CSV.
#[must_use]
pub fn events_csv(run: &Run) -> Vec<u8> {
    csv(&events(run))
}

/// Returns the series as Parquet.
///
/// # Errors
/// Returns an error if a count exceeds `i64::MAX`.
pub fn series_parquet(run: &Run) -> Result<Vec<u8>, ParquetError> {
    parquet("series", &series(run))
}

/// Returns the events as Parquet.
///
/// # Errors
/// Returns an error if an amount has more than 38 digits, or a count exceeds `i64::MAX`.
pub fn events_parquet(run: &Run) -> Result<Vec<u8>, ParquetError> {
    parquet("events", &events(run))
}

/// Converts seconds to days.
#[must_use]
pub fn days(seconds: u64) -> f64 {
    // Seconds of a simulation are far below 2^53.
    #[allow(clippy::cast_precision_loss)]
    let seconds = seconds as f64;
    seconds / 86_400.0
}

fn series(run: &Run) -> Vec<Column<'_>> {
    let rows = &run.series;
    let days = rows.iter().map(|row| days(row.seconds)).collect();
    let mut columns = vec![
        Column::new(
            "seconds",
            Values::Whole(rows.iter().map(|row| row.seconds).collect()),
        ),
        Column::new("day", Values::Real(days)),
        Column::new(
            "accuracy",
            Values::Real(rows.iter().map(|row| row.accuracy).collect()),
        ),
        Column::new(
            "contributions",
            Values::Whole(rows.iter().map(|row| row.contributions).collect()),
        ),
        Column::new(
            "unclaimed",
            Values::Whole(rows.iter().map(|row| row.unclaimed).collect()),
        ),
    ];
    columns.extend(run.agents.iter().enumerate().map(|(index, agent)| {
        let balances = rows
            .iter()
            .map(|row| percent(row.balances[index], agent.start_balance));
        Column::new(
            format!("balance_percent_{}", agent.name),
            Values::Real(balances.collect()),
        )
    }));
    columns
}

fn events(run: &Run) -> Vec<Column<'_>> {
    let rows = &run.events;
    let names = rows
        .iter()
        .map(|event| run.agents[usize::from(event.agent)].name.as_str());
    vec![
        Column::new(
            "seconds",
            Values::Whole(rows.iter().map(|event| event.seconds).collect()),
        ),
        Column::new(
            "action",
            Values::Text(rows.iter().map(|event| event.action.name()).collect()),
        ),
        Column::new("agent", Values::Text(names.collect())),
        Column::new(
            "position",
            Values::Whole(rows.iter().map(|event| event.position).collect()),
        ),
        Column::new(
            "label",
            Values::Whole(rows.iter().map(|event| event.label.into()).collect()),
        ),
        Column::new(
            "amount_wei",
            Values::Wei(rows.iter().map(|event| event.amount).collect()),
        ),
        Column::new(
            "gas",
            Values::Whole(rows.iter().map(|event| event.gas).collect()),
        ),
    ]
}

fn csv(columns: &[Column<'_>]) -> Vec<u8> {
    let fine = "records of equal length in memory";
    let mut writer = Csv::new(Vec::new());
    writer.write(columns).expect(fine);
    writer.finish().expect(fine)
}

fn parquet(name: &str, columns: &[Column<'_>]) -> Result<Vec<u8>, ParquetError> {
    let mut writer = Parquet::new(Vec::new(), name, columns)?;
    writer.write(columns)?;
    writer.finish()
}

#[cfg(test)]
mod tests;
