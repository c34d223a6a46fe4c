//! anvil, Foundry's development node: finding it, starting it, saving its chain, stopping it.

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

/// The environment variable that names the binary.
const VARIABLE: &str = "COTRAIN_ANVIL";
/// Text that anvil writes before the address that it listens on.
const LISTENING: &str = "Listening on ";
/// Time that anvil may take to start or to stop. Loading or writing a large state takes seconds.
const PATIENCE: Duration = Duration::from_mins(1);
/// The most that is kept of what anvil says on stderr, in bytes.
const WORDS: u64 = 4_096;

/// Becomes anvil, and leaves a shell behind that kills it once our end of its stdin is closed without a line: when this
/// process ends, however it ends. `$$` is the process that becomes anvil, also within the parentheses.
#[cfg(unix)]
const TIED: &str = r#"exec 3<&0 </dev/null
(read -r _ <&3 || kill -KILL $$) >/dev/null 2>&1 &
exec "$@" 3<&-"#;

/// Arguments that fork an empty chain beside it: nothing of that chain is worth keeping or waiting for.
const FORKING: [&str; 3] = [
    "--fork-block-number=0",
    "--no-storage-caching",
    "--no-rate-limit",
];

/// Failure of an anvil process.
#[derive(Debug, thiserror::Error)]
pub enum AnvilError {
    /// The variable names something else.
    #[error("{VARIABLE} is {path}, and there is no such file; name the anvil binary, or unset it")]
    NotThere {
        /// Its value.
        path: PathBuf,
    },
    /// It is nowhere.
    #[error(
        "there is no anvil in {VARIABLE}, PATH or node_modules; {}",
        how_to_get()
    )]
    NotFound,
    /// It is there and cannot be run.
    #[error("cannot run {path}")]
    CannotRun {
        /// The binary.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// It ended before it answered.
    #[error("anvil ended before it answered ({status}): {words}")]
    Ended {
        /// Exit status.
        status: ExitStatus,
        /// Text that it wrote.
        words: String,
    },
    /// It did not say where it listens, or did not end when told to.
    #[error("anvil did not {what} within {} s", PATIENCE.as_secs())]
    TooSlow {
        /// Task of the process, for the message.
        what: &'static str,
    },
    /// The operating system refuses.
    #[error("cannot {what} anvil")]
    System {
        /// Attempt that failed, for the message.
        what: &'static str,
        /// Cause.
        source: io::Error,
    },
    /// It does not give its chain away.
    #[error("cannot save the chain of anvil at {url}: {reason}")]
    Unsaved {
        /// Address that it listens on.
        url: Url,
        /// Cause.
        reason: String,
    },
}

fn how_to_get() -> &'static str {
    // Only for this system does npm have the binary in a package of its own.
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        "get it with `npm install @foundry-rs/anvil-linux-amd64@1.7.1`, or see https://getfoundry.sh"
    } else {
        "see https://getfoundry.sh"
    }
}

/// Options of starting anvil.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnvilConfig {
    /// The port to listen on; 0: any that is free.
    pub port: u16,
    /// The file with the chain's state: read at the start where it exists, written at the end.
    pub state: Option<PathBuf>,
    /// A file that [`SavedChain::write`] wrote: read at the start, never written.
    pub load: Option<PathBuf>,
    /// Seconds from block to block; none: a block for each transaction.
    pub block_time: Option<u64>,
    /// The chain's id.
    pub chain_id: u64,
    /// Number of well-known accounts that have money.
    pub accounts: u32,
    /// The rules, by their name.
    pub hardfork: String,
    /// The time of the first block, in Unix seconds; none: now.
    pub timestamp: Option<u64>,
    /// Whether blocks have the roots of their states. To compute one takes time in proportion to the whole state, for
    /// each block; nothing is proved without.
    pub state_roots: bool,
    /// Further arguments, as they are.
    pub arguments: Vec<String>,
}

