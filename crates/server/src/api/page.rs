//! Answers in pages, each with the path of the next one.

use cotrain_indexer::rows::Page;
use serde::{Deserialize, Serialize};
use url::form_urlencoded;
use utoipa::{IntoParams, ToSchema};

use super::{kinds::Kind, problem::Problem};

/// Default number of rows in an answer.
const USUAL: u32 = 100;

/// Maximum position or id: the largest integer that every client can hold (2^53 - 1).
pub(super) const MAX: u64 = 9_007_199_254_740_991;

/// Selection of a page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// Only rows after this position or id.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    pub(super) after: Option<u64>,
    /// Maximum number of rows.
    #[param(minimum = 1, default = 100)]
    pub(super) limit: Option<u32>,
}

/// Returns the number of rows for a request; an error if it is not from 1 to `max`.
pub(super) fn limit(limit: Option<u32>, max: u32) -> Result<u32, Problem> {
    match limit {
        None => Ok(USUAL.min(max)),
        Some(limit) if (1..=max).contains(&limit) => Ok(limit),
        Some(limit) => Err(Problem::new(
            &Kind::INVALID_QUERY,
            format!("limit is {limit}; expected a number from 1 to {max}"),
        )),
    }
}

/// Returns a position or id if it is at most [`MAX`].
pub(super) fn bounded(name: &str, value: u64) -> Result<u64, Problem> {
    if value <= MAX {
        return Ok(value);
    }
    Err(Problem::new(
        &Kind::INVALID_QUERY,
        format!("{name} is {value}; expected a number from 0 to {MAX}"),
    ))
}

/// Returns the page to read. It has one row more than `limit`, which tells whether there is a next
/// page.
pub(super) fn page(after: Option<u64>, limit: u32) -> Result<Page, Problem> {
    let after = after.map(|after| bounded("after", after)).transpose()?;
    Ok(Page {
        after: after.and_then(|after| i64::try_from(after).ok()),
        limit: limit + 1,
    })
}

/// Rows with the path of those that follow.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rows<T> {
    /// Rows in ascending order.
    pub(super) rows: Vec<T>,
    /// Path of the next page; null on the last page.
    pub(super) next: Option<String>,
}

/// Returns the first `limit` of `rows`. If there are more, adds the path of the next page with the
/// same filters.
pub(super) fn rows<R, T: From<R>>(
    mut rows: Vec<R>,
    limit: u32,
    path: &str,
    filters: &[(&str, Option<String>)],
    after: impl Fn(&R) -> String,
) -> Rows<T> {
    let limit = limit as usize;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|last| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("after", &after(last));
        query.append_pair("limit", &limit.to_string());
        for (name, value) in filters {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        format!("{path}?{}", query.finish())
    });
    Rows {
        rows: rows.into_iter().map(T::from).collect(),
        next,
    }
}
