//! Finds, starts and stops anvil, Foundry's development node, and saves its chain.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use alloy_consensus::Header;
use alloy_primitives::{B256, Bytes, hex::FromHexError};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::keys::DEVELOPMENT_CHAIN;

/// Environment variable with the path of the binary.
const VARIABLE: &str = "COTRAIN_ANVIL";
/// Text that anvil writes before the address that it listens on.
const LISTENING: &str = "Listening on ";
/// Time limit for anvil's start and stop. Loading or writing a large state takes seconds.
const PATIENCE: Duration = Duration::from_mins(1);
/// Maximum length of anvil's stderr output that is kept, in bytes.
const MAX_OUTPUT: u64 = 4_096;

/// Shell script that becomes anvil and leaves a second shell behind, which watches over it.
///
/// That shell kills anvil if the pipe to its stdin closes before it reads a line.
/// So anvil ends with this process, however that ends.
/// `$$` is the id of the process that becomes anvil, also within the parentheses.
#[cfg(unix)]
const TIED: &str = r#"exec 3<&0 </dev/null
(read -r _ <&3 || kill -KILL $$) >/dev/null 2>&1 &
exec "$@" 3<&-"#;

/// Arguments to fork an empty chain, without keeping its data or waiting for it.
const FORKING: [&str; 3] = [
    "--fork-block-number=0",
    "--no-storage-caching",
    "--no-rate-limit",
];

/// Failure of an anvil process.
#[derive(Debug, thiserror::Error)]
pub enum AnvilError {
    /// The variable names no file.
    #[error("{VARIABLE} is {path}, and there is no such file; name the anvil binary, or unset it")]
    NotThere {
        /// Value of the variable.
        path: PathBuf,
    },
    /// anvil was not found.
    #[error(
        "there is no anvil in {VARIABLE}, PATH or node_modules; {}",
        how_to_get()
    )]
    NotFound,
    /// The binary exists but cannot be run.
    #[error("cannot run {path}")]
    CannotRun {
        /// Path of the binary.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// anvil ended before it listened.
    #[error("anvil ended before it answered ({status}): {output}")]
    Ended {
        /// Exit status.
        status: ExitStatus,
        /// Text that anvil wrote to stderr.
        output: String,
    },
    /// anvil did not listen in time, or did not end in time after the signal.
    #[error("anvil did not {what} within {} s", PATIENCE.as_secs())]
    TooSlow {
        /// Expected action of the process, for the message.
        what: &'static str,
    },
    /// The operating system refused an operation.
    #[error("cannot {what} anvil")]
    System {
        /// Operation that failed, for the message.
        what: &'static str,
        /// Cause.
        source: io::Error,
    },
    /// anvil did not return its chain.
    #[error("cannot save the chain of anvil at {url}: {reason}")]
    Unsaved {
        /// Address that anvil listens on.
        url: Url,
        /// Cause.
        reason: String,
    },
}

fn how_to_get() -> &'static str {
    // npm has the binary in a package of its own only for this system.
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        "get it with `npm install @foundry-rs/anvil-linux-amd64@1.7.1`, or see https://getfoundry.sh"
    } else {
        "see https://getfoundry.sh"
    }
}

/// Options for a new anvil process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnvilConfig {
    /// Port to listen on; 0 for any free port.
    pub port: u16,
    /// File with the chain's state.
    ///
    /// anvil reads it at the start if it exists, and writes it at the end.
    pub state: Option<PathBuf>,
    /// File from [`SavedChain::write`]. anvil reads it at the start and never writes it.
    pub load: Option<PathBuf>,
    /// Seconds between blocks; `None` for one block per transaction.
    pub block_time: Option<u64>,
    /// Id of the chain.
    pub chain_id: u64,
    /// Number of publicly known accounts that anvil funds.
    pub accounts: u32,
    /// Name of the hard fork whose rules the chain follows.
    pub hardfork: String,
    /// Time of the first block, in Unix seconds; `None` for the current time.
    pub timestamp: Option<u64>,
    /// Whether blocks have state roots.
    ///
    /// anvil computes each root from the whole state, in time proportional to its size. Without
    /// roots, the node cannot prove anything.
    pub state_roots: bool,
    /// Further arguments, passed unchanged.
    pub arguments: Vec<String>,
}

