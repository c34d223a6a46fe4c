//! Reads of the chain for those who have no node: a few methods of JSON-RPC, forwarded.

mod methods;

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse, Response},
};
use cotrain_chain::node::Refusal;
use cotrain_client::card::PublishedCard;
use cotrain_learning::text::escaped_to;
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use utoipa::{
    ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::SchemaType},
};

use self::methods::{METHODS, find};
use super::{
    app::App,
    extract::{InBody, NoQuery},
    kinds::Kind,
    limits::Quota,
    observe,
    problem::Problem,
};

/// Maximum size of a request's body, in bytes. A call of the largest batch fits twice.
pub(super) const MAX_BODY: usize = 256 << 10;

/// Maximum number of requests in a batch.
const MAX_BATCH: usize = 20;

/// Maximum size of all results of a body, in bytes.
const MAX_ANSWERS: usize = 4 << 20;

/// Maximum length of strangers' or the node's text in a message, in characters.
const MAX_TEXT: usize = 200;

/// JSON-RPC's codes of errors, and that of EIP-1474 for a limit.
const INVALID_REQUEST: i64 = -32_600;
const NO_METHOD: i64 = -32_601;
const INVALID_PARAMETERS: i64 = -32_602;
const INTERNAL: i64 = -32_603;
const LIMIT: i64 = -32_005;

/// Request of JSON-RPC 2.0, or an array of up to 20.
pub(super) struct Requests;

impl utoipa::PartialSchema for Requests {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::AnyValue)
            .description(Some("An object of JSON-RPC 2.0, or an array of up to 20."))
            .into()
    }
}

impl ToSchema for Requests {}

/// Answer to one request.
#[derive(Debug, Serialize)]
struct Answer {
    jsonrpc: &'static str,
    id: Value,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Result(Box<RawValue>),
    Error(Fault),
}

/// Error of JSON-RPC.
#[derive(Debug, Serialize)]
struct Fault {
    code: i64,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
}

impl Fault {
    fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }
}

impl From<Refusal> for Fault {
    /// Wallets and libraries read code and data of a revert, so both stay.
    fn from(refusal: Refusal) -> Self {
        Self {
            code: refusal.code,
            message: escaped_to(&refusal.message, MAX_TEXT).to_string(),
            data: refusal.data.filter(|data| data.get().len() <= MAX_BODY),
        }
    }
}

/// Forwards reads of the chain to the coordinator's node.
///
/// The body is a request of JSON-RPC 2.0, or an array of up to 20. Only methods that read are
/// forwarded; others get the error -32601. Refusals of the node are errors of JSON-RPC too.
#[utoipa::path(
    post, path = "/rpc", tag = "chain", operation_id = "rpc",
    request_body(content = Requests, example = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []})),
    responses(
        (status = 200, description = "The answer of JSON-RPC, or an array of answers in the order of the requests.", body = Requests),
        (status = 404, description = "The coordinator forwards nothing: `api.rpc` is false."),
    ),
)]
pub(super) async fn rpc(
    State(app): State<App>,
    _query: NoQuery,
    quota: Option<Extension<Quota>>,
    InBody(body): InBody<Value>,
) -> Result<Response, Problem> {
    let Some(permits) = &app.rpc else {
        let detail = "this coordinator forwards no reads to its node; its operator can set `api.rpc`, or ask a node of your own";
        return Err(Problem::new(&Kind::NOT_SERVED, detail));
    };
    let Ok(_permit) = permits.try_acquire() else {
        let detail = "too many reads of the chain are being worked on; try again";
        return Err(Problem::new(&Kind::OVERLOADED, detail).retry_after(1));
    };
    let mut left = MAX_ANSWERS;
    let requests = match body {
        Value::Array(requests) if (1..=MAX_BATCH).contains(&requests.len()) => requests,
        Value::Array(requests) => {
            let message = format!(
                "the batch has {} requests, expected 1 to {MAX_BATCH}",
                requests.len()
            );
            let fault = Fault::new(INVALID_REQUEST, message);
            return Ok(Json(answer(Value::Null, Err(fault))).into_response());
        }
        request => return Ok(Json(one(&app, request, &mut left).await).into_response()),
    };
    // The request itself was counted already.
    let further = u32::try_from(requests.len() - 1).unwrap_or(u32::MAX);
    if quota.is_some_and(|Extension(quota)| !quota.take(further)) {
        let detail = "each request of the batch counts against your rate, and it allows no more now; wait, or send fewer at a time";
        return Err(Problem::new(&Kind::RATE_LIMITED, detail).retry_after(1));
    }
    let mut answers = Vec::with_capacity(requests.len());
    for request in requests {
        answers.push(one(&app, request, &mut left).await);
    }
    Ok(Json(answers).into_response())
}

