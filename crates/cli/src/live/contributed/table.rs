//! Files of contributions: CSV, Parquet and libsvm, complete or not at all.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;
use cotrain_client::decode::{Decoded, DecodedForm, Decoder};
use cotrain_indexer::{contributed::Contributed, rows::Settled};
use cotrain_learning::{
    Encoder,
    data::{ColumnKind, Schema},
};
use cotrain_protocol::sample::Encoding;
use cotrain_simulator::tables::column::{Column, Csv, Parquet, Values};
use flate2::{Compression, write::GzEncoder};

use super::{
    super::{
        staged::{Staged, guarded},
        time::when,
    },
    judged::Judged,
    source::{Source, settlements},
};
use crate::error::CommandError;

/// File that a command writes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Destination {
    /// File to write: .csv, .parquet or .libsvm, the first and the last also with .gz; - is CSV on
    /// stdout
    #[arg(long, value_name = "FILE", value_parser = output)]
    pub(crate) out: Output,
    /// Replace an existing file
    #[arg(long)]
    force: bool,
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
    bare: bool,
}

impl Destination {
    /// Returns `true` if contributions with this settlement are written; all are if none is named.
    pub(crate) fn takes(&self, settled: Settled) -> bool {
        self.only.is_empty() || self.only.contains(&settled)
    }

    /// Begins the table of a source.
    pub(crate) fn begin(&self, source: &Source) -> Result<Table, CommandError> {
        Table::begin(&self.out, self.force, Layout::of(source, self.bare))
    }
}

/// File to write, in the format of its ending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    /// `None` for stdout.
    path: Option<PathBuf>,
    format: Format,
    packed: bool,
}

/// Format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Parquet,
    Libsvm,
}

