//! Tests a coordinator at a node that misbehaves by a seeded plan.
//!
//! In the end the coordinator has the contract's state, or reports that it is not ready.
//! It is never ready while it has another state.
//!
//! The order of concurrent requests also decides which request meets which fault.
//! So a seed gives a mixture of faults and not a script. `scripts/misbehave` runs many seeds.

use std::{
    env,
    time::{Duration, Instant},
};

use alloy_primitives::{B256, U256, hex};
use cotrain_bindings::{self as bindings, state as getters};
use cotrain_chain::{
    keys::Key,
    node::{At, Node, NodeError},
};
use cotrain_server::{
    config::{Config, Sources},
    serve,
};
use cotrain_test_support::{Fault, FaultyProxy, Stage};
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

/// Duration of the activity on the chain while the node misbehaves.
const BUSY: Duration = Duration::from_secs(5);
/// Time that the coordinator has to catch up with a node that behaves.
const PATIENCE: Duration = Duration::from_mins(1);

/// Maximum number of blocks that a branch replaces.
const MAX_DEPTH: usize = 4;

const LOGS: &[&str] = &["eth_getLogs"];
const BLOCKS: &[&str] = &["eth_getBlockByNumber", "eth_getBlockByHash"];
const STATES: &[&str] = &["eth_call", "eth_getBalance"];

// ---------------------------------------------------------------- The node's faults

/// Returns refusals of wide ranges, each with an HTTP status, a code, a message and data.
fn wide_refusals() -> Vec<Fault> {
    let refusals = [
        (
            200,
            -32_614,
            "eth_getLogs is limited to a 10,000 range",
            Value::Null,
        ),
        (
            413,
            -32_602,
            "eth_getLogs and eth_newFilter are limited to a 10,000 blocks range",
            Value::Null,
        ),
        (
            200,
            -32_602,
            "eth_getLogs is limited to 0 - 50 blocks range",
            Value::Null,
        ),
        (
            200,
            -32_602,
            "invalid params",
            json!("Query returned more than 50000 results. Use fewer blocks"),
        ),
        (
            200,
            -32_602,
            "Invalid params",
            json!("requested block range 99 exceeds the limit of 200; see the docs"),
        ),
        (
            200,
            -32_000,
            "maximum [from, to] blocks distance: 2000",
            Value::Null,
        ),
        (
            200,
            -32_000,
            "too wide blocks range, the limit is 100",
            Value::Null,
        ),
        (
            200,
            -32_000,
            "GetLogs query must be smaller than size 1024",
            Value::Null,
        ),
        (
            500,
            35,
            "ranges over 10000 blocks are not supported on freetier",
            Value::Null,
        ),
        (
            200,
            -32_012,
            "Invalid request",
            json!({ "details": { "maxAllowedRange": 1000 } }),
        ),
        (200, 7, "words that nobody has ever heard of", Value::Null),
    ];
    let refusal = |(status, code, message, data): (u16, i64, &str, Value)| Fault::Refusal {
        status,
        code,
        message: message.to_owned(),
        data,
    };
    refusals.into_iter().map(refusal).collect()
}

/// Generator `SplitMix64`.
struct Chance(u64);

impl Chance {
    fn draw(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % below as u64).expect("small")
    }
}

