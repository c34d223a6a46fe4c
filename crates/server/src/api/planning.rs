//! Limits of plans: how large a file may be, and how many are worked on.

use std::sync::Arc;

use cotrain_learning::data::Bounds;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{kinds::Kind, problem::Problem};

/// Room in a body beside the file's hexadecimal digits, in bytes.
const BESIDE: usize = 256 << 10;

/// Maximum number of files that are received at the same time.
const UPLOADS: usize = 4;

/// Ratio of the bytes of an unpacked table to the maximum of those of its file.
const UNPACKED: u64 = 4;

/// Maximum number of columns of a file.
const MAX_COLUMNS: usize = 10_000;

/// Advised wait of a client while another file is worked on, in seconds.
const RETRY: u64 = 3;

/// Returns the maximum size of a body, in bytes: each byte of the file has two digits.
pub(super) fn max_body(max_file: usize) -> usize {
    2 * max_file + BESIDE
}

/// Bounds of plans.
#[derive(Debug)]
pub(super) struct Plans {
    /// Maximum size of a file, in bytes.
    pub(super) max_file: usize,
    /// Permits for receiving a file.
    pub(super) uploads: Semaphore,
    /// The only permit for working on a file.
    work: Arc<Semaphore>,
}

impl Plans {
    /// Returns the bounds for files of a size; `None` if that is 0.
    pub(super) fn new(max_file: usize) -> Option<Self> {
        (max_file > 0).then(|| Self {
            max_file,
            uploads: Semaphore::new(UPLOADS),
            work: Arc::new(Semaphore::new(1)),
        })
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            bytes: UNPACKED * self.max_file as u64,
            numbers: self.max_file,
            columns: MAX_COLUMNS,
        }
    }

    /// Returns the permit to work, which is given back when the work has ended.
    pub(super) fn begin(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.work)
            .try_acquire_owned()
            .map_err(|_| busy())
    }
}

/// Returns the problem of a client that has to wait for others.
pub(super) fn busy() -> Problem {
    let detail = "the coordinator works on other files, of which it takes few at a time; try again";
    Problem::new(&Kind::OVERLOADED, detail).retry_after(RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_is_off_without_bytes_and_begin_allows_one_file_at_a_time() {
        assert!(Plans::new(0).is_none());
        let plans = Plans::new(10).expect("plans");
        assert_eq!(max_body(plans.max_file), 20 + BESIDE);
        let permit = plans.begin().expect("the permit");
        assert_eq!(plans.begin().expect_err("busy").slug(), "overloaded");
        drop(permit);
        assert!(plans.begin().is_ok());
    }
}
