//! A labeling session of a coordinator as its users run it: sealed and restored after a kill, and its
//! labels on the chain.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use cotrain_test_support::Stage;
use serde_json::{Value, json};
use tokio::time::sleep;

/// Secret of the session's owner.
const SECRET: &str = "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e";

/// Number that a row has, and no file may have.
const CANARY: f64 = 918_273_645.5;

/// Coordinator whose log is in files; killed with -9 at the end, if not before.
struct Server {
    folder: PathBuf,
    url: String,
    client: reqwest::Client,
    child: Option<Child>,
}

impl Server {
    fn new(stage: &Stage) -> Self {
        let folder = stage.path("state");
        fs::create_dir(&folder).expect("made");
        let address: SocketAddr = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port");
        let text = format!(
            "listen = \"{address}\"\ndatabase = \"{}\"\nmodels = [\"{}\"]\nfrom_block = {}\n\
             [node]\nurl = \"{}\"\n[labels]\nenabled = true\n[api]\nrate = 0\n",
            folder.join("state.sqlite").display(),
            stage.trainer,
            stage.from_block,
            stage.node.url(),
        );
        fs::write(folder.join("serve.toml"), text).expect("written");
        Self {
            folder,
            url: format!("http://{address}"),
            client: reqwest::Client::new(),
            child: None,
        }
    }