/// Draws the node's character: some habits that it always has, and some that it has at times.
fn character(chance: &mut Chance) -> Fault {
    let mut always = Vec::new();
    let refusals = wide_refusals();
    if chance.draw(2) == 0 {
        let refusal = refusals[chance.draw(refusals.len())].clone();
        let blocks = [1, 3, 20][chance.draw(3)];
        always.push(Fault::on(LOGS, Fault::Wide(blocks, Box::new(refusal))));
    }
    if chance.draw(4) == 0 {
        let words = [
            "missing trie node 0a (path )",
            "historical state 0a is not available",
            "BlockOutOfRangeError: block height is 900 but requested was 3",
            "state already discarded, it was pruned",
        ];
        let gone = Fault::rpc(-32_000, words[chance.draw(words.len())]);
        always.push(Fault::on(STATES, Fault::Pruned(Box::new(gone))));
    }
    if chance.draw(4) == 0 {
        always.push(Fault::on(BLOCKS, Fault::Bare));
    }
    let habits = [
        Fault::on(LOGS, Fault::Empty),
        Fault::on(LOGS, Fault::Twice),
        Fault::on(LOGS, Fault::Backwards),
        Fault::on(LOGS, Fault::Torn),
        Fault::on(BLOCKS, Fault::OtherBranch),
        Fault::on(BLOCKS, Fault::Bare),
        Fault::on(BLOCKS, Fault::Torn),
        Fault::on(BLOCKS, Fault::Lag(1 + chance.draw(3) as u64)),
        Fault::on(STATES, Fault::Torn),
        Fault::on(STATES, Fault::rpc(-32_000, "header not found")),
        Fault::Delay(Duration::from_millis(400)),
        Fault::Refuse,
        Fault::Cut,
        Fault::Status(429),
        Fault::Status(500),
        Fault::Status(413),
        Fault::rpc(-32_005, "limit exceeded"),
    ];
    let mut now_and_then: Vec<_> = (0..4)
        .map(|_| habits[chance.draw(habits.len())].clone())
        .collect();
    // The most insidious fault is in every character.
    now_and_then.push(Fault::on(LOGS, Fault::Empty));
    now_and_then.extend(vec![Fault::Pass; 20 + chance.draw(80)]);
    always.push(Fault::Mix(now_and_then));
    Fault::All(always)
}

// ---------------------------------------------------------------- The coordinator

/// A coordinator within this process.
struct Served {
    url: String,
    stop: CancellationToken,
    running: JoinHandle<()>,
    http: reqwest::Client,
    trainer: String,
}

