//! What is served: everything that the HTTP API and the command line ask for.

mod handing_in;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use alloy_primitives::{Address, B256, Bytes};
use cotrain_bindings::Revert;
use cotrain_chain::node::{Block, Node};
use cotrain_protocol::{Rejection, trainer::Trainer};
use tokio::sync::{mpsc, watch};

use crate::{
    card::{Card, explain, explain_revert},
    index::{Follower, IndexError},
    keep::record,
    model::{HostedModel, ModelError, ModelInfo},
    registry::{self, RegistryError},
    rows::{
        AccuracyRow, ClaimKind, ClaimRow, ContributionFilter, ContributionRow, DelegationRow,
        EventRow, Page, Submission, TransactionRow,
    },
    store::{Store, StoreError},
};

pub(crate) use self::handing_in::RelayTerms;
pub use self::handing_in::SubmitError;
use self::handing_in::{STORED_TOGETHER, ToStore, store_together};

/// The largest model that is followed because it is registered, in words of 32 bytes.
const MOST_REGISTERED_WORDS: usize = 1 << 16;

/// A claim that an address can make, or may later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimable {
    /// What is claimed.
    pub row: ContributionRow,
    /// How.
    pub kind: ClaimKind,
    /// From when on, in Unix seconds.
    pub from: u64,
    /// Whether it would succeed now.
    pub possible: bool,
    /// What it would bring, or could, in wei.
    pub amount: u128,
    /// Why not, in words.
    pub reason: Option<String>,
    /// `true` if it is a report that has to be announced first, and can be now.
    pub announce: bool,
    /// The last second of a report for which the contribution is announced, in Unix seconds.
    pub until: Option<u64>,
}

/// How the coordinator is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether it is the one that indexes and sends.
    pub leader: bool,
    /// Whether the database answers.
    pub store: bool,
    /// Whether the node answered when it was last asked.
    pub node: bool,
    /// The number of the chain's last block, as far as is known.
    pub head: Option<u64>,
    /// Of each model its trainer, the last block that was read, and how many there are after it.
    pub models: Vec<(Address, u64, u64)>,
    /// Models that cannot be followed now, or of which the events read do not fit the contract, and why.
    pub stopped: Vec<(Address, String)>,
}

/// What is known of the chain and of the services, for [`Health`].
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    pub(crate) leader: AtomicBool,
    pub(crate) node: AtomicBool,
    /// 0: not known.
    pub(crate) head: AtomicU64,
    /// Time of the chain's next block, in Unix seconds.
    pub(crate) now: AtomicU64,
    pub(crate) stopped: RwLock<BTreeMap<Address, String>>,
}

struct Inner {
    node: Node,
    store: Store,
    models: RwLock<BTreeMap<Address, Arc<HostedModel>>>,
    relay: Option<RelayTerms>,
    keeper: Option<Address>,
    writer: mpsc::Sender<ToStore>,
    events: watch::Sender<i64>,
    vitals: Vitals,
}

/// Models that are followed, and what contributors hand in for them; cheap to clone.
#[derive(Clone)]
pub struct Coordinator(Arc<Inner>);

impl Coordinator {
    /// Over a database and a node, with no model yet; within a tokio runtime.
    pub(crate) fn new(
        node: Node,
        store: Store,
        relay: Option<RelayTerms>,
        keeper: Option<Address>,
    ) -> Self {
        let (writer, to_store) = mpsc::channel(4 * STORED_TOGETHER);
        tokio::spawn(store_together(store.clone(), to_store));
        Self(Arc::new(Inner {
            node,
            store,
            models: RwLock::default(),
            relay,
            keeper,
            writer,
            events: watch::Sender::new(0),
            vitals: Vitals::default(),
        }))
    }

    /// Follows models for one user, without relaying or serving: over a database of its own, up to the chain's head.
    ///
    /// # Errors
    /// Where a model cannot be read, or followed.
    pub async fn local(
        node: Node,
        store: Store,
        registry: Option<Address>,
        trainers: &[Address],
        from_block: Option<u64>,
    ) -> Result<Self, LocalError> {
        let coordinator = Self::new(node, store, None, None);
        for trainer in trainers {
            coordinator
                .add_model(registry, *trainer, from_block, true)
                .await?;
        }
        coordinator.catch_up().await?;
        Ok(coordinator)
    }

