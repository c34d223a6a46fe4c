//! Turns with a relayer. Agents sign contributions and prepay for them. The relayer sends many in
//! one transaction, and each agent groups its claims.

use std::{collections::BTreeMap, num::NonZeroUsize};

use alloy_primitives::Address;
use cotrain_chain::TRANSACTION_GAS_LIMIT;
use cotrain_protocol::trainer::{NONCE_WINDOW, SignedBatch};

use super::{Engine, START, state::AgentState};
use crate::{
    context::Piece,
    error::SimulateError,
    mechanism::{ClaimKind, LARGEST_BALANCE, Opportunity, Pending, Relaying, encode},
    run::Relay,
};

/// Latest deadline of a signed batch, in Unix seconds.
const LAST_DEADLINE: u64 = (1 << 40) - 1;

/// Signed contribution that the relayer has not sent yet.
struct Signed {
    agent: usize,
    batch: SignedBatch,
}

/// Relayer of signed contributions, with its figures so far.
pub(super) struct Relayer {
    size: NonZeroUsize,
    /// Signed contributions, in the order of signing.
    queue: Vec<Signed>,
    /// Next nonce of each account.
    nonces: BTreeMap<Address, u64>,
    /// Average gas of a contribution in the latest relay; `None` before the first.
    gas_each: Option<u64>,
    last_signed: u64,
    figures: Relay,
}

impl Relayer {
    pub(super) fn new(size: NonZeroUsize, agents: &[AgentState]) -> Self {
        let accounts = agents.iter().flat_map(|agent| &agent.identities);
        Self {
            size,
            queue: Vec::new(),
            nonces: accounts.map(|identity| (identity.address(), 0)).collect(),
            gas_each: None,
            last_signed: 0,
            figures: Relay {
                size: size.get() as u64,
                ..Relay::default()
            },
        }
    }

    /// Returns the second of the latest signature.
    pub(super) fn last_signed(&self) -> u64 {
        self.last_signed
    }

    /// Returns the number of signed contributions in the queue.
    pub(super) fn unsent(&self) -> usize {
        self.queue.len()
    }

    /// Returns the wei that the account's queued batches would cost now, if the whole queue were
    /// relayed.
    pub(super) fn committed(&self, account: Address, relaying: &dyn Relaying) -> u128 {
        let price = relaying.price(self.queue.len());
        self.of(account)
            .map(|batch| price.min(batch.max_deposit) + batch.fee)
            .sum()
    }

    /// Returns the account's queued batches, in the order of signing.
    fn of(&self, account: Address) -> impl DoubleEndedIterator<Item = &SignedBatch> {
        let all = self.queue.iter().map(|signed| &signed.batch);
        all.filter(move |batch| batch.author == account)
    }

    /// Returns the indices of the queued batches that the contract would accept now, if relayed
    /// together.
    ///
    /// The price rises with their number. So this starts from the whole queue and drops those that
    /// the contract would refuse, until it would accept all that are left.
    fn acceptable(&self, relaying: &dyn Relaying) -> Vec<usize> {
        let mut chosen = vec![true; self.queue.len()];
        loop {
            let indices = indices(&chosen);
            let price = relaying.price(indices.len());
            let mut balances: BTreeMap<Address, u128> = BTreeMap::new();
            // The lowest nonce that each author leaves unused must stay inside the window.
            let mut left_out: BTreeMap<Address, u64> = BTreeMap::new();
            for (Signed { batch, .. }, chosen) in self.queue.iter().zip(&mut chosen) {
                let author = batch.author;
                let balance = balances
                    .entry(author)
                    .or_insert_with(|| relaying.prepaid(author));
                let cost = price + batch.fee;
                let reach = left_out.get(&author).map(|lowest| batch.nonce - lowest);
                *chosen &= price <= batch.max_deposit
                    && cost <= *balance
                    && reach.is_none_or(|reach| reach < NONCE_WINDOW);
                if *chosen {
                    *balance -= cost;
                } else {
                    left_out.entry(author).or_insert(batch.nonce);
                }
            }
            if indices.len() == chosen.iter().filter(|chosen| **chosen).count() {
                return indices;
            }
        }
    }

    /// Returns the figures at the end of the run.
    pub(super) fn finish(self) -> Relay {
        Relay {
            unsent: self.figures.unsent + self.queue.len() as u64,
            ..self.figures
        }
    }
}

fn indices(chosen: &[bool]) -> Vec<usize> {
    let chosen = chosen.iter().enumerate();
    chosen
        .filter_map(|(index, chosen)| chosen.then_some(index))
        .collect()
}

