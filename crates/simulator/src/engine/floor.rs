//! What agents see of the engine and make it do.

use alloy_primitives::{Address, U256};
use cotrain_chain::Transaction;
use cotrain_protocol::{classifier::Parameters, sample::Item, signature::Key};

use super::{Engine, START};
use crate::{
    agent::Seen,
    error::SimulateError,
    mechanism::{Asked, ClaimKind, Collected, Opportunity, Pending, send},
    turn::{Floor, Foreign, Origin, Own, Piece, Sample},
};

/// Taken for what a transaction uses before there was one.
const ROUGH_GAS: u64 = 150_000;

impl Engine<'_> {
    fn account(&self, agent: usize, identity: usize) -> Address {
        self.seats[agent].identity(identity).address()
    }

    /// Wei that `account` holds, without what it has prepaid.
    pub(super) fn wallet(&mut self, account: Address) -> Result<u128, SimulateError> {
        // All the money there is was given out as u128; only the owner's may exceed it.
        let balance = self.mechanism.chain_mut().balance(account)?;
        Ok(balance.saturating_to())
    }

    /// Wei that an agent can still deposit by all its identities together.
    pub(super) fn free_of_all(&mut self, agent: usize) -> Result<u128, SimulateError> {
        let mut all = 0;
        for identity in 0..self.seats[agent].identities.len() {
            all += self.free(agent, identity)?;
        }
        Ok(all)
    }

    /// Wei that an identity can still deposit: its own, without what it will pay for what is signed and not
    /// yet sent.
    pub(super) fn free(&mut self, agent: usize, identity: usize) -> Result<u128, SimulateError> {
        let account = self.account(agent, identity);
        let balance = self.wallet(account)? + self.mechanism.balance(account);
        let committed = match (&self.relayer, self.mechanism.relaying()) {
            (Some(relayer), Some(relaying)) => relayer.committed(account, relaying),
            _ => 0,
        };
        Ok(balance.saturating_sub(committed))
    }

    fn sample_bytes<'s>(&'s self, sample: &'s Sample) -> &'s [u8] {
        match &sample.0 {
            Origin::Data(place) => self.data.train.get(*place).0,
            Origin::Copy(bytes) => bytes,
        }
    }

    /// Notes that these have been contributed, and moves on to the first sample that has not been.
    pub(super) fn take(&mut self, pieces: &[Piece]) {
        for piece in pieces {
            if let Origin::Data(place) = piece.sample.0 {
                self.taken[place] = true;
            }
        }
        while self.taken.get(self.next_sample) == Some(&true) {
            self.next_sample += 1;
        }
    }

    /// Shows contributions on their way to those who watch; what they do comes before them.
    fn show(&mut self, author: Address, pieces: &[Piece]) -> Result<(), SimulateError> {
        if self.looked_at {
            return Ok(());
        }
        self.looked_at = true;
        let author_good = self.mechanism.good(author);
        for watcher in 0..self.players.len() {
            let player = self.players[watcher].as_ref();
            if !player.is_some_and(|player| player.agent.watches()) {
                continue;
            }
            for piece in pieces {
                let bytes = self.sample_bytes(&piece.sample).to_vec();
                let seen = Seen {
                    author,
                    author_good,
                    label: piece.label,
                    sample: &bytes,
                };
                if let Some(result) =
                    self.with_player(watcher, |agent, turn| agent.sees(&seen, turn))
                {
                    result?;
                }
            }
        }
        self.looked_at = false;
        Ok(())
    }

    /// Claims one after the other, oldest first, each by a transaction of its own.
    fn claim_alone(
        &mut self,
        agent: usize,
        claimer: Address,
        wanted: &mut dyn FnMut(&Opportunity) -> bool,
    ) -> Result<(), SimulateError> {
        let mut pending = std::mem::take(&mut self.pending);
        let mut done = Vec::new();
        for (place, contribution) in pending.iter_mut().enumerate() {
            if !self.is_claimable(contribution) {
                // Later ones are younger.
                break;
            }
            let Some(found) = self.mechanism.opportunity(claimer, contribution) else {
                continue;
            };
            if !wanted(&found) {
                continue;
            }
            let contribution = &*contribution;
            let Some(paid) = self.mechanism.claim(claimer, found.kind, &[contribution])? else {
                // No money for gas: perhaps at its next turn.
                break;
            };
            done.push(place);
            self.claimed(found.kind.into(), agent, &[contribution], paid);
        }
        self.keep(pending, &done);
        Ok(())
    }

    /// Whether the first wait is over.
    pub(super) fn is_claimable(&self, pending: &Pending) -> bool {
        let edges = self.mechanism.edges(pending.contribution());
        edges
            .first()
            .is_some_and(|edge| START + self.seconds >= *edge)
    }

    /// Keeps what is pending but for what was settled by claims on those at `claimed`, in ascending order.
    pub(super) fn keep(&mut self, mut pending: Vec<Pending>, claimed: &[usize]) {
        for place in claimed.iter().rev() {
            if self.mechanism.is_settled(&pending[*place]) {
                pending.remove(*place);
            }
        }
        self.pending = pending;
    }

    /// Makes an agent's good contributions count for what is paid for predictions, once a day.
    pub(super) fn register(&mut self, agent: usize) -> Result<(), SimulateError> {
        const EVERY: u64 = 86_400;
        if self.mechanism.prediction_price().is_none()
            || self.seconds < self.seats[agent].next_registration
        {
            return Ok(());
        }
        self.seats[agent].next_registration = self.seconds + EVERY;
        for identity in 0..self.seats[agent].identities.len() {
            if let Some(gas) = self.mechanism.register(self.account(agent, identity))? {
                self.other_transaction(agent, gas);
            }
        }
        Ok(())
    }

    /// Collects what is due to an agent's identities, where it is at least `least` and more than twice what
    /// collecting costs.
    pub(super) fn collect_dues(&mut self, agent: usize, least: u128) -> Result<(), SimulateError> {
        let gas = u128::from(ROUGH_GAS) * self.mechanism.chain().gas_price();
        for identity in 0..self.seats[agent].identities.len() {
            let due = self.mechanism.dues(self.account(agent, identity));
            if due >= least && due > 2 * gas {
                Floor::collect(self, agent, identity)?;
            }
        }
        Ok(())
    }
}

