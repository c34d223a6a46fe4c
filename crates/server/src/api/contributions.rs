//! Contributions with their claims, and accounts.

use std::sync::Arc;

use axum::{Json, extract::State};
use cotrain_client::api::{Account, AccountAnswer, Data};
use cotrain_indexer::{HostedModel, rows::ContributionFilter};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    app::App,
    extract::{InPath, InQuery, NoQuery, OfAccount, OfContribution, OfModel},
    kinds::Kind,
    page::{MAX, Rows, limit, page, rows},
    problem::Problem,
    views::{ClaimView, ClaimableView, ContributionView},
};

/// Selection of contributions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Only contributions of this author.
    #[param(inline)]
    author: Option<Account>,
    /// Only contributions with this label.
    #[param(minimum = 0, maximum = 65535)]
    label: Option<u16>,
    /// Only contributions with a part of the deposit left (true) or with none (false).
    open: Option<bool>,
    /// Only contributions after this position.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    after: Option<u64>,
    /// Maximum number of rows.
    #[param(minimum = 1, default = 100)]
    limit: Option<u32>,
}

/// Returns the contributions of a model, by position.
#[utoipa::path(
    get, path = "/v1/models/{trainer}/contributions", tag = "contributions", operation_id = "listContributions",
    params(OfModel, Filter),
    responses(
        (status = 200, description = "A page of contributions.", body = Rows<ContributionView>),
        (status = 404, description = "The model is unknown."),
    ),
)]
pub(super) async fn list(
    State(app): State<App>,
    InPath(path): InPath<OfModel>,
    InQuery(query): InQuery<Filter>,
) -> Result<Json<Rows<ContributionView>>, Problem> {
    let model = app.model(&path.trainer)?;
    let limit = limit(query.limit, app.max_page)?;
    let page = page(query.after, limit)?;
    let filter = ContributionFilter {
        author: query.author.as_ref().map(|author| author.0),
        label: query.label,
        open: query.open,
    };
    let found = app.index().contributions(&model, filter, page).await?;
    let filters = [
        ("author", query.author.map(|author| author.to_string())),
        ("label", query.label.map(|label| label.to_string())),
        ("open", query.open.map(|open| open.to_string())),
    ];
    let here = format!("/v1/models/{}/contributions", path.trainer);
    Ok(Json(rows(found, limit, &here, &filters, |row| {
        row.contribution.position.to_string()
    })))
}

/// Returns a contribution.
#[utoipa::path(
    get, path = "/v1/models/{trainer}/contributions/{position}", tag = "contributions", operation_id = "getContribution",
    params(OfContribution),
    responses(
        (status = 200, description = "The contribution.", body = ContributionView),
        (status = 404, description = "The model or the contribution is unknown."),
    ),
)]
pub(super) async fn one(
    State(app): State<App>,
    InPath(path): InPath<OfContribution>,
    _query: NoQuery,
) -> Result<Json<ContributionView>, Problem> {
    let model = model_of(&app, &path)?;
    let found = app.index().contribution(&model, path.position).await?;
    found
        .map(|row| Json(row.into()))
        .ok_or_else(|| unknown(&path))
}

/// Successful claims of a contribution.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Claims {
    /// Claims in the order of their transactions.
    rows: Vec<ClaimView>,
}

/// Returns the successful claims of a contribution.
#[utoipa::path(
    get, path = "/v1/models/{trainer}/contributions/{position}/claims", tag = "contributions", operation_id = "listClaims",
    params(OfContribution),
    responses(
        (status = 200, description = "The claims.", body = Claims),
        (status = 404, description = "The model or the contribution is unknown."),
    ),
)]
pub(super) async fn claims(
    State(app): State<App>,
    InPath(path): InPath<OfContribution>,
    _query: NoQuery,
) -> Result<Json<Claims>, Problem> {
    let model = model_of(&app, &path)?;
    if app
        .index()
        .contribution(&model, path.position)
        .await?
        .is_none()
    {
        return Err(unknown(&path));
    }
    let found = app.index().claims_of(&model, path.position).await?;
    let rows = found.into_iter().map(ClaimView::from).collect();
    Ok(Json(Claims { rows }))
}

/// Argument of a claim.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Proof {
    position: u64,
    /// Argument of `refund`, `report` and `claimLate` for this contribution alone.
    claims: Data,
}

