//! Deadlines of a market: the last second of each phase that time ends, and the blocks in which a part can be drawn.

use super::{Market, Phase};

/// Blocks after that of the commitments until the draw, which takes the hash of the first of them.
const BLOCKS_BEFORE_DRAW: u64 = 2;
/// Number of latest blocks whose hashes a contract can see.
const VISIBLE_BLOCKS: u64 = 256;

/// Reason why a market that is committed to can never open: its bounty can only be burned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// No part was drawn while the hash that decides was visible.
    #[error("the part had to be drawn until block {latest}")]
    NotDrawn {
        /// Height of the last block in which the draw succeeded.
        latest: u64,
    },
    /// The drawn part was not revealed in time.
    #[error("the drawn part had to be revealed until {latest} s after 1970")]
    NotRevealed {
        /// Last second for it, in Unix seconds.
        latest: u64,
    },
}

impl Market {
    /// Returns the last second, in Unix seconds, in which what the phase at `now` waits for can be done; `None` if the phase
    /// has no end by time.
    ///
    /// A second later the market is in another phase, or, if it is committed to, [`lost`](Self::lost).
    #[must_use]
    pub fn deadline(&self, now: u64) -> Option<u64> {
        match self.phase(now) {
            Phase::Committed | Phase::Revealing => self.reveal_deadline(),
            // The closing is the first second in which nobody can contribute any more.
            Phase::Open => self.closing_time()?.checked_sub(1),
            Phase::Scoring => self.scoring_deadline(),
            Phase::Created | Phase::Settled | Phase::Failed | Phase::Forfeited => None,
        }
    }

    /// Returns the height of the first block in which the draw succeeds; `None` before the commitments.
    #[must_use]
    pub fn earliest_draw(&self) -> Option<u64> {
        let is_committed = !self.commitments().is_empty();
        is_committed.then(|| self.committed_block() + BLOCKS_BEFORE_DRAW)
    }

    /// Returns the height of the last block in which the draw succeeds; `None` before the commitments.
    #[must_use]
    pub fn latest_draw(&self) -> Option<u64> {
        Some(self.earliest_draw()? - 1 + VISIBLE_BLOCKS)
    }

    /// Returns why a market that is committed to can never open, if it cannot. `now` and `block` are time, in Unix seconds,
    /// and height of the block that comes next.
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
