//! Deployment of a model: one list of its transactions, for every kind of chain.
//!
//! [`Sequence`] returns the next transaction, without access to a chain. [`deploy()`] runs it on a
//! [`Chain`](cotrain_chain::Chain), with one block per transaction. [`Deployer`] runs it through a
//! node, and a later run can resume it.

mod embedded;
mod error;
mod node;
mod outline;
mod plan;
mod steps;

pub use embedded::{
    Deployment, DeploymentCost, ModelConfig, deploy, deploy_prediction_fees, deploy_with,
};
pub use error::DeployError;
pub use node::{Deployed, Deployer, Given, done_before, reusable};
pub use outline::{Insert, Outline, Outlined, Role, To};
pub use plan::{MeasureError, Plan, StepGas};
pub(crate) use steps::Steps;
pub use steps::{DeployEvent, Done};

use alloy_primitives::{Address, Bytes, Log, U256};
use cotrain_bindings::{self as bindings, events};
use cotrain_protocol::{
    classifier::{Classifier, Kind, Parameters},
    mechanism::{Mechanism, Terms},
};
use serde::Serialize;

/// Maximum number of words written in one transaction. A new slot and its calldata cost about
/// 24,000 gas, so this stays well below the gas limit of a transaction.
const WORDS_PER_TRANSACTION: usize = 512;

/// Name of the step that creates the model.
pub const MODEL: &str = "model";
/// Name of the step that closes the model.
pub const CLOSED: &str = "closed";
/// Name of the step that creates a registry.
pub const REGISTRY: &str = "registry";
/// Name of the step that registers the model.
pub const REGISTERED: &str = "registered";

/// Code that a chain needs only once, even for many models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Factory of models.
    Factory,
    /// Implementation of the contract that holds money and records.
    Trainer,
    /// Implementation of the learner.
    Classifier,
}

impl Part {
    /// All parts, in the order in which they are created.
    pub const ALL: [Self; 3] = [Self::Factory, Self::Trainer, Self::Classifier];

    /// Returns the name of the step that creates it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Factory => "factory",
            Self::Trainer => "trainer",
            Self::Classifier => "classifier",
        }
    }
}

/// Model that is to be deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blueprint {
    terms: Terms,
    parameters: Parameters,
    words: Vec<U256>,
}

impl Blueprint {
    /// Describes a model by the terms of its mechanism and the state that it begins with.
    #[must_use]
    pub fn new(terms: Terms, classifier: &Classifier) -> Self {
        Self {
            terms,
            parameters: *classifier.parameters(),
            words: classifier.words(),
        }
    }

    /// Returns the words that the model begins with.
    #[must_use]
    pub fn words(&self) -> &[U256] {
        &self.words
    }

    /// Returns the code that creates a part.
    #[must_use]
    pub fn code(&self, part: Part) -> Bytes {
        match part {
            Part::Factory => bindings::factory_code(),
            Part::Trainer => bindings::contract_code(self.terms.mechanism()),
            Part::Classifier => bindings::classifier_code(self.parameters.kind()),
        }
    }

    /// Returns the call of the factory that creates the model.
    fn create(&self, trainer: Address, classifier: Address) -> Vec<u8> {
        bindings::create_model(trainer, &self.terms, classifier, &self.parameters)
    }

    /// Returns `true` if contracts of this release that were found on a chain fit the blueprint.
    #[must_use]
    pub fn is_code(&self, mechanism: Option<Mechanism>, kind: Option<Kind>) -> bool {
        mechanism == Some(self.terms.mechanism()) && kind == Some(self.parameters.kind())
    }

    /// Returns the steps that write the words: name and call of each.
    fn writes(&self) -> impl Iterator<Item = (String, Vec<u8>)> {
        let chunks = self.words.chunks(WORDS_PER_TRANSACTION).enumerate();
        chunks.filter_map(|(chunk, words)| {
            // New storage is zero, so zeros at both ends need no write.
            let (from, words) = not_zero(words)?;
            let offset = chunk * WORDS_PER_TRANSACTION + from;
            Some((format!("words {chunk}"), bindings::write(offset, words)))
        })
    }

    /// Returns the number of transactions that create, fill and close the model, without those of
    /// its parts.
    #[must_use]
    pub fn model_transactions(&self) -> usize {
        self.writes().count() + 2
    }
}

/// Returns the words from the first to the last that are not zero, and the index of the first;
/// `None` if all are zero.
fn not_zero(words: &[U256]) -> Option<(usize, &[U256])> {
    let first = words.iter().position(|word| !word.is_zero())?;
    let last = words.iter().rposition(|word| !word.is_zero())?;
    Some((first, &words[first..=last]))
}

/// Model that a factory created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Created {
    /// Contract that holds money and records: a trainer, or a market.
    pub trainer: Address,
    /// Contract that holds the model.
    pub classifier: Address,
}

/// Next act of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Have a part on the chain, and call [`Sequence::provide`].
    Part(Part),
    /// Send this call, and call [`Sequence::sent`].
    Call(Step),
    /// Nothing: the model is complete.
    Nothing(Created),
}

/// Call of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name, which no other step of the deployment has.
    pub name: String,
    /// Contract that is called.
    pub to: Address,
    /// Calldata.
    pub data: Vec<u8>,
}

