//! Turns with a relayer: agents sign contributions and prepay for them, the relayer sends many in one
//! transaction, and each agent makes its claims together.

use std::{collections::BTreeMap, num::NonZeroUsize};

use alloy_primitives::Address;
use cotrain_chain::{Chain, TRANSACTION_GAS_LIMIT};
use cotrain_protocol::trainer::SignedBatch;

use super::{Engine, START};
use crate::{
    economy::{ClaimKind, Economy, LARGEST_BALANCE, Pending, batch_of_one},
    error::SimulateError,
    run::Relay,
};

/// The last second that a signed batch can name.
const LAST_DEADLINE: u64 = (1 << 40) - 1;
/// A nonce that is so much below the highest used one can never be used.
const NONCE_WINDOW: u64 = 64;

/// A contribution that waits to be relayed.
struct Signed {
    agent: usize,
    batch: SignedBatch,
}

/// Who sends what agents sign, and what became of it so far.
pub(super) struct Relayer {
    size: NonZeroUsize,
    /// In the order in which they were signed.
    queue: Vec<Signed>,
    /// The next one of each agent.
    nonces: Vec<u64>,
    /// What a contribution used on average when some were last relayed.
    gas_each: Option<u64>,
    last_signed: u64,
    figures: Relay,
}

impl Relayer {
    pub(super) fn new(size: NonZeroUsize, agents: usize) -> Self {
        Self {
            size,
            queue: Vec::new(),
            nonces: vec![0; agents],
            gas_each: None,
            last_signed: 0,
            figures: Relay {
                size: size.get() as u64,
                ..Relay::default()
            },
        }
    }

    /// The second in which something was last signed.
    pub(super) fn last_signed(&self) -> u64 {
        self.last_signed
    }

    /// How many wait.
    pub(super) fn unsent(&self) -> usize {
        self.queue.len()
    }

    /// Wei that what waits of an agent's would cost now, were all that waits relayed.
    pub(super) fn committed<C: Chain>(&self, agent: usize, economy: &Economy<C>) -> u128 {
        let price = economy.price(self.queue.len());
        self.of(agent)
            .map(|batch| price.min(batch.max_deposit) + batch.fee)
            .sum()
    }

    /// What waits of an agent's, in the order of signing.
    fn of(&self, agent: usize) -> impl DoubleEndedIterator<Item = &SignedBatch> {
        let own = self.queue.iter().filter(move |one| one.agent == agent);
        own.map(|signed| &signed.batch)
    }

    /// The places of those in the queue that the contract would accept now if they were relayed together.
    ///
    /// The price rises with their number: starting from all, those that it is too high for are left
    /// out until all that are left accept it.
    fn acceptable<C: Chain>(&self, economy: &Economy<C>) -> Vec<usize> {
        let mut chosen = vec![true; self.queue.len()];
        loop {
            let places = places(&chosen);
            let price = economy.price(places.len());
            let mut balances: BTreeMap<Address, u128> = BTreeMap::new();
            // The lowest nonce of each author that is left out, which has to stay usable.
            let mut left_out: BTreeMap<Address, u64> = BTreeMap::new();
            for (Signed { batch, .. }, chosen) in self.queue.iter().zip(&mut chosen) {
                let author = batch.author;
                let balance = balances
                    .entry(author)
                    .or_insert_with(|| economy.prepaid(author));
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
            if places.len() == chosen.iter().filter(|chosen| **chosen).count() {
                return places;
            }
        }
    }

    /// The figures at the end of the run.
    pub(super) fn finish(self) -> Relay {
        Relay {
            unsent: self.figures.unsent + self.queue.len() as u64,
            ..self.figures
        }
    }
}

fn places(chosen: &[bool]) -> Vec<usize> {
    let chosen = chosen.iter().enumerate();
    chosen
        .filter_map(|(place, chosen)| chosen.then_some(place))
        .collect()
}

impl<C: Chain> Engine<'_, C> {
    /// The agent signs the next sample, if it wants to, and prepays; the relayer sends what it has, if that
    /// is enough; the agent claims.
    pub(super) fn relayed_turn(&mut self, agent: usize, seconds: u64) -> Result<(), SimulateError> {
        self.sign(agent, seconds)?;
        self.prepay(agent)?;
        self.relay(agent, seconds)?;
        for kind in [ClaimKind::Refund, ClaimKind::Report, ClaimKind::Late] {
            self.claim_together(kind, agent, seconds)?;
        }
        Ok(())
    }

