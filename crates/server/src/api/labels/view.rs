//! Answers about labeling sessions.

use std::collections::BTreeMap;

use alloy_primitives::hex;
use cotrain_active::{
    session::{Decision, Session, Trained},
    stopping::Stopped,
};
use cotrain_payments::{
    price::{PriceError, PriceList},
    x402::wire::SettlementResponse,
};
use ndarray::Array2;
use serde::Serialize;
use utoipa::ToSchema;

use super::body::QuotesBody;
use crate::{
    config::LabelsSection,
    labels::{Closed, Opened, PURCHASE, Receipt, Refusal},
    payments::{PriceLine, RailKind},
};

/// Prices and bounds.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct QuotesView {
    /// Ways to pay. `none`: units are counted, and nothing is paid.
    rails: Vec<&'static str>,
    /// Prices of units, in the order of offers; empty if nothing is paid.
    sales: Vec<SaleView>,
    prices: PricesView,
    bounds: SessionBoundsView,
    /// Units of the work that was asked about.
    units: WorkView,
}

/// Price of units in one asset.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SaleView {
    /// Way to pay.
    rail: &'static str,
    /// Network, such as `eip155:8453`.
    network: String,
    /// Address of the token, or `msat`.
    asset: String,
    /// Name of the asset.
    name: String,
    /// Decimals with which people read amounts of the asset.
    decimals: u8,
    /// Account that is paid; null if each offer names its own.
    pay_to: Option<String>,
    /// Amount of the asset's smallest unit that buys `units`, as a decimal number.
    amount: String,
    /// Number of units.
    units: u64,
    /// Smallest amount of a purchase, as a decimal number.
    minimum: String,
    /// Fee of a refund, of the asset's smallest unit, as a decimal number; null if no money goes back
    /// for units. A channel gives back what was not charged, without a fee.
    refund_fee: Option<String>,
    /// Units of a purchase for which the caller names no number.
    purchase: u64,
}

impl From<PriceLine> for SaleView {
    fn from(line: PriceLine) -> Self {
        Self {
            rail: rail_name(line.rail),
            network: line.network,
            asset: line.asset,
            name: line.name,
            decimals: line.decimals,
            pay_to: line.pay_to,
            amount: line.price.amount.to_string(),
            units: line.price.units.get(),
            minimum: line.minimum.to_string(),
            refund_fee: line.refund_fee.map(|fee| fee.to_string()),
            purchase: PURCHASE,
        }
    }
}

/// Returns the name of a rail for clients.
fn rail_name(rail: RailKind) -> &'static str {
    match rail {
        RailKind::Free => "none",
        RailKind::Channel => "x402-batch-settlement",
        RailKind::Exact => "x402-exact",
        RailKind::Lightning => "lightning",
    }
}

/// Prices of all work.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PricesView {
    /// Units of an opening.
    opening: u64,
    /// Rates of each learner.
    learners: BTreeMap<String, LearnerView>,
    /// Rates that each strategy adds to a query.
    strategies: BTreeMap<String, StrategyView>,
}

/// Rates of a learner, in thousandths of a unit for each row and each block of 64 features.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LearnerView {
    /// Rate of a row that is trained.
    train: u32,
    /// Rate of a row that is decided on or predicted.
    decide: u32,
    /// Rate of a row of a pool that a query looks at.
    look: u32,
}

/// Rates of a strategy, in thousandths of a unit for each row of the pool and each block of 64
/// features.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StrategyView {
    /// Rate of each row.
    row: u32,
    /// Rate of each row and each row to choose.
    pick: u32,
}

/// Bounds of sessions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SessionBoundsView {
    /// Maximum number of features.
    features: u64,
    /// Maximum number of classes.
    classes: u64,
    /// Maximum number of labeled rows.
    rows: u64,
    /// Maximum number of numbers that a session holds.
    numbers: u64,
    /// Maximum number of rows in one call.
    call: u64,
    /// Maximum number of pools that a session holds.
    pools: u64,
    /// Maximum number of rows of a pool.
    pool_rows: u64,
    /// Maximum number of all numbers of a session's pools.
    pool_numbers: u64,
    /// Maximum size of a pool or a snapshot that is sent, in bytes.
    upload: u64,
    /// Maximum number of units that a session spends.
    units: u64,
    /// Time after its last call at which a session is deleted, in seconds.
    time_to_live: u64,
}

/// Units of work; 0 for work that was not asked about.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WorkView {
    train: u64,
    decide: u64,
    query: u64,
}

