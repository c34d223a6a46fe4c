//! A coordinator as its users run it: killed, restarted, doubled.

use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use alloy_primitives::{Address, hex, keccak256};
use cotrain_bindings::{self as bindings, events};
use cotrain_chain::keys::Key;
use cotrain_client::{
    budget::Budget,
    claims::{Act, Claimant},
    gas,
    send::Sender,
};
use cotrain_protocol::trainer::{Delegation, SignedBatch, domain};
use cotrain_test_support::{Fault, FaultyProxy, Postgres, Stage};
use serde_json::{Value, json};
use tokio::time::sleep;
use url::Url;

const AUTHORS: usize = 40;
/// Number of batches of each author.
const BATCHES: u64 = 25;

/// `cotrain serve` for a stage's model; killed with -9 at the end, if not before.
struct Server {
    config: std::path::PathBuf,
    url: String,
    child: Option<Child>,
}

impl Server {
    fn new(stage: &Stage, name: &str, database: &str, key: u32) -> Self {
        Self::at(stage, stage.node.url(), name, database, key)
    }

    /// Creates a server that reaches the stage's node at `node`.
    fn at(stage: &Stage, node: &Url, name: &str, database: &str, key: u32) -> Self {
        let address: SocketAddr = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port");
        let config = stage.path(&format!("{name}.toml"));
        let text = format!(
            "listen = \"{address}\"\ndatabase = \"{database}\"\nmodels = [\"{}\"]\nfrom_block = {}\n\
             [node]\nurl = \"{}\"\npoll = \"100 ms\"\ntimeout = \"1 s\"\nretries = 1\n[key]\ndevelopment = {key}\n\
             [relay]\nenabled = true\nmax_batch = 50\nmax_age = \"1 s\"\nconfirmations = 3\n\
             [api]\nrate = 0\n",
            stage.trainer, stage.from_block, node,
        );
        fs::write(&config, text).expect("written");
        Self {
            config,
            url: format!("http://{address}"),
            child: None,
        }
    }

    /// Enables the keeper, which claims for accounts that ask for it.
    fn keep(&self) {
        let config = fs::read_to_string(&self.config).expect("read");
        let keep = "[keep]\nenabled = true\ninterval = \"1 s\"\n";
        fs::write(&self.config, format!("{config}{keep}")).expect("written");
    }

    fn start(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cotrain"));
        command.args(["serve", "--config"]).arg(&self.config);
        self.child = Some(command.stdout(Stdio::null()).spawn().expect("it starts"));
    }

