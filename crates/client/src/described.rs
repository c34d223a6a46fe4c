//! A model on a chain with its owner's description: facts and card, checked against each other
//! once.

use alloy_primitives::Address;
use cotrain_bindings::Revert;
use cotrain_chain::node::Node;
use cotrain_learning::{
    Encoder,
    text::{escaped, escaped_list},
    vectors::{Table, TableId},
};

use crate::{
    card::{self, Card, Contradiction, PublishedCard, explain_revert},
    model::{ModelFacts, ReadError},
    registry::{self, NoCard, RegistryError},
};

/// A model on a chain, with the description of its owner.
///
/// A card that contradicts the contract makes samples that the contract reads differently.
/// Contributors of such samples lose deposits. So such a card loses its encoder for every reader.
#[derive(Debug, Clone)]
pub struct DescribedModel {
    /// Facts that the contracts fix.
    pub facts: ModelFacts,
    /// The owner's description if the model is registered, without its encoder if that contradicts
    /// the contract.
    pub card: Option<Card>,
    /// The fact of the card that differs from the contract's, if one does.
    pub contradiction: Option<Contradiction>,
}

/// Failure to read a model with its card.
#[derive(Debug, thiserror::Error)]
pub enum DescribeError {
    /// The registry cannot be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The contracts cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Reason why texts and rows cannot be made into samples of a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoEncoder {
    /// The owner has not published how to make samples.
    #[error(
        "nothing says how samples of model {trainer} are made: it has no card in the registry, or one without an encoder"
    )]
    Unpublished {
        /// Trainer of the model.
        trainer: Address,
    },
    /// The card contradicts the contract.
    #[error(
        "cannot make samples of model {trainer}: {contradiction}, so samples of the card could mean something else"
    )]
    Contradicted {
        /// Trainer of the model.
        trainer: Address,
        /// The fact that differs.
        contradiction: Contradiction,
    },
}

/// A class that a model does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the model has no class `{}`; its classes are {known}", escaped(class))]
pub struct UnknownClass {
    /// Name or number that the caller asked for.
    class: String,
    /// Classes of the model, escaped.
    known: String,
}

impl DescribedModel {
    /// Puts facts and card together; a card that contradicts the facts loses its encoder.
    #[must_use]
    pub fn new(facts: ModelFacts, mut card: Option<Card>) -> Self {
        let checked = card.as_ref().map(|it| it.check_against(&facts.parameters));
        let contradiction = checked.and_then(Result::err);
        if let (Some(_), Some(card)) = (&contradiction, &mut card) {
            card.encoder = None;
        }
        Self {
            facts,
            card,
            contradiction,
        }
    }

    /// Reads a model, and its card if a registry is given.
    ///
    /// # Errors
    /// [`DescribeError`].
    pub async fn read(
        node: &Node,
        registry: Option<Address>,
        trainer: Address,
    ) -> Result<Self, DescribeError> {
        Ok(Self::read_published(node, registry, trainer).await?.0)
    }

    /// Reads a model, and its card with the registered bytes, or the reason why there is no card.
    ///
    /// # Errors
    /// [`DescribeError`].
    pub async fn read_published(
        node: &Node,
        registry: Option<Address>,
        trainer: Address,
    ) -> Result<(Self, Result<PublishedCard, NoCard>), DescribeError> {
        let (card, published) = match registry::card(node, registry, trainer).await? {
            Ok((card, published)) => (Some(card), Ok(published)),
            Err(reason) => (None, Err(reason)),
        };
        let described = Self::with_card(node, trainer, card).await?;
        Ok((described, published))
    }

