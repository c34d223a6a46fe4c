//! The arguments of `cotrain sweep`.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, Subcommand};
use cotrain_simulator::{scenario::settings::Axis, sweep::Seeds};

use super::shard::Shard;
use crate::scenarios::ScenarioParser;

const EXAMPLES: &str = "\
Files in the folder:
  sweep.json                    the plan of the sweep; finished runs are in journal/
  runs.csv, runs.parquet        one row per run
  series.csv, series.parquet    accuracy and balances over time, one row per run and evaluation
  report.html                   charts and breaking points, to open in a browser
  summary.json                  the figures of the page, for programs

Settings are named by their keys in the scenario's file, joined by dots. The key of an agent is its
name, as in agents.Bad.start_balance. Values are written as in TOML; a text needs quotes only if it
contains a comma.

Examples:
  cotrain sweep --seeds 1..200
  cotrain sweep movie-reviews --set agents.Bad.start_balance=1000,10000,100000
  cotrain sweep --set 'incentive.refund_wait=12 hours,1 day' --set data.features=500,1000
  cotrain sweep --seeds 1..1000 --shard 3/8 --out part-3     one of eight machines
  cotrain sweep merge all part-1 part-2 part-3               their parts, joined
  cotrain sweep page all                                     the page again

After an interruption, or a kill, the same command goes on and repeats no finished run. With further
seeds, such as 1..4 after 1..3, it adds the missing runs. The same plan gives the same tables, byte
for byte, for any --jobs, parts and interruptions.

Exit status: 0 success, 2 a mistake in arguments, scenario or data, 1 anything else.";

/// Simulate a scenario with many seeds and settings, and find where its mechanism breaks
///
/// Every combination of the values of all `--set` options is run with every seed. Each run has a
/// thread of its own. Tables of all runs and a page with medians, 90 % bands and breaking points go
/// into a folder; a summary goes to stdout.
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
    #[command(alias = "report")]
    Page(Page),
}

#[derive(Debug, Args)]
pub(super) struct Run {
    /// Name of a scenario (see `cotrain scenarios`) or path of a .toml file
    #[arg(
        default_value = "movie-reviews",
        value_parser = ScenarioParser { federated: false },
        hide_possible_values = true
    )]
    pub(super) scenario: String,
    /// Seeds: a number, a range with both ends included, or several of them separated by commas,
    /// such as 1..50,77
    #[arg(long, value_name = "SEEDS", default_value = "1..20")]
    pub(super) seeds: Seeds,
    /// Values that a setting of the scenario takes in turn; may be given several times
    #[arg(long, value_name = "PATH=VALUE,VALUE,…")]
    pub(super) set: Vec<Axis>,
    /// Maximum number of runs at the same time [default: number of cores]
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<NonZeroUsize>,
    /// Do one part of N: every N-th run, beginning with the I-th
    #[arg(long, value_name = "I/N")]
    pub(super) shard: Option<Shard>,
    /// Folder for the sweep [default: sweeps/SCENARIO]
    ///
    /// An interrupted sweep in this folder goes on. A folder that contains anything else is an
    /// error and stays unchanged. Parts may share a folder.
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Folder of the scenario's data files [default: the one that the scenario names]
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// Relay N signed contributions in one transaction, like `cotrain simulate --relay`
    #[arg(long, value_name = "N")]
    pub(super) relay: Option<NonZeroUsize>,
    /// Print one JSON object to stdout instead of the readable summary
    #[arg(long)]
    pub(super) json: bool,
    /// Write nothing but errors to stderr
    #[arg(long)]
    pub(super) quiet: bool,
}

/// Join the parts of a sweep, and write tables and page once all runs are there
///
/// If runs are missing, their numbers are printed and the exit status is 1. Merge again after more
/// parts are done: this adds the new runs.
#[derive(Debug, Args)]
pub(super) struct Merge {
    /// Folder to join the parts in; it may be one of the parts
    #[arg(value_name = "OUT")]
    pub(super) out: PathBuf,
    /// Folders of the parts; leave them out if all parts share OUT
    #[arg(value_name = "PART")]
    pub(super) parts: Vec<PathBuf>,
    /// Print one JSON object to stdout instead of the readable summary
    #[arg(long)]
    pub(super) json: bool,
}

/// Write the tables and the page of a sweep again, from the runs that are done so far
#[derive(Debug, Args)]
pub(super) struct Page {
    /// Folder of the sweep
    #[arg(value_name = "DIR")]
    pub(super) folder: PathBuf,
    /// Print one JSON object to stdout instead of the readable summary
    #[arg(long)]
    pub(super) json: bool,
}
