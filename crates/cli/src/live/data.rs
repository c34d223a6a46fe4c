//! Labeled data from the command line.

use std::path::Path;

use clap::Args;
use cotrain_learning::data::{DEFAULT_LABEL, Source};

use crate::error::CommandError;

/// Names of the columns of a table.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct Columns {
    /// Column of a table that contains the class
    #[arg(long, value_name = "NAME", default_value = DEFAULT_LABEL)]
    pub(crate) label_column: String,
    /// Column of a table that contains the text; without it, every other column is a number
    #[arg(long, value_name = "NAME")]
    pub(crate) text_column: Option<String>,
}

impl Columns {
    /// Returns the data at a path, or the data of that name that comes with cotrain. `test` is
    /// further data to measure on.
    pub(crate) fn source(&self, data: &str, test: Option<&Path>) -> Result<Source, CommandError> {
        let texts = self.text_column.as_deref();
        Source::named(data, test, &self.label_column, texts).map_err(CommandError::mistake)
    }
}
