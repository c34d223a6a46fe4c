//! Rows of the index. Money is in wei, time in Unix seconds.

use alloy_primitives::{Address, B256};
use cotrain_protocol::record::Contribution;

pub use cotrain_protocol::mechanism::ClaimKind;

/// Settlement of a contribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Settled {
    /// Nobody has claimed any of the deposit.
    Open,
    /// Reporters have taken a part of the deposit.
    Reported,
    /// The author has taken back the rest.
    Refunded,
    /// Reporters have taken the whole deposit.
    TakenByReports,
    /// Someone has taken the rest with a late claim.
    ClaimedLate,
}

impl Settled {
    /// All settlements, in the order in which a contribution can reach them.
    pub const ALL: [Self; 5] = [
        Self::Open,
        Self::Reported,
        Self::Refunded,
        Self::TakenByReports,
        Self::ClaimedLate,
    ];

    /// Returns the settlement after a claim. `taken` is the sum of all claims so far, in wei.
    #[must_use]
    pub fn after(kind: ClaimKind, deposit: u128, taken: u128) -> Self {
        match kind {
            ClaimKind::Refund => Self::Refunded,
            ClaimKind::Late => Self::ClaimedLate,
            ClaimKind::Report if deposit != 0 && taken >= deposit => Self::TakenByReports,
            ClaimKind::Report => Self::Reported,
        }
    }

    /// Returns the name, as in the API and in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Reported => "reported",
            Self::Refunded => "refunded",
            Self::TakenByReports => "taken-by-reports",
            Self::ClaimedLate => "claimed-late",
        }
    }

    /// Returns `true` if something can still be claimed.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Reported)
    }
}

/// Sums over all contributions to a model: the money of their deposits, and their settlements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// All deposits, in wei.
    pub deposited: u128,
    /// Part of the deposits that their authors took back, in wei.
    pub refunded: u128,
    /// Part of the deposits that reporters took, in wei.
    pub reported: u128,
    /// Part of the deposits that late claims took, in wei.
    pub claimed_late: u128,
    /// Numbers of contributions, in the order of [`Settled::ALL`].
    counts: [u64; Settled::ALL.len()],
}

impl Sums {
    /// Returns the part of the deposits that nobody has claimed yet, in wei.
    #[must_use]
    pub fn open(&self) -> u128 {
        let gone = self.refunded + self.reported + self.claimed_late;
        self.deposited.saturating_sub(gone)
    }

    /// Returns the number of contributions with a settlement.
    #[must_use]
    pub fn count(&self, settled: Settled) -> u64 {
        self.counts[settled as usize]
    }

    /// Adds a contribution.
    pub(crate) fn add(&mut self, deposit: u128) {
        self.deposited = self.deposited.saturating_add(deposit);
        self.counts[Settled::Open as usize] += 1;
    }

    /// Adds a claim of `amount` wei, which moved a contribution from one settlement to another.
    pub(crate) fn pay(&mut self, kind: ClaimKind, amount: u128, before: Settled, after: Settled) {
        let sum = match kind {
            ClaimKind::Refund => &mut self.refunded,
            ClaimKind::Report => &mut self.reported,
            ClaimKind::Late => &mut self.claimed_late,
        };
        *sum = sum.saturating_add(amount);
        // A contract of another code may pay for a contribution that it never announced.
        let from = &mut self.counts[before as usize];
        *from = from.saturating_sub(1);
        self.counts[after as usize] += 1;
    }
}

/// A contribution, its transaction, and the settlement of its deposit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContributionRow {
    /// Contribution as the author made it.
    pub contribution: Contribution,
    /// Position of the first contribution of the same transaction; it names their shared root.
    pub first_position: u64,
    /// Number of its block.
    pub block: u64,
    /// Hash of its transaction.
    pub transaction: B256,
    /// Id of the signed batch that contained it; `None` if it was not relayed.
    pub submission: Option<B256>,
    /// Settlement of its deposit.
    pub settled: Settled,
    /// Sum paid out of the deposit so far, in wei.
    pub taken: u128,
    /// Time of its last announcement in the model's newest state, in Unix seconds; `None` if never.
    pub announced: Option<u64>,
}

