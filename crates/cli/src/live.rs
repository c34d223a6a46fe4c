//! Commands for a live chain, and their common parts.

pub(crate) mod acting;
pub(crate) mod bounds;
pub(crate) mod chosen;
pub(crate) mod claims;
pub(crate) mod clean;
pub(crate) mod connection;
pub(crate) mod context;
pub(crate) mod contribute;
pub(crate) mod contributed;
pub(crate) mod data;
pub(crate) mod delegate;
pub(crate) mod deploy;
pub(crate) mod deploying;
pub(crate) mod encoder;
pub(crate) mod errors;
pub(crate) mod evaluate;
pub(crate) mod federated;
pub(crate) mod following;
pub(crate) mod founding;
pub(crate) mod gas_fees;
pub(crate) mod input;
pub(crate) mod key;
pub(crate) mod market;
pub(crate) mod model;
pub(crate) mod models;
pub(crate) mod money;
pub(crate) mod options;
pub(crate) mod plan;
pub(crate) mod predict;
pub(crate) mod relaying;
pub(crate) mod sentence;
pub(crate) mod serve;
pub(crate) mod shell;
pub(crate) mod signed;
pub(crate) mod spending;
pub(crate) mod staged;
pub(crate) mod status;
pub(crate) mod submission;
pub(crate) mod time;
pub(crate) mod up;
pub(crate) mod watch;
pub(crate) mod wei;

use std::{future::Future, time::Duration};

use serde::Serialize;

use crate::{error::CommandError, output};

/// Runs a future to its end on a new runtime.
pub(crate) fn block_on<T>(
    work: impl Future<Output = Result<T, CommandError>>,
) -> Result<T, CommandError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// Shows the result, as JSON or as text.
pub(crate) fn show(
    json: bool,
    value: &impl Serialize,
    text: impl FnOnce() -> String,
) -> Result<(), CommandError> {
    if json {
        return output::print_json(&(serde_json::to_string_pretty(value)? + "\n"));
    }
    output::print(&text())
}

/// Reads a time of whole seconds, because a chain counts in seconds.
pub(crate) fn whole_seconds(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; expected a time such as 1day or 90min"))?;
    if time.subsec_nanos() == 0 {
        return Ok(time);
    }
    Err("a chain counts whole seconds; expected a time such as 1day or 90min".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_refuses_parts_of_a_second_and_numbers_without_unit() {
        assert_eq!(whole_seconds("90min"), Ok(Duration::from_mins(90)));
        for wrong in ["1ms", "1s 500ms", "soon", "-1s", "5"] {
            whole_seconds(wrong).unwrap_err();
        }
    }
}
