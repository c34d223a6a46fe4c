//! Problems in the form of RFC 9457.

use std::fmt::Display;

use axum::{
    Extension,
    body::Body,
    extract::Request,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use cotrain_client::api::{Account, Hash, NEXT_NONCE, PROBLEM_JSON, Wei};
use cotrain_indexer::StoreError;
use cotrain_protocol::ContractError;
use cotrain_relayer::SubmitError;
use serde_json::{Map, Value, json};

use super::kinds::Kind;

/// Deprecated name of `max` in problems; clients of earlier releases read it.
const DEPRECATED_MAX: &str = "most";

/// Failure of a request. [`render`] creates its body, as it knows the path.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    kind: &'static Kind,
    detail: String,
    fields: Map<String, Value>,
    /// Wait before a new attempt, in seconds.
    retry_after: Option<u64>,
    /// Boxed, since few problems have headers of their own.
    headers: Box<HeaderMap>,
}

impl Problem {
    pub(super) fn new(kind: &'static Kind, detail: impl Display) -> Self {
        Self {
            kind,
            detail: detail.to_string(),
            fields: Map::new(),
            retry_after: None,
            headers: Box::default(),
        }
    }

    /// Adds a further field.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a header, beside others of its name.
    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Adds the number of seconds to wait before a new attempt.
    pub(super) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Returns the last part of the problem's type.
    pub(super) fn slug(&self) -> &'static str {
        self.kind.slug
    }

    /// Returns the problem for a bare status from axum or a layer.
    fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::new(
                &Kind::NOT_FOUND,
                "there is no such path; /docs lists those that there are",
            ),
            StatusCode::METHOD_NOT_ALLOWED => Self::new(
                &Kind::METHOD_NOT_ALLOWED,
                "the path does not take this method; Allow has those that it takes",
            ),
            StatusCode::PAYLOAD_TOO_LARGE => Self::new(&Kind::TOO_LARGE, "the body is too large"),
            status if status.is_client_error() => {
                Self::new(&Kind::INVALID_HEADER, "the request is malformed")
            }
            _ => Self::new(&Kind::INTERNAL, "the coordinator failed"),
        }
    }

    /// Returns the answer for a request of `path`.
    fn answer(&self, path: &str, mut headers: HeaderMap) -> Response {
        let mut document = self.kind.document(&self.detail);
        document.instance = Some(path.to_owned());
        document.fields.clone_from(&self.fields);
        headers.remove(CONTENT_LENGTH);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if self.kind.status == StatusCode::UNAUTHORIZED && !headers.contains_key(WWW_AUTHENTICATE) {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let mut response = Response::new(Body::from(json!(document).to_string()));
        *response.status_mut() = self.kind.status;
        *response.headers_mut() = headers;
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let headers = HeaderMap::clone(&self.headers);
        (self.kind.status, headers, Extension(self)).into_response()
    }
}

/// Turns every answer with an error status into a problem.
pub(super) async fn render(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let status = response.status();
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None if status.is_client_error() || status.is_server_error() => Problem::of_status(status),
        None => return response,
    };
    let headers = std::mem::take(response.headers_mut());
    let mut answer = problem.answer(&path, headers);
    // The metrics and the log read this.
    answer.extensions_mut().insert(problem.kind.slug);
    answer
}