    /// Reads a model whose card is known.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn with_card(
        node: &Node,
        trainer: Address,
        card: Option<Card>,
    ) -> Result<Self, ReadError> {
        Ok(Self::new(ModelFacts::read(node, trainer).await?, card))
    }

    /// Returns `true` if the model is verified ([`card::verified`]).
    #[must_use]
    pub fn verified(&self) -> bool {
        card::verified(&self.facts, self.contradiction.as_ref())
    }

    /// Returns the name of the model, or the address of its trainer if it has none.
    #[must_use]
    pub fn name(&self) -> String {
        self.card
            .as_ref()
            .map_or_else(|| self.facts.trainer.to_string(), |card| card.name.clone())
    }

    /// Returns the name of a class, or its number if it has none.
    #[must_use]
    pub fn class(&self, label: u16) -> String {
        self.card
            .as_ref()
            .and_then(|card| card.classes.get(usize::from(label)).cloned())
            .unwrap_or_else(|| label.to_string())
    }

    /// Returns the names of all classes of the contract, by their numbers.
    #[must_use]
    pub fn classes(&self) -> Vec<String> {
        let labels = 0..self.facts.parameters.classes();
        labels.map(|label| self.class(label)).collect()
    }

    /// Returns the number of a class, by its name or its number.
    ///
    /// # Errors
    /// [`UnknownClass`].
    pub fn label(&self, class: &str) -> Result<u16, UnknownClass> {
        let names = self.card.as_ref().map_or(&[][..], |card| &card.classes);
        let label = match names.iter().position(|name| name == class) {
            Some(index) => u16::try_from(index).ok(),
            None => class.parse().ok(),
        };
        let classes = self.facts.parameters.classes();
        label
            .filter(|label| *label < classes)
            .ok_or_else(|| UnknownClass {
                class: class.to_owned(),
                known: if names.is_empty() {
                    format!("the numbers below {classes}")
                } else {
                    escaped_list(names)
                },
            })
    }

    /// Returns the encoder that the card publishes.
    ///
    /// # Errors
    /// [`NoEncoder`], also if the card contradicts the contract.
    pub fn encoder(&self) -> Result<&Encoder, NoEncoder> {
        let trainer = self.facts.trainer;
        if let Some(contradiction) = &self.contradiction {
            return Err(NoEncoder::Contradicted {
                trainer,
                contradiction: contradiction.clone(),
            });
        }
        let encoder = self.card.as_ref().and_then(|card| card.encoder.as_ref());
        encoder.ok_or(NoEncoder::Unpublished { trainer })
    }

    /// Returns the table of word vectors that the card's encoder needs and lacks; `None` if it can
    /// encode, or there is none.
    #[must_use]
    pub fn missing_table(&self) -> Option<TableId> {
        self.encoder().ok().and_then(Encoder::missing_table)
    }

    /// Gives the card's encoder a table of word vectors, if it is the one that the encoder lacks.
    pub fn give_table(&mut self, table: &Table) {
        if self.missing_table() != Some(table.id()) {
            return;
        }
        let card = self.card.as_mut();
        if let Some(encoder) = card.and_then(|card| card.encoder.as_mut()) {
            // The encoder takes the table that it says it lacks.
            let _ = encoder.set_table(table);
        }
    }

    /// Returns the reason of a reverted call as text, with the names of classes.
    #[must_use]
    pub fn explain(&self, reason: &Revert) -> String {
        explain_revert(reason, self.card.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use cotrain_learning::vectors::{Making, WordVectors, embedded};
    use cotrain_protocol::{
        classifier::Parameters,
        mechanism::Terms,
        trainer::{Incentive, Waits},
    };

    use super::*;

    /// A model of two classes, with a card of this encoder and these names of classes.
    fn model(encoder: &str, classes: &[&str]) -> DescribedModel {
        let waits = Waits {
            refund: 1,
            owner_claim: 2,
            any_address_claim: 3,
            report_notice: 0,
        };
        let facts = ModelFacts {
            chain_id: 1,
            trainer: Address::with_last_byte(1),
            classifier: Address::with_last_byte(2),
            owner: Address::with_last_byte(3),
            terms: Terms::Trainer {
                incentive: Incentive::Points,
                waits,
            },
            parameters: Parameters::SparsePerceptron {
                features: 2,
                learning_rate: 1,
                intercept: 0,
            },
            own_code: true,
            closed: true,
        };
        let card = Card {
            name: "films".to_owned(),
            description: String::new(),
            classes: classes.iter().map(|&name| name.to_owned()).collect(),
            encoder: serde_json::from_str(encoder).expect("an encoder or none"),
            from_block: 7,
        };
        DescribedModel::new(facts, Some(card))
    }

    const FITTING: &str =
        r#"{"classifier":"sparse-perceptron","features":{"words":["good","bad"]}}"#;

    #[test]
    fn encoder_is_there_only_if_the_card_fits_the_contract() {
        let fits = model(FITTING, &["no", "yes"]);
        assert!(fits.encoder().is_ok() && fits.verified());
        let none = model("null", &["no", "yes"]);
        let trainer = none.facts.trainer;
        assert_eq!(
            none.encoder().err(),
            Some(NoEncoder::Unpublished { trainer })
        );
        assert!(none.verified());
        let other = model(&FITTING.replace("perceptron", "nearest-centroid"), &["no"]);
        assert!(!other.verified());
        // The card has no encoder for other readers either; its other fields stay.
        let card = other.card.as_ref().expect("a card");
        assert!(card.encoder.is_none());
        assert_eq!((other.name(), card.from_block), ("films".to_owned(), 7));
        assert_eq!(
            other.encoder().expect_err("a contradiction").to_string(),
            format!(
                "cannot make samples of model {trainer}: the card says the learner is sparse-nearest-centroid and the \
                 contract sparse-perceptron, so samples of the card could mean something else"
            )
        );
    }

    #[test]
    fn give_table_completes_only_the_encoder_that_lacks_it() {
        let card = |sha256: &str, dimensions: usize| {
            let zeros = vec!["0"; dimensions].join(",");
            let ones = vec!["1"; dimensions].join(",");
            format!(
                r#"{{"classifier":"dense-nearest-centroid","features":{{"vectors":{{"sha256":"{sha256}",
                    "dimensions":{dimensions}}}}},"scaling":{{"mean":[{zeros}],"deviation":[{ones}]}}}}"#
            )
        };
        let with = |encoder: &str| {
            let mut described = model("null", &["no", "yes"]);
            let encoder = serde_json::from_str(encoder).expect("an encoder");
            described.card.as_mut().expect("a card").encoder = Some(encoder);
            described
        };
        let words = "good 1 0\nbad -1 0\nfilm 0 1\n".as_bytes();
        let words = WordVectors::read(words, 3).expect("vectors");
        let making = Making {
            dimensions: 2,
            width: 1,
            half: 0.0,
            notice: String::new(),
        };
        let (table, _) = Table::make(&words, &making).expect("a table");
        let mut lacking = with(&card(&table.id().hexadecimal(), 2));
        lacking.give_table(embedded());
        assert_eq!(lacking.missing_table(), Some(table.id()));
        lacking.give_table(&table);
        assert_eq!(lacking.missing_table(), None);
        // A card that says other dimensions lacks a table that nobody has.
        let mut wider = with(&card(&table.id().hexadecimal(), 3));
        wider.give_table(&table);
        assert!(wider.missing_table().is_some());
        // The embedded table is there without anyone's help.
        let known = with(&card(&embedded().id().hexadecimal(), 128));
        assert_eq!(known.missing_table(), None);
        assert_eq!(model(FITTING, &["no", "yes"]).missing_table(), None);
    }

    #[test]
    fn label_takes_names_and_numbers_of_classes_that_the_contract_has() {
        let named = model(FITTING, &["no", "yes", "maybe"]);
        assert_eq!(named.label("yes"), Ok(1));
        assert_eq!(named.label("0"), Ok(0));
        // A card may have more names than the contract has classes.
        for class in ["maybe", "2", "?"] {
            assert_eq!(
                named.label(class).expect_err("none").to_string(),
                format!("the model has no class `{class}`; its classes are no, yes, maybe")
            );
        }
        let half = model(FITTING, &["no"]);
        assert_eq!(half.classes(), ["no", "1"]);
        let unnamed = DescribedModel::new(half.facts, None);
        assert_eq!(unnamed.name(), unnamed.facts.trainer.to_string());
        assert_eq!(
            unnamed.label("2").expect_err("none").to_string(),
            "the model has no class `2`; its classes are the numbers below 2"
        );
    }
}
