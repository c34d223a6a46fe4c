//! Bounds of memory and work of a peer.

/// Bounds of a peer, whatever the number of liars.
///
/// Times are in milliseconds, sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of items.
    pub items: usize,
    /// Maximum size of all items.
    pub bytes: usize,
    /// Maximum number of open links. A further one is closed.
    pub links: usize,
    /// Number of nonces above an author's lowest free one within which items are taken.
    pub pending: u64,
    /// Number of links that are told of a new item.
    pub push: usize,
    /// Maximum number of items that one link is asked for at once.
    pub asked: usize,
    /// Maximum number of ids of one link that wait to be asked for.
    pub offered: usize,
    /// Number of refused ids that are remembered.
    pub refused: usize,
    /// Time after which an item is asked for elsewhere.
    pub patience: u64,
    /// Time between two reconciliations.
    pub reconcile: u64,
    /// Work that one link can cause at once, as bytes moved.
    pub burst: u64,
    /// Work that one link can cause in a second, as bytes moved.
    pub rate: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            items: 1_000_000,
            bytes: 256 << 20,
            links: 64,
            pending: 256,
            push: 4,
            asked: 256,
            offered: 16_384,
            refused: 65_536,
            patience: 10_000,
            reconcile: 30_000,
            burst: 16 << 20,
            rate: 2 << 20,
        }
    }
}

/// Work that a link may still cause. It refills over time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    left: u64,
    filled: u64,
}

impl Bucket {
    pub(crate) fn full(limits: &Limits, now: u64) -> Self {
        Self {
            left: limits.burst,
            filled: now,
        }
    }

    /// Takes an amount. Returns `false`, and takes nothing, if too little is left.
    pub(crate) fn take(&mut self, limits: &Limits, now: u64, amount: u64) -> bool {
        // A clock that goes back adds nothing, and one that leaps fills the bucket at most.
        let passed = now.saturating_sub(self.filled);
        let added = u128::from(passed) * u128::from(limits.rate) / 1_000;
        if added > 0 || now < self.filled {
            let added = u64::try_from(added).unwrap_or(u64::MAX);
            self.left = self.left.saturating_add(added).min(limits.burst);
            self.filled = now;
        }
        let left = self.left.checked_sub(amount);
        if let Some(left) = left {
            self.left = left;
        }
        left.is_some()
    }

    /// Takes an amount that has been spent already.
    pub(crate) fn spend(&mut self, amount: u64) {
        self.left = self.left.saturating_sub(amount);
    }

    /// Returns the amount that is left.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_refills_by_time_and_by_no_leap_beyond_its_size() {
        let limits = Limits {
            burst: 1_000,
            rate: 100,
            ..Limits::default()
        };
        let mut bucket = Bucket::full(&limits, 50_000);
        assert!(bucket.take(&limits, 50_000, 1_000));
        assert!(!bucket.take(&limits, 50_000, 1));
        assert!(!bucket.take(&limits, 50_009, 1));
        assert!(bucket.take(&limits, 50_010, 1));
        assert!(bucket.take(&limits, 51_010, 100));
        // Back by years: nothing is added, and time goes on from there.
        assert!(!bucket.take(&limits, 10, 1));
        assert!(bucket.take(&limits, 1_010, 100));
        assert!(bucket.take(&limits, u64::MAX, 1_000));
        assert!(!bucket.take(&limits, u64::MAX, 1));
    }
}
