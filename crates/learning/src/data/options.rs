//! Choices of users about tables, for what the files do not tell.

use std::fmt;
use std::str::FromStr;

use encoding_rs::{Encoding, REPLACEMENT};
use thiserror::Error;

use crate::text::escaped;

/// Options for reading a table, for what its file does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Separator of the fields; `None` if the header tells it.
    pub separator: Option<Separator>,
    /// `true` if numbers have a decimal comma, as in `1,5`. They have no point then.
    pub decimal_comma: bool,
    /// Encoding of a text that is no UTF-8.
    pub encoding: Option<Charset>,
}

impl Reading {
    /// Returns the first of the options that is given, by the name that it has on the command line.
    #[must_use]
    pub fn given(&self) -> Option<&'static str> {
        let given = [
            ("--separator", self.separator.is_some()),
            ("--decimal-comma", self.decimal_comma),
            ("--encoding", self.encoding.is_some()),
        ];
        let given = given.into_iter().find(|(_, given)| *given);
        given.map(|(option, _)| option)
    }
}

/// Separator of a table's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Separator {
    /// `,`.
    Comma,
    /// `;`, as spreadsheets write it in countries with a decimal comma.
    Semicolon,
    /// A tab.
    Tab,
    /// `|`.
    Pipe,
}

impl Separator {
    /// All separators.
    pub const ALL: [Self; 4] = [Self::Comma, Self::Semicolon, Self::Tab, Self::Pipe];

    /// Returns the byte between two fields.
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
            Self::Pipe => b'|',
        }
    }

    /// Returns the name, as options take it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Comma => "comma",
            Self::Semicolon => "semicolon",
            Self::Tab => "tab",
            Self::Pipe => "pipe",
        }
    }
}

impl fmt::Display for Separator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no separator.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{}` is no separator, expected comma, semicolon, tab or pipe", escaped(.0))]
pub struct NoSeparator(String);

impl FromStr for Separator {
    type Err = NoSeparator;

    fn from_str(text: &str) -> Result<Self, NoSeparator> {
        let named = |it: &Self| text == it.name() || text.as_bytes() == [it.byte()];
        let found = Self::ALL.into_iter().find(named);
        found.ok_or_else(|| NoSeparator(text.to_owned()))
    }
}

/// Encoding of a text, such as `windows-1252`, by the names of the Encoding Standard (WHATWG).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Charset(&'static Encoding);

impl Charset {
    pub(super) fn encoding(self) -> &'static Encoding {
        self.0
    }
}

impl fmt::Debug for Charset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl fmt::Display for Charset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

/// A text that names no encoding.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{}` is no encoding, expected a name of the Encoding Standard, such as windows-1252, iso-8859-2 or utf-16le",
    escaped(.0)
)]
pub struct NoCharset(String);

impl FromStr for Charset {
    type Err = NoCharset;

    fn from_str(text: &str) -> Result<Self, NoCharset> {
        // The replacement encoding stands for encodings that are attacks; it decodes nothing.
        let found = Encoding::for_label(text.as_bytes()).filter(|it| *it != REPLACEMENT);
        found.map(Self).ok_or_else(|| NoCharset(text.to_owned()))
    }
}

/// Choices of a table's columns, of their types and of what replaces missing values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// Names of the columns to learn from; if there are none, all are.
    pub only: Vec<String>,
    /// Names of columns that are not read.
    pub drop: Vec<String>,
    /// Type of each column for which it is not guessed.
    pub types: Vec<(String, ColumnType)>,
    /// Rule of each column that has its own.
    pub missing: Vec<(String, MissingRule)>,
    /// Rule of all other columns.
    pub missing_everywhere: MissingRule,
}

impl Columns {
    /// Returns the first of the options that is given, by the name that it has on the command line.
    #[must_use]
    pub fn given(&self) -> Option<&'static str> {
        let given = [
            ("--columns", !self.only.is_empty()),
            ("--drop", !self.drop.is_empty()),
            ("--type", !self.types.is_empty()),
            (
                "--missing",
                !self.missing.is_empty() || self.missing_everywhere != MissingRule::Refuse,
            ),
        ];
        let given = given.into_iter().find(|(_, given)| *given);
        given.map(|(option, _)| option)
    }
}

/// Type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Numbers.
    Numeric,
    /// One of a few texts, each a feature of its own.
    Categorical,
    /// True or false.
    Boolean,
    /// The text that a model learns from by its words.
    Text,
    /// Nothing to learn from.
    Ignored,
}

impl ColumnType {
    /// All types.
    pub const ALL: [Self; 5] = [
        Self::Numeric,
        Self::Categorical,
        Self::Boolean,
        Self::Text,
        Self::Ignored,
    ];

    /// Returns the name, as options take it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Numeric => "numeric",
            Self::Categorical => "categorical",
            Self::Boolean => "boolean",
            Self::Text => "text",
            Self::Ignored => "ignored",
        }
    }
}

/// A text that names no type of column.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{}` is no type of column, expected numeric, categorical, boolean, text or ignored",
    escaped(.0)
)]
pub struct NoColumnType(String);

impl FromStr for ColumnType {
    type Err = NoColumnType;

    fn from_str(text: &str) -> Result<Self, NoColumnType> {
        let found = Self::ALL.into_iter().find(|it| it.name() == text);
        found.ok_or_else(|| NoColumnType(text.to_owned()))
    }
}

/// Rule for the missing values of a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingRule {
    /// A missing value is the mean of the column's other values.
    Mean,
    /// A missing value is the median of the column's other values.
    Median,
    /// A feature of its own says that the value is missing.
    Own,
    /// A missing value is a mistake.
    #[default]
    Refuse,
}

impl MissingRule {
    /// All rules.
    pub const ALL: [Self; 4] = [Self::Mean, Self::Median, Self::Own, Self::Refuse];

    /// Returns the name, as options take it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Median => "median",
            Self::Own => "own",
            Self::Refuse => "refuse",
        }
    }
}

/// A text that names no rule for missing values.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{}` is no rule for missing values, expected mean, median, own or refuse",
    escaped(.0)
)]
pub struct NoMissingRule(String);

impl FromStr for MissingRule {
    type Err = NoMissingRule;

    fn from_str(text: &str) -> Result<Self, NoMissingRule> {
        let found = Self::ALL.into_iter().find(|it| it.name() == text);
        found.ok_or_else(|| NoMissingRule(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separator_and_charset_are_read_by_their_names() {
        for separator in Separator::ALL {
            assert_eq!(separator.name().parse(), Ok(separator));
            let mark = char::from(separator.byte()).to_string();
            assert_eq!(mark.parse(), Ok(separator));
        }
        assert!(":".parse::<Separator>().is_err());
        let latin: Charset = "Latin1".parse().unwrap();
        assert_eq!(latin.to_string(), "windows-1252");
        for unknown in ["", "utf-1252", "iso-2022-kr"] {
            assert!(unknown.parse::<Charset>().is_err(), "{unknown}");
        }
    }

    #[test]
    fn column_type_and_missing_rule_are_read_by_their_names() {
        for kind in ColumnType::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        for rule in MissingRule::ALL {
            assert_eq!(rule.name().parse(), Ok(rule));
        }
        assert!("number".parse::<ColumnType>().is_err());
        assert!("zero".parse::<MissingRule>().is_err());
    }
}
