//! Payment of a scenario's contributors.

use cotrain_protocol::{
    market,
    mechanism::{Description, Terms},
    trainer::{self, Waits},
};

/// Mechanism with its terms, and what a simulation needs beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Incentive {
    /// A trainer.
    Trainer {
        /// Rules of payment.
        mechanism: trainer::Incentive,
        /// Waits before claims.
        waits: Waits,
        /// Wei that a prediction costs, if contributors are paid for them.
        prediction_price: Option<u128>,
    },
    /// A prediction market.
    Market {
        /// Terms that the market is created with.
        terms: market::Terms,
        /// Offer of its provider.
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

    /// Returns the seconds after which nothing has to wait any more.
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