impl Served {
    async fn start(stage: &Stage, proxy: &FaultyProxy) -> Self {
        let file = stage.path("coordinator.toml");
        let text = format!(
            "listen = \"127.0.0.1:0\"\ndatabase = \"{}\"\nmodels = [\"{}\"]\nfrom_block = {}\n\
             [node]\nurl = \"{}\"\ntimeout = \"300 ms\"\nretries = 1\npoll = \"20 ms\"\n\
             [api]\nrate = 0\n",
            stage.path("coordinator.db").display(),
            stage.trainer,
            stage.from_block,
            proxy.url(),
        );
        std::fs::write(&file, text).expect("written");
        let config = Config::load(&Sources::default().with_file(&file)).expect("a configuration");
        let stop = CancellationToken::new();
        let (told, address) = tokio::sync::oneshot::channel();
        let stopped = stop.clone();
        let running = tokio::spawn(async move {
            let mut told = Some(told);
            // As its operator would, starts it again until the node lets it begin.
            while !stopped.is_cancelled() {
                let config = config.clone();
                let ended = serve(config, stopped.clone(), |address| {
                    if let Some(told) = told.take() {
                        let _ = told.send(address);
                    }
                });
                if Box::pin(ended).await.is_err() {
                    sleep(Duration::from_millis(50)).await;
                }
            }
        });
        let address = tokio::time::timeout(PATIENCE, address).await;
        let address = address.expect("it begins").expect("it runs");
        Self {
            url: format!("http://{address}"),
            stop,
            running,
            http: reqwest::Client::new(),
            trainer: stage.trainer.to_string(),
        }
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await;
        let answer = answer.expect("the coordinator answers");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    async fn is_ready(&self) -> Result<(), String> {
        match self.get("/health/ready").await {
            (200, _) => Ok(()),
            (_, problem) => Err(problem["detail"].to_string()),
        }
    }

    async fn model(&self) -> Value {
        let (status, model) = self.get(&format!("/v1/models/{}", self.trainer)).await;
        assert_eq!(status, 200, "{model}");
        model
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.await.expect("it ends");
    }
}

// ---------------------------------------------------------------- Events and comparisons

/// Makes a random event on the chain.
async fn happen(stage: &Stage, chance: &mut Chance) {
    let person = Key::development(1 + u32::try_from(chance.draw(3)).expect("small"));
    let feature = u16::try_from(chance.draw(60)).expect("small");
    match chance.draw(12) {
        0..=5 => {
            let label = u16::from(chance.draw(2) == 0);
            stage
                .contribute(&person, label, &[feature, feature + 1])
                .await;
        }
        6 | 7 => {
            stage.deposit(&person, 10_u128.pow(15)).await;
        }
        8 => {
            let balance = stage.number(getters::balance_of(person.address())).await;
            if balance > 0 {
                let withdraw = bindings::withdraw_to(person.address(), balance / 2 + 1);
                stage.send(&person, Some(stage.trainer), 0, withdraw).await;
            }
        }
        9 => stage.mine(1 + chance.draw(40) as u64).await,
        10 => stage.reorganize(1 + chance.draw(MAX_DEPTH) as u64).await,
        _ => sleep(Duration::from_millis(50)).await,
    }
}

/// Compares the coordinator's state of a block with the contract's, between two moments at which it
/// is ready.
///
/// Returns `false` if there was nothing to compare. Panics if the states differ.
async fn sample(served: &Served, node: &Node, stage: &Stage, seed: u64) -> bool {
    if served.is_ready().await.is_err() {
        return false;
    }
    let model = served.model().await;
    if served.is_ready().await.is_err() {
        return false;
    }
    let hash: B256 = model["blockHash"]
        .as_str()
        .expect("a hash")
        .parse()
        .expect("a hash");
    let at = Some(At::Hash(hash));
    for (name, call) in [
        ("contributions", getters::contribution_count()),
        ("good", getters::total_good()),
    ] {
        match node.call(stage.trainer, call, at).await {
            Ok(answer) => {
                let contract = bindings::read_number(&answer).expect("a number");
                let told = U256::from(model[name].as_u64().expect("a number"));
                assert_eq!(
                    told, contract,
                    "seed {seed}: ready, and {name} are others: {model}"
                );
            }
            // The chain has left that block meanwhile.
            Err(NodeError::UnknownBlock { .. }) => return false,
            Err(error) => panic!("seed {seed}: {error}"),
        }
    }
    true
}

/// Checks that the coordinator's whole state is the contract's.
async fn assert_same(served: &Served, stage: &Stage, seed: u64) {
    let model = served.model().await;
    let words: Vec<u8> = stage
        .words()
        .await
        .iter()
        .flat_map(U256::to_be_bytes::<32>)
        .collect();
    let (_, weights) = served
        .get(&format!("/v1/models/{}/weights", served.trainer))
        .await;
    assert_eq!(
        weights["words"],
        hex::encode_prefixed(words),
        "seed {seed}: weights"
    );
    let money = stage.node.balance(stage.trainer).await.expect("a balance");
    assert_eq!(model["held"], money.to_string(), "seed {seed}: money");
    let count = stage.number(getters::contribution_count()).await;
    assert_eq!(
        model["contributions"].to_string(),
        count.to_string(),
        "seed {seed}"
    );
    for person in 1..=3 {
        let person = Key::development(person).address();
        let path = format!("/v1/models/{}/accounts/{person}", served.trainer);
        let (_, account) = served.get(&path).await;
        let balance = stage.number(getters::balance_of(person)).await;
        assert_eq!(
            account["balance"],
            balance.to_string(),
            "seed {seed}: balance of {person}"
        );
    }
}

// ---------------------------------------------------------------- Runs

/// Runs one seed. Returns the number of samples in which the coordinator was ready.
async fn misbehave(seed: u64) -> usize {
    let mut chance = Chance(seed);
    let stage = Stage::new().await;
    // No branch removes the closing of the model, without which nobody can contribute.
    stage.mine(MAX_DEPTH as u64).await;
    // A long history, so that the coordinator reads it in ranges.
    for _ in 0..8 {
        happen(&stage, &mut chance).await;
        stage.mine(20).await;
    }
    let proxy = FaultyProxy::new(stage.anvil.url(), seed);
    proxy.set(character(&mut chance));
    let served = Served::start(&stage, &proxy).await;
    let mut ready = 0;
    let start = Instant::now();
    while start.elapsed() < BUSY {
        happen(&stage, &mut chance).await;
        for _ in 0..4 {
            ready += usize::from(sample(&served, &stage.node, &stage, seed).await);
        }
    }
    let behaves = seed.is_multiple_of(2);
    if behaves {
        proxy.set(Fault::Pass);
    }
    let head = stage.node.head().await.expect("a head");
    let start = Instant::now();
    loop {
        ready += usize::from(sample(&served, &stage.node, &stage, seed).await);
        let why = served.is_ready().await;
        if why.is_ok() && served.model().await["blockHash"] == head.hash.to_string() {
            break;
        }
        if start.elapsed() > if behaves { PATIENCE } else { BUSY } {
            assert!(
                !behaves,
                "seed {seed}: the node behaves, and the coordinator does not: {why:?}"
            );
            served.end().await;
            return ready;
        }
        sleep(Duration::from_millis(50)).await;
    }
    assert_same(&served, &stage, seed).await;
    served.end().await;
    ready
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_at_a_misbehaving_node_is_right_or_not_ready() {
    let mut ready = 0;
    for seed in [1, 2] {
        ready += misbehave(seed).await;
    }
    assert!(ready > 0, "it was never ready: nothing was tested");
}

/// Runs many seeds: `COTRAIN_SEEDS=1..200`, which `scripts/misbehave` sets.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes about ten seconds a seed"]
#[expect(
    clippy::print_stderr,
    reason = "whoever runs it sees how far it is and which seed fails"
)]
async fn serve_at_many_misbehaving_nodes_is_right_or_not_ready() {
    let seeds = env::var("COTRAIN_SEEDS").unwrap_or_else(|_| "1..20".to_owned());
    let (first, last) = seeds.split_once("..").expect("seeds such as 1..20");
    let (first, last): (u64, u64) = (
        first.parse().expect("a seed"),
        last.parse().expect("a seed"),
    );
    let mut ready = 0;
    for seed in first..=last {
        let some = misbehave(seed).await;
        eprintln!("seed {seed}: ready in {some} samples");
        ready += some;
    }
    assert!(ready > 0, "it was never ready: nothing was tested");
}

