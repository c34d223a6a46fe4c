//! A model as it is on the chain.

use alloy_primitives::{Address, B256, U256};
use anyhow::anyhow;
use cotrain_bindings::{Entry, Revert};
use cotrain_chain::node::{Node, NodeError};
use cotrain_client::{
    card::{Card, Contradiction, explain_revert, verified},
    model::{ModelFacts, ReadError, Reader},
    registry::{self, RegistryError},
    weights,
};
use cotrain_learning::text::{escaped, escaped_list};
use cotrain_protocol::{Rejection, classifier::Classifier, parse_address};

use super::{
    connection::{ModelArg, Session},
    place::cache_directory,
};
use crate::failure::Failure;

/// A model on the chain, with the words of its owner.
#[derive(Debug, Clone)]
pub(crate) struct LiveModel {
    /// Facts that the contracts fix.
    pub(crate) facts: ModelFacts,
    /// `true` if both contracts run this release's code, and the card says of samples what the contract does.
    pub(crate) verified: bool,
    /// The fact of the card that differs from the contract's, if one does.
    contradiction: Option<Contradiction>,
    /// What its owner says of it, where it is registered.
    pub(crate) card: Option<Card>,
    /// The source of its address, in words.
    pub(crate) origin: String,
}

impl LiveModel {
    /// The model that is named, or the last one deployed.
    pub(crate) async fn find(session: &Session, argument: &ModelArg) -> Result<Self, Failure> {
        let (model, origin) = match &argument.model {
            None => {
                let trainer = session.last_model.ok_or_else(|| {
                    Failure::Mistake(anyhow!(
                        "no model is named; name one with --model (`cotrain models` lists those of a \
                         registry), or deploy one"
                    ))
                })?;
                let origin = "the last one deployed, from place.toml".to_owned();
                (Self::read(session, trainer).await?, origin)
            }
            // What looks like an address is one: a wrong digit is not to be told as an unknown name.
            Some(address) if address.starts_with("0x") && address.len() == 42 => {
                let trainer = parse_address(address).map_err(Failure::mistake)?;
                let origin = "--model or COTRAIN_MODEL".to_owned();
                (Self::read(session, trainer).await?, origin)
            }
            Some(name) => {
                let origin = format!("by its name, in the registry {}", session.registry()?);
                (Self::named(session, name).await?, origin)
            }
        };
        let model = Self { origin, ..model };
        tracing::info!(
            trainer = %model.facts.trainer, classifier = %model.facts.classifier, verified = model.verified, "model"
        );
        if let Some(contradiction) = &model.contradiction {
            session.narrator.say(format_args!(
                "warning: model {} is not verified: {contradiction}; what the card makes of texts and rows may be \
                 refused, or mean something else",
                model.facts.trainer
            ));
        } else if !model.verified {
            session.narrator.say(format_args!(
                "warning: model {} does not run this release's contracts: nothing holds it to the rules",
                model.facts.trainer
            ));
        }
        Ok(model)
    }

    /// Finds a model with deposits and claims, as [`find`](Self::find) does.
    pub(crate) async fn find_trainer(
        session: &Session,
        argument: &ModelArg,
    ) -> Result<Self, Failure> {
        let model = Self::find(session, argument).await?;
        if model.facts.waits().is_none() {
            return Err(Failure::Mistake(anyhow!(
                "{} is a {}, which has no deposits, refunds and reports; see `cotrain market`",
                model.facts.trainer,
                model.facts.terms.mechanism().description().title
            )));
        }
        Ok(model)
    }

