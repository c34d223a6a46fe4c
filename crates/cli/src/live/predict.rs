//! `cotrain predict`: predictions of a model, without a transaction.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
};

use alloy_primitives::{Address, B256, U256};
use anyhow::{Context as _, anyhow};
use clap::Args;
use cotrain_client::predict::{PredictError, predict};
use cotrain_learning::{
    data::Table,
    input::FileOptions,
    score::{self, Meaning},
    text::escaped,
};
use cotrain_results::format::counted;
use serde::Serialize;

use super::{
    block_on,
    connection::{Connection, CoordinatorArg, ModelArg, Session},
    data::ReadingOptions,
    input::{self, Encoded, Input, Misfits},
    model::LiveModel,
    show,
    spending::{Progress, Target},
    staged::{Staged, guarded},
};
use crate::{error::CommandError, output};

const EXAMPLES: &str = "\
Examples:
  cotrain predict --text 'a warm and funny film'
  cotrain predict --row 5.1,3.5,1.4,0.2
  cotrain predict --features 3,17,159              indices of features, from 0
  cotrain predict --file reviews.txt --local       many inputs, with a copy of the model
  cotrain predict --file mail.csv --text-column body
  cotrain predict --data new.csv --out new-classes.csv      a table with the predictions as columns
  cotrain predict --data - < new.csv                        the same on stdin and stdout
  cotrain predict --picture cat.png
  cotrain predict --data photos --out photos.csv            a folder of pictures, a row for each
  cotrain predict --text 'dull' --verify           do not trust the node

The columns of a table are found by the names in the model's card, in any order, and their types are
the card's. A column that the model does not know is refused, except for --label-column and --drop; so
is a missing or a doubled one.
Reserved columns may be left out, but only all of them. With --file, - is read without a header.

With --data, the output has the columns of the input (of a folder of pictures: `file`) and four more: `class`; `score`, empty if there
is none; `known`, the number of words or columns that the model knows; `clipped`, the number of values
outside the model's range. If the input has a column of such a name, the new one is called
`predicted_class` and so on.

A score from 0 to 1 says how sure the model is. Of naive Bayes it is the probability of the class, as
the model counts it: usually too sure of itself. Of a nearest centroid it is the distance to the
second nearest class, divided by the sum of the distances to both. Of a perceptron it is the share of
the weighted evidence for the class. At 0.5, a centroid or a perceptron is undecided. The contract
gives no score: this program computes it from the model's storage words, which it always reads with
--local or --verify, and otherwise only up to 10,000 of them.

With --verify, the block's hash proves each storage word of the model (eth_getProof). With a --block-hash from
another source, you trust the node only for the parameters that the model was created with.";

/// Predict the class of a text, a row of numbers, a picture or a sample, free
///
/// The contract predicts in the node, or this program computes the same from the model's weights.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Predict {
    #[command(flatten)]
    input: Input,
    /// File with one text or row per line, or a table (.csv, .tsv, .parquet) with a
    /// header; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "Input")]
    file: Option<PathBuf>,
    /// Table with a header, whose rows are predicted, or a folder of pictures; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["Input", "file", "skip"])]
    data: Option<PathBuf>,
    /// File for the rows of --data with their predictions, which ends in .csv; - is CSV on stdout
    /// [default: -]
    #[arg(long, value_name = "FILE", requires = "data")]
    out: Option<PathBuf>,
    /// Replace the file of --out if it exists
    #[arg(long, requires = "out")]
    force: bool,
    /// Column of the table that contains the texts; other columns are ignored
    #[arg(long, value_name = "NAME")]
    text_column: Option<String>,
    /// Column of a table that contains the class; it is not read [default: label, if the model has
    /// no such column]
    #[arg(long, value_name = "NAME")]
    label_column: Option<String>,
    #[command(flatten)]
    reading: ReadingOptions,
    /// Number of lines to skip at the beginning of the file
    #[arg(long, value_name = "N", default_value_t = 0, requires = "file", help_heading = None::<&str>)]
    skip: usize,
    /// Read the model once, keep it in the cache, and predict on this machine
    #[arg(long, help_heading = None::<&str>)]
    local: bool,
    /// Predict as with --local, and verify a proof of every storage word of the model
    #[arg(long, help_heading = None::<&str>)]
    verify: bool,
    /// Hash of the block after which the model is read [default: the latest block]
    #[arg(long, value_name = "HASH", value_parser = block_hash, help_heading = None::<&str>)]
    block_hash: Option<B256>,
    #[command(flatten)]
    model: ModelArg,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    coordinator: CoordinatorArg,
    /// Print one JSON object to stdout
    #[arg(long, help_heading = None::<&str>)]
    json: bool,
}

