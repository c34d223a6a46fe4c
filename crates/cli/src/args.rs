//! The arguments of the command line.

use clap::{Parser, Subcommand};

use crate::{label, live, replay, scenarios, simulate, sweep};

const EXAMPLES: &str = "\
Examples:
  cotrain simulate                                    an economy of contributors, in this process
  cotrain sweep --seeds 1..200                        many economies, and the breaking points
  cotrain label                                       the labels that active learning saves
  cotrain up                                          a chain with a model, to try the rest
  cotrain predict --text 'a warm and funny film'      ask the model
  cotrain contribute --text dull --label negative --dev 1
                                                      teach it, with a deposit
  cotrain status --dev 1                              possible claims and their times
  cotrain deploy --help                               a model of your own, on any chain";

/// Train machine-learning models on an EVM chain, with money at stake.
///
/// Anyone trains a model by sending data to its contract. Each contribution stakes money, and bad
/// data loses it. Under the mechanism `deposit-refund-take`, authors get their deposits back if the
/// model later agrees with their data. They can then take shares of the deposits of others.
///
/// `cotrain simulate` runs whole economies of honest and hostile contributors. It sends real
/// transactions to the contracts in an EVM inside this process, and needs no chain, node or money.
/// The other commands are for a chain: host a model, ask it, teach it, and claim what is yours.
#[derive(Debug, Parser)]
#[command(name = "cotrain", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Simulate(simulate::Simulate),
    Sweep(Box<sweep::Sweep>),
    Replay(replay::Replay),
    Scenarios(scenarios::Scenarios),
    Label(Box<label::Label>),
    Up(Box<live::up::Up>),
    Deploy(Box<live::deploy::Deploy>),
    Models(live::models::Models),
    Predict(live::predict::Predict),
    Evaluate(live::evaluate::Evaluate),
    Contribute(Box<live::contribute::Contribute>),
    Data(live::contributed::DataCommand),
    Encoder(live::encoder::EncoderCommand),
    Market(live::market::MarketCommand),
    Federated(live::federated::FederatedCommand),
    Deposit(live::money::Deposit),
    Withdraw(live::money::Withdraw),
    Refund(live::claims::Refund),
    Report(live::claims::Report),
    ClaimLate(live::claims::ClaimLate),
    Delegate(live::delegate::Delegate),
    Submission(live::submission::SubmissionCommand),
    Status(live::status::Status),
    Watch(live::watch::Watch),
    Serve(live::serve::Serve),
    Config(live::serve::ConfigCommand),
    Key(live::key::KeyCommand),
    Clean(live::clean::Clean),
    Completions(live::shell::Completions),
    Man(live::shell::Man),
}
