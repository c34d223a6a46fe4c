//! Prices of the labeling service: the list of rates, and the work that each call does.

use std::num::{NonZeroU32, NonZeroU64};

use cotrain_active::{
    session::{LearnerKind, Opening, PoolId, Session},
    strategy::{Start, Strategy},
};
use cotrain_payments::price::{LearnerRates, PriceError, PriceList, StrategyRates, Work};
use cotrain_protocol::classifier::Kind;

use super::refusal::Refusal;

/// Price of an opening, in units.
const OPENING: u64 = 10;

/// Number of trainings of a calibrated model: on all rows, and five times on four fifths of them.
const CALIBRATED: u64 = 5;

/// Strategy whose search costs no more than a look at each row.
const LOOKING: &str = "margin";

/// Work that a call on a session asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asked {
    /// Training on new rows and opinions, with a look at `fixed` given rows.
    Training {
        rows: usize,
        opinions: usize,
        fixed: usize,
    },
    /// Decisions or predictions.
    Deciding { rows: usize },
    /// Search of rows that come with the call.
    Query { pool: usize, picks: usize },
    /// Search of a pool that the session holds.
    PoolQuery { pool: PoolId, picks: usize },
    /// Holding of a pool's rows.
    Pool { rows: usize },
    /// Restoring from a snapshot, whose model may learn anew.
    Restoring,
    /// Work that is free.
    Nothing,
}

/// Facts of a session, by which work is priced.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Basis {
    pub(crate) learner: LearnerKind,
    pub(crate) features: u32,
    /// Strategy of the next query.
    pub(crate) strategy: Strategy,
    pub(crate) calibrated: bool,
    /// Number of labeled rows.
    pub(crate) rows: u64,
    /// Number of opinions about them.
    pub(crate) opinions: u64,
    /// Number of rows of the fixed set, which each training looks at.
    pub(crate) fixed: u64,
}

impl Basis {
    /// Returns the facts of a session that has learned nothing.
    pub(crate) fn of_opening(opening: &Opening) -> Self {
        let fixed = opening.fixed.as_ref().map_or(0, |rows| rows.nrows() as u64);
        Self {
            learner: opening.learner,
            features: u32::try_from(opening.features).unwrap_or(u32::MAX).max(1),
            strategy: opening.strategy,
            calibrated: opening.calibrated,
            rows: 0,
            opinions: 0,
            fixed,
        }
    }

    fn of(session: &Session) -> Self {
        Self {
            strategy: session.asks(),
            rows: session.rows() as u64,
            opinions: session.opinions() as u64,
            ..Self::of_opening(session.opening())
        }
    }

    /// Returns the price of an opening, which looks at the fixed set.
    pub(crate) fn opening(&self, list: &PriceList) -> Result<u64, PriceError> {
        let mut works = vec![Work::Opening];
        works.extend(looking(self.fixed));
        list.units_of_all(self.learner.name(), self.features, &works)
    }

    /// Returns the price of a training after `rows` new rows and `opinions` new opinions.
    ///
    /// A model learns from all rows anew, and a consensus from all opinions.
    pub(crate) fn training(
        &self,
        list: &PriceList,
        rows: u64,
        opinions: u64,
        fixed: u64,
    ) -> Result<u64, PriceError> {
        let times = if self.calibrated { CALIBRATED } else { 1 };
        let learned = (self.rows + rows).saturating_mul(times);
        let mut works = vec![Work::Training {
            rows: learned.max(self.opinions + opinions),
        }];
        works.extend(looking(self.fixed + fixed));
        list.units_of_all(self.learner.name(), self.features, &works)
    }

    /// Returns the price of decisions or predictions.
    pub(crate) fn deciding(&self, list: &PriceList, rows: u64) -> Result<u64, PriceError> {
        list.units(self.learner.name(), self.features, &Work::Deciding { rows })
    }

    /// Returns the price of a search. More picks than rows cost no more.
    pub(crate) fn query(&self, list: &PriceList, pool: u64, picks: u64) -> Result<u64, PriceError> {
        let compared = if self.strategy.compares_with_labeled() {
            self.rows
        } else {
            0
        };
        let mut works = vec![Work::Query {
            strategy: self.strategy.name(),
            pool,
            picks: picks.min(pool).saturating_add(compared),
        }];
        let members = self.learner.members_that_learn() as u64;
        if self.strategy == Strategy::Committee && members > 0 && self.rows > 0 {
            works.push(Work::Training {
                rows: members * self.rows,
            });
            works.extend(looking(pool.saturating_mul(members)));
        }
        list.units_of_all(self.learner.name(), self.features, &works)
    }

    /// Returns the price of holding a pool, which no model looks at.
    fn pool(&self, list: &PriceList, rows: u64) -> Result<u64, PriceError> {
        let works: Vec<_> = looking(rows).collect();
        list.units_of_all(LearnerKind::Own.name(), self.features, &works)
    }
}

/// Returns the work of a look at each of some rows.
fn looking(rows: u64) -> impl Iterator<Item = Work<'static>> {
    let look = Work::Query {
        strategy: LOOKING,
        pool: rows,
        picks: 1,
    };
    (rows > 0).then_some(look).into_iter()
}

