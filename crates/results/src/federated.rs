//! Presentation of federated rounds: terminal, page, JSON and the files of their results.

mod page;
mod summary;
mod terminal;

use cotrain_simulator::federated::FederatedRun;

pub use self::{summary::Summary, terminal::text};
use crate::{error::ResultsError, results::FEDERATED_FILES};

/// Returns the files of a run with their names, in the order of [`FEDERATED_FILES`].
///
/// `scenario` is the text of its scenario. `command` is the command that repeats the run.
///
/// # Errors
/// If the page cannot be rendered.
pub fn files(
    run: &FederatedRun,
    scenario: String,
    command: &str,
) -> Result<Vec<(&'static str, Vec<u8>)>, ResultsError> {
    let mut json = serde_json::to_vec_pretty(&Summary::with_details(run))?;
    json.push(b'\n');
    let contents = [
        scenario.into_bytes(),
        run.rounds_csv(),
        run.values_csv(),
        page::html(run, command)?.into_bytes(),
        json,
    ];
    Ok(FEDERATED_FILES.into_iter().zip(contents).collect())
}
