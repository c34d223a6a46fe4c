//! Models: facts, accuracy over time, and weights.

use std::sync::Arc;

use alloy_primitives::U256;
use axum::{
    Json,
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{ACCEPT, CONTENT_TYPE, ETAG, VARY},
    },
    response::{IntoResponse, Response},
};
use cotrain_client::api::{Account, AccuracyPoint, Data, Hash, ModelView, Price, Wei};
use cotrain_indexer::{HostedModel, rows::Settled};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    app::App,
    extract::{InPath, InQuery, NoQuery, OfModel},
    kinds::Kind,
    negotiation::{has_tag, quality},
    page::{Paging, Rows, limit, page, rows},
    problem::Problem,
    views::{model_view, point},
};

/// Selection of models.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ModelPaging {
    /// Only models after this trainer.
    #[param(inline)]
    after: Option<Account>,
    /// Maximum number of rows.
    #[param(minimum = 1, default = 100)]
    limit: Option<u32>,
}

/// Returns the models that the coordinator follows, by the address of their trainers.
#[utoipa::path(
    get, path = "/v1/models", tag = "models", operation_id = "listModels",
    params(ModelPaging),
    responses((status = 200, description = "A page of models.", body = Rows<ModelView>)),
)]
pub(super) async fn list(
    State(app): State<App>,
    InQuery(query): InQuery<ModelPaging>,
) -> Result<Json<Rows<ModelView>>, Problem> {
    let limit = limit(query.limit, app.max_page)?;
    let mut models = app.index().models();
    models.retain(|model| {
        query
            .after
            .as_ref()
            .is_none_or(|after| model.info().facts.trainer > after.0)
    });
    models.truncate(limit as usize + 1);
    let now = app.now();
    let page: Rows<Standing> = rows(
        models,
        limit,
        "/v1/models",
        &[],
        |model: &Arc<HostedModel>| Account(model.info().facts.trainer).to_string(),
    );
    Ok(Json(Rows {
        rows: page
            .rows
            .into_iter()
            .map(|Standing(model)| model_view(&model, app.relayer(), now))
            .collect(),
        next: page.next,
    }))
}

/// Model whose view is not built yet.
struct Standing(Arc<HostedModel>);

impl From<Arc<HostedModel>> for Standing {
    fn from(model: Arc<HostedModel>) -> Self {
        Self(model)
    }
}

/// Returns a model.
#[utoipa::path(
    get, path = "/v1/models/{trainer}", tag = "models", operation_id = "getModel",
    params(OfModel),
    responses(
        (status = 200, description = "The model.", body = ModelView),
        (status = 404, description = "The model is unknown."),
    ),
)]
pub(super) async fn one(
    State(app): State<App>,
    InPath(path): InPath<OfModel>,
    _query: NoQuery,
) -> Result<Json<ModelView>, Problem> {
    let model = app.model(&path.trainer)?;
    Ok(Json(model_view(&model, app.relayer(), app.now())))
}

/// Returns the accuracy of a model over time.
///
/// Rows are in the order of the number of contributions that the model had learned from. `after` is
/// such a number too.
#[utoipa::path(
    get, path = "/v1/models/{trainer}/accuracy", tag = "models", operation_id = "getAccuracy",
    params(OfModel, Paging),
    responses(
        (status = 200, description = "A page of measurements.", body = Rows<AccuracyPoint>),
        (status = 404, description = "The model is unknown."),
    ),
)]
pub(super) async fn accuracy(
    State(app): State<App>,
    InPath(path): InPath<OfModel>,
    InQuery(query): InQuery<Paging>,
) -> Result<Json<Rows<AccuracyPoint>>, Problem> {
    let model = app.model(&path.trainer)?;
    let limit = limit(query.limit, app.max_page)?;
    let page = page(query.after, limit)?;
    let found = app.index().accuracy(&model, page).await?;
    let found: Vec<AccuracyPoint> = found.into_iter().map(point).collect();
    let here = format!("/v1/models/{}/accuracy", path.trainer);
    Ok(Json(rows(found, limit, &here, &[], |row| {
        row.contributions.to_string()
    })))
}

/// Sums over all contributions to a model.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TotalsView {
    /// Block after which the sums are these.
    block: u64,
    /// Money that the contract holds: open deposits and prepaid balances, in wei.
    held: Wei,
    /// All deposits that were ever made, in wei.
    deposited: Wei,
    /// Part of the deposits that nobody has claimed yet, in wei.
    open: Wei,
    /// Part of the deposits that their authors took back, in wei.
    refunded: Wei,
    /// Part of the deposits that reporters took, in wei.
    reported: Wei,
    /// Part of the deposits that the owner or anyone took with late claims, in wei.
    claimed_late: Wei,
    contributions: Settlements,
}

/// Numbers of contributions by the state of their deposits.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Settlements {
    /// Nobody has claimed any of the deposit.
    open: u64,
    /// Reporters have taken a part, and the rest is open.
    reported: u64,
    /// The author has taken back the deposit, or what was left of it.
    refunded: u64,
    /// Reporters have taken the whole deposit.
    taken_by_reports: u64,
    /// The owner, or anyone, has taken what was left.
    claimed_late: u64,
}

