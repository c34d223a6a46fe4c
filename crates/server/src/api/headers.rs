//! Headers by which browsers restrict what a page may do.

use axum::{
    Router,
    http::{
        HeaderName, HeaderValue,
        header::{
            CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ETAG, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    middleware::map_response,
    response::Response,
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