impl Default for AnvilConfig {
    /// Returns options for any free port, no file and one block per transaction.
    ///
    /// The chain has id 31337, ten funded accounts, state roots and the rules of Osaka; its time
    /// starts now.
    fn default() -> Self {
        Self {
            port: 0,
            state: None,
            load: None,
            block_time: None,
            chain_id: DEVELOPMENT_CHAIN,
            accounts: 10,
            hardfork: "osaka".to_owned(),
            timestamp: None,
            state_roots: true,
            arguments: Vec::new(),
        }
    }
}

impl AnvilConfig {
    /// Returns options for a simulation that begins at `start` (Unix seconds).
    ///
    /// No account has money. anvil leaves out state roots and history, which would slow down many
    /// blocks.
    #[must_use]
    pub fn for_simulation(start: u64) -> Self {
        let arguments = [
            "--prune-history",
            "--transaction-block-keeper=16",
            "--disable-console-log",
            "--disable-default-create2-deployer",
            "--base-fee=0",
        ];
        Self {
            accounts: 0,
            timestamp: Some(start),
            state_roots: false,
            arguments: arguments.map(str::to_owned).to_vec(),
            ..Self::default()
        }
    }
}

/// A running anvil.
///
/// It ends when this value is dropped, or before that by [`Anvil::stop`]. It also ends with this
/// process, on Unix even if the process is killed.
#[derive(Debug)]
pub struct Anvil {
    child: Child,
    /// Write end of anvil's stdin, which keeps anvil running while it is open.
    tie: Option<ChildStdin>,
    url: Url,
    /// Node that this one forks, if any. It ends with this one.
    _below: Option<Box<Anvil>>,
}

impl Anvil {
    /// Finds the binary and returns its path.
    ///
    /// That is the file that `COTRAIN_ANVIL` names, or else the first one in PATH. Otherwise it is
    /// the binary that npm installed in the working directory or one above it.
    ///
    /// # Errors
    /// [`AnvilError::NotThere`], or [`AnvilError::NotFound`], which says how to get anvil.
    pub fn find() -> Result<PathBuf, AnvilError> {
        if let Some(path) = env::var_os(VARIABLE).map(PathBuf::from) {
            if !path.is_file() {
                return Err(AnvilError::NotThere { path });
            }
            return Ok(path);
        }
        let name = format!("anvil{}", env::consts::EXE_SUFFIX);
        let path = env::var_os("PATH").unwrap_or_default();
        let in_path = env::split_paths(&path)
            .map(|directory| directory.join(&name))
            .find(|path| path.is_file());
        if let Some(found) = in_path {
            return Ok(found);
        }
        let here = env::current_dir().unwrap_or_default();
        here.ancestors()
            .find_map(|directory| in_node_modules(&directory.join("node_modules"), &name))
            .ok_or(AnvilError::NotFound)
    }

    /// Starts anvil and waits until it listens. Ctrl-C in the terminal does not reach it.
    ///
    /// # Errors
    /// Those of [`Anvil::find`], or if anvil does not start.
    pub fn spawn(config: &AnvilConfig) -> Result<Self, AnvilError> {
        // anvil leaves out the roots only if it forks another node.
        let below = if config.state_roots {
            None
        } else {
            Some(Box::new(Self::start(&empty(config), None)?))
        };
        Self::start(config, below)
    }

