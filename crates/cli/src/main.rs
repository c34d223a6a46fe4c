//! The command line of cotrain.
//!
//! stdout is the result, stderr is everything else. Only this crate knows JSON, terminals and
//! HTML.

mod args;
mod backend;
mod chart;
mod failure;
#[cfg(test)]
mod fixture;
mod output;
mod people;
mod report;
mod results;
mod scenarios;
mod simulate;
mod summary;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;

use args::{Cli, Command};

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Scenarios(arguments) => scenarios::run(&arguments),
    };
    let Err(failure) = outcome else {
        return ExitCode::SUCCESS;
    };
    // Where stderr is closed too, the exit status has to say it all.
    let _ = writeln!(io::stderr(), "error: {:#}", failure.error());
    failure.exit_code()
}