impl Output {
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
fn output(text: &str) -> Result<Output, String> {
    if text == "-" {
        return Ok(Output {
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
    Ok(Output {
        path: Some(path.to_owned()),
        format,
        packed: unpacked.is_some(),
    })
}

/// Contribution with its judgment, if there is one.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) contributed: Contributed,
    pub(crate) judged: Option<Judged>,
}

/// Form of a table.
#[derive(Debug, Clone)]
struct Layout {
    form: DecodedForm,
    /// Types of the model's columns; `None` if all have plain numbers, or there are no columns.
    schema: Option<Schema>,
    classes: Vec<String>,
    encoding: Encoding,
    /// First index of the model's libsvm data.
    first_index: u32,
    /// `true` for class and sample alone.
    bare: bool,
    /// `true` if labels of libsvm are the names of the classes, which are integers.
    integers: bool,
}

impl Layout {
    /// Returns the form of a source's table. `bare` leaves only class and sample.
    fn of(source: &Source, bare: bool) -> Self {
        let is_integer = |name: &String| name.parse::<i64>().is_ok();
        let encoder = source.encoder.as_ref();
        let columns = encoder.and_then(Encoder::columns);
        let schema = columns.map(|it| it.schema).filter(|it| !it.is_plain());
        let form = match (Decoder::new(source.encoding, encoder).form(), schema) {
            (DecodedForm::Columns(_), Some(schema)) => DecodedForm::Columns(schema.names()),
            (form, _) => form,
        };
        Self {
            form,
            schema: schema.cloned(),
            encoding: source.encoding,
            first_index: encoder.map_or(1, Encoder::first_index),
            bare,
            integers: source.classes.iter().all(is_integer),
            classes: source.classes.clone(),
        }
    }

    fn class(&self, label: u16) -> String {
        let name = self.classes.get(usize::from(label));
        name.cloned().unwrap_or_else(|| label.to_string())
    }

    /// Returns the name of a column that is no feature. If a feature has the name too, it gets a
    /// prefix.
    fn name(&self, name: &str) -> String {
        let mut name = name.to_owned();
        if let DecodedForm::Columns(features) = &self.form {
            while features.contains(&name) {
                name.insert_str(0, "cotrain_");
            }
        }
        name
    }
}

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

impl Table {
    /// Begins a table. The file appears when [`finish`](Self::finish) has written all of it. An
    /// existing file is replaced only with `force`.
    fn begin(output: &Output, force: bool, layout: Layout) -> Result<Self, CommandError> {
        let (sink, file) = match &output.path {
            None => (Sink::Stdout(io::stdout()), None),
            Some(path) => {
                let staged = Staged::begin(path, force)?;
                let to = BufWriter::new(staged.file().try_clone()?);
                let sink = if output.packed {
                    Sink::Packed(GzEncoder::new(to, Compression::default()))
                } else {
                    Sink::File(to)
                };
                (sink, Some(staged))
            }
        };
        Ok(Self {
            writer: Some(match output.format {
                Format::Csv => Writer::Csv(Csv::new(sink)),
                Format::Parquet => Writer::Unbegun(sink),
                Format::Libsvm => Writer::Libsvm(sink),
            }),
            layout,
            format: output.format,
            file,
            rows: 0,
            inexact: 0,
            guarded: 0,
        })
    }

    /// Appends rows. All rows of a table are marked, or none.
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

/// Texts of rows, which columns borrow.
struct Texts {
    utc: Vec<String>,
    author: Vec<String>,
    claimed_by: Vec<String>,
    class: Vec<String>,
    reason: Vec<String>,
    /// Samples, unless they are rows of numbers.
    sample: Vec<String>,
    /// Fields of each column of a table with types; none of other samples.
    fields: Vec<Vec<String>>,
}

impl Texts {
    fn of(layout: &Layout, rows: &[Row], decoded: &[Decoded]) -> Self {
        let of = |text: fn(&Row) -> String| rows.iter().map(text).collect();
        Self {
            utc: of(|row| when(row.contributed.contribution.time)),
            author: of(|row| row.contributed.contribution.author.to_string()),
            claimed_by: of(|row| {
                let mut accounts: Vec<String> = Vec::new();
                for claim in &row.contributed.claims {
                    let account = claim.account.to_string();
                    if !accounts.contains(&account) {
                        accounts.push(account);
                    }
                }
                accounts.join(" ")
            }),
            reason: of(|row| row.judged.as_ref().map_or_else(String::new, Judged::reason)),
            class: rows
                .iter()
                .map(|row| layout.class(row.contributed.contribution.label))
                .collect(),
            sample: decoded
                .iter()
                .map(|sample| sample_text(sample, layout.first_index))
                .collect(),
            fields: layout
                .schema
                .as_ref()
                .map(|schema| fields(schema, decoded))
                .unwrap_or_default(),
        }
    }
}

/// Returns the fields of each column, as a table of the model has them.
fn fields(schema: &Schema, decoded: &[Decoded]) -> Vec<Vec<String>> {
    let mut columns = vec![Vec::new(); schema.columns().len()];
    for sample in decoded {
        let mut row = match sample {
            Decoded::Numbers(numbers) => schema.fields(numbers).into_iter(),
            _ => Vec::new().into_iter(),
        };
        for column in &mut columns {
            column.push(row.next().unwrap_or_default());
        }
    }
    columns
}

/// Returns a sample as one field. Its indices count from `first`.
fn sample_text(sample: &Decoded, first: u32) -> String {
    match sample {
        Decoded::Text(text) => text.clone(),
        Decoded::Numbers(_) => String::new(),
        Decoded::Bytes(bytes) => format!("0x{bytes}"),
        Decoded::Indexed { indices, values } => {
            let entries = indices.iter().zip(values);
            let entries = entries.map(|(index, value)| format!("{}:{value}", index + first));
            entries.collect::<Vec<_>>().join(" ")
        }
    }
}

fn columns<'a>(
    layout: &Layout,
    rows: &'a [Row],
    decoded: &[Decoded],
    texts: &'a Texts,
) -> Vec<Column<'a>> {
    let whole = |number: fn(&Row) -> u64| Values::Whole(rows.iter().map(number).collect());
    let text = |texts: &'a [String]| Values::Text(texts.iter().map(String::as_str).collect());
    let mut all = Vec::new();
    let mut add = |name: &str, values| all.push(Column::new(layout.name(name), values));
    if !layout.bare {
        add(
            "position",
            whole(|row| row.contributed.contribution.position),
        );
        add("time", whole(|row| row.contributed.contribution.time));
        add("utc", text(&texts.utc));
        let blocks = rows.iter().map(|row| row.contributed.block);
        add("block", Values::MaybeWhole(blocks.collect()));
        add("author", text(&texts.author));
        let deposits = rows.iter().map(|row| row.contributed.contribution.deposit);
        add("deposit_wei", Values::Wei(deposits.collect()));
        let settled = rows.iter().map(|row| row.contributed.settled().name());
        add("settled", Values::Text(settled.collect()));
        let paid = rows.iter().map(|row| row.contributed.paid());
        add("paid_wei", Values::Wei(paid.collect()));
        add("claimed_by", text(&texts.claimed_by));
        let judged = || rows.iter().filter_map(|row| row.judged.as_ref());
        if !rows.is_empty() && judged().count() == rows.len() {
            let marks = judged().map(|it| u64::from(it.marked));
            add("marked", Values::Whole(marks.collect()));
            // Further digits would only show how floats are added.
            let scores = judged().map(|it| (it.judgment.score * 1e6).round() / 1e6);
            add("score", Values::Real(scores.collect()));
            add("reason", text(&texts.reason));
            if judged().all(|it| it.lie.is_some()) {
                let lies = judged().map(|it| u64::from(it.lie == Some(true)));
                add("lie", Values::Whole(lies.collect()));
            }
        }
        add(
            "label_number",
            whole(|row| row.contributed.contribution.label.into()),
        );
    }
    add("label", text(&texts.class));
    match &layout.form {
        DecodedForm::Text => add("text", text(&texts.sample)),
        DecodedForm::Indexed => add("features", text(&texts.sample)),
        DecodedForm::Bytes => add("sample", text(&texts.sample)),
        DecodedForm::Columns(_) if layout.schema.is_some() => {
            let columns = layout.schema.iter().flat_map(Schema::columns);
            for (column, fields) in columns.zip(&texts.fields) {
                let values = match column.kind {
                    // A number that is missing has no text.
                    ColumnKind::Numeric => {
                        Values::MaybeReal(fields.iter().map(|it| it.parse().ok()).collect())
                    }
                    ColumnKind::Boolean | ColumnKind::Categorical { .. } => text(fields),
                };
                all.push(Column::new(column.name.clone(), values));
            }
        }
        DecodedForm::Columns(names) => {
            for (column, name) in names.iter().enumerate() {
                let value = |sample: &Decoded| match sample {
                    Decoded::Numbers(numbers) => numbers.get(column).copied().unwrap_or(0.0),
                    _ => 0.0,
                };
                let values = Values::Real(decoded.iter().map(value).collect());
                all.push(Column::new(name.clone(), values));
            }
        }
    }
    all
}

/// Writes a line of libsvm.
fn libsvm(to: &mut Sink, layout: &Layout, row: &Row, sample: &Decoded) -> io::Result<()> {
    let contribution = &row.contributed.contribution;
    let label = contribution.label;
    if layout.integers {
        write!(to, "{}", layout.class(label))?;
    } else {
        write!(to, "{label}")?;
    }
    match sample {
        Decoded::Indexed { indices, values } => {
            for (index, value) in indices.iter().zip(values) {
                write!(to, " {}:{value}", index + layout.first_index)?;
            }
        }
        Decoded::Numbers(numbers) => {
            for (index, value) in (1..).zip(numbers).filter(|(_, value)| **value != 0.0) {
                write!(to, " {index}:{value}")?;
            }
        }
        // Features have no values of their own, so their numbers stand for them.
        Decoded::Text(_) | Decoded::Bytes(_) => match layout.encoding {
            Encoding::Sparse => {
                for feature in contribution.sample.as_chunks().0 {
                    write!(to, " {}:1", u32::from(u16::from_be_bytes(*feature)) + 1)?;
                }
            }
            dense => {
                let numbers = (1..).zip(dense.numbers(&contribution.sample));
                for (index, number) in numbers.filter(|(_, number)| *number != 0) {
                    write!(to, " {index}:{number}")?;
                }
            }
        },
    }
    writeln!(to)
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
    use alloy_primitives::Address;
    use cotrain_protocol::{record::Contribution, sample::encode_sparse};

    use super::*;

    fn layout() -> Layout {
        Layout {
            form: DecodedForm::Bytes,
            schema: None,
            classes: vec!["-1".to_owned(), "1".to_owned()],
            encoding: Encoding::Sparse,
            first_index: 1,
            bare: true,
            integers: true,
        }
    }

    fn row(label: u16) -> Row {
        Row {
            contributed: Contributed {
                contribution: Contribution {
                    author: Address::ZERO,
                    label,
                    deposit: 1,
                    time: 0,
                    position: 0,
                    sample: encode_sparse(&[0, 7]),
                },
                block: None,
                claims: Vec::new(),
            },
            judged: None,
        }
    }

    #[test]
    fn output_takes_the_format_from_the_ending() {
        let read = |text| output(text).map(|output| (output.format, output.packed));
        assert_eq!(read("a/b.csv"), Ok((Format::Csv, false)));
        assert_eq!(read("b.csv.gz"), Ok((Format::Csv, true)));
        assert_eq!(read("b.parquet"), Ok((Format::Parquet, false)));
        assert_eq!(read("b.svm.gz"), Ok((Format::Libsvm, true)));
        assert!(output("-").is_ok_and(|output| output.is_stdout()));
        for wrong in ["", "csv", "b.txt", "b.parquet.gz", "b.gz"] {
            output(wrong).unwrap_err();
        }
    }

    #[test]
    fn begin_leaves_nothing_until_finish() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("b.libsvm");
        let to = output(path.to_str().expect("UTF-8")).expect("an output");
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

    #[test]
    fn fields_are_those_of_a_table_with_types() {
        let columns = r#"[{"name":"age","type":"numeric","missing":{"own":2.5}},
            {"name":"port","type":"categorical","values":["C","S"]},
            {"name":"paid","type":"boolean"}]"#;
        let columns = serde_json::from_str(columns).expect("columns");
        let schema = Schema::new(columns).expect("a schema");
        let rows = [
            Decoded::Numbers(vec![1.5, 0.0, 0.0, 1.0, 1.0]),
            Decoded::Numbers(vec![2.5, 1.0, 1.0, 0.0, 0.0]),
        ];
        let expected = [["1.5", ""], ["S", "C"], ["true", "false"]];
        assert_eq!(fields(&schema, &rows), expected);
    }

    #[test]
    fn sample_text_counts_indices_as_the_data_of_the_model_did() {
        let sample = Decoded::Indexed {
            indices: vec![0, 3],
            values: vec![1.0, 0.5],
        };
        assert_eq!(sample_text(&sample, 0), "0:1 3:0.5");
        assert_eq!(sample_text(&sample, 1), "1:1 4:0.5");
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

    #[test]
    fn name_gets_a_prefix_if_a_feature_has_it() {
        let names = ["author", "cotrain_author"].map(ToOwned::to_owned);
        let layout = Layout {
            form: DecodedForm::Columns(names.to_vec()),
            ..layout()
        };
        assert_eq!(layout.name("author"), "cotrain_cotrain_author");
        assert_eq!(layout.name("time"), "time");
    }
}
