//! Checks licenses, sources and bans of all dependencies against the root's deny.toml.

use std::{fs, process::Command};

use serde_json::Value;
use spdx::{Expression, Licensee, ParseMode};

/// License that only dependencies of this workspace have: MIT, and no false claim of authorship.
const MORE: &str = "MITNFA";

/// Returns the entries of a list in deny.toml, which has one a line.
fn list(rules: &str, start: &str) -> Vec<String> {
    let quoted = |line: &str| line.split('"').nth(1).map(str::to_owned);
    let inside = rules.split_once(start).expect("list").1.lines();
    inside.skip(1).map_while(quoted).collect()
}

#[test]
fn dependencies_have_allowed_licenses_and_sources() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../deny.toml");
    let rules = fs::read_to_string(root).expect("deny.toml");
    let allowed: Vec<_> = list(&rules, "allow = [")
        .iter()
        .map(String::as_str)
        .chain([MORE])
        .map(|text| Licensee::parse(text).expect("license"))
        .collect();
    assert!(allowed.len() > 5, "deny.toml has another form");
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata");
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("metadata");
    let packages = metadata["packages"].as_array().expect("packages");
    assert!(packages.len() > 100);
    let mut wrong = Vec::new();
    for package in packages {
        let name = package["name"].as_str().expect("name");
        let license = package["license"].as_str().unwrap_or_default();
        let fits = Expression::parse_mode(license, ParseMode::LAX).is_ok_and(|terms| {
            terms.evaluate(|term| allowed.iter().any(|own| own.satisfies(term)))
        });
        if !fits {
            wrong.push(format!("{name}: license {license:?}"));
        }
        // Null for this package itself.
        let source = package["source"].as_str();
        if source.is_some_and(|it| !it.contains("github.com/rust-lang/crates.io-index")) {
            wrong.push(format!("{name}: source {source:?}"));
        }
        if name == "openssl-sys" {
            wrong.push("openssl-sys: rustls is our TLS".to_owned());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