/// The factory emitted no event of a creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the factory {factory} did not say what it created")]
pub struct Silent {
    /// The factory.
    pub factory: Address,
}

/// Order of a deployment: what is done, and what comes next.
#[derive(Debug, Clone)]
pub struct Sequence<'a> {
    blueprint: &'a Blueprint,
    /// Addresses of the existing parts, in the order of [`Part::ALL`].
    parts: Vec<Address>,
    created: Option<Created>,
    /// Calls after the creation, in reverse order; they are known once the model is created.
    rest: Vec<Step>,
}

impl<'a> Sequence<'a> {
    /// Begins with nothing on the chain.
    #[must_use]
    pub fn new(blueprint: &'a Blueprint) -> Self {
        Self {
            blueprint,
            parts: Vec::new(),
            created: None,
            rest: Vec::new(),
        }
    }

    /// Returns the next act.
    #[must_use]
    pub fn next(&self) -> Next {
        let [factory, trainer, classifier] = *self.parts.as_slice() else {
            return Next::Part(Part::ALL[self.parts.len()]);
        };
        match (self.created, self.rest.last()) {
            (None, _) => Next::Call(Step {
                name: MODEL.to_owned(),
                to: factory,
                data: self.blueprint.create(trainer, classifier),
            }),
            (Some(_), Some(step)) => Next::Call(step.clone()),
            (Some(created), None) => Next::Nothing(created),
        }
    }

    /// Records the address of the next part.
    pub fn provide(&mut self, address: Address) {
        if self.parts.len() < Part::ALL.len() {
            self.parts.push(address);
        }
    }

    /// Records that the next call is part of the chain, with its events.
    ///
    /// # Errors
    /// [`Silent`] if no event of the factory names the model.
    pub fn sent<'l>(&mut self, logs: impl IntoIterator<Item = &'l Log>) -> Result<(), Silent> {
        if self.created.is_some() {
            self.rest.pop();
            return Ok(());
        }
        let factory = self.parts.first().copied().unwrap_or_default();
        let event = logs
            .into_iter()
            .filter(|log| log.address == factory)
            .find_map(events::model_created)
            .ok_or(Silent { factory })?;
        let (trainer, classifier) = (event.trainer, event.classifier);
        self.created = Some(Created {
            trainer,
            classifier,
        });
        let call = |(name, data)| Step {
            name,
            to: classifier,
            data,
        };
        let close = (CLOSED.to_owned(), bindings::close(trainer));
        self.rest = self.blueprint.writes().chain([close]).map(call).collect();
        self.rest.reverse();
        Ok(())
    }

    /// Returns the model, once it is created.
    #[must_use]
    pub fn created(&self) -> Option<Created> {
        self.created
    }

    /// Returns the address of a part, once it is on the chain.
    #[must_use]
    pub fn part(&self, part: Part) -> Option<Address> {
        self.parts.get(part as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use cotrain_protocol::trainer::{Incentive, Waits};

    use super::*;

    fn blueprint(words: usize, set: &[usize]) -> Blueprint {
        Blueprint {
            terms: Terms::Trainer {
                incentive: Incentive::Points,
                waits: Waits {
                    refund: 1,
                    owner_claim: 2,
                    any_address_claim: 3,
                    report_notice: 0,
                },
            },
            parameters: Parameters::SparsePerceptron {
                features: 20,
                learning_rate: 1,
                intercept: 0,
            },
            words: (0..words)
                .map(|index| U256::from(u8::from(set.contains(&index))))
                .collect(),
        }
    }

    #[test]
    fn writes_leaves_out_words_of_zero() {
        let chunk = WORDS_PER_TRANSACTION;
        let blueprint = blueprint(3 * chunk + 5, &[2, 4, 3 * chunk + 1]);
        let writes: Vec<_> = blueprint.writes().collect();
        let one = U256::ONE;
        assert_eq!(
            writes,
            [
                (
                    "words 0".to_owned(),
                    bindings::write(2, &[one, U256::ZERO, one])
                ),
                ("words 3".to_owned(), bindings::write(3 * chunk + 1, &[one])),
            ]
        );
        assert_eq!(blueprint.model_transactions(), 4);
    }

    #[test]
    fn sequence_has_parts_then_calls_in_order() {
        let blueprint = blueprint(1, &[]);
        let mut sequence = Sequence::new(&blueprint);
        for (number, part) in (1..).zip(Part::ALL) {
            assert_eq!(sequence.next(), Next::Part(part));
            assert_eq!(sequence.part(part), None);
            sequence.provide(Address::with_last_byte(number));
            assert_eq!(sequence.part(part), Some(Address::with_last_byte(number)));
        }
        let Next::Call(step) = sequence.next() else {
            panic!("no call");
        };
        let factory = Address::with_last_byte(1);
        assert_eq!((step.name.as_str(), step.to), (MODEL, factory));
        // Without an event of the factory the creation does not count: it is still the next step.
        assert_eq!(sequence.sent([]), Err(Silent { factory }));
        assert_eq!(sequence.next(), Next::Call(step));
        assert_eq!(sequence.created(), None);
    }
}
