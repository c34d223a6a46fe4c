//! A model that is followed: what is fixed of it, and its state.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use alloy_primitives::{Address, B256, U256};
use cotrain_bindings::{self as bindings, events::TRAINER_TOPICS, state as getters};
use cotrain_chain::node::{At, Node, NodeError};
use cotrain_client::model::{ModelFacts, ReadError, Reader};
use cotrain_protocol::{
    Rejection,
    mechanism::{Mechanism, Terms},
    trainer::{Incentive, Waits},
};

use crate::{
    card::{Card, Contradiction},
    evidence::{Totals, Verdict},
    pending::Pending,
    rows::AccuracyRow,
    state::{State, TakeError},
    store::{Cursor, Log, ModelId, Store, StoreError, Taken},
};

/// A model on a chain, with the words of its owner.
#[derive(Debug, Clone)]
pub struct ModelInfo {
    /// Facts that the contracts fix.
    pub facts: ModelFacts,
    /// Rules of payment.
    pub incentive: Incentive,
    /// Waits before claims.
    pub waits: Waits,
    /// The fact of the card that differs from the contract's, if one does.
    pub contradiction: Option<Contradiction>,
    /// The owner's description, if the model is registered; without its encoder if that contradicts the contract.
    pub card: Option<Card>,
    /// The block in which its initialisation was closed: nothing happened before.
    pub from_block: u64,
}

/// Why a model cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The node failed.
    #[error("cannot read the model {trainer} from the node")]
    Node {
        /// Of the model.
        trainer: Address,
        /// Why.
        source: NodeError,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node has deleted events that are needed.
    #[error(
        "the node does not have the events of block {block}, and the model {trainer}, closed in block {from_block}, needs all events since its creation; use a node that keeps them; an archive of old states is not needed"
    )]
    History {
        /// Trainer of the model.
        trainer: Address,
        /// First block that is needed.
        block: u64,
        /// Block in which the model was closed.
        from_block: u64,
        /// The node's refusal.
        source: NodeError,
    },
    /// It cannot be read, and not because of the node.
    #[error(transparent)]
    Read(ReadError),
    /// It is of a mechanism without deposits and claims.
    #[error("{trainer} is a {}; expected a model with deposits and claims", mechanism.description().title)]
    NoTrainer {
        /// Address of the contract.
        trainer: Address,
        /// Its mechanism.
        mechanism: Mechanism,
    },
    /// It is not finished.
    #[error(
        "the model {trainer} was not closed in block {block}; wait until its owner has closed it, or name a later block to begin with"
    )]
    Open {
        /// Of the model.
        trainer: Address,
        /// In which block.
        block: u64,
    },
    /// Something happened before the block that is to be the first.
    #[error(
        "the model {trainer} has {contributions} contributions in block {block} already, so its first weights cannot be read; name the block in which it was closed, if that is another one"
    )]
    Late {
        /// Of the model.
        trainer: Address,
        /// The block to begin with.
        block: u64,
        /// What came before it.
        contributions: u64,
    },
    /// Nobody says where to begin.
    #[error(
        "nobody says in which block the model {trainer} was closed: its card does not, or it is not registered; set `from_block`"
    )]
    NoBeginning {
        /// Of the model.
        trainer: Address,
    },
    /// It is registered, and nobody here has asked for it.
    #[error(
        "the model {trainer} is registered and passed over: {reason}; name it in `models` to follow it all the same"
    )]
    PassedOver {
        /// Of the model.
        trainer: Address,
        /// The fact that speaks against it.
        reason: String,
    },
    /// The weights are not of the model's form.
    #[error("the weights of the model {trainer} do not fit its parameters")]
    Weights {
        /// Of the model.
        trainer: Address,
        /// Why.
        source: Rejection,
    },
    /// What happened does not follow from what is known.
    #[error(transparent)]
    Take(#[from] TakeError),
}

impl From<ReadError> for ModelError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Node { trainer, source } => Self::Node { trainer, source },
            other => Self::Read(other),
        }
    }
}

