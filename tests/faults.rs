//! Tests the client of a node against one that fails. It retries faults that may pass, and reports
//! the others.

use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256, U256};
use cotrain_chain::{
    anvil::{Anvil, AnvilConfig},
    keys::{Key, Signed, Unsigned},
    node::{Node, NodeError, NodeOptions, NodeReceipt},
};
use cotrain_test_support::{Fault, FaultyProxy, Stage};
use tokio::task::JoinSet;

const SHORT: Duration = Duration::from_millis(400);

async fn faulty() -> (Anvil, FaultyProxy, Node) {
    let anvil = Anvil::spawn(&AnvilConfig::default()).unwrap_or_else(|error| panic!("{error}"));
    let (proxy, node) = before(&anvil).await;
    (anvil, proxy, node)
}

/// Puts a proxy before anvil, with a client that survives two failures but not three.
async fn before(anvil: &Anvil) -> (FaultyProxy, Node) {
    let proxy = FaultyProxy::new(anvil.url(), 1);
    let options = NodeOptions {
        timeout: SHORT,
        retries: 2,
    };
    let node = Node::connect(&proxy.url(), options).await;
    (proxy, node.expect("a node"))
}

fn transfer(node: &Node, nonce: u64) -> Signed {
    Key::development(0).sign_transaction(&Unsigned {
        chain_id: node.chain_id(),
        nonce,
        to: Some(Address::repeat_byte(7)),
        value: U256::from(1),
        data: vec![].into(),
        gas_limit: 21_000,
        max_fee: 10_000_000_000,
        priority_fee: 1_000_000_000,
    })
}

