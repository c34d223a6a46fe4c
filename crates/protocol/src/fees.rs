//! Predictions that are paid for: what callers pay is shared among contributors by their good contributions.
//!
//! What a share has earned is counted in units of 2^-64 wei, and no fraction is lost: the remainder of a payment waits
//! for the next one, the fraction of a wei that an account has earned for its next payout.

use std::collections::BTreeMap;

use alloy_primitives::{Address, U256};

use crate::{Rejection, classifier::Classifier};

/// A wei, in the units of fractions, is one shifted by so many bits.
const FRACTION_BITS: usize = 64;
/// In bits, in wei.
const PRICE_BITS: u32 = 96;
/// In bits: more good contributions than any trainer counts.
const SHARES_BITS: u32 = 48;

/// Sells predictions of the model of a trainer. Money is in wei.
///
/// The trainer knows nothing of this: its good contributions count as shares from when they are registered, for payments
/// that come later. What is paid while nobody is registered waits. Every payment succeeds here, as with
/// [`Trainer`](crate::trainer::Trainer).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictionFees {
    price: u128,
    held: u128,
    total_shares: u64,
    /// What a share has earned since the beginning, in units.
    per_share: U256,
    /// What has been paid and is not shared yet, in units.
    waiting: U256,
    accounts: BTreeMap<Address, Account>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Account {
    shares: u64,
    /// What a share had earned when this was last settled, in units.
    per_share: U256,
    /// What has been settled and not collected, in units.
    earned: U256,
}

/// Predictions that were sold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predicted {
    /// One a sample.
    pub labels: Vec<u16>,
    /// For all of them, in wei.
    pub paid: u128,
    /// What was sent above that and is sent back, in wei.
    pub surplus: u128,
    /// What was shared; none where nothing was paid or nobody is registered.
    pub shared: Option<Shared>,
}

/// A payment that was shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shared {
    /// With what had to wait until somebody was registered and with earlier remainders, in wei.
    pub amount: u128,
    /// What each share has earned since the beginning, in units of 2^-64 wei.
    pub per_share: U256,
    /// What could not be divided by the shares, in units of 2^-64 wei.
    pub waiting: U256,
}

/// What an account was paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collected {
    /// In wei.
    pub amount: u128,
    /// Whether more shares were registered before.
    pub registered: bool,
}

impl PredictionFees {
    /// Sells predictions at this price each; with 0, nothing is ever earned.
    ///
    /// # Errors
    /// [`Rejection::InvalidParameter`] for a price of 2^96 or more.
    pub fn new(price: u128) -> Result<Self, Rejection> {
        if price >> PRICE_BITS != 0 {
            return Err(Rejection::InvalidParameter {
                name: "price",
                value: price,
            });
        }
        Ok(Self {
            price,
            held: 0,
            total_shares: 0,
            per_share: U256::ZERO,
            waiting: U256::ZERO,
            accounts: BTreeMap::new(),
        })
    }

    /// Predicts the label of each sample, by the trainer's model, for `value` wei.
    ///
    /// # Errors
    /// [`Rejection::NoSamples`], [`Rejection::PaymentTooLow`], those of [`Classifier::predict_all`].
    pub fn predict(
        &mut self,
        model: &Classifier,
        value: u128,
        samples: &[&[u8]],
    ) -> Result<Predicted, Rejection> {
        if samples.is_empty() {
            return Err(Rejection::NoSamples);
        }
        // A price has 96 bits, and nobody holds 2^32 samples.
        let paid = self.price * samples.len() as u128;
        let surplus = value.checked_sub(paid).ok_or(Rejection::PaymentTooLow {
            required: paid,
            sent: value,
        })?;
        let labels = model.predict_all(samples)?;
        self.held += paid;
        Ok(Predicted {
            labels,
            paid,
            surplus,
            shared: self.share(paid),
        })
    }

    /// Registers the good contributions that an account has in the trainer now; how many shares it has.
    /// Says also whether they are more than before.
    pub fn register(&mut self, account: Address, good: u64) -> (u64, bool) {
        let shares = good.min((1 << SHARES_BITS) - 1);
        let mut registered = self.account(account);
        registered.earned += self.unsettled(registered);
        registered.per_share = self.per_share;
        let more = shares.saturating_sub(registered.shares);
        registered.shares += more;
        self.total_shares += more;
        self.accounts.insert(account, registered);
        (registered.shares, more > 0)
    }

    /// Registers the caller, with the good contributions that it has in the trainer now, and pays what it has earned.
    ///
    /// # Errors
    /// [`Rejection::NothingToCollect`].
    pub fn collect(&mut self, caller: Address, good: u64) -> Result<Collected, Rejection> {
        // Shares that are registered now have earned nothing.
        let amount = self.earned(caller);
        if amount == 0 {
            return Err(Rejection::NothingToCollect { caller });
        }
        let (_, registered) = self.register(caller, good);
        if let Some(account) = self.accounts.get_mut(&caller) {
            account.earned -= U256::from(amount) << FRACTION_BITS;
        }
        self.held -= amount;
        Ok(Collected { amount, registered })
    }

    /// What an account has earned and not collected, in whole wei.
    #[must_use]
    pub fn earned(&self, account: Address) -> u128 {
        let account = self.account(account);
        let units = account.earned + self.unsettled(account);
        (units >> FRACTION_BITS).saturating_to()
    }

    /// The good contributions of an account that are registered.
    #[must_use]
    pub fn shares(&self, account: Address) -> u64 {
        self.account(account).shares
    }

    /// Those of all accounts.
    #[must_use]
    pub fn total_shares(&self) -> u64 {
        self.total_shares
    }

    /// What a prediction of one sample costs, in wei.
    #[must_use]
    pub fn price(&self) -> u128 {
        self.price
    }

    /// What the contract holds, in wei.
    #[must_use]
    pub fn held(&self) -> u128 {
        self.held
    }

    /// Adds a payment to what waits, and shares it all if anybody is registered.
    fn share(&mut self, amount: u128) -> Option<Shared> {
        let units = self.waiting + (U256::from(amount) << FRACTION_BITS);
        if amount == 0 {
            return None;
        }
        if self.total_shares == 0 {
            self.waiting = units;
            return None;
        }
        let shares = U256::from(self.total_shares);
        self.per_share += units / shares;
        self.waiting = units % shares;
        Some(Shared {
            amount: (units >> FRACTION_BITS).saturating_to(),
            per_share: self.per_share,
            waiting: self.waiting,
        })
    }

    fn account(&self, account: Address) -> Account {
        self.accounts.get(&account).copied().unwrap_or_default()
    }

    /// What the shares of an account have earned since it was last settled, in units.
    fn unsettled(&self, account: Account) -> U256 {
        U256::from(account.shares) * (self.per_share - account.per_share)
    }
}
