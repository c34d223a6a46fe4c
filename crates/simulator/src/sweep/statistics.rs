//! Quantiles, bootstrap intervals and breaking points.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// How often a bootstrap draws anew.
pub const RESAMPLES: usize = 1_000;

/// The share of an interval or band that lies within it, in percent.
pub const CONFIDENCE_PERCENT: u32 = 90;

/// The seed of every bootstrap: the same sweep gives the same intervals.
const SEED: u64 = 1;

const LOW: f64 = 0.05;
const HIGH: f64 = 0.95;

/// The `share` quantile of values that are sorted, between two of them by linear interpolation
/// (type 7 of Hyndman and Fan, "Sample Quantiles in Statistical Packages", 1996). None of no values.
#[must_use]
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let (below, rest) = place(sorted.len(), share)?;
    let low = sorted[below];
    match sorted.get(below + 1) {
        Some(high) if rest > 0.0 => Some(low + rest * (high - low)),
        _ => Some(low),
    }
}

/// Where a quantile lies: behind which value, and which part of the way to the next.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
fn place(count: usize, share: f64) -> Option<(usize, f64)> {
    // Counts are far below 2^52 and the share is in [0, 1].
    let place = count.checked_sub(1)? as f64 * share;
    Some((place.floor() as usize, place.fract()))
}

/// A median and the 5 % and 95 % quantiles around it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Band {
    /// The 5 % quantile.
    pub low: f64,
    /// The median.
    pub median: f64,
    /// The 95 % quantile.
    pub high: f64,
}

impl Band {
    /// The band that 90 % of the values lie in. None of no values.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_unstable_by(f64::total_cmp);
        Some(Self {
            low: quantile(&values, LOW)?,
            median: quantile(&values, 0.5)?,
            high: quantile(&values, HIGH)?,
        })
    }
}

/// What was found, and the interval that 90 % of the resamples lie in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Of the runs themselves.
    pub value: f64,
    /// The 5 % quantile of the resamples; for a breaking point perhaps below all values
    /// (`f64::NEG_INFINITY`).
    pub low: f64,
    /// The 95 % quantile; for a breaking point perhaps beyond all values (`f64::INFINITY`).
    pub high: f64,
}

impl Estimate {
    /// The percentile interval. Its ends are resamples, the outer ones of the two that a quantile
    /// lies between: between a number and infinity there is nothing.
    fn of(value: f64, mut resamples: Vec<f64>) -> Self {
        resamples.sort_unstable_by(f64::total_cmp);
        let at = |share, outwards: usize| {
            let (below, rest) = place(resamples.len(), share).unwrap_or_default();
            let place = below + if rest > 0.0 { outwards } else { 0 };
            resamples.get(place).copied().unwrap_or(value)
        };
        Self {
            value,
            low: at(LOW, 0),
            high: at(HIGH, 1),
        }
    }
}

/// On which side of a breaking point it is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaks {
    /// At larger values.
    Above,
    /// At smaller values.
    Below,
}

/// Where a median crosses its limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Breaking {
    /// It is below the limit nowhere.
    Nowhere,
    /// It is below the limit at all values.
    Everywhere,
    /// It is below the limit on one side.
    At {
        /// The side.
        side: Breaks,
        /// The value at which the median crosses the limit, by linear interpolation between two
        /// values that were tried: the smallest such value.
        value: f64,
        /// How often the median crosses the limit in all; more than once means that one point does
        /// not tell the whole story.
        crossings: usize,
    },
}

impl Breaking {
    /// Where the line through `points` (value tried, ascending, and median) crosses `limit`. A
    /// median at the limit is not below it.
    #[must_use]
    pub fn of(points: &[(f64, f64)], limit: f64) -> Self {
        let crossings: Vec<_> = points
            .windows(2)
            .filter(|pair| (pair[0].1 < limit) != (pair[1].1 < limit))
            .collect();
        let Some([(x0, y0), (x1, y1)]) = crossings.first().copied() else {
            return match points.first() {
                Some((_, median)) if *median < limit => Self::Everywhere,
                _ => Self::Nowhere,
            };
        };
        Self::At {
            side: if *y0 < limit {
                Breaks::Below
            } else {
                Breaks::Above
            },
            value: x0 + (limit - y0) / (y1 - y0) * (x1 - x0),
            crossings: crossings.len(),
        }
    }

    /// As a number, for an interval: that of the first crossing, where it is one to `side`. Where
    /// it is none, it is as if that crossing were beyond all values that were tried, or below them:
    /// it is the first of them that tells.
    fn number(self, side: Breaks) -> f64 {
        let begins_below = match self {
            Self::At {
                side: its, value, ..
            } if its == side => return value,
            Self::At { side: its, .. } => its == Breaks::Below,
            Self::Everywhere => true,
            Self::Nowhere => false,
        };
        match (begins_below, side) {
            (true, Breaks::Above) | (false, Breaks::Below) => f64::NEG_INFINITY,
            (false, Breaks::Above) | (true, Breaks::Below) => f64::INFINITY,
        }
    }
}

