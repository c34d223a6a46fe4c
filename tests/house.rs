//! House rules: the crates that each crate may use, and the circles of imports within a crate.
//!
//! They also cover the licenses of other authors' crates, and the style of comments and docs.

#[path = "house/circles.rs"]
mod circles;
#[path = "house/files.rs"]
mod files;
#[path = "house/mechanisms.rs"]
mod mechanisms;
#[path = "house/names.rs"]
mod names;
#[path = "house/schemas.rs"]
mod schemas;
#[path = "house/supply.rs"]
mod supply;
#[path = "house/words.rs"]
mod words;

use std::{collections::BTreeMap, fs, path::Path};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Crates of this workspace that each crate may use, and guarded external crates.
///
/// A crate may not use any other crate of the workspace.
const ALLOWED: &[(&str, &[&str])] = &[
    ("cotrain-protocol", &["secp256k1"]),
    ("cotrain-log", &["cotrain-protocol"]),
    // Its random numbers come from seeds that callers give.
    ("cotrain-peer", &["cotrain-log", "cotrain-protocol"]),
    ("cotrain-bindings", &["cotrain-protocol"]),
    (
        "cotrain-chain",
        &[
            "cotrain-bindings",
            "cotrain-protocol",
            "alloy-provider",
            "reqwest",
            "revm",
            "serde_json",
            "tokio",
        ],
    ),
    // From `learning` it uses the escaping of strangers' text. The API client needs JSON and async. Nonces of payments
    // are random.
    (
        "cotrain-client",
        &[
            "cotrain-bindings",
            "cotrain-chain",
            "cotrain-learning",
            "cotrain-payments",
            "cotrain-protocol",
            "getrandom",
            "reqwest",
            "serde_json",
            "tokio",
            "utoipa",
        ],
    ),
    (
        "cotrain-learning",
        &["cotrain-protocol", "rand", "rand_chacha"],
    ),
    // Its random numbers come from seeds that callers give.
    (
        "cotrain-active",
        &[
            "cotrain-learning",
            "cotrain-protocol",
            "rand",
            "rand_chacha",
        ],
    ),
    ("cotrain-payments", &["cotrain-protocol", "secp256k1"]),
    (
        "cotrain-simulator",
        &[
            "cotrain-bindings",
            "cotrain-chain",
            "cotrain-client",
            "cotrain-learning",
            "cotrain-protocol",
            "rand",
            "rand_chacha",
        ],
    ),
    // From `learning` it uses the escaping of strangers' text.
    (
        "cotrain-results",
        &["cotrain-learning", "cotrain-simulator", "serde_json"],
    ),
    // It has no HTTP server: a command that claims a refund links the index, but no server.
    (
        "cotrain-indexer",
        &[
            "cotrain-bindings",
            "cotrain-chain",
            "cotrain-client",
            "cotrain-learning",
            "cotrain-protocol",
            "serde_json",
            "sqlx",
            "tokio",
        ],
    ),
    (
        "cotrain-relayer",
        &[
            "cotrain-bindings",
            "cotrain-chain",
            "cotrain-client",
            "cotrain-indexer",
            "cotrain-protocol",
            "serde_json",
            "sqlx",
            "tokio",
        ],
    ),
    // It runs simulations for those who have only a browser, and answers their pages. The tokens of labeling sessions
    // are random.
    (
        "cotrain-server",
        &[
            "cotrain-active",
            "cotrain-chain",
            "cotrain-client",
            "cotrain-indexer",
            "cotrain-learning",
            "cotrain-payments",
            "cotrain-protocol",
            "cotrain-relayer",
            "cotrain-results",
            "cotrain-simulator",
            "axum",
            "getrandom",
            "hyper",
            "reqwest",
            "serde_json",
            "sqlx",
            "tokio",
            "utoipa",
        ],
    ),
    (
        "cotrain",
        &[
            "cotrain-active",
            "cotrain-bindings",
            "cotrain-chain",
            "cotrain-client",
            "cotrain-indexer",
            "cotrain-learning",
            "cotrain-protocol",
            "cotrain-results",
            "cotrain-relayer",
            "cotrain-server",
            "cotrain-simulator",
            "serde_json",
            "tokio",
        ],
    ),
    (
        "cotrain-test-support",
        &[
            "cotrain-bindings",
            "cotrain-chain",
            "cotrain-client",
            "cotrain-indexer",
            "cotrain-protocol",
            "reqwest",
            "serde_json",
            "tokio",
        ],
    ),
    ("cotrain-tests", &[]),
];

