//! Offer of a prediction market's provider.

/// Bounty and test set of a prediction market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offer {
    /// Reward for improving the model, in wei.
    pub(crate) bounty: u128,
    /// Number of parts that the test set is divided into.
    pub(crate) parts: usize,
    /// Number of the scenario's test samples in the market's test set, from the first one on.
    pub(crate) test_samples: usize,
}
