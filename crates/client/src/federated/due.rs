//! The next action of a round: anyone may do it, but for the reveal of the test part.

use cotrain_protocol::federated::RoundPhase;

use super::round::Round;

/// Action that moves a round on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Draw a part of the test set, in two calls.
    Draw,
    /// Reveal the drawn part, as its owner.
    RevealTest,
    /// Score samples.
    Score,
    /// Aggregate the admitted updates.
    Aggregate,
    /// Book stakes and rewards.
    Settle,
    /// End a round whose phase is over.
    Fail,
}

impl Action {
    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draw => "draw",
            Self::RevealTest => "reveal the test part",
            Self::Score => "score",
            Self::Aggregate => "aggregate",
            Self::Settle => "settle",
            Self::Fail => "end the round",
        }
    }
}

/// Event that a round waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// The first commitment.
    FirstCommitment,
    /// Further commitments, until this time.
    Commitments(u64),
    /// Authors that reveal, until this time.
    Reveals(u64),
    /// The block at this height, whose hash draws.
    Block(u64),
    /// The owner that reveals the drawn part, until this time.
    Test(u64),
}

/// Next need of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// An action.
    Now(Action),
    /// Nothing that a worker can do yet.
    Later(Wait),
}

/// Returns what a round needs next. `draw` is the block whose hash draws, if it is named, and
/// `has_test_set` is `true` for the owner with its test set.
#[must_use]
pub fn due(round: &Round, draw: Option<u64>, has_test_set: bool) -> Due {
    let is_over = round.deadline != 0 && round.now > round.deadline;
    match round.phase {
        RoundPhase::Open if round.entries.is_empty() => Due::Later(Wait::FirstCommitment),
        RoundPhase::Open => Due::Later(Wait::Commitments(round.deadline)),
        RoundPhase::Reveal => Due::Later(Wait::Reveals(round.deadline)),
        // Nodes may estimate in their latest block, so one block more than the hash needs.
        RoundPhase::Draw => match draw {
            Some(block) if round.head <= block => Due::Later(Wait::Block(block + 1)),
            _ => Due::Now(Action::Draw),
        },
        RoundPhase::Settle => Due::Now(Action::Settle),
        RoundPhase::Test | RoundPhase::Score | RoundPhase::Aggregate if is_over => {
            Due::Now(Action::Fail)
        }
        RoundPhase::Test if has_test_set => Due::Now(Action::RevealTest),
        RoundPhase::Test => Due::Later(Wait::Test(round.deadline)),
        RoundPhase::Score => Due::Now(Action::Score),
        RoundPhase::Aggregate => Due::Now(Action::Aggregate),
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, B256};

    use super::*;
    use crate::federated::Entry;

    fn round(phase: RoundPhase, deadline: u64) -> Round {
        Round {
            number: 0,
            version: 0,
            phase,
            deadline,
            revealed: 0,
            admitted: 0,
            part: 0,
            scored: 0,
            entries: vec![Entry {
                author: Address::ZERO,
                hash: B256::ZERO,
            }],
            parts_left: 1,
            now: 100,
            head: 7,
        }
    }

    #[test]
    fn due_is_the_action_of_the_phase_or_its_end() {
        let of = |phase, deadline| due(&round(phase, deadline), None, false);
        let mut empty = round(RoundPhase::Open, 0);
        empty.entries.clear();
        assert_eq!(due(&empty, None, true), Due::Later(Wait::FirstCommitment));
        assert_eq!(
            of(RoundPhase::Open, 200),
            Due::Later(Wait::Commitments(200))
        );
        assert_eq!(of(RoundPhase::Reveal, 200), Due::Later(Wait::Reveals(200)));
        assert_eq!(of(RoundPhase::Test, 100), Due::Later(Wait::Test(100)));
        let known = due(&round(RoundPhase::Test, 100), None, true);
        assert_eq!(known, Due::Now(Action::RevealTest));
        assert_eq!(of(RoundPhase::Score, 100), Due::Now(Action::Score));
        assert_eq!(of(RoundPhase::Aggregate, 100), Due::Now(Action::Aggregate));
        assert_eq!(of(RoundPhase::Settle, 0), Due::Now(Action::Settle));
        // The contract takes calls until the deadline, and the end after it.
        for phase in [RoundPhase::Test, RoundPhase::Score, RoundPhase::Aggregate] {
            assert_eq!(of(phase, 99), Due::Now(Action::Fail));
            assert_eq!(due(&round(phase, 99), None, true), Due::Now(Action::Fail));
        }
    }

    #[test]
    fn due_waits_for_the_block_that_draws() {
        let drawn = |draw| due(&round(RoundPhase::Draw, 0), draw, true);
        assert_eq!(drawn(None), Due::Now(Action::Draw));
        assert_eq!(drawn(Some(7)), Due::Later(Wait::Block(8)));
        assert_eq!(drawn(Some(6)), Due::Now(Action::Draw));
    }
}
