use thiserror::Error;

use crate::text::escaped;

/// Reason why columns are no valid schema.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SchemaError {
    /// Two columns or two features have the same name.
    #[error("two columns or features are called `{}`; name each once", escaped(.0))]
    Twice(String),
    /// The texts of a categorical column are not in increasing order.
    #[error("the values of `{}` are not in increasing order, each once", escaped(.0))]
    Order(String),
    /// A column has values, and is not categorical.
    #[error("the column `{}` has values, which only categorical ones have", escaped(.0))]
    Values(String),
    /// A categorical column has no features.
    #[error("the categorical column `{}` has no values", escaped(.0))]
    NoValues(String),
    /// The texts of a categorical column that stand for missing values are not what they may be.
    #[error(
        "the markers of `{}` are not texts such as `n/a` that are none of its values, in increasing order",
        escaped(.0)
    )]
    Markers(String),
    /// A replacement of missing values is impossible in its column.
    #[error(
        "missing values of `{}` become {fill}, expected {expected}",
        escaped(column)
    )]
    Fill {
        /// Name of the column.
        column: String,
        /// Number that replaces missing values.
        fill: f64,
        /// Numbers that are possible.
        expected: &'static str,
    },
    /// The names of all features together are too long.
    #[error(
        "the names of all features together are {found} bytes long, expected at most {max}; shorten the names of columns with many values"
    )]
    Names {
        /// Bytes of all names.
        found: u64,
        /// Bytes that are possible.
        max: u64,
    },
}
