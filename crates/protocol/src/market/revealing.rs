//! The test set. The owner commits to its parts.
//! One part is drawn and revealed for contributors to test with. The others are revealed after the
//! contributions.

use alloy_primitives::{Address, B256, U256, keccak256};

use super::{
    Committed, Market, Phase,
    part::{MAX_BYTES, Part, commitment},
};
use crate::{ContractError, sample::parse_batch};

/// Size of the bounty in wei, in bits.
const BOUNTY_BITS: u32 = 96;
const LEAST_PARTS: usize = 2;
const MAX_PARTS: usize = 256;

/// Counts of a part that was revealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revealed {
    /// Number of its samples.
    pub samples: u64,
    /// Number of its samples that the initial model predicts right.
    pub correct: u64,
}

impl Market {
    /// Commits to a test set and locks `value` wei as the bounty. `block` is the number of the
    /// current block.
    ///
    /// [`commitment`] computes the commitment to a part.
    ///
    /// # Errors
    /// [`ContractError::NotOwner`]; [`ContractError::WrongPhase`]; [`ContractError::InvalidParameter`] unless
    /// there are 2 to 256 parts and the bounty is above 0 and below 2^96;
    /// [`ContractError::ModelNotClosedForMarket`].
    pub fn commit(
        &mut self,
        caller: Address,
        now: u64,
        block: u64,
        value: u128,
        commitments: &[B256],
    ) -> Result<(), ContractError> {
        self.require_owner(caller)?;
        self.require_phase(now, Phase::Created)?;
        let parts = commitments.len();
        if !(LEAST_PARTS..=MAX_PARTS).contains(&parts) {
            return Err(ContractError::InvalidParameter {
                name: "parts",
                value: parts as u128,
            });
        }
        if value == 0 || value >> BOUNTY_BITS != 0 {
            return Err(ContractError::InvalidParameter {
                name: "bounty",
                value,
            });
        }
        if self.initial.trainer() != Some(self.address) {
            return Err(ContractError::ModelNotClosedForMarket {
                classifier: self.classifier,
                trainer: self.initial.trainer().unwrap_or_default(),
            });
        }
        self.committed = Committed {
            commitments: commitments.to_vec(),
            block,
            time: now,
        };
        self.parts = vec![None; parts];
        self.bounty = value;
        self.remaining = value;
        self.held += value;
        Ok(())
    }

    /// Draws the part that contributors get to test with, and returns its index.
    ///
    /// `block` is the number of the current block. `hash` is the hash of the first block after the
    /// commitments.
    ///
    /// # Errors
    /// [`ContractError::WrongPhase`], [`ContractError::AlreadyDrawn`]; [`ContractError::TooEarlyToDraw`] while
    /// that block is not complete; [`ContractError::TooLateToDraw`] if it is more than 256 blocks ago.
    pub fn draw(&mut self, now: u64, block: u64, hash: B256) -> Result<usize, ContractError> {
        self.require_phase(now, Phase::Committed)?;
        if let Some(part) = self.drawn {
            return Err(ContractError::AlreadyDrawn { part: part as u64 });
        }
        if let Some(earliest) = self.earliest_draw().filter(|earliest| block < *earliest) {
            return Err(ContractError::TooEarlyToDraw {
                number: block,
                earliest,
            });
        }
        if let Some(latest) = self.latest_draw().filter(|latest| block > *latest) {
            return Err(ContractError::TooLateToDraw {
                number: block,
                latest,
            });
        }
        let part = self.lot(hash).ok_or(ContractError::NotDrawn)?;
        self.drawn = Some(part);
        Ok(part)
    }

    /// Returns the part that a block hash draws; `None` before the commitments.
    pub(super) fn lot(&self, hash: B256) -> Option<usize> {
        let words = [hash, self.address.into_word()];
        let lot = keccak256(words.map(|word| word.0).as_flattened());
        let part = U256::from_be_bytes(lot.0).checked_rem(U256::from(self.parts.len()))?;
        Some(part.saturating_to())
    }

