//! Pools that a labeling session holds: rows are sent once, and queries name them.

use alloy_primitives::hex;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use cotrain_active::session::Session;
use cotrain_learning::text::escaped;
use ndarray::Array2;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{SeqAccess, Visitor},
};
use std::fmt;
use utoipa::{IntoParams, ToSchema};

use super::{
    call::{Call, Faults, KeyHeader, OfSession, OnSession, Who},
    rows::read_pool,
    view::UnitsView,
};
use crate::{
    api::{
        app::App,
        extract::{InPath, NoQuery, is_json, read, whole},
        kinds::Kind,
        problem::Problem,
    },
    labels::{Asked, Receipt, pool_id},
};

/// Rows of a pool.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::api) struct SessionPoolBody {
    /// Rows: arrays of as many numbers as the session has features.
    #[schema(value_type = Vec<Vec<f64>>, min_items = 1)]
    rows: FlatRows,
}

/// Pool that a session holds.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct SessionPoolView {
    /// Id, for `pool` in queries and examples: the SHA-256 of the rows.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pool: String,
    /// Number of rows.
    rows: u64,
    units: UnitsView,
}

/// A pool of a labeling session.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::api) struct OfPool {
    /// Id of the session.
    #[param(pattern = "^[0-9a-f]{64}$")]
    session: String,
    /// Id of the pool.
    #[param(pattern = "^[0-9a-f]{64}$")]
    pool: String,
}

/// Rows as they are read, without a vector for each.
#[derive(Debug, Default)]
struct FlatRows {
    columns: Option<usize>,
    numbers: Vec<f64>,
}

/// Row of [`FlatRows`], whose numbers are added to the others.
struct OneRow<'a>(&'a mut FlatRows);

impl FlatRows {
    /// Ends a row that began at an index.
    fn end(&mut self, start: usize) -> Result<(), String> {
        let found = self.numbers.len() - start;
        let expected = *self.columns.get_or_insert(found);
        if found != expected {
            return Err(format!("a row has {found} numbers; expected {expected}"));
        }
        Ok(())
    }

    fn array(self, features: usize) -> Result<Array2<f64>, Problem> {
        let found = self.columns.unwrap_or(features);
        if found != features {
            let detail = format!("a row has {found} numbers; expected {features}");
            return Err(Problem::new(&Kind::LABELING_REJECTED, detail));
        }
        let rows = self.numbers.len() / features.max(1);
        Array2::from_shape_vec((rows, features), self.numbers)
            .map_err(|error| Problem::new(&Kind::LABELING_REJECTED, error))
    }
}

impl<'de> Deserialize<'de> for FlatRows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rows;
        impl<'de> Visitor<'de> for Rows {
            type Value = FlatRows;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of rows")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<FlatRows, A::Error> {
                let mut all = FlatRows::default();
                while rows.next_element_seed(OneRow(&mut all))?.is_some() {}
                Ok(all)
            }
        }
        deserializer.deserialize_seq(Rows)
    }
}

impl<'de> serde::de::DeserializeSeed<'de> for OneRow<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for OneRow<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut row: A) -> Result<(), A::Error> {
        let start = self.0.numbers.len();
        while let Some(number) = row.next_element()? {
            self.0.numbers.push(number);
        }
        self.0.end(start).map_err(serde::de::Error::custom)
    }
}

/// Form of a pool's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PoolForm {
    Json,
    Csv,
    /// 32-bit floats, row by row, each with its least significant byte first.
    Floats,
}

