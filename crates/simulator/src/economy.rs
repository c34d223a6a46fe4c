//! A deployed model and the money around it: every action is a transaction on the chain, and is
//! computed by the rules of `protocol` beside it.

use std::fmt::Debug;

use alloy_primitives::{Address, B256, U256};
use cotrain_bindings::{
    self as bindings, Revert,
    events::{self, Paid},
    state,
};
use cotrain_chain::{
    Chain, ChainError, Deployment, DeploymentCost, ModelConfig, Receipt, TRANSACTION_GAS_LIMIT,
    Transaction, deploy,
};
use cotrain_protocol::{
    Rejection,
    classifier::Classifier,
    record::{Claims, Contribution},
    sample::{Item, encode_batch},
    trainer::{Incentive, Status, Trainer},
};

use crate::{error::SimulateError, run::Action, scenario::Scenario};

/// The account that deploys the model and owns it. It takes no part in the economy.
const OWNER: Address = Address::repeat_byte(0x0a);

/// A contribution of which something may still be claimed.
pub(crate) struct Pending {
    pub(crate) contribution: Contribution,
    /// The model's prediction for the sample, and the version of the model that it is by.
    prediction: Option<(u64, u16)>,
}

/// The ways to get money out of a deposit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClaimKind {
    Refund,
    Report,
    Late,
}

