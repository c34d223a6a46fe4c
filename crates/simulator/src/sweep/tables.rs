//! Tables of a sweep, as CSV and Parquet.
//!
//! Two tables, the same in both formats, sorted by the run's number. The same plan gives the same
//! bytes, however many threads, processes or machines executed the runs, in whatever order.
//!
//! - **runs**: one row per run. `run` (its number) and `seed`; a column for each varied setting,
//!   named by its path; `accuracy_initial`, `accuracy_lowest`, `accuracy_final`,
//!   `accuracy_baseline` (in [0, 1]); `test_samples`, `correct_final` (of them, at the end),
//!   `accuracy_final_low` and `accuracy_final_high` (ends of the 95 % interval) and `majority` (share
//!   of the most common class), empty for runs of earlier releases; `days` (simulated) and `end` (`settled`, `stuck` or `limit`);
//!   `contributions`, `refunds`, `reports`, `late_claims`, `transactions`, `gas`;
//!   `hostile_share_percent` (money of hostile agents at the start, in percent of all honest and
//!   hostile money); `honest_percent` and `hostile_percent` (final money of all honest and of all
//!   hostile agents, in percent of their start; empty if there are none); for each agent
//!   `balance_percent_<agent>` and `contributions_<agent>`; `digest`.
//! - **series**: one row per run and evaluation of the model: `run`, and the columns of [a run's
//!   own series](crate::tables).
//!
//! A setting whose values are all whole numbers from 0 gives a column of whole numbers. If all
//! values are numbers, the column has real numbers; otherwise it has text.

use std::io::{self, Write};

use cotrain_learning::evaluation::Confusion;
use parquet::errors::ParquetError;
use toml::Value;

use super::{Plan, Record};
use crate::{
    scenario::settings::{number, shown},
    tables::{
        column::{Column, Csv, Parquet, Values},
        days,
    },
};

/// Number of cells after which rows are written. It bounds the numbers held in memory.
const CELLS: usize = 500_000;

/// Reason why a table was not written.
#[derive(Debug, thiserror::Error)]
pub enum TablesError {
    /// Writing failed.
    #[error("cannot write a table")]
    Write(#[from] io::Error),
    /// Parquet cannot hold a value, or writing it failed.
    #[error("cannot write a table in Parquet")]
    Parquet(#[from] ParquetError),
}

/// Outputs of the four tables.
#[derive(Debug)]
pub struct Targets<W> {
    /// The runs as CSV.
    pub runs_csv: W,
    /// The runs as Parquet.
    pub runs_parquet: W,
    /// The series as CSV.
    pub series_csv: W,
    /// The series as Parquet.
    pub series_parquet: W,
}

/// Writer of a sweep's tables. Records must come in order of the run's number.
pub struct Tables<'a, W: Write + Send> {
    header: Header<'a>,
    runs: (Csv<W>, Parquet<W>),
    series: (Csv<W>, Parquet<W>),
    waiting: Vec<Record>,
    cells: usize,
}

impl<'a, W: Write + Send> Tables<'a, W> {
    /// Creates tables without rows. `agents` are the names of all agents of all records.
    ///
    /// # Errors
    /// Returns an error if the tables cannot be written.
    pub fn new(
        plan: &'a Plan,
        agents: &'a [String],
        targets: Targets<W>,
    ) -> Result<Self, TablesError> {
        let header = Header::new(plan, agents);
        // Without rows, these hold the column names.
        let (runs, series) = (header.runs(&[]), header.series(&[]));
        let mut runs_csv = Csv::new(targets.runs_csv);
        let mut series_csv = Csv::new(targets.series_csv);
        runs_csv.write(&runs)?;
        series_csv.write(&series)?;
        let runs_parquet = Parquet::new(targets.runs_parquet, "runs", &runs)?;
        let series_parquet = Parquet::new(targets.series_parquet, "series", &series)?;
        drop(runs);
        Ok(Self {
            header,
            runs: (runs_csv, runs_parquet),
            series: (series_csv, series_parquet),
            waiting: Vec::new(),
            cells: 0,
        })
    }

