//! Deploying a model through a node, resumable: each transaction is done at most once.

use alloy_primitives::{Address, B256, Bytes};
use cotrain_bindings as bindings;
use cotrain_chain::{
    ChainError,
    node::{At, Node, NodeError, NodeReceipt},
};
use serde::Serialize;

use super::{
    Blueprint, CLOSED, Created, DeployError, DeployEvent, Done, Next, Part, REGISTERED, REGISTRY,
    Sequence, Step,
    steps::{Steps, has_code},
};
use crate::{
    card::Card,
    identity::Facts,
    journal::{Journal, JournalError},
    model::{ReadError, Reader, code_of},
    send::Sender,
};

/// Existing contracts that the caller names.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given {
    /// Registry of models.
    pub registry: Option<Address>,
    /// Factory of models.
    pub factory: Option<Address>,
    /// Implementation of the contract that holds money and records.
    pub trainer: Option<Address>,
    /// Implementation of the learner.
    pub classifier: Option<Address>,
}

impl Given {
    pub(super) const fn part(&self, part: Part) -> Option<Address> {
        match part {
            Part::Factory => self.factory,
            Part::Trainer => self.trainer,
            Part::Classifier => self.classifier,
        }
    }

    /// Returns the facts that another run must share with this one to resume from its journal.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let contracts = [
            ("registry", self.registry),
            ("factory", self.factory),
            ("trainer code", self.trainer),
            ("classifier code", self.classifier),
        ];
        let words = |address: Option<Address>| {
            address.map_or_else(|| "new".to_owned(), |it| it.to_string())
        };
        contracts
            .into_iter()
            .map(|(name, address)| (name.to_owned(), words(address)))
            .collect()
    }
}

/// Model that was deployed, with the contracts that it uses.
#[derive(Debug, Clone, Serialize)]
pub struct Deployed {
    /// Contract that holds money and records.
    pub trainer: Address,
    /// Contract that holds the model.
    pub classifier: Address,
    /// Registry that lists the model.
    pub registry: Address,
    /// Factory that created it.
    pub factory: Address,
    /// Implementation that the trainer is a clone of.
    pub trainer_implementation: Address,
    /// Implementation that the classifier is a clone of.
    pub classifier_implementation: Address,
    /// Height of the block of the model's closing.
    pub block: u64,
    /// Number of transactions.
    pub transactions: u64,
    /// Gas of all transactions.
    pub gas: u64,
    /// Cost of all gas in wei, as text: it may exceed the numbers of other JSON readers.
    pub cost: String,
    /// Parts whose code the chain had already.
    pub reused: Vec<Part>,
}

/// Finds the parts that a deployment need not pay for. The caller names them, or the chain has
/// their code at the address that the CREATE2 deployer gives it.
///
/// # Errors
/// If the node does not answer.
pub async fn reusable(
    node: &Node,
    blueprint: &Blueprint,
    given: &Given,
) -> Result<Vec<Part>, NodeError> {
    let mut found = Vec::new();
    for part in Part::ALL {
        let there = match given.part(part) {
            Some(_) => true,
            None => has_code(node, bindings::deployed_at(&blueprint.code(part))).await?,
        };
        if there {
            found.push(part);
        }
    }
    Ok(found)
}

/// Finds the steps of a begun deployment that are part of the chain.
///
/// # Errors
/// If the node does not answer.
pub async fn done_before<'a>(node: &Node, begun: &'a Journal) -> Result<Vec<&'a str>, NodeError> {
    let mut done = Vec::new();
    for (name, hashes) in begun.steps() {
        for hash in hashes {
            let receipt = node.receipt(hash).await?;
            if receipt.is_some_and(|receipt| receipt.success) {
                done.push(name);
                break;
            }
        }
    }
    Ok(done)
}

/// Deployment in progress.
pub struct Deployer<'a> {
    steps: Steps<'a>,
    of: u64,
    reused: Vec<Part>,
}

