//! Examples without a class, from the command line.

use std::{
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use alloy_primitives::hex;
use anyhow::{Context, anyhow};
use clap::Args;
use cotrain_client::described::NoEncoder;
pub(crate) use cotrain_learning::input::Encoded;
use cotrain_learning::{
    Encoder,
    data::{MAX_BYTES, Reading, Separator, Table, TableFormat},
    encode::Sort,
    input::{
        FileOptions, InputError, encode_features, encode_file, encode_labeled, encode_lines,
        encode_picture, encode_pictures, encode_row, encode_table, encode_text, read_lines,
    },
};
use cotrain_protocol::sample::Encoding;
use cotrain_results::format::left_out_queries;
use serde::Serialize;

use super::{
    connection::Session,
    data::{Columns, left_out},
    model::LiveModel,
    staged::guarded,
};
use crate::{error::CommandError, output::Narrator};

/// One example in one of its possible forms, or a file of many.
#[derive(Debug, Clone, Default, Args)]
#[group(required = false, multiple = false)]
pub(crate) struct Input {
    /// Text; the model uses only the words that it knows
    #[arg(long, value_name = "TEXT")]
    pub(crate) text: Option<String>,
    /// Row of data: values separated by commas, one per column, or `index:value …` for libsvm
    #[arg(long, value_name = "ROW", allow_hyphen_values = true)]
    pub(crate) row: Option<String>,
    /// PNG or JPEG with a picture, for a model of pictures
    #[arg(long, value_name = "FILE")]
    pub(crate) picture: Option<PathBuf>,
    /// Indices of the features that are present, from 0, separated by commas
    #[arg(long, value_name = "LIST")]
    pub(crate) features: Option<String>,
    /// Sample in the contract's encoding
    #[arg(long, value_name = "HEX")]
    pub(crate) sample: Option<String>,
}

/// Counts of inputs that do not fit a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Misfits {
    /// Number of all inputs.
    pub(crate) inputs: usize,
    /// Number of inputs without a feature that the model knows.
    pub(crate) unknown: usize,
    /// Number of inputs with numbers outside the model's range.
    pub(crate) clipped_inputs: usize,
    /// Number of all numbers outside the model's range.
    pub(crate) clipped_values: usize,
    /// Number of inputs with a text in a categorical column, or with an index, that the model does not
    /// know.
    pub(crate) unseen_inputs: usize,
}

impl Misfits {
    /// Counts the misfits of some inputs.
    pub(crate) fn of<'a>(inputs: impl IntoIterator<Item = &'a Encoded>) -> Self {
        let mut all = Self::default();
        for input in inputs {
            all.inputs += 1;
            all.unknown += usize::from(input.is_unknown());
            all.clipped_inputs += usize::from(input.clipped > 0);
            all.clipped_values += input.clipped;
            all.unseen_inputs += usize::from(input.unseen > 0);
        }
        all
    }

    /// Warns on stderr of unknown inputs and of clipped numbers.
    pub(crate) fn warn(&self, session: &Session, model: &LiveModel) {
        if let Some(message) = self.describe_unknown(model) {
            session.narrator.say(format_args!(
                "warning: {message}: what the model says of that is its prior alone"
            ));
        }
        if let Some(message) = self.describe_clipped() {
            session.narrator.say(format_args!("warning: {message}"));
        }
        if let Some(message) = self.describe_unseen(model) {
            session.narrator.say(format_args!("warning: {message}"));
        }
    }

    /// Returns as text how many inputs have a category or an index that the model does not know; `None`
    /// if there are none.
    pub(crate) fn describe_unseen(&self, model: &LiveModel) -> Option<String> {
        let encoder = model.encoder().ok();
        let things = match encoder.filter(|encoder| encoder.takes() == Sort::Indexed) {
            Some(encoder) => format!(
                "an index that is no feature of the model, which counts from {}",
                encoder.first_index()
            ),
            None => "a text in a column of categories that the model does not know".to_owned(),
        };
        (self.unseen_inputs > 0).then(|| {
            format!(
                "{} of {} inputs {} {things}",
                self.unseen_inputs,
                self.inputs,
                if self.unseen_inputs == 1 {
                    "has"
                } else {
                    "have"
                },
            )
        })
    }

    /// Returns as text how many inputs the model knows nothing of; `None` if there are none.
    pub(crate) fn describe_unknown(&self, model: &LiveModel) -> Option<String> {
        let things = match model.encoder().ok().map(Encoder::takes) {
            Some(Sort::Text) => "words",
            Some(Sort::Indexed) => "indices",
            Some(Sort::Numbers) | None => "features",
        };
        match (self.unknown, self.inputs) {
            (0, _) => None,
            (_, 1) => Some(format!("the model knows none of the input's {things}")),
            (unknown, inputs) => Some(format!(
                "the model knows none of the {things} of {unknown} of {inputs} inputs"
            )),
        }
    }

    /// Returns as text how many numbers are outside the model's range; `None` if there are none.
    pub(crate) fn describe_clipped(&self) -> Option<String> {
        (self.clipped_inputs > 0).then(|| {
            format!(
                "{} of {} inputs {} values outside the model's range; {} {} clipped",
                self.clipped_inputs,
                self.inputs,
                if self.clipped_inputs == 1 {
                    "has"
                } else {
                    "have"
                },
                self.clipped_values,
                if self.clipped_values == 1 {
                    "value was"
                } else {
                    "values were"
                },
            )
        })
    }
}

