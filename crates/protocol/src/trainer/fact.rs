//! What a chain says has happened, taken as it is: how a follower of events keeps up with a contract.

use alloy_primitives::Address;

use super::{Status, Trainer};
use crate::{Rejection, record::Record, sample::parse_batch};

/// Something that has happened to a trainer, as its events tell it. Money is in wei, time in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact<'a> {
    /// Contributions were added, by their author or by a relayer.
    Added {
        /// The position of the first one.
        batch: u64,
        /// Deposited for each.
        deposit: u128,
        /// When.
        time: u64,
        /// Whose, in order.
        parts: Vec<Added<'a>>,
        /// Who sent what others had signed, and got the fees; none where the author sent it.
        relayer: Option<Address>,
    },
    /// An author got back all that was left of a deposit.
    Refunded {
        /// Of the contribution.
        position: u64,
        /// Whose it was.
        author: Address,
        /// What was left.
        amount: u128,
    },
    /// A contribution was announced.
    Announced {
        /// Of the contribution.
        position: u64,
        /// When.
        time: u64,
    },
    /// A reporter took a share of a deposit.
    Reported {
        /// Of the contribution.
        position: u64,
        /// What was deposited for it.
        deposit: u128,
        /// Who.
        reporter: Address,
        /// The share.
        amount: u128,
    },
    /// Somebody took all that was left of a deposit, late.
    ClaimedLate {
        /// Of the contribution.
        position: u64,
        /// What was left.
        amount: u128,
    },
    /// A balance rose.
    Deposited {
        /// Whose.
        account: Address,
        /// By how much.
        amount: u128,
    },
    /// A balance fell.
    Withdrawn {
        /// Whose.
        account: Address,
        /// By how much.
        amount: u128,
    },
    /// Nonces became useless.
    NoncesCancelled {
        /// Whose.
        account: Address,
        /// This one and all below it.
        last: u64,
    },
}

/// The contributions of one author within a [`Fact::Added`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Added<'a> {
    /// Who contributed.
    pub author: Address,
    /// The bytes of the items.
    pub items: &'a [u8],
    /// The nonce that was used and the fee that was paid in wei, where it was relayed.
    pub signed: Option<(u64, u128)>,
}

/// Why a fact cannot follow what is known: something is missing in between, or the chain runs other rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// Contributions begin at another position than the next one.
    #[error(
        "contributions begin at position {found}, and position {wanted} is the next one; read the events from the block on in which the model was closed"
    )]
    Position {
        /// Where they begin.
        found: u64,
        /// Where they should.
        wanted: u64,
    },
    /// The rules do not allow it.
    #[error("the rules do not allow what the chain says has happened")]
    Rules(#[from] Rejection),
}

impl Trainer {
    /// Takes over what has happened on the chain, without asking whether it was allowed: signatures,
    /// prices, times and proofs were checked there.
    ///
    /// # Errors
    /// [`Contradiction`]; what has been taken over of the fact until then stays, so go back to an earlier
    /// state.
    pub fn apply(&mut self, fact: &Fact<'_>) -> Result<(), Contradiction> {
        self.take(fact, true)
    }

    /// Takes over the same without teaching the model: its weights are those of a later time, and know the
    /// contributions already.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn apply_known(&mut self, fact: &Fact<'_>) -> Result<(), Contradiction> {
        self.take(fact, false)
    }

    fn take(&mut self, fact: &Fact<'_>, learn: bool) -> Result<(), Contradiction> {
        match *fact {
            Fact::Added {
                batch,
                deposit,
                time,
                ref parts,
                relayer,
            } => self.apply_added(batch, deposit, time, parts, relayer, learn)?,
            Fact::Refunded {
                position,
                author,
                amount,
            } => {
                self.accounts.entry(author).or_default().good += 1;
                self.total_good += 1;
                self.settlements.entry(position).or_default().status = Status::Closed;
                self.held = self.held.saturating_sub(amount);
            }
            Fact::Announced { position, time } => {
                self.announcements.insert(position, time);
            }
            Fact::Reported {
                position,
                deposit,
                reporter,
                amount,
            } => {
                let settlement = self.settlements.entry(position).or_default();
                if settlement.first_reporter.is_none() {
                    settlement.first_reporter = Some(reporter);
                } else {
                    self.later_reporters.insert((position, reporter));
                }
                settlement.taken = settlement.taken.saturating_add(amount);
                settlement.status = Status::after_report(settlement.taken, deposit);
                self.held = self.held.saturating_sub(amount);
            }
            Fact::ClaimedLate { position, amount } => {
                self.settlements.entry(position).or_default().status = Status::Closed;
                self.held = self.held.saturating_sub(amount);
            }
            Fact::Deposited { account, amount } => self.deposit_to(account, amount)?,
            Fact::Withdrawn { account, amount } => self.withdraw(account, amount)?,
            Fact::NoncesCancelled { account, last } => self.cancel_nonces(account, last),
        }
        Ok(())
    }

    fn apply_added(
        &mut self,
        batch: u64,
        deposit: u128,
        time: u64,
        parts: &[Added<'_>],
        relayer: Option<Address>,
        learn: bool,
    ) -> Result<(), Contradiction> {
        if batch != self.contribution_count {
            return Err(Contradiction::Position {
                found: batch,
                wanted: self.contribution_count,
            });
        }
        let mut added = Vec::with_capacity(parts.len());
        for part in parts {
            let items = parse_batch(part.items)?;
            let deposits = deposit.saturating_mul(items.len() as u128);
            if learn {
                self.model.learn(self.address, part.items)?;
            }
            if let Some((nonce, fee)) = part.signed {
                let account = self.accounts.entry(part.author).or_default();
                account.charge(deposits.saturating_add(fee))?;
                account.nonces.use_up(nonce);
                if let Some(relayer) = relayer {
                    self.credit(relayer, fee)?;
                }
            } else {
                self.held = self.held.saturating_add(deposits);
            }
            added.push((part.author, items));
        }
        self.remember(&Record::new(batch, deposit, time, &added), time);
        Ok(())
    }
}
