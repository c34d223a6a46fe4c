//! Steps of a deployment through a node: each transaction is done at most once.

use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes};
use cotrain_bindings as bindings;
use cotrain_chain::node::{Node, NodeError, NodeReceipt};
use serde::Serialize;

use super::{DeployError, Step};
use crate::{
    journal::{Journal, JournalError},
    send::{Call, LAG, Outgoing, Sender, gas_cost, start, wait_included},
};

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
        /// Name of the part.
        part: &'a str,
        /// Its address.
        address: Address,
    },
}

/// Code that many models share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shared {
    /// Address of the code.
    pub(crate) address: Address,
    /// `true` if the chain had it already.
    pub(crate) reused: bool,
}

/// Transactions of an account by a journal, so that a later run can resume.
pub(crate) struct Steps<'a> {
    sender: Sender<'a>,
    journal: Journal,
    report: &'a (dyn Fn(DeployEvent<'_>) + Sync),
    done: Vec<Done>,
    gas: u64,
    cost: u128,
}

impl<'a> Steps<'a> {
    /// Begins after the last step of the journal. `report` receives the progress.
    pub(crate) fn new(
        sender: Sender<'a>,
        journal: Journal,
        report: &'a (dyn Fn(DeployEvent<'_>) + Sync),
    ) -> Self {
        Self {
            sender,
            journal,
            report,
            done: Vec::new(),
            gas: 0,
            cost: 0,
        }
    }

    /// Returns the account that sends.
    pub(crate) fn sender(&self) -> &Sender<'a> {
        &self.sender
    }

    /// Returns the journal.
    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Returns the transactions that are part of the chain.
    pub(crate) fn done(&self) -> &[Done] {
        &self.done
    }

    /// Returns the gas of all transactions so far.
    pub(crate) fn gas(&self) -> u64 {
        self.gas
    }

    /// Returns the cost of all gas so far, in wei.
    pub(crate) fn cost(&self) -> u128 {
        self.cost
    }

    /// Notes in the journal that all steps are done, and which contract they made.
    pub(crate) fn finish(&mut self, trainer: Address) -> Result<(), JournalError> {
        self.journal.finish(trainer)
    }

    /// Returns the address of code that many models share: one that the chain has, or one created
    /// now. If the chain has the CREATE2 deployer, that creates the code, so that the chain needs it
    /// only once.
    pub(crate) async fn shared(&mut self, name: &str, code: Bytes) -> Result<Shared, DeployError> {
        let node = self.sender.node;
        let address = bindings::deployed_at(&code);
        let created = |address| Shared {
            address,
            reused: false,
        };
        // A part that an earlier run began is finished in the way that run began it.
        if !self.journal.has(name) && has_code(node, address).await? {
            return Ok(self.reuse(name, address));
        }
        if !bindings::is_deployer(&node.code(bindings::DEPLOYER).await?) {
            return Ok(created(self.create(name, code).await?));
        }
        let call = bindings::deploy_call(&code);
        let receipt = match self.step(name, Some(bindings::DEPLOYER), call).await {
            Ok(receipt) => receipt,
            // Another sender was faster, with the same code.
            Err(_) if has_code(node, address).await? => return Ok(self.reuse(name, address)),
            Err(error) => return Err(error),
        };
        // Earlier releases created the part directly, without the deployer.
        let address = receipt.created.unwrap_or(address);
        if has_code(node, address).await? {
            return Ok(created(address));
        }
        Err(DeployError::NotCreated {
            step: name.to_owned(),
            address,
            transaction: receipt.transaction,
        })
    }

    fn reuse(&self, part: &str, address: Address) -> Shared {
        (self.report)(DeployEvent::Reused { part, address });
        Shared {
            address,
            reused: true,
        }
    }

    /// Creates a contract of this deployment alone.
    pub(crate) async fn create(&mut self, name: &str, code: Bytes) -> Result<Address, DeployError> {
        let receipt = self.step(name, None, code.to_vec()).await?;
        let step = name.to_owned();
        receipt.created.ok_or(DeployError::NoAddress { step })
    }

    /// Returns `true` if a step is part of the chain.
    pub(crate) async fn is_done(&self, step: &Step) -> Result<bool, DeployError> {
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
    pub(crate) async fn step(
        &mut self,
        name: &str,
        to: Option<Address>,
        data: Vec<u8>,
    ) -> Result<NodeReceipt, DeployError> {
        self.step_of(name, to, data, false).await
    }

    /// Does a step that may be due only in the next block, unless it is done.
    pub(crate) async fn step_next(
        &mut self,
        name: &str,
        to: Address,
        data: Vec<u8>,
    ) -> Result<NodeReceipt, DeployError> {
        self.step_of(name, Some(to), data, true).await
    }

    async fn step_of(
        &mut self,
        name: &str,
        to: Option<Address>,
        data: Vec<u8>,
        next_block: bool,
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
                let prepared = if next_block {
                    self.sender.prepare_next(call).await
                } else {
                    self.sender.prepare(call).await
                };
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

/// Returns `true` if an address has code.
pub(super) async fn has_code(node: &Node, address: Address) -> Result<bool, NodeError> {
    Ok(!node.code(address).await?.is_empty())
}
