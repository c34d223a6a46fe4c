//! Nodes as processes, and a client of their REST interface.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ldk_node::bitcoin::hex::DisplayHex as _;
use reqwest::{Client, Method, Response, StatusCode};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::pinned;

/// Maximum time for what a test waits for; machines of tests are slow.
const PATIENCE: Duration = Duration::from_mins(3);
/// Address that nobody in a test owns.
pub(crate) const ELSEWHERE: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

/// Returns a client that trusts the certificate of one node.
fn client(cert: &Path) -> Client {
    let cert = CertificateDer::from_pem_file(cert).expect("certificate");
    Client::builder()
        .use_preconfigured_tls(pinned::tls(cert).expect("versions"))
        .no_proxy()
        .build()
        .expect("client")
}

/// Returns a free port of loopback. Another process could take it first, but rarely does.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .expect("bind")
        .local_addr()
        .expect("address")
        .port()
}

/// Place of a node: its directory, and what it is started with.
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
    arguments: Vec<String>,
    /// JSON-RPC of the chain.
    pub(crate) chain: String,
    _parent: TempDir,
}

impl Place {
    /// Makes a place for a node with a toy chain if `chain` is empty, or with the chain of another.
    pub(crate) fn new(chain: &str) -> Self {
        let parent = tempfile::tempdir().expect("directory");
        let dir = parent.path().join("node");
        let mut arguments = vec![
            "--dir".to_owned(),
            dir.display().to_string(),
            "--listen".to_owned(),
            format!("127.0.0.1:{}", free_port()),
            "--rest".to_owned(),
            format!("127.0.0.1:{}", free_port()),
        ];
        let chain = if chain.is_empty() {
            let listen = format!("127.0.0.1:{}", free_port());
            arguments.extend(["--toy-chain", "--toy-chain-listen", &listen].map(str::to_owned));
            format!("http://toy:toy@{listen}")
        } else {
            arguments.extend(["--bitcoind", chain].map(str::to_owned));
            chain.to_owned()
        };
        Self {
            dir,
            arguments,
            chain,
            _parent: parent,
        }
    }

    pub(crate) fn start(&self) -> Node {
        let mut process = Command::new(env!("CARGO_BIN_EXE_lnnode"))
            .args(&self.arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let out = BufReader::new(process.stdout.take().expect("output"));
        let mut node = Node {
            process,
            client: client_when_ready(&self.dir),
            id: String::new(),
            host: String::new(),
            rest: String::new(),
            admin: String::new(),
            invoice: String::new(),
            chain: self.chain.clone(),
        };
        for line in out.lines() {
            let line = line.expect("line");
            let (name, value) = line.split_once(' ').expect("name and value");
            match (name, value.trim()) {
                ("node", value) => {
                    let (id, host) = value.split_once('@').expect("id and host");
                    (node.id, node.host) = (id.to_owned(), host.to_owned());
                }
                ("rest", value) => {
                    value.clone_into(&mut node.rest);
                    break;
                }
                _ => {}
            }
        }
        assert!(
            !node.rest.is_empty(),
            "the node ended: see {}",
            self.dir.display()
        );
        let read = |name| {
            std::fs::read(self.dir.join(name))
                .expect(name)
                .to_lower_hex_string()
        };
        node.admin = read("admin.macaroon");
        node.invoice = read("invoice.macaroon");
        node
    }
}

fn client_when_ready(dir: &Path) -> Client {
    let start = Instant::now();
    // Both files come by a rename, the certificate last.
    while !dir.join("tls.cert").exists() {
        assert!(start.elapsed() < PATIENCE, "no certificate");
        std::thread::sleep(Duration::from_millis(50));
    }
    client(&dir.join("tls.cert"))
}

/// Running node. It is killed when dropped.
pub(crate) struct Node {
    process: Child,
    pub(crate) client: Client,
    pub(crate) id: String,
    pub(crate) host: String,
    pub(crate) rest: String,
    pub(crate) admin: String,
    pub(crate) invoice: String,
    chain: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Node {
    /// Ends the node by signal 9.
    pub(crate) fn kill(mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("ended");
    }

    /// Sends a call with a macaroon and returns the response as it is.
    pub(crate) async fn raw(
        &self,
        macaroon: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> reqwest::Result<Response> {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.rest))
            .header("Grpc-Metadata-macaroon", macaroon);
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let response = self.raw(&self.admin, method, path, body).await.expect(path);
        let status = response.status();
        (status, response.json().await.expect(path))
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.call(Method::GET, path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(Method::POST, path, Some(&body)).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }

    /// Returns status and body of a call that fails.
    pub(crate) async fn fails(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let (status, answer) = self.call(method, path, body.as_ref()).await;
        assert!(!status.is_success(), "{path}: {answer}");
        (status.as_u16(), answer)
    }

    /// Makes an invoice with the macaroon that allows no more.
    pub(crate) async fn add(&self, body: Value) -> Value {
        let answer = self
            .raw(&self.invoice, Method::POST, "/v1/invoices", Some(&body))
            .await;
        let answer = answer.expect("answer").error_for_status().expect("invoice");
        answer.json().await.expect("JSON")
    }

    /// Looks up an invoice by the base64 of its hash.
    pub(crate) async fn look_up(&self, hash: &Value) -> Value {
        self.get(&format!("/v1/invoice/{}", hex_of(hash))).await
    }

    /// Pays an invoice and returns the states that the node streams, or an error if the node is gone.
    pub(crate) async fn pay(&self, invoice: &Value) -> reqwest::Result<Vec<Value>> {
        let body = json!({ "payment_request": invoice["payment_request"] });
        let response = self
            .raw(&self.admin, Method::POST, "/v2/router/send", Some(&body))
            .await?;
        let text = response.error_for_status()?.text().await?;
        Ok(text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect(line)["result"].clone())
            .collect())
    }

