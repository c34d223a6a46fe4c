//! Client of a router, in process.

use std::{ops::Deref, sync::Arc};

use alloy_primitives::{Address, B256};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
    response::Response,
};
use cotrain_chain::node::Node;
use cotrain_indexer::{HostedModel, Index, store::note};
use cotrain_protocol::trainer::{Delegation, SignedBatch, domain};
use cotrain_relayer::{Queue, RelayTerms, Relayer};
use cotrain_server::{
    Coordinator, Encoders, Labels, Simulations,
    api::router,
    config::{ApiSection, LabelsSection, LightningSection, SimulationsSection},
    payments::{Books, Payments, lightning::Lightning},
};
use cotrain_test_support::items;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::world::World;

pub(crate) const RELAYER: Address = Address::repeat_byte(0x66);
pub(crate) const KEEPER: Address = Address::repeat_byte(0x77);

/// Configuration of a coordinator's services and API, for one test.
pub(crate) struct Setup {
    pub(crate) api: ApiSection,
    pub(crate) terms: Option<RelayTerms>,
    pub(crate) keeper: Option<Address>,
    pub(crate) encoders: Encoders,
    pub(crate) simulations: SimulationsSection,
    pub(crate) labels: LabelsSection,
    pub(crate) lightning: Option<LightningSection>,
}

/// Router over a coordinator with a database of its own.
pub(crate) struct Api {
    pub(crate) coordinator: Coordinator,
    pub(crate) stop: CancellationToken,
    router: Router,
    folder: TempDir,
}

/// API over the models of the world.
pub(crate) struct Client {
    pub(crate) world: Arc<World>,
    api: Api,
}

impl Deref for Client {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

/// Answer with its whole body.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("no header {name}"))
            .to_str()
            .unwrap()
    }

    /// Checks that this is a problem of status `status`, and returns its kind.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert!(problem["title"].is_string() && problem["detail"].is_string());
        assert!(problem["instance"].as_str().unwrap().starts_with('/'));
        let kind = problem["type"].as_str().unwrap();
        kind.strip_prefix("/problems/").unwrap().to_owned()
    }
}

impl Setup {
    /// Returns a setup with a relayer and a keeper, and without a limit on requests.
    pub(crate) fn new() -> Self {
        Self {
            api: ApiSection {
                rate: 0,
                ..ApiSection::default()
            },
            terms: Some(RelayTerms {
                relayer: RELAYER,
                min_fee: 2,
                max_waiting: 1_000,
            }),
            keeper: Some(KEEPER),
            encoders: Encoders::default(),
            simulations: SimulationsSection::default(),
            labels: LabelsSection::default(),
            lightning: None,
        }
    }
}

impl Api {
    /// Creates the API over contracts, each with the start block if no card names it.
    pub(crate) async fn over(
        node: Node,
        registry: Option<Address>,
        contracts: &[(Address, Option<u64>)],
        setup: Setup,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("api.sqlite");
        let queue = Queue::open(&database.to_string_lossy()).await.unwrap();
        let tables = setup.encoders.tables();
        let index = Index::with_tables(node, queue.chain_store(), tables);
        for (contract, from_block) in contracts {
            let added = index.add(registry, *contract, *from_block, true).await;
            added.unwrap();
        }
        index.catch_up().await.unwrap();
        let sales = match setup.lightning {
            Some(section) => {
                let books = Books::open(&queue.chain_store()).await.unwrap();
                let rail = Lightning::open(section, books.clone()).await.unwrap();
                Payments::new(books, vec![Arc::new(rail)])
            }
            None => Payments::default(),
        };
        let relayer = Relayer::new(index, queue, setup.terms, setup.keeper);
        let coordinator = Coordinator::with_encoders(relayer, setup.encoders)
            .following(registry)
            .with_simulations(Simulations::new(setup.simulations))
            .with_labels(Labels::paid(setup.labels, sales));
        let stop = CancellationToken::new();
        Self {
            router: router(coordinator.clone(), &setup.api, &stop),
            coordinator,
            stop,
            folder,
        }
    }

    /// Returns the bytes of all files of the database.
    pub(crate) fn stored(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        let read = |file: std::io::Result<std::fs::DirEntry>| std::fs::read(file.unwrap().path());
        files.flat_map(|file| read(file).unwrap()).collect()
    }

    pub(crate) fn index(&self) -> &Index {
        self.coordinator.index()
    }

