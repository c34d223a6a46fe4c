//! Calls of a prediction market, and decoders of its answers.
//!
//! Calls that markets share with trainers are in the crate's root:
//! [`contribute`](crate::contribute), and of [`state`](crate::state) `owner`, `classifier`,
//! `contribution_count`, `root` and `price`.

pub mod events;

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::SolCall;
use cotrain_protocol::market::{Contributions, Participant, Phase, Progress, Stage};

use crate::{
    contracts::PredictionMarket::{
        accountCall, collectCall, collectRemainderCall, commitCall, drawCall, drawnPartCall,
        forfeitCall, partCall, progressCall, restartCall, revealCall, scoreCall, settleCall,
    },
    read_number,
};

/// Returns the calldata of `commit`. The value sent with it is the bounty.
///
/// [`commitment`](cotrain_protocol::market::commitment) computes each commitment.
#[must_use]
pub fn commit(commitments: &[B256]) -> Vec<u8> {
    commitCall {
        commitments: commitments.to_vec(),
    }
    .abi_encode()
}

/// Returns the calldata of `draw`.
#[must_use]
pub fn draw() -> Vec<u8> {
    drawCall {}.abi_encode()
}

/// Returns the calldata of `reveal` for a part, with the salt of its commitment.
#[must_use]
pub fn reveal(part: u64, salt: B256, items: &[u8]) -> Vec<u8> {
    revealCall {
        index: U256::from(part),
        salt,
        items: Bytes::copy_from_slice(items),
    }
    .abi_encode()
}

/// Returns the calldata of `forfeit`.
#[must_use]
pub fn forfeit() -> Vec<u8> {
    forfeitCall {}.abi_encode()
}

/// Returns the calldata of `restart`, which copies at most `words` words.
#[must_use]
pub fn restart(words: u64) -> Vec<u8> {
    restartCall {
        words: U256::from(words),
    }
    .abi_encode()
}

/// Returns the calldata of `score`, with the contributions from the cursor on.
///
/// `samples` is the maximum number of samples to evaluate.
#[must_use]
pub fn score(records: &[Contributions], samples: u64) -> Vec<u8> {
    scoreCall {
        records: records.iter().flat_map(Contributions::encode).collect(),
        max: U256::from(samples),
    }
    .abi_encode()
}

/// Returns the calldata of `settle`, which visits participants at most `max` times.
#[must_use]
pub fn settle(max: u64) -> Vec<u8> {
    settleCall {
        max: U256::from(max),
    }
    .abi_encode()
}

/// Returns the calldata of `collect`.
#[must_use]
pub fn collect() -> Vec<u8> {
    collectCall {}.abi_encode()
}

/// Returns the calldata of `collectRemainder`.
#[must_use]
pub fn collect_remainder() -> Vec<u8> {
    collectRemainderCall {}.abi_encode()
}

/// Decodes the answer to [`state::phase`].
#[must_use]
pub fn read_phase(output: &[u8]) -> Option<Phase> {
    phase(read_number(output)?.try_into().ok()?)
}

/// Decodes the answer to [`state::progress`], with the address of the pass's model.
///
/// The inner address is `None` before the first pass.
#[must_use]
pub fn read_progress(output: &[u8]) -> Option<(Progress, Option<Address>)> {
    let progress = progressCall::abi_decode_returns(output).ok()?;
    let some = |address: Address| (!address.is_zero()).then_some(address);
    let read = Progress {
        stage: stage(progress.stage)?,
        pass: progress.pass.try_into().ok()?,
        copied: progress.copied.try_into().ok()?,
        cursor: progress.cursor.try_into().ok()?,
        run_author: some(progress.runAuthor),
        taught: progress.taught,
        evaluated: progress.evaluated.try_into().ok()?,
        counted: progress.counted.try_into().ok()?,
        correct: progress.correct.try_into().ok()?,
        participant_index: progress.participantIndex.try_into().ok()?,
        pot: progress.pot.try_into().ok()?,
    };
    Some((read, some(progress.model)))
}

/// Decodes the answer to [`state::account`].
#[must_use]
pub fn read_account(output: &[u8]) -> Option<Participant> {
    let account = accountCall::abi_decode_returns(output).ok()?;
    Some(Participant {
        balance: account.balance,
        contributions: account.contributions.into(),
        score: account.score,
        removed: account.removed,
        collected: account.collected,
    })
}

/// Decodes the answer to [`state::part`]. The bytes are empty unless the part is revealed.
#[must_use]
pub fn read_part(output: &[u8]) -> Option<Bytes> {
    partCall::abi_decode_returns(output).ok()
}

/// Decodes the answer to [`state::drawn_part`]. The inner index is `None` before the draw.
#[must_use]
pub fn read_drawn_part(output: &[u8]) -> Option<Option<u64>> {
    let answer = drawnPartCall::abi_decode_returns(output).ok()?;
    let part = answer.index.try_into().ok()?;
    Some(answer.drawn.then_some(part))
}

pub(crate) fn phase(number: u8) -> Option<Phase> {
    Some(match number {
        0 => Phase::Created,
        1 => Phase::Committed,
        2 => Phase::Open,
        3 => Phase::Revealing,
        4 => Phase::Scoring,
        5 => Phase::Settled,
        6 => Phase::Failed,
        7 => Phase::Forfeited,
        _ => return None,
    })
}

pub(crate) fn stage(number: u8) -> Option<Stage> {
    Some(match number {
        0 => Stage::Copying,
        1 => Stage::Teaching,
        2 => Stage::Finding,
        3 => Stage::Paying,
        _ => return None,
    })
}

