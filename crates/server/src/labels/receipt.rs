//! Units that calls cost, and that are left.

/// Units after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// Units that the call cost.
    pub(crate) charged: u64,
    /// Units that all calls cost.
    pub(crate) spent: u64,
    /// Units that are left.
    pub(crate) left: u64,
}

/// Refusal of a call that costs more than is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the call costs {price} units, and the session has {left} left; ask for less, or open another session"
)]
pub(crate) struct OutOfUnits {
    /// Price of the call.
    pub(crate) price: u64,
    /// Units that are left.
    pub(crate) left: u64,
}
