//! Events, in pages and as a stream.

use std::{convert::Infallible, time::Duration};

use alloy_primitives::Address;
use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use cotrain_client::api::{Account, Hash};
use cotrain_indexer::{
    StoreError,
    rows::{EventRow, Page},
};
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::{IntoParams, ToSchema};

use super::{
    app::App,
    extract::InQuery,
    kinds::Kind,
    page::{Rows, bounded, limit, page, rows},
    problem::Problem,
};

/// Number of events that a stream reads at a time.
const AT_A_TIME: u32 = 100;
/// Interval of a quiet stream's heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Event of a model, a market or the coordinator.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventView {
    /// Id, above that of every earlier event.
    id: i64,
    /// Trainer of the model, or the market.
    trainer: Account,
    /// Kind of the event.
    ///
    /// Events of a model or the coordinator: `contributed`, `relayed`, `skipped`, `refunded`, `announced`,
    /// `reported`, `claimed-late`, `claim-skipped`, `deposited`, `withdrawn`, `nonces-cancelled`,
    /// `rolled-back`, `accuracy`, `submitted` or `refused`.
    ///
    /// Events of a market: `committed`, `drawn`, `revealed`, `contributed`, `restarted`, `copied`,
    /// `lesson-failed`, `scored`, `advanced`, `balance-changed`, `removed`, `settlement-advanced`,
    /// `pass-settled`, `collected`, `remainder-collected`, `forfeited` or `rolled-back`.
    ///
    /// Later releases may add kinds.
    kind: String,
    block: u64,
    transaction: Option<Hash>,
    /// Address that the event is about.
    account: Option<Account>,
    /// Position of the contribution that the event is about.
    position: Option<u64>,
    /// Further fields, which depend on the kind.
    #[schema(schema_with = super::document::anything)]
    detail: serde_json::Value,
}

impl From<EventRow> for EventView {
    fn from(row: EventRow) -> Self {
        Self {
            id: row.id,
            trainer: row.trainer.into(),
            kind: row.kind,
            block: row.block,
            transaction: row.transaction.map(Hash),
            account: row.account.map(Account),
            position: row.position,
            detail: row.detail,
        }
    }
}

/// Selection of events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Only events of the model or market at this address.
    #[param(inline)]
    trainer: Option<Account>,
    /// Only events after this id.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    after: Option<u64>,
    /// Maximum number of rows.
    #[param(minimum = 1, default = 100)]
    limit: Option<u32>,
}

/// Returns events, by id.
#[utoipa::path(
    get, path = "/v1/events", tag = "events", operation_id = "listEvents",
    params(Which),
    responses((status = 200, description = "A page of events.", body = Rows<EventView>)),
)]
pub(super) async fn list(
    State(app): State<App>,
    InQuery(query): InQuery<Which>,
) -> Result<Json<Rows<EventView>>, Problem> {
    let limit = limit(query.limit, app.max_page)?;
    let page = page(query.after, limit)?;
    let trainer = query.trainer.as_ref().map(|trainer| trainer.0);
    let found = events(&app, trainer, page).await?;
    let filters = [("trainer", query.trainer.map(|trainer| trainer.to_string()))];
    Ok(Json(rows(found, limit, "/v1/events", &filters, |row| {
        row.id.to_string()
    })))
}

/// Returns events of a model or market, or all events. Returns no events if the model is not
/// followed.
async fn events(
    app: &App,
    trainer: Option<Address>,
    page: Page,
) -> Result<Vec<EventRow>, StoreError> {
    let Some(trainer) = trainer else {
        return app.index().events(None, page).await;
    };
    match app.index().id_of(trainer) {
        Some(id) => app.index().events(Some(id), page).await,
        None => Ok(Vec::new()),
    }
}

/// Selection of events for a stream.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Streamed {
    /// Only events of the model or market at this address.
    #[param(inline)]
    trainer: Option<Account>,
    /// Only events after this id; without it, only events from now on.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    after: Option<u64>,
}

/// Header by which a stream resumes.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(
    dead_code,
    reason = "for the document alone: it is read from the headers"
)]
pub(super) struct Resumed {
    /// Id of the last event that the client saw. It overrides `after`; browsers send it when they
    /// reconnect.
    #[param(
        rename = "Last-Event-ID",
        minimum = 0,
        maximum = 9_007_199_254_740_991_u64
    )]
    last_event_id: Option<u64>,
}

/// Streams events as server-sent events.
///
/// `event` is the kind, `id` the id, and `data` the event as in `/v1/events`.
#[utoipa::path(
    get, path = "/v1/events/stream", tag = "events", operation_id = "streamEvents",
    params(Streamed, Resumed),
    responses((status = 200, description = "Events until the client disconnects.", body = String, content_type = "text/event-stream")),
)]
pub(super) async fn stream(
    State(app): State<App>,
    InQuery(query): InQuery<Streamed>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let last_seen = headers.get("last-event-id").map(|id| {
        let id = id.to_str().ok().and_then(|id| id.parse().ok());
        id.ok_or_else(|| {
            Problem::new(
                &Kind::INVALID_HEADER,
                "Last-Event-ID is not the id of an event",
            )
        })
    });
    let after = last_seen.transpose()?.or(query.after);
    let after = after.map(|after| bounded("after", after)).transpose()?;
    let permit = app.streams.clone().try_acquire_owned().map_err(|_| {
        Problem::new(
            &Kind::OVERLOADED,
            "too many streams of events are open; read /v1/events meanwhile",
        )
        .retry_after(30)
    })?;
    let trainer = query.trainer.map(|trainer| trainer.0);
    let events = follow(
        app,
        trainer,
        after.and_then(|after| i64::try_from(after).ok()),
        permit,
    );
    let alive = KeepAlive::new().interval(HEARTBEAT);
    Ok(Sse::new(events).keep_alive(alive).into_response())
}

/// Streams the events after the id `after`, or from now on. The stream ends if the store fails or
/// the coordinator stops. The client then reconnects with the id of the last event that it saw.
fn follow(
    app: App,
    trainer: Option<Address>,
    after: Option<i64>,
    permit: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> {
    // The position is taken before the first poll, so the stream misses no event from now on.
    let mut news = app.index().watch_events();
    let mut last = after.unwrap_or_else(|| *news.borrow());
    async_stream::stream! {
        let _permit = permit;
        loop {
            // Marking comes before reading, so that events in between wake the stream again.
            news.borrow_and_update();
            loop {
                let page = Page { after: Some(last), limit: AT_A_TIME };
                let found = match events(&app, trainer, page).await {
                    Ok(found) => found,
                    Err(error) => {
                        tracing::error!(%error, "cannot read events for a stream");
                        return;
                    }
                };
                let more = found.len() == AT_A_TIME as usize;
                for row in found {
                    last = row.id;
                    yield Ok(event(row));
                }
                if !more {
                    break;
                }
            }
            tokio::select! {
                changed = news.changed() => if changed.is_err() {
                    return;
                },
                () = app.stop.cancelled() => return,
            }
        }
    }
}

fn event(row: EventRow) -> Event {
    // A line break would end the field; no kind contains one.
    let kind = row.kind.replace(['\r', '\n'], " ");
    let event = Event::default().event(kind).id(row.id.to_string());
    let data = serde_json::to_string(&EventView::from(row)).unwrap_or_default();
    event.data(data)
}
