//! Configuration of a coordinator, checked: each key with its form and its bounds.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use alloy_primitives::Address;
use cotrain_learning::data::Source;
use cotrain_relayer::{KeepOptions, RelayOptions, ScoreOptions, SendOptions};
use serde::{Deserialize, Deserializer};
use url::Url;

use super::forms;

/// An hour, in milliseconds.
const HOUR: u64 = 60 * 60 * 1_000;

/// Configuration of a coordinator, checked. [`Config::example`] explains every key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Address at which the HTTP API listens.
    pub listen: SocketAddr,
    /// Format of logs.
    pub log: LogFormat,
    /// A path of an `SQLite` file, or a URL that begins with `postgres://` or `postgresql://`.
    pub database: String,
    /// A registry whose models are followed.
    pub registry: Option<Address>,
    /// Trainers that are followed besides.
    pub models: Vec<Address>,
    /// The block from which events are read, in place of the one that each model's card names.
    pub from_block: Option<u64>,
    /// The node of the chain.
    pub node: NodeSection,
    /// The key that sends transactions.
    pub key: Option<KeySource>,
    /// Sending, for whatever purpose.
    pub send: SendOptions,
    /// Relaying; `None` if it is not enabled.
    pub relay: Option<RelayOptions>,
    /// Claiming; `None` if it is not enabled.
    pub keep: Option<KeepOptions>,
    /// Driving of markets; `None` if it is not enabled.
    pub score: Option<ScoreOptions>,
    /// Measuring; `None` if there is nothing to measure on.
    pub evaluate: Option<EvaluateSection>,
    /// The HTTP API.
    pub api: ApiSection,
}

/// Format of logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// An object a line.
    Json,
}

impl Config {
    /// Returns the name of a section that is enabled and sends transactions, if one is.
    pub(crate) fn sends(&self) -> Option<&'static str> {
        let sections = [
            ("relay", self.relay.is_some()),
            ("keep", self.keep.is_some()),
            ("score", self.score.is_some()),
        ];
        let enabled = sections.into_iter().find(|(_, enabled)| *enabled);
        enabled.map(|(section, _)| section)
    }
}

impl<'de> Deserialize<'de> for LogFormat {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        forms::one_of(from, &[("text", Self::Text), ("json", Self::Json)])
    }
}

/// Node of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSection {
    /// URL of its JSON-RPC, http or https.
    #[serde(deserialize_with = "forms::http_url")]
    pub url: Url,
    /// Longest time of one request.
    #[serde(deserialize_with = "forms::duration::<_, 1, HOUR>")]
    pub timeout: Duration,
    /// Number of times that a request that failed on the way is sent again.
    #[serde(deserialize_with = "forms::whole::<_, _, 0, 100>")]
    pub retries: u32,
    /// Interval at which it is asked for new blocks.
    #[serde(deserialize_with = "forms::duration::<_, 1, HOUR>")]
    pub poll: Duration,
}

/// Source of the key that sends transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// An encrypted file.
    Keystore {
        /// The file.
        path: PathBuf,
        /// Password that decrypts it.
        password: Password,
    },
    /// The environment variable of this name holds it.
    Variable(String),
    /// The account of a development chain with this number; only for chain 31337, which is checked where the chain is known.
    Development(u32),
}

/// Source of a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Password {
    /// The first line of this file.
    File(PathBuf),
    /// The environment variable of this name.
    Variable(String),
}

/// Measuring how good models are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluateSection {
    /// Data that they are measured on.
    pub data: Source,
    /// Number of further contributions after which they are measured again.
    pub every: u64,
}

/// HTTP API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiSection {
    /// Origins whose pages may use it; `*` for any.
    #[serde(deserialize_with = "forms::origins")]
    pub cors: Vec<String>,
    /// Maximum number of bytes of a body.
    #[serde(deserialize_with = "forms::whole::<_, _, 1_024, 268_435_456>")]
    pub max_body: usize,
    /// Longest time of a request, streams apart.
    #[serde(deserialize_with = "forms::duration::<_, 1, HOUR>")]
    pub timeout: Duration,
    /// Longest time that a client may take to send a request's headers.
    #[serde(deserialize_with = "forms::duration::<_, 1, HOUR>")]
    pub header_timeout: Duration,
    /// Longest time that a connection may be open without a request, or an answer unread.
    #[serde(deserialize_with = "forms::duration::<_, 1, HOUR>")]
    pub idle_timeout: Duration,
    /// Maximum number of connections at a time.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000_000>")]
    pub max_connections: usize,
    /// Longest time that requests may take once the coordinator is told to end.
    #[serde(deserialize_with = "forms::duration::<_, 1, HOUR>")]
    pub shutdown_timeout: Duration,
    /// Requests a second of each client; 0 for any number.
    #[serde(deserialize_with = "forms::whole::<_, _, 0, 1_000_000>")]
    pub rate: u32,
    /// Requests of a client at once.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000_000>")]
    pub burst: u32,
    /// Requests at a time.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000_000>")]
    pub concurrency: usize,
    /// Streams of events at a time.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000_000>")]
    pub max_streams: usize,
    /// Maximum number of rows of an answer.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 10_000>")]
    pub max_page: u32,
    /// Whether `/metrics` is served.
    #[serde(deserialize_with = "forms::flag")]
    pub metrics: bool,
    /// Whether the last address of `X-Forwarded-For` is the client's.
    #[serde(deserialize_with = "forms::flag")]
    pub trust_forwarded_for: bool,
}
