//! Contributions together with the claims on them, as they stood after a block.

use alloy_primitives::{Address, Log};
use cotrain_bindings::events::{Paid, TrainerEvent};
use cotrain_protocol::{ContractError, record::Contribution, sample::parse_batch};

use crate::rows::{ClaimKind, ClaimRow, ContributionRow, Settled};

/// A contribution with the claims on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contributed {
    /// Contribution as the author made it.
    pub contribution: Contribution,
    /// Number of its block; `None` if it is not known.
    pub block: Option<u64>,
    /// Claims on it, in the order of the chain.
    pub claims: Vec<Payment>,
}

/// A claim that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payment {
    /// Kind of the claim.
    pub kind: ClaimKind,
    /// Account that got the money.
    pub account: Address,
    /// Paid sum, in wei.
    pub amount: u128,
}

impl Contributed {
    /// Returns the sum of the claims, in wei.
    #[must_use]
    pub fn paid(&self) -> u128 {
        let amounts = self.claims.iter().map(|claim| claim.amount);
        amounts.fold(0, u128::saturating_add)
    }

    /// Returns the settlement of its deposit.
    #[must_use]
    pub fn settled(&self) -> Settled {
        self.claims.last().map_or(Settled::Open, |last| {
            Settled::after(last.kind, self.contribution.deposit, self.paid())
        })
    }
}

/// Returns contributions with the claims on them up to the block `until`. Both are ordered by
/// position.
pub(crate) fn joined(
    rows: Vec<ContributionRow>,
    claims: Vec<ClaimRow>,
    until: u64,
) -> Vec<Contributed> {
    let mut claims = claims
        .into_iter()
        .filter(|claim| claim.block <= until)
        .peekable();
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        let position = row.contribution.position;
        let mut own = Vec::new();
        while let Some(claim) = claims.next_if(|claim| claim.position <= position) {
            if claim.position == position {
                own.push(Payment {
                    kind: claim.kind,
                    account: claim.account,
                    amount: claim.amount,
                });
            }
        }
        all.push(Contributed {
            contribution: row.contribution,
            block: Some(row.block),
            claims: own,
        });
    }
    all
}

/// Reason why events do not add up to contributions.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventsError {
    /// Contributions begin at another position than the next one.
    #[error(
        "contributions begin at position {found}, expected {expected}; give all events of the trainer, from the first on"
    )]
    Position {
        /// Position of the first contribution.
        found: u64,
        /// Position that was expected.
        expected: u64,
    },
    /// A claim names a contribution that was not made before.
    #[error(
        "a claim is on position {position}, and there are {contributions} contributions before it; give all events of the trainer, from the first on"
    )]
    Claim {
        /// Position that the claim names.
        position: u64,
        /// Number of contributions before the claim.
        contributions: usize,
    },
    /// The items of an event are malformed.
    #[error("the items of an event cannot be read")]
    Items(#[from] ContractError),
}

/// Contributions that events of one trainer add up to.
///
/// It reads events without a chain, such as those of a recorded run, and checks no rule.
#[derive(Debug, Clone, Default)]
pub struct Contributions(Vec<Contributed>);

impl Contributions {
    /// Applies a log of the trainer. Logs that are no events of a trainer change nothing.
    ///
    /// # Errors
    /// [`EventsError`]; a part of the event may have been applied then.
    pub fn take(&mut self, log: &Log) -> Result<(), EventsError> {
        match TrainerEvent::decode(log) {
            Some(TrainerEvent::Contributed(event)) => {
                let parts = [(event.author, event.items.as_ref())];
                self.add(event.first_position, event.deposit, event.time, &parts)
            }
            Some(TrainerEvent::Relayed(event)) => {
                let batches = event.batches.iter();
                let parts: Vec<_> = batches.map(|it| (it.author, it.items.as_ref())).collect();
                self.add(event.first_position, event.deposit, event.time, &parts)
            }
            Some(TrainerEvent::Refunded(paid)) => self.claim(ClaimKind::Refund, &paid),
            Some(TrainerEvent::Reported(paid)) => self.claim(ClaimKind::Report, &paid),
            Some(TrainerEvent::ClaimedLate(paid)) => self.claim(ClaimKind::Late, &paid),
            _ => Ok(()),
        }
    }

    /// Returns the contributions, ordered by position.
    #[must_use]
    pub fn finish(self) -> Vec<Contributed> {
        self.0
    }

    fn add(
        &mut self,
        first_position: u64,
        deposit: u128,
        time: u64,
        parts: &[(Address, &[u8])],
    ) -> Result<(), EventsError> {
        let expected = self.0.len() as u64;
        if first_position != expected {
            return Err(EventsError::Position {
                found: first_position,
                expected,
            });
        }
        for &(author, items) in parts {
            for item in parse_batch(items)? {
                self.0.push(Contributed {
                    contribution: Contribution {
                        author,
                        label: item.label,
                        deposit,
                        time,
                        position: self.0.len() as u64,
                        sample: item.sample.to_vec(),
                    },
                    block: None,
                    claims: Vec::new(),
                });
            }
        }
        Ok(())
    }

    fn claim(&mut self, kind: ClaimKind, paid: &Paid) -> Result<(), EventsError> {
        let contributions = self.0.len();
        let index = usize::try_from(paid.position).unwrap_or(usize::MAX);
        let contribution = self.0.get_mut(index).ok_or(EventsError::Claim {
            position: paid.position,
            contributions,
        })?;
        contribution.claims.push(Payment {
            kind,
            account: paid.to,
            amount: paid.amount,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use Settled::{Open, Refunded, Reported, TakenByReports};
    use alloy_primitives::B256;

    use super::*;

    fn row(position: u64, block: u64, deposit: u128) -> ContributionRow {
        ContributionRow {
            contribution: Contribution {
                author: Address::repeat_byte(1),
                label: 1,
                deposit,
                time: 5,
                position,
                sample: vec![0, 1],
            },
            first_position: position,
            block,
            transaction: B256::ZERO,
            submission: None,
            settled: Settled::Open,
            taken: 0,
            announced: None,
        }
    }

    fn claim(position: u64, kind: ClaimKind, amount: u128, block: u64) -> ClaimRow {
        ClaimRow {
            position,
            kind,
            account: Address::repeat_byte(2),
            amount,
            block,
            transaction: B256::ZERO,
        }
    }

    #[test]
    fn joined_leaves_out_claims_of_later_blocks() {
        let rows = || vec![row(3, 1, 10), row(4, 1, 10), row(6, 2, 0)];
        let claims = || {
            vec![
                claim(3, ClaimKind::Report, 4, 5),
                claim(3, ClaimKind::Report, 6, 7),
                claim(4, ClaimKind::Report, 4, 5),
                claim(4, ClaimKind::Refund, 6, 6),
                claim(6, ClaimKind::Report, 0, 6),
            ]
        };
        let settled = |until| {
            let all = joined(rows(), claims(), until);
            let settled = all.iter().map(|it| (it.settled(), it.paid()));
            settled.collect::<Vec<_>>()
        };
        assert_eq!(settled(4), [(Open, 0), (Open, 0), (Open, 0)]);
        assert_eq!(settled(5), [(Reported, 4), (Reported, 4), (Open, 0)]);
        assert_eq!(settled(6), [(Reported, 4), (Refunded, 10), (Reported, 0)]);
        let last = [(TakenByReports, 10), (Refunded, 10), (Reported, 0)];
        assert_eq!(settled(u64::MAX), last);
    }
}