/// External crates that a crate may use only if `ALLOWED` lists them.
///
/// These are the EVM, HTTP clients and servers, the database, the API's schemas and JSON.
/// Others are random numbers, which the rules must not use, and signatures, which only the rules
/// check.
const GUARDED: &[&str] = &[
    "revm",
    "reqwest",
    "axum",
    "hyper",
    "sqlx",
    "tokio",
    "alloy-provider",
    "serde_json",
    "utoipa",
    "rand",
    "rand_chacha",
    "getrandom",
    "secp256k1",
    "k256",
];

#[test]
fn crates_use_only_what_they_may() {
    let metadata = MetadataCommand::new()
        .no_deps()
        .exec()
        .expect("cargo metadata");
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    let mut seen = 0;
    for package in &metadata.packages {
        let name = package.name.as_str();
        let allowed = allowed
            .get(name)
            .unwrap_or_else(|| panic!("say in tests/house.rs what `{name}` may use"));
        for dependency in package
            .dependencies
            .iter()
            .filter(|d| d.kind == DependencyKind::Normal)
        {
            let guarded = dependency.name.starts_with("cotrain")
                || GUARDED.contains(&dependency.name.as_str());
            assert!(
                !guarded || allowed.contains(&dependency.name.as_str()),
                "`{name}` must not use `{}`: it may use {allowed:?}",
                dependency.name
            );
            seen += usize::from(guarded);
        }
    }
    assert!(
        seen >= 8,
        "only {seen} edges were looked at: has the workspace moved?"
    );
}

#[test]
fn crates_link_the_schemas_of_the_api_only_in_the_server() {
    let metadata = MetadataCommand::new()
        .no_deps()
        .exec()
        .expect("cargo metadata");
    let asking: Vec<_> = metadata
        .packages
        .iter()
        .filter(|package| {
            package.dependencies.iter().any(|dependency| {
                dependency.name == "cotrain-client"
                    && dependency.features.iter().any(|it| it == "openapi")
            })
        })
        .map(|package| package.name.as_str())
        .collect();
    assert_eq!(asking, ["cotrain-server"]);
    let client = metadata
        .packages
        .iter()
        .find(|package| package.name.as_str() == "cotrain-client")
        .expect("the client");
    let schemas = client.dependencies.iter().find(|it| it.name == "utoipa");
    assert!(schemas.expect("the feature's crate").optional);
    assert!(!client.features.contains_key("default"));
}

#[test]
fn circles_of_imports_are_in_no_crate() {
    let metadata = MetadataCommand::new()
        .no_deps()
        .exec()
        .expect("cargo metadata");
    let mut checked = 0;
    for package in &metadata.packages {
        let roots = package
            .targets
            .iter()
            .filter(|target| target.is_lib() || target.is_bin());
        for root in roots {
            checked += 1;
            let found = circles::of(root.src_path.as_std_path());
            let told: Vec<_> = found
                .iter()
                .map(|(files, words)| format!("{files:?}:\n{}", words.join("\n")))
                .collect();
            assert!(
                found.is_empty(),
                "files of `{}` import each other in a circle; move what both sides need into a file of its own:\n{}",
                package.name,
                told.join("\n\n")
            );
        }
    }
    assert!(checked >= 9, "only {checked} crates were read");
}

#[test]
fn naming_a_mechanism_is_for_listed_files_only() {
    let root = files::root();
    let found = mechanisms::naming(&root);
    let shared = mechanisms::SHARED.iter().map(|file| (*file).to_owned());
    // The file of `Mechanism` itself names its variants by `Self`, so the search misses it.
    let listed: Vec<_> = shared
        .filter(|file| file != "crates/protocol/src/mechanism.rs")
        .collect();
    assert_eq!(
        found.into_iter().collect::<Vec<_>>(),
        listed,
        "files that name a mechanism; read its description instead, or put the file in the list of tests/house/mechanisms.rs and docs/extending.md"
    );
    let told = fs::read_to_string(root.join("docs/extending.md")).expect("the page");
    for file in mechanisms::SHARED {
        let link = format!("](../{file})");
        assert!(
            told.contains(&link),
            "docs/extending.md does not name {file}"
        );
    }
}

