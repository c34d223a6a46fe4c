//! A deployed model and the money around it: every action is a transaction on the chain, and is
//! computed by the rules of `protocol` beside it.

use std::{fmt::Debug, rc::Rc};

use alloy_primitives::{Address, B256, Bytes, U256};
use cotrain_bindings::{
    self as bindings, Revert,
    events::{self, Paid, RelayedBatch},
    state,
};
use cotrain_chain::{
    Chain, ChainError, Deployment, DeploymentCost, ModelConfig, Receipt, TRANSACTION_GAS_LIMIT,
    Transaction, deploy,
};
use cotrain_protocol::{
    Rejection,
    classifier::Classifier,
    record::{Claims, Contribution, Record},
    sample::{Item, encode_batch, parse_batch},
    trainer::{Accepted, Incentive, SignedBatch, Status, Trainer},
};

use crate::{error::SimulateError, run::Action, scenario::Scenario};

/// The account that deploys the model and owns it. It takes no part in the economy.
const OWNER: Address = Address::repeat_byte(0x0a);
/// The account that sends what others have signed. Neither does it.
pub(crate) const RELAYER: Address = Address::repeat_byte(0x0b);
/// Wei that a balance in the trainer can hold.
pub(crate) const LARGEST_BALANCE: u128 = (1 << 96) - 1;

/// A contribution of which something may still be claimed.
pub(crate) struct Pending {
    /// All that came in the same transaction.
    record: Rc<Record>,
    /// Its place among them.
    place: usize,
    /// The model's prediction for the sample, and the version of the model that it is by.
    prediction: Option<(u64, u16)>,
}

impl Pending {
    /// All contributions of one transaction.
    fn all_of(record: Record) -> Vec<Self> {
        let record = Rc::new(record);
        let pending = |place| Self {
            record: Rc::clone(&record),
            place,
            prediction: None,
        };
        (0..record.contributions().len()).map(pending).collect()
    }

    pub(crate) fn contribution(&self) -> &Contribution {
        &self.record.contributions()[self.place]
    }
}

