//! Checked configuration of a coordinator: each key has its form and its bounds.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use alloy_primitives::Address;
use cotrain_learning::data::Source;
use cotrain_relayer::{KeepOptions, RelayOptions, ScoreOptions, SendOptions};
use serde::{Deserialize, Deserializer};
use url::Url;

use super::{assets::AssetSection, forms, lightning::LightningSection};

/// One hour, in milliseconds.
const HOUR: u64 = 60 * 60 * 1_000;
/// One day, in milliseconds.
const DAY: u64 = 24 * HOUR;

/// Checked configuration of a coordinator. [`Config::example`] explains every key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Address at which the HTTP API listens.
    pub listen: SocketAddr,
    /// Format of logs.
    pub log: LogFormat,
    /// Path of an `SQLite` file, or a URL that begins with `postgres://` or `postgresql://`.
    pub database: String,
    /// Registry whose models the coordinator follows.
    pub registry: Option<Address>,
    /// Further trainers and markets that the coordinator follows.
    pub models: Vec<Address>,
    /// Block from which events are read, instead of the one that each model's card names.
    pub from_block: Option<u64>,
    /// The node of the chain.
    pub node: NodeSection,
    /// Source of the key that signs transactions.
    pub key: Option<KeySource>,
    /// Options for sending all transactions.
    pub send: SendOptions,
    /// Options of relaying; `None` if it is disabled.
    pub relay: Option<RelayOptions>,
    /// Options of claiming; `None` if it is disabled.
    pub keep: Option<KeepOptions>,
    /// Options of driving markets; `None` if it is disabled.
    pub score: Option<ScoreOptions>,
    /// Options of measuring models; `None` if there is no data to measure with.
    pub evaluate: Option<EvaluateSection>,
    /// Files of tables of word vectors.
    pub encoders: Vec<PathBuf>,
    /// Options of simulations.
    pub simulations: SimulationsSection,
    /// Options of labeling sessions.
    pub labels: LabelsSection,
    /// Options of payments by x402.
    pub x402: X402Section,
    /// Options of sales over Lightning; `None` if nothing is sold so.
    pub lightning: Option<LightningSection>,
    /// Options of the HTTP API.
    pub api: ApiSection,
}

/// Format of logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object per line.
    Json,
}

impl Config {
    /// Returns the name of an enabled section that sends transactions; `None` if there is none.
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
    /// URL of the node's JSON-RPC, http or https.
    #[serde(deserialize_with = "forms::http_url")]
    pub url: Url,
    /// Maximum duration of one request.
    #[serde(deserialize_with = "forms::duration::<_, 1, HOUR>")]
    pub timeout: Duration,
    /// Maximum number of retries of a request that failed in transport.
    #[serde(deserialize_with = "forms::whole::<_, _, 0, 100>")]
    pub retries: u32,
    /// Polling interval for new blocks.
    #[serde(deserialize_with = "forms::duration::<_, 1, HOUR>")]
    pub poll: Duration,
}

/// Source of the key that signs transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// Key in an encrypted file.
    Keystore {
        /// Path of the file.
        path: PathBuf,
        /// Password that decrypts the file.
        password: Password,
    },
    /// Key in the environment variable of this name.
    Variable(String),
    /// Development account of this number. It is accepted only on chain 31337, which is checked
    /// once the chain is known.
    Development(u32),
}

/// Source of a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Password {
    /// First line of this file.
    File(PathBuf),
    /// Environment variable of this name.
    Variable(String),
}

/// Options of measuring the models' accuracy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluateSection {
    /// Data to measure with.
    pub data: Source,
    /// Number of further contributions after which a model is measured again.
    pub every: u64,
}

/// Options of simulations that clients ask for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulationsSection {
    /// Whether simulations are run.
    #[serde(deserialize_with = "forms::flag")]
    pub enabled: bool,
    /// Maximum number of pending simulations.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000>")]
    pub max_waiting: usize,
    /// Maximum time of one simulation.
    #[serde(deserialize_with = "forms::duration::<_, 1, HOUR>")]
    pub max_time: Duration,
    /// Maximum number of accounts that a simulation's agents act with.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000>")]
    pub max_accounts: usize,
    /// Maximum number of values that a simulation keeps.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 100_000_000>")]
    pub max_values: usize,
    /// Number of ended simulations whose results are kept.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000>")]
    pub keep: usize,
    /// Folder with the folders of sweeps.
    #[serde(default, deserialize_with = "forms::path_if_set")]
    pub sweeps: Option<PathBuf>,
}

