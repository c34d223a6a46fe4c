//! The prediction market: contributors stake money, and scores pay them.
//!
//! A score is the accuracy that a contribution adds on a hidden test set.

use std::{cmp::Ordering, ops::Range};

use alloy_primitives::{Address, B256, U256, keccak256};
use cotrain_bindings::{self as bindings, Revert, market as calls};
use cotrain_chain::{Chain, ChainError, Receipt, Transaction};
use cotrain_client::deploy::{Deployment, DeploymentCost, ModelConfig, deploy};
use cotrain_learning::encode::Samples;
use cotrain_protocol::{
    ContractError,
    classifier::Classifier,
    market::{Contributions, Market, Pace, Phase, Step, Terms, commitment},
    mechanism::{Mechanism as Kind, Terms as AnyTerms},
    record::{Contribution, Record},
    sample::Item,
};

use super::{
    ClaimKind, Claimed, Collected, Fact, Mechanism, Opportunity, Pending, Sent, Upkeep, Vocabulary,
    contract::{OWNER, accepted, refused, same, send},
    trainer::encode,
};
use crate::{SimulateError, money::UNIT, scenario::Offer};

/// Figures of a settled market.
struct Ended {
    /// Number of test samples that the model predicted right before the contributions.
    before: u64,
    /// Number of test samples that the model predicts right after the last pass.
    after: u64,
    /// Number of test samples in the scoring.
    samples: u64,
    /// Bounty of the provider, in wei.
    bounty: u128,
    /// Part of the bounty that went back to the provider, in wei.
    remainder: u128,
}

/// Returns sentences that say what a market paid for, and why the rest went back.
fn outcome(ended: &Ended) -> String {
    let Ended {
        before,
        after,
        samples,
        ..
    } = ended;
    let units = |wei: u128| format!("{}.{:02}", wei / UNIT, wei % UNIT / (UNIT / 100));
    let improved = match after.cmp(before) {
        Ordering::Greater => "improved the model on",
        Ordering::Equal => "did not improve the model on",
        Ordering::Less => "made the model worse on",
    };
    let scored = format!(
        "Together, the contributions that counted in the last pass {improved} the hidden test set: {before} of \
         {samples} samples were right before them, {after} after."
    );
    let money = match ended.bounty.checked_sub(ended.remainder) {
        Some(0) => "The winners were paid as much as the losers lost, so the whole bounty went back to the provider."
            .to_owned(),
        Some(paid) => format!(
            "All participants together won {} units; {} units went back to the provider.",
            units(paid),
            units(ended.remainder)
        ),
        None => format!(
            "The losers paid more than the winners were paid, so the provider got the whole bounty back, and {} units \
             of the losers' stakes.",
            units(ended.remainder - ended.bounty)
        ),
    };
    format!("{scored} {money}")
}

/// A market on a chain, with its reference model. The owner is the provider and drives the scoring.
pub(crate) struct MarketMechanism<'c> {
    chain: Box<dyn Chain + 'c>,
    deployment: Deployment,
    reference: Market,
    /// Parts of the test set, as encoded batches.
    parts: Vec<Vec<u8>>,
    /// Contributions of every transaction, in order.
    contributions: Vec<Contributions>,
    /// Sizes of the steps of the scoring.
    pace: Pace,
    /// Money that the owner got back, in wei.
    remainder: u128,
    upkeep: Upkeep,
    steps: u64,
}

impl<'c> MarketMechanism<'c> {
    /// Deploys a market with the weights of `classifier`, commits to the test set, and opens it.
    pub(crate) fn deploy(
        mut chain: Box<dyn Chain + 'c>,
        terms: Terms,
        offer: Offer,
        classifier: Classifier,
        test: &Samples,
    ) -> Result<Self, SimulateError> {
        let config = ModelConfig {
            owner: OWNER,
            terms: AnyTerms::Market(terms),
        };
        let deployment = deploy(chain.as_mut(), &config, &classifier)?;
        let reference = Market::new(
            OWNER,
            deployment.trainer,
            deployment.classifier,
            terms,
            classifier,
        );
        let mut market = Self {
            chain,
            deployment,
            reference: reference.map_err(accepted("create"))?,
            parts: parts(test, offer)?,
            contributions: Vec::new(),
            pace: Pace::default(),
            remainder: 0,
            upkeep: Upkeep::default(),
            steps: 0,
        };
        market.open(offer.bounty)?;
        // The transactions of the opening belong to the deployment.
        let opening = std::mem::take(&mut market.upkeep);
        market.deployment.cost.transactions += opening.transactions;
        market.deployment.cost.gas += opening.gas;
        Ok(market)
    }