    fn start(config: &AnvilConfig, below: Option<Box<Self>>) -> Result<Self, AnvilError> {
        let path = Self::find()?;
        let mut command = tied(&path);
        command
            .args(arguments(config, below.as_deref()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .spawn()
            .map_err(|source| AnvilError::CannotRun { path, source })?;
        let tie = child.stdin.take();
        match listening(&mut child) {
            Ok(url) => Ok(Self {
                child,
                tie,
                url,
                _below: below,
            }),
            Err(error) => {
                untie(tie);
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Returns the address that anvil listens on.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the id of the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the exit status if anvil has ended, else `None`.
    ///
    /// # Errors
    /// If the operating system does not report it.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, AnvilError> {
        self.child.try_wait().map_err(|source| AnvilError::System {
            what: "wait for",
            source,
        })
    }

    /// Interrupts anvil and waits until it has ended. anvil writes its state when it ends.
    ///
    /// # Errors
    /// If anvil does not end in time; then it is killed.
    pub fn stop(mut self) -> Result<(), AnvilError> {
        interrupt(&mut self.child).map_err(|source| AnvilError::System {
            what: "stop",
            source,
        })?;
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let ended = self.child.try_wait().map_err(|source| AnvilError::System {
                what: "wait for",
                source,
            })?;
            if ended.is_some() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err(AnvilError::TooSlow { what: "end" })
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        untie(self.tie.take());
        // If anvil has ended already, this fails harmlessly.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a command that runs a program and ends it with this process.
#[cfg(unix)]
fn tied(program: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", TIED, "cotrain"]).arg(program);
    command
}

#[cfg(not(unix))]
fn tied(program: &Path) -> Command {
    Command::new(program)
}

/// Releases the shell beside anvil, which must not kill: anvil's id may be another process's now.
fn untie(tie: Option<ChildStdin>) {
    if let Some(mut tie) = tie {
        let _ = tie.write_all(b"\n");
    }
}

/// A chain as anvil dumps it: all blocks and transactions, and the state after the last block.
#[derive(Debug, Clone)]
pub struct SavedChain(Value);

/// Time limit for anvil's dump of its chain.
const SAVING: Duration = Duration::from_mins(5);

impl SavedChain {
    /// Asks the anvil at `url` for its chain.
    ///
    /// It keeps only those states after earlier blocks that are in `states`.
    /// With all of them, time and size would grow with the number of blocks times the state's size.
    ///
    /// # Errors
    /// [`AnvilError::Unsaved`].
    pub async fn read(url: &Url, states: &HistoricalStates) -> Result<Self, AnvilError> {
        let mut chain = dump(url, false).await?;
        leave_out_other_branches(url, &mut chain).await?;
        chain["historical_states"] = Value::Array(states.0.clone());
        Ok(Self(chain))
    }

    /// Returns the file's content, for [`AnvilConfig::load`].
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        self.0.to_string().into_bytes()
    }
}

/// States after some blocks of a chain, as anvil dumps them.
#[derive(Debug, Clone, Default)]
pub struct HistoricalStates(Vec<Value>);

impl HistoricalStates {
    /// Asks the anvil at `url` for the states after the blocks whose hash `wanted` accepts.
    ///
    /// # Errors
    /// [`AnvilError::Unsaved`].
    pub async fn read(url: &Url, wanted: impl Fn(B256) -> bool) -> Result<Self, AnvilError> {
        let mut chain = dump(url, true).await?;
        let Some(Value::Array(mut states)) = chain.get_mut("historical_states").map(Value::take)
        else {
            return Ok(Self::default());
        };
        states.retain(|state| hash_of(state).is_some_and(&wanted));
        Ok(Self(states))
    }

    /// Returns `true` if the state after the block with this hash is among them.
    #[must_use]
    pub fn has(&self, block: B256) -> bool {
        self.0.iter().any(|state| hash_of(state) == Some(block))
    }
}

/// Returns the hash of the block that a historical state belongs to.
fn hash_of(state: &Value) -> Option<B256> {
    state.get(0)?.as_str()?.parse().ok()
}

/// Asks for a chain, with the states after all blocks if `states` is set.
async fn dump(url: &Url, states: bool) -> Result<Value, AnvilError> {
    let unsaved = |reason: String| AnvilError::Unsaved {
        url: url.clone(),
        reason,
    };
    let answer = ask(url, "anvil_dumpState", json!([states])).await?;
    let text = answer.as_str().unwrap_or_default();
    let packed: Bytes = text
        .parse()
        .map_err(|error: FromHexError| unsaved(error.to_string()))?;
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(packed.as_ref())
        .read_to_end(&mut unpacked)
        .map_err(|error| unsaved(error.to_string()))?;
    serde_json::from_slice(&unpacked).map_err(|error| unsaved(error.to_string()))
}

/// Sends a request to anvil and returns the result.
///
/// [`crate::node::Node`] is unsuitable: its timeouts and limits suit small answers of untrusted
/// nodes.
async fn ask(url: &Url, method: &str, parameters: Value) -> Result<Value, AnvilError> {
    let unsaved = |reason: String| AnvilError::Unsaved {
        url: url.clone(),
        reason,
    };
    let client = crate::node::http_client(SAVING).map_err(|error| unsaved(error.to_string()))?;
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": parameters });
    let sent = client.post(url.clone()).json(&request).send().await;
    let answer = sent.map_err(|error| unsaved(error.to_string()))?;
    let body = answer.bytes().await;
    let body = body.map_err(|error| unsaved(error.to_string()))?;
    let mut answer: Value =
        serde_json::from_slice(&body).map_err(|error| unsaved(error.to_string()))?;
    match answer.get_mut("result").map(Value::take) {
        Some(result) => Ok(result),
        None => Err(unsaved(answer.get("error").unwrap_or(&answer).to_string())),
    }
}

/// Removes blocks that are not on the best chain, with their transactions.
///
/// These are abandoned branches, and the first block of a process that loaded another chain.
/// They could replace the blocks of the best chain when anvil loads the dump.
async fn leave_out_other_branches(url: &Url, chain: &mut Value) -> Result<(), AnvilError> {
    let best = chain.get("best_block_number").and_then(Value::as_u64);
    let best = json!([format!("{:#x}", best.unwrap_or_default()), false]);
    let best = ask(url, "eth_getBlockByNumber", best).await?;
    let best = best.get("hash").and_then(Value::as_str);
    let parents: BTreeMap<B256, (u64, B256)> = chain["blocks"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|block| {
            let header = header(block)?;
            Some((header.hash_slow(), (header.number, header.parent_hash)))
        })
        .collect();
    let mut kept = BTreeSet::new();
    let mut next = best.and_then(|hash| hash.parse().ok());
    while let Some(hash) = next {
        let Some((number, parent)) = parents.get(&hash) else {
            return Err(AnvilError::Unsaved {
                url: url.clone(),
                reason: format!("the block {hash} is not among those that it gives away"),
            });
        };
        kept.insert(hash);
        next = (*number > 0).then_some(*parent);
    }
    if let Some(blocks) = chain["blocks"].as_array_mut() {
        blocks.retain(|block| header(block).is_some_and(|it| kept.contains(&it.hash_slow())));
    }
    if let Some(transactions) = chain["transactions"].as_array_mut() {
        transactions.retain(|transaction| {
            let block = transaction.get("block_hash").and_then(Value::as_str);
            let block: Option<B256> = block.and_then(|hash| hash.parse().ok());
            block.is_none_or(|block| kept.contains(&block))
        });
    }
    Ok(())
}

fn header(block: &Value) -> Option<Header> {
    Header::deserialize(block.get("header")?).ok()
}

/// Finds the binary in a `node_modules` directory.
///
/// The binary's own package comes first, because the launcher in `.bin` passes no signals on.
fn in_node_modules(modules: &Path, name: &str) -> Option<PathBuf> {
    let packages = fs::read_dir(modules.join("@foundry-rs")).ok()?;
    packages
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("anvil-"))
        .map(|entry| entry.path().join("bin").join(name))
        .chain([modules.join(".bin").join(name)])
        .find(|path| path.is_file())
}

/// Returns the options of an empty chain to fork, on which nothing happens.
fn empty(config: &AnvilConfig) -> AnvilConfig {
    AnvilConfig {
        chain_id: config.chain_id,
        accounts: 0,
        hardfork: config.hardfork.clone(),
        timestamp: config.timestamp,
        ..AnvilConfig::default()
    }
}

fn arguments(config: &AnvilConfig, below: Option<&Anvil>) -> Vec<String> {
    let mut arguments = vec![
        format!("--port={}", config.port),
        format!("--chain-id={}", config.chain_id),
        format!("--accounts={}", config.accounts),
        format!("--hardfork={}", config.hardfork),
        "--color=never".to_owned(),
    ];
    if let Some(seconds) = config.block_time {
        arguments.push(format!("--block-time={seconds}"));
    }
    if let Some(seconds) = config.timestamp {
        arguments.push(format!("--timestamp={seconds}"));
    }
    if let Some(below) = below {
        arguments.push(format!("--fork-url={}", below.url));
        arguments.extend(FORKING.map(str::to_owned));
    }
    if let Some(path) = &config.load {
        arguments.push(format!("--load-state={}", path.display()));
    }
    if let Some(path) = &config.state {
        arguments.push(format!("--state={}", path.display()));
    }
    arguments.extend(config.arguments.iter().cloned());
    arguments
}

/// Waits until anvil reports the address that it listens on.
///
/// Threads read all of its output, because anvil stops if nobody reads it.
fn listening(child: &mut Child) -> Result<Url, AnvilError> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let output = thread::spawn(move || {
        let mut output = String::new();
        if let Some(stderr) = stderr {
            let mut stderr = BufReader::new(stderr);
            let _ = (&mut stderr).take(MAX_OUTPUT).read_to_string(&mut output);
            let _ = io::copy(&mut stderr, &mut io::sink());
        }
        output
    });
    let (address, found) = mpsc::channel();
    thread::spawn(move || {
        let Some(stdout) = stdout else { return };
        let mut lines = BufReader::new(stdout).lines();
        let said = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix(LISTENING).map(str::to_owned));
        if let Some(said) = said {
            let _ = address.send(said);
        }
        lines.for_each(drop);
    });
    match found.recv_timeout(PATIENCE) {
        Ok(address) => {
            Url::parse(&format!("http://{}", address.trim())).map_err(|error| AnvilError::System {
                what: "understand",
                source: io::Error::other(error),
            })
        }
        Err(RecvTimeoutError::Timeout) => Err(AnvilError::TooSlow { what: "start" }),
        Err(RecvTimeoutError::Disconnected) => {
            let status = child.wait().map_err(|source| AnvilError::System {
                what: "wait for",
                source,
            })?;
            let output = output.join().unwrap_or_default().trim().to_owned();
            Err(AnvilError::Ended { status, output })
        }
    }
}

/// Directory in which Linux describes the running processes.
const PROCESSES: &str = "/proc";

/// An anvil that outlived the program which started it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// Process id.
    pub id: u32,
    /// Command line that started it.
    pub command: String,
}

/// Returns the anvils of cotrain that outlived the process that started them.
///
/// Earlier versions did not tie the two together. Only Linux reports orphans.
#[must_use]
pub fn orphans() -> Vec<Orphan> {
    let processes = fs::read_dir(PROCESSES).into_iter().flatten().flatten();
    processes
        .filter_map(|process| {
            let id = process.file_name().to_str()?.parse().ok()?;
            orphan(id, Path::new(PROCESSES))
        })
        .collect()
}

/// Returns the process `id` if it is an orphan. `processes` is the directory of all processes.
fn orphan(id: u32, processes: &Path) -> Option<Orphan> {
    let process = processes.join(id.to_string());
    let command = fs::read(process.join("cmdline")).ok()?;
    let output: Vec<_> = command
        .split(|byte| *byte == 0)
        .map(String::from_utf8_lossy)
        .collect();
    let program = Path::new(&**output.first()?).file_stem()?.to_owned();
    // The arguments that `arguments` writes, in this order. No user types them like that.
    let begins = [
        "--port=",
        "--chain-id=",
        "--accounts=",
        "--hardfork=",
        "--color=never",
    ];
    let ours = output.len() > begins.len()
        && begins
            .iter()
            .zip(&output[1..])
            .all(|(begin, word)| word.starts_with(begin));
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    // The state and the parent follow the name. The name may contain any character.
    let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?;
    // An orphan gets the first process as its parent, or the first one of the user's session.
    // In a container, cotrain may be the first process itself; its node is no orphan then.
    let lost = || {
        let name = fs::read_to_string(processes.join(parent).join("comm"));
        name.is_ok_and(|name| match name.trim_end() {
            "cotrain" => false,
            "systemd" => true,
            _ => parent == "1",
        })
    };
    (program == "anvil" && ours && lost()).then(|| Orphan {
        id,
        command: output.join(" ").trim_end().to_owned(),
    })
}

/// Kills an [`Orphan`], if it still is one.
///
/// # Errors
/// If the operating system does not allow it.
#[cfg(unix)]
pub fn end(id: u32) -> io::Result<()> {
    use nix::{
        sys::signal::{Signal, kill},
        unistd::Pid,
    };
    if orphan(id, Path::new(PROCESSES)).is_none() {
        return Ok(());
    }
    let pid = i32::try_from(id).map_err(io::Error::other)?;
    Ok(kill(Pid::from_raw(pid), Signal::SIGKILL)?)
}

/// Does nothing: [`orphans`] finds none on this system.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn end(_id: u32) -> io::Result<()> {
    Ok(())
}

