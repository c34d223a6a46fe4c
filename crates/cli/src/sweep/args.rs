//! The arguments of `cotrain sweep`.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, Subcommand};
use cotrain_simulator::{scenario::settings::Axis, sweep::Seeds};

use super::shard::Shard;
use crate::scenarios::ScenarioParser;

const EXAMPLES: &str = "\
What it writes into the folder:
  sweep.json                    what the sweep is; runs that are done are kept in journal/
  runs.csv, runs.parquet        a row a run
  series.csv, series.parquet    accuracy and balances over time, a row a run and evaluation
  report.html                   charts, and where the mechanism breaks, to open in a browser
  summary.json                  the figures of the page, for programs

Settings are named by their keys in the scenario's file, joined by dots, those of an agent by its
name. Values are those of TOML; a text needs quotes only where there is a comma in it.

Examples:
  cotrain sweep --seeds 1..200
  cotrain sweep movie-reviews --set agents.Bad.start_balance=1000,10000,100000
  cotrain sweep --set 'incentive.refund_wait=12 hours,1 day' --set data.features=500,1000
  cotrain sweep --seeds 1..1000 --shard 3/8 --out part-3     one of eight machines
  cotrain sweep merge all part-1 part-2 part-3               their parts, joined
  cotrain sweep report all                                   the page again

A sweep that was interrupted, even killed, goes on with the same command: runs that are done are not
done again. With further seeds, such as 1..4 after 1..3, the missing runs are added. The same plan
gives the same tables, byte for byte, whatever --jobs, parts and interruptions.

Exit status: 0 success, 2 a mistake in arguments, scenario or data, 1 anything else.";

/// Simulate a scenario with many seeds and settings, and find where it breaks
///
/// Every value of every `--set` with every other and with every seed is a run, alone on its thread.
/// Tables of all runs and a page with medians, 90 % bands and breaking points go into a folder, a
/// summary to stdout.
#[derive(Debug, Args)]
#[command(
    after_long_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    subcommand_help_heading = "Other tasks",
    disable_help_subcommand = true
)]
pub(crate) struct Sweep {
    #[command(subcommand)]
    pub(super) task: Option<Task>,
    #[command(flatten)]
    pub(super) run: Run,
}

#[derive(Debug, Subcommand)]
pub(super) enum Task {
    Merge(Merge),
    Report(Report),
}

#[derive(Debug, Args)]
pub(super) struct Run {
    /// The name of a scenario (see `cotrain scenarios`) or the path of a .toml file
    #[arg(
        default_value = "movie-reviews",
        value_parser = ScenarioParser,
        hide_possible_values = true
    )]
    pub(super) scenario: String,
    /// The seeds: a number, a range (both ends included), or several with commas: 1..50,77
    #[arg(long, value_name = "SEEDS", default_value = "1..20")]
    pub(super) seeds: Seeds,
    /// Let a setting of the scenario take these values in turn; may be given several times
    #[arg(long, value_name = "PATH=VALUE,VALUE,…")]
    pub(super) set: Vec<Axis>,
    /// Runs at once [default: one a core]
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<NonZeroUsize>,
    /// Do one part of several: every N-th run, beginning with the I-th
    #[arg(long, value_name = "I/N")]
    pub(super) shard: Option<Shard>,
    /// Where to put the sweep [default: sweeps/SCENARIO]
    ///
    /// One that was begun there goes on; a folder with anything else in it is left alone, which is
    /// an error. Parts may share a folder.
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Where the scenario's data files are [default: where the scenario says]
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// Relay N signed contributions in one transaction, as `cotrain simulate --relay`
    #[arg(long, value_name = "N")]
    pub(super) relay: Option<NonZeroUsize>,
    /// Print one JSON object to stdout instead of the summary for people
    #[arg(long)]
    pub(super) json: bool,
    /// Write nothing to stderr but an error
    #[arg(long)]
    pub(super) quiet: bool,
}

/// Join parts of a sweep, and write tables and page once all runs are there
///
/// Runs that are missing are named, and the exit status is 1. Merging again, after more parts are
/// done, adds what is new.
#[derive(Debug, Args)]
pub(super) struct Merge {
    /// The folder to join them in; it may be one of the parts
    #[arg(value_name = "OUT")]
    pub(super) out: PathBuf,
    /// The folders of the parts; none where they share OUT
    #[arg(value_name = "PART")]
    pub(super) parts: Vec<PathBuf>,
    /// Print one JSON object to stdout instead of the summary for people
    #[arg(long)]
    pub(super) json: bool,
}

/// Write tables and page of a sweep again, of what is done so far
#[derive(Debug, Args)]
pub(super) struct Report {
    /// The folder of the sweep
    #[arg(value_name = "DIR")]
    pub(super) folder: PathBuf,
    /// Print one JSON object to stdout instead of the summary for people
    #[arg(long)]
    pub(super) json: bool,
}
