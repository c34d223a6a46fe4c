//! Waits of services: between failing attempts, and until the services have to stop.

use std::time::Duration;

use tokio::time;
use tokio_util::sync::CancellationToken;

/// First wait, unless the caller sets another one.
const FIRST: Duration = Duration::from_millis(500);

/// Longest wait.
const LONGEST: Duration = Duration::from_secs(30);

/// Waits between failures in a row: each is twice the one before, up to 30 seconds.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    next: Duration,
}

impl Default for Backoff {
    /// Returns waits that begin with half a second.
    fn default() -> Self {
        Self::up_from(FIRST)
    }
}

impl Backoff {
    /// Returns waits that begin with `first`, or with half a second if that is shorter.
    #[must_use]
    pub fn at_most_from(first: Duration) -> Self {
        Self::up_from(first.min(FIRST))
    }

    fn up_from(first: Duration) -> Self {
        Self { first, next: first }
    }

    /// Returns the wait after a failure, and doubles the next one.
    pub fn failed(&mut self) -> Duration {
        let wait = self.next;
        self.next = (2 * wait).min(LONGEST);
        wait
    }

    /// Returns the longest wait, for a failure that will not pass soon.
    pub fn failed_for_long(&mut self) -> Duration {
        self.next = LONGEST;
        LONGEST
    }

    /// Resets the waits after a success.
    pub fn succeeded(&mut self) {
        self.next = self.first;
    }
}

/// Waits for a duration, or until `stop`.
pub async fn pause(duration: Duration, stop: &CancellationToken) {
    let _ = time::timeout(duration, stop.cancelled()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_the_longest_wait_and_begins_anew() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..8).map(|_| backoff.failed().as_millis()).collect();
        assert_eq!(
            waits,
            [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]
        );
        backoff.succeeded();
        assert_eq!(backoff.failed(), FIRST);
        assert_eq!(backoff.failed_for_long(), LONGEST);
        assert_eq!(backoff.failed(), LONGEST);
        let quick = Duration::from_millis(100);
        assert_eq!(Backoff::at_most_from(quick).failed(), quick);
        assert_eq!(Backoff::at_most_from(LONGEST).failed(), FIRST);
    }

    #[tokio::test]
    async fn pause_ends_at_once_if_it_is_stopped() {
        let stop = CancellationToken::new();
        stop.cancel();
        let paused = time::timeout(Duration::from_secs(10), pause(LONGEST, &stop));
        paused.await.expect("it ends at once");
    }
}
