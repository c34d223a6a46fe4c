//! The services together: one that follows each model, one that sends, and the HTTP API over what they store.

mod sales;

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alloy_primitives::Address;
use cotrain_chain::{
    keys::{self, DEVELOPMENT_CHAIN, Key, KeyError},
    node::{Node, NodeError, NodeOptions},
};
use cotrain_client::registry::{self, RegistryError};
use cotrain_indexer::{
    ChainStore, Evaluation, EvaluationError, FollowError, HostedContract, Index, ModelError,
    ModelInfo, Step, StoreError, TestSamples, with_sources,
};
use cotrain_learning::{
    data::{DataError, TEST_SHARE, load_for},
    vectors::OpenError,
};
use cotrain_protocol::Amount;
use cotrain_relayer::{
    Queue, RelayTerms, Relayer, ScoreOptions, Sending,
    wait::{Backoff, pause},
};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
    time,
};
use tokio_util::sync::CancellationToken;

use crate::{
    api,
    config::{Config, KeySource, Password},
    coordinator::Coordinator,
    encoders::Encoders,
    labels::Labels,
    payments::{books::OpenError as BooksOpenError, lightning::LightningError},
    simulations::Simulations,
};

/// Interval at which a registry is asked for new models, and leadership is checked.
const SELDOM: Duration = Duration::from_secs(5);

