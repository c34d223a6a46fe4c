//! A chain, and a folder to call the program in.

#[cfg(unix)]
#[allow(dead_code, reason = "not every test file asks and answers")]
pub(crate) mod terminal;

use std::{
    fs,
    future::Future,
    path::PathBuf,
    process::{Command, Output},
};

use cotrain_chain::{
    anvil::{Anvil, AnvilConfig},
    node::choose_cryptography,
};
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use url::Url;

/// A folder with its own state, and its own chain.
pub(crate) struct Workspace {
    folder: TempDir,
    anvil: Anvil,
}

impl Workspace {
    pub(crate) fn new(config: &AnvilConfig) -> Self {
        // HTTP clients of tests need the cryptography, even if a test runs alone.
        choose_cryptography();
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            anvil: Anvil::spawn(config).expect("anvil"),
        }
    }

    pub(crate) fn rpc(&self) -> &Url {
        self.anvil.url()
    }

    pub(crate) fn put(&self, name: &str, content: &str) {
        fs::write(self.folder.path().join(name), content).expect("written");
    }

    #[allow(dead_code, reason = "not every test file reads bytes")]
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Lets `seconds` pass on the chain.
    #[allow(dead_code, reason = "not every test file waits")]
    pub(crate) fn pass(&self, seconds: u64) {
        let ask = async |method: &str, parameters: serde_json::Value| {
            let body = serde_json::json!({
                "jsonrpc": "2.0", "id": 1, "method": method, "params": parameters,
            });
            let request = reqwest::Client::new().post(self.rpc().clone()).json(&body);
            let answer = request.send().await.expect("an answer");
            assert!(answer.status().is_success());
        };
        block_on(async {
            ask("evm_increaseTime", serde_json::json!([seconds])).await;
            ask("anvil_mine", serde_json::json!(["0x1"])).await;
        });
    }

    #[allow(dead_code, reason = "not every test file reads what it has written")]
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).expect("a file")
    }

    /// Returns the program in the folder, without the variables of this process that it reads.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(self.folder.path().to_owned());
        command
            .args(arguments)
            .env("COTRAIN_RPC", self.rpc().as_str());
        command
    }

    /// Returns the output of a successful command.
    #[allow(
        dead_code,
        reason = "not every test file has commands that need no more"
    )]
    pub(crate) fn success(&self, arguments: &[&str]) -> String {
        let (status, stdout, stderr) = run(&mut self.command(arguments));
        assert_eq!(status, Some(0), "{arguments:?}: {stdout}{stderr}");
        stdout
    }

    /// Runs a command; returns its status, stdout and stderr.
    #[allow(dead_code, reason = "not every test file looks at all three")]
    pub(crate) fn outcome(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        run(&mut self.command(arguments))
    }

    #[allow(dead_code, reason = "not every test file reads JSON")]
    pub(crate) fn json<T: DeserializeOwned>(&self, arguments: &[&str]) -> T {
        serde_json::from_str(&self.success(arguments)).expect("JSON")
    }

    /// Returns the message of a command that fails by a mistake of the user.
    #[allow(dead_code, reason = "not every test file makes mistakes")]
    pub(crate) fn mistake(&self, arguments: &[&str]) -> String {
        let (status, stdout, stderr) = run(&mut self.command(arguments));
        assert_eq!(status, Some(2), "{arguments:?}: {stdout}{stderr}");
        assert_eq!(stdout, "", "an error leaves stdout alone");
        stderr
    }
}

/// Returns the program in a folder that also has its state.
pub(crate) fn program(folder: PathBuf) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cotrain"));
    for variable in [
        "RUST_LOG",
        "COTRAIN_REGISTRY",
        "COTRAIN_COORDINATOR",
        "COTRAIN_MODEL",
        "COTRAIN_KEY",
    ] {
        command.env_remove(variable);
    }
    command
        .env("COTRAIN_STATE", folder.join("state"))
        .env("COTRAIN_CACHE", folder.join("cache"))
        .current_dir(folder);
    command
}

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(work)
}
