//! A deployed model and the money around it: every action is a transaction on the chain, and is
//! computed by the rules of `protocol` beside it.

use alloy_primitives::{Address, B256, U256};
use cotrain_bindings::events;
use cotrain_chain::{
    Chain, ChainError, Deployment, DeploymentCost, ModelConfig, Receipt, TRANSACTION_GAS_LIMIT,
    Transaction, deploy,
};
use cotrain_protocol::{
    Rejection,
    classifier::Classifier,
    sample::{Item, encode_batch},
    trainer::{Claim, Incentive, Trainer},
};

use crate::{error::SimulateError, run::Action, scenario::Scenario};

/// The account that deploys the model and owns it. It takes no part in the economy.
const OWNER: Address = Address::repeat_byte(0x0a);

/// A contribution of which something may still be claimed.
pub(crate) struct Pending {
    pub(crate) claim: Claim,
    /// Who sent it: a place among the agents.
    author: usize,
    /// Agents that have reported it.
    reporters: Vec<usize>,
    /// The model's prediction for the sample, and the version of the model that it is by.
    prediction: Option<(u64, u16)>,
    /// Nothing is left of it.
    pub(crate) settled: bool,
}

/// A contribution that was accepted.
pub(crate) struct Sent {
    pub(crate) pending: Pending,
    pub(crate) gas: u64,
    /// Whether it taught the model something.
    pub(crate) changed: bool,
}

pub(crate) struct Economy<C> {
    chain: C,
    deployment: Deployment,
    /// The same model by the rules of `protocol`. Clients decide by it, free and at once.
    twin: Trainer,
}

impl<C: Chain> Economy<C> {
    /// Deploys the scenario's model with the weights of `classifier`.
    pub(crate) fn found(
        mut chain: C,
        scenario: &Scenario,
        classifier: Classifier,
    ) -> Result<Self, SimulateError> {
        // Nobody counts the owner's money: enough for any gas price.
        chain.fund(OWNER, U256::from(u128::MAX))?;
        let config = ModelConfig {
            owner: OWNER,
            incentive: scenario.incentive.mechanism,
            waits: scenario.incentive.waits,
        };
        let deployment = deploy(&mut chain, &config, &classifier)?;
        let twin = Trainer::new(
            OWNER,
            deployment.trainer,
            scenario.incentive.mechanism,
            scenario.incentive.waits,
            classifier,
            chain.now(),
        )?;
        Ok(Self {
            chain,
            deployment,
            twin,
        })
    }

