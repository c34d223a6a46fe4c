//! `cotrain watch`: what happens to a model, as it happens.

use std::time::Duration;

use alloy_primitives::{Address, B256};
use clap::Args;
use cotrain_coordinator::rows::{EventRow, Page};
use serde::Serialize;
use tokio::time::sleep;

use super::{
    block_on,
    connection::{Connection, ModelArg},
    index::follow,
    model::LiveModel,
    stop::stopped,
};
use crate::{failure::Failure, output};

/// Events read at once.
const ROWS: u32 = 1_000;

const EXAMPLES: &str = "\
Examples:
  cotrain watch                                 from now on, until Ctrl-C
  cotrain watch --all --json | jq .kind         since the model's beginning, for programs
  cotrain watch --all --once                    what there is so far";

/// Show contributions and claims of a model as they come
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Watch {
    /// Begin with the model's first event
    #[arg(long)]
    all: bool,
    /// End with the last event of now
    #[arg(long)]
    once: bool,
    /// How often the node is asked
    #[arg(
        long,
        value_name = "TIME",
        default_value = "1s",
        value_parser = humantime::parse_duration
    )]
    interval: Duration,
    #[command(flatten)]
    model: ModelArg,
    #[command(flatten)]
    connection: Connection,
    /// Print one JSON object a line to stdout
    #[arg(long, help_heading = None::<&str>)]
    json: bool,
}

#[derive(Serialize)]
struct Event<'a> {
    id: i64,
    model: Address,
    kind: &'a str,
    block: u64,
    transaction: Option<B256>,
    account: Option<Address>,
    position: Option<u64>,
    detail: &'a serde_json::Value,
}

/// Watches.
pub(crate) fn run(arguments: &Watch) -> Result<(), Failure> {
    block_on(async {
        let session = arguments.connection.open().await?;
        let model = LiveModel::find(&session, &arguments.model).await?;
        let index = follow(&session, &model).await?;
        let stop = stopped()?;
        let mut page = Page::first(ROWS);
        let mut show = arguments.all;
        loop {
            loop {
                let events = index.events(Some(model.trainer), page).await?;
                let Some(last) = events.last() else { break };
                page.after = Some(last.id);
                if show {
                    let lines = events.iter().map(|event| line(event, arguments.json));
                    output::print(&lines.collect::<Result<String, _>>()?)?;
                }
            }
            show = true;
            if arguments.once || stop.is_cancelled() {
                return Ok(());
            }
            tokio::select! {
                () = sleep(arguments.interval) => {}
                () = stop.cancelled() => return Ok(()),
            }
            index.catch_up().await?;
        }
    })
}

fn line(event: &EventRow, json: bool) -> Result<String, serde_json::Error> {
    if json {
        let event = Event {
            id: event.id,
            model: event.trainer,
            kind: &event.kind,
            block: event.block,
            transaction: event.transaction,
            account: event.account,
            position: event.position,
            detail: &event.detail,
        };
        return Ok(serde_json::to_string(&event)? + "\n");
    }
    let position = event.position.map(|it| format!("position {it}"));
    let account = event.account.map(|it| it.to_string());
    let rest = event.detail.as_object().filter(|detail| !detail.is_empty());
    let parts = [
        Some(format!("block {}", event.block)),
        Some(event.kind.clone()),
        position,
        account,
        rest.map(|_| event.detail.to_string()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    Ok(parts.join("  ") + "\n")
}