/// Maximum number of a model's storage words that are read for scores alone.
const MAX_WORDS: usize = 10_000;

#[derive(Serialize)]
struct Predicted {
    chain_id: u64,
    model: Address,
    block_hash: B256,
    by: &'static str,
    score_meaning: &'static str,
    predictions: Vec<Prediction>,
    misfits: Misfits,
    #[serde(flatten)]
    progress: Progress,
}

#[derive(Serialize)]
struct Prediction {
    label: u16,
    class: String,
    /// Score from 0 to 1; `None` if nothing speaks for any class, or the words were not read.
    score: Option<f64>,
    /// Number of the input's words, indices or columns that the model knows. If it is 0, the
    /// prediction is the model's prior.
    known: Option<usize>,
    /// Number of values outside the model's range, which were clipped to its bounds.
    clipped: usize,
}

/// Parses a block's hash.
fn block_hash(text: &str) -> Result<B256, String> {
    text.parse().map_err(|_| {
        format!("`{text}` is no hash of a block; expected 0x and 64 hexadecimal digits")
    })
}

/// Runs `cotrain predict`.
pub(crate) fn run(arguments: &Predict) -> Result<(), CommandError> {
    block_on(async {
        let session = arguments.connection.open().await?;
        let model = find(arguments, &session).await?;
        let place = Output::of(arguments)?;
        let (inputs, table) = inputs(arguments, &model)?;
        let misfits = Misfits::of(&inputs);
        misfits.warn(&session, &model);
        let samples: Vec<&[u8]> = inputs.iter().map(|it| it.sample.as_slice()).collect();
        let block = if let Some(hash) = arguments.block_hash {
            hash
        } else {
            let head = session.node.head().await?;
            tracing::info!(number = head.number, hash = %head.hash, "the latest block");
            head.hash
        };
        let (by, predicted, stopped) = if arguments.verify {
            let words = model.proved_words(&session, block).await?;
            session.narrator.say(format_args!(
                "{} storage words of the model are proved by block {block}{}",
                words.len(),
                match arguments.block_hash {
                    Some(_) => "",
                    None => ", which is the latest that the node tells of",
                }
            ));
            ("proved words", local(&model, &words, &samples)?, None)
        } else if arguments.local {
            let words = model.words(&session, block).await?;
            ("words", local(&model, &words, &samples)?, None)
        } else {
            let mut labels = Vec::with_capacity(samples.len());
            let asked = predict(&session.node, &model.facts, block, &samples, &mut labels);
            let stopped = asked.await.err().map(not_predicted);
            let predicted = scored(&session, &model, block, &samples, labels).await?;
            ("contract", predicted, stopped)
        };
        let (done, of) = (predicted.len() as u64, samples.len() as u64);
        let progress = match &stopped {
            // Nothing was predicted, so the error suffices.
            Some(_) if done == 0 => return stopped.map_or(Ok(()), Err),
            Some(failure) => {
                let next = arguments.skip + predicted.len();
                let next = match place {
                    Some(_) => "run the same again: no row is written".to_owned(),
                    None => format!("go on with --skip {next} --block-hash {block}"),
                };
                Progress::stopped(done, of, failure, next)
            }
            None => Progress::whole(of),
        };
        let meaning = Meaning::of(model.facts.parameters.kind());
        if let [(_, Some(score))] = predicted.as_slice() {
            session
                .narrator
                .say(format_args!("score {score:.3}: {}", meaning.describe()));
        }
        let predicted = Predicted {
            chain_id: session.node.chain_id(),
            model: model.facts.trainer,
            block_hash: block,
            by,
            score_meaning: meaning.name(),
            predictions: predicted
                .into_iter()
                .zip(&inputs)
                .map(|((label, score), input)| Prediction {
                    label,
                    class: model.class(label),
                    score,
                    known: input.known,
                    clipped: input.clipped,
                })
                .collect(),
            misfits,
            progress,
        };
        let is_written = place.is_some();
        if let (Some(place), Some(table)) = (place, &table)
            && stopped.is_none()
        {
            place.write(table, &predicted.predictions, &session)?;
        }
        if is_written && !arguments.json {
            return match stopped {
                Some(failure) => Err(predicted.progress.explain(failure, "inputs are predicted")),
                None => Ok(()),
            };
        }
        show(arguments.json, &predicted, || {
            let mut text = String::new();
            for one in &predicted.predictions {
                let _ = writeln!(text, "{}", escaped(&one.class));
            }
            text
        })?;
        match stopped {
            Some(failure) => Err(predicted.progress.explain(failure, "inputs are predicted")),
            None => Ok(()),
        }
    })
}

