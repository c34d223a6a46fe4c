//! A followed model, as it is in memory.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use alloy_primitives::{Address, B256, U256};
use cotrain_chain::node::{Node, NodeError};
use cotrain_client::{market::MarketLedger, source::EventSource};
use cotrain_learning::score;
use cotrain_protocol::{
    ContractError,
    trainer::{Incentive, Waits},
};

use crate::{
    evidence::{Evidence as _, Verdict},
    info::{ModelError, ModelInfo},
    ledger::{Ledger, TrainerLedger},
    rows::{AccuracyRow, Sums},
    source::ContractSource,
    state::State,
    store::{ChainStore, StoreError},
    taken::{Cursor, Log, ModelId, TakeError, Taken},
};

/// A followed model with deposits and claims.
pub type HostedModel = Hosted<TrainerLedger>;

/// A followed prediction market.
pub type HostedMarket = Hosted<MarketLedger>;

/// A followed contract, with the ledger of its mechanism.
#[derive(Debug)]
pub struct Hosted<L> {
    info: ModelInfo,
    id: ModelId,
    /// State that only the follower writes; a guard is never held across an `await`.
    state: RwLock<State<L>>,
    /// The last measurement of the accuracy.
    measured: RwLock<Option<AccuracyRow>>,
    standing: RwLock<Standing>,
}

/// Result of the last comparison of the known state with the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It was not compared, or the node has no state for a comparison.
    Unchecked,
    /// The contract agrees after the same block.
    Fits,
    /// The node's answers contradict each other; the text says how.
    Doubtful(String),
}

/// Summary of a model after a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Number of the block.
    pub block: u64,
    /// Hash of the block.
    pub block_hash: B256,
    /// Number of contributions up to that block.
    pub contributions: u64,
    /// Number of these contributions that were refunded.
    pub total_good: u64,
    /// Time of the last contribution, in Unix seconds.
    pub last_contribution_time: u64,
    /// Deposit of one contribution at the requested time, in wei.
    pub price: u128,
    /// Money that the contract holds, in wei.
    pub held: u128,
    /// Last measurement of the accuracy; `None` if none was made.
    pub measured: Option<AccuracyRow>,
}

/// Account of a trainer, as it is on the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainAccount {
    /// Prepaid balance, in wei.
    pub balance: u128,
    /// Number of the account's contributions that were refunded.
    pub good: u64,
    /// Lowest nonce above all used ones.
    pub next_nonce: u64,
}

