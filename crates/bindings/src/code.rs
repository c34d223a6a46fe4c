//! Code that creates the implementations, the factory and the registry, and the code that runs
//! there.

use alloy_primitives::{Address, B256, Bytes, U256, address, hex, keccak256};
use cotrain_protocol::{classifier::Kind, mechanism::Mechanism, trainer::domain};

use crate::contracts::{
    DenseNearestCentroid, DensePerceptron, DepositRefundTake, ModelFactory, ModelRegistry,
    NaiveBayes, Points, PredictionMarket, SparseNearestCentroid, SparsePerceptron,
};

/// Code of a clone before and after its implementation's address. Arguments follow (solady's
/// `LibClone`).
const CLONE: ([u8; 10], [u8; 15]) = (
    hex!("363d3d373d3d3d363d73"),
    hex!("5af43d82803e903d91602b57fd5bf3"),
);

/// Number of a trainer's immutables (solady's `EIP712`).
///
/// In the order of declaration they are the trainer's own address, the chain's id, the hashes of
/// the domain's name and version, and the domain's separator.
const IMMUTABLES: usize = 5;

/// Opcode of PUSH32, whose operand is an immutable.
const PUSH32: u8 = 0x7f;

/// Returns the code that creates the factory, which clones the implementations.
#[must_use]
pub fn factory_code() -> Bytes {
    ModelFactory::BYTECODE.clone()
}

/// Address of the contract that creates code at an address which depends only on the code
/// (CREATE2).
///
/// So a chain needs each code only once. Many chains have this contract, and anvil has it from its
/// start.
pub const DEPLOYER: Address = address!("4e59b44847b379578588920cA78FbF26c0B4956C");

/// Runtime code of the deployer. It creates a contract from the code that follows 32 bytes of salt.
const DEPLOYER_CODE: [u8; 69] = hex!(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
);

/// Returns `true` if this is the code of the deployer.
#[must_use]
pub fn is_deployer(runtime_code: &[u8]) -> bool {
    runtime_code == DEPLOYER_CODE
}

/// Returns the address at which the deployer creates the contract of `init_code`.
///
/// Code at that address cannot come from another `init_code`.
#[must_use]
pub fn deployed_at(init_code: &[u8]) -> Address {
    DEPLOYER.create2_from_code(B256::ZERO, init_code)
}

/// Returns the calldata by which the deployer creates the contract of `init_code`.
#[must_use]
pub fn deploy_call(init_code: &[u8]) -> Vec<u8> {
    [B256::ZERO.as_slice(), init_code].concat()
}

/// Returns the code that creates the registry of models.
#[must_use]
pub fn registry_code() -> Bytes {
    ModelRegistry::BYTECODE.clone()
}

/// Returns the code that creates the implementation of a mechanism's contract.
#[must_use]
pub fn contract_code(mechanism: Mechanism) -> Bytes {
    artifact(mechanism).0.clone()
}

/// Returns the code that creates an implementation, and the runtime code: the list that a new
/// mechanism has to be put in.
const fn artifact(mechanism: Mechanism) -> (&'static Bytes, &'static Bytes) {
    match mechanism {
        Mechanism::DepositRefundTake => (
            &DepositRefundTake::BYTECODE,
            &DepositRefundTake::DEPLOYED_BYTECODE,
        ),
        Mechanism::Points => (&Points::BYTECODE, &Points::DEPLOYED_BYTECODE),
        Mechanism::PredictionMarket => (
            &PredictionMarket::BYTECODE,
            &PredictionMarket::DEPLOYED_BYTECODE,
        ),
    }
}

/// Returns the code that creates the implementation of a classifier.
#[must_use]
pub fn classifier_code(kind: Kind) -> Bytes {
    classifier_artifact(kind).0.clone()
}