/// Finds the model, with the table that it reads the given texts by.
async fn find(arguments: &Predict, session: &Session) -> Result<LiveModel, CommandError> {
    let mut model = LiveModel::find(session, &arguments.model).await?;
    Target::new(session, Some(&model)).tell(session);
    if arguments.input.text.is_some() || arguments.file.is_some() || arguments.data.is_some() {
        let coordinator = arguments.coordinator.coordinator.as_ref();
        model.prepare_texts(session, coordinator).await?;
    }
    Ok(model)
}

/// Returns the inputs that the options give, without those to skip, and their table if it is to be
/// written with the predictions.
fn inputs(
    arguments: &Predict,
    model: &LiveModel,
) -> Result<(Vec<Encoded>, Option<Table>), CommandError> {
    let options = FileOptions {
        text_column: arguments.text_column.as_deref(),
        label_column: arguments.label_column.as_deref(),
        drop: &arguments.reading.drop,
        reading: arguments.reading.reading(),
    };
    if let Some(folder) = arguments.data.as_ref().filter(|it| it.is_dir()) {
        refuse_for_tables(&options)?;
        let (inputs, table) = input::pictures(model, folder)?;
        return Ok((inputs, Some(table)));
    }
    if let Some(path) = &arguments.data {
        let table = input::table(path, &options.reading)?;
        let inputs = input::rows(model, path, &table, &options)?;
        return Ok((inputs, Some(table)));
    }
    let Some(file) = &arguments.file else {
        refuse_for_tables(&options)?;
        let sample = arguments.input.sample(model)?.ok_or_else(|| {
            CommandError::Mistake(anyhow!(
                "there is nothing to predict; give --text, --row, --picture, --features, --sample, --file or --data"
            ))
        })?;
        return Ok((vec![sample], None));
    };
    let all = input::file(model, file, &options)?;
    let count = all.len();
    let some: Vec<_> = all.into_iter().skip(arguments.skip).collect();
    if some.is_empty() && count > 0 {
        return Err(CommandError::Mistake(anyhow!(
            "--skip {} leaves nothing of the {count} lines of {}",
            arguments.skip,
            file.display()
        )));
    }
    Ok((some, None))
}

