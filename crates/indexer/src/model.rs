//! A model that is followed, as memory has it.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use alloy_primitives::{Address, B256, U256};
use cotrain_chain::node::{Node, NodeError};
use cotrain_client::{market::MarketLedger, source::EventSource};
use cotrain_protocol::{
    Rejection,
    trainer::{Incentive, Waits},
};

use crate::{
    evidence::{Evidence as _, Verdict},
    info::{ModelError, ModelInfo},
    ledger::{Ledger, TrainerLedger},
    rows::AccuracyRow,
    source::ContractSource,
    state::State,
    store::{ChainStore, StoreError},
    taken::{Cursor, Log, ModelId, TakeError, Taken},
};

/// A model with deposits and claims that is followed.
pub type HostedModel = Hosted<TrainerLedger>;

/// A prediction market that is followed.
pub type HostedMarket = Hosted<MarketLedger>;

/// A contract that is followed, with the ledger of its mechanism.
#[derive(Debug)]
pub struct Hosted<L> {
    info: ModelInfo,
    id: ModelId,
    /// The follower writes, everyone else reads; never held across a wait.
    state: RwLock<State<L>>,
    /// The last measured accuracy.
    accuracy: RwLock<Option<f64>>,
    standing: RwLock<Standing>,
}

/// Relation of what is known of a model to its contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It was not compared, or the node has no state to compare it with.
    Unchecked,
    /// The contract says the same after the same block.
    Fits,
    /// The node's answers contradict each other, in words.
    Doubtful(String),
}

/// A model at a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// By its number.
    pub block: u64,
    /// And its hash.
    pub block_hash: B256,
    /// Contributions until then.
    pub contributions: u64,
    /// Those of them that were refunded.
    pub total_good: u64,
    /// In Unix seconds.
    pub last_contribution_time: u64,
    /// The deposit of one contribution at the time asked for, in wei.
    pub price: u128,
    /// Wei in the contract.
    pub held: u128,
    /// The last measured one; none where none is measured.
    pub accuracy: Option<f64>,
}

/// Account of a trainer, as the chain has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainAccount {
    /// Prepaid balance, in wei.
    pub balance: u128,
    /// Number of its contributions that were refunded.
    pub good: u64,
    /// Lowest nonce that is above all that are used.
    pub next_nonce: u64,
}

impl<L: Ledger> Hosted<L> {
    /// Loads a contract with its state as it is stored; if it is new, from the source.
    pub(crate) async fn load<S: ContractSource>(
        mut info: ModelInfo,
        source: &S,
        store: &ChainStore,
    ) -> Result<Self, ModelError> {
        let (chain_id, trainer) = (info.facts.chain_id, info.facts.trainer);
        let mut known = store.model(chain_id, trainer).await?;
        if known.is_none() {
            let (from, beginning) = source.beginning::<L>(&info).await?;
            store.add_model(chain_id, trainer, from, &beginning).await?;
            known = store.model(chain_id, trainer).await?;
        }
        // Its beginning proves it, though a node that lagged may have said otherwise when the facts were read.
        info.described.facts.closed = true;
        let (id, cursor, _) = known.ok_or(StoreError::Malformed {
            what: "no model that was just added",
        })?;
        if store.known_blocks(id).await?.is_empty() {
            let early = early::<L, S>(&info, source, store, id, cursor).await?;
            if let Err(error) = store.take(id, &early).await
                // Another process that began at the same time may have been first; it took all of it.
                && store.known_blocks(id).await?.is_empty()
            {
                return Err(error.into());
            }
        }
        let state = match Self::stored(&info, id, store).await {
            Err(ModelError::Take(error)) => {
                tracing::warn!(%trainer, %error, "what is stored contradicts itself; everything is read anew");
                if let Some(first) = store.known_blocks(id).await?.last() {
                    store.roll_back(id, *first).await?;
                }
                Self::stored(&info, id, store).await?
            }
            state => state?,
        };
        let accuracy = store.last_accuracy(id).await?.as_ref().map(share);
        let model = Self {
            info,
            id,
            state: RwLock::new(state),
            accuracy: RwLock::new(accuracy),
            standing: RwLock::new(Standing::Unchecked),
        };
        store.loaded(id).await?;
        Ok(model)
    }

    /// Returns the facts that never change.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Returns the number of the model in its database.
    #[must_use]
    pub fn id(&self) -> ModelId {
        self.id
    }

    /// Returns the state in memory, locked for reading: the follower waits meanwhile.
    pub fn state(&self) -> RwLockReadGuard<'_, State<L>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state_mut(&self) -> RwLockWriteGuard<'_, State<L>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_accuracy(&self, accuracy: Option<f64>) {
        *self
            .accuracy
            .write()
            .unwrap_or_else(PoisonError::into_inner) = accuracy;
    }