    fn open(&mut self, bounty: u128) -> Result<(), SimulateError> {
        let numbered = (0_u64..).zip(&self.parts);
        let commitments: Vec<_> = numbered
            .map(|(part, items)| commitment(part, salt(part), items))
            .collect();
        let (now, block) = (self.chain.now(), self.chain.block_number()?);
        self.drive(calls::commit(&commitments), bounty)?;
        let committed = self
            .reference
            .commit(OWNER, now, block, bounty, &commitments);
        committed.map_err(accepted("commit"))?;
        // The draw uses the hash of the next block, so one more transaction completes that block.
        let nothing = Transaction::call(OWNER, OWNER, Vec::new());
        self.send_as_owner(nothing)?;
        let (drawn_in, hash) = (
            self.chain.block_number()?,
            self.chain.block_hash(block + 1)?,
        );
        self.drive(calls::draw(), 0)?;
        let drawn = self.reference.draw(now, drawn_in, hash);
        let drawn = drawn.map_err(accepted("draw"))?;
        self.reveal(drawn)
    }

    fn reveal(&mut self, index: usize) -> Result<(), SimulateError> {
        let part = index as u64;
        let items = self.parts[index].clone();
        self.drive(calls::reveal(part, salt(part), &items), 0)?;
        let revealed = self
            .reference
            .reveal(self.chain.now(), part, salt(part), &items);
        revealed.map_err(accepted("reveal"))?;
        Ok(())
    }

    /// Sends all steps of the scoring in order.
    fn score(&mut self) -> Result<(), SimulateError> {
        loop {
            let now = self.chain.now();
            let Some(step) = self
                .reference
                .next_step(now, &self.contributions, self.pace.limits())
            else {
                return Ok(());
            };
            self.step(now, step)?;
            self.steps += 1;
        }
    }

    fn step(&mut self, now: u64, step: Step) -> Result<(), SimulateError> {
        match step {
            Step::Restart { words } => {
                self.drive(calls::restart(words), 0)?;
                self.reference
                    .restart(now, words)
                    .map_err(accepted("restart"))
            }
            Step::Settle { max } => {
                self.drive(calls::settle(max), 0)?;
                let settled = self.reference.settle(now, max);
                settled.map(|_| ()).map_err(accepted("settle"))
            }
            Step::Score { records, samples } => self.send_score(now, records, samples),
        }
    }

    fn send_score(
        &mut self,
        now: u64,
        range: Range<usize>,
        samples: u64,
    ) -> Result<(), SimulateError> {
        let records = &self.contributions[range.clone()];
        let call = calls::score(records, samples);
        let transaction = Transaction::call(OWNER, self.deployment.trainer, call);
        let error = match self.chain.send(transaction) {
            Ok(receipt) => {
                let scored = self.reference.score(now, records, samples);
                let scored = scored.map_err(accepted("score"))?;
                self.pace.used(receipt.gas_used, scored.samples);
                self.count(&receipt);
                return Ok(());
            }
            Err(error) => error,
        };
        let too_large = matches!(
            error,
            ChainError::Halted { .. }
                | ChainError::Reverted {
                    revert: Revert::GasTooLow { .. }
                        | Revert::Contract(ContractError::ClassifierFailed),
                    ..
                }
        );
        if !too_large || !self.pace.shrink(&self.reference, range.len(), samples) {
            return Err(error.into());
        }
        self.upkeep.transactions += 1;
        Ok(())
    }

    /// Sends a call from the owner.
    fn drive(&mut self, call: Vec<u8>, wei: u128) -> Result<(), SimulateError> {
        let transaction =
            Transaction::call(OWNER, self.deployment.trainer, call).with_value(U256::from(wei));
        self.send_as_owner(transaction)
    }

    fn send_as_owner(&mut self, transaction: Transaction) -> Result<(), SimulateError> {
        let receipt = self.chain.send(transaction)?;
        self.count(&receipt);
        Ok(())
    }

    fn count(&mut self, receipt: &Receipt) {
        self.upkeep.transactions += 1;
        self.upkeep.gas += receipt.gas_used;
    }

    fn read(&mut self, call: Vec<u8>) -> Result<U256, ChainError> {
        let call = Transaction::call(Address::ZERO, self.deployment.trainer, call);
        let answer = self.chain.call(call)?.output;
        bindings::read_number(&answer).ok_or(ChainError::UnexpectedAnswer { call: "a getter" })
    }
}