/// Refuses options for tables if there is none.
fn refuse_for_tables(options: &FileOptions<'_>) -> Result<(), CommandError> {
    let given = [
        ("--text-column", options.text_column.is_some()),
        ("--label-column", options.label_column.is_some()),
        ("--drop", !options.drop.is_empty()),
    ];
    let given = given
        .iter()
        .find(|(_, given)| *given)
        .map(|(name, _)| *name);
    match given.or(options.reading.given()) {
        None => Ok(()),
        Some(option) => Err(CommandError::Mistake(anyhow!(
            "{option} is for tables; give one with --data or --file"
        ))),
    }
}

/// Place for the rows of a table with their predictions.
enum Output {
    Stdout,
    File(Staged),
}

impl Output {
    /// Returns the place that the options name; `None` without a table. It is checked before
    /// anything is predicted.
    fn of(arguments: &Predict) -> Result<Option<Self>, CommandError> {
        let is_stdout = |path: &PathBuf| path == Path::new(input::STDIN);
        match &arguments.out {
            _ if arguments.data.is_none() => Ok(None),
            Some(path) if is_stdout(path) && arguments.json => Err(CommandError::Mistake(anyhow!(
                "--out - and --json both write to stdout; leave one out, or name a file with --out"
            ))),
            None if arguments.json => Ok(None),
            None => Ok(Some(Self::Stdout)),
            Some(path) if is_stdout(path) => Ok(Some(Self::Stdout)),
            Some(path) if path.extension().is_none_or(|ending| ending != "csv") => {
                Err(CommandError::Mistake(anyhow!(
                    "cannot write {}: the predictions are CSV; give --out a name that ends in .csv, or -",
                    path.display()
                )))
            }
            Some(path) => Ok(Some(Self::File(Staged::begin(path, arguments.force)?))),
        }
    }

    /// Writes the rows with their predictions. A file is there whole or not at all.
    fn write(
        self,
        table: &Table,
        predictions: &[Prediction],
        session: &Session,
    ) -> Result<(), CommandError> {
        let text = written(table, predictions)?;
        match self {
            // A terminal must not obey a stranger's text; a file or a program gets it unchanged.
            Self::Stdout if io::stdout().is_terminal() => output::print(&text),
            Self::Stdout => output::print_raw(&text),
            Self::File(staged) => {
                let path = staged.path().to_owned();
                staged.write_whole(text.as_bytes())?;
                session.narrator.say(format_args!(
                    "wrote {} with their predictions to {}",
                    counted(predictions.len() as u64, "row"),
                    path.display()
                ));
                Ok(())
            }
        }
    }
}

