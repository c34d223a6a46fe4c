//! Calls on a labeling session: token, key and body.

use std::{marker::PhantomData, net::IpAddr, sync::Arc};

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{
        HeaderMap, HeaderName,
        header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use cotrain_active::session::{Session, SessionError};
use cotrain_payments::{
    ledger::RequestId,
    rail::{Presented, RefusalReason},
    x402::{extensions, header, wire::PaymentPayload},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::{IntoParams, IntoResponses};

use super::payment::headers as paid_headers;
use crate::{
    api::{app::App, extract::JsonBytes, kinds::Kind, limits::ClientAddress, problem::Problem},
    labels::{self, Answered, Asked, Caller, Entry, Labels, Receipt},
};

/// Header with the key of a request, which makes its repetition safe.
pub(in crate::api) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A labeling session by its id.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::api) struct OfSession {
    /// Id of the session.
    #[param(pattern = "^[0-9a-f]{64}$")]
    pub(super) session: String,
}

/// Absence of a body.
pub(in crate::api) struct NoBody;

/// Call with its caller and its body.
pub(in crate::api) struct Call<T = NoBody> {
    who: Who,
    bytes: JsonBytes,
    body: PhantomData<T>,
}

/// Facts about a caller that the head of a request tells.
#[derive(Clone)]
pub(super) struct Who {
    presented: Presented,
    key: Option<RequestId>,
    path: String,
    url: String,
    client: IpAddr,
}

impl Who {
    /// Reads the head of a request.
    pub(super) async fn of(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Ok(ClientAddress(client)) = ClientAddress::from_request_parts(parts, app).await;
        let payment = payment(&parts.headers)?;
        let key = key(&parts.headers, payment.as_ref())?;
        let presented = presented(&parts.headers, payment)?;
        let path = parts.uri.path().to_owned();
        let url = url(&parts.headers, &path);
        Ok(Self {
            presented,
            key,
            path,
            url,
            client,
        })
    }

    /// Returns what the caller presented.
    pub(super) fn presented(&self) -> &Presented {
        &self.presented
    }

    /// Returns the caller of a call with a body.
    pub(super) fn caller(&self, body: &[u8]) -> Caller {
        let content = [self.path.as_bytes(), b"\n", body];
        let text = self.key.as_ref().map(ToString::to_string);
        let request = labels::Request::new(text.as_deref().unwrap_or_default(), &content);
        Caller {
            presented: self.presented.clone(),
            body: request.hash().into(),
            request: text.map(|_| request),
            id: self.key.clone(),
            url: self.url.clone(),
            client: self.client,
        }
    }
}

impl<T> Call<T> {
    /// Returns what the caller presented.
    pub(super) fn presented(&self) -> &Presented {
        self.who.presented()
    }

    /// Returns the caller.
    pub(super) fn caller(&self) -> Caller {
        self.who.caller(&self.bytes.0)
    }

    async fn read(request: Request, app: &App, has_body: bool) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let who = Who::of(&mut parts, app).await?;
        let bytes = if has_body {
            let request = Request::from_parts(parts, body);
            JsonBytes::from_request(request, app).await?
        } else {
            JsonBytes::default()
        };
        Ok(Self {
            who,
            bytes,
            body: PhantomData,
        })
    }
}

impl<T: DeserializeOwned> Call<T> {
    /// Returns the caller and the body of a call.
    pub(super) fn of(self) -> Result<(Caller, T), Problem> {
        Ok((self.caller(), self.bytes.read()?))
    }

    /// Reads the body, and finds the session to work on.
    pub(super) fn on(self, app: &App, path: &OfSession) -> Result<(OnSession, T), Problem> {
        let (caller, body) = self.of()?;
        Ok((OnSession::find(app, path, caller)?, body))
    }
}

impl<T: DeserializeOwned + Send> FromRequest<App> for Call<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        Self::read(request, app, true).await
    }
}

impl FromRequest<App> for Call {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        Self::read(request, app, false).await
    }
}

/// Session that a call works on, and its caller, who has proven that it is theirs.
pub(super) struct OnSession {
    labels: Labels,
    entry: Arc<Entry>,
    caller: Caller,
}

impl OnSession {
    /// Finds a session, and puts off its end.
    pub(super) fn find(app: &App, path: &OfSession, caller: Caller) -> Result<Self, Problem> {
        let labels = app.labels().clone();
        let entry = labels.find(&path.session, &caller.presented)?;
        Ok(Self {
            labels,
            entry,
            caller,
        })
    }

    pub(super) fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }

    /// Reads the session in its turn.
    pub(super) async fn read<T>(&self, read: impl FnOnce(&Session, Receipt) -> T) -> T {
        self.labels.read(&self.entry, read).await
    }

    /// Works on the session in its turn, charges the work, and answers. `check` returns the work, or
    /// refuses what does not fit the session: that is not charged.
    pub(super) async fn work<T: Send + 'static, V: Serialize, W>(
        self,
        asked: Asked,
        check: impl FnOnce(&Session) -> Result<W, SessionError>,
        view: impl FnOnce(T, Receipt) -> V + Send + 'static,
    ) -> Result<Response, Problem>
    where
        W: FnOnce(&Session, u64) -> Result<(Session, T), SessionError> + Send + 'static,
    {
        let answer = move |done, receipt| json(&view(done, receipt));
        let working = self
            .labels
            .work(self.entry, self.caller, asked, check, answer);
        Ok(answered(working.await?))
    }
}

/// Returns an answer that may have been stored.
pub(super) fn answered(answer: Answered) -> Response {
    let content = (CONTENT_TYPE, "application/json".to_owned());
    let headers = paid_headers(answer.receipt, answer.response.as_ref());
    ([content, no_store()], headers, answer.body).into_response()
}

