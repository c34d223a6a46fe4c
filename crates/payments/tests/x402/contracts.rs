//! Interfaces of this crate, held to the artifacts of the contracts.

use std::collections::BTreeSet;

use alloy_primitives::{B256, keccak256};
use alloy_sol_types::{SolEvent, SolInterface};
use cotrain_payments::x402::{abi::Erc3009, batch::abi::BatchSettlement};
use serde_json::Value;

/// Returns the type of a parameter, as signatures have it.
fn kind(parameter: &Value) -> String {
    let name = parameter["type"].as_str().expect("a type");
    match name.strip_prefix("tuple") {
        Some(rest) => format!("{}{rest}", kinds(&parameter["components"])),
        None => name.to_owned(),
    }
}

fn kinds(parameters: &Value) -> String {
    let kinds: Vec<_> = parameters
        .as_array()
        .expect("parameters")
        .iter()
        .map(kind)
        .collect();
    format!("({})", kinds.join(","))
}

/// Returns the hashes of the signatures of all functions or events of an artifact.
fn hashes(artifact: &str, of: &str) -> BTreeSet<B256> {
    let artifact: Value = serde_json::from_str(artifact).expect("JSON");
    let entries = artifact["abi"].as_array().expect("an ABI").iter();
    let entries = entries.filter(|entry| entry["type"] == of);
    entries
        .map(|entry| {
            let name = entry["name"].as_str().expect("a name");
            keccak256(format!("{name}{}", kinds(&entry["inputs"])))
        })
        .collect()
}

#[test]
fn deployment_calls_functions_of_the_contract() {
    let artifact = include_str!("../../../../contracts/artifacts/ChannelSettlement.json");
    let functions: BTreeSet<_> = hashes(artifact, "function")
        .into_iter()
        .map(|hash| hash.0[..4].to_vec())
        .collect();
    let selectors: Vec<_> = BatchSettlement::BatchSettlementCalls::selectors().collect();
    assert_eq!(selectors.len(), 13);
    for selector in selectors {
        assert!(functions.contains(&selector[..]), "{selector:02x?}");
    }
}

#[test]
fn authorization_calls_the_token_and_reads_its_events() {
    let artifact = include_str!("../../../../contracts/artifacts/Erc3009Token.json");
    let functions: BTreeSet<_> = hashes(artifact, "function")
        .into_iter()
        .map(|hash| hash.0[..4].to_vec())
        .collect();
    for selector in Erc3009::Erc3009Calls::selectors() {
        assert!(functions.contains(&selector[..]), "{selector:02x?}");
    }
    let events = hashes(artifact, "event");
    for event in [
        Erc3009::Transfer::SIGNATURE_HASH,
        Erc3009::AuthorizationUsed::SIGNATURE_HASH,
        Erc3009::AuthorizationCanceled::SIGNATURE_HASH,
    ] {
        assert!(events.contains(&event), "{event}");
    }
}
