//! Money and records of a trainer: contribute or relay, then refund, report or claim late.

mod account;
mod claim;
mod delegation;
mod fact;
mod incentive;
mod relay;
mod settlement;
mod signed;

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256};
use alloy_sol_types::Eip712Domain;

use self::account::Account;
use crate::{
    ContractError,
    classifier::{Classifier, Hosted},
    record::Record,
    sample::parse_batch,
};

pub use self::{
    account::{LARGEST_NONCE, NONCE_WINDOW, is_contract},
    claim::Settled,
    delegation::Delegation,
    fact::{Added, Fact, FactError},
    incentive::{Incentive, Waits},
    relay::{Accepted, Relayed, covering_gas},
    settlement::{Announcement, Settlement, Status},
    signed::{SignedBatch, domain, usual_signature},
};

/// Outcome of a transaction that contributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contributed {
    /// Position of the first contribution, which names the transaction. The others follow it.
    pub first_position: u64,
    /// Number of contributions.
    pub count: u64,
    /// Deposit for each contribution, in wei.
    pub deposit: u128,
    /// Excess payment that is sent back, in wei.
    pub surplus: u128,
    /// Number of contributions that changed the model.
    pub changed: usize,
}

/// Reference model of a trainer, with its classifier.
///
/// Time is in seconds and never goes back; money is in wei.
/// Every payment succeeds here.
/// If a receiver refuses it on a chain, that is [`ContractError::PaymentFailed`], and nothing has
/// happened there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trainer {
    owner: Address,
    chain_id: u64,
    address: Address,
    incentive: Incentive,
    waits: Waits,
    model: Hosted,
    held: u128,
    last_contribution_time: u64,
    contribution_count: u64,
    total_good: u64,
    accounts: BTreeMap<Address, Account>,
    /// Roots, by the first position of each transaction.
    roots: BTreeMap<u64, B256>,
    /// Settlements, by position. Contributions without a claim have none.
    settlements: BTreeMap<u64, Settlement>,
    /// Position and address of each reporter after the first one.
    later_reporters: BTreeSet<(u64, Address)>,
    /// Accounts that are known to be contracts.
    contracts: BTreeSet<Address>,
    /// Times of the last announcements in Unix seconds, by position.
    announcements: BTreeMap<u64, u64>,
}

impl Trainer {
    /// Creates a trainer at the contract address `address` on the chain `chain_id`. It alone may
    /// teach its model.
    ///
    /// # Errors
    /// [`ContractError::InvalidParameter`]; [`ContractError::InvalidTrainer`] for the zero address.
    pub fn new(
        owner: Address,
        chain_id: u64,
        address: Address,
        incentive: Incentive,
        waits: Waits,
        classifier: Classifier,
        now: u64,
    ) -> Result<Self, ContractError> {
        let model = Hosted::new(owner, classifier);
        let mut trainer = Self::with_model(owner, chain_id, address, incentive, waits, model, now)?;
        trainer.model.close(owner, address)?;
        Ok(trainer)
    }

    /// Creates a trainer with a model at any point of its life.
    ///
    /// Contributions are rejected while the model is open, or if another contract is its trainer.
    ///
    /// # Errors
    /// [`ContractError::InvalidParameter`].
    pub fn with_model(
        owner: Address,
        chain_id: u64,
        address: Address,
        incentive: Incentive,
        waits: Waits,
        model: Hosted,
        now: u64,
    ) -> Result<Self, ContractError> {
        waits.validate()?;
        incentive.validate()?;
        Ok(Self {
            owner,
            chain_id,
            address,
            incentive,
            waits,
            model,
            held: 0,
            last_contribution_time: now,
            contribution_count: 0,
            total_good: 0,
            accounts: BTreeMap::new(),
            roots: BTreeMap::new(),
            settlements: BTreeMap::new(),
            later_reporters: BTreeSet::new(),
            contracts: BTreeSet::new(),
            announcements: BTreeMap::new(),
        })
    }

    /// Returns the deposit for each of `n` contributions in one transaction, in wei; 0 counts as 1.
    #[must_use]
    pub fn price(&self, n: u64, now: u64) -> u128 {
        self.incentive
            .price(n, now.saturating_sub(self.last_contribution_time))
    }

    /// Takes a batch of labeled samples, with `value` wei, and teaches them to the model.
    ///
    /// # Errors
    /// [`ContractError::EmptyBatch`], [`ContractError::MalformedBatch`], [`ContractError::DepositTooLow`],
    /// those of [`Hosted::learn`].
    pub fn contribute(
        &mut self,
        author: Address,
        now: u64,
        value: u128,
        batch: &[u8],
    ) -> Result<Contributed, ContractError> {
        let items = parse_batch(batch)?;
        let count = items.len() as u64;
        let deposit = self.price(count, now);
        // The product fits: a deposit is below 2^92, and no caller holds 2^36 items.
        let required = deposit.saturating_mul(count.into());
        let surplus = value
            .checked_sub(required)
            .ok_or(ContractError::DepositTooLow {
                required,
                sent: value,
            })?;
        let changed = self.model.learn(self.address, batch)?;
        let record = Record::new(self.contribution_count, deposit, now, &[(author, items)]);
        self.remember(&record, now);
        self.held += required;
        Ok(Contributed {
            first_position: record.first_position(),
            count,
            deposit,
            surplus,
            changed,
        })
    }

