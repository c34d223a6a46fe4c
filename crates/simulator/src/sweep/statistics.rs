//! Quantiles, bootstrap intervals and breaking points.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// Number of resamples of a bootstrap.
pub const RESAMPLES: usize = 1_000;

/// Share of values within an interval or band, in percent.
pub const CONFIDENCE_PERCENT: u32 = 90;

/// Seed of every bootstrap, so that the same sweep gives the same intervals.
const SEED: u64 = 1;

const LOW: f64 = 0.05;
const HIGH: f64 = 0.95;

/// Returns the `share` quantile of sorted values, by linear interpolation (type 7 of Hyndman and
/// Fan, "Sample Quantiles in Statistical Packages", 1996). Returns `None` if there are no values.
#[must_use]
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let (below, rest) = rank(sorted.len(), share)?;
    let low = sorted[below];
    match sorted.get(below + 1) {
        Some(high) if rest > 0.0 => Some(low + rest * (high - low)),
        _ => Some(low),
    }
}

/// Returns the index of the value below a quantile, and the fraction of the way to the next value.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
fn rank(count: usize, share: f64) -> Option<(usize, f64)> {
    // Counts are far below 2^52, and the share is in [0, 1].
    let rank = count.checked_sub(1)? as f64 * share;
    Some((rank.floor() as usize, rank.fract()))
}

/// Median with the 5 % and 95 % quantiles.
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
    /// Returns the band that holds 90 % of the values; `None` if there are no values.
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

/// Estimate with the interval that holds 90 % of the resamples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Estimate from the runs themselves.
    pub value: f64,
    /// The 5 % quantile of the resamples. For a breaking point it may be `f64::NEG_INFINITY`, below
    /// all values.
    pub low: f64,
    /// The 95 % quantile. For a breaking point it may be `f64::INFINITY`, beyond all values.
    pub high: f64,
}

impl Estimate {
    /// Returns the percentile interval. Its ends are resamples: of the two around a quantile, the
    /// outer one. There is no interpolation between a number and infinity.
    fn of(value: f64, mut resamples: Vec<f64>) -> Self {
        resamples.sort_unstable_by(f64::total_cmp);
        let at = |share, outwards: usize| {
            let (below, rest) = rank(resamples.len(), share).unwrap_or_default();
            let rank = below + if rest > 0.0 { outwards } else { 0 };
            resamples.get(rank).copied().unwrap_or(value)
        };
        Self {
            value,
            low: at(LOW, 0),
            high: at(HIGH, 1),
        }
    }
}

/// Side of a breaking point on which the median is below the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaks {
    /// Larger values break.
    Above,
    /// Smaller values break.
    Below,
}

/// Crossing of a median with its limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Breaking {
    /// The median is below the limit at no value.
    Nowhere,
    /// The median is below the limit at all values.
    Everywhere,
    /// The median is below the limit on one side.
    At {
        /// Side on which it is below.
        side: Breaks,
        /// Smallest value at which the median crosses the limit, interpolated linearly between two
        /// tried values.
        value: f64,
        /// Number of crossings. If there are several, one value does not tell the whole story.
        crossings: usize,
    },
}

impl Breaking {
    /// Finds the crossing of `limit` with the line through `points` (tried value, ascending, and
    /// median). A median at the limit is not below it.
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

    /// Returns the first crossing as a number for an interval, if it breaks to `side`. Otherwise
    /// returns an infinity, as if that crossing were beyond all tried values, or below them. The
    /// first value decides which.
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

/// Breaking point with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakingPoint {
    /// Crossing of the runs' medians.
    pub breaking: Breaking,
    /// Lower end of the crossing's interval; infinite if beyond, or below, all tried values. If
    /// nothing crosses, the interval is that of a crossing to larger values.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// Tried value with the outcomes of its runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tried {
    /// Value of the setting.
    pub value: f64,
    /// Number of runs.
    pub runs: usize,
    /// Median of the runs.
    pub median: Estimate,
    /// Share of runs below the limit, in [0, 1].
    pub below: Estimate,
}

/// Tried values with their breaking point.
#[derive(Debug, Clone, PartialEq)]
pub struct Study {
    /// Tried values, ascending.
    pub tried: Vec<Tried>,
    /// Breaking point among them.
    pub point: BreakingPoint,
}

