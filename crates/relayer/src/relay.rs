//! Relays signed batches, many in one transaction.

use std::{collections::HashMap, sync::Arc, time::Duration};

use alloy_primitives::{Address, B256, U256};
use cotrain_bindings as bindings;
use cotrain_chain::{
    TRANSACTION_GAS_LIMIT,
    node::{Node, NodeError},
};
use cotrain_client::{
    estimate::Misfit,
    gas, gas_fees,
    send::SendError,
    split::{Attempt, Split, split_to_fit},
};
use cotrain_indexer::{HostedModel, with_sources};
use cotrain_protocol::{
    Amount,
    trainer::{SignedBatch, covering_gas, domain},
};

use crate::{
    clock,
    outbox::{Call, Outbox, OutboxError},
    pending::{Urgency, max_cost},
    queue::Queue,
    rows::Submission,
};

/// Number of pending batches to consider for each contribution that fits a transaction.
const LOOK_AT: u32 = 8;

/// Options of the relayer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayOptions {
    /// Maximum number of contributions in one transaction.
    pub max_batch: u32,
    /// Maximum time that a contribution waits for others.
    pub max_age: Duration,
    /// Minimum fee for each contribution, in wei.
    pub min_fee: u128,
    /// Maximum price of gas, in wei per unit; `None` if unlimited.
    /// If the price is higher, the relayer sends nothing, and no sent transaction offers more.
    pub max_gas_price: Option<u128>,
    /// Maximum number of pending signed batches.
    pub max_waiting: u64,
}

/// Relay of one model.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) node: Node,
    pub(crate) queue: Queue,
    pub(crate) model: Arc<HostedModel>,
    pub(crate) options: RelayOptions,
}

impl Relay {
    /// Sends the batches that are due, unless a relay transaction of this model is pending.
    ///
    /// Contributions in quick succession raise the price.
    /// So the next batches are priced after the previous ones are included.
    pub(crate) async fn run(&self, outbox: &mut Outbox) -> Result<(), OutboxError> {
        let id = self.model.id();
        let Some(urgency) = self.queue.pending(self.model.id()).urgency() else {
            return Ok(());
        };
        let now = self.node.now().await?;
        if !self.is_due(urgency, now) || self.queue.store().is_on_its_way(id, "relay").await? {
            return Ok(());
        }
        let limit = self.options.max_batch.saturating_mul(LOOK_AT);
        let expired = self.queue.store().expired(id, now, limit).await?;
        self.refuse_hopeless(expired, now, outbox.address()).await?;
        let gas_fees = self.node.gas_fees().await?;
        if gas_fees::is_too_dear(&gas_fees, self.options.max_gas_price) {
            tracing::debug!(base = gas_fees.base, "gas is too dear to relay");
            return Ok(());
        }
        // A batch that failed before goes alone, so that it cannot fail others.
        let failed = self.queue.store().failed(id, limit).await?;
        let failed = self.refuse_hopeless(failed, now, outbox.address()).await?;
        let waiting = self.queue.store().waiting(id, limit).await?;
        let waiting = self.refuse_hopeless(waiting, now, outbox.address()).await?;
        let mut chosen = choose(&self.model, &failed, 1, now);
        if chosen.is_empty() {
            chosen = choose(&self.model, &waiting, self.options.max_batch, now);
        }
        // The batches may fail only together, so smaller numbers are tried.
        let (sender, all) = (outbox.address(), &chosen);
        let split = split_to_fit(all.len(), all.len(), |size| async move {
            match self.prepare(sender, &all[..size]).await {
                Ok(Some(call)) => Ok::<_, OutboxError>(Attempt::Fits(call)),
                Ok(None) => Ok(Attempt::TooMany(
                    "it needs more gas than a transaction may have".to_owned(),
                )),
                Err(error) => {
                    let problem =
                        theirs(Misfit::new(error.into(), None), size).map_err(|error| *error)?;
                    tracing::debug!(problem, batches = size, "these fail together");
                    Ok(Attempt::TooMany(problem))
                }
            }
        });
        match split.await? {
            Split::Fits { size, transaction } => {
                let ids: Vec<_> = chosen[..size].iter().map(|one| one.id).collect();
                outbox.send(transaction, &ids).await?;
            }
            Split::Alone(problem) => {
                let alone = chosen[0];
                tracing::warn!(id = %alone.id, problem, "refusing");
                let reason = format!("it cannot be relayed: {problem}");
                self.refuse(&[(alone.id, reason)], &[alone]).await?;
            }
            Split::Nothing => {}
        }
        Ok(())
    }

