//! `cotrain submission`: the state of a signed batch that a coordinator took.

use std::time::Duration;

use alloy_primitives::B256;
use clap::Args;
use cotrain_client::{api::Client, relay::wait_included};
use url::Url;

use super::{
    block_on,
    errors::{not_relayed, unanswered},
    show,
    signed::Submission,
};
use crate::{error::CommandError, output::Narrator};

const EXAMPLES: &str = "\
Examples:
  cotrain submission 0x95cf… --relay http://127.0.0.1:8080
  cotrain submission 0x95cf… --relay http://127.0.0.1:8080 --wait";

/// Show the state of a signed batch at a coordinator
///
/// `cotrain contribute --relay` prints the id of each signed batch that it submits.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SubmissionCommand {
    /// Id of the signed batch
    #[arg(value_name = "ID", value_parser = id)]
    id: B256,
    /// Address of the coordinator that took the signed batch
    #[arg(long, value_name = "URL")]
    relay: Url,
    /// Wait until the signed batch is part of the chain or can never be
    #[arg(long)]
    wait: bool,
    /// Maximum time to wait
    #[arg(
        long,
        value_name = "TIME",
        default_value = "1h",
        value_parser = humantime::parse_duration,
        requires = "wait"
    )]
    patience: Duration,
    /// Print one JSON object to stdout
    #[arg(long)]
    json: bool,
}

fn id(text: &str) -> Result<B256, String> {
    text.strip_prefix("0x")
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| {
            "expected the id of a signed batch, 0x and 64 hexadecimal digits, as `cotrain contribute --relay` prints it"
                .to_owned()
        })
}

/// Runs `cotrain submission`.
pub(crate) fn run(arguments: &SubmissionCommand) -> Result<(), CommandError> {
    Narrator::start(false)?;
    block_on(async {
        let id = arguments.id;
        let client = Client::new(&arguments.relay).map_err(unanswered)?;
        let mut submission = client.submission(id).await.map_err(unanswered)?;
        let waited = if arguments.wait {
            let waited = wait_included(&client, id, &mut submission, arguments.patience).await;
            waited.map_err(not_relayed)
        } else {
            Ok(())
        };
        let submission = Submission::new(id, submission);
        show(arguments.json, &submission, || submission.text(&client))?;
        waited
    })
}
