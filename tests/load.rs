//! Measures the speed of the coordinator, as `name<TAB>value<TAB>unit` on stdout.
//!
//! The server, its database, a node and the clients share one machine.
//! Takes the path of the command `cotrain`.

// This is a command of its own, so its figures go to stdout.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::{
    fs,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use alloy_primitives::{B256, U256, keccak256};
use cotrain_bindings as bindings;
use cotrain_chain::{
    anvil::AnvilConfig,
    keys::{Key, Unsigned},
};
use cotrain_protocol::{
    sample::{Item, encode_batch, encode_sparse},
    trainer::{SignedBatch, domain},
};
use cotrain_test_support::Stage;
use serde_json::{Value, json};

/// Number of signed batches to submit.
const SUBMISSIONS: usize = 20_000;
/// Number of signed batches of one author: the maximum that may be pending.
const OF_ONE: usize = 64;
/// Number of signed batches whose state the clients request.
const ASKED: usize = 1_000;
/// Number of concurrent connections.
const CLIENTS: usize = 48;
/// Duration of the reading, in seconds.
const READING: u64 = 10;
/// Number of transactions of one contribution each, to be indexed.
const EVENTS: usize = 20_000;
/// Number of contributions in transactions of 100, to be indexed.
const CONTRIBUTIONS: usize = 100_000;

#[tokio::main]
async fn main() {
    let arguments: Vec<_> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let [command] = arguments.as_slice() else {
        eprintln!("usage: load PATH_OF_COTRAIN");
        std::process::exit(2);
    };
    // Blocks of 300 million gas with all pending transactions, to make the node as fast as
    // possible.
    let config = AnvilConfig {
        arguments: ["--gas-limit", "300000000", "--no-request-size-limit"]
            .map(Into::into)
            .to_vec(),
        ..AnvilConfig::default()
    };
    let stage = Stage::with(config).await;
    let authors = authors(&stage).await;
    let server = Server::start(&stage, command).await;
    let submissions = accepting(&stage, &server, &authors).await;
    reading(&stage, &server, &authors, &submissions).await;
    drop(server);
    indexing(&stage).await;
}

fn report(name: &str, value: impl std::fmt::Display, unit: &str) {
    println!("{name}\t{value}\t{unit}");
}

/// Returns keys with money in the trainer.
async fn authors(stage: &Stage) -> Vec<Key> {
    let authors: Vec<_> = (0..SUBMISSIONS.div_ceil(OF_ONE))
        .map(|index| {
            let secret = keccak256(format!("author {index}"));
            Key::from_hex(&secret.to_string()).expect("a key")
        })
        .collect();
    let calls = authors
        .iter()
        .map(|author| (10_u128.pow(18), bindings::deposit_to(author.address())));
    flood(stage, &Key::development(1), 100_000, calls.collect()).await;
    authors
}

/// Sends many transactions of one sender, and waits for the last one.
async fn flood(stage: &Stage, from: &Key, gas_limit: u64, calls: Vec<(u128, Vec<u8>)>) {
    let node = &stage.node;
    let mut nonce = node.nonce(from.address()).await.expect("a nonce");
    stage.anvil("evm_setAutomine", json!([false])).await;
    for (count, (wei, data)) in calls.into_iter().enumerate() {
        let signed = from.sign_transaction(&Unsigned {
            chain_id: node.chain_id(),
            nonce,
            to: Some(stage.trainer),
            value: U256::from(wei),
            data: data.into(),
            gas_limit,
            max_fee: 10_u128.pow(12),
            priority_fee: 1,
        });
        node.broadcast(&signed.raw).await.expect("taken");
        nonce += 1;
        if (count as u64).is_multiple_of(250_000_000 / gas_limit) {
            stage.mine(1).await;
        }
    }
    while node.nonce(from.address()).await.expect("a nonce") < nonce {
        stage.mine(1).await;
    }
    stage.anvil("evm_setAutomine", json!([true])).await;
}

/// A process of `cotrain serve`, killed at the end.
struct Server {
    child: Child,
    url: String,
    client: reqwest::Client,
}

