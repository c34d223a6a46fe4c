//! A model as it is on the chain.

use alloy_primitives::{Address, B256, U256};
use anyhow::{Context, anyhow};
use cotrain_bindings::{self as bindings, Entry, Mechanism, Revert, state};
use cotrain_chain::node::{At, Node, NodeError};
use cotrain_coordinator::{
    card::{Card, Contradiction, explain_revert},
    registry::{self, RegistryError},
};
use cotrain_learning::text::{escaped, escaped_list};
use cotrain_protocol::{
    Rejection,
    classifier::{Classifier, Parameters},
    parse_address,
    trainer::{Incentive, Waits},
};

use super::connection::{ModelArg, Session};
use crate::failure::Failure;

/// Words read in one call.
const WORDS_PER_CALL: usize = 2_048;

/// What is fixed of a model.
#[derive(Debug, Clone)]
pub(crate) struct LiveModel {
    pub(crate) trainer: Address,
    pub(crate) classifier: Address,
    pub(crate) owner: Address,
    pub(crate) incentive: Incentive,
    pub(crate) waits: Waits,
    pub(crate) parameters: Parameters,
    /// Whether both run this release's code, and the card says of samples what the contract does.
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
            trainer = %model.trainer, classifier = %model.classifier, verified = model.verified, "model"
        );
        if let Some(contradiction) = &model.contradiction {
            session.narrator.say(format_args!(
                "warning: model {} is not verified: {contradiction}; what the card makes of texts and rows may be \
                 refused, or mean something else",
                model.trainer
            ));
        } else if !model.verified {
            session.narrator.say(format_args!(
                "warning: model {} does not run this release's contracts: nothing holds it to the rules",
                model.trainer
            ));
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
        let fixed = read_fixed(node, trainer)
            .await
            .with_context(|| {
                format!("cannot read a model at {trainer}; is it a trainer's address?")
            })
            .map_err(Failure::Mistake)?;
        let card = match session.registry {
            Some(registry) => registry::card(node, registry, trainer)
                .await
                .map_err(classify)?,
            None => None,
        };
        let checked = card.as_ref().map(|it| it.check_against(&fixed.parameters));
        let contradiction = checked.and_then(Result::err);
        Ok(Self {
            card,
            verified: fixed.verified && contradiction.is_none(),
            contradiction,
            ..fixed
        })
    }

    /// What people call it.
    pub(crate) fn name(&self) -> String {
        self.card
            .as_ref()
            .map_or_else(|| self.trainer.to_string(), |card| card.name.clone())
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
            .filter(|label| *label < self.parameters.classes())
            .ok_or_else(|| {
                let known = if names.is_empty() {
                    format!("the numbers below {}", self.parameters.classes())
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

    /// The whole model after a block.
    pub(crate) async fn words(&self, node: &Node, block: B256) -> Result<Vec<U256>, Failure> {
        read_words(node, self.classifier, self.parameters.word_count(), block).await
    }

    /// Its twin here.
    pub(crate) fn twin(&self, words: &[U256]) -> Result<Classifier, Failure> {
        Ok(Classifier::from_words(self.parameters, words)?)
    }

    /// Wei that each of `n` contributions in one transaction would deposit now.
    pub(crate) async fn price(&self, node: &Node, n: u64) -> Result<u128, Failure> {
        number(node, self.trainer, state::price(n), "price").await
    }
}

/// The words of a classifier after a block.
pub(crate) async fn read_words(
    node: &Node,
    classifier: Address,
    count: usize,
    block: B256,
) -> Result<Vec<U256>, Failure> {
    let mut words = Vec::with_capacity(count);
    while words.len() < count {
        let some = WORDS_PER_CALL.min(count - words.len());
        let call = bindings::words(words.len(), some);
        let answer = node.call(classifier, call, Some(At::Hash(block))).await?;
        let read = bindings::read_words(&answer)
            .filter(|read| read.len() == some)
            .ok_or_else(|| unexpected("words"))?;
        words.extend(read);
    }
    Ok(words)
}

/// An answer that is one number.
pub(crate) async fn number(
    node: &Node,
    contract: Address,
    call: Vec<u8>,
    name: &'static str,
) -> Result<u128, Failure> {
    let answer = node.call(contract, call, None).await?;
    Ok(bindings::read_number(&answer)
        .and_then(|number| number.try_into().ok())
        .ok_or_else(|| unexpected(name))?)
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

fn unexpected(call: &'static str) -> anyhow::Error {
    anyhow!(cotrain_chain::ChainError::UnexpectedAnswer { call })
}

/// All but the card.
async fn read_fixed(node: &Node, trainer: Address) -> anyhow::Result<LiveModel> {
    let ask = async |to: Address, call: Vec<u8>| node.call(to, call, None).await;
    let address = |answer: &[u8]| bindings::read_address(answer);
    let classifier = address(&ask(trainer, state::classifier()).await?)
        .ok_or_else(|| unexpected("classifier"))?;
    let owner = address(&ask(trainer, state::owner()).await?).ok_or_else(|| unexpected("owner"))?;
    let seconds = async |call: Vec<u8>| -> anyhow::Result<u64> {
        bindings::read_number(&ask(trainer, call).await?)
            .and_then(|number| number.try_into().ok())
            .ok_or_else(|| unexpected("refundWait"))
    };
    let waits = Waits {
        refund: seconds(state::refund_wait()).await?,
        owner_claim: seconds(state::owner_claim_wait()).await?,
        any_address_claim: seconds(state::any_address_claim_wait()).await?,
        report_notice: seconds(state::report_notice()).await?,
    };
    let description = bindings::read_description(&ask(classifier, bindings::describe()).await?)
        .ok_or_else(|| unexpected("describe"))?;
    let mut answers = Vec::new();
    for getter in description.getters() {
        answers.push(ask(classifier, getter).await?);
    }
    let parameters = description
        .parameters(&answers)
        .ok_or_else(|| unexpected("describe"))?;
    parameters.validate()?;
    let mechanism = implementation(node, trainer).await?;
    let mechanism = bindings::known_trainer(&mechanism);
    let incentive = match mechanism {
        Some(Mechanism::Points) => Incentive::Points,
        Some(Mechanism::DepositRefundTake) => cost_weight(node, trainer).await?,
        // Points has no cost weight: the contract refuses. A node that does not answer says nothing of it.
        None => match cost_weight(node, trainer).await {
            Err(error)
                if matches!(
                    error.downcast_ref::<NodeError>(),
                    Some(NodeError::Reverted(_))
                ) =>
            {
                Incentive::Points
            }
            incentive => incentive?,
        },
    };
    let kind = bindings::known_classifier(&implementation(node, classifier).await?);
    Ok(LiveModel {
        trainer,
        classifier,
        owner,
        incentive,
        waits,
        parameters,
        verified: mechanism.is_some()
            && kind == Some(parameters.kind())
            && description.trainer == Some(trainer),
        contradiction: None,
        card: None,
        origin: String::new(),
    })
}

async fn cost_weight(node: &Node, trainer: Address) -> anyhow::Result<Incentive> {
    let answer = node.call(trainer, state::cost_weight(), None).await?;
    let cost_weight = bindings::read_number(&answer)
        .and_then(|number| number.try_into().ok())
        .ok_or_else(|| unexpected("costWeight"))?;
    Ok(Incentive::DepositRefundTake { cost_weight })
}

/// The code of the implementation that a clone runs; empty where it is no clone.
pub(crate) async fn implementation(node: &Node, clone: Address) -> Result<Vec<u8>, NodeError> {
    let code = node.code(clone).await?;
    match bindings::implementation_of(&code) {
        Some(implementation) => Ok(node.code(implementation).await?.to_vec()),
        None => Ok(Vec::new()),
    }
}
