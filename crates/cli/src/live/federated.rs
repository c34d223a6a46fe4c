//! `cotrain federated`: rounds of federated training, from their founding to the rewards.

mod claim;
mod create;
mod join;
mod leave;
mod run;
mod status;
mod submit;
mod train;
mod view;

use clap::{Args, Subcommand};

use crate::error::CommandError;

const EXAMPLES: &str = "\
Examples:
  cotrain federated create digits --data digits --clients 3 --rule mean --f 0 --dev 0
                                                   a model of zeros, and a hidden test set
  cotrain federated join --mint --dev 1            the stake of a client
  cotrain federated train --data digits --skip 0 --limit 400 --out mine.json
                                                   an update from data that stay here
  cotrain federated submit mine.json --dev 1       commits, waits, and reveals
  cotrain federated run --dev 0                    draws, scores, aggregates and settles
  cotrain federated status --dev 1                 round, model, stakes and rewards
  cotrain federated claim --dev 1                  mints the rewards

Clients train on data of their own and stake tokens on the result. A hidden part of the owner's test set
decides what each update is worth, and a rule joins the updates to a new version of the model.";

/// Run or join rounds of federated training: clients are paid for updates that help
///
/// The owner commits to a hidden test set and locks a bond. In each round, clients commit to updates
/// and reveal them. A block's hash draws a part of the test set, and the contract scores each update
/// by what the others lose without it. Useful updates earn tokens, and harmful ones lose a part of
/// their stake.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct FederatedCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Create(Box<create::Create>),
    Status(status::Status),
    Join(join::Join),
    Train(Box<train::Train>),
    Submit(submit::Submit),
    Run(run::Run),
    Claim(claim::Claim),
    Leave(leave::Leave),
}

/// Runs a command about federated rounds.
pub(crate) fn run(arguments: &FederatedCommand) -> Result<(), CommandError> {
    match &arguments.action {
        Action::Create(arguments) => create::run(arguments),
        Action::Status(arguments) => status::run(arguments),
        Action::Join(arguments) => join::run(arguments),
        Action::Train(arguments) => train::run(arguments),
        Action::Submit(arguments) => submit::run(arguments),
        Action::Run(arguments) => run::run(arguments),
        Action::Claim(arguments) => claim::run(arguments),
        Action::Leave(arguments) => leave::run(arguments),
    }
}
