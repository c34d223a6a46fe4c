//! Bodies with rows: examples, streams, pools and rows to predict.

use alloy_primitives::hex;
use cotrain_active::{
    annotators::Opinion,
    session::{Batch, Input, Pool, PoolId, Session, SessionError},
};
use ndarray::Array2;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    api::{kinds::Kind, problem::Problem},
    labels::Asked,
};

/// Maximum number of rows that a body counts.
pub(super) const MAX_COUNT: u32 = 1_000_000;

/// Rows: arrays of numbers, all of the same length.
pub(super) type Rows = Vec<Vec<f64>>;

/// Returns a pool's id of its digits.
pub(super) fn read_pool(text: &str) -> Result<PoolId, Problem> {
    let bytes = hex::decode(text).ok().filter(|_| text.len() == 64);
    bytes.and_then(|it| it.try_into().ok()).ok_or_else(|| {
        let detail = "the id of a pool is malformed; expected 64 hexadecimal digits";
        Problem::new(&Kind::INVALID_REQUEST, detail)
    })
}

/// Checks a number by its name, its minimum and its maximum.
pub(super) fn in_range((name, found, least, max): (&str, u32, u32, u32)) -> Result<(), Problem> {
    if (least..=max).contains(&found) {
        return Ok(());
    }
    let detail = format!("`{name}` is {found}; expected {least} to {max}");
    Err(Problem::new(&Kind::INVALID_REQUEST, detail))
}

/// Labeled rows, and further opinions.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::api) struct ExamplesBody {
    /// New rows with their labels.
    #[serde(default)]
    rows: Vec<ExampleBody>,
    /// Id of the pool that rows are named in by `row`.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pool: Option<String>,
    /// Opinions about rows by their index, counted from the first row of the session.
    #[serde(default)]
    opinions: Vec<OpinionBody>,
    /// Probabilities that a model of one's own gives to its fixed set, if a rule looks at them.
    fixed: Option<Rows>,
}

/// Labeled row.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::api) struct ExampleBody {
    /// Numbers of the row; left out if the session has no features, or with `row`.
    #[serde(default)]
    x: Vec<f64>,
    /// Index of the row in `pool`, instead of its numbers.
    row: Option<u32>,
    /// Label: the index of its class, from 0.
    y: u32,
    /// Number of the annotator; 0 if it is left out.
    #[serde(default)]
    annotator: u32,
}

/// Opinion of an annotator about a row.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::api) struct OpinionBody {
    /// Index of the row.
    row: u32,
    /// Label: the index of its class, from 0.
    y: u32,
    /// Number of the annotator.
    annotator: u32,
}

/// Checked examples of a call.
pub(super) struct Examples {
    body: ExamplesBody,
    pool: Option<PoolId>,
}

impl ExamplesBody {
    /// Checks what can be checked without the session.
    pub(super) fn checked(self) -> Result<(Examples, Asked), Problem> {
        if self.rows.is_empty() && self.opinions.is_empty() {
            let detail = "there are no rows or opinions; send at least one";
            return Err(Problem::new(&Kind::LABELING_REJECTED, detail));
        }
        let pool = self.pool.as_deref().map(read_pool).transpose()?;
        let named = |example: &ExampleBody| example.row.is_some();
        let both = |example: &ExampleBody| named(example) && !example.x.is_empty();
        if self.rows.iter().any(both) || (pool.is_none() && self.rows.iter().any(named)) {
            let detail = "an example has either `x`, or `row` with the id of its pool in `pool`";
            return Err(Problem::new(&Kind::INVALID_REQUEST, detail));
        }
        let asked = Asked::Training {
            rows: self.rows.len(),
            opinions: self.rows.len() + self.opinions.len(),
            fixed: self.fixed.as_ref().map_or(0, Vec::len),
        };
        Ok((Examples { body: self, pool }, asked))
    }
}

impl Examples {
    /// Returns the batch for a session.
    pub(super) fn batch(self, session: &Session) -> Result<Batch, SessionError> {
        let (mut rows, mut opinions) = (Vec::new(), Vec::new());
        for (index, example) in self.body.rows.into_iter().enumerate() {
            opinions.push(Opinion {
                row: session.rows() + index,
                annotator: example.annotator,
                label: example.y as usize,
            });
            rows.push(match (example.row, &self.pool) {
                (Some(row), Some(pool)) => session.pool_row(pool, row as usize)?,
                _ => example.x,
            });
        }
        opinions.extend(self.body.opinions.iter().map(|opinion| Opinion {
            row: opinion.row as usize,
            annotator: opinion.annotator,
            label: opinion.y as usize,
        }));
        let features = session.opening().features;
        Ok(Batch {
            rows: table(rows, features)?,
            opinions,
            fixed: self
                .body
                .fixed
                .map(|rows| {
                    let columns = rows.first().map_or(0, Vec::len);
                    table(rows, columns)
                })
                .transpose()?,
        })
    }
}

/// Rows of a stream, or probabilities that a model of one's own gives to them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::api) struct DecisionsBody {
    /// Rows; left out with a model of one's own.
    #[schema(min_items = 1)]
    rows: Option<Rows>,
    /// Probabilities of each class, for each row; only with a model of one's own.
    #[schema(min_items = 1)]
    probabilities: Option<Rows>,
}

