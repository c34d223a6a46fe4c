//! Turns with a relayer: agents sign contributions and prepay for them, the relayer sends many in one
//! transaction, and each agent makes its claims together.

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

/// The last second that a signed batch can name.
const LAST_DEADLINE: u64 = (1 << 40) - 1;

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
    /// The next one of each account.
    nonces: BTreeMap<Address, u64>,
    /// What a contribution used on average when some were last relayed.
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

    /// The second in which something was last signed.
    pub(super) fn last_signed(&self) -> u64 {
        self.last_signed
    }

    /// How many wait.
    pub(super) fn unsent(&self) -> usize {
        self.queue.len()
    }

    /// Wei that what waits of an account's would cost now, were all that waits relayed.
    pub(super) fn committed(&self, account: Address, relaying: &dyn Relaying) -> u128 {
        let price = relaying.price(self.queue.len());
        self.of(account)
            .map(|batch| price.min(batch.max_deposit) + batch.fee)
            .sum()
    }

    /// What waits of an account's, in the order of signing.
    fn of(&self, account: Address) -> impl DoubleEndedIterator<Item = &SignedBatch> {
        let all = self.queue.iter().map(|signed| &signed.batch);
        all.filter(move |batch| batch.author == account)
    }

    /// The places of those in the queue that the contract would accept now if they were relayed together.
    ///
    /// The price rises with their number: starting from all, those that it is too high for are left
    /// out until all that are left accept it.
    fn acceptable(&self, relaying: &dyn Relaying) -> Vec<usize> {
        let mut chosen = vec![true; self.queue.len()];
        loop {
            let places = places(&chosen);
            let price = relaying.price(places.len());
            let mut balances: BTreeMap<Address, u128> = BTreeMap::new();
            // The lowest nonce of each author that is left out, which has to stay usable.
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

impl Engine<'_> {
    /// Hands what the agent has signed to the relayer, once a turn: the agent prepays for it, and the relayer
    /// sends what it has, if that is enough.
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

    /// The agent signs contributions for the relayer, each by itself, as long as it can pay for them.
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
            // As long as the run may last.
            deadline: START.saturating_add(self.scenario.limit).min(LAST_DEADLINE),
            items,
            signature: Vec::new(),
        };
        batch.signature = signer.sign(relaying.signing_hash(&batch)).to_vec();
        *nonce += 1;
        relayer.last_signed = self.seconds;
        relayer.queue.push(Signed { agent, batch });
    }

    /// What the relayer wants for a contribution: what one cost on average when some were last relayed; as
    /// long as none were, what this one would cost alone.
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

    /// The agent prepays for as many contributions like its last one as are relayed together, if what it has
    /// signed is not covered. Where gas costs something, half of its money stays in its wallet.
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
            // It would not be enough for one.
            return Ok(());
        }
        if let Some(gas) = relaying.prepay(account, amount)? {
            relayer.figures.prepayments += 1;
            relayer.figures.prepaying += gas;
            self.other_transaction(agent, gas);
        }
        Ok(())
    }

    /// Relays what the contract accepts now of what waits, if that is enough, or nobody signs any more.
    /// What is left waits for the next time.
    fn relay(&mut self, agent: usize) -> Result<(), SimulateError> {
        let last = !self.work_is_left()?;
        let (Some(relayer), Some(relaying)) = (&mut self.relayer, self.mechanism.relaying()) else {
            return Ok(());
        };
        if relayer.queue.len() < relayer.size.get() && !last {
            return Ok(());
        }
        let mut places = relayer.acceptable(relaying);
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
            alone.push(relaying.contribution_alone(&batch.items)?);
        }
        // No lesson uses more than its whole contribution does alone.
        let gas_per_batch = alone.iter().copied().max().unwrap_or_default();
        let (n, sent) = relaying.relay(&batches[..most], gas_per_batch)?;
        let batches = &batches[..n];
        places.truncate(n);
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
        self.contributed(&agents, sent);
        Ok(())
    }

    /// Drops what waits of the agent's and is held up by nothing but its money, now that there is none to
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

    /// Makes all claims that `wanted` holds for, one kind after the other, after what the agent has signed is
    /// handed to the relayer.
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

    /// Makes all claims of a kind that an account can make now, that `wanted` holds for and that it can pay the
    /// gas for, in as few transactions as they fit into.
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
                // Later ones are younger.
                break;
            }
            let found = self.mechanism.opportunity(claimer, one);
            *chosen = found.is_some_and(|found| found.kind == kind && wanted(&found));
        }
        let places = places(&chosen);
        if !places.is_empty() {
            let claims: Vec<_> = places.iter().map(|place| &pending[*place]).collect();
            self.send_claims(kind, agent, claimer, &claims)?;
        }
        self.keep(pending, &places);
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
                // Nor has it money for any other: perhaps at its next turn.
                return Ok(());
            }
        }
        let mut alone = gas.as_slice();
        while !claims.is_empty() {
            let mut n = fitting(alone);
            let paid = loop {
                match self.mechanism.claim(claimer, kind, &claims[..n])? {
                    Some(paid) => break paid,
                    // No money for gas: perhaps at its next turn.
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
