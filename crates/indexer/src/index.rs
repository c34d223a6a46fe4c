//! The index: followed models and markets, and all questions about them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use alloy_primitives::{Address, Bytes};
use cotrain_bindings::Revert;
use cotrain_chain::node::{Block, Node};
use cotrain_client::{
    card::{Card, explain, explain_revert},
    registry::RegistryError,
};
use cotrain_learning::vectors::Table;
use cotrain_protocol::{ContractError, classifier::Classifier, record::group_by_record};
use tokio::sync::watch;

use crate::{
    contract::{self, HostedContract},
    contributed::{self, Contributed},
    follower::IndexError,
    info::{ModelError, ModelInfo},
    ledger::Ledger,
    model::{Hosted, HostedMarket, HostedModel},
    rows::{AccuracyRow, ClaimKind, ClaimRow, ContributionFilter, ContributionRow, EventRow, Page},
    source::{ContractSource, InfoError},
    store::{ChainStore, StoreError},
    taken::ModelId,
};

/// Maximum size of a model followed only because it is registered, in 32-byte words.
const MAX_REGISTERED_WORDS: usize = 1 << 16;

/// A claim that an address can make, or may later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimable {
    /// Contribution that is claimed.
    pub row: ContributionRow,
    /// Kind of the claim.
    pub kind: ClaimKind,
    /// First second in which the claim may succeed, in Unix seconds.
    pub from: u64,
    /// Whether the claim would succeed now.
    pub possible: bool,
    /// Sum that the claim would pay now, or could pay later, in wei.
    pub amount: u128,
    /// Reason why the claim would fail now, as text; `None` if it would succeed.
    pub reason: Option<String>,
    /// `true` if the report needs an announcement first, and anyone can announce it now.
    pub announce: bool,
    /// Last second in which the announced contribution can be reported, in Unix seconds.
    /// `None` if no announcement is running.
    pub until: Option<u64>,
}

/// Condition of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether the database answers.
    pub store: bool,
    /// Whether the node answered the last request.
    pub node: bool,
    /// Number of the chain's last block; `None` if unknown.
    pub head: Option<u64>,
    /// Condition of each contract, ordered by address.
    pub contracts: Vec<ContractHealth>,
}

/// Condition of a contract that is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractHealth {
    /// Address of the contract.
    pub address: Address,
    /// Word for contracts of its mechanism.
    pub word: &'static str,
    /// Number of the last block that the follower took.
    pub block: u64,
    /// Number of later blocks on the chain.
    pub behind: u64,
    /// Reason why the index cannot follow the contract now, or why its state may be wrong.
    pub trouble: Option<String>,
}

/// State of node and followers, for [`Health`].
#[derive(Debug, Default)]
struct HealthState {
    node: AtomicBool,
    /// Number of the chain's last block; 0 if unknown.
    head: AtomicU64,
    /// Time of the chain's next block, in Unix seconds.
    now: AtomicU64,
    stopped: RwLock<BTreeMap<Address, String>>,
}

#[derive(Debug)]
struct Inner<S> {
    source: S,
    store: ChainStore,
    /// Tables of word vectors, for the models whose cards name them.
    tables: Vec<Table>,
    contracts: RwLock<BTreeMap<Address, Arc<dyn HostedContract<S>>>>,
    events: watch::Sender<i64>,
    health: HealthState,
}

/// Followed contracts, over a database and a source of events; cheap to clone.
#[derive(Debug)]
pub struct Index<S = Node>(Arc<Inner<S>>);

impl<S> Clone for Index<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Index {
    /// Returns the node that the index reads.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.0.source
    }
}

impl<S: ContractSource> Index<S> {
    /// Creates an index that follows no contract yet.
    #[must_use]
    pub fn new(source: S, store: ChainStore) -> Self {
        Self::with_tables(source, store, Vec::new())
    }

    /// Creates an index with tables of word vectors, which it gives to the models whose cards name
    /// them.
    #[must_use]
    pub fn with_tables(source: S, store: ChainStore, tables: Vec<Table>) -> Self {
        Self(Arc::new(Inner {
            source,
            store,
            tables,
            contracts: RwLock::default(),
            events: watch::Sender::new(0),
            health: HealthState::default(),
        }))
    }

