//! Facts of a trainer, as its events report them, and a trainer that follows them.

use alloy_primitives::Address;

use super::{Status, Trainer};
use crate::{ContractError, record::Record, sample::parse_batch};

/// One event of a trainer. Money is in wei, time in Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact<'a> {
    /// Contributions were added, by their author or by a relayer.
    Added {
        /// Position of the first contribution, which names the transaction.
        first_position: u64,
        /// Deposit for each contribution.
        deposit: u128,
        /// Time of the block.
        time: u64,
        /// Authors with their items, in order.
        parts: Vec<Added<'a>>,
        /// Account that sent signed batches of others and got the fees; `None` if the author sent
        /// them.
        relayer: Option<Address>,
    },
    /// An author got back the rest of a deposit.
    Refunded {
        /// Position of the contribution.
        position: u64,
        /// Author of the contribution.
        author: Address,
        /// Rest of the deposit.
        amount: u128,
    },
    /// A contribution was announced.
    Announced {
        /// Position of the contribution.
        position: u64,
        /// Time of the block.
        time: u64,
    },
    /// A reporter took a share of a deposit.
    Reported {
        /// Position of the contribution.
        position: u64,
        /// Deposit for the contribution.
        deposit: u128,
        /// Account that reported.
        reporter: Address,
        /// Share that the reporter took.
        amount: u128,
    },
    /// Somebody took the rest of a deposit by a late claim.
    ClaimedLate {
        /// Position of the contribution.
        position: u64,
        /// Rest of the deposit.
        amount: u128,
    },
    /// A balance rose.
    Deposited {
        /// Account with the balance.
        account: Address,
        /// Amount added.
        amount: u128,
    },
    /// A balance fell.
    Withdrawn {
        /// Account with the balance.
        account: Address,
        /// Amount withdrawn.
        amount: u128,
    },
    /// An account canceled nonces.
    NoncesCancelled {
        /// Account that canceled them.
        account: Address,
        /// Highest canceled nonce; all below it are canceled too.
        last: u64,
    },
}

/// Contributions of one author within a [`Fact::Added`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Added<'a> {
    /// Address that contributed.
    pub author: Address,
    /// Bytes of the items.
    pub items: &'a [u8],
    /// Used nonce, and fee in wei; `None` if the author sent the items.
    pub signed: Option<(u64, u128)>,
}

/// Reason why a fact cannot follow the known ones: facts are missing, or the chain has other rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactError {
    /// Contributions begin at another position than the next one.
    #[error(
        "contributions begin at position {found}, and position {wanted} is the next one; read the events from the block on in which the model was closed"
    )]
    Position {
        /// Position of the first contribution.
        found: u64,
        /// Position that was expected.
        wanted: u64,
    },
    /// The rules do not allow the fact.
    #[error("the rules do not allow what the chain says has happened")]
    Rules(#[from] ContractError),
}

impl Trainer {
    /// Applies a fact of the chain without a check of signatures, prices, times and proofs: the
    /// contract checked them.
    ///
    /// # Errors
    /// [`FactError`]. A part of the fact may have been applied then, so go back to an earlier
    /// state.
    pub fn apply(&mut self, fact: &Fact<'_>) -> Result<(), FactError> {
        self.take(fact, true)
    }

    /// Applies a fact without teaching the model, whose weights are those of a later time.
    ///
    /// Such weights already include the contributions.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn apply_known(&mut self, fact: &Fact<'_>) -> Result<(), FactError> {
        self.take(fact, false)
    }

    fn take(&mut self, fact: &Fact<'_>, learn: bool) -> Result<(), FactError> {
        match *fact {
            Fact::Added {
                first_position,
                deposit,
                time,
                ref parts,
                relayer,
            } => self.apply_added(first_position, deposit, time, parts, relayer, learn)?,
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
        first_position: u64,
        deposit: u128,
        time: u64,
        parts: &[Added<'_>],
        relayer: Option<Address>,
        learn: bool,
    ) -> Result<(), FactError> {
        if first_position != self.contribution_count {
            return Err(FactError::Position {
                found: first_position,
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
        self.remember(&Record::new(first_position, deposit, time, &added), time);
        Ok(())
    }
}