impl From<ClaimKind> for Action {
    fn from(kind: ClaimKind) -> Self {
        match kind {
            ClaimKind::Refund => Self::Refund,
            ClaimKind::Report => Self::Report,
            ClaimKind::Late => Self::LateClaim,
        }
    }
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
            chain.chain_id(),
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
        label: u16,
        sample: &[u8],
    ) -> Result<Option<Sent>, SimulateError> {
        let now = self.chain.now();
        let deposit = self.price();
        let too_large = || SimulateError::SampleTooLarge {
            bytes: sample.len(),
        };
        let batch = encode_batch(&[Item { label, sample }]).map_err(|_| too_large())?;
        let call = bindings::contribute(&batch);
        let transaction = Transaction::call(author, self.deployment.trainer, call)
            .with_value(U256::from(deposit));
        let receipt = match self.send(transaction) {
            Ok(Some(receipt)) => receipt,
            Ok(None) => return Ok(None),
            Err(
                ChainError::Halted { .. }
                | ChainError::Reverted {
                    // The classifier runs out of gas and says nothing.
                    revert:
                        Revert::Contract(
                            Rejection::TooManyFeatures { .. } | Rejection::ClassifierFailed,
                        ),
                    ..
                },
            ) => return Err(too_large()),
            Err(error) => return Err(error.into()),
        };
        let sent = self.twin.contribute(author, now, deposit, &batch)?;
        let event = events::contributed(&receipt.logs);
        let seen = event.map(|event| (event.batch, event.author, event.deposit, event.time));
        same(
            "contribute",
            &seen,
            &Some((sent.batch, author, sent.deposit, now)),
        )?;
        let contribution = Contribution {
            author,
            label,
            deposit,
            time: now,
            position: sent.batch,
            sample: sample.to_vec(),
        };
        Ok(Some(Sent {
            pending: Pending {
                contribution,
                prediction: None,
            },
            gas: receipt.gas_used,
            changed: sent.changed > 0,
        }))
    }

    /// Whether the first wait is over.
    pub(crate) fn is_claimable(&self, pending: &Pending) -> bool {
        self.chain.now() >= pending.contribution.time + self.twin.waits().refund
    }

    /// Whether nothing is left to claim.
    pub(crate) fn is_settled(&self, pending: &Pending) -> bool {
        self.twin.settlement(pending.contribution.position).status == Status::Closed
    }

    /// The claim that would succeed for `claimer` now, if there is one. Free: nothing is sent.
    pub(crate) fn possible_claim(
        &self,
        claimer: Address,
        pending: &mut Pending,
    ) -> Option<ClaimKind> {
        let (now, time) = (self.chain.now(), pending.contribution.time);
        if now >= time + self.twin.waits().any_address_claim {
            return Some(ClaimKind::Late);
        }
        let own = pending.contribution.author == claimer;
        let position = pending.contribution.position;
        if !own && (self.twin.good(claimer) == 0 || self.twin.reported(position, claimer)) {
            return None;
        }
        let agrees = self.predict(pending) == pending.contribution.label;
        match (own, agrees) {
            (true, true) => Some(ClaimKind::Refund),
            (false, false) => Some(ClaimKind::Report),
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
            .predict(&pending.contribution.sample)
            .unwrap_or_default();
        pending.prediction = Some((classifier.version(), label));
        label
    }

    /// Sends a claim that [`Economy::possible_claim`] found: wei paid and gas used. None where the
    /// claimer cannot pay for the gas.
    pub(crate) fn claim(
        &mut self,
        claimer: Address,
        kind: ClaimKind,
        contribution: &Contribution,
    ) -> Result<Option<(u128, u64)>, SimulateError> {
        let claims = [Claims::alone(contribution.clone())];
        let call = match kind {
            ClaimKind::Refund => bindings::refund(&claims),
            ClaimKind::Report => bindings::report(&claims),
            ClaimKind::Late => bindings::claim_late(&claims),
        };
        let transaction = Transaction::call(claimer, self.deployment.trainer, call);
        let Some(receipt) = self.send(transaction)? else {
            return Ok(None);
        };
        let now = self.chain.now();
        let settled = match kind {
            ClaimKind::Refund => self.twin.refund(claimer, now, &claims)?,
            ClaimKind::Report => self.twin.report(claimer, now, &claims)?,
            ClaimKind::Late => self.twin.claim_late(claimer, now, &claims)?,
        };
        let paid = settled.paid;
        let expected = Paid {
            position: contribution.position,
            to: claimer,
            amount: paid,
        };
        same(
            Action::from(kind).name(),
            &events::paid(&receipt.logs),
            &vec![expected],
        )?;
        Ok(Some((paid, receipt.gas_used)))
    }

    /// Sends a transaction that the rules allow. None where its sender cannot pay for the gas.
    fn send(&mut self, transaction: Transaction) -> Result<Option<Receipt>, ChainError> {
        let gas_price = self.chain.gas_price();
        if gas_price == 0 {
            return self.chain.send(transaction).map(Some);
        }
        // As a wallet does: run it free, add a margin (a refund of gas comes after the limit has
        // been checked, and is at most a fifth), and see whether the account can pay for that.
        let estimate = self.chain.call(transaction.clone())?.gas_used;
        let gas_limit = (estimate + estimate / 2).min(TRANSACTION_GAS_LIMIT);
        let most = transaction.value + U256::from(gas_limit) * U256::from(gas_price);
        if self.chain.balance(transaction.from)? < most {
            return Ok(None);
        }
        let transaction = transaction.with_gas_limit(gas_limit);
        self.chain.send(transaction).map(Some)
    }

    /// Compares the chain with the twin: every word of the model, the money held, the counts of
    /// contributions and of those that were good, for all and for each of `accounts`.
    pub(crate) fn compare(&mut self, accounts: &[Address]) -> Result<(), SimulateError> {
        let words = self.deployment.words(&mut self.chain)?;
        same("words", &words, &self.twin.classifier().words())?;
        let held = self.chain.balance(self.deployment.trainer)?;
        same("balance", &held, &U256::from(self.twin.held()))?;
        let mut numbers = vec![
            (
                "contributionCount",
                state::contribution_count(),
                self.twin.contribution_count(),
            ),
            ("totalGood", state::total_good(), self.twin.total_good()),
        ];
        for account in accounts {
            numbers.push(("good", state::good(*account), self.twin.good(*account)));
        }
        for (name, call, expected) in numbers {
            same(name, &self.read(call)?, &U256::from(expected))?;
        }
        Ok(())
    }

    /// One number of the trainer's state.
    fn read(&mut self, call: Vec<u8>) -> Result<U256, ChainError> {
        let call = Transaction::call(Address::ZERO, self.deployment.trainer, call);
        let answer = self.chain.call(call)?.output;
        bindings::read_number(&answer).ok_or(ChainError::UnexpectedAnswer { call: "a getter" })
    }

    pub(crate) fn state_digest(&mut self) -> Result<B256, ChainError> {
        self.chain.state_digest()
    }

    /// What deploying cost.
    pub(crate) fn deployment_cost(&self) -> DeploymentCost {
        self.deployment.cost
    }
}

/// Whether the chain says what the rules say.
fn same<T: PartialEq + Debug>(
    call: &'static str,
    chain: &T,
    rules: &T,
) -> Result<(), SimulateError> {
    if chain == rules {
        return Ok(());
    }
    Err(SimulateError::Diverged {
        call,
        chain: format!("{chain:?}"),
        rules: format!("{rules:?}"),
    })
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
