//! Presentation of a run: terminal, page, JSON and the files of its results.

mod page;
mod sentences;
mod summary;
mod terminal;

use cotrain_simulator::{run::Run, tables};

pub use self::{
    summary::Summary,
    terminal::{Style, text},
};
use crate::{error::ResultsError, results::FILES};

/// Returns the page of a run: one file for a browser, which loads nothing. `command` is the command
/// that repeats the run.
///
/// # Errors
/// Returns an error if the page cannot be rendered.
pub fn page(run: &Run, command: &str) -> Result<String, ResultsError> {
    page::html(run, command)
}

/// Returns the files of a run with their names, in the order of [`FILES`]. `scenario` is the text
/// of its scenario. `command` is the command that repeats the run.
///
/// # Errors
/// Returns an error if a number does not fit the tables, or a page cannot be rendered.
pub fn files(
    run: &Run,
    scenario: String,
    command: &str,
) -> Result<Vec<(&'static str, Vec<u8>)>, ResultsError> {
    let mut json = serde_json::to_vec_pretty(&Summary::with_details(run))?;
    json.push(b'\n');
    let tables = |error| ResultsError::Tables(Box::new(error));
    let contents = [
        scenario.into_bytes(),
        tables::series_csv(run),
        tables::series_parquet(run).map_err(tables)?,
        tables::events_csv(run),
        tables::events_parquet(run).map_err(tables)?,
        page::html(run, command)?.into_bytes(),
        json,
    ];
    Ok(FILES.into_iter().zip(contents).collect())
}