#[test]
fn names_one_finds_names_of_mechanisms_only_in_code() {
    for (text, expected) in [
        ("let it = Mechanism::Points;", true),
        ("AnyTerms::Market(_) => 1,", true),
        ("matches!(it, Incentive::DepositRefundTake { .. })", true),
        ("for it in Mechanism::ALL {", false),
        ("Terms::MarketLike", false),
        ("    // Mechanism::Points", false),
        (
            "fn one() {}\n\n#[cfg(test)]\nmod tests {\n    Mechanism::Points;",
            false,
        ),
    ] {
        assert_eq!(mechanisms::names_one(text), expected, "{text}");
    }
}

/// Returns the circles of a crate that consists of these files.
fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("written");
    }
    let root = folder.path().join(files[0].0);
    let found = circles::of(Path::new(&root));
    found.into_iter().map(|(names, _)| names).collect()
}

#[test]
fn circles_of_imports_are_found_however_they_are_written() {
    let root = ("lib.rs", "mod a;\nmod b;\npub use b::B;");
    let a = (
        "a.rs",
        "use crate::b;\npub struct A;\nfn of() -> b::B { b::B }",
    );
    for b in [
        "use crate::a::A;\npub struct B;",
        "use super::a::*;\npub struct B;",
        "use super::{a::A as Other};\npub struct B;",
        "pub struct B;\nfn of() { crate::a::of() }",
        "pub struct B;\nfn of() { println!(\"{}\", super::a::of()) }",
        "pub struct B;\n#[derive(Debug)]\nstruct C(#[arg(value_parser = crate::a::of)] u8);",
        "pub struct B;\nmod inner { use super::super::a::A; }",
    ] {
        assert_eq!(
            circles_of(&[root, a, ("b.rs", b)]),
            [["a.rs", "b.rs"]],
            "{b}"
        );
    }
    // The file that defines a name counts, even if the root re-exports the name.
    let through = ("a.rs", "pub struct A;\nuse crate::B;");
    let back = ("b.rs", "pub struct B;\nuse crate::a::A;");
    assert_eq!(circles_of(&[root, through, back]), [["a.rs", "b.rs"]]);
    // The crate's root uses its modules, so a module that uses the root closes a circle.
    let root = ("main.rs", "mod a;\npub struct Root;\nfn main() { a::of() }");
    let a = ("a.rs", "use crate::Root;\npub fn of() {}");
    assert_eq!(circles_of(&[root, a]), [["a.rs", "main.rs"]]);
    // The circle leads through a file and its child.
    let files = [
        ("lib.rs", "mod p;\nmod q;"),
        ("p.rs", "mod child;\npub struct P;\nfn of() { child::of() }"),
        ("p/child.rs", "use crate::q::Q;\npub fn of() {}"),
        ("q.rs", "use crate::p::P;\npub struct Q;"),
    ];
    assert_eq!(circles_of(&files), [["p.rs", "p/child.rs", "q.rs"]]);
    // Two children of one file form a circle.
    let files = [
        ("lib.rs", "mod p;"),
        ("p.rs", "mod a;\nmod b;\npub use self::a::A;"),
        ("p/a.rs", "use super::b::B;\npub struct A;"),
        ("p/b.rs", "use super::A;\npub struct B;"),
    ];
    assert_eq!(circles_of(&files), [["p/a.rs", "p/b.rs"]]);
}

#[test]
fn circles_of_imports_exclude_what_is_handed_on_or_used_by_tests() {
    let child = ("p/child.rs", "use super::P;\npub struct C;");
    for parent in [
        "mod child;\npub use child::C;\npub struct P;",
        "mod child;\npub(crate) use self::child::C;\npub struct P;",
        "mod child;\nuse self::child::C;\npub struct P(C);",
    ] {
        let found = circles_of(&[("lib.rs", "mod p;"), ("p.rs", parent), child]);
        assert!(found.is_empty(), "{parent}: {found:?}");
    }
    for a in [
        "#[cfg(test)]\nmod tests { use crate::b::B; }\npub struct A;",
        "#[cfg(test)]\nuse crate::b::B;\npub struct A;",
        "#[cfg(test)]\nfn of() { crate::b::of() }\npub struct A;",
    ] {
        let b = ("b.rs", "use crate::a::A;\npub struct B;\npub fn of() {}");
        let found = circles_of(&[("lib.rs", "mod a;\nmod b;"), ("a.rs", a), b]);
        assert!(found.is_empty(), "{a}: {found:?}");
    }
    // A third file has what both files need.
    let files = [
        (
            "main.rs",
            "mod a;\nmod b;\nmod c;\nfn main() { a::of(); b::of() }",
        ),
        ("a.rs", "use crate::{b, c::C};\npub fn of() { b::of() }"),
        (
            "b.rs",
            "use std::fmt;\nuse super::c::{self, C};\npub fn of() {}",
        ),
        ("c.rs", "pub struct C;"),
    ];
    assert!(circles_of(&files).is_empty());
}

