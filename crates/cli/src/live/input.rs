//! Examples without a class, from the command line.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use alloy_primitives::hex;
use anyhow::{Context, anyhow};
use clap::Args;
use cotrain_client::described::NoEncoder;
use cotrain_learning::{
    Encoder,
    data::{Example, TableFormat, load_more, read_columns, table_columns},
    encode::{Noted, Sort},
    text::escaped,
};
use cotrain_protocol::sample::{Encoding, encode_sparse};
use serde::Serialize;

use super::{connection::Session, data::Columns, model::LiveModel};
use crate::failure::Failure;

/// One example, in one of the forms that it may have, or a file of many.
#[derive(Debug, Clone, Default, Args)]
#[group(required = false, multiple = false)]
pub(crate) struct Input {
    /// A text, of which the model looks at the words that it knows
    #[arg(long, value_name = "TEXT")]
    pub(crate) text: Option<String>,
    /// A row of data: numbers separated by commas, one a column, or for libsvm `index:value …`
    #[arg(long, value_name = "ROW", allow_hyphen_values = true)]
    pub(crate) row: Option<String>,
    /// The numbers of the features that are present, from 0, separated by commas
    #[arg(long, value_name = "LIST")]
    pub(crate) features: Option<String>,
    /// The sample itself, as the contract takes it
    #[arg(long, value_name = "HEX")]
    pub(crate) sample: Option<String>,
}

/// A sample, and what the model makes of the input that it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Encoded {
    pub(crate) sample: Vec<u8>,
    /// Words, indices or columns of the input that the model knows; `None` for a dense sample that was
    /// given as bytes.
    pub(crate) known: Option<usize>,
    /// Numbers outside the model's range, which were moved to its bounds.
    pub(crate) clipped: usize,
}

impl From<Noted> for Encoded {
    fn from(noted: Noted) -> Self {
        Self {
            sample: noted.sample,
            known: Some(noted.known),
            clipped: noted.clamped,
        }
    }
}

impl Encoded {
    /// A sample that was given as such.
    fn raw(model: &LiveModel, sample: Vec<u8>) -> Self {
        let sparse = model.facts.parameters.encoding() == Encoding::Sparse;
        Self {
            known: sparse.then_some(sample.len() / 2),
            sample,
            clipped: 0,
        }
    }

    /// Returns whether the model knows nothing of the input: all that it can say is its prior.
    pub(crate) fn is_unknown(&self) -> bool {
        self.known == Some(0)
    }
}

/// Counts of inputs that do not fit a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Misfits {
    /// Inputs that were looked at.
    pub(crate) inputs: usize,
    /// Inputs of which the model knows nothing.
    pub(crate) unknown: usize,
    /// Inputs with numbers outside the model's range.
    pub(crate) clipped_inputs: usize,
    /// Those numbers.
    pub(crate) clipped_values: usize,
}