/// Returns the price of work on a session, in units.
pub(super) fn units(list: &PriceList, session: &Session, asked: Asked) -> Result<u64, Refusal> {
    let basis = Basis::of(session);
    let count = |number: usize| number as u64;
    Ok(match asked {
        Asked::Training {
            rows,
            opinions,
            fixed,
        } => basis.training(list, count(rows), count(opinions), count(fixed))?,
        Asked::Deciding { rows } => basis.deciding(list, count(rows))?,
        Asked::Query { pool, picks } => basis.query(list, count(pool), count(picks))?,
        Asked::PoolQuery { pool, picks } => {
            let rows = session.pool_rows(&pool)?;
            basis.query(list, count(rows), count(picks))?
        }
        Asked::Pool { rows } => basis.pool(list, count(rows))?,
        Asked::Restoring => basis.opening(list)?,
        Asked::Nothing => 0,
    })
}

/// Returns the bytes that a session has after work, as far as they are known before it.
pub(super) fn bytes(session: &Session, asked: Asked) -> usize {
    match asked {
        Asked::Training { rows, opinions, .. } => session.bytes_with(rows, opinions),
        Asked::Pool { rows } => session.bytes() + session.pool_bytes(rows),
        _ => session.bytes(),
    }
}

/// Returns the rates of a learner in thousandths of a unit: for a row trained, decided on and looked at.
///
/// They follow the times that the bench `rates` measures (docs/labels.md): a thousandth is 5 ns. What a
/// row that is decided on costs to read and to answer is most of the 1,000 that each has.
fn learner(kind: LearnerKind) -> [u32; 3] {
    match kind {
        LearnerKind::Logistic => [2_000, 1_000, 120],
        LearnerKind::Forest => [7_000, 1_500, 500],
        LearnerKind::Boosted => [92_000, 3_200, 2_200],
        LearnerKind::Deployable(kind) => deployable(kind),
        LearnerKind::Own => [200, 100, 60],
    }
}

/// Returns the rates of a contract's classifier.
fn deployable(kind: Kind) -> [u32; 3] {
    match kind {
        Kind::SparsePerceptron => [500, 1_200, 180],
        Kind::DensePerceptron => [620, 1_200, 160],
        Kind::NaiveBayes => [200, 1_500, 450],
        Kind::SparseNearestCentroid => [1_300, 1_300, 280],
        Kind::DenseNearestCentroid => [1_400, 1_300, 300],
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
        // The members' votes are counted.
        Strategy::Committee => (500, 0),
        // Each row is compared with up to 2,000 others.
        Strategy::Density { .. } => (6_500, 0),
        Strategy::KCenter | Strategy::MarginKCenter | Strategy::StartThenMargin(Start::KCenter) => {
            (0, 4)
        }
        Strategy::TypiClust | Strategy::StartThenMargin(Start::TypiClust) => (800, 28),
    };
    StrategyRates { row, pick }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basis(learner: LearnerKind, strategy: Strategy) -> Basis {
        Basis {
            learner,
            features: 64,
            strategy,
            calibrated: false,
            rows: 100,
            opinions: 100,
            fixed: 0,
        }
    }

    #[test]
    fn list_prices_all_strategies_and_learners() {
        let list = list();
        for strategy in Strategy::ALL {
            for learner in LearnerKind::ALL {
                let price = basis(learner, strategy).query(&list, 1_000, 5);
                let units = price.unwrap();
                assert!(
                    (10..=60_000).contains(&units),
                    "{strategy:?} {learner} {units}"
                );
            }
        }
        let logistic = basis(LearnerKind::Logistic, Strategy::Margin);
        assert_eq!(logistic.deciding(&list, 1), Ok(1));
    }

    #[test]
    fn training_pays_for_all_rows_that_it_learns_from() {
        let list = list();
        let price = |basis: Basis, rows| basis.training(&list, rows, rows, 0).unwrap();
        let known = basis(LearnerKind::Logistic, Strategy::Margin);
        let new = Basis {
            rows: 0,
            opinions: 0,
            ..known
        };
        assert_eq!(price(known, 5), price(new, 105));
        let calibrated = Basis {
            calibrated: true,
            ..known
        };
        assert_eq!(price(calibrated, 5), price(new, 5 * 105));
        // Five opinions a row are looked at, even if there are few rows.
        let opinions = Basis {
            opinions: 500,
            ..known
        };
        assert_eq!(price(opinions, 5), price(new, 505));
        let own = Basis {
            learner: LearnerKind::Own,
            ..known
        };
        let without = own.training(&list, 5, 5, 0).unwrap();
        assert!(own.training(&list, 5, 5, 1_000).unwrap() >= without + 9);
    }

    #[test]
    fn query_pays_for_members_and_for_labeled_rows_that_it_compares_with() {
        let list = list();
        let price = |basis: Basis| basis.query(&list, 1_000, 5).unwrap();
        let after = |strategy, rows| {
            price(Basis {
                rows,
                ..basis(LearnerKind::Logistic, strategy)
            })
        };
        let training = |rows| {
            let new = basis(LearnerKind::Logistic, Strategy::Margin);
            let new = Basis {
                rows: 0,
                opinions: 0,
                ..new
            };
            new.training(&list, rows, rows, 0).unwrap()
        };
        let more = after(Strategy::Committee, 200) - after(Strategy::Committee, 100);
        assert_eq!(more, training(1_000) - training(500));
        assert!(after(Strategy::KCenter, 200) > after(Strategy::KCenter, 100));
        assert_eq!(after(Strategy::Margin, 200), after(Strategy::Margin, 100));
        let none = basis(LearnerKind::Logistic, Strategy::Margin);
        assert!(none.query(&list, 0, 5).is_err());
    }
}
