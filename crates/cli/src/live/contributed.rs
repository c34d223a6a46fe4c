//! `cotrain data`: the contributions of others, as data for anyone.

pub(crate) mod clean;
pub(crate) mod destination;
pub(crate) mod export;
pub(crate) mod judged;
pub(crate) mod layout;
pub(crate) mod source;
pub(crate) mod table;

use clap::{Args, Subcommand};

use crate::error::CommandError;

const EXAMPLES: &str = "\
Examples:
  cotrain data export --out films.csv                     all contributions, with what became of them
  cotrain data export --only refunded --bare --out train.csv
                                                          class and sample alone, to train on
  cotrain data clean --out marked.csv                     marks likely lies
  cotrain deploy --from films --from-clean --name anew    a new model without them

All contributions are public: a node has every sample that was ever added.";

/// Export what others contributed, and mark likely lies
///
/// Reads the contributions from the chain, with author, time, deposit and what became of it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DataCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Export(Box<export::Export>),
    Clean(Box<clean::Clean>),
}

/// Runs a command about contributed data.
pub(crate) fn run(arguments: &DataCommand) -> Result<(), CommandError> {
    match &arguments.action {
        Action::Export(arguments) => export::run(arguments),
        Action::Clean(arguments) => clean::run(arguments),
    }
}