    fn sign(&mut self, agent: usize, seconds: u64) -> Result<(), SimulateError> {
        let Some((label, max_deposit)) = self.offer(agent)? else {
            return Ok(());
        };
        let (sample, _) = self.data.train.get(self.next_sample);
        let items = batch_of_one(label, sample)?;
        let fee = self.fee(&items)?;
        if max_deposit + fee > self.free(agent)? {
            return Ok(());
        }
        let (Some(relayer), worker) = (&mut self.relayer, &self.workers[agent]) else {
            return Ok(());
        };
        let mut batch = SignedBatch {
            author: worker.address,
            max_deposit,
            fee,
            nonce: relayer.nonces[agent],
            // As long as the run may last.
            deadline: START.saturating_add(self.scenario.limit).min(LAST_DEADLINE),
            items,
            signature: Vec::new(),
        };
        batch.signature = worker.sign(self.economy.signing_hash(&batch));
        relayer.nonces[agent] += 1;
        relayer.last_signed = seconds;
        relayer.queue.push(Signed { agent, batch });
        self.next_sample += 1;
        Ok(())
    }

    /// What the relayer wants for a contribution: what one cost on average when some were last relayed; as
    /// long as none were, what this one would cost alone.
    fn fee(&mut self, items: &[u8]) -> Result<u128, SimulateError> {
        let gas_price = self.economy.gas_price();
        if gas_price == 0 {
            return Ok(0);
        }
        let gas = match self.relayer.as_ref().and_then(|relayer| relayer.gas_each) {
            Some(gas) => gas,
            None => self.economy.contribution_alone(items)?,
        };
        Ok(gas_price * u128::from(gas))
    }

    /// The agent prepays for as many contributions like its last one as are relayed together, if what it has
    /// signed is not covered. Where gas costs something, half of its money stays in its wallet.
    fn prepay(&mut self, agent: usize) -> Result<(), SimulateError> {
        let Some(relayer) = &mut self.relayer else {
            return Ok(());
        };
        let address = self.workers[agent].address;
        let prepaid = self.economy.prepaid(address);
        let Some(last) = relayer.of(agent).next_back() else {
            return Ok(());
        };
        if relayer.committed(agent, &self.economy) <= prepaid {
            return Ok(());
        }
        let (fee, each) = (last.fee, last.max_deposit + last.fee);
        let wallet = self.economy.wallet(address)?;
        let spare = match self.economy.gas_price() {
            0 => wallet,
            _ => wallet / 2,
        };
        let amount = each
            .saturating_mul(relayer.size.get() as u128)
            .min(spare)
            .min(LARGEST_BALANCE - prepaid);
        if amount == 0 || prepaid + amount < self.economy.price(1) + fee {
            // It would not be enough for one.
            return Ok(());
        }
        if let Some(gas) = self.economy.prepay(address, amount)? {
            relayer.figures.prepayments += 1;
            relayer.figures.prepaying += gas;
            self.outcomes[agent].gas += gas;
        }
        Ok(())
    }