    /// Appends a run. Its number must be higher than those before.
    ///
    /// # Errors
    /// Returns an error if the run cannot be written.
    pub fn add(&mut self, record: Record) -> Result<(), TablesError> {
        self.cells += record.series.seconds.len() * (6 + self.header.agents.len());
        self.waiting.push(record);
        if self.cells >= CELLS {
            self.write()?;
        }
        Ok(())
    }

    /// Writes the remaining rows, and returns the targets.
    ///
    /// # Errors
    /// Returns an error if that fails.
    pub fn finish(mut self) -> Result<Targets<W>, TablesError> {
        if !self.waiting.is_empty() {
            self.write()?;
        }
        Ok(Targets {
            runs_csv: self.runs.0.finish()?,
            runs_parquet: self.runs.1.finish()?,
            series_csv: self.series.0.finish()?,
            series_parquet: self.series.1.finish()?,
        })
    }

    fn write(&mut self) -> Result<(), TablesError> {
        let runs = self.header.runs(&self.waiting);
        self.runs.0.write(&runs)?;
        self.runs.1.write(&runs)?;
        drop(runs);
        let series = self.header.series(&self.waiting);
        self.series.0.write(&series)?;
        self.series.1.write(&series)?;
        drop(series);
        self.waiting.clear();
        self.cells = 0;
        Ok(())
    }
}

/// Names and types of the columns.
struct Header<'a> {
    plan: &'a Plan,
    agents: &'a [String],
    settings: Vec<Kind>,
}

/// Values of a setting, in the order of its axis.
enum Kind {
    Whole(Vec<u64>),
    Real(Vec<f64>),
    Text(Vec<String>),
}

impl Kind {
    fn of(values: &[Value]) -> Self {
        let whole = values.iter().map(|value| {
            let value = value.as_integer()?;
            u64::try_from(value).ok()
        });
        if let Some(values) = whole.collect() {
            return Self::Whole(values);
        }
        let real = values.iter().map(|value| match value {
            Value::String(_) => None,
            value => number(value),
        });
        if let Some(values) = real.collect() {
            return Self::Real(values);
        }
        Self::Text(values.iter().map(shown).collect())
    }

    /// Returns the column of rows whose values have these indices.
    fn column(&self, indices: impl Iterator<Item = usize>) -> Values<'_> {
        match self {
            Self::Whole(values) => Values::Whole(indices.map(|index| values[index]).collect()),
            Self::Real(values) => Values::Real(indices.map(|index| values[index]).collect()),
            Self::Text(values) => {
                Values::Text(indices.map(|index| values[index].as_str()).collect())
            }
        }
    }
}

impl<'a> Header<'a> {
    fn new(plan: &'a Plan, agents: &'a [String]) -> Self {
        let settings = plan.axes().iter().map(|axis| Kind::of(&axis.values));
        Self {
            plan,
            agents,
            settings: settings.collect(),
        }
    }