/// Calldata that reads a market's state and parameters.
///
/// Each answer is one number ([`read_number`]), unless its function names another decoder.
pub mod state {
    use alloy_primitives::{Address, U256};
    use alloy_sol_types::SolCall;

    use crate::contracts::PredictionMarket::{
        accountCall, bountyCall, closingTimeCall, collectableCall, commitmentCall,
        committedBlockCall, committedTimeCall, drawnPartCall, initialCorrectCall, modelCall,
        partCall, partCountCall, participantCountCall, participantsCall, phaseCall, progressCall,
        remainderCall, remainingBountyCall, revealedCountCall, samplesCall, scoringTimeCall,
    };

    /// Returns the calldata that reads the phase. [`read_phase`](super::read_phase) decodes the
    /// answer.
    #[must_use]
    pub fn phase() -> Vec<u8> {
        phaseCall {}.abi_encode()
    }

    /// Returns the calldata that reads the progress of the scoring.
    ///
    /// [`read_progress`](super::read_progress) decodes the answer.
    #[must_use]
    pub fn progress() -> Vec<u8> {
        progressCall {}.abi_encode()
    }

    /// Returns the calldata that reads the state of a participant.
    ///
    /// [`read_account`](super::read_account) decodes the answer.
    #[must_use]
    pub fn account(author: Address) -> Vec<u8> {
        accountCall { author }.abi_encode()
    }

    /// Returns the calldata that reads the amount that an account can collect now, in wei.
    #[must_use]
    pub fn collectable(author: Address) -> Vec<u8> {
        collectableCall { author }.abi_encode()
    }

    /// Returns the calldata that reads the amount that the owner can collect now, in wei.
    #[must_use]
    pub fn remainder() -> Vec<u8> {
        remainderCall {}.abi_encode()
    }

    /// Returns the calldata that reads the participant at an index.
    ///
    /// [`read_address`](crate::read_address) decodes the answer.
    #[must_use]
    pub fn participant(index: u64) -> Vec<u8> {
        participantsCall {
            index: U256::from(index),
        }
        .abi_encode()
    }

    /// Returns the calldata that reads the number of participants, including removed ones.
    #[must_use]
    pub fn participant_count() -> Vec<u8> {
        participantCountCall {}.abi_encode()
    }

    /// Returns the calldata that reads the number of parts of the test set; 0 before the
    /// commitments.
    #[must_use]
    pub fn part_count() -> Vec<u8> {
        partCountCall {}.abi_encode()
    }

    /// Returns the calldata that reads the owner's commitment to a part.
    #[must_use]
    pub fn commitment(part: u64) -> Vec<u8> {
        commitmentCall {
            part: U256::from(part),
        }
        .abi_encode()
    }

    /// Returns the calldata that reads the items of a part. [`read_part`](super::read_part) decodes
    /// the answer.
    #[must_use]
    pub fn part(index: u64) -> Vec<u8> {
        partCall {
            index: U256::from(index),
        }
        .abi_encode()
    }

    /// Returns the calldata that reads the part that contributors test with.
    ///
    /// [`read_drawn_part`](super::read_drawn_part) decodes the answer.
    #[must_use]
    pub fn drawn_part() -> Vec<u8> {
        drawnPartCall {}.abi_encode()
    }

    /// Returns the calldata that reads the number of revealed parts.
    #[must_use]
    pub fn revealed_count() -> Vec<u8> {
        revealedCountCall {}.abi_encode()
    }

    /// Returns the calldata that reads the number of samples of all revealed parts except the drawn
    /// one.
    #[must_use]
    pub fn samples() -> Vec<u8> {
        samplesCall {}.abi_encode()
    }

    /// Returns the calldata that reads how many of these samples the initial model predicts right.
    #[must_use]
    pub fn initial_correct() -> Vec<u8> {
        initialCorrectCall {}.abi_encode()
    }

    /// Returns the calldata that reads the money locked for the participants, in wei.
    #[must_use]
    pub fn bounty() -> Vec<u8> {
        bountyCall {}.abi_encode()
    }

    /// Returns the calldata that reads the part of the bounty that later passes can still use, in
    /// wei.
    #[must_use]
    pub fn remaining_bounty() -> Vec<u8> {
        remainingBountyCall {}.abi_encode()
    }

    /// Returns the calldata that reads the number of the block of the commitments; 0 before them.
    #[must_use]
    pub fn committed_block() -> Vec<u8> {
        committedBlockCall {}.abi_encode()
    }

    /// Returns the calldata that reads the time of the commitments, in Unix seconds; 0 before them.
    #[must_use]
    pub fn committed_time() -> Vec<u8> {
        committedTimeCall {}.abi_encode()
    }

    /// Returns the calldata that reads the closing time, in Unix seconds; 0 before the market
    /// opens.
    ///
    /// It is the first second in which nobody can contribute.
    #[must_use]
    pub fn closing_time() -> Vec<u8> {
        closingTimeCall {}.abi_encode()
    }

    /// Returns the calldata that reads the time of the last reveal, in Unix seconds; 0 before it.
    #[must_use]
    pub fn scoring_time() -> Vec<u8> {
        scoringTimeCall {}.abi_encode()
    }

    /// Returns the calldata that reads the model of the last pass that has begun; zero before the
    /// first pass.
    ///
    /// [`read_address`](crate::read_address) decodes the answer.
    #[must_use]
    pub fn model() -> Vec<u8> {
        modelCall {}.abi_encode()
    }
}