impl Default for AnvilConfig {
    /// Any port, no file, a block for each transaction, chain 31337, ten accounts, Osaka from now on, with roots.
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
    /// For a simulation that begins at `start` (Unix seconds): nobody has money, and nothing is kept that slows many
    /// blocks down.
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

/// A running anvil. It ends with this value, or before that by [`Anvil::stop`]; and with this process, also where that
/// is killed (on Unix).
#[derive(Debug)]
pub struct Anvil {
    child: Child,
    /// The open end that keeps it running.
    tie: Option<ChildStdin>,
    url: Url,
    /// The node that it is a fork of, which ends with it.
    _below: Option<Box<Anvil>>,
}

impl Anvil {
    /// The binary: what `COTRAIN_ANVIL` names, or the one in PATH, or the one that npm has installed in the working
    /// directory or one above it.
    ///
    /// # Errors
    /// [`AnvilError::NotThere`], or [`AnvilError::NotFound`], which says how to get it.
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

    /// Starts anvil and waits until it listens. An interrupt from the terminal (Ctrl-C) does not reach it.
    ///
    /// # Errors
    /// As [`Anvil::find`], and where it does not start.
    pub fn spawn(config: &AnvilConfig) -> Result<Self, AnvilError> {
        // anvil leaves the roots out where it forks another node, and only there.
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

    /// Returns the address that it listens on.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the id of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns how it ended, if it has.
    ///
    /// # Errors
    /// Where the operating system does not say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, AnvilError> {
        self.child.try_wait().map_err(|source| AnvilError::System {
            what: "wait for",
            source,
        })
    }

    /// Tells it to end, which is when it writes its state, and waits for that.
    ///
    /// # Errors
    /// Where it does not end by itself; then it is killed.
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
        // Where it has ended already there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a command that runs a program so that it ends with this process.
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

/// Tells the shell beside anvil that there is nothing left to kill: by then its number may be another process's.
fn untie(tie: Option<ChildStdin>) {
    if let Some(mut tie) = tie {
        let _ = tie.write_all(b"\n");
    }
}

/// A chain as anvil gives it away, whole: blocks, transactions, and the state after its last block.
#[derive(Debug, Clone)]
pub struct SavedChain(Value);

/// Time that anvil may take to hand out its chain.
const SAVING: Duration = Duration::from_mins(5);

impl SavedChain {
    /// Asks the anvil at `url` for its chain. The states after earlier blocks are left out: with them, the time and the
    /// size grow with the number of blocks times the size of the state. Those in `states` are kept.
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

/// The states after some blocks of a chain, as anvil gives them away.
#[derive(Debug, Clone, Default)]
pub struct HistoricalStates(Vec<Value>);

impl HistoricalStates {
    /// Asks the anvil at `url` for the states after the blocks of which `wanted` says yes to the hash.
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

    /// Returns whether the state after the block with this hash is among them.
    #[must_use]
    pub fn has(&self, block: B256) -> bool {
        self.0.iter().any(|state| hash_of(state) == Some(block))
    }
}

/// Returns the hash of the block that a historical state comes after.
fn hash_of(state: &Value) -> Option<B256> {
    state.get(0)?.as_str()?.parse().ok()
}

/// Asks for a chain.
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

/// Asks anvil for something. Not by [`crate::node::Node`], whose patience and bounds are for small answers of strangers.
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

/// Leaves out blocks that are not on the chain, with their transactions: the first block of a process that loaded another
/// chain, and branches that were left. Loaded again, they could take the place of those that are.
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

/// The binary's own package first: the launcher beside it passes no signals on.
fn in_node_modules(modules: &Path, name: &str) -> Option<PathBuf> {
    let packages = fs::read_dir(modules.join("@foundry-rs")).ok()?;
    packages
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("anvil-"))
        .map(|entry| entry.path().join("bin").join(name))
        .chain([modules.join(".bin").join(name)])
        .find(|path| path.is_file())
}

/// A chain to fork: nothing is in it, and nothing happens there.
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

/// Waits until anvil says where it listens. What it says is read to its end, because it stops where nobody listens.
fn listening(child: &mut Child) -> Result<Url, AnvilError> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let words = thread::spawn(move || {
        let mut words = String::new();
        if let Some(stderr) = stderr {
            let mut stderr = BufReader::new(stderr);
            let _ = (&mut stderr).take(WORDS).read_to_string(&mut words);
            let _ = io::copy(&mut stderr, &mut io::sink());
        }
        words
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
            let words = words.join().unwrap_or_default().trim().to_owned();
            Err(AnvilError::Ended { status, words })
        }
    }
}

/// The directory in which Linux tells of processes.
const PROCESSES: &str = "/proc";

/// An anvil that the program which started it has left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// The id of its process.
    pub id: u32,
    /// Command line that started it.
    pub command: String,
}

