//! Prices of work in units, and of units in money. Every rounding is in this file.
//!
//! Work is counted in thousandths of a unit, and each call is rounded up once to whole units.
//! Money is counted in the smallest amounts that a rail knows: a token's atomic units, or
//! millisatoshi. Docs: `docs/adr/018-payments.md`.

use std::{
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroU64},
};

use alloy_primitives::U256;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Thousandths in a unit.
const THOUSANDTHS: u128 = 1_000;
/// Features that one block of a row has. A row pays for each block that it begins.
pub const BLOCK: u32 = 64;
/// Millisatoshi in a satoshi.
const SATOSHI: u128 = 1_000;

/// Rates of a learner, in thousandths of a unit for each row and each block of 64 features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnerRates {
    /// Rate of a row that is trained.
    pub train: NonZeroU32,
    /// Rate of a row that is decided on or predicted.
    pub decide: NonZeroU32,
    /// Rate of a row of a pool that a query looks at.
    pub look: NonZeroU32,
}

/// Rates of a strategy, in thousandths of a unit, which a query pays beside the learner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrategyRates {
    /// Rate of each row of the pool and each block of 64 features.
    pub row: u32,
    /// Rate of each row of the pool, each block and each pick, for strategies that compare rows with picks.
    pub pick: u32,
}

/// Work that a call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work<'a> {
    /// Opening of a session.
    Opening,
    /// Training on rows.
    Training {
        /// Number of rows.
        rows: u64,
    },
    /// Decisions on rows of a stream, or predictions.
    Deciding {
        /// Number of rows.
        rows: u64,
    },
    /// Search of a pool for the rows that are worth a label.
    Query {
        /// Name of the strategy.
        strategy: &'a str,
        /// Number of rows looked at.
        pool: u64,
        /// Number of rows asked for.
        picks: u64,
    },
}

/// Prices of all work in units. A session keeps the list of its opening.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceList {
    /// Price of an opening, in units.
    pub opening: NonZeroU64,
    /// Rates by the name of the learner.
    pub learners: BTreeMap<String, LearnerRates>,
    /// Rates by the name of the strategy.
    pub strategies: BTreeMap<String, StrategyRates>,
}

/// Fault of a price.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PriceError {
    /// The list has no such learner.
    #[error("cannot price the call: the price list has no learner `{0}`; choose one that it has")]
    UnknownLearner(String),
    /// The list has no such strategy.
    #[error("cannot price the call: the price list has no strategy `{0}`; choose one that it has")]
    UnknownStrategy(String),
    /// The call asks for no work.
    #[error("cannot price the call: it has no rows, features or picks; send at least one")]
    NoWork,
    /// The price does not fit its number.
    #[error("cannot price the call: the price exceeds {max} {of}; send fewer rows", max = u64::MAX)]
    TooMuch {
        /// Name of what is counted.
        of: &'static str,
    },
}

impl PriceList {
    /// Returns the price of a call in units, rounded up. It is at least 1.
    ///
    /// # Errors
    /// [`PriceError`] if a name is unknown, nothing is asked for, or the price exceeds 64 bits.
    pub fn units(&self, learner: &str, features: u32, work: &Work<'_>) -> Result<u64, PriceError> {
        self.units_of_all(learner, features, &[*work])
    }

    /// Returns the price of a call that does several works, in units. All together are rounded up once.
    ///
    /// # Errors
    /// Those of [`PriceList::units`], or there is no work.
    pub fn units_of_all(
        &self,
        learner: &str,
        features: u32,
        works: &[Work<'_>],
    ) -> Result<u64, PriceError> {
        let too_much = PriceError::TooMuch { of: "units" };
        let sum = works.iter().try_fold(0_u128, |sum, work| {
            let more = self.thousandths(learner, features, work)?;
            sum.checked_add(more).ok_or(too_much.clone())
        })?;
        if sum == 0 {
            return Err(PriceError::NoWork);
        }
        u64::try_from(sum.div_ceil(THOUSANDTHS)).map_err(|_| too_much)
    }

    /// Returns the price of a work in thousandths of a unit.
    fn thousandths(
        &self,
        learner: &str,
        features: u32,
        work: &Work<'_>,
    ) -> Result<u128, PriceError> {
        let rates = self
            .learners
            .get(learner)
            .ok_or_else(|| PriceError::UnknownLearner(learner.to_owned()))?;
        // A pick pays for each row of the pool, so three numbers are multiplied at most.
        let (rows, rate) = match *work {
            Work::Opening => return Ok(u128::from(self.opening.get()) * THOUSANDTHS),
            Work::Training { rows } => (rows, u128::from(rates.train.get())),
            Work::Deciding { rows } => (rows, u128::from(rates.decide.get())),
            Work::Query {
                strategy,
                pool,
                picks,
            } => {
                let strategy = self
                    .strategies
                    .get(strategy)
                    .ok_or_else(|| PriceError::UnknownStrategy(strategy.to_owned()))?;
                if picks == 0 {
                    return Err(PriceError::NoWork);
                }
                let picks = u128::from(picks) * u128::from(strategy.pick);
                let rate = u128::from(rates.look.get()) + u128::from(strategy.row) + picks;
                (pool, rate)
            }
        };
        let blocks = u128::from(features.div_ceil(BLOCK));
        if rows == 0 || blocks == 0 {
            return Err(PriceError::NoWork);
        }
        (u128::from(rows) * blocks)
            .checked_mul(rate)
            .ok_or(PriceError::TooMuch { of: "units" })
    }
}

/// Price of units in money: an amount for a number of units.
///
/// The fraction lets a host sell several units for the smallest amount that a rail knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitPrice {
    /// Amount in atomic units of the token, or in millisatoshi.
    pub amount: NonZeroU64,
    /// Number of units that the amount buys.
    pub units: NonZeroU64,
}