    /// Returns the call that relays these batches; `None` if it needs too much gas.
    async fn prepare(
        &self,
        from: Address,
        chosen: &[&Submission],
    ) -> Result<Option<Call>, NodeError> {
        let info = self.model.info();
        let batches: Vec<SignedBatch> = chosen
            .iter()
            .map(|submission| submission.batch.clone())
            .collect();
        let gas_per_batch = self.gas_per_batch(&batches).await?;
        let data = bindings::relay(&batches, gas_per_batch);
        let gas = self
            .node
            .estimate(from, Some(info.facts.trainer), U256::ZERO, data.clone())
            .await?;
        // A contract wallet's code may use more gas in the block than in the estimate.
        let domain = domain(info.facts.chain_id, info.facts.trainer);
        let wallets = batches
            .iter()
            .filter(|batch| batch.signer(&domain) != Some(batch.author))
            .count() as u64;
        // Even a single batch gets the whole margin: the relayer pays for what others signed.
        let gas_limit = covering_gas(gas::with_margin(gas), wallets, gas_per_batch);
        Ok((gas_limit <= TRANSACTION_GAS_LIMIT).then(|| Call {
            model: self.model.id(),
            purpose: "relay",
            to: info.facts.trainer,
            data: data.into(),
            gas_limit,
        }))
    }

    /// Returns the gas limit of one batch: twice the gas of the longest lesson, taught alone.
    ///
    /// The lesson may cost more later, and a contract wallet may have to check a signature.
    /// Unused gas costs nothing.
    async fn gas_per_batch(&self, batches: &[SignedBatch]) -> Result<u64, NodeError> {
        let info = self.model.info();
        let Some(longest) = batches.iter().max_by_key(|batch| batch.items.len()) else {
            return Ok(0);
        };
        let lesson = bindings::learn(&longest.items);
        let gas = self
            .node
            .estimate(
                info.facts.trainer,
                Some(info.facts.classifier),
                U256::ZERO,
                lesson,
            )
            .await?;
        Ok((2 * gas).min(TRANSACTION_GAS_LIMIT / 2))
    }

    /// Refuses batches that can never be sent; returns the others.
    async fn refuse_hopeless(
        &self,
        waiting: Vec<Submission>,
        now: u64,
        sender: Address,
    ) -> Result<Vec<Submission>, OutboxError> {
        let mut refused = Vec::new();
        let (mut rest, mut gone) = (Vec::new(), Vec::new());
        {
            let state = self.model.state();
            for submission in waiting {
                let SignedBatch {
                    author,
                    nonce,
                    deadline,
                    max_deposit,
                    ..
                } = submission.batch;
                if now > deadline {
                    // Name the price as a reason only if it is still too high.
                    let price = state.trainer().price(submission.contributions.into(), now);
                    let why = if price > max_deposit {
                        format!(
                            ": each contribution costs a deposit of {} now, and it allows {}",
                            Amount(price),
                            Amount(max_deposit)
                        )
                    } else {
                        String::new()
                    };
                    refused.push((submission.id, format!(
                        "its deadline, second {deadline} of the chain's time, passed before it could be relayed{why}; sign it anew with a later deadline"
                    )));
                    gone.push(submission);
                } else if !submission.batch.may_be_sent_by(sender) {
                    // The batch was taken before the coordinator's key changed.
                    refused.push((submission.id, format!(
                        "it was signed for the relayer {}, and {sender} relays here now; sign it anew for {sender}",
                        submission.batch.relayer
                    )));
                    gone.push(submission);
                } else if state.trainer().nonce_used(author, nonce) {
                    refused.push((
                        submission.id,
                        format!(
                            "its nonce {nonce} was used or canceled; sign it anew with nonce {}",
                            state.trainer().next_nonce(author)
                        ),
                    ));
                    gone.push(submission);
                } else if state.trainer().balance(author) < max_cost(&submission) {
                    refused.push((submission.id, format!(
                        "the prepaid balance of {author} has fallen to {}, and it may cost {}; prepay more with `cotrain deposit` and submit it again",
                        Amount(state.trainer().balance(author)), Amount(max_cost(&submission))
                    )));
                    gone.push(submission);
                } else {
                    rest.push(submission);
                }
            }
        }
        let gone: Vec<_> = gone.iter().collect();
        self.refuse(&refused, &gone).await?;
        Ok(rest)
    }

    async fn refuse(
        &self,
        refused: &[(B256, String)],
        gone: &[&Submission],
    ) -> Result<(), OutboxError> {
        if refused.is_empty() {
            return Ok(());
        }
        let block = self.model.state().cursor().block;
        self.queue
            .store()
            .refuse(self.model.id(), block, refused)
            .await?;
        let pending = self.queue.pending(self.model.id());
        for submission in gone {
            pending.forget(submission.batch.author, submission.batch.nonce);
        }
        metrics::counter!("cotrain_refused_total").increment(refused.len() as u64);
        Ok(())
    }

