//! First look at a table, before its columns are chosen.

use super::content::{Content, Place};
use super::guess::is_few;
use super::rows::Table;
use super::values::{Fields, Texts, are_boolean};
use super::{DataError, Reading, TableFormat, ending, table};

/// Values that a column seems to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// Numbers, at least half of the values.
    Numeric,
    /// Truth values.
    Boolean,
    /// A few different texts.
    Categorical,
    /// Many different texts.
    Text,
    /// No values.
    Empty,
}

/// Column at a first look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Name of the column.
    pub name: String,
    /// Values that it seems to have.
    pub looks: Looks,
    /// Number of rows without a value.
    pub missing: usize,
    /// Number of different values.
    pub distinct: usize,
    /// Most frequent values with their numbers of rows, the most frequent first.
    pub common: Vec<(String, usize)>,
    /// Mean length of its values, in bytes.
    pub length: usize,
}

impl Content {
    /// Returns the format of the table, which the name tells.
    ///
    /// # Errors
    /// [`DataError::Ending`].
    pub fn format(&self) -> Result<TableFormat, DataError> {
        let format = match ending(&self.name) {
            Some("txt") => Some(TableFormat::Csv),
            _ => TableFormat::of(&self.name),
        };
        format.ok_or_else(|| DataError::Ending {
            path: self.name.clone(),
        })
    }

    /// Reads all columns of the table in the bytes.
    ///
    /// # Errors
    /// Those of [`Table::read`], and [`DataError::Ending`] if the name is not that of a table.
    pub fn table(&self, reading: &Reading) -> Result<Table, DataError> {
        let format = self.format()?;
        let choose = |header: &[String]| Ok((0..header.len()).collect());
        Table::checked(table::read(Place::Content(self), format, reading, choose)?)
    }
}

impl Table {
    /// Looks at each column. `most` is the maximum number of common values of a column.
    #[must_use]
    pub fn look(&self, most: usize) -> Vec<Seen> {
        let columns = self.names().iter().enumerate();
        columns
            .map(|(at, name)| self.seen(at, name, most))
            .collect()
    }

    fn seen(&self, at: usize, name: &str, most: usize) -> Seen {
        let cells = self.grid.column(at);
        let fields = Fields::look(cells);
        let counts = Texts::of(cells).counts(None);
        let distinct = counts.len();
        let looks = if fields.given == 0 {
            Looks::Empty
        } else if fields.numbers * 2 >= fields.given {
            Looks::Numeric
        } else if are_boolean(&counts.keys().copied()) {
            Looks::Boolean
        } else if is_few(distinct, fields.given) {
            Looks::Categorical
        } else {
            Looks::Text
        };
        let bytes: usize = counts.iter().map(|(text, count)| text.len() * count).sum();
        let mut common: Vec<(&str, usize)> = counts.into_iter().collect();
        // The order of the texts decides between those that are as frequent.
        common.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        common.truncate(most);
        Seen {
            name: name.to_owned(),
            looks,
            missing: cells.len() - fields.given,
            distinct,
            length: bytes / fields.given.max(1),
            common: common
                .into_iter()
                .map(|(text, count)| (text.to_owned(), count))
                .collect(),
        }
    }
}