/// Returns the code that creates a classifier's implementation, and the code that runs.
const fn classifier_artifact(kind: Kind) -> (&'static Bytes, &'static Bytes) {
    match kind {
        Kind::SparsePerceptron => (
            &SparsePerceptron::BYTECODE,
            &SparsePerceptron::DEPLOYED_BYTECODE,
        ),
        Kind::DensePerceptron => (
            &DensePerceptron::BYTECODE,
            &DensePerceptron::DEPLOYED_BYTECODE,
        ),
        Kind::NaiveBayes => (&NaiveBayes::BYTECODE, &NaiveBayes::DEPLOYED_BYTECODE),
        Kind::SparseNearestCentroid => (
            &SparseNearestCentroid::BYTECODE,
            &SparseNearestCentroid::DEPLOYED_BYTECODE,
        ),
        Kind::DenseNearestCentroid => (
            &DenseNearestCentroid::BYTECODE,
            &DenseNearestCentroid::DEPLOYED_BYTECODE,
        ),
    }
}

/// Returns the implementation of the clone with this code.
///
/// Returns `None` if it is not a clone with arguments, as the factory makes them.
#[must_use]
pub fn implementation_of(clone_runtime_code: &[u8]) -> Option<Address> {
    let rest = clone_runtime_code.strip_prefix(&CLONE.0)?;
    let (address, rest) = rest.split_first_chunk::<20>()?;
    rest.starts_with(&CLONE.1).then(|| Address::from(*address))
}

/// Returns the arguments of the clone with this code: the bytes after the code that all clones share.
///
/// Returns `None` if it is not a clone with arguments.
#[must_use]
pub fn arguments_of(clone_runtime_code: &[u8]) -> Option<&[u8]> {
    implementation_of(clone_runtime_code)?;
    clone_runtime_code.get(CLONE.0.len() + Address::len_bytes() + CLONE.1.len()..)
}

/// Returns the mechanism whose implementation of this release has this runtime code, byte for byte.
#[must_use]
pub fn known_mechanism(runtime_code: &[u8]) -> Option<Mechanism> {
    Mechanism::ALL.into_iter().find(|mechanism| {
        let ours = artifact(*mechanism).1;
        ours == runtime_code || has_immutables(runtime_code, ours)
    })
}

/// Returns the classifier whose implementation of this release has this runtime code, byte for
/// byte.
#[must_use]
pub fn known_classifier(runtime_code: &[u8]) -> Option<Kind> {
    let mut kinds = Kind::ALL.into_iter();
    kinds.find(|kind| classifier_artifact(*kind).1 == runtime_code)
}

/// Returns `true` if the code is that of an artifact with the immutables that a constructor
/// computes.
///
/// They are right if they fit each other.
/// A contract whose immutables are of another address or chain computes its domain anew, as clones
/// do.
fn has_immutables(code: &[u8], artifact: &[u8]) -> bool {
    let Some([this, chain_id, name, version, separator]) = immutables(code, artifact) else {
        return false;
    };
    let Ok(chain_id) = U256::from_be_bytes(chain_id.0).try_into() else {
        return false;
    };
    let domain = domain(chain_id, Address::from_word(this));
    let hash = |text: &Option<_>| text.as_deref().map(keccak256::<&str>);
    this == Address::from_word(this).into_word()
        && Some(name) == hash(&domain.name)
        && Some(version) == hash(&domain.version)
        && separator == domain.separator()
}

/// Returns the code's values at the offsets where the artifact has the numbers of the immutables
/// (`scripts/artifacts`).
///
/// Returns `None` if the code differs elsewhere, or if an immutable has two values or none.
fn immutables(code: &[u8], artifact: &[u8]) -> Option<[B256; IMMUTABLES]> {
    if code.len() != artifact.len() {
        return None;
    }
    let mut found = [None; IMMUTABLES];
    let mut at = 0;
    while at < code.len() {
        if code[at] != artifact[at] {
            return None;
        }
        at += 1;
        if artifact[at - 1] != PUSH32 {
            continue;
        }
        let Some(index) = artifact.get(at..at + 32).and_then(number) else {
            continue;
        };
        let value = B256::from_slice(&code[at..at + 32]);
        if *found[index].get_or_insert(value) != value {
            return None;
        }
        at += 32;
    }
    found
        .into_iter()
        .collect::<Option<Vec<_>>>()?
        .try_into()
        .ok()
}

/// Returns the index, from 0, of the immutable with the number in this word.
///
/// The artifacts push nothing else with leading zeros.
fn number(word: &[u8]) -> Option<usize> {
    let number: usize = U256::from_be_slice(word).try_into().ok()?;
    (1..=IMMUTABLES).contains(&number).then(|| number - 1)
}