impl ModelInfo {
    /// Reads what is fixed of a model from a chain. `from_block` is wanted where there is no card.
    ///
    /// # Errors
    /// [`ModelError`].
    pub async fn read(
        node: &Node,
        trainer: Address,
        card: Option<Card>,
        from_block: Option<u64>,
    ) -> Result<Self, ModelError> {
        let from_block = from_block.or(card.as_ref().map(|card| card.from_block));
        let from_block = from_block.ok_or(ModelError::NoBeginning { trainer })?;
        let facts = ModelFacts::read(node, trainer).await?;
        let Terms::Trainer { incentive, waits } = facts.terms else {
            let mechanism = facts.terms.mechanism();
            return Err(ModelError::NoTrainer { trainer, mechanism });
        };
        let checked = card
            .as_ref()
            .map(|card| card.check_against(&facts.parameters));
        let contradiction = checked.and_then(Result::err);
        let mut card = card;
        if let (Some(contradiction), Some(card)) = (&contradiction, &mut card) {
            tracing::warn!(%trainer, "{contradiction}: no samples are made by the card");
            card.encoder = None;
        }
        Ok(Self {
            facts,
            incentive,
            waits,
            contradiction,
            card,
            from_block,
        })
    }

    /// Returns whether the model runs this release's code and its card says of samples what the contract does. That its
    /// classifier obeys this trainer alone is known of every model that is followed.
    #[must_use]
    pub fn verified(&self) -> bool {
        self.facts.own_code && self.contradiction.is_none()
    }

    /// Returns the error of a node that did not give events from a block on.
    pub(crate) fn no_history(&self, block: u64, source: NodeError) -> ModelError {
        let trainer = self.facts.trainer;
        match source {
            NodeError::HistoryGone { .. } => ModelError::History {
                trainer,
                block,
                from_block: self.from_block,
                source,
            },
            source => ModelError::Node { trainer, source },
        }
    }

    /// Reads the weights with which a finished model begins: those of the block in which it was closed or, if the
    /// node has no state so old, those of now.
    ///
    /// # Errors
    /// [`ModelError::Open`], [`ModelError::Late`], or if the node fails.
    async fn beginning(&self, node: &Node) -> Result<(Cursor, Beginning), ModelError> {
        let (trainer, block) = (self.facts.trainer, self.from_block);
        let first = node.block(block).await;
        let first = first.map_err(|source| self.no_history(block, source))?;
        let first = first.ok_or(ModelError::Open { trainer, block })?;
        let from = Cursor {
            block,
            hash: first.hash,
        };
        let read = self.state_at(node, from).await;
        let (contributions, time, words) = match read {
            Err(ModelError::Node { source, .. }) if source.is_state_gone() => {
                tracing::info!(%trainer, block, "the node has forgotten the state of the block in which the model was closed; beginning with its present weights");
                let (base, words, time) = self.present(node).await?;
                let beginning = Beginning {
                    base: Some(base),
                    words,
                    time,
                };
                return Ok((from, beginning));
            }
            read => read?,
        };
        if contributions != 0 {
            return Err(ModelError::Late {
                trainer,
                block,
                contributions,
            });
        }
        let beginning = Beginning {
            base: None,
            words,
            time,
        };
        Ok((from, beginning))
    }

