//! Page at `/docs/` for reading and trying the API.

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    body::Bytes,
    http::HeaderMap,
    response::{Html, Redirect},
    routing::get,
};
use utoipa_swagger_ui::Config;

use super::{
    fixed::{Fixed, REVALIDATED},
    headers::secured,
};

/// The page itself. It replaces the library's own page: that has another name, no width for small
/// screens, and a bar for the address of another API.
const PAGE: &str = include_str!("page.html");

/// Script that starts the library on the page.
const SCRIPT: &str = include_str!("page.js");

/// Content security policy of the page: its library writes styles into the document.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// Files of the library that the page loads.
const LIBRARY: [&str; 2] = ["swagger-ui.css", "swagger-ui-bundle.js"];

/// The page's files by name. One that the library lacks, or has only compressed, is left out, which a
/// test would notice.
static FILES: LazyLock<Vec<(&str, Arc<Fixed>)>> = LazyLock::new(|| {
    let script = Fixed::new(
        "text/javascript; charset=utf-8".to_owned(),
        REVALIDATED,
        SCRIPT.into(),
    );
    let library = LIBRARY.into_iter().filter_map(|name| {
        let file = utoipa_swagger_ui::serve(name, Arc::new(Config::default()));
        let file = file.ok().flatten().filter(|file| !file.gzpipped)?;
        let bytes = Bytes::from(file.bytes.into_owned());
        Some((name, Fixed::new(file.content_type, REVALIDATED, bytes)))
    });
    let files = library.chain([("page.js", script)]);
    files.map(|(name, file)| (name, Arc::new(file))).collect()
});

/// Returns the routes of the page and its files.
pub(super) fn router() -> Router {
    let to_page = async || Redirect::to("/docs/");
    let mut router = Router::new()
        .route("/docs", get(to_page))
        .route("/docs/index.html", get(to_page))
        .route("/docs/", get(async || Html(PAGE)));
    for (name, file) in FILES.iter() {
        let file = Arc::clone(file);
        let answer = move |headers: HeaderMap| async move { file.answer(&headers) };
        router = router.route(&format!("/docs/{name}"), get(answer));
    }
    secured(router, POLICY)
}
