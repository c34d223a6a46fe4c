//! The web page: its files, which this program contains, and its paths.

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    body::Bytes,
    http::{
        HeaderMap, HeaderValue,
        header::{ACCEPT, VARY},
    },
    response::{IntoResponse, Response},
    routing::get,
};

use super::{
    fixed::{Fixed, IMMUTABLE, REVALIDATED},
    headers::secured,
    kinds::Kind,
    negotiation::quality,
    problem::Problem,
};

/// Files of `web/dist`: the path from there, and the bytes.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// Name of the file that is the page itself.
const INDEX: &str = "index.html";

/// Folder of the files whose names contain a hash of their bytes.
const HASHED: &str = "assets/";

/// Paths of the page, besides `/`. The page's script reads them; the server answers each with the
/// same file.
const PATHS: [&str; 11] = [
    "/m/{*rest}",
    "/markets",
    "/markets/{*rest}",
    "/rounds",
    "/rounds/{*rest}",
    "/deploy",
    "/simulate",
    "/label",
    "/help",
    "/help/{*rest}",
    "/me",
];

/// Everything that the page loads is from its own origin. Data URLs are for pictures alone.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; connect-src 'self'; style-src 'self'; script-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// Returns the routes of the page and its files.
pub(super) fn router() -> Router {
    let mut router = Router::new();
    for (name, file) in PAGE.iter() {
        let path = match *name {
            INDEX => "/".to_owned(),
            name => format!("/{name}"),
        };
        let file = Arc::clone(file);
        router = router.route(
            &path,
            get(move |headers: HeaderMap| async move { file.answer(&headers) }),
        );
    }
    for path in PATHS {
        router = router.route(path, get(page));
    }
    let missing = get(async || {
        let detail =
            "the page has no such file; it has changed since you loaded it, so load it again";
        Problem::new(&Kind::NOT_FOUND, detail)
    });
    secured(router.route("/assets/{*name}", missing), POLICY)
}

/// The files as answers, in the order of their names.
static PAGE: LazyLock<Vec<(&str, Arc<Fixed>)>> = LazyLock::new(|| {
    let answer = |(name, bytes): &(&'static str, &'static [u8])| {
        let caching = if name.starts_with(HASHED) {
            IMMUTABLE
        } else {
            REVALIDATED
        };
        let file = Fixed::new(content_type(name), caching, Bytes::from_static(bytes));
        (*name, Arc::new(file))
    };
    FILES.iter().map(answer).collect()
});

/// Answers a path of the page with the page itself, to a client that shows pages.
async fn page(headers: HeaderMap) -> Response {
    let shows = quality(&headers, ACCEPT, "text/html").is_some_and(|it| it > 0.0);
    let index = PAGE.iter().find(|(name, _)| *name == INDEX);
    let Some((_, index)) = index.filter(|_| shows) else {
        let detail = "this is a path of the web page, for browsers; ask for it with Accept: text/html, or see /docs for the API";
        return Problem::new(&Kind::NOT_FOUND, detail).into_response();
    };
    let mut answer = index.answer(&headers);
    let header = HeaderValue::from_static("Accept");
    answer.headers_mut().append(VARY, header);
    answer
}

/// Returns the media type of a file, by the ending of its name.
fn content_type(name: &str) -> String {
    let media = mime_guess::from_path(name).first_or_octet_stream();
    if media.type_() == "text" {
        format!("{media}; charset=utf-8")
    } else {
        media.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_type_is_by_ending_and_names_the_charset_of_text() {
        for (name, expected) in [
            ("index.html", "text/html; charset=utf-8"),
            ("assets/a-1.js", "text/javascript; charset=utf-8"),
            ("assets/a-1.css", "text/css; charset=utf-8"),
            ("favicon.svg", "image/svg+xml"),
            ("assets/digits.bin", "application/octet-stream"),
            ("LICENSES", "application/octet-stream"),
        ] {
            assert_eq!(content_type(name), expected, "{name}");
        }
    }
}
