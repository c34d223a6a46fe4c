//! Turns without a relayer: the agent sends each contribution and each claim in its own
//! transaction.

use alloy_primitives::Address;

use super::Engine;
use crate::{
    agent::{Agent, Seen},
    context::Piece,
    error::SimulateError,
    mechanism::Opportunity,
};

impl Engine<'_> {
    /// Sends contributions in one transaction, unless their price has risen too much by then.
    /// Returns `true` if they were sent.
    pub(super) fn contribute_alone(
        &mut self,
        agent: usize,
        identity: usize,
        pieces: &[Piece],
        max_deposit: u128,
    ) -> Result<bool, SimulateError> {
        let author = self.account(agent, identity);
        let price = self.mechanism.price(pieces.len());
        if price > max_deposit || price.saturating_mul(pieces.len() as u128) > self.free(author)? {
            return Ok(false);
        }
        self.show(author, pieces)?;
        let price = self.mechanism.price(pieces.len());
        let all = price.saturating_mul(pieces.len() as u128);
        if price > max_deposit || all > self.free(author)? || !self.mechanism.is_open() {
            // An earlier transaction has raised the price above the maximum, so sending would fail.
            self.agents[agent].outcome.outbid += 1;
            return Ok(false);
        }
        let data = self.data;
        let items: Vec<_> = pieces.iter().map(|piece| piece.item(&data.train)).collect();
        let Some(sent) = self.mechanism.contribute(author, &items)? else {
            return Ok(false);
        };
        self.take(pieces);
        self.contributed(&vec![agent; pieces.len()], sent);
        Ok(true)
    }

    /// Shows pending contributions to the watching agents, whose reactions are included before
    /// them.
    fn show(&mut self, author: Address, pieces: &[Piece]) -> Result<(), SimulateError> {
        if self.looked_at {
            return Ok(());
        }
        self.looked_at = true;
        let author_good = self.mechanism.good(author);
        let data = &self.data.train;
        for watcher in 0..self.agents.len() {
            if !self.agents[watcher].agent().is_some_and(Agent::watches) {
                continue;
            }
            for piece in pieces {
                let seen = Seen {
                    author,
                    author_good,
                    label: piece.label,
                    sample: piece.sample.bytes(data),
                };
                let reaction =
                    self.with_actor(watcher, |agent, context| agent.sees(&seen, context));
                reaction.transpose()?;
            }
        }
        self.looked_at = false;
        Ok(())
    }

    /// Claims one contribution after the other, oldest first, each in its own transaction.
    pub(super) fn claim_alone(
        &mut self,
        agent: usize,
        claimer: Address,
        wanted: &mut dyn FnMut(&Opportunity) -> bool,
    ) -> Result<(), SimulateError> {
        let mut pending = std::mem::take(&mut self.pending);
        let mut done = Vec::new();
        for (index, contribution) in pending.iter_mut().enumerate() {
            if !self.is_claimable(contribution) {
                // The rest is younger.
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
                // The agent lacks the money for gas, and may try at its next turn.
                break;
            };
            done.push(index);
            self.claimed(found.kind.into(), agent, &[contribution], paid);
        }
        self.keep(pending, &done);
        Ok(())
    }
}