    fn runs<'r>(&'r self, rows: &'r [Record]) -> Vec<Column<'r>> {
        let whole = |name: &str, value: fn(&Record) -> u64| {
            Column::new(name, Values::Whole(rows.iter().map(value).collect()))
        };
        let real = |name: &str, value: fn(&Record) -> f64| {
            Column::new(name, Values::Real(rows.iter().map(value).collect()))
        };
        let maybe = |name: &str, value: fn(&Record) -> Option<f64>| {
            Column::new(name, Values::MaybeReal(rows.iter().map(value).collect()))
        };
        let mut columns = vec![whole("run", |it| it.run), whole("seed", |it| it.seed)];
        let indices: Vec<_> = rows
            .iter()
            .map(|row| self.plan.indices(self.plan.point_of(row.run)))
            .collect();
        let axes = self.plan.axes().iter().zip(&self.settings).enumerate();
        columns.extend(axes.map(|(index, (axis, kind))| {
            let values = kind.column(indices.iter().map(|indices| indices[index]));
            Column::new(axis.path.as_str(), values)
        }));
        columns.extend([
            real("accuracy_initial", |it| it.accuracy.initial),
            real("accuracy_lowest", |it| it.accuracy.lowest),
            real("accuracy_final", |it| it.accuracy.last),
            real("accuracy_baseline", |it| it.accuracy.baseline),
        ]);
        let confusions = || {
            let tested = rows.iter().map(|row| row.tested.as_ref());
            tested.map(|it| it.map(|it| &it.confusion))
        };
        let counts = |name: &str, count: fn(&Confusion) -> u64| {
            let values = confusions().map(|it| it.map(count));
            Column::new(name, Values::MaybeWhole(values.collect()))
        };
        let shares = |name: &str, share: fn(&Confusion) -> Option<f64>| {
            let values = confusions().map(|it| it.and_then(share));
            Column::new(name, Values::MaybeReal(values.collect()))
        };
        columns.extend([
            counts("test_samples", Confusion::n),
            counts("correct_final", Confusion::correct),
            shares("accuracy_final_low", |it| it.interval().map(|[low, _]| low)),
            shares("accuracy_final_high", |it| {
                it.interval().map(|[_, high]| high)
            }),
            shares("majority", Confusion::majority),
            real("days", |it| days(it.seconds)),
            Column::new(
                "end",
                Values::Text(rows.iter().map(|it| it.end.name()).collect()),
            ),
            whole("contributions", |it| it.counts.contributions),
            whole("refunds", |it| it.counts.refunds),
            whole("reports", |it| it.counts.reports),
            whole("late_claims", |it| it.counts.late_claims),
            whole("transactions", |it| it.counts.transactions),
            whole("gas", |it| it.gas),
            real("hostile_share_percent", |it| it.percent.hostile_share),
            maybe("honest_percent", |it| it.percent.honest),
            maybe("hostile_percent", |it| it.percent.hostile),
        ]);
        for name in self.agents {
            let agents = rows
                .iter()
                .map(|row| row.agents.iter().find(|agent| agent.name == *name));
            let balances = agents.clone().map(|it| Some(it?.balance_percent));
            let contributions = agents.map(|it| Some(it?.contributions));
            columns.extend([
                Column::new(
                    format!("balance_percent_{name}"),
                    Values::MaybeReal(balances.collect()),
                ),
                Column::new(
                    format!("contributions_{name}"),
                    Values::MaybeWhole(contributions.collect()),
                ),
            ]);
        }
        columns.push(Column::new(
            "digest",
            Values::Text(rows.iter().map(|it| it.digest.as_str()).collect()),
        ));
        columns
    }

    fn series(&self, rows: &[Record]) -> Vec<Column<'static>> {
        let whole = |name: &str, list: fn(&Record) -> &Vec<u64>| {
            let values = rows.iter().flat_map(|row| list(row).iter().copied());
            Column::new(name, Values::Whole(values.collect()))
        };
        let runs = rows
            .iter()
            .flat_map(|row| std::iter::repeat_n(row.run, row.series.seconds.len()));
        let seconds = rows.iter().flat_map(|row| &row.series.seconds);
        let accuracy = rows.iter().flat_map(|row| &row.series.accuracy);
        let mut columns = vec![
            Column::new("run", Values::Whole(runs.collect())),
            whole("seconds", |it| &it.series.seconds),
            Column::new(
                "day",
                Values::Real(seconds.map(|&seconds| days(seconds)).collect()),
            ),
            Column::new("accuracy", Values::Real(accuracy.copied().collect())),
            whole("contributions", |it| &it.series.contributions),
            whole("unclaimed", |it| &it.series.unclaimed),
        ];
        columns.extend(self.agents.iter().map(|name| {
            let mut balances = Vec::new();
            for row in rows {
                match row.agents.iter().position(|agent| agent.name == *name) {
                    Some(index) => {
                        balances
                            .extend(row.series.balances_percent[index].iter().copied().map(Some));
                    }
                    None => balances.extend(row.series.seconds.iter().map(|_| None)),
                }
            }
            Column::new(
                format!("balance_percent_{name}"),
                Values::MaybeReal(balances),
            )
        }));
        columns
    }
}
