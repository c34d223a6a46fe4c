//! The receiver's state of a channel, and the rules on it.

use alloy_primitives::{B256, Bytes, U256};
use serde::{Deserialize, Serialize};

use super::{
    ChainState, ChannelConfig, ClaimEntry, ContractAnswer, ContractCheck, Deployment, Terms,
    payload::{BatchPayload, ClaimedVoucher, VoucherClaim},
    verify::{self, Fault},
};
use crate::x402::{
    Json, Reason,
    wire::{PaymentRequirements, SettlementResponse},
};

/// Shortest and longest life of a lock, in seconds, as in the package.
const LOCK: (u64, u64) = (5, 600);
/// Shortest and longest time for which the mirrored state is trusted, in seconds, as in the package.
const TRUST: (u64, u64) = (30, 300);

/// Voucher that the receiver keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voucher {
    /// Total that the payer promised, in atomic units.
    pub total: u128,
    /// Signature.
    pub signature: Bytes,
}

/// The receiver's state of a channel.
///
/// Claims on the chain never exceed `charged`, and `charged` never exceeds the voucher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    id: B256,
    config: ChannelConfig,
    charged: u128,
    voucher: Option<Voucher>,
    chain: ChainState,
    lock: Option<Reservation>,
    locks: u64,
    unclaimed_since: Option<u64>,
}

/// Facts that the caller brings to a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Time in Unix seconds.
    pub now: u64,
    /// State of the channel on the chain, if the caller has just read it.
    pub chain: Option<ChainState>,
    /// The payer's balance in the token, if the caller has just read it. Deposits need it.
    pub payer_balance: Option<U256>,
    /// Answer about a contract's signature.
    pub contract: Option<ContractAnswer>,
}

/// Lock of a channel for one request, with the voucher that pays it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Id of the channel.
    pub channel: B256,
    /// Number of the lock in the channel.
    pub number: u64,
    /// Purpose of the lock.
    pub purpose: Purpose,
    /// Time after which another request may take the lock, in Unix seconds; `None` for a refund.
    pub expires: Option<u64>,
}

/// Purpose of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// A paid request.
    Payment {
        /// Maximum charge, in atomic units.
        amount: u128,
        /// Deposit that must be settled before the work, in atomic units; 0 without one.
        deposit: u128,
        /// Voucher that covers the charge.
        voucher: Voucher,
    },
    /// A refund, which ends when the chain's number of refunds is above this.
    Refund {
        /// Number of refunds that the signed refund names.
        nonce: U256,
    },
}

/// Reason why a request gets no reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The payload is refused: 402 with this word.
    Invalid(Reason),
    /// The payer counts differently: 402 with our state, so that it can correct its own.
    Mismatch(Box<Corrective>),
    /// Another request holds the channel until this time, in Unix seconds; `None` for a refund.
    Busy(Option<u64>),
    /// The caller must read the channel (and for a deposit the payer's balance) from the chain, and
    /// check again.
    NeedsChain,
    /// The caller must ask the payer's contract, and check again.
    NeedsContractCheck(ContractCheck),
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self::Invalid(reason)
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Invalid(reason) => Self::Invalid(reason),
            Fault::NeedsContractCheck(check) => Self::NeedsContractCheck(check),
        }
    }
}

impl Refusal {
    /// Returns the word of the answer, or `None` if the caller must look something up first.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Invalid(reason) => Some(reason.clone()),
            Self::Mismatch(_) => Some(Reason::BatchCumulativeMismatch),
            Self::Busy(_) => Some(Reason::BatchChannelBusy),
            Self::NeedsChain | Self::NeedsContractCheck(_) => None,
        }
    }
}

/// State that a payer needs to correct its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corrective {
    id: B256,
    chain: ChainState,
    charged: u128,
    voucher: Option<Voucher>,
}

impl Corrective {
    /// Adds the state to the offer that the 402 answer repeats.
    pub fn enrich(&self, offer: &mut PaymentRequirements) {
        let state = channel_state(self.id, &self.chain, self.charged);
        offer.extra.set("channelState", state);
        if let Some(voucher) = &self.voucher {
            let voucher = [
                ("signedMaxClaimable", Json::from(voucher.total.to_string())),
                ("signature", voucher.signature.to_string().into()),
            ];
            offer.extra.set("voucherState", Json::object(voucher));
        }
    }
}

