//! Bodies and answers of labeling sessions.
//!
//! Readers accept answers of newer servers: they skip unknown fields.

use serde::{Deserialize, Serialize};

/// Work to be priced.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QuotesBody {
    /// Name of the learner.
    pub learner: String,
    /// Numbers of a row.
    pub features: u32,
    /// Name of the strategy.
    pub strategy: String,
    /// Number of rows to train.
    pub train: u32,
    /// Number of rows to predict.
    pub decide: u32,
    /// Number of rows of a pool to look at.
    pub pool: u32,
    /// Number of rows to choose of the pool.
    pub count: u32,
}

/// Prices and bounds of sessions.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quotes {
    /// Ways to pay; `none` takes no money.
    pub rails: Vec<String>,
    /// Prices.
    pub prices: Prices,
    /// Bounds.
    pub bounds: RowBounds,
    /// Units of the work that was asked about.
    pub units: Work,
}

/// Prices that no work changes.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Prices {
    /// Units of an opening.
    pub opening: u64,
}

/// Bounds of sessions.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RowBounds {
    /// Maximum number of features.
    pub features: u64,
    /// Maximum number of classes.
    pub classes: u64,
    /// Maximum number of labeled rows.
    pub rows: u64,
    /// Maximum number of rows in one call.
    pub call: u64,
    /// Maximum number of pools that a session holds; 0 of a coordinator that knows no pools.
    #[serde(default)]
    pub pools: u64,
    /// Maximum number of rows of a pool.
    #[serde(default)]
    pub pool_rows: u64,
    /// Maximum number of all numbers of a session's pools.
    #[serde(default)]
    pub pool_numbers: u64,
    /// Maximum size of a pool that is sent, in bytes.
    #[serde(default)]
    pub upload: u64,
    /// Maximum number of units that a session spends.
    pub units: u64,
}

/// Units of work.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Work {
    /// Units of the training.
    pub train: u64,
    /// Units of the predictions.
    pub decide: u64,
    /// Units of the query.
    pub query: u64,
}

/// Rule that says to stop.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StopRule {
    /// Kind, such as `kappa-average`.
    pub kind: String,
    /// Bound at which the rule stops.
    pub bound: f64,
}

/// Options of a new session.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewSession {
    /// Name of the learner.
    pub learner: String,
    /// Number of classes.
    pub classes: u32,
    /// Numbers of a row.
    pub features: u32,
    /// Name of the strategy.
    pub strategy: String,
    /// Rules that say to stop.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stopping: Vec<StopRule>,
    /// Rows that the rules look at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed: Option<Vec<Vec<f64>>>,
    /// Seed of all random choices.
    pub seed: u64,
    /// Maximum number of units that the session spends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units: Option<u64>,
}

/// Units as an answer shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Units {
    /// Units that this call cost.
    pub charged: u64,
    /// Units that all calls cost.
    pub spent: u64,
    /// Units that are left.
    pub left: u64,
}

/// New session.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Opened {
    pub(super) session: String,
    /// Token that proves who opened it; `None` if another credential does.
    #[serde(default)]
    pub(super) token: Option<String>,
    pub(super) units: Units,
}

/// Reason to stop.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stop {
    /// Reason in words of the coordinator.
    pub reason: String,
}

/// State of a session.
#[derive(Debug, Clone, Deserialize)]
pub struct SessionState {
    /// Number of labeled rows.
    pub rows: u64,
    /// Rule that says to stop, if one does.
    pub stop: Option<Stop>,
    /// Units.
    pub units: Units,
}

/// Labeled row.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The row itself.
    #[serde(flatten)]
    pub of: RowOf,
    /// Index of its class.
    pub y: u32,
}

/// Numbers of a row, or its place in a pool that the session holds.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RowOf {
    /// Numbers.
    X(Vec<f64>),
    /// Index in the pool of the [`Teaching`].
    Row(u32),
}

/// Labeled rows to learn.
#[derive(Debug, Clone, Serialize)]
pub struct Teaching {
    /// Id of the pool that the session holds, if rows are named by their index in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Rows.
    pub rows: Vec<Row>,
}

/// Pool that a session holds.
#[derive(Debug, Clone, Deserialize)]
pub struct HeldPool {
    /// Id of the pool.
    pub pool: String,
    /// Number of its rows.
    pub rows: u64,
    /// Units.
    pub units: Units,
}

/// Result of a training.
#[derive(Debug, Clone, Deserialize)]
pub struct Trained {
    /// Number of labeled rows.
    pub rows: u64,
    /// Rule that says to stop, if one does.
    pub stop: Option<Stop>,
    /// Units.
    pub units: Units,
}

/// Rows of a pool that are worth a label.
#[derive(Debug, Clone, Deserialize)]
pub struct Queries {
    /// Indices in the pool, the row that is worth most first.
    pub rows: Vec<u64>,
    /// Units.
    pub units: Units,
}

/// Prediction of a row.
#[derive(Debug, Clone, Deserialize)]
pub struct Predicted {
    /// Index of the most probable class.
    pub label: u64,
    /// Probability of each class.
    pub probabilities: Vec<f64>,
}

/// Predictions of rows.
#[derive(Debug, Clone, Deserialize)]
pub struct Predictions {
    /// Prediction of each row, in order.
    pub rows: Vec<Predicted>,
    /// Units.
    pub units: Units,
}

/// Closed session.
#[derive(Debug, Clone, Deserialize)]
pub struct Closed {
    /// Units.
    pub units: Units,
    /// Money that goes back.
    #[serde(default)]
    pub refunds: Vec<Refund>,
}

/// Money that goes back for units that were not spent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refund {
    /// Account that paid, and gets it.
    pub payer: String,
    /// Address of the token.
    pub asset: String,
    /// Amount of the token's smallest unit, as a decimal number.
    pub amount: String,
    /// Hash of the transaction, once there is one.
    pub transaction: Option<String>,
}
