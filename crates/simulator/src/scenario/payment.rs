//! Payment of contributors in a scenario.

use cotrain_protocol::{
    market,
    mechanism::{Description, Terms},
    trainer::{self, Waits},
};

/// Mechanism with its terms, and the further settings that a simulation needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Incentive {
    /// A trainer.
    Trainer {
        /// Rules of payment.
        mechanism: trainer::Incentive,
        /// Waits before claims.
        waits: Waits,
        /// Price of a prediction, in wei; `None` if none are sold.
        prediction_price: Option<u128>,
    },
    /// A prediction market.
    Market {
        /// Terms that the market is created with.
        terms: market::Terms,
        /// Offer of the market's provider.
        offer: Offer,
    },
}

impl Incentive {
    /// Returns the description of the mechanism.
    pub(crate) fn description(&self) -> &'static Description {
        let terms = match *self {
            Self::Trainer {
                mechanism: incentive,
                waits,
                ..
            } => Terms::Trainer { incentive, waits },
            Self::Market { terms, .. } => Terms::Market(terms),
        };
        terms.mechanism().description()
    }

    /// Returns the time after which no claim or payment has to wait, in seconds.
    pub(crate) fn longest_wait(&self) -> u64 {
        match self {
            Self::Trainer { waits, .. } => waits.any_address_claim,
            Self::Market { terms, .. } => terms.participation + terms.reveal_wait,
        }
    }
}

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
