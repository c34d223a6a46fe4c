//! Measures the gas of whole transactions by the rules of two forks.
//!
//! The cases are those of `contracts/test/gas/Gas.t.sol`, with the same inputs.
//! By the rules of Osaka they use exactly the gas that forge wrote to
//! `contracts/snapshots/gas.json`.
//! Forge does not know Amsterdam: those figures are in `contracts/snapshots/gas-amsterdam.json`.
//! `docs/gas.md` shows both.
//!
//! `scripts/gas` writes all three; it calls this with `COTRAIN_WRITE_GAS=1`.

mod cases;
mod host;
mod table;

use std::{collections::BTreeMap, fs, path::PathBuf};

use cotrain_chain::Rules;

/// Gas or bytes, by the name of the case.
type Figures = BTreeMap<String, u64>;

const OSAKA: &str = "contracts/snapshots/gas.json";
const AMSTERDAM: &str = "contracts/snapshots/gas-amsterdam.json";
/// Figures of payment channels, which forge alone measures.
const CHANNELS: &str = "contracts/snapshots/channels.json";
/// Figures of federated rounds, which forge alone measures.
const ROUNDS: &str = "contracts/snapshots/rounds.json";
const DOCUMENT: &str = "docs/gas.md";

#[test]
fn rules_of_osaka_cost_what_forge_says() {
    assert_same(&cases::measure(Rules::Osaka), OSAKA);
}

#[test]
fn rules_of_amsterdam_cost_what_is_written() {
    let measured = cases::measure(Rules::Amsterdam);
    if writes() {
        let text: BTreeMap<_, _> = measured
            .iter()
            .map(|(name, figure)| (name, figure.to_string()))
            .collect();
        let text = serde_json::to_string_pretty(&text).expect("text");
        fs::write(path(AMSTERDAM), text + "\n").expect("a file");
    }
    assert_same(&measured, AMSTERDAM);
    // The table has both figures, so it comes last.
    let document = fs::read_to_string(path(DOCUMENT)).expect("a document");
    let wanted = table::replace(
        &document,
        &table::Tables {
            osaka: read(OSAKA),
            amsterdam: measured,
            channels: read(CHANNELS),
            rounds: read(ROUNDS),
        },
    );
    if writes() {
        fs::write(path(DOCUMENT), wanted).expect("a file");
    } else {
        assert!(
            document == wanted,
            "{DOCUMENT} shows other figures; run scripts/gas"
        );
    }
}

fn writes() -> bool {
    std::env::var_os("COTRAIN_WRITE_GAS").is_some()
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(name)
}

/// Reads figures, which forge writes as strings.
///
/// It leaves out those of `Bounds.t.sol`: they tell how close the largest claims come to a
/// transaction's limit.
fn read(name: &str) -> Figures {
    let text = fs::read_to_string(path(name)).expect("a file with figures");
    let figures: BTreeMap<String, String> = serde_json::from_str(&text).expect("figures");
    figures
        .into_iter()
        .filter(|(name, _)| !name.contains(".most"))
        .map(|(name, figure)| (name, figure.parse().expect("a number")))
        .collect()
}

fn assert_same(measured: &Figures, file: &str) {
    let written = read(file);
    let differing: Vec<_> = measured
        .keys()
        .chain(written.keys())
        .filter(|name| measured.get(*name) != written.get(*name))
        .map(|name| {
            format!(
                "{name}: {:?}, written {:?}",
                measured.get(name),
                written.get(name)
            )
        })
        .collect();
    assert!(
        differing.is_empty(),
        "{file} has other figures; run scripts/artifacts, then scripts/gas:\n{}",
        differing.join("\n")
    );
}
