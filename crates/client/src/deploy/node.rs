//! Deploying a model through a node, resumable: each transaction is done at most once.

use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes};
use cotrain_bindings as bindings;
use cotrain_chain::{
    ChainError,
    node::{At, Node, NodeError, NodeReceipt},
};
use serde::Serialize;

use super::{Blueprint, CLOSED, Created, Next, Part, REGISTERED, REGISTRY, Sequence, Silent, Step};
use crate::{
    card::{Card, CardError},
    identity::Facts,
    journal::{Journal, JournalError},
    model::{ReadError, Reader, code_of},
    send::{Call, LAG, Outgoing, SendError, Sender, gas_cost, start, wait_included},
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

/// Transaction of a deployment that is part of the chain.
#[derive(Debug, Clone, Serialize)]
pub struct Done {
    step: String,
    transaction: B256,
    block: u64,
    gas: u64,
}

/// Progress of a deployment, for its observers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeployEvent<'a> {
    /// A step is part of the chain.
    Done {
        /// Name of the step.
        step: &'a str,
        /// Height of its block.
        block: u64,
        /// Gas that it used.
        gas: u64,
    },
    /// The chain has the code of a part already.
    Reused {
        /// The part.
        part: Part,
        /// Its address.
        address: Address,
    },
}

/// Failure to end a deployment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeployError {
    /// The node failed.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A transaction cannot be prepared; nothing of its step was sent.
    #[error("cannot do the step `{step}`")]
    Step {
        /// Name of the step.
        step: String,
        /// The failure.
        source: SendError,
    },
    /// A transaction failed after it was prepared.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The model cannot be read back.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The named address has no registry.
    #[error("there is no registry at {registry} ({reason})")]
    NoRegistry {
        /// The address.
        registry: Address,
        /// Answer of the node.
        reason: Box<ChainError>,
    },
    /// The factory emitted no event of a creation.
    #[error(transparent)]
    Silent(#[from] Silent),
    /// The receipt of a creation has no address.
    #[error("the node does not say where the {step} is")]
    NoAddress {
        /// Name of the step.
        step: String,
    },
    /// A transaction is included, but its contract does not exist.
    #[error(
        "the {step} is not at {address}, though the transaction {transaction} was to create it; try again"
    )]
    NotCreated {
        /// Name of the step.
        step: &'static str,
        /// Address of the contract.
        address: Address,
        /// Hash of the transaction.
        transaction: B256,
    },
    /// A named contract has other code.
    #[error(
        "the model that was created runs other code than this release's; is the factory, trainer or classifier that you \
         named another one? Leave it out to have it created"
    )]
    OtherCode,
    /// The chain has another word than the deployment wrote.
    #[error(
        "word {index} of the model is {found:#x} on the chain, {written:#x} was meant; somebody else writes with your key: \
         begin anew with another journal"
    )]
    OtherWord {
        /// Index of the word.
        index: usize,
        /// Word on the chain.
        found: alloy_primitives::U256,
        /// Word that was written.
        written: alloy_primitives::U256,
    },
    /// A step was done before, and the node does not know its transaction.
    #[error(
        "the step `{step}` was done before, and the node does not have its transaction any more; nothing was sent: use a \
         node that keeps receipts"
    )]
    Forgotten {
        /// Name of the step.
        step: String,
    },
    /// The model's card cannot be registered.
    #[error(transparent)]
    Card(#[from] CardError),
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

pub(super) async fn has_code(node: &Node, address: Address) -> Result<bool, NodeError> {
    Ok(!node.code(address).await?.is_empty())
}

/// Deployment in progress.
pub struct Deployer<'a> {
    sender: Sender<'a>,
    journal: Journal,
    report: &'a (dyn Fn(DeployEvent<'_>) + Sync),
    done: Vec<Done>,
    of: u64,
    reused: Vec<Part>,
    gas: u64,
    cost: u128,
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
            sender,
            journal,
            report,
            done: Vec::new(),
            of: 0,
            reused: Vec::new(),
            gas: 0,
            cost: 0,
        }
    }

    /// Returns the transactions that are part of the chain.
    #[must_use]
    pub fn done(&self) -> &[Done] {
        &self.done
    }

    /// Returns the number of all transactions, once [`run`](Self::run) has counted them.
    #[must_use]
    pub fn transactions(&self) -> u64 {
        self.of
    }

    /// Returns the cost of all gas so far, in wei.
    #[must_use]
    pub fn cost(&self) -> u128 {
        self.cost
    }

    /// Notes in the journal that the deployment is done.
    ///
    /// # Errors
    /// [`JournalError::Unwritable`].
    pub fn finish(&mut self, deployed: &Deployed) -> Result<(), JournalError> {
        self.journal.finish(deployed.trainer)
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
                check_registry(self.sender.node, registry).await?;
                registry
            }
            None => self.create(REGISTRY, bindings::registry_code()).await?,
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
                    let receipt = match created.filter(|_| step.name == CLOSED) {
                        Some(created) => self.close(blueprint, created, step).await?,
                        None => self.step(&step.name, Some(step.to), step.data).await?,
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
        self.step(REGISTERED, Some(registry), call).await?;
        let part = |part| sequence.part(part).unwrap_or_default();
        Ok(Deployed {
            trainer: created.trainer,
            classifier: created.classifier,
            registry,
            factory: part(Part::Factory),
            trainer_implementation: part(Part::Trainer),
            classifier_implementation: part(Part::Classifier),
            block,
            transactions: self.done.len() as u64,
            gas: self.gas,
            cost: self.cost.to_string(),
            reused: self.reused.clone(),
        })
    }

    /// Counts the transactions of the whole deployment, including those of earlier runs.
    async fn count(&self, blueprint: &Blueprint, given: &Given) -> Result<u64, NodeError> {
        let reusable = reusable(self.sender.node, blueprint, given).await?;
        let parts = Part::ALL.iter().filter(|part| {
            let begun = self.journal.has(part.name()) && given.part(**part).is_none();
            begun || !reusable.contains(part)
        });
        // The last one registers the model.
        let count = parts.count()
            + blueprint.model_transactions()
            + 1
            + usize::from(given.registry.is_none());
        Ok(count as u64)
    }

    /// Returns the address of a part: a given one, one that the chain has, or one created now. If
    /// the chain has the CREATE2 deployer, that creates the part, so that the chain needs its code
    /// only once.
    async fn part(
        &mut self,
        part: Part,
        code: Bytes,
        given: &Given,
    ) -> Result<Address, DeployError> {
        if let Some(address) = given.part(part) {
            return Ok(address);
        }
        let name = part.name();
        let node = self.sender.node;
        let address = bindings::deployed_at(&code);
        // A part that an earlier run began is finished in the way that run began it.
        if !self.journal.has(name) && has_code(node, address).await? {
            return Ok(self.reuse(part, address));
        }
        if !bindings::is_deployer(&node.code(bindings::DEPLOYER).await?) {
            return self.create(name, code).await;
        }
        let call = bindings::deploy_call(&code);
        let receipt = match self.step(name, Some(bindings::DEPLOYER), call).await {
            Ok(receipt) => receipt,
            // Another sender was faster, with the same code.
            Err(_) if has_code(node, address).await? => return Ok(self.reuse(part, address)),
            Err(error) => return Err(error),
        };
        // Earlier releases created the part directly, without the deployer.
        let address = receipt.created.unwrap_or(address);
        if has_code(node, address).await? {
            return Ok(address);
        }
        Err(DeployError::NotCreated {
            step: name,
            address,
            transaction: receipt.transaction,
        })
    }

    fn reuse(&mut self, part: Part, address: Address) -> Address {
        (self.report)(DeployEvent::Reused { part, address });
        self.reused.push(part);
        address
    }

    /// Checks that both contracts are clones of this release's code, even if another factory
    /// created them.
    async fn check_code(&self, blueprint: &Blueprint, created: Created) -> Result<(), DeployError> {
        let node = self.sender.node;
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
        if !self.is_done(&step).await? {
            let head = self.sender.node.head().await?;
            self.compare(blueprint, created, head.hash).await?;
        }
        let closed = self.step(&step.name, Some(step.to), step.data).await?;
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
        let reader = Reader::new(self.sender.node, created.trainer, Some(At::Hash(block)));
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

    async fn create(&mut self, name: &str, code: Bytes) -> Result<Address, DeployError> {
        let receipt = self.step(name, None, code.to_vec()).await?;
        let step = name.to_owned();
        receipt.created.ok_or(DeployError::NoAddress { step })
    }

    /// Returns `true` if a step is part of the chain.
    async fn is_done(&self, step: &Step) -> Result<bool, DeployError> {
        let node = self.sender.node;
        let before = self
            .journal
            .signed(&step.name, node.chain_id(), Some(step.to), &step.data);
        let Some(before) = before else {
            return Ok(false);
        };
        let receipt = wait_included(node, &before, Duration::ZERO).await?;
        Ok(receipt.is_some_and(|receipt| receipt.success))
    }

    /// Does a step, unless it is done.
    async fn step(
        &mut self,
        name: &str,
        to: Option<Address>,
        data: Vec<u8>,
    ) -> Result<NodeReceipt, DeployError> {
        let receipt = match self.begun(name, to, &data).await? {
            Begun::Done(receipt) => receipt,
            Begun::Signed(mut outgoing) => {
                let id = name.to_owned();
                self.sender
                    .deliver(&mut self.journal, &id, &mut outgoing)
                    .await?
            }
            Begun::Nothing => {
                let call = Call {
                    to,
                    value: 0,
                    data: data.into(),
                };
                let prepared = self.sender.prepare(call).await;
                let mut outgoing = prepared.map_err(|source| DeployError::Step {
                    step: name.to_owned(),
                    source,
                })?;
                let id = start(&mut self.journal, name, &outgoing).await?;
                self.sender
                    .deliver(&mut self.journal, &id, &mut outgoing)
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
        (self.report)(DeployEvent::Done {
            step: name,
            block: receipt.block,
            gas: receipt.gas_used,
        });
        Ok(receipt)
    }

    /// Returns an earlier run's progress with a step.
    async fn begun(
        &self,
        name: &str,
        to: Option<Address>,
        data: &[u8],
    ) -> Result<Begun, DeployError> {
        let node = self.sender.node;
        let Some(before) = self.journal.signed(name, node.chain_id(), to, data) else {
            return Ok(Begun::Nothing);
        };
        let next = node.nonce(self.sender.address()).await?;
        // A used nonce belongs to this transaction or to another one. If it belongs to another one,
        // this one can never be part of the chain.
        let used = next > before.unsigned.nonce;
        let patience = if used { LAG } else { Duration::ZERO };
        match wait_included(node, &before, patience).await? {
            Some(receipt) if receipt.success => Ok(Begun::Done(receipt)),
            None if !used => Ok(Begun::Signed(before)),
            None if self.journal.deployed().is_some() => Err(DeployError::Forgotten {
                step: name.to_owned(),
            }),
            _ => Ok(Begun::Nothing),
        }
    }
}

/// Progress of an earlier run with a step.
enum Begun {
    Nothing,
    Signed(Outgoing),
    Done(NodeReceipt),
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
