//! Tests of the client of a node, against anvil.

use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, U256, hex, keccak256};
use alloy_provider::{Provider, RootProvider};
use alloy_rpc_types_eth::EIP1186AccountProofResponse;
use alloy_transport::TransportError;
use cotrain_bindings::Revert;
use cotrain_chain::{
    anvil::{Anvil, AnvilConfig},
    keys::{Key, KeyError, Signed, Unsigned},
    node::{
        At, Node, NodeError, NodeOptions, NodeReceipt,
        proof::{self, ProofError},
    },
};
use cotrain_protocol::ContractError;

/// Topic of the event of the contract below.
const TOPIC: B256 = B256::repeat_byte(0xaa);

/// Returns the creation code of a contract. Its slot 5 holds 42 from the start.
///
/// A call without data adds one to slot 0 and emits an event. A call with data reverts with that
/// data.
fn contract() -> Bytes {
    let code = format!(
        "36603457600054600101600055\
         7f{}60006000a1005b366000600037366000fd",
        hex::encode(TOPIC)
    );
    let code = hex::decode(code).expect("digits");
    let mut creation = hex!("602a600555603f6011600039603f6000f3").to_vec();
    creation.extend(code);
    creation.into()
}

struct Fixture {
    anvil: Anvil,
    node: Node,
    key: Key,
}

impl Fixture {
    async fn start(config: &AnvilConfig) -> Self {
        let anvil = Anvil::spawn(config).expect("anvil starts");
        let node = Node::connect(anvil.url(), NodeOptions::default()).await;
        Self {
            node: node.expect("anvil answers"),
            anvil,
            key: Key::development(0),
        }
    }

    async fn sign(&self, to: Option<Address>, data: Bytes) -> Signed {
        let gas_fees = self.node.gas_fees().await.expect("fees");
        let from = self.key.address();
        let gas = self
            .node
            .estimate(from, to, U256::ZERO, data.to_vec())
            .await;
        self.key.sign_transaction(&Unsigned {
            chain_id: self.node.chain_id(),
            nonce: self.node.nonce(from).await.expect("nonce"),
            to,
            value: U256::ZERO,
            data,
            gas_limit: gas.expect("gas"),
            max_fee: gas_fees.max(),
            priority_fee: gas_fees.priority,
        })
    }

    async fn send(&self, to: Option<Address>, data: Bytes) -> NodeReceipt {
        let signed = self.sign(to, data).await;
        self.node.broadcast(&signed.raw).await.expect("taken");
        self.receipt(signed.hash).await
    }