impl Misfits {
    /// Counts.
    pub(crate) fn of<'a>(inputs: impl IntoIterator<Item = &'a Encoded>) -> Self {
        let mut all = Self::default();
        for input in inputs {
            all.inputs += 1;
            all.unknown += usize::from(input.is_unknown());
            all.clipped_inputs += usize::from(input.clipped > 0);
            all.clipped_values += input.clipped;
        }
        all
    }

    /// Says on stderr what there is to say.
    pub(crate) fn warn(&self, session: &Session, model: &LiveModel) {
        if let Some(words) = self.unknown_in_words(model) {
            session.narrator.say(format_args!(
                "warning: {words}: what the model says of that is its prior alone"
            ));
        }
        if let Some(words) = self.clipped_in_words() {
            session.narrator.say(format_args!("warning: {words}"));
        }
    }

    /// Says how many inputs the model knows nothing of; `None` if there are none.
    pub(crate) fn unknown_in_words(&self, model: &LiveModel) -> Option<String> {
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

    /// Says how many numbers are outside the model's range; `None` if there are none.
    pub(crate) fn clipped_in_words(&self) -> Option<String> {
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
    /// The sample; none where none is given.
    pub(crate) fn sample(&self, model: &LiveModel) -> Result<Option<Encoded>, Failure> {
        if let Some(text) = &self.text {
            return encode(model, Sort::Text, text).map(Some);
        }
        if let Some(row) = &self.row {
            let sort = encoder(model)?.takes();
            if sort == Sort::Text {
                return Err(Failure::Mistake(anyhow!(
                    "the model learned from text; give it with --text"
                )));
            }
            return encode(model, sort, row).map(Some);
        }
        if let Some(list) = &self.features {
            let sample = features(model, list)?;
            return Ok(Some(Encoded::raw(model, sample)));
        }
        let Some(sample) = &self.sample else {
            return Ok(None);
        };
        let bytes = hex::decode(sample)
            .with_context(|| format!("--sample is `{sample}`, hexadecimal digits are wanted"));
        Ok(Some(Encoded::raw(model, bytes.map_err(Failure::Mistake)?)))
    }
}

/// Returns the samples of a file. With `text_column`, and if the first line of a table names the model's
/// columns, each row is an example; otherwise each line is one, and blank lines are passed over. `-` is
/// stdin.
pub(crate) fn file(
    model: &LiveModel,
    path: &Path,
    text_column: Option<&str>,
) -> Result<Vec<Encoded>, Failure> {
    let encoder = encoder(model)?;
    let sort = encoder.takes();
    let examples = match table(encoder, path, text_column)? {
        Some(rows) => rows,
        None => lines(path)?,
    };
    let sample = |(number, example): (u64, String)| {
        encode(model, sort, &example).map_err(|failure| match failure {
            Failure::Mistake(error) => {
                Failure::Mistake(error.context(format!("line {number} of {}", path.display())))
            }
            fault @ Failure::Fault(_) => fault,
        })
    };
    examples.into_iter().map(sample).collect()
}

/// Returns the rows of a table with a header, each as it would be given in an argument; `None` if the file
/// is no such table.
fn table(
    encoder: &Encoder,
    path: &Path,
    text_column: Option<&str>,
) -> Result<Option<Vec<(u64, String)>>, Failure> {
    let format = match TableFormat::of(path) {
        Some(format) => format,
        None if text_column.is_some() => {
            return Err(Failure::Mistake(anyhow!(
                "{} has no columns; --text-column is for files that end in .csv or .tsv",
                path.display()
            )));
        }
        None => return Ok(None),
    };
    let read = |columns: &[&str]| {
        let rows = read_columns(path, format, columns).map_err(Failure::mistake)?;
        Ok::<_, Failure>(
            rows.into_iter()
                .map(|(line, fields)| (line, fields.join(",")))
                .collect(),
        )
    };
    match (encoder.takes(), text_column) {
        (Sort::Text, Some(column)) => read(&[column]).map(Some),
        (_, Some(_)) => Err(Failure::Mistake(anyhow!(
            "the model did not learn from texts; leave --text-column out"
        ))),
        (Sort::Numbers, None) => {
            let (all, needed) = encoder
                .columns()
                .map_or((&[][..], &[][..]), |it| (it.names, it.needed()));
            let read = |names: &[String]| {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                read(&names)
            };
            // Columns that had no examples may be left out, all of them: a file that has some would lose what it says.
            let (_, reserved) = all.split_at(needed.len());
            let without = |failure| {
                let header = table_columns(path, format).map_err(Failure::mistake)?;
                let has_some = reserved.iter().any(|name| header.contains(name));
                if reserved.is_empty() || has_some {
                    return Err(failure);
                }
                read(needed)
            };
            match read(all).or_else(without) {
                // Rows of numbers alone, in the model's order.
                Err(_) if is_numbers(path) => Ok(None),
                rows => rows.map(Some),
            }
        }
        (Sort::Text | Sort::Indexed, None) => Ok(None),
    }
}

/// Returns `true` if the first line of a file is numbers, so that it is no header.
fn is_numbers(path: &Path) -> bool {
    lines(path).is_ok_and(|lines| {
        let first = lines.first();
        first.is_some_and(|(_, line)| numbers(line).is_ok())
    })
}

/// Returns the lines of a file or of stdin that are not blank, with their numbers from 1.
fn lines(path: &Path) -> Result<Vec<(u64, String)>, Failure> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().read_to_string(&mut text)
    } else {
        File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.with_context(|| format!("cannot read {}", path.display()))
        .map_err(Failure::Mistake)?;
    let lines = text.trim_start_matches('\u{feff}').lines().zip(1..);
    Ok(lines
        .filter(|(line, _)| !line.trim().is_empty())
        .map(|(line, number)| (number, line.to_owned()))
        .collect())
}

