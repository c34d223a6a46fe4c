//! Payouts at the end of a market. Participants and the owner collect them themselves.

use alloy_primitives::Address;

use super::{Market, Phase};
use crate::ContractError;

impl Market {
    /// Returns the amount that an account can collect now, in wei.
    ///
    /// That is a participant's balance if the market is settled.
    /// If it has failed, it is the participant's stakes, whether or not the bounty is burned.
    #[must_use]
    pub fn collectable(&self, account: Address, now: u64) -> u128 {
        let participant = self.account(account);
        match self.phase(now) {
            Phase::Settled => participant.balance,
            Phase::Failed | Phase::Forfeited if !participant.collected => {
                self.terms.stake * u128::from(participant.contributions)
            }
            _ => 0,
        }
    }

    /// Returns the amount that the owner can collect now, in wei; 0 unless the market is settled.
    ///
    /// It is the money that the participants' balances do not need.
    #[must_use]
    pub fn remainder(&self, now: u64) -> u128 {
        if self.phase(now) == Phase::Settled && !self.remainder_collected {
            let stakes = self.terms.stake * u128::from(self.contribution_count);
            self.bounty + stakes - self.balances
        } else {
            0
        }
    }

    /// Pays a participant the amount that [`collectable`](Self::collectable) returns. Returns it in
    /// wei.
    ///
    /// # Errors
    /// [`ContractError::WrongPhase`], [`ContractError::NothingToCollect`].
    pub fn collect(&mut self, caller: Address, now: u64) -> Result<u128, ContractError> {
        if !matches!(self.phase(now), Phase::Failed | Phase::Forfeited) {
            self.require_phase(now, Phase::Settled)?;
        }
        let amount = self.collectable(caller, now);
        if amount == 0 {
            return Err(ContractError::NothingToCollect { caller });
        }
        if let Some(participant) = self.participants.get_mut(&caller) {
            participant.balance = 0;
            participant.collected = true;
        }
        self.held -= amount;
        Ok(amount)
    }

    /// Pays the owner of a settled market the amount that [`remainder`](Self::remainder) returns,
    /// once. Returns it in wei.
    ///
    /// # Errors
    /// [`ContractError::NotOwner`], [`ContractError::WrongPhase`], [`ContractError::NothingToCollect`].
    pub fn collect_remainder(&mut self, caller: Address, now: u64) -> Result<u128, ContractError> {
        self.require_owner(caller)?;
        self.require_phase(now, Phase::Settled)?;
        let amount = self.remainder(now);
        if amount == 0 {
            return Err(ContractError::NothingToCollect { caller });
        }
        self.remainder_collected = true;
        self.held -= amount;
        Ok(amount)
    }
}