/// Sends SIGINT, like Ctrl-C.
#[cfg(unix)]
fn interrupt(child: &mut Child) -> io::Result<()> {
    use nix::{
        sys::signal::{Signal, kill},
        unistd::Pid,
    };
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    Ok(kill(Pid::from_raw(pid), Signal::SIGINT)?)
}

/// Kills the process, because this system has no gentler signal.
#[cfg(not(unix))]
fn interrupt(child: &mut Child) -> io::Result<()> {
    child.kill()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes files that describe a process like Linux's.
    fn put(processes: &Path, id: u32, name: &str, parent: u32, command: &[&str]) {
        let process = processes.join(id.to_string());
        fs::create_dir_all(&process).expect("a directory");
        let put = |file: &str, text: String| fs::write(process.join(file), text).expect("written");
        put("comm", format!("{name}\n"));
        put("cmdline", command.join("\0") + "\0");
        put("stat", format!("{id} ({name}) S {parent} 7 7 0 -1"));
    }

    #[test]
    fn orphan_is_an_anvil_of_ours_that_lost_its_program() {
        let arguments = arguments(&AnvilConfig::default(), None);
        let ours: Vec<_> = ["/opt/anvil"]
            .into_iter()
            .chain(arguments.iter().map(String::as_str))
            .chain(["--load-state=x"])
            .collect();
        for (first, parent, name, command, wanted) in [
            ("init", 1, "init", &ours[..], true),
            // The parent is the first process of a user's session.
            ("init", 5, "systemd", &ours[..], true),
            ("init", 5, "cotrain", &ours[..], false),
            ("init", 5, "sh", &ours[..], false),
            // In this container, cotrain is the first process.
            ("cotrain", 1, "cotrain", &ours[..], false),
            // Another program started this one.
            ("init", 1, "init", &["/opt/anvil", "--port=1"][..], false),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            put(folder.path(), 1, first, 0, &[]);
            put(folder.path(), parent, name, 0, &[]);
            put(folder.path(), 9, "anvil", parent, command);
            let found = orphan(9, folder.path());
            assert_eq!(found.is_some(), wanted, "{first} {parent} {name} {found:?}");
        }
    }
}