/// Offer of units for money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quote {
    /// Units that the payment buys. They may exceed those asked for, by a rounding.
    pub units: u64,
    /// Amount to pay, in atomic units or millisatoshi.
    pub amount: u128,
}

impl UnitPrice {
    /// Returns the amount to pay for units, rounded up. Only 0 units are free.
    #[must_use]
    pub fn cost(self, units: u64) -> u128 {
        // Both factors have 64 bits.
        (u128::from(units) * u128::from(self.amount.get())).div_ceil(self.units.get().into())
    }

    /// Returns the units that an amount buys, rounded down: the most whose cost does not exceed it.
    ///
    /// No more than `u64::MAX` units are ever bought.
    #[must_use]
    pub fn buys(self, amount: u128) -> u64 {
        let units = U256::from(amount) * U256::from(self.units.get());
        (units / U256::from(self.amount.get())).saturating_to()
    }

    /// Returns the money that units are worth when they go back, rounded down.
    #[must_use]
    pub fn worth(self, units: u64) -> u128 {
        u128::from(units) * u128::from(self.amount.get()) / u128::from(self.units.get())
    }

    /// Returns the offer of units for a token: exactly as many as are asked for.
    #[must_use]
    pub fn quote(self, units: u64) -> Quote {
        let amount = self.cost(units);
        Quote { units, amount }
    }

    /// Returns the offer of at least these units by an invoice.
    ///
    /// The amount is in whole satoshi and at least `minimum` (in millisatoshi); what this adds buys units.
    #[must_use]
    pub fn quote_invoice(self, units: u64, minimum: u64) -> Quote {
        let least = self.cost(units).max(minimum.into());
        let amount = least.div_ceil(SATOSHI) * SATOSHI;
        let units = self.buys(amount);
        Quote { units, amount }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn rate(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).expect("not zero")
    }

    fn list() -> PriceList {
        let rates = LearnerRates {
            train: rate(2_500),
            decide: rate(1_000),
            look: rate(100),
        };
        let most = LearnerRates {
            train: rate(u32::MAX),
            decide: rate(1),
            look: rate(u32::MAX),
        };
        let strategies = [
            ("margin", StrategyRates::default()),
            ("k-center", StrategyRates { row: 5, pick: 10 }),
            (
                "most",
                StrategyRates {
                    row: u32::MAX,
                    pick: u32::MAX,
                },
            ),
        ];
        PriceList {
            opening: NonZeroU64::new(10).expect("not zero"),
            learners: [("logistic", rates), ("most", most)]
                .map(|(name, rates)| (name.to_owned(), rates))
                .into(),
            strategies: strategies
                .map(|(name, rates)| (name.to_owned(), rates))
                .into(),
        }
    }

    fn price(amount: u64, units: u64) -> UnitPrice {
        UnitPrice {
            amount: amount.try_into().expect("not zero"),
            units: units.try_into().expect("not zero"),
        }
    }

    #[test]
    fn price_list_counts_rows_blocks_and_picks() {
        let list = list();
        let units = |features, work| list.units("logistic", features, &work);
        assert_eq!(units(64, Work::Opening), Ok(10));
        assert_eq!(units(64, Work::Deciding { rows: 1 }), Ok(1));
        assert_eq!(units(65, Work::Deciding { rows: 1 }), Ok(2));
        // 2.5 units a row are rounded up once a call, not once a row.
        assert_eq!(units(64, Work::Training { rows: 1 }), Ok(3));
        assert_eq!(units(64, Work::Training { rows: 3 }), Ok(8));
        let query = |strategy, pool, picks| Work::Query {
            strategy,
            pool,
            picks,
        };
        assert_eq!(units(64, query("margin", 1_300, 5)), Ok(130));
        assert_eq!(units(64, query("margin", 1_300, 500)), Ok(130));
        assert_eq!(units(64, query("margin", 1, 1)), Ok(1));
        // 0.1 + 0.005 + 10 * 0.01 units a row.
        assert_eq!(units(64, query("k-center", 1_000, 10)), Ok(205));
        assert_eq!(units(128, query("k-center", 1_000, 10)), Ok(410));
    }

