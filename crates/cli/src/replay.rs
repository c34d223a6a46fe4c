//! `cotrain replay`: executes a recorded run again, transaction by transaction, and compares.

mod difference;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use alloy_primitives::B256;
use anyhow::anyhow;
use clap::Args;
use cotrain_chain::{Chain, ChainError, Step};
use cotrain_results::format::count;
use serde::Serialize;

use self::difference::{Difference, Field, compare};
use crate::{
    backend::{self, Backend},
    error::CommandError,
    output::{self, Narrator},
    recording::{Entry, Header, Recording},
};

const EXAMPLES: &str = "\
Examples:
  cotrain simulate --record                             a run with a recording
  cotrain replay runs/movie-reviews-1                   the same transactions, executed again
  cotrain replay runs/movie-reviews-1 --backend anvil   on a node
  cotrain replay runs/movie-reviews-1 --json --quiet | jq .difference
                                                        null or the difference, for a script

It compares the success of every transaction, its gas, its return value or reason for failure, the
contract that it creates and its events. At the end it compares the digest of all accounts. It does
not compare the words about a stop of the EVM, which each kind of chain chooses itself.

Exit status: 0 no difference, 1 a difference or a failure, 2 a mistake in arguments or recording.";

/// Execute a recorded run again and show the first difference, if any
///
/// Sends the recorded transactions one by one to an empty chain, and compares each outcome with the
/// recorded one. It needs neither the scenario nor its data. It stops at the first difference.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Replay {
    /// Directory of a run made with `cotrain simulate --record`, or the recording in it
    run: PathBuf,
    /// Chain to run on: embedded, anvil, or the address of a running anvil
    ///
    /// The values are those of `cotrain simulate`. The chain may be of another kind than the
    /// recorded one.
    #[arg(long, value_name = "CHAIN", value_parser = backend::read, default_value = "embedded")]
    backend: Backend,
    /// Print one JSON object to stdout instead of the readable result
    #[arg(long)]
    json: bool,
    /// Write nothing but errors to stderr
    #[arg(long)]
    quiet: bool,
}

/// Replays a run and shows the result. A difference is shown first, and is then an error.
pub(crate) fn run(arguments: &Replay) -> Result<(), CommandError> {
    let narrator = Narrator::start(arguments.quiet)?;
    let bar = narrator.reading();
    let recording = Recording::open(&arguments.run, |file| {
        bar.set_length(file.metadata().map_or(0, |metadata| metadata.len()));
        bar.wrap_read(file)
    });
    let mut recording = recording.map_err(CommandError::Mistake)?;
    let mut open = backend::open(&arguments.backend, recording.header().beginning())?;
    let replayed = Replayed::of(&mut recording, open.chain())?;
    bar.finish_and_clear();

    let shown = Shown::new(recording.header(), open.chain().name(), &replayed);
    if arguments.json {
        output::print_json(&(serde_json::to_string_pretty(&shown)? + "\n"))?;
    } else {
        output::print(&shown.text())?;
    }
    match replayed.end {
        Ok(_) => Ok(()),
        Err(difference) => Err(CommandError::Fault(anyhow!(
            "{} differs from what was recorded in {}",
            difference.location(),
            recording.path().display()
        ))),
    }
}

/// Result of replaying a recording.
struct Replayed {
    /// Transactions without a difference.
    transactions: u64,
    /// Gas of these transactions.
    gas: u64,
    /// Digest of the final state, or the first difference.
    end: Result<B256, Difference>,
    wall: Duration,
}

impl Replayed {
    /// Replays a recording on an empty chain.
    fn of(recording: &mut Recording, chain: &mut dyn Chain) -> Result<Self, CommandError> {
        let wanted = recording.header().chain_id;
        if wanted != chain.chain_id() {
            return Err(CommandError::Mistake(anyhow!(
                "{} was recorded on chain {wanted}, and this is chain {}; signatures are of one chain only",
                recording.path().display(),
                chain.chain_id()
            )));
        }
        let started = Instant::now();
        let mut replayed = Self {
            transactions: 0,
            gas: 0,
            end: Ok(B256::ZERO),
            wall: Duration::ZERO,
        };
        replayed.end = replayed.replay(recording, chain)?;
        replayed.wall = started.elapsed();
        Ok(replayed)
    }