impl Engine<'_> {
    /// Prepays for the agent's signed contributions, and lets the relayer send its queue if that is
    /// long enough. Acts once a turn.
    pub(super) fn dispatch(&mut self, agent: usize) -> Result<(), SimulateError> {
        if self.relayer.is_none() || std::mem::replace(&mut self.dispatched, true) {
            return Ok(());
        }
        for identity in 0..self.agents[agent].identities.len() {
            let account = self.agents[agent].identities[identity].address();
            self.prepay(agent, account)?;
        }
        self.relay(agent)
    }

    /// Signs contributions for the relayer, each as its own batch, as long as the agent can pay.
    pub(super) fn sign(
        &mut self,
        agent: usize,
        identity: usize,
        pieces: &[Piece],
        max_deposit: u128,
    ) -> Result<bool, SimulateError> {
        let author = self.account(agent, identity);
        let mut signed = false;
        for piece in pieces {
            let data = self.data;
            let items = encode(&[piece.item(&data.train)])?;
            let fee = self.fee(&items)?;
            if max_deposit + fee > self.free(author)? {
                break;
            }
            self.sign_one(agent, identity, items, max_deposit, fee);
            self.take(std::slice::from_ref(piece));
            signed = true;
        }
        Ok(signed)
    }

    fn sign_one(
        &mut self,
        agent: usize,
        identity: usize,
        items: Vec<u8>,
        max_deposit: u128,
        fee: u128,
    ) {
        let signer = self.agents[agent].identity(identity);
        let (Some(relayer), Some(relaying)) = (&mut self.relayer, self.mechanism.relaying()) else {
            return;
        };
        let nonce = relayer.nonces.entry(signer.address()).or_default();
        let mut batch = SignedBatch {
            author: signer.address(),
            relayer: relaying.relayer(),
            max_deposit,
            fee,
            nonce: *nonce,
            // The batch stays valid until the scenario's limit.
            deadline: START.saturating_add(self.scenario.limit).min(LAST_DEADLINE),
            items,
            signature: Vec::new(),
        };
        batch.signature = signer.sign(relaying.signing_hash(&batch)).to_vec();
        *nonce += 1;
        relayer.last_signed = self.seconds;
        relayer.queue.push(Signed { agent, batch });
    }

    /// Returns the relayer's fee for a contribution, in wei. It is the average cost in the latest
    /// relay. Before the first relay, it is the cost of this contribution alone.
    fn fee(&mut self, items: &[u8]) -> Result<u128, SimulateError> {
        let gas_price = self.mechanism.chain().gas_price();
        if gas_price == 0 {
            return Ok(0);
        }
        let known = self.relayer.as_ref().and_then(|relayer| relayer.gas_each);
        let gas = match (known, self.mechanism.relaying()) {
            (Some(gas), _) => gas,
            (None, Some(relaying)) => relaying.contribution_alone(items)?,
            (None, None) => 0,
        };
        Ok(gas_price * u128::from(gas))
    }

    /// Prepays for one relay of contributions like the account's last one, if its signed ones are
    /// not covered. If gas has a price, half of the account's money stays in its wallet.
    fn prepay(&mut self, agent: usize, account: Address) -> Result<(), SimulateError> {
        let wallet = self.wallet(account)?;
        let gas_price = self.mechanism.chain().gas_price();
        let (Some(relayer), Some(relaying)) = (&mut self.relayer, self.mechanism.relaying()) else {
            return Ok(());
        };
        let prepaid = relaying.prepaid(account);
        let Some(last) = relayer.of(account).next_back() else {
            return Ok(());
        };
        if relayer.committed(account, relaying) <= prepaid {
            return Ok(());
        }
        let (fee, each) = (last.fee, last.max_deposit + last.fee);
        let spare = match gas_price {
            0 => wallet,
            _ => wallet / 2,
        };
        let amount = each
            .saturating_mul(relayer.size.get() as u128)
            .min(spare)
            .min(LARGEST_BALANCE - prepaid);
        if amount == 0 || prepaid + amount < relaying.price(1) + fee {
            // The amount would not cover a single contribution.
            return Ok(());
        }
        if let Some(gas) = relaying.prepay(account, amount)? {
            relayer.figures.prepayments += 1;
            relayer.figures.prepaying += gas;
            self.other_transaction(agent, gas);
        }
        Ok(())
    }

    /// Relays the queued batches that the contract accepts now. Waits until the queue is long
    /// enough or no more contributions are to come. The rest stays in the queue.
    fn relay(&mut self, agent: usize) -> Result<(), SimulateError> {
        let last = !self.work_is_left()?;
        let (Some(relayer), Some(relaying)) = (&mut self.relayer, self.mechanism.relaying()) else {
            return Ok(());
        };
        if relayer.queue.len() < relayer.size.get() && !last {
            return Ok(());
        }
        let mut indices = relayer.acceptable(relaying);
        if indices.is_empty() {
            if last && self.pending.is_empty() {
                self.give_up(agent);
            }
            return Ok(());
        }
        let batches: Vec<_> = indices
            .iter()
            .map(|index| relayer.queue[*index].batch.clone())
            .collect();
        // The latest relay bounds the number. The mechanism then tries how many fit.
        let max = relayer.gas_each.map(|gas| TRANSACTION_GAS_LIMIT / gas);
        let max = max.and_then(|max| usize::try_from(max).ok());
        let max = max.map_or(batches.len(), |max| max.clamp(1, batches.len()));
        let mut alone = Vec::with_capacity(max);
        for batch in &batches[..max] {
            alone.push(relaying.contribution_alone(&batch.items)?);
        }
        // No lesson uses more gas than its whole contribution alone.
        let gas_per_batch = alone.iter().copied().max().unwrap_or_default();
        let (n, sent) = relaying.relay(&batches[..max], gas_per_batch)?;
        let batches = &batches[..n];
        indices.truncate(n);
        relayer.gas_each = Some(sent.gas.div_ceil(n as u64));
        relayer.figures.relays += 1;
        relayer.figures.contributions_alone += alone[..n].iter().sum::<u64>();
        relayer.figures.fees += batches.iter().map(|batch| batch.fee).sum::<u128>();
        let agents: Vec<_> = indices
            .iter()
            .rev()
            .map(|index| relayer.queue.remove(*index).agent)
            .collect();
        let agents: Vec<_> = agents.into_iter().rev().collect();
        self.contributed(&agents, sent);
        Ok(())
    }

    /// Drops the agent's queued batches that only its lack of money holds up. No more money is to
    /// come.
    fn give_up(&mut self, agent: usize) {
        let (Some(relayer), Some(relaying)) = (&mut self.relayer, self.mechanism.relaying()) else {
            return;
        };
        let price = relaying.price(1);
        let before = relayer.queue.len();
        relayer.queue.retain(|Signed { agent: of, batch }| {
            *of != agent
                || price > batch.max_deposit
                || price + batch.fee <= relaying.prepaid(batch.author)
        });
        relayer.figures.unsent += (before - relayer.queue.len()) as u64;
    }

    /// Dispatches the agent's signed contributions, then makes all claims that `wanted` accepts,
    /// one kind after the other.
    pub(super) fn claim_all_kinds(
        &mut self,
        agent: usize,
        claimer: Address,
        wanted: &mut dyn FnMut(&Opportunity) -> bool,
    ) -> Result<(), SimulateError> {
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

    /// Makes all claims of one kind that `wanted` accepts, in as few transactions as possible.
    /// Skips those that the account cannot make or pay the gas for.
    fn claim_together(
        &mut self,
        kind: ClaimKind,
        agent: usize,
        claimer: Address,
        wanted: &mut dyn FnMut(&Opportunity) -> bool,
    ) -> Result<(), SimulateError> {
        let mut pending = std::mem::take(&mut self.pending);
        let mut chosen = vec![false; pending.len()];
        for (one, chosen) in pending.iter_mut().zip(&mut chosen) {
            if !self.is_claimable(one) {
                // The rest is younger.
                break;
            }
            let found = self.mechanism.opportunity(claimer, one);
            *chosen = found.is_some_and(|found| found.kind == kind && wanted(&found));
        }
        let indices = indices(&chosen);
        if !indices.is_empty() {
            let claims: Vec<_> = indices.iter().map(|index| &pending[*index]).collect();
            self.send_claims(kind, agent, claimer, &claims)?;
        }
        self.keep(pending, &indices);
        Ok(())
    }

    fn send_claims(
        &mut self,
        kind: ClaimKind,
        agent: usize,
        claimer: Address,
        mut claims: &[&Pending],
    ) -> Result<(), SimulateError> {
        let mut gas = Vec::with_capacity(claims.len());
        for claim in claims {
            gas.push(self.mechanism.claim_gas(claimer, kind, claim)?);
            let price = self.mechanism.chain().gas_price();
            if gas.len() == 1 && self.wallet(claimer)? < price.saturating_mul(gas[0].into()) {
                // The agent cannot pay for any other claim either, and may try at its next turn.
                return Ok(());
            }
        }
        let mut alone = gas.as_slice();
        while !claims.is_empty() {
            let mut n = fitting(alone);
            let paid = loop {
                match self.mechanism.claim(claimer, kind, &claims[..n])? {
                    Some(paid) => break paid,
                    // The agent lacks the money for gas, and may try at its next turn.
                    None if n == 1 => return Ok(()),
                    None => n /= 2,
                }
            };
            let (now, later) = claims.split_at(n);
            self.claimed(kind.into(), agent, now, paid);
            if let Some(relayer) = &mut self.relayer {
                relayer.figures.claims += 1;
                relayer.figures.claims_alone += alone[..n].iter().sum::<u64>();
            }
            claims = later;
            alone = &alone[n..];
        }
        Ok(())
    }
}

/// Returns the number of claims that fit into one transaction, at least 1. `alone` lists the gas of
/// each alone; together they use less.
fn fitting(alone: &[u64]) -> usize {
    let mut rest = TRANSACTION_GAS_LIMIT;
    alone
        .iter()
        .take_while(|gas| match rest.checked_sub(**gas) {
            Some(left) => {
                rest = left;
                true
            }
            None => false,
        })
        .count()
        .max(1)
}