impl PoolForm {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let content = headers.get(CONTENT_TYPE);
        let content = content.and_then(|content| content.to_str().ok());
        let content = content.unwrap_or("missing");
        let name = content.split(';').next().unwrap_or_default().trim();
        if is_json(content) {
            Ok(Self::Json)
        } else if name.eq_ignore_ascii_case("text/csv") {
            Ok(Self::Csv)
        } else if name.eq_ignore_ascii_case("application/octet-stream") {
            Ok(Self::Floats)
        } else {
            let detail = format!(
                "the header Content-Type is {}, expected application/json, text/csv or application/octet-stream",
                escaped(content)
            );
            Err(Problem::new(&Kind::MEDIA_TYPE, detail))
        }
    }

    /// Reads rows of a number of features.
    fn rows(self, bytes: &[u8], features: usize) -> Result<Array2<f64>, Problem> {
        match self {
            Self::Json => read::<SessionPoolBody>(bytes)?.rows.array(features),
            Self::Csv => csv(bytes)?.array(features),
            Self::Floats => floats(bytes, features)?.array(features),
        }
    }
}

/// Reads lines of numbers with commas between them. There is no header.
fn csv(bytes: &[u8]) -> Result<FlatRows, Problem> {
    let wrong = |detail: String| Problem::new(&Kind::INVALID_BODY, detail);
    let text = std::str::from_utf8(bytes)
        .map_err(|_| wrong("the table is no text in UTF-8; send it as such".to_owned()))?;
    let mut rows = FlatRows::default();
    let lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()));
    for (line, fields) in lines.filter(|(_, fields)| !fields.is_empty()) {
        let start = rows.numbers.len();
        for field in fields.split(',') {
            let number = field.trim().parse().map_err(|_| {
                let found = escaped(field.trim());
                wrong(format!(
                    "line {line} has `{found}`; expected numbers with commas between them, and no header"
                ))
            })?;
            rows.numbers.push(number);
        }
        rows.end(start)
            .map_err(|error| wrong(format!("line {line}: {error}")))?;
    }
    Ok(rows)
}

/// Reads 32-bit floats.
fn floats(bytes: &[u8], features: usize) -> Result<FlatRows, Problem> {
    let (numbers, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() || features == 0 || numbers.len() % features != 0 {
        let detail = format!(
            "the body has {} bytes; expected a multiple of {}, as a row has {features} numbers of 4 bytes",
            bytes.len(),
            4 * features
        );
        return Err(Problem::new(&Kind::INVALID_BODY, detail));
    }
    let numbers = numbers.iter().map(|it| f32::from_le_bytes(*it).into());
    Ok(FlatRows {
        columns: Some(features),
        numbers: numbers.collect(),
    })
}

/// Gives a labeling session a pool, so that its rows are sent once.
///
/// The rows are JSON, lines of numbers with commas between them (`text/csv`, no header), or 32-bit
/// floats row by row, least significant byte first (`application/octet-stream`). The pool is in memory
/// only, and deleted with the session. A pool that is there already costs nothing.
#[utoipa::path(
    post, path = "/v1/label/sessions/{session}/pools", tag = "labels", operation_id = "givePool",
    params(OfSession, KeyHeader), security(("session" = [])),
    request_body(content(
        (SessionPoolBody = "application/json", example = json!({"rows": [[0.5, 1.0], [0.0, 0.5]]})),
        (String = "text/csv"),
        (String = "application/octet-stream"),
    )),
    responses(
        (status = 200, description = "The session holds the pool.", body = SessionPoolView),
        (status = 413, description = "The body is larger than `labels.max_upload`."),
        (status = 503, description = "Other pools are being received, or sessions take as much room as they may."),
        Faults,
    ),
)]
pub(in crate::api) async fn give_pool(
    State(app): State<App>,
    InPath(path): InPath<OfSession>,
    _query: NoQuery,
    request: Request,
) -> Result<Response, Problem> {
    let labels = app.labels();
    let (mut parts, body) = request.into_parts();
    let who = Who::of(&mut parts, &app).await?;
    let form = PoolForm::of(&parts.headers)?;
    // Nobody but the owner makes the coordinator receive much.
    labels.find(&path.session, who.presented())?;
    let _permit = labels.receive()?;
    let bytes = whole(Request::from_parts(parts, body), &app).await?;
    // A large body is hashed apart from the tasks that answer other requests.
    let hashed = bytes.clone();
    let caller = labels.prepare(move || who.caller(&hashed)).await?;
    let session = OnSession::find(&app, &path, caller)?;
    let features = session.read(|session, _| session.opening().features).await;
    let reading = labels.prepare(move || {
        let rows = form.rows(&bytes, features)?;
        Ok::<_, Problem>((pool_id(&rows), rows))
    });
    let (id, rows) = reading.await??;
    let count = rows.nrows();
    let asked = if labels.holds(session.entry(), &id).await {
        Asked::Nothing
    } else {
        Asked::Pool { rows: count }
    };
    let check = move |session: &Session| {
        session.check_pool(id, count)?;
        Ok(move |session: &Session, _| Ok((session.with_pool(id, rows)?, ())))
    };
    let view = move |(), receipt: Receipt| SessionPoolView {
        pool: hex::encode(id),
        rows: count as u64,
        units: receipt.into(),
    };
    session.work(asked, check, view).await
}

