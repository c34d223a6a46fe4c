//! Content of a deployment, and the gas of each of its steps.

use alloy_primitives::{Address, U256, keccak256};
use cotrain_bindings as bindings;
use cotrain_chain::{Chain, ChainError, Config, Embedded, Transaction};
use cotrain_protocol::{classifier::Classifier, mechanism::Terms};

use super::{Blueprint, REGISTERED, REGISTRY, embedded};
use crate::{
    card::{Card, CardError},
    identity::{self, Facts},
};

/// Model that is to be deployed and registered, with its owner.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Account that deploys the model.
    pub owner: Address,
    /// Terms of the mechanism.
    pub terms: Terms,
    /// The initial model.
    pub classifier: Classifier,
    /// The card, without the block of the closing.
    pub card: Card,
}

/// Failure to measure the steps of a deployment.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The chain in the process refused a step.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The card cannot be registered.
    #[error(transparent)]
    Card(#[from] CardError),
}

/// Gas that each step of a deployment takes, by the step's name.
#[derive(Debug, Clone)]
pub struct StepGas(Vec<(String, u64)>);

impl StepGas {
    /// Creates the list of steps with their gas.
    pub(crate) fn new(steps: Vec<(String, u64)>) -> Self {
        Self(steps)
    }

    /// Returns the gas of all steps except those with these names.
    #[must_use]
    pub fn without(&self, names: &[&str]) -> u64 {
        self.sum(|name| !names.contains(&name))
    }

    /// Returns the gas of the steps with these names.
    #[must_use]
    pub fn of(&self, names: &[&str]) -> u64 {
        self.sum(|name| names.contains(&name))
    }

    fn sum(&self, counts: impl Fn(&str) -> bool) -> u64 {
        let some = self.0.iter().filter(|(name, _)| counts(name));
        some.map(|(_, gas)| gas).sum()
    }
}

impl Plan {
    /// Returns the model that is deployed.
    #[must_use]
    pub fn blueprint(&self) -> Blueprint {
        Blueprint::new(self.terms, &self.classifier)
    }

    /// Returns the facts that another run must share with this one to resume from its journal.
    ///
    /// # Errors
    /// If the card cannot be registered.
    pub fn facts(&self) -> Result<Facts, CardError> {
        let words = self.classifier.words();
        let words: Vec<u8> = words.iter().flat_map(U256::to_be_bytes::<32>).collect();
        let card = self.card.closed_in(0).to_bytes()?;
        let mut facts = identity::of_terms(&self.terms);
        for (name, value) in [
            ("owner", self.owner.to_string()),
            ("parameters", format!("{:?}", self.classifier.parameters())),
            ("words", keccak256(words).to_string()),
            ("card", keccak256(card).to_string()),
        ] {
            facts.insert(name.to_owned(), value);
        }
        Ok(facts)
    }

    /// Measures the gas of each step on a chain in the process.
    ///
    /// # Errors
    /// [`MeasureError`].
    pub fn gas(&self) -> Result<StepGas, MeasureError> {
        let mut chain = Embedded::new(Config {
            start: 1,
            gas_price: 0,
        });
        let mut steps = Vec::new();
        let (registry, receipt) =
            embedded::create(&mut chain, self.owner, bindings::registry_code())?;
        steps.push((REGISTRY.to_owned(), receipt.gas_used));
        let blueprint = self.blueprint();
        let created =
            embedded::deploy_with(&mut chain, self.owner, &blueprint, |name, receipt| {
                steps.push((name.to_owned(), receipt.gas_used));
            })?;
        let card = self.card.closed_in(u64::from(u32::MAX)).to_bytes()?;
        let call = bindings::register(created.trainer, &card);
        let receipt = chain.send(Transaction::call(self.owner, registry, call))?;
        steps.push((REGISTERED.to_owned(), receipt.gas_used));
        Ok(StepGas(steps))
    }
}
