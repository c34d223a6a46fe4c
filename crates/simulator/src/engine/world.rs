//! The engine as agents see it in their turns, and the actions that they cause.

use alloy_primitives::{Address, U256};
use cotrain_chain::Transaction;
use cotrain_protocol::signature::Key;

use super::{Engine, START};
use crate::{
    context::{Foreign, Origin, Own, Piece, ROUGH_GAS, View, World},
    error::SimulateError,
    mechanism::{Asked, Collected, Opportunity, Pending, send},
};

impl Engine<'_> {
    pub(super) fn account(&self, agent: usize, identity: usize) -> Address {
        self.agents[agent].identity(identity).address()
    }

    /// Returns the wei that `account` holds, without prepaid money.
    pub(super) fn wallet(&mut self, account: Address) -> Result<u128, SimulateError> {
        // All money was distributed as u128. Only the owner's balance may exceed it.
        let balance = self.mechanism.chain_mut().balance(account)?;
        Ok(balance.saturating_to())
    }

    /// Returns the wei that all identities of an agent together can still deposit.
    pub(super) fn free_of_all(&mut self, agent: usize) -> Result<u128, SimulateError> {
        let mut all = 0;
        for identity in 0..self.agents[agent].identities.len() {
            all += self.free(self.account(agent, identity))?;
        }
        Ok(all)
    }

    /// Returns the wei that an account can still deposit. The cost of its signed but unsent
    /// contributions is subtracted.
    pub(super) fn free(&mut self, account: Address) -> Result<u128, SimulateError> {
        let balance = self.wallet(account)? + self.mechanism.balance(account);
        let committed = match (&self.relayer, self.mechanism.relaying()) {
            (Some(relayer), Some(relaying)) => relayer.committed(account, relaying),
            _ => 0,
        };
        Ok(balance.saturating_sub(committed))
    }

    /// Marks the pieces' samples as contributed, and advances to the first one that is not.
    pub(super) fn take(&mut self, pieces: &[Piece]) {
        for piece in pieces {
            if let Origin::Data(index) = piece.sample.0 {
                self.taken[index] = true;
            }
        }
        while self.taken.get(self.next_sample) == Some(&true) {
            self.next_sample += 1;
        }
    }

    /// Returns `true` if the contribution's first wait is over.
    pub(super) fn is_claimable(&self, pending: &Pending) -> bool {
        let edges = self.mechanism.edges(pending.contribution());
        edges
            .first()
            .is_some_and(|edge| START + self.seconds >= *edge)
    }

    /// Restores the pending contributions without those that claims have settled. `claimed` lists
    /// the claimed indices, in ascending order.
    pub(super) fn keep(&mut self, mut pending: Vec<Pending>, claimed: &[usize]) {
        for index in claimed.iter().rev() {
            if self.mechanism.is_settled(&pending[*index]) {
                pending.remove(*index);
            }
        }
        self.pending = pending;
    }

    /// Registers an agent's good contributions for shares of paid predictions, once a day.
    pub(super) fn register(&mut self, agent: usize) -> Result<(), SimulateError> {
        const EVERY: u64 = 86_400;
        if self.mechanism.prediction_price().is_none()
            || self.seconds < self.agents[agent].next_registration
        {
            return Ok(());
        }
        self.agents[agent].next_registration = self.seconds + EVERY;
        for identity in 0..self.agents[agent].identities.len() {
            if let Some(gas) = self.mechanism.register(self.account(agent, identity))? {
                self.other_transaction(agent, gas);
            }
        }
        Ok(())
    }

    /// Collects the money due to an agent's identities. Skips amounts below `least`, and those not
    /// more than twice the gas cost.
    pub(super) fn collect_dues(&mut self, agent: usize, least: u128) -> Result<(), SimulateError> {
        let gas = u128::from(ROUGH_GAS) * self.mechanism.chain().gas_price();
        for identity in 0..self.agents[agent].identities.len() {
            let due = self.mechanism.dues(self.account(agent, identity));
            if due >= least && due > 2 * gas {
                World::collect(self, agent, identity)?;
            }
        }
        Ok(())
    }
}

