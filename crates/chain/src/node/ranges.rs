//! Width of `eth_getLogs` ranges, learned from a node's answers and refusals.

/// Width of the first range, in blocks.
const FIRST: u64 = 1_000;
/// Maximum width of a range, in blocks.
const WIDEST: u64 = 20_000;
/// Number of logs in one answer above which the next range is narrower.
const MANY_LOGS: usize = 5_000;
/// Number of answers at the ceiling before a wider range is tried again.
///
/// Most refusals are due to a fixed limit, but some depend on the number of logs in the range.
const ANSWERS_TO_RISE: u32 = 64;

/// Adaptive number of blocks for the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ranges {
    width: u64,
    /// Maximum width of a request: narrower than the last refused one.
    ceiling: u64,
    /// Number of answers at the ceiling since it was set.
    answers: u32,
}

impl Default for Ranges {
    fn default() -> Self {
        Self {
            width: FIRST,
            ceiling: WIDEST,
            answers: 0,
        }
    }
}

impl Ranges {
    /// Returns the number of blocks for the next request, at least 1.
    pub(super) fn width(&self) -> u64 {
        self.width
    }

    /// Halves the width after the node refused a range of `blocks`.
    pub(super) fn refused(&mut self, blocks: u64) {
        let half = (blocks / 2).max(1);
        self.ceiling = self.ceiling.min(half);
        self.width = self.width.min(half);
        self.answers = 0;
    }

    /// Halves the width after a wrong answer for `blocks`, or after none in time.
    ///
    /// The ceiling stays, because a width that worked before may work again.
    pub(super) fn narrow(&mut self, blocks: u64) {
        self.width = self.width.min((blocks / 2).max(1));
    }

    /// Widens the range after `logs` logs came for `blocks` blocks.
    pub(super) fn answered(&mut self, blocks: u64, logs: usize) {
        if blocks < self.width {
            // The chain ended before the range did, so the answer tells nothing about wider ranges.
            return;
        }
        if logs > MANY_LOGS {
            self.width = (self.width / 2).max(1);
            return;
        }
        if blocks >= self.ceiling && self.ceiling < WIDEST {
            self.answers += 1;
            if self.answers >= ANSWERS_TO_RISE {
                self.answers = 0;
                self.ceiling = (2 * self.ceiling).min(WIDEST);
            }
        }
        self.width = (2 * self.width).min(self.ceiling);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts the requests that a node refuses while a follower reads `blocks`.
    fn refusals(limit: u64, blocks: u64) -> u32 {
        let (mut ranges, mut read, mut refused) = (Ranges::default(), 0, 0);
        while read < blocks {
            let width = ranges.width();
            if width > limit {
                ranges.refused(width);
                refused += 1;
            } else {
                ranges.answered(width, 0);
                read += width;
            }
        }
        refused
    }

    #[test]
    fn ranges_remember_a_limit() {
        for limit in [1, 49, 50, 100, 200, 1_024, 2_000, 10_000] {
            let answers = 1_000;
            let seen = refusals(limit, limit * answers);
            assert!(
                seen <= 10 + 1_000 / ANSWERS_TO_RISE * 2,
                "limit {limit}: {seen} refusals"
            );
        }
        assert_eq!(refusals(WIDEST, 1_000_000), 0);
    }

    #[test]
    fn answered_narrows_a_range_for_many_logs_and_widens_it_for_few() {
        let mut ranges = Ranges::default();
        ranges.answered(FIRST, MANY_LOGS + 1);
        assert_eq!(ranges.width(), FIRST / 2);
        ranges.answered(FIRST / 2, 0);
        assert_eq!(ranges.width(), FIRST);
        // A shorter answer at the chain's end changes nothing.
        ranges.answered(3, 0);
        assert_eq!(ranges.width(), FIRST);
        ranges.narrow(FIRST);
        assert_eq!(ranges.width(), FIRST / 2);
        ranges.refused(1);
        assert_eq!(ranges.width(), 1);
    }
}
