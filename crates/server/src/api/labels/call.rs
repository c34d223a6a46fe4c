//! Calls on a labeling session: token, key and body.

use std::{marker::PhantomData, net::IpAddr};

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, HeaderName, header::AUTHORIZATION},
};
use cotrain_payments::{
    ledger::RequestId,
    rail::{Presented, RefusalReason},
    x402::{extensions, header, wire::PaymentPayload},
};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::IntoParams;

use crate::{
    api::{app::App, extract::JsonBytes, kinds::Kind, limits::ClientAddress, problem::Problem},
    labels::{self, Caller},
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
    presented: Presented,
    key: Option<RequestId>,
    path: String,
    url: String,
    client: IpAddr,
    bytes: JsonBytes,
    body: PhantomData<T>,
}

impl<T> Call<T> {
    /// Returns what the caller presented.
    pub(super) fn presented(&self) -> &Presented {
        &self.presented
    }

    /// Returns the caller.
    pub(super) fn caller(&self) -> Caller {
        let content = [self.path.as_bytes(), b"\n", &self.bytes.0].concat();
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

    async fn read(request: Request, app: &App, has_body: bool) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let Ok(ClientAddress(client)) = ClientAddress::from_request_parts(&mut parts, app).await;
        let payment = payment(&parts.headers)?;
        let key = key(&parts.headers, payment.as_ref())?;
        let presented = presented(&parts.headers, payment)?;
        let path = parts.uri.path().to_owned();
        let url = url(&parts.headers, &path);
        let bytes = if has_body {
            let request = Request::from_parts(parts, body);
            JsonBytes::from_request(request, app).await?
        } else {
            JsonBytes::default()
        };
        Ok(Self {
            presented,
            key,
            path,
            url,
            client,
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