/// Reason why the coordinator stops.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The node cannot be reached at the start.
    #[error("cannot begin without the node")]
    Node(#[from] NodeError),
    /// The database cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger of payments cannot be opened.
    #[error(transparent)]
    Books(#[from] BooksOpenError),
    /// No token of the configuration is on the chain.
    #[error(
        "cannot sell labeling work: no token of `x402.assets` is a contract on this chain; correct the addresses, or `node.url`"
    )]
    NothingToSell,
    /// Nothing can be sold over Lightning.
    #[error("cannot sell labeling work over Lightning")]
    Lightning(#[from] LightningError),
    /// The registry cannot be read.
    #[error(transparent)]
    Registry(Box<RegistryError>),
    /// A model cannot be followed.
    #[error(transparent)]
    Model(Box<FollowError>),
    /// The key cannot be read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A variable is not set.
    #[error("the environment variable {0} is not set; it is to hold the key or its password")]
    NoVariable(String),
    /// A development key elsewhere than on a development chain.
    #[error(
        "`key.development` is everyone's key, and the chain's id is {found}, not {DEVELOPMENT_CHAIN}; use a keystore"
    )]
    DevelopmentKey {
        /// The chain's id.
        found: u64,
    },
    /// A key of everyone, named otherwise than as that, elsewhere than on a development chain.
    #[error(
        "`key` is one of anvil's and hardhat's accounts, which is everyone's key, and the chain's id is {found}, not {DEVELOPMENT_CHAIN}; make one with `cotrain key new`"
    )]
    KnownKey {
        /// The chain's id.
        found: u64,
    },
    /// Relaying, claiming and driving markets send transactions.
    #[error("`{section}` needs a key that sends transactions; set `key`")]
    NoKey {
        /// The section.
        section: &'static str,
    },
    /// There is nothing to follow.
    #[error(
        "there is nothing to serve; set `registry` or `models`, or enable `labels.enabled` or `x402.facilitator`"
    )]
    NoModels,
    /// The keys of two sections are one, so that their transactions would take each other's nonces.
    #[error(
        "`key` and the key of [x402] are both {account}; give payments an account of their own"
    )]
    SharedKey {
        /// The account.
        account: Address,
    },
    /// A file of a table of word vectors cannot be used.
    #[error("cannot use a table of `encoders.files`; correct the list, or put the file there")]
    Encoders(#[from] OpenError),
    /// The test data cannot be read.
    #[error("cannot read the data of `evaluate`")]
    Data(#[from] DataError),
    /// The test data are not of the model's kind.
    #[error("the data of `evaluate` do not fit the model {trainer}")]
    Encode {
        /// Trainer of the model.
        trainer: Address,
        /// Cause.
        source: Box<EvaluationError>,
    },
    /// The address is taken, or not ours.
    #[error(
        "cannot listen on {address}: another program does, or the address is not this machine's; stop it, or set `listen`"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Cause.
        source: std::io::Error,
    },
    /// The server failed.
    #[error("the HTTP server failed")]
    Http(#[source] std::io::Error),
}

impl From<FollowError> for ServeError {
    fn from(error: FollowError) -> Self {
        Self::Model(Box::new(error))
    }
}

impl From<RegistryError> for ServeError {
    fn from(error: RegistryError) -> Self {
        Self::Registry(Box::new(error))
    }
}

/// Serves models until `stop`, then lets requests end and stops everything. `ready` is told where the API listens.
///
/// # Errors
/// [`ServeError`]: what is wrong at the start, or that the server failed. What fails later is tried again.
pub async fn serve(
    config: Config,
    stop: CancellationToken,
    ready: impl FnOnce(SocketAddr) + Send,
) -> Result<(), ServeError> {
    // Before anything that takes time: a port that is taken is known at once.
    let address = config.listen;
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|source| ServeError::Listen { address, source })?;
    let encoders = Encoders::open(&config.encoders)?;
    let options = NodeOptions {
        timeout: config.node.timeout,
        retries: config.node.retries,
    };
    let node = Node::connect(&config.node.url, options).await?;
    let key = config
        .key
        .as_ref()
        .map(|source| read_key(source, node.chain_id()))
        .transpose()?;
    if let Some(section) = config.sends().filter(|_| key.is_none()) {
        return Err(ServeError::NoKey { section });
    }
    let payments = sales::chain(&config.x402, &node)?;
    if let Some((chain, key)) = payments.as_ref().zip(key.as_ref())
        && chain.account() == key.address()
    {
        let account = key.address();
        return Err(ServeError::SharedKey { account });
    }
    let serves = config.labels.enabled || config.x402.facilitator;
    if config.registry.is_none() && config.models.is_empty() && !serves {
        return Err(ServeError::NoModels);
    }
    let queue = Queue::open(&config.database).await?;
    let sender = key.as_ref().map(Key::address);
    let relay = config
        .relay
        .as_ref()
        .zip(sender)
        .map(|(relay, relayer)| RelayTerms {
            relayer,
            min_fee: relay.min_fee,
            max_waiting: relay.max_waiting,
        });
    let keeper = config.keep.as_ref().and(sender);
    let index = Index::with_tables(node, queue.chain_store(), encoders.tables());
    index.note_now(index.node().now().await?);
    let relayer = Relayer::new(index, queue.clone(), relay, keeper);
    let simulations = Simulations::new(config.simulations.clone());
    let (sales, lightning) = sales::open(&config, payments.clone(), queue.chain_store()).await?;
    let labels = Labels::paid(config.labels.clone(), sales.clone());
    sales::tell_of_units(&labels);
    let facilitator = sales::facilitator(&config.x402, payments, queue.chain_store()).await?;
    let coordinator = Coordinator::with_encoders(relayer, encoders)
        .following(config.registry)
        .with_simulations(simulations.clone())
        .with_labels(labels.clone())
        .with_facilitator(facilitator.clone());
    let services = Arc::new(Services {
        config,
        coordinator: coordinator.clone(),
        key,
        passed_over: Mutex::default(),
    });
    for trainer in services.wanted().await? {
        services.add(trainer).await?;
    }

    if let Some(score) = &services.config.score {
        warn_of_markets(score, coordinator.index());
    }
    if let Some(account) = sender {
        tell_of_sender(&services.config, coordinator.index().node(), account).await?;
    }

    let address = listener.local_addr().map_err(ServeError::Http)?;
    let api = services.config.api.clone();
    let router = api::router(coordinator.clone(), &api, &stop);
    let running = tokio::spawn(services.run(stop.child_token()));
    let deleting = tokio::spawn(delete_expired(labels.clone(), stop.child_token()));
    let settling = sales::settle(sales.clone(), lightning, stop.child_token());
    let settling = tokio::spawn(settling);
    ready(address);
    let stopping = async {
        stop.cancelled().await;
        simulations.stop();
        labels.stop();
        time::Instant::now()
    };
    let serving = api::connections::serve(listener, router, &api, &stop);
    let ((), stopped_at) = tokio::join!(serving, stopping);
    // It ends with `stop`, and waits for nothing.
    let _ = deleting.await;
    end(settling, stopped_at + api.shutdown_timeout).await;
    end(running, stopped_at + api.shutdown_timeout).await;
    if let Some(books) = sales.books() {
        books.close().await;
    }
    queue.close().await;
    Ok(())
}