impl Input {
    /// Encodes the input; `None` if none is given.
    pub(crate) fn sample(&self, model: &LiveModel) -> Result<Option<Encoded>, CommandError> {
        let encoded = if let Some(text) = &self.text {
            encode_text(encoder(model)?, text)
        } else if let Some(row) = &self.row {
            encode_row(encoder(model)?, row)
        } else if let Some(path) = &self.picture {
            encode_picture(encoder(model)?, path)
        } else if let Some(list) = &self.features {
            encode_features(&model.facts.parameters, list)
        } else if let Some(sample) = &self.sample {
            let bytes = hex::decode(sample)
                .with_context(|| format!("--sample is `{sample}`; expected hexadecimal digits"));
            let encoding = model.facts.parameters.encoding();
            Ok(Encoded::raw(
                encoding,
                bytes.map_err(CommandError::Mistake)?,
            ))
        } else {
            return Ok(None);
        };
        encoded.map(Some).map_err(not_encoded)
    }
}

/// Encodes a file of examples, as [`encode_file`] does; `-` is stdin.
pub(crate) fn file(
    model: &LiveModel,
    path: &Path,
    options: &FileOptions<'_>,
) -> Result<Vec<Encoded>, CommandError> {
    let encoder = encoder_of_data(model)?;
    let samples = if path == Path::new(STDIN) && options.text_column.is_none() {
        options.check_lines(path).map_err(CommandError::mistake)?;
        let text = read_lines(path, io::stdin().lock());
        text.and_then(|text| encode_lines(encoder, path, &text))
    } else {
        encode_file(encoder, path, options)
    };
    samples.map_err(not_encoded)
}

/// Path that stands for stdin, and for stdout.
pub(crate) const STDIN: &str = "-";

/// Reads a whole table; `-` is stdin.
pub(crate) fn table(path: &Path, reading: &Reading) -> Result<Table, CommandError> {
    let read = if path == Path::new(STDIN) {
        let mut bytes = Vec::new();
        let stdin = io::stdin().lock().take(MAX_BYTES + 1);
        let read = { stdin }.read_to_end(&mut bytes).context("cannot read -");
        read.map_err(CommandError::Mistake)?;
        Table::of_bytes(path, bytes, reading)
    } else {
        let format = TableFormat::of(path).unwrap_or(TableFormat::Csv);
        Table::read(path, format, reading)
    };
    read.map_err(CommandError::mistake)
}