impl Floor for Engine<'_> {
    fn now(&self) -> u64 {
        self.seconds
    }

    fn classes(&self) -> u16 {
        self.data.classes
    }

    fn parameters(&self) -> Parameters {
        *self.mechanism.classifier().parameters()
    }

    fn accuracy(&self) -> f64 {
        self.accuracy
    }

    fn is_open(&self) -> bool {
        self.mechanism.is_open()
    }

    fn price(&self, n: usize) -> u128 {
        self.mechanism.price(n)
    }

    fn gas_price(&self) -> u128 {
        self.mechanism.chain().gas_price()
    }

    fn usual_gas(&self, contribution: bool) -> u64 {
        let counts = &self.counts;
        let (gas, of) = if contribution {
            (self.gas.contributions, counts.contributions)
        } else {
            let claims = counts.refunds + counts.reports + counts.late_claims;
            (self.gas.claims, claims)
        };
        gas.checked_div(of).unwrap_or(ROUGH_GAS)
    }

    fn identities(&self, agent: usize) -> usize {
        self.seats[agent].identities.len()
    }

    fn funds(&mut self, agent: usize, identity: usize) -> Result<u128, SimulateError> {
        self.free(agent, identity)
    }

    fn good(&self, agent: usize, identity: usize) -> (u64, u64) {
        let good = self.mechanism.good(self.account(agent, identity));
        (good, self.mechanism.total_good())
    }

    fn upcoming(&self, most: usize) -> Vec<usize> {
        let left = self.next_sample..self.taken.len();
        left.filter(|place| !self.taken[*place])
            .take(most)
            .collect()
    }

    fn bytes(&self, place: usize) -> &[u8] {
        self.data.train.get(place).0
    }

    fn label(&self, place: usize) -> u16 {
        self.data.train.get(place).1
    }

    fn predict(&self, sample: &Sample) -> u16 {
        // Samples of the data and of contributions are well formed, so the fallback is never taken.
        let bytes = self.sample_bytes(sample);
        self.mechanism
            .classifier()
            .predict(bytes)
            .unwrap_or_default()
    }

    fn contribute(
        &mut self,
        agent: usize,
        identity: usize,
        pieces: &[Piece],
        most: u128,
    ) -> Result<bool, SimulateError> {
        if pieces.is_empty() || !self.mechanism.is_open() {
            return Ok(false);
        }
        if self.relayer.is_some() {
            return self.sign(agent, identity, pieces, most);
        }
        let price = self.mechanism.price(pieces.len());
        if price > most
            || price.saturating_mul(pieces.len() as u128) > self.free(agent, identity)?
        {
            return Ok(false);
        }
        let author = self.account(agent, identity);
        self.show(author, pieces)?;
        let price = self.mechanism.price(pieces.len());
        let all = price.saturating_mul(pieces.len() as u128);
        if price > most || all > self.free(agent, identity)? || !self.mechanism.is_open() {
            // Whoever came before has made it too dear; sent all the same, it would fail.
            self.seats[agent].outcome.outbid += 1;
            return Ok(false);
        }
        let data = self.data;
        let items: Vec<_> = pieces
            .iter()
            .map(|piece| Item {
                label: piece.label,
                sample: match &piece.sample.0 {
                    Origin::Data(place) => data.train.get(*place).0,
                    Origin::Copy(bytes) => bytes,
                },
            })
            .collect();
        let Some(sent) = self.mechanism.contribute(author, &items)? else {
            return Ok(false);
        };
        self.take(pieces);
        self.contributed(&vec![agent; pieces.len()], sent);
        Ok(true)
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
        self.dispatch(agent)?;
        for kind in [
            ClaimKind::Refund,
            ClaimKind::Report,
            ClaimKind::Late,
            ClaimKind::Announcement,
        ] {
            self.claim_together(kind, agent, claimer, wanted)?;
        }
        Ok(())
    }

    fn own(&mut self, agent: usize) -> Vec<Own> {
        let accounts: Vec<_> = self.seats[agent]
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
        // Later ones are younger.
        let n = self
            .pending
            .partition_point(|pending| self.is_claimable(pending));
        let (seat, mechanism) = (&self.seats[agent], &self.mechanism);
        let foreign = self.pending[..n]
            .iter_mut()
            .filter(|pending| !seat.has(pending.contribution().author));
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

    fn taken(&self) -> u128 {
        self.taken_from_others
    }

    fn next_edge(&self) -> Option<u64> {
        let now = START + self.seconds;
        let edge = |pending: &Pending, which: usize| {
            let edges = self.mechanism.edges(pending.contribution());
            edges.get(which).copied()
        };
        let kinds = self.pending.first().map_or(0, |pending| {
            self.mechanism.edges(pending.contribution()).len()
        });
        // Contributions are in order of time, and so are their edges of a kind.
        (0..kinds)
            .filter_map(|which| {
                let past = |pending: &Pending| edge(pending, which).is_none_or(|edge| edge <= now);
                let next = self.pending.partition_point(past);
                edge(self.pending.get(next)?, which)
            })
            .min()
            .map(|edge| edge - START)
    }

    fn transfer(
        &mut self,
        agent: usize,
        from: usize,
        to: usize,
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
        // Below the number of samples, since the chance is below 1.
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
        let outcome = &mut self.seats[agent].outcome;
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
            self.seats[agent].outcome.collected += collected.amount;
            self.other_transaction(agent, collected.gas);
        }
        Ok(collected)
    }

    fn dues(&self, agent: usize, identity: usize) -> u128 {
        self.mechanism.dues(self.account(agent, identity))
    }
}
