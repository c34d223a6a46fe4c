//! `cotrain encoder`: tables of word vectors.

use std::{
    fs::{self, File},
    io::BufReader,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use cotrain_client::{api::Client, described::DescribedModel};
use cotrain_learning::{
    text::escaped,
    vectors::{MAX_PIECES, Making, Table, TableId, WordVectors, embedded},
};
use cotrain_results::format::counted;
use serde::Serialize;
use url::Url;

use super::{
    context::{state_directory, write_whole},
    show,
    staged::Staged,
};
use crate::{error::CommandError, output::Narrator};

/// Name of the table that is part of the program, in options.
const EMBEDDED: &str = "table";

/// Ending of the names of stored tables.
pub(crate) const EXTENSION: &str = "cotvec";

/// Number of near pieces that `show` lists.
const NEAR: usize = 10;

const EXAMPLES: &str = "\
Examples:
  cotrain encoder show                             the table that comes with cotrain
  cotrain encoder show --near marvelous            the word pieces nearest to a word
  cotrain encoder make glove.txt --dimensions 64 --out glove.cotvec
                                                   a table of your own, from word vectors
  cotrain deploy --data mail.csv --encoder glove.cotvec …
                                                   a model that learns from its numbers
  cotrain encoder add glove.cotvec                 for models whose card names that table";

/// Make, show and add tables of word vectors, which turn a text into a few numbers
///
/// A model that learns from these numbers needs fewer examples than one that learns from words,
/// because it knows from the start which words are near to each other. With thousands of examples,
/// single words are better. A model's card names its table by the SHA-256 of the file.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct EncoderCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Make(Make),
    Show(Show),
    Add(Add),
}

/// Make a table from word vectors
///
/// The vectors are a text file, one word and its numbers a line, the most frequent words first. The
/// table keeps the directions in which they vary most, weights each word by its rank, and rounds.
/// The same vectors make the same table on every machine.
#[derive(Debug, Args)]
struct Make {
    /// Text file with one word and its numbers a line
    #[arg(value_name = "VECTORS")]
    vectors: PathBuf,
    /// File to write the table to
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    force: bool,
    /// Number of dimensions of the table: the features of a model
    #[arg(long, value_name = "N", default_value_t = 128)]
    dimensions: usize,
    /// Number of dimensions that share a byte, a divisor of the dimensions: 1 for the most exact
    /// and largest table
    #[arg(long, value_name = "N", default_value_t = 4)]
    code: usize,
    /// Number of the most frequent words to keep [default: all, up to 1048576]
    #[arg(long, value_name = "N")]
    pieces: Option<usize>,
    /// Rank of the word that has half of the largest weight; more frequent words count less. 0
    /// weights all words equally
    #[arg(long, value_name = "RANK", default_value_t = 500.0)]
    half: f64,
    /// Notice to put into the table: the source of the vectors, and their license
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    notice: String,
    /// Print one JSON object to stdout
    #[arg(long)]
    json: bool,
}

/// Show a table: its SHA-256, size and notice, and words near to a text
#[derive(Debug, Args)]
struct Show {
    /// File of the table [default: the one that comes with cotrain]
    #[arg(value_name = "FILE")]
    table: Option<PathBuf>,
    /// Text whose nearest word pieces to list
    #[arg(long, value_name = "TEXT")]
    near: Option<String>,
    /// Print one JSON object to stdout
    #[arg(long)]
    json: bool,
}

/// Add a table to those that models can use
///
/// Copies the file to the state directory, under its SHA-256. From then on, every command finds it
/// for the models whose card names it.
#[derive(Debug, Args)]
struct Add {
    /// File of the table
    #[arg(value_name = "FILE")]
    table: PathBuf,
    /// Print one JSON object to stdout
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    sha256: String,
    dimensions: usize,
    pieces: usize,
    bytes: usize,
    notice: &'a str,
    /// Share of the vectors' variance that a new table keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    variance_kept: Option<f64>,
    /// Number of vectors whose words no text can contain, or that were there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    passed_over: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    near: Option<Vec<Near>>,
}

