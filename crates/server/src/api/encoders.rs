//! Tables of word vectors, which encode the texts of some models.

use axum::{
    Extension, Json,
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, ETAG},
    },
    response::{IntoResponse, Response},
};
use cotrain_client::api::EncoderView;
use cotrain_learning::{digest, text::escaped};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    app::App,
    extract::{InPath, InQuery, NoQuery},
    fixed::IMMUTABLE,
    headers::AsIs,
    kinds::Kind,
    negotiation::has_tag,
    page::{Rows, limit, rows},
    problem::Problem,
};

/// Table by its SHA-256.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfEncoder {
    /// SHA-256 of the table's file, 64 hexadecimal digits in lower case.
    #[param(pattern = "^[0-9a-f]{64}$")]
    sha256: String,
}

/// Selection of tables.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EncoderPaging {
    /// Only tables after this SHA-256.
    #[param(pattern = "^[0-9a-f]{64}$")]
    after: Option<String>,
    /// Maximum number of rows.
    #[param(minimum = 1, default = 100)]
    limit: Option<u32>,
}

/// `ETag` of a table that the client has.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(
    dead_code,
    reason = "for the document alone: it is read from the headers"
)]
pub(super) struct Conditional {
    /// `ETag` of an answer that the client has: if it is that of the table, the answer is 304.
    #[param(rename = "If-None-Match")]
    if_none_match: Option<String>,
}

/// Returns the tables of word vectors that the coordinator has, by their SHA-256.
///
/// It predicts the texts of models whose card names one of them.
#[utoipa::path(
    get, path = "/v1/encoders", tag = "models", operation_id = "listEncoders",
    params(EncoderPaging),
    responses((status = 200, description = "A page of tables.", body = Rows<EncoderView>)),
)]
pub(super) async fn list(
    State(app): State<App>,
    InQuery(query): InQuery<EncoderPaging>,
) -> Result<Json<Rows<EncoderView>>, Problem> {
    let limit = limit(query.limit, app.max_page)?;
    let after = query.after.as_deref();
    let after = after.map(|after| read("after", after, &Kind::INVALID_QUERY));
    let after = after.transpose()?;
    let page = app
        .encoders()
        .all()
        .iter()
        .filter(|stored| after.is_none_or(|after| stored.table.id().sha256 > after))
        .take(limit as usize + 1)
        .map(|stored| EncoderView::new(&stored.table, stored.file.len()));
    Ok(Json(rows(
        page.collect(),
        limit,
        "/v1/encoders",
        &[],
        |view: &EncoderView| view.sha256.clone(),
    )))
}

/// Returns the file of a table of word vectors.
///
/// Compare its SHA-256 before you use it. The answer may be kept forever.
#[utoipa::path(
    get, path = "/v1/encoders/{sha256}", tag = "models", operation_id = "getEncoder",
    params(OfEncoder, Conditional),
    responses(
        (status = 200, description = "The file of the table.", headers(
            ("ETag" = String, description = "SHA-256 of the file."),
            ("Cache-Control" = String, description = "Permission to keep the file."),
        ), content((String = "application/octet-stream"))),
        (status = 304, description = "The client has the table."),
        (status = 404, description = "The table is unknown."),
    ),
)]
pub(super) async fn one(
    State(app): State<App>,
    InPath(OfEncoder { sha256 }): InPath<OfEncoder>,
    _query: NoQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wanted = read("sha256", &sha256, &Kind::INVALID_PATH)?;
    let stored = app.encoders().find(wanted).ok_or_else(|| {
        let detail = format!(
            "no table of word vectors with the SHA-256 {sha256} is here; /v1/encoders lists those that are"
        );
        Problem::new(&Kind::UNKNOWN_ENCODER, detail).with("sha256", sha256.as_str())
    })?;
    let tag = format!("\"{sha256}\"");
    let known = has_tag(&headers, &tag);
    let about = [(ETAG, tag), (CACHE_CONTROL, IMMUTABLE.to_owned())];
    if known {
        return Ok((StatusCode::NOT_MODIFIED, about).into_response());
    }
    let octets = [(CONTENT_TYPE, "application/octet-stream")];
    let file = stored.file.clone();
    Ok((Extension(AsIs), about, octets, file).into_response())
}

/// Reads a SHA-256.
fn read(name: &str, text: &str, kind: &'static Kind) -> Result<[u8; 32], Problem> {
    digest(text).ok_or_else(|| {
        let detail = format!(
            "{name} is `{}`; expected 64 hexadecimal digits in lower case",
            escaped(text)
        );
        Problem::new(kind, detail)
    })
}