impl From<StoreError> for Problem {
    /// Logs the reason, which clients must not see.
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "cannot answer");
        Self::new(
            &Kind::UNAVAILABLE,
            "the store does not answer; try again later",
        )
        .retry_after(5)
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        let detail = error.to_string();
        match error {
            SubmitError::Rejected(rejection) => rejection.into(),
            SubmitError::Conflict {
                author,
                nonce,
                other,
                next,
            } => Self::new(&Kind::NONCE_TAKEN, detail)
                .with("author", text(&Account(author)))
                .with("nonce", nonce)
                .with("other", text(&Hash(other)))
                .with(NEXT_NONCE, next),
            SubmitError::BalanceTooLow {
                author,
                required,
                balance,
            } => Self::new(&Kind::BALANCE_TOO_LOW, detail)
                .with("author", text(&Account(author)))
                .with("required", text(&Wei(required)))
                .with("balance", text(&Wei(balance))),
            SubmitError::FeeTooLow { fee, wanted, .. } => Self::new(&Kind::FEE_TOO_LOW, detail)
                .with("fee", text(&Wei(fee)))
                .with("wanted", text(&Wei(wanted))),
            SubmitError::OtherRelayer { relayer, expected } => {
                Self::new(&Kind::OTHER_RELAYER, detail)
                    .with("relayer", text(&Account(relayer)))
                    .with("expected", text(&Account(expected)))
            }
            SubmitError::NonceTooFar { nonce, max } => Self::new(&Kind::NONCE_TOO_FAR, detail)
                .with("nonce", nonce)
                .with("max", max)
                .with(DEPRECATED_MAX, max),
            SubmitError::TooManyWaiting { waiting, max } => {
                Self::new(&Kind::TOO_MANY_WAITING, detail)
                    .with("waiting", waiting)
                    .with("max", max)
                    .with(DEPRECATED_MAX, max)
                    .retry_after(30)
            }
            SubmitError::NotServed(_) => Self::new(&Kind::NOT_SERVED, detail),
            SubmitError::Store(error) => error.into(),
            SubmitError::Node(error) => {
                tracing::error!(%error, "cannot ask the node");
                Self::new(
                    &Kind::UNAVAILABLE,
                    "the node does not answer; try again later",
                )
                .retry_after(5)
            }
        }
    }
}

impl From<ContractError> for Problem {
    /// Rejections with a kind of their own keep their values.
    fn from(rejection: ContractError) -> Self {
        let detail = rejection.to_string();
        let of = |kind| Self::new(kind, &detail);
        match rejection {
            ContractError::NonceUsed { author, nonce } => of(&Kind::NONCE_USED)
                .with("author", text(&Account(author)))
                .with("nonce", nonce),
            ContractError::BalanceTooLow { required, balance } => of(&Kind::BALANCE_TOO_LOW)
                .with("required", text(&Wei(required)))
                .with("balance", text(&Wei(balance))),
            ContractError::PriceTooHigh { price, max_deposit } => of(&Kind::PRICE_TOO_HIGH)
                .with("price", text(&Wei(price)))
                .with("maxDeposit", text(&Wei(max_deposit))),
            ContractError::Expired { deadline, now } => of(&Kind::EXPIRED)
                .with("deadline", deadline)
                .with("now", now),
            ContractError::InvalidSignature { author } => {
                of(&Kind::INVALID_SIGNATURE).with("author", text(&Account(author)))
            }
            ContractError::LabelOutOfRange { item, .. }
            | ContractError::SampleTooLong { item, .. }
            | ContractError::OddSampleLength { item, .. }
            | ContractError::WrongSampleLength { item, .. }
            | ContractError::FeatureNotIncreasing { item, .. }
            | ContractError::FeatureOutOfRange { item, .. }
            | ContractError::TooManyFeatures { item, .. }
            | ContractError::NumberTooLarge { item, .. }
            | ContractError::SquaredLengthTooLarge { item, .. } => {
                of(&Kind::SAMPLE_REJECTED).with("item", item)
            }
            ContractError::EmptyBatch => of(&Kind::INVALID_REQUEST),
            ContractError::MalformedBatch { offset } => {
                of(&Kind::INVALID_REQUEST).with("offset", offset)
            }
            _ => of(&Kind::REJECTED),
        }
    }
}

fn text(value: &impl Display) -> Value {
    json!(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The price of a batch is known only during a relay, so no request gets this answer today.
    #[test]
    fn problem_from_price_too_high_keeps_both_amounts() {
        let problem = Problem::from(ContractError::PriceTooHigh {
            price: 5,
            max_deposit: 0,
        });
        assert_eq!(problem.slug(), "price-too-high");
        assert_eq!(problem.kind.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(problem.fields["price"], "5");
        assert_eq!(problem.fields["maxDeposit"], "0");
    }
}