fn answer(id: Value, outcome: Result<Box<RawValue>, Fault>) -> Answer {
    Answer {
        jsonrpc: "2.0",
        id,
        outcome: match outcome {
            Ok(result) => Outcome::Result(result),
            Err(fault) => Outcome::Error(fault),
        },
    }
}

/// Answers one request. `left` is the number of bytes that results may still have.
async fn one(app: &App, mut request: Value, left: &mut usize) -> Answer {
    let id = request.get_mut("id").map(Value::take);
    let id = id.filter(|id| id.is_string() || id.is_number());
    let (method, outcome) = forwarded(app, request, id.is_some(), left).await;
    observe::rpc(
        method,
        if outcome.is_ok() {
            "answered"
        } else {
            "refused"
        },
    );
    answer(id.unwrap_or_default(), outcome)
}

/// Forwards a request, and returns its method for the metrics.
async fn forwarded(
    app: &App,
    mut request: Value,
    has_id: bool,
    left: &mut usize,
) -> (&'static str, Result<Box<RawValue>, Fault>) {
    /// Name of all methods that are not forwarded: clients can invent them.
    const OTHER: &str = "other";
    let name = request.get("method").and_then(Value::as_str);
    let (Some(name), true) = (name, has_id) else {
        let message = "the request is malformed, expected an object with jsonrpc, a text or number as id, method and params";
        return (OTHER, Err(Fault::new(INVALID_REQUEST, message)));
    };
    let Some(method) = find(name) else {
        let names: Vec<_> = METHODS.iter().map(|method| method.name).collect();
        let message = format!(
            "`{}` is not forwarded here, only reads are: {}; use a node of your own, or a wallet's",
            escaped_to(name, MAX_TEXT),
            names.join(", ")
        );
        return (OTHER, Err(Fault::new(NO_METHOD, message)));
    };
    let given = match request.get_mut("params").map(Value::take) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(given)) => given,
        Some(_) => {
            let fault = Fault::new(INVALID_PARAMETERS, "params are no list");
            return (method.name, Err(fault));
        }
    };
    let contracts = app.index().contracts();
    let is_followed = |address| {
        contracts.iter().any(|contract| {
            let info = contract.info();
            let registry = info.published.as_ref().ok().map(PublishedCard::registry);
            [info.facts.trainer, info.facts.classifier].contains(&address)
                || registry == Some(address)
        })
    };
    let outcome = match method.bounded(given, app.index().head(), is_followed) {
        Ok(given) => ask(app, method.name, given, left).await,
        Err(message) => Err(Fault::new(INVALID_PARAMETERS, message)),
    };
    (method.name, outcome)
}

/// Asks the node, and keeps its address and the reason of its silence from the client.
async fn ask(
    app: &App,
    method: &'static str,
    given: Vec<Value>,
    left: &mut usize,
) -> Result<Box<RawValue>, Fault> {
    let result = match app.index().node().forward(method, given).await {
        Ok(answered) => answered?,
        Err(error) => {
            // Strangers decide how often this happens; the follower warns of a node that is away.
            tracing::debug!(%error, "cannot forward a read to the node");
            let message = "the node does not answer; try again later";
            return Err(Fault::new(INTERNAL, message));
        }
    };
    let length = result.get().len();
    *left = left.checked_sub(length).ok_or_else(|| {
        let message =
            format!("the results have more than {MAX_ANSWERS} bytes; ask for less at a time");
        Fault::new(LIMIT, message)
    })?;
    Ok(result)
}
