//! Driving of rounds: the actions that are due, each as large as a transaction allows.

use std::path::PathBuf;

use alloy_primitives::{Bytes, U256};
use alloy_sol_types::SolCall;
use cotrain_bindings::federated::FederatedTrainer;
use cotrain_chain::node::NodeReceipt;

use super::{
    due::{Action, Due, due},
    events::RoundEvents,
    facts::{RoundFacts, RoundsError},
    round::Round,
};
use crate::{
    estimate::{Misfit, judge, judge_smallest},
    market::{TestSet, TestSetError},
    send::{Call, SendError, Sender},
    split::{Attempt, Split, split_to_fit},
};

/// Account that drives the rounds of a trainer.
#[derive(Debug)]
pub struct Work<'a> {
    sender: &'a Sender<'a>,
    facts: &'a RoundFacts,
    events: RoundEvents,
    /// File of the owner's test set.
    test_set: PathBuf,
    /// Number of samples that one call scored last.
    pace: usize,
}

/// Failure to drive a round.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkError {
    /// The round cannot be read.
    #[error(transparent)]
    Rounds(#[from] RoundsError),
    /// A transaction cannot be sent, or failed.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The test set cannot be read.
    #[error(transparent)]
    TestSet(#[from] TestSetError),
}

/// An action that is part of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worked {
    /// The action.
    pub action: Action,
    /// Number of the round.
    pub round: u64,
    /// Number of samples that it scored.
    pub samples: usize,
    /// Receipt of the transaction.
    pub receipt: NodeReceipt,
}

/// An action that fits a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// The action.
    pub action: Action,
    /// Gas that it was estimated at.
    pub gas: u64,
    round: u64,
    samples: usize,
    data: Bytes,
}

impl<'a> Work<'a> {
    /// Begins to drive a trainer that was created in block `from_block` or later. `test_set` is the
    /// file that the owner reveals from.
    #[must_use]
    pub fn new(
        sender: &'a Sender<'a>,
        facts: &'a RoundFacts,
        from_block: u64,
        test_set: PathBuf,
    ) -> Self {
        Self {
            sender,
            facts,
            events: RoundEvents::new(facts, from_block),
            test_set,
            pace: usize::MAX,
        }
    }

    /// Returns the events that were read.
    #[must_use]
    pub fn events(&self) -> &RoundEvents {
        &self.events
    }

    /// Reads the current round, and tells what it needs next.
    ///
    /// # Errors
    /// [`RoundsError`].
    pub async fn look(&mut self) -> Result<(Round, Due), RoundsError> {
        self.events.update(self.sender.node).await?;
        let round = Round::read(self.sender.node, self.facts).await?;
        let is_owner = self.sender.address() == self.facts.owner;
        let due = due(&round, self.events.draw(), is_owner);
        Ok((round, due))
    }

    /// Prepares an action as one transaction.
    ///
    /// # Errors
    /// [`WorkError`].
    pub async fn prepare(&self, round: &Round, action: Action) -> Result<Ready, WorkError> {
        let data = match action {
            Action::Score => return self.prepare_score(round).await,
            Action::Draw => FederatedTrainer::drawCall {}.abi_encode(),
            Action::RevealTest => {
                let call = self.reveal_test(round)?;
                call.ok_or_else(|| RoundsError::Contradictory {
                    trainer: self.facts.trainer,
                    reason: format!("the test set has no part {}", round.part),
                })?
            }
            Action::Aggregate => {
                let updates = self.events.joined(round, round.admitted)?;
                FederatedTrainer::aggregateCall { updates }.abi_encode()
            }
            Action::Settle => FederatedTrainer::settleCall {}.abi_encode(),
            Action::Fail => FederatedTrainer::failCall {}.abi_encode(),
        };
        let data = Bytes::from(data);
        let gas = self.estimate(data.clone()).await;
        Ok(Ready {
            gas: judge_smallest(gas, None).map_err(refused)?,
            action,
            round: round.number,
            samples: 0,
            data,
        })
    }

    /// Prepares as many of the remaining samples as a transaction can score.
    async fn prepare_score(&self, round: &Round) -> Result<Ready, WorkError> {
        let updates = self.events.joined(round, round.revealed)?;
        let items = self.events.items().cloned().unwrap_or_default();
        let scored = usize::try_from(round.scored).unwrap_or(usize::MAX);
        let left = self.events.samples().saturating_sub(scored);
        let split = split_to_fit(left, self.pace, async |count| {
            let call = FederatedTrainer::scoreCall {
                from: U256::from(round.scored),
                count: U256::from(count),
                updates: updates.clone(),
                items: items.clone(),
            };
            let data = Bytes::from(call.abi_encode());
            let judge = if count == 1 { judge_smallest } else { judge };
            match judge(self.estimate(data.clone()).await, None) {
                Ok(gas) => Ok(Attempt::Fits(Ready {
                    action: Action::Score,
                    gas,
                    round: round.number,
                    samples: count,
                    data,
                })),
                Err(Misfit::TooLarge(error) | Misfit::Unclear(error)) => {
                    tracing::info!(count, %error, "too many samples for one transaction");
                    Ok(Attempt::TooMany(*error))
                }
                Err(misfit) => Err(refused(misfit)),
            }
        });
        match split.await? {
            Split::Fits { transaction, .. } => Ok(transaction),
            Split::Alone(error) => Err(error.into()),
            Split::Nothing => Err(RoundsError::Contradictory {
                trainer: self.facts.trainer,
                reason: "the events have no samples to score".to_owned(),
            }
            .into()),
        }
    }

    /// Sends a prepared action, and waits until it is included.
    ///
    /// # Errors
    /// [`WorkError::Send`].
    pub async fn send(&mut self, ready: Ready) -> Result<Worked, WorkError> {
        let call = self.call(ready.data);
        let receipt = self.sender.send_estimated(call, ready.gas).await?;
        if ready.samples > 0 {
            self.pace = ready.samples;
        }
        Ok(Worked {
            action: ready.action,
            round: ready.round,
            samples: ready.samples,
            receipt,
        })
    }

    /// Makes a block, on a chain that makes blocks only for transactions.
    ///
    /// # Errors
    /// [`WorkError::Send`].
    pub async fn make_block(&self) -> Result<(), WorkError> {
        let nothing = Call {
            to: Some(self.sender.address()),
            value: 0,
            data: Bytes::new(),
        };
        self.sender.send(nothing).await?;
        Ok(())
    }

    /// Returns the call that reveals the drawn part; `None` if the test set has no such part.
    fn reveal_test(&self, round: &Round) -> Result<Option<Vec<u8>>, TestSetError> {
        let (trainer, commitments) = (self.facts.trainer, self.events.commitments());
        let set = TestSet::load_committed(&self.test_set, trainer, commitments)?;
        let call = |(salt, items)| {
            let items = Bytes::copy_from_slice(items);
            FederatedTrainer::revealTestCall { salt, items }.abi_encode()
        };
        Ok(set.part(round.part).map(call))
    }

    async fn estimate(&self, data: Bytes) -> Result<u64, SendError> {
        self.sender.estimate_next(&self.call(data)).await
    }

    fn call(&self, data: Bytes) -> Call {
        Call {
            to: Some(self.facts.trainer),
            value: 0,
            data,
        }
    }
}

/// Returns the failure of a call that no smaller one replaces.
fn refused(misfit: Misfit) -> WorkError {
    let (Misfit::TooLarge(error)
    | Misfit::Unclear(error)
    | Misfit::NotYet(error)
    | Misfit::Refused(error)
    | Misfit::Failed(error)) = misfit;
    WorkError::Send(*error)
}
