//! Records of each request: a span, a line of the log, and metrics.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use cotrain_client::api::Account;
use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::{Instrument, field::Empty, info_span};

use crate::coordinator::Health;

/// Histogram of request times in seconds, by method, route and status.
const REQUESTS: &str = "cotrain_http_request_seconds";
/// Counter of signed batches, by outcome.
const SUBMISSIONS: &str = "cotrain_submissions_total";

/// Counter of requests for the chain that `/rpc` took, by method and outcome.
const CALLS: &str = "cotrain_rpc_calls_total";

/// Upper bounds of the histogram's buckets, in seconds.
const BUCKETS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// Number of requests after which recorded values are compacted. Without that, they would grow if
/// nobody reads them.
const UPKEEP: u64 = 1_024;

/// Returns the recorder of this process; `None` if another one is installed.
fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER
        .get_or_init(|| {
            PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Full(REQUESTS.to_owned()), BUCKETS)
                .and_then(PrometheusBuilder::install_recorder)
                .inspect_err(|error| tracing::warn!(%error, "there are no metrics"))
                .ok()
        })
        .as_ref()
}

/// Starts recording, once per process.
pub(super) fn start() {
    recorder();
    metrics::describe_histogram!(REQUESTS, metrics::Unit::Seconds, "Time of HTTP requests.");
    metrics::describe_counter!(SUBMISSIONS, "Signed batches, by what became of them.");
    metrics::describe_counter!(
        CALLS,
        "Reads of the chain for others, by method and outcome."
    );
}

/// Returns the recorded values in Prometheus' text format; `None` if another recorder is installed.
pub(super) fn render(health: &Health) -> Option<String> {
    let recorder = recorder()?;
    gauge!("cotrain_leader").set(if health.leader { 1.0 } else { 0.0 });
    gauge!("cotrain_node_up").set(if health.index.node { 1.0 } else { 0.0 });
    gauge!("cotrain_store_up").set(if health.index.store { 1.0 } else { 0.0 });
    gauge!("cotrain_head_block").set(float(health.index.head.unwrap_or_default()));
    for contract in &health.index.contracts {
        let trainer = Account(contract.address).to_string();
        gauge!("cotrain_model_block", "trainer" => trainer.clone()).set(float(contract.block));
        gauge!("cotrain_model_blocks_behind", "trainer" => trainer).set(float(contract.behind));
    }
    recorder.run_upkeep();
    Some(recorder.render())
}

/// Converts a block number or count, which stays far below 2^53.
#[allow(clippy::cast_precision_loss)]
fn float(number: u64) -> f64 {
    number as f64
}

/// Counts a signed batch. `outcome` is `accepted`, `known`, or the kind of problem for which it was
/// refused.
pub(super) fn submission(outcome: &'static str) {
    counter!(SUBMISSIONS, "outcome" => outcome).increment(1);
}

/// Counts a read of the chain. `method` is one that is forwarded or `other`; `outcome` is `answered` or
/// `refused`.
pub(super) fn rpc(method: &'static str, outcome: &'static str) {
    counter!(CALLS, "method" => method, "outcome" => outcome).increment(1);
}

/// Records a request.
pub(super) async fn observe(request: Request, next: Next) -> Response {
    static SEEN: AtomicU64 = AtomicU64::new(1);
    if SEEN.fetch_add(1, Ordering::Relaxed).is_multiple_of(UPKEEP)
        && let Some(recorder) = recorder()
    {
        recorder.run_upkeep();
    }
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str)
        .to_owned();
    let method = method_name(request.method());
    let id = request.headers().get("x-request-id");
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    let span = info_span!(
        "request",
        method,
        route,
        id,
        status = Empty,
        problem = Empty,
        ms = Empty
    );
    let begun = Instant::now();
    let response = next.run(request).instrument(span.clone()).await;
    let took = begun.elapsed();
    let status = response.status();
    span.record("status", status.as_u16());
    if let Some(problem) = response.extensions().get::<&'static str>() {
        span.record("problem", *problem);
    }
    span.record("ms", u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    span.in_scope(|| tracing::info!("answered"));
    histogram!(REQUESTS, "method" => method, "route" => route, "status" => status.as_u16().to_string())
        .record(took.as_secs_f64());
    response
}

/// Returns a fixed label for a method. Clients can invent methods, and must not create labels.
fn method_name(method: &axum::http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "PATCH" => "PATCH",
        _ => "other",
    }
}
