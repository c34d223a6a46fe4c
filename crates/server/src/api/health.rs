//! Health of the coordinator for its operators, and explanations of problems.

use axum::{
    Json,
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use cotrain_client::api::Account;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    app::App,
    extract::{InPath, NoQuery},
    kinds::Kind,
    observe,
    problem::Problem,
};
use crate::coordinator::Health;

/// Maximum number of blocks that a model may lag behind the chain's head while the coordinator is
/// ready.
const MAX_BEHIND: u64 = 50;

/// Running process.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Alive {
    /// Version of this program.
    version: &'static str,
}

/// Checks that the process is running.
///
/// It checks neither the store nor the node.
#[utoipa::path(
    get, path = "/health/live", tag = "health", operation_id = "isLive",
    responses((status = 200, description = "The process is running.", body = Alive)),
)]
pub(super) async fn live(_query: NoQuery) -> Json<Alive> {
    Json(Alive {
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// Progress of the coordinator.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ready {
    /// Whether this coordinator leads: of all that share a store, only the leader reads the chain
    /// and sends transactions.
    leader: bool,
    /// Newest block of the chain.
    head: Option<u64>,
    /// Models and markets that the coordinator follows.
    models: Vec<Standing>,
}

/// Progress of a model or market.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Standing {
    /// Trainer of the model, or the market.
    trainer: Account,
    /// Newest block that has been read for the model.
    block: u64,
    /// Number of blocks that are still to be read.
    behind: u64,
}

/// Checks that the coordinator is ready for requests.
///
/// It is ready if the store and the node answer, and its models are current and agree with their
/// contracts.
#[utoipa::path(
    get, path = "/health/ready", tag = "health", operation_id = "isReady",
    responses(
        (status = 200, description = "The coordinator is ready.", body = Ready),
        (status = 503, description = "The coordinator is not ready; `reasons` lists the causes."),
    ),
)]
pub(super) async fn ready(State(app): State<App>, _query: NoQuery) -> Result<Json<Ready>, Problem> {
    let health = app.coordinator.health().await;
    let reasons = reasons(&health);
    if !reasons.is_empty() {
        return Err(Problem::new(&Kind::NOT_READY, reasons.join("; "))
            .with("reasons", reasons)
            .retry_after(5));
    }
    Ok(Json(Ready {
        leader: health.leader,
        head: health.index.head,
        models: health
            .index
            .contracts
            .into_iter()
            .map(|contract| Standing {
                trainer: contract.address.into(),
                block: contract.block,
                behind: contract.behind,
            })
            .collect(),
    }))
}

fn reasons(health: &Health) -> Vec<String> {
    let mut reasons = Vec::new();
    if !health.index.store {
        reasons.push("the store does not answer".to_owned());
    }
    if !health.index.node {
        reasons.push("the node does not answer".to_owned());
    }
    if health.index.head.is_none() {
        reasons.push("no block of the chain has been seen yet".to_owned());
    }
    let contracts = &health.index.contracts;
    for contract in contracts {
        if let Some(why) = &contract.trouble {
            let (word, address) = (contract.word, contract.address);
            reasons.push(format!("{word} {address} cannot be vouched for: {why}"));
        }
    }
    for contract in contracts {
        let (word, behind) = (contract.word, contract.behind);
        if behind > MAX_BEHIND {
            let address = Account(contract.address);
            reasons.push(format!(
                "{word} {address} is {behind} blocks behind; expected at most {MAX_BEHIND}"
            ));
        }
    }
    reasons
}

/// Returns counts and times for Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "health", operation_id = "getMetrics",
    responses(
        (status = 200, description = "Metrics in the text format of Prometheus.", body = String, content_type = "text/plain"),
        (status = 404, description = "The coordinator does not serve metrics."),
    ),
)]
pub(super) async fn metrics(State(app): State<App>, _query: NoQuery) -> Result<Response, Problem> {
    let text = if app.metrics {
        observe::render(&app.coordinator.health().await)
    } else {
        None
    };
    let text = text.ok_or_else(|| {
        Problem::new(
            &Kind::NOT_SERVED,
            "metrics are not served here; api.metrics switches them on",
        )
    })?;
    Ok((
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    )
        .into_response())
}

/// A kind of problem.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfKind {
    /// Last part of the problem's `type`.
    #[param(pattern = "^[a-z-]+$")]
    kind: String,
}

/// Explains a kind of problem, and what to do.
///
/// The `type` of each problem leads to this page.
#[utoipa::path(
    get, path = "/problems/{kind}", tag = "problems", operation_id = "describeProblem",
    params(OfKind),
    responses(
        (status = 200, description = "The explanation.", body = String, content_type = "text/plain"),
        (status = 404, description = "The kind is unknown."),
    ),
)]
pub(super) async fn problem(
    InPath(path): InPath<OfKind>,
    _query: NoQuery,
) -> Result<String, Problem> {
    let kind = Kind::ALL.iter().find(|kind| kind.slug == path.kind);
    kind.map(|kind| {
        format!(
            "{} ({})\n\n{}\n",
            kind.title,
            kind.status.as_u16(),
            kind.about
        )
    })
    .ok_or_else(|| {
        Problem::new(
            &Kind::NOT_FOUND,
            "there is no such kind of problem; docs/api.md lists them",
        )
    })
}