impl QuotesView {
    pub(super) fn new(
        prices: &PriceList,
        section: &LabelsSection,
        sales: Vec<PriceLine>,
        body: &QuotesBody,
    ) -> Result<Self, Refusal> {
        let mut rails: Vec<_> = sales.iter().map(|line| rail_name(line.rail)).collect();
        rails.dedup();
        if rails.is_empty() {
            rails.push(rail_name(RailKind::Free));
        }
        let basis = body.basis();
        let count = |count: u32| u64::from(count);
        let of_rows = |rows: u32, price: &dyn Fn() -> Result<u64, PriceError>| match rows {
            0 => Ok(0),
            _ => price(),
        };
        let (train, decide, pool) = (count(body.train), count(body.decide), count(body.pool));
        let picks = count(body.count.unwrap_or(1));
        let units = WorkView {
            train: of_rows(body.train, &|| basis.training(prices, train, train, 0))?,
            decide: of_rows(body.decide, &|| basis.deciding(prices, decide))?,
            query: of_rows(body.pool, &|| basis.query(prices, pool, picks))?,
        };
        let learners = prices.learners.iter().map(|(name, rates)| {
            let view = LearnerView {
                train: rates.train.get(),
                decide: rates.decide.get(),
                look: rates.look.get(),
            };
            (name.clone(), view)
        });
        let strategies = prices.strategies.iter().map(|(name, rates)| {
            let view = StrategyView {
                row: rates.row,
                pick: rates.pick,
            };
            (name.clone(), view)
        });
        Ok(Self {
            rails,
            sales: sales.into_iter().map(Into::into).collect(),
            prices: PricesView {
                opening: prices.opening.get(),
                learners: learners.collect(),
                strategies: strategies.collect(),
            },
            bounds: SessionBoundsView {
                features: section.max_features as u64,
                classes: section.max_classes as u64,
                rows: section.max_rows as u64,
                numbers: section.max_numbers as u64,
                call: section.max_call as u64,
                pools: section.max_pools as u64,
                pool_rows: section.max_pool_rows as u64,
                pool_numbers: section.max_pool_numbers as u64,
                upload: section.max_upload as u64,
                units: section.max_units,
                time_to_live: section.time_to_live.as_secs(),
            },
            units,
        })
    }
}

/// New session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct OpenedView {
    /// Id, for the paths of its calls.
    session: String,
    /// Token, for `Authorization: Bearer`. It is shown only here; null if the payment's own proof is
    /// used, or the token that opened the account before.
    token: Option<String>,
    units: UnitsView,
    /// Time at which it is deleted unless there is a call before, in Unix seconds.
    expires: u64,
}

impl From<Opened> for OpenedView {
    fn from(opened: Opened) -> Self {
        Self {
            session: opened.id,
            token: opened.token,
            units: opened.receipt.into(),
            expires: opened.expires,
        }
    }
}

/// State of a session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct SessionView {
    /// Learner; `own` for the caller's model.
    learner: &'static str,
    strategy: &'static str,
    features: u64,
    /// Number of classes so far.
    classes: u64,
    /// Number of labeled rows.
    rows: u64,
    /// Number of opinions about them.
    opinions: u64,
    /// Number of trainings.
    iterations: u64,
    /// Number of rows of the stream so far.
    seen: u64,
    /// Number of rows of the stream that were worth a label.
    asked: u64,
    /// Number of queries of a pool.
    queries: u64,
    /// Quality of each annotator, from 0 to 1; empty while no row has two opinions.
    annotators: Vec<AnnotatorView>,
    /// Index of the row that needs another opinion; null while no row has two opinions.
    doubtful: Option<u64>,
    /// Rule that says to stop; null while none does.
    stop: Option<StopView>,
    /// Temperature that the probabilities are divided by, as logarithms; 1 if they are not calibrated.
    temperature: f64,
    /// Pools that it holds.
    pools: Vec<HeldPoolView>,
    units: UnitsView,
    /// Time at which it is deleted unless there is a call before, in Unix seconds.
    expires: u64,
}

/// Pool of a session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HeldPoolView {
    pool: String,
    /// Number of rows.
    rows: u64,
}

/// Annotator of a session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AnnotatorView {
    annotator: u32,
    /// Expected share of right labels, from 0 to 1.
    quality: f64,
}

/// Reason to stop.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StopView {
    /// Reason in words, with the value seen and the bound.
    reason: String,
    /// Value that reached the bound.
    seen: f64,
}

impl From<Stopped> for StopView {
    fn from(stopped: Stopped) -> Self {
        Self {
            reason: stopped.to_string(),
            seen: stopped.seen,
        }
    }
}

impl SessionView {
    pub(super) fn new(session: &Session, receipt: Receipt, expires: u64) -> Self {
        let (opening, state) = (session.opening(), session.state());
        let annotators = state.quality.into_iter();
        Self {
            learner: opening.learner.name(),
            strategy: opening.strategy.name(),
            features: opening.features as u64,
            classes: state.classes as u64,
            rows: state.rows as u64,
            opinions: state.opinions as u64,
            iterations: state.iterations,
            seen: state.seen,
            asked: state.asked,
            queries: state.queries,
            annotators: annotators
                .map(|(annotator, quality)| AnnotatorView { annotator, quality })
                .collect(),
            doubtful: state.doubtful.map(|row| row as u64),
            stop: state.stopped.map(Into::into),
            temperature: session.model().map_or(1.0, |it| it.temperature().get()),
            pools: session
                .pools()
                .map(|(id, rows)| HeldPoolView {
                    pool: hex::encode(id),
                    rows: rows as u64,
                })
                .collect(),
            units: receipt.into(),
            expires,
        }
    }
}