    /// Reads the weights of the latest block, with that block and the time of the last contribution. A node needs
    /// no old state for it.
    ///
    /// # Errors
    /// [`ModelError::Open`], or if the node fails.
    pub(crate) async fn present(
        &self,
        node: &Node,
    ) -> Result<(Cursor, Vec<U256>, u64), ModelError> {
        /// Times that it is tried: a node that keeps only its latest state forgets it while it is read.
        const TRIES: u32 = 5;
        let trainer = self.facts.trainer;
        let mut tries = 1;
        loop {
            let head = node.head().await;
            let head = head.map_err(|source| ModelError::Node { trainer, source })?;
            let base = Cursor {
                block: head.number,
                hash: head.hash,
            };
            match self.state_at(node, base).await {
                Ok((_, time, words)) => return Ok((base, words, time)),
                Err(ModelError::Node {
                    source: NodeError::StateGone { .. } | NodeError::UnknownBlock { .. },
                    ..
                }) if tries < TRIES => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads contributions, time of the last one and weights after a block.
    async fn state_at(
        &self,
        node: &Node,
        block: Cursor,
    ) -> Result<(u64, u64, Vec<U256>), ModelError> {
        let (trainer, classifier) = (self.facts.trainer, self.facts.classifier);
        let failed = |source| ModelError::Node { trainer, source };
        let at = Some(At::Hash(block.hash));
        let open = ModelError::Open {
            trainer,
            block: block.block,
        };
        let closed = match node.call(classifier, bindings::describe(), at).await {
            Ok(answer) => bindings::read_description(&answer).and_then(|found| found.trainer),
            Err(NodeError::Reverted { .. }) => None,
            Err(source) => return Err(failed(source)),
        };
        if closed != Some(trainer) {
            return Err(open);
        }
        let reader = Reader::new(node, trainer, at);
        let contributions = reader
            .number("contributionCount", getters::contribution_count())
            .await?;
        let time = reader
            .number("lastContributionTime", getters::last_contribution_time())
            .await?;
        let words = self.facts.words(node, at).await?;
        Ok((contributions, time, words))
    }
}

/// Weights with which a model begins.
#[derive(Debug, Clone)]
pub(crate) struct Beginning {
    /// Block after which the weights are those of `words`; `None` if it is that in which the model was closed.
    pub(crate) base: Option<Cursor>,
    pub(crate) words: Vec<U256>,
    /// Time that prices count from before the first contribution, in Unix seconds.
    pub(crate) time: u64,
}

impl ModelInfo {
    /// What happened until the model was closed, that block included: money and nonces, which do not wait for it.
    async fn early(
        &self,
        node: &Node,
        store: &Store,
        id: ModelId,
        cursor: Cursor,
    ) -> Result<Taken, ModelError> {
        /// Times that events are asked for which the contract contradicts.
        const TRIES: u32 = 8;
        let trainer = self.facts.trainer;
        let mut tries = 1;
        loop {
            let (state, taken) = self.read_early(node, store, id, cursor).await?;
            let contract = Totals::read(node, trainer, cursor).await;
            let contract = contract.map_err(|source| ModelError::Node { trainer, source })?;
            let events = Totals::of(state.trainer());
            match contract.map_or(Verdict::Fits, |contract| events.against(&contract)) {
                Verdict::Fits => return Ok(taken),
                // Money that somebody forced upon the contract stays; a missing event does not.
                Verdict::Surplus(_) if !self.facts.own_code || tries >= TRIES => return Ok(taken),
                Verdict::Differs(_) if !self.facts.own_code => return Ok(taken),
                Verdict::Differs(message) if tries >= TRIES => {
                    let method = "eth_getLogs";
                    let source = NodeError::Contradictory { method, message };
                    return Err(ModelError::Node { trainer, source });
                }
                Verdict::Surplus(_) | Verdict::Differs(_) => tries += 1,
            }
        }
    }

    async fn read_early(
        &self,
        node: &Node,
        store: &Store,
        id: ModelId,
        cursor: Cursor,
    ) -> Result<(State, Taken), ModelError> {
        let trainer = self.facts.trainer;
        let beginning = store.beginning(id).await?;
        let state = State::new(self, &beginning, cursor);
        let mut state = state.map_err(|source| ModelError::Weights { trainer, source })?;
        let mut taken = Taken::default();
        let mut from = cursor.block.saturating_sub(BLOCKS_BEFORE_CLOSING);
        while from <= cursor.block {
            let (logs, to) = node
                .logs_from(from, cursor.block, &[trainer], &TRAINER_TOPICS)
                .await
                .map_err(|source| self.no_history(from, source))?;
            for log in logs {
                state.take(Log::from(log), &mut taken)?;
            }
            from = to + 1;
        }
        taken.blocks = vec![(cursor.block, cursor.hash)];
        Ok((state, taken))
    }
}

/// How long before its closing a model is created, at most, in blocks.
const BLOCKS_BEFORE_CLOSING: u64 = 100_000;

/// A model that is followed.
#[derive(Debug)]
pub struct HostedModel {
    info: ModelInfo,
    pub(crate) id: ModelId,
    /// The index writes, everyone else reads; never held across a wait.
    state: RwLock<State>,
    /// What waits to be relayed.
    pub(crate) pending: Pending,
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

/// What an address has in a trainer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountView {
    /// Prepaid, in wei.
    pub balance: u128,
    /// Contributions that were refunded.
    pub good: u64,
    /// The lowest nonce that is above all that are used and all that wait.
    pub next_nonce: u64,
    /// What those that wait may cost at most, in wei.
    pub committed: u128,
}

impl HostedModel {
    /// A model with its state as it is stored; where it is new, from the chain.
    pub(crate) async fn load(
        info: ModelInfo,
        node: &Node,
        store: &Store,
    ) -> Result<Self, ModelError> {
        let (chain_id, trainer) = (info.facts.chain_id, info.facts.trainer);
        let mut known = store.model(chain_id, trainer).await?;
        if known.is_none() {
            let (from, beginning) = info.beginning(node).await?;
            store.add_model(chain_id, trainer, from, &beginning).await?;
            known = store.model(chain_id, trainer).await?;
        }
        let (id, cursor, _) = known.ok_or(StoreError::Malformed {
            what: "no model that was just added",
        })?;
        if store.known_blocks(id).await?.is_empty() {
            let early = info.early(node, store, id, cursor).await?;
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
            pending: Pending::default(),
            accuracy: RwLock::new(accuracy),
            standing: RwLock::new(Standing::Unchecked),
        };
        model.pending.load(store, id).await?;
        Ok(model)
    }

    /// What is fixed.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The model now; `now` in Unix seconds.
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

    /// What each of `n` contributions in one transaction deposits, in wei; `now` in Unix seconds.
    #[must_use]
    pub fn price(&self, n: u64, now: u64) -> u128 {
        self.state().trainer().price(n, now)
    }

    /// What an address has.
    #[must_use]
    pub fn account(&self, address: Address) -> AccountView {
        let waiting = self.pending.of(address);
        let state = self.state();
        let trainer = state.trainer();
        let next = trainer.next_nonce(address);
        AccountView {
            balance: trainer.balance(address),
            good: trainer.good(address),
            next_nonce: waiting
                .highest_nonce
                .map_or(next, |highest| next.max(highest + 1)),
            committed: waiting.committed,
        }
    }

    /// Predicts the label of a sample, by the twin of the contract.
    ///
    /// # Errors
    /// Where the sample is malformed.
    pub fn predict(&self, sample: &[u8]) -> Result<u16, Rejection> {
        self.state().trainer().classifier().predict(sample)
    }

    /// The weights, and number and hash of the block that they are of.
    #[must_use]
    pub fn words(&self) -> (u64, B256, Vec<U256>) {
        let state = self.state();
        (
            state.cursor.block,
            state.cursor.hash,
            state.trainer().classifier().words(),
        )
    }

    pub(crate) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
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

    pub(crate) fn set_standing(&self, standing: Standing) {
        *self
            .standing
            .write()
            .unwrap_or_else(PoisonError::into_inner) = standing;
    }

    /// Returns why what is known of the model may not be what its contract says, if it may not.
    pub(crate) fn trouble(&self) -> Option<String> {
        match self.standing() {
            Standing::Fits => None,
            Standing::Unchecked => Some("it was not yet held against its contract".to_owned()),
            Standing::Doubtful(reason) => Some(reason),
        }
    }

    /// Holds what is known against the contract, for those that read what somebody else has stored.
    ///
    /// # Errors
    /// If the node does not answer, or does not have the block.
    pub(crate) async fn compare(&self, node: &Node) -> Result<(), NodeError> {
        let (cursor, events) = {
            let state = self.state();
            (state.cursor, Totals::of(state.trainer()))
        };
        let contract = Totals::read(node, self.info.facts.trainer, cursor).await?;
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
    pub(crate) async fn rebase(&self, node: &Node, store: &Store) -> Result<(), ModelError> {
        let (base, words, time) = self.info.present(node).await?;
        store.rebase(self.id, base, time, &words).await?;
        Ok(())
    }

    /// Makes the state what the store has: after a rollback, or where storing failed half way.
    pub(crate) async fn reload(&self, store: &Store) -> Result<(), ModelError> {
        let state = Self::stored(&self.info, self.id, store).await?;
        let accuracy = store.last_accuracy(self.id).await?.as_ref().map(share);
        *self.state_mut() = state;
        self.set_accuracy(accuracy);
        self.pending.load(store, self.id).await?;
        Ok(())
    }

    /// Takes over what somebody else has stored since.
    pub(crate) async fn refresh(&self, store: &Store) -> Result<(), ModelError> {
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

    async fn stored(info: &ModelInfo, id: ModelId, store: &Store) -> Result<State, ModelError> {
        const LOGS_AT_A_TIME: u32 = 5_000;
        let trainer = info.facts.trainer;
        loop {
            let known = store.model(info.facts.chain_id, trainer).await?;
            let (_, cursor, rollbacks) = known.ok_or(StoreError::Malformed { what: "no model" })?;
            let beginning = store.beginning(id).await?;
            let state = State::new(info, &beginning, cursor);
            let mut state = state.map_err(|source| ModelError::Weights { trainer, source })?;
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

fn replay(state: &mut State, logs: Vec<(i64, Log)>) -> Result<(), TakeError> {
    let mut taken = Taken::default();
    for (id, log) in logs {
        state.take(log, &mut taken)?;
        state.last_log = id;
    }
    Ok(())
}

/// Of the samples, those that were predicted right.
// Counts of samples are far below 2^52.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of samples are far below 2^52"
)]
pub(crate) fn share(row: &AccuracyRow) -> f64 {
    row.correct as f64 / row.samples.max(1) as f64
}
