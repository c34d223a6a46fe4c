//! Sealed snapshots of labeling sessions, which their owners keep.

use alloy_primitives::hex;
use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName,
        header::{CONTENT_TYPE, LOCATION},
    },
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use zeroize::Zeroizing;

use super::{
    call::{Call, OfSession, Who, answered, json, no_store},
    view::UnitsView,
};
use crate::{
    api::{
        app::App,
        extract::{InPath, InQuery, NoQuery, whole},
        kinds::Kind,
        problem::Problem,
    },
    labels::{Owner, Restored},
};

/// Header with the random secret of a session's owner.
pub(in crate::api) const SNAPSHOT_SECRET: HeaderName = HeaderName::from_static("snapshot-secret");

/// Header with the signature of an owner's wallet.
pub(in crate::api) const SNAPSHOT_SIGNATURE: HeaderName =
    HeaderName::from_static("snapshot-signature");

/// Headers that open and make snapshots.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes headers, which `owner` reads")]
pub(in crate::api) struct OwnerHeaders {
    /// Secret of 32 random bytes, of which the key is made. Keep it: nobody else has it.
    #[param(
        rename = "Snapshot-Secret",
        required = false,
        pattern = "^[0-9a-f]{64}$"
    )]
    secret: Option<String>,
    /// Instead of the secret: a wallet's signature of the fixed message, 65 bytes.
    #[param(
        rename = "Snapshot-Signature",
        required = false,
        pattern = "^(0x)?[0-9a-f]{130}$"
    )]
    signature: Option<String>,
}

/// Session that a snapshot is of.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct SnapshotQuery {
    /// Id of the session, which stays the same.
    #[param(pattern = "^[0-9a-f]{64}$")]
    session: String,
}

/// Restored session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct RestoredView {
    /// Id, for the paths of its calls.
    session: String,
    /// New token, which is shown only here; null if the session or its account has one already.
    token: Option<String>,
    /// Number of labeled rows.
    rows: u64,
    units: UnitsView,
    /// Time at which it is deleted unless there is a call before, in Unix seconds.
    expires: u64,
}

impl From<Restored> for RestoredView {
    fn from(restored: Restored) -> Self {
        Self {
            session: restored.id,
            token: restored.token,
            rows: restored.rows as u64,
            units: restored.receipt.into(),
            expires: restored.expires,
        }
    }
}

/// Returns what the owner's keys are made of.
fn owner(headers: &HeaderMap) -> Result<Owner, Problem> {
    let wrong = |detail: &str| Problem::new(&Kind::INVALID_HEADER, detail);
    let digits = |name: &HeaderName| {
        let value = headers.get(name)?;
        let text = value.to_str().unwrap_or_default();
        Some(Zeroizing::new(hex::decode(text).unwrap_or_default()))
    };
    match (digits(&SNAPSHOT_SECRET), digits(&SNAPSHOT_SIGNATURE)) {
        (Some(secret), None) => {
            let secret = secret.as_slice().try_into().map_err(|_| {
                wrong("the header Snapshot-Secret is malformed; expected 64 hexadecimal digits")
            })?;
            Ok(Owner::Secret(Zeroizing::new(secret)))
        }
        (None, Some(signature)) => {
            let signature = signature.as_slice().try_into().map_err(|_| {
                wrong("the header Snapshot-Signature is malformed; expected 130 hexadecimal digits")
            })?;
            Ok(Owner::Signature(Zeroizing::new(signature)))
        }
        _ => Err(wrong(
            "expected one of the headers Snapshot-Secret and Snapshot-Signature, of which the key is made",
        )),
    }
}