impl<'a> Deployer<'a> {
    /// Begins a deployment, or resumes it after the last step of the journal. `report` receives the
    /// progress.
    pub fn new(
        sender: Sender<'a>,
        journal: Journal,
        report: &'a (dyn Fn(DeployEvent<'_>) + Sync),
    ) -> Self {
        Self {
            steps: Steps::new(sender, journal, report),
            of: 0,
            reused: Vec::new(),
        }
    }

    /// Returns the transactions that are part of the chain.
    #[must_use]
    pub fn done(&self) -> &[Done] {
        self.steps.done()
    }

    /// Returns the number of all transactions, once [`run`](Self::run) has counted them.
    #[must_use]
    pub fn transactions(&self) -> u64 {
        self.of
    }

    /// Returns the cost of all gas so far, in wei.
    #[must_use]
    pub fn cost(&self) -> u128 {
        self.steps.cost()
    }

    /// Notes in the journal that the deployment is done.
    ///
    /// # Errors
    /// [`JournalError::Unwritable`].
    pub fn finish(&mut self, deployed: &Deployed) -> Result<(), JournalError> {
        self.steps.finish(deployed.trainer)
    }

    fn node(&self) -> &'a Node {
        self.steps.sender().node
    }

    /// Deploys a model and registers it with its card. Steps that an earlier run did are skipped.
    /// The card gets the block of the model's closing.
    ///
    /// # Errors
    /// [`DeployError`]. The journal has every signed transaction, so that a later run can resume.
    pub async fn run(
        &mut self,
        blueprint: &Blueprint,
        given: &Given,
        card: &Card,
    ) -> Result<Deployed, DeployError> {
        self.of = self.count(blueprint, given).await?;
        let registry = match given.registry {
            Some(registry) => {
                check_registry(self.node(), registry).await?;
                registry
            }
            None => {
                self.steps
                    .create(REGISTRY, bindings::registry_code())
                    .await?
            }
        };
        let mut sequence = Sequence::new(blueprint);
        let mut block = 0;
        let created = loop {
            match sequence.next() {
                Next::Part(part) => {
                    let address = self.part(part, blueprint.code(part), given).await?;
                    sequence.provide(address);
                }
                Next::Call(step) => {
                    let created = sequence.created();
                    let receipt = if let Some(created) = created.filter(|_| step.name == CLOSED) {
                        self.close(blueprint, created, step).await?
                    } else {
                        let to = Some(step.to);
                        self.steps.step(&step.name, to, step.data).await?
                    };
                    sequence.sent(receipt.logs.iter().map(|log| &log.log))?;
                    if created.is_none()
                        && let Some(created) = sequence.created()
                    {
                        self.check_code(blueprint, created).await?;
                    }
                    block = receipt.block;
                }
                Next::Nothing(created) => break created,
            }
        };
        let card = card.closed_in(block).to_bytes()?;
        let call = bindings::register(created.trainer, &card);
        self.steps.step(REGISTERED, Some(registry), call).await?;
        let part = |part| sequence.part(part).unwrap_or_default();
        Ok(Deployed {
            trainer: created.trainer,
            classifier: created.classifier,
            registry,
            factory: part(Part::Factory),
            trainer_implementation: part(Part::Trainer),
            classifier_implementation: part(Part::Classifier),
            block,
            transactions: self.steps.done().len() as u64,
            gas: self.steps.gas(),
            cost: self.steps.cost().to_string(),
            reused: self.reused.clone(),
        })
    }

    /// Counts the transactions of the whole deployment, including those of earlier runs.
    async fn count(&self, blueprint: &Blueprint, given: &Given) -> Result<u64, NodeError> {
        let reusable = reusable(self.node(), blueprint, given).await?;
        let parts = Part::ALL.iter().filter(|part| {
            let begun = self.steps.journal().has(part.name()) && given.part(**part).is_none();
            begun || !reusable.contains(part)
        });
        // The last one registers the model.
        let count = parts.count()
            + blueprint.model_transactions()
            + 1
            + usize::from(given.registry.is_none());
        Ok(count as u64)
    }

    /// Returns the address of a part: a given one, one that the chain has, or one created now.
    async fn part(
        &mut self,
        part: Part,
        code: Bytes,
        given: &Given,
    ) -> Result<Address, DeployError> {
        if let Some(address) = given.part(part) {
            return Ok(address);
        }
        let code = self.steps.shared(part.name(), code).await?;
        if code.reused {
            self.reused.push(part);
        }
        Ok(code.address)
    }

    /// Checks that both contracts are clones of this release's code, even if another factory
    /// created them.
    async fn check_code(&self, blueprint: &Blueprint, created: Created) -> Result<(), DeployError> {
        let node = self.node();
        let (mechanism, kind) = code_of(node, created.trainer, created.classifier).await?;
        if blueprint.is_code(mechanism, kind) {
            return Ok(());
        }
        Err(DeployError::OtherCode)
    }

    /// Closes a model if it has the deployment's words, and checks that it still has them
    /// afterwards.
    async fn close(
        &mut self,
        blueprint: &Blueprint,
        created: Created,
        step: Step,
    ) -> Result<NodeReceipt, DeployError> {
        if !self.steps.is_done(&step).await? {
            let head = self.node().head().await?;
            self.compare(blueprint, created, head.hash).await?;
        }
        let to = Some(step.to);
        let closed = self.steps.step(&step.name, to, step.data).await?;
        match self.compare(blueprint, created, closed.block_hash).await {
            Err(DeployError::Read(ReadError::Node {
                source: NodeError::StateGone { .. } | NodeError::UnknownBlock { .. },
                ..
            })) => tracing::warn!("the node has forgotten the block of the closing"),
            compared => compared?,
        }
        Ok(closed)
    }

    /// Checks that the chain has the deployment's words.
    async fn compare(
        &self,
        blueprint: &Blueprint,
        created: Created,
        block: B256,
    ) -> Result<(), DeployError> {
        let written = blueprint.words();
        let reader = Reader::new(self.node(), created.trainer, Some(At::Hash(block)));
        let found = reader.words(created.classifier, written.len()).await?;
        let differs = found.iter().zip(written).position(|(a, b)| a != b);
        match differs {
            None => Ok(()),
            Some(index) => Err(DeployError::OtherWord {
                index,
                found: found[index],
                written: written[index],
            }),
        }
    }
}

/// Checks that a registry is at an address.
async fn check_registry(node: &Node, registry: Address) -> Result<(), DeployError> {
    let answer = node.call(registry, bindings::registry_count(), None).await;
    let reason = match answer.map(|answer| bindings::read_number(&answer)) {
        Ok(Some(_)) => return Ok(()),
        Ok(None) => ChainError::UnexpectedAnswer { call: "count" },
        Err(error) => error.into(),
    };
    Err(DeployError::NoRegistry {
        registry,
        reason: Box::new(reason),
    })
}
