//! Contributions that their authors have signed and somebody else sends.

use alloy_primitives::Address;

use super::{SignedBatch, Trainer};
use crate::{Rejection, record::Record, sample::parse_batch};

/// Gas that the contract holds back before it calls the code of others, for what comes before the call.
const BEFORE_CALL: u64 = 8_000;

/// Returns a gas limit with which nothing that the batches of a relay do makes the relay fail.
///
/// `own` is what the relay uses beside the batches' lessons and the signatures of contract wallets; an estimate of
/// the whole relay is never below it. `batches` is how many batches may use all of `gas_per_batch`. Of what is left,
/// a call gets all but a 64th, so the last one needs a 63rd more. All are in gas.
#[must_use]
pub fn covering_gas(own: u64, batches: u64, gas_per_batch: u64) -> u64 {
    own.saturating_add(batches.saturating_mul(gas_per_batch))
        .saturating_add(gas_per_batch.div_ceil(63))
        .saturating_add(BEFORE_CALL)
}

/// What became of signed batches that were sent together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relayed {
    /// The position of the first contribution, which names the batch of all of them; none where all
    /// was skipped.
    pub batch: Option<u64>,
    /// The deposit of each contribution, in wei.
    pub deposit: u128,
    /// Of each signed batch, what was added, or why it was skipped.
    pub outcomes: Vec<Result<Accepted, Rejection>>,
}

/// What a signed batch added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The position of its first contribution; the others follow it.
    pub position: u64,
    /// How many contributions it was.
    pub count: u64,
    /// How many of them changed the model.
    pub changed: usize,
}

impl Trainer {
    /// Takes signed batches, each paid from its author's balance, or skips them; the fees go to the
    /// relayer's balance.
    ///
    /// A batch is skipped, and changes nothing, for the first of [`Rejection::EmptyBatch`],
    /// [`Rejection::MalformedBatch`], [`Rejection::Expired`], [`Rejection::NonceUsed`],
    /// [`Rejection::PriceTooHigh`], [`Rejection::BalanceTooLow`], [`Rejection::InvalidSignature`],
    /// those of [`Hosted::learn`](crate::classifier::Hosted::learn).
    ///
    /// A batch that was signed for another relayer has an invalid signature: as the contract does, this reads the
    /// sender for the relayer of what is bound.
    ///
    /// Nobody has code here: a signature is its author's key's, or invalid. What the code of a contract
    /// wallet accepts (ERC-1271) only a chain knows.
    ///
    /// # Errors
    /// [`Rejection::BalanceOverflow`] of the relayer; nothing has changed then.
    pub fn relay(
        &mut self,
        relayer: Address,
        now: u64,
        batches: &[SignedBatch],
    ) -> Result<Relayed, Rejection> {
        let domain = self.domain();
        let recover = |_, signed: &SignedBatch| signed.signer_if_sent_by(relayer, &domain);
        self.relay_each(relayer, now, batches, recover)
    }

    /// Does the same as [`relay`](Self::relay) if the keys of the signatures are recovered already: each of
    /// `signers` is what [`SignedBatch::signer_if_sent_by`] returned for the batch at its place, the sender being the
    /// relayer and the domain this trainer's. Batches without one have an invalid signature.
    ///
    /// # Errors
    /// As [`relay`](Self::relay).
    pub fn relay_signed_by(
        &mut self,
        relayer: Address,
        now: u64,
        batches: &[SignedBatch],
        signers: &[Option<Address>],
    ) -> Result<Relayed, Rejection> {
        let recovered = |place, _: &SignedBatch| signers.get(place).copied().flatten();
        self.relay_each(relayer, now, batches, recovered)
    }

    /// Takes signed batches, whose signers `recover` knows by place and batch.
    fn relay_each(
        &mut self,
        relayer: Address,
        now: u64,
        batches: &[SignedBatch],
        recover: impl Fn(usize, &SignedBatch) -> Option<Address>,
    ) -> Result<Relayed, Rejection> {
        let parsed: Vec<_> = batches
            .iter()
            .map(|signed| parse_batch(&signed.items))
            .collect();
        let n: usize = parsed.iter().flatten().map(Vec::len).sum();
        let deposit = self.price(n as u64, now);
        // For the one way in which the whole fails, and which only the end shows.
        let before = (self.accounts.clone(), self.model.clone());

        let batch = self.contribution_count;
        let (mut position, mut fees) = (batch, 0_u128);
        let (mut added, mut outcomes) = (Vec::new(), Vec::new());
        for (place, (signed, parsed)) in batches.iter().zip(parsed).enumerate() {
            outcomes.push(parsed.and_then(|items| {
                let count = items.len() as u64;
                let recover = || recover(place, signed);
                let changed = self.accept(now, deposit, count, signed, recover)?;
                let accepted = Accepted {
                    position,
                    count,
                    changed,
                };
                position += count;
                // A fee is below 2^96, as the balance was that paid it.
                fees += signed.fee;
                added.push((signed.author, items));
                Ok(accepted)
            }));
        }
        if added.is_empty() {
            return Ok(Relayed {
                batch: None,
                deposit,
                outcomes,
            });
        }
        if let Err(overflow) = self.credit(relayer, fees) {
            (self.accounts, self.model) = before;
            return Err(overflow);
        }
        self.remember(&Record::new(batch, deposit, now, &added), now);
        Ok(Relayed {
            batch: Some(batch),
            deposit,
            outcomes,
        })
    }

    /// Charges for `count` contributions of one signed batch and teaches them, unless there is a reason
    /// not to; how many changed the model. `recover` takes long: it is asked after all that is cheap.
    fn accept(
        &mut self,
        now: u64,
        deposit: u128,
        count: u64,
        signed: &SignedBatch,
        recover: impl FnOnce() -> Option<Address>,
    ) -> Result<usize, Rejection> {
        let &SignedBatch {
            author,
            max_deposit,
            nonce,
            deadline,
            ..
        } = signed;
        let mut account = self.account(author);
        if now > deadline {
            return Err(Rejection::Expired { deadline, now });
        }
        if account.nonces.is_used(nonce) {
            return Err(Rejection::NonceUsed { author, nonce });
        }
        if deposit > max_deposit {
            return Err(Rejection::PriceTooHigh {
                price: deposit,
                max_deposit,
            });
        }
        // Only a fee that no contract holds makes it that much.
        account.charge((deposit * u128::from(count)).saturating_add(signed.fee))?;
        if recover() != Some(author) {
            return Err(Rejection::InvalidSignature { author });
        }
        let changed = self.model.learn(self.address, &signed.items)?;
        account.nonces.use_up(nonce);
        self.accounts.insert(author, account);
        Ok(changed)
    }
}
