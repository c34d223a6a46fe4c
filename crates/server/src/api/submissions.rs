//! Signed batches, delegations, and transactions of the coordinator.

use alloy_primitives::{Address, Bytes};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
};
use cotrain_client::api::{
    Account, DelegationBody, DelegationView, Hash, Relayer, SignedBatchBody, Status, SubmissionView,
};
use cotrain_protocol::trainer::{Delegation, SignedBatch};
use cotrain_relayer::rows::{DelegationRow, Novelty, Progress, Submission};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    app::App,
    extract::{InBody, InPath, InQuery, NoQuery, OfModel},
    kinds::Kind,
    observe,
    page::{Paging, Rows, limit, page, rows},
    problem::Problem,
    views::TransactionView,
};

/// Returns a batch in the contract's form, if its numbers fit.
fn signed_batch(body: SignedBatchBody) -> Result<SignedBatch, Problem> {
    for (name, value, bits) in [
        ("maxDeposit", body.max_deposit.0, 96),
        ("fee", body.fee.0, 96),
        ("nonce", body.nonce.into(), 48),
        ("deadline", body.deadline.into(), 40),
    ] {
        if value >> bits != 0 {
            let detail = format!("{name} is {value}; expected a number below 2^{bits}");
            return Err(Problem::new(&Kind::INVALID_REQUEST, detail).with("field", name));
        }
    }
    signature_fits(&body.signature.0)?;
    Ok(SignedBatch {
        author: body.author.0,
        relayer: body.relayer.map_or(Address::ZERO, |relayer| relayer.0),
        max_deposit: body.max_deposit.0,
        fee: body.fee.0,
        nonce: body.nonce,
        deadline: body.deadline,
        items: body.items.0.to_vec(),
        signature: body.signature.0.to_vec(),
    })
}

fn signature_fits(signature: &Bytes) -> Result<(), Problem> {
    if u16::try_from(signature.len()).is_ok() {
        return Ok(());
    }
    let detail = format!(
        "signature has {} bytes; expected at most 65535",
        signature.len()
    );
    Err(Problem::new(&Kind::INVALID_REQUEST, detail).with("field", "signature"))
}

/// Returns the view of a submission for its author, who knows its id.
fn submission_view(submission: Submission) -> SubmissionView {
    let batch = submission.batch;
    let is_public = matches!(submission.progress, Progress::Included { .. });
    let (status, transaction, block, position, reason) = match submission.progress {
        Progress::Waiting => (Status::Waiting, None, None, None, None),
        Progress::Sent { transaction } => (Status::Sent, transaction, None, None, None),
        Progress::Included {
            transaction,
            block,
            position,
        } => (
            Status::Included,
            Some(transaction),
            Some(block),
            Some(position),
            None,
        ),
        Progress::Refused { reason } => (Status::Refused, None, None, None, Some(reason)),
    };
    SubmissionView {
        id: Some(submission.id.into()),
        trainer: submission.trainer.into(),
        author: batch.author.into(),
        nonce: batch.nonce,
        relayer: is_public.then_some(Relayer(batch.relayer)),
        max_deposit: is_public.then(|| batch.max_deposit.into()),
        fee: is_public.then(|| batch.fee.into()),
        deadline: is_public.then_some(batch.deadline),
        items: is_public.then(|| batch.items.into()),
        contributions: submission.contributions,
        received: submission.received,
        status,
        transaction: transaction.map(Hash),
        block,
        position,
        reason,
    }
}

/// Row of a public list. It leaves the id out: the id is a hash of the contents, so strangers could
/// confirm guesses.
struct Listed {
    /// Number by which pages continue.
    row: i64,
    submission: Submission,
}

impl From<Listed> for SubmissionView {
    fn from(Listed { submission, .. }: Listed) -> Self {
        let is_public = matches!(submission.progress, Progress::Included { .. });
        let view = submission_view(submission);
        Self {
            id: view.id.filter(|_| is_public),
            ..view
        }
    }
}