    /// Kills the server like kill -9.
    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("killed");
            child.wait().expect("gone");
        }
    }

    /// Stops the server like a service manager; returns `true` if it succeeds.
    fn stop(&mut self) -> bool {
        let mut child = self.child.take().expect("it runs");
        let asked = Command::new("kill").arg(child.id().to_string()).status();
        assert!(asked.expect("kill").success());
        child.wait().expect("it ends").success()
    }

    /// Returns `true` if the server is ready and has read every block that it knows. A server that
    /// is only ready may be a few blocks behind.
    async fn is_ready(&self, client: &reqwest::Client) -> bool {
        let url = format!("{}/health/ready", self.url);
        let Ok(answer) = client.get(url).send().await else {
            return false;
        };
        if !answer.status().is_success() {
            return false;
        }
        let answer: Value = answer.json().await.expect("JSON");
        let models = answer["models"].as_array().expect("the models");
        models.iter().all(|model| model["behind"] == 0)
    }

    async fn ready(&self, client: &reqwest::Client) {
        for _ in 0..1_200 {
            if self.is_ready(client).await {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("the coordinator is not ready after a minute");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn authors(count: usize) -> Vec<Key> {
    let secret = |index| keccak256(format!("author {index}")).to_string();
    (0..count)
        .map(|index| Key::from_hex(&secret(index)).expect("a key"))
        .collect()
}

async fn fund(stage: &Stage, authors: &[Key]) {
    for author in authors {
        let call = bindings::deposit_to(author.address());
        stage
            .send(
                &Key::development(1),
                Some(stage.trainer),
                10_u128.pow(18),
                call,
            )
            .await;
    }
}

fn body(batch: &SignedBatch) -> String {
    json!({
        "author": batch.author,
        "relayer": batch.relayer,
        "maxDeposit": batch.max_deposit.to_string(),
        "fee": batch.fee.to_string(),
        "nonce": batch.nonce,
        "deadline": batch.deadline,
        "items": hex::encode_prefixed(&batch.items),
        "signature": hex::encode_prefixed(&batch.signature),
    })
    .to_string()
}

/// Submits a batch until the server answers without a fault of its own, and returns the answer.
async fn hand_in(client: &reqwest::Client, url: &str, body: &str) -> (u16, Value) {
    loop {
        let request = client.post(url).header("content-type", "application/json");
        if let Ok(answer) = request.body(body.to_owned()).send().await {
            let status = answer.status();
            // If the server was killed during the answer, the outcome is unknown, so the batch is
            // submitted again.
            if let Ok(answer) = answer.json().await
                && !status.is_server_error()
            {
                return (status.as_u16(), answer);
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Returns how often each author's nonces were relayed, according to the chain.
async fn relayed(stage: &Stage) -> BTreeMap<(Address, u64), usize> {
    let head = stage.node.head().await.expect("a head").number;
    let topics = events::TRAINER_TOPICS;
    let logs = stage
        .node
        .logs(stage.from_block, head, &[stage.trainer], &topics)
        .await;
    let mut count = BTreeMap::new();
    for log in logs.expect("logs") {
        if let Some(events::TrainerEvent::Relayed(event)) = events::TrainerEvent::decode(&log.log) {
            for batch in event.batches {
                *count.entry((batch.author, batch.nonce)).or_default() += 1;
            }
        }
    }
    count
}

/// Waits until each batch is included or refused; returns the state and the reason of each.
async fn settled(client: &reqwest::Client, url: &str, ids: &[String]) -> Vec<(String, String)> {
    let mut states = Vec::new();
    for id in ids {
        let mut tries = 0;
        loop {
            let answer = client
                .get(format!("{url}/v1/submissions/{id}"))
                .send()
                .await;
            let answer: Value = answer.expect("an answer").json().await.expect("JSON");
            let state = answer["status"].as_str().unwrap_or_default().to_owned();
            if state == "included" || state == "refused" {
                let reason = answer["reason"].as_str().unwrap_or_default().to_owned();
                states.push((state, reason));
                break;
            }
            tries += 1;
            assert!(tries < 1_200, "after a minute: {answer}");
            sleep(Duration::from_millis(50)).await;
        }
    }
    states
}

/// Returns a signature in the form of hardware wallets: with 0 or 1 instead of 27 or 28.
fn by_hardware(mut signature: Vec<u8>) -> Vec<u8> {
    let v = signature.last_mut().expect("65 bytes");
    *v -= 27;
    signature
}

/// Returns a thousand batches of the authors; every fiftieth has a deadline in a few seconds.
fn batches(stage: &Stage, authors: &[Key], now: u64) -> Vec<SignedBatch> {
    let mut batches = Vec::new();
    for nonce in 0..BATCHES {
        for (index, author) in authors.iter().enumerate() {
            let feature = u16::try_from(index).expect("small");
            let mut batch = stage.signed(author, nonce, feature % 2, &[feature, feature + 5]);
            if batches.len() % 50 == 49 {
                batch.deadline = now + 4;
                let hash = batch.signing_hash(&domain(stage.node.chain_id(), stage.trainer));
                batch.signature = author.sign_hash(&hash).to_vec();
            }
            batches.push(batch);
        }
    }
    batches
}

// ---------------------------------------------------------------- Kills, replicas and faults of a node

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_loses_nothing_and_sends_nothing_twice_if_it_is_killed() {
    let stage = Stage::new().await;
    let authors = authors(AUTHORS);
    fund(&stage, &authors).await;
    let database = stage.path("coordinator.sqlite").display().to_string();
    let mut server = Server::new(&stage, "coordinator", &database, 5);
    server.start();
    let client = reqwest::Client::new();
    let now = stage.node.head().await.expect("a head").time;
    let batches = batches(&stage, &authors, now);
    let url = format!("{}/v1/models/{}/submissions", server.url, stage.trainer);

    let answers = Arc::new(Mutex::new(Vec::new()));
    let writer = tokio::spawn({
        let (client, answers, batches) = (client.clone(), answers.clone(), batches.clone());
        async move {
            for batch in &batches {
                let answer = hand_in(&client, &url, &body(batch)).await;
                answers.lock().expect("whole").push(answer);
                sleep(Duration::from_millis(8)).await;
            }
        }
    });
    // The kills come at moments that are independent of the server's work.
    let mut kills = 0_u64;
    while !writer.is_finished() || kills < 10 {
        let pause = keccak256(kills.to_be_bytes())[0];
        sleep(Duration::from_millis(300 + 5 * u64::from(pause))).await;
        server.kill();
        server.start();
        kills += 1;
        assert!(kills < 200, "it gets nowhere");
    }
    writer.await.expect("all handed in");

    server.ready(&client).await;
    let answers = std::mem::take(&mut *answers.lock().expect("whole"));
    assert_eq!(answers.len(), batches.len());
    let mut ids = Vec::new();
    let mut wanted = Vec::new();
    for ((status, answer), batch) in answers.iter().zip(&batches) {
        match status {
            200 | 202 => {
                ids.push(answer["id"].as_str().expect("an id").to_owned());
                wanted.push((batch.author, batch.nonce));
            }
            // The server refused the batch, with a reason.
            _ => assert!(answer["detail"].is_string(), "{status}: {answer}"),
        }
    }
    let states = settled(&client, &server.url, &ids).await;
    let relayed = relayed(&stage).await;
    for ((state, reason), key) in states.iter().zip(&wanted) {
        let times = relayed.get(key).copied().unwrap_or_default();
        match state.as_str() {
            "included" => assert_eq!(times, 1, "{key:?}"),
            _ => assert!(
                times == 0 && !reason.is_empty(),
                "{key:?}: {times} times, {reason}"
            ),
        }
    }
    let included = states
        .iter()
        .filter(|(state, _)| state == "included")
        .count();
    assert_eq!(relayed.len(), included);
    assert!(relayed.values().all(|times| *times == 1));
    assert!(
        included > 900,
        "only {included} of {} are included",
        batches.len()
    );
    assert!(server.stop(), "SIGTERM ends it well");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_continues_on_another_replica_if_the_leader_ends() {
    let postgres = Postgres::start();
    let database = postgres.database("cotrain");
    let stage = Stage::new().await;
    let authors = authors(4);
    fund(&stage, &authors).await;
    // Both servers have the same key, and only the leader sends.
    let mut one = Server::new(&stage, "one", &database, 5);
    let mut two = Server::new(&stage, "two", &database, 5);
    let client = reqwest::Client::new();
    one.start();
    one.ready(&client).await;
    two.start();
    two.ready(&client).await;
    let leads = async |server: &Server| {
        let answer = client
            .get(format!("{}/health/ready", server.url))
            .send()
            .await;
        let answer: Value = answer.expect("an answer").json().await.expect("JSON");
        answer["leader"].as_bool().expect("whether it leads")
    };
    assert_eq!((leads(&one).await, leads(&two).await), (true, false));

    let mut ids = Vec::new();
    for nonce in 0..10 {
        for (index, author) in authors.iter().enumerate() {
            let server = if (index + nonce) % 2 == 0 && nonce < 5 {
                &one
            } else {
                &two
            };
            let url = format!("{}/v1/models/{}/submissions", server.url, stage.trainer);
            let feature = u16::try_from(index).expect("small");
            let batch = stage.signed(author, nonce as u64, 1, &[feature]);
            let (status, answer) = hand_in(&client, &url, &body(&batch)).await;
            assert_eq!(status, 202, "{answer}");
            ids.push(answer["id"].as_str().expect("an id").to_owned());
        }
        if nonce == 4 {
            one.kill();
        }
    }
    let states = settled(&client, &two.url, &ids).await;
    assert!(
        states.iter().all(|(state, _)| state == "included"),
        "{states:?}"
    );
    let relayed = relayed(&stage).await;
    assert_eq!((relayed.len(), relayed.values().max()), (40, Some(&1)));
    assert!(leads(&two).await);
    let model = client
        .get(format!("{}/v1/models/{}", two.url, stage.trainer))
        .send()
        .await;
    let model: Value = model.expect("an answer").json().await.expect("JSON");
    assert_eq!(model["contributions"], 40, "{model}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_relays_all_batches_once_if_the_node_fails_in_every_way() {
    let stage = Stage::new().await;
    let authors = authors(4);
    fund(&stage, &authors).await;
    let proxy = FaultyProxy::new(stage.node.url(), 7);
    let database = stage.path("faults.sqlite").display().to_string();
    let mut server = Server::at(&stage, &proxy.url(), "faults", &database, 5);
    server.start();
    let client = reqwest::Client::new();
    server.ready(&client).await;
    let url = format!("{}/v1/models/{}/submissions", server.url, stage.trainer);
    let faults = [
        Fault::Refuse,
        Fault::Delay(Duration::from_millis(400)),
        Fault::Status(503),
        Fault::rpc(-32_005, "too many requests"),
        Fault::rpc(-32_603, "internal error"),
        Fault::Cut,
        Fault::Mix(vec![
            Fault::Pass,
            Fault::Refuse,
            Fault::Cut,
            Fault::Status(429),
        ]),
    ];
    let mut ids = Vec::new();
    for (nonce, fault) in (0..).zip(faults) {
        proxy.set(fault);
        for author in &authors {
            let (status, answer) =
                hand_in(&client, &url, &body(&stage.signed(author, nonce, 1, &[3]))).await;
            // The server takes the batch nevertheless, because it knows all that the checks need.
            assert_eq!(status, 202, "{answer}");
            ids.push(answer["id"].as_str().expect("an id").to_owned());
        }
        sleep(Duration::from_millis(1_200)).await;
        proxy.set(Fault::Pass);
        sleep(Duration::from_millis(300)).await;
    }
    let states = settled(&client, &server.url, &ids).await;
    assert!(
        states.iter().all(|(state, _)| state == "included"),
        "{states:?}"
    );
    let relayed = relayed(&stage).await;
    assert_eq!((relayed.len(), relayed.values().max()), (28, Some(&1)));
}

// ---------------------------------------------------------------- Keeper

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeper_claims_for_accounts_that_ask() {
    claims_for_those_who_ask(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeper_announces_what_it_will_report() {
    claims_for_those_who_ask(3_600).await;
}

/// Returns a delegation that lets the keeper, development key 5, report for an account.
fn delegation(stage: &Stage, reporter: &Key) -> Delegation {
    let mut delegation = Delegation {
        reporter: reporter.address(),
        keeper: Key::development(5).address(),
        until: (1 << 40) - 1,
        signature: Vec::new(),
    };
    let hash = delegation.signing_hash(&domain(stage.node.chain_id(), stage.trainer));
    delegation.signature = by_hardware(reporter.sign_hash(&hash).to_vec());
    delegation
}

/// Submits a delegation; returns the status of the answer.
async fn hand_in_delegation(
    stage: &Stage,
    server: &Server,
    client: &reqwest::Client,
    delegation: &Delegation,
) -> u16 {
    let url = format!("{}/v1/models/{}/delegations", server.url, stage.trainer);
    let body = json!({
        "reporter": delegation.reporter,
        "keeper": delegation.keeper,
        "until": delegation.until,
        "signature": hex::encode_prefixed(&delegation.signature),
    });
    hand_in(client, &url, &body.to_string()).await.0
}

/// Checks that a keeper claims everything of Anna's, on a model with a notice in seconds.
async fn claims_for_those_who_ask(notice: u64) {
    let stage = Stage::with_notice(notice).await;
    let [anna, ben, cleo] = [1, 2, 3].map(Key::development);
    // The model learns from Anna. Ben's label is the opposite of what it learned. Cleo does not ask
    // for claims.
    stage.contribute(&anna, 1, &[1, 2, 3]).await;
    stage.contribute(&anna, 1, &[1, 2, 3, 4]).await;
    stage.contribute(&ben, 0, &[1, 2]).await;
    stage.contribute(&anna, 1, &[1, 2, 5]).await;
    stage.contribute(&cleo, 1, &[1, 2, 6]).await;
    let database = stage.path("keeper.sqlite").display().to_string();
    let mut server = Server::new(&stage, "keeper", &database, 5);
    server.keep();
    server.start();
    let client = reqwest::Client::new();
    server.ready(&client).await;

    let delegation = delegation(&stage, &anna);
    let forged = Delegation {
        reporter: ben.address(),
        ..delegation.clone()
    };
    let told = hand_in_delegation(&stage, &server, &client, &forged).await;
    assert_eq!(told, 422, "Anna's signature is not Ben's");
    let told = hand_in_delegation(&stage, &server, &client, &delegation).await;
    assert_eq!(told, 200);

    stage.wait(86_401).await;
    let contributions = format!("{}/v1/models/{}/contributions", server.url, stage.trainer);
    if notice > 0 {
        let mut announced = Value::Null;
        for _ in 0..600 {
            let answer = client.get(&contributions).send().await.expect("an answer");
            let answer: Value = answer.json().await.expect("JSON");
            announced = answer["rows"][2]["announced"].clone();
            if !announced.is_null() {
                assert_eq!(answer["rows"][2]["settled"], "open");
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
        assert!(announced.is_u64(), "Ben's lie is not announced");
        stage.wait(notice).await;
    }
    let mut settled = Vec::new();
    for _ in 0..600 {
        let answer = client.get(&contributions).send().await.expect("an answer");
        let answer: Value = answer.json().await.expect("JSON");
        let rows = answer["rows"].as_array().expect("rows");
        settled = rows
            .iter()
            .map(|row| row["settled"].as_str().unwrap_or_default().to_owned())
            .collect();
        if settled.iter().filter(|state| *state != "open").count() >= 4 {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    let wanted = [
        "refunded",
        "refunded",
        "taken-by-reports",
        "refunded",
        "open",
    ];
    assert_eq!(settled, wanted);
    let deposits: u128 = {
        let answer = client.get(&contributions).send().await.expect("an answer");
        let answer: Value = answer.json().await.expect("JSON");
        let rows = answer["rows"].as_array().expect("rows").clone();
        let wei = |row: &Value| {
            row["deposit"]
                .as_str()
                .and_then(|wei| wei.parse::<u128>().ok())
        };
        rows[..4].iter().map(|row| wei(row).expect("wei")).sum()
    };
    let balance = stage
        .number(bindings::state::balance_of(anna.address()))
        .await;
    assert_eq!(balance, deposits, "all of it is Anna's now, to withdraw");
    assert!(server.stop());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeper_claims_the_same_as_a_command_on_a_quiet_chain() {
    // Either all claims are due only in the next block, or one is due before it. In the second
    // case, an estimate in the latest block succeeds with too little gas.
    for one_is_older in [false, true] {
        let stage = Stage::new().await;
        let anna = Key::development(1);
        stage.contribute(&anna, 1, &[1, 2, 3]).await;
        if one_is_older {
            stage.wait(43_200).await;
        }
        stage.contribute(&anna, 1, &[1, 2, 3, 4]).await;
        stage.contribute(&anna, 1, &[1, 2, 5]).await;
        let database = stage.path("quiet.sqlite").display().to_string();
        let mut server = Server::new(&stage, "quiet", &database, 5);
        server.keep();
        server.start();
        let client = reqwest::Client::new();
        server.ready(&client).await;
        let delegation = delegation(&stage, &anna);
        let told = hand_in_delegation(&stage, &server, &client, &delegation).await;
        assert_eq!(told, 200);
        assert!(server.stop());

        if one_is_older {
            stage.wait(43_300).await;
        }
        // The time moves without a block.
        stage.anvil("evm_increaseTime", json!([86_401])).await;
        let head = stage.node.head().await.expect("a head");
        // `cotrain refund` finds the claims and their gas in this way.
        let index = stage.follow("command.sqlite").await;
        index.catch_up().await.expect("followed");
        let model = index.model(stage.trainer).expect("a model");
        let claimable = index.claimable(&model, anna.address(), 10).await;
        let possible = claimable.expect("claims").into_iter();
        let possible: Vec<_> = possible
            .filter(|one| one.possible)
            .map(|one| one.row.contribution.position)
            .collect();
        let budget = Budget::default();
        let claimant = Claimant {
            sender: &Sender {
                node: &stage.node,
                key: &anna,
                max_fee: None,
                budget: &budget,
                settings: "none",
            },
            facts: &model.info().facts,
            now: stage.node.now().await.expect("a time"),
        };
        let prove = async |some: &[u64]| index.claims(&model, some).await;
        let batch = claimant.fit(Act::Refund, &possible, 10, prove).await;
        let batch = batch.expect("an estimate").expect("claims");
        assert_eq!((possible.as_slice(), batch.size), (&[0, 1, 2][..], 3));
        assert!(
            batch.gas.is_some_and(gas::fits),
            "it is estimated: {:?}",
            batch.gas
        );
        assert_eq!(stage.node.head().await.expect("a head"), head);

        server.start();
        let claimed = head.number + 1;
        let mut refunded = Vec::new();
        for _ in 0..600 {
            if stage.node.head().await.expect("a head").number >= claimed {
                let (node, trainer) = (&stage.node, [stage.trainer]);
                let logs = node.logs(claimed, claimed, &trainer, &[]).await;
                let logs: Vec<_> = logs.expect("logs").into_iter().map(|log| log.log).collect();
                refunded = events::paid(&logs);
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
        let positions: Vec<_> = refunded.iter().map(|paid| paid.position).collect();
        assert_eq!(positions, possible, "one transaction refunds all");
        assert!(server.stop());
    }
}

// ---------------------------------------------------------------- Submissions

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn submit_reserves_no_nonce_for_a_forgery_and_names_a_used_nonce() {
    let stage = Stage::new().await;
    let authors = authors(2);
    fund(&stage, &authors).await;
    let [anna, ben] = &authors[..] else {
        panic!("two")
    };
    let database = stage.path("forged.sqlite").display().to_string();
    let mut server = Server::new(&stage, "forged", &database, 5);
    // The relayer waits long enough for another one to be first.
    let config = fs::read_to_string(&server.config).expect("read");
    let config = config.replace("max_age = \"1 s\"", "max_age = \"4 s\"");
    fs::write(&server.config, config).expect("written");
    server.start();
    let client = reqwest::Client::new();
    server.ready(&client).await;
    let url = format!("{}/v1/models/{}/submissions", server.url, stage.trainer);

    let mut hers = stage.signed(anna, 0, 1, &[1]);
    hers.signature = by_hardware(hers.signature);
    let (status, answer) = hand_in(&client, &url, &body(&hers)).await;
    assert_eq!(status, 202, "{answer}");
    let mut ids = vec![answer["id"].as_str().expect("an id").to_owned()];
    for (forged, wanted) in [(hers.clone(), 0), (stage.signed(anna, 1, 0, &[2]), 1)] {
        let forged = SignedBatch {
            signature: vec![1; 65],
            ..forged
        };
        let (status, answer) = hand_in(&client, &url, &body(&forged)).await;
        assert_eq!(status, 422, "{wanted}: {answer}");
    }
    // No pending batch has Anna's next nonce.
    let (status, answer) = hand_in(&client, &url, &body(&stage.signed(anna, 1, 1, &[3]))).await;
    assert_eq!(status, 202, "{answer}");
    ids.push(answer["id"].as_str().expect("an id").to_owned());
    let ends = settled(&client, &server.url, &ids).await;
    assert!(ends.iter().all(|(end, _)| end == "included"), "{ends:?}");

    // Ben submits a batch, and another account relays one of his with the same nonce.
    let (status, answer) = hand_in(&client, &url, &body(&stage.signed(ben, 0, 1, &[4]))).await;
    assert_eq!(status, 202, "{answer}");
    let id = answer["id"].as_str().expect("an id").to_owned();
    let other = [stage.signed(ben, 0, 0, &[5])];
    let relay = bindings::relay(&other, 500_000);
    stage
        .send(&Key::development(2), Some(stage.trainer), 0, relay)
        .await;
    let [(end, reason)] = &settled(&client, &server.url, &[id]).await[..] else {
        panic!("one")
    };
    assert!(
        end == "refused" && reason.contains("nonce"),
        "{end}: {reason}"
    );

    // The server refuses a batch that Ben signed for another relayer. Nobody else can send one that
    // he signed for this relayer.
    let other = stage.signed_for(Key::development(2).address(), ben, 1, 1, &[6]);
    let (status, answer) = hand_in(&client, &url, &body(&other)).await;
    assert_eq!(status, 422, "{answer}");
    let model = client
        .get(format!("{}/v1/models/{}", server.url, stage.trainer))
        .send();
    let model: Value = model.await.expect("an answer").json().await.expect("JSON");
    let relayer = model["relayer"]
        .as_str()
        .expect("a relayer")
        .parse()
        .expect("an address");
    let bound = stage.signed_for(relayer, ben, 1, 1, &[6]);
    let (status, answer) = hand_in(&client, &url, &body(&bound)).await;
    assert_eq!(status, 202, "{answer}");
    let id = answer["id"].as_str().expect("an id").to_owned();
    let relay = bindings::relay(&[bound], 500_000);
    stage
        .send(&Key::development(2), Some(stage.trainer), 0, relay)
        .await;
    let ends = settled(&client, &server.url, &[id]).await;
    assert_eq!(ends[0].0, "included", "{ends:?}");
    let sent = relayed(&stage).await;
    assert_eq!(sent.get(&(ben.address(), 1)), Some(&1), "once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_takes_deadlines_prices_and_claims_by_the_chains_time() {
    let stage = Stage::new().await;
    let anna = Key::development(1);
    stage.contribute(&anna, 1, &[1, 2]).await;
    stage.deposit(&anna, 10_u128.pow(18)).await;
    // The chain's time is two days ahead of this machine's.
    let ahead = 200_000;
    stage.wait(ahead).await;
    let database = stage.path("time.sqlite").display().to_string();
    let mut server = Server::new(&stage, "time", &database, 5);
    server.start();
    let client = reqwest::Client::new();
    server.ready(&client).await;
    let get = async |path: &str| -> Value {
        let answer = client.get(format!("{}{path}", server.url)).send().await;
        answer.expect("an answer").json().await.expect("JSON")
    };

    let price = get(&format!("/v1/models/{}/price", stage.trainer)).await;
    let contract = stage.number(bindings::state::price(1)).await;
    assert_eq!(price["each"], contract.to_string(), "{price}");
    let head = stage.node.head().await.expect("a head").time;
    assert!(price["time"].as_u64() >= Some(head), "{price}");
    let account = anna.address();
    let claimable = get(&format!(
        "/v1/models/{}/accounts/{account}/claimable",
        stage.trainer
    ))
    .await;
    assert_eq!(claimable["rows"][0]["possible"], true, "{claimable}");

    let url = format!("{}/v1/models/{}/submissions", server.url, stage.trainer);
    let signed = |nonce: u64, deadline: u64, max: u128| {
        let mut batch = stage.signed(&anna, nonce, 1, &[3]);
        (batch.deadline, batch.max_deposit) = (deadline, max);
        let hash = batch.signing_hash(&domain(stage.node.chain_id(), stage.trainer));
        batch.signature = anna.sign_hash(&hash).to_vec();
        body(&batch)
    };
    let late = hand_in(&client, &url, &signed(0, head - ahead / 2, 10_u128.pow(16))).await;
    assert_eq!(late.0, 422, "in time for this machine only: {}", late.1);
    // The batch allows less than the price until its deadline passes.
    let (status, waiting) = hand_in(&client, &url, &signed(0, head + 600, 1)).await;
    assert_eq!(status, 202, "{waiting}");
    stage.wait(1_000).await;
    let id = waiting["id"].as_str().expect("an id").to_owned();
    let refused = settled(&client, &server.url, &[id]).await.remove(0);
    assert_eq!(refused.0, "refused");
    assert!(
        refused.1.contains("of the chain's time") && refused.1.contains("and it allows 1 wei"),
        "{refused:?}"
    );
    assert!(server.stop());
}

// ---------------------------------------------------------------- Two coordinators on one database

/// Submits a batch with the nonce that the last answer named, until a server takes it; returns that
/// nonce.
async fn hand_in_somewhere(
    client: &reqwest::Client,
    stage: &Stage,
    servers: [&str; 2],
    author: &Key,
    feature: u16,
) -> Option<u64> {
    let [asked, told] = servers.map(|url| format!("{url}/v1/models/{}", stage.trainer));
    let account = client
        .get(format!("{asked}/accounts/{}", author.address()))
        .send()
        .await;
    let account: Value = account.expect("an answer").json().await.expect("JSON");
    let mut nonce = account["nextNonce"].as_u64().expect("a nonce");
    loop {
        let batch = stage.signed(author, nonce, 1, &[feature]);
        let (status, answer) = hand_in(client, &format!("{told}/submissions"), &body(&batch)).await;
        match status {
            202 => return Some(nonce),
            409 => {
                let next = answer["nextNonce"].as_u64().expect("the next nonce");
                assert!(next > nonce, "{answer}");
                nonce = next;
            }
            // The author's money is spent.
            422 => {
                assert_eq!(answer["type"], "/problems/balance-too-low", "{answer}");
                return None;
            }
            _ => panic!("{status}: {answer}"),
        }
    }
}

/// Starts two coordinators at the same moment on a new database, with one author who uses both.
async fn no_nonce_and_no_wei_is_given_out_twice(database: &str, stage: &Stage) {
    const HAND_INS: u16 = 24;
    let author = &authors(1)[0];
    let one = stage.signed(author, 0, 1, &[1]);
    // The money suffices for all batches but four.
    let money = u128::from(HAND_INS - 4) * (one.max_deposit + one.fee);
    let call = bindings::deposit_to(author.address());
    stage
        .send(&Key::development(1), Some(stage.trainer), money, call)
        .await;
    let mut servers = [
        Server::new(stage, "first", database, 5),
        Server::new(stage, "second", database, 5),
    ];
    let logs = servers.each_mut().map(|server| {
        // The relayers send nothing during the test, so all batches stay pending.
        let config = fs::read_to_string(&server.config).expect("read");
        let config = config.replace("max_age = \"1 s\"", "max_age = \"10 min\"");
        fs::write(&server.config, config).expect("written");
        let log = server.config.with_extension("log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_cotrain"));
        command.args(["serve", "--config"]).arg(&server.config);
        command.stdout(Stdio::null());
        command.stderr(fs::File::create(&log).expect("a log"));
        server.child = Some(command.spawn().expect("it starts"));
        log
    });
    let client = reqwest::Client::new();
    for server in &servers {
        server.ready(&client).await;
    }
    for log in logs {
        let log = fs::read_to_string(log).expect("read");
        assert!(!log.contains("ERROR"), "{log}");
    }
    let [first, second] = &servers;
    let urls = [first.url.as_str(), second.url.as_str()];

    let account_at = async |url: &str| -> Value {
        let author = author.address();
        let path = format!("{url}/v1/models/{}/accounts/{author}", stage.trainer);
        let answer = client.get(path).send().await.expect("an answer");
        answer.json().await.expect("JSON")
    };
    // A ready server may be a few blocks behind, and the deposit is in the last block.
    for url in urls {
        let start = std::time::Instant::now();
        while account_at(url).await["balance"] != money.to_string() {
            assert!(start.elapsed() < Duration::from_mins(1), "no money");
            sleep(Duration::from_millis(20)).await;
        }
    }

    // One server immediately knows what the other one takes.
    let nonce = hand_in_somewhere(&client, stage, urls, author, 1).await;
    assert_eq!(nonce, Some(0));
    for url in urls {
        let account = account_at(url).await;
        assert_eq!(account["nextNonce"], 1, "{account}");
        assert_eq!(
            account["committed"],
            (one.max_deposit + one.fee).to_string()
        );
    }
    // Submitting the same batch again is not a second batch.
    let url = format!("{}/v1/models/{}/submissions", second.url, stage.trainer);
    let same = stage.signed(author, 0, 1, &[1]);
    assert_eq!(hand_in(&client, &url, &body(&same)).await.0, 200);

    let all = (1..HAND_INS).map(|number| {
        let mut urls = urls;
        if number % 2 == 0 {
            urls.reverse();
        }
        hand_in_somewhere(&client, stage, urls, author, number)
    });
    let mut nonces: Vec<u64> = futures_util::future::join_all(all)
        .await
        .into_iter()
        .flatten()
        .collect();
    nonces.sort_unstable();
    let wanted: Vec<u64> = (1..u64::from(HAND_INS) - 4).collect();
    assert_eq!(
        nonces, wanted,
        "each once, and no more than there is money for"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_gives_nothing_out_twice_by_two_coordinators_on_one_file() {
    let stage = Stage::new().await;
    let database = stage.path("shared.sqlite").display().to_string();
    no_nonce_and_no_wei_is_given_out_twice(&database, &stage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_gives_nothing_out_twice_by_two_coordinators_on_one_postgres() {
    let stage = Stage::new().await;
    let postgres = Postgres::start();
    let database = postgres.database("shared");
    no_nonce_and_no_wei_is_given_out_twice(&database, &stage).await;
}

// ---------------------------------------------------------------- Signals

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_ends_despite_half_a_request_and_at_once_by_a_second_signal() {
    use std::{io::Write, net::TcpStream, time::Instant};

    let stage = Stage::new().await;
    let database = stage.path("ending.sqlite").display().to_string();
    let mut server = Server::new(&stage, "ending", &database, 5);
    // Here, a request and the shutdown may each take long.
    let config = fs::read_to_string(&server.config).expect("read");
    let longer = "[api]\ntimeout = \"10 min\"\nshutdown_timeout = \"10 min\"\n";
    fs::write(&server.config, config.replace("[api]\n", longer)).expect("written");
    let client = reqwest::Client::new();
    let send = |server: &Server, text: &str| {
        let mut stream =
            TcpStream::connect(server.url.trim_start_matches("http://")).expect("connected");
        stream.write_all(text.as_bytes()).expect("sent");
        stream
    };
    let signal = |server: &Server| {
        let id = server.child.as_ref().expect("it runs").id().to_string();
        let asked = Command::new("kill").args(["-INT", &id]).status();
        assert!(asked.expect("kill").success());
    };
    let wait = |server: &mut Server, start: Instant| {
        let status = server
            .child
            .take()
            .expect("it runs")
            .wait()
            .expect("a status");
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "{:?}",
            start.elapsed()
        );
        status.code()
    };

    server.start();
    server.ready(&client).await;
    let half = send(&server, "GET /v1/models HTTP/1.1\r\nHost: x\r\n");
    sleep(Duration::from_millis(200)).await;
    let start = Instant::now();
    signal(&server);
    assert_eq!(wait(&mut server, start), Some(0));
    drop(half);

    server.start();
    server.ready(&client).await;
    let path = format!("/v1/models/{}/submissions", stage.trainer);
    let body = "content-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    let unfinished = send(
        &server,
        &format!("POST {path} HTTP/1.1\r\nHost: x\r\n{body}"),
    );
    sleep(Duration::from_millis(200)).await;
    signal(&server);
    sleep(Duration::from_millis(500)).await;
    let child = server.child.as_mut().expect("it runs");
    assert!(
        child.try_wait().expect("a status").is_none(),
        "it waits for the request"
    );
    let start = Instant::now();
    signal(&server);
    assert_eq!(wait(&mut server, start), Some(130));
    drop(unfinished);
}