/// Result of a training.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct TrainedView {
    /// Number of labeled rows.
    rows: u64,
    /// Number of classes so far.
    classes: u64,
    /// Rule that says to stop; null while none does. The session goes on if there are further calls.
    stop: Option<StopView>,
    units: UnitsView,
}

impl TrainedView {
    pub(super) fn new(trained: &Trained, receipt: Receipt) -> Self {
        Self {
            rows: trained.rows as u64,
            classes: trained.classes as u64,
            stop: trained.stopped.map(Into::into),
            units: receipt.into(),
        }
    }
}

/// Decisions about rows of a stream.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct DecisionsView {
    /// Decision for each row, in their order.
    rows: Vec<DecisionView>,
    units: UnitsView,
}

/// Decision about a row of a stream.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DecisionView {
    /// `true` if the row is worth a label.
    ask: bool,
    /// Most probable class.
    label: u64,
    /// Difference of the two highest probabilities.
    margin: f64,
    /// Entropy of the probabilities, in nats.
    entropy: f64,
    /// Probability of each class.
    probabilities: Vec<f64>,
}

impl DecisionsView {
    pub(super) fn new(decisions: Vec<Decision>, receipt: Receipt) -> Self {
        let rows = decisions.into_iter().map(|decision| DecisionView {
            ask: decision.ask,
            label: decision.label as u64,
            margin: decision.margin,
            entropy: decision.entropy,
            probabilities: decision.probabilities,
        });
        Self {
            rows: rows.collect(),
            units: receipt.into(),
        }
    }
}

/// Rows that are worth a label.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct QueriesView {
    /// Indices of rows of the pool, the one that is worth most first.
    rows: Vec<u64>,
    units: UnitsView,
}

impl QueriesView {
    pub(super) fn new(chosen: &[usize], receipt: Receipt) -> Self {
        Self {
            rows: chosen.iter().map(|index| *index as u64).collect(),
            units: receipt.into(),
        }
    }
}

/// Predictions of rows.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct PredictionsView {
    /// Prediction for each row, in their order.
    rows: Vec<PredictedView>,
    units: UnitsView,
}

/// Prediction of a row.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PredictedView {
    /// Most probable class.
    label: u64,
    /// Probability of each class.
    probabilities: Vec<f64>,
}

impl PredictionsView {
    pub(super) fn new(predicted: &Array2<f64>, receipt: Receipt) -> Self {
        let rows = predicted.rows().into_iter().map(|row| {
            let probabilities = row.to_vec();
            PredictedView {
                label: cotrain_active::measure::most_likely(&probabilities) as u64,
                probabilities,
            }
        });
        Self {
            rows: rows.collect(),
            units: receipt.into(),
        }
    }
}

/// Closed session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct ClosedView {
    /// Number of labeled rows that were deleted.
    rows: u64,
    units: UnitsView,
    /// Money that goes back. Units of payments that are not final go back once they are.
    refunds: Vec<RefundView>,
}

/// Money that goes back for units that were not spent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RefundView {
    /// Account that paid, and gets it.
    payer: String,
    /// Address of the token.
    asset: String,
    /// Amount of the token's smallest unit, as a decimal number.
    amount: String,
    /// Hash of the transaction; null before there is one.
    transaction: Option<String>,
}

impl From<Closed> for ClosedView {
    fn from(closed: Closed) -> Self {
        let refunds = closed.refunds.into_iter().map(|refund| RefundView {
            payer: refund.payer.to_string(),
            asset: refund.token.to_string(),
            amount: refund.amount.to_string(),
            transaction: refund.transaction.map(|it| it.to_string()),
        });
        Self {
            rows: closed.state.map_or(0, |state| state.rows as u64),
            units: closed.receipt.into(),
            refunds: refunds.collect(),
        }
    }
}

/// Units that were bought.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct BoughtView {
    units: UnitsView,
    /// Hash of the transaction that paid; null if none did.
    transaction: Option<String>,
}

impl BoughtView {
    pub(super) fn new(receipt: Receipt, response: Option<&SettlementResponse>) -> Self {
        let transaction = response.map(|it| it.transaction.clone());
        Self {
            units: receipt.into(),
            transaction: transaction.filter(|it| !it.is_empty()),
        }
    }
}

/// Units as an answer shows them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UnitsView {
    /// Units that this call cost.
    charged: u64,
    /// Units that all calls cost.
    spent: u64,
    /// Units that are left.
    left: u64,
}

impl From<Receipt> for UnitsView {
    fn from(receipt: Receipt) -> Self {
        Self {
            charged: receipt.charged,
            spent: receipt.spent,
            left: receipt.left,
        }
    }
}
