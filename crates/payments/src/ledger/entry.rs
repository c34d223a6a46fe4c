//! Entries of the ledger: all that a store writes, each in one transaction.

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use super::{
    account::Taken,
    evidence::{InvoiceSeen, RefundSeen, SettlementSeen},
    key::{AccountId, Owner, PaymentId, PaymentKey, RefundId, Request, ReservationId, Token},
};
use crate::price::{Quote, UnitPrice};

/// Terms on which a payment buys units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purchase {
    /// Account that gets the units.
    pub account: AccountId,
    /// Units offered, and the amount asked for.
    pub quote: Quote,
    /// Price of a unit.
    pub price: UnitPrice,
    /// Fee of a refund in atomic units, or `None` if no money goes back.
    pub refund_fee: Option<u128>,
}

/// Source of a call's units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Units that were bought before.
    Purchases,
    /// A voucher of the account's channel.
    Voucher,
    /// Nobody: the host takes no money.
    Free,
}

/// Change of the ledger.
///
/// It holds hashes, numbers and addresses only: no rows, labels, tokens or preimages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// An account begins, without units.
    Opened {
        /// New account.
        account: AccountId,
        /// Proof that spends its units.
        owner: Owner,
    },
    /// An account gets another proof, because whoever paid has proven it again.
    OwnerReplaced {
        /// Account.
        account: AccountId,
        /// Proof from now on.
        owner: Owner,
    },
    /// An authorization was accepted, and its transaction goes out as soon as this is stored.
    PaymentSent {
        /// Authorization.
        payment: PaymentKey,
        /// Terms.
        purchase: Purchase,
        /// Time from which the authorization is void, in seconds since 1970.
        valid_before: u64,
    },
    /// Evidence about an authorization.
    PaymentSeen {
        /// Payment.
        payment: PaymentId,
        /// Evidence.
        seen: SettlementSeen,
    },
    /// The node made an invoice.
    InvoiceMade {
        /// Payment hash.
        payment_hash: B256,
        /// Terms.
        purchase: Purchase,
        /// Hash of the request that the invoice was quoted for.
        request: B256,
        /// Time from which nobody should pay, in seconds since 1970.
        expires: u64,
    },
    /// Evidence about an invoice.
    InvoiceSeen {
        /// Payment hash.
        payment_hash: B256,
        /// Evidence.
        seen: InvoiceSeen,
    },
    /// A call sets units aside before its work.
    Reserved {
        /// Number of the reservation.
        reservation: ReservationId,
        /// Account that pays.
        account: AccountId,
        /// Maximum number of units that the call may cost.
        units: u64,
        /// Source of the units.
        source: Source,
        /// Request, if the caller gave it an id.
        request: Option<Request>,
    },
    /// The work of a call succeeded, and its units are spent.
    Committed {
        /// Reservation, which ends.
        reservation: ReservationId,
        /// Units spent, at most those reserved.
        units: u64,
        /// Sum that the channel was charged with this call, in atomic units, if a voucher pays.
        charged: Option<u128>,
    },
    /// The work of a call failed, and costs nothing.
    Released {
        /// Reservation, which ends.
        reservation: ReservationId,
    },
    /// Units leave an account, to go back as tokens.
    RefundStarted {
        /// Number of the refund.
        refund: RefundId,
        /// Account.
        account: AccountId,
        /// Account on the chain that paid, and gets the tokens.
        payer: Address,
        /// Token.
        token: Token,
        /// Amount in atomic units, without the fee.
        amount: u128,
        /// Units by purchase.
        taken: Vec<Taken>,
    },
    /// Evidence about a refund.
    RefundSeen {
        /// Refund.
        refund: RefundId,
        /// Evidence.
        seen: RefundSeen,
    },
}

/// Name of what a store must have once. It refuses an entry whose name it already has.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UniqueKey {
    /// Account.
    Account(AccountId),
    /// Proof that spends an account's units.
    Owner(B256),
    /// Authorization of a token, or payment hash.
    Payment(PaymentId),
    /// Number of a reservation.
    Reservation(ReservationId),
    /// End of a reservation.
    End(ReservationId),
    /// Number of a refund.
    Refund(RefundId),
}

impl Entry {
    /// Returns the names that the entry claims. A store inserts them with it, in one transaction.
    #[must_use]
    pub fn unique(&self) -> Vec<UniqueKey> {
        match self {
            Self::Opened { account, owner } => {
                vec![UniqueKey::Account(*account), UniqueKey::Owner(owner.hash())]
            }
            Self::OwnerReplaced { owner, .. } => vec![UniqueKey::Owner(owner.hash())],
            Self::PaymentSent { payment, .. } => vec![UniqueKey::Payment(payment.id())],
            Self::InvoiceMade { payment_hash, .. } => {
                vec![UniqueKey::Payment(PaymentKey::Invoice(*payment_hash).id())]
            }
            Self::Reserved { reservation, .. } => vec![UniqueKey::Reservation(*reservation)],
            Self::Committed { reservation, .. } | Self::Released { reservation } => {
                vec![UniqueKey::End(*reservation)]
            }
            Self::RefundStarted { refund, .. } => vec![UniqueKey::Refund(*refund)],
            Self::PaymentSeen { .. } | Self::InvoiceSeen { .. } | Self::RefundSeen { .. } => {
                Vec::new()
            }
        }
    }
}

/// Proof of what a call cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Account that paid.
    pub account: AccountId,
    /// Number of the call's reservation.
    pub reservation: ReservationId,
    /// Units that the call might have cost at most.
    pub reserved: u64,
    /// Units that it cost.
    pub units: u64,
    /// Units that the account can spend after the call.
    pub left: u64,
    /// Sum that the account's channel was charged so far, in atomic units, if a voucher paid.
    pub charged: Option<u128>,
}