impl DecisionsBody {
    pub(super) fn input(self) -> Result<Input, Problem> {
        match (self.rows, self.probabilities) {
            (Some(rows), None) => array(rows).map(Input::Rows),
            (None, Some(given)) => array(given).map(Input::Probabilities),
            _ => {
                let detail = "expected either `rows` or `probabilities`";
                Err(Problem::new(&Kind::INVALID_REQUEST, detail))
            }
        }
    }
}

/// Pool of rows, from which those without a label are chosen.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::api) struct QueriesBody {
    /// Rows; left out if the session has no features, or with `pool`.
    #[schema(min_items = 1)]
    rows: Option<Rows>,
    /// Id of a pool that the session holds, instead of rows.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pool: Option<String>,
    /// Probabilities of each class, for each row; only with a model of one's own.
    #[schema(min_items = 1)]
    probabilities: Option<Rows>,
    /// Maximum number of rows to choose.
    #[schema(minimum = 1, maximum = 1_000_000)]
    count: u32,
}

/// Question for rows of a pool.
pub(super) enum Question {
    /// Pool that comes with the question.
    Sent(Pool, usize),
    /// Pool that the session holds, with probabilities of the caller's model.
    Held(PoolId, Option<Array2<f64>>, usize),
}

impl QueriesBody {
    pub(super) fn question(self) -> Result<Question, Problem> {
        let wrong = |detail| Err(Problem::new(&Kind::INVALID_REQUEST, detail));
        in_range(("count", self.count, 1, MAX_COUNT))?;
        let count = self.count as usize;
        let rows = self.rows.map(array).transpose()?;
        let probabilities = self.probabilities.map(array).transpose()?;
        match (self.pool, &rows, &probabilities) {
            (Some(_), Some(_), _) => wrong("expected either `rows` or `pool`"),
            (Some(pool), None, _) => Ok(Question::Held(read_pool(&pool)?, probabilities, count)),
            (None, None, None) => {
                wrong("expected `rows` or `pool`, or `probabilities` of a session without features")
            }
            (None, _, _) => {
                let pool = Pool {
                    rows,
                    probabilities,
                };
                Ok(Question::Sent(pool, count))
            }
        }
    }
}

impl Question {
    /// Returns the work that the question asks for.
    pub(super) fn asked(&self) -> Asked {
        match self {
            Self::Sent(pool, count) => Asked::Query {
                pool: pool_rows(pool),
                picks: *count,
            },
            Self::Held(pool, _, count) => Asked::PoolQuery {
                pool: *pool,
                picks: *count,
            },
        }
    }

    /// Checks the question, without an answer.
    pub(super) fn check(&self, session: &Session) -> Result<(), SessionError> {
        match self {
            Self::Sent(pool, _) => session.check_query(pool),
            Self::Held(pool, given, _) => session.check_pool_query(pool, given.as_ref()),
        }
    }

    /// Asks a session.
    pub(super) fn ask(&self, session: &Session) -> Result<(Session, Vec<usize>), SessionError> {
        match self {
            Self::Sent(pool, count) => session.query(pool, *count),
            Self::Held(pool, given, count) => session.query_pool(pool, given.as_ref(), *count),
        }
    }
}

/// Rows to predict.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::api) struct PredictionsBody {
    /// Rows.
    #[schema(min_items = 1)]
    rows: Rows,
}

impl PredictionsBody {
    pub(super) fn rows(self) -> Result<Array2<f64>, Problem> {
        array(self.rows)
    }
}

/// Returns the number of rows to decide on.
pub(super) fn count(input: &Input) -> usize {
    match input {
        Input::Rows(rows) | Input::Probabilities(rows) => rows.nrows(),
    }
}

/// Returns the number of rows of a pool.
fn pool_rows(pool: &Pool) -> usize {
    let rows = pool.rows.as_ref().or(pool.probabilities.as_ref());
    rows.map_or(0, Array2::nrows)
}

/// Returns rows as an array, with as many numbers as the first one has.
pub(super) fn array(rows: Rows) -> Result<Array2<f64>, Problem> {
    let columns = rows.first().map_or(0, Vec::len);
    let rows = table(rows, columns);
    rows.map_err(|error| Problem::new(&Kind::LABELING_REJECTED, error))
}

fn table(rows: Rows, expected: usize) -> Result<Array2<f64>, SessionError> {
    if let Some(row) = rows.iter().find(|row| row.len() != expected) {
        let found = row.len();
        return Err(SessionError::Features { found, expected });
    }
    let count = rows.len();
    let numbers = rows.into_iter().flatten().collect();
    Array2::from_shape_vec((count, expected), numbers).map_err(|_| SessionError::Torn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_pool_takes_64_digits() {
        assert_eq!(read_pool(&"0a".repeat(32)).expect("an id"), [10; 32]);
        for wrong in [
            "",
            "0x",
            &"0a".repeat(31),
            &"xy".repeat(32),
            &format!("0x{}", "0a".repeat(31)),
        ] {
            assert!(read_pool(wrong).is_err(), "{wrong}");
        }
    }
}
