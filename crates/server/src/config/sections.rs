//! A coordinator's set-up, checked.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use alloy_primitives::Address;
use cotrain_learning::data::Source;
use cotrain_relayer::{KeepOptions, RelayOptions};
use url::Url;

/// How a coordinator is set up, checked. Every key is explained in [`Config::example`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the HTTP API listens.
    pub listen: SocketAddr,
    /// How logs are written.
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
    /// Relaying, where it is enabled.
    pub relay: Option<RelayOptions>,
    /// Claiming, where it is enabled.
    pub keep: Option<KeepOptions>,
    /// Measuring, where there is something to measure on.
    pub evaluate: Option<EvaluateSection>,
    /// The HTTP API.
    pub api: ApiSection,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// An object a line.
    Json,
}

/// The node of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSection {
    /// Its JSON-RPC, http or https.
    pub url: Url,
    /// How long one request may take.
    pub timeout: Duration,
    /// How often a request that failed on the way is sent again.
    pub retries: u32,
    /// How often it is asked for new blocks.
    pub poll: Duration,
}

/// Where the key that sends transactions comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// An encrypted file.
    Keystore {
        /// The file.
        path: PathBuf,
        /// What decrypts it.
        password: Password,
    },
    /// The environment variable of this name holds it.
    Variable(String),
    /// The account of a development chain with this number; only for chain 31337, which is checked where the chain is known.
    Development(u32),
}

/// Where a password comes from.
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
    /// What they are measured on.
    pub data: Source,
    /// After how many further contributions again.
    pub every: u64,
}

/// The HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiSection {
    /// Origins whose pages may use it; `*` for any.
    pub cors: Vec<String>,
    /// The most bytes of a body.
    pub max_body: usize,
    /// How long a request may take, streams apart.
    pub timeout: Duration,
    /// The longest time that a client may take to send a request's headers.
    pub header_timeout: Duration,
    /// The longest time that a connection may be open without a request, or an answer unread.
    pub idle_timeout: Duration,
    /// Connections at a time.
    pub max_connections: usize,
    /// The longest time that requests may take once the coordinator is told to end.
    pub shutdown_timeout: Duration,
    /// Requests a second of each client; 0 for any number.
    pub rate: u32,
    /// Requests of a client at once.
    pub burst: u32,
    /// Requests at a time.
    pub concurrency: usize,
    /// Streams of events at a time.
    pub max_streams: usize,
    /// The most rows of an answer.
    pub max_page: u32,
    /// Whether `/metrics` is served.
    pub metrics: bool,
    /// Whether the last address of `X-Forwarded-For` is the client's.
    pub trust_forwarded_for: bool,
}
