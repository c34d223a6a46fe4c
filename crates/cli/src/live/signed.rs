//! Signed batches as commands print them.

use alloy_primitives::B256;
use cotrain_client::{
    api::{Client, MAX_WORDS, Status, SubmissionView},
    relay::SubmittedBatch,
};
use cotrain_learning::text::{escaped, escaped_to};
use cotrain_results::format::counted;
use serde::Serialize;

use super::errors::question;

/// State of a signed batch, as a coordinator reports it.
#[derive(Debug, Serialize)]
pub(crate) struct Submission {
    id: B256,
    status: Status,
    contributions: u32,
    transaction: Option<B256>,
    block: Option<u64>,
    position: Option<u64>,
    reason: Option<String>,
}

impl From<SubmittedBatch> for Submission {
    fn from(submitted: SubmittedBatch) -> Self {
        Self::new(submitted.id, submitted.submission)
    }
}

impl Submission {
    /// Reads the answer about the batch `id`.
    pub(crate) fn new(id: B256, view: SubmissionView) -> Self {
        Self {
            id: view.id.map_or(id, |id| id.0),
            status: view.status,
            contributions: view.contributions,
            transaction: view.transaction.map(|hash| hash.0),
            block: view.block,
            position: view.position,
            reason: view.reason,
        }
    }

    /// Describes it for people.
    pub(crate) fn text(&self, client: &Client) -> String {
        let samples = counted(self.contributions.into(), "sample");
        match (self.position, self.block, &self.reason) {
            (Some(position), Some(block), _) => {
                format!("contributed {samples}, from position {position} on, in block {block}\n")
            }
            (_, _, Some(reason)) => format!(
                "will not send {samples}, submitted as {}: {}\n",
                self.id,
                escaped_to(reason, MAX_WORDS)
            ),
            _ => format!(
                "submitted {samples} as {}: {}\nask again  {}\n",
                self.id,
                escaped(self.status.as_str()),
                question(self.id, &client.shown())
            ),
        }
    }
}