    /// Reveals a part of the test set.
    ///
    /// The drawn part comes first and opens the market. The others come after the market has
    /// closed.
    /// The scoring begins with the last of them.
    ///
    /// # Errors
    /// [`ContractError::WrongPhase`]; [`ContractError::UnknownPart`]; before the contributions
    /// [`ContractError::NotDrawn`], [`ContractError::NotTheDrawnPart`], [`ContractError::TooLate`], after them
    /// [`ContractError::AlreadyRevealed`]; [`ContractError::TooLong`]; [`ContractError::CommitmentDiffers`];
    /// [`ContractError::EmptyBatch`], [`ContractError::MalformedBatch`]; those of
    /// [`check`](crate::classifier::Classifier::check).
    pub fn reveal(
        &mut self,
        now: u64,
        part: u64,
        salt: B256,
        items: &[u8],
    ) -> Result<Revealed, ContractError> {
        let opens = self.phase(now) == Phase::Committed;
        if !opens {
            self.require_phase(now, Phase::Revealing)?;
        }
        let parts = self.parts.len();
        let index = usize::try_from(part)
            .ok()
            .filter(|index| *index < parts)
            .ok_or(ContractError::UnknownPart {
                part,
                parts: parts as u64,
            })?;
        if opens {
            self.require_drawn(now, index)?;
        } else if self.parts[index].is_some() {
            return Err(ContractError::AlreadyRevealed { part });
        }
        require_short(items)?;
        let (seen, committed) = (
            commitment(part, salt, items),
            self.committed.commitments[index],
        );
        if seen != committed {
            return Err(ContractError::CommitmentDiffers {
                part,
                commitment: Box::new(seen),
                committed: Box::new(committed),
            });
        }
        parse_batch(items)?;
        let read = Part::new(self.initial.classifier(), items)?;
        let revealed = Revealed {
            samples: read.samples(),
            correct: read.correct,
        };
        self.parts[index] = Some(read);
        if opens {
            self.closing_time = Some(now + self.terms.participation);
            return Ok(revealed);
        }
        self.samples += revealed.samples;
        self.initial_correct += revealed.correct;
        if self.parts.iter().all(Option::is_some) {
            self.scoring_time = Some(now);
        }
        Ok(revealed)
    }

    /// Burns the bounty, because the drawn part was not revealed in time or the market has failed.
    /// Returns it in wei.
    ///
    /// # Errors
    /// [`ContractError::WrongPhase`], [`ContractError::TooEarly`].
    pub fn forfeit(&mut self, now: u64) -> Result<u128, ContractError> {
        if self.phase(now) != Phase::Failed {
            self.require_phase(now, Phase::Committed)?;
            let earliest = self.reveal_deadline().map_or(0, |latest| latest + 1);
            if now < earliest {
                return Err(ContractError::TooEarly { now, earliest });
            }
        }
        self.forfeited = true;
        self.held -= self.bounty;
        Ok(self.bounty)
    }

    fn require_drawn(&self, now: u64, index: usize) -> Result<(), ContractError> {
        let drawn = self.drawn.ok_or(ContractError::NotDrawn)?;
        if index != drawn {
            return Err(ContractError::NotTheDrawnPart {
                part: index as u64,
                drawn: drawn as u64,
            });
        }
        match self.reveal_deadline() {
            Some(latest) if now > latest => Err(ContractError::TooLate { now, latest }),
            _ => Ok(()),
        }
    }

    pub(super) fn require_owner(&self, caller: Address) -> Result<(), ContractError> {
        let owner = self.owner;
        if caller == owner {
            Ok(())
        } else {
            Err(ContractError::NotOwner { caller, owner })
        }
    }
}

/// Checks the length of a part, or of the contributions of a transaction.
pub(super) fn require_short(items: &[u8]) -> Result<(), ContractError> {
    if items.len() > MAX_BYTES {
        return Err(ContractError::TooLong {
            length: items.len() as u64,
            max: MAX_BYTES as u64,
        });
    }
    Ok(())
}
