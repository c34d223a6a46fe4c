//! `cotrain data export`: the contributions of a model as a file.

use alloy_primitives::Address;
use anyhow::anyhow;
use clap::Args;
use cotrain_client::decode::Decoder;
use cotrain_results::format::counted;
use serde::Serialize;

use super::{
    super::{block_on, show},
    destination::{Destination, OutputFile},
    layout::{Marks, Row},
    source::Selection,
    table::Table,
};
use crate::{error::CommandError, output::Narrator};

const EXAMPLES: &str = "\
Examples:
  cotrain data export --out films.csv              all contributions to the model used last
  cotrain data export --model films --only refunded,open --out films.parquet
  cotrain data export --bare --out train.csv       class and sample alone: `cotrain evaluate --data
                                                   train.csv --text-column text` reads it
  cotrain data export --out - | head               CSV on stdout
  cotrain data export --run runs/movie-reviews-1 --out run.csv.gz

A contract stores what the encoder of the model's card kept. A text comes back as the words that the
model knows, in the order of its features. Hashed words come back as the numbers of their features,
from 1, and word vectors as columns from dimension_1 on: the text itself is gone. A number comes back
as the shortest one that is encoded to the same integer. Encoded again, every sample has the same bytes, unless its author did not use the
card's encoder; these are counted. Without a card, a sample is its bytes.

The columns are: position, time (Unix seconds) and utc, block, author, deposit_wei, settled (open,
reported, refunded, taken-by-reports or claimed-late), paid_wei and claimed_by (sum and accounts of
all claims), label_number and label (the class), then the sample. A column whose name a feature has
too begins with cotrain_. In libsvm, a label is the class if all classes are integers, else its
number; a feature is its index, or its number from 1; a comment has position, time, author,
deposit_wei, settled and paid_wei.

In CSV, a name that a spreadsheet would compute, as it begins with =, +, - or @, has a ' before it.";

/// Write all contributions to a model into a file, with what became of them
///
/// The file appears when it is complete. Memory does not grow with the number of contributions.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Export {
    #[command(flatten)]
    to: Destination,
    #[command(flatten)]
    selection: Selection,
    /// Print one JSON object to stdout
    #[arg(long, help_heading = None::<&str>)]
    json: bool,
}

#[derive(Serialize)]
struct Exported {
    chain_id: Option<u64>,
    model: Option<Address>,
    /// Last block that was read.
    block: Option<u64>,
    file: String,
    contributions: u64,
    /// Number of contributions that the card's encoder did not make.
    inexact: u64,
}

/// Runs `cotrain data export`.
pub(crate) fn run(arguments: &Export) -> Result<(), CommandError> {
    no_json_on_stdout(&arguments.to.out, arguments.json)?;
    block_on(async {
        let mut source = arguments.selection.open().await?;
        let mut table = arguments.to.begin(&source, Marks::None)?;
        let encoder = source.encoder.clone();
        let decoder = Decoder::new(source.encoding, encoder.as_ref());
        loop {
            let mut some = source.next().await?;
            if some.is_empty() {
                break;
            }
            some.retain(|it| arguments.to.takes(it.settled()));
            let rows = some.into_iter().map(|contributed| Row {
                contributed,
                judged: None,
            });
            table.write(&decoder, &rows.collect::<Vec<_>>())?;
        }
        table.finish(&decoder)?;
        let (chain_id, model, block) = source.origin.facts();
        let exported = Exported {
            chain_id,
            model,
            block,
            file: arguments.to.out.shown(),
            contributions: table.rows,
            inexact: table.inexact,
        };
        warn(&source.narrator, &table);
        if arguments.to.out.is_stdout() {
            return Ok(());
        }
        show(arguments.json, &exported, || {
            format!(
                "wrote {}: {}\n",
                exported.file,
                counted(exported.contributions, "contribution")
            )
        })
    })
}

/// Checks that stdout is not asked for a table and for JSON.
pub(super) fn no_json_on_stdout(out: &OutputFile, json: bool) -> Result<(), CommandError> {
    if out.is_stdout() && json {
        return Err(CommandError::Mistake(anyhow!(
            "cannot print JSON beside the table: --out - writes it to stdout too; name a file, or leave --json out"
        )));
    }
    Ok(())
}

/// Tells on stderr what a reader of the table should know.
pub(super) fn warn(narrator: &Narrator, table: &Table) {
    if table.inexact > 0 {
        narrator.say(format_args!(
            "{} of {} samples are not what the card's encoder makes of the written ones: their authors used another one",
            table.inexact, table.rows
        ));
    }
    if table.guarded > 0 {
        narrator.say(format_args!(
            "a ' is before {} that a spreadsheet would compute; .parquet has the texts unchanged",
            counted(table.guarded, "field")
        ));
    }
}
