//! Calls on a labeling session: token, key and body.

use std::marker::PhantomData;

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderMap, HeaderName, header::AUTHORIZATION},
};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::IntoParams;

use crate::{
    api::{app::App, extract::JsonBytes, kinds::Kind, problem::Problem},
    labels,
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

/// Call with its token, its key and its body.
pub(in crate::api) struct Call<T = NoBody> {
    token: Option<String>,
    key: Option<String>,
    bytes: JsonBytes,
    body: PhantomData<T>,
}

impl<T> Call<T> {
    /// Returns the token, if there is one.
    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }
}

impl<T: DeserializeOwned> Call<T> {
    /// Returns the token, the request with its key, and the body of a call.
    pub(super) fn of(
        self,
        name: &str,
    ) -> Result<(Option<String>, Option<labels::Request>, T), Problem> {
        let request = self.key.map(|key| {
            let content = [name.as_bytes(), b"\n", &self.bytes.0].concat();
            labels::Request::new(&key, &content)
        });
        Ok((self.token, request, self.bytes.read()?))
    }
}

impl<T: DeserializeOwned + Send> FromRequest<App> for Call<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let token = token(request.headers());
        let key = key(request.headers())?;
        let bytes = JsonBytes::from_request(request, app).await?;
        Ok(Self {
            token,
            key,
            bytes,
            body: PhantomData,
        })
    }
}

impl FromRequest<App> for Call {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &App) -> Result<Self, Problem> {
        Ok(Self {
            token: token(request.headers()),
            key: None,
            bytes: JsonBytes::default(),
            body: PhantomData,
        })
    }
}

/// Returns the token of the header `Authorization: Bearer`.
fn token(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| token.trim().to_owned())
}

/// Returns the key of a request, which has the form of x402's payment identifiers.
fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let is_letter = |it: u8| it.is_ascii_alphanumeric() || it == b'_' || it == b'-';
    let key = key
        .to_str()
        .ok()
        .filter(|key| (16..=128).contains(&key.len()) && key.bytes().all(is_letter));
    let key = key.ok_or_else(|| {
        let detail = "the header Idempotency-Key is malformed; expected 16 to 128 letters, digits, `_` or `-`";
        Problem::new(&Kind::INVALID_HEADER, detail)
    })?;
    Ok(Some(key.to_owned()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(name: axum::http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn token_is_that_of_a_bearer() {
        for (value, expected) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("Bearer", None),
        ] {
            let found = token(&headers(AUTHORIZATION, value));
            assert_eq!(found.as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn key_has_a_form() {
        let read = |value: &str| key(&headers(IDEMPOTENCY_KEY, value));
        assert!(read("0123456789_abc-D").unwrap().is_some());
        for wrong in ["short", "0123456789abcdef!", &"a".repeat(129)] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(key(&HeaderMap::new()).unwrap().is_none());
    }
}
