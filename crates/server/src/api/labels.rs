//! Labeling sessions: open, teach, ask, predict and close.

mod body;
mod call;
mod discovery;
mod payment;
pub(super) mod pools;
pub(super) mod publish;
mod rows;
pub(super) mod snapshots;
mod view;

use axum::{
    Json,
    extract::State,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, LOCATION},
    },
    response::{IntoResponse, Response},
};
use cotrain_active::session::{Session, SessionError};

use self::{
    body::{ModelForm, ModelQuery, OpenBody, QuotesBody, UnitsBody},
    call::{Call, Faults, KeyHeader, OfSession, json, no_store},
    rows::{DecisionsBody, ExamplesBody, PredictionsBody, QueriesBody},
    view::{
        BoughtView, ClosedView, DecisionsView, OpenedView, PredictionsView, QueriesView,
        QuotesView, SessionView, TrainedView,
    },
};
pub(super) use self::{
    call::IDEMPOTENCY_KEY,
    payment::{EXPOSED, PAYMENT_SIGNATURE},
};
use super::{
    app::App,
    extract::{InBody, InPath, InQuery, NoQuery},
    facilitator::SettledPayment,
    kinds::Kind,
    problem::Problem,
};
use crate::labels::{Asked, Refusal};

/// Returns the prices of all work, and the units of the work that the body describes.
///
/// A unit is the price of one row decided on by logistic regression, with up to 64 features. Each
/// call is rounded up to whole units. `sales` says what units cost; if it is empty, they are free.
#[utoipa::path(
    post, path = "/v1/label/quotes", tag = "labels", operation_id = "quoteLabels",
    request_body(content = QuotesBody, example = json!({"learner": "logistic", "features": 64, "train": 5, "decide": 100})),
    responses(
        (status = 200, description = "The prices and bounds.", body = QuotesView),
        (status = 404, description = "No labeling sessions are opened here."),
    ),
)]
pub(super) async fn quote(
    State(app): State<App>,
    _query: NoQuery,
    InBody(body): InBody<QuotesBody>,
) -> Result<Json<QuotesView>, Problem> {
    body.check()?;
    let (prices, section) = (app.labels().prices()?, app.labels().section()?);
    let sales = app.labels().payments()?.prices();
    Ok(Json(QuotesView::new(prices, section, sales, &body)?))
}

/// Opens a labeling session.
///
/// Only its token, which is in this answer and nowhere else, lets its holder call it. The session is
/// in memory only. It is deleted when it is closed, or after some time without a call.
#[utoipa::path(
    post, path = "/v1/label/sessions", tag = "labels", operation_id = "openSession",
    request_body(content = OpenBody, example = json!({"features": 2, "classes": 2})),
    responses(
        (status = 201, description = "The session is open.", body = OpenedView,
            headers(("Location" = String, description = "Path of the session's state."))),
        (status = 400, description = "The payment is malformed."),
        (status = 402, description = "The opening must be paid for, and the answer has the offers; or it costs more units than the session may spend."),
        (status = 404, description = "No labeling sessions are opened here."),
        (status = 409, description = "The payment was used before."),
        (status = 422, description = "The body does not match the schema, or its parts do not fit each other."),
        (status = 429, description = "This client makes too many requests, or has too many sessions."),
        (status = 503, description = "Too many requests run at the same time, or sessions take as much room as they may. Or nobody knows yet whether the payment counts: do not pay again, and repeat the call."),
    ),
)]
pub(super) async fn open(
    State(app): State<App>,
    _query: NoQuery,
    call: Call<OpenBody>,
) -> Result<Response, Problem> {
    let labels = app.labels();
    labels.section()?;
    let (caller, body) = call.of()?;
    let units = body.units;
    let opened = labels.open(caller, body.opening()?, units).await?;
    let location = (LOCATION, format!("/v1/label/sessions/{}", opened.id));
    let headers = payment::headers(opened.receipt, opened.response.as_ref());
    let body = Json(OpenedView::from(opened));
    Ok((StatusCode::CREATED, [location, no_store()], headers, body).into_response())
}

/// Buys units for a labeling session. Anyone may pay; only the session's opener can spend them.
///
/// The first call has no payment, and is answered by 402 with offers. The same call with a payment
/// for one of them buys the units.
#[utoipa::path(
    post, path = "/v1/label/sessions/{session}/units", tag = "labels", operation_id = "buyUnits",
    params(OfSession),
    request_body(content = UnitsBody, example = json!({"units": 1000})),
    responses(
        (status = 200, description = "The units are bought.", body = BoughtView),
        (status = 400, description = "The payment is malformed."),
        (status = 401, description = "The proof in `Authorization` is malformed."),
        (status = 402, description = "The units must be paid for; the answer has the offers."),
        (status = 404, description = "The session is unknown, or nothing is sold here."),
        (status = 409, description = "The payment was used for something else."),
        (status = 503, description = "Nobody knows yet whether the payment counts. Do not pay again; repeat the call."),
    ),
)]
pub(super) async fn buy(
    State(app): State<App>,
    InPath(path): InPath<OfSession>,
    _query: NoQuery,
    call: Call<UnitsBody>,
) -> Result<Response, Problem> {
    let (caller, body) = call.of()?;
    let units = body.units()?;
    let bought = app.labels().buy(&path.session, caller, units).await;
    let (receipt, response) = bought?;
    let headers = payment::headers(receipt, response.as_ref());
    let view = Json(BoughtView::new(receipt, response.as_ref()));
    Ok(([no_store()], headers, view).into_response())
}

