//! Files of contributions: CSV, Parquet and libsvm, complete or not at all.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
};

use anyhow::Context;
use cotrain_client::decode::{DecodedForm, Decoder};
use cotrain_simulator::tables::column::{Column, Csv, Parquet, Values};
use flate2::{Compression, write::GzEncoder};

use super::{
    super::staged::{Staged, guarded},
    destination::{Destination, Format, OutputFile},
    layout::{Layout, Marks, Row, Texts, columns, libsvm},
    source::Source,
};
use crate::error::CommandError;

/// Writer of a table.
pub(crate) struct Table {
    writer: Option<Writer>,
    layout: Layout,
    format: Format,
    file: Option<Staged>,
    /// Number of rows written.
    pub(crate) rows: u64,
    /// Number of rows whose samples the card's encoder does not make of what was written.
    pub(crate) inexact: u64,
    /// Number of names that a spreadsheet would take for a formula, which were written with a `'`
    /// before them.
    pub(crate) guarded: u64,
}

enum Writer {
    Csv(Csv<Sink>),
    Parquet(Parquet<Sink>),
    Libsvm(Sink),
    /// A table of Parquet is begun with its first rows, which have its columns.
    Unbegun(Sink),
}

enum Sink {
    Stdout(io::Stdout),
    File(BufWriter<File>),
    Packed(GzEncoder<BufWriter<File>>),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            // A reader that closes the pipe needs no more output.
            Self::Stdout(to) => match to.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
                written => written,
            },
            Self::File(to) => to.write(bytes),
            Self::Packed(to) => to.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(to) => match to.flush() {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                flushed => flushed,
            },
            Self::File(to) => to.flush(),
            Self::Packed(to) => to.flush(),
        }
    }
}

impl Sink {
    fn finish(self) -> io::Result<()> {
        match self {
            Self::Packed(to) => to.finish()?.flush(),
            mut plain => plain.flush(),
        }
    }
}

impl Destination {
    /// Begins the table of a source.
    pub(crate) fn begin(&self, source: &Source, marks: Marks) -> Result<Table, CommandError> {
        Table::begin(&self.out, self.force, Layout::of(source, self.bare, marks))
    }
}

impl Table {
    /// Begins a table. The file appears when [`finish`](Self::finish) has written all of it. An
    /// existing file is replaced only with `force`.
    fn begin(target: &OutputFile, force: bool, layout: Layout) -> Result<Self, CommandError> {
        let (sink, file) = match &target.path {
            None => (Sink::Stdout(io::stdout()), None),
            Some(path) => {
                let staged = Staged::begin(path, force)?;
                let to = BufWriter::new(staged.file().try_clone()?);
                let sink = if target.packed {
                    Sink::Packed(GzEncoder::new(to, Compression::default()))
                } else {
                    Sink::File(to)
                };
                (sink, Some(staged))
            }
        };
        Ok(Self {
            writer: Some(match target.format {
                Format::Csv => Writer::Csv(Csv::new(sink)),
                Format::Parquet => Writer::Unbegun(sink),
                Format::Libsvm => Writer::Libsvm(sink),
            }),
            layout,
            format: target.format,
            file,
            rows: 0,
            inexact: 0,
            guarded: 0,
        })
    }

    /// Appends rows. They have the judgments of which the table has columns.
    pub(crate) fn write(
        &mut self,
        decoder: &Decoder<'_>,
        rows: &[Row],
    ) -> Result<(), CommandError> {
        /// Maximum number of fields that are in memory at once.
        const FIELDS: usize = 1 << 20;
        let width = match &self.layout.form {
            DecodedForm::Columns(names) => names.len() + 16,
            _ => 16,
        };
        for rows in rows.chunks((FIELDS / width).max(1)) {
            self.write_some(decoder, rows)
                .context("cannot write the contributions")?;
        }
        Ok(())
    }

    fn write_some(&mut self, decoder: &Decoder<'_>, rows: &[Row]) -> anyhow::Result<()> {
        let mut samples = Vec::with_capacity(rows.len());
        for row in rows {
            let (sample, exact) = decoder.decode(&row.contributed.contribution.sample);
            self.inexact += u64::from(!exact);
            samples.push(sample);
        }
        self.rows += rows.len() as u64;
        if let Some(Writer::Libsvm(to)) = &mut self.writer {
            for (row, sample) in rows.iter().zip(&samples) {
                libsvm(to, &self.layout, row, sample)?;
            }
            return Ok(());
        }
        let texts = Texts::of(&self.layout, rows, &samples);
        let mut columns = columns(&self.layout, rows, &samples, &texts);
        match self.writer.take() {
            Some(Writer::Csv(mut csv)) => {
                let safe = Safe::of(&columns);
                self.guarded += safe.guarded;
                for (column, texts) in columns.iter_mut().zip(&safe.texts) {
                    column.name = guarded(&column.name).0;
                    if let Values::Text(values) = &mut column.values {
                        *values = texts.iter().map(String::as_str).collect();
                    }
                }
                csv.write(&columns)?;
                self.writer = Some(Writer::Csv(csv));
            }
            Some(Writer::Parquet(mut parquet)) => {
                parquet.write(&columns)?;
                self.writer = Some(Writer::Parquet(parquet));
            }
            Some(Writer::Unbegun(sink)) => {
                let mut parquet = Parquet::new(sink, "contributions", &columns)?;
                if !rows.is_empty() {
                    parquet.write(&columns)?;
                }
                self.writer = Some(Writer::Parquet(parquet));
            }
            other => self.writer = other,
        }
        Ok(())
    }