/// Waits for the receipt of a transaction that the node has accepted: anvil answers before it mines
/// the block.
async fn included(node: &Node, signed: &Signed) -> NodeReceipt {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(receipt) = node.receipt(signed.hash).await.expect("an answer") {
            return receipt;
        }
        assert!(Instant::now() < deadline, "{} is not included", signed.hash);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Predicate that is `true` for the expected error.
type Expected = fn(&NodeError) -> bool;

/// Returns every fault that may pass, with a check of the error that reports it.
fn passing() -> Vec<(Fault, Expected)> {
    vec![
        (Fault::Delay(2 * SHORT), |error| {
            matches!(error, NodeError::TimedOut { .. })
        }),
        (Fault::Refuse, |error| {
            matches!(error, NodeError::Unreachable { .. })
        }),
        (Fault::Cut, |error| {
            matches!(error, NodeError::Unreachable { .. })
        }),
        (Fault::Torn, |error| {
            matches!(error, NodeError::Malformed { .. })
        }),
        (Fault::Status(502), |error| {
            matches!(error, NodeError::Unavailable { .. })
        }),
        (Fault::Status(429), |error| {
            matches!(error, NodeError::RateLimited { .. })
        }),
        (Fault::rpc(-32_005, "limit exceeded"), |error| {
            matches!(error, NodeError::RateLimited { .. })
        }),
    ]
}

#[tokio::test]
async fn node_survives_faults_that_pass_and_reports_those_that_stay() {
    let anvil = Anvil::spawn(&AnvilConfig::default()).unwrap_or_else(|error| panic!("{error}"));
    let mut all = JoinSet::new();
    for (fault, told) in passing() {
        let (proxy, node) = before(&anvil).await;
        all.spawn(survives(proxy, node, fault, told));
    }
    all.join_all().await;
}

async fn survives(proxy: FaultyProxy, node: Node, fault: Fault, told: fn(&NodeError) -> bool) {
    let before = proxy.requests();
    proxy.set_for(2, fault.clone());
    let head = node.head().await;
    assert_eq!(head.expect("survived").number, 0, "{fault:?}");
    assert_eq!(proxy.requests() - before, 3, "{fault:?}");

    proxy.set(fault.clone());
    let error = node.head().await.expect_err("stays");
    assert!(told(&error) && error.is_transient(), "{fault:?}: {error:?}");
    assert_eq!(proxy.requests() - before, 6, "{fault:?}");
}

#[tokio::test]
async fn node_does_not_retry_what_cannot_pass() {
    let (_anvil, proxy, node) = faulty().await;
    let before = proxy.requests();
    proxy.set(Fault::Status(401));
    let denied = node.head().await;
    assert!(
        matches!(denied, Err(NodeError::Denied { status: 401, .. })),
        "{denied:?}"
    );
    proxy.set(Fault::rpc(-32_000, "missing trie node"));
    let gone = node.balance(Address::ZERO).await;
    assert!(matches!(gone, Err(NodeError::StateGone { .. })), "{gone:?}");
    proxy.set(Fault::rpc(
        -32_005,
        "query returned more than 10000 results",
    ));
    let much = node.logs(0, 9, &[], &[]).await;
    assert!(matches!(much, Err(NodeError::TooMuch { .. })), "{much:?}");
    assert_eq!(proxy.requests() - before, 3);
}

#[tokio::test]
async fn broadcast_sends_a_transaction_once_if_its_answer_is_lost() {
    let (_anvil, proxy, node) = faulty().await;
    // The node includes it, but the answer is lost. The retry finds the nonce used.
    for (nonce, fault) in [Fault::Cut, Fault::Delay(2 * SHORT)]
        .into_iter()
        .enumerate()
    {
        let signed = transfer(&node, nonce as u64);
        proxy.set_for(1, fault.clone());
        assert_eq!(node.broadcast(&signed.raw).await, Ok(()), "{fault:?}");
        assert!(included(&node, &signed).await.success);
    }
    let held = node.balance(Address::repeat_byte(7)).await;
    assert_eq!(held, Ok(U256::from(2)));
}

#[tokio::test]
async fn node_that_fails_by_chance_is_used_all_the_same() {
    let (anvil, proxy, _) = faulty().await;
    let options = NodeOptions {
        timeout: SHORT,
        retries: 8,
    };
    let mut faults = vec![Fault::Pass; 6];
    faults.extend([Fault::Refuse, Fault::Cut, Fault::Status(503)]);
    proxy.set(Fault::Mix(faults));
    let node = Node::connect(&proxy.url(), options).await.expect("a node");
    for nonce in 0..4 {
        let signed = transfer(&node, nonce);
        assert_eq!(node.broadcast(&signed.raw).await, Ok(()));
        assert!(included(&node, &signed).await.success);
    }
    let straight = Node::connect(anvil.url(), options).await.expect("a node");
    assert_eq!(straight.head().await, node.head().await);
    assert_eq!(straight.head().await.expect("a head").number, 4);
}

#[tokio::test]
async fn logs_of_sees_a_reorganization_by_hash() {
    let stage = Stage::new().await;
    let person = Key::development(1);
    let lost = stage.contribute(&person, 1, &[3]).await;
    assert!(!lost.logs.is_empty());
    let logs_of = |block: B256| {
        let node = &stage.node;
        let trainer = stage.trainer;
        async move { node.logs_of(block, &[trainer], &[]).await }
    };
    assert_eq!(logs_of(lost.block_hash).await, Ok(lost.logs.clone()));
    stage.reorganize(1).await;
    let gone = logs_of(lost.block_hash).await;
    assert!(
        matches!(gone, Err(NodeError::UnknownBlock { .. })),
        "{gone:?}"
    );
    assert_eq!(stage.node.receipt(lost.transaction).await, Ok(None));
    let head = stage.node.head().await.expect("a head");
    assert_eq!(head.number, lost.block);
    assert_ne!(head.hash, lost.block_hash);

    // The replacement holds another transaction.
    let nonce = stage
        .node
        .nonce(stage.owner.address())
        .await
        .expect("a nonce");
    let signed = transfer(&stage.node, nonce);
    stage.reorganize_with(1, &[(signed.raw.clone(), 0)]).await;
    let receipt = stage.node.receipt(signed.hash).await.expect("an answer");
    assert_eq!(receipt.expect("included").block, head.number);

    stage.roll_back(1).await;
    assert_eq!(
        stage.node.head().await.expect("a head").number,
        head.number - 1
    );
    stage.automine(false).await;
    let signed = transfer(&stage.node, nonce);
    assert_eq!(stage.node.broadcast(&signed.raw).await, Ok(()));
    assert_eq!(stage.node.receipt(signed.hash).await, Ok(None));
    stage.mine(1).await;
    assert!(
        stage
            .node
            .receipt(signed.hash)
            .await
            .expect("an answer")
            .is_some()
    );
}

const LOGS: &[&str] = &["eth_getLogs"];
const HISTORY: &[&str] = &["eth_feeHistory"];

#[tokio::test]
async fn logs_from_reads_each_log_once_in_order_in_the_width_a_node_takes() {
    let stage = Stage::new().await;
    let person = Key::development(1);
    let mut wanted = Vec::new();
    for feature in 0..5 {
        wanted.extend(stage.contribute(&person, 1, &[feature]).await.logs);
        stage.mine(20).await;
    }
    let head = stage.node.head().await.expect("a head").number;
    let options = NodeOptions {
        timeout: Duration::from_secs(10),
        retries: 0,
    };
    let proxy = FaultyProxy::new(stage.anvil.url(), 1);
    let node = Node::connect(&proxy.url(), options).await.expect("a node");
    let all = async || {
        let (mut logs, mut from) = (Vec::new(), stage.from_block + 1);
        while from <= head {
            let read = node.logs_from(from, head, &[stage.trainer], &[]).await;
            let (some, to) = read.expect("logs");
            assert!((from..=head).contains(&to));
            logs.extend(some);
            from = to + 1;
        }
        logs
    };
    for fault in [Fault::Twice, Fault::Backwards] {
        proxy.set(Fault::on(LOGS, fault.clone()));
        assert_eq!(all().await, wanted, "{fault:?}");
    }
    let refusal = Fault::Refusal {
        status: 500,
        code: 7,
        message: "words that nobody has heard of".to_owned(),
        data: serde_json::Value::Null,
    };
    proxy.set(Fault::on(LOGS, Fault::Wide(30, Box::new(refusal.clone()))));
    assert_eq!(all().await, wanted);
    // The second time, the node refuses nothing.
    let before = proxy.requests();
    assert_eq!(all().await, wanted);
    let asked = proxy.requests() - before;
    assert!((4..=8).contains(&asked), "{asked} requests");
    // A refusal of a single block is final.
    proxy.set(Fault::on(LOGS, Fault::Wide(0, Box::new(refusal))));
    let refused = node.logs_from(1, head, &[], &[]).await;
    assert!(
        matches!(refused, Err(NodeError::Other { code: 7, .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn logs_of_finds_out_an_empty_answer_for_a_block_with_logs() {
    let stage = Stage::new().await;
    let receipt = stage.contribute(&Key::development(1), 1, &[3]).await;
    let proxy = FaultyProxy::new(stage.anvil.url(), 1);
    let node = Node::connect(&proxy.url(), NodeOptions::default())
        .await
        .expect("a node");
    let (block, trainer) = (receipt.block_hash, [stage.trainer]);
    // After one empty answer, the client reads all logs of the block. If they stay empty, it fails.
    proxy.set_for(1, Fault::on(LOGS, Fault::Empty));
    assert_eq!(node.logs_of(block, &trainer, &[]).await, Ok(receipt.logs));
    proxy.set(Fault::on(LOGS, Fault::Empty));
    let empty = node.logs_of(block, &trainer, &[]).await;
    assert!(
        matches!(empty, Err(NodeError::Contradictory { .. })),
        "{empty:?}"
    );
    // The block has no logs of another contract.
    let others = node.logs_of(block, &[Address::repeat_byte(9)], &[]).await;
    assert_eq!(others, Ok(Vec::new()));
}

#[tokio::test]
async fn head_takes_a_header_without_all_fields() {
    let (_anvil, proxy, node) = faulty().await;
    let whole = node.head().await;
    proxy.set(Fault::Bare);
    assert_eq!(node.head().await, whole);
    assert!(node.now().await.is_ok());
}

#[tokio::test]
async fn gas_fees_are_known_without_a_history() {
    let (_anvil, proxy, node) = faulty().await;
    // Without tips in its history, the node's own suggestion is the floor.
    let quiet = node.gas_fees().await.expect("fees");
    assert_eq!(quiet.priority, 1_000_000_000, "anvil suggests one gwei");
    let unknown = Fault::rpc(-32_601, "the method does not exist");
    let known = node.head().await.expect("a head").base_fee;
    proxy.set(Fault::on(HISTORY, unknown.clone()));
    let gas_fees = node.gas_fees().await.expect("fees");
    assert_eq!(
        (gas_fees.base, gas_fees.priority),
        (known + known / 8, quiet.priority)
    );
    proxy.set(Fault::on(
        &["eth_feeHistory", "eth_maxPriorityFeePerGas"],
        unknown.clone(),
    ));
    assert!(node.gas_fees().await.expect("fees").priority > 0);
    proxy.set(Fault::on(
        &["eth_feeHistory", "eth_maxPriorityFeePerGas", "eth_gasPrice"],
        unknown,
    ));
    assert_eq!(node.gas_fees().await.expect("fees").priority, 1_000_000);
}
