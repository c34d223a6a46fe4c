//! `cotrain market`: prediction markets, from their creation to the last payment.

mod collect;
mod create;
mod reveal;
mod score;
mod show;
mod view;

use clap::{Args, Subcommand};

use super::contribute::Contribute;
use crate::error::CommandError;

const EXAMPLES: &str = "\
Examples:
  cotrain market create --bounty 1ether --stake 0.01ether --open-for 2days --dev 0
                                                   commits to a hidden test set, and opens
  cotrain market contribute --text dull --label negative --dev 1
                                                   a bet that this improves the model
  cotrain market show                              phase, participants and next step
  cotrain market reveal --dev 0                    the provider shows the test set
  cotrain market score --dev 2                     anyone has the contributions scored
  cotrain market collect --dev 1                   stakes and winnings

Participants who improve the model on the hidden test set are paid from the bounty; those who make it
worse pay from their stakes. A provider who does not reveal in time loses the bounty, which is burned,
and participants get their stakes back.";

/// Run or join a market: a bounty for data that improves a model on a hidden test set
///
/// This is a prediction market after Abernethy and Frongillo (2011). The provider commits to a test
/// set and locks a bounty. Anyone contributes with a stake while the market is open. Then the
/// provider reveals the test set, anyone has the contributions scored, and all collect their money.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct MarketCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Create(Box<create::Create>),
    Show(show::Show),
    Contribute(Box<Contribute>),
    Reveal(reveal::Reveal),
    Score(score::Score),
    Collect(collect::Collect),
}

/// Runs a command about a market.
pub(crate) fn run(arguments: &MarketCommand) -> Result<(), CommandError> {
    match &arguments.action {
        Action::Create(arguments) => create::run(arguments),
        Action::Show(arguments) => show::run(arguments),
        Action::Contribute(arguments) => super::contribute::run(arguments),
        Action::Reveal(arguments) => reveal::run(arguments),
        Action::Score(arguments) => score::run(arguments),
        Action::Collect(arguments) => collect::run(arguments),
    }
}