/// Reason why a reservation cannot be committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// The channel is locked by another reservation, or by none.
    #[error("cannot commit: the reservation has ended; charge nothing")]
    Lost,
    /// The charge is above the reserved amount, or above what the voucher covers.
    #[error("cannot charge {charge} atomic units: the voucher covers {covered}; charge no more")]
    ExceedsSigned {
        /// Charge that was tried.
        charge: u128,
        /// Maximum charge.
        covered: u128,
    },
    /// The channel's balance does not cover the charge: its deposit is not settled.
    #[error(
        "cannot charge: the channel holds {balance} atomic units; settle the deposit, and mirror the channel"
    )]
    Unfunded {
        /// Balance that is mirrored.
        balance: u128,
    },
    /// The refund has not happened on the chain.
    #[error(
        "cannot end the refund: the chain has {found} refunds, expected more than {nonce}; wait for its transaction"
    )]
    RefundPending {
        /// Number that the signed refund names.
        nonce: U256,
        /// Number on the chain.
        found: U256,
    },
}

/// Policy of claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimRule {
    /// Maximum time that a charge stays unclaimed, in seconds.
    pub every: u64,
    /// Amount from which unclaimed charges are claimed at once, in atomic units.
    pub above: u128,
}

/// Cause of a claim, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// The payer withdraws, and takes what is unclaimed after this time, in Unix seconds.
    Withdrawal(u64),
    /// The unclaimed charges are large.
    Threshold,
    /// The unclaimed charges are old.
    Timer,
}

impl Channel {
    /// Creates the state of a channel that is new, or whose state is lost.
    ///
    /// It begins at what is claimed on the chain. Unclaimed charges of a lost state are gone.
    #[must_use]
    pub fn open(deployment: &Deployment, config: ChannelConfig, chain: ChainState) -> Self {
        Self {
            id: deployment.channel_id(&config),
            config,
            charged: chain.total_claimed,
            voucher: None,
            chain,
            lock: None,
            locks: 0,
            unclaimed_since: None,
        }
    }

    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> B256 {
        self.id
    }

    /// Returns parties and terms.
    #[must_use]
    pub fn config(&self) -> &ChannelConfig {
        &self.config
    }

    /// Returns the total that was charged, in atomic units.
    #[must_use]
    pub fn charged(&self) -> u128 {
        self.charged
    }

    /// Returns the voucher that covers what was charged; `None` if nothing is unclaimed.
    #[must_use]
    pub fn voucher(&self) -> Option<&Voucher> {
        self.voucher.as_ref()
    }

    /// Returns the mirrored state of the chain.
    #[must_use]
    pub fn chain(&self) -> &ChainState {
        &self.chain
    }

    /// Returns the reservation that locks the channel.
    #[must_use]
    pub fn lock(&self) -> Option<&Reservation> {
        self.lock.as_ref()
    }

    /// Takes over a newer state of the chain.
    ///
    /// Claims by someone else with the receiver's key count as charged.
    pub fn mirror(&mut self, chain: ChainState) {
        if chain.read_at < self.chain.read_at {
            return;
        }
        self.chain = chain;
        self.charged = self.charged.max(self.chain.total_claimed);
        self.voucher = self.voucher.take().filter(|it| it.total >= self.charged);
        if self.unclaimed() == 0 {
            self.unclaimed_since = None;
        }
    }

    /// Returns `true` if the mirrored state is young enough to decide about a voucher.
    #[must_use]
    pub fn is_fresh(&self, now: u64) -> bool {
        let trust = (self.config.withdraw_delay / 3).clamp(TRUST.0, TRUST.1);
        now.saturating_sub(self.chain.read_at) <= trust
    }