    /// Ends the table and gives the file its name.
    pub(crate) fn finish(&mut self, decoder: &Decoder<'_>) -> Result<(), CommandError> {
        if self.rows == 0 && self.format != Format::Libsvm {
            // The head of a table without rows.
            self.write_some(decoder, &[])?;
        }
        let sink = match self.writer.take() {
            Some(Writer::Csv(csv)) => csv.finish()?,
            Some(Writer::Parquet(parquet)) => parquet.finish()?,
            Some(Writer::Libsvm(sink) | Writer::Unbegun(sink)) => sink,
            None => return Ok(()),
        };
        sink.finish().context("cannot write the contributions")?;
        match self.file.take() {
            Some(staged) => staged.finish(),
            None => Ok(()),
        }
    }
}

/// Texts of columns, as a spreadsheet and a terminal may have them.
struct Safe {
    /// Texts of each column; none for numbers.
    texts: Vec<Vec<String>>,
    guarded: u64,
}

impl Safe {
    fn of(columns: &[Column<'_>]) -> Self {
        let mut count = 0;
        let mut safe = |text: &str| {
            let (text, was) = guarded(text);
            count += u64::from(was);
            text
        };
        let texts = columns.iter().map(|column| match &column.values {
            Values::Text(values) => values.iter().map(|text| safe(text)).collect(),
            _ => Vec::new(),
        });
        Self {
            texts: texts.collect(),
            guarded: count,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use cotrain_protocol::sample::Encoding;

    use super::{
        super::{
            destination::target,
            layout::tests::{layout, row},
        },
        *,
    };

    #[test]
    fn begin_leaves_nothing_until_finish() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("b.libsvm");
        let to = target(path.to_str().expect("UTF-8")).expect("a target");
        let decoder = Decoder::new(Encoding::Sparse, None);
        let files = || fs_names(folder.path());

        // It is interrupted.
        let mut table = Table::begin(&to, false, layout()).expect("begun");
        table.write(&decoder, &[row(0)]).expect("written");
        drop(table);
        assert_eq!(files(), [""; 0]);

        let mut table = Table::begin(&to, false, layout()).expect("begun");
        table.write(&decoder, &[row(0), row(1)]).expect("written");
        assert!(!path.exists());
        // Meanwhile somebody else writes a file of that name.
        std::fs::write(&path, "theirs").expect("written");
        table.finish(&decoder).expect_err("there is a file");
        assert_eq!(std::fs::read(&path).expect("a file"), b"theirs");
        Table::begin(&to, false, layout())
            .map(drop)
            .expect_err("there is a file");

        let mut table = Table::begin(&to, true, layout()).expect("begun");
        table.write(&decoder, &[row(0), row(1)]).expect("written");
        table.finish(&decoder).expect("finished");
        let text = std::fs::read_to_string(&path).expect("a file");
        assert_eq!(text, "-1 1:1 8:1\n1 1:1 8:1\n");
        assert_eq!(files(), ["b.libsvm"]);
    }

    fn fs_names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("a folder");
        let name = |entry: io::Result<std::fs::DirEntry>| entry.expect("an entry").file_name();
        entries
            .map(|entry| name(entry).to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn guarded_keeps_formulas_and_control_characters_from_spreadsheet_and_terminal() {
        let text = |text| guarded(text).0;
        for formula in ["=1+1", "+cmd", "-a", "@sum", "-1=2"] {
            assert_eq!(guarded(formula), (format!("'{formula}"), true));
        }
        for plain in ["-1", "+1.5e3", "spam", "0xab", "", "a=b"] {
            assert_eq!(guarded(plain), (plain.to_owned(), false));
        }
        assert_eq!(text("a\u{1b}[2J\n\u{202e}b"), "a\\u{1b}[2J\\n\\u{202e}b");
        // What is escaped does not begin like a formula.
        assert_eq!(text("\t=1"), "\\t=1");
    }
}
