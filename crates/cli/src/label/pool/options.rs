//! Options for an own pool.

use std::path::{Path, PathBuf};

use alloy_primitives::Address;
use anyhow::anyhow;
use clap::Args;
use cotrain_client::label::StopRule;
use cotrain_protocol::parse_address;
use url::Url;

use crate::{
    error::CommandError,
    live::{key::KeyArgs, spending::ConsentArgs},
};

/// Names of the rules that stop, with what their bound means.
const RULES: [&str; 6] = [
    "classification-change",
    "kappa-average",
    "overall-uncertainty",
    "delta-f",
    "iterations",
    "units",
];

/// Options for an own pool.
#[derive(Debug, Args)]
#[command(
    next_help_heading = "Own pool",
    mut_arg("dry_run", |it| it.requires("file")),
    mut_arg("yes", |it| it.requires("budget")),
    mut_arg("keystore", |it| it.requires("token")),
    mut_arg("dev", |it| it.requires("token"))
)]
pub(crate) struct PoolArgs {
    /// Table of rows to label, which a labeling service chooses; without it, the labels of --data are
    /// counted
    #[arg(
        value_name = "FILE",
        requires = "url",
        conflicts_with_all = ["data", "limit", "test", "seeds"]
    )]
    pub(crate) file: Option<PathBuf>,
    /// Coordinator that opens labeling sessions: it gets the rows as numbers, and no texts
    #[arg(long, value_name = "URL", requires = "file")]
    pub(super) url: Option<Url>,
    /// Classes, separated by commas [default: those in the columns of labels and answers]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "file")]
    pub(super) classes: Vec<String>,
    /// Column that answers instead of a person, to try it out
    #[arg(long, value_name = "NAME", requires = "file")]
    pub(super) answers: Option<String>,
    /// File of the labels, to which a later run adds [default: FILE with the ending .labels.csv]
    #[arg(long, value_name = "FILE", requires = "file")]
    labels: Option<PathBuf>,
    /// Every Nth question is about a random row, from which the accuracy follows; 0 for none
    #[arg(long, value_name = "N", default_value_t = 5, requires = "file")]
    pub(super) control: usize,
    /// Rules that say to stop, such as kappa-average=0.99, overall-uncertainty=0.05,
    /// classification-change=0, delta-f=0.05, iterations=20 or units=5000; separated by commas
    #[arg(
        long,
        value_name = "RULE=BOUND",
        value_delimiter = ',',
        value_parser = rule,
        requires = "file"
    )]
    pub(super) stop: Vec<StopRule>,
    /// Seed of all random choices
    #[arg(long, value_name = "N", default_value_t = 0, requires = "file")]
    pub(super) seed: u64,
    /// Number of units that the session gets: with a budget, it buys them at its opening [default: the
    /// coordinator's]
    #[arg(long, value_name = "N", requires = "file")]
    pub(super) units: Option<u64>,
    /// File for the model at the end: .json or .onnx
    #[arg(long, value_name = "FILE", value_parser = model_file, requires = "file")]
    pub(super) out: Option<PathBuf>,
    /// Maximum money for all runs with this file of labels: in atomic units of --token, of which a
    /// token of 6 decimals has 1000000, or with --lnd in satoshi, fees included
    #[arg(long, value_name = "AMOUNT", requires = "file", help_heading = "Money")]
    pub(super) budget: Option<u64>,
    /// Token to pay with, and the number of its chain, such as
    /// 8453/0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913
    #[arg(
        long,
        value_name = "CHAIN/ADDR",
        value_parser = token,
        requires = "budget",
        conflicts_with = "lnd",
        help_heading = "Money"
    )]
    pub(super) token: Option<(u64, Address)>,
    /// Pay each call by a voucher of a channel (x402 batch-settlement) instead of transfers: what is
    /// left of its deposits comes back at the end
    #[arg(long, requires = "token", help_heading = "Money")]
    pub(super) channel: bool,
    /// Lightning node of yours that pays, by LND's REST interface
    #[arg(
        long,
        value_name = "URL",
        requires_all = ["budget", "lnd_certificate", "lnd_macaroon"],
        help_heading = "Money"
    )]
    pub(super) lnd: Option<Url>,
    /// File with the certificate of that node, tls.cert
    #[arg(long, value_name = "FILE", requires = "lnd", help_heading = "Money")]
    pub(super) lnd_certificate: Option<PathBuf>,
    /// File with a macaroon of that node that may pay
    #[arg(long, value_name = "FILE", requires = "lnd", help_heading = "Money")]
    pub(super) lnd_macaroon: Option<PathBuf>,
    #[command(flatten)]
    pub(super) consent: ConsentArgs,
    #[command(flatten)]
    pub(super) key: KeyArgs,
}

