//! Every command of docs/guide.md, docs/labels.md and docs/federated.md, in order.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use cotrain_chain::anvil::Anvil;
use cotrain_test_support::shown::{Shown, commands, matches};

const GUIDE: &str = include_str!("../../../docs/guide.md");
const LABELS: &str = include_str!("../../../docs/labels.md");
const FEDERATED: &str = include_str!("../../../docs/federated.md");

/// A program that runs until a signal stops it.
struct Service {
    child: Child,
    command: String,
}

impl Service {
    /// Stops the service like Ctrl-C, and checks that it succeeds.
    fn stop(mut self) {
        self.interrupt();
        let status = self.child.wait().expect("a status");
        assert!(status.success(), "{}: {status}", self.command);
    }
}

impl Service {
    fn interrupt(&self) {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-INT", &pid]).status();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // A killed service would leave its anvil behind.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.interrupt();
            let _ = self.child.wait();
        }
    }
}

struct Reader {
    folder: PathBuf,
    /// Texts of the guide, with their replacements in this test.
    instead: Vec<(String, String)>,
    services: Vec<Service>,
}

impl Reader {
    fn shell(&self, command: &str) -> Command {
        let mut text = command.to_owned();
        for (shown, here) in &self.instead {
            text = text.replace(shown, here);
        }
        let binary = Path::new(env!("CARGO_BIN_EXE_cotrain"));
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", binary.parent().expect("a folder").display());
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &text])
            .current_dir(&self.folder)
            .env("PATH", path)
            .env("COTRAIN_STATE", self.folder.join("state"))
            .env("COTRAIN_CACHE", self.folder.join("cache"))
            .env("COTRAIN_ANVIL", Anvil::find().expect("anvil"))
            .stdin(Stdio::null());
        for variable in [
            "RUST_LOG",
            "COTRAIN_RPC",
            "COTRAIN_REGISTRY",
            "COTRAIN_MODEL",
            "COTRAIN_KEY",
        ] {
            shell.env_remove(variable);
        }
        shell
    }

    /// Runs a command, and compares its output with the guide.
    fn run(&self, shown: &Shown) {
        let output = self.shell(&shown.command).output().expect("a shell");
        let stdout = String::from_utf8(output.stdout).expect("UTF-8");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "$ {}\n{stdout}{stderr}",
            shown.command
        );
        let lines: Vec<&str> = stdout.lines().collect();
        assert!(
            matches(&shown.output, &lines),
            "$ {}\nprinted:\n{stdout}\nthe guide shows:\n{}\n\n{stderr}",
            shown.command,
            shown.output.join("\n")
        );
    }

    /// Starts a command that keeps running, on free ports.
    fn up(&mut self, shown: &Shown) {
        let command = format!("exec {} --port 0 --api-port 0", shown.command);
        let mut child = self
            .shell(&command)
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let stdout = child.stdout.take().expect("piped");
        let mut lines = Vec::new();
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            lines.push(line);
            if lines.len() == shown.output.len() {
                break;
            }
        }
        let word = |name: &str| {
            let line = lines.iter().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {lines:#?}"))
                .trim()
                .to_owned()
        };
        self.instead = vec![
            ("http://127.0.0.1:8545".to_owned(), word("node ")),
            ("http://127.0.0.1:8080".to_owned(), word("API ")),
            (
                "127.0.0.1:8081 --set registry".to_owned(),
                "127.0.0.1:0 --set registry".to_owned(),
            ),
        ];
        let mut output = shown.output.join("\n");
        for (shown, here) in &self.instead {
            output = output.replace(shown, here);
        }
        let output: Vec<String> = output.lines().map(ToOwned::to_owned).collect();
        let printed: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert!(matches(&output, &printed), "{printed:#?}");
        self.services.push(Service {
            child,
            command: shown.command.clone(),
        });
    }

    fn serve(&mut self, shown: &Shown) {
        // The example uses the node at the default port.
        let node = self.instead.first().map(|(_, here)| here.clone());
        let command = format!(
            "exec {} --set node.url={}",
            shown.command,
            node.unwrap_or_default()
        );
        let mut child = self
            .shell(&command)
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell");
        let stderr = child.stderr.take().expect("piped");
        let mut said = String::new();
        let mut stderr = BufReader::new(stderr);
        while !said.contains("listening") {
            let read = stderr.read_line(&mut said).expect("text");
            assert!(read > 0, "$ {}\n{said}", shown.command);
        }
        std::thread::spawn(move || stderr.read_to_string(&mut String::new()));
        self.services.push(Service {
            child,
            command: shown.command.clone(),
        });
    }
}

/// Does what a page shows.
fn follow(page: &str, least: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut reader = Reader {
        folder: fs::canonicalize(folder.path()).expect("a folder"),
        instead: Vec::new(),
        services: Vec::new(),
    };
    let commands = commands(page, "console");
    assert!(commands.len() >= least, "{commands:#?}");
    for shown in &commands {
        if shown.command.starts_with("cotrain up") {
            reader.up(shown);
        } else if shown.command.starts_with("cotrain serve") {
            reader.serve(shown);
        } else {
            reader.run(shown);
        }
    }
    while let Some(service) = reader.services.pop() {
        service.stop();
    }
}

#[test]
fn cli_does_what_the_guide_shows() {
    follow(GUIDE, 21);
}

#[test]
fn cli_does_what_the_page_of_labels_shows() {
    follow(LABELS, 20);
}

#[test]
fn cli_does_what_the_page_of_federated_rounds_shows() {
    follow(FEDERATED, 19);
}