    #[test]
    fn price_list_refuses_the_unknown_the_empty_and_the_huge() {
        let list = list();
        let deciding = Work::Deciding { rows: 0 };
        assert_eq!(
            list.units("logistic", 1, &deciding),
            Err(PriceError::NoWork)
        );
        let training = Work::Training { rows: 1 };
        assert_eq!(
            list.units("logistic", 0, &training),
            Err(PriceError::NoWork)
        );
        let unknown = PriceError::UnknownLearner("tree".into());
        assert_eq!(list.units("tree", 1, &training), Err(unknown));
        let query = |strategy, picks| Work::Query {
            strategy,
            pool: u64::MAX,
            picks,
        };
        let unknown = PriceError::UnknownStrategy("guess".into());
        assert_eq!(list.units("most", 1, &query("guess", 1)), Err(unknown));
        let none = list.units("most", 1, &query("most", 0));
        assert_eq!(none, Err(PriceError::NoWork));
        let too_much = Err(PriceError::TooMuch { of: "units" });
        assert_eq!(
            list.units("most", u32::MAX, &query("most", u64::MAX)),
            too_much
        );
        let training = Work::Training { rows: u64::MAX };
        assert_eq!(list.units("most", 1, &training), too_much);
    }

    #[test]
    fn quote_of_an_invoice_has_whole_satoshi_and_sells_the_rounding() {
        // 3 msat a unit.
        let price = price(3, 1);
        let quote = |units, minimum| price.quote_invoice(units, minimum);
        let expected = |units, amount| Quote { units, amount };
        assert_eq!(quote(1_000, 0), expected(1_000, 3_000));
        assert_eq!(quote(1_001, 0), expected(1_333, 4_000));
        assert_eq!(quote(1, 1_000_000), expected(333_333, 1_000_000));
        assert_eq!(quote(1, 999_999), expected(333_333, 1_000_000));
    }

    proptest! {
        #[test]
        fn unit_price_rounds_for_the_host_and_never_gives_more_than_was_paid(
            amount in 1..=u64::MAX,
            per in 1..=u64::MAX,
            units in any::<u64>(),
            paid in any::<u128>(),
        ) {
            let price = price(amount, per);
            let cost = price.cost(units);
            prop_assert_eq!(cost == 0, units == 0);
            prop_assert!(price.worth(units) <= cost && cost - price.worth(units) <= 1);
            // What the cost buys is worth no more than the cost.
            prop_assert!(price.buys(cost) >= units);
            prop_assert!(price.cost(price.buys(cost)) <= cost);
            let bought = price.buys(paid);
            prop_assert!(price.cost(bought) <= paid);
            if let Some(more) = bought.checked_add(1) {
                prop_assert!(price.cost(more) > paid);
            }
        }

        #[test]
        fn unit_price_gains_nothing_by_buying_in_parts(
            amount in 1..1_000_000u64,
            per in 1..1_000_000u64,
            parts in prop::collection::vec(0..1_000_000u64, 1..9),
        ) {
            let price = price(amount, per);
            let apart: u128 = parts.iter().map(|&units| price.cost(units)).sum();
            prop_assert!(apart >= price.cost(parts.iter().sum()));
            let back: u128 = parts.iter().map(|&units| price.worth(units)).sum();
            prop_assert!(back <= price.worth(parts.iter().sum()));
        }

        #[test]
        fn quote_of_an_invoice_never_sells_fewer_units_than_asked_for(
            amount in 1..=u64::MAX,
            per in 1..=u64::MAX,
            units in any::<u64>(),
            minimum in any::<u64>(),
        ) {
            let price = price(amount, per);
            let quote = price.quote_invoice(units, minimum);
            prop_assert!(quote.units >= units);
            prop_assert_eq!(quote.amount % 1_000, 0);
            prop_assert!(quote.amount >= minimum.into());
            prop_assert!(price.cost(quote.units) <= quote.amount);
        }

        #[test]
        fn price_list_asks_at_least_a_unit_for_any_work(
            rows in 1..1_000_000u64,
            features in 1..100_000u32,
            picks in 1..1_000u64,
        ) {
            let list = list();
            for work in [
                Work::Opening,
                Work::Training { rows },
                Work::Deciding { rows },
                Work::Query { strategy: "margin", pool: rows, picks },
                Work::Query { strategy: "k-center", pool: rows, picks },
            ] {
                let price = list.units("logistic", features, &work).expect("a price");
                prop_assert!(price >= 1);
            }
        }
    }
}
