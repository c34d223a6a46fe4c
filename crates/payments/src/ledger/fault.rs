//! Reasons for which the ledger refuses a change.

use thiserror::Error;

use super::evidence::Contradiction;

/// Reason for which the ledger refuses a change. A refused change leaves it as it was.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// No account has this name.
    #[error("cannot find the account: no session with this id was opened; open one")]
    UnknownAccount,
    /// Another account has this name or this proof.
    #[error(
        "cannot open the account: its id or its proof is taken; use the session that was opened"
    )]
    AccountTaken,
    /// The payment has bought units already, or is about to.
    #[error(
        "cannot take the payment: it was presented before; repeat the request with its id, and wait for its end before you pay anew"
    )]
    PaymentUsed,
    /// No payment has this name.
    #[error("cannot find the payment: expected one that the ledger has")]
    UnknownPayment,
    /// The payment buys no units.
    #[error("cannot sell units: the quote has none, or not enough money for them")]
    EmptyQuote,
    /// The account has too few units.
    #[error("cannot reserve {asked} units: {left} are left; buy units")]
    NotEnough {
        /// Units asked for.
        asked: u64,
        /// Units that the account can spend.
        left: u64,
    },
    /// A call asks for no units, or is to cost more than it reserved.
    #[error("cannot charge {units} units: expected 1 to {most}")]
    WrongUnits {
        /// Units asked for.
        units: u64,
        /// Units that are possible.
        most: u64,
    },
    /// The account is paid for by vouchers, or by units bought before, and this is the other way.
    #[error("cannot pay in this way: the session was opened in another one; pay as it was opened")]
    WrongSource,
    /// Another call on the channel is in progress.
    #[error(
        "cannot use the channel: another call is in progress; wait for it, or open a second channel"
    )]
    Busy,
    /// The sum charged does not rise with the call.
    #[error("cannot charge the channel {sum} in all: it was charged {before}; expected more")]
    NotRising {
        /// Sum before.
        before: u128,
        /// Sum after.
        sum: u128,
    },
    /// The request of this id has another body.
    #[error("cannot repeat the request: its id was used for another body; choose a new id")]
    OtherBody,
    /// The request of this id is in progress.
    #[error("cannot repeat the request yet: it is in progress; ask again with the same id")]
    Running,
    /// No open reservation has this number.
    #[error("cannot end the reservation: it has ended, or never began")]
    UnknownReservation,
    /// No refund has this number.
    #[error("cannot find the refund: expected one that the ledger has")]
    UnknownRefund,
    /// The entry does not follow from the state.
    #[error(
        "cannot take the entry: it does not follow from those before; restore the whole ledger"
    )]
    OutOfOrder,
    /// A number would exceed its size.
    #[error("cannot count so many units: expected at most {max}", max = u64::MAX)]
    Overflow,
    /// Evidence contradicts what was final.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
}

impl Fault {
    /// Returns the status of the answer.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::NotEnough { .. } | Self::Busy | Self::NotRising { .. } => 402,
            Self::UnknownAccount => 404,
            // A payment that was presented before may still be pending, so nobody must pay again.
            Self::OtherBody | Self::AccountTaken | Self::WrongSource | Self::PaymentUsed => 409,
            Self::WrongUnits { .. } | Self::EmptyQuote | Self::Overflow => 400,
            Self::Running => 503,
            Self::UnknownPayment
            | Self::UnknownReservation
            | Self::UnknownRefund
            | Self::OutOfOrder
            | Self::Contradiction(_) => 500,
        }
    }
}