#[derive(Debug, Serialize)]
struct Near {
    piece: String,
    cosine: f64,
}

/// Runs a command about tables.
pub(crate) fn run(arguments: &EncoderCommand) -> Result<(), CommandError> {
    match &arguments.action {
        Action::Make(arguments) => make(arguments),
        Action::Show(arguments) => show_table(arguments),
        Action::Add(arguments) => add(arguments),
    }
}

fn make(arguments: &Make) -> Result<(), CommandError> {
    let out = Staged::begin(&arguments.out, arguments.force)?;
    let path = &arguments.vectors;
    let named = || format!("{}", path.display());
    let file = File::open(path)
        .with_context(|| format!("cannot read {}", path.display()))
        .map_err(CommandError::Mistake)?;
    let source = WordVectors::read(BufReader::new(file), arguments.pieces.unwrap_or(MAX_PIECES))
        .with_context(named)
        .map_err(CommandError::Mistake)?;
    let making = Making {
        dimensions: arguments.dimensions,
        width: arguments.code,
        half: arguments.half,
        notice: arguments.notice.clone(),
    };
    let (table, kept) = Table::make(&source, &making).map_err(CommandError::mistake)?;
    let bytes = table.to_bytes();
    out.write_whole(&bytes)?;
    let shown = Shown {
        variance_kept: Some(kept),
        passed_over: Some(source.passed_over()),
        path: Some(&arguments.out),
        ..Shown::of(&table, bytes.len())
    };
    show(arguments.json, &shown, || shown.text())
}

fn show_table(arguments: &Show) -> Result<(), CommandError> {
    let opened;
    let table = match &arguments.table {
        None => embedded(),
        Some(path) => {
            opened = Table::open(path).map_err(CommandError::mistake)?;
            &opened
        }
    };
    let near = arguments.near.as_deref().map(|text| near(table, text));
    let shown = Shown {
        near: near.transpose()?,
        ..Shown::of(table, table.to_bytes().len())
    };
    show(arguments.json, &shown, || shown.text())
}

/// Returns the pieces that are nearest to a text.
fn near(table: &Table, text: &str) -> Result<Vec<Near>, CommandError> {
    let found = table.nearest(text, NEAR);
    if table.encode(text).known == 0 {
        return Err(CommandError::Mistake(anyhow!(
            "the table knows no word of `{}`; name another text with --near",
            escaped(text)
        )));
    }
    let near = found.into_iter().map(|it| Near {
        piece: it.piece,
        cosine: it.cosine,
    });
    Ok(near.collect())
}

fn add(arguments: &Add) -> Result<(), CommandError> {
    let table = Table::open(&arguments.table).map_err(CommandError::mistake)?;
    let path = store(&table)?;
    let shown = Shown {
        path: Some(&path),
        ..Shown::of(&table, table.to_bytes().len())
    };
    show(arguments.json, &shown, || shown.text())
}

impl<'a> Shown<'a> {
    fn of(table: &'a Table, bytes: usize) -> Self {
        Self {
            sha256: table.id().hexadecimal(),
            dimensions: table.dimensions(),
            pieces: table.pieces(),
            bytes,
            notice: table.notice(),
            variance_kept: None,
            passed_over: None,
            path: None,
            near: None,
        }
    }

