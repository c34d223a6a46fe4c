//! Contributions that their authors have signed and a relayer sends.

use alloy_primitives::Address;

use super::{SignedBatch, Trainer, account::Account};
use crate::{ContractError, record::Record, sample::parse_batch};

/// Gas that the contract reserves for its own work before it calls the code of others.
const BEFORE_CALL: u64 = 8_000;

/// Returns a gas limit with which no batch of a relay can make the relay fail.
///
/// - `own` is the relay's gas besides lessons and signatures of contract wallets. An estimate of
///   the whole relay is never below it.
/// - `batches` is the number of batches that may use all of `gas_per_batch`.
///
/// A call gets all but a 64th of the gas left, so the last call needs a 63rd more. All numbers are
/// in gas.
#[must_use]
pub fn covering_gas(own: u64, batches: u64, gas_per_batch: u64) -> u64 {
    own.saturating_add(batches.saturating_mul(gas_per_batch))
        .saturating_add(gas_per_batch.div_ceil(63))
        .saturating_add(BEFORE_CALL)
}

/// Outcome of signed batches that were sent together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relayed {
    /// Position of the first contribution, which names the transaction of all of them; `None` if all were
    /// skipped.
    pub first_position: Option<u64>,
    /// Deposit for each contribution, in wei.
    pub deposit: u128,
    /// Outcome of each signed batch: the contributions added, or the reason to skip it.
    pub outcomes: Vec<Result<Accepted, ContractError>>,
}

/// Contributions that a signed batch added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Position of its first contribution. The others follow it.
    pub position: u64,
    /// Number of contributions.
    pub count: u64,
    /// Number of contributions that changed the model.
    pub changed: usize,
}

impl Trainer {
    /// Takes or skips signed batches. Authors pay from their balances, and the fees go to the
    /// relayer's balance.
    ///
    /// A batch is skipped, and changes nothing, for the first of [`ContractError::EmptyBatch`],
    /// [`ContractError::MalformedBatch`], [`ContractError::Expired`], [`ContractError::NonceUsed`],
    /// [`ContractError::PriceTooHigh`], [`ContractError::BalanceTooLow`], [`ContractError::InvalidSignature`],
    /// those of [`Hosted::learn`](crate::classifier::Hosted::learn).
    ///
    /// A batch that was signed for another relayer has an invalid signature.
    /// Like the contract, this assumes that a bound batch names the sender as its relayer.
    ///
    /// No account has code here: a signature was made by its author's key, or is invalid.
    /// Only a chain knows which signatures the code of a contract wallet accepts (ERC-1271).
    ///
    /// # Errors
    /// [`ContractError::BalanceOverflow`] of the relayer; nothing has changed then.
    pub fn relay(
        &mut self,
        relayer: Address,
        now: u64,
        batches: &[SignedBatch],
    ) -> Result<Relayed, ContractError> {
        let domain = self.domain();
        let recover = |_, signed: &SignedBatch| signed.signer_if_sent_by(relayer, &domain);
        self.relay_each(relayer, now, batches, recover)
    }

    /// Relays like [`relay`](Self::relay), with keys that the caller has already recovered from the
    /// signatures.
    ///
    /// `signers` holds the result of [`SignedBatch::signer_if_sent_by`] for the batch at the same
    /// index, with this relayer and this trainer's domain.
    /// Batches without a signer have an invalid signature.
    ///
    /// # Errors
    /// As [`relay`](Self::relay).
    pub fn relay_signed_by(
        &mut self,
        relayer: Address,
        now: u64,
        batches: &[SignedBatch],
        signers: &[Option<Address>],
    ) -> Result<Relayed, ContractError> {
        let recovered = |index, _: &SignedBatch| signers.get(index).copied().flatten();
        self.relay_each(relayer, now, batches, recovered)
    }