/// Returns the header that keeps an answer out of caches.
pub(super) fn no_store() -> (HeaderName, String) {
    (CACHE_CONTROL, "no-store".to_owned())
}

pub(super) fn json(view: &impl Serialize) -> Vec<u8> {
    // A view has names and finite numbers only.
    serde_json::to_vec(view).unwrap_or_default()
}

/// Header with the key of a request.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes a header, which `key` reads")]
pub(in crate::api) struct KeyHeader {
    /// Key of the request: the same request with the same key is worked on and charged once.
    #[param(
        rename = "Idempotency-Key",
        required = false,
        min_length = 16,
        max_length = 128,
        pattern = "^[A-Za-z0-9_-]+$"
    )]
    key: Option<String>,
}

/// Refusals of calls that work on a session.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes answers that problems give")]
pub(in crate::api) enum Faults {
    #[response(
        status = 400,
        description = "The payment or a header of the call is malformed."
    )]
    Malformed,
    #[response(
        status = 401,
        description = "The token is missing, or not that of the session."
    )]
    Token,
    #[response(status = 402, description = "The session has too few units left.")]
    Units,
    #[response(status = 404, description = "The session is unknown.")]
    Unknown,
    #[response(
        status = 409,
        description = "The key belongs to another request, or the payment was used for something else."
    )]
    Other,
    #[response(
        status = 410,
        description = "The request was done and charged, and its answer is no longer here."
    )]
    Lost,
    #[response(
        status = 422,
        description = "The body does not match the schema, or the session does not take it."
    )]
    Rejected,
    #[response(
        status = 503,
        description = "Nobody knows yet whether the payment counts, the same request is in progress, or sessions take as much memory as they may. Do not pay again; repeat the call."
    )]
    Later,
}

/// Returns the URL of a call, by the host that the client named.
fn url(headers: &HeaderMap, path: &str) -> String {
    let text = |name: &str| headers.get(name).and_then(|it| it.to_str().ok());
    let scheme = match text("x-forwarded-proto") {
        Some("https") => "https",
        _ => "http",
    };
    format!("{scheme}://{}{path}", text("host").unwrap_or("localhost"))
}

/// Returns the payment of the header `PAYMENT-SIGNATURE`.
fn payment(headers: &HeaderMap) -> Result<Option<PaymentPayload>, Problem> {
    let Some(value) = headers.get(header::PAYMENT_SIGNATURE) else {
        return Ok(None);
    };
    let malformed = |reason: &str| {
        let detail = format!(
            "the header PAYMENT-SIGNATURE is malformed: {reason}; expected base64 of a payment of x402, version 2"
        );
        Problem::new(&Kind::PAYMENT_MALFORMED, detail)
    };
    let text = value.to_str().map_err(|_| malformed("it is no text"))?;
    let json = header::decode(text).map_err(|error| malformed(&error.to_string()))?;
    let payment = serde_json::from_slice(&json);
    payment
        .map(Some)
        .map_err(|error| malformed(&error.to_string()))
}

/// Returns what a request presents. A header of another scheme proves nothing.
fn presented(headers: &HeaderMap, payment: Option<PaymentPayload>) -> Result<Presented, Problem> {
    let authorization = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
    let read = Presented::read(authorization, payment.clone());
    match read {
        Err(RefusalReason::Scheme) => Ok(Presented {
            proof: None,
            payment,
        }),
        read => Ok(read.map_err(|reason| labels::Refusal::Unpayable(reason.into()))?),
    }
}

/// Returns the key of a request: that of its header, or else that of its payment.
fn key(
    headers: &HeaderMap,
    payment: Option<&PaymentPayload>,
) -> Result<Option<RequestId>, Problem> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else {
        let extensions = payment.map(|it| &it.extensions);
        let key = extensions.map(|it| extensions::identifier(it, false));
        let key = key
            .transpose()
            .map_err(|error| Problem::new(&Kind::PAYMENT_MALFORMED, error))?;
        return Ok(key.flatten().and_then(|key| key.parse().ok()));
    };
    let key = key.to_str().ok().and_then(|key| key.parse().ok());
    let key = key.ok_or_else(|| {
        let detail = "the header Idempotency-Key is malformed; expected 16 to 128 letters, digits, `_` or `-`";
        Problem::new(&Kind::INVALID_HEADER, detail)
    })?;
    Ok(Some(key))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use cotrain_payments::rail::{Proof, token_hash};

    use super::*;

    fn headers(name: axum::http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn presented_is_a_bearer_or_nothing() {
        for (value, expected) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("Bearer", None),
        ] {
            let found = presented(&headers(AUTHORIZATION, value), None).unwrap();
            let expected = expected.map(|it| Proof::Bearer(token_hash(it)));
            assert_eq!(found.proof, expected, "{value}");
        }
        assert!(presented(&headers(AUTHORIZATION, "L402 abc"), None).is_err());
    }

    #[test]
    fn payment_is_base64_of_json() {
        let name = || HeaderName::from_static("payment-signature");
        assert!(payment(&HeaderMap::new()).unwrap().is_none());
        for wrong in ["{}", "e30=", "bm8="] {
            let problem = payment(&headers(name(), wrong)).unwrap_err();
            assert_eq!(problem.slug(), "payment-malformed", "{wrong}");
        }
    }

    #[test]
    fn key_has_a_form() {
        let read = |value: &str| key(&headers(IDEMPOTENCY_KEY, value), None);
        assert!(read("0123456789_abc-D").unwrap().is_some());
        for wrong in ["short", "0123456789abcdef!", &"a".repeat(129)] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(key(&HeaderMap::new(), None).unwrap().is_none());
    }
}
