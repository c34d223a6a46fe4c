//! Mechanisms that extend `CollaborativeTrainer`: deposit-refund-take, and points.

use std::thread;

use alloy_primitives::{Address, B256, Bytes, U256};
use cotrain_bindings::{
    self as bindings, Revert,
    events::{self, Announced, Paid, RelayedBatch},
    state,
};
use cotrain_chain::{Chain, ChainError, Receipt, Transaction};
use cotrain_client::deploy::{Deployment, DeploymentCost, ModelConfig, deploy};
use cotrain_protocol::{
    ContractError,
    classifier::Classifier,
    mechanism::{Description, Terms},
    record::{Contribution, Record},
    sample::{Item, encode_batch, parse_batch},
    trainer::{Accepted, Incentive, SignedBatch, Status, Trainer, Waits},
};

use super::{
    Asked, ClaimKind, Claimed, Collected, Mechanism, Opportunity, Pending, PredictionFees,
    Relaying, ReportStage, Sent, Vocabulary, claims_on,
    contract::{OWNER, accepted, refused, same, send},
};
use crate::{SimulateError, beside::Second, vocabulary::Action};

/// Account that relays signed batches. It takes no part in the economy.
pub(crate) const RELAYER: Address = Address::repeat_byte(0x0b);
/// Maximum balance of an account in the trainer, in wei.
pub(crate) const LARGEST_BALANCE: u128 = (1 << 96) - 1;

/// A trainer on a chain, with its reference model from `protocol`.
///
/// Clients decide by the reference model, which is free and needs no transaction.
pub(crate) struct TrainerMechanism<'c> {
    chain: Box<dyn Chain + 'c>,
    deployment: Deployment,
    reference: Trainer,
    /// Contract that sells predictions; `None` if none are sold.
    prediction_fees: Option<PredictionFees>,
    second: Second,
}

impl<'c> TrainerMechanism<'c> {
    /// Deploys a model with the weights of `classifier`.
    pub(crate) fn deploy(
        mut chain: Box<dyn Chain + 'c>,
        incentive: Incentive,
        waits: Waits,
        prediction_price: Option<u128>,
        classifier: Classifier,
        second: Second,
    ) -> Result<Self, SimulateError> {
        let config = ModelConfig {
            owner: OWNER,
            terms: Terms::Trainer { incentive, waits },
        };
        let mut deployment = deploy(chain.as_mut(), &config, &classifier)?;
        let reference = Trainer::new(
            OWNER,
            chain.chain_id(),
            deployment.trainer,
            incentive,
            waits,
            classifier,
            chain.now(),
        )
        .map_err(accepted("create"))?;
        let prediction_fees = match prediction_price {
            None => None,
            Some(price) => {
                let (trainer, cost) = (deployment.trainer, &mut deployment.cost);
                let prediction_fees = PredictionFees::deploy(chain.as_mut(), trainer, price, cost)?;
                Some(prediction_fees)
            }
        };
        Ok(Self {
            chain,
            deployment,
            reference,
            prediction_fees,
            second,
        })
    }

    /// Sends as many batches, from the first one on, as the gas of one transaction allows.
    /// Returns their number and the receipt.
    fn send_fitting(
        &mut self,
        batches: &[SignedBatch],
        gas_per_batch: u64,
    ) -> Result<(usize, Receipt), SimulateError> {
        let mut n = batches.len();
        loop {
            let relaying = self.relaying_of(&batches[..n], gas_per_batch);
            match self.chain.attempt(relaying) {
                Ok(receipt) => return Ok((n, receipt)),
                Err(
                    ChainError::Halted { .. }
                    | ChainError::Reverted {
                        revert: Revert::GasTooLow { .. },
                        ..
                    },
                ) => {}
                Err(error) => return Err(error.into()),
            }
            if n == 1 {
                return Err(SimulateError::SampleTooLarge {
                    bytes: sample_bytes(&batches[0].items),
                });
            }
            // The batches need too much gas: try a tenth fewer.
            n -= n.div_ceil(10);
        }
    }

    fn relaying_of(&self, batches: &[SignedBatch], gas_per_batch: u64) -> Transaction {
        let call = bindings::relay(batches, gas_per_batch);
        Transaction::call(RELAYER, self.deployment.trainer, call)
    }

    fn claiming(&self, claimer: Address, kind: ClaimKind, pending: &[&Pending]) -> Transaction {
        let claims = claims_on(pending);
        let call = match kind {
            ClaimKind::Refund => bindings::refund(&claims),
            ClaimKind::Report => bindings::report(&claims),
            ClaimKind::Late => bindings::claim_late(&claims),
            ClaimKind::Announcement => bindings::announce(&claims),
        };
        Transaction::call(claimer, self.deployment.trainer, call)
    }

