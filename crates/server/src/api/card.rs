//! Cards of models and markets, as their owners registered them.

use std::io::{self, Read};

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY},
    },
    response::{IntoResponse, Response},
};
use cotrain_client::card::PublishedCard;
use futures_util::Stream;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    app::App,
    extract::{InPath, NoQuery, OfMarket, OfModel},
    fixed::REVALIDATED,
    headers::AsIs,
    kinds::Kind,
    models::Conditional,
    negotiation::{has_tag, takes_coding},
    problem::Problem,
};

/// Size of the pieces in which a card is inflated, in bytes. A card of a few kilobytes may inflate
/// to 16 MiB, which no request should hold at once.
const PIECE: usize = 64 << 10;

/// The content coding that is the card's own form in the registry's event (zlib, RFC 1950).
const DEFLATE: &str = "deflate";

/// Card of a model or a market. It may have further fields.
#[derive(Serialize, ToSchema)]
#[allow(
    dead_code,
    reason = "for the document alone: the card is sent as registered"
)]
pub(super) struct CardView {
    /// Form of the card: `cotrain-card/1`.
    format: String,
    /// Name for people.
    #[schema(max_length = 200)]
    name: String,
    /// Purpose, in one or a few sentences.
    description: String,
    /// Names of the classes, by label.
    classes: Vec<String>,
    /// Encoder that makes samples of texts, rows or numbers; absent if samples are sent raw.
    #[schema(value_type = Option<Object>, nullable = false)]
    encoder: Option<()>,
    /// Block in which the model was closed.
    from_block: u64,
}

/// Returns the card of a model, byte for byte as its owner registered it.
///
/// A stranger wrote it. If `verified` of the model is false, the card may contradict the contract.
#[utoipa::path(
    get, path = "/v1/models/{trainer}/card", tag = "models", operation_id = "getCard",
    params(OfModel, Conditional),
    responses(
        (status = 200, description = "The card.", body = CardView, headers(
            ("ETag" = String, description = "SHA-256 of the card, and the content coding if there is one."),
        )),
        (status = 304, description = "The card that the client has is still the same."),
        (status = 404, description = "The model is unknown, or it has no card."),
    ),
)]
pub(super) async fn card(
    State(app): State<App>,
    InPath(path): InPath<OfModel>,
    _query: NoQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let model = app.model(&path.trainer)?;
    let card = model.info().published.as_ref().map_err(|reason| {
        Problem::new(&Kind::NO_CARD, reason).with("trainer", path.trainer.to_string())
    })?;
    Ok(answer(card, &headers))
}

/// Returns the card of a market, byte for byte as its provider registered it.
///
/// A stranger wrote it. If `verified` of the market is false, the card may contradict the contract.
#[utoipa::path(
    get, path = "/v1/markets/{market}/card", tag = "markets", operation_id = "getMarketCard",
    params(OfMarket, Conditional),
    responses(
        (status = 200, description = "The card.", body = CardView, headers(
            ("ETag" = String, description = "SHA-256 of the card, and the content coding if there is one."),
        )),
        (status = 304, description = "The card that the client has is still the same."),
        (status = 404, description = "The market is unknown, or it has no card."),
    ),
)]
pub(super) async fn market_card(
    State(app): State<App>,
    InPath(path): InPath<OfMarket>,
    _query: NoQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let market = app.market(&path.market)?;
    let card = market.info().published.as_ref().map_err(|reason| {
        Problem::new(&Kind::NO_CARD, reason).with("market", path.market.to_string())
    })?;
    Ok(answer(card, &headers))
}

/// Returns the answer with a card, as far as the client does not have it yet.
fn answer(card: &PublishedCard, headers: &HeaderMap) -> Response {
    let deflated = takes_coding(headers, DEFLATE);
    let suffix = if deflated { "-deflate" } else { "" };
    let tag = format!("\"{:x}{suffix}\"", card.sha256());
    let known = has_tag(headers, &tag);
    let about = [
        (ETAG, tag),
        (CACHE_CONTROL, REVALIDATED.to_owned()),
        (VARY, ACCEPT_ENCODING.to_string()),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    let json = [(CONTENT_TYPE, "application/json")];
    if deflated {
        let coding = [(CONTENT_ENCODING, DEFLATE)];
        (about, json, coding, card.deflated().0.clone()).into_response()
    } else {
        let inflated = Body::from_stream(pieces(card));
        (Extension(AsIs), about, json, inflated).into_response()
    }
}

/// Inflates a card piece by piece, each when the client has taken those before it.
fn pieces(card: &PublishedCard) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    let mut json = card.json();
    async_stream::try_stream! {
        loop {
            let mut piece = Vec::new();
            (&mut json).take(PIECE as u64).read_to_end(&mut piece)?;
            if piece.is_empty() {
                break;
            }
            yield piece.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;
    use flate2::{Compression, write::ZlibEncoder};
    use futures_util::TryStreamExt;
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn pieces_of_a_large_card_are_small_and_make_it_up() {
        let json = format!(
            r#"{{"format":"cotrain-card/1","name":"a","description":"","classes":[],"from_block":1,"more":"{}"}}"#,
            "x".repeat(3 * PIECE)
        );
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(json.as_bytes()).unwrap();
        let registered = encoder.finish().unwrap().into();
        let (_, published) = PublishedCard::read(Address::ZERO, &registered).unwrap();
        let pieces: Vec<Bytes> = pieces(&published).try_collect().await.unwrap();
        assert!(pieces.len() > 3 && pieces.iter().all(|piece| piece.len() <= PIECE));
        assert_eq!(pieces.concat(), json.as_bytes());
    }
}