/// Returns the state of a labeling session. It is free.
#[utoipa::path(
    get, path = "/v1/label/sessions/{session}", tag = "labels", operation_id = "getSession",
    params(OfSession), security(("session" = [])),
    responses(
        (status = 200, description = "The state.", body = SessionView),
        (status = 401, description = "The token is missing, or not that of the session."),
        (status = 404, description = "The session is unknown."),
    ),
)]
pub(super) async fn state(
    State(app): State<App>,
    InPath(path): InPath<OfSession>,
    _query: NoQuery,
    call: Call,
) -> Result<Response, Problem> {
    let labels = app.labels();
    let entry = labels.find(&path.session, call.presented())?;
    let expires = labels.expires(&entry)?;
    let view = labels
        .read(&entry, |session, receipt| {
            SessionView::new(session, receipt, expires)
        })
        .await;
    Ok(([no_store()], Json(view)).into_response())
}

/// Teaches a labeling session labeled rows, and further opinions about earlier ones.
///
/// A row may have opinions of several annotators. The model learns from their consensus.
#[utoipa::path(
    post, path = "/v1/label/sessions/{session}/examples", tag = "labels", operation_id = "teachSession",
    params(OfSession, KeyHeader),
    security(("session" = [])),
    request_body(content = ExamplesBody, example = json!({"rows": [{"x": [0.5, 1.0], "y": 1}]})),
    responses(
        (status = 200, description = "The model has learned.", body = TrainedView),
        Faults,
    ),
)]
pub(super) async fn train(
    State(app): State<App>,
    InPath(path): InPath<OfSession>,
    _query: NoQuery,
    call: Call<ExamplesBody>,
) -> Result<Response, Problem> {
    let (session, body) = call.on(&app, &path)?;
    let (examples, asked) = body.checked()?;
    let check = move |session: &Session| {
        let batch = examples.batch(session)?;
        session.check_training(&batch)?;
        Ok(move |session: &Session, spent| session.train(&batch, spent))
    };
    let view = |trained, receipt| TrainedView::new(&trained, receipt);
    session.work(asked, check, view).await
}

/// Decides for each row of a stream whether it is worth a label.
///
/// The session's threshold or budget decides, in the order of the rows. With a model of one's own, send
/// its probabilities instead of rows.
#[utoipa::path(
    post, path = "/v1/label/sessions/{session}/decisions", tag = "labels", operation_id = "decideInSession",
    params(OfSession, KeyHeader),
    security(("session" = [])),
    request_body(content = DecisionsBody, example = json!({"rows": [[0.5, 1.0]]})),
    responses(
        (status = 200, description = "A decision for each row.", body = DecisionsView),
        Faults,
    ),
)]
pub(super) async fn decide(
    State(app): State<App>,
    InPath(path): InPath<OfSession>,
    _query: NoQuery,
    call: Call<DecisionsBody>,
) -> Result<Response, Problem> {
    let (session, body) = call.on(&app, &path)?;
    let input = body.input()?;
    let rows = rows::count(&input);
    let check = move |session: &Session| {
        session.check_stream(&input)?;
        Ok(move |session: &Session, _| session.decide(&input))
    };
    let asked = Asked::Deciding { rows };
    session.work(asked, check, DecisionsView::new).await
}

/// Chooses rows of a pool that are worth a label.
///
/// Every row of the pool is looked at, and so every one is charged. The answer has the indices of the
/// rows, the one that is worth most first.
#[utoipa::path(
    post, path = "/v1/label/sessions/{session}/queries", tag = "labels", operation_id = "askSession",
    params(OfSession, KeyHeader),
    security(("session" = [])),
    request_body(content = QueriesBody, example = json!({"rows": [[0.5, 1.0], [0.0, 0.5]], "count": 1})),
    responses(
        (status = 200, description = "The chosen rows.", body = QueriesView),
        Faults,
    ),
)]
pub(super) async fn query(
    State(app): State<App>,
    InPath(path): InPath<OfSession>,
    _query: NoQuery,
    call: Call<QueriesBody>,
) -> Result<Response, Problem> {
    let (session, body) = call.on(&app, &path)?;
    let question = body.question()?;
    let asked = question.asked();
    let check = move |session: &Session| {
        question.check(session)?;
        Ok(move |session: &Session, _| question.ask(session))
    };
    let view = |chosen: Vec<usize>, receipt| QueriesView::new(&chosen, receipt);
    session.work(asked, check, view).await
}