    pub(crate) fn standing(&self) -> Standing {
        self.standing
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Forgets that the model was compared with its contract.
    pub fn set_unchecked(&self) {
        self.set_standing(Standing::Unchecked);
    }

    pub(crate) fn set_standing(&self, standing: Standing) {
        *self
            .standing
            .write()
            .unwrap_or_else(PoisonError::into_inner) = standing;
    }

    /// Returns why what is known of the model may not be what its contract says, if it may not.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        match self.standing() {
            Standing::Fits => None,
            Standing::Unchecked => Some("it was not yet held against its contract".to_owned()),
            Standing::Doubtful(reason) => Some(reason),
        }
    }

    /// Compares what is known with the contract, for those that read what somebody else has stored.
    ///
    /// # Errors
    /// If the source does not answer, or does not have the block.
    pub async fn compare<S: EventSource>(&self, source: &S) -> Result<(), NodeError> {
        let Some(node) = source.contracts() else {
            self.set_standing(Standing::Fits);
            return Ok(());
        };
        let (cursor, events) = {
            let state = self.state();
            (state.cursor, state.ledger().totals(&[]))
        };
        let contract = L::Totals::read(node, self.info.facts.trainer, cursor).await?;
        self.set_standing(match contract.map(|contract| events.against(&contract)) {
            None => Standing::Unchecked,
            // Who follows the chain has found out about a surplus before it was stored.
            Some(Verdict::Fits | Verdict::Surplus(_)) => Standing::Fits,
            Some(Verdict::Differs(reason)) => {
                Standing::Doubtful(format!("{reason}, after block {}", cursor.block))
            }
        });
        Ok(())
    }

    /// Begins with the weights of now: those that were stored are of a branch that the chain has left.
    pub(crate) async fn rebase(&self, node: &Node, store: &ChainStore) -> Result<(), ModelError> {
        let (base, words, time) = self.info.present(node).await?;
        store.rebase(self.id, base, time, &words).await?;
        Ok(())
    }

    /// Makes the state what the database has: after a rollback, or if storing failed half way.
    ///
    /// # Errors
    /// If the database fails, or its rows contradict each other.
    pub async fn reload(&self, store: &ChainStore) -> Result<(), ModelError> {
        let state = Self::stored(&self.info, self.id, store).await?;
        let accuracy = store.last_accuracy(self.id).await?.as_ref().map(share);
        *self.state_mut() = state;
        self.set_accuracy(accuracy);
        store.loaded(self.id).await?;
        Ok(())
    }

    /// Takes over what somebody else has stored since.
    ///
    /// # Errors
    /// If the database fails, or its rows contradict each other.
    pub async fn refresh(&self, store: &ChainStore) -> Result<(), ModelError> {
        let known = store
            .model(self.info.facts.chain_id, self.info.facts.trainer)
            .await?;
        let Some((_, cursor, rollbacks)) = known else {
            return Ok(());
        };
        let (last_log, known_rollbacks) = {
            let state = self.state();
            (state.last_log, state.rollbacks)
        };
        if rollbacks != known_rollbacks {
            return self.reload(store).await;
        }
        let logs = store.logs(self.id, last_log, u32::MAX).await?;
        let accuracy = store.last_accuracy(self.id).await?.as_ref().map(share);
        let taken = {
            let mut state = self.state_mut();
            replay(&mut state, logs).map(|()| state.cursor = cursor)
        };
        self.set_accuracy(accuracy);
        match taken {
            Ok(()) => Ok(()),
            // A rollback came in between.
            Err(_) => self.reload(store).await,
        }
    }

    async fn stored(
        info: &ModelInfo,
        id: ModelId,
        store: &ChainStore,
    ) -> Result<State<L>, ModelError> {
        const LOGS_AT_A_TIME: u32 = 5_000;
        let trainer = info.facts.trainer;
        loop {
            let known = store.model(info.facts.chain_id, trainer).await?;
            let (_, cursor, rollbacks) = known.ok_or(StoreError::Malformed { what: "no model" })?;
            let beginning = store.beginning(id).await?;
            let mut state = State::new(info, &beginning, cursor)?;
            state.rollbacks = rollbacks;
            loop {
                let logs = store.logs(id, state.last_log, LOGS_AT_A_TIME).await?;
                if logs.is_empty() {
                    break;
                }
                replay(&mut state, logs)?;
            }
            let after = store.model(info.facts.chain_id, trainer).await?;
            if after.is_some_and(|(_, _, after)| after == rollbacks) {
                return Ok(state);
            }
        }
    }
}

impl HostedModel {
    /// Returns the model as it is now; `now` in Unix seconds.
    #[must_use]
    pub fn summary(&self, now: u64) -> Summary {
        let accuracy = *self.accuracy.read().unwrap_or_else(PoisonError::into_inner);
        let state = self.state();
        let trainer = state.trainer();
        Summary {
            block: state.cursor.block,
            block_hash: state.cursor.hash,
            contributions: trainer.contribution_count(),
            total_good: trainer.total_good(),
            last_contribution_time: trainer.last_contribution_time(),
            price: trainer.price(1, now),
            held: trainer.held(),
            accuracy,
        }
    }

