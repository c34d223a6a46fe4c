//! The transactions of a deployment, one after the other, each done at most once.

use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, U256};
use anyhow::{Context, anyhow};
use cotrain_bindings::{self as bindings, events};
use cotrain_chain::node::{At, Node, NodeError, NodeReceipt};
use cotrain_client::model::{Reader, code_of};
use serde::Serialize;

use super::{
    journal::Journal,
    model::{number, unreadable},
    plan::Plan,
    send::{LAG, Sender, gas_cost},
};
use crate::{failure::Failure, output::Narrator};

/// Words written in one transaction: a new slot and its calldata cost about 24,000 gas.
const WORDS_PER_TRANSACTION: usize = 512;

/// The steps beside those of [`Part`] and [`writes`].
pub(crate) const REGISTRY: &str = "registry";
pub(crate) const MODEL: &str = "model";
pub(crate) const CLOSED: &str = "closed";
pub(crate) const REGISTERED: &str = "registered";

/// Contracts that are there already.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Given {
    pub(crate) registry: Option<Address>,
    pub(crate) factory: Option<Address>,
    pub(crate) trainer: Option<Address>,
    pub(crate) classifier: Option<Address>,
}

/// What was deployed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Deployed {
    pub(crate) trainer: Address,
    pub(crate) classifier: Address,
    pub(crate) registry: Address,
    pub(crate) factory: Address,
    pub(crate) trainer_implementation: Address,
    pub(crate) classifier_implementation: Address,
    /// The block of the model's closing.
    pub(crate) block: u64,
    pub(crate) transactions: u64,
    pub(crate) gas: u64,
    /// Wei that all the gas cost, as text: it may be more than other readers' numbers hold.
    pub(crate) cost: String,
    /// Codes that the chain had already.
    pub(crate) reused: Vec<Part>,
}

/// A code that a chain needs once, however many models run it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Part {
    Factory,
    Trainer,
    Classifier,
}

impl Part {
    pub(crate) const ALL: [Self; 3] = [Self::Factory, Self::Trainer, Self::Classifier];

    /// The step that creates it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Factory => "factory",
            Self::Trainer => "trainer",
            Self::Classifier => "classifier",
        }
    }

    /// Returns the code that creates it.
    pub(crate) fn code(self, plan: &Plan) -> Bytes {
        match self {
            Self::Factory => bindings::factory_code(),
            Self::Trainer => bindings::contract_code(plan.terms.mechanism()),
            Self::Classifier => bindings::classifier_code(plan.classifier.kind()),
        }
    }

    const fn given(self, given: &Given) -> Option<Address> {
        match self {
            Self::Factory => given.factory,
            Self::Trainer => given.trainer,
            Self::Classifier => given.classifier,
        }
    }
}

/// Finds the codes that the plan need not pay for: those that are named, or that the chain has where the deployer
/// creates them.
pub(crate) async fn reusable(
    node: &Node,
    plan: &Plan,
    given: &Given,
) -> Result<Vec<Part>, Failure> {
    let mut found = Vec::new();
    for part in Part::ALL {
        let there = match part.given(given) {
            Some(_) => true,
            None => has_code(node, bindings::deployed_at(&part.code(plan))).await?,
        };
        if there {
            found.push(part);
        }
    }
    Ok(found)
}

async fn has_code(node: &Node, address: Address) -> Result<bool, Failure> {
    Ok(!node.code(address).await?.is_empty())
}

/// A transaction of a deployment that is part of the chain.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Done {
    step: String,
    transaction: B256,
    block: u64,
    gas: u64,
}

/// A deployment on its way.
pub(crate) struct Steps<'a> {
    sender: Sender<'a>,
    journal: Journal,
    narrator: &'a Narrator,
    /// The transactions that are done.
    pub(crate) done: Vec<Done>,
    /// The number of all transactions.
    pub(crate) of: u64,
    reused: Vec<Part>,
    gas: u64,
    /// The price of all gas so far, in wei.
    pub(crate) cost: u128,
}

impl<'a> Steps<'a> {
    /// Notes in the journal that all of it is done.
    pub(crate) fn finish(&mut self, deployed: &Deployed) -> Result<(), Failure> {
        self.journal.finish(deployed.trainer)
    }

    /// Begins, or goes on where the journal ends.
    pub(crate) fn new(sender: Sender<'a>, journal: Journal, narrator: &'a Narrator) -> Self {
        Self {
            sender,
            journal,
            narrator,
            done: Vec::new(),
            of: 0,
            reused: Vec::new(),
            gas: 0,
            cost: 0,
        }
    }
}

