//! `cotrain serve` and `cotrain config`: the coordinator.

use std::{
    env,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
};

use clap::Args;
use cotrain_server::{
    ServeError,
    config::{Config, DEFAULT_FILE, LogFormat, Sources},
    serve,
};
use serde::Serialize;

use super::{block_on, show};
use crate::{error::CommandError, output, stop::stopped};

/// Variables that the other commands read, and a coordinator does not.
const NOT_OURS: [&str; 9] = [
    "COTRAIN_RPC",
    "COTRAIN_COORDINATOR",
    "COTRAIN_MODEL",
    "COTRAIN_KEY",
    "COTRAIN_STATE",
    "COTRAIN_CACHE",
    "COTRAIN_ANVIL",
    "COTRAIN_SENTENCE",
    "COTRAIN_SENTENCE_MODEL",
];

const SERVE_EXAMPLES: &str = "\
Examples:
  cotrain config --example > cotrain.toml      a configuration to start from, every key explained
  cotrain serve                                with cotrain.toml of the working directory
  cotrain serve --config /etc/cotrain.toml --set listen=0.0.0.0:8080
  cotrain serve --labels                       also open labeling sessions, which cost nothing
  COTRAIN_NODE__URL=http://node:8545 cotrain serve

On Ctrl-C or SIGTERM, it answers running requests and stops, at the latest after
api.shutdown_timeout. A second signal stops it at once.";

/// Serve models and markets over HTTP: follow them, relay, claim and score
///
/// A file, environment variables and --set configure everything; each of them overrides those
/// before it in this list.
#[derive(Debug, Args)]
#[command(after_help = SERVE_EXAMPLES)]
pub(crate) struct Serve {
    #[command(flatten)]
    from: From,
    /// Open labeling sessions for clients: `labels.enabled=true`
    #[arg(long)]
    labels: bool,
}

const CONFIG_EXAMPLES: &str = "\
Examples:
  cotrain config                               values in force and their origins
  cotrain config --example > cotrain.toml      every key, explained";

/// Check a coordinator's configuration, and show each value and its origin
#[derive(Debug, Args)]
#[command(after_help = CONFIG_EXAMPLES)]
pub(crate) struct ConfigCommand {
    #[command(flatten)]
    from: From,
    /// Print a file with every key and its default
    #[arg(long)]
    example: bool,
    /// Print one JSON array to stdout
    #[arg(long, conflicts_with = "example")]
    json: bool,
}

/// Sources of a configuration.
#[derive(Debug, Clone, Args)]
struct From {
    /// File of the configuration [default: cotrain.toml in the working directory, if it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set a key, such as `relay.max_batch=50`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| {
        format!("`{text}` has no `=`; expected a key and a value, such as relay.enabled=true")
    })?;
    Ok((key.to_owned(), value.to_owned()))
}

impl From {
    fn sources(&self) -> Sources {
        let ours = |(name, value)| {
            let (name, value): (std::ffi::OsString, std::ffi::OsString) = (name, value);
            Some((name.into_string().ok()?, value.into_string().ok()?))
                .filter(|(name, _)| !NOT_OURS.contains(&name.as_str()))
        };
        let mut sources = Sources::default().with_variables(env::vars_os().filter_map(ours));
        let default = PathBuf::from(DEFAULT_FILE);
        if let Some(file) = self
            .config
            .clone()
            .or_else(|| default.exists().then_some(default))
        {
            sources = sources.with_file(file);
        }
        for (key, value) in &self.set {
            sources = sources.with_flag(key.clone(), "--set", value.clone());
        }
        sources
    }
}

/// Serves until a signal asks it to stop.
pub(crate) fn run(arguments: &Serve) -> Result<(), CommandError> {
    let mut sources = arguments.from.sources();
    if arguments.labels {
        sources = sources.with_flag("labels.enabled", "--labels", "true");
    }
    let config = Config::load(&sources).map_err(CommandError::mistake)?;
    output::log(config.log == LogFormat::Json)?;
    block_on(async {
        let stop = stopped()?;
        let serving = serve(config, stop, |address| {
            tracing::info!(%address, page = page(address), "listening");
        });
        // It is large, and lives as long as the program.
        Box::pin(serving).await.map_err(classify)
    })
}

/// Returns the address of the web page, as a browser on this machine opens it.
fn page(mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{address}/")
}

/// Returns a mistake if the user can correct the error, and a fault otherwise.
pub(crate) fn classify(error: ServeError) -> CommandError {
    match error {
        ServeError::Node(_)
        | ServeError::Store(_)
        | ServeError::Registry(_)
        | ServeError::Model(_)
        | ServeError::Http(_) => CommandError::Fault(error.into()),
        _ => CommandError::Mistake(error.into()),
    }
}

#[derive(Serialize)]
struct Setting {
    key: &'static str,
    value: Option<String>,
    source: String,
    meaning: &'static str,
}

/// Shows a configuration.
pub(crate) fn config(arguments: &ConfigCommand) -> Result<(), CommandError> {
    if arguments.example {
        return output::print(Config::example());
    }
    let figment = arguments
        .from
        .sources()
        .figment()
        .map_err(CommandError::mistake)?;
    Config::extract(&figment).map_err(CommandError::mistake)?;
    let settings: Vec<_> = Config::explain(&figment)
        .into_iter()
        .map(|setting| Setting {
            key: setting.key,
            value: setting.value,
            source: setting.source,
            meaning: setting.doc,
        })
        .collect();
    show(arguments.json, &settings, || {
        let line = |it: &Setting| match &it.value {
            Some(value) => format!("{} = {value}  # {}\n", it.key, it.source),
            None => format!("# {} is not set\n", it.key),
        };
        settings.iter().map(line).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_of_all_addresses_is_that_of_this_machine() {
        for (address, expected) in [
            ("0.0.0.0:8080", "http://127.0.0.1:8080/"),
            ("[::]:81", "http://[::1]:81/"),
            ("10.0.0.7:80", "http://10.0.0.7:80/"),
        ] {
            assert_eq!(page(address.parse().unwrap()), expected);
        }
    }
}
