//! The money and the records: contribute or relay, then refund, report or claim late.

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
    Rejection,
    classifier::{Classifier, Hosted},
    record::Record,
    sample::parse_batch,
};

pub use self::{
    account::{LARGEST_NONCE, NONCE_WINDOW, is_contract},
    claim::Settled,
    delegation::Delegation,
    fact::{Added, Contradiction, Fact},
    incentive::{Incentive, Waits},
    relay::{Accepted, Relayed, covering_gas},
    settlement::{Announcement, Settlement, Status},
    signed::{SignedBatch, domain, usual_signature},
};

/// What a transaction contributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contributed {
    /// The position of the first contribution, which names the batch; the others follow it.
    pub batch: u64,
    /// How many contributions it was.
    pub count: u64,
    /// The deposit of each, in wei.
    pub deposit: u128,
    /// What was sent above the deposits and is sent back, in wei.
    pub surplus: u128,
    /// How many of the contributions changed the model.
    pub changed: usize,
}

/// A trainer with its model. Time is in seconds and never goes back; money is in wei.
///
/// Every payment succeeds here. Where a receiver refuses it on a chain, that is
/// [`Rejection::PaymentFailed`] and nothing has happened there.
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
    /// By the position of each batch's first contribution.
    roots: BTreeMap<u64, B256>,
    /// By position, of the contributions of which something was settled.
    settlements: BTreeMap<u64, Settlement>,
    /// Position and address of the reporters after the first one.
    later_reporters: BTreeSet<(u64, Address)>,
    /// Accounts that are known to be contracts.
    contracts: BTreeSet<Address>,
    /// By position, the time of the last announcement in seconds.
    announcements: BTreeMap<u64, u64>,
}

impl Trainer {
    /// A trainer, which is the contract at `address` on the chain `chain_id`, and a model that it alone
    /// may teach.
    ///
    /// # Errors
    /// [`Rejection::InvalidParameter`]; [`Rejection::InvalidTrainer`] for the zero address.
    pub fn new(
        owner: Address,
        chain_id: u64,
        address: Address,
        incentive: Incentive,
        waits: Waits,
        classifier: Classifier,
        now: u64,
    ) -> Result<Self, Rejection> {
        let model = Hosted::new(owner, classifier);
        let mut trainer = Self::with_model(owner, chain_id, address, incentive, waits, model, now)?;
        trainer.model.close(owner, address)?;
        Ok(trainer)
    }

