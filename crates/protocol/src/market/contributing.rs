//! Contributions to a market. The market takes them while it is open, and teaches them during the
//! scoring.

use alloy_primitives::{Address, B256, aliases::U40};

use super::{Market, Participant, Phase, RecordRoot, revealing::require_short};
use crate::{
    ContractError,
    record::Record,
    sample::{Item, parse_batch},
};

/// Contributions of one transaction, as [`Market::score`] takes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contributions {
    /// Address that contributed.
    pub author: Address,
    /// Time of the transaction, in Unix seconds.
    pub time: u64,
    /// Bytes of the items.
    pub items: Vec<u8>,
}

impl Contributions {
    /// Encodes the record as the contract reads it. Several records are concatenated.
    ///
    /// The format is `author (20 bytes) | time (5) | length of items (4) | items`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let length = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        let mut bytes = self.author.to_vec();
        bytes.extend(U40::saturating_from(self.time).to_be_bytes::<5>());
        bytes.extend(length.to_be_bytes());
        bytes.extend(&self.items);
        bytes
    }

    /// Returns the root over the contributions, the first of which has the position `first`.
    ///
    /// Returns `None` if the items do not parse.
    pub(super) fn root(&self, first: u64, stake: u128) -> Option<B256> {
        let items = parse_batch(&self.items).ok()?;
        Some(root(first, stake, self.time, self.author, items))
    }
}

/// Outcome of a transaction that contributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contributed {
    /// Position of the first contribution, which names the transaction. The others follow it.
    pub first_position: u64,
    /// Number of contributions.
    pub count: u64,
    /// Excess payment that is sent back, in wei.
    pub surplus: u128,
}

impl Market {
    /// Takes a batch of labeled samples, with `value` wei for their stakes.
    ///
    /// # Errors
    /// [`ContractError::WrongPhase`], [`ContractError::TooLong`], [`ContractError::EmptyBatch`],
    /// [`ContractError::MalformedBatch`], [`ContractError::TooManyContributions`],
    /// [`ContractError::DepositTooLow`], those of [`check`](crate::classifier::Classifier::check).
    pub fn contribute(
        &mut self,
        author: Address,
        now: u64,
        value: u128,
        batch: &[u8],
    ) -> Result<Contributed, ContractError> {
        self.require_phase(now, Phase::Open)?;
        require_short(batch)?;
        let items = parse_batch(batch)?;
        let (count, stake) = (items.len() as u64, self.terms.stake);
        let first = self.contribution_count;
        let (total, max) = (first + count, self.terms.most_contributions);
        if total > max {
            return Err(ContractError::TooManyContributions { count: total, max });
        }
        // The product fits: a stake has 96 bits, and there are fewer than 2^32 contributions.
        let required = stake * u128::from(count);
        let surplus = value
            .checked_sub(required)
            .ok_or(ContractError::DepositTooLow {
                required,
                sent: value,
            })?;
        self.initial.classifier().check(&items)?;
        let root = root(first, stake, now, author, items);
        self.roots.push(RecordRoot {
            first_position: first,
            root,
        });
        self.authors.push(author);
        self.contribution_count = total;
        if total == max {
            self.closing_time = Some(now);
        }
        let participant = self.participants.entry(author).or_insert_with(|| {
            self.order.push(author);
            self.active += 1;
            Participant::default()
        });
        participant.contributions += count;
        participant.balance += required;
        self.balances += required;
        self.held += required;
        Ok(Contributed {
            first_position: first,
            count,
            surplus,
        })
    }
}

fn root(first: u64, stake: u128, time: u64, author: Address, items: Vec<Item<'_>>) -> B256 {
    Record::new(first, stake, time, &[(author, items)]).root()
}