/// Encodes the rows of a table.
pub(crate) fn rows(
    model: &LiveModel,
    path: &Path,
    table: &Table,
    options: &FileOptions<'_>,
) -> Result<Vec<Encoded>, CommandError> {
    let encoder = encoder_of_data(model)?;
    encode_table(encoder, path, table, options).map_err(not_encoded)
}

/// Returns the encoder for a single text or row. The error names options that need no encoder.
pub(crate) fn encoder(model: &LiveModel) -> Result<&Encoder, CommandError> {
    let instead = match model.facts.parameters.encoding() {
        Encoding::Sparse => "--features or --sample",
        _ => "--sample",
    };
    model.encoder().map_err(|error| {
        let next = match error {
            NoEncoder::Contradicted { .. } => format!(
                "ask its owner to register a card that fits, or give samples with {instead}"
            ),
            _ => format!("give {instead}, or name the registry with --registry"),
        };
        CommandError::Mistake(anyhow!("{error}; {next}"))
    })
}

/// Returns the encoder for a file of data, which no option replaces.
fn encoder_of_data(model: &LiveModel) -> Result<&Encoder, CommandError> {
    model.encoder().map_err(|error| {
        let next = match error {
            NoEncoder::Contradicted { .. } => "ask its owner to register a card that fits",
            _ => "name the registry with --registry",
        };
        CommandError::Mistake(anyhow!("{error}; {next}"))
    })
}

/// Returns the failure for an input that cannot be encoded, with the option that helps.
fn not_encoded(error: InputError) -> CommandError {
    let next = match &error {
        InputError::TextWanted => "give it with --text",
        InputError::NotSparse { .. } => "give them with --row or --sample",
        InputError::NoPictures => {
            "give it what it learned from, such as --text, --row or --data with a table"
        }
        InputError::NoTexts => "leave --text-column out",
        InputError::NoColumns { .. } => {
            "--text-column is for files that end in .csv, .tsv or .parquet"
        }
        InputError::TextColumnWanted => "name the column of the texts with --text-column",
        InputError::NoTable => "give it lines of `index:value` with --file",
        _ => return CommandError::mistake(error),
    };
    CommandError::Mistake(anyhow!("{error}; {next}"))
}

/// Encodes all pictures of a folder. It also returns a table of their files.
pub(crate) fn pictures(
    model: &LiveModel,
    folder: &Path,
) -> Result<(Vec<Encoded>, Table), CommandError> {
    let encoder = encoder_of_data(model)?;
    let all = encode_pictures(encoder, folder).map_err(not_encoded)?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| CommandError::Fault(anyhow!(error));
    writer.write_record(["file"]).map_err(failed)?;
    for (path, _) in &all {
        // The file's name may be a stranger's, and a spreadsheet must not obey it.
        let (name, _) = guarded(&path.to_string_lossy());
        writer.write_record([name]).map_err(failed)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| anyhow!(error.to_string()))?;
    let commas = Reading {
        separator: Some(Separator::Comma),
        ..Reading::default()
    };
    let table = Table::of_bytes(folder, bytes, &commas).map_err(CommandError::mistake)?;
    Ok((all.into_iter().map(|(_, input)| input).collect(), table))
}

/// Samples with their classes.
pub(crate) type Labeled = Vec<(u16, Encoded)>;

/// Tells how many examples of libsvm data have a query, which the model does not learn from.
pub(crate) fn tell_queries(narrator: &Narrator, queries: usize) {
    if let Some(told) = left_out_queries(queries) {
        narrator.say(told);
    }
}

/// Encodes labeled data by the rules of the model's card.
pub(crate) fn labeled(
    session: &Session,
    model: &LiveModel,
    columns: &Columns,
    data: &str,
) -> Result<Labeled, CommandError> {
    let encoder = encoder_of_data(model)?;
    let source = columns.source(data)?;
    for left_out in left_out(&source)? {
        session.narrator.say(left_out);
    }
    let labeled = encode_labeled(encoder, &source, &model.classes()).map_err(not_encoded)?;
    tell_queries(&session.narrator, labeled.queries);
    Ok(labeled.samples)
}
