//! A chain with three models that the tests of this program share.

use std::sync::{Arc, Weak};

use alloy_primitives::{Address, B256, U256};
use cotrain_bindings::{self as bindings, events, state as getters};
use cotrain_chain::{
    anvil::AnvilConfig,
    keys::Key,
    node::{Node, NodeOptions},
};
use cotrain_client::card::Card;
use cotrain_learning::{
    data::{Columns, Reading, Source, TableFormat, load},
    encode::{Encoder, encode},
};
use cotrain_protocol::{
    classifier::{Kind, Parameters},
    mechanism::Terms,
    record::{Claims, Record},
    sample::parse_batch,
    trainer::{Incentive, SignedBatch, Waits, domain},
};
use cotrain_test_support::{Stage, items};
use tokio::sync::Mutex;

/// Time of the first block, in Unix seconds. It differs from this machine's time.
const START: u64 = 4_000_000_000;

/// Prepaid money of the author in the trainer of the text model, in wei.
const PREPAID: u128 = 1 << 60;

/// Nonce that the author has already used.
pub(crate) const USED: u64 = 1;

/// Shared chain; it exists as long as a test holds it.
pub(crate) struct World {
    stage: Stage,
    registry: Address,
    /// Trainer of a model for texts.
    pub(crate) texts: Address,
    /// Trainer of a model for a table.
    pub(crate) table: Address,
    /// Trainer of a model without a card, and the block of its closing.
    pub(crate) raw: Address,
    raw_closed: u64,
    /// Account with three contributions to the text model, one of them refunded.
    pub(crate) author: Key,
    /// Prepaid money of the author, in wei.
    pub(crate) balance: u128,
    /// Deposit of the first contribution, in wei.
    pub(crate) deposit: u128,
    /// Time of the announcement of a report of contribution 3, in Unix seconds.
    pub(crate) announced: u64,
    /// Number and hash of the latest block.
    pub(crate) head: u64,
    pub(crate) head_hash: B256,
}

static SHARED: Mutex<Weak<World>> = Mutex::const_new(Weak::new());

impl World {
    /// Returns the world of the running tests, or a new one if there is none.
    pub(crate) async fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().await;
        if let Some(world) = shared.upgrade() {
            return world;
        }
        let world = Arc::new(Self::create().await);
        *shared = Arc::downgrade(&world);
        world
    }

    /// Connects to the chain. Connections belong to the runtime of one test.
    pub(crate) async fn node(&self) -> Node {
        let url = self.stage.anvil.url();
        let node = Node::connect(url, NodeOptions::default()).await;
        node.expect("a node")
    }

    pub(crate) fn registry(&self) -> Address {
        self.registry
    }

    /// Returns the models, each with the start block if no card names it.
    pub(crate) fn models(&self) -> [(Address, Option<u64>); 3] {
        [
            (self.texts, None),
            (self.table, None),
            (self.raw, Some(self.raw_closed)),
        ]
    }

    async fn create() -> Self {
        let stage = Stage::with(AnvilConfig {
            timestamp: Some(START),
            ..AnvilConfig::default()
        })
        .await;
        let [author, other] = [1, 2].map(Key::development);
        let owner = stage.owner.clone();
        let code = bindings::registry_code().to_vec();
        let registry = stage.send(&owner, None, 0, code).await.created;
        let registry = registry.expect("a registry");
        let sparse = |features| Parameters::SparsePerceptron {
            features,
            learning_rate: 1,
            intercept: 0,
        };
        let texts = "label,text\nbad,dull film\ngood,great film\n";
        let texts = encoder(Kind::SparsePerceptron, texts, Some("text"));
        let table = "label,width,height\nsmall,1,2\nlarge,3,4\n";
        let table = encoder(Kind::DensePerceptron, table, None);
        // The model has two columns, and the constant that callers never see.
        let dense = Parameters::DensePerceptron {
            features: 3,
            learning_rate: 1,
            intercept: 0,
            bounds: table.0.bounds().expect("numbers"),
        };
        let (raw, raw_closed) = model(&stage, sparse(100)).await;
        let mut registered = Vec::new();
        for (name, parameters, encoder) in [("Reviews", sparse(3), texts), ("Sizes", dense, table)]
        {
            let (trainer, from_block) = model(&stage, parameters).await;
            let card = Card {
                name: name.to_owned(),
                description: format!("{name} and what they say"),
                classes: encoder.1,
                encoder: Some(encoder.0),
                from_block,
            };
            let card = card.to_bytes().expect("a card");
            let call = bindings::register(trainer, &card);
            stage.send(&owner, Some(registry), 0, call).await;
            registered.push(trainer);
        }
        let (texts, table) = (registered[0], registered[1]);
        let (records, announced) = live(&stage, texts, &author, &other).await;
        let balance = stage
            .node
            .call(texts, getters::balance_of(author.address()), None)
            .await
            .expect("a balance");
        let balance = bindings::read_number(&balance).expect("a balance").to();
        let head = stage.node.head().await.expect("a head");
        Self {
            registry,
            texts,
            table,
            raw,
            raw_closed,
            author,
            balance,
            deposit: records[0].contributions()[0].deposit,
            announced,
            head: head.number,
            head_hash: head.hash,
            stage,
        }
    }
}