    /// Follows all models up to the chain's head.
    ///
    /// # Errors
    /// Where a model cannot be followed.
    pub async fn catch_up(&self) -> Result<(), LocalError> {
        for model in self.models() {
            let (node, store) = (self.0.node.clone(), self.0.store.clone());
            let head = Follower::new(node, store, model, None).catch_up().await?;
            self.note_head(head);
            self.note_now(self.0.node.now_after(&head).await);
        }
        self.announce().await?;
        Ok(())
    }

    /// What the node said last.
    pub(crate) fn note_head(&self, head: Block) {
        let vitals = &self.0.vitals;
        vitals.node.store(true, Ordering::Relaxed);
        vitals.head.store(head.number, Ordering::Relaxed);
        vitals.now.fetch_max(head.time, Ordering::Relaxed);
    }

    /// Notes the time of the chain's next block, as the node tells it.
    pub(crate) fn note_now(&self, now: u64) {
        self.0.vitals.now.store(now, Ordering::Relaxed);
    }

    /// Returns the time of the chain, in Unix seconds: that of its next block, as far as the node tells. All rules go
    /// by it, and never by the clock of this machine. 0 before the node has answered.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.0.vitals.now.load(Ordering::Relaxed)
    }

    /// Begins to follow a model; if nobody has named it, only one that runs this release's code and is not too
    /// large: anybody can register anything.
    pub(crate) async fn add_model(
        &self,
        registry: Option<Address>,
        trainer: Address,
        from_block: Option<u64>,
        named: bool,
    ) -> Result<Arc<HostedModel>, LocalError> {
        let card = match registry {
            Some(registry) => registry::card(&self.0.node, registry, trainer).await?,
            None => None,
        };
        let info = ModelInfo::read(&self.0.node, trainer, card, from_block).await?;
        let words = info.facts.parameters.word_count();
        let reason = if !info.facts.own_code {
            Some("its code is not of this release".to_owned())
        } else if words > MOST_REGISTERED_WORDS {
            Some(format!(
                "it has {words} words, more than {MOST_REGISTERED_WORDS}"
            ))
        } else {
            None
        };
        if let Some(reason) = reason.filter(|_| !named) {
            return Err(ModelError::PassedOver { trainer, reason }.into());
        }
        let model = Arc::new(HostedModel::load(info, &self.0.node, &self.0.store).await?);
        let mut models = self
            .0
            .models
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        models.insert(trainer, model.clone());
        Ok(model)
    }

    /// Tells those who watch that there may be new events.
    pub(crate) async fn announce(&self) -> Result<(), StoreError> {
        let last = self.0.store.last_event().await?;
        self.0.events.send_if_modified(|known| {
            let news = *known != last;
            *known = last;
            news
        });
        Ok(())
    }

    pub(crate) fn node(&self) -> &Node {
        &self.0.node
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn vitals(&self) -> &Vitals {
        &self.0.vitals
    }

    /// Of the chain.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.0.node.chain_id()
    }

    /// Who relays; none where nothing is relayed.
    #[must_use]
    pub fn relayer(&self) -> Option<Address> {
        self.0.relay.map(|relay| relay.relayer)
    }

    /// What relaying costs for each contribution, in wei; none where nothing is relayed.
    #[must_use]
    pub fn min_fee(&self) -> Option<u128> {
        self.0.relay.map(|relay| relay.min_fee)
    }

    /// Who claims for others; none where nobody does.
    #[must_use]
    pub fn keeper(&self) -> Option<Address> {
        self.0.keeper
    }

    /// All models, in order of their trainers' addresses.
    #[must_use]
    pub fn models(&self) -> Vec<Arc<HostedModel>> {
        let models = self.0.models.read().unwrap_or_else(PoisonError::into_inner);
        models.values().cloned().collect()
    }

    /// One model.
    #[must_use]
    pub fn model(&self, trainer: Address) -> Option<Arc<HostedModel>> {
        let models = self.0.models.read().unwrap_or_else(PoisonError::into_inner);
        models.get(&trainer).cloned()
    }

    /// What became of a signed batch, by its id.
    ///
    /// # Errors
    /// Where the database fails, here and below.
    pub async fn submission(&self, id: B256) -> Result<Option<Submission>, StoreError> {
        self.0.store.submission(id).await
    }

    /// Signed batches in the order in which they were handed in, with the number by which a page begins.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn submissions(
        &self,
        trainer: Address,
        author: Option<Address>,
        page: Page,
    ) -> Result<Vec<(i64, Submission)>, StoreError> {
        match self.model(trainer) {
            Some(model) => self.0.store.submissions(model.id, author, page).await,
            None => Ok(Vec::new()),
        }
    }

    /// Contributions in order of position.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn contributions(
        &self,
        trainer: Address,
        filter: ContributionFilter,
        page: Page,
    ) -> Result<Vec<ContributionRow>, StoreError> {
        let Some(model) = self.model(trainer) else {
            return Ok(Vec::new());
        };
        let mut rows = self.0.store.contributions(model.id, filter, page).await?;
        mark_announced(&mut rows, model.state().trainer());
        Ok(rows)
    }

    /// One contribution.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn contribution(
        &self,
        trainer: Address,
        position: u64,
    ) -> Result<Option<ContributionRow>, StoreError> {
        let Some(model) = self.model(trainer) else {
            return Ok(None);
        };
        let mut row = self.0.store.contribution(model.id, position).await?;
        mark_announced(row.as_mut_slice(), model.state().trainer());
        Ok(row)
    }

    /// The claims on a contribution, in order.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn claims_of(
        &self,
        trainer: Address,
        position: u64,
    ) -> Result<Vec<ClaimRow>, StoreError> {
        match self.model(trainer) {
            Some(model) => self.0.store.claims(model.id, position).await,
            None => Ok(Vec::new()),
        }
    }

    /// What `refund`, `report` and `claimLate` take to claim these contributions, with their proofs; positions that
    /// there are not are passed over.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn claims(
        &self,
        trainer: Address,
        positions: &[u64],
    ) -> Result<Vec<cotrain_protocol::record::Claims>, StoreError> {
        let Some(model) = self.model(trainer) else {
            return Ok(Vec::new());
        };
        let mut batches: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for position in positions {
            if let Some(row) = self.0.store.contribution(model.id, *position).await? {
                batches.entry(row.batch).or_default().push(*position);
            }
        }
        let mut groups = Vec::with_capacity(batches.len());
        for (batch, positions) in batches {
            groups.push(record(&self.0.store.batch(model.id, batch).await?).claims(&positions));
        }
        Ok(groups)
    }

    /// The group of claims, with its proof, that `refund`, `report` and `claimLate` take for one contribution alone.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn proof(
        &self,
        trainer: Address,
        position: u64,
    ) -> Result<Option<Bytes>, StoreError> {
        let claims = self.claims(trainer, &[position]).await?;
        Ok(claims.first().map(|group| group.encode().into()))
    }

    /// What an address can claim now or may later, of at most `limit` contributions: refunds of its own, and reports
    /// of others' that the model disagrees with.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn claimable(
        &self,
        trainer: Address,
        account: Address,
        limit: u32,
    ) -> Result<Vec<Claimable>, StoreError> {
        let Some(model) = self.model(trainer) else {
            return Ok(Vec::new());
        };
        let now = self.now();
        let page = Page::first(limit);
        let mut own = self
            .0
            .store
            .open_until(model.id, u64::MAX, Some(account), page)
            .await?;
        let mut all = self.0.store.open_until(model.id, now, None, page).await?;
        let state = model.state();
        let trainer = state.trainer();
        mark_announced(&mut own, trainer);
        mark_announced(&mut all, trainer);
        let wait = model.info().waits.refund;
        let mut claimable = Vec::new();
        for row in own {
            let predicted = trainer.classifier().predict(&row.contribution.sample);
            let outcome = predicted
                .and_then(|predicted| trainer.can_refund(now, &row.contribution, predicted));
            let left = row.contribution.deposit - row.taken;
            let card = model.info().card.as_ref();
            claimable.push(claim(row, ClaimKind::Refund, wait, outcome, left, card));
        }
        for row in all
            .into_iter()
            .filter(|row| row.contribution.author != account)
        {
            let predicted = trainer.classifier().predict(&row.contribution.sample);
            let Ok(predicted) = predicted else { continue };
            if predicted == row.contribution.label {
                continue;
            }
            let outcome = trainer.can_report(account, now, &row.contribution, predicted);
            if matches!(outcome, Err(Rejection::AlreadyReported { .. })) {
                continue;
            }
            let announced = trainer.announcement(row.contribution.position);
            let running = announced.filter(|announced| now <= announced.until);
            let could = trainer.could_report(account, now, &row.contribution, predicted);
            let announce = running.is_none()
                && outcome.is_err()
                && could.is_ok()
                && trainer
                    .can_announce(now, &row.contribution, predicted)
                    .is_ok();
            let mut report = claim(
                row,
                ClaimKind::Report,
                wait,
                outcome,
                could.unwrap_or(0),
                model.info().card.as_ref(),
            );
            report.announce = announce;
            if let Some(running) = running {
                report.from = report.from.max(running.earliest);
                report.until = Some(running.until);
            }
            claimable.push(report);
        }
        claimable.sort_by_key(|one| one.row.contribution.position);
        Ok(claimable)
    }

    /// How good a model was, from the number of contributions on that the page names.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn accuracy(
        &self,
        trainer: Address,
        page: Page,
    ) -> Result<Vec<AccuracyRow>, StoreError> {
        match self.model(trainer) {
            Some(model) => self.0.store.accuracy(model.id, page).await,
            None => Ok(Vec::new()),
        }
    }

    /// Changes in the order in which they became known, of one model or all.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn events(
        &self,
        trainer: Option<Address>,
        page: Page,
    ) -> Result<Vec<EventRow>, StoreError> {
        let model = match trainer {
            Some(trainer) => match self.model(trainer) {
                Some(model) => Some(model.id),
                None => return Ok(Vec::new()),
            },
            None => None,
        };
        let explain = |trainer, reason: &Revert| {
            let model = self.model(trainer);
            let card = model.as_ref().and_then(|model| model.info().card.as_ref());
            explain_revert(reason, card)
        };
        self.0.store.events(model, page, explain).await
    }

    /// Wakes when there may be new events; read them after the last one seen.
    #[must_use]
    pub fn watch_events(&self) -> watch::Receiver<i64> {
        self.0.events.subscribe()
    }

    /// Transactions that were sent, in order.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn transactions(&self, page: Page) -> Result<Vec<TransactionRow>, StoreError> {
        self.0.store.transactions(page).await
    }

    /// What an account lets the keeper do.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn delegation(
        &self,
        trainer: Address,
        account: Address,
    ) -> Result<Option<DelegationRow>, StoreError> {
        match self.model(trainer) {
            Some(model) => self.0.store.delegation(model.id, account).await,
            None => Ok(None),
        }
    }

    /// How all of it is.
    pub async fn health(&self) -> Health {
        let store = self.0.store.is_alive().await;
        let vitals = &self.0.vitals;
        let head = match vitals.head.load(Ordering::Relaxed) {
            0 => None,
            head => Some(head),
        };
        let models = self.models();
        let models = models.iter().map(|model| {
            let cursor = model.state().cursor.block;
            let behind = head.unwrap_or(cursor).saturating_sub(cursor);
            (model.info().facts.trainer, cursor, behind)
        });
        let mut stopped = vitals
            .stopped
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for model in self.models() {
            if let Some(trouble) = model.trouble() {
                stopped.entry(model.info().facts.trainer).or_insert(trouble);
            }
        }
        Health {
            leader: vitals.leader.load(Ordering::Relaxed),
            store,
            node: vitals.node.load(Ordering::Relaxed),
            head,
            models: models.collect(),
            stopped: stopped.into_iter().collect(),
        }
    }
}

/// Why models cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The registry cannot be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A model cannot be read.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Its events cannot be followed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// `at_best`: what it may bring, where it brings nothing now.
fn claim(
    row: ContributionRow,
    kind: ClaimKind,
    wait: u64,
    outcome: Result<u128, Rejection>,
    at_best: u128,
    card: Option<&Card>,
) -> Claimable {
    Claimable {
        from: row.contribution.time.saturating_add(wait),
        row,
        kind,
        possible: outcome.is_ok(),
        amount: *outcome.as_ref().unwrap_or(&at_best),
        reason: outcome.err().map(|reason| explain(&reason, card)),
        announce: false,
        until: None,
    }
}

/// Writes into rows when they were last announced.
fn mark_announced(rows: &mut [ContributionRow], trainer: &Trainer) {
    for row in rows {
        row.announced = trainer.announced(row.contribution.position);
    }
}