/// Logs which account pays gas, and for what.
async fn tell_of_sender(config: &Config, node: &Node, account: Address) -> Result<(), NodeError> {
    let has = node.balance(account).await?;
    tracing::info!(
        chain = node.chain_id(),
        node = node.display_url(),
        %account,
        has = %Amount(has.saturating_to()),
        relay = config.relay.is_some(),
        keep = config.keep.is_some(),
        score = config.score.is_some(),
        "paying gas from this account"
    );
    Ok(())
}

/// Warns of markets that are to be driven, and are not.
fn warn_of_markets(score: &ScoreOptions, index: &Index) {
    let markets = score.markets.iter();
    let markets: Vec<_> = markets.filter_map(|market| index.market(*market)).collect();
    if markets.is_empty() {
        tracing::warn!(
            "`score.enabled` is true, and none of `models` is a prediction market: nothing is driven"
        );
    }
    for market in markets
        .iter()
        .filter(|market| !market.info().facts.own_code)
    {
        tracing::warn!(market = %market.info().facts.trainer, "the market is not driven: its code is not of this release");
    }
}

/// Deletes labeling sessions whose time is over.
async fn delete_expired(labels: Labels, stop: CancellationToken) {
    while !stop.is_cancelled() {
        labels.delete_expired();
        pause(SELDOM, &stop).await;
    }
}

/// Waits until the services have ended, and ends them at `deadline`: one may wait for a node that does not answer. A
/// service that is ended loses nothing: what it sends is stored before.
async fn end(mut services: JoinHandle<()>, deadline: time::Instant) {
    if time::timeout_at(deadline, &mut services).await.is_ok() {
        // A service that panicked has said so; what is stored is whole.
        return;
    }
    tracing::warn!(
        "ending services that have not ended within `api.shutdown_timeout`: they wait for the node or the database"
    );
    services.abort();
    let _ = services.await;
}

/// Services of a coordinator, and what they share.
struct Services {
    config: Config,
    coordinator: Coordinator,
    key: Option<Key>,
    /// Registered models that are not followed.
    passed_over: Mutex<BTreeSet<Address>>,
}

impl Services {
    /// Returns the trainers that are to be followed.
    async fn wanted(&self) -> Result<Vec<Address>, RegistryError> {
        let mut wanted = self.config.models.clone();
        if let Some(registry) = self.config.registry {
            let entries = registry::entries(self.coordinator.index().node(), registry).await?;
            wanted.extend(entries.iter().map(|entry| entry.trainer));
        }
        wanted.sort_unstable();
        wanted.dedup();
        Ok(wanted)
    }

