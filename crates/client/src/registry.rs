//! Reading of a registry: its models, and their cards.

use std::time::Duration;

use alloy_primitives::{Address, Bytes};
use cotrain_bindings::{self as bindings, Entry, events};
use cotrain_chain::node::{Node, NodeError};
use cotrain_learning::text::{escaped, escaped_list};

use crate::card::{Card, CardError, PublishedCard};

/// Waits before each request for the event of an entry. A node may lag behind the one that gave the
/// entry.
const WAITS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_secs(1),
];

/// Number of entries that one call reads.
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
    /// The address has no contract, or another one.
    #[error(
        "{registry} is no registry of models: `{call}` gave no answer of its form; check the address and the chain"
    )]
    NoRegistry {
        /// The address.
        registry: Address,
        /// Call that gave no valid answer.
        call: &'static str,
    },
}

/// Failure to find a model by its name.
#[derive(Debug, thiserror::Error)]
pub enum NameError {
    /// The registry cannot be read.
    #[error(transparent)]
    Registry(Box<RegistryError>),
    /// No model has the name.
    #[error(
        "there is no model `{}` in the registry {registry}; it has {}",
        escaped(name),
        listed(names)
    )]
    Unknown {
        /// The name.
        name: String,
        /// The registry.
        registry: Address,
        /// Names that the registry lists.
        names: Vec<String>,
    },
    /// Anyone may take any name, and several models have this one.
    #[error(
        "the name `{}` has {} models: {}; name one by its address",
        escaped(name),
        trainers.len(),
        addresses(trainers)
    )]
    Ambiguous {
        /// The name.
        name: String,
        /// Trainers of the models.
        trainers: Vec<Address>,
    },
}

/// Reason why a model has no card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoCard {
    /// Only a registry has cards, and none is known.
    #[error("no registry is known, and only a registry has cards; set `registry`")]
    NoRegistry,
    /// The owner has not registered the model.
    #[error(
        "the model {trainer} is not in the registry {registry}; its owner can register it with a card"
    )]
    Unregistered {
        /// Trainer of the model.
        trainer: Address,
        /// The registry.
        registry: Address,
    },
    /// The owner has registered bytes that are no card.
    #[error(
        "the registry {registry} has no readable card of the model {trainer}: {reason}; its owner can register another"
    )]
    Unreadable {
        /// Trainer of the model.
        trainer: Address,
        /// The registry.
        registry: Address,
        /// Fault of the bytes.
        reason: String,
    },
}

impl From<RegistryError> for NameError {
    fn from(error: RegistryError) -> Self {
        Self::Registry(Box::new(error))
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        escaped_list(names)
    }
}

fn addresses(trainers: &[Address]) -> String {
    let trainers: Vec<_> = trainers.iter().map(ToString::to_string).collect();
    trainers.join(", ")
}

/// Returns all models of a registry, in the order of their registration.
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

/// Returns the card of a model with its bytes, or the reason why there is none.
///
/// # Errors
/// [`RegistryError`].
pub async fn card(
    node: &Node,
    registry: Option<Address>,
    trainer: Address,
) -> Result<Result<(Card, PublishedCard), NoCard>, RegistryError> {
    let Some(registry) = registry else {
        return Ok(Err(NoCard::NoRegistry));
    };
    let answer = ask(node, registry, bindings::registry_entry(trainer), "entry").await?;
    let entry = bindings::read_registry_entry(&answer).ok_or(RegistryError::NoRegistry {
        registry,
        call: "entry",
    })?;
    match entry {
        Some(entry) => {
            let read = read_card(node, registry, &entry).await?;
            Ok(read.map_err(|error| NoCard::Unreadable {
                trainer,
                registry,
                reason: error.to_string(),
            }))
        }
        None => Ok(Err(NoCard::Unregistered { trainer, registry })),
    }
}

