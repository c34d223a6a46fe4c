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

/// Texts that stand for a missing value in usual programs, besides those of [`is_always_missing`].
///
/// With these, the list has all that pandas takes for missing by default. They were ordinary texts
/// to the first cards, so a categorical column says which of them are missing values there.
pub(in crate::data) const OTHER_MARKERS: [&str; 11] = [
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>",
    "n/a",
];

/// Returns `true` if a field stands for a missing value, by the customs of usual programs.
#[must_use]
pub fn is_missing(field: &str) -> bool {
    is_always_missing(field) || is_other_marker(field)
}

/// Returns `true` if a field stands for a missing value in every column.
pub(in crate::data) fn is_always_missing(field: &str) -> bool {
    matches!(
        field,
        "" | "NA" | "N/A" | "NaN" | "nan" | "null" | "NULL" | "None" | "?" | "-" | "."
    )
}

/// Returns `true` if a field stands for a missing value, but may be a text of a categorical column.
pub(in crate::data) fn is_other_marker(field: &str) -> bool {
    OTHER_MARKERS.contains(&field)
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
        None => Err(match Mark::of(field).filter(|_| !decimal_comma) {
            Some(Mark::Decimal) => LineFault::DecimalComma {
                column: column(),
                value: value(),
            },
            Some(Mark::Either) => LineFault::EitherComma {
                column: column(),
                value: value(),
                decimal: trimmed(&field.replacen(',', ".", 1)),
            },
            Some(Mark::Thousands) => LineFault::Thousands {
                column: column(),
                value: value(),
            },
            Some(Mark::ThousandsAndDecimal) => LineFault::ThousandsAndDecimal {
                column: column(),
                value: value(),
            },
            None => LineFault::NotANumber {
                column: column(),
                value: value(),
            },
        }),
    }
}

/// Returns a number as people write it, without zeros at the end of its fraction.
fn trimmed(number: &str) -> String {
    let number: f64 = number.parse().unwrap_or_default();
    number.to_string()
}

/// Meaning of the commas of a number that is not written as programs write numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::data) enum Mark {
    /// The comma is before the fraction, as in `1,5`.
    Decimal,
    /// One comma before three digits, as in `1,500`: before a fraction or between thousands.
    Either,
    /// Commas are between thousands, as in `1,234,567` and `1,234.5`.
    Thousands,
    /// Points are between thousands, and the comma is before the fraction, as in `1.234,5`.
    ThousandsAndDecimal,
}

impl Mark {
    /// Returns the meaning of a field's commas; `None` if it has none or is no number.
    pub(in crate::data) fn of(field: &str) -> Option<Self> {
        let unsigned = field.strip_prefix(['+', '-']).unwrap_or(field);
        let (whole, fraction) = unsigned.split_once(',')?;
        let has_digits = |text: &str| !text.is_empty() && digits(text);
        // `0,125` has no thousands.
        if fraction.len() == 3 && digits(fraction) && is_head(whole) && !whole.starts_with('0') {
            return Some(Self::Either);
        }
        if has_decimal_comma(field) {
            return Some(Self::Decimal);
        }
        if are_groups(whole, '.') && whole.contains('.') && has_digits(fraction) {
            return Some(Self::ThousandsAndDecimal);
        }
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
        (are_groups(whole, ',') && has_digits(fraction)).then_some(Self::Thousands)
    }
}

fn digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns `true` if a text is one to three digits, as before the first mark between thousands.
fn is_head(text: &str) -> bool {
    (1..=3).contains(&text.len()) && digits(text)
}

/// Returns `true` if a text is groups of three digits, of which the first may be shorter.
fn are_groups(text: &str, mark: char) -> bool {
    let mut groups = text.split(mark);
    groups.next().is_some_and(is_head) && groups.all(|group| group.len() == 3 && digits(group))
}

/// Returns `true` if a text is a number with a decimal comma, such as `1,5`.
fn has_decimal_comma(field: &str) -> bool {
    let Some((whole, fraction)) = field.split_once(',') else {
        return false;
    };
    let whole = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    let both = !fraction.is_empty() && digits(whole);
    let mantissa = fraction.split(['e', 'E']).next().unwrap_or_default();
    both && !mantissa.is_empty() && digits(mantissa) && fraction_is_number(fraction)
}

fn fraction_is_number(fraction: &str) -> bool {
    format!("0.{fraction}").parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mark_of_tells_thousands_from_fractions() {
        for (field, mark) in [
            ("1,5", Some(Mark::Decimal)),
            ("-,25", Some(Mark::Decimal)),
            ("1,5e2", Some(Mark::Decimal)),
            ("0,125", Some(Mark::Decimal)),
            ("1234,567", Some(Mark::Decimal)),
            ("2,700", Some(Mark::Either)),
            ("-12,000", Some(Mark::Either)),
            ("1,234,567", Some(Mark::Thousands)),
            ("1,234.5", Some(Mark::Thousands)),
            ("1.000,00", Some(Mark::ThousandsAndDecimal)),
            ("-1.234.567,8", Some(Mark::ThousandsAndDecimal)),
            ("1.5", None),
            ("1,2,3", None),
            ("192.168.100.200", None),
            ("a,b", None),
            ("1,", None),
            (",", None),
            ("1.00,5", None),
        ] {
            assert_eq!(Mark::of(field), mark, "{field}");
        }
    }

    #[test]
    fn is_missing_knows_all_that_pandas_writes() {
        let markers = "#N/A;#N/A N/A;#NA;-1.#IND;-1.#QNAN;-NaN;-nan;1.#IND;1.#QNAN;<NA>;N/A;NA;NULL;\
                       NaN;None;n/a;nan;null;";
        assert!(markers.split(';').all(is_missing));
        assert!(
            !["n", "none", "nil", "no", "0", "N"]
                .into_iter()
                .any(is_missing)
        );
        // Cards of before decide about the texts of their categories.
        assert!(!is_always_missing("n/a") && is_always_missing("NA"));
    }
}
