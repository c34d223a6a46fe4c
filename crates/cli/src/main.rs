//! Command line of cotrain.
//!
//! stdout has the result, and stderr everything else.

mod args;
mod backend;
mod error;
mod label;
mod live;
mod output;
mod parse;
mod recording;
mod replay;
mod scenarios;
mod simulate;
mod stop;
mod sweep;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use args::Command;

fn main() -> ExitCode {
    let outcome = match parse::parse().command {
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Sweep(arguments) => sweep::run(&arguments),
        Command::Scenarios(arguments) => scenarios::run(&arguments),
        Command::Label(arguments) => label::run(&arguments),
        Command::Key(arguments) => live::key::run(&arguments),
        Command::Deploy(arguments) => live::deploy::run(&arguments),
        Command::Models(arguments) => live::models::run(&arguments),
        Command::Predict(arguments) => live::predict::run(&arguments),
        Command::Evaluate(arguments) => live::evaluate::run(&arguments),
        Command::Contribute(arguments) => live::contribute::run(&arguments),
        Command::Data(arguments) => live::contributed::run(&arguments),
        Command::Deposit(arguments) => live::money::deposit(&arguments),
        Command::Withdraw(arguments) => live::money::withdraw(&arguments),
        Command::Refund(arguments) => live::claims::refund(&arguments),
        Command::Encoder(arguments) => live::encoder::run(&arguments),
        Command::Market(arguments) => live::market::run(&arguments),
        Command::Federated(arguments) => live::federated::run(&arguments),
        Command::Report(arguments) => live::claims::report(&arguments),
        Command::ClaimLate(arguments) => live::claims::claim_late(&arguments),
        Command::Delegate(arguments) => live::delegate::run(&arguments),
        Command::Submission(arguments) => live::submission::run(&arguments),
        Command::Status(arguments) => live::status::run(&arguments),
        Command::Watch(arguments) => live::watch::run(&arguments),
        Command::Serve(arguments) => live::serve::run(&arguments),
        Command::Config(arguments) => live::serve::config(&arguments),
        Command::Up(arguments) => live::up::run(&arguments),
        Command::Clean(arguments) => live::clean::run(&arguments),
        Command::Completions(arguments) => live::shell::completions(&arguments, parse::command()),
        Command::Man(arguments) => live::shell::man(&arguments, parse::command()),
    };
    let Err(failure) = outcome else {
        return ExitCode::SUCCESS;
    };
    // If stderr is closed too, only the exit status reports the failure.
    let _ = writeln!(io::stderr(), "error: {}", failure.message());
    failure.exit_code()
}