/// Service, and the files of a pool.
pub(super) struct Target {
    pub(super) url: Url,
    /// Labels.
    pub(super) labels: PathBuf,
    /// Session, with its token.
    pub(super) state: PathBuf,
    /// Payments.
    pub(super) wallet: PathBuf,
    pub(super) lock: PathBuf,
}

impl Target {
    /// Returns the service of a pool, and its files.
    pub(super) fn of(options: &PoolArgs, file: &Path) -> Result<Self, CommandError> {
        let url = options.url.clone().ok_or_else(|| {
            CommandError::Mistake(anyhow!(
                "no service is named; name a coordinator with --url"
            ))
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(CommandError::Mistake(anyhow!(
                "--url begins with `{}:`; expected http: or https:",
                url.scheme()
            )));
        }
        let labels = options.labels.clone();
        let labels = labels.unwrap_or_else(|| file.with_extension("labels.csv"));
        // A file in the working directory needs a directory for its temporary copy.
        let labels = std::path::absolute(labels)?;
        let beside = |ending: &str| {
            let mut name = labels.clone().into_os_string();
            name.push(ending);
            PathBuf::from(name)
        };
        Ok(Self {
            url,
            state: beside(".session"),
            wallet: beside(".wallet"),
            lock: beside(".lock"),
            labels,
        })
    }
}

/// Parses a rule with its bound.
fn rule(text: &str) -> Result<StopRule, String> {
    let expected = || {
        format!(
            "expected a rule, `=` and its bound; rules: {}",
            RULES.join(", ")
        )
    };
    let (kind, bound) = text.split_once('=').ok_or_else(expected)?;
    let bound: f64 = bound.parse().map_err(|_| expected())?;
    if !RULES.contains(&kind) || !bound.is_finite() {
        return Err(expected());
    }
    Ok(StopRule {
        kind: kind.to_owned(),
        bound,
    })
}

/// Parses a token with the number of its chain.
fn token(text: &str) -> Result<(u64, Address), String> {
    let expected = || "expected the number of a chain, `/` and the token's address".to_owned();
    let (chain, address) = text.split_once('/').ok_or_else(expected)?;
    let chain = chain.parse().map_err(|_| expected())?;
    let address = parse_address(address).map_err(|error| error.to_string())?;
    Ok((chain, address))
}

/// Parses the name of a model's file.
fn model_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("json" | "onnx") => Ok(path),
        _ => Err("expected a name that ends in .json or .onnx".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_has_a_known_name_and_a_bound() {
        let read = rule("kappa-average=0.99").expect("a rule");
        assert_eq!((read.kind.as_str(), read.bound), ("kappa-average", 0.99));
        for wrong in ["kappa-average", "kappa=0.9", "units=many", "units=inf"] {
            let told = rule(wrong).expect_err("no rule");
            assert!(told.contains("kappa-average"), "{told}");
        }
    }

    #[test]
    fn token_has_a_chain_and_an_address() {
        let text = "8453/0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";
        assert_eq!(token(text).expect("a token").0, 8453);
        for wrong in [
            "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
            "base/0x1",
            "1/0x1",
        ] {
            token(wrong).expect_err("no token");
        }
    }
}
