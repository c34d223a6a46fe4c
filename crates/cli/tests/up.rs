//! `cotrain up` under real conditions: killed, with a killed node, started twice, on occupied
//! ports.
//!
//! `scripts/crash` repeats these crashes as often as `COTRAIN_CRASHES` says.
#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "these have a chain of their own")]
mod common;

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, sleep},
    time::{Duration, Instant},
};

use cotrain_chain::anvil::Anvil;
use serde_json::Value;
use tempfile::TempDir;

use common::{program, terminal::Terminal};

const MAIL: &str = "class,body\nspam,win money now\nham,see you at lunch\nspam,win a free prize now\n\
    ham,lunch is at noon today\nspam,free money and a prize\nham,the minutes of today\nspam,claim the prize now\n\
    ham,see the minutes at noon\n";

/// A folder with data, and the state of `cotrain up` in `s`.
struct Workspace {
    folder: TempDir,
}

/// A running `cotrain up`.
struct Up {
    child: Child,
    said: Arc<Mutex<String>>,
    ready: Value,
}

impl Workspace {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("mail.csv"), MAIL).expect("written");
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(self.folder.path().to_owned());
        command
            .args(arguments)
            .env("COTRAIN_ANVIL", Anvil::find().expect("anvil"))
            .env_remove("COTRAIN_RPC")
            .stdin(Stdio::null());
        command
    }

    fn up(&self, more: &[&str]) -> Command {
        let mut command = self.command(&["up", "--port", "0", "--api-port", "0", "--json"]);
        command.args(["--state", "s"]).args(more);
        if !more.contains(&"--state-interval") {
            command.args(["--state-interval", "200ms"]);
        }
        command
    }

    /// Options of a model that takes little time.
    const MODEL: [&str; 8] = [
        "--data",
        "mail.csv",
        "--label-column=class",
        "--text-column=body",
        "--initial=1.0",
        "--refund-wait",
        "7s",
        "--name=mail",
    ];

    fn start(&self, more: &[&str]) -> Up {
        self.try_start(more)
            .unwrap_or_else(|(status, said)| panic!("{status}: {said}"))
    }

    /// Starts `cotrain up`; returns it running, or its exit status and output.
    fn try_start(&self, more: &[&str]) -> Result<Up, (ExitStatus, String)> {
        let mut child = self
            .up(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let said = Arc::new(Mutex::new(String::new()));
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        let heard = said.clone();
        let listening = thread::spawn(move || {
            let mut line = String::new();
            while stderr.read_line(&mut line).is_ok_and(|read| read > 0) {
                heard.lock().expect("a lock").push_str(&line);
                line.clear();
            }
        });
        let mut text = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        while !text.ends_with("\n}\n") {
            if stdout.read_line(&mut text).expect("text") == 0 {
                let status = child.wait().expect("a status");
                listening.join().expect("it ends");
                return Err((status, said.lock().expect("a lock").clone()));
            }
        }
        thread::spawn(move || stdout.read_to_string(&mut String::new()));
        Ok(Up {
            child,
            said,
            ready: serde_json::from_str(&text).expect("JSON"),
        })
    }

    /// Returns the output of a successful command.
    fn success(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("it starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        assert!(output.status.success(), "{arguments:?}: {stdout}{stderr}");
        stdout
    }

    /// Runs a line in a shell, which must succeed.
    fn shell(&self, line: &str) {
        let program = self.command(&[]);
        let mut command = Command::new("sh");
        command.args(["-c", line]).stdin(Stdio::null());
        command.current_dir(self.folder.path());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let output = command.output().expect("it starts");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {told}");
    }

    /// Returns the message of a start that fails by a mistake of the user.
    fn mistake(&self, more: &[&str]) -> String {
        let (status, said) = self.try_start(more).err().expect("it does not start");
        assert_eq!(status.code(), Some(2), "{said}");
        said
    }
}

impl Up {
    fn text(&self, name: &str) -> &str {
        self.ready[name].as_str().expect("text")
    }

    fn said(&self) -> String {
        self.said.lock().expect("a lock").clone()
    }

    fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Kills the process like kill -9; its node must end with it.
    fn kill(mut self) {
        let rpc = self.text("rpc").to_owned();
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
        let start = Instant::now();
        while listens(&rpc) {
            let waited = start.elapsed();
            assert!(waited < Duration::from_secs(2), "its node goes on");
            sleep(Duration::from_millis(20));
        }
    }

    /// Stops the process like Ctrl-C.
    fn stop(mut self) {
        self.signal("INT");
        let status = self.child.wait().expect("a status");
        assert!(status.success(), "{status}: {}", self.said());
    }

    /// Returns the process id of its node.
    fn node(&self) -> Option<u32> {
        child_of(self.child.id(), "anvil")
    }

    fn get(&self, path: &str) -> Option<(u16, Value)> {
        self.ask(&format!(
            "GET /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        ))
    }

    fn post(&self, path: &str, body: &str) -> Option<(u16, Value)> {
        self.ask(&format!(
            "POST /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    fn ask(&self, request: &str) -> Option<(u16, Value)> {
        let address = self.text("api").trim_start_matches("http://");
        let mut stream = TcpStream::connect(address.trim_end_matches('/')).ok()?;
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        Some((status, serde_json::from_str(body).ok()?))
    }

    /// Returns the number of the node's last block.
    fn head(&self) -> u64 {
        let address = self.text("rpc").trim_start_matches("http://");
        let mut stream = TcpStream::connect(address.trim_end_matches('/')).expect("a node");
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}"#;
        let request = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let number = answer.split("\"result\":\"0x").nth(1).expect("a result");
        let digits = number.split('"').next().unwrap_or_default();
        u64::from_str_radix(digits, 16).expect("a number")
    }

    /// Returns the number of the model's contributions, once the coordinator is ready.
    fn contributions(&self) -> u64 {
        let start = Instant::now();
        loop {
            if let Some((200, _)) = self.get("health/ready")
                && let Some((200, model)) = self.get(&format!("v1/models/{}", self.text("model")))
            {
                return model["contributions"].as_u64().expect("a number");
            }
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "it is not ready: {:?} {}",
                self.get("health/ready"),
                self.said()
            );
            sleep(Duration::from_millis(50));
        }
    }

    fn until(&self, what: &str, done: impl Fn() -> bool) {
        let start = Instant::now();
        while !done() {
            let waited = start.elapsed();
            assert!(waited < Duration::from_secs(30), "{what}: {}", self.said());
            sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the process that runs a program and was started by another process.
fn child_of(parent: u32, program: &str) -> Option<u32> {
    let mut processes = fs::read_dir("/proc").expect("processes").flatten();
    processes.find_map(|entry| {
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (begin, rest) = stat.rsplit_once(')')?;
        let started_by: u32 = rest.split_whitespace().nth(1)?.parse().ok()?;
        let found = begin.ends_with(&format!("({program}")) && started_by == parent;
        found.then(|| entry.file_name().to_str()?.parse().ok())?
    })
}

/// A process that is killed when this value drops, even if a test fails.
struct Ending(u32);

impl Drop for Ending {
    fn drop(&mut self) {
        let program = fs::read_to_string(format!("/proc/{}/comm", self.0));
        // By then, another program may have this process id.
        if program.is_ok_and(|name| ["anvil", "cotrain"].contains(&name.trim_end())) {
            signal(self.0, "KILL");
        }
    }
}

/// Right to let `cotrain clean` end every orphaned node of this machine, or to leave one behind.
fn alone_with_orphans() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn signal(process: u32, name: &str) {
    let name = format!("-{name}");
    let sent = Command::new("kill")
        .args([&name, &process.to_string()])
        .status();
    assert!(sent.expect("kill").success());
}

fn listens(url: &str) -> bool {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    TcpStream::connect(address).is_ok()
}

const CONTRIBUTE: [&str; 7] = [
    "contribute",
    "--text",
    "win a prize",
    "--label",
    "spam",
    "--dev",
    "1",
];

/// Waits until the chain's state is saved.
fn saved(workspace: &Workspace, up: &Up) {
    let head = up.head();
    let path = workspace.path("s/anvil.json");
    up.until("it is saved", || {
        let text = fs::read(&path).unwrap_or_default();
        let chain: Value = serde_json::from_slice(&text).unwrap_or_default();
        chain["best_block_number"].as_u64() >= Some(head)
    });
}

// ---------------------------------------------------------------- Tables of word vectors

/// Makes `small.cotvec`, a table of the words of the mail, and returns its SHA-256.
fn table(workspace: &Workspace) -> String {
    let words =
        "win 1 0 0\nmoney 1 0.2 0\nlunch -1 0 0\nfree 1 0 0.3\nsee -1 0.1 0\nnoon -1 0 0.2\n";
    fs::write(workspace.path("words.txt"), words).expect("written");
    let arguments = [
        "encoder",
        "make",
        "words.txt",
        "--out",
        "small.cotvec",
        "--dimensions",
        "2",
    ];
    let told = workspace.success(&[&arguments[..], &["--code", "1", "--json"]].concat());
    let made: Value = serde_json::from_str(&told).expect("JSON");
    made["sha256"].as_str().expect("a text").to_owned()
}

#[test]
fn up_serves_the_table_of_word_vectors_that_its_model_reads_texts_by() {
    let workspace = Workspace::new();
    let sha256 = table(&workspace);
    let model = [&Workspace::MODEL[..], &["--encoder", "small.cotvec"]].concat();
    let up = workspace.start(&model);
    // The file is needed at the first start only.
    fs::remove_file(workspace.path("small.cotvec")).expect("removed");
    let served = |up: &Up| {
        let (_, tables) = up.get("v1/encoders").expect("an answer");
        let rows = tables["rows"].as_array().expect("rows").iter();
        let own = rows.filter(|row| row["sha256"] == sha256.as_str());
        assert_eq!(own.count(), 1, "{tables}");
        let path = format!("v1/models/{}", up.text("model"));
        up.until("the model is measured", || {
            up.get(&path)
                .is_some_and(|(_, model)| model["accuracy"].is_f64())
        });
        let (_, model) = up.get(&path).expect("an answer");
        assert_eq!(model["encodes"], true);
        let texts = r#"[{"text": "win money"}, {"text": "..."}]"#;
        let (status, answer) = up
            .post(&format!("{path}/predict"), texts)
            .expect("an answer");
        assert_eq!(status, 200, "{answer}");
        let predictions = &answer["predictions"];
        assert_eq!(
            (&predictions[0]["class"], &predictions[0]["known"]),
            (&"spam".into(), &2.into())
        );
        assert_eq!(predictions[1]["known"], 0);
    };
    served(&up);

    // A machine without the table fetches it once, from the coordinator that `up` told of.
    let stored = workspace
        .path("state/encoders")
        .join(format!("{sha256}.cotvec"));
    let bytes = fs::read(&stored).expect("stored by `up`");
    let predict = ["predict", "--text", "free money", "--json"];
    let outcome = |arguments: &[&str]| {
        let output = workspace.command(arguments).output().expect("it starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    for before in [None, Some(&bytes[1..])] {
        match before {
            None => fs::remove_file(&stored).expect("removed"),
            Some(damaged) => fs::write(&stored, damaged).expect("written"),
        }
        let (status, stdout, stderr) = outcome(&predict);
        assert_eq!(status, Some(0), "{stderr}");
        assert!(stdout.contains(r#""class": "spam""#), "{stdout}");
        assert!(
            stderr.contains("fetched the model's table of word vectors"),
            "{stderr}"
        );
        assert_eq!(fs::read(&stored).expect("a file"), bytes);
    }
    let (_, _, stderr) = outcome(&predict);
    assert!(!stderr.contains("fetched"), "{stderr}");

    // Contributions of such a model are numbers, and found another one.
    workspace.success(&CONTRIBUTE);
    let (_, stdout, stderr) = outcome(&["data", "export", "--bare", "--out", "-"]);
    assert!(
        !stderr.contains("are not what the card's encoder makes"),
        "{stderr}"
    );
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(
        (lines.len(), lines[0]),
        (2, "label,dimension_1,dimension_2"),
        "{stdout}"
    );
    let win = lines[1].split(',').collect::<Vec<_>>();
    assert_eq!(win[0], "spam");
    let square: f64 = win[1..]
        .iter()
        .map(|it| it.parse::<f64>().expect("a number").powi(2))
        .sum();
    assert!((square.sqrt() - 32_767.0).abs() < 10.0, "{stdout}");

    // A coordinator that does not answer, or does not have the table.
    fs::remove_file(&stored).expect("removed");
    let nobody = [&predict[..], &["--coordinator", "http://127.0.0.1:1"]].concat();
    let (status, stdout, stderr) = outcome(&nobody);
    assert_eq!((status, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(
        stderr.contains(&sha256) && stderr.contains("`cotrain encoder add FILE`"),
        "{stderr}"
    );
    let (status, _, stderr) = outcome(&["predict", "--sample", "0x0000000000000000"]);
    assert_eq!(status, Some(0), "a sample needs no table: {stderr}");

    up.kill();
    let up = workspace.start(&[]);
    served(&up);
    up.stop();
}

#[test]
fn serve_stops_at_a_file_that_is_no_table() {
    let workspace = Workspace::new();
    for (name, cause) in [
        ("mail.csv", "it begins with 0x636c6173"),
        ("none.cotvec", "No such file"),
    ] {
        let set = format!("encoders.files={name}");
        let serve = ["serve", "--set", "listen=127.0.0.1:0", "--set", &set];
        let output = workspace.command(&serve).output().expect("it starts");
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        for expected in ["`encoders.files`", name, cause] {
            assert!(stderr.contains(expected), "{stderr}");
        }
    }
}

// ---------------------------------------------------------------- Restarts after a kill

#[test]
fn up_goes_on_from_its_last_save_after_a_kill_and_says_what_is_lost() {
    let workspace = Workspace::new();
    let up = workspace.start(&Workspace::MODEL);
    let model = up.text("model").to_owned();
    // A second start reports which process has the folder.
    let told = workspace.mistake(&[]);
    let pid = up.child.id();
    assert!(told.contains(&format!("in use by process {pid}")), "{told}");

    workspace.success(&CONTRIBUTE);
    saved(&workspace, &up);
    up.kill();

    let up = workspace.start(&["--state-interval", "1h"]);
    assert!(
        up.said().contains(&format!("(process {pid}) was killed")),
        "{}",
        up.said()
    );
    assert_eq!(up.text("model"), model);
    assert_eq!(up.contributions(), 1);
    // Cached events and weights are of the same chain.
    workspace.success(&["status", "--dev", "1"]);
    workspace.success(&["deposit", "1ether", "--dev", "2"]);
    up.stop();

    // From here on, nothing is saved until the end.
    let up = workspace.start(&["--state-interval", "1h"]);
    assert!(!up.said().contains("was killed"), "{}", up.said());
    let relay = up.text("api").to_owned();
    assert_eq!(up.text("page"), relay);
    let mut contribute = CONTRIBUTE.to_vec();
    contribute.extend(["--relay", &relay, "--wait", "--valid", "1h"]);
    contribute[6] = "2";
    workspace.success(&contribute);
    assert_eq!(up.contributions(), 2);
    up.kill();

    let up = workspace.start(&["--refund-wait", "1h"]);
    let said = up.said();
    assert!(said.contains("lost of the model"), "{said}");
    assert!(said.contains("1 signed batch is pending again"), "{said}");
    assert!(
        said.contains("--refund-wait has no effect: the model that is there has 7s, not 1h"),
        "{said}"
    );
    up.until("it is relayed again", || up.contributions() == 2);
    workspace.success(&["status", "--dev", "2"]);
    up.stop();
}

#[test]
fn up_starts_a_killed_node_again() {
    let workspace = Workspace::new();
    let up = workspace.start(&Workspace::MODEL);
    workspace.success(&CONTRIBUTE);
    saved(&workspace, &up);
    let node = up.node().expect("a node");
    signal(node, "KILL");
    up.until("another node", || {
        up.node().is_some_and(|other| other != node)
    });
    up.until("it says so", || up.said().contains("all of it runs again"));
    assert!(
        up.said()
            .contains("and is started again: the chain goes on from block"),
        "{}",
        up.said()
    );
    assert_eq!(up.contributions(), 1);
    workspace.success(&CONTRIBUTE);
    up.until("it follows", || up.contributions() == 2);
    up.stop();
}

/// Checks that a kill at any moment leaves a saved state, and that this state works.
#[test]
fn up_survives_being_killed_at_any_moment() {
    let crashes = env::var("COTRAIN_CRASHES").ok();
    let crashes: u64 = crashes.map_or(4, |text| text.parse().expect("a number"));
    let workspace = Workspace::new();
    // Moments within three seconds. They depend on the process id, so that runs differ.
    let seed = u64::from(std::process::id());
    let mut least = 0;
    for crash in 0..crashes {
        let moment = Duration::from_millis((seed * 7_919 + crash * 1_913) % 3_000);
        let mut child = workspace
            .up(&Workspace::MODEL)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        sleep(moment);
        child.kill().expect("killed");
        child.wait().expect("gone");

        let up = workspace.start(&Workspace::MODEL);
        let there = up.contributions();
        assert!(there >= least, "{there} of {least}: {}", up.said());
        if crash % 2 == 0 {
            workspace.success(&CONTRIBUTE);
            saved(&workspace, &up);
            least = there + 1;
        }
        if crash % 3 == 0 {
            let node = up.node().expect("a node");
            sleep(moment / 10);
            signal(node, "KILL");
            sleep(moment / 5);
        }
        up.kill();
    }
    let up = workspace.start(&[]);
    assert!(up.contributions() >= least);
    up.stop();
}

// ---------------------------------------------------------------- Starts that ask or are refused

#[test]
fn up_tells_commands_that_a_shell_runs_as_they_stand() {
    let workspace = Workspace::new();
    // Signs that look like options, and quotation marks of tables and shells.
    let row = |row: i32| {
        format!(
            "-{}.5,\"it's, {}\",{}\n",
            row % 4,
            row % 2,
            2 * (row % 2) - 1
        )
    };
    let rows: String = (0..40).map(row).collect();
    fs::write(workspace.path("t.csv"), format!("x,town,class\n{rows}")).expect("written");
    let up = workspace.start(&["--data", "t.csv", "--label-column", "class"]);
    let told = up.ready["try"].as_array().expect("commands").clone();
    for line in told.iter().map(|it| it.as_str().expect("a text")) {
        assert!(!line.contains("ROW"), "{line}");
        workspace.shell(line);
    }
    assert_eq!(told.len(), 3);
    // The API follows the chain after the command, which waits for its own receipt alone.
    up.until("it follows", || up.contributions() == 1);
    up.stop();
}

#[test]
fn up_starts_anew_only_after_a_yes_and_with_the_same_options() {
    let workspace = Workspace::new();
    let up = workspace.start(&Workspace::MODEL);
    let model = up.text("model").to_owned();
    workspace.success(&CONTRIBUTE);
    workspace.success(&["status", "--dev", "1"]);
    up.stop();

    // If the last save is damaged, the one before it is used.
    let chain = workspace.path("s/anvil.json");
    let whole = fs::read(&chain).expect("read");
    fs::write(&chain, &whole[..whole.len() / 2]).expect("written");
    let up = workspace.start(&[]);
    assert!(
        up.said().contains("going on from the save before it"),
        "{}",
        up.said()
    );
    up.stop();

    // Neither save can be read.
    for name in ["s/anvil.json", "s/anvil.earlier.json"] {
        fs::write(workspace.path(name), &whole[..whole.len() / 2]).expect("written");
    }
    let before = fs::read(workspace.path("s/coordinator.sqlite")).expect("read");
    let told = workspace.mistake(&[]);
    assert!(
        told.contains("nothing was changed. --new starts anew"),
        "{told}"
    );
    let after = fs::read(workspace.path("s/coordinator.sqlite")).expect("read");
    assert!(before == after, "the database was touched");

    let up = workspace.start(&["--new"]);
    let said = up.said();
    assert!(said.contains("what was there is in "), "{said}");
    assert!(said.contains("--refund-wait 7s"), "{said}");
    assert_eq!(up.contributions(), 0);
    // The other chain has the same addresses, but cached events of the first one must not apply.
    assert_eq!(up.text("model"), model);
    let status = workspace.success(&["status", "--dev", "1", "--json"]);
    let status: Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(
        status["contributions"].as_array().map(Vec::len),
        Some(0),
        "{status}"
    );
    up.stop();
}

#[test]
fn up_says_what_cannot_work_before_it_does_anything() {
    let workspace = Workspace::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let pid = std::process::id();
    for (option, next) in [("--port", "`--port 0`"), ("--api-port", "`--api-port 0`")] {
        let other = if option == "--port" {
            "--api-port=0"
        } else {
            "--port=0"
        };
        let mut command = workspace.command(&["up", "--state", "s", option, &port, other]);
        let output = command.output().expect("it starts");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(&format!("port {port}")), "{told}");
        assert!(told.contains(&format!("(process {pid})")), "{told}");
        assert!(told.contains(next), "{told}");
    }
    fs::write(workspace.path("file"), "").expect("written");
    let mut command = workspace.up(&[]);
    let output = command
        .env("COTRAIN_STATE", workspace.path("file/state"))
        .output()
        .expect("it starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("COTRAIN_STATE"), "{told}");
    assert!(!workspace.path("s/up.toml").exists(), "nothing was begun");
}

/// Returns all files below a folder with their content, except the lock.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(files(&path));
        } else if !path.ends_with("lock") {
            all.insert(path.clone(), fs::read(&path).expect("a file"));
        }
    }
    all
}

#[test]
fn up_takes_ctrl_c_at_the_question_as_a_no_and_changes_nothing() {
    let workspace = Workspace::new();
    let up = workspace.start(&Workspace::MODEL);
    up.stop();
    for name in ["s/anvil.json", "s/anvil.earlier.json"] {
        fs::write(workspace.path(name), "{").expect("written");
    }
    let before = files(workspace.folder.path());
    assert!(before.len() > 4, "{:?}", before.keys());
    for (say, signaled) in [("", true), ("n", false), ("perhaps", false)] {
        let mut terminal = Terminal::start(workspace.up(&[]));
        terminal.until("/before-TIME? [y/N]");
        if signaled {
            signal(terminal.child.id(), "INT");
        } else {
            terminal.answer(say);
        }
        let (status, stdout, screen) = terminal.end();
        assert_eq!((status, stdout.as_str()), (Some(2), ""), "{screen}");
        assert!(
            screen.contains("error: nothing was changed, as you wished"),
            "{screen}"
        );
        let after = files(workspace.folder.path());
        assert!(before.keys().eq(after.keys()), "{:?}", after.keys());
        assert!(before == after, "something was changed");
    }
    // The answer yes begins a new chain.
    let mut terminal = Terminal::start(workspace.up(&[]));
    terminal.until("/before-TIME? [y/N]");
    terminal.answer("y");
    terminal.until("starting anew; what was there is in ");
    terminal.until("Ctrl-C stops it");
    signal(terminal.child.id(), "INT");
    assert_eq!(terminal.end().0, Some(0));
    assert!(before != files(workspace.folder.path()));
}

// ---------------------------------------------------------------- Cleaning

#[test]
fn contribute_adds_one_for_each_command_at_once_and_clean_removes_caches() {
    let _alone = alone_with_orphans();
    let workspace = Workspace::new();
    let up = workspace.start(&Workspace::MODEL);
    workspace.success(&["deposit", "1ether", "--dev", "3"]);
    let relay = up.text("api").to_owned();
    let mut contribute = CONTRIBUTE.to_vec();
    contribute.extend(["--relay", &relay, "--json", "--wait"]);
    contribute[6] = "3";
    let running: Vec<Child> = (0..3)
        .map(|_| {
            let mut command = workspace.command(&contribute);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().expect("it starts")
        })
        .collect();
    let mut ids = Vec::new();
    for child in running {
        let output = child.wait_with_output().expect("it ends");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{told}");
        let submitted: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        ids.push(
            submitted["submissions"][0]["id"]
                .as_str()
                .expect("an id")
                .to_owned(),
        );
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3, "no two are told as one");
    up.until("all are on the chain", || up.contributions() == 3);

    workspace.success(&["status", "--dev", "3"]);
    workspace.success(&["predict", "--text", "win"]);
    let listed = workspace.success(&["clean"]);
    assert!(listed.contains("events"), "{listed}");
    assert!(listed.contains("--yes removes"), "{listed}");
    let index = workspace.path("cache/index");
    let count = |ending: &str| {
        let entries = fs::read_dir(&index).expect("a folder").flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.ends_with(ending)).count()
    };
    assert_eq!(count(".sqlite"), 1, "a listing removes nothing");
    workspace.success(&["clean", "--yes"]);
    assert_eq!(count(""), 0, "not even locks are left");
    assert!(workspace.success(&["clean"]).contains("nothing to remove"));
    // Later commands can compute the caches again.
    workspace.success(&["status", "--dev", "3"]);
    up.stop();
}

#[test]
fn up_names_a_node_that_was_left_behind_and_clean_ends_it() {
    let _alone = alone_with_orphans();
    let workspace = Workspace::new();
    let mut up = workspace.start(&Workspace::MODEL);
    workspace.success(&CONTRIBUTE);
    saved(&workspace, &up);
    // The shell that ends the node with its program is killed first.
    let node = up.node().expect("a node");
    let watch = child_of(node, "sh").expect("a shell beside it");
    let _ending = Ending(node);
    signal(watch, "KILL");
    up.child.kill().expect("killed");
    up.child.wait().expect("gone");
    let rpc = up.text("rpc").to_owned();
    assert!(listens(&rpc), "the node ended too");
    let port = rpc
        .trim_end_matches('/')
        .rsplit(':')
        .next()
        .expect("a port");

    // `cotrain up` refuses the occupied port, and resumes on another one.
    let mut same = workspace.command(&["up", "--state", "s", "--port", port, "--api-port", "0"]);
    let output = same.output().expect("it starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains(&format!(
            "port {port}, for the chain's node, is taken by anvil (process {node}), which a killed cotrain left behind; \
             stop it with `cotrain clean --yes`"
        )),
        "{told}"
    );
    let up = workspace.start(&[]);
    let told = format!(
        "process {node} is a node that a killed cotrain left behind; `cotrain clean --yes` ends it"
    );
    assert!(up.said().contains(&told), "{}", up.said());
    assert_eq!(up.contributions(), 1);
    assert!(listens(&rpc), "nothing ends it unasked");

    // A node whose program runs is no orphan.
    let other = up.node().expect("a node");
    let listed = workspace.success(&["clean"]);
    assert!(listed.contains(&format!("process {node} ")), "{listed}");
    assert!(!listed.contains(&format!("process {other} ")), "{listed}");
    assert!(listens(&rpc), "a listing ends nothing");
    let done = workspace.success(&["clean", "--yes", "--json"]);
    let done: Value = serde_json::from_str(&done).expect("JSON");
    let done = done.as_array().expect("an array").iter();
    let mut nodes = done.filter(|left| left["process"] == node);
    let ended = nodes.next().expect("the node");
    assert_eq!(ended["kind"], "node");
    assert_eq!(ended["remove"], true);
    up.until("it is ended", || !listens(&rpc));
    up.stop();
}

#[test]
fn clean_keeps_what_another_process_uses_and_names_the_process() {
    let _alone = alone_with_orphans();
    let workspace = Workspace::new();
    let up = workspace.start(&Workspace::MODEL);
    // Another process uses the cached events.
    let mut watching = workspace
        .command(&["watch", "--all", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let _ending = Ending(watching.id());
    let index = workspace.path("cache/index");
    let events = || {
        let entries = fs::read_dir(&index).ok()?.flatten();
        let mut paths = entries.map(|entry| entry.path());
        paths.find(|path| path.extension().is_some_and(|it| it == "sqlite"))
    };
    up.until("events", || events().is_some());
    let events = events().expect("events");
    // Another `cotrain up` uses its temporary folder.
    let mut other = workspace
        .command(&["up", "--port=0", "--api-port=0", "--json"])
        .args(Workspace::MODEL)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let _ending_too = Ending(other.id());
    let mut stdout = BufReader::new(other.stdout.take().expect("piped"));
    let mut line = String::new();
    while line.trim_end() != "}" {
        line.clear();
        assert!(stdout.read_line(&mut line).expect("text") > 0, "it ended");
    }
    let folders = fs::read_dir(workspace.path("cache/up")).expect("a folder");
    let folders: Vec<_> = folders.flatten().map(|entry| entry.path()).collect();
    let [folder] = &folders[..] else {
        panic!("{folders:?}")
    };
    // This process uses a journal.
    let journal = workspace.path("state/deploy-it");
    fs::create_dir_all(&journal).expect("a folder");
    fs::write(journal.join("deploy.json"), "{}").expect("written");
    fs::write(journal.join("lock"), std::process::id().to_string()).expect("written");
    let lock = fs::File::open(journal.join("lock")).expect("a lock");
    lock.lock().expect("locked");

    let used = [
        ("events", &events, watching.id()),
        ("up", folder, other.id()),
        ("journal", &journal, std::process::id()),
    ];
    let clean = |more: &[&str]| {
        let listed = workspace.success(&[&["clean", "--json"], more].concat());
        let listed: Value = serde_json::from_str(&listed).expect("JSON");
        for (kind, path, process) in &used {
            let mut all = listed.as_array().expect("an array").iter();
            let found = all.find(|left| left["path"].as_str() == path.to_str());
            let found = found.unwrap_or_else(|| panic!("no {kind} in {listed}"));
            assert_eq!(found["kind"], *kind);
            assert_eq!(found["remove"], false, "{found}");
            let note = found["note"].as_str().expect("a note");
            let told = format!("{} is in use by process {process}", path.display());
            assert_eq!(note, told);
            assert!(path.exists(), "{kind}");
        }
    };
    clean(&[]);
    clean(&["--yes", "--journals"]);
    assert!(folder.join("up.toml").exists());
    let text = workspace.success(&["clean"]);
    assert!(text.starts_with("kept     events"), "{text}");

    // The files can be removed once those processes are gone, even if they were killed.
    watching.kill().expect("killed");
    watching.wait().expect("gone");
    other.kill().expect("killed");
    other.wait().expect("gone");
    workspace.success(&["clean", "--yes"]);
    assert!(!events.exists() && !folder.exists());
    assert!(journal.exists(), "that is used still");
    up.stop();
}