    async fn start(&mut self, run: usize) {
        let log = |name: &str| {
            let path = self.folder.join(format!("{name}-{run}.log"));
            Stdio::from(File::create(path).expect("a log"))
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_cotrain"));
        command
            .args(["serve", "--config"])
            .arg(self.folder.join("serve.toml"));
        command
            .env("RUST_LOG", "trace")
            .stdout(log("out"))
            .stderr(log("err"));
        self.child = Some(command.spawn().expect("it starts"));
        for _ in 0..1_200 {
            let quoted = self.post("quotes").json(&json!({})).send().await;
            if quoted.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("the coordinator does not answer after a minute");
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("killed");
            child.wait().expect("gone");
        }
    }

    fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.post(format!("{}/v1/label/{path}", self.url))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn json_of(request: reqwest::RequestBuilder) -> Value {
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    let text = answer.text().await.expect("a body");
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).expect("JSON")
}

/// Returns the files below a folder that have some bytes.
fn having(folder: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).expect("a folder");
    let paths = files.map(|file| file.expect("a file").path());
    let has = |path: &PathBuf| {
        let content = fs::read(path).expect("a file");
        content.windows(bytes.len()).any(|it| it == bytes)
    };
    paths.filter(has).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn deploy_and_contribute_take_the_labels_of_a_session() {
    let stage = Stage::new().await;
    let mut server = Server::new(&stage);
    server.start(1).await;
    // Two groups of rows around opposite corners.
    let row = |index: usize| -> Vec<f64> {
        let corner = if index.is_multiple_of(2) { 1.0 } else { -1.0 };
        let spread = f64::from(u8::try_from(index * 7 % 11).expect("small")) / 20.0;
        vec![corner + spread, corner - spread, spread]
    };
    let opened = json_of(
        server
            .post("sessions")
            .json(&json!({"features": 3, "classes": 2})),
    )
    .await;
    let [id, token] = ["session", "token"].map(|key| opened[key].as_str().expect("a text"));
    let examples = format!("sessions/{id}/examples");
    let taught = |index: usize| json!({"x": row(index), "y": index % 2});
    let taught = json!({"rows": (0..60).map(taught).collect::<Vec<_>>()});
    let teaching = server.post(&examples).bearer_auth(token).json(&taught);
    assert_eq!(json_of(teaching).await["rows"], 60);
    let table = server
        .client
        .get(format!("{}/v1/label/{examples}", server.url))
        .bearer_auth(token)
        .send()
        .await
        .expect("an answer")
        .text()
        .await
        .expect("a table");
    fs::write(stage.path("labeled.csv"), table).expect("written");

    let run = |arguments: &[&str]| -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cotrain"));
        command
            .args(arguments)
            .args(["--yes", "--json"])
            .env("COTRAIN_RPC", stage.node.url().as_str())
            .env("COTRAIN_STATE", stage.path("cli"))
            .current_dir(stage.path(""));
        let output = command.output().expect("it starts");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {told}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let data = ["--data", "labeled.csv", "--dev", "1"];
    let deployed = run(&[&["deploy", "--name", "mine"], &data[..]].concat());
    assert!(deployed["accuracy"].as_f64() > Some(0.9), "{deployed}");
    let contributed = run(&[&["contribute", "--model", "mine"], &data[..]].concat());
    assert!(
        contributed["contributions"].as_u64() > Some(0),
        "{contributed}"
    );
    for index in [60, 61] {
        let fields: Vec<String> = row(index).iter().map(ToString::to_string).collect();
        let fields = format!("--row={}", fields.join(","));
        let mut command = Command::new(env!("CARGO_BIN_EXE_cotrain"));
        command
            .args(["predict", "--model", "mine", &fields, "--json"])
            .env("COTRAIN_RPC", stage.node.url().as_str())
            .env("COTRAIN_STATE", stage.path("cli"));
        let output = command.output().expect("it starts");
        let told = String::from_utf8_lossy(&output.stderr);
        let predicted: Value = serde_json::from_slice(&output.stdout).expect(&told);
        let class = &predicted["predictions"][0]["class"];
        assert_eq!(*class, (index % 2).to_string(), "{predicted}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_restores_a_sealed_session_after_a_kill_and_no_file_has_its_rows() {
    let stage = Stage::new().await;
    let mut server = Server::new(&stage);
    server.start(1).await;
    let opened = json_of(
        server
            .post("sessions")
            .json(&json!({"features": 2, "classes": 2})),
    )
    .await;
    let id = opened["session"].as_str().expect("an id").to_owned();
    let token = opened["token"].as_str().expect("a token").to_owned();
    let call = |server: &Server, token: &str, name: &str| {
        server
            .post(&format!("sessions/{id}/{name}"))
            .bearer_auth(token)
    };
    let rows = json!({"rows": [[CANARY, 0.0], [-1.0, 2.0], [0.25, -0.5]]});
    json_of(call(&server, &token, "pools").json(&rows)).await;
    let taught = json!({"rows": [{"x": [CANARY, 0.0], "y": 0}, {"x": [-1.0, 2.0], "y": 1}]});
    json_of(call(&server, &token, "examples").json(&taught)).await;
    let before = json_of(call(&server, &token, "predictions").json(&rows)).await;
    // What is wrong may be logged, too.
    let wrong = json!({"rows": [{"x": [CANARY], "y": 7}]});
    let refused = call(&server, &token, "examples").json(&wrong).send().await;
    assert_eq!(refused.expect("an answer").status(), 422);
    let sealed = call(&server, &token, "snapshots").header("snapshot-secret", SECRET);
    let sealed = sealed
        .send()
        .await
        .expect("an answer")
        .bytes()
        .await
        .expect("the snapshot");
    server.kill();

    server.start(2).await;
    let gone = call(&server, &token, "predictions")
        .json(&rows)
        .send()
        .await;
    assert_eq!(gone.expect("an answer").status(), 404);
    let restoring = server
        .post(&format!("sessions/restore?session={id}"))
        .header("snapshot-secret", SECRET)
        .header("content-type", "application/octet-stream")
        .body(sealed);
    let restored = json_of(restoring).await;
    assert_eq!(restored["session"], *id);
    let token = restored["token"].as_str().expect("a token").to_owned();
    let after = json_of(call(&server, &token, "predictions").json(&rows)).await;
    assert_eq!(after["rows"], before["rows"]);
    json_of(call(&server, &token, "close")).await;
    server.kill();

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the row as 32-bit floats have it"
    )]
    let short = (CANARY as f32).to_le_bytes();
    // The search finds what is there.
    let config = having(&server.folder, b"[labels]");
    assert!(config.contains(&server.folder.join("serve.toml")));
    assert!(!having(&server.folder, b"SQLite format").is_empty());
    for secret in [
        b"918273645".as_slice(),
        &CANARY.to_le_bytes(),
        &CANARY.to_be_bytes(),
        &short,
        SECRET.as_bytes(),
        &[0x5e; 32],
        token.as_bytes(),
        id.as_bytes(),
    ] {
        let found = having(&server.folder, secret);
        assert_eq!(
            found,
            Vec::<PathBuf>::new(),
            "{}",
            String::from_utf8_lossy(secret)
        );
    }
}