/// Returns the card of an entry; `None` if its owner registered bytes that are no card.
///
/// # Errors
/// [`RegistryError::Node`], also if the node lacks the event that the registry says it emitted.
pub async fn card_of(
    node: &Node,
    registry: Address,
    entry: &Entry,
) -> Result<Option<Card>, RegistryError> {
    let read = read_card(node, registry, entry).await?;
    Ok(read.ok().map(|(card, _)| card))
}

/// Reads the card of an entry; the inner error is a fault of the registered bytes.
async fn read_card(
    node: &Node,
    registry: Address,
    entry: &Entry,
) -> Result<Result<(Card, PublishedCard), CardError>, RegistryError> {
    let bytes = card_bytes(node, registry, entry).await;
    let bytes = bytes.map_err(|source| RegistryError::Node { registry, source })?;
    let read = PublishedCard::read(registry, &bytes);
    if let Err(error) = &read {
        tracing::warn!(trainer = %entry.trainer, %error, "the model's card cannot be read");
    }
    Ok(read)
}

/// Finds the one model with a name, and returns its entry and its card. A model whose card the node
/// does not have is skipped, and `passed_over` receives it with the reason.
///
/// # Errors
/// [`NameError`].
pub async fn named(
    node: &Node,
    registry: Address,
    name: &str,
    mut passed_over: impl FnMut(&Entry, RegistryError),
) -> Result<(Entry, Card), NameError> {
    let mut cards = Vec::new();
    for entry in entries(node, registry).await? {
        match card_of(node, registry, &entry).await {
            Ok(Some(card)) => cards.push((entry, card)),
            Ok(None) => {}
            Err(error) => passed_over(&entry, error),
        }
    }
    one_named(registry, name, cards)
}

/// Chooses the one model with a name.
fn one_named(
    registry: Address,
    name: &str,
    mut cards: Vec<(Entry, Card)>,
) -> Result<(Entry, Card), NameError> {
    let mut found = cards
        .iter()
        .enumerate()
        .filter(|(_, (_, card))| card.name == name)
        .map(|(index, _)| index);
    match (found.next(), found.next()) {
        (Some(index), None) => Ok(cards.swap_remove(index)),
        (None, _) => Err(NameError::Unknown {
            name: name.to_owned(),
            registry,
            names: cards.into_iter().map(|(_, card)| card.name).collect(),
        }),
        (Some(_), Some(_)) => Err(NameError::Ambiguous {
            name: name.to_owned(),
            trainers: cards
                .iter()
                .filter(|(_, card)| card.name == name)
                .map(|(entry, _)| entry.trainer)
                .collect(),
        }),
    }
}

/// Returns the bytes of a card from the event of its registration. The entry proves that the event
/// exists, so an answer without it is requested again.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_named_refuses_names_of_no_model_and_of_several() {
        let registry = Address::with_last_byte(9);
        let cards = |names: &[&str]| -> Vec<_> {
            let cards = names.iter().zip(1..).map(|(name, number)| {
                let entry = Entry {
                    trainer: Address::with_last_byte(number),
                    card_block: 0,
                };
                let card = Card {
                    name: (*name).to_owned(),
                    description: String::new(),
                    classes: Vec::new(),
                    encoder: None,
                    from_block: 0,
                };
                (entry, card)
            });
            cards.collect()
        };
        let found = |name, names| one_named(registry, name, cards(names));
        let (entry, card) = found("b", &["a", "b", "c"]).expect("one");
        assert_eq!(
            (entry.trainer, card.name.as_str()),
            (Address::with_last_byte(2), "b")
        );
        let message = |name, names| found(name, names).map(drop).expect_err("none").to_string();
        assert_eq!(
            message("x", &["a", "b"]),
            format!("there is no model `x` in the registry {registry}; it has a, b")
        );
        assert_eq!(
            message("x", &[]),
            format!("there is no model `x` in the registry {registry}; it has none")
        );
        let [first, second] = [1, 3].map(Address::with_last_byte);
        assert_eq!(
            message("a", &["a", "b", "a"]),
            format!("the name `a` has 2 models: {first}, {second}; name one by its address")
        );
    }
}
