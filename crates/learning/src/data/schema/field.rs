//! Fields of a table, and what their texts mean.

use super::super::error::{LineFault, shown};
use super::super::in_bounds;

/// Value of a column in a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Field<'a> {
    /// Text of a table's field.
    Text(&'a str),
    /// Number that was never a text.
    Number(f64),
    /// No value.
    Missing,
}

/// Value of a field in its column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::data) enum Value {
    /// Number of a numeric or boolean column.
    Number(f64),
    /// Text of a categorical column: the index of the number that is 1 for it. `None` if no number
    /// stands for the text.
    Text(Option<usize>),
    /// No value, which the column does not refuse.
    Missing,
}

/// Reason why a field does not fit its column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::data) enum Unfit {
    /// The value is missing, and the column refuses that.
    Missing,
    /// The value is of another type.
    Fault(LineFault),
}

impl From<LineFault> for Unfit {
    fn from(fault: LineFault) -> Self {
        Self::Fault(fault)
    }
}

/// Returns `true` if a field stands for a missing value, by the customs of usual programs.
#[must_use]
pub fn is_missing(field: &str) -> bool {
    matches!(
        field,
        "" | "NA" | "N/A" | "NaN" | "nan" | "null" | "NULL" | "None" | "?" | "-" | "."
    )
}

/// Returns the truth value that a text says; `None` if it says none.
pub(in crate::data) fn truth(text: &str) -> Option<bool> {
    const TRUE: [&str; 5] = ["true", "yes", "t", "y", "1"];
    const FALSE: [&str; 5] = ["false", "no", "f", "n", "0"];
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if TRUE.iter().any(|word| is(word)) {
        Some(true)
    } else {
        FALSE.iter().any(|word| is(word)).then_some(false)
    }
}

/// Reads a number of a column.
pub(in crate::data) fn number(
    field: &str,
    decimal_comma: bool,
    column: &str,
) -> Result<f64, LineFault> {
    let column = || column.to_owned();
    let value = || shown(field.as_bytes());
    let parsed = match (decimal_comma, field.split_once(',')) {
        // A point would separate thousands.
        (true, _) if field.contains('.') => {
            return Err(LineFault::NotADecimalComma {
                column: column(),
                value: value(),
            });
        }
        (true, Some((whole, fraction))) => format!("{whole}.{fraction}").parse().ok(),
        _ => field.parse().ok(),
    };
    match parsed {
        Some(number) if in_bounds(number) => Ok(number),
        Some(_) => Err(LineFault::OutOfRange {
            column: column(),
            value: value(),
        }),
        None if !decimal_comma && has_decimal_comma(field) => Err(LineFault::DecimalComma {
            column: column(),
            value: value(),
        }),
        None => Err(LineFault::NotANumber {
            column: column(),
            value: value(),
        }),
    }
}

/// Returns `true` if a text is a number with a decimal comma, such as `1,5`.
pub(in crate::data) fn has_decimal_comma(field: &str) -> bool {
    let Some((whole, fraction)) = field.split_once(',') else {
        return false;
    };
    let whole = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let both = !fraction.is_empty() && digits(whole);
    let mantissa = fraction.split(['e', 'E']).next().unwrap_or_default();
    both && !mantissa.is_empty() && digits(mantissa) && fraction_is_number(fraction)
}

fn fraction_is_number(fraction: &str) -> bool {
    format!("0.{fraction}").parse::<f64>().is_ok()
}