/// Returns the sums over all contributions to a model.
#[utoipa::path(
    get, path = "/v1/models/{trainer}/totals", tag = "models", operation_id = "getTotals",
    params(OfModel),
    responses(
        (status = 200, description = "The sums.", body = TotalsView),
        (status = 404, description = "The model is unknown."),
    ),
)]
pub(super) async fn totals(
    State(app): State<App>,
    InPath(path): InPath<OfModel>,
    _query: NoQuery,
) -> Result<Json<TotalsView>, Problem> {
    let model = app.model(&path.trainer)?;
    let state = model.state();
    let sums = state.ledger().sums();
    Ok(Json(TotalsView {
        block: state.cursor().block,
        held: state.trainer().held().into(),
        deposited: sums.deposited.into(),
        open: sums.open().into(),
        refunded: sums.refunded.into(),
        reported: sums.reported.into(),
        claimed_late: sums.claimed_late.into(),
        contributions: Settlements {
            open: sums.count(Settled::Open),
            reported: sums.count(Settled::Reported),
            refunded: sums.count(Settled::Refunded),
            taken_by_reports: sums.count(Settled::TakenByReports),
            claimed_late: sums.count(Settled::ClaimedLate),
        },
    }))
}

/// Number of contributions to price.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HowMany {
    /// Number of contributions in one transaction.
    #[param(minimum = 1, maximum = 1_000_000, default = 1)]
    n: Option<u64>,
}

/// Returns the current price of contributions.
#[utoipa::path(
    get, path = "/v1/models/{trainer}/price", tag = "models", operation_id = "getPrice",
    params(OfModel, HowMany),
    responses(
        (status = 200, description = "The deposits.", body = Price),
        (status = 404, description = "The model is unknown."),
    ),
)]
pub(super) async fn price(
    State(app): State<App>,
    InPath(path): InPath<OfModel>,
    InQuery(query): InQuery<HowMany>,
) -> Result<Json<Price>, Problem> {
    let model = app.model(&path.trainer)?;
    let n = query.n.unwrap_or(1);
    if !(1..=1_000_000).contains(&n) {
        return Err(Problem::new(
            &Kind::INVALID_QUERY,
            format!("n is {n}; expected a number from 1 to 1000000"),
        ));
    }
    let time = app.now();
    let summary = model.summary(time);
    let elapsed = time.saturating_sub(summary.last_contribution_time);
    // Each is below 2^92, as the cost weight is below 2^80.
    let each = model.incentive().price(n, elapsed);
    Ok(Json(Price {
        n,
        each: each.into(),
        total: each.saturating_mul(n.into()).into(),
        time,
        block: summary.block,
    }))
}

/// Weights of a model.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Weights {
    /// Block after which the model has these weights.
    block: u64,
    block_hash: Hash,
    /// Words as the contract stores them, 32 bytes each.
    words: Data,
}

/// Headers for the form of the answer, and for the version that the client has.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(
    dead_code,
    reason = "for the document alone: they are read from the headers"
)]
pub(super) struct Conditional {
    /// `ETag` of an answer that the client has: if it is still the same, the answer is 304.
    #[param(rename = "If-None-Match")]
    if_none_match: Option<String>,
}

/// Returns the weights of a model.
///
/// The answer is JSON or, with `Accept: application/octet-stream`, the bytes of the words alone.
#[utoipa::path(
    get, path = "/v1/models/{trainer}/weights", tag = "models", operation_id = "getWeights",
    params(OfModel, Conditional),
    responses(
        (status = 200, description = "The weights.", headers(
            ("ETag" = String, description = "Tag of the block and the form."),
            ("X-Block-Number" = u64, description = "Block after which the model has these weights."),
            ("X-Block-Hash" = String, description = "Hash of this block."),
        ), content(
            (Weights = "application/json"),
            (String = "application/octet-stream"),
        )),
        (status = 304, description = "The weights that the client has are still the same."),
        (status = 404, description = "The model is unknown."),
    ),
)]
pub(super) async fn weights(
    State(app): State<App>,
    InPath(path): InPath<OfModel>,
    _query: NoQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let model = app.model(&path.trainer)?;
    let (block, hash, words) = model.words();
    let raw = wants_bytes(&headers);
    let hash = Hash(hash);
    let tag = format!("\"{hash}{}\"", if raw { "-raw" } else { "" });
    let known = has_tag(&headers, &tag);
    let about = [
        (ETAG, tag),
        (VARY, ACCEPT.to_string()),
        ("x-block-number".parse().unwrap_or(ETAG), block.to_string()),
        ("x-block-hash".parse().unwrap_or(ETAG), hash.to_string()),
    ];
    if known {
        return Ok((StatusCode::NOT_MODIFIED, about).into_response());
    }
    let bytes: Vec<u8> = words.iter().flat_map(U256::to_be_bytes::<32>).collect();
    Ok(if raw {
        let octets = [(CONTENT_TYPE, "application/octet-stream")];
        (about, octets, bytes).into_response()
    } else {
        let weights = Weights {
            block,
            block_hash: hash,
            words: bytes.into(),
        };
        (about, Json(weights)).into_response()
    })
}

/// Returns `true` if a client prefers bytes to JSON.
fn wants_bytes(headers: &HeaderMap) -> bool {
    let of = |media| quality(headers, ACCEPT, media).unwrap_or(0.0);
    of("application/octet-stream") > of("application/json")
}