    async fn add(&self, trainer: Address) -> Result<Option<Arc<dyn HostedContract>>, FollowError> {
        let config = &self.config;
        let named = config.models.contains(&trainer);
        let (registry, from_block) = (config.registry, config.from_block);
        let added = self
            .coordinator
            .index()
            .add(registry, trainer, from_block, named);
        match added.await {
            Ok(contract) => Ok(Some(contract)),
            // Only what the configuration names has to work.
            Err(FollowError::Model(error)) if !named => {
                tracing::warn!(%trainer, error = %with_sources(&error), "passing over a registered model");
                if is_lasting(&error) {
                    self.passed_over().insert(trainer);
                }
                Ok(None)
            }
            // It is asked for again later.
            Err(FollowError::Registry(error @ RegistryError::Node { .. })) if !named => {
                tracing::warn!(%trainer, error = %with_sources(&error), "cannot read the card of a registered model now");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn passed_over(&self) -> MutexGuard<'_, BTreeSet<Address>> {
        self.passed_over
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Leads where it can, and reads what the leader stores where it cannot.
    async fn run(self: Arc<Self>, stop: CancellationToken) {
        let store = self.coordinator.index().store();
        let mut clock = JoinSet::new();
        clock.spawn(self.clone().tell_time(stop.clone()));
        while !stop.is_cancelled() {
            match store.lead(self.coordinator.index().chain_id()).await {
                Ok(Some(mut leadership)) => {
                    self.coordinator.set_leader(true);
                    let term = stop.child_token();
                    let mut services = self.lead(&term).await;
                    while !stop.is_cancelled() && leadership.holds().await {
                        pause(SELDOM, &stop).await;
                    }
                    term.cancel();
                    while services.join_next().await.is_some() {}
                    self.coordinator.set_leader(false);
                    leadership.resign().await;
                    // What was followed here was not noted as read from the store.
                    for contract in self.coordinator.index().contracts() {
                        reload(&*contract, store).await;
                    }
                }
                Ok(None) => self.read_along(&stop).await,
                Err(error) => {
                    tracing::error!(error = %with_sources(&error), "cannot find out who leads");
                }
            }
            pause(self.config.node.poll, &stop).await;
        }
        while clock.join_next().await.is_some() {}
    }

    /// Keeps the time of the chain, and its head if nothing else reads it.
    async fn tell_time(self: Arc<Self>, stop: CancellationToken) {
        let index = self.coordinator.index();
        while !stop.is_cancelled() {
            let is_alone = index.contracts().is_empty();
            match index.node().head().await {
                Ok(head) => {
                    if is_alone {
                        index.note_head(head);
                    }
                    index.note_now(index.node().now_after(&head).await);
                }
                Err(_) if is_alone => index.note_silence(),
                // Whoever follows a contract says so.
                Err(_) => {}
            }
            pause(self.config.node.poll, &stop).await;
        }
    }

    /// Takes over what the leader has stored.
    async fn read_along(&self, stop: &CancellationToken) {
        for contract in self.coordinator.index().contracts() {
            self.read_one(&*contract, stop).await;
        }
        if let Ok(head) = self.coordinator.index().node().head().await {
            self.coordinator.index().note_head(head);
        }
        let _ = self.coordinator.index().announce().await;
        self.coordinator.relayer().reconcile().await;
    }

    /// Takes over what the leader has stored of a contract.
    async fn read_one(&self, contract: &dyn HostedContract, stop: &CancellationToken) {
        if stop.is_cancelled() {
            return;
        }
        let before = contract.cursor();
        if let Err(error) = contract.refresh(self.coordinator.index().store()).await {
            tracing::warn!(error = %with_sources(&error), "cannot read what the leader stores");
        } else if (before != contract.cursor() || contract.trouble().is_some())
            && let Err(error) = contract.compare(self.coordinator.index().node()).await
        {
            tracing::debug!(error = %with_sources(&error), "cannot hold what the leader stores against the contract");
        }
    }

    /// Starts all services.
    async fn lead(self: &Arc<Self>, term: &CancellationToken) -> JoinSet<()> {
        let mut services = JoinSet::new();
        let index = self.coordinator.index();
        for contract in index.contracts() {
            self.start_following(&mut services, contract, term).await;
        }
        if let Some(key) = self.key.clone() {
            let sending = Sending {
                relayer: self.coordinator.relayer().clone(),
                key,
                send: self.config.send,
                relay: self.config.relay.clone(),
                keep: self.config.keep.clone(),
                score: self.config.score.clone(),
            };
            let term = term.clone();
            services.spawn(async move { sending.run(&term).await });
        }
        if self.config.registry.is_some() {
            services.spawn(self.clone().watch_registry(term.clone()));
        }
        services
    }

    /// Starts to follow a contract until `term` ends. Somebody else may have led before.
    async fn start_following(
        self: &Arc<Self>,
        services: &mut JoinSet<()>,
        contract: Arc<dyn HostedContract>,
        term: &CancellationToken,
    ) {
        let (store, term) = (self.coordinator.index().store(), term.clone());
        reload(&*contract, store).await;
        contract.set_unchecked();
        let evaluation = self.evaluation(contract.info()).unwrap_or_else(|error| {
            let trainer = contract.info().facts.trainer;
            tracing::warn!(%trainer, error = %with_sources(&error), "accuracy is not measured");
            None
        });
        services.spawn(self.clone().follow(contract, evaluation, term));
    }

    /// Follows one contract until `term` ends.
    async fn follow(
        self: Arc<Self>,
        contract: Arc<dyn HostedContract>,
        evaluation: Option<Evaluation>,
        term: CancellationToken,
    ) {
        let trainer = contract.info().facts.trainer;
        let (node, store) = (
            self.coordinator.index().node().clone(),
            self.coordinator.index().store().clone(),
        );
        let mut follower = contract.follower(node, store, evaluation);
        let mut backoff = Backoff::default();
        let mut doubt = Backoff::at_most_from(self.config.node.poll);
        while !term.is_cancelled() {
            match follower.step().await {
                Ok((step, head)) => {
                    self.coordinator.index().note_head(head);
                    self.coordinator.index().note_trouble(trainer, None);
                    if step == Step::Doubted {
                        pause(doubt.failed(), &term).await;
                        continue;
                    }
                    doubt.succeeded();
                    backoff.succeeded();
                    if step == Step::AtHead {
                        pause(self.config.node.poll, &term).await;
                    } else if let Err(error) = self.coordinator.index().announce().await {
                        tracing::warn!(error = %with_sources(&error), "cannot tell of news");
                    }
                }
                Err(error) => {
                    let why = with_sources(&error);
                    if error.is_silence() {
                        self.coordinator.index().note_silence();
                    }
                    let wait = if error.is_transient() {
                        let wait = backoff.failed();
                        tracing::warn!(%trainer, error = why, ?wait, "cannot follow now");
                        wait
                    } else {
                        // A node of the right chain may be put in its place.
                        tracing::error!(%trainer, error = why, "cannot follow this model");
                        backoff.failed_for_long()
                    };
                    self.coordinator.index().note_trouble(trainer, Some(why));
                    pause(wait, &term).await;
                }
            }
        }
    }

    /// Begins to follow what is registered later.
    async fn watch_registry(self: Arc<Self>, term: CancellationToken) {
        let mut services = JoinSet::new();
        while !term.is_cancelled() {
            pause(SELDOM, &term).await;
            let wanted = match self.wanted().await {
                Ok(wanted) => wanted,
                Err(error) => {
                    tracing::warn!(error = %with_sources(&error), "cannot look for new models");
                    continue;
                }
            };
            for trainer in wanted {
                if self.coordinator.index().id_of(trainer).is_some()
                    || self.passed_over().contains(&trainer)
                {
                    continue;
                }
                if let Ok(Some(contract)) = self.add(trainer).await {
                    tracing::info!(%trainer, "following a new model");
                    self.start_following(&mut services, contract, &term).await;
                }
            }
        }
        while services.join_next().await.is_some() {}
    }

    /// Returns what the model is measured on, if anything; its card has to say how examples become samples.
    fn evaluation(&self, info: &ModelInfo) -> Result<Option<Evaluation>, ServeError> {
        // Other events do not make the weights that are to be measured.
        if !info.facts.terms.mechanism().description().learns_at_once {
            return Ok(None);
        }
        let Some(section) = &self.config.evaluate else {
            return Ok(None);
        };
        let card = info.card.as_ref();
        let Some(encoder) = card.and_then(|card| card.encoder.as_ref()) else {
            return Ok(None);
        };
        let trainer = info.facts.trainer;
        // A coordinator runs no network for texts of strangers.
        if let Some(sentences) = encoder.missing_sentences() {
            tracing::warn!(%trainer, %sentences, "the model needs a sentence encoder, so it is not measured here");
            return Ok(None);
        }
        let classes = card.map_or(&[][..], |card| &card.classes);
        let data = load_for(&section.data, TEST_SHARE, TEST_SEED, encoder.inputs())?;
        let samples =
            TestSamples::new(&data, encoder, classes).map_err(|source| ServeError::Encode {
                trainer,
                source: Box::new(source),
            })?;
        Ok(Some(Evaluation {
            samples: Arc::new(samples),
            every: section.every.max(1),
        }))
    }
}

/// Returns `true` if a registered contract fails alike whenever it is read, so that nobody reads it again.
fn is_lasting(error: &ModelError) -> bool {
    match error {
        // All answers of the node contradict the contract: the card may name a wrong block.
        ModelError::Node { source, .. } => matches!(source, NodeError::Contradictory { .. }),
        error => !matches!(error, ModelError::History { .. } | ModelError::Store(_)),
    }
}

/// Takes over what the store has of a contract; a failure is logged.
async fn reload(contract: &dyn HostedContract, store: &ChainStore) {
    if let Err(error) = contract.reload(store).await {
        tracing::error!(error = %with_sources(&error), "cannot take over what is stored");
    }
}

/// By which `cotrain deploy` sets test data aside, where nobody says another: what is measured on was not learned from.
const TEST_SEED: u64 = 1;

fn read_key(source: &KeySource, chain_id: u64) -> Result<Key, ServeError> {
    let variable =
        |name: &String| std::env::var(name).map_err(|_| ServeError::NoVariable(name.clone()));
    let key = match source {
        KeySource::Development(index) => Key::development(*index),
        KeySource::Variable(name) => Key::from_hex(&variable(name)?)?,
        KeySource::Keystore { path, password } => {
            let password = match password {
                Password::Variable(name) => {
                    let password = variable(name)?;
                    keys::check_password(&password, &format!("the variable {name}"))?;
                    password
                }
                Password::File(file) => keys::password_file(file)?,
            };
            Key::from_keystore(path, &password)?
        }
    };
    match source {
        _ if !key.is_exposed_on(chain_id) => Ok(key),
        KeySource::Development(_) => Err(ServeError::DevelopmentKey { found: chain_id }),
        KeySource::Variable(_) | KeySource::Keystore { .. } => {
            Err(ServeError::KnownKey { found: chain_id })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future;

    use super::*;

    #[tokio::test]
    async fn end_stops_services_that_hang_at_the_deadline() {
        let (soon, late) = (Duration::from_millis(200), Duration::from_mins(1));
        let start = time::Instant::now();
        let (held, released) = tokio::sync::oneshot::channel::<()>();
        let hanging = tokio::spawn(async move {
            let _held = held;
            future::pending::<()>().await;
        });
        end(hanging, start + soon).await;
        assert!(start.elapsed() >= soon);
        released.await.expect_err("it was ended");
        // Those that end by themselves are not waited for any longer.
        let start = time::Instant::now();
        let ending = tokio::spawn(time::sleep(soon));
        end(ending, start + late).await;
        assert!((soon..late).contains(&start.elapsed()));
    }

    #[test]
    fn is_lasting_is_true_of_card_and_contract_but_not_of_a_failing_node() {
        let trainer = Address::repeat_byte(1);
        let node = |source| ModelError::Node { trainer, source };
        let contradictory = NodeError::Contradictory {
            method: "eth_getLogs",
            message: "events are missing".to_owned(),
        };
        let late = ModelError::Late {
            trainer,
            block: 9,
            contributions: 2,
        };
        for lasting in [
            node(contradictory),
            late,
            ModelError::NoBeginning { trainer },
        ] {
            assert!(is_lasting(&lasting), "{lasting}");
        }
        let malformed = StoreError::Malformed { what: "no text" };
        for passing in [node(NodeError::NonceTooLow), ModelError::Store(malformed)] {
            assert!(!is_lasting(&passing), "{passing}");
        }
    }
}
