//! Values that begin anew with each day.

/// Seconds of a day.
pub(super) const DAY: u64 = 86_400;

/// Value of a day of UTC.
#[derive(Debug, Default)]
pub(super) struct Today<T> {
    day: u64,
    value: T,
}

impl<T> Today<T> {
    /// Creates the value of a day that is long over.
    pub(super) fn new(value: T) -> Self {
        Self { day: 0, value }
    }

    /// Returns the value of the day of a Unix time in seconds. A new day begins with `fresh`.
    pub(super) fn at(&mut self, time: u64, fresh: impl FnOnce() -> T) -> &mut T {
        let day = time / DAY;
        if day != self.day {
            *self = Self {
                day,
                value: fresh(),
            };
        }
        &mut self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn today_keeps_its_value_until_the_day_ends() {
        let mut count = Today::new(9);
        *count.at(5 * DAY, || 0) += 1;
        *count.at(6 * DAY - 1, || 0) += 1;
        assert_eq!(*count.at(6 * DAY - 1, || 0), 2);
        assert_eq!(*count.at(6 * DAY, || 0), 0);
    }
}
