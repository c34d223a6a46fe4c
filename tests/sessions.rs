//! Measures labeling sessions of a coordinator, as `name<TAB>value<TAB>unit` on stdout.
//!
//! 1,000 sessions are open at once, each with 64 features, 10 classes and 200 labeled rows.
//! Takes the path of the command `cotrain`.

// This is a command of its own, so its figures go to stdout.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use cotrain_test_support::Stage;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// Number of sessions.
const SESSIONS: u64 = 1_000;
/// Number of labeled rows of each session.
const LABELS: usize = 200;
const FEATURES: usize = 64;
const CLASSES: usize = 10;
/// Number of decisions whose time is taken.
const DECISIONS: usize = 1_000;

/// A process of `cotrain serve`, killed at the end.
struct Server {
    child: Child,
    url: String,
    client: reqwest::Client,
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).filter(|it| it != "--bench");
    let (Some(command), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: sessions PATH_OF_COTRAIN");
        std::process::exit(2);
    };
    let stage = Stage::new().await;
    let server = Server::start(&stage, &command).await;
    let before = server.resident();
    let mut session = String::new();
    let mut token = String::new();
    for seed in 0..SESSIONS {
        let body = json!({
            "features": FEATURES, "classes": CLASSES, "seed": seed,
            "threshold": {"measure": "margin", "uncertainty": 0.5},
        });
        let opened = server.post("sessions", "", &body).await;
        let text = |key: &str| opened[key].as_str().expect("a text").to_owned();
        (session, token) = (text("session"), text("token"));
        let path = format!("sessions/{session}/examples");
        server.post(&path, &token, &examples(seed)).await;
    }
    let resident = server.resident();
    println!(
        "label_sessions_1000_resident\t{:.1}\tmegabytes",
        resident / 1e6
    );
    println!("label_sessions_0_resident\t{:.1}\tmegabytes", before / 1e6);
    let mut random = ChaCha8Rng::seed_from_u64(SESSIONS);
    let path = format!("sessions/{session}/decisions");
    let mut times = Vec::new();
    for _ in 0..DECISIONS {
        let body = json!({"rows": [row(&mut random)]});
        let started = Instant::now();
        server.post(&path, &token, &body).await;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!(
        "label_decision_http_p99\t{:.3}\tmilliseconds",
        times[DECISIONS * 99 / 100]
    );
}

fn row(random: &mut ChaCha8Rng) -> Vec<f64> {
    (0..FEATURES).map(|_| random.random()).collect()
}

/// Returns the examples of a session.
fn examples(seed: u64) -> Value {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut example = |index: usize| json!({"x": row(&mut random), "y": index % CLASSES});
    json!({"rows": (0..LABELS).map(&mut example).collect::<Vec<_>>()})
}

impl Server {
    async fn start(stage: &Stage, command: &str) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
        let address = port.expect("a free port");
        let config = format!(
            "listen = \"{address}\"\ndatabase = \"{}\"\nmodels = [\"{}\"]\nfrom_block = {}\n\
             [node]\nurl = \"{}\"\n[api]\nrate = 0\n\
             [labels]\nenabled = true\nmax_sessions = {SESSIONS}\nmax_client_sessions = {SESSIONS}\n",
            stage.path("sessions.sqlite").display(),
            stage.trainer,
            stage.from_block,
            stage.node.url(),
        );
        let file = stage.path("sessions.toml");
        fs::write(&file, config).expect("written");
        let child = Command::new(command)
            .args(["serve", "--config"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("cotrain serve");
        let server = Self {
            child,
            url: format!("http://{address}/v1/label"),
            client: reqwest::Client::new(),
        };
        for _ in 0..600 {
            let quotes = server.client.post(format!("{}/quotes", server.url));
            if quotes.json(&json!({})).send().await.is_ok() {
                return server;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the coordinator does not answer after a minute");
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> Value {
        let request = self.client.post(format!("{}/{path}", self.url));
        let answer = request.bearer_auth(token).json(body).send().await;
        let answer = answer.expect("an answer");
        let status = answer.status();
        let answer: Value = answer.json().await.expect("JSON");
        assert!(status.is_success(), "{status}: {answer}");
        answer
    }

    /// Returns the resident memory of the process, in bytes.
    fn resident(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("Linux");
        let line = status.lines().find(|it| it.starts_with("VmRSS:"));
        let kilobytes = line.and_then(|it| it.split_whitespace().nth(1));
        let kilobytes: f64 = kilobytes.and_then(|it| it.parse().ok()).expect("a number");
        kilobytes * 1_024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