impl Steps<'_> {
    /// Deploys the plan, or what is left of it.
    pub(crate) async fn run(&mut self, plan: &Plan, given: &Given) -> Result<Deployed, Failure> {
        self.of = self.count(plan, given).await?;
        let registry = match given.registry {
            Some(registry) => {
                let call = bindings::registry_count();
                number(self.sender.node, registry, call, "count")
                    .await
                    .map_err(|failure| {
                        Failure::Mistake(anyhow!(
                            "there is no registry at {registry} ({:#})",
                            failure.error()
                        ))
                    })?;
                registry
            }
            None => self.create(REGISTRY, bindings::registry_code()).await?,
        };
        let factory = self.shared(Part::Factory, plan, given).await?;
        let trainer_code = self.shared(Part::Trainer, plan, given).await?;
        let classifier_code = self.shared(Part::Classifier, plan, given).await?;
        let call = bindings::create_model(
            trainer_code,
            &plan.terms,
            classifier_code,
            plan.classifier.parameters(),
        );
        let receipt = self.step(MODEL, Some(factory), call).await?;
        let created = receipt
            .logs
            .iter()
            .filter(|log| log.log.address == factory)
            .find_map(|log| events::model_created(&log.log))
            .with_context(|| format!("the factory {factory} did not say what it created"))?;
        let (trainer, classifier) = (created.trainer, created.classifier);
        self.verify(plan, trainer, classifier).await?;
        let closed = self.fill(plan, trainer, classifier).await?;
        let card = plan.card(closed.block)?;
        self.step(
            REGISTERED,
            Some(registry),
            bindings::register(trainer, &card),
        )
        .await?;
        Ok(Deployed {
            trainer,
            classifier,
            registry,
            factory,
            trainer_implementation: trainer_code,
            classifier_implementation: classifier_code,
            block: closed.block,
            transactions: self.done.len() as u64,
            gas: self.gas,
            cost: self.cost.to_string(),
            reused: self.reused.clone(),
        })
    }

    /// Counts the transactions that the plan takes, with those that an earlier run has made.
    async fn count(&self, plan: &Plan, given: &Given) -> Result<u64, Failure> {
        let reusable = reusable(self.sender.node, plan, given).await?;
        let parts = Part::ALL.iter().filter(|part| {
            let begun = self.journal.has(part.name()) && part.given(given).is_none();
            begun || !reusable.contains(part)
        });
        // The model, its closing and its registering.
        let count =
            parts.count() + writes(&plan.words).count() + 3 + usize::from(given.registry.is_none());
        Ok(count as u64)
    }

    /// A code that is named, that the chain has, or that is created now: by the deployer, so that the chain needs it
    /// once, where there is one.
    async fn shared(&mut self, part: Part, plan: &Plan, given: &Given) -> Result<Address, Failure> {
        if let Some(address) = part.given(given) {
            return Ok(address);
        }
        let (name, code) = (part.name(), part.code(plan));
        let node = self.sender.node;
        let address = bindings::deployed_at(&code);
        // What an earlier run began is ended as it was begun.
        if !self.journal.has(name) && has_code(node, address).await? {
            return Ok(self.reuse(part, address));
        }
        if !bindings::is_deployer(&node.code(bindings::DEPLOYER).await?) {
            return self.create(name, code).await;
        }
        let call = bindings::deploy_call(&code);
        let receipt = match self.step(name, Some(bindings::DEPLOYER), call).await {
            Ok(receipt) => receipt,
            // Somebody else was faster: it is the same code.
            Err(_) if has_code(node, address).await? => return Ok(self.reuse(part, address)),
            Err(failure) => return Err(failure),
        };
        // A release before this one created it directly.
        let address = receipt.created.unwrap_or(address);
        if has_code(node, address).await? {
            return Ok(address);
        }
        Err(anyhow!(
            "the {name} is not at {address}, though the transaction {} was to create it; try again",
            receipt.transaction
        )
        .into())
    }

    fn reuse(&mut self, part: Part, address: Address) -> Address {
        let name = part.name();
        self.narrator.say(format_args!(
            "{name}: the chain has its code already, at {address}"
        ));
        self.reused.push(part);
        address
    }

    /// That both are clones of this release's code: whoever made the factory.
    async fn verify(
        &self,
        plan: &Plan,
        trainer: Address,
        classifier: Address,
    ) -> Result<(), Failure> {
        let node = self.sender.node;
        let (mechanism, kind) = code_of(node, trainer, classifier).await?;
        if mechanism == Some(plan.terms.mechanism()) && kind == Some(plan.classifier.kind()) {
            return Ok(());
        }
        Err(Failure::Mistake(anyhow!(
            "the model that was created runs other code than this release's; is the factory, trainer or \
             classifier that you named another one? Leave it out to have it created"
        )))
    }

    /// Writes the words and closes the model; only a model with the words that are meant is closed.
    async fn fill(
        &mut self,
        plan: &Plan,
        trainer: Address,
        classifier: Address,
    ) -> Result<NodeReceipt, Failure> {
        for (name, call) in writes(&plan.words) {
            self.step(&name, Some(classifier), call).await?;
        }
        let close = bindings::close(trainer);
        if !self.is_done(CLOSED, Some(classifier), &close).await? {
            let head = self.sender.node.head().await?;
            self.compare(plan, trainer, classifier, head.hash).await?;
        }
        let closed = self.step(CLOSED, Some(classifier), close).await?;
        match self
            .compare(plan, trainer, classifier, closed.block_hash)
            .await
        {
            Err(Failure::Fault(error))
                if matches!(
                    error.downcast_ref(),
                    Some(NodeError::StateGone { .. } | NodeError::UnknownBlock { .. })
                ) =>
            {
                tracing::warn!("the node has forgotten the block of the closing");
            }
            compared => compared?,
        }
        Ok(closed)
    }

    /// That the chain has the words that are meant.
    async fn compare(
        &self,
        plan: &Plan,
        trainer: Address,
        classifier: Address,
        block: B256,
    ) -> Result<(), Failure> {
        let count = plan.words.len();
        let reader = Reader::new(self.sender.node, trainer, Some(At::Hash(block)));
        let words = reader.words(classifier, count).await.map_err(unreadable)?;
        match words
            .iter()
            .zip(&plan.words)
            .position(|(found, meant)| found != meant)
        {
            None => Ok(()),
            Some(place) => Err(anyhow!(
                "word {place} of the model is {:#x} on the chain, {:#x} was meant; somebody else writes \
                 with your key: begin anew with another --journal",
                words[place],
                plan.words[place]
            )
            .into()),
        }
    }

    async fn create(&mut self, name: &str, code: Bytes) -> Result<Address, Failure> {
        let receipt = self.step(name, None, code.to_vec()).await?;
        Ok(receipt
            .created
            .with_context(|| format!("the node does not say where the {name} is"))?)
    }

    /// Whether a step is part of the chain.
    async fn is_done(&self, name: &str, to: Option<Address>, data: &[u8]) -> Result<bool, Failure> {
        let chain_id = self.sender.node.chain_id();
        let Some(before) = self.journal.signed(name, chain_id, to, data) else {
            return Ok(false);
        };
        let receipt = self.sender.receipt(&before, Duration::ZERO).await?;
        Ok(receipt.is_some_and(|receipt| receipt.success))
    }

    /// Does a step, or finds that it is done.
    async fn step(
        &mut self,
        name: &str,
        to: Option<Address>,
        data: Vec<u8>,
    ) -> Result<NodeReceipt, Failure> {
        let receipt = match self.begun(name, to, &data).await? {
            Begun::Done(receipt) => receipt,
            Begun::Signed(mut outgoing) => {
                let journal = &mut self.journal;
                self.sender
                    .deliver(&mut outgoing, &mut |it| journal.keep(name, it))
                    .await?
            }
            Begun::Nothing => {
                let mut outgoing = self
                    .sender
                    .prepare(to, 0, data)
                    .await
                    .map_err(|failure| named(name, failure))?;
                let journal = &mut self.journal;
                journal.keep(name, &outgoing)?;
                self.sender
                    .deliver(&mut outgoing, &mut |it| journal.keep(name, it))
                    .await?
            }
        };
        self.done.push(Done {
            step: name.to_owned(),
            transaction: receipt.transaction,
            block: receipt.block,
            gas: receipt.gas_used,
        });
        self.gas += receipt.gas_used;
        self.cost = self.cost.saturating_add(gas_cost(&receipt));
        self.narrator.say(format_args!(
            "{name}: block {}, {} gas",
            receipt.block, receipt.gas_used
        ));
        Ok(receipt)
    }

    /// How far an earlier run came with a step.
    async fn begun(&self, name: &str, to: Option<Address>, data: &[u8]) -> Result<Begun, Failure> {
        let node = self.sender.node;
        let Some(before) = self.journal.signed(name, node.chain_id(), to, data) else {
            return Ok(Begun::Nothing);
        };
        let next = node.nonce(self.sender.key.address()).await?;
        // Once the nonce is used, it is by this transaction or by one of somebody else, after which
        // this one can never be part of the chain.
        let used = next > before.unsigned.nonce;
        let patience = if used { LAG } else { Duration::ZERO };
        match self.sender.receipt(&before, patience).await? {
            Some(receipt) if receipt.success => Ok(Begun::Done(receipt)),
            None if !used => Ok(Begun::Signed(before)),
            None if self.journal.deployed().is_some() => Err(Failure::Fault(anyhow!(
                "the step `{name}` was done before, and the node does not have its transaction any more; nothing \
                 was sent: use a node that keeps receipts"
            ))),
            _ => Ok(Begun::Nothing),
        }
    }
}

enum Begun {
    Nothing,
    Signed(super::send::Outgoing),
    Done(NodeReceipt),
}

fn named(step: &str, failure: Failure) -> Failure {
    failure.context(format!("cannot do the step `{step}`"))
}

/// The steps that write the words of a model: name and call of each.
pub(crate) fn writes(words: &[U256]) -> impl Iterator<Item = (String, Vec<u8>)> {
    let chunks = words.chunks(WORDS_PER_TRANSACTION).enumerate();
    chunks.filter_map(|(chunk, words)| {
        // Storage begins as zero.
        let (from, words) = not_zero(words)?;
        let offset = chunk * WORDS_PER_TRANSACTION + from;
        Some((format!("words {chunk}"), bindings::write(offset, words)))
    })
}

/// The words from the first to the last that are not zero, and where they begin.
fn not_zero(words: &[U256]) -> Option<(usize, &[U256])> {
    let first = words.iter().position(|word| !word.is_zero())?;
    let last = words.iter().rposition(|word| !word.is_zero())?;
    Some((first, &words[first..=last]))
}