/// Deletes a pool of a labeling session. It is free.
#[utoipa::path(
    delete, path = "/v1/label/sessions/{session}/pools/{pool}", tag = "labels", operation_id = "deletePool",
    params(OfPool), security(("session" = [])),
    responses(
        (status = 204, description = "The pool is deleted."),
        (status = 401, description = "The token is missing, or not that of the session."),
        (status = 404, description = "The session is unknown."),
        (status = 422, description = "The session has no such pool."),
    ),
)]
pub(in crate::api) async fn delete_pool(
    State(app): State<App>,
    InPath(path): InPath<OfPool>,
    _query: NoQuery,
    call: Call,
) -> Result<Response, Problem> {
    let id = read_pool(&path.pool)?;
    let path = OfSession {
        session: path.session,
    };
    let session = OnSession::find(&app, &path, call.caller())?;
    let work = move |session: &Session, _| Ok((session.without_pool(&id)?, ()));
    let check = move |_: &Session| Ok(work);
    session.work(Asked::Nothing, check, |(), _| ()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn pool_form_reads_the_same_rows_in_all_forms() {
        let rows = array![[0.5, -1.0], [3.0, 0.25]];
        let floats: Vec<u8> = rows
            .iter()
            .flat_map(|it: &f64| {
                format!("{it}")
                    .parse::<f32>()
                    .expect("a number")
                    .to_le_bytes()
            })
            .collect();
        for (form, bytes) in [
            (
                PoolForm::Json,
                &br#"{"rows": [[0.5, -1], [3e0, 0.25]]}"#[..],
            ),
            (PoolForm::Csv, b"0.5,-1\r\n\n 3.0 , 0.25\n"),
            (PoolForm::Floats, &floats),
        ] {
            assert_eq!(form.rows(bytes, 2).expect("rows"), rows, "{form:?}");
            assert!(form.rows(bytes, 3).is_err(), "{form:?}");
        }
    }

    #[test]
    fn pool_form_refuses_what_are_no_rows() {
        for (form, bytes, expected) in [
            (
                PoolForm::Json,
                &b"{\"rows\": [[1, 2], [3]]}"[..],
                "a row has 1 numbers; expected 2",
            ),
            (PoolForm::Json, b"{\"rows\": [[1, \"x\"]]}", "expected"),
            (PoolForm::Csv, b"a,b\n1,2\n", "line 1 has `a`"),
            (PoolForm::Csv, b"1,2\n3\n", "line 2: a row has 1 numbers"),
            (PoolForm::Csv, b"\xff", "no text in UTF-8"),
            (PoolForm::Floats, b"1234", "expected a multiple of 8"),
            (PoolForm::Floats, b"123456789", "expected a multiple of 8"),
        ] {
            let problem = form.rows(bytes, 2).expect_err("no rows");
            let text = format!("{problem:?}");
            assert!(text.contains(expected), "{text}");
        }
        assert!(PoolForm::Floats.rows(b"", 0).is_err());
    }
}