    pub(crate) fn backend(&self) -> &'static str {
        self.chain.name()
    }

    pub(crate) fn incentive(&self) -> &'static str {
        match self.twin.incentive() {
            Incentive::DepositRefundTake { .. } => "deposit, refund, take",
            Incentive::Points => "points",
        }
    }

    pub(crate) fn classifier(&self) -> &Classifier {
        self.twin.classifier()
    }

    pub(crate) fn set_time(&mut self, seconds: u64) -> Result<(), SimulateError> {
        Ok(self.chain.set_time(seconds)?)
    }

    pub(crate) fn fund(&mut self, account: Address, wei: u128) -> Result<(), SimulateError> {
        Ok(self.chain.fund(account, U256::from(wei))?)
    }

    /// Wei that `account` holds.
    pub(crate) fn balance(&mut self, account: Address) -> Result<u128, SimulateError> {
        // All the money there is was given out as u128; only the owner's may exceed it.
        Ok(self.chain.balance(account)?.saturating_to())
    }

    /// Wei that one contribution deposits now.
    pub(crate) fn price(&self) -> u128 {
        self.twin.price(1, self.chain.now())
    }

    /// Sends one contribution with exactly the deposit it needs. None where the author cannot pay
    /// for the gas.
    pub(crate) fn contribute(
        &mut self,
        author: Address,
        agent: usize,
        label: u16,
        sample: &[u8],
    ) -> Result<Option<Sent>, SimulateError> {
        let now = self.chain.now();
        let deposit = self.price();
        let batch = encode_batch(&[Item { label, sample }])?;
        let call = cotrain_bindings::contribute(&batch);
        let transaction = Transaction::call(author, self.deployment.trainer, call)
            .with_value(U256::from(deposit));
        let Some(receipt) = self.send(transaction)? else {
            return Ok(None);
        };
        let sent = self.twin.contribute(author, now, deposit, &batch)?;
        let event = events::contributed(&receipt.logs)
            .ok_or_else(|| diverged("contribute", "no event", "one"))?;
        if (event.batch, event.deposit) != (sent.batch, sent.deposit) {
            return Err(diverged("contribute", event, format!("{sent:?}")));
        }
        let claim = Claim {
            author,
            label,
            deposit,
            time: now,
            batch: sent.batch,
            position: sent.batch,
            sample: sample.to_vec(),
            proof: Vec::new(),
        };
        let pending = Pending {
            claim,
            author: agent,
            reporters: Vec::new(),
            prediction: None,
            settled: false,
        };
        Ok(Some(Sent {
            pending,
            gas: receipt.gas_used,
            changed: sent.changed > 0,
        }))
    }

    /// Whether the first wait is over.
    pub(crate) fn is_claimable(&self, pending: &Pending) -> bool {
        self.chain.now() >= pending.claim.time + self.twin.waits().refund
    }

    /// The claim by which `address` would get something now, if there is one. Free: nothing is
    /// sent.
    pub(crate) fn possible_claim(
        &self,
        address: Address,
        agent: usize,
        pending: &mut Pending,
    ) -> Option<Action> {
        if self.chain.now() >= pending.claim.time + self.twin.waits().any_address_claim {
            return Some(Action::LateClaim);
        }
        let own = pending.author == agent;
        if !own && (pending.reporters.contains(&agent) || self.twin.good(address) == 0) {
            return None;
        }
        let agrees = self.predict(pending) == pending.claim.label;
        match (own, agrees) {
            (true, true) => Some(Action::Refund),
            (false, false) => Some(Action::Report),
            _ => None,
        }
    }

    fn predict(&self, pending: &mut Pending) -> u16 {
        let classifier = self.twin.classifier();
        if let Some((version, label)) = pending.prediction
            && version == classifier.version()
        {
            return label;
        }
        // The sample was accepted, so it is well formed and the fallback is never taken.
        let label = classifier
            .predict(&pending.claim.sample)
            .unwrap_or_default();
        pending.prediction = Some((classifier.version(), label));
        label
    }

    /// Sends a claim that [`Economy::possible_claim`] found: wei paid and gas used. None where the
    /// claimer cannot pay for the gas.
    pub(crate) fn claim(
        &mut self,
        address: Address,
        agent: usize,
        action: Action,
        pending: &mut Pending,
    ) -> Result<Option<(u128, u64)>, SimulateError> {
        let call = match action {
            Action::Refund => cotrain_bindings::refund(&pending.claim),
            Action::Report => cotrain_bindings::report(&pending.claim),
            Action::LateClaim => cotrain_bindings::claim_late(&pending.claim),
            Action::Contribution => unreachable!("a contribution is not a claim"),
        };
        let Some(receipt) = self.send(Transaction::call(address, self.deployment.trainer, call))?
        else {
            return Ok(None);
        };
        let now = self.chain.now();
        let paid = match action {
            Action::Refund => self.twin.refund(address, now, &pending.claim)?,
            Action::Report => self.twin.report(address, now, &pending.claim)?,
            Action::LateClaim | Action::Contribution => {
                self.twin.claim_late(address, now, &pending.claim)?
            }
        };
        let event = events::paid(&receipt.logs)
            .ok_or_else(|| diverged(action.name(), "no event", "one"))?;
        if (event.position, event.amount) != (pending.claim.position, paid) {
            return Err(diverged(action.name(), event, format!("{paid} wei")));
        }
        pending.settled = self.twin.is_settled(pending.claim.position);
        if action == Action::Report {
            pending.reporters.push(agent);
        }
        Ok(Some((paid, receipt.gas_used)))
    }

    /// Sends a transaction that the rules allow. None where its sender cannot pay for the gas.
    fn send(&mut self, transaction: Transaction) -> Result<Option<Receipt>, SimulateError> {
        let gas_price = self.chain.gas_price();
        if gas_price == 0 {
            return Ok(Some(self.chain.send(transaction)?));
        }
        // As a wallet does: run it free, add a margin (a refund of gas comes after the limit has
        // been checked, and is at most a fifth), and see whether the account can pay for that.
        let estimate = self.chain.call(transaction.clone())?.gas_used;
        let gas_limit = (estimate + estimate / 2).min(TRANSACTION_GAS_LIMIT);
        let most = transaction.value + U256::from(gas_limit) * U256::from(gas_price);
        if self.chain.balance(transaction.from)? < most {
            return Ok(None);
        }
        Ok(Some(
            self.chain.send(transaction.with_gas_limit(gas_limit))?,
        ))
    }

    /// Compares the chain with the twin: every word of the model, the money, the counts.
    pub(crate) fn compare(&mut self) -> Result<(), SimulateError> {
        let words = self.deployment.words(&mut self.chain)?;
        if let Some(place) = words
            .iter()
            .zip(self.twin.classifier().words())
            .position(|(a, b)| *a != b)
        {
            return Err(diverged(
                "words",
                format!("word {place} of the model"),
                "the same",
            ));
        }
        let held = self.chain.balance(self.deployment.trainer)?;
        if held != U256::from(self.twin.held()) {
            return Err(diverged(
                "balance",
                format!("{held} wei in the contract"),
                format!("{}", self.twin.held()),
            ));
        }
        Ok(())
    }

    pub(crate) fn state_digest(&mut self) -> Result<B256, ChainError> {
        self.chain.state_digest()
    }

    /// What deploying cost.
    pub(crate) fn deployment_cost(&self) -> DeploymentCost {
        self.deployment.cost
    }
}

fn diverged(
    call: &'static str,
    chain: impl std::fmt::Debug,
    rules: impl std::fmt::Debug,
) -> SimulateError {
    SimulateError::Diverged {
        call,
        chain: format!("{chain:?}"),
        rules: format!("{rules:?}"),
    }
}

impl From<Rejection> for SimulateError {
    /// The chain accepted what the rules reject.
    fn from(rejection: Rejection) -> Self {
        Self::Diverged {
            call: "rules",
            chain: "accepted".to_owned(),
            rules: rejection.to_string(),
        }
    }
}