/// Takes a signed batch.
///
/// The signed batch is stored before the answer, and relayed together with others. Submitting it
/// again returns its state.
#[utoipa::path(
    post, path = "/v1/models/{trainer}/submissions", tag = "submissions", operation_id = "submitBatch",
    params(OfModel),
    request_body = SignedBatchBody,
    responses(
        (status = 202, description = "The signed batch is taken.", body = SubmissionView,
            headers(("Location" = String, description = "Path of the signed batch's state."))),
        (status = 200, description = "The signed batch was taken before.", body = SubmissionView,
            headers(("Location" = String, description = "Path of the signed batch's state."))),
        (status = 404, description = "The model is unknown, or nothing is relayed here."),
        (status = 409, description = "The nonce is used, or another signed batch is pending with it; `nextNonce` is free."),
        (status = 422, description = "The contract would reject the signed batch, or the relayer's fee is too low."),
    ),
)]
pub(super) async fn submit(
    State(app): State<App>,
    InPath(path): InPath<OfModel>,
    _query: NoQuery,
    InBody(body): InBody<SignedBatchBody>,
) -> Result<Response, Problem> {
    let taken = take(&app, &path.trainer, body).await;
    observe::submission(taken.as_ref().map_or_else(Problem::slug, |(status, _)| {
        if *status == StatusCode::OK {
            "known"
        } else {
            "accepted"
        }
    }));
    let (status, submission) = taken?;
    let location = format!("/v1/submissions/{}", Hash(submission.id));
    let view = submission_view(submission);
    Ok((status, [(LOCATION, location)], Json(view)).into_response())
}

async fn take(
    app: &App,
    trainer: &Account,
    body: SignedBatchBody,
) -> Result<(StatusCode, Submission), Problem> {
    let model = app.model(trainer)?;
    let batch = signed_batch(body)?;
    let (submission, novelty) = app.relayer().submit(&model, batch).await?;
    let status = match novelty {
        Novelty::New => StatusCode::ACCEPTED,
        Novelty::Known => StatusCode::OK,
    };
    Ok((status, submission))
}

/// Selection of submissions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Authors {
    /// Only signed batches of this author.
    #[param(inline)]
    author: Option<Account>,
    /// Only signed batches after this id, which the path of the next page contains.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    after: Option<u64>,
    /// Maximum number of rows.
    #[param(minimum = 1, default = 100)]
    limit: Option<u32>,
}

/// Returns the signed batches for a model, in the order in which they were taken.
#[utoipa::path(
    get, path = "/v1/models/{trainer}/submissions", tag = "submissions", operation_id = "listSubmissions",
    params(OfModel, Authors),
    responses(
        (status = 200, description = "A page of submissions.", body = Rows<SubmissionView>),
        (status = 404, description = "The model is unknown."),
    ),
)]
pub(super) async fn list(
    State(app): State<App>,
    InPath(path): InPath<OfModel>,
    InQuery(query): InQuery<Authors>,
) -> Result<Json<Rows<SubmissionView>>, Problem> {
    let model = app.model(&path.trainer)?;
    let limit = limit(query.limit, app.max_page)?;
    let page = page(query.after, limit)?;
    let author = query.author.as_ref().map(|author| author.0);
    let found = app.relayer().submissions(&model, author, page).await?;
    let found = found.into_iter();
    let found = found.map(|(row, submission)| Listed { row, submission });
    let filters = [("author", query.author.map(|author| author.to_string()))];
    let here = format!("/v1/models/{}/submissions", path.trainer);
    Ok(Json(rows(
        found.collect(),
        limit,
        &here,
        &filters,
        |listed| listed.row.to_string(),
    )))
}

/// A submission by its id.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfSubmission {
    /// EIP-712 hash that the author signed.
    #[param(inline)]
    id: Hash,
}

