//! A coordinator that sells labeling work by a node, and a client that no one here wrote.
//!
//! `scripts/lightning` names the coordinator's program, and installs the client.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    str::FromStr as _,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ldk_node::bitcoin::hashes::Hash as _;
use ldk_node::lightning_invoice::Bolt11Invoice;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    crash::{finish, start_paying},
    support::{Node, Place, free_port, hex_of, number, open_channel, until},
};

/// Purchases of the smallest amount that the configuration permits, 1 sat.
const PURCHASES: u64 = 200;
/// Offers that are being paid when the payer's node is killed.
const AT_ONCE: usize = 6;

/// Returns the root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn program() -> Command {
    let path = std::env::var("COTRAIN_BIN").expect("COTRAIN_BIN: run scripts/lightning");
    let mut command = Command::new(path);
    // The coordinator takes variables that begin like this one as its configuration.
    command.current_dir(root()).env_remove("COTRAIN_BIN");
    command
}

/// Process that is asked to end when dropped, so that it ends its own processes.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it has ended.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// Starts a development chain with a registry. Returns its process, and what it says of itself.
pub(crate) fn start_chain(folder: &Path) -> (Process, Value) {
    let mut chain = program()
        .args([
            "up",
            "--port",
            "0",
            "--api-port",
            "0",
            "--initial",
            "0.1",
            "--json",
        ])
        .env("COTRAIN_STATE", folder.join("state"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let mut lines = BufReader::new(chain.stdout.take().expect("output")).lines();
    let (mut text, mut ready) = (String::new(), Value::Null);
    let chain = Process(chain);
    while ready.is_null() {
        text += &lines.next().expect("an address").expect("a line");
        ready = serde_json::from_str(&text).unwrap_or_default();
    }
    (chain, ready)
}

/// Development chain with a registry, and a coordinator that sells by a node.
struct Coordinator {
    serve: Option<Process>,
    config: PathBuf,
    database: PathBuf,
    api: String,
    _chain: Process,
    _folder: TempDir,
}

impl Coordinator {
    async fn start(place: &Place, shop: &Node) -> Self {
        let folder = tempfile::tempdir().expect("directory");
        let (chain, ready) = start_chain(folder.path());
        let api = format!("127.0.0.1:{}", free_port());
        let database = folder.path().join("cotrain.sqlite");
        let config = folder.path().join("cotrain.toml");
        let text = format!(
            "listen = \"{api}\"\ndatabase = \"{}\"\nregistry = {}\n\
             [node]\nurl = {}\n[api]\nrate = 0\ntimeout = \"60 s\"\n\
             [labels]\nenabled = true\nmax_client_sessions = 1000\n\
             [lightning]\nurl = \"{}\"\ncertificate = \"{}\"\nmacaroon = \"{}\"\nmin_purchase = 1\n\
             max_client_invoices = 100\n",
            database.display(),
            ready["registry"],
            ready["rpc"],
            shop.rest,
            place.dir.join("tls.cert").display(),
            place.dir.join("invoice.macaroon").display(),
        );
        fs::write(&config, text).expect("written");
        let mut coordinator = Self {
            serve: None,
            config,
            database,
            api: format!("http://{api}"),
            _chain: chain,
            _folder: folder,
        };
        coordinator.serve().await;
        coordinator
    }

    async fn serve(&mut self) {
        let serve = program()
            .args(["serve", "--config"])
            .arg(&self.config)
            .stdout(Stdio::null())
            .spawn()
            .expect("started");
        self.serve = Some(Process(serve));
        let client = reqwest::Client::builder().no_proxy().build();
        let client = client.expect("client");
        until("a coordinator", || async {
            let answer = client.get(format!("{}/health/ready", self.api)).send();
            answer.await.ok().filter(|it| it.status().is_success())
        })
        .await;
    }

    /// Ends the coordinator by signal 9.
    fn kill(&mut self) {
        let mut serve = self.serve.take().expect("it runs");
        serve.0.kill().expect("killed");
    }

    /// Runs the client, and returns what it prints.
    fn client(&self, payer: &(&Place, &Node), arguments: &[&str]) -> Value {
        let (place, node) = payer;
        let out = Command::new("node")
            .arg("pay.mjs")
            .args(arguments)
            .current_dir(root().join("tests/l402"))
            .env("API", &self.api)
            .env("LND", &node.rest)
            .env("MACAROON", &node.admin)
            .env("NODE_EXTRA_CA_CERTS", place.dir.join("tls.cert"))
            .output()
            .expect("node");
        let (text, error) = (out.stdout, String::from_utf8_lossy(&out.stderr));
        assert!(out.status.success(), "{arguments:?}: {error}");
        serde_json::from_slice(&text).expect("JSON")
    }

    /// Makes an offer, and returns its token with its invoice as the node writes it.
    fn offer(&self, payer: &(&Place, &Node)) -> (String, Value) {
        let offer = self.client(payer, &["offer"]);
        let text = offer["invoice"].as_str().expect("text");
        let hash = Bolt11Invoice::from_str(text).expect("an invoice");
        let hash = STANDARD.encode(hash.payment_hash().to_byte_array());
        let token = offer["token"].as_str().expect("text").to_owned();
        (token, json!({ "payment_request": text, "r_hash": hash }))
    }

    /// Returns the amount of each settled payment in the ledger, by the payment hash.
    fn settled(&self) -> HashMap<String, u64> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let database = Connection::open_with_flags(&self.database, flags).expect("a database");
        let entries = "SELECT entry FROM payment_entries ORDER BY number";
        let mut entries = database.prepare(entries).expect("entries");
        let entries = entries.query_map((), |row| row.get::<_, Vec<u8>>(0));
        let mut settled = HashMap::new();
        for entry in entries.expect("entries") {
            let entry: Value = serde_json::from_slice(&entry.expect("an entry")).expect("JSON");
            let seen = &entry["invoice_seen"];
            if let Some(amount) = seen["seen"]["settled"]["amount"].as_u64() {
                let hash = seen["payment_hash"].as_str().expect("a hash");
                let hash = hash.trim_start_matches("0x").to_owned();
                assert_eq!(settled.insert(hash, amount), None, "settled twice");
            }
        }
        settled
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the coordinator's program and the client: scripts/lightning has both"]
async fn lnnode_serves_a_coordinator_whose_ledger_equals_the_channel() {
    let shop_place = Place::new("");
    let shop = shop_place.start();
    let payer_place = Place::new(&shop_place.chain);
    let mut payer = payer_place.start();
    open_channel(&payer, &shop, false).await;
    let mut coordinator = Coordinator::start(&shop_place, &shop).await;

    let walked = coordinator.client(&(&payer_place, &payer), &["walk"]);
    println!("one session: {walked}");
    let count = PURCHASES.to_string();
    let bought = coordinator.client(&(&payer_place, &payer), &["buy", &count]);
    println!("{PURCHASES} sessions of 1 sat, 8 at once: {bought}");
    assert_eq!(bought["count"], PURCHASES);
    assert_eq!(bought["paid"], PURCHASES * 1_000);
    let paid = |it: &Value| it["paid"].as_u64().expect("an amount");
    let mut sum = paid(&walked) + paid(&bought);

    // Paid while the coordinator is down, with an offer from before.
    let (token, invoice) = coordinator.offer(&(&payer_place, &payer));
    coordinator.kill();
    let states = payer.pay(&invoice).await.expect("stream");
    let last = states.last().expect("a state");
    assert_eq!(last["status"], "SUCCEEDED", "{last}");
    sum += number(&last["value_msat"]);
    coordinator.serve().await;
    let preimage = last["payment_preimage"].as_str().expect("text");
    let opened = coordinator.client(&(&payer_place, &payer), &["open", &token, preimage]);
    assert_eq!(opened["status"], 201);

    until("a balance that equals the ledger", || async {
        let balance = shop.get("/v1/balance/channels").await;
        (number(&balance["local_balance"]["msat"]) == sum).then_some(())
    })
    .await;
    let settled = coordinator.settled();
    assert_eq!(settled.values().sum::<u64>(), sum);
    assert_eq!(settled.len() as u64, PURCHASES + 4);

    let mut invoices = Vec::new();
    for _ in 0..AT_ONCE {
        invoices.push(coordinator.offer(&(&payer_place, &payer)).1);
    }
    let calls: Vec<_> = invoices.iter().map(|it| start_paying(&payer, it)).collect();
    tokio::time::sleep(Duration::from_millis(400)).await;
    payer.kill();
    payer = payer_place.start();
    finish(&payer, &shop, &invoices).await;
    for call in calls {
        call.await.expect("joined");
    }
    let mut expected = settled;
    for invoice in &invoices {
        let own = shop.look_up(&invoice["r_hash"]).await;
        if own["state"] == "SETTLED" {
            let amount = number(&own["amt_paid_msat"]);
            expected.insert(hex_of(&invoice["r_hash"]), amount);
        }
    }
    until("a ledger that equals the node's", || async {
        (coordinator.settled() == expected).then_some(())
    })
    .await;
}
