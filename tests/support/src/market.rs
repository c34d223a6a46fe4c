//! A chain with a prediction market, which tests drive through its life.

use std::sync::Arc;

use alloy_primitives::{Address, B256};
use cotrain_bindings::{self as bindings, market as calls};
use cotrain_chain::{keys::Key, node::NodeReceipt};
use cotrain_client::{
    market::{MarketLedger, MarketState, TestSet},
    model::ModelFacts,
};
use cotrain_indexer::{HostedMarket, Index};
use cotrain_protocol::{
    classifier::Parameters,
    market::{Pace, Terms},
    mechanism,
    sample::{Item, encode_sparse},
};

use crate::stage::{Stage, items};

/// A stage with a market beside its model.
///
/// In the test set feature 1 is of class 1 and feature 2 of class 0, once in each of three parts.
#[derive(Debug)]
pub struct MarketStage {
    /// Chain, and a model with deposits and claims.
    pub stage: Stage,
    /// Contract of the market.
    pub market: Address,
    /// Model that the market begins with.
    pub classifier: Address,
    /// Block in which that model was closed.
    pub from_block: u64,
    /// Test set of the stage's owner, who is the provider.
    pub set: TestSet,
}

impl MarketStage {
    /// Terms of the market: its model begins with weights of 0.
    pub const TERMS: Terms = Terms {
        stake: 10_u128.pow(16),
        participation: 3_600,
        reveal_wait: 7_200,
        scoring_wait: 86_400,
        most_contributions: 100,
        most_passes: 5,
    };
    /// Bounty that [`commit`](Self::commit) locks, in wei.
    pub const BOUNTY: u128 = 10_u128.pow(18);

    /// Creates a market without commitments, on a chain of its own.
    pub async fn new() -> Self {
        let stage = Stage::new().await;
        let (market, classifier, from_block) = create(&stage).await;
        let [good, bad] = [1, 2].map(|feature| encode_sparse(&[feature]));
        let part = [(1, &good), (0, &bad)].map(|(label, sample)| Item { label, sample });
        let samples = [part, part, part].concat();
        let set = TestSet::new(&stage.owner, stage.node.chain_id(), market, &samples, 3);
        Self {
            set: set.expect("a test set"),
            market,
            classifier,
            from_block,
            stage,
        }
    }

    /// Creates another market. Returns its address, and the block in which its model was closed.
    pub async fn another(&self) -> (Address, u64) {
        let (market, _, from_block) = create(&self.stage).await;
        (market, from_block)
    }

    /// Sends a transaction to the market, which must succeed.
    pub async fn send(&self, from: &Key, wei: u128, data: Vec<u8>) -> NodeReceipt {
        self.stage.send(from, Some(self.market), wei, data).await
    }

    /// Commits to the test set and locks the bounty.
    pub async fn commit(&self) -> NodeReceipt {
        let commit = calls::commit(&self.set.commitments());
        self.send(&self.stage.owner, Self::BOUNTY, commit).await
    }

    /// Draws the part to test with, two blocks after the commitments, and reveals it. The market is
    /// then open.
    pub async fn open(&self) {
        self.stage.mine(2).await;
        self.send(&self.stage.owner, 0, calls::draw()).await;
        self.reveal(|part, drawn| part == drawn).await;
    }

    /// Waits until the market has closed.
    pub async fn close(&self) {
        self.stage.wait(Self::TERMS.participation + 1).await;
    }

    /// Reveals the parts that were not drawn, after the closing.
    pub async fn reveal_rest(&self) {
        self.reveal(|part, drawn| part != drawn).await;
    }

    /// Reveals the parts for which `is_due` returns `true`, given the index of the part and of the
    /// drawn one.
    async fn reveal(&self, is_due: impl Fn(usize, usize) -> bool) {
        let drawn = self.read().await.market().drawn_part().expect("a draw");
        for part in (0..self.set.len()).filter(|part| is_due(*part, drawn)) {
            let (salt, items): (B256, _) = self.set.part(part).expect("a part");
            let reveal = calls::reveal(part as u64, salt, items);
            self.send(&self.stage.owner, 0, reveal).await;
        }
    }

    /// Contributes one sample.
    pub async fn contribute(&self, author: &Key, label: u16, features: &[u16]) -> NodeReceipt {
        let call = bindings::contribute(&items(label, features));
        self.send(author, Self::TERMS.stake, call).await
    }

    /// Sends the next step of the scoring, as a ledger plans it. Returns `false` if none is due.
    pub async fn score(&self, from: &Key, ledger: &MarketLedger) -> bool {
        let head = self.stage.node.head().await.expect("a head");
        let now = self.stage.node.now_after(&head).await;
        let Some(action) = ledger.action(now, head.number, &Pace::default()) else {
            return false;
        };
        self.send(from, 0, ledger.call(&action)).await;
        true
    }

    /// Reads the market from the node, without an index.
    pub async fn read(&self) -> MarketState {
        let node = &self.stage.node;
        let facts = ModelFacts::read(node, self.market).await.expect("facts");
        let state = MarketState::read(node, &facts, self.from_block).await;
        state.expect("a market")
    }

    /// Begins to follow the market with an index.
    pub async fn host(&self, index: &Index) -> Arc<HostedMarket> {
        let added = index.add(None, self.market, Some(self.from_block), true);
        added.await.expect("followed");
        index.market(self.market).expect("a market")
    }
}

/// Creates a market of the stage's owner. Returns it, its model, and the block in which the model
/// was closed.
async fn create(stage: &Stage) -> (Address, Address, u64) {
    let parameters = Parameters::SparsePerceptron {
        features: 64,
        learning_rate: 1,
        intercept: 0,
    };
    let terms = mechanism::Terms::Market(MarketStage::TERMS);
    let (market, classifier) = stage.create_model(&parameters, &terms).await;
    let close = bindings::close(market);
    let closed = stage.send(&stage.owner, Some(classifier), 0, close).await;
    (market, classifier, closed.block)
}