    /// Returns a response whose body has not been read yet.
    pub(crate) async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.send(request).await.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: to_bytes(body, usize::MAX).await.unwrap().to_vec(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    pub(crate) async fn get_with(&self, path: &str, name: &str, value: &str) -> Answer {
        let request = Request::get(path).header(name, value);
        self.ask(request.body(Body::empty()).unwrap()).await
    }

    /// Returns the body of an answer with status 200.
    #[track_caller]
    pub(crate) fn json(&self, path: &str) -> impl Future<Output = Value> {
        let path = path.to_owned();
        async move {
            let answer = self.get(&path).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            assert_eq!(answer.header("content-type"), "application/json");
            answer.json()
        }
    }

    pub(crate) async fn post(&self, path: &str, body: impl ToString) -> Answer {
        let request = Request::post(path).header("content-type", "application/json");
        self.ask(request.body(Body::from(body.to_string())).unwrap())
            .await
    }
}

impl Client {
    /// Creates a client without a limit on requests.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(configure: impl FnOnce(&mut ApiSection)) -> Self {
        Self::set_up(|setup| configure(&mut setup.api)).await
    }

    pub(crate) async fn set_up(change: impl FnOnce(&mut Setup)) -> Self {
        let mut setup = Setup::new();
        change(&mut setup);
        let world = World::shared().await;
        let (node, registry) = (world.node().await, Some(world.registry()));
        Self {
            api: Api::over(node, registry, &world.models(), setup).await,
            world,
        }
    }

    /// Returns a model from the coordinator's index.
    pub(crate) fn model(&self, trainer: Address) -> Arc<HostedModel> {
        self.index().model(trainer).unwrap()
    }

    /// Changes rows of the database.
    pub(crate) async fn change(&self, statement: &str) {
        let mut writing = self.index().store().write().await.unwrap();
        let statement = sqlx::query(AssertSqlSafe(statement.to_owned()));
        statement.execute(&mut *writing).await.unwrap();
        writing.commit().await.unwrap();
    }

    /// Returns the id of the last event.
    pub(crate) async fn last_event(&self) -> i64 {
        let row = sqlx::query("SELECT MAX(id) FROM events").fetch_one(self.index().store().pool());
        row.await.unwrap().try_get(0).unwrap()
    }

    /// Adds an event and wakes the waiting streams. Returns its id.
    pub(crate) async fn happen(&self, trainer: Address, kind: &'static str) -> i64 {
        self.happen_often(trainer, kind, 1).await
    }

    /// Adds events, and returns the id of the last one.
    pub(crate) async fn happen_often(
        &self,
        trainer: Address,
        kind: &'static str,
        times: usize,
    ) -> i64 {
        let model = self.model(trainer);
        let mut writing = self.index().store().write().await.unwrap();
        let detail = json!({"deposit": "5"});
        for _ in 0..times {
            let noted = note(&mut writing, model.id(), 20, kind, &detail);
            noted.await.unwrap();
        }
        writing.commit().await.unwrap();
        self.index().announce().await.unwrap();
        self.last_event().await
    }

    /// Returns the author's contribution to the text model, which anyone may relay.
    pub(crate) fn batch(&self, nonce: u64) -> Value {
        self.batch_with(nonce, |_| {})
    }

    /// Returns the same contribution, changed before it is signed.
    pub(crate) fn batch_with(&self, nonce: u64, change: impl FnOnce(&mut SignedBatch)) -> Value {
        self.signed(nonce, change).0
    }

    /// Returns the same contribution with its id.
    pub(crate) fn signed(
        &self,
        nonce: u64,
        change: impl FnOnce(&mut SignedBatch),
    ) -> (Value, B256) {
        let mut batch = SignedBatch {
            author: self.world.author.address(),
            relayer: Address::ZERO,
            max_deposit: 5_000,
            fee: 7,
            nonce,
            deadline: (1 << 40) - 1,
            items: items(1, &[1]),
            signature: Vec::new(),
        };
        change(&mut batch);
        let hash = batch.signing_hash(&domain(self.index().chain_id(), self.world.texts));
        let signature = self.world.author.sign_hash(&hash);
        let mut body = json!({
            "author": batch.author, "maxDeposit": batch.max_deposit.to_string(), "fee": batch.fee.to_string(),
            "nonce": batch.nonce, "deadline": batch.deadline, "items": alloy_primitives::Bytes::from(batch.items),
            "signature": alloy_primitives::Bytes::from(signature.to_vec()),
        });
        if !batch.relayer.is_zero() {
            body["relayer"] = json!(batch.relayer);
        }
        (body, hash)
    }

    /// Returns the author's delegation to a keeper, for the text model.
    pub(crate) fn delegation(&self, keeper: Address, until: u64) -> Value {
        let author = &self.world.author;
        let delegation = Delegation {
            reporter: author.address(),
            keeper,
            until,
            signature: Vec::new(),
        };
        let hash = delegation.signing_hash(&domain(self.index().chain_id(), self.world.texts));
        json!({
            "reporter": author.address(), "keeper": keeper, "until": until,
            "signature": alloy_primitives::Bytes::from(author.sign_hash(&hash).to_vec()),
        })
    }
}