/// A breaking point and its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakingPoint {
    /// Where the medians of the runs cross.
    pub breaking: Breaking,
    /// The interval of the crossing, its ends perhaps infinite: beyond, or below, all values that were
    /// tried. Where nothing crosses, that of a crossing to larger values.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// One value that was tried, and what its runs came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tried {
    /// The value.
    pub value: f64,
    /// How many runs.
    pub runs: usize,
    /// Their median.
    pub median: Estimate,
    /// The share of them below the limit, in [0, 1].
    pub below: Estimate,
}

/// The values that were tried, and the breaking point among them.
#[derive(Debug, Clone, PartialEq)]
pub struct Study {
    /// The values, ascending.
    pub tried: Vec<Tried>,
    /// The breaking point.
    pub point: BreakingPoint,
}

/// Studies where what runs came to falls below `limit`. `samples` are the values that were tried,
/// ascending, each with what its runs came to (at least one). The bootstrap draws, [`RESAMPLES`]
/// times, as many runs of each value as there are, with replacement.
#[must_use]
pub fn study(samples: &[(f64, Vec<f64>)], limit: f64) -> Study {
    let mut chance = ChaCha8Rng::seed_from_u64(SEED);
    let mut medians = vec![Vec::with_capacity(RESAMPLES); samples.len()];
    let mut shares = medians.clone();
    let mut crossings = Vec::with_capacity(RESAMPLES);
    let mut drawn = Vec::new();
    for _ in 0..RESAMPLES {
        let mut points = Vec::with_capacity(samples.len());
        for (place, (value, runs)) in samples.iter().enumerate() {
            drawn.clear();
            drawn.extend(runs.iter().map(|_| runs[draw(&mut chance, runs.len())]));
            shares[place].push(share_below(&drawn, limit));
            let median = median(&mut drawn);
            medians[place].push(median);
            points.push((*value, median));
        }
        crossings.push(Breaking::of(&points, limit));
    }
    let tried = samples.iter().zip(medians).zip(shares);
    let tried: Vec<_> = tried
        .map(|(((value, runs), medians), shares)| Tried {
            value: *value,
            runs: runs.len(),
            median: Estimate::of(median(&mut runs.clone()), medians),
            below: Estimate::of(share_below(runs, limit), shares),
        })
        .collect();
    let points: Vec<_> = tried.iter().map(|it| (it.value, it.median.value)).collect();
    let breaking = Breaking::of(&points, limit);
    let side = match breaking {
        Breaking::At { side, .. } => side,
        Breaking::Nowhere | Breaking::Everywhere => Breaks::Above,
    };
    let numbers = crossings.into_iter().map(|it| it.number(side)).collect();
    let Estimate { low, high, .. } = Estimate::of(breaking.number(side), numbers);
    Study {
        tried,
        point: BreakingPoint {
            breaking,
            low,
            high,
        },
    }
}

/// A place below `count`, which is at least 1.
fn draw(chance: &mut ChaCha8Rng, count: usize) -> usize {
    // Of a width that does not depend on the machine's.
    let place = chance.random_range(0..count as u64);
    usize::try_from(place).unwrap_or_default()
}

#[allow(clippy::cast_precision_loss)]
fn share_below(values: &[f64], limit: f64) -> f64 {
    let below = values.iter().filter(|value| **value < limit).count();
    // Counts are far below 2^52.
    below as f64 / values.len().max(1) as f64
}