/// Returns the probabilities of rows, without a decision about labels.
#[utoipa::path(
    post, path = "/v1/label/sessions/{session}/predictions", tag = "labels", operation_id = "predictInSession",
    params(OfSession, KeyHeader),
    security(("session" = [])),
    request_body(content = PredictionsBody, example = json!({"rows": [[0.5, 1.0]]})),
    responses(
        (status = 200, description = "The probabilities of each row.", body = PredictionsView),
        Faults,
    ),
)]
pub(super) async fn predict(
    State(app): State<App>,
    InPath(path): InPath<OfSession>,
    _query: NoQuery,
    call: Call<PredictionsBody>,
) -> Result<Response, Problem> {
    let (session, body) = call.on(&app, &path)?;
    let rows = body.rows()?;
    let asked = Asked::Deciding { rows: rows.nrows() };
    let check = move |session: &Session| {
        session.check_rows(&rows)?;
        Ok(move |session: &Session, _| Ok((session.clone(), session.predict(&rows)?)))
    };
    let view = |predicted, receipt| PredictionsView::new(&predicted, receipt);
    session.work(asked, check, view).await
}

/// Returns the model of a labeling session, which its owner takes along. It is free.
#[utoipa::path(
    get, path = "/v1/label/sessions/{session}/model", tag = "labels", operation_id = "getSessionModel",
    params(OfSession, ModelQuery), security(("session" = [])),
    responses(
        (status = 200, description = "The model, as JSON or as an ONNX file.", content(
            (Object = "application/json"), (String = "application/octet-stream"))),
        (status = 401, description = "The token is missing, or not that of the session."),
        (status = 404, description = "The session is unknown."),
        (status = 422, description = "The session has no model, or the model has learned nothing yet."),
    ),
)]
pub(super) async fn model(
    State(app): State<App>,
    InPath(path): InPath<OfSession>,
    InQuery(query): InQuery<ModelQuery>,
    call: Call,
) -> Result<Response, Problem> {
    let labels = app.labels();
    let entry = labels.find(&path.session, call.presented())?;
    let made = labels.make(&entry, move |session| {
        let model = session.model().ok_or(SessionError::NoModel);
        let model = model.map_err(|error| Problem::from(Refusal::from(error)))?;
        let model = model.export().ok_or_else(|| {
            let detail = "a contract's classifier has no file; `publish` plans its deployment";
            Problem::new(&Kind::LABELING_REJECTED, detail)
        })?;
        match query.form {
            ModelForm::Json => Ok(json(&model)),
            ModelForm::Onnx => model
                .to_onnx()
                .map_err(|error| Problem::new(&Kind::LABELING_REJECTED, error)),
        }
    });
    let made = made.await??;
    let content = match query.form {
        ModelForm::Json => "application/json",
        ModelForm::Onnx => "application/octet-stream",
    };
    let content = (CONTENT_TYPE, content.to_owned());
    Ok(([content, no_store()], made).into_response())
}

/// Closes a labeling session: its rows, labels and model are deleted. It is free.
#[utoipa::path(
    post, path = "/v1/label/sessions/{session}/close", tag = "labels", operation_id = "closeSession",
    params(OfSession), security(("session" = [])),
    responses(
        (status = 200, description = "The session is deleted.", body = ClosedView),
        (status = 401, description = "The token is missing, or not that of the session."),
        (status = 402, description = "The session was opened by a channel, and neither token nor voucher proves it."),
        (status = 404, description = "The session is unknown."),
        (status = 503, description = "The ledger cannot be written now. The session is deleted; repeat the call for its money."),
    ),
)]
pub(super) async fn close(
    State(app): State<App>,
    InPath(path): InPath<OfSession>,
    _query: NoQuery,
    call: Call,
) -> Result<Response, Problem> {
    let closed = app.labels().close(&path.session, call.caller()).await?;
    let headers = payment::headers(closed.receipt, None);
    Ok(([no_store()], headers, Json(ClosedView::from(closed))).into_response())
}

/// Returns what a payer's channel holds and was not charged, as the official client asks for it.
///
/// Without a payment, the answer is 402 with the offer on which a client signs its payload of type
/// `refund`. With one, the rest is on its way back when the answer comes. Sessions may stay open.
#[utoipa::path(
    get, path = "/v1/label/refund", tag = "labels", operation_id = "refundChannel",
    responses(
        (status = 200, description = "The rest went back.", body = SettledPayment),
        (status = 402, description = "The call must bring a refund of a channel, or it is not accepted."),
        (status = 404, description = "Nothing is sold by channels here."),
    ),
)]
pub(super) async fn refund(
    State(app): State<App>,
    _query: NoQuery,
    call: Call,
) -> Result<Response, Problem> {
    let settled = app.labels().give_back(call.caller()).await?;
    Ok(([no_store()], payment::settled(&settled), Json(settled)).into_response())
}