impl Server {
    async fn start(stage: &Stage, command: &str) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
        let address = port.expect("a free port");
        let config = format!(
            "listen = \"{address}\"\ndatabase = \"{}\"\nmodels = [\"{}\"]\nfrom_block = {}\n\
             [node]\nurl = \"{}\"\npoll = \"500 ms\"\n[key]\ndevelopment = 5\n\
             # Nothing is sent while it is measured how much is taken in.\n\
             [relay]\nenabled = true\nmax_gas_price = 1\n\
             [api]\nrate = 0\n",
            stage.path("load.sqlite").display(),
            stage.trainer,
            stage.from_block,
            stage.node.url(),
        );
        let file = stage.path("load.toml");
        fs::write(&file, config).expect("written");
        let child = Command::new(command)
            .args(["serve", "--config"])
            .arg(&file)
            .stdout(Stdio::null())
            .spawn()
            .expect("cotrain serve");
        let server = Self {
            child,
            url: format!("http://{address}"),
            client: reqwest::Client::new(),
        };
        for _ in 0..600 {
            let ready = server
                .client
                .get(format!("{}/health/ready", server.url))
                .send()
                .await;
            if ready.is_ok_and(|answer| answer.status().is_success()) {
                return server;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the coordinator is not ready after a minute");
    }

    /// Returns the memory of the process, in mebibytes.
    fn memory(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kilobytes.unwrap_or(f64::NAN) / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends requests one after the other on each connection.
///
/// Returns the duration of each in milliseconds, and the total duration.
async fn requests<F>(
    clients: usize,
    next: impl Fn(usize) -> Option<F> + Send + Sync + 'static,
) -> (Vec<f64>, Duration)
where
    F: Future<Output = ()> + Send,
{
    let (next, index) = (Arc::new(next), Arc::new(AtomicUsize::new(0)));
    let times = Arc::new(Mutex::new(Vec::new()));
    let started = Instant::now();
    let clients = (0..clients).map(|_| {
        let (next, index, times) = (next.clone(), index.clone(), times.clone());
        tokio::spawn(async move {
            let mut mine = Vec::new();
            while let Some(request) = next(index.fetch_add(1, Ordering::Relaxed)) {
                let started = Instant::now();
                request.await;
                mine.push(started.elapsed().as_secs_f64() * 1_000.0);
            }
            times.lock().expect("whole").extend(mine);
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("a client");
    }
    let took = started.elapsed();
    let mut times = std::mem::take(&mut *times.lock().expect("whole"));
    times.sort_by(f64::total_cmp);
    (times, took)
}

fn quantile(sorted: &[f64], of: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index among some thousand"
    )]
    let index = ((sorted.len() - 1) as f64 * of) as usize;
    sorted[index]
}

fn describe(name: &str, times: &[f64], took: Duration) {
    #[expect(clippy::cast_precision_loss, reason = "some thousand")]
    let rate = times.len() as f64 / took.as_secs_f64();
    report(&format!("{name}_per_second"), format!("{rate:.0}"), "1/s");
    report(
        &format!("{name}_median"),
        format!("{:.1}", quantile(times, 0.5)),
        "ms",
    );
    report(
        &format!("{name}_p99"),
        format!("{:.1}", quantile(times, 0.99)),
        "ms",
    );
}

fn body(batch: &SignedBatch) -> Value {
    json!({
        "author": batch.author,
        "relayer": batch.relayer,
        "maxDeposit": batch.max_deposit.to_string(),
        "fee": batch.fee.to_string(),
        "nonce": batch.nonce,
        "deadline": batch.deadline,
        "items": alloy_primitives::hex::encode_prefixed(&batch.items),
        "signature": alloy_primitives::hex::encode_prefixed(&batch.signature),
    })
}

/// Measures how fast the server accepts signed batches. Each is durable before the server answers.
///
/// Returns the ids of some of them.
async fn accepting(stage: &Stage, server: &Server, authors: &[Key]) -> Vec<B256> {
    let domain = domain(stage.node.chain_id(), stage.trainer);
    let batches: Vec<_> = (0..SUBMISSIONS)
        .map(|index| {
            let (author, nonce) = (&authors[index / OF_ONE], (index % OF_ONE) as u64);
            let feature = u16::try_from(index % 50).expect("small");
            let features: Vec<_> = (feature..feature + 14).collect();
            stage.signed(author, nonce, u16::from(index.is_multiple_of(2)), &features)
        })
        .collect();
    let ids = batches.iter().take(ASKED);
    let ids = ids.map(|batch| batch.signing_hash(&domain)).collect();
    let bodies: Vec<_> = batches
        .iter()
        .map(|batch| body(batch).to_string())
        .collect();
    let bodies = Arc::new(bodies);
    let (client, url) = (
        server.client.clone(),
        format!("{}/v1/models/{}/submissions", server.url, stage.trainer),
    );
    let before = server.memory();
    let (times, took) = requests(CLIENTS, move |index| {
        let body = bodies.get(index)?.clone();
        let request = client
            .post(&url)
            .header("content-type", "application/json")
            .body(body);
        Some(async move {
            let answer = request.send().await.expect("an answer");
            let status = answer.status();
            let text = answer.text().await.expect("a body");
            assert_eq!(status.as_u16(), 202, "{text}");
        })
    })
    .await;
    describe("accepted", &times, took);
    report("memory_before_accepting", format!("{before:.0}"), "MB");
    report(
        "memory_with_20000_waiting",
        format!("{:.0}", server.memory()),
        "MB",
    );
    ids
}

/// Measures reads in turn: a model, an account, the state of a submission and a prediction.
async fn reading(stage: &Stage, server: &Server, authors: &[Key], submissions: &[B256]) {
    let model = format!("{}/v1/models/{}", server.url, stage.trainer);
    let accounts: Vec<_> = authors
        .iter()
        .map(|key| format!("{model}/accounts/{}", key.address()))
        .collect();
    let ways: Vec<_> = submissions
        .iter()
        .map(|id| format!("{}/v1/submissions/{id}", server.url))
        .collect();
    let sample = alloy_primitives::hex::encode_prefixed(encode_sparse(&[1, 5, 9]));
    let prediction = json!({ "sample": sample }).to_string();
    let (client, targets) = (
        server.client.clone(),
        Arc::new((model, accounts, ways, prediction)),
    );
    let read = async |seconds| {
        let (client, targets) = (client.clone(), targets.clone());
        let started = Instant::now();
        requests(CLIENTS, move |index| {
            if started.elapsed() >= Duration::from_secs(seconds) {
                return None;
            }
            let (model, accounts, ways, prediction) = &*targets;
            let request = match index % 4 {
                0 => client.get(model),
                1 => client.get(&accounts[index % accounts.len()]),
                2 => client.get(&ways[index % ways.len()]),
                _ => client
                    .post(format!("{model}/predict"))
                    .header("content-type", "application/json")
                    .body(prediction.clone()),
            };
            Some(async move {
                let answer = request.send().await.expect("an answer");
                assert!(answer.status().is_success(), "{:?}", answer.text().await);
                answer.bytes().await.expect("a body");
            })
        })
        .await
    };
    let (times, took) = read(READING).await;
    describe("reads", &times, took);
    report(
        "memory_after_reading",
        format!("{:.0}", server.memory()),
        "MB",
    );
    let (times, _) = read(4 * READING).await;
    report(
        "memory_after_four_times_as_much",
        format!("{:.0}", server.memory()),
        "MB",
    );
    report("requests_until_then", times.len(), "");
}

/// Measures how long it takes to read a model's whole life from a node.
async fn indexing(stage: &Stage) {
    let author = Key::development(2);
    let one = |index: usize| {
        let feature = u16::try_from(index % 60).expect("small");
        (
            u16::from(index.is_multiple_of(2)),
            encode_sparse(&[feature, feature + 2]),
        )
    };
    let singles = (0..EVENTS).map(|index| {
        let (label, sample) = one(index);
        (
            10_u128.pow(16),
            bindings::contribute(
                &encode_batch(&[Item {
                    label,
                    sample: &sample,
                }])
                .expect("an item"),
            ),
        )
    });
    flood(stage, &author, 200_000, singles.collect()).await;
    stage.mine(70).await;
    let (rate, _) = index(stage, "events.sqlite", EVENTS).await;
    report("indexed_events_per_second", format!("{rate:.0}"), "1/s");

    let many = (0..CONTRIBUTIONS / 100).map(|batch| {
        let samples: Vec<_> = (0..100).map(|index| one(batch * 100 + index)).collect();
        let items: Vec<_> = samples
            .iter()
            .map(|(label, sample)| Item {
                label: *label,
                sample,
            })
            .collect();
        (
            10_u128.pow(18),
            bindings::contribute(&encode_batch(&items).expect("items")),
        )
    });
    flood(stage, &author, 5_000_000, many.collect()).await;
    stage.mine(70).await;
    let (_, seconds) = index(stage, "contributions.sqlite", EVENTS + CONTRIBUTIONS).await;
    report(
        "fresh_index_of_120000_contributions",
        format!("{seconds:.1}"),
        "s",
    );
}

/// Reads everything into a new database. Returns contributions a second, and seconds.
async fn index(stage: &Stage, database: &str, wanted: usize) -> (f64, f64) {
    let started = Instant::now();
    let follower = stage.follow(database).await;
    let seconds = started.elapsed().as_secs_f64();
    let model = follower.model(stage.trainer).expect("followed");
    assert_eq!(model.summary(0).contributions, wanted as u64);
    #[expect(clippy::cast_precision_loss, reason = "some thousand")]
    let rate = wanted as f64 / seconds;
    (rate, seconds)
}
