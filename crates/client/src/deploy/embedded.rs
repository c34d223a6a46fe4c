//! Deploying a model on a [`Chain`], and reading it back.

use alloy_primitives::{Address, Bytes, U256};
use cotrain_bindings as bindings;
use cotrain_chain::{Chain, ChainError, Receipt, Transaction};
use cotrain_protocol::{classifier::Classifier, mechanism::Terms};

use super::{Blueprint, Created, Next, Sequence};
use crate::model::word_calls;

/// Owner and terms of a model or a market, besides its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelConfig {
    /// Account that writes and closes the model. It may claim late before others, or pays a
    /// market's bounty.
    pub owner: Address,
    /// Terms of the mechanism.
    pub terms: Terms,
}

/// Model on a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deployment {
    /// Contract that holds money and records: a trainer, or a market.
    pub trainer: Address,
    /// Contract that holds the model.
    pub classifier: Address,
    /// Number of the model's words.
    words: usize,
    /// Cost of all transactions, including the implementations.
    pub cost: DeploymentCost,
}

/// Cost of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeploymentCost {
    /// Number of transactions.
    pub transactions: u64,
    /// Gas of all transactions.
    pub gas: u64,
}

impl DeploymentCost {
    /// Adds a transaction.
    fn add(&mut self, receipt: &Receipt) {
        self.transactions += 1;
        self.gas += receipt.gas_used;
    }
}

/// Deploys a model or a market: the implementations and the factory, then the model, its words in
/// chunks and its closing. The owner pays. Next, the owner of a market must commit to a test set.
///
/// # Errors
/// If the chain refuses a transaction. A model that was not closed takes no contributions, so
/// nobody can mistake it for a finished one.
pub fn deploy<C: Chain + ?Sized>(
    chain: &mut C,
    config: &ModelConfig,
    classifier: &Classifier,
) -> Result<Deployment, ChainError> {
    let ModelConfig { owner, terms } = *config;
    let mut cost = DeploymentCost::default();
    let blueprint = Blueprint::new(terms, classifier);
    let created = deploy_with(chain, owner, &blueprint, |_, receipt| cost.add(receipt))?;
    Ok(Deployment {
        trainer: created.trainer,
        classifier: created.classifier,
        words: blueprint.words().len(),
        cost,
    })
}

/// Deploys a model, and passes the name and the receipt of each step to `done`.
///
/// # Errors
/// If the chain refuses a transaction.
pub fn deploy_with<C: Chain + ?Sized>(
    chain: &mut C,
    owner: Address,
    blueprint: &Blueprint,
    mut done: impl FnMut(&str, &Receipt),
) -> Result<Created, ChainError> {
    let mut sequence = Sequence::new(blueprint);
    loop {
        match sequence.next() {
            Next::Part(part) => {
                let (address, receipt) = create(chain, owner, blueprint.code(part))?;
                done(part.name(), &receipt);
                sequence.provide(address);
            }
            Next::Call(step) => {
                let receipt = chain.send(Transaction::call(owner, step.to, step.data))?;
                done(&step.name, &receipt);
                let unexpected = ChainError::UnexpectedAnswer { call: "create" };
                sequence.sent(&receipt.logs).map_err(|_| unexpected)?;
            }
            Next::Nothing(created) => return Ok(created),
        }
    }
}

/// Deploys a `PredictionFees` contract and returns its address. It sells predictions of a trainer's
/// model at `price` wei each, for its contributors. `from` pays the gas and gets no rights. The
/// cost is added to `cost`.
///
/// # Errors
/// If the chain refuses the transaction.
pub fn deploy_prediction_fees<C: Chain + ?Sized>(
    chain: &mut C,
    from: Address,
    trainer: Address,
    price: u128,
    cost: &mut DeploymentCost,
) -> Result<Address, ChainError> {
    let (address, receipt) = create(chain, from, bindings::prediction_fees::code(trainer, price))?;
    cost.add(&receipt);
    Ok(address)
}

impl Deployment {
    /// Reads the whole model without a transaction.
    ///
    /// # Errors
    /// If the chain refuses the call, or there is no such contract.
    pub fn words<C: Chain + ?Sized>(&self, chain: &mut C) -> Result<Vec<U256>, ChainError> {
        self.words_of(chain, self.classifier)
    }

    /// Reads another model of the same size without a transaction, such as that of a market's pass.
    ///
    /// # Errors
    /// Those of [`words`](Self::words).
    pub fn words_of<C: Chain + ?Sized>(
        &self,
        chain: &mut C,
        classifier: Address,
    ) -> Result<Vec<U256>, ChainError> {
        let mut words = Vec::with_capacity(self.words);
        for call in word_calls(self.words) {
            let data = call.data();
            let receipt = chain.call(Transaction::call(Address::ZERO, classifier, data))?;
            let read = call.read(&receipt.output);
            words.extend(read.ok_or(ChainError::UnexpectedAnswer { call: "words" })?);
        }
        Ok(words)
    }
}

/// Creates a contract; returns its address and its receipt.
pub(super) fn create<C: Chain + ?Sized>(
    chain: &mut C,
    from: Address,
    code: Bytes,
) -> Result<(Address, Receipt), ChainError> {
    let receipt = chain.send(Transaction::create(from, code))?;
    let created = receipt.created.ok_or(ChainError::UnexpectedAnswer {
        call: "the creation of a contract",
    })?;
    Ok((created, receipt))
}