    /// Opens an index for one user, over a database of its own, and follows models to the head.
    ///
    /// # Errors
    /// If a model cannot be read or followed.
    pub async fn open(
        source: S,
        store: ChainStore,
        registry: Option<Address>,
        trainers: &[Address],
        from_block: Option<u64>,
    ) -> Result<Self, FollowError> {
        let index = Self::new(source, store);
        for trainer in trainers {
            index
                .add_model(registry, *trainer, from_block, true)
                .await?;
        }
        index.catch_up().await?;
        Ok(index)
    }

    /// Follows all contracts to the chain's head.
    ///
    /// # Errors
    /// If a contract cannot be followed.
    pub async fn catch_up(&self) -> Result<(), FollowError> {
        for contract in self.contracts() {
            let (source, store) = (self.0.source.clone(), self.0.store.clone());
            let head = contract.follower(source, store, None).catch_up().await?;
            self.note_head(head);
            self.note_now(self.0.source.now_after(&head).await);
        }
        self.announce().await?;
        Ok(())
    }

    /// Records the chain's latest block, as the node reported it.
    pub fn note_head(&self, head: Block) {
        let health = &self.0.health;
        health.node.store(true, Ordering::Relaxed);
        health.head.store(head.number, Ordering::Relaxed);
        health.now.fetch_max(head.time, Ordering::Relaxed);
    }

