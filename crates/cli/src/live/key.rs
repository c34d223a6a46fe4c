//! The key that signs, and `cotrain key`.

use std::{
    env, fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use alloy_primitives::Address;
use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
pub(crate) use cotrain_chain::keys::DEVELOPMENT_CHAIN;
use cotrain_chain::keys::{self, Key};
use serde::Serialize;

use super::{context, show};
use crate::{error::CommandError, output::Narrator};

/// Environment variable that contains the key itself, for programs.
const VARIABLE: &str = "COTRAIN_KEY";
const DEVELOPMENT_ACCOUNTS: i64 = 10;

/// Key that signs. No argument takes a key itself: everyone on the machine can see arguments.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Key")]
pub(crate) struct KeyArgs {
    /// Encrypted key file of the account [default: the key in the variable `COTRAIN_KEY`]
    #[arg(long, value_name = "FILE")]
    pub(crate) keystore: Option<PathBuf>,
    /// File whose first line is the password of the key file; without it, you are asked
    #[arg(long, value_name = "FILE", requires = "keystore")]
    pub(crate) password_file: Option<PathBuf>,
    /// Account N of a development chain, 0 to 9, only on chain 31337: everybody knows its key
    #[arg(
        long,
        value_name = "N",
        conflicts_with = "keystore",
        value_parser = clap::value_parser!(u32).range(..DEVELOPMENT_ACCOUNTS)
    )]
    pub(crate) dev: Option<u32>,
}

impl KeyArgs {
    /// Returns the key, for use on this chain.
    pub(crate) fn key(&self, chain_id: u64) -> Result<Key, CommandError> {
        self.optional(chain_id)?.ok_or_else(|| {
            CommandError::Mistake(anyhow!(
                "no key is given; name a key file with --keystore (`cotrain key new` makes one), set \
                 {VARIABLE}, or on a development chain use --dev 1"
            ))
        })
    }

    /// Returns the key; `None` if the options and variables name none.
    pub(crate) fn optional(&self, chain_id: u64) -> Result<Option<Key>, CommandError> {
        let key = self.named(chain_id)?;
        match key {
            Some(key) if key.is_exposed_on(chain_id) => Err(CommandError::Mistake(anyhow!(
                "the key is one of anvil's and hardhat's accounts, which everybody knows, and this \
                     node's chain id is {chain_id}, not {DEVELOPMENT_CHAIN}: others would take what you send \
                     there; make one with `cotrain key new`"
            ))),
            key => Ok(key),
        }
    }

    fn named(&self, chain_id: u64) -> Result<Option<Key>, CommandError> {
        if let Some(index) = self.dev {
            let key = Key::development(index);
            if key.is_exposed_on(chain_id) {
                return Err(CommandError::Mistake(anyhow!(
                    "--dev is for development chains, whose id is {DEVELOPMENT_CHAIN}, and this node's is \
                     {chain_id}: everybody knows these keys, and would take what you send there; use \
                     --keystore"
                )));
            }
            return Ok(Some(key));
        }
        if let Some(path) = &self.keystore {
            let password = password(self.password_file.as_deref(), false)?;
            return Ok(Some(
                Key::from_keystore(path, &password).map_err(CommandError::mistake)?,
            ));
        }
        let Some(secret) = env::var_os(VARIABLE) else {
            return Ok(None);
        };
        let secret = secret.to_string_lossy();
        if secret.trim().is_empty() {
            return Err(CommandError::Mistake(anyhow!(
                "the variable {VARIABLE} is empty; set it to a key, or unset it"
            )));
        }
        let key = Key::from_hex(&secret).with_context(|| format!("the variable {VARIABLE}"));
        Ok(Some(key.map_err(CommandError::Mistake)?))
    }
}

/// Reads a password from the first line of a file or from the terminal, which asks twice for a
/// `new` one.
fn password(file: Option<&Path>, new: bool) -> Result<String, CommandError> {
    if let Some(path) = file {
        return keys::password_file(path).map_err(CommandError::mistake);
    }
    if !io::stdin().is_terminal() {
        return Err(CommandError::Mistake(anyhow!(
            "the key file has a password, and there is no terminal to ask for it; name a file that has it \
             with --password-file"
        )));
    }
    let typed = rpassword::prompt_password("Password of the key file: ")?;
    keys::check_password(&typed, "the terminal").map_err(CommandError::mistake)?;
    if new && rpassword::prompt_password("The same again: ")? != typed {
        return Err(CommandError::Mistake(anyhow!(
            "the two passwords differ; try again"
        )));
    }
    Ok(typed)
}

const EXAMPLES: &str = "\
Examples:
  cotrain key new                                  asks for a password, prints address and file
  cotrain key new --password-file secret.txt       for a program
  cotrain key address --keystore key.json          the address of the key
  cotrain deposit 0.1ether --keystore key.json     use it";

/// Make a key, or show the address of one
///
/// A key is kept in a file that a password encrypts (JSON, Web3 Secret Storage, as in other
/// wallets). Anyone with the file and the password controls the money. Keep both safe, with a copy.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct KeyCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a new random key in an encrypted file, and never overwrite one
    New(New),
    /// Print the address of a key's account
    Address(Show),
}

#[derive(Debug, Args)]
struct New {
    /// Directory for the file [default: `keys` in the state directory]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// File whose first line is the password; without it, you are asked
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Print one JSON object to stdout
    #[arg(long, help_heading = None::<&str>)]
    json: bool,
}

#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    key: KeyArgs,
    /// Print one JSON object to stdout
    #[arg(long, help_heading = None::<&str>)]
    json: bool,
}

#[derive(Serialize)]
struct Shown {
    address: Address,
    #[serde(skip_serializing_if = "Option::is_none")]
    keystore: Option<PathBuf>,
}

/// Creates or shows a key.
pub(crate) fn run(command: &KeyCommand) -> Result<(), CommandError> {
    Narrator::start(false)?;
    match &command.action {
        Action::New(arguments) => {
            let directory = match &arguments.out {
                Some(directory) => directory.clone(),
                None => context::state_directory()?.join("keys"),
            };
            let password = password(arguments.password_file.as_deref(), true)?;
            fs::create_dir_all(&directory)
                .with_context(|| format!("cannot make {}", directory.display()))
                .map_err(CommandError::Mistake)?;
            let (key, path) =
                Key::create_keystore(&directory, &password).map_err(CommandError::mistake)?;
            let shown = Shown {
                address: key.address(),
                keystore: Some(path.clone()),
            };
            show(arguments.json, &shown, || {
                format!(
                    "address   {}\nkey file  {}\n",
                    key.address(),
                    path.display()
                )
            })
        }
        Action::Address(arguments) => {
            let address = arguments.key.key(DEVELOPMENT_CHAIN)?.address();
            let shown = Shown {
                address,
                keystore: None,
            };
            show(arguments.json, &shown, || format!("{address}\n"))
        }
    }
}
