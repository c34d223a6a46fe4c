//! Headers by which browsers restrict what a page may do, and the compression of answers.

use axum::{
    Router,
    http::{
        Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, Version,
        header::{
            CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ETAG, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    middleware::map_response,
    response::Response,
};
use tower_http::{
    CompressionLevel,
    compression::{
        CompressionLayer, Predicate,
        predicate::{And, DefaultPredicate},
    },
};

/// Adds to each answer of a router the content security policy, and headers that keep browsers from
/// guessing types and from telling other sites the path.
pub(super) fn secured(router: Router, policy: &'static str) -> Router {
    let headers: [(HeaderName, &'static str); 3] = [
        (CONTENT_SECURITY_POLICY, policy),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    router.layer(map_response(move |mut response: Response| {
        let headers = headers.clone();
        async move {
            for (name, value) in headers {
                let value = HeaderValue::from_static(value);
                response.headers_mut().insert(name, value);
            }
            response
        }
    }))
}

/// Mark of an answer that [`compression`] leaves as it is.
///
/// It is for answers whose compression costs much more than it costs a client to ask for them: a card
/// of 16 MiB becomes some kilobytes, and a table of word vectors stays as large as it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct AsIs;

/// Returns the layer that compresses answers for clients that take gzip.
pub(super) fn compression() -> CompressionLayer<And<DefaultPredicate, IsCompressed>> {
    let own: IsCompressed = is_compressed;
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(DefaultPredicate::new().and(own))
}

/// Predicate over the parts of an answer.
type IsCompressed = fn(StatusCode, Version, &HeaderMap, &Extensions) -> bool;

fn is_compressed(_: StatusCode, _: Version, _: &HeaderMap, extensions: &Extensions) -> bool {
    extensions.get::<AsIs>().is_none()
}

/// Marks the `ETag` of a compressed answer as weak: the same one belongs to the answer as it is, and a
/// strong one would promise the same bytes (RFC 9110, 8.8.3).
pub(super) async fn weaken(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let packed = headers.get(CONTENT_ENCODING).is_some_and(|it| it == "gzip");
    let tag = headers.get(ETAG).filter(|_| packed);
    let tag = tag.and_then(|tag| tag.to_str().ok());
    if let Some(tag) = tag.filter(|tag| tag.starts_with('"'))
        && let Ok(weak) = format!("W/{tag}").parse()
    {
        headers.insert(ETAG, weak);
    }
    response
}