    /// Returns the number of the chain's latest block; 0 until the node has answered.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.0.health.head.load(Ordering::Relaxed)
    }

    /// Records that the node does not answer.
    pub fn note_silence(&self) {
        self.0.health.node.store(false, Ordering::Relaxed);
    }

    /// Records the time of the chain's next block, as the node reported it, in Unix seconds.
    pub fn note_now(&self, now: u64) {
        self.0.health.now.store(now, Ordering::Relaxed);
    }

    /// Records why a model cannot be followed now; `None` clears the reason.
    pub fn note_trouble(&self, trainer: Address, why: Option<String>) {
        let stopped = &self.0.health.stopped;
        let mut stopped = stopped.write().unwrap_or_else(PoisonError::into_inner);
        match why {
            Some(why) => stopped.insert(trainer, why),
            None => stopped.remove(&trainer),
        };
    }

    /// Returns `true` if a model cannot be followed now, or if its known state may be wrong.
    #[must_use]
    pub fn is_stopped<L: Ledger>(&self, model: &Hosted<L>) -> bool {
        let stopped = &self.0.health.stopped;
        let stopped = stopped.read().unwrap_or_else(PoisonError::into_inner);
        stopped.contains_key(&model.info().facts.trainer) || model.trouble().is_some()
    }

    /// Returns the time of the chain's next block as the node reports it, in Unix seconds.
    ///
    /// All rules use this time, and never this machine's clock.
    /// The result is 0 until the node has answered.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.0.health.now.load(Ordering::Relaxed)
    }

    /// Begins to follow a contract of any mechanism.
    ///
    /// Anyone can register any contract.
    /// So a contract that is not `named` must run this release's code and must not be too large.
    ///
    /// # Errors
    /// If the contract cannot be read, or is passed over.
    pub async fn add(
        &self,
        registry: Option<Address>,
        contract: Address,
        from_block: Option<u64>,
        named: bool,
    ) -> Result<Arc<dyn HostedContract<S>>, FollowError> {
        let info = self.info(registry, contract, from_block, named).await?;
        let hosted = contract::load(info, &self.0.source, &self.0.store).await?;
        self.insert(hosted.clone());
        Ok(hosted)
    }

    /// Begins to follow a model as [`add`](Self::add) does; rejects other mechanisms.
    ///
    /// # Errors
    /// If the contract has no deposits and claims, cannot be read, or is passed over.
    pub async fn add_model(
        &self,
        registry: Option<Address>,
        trainer: Address,
        from_block: Option<u64>,
        named: bool,
    ) -> Result<Arc<HostedModel>, FollowError> {
        let info = self.info(registry, trainer, from_block, named).await?;
        let model = Hosted::load(info, &self.0.source, &self.0.store).await?;
        let model = Arc::new(model);
        self.insert(model.clone());
        Ok(model)
    }

    /// Reads the fixed facts of a contract that the index is about to follow.
    async fn info(
        &self,
        registry: Option<Address>,
        contract: Address,
        from_block: Option<u64>,
        named: bool,
    ) -> Result<ModelInfo, FollowError> {
        let mut info = self.0.source.info(registry, contract, from_block).await?;
        for table in &self.0.tables {
            info.described.give_table(table);
        }
        let words = info.facts.parameters.word_count();
        let reason = if !info.facts.own_code {
            Some("its code is not of this release".to_owned())
        } else if words > MAX_REGISTERED_WORDS {
            Some(format!(
                "it has {words} storage words, more than {MAX_REGISTERED_WORDS}"
            ))
        } else {
            None
        };
        match reason.filter(|_| !named) {
            Some(reason) => Err(ModelError::PassedOver {
                trainer: contract,
                reason,
            }
            .into()),
            None => Ok(info),
        }
    }

    /// Adds a contract to the followed ones.
    fn insert(&self, hosted: Arc<dyn HostedContract<S>>) {
        let address = hosted.info().facts.trainer;
        let contracts = self.0.contracts.write();
        let mut contracts = contracts.unwrap_or_else(PoisonError::into_inner);
        contracts.insert(address, hosted);
    }

    /// Notifies watchers if the database has new events.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn announce(&self) -> Result<(), StoreError> {
        let last = self.0.store.last_event().await?;
        self.0.events.send_if_modified(|known| {
            let news = *known != last;
            *known = last;
            news
        });
        Ok(())
    }

    /// Returns the source that the index reads.
    #[must_use]
    pub fn source(&self) -> &S {
        &self.0.source
    }

    /// Returns the database of the index.
    #[must_use]
    pub fn store(&self) -> &ChainStore {
        &self.0.store
    }

    /// Returns the id of the chain.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.0.source.chain_id()
    }

    /// Returns all followed contracts, ordered by address.
    #[must_use]
    pub fn contracts(&self) -> Vec<Arc<dyn HostedContract<S>>> {
        let contracts = self.0.contracts.read();
        let contracts = contracts.unwrap_or_else(PoisonError::into_inner);
        contracts.values().cloned().collect()
    }

    /// Returns the contract at an address; `None` if the index does not follow it.
    #[must_use]
    pub fn contract(&self, address: Address) -> Option<Arc<dyn HostedContract<S>>> {
        let contracts = self.0.contracts.read();
        let contracts = contracts.unwrap_or_else(PoisonError::into_inner);
        contracts.get(&address).cloned()
    }

    /// Returns all contracts with a ledger of this type, ordered by address.
    #[must_use]
    pub fn all_hosted<L: Ledger>(&self) -> Vec<Arc<Hosted<L>>> {
        let contracts = self.contracts().into_iter();
        contracts.filter_map(typed).collect()
    }

    /// Returns the contract at an address; `None` if it is not followed or has another ledger.
    #[must_use]
    pub fn hosted<L: Ledger>(&self, address: Address) -> Option<Arc<Hosted<L>>> {
        self.contract(address).and_then(typed)
    }

    /// Returns all models with deposits and claims, ordered by the trainer's address.
    #[must_use]
    pub fn models(&self) -> Vec<Arc<HostedModel>> {
        self.all_hosted()
    }

    /// Returns the model of a trainer; `None` if the index does not follow it.
    #[must_use]
    pub fn model(&self, trainer: Address) -> Option<Arc<HostedModel>> {
        self.hosted(trainer)
    }

    /// Returns all markets, ordered by address.
    #[must_use]
    pub fn markets(&self) -> Vec<Arc<HostedMarket>> {
        self.all_hosted()
    }

    /// Returns the market at an address; `None` if the index does not follow it.
    #[must_use]
    pub fn market(&self, address: Address) -> Option<Arc<HostedMarket>> {
        self.hosted(address)
    }

    /// Returns the database's number of a contract; `None` if the index does not follow it.
    #[must_use]
    pub fn id_of(&self, contract: Address) -> Option<ModelId> {
        self.contract(contract).map(|contract| contract.id())
    }

    /// Returns contributions to a model or a market, ordered by position.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn contributions<L: Ledger>(
        &self,
        contract: &Hosted<L>,
        filter: ContributionFilter,
        page: Page,
    ) -> Result<Vec<ContributionRow>, StoreError> {
        let rows = self.0.store.contributions(contract.id(), filter, page);
        let mut rows = rows.await?;
        contract.state().ledger().complete(&mut rows);
        Ok(rows)
    }

    /// Returns one contribution.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn contribution(
        &self,
        model: &HostedModel,
        position: u64,
    ) -> Result<Option<ContributionRow>, StoreError> {
        let mut row = self.0.store.contribution(model.id(), position).await?;
        model.state().ledger().complete(row.as_mut_slice());
        Ok(row)
    }

    /// Returns the claims on a contribution, in chain order.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn claims_of(
        &self,
        model: &HostedModel,
        position: u64,
    ) -> Result<Vec<ClaimRow>, StoreError> {
        self.0.store.claims(model.id(), position).await
    }

    /// Returns contributions with the claims on them up to the block `until`, ordered by position.
    ///
    /// It leaves out contributions of later blocks, so a page may be shorter than its limit.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn contributed(
        &self,
        model: &HostedModel,
        until: u64,
        page: Page,
    ) -> Result<Vec<Contributed>, StoreError> {
        let all = ContributionFilter::default();
        let mut rows = self.0.store.contributions(model.id(), all, page).await?;
        rows.retain(|row| row.block <= until);
        let positions = rows.iter().map(|row| row.contribution.position);
        let (Some(first), Some(last)) = (positions.clone().min(), positions.max()) else {
            return Ok(Vec::new());
        };
        let claims = self.0.store.claims_on(model.id(), first, last).await?;
        Ok(contributed::joined(rows, claims, until))
    }

    /// Returns the model as its owner closed it, before the first contribution; `None` if the node
    /// had forgotten that state.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn founded(&self, model: &HostedModel) -> Result<Option<Classifier>, StoreError> {
        let beginning = self.0.store.beginning(model.id()).await?;
        if beginning.base.is_some() {
            return Ok(None);
        }
        let parameters = model.info().facts.parameters;
        Ok(Classifier::from_words(parameters, &beginning.words).ok())
    }

    /// Returns the arguments of `refund`, `report` and `claimLate` for these contributions.
    /// They include the proofs. Unknown positions are passed over.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn claims(
        &self,
        model: &HostedModel,
        positions: &[u64],
    ) -> Result<Vec<cotrain_protocol::record::Claims>, StoreError> {
        let mut found = Vec::with_capacity(positions.len());
        for position in positions {
            if let Some(row) = self.0.store.contribution(model.id(), *position).await? {
                found.push((row.first_position, *position));
            }
        }
        let batches = group_by_record(found);
        self.0.store.proved(model.id(), batches).await
    }

    /// Returns the group of claims for one contribution alone, with its proof.
    /// `refund`, `report` and `claimLate` take it as their argument.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn proof(
        &self,
        model: &HostedModel,
        position: u64,
    ) -> Result<Option<Bytes>, StoreError> {
        let claims = self.claims(model, &[position]).await?;
        Ok(claims.first().map(|group| group.encode().into()))
    }

    /// Returns the claims that an address can make now, or may make later.
    ///
    /// These are refunds of its own contributions, and reports of others'.
    /// Reports are listed only if the model disagrees with the contribution.
    /// Reads at most `limit` contributions of each kind.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn claimable(
        &self,
        model: &HostedModel,
        account: Address,
        limit: u32,
    ) -> Result<Vec<Claimable>, StoreError> {
        let now = self.now();
        let page = Page::first(limit);
        let mut own = self
            .0
            .store
            .open_until(model.id(), u64::MAX, Some(account), page)
            .await?;
        let mut all = self.0.store.open_until(model.id(), now, None, page).await?;
        let state = model.state();
        let trainer = state.trainer();
        state.ledger().complete(&mut own);
        state.ledger().complete(&mut all);
        let wait = trainer.waits().refund;
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
            if matches!(outcome, Err(ContractError::AlreadyReported { .. })) {
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

    /// Returns the late claims that an address can make now, or may make later: what is left of open
    /// deposits, of any author, after the wait of the owner or of anyone.
    ///
    /// Reads at most `limit` contributions.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn late(
        &self,
        model: &HostedModel,
        account: Address,
        limit: u32,
    ) -> Result<Vec<Claimable>, StoreError> {
        let now = self.now();
        let page = Page::first(limit);
        let open = self.0.store.open_until(model.id(), u64::MAX, None, page);
        let mut open = open.await?;
        let state = model.state();
        let trainer = state.trainer();
        state.ledger().complete(&mut open);
        let waits = trainer.waits();
        let wait = if account == model.info().facts.owner {
            waits.owner_claim
        } else {
            waits.any_address_claim
        };
        let card = model.info().card.as_ref();
        let late = open.into_iter().map(|row| {
            let outcome = trainer.can_claim_late(account, now, &row.contribution);
            let left = row.contribution.deposit - row.taken;
            claim(row, ClaimKind::Late, wait, outcome, left, card)
        });
        Ok(late.collect())
    }

    /// Returns the measured accuracies of a model, by number of contributions.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn accuracy(
        &self,
        model: &HostedModel,
        page: Page,
    ) -> Result<Vec<AccuracyRow>, StoreError> {
        self.0.store.accuracy(model.id(), page).await
    }

    /// Returns changes in the order in which they became known, of one contract or of all.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn events(
        &self,
        model: Option<ModelId>,
        page: Page,
    ) -> Result<Vec<EventRow>, StoreError> {
        let explain = |trainer, reason: &Revert| {
            let model = self.model(trainer);
            let card = model.as_ref().and_then(|model| model.info().card.as_ref());
            explain_revert(reason, card)
        };
        self.0.store.events(model, page, explain).await
    }

    /// Returns a receiver that wakes if there may be new events.
    /// After a wake-up, read the events after the last one seen.
    #[must_use]
    pub fn watch_events(&self) -> watch::Receiver<i64> {
        self.0.events.subscribe()
    }

    /// Returns the condition of the database, the node and the contracts.
    pub async fn health(&self) -> Health {
        let store = self.0.store.is_alive().await;
        let state = &self.0.health;
        let head = match state.head.load(Ordering::Relaxed) {
            0 => None,
            head => Some(head),
        };
        let stopped = state.stopped.read();
        let stopped = stopped.unwrap_or_else(PoisonError::into_inner);
        let contracts = self.contracts().into_iter().map(|contract| {
            let (facts, block) = (&contract.info().facts, contract.cursor().block);
            let reason = stopped.get(&facts.trainer).cloned();
            ContractHealth {
                address: facts.trainer,
                word: contract.info().word(),
                block,
                behind: head.unwrap_or(block).saturating_sub(block),
                trouble: reason.or_else(|| contract.trouble()),
            }
        });
        Health {
            store,
            node: state.node.load(Ordering::Relaxed),
            head,
            contracts: contracts.collect(),
        }
    }
}

/// Reason why contracts cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The registry cannot be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A model cannot be read.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The events of a contract cannot be followed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Returns a contract with its ledger's type; `None` if its ledger has another type.
fn typed<S, L: Ledger>(contract: Arc<dyn HostedContract<S>>) -> Option<Arc<Hosted<L>>> {
    contract.into_any().downcast().ok()
}

impl From<InfoError> for FollowError {
    fn from(error: InfoError) -> Self {
        match error {
            InfoError::Registry(error) => Self::Registry(error),
            InfoError::Model(error) => Self::Model(error),
        }
    }
}

/// Returns a claim; `at_best` is the sum that it may pay later if it pays nothing now.
fn claim(
    row: ContributionRow,
    kind: ClaimKind,
    wait: u64,
    outcome: Result<u128, ContractError>,
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