    fn description(&self) -> &'static Description {
        let terms = Terms::Trainer {
            incentive: self.reference.incentive(),
            waits: self.reference.waits(),
        };
        terms.mechanism().description()
    }

    /// Reads one number of the trainer's state.
    fn read(&mut self, call: Vec<u8>) -> Result<U256, ChainError> {
        let call = Transaction::call(Address::ZERO, self.deployment.trainer, call);
        let answer = self.chain.call(call)?.output;
        bindings::read_number(&answer).ok_or(ChainError::UnexpectedAnswer { call: "a getter" })
    }
}

impl Mechanism for TrainerMechanism<'_> {
    fn title(&self) -> &'static str {
        self.description().title
    }

    fn words(&self) -> Vocabulary {
        self.description().into()
    }

    fn chain(&self) -> &dyn Chain {
        self.chain.as_ref()
    }

    fn chain_mut(&mut self) -> &mut dyn Chain {
        self.chain.as_mut()
    }

    fn classifier(&self) -> &Classifier {
        self.reference.classifier()
    }

    fn deployment_cost(&self) -> DeploymentCost {
        self.deployment.cost
    }

    fn price(&self, n: usize) -> u128 {
        self.reference.price(n as u64, self.chain.now())
    }

    fn balance(&self, account: Address) -> u128 {
        self.reference.balance(account)
    }

    fn good(&self, account: Address) -> u64 {
        self.reference.good(account)
    }

    fn total_good(&self) -> u64 {
        self.reference.total_good()
    }

    fn contribute(
        &mut self,
        author: Address,
        items: &[Item<'_>],
    ) -> Result<Option<Sent>, SimulateError> {
        const CALL: &str = "contribute";
        let now = self.chain.now();
        let batch = encode(items)?;
        let value = Mechanism::price(self, items.len()) * items.len() as u128;
        let call = bindings::contribute(&batch);
        let transaction =
            Transaction::call(author, self.deployment.trainer, call).with_value(U256::from(value));
        let receipt = match send(self.chain.as_mut(), transaction) {
            Ok(Some(receipt)) => receipt,
            Ok(None) => return Ok(None),
            Err(error) => return Err(refused(error, sample_bytes(&batch))),
        };
        let sent = self.reference.contribute(author, now, value, &batch);
        let sent = sent.map_err(accepted(CALL))?;
        let event = events::contributed(&receipt.logs);
        let seen = event.map(|event| {
            (
                event.first_position,
                event.author,
                event.deposit,
                event.time,
            )
        });
        same(
            CALL,
            &seen,
            &Some((sent.first_position, author, sent.deposit, now)),
        )?;
        let added = [(author, items.to_vec())];
        Ok(Some(Sent {
            pending: Pending::all_of(Record::new(sent.first_position, sent.deposit, now, &added)),
            gas: receipt.gas_used,
            changed: sent.changed,
        }))
    }

    fn edges(&self, contribution: &Contribution) -> Vec<u64> {
        let waits = self.reference.waits();
        vec![
            contribution.time + waits.refund,
            contribution.time + waits.any_address_claim,
        ]
    }

    fn is_settled(&self, pending: &Pending) -> bool {
        self.reference
            .settlement(pending.contribution().position)
            .status
            == Status::Closed
    }

    fn report_stage(&self, contribution: &Contribution) -> ReportStage {
        let now = self.chain.now();
        if self.reference.waits().report_notice == 0 {
            return ReportStage::Report;
        }
        match self.reference.announcement(contribution.position) {
            Some(announced) if now < announced.earliest => ReportStage::Wait,
            Some(announced) if now <= announced.until => ReportStage::Report,
            _ => ReportStage::Announce,
        }
    }

    fn opportunity(&self, claimer: Address, pending: &mut Pending) -> Option<Opportunity> {
        let (now, time) = (self.chain.now(), pending.contribution().time);
        let position = pending.contribution().position;
        let found = |kind, amount| Opportunity {
            position,
            kind,
            amount,
        };
        // Cheap checks go first, as this runs millions of times.
        if now >= time + self.reference.waits().any_address_claim {
            let left = self
                .reference
                .can_claim_late(claimer, now, pending.contribution());
            return Some(found(ClaimKind::Late, left.ok()?));
        }
        let own = pending.contribution().author == claimer;
        if !own && (self.reference.good(claimer) == 0 || self.reference.reported(position, claimer))
        {
            return None;
        }
        let predicted = pending.predict(self.reference.classifier());
        let contribution = pending.contribution();
        let agrees = predicted == contribution.label;
        match (own, agrees) {
            (true, true) => {
                let left = self.reference.can_refund(now, contribution, predicted);
                Some(found(ClaimKind::Refund, left.ok()?))
            }
            (false, false) => {
                let reference = &self.reference;
                if let Ok(share) = reference.can_report(claimer, now, contribution, predicted) {
                    return Some(found(ClaimKind::Report, share));
                }
                reference.can_announce(now, contribution, predicted).ok()?;
                let share = reference.could_report(claimer, now, contribution, predicted);
                Some(found(ClaimKind::Announcement, share.ok()?))
            }
            _ => None,
        }
    }

    fn claim(
        &mut self,
        claimer: Address,
        kind: ClaimKind,
        pending: &[&Pending],
    ) -> Result<Option<Claimed>, SimulateError> {
        let name = Action::from(kind).name();
        let transaction = self.claiming(claimer, kind, pending);
        let Some(receipt) = send(self.chain.as_mut(), transaction)? else {
            return Ok(None);
        };
        let (now, claims) = (self.chain.now(), claims_on(pending));
        let settled = match kind {
            ClaimKind::Refund => self.reference.refund(claimer, now, &claims),
            ClaimKind::Report => self.reference.report(claimer, now, &claims),
            ClaimKind::Late => self.reference.claim_late(claimer, now, &claims),
            ClaimKind::Announcement => self.reference.announce(now, &claims),
        };
        let settled = settled.map_err(accepted(name))?;
        if let Some((_, reason)) = settled.skipped.into_iter().next() {
            return Err(accepted(name)(reason));
        }
        same(name, &events::claims_skipped(&receipt.logs), &vec![])?;
        if kind == ClaimKind::Announcement {
            let announced = |&(position, _)| Announced {
                position,
                announcer: claimer,
                time: now,
            };
            let expected = settled.settled.iter().map(announced).collect();
            same(name, &events::announced(&receipt.logs), &expected)?;
        } else {
            let paid = |&(position, amount)| Paid {
                position,
                to: claimer,
                amount,
            };
            let expected = settled.settled.iter().map(paid).collect();
            same(name, &events::paid(&receipt.logs), &expected)?;
        }
        Ok(Some(Claimed {
            amounts: settled.settled.iter().map(|(_, amount)| *amount).collect(),
            gas: receipt.gas_used,
        }))
    }

    fn claim_gas(
        &mut self,
        claimer: Address,
        kind: ClaimKind,
        pending: &Pending,
    ) -> Result<u64, SimulateError> {
        let transaction = self.claiming(claimer, kind, &[pending]);
        Ok(self.chain.call(transaction)?.gas_used)
    }

    fn dues(&self, account: Address) -> u128 {
        self.prediction_fees
            .as_ref()
            .map_or(0, |prediction_fees| prediction_fees.dues(account))
    }

    fn collect(&mut self, account: Address) -> Result<Option<Collected>, SimulateError> {
        match &mut self.prediction_fees {
            None => Ok(None),
            Some(prediction_fees) => {
                prediction_fees.collect(self.chain.as_mut(), &self.reference, account)
            }
        }
    }

    fn prediction_price(&self) -> Option<u128> {
        self.prediction_fees.as_ref().map(PredictionFees::price)
    }

    fn ask(&mut self, caller: Address, samples: &[&[u8]]) -> Result<Option<Asked>, SimulateError> {
        match &mut self.prediction_fees {
            None => Ok(None),
            Some(prediction_fees) => {
                prediction_fees.ask(self.chain.as_mut(), &self.reference, caller, samples)
            }
        }
    }

    fn register(&mut self, account: Address) -> Result<Option<u64>, SimulateError> {
        match &mut self.prediction_fees {
            None => Ok(None),
            Some(prediction_fees) => {
                prediction_fees.register(self.chain.as_mut(), &self.reference, account)
            }
        }
    }

    /// Compares the weights, the money, and the numbers of all and of good contributions.
    /// For each of `accounts`, compares good contributions and prepaid money too.
    fn compare(&mut self, accounts: &[Address]) -> Result<(), SimulateError> {
        let words = self.deployment.words(self.chain.as_mut())?;
        same("words", &words, &self.reference.classifier().words())?;
        let held = self.chain.balance(self.deployment.trainer)?;
        same("balance", &held, &U256::from(self.reference.held()))?;
        let mut numbers = vec![
            (
                "contributionCount",
                state::contribution_count(),
                self.reference.contribution_count(),
            ),
            (
                "totalGood",
                state::total_good(),
                self.reference.total_good(),
            ),
        ];
        for account in accounts {
            numbers.push(("good", state::good(*account), self.reference.good(*account)));
        }
        for (name, call, expected) in numbers {
            same(name, &self.read(call)?, &U256::from(expected))?;
        }
        for account in accounts {
            let prepaid = self.read(state::balance_of(*account))?;
            same("balanceOf", &prepaid, &U256::from(self.prepaid(*account)))?;
        }
        match &self.prediction_fees {
            None => Ok(()),
            Some(prediction_fees) => prediction_fees.compare(self.chain.as_mut(), accounts),
        }
    }

    fn relaying(&mut self) -> Option<&mut dyn Relaying> {
        Some(self)
    }
}