    fn replay(
        &mut self,
        recording: &mut Recording,
        chain: &mut dyn Chain,
    ) -> Result<Result<B256, Difference>, CommandError> {
        let mut steps = 0;
        loop {
            let step = match recording.next().map_err(CommandError::Mistake)? {
                Entry::Step(step) => *step,
                Entry::End(recorded) => {
                    let state = chain.state_digest()?;
                    let fields = Field::unless_equal("state", recorded, state);
                    return Ok(match fields {
                        None => Ok(state),
                        Some(field) => Err(Difference::of_state(field)),
                    });
                }
            };
            steps += 1;
            let fields = repeat(chain, &step).map_err(|error| match error {
                // No chain can have made such a step, so the recording is damaged.
                ChainError::TimeRunsBack { .. } => CommandError::Mistake(anyhow!(error).context(format!(
                    "cannot replay {}: step {steps} has an earlier time than the one before it; record the run anew",
                    recording.path().display()
                ))),
                error => error.into(),
            })?;
            if !fields.is_empty() {
                let number = self.transactions + 1;
                return Ok(Err(Difference::of_step(steps, number, &step, fields)));
            }
            if let Step::Transaction { outcome, .. } = step {
                self.transactions += 1;
                self.gas = self.gas.saturating_add(outcome.gas_used());
            }
        }
    }
}

/// Repeats a recorded step on `chain`, and returns the differences.
fn repeat(chain: &mut dyn Chain, step: &Step) -> Result<Vec<Field>, ChainError> {
    match step {
        Step::Fund { account, wei } => match chain.fund(*account, *wei) {
            Ok(()) => Ok(Vec::new()),
            Err(ChainError::Rejected { reason }) => Ok(vec![Field::rejected("done", &reason)]),
            Err(error) => Err(error),
        },
        Step::Transaction {
            time,
            transaction,
            outcome,
        } => {
            chain.set_time(*time)?;
            compare(outcome, chain.send(transaction.clone()))
        }
    }
}

/// Result of a replay, for output.
#[derive(Serialize)]
struct Shown<'a> {
    scenario: &'a str,
    seed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    relay: Option<usize>,
    recorded_on: &'a str,
    recorded_by: String,
    backend: &'a str,
    /// Number of transactions before the first difference.
    transactions: u64,
    gas: u64,
    /// Digest of all accounts at the end; `None` if a difference came first.
    state: Option<B256>,
    wall_seconds: f64,
    difference: Option<&'a Difference>,
}

impl<'a> Shown<'a> {
    fn new(header: &'a Header, backend: &'a str, replayed: &'a Replayed) -> Self {
        Self {
            scenario: &header.scenario,
            seed: header.seed,
            relay: header.relay,
            recorded_on: &header.backend,
            recorded_by: format!("cotrain {}", header.cotrain()),
            backend,
            transactions: replayed.transactions,
            gas: replayed.gas,
            state: replayed.end.as_ref().ok().copied(),
            wall_seconds: replayed.wall.as_secs_f64(),
            difference: replayed.end.as_ref().err(),
        }
    }

    fn text(&self) -> String {
        let relay = self.relay.map(|size| format!(", --relay {size}"));
        let mut lines = vec![
            format!(
                "{}, seed {}{}: recorded on {} by {}, replayed on {}",
                self.scenario,
                self.seed,
                relay.unwrap_or_default(),
                self.recorded_on,
                self.recorded_by,
                self.backend
            ),
            String::new(),
        ];
        if let Some(difference) = self.difference {
            lines.push(format!(
                "{} transactions, {} gas without a difference; then",
                count(self.transactions),
                count(self.gas)
            ));
            lines.push(String::new());
            lines.extend(difference.lines());
        } else {
            lines.push("no difference".to_owned());
            lines.push(format!("transactions  {}", count(self.transactions)));
            lines.push(format!("gas           {}", count(self.gas)));
            lines.extend(self.state.map(|state| format!("state         {state}")));
            lines.push(format!("time          {:.1} s", self.wall_seconds));
        }
        lines.join("\n") + "\n"
    }
}
