//! `cotrain watch`: events of a model, shown as they happen.

use std::time::Duration;

use alloy_primitives::{Address, B256};
use clap::Args;
use cotrain_indexer::rows::{EventRow, Page};
use cotrain_learning::text::{MAX_SHOWN, escaped_to};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::sleep;

use super::{
    block_on,
    connection::{Connection, ModelArg},
    following::follow,
    model::LiveModel,
    spending::Target,
};
use crate::{error::CommandError, output, stop::stopped};

/// Maximum number of events that one query returns.
const ROWS: u32 = 1_000;

const EXAMPLES: &str = "\
Examples:
  cotrain watch                                 from now on, until Ctrl-C
  cotrain watch --all --json | jq .kind         since the model's beginning, for programs
  cotrain watch --all --once                    all events so far";

/// Show contributions and claims of a model as they happen
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Watch {
    /// Begin with the model's first event
    #[arg(long)]
    all: bool,
    /// Stop after the events so far
    #[arg(long)]
    once: bool,
    /// Interval between requests to the node
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
    chain_id: u64,
    id: i64,
    model: Address,
    kind: &'a str,
    block: u64,
    transaction: Option<B256>,
    account: Option<Address>,
    position: Option<u64>,
    detail: &'a serde_json::Value,
}

/// Runs `cotrain watch`.
pub(crate) fn run(arguments: &Watch) -> Result<(), CommandError> {
    block_on(async {
        let session = arguments.connection.open().await?;
        let model = LiveModel::find_trainer(&session, &arguments.model).await?;
        Target::new(&session, Some(&model)).tell(&session);
        let index = follow(&session, &model).await?;
        let chain_id = session.node.chain_id();
        let stop = stopped()?;
        let mut page = Page::first(ROWS);
        let mut show = arguments.all;
        loop {
            loop {
                let events = index.events(Some(index.followed().id()), page).await?;
                let Some(last) = events.last() else { break };
                page.after = Some(last.id);
                if show {
                    let lines = events
                        .iter()
                        .map(|event| line(event, chain_id, arguments.json));
                    let lines = lines.collect::<Result<String, _>>()?;
                    if arguments.json {
                        output::print_json(&lines)?;
                    } else {
                        output::print(&lines)?;
                    }
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

/// Shortens an event's details for people. Of bytes it keeps the beginning and the number, of long
/// texts the beginning. --json shows the details whole.
fn shortened(detail: &Value) -> Value {
    /// Length of a hash with its 0x, in characters.
    const WHOLE: usize = 66;
    match detail {
        Value::String(text) if text.len() > WHOLE && text.starts_with("0x") => {
            let bytes = (text.len() - 2) / 2;
            format!("{} ({bytes} bytes)", escaped_to(text, 18)).into()
        }
        Value::String(text) if text.chars().count() > MAX_SHOWN => text
            .chars()
            .take(MAX_SHOWN)
            .chain(['…'])
            .collect::<String>()
            .into(),
        Value::Array(values) => values.iter().map(shortened).collect(),
        Value::Object(entries) => entries
            .iter()
            .map(|(name, value)| (name.clone(), shortened(value)))
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

fn line(event: &EventRow, chain_id: u64, json: bool) -> Result<String, serde_json::Error> {
    if json {
        let event = Event {
            chain_id,
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
        rest.map(|_| shortened(&event.detail).to_string()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    Ok(parts.join("  ") + "\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn line_shortens_bytes_to_their_beginning_and_number() {
        let mut event = EventRow {
            id: 1,
            trainer: Address::ZERO,
            kind: "relayed".to_owned(),
            block: 7,
            transaction: None,
            account: None,
            position: Some(3),
            detail: json!({
                "batches": [{"items": format!("0x{}", "ab".repeat(2_000)), "fee": "5"}],
                "hash": format!("0x{}", "12".repeat(32)),
                "reason": "x".repeat(5_000),
            }),
        };
        let message = line(&event, 31_337, false).expect("a line");
        assert!(
            message.starts_with("block 7  relayed  position 3  {"),
            "{message}"
        );
        assert!(
            message.contains(r#""items":"0xabababababababab… (2000 bytes)""#),
            "{message}"
        );
        assert!(message.contains(&"12".repeat(32)), "{message}");
        assert!(message.len() < 500, "{message}");
        // Programs get the whole text.
        assert!(line(&event, 31_337, true).expect("a line").len() > 9_000);
        event.detail = json!({"reason": "a\nb\u{1b}[2J"});
        let message = line(&event, 31_337, false).expect("a line");
        assert!(
            message.ends_with("{\"reason\":\"a\\nb\\u001b[2J\"}\n"),
            "{message}"
        );
    }
}
