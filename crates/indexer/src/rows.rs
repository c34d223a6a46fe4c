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
#[derive(Debug, Clone, PartialEq, Eq)]
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