    /// Returns what each of `n` contributions in one transaction deposits, in wei; `now` in Unix seconds.
    #[must_use]
    pub fn price(&self, n: u64, now: u64) -> u128 {
        self.state().trainer().price(n, now)
    }

    /// Returns the account of an address; one that was never used has nothing.
    #[must_use]
    pub fn account(&self, address: Address) -> ChainAccount {
        let state = self.state();
        let trainer = state.trainer();
        ChainAccount {
            balance: trainer.balance(address),
            good: trainer.good(address),
            next_nonce: trainer.next_nonce(address),
        }
    }

    /// Returns the rules of payment.
    #[must_use]
    pub fn incentive(&self) -> Incentive {
        self.state().trainer().incentive()
    }

    /// Returns the waits before claims.
    #[must_use]
    pub fn waits(&self) -> Waits {
        self.state().trainer().waits()
    }

    /// Predicts the label of a sample, by the twin of the contract.
    ///
    /// # Errors
    /// If the sample is malformed.
    pub fn predict(&self, sample: &[u8]) -> Result<u16, Rejection> {
        self.state().trainer().classifier().predict(sample)
    }

    /// Returns the weights, and number and hash of the block that they are of.
    #[must_use]
    pub fn words(&self) -> (u64, B256, Vec<U256>) {
        let state = self.state();
        (
            state.cursor.block,
            state.cursor.hash,
            state.trainer().classifier().words(),
        )
    }
}

fn replay<L: Ledger>(state: &mut State<L>, logs: Vec<(i64, Log)>) -> Result<(), TakeError> {
    let mut taken = Taken::default();
    for (id, log) in logs {
        state.take(log, &mut taken)?;
        state.last_log = id;
    }
    Ok(())
}

/// Returns the share of samples that were predicted right.
// Counts of samples are far below 2^52.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of samples are far below 2^52"
)]
pub(crate) fn share(row: &AccuracyRow) -> f64 {
    row.correct as f64 / row.samples.max(1) as f64
}

/// Maximum number of blocks between the creation of a model and its closing.
const BLOCKS_BEFORE_CLOSING: u64 = 100_000;

/// Reads what happened until the model was closed, that block included: money and nonces, which do not wait for it.
async fn early<L: Ledger, S: EventSource>(
    info: &ModelInfo,
    source: &S,
    store: &ChainStore,
    id: ModelId,
    cursor: Cursor,
) -> Result<Taken, ModelError> {
    /// Times that events are asked for which the contract contradicts.
    const TRIES: u32 = 8;
    let trainer = info.facts.trainer;
    let mut tries = 1;
    loop {
        let (state, taken) = match read_early::<L, S>(info, source, store, id, cursor).await {
            // An event before it may have been left out.
            Err(ModelError::Take(error)) if tries < TRIES => {
                tracing::debug!(%trainer, %error, "the node's events contradict each other; asking again");
                tries += 1;
                continue;
            }
            read => read?,
        };
        let Some(node) = source.contracts() else {
            return Ok(taken);
        };
        let contract = L::Totals::read(node, trainer, cursor).await;
        let contract = contract.map_err(|source| ModelError::Node { trainer, source })?;
        let events = state.ledger().totals(&[]);
        match contract.map_or(Verdict::Fits, |contract| events.against(&contract)) {
            Verdict::Fits => return Ok(taken),
            // Money that somebody forced upon the contract stays; a missing event does not.
            Verdict::Surplus(_) if !info.facts.own_code || tries >= TRIES => return Ok(taken),
            Verdict::Differs(_) if !info.facts.own_code => return Ok(taken),
            Verdict::Differs(message) if tries >= TRIES => {
                let method = "eth_getLogs";
                let source = NodeError::Contradictory { method, message };
                return Err(ModelError::Node { trainer, source });
            }
            Verdict::Surplus(_) | Verdict::Differs(_) => tries += 1,
        }
    }
}

async fn read_early<L: Ledger, S: EventSource>(
    info: &ModelInfo,
    source: &S,
    store: &ChainStore,
    id: ModelId,
    cursor: Cursor,
) -> Result<(State<L>, Taken), ModelError> {
    let trainer = info.facts.trainer;
    let beginning = store.beginning(id).await?;
    let mut state = State::new(info, &beginning, cursor)?;
    let mut taken = Taken::default();
    let mut from = cursor.block.saturating_sub(BLOCKS_BEFORE_CLOSING);
    while from <= cursor.block {
        let (logs, to) = source
            .logs_from(from, cursor.block, &[trainer], L::TOPICS)
            .await
            .map_err(|source| info.no_history(from, source))?;
        for log in logs {
            state.take(Log::from(log), &mut taken)?;
        }
        from = to + 1;
    }
    taken.blocks = vec![(cursor.block, cursor.hash)];
    Ok((state, taken))
}
