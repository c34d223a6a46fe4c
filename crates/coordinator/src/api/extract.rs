//! What handlers take from a request; what is wrong with it becomes a problem.

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::JsonRejection},
    http::{StatusCode, request::Parts},
};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::IntoParams;

use super::{kinds::Kind, problem::Problem, text::Account};

/// What the path has.
pub(super) struct InPath<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for InPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::new(&Kind::INVALID_PATH, rejection.body_text())),
        }
    }
}

/// What the query has.
pub(super) struct InQuery<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for InQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::new(&Kind::INVALID_QUERY, rejection.body_text())),
        }
    }
}

/// No query at all.
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

/// What the body has.
pub(super) struct InBody<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequest<S> for InBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let rejection = match Json::from_request(request, state).await {
            Ok(Json(value)) => return Ok(Self(value)),
            Err(rejection) => rejection,
        };
        let kind = match &rejection {
            JsonRejection::JsonDataError(_) => &Kind::INVALID_REQUEST,
            JsonRejection::MissingJsonContentType(_) => &Kind::MEDIA_TYPE,
            rejection if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => &Kind::TOO_LARGE,
            _ => &Kind::INVALID_BODY,
        };
        Err(Problem::new(kind, rejection.body_text()))
    }
}

/// A model by its trainer.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfModel {
    /// The address of the model's trainer.
    #[param(inline)]
    pub(super) trainer: Account,
}

/// A contribution of a model.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfContribution {
    /// The address of the model's trainer.
    #[param(inline)]
    pub(super) trainer: Account,
    /// The contribution's position among all of the model's, from 0.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    pub(super) position: u64,
}

/// An account of a model's trainer.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfAccount {
    /// The address of the model's trainer.
    #[param(inline)]
    pub(super) trainer: Account,
    /// The account's address.
    #[param(inline)]
    pub(super) address: Account,
}
