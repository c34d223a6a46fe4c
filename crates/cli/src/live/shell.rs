//! `cotrain completions` and `cotrain man`.

use std::{fs, path::PathBuf};

use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::{args::Cli, failure::Failure, output};

const EXAMPLES: &str = "\
Examples:
  cotrain completions bash > ~/.local/share/bash-completion/completions/cotrain
  cotrain completions zsh > ~/.zfunc/_cotrain
  cotrain completions fish > ~/.config/fish/completions/cotrain.fish";

/// Print what a shell needs to complete commands
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

/// Write the manual pages into a directory
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cotrain man ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// The directory, which is made where there is none
    directory: PathBuf,
}

/// Prints completions.
pub(crate) fn completions(arguments: &Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "cotrain", &mut script);
    output::print(&String::from_utf8(script)?)
}

/// Writes manual pages.
pub(crate) fn man(arguments: &Man) -> Result<(), Failure> {
    let directory = &arguments.directory;
    fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), directory))
        .with_context(|| format!("cannot write manual pages to {}", directory.display()))
        .map_err(Failure::Mistake)
}
