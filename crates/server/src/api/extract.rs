//! Extractors of handlers. They turn faults of a request into problems.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::PathRejection},
    http::{StatusCode, header::CONTENT_TYPE, request::Parts},
};
use cotrain_client::api::Account;
use cotrain_learning::text::escaped;
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::IntoParams;

use super::{kinds::Kind, problem::Problem, wording};

/// Parameters of the path.
pub(super) struct InPath<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for InPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => Err(Problem::new(
                &Kind::INVALID_PATH,
                wording::path(error.kind()),
            )),
            Err(rejection) => Err(Problem::new(&Kind::INVALID_PATH, rejection.body_text())),
        }
    }
}

/// Parameters of the query.
pub(super) struct InQuery<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for InQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => {
                let query = parts.uri.query().unwrap_or_default();
                let detail = wording::query(query, &rejection.body_text());
                Err(Problem::new(&Kind::INVALID_QUERY, detail))
            }
        }
    }
}

/// Proof that the query is empty.
pub(super) struct NoQuery;

impl<S: Send + Sync> FromRequestParts<S> for NoQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Nothing {}

        let InQuery(Nothing {}) = InQuery::from_request_parts(parts, state).await?;
        Ok(Self)
    }
}

/// JSON of the body.
pub(super) struct InBody<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequest<S> for InBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = JsonBytes::from_request(request, state).await?;
        bytes.read().map(Self)
    }
}

/// Bytes of a body that says that it is JSON.
#[derive(Default)]
pub(super) struct JsonBytes(pub(super) Bytes);

impl JsonBytes {
    /// Reads the JSON. An error names the path of the faulty value.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        read(&self.0)
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonBytes {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let content = request.headers().get(CONTENT_TYPE);
        let content = content.and_then(|content| content.to_str().ok());
        if !content.is_some_and(is_json) {
            let found = content.unwrap_or("missing");
            let detail = format!(
                "the header Content-Type is {}, expected application/json; send the body as JSON",
                escaped(found)
            );
            return Err(Problem::new(&Kind::MEDIA_TYPE, detail));
        }
        whole(request, state).await.map(Self)
    }
}

/// Receives a whole body, within the bound of its route.
pub(super) async fn whole<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    let received = Bytes::from_request(request, state).await;
    received.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            let detail = "the body is larger than this coordinator takes; send less at a time";
            return Problem::new(&Kind::TOO_LARGE, detail);
        }
        let detail = "the body ended before it was whole; send it again";
        Problem::new(&Kind::INVALID_BODY, detail)
    })
}

/// Returns `true` for `application/json` and types that end with `+json`, with or without
/// parameters.
pub(super) fn is_json(content: &str) -> bool {
    let name = content.split(';').next().unwrap_or_default().trim();
    let name = name.to_ascii_lowercase();
    name == "application/json" || (name.starts_with("application/") && name.ends_with("+json"))
}

/// Reads the JSON of a body. An error names the path of the faulty value.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        let kind = if error.is_data() {
            &Kind::INVALID_REQUEST
        } else {
            &Kind::INVALID_BODY
        };
        Problem::new(kind, wording::json(&path, &error.to_string()))
    })?;
    json.end().map_err(|error| {
        let detail = wording::json(".", &error.to_string());
        Problem::new(&Kind::INVALID_BODY, detail)
    })?;
    Ok(value)
}

/// A model by its trainer.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfModel {
    /// Address of the model's trainer.
    #[param(inline)]
    pub(super) trainer: Account,
}

/// A prediction market by its address.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfMarket {
    /// Address of the market.
    #[param(inline)]
    pub(super) market: Account,
}

/// A contribution of a model.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfContribution {
    /// Address of the model's trainer.
    #[param(inline)]
    pub(super) trainer: Account,
    /// Position among all contributions to the model, from 0.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    pub(super) position: u64,
}

/// An account of a model's trainer.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfAccount {
    /// Address of the model's trainer.
    #[param(inline)]
    pub(super) trainer: Account,
    /// Address of the account.
    #[param(inline)]
    pub(super) address: Account,
}