/// A claim that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRow {
    /// Position of the contribution.
    pub position: u64,
    /// Kind of the claim.
    pub kind: ClaimKind,
    /// Account that got the money.
    pub account: Address,
    /// Paid sum, in wei.
    pub amount: u128,
    /// Number of its block.
    pub block: u64,
    /// Hash of its transaction.
    pub transaction: B256,
}

/// Accuracy of a model after a number of contributions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccuracyRow {
    /// Number of the block of the last of these contributions.
    pub block: u64,
    /// Time of the last of these contributions, or of the beginning, in Unix seconds.
    pub time: u64,
    /// Number of contributions that the model had learned from.
    pub contributions: u64,
    /// Number of test samples that the model predicted right.
    pub correct: u64,
    /// Number of test samples.
    pub samples: u64,
}

impl AccuracyRow {
    /// Returns the share of samples that the model predicted right.
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of samples are far below 2^52"
    )]
    #[must_use]
    pub fn share(&self) -> f64 {
        self.correct as f64 / self.samples.max(1) as f64
    }
}

/// One change; later changes have higher ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Id of the change, in the order in which the changes became known.
    pub id: i64,
    /// Trainer of the model.
    pub trainer: Address,
    /// Kind of the event.
    ///
    /// A trainer's kinds: `contributed`, `relayed`, `skipped`, `refunded`, `announced`, `reported`,
    /// `claimed-late`, `claim-skipped`, `deposited`, `withdrawn`, `nonces-cancelled`,
    /// `rolled-back`, `accuracy`, `refused`.
    /// A market's kinds: those of [`Fact::kind`](cotrain_protocol::market::Fact::kind).
    pub kind: String,
    /// Number of the block that it belongs to.
    pub block: u64,
    /// Hash of its transaction; `None` if the event is not from the chain.
    pub transaction: Option<B256>,
    /// Account that it concerns; `None` if it concerns none.
    pub account: Option<Address>,
    /// Position of the first contribution that it concerns; `None` if it concerns none.
    pub position: Option<u64>,
    /// Further facts, as the kind defines them.
    pub detail: serde_json::Value,
}

/// Page of rows, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Position or id after which the page begins; `None` begins at the first row.
    pub after: Option<i64>,
    /// Maximum number of rows.
    pub limit: u32,
}

impl Page {
    /// Returns a page from the first row on, with at most `limit` rows.
    #[must_use]
    pub fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }
}

/// Filter of contributions; the default selects all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContributionFilter {
    /// Author of the contributions; `None` selects all authors.
    pub author: Option<Address>,
    /// Label of the contributions; `None` selects all labels.
    pub label: Option<u16>,
    /// `true` selects contributions that can still be claimed, `false` the settled ones.
    /// `None` selects both.
    pub open: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_follow_each_contribution_from_settlement_to_settlement() {
        let mut sums = Sums::default();
        for deposit in [10, 10, 10, 0] {
            sums.add(deposit);
        }
        sums.pay(ClaimKind::Report, 4, Settled::Open, Settled::Reported);
        sums.pay(ClaimKind::Refund, 6, Settled::Reported, Settled::Refunded);
        sums.pay(ClaimKind::Report, 3, Settled::Open, Settled::Reported);
        sums.pay(ClaimKind::Late, 10, Settled::Open, Settled::ClaimedLate);
        assert_eq!(Settled::ALL.map(|it| sums.count(it)), [1, 1, 1, 0, 1]);
        assert_eq!(sums.open(), 7);
        assert_eq!(
            (
                sums.deposited,
                sums.refunded,
                sums.reported,
                sums.claimed_late
            ),
            (30, 6, 7, 10)
        );
    }
}