    /// A trainer and a model at any point of its life: contributions are rejected where it is still
    /// open, or somebody else's.
    ///
    /// # Errors
    /// [`Rejection::InvalidParameter`].
    pub fn with_model(
        owner: Address,
        chain_id: u64,
        address: Address,
        incentive: Incentive,
        waits: Waits,
        model: Hosted,
        now: u64,
    ) -> Result<Self, Rejection> {
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

    /// The deposit of each of `n` contributions in one transaction; for 0, that of 1.
    #[must_use]
    pub fn price(&self, n: u64, now: u64) -> u128 {
        self.incentive
            .price(n, now.saturating_sub(self.last_contribution_time))
    }

    /// Takes a batch of labelled samples, with `value` wei, and teaches them to the model.
    ///
    /// # Errors
    /// [`Rejection::EmptyBatch`], [`Rejection::MalformedBatch`], [`Rejection::DepositTooLow`],
    /// those of [`Hosted::learn`].
    pub fn contribute(
        &mut self,
        author: Address,
        now: u64,
        value: u128,
        batch: &[u8],
    ) -> Result<Contributed, Rejection> {
        let items = parse_batch(batch)?;
        let count = items.len() as u64;
        let deposit = self.price(count, now);
        // A deposit is below 2^92, and nobody holds 2^36 items.
        let required = deposit.saturating_mul(count.into());
        let surplus = value
            .checked_sub(required)
            .ok_or(Rejection::DepositTooLow {
                required,
                sent: value,
            })?;
        let changed = self.model.learn(self.address, batch)?;
        let record = Record::new(self.contribution_count, deposit, now, &[(author, items)]);
        self.remember(&record, now);
        self.held += required;
        Ok(Contributed {
            batch: record.batch(),
            count,
            deposit,
            surplus,
            changed,
        })
    }

    /// Adds wei to the balance of an account, whoever sends them.
    ///
    /// # Errors
    /// [`Rejection::BalanceOverflow`].
    pub fn deposit_to(&mut self, account: Address, amount: u128) -> Result<(), Rejection> {
        self.credit(account, amount)?;
        self.held += amount;
        Ok(())
    }

    /// Pays wei out of the caller's balance, to whomever they name.
    ///
    /// # Errors
    /// [`Rejection::BalanceTooLow`].
    pub fn withdraw(&mut self, caller: Address, amount: u128) -> Result<(), Rejection> {
        let mut account = self.account(caller);
        account.charge(amount)?;
        self.accounts.insert(caller, account);
        self.held = self.held.saturating_sub(amount);
        Ok(())
    }

    /// Makes a nonce of the caller's and all below it used, and so useless what was signed with them.
    /// There are no nonces from 2^48 on.
    pub fn cancel_nonces(&mut self, caller: Address, last: u64) {
        let account = self.accounts.entry(caller).or_default();
        account.nonces.cancel(last);
    }

    /// Notes that an account is a contract ([`is_contract`]). Only a chain knows; as long as nothing is noted, all
    /// accounts are taken for keys'.
    pub fn note_contract(&mut self, account: Address) {
        self.contracts.insert(account);
    }

    /// Who may claim late before others.
    #[must_use]
    pub fn owner(&self) -> Address {
        self.owner
    }

    /// The chain that the contract is on.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The contract's own address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// What authors and reporters sign besides their batches and delegations.
    #[must_use]
    pub fn domain(&self) -> Eip712Domain {
        domain(self.chain_id, self.address)
    }

    /// Who pays whom.
    #[must_use]
    pub fn incentive(&self) -> Incentive {
        self.incentive
    }

    /// How long claims wait.
    #[must_use]
    pub fn waits(&self) -> Waits {
        self.waits
    }

    /// The model.
    #[must_use]
    pub fn classifier(&self) -> &Classifier {
        self.model.classifier()
    }

    /// The model with its owner and trainer.
    #[must_use]
    pub fn model(&self) -> &Hosted {
        &self.model
    }

    /// What the contract holds, in wei: what is left of all deposits, and all balances.
    #[must_use]
    pub fn held(&self) -> u128 {
        self.held
    }

    /// When the last contribution was made, or the trainer created, in seconds.
    #[must_use]
    pub fn last_contribution_time(&self) -> u64 {
        self.last_contribution_time
    }

    /// How many contributions have been made.
    #[must_use]
    pub fn contribution_count(&self) -> u64 {
        self.contribution_count
    }

    /// How many contributions have been refunded.
    #[must_use]
    pub fn total_good(&self) -> u64 {
        self.total_good
    }

    /// What an address has prepaid or got by others' refunds and reports, and not spent or withdrawn, in wei.
    #[must_use]
    pub fn balance(&self, account: Address) -> u128 {
        self.account(account).balance
    }

    /// How many of an author's contributions have been refunded.
    #[must_use]
    pub fn good(&self, author: Address) -> u64 {
        self.account(author).good
    }

    /// Whether a nonce can no longer be used: nonces may be used in any order, but one that is 64 or more
    /// below the highest used one counts as used. There are none from 2^48 on.
    #[must_use]
    pub fn nonce_used(&self, account: Address, nonce: u64) -> bool {
        self.account(account).nonces.is_used(nonce)
    }

    /// The nonce after the highest one that is used; 0 where none is.
    #[must_use]
    pub fn next_nonce(&self, account: Address) -> u64 {
        self.account(account).nonces.next()
    }

    /// Returns whether an account has ever used or cancelled a nonce.
    #[must_use]
    pub fn has_nonces(&self, account: Address) -> bool {
        self.account(account).nonces.any()
    }

    /// The root of a batch; zero where no batch begins at this position.
    #[must_use]
    pub fn root(&self, batch: u64) -> B256 {
        self.roots.get(&batch).copied().unwrap_or_default()
    }

    /// What has been settled of a contribution.
    #[must_use]
    pub fn settlement(&self, position: u64) -> Settlement {
        self.settlements.get(&position).copied().unwrap_or_default()
    }

    /// Whether somebody has reported a contribution.
    #[must_use]
    pub fn reported(&self, position: u64, reporter: Address) -> bool {
        self.settlement(position).first_reporter == Some(reporter)
            || self.later_reporters.contains(&(position, reporter))
    }

    /// Returns when a contribution was last announced, in seconds; `None` if never.
    #[must_use]
    pub fn announced(&self, position: u64) -> Option<u64> {
        self.announcements.get(&position).copied()
    }

    fn account(&self, address: Address) -> Account {
        self.accounts.get(&address).copied().unwrap_or_default()
    }

    /// Adds wei to a balance.
    fn credit(&mut self, address: Address, amount: u128) -> Result<(), Rejection> {
        let mut account = self.account(address);
        account.credit(address, amount)?;
        self.accounts.insert(address, account);
        Ok(())
    }

    /// Remembers what one transaction contributed.
    fn remember(&mut self, record: &Record, now: u64) {
        self.roots.insert(record.batch(), record.root());
        self.contribution_count += record.contributions().len() as u64;
        self.last_contribution_time = now;
    }
}
