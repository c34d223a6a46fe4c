//! Life of a model on the chain: who may write it, and who may teach it.

use alloy_primitives::{Address, U256};

use super::Classifier;
use crate::{ContractError, sample::Item};

/// A model with an owner and a trainer.
///
/// The owner writes the model until they close its initialization.
/// From then on only the trainer may teach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosted {
    owner: Address,
    /// Contract that may teach; `None` while the initialization is open.
    trainer: Option<Address>,
    classifier: Classifier,
}

impl Hosted {
    /// Creates a model whose initialization is open.
    #[must_use]
    pub fn new(owner: Address, classifier: Classifier) -> Self {
        Self {
            owner,
            trainer: None,
            classifier,
        }
    }

    /// Returns the address that may write the model.
    #[must_use]
    pub fn owner(&self) -> Address {
        self.owner
    }

    /// Returns the address that may teach, or `None` while the initialization is open.
    #[must_use]
    pub fn trainer(&self) -> Option<Address> {
        self.trainer
    }

    /// Returns the model without its owner and trainer.
    #[must_use]
    pub fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// Overwrites words from `offset` on.
    ///
    /// # Errors
    /// [`ContractError::NotOwner`], [`ContractError::InitializationClosed`],
    /// [`ContractError::WordsOutOfRange`].
    pub fn write(
        &mut self,
        caller: Address,
        offset: u64,
        words: &[U256],
    ) -> Result<(), ContractError> {
        self.check_owner_and_open(caller)?;
        self.classifier.write(offset, words)
    }

    /// Closes the initialization forever.
    ///
    /// The contract checks its parameters here, with [`ContractError::InvalidParameter`].
    /// A [`Classifier`] was checked when it was created.
    ///
    /// # Errors
    /// [`ContractError::NotOwner`], [`ContractError::InitializationClosed`], [`ContractError::InvalidTrainer`].
    pub fn close(&mut self, caller: Address, trainer: Address) -> Result<(), ContractError> {
        self.check_owner_and_open(caller)?;
        if trainer.is_zero() {
            return Err(ContractError::InvalidTrainer);
        }
        self.trainer = Some(trainer);
        Ok(())
    }

    /// Learns from the items of a batch in their order. Returns how many of them changed the model.
    ///
    /// # Errors
    /// [`ContractError::InitializationOpen`], [`ContractError::NotTrainer`], then those of
    /// [`Classifier::check_batch`].
    /// The model has learned nothing then.
    pub fn learn(&mut self, caller: Address, batch: &[u8]) -> Result<usize, ContractError> {
        let items = self.check(caller, batch)?;
        Ok(self.classifier.learn_checked(&items))
    }

    /// Returns the items of a batch that [`learn`](Self::learn) would take.
    ///
    /// # Errors
    /// As [`learn`](Self::learn).
    pub fn check<'a>(
        &self,
        caller: Address,
        batch: &'a [u8],
    ) -> Result<Vec<Item<'a>>, ContractError> {
        let trainer = self.trainer.ok_or(ContractError::InitializationOpen)?;
        if caller != trainer {
            return Err(ContractError::NotTrainer { caller, trainer });
        }
        self.classifier.check_batch(batch)
    }

    fn check_owner_and_open(&self, caller: Address) -> Result<(), ContractError> {
        let owner = self.owner;
        if caller != owner {
            return Err(ContractError::NotOwner { caller, owner });
        }
        if self.trainer.is_some() {
            return Err(ContractError::InitializationClosed);
        }
        Ok(())
    }
}