    /// Checks a payment or a refund, and locks the channel for it.
    ///
    /// A deposit must be settled and [mirrored](Self::mirror) before the work. Of a refund, the plan
    /// comes from [`plan_refund`](Self::plan_refund).
    ///
    /// # Errors
    ///
    /// Fails with an answer for the payer, or with a question for the caller.
    pub fn reserve(
        &mut self,
        deployment: &Deployment,
        terms: &Terms,
        payload: &BatchPayload,
        facts: &Facts,
    ) -> Result<Reservation, Refusal> {
        let (config, voucher) = payload.channel().ok_or(Reason::BatchPayloadType)?;
        if *config != self.config {
            return Err(Reason::BatchChannelIdMismatch.into());
        }
        let total = verify::total(deployment, terms, config, voucher)?;
        if let Some(chain) = &facts.chain {
            self.mirror(chain.clone());
        }
        let needs_chain = !matches!(payload, BatchPayload::Voucher(_)) && facts.chain.is_none();
        if needs_chain || !self.is_fresh(facts.now) {
            return Err(Refusal::NeedsChain);
        }
        // Only the payer learns our state.
        verify::signature(deployment, config, total, voucher, facts.contract.as_ref())?;
        if let Some(lock) = &self.lock
            && lock.expires.is_none_or(|expires| expires > facts.now)
        {
            return Err(Refusal::Busy(lock.expires));
        }
        let is_refund = matches!(payload, BatchPayload::Refund(_));
        let amount = if is_refund { 0 } else { terms.amount };
        if !is_refund && amount == 0 {
            return Err(Reason::InvalidPaymentRequirements.into());
        }
        if self.charged.checked_add(amount) != Some(total) {
            return Err(Refusal::Mismatch(Box::new(self.corrective())));
        }
        let deposit = match payload {
            BatchPayload::Deposit(it) => {
                let balance = facts.payer_balance.ok_or(Refusal::NeedsChain)?;
                verify::deposit(deployment, terms, config, &it.deposit, balance, facts.now)?
            }
            _ => 0,
        };
        if self.chain.balance == 0 && deposit == 0 {
            return Err(Reason::BatchChannelNotFound.into());
        }
        if let BatchPayload::Refund(refund) = payload {
            verify::refund_amount(refund.amount)?;
            return Ok(self.lock_refund()?);
        }
        verify::bounds(&self.chain, deposit, total, amount)?;
        let purpose = Purpose::Payment {
            amount,
            deposit,
            voucher: Voucher {
                total,
                signature: voucher.signature.clone(),
            },
        };
        let life = terms.max_timeout.clamp(LOCK.0, LOCK.1);
        Ok(self.take_lock(purpose, Some(facts.now.saturating_add(life))))
    }

    /// Locks the channel for a refund. The lock has no time: an unknown transaction may still happen.
    pub(super) fn lock_refund(&mut self) -> Result<Reservation, Reason> {
        if self.refundable() == 0 {
            return Err(Reason::BatchRefundNoBalance);
        }
        let nonce = self.chain.refund_nonce;
        Ok(self.take_lock(Purpose::Refund { nonce }, None))
    }

    fn take_lock(&mut self, purpose: Purpose, expires: Option<u64>) -> Reservation {
        self.locks += 1;
        let reservation = Reservation {
            channel: self.id,
            number: self.locks,
            purpose,
            expires,
        };
        self.lock = Some(reservation.clone());
        reservation
    }

    /// Charges `actual` of a reservation at `now`, keeps its voucher, and ends it.
    ///
    /// The caller stores this in the transaction of its ledger, after the work succeeded.
    ///
    /// # Errors
    ///
    /// Fails if the reservation is lost, or its voucher or the balance does not cover the charge. The
    /// state stays as it was.
    pub fn commit(
        &mut self,
        reservation: &Reservation,
        actual: u128,
        now: u64,
    ) -> Result<(), LockError> {
        let Purpose::Payment { voucher, .. } = self.holds(reservation)? else {
            return Err(LockError::Lost);
        };
        // This is the reserved amount, or less if someone else claimed meanwhile.
        let covered = voucher.total.saturating_sub(self.charged);
        if actual > covered {
            let charge = actual;
            return Err(LockError::ExceedsSigned { charge, covered });
        }
        let charged = self.charged + actual;
        if charged > self.chain.balance {
            let balance = self.chain.balance;
            return Err(LockError::Unfunded { balance });
        }
        if voucher.total >= charged {
            self.voucher = Some(voucher.clone());
        }
        self.charged = charged;
        if self.unclaimed() > 0 {
            self.unclaimed_since.get_or_insert(now);
        }
        self.lock = None;
        Ok(())
    }

    /// Ends a reservation without a charge.
    ///
    /// A refund may be released only if its signature was never sent: anyone could still use it.
    ///
    /// # Errors
    ///
    /// Fails if the reservation is lost.
    pub fn release(&mut self, reservation: &Reservation) -> Result<(), LockError> {
        self.holds(reservation)?;
        self.lock = None;
        Ok(())
    }