    async fn named(session: &Session, name: &str) -> Result<Self, Failure> {
        let registry = session.registry()?;
        let mut found = Vec::new();
        let mut names = Vec::new();
        for entry in entries(&session.node, registry).await? {
            let card = registry::card_of(&session.node, registry, &entry);
            let card = match card.await {
                Ok(Some(card)) => card,
                Ok(None) => continue,
                Err(error @ RegistryError::Node { .. }) => {
                    session.narrator.say(format_args!(
                        "passed over {}, whose name cannot be read: {:#}",
                        entry.trainer,
                        anyhow::Error::from(error)
                    ));
                    continue;
                }
                Err(error) => return Err(classify(error)),
            };
            if card.name == name {
                found.push(entry.trainer);
            }
            names.push(card.name);
        }
        match *found.as_slice() {
            [trainer] => Self::read(session, trainer).await,
            [] => Err(Failure::Mistake(anyhow!(
                "there is no model `{}` in the registry {registry}; it has {}",
                escaped(name),
                if names.is_empty() {
                    "none".to_owned()
                } else {
                    escaped_list(&names)
                }
            ))),
            // Anyone may take any name.
            _ => Err(Failure::Mistake(anyhow!(
                "the name `{}` has {} models: {}; name one by its address",
                escaped(name),
                found.len(),
                found
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", ")
            ))),
        }
    }

    /// The model with this trainer.
    pub(crate) async fn read(session: &Session, trainer: Address) -> Result<Self, Failure> {
        let node = &session.node;
        let facts = ModelFacts::read(node, trainer).await.map_err(unreadable)?;
        let card = match session.registry {
            Some(registry) => registry::card(node, registry, trainer)
                .await
                .map_err(classify)?,
            None => None,
        };
        let checked = card.as_ref().map(|it| it.check_against(&facts.parameters));
        let contradiction = checked.and_then(Result::err);
        Ok(Self {
            verified: verified(&facts, contradiction.as_ref()),
            facts,
            contradiction,
            card,
            origin: String::new(),
        })
    }

    /// What people call it.
    pub(crate) fn name(&self) -> String {
        self.card
            .as_ref()
            .map_or_else(|| self.facts.trainer.to_string(), |card| card.name.clone())
    }

    /// What a class is called.
    pub(crate) fn class(&self, label: u16) -> String {
        self.card
            .as_ref()
            .and_then(|card| card.classes.get(usize::from(label)).cloned())
            .unwrap_or_else(|| label.to_string())
    }

    /// The number of a class, by its name or its number.
    pub(crate) fn label(&self, class: &str) -> Result<u16, Failure> {
        let names = self.card.as_ref().map_or(&[][..], |card| &card.classes);
        let by_name = names.iter().position(|name| name == class);
        let label = match by_name {
            Some(place) => u16::try_from(place).ok(),
            None => class.parse().ok(),
        };
        label
            .filter(|label| *label < self.facts.parameters.classes())
            .ok_or_else(|| {
                let known = if names.is_empty() {
                    format!("the numbers below {}", self.facts.parameters.classes())
                } else {
                    escaped_list(names)
                };
                Failure::Mistake(anyhow!(
                    "the model has no class `{}`; its classes are {known}",
                    escaped(class)
                ))
            })
    }

    /// Returns the reason of a contract in words, with the names of classes.
    pub(crate) fn explain(&self, reason: &Revert) -> String {
        explain_revert(reason, self.card.as_ref())
    }

    /// A failure in which the contract's reason has the names of classes.
    pub(crate) fn named_classes(&self, failure: Failure) -> Failure {
        let reason = match failure.error().downcast_ref::<NodeError>() {
            Some(NodeError::Reverted(
                reason @ Revert::Contract(
                    Rejection::PredictionDiffers { .. } | Rejection::PredictionAgrees { .. },
                ),
            )) => format!("the contract refused: {}", self.explain(reason)),
            _ => return failure,
        };
        match failure {
            Failure::Mistake(_) => Failure::Mistake(anyhow!(reason)),
            Failure::Fault(_) => Failure::Fault(anyhow!(reason)),
        }
    }

    /// Returns the whole model after a block, from the cache if it is there.
    pub(crate) async fn words(&self, session: &Session, block: B256) -> Result<Vec<U256>, Failure> {
        let cache = weights::Cache::new(cache_directory()?.join("words"));
        let words = cache.words(&session.node, &self.facts, block).await;
        words.map_err(unreadable)
    }

    /// Returns the whole model after a block, proved by the block's hash.
    pub(crate) async fn proved_words(
        &self,
        session: &Session,
        block: B256,
    ) -> Result<Vec<U256>, Failure> {
        Ok(weights::proved(&session.node, &self.facts, block).await?)
    }

    /// Its twin here.
    pub(crate) fn twin(&self, words: &[U256]) -> Result<Classifier, Failure> {
        Ok(Classifier::from_words(self.facts.parameters, words)?)
    }

    /// Asks the trainer for a number; `call` is the name of the function.
    pub(crate) async fn ask(
        &self,
        node: &Node,
        call: &'static str,
        data: Vec<u8>,
    ) -> Result<u128, Failure> {
        let reader = Reader::new(node, self.facts.trainer, None);
        reader.number(call, data).await.map_err(unreadable)
    }

    /// Returns the wei that each of `n` contributions in one transaction would deposit now.
    pub(crate) async fn price(&self, node: &Node, n: u64) -> Result<u128, Failure> {
        self.facts.price(node, n).await.map_err(unreadable)
    }
}

/// Returns the failure of a node, or else the user's mistake: the address is no model's.
pub(crate) fn unreadable(error: ReadError) -> Failure {
    match error {
        ReadError::Node { trainer, source } => Failure::Fault(
            anyhow!(source).context(format!("cannot read the model {trainer} from the node")),
        ),
        other => Failure::Mistake(other.into()),
    }
}

/// All models that a registry knows.
pub(crate) async fn entries(node: &Node, registry: Address) -> Result<Vec<Entry>, Failure> {
    registry::entries(node, registry).await.map_err(classify)
}

/// The user's mistake, where there is no registry at an address.
fn classify(error: RegistryError) -> Failure {
    match error {
        RegistryError::Node { .. } => Failure::Fault(error.into()),
        RegistryError::NoRegistry { .. } => Failure::Mistake(error.into()),
    }
}