    /// Relays what the contract accepts now of what waits, if that is enough, or nobody signs any more.
    /// What is left waits for the next time.
    fn relay(&mut self, agent: usize, seconds: u64) -> Result<(), SimulateError> {
        let last = !self.work_is_left()?;
        let Some(relayer) = &mut self.relayer else {
            return Ok(());
        };
        if relayer.queue.len() < relayer.size.get() && !last {
            return Ok(());
        }
        let mut places = relayer.acceptable(&self.economy);
        if places.is_empty() {
            if last && self.pending.is_empty() {
                self.give_up(agent);
            }
            return Ok(());
        }
        let batches: Vec<_> = places
            .iter()
            .map(|place| relayer.queue[*place].batch.clone())
            .collect();
        // Going by the last time, and then by trying.
        let most = relayer.gas_each.map(|gas| TRANSACTION_GAS_LIMIT / gas);
        let most = most.and_then(|most| usize::try_from(most).ok());
        let most = most.map_or(batches.len(), |most| most.clamp(1, batches.len()));
        let mut alone = Vec::with_capacity(most);
        for batch in &batches[..most] {
            alone.push(self.economy.contribution_alone(&batch.items)?);
        }
        // No lesson uses more than its whole contribution does alone.
        let gas_per_batch = alone.iter().copied().max().unwrap_or_default();
        let n = self.economy.relayable(&batches[..most], gas_per_batch)?;
        let batches = &batches[..n];
        places.truncate(n);
        let sent = self.economy.relay(batches, gas_per_batch)?;
        relayer.gas_each = Some(sent.gas.div_ceil(n as u64));
        relayer.figures.relays += 1;
        relayer.figures.contributions_alone += alone[..n].iter().sum::<u64>();
        relayer.figures.fees += batches.iter().map(|batch| batch.fee).sum::<u128>();
        let agents: Vec<_> = places
            .iter()
            .rev()
            .map(|place| relayer.queue.remove(*place).agent)
            .collect();
        let agents: Vec<_> = agents.into_iter().rev().collect();
        self.contributed(seconds, &agents, sent);
        Ok(())
    }

    /// Drops what waits of the agent's and is held up by nothing but its money, now that there is none to
    /// come.
    fn give_up(&mut self, agent: usize) {
        let Some(relayer) = &mut self.relayer else {
            return;
        };
        let prepaid = self.economy.prepaid(self.workers[agent].address);
        let price = self.economy.price(1);
        let before = relayer.queue.len();
        relayer.queue.retain(|Signed { agent: of, batch }| {
            *of != agent || price > batch.max_deposit || price + batch.fee <= prepaid
        });
        relayer.figures.unsent += (before - relayer.queue.len()) as u64;
    }

    /// The agent makes all claims of a kind that it can now, and pay the gas for, in as few transactions
    /// as they fit into.
    fn claim_together(
        &mut self,
        kind: ClaimKind,
        agent: usize,
        seconds: u64,
    ) -> Result<(), SimulateError> {
        let address = self.workers[agent].address;
        let mut pending = std::mem::take(&mut self.pending);
        let mut chosen = vec![false; pending.len()];
        for (one, chosen) in pending.iter_mut().zip(&mut chosen) {
            if !self.economy.is_claimable(one) {
                // Later ones are younger.
                break;
            }
            *chosen = self.economy.possible_claim(address, one) == Some(kind);
        }
        let places = places(&chosen);
        if !places.is_empty() {
            let claims: Vec<_> = places.iter().map(|place| &pending[*place]).collect();
            self.send_claims(kind, agent, seconds, &claims)?;
        }
        self.keep(pending, &places);
        Ok(())
    }

    /// Whether the agent's wallet has what so much gas costs.
    fn affords(&mut self, agent: usize, gas: u64) -> Result<bool, SimulateError> {
        let cost = self.economy.gas_price().saturating_mul(gas.into());
        Ok(self.economy.wallet(self.workers[agent].address)? >= cost)
    }

    fn send_claims(
        &mut self,
        kind: ClaimKind,
        agent: usize,
        seconds: u64,
        mut claims: &[&Pending],
    ) -> Result<(), SimulateError> {
        let address = self.workers[agent].address;
        let mut gas = Vec::with_capacity(claims.len());
        for claim in claims {
            gas.push(self.economy.claim_alone(address, kind, claim)?);
            if gas.len() == 1 && !self.affords(agent, gas[0])? {
                // Nor does it any other: perhaps at its next turn.
                return Ok(());
            }
        }
        let mut alone = gas.as_slice();
        while !claims.is_empty() {
            let mut n = fitting(alone);
            let paid = loop {
                match self.economy.claim(address, kind, &claims[..n])? {
                    Some(paid) => break paid,
                    // No money for gas: perhaps at its next turn.
                    None if n == 1 => return Ok(()),
                    None => n /= 2,
                }
            };
            let (now, later) = claims.split_at(n);
            self.claimed(seconds, kind, agent, now, paid);
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

/// How many claims that use this gas alone go into one transaction, at least one: together they use less.
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
