//! The chain of `cotrain up`: its node, and the saving of its state.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::{Duration, Instant},
};

use alloy_primitives::B256;
use anyhow::Context;
use cotrain_chain::{
    anvil::{Anvil, AnvilConfig, AnvilError, HistoricalStates, SavedChain},
    node::{Block, Node, NodeOptions},
};
use cotrain_indexer::ChainStore;
use tokio::{sync::Mutex, time::sleep};
use url::Url;

use super::folder::Folder;
use crate::{error::CommandError, output::Narrator};

/// Interval between checks that the node still runs.
const LOOK: Duration = Duration::from_millis(100);
/// Number of consecutive slow saves before a warning: the machine may be busy for a moment.
const SLOW: u32 = 3;
/// Minimum ratio of the pause after a save to the time of the save, for a chain of any size.
const SHARE: u32 = 10;

/// A running chain.
pub(super) struct Chain {
    pub(super) anvil: Anvil,
    pub(super) node: Node,
    /// The hash of its first block.
    pub(super) genesis: B256,
}

impl Chain {
    /// Starts a chain: a new one, or the one that is saved in a file.
    pub(super) async fn start(port: u16, saved: Option<&Path>) -> Result<Self, CommandError> {
        let anvil = spawn(port, saved).map_err(CommandError::mistake)?;
        Self::of(anvil).await
    }

    /// Starts the chain from the first readable file. Returns the reasons instead if none is
    /// readable.
    pub(super) async fn load(
        port: u16,
        files: &[PathBuf],
        narrator: &Narrator,
    ) -> Result<Result<Self, String>, CommandError> {
        let mut reasons = Vec::new();
        for file in files {
            match spawn(port, Some(file)) {
                Ok(anvil) => {
                    if let Some(reason) = reasons.last() {
                        narrator.say(format_args!("{reason}; going on from the save before it"));
                    }
                    return Ok(Ok(Self::of(anvil).await?));
                }
                Err(AnvilError::Ended { output, .. }) => {
                    let output = output.lines().next().unwrap_or_default();
                    reasons.push(format!("{} cannot be read ({output})", file.display()));
                }
                Err(error) => return Err(CommandError::mistake(error)),
            }
        }
        Ok(Err(reasons.join("; ")))
    }

    async fn of(anvil: Anvil) -> Result<Self, CommandError> {
        let node = Node::connect(anvil.url(), NodeOptions::default()).await?;
        let first = node.block(0).await?;
        let genesis = first.context("the node has no first block")?.hash;
        Ok(Self {
            anvil,
            node,
            genesis,
        })
    }

    /// Returns how the node ended, once it has.
    pub(super) async fn ended(&mut self) -> Result<ExitStatus, CommandError> {
        loop {
            if let Some(status) = self.anvil.ended()? {
                return Ok(status);
            }
            sleep(LOOK).await;
        }
    }
}

fn spawn(port: u16, saved: Option<&Path>) -> Result<Anvil, AnvilError> {
    Anvil::spawn(&AnvilConfig {
        port,
        load: saved.map(Path::to_owned),
        ..AnvilConfig::default()
    })
}

/// Saver of a running chain. It saves the states after old blocks only if a model begins there.
pub(super) struct Saver<'a> {
    folder: &'a Folder,
    url: Url,
    node: Node,
    states: HistoricalStates,
    /// Blocks whose states it has requested.
    asked: BTreeSet<B256>,
    store: Option<ChainStore>,
    saved: Option<B256>,
}

impl<'a> Saver<'a> {
    pub(super) async fn new(folder: &'a Folder, chain: &Chain) -> Result<Self, CommandError> {
        let url = chain.anvil.url().clone();
        // These states were saved before; there are no others yet.
        let states = HistoricalStates::read(&url, |_| true).await?;
        Ok(Self {
            folder,
            url,
            node: chain.node.clone(),
            states,
            asked: BTreeSet::new(),
            store: None,
            saved: None,
        })
    }

    /// Saves the chain if it has a new block, and returns the block that is saved.
    pub(super) async fn save(&mut self) -> Result<Block, CommandError> {
        let head = self.node.head().await?;
        if self.saved == Some(head.hash) {
            return Ok(head);
        }
        self.read_states().await?;
        let chain = SavedChain::read(&self.url, &self.states).await?;
        self.folder.save(&chain.write())?;
        self.saved = Some(head.hash);
        Ok(head)
    }

    /// Requests the states that models begin with, if they are not saved yet.
    async fn read_states(&mut self) -> Result<(), CommandError> {
        let database = self.folder.database();
        if self.store.is_none() && database.exists() {
            self.store = Some(ChainStore::open(&database.to_string_lossy()).await?);
        }
        let Some(store) = &self.store else {
            return Ok(());
        };
        let mut new = false;
        let mut wanted = BTreeSet::new();
        for (_, hash) in store.beginnings(&self.node).await? {
            new |= !self.states.has(hash) && self.asked.insert(hash);
            wanted.insert(hash);
        }
        if new {
            let states = &self.states;
            let wanted = |hash| wanted.contains(&hash) || states.has(hash);
            self.states = HistoricalStates::read(&self.url, wanted).await?;
        }
        Ok(())
    }

    /// Saves the chain with all states so far, because a model was just deployed.
    pub(super) async fn save_all(&mut self) -> Result<(), CommandError> {
        self.states = HistoricalStates::read(&self.url, |_| true).await?;
        self.saved = None;
        self.save().await?;
        Ok(())
    }

    /// Closes the database.
    pub(super) async fn close(self) {
        if let Some(store) = self.store {
            store.close().await;
        }
    }
}

/// Returns a duration in whole milliseconds, rounded down.
fn to_the_millisecond(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// Saves the chain repeatedly.
pub(super) async fn keep_saving(
    saver: &Mutex<Saver<'_>>,
    interval: Duration,
    narrator: &Narrator,
) -> Infallible {
    let mut failed = false;
    let mut slow = 0;
    loop {
        let start = Instant::now();
        match saver.lock().await.save().await {
            Ok(_) => failed = false,
            Err(failure) if !failed => {
                failed = true;
                narrator.say(format_args!(
                    "the chain cannot be saved now, and is lost if this is killed: {:#}",
                    failure.error()
                ));
            }
            Err(_) => {}
        }
        let wait = interval.max(SHARE * start.elapsed());
        slow = if wait > interval { slow + 1 } else { 0 };
        if slow == SLOW {
            narrator.say(format_args!(
                "saving the chain takes {}: it is saved every {}",
                humantime::format_duration(to_the_millisecond(start.elapsed())),
                humantime::format_duration(to_the_millisecond(wait)),
            ));
        }
        sleep(wait).await;
    }
}