/// Returns a sealed snapshot of a labeling session, which its owner keeps. It is free.
///
/// It has labeled rows, model and state, but no pools and no units. Only the secret or the wallet of
/// the header opens it again, and only for this session.
#[utoipa::path(
    post, path = "/v1/label/sessions/{session}/snapshots", tag = "labels", operation_id = "sealSession",
    params(OfSession, OwnerHeaders), security(("session" = [])),
    responses(
        (status = 200, description = "The sealed snapshot.", content_type = "application/octet-stream", body = String),
        (status = 400, description = "The header with the secret is missing or malformed."),
        (status = 401, description = "The token is missing, or not that of the session."),
        (status = 404, description = "The session is unknown."),
        (status = 422, description = "The snapshot would be larger than `labels.max_upload`."),
    ),
)]
pub(in crate::api) async fn seal(
    State(app): State<App>,
    InPath(path): InPath<OfSession>,
    _query: NoQuery,
    headers: HeaderMap,
    call: Call,
) -> Result<Response, Problem> {
    let labels = app.labels();
    let entry = labels.find(&path.session, call.presented())?;
    let sealed = labels.seal(&path.session, &entry, owner(&headers)?).await?;
    let content = (CONTENT_TYPE, "application/octet-stream".to_owned());
    Ok(([content, no_store()], sealed).into_response())
}

/// Restores a labeling session from a sealed snapshot. It costs as much as an opening.
///
/// A session that is open goes on from the snapshot, with its own token and the units that it has now.
/// One that is not, as after a restart of the coordinator, is opened under its id. If units are paid
/// for, its account has them, and the call proves the account as an opening does. If they are free,
/// it gets a new token, and the units of a new session less those that it had spent.
#[utoipa::path(
    post, path = "/v1/label/sessions/restore", tag = "labels", operation_id = "restoreSession",
    params(SnapshotQuery, OwnerHeaders), security((), ("session" = [])),
    request_body(content = String, content_type = "application/octet-stream", description = "The snapshot, as it was given."),
    responses(
        (status = 200, description = "The session is restored.", body = RestoredView,
            headers(("Location" = String, description = "Path of the session's state."))),
        (status = 400, description = "The header with the secret is missing or malformed."),
        (status = 401, description = "The session is open, and the token is missing or not its own."),
        (status = 402, description = "Too few units are left; if they are paid for, the answer has offers."),
        (status = 404, description = "No labeling sessions are opened here."),
        (status = 422, description = "The snapshot does not open, or does not fit the bounds."),
        (status = 429, description = "This client makes too many requests, or has too many sessions."),
        (status = 503, description = "Other snapshots are being received, or sessions take as much room as they may."),
    ),
)]
pub(in crate::api) async fn restore(
    State(app): State<App>,
    InQuery(query): InQuery<SnapshotQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let labels = app.labels();
    let (mut parts, body) = request.into_parts();
    let who = Who::of(&mut parts, &app).await?;
    let owner = owner(&parts.headers)?;
    let _permit = labels.receive()?;
    let sealed = whole(Request::from_parts(parts, body), &app).await?;
    let location = [(LOCATION, format!("/v1/label/sessions/{}", query.session))];
    // A large body is hashed apart from the tasks that answer other requests.
    let hashed = sealed.clone();
    let caller = labels.prepare(move || who.caller(&hashed)).await?;
    let view = |restored| json(&RestoredView::from(restored));
    let answer = labels
        .restore(query.session, caller, owner, sealed, view)
        .await?;
    Ok((location, answered(answer)).into_response())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn owner_gives_one_secret_or_signature() {
        let read = |given: &[(HeaderName, &str)]| {
            let pairs = given.iter();
            let pair = |(name, value): &(HeaderName, &str)| {
                (name.clone(), HeaderValue::from_str(value).expect("a value"))
            };
            owner(&pairs.map(pair).collect())
        };
        let (secret, signature) = ("ab".repeat(32), "cd".repeat(65));
        let found = read(&[(SNAPSHOT_SECRET, &secret)]);
        assert!(matches!(found, Ok(Owner::Secret(it)) if *it == [0xab; 32]));
        let found = read(&[(SNAPSHOT_SIGNATURE, &format!("0x{signature}"))]);
        assert!(matches!(found, Ok(Owner::Signature(it)) if *it == [0xcd; 65]));
        let both = [
            (SNAPSHOT_SECRET, &*secret),
            (SNAPSHOT_SIGNATURE, &signature),
        ];
        assert!(read(&both).is_err() && read(&[]).is_err());
        for wrong in ["", "ab", &signature, &"xy".repeat(32)] {
            assert!(read(&[(SNAPSHOT_SECRET, wrong)]).is_err(), "{wrong}");
        }
    }
}