/// The median; of no values, not a number. Sorts the values, in part.
fn median(values: &mut [f64]) -> f64 {
    let half = values.len() / 2;
    if values.is_empty() {
        return f64::NAN;
    }
    let odd = values.len() % 2 == 1;
    let (below, middle, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    if odd {
        return *middle;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    lower + 0.5 * (*middle - lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Every figure is exact in binary, or computed in the same order by hand.
    #[allow(clippy::float_cmp)]
    #[test]
    fn quantiles_are_those_of_type_7() {
        let sorted = [1.0, 2.0, 4.0, 8.0, 16.0];
        // (5 - 1) * share: behind the first value (place 0), 0.2 of the way to the second; and so on.
        let of = |share| quantile(&sorted, share).expect("values");
        assert_eq!([of(0.0), of(0.25), of(0.5), of(1.0)], [1.0, 2.0, 4.0, 16.0]);
        assert_eq!(of(0.05), 1.0 + 0.2 * 1.0);
        assert!((of(0.95) - (8.0 + 0.8 * 8.0)).abs() < 1e-12);
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 10.0], 0.5), Some(2.5));
        assert_eq!(quantile(&[7.0], 0.95), Some(7.0));
        assert_eq!(quantile(&[], 0.5), None);
        let band = Band::of(vec![16.0, 1.0, 8.0, 2.0, 4.0]).expect("values");
        assert_eq!((band.low, band.median), (1.2, 4.0));
        assert_eq!(median(&mut [10.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&mut [10.0, 1.0, 3.0]), 3.0);
    }

    #[allow(clippy::float_cmp)]
    #[test]
    fn an_interval_ends_at_resamples_even_where_some_are_infinite() {
        let mut resamples: Vec<_> = (0..1_000).map(f64::from).collect();
        // 999 * 0.05 = 49.95 and 999 * 0.95 = 949.05.
        let of = |resamples: &[f64]| {
            let it = Estimate::of(500.0, resamples.to_vec());
            (it.low, it.high)
        };
        assert_eq!(of(&resamples), (49.0, 950.0));
        resamples[950..].fill(f64::INFINITY);
        assert_eq!(of(&resamples), (49.0, f64::INFINITY));
        resamples[..50].fill(f64::NEG_INFINITY);
        assert_eq!(of(&resamples), (f64::NEG_INFINITY, f64::INFINITY));
    }

    #[test]
    fn the_breaking_point_lies_where_the_line_crosses_the_limit() {
        let at = |side, value, crossings| Breaking::At {
            side,
            value,
            crossings,
        };
        // From 120 at 10 down to 60 at 40: a third of the way to 100.
        let falls = [(0.0, 150.0), (10.0, 120.0), (40.0, 60.0)];
        assert_eq!(Breaking::of(&falls, 100.0), at(Breaks::Above, 20.0, 1));
        let rises = [(1.0, 80.0), (2.0, 90.0), (4.0, 110.0)];
        assert_eq!(Breaking::of(&rises, 100.0), at(Breaks::Below, 3.0, 1));
        let both = [(1.0, 110.0), (2.0, 90.0), (3.0, 110.0)];
        assert_eq!(Breaking::of(&both, 100.0), at(Breaks::Above, 1.5, 2));
        assert_eq!(Breaking::of(&rises, 50.0), Breaking::Nowhere);
        assert_eq!(Breaking::of(&rises, 200.0), Breaking::Everywhere);
        // At the limit is not below it.
        let touches = [(1.0, 100.0), (2.0, 100.0), (3.0, 80.0)];
        assert_eq!(Breaking::of(&touches, 100.0), at(Breaks::Above, 2.0, 1));
    }

    #[allow(clippy::float_cmp)]
    #[test]
    fn runs_that_all_come_to_the_same_leave_no_doubt() {
        let samples = [(10.0, vec![120.0; 5]), (20.0, vec![80.0; 5])];
        let study = study(&samples, 100.0);
        assert_eq!((study.point.low, study.point.high), (15.0, 15.0));
        assert_eq!(study.tried[1].below.value, 1.0);
        assert_eq!(study.tried[0].median.high, 120.0);
    }

    #[test]
    fn the_interval_of_a_median_holds_what_chance_can_do() {
        // Eleven runs, 90 to 110: the median of a resample is one of them, and lies at or below 95
        // in fewer than 1 of 20 resamples (binomial: at least 6 of 11 draws among 6 of 11 values
        // has probability 0.62, among 4 of 11 values 0.14, among 3 of 11 values 0.04).
        let runs: Vec<_> = (0..11).map(|run| 90.0 + 2.0 * f64::from(run)).collect();
        let once = study(&[(1.0, runs.clone())], 100.0);
        let Estimate { value, low, high } = once.tried[0].median;
        assert!((value - 100.0).abs() < 1e-12);
        assert!((low - 96.0).abs() < 2.1 && low >= 94.0, "{low}");
        assert!((high - 104.0).abs() < 2.1 && high <= 106.0, "{high}");
        assert_eq!(once, study(&[(1.0, runs)], 100.0));
    }

    #[test]
    fn a_point_that_may_lie_beyond_the_values_says_so() {
        // At the last value 6 of 11 runs are below the limit: many resamples do not cross.
        let mut last = vec![90.0; 6];
        last.extend([110.0; 5]);
        let study = study(&[(1.0, vec![110.0; 11]), (2.0, last)], 100.0);
        assert!(matches!(
            study.point.breaking,
            Breaking::At {
                side: Breaks::Above,
                ..
            }
        ));
        assert!((study.point.low - 1.5).abs() < 1e-12);
        assert!(study.point.high.is_infinite());
    }
}