impl Mechanism for MarketMechanism<'_> {
    fn title(&self) -> &'static str {
        Kind::PredictionMarket.description().title
    }

    fn chain(&self) -> &dyn Chain {
        self.chain.as_ref()
    }

    fn chain_mut(&mut self) -> &mut dyn Chain {
        self.chain.as_mut()
    }

    /// Returns the initial model; once the market is settled, the model of the last pass.
    fn classifier(&self) -> &Classifier {
        match self.reference.model() {
            Some(model) if self.reference.phase(self.chain.now()) == Phase::Settled => model,
            _ => self.reference.initial().classifier(),
        }
    }

    fn deployment_cost(&self) -> DeploymentCost {
        self.deployment.cost
    }

    fn price(&self, _n: usize) -> u128 {
        self.reference.stake()
    }

    fn is_open(&self) -> bool {
        self.reference.phase(self.chain.now()) == Phase::Open
    }

    /// Returns 0: the market has no good contributions.
    fn good(&self, _account: Address) -> u64 {
        0
    }

    fn total_good(&self) -> u64 {
        0
    }

    fn contribute(
        &mut self,
        author: Address,
        items: &[Item<'_>],
    ) -> Result<Option<Sent>, SimulateError> {
        let now = self.chain.now();
        let left = self.reference.terms().most_contributions - self.reference.contribution_count();
        if items.len() as u64 > left {
            return Ok(None);
        }
        let batch = encode(items)?;
        let value = self.price(items.len()) * items.len() as u128;
        let transaction = Transaction::call(
            author,
            self.deployment.trainer,
            bindings::contribute(&batch),
        )
        .with_value(U256::from(value));
        let receipt = match send(self.chain.as_mut(), transaction) {
            Ok(Some(receipt)) => receipt,
            Ok(None) => return Ok(None),
            Err(error) => return Err(refused(error, batch.len())),
        };
        let sent = self.reference.contribute(author, now, value, &batch);
        let sent = sent.map_err(accepted("contribute"))?;
        self.contributions.push(Contributions {
            author,
            time: now,
            items: batch,
        });
        let added = [(author, items.to_vec())];
        let record = Record::new(sent.first_position, self.reference.stake(), now, &added);
        Ok(Some(Sent {
            pending: Pending::all_of(record),
            gas: receipt.gas_used,
            changed: 0,
        }))
    }

    /// Returns no times: the market has no claims on single contributions.
    fn edges(&self, _contribution: &Contribution) -> Vec<u64> {
        Vec::new()
    }

    fn is_settled(&self, _pending: &Pending) -> bool {
        true
    }

    fn opportunity(&self, _claimer: Address, _pending: &mut Pending) -> Option<Opportunity> {
        None
    }

    fn claim(
        &mut self,
        _claimer: Address,
        _kind: ClaimKind,
        _pending: &[&Pending],
    ) -> Result<Option<Claimed>, SimulateError> {
        Ok(None)
    }

    fn claim_gas(
        &mut self,
        _claimer: Address,
        _kind: ClaimKind,
        _pending: &Pending,
    ) -> Result<u64, SimulateError> {
        Ok(0)
    }

    fn dues(&self, account: Address) -> u128 {
        self.reference.collectable(account, self.chain.now())
    }

    fn collect(&mut self, account: Address) -> Result<Option<Collected>, SimulateError> {
        if self.dues(account) == 0 {
            return Ok(None);
        }
        let transaction = Transaction::call(account, self.deployment.trainer, calls::collect());
        let Some(receipt) = send(self.chain.as_mut(), transaction)? else {
            return Ok(None);
        };
        let amount = self.reference.collect(account, self.chain.now());
        Ok(Some(Collected {
            amount: amount.map_err(accepted("collect"))?,
            gas: receipt.gas_used,
        }))
    }

    /// Returns the closing time; everything after it happens in the same second.
    fn next_event(&self) -> Option<u64> {
        match self.reference.phase(self.chain.now()) {
            Phase::Open | Phase::Revealing => self.reference.closing_time(),
            _ => None,
        }
    }

    /// Reveals the other parts, scores, and collects the remainder.
    fn advance(&mut self) -> Result<Upkeep, SimulateError> {
        if self.reference.phase(self.chain.now()) == Phase::Revealing {
            for part in 0..self.parts.len() {
                if self.reference.drawn_part() != Some(part) {
                    self.reveal(part)?;
                }
            }
            self.score()?;
        }
        let remainder = self.reference.remainder(self.chain.now());
        if remainder > 0 {
            self.drive(calls::collect_remainder(), 0)?;
            let collected = self.reference.collect_remainder(OWNER, self.chain.now());
            self.remainder = collected.map_err(accepted("collectRemainder"))?;
        }
        Ok(std::mem::take(&mut self.upkeep))
    }

    fn facts(&self) -> Vec<Fact> {
        let progress = self.reference.progress();
        let units = |wei: u128| format!("{}.{:06}", wei / UNIT, wei % UNIT / (UNIT / 1_000_000));
        [
            ("bounty, units", units(self.reference.bounty())),
            ("back to the provider, units", units(self.remainder)),
            ("passes of the scoring", progress.pass.to_string()),
            ("steps of the scoring", self.steps.to_string()),
            (
                "test samples scored on",
                self.reference.samples().to_string(),
            ),
            (
                "of them right before",
                self.reference.initial_correct().to_string(),
            ),
            ("of them right after", progress.correct.to_string()),
        ]
        .map(|(name, value)| Fact { name, value })
        .into()
    }

    fn words(&self) -> Vocabulary {
        Kind::PredictionMarket.description().into()
    }

    fn outcome(&self) -> String {
        if self.reference.phase(self.chain.now()) != Phase::Settled {
            return "The market was not settled when the run ended.".to_owned();
        }
        if self.reference.contribution_count() == 0 {
            return "Nobody contributed, so the provider got the whole bounty back.".to_owned();
        }
        outcome(&Ended {
            before: self.reference.initial_correct(),
            after: self.reference.progress().correct,
            samples: self.reference.samples(),
            bounty: self.reference.bounty(),
            remainder: self.remainder,
        })
    }

    fn compare(&mut self, accounts: &[Address]) -> Result<(), SimulateError> {
        let held = self.chain.balance(self.deployment.trainer)?;
        same("balance", &held, &U256::from(self.reference.held()))?;
        let now = self.chain.now();
        for account in accounts {
            let due = self.read(calls::state::collectable(*account))?;
            let expected = self.reference.collectable(*account, now);
            same("collectable", &due, &U256::from(expected))?;
        }
        let words = self.deployment.words(self.chain.as_mut())?;
        same(
            "words",
            &words,
            &self.reference.initial().classifier().words(),
        )?;
        let model = self.read(calls::state::model())?;
        if let (Some(expected), false) = (self.reference.model(), model.is_zero()) {
            let address = Address::from_word(B256::from(model));
            let words = self.deployment.words_of(self.chain.as_mut(), address)?;
            same("words", &words, &expected.words())?;
        }
        Ok(())
    }
}

