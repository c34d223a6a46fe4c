//! Reading a registry: the models that it knows, and their cards.

use std::time::Duration;

use alloy_primitives::{Address, Bytes};
use cotrain_bindings::{self as bindings, Entry, events};
use cotrain_chain::node::{Node, NodeError};

use crate::card::Card;

/// Waits between answers without the event that an entry tells of: a node may lag behind the one that gave the entry.
const WAITS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_secs(1),
];

/// Entries that are read in one call.
const ENTRIES_PER_CALL: u64 = 500;

/// Failure to read a registry.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The node failed.
    #[error("cannot read the registry {registry} from the node")]
    Node {
        /// The registry.
        registry: Address,
        /// Failure of the node.
        source: NodeError,
    },
    /// There is something else, or nothing.
    #[error(
        "{registry} is no registry of models: `{call}` gave no answer of its form; check the address and the chain"
    )]
    NoRegistry {
        /// The address.
        registry: Address,
        /// Call that gave no such answer.
        call: &'static str,
    },
}

/// Returns all models of a registry, in the order in which they became known.
///
/// # Errors
/// [`RegistryError`].
pub async fn entries(node: &Node, registry: Address) -> Result<Vec<Entry>, RegistryError> {
    let mut all = Vec::new();
    loop {
        let call = bindings::registry_entries(all.len() as u64, ENTRIES_PER_CALL);
        let answer = ask(node, registry, call, "entries").await?;
        let some = bindings::read_registry_entries(&answer).ok_or(RegistryError::NoRegistry {
            registry,
            call: "entries",
        })?;
        let done = (some.len() as u64) < ENTRIES_PER_CALL;
        all.extend(some);
        if done {
            return Ok(all);
        }
    }
}

/// Returns the card of a model; `None` if it is not registered, or its card is not one.
///
/// # Errors
/// [`RegistryError`].
pub async fn card(
    node: &Node,
    registry: Address,
    trainer: Address,
) -> Result<Option<Card>, RegistryError> {
    let answer = ask(node, registry, bindings::registry_entry(trainer), "entry").await?;
    let entry = bindings::read_registry_entry(&answer).ok_or(RegistryError::NoRegistry {
        registry,
        call: "entry",
    })?;
    match entry {
        Some(entry) => card_of(node, registry, &entry).await,
        None => Ok(None),
    }
}

/// Returns the card that an entry names; `None` if its bytes are no card, which is its owner's affair.
///
/// # Errors
/// [`RegistryError::Node`], also if the node does not have the event that the registry says it emitted.
pub async fn card_of(
    node: &Node,
    registry: Address,
    entry: &Entry,
) -> Result<Option<Card>, RegistryError> {
    let bytes = card_bytes(node, registry, entry).await;
    let bytes = bytes.map_err(|source| RegistryError::Node { registry, source })?;
    match Card::from_bytes(&bytes) {
        Ok(card) => Ok(Some(card)),
        Err(error) => {
            tracing::warn!(trainer = %entry.trainer, %error, "the model's card cannot be read");
            Ok(None)
        }
    }
}

/// Returns the bytes of a card from the event with which it was registered. The entry proves that there is one, so
/// an answer without it is asked for again.
async fn card_bytes(node: &Node, registry: Address, entry: &Entry) -> Result<Bytes, NodeError> {
    let (block, topics) = (entry.card_block, [events::REGISTERED_TOPIC]);
    for wait in WAITS {
        tokio::time::sleep(wait).await;
        let logs = node.logs(block, block, &[registry], &topics).await?;
        let registered = logs
            .iter()
            .rev()
            .filter_map(|log| events::registered(&log.log))
            .find(|event| event.trainer == entry.trainer);
        if let Some(event) = registered {
            return Ok(event.card);
        }
    }
    Err(NodeError::Contradictory {
        method: "eth_getLogs",
        message: format!(
            "the registry says that the card of {} is in block {block}, and the node gives no such event; it lags, or has deleted the events of that block",
            entry.trainer
        ),
    })
}

async fn ask(
    node: &Node,
    registry: Address,
    data: Vec<u8>,
    call: &'static str,
) -> Result<alloy_primitives::Bytes, RegistryError> {
    match node.call(registry, data, None).await {
        Ok(answer) if !answer.is_empty() => Ok(answer),
        Ok(_) | Err(NodeError::Reverted { .. }) => {
            Err(RegistryError::NoRegistry { registry, call })
        }
        Err(source) => Err(RegistryError::Node { registry, source }),
    }
}