    /// Adds wei to the balance of an account. Anyone may send them.
    ///
    /// # Errors
    /// [`ContractError::BalanceOverflow`].
    pub fn deposit_to(&mut self, account: Address, amount: u128) -> Result<(), ContractError> {
        self.credit(account, amount)?;
        self.held += amount;
        Ok(())
    }

    /// Pays wei out of the caller's balance to an address of their choice.
    ///
    /// # Errors
    /// [`ContractError::BalanceTooLow`].
    pub fn withdraw(&mut self, caller: Address, amount: u128) -> Result<(), ContractError> {
        let mut account = self.account(caller);
        account.charge(amount)?;
        self.accounts.insert(caller, account);
        self.held = self.held.saturating_sub(amount);
        Ok(())
    }

    /// Makes one of the caller's nonces and all below it used. Batches signed with them become
    /// useless.
    ///
    /// There are no nonces from 2^48 on.
    pub fn cancel_nonces(&mut self, caller: Address, last: u64) {
        let account = self.accounts.entry(caller).or_default();
        account.nonces.cancel(last);
    }

    /// Records that an account is a contract ([`is_contract`]).
    ///
    /// Only a chain knows this. Every other account is assumed to have a key.
    pub fn note_contract(&mut self, account: Address) {
        self.contracts.insert(account);
    }

    /// Returns the owner, who may claim late before others.
    #[must_use]
    pub fn owner(&self) -> Address {
        self.owner
    }

    /// Returns the id of the contract's chain.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Returns the contract's own address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// Returns the EIP-712 domain, which authors and reporters sign with each batch and delegation.
    #[must_use]
    pub fn domain(&self) -> Eip712Domain {
        domain(self.chain_id, self.address)
    }

    /// Returns the rules of deposits and shares.
    #[must_use]
    pub fn incentive(&self) -> Incentive {
        self.incentive
    }

    /// Returns the waits before claims.
    #[must_use]
    pub fn waits(&self) -> Waits {
        self.waits
    }

    /// Returns the model without its owner and trainer.
    #[must_use]
    pub fn classifier(&self) -> &Classifier {
        self.model.classifier()
    }

    /// Returns the model with its owner and trainer.
    #[must_use]
    pub fn model(&self) -> &Hosted {
        &self.model
    }

    /// Returns the contract's money, in wei: the rest of all deposits, and all balances.
    #[must_use]
    pub fn held(&self) -> u128 {
        self.held
    }

    /// Returns the time of the last contribution, or else of the trainer's creation, in Unix
    /// seconds.
    #[must_use]
    pub fn last_contribution_time(&self) -> u64 {
        self.last_contribution_time
    }

    /// Returns the number of contributions.
    #[must_use]
    pub fn contribution_count(&self) -> u64 {
        self.contribution_count
    }

    /// Returns the number of refunded contributions.
    #[must_use]
    pub fn total_good(&self) -> u64 {
        self.total_good
    }

    /// Returns the balance of an address, in wei.
    ///
    /// The address has prepaid it, or got it by refunds and reports of others.
    #[must_use]
    pub fn balance(&self, account: Address) -> u128 {
        self.account(account).balance
    }

    /// Returns the number of an author's refunded contributions.
    #[must_use]
    pub fn good(&self, author: Address) -> u64 {
        self.account(author).good
    }

    /// Returns `true` if a nonce can no longer be used.
    ///
    /// Nonces may be used in any order. A nonce that is 64 or more below the highest used one
    /// counts as used.
    /// There are no nonces from 2^48 on.
    #[must_use]
    pub fn nonce_used(&self, account: Address, nonce: u64) -> bool {
        self.account(account).nonces.is_used(nonce)
    }

    /// Returns the nonce after the highest used one; 0 if none is used.
    #[must_use]
    pub fn next_nonce(&self, account: Address) -> u64 {
        self.account(account).nonces.next()
    }

    /// Returns `true` if an account has ever used or canceled a nonce.
    #[must_use]
    pub fn has_nonces(&self, account: Address) -> bool {
        self.account(account).nonces.any()
    }

    /// Returns the root of a transaction; zero if none begins at this position.
    #[must_use]
    pub fn root(&self, first_position: u64) -> B256 {
        self.roots.get(&first_position).copied().unwrap_or_default()
    }

    /// Returns the settlement of a contribution.
    #[must_use]
    pub fn settlement(&self, position: u64) -> Settlement {
        self.settlements.get(&position).copied().unwrap_or_default()
    }

    /// Returns `true` if `reporter` has reported the contribution.
    #[must_use]
    pub fn reported(&self, position: u64, reporter: Address) -> bool {
        self.settlement(position).first_reporter == Some(reporter)
            || self.later_reporters.contains(&(position, reporter))
    }

    /// Returns the time of a contribution's last announcement, in Unix seconds; `None` if never
    /// announced.
    #[must_use]
    pub fn announced(&self, position: u64) -> Option<u64> {
        self.announcements.get(&position).copied()
    }

    fn account(&self, address: Address) -> Account {
        self.accounts.get(&address).copied().unwrap_or_default()
    }

    /// Adds wei to a balance.
    fn credit(&mut self, address: Address, amount: u128) -> Result<(), ContractError> {
        let mut account = self.account(address);
        account.credit(address, amount)?;
        self.accounts.insert(address, account);
        Ok(())
    }

    /// Records the contributions of one transaction.
    fn remember(&mut self, record: &Record, now: u64) {
        self.roots.insert(record.first_position(), record.root());
        self.contribution_count += record.contributions().len() as u64;
        self.last_contribution_time = now;
    }
}