/// Returns the encoder and the classes of a table.
fn encoder(kind: Kind, table: &str, text: Option<&str>) -> (Encoder, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let train = directory.path().join("train.csv");
    std::fs::write(&train, table).unwrap();
    let source = Source::Table {
        format: TableFormat::Csv,
        test: Some(train.clone()),
        train,
        label: "label".to_owned(),
        text: text.map(str::to_owned),
        reading: Reading::default(),
        columns: Columns::default(),
    };
    let encoded = encode(&load(&source, 0.5, 0).unwrap(), kind, None).unwrap();
    (encoded.encoder, encoded.classes)
}

/// Deploys and closes a model in which the weight of feature 1 is 1. Returns its trainer and the
/// block of the closing.
async fn model(stage: &Stage, parameters: Parameters) -> (Address, u64) {
    let incentive = Incentive::DepositRefundTake {
        cost_weight: 1_000_000,
    };
    let waits = Waits {
        refund: 86_400,
        owner_claim: 604_800,
        any_address_claim: 777_600,
        report_notice: 7_200,
    };
    let terms = Terms::Trainer { incentive, waits };
    let owner = stage.owner.clone();
    let (trainer, classifier) = stage.create_model(&parameters, &terms).await;
    let write = bindings::write(0, &[U256::from(1) << 16]);
    stage.send(&owner, Some(classifier), 0, write).await;
    let close = bindings::close(trainer);
    let closed = stage.send(&owner, Some(classifier), 0, close).await;
    (trainer, closed.block)
}

/// Makes two accounts contribute in turn: feature 2 as class 0, and as class 1. The resulting
/// weights equal the initial ones. The last contribution is relayed. A day later, the author of
/// class 0 refunds the first contribution and announces a report of the last but one. Returns the
/// records, and the time of the announcement.
async fn live(stage: &Stage, trainer: Address, author: &Key, other: &Key) -> (Vec<Record>, u64) {
    let deposit = bindings::deposit_to(author.address());
    stage.send(author, Some(trainer), PREPAID, deposit).await;
    let mut records = Vec::new();
    for (label, from) in [(0, author), (1, other), (0, author), (1, other)] {
        let call = bindings::contribute(&items(label, &[2]));
        let receipt = stage.send(from, Some(trainer), 10_u128.pow(17), call).await;
        let logs: Vec<_> = receipt.logs.into_iter().map(|log| log.log).collect();
        let added = events::contributed(&logs).expect("a contribution");
        let items = parse_batch(&added.items).expect("items");
        let parts = [(added.author, items)];
        records.push(Record::new(
            added.first_position,
            added.deposit,
            added.time,
            &parts,
        ));
    }
    let mut batch = SignedBatch {
        author: author.address(),
        relayer: Address::ZERO,
        max_deposit: PREPAID >> 1,
        fee: 0,
        nonce: USED,
        deadline: 2 * START,
        items: items(0, &[2]),
        signature: Vec::new(),
    };
    let hash = batch.signing_hash(&domain(stage.node.chain_id(), trainer));
    batch.signature = author.sign_hash(&hash).to_vec();
    let relay = bindings::relay(&[batch], 500_000);
    stage.send(other, Some(trainer), 0, relay).await;
    stage.wait(86_401).await;
    let claims =
        |record: &Record| -> Vec<Claims> { vec![record.claims(&[record.first_position()])] };
    let refund = bindings::refund(&claims(&records[0]));
    stage.send(author, Some(trainer), 0, refund).await;
    let announce = bindings::announce(&claims(&records[3]));
    let announced = stage.send(author, Some(trainer), 0, announce).await;
    let block = stage.node.block(announced.block).await.expect("an answer");
    (records, block.expect("the block").time)
}