/// Returns the state of a signed batch.
#[utoipa::path(
    get, path = "/v1/submissions/{id}", tag = "submissions", operation_id = "getSubmission",
    params(OfSubmission),
    responses(
        (status = 200, description = "The submission.", body = SubmissionView),
        (status = 404, description = "No signed batch with that id was taken here."),
    ),
)]
pub(super) async fn one(
    State(app): State<App>,
    InPath(path): InPath<OfSubmission>,
    _query: NoQuery,
) -> Result<Json<SubmissionView>, Problem> {
    let found = app.relayer().submission(path.id.0).await?;
    found
        .map(|submission| Json(submission_view(submission)))
        .ok_or_else(|| {
            let detail = format!("no signed batch with the id {} was taken here", path.id);
            Problem::new(&Kind::UNKNOWN_SUBMISSION, detail)
        })
}

fn delegation_view(row: DelegationRow) -> DelegationView {
    DelegationView {
        account: row.account.into(),
        until: row.until,
        received: row.received,
    }
}

/// Lets the keeper report for an account.
///
/// A later delegation replaces an earlier one.
#[utoipa::path(
    post, path = "/v1/models/{trainer}/delegations", tag = "accounts", operation_id = "delegate",
    params(OfModel),
    request_body = DelegationBody,
    responses(
        (status = 200, description = "The delegation is taken.", body = DelegationView),
        (status = 404, description = "The model is unknown, or the coordinator has no keeper."),
        (status = 409, description = "The account's state does not allow the delegation."),
        (status = 422, description = "The contract would reject the delegation."),
    ),
)]
pub(super) async fn delegate(
    State(app): State<App>,
    InPath(path): InPath<OfModel>,
    _query: NoQuery,
    InBody(body): InBody<DelegationBody>,
) -> Result<Json<DelegationView>, Problem> {
    let model = app.model(&path.trainer)?;
    if body.until >> 40 != 0 {
        let detail = format!("until is {}; expected a number below 2^40", body.until);
        return Err(Problem::new(&Kind::INVALID_REQUEST, detail).with("field", "until"));
    }
    signature_fits(&body.signature.0)?;
    let delegation = Delegation {
        reporter: body.reporter.0,
        keeper: body.keeper.0,
        until: body.until,
        signature: body.signature.0.to_vec(),
    };
    let row = app.relayer().delegate(&model, delegation).await?;
    Ok(Json(delegation_view(row)))
}

/// A delegation by its account.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfDelegation {
    /// Address of the model's trainer.
    #[param(inline)]
    trainer: Account,
    /// Address of the account.
    #[param(inline)]
    account: Account,
}

/// Returns the delegation of an account to the keeper.
#[utoipa::path(
    get, path = "/v1/models/{trainer}/delegations/{account}", tag = "accounts", operation_id = "getDelegation",
    params(OfDelegation),
    responses(
        (status = 200, description = "The delegation.", body = DelegationView),
        (status = 404, description = "The model is unknown, or the account delegates nothing."),
    ),
)]
pub(super) async fn delegation(
    State(app): State<App>,
    InPath(path): InPath<OfDelegation>,
    _query: NoQuery,
) -> Result<Json<DelegationView>, Problem> {
    let model = app.model(&path.trainer)?;
    let found = app.relayer().delegation(&model, path.account.0).await?;
    found.map(|row| Json(delegation_view(row))).ok_or_else(|| {
        let detail = format!("{} delegates nothing to the keeper here", path.account);
        Problem::new(&Kind::UNKNOWN_DELEGATION, detail)
    })
}

/// Returns the transactions that the coordinator sent, by id.
#[utoipa::path(
    get, path = "/v1/transactions", tag = "transactions", operation_id = "listTransactions",
    params(Paging),
    responses((status = 200, description = "A page of transactions.", body = Rows<TransactionView>)),
)]
pub(super) async fn transactions(
    State(app): State<App>,
    InQuery(query): InQuery<Paging>,
) -> Result<Json<Rows<TransactionView>>, Problem> {
    let limit = limit(query.limit, app.max_page)?;
    let page = page(query.after, limit)?;
    let found = app.relayer().transactions(page).await?;
    Ok(Json(rows(found, limit, "/v1/transactions", &[], |row| {
        row.id.to_string()
    })))
}
