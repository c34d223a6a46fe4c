//! Page at `/docs/` for reading and trying the API.

use std::sync::Arc;

use axum::{
    Router,
    extract::Path,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_ENCODING, CONTENT_TYPE},
    },
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use utoipa_swagger_ui::Config;

use super::headers::secured;

/// The page itself. It replaces the library's own page: that has another name, no width for small
/// screens, and a bar for the address of another API.
const PAGE: &str = include_str!("page.html");

/// Content security policy of the page: its library writes styles into the document.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// Returns the routes of the page and its files. `document` is the path of the `OpenAPI` document.
pub(super) fn router(document: &'static str) -> Router {
    let config = Config::new([document])
        .validator_url("none")
        .use_base_layout()
        .default_models_expand_depth(0);
    let config = Arc::new(config);
    let to_page = async || Redirect::to("/docs/");
    let router = Router::new()
        .route("/docs", get(to_page))
        .route("/docs/", get(async || Html(PAGE)))
        .route(
            "/docs/{*file}",
            get(move |Path(name): Path<String>| async move { file(&name, config) }),
        );
    secured(router, POLICY)
}

fn file(name: &str, config: Arc<Config<'static>>) -> Response {
    if name == "index.html" {
        return Redirect::to("/docs/").into_response();
    }
    match utoipa_swagger_ui::serve(name, config) {
        Ok(Some(file)) => {
            let about = [(CONTENT_TYPE, file.content_type)];
            let mut response = (about, file.bytes).into_response();
            if file.gzpipped {
                let packed = HeaderValue::from_static("gzip");
                response.headers_mut().insert(CONTENT_ENCODING, packed);
            }
            response
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::error!(%error, name, "cannot make a file of the page");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