    /// Returns `true` if enough contributions are pending, or one is old, or a deadline is near.
    fn is_due(&self, urgency: Urgency, now: u64) -> bool {
        let age = self.options.max_age.as_secs();
        urgency.contributions >= self.options.max_batch.into()
            || clock::now() >= urgency.oldest.saturating_add(age)
            || urgency.earliest_deadline <= now.saturating_add(2 * age)
    }
}

/// Returns the problem if relaying fewer than `size` batches may help.
/// For a single batch, the problem is permanent.
///
/// # Errors
/// A failure that is not the batches' fault: the node failed, or the relayer has no money.
/// The signed batches then stay pending.
/// An unclear answer of the node counts against the batches only while fewer can be tried.
fn theirs(misfit: Misfit, size: usize) -> Result<String, Box<SendError>> {
    match misfit {
        Misfit::TooLarge(error) | Misfit::Refused(error) => Ok(with_sources(&error)),
        Misfit::Unclear(error) if size > 1 => Ok(with_sources(&error)),
        Misfit::Unclear(error) | Misfit::NotYet(error) | Misfit::Failed(error) => Err(error),
    }
}

/// Returns the batches to send, with at most `max_contributions` contributions.
///
/// Each batch allows its price, and its author can pay it.
/// `waiting` lists the batches with the highest maximum deposit first.
fn choose<'a>(
    model: &HostedModel,
    waiting: &'a [Submission],
    max_contributions: u32,
    now: u64,
) -> Vec<&'a Submission> {
    let state = model.state();
    let trainer = state.trainer();
    let mut left: HashMap<Address, u128> = HashMap::new();
    let mut chosen: Vec<&Submission> = Vec::new();
    let mut contributions = 0;
    for submission in waiting {
        let (count, batch) = (submission.contributions, &submission.batch);
        let balance = left
            .entry(batch.author)
            .or_insert_with(|| trainer.balance(batch.author));
        // A single batch may be longer than `max_contributions`.
        let fits = contributions + count <= max_contributions || chosen.is_empty();
        let allowed = trainer.price(count.into(), now) <= batch.max_deposit;
        let Some(rest) = balance
            .checked_sub(max_cost(submission))
            .filter(|_| fits && allowed)
        else {
            continue;
        };
        *balance = rest;
        contributions += count;
        chosen.push(submission);
    }
    // Fewer contributions cost less each.
    // Drop the batches with the lowest maximum deposit until the others allow their common price.
    while let Some(last) = chosen.last() {
        if trainer.price(contributions.into(), now) <= last.batch.max_deposit {
            break;
        }
        contributions -= last.contributions;
        chosen.pop();
    }
    chosen
}

#[cfg(test)]
mod tests {
    use cotrain_bindings::Revert;
    use cotrain_protocol::ContractError;

    use super::*;

    /// Returns `true` if the batches are refused, or a smaller number is tried, after this error.
    fn is_theirs(error: NodeError, size: usize) -> bool {
        theirs(Misfit::new(error.into(), None), size).is_ok()
    }

    fn says(message: &str) -> NodeError {
        NodeError::Other {
            method: "eth_estimateGas",
            code: -32_000,
            message: message.to_owned(),
        }
    }

    #[test]
    fn theirs_is_nothing_that_the_node_or_the_relayer_lacks() {
        let contract = |rejection| NodeError::Reverted(Revert::Contract(rejection));
        for size in [1, 2] {
            assert!(is_theirs(contract(ContractError::EmptyBatch), size));
            assert!(is_theirs(contract(ContractError::ClassifierFailed), size));
            assert!(is_theirs(says("gas required exceeds allowance"), size));
            let (method, message) = ("eth_estimateGas", "words".to_owned());
            let poor = message.clone();
            assert!(!is_theirs(
                NodeError::InsufficientFunds { message: poor },
                size
            ));
            let lost = message.clone();
            assert!(!is_theirs(
                NodeError::StateGone {
                    method,
                    message: lost
                },
                size
            ));
            assert!(!is_theirs(NodeError::Unavailable { method, message }, size));
            // A batch that is too early is sent later.
            let early = ContractError::TooEarly {
                now: 1,
                earliest: 2,
            };
            let misfit = Misfit::new(contract(early).into(), Some(2));
            assert!(theirs(misfit, size).is_err());
        }
        // An unclear answer of the node is no reason to refuse a signed batch.
        assert!(
            is_theirs(says("execution aborted"), 2) && !is_theirs(says("execution aborted"), 1)
        );
    }
}