impl Relaying for TrainerMechanism<'_> {
    fn price(&self, n: usize) -> u128 {
        Mechanism::price(self, n)
    }

    fn prepaid(&self, account: Address) -> u128 {
        self.reference.balance(account)
    }

    fn relayer(&self) -> Address {
        RELAYER
    }

    fn signing_hash(&self, batch: &SignedBatch) -> B256 {
        batch.signing_hash(&self.reference.domain())
    }

    fn prepay(&mut self, account: Address, amount: u128) -> Result<Option<u64>, SimulateError> {
        let call = bindings::deposit_to(account);
        let transaction = Transaction::call(account, self.deployment.trainer, call)
            .with_value(U256::from(amount));
        let Some(receipt) = send(self.chain.as_mut(), transaction)? else {
            return Ok(None);
        };
        let deposited = self.reference.deposit_to(account, amount);
        deposited.map_err(accepted("depositTo"))?;
        Ok(Some(receipt.gas_used))
    }

    fn contribution_alone(&mut self, items: &[u8]) -> Result<u64, SimulateError> {
        let call = bindings::contribute(items);
        let transaction = Transaction::call(RELAYER, self.deployment.trainer, call)
            .with_value(U256::from(Mechanism::price(self, 1)));
        match self.chain.call(transaction) {
            Ok(receipt) => Ok(receipt.gas_used),
            Err(error) => Err(refused(error, sample_bytes(items))),
        }
    }

    fn relay(
        &mut self,
        batches: &[SignedBatch],
        gas_per_batch: u64,
    ) -> Result<(usize, Sent), SimulateError> {
        const CALL: &str = "relay";
        let now = self.chain.now();
        let domain = self.reference.domain();
        let signers = || -> Vec<_> {
            let recover = |signed: &SignedBatch| signed.signer_if_sent_by(RELAYER, &domain);
            batches.iter().map(recover).collect()
        };
        let second = self.second.clone();
        let (n, receipt, signers) = thread::scope(|scope| {
            let signers = second.begin(scope, signers);
            let (n, receipt) = self.send_fitting(batches, gas_per_batch)?;
            Ok::<_, SimulateError>((n, receipt, signers.finish()))
        })?;
        let batches = &batches[..n];
        let relayed = self
            .reference
            .relay_signed_by(RELAYER, now, batches, &signers);
        let relayed = relayed.map_err(accepted(CALL))?;
        let outcomes = relayed.outcomes.into_iter();
        let outcomes = outcomes.map(|outcome| outcome.map_err(accepted(CALL)));
        let outcomes: Vec<Accepted> = outcomes.collect::<Result<_, _>>()?;
        let first_position = relayed.first_position.unwrap_or_default();
        same(CALL, &events::skipped(&receipt.logs), &vec![])?;
        let expected = events::Relayed {
            first_position,
            relayer: RELAYER,
            deposit: relayed.deposit,
            time: now,
            batches: batches.iter().map(without_signature).collect(),
        };
        same(CALL, &events::relayed(&receipt.logs), &Some(expected))?;
        let added: Vec<_> = batches
            .iter()
            .map(|signed| Ok((signed.author, parse_batch(&signed.items)?)))
            .collect::<Result<_, ContractError>>()
            .map_err(accepted(CALL))?;
        let sent = Sent {
            pending: Pending::all_of(Record::new(first_position, relayed.deposit, now, &added)),
            gas: receipt.gas_used,
            changed: outcomes.iter().map(|accepted| accepted.changed).sum(),
        };
        Ok((n, sent))
    }
}

/// Returns a batch of these items, encoded.
pub(crate) fn encode(items: &[Item<'_>]) -> Result<Vec<u8>, SimulateError> {
    let bytes = items.iter().map(|item| item.sample.len()).max();
    encode_batch(items).map_err(|_| SimulateError::SampleTooLarge {
        bytes: bytes.unwrap_or_default(),
    })
}

/// Returns the length of the sample in a batch of one item, in bytes.
/// The label and the length, 4 bytes together, come before it.
fn sample_bytes(batch: &[u8]) -> usize {
    batch.len().saturating_sub(4)
}

/// Returns an accepted batch as the chain's events contain it, without its signature.
fn without_signature(signed: &SignedBatch) -> RelayedBatch {
    RelayedBatch {
        author: signed.author,
        relayer: signed.relayer,
        max_deposit: signed.max_deposit,
        fee: signed.fee,
        nonce: signed.nonce,
        deadline: signed.deadline,
        items: Bytes::copy_from_slice(&signed.items),
    }
}