    fn text(&self) -> String {
        let mut lines = vec![
            format!("sha256      {}", self.sha256),
            format!("dimensions  {}", self.dimensions),
            format!("pieces      {}", counted(self.pieces as u64, "piece")),
            format!("size        {}", counted(self.bytes as u64, "byte")),
        ];
        if let Some(kept) = self.variance_kept {
            lines.push(format!("variance    {:.1} % kept", 100.0 * kept));
        }
        if let Some(count) = self.passed_over {
            let vectors = counted(count as u64, "vector");
            lines.push(format!(
                "passed over {vectors}, whose words no text can contain"
            ));
        }
        if !self.notice.is_empty() {
            lines.push(format!("notice      {}", escaped(self.notice)));
        }
        if let Some(path) = self.path {
            lines.push(format!("file        {}", path.display()));
        }
        for near in self.near.iter().flatten() {
            lines.push(format!(
                "near        {:.3}  {}",
                near.cosine,
                escaped(&near.piece)
            ));
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

/// Reads the table that an option names, and stores it for later commands: `table` for the one that
/// comes with cotrain, or a file.
pub(crate) fn chosen(name: &str) -> Result<Table, CommandError> {
    if name == EMBEDDED {
        return Ok(embedded().clone());
    }
    let table = Table::open(Path::new(name))
        .with_context(|| {
            format!(
                "--encoder is neither `{EMBEDDED}`, for the table that comes with cotrain, nor `sentence`, for the program cotrain-sentence, nor a file with a table"
            )
        })
        .map_err(CommandError::Mistake)?;
    store(&table)?;
    Ok(table)
}

/// Gives a model's encoder its table if an earlier command stored it. A table that is not there, or
/// not the right one, is fetched or reported when a text is encoded.
pub(crate) fn complete(model: &mut DescribedModel) {
    let Some(id) = model.missing_table() else {
        return;
    };
    let stored = directory().map(|directory| Table::open(&stored(&directory, id)));
    if let Ok(Ok(table)) = stored {
        // The SHA-256 of what was read is compared.
        model.give_table(&table);
    }
}

/// Fetches the table that a model's encoder lacks from a coordinator, checks it, and stores it for
/// later commands. Does nothing if the encoder lacks none.
pub(crate) async fn fetch(
    model: &mut DescribedModel,
    coordinator: Option<&Url>,
    narrator: &Narrator,
) -> Result<(), CommandError> {
    let Some(id) = model.missing_table() else {
        return Ok(());
    };
    let add = format!(
        "add the file with the SHA-256 {} by `cotrain encoder add FILE`",
        id.hexadecimal()
    );
    let Some(coordinator) = coordinator else {
        return Err(CommandError::Mistake(anyhow!(
            "cannot read texts: the table of word vectors of the model is missing; {add}, or name a \
             coordinator that has it with --coordinator"
        )));
    };
    let client = Client::new(coordinator).map_err(anyhow::Error::from)?;
    let from = client.shown();
    let context = || {
        format!(
            "cannot read texts: the table of word vectors of the model is missing, and the coordinator {from} \
             did not give it; {add}, or name another coordinator with --coordinator"
        )
    };
    let table = client.encoder(id).await.map_err(|error| {
        let is_mistake = error.is_mistake();
        let error = anyhow!(error).context(context());
        if is_mistake {
            CommandError::Mistake(error)
        } else {
            CommandError::Fault(error)
        }
    })?;
    let path = store(&table)?;
    narrator.say(format_args!(
        "fetched the model's table of word vectors from {from}, {}; it is stored as {}",
        counted(table.to_bytes().len() as u64, "byte"),
        path.display()
    ));
    model.give_table(&table);
    Ok(())
}

/// Stores a table in the state directory, and returns its path there.
fn store(table: &Table) -> Result<PathBuf, CommandError> {
    store_in(&directory()?, table)
}

/// Stores a table in a directory under its SHA-256, and returns its path.
pub(crate) fn store_in(directory: &Path, table: &Table) -> Result<PathBuf, CommandError> {
    let path = stored(directory, table.id());
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    write_whole(&path, &table.to_bytes())?;
    Ok(path)
}

/// Returns the directory of the tables that commands find.
fn directory() -> Result<PathBuf, CommandError> {
    Ok(state_directory()?.join("encoders"))
}

fn stored(directory: &Path, id: TableId) -> PathBuf {
    directory.join(format!("{}.{EXTENSION}", id.hexadecimal()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_is_the_embedded_table_or_a_file() {
        assert_eq!(&chosen("table").unwrap(), embedded());
        let Err(CommandError::Mistake(error)) = chosen("tabel") else {
            panic!("expected a mistake");
        };
        let error = format!("{error:#}");
        assert!(
            error.contains("neither `table`") && error.contains("tabel"),
            "{error}"
        );
    }
}
