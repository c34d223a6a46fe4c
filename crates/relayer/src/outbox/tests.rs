//! Tests of one key's transactions on a development chain.

use cotrain_indexer::ChainStore;
use cotrain_test_support::Stage;
use serde_json::json;

use super::*;

/// Gas limit of the calls; each one only calls an account without code.
const GAS: u64 = 30_000;

/// Maximum price of gas, in wei per unit.
const MAX_PRICE: u128 = 100_000_000_000;

/// A chain that adds blocks only on request, and a database that follows its model.
struct Sending {
    stage: Stage,
    model: ModelId,
    store: RelayStore,
    key: Key,
}

impl Sending {
    async fn new() -> Self {
        let stage = Stage::new().await;
        let index = stage.follow("outbox.db").await;
        let model = index.model(stage.trainer).expect("a model").id();
        let path = stage.path("outbox.db").to_string_lossy().into_owned();
        let store = RelayStore::new(ChainStore::open(&path).await.expect("a store"));
        stage.automine(false).await;
        Self {
            stage,
            model,
            store,
            key: Key::development(5),
        }
    }

    /// Opens an outbox that bumps pending transactions without delay.
    async fn outbox(&self, limits: Limits) -> Outbox {
        let (node, store, key) = (
            self.stage.node.clone(),
            self.store.clone(),
            self.key.clone(),
        );
        let outbox = Outbox::open(node, store, key, Duration::ZERO, 1, limits).await;
        outbox.expect("an outbox")
    }

    fn step(&self) -> Call {
        Call {
            model: self.model,
            purpose: SCORE,
            to: Address::repeat_byte(7),
            data: Bytes::new(),
            gas_limit: GAS,
        }
    }

    async fn outgoing(&self) -> Vec<InFlight> {
        let chain_id = self.stage.node.chain_id();
        let outgoing = self.store.outgoing(chain_id, self.key.address()).await;
        outgoing.expect("read")
    }
}

/// Returns limits that allow one step of a market, but not two.
fn one_step() -> Limits {
    Limits {
        score: Some(MAX_PRICE),
        score_cost: Some(MAX_PRICE * u128::from(GAS)),
        ..Limits::default()
    }
}

#[tokio::test]
async fn send_reserves_what_a_step_may_cost_later_and_stores_none_beyond_the_budget() {
    let sending = Sending::new().await;
    let mut outbox = sending.outbox(one_step()).await;
    outbox.send(sending.step(), &[]).await.expect("it fits");
    let second = outbox.send(sending.step(), &[]).await;
    assert!(
        matches!(second, Err(OutboxError::Send(SendError::OverBudget(_)))),
        "{second:?}"
    );
    assert_eq!(sending.outgoing().await.len(), 1);

    // A claim does not count against a market's budget, and has none of its own.
    let claim = Call {
        purpose: "refund",
        ..sending.step()
    };
    outbox.send(claim, &[]).await.expect("no step");
    assert_eq!(sending.outgoing().await.len(), 2);
}

#[tokio::test]
async fn poll_raises_a_step_within_its_budget_and_never_if_scoring_is_off() {
    let sending = Sending::new().await;
    let mut outbox = sending.outbox(one_step()).await;
    outbox.send(sending.step(), &[]).await.expect("it fits");
    let offer = async || sending.outgoing().await[0].transaction.offer();
    let sent = offer().await;

    let mut off = sending.outbox(Limits::default()).await;
    off.poll(|_| 0).await.expect("looked after");
    assert_eq!(offer().await, sent, "nobody says what it may cost");

    outbox.poll(|_| 0).await.expect("looked after");
    let raised = offer().await;
    assert!(raised.max_fee > sent.max_fee, "{raised:?} {sent:?}");
    assert!(raised.max_fee <= MAX_PRICE);
}

/// Nodes behind one address may briefly disagree: one has the nonce, another no receipt yet.
#[tokio::test]
async fn poll_takes_a_transaction_for_replaced_only_after_the_lag_of_nodes() {
    let sending = Sending::new().await;
    let mut outbox = sending.outbox(one_step()).await;
    let hash = outbox.send(sending.step(), &[]).await.expect("it fits");
    let stage = &sending.stage;
    stage.anvil("anvil_dropTransaction", json!([hash])).await;
    stage.automine(true).await;
    let to = Some(Address::repeat_byte(8));
    stage.send(&sending.key, to, 1, Vec::new()).await;

    let seen = Instant::now();
    outbox.poll(|_| 0).await.expect("looked after");
    assert_eq!(sending.outgoing().await.len(), 1, "its receipt may come");
    while !sending.outgoing().await.is_empty() {
        assert!(seen.elapsed() < 4 * LAG, "it waits forever");
        tokio::time::sleep(Duration::from_millis(200)).await;
        outbox.poll(|_| 0).await.expect("looked after");
    }
    assert!(seen.elapsed() >= LAG, "{:?}", seen.elapsed());
}