/// Returns the encoder of a model's card; the mistake says how to do without one.
pub(crate) fn encoder(model: &LiveModel) -> Result<&Encoder, Failure> {
    model.encoder().map_err(|error| {
        let next = match error {
            NoEncoder::Contradicted { .. } => {
                "ask its owner to register a card that fits, or give samples with --features or --sample"
            }
            _ => "give --features or --sample, or name the registry with --registry",
        };
        Failure::Mistake(anyhow!("{error}; {next}"))
    })
}

fn encode(model: &LiveModel, sort: Sort, text: &str) -> Result<Encoded, Failure> {
    let encoder = encoder(model)?;
    let noted = match sort {
        Sort::Text => encoder.encode_noting(Example::Text(text)),
        Sort::Numbers => encoder.encode_noting(Example::Numbers(&numbers(text)?)),
        Sort::Indexed => {
            let (indices, values) = entries(text)?;
            encoder.encode_noting(Example::Indexed {
                indices: &indices,
                values: Some(&values),
            })
        }
    };
    noted.map(Into::into).map_err(Failure::mistake)
}

fn numbers(row: &str) -> Result<Vec<f64>, Failure> {
    let number = |field: &str| {
        field.trim().parse().map_err(|_| {
            Failure::Mistake(anyhow!(
                "`{}` is no number; numbers separated by commas are wanted",
                escaped(field)
            ))
        })
    };
    row.split(',').map(number).collect()
}

/// Indices from 0, and their values.
fn entries(row: &str) -> Result<(Vec<u32>, Vec<f64>), Failure> {
    let entry = |pair: &str| {
        let (index, value) = pair.split_once(':')?;
        Some((
            index.parse::<u32>().ok()?.checked_sub(1)?,
            value.parse::<f64>().ok()?,
        ))
    };
    let mut found = (Vec::new(), Vec::new());
    for pair in row.split_whitespace() {
        let (index, value) = entry(pair).ok_or_else(|| {
            Failure::Mistake(anyhow!(
                "`{}` is no entry; `index:value` with an index from 1 is wanted",
                escaped(pair)
            ))
        })?;
        found.0.push(index);
        found.1.push(value);
    }
    Ok(found)
}

fn features(model: &LiveModel, list: &str) -> Result<Vec<u8>, Failure> {
    if model.facts.parameters.encoding() != Encoding::Sparse {
        return Err(Failure::Mistake(anyhow!(
            "the samples of a {} are numbers; give them with --row or --sample",
            model.facts.parameters.kind()
        )));
    }
    let feature = |field: &str| {
        field.trim().parse::<u16>().map_err(|_| {
            Failure::Mistake(anyhow!(
                "`{field}` is no feature; their numbers from 0 are wanted, separated by commas"
            ))
        })
    };
    let mut features: Vec<u16> = list
        .split(',')
        .filter(|field| !field.trim().is_empty())
        .map(feature)
        .collect::<Result<_, _>>()?;
    features.sort_unstable();
    features.dedup();
    Ok(encode_sparse(&features))
}

/// Samples with their classes.
pub(crate) type Labelled = Vec<(u16, Encoded)>;

/// Returns the samples of data, encoded as the model's card says. Data with other columns or classes than the
/// model's is refused.
pub(crate) fn labelled(
    model: &LiveModel,
    columns: &Columns,
    data: &str,
) -> Result<Labelled, Failure> {
    let encoder = encoder(model)?;
    let classes = model.classes();
    let source = columns.source(data, None)?;
    let path = PathBuf::from(data);
    let part = load_more(&source, &classes, encoder.columns()).map_err(Failure::mistake)?;
    let sample = |(place, (example, &label)): (usize, (_, &u16))| {
        let noted = encoder.encode_noting(example).map_err(|error| {
            Failure::Mistake(anyhow!(
                "example {} of {}: {error}",
                place + 1,
                path.display()
            ))
        })?;
        Ok((label, noted.into()))
    };
    let examples = part.examples().zip(part.labels());
    examples.enumerate().map(sample).collect()
}
