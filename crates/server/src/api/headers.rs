//! Headers by which browsers restrict what a page may do.

use axum::{
    Router,
    http::{
        HeaderName, HeaderValue,
        header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
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
