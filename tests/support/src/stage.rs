//! A chain with a small model on it, and people who use it.

use std::{path::PathBuf, time::Duration};

use alloy_primitives::{Address, Bytes, U256};
use cotrain_bindings as bindings;
use cotrain_chain::{
    anvil::{Anvil, AnvilConfig},
    keys::{Key, Unsigned},
    node::{Node, NodeOptions, NodeReceipt},
};
use cotrain_client::deploy::{Blueprint, Next, Sequence};
use cotrain_indexer::{ChainStore, Index};
use cotrain_protocol::{
    classifier::{Classifier, Parameters},
    mechanism::Terms,
    record::Claims,
    sample::{Item, encode_batch, encode_sparse},
    trainer::{Incentive, SignedBatch, Waits, domain},
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Maximum gas of the tests' transactions. Deploying needs the most.
const GAS: u64 = 12_000_000;

/// A chain of its own with a model on it.
#[derive(Debug)]
pub struct Stage {
    /// Node of the chain, which ends with the stage.
    pub anvil: Anvil,
    /// Client of the node.
    pub node: Node,
    /// Account that deployed the model.
    pub owner: Key,
    /// Trainer of the model.
    pub trainer: Address,
    /// Classifier of the model.
    pub classifier: Address,
    /// Block in which the model was closed.
    pub from_block: u64,
    folder: TempDir,
    http: reqwest::Client,
}

impl Stage {
    /// Creates a perceptron of 64 features whose refunds wait a day, on a chain of its own.
    pub async fn new() -> Self {
        Self::with(AnvilConfig::default()).await
    }

    /// Creates the same on an anvil with this configuration.
    pub async fn with(config: AnvilConfig) -> Self {
        Self::open(config, 0).await.close().await
    }

    /// Creates the same with a notice before reports, in seconds.
    pub async fn with_notice(notice: u64) -> Self {
        Self::open(AnvilConfig::default(), notice)
            .await
            .close()
            .await
    }

    async fn open(config: AnvilConfig, notice: u64) -> Self {
        let anvil = Anvil::spawn(&config).expect("anvil: scripts/setup installs it");
        let node = Node::connect(anvil.url(), NodeOptions::default())
            .await
            .expect("a node");
        let owner = Key::development(0);
        let mut stage = Self {
            anvil,
            node,
            owner,
            trainer: Address::ZERO,
            classifier: Address::ZERO,
            from_block: 0,
            folder: tempfile::tempdir().expect("a folder"),
            http: reqwest::Client::new(),
        };
        stage.deploy(notice).await;
        stage
    }

    /// Creates the same with a model that the owner has not closed.
    pub async fn before_closing() -> Self {
        Self::open(AnvilConfig::default(), 0).await
    }

    /// Closes the model.
    pub async fn close(mut self) -> Self {
        let close = bindings::close(self.trainer);
        let owner = self.owner.clone();
        let closed = self.send(&owner, Some(self.classifier), 0, close).await;
        self.from_block = closed.block;
        self
    }

    async fn deploy(&mut self, notice: u64) {
        let parameters = Parameters::SparsePerceptron {
            features: 64,
            learning_rate: 1,
            intercept: 0,
        };
        let incentive = Incentive::DepositRefundTake {
            cost_weight: 1_000_000_000_000,
        };
        let waits = Waits {
            refund: 86_400,
            owner_claim: 864_000,
            any_address_claim: 8_640_000,
            report_notice: notice,
        };
        let terms = Terms::Trainer { incentive, waits };
        (self.trainer, self.classifier) = self.create_model(&parameters, &terms).await;
    }

    /// Creates a model of the owner's that is not closed, with its own implementations and factory.
    ///
    /// Returns its trainer and classifier.
    pub async fn create_model(&self, parameters: &Parameters, terms: &Terms) -> (Address, Address) {
        let owner = &self.owner;
        let model = Classifier::new(*parameters).expect("parameters within their bounds");
        let blueprint = Blueprint::new(*terms, &model);
        let mut sequence = Sequence::new(&blueprint);
        loop {
            if let Some(created) = sequence.created() {
                return (created.trainer, created.classifier);
            }
            match sequence.next() {
                Next::Part(part) => {
                    let code = blueprint.code(part).to_vec();
                    let receipt = self.send(owner, None, 0, code).await;
                    sequence.provide(receipt.created.expect("a contract"));
                }
                Next::Call(step) => {
                    let receipt = self.send(owner, Some(step.to), 0, step.data).await;
                    let logs = receipt.logs.iter().map(|log| &log.log);
                    sequence.sent(logs).expect("a model");
                }
                Next::Nothing(_) => unreachable!("a model is created before it is complete"),
            }
        }
    }

    /// Sends a transaction, which must succeed.
    pub async fn send(
        &self,
        from: &Key,
        to: Option<Address>,
        wei: u128,
        data: Vec<u8>,
    ) -> NodeReceipt {
        let gas_fees = self.node.gas_fees().await.expect("fees");
        let signed = from.sign_transaction(&Unsigned {
            chain_id: self.node.chain_id(),
            nonce: self.node.nonce(from.address()).await.expect("nonce"),
            to,
            value: U256::from(wei),
            data: data.into(),
            gas_limit: GAS,
            max_fee: gas_fees.max(),
            priority_fee: gas_fees.priority,
        });
        self.node.broadcast(&signed.raw).await.expect("taken");
        for _ in 0..500 {
            if let Some(receipt) = self.node.receipt(signed.hash).await.expect("answer") {
                assert!(receipt.success, "{receipt:?}");
                return receipt;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} is not included", signed.hash);
    }

    /// Sends one contribution by its author, with enough money.
    pub async fn contribute(&self, author: &Key, label: u16, features: &[u16]) -> NodeReceipt {
        self.send(
            author,
            Some(self.trainer),
            10_u128.pow(17),
            bindings::contribute(&items(label, features)),
        )
        .await
    }

    /// Prepays for an account.
    pub async fn deposit(&self, author: &Key, wei: u128) -> NodeReceipt {
        self.send(
            author,
            Some(self.trainer),
            wei,
            bindings::deposit_to(author.address()),
        )
        .await
    }

    /// Sends refund claims.
    pub async fn refund(&self, from: &Key, claims: &[Claims]) -> NodeReceipt {
        self.send(from, Some(self.trainer), 0, bindings::refund(claims))
            .await
    }

    /// Signs a batch of one contribution for anyone to send.
    #[must_use]
    pub fn signed(&self, author: &Key, nonce: u64, label: u16, features: &[u16]) -> SignedBatch {
        self.signed_for(Address::ZERO, author, nonce, label, features)
    }

    /// Signs a batch of one contribution for one relayer; the zero address stands for anyone.
    #[must_use]
    pub fn signed_for(
        &self,
        relayer: Address,
        author: &Key,
        nonce: u64,
        label: u16,
        features: &[u16],
    ) -> SignedBatch {
        let mut batch = SignedBatch {
            author: author.address(),
            relayer,
            max_deposit: 10_u128.pow(16),
            fee: 0,
            nonce,
            deadline: (1 << 40) - 1,
            items: items(label, features),
            signature: Vec::new(),
        };
        let hash = batch.signing_hash(&domain(self.node.chain_id(), self.trainer));
        batch.signature = author.sign_hash(&hash).to_vec();
        batch
    }

    /// Reads the model like a follower into a database, named by a file or a URL.
    pub async fn follow(&self, database: &str) -> Index {
        let path = if database.contains("://") {
            database.to_owned()
        } else {
            self.path(database).to_string_lossy().into_owned()
        };
        let store = ChainStore::open(&path).await.expect("a store");
        Index::open(
            self.node.clone(),
            store,
            None,
            &[self.trainer],
            Some(self.from_block),
        )
        .await
        .expect("followed")
    }

    /// Returns a path for a file that is deleted with the stage.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the contract's weights.
    pub async fn words(&self) -> Vec<U256> {
        let call = bindings::words(0, 4);
        let answer = self
            .node
            .call(self.classifier, call, None)
            .await
            .expect("words");
        bindings::read_words(&answer).expect("words")
    }

    /// Reads a number from the trainer.
    pub async fn number(&self, call: Vec<u8>) -> u128 {
        let answer = self
            .node
            .call(self.trainer, call, None)
            .await
            .expect("a number");
        bindings::read_number(&answer).expect("a number").to()
    }

    /// Sends a request with a method that only anvil has.
    pub async fn anvil(&self, method: &str, parameters: Value) -> Value {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": parameters });
        let answer = self
            .http
            .post(self.anvil.url().clone())
            .json(&body)
            .send()
            .await;
        let answer: Value = answer.expect("an answer").json().await.expect("JSON");
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Replaces the last blocks by empty ones.
    pub async fn reorganize(&self, depth: u64) {
        self.anvil("anvil_reorg", json!([depth, []])).await;
    }

    /// Replaces the last blocks by others with these transactions.
    ///
    /// Each transaction is raw, with the index of its block among the new ones, from 0.
    pub async fn reorganize_with(&self, depth: u64, transactions: &[(Bytes, u64)]) {
        self.anvil("anvil_reorg", json!([depth, transactions]))
            .await;
    }

    /// Removes the last blocks, as if they had never existed.
    pub async fn roll_back(&self, depth: u64) {
        self.anvil("anvil_rollback", json!([depth])).await;
    }

    /// Sets whether each transaction makes a block, or all are pending until a block is requested.
    pub async fn automine(&self, on: bool) {
        self.anvil("evm_setAutomine", json!([on])).await;
    }

    /// Adds empty blocks.
    pub async fn mine(&self, blocks: u64) {
        self.anvil("anvil_mine", json!([format!("{blocks:#x}")]))
            .await;
    }

    /// Moves the time forward and adds a block.
    pub async fn wait(&self, seconds: u64) {
        self.anvil("evm_increaseTime", json!([seconds])).await;
        self.mine(1).await;
    }
}

/// Encodes a batch of one item.
#[must_use]
pub fn items(label: u16, features: &[u16]) -> Vec<u8> {
    encode_batch(&[Item {
        label,
        sample: &encode_sparse(features),
    }])
    .expect("an item")
}

/// Checks that the follower's state is the contract's: weights, counters, and the balances of these
/// people.
pub async fn assert_same(stage: &Stage, index: &Index, people: &[&Key]) {
    use bindings::state;
    let model = index.model(stage.trainer).expect("followed");
    let head = stage.node.head().await.expect("a head");
    let summary = model.summary(head.time);
    assert_eq!(
        (summary.block, summary.block_hash),
        (head.number, head.hash)
    );
    assert_eq!(model.words().2, stage.words().await, "weights");
    assert_eq!(
        u128::from(summary.contributions),
        stage.number(state::contribution_count()).await
    );
    assert_eq!(
        u128::from(summary.total_good),
        stage.number(state::total_good()).await
    );
    let money = stage.node.balance(stage.trainer).await.expect("a balance");
    assert_eq!(U256::from(summary.held), money, "money in the contract");
    for person in people {
        let person = person.address();
        let account = model.account(person);
        assert_eq!(
            account.balance,
            stage.number(state::balance_of(person)).await,
            "{person}"
        );
        assert_eq!(
            u128::from(account.good),
            stage.number(state::good(person)).await,
            "{person}"
        );
    }
}
