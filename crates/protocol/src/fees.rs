//! Callers who pay: predictions are sold, and what is paid is shared in proportion to good contributions.

use std::collections::BTreeMap;

use alloy_primitives::{Address, U256};

use crate::{Rejection, trainer::Trainer};

/// A wei is so many bits of the units that fractions are counted in.
const FRACTION_BITS: usize = 64;
/// In bits: the most good contributions that count for an account.
const SHARE_BITS: u32 = 48;

/// What an account is registered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Registration {
    shares: u64,
    /// What a share had earned when this was last settled, in units of 2^-64 wei.
    per_share: U256,
}

/// The twin of `PredictionFees`: it never goes over people. What a share has earned since the beginning is one
/// number, and each account settles by the difference to what that was when it last did (the accumulator of
/// Batog, Boca and Johnson, "Scalable Reward Distribution on the Ethereum Blockchain", 2018).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fees {
    price: u128,
    total_shares: u64,
    /// What a share has earned since the beginning, in units of 2^-64 wei.
    per_share: U256,
    /// What has been paid and is not shared yet, in those units.
    waiting: U256,
    registrations: BTreeMap<Address, Registration>,
    /// What has been settled and not collected, in those units.
    earned: BTreeMap<Address, U256>,
    held: u128,
}

impl Fees {
    /// Sells predictions for `price` wei each.
    ///
    /// # Errors
    /// [`Rejection::InvalidParameter`] where the price does not have 96 bits.
    pub fn new(price: u128) -> Result<Self, Rejection> {
        if price >> 96 != 0 {
            return Err(Rejection::InvalidParameter {
                name: "price",
                value: price,
            });
        }
        Ok(Self {
            price,
            total_shares: 0,
            per_share: U256::ZERO,
            waiting: U256::ZERO,
            registrations: BTreeMap::new(),
            earned: BTreeMap::new(),
            held: 0,
        })
    }

    /// Wei for one prediction.
    #[must_use]
    pub fn price(&self) -> u128 {
        self.price
    }

    /// Wei that all payments together have left in the contract.
    #[must_use]
    pub fn held(&self) -> u128 {
        self.held
    }

    /// Good contributions that an account is registered with.
    #[must_use]
    pub fn shares(&self, account: Address) -> u64 {
        self.registration(account).shares
    }

    /// Those of all accounts.
    #[must_use]
    pub fn total_shares(&self) -> u64 {
        self.total_shares
    }

    /// Wei that an account has earned and not collected, by the shares that it is registered with.
    #[must_use]
    pub fn earned(&self, account: Address) -> u128 {
        let settled = self.earned.get(&account).copied().unwrap_or_default();
        let units = settled + self.unsettled(account);
        (units >> FRACTION_BITS).saturating_to()
    }

    /// The predictions of the trainer's model for some samples, paid with `sent` wei; with them what is paid
    /// back.
    ///
    /// # Errors
    /// [`Rejection::NoSamples`], [`Rejection::PaymentTooLow`]; those of
    /// [`predict_all`](crate::classifier::Classifier::predict_all).
    pub fn predict(
        &mut self,
        trainer: &Trainer,
        samples: &[&[u8]],
        sent: u128,
    ) -> Result<(Vec<u16>, u128), Rejection> {
        if samples.is_empty() {
            return Err(Rejection::NoSamples);
        }
        // Far below 2^128: a price has 96 bits.
        let required = self.price.saturating_mul(samples.len() as u128);
        if sent < required {
            return Err(Rejection::PaymentTooLow { required, sent });
        }
        let labels = trainer.classifier().predict_all(samples)?;
        self.held += required;
        self.share(required);
        Ok((labels, sent - required))
    }

    /// Settles what an account has earned, and counts the good contributions that it has by now.
    pub fn register(&mut self, trainer: &Trainer, account: Address) -> u64 {
        let unsettled = self.unsettled(account);
        if !unsettled.is_zero() {
            *self.earned.entry(account).or_default() += unsettled;
        }
        let mut registration = self.registration(account);
        let good = trainer.good(account).min((1 << SHARE_BITS) - 1);
        if good > registration.shares {
            self.total_shares += good - registration.shares;
            registration.shares = good;
        }
        registration.per_share = self.per_share;
        self.registrations.insert(account, registration);
        registration.shares
    }

    /// Registers the caller and pays what it has earned: wei.
    ///
    /// # Errors
    /// [`Rejection::NothingToCollect`]; nothing is registered then.
    pub fn collect(&mut self, trainer: &Trainer, caller: Address) -> Result<u128, Rejection> {
        let amount = self.earned(caller);
        if amount == 0 {
            return Err(Rejection::NothingToCollect { account: caller });
        }
        self.register(trainer, caller);
        if let Some(units) = self.earned.get_mut(&caller) {
            *units -= U256::from(amount) << FRACTION_BITS;
        }
        self.held -= amount;
        Ok(amount)
    }

    /// Adds a payment to what waits, and shares it all if anybody is registered.
    fn share(&mut self, amount: u128) {
        if amount == 0 {
            return;
        }
        self.waiting += U256::from(amount) << FRACTION_BITS;
        if self.total_shares == 0 {
            return;
        }
        let shares = U256::from(self.total_shares);
        self.per_share += self.waiting / shares;
        self.waiting %= shares;
    }

    fn registration(&self, account: Address) -> Registration {
        self.registrations
            .get(&account)
            .copied()
            .unwrap_or_default()
    }

    /// What the account's shares have earned since it was last settled.
    fn unsettled(&self, account: Address) -> U256 {
        let registration = self.registration(account);
        U256::from(registration.shares) * (self.per_share - registration.per_share)
    }
}
