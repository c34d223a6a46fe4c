//! Pools of labeling sessions: rows that are sent once, and searches of them.

use reqwest::StatusCode;
use serde::Serialize;

use super::{
    super::wire::{HeldPool, Queries},
    Access, Call, LabelError, Service, malformed, of,
};
use crate::api::ApiError;

/// Statuses of a coordinator that does not hold a pool: it knows no pools, or its limits or its room are
/// too small for this one.
const NOT_HELD: [StatusCode; 6] = [
    StatusCode::NOT_FOUND,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNPROCESSABLE_ENTITY,
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::SERVICE_UNAVAILABLE,
];

impl Service {
    /// Gives a session the rows of a pool. Returns `None` if the coordinator does not hold them: it is
    /// an older one, has no room, or they are too many. The bounds of quotes have the maxima.
    ///
    /// If the answer is lost, the call is sent once more by the same id, so that it is charged once.
    ///
    /// # Errors
    /// [`LabelError`].
    pub async fn hold(
        &mut self,
        access: &Access,
        pool: &[&[f64]],
    ) -> Result<Option<HeldPool>, LabelError> {
        #[derive(Serialize)]
        struct Body<'a> {
            rows: &'a [&'a [f64]],
        }
        let path = of(access, "/pools");
        let call = Call {
            is_optional: true,
            ..Call::post(&path, Some(access), &Body { rows: pool })?
        };
        match self.json::<HeldPool>(call).await {
            Ok(held) if held.rows == pool.len() as u64 => Ok(Some(held)),
            Ok(_) => Err(malformed("it holds another number of rows than were sent")),
            Err(LabelError::Api(error)) if is_not_held(&error) => {
                tracing::info!(%error, "the coordinator does not hold the pool");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Asks which rows of a pool that the session holds are worth a label. It has a number of `rows`.
    ///
    /// # Errors
    /// [`LabelError`].
    pub async fn query_held(
        &mut self,
        access: &Access,
        pool: &HeldPool,
        count: u32,
    ) -> Result<Queries, LabelError> {
        #[derive(Serialize)]
        struct Body<'a> {
            pool: &'a str,
            count: u32,
        }
        let (pool, rows) = (&pool.pool, pool.rows);
        self.ask(access, &Body { pool, count }, rows).await
    }

    /// Asks which rows of a pool are worth a label.
    ///
    /// # Errors
    /// [`LabelError`].
    pub async fn query(
        &mut self,
        access: &Access,
        pool: &[&[f64]],
        count: u32,
    ) -> Result<Queries, LabelError> {
        #[derive(Serialize)]
        struct Body<'a> {
            rows: &'a [&'a [f64]],
            count: u32,
        }
        let body = Body { rows: pool, count };
        self.ask(access, &body, pool.len() as u64).await
    }

    /// Asks which of a number of rows are worth a label.
    async fn ask(
        &mut self,
        access: &Access,
        body: &impl Serialize,
        rows: u64,
    ) -> Result<Queries, LabelError> {
        let path = of(access, "/queries");
        let answer: Queries = self.json(Call::post(&path, Some(access), body)?).await?;
        if answer.rows.iter().any(|&row| row >= rows) {
            return Err(malformed("it chooses a row that the pool does not have"));
        }
        Ok(answer)
    }
}

/// Returns `true` if a failure says no more than that a pool is not held, now at least.
fn is_not_held(error: &ApiError) -> bool {
    match error {
        ApiError::Refused { status, .. } => NOT_HELD.contains(status),
        ApiError::Malformed { .. } => false,
        // It was sent twice. The next call is sent until there is an answer.
        _ => true,
    }
}
