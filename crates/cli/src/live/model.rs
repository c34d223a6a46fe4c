//! A model on the chain, as commands use it.

use std::ops::Deref;

use alloy_primitives::{Address, B256, U256};
use anyhow::anyhow;
use cotrain_bindings::{Entry, Revert};
use cotrain_chain::node::{Node, NodeError};
use cotrain_client::{
    card::Card,
    described::{DescribeError, DescribedModel},
    model::{ReadError, Reader},
    registry::{self, NameError, RegistryError},
    weights,
};
use cotrain_protocol::{ContractError, classifier::Classifier, parse_address};
use url::Url;

use super::{
    connection::{ModelArg, Session},
    context::cache_directory,
    encoder, sentence,
};
use crate::error::CommandError;

/// A model on the chain, and how the command found it.
#[derive(Debug, Clone)]
pub(crate) struct LiveModel {
    described: DescribedModel,
    /// `true` if a sentence encoder reads its texts.
    reads_sentences: bool,
    /// The source of its address, as text.
    pub(crate) origin: String,
}

/// Gives direct access to facts and card, which are all that most commands need.
impl Deref for LiveModel {
    type Target = DescribedModel;

    fn deref(&self) -> &DescribedModel {
        &self.described
    }
}

impl LiveModel {
    /// Finds the model that the options name, or the one deployed last.
    pub(crate) async fn find(session: &Session, argument: &ModelArg) -> Result<Self, CommandError> {
        let (model, origin) = match &argument.model {
            None => {
                let trainer = session.last_model.ok_or_else(|| {
                    CommandError::Mistake(anyhow!(
                        "no model is named; name one with --model (`cotrain models` lists those of a \
                         registry), or deploy one"
                    ))
                })?;
                let origin = "the last one deployed, from context.toml".to_owned();
                (Self::read(session, trainer).await?, origin)
            }
            // An argument in the form of an address is one. A wrong digit must not be reported as
            // an unknown name.
            Some(address) if address.starts_with("0x") && address.len() == 42 => {
                let trainer = parse_address(address).map_err(CommandError::mistake)?;
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
            trainer = %model.facts.trainer, classifier = %model.facts.classifier, verified = model.verified(), "model"
        );
        if let Some(contradiction) = &model.contradiction {
            session.narrator.say(format_args!(
                "warning: model {} is not verified: {contradiction}; no samples are made by its card",
                model.facts.trainer
            ));
        } else if !model.verified() {
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
    ) -> Result<Self, CommandError> {
        let model = Self::find(session, argument).await?;
        let description = model.facts.terms.mechanism().description();
        if description.claims.is_empty() {
            return Err(CommandError::Mistake(anyhow!(
                "{} is a {}, which has no deposits, refunds and reports; see `cotrain market`",
                model.facts.trainer,
                description.title
            )));
        }
        Ok(model)
    }

    async fn named(session: &Session, name: &str) -> Result<Self, CommandError> {
        let registry = session.registry()?;
        let found = registry::named(&session.node, registry, name, |entry, error| {
            session.narrator.say(format_args!(
                "passed over {}, whose name cannot be read: {:#}",
                entry.trainer,
                anyhow::Error::from(error)
            ));
        });
        let (entry, card) = found.await.map_err(|error| match error {
            NameError::Registry(error) => classify(*error),
            error => CommandError::mistake(error),
        })?;
        Self::with_card(session, entry.trainer, Some(card)).await
    }

    /// Reads the model of a trainer.
    pub(crate) async fn read(session: &Session, trainer: Address) -> Result<Self, CommandError> {
        let described = DescribedModel::read(&session.node, session.registry, trainer).await;
        Ok(Self::of(described.map_err(|error| match error {
            DescribeError::Registry(error) => classify(error),
            DescribeError::Read(error) => unreadable(error),
        })?))
    }

    /// Reads a model that a registry lists.
    pub(crate) async fn listed(
        session: &Session,
        registry: Address,
        entry: &Entry,
    ) -> Result<Self, CommandError> {
        let card = registry::card_of(&session.node, registry, entry).await;
        Self::with_card(session, entry.trainer, card.map_err(classify)?).await
    }

    async fn with_card(
        session: &Session,
        trainer: Address,
        card: Option<Card>,
    ) -> Result<Self, CommandError> {
        let described = DescribedModel::with_card(&session.node, trainer, card).await;
        Ok(Self::of(described.map_err(unreadable)?))
    }

    fn of(mut described: DescribedModel) -> Self {
        encoder::complete(&mut described);
        let card = described.card.as_mut();
        let encoder = card.and_then(|card| card.encoder.as_mut());
        let reads_sentences = encoder.is_some_and(sentence::complete);
        Self {
            described,
            reads_sentences,
            origin: String::new(),
        }
    }

    /// Fetches the table of word vectors that the model reads texts by, if it is not on this machine.
    /// The coordinator is the one given or, if there is none, the session's. Says how long texts
    /// take if a sentence encoder reads them.
    pub(crate) async fn prepare_texts(
        &mut self,
        session: &Session,
        coordinator: Option<&Url>,
    ) -> Result<(), CommandError> {
        let coordinator = coordinator.or(session.coordinator.as_ref());
        if self.reads_sentences {
            sentence::announce(&session.narrator);
        }
        encoder::fetch(&mut self.described, coordinator, &session.narrator).await
    }

    /// Returns the number of a class, by its name or its number.
    pub(crate) fn label(&self, class: &str) -> Result<u16, CommandError> {
        self.described.label(class).map_err(CommandError::mistake)
    }

    /// Returns a failure in whose reason classes have names.
    pub(crate) fn named_classes(&self, failure: CommandError) -> CommandError {
        let reason = match failure.error().downcast_ref::<NodeError>() {
            Some(NodeError::Reverted(
                reason @ Revert::Contract(
                    ContractError::PredictionDiffers { .. }
                    | ContractError::PredictionAgrees { .. },
                ),
            )) => format!("the contract refused: {}", self.explain(reason)),
            _ => return failure,
        };
        match failure {
            CommandError::Mistake(_) => CommandError::Mistake(anyhow!(reason)),
            CommandError::Fault(_) => CommandError::Fault(anyhow!(reason)),
        }
    }

    /// Returns all words of the model after a block, from the cache if it has them.
    pub(crate) async fn words(
        &self,
        session: &Session,
        block: B256,
    ) -> Result<Vec<U256>, CommandError> {
        let cache = weights::Cache::new(cache_directory()?.join("words"));
        let words = cache.words(&session.node, &self.facts, block).await;
        words.map_err(unreadable)
    }

    /// Returns all words of the model after a block, proved by the block's hash.
    pub(crate) async fn proved_words(
        &self,
        session: &Session,
        block: B256,
    ) -> Result<Vec<U256>, CommandError> {
        Ok(weights::proved(&session.node, &self.facts, block).await?)
    }

    /// Returns the reference model with these words.
    pub(crate) fn reference(&self, words: &[U256]) -> Result<Classifier, CommandError> {
        Ok(Classifier::from_words(self.facts.parameters, words)?)
    }

    /// Asks the trainer for a number; `call` is the name of the function.
    pub(crate) async fn ask(
        &self,
        node: &Node,
        call: &'static str,
        data: Vec<u8>,
    ) -> Result<u128, CommandError> {
        let reader = Reader::new(node, self.facts.trainer, None);
        reader.number(call, data).await.map_err(unreadable)
    }

    /// Returns the current deposit of each of `n` contributions in one transaction, in wei.
    pub(crate) async fn price(&self, node: &Node, n: u64) -> Result<u128, CommandError> {
        self.facts.price(node, n).await.map_err(unreadable)
    }
}

/// Returns the failure of a node, or a mistake of the user if the address has no model.
pub(crate) fn unreadable(error: ReadError) -> CommandError {
    match error {
        ReadError::Node { trainer, source } => CommandError::Fault(
            anyhow!(source).context(format!("cannot read the model {trainer} from the node")),
        ),
        other => CommandError::Mistake(other.into()),
    }
}

/// Returns all models that a registry lists.
pub(crate) async fn entries(node: &Node, registry: Address) -> Result<Vec<Entry>, CommandError> {
    registry::entries(node, registry).await.map_err(classify)
}

/// Returns a mistake of the user if no registry is at an address.
fn classify(error: RegistryError) -> CommandError {
    match error {
        RegistryError::Node { .. } => CommandError::Fault(error.into()),
        RegistryError::NoRegistry { .. } => CommandError::Mistake(error.into()),
    }
}
