//! anvil, Foundry's development node: finding it, starting it, stopping it.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use url::Url;

/// The environment variable that names the binary.
const VARIABLE: &str = "COTRAIN_ANVIL";
/// What anvil writes before the address that it listens on.
const LISTENING: &str = "Listening on ";
/// How long anvil may take to start or to stop. Loading or writing a large state takes seconds.
const PATIENCE: Duration = Duration::from_mins(1);
/// The most that is kept of what anvil says on stderr, in bytes.
const WORDS: u64 = 4_096;

/// How an empty chain beside it is forked: nothing of it is worth keeping, or waiting for.
const FORKING: [&str; 3] = [
    "--fork-block-number=0",
    "--no-storage-caching",
    "--no-rate-limit",
];

/// Why there is no anvil.
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
        /// Why.
        source: io::Error,
    },
    /// It ended before it answered.
    #[error("anvil ended before it answered ({status}): {words}")]
    Ended {
        /// How.
        status: ExitStatus,
        /// What it said.
        words: String,
    },
    /// It did not say where it listens, or did not end when told to.
    #[error("anvil did not {what} within {} s", PATIENCE.as_secs())]
    TooSlow {
        /// What it was to do.
        what: &'static str,
    },
    /// The operating system refuses.
    #[error("cannot {what} anvil")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why.
        source: io::Error,
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

/// How anvil is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnvilConfig {
    /// The port to listen on; 0: any that is free.
    pub port: u16,
    /// The file with the chain's state: read at the start where it exists, written at the end.
    pub state: Option<PathBuf>,
    /// Seconds from block to block; none: a block for each transaction.
    pub block_time: Option<u64>,
    /// The chain's id.
    pub chain_id: u64,
    /// How many of the well-known accounts have money.
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
            block_time: None,
            chain_id: 31_337,
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

/// A running anvil. It ends with this value, or before that by [`Anvil::stop`].
#[derive(Debug)]
pub struct Anvil {
    child: Child,
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
        let mut command = Command::new(&path);
        command
            .args(arguments(config, below.as_deref()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .spawn()
            .map_err(|source| AnvilError::CannotRun { path, source })?;
        match listening(&mut child) {
            Ok(url) => Ok(Self {
                child,
                url,
                _below: below,
            }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
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
        // Where it has ended already there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
