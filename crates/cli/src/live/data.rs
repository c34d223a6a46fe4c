//! Labelled data from the command line.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;
use cotrain_learning::data::{Source, TableFormat};

use crate::failure::Failure;

/// How a file's columns are named.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct Columns {
    /// The column of a table that has the class
    #[arg(long, value_name = "NAME", default_value = "label")]
    pub(crate) label_column: String,
    /// The column of a table that has the text; without it, every other column is a number
    #[arg(long, value_name = "NAME")]
    pub(crate) text_column: Option<String>,
}

impl Columns {
    /// The data at a path, or that comes with cotrain; `test` is further data to measure on.
    pub(crate) fn source(&self, data: &str, test: Option<&Path>) -> Result<Source, Failure> {
        if data == "movie-reviews" {
            return Ok(Source::MovieReviews);
        }
        let train = PathBuf::from(data);
        let test = test.map(Path::to_owned);
        let plain = data.strip_suffix(".gz").unwrap_or(data);
        let extension = Path::new(plain).extension().and_then(|it| it.to_str());
        let format = match extension {
            Some("csv") => TableFormat::Csv,
            Some("tsv") => TableFormat::Tsv,
            Some("libsvm" | "svm") => return Ok(Source::Libsvm { train, test }),
            _ => {
                return Err(Failure::Mistake(anyhow!(
                    "the data `{data}` is neither `movie-reviews` nor a file that ends in .csv, .tsv or \
                     .libsvm (and .gz, where it is packed)"
                )));
            }
        };
        Ok(Source::Table {
            format,
            train,
            test,
            label: self.label_column.clone(),
            text: self.text_column.clone(),
        })
    }
}