    /// Calls the JSON-RPC of the chain.
    pub(crate) async fn chain(&self, method: &str, parameters: Value) -> Value {
        let body = json!({ "method": method, "params": parameters, "id": 1 });
        let response = Client::builder().no_proxy().build().expect("client");
        let response = response
            .post(&self.chain)
            .json(&body)
            .send()
            .await
            .expect(method);
        let answer: Value = response.json().await.expect(method);
        assert_eq!(answer["error"], Value::Null, "{method}");
        answer["result"].clone()
    }

    /// Mines blocks whose reward nobody in the test gets.
    pub(crate) async fn mine(&self, count: u32) {
        self.chain("generatetoaddress", json!([count, ELSEWHERE]))
            .await;
    }
}

/// Waits until `found` returns something.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
    text: &str,
    mut found: impl FnMut() -> F,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found().await {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain: {text}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Returns the hexadecimal digits of a base64 text.
pub(crate) fn hex_of(base64: &Value) -> String {
    STANDARD
        .decode(base64.as_str().expect("text"))
        .expect("base64")
        .to_lower_hex_string()
}

/// Returns the whole number in a JSON string.
pub(crate) fn number(value: &Value) -> u64 {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("{value}"))
}

/// Opens a channel of 1,000,000 sat from `payer` to `payee`, and waits until both can use it.
/// Returns the answer to the call that opened it.
pub(crate) async fn open_channel(payer: &Node, shop: &Node, private: bool) -> Value {
    for node in [payer, shop] {
        let address = node.get("/v1/newaddress").await["address"].clone();
        node.chain("generatetoaddress", json!([1, address])).await;
    }
    payer.mine(101).await;
    for node in [payer, shop] {
        until("coins in the wallet", || async {
            let balance = node.get("/v1/balance/blockchain").await;
            (number(&balance["confirmed_balance"]) > 0).then_some(())
        })
        .await;
    }
    if payer.get("/v1/getinfo").await["num_peers"] == 0 {
        let peer = json!({ "addr": { "pubkey": shop.id, "host": shop.host }, "perm": true });
        payer.post("/v1/peers", peer).await;
    }
    let request = json!({
        "node_pubkey_string": shop.id,
        "local_funding_amount": "1000000",
        "private": private,
    });
    let opened = payer.post("/v1/channels", request).await;
    until("funding transaction", || async {
        let waiting = payer.chain("getrawmempool", json!([])).await;
        (waiting != json!([])).then_some(())
    })
    .await;
    payer.mine(6).await;
    for node in [payer, shop] {
        until("usable channel", || async {
            let channels = node.get("/v1/channels").await;
            (channels["channels"][0]["active"] == true).then_some(())
        })
        .await;
    }
    opened
}

/// Subscription to a node's invoices.
pub(crate) struct Lines {
    response: Response,
    rest: Vec<u8>,
}

impl Lines {
    pub(crate) async fn open(node: &Node, added: u64, settled: u64) -> Self {
        let path = format!("/v1/invoices/subscribe?add_index={added}&settle_index={settled}");
        let response = node
            .raw(&node.invoice, Method::GET, &path, None)
            .await
            .expect("stream");
        Self {
            response: response.error_for_status().expect("stream"),
            rest: Vec::new(),
        }
    }

    /// Returns the next message, or `None` at the end of the stream or after a second without any.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.rest.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                let line: Value = serde_json::from_slice(&line).expect("JSON");
                return Some(line["result"].clone());
            }
            let chunk = tokio::time::timeout(Duration::from_secs(1), self.response.chunk()).await;
            self.rest.extend_from_slice(&chunk.ok()?.ok()??);
        }
    }
}
