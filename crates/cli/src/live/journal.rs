//! What a deployment has signed so far: written before anything is sent, so that a later run goes on
//! where an earlier one ended, however that was.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use alloy_primitives::{Address, B256, Bytes, U256};
use anyhow::{Context, anyhow};
use cotrain_chain::keys::{Signed, Unsigned};
use serde::{Deserialize, Serialize};

use super::{place::write_whole, send::Outgoing};
use crate::failure::Failure;

const FILE: &str = "deploy.json";
const LOCK: &str = "lock";
const FORMAT: &str = "cotrain-deploy/1";

/// The journal of one deployment. Only one process has it at a time.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    written: Written,
    /// Locked as long as it is open.
    _lock: File,
}

#[derive(Debug, Serialize, Deserialize)]
struct Written {
    format: String,
    plan: BTreeMap<String, String>,
    steps: BTreeMap<String, Step>,
}

/// A transaction, by each form that it was signed in.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Step {
    nonce: u64,
    gas_limit: u64,
    max_fee: u128,
    priority_fee: u128,
    signed: Vec<Raw>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Raw {
    hash: B256,
    raw: Bytes,
}

impl Journal {
    /// The journal in a directory, which is begun where there is none.
    pub(crate) fn open(directory: &Path, plan: BTreeMap<String, String>) -> Result<Self, Failure> {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {}", directory.display()))
            .map_err(Failure::Mistake)?;
        let lock = File::create(directory.join(LOCK))
            .with_context(|| format!("cannot write to {}", directory.display()))
            .map_err(Failure::Mistake)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::Mistake(anyhow!(
                    "another `cotrain deploy` works with the journal in {}; wait for it, or name another \
                     directory with --journal",
                    directory.display()
                )));
            }
            Err(TryLockError::Error(error)) => {
                return Err(anyhow!(error).context("cannot lock the journal").into());
            }
        }
        let path = directory.join(FILE);
        let written = match fs::read(&path) {
            Ok(text) => read(&path, &text, &plan)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Written {
                format: FORMAT.to_owned(),
                plan,
                steps: BTreeMap::new(),
            },
            Err(error) => {
                return Err(Failure::mistake(
                    anyhow!(error).context(format!("cannot read {}", path.display())),
                ));
            }
        };
        Ok(Self {
            path,
            written,
            _lock: lock,
        })
    }

    /// What was begun in a directory says of itself under this name.
    pub(crate) fn peek(directory: &Path, name: &str) -> Option<String> {
        let text = fs::read(directory.join(FILE)).ok()?;
        let written: Written = serde_json::from_slice(&text).ok()?;
        written.plan.get(name).cloned()
    }

    /// Whether a step has been signed.
    pub(crate) fn has(&self, step: &str) -> bool {
        self.written.steps.contains_key(step)
    }

    /// The transaction of a step as it was signed before; what it says is told anew.
    pub(crate) fn signed(
        &self,
        step: &str,
        chain_id: u64,
        to: Option<Address>,
        data: &[u8],
    ) -> Option<Outgoing> {
        let step = self.written.steps.get(step)?;
        let signed = step.signed.iter().map(|signed| Signed {
            hash: signed.hash,
            raw: signed.raw.clone(),
        });
        Some(Outgoing {
            unsigned: Unsigned {
                chain_id,
                nonce: step.nonce,
                to,
                value: U256::ZERO,
                data: Bytes::copy_from_slice(data),
                gas_limit: step.gas_limit,
                max_fee: step.max_fee,
                priority_fee: step.priority_fee,
            },
            signed: signed.collect(),
        })
    }

    /// Keeps what is signed, before it is sent: it is on the disk when this returns.
    pub(crate) fn keep(&mut self, step: &str, outgoing: &Outgoing) -> Result<(), Failure> {
        let signed = outgoing.signed.iter().map(|signed| Raw {
            hash: signed.hash,
            raw: signed.raw.clone(),
        });
        let kept = Step {
            nonce: outgoing.unsigned.nonce,
            gas_limit: outgoing.unsigned.gas_limit,
            max_fee: outgoing.unsigned.max_fee,
            priority_fee: outgoing.unsigned.priority_fee,
            signed: signed.collect(),
        };
        self.written.steps.insert(step.to_owned(), kept);
        write_whole(&self.path, &serde_json::to_vec_pretty(&self.written)?)
    }
}

fn read(path: &Path, text: &[u8], plan: &BTreeMap<String, String>) -> Result<Written, Failure> {
    let mistake = |what: String| {
        Failure::Mistake(anyhow!(
            "{}: {what}; name another directory with --journal",
            path.display()
        ))
    };
    let written: Written = serde_json::from_slice(text)
        .map_err(|error| mistake(format!("this is no journal of a deployment ({error})")))?;
    if written.format != FORMAT {
        return Err(mistake(format!(
            "its format is `{}`, `{FORMAT}` is wanted",
            written.format
        )));
    }
    let names = written.plan.keys().chain(plan.keys());
    let mut differs: Vec<String> = names
        .filter(|name| written.plan.get(*name) != plan.get(*name))
        .map(|name| {
            let of = |plan: &BTreeMap<String, String>| {
                plan.get(name).cloned().unwrap_or_else(|| "none".to_owned())
            };
            format!(
                "\n  {name}: {} was begun, {} is wanted",
                of(&written.plan),
                of(plan)
            )
        })
        .collect();
    differs.sort();
    differs.dedup();
    if differs.is_empty() {
        return Ok(written);
    }
    Err(Failure::Mistake(anyhow!(
        "another deployment was begun in {}: finish it with the options that it was begun with, or name \
         another directory with --journal; these differ:{}",
        path.display(),
        differs.concat()
    )))
}