/// Commands that may start a server, as files below `crates/cli/src/live`.
const SERVING: &[&str] = &["serve.rs", "up.rs"];

#[test]
fn commands_name_the_server_only_if_they_serve() {
    let root = files::root().join("crates/cli/src");
    let mut naming = Vec::new();
    for path in files::below(&root, ".rs") {
        let text = fs::read_to_string(&path).expect("a file");
        if ["cotrain_server", "cotrain_relayer"]
            .iter()
            .any(|name| text.contains(name))
        {
            let file = path.strip_prefix(root.join("live")).unwrap_or(&path);
            naming.push(file.to_string_lossy().into_owned());
        }
    }
    naming.sort();
    assert_eq!(
        naming, SERVING,
        "a claim needs an index, and no server: use `cotrain_indexer`"
    );
}

/// Folders with readers of what strangers write, and the targets of their tests; `None` if each file
/// of the folder is a target of its own.
const READERS: [(&str, Option<&str>); 6] = [
    ("crates/log/tests/log", Some("--test log")),
    ("crates/peer/tests/peer", Some("--test peer")),
    ("crates/learning/tests", None),
    ("crates/client/tests", None),
    ("crates/server/tests/api", Some("--test api")),
    ("crates/cli/src", Some("--bin cotrain")),
];

/// Every test of random cases must be among those that the script runs for minutes.
#[test]
fn proptest_runs_in_the_script_that_fuzzes() {
    let script = fs::read_to_string(files::root().join("scripts/fuzz")).expect("a script");
    let between = |start: &str, end: &str| {
        let (_, rest) = script.split_once(start).expect("the start");
        rest.split_once(end).expect("the end").0.to_owned()
    };
    let (tests, names) = (between("tests=(", ")"), between("for name in ", ";"));
    let words: Vec<&str> = tests.split_whitespace().collect();
    let tests = words.join(" ") + " ";
    let mut left_out = Vec::new();
    for (folder, target) in READERS {
        let mut found = 0;
        for path in files::below(&files::root().join(folder), ".rs") {
            let text = fs::read_to_string(&path).expect("a source");
            let file = path.file_stem().expect("a name").to_string_lossy();
            let target = target.map_or_else(|| format!("--test {file}"), str::to_owned);
            let is_run = tests.contains(&format!("{target} "));
            let mut end = None;
            for line in text.lines() {
                let indent = line.len() - line.trim_start().len();
                if line.trim() == "proptest! {" {
                    end = Some(indent);
                } else if line.trim() == "}" && end == Some(indent) {
                    end = None;
                }
                let name = line.trim_start().strip_prefix("fn ");
                let is_test = end.is_some_and(|end| indent == end + 4);
                let Some(name) = name.filter(|_| is_test) else {
                    continue;
                };
                found += 1;
                let is_named = names.split_whitespace().any(|it| name.starts_with(it));
                if !is_named || !is_run {
                    left_out.push(format!("{file}: {name}"));
                }
            }
        }
        assert!(found > 0, "{folder} has no test of random cases");
    }
    assert_eq!(left_out, [""; 0], "scripts/fuzz leaves these out");
}

/// Every shape of data has a test, and the page names no test that is gone.
#[test]
fn shapes_name_tests_that_exist() {
    let page = fs::read_to_string(files::root().join("tests/shapes.md")).expect("the page");
    let cells = |line: &str| line.split(" | ").map(str::to_owned).collect::<Vec<_>>();
    let mut found = 0;
    for row in page.lines().filter(|it| it.starts_with("| ")).map(cells) {
        let [shape, _, test] = &row[..] else {
            panic!("{row:?} has no three cells");
        };
        if ["| shape", "| fault", "| ---"].contains(&shape.as_str()) {
            continue;
        }
        found += 1;
        let test = test.trim_end_matches(" |").trim_matches('`');
        let (file, name) = test.split_once(": ").expect(test);
        let source = fs::read_to_string(files::root().join("crates").join(file)).expect(file);
        let is_there = source.contains(&format!("fn {name}(")) && source.contains("#[test]")
            || source.contains(&format!("async fn {name}("));
        assert!(is_there, "{shape}: {file} has no test `{name}`");
    }
    assert!(found > 40, "{found}");
}
