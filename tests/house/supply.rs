//! Checks licenses, sources and bans of all compiled crates against deny.toml.
//!
//! It replaces `cargo deny check`, without that tool.

use std::fs;

use cargo_metadata::{Metadata, MetadataCommand};
use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};

use crate::files::root;

#[derive(Deserialize)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Banned>,
}

#[derive(Deserialize)]
struct Banned {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

fn rules() -> Rules {
    let text = fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    toml::from_str(&text).expect("rules")
}

fn metadata() -> Metadata {
    MetadataCommand::new().exec().expect("cargo metadata")
}

/// Returns `true` if these licenses satisfy an expression such as `MIT OR Apache-2.0`.
fn is_met(expression: &str, allowed: &[Licensee]) -> bool {
    let expression = Expression::parse_mode(expression, ParseMode::LAX);
    expression.is_ok_and(|it| it.evaluate(|wanted| allowed.iter().any(|one| one.satisfies(wanted))))
}

fn allowed(names: &[String]) -> Vec<Licensee> {
    let parse = |name: &String| Licensee::parse(name).expect("a license of SPDX");
    names.iter().map(parse).collect()
}

#[test]
fn is_met_by_the_licenses_of_all_crates() {
    let allowed = allowed(&rules().licenses.allow);
    let metadata = metadata();
    assert!(metadata.packages.len() > 300, "are these all crates?");
    for package in &metadata.packages {
        let license = package.license.as_deref().unwrap_or("none");
        assert!(
            is_met(license, &allowed),
            "`{}` has the license {license}, which deny.toml does not allow; use another crate, or allow it",
            package.name
        );
    }
}

#[test]
fn is_met_needs_one_license_of_a_choice_and_all_of_a_combination() {
    let allowed = allowed(&["MIT".to_owned(), "ISC".to_owned()]);
    for met in [
        "MIT",
        "GPL-3.0-only OR MIT",
        "MIT/Apache-2.0",
        "MIT AND ISC",
    ] {
        assert!(is_met(met, &allowed), "{met}");
    }
    for unmet in ["GPL-3.0-only", "MIT AND GPL-3.0-only", "none", ""] {
        assert!(!is_met(unmet, &allowed), "{unmet}");
    }
}

#[test]
fn crates_have_allowed_sources_and_none_is_banned() {
    let rules = rules();
    for package in metadata().packages {
        let banned = rules
            .bans
            .deny
            .iter()
            .find(|it| it.name == package.name.as_str());
        if let Some(Banned { reason, .. }) = banned {
            panic!("`{}` is banned by deny.toml: {reason}", package.name);
        }
        // The workspace's own crates have no source.
        let Some(source) = &package.source else {
            continue;
        };
        let registry = source.repr.strip_prefix("registry+");
        let known =
            registry.is_some_and(|it| rules.sources.allow_registry.iter().any(|one| one == it));
        assert!(
            known,
            "`{}` comes from {}, expected one of {:?}",
            package.name, source.repr, rules.sources.allow_registry
        );
    }
}