    async fn receipt(&self, hash: B256) -> NodeReceipt {
        for _ in 0..200 {
            if let Some(receipt) = self.node.receipt(hash).await.expect("answer") {
                return receipt;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{hash} is not included");
    }

    async fn deploy(&self) -> Address {
        let receipt = self.send(None, contract()).await;
        assert!(receipt.success);
        receipt.created.expect("a contract")
    }
}

fn value_transfer(node: &Node, nonce: u64, fee: u128) -> Unsigned {
    Unsigned {
        chain_id: node.chain_id(),
        nonce,
        to: Some(Address::repeat_byte(7)),
        value: U256::from(1),
        data: Bytes::new(),
        gas_limit: 21_000,
        max_fee: fee,
        priority_fee: fee / 2,
    }
}

// ---------------------------------------------------------------- Reading and calling

#[tokio::test]
async fn node_deploys_calls_and_reads_a_contract() {
    let chain = Fixture::start(&AnvilConfig::default()).await;
    let node = &chain.node;
    assert_eq!(node.chain_id(), 31_337);
    assert_eq!(node.head().await.expect("head").number, 0);

    let deployed = chain.send(None, contract()).await;
    let at = deployed.created.expect("a contract");
    assert!(deployed.success && deployed.gas_used > 21_000 && deployed.gas_price > 0);
    assert_eq!(node.code(at).await.expect("code").len(), 0x3f);
    assert_eq!(node.code(Address::ZERO).await.expect("code").len(), 0);
    let balance = node.balance(chain.key.address()).await.expect("balance");
    let paid = U256::from(deployed.gas_used) * U256::from(deployed.gas_price);
    assert_eq!(
        balance,
        U256::from(10_000_u64) * U256::from(10).pow(U256::from(18)) - paid
    );

    let called = chain.send(Some(at), Bytes::new()).await;
    let head = node.head().await.expect("head");
    assert_eq!((called.block, called.block_hash), (head.number, head.hash));
    let before = node.block(1).await.expect("answer").expect("a block");
    assert_eq!((head.number, head.parent), (2, before.hash));
    assert!(head.time >= before.time && head.base_fee > 0);
    assert_eq!(node.block(3).await.expect("answer"), None);
    assert_eq!(node.receipt(B256::ZERO).await.expect("answer"), None);
}

#[tokio::test]
async fn logs_are_found_by_height_and_by_block() {
    let chain = Fixture::start(&AnvilConfig::default()).await;
    let node = &chain.node;
    let at = chain.deploy().await;
    let first = chain.send(Some(at), Bytes::new()).await;
    let second = chain.send(Some(at), Bytes::new()).await;

    let logs = node.logs(0, 9, &[at], &[TOPIC]).await.expect("logs");
    assert_eq!(logs, [first.logs.clone(), second.logs.clone()].concat());
    assert_eq!((logs[0].block, logs[0].index), (2, 0));
    assert_eq!(logs[0].transaction, first.transaction);
    assert_eq!(logs[0].log.address, at);
    let only = node.logs(3, 3, &[], &[]).await.expect("logs");
    assert_eq!(only, second.logs);
    let absent = node.logs(0, 9, &[at], &[B256::ZERO]).await.expect("logs");
    assert!(absent.is_empty());

    let of = node.logs_of(first.block_hash, &[at], &[TOPIC]).await;
    assert_eq!(of.expect("logs"), first.logs);
    let creation = node.block(1).await.expect("answer").expect("a block");
    let of = node.logs_of(creation.hash, &[at], &[TOPIC]).await;
    assert_eq!(of.expect("logs"), []);
    let unknown = node.logs_of(B256::repeat_byte(1), &[at], &[TOPIC]).await;
    assert!(
        matches!(unknown, Err(NodeError::UnknownBlock { .. })),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn call_decodes_a_revert() {
    let chain = Fixture::start(&AnvilConfig::default()).await;
    let at = chain.deploy().await;
    let data = keccak256("EmptyBatch()")[..4].to_vec();
    let wanted = NodeError::Reverted(Revert::Contract(ContractError::EmptyBatch));

    let called = chain.node.call(at, data.clone(), None).await;
    assert_eq!(called, Err(wanted.clone()));
    let from = chain.key.address();
    let called = chain
        .node
        .call_from(from, at, U256::from(1), data.clone(), Some(At::Number(1)));
    assert_eq!(called.await, Err(wanted.clone()));
    let estimated = chain.node.estimate(from, Some(at), U256::ZERO, data).await;
    assert_eq!(estimated, Err(wanted));

    let block = chain.node.block(1).await.expect("answer").expect("a block");
    let called = chain
        .node
        .call(at, vec![], Some(At::Hash(block.hash)))
        .await;
    assert_eq!(called, Ok(Bytes::new()));
    let unknown = chain
        .node
        .call(at, vec![], Some(At::Hash(B256::repeat_byte(1))))
        .await;
    assert!(
        matches!(unknown, Err(NodeError::UnknownBlock { .. })),
        "{unknown:?}"
    );
}

/// Returns code that creates an empty contract from this second on, and reverts before.
fn from_second(second: u64) -> Vec<u8> {
    let second = u32::try_from(second).expect("a second of this century");
    hex::decode(format!("63{second:08x}421015600e575f5ffd5b00")).expect("digits")
}

#[tokio::test]
async fn estimate_next_goes_by_the_time_of_the_next_block() {
    let fixture = Fixture::start(&AnvilConfig::default()).await;
    let (node, from) = (&fixture.node, fixture.key.address());
    let latest = node.head().await.expect("a head");
    let provider: RootProvider = RootProvider::new_http(node.url().clone());
    let moved: Result<i64, TransportError> = provider
        .raw_request("evm_increaseTime".into(), (3_600,))
        .await;
    assert_eq!(moved.expect("anvil moves its time"), 3_600);
    assert_eq!(node.head().await.expect("a head"), latest, "no block came");
    let now = node.now().await.expect("a time");
    assert!(now >= latest.time + 3_600);

    let early = node.estimate(from, None, U256::ZERO, from_second(now));
    let early = early.await.expect_err("the latest block is earlier");
    assert!(matches!(early, NodeError::Reverted(_)), "{early:?}");
    let gas = node.estimate_next(from, None, U256::ZERO, from_second(now));
    assert!(gas.await.expect("it is due") > 21_000);
    let later = node.estimate_next(from, None, U256::ZERO, from_second(now + 900));
    let later = later.await.expect_err("the next block is earlier");
    assert!(matches!(later, NodeError::Reverted(_)), "{later:?}");
}

#[tokio::test]
async fn proved_storage_is_proved_and_nothing_false_is() {
    let chain = Fixture::start(&AnvilConfig::default()).await;
    let node = &chain.node;
    let at = chain.deploy().await;
    let head = chain.send(Some(at), Bytes::new()).await.block_hash;
    let slots = [0, 5, 9].map(U256::from);
    let values = [1, 42, 0].map(U256::from);

    let proved = node.proved_storage(at, &slots, head).await.expect("proved");
    assert_eq!(proved, values);
    let nobody = node
        .proved_storage(Address::repeat_byte(9), &slots, head)
        .await;
    assert_eq!(nobody.expect("proved"), [U256::ZERO; 3]);
    let unknown = node.proved_storage(at, &slots, B256::repeat_byte(1)).await;
    assert!(
        matches!(unknown, Err(NodeError::UnknownBlock { .. })),
        "{unknown:?}"
    );

    let provider: RootProvider = RootProvider::new_http(node.url().clone());
    let keys = slots.map(B256::from).to_vec();
    let honest = provider
        .get_proof(at, keys)
        .hash(head)
        .await
        .expect("a proof");
    let block = provider.get_block_by_hash(head).await.expect("answer");
    let header = block.expect("a block").header.inner;
    let told = proof::check(head, &header, at, &slots, &honest);
    assert_eq!(told.expect("honest"), values);
    let lie = |tamper: fn(&mut EIP1186AccountProofResponse)| {
        let mut lie = honest.clone();
        tamper(&mut lie);
        proof::check(head, &header, at, &slots, &lie).expect_err("a lie")
    };
    for error in [
        lie(|answer| answer.storage_proof[1].value = U256::from(43)),
        lie(|answer| answer.storage_proof[1].value = U256::ZERO),
        lie(|answer| answer.storage_proof[2].value = U256::from(1)),
        lie(|answer| answer.storage_proof[0].proof.clear()),
    ] {
        assert!(matches!(error, ProofError::Value { .. }), "{error:?}");
    }
    for error in [
        lie(|answer| answer.storage_proof.swap(0, 1)),
        lie(|answer| answer.storage_proof.truncate(2)),
    ] {
        assert!(matches!(error, ProofError::Slot { .. }), "{error:?}");
    }
    for error in [
        lie(|answer| answer.storage_hash = B256::repeat_byte(3)),
        lie(|answer| answer.account_proof.truncate(1)),
        lie(|answer| answer.balance = U256::from(1)),
        lie(|answer| {
            // As if the account did not exist.
            answer.nonce = 0;
            answer.code_hash = B256::ZERO;
        }),
    ] {
        assert!(matches!(error, ProofError::State { .. }), "{error:?}");
    }
    let another = lie(|answer| answer.address = Address::repeat_byte(9));
    assert!(matches!(another, ProofError::Account { .. }), "{another:?}");
    let mut other = header.clone();
    other.state_root = B256::repeat_byte(3);
    let error = proof::check(head, &other, at, &slots, &honest);
    assert!(matches!(error, Err(ProofError::Header { .. })), "{error:?}");
}

// ---------------------------------------------------------------- Sending

#[tokio::test]
async fn broadcast_distinguishes_transactions_that_cannot_be_taken() {
    let config = AnvilConfig {
        arguments: vec!["--no-mining".to_owned()],
        ..AnvilConfig::default()
    };
    let chain = Fixture::start(&config).await;
    let node = &chain.node;
    let fee = node.gas_fees().await.expect("fees").max();
    let first = chain.key.sign_transaction(&value_transfer(node, 0, fee));
    // Pending, and sent a second time.
    assert_eq!(node.broadcast(&first.raw).await, Ok(()));
    assert_eq!(node.broadcast(&first.raw).await, Ok(()));
    assert_eq!(node.receipt(first.hash).await, Ok(None));
    let other = chain
        .key
        .sign_transaction(&value_transfer(node, 0, fee - 1));
    assert_eq!(
        node.broadcast(&other.raw).await,
        Err(NodeError::Underpriced)
    );
    let poor = Key::from_hex(&"1".repeat(64)).expect("a key");
    let unpaid = poor.sign_transaction(&value_transfer(node, 0, fee));
    let unpaid = node.broadcast(&unpaid.raw).await;
    assert!(
        matches!(unpaid, Err(NodeError::InsufficientFunds { .. })),
        "{unpaid:?}"
    );
    let cheap = chain.key.sign_transaction(&value_transfer(node, 1, 1));
    let cheap = node.broadcast(&cheap.raw).await;
    assert!(
        matches!(cheap, Ok(()) | Err(NodeError::Underpriced)),
        "{cheap:?}"
    );

    let provider: RootProvider = RootProvider::new_http(node.url().clone());
    let mined: TransactionResult = provider.raw_request("evm_mine".into(), ()).await;
    mined.expect("mined");
    assert!(chain.receipt(first.hash).await.success);
    // Included, and sent a third time.
    assert_eq!(node.broadcast(&first.raw).await, Ok(()));
    assert_eq!(
        node.broadcast(&other.raw).await,
        Err(NodeError::NonceTooLow)
    );
}

type TransactionResult = Result<String, TransportError>;

// ---------------------------------------------------------------- Connecting

/// Compiles only if any task can make requests.
#[test]
fn node_makes_requests_that_may_move_between_threads() {
    fn may_move<T: Send>(_: impl Fn(&'static Node) -> T) {}
    may_move(Node::head);
    may_move(|node| node.block(0));
    may_move(|node| node.logs(0, 1, &[], &[]));
    may_move(|node| node.logs_of(B256::ZERO, &[], &[]));
    may_move(|node| node.call(Address::ZERO, vec![], None));
    may_move(|node| node.estimate(Address::ZERO, None, U256::ZERO, vec![]));
    may_move(|node| node.code(Address::ZERO));
    may_move(|node| node.balance(Address::ZERO));
    may_move(|node| node.nonce(Address::ZERO));
    may_move(Node::gas_fees);
    may_move(|node| node.broadcast(&[]));
    may_move(|node| node.receipt(B256::ZERO));
    may_move(|node| node.proved_storage(Address::ZERO, &[], B256::ZERO));
}

#[tokio::test]
async fn connect_names_a_node_that_it_cannot_reach() {
    let few = NodeOptions {
        timeout: Duration::from_millis(300),
        retries: 1,
    };
    let url = |text: &str| text.parse().expect("a URL");
    // Nothing listens on the discard port.
    let refused = Node::connect(&url("http://user:secret@127.0.0.1:9/key"), few).await;
    let refused = refused.expect_err("nothing there");
    assert!(
        matches!(refused, NodeError::Unreachable { .. }),
        "{refused:?}"
    );
    assert!(refused.is_transient());
    let text = format!("{refused} {refused:?}");
    assert!(
        text.contains("http://127.0.0.1:9") && !text.contains("secret") && !text.contains("key"),
        "{text}"
    );

    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address");
    let late = Node::connect(&url(&format!("http://{address}")), few).await;
    assert!(matches!(late, Err(NodeError::TimedOut { .. })), "{late:?}");
    let strange = Node::connect(&url("ftp://node.example"), few).await;
    assert!(
        matches!(strange, Err(NodeError::BadUrl { .. })),
        "{strange:?}"
    );
}

#[tokio::test]
async fn expect_chain_refuses_a_node_of_another_chain() {
    let config = AnvilConfig {
        chain_id: 1,
        ..AnvilConfig::default()
    };
    let chain = Fixture::start(&config).await;
    assert_eq!(chain.node.expect_chain(1), Ok(()));
    let url = chain.node.display_url();
    let wrong = NodeError::WrongChain {
        url,
        found: 1,
        wanted: 5,
    };
    assert_eq!(chain.node.expect_chain(5), Err(wrong));
}

// ---------------------------------------------------------------- Anvil

#[tokio::test]
async fn anvil_reads_at_its_start_what_it_wrote_at_its_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = AnvilConfig {
        state: Some(directory.path().join("state.json")),
        ..AnvilConfig::default()
    };
    let chain = Fixture::start(&config).await;
    let at = chain.deploy().await;
    chain.anvil.stop().expect("stops");
    let again = Fixture::start(&config).await;
    assert_eq!(again.node.code(at).await.expect("code").len(), 0x3f);
}

#[test]
fn spawn_says_why_anvil_cannot_start() {
    let config = AnvilConfig {
        hardfork: "no-such-fork".to_owned(),
        ..AnvilConfig::default()
    };
    let error = Anvil::spawn(&config).expect_err("no such fork").to_string();
    assert!(error.contains("no-such-fork"), "{error}");
}

// ---------------------------------------------------------------- Key files

#[test]
fn create_keystore_keeps_a_key_that_from_keystore_opens() {
    let directory = tempfile::tempdir().expect("a directory");
    let (key, path) = Key::create_keystore(directory.path(), "secret").expect("a file");
    let text = std::fs::read_to_string(&path).expect("readable");
    assert!(!text.is_empty() && !text.contains("secret"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = path.metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let again = Key::from_keystore(&path, "secret").expect("opens");
    assert_eq!(again.address(), key.address());
    let wrong = Key::from_keystore(&path, "other");
    assert!(
        matches!(wrong, Err(KeyError::WrongPassword { .. })),
        "{wrong:?}"
    );
    let none = Key::from_keystore(&directory.path().join("none"), "");
    assert!(matches!(none, Err(KeyError::Unreadable { .. })), "{none:?}");

    for bad in ["", "{}", &text.replace("\"dklen\":32", "\"dklen\":8")] {
        std::fs::write(&path, bad).expect("written");
        let error = Key::from_keystore(&path, "secret");
        assert!(
            matches!(error, Err(KeyError::NotAKeystore { .. })),
            "{bad}: {error:?}"
        );
    }
}