    /// Ends the reservation of a refund by the state of the chain after it.
    ///
    /// # Errors
    ///
    /// Fails if the reservation is lost, or the refund has not happened.
    pub fn refunded(
        &mut self,
        reservation: &Reservation,
        chain: ChainState,
    ) -> Result<(), LockError> {
        let Purpose::Refund { nonce } = *self.holds(reservation)? else {
            return Err(LockError::Lost);
        };
        let found = chain.refund_nonce;
        if found <= nonce {
            return Err(LockError::RefundPending { nonce, found });
        }
        self.mirror(chain);
        self.lock = None;
        Ok(())
    }

    /// Returns the purpose of a reservation that holds the lock.
    pub(super) fn holds<'a>(&self, reservation: &'a Reservation) -> Result<&'a Purpose, LockError> {
        let is_held = self.lock.as_ref() == Some(reservation);
        is_held
            .then_some(&reservation.purpose)
            .ok_or(LockError::Lost)
    }

    /// Returns the amount that a refund can return, in atomic units.
    #[must_use]
    pub fn refundable(&self) -> u128 {
        self.chain.balance.saturating_sub(self.charged)
    }

    /// Returns the charges that can be claimed, in atomic units.
    ///
    /// They are less than what was charged if the payer withdrew first.
    #[must_use]
    pub fn unclaimed(&self) -> u128 {
        let covered = self.voucher.as_ref().map_or(0, |_| self.charged);
        let funded = covered.min(self.chain.balance);
        funded.saturating_sub(self.chain.total_claimed)
    }

    /// Returns the cause to claim now, if there is one.
    #[must_use]
    pub fn due(&self, rule: ClaimRule, now: u64) -> Option<Due> {
        let unclaimed = self.unclaimed();
        if unclaimed == 0 {
            return None;
        }
        let requested = self.chain.withdraw_requested_at;
        if requested > 0 {
            let end = requested.saturating_add(self.config.withdraw_delay);
            return Some(Due::Withdrawal(end));
        }
        if unclaimed >= rule.above {
            return Some(Due::Threshold);
        }
        let since = self.unclaimed_since.unwrap_or(now);
        (now.saturating_sub(since) >= rule.every).then_some(Due::Timer)
    }

    /// Returns the claim of all charges, and its row in the batch that the receiver signs.
    ///
    /// Returns `None` if nothing can be claimed.
    #[must_use]
    pub fn claim(&self) -> Option<(VoucherClaim, ClaimEntry)> {
        let voucher = self.voucher.as_ref().filter(|_| self.unclaimed() > 0)?;
        let total = self.charged.min(self.chain.balance);
        let claim = VoucherClaim {
            voucher: ClaimedVoucher {
                channel: self.config.clone(),
                max_claimable_amount: voucher.total.into(),
            },
            signature: voucher.signature.clone(),
            total_claimed: total.into(),
        };
        let entry = ClaimEntry {
            channelId: self.id,
            maxClaimableAmount: voucher.total,
            totalClaimed: total,
        };
        Some((claim, entry))
    }

    /// Returns the state that a payer needs to correct its own.
    #[must_use]
    pub fn corrective(&self) -> Corrective {
        Corrective {
            id: self.id,
            chain: self.chain.clone(),
            charged: self.charged,
            voucher: self.voucher.clone(),
        }
    }

    /// Returns the answer to a paid request.
    ///
    /// - `charged`: charge of this request, in atomic units; `None` for a refund
    /// - `moved`: transaction and amount of a deposit or a refund
    #[must_use]
    pub fn receipt(
        &self,
        chain_id: u64,
        charged: Option<u128>,
        moved: Option<(B256, u128)>,
    ) -> SettlementResponse {
        let state = channel_state(self.id, &self.chain, self.charged);
        let mut extra = Json::object([("channelState", state)]);
        if let Some(charged) = charged {
            extra.set("chargedAmount", charged.to_string().into());
        }
        SettlementResponse {
            success: true,
            error_reason: None,
            error_message: None,
            payer: Some(self.config.payer.to_string()),
            transaction: moved.map_or_else(String::new, |(hash, _)| hash.to_string()),
            network: crate::x402::wire::network(chain_id),
            amount: Some(moved.map_or_else(String::new, |(_, amount)| amount.to_string())),
            extensions: crate::x402::wire::Extensions::new(),
            extra: Some(extra),
        }
    }
}

fn channel_state(id: B256, chain: &ChainState, charged: u128) -> Json {
    let mut state = chain.snapshot(id);
    state.set("chargedCumulativeAmount", charged.to_string().into());
    state
}
