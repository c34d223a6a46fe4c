//! Price list of the labeling service.

use std::num::{NonZeroU32, NonZeroU64};

use cotrain_active::{session::LearnerKind, strategy::Strategy};
use cotrain_payments::price::{LearnerRates, PriceList, StrategyRates};

/// Price of an opening, in units.
const OPENING: u64 = 10;

/// Returns the rates of a learner in thousandths of a unit: for a row trained, decided on and looked at.
///
/// They follow the time that these take, of which a decision by logistic regression is the unit.
fn learner(kind: LearnerKind) -> [u32; 3] {
    match kind {
        LearnerKind::Logistic => [2_000, 1_000, 50],
        LearnerKind::Forest => [10_000, 2_000, 200],
        LearnerKind::Boosted => [20_000, 2_000, 200],
        LearnerKind::Own => [200, 100, 10],
    }
}

/// Returns the price list.
pub(super) fn list() -> PriceList {
    let rate = |rate: u32| NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN);
    let learners = LearnerKind::ALL.map(|kind| {
        let [train, decide, look] = learner(kind);
        let rates = LearnerRates {
            train: rate(train),
            decide: rate(decide),
            look: rate(look),
        };
        (kind.name().to_owned(), rates)
    });
    let strategies = Strategy::ALL.map(|strategy| (strategy.name().to_owned(), rates(strategy)));
    PriceList {
        opening: NonZeroU64::new(OPENING).unwrap_or(NonZeroU64::MIN),
        learners: learners.into(),
        strategies: strategies.into(),
    }
}

/// Returns what a strategy adds for each row of a pool, and for each row and pick.
fn rates(strategy: Strategy) -> StrategyRates {
    let (row, pick) = match strategy {
        Strategy::Random | Strategy::LeastConfidence | Strategy::Margin | Strategy::Entropy => {
            (0, 0)
        }
        // Five models learn, and answer for each row.
        Strategy::Committee => (500, 0),
        // Each row is compared with up to 2,000 others.
        Strategy::Density { .. } => (1_000, 0),
        Strategy::KCenter | Strategy::MarginKCenter => (0, 10),
        Strategy::TypiClust | Strategy::StartThenMargin(_) => (500, 10),
    };
    StrategyRates { row, pick }
}

#[cfg(test)]
mod tests {
    use cotrain_payments::price::Work;

    use super::*;

    #[test]
    fn list_prices_all_strategies() {
        let list = list();
        for strategy in Strategy::ALL {
            let query = Work::Query {
                strategy: strategy.name(),
                pool: 1_000,
                picks: 5,
            };
            for learner in LearnerKind::ALL {
                let units = list.units(learner.name(), 64, &query).unwrap();
                assert!((10..=1_300).contains(&units), "{strategy:?} {units}");
            }
        }
        let deciding = Work::Deciding { rows: 1 };
        assert_eq!(list.units("logistic", 64, &deciding), Ok(1));
    }
}