/// Column of the output that a prediction gives, with its name.
type Added = (&'static str, fn(&Prediction) -> String);

/// Columns that follow those of the input.
const ADDED: [Added; 4] = [
    // The class's name is that of a stranger.
    ("class", |it| guarded(&it.class).0),
    ("score", |it| {
        let score = it.score.map(|score| format!("{score:.4}"));
        score.unwrap_or_default()
    }),
    ("known", |it| {
        it.known.map(|known| known.to_string()).unwrap_or_default()
    }),
    ("clipped", |it| it.clipped.to_string()),
];

/// Returns a table with its predictions as CSV.
fn written(table: &Table, predictions: &[Prediction]) -> Result<String, CommandError> {
    let mut names = table.names().to_vec();
    for (name, _) in ADDED {
        let own = if names.iter().any(|taken| taken == name) {
            format!("predicted_{name}")
        } else {
            name.to_owned()
        };
        if names.contains(&own) {
            return Err(CommandError::Mistake(anyhow!(
                "the table has a column `{own}` already, which is to have the predictions; rename it"
            )));
        }
        names.push(own);
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| CommandError::Fault(anyhow!(error));
    writer.write_record(&names).map_err(failed)?;
    for (row, prediction) in predictions.iter().enumerate() {
        for column in 0..table.names().len() {
            writer
                .write_field(table.field(row, column))
                .map_err(failed)?;
        }
        for (_, value) in ADDED {
            writer.write_field(value(prediction)).map_err(failed)?;
        }
        // A record of no further fields ends the row.
        writer.write_record(None::<&[u8]>).map_err(failed)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| anyhow!(error.to_string()))?;
    Ok(String::from_utf8(bytes).context("a field is not UTF-8")?)
}

/// Predicts with the reference model in this process. Each label has its score.
fn local(
    model: &LiveModel,
    words: &[U256],
    samples: &[&[u8]],
) -> Result<Vec<(u16, Option<f64>)>, CommandError> {
    let reference = model.reference(words)?;
    let predict = |sample: &&[u8]| score::predict(&reference, sample);
    let predicted: Result<_, _> = samples.iter().map(predict).collect();
    predicted.map_err(CommandError::mistake)
}

/// Adds scores to the contract's predictions for the first samples.
///
/// There are none if the model is large or its words cannot be read; the predictions stay.
async fn scored(
    session: &Session,
    model: &LiveModel,
    block: B256,
    samples: &[&[u8]],
    labels: Vec<u16>,
) -> Result<Vec<(u16, Option<f64>)>, CommandError> {
    let without = |labels: Vec<u16>| labels.into_iter().map(|label| (label, None)).collect();
    if labels.is_empty() || model.facts.parameters.word_count() > MAX_WORDS {
        return Ok(without(labels));
    }
    let words = match model.words(session, block).await {
        Ok(words) => words,
        Err(failure) => {
            session
                .narrator
                .say(format_args!("there are no scores: {}", failure.message()));
            return Ok(without(labels));
        }
    };
    let own = local(model, &words, &samples[..labels.len()])?;
    let differs = own
        .iter()
        .zip(&labels)
        .position(|((own, _), label)| own != label);
    match differs {
        None => Ok(own),
        Some(index) => Err(CommandError::Fault(anyhow!(
            "the node contradicts itself: by its contract, input {} is `{}`, by its storage words `{}`; use \
             another node",
            index + 1,
            escaped(&model.class(labels[index])),
            escaped(&model.class(own[index].0)),
        ))),
    }
}

/// Returns the failure for samples that a contract did not predict, and decides whether the user
/// made a mistake.
pub(crate) fn not_predicted(error: PredictError) -> CommandError {
    match error {
        PredictError::Refused(rejection) => CommandError::mistake(rejection),
        PredictError::Node(error) => error.into(),
        PredictError::Answer(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use cotrain_learning::data::Reading;

    use super::*;

    fn table(text: &str) -> Table {
        let bytes = text.as_bytes().to_vec();
        Table::of_bytes(Path::new("-"), bytes, &Reading::default()).expect("a table")
    }

    fn prediction(class: &str, score: Option<f64>, known: Option<usize>) -> Prediction {
        Prediction {
            label: 0,
            class: class.to_owned(),
            score,
            known,
            clipped: 1,
        }
    }

    #[test]
    fn written_adds_predictions_to_the_columns_of_a_table() {
        let one = table("a;\"b,c\"\n1;\"x;\"\"y\"\n\"2\n\";z\n");
        let predictions = [
            prediction("it,s", Some(0.75), Some(3)),
            prediction("no", None, None),
        ];
        assert_eq!(
            written(&one, &predictions).expect("CSV"),
            "a,\"b,c\",class,score,known,clipped\n1,\"x;\"\"y\",\"it,s\",0.7500,3,1\n2,z,no,,,1\n"
        );
        let taken = table("class,known\nred,1\n");
        assert_eq!(
            written(&taken, &predictions[1..]).expect("CSV"),
            "class,known,predicted_class,score,predicted_known,clipped\nred,1,no,,,1\n"
        );
        let both = table("class,predicted_class\nred,1\n");
        let refused = written(&both, &predictions[1..])
            .expect_err("taken")
            .message();
        assert!(
            refused.contains("has a column `predicted_class` already"),
            "{refused}"
        );
    }
}
