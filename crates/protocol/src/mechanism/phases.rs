//! Names of phases, which descriptions have and phases are displayed by.

/// Names of a prediction market's phases, in the order of [`Phase`](crate::market::Phase).
pub(crate) const MARKET_PHASES: [&str; 8] = [
    "created",
    "committed",
    "open",
    "revealing",
    "scoring",
    "settled",
    "failed",
    "forfeited",
];