/// Claims on these contributions, which are in order of position: a group for each batch.
fn claims_on(pending: &[&Pending]) -> Vec<Claims> {
    pending
        .chunk_by(|one, next| Rc::ptr_eq(&one.record, &next.record))
        .map(|group| {
            let positions = group.iter().map(|one| one.contribution().position);
            group[0].record.claims(&positions.collect::<Vec<_>>())
        })
        .collect()
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

/// Contributions that were accepted, in one transaction.
pub(crate) struct Sent {
    pub(crate) pending: Vec<Pending>,
    pub(crate) gas: u64,
    /// How many taught the model something.
    pub(crate) changed: usize,
}

/// Claims that were paid, in one transaction.
pub(crate) struct Claimed {
    /// Wei, of each.
    pub(crate) amounts: Vec<u128>,
    pub(crate) gas: u64,
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

    /// Wei that `account` holds, without what it has prepaid.
    pub(crate) fn wallet(&mut self, account: Address) -> Result<u128, SimulateError> {
        // All the money there is was given out as u128; only the owner's may exceed it.
        Ok(self.chain.balance(account)?.saturating_to())
    }

    /// Wei that `account` has prepaid and not spent.
    pub(crate) fn prepaid(&self, account: Address) -> u128 {
        self.twin.balance(account)
    }

    /// Wei that `account` holds or has prepaid.
    pub(crate) fn balance(&mut self, account: Address) -> Result<u128, SimulateError> {
        Ok(self.wallet(account)? + self.prepaid(account))
    }

    /// Wei a unit of gas costs.
    pub(crate) fn gas_price(&self) -> u128 {
        self.chain.gas_price()
    }

    /// Wei that each of `n` contributions in one transaction deposits now.
    pub(crate) fn price(&self, n: usize) -> u128 {
        self.twin.price(n as u64, self.chain.now())
    }

    /// What authors sign for this model.
    pub(crate) fn signing_hash(&self, batch: &SignedBatch) -> B256 {
        batch.signing_hash(&self.twin.domain())
    }

    /// Adds to what `account` has prepaid: gas used. None where it cannot pay for the gas.
    pub(crate) fn prepay(
        &mut self,
        account: Address,
        amount: u128,
    ) -> Result<Option<u64>, SimulateError> {
        let call = bindings::deposit_to(account);
        let transaction = Transaction::call(account, self.deployment.trainer, call)
            .with_value(U256::from(amount));
        let Some(receipt) = self.send(transaction)? else {
            return Ok(None);
        };
        self.twin.deposit_to(account, amount)?;
        Ok(Some(receipt.gas_used))
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
        let deposit = self.price(1);
        let batch = batch_of_one(label, sample)?;
        let call = bindings::contribute(&batch);
        let transaction = Transaction::call(author, self.deployment.trainer, call)
            .with_value(U256::from(deposit));
        let receipt = match self.send(transaction) {
            Ok(Some(receipt)) => receipt,
            Ok(None) => return Ok(None),
            Err(error) => return Err(refused(error, sample.len())),
        };
        let sent = self.twin.contribute(author, now, deposit, &batch)?;
        let event = events::contributed(&receipt.logs);
        let seen = event.map(|event| (event.batch, event.author, event.deposit, event.time));
        same(
            "contribute",
            &seen,
            &Some((sent.batch, author, sent.deposit, now)),
        )?;
        let added = [(author, vec![Item { label, sample }])];
        Ok(Some(Sent {
            pending: Pending::all_of(Record::new(sent.batch, deposit, now, &added)),
            gas: receipt.gas_used,
            changed: sent.changed,
        }))
    }

    /// Gas that a contribution would use now in a transaction of its own. Free: nothing is sent.
    pub(crate) fn contribution_alone(&mut self, items: &[u8]) -> Result<u64, SimulateError> {
        let call = bindings::contribute(items);
        let transaction = Transaction::call(RELAYER, self.deployment.trainer, call)
            .with_value(U256::from(self.price(1)));
        match self.chain.call(transaction) {
            Ok(receipt) => Ok(receipt.gas_used),
            Err(error) => Err(refused(error, sample_bytes(items))),
        }
    }

    /// How many of these signed batches, from the first on, one transaction can relay, each lesson with at most
    /// `gas_per_batch`. Free: nothing is sent.
    pub(crate) fn relayable(
        &mut self,
        batches: &[SignedBatch],
        gas_per_batch: u64,
    ) -> Result<usize, SimulateError> {
        let mut n = batches.len();
        // Too many for the gas of one transaction: a tenth fewer at a time.
        while !self.fits(&batches[..n], gas_per_batch)? {
            if n == 1 {
                return Err(SimulateError::SampleTooLarge {
                    bytes: sample_bytes(&batches[0].items),
                });
            }
            n -= n.div_ceil(10);
        }
        Ok(n)
    }

    /// Whether the gas of one transaction is enough to relay all of these.
    fn fits(&mut self, batches: &[SignedBatch], gas_per_batch: u64) -> Result<bool, SimulateError> {
        match self.chain.call(self.relaying(batches, gas_per_batch)) {
            Ok(_) => Ok(true),
            Err(
                ChainError::Halted { .. }
                | ChainError::Reverted {
                    revert: Revert::GasTooLow { .. },
                    ..
                },
            ) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn relaying(&self, batches: &[SignedBatch], gas_per_batch: u64) -> Transaction {
        let call = bindings::relay(batches, gas_per_batch);
        Transaction::call(RELAYER, self.deployment.trainer, call)
    }

    /// Relays signed batches, all of which the rules accept now.
    pub(crate) fn relay(
        &mut self,
        batches: &[SignedBatch],
        gas_per_batch: u64,
    ) -> Result<Sent, SimulateError> {
        let now = self.chain.now();
        let receipt = self.chain.send(self.relaying(batches, gas_per_batch))?;
        let relayed = self.twin.relay(RELAYER, now, batches)?;
        let accepted: Vec<Accepted> = relayed.outcomes.into_iter().collect::<Result<_, _>>()?;
        let batch = relayed.batch.unwrap_or_default();
        same("relay", &events::skipped(&receipt.logs), &vec![])?;
        let expected = events::Relayed {
            batch,
            relayer: RELAYER,
            deposit: relayed.deposit,
            time: now,
            batches: batches.iter().map(without_signature).collect(),
        };
        same("relay", &events::relayed(&receipt.logs), &Some(expected))?;
        let added: Vec<_> = batches
            .iter()
            .map(|signed| Ok((signed.author, parse_batch(&signed.items)?)))
            .collect::<Result<_, Rejection>>()?;
        Ok(Sent {
            pending: Pending::all_of(Record::new(batch, relayed.deposit, now, &added)),
            gas: receipt.gas_used,
            changed: accepted.iter().map(|accepted| accepted.changed).sum(),
        })
    }

    /// Whether the first wait is over.
    pub(crate) fn is_claimable(&self, pending: &Pending) -> bool {
        self.chain.now() >= pending.contribution().time + self.twin.waits().refund
    }

    /// Whether nothing is left to claim.
    pub(crate) fn is_settled(&self, pending: &Pending) -> bool {
        self.twin.settlement(pending.contribution().position).status == Status::Closed
    }

    /// The claim that would succeed for `claimer` now, if there is one. Free: nothing is sent.
    pub(crate) fn possible_claim(
        &self,
        claimer: Address,
        pending: &mut Pending,
    ) -> Option<ClaimKind> {
        let (now, time) = (self.chain.now(), pending.contribution().time);
        if now >= time + self.twin.waits().any_address_claim {
            return Some(ClaimKind::Late);
        }
        let own = pending.contribution().author == claimer;
        let position = pending.contribution().position;
        if !own && (self.twin.good(claimer) == 0 || self.twin.reported(position, claimer)) {
            return None;
        }
        let agrees = self.predict(pending) == pending.contribution().label;
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
            .predict(&pending.contribution().sample)
            .unwrap_or_default();
        pending.prediction = Some((classifier.version(), label));
        label
    }

    /// Gas that a claim would use now in a transaction of its own. Free: nothing is sent.
    pub(crate) fn claim_alone(
        &mut self,
        claimer: Address,
        kind: ClaimKind,
        pending: &Pending,
    ) -> Result<u64, SimulateError> {
        let transaction = self.claiming(claimer, kind, &claims_on(&[pending]));
        Ok(self.chain.call(transaction)?.gas_used)
    }

    /// Sends claims that [`Economy::possible_claim`] found, in order of position. None where the
    /// claimer cannot pay for the gas.
    pub(crate) fn claim(
        &mut self,
        claimer: Address,
        kind: ClaimKind,
        pending: &[&Pending],
    ) -> Result<Option<Claimed>, SimulateError> {
        let claims = claims_on(pending);
        let Some(receipt) = self.send(self.claiming(claimer, kind, &claims))? else {
            return Ok(None);
        };
        let now = self.chain.now();
        let settled = match kind {
            ClaimKind::Refund => self.twin.refund(claimer, now, &claims)?,
            ClaimKind::Report => self.twin.report(claimer, now, &claims)?,
            ClaimKind::Late => self.twin.claim_late(claimer, now, &claims)?,
        };
        if let Some((_, reason)) = settled.skipped.into_iter().next() {
            return Err(reason.into());
        }
        let name = Action::from(kind).name();
        same(name, &events::claims_skipped(&receipt.logs), &vec![])?;
        let paid = |&(position, amount)| Paid {
            position,
            to: claimer,
            amount,
        };
        let expected = settled.settled.iter().map(paid).collect();
        same(name, &events::paid(&receipt.logs), &expected)?;
        Ok(Some(Claimed {
            amounts: settled.settled.iter().map(|(_, amount)| *amount).collect(),
            gas: receipt.gas_used,
        }))
    }

    fn claiming(&self, claimer: Address, kind: ClaimKind, claims: &[Claims]) -> Transaction {
        let call = match kind {
            ClaimKind::Refund => bindings::refund(claims),
            ClaimKind::Report => bindings::report(claims),
            ClaimKind::Late => bindings::claim_late(claims),
        };
        Transaction::call(claimer, self.deployment.trainer, call)
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
    /// contributions and of those that were good, for all and for each of `accounts`, and what these
    /// have prepaid.
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
        for account in accounts {
            let prepaid = self.read(state::balance_of(*account))?;
            same("balanceOf", &prepaid, &U256::from(self.prepaid(*account)))?;
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

/// A batch with one item.
pub(crate) fn batch_of_one(label: u16, sample: &[u8]) -> Result<Vec<u8>, SimulateError> {
    let bytes = sample.len();
    encode_batch(&[Item { label, sample }]).map_err(|_| SimulateError::SampleTooLarge { bytes })
}

/// How long the sample of a batch of one is: before it are its label and its length.
fn sample_bytes(batch: &[u8]) -> usize {
    batch.len().saturating_sub(4)
}

/// Why the chain refuses a contribution of so many bytes.
fn refused(error: ChainError, bytes: usize) -> SimulateError {
    match error {
        ChainError::Halted { .. }
        | ChainError::Reverted {
            // The classifier runs out of gas and says nothing.
            revert:
                Revert::Contract(Rejection::TooManyFeatures { .. } | Rejection::ClassifierFailed),
            ..
        } => SimulateError::SampleTooLarge { bytes },
        error => error.into(),
    }
}

/// What the chain says of an accepted batch.
fn without_signature(signed: &SignedBatch) -> RelayedBatch {
    RelayedBatch {
        author: signed.author,
        max_deposit: signed.max_deposit,
        fee: signed.fee,
        nonce: signed.nonce,
        deadline: signed.deadline,
        items: Bytes::copy_from_slice(&signed.items),
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
