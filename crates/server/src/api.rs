//! HTTP API: reads the coordinator's data, and takes signed batches. It also serves the web page.

mod app;
mod card;
pub(crate) mod connections;
mod contributions;
mod docs;
mod document;
mod encoders;
mod events;
mod extract;
mod facilitator;
mod fixed;
mod headers;
mod health;
mod kinds;
mod labels;
mod limits;
mod markets;
mod models;
mod negotiation;
mod observe;
mod page;
mod planning;
mod plans;
mod predict;
mod problem;
mod rpc;
mod simulations;
mod submissions;
mod sweeps;
mod views;
mod web;
mod wording;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{from_fn, from_fn_with_state, map_response},
    response::IntoResponse,
    routing::get,
};
use tokio_util::sync::CancellationToken;
use tower_http::{
    cors::{AllowOrigin, CorsLayer},
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{app::App, fixed::Fixed};
use crate::{config::ApiSection, coordinator::Coordinator};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Returns the HTTP API over a coordinator. Streams of events end at `stop`.
///
/// Each client has a rate of its own if the server knows its address
/// (`into_make_service_with_connect_info`). Otherwise all clients share one rate.
pub fn router(coordinator: Coordinator, config: &ApiSection, stop: &CancellationToken) -> Router {
    if config.metrics {
        observe::start();
    }
    let app = App::new(coordinator, config, stop);
    let (timed, mut document) = timed().split_for_parts();
    let (streams, streamed) = OpenApiRouter::<App>::default()
        .routes(routes!(events::stream))
        .split_for_parts();
    let (forwarding, forwarded) = OpenApiRouter::<App>::default()
        .routes(routes!(rpc::rpc))
        .split_for_parts();
    let (planning, planned) = OpenApiRouter::<App>::default()
        .routes(routes!(plans::look))
        .routes(routes!(plans::plan))
        .split_for_parts();
    let (uploading, uploaded) = OpenApiRouter::<App>::default()
        .routes(routes!(labels::pools::give_pool))
        .routes(routes!(labels::snapshots::restore))
        .split_for_parts();
    let (unlimited, unlimited_document) = unlimited().split_for_parts();
    document.merge(streamed);
    document.merge(forwarded);
    document.merge(planned);
    document.merge(uploaded);
    document.merge(unlimited_document);
    document::complete(&mut document, config.max_page);
    let max_body = config.max_body.min(rpc::MAX_BODY);
    let limited = timed
        .merge(forwarding.layer(DefaultBodyLimit::max(max_body)))
        .merge(uploading.layer(DefaultBodyLimit::max(app.labels().max_upload())))
        .layer(from_fn_with_state(app.clone(), limits::at_a_time))
        // Training may take longer than other requests, and has limits of its own.
        .merge(planning.layer(DefaultBodyLimit::max(planning::max_body(
            config.max_plan_bytes,
        ))))
        .layer(headers::compression())
        .layer(map_response(headers::weaken))
        .merge(streams)
        .with_state(app.clone());
    let document = Fixed::new(
        "application/json".to_owned(),
        fixed::REVALIDATED,
        document.to_json().unwrap_or_default().into(),
    );
    let document = Arc::new(document);
    let openapi = get(move |headers: HeaderMap| async move { document.answer(&headers) });
    limits::per_client(limited, config)
        .merge(unlimited.with_state(app))
        .route("/openapi.json", openapi)
        .merge(docs::router())
        .merge(web::router())
        .fallback(async || StatusCode::NOT_FOUND.into_response())
        .layer(DefaultBodyLimit::max(config.max_body))
        .layer(from_fn(problem::render))
        .layer(cors(&config.cors))
        .layer(PropagateRequestIdLayer::new(X_REQUEST_ID))
        .layer(from_fn(observe::observe))
        .layer(SetRequestIdLayer::new(X_REQUEST_ID, MakeRequestUuid))
}

/// Returns the routes with a time limit.
fn timed() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(document::Document::openapi())
        .routes(routes!(models::list))
        .routes(routes!(models::one))
        .routes(routes!(models::weights))
        .routes(routes!(models::accuracy))
        .routes(routes!(models::totals))
        .routes(routes!(card::card))
        .routes(routes!(models::price))
        .routes(routes!(predict::predict))
        .routes(routes!(encoders::list))
        .routes(routes!(encoders::one))
        .routes(routes!(contributions::list))
        .routes(routes!(contributions::one))
        .routes(routes!(contributions::claims))
        .routes(routes!(contributions::proof))
        .routes(routes!(contributions::account))
        .routes(routes!(contributions::claimable))
        .routes(routes!(contributions::late))
        .routes(routes!(submissions::list, submissions::submit))
        .routes(routes!(submissions::one))
        .routes(routes!(submissions::delegate))
        .routes(routes!(submissions::delegation))
        .routes(routes!(submissions::transactions))
        .routes(routes!(markets::list))
        .routes(routes!(markets::one))
        .routes(routes!(card::market_card))
        .routes(routes!(markets::contributions))
        .routes(routes!(markets::participants))
        .routes(routes!(events::list))
        .routes(routes!(simulations::scenarios))
        .routes(routes!(simulations::submit))
        .routes(routes!(simulations::one, simulations::cancel))
        .routes(routes!(simulations::page))
        .routes(routes!(labels::quote))
        .routes(routes!(labels::open))
        .routes(routes!(labels::state))
        .routes(routes!(labels::buy))
        .routes(routes!(labels::train))
        .routes(routes!(labels::decide))
        .routes(routes!(labels::query))
        .routes(routes!(labels::predict))
        .routes(routes!(labels::model))
        .routes(routes!(labels::close))
        .routes(routes!(labels::refund))
        .routes(routes!(labels::pools::delete_pool))
        .routes(routes!(labels::snapshots::seal))
        .routes(routes!(labels::publish::publish))
        .routes(routes!(labels::publish::examples))
        .routes(routes!(facilitator::supported))
        .routes(routes!(facilitator::verify))
        .routes(routes!(facilitator::settle))
        .routes(routes!(sweeps::list))
        .routes(routes!(sweeps::page))
}

/// Returns the routes without a limit per client, since operators poll them often.
fn unlimited() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
        .routes(routes!(health::problem))
}

/// Returns the layer that lets web pages of the named origins use the API.
fn cors(origins: &[String]) -> CorsLayer {
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers([
            header::ACCEPT,
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_NONE_MATCH,
            labels::IDEMPOTENCY_KEY,
            labels::PAYMENT_SIGNATURE,
            labels::snapshots::SNAPSHOT_SECRET,
            labels::snapshots::SNAPSHOT_SIGNATURE,
            HeaderName::from_static("last-event-id"),
        ])
        .expose_headers(
            [
                header::ETAG,
                header::LOCATION,
                header::RETRY_AFTER,
                header::WWW_AUTHENTICATE,
                X_REQUEST_ID,
            ]
            .into_iter()
            .chain(labels::EXPOSED)
            .collect::<Vec<_>>(),
        );
    if origins.iter().any(|origin| origin == "*") {
        return layer.allow_origin(AllowOrigin::any());
    }
    let origins = origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin).ok());
    layer.allow_origin(AllowOrigin::list(origins))
}
