//! Deadlines of a market: the last second of each phase that time ends, and the blocks in which the
//! draw works.

use super::{Market, Phase};

/// Number of blocks from the commitments to the draw. The draw takes the hash of the first block
/// after the commitments.
const BLOCKS_BEFORE_DRAW: u64 = 2;
/// Number of latest blocks whose hashes a contract can read.
const VISIBLE_BLOCKS: u64 = 256;

/// Reason why a committed market can never open. Its bounty can only be burned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Nobody drew a part while the deciding hash was visible.
    #[error("the part had to be drawn until block {latest}")]
    NotDrawn {
        /// Height of the last block in which the draw worked.
        latest: u64,
    },
    /// The provider did not reveal the drawn part in time.
    #[error("the drawn part had to be revealed until {latest} s after 1970")]
    NotRevealed {
        /// Last second for the reveal, in Unix seconds.
        latest: u64,
    },
}

impl Market {
    /// Returns the last second of the phase at `now`, in Unix seconds; `None` if time does not end
    /// the phase.
    ///
    /// A second later the market is in another phase. A committed market is then
    /// [`lost`](Self::lost).
    #[must_use]
    pub fn deadline(&self, now: u64) -> Option<u64> {
        match self.phase(now) {
            Phase::Committed | Phase::Revealing => self.reveal_deadline(),
            // The closing time is the first second in which nobody can contribute.
            Phase::Open => self.closing_time()?.checked_sub(1),
            Phase::Scoring => self.scoring_deadline(),
            Phase::Created | Phase::Settled | Phase::Failed | Phase::Forfeited => None,
        }
    }

    /// Returns the height of the first block in which the draw works; `None` before the
    /// commitments.
    #[must_use]
    pub fn earliest_draw(&self) -> Option<u64> {
        let is_committed = !self.commitments().is_empty();
        is_committed.then(|| self.committed_block() + BLOCKS_BEFORE_DRAW)
    }

    /// Returns the height of the last block in which the draw works; `None` before the commitments.
    #[must_use]
    pub fn latest_draw(&self) -> Option<u64> {
        Some(self.earliest_draw()? - 1 + VISIBLE_BLOCKS)
    }

    /// Returns the reason why a committed market can never open, or `None` if it can.
    ///
    /// `now` and `block` are the time (Unix seconds) and the height of the next block.
    #[must_use]
    pub fn lost(&self, now: u64, block: u64) -> Option<Lost> {
        if self.phase(now) != Phase::Committed {
            return None;
        }
        let undrawn = self.latest_draw().filter(|_| self.drawn_part().is_none());
        if let Some(latest) = undrawn.filter(|latest| block > *latest) {
            return Some(Lost::NotDrawn { latest });
        }
        let latest = self.reveal_deadline().filter(|latest| now > *latest)?;
        Some(Lost::NotRevealed { latest })
    }
}
