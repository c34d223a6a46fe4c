//! Cooperative refunds.

use alloy_primitives::{B256, Bytes, U256};

use super::{
    Channel, ChannelConfig, ClaimEntry, Deployment, LockError, Reservation,
    channel::Purpose,
    payload::{RefundPayload, SignedVoucher, VoucherClaim},
    verify::refund_amount,
};
use crate::x402::{Decimal, Reason};

/// Refund that the receiver signs and sends: a claim of all charges, and the return of an amount.
///
/// The amount leaves all charges in the channel, so that the refund cannot take them, even if someone
/// sends it without the claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundPlan {
    /// Id of the channel.
    pub channel: B256,
    /// Parties and terms of the channel.
    pub config: ChannelConfig,
    /// Amount to return, in atomic units.
    pub amount: u128,
    /// The channel's number of refunds on the chain.
    pub nonce: U256,
    /// Claim to make before; `None` if nothing is unclaimed.
    pub claim: Option<(VoucherClaim, ClaimEntry)>,
}

impl Channel {
    /// Begins a refund by the receiver itself, such as at the end of a session.
    ///
    /// The mirrored state of the chain must be fresh.
    ///
    /// # Errors
    ///
    /// Fails if the channel is locked, or nothing is left.
    pub fn begin_refund(&mut self, now: u64) -> Result<Reservation, Reason> {
        let locked = self
            .lock()
            .is_some_and(|it| it.expires.is_none_or(|at| at > now));
        if locked {
            return Err(Reason::BatchChannelBusy);
        }
        if !self.is_fresh(now) {
            return Err(Reason::BatchStateUnavailable);
        }
        self.lock_refund()
    }

    /// Returns what to sign and send for a refund that holds the lock.
    ///
    /// - `asked`: amount that the payer asked for; `None` for all that is left. More than that
    ///   becomes that.
    ///
    /// # Errors
    ///
    /// Fails if the reservation is lost, or of no refund.
    pub fn plan_refund(
        &self,
        reservation: &Reservation,
        asked: Option<u128>,
    ) -> Result<RefundPlan, LockError> {
        let Purpose::Refund { nonce } = *self.holds(reservation)? else {
            return Err(LockError::Lost);
        };
        let left = self.refundable();
        Ok(RefundPlan {
            channel: self.id(),
            config: self.config().clone(),
            amount: asked.unwrap_or(left).min(left),
            nonce,
            claim: self.claim(),
        })
    }
}

impl RefundPayload {
    /// Returns the amount that the payer asked for, or `None` if it asked for all.
    ///
    /// # Errors
    ///
    /// Fails if the amount is zero or does not fit 128 bits.
    pub fn asked(&self) -> Result<Option<u128>, Reason> {
        refund_amount(self.amount)
    }
}

impl RefundPlan {
    /// Returns the hash of the refund that the receiver's authorizer signs.
    #[must_use]
    pub fn refund_hash(&self, deployment: &Deployment) -> B256 {
        deployment.refund_hash(self.channel, self.nonce, self.amount)
    }

    /// Returns the hash of the claim that the receiver's authorizer signs; `None` without a claim.
    #[must_use]
    pub fn claim_hash(&self, deployment: &Deployment) -> Option<B256> {
        let (_, entry) = self.claim.as_ref()?;
        Some(deployment.claims_hash(vec![entry.clone()]))
    }

    /// Returns the complete refund, for [`calls::refund`](super::calls::refund) or an outside facilitator.
    ///
    /// - `voucher`: voucher of the payer's request, or the one that the channel keeps
    #[must_use]
    pub fn complete(
        &self,
        voucher: SignedVoucher,
        refund_signature: Bytes,
        claim_signature: Option<Bytes>,
    ) -> RefundPayload {
        RefundPayload {
            channel_config: self.config.clone(),
            voucher,
            amount: Some(self.amount.into()),
            refund_nonce: Some(Decimal(self.nonce)),
            claims: Some(self.claim.iter().map(|(claim, _)| claim.clone()).collect()),
            refund_authorizer_signature: Some(refund_signature),
            claim_authorizer_signature: claim_signature,
        }
    }
}