impl World for Engine<'_> {
    fn view(&self, agent: usize) -> View<'_> {
        View {
            mechanism: self.mechanism.as_ref(),
            data: &self.data.train,
            classes: self.data.class_count(),
            next_sample: self.next_sample,
            taken: &self.taken,
            pending: &self.pending,
            identities: &self.agents[agent].identities,
            start: START,
            seconds: self.seconds,
            accuracy: self.accuracy,
            counts: self.counts,
            gas: self.gas,
            taken_from_others: self.taken_from_others,
        }
    }

    fn funds(&mut self, account: Address) -> Result<u128, SimulateError> {
        self.free(account)
    }

    fn contribute(
        &mut self,
        agent: usize,
        identity: usize,
        pieces: &[Piece],
        max_deposit: u128,
    ) -> Result<bool, SimulateError> {
        if pieces.is_empty() || !self.mechanism.is_open() {
            return Ok(false);
        }
        if self.relayer.is_some() {
            return self.sign(agent, identity, pieces, max_deposit);
        }
        self.contribute_alone(agent, identity, pieces, max_deposit)
    }

    fn claim(
        &mut self,
        agent: usize,
        identity: usize,
        wanted: &mut dyn FnMut(&Opportunity) -> bool,
    ) -> Result<(), SimulateError> {
        let claimer = self.account(agent, identity);
        if self.relayer.is_none() {
            return self.claim_alone(agent, claimer, wanted);
        }
        self.claim_all_kinds(agent, claimer, wanted)
    }

    fn own(&mut self, agent: usize) -> Vec<Own> {
        let accounts: Vec<_> = self.agents[agent]
            .identities
            .iter()
            .map(Key::address)
            .collect();
        let classifier = self.mechanism.classifier();
        let own = self
            .pending
            .iter_mut()
            .filter(|pending| accounts.contains(&pending.contribution().author));
        own.map(|pending| Own {
            seconds: pending.contribution().time - START,
            label: pending.contribution().label,
            sample: pending.contribution().sample.clone(),
            agrees: pending.predict(classifier) == pending.contribution().label,
        })
        .collect()
    }

    fn foreign(&mut self, agent: usize) -> Vec<Foreign> {
        // The rest is younger.
        let n = self
            .pending
            .partition_point(|pending| self.is_claimable(pending));
        let (state, mechanism) = (&self.agents[agent], &self.mechanism);
        let foreign = self.pending[..n]
            .iter_mut()
            .filter(|pending| !state.has(pending.contribution().author));
        foreign
            .map(|pending| {
                let predicted = pending.predict(mechanism.classifier());
                let contribution = pending.contribution();
                Foreign {
                    position: contribution.position,
                    label: contribution.label,
                    sample: contribution.sample.clone(),
                    deposit: contribution.deposit,
                    agrees: predicted == contribution.label,
                    stage: mechanism.report_stage(contribution),
                }
            })
            .collect()
    }

    fn transfer(
        &mut self,
        agent: usize,
        (from, to): (usize, usize),
        wei: u128,
    ) -> Result<bool, SimulateError> {
        let (from, to) = (self.account(agent, from), self.account(agent, to));
        if wei == 0 || from == to || self.wallet(from)? < wei {
            return Ok(false);
        }
        let transaction = Transaction::call(from, to, Vec::new()).with_value(U256::from(wei));
        let Some(receipt) = send(self.mechanism.chain_mut(), transaction)? else {
            return Ok(false);
        };
        self.other_transaction(agent, receipt.gas_used);
        Ok(true)
    }

    fn ask(
        &mut self,
        agent: usize,
        identity: usize,
        n: usize,
        chance: f64,
    ) -> Result<Option<Asked>, SimulateError> {
        let Some(price) = self.mechanism.prediction_price() else {
            return Ok(None);
        };
        let (caller, test) = (self.account(agent, identity), &self.data.test);
        if test.is_empty() || price.saturating_mul(n as u128) > self.wallet(caller)? {
            return Ok(None);
        }
        // The product is below the number of samples, since the chance is below 1.
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss
        )]
        let first = (chance * test.len() as f64) as usize;
        let samples = (0..n).map(|k| self.data.test.get((first + k) % self.data.test.len()).0);
        let samples: Vec<_> = samples.collect();
        let Some(asked) = self.mechanism.ask(caller, &samples)? else {
            return Ok(None);
        };
        let outcome = &mut self.agents[agent].outcome;
        outcome.predictions += asked.labels.len() as u64;
        outcome.paid += asked.paid;
        self.other_transaction(agent, asked.gas);
        Ok(Some(asked))
    }

    fn collect(
        &mut self,
        agent: usize,
        identity: usize,
    ) -> Result<Option<Collected>, SimulateError> {
        let account = self.account(agent, identity);
        let collected = self.mechanism.collect(account)?;
        if let Some(collected) = collected {
            self.agents[agent].outcome.collected += collected.amount;
            self.other_transaction(agent, collected.gas);
        }
        Ok(collected)
    }
}
