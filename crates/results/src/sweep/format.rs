//! Figures of a sweep as text.

use std::time::Duration;

use cotrain_simulator::sweep::{
    analysis::Point,
    statistics::{Band, Breaking, Breaks, Estimate, Study},
};
use indicatif::HumanFloatCount;

/// Names of the two failures: honest people lose money, or the model falls.
pub(super) const HONEST: &str = "honest people lose";
pub(super) const MODEL: &str = "the model falls";

/// Formats a median and its band.
pub(super) fn band(band: Option<Band>, unit: &str) -> String {
    band.map_or("–".to_owned(), |Band { low, median, high }| {
        format!("{median:.1}{unit} ({low:.1} to {high:.1})")
    })
}

/// Describes the test data of all points: its samples, the most common class and the interval of a
/// run; `None` if the records have no test data.
pub(super) fn tested(points: &[Point]) -> Option<String> {
    let all = || points.iter().filter_map(|point| point.tested.as_ref());
    let span = |bands: &dyn Fn() -> Vec<Band>, show: fn(f64) -> String| {
        let low = bands().iter().map(|it| it.low).min_by(f64::total_cmp);
        let high = bands().iter().map(|it| it.high).max_by(f64::total_cmp);
        let (low, high) = (show(low?), show(high?));
        Some(if low == high {
            low
        } else {
            format!("{low} to {high}")
        })
    };
    let samples = span(&|| all().map(|it| it.samples).collect(), samples)?;
    let majority = span(&|| all().map(|it| it.majority).collect(), |share| {
        format!("{share:.1}")
    })?;
    let widths = all().map(|it| it.interval[1] - it.interval[0]);
    let width = widths.max_by(f64::total_cmp)?;
    Some(format!(
        "{samples} test samples a run, {majority} % of them of the most common class; the 95 % interval of one run is \
         up to {width:.1} points wide"
    ))
}

/// Formats a number of samples, which is a quantile and need not be whole.
fn samples(number: f64) -> String {
    HumanFloatCount(number.round()).to_string()
}

/// Formats the ends of an interval in percent.
pub(super) fn interval([low, high]: [f64; 2]) -> String {
    format!("{low:.1} to {high:.1} %")
}

/// Formats an estimate and its interval.
pub(super) fn estimate(Estimate { value, low, high }: Estimate, unit: &str) -> String {
    format!("{value:.1}{unit} ({low:.1} to {high:.1})")
}

/// Formats a value of a setting with at least four digits, a duration to the minute.
pub(super) fn setting(value: f64, is_duration: bool) -> String {
    if is_duration {
        let seconds = (value * 86_400.0).round().max(0.0);
        let seconds = if seconds >= 3_600.0 {
            (seconds / 60.0).round() * 60.0
        } else {
            seconds
        };
        return humantime::format_duration(Duration::from_secs_f64(seconds)).to_string();
    }
    let decimals = match value.abs() {
        large if large >= 1_000.0 => 0,
        large if large >= 10.0 => 1,
        small if small >= 0.1 => 3,
        _ => 6,
    };
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    };
    match text.parse() {
        Ok(whole) if value.abs() >= 1_000.0 => HumanFloatCount(whole).to_string(),
        _ => text,
    }
}

/// Returns the first and the last value that was tried.
pub(super) fn range(study: &Study) -> (f64, f64) {
    let value = |tried: Option<&cotrain_simulator::sweep::statistics::Tried>| {
        tried.map_or(f64::NAN, |it| it.value)
    };
    (value(study.tried.first()), value(study.tried.last()))
}

/// Describes at which value the failure begins or ends, with its interval.
pub(super) fn breaking(study: &Study, is_duration: bool) -> String {
    let (from, to) = range(study);
    let shown = |value| setting(value, is_duration);
    let end = |value: f64| {
        if value == f64::INFINITY {
            format!("beyond {}", shown(to))
        } else if value == f64::NEG_INFINITY {
            format!("below {}", shown(from))
        } else {
            shown(value)
        }
    };
    let point = study.point;
    match point.breaking {
        Breaking::At {
            side,
            value,
            crossings,
        } => {
            let side = match side {
                Breaks::Above => "above",
                Breaks::Below => "below",
            };
            let again = if crossings > 1 {
                format!("; the medians cross {crossings} times")
            } else {
                String::new()
            };
            format!(
                "{side} {} ({} to {}){again}",
                shown(value),
                end(point.low),
                end(point.high)
            )
        }
        Breaking::Nowhere => {
            let doubt = if point.low.is_finite() {
                format!(" ({} to {})", end(point.low), end(point.high))
            } else {
                String::new()
            };
            format!("nowhere: not reached up to {}{doubt}", shown(to))
        }
        Breaking::Everywhere => {
            let doubt = if point.high.is_finite() {
                format!(" ({} to {})", end(point.low), end(point.high))
            } else {
                String::new()
            };
            format!("everywhere: at {} already{doubt}", shown(from))
        }
    }
}

#[cfg(test)]
mod tests {
    use cotrain_simulator::sweep::statistics::study;

    use super::*;

    #[test]
    fn setting_is_as_exact_as_it_is_useful() {
        let shown =
            [0.0, 0.05, 0.5, 2.0, 12.345, 1_500.0, 1_234_567.8].map(|it| setting(it, false));
        assert_eq!(
            shown,
            ["0", "0.05", "0.5", "2", "12.3", "1,500", "1,234,568"]
        );
        assert_eq!(
            [0.5, 1.25, 0.001].map(|days| setting(days, true)),
            ["12h", "1day 6h", "1m 26s"]
        );
    }

    #[test]
    fn breaking_names_a_breaking_point_with_its_doubts() {
        let all = |values: &[f64]| {
            let pairs = values.iter().zip([1.0, 2.0, 3.0]);
            let samples: Vec<_> = pairs.map(|(it, value)| (value, vec![*it; 3])).collect();
            breaking(&study(&samples, 100.0), false)
        };
        assert_eq!(all(&[110.0, 110.0, 90.0]), "above 2.5 (2.5 to 2.5)");
        assert_eq!(all(&[90.0, 110.0, 110.0]), "below 1.5 (1.5 to 1.5)");
        assert_eq!(
            all(&[110.0, 90.0, 110.0]),
            "above 1.5 (1.5 to 1.5); the medians cross 2 times"
        );
        assert_eq!(all(&[110.0; 3]), "nowhere: not reached up to 3");
        assert_eq!(all(&[90.0; 3]), "everywhere: at 1 already");
        // Two of three runs are below the limit: in many resamples, fewer are.
        let samples = [(1.0, vec![110.0; 3]), (2.0, vec![90.0, 90.0, 110.0])];
        assert_eq!(
            breaking(&study(&samples, 100.0), true),
            "above 1day 12h (1day 12h to beyond 2days)"
        );
    }
}