#[tokio::test]
async fn serve_needs_no_old_states() {
    let stage = Stage::new().await;
    let [anna, ben] = [1, 2].map(Key::development);
    for feature in 0..6 {
        stage
            .contribute(&anna, feature % 2, &[feature, feature + 1])
            .await;
        stage.deposit(&ben, 10_u128.pow(15)).await;
        stage.mine(20).await;
    }
    let proxy = FaultyProxy::new(stage.anvil.url(), 1);
    let gone = Fault::rpc(-32_000, "missing trie node 0a (path )");
    proxy.set(Fault::on(STATES, Fault::Pruned(Box::new(gone))));
    let served = Served::start(&stage, &proxy).await;
    for round in 0..4_u16 {
        let start = Instant::now();
        loop {
            let head = stage.node.head().await.expect("a head");
            let why = served.is_ready().await;
            if why.is_ok() && served.model().await["blockHash"] == head.hash.to_string() {
                break;
            }
            assert!(start.elapsed() < PATIENCE, "{why:?}");
            sleep(Duration::from_millis(50)).await;
        }
        assert_same(&served, &stage, 0).await;
        stage.contribute(&ben, 1, &[40 + round]).await;
        if round == 2 {
            stage.reorganize(2).await;
        }
    }
    served.end().await;
}