/// Finds where the runs' outcomes fall below `limit`. `samples` are the tried values, ascending,
/// each with the outcomes of its runs (at least one). The bootstrap resamples the n runs of each
/// value with replacement, n at a time, [`RESAMPLES`] times.
#[must_use]
pub fn study(samples: &[(f64, Vec<f64>)], limit: f64) -> Study {
    let mut chance = ChaCha8Rng::seed_from_u64(SEED);
    let mut medians = vec![Vec::with_capacity(RESAMPLES); samples.len()];
    let mut shares = medians.clone();
    let mut crossings = Vec::with_capacity(RESAMPLES);
    let mut drawn = Vec::new();
    for _ in 0..RESAMPLES {
        let mut points = Vec::with_capacity(samples.len());
        for (rank, (value, runs)) in samples.iter().enumerate() {
            drawn.clear();
            drawn.extend(runs.iter().map(|_| runs[draw(&mut chance, runs.len())]));
            shares[rank].push(share_below(&drawn, limit));
            let median = median(&mut drawn);
            medians[rank].push(median);
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

/// Draws an index below `count`, which is at least 1.
fn draw(chance: &mut ChaCha8Rng, count: usize) -> usize {
    // The drawn type has the same width on every machine.
    let rank = chance.random_range(0..count as u64);
    usize::try_from(rank).unwrap_or_default()
}

#[allow(clippy::cast_precision_loss)]
fn share_below(values: &[f64], limit: f64) -> f64 {
    let below = values.iter().filter(|value| **value < limit).count();
    // Counts are far below 2^52.
    below as f64 / values.len().max(1) as f64
}

/// Returns the median, or NaN if there are no values. Sorts the values in part.
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

    // Every figure is exact in binary, or computed by hand in the same order.
    #[allow(clippy::float_cmp)]
    #[test]
    fn quantile_is_that_of_type_7() {
        let sorted = [1.0, 2.0, 4.0, 8.0, 16.0];
        // (5 - 1) * share = 0.2: after the first value (index 0), 0.2 of the way to the second; and
        // so on.
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
    fn estimate_ends_at_resamples_even_if_some_are_infinite() {
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
    fn breaking_is_at_the_point_where_the_line_crosses_the_limit() {
        let at = |side, value, crossings| Breaking::At {
            side,
            value,
            crossings,
        };
        // From 120 at 10 down to 60 at 40, the line crosses 100 after a third of the way.
        let falls = [(0.0, 150.0), (10.0, 120.0), (40.0, 60.0)];
        assert_eq!(Breaking::of(&falls, 100.0), at(Breaks::Above, 20.0, 1));
        let rises = [(1.0, 80.0), (2.0, 90.0), (4.0, 110.0)];
        assert_eq!(Breaking::of(&rises, 100.0), at(Breaks::Below, 3.0, 1));
        let both = [(1.0, 110.0), (2.0, 90.0), (3.0, 110.0)];
        assert_eq!(Breaking::of(&both, 100.0), at(Breaks::Above, 1.5, 2));
        assert_eq!(Breaking::of(&rises, 50.0), Breaking::Nowhere);
        assert_eq!(Breaking::of(&rises, 200.0), Breaking::Everywhere);
        // A value at the limit is not below it.
        let touches = [(1.0, 100.0), (2.0, 100.0), (3.0, 80.0)];
        assert_eq!(Breaking::of(&touches, 100.0), at(Breaks::Above, 2.0, 1));
    }

    #[allow(clippy::float_cmp)]
    #[test]
    fn study_leaves_no_doubt_if_all_runs_come_to_the_same() {
        let samples = [(10.0, vec![120.0; 5]), (20.0, vec![80.0; 5])];
        let study = study(&samples, 100.0);
        assert_eq!((study.point.low, study.point.high), (15.0, 15.0));
        assert_eq!(study.tried[1].below.value, 1.0);
        assert_eq!(study.tried[0].median.high, 120.0);
    }

    #[test]
    fn study_has_an_interval_of_a_median_that_holds_what_chance_can_do() {
        // Eleven runs, 90 to 110: the median of a resample is one of them. It lies at or below 95
        // in fewer than 1 of 20 resamples. (At least 6 of 11 draws fall among 6 of 11 values with
        // probability 0.62, among 4 values with 0.14, among 3 values with 0.04.)
        let runs: Vec<_> = (0..11).map(|run| 90.0 + 2.0 * f64::from(run)).collect();
        let once = study(&[(1.0, runs.clone())], 100.0);
        let Estimate { value, low, high } = once.tried[0].median;
        assert!((value - 100.0).abs() < 1e-12);
        assert!((low - 96.0).abs() < 2.1 && low >= 94.0, "{low}");
        assert!((high - 104.0).abs() < 2.1 && high <= 106.0, "{high}");
        assert_eq!(once, study(&[(1.0, runs)], 100.0));
    }

    #[test]
    fn study_says_that_a_point_may_lie_beyond_the_values() {
        // At the last value 6 of 11 runs are below the limit, so many resamples do not cross.
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