/// Options of labeling sessions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelsSection {
    /// Whether sessions are opened.
    #[serde(deserialize_with = "forms::flag")]
    pub enabled: bool,
    /// Maximum number of open sessions.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000_000>")]
    pub max_sessions: usize,
    /// Maximum number of open sessions of one client.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000_000>")]
    pub max_client_sessions: usize,
    /// Maximum memory of all sessions, in bytes.
    #[serde(deserialize_with = "forms::whole::<_, _, 1_048_576, 1_099_511_627_776>")]
    pub max_bytes: usize,
    /// Maximum number of labeled rows of a session.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000_000>")]
    pub max_rows: usize,
    /// Maximum number of numbers that a session holds.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 16_777_216>")]
    pub max_numbers: usize,
    /// Maximum number of features of a row.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 65_536>")]
    pub max_features: usize,
    /// Maximum number of classes.
    #[serde(deserialize_with = "forms::whole::<_, _, 2, 1_000>")]
    pub max_classes: usize,
    /// Maximum number of rows in one call.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000_000>")]
    pub max_call: usize,
    /// Maximum number of pools that a session holds.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 64>")]
    pub max_pools: usize,
    /// Maximum number of rows of a pool that a session holds.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000_000>")]
    pub max_pool_rows: usize,
    /// Maximum number of all numbers of a session's pools.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 134_217_728>")]
    pub max_pool_numbers: usize,
    /// Maximum size of a pool or a snapshot that is sent, in bytes.
    #[serde(deserialize_with = "forms::whole::<_, _, 1_024, 268_435_456>")]
    pub max_upload: usize,
    /// Maximum number of units that a session spends.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000_000_000_000>")]
    pub max_units: u64,
    /// Time after its last call at which a session is deleted.
    #[serde(deserialize_with = "forms::duration::<_, 1, DAY>")]
    pub time_to_live: Duration,
    /// Time after its opening at which a session is deleted, whatever its calls.
    #[serde(deserialize_with = "forms::duration::<_, 1, { 365 * DAY }>")]
    pub max_age: Duration,
}

/// Options of payments by x402.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct X402Section {
    /// Whether the facilitator serves others.
    pub facilitator: bool,
    /// Source of the key that pays gas, and signs claims and refunds.
    pub key: Option<KeySource>,
    /// Tokens that labeling work is sold for, in the order of offers.
    pub assets: Vec<AssetSection>,
    /// Account that gets the tokens; `None` for that of the key.
    pub pay_to: Option<Address>,
    /// Smallest number of units that a payment of the scheme `exact` buys.
    pub min_purchase: u64,
    /// Maximum number of payments of the scheme `exact` in a day whose transactions fail.
    pub max_daily_failures: u64,
    /// Maximum time from an offer to the end of its payment.
    pub offer_time: Duration,
    /// Settlement contract of channels.
    pub settlement: Address,
    /// Contract that collects deposits into channels.
    pub collector: Address,
    /// Time from the request of a withdrawal from a channel to its end.
    pub withdraw_delay: Duration,
    /// Maximum time for which what vouchers promise stays unclaimed.
    pub claim_after: Duration,
    /// Number of units whose price is claimed from a channel at once.
    pub claim_above: u64,
    /// Number of blocks in which a payment counts.
    pub confirmations: u64,
    /// Number of blocks after which a block is final.
    pub final_after: u64,
    /// Maximum time that a request waits for its transaction.
    pub patience: Duration,
    /// Maximum price of a unit of gas, in wei.
    pub max_gas_price: Option<u128>,
    /// Maximum cost of the transactions of one day for others, in wei.
    pub max_daily_gas: u128,
}

/// Options of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiSection {
    /// Origins whose pages may use the API; `*` for any.
    #[serde(deserialize_with = "forms::origins")]
    pub cors: Vec<String>,
    /// Maximum size of a body, in bytes.
    #[serde(deserialize_with = "forms::whole::<_, _, 1_024, 268_435_456>")]
    pub max_body: usize,
    /// Maximum duration of a request, except for streams.
    #[serde(deserialize_with = "forms::duration::<_, 1, HOUR>")]
    pub timeout: Duration,
    /// Maximum time that a client may take to send a request's headers.
    #[serde(deserialize_with = "forms::duration::<_, 1, HOUR>")]
    pub header_timeout: Duration,
    /// Maximum time that a connection may be open without a request, or an answer unread.
    #[serde(deserialize_with = "forms::duration::<_, 1, HOUR>")]
    pub idle_timeout: Duration,
    /// Maximum number of concurrent connections.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000_000>")]
    pub max_connections: usize,
    /// Maximum duration of running requests once the coordinator is told to stop.
    #[serde(deserialize_with = "forms::duration::<_, 1, HOUR>")]
    pub shutdown_timeout: Duration,
    /// Maximum number of requests per second for each client; 0 for no limit.
    #[serde(deserialize_with = "forms::whole::<_, _, 0, 1_000_000>")]
    pub rate: u32,
    /// Maximum number of requests in a burst of one client.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000_000>")]
    pub burst: u32,
    /// Maximum number of concurrent requests.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000_000>")]
    pub concurrency: usize,
    /// Maximum number of concurrent streams of events.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000_000>")]
    pub max_streams: usize,
    /// Maximum number of rows in an answer.
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 10_000>")]
    pub max_page: u32,
    /// Whether `/rpc` forwards reads of the chain to the node.
    #[serde(deserialize_with = "forms::flag")]
    pub rpc: bool,
    /// Maximum size of a file that a deployment is planned from, in bytes; 0 to plan none.
    #[serde(deserialize_with = "forms::whole::<_, _, 0, 67_108_864>")]
    pub max_plan_bytes: usize,
    /// Whether the API serves `/metrics`.
    #[serde(deserialize_with = "forms::flag")]
    pub metrics: bool,
    /// Whether the last address of `X-Forwarded-For` is taken as the client's.
    #[serde(deserialize_with = "forms::flag")]
    pub trust_forwarded_for: bool,
}