/// Returns the salt of a part's commitment.
/// A real salt must be unguessable; this one need not be, as simulated contributors do not guess.
fn salt(part: u64) -> B256 {
    keccak256(format!("cotrain test set {part}"))
}

/// Returns the test set in parts of nearly equal size, as encoded batches.
fn parts(test: &Samples, offer: Offer) -> Result<Vec<Vec<u8>>, SimulateError> {
    let n = offer.test_samples.min(test.len());
    (0..offer.parts)
        .map(|part| {
            let range = part * n / offer.parts..(part + 1) * n / offer.parts;
            let items: Vec<_> = range
                .map(|index| {
                    let (sample, label) = test.get(index);
                    Item { label, sample }
                })
                .collect();
            encode(&items)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcome_says_where_the_bounty_went() {
        let message = |after, remainder| {
            outcome(&Ended {
                before: 90,
                after,
                samples: 180,
                bounty: 100 * UNIT,
                remainder: remainder * UNIT / 10,
            })
        };
        let paid = message(120, 835);
        assert!(paid.contains("improved the model on the hidden test set: 90 of 180 samples were right before them, 120 after"), "{paid}");
        assert!(
            paid.ends_with(
                "All participants together won 16.50 units; 83.50 units went back to the provider."
            ),
            "{paid}"
        );
        let even = message(90, 1_000);
        assert!(
            even.contains("did not improve the model on")
                && even.contains("the whole bounty went back"),
            "{even}"
        );
        let lost = message(80, 1_025);
        assert!(lost.contains("made the model worse on"), "{lost}");
        assert!(
            lost.ends_with("the whole bounty back, and 2.50 units of the losers' stakes."),
            "{lost}"
        );
    }
}