/// Returns the argument of `refund`, `report` and `claimLate` for a contribution.
///
/// The argument contains the contribution and the proof that it was made.
#[utoipa::path(
    get, path = "/v1/models/{trainer}/contributions/{position}/proof", tag = "contributions", operation_id = "getProof",
    params(OfContribution),
    responses(
        (status = 200, description = "The argument.", body = Proof),
        (status = 404, description = "The model or the contribution is unknown."),
    ),
)]
pub(super) async fn proof(
    State(app): State<App>,
    InPath(path): InPath<OfContribution>,
    _query: NoQuery,
) -> Result<Json<Proof>, Problem> {
    let model = model_of(&app, &path)?;
    let found = app.index().proof(&model, path.position).await?;
    let claims = found.ok_or_else(|| unknown(&path))?.into();
    Ok(Json(Proof {
        position: path.position,
        claims,
    }))
}

/// Returns an account of a model's trainer; an unused account has a balance of 0.
#[utoipa::path(
    get, path = "/v1/models/{trainer}/accounts/{address}", tag = "accounts", operation_id = "getAccount",
    params(OfAccount),
    responses(
        (status = 200, description = "The account.", body = AccountAnswer),
        (status = 404, description = "The model is unknown."),
    ),
)]
pub(super) async fn account(
    State(app): State<App>,
    InPath(path): InPath<OfAccount>,
    _query: NoQuery,
) -> Result<Json<AccountAnswer>, Problem> {
    let model = app.model(&path.trainer)?;
    let view = app.relayer().account(&model, path.address.0).await?;
    Ok(Json(AccountAnswer {
        address: path.address,
        balance: view.balance.into(),
        committed: view.committed.into(),
        good: view.good,
        next_nonce: view.next_nonce,
    }))
}

/// Size of an answer.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Limit {
    /// Maximum number of rows.
    #[param(minimum = 1, default = 100)]
    limit: Option<u32>,
}

/// Claims of an address, possible now or later.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClaimableRows {
    /// Claims, up to the requested maximum.
    rows: Vec<ClaimableView>,
}

/// Returns the claims that an address can make of a model's contributions, now or later.
#[utoipa::path(
    get, path = "/v1/models/{trainer}/accounts/{address}/claimable", tag = "accounts", operation_id = "listClaimable",
    params(OfAccount, Limit),
    responses(
        (status = 200, description = "The possible claims.", body = ClaimableRows),
        (status = 404, description = "The model is unknown."),
    ),
)]
pub(super) async fn claimable(
    State(app): State<App>,
    InPath(path): InPath<OfAccount>,
    InQuery(query): InQuery<Limit>,
) -> Result<Json<ClaimableRows>, Problem> {
    let model = app.model(&path.trainer)?;
    let limit = limit(query.limit, app.max_page)?;
    let found = app.index().claimable(&model, path.address.0, limit).await?;
    // The index returns up to `limit` of the account's own contributions, and up to `limit` of
    // others.
    let found = found.into_iter().take(limit as usize);
    let rows = found.map(ClaimableView::from).collect();
    Ok(Json(ClaimableRows { rows }))
}

/// Returns the late claims that an address can make of a model's open deposits, now or later.
///
/// The owner may make them first, and anyone later: `ownerClaim` and `anyAddressClaim` of the waits.
#[utoipa::path(
    get, path = "/v1/models/{trainer}/accounts/{address}/late-claims", tag = "accounts", operation_id = "listLateClaims",
    params(OfAccount, Limit),
    responses(
        (status = 200, description = "The late claims, by position.", body = ClaimableRows),
        (status = 404, description = "The model is unknown."),
    ),
)]
pub(super) async fn late(
    State(app): State<App>,
    InPath(path): InPath<OfAccount>,
    InQuery(query): InQuery<Limit>,
) -> Result<Json<ClaimableRows>, Problem> {
    let model = app.model(&path.trainer)?;
    let limit = limit(query.limit, app.max_page)?;
    let found = app.index().late(&model, path.address.0, limit).await?;
    let rows = found.into_iter().map(ClaimableView::from).collect();
    Ok(Json(ClaimableRows { rows }))
}

/// Returns the model of a contribution, if the model is known and the position is in range.
fn model_of(app: &App, path: &OfContribution) -> Result<Arc<HostedModel>, Problem> {
    if path.position > MAX {
        let detail = format!(
            "position is {}; expected a number from 0 to {MAX}",
            path.position
        );
        return Err(Problem::new(&Kind::INVALID_PATH, detail));
    }
    app.model(&path.trainer)
}

fn unknown(path: &OfContribution) -> Problem {
    let detail = format!(
        "{} has no contribution at position {}, or it has not been read yet",
        path.trainer, path.position
    );
    Problem::new(&Kind::UNKNOWN_CONTRIBUTION, detail).with("position", path.position)
}