impl<L: Ledger> Hosted<L> {
    /// Loads a contract with its stored state; reads a new one from the source.
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
        // The beginning proves this, even if a lagging node reported otherwise before.
        info.described.facts.closed = true;
        let (id, cursor, _) = known.ok_or(StoreError::Malformed {
            what: "no model that was just added",
        })?;
        if store.known_blocks(id).await?.is_empty() {
            let early = early::<L, S>(&info, source, store, id, cursor).await?;
            if let Err(error) = store.take(id, &early).await
                // Another process may have begun at the same time and stored all of it first.
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
        let measured = store.last_accuracy(id).await?;
        let model = Self {
            info,
            id,
            state: RwLock::new(state),
            measured: RwLock::new(measured),
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

    /// Returns the state in memory, locked for reading; the follower waits while the guard lives.
    pub fn state(&self) -> RwLockReadGuard<'_, State<L>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state_mut(&self) -> RwLockWriteGuard<'_, State<L>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_measured(&self, measured: Option<AccuracyRow>) {
        *self
            .measured
            .write()
            .unwrap_or_else(PoisonError::into_inner) = measured;
    }

    pub(crate) fn standing(&self) -> Standing {
        self.standing
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Marks the model as not yet compared with its contract.
    pub fn set_unchecked(&self) {
        self.set_standing(Standing::Unchecked);
    }

    pub(crate) fn set_standing(&self, standing: Standing) {
        *self
            .standing
            .write()
            .unwrap_or_else(PoisonError::into_inner) = standing;
    }

    /// Returns the reason why the known state may differ from the contract; `None` if they agree.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        match self.standing() {
            Standing::Fits => None,
            Standing::Unchecked => Some("it was not yet held against its contract".to_owned()),
            Standing::Doubtful(reason) => Some(reason),
        }
    }

    /// Compares the known state with the contract.
    /// Processes that only read what another process has stored call this.
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
            // The follower has checked a surplus before it stored the events.
            Some(Verdict::Fits | Verdict::Surplus(_)) => Standing::Fits,
            Some(Verdict::Differs(reason)) => {
                Standing::Doubtful(format!("{reason}, after block {}", cursor.block))
            }
        });
        Ok(())
    }

    /// Starts from the present weights: the stored ones belong to a branch that the chain has left.
    pub(crate) async fn rebase(&self, node: &Node, store: &ChainStore) -> Result<(), ModelError> {
        let (base, words, time) = self.info.present(node).await?;
        store.rebase(self.id, base, time, &words).await?;
        Ok(())
    }

    /// Reloads the state from the database, after a rollback or after a failed write.
    ///
    /// # Errors
    /// If the database fails, or its rows contradict each other.
    pub async fn reload(&self, store: &ChainStore) -> Result<(), ModelError> {
        let state = Self::stored(&self.info, self.id, store).await?;
        let measured = store.last_accuracy(self.id).await?;
        *self.state_mut() = state;
        self.set_measured(measured);
        store.loaded(self.id).await?;
        Ok(())
    }

    /// Reads the changes that another process has stored since the last call.
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
        let measured = store.last_accuracy(self.id).await?;
        let taken = {
            let mut state = self.state_mut();
            replay(&mut state, logs).map(|()| state.cursor = cursor)
        };
        self.set_measured(measured);
        match taken {
            Ok(()) => Ok(()),
            // A rollback happened meanwhile.
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
    /// Returns a summary of the model at the time `now`, in Unix seconds.
    #[must_use]
    pub fn summary(&self, now: u64) -> Summary {
        let measured = *self.measured.read().unwrap_or_else(PoisonError::into_inner);
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
            measured,
        }
    }

    /// Returns the sums over all contributions up to the last block.
    #[must_use]
    pub fn sums(&self) -> Sums {
        *self.state().ledger().sums()
    }

    /// Returns the deposit of each of `n` contributions in one transaction, in wei.
    /// `now` is in Unix seconds.
    #[must_use]
    pub fn price(&self, n: u64, now: u64) -> u128 {
        self.state().trainer().price(n, now)
    }

    /// Returns the account of an address; an unused account has zeros.
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

    /// Predicts the label of a sample with the contract's reference model.
    ///
    /// It also returns the score ([`score::predict`]).
    ///
    /// # Errors
    /// If the sample is malformed.
    pub fn predict(&self, sample: &[u8]) -> Result<(u16, Option<f64>), ContractError> {
        score::predict(self.state().trainer().classifier(), sample)
    }

    /// Returns number and hash of the last block, and the weights after it.
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

/// Maximum number of blocks between the creation of a model and its closing.
const BLOCKS_BEFORE_CLOSING: u64 = 100_000;

/// Reads the events up to the block of the closing: deposits and nonces may precede it.
async fn early<L: Ledger, S: EventSource>(
    info: &ModelInfo,
    source: &S,
    store: &ChainStore,
    id: ModelId,
    cursor: Cursor,
) -> Result<Taken, ModelError> {
    /// Maximum number of requests for events if the contract contradicts them.
    const TRIES: u32 = 8;
    let trainer = info.facts.trainer;
    let mut tries = 1;
    loop {
        let (state, taken) = match read_early::<L, S>(info, source, store, id, cursor).await {
            // The node may have left out an earlier event.
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
            // A surplus that someone forced on the contract stays; a missing event shows up later.
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
