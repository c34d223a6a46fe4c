//! docs/security.md names tests and proofs: each of them exists.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns what stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Returns whether this is the name of a test or a proof of the contracts.
fn is_solidity(name: &str) -> bool {
    ["check_", "test", "invariant"].iter().any(|start| {
        name.strip_prefix(start)
            .is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_uppercase()))
    })
}

/// Returns the sources that `place` names: a file of the contracts' tests, in whatever folder of them it lies, or a folder of
/// tests of the crates.
fn sources(place: &str) -> Vec<String> {
    let is_rust = place.starts_with("tests/");
    let folder = if is_rust { place } else { "contracts/test" };
    files_in(&root().join(folder))
        .into_iter()
        .filter(|file| {
            if is_rust {
                file.extension() == Some(OsStr::new("rs"))
            } else {
                file.ends_with(format!("{place}.t.sol"))
            }
        })
        .map(|file| fs::read_to_string(file).expect("text"))
        .collect()
}

/// Returns the files in a folder and in those below it.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files_in(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// Returns whether `reference`, such as `Relay: testOneBatch`, names a test or a proof, and what is wrong with it.
fn look_up(reference: &str) -> Result<bool, String> {
    let Some((place, name)) = reference.split_once(": ") else {
        return if is_solidity(reference) {
            Err(format!(
                "`{reference}` names no file: write `File: {reference}`"
            ))
        } else {
            Ok(false)
        };
    };
    let declaration = if is_solidity(name) {
        format!("function {name}(")
    } else if place.starts_with("tests/") {
        format!("#[test]\nfn {name}(")
    } else {
        return Ok(false);
    };
    let sources = sources(place);
    if sources.is_empty() {
        return Err(format!(
            "`{reference}`: there is no {place} among the tests"
        ));
    }
    if !sources.iter().any(|source| source.contains(&declaration)) {
        return Err(format!("`{reference}`: {place} has no `{name}`"));
    }
    Ok(true)
}

#[test]
fn every_named_test_exists_and_every_property_names_one() {
    let text = fs::read_to_string(root().join("docs/security.md")).expect("docs/security.md");
    let mut wrong: Vec<_> = quoted(&text).filter_map(|one| look_up(one).err()).collect();
    let table = text.split("| property | proof or test |").nth(1);
    let rows = table.expect("the table of properties").trim_start().lines();
    let rows: Vec<_> = rows
        .skip(1)
        .take_while(|row| row.starts_with('|'))
        .collect();
    assert!(rows.len() >= 20, "{} properties", rows.len());
    for row in rows {
        if !quoted(row).any(|one| look_up(one) == Ok(true)) {
            wrong.push(format!("no test is named for: {row}"));
        }
    }
    assert!(wrong.is_empty(), "docs/security.md:\n{}", wrong.join("\n"));
}

#[test]
fn what_does_not_exist_is_found() {
    assert_eq!(look_up("Price: check_NotZero"), Ok(true));
    assert_eq!(look_up("tests/differential: sparse_perceptron"), Ok(true));
    assert_eq!(look_up("invariant/Worlds: invariantMoney"), Ok(true));
    assert_eq!(look_up("refundWait"), Ok(false));
    assert_eq!(look_up("testset"), Ok(false));
    for wrong in [
        "check_NotZero",
        "Price: check_NotOne",
        "Prices: check_NotZero",
        "Relay: check_NotZero",
        "tests/differential: sparse_perceptrons",
        "tests/indifferent: sparse_perceptron",
    ] {
        assert!(look_up(wrong).is_err(), "{wrong}");
    }
}