/// Returns the anvils of ours whose program was killed before it could end them: earlier versions did not tie the two
/// together. Only Linux tells.
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

/// Returns the process `id` if it is an orphan, where `processes` is what the system tells of all.
fn orphan(id: u32, processes: &Path) -> Option<Orphan> {
    let process = processes.join(id.to_string());
    let command = fs::read(process.join("cmdline")).ok()?;
    let words: Vec<_> = command
        .split(|byte| *byte == 0)
        .map(String::from_utf8_lossy)
        .collect();
    let program = Path::new(&**words.first()?).file_stem()?.to_owned();
    // As `arguments` has them, in this order; nobody else types that.
    let begins = [
        "--port=",
        "--chain-id=",
        "--accounts=",
        "--hardfork=",
        "--color=never",
    ];
    let ours = words.len() > begins.len()
        && begins
            .iter()
            .zip(&words[1..])
            .all(|(begin, word)| word.starts_with(begin));
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    // Behind the name, which may have anything in it: the state, and the parent.
    let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?;
    // Processes that lose their parent get the first one, or that of a user's session. In a container, cotrain may be the
    // first process itself; its node is no orphan then.
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
        command: words.join(" ").trim_end().to_owned(),
    })
}

/// Ends an [`Orphan`], if it still is one.
///
/// # Errors
/// Where it is not ours to end.
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

/// There are none that could be told.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn end(_id: u32) -> io::Result<()> {
    Ok(())
}

/// As Ctrl-C does.
#[cfg(unix)]
fn interrupt(child: &mut Child) -> io::Result<()> {
    use nix::{
        sys::signal::{Signal, kill},
        unistd::Pid,
    };
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    Ok(kill(Pid::from_raw(pid), Signal::SIGINT)?)
}

/// There is no other way to tell it.
#[cfg(not(unix))]
fn interrupt(child: &mut Child) -> io::Result<()> {
    child.kill()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Describes a process as Linux does.
    fn put(processes: &Path, id: u32, name: &str, parent: u32, command: &[&str]) {
        let process = processes.join(id.to_string());
        fs::create_dir_all(&process).expect("a directory");
        let put = |file: &str, text: String| fs::write(process.join(file), text).expect("written");
        put("comm", format!("{name}\n"));
        put("cmdline", command.join("\0") + "\0");
        put("stat", format!("{id} ({name}) S {parent} 7 7 0 -1"));
    }

    #[test]
    fn an_orphan_is_an_anvil_of_ours_that_lost_its_program() {
        let arguments = arguments(&AnvilConfig::default(), None);
        let ours: Vec<_> = ["/opt/anvil"]
            .into_iter()
            .chain(arguments.iter().map(String::as_str))
            .chain(["--load-state=x"])
            .collect();
        for (first, parent, name, command, wanted) in [
            ("init", 1, "init", &ours[..], true),
            // The first process of a user's session.
            ("init", 5, "systemd", &ours[..], true),
            ("init", 5, "cotrain", &ours[..], false),
            ("init", 5, "sh", &ours[..], false),
            // A container whose first process is cotrain.
            ("cotrain", 1, "cotrain", &ours[..], false),
            // Somebody else's.
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
