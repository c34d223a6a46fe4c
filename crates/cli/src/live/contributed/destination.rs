//! Options on the file that is written, and its format.

use std::path::{Path, PathBuf};

use clap::Args;
use cotrain_indexer::rows::Settled;

use super::source::settlements;

/// File that a command writes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Destination {
    /// File to write: .csv, .parquet or .libsvm, the first and the last also with .gz; - is CSV on
    /// stdout
    #[arg(long, value_name = "FILE", value_parser = target)]
    pub(crate) out: OutputFile,
    /// Replace an existing file
    #[arg(long)]
    pub(super) force: bool,
    /// Write only contributions of which this became, separated by commas
    #[arg(
        long,
        value_name = "STATES",
        value_delimiter = ',',
        value_parser = settlements(),
        help_heading = "Contributions"
    )]
    only: Vec<Settled>,
    /// Write only the class and the sample, which other commands read as training data
    #[arg(long)]
    pub(super) bare: bool,
}

impl Destination {
    /// Returns `true` if contributions with this settlement are written; all are if none is named.
    pub(crate) fn takes(&self, settled: Settled) -> bool {
        self.only.is_empty() || self.only.contains(&settled)
    }
}

/// File to write, in the format of its ending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutputFile {
    /// `None` for stdout.
    pub(super) path: Option<PathBuf>,
    pub(super) format: Format,
    pub(super) packed: bool,
}

/// Format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Parquet,
    Libsvm,
}

impl OutputFile {
    /// Returns `true` if the table goes to stdout.
    pub(crate) fn is_stdout(&self) -> bool {
        self.path.is_none()
    }

    /// Returns the file's path as text; `-` for stdout.
    pub(crate) fn shown(&self) -> String {
        let path = self.path.as_ref();
        path.map_or_else(|| "-".to_owned(), |path| path.display().to_string())
    }
}

/// Parses the name of a file to write.
pub(super) fn target(text: &str) -> Result<OutputFile, String> {
    if text == "-" {
        return Ok(OutputFile {
            path: None,
            format: Format::Csv,
            packed: false,
        });
    }
    let path = Path::new(text);
    let unpacked = text.strip_suffix(".gz");
    let ending = Path::new(unpacked.unwrap_or(text)).extension();
    let format = match ending.and_then(|it| it.to_str()) {
        Some("csv") => Format::Csv,
        Some("parquet") if unpacked.is_none() => Format::Parquet,
        Some("libsvm" | "svm") => Format::Libsvm,
        _ => {
            return Err(
                "expected a file that ends in .csv, .csv.gz, .parquet, .libsvm or .libsvm.gz, or - for CSV on stdout"
                    .to_owned(),
            );
        }
    };
    Ok(OutputFile {
        path: Some(path.to_owned()),
        format,
        packed: unpacked.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_takes_the_format_from_the_ending() {
        let read = |text| target(text).map(|target| (target.format, target.packed));
        assert_eq!(read("a/b.csv"), Ok((Format::Csv, false)));
        assert_eq!(read("b.csv.gz"), Ok((Format::Csv, true)));
        assert_eq!(read("b.parquet"), Ok((Format::Parquet, false)));
        assert_eq!(read("b.svm.gz"), Ok((Format::Libsvm, true)));
        assert!(target("-").is_ok_and(|target| target.is_stdout()));
        for wrong in ["", "csv", "b.txt", "b.parquet.gz", "b.gz"] {
            target(wrong).unwrap_err();
        }
    }
}
