//! Deploying a model on any chain, and reading it back.

use alloy_primitives::{Address, Bytes, U256};
use cotrain_bindings as bindings;
use cotrain_protocol::{classifier::Classifier, mechanism::Terms};

use crate::{Chain, ChainError, Transaction};

/// Words written in one transaction: a new slot and its calldata cost about 24,000 gas, so this
/// stays well below the limit of a transaction.
const WORDS_PER_TRANSACTION: usize = 512;

/// Words read in one call.
const WORDS_PER_CALL: usize = 4_096;

/// Owner and terms of a model or a market, besides its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelConfig {
    /// Account that writes and closes the model; it may claim late before others, or pays a market's bounty.
    pub owner: Address,
    /// Terms of the mechanism.
    pub terms: Terms,
}

/// A model on a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deployment {
    /// Holds money and records: a trainer, or a market.
    pub trainer: Address,
    /// Holds the model.
    pub classifier: Address,
    /// Its size in words.
    words: usize,
    /// What all of it cost, the implementations included.
    pub cost: DeploymentCost,
}

/// What deploying cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeploymentCost {
    /// Transactions.
    pub transactions: u64,
    /// Gas of all of them.
    pub gas: u64,
}

/// Deploys what sells predictions of the model of a trainer at `price` wei each, for its contributors; its address. `from`
/// pays, and has nothing to say about it.
///
/// # Errors
/// Where the chain refuses the transaction.
pub fn deploy_fees<C: Chain>(
    chain: &mut C,
    from: Address,
    trainer: Address,
    price: u128,
) -> Result<Address, ChainError> {
    let code = bindings::fees::code(trainer, price);
    create(chain, from, code, &mut DeploymentCost::default())
}

/// Deploys the implementations and the factory, creates a model or a market, writes the words of `classifier` in chunks
/// and closes it. The owner pays; the owner of a market has to commit to a test set next.
///
/// # Errors
/// Where the chain refuses a transaction. A model that was not closed takes no contributions, so
/// nothing half-made can be mistaken for finished.
pub fn deploy<C: Chain + ?Sized>(
    chain: &mut C,
    config: &ModelConfig,
    classifier: &Classifier,
) -> Result<Deployment, ChainError> {
    let ModelConfig { owner, terms } = *config;
    let mut cost = DeploymentCost::default();
    let factory = create(chain, owner, bindings::factory_code(), &mut cost)?;
    let code = bindings::contract_code(terms.mechanism());
    let contract = create(chain, owner, code, &mut cost)?;
    let implementation = create(
        chain,
        owner,
        bindings::classifier_code(classifier.kind()),
        &mut cost,
    )?;
    let call = bindings::create_model(contract, &terms, implementation, classifier.parameters());
    let output = send(chain, Transaction::call(owner, factory, call), &mut cost)?;
    let (trainer, model) =
        bindings::created_model(&output).ok_or(ChainError::UnexpectedAnswer { call: "create" })?;
    let words = classifier.words();
    for (chunk, values) in words.chunks(WORDS_PER_TRANSACTION).enumerate() {
        // Storage begins as zero.
        if values.iter().any(|word| !word.is_zero()) {
            let call = bindings::write(chunk * WORDS_PER_TRANSACTION, values);
            send(chain, Transaction::call(owner, model, call), &mut cost)?;
        }
    }
    send(
        chain,
        Transaction::call(owner, model, bindings::close(trainer)),
        &mut cost,
    )?;
    Ok(Deployment {
        trainer,
        classifier: model,
        words: words.len(),
        cost,
    })
}

impl Deployment {
    /// Reads the whole model, free.
    ///
    /// # Errors
    /// Where the chain refuses the call or there is no such contract.
    pub fn words<C: Chain + ?Sized>(&self, chain: &mut C) -> Result<Vec<U256>, ChainError> {
        self.words_of(chain, self.classifier)
    }

    /// Reads another model of the same size, free: such as that of a market's pass.
    ///
    /// # Errors
    /// As [`words`](Self::words).
    pub fn words_of<C: Chain + ?Sized>(
        &self,
        chain: &mut C,
        classifier: Address,
    ) -> Result<Vec<U256>, ChainError> {
        let mut words = Vec::with_capacity(self.words);
        while words.len() < self.words {
            let count = WORDS_PER_CALL.min(self.words - words.len());
            let call = Transaction::call(
                Address::ZERO,
                classifier,
                bindings::words(words.len(), count),
            );
            let receipt = chain.call(call)?;
            let read = bindings::read_words(&receipt.output)
                .filter(|read| read.len() == count)
                .ok_or(ChainError::UnexpectedAnswer { call: "words" })?;
            words.extend(read);
        }
        Ok(words)
    }
}

fn create<C: Chain + ?Sized>(
    chain: &mut C,
    from: Address,
    code: Bytes,
    cost: &mut DeploymentCost,
) -> Result<Address, ChainError> {
    let receipt = chain.send(Transaction::create(from, code))?;
    cost.transactions += 1;
    cost.gas += receipt.gas_used;
    receipt.created.ok_or(ChainError::UnexpectedAnswer {
        call: "the creation of a contract",
    })
}

fn send<C: Chain + ?Sized>(
    chain: &mut C,
    transaction: Transaction,
    cost: &mut DeploymentCost,
) -> Result<Bytes, ChainError> {
    let receipt = chain.send(transaction)?;
    cost.transactions += 1;
    cost.gas += receipt.gas_used;
    Ok(receipt.output)
}
