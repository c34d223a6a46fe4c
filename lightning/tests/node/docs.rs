//! The commands of docs/labels.md that sell and pay over Lightning, as a reader types them.
//!
//! Blocks `console lightning host` are a host's, and those with `payer` a payer's. A line `...` stands
//! for any lines, and `[..]` for any text. No lnd is here: `lnnode` takes its place, also for `lncli`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::json;

use crate::{
    coordinator::{Process, start_chain},
    shown::{Shown, commands, matches},
    support::{Node, Place, free_port, open_channel, until},
};

const PAGE: &str = include_str!("../../../docs/labels.md");
/// Directory of lnd's files on the page.
const LND: &str = "$HOME/.lnd/data/chain/bitcoin/mainnet";

/// Reader of one side, with a node of its own.
struct Reader<'a> {
    folder: PathBuf,
    node: &'a Node,
    /// Texts of the page, with their replacements here.
    instead: Vec<(&'static str, String)>,
}

impl<'a> Reader<'a> {
    fn new(folder: &Path, place: &Place, node: &'a Node, api: &str) -> Self {
        let files = place.dir.display();
        Self {
            folder: folder.to_owned(),
            node,
            instead: vec![
                (LND, files.to_string()),
                ("$HOME/.lnd", files.to_string()),
                ("https://127.0.0.1:8080", node.rest.clone()),
                ("127.0.0.1:8090", api.to_owned()),
            ],
        }
    }

    fn shell(&self, command: &str) -> Command {
        let mut text = command.to_owned();
        for (shown, here) in &self.instead {
            text = text.replace(shown, here);
        }
        let program = std::env::var("COTRAIN_BIN").expect("COTRAIN_BIN: run scripts/lightning");
        let program = Path::new(&program).parent().expect("a folder").display();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &text])
            .current_dir(&self.folder)
            .env("PATH", format!("{program}:{path}"))
            .env("COTRAIN_STATE", self.folder.join("state"))
            // The program takes variables that begin like this one as its configuration.
            .env_remove("COTRAIN_BIN")
            .stdin(Stdio::null());
        shell
    }

    /// Pays the invoice in the file `invoice`, and writes its preimage into `preimage`.
    async fn pay(&self) {
        let invoice = fs::read_to_string(self.folder.join("invoice")).expect("an invoice");
        let paid = json!({ "payment_request": invoice.trim() });
        let states = self.node.pay(&paid).await.expect("stream");
        let last = states.last().expect("a state");
        assert_eq!(last["status"], "SUCCEEDED", "{last}");
        let preimage = last["payment_preimage"].as_str().expect("text");
        fs::write(self.folder.join("preimage"), preimage).expect("written");
    }

    /// Runs a command, and compares its output with the page.
    async fn run(&self, shown: &Shown) {
        let command = &shown.command;
        if command.starts_with("lncli payinvoice") {
            return self.pay().await;
        }
        let output = self.shell(command).output().expect("a shell");
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "$ {command}\n{stdout}{stderr}");
        let lines: Vec<&str> = stdout.lines().collect();
        let is_shown = matches(&shown.output, &lines);
        assert!(
            is_shown,
            "$ {command}\nprinted:\n{stdout}\nthe page shows:\n{:#?}\n{stderr}",
            shown.output
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the coordinator's program: scripts/lightning has it"]
async fn lnnode_pays_as_the_page_of_labels_shows() {
    let shop_place = Place::new("");
    let shop = shop_place.start();
    let payer_place = Place::new(&shop_place.chain);
    let payer = payer_place.start();
    open_channel(&payer, &shop, false).await;
    let folder = tempfile::tempdir().expect("directory");
    let (_chain, ready) = start_chain(folder.path());
    let api = format!("127.0.0.1:{}", free_port());

    let host = Reader::new(folder.path(), &shop_place, &shop, &api);
    let serve = commands(PAGE, "console lightning host");
    assert_eq!(serve.len(), 1, "{serve:#?}");
    let node = ready["rpc"].as_str().expect("an address");
    let serve = format!("exec {} --set node.url={node}", serve[0].command);
    let serve = host.shell(&serve).stdout(Stdio::null()).spawn();
    let _serve = Process(serve.expect("a shell"));
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.expect("client");
    until("a price list", || async {
        let quotes = client.post(format!("http://{api}/v1/label/quotes"));
        let answer = quotes.json(&json!({})).send().await;
        answer.ok().filter(|it| it.status().is_success())
    })
    .await;

    let reader = Reader::new(folder.path(), &payer_place, &payer, &api);
    let shown = commands(PAGE, "console lightning payer");
    assert!(shown.len() >= 8, "{shown:#?}");
    for shown in &shown {
        reader.run(shown).await;
    }
}
