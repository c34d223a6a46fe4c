//! Paid predictions. Contributors share the callers' payments in proportion to their good
//! contributions.
//!
//! Earnings of a share are counted in units of 2^-64 wei, so no fraction is lost.
//! The remainder of a payment is added to the next payment.
//! The fraction of a wei that an account has earned counts toward its next payout.

use std::collections::BTreeMap;

use alloy_primitives::{Address, U256};

use crate::{ContractError, classifier::Classifier};

/// Number of bits of a fraction: 1 wei is `1 << FRACTION_BITS` units.
const FRACTION_BITS: usize = 64;
/// Size of a price in wei, in bits.
const PRICE_BITS: u32 = 96;
/// Size of an account's shares, in bits. No trainer counts more good contributions.
const SHARES_BITS: u32 = 48;

/// Reference model of the contract that sells predictions of a trainer's model. Money is in wei.
///
/// The trainer does not know this contract.
/// Good contributions of an account become shares when they are registered, and earn from later
/// payments only.
/// Payments are kept while nobody is registered.
/// Every payment succeeds here, as with [`Trainer`](crate::trainer::Trainer).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictionFees {
    price: u128,
    held: u128,
    total_shares: u64,
    /// Earnings of one share since the beginning, in units.
    per_share: U256,
    /// Paid and not shared yet, in units.
    waiting: U256,
    accounts: BTreeMap<Address, Account>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Account {
    shares: u64,
    /// Earnings of one share when the account was last settled, in units.
    per_share: U256,
    /// Settled and not collected, in units.
    earned: U256,
}

/// Outcome of a sale of predictions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predicted {
    /// Predicted labels, one a sample.
    pub labels: Vec<u16>,
    /// Price of all of them, in wei.
    pub paid: u128,
    /// Excess payment that is sent back, in wei.
    pub surplus: u128,
    /// Amount shared; `None` if nothing was paid or nobody is registered.
    pub shared: Option<Shared>,
}

/// A payment that was shared among the registered accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shared {
    /// Amount shared, in wei. It includes pending payments and earlier remainders.
    pub amount: u128,
    /// Earnings of each share since the beginning, in units of 2^-64 wei.
    pub per_share: U256,
    /// Remainder of the division by the number of shares, in units of 2^-64 wei.
    pub waiting: U256,
}

/// Payout to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collected {
    /// Amount in wei.
    pub amount: u128,
    /// Whether the call registered new shares before the payout.
    pub registered: bool,
}

impl PredictionFees {
    /// Creates a seller of predictions at `price` wei each. With a price of 0, nobody ever earns
    /// anything.
    ///
    /// # Errors
    /// [`ContractError::InvalidParameter`] for a price of 2^96 or more.
    pub fn new(price: u128) -> Result<Self, ContractError> {
        if price >> PRICE_BITS != 0 {
            return Err(ContractError::InvalidParameter {
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

    /// Predicts the label of each sample by the trainer's model. The caller sends `value` wei.
    ///
    /// # Errors
    /// [`ContractError::NoSamples`], [`ContractError::PaymentTooLow`], those of
    /// [`Classifier::predict_all`].
    pub fn predict(
        &mut self,
        model: &Classifier,
        value: u128,
        samples: &[&[u8]],
    ) -> Result<Predicted, ContractError> {
        if samples.is_empty() {
            return Err(ContractError::NoSamples);
        }
        // The product fits: a price has 96 bits, and no caller holds 2^32 samples.
        let paid = self.price * samples.len() as u128;
        let surplus = value
            .checked_sub(paid)
            .ok_or(ContractError::PaymentTooLow {
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

    /// Registers `good`, the account's good contributions in the trainer now.
    ///
    /// Returns the account's shares, and `true` if they are more than before.
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

    /// Registers the caller's good contributions in the trainer, and pays the caller's earnings.
    ///
    /// # Errors
    /// [`ContractError::NothingToCollect`].
    pub fn collect(&mut self, caller: Address, good: u64) -> Result<Collected, ContractError> {
        // Shares that are registered by this call have earned nothing.
        let amount = self.earned(caller);
        if amount == 0 {
            return Err(ContractError::NothingToCollect { caller });
        }
        let (_, registered) = self.register(caller, good);
        if let Some(account) = self.accounts.get_mut(&caller) {
            account.earned -= U256::from(amount) << FRACTION_BITS;
        }
        self.held -= amount;
        Ok(Collected { amount, registered })
    }

    /// Returns the account's earnings that it has not collected, in whole wei.
    #[must_use]
    pub fn earned(&self, account: Address) -> u128 {
        let account = self.account(account);
        let units = account.earned + self.unsettled(account);
        (units >> FRACTION_BITS).saturating_to()
    }

    /// Returns the number of an account's good contributions that are registered.
    #[must_use]
    pub fn shares(&self, account: Address) -> u64 {
        self.account(account).shares
    }

    /// Returns the number of registered good contributions of all accounts.
    #[must_use]
    pub fn total_shares(&self) -> u64 {
        self.total_shares
    }

    /// Returns the price of a prediction of one sample, in wei.
    #[must_use]
    pub fn price(&self) -> u128 {
        self.price
    }

    /// Returns the contract's balance, in wei.
    #[must_use]
    pub fn held(&self) -> u128 {
        self.held
    }

    /// Adds a payment to the pending amount. Shares all of that if any account is registered.
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

    /// Returns the earnings of an account's shares since it was last settled, in units.
    fn unsettled(&self, account: Account) -> U256 {
        U256::from(account.shares) * (self.per_share - account.per_share)
    }
}