    /// Checks a signed batch as a relay of it alone would. Nothing changes.
    ///
    /// `signer` is the result of [`SignedBatch::signer_if_sent_by`].
    ///
    /// # Errors
    /// The reason for which [`relay`](Self::relay) would skip it.
    pub fn check_signed(
        &self,
        now: u64,
        batch: &SignedBatch,
        signer: Option<Address>,
    ) -> Result<(), ContractError> {
        let count = parse_batch(&batch.items)?.len() as u64;
        let deposit = self.price(count, now);
        self.charged(now, deposit, count, batch, || signer)?;
        self.model.check(self.address, &batch.items)?;
        Ok(())
    }

    /// Takes signed batches. `recover` returns the signer of a batch, given its index.
    fn relay_each(
        &mut self,
        relayer: Address,
        now: u64,
        batches: &[SignedBatch],
        recover: impl Fn(usize, &SignedBatch) -> Option<Address>,
    ) -> Result<Relayed, ContractError> {
        let parsed: Vec<_> = batches
            .iter()
            .map(|signed| parse_batch(&signed.items))
            .collect();
        let n: usize = parsed.iter().flatten().map(Vec::len).sum();
        let deposit = self.price(n as u64, now);
        // Copies for the only error that fails the whole call, which shows up only at the end.
        let before = (self.accounts.clone(), self.model.clone());

        let first_position = self.contribution_count;
        let (mut position, mut fees) = (first_position, 0_u128);
        let (mut added, mut outcomes) = (Vec::new(), Vec::new());
        for (index, (signed, parsed)) in batches.iter().zip(parsed).enumerate() {
            outcomes.push(parsed.and_then(|items| {
                let count = items.len() as u64;
                let recover = || recover(index, signed);
                let changed = self.accept(now, deposit, count, signed, recover)?;
                let accepted = Accepted {
                    position,
                    count,
                    changed,
                };
                position += count;
                // A fee is below 2^96, because a balance paid it.
                fees += signed.fee;
                added.push((signed.author, items));
                Ok(accepted)
            }));
        }
        if added.is_empty() {
            return Ok(Relayed {
                first_position: None,
                deposit,
                outcomes,
            });
        }
        if let Err(overflow) = self.credit(relayer, fees) {
            (self.accounts, self.model) = before;
            return Err(overflow);
        }
        self.remember(&Record::new(first_position, deposit, now, &added), now);
        Ok(Relayed {
            first_position: Some(first_position),
            deposit,
            outcomes,
        })
    }

    /// Charges for `count` contributions of one signed batch and teaches them. Returns how many
    /// changed the model.
    fn accept(
        &mut self,
        now: u64,
        deposit: u128,
        count: u64,
        signed: &SignedBatch,
        recover: impl FnOnce() -> Option<Address>,
    ) -> Result<usize, ContractError> {
        let account = self.charged(now, deposit, count, signed, recover)?;
        let changed = self.model.learn(self.address, &signed.items)?;
        self.accounts.insert(signed.author, account);
        Ok(changed)
    }

    /// Returns the author's account after one signed batch of `count` contributions.
    ///
    /// `recover` is slow, so it runs after all cheap checks.
    fn charged(
        &self,
        now: u64,
        deposit: u128,
        count: u64,
        signed: &SignedBatch,
        recover: impl FnOnce() -> Option<Address>,
    ) -> Result<Account, ContractError> {
        let &SignedBatch {
            author,
            max_deposit,
            nonce,
            deadline,
            ..
        } = signed;
        let mut account = self.account(author);
        if now > deadline {
            return Err(ContractError::Expired { deadline, now });
        }
        if account.nonces.is_used(nonce) {
            return Err(ContractError::NonceUsed { author, nonce });
        }
        if deposit > max_deposit {
            return Err(ContractError::PriceTooHigh {
                price: deposit,
                max_deposit,
            });
        }
        // Only a fee that no contract can store saturates the sum.
        account.charge((deposit * u128::from(count)).saturating_add(signed.fee))?;
        if recover() != Some(author) {
            return Err(ContractError::InvalidSignature { author });
        }
        account.nonces.use_up(nonce);
        Ok(account)
    }
}
